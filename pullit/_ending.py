"""The end of a pull on a coro: how seq is told to stop, and how its consumer hears of it."""

from __future__ import annotations

from typing import Any

from pullit._errors import WrongThreadError, chain, is_a, raise_as_left, trim
from pullit._foreign import forward
from pullit._lifetimes import live
from pullit._producer import ProducerSide
from pullit._pull import ENDED, STOP, STOPPING, SUSPENDED, UNSTARTED


class EndingPull(ProducerSide):
    """The same, with what its consumer does at the end."""

    __slots__ = ()

    def over(self) -> bool:
        return self.state is ENDED and self.root is None

    def done(self) -> bool:
        return self.state is ENDED or self.state is STOPPING

    def drive_out(self) -> None:
        """Tell seq to stop, and wait until it has."""
        self.state = STOPPING
        try:
            got = self.to_producer(STOP)
            if self.state is STOPPING:
                self.pass_on(STOPPING, got)
        except (RecursionError, MemoryError) as error:
            if self.state is STOPPING and not self.root.dead:
                self.state = SUSPENDED
            else:
                self.end_after(error)
            raise
        except BaseException as error:
            self.end_after(error)
            raise
        self.value = None

    def finish(self, told: bool) -> BaseException:
        """Let go of seq, which has ended; return what tells the consumer, once.

        Later it is a StopIteration without a value, or, if values may be lost because its
        thread is no more, the refusal.
        """
        if self.root is None or self.state is STOPPING:
            refused = self.refused if self.state is ENDED else ""
            return WrongThreadError(refused) if refused else StopIteration()
        error = self.outcome(self.error, told or self.exits > 0)
        if self.refused:
            refusal = WrongThreadError(self.refused)
            error = refusal if is_a(error, StopIteration) else chain(error, refusal)
            self.refused = ""
        if self.error is not None:
            trim(error)
        self.let_go()
        return error

    def let_go(self, f: Any = None) -> None:
        """Keep nothing of seq, nor of its thread; but *f*, if it has yet to run."""
        home, root = live.get(self), self.root
        if home is not None and root is not None and home.free_list is not None:
            home.free_list.relay.parent = home.free_list.main
        if f is None:
            self.f = self.argument = None
        self.producer = self.to_producer = self.blocked = self.regular = None
        self.root = None  # until then the end has yet to be delivered
        # After that: a traceback may hold the last reference to seq's own iterator, which
        # stops its pull when it is dropped.
        self.error = self.value = None
        if f is not None:
            self.state = UNSTARTED
        if home is not None:
            del live[self]  # the last: another thread may claim it then

    def pass_on(self, state: str, got: Any) -> None:
        """Pass on *got*, and what comes then, as long as it is not ours."""
        while self.state is state:
            if self.root.dead:  # pragma: no cover  corostart had no room for its last calls
                self.state = ENDED
            else:
                got = forward(self.root, got)

    def end_after(self, error: BaseException) -> None:
        """End seq, before *error*, which is not its own, goes on at the consumer."""
        try:
            if self.state is SUSPENDED:  # with a value that is lost
                self.drive_out()
            elif self.root.dead:  # struck after seq had ended
                self.state = ENDED
            elif self.state is not ENDED:
                # seq waits in a switch that is not ours, and is not to yield again.
                self.state = STOPPING
                self.exits += 1
                exit = self.exit("its consumer was interrupted; let this pass")
                self.pass_on(STOPPING, self.root.throw(exit))
            errors = [self.finish(told=True)]
            if not is_a(errors[0], StopIteration):
                raise_as_left(errors)
        except BaseException as e:
            chain(trim(e), error)
            raise

    def orphan(self, why: str) -> None:
        """Refuse forever: seq's thread is no more."""
        if self.state is not ENDED or self.root is not None:
            self.state = ENDED
            self.let_go()
        self.refused = self.orphaned(why)
