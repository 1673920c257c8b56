"""The end of a pull on a coro: how seq is told to stop, and how its consumer hears of it."""

from __future__ import annotations

from typing import Any

from pullit._errors import WrongThreadError, chain, is_a, raise_as_left, trim
from pullit._foreign import forward
from pullit._lifetimes import live
from pullit._producer import ProducerSide
from pullit._pull import ENDED, STOP, STOPPING, SUSPENDED, UNSTARTED


class EndingPull(ProducerSide):
    """ProducerSide, and what the consumer does at the end."""

    __slots__ = ()

    def over(self) -> bool:
        return self.state is ENDED and self.root is None

    def done(self) -> bool:
        """Return whether seq has ended, or was told to stop."""
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
                self.state = SUSPENDED  # there was no room to switch
            else:
                self.end_after(error)
            raise
        except BaseException as error:
            self.end_after(error)
            raise
        self.value = None

    def finish(self, told: bool) -> BaseException:
        """Let go of seq, which has ended; return the exception that the consumer gets.

        The first call returns seq's error or result; *told* says that seq was told to stop.
        Later ones return a StopIteration without a value; or a refusal, if values may be lost
        because seq's thread is gone.
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
        """Drop all references to seq and its thread, at the end.

        Or, if seq could not be started and *f* is seq, make the pull unstarted again.
        """
        home, root = live.get(self), self.root
        if home is not None and root is not None and home.free_list is not None:
            home.free_list.relay.parent = home.free_list.main  # it keeps no consumer alive
        if f is None:
            self.f = self.argument = None
        self.producer = self.to_producer = self.blocked = self.regular = None
        self.root = None  # until then the end has yet to be delivered
        # After that: to drop the error may drop an iterator that its traceback holds, and
        # so call our stop, which must find that all is over.
        self.error = self.value = None
        if f is not None:
            self.state = UNSTARTED
        if home is not None:
            del live[self]  # last: from now on another thread may claim the pull

    def pass_on(self, state: str, got: Any) -> None:
        """Forward *got*, and what comes next, until seq yields or ends: see `_foreign`."""
        while self.state is state:
            if self.root.dead:  # pragma: no cover  corostart had no room at its end
                self.state = ENDED
            else:
                got = forward(self.root, got)

    def end_after(self, error: BaseException) -> None:
        """End seq, because *error* has interrupted the consumer, which raises it then."""
        try:
            if self.state is SUSPENDED:  # seq has yielded a value, which is lost
                self.drive_out()
            elif self.root.dead:  # the interruption came after seq had ended
                self.state = ENDED
            elif self.state is not ENDED:
                # seq waits in a switch that is not ours. Stopping, so that a yield_ is refused.
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
        """End without seq, whose thread is gone, and refuse every next from now on."""
        if self.state is not ENDED or self.root is not None:
            self.state = ENDED
            self.let_go()
        self.refused = self.orphaned(why)
