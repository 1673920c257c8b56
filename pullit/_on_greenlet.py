"""The greenlet engine's next and stop. All runs in one thread; `_pull` has the states."""

from __future__ import annotations

import sys
import warnings
from typing import Any

from greenlet import getcurrent

from pullit._coro import new_coroutine
from pullit._ending import EndingPull
from pullit._errors import PullError, is_a, raise_as_left
from pullit._foreign import adopt, settle_eventlet
from pullit._free_list import UNFIT
from pullit._guard import NestingError, check_nesting, is_guarded
from pullit._lifetimes import leave_to_owner, left, live, sweep
from pullit._per_thread import PerThread, per_thread
from pullit._pull import ENDED, RUNNING, STOPPING, SUSPENDED, UNSTARTED, Order
from pullit._threads import get_ident, thread_name
from pullit._types import NOTHING


class GreenletPull(EndingPull):
    """EndingPull, with next and stop: a whole pull of the greenlet engine."""

    __slots__ = ()

    def next(self, order: Order | None = None, call: str = "next") -> Any:
        """Resume seq, with *order*, and return its next value; StopIteration at the end.

        `_iterator` and `_functions` have a copy of its quick way, which calls this only
        where something is to be looked at.
        """
        got: Any = None
        home = self.claim(call) if self.state is UNSTARTED else None
        if home is not None:
            got = self.start(home)
            if self.state is ENDED and self.error is None:
                self.error = self.silent_nothing()
        else:  # started, or ended by another thread just before the claim
            self.check_thread(call)
            if self.state is RUNNING:
                raise self.refusal(call)
            if self.state is SUSPENDED:
                self.enter(call)
                if self.refused:
                    self.drive_out()
                else:
                    got = self.resume(order)
        if self.state is SUSPENDED:
            value = self.value  # before any call: a signal handler could raise in it
            self.value = None
            return value
        if self.state is RUNNING:
            return self.arrive(got)
        raise_as_left([self.finish(told=self.state is STOPPING)])

    def check_thread(self, call: str) -> None:
        """Refuse *call* in another thread than the owner's, if there is an owner."""
        home = self.home
        if home is not None:
            if not home.is_here():
                raise self.wrong_thread(call, home.ident)
            if left:
                sweep(home)

    def claim(self, call: str) -> PerThread | None:
        """Make the running thread the owner, and return its PerThread.

        Return None if another thread has ended the pull meanwhile.
        """
        home = per_thread()
        if left:
            sweep(home)
        owner = live.setdefault(self, home)
        if owner is not home:
            assert owner
            raise self.wrong_thread(call, owner.ident)
        if self.state is UNSTARTED:
            return home
        del live[self]
        return None

    def start(self, home: PerThread) -> Any:
        """Start seq; return what is switched to us next."""
        fresh = False
        try:
            self.blocked = self.regular = getcurrent()
            while True:
                root = new_coroutine(home, self.blocked, fresh)
                self.root = self.producer = root
                self.to_producer = root.switch
                self.state = RUNNING
                home.starting = self
                got = root.switch()
                if got is not UNFIT:
                    break
                fresh = True
            if "eventlet.hubs" in sys.modules:
                settle_eventlet(root)
        except BaseException as error:
            if self.f is None:
                self.end_after(error)
            else:  # nothing has run
                home.starting = None
                self.let_go(self.f)
            raise
        return got

    def enter(self, call: str) -> None:
        """Check that the running coroutine may resume seq, and make it the consumer."""
        home = self.home
        assert home
        guarded = False
        if home.guards:
            check_nesting(home, self.name, self.producer)
            guarded = is_guarded(home, self.producer)
        try:
            adopt(self.root, getcurrent())
        except ValueError:
            raise PullError(
                f"{self.name}: {call} called in a greenlet that {self.label} has started;"
                " call it outside of the producer"
            ) from None
        self.blocked = getcurrent()
        if not guarded and self.producer is self.root:
            self.be_regular(home)

    def be_regular(self, home: PerThread) -> None:
        """Let the following next take the quick way, unless another thread forbids that.

        It does after a drop, and after a ``yield_``, there.
        """
        self.regular = self.blocked
        # Look last: the other thread writes one of these two, and then sets regular to None.
        # copy takes the list's lock, so that it comes after the line above without the GIL, too.
        if home.dropped.copy() or self.refused:
            self.regular = None

    def resume(self, order: Order | None) -> Any:
        """Let seq run; return what is switched to us next."""
        self.state = RUNNING
        try:
            return self.to_producer(order) if order else self.to_producer()
        except (RecursionError, MemoryError) as error:
            if self.state is RUNNING and not self.root.dead:
                self.state = SUSPENDED  # there was no room to switch
            else:
                self.end_after(error)
            raise
        except BaseException as error:
            self.end_after(error)
            raise

    def arrive(self, got: Any) -> Any:
        """Return the value after a switch to us that brought *got*; raise if there is none."""
        if self.state is RUNNING:
            try:
                self.pass_on(RUNNING, got)
            except BaseException as error:
                self.end_after(error)
                raise
        if self.state is SUSPENDED:
            value = self.value
            self.value = None
            return value
        raise_as_left([self.finish(told=self.state is STOPPING)])

    def stop(self, call: str = "stop") -> Any:
        """Make seq return, and return its result; None if it had ended before."""
        if self.state is UNSTARTED and self.claim(call) is not None:
            self.state = ENDED
            self.let_go()
        elif getcurrent() is not self.regular or self.state is not SUSPENDED:
            self.check_thread(call)
            if self.state is RUNNING:
                raise self.refusal(call)
            if self.state is SUSPENDED:
                self.enter(call)
        if self.state is SUSPENDED:
            self.drive_out()
        if self.state is STOPPING or self.root is None:
            return None
        if self.error is not None or self.refused:
            errors = [self.finish(told=True)]
            if not is_a(errors[0], StopIteration):
                raise_as_left(errors)
        else:
            self.let_go()  # what finish would do, without making an exception
        return None if self.result is NOTHING else self.result

    def drop(self) -> None:
        """Stop, because the handle was dropped; in another thread, leave that to the owner."""
        try:
            if self.state is ENDED and self.root is None:
                return
            if self.is_finalizing() or self.state in (RUNNING, STOPPING):
                return
            home = self.home
            if home is None or home.is_here():
                self.stop()
            else:
                leave_to_owner(self, home)
                warn_of_drop(self.name, self.label, home.ident)
        except NestingError as e:
            e.later.dropped.append(self)  # stopped when that API has ended
        except BaseException:
            home = live.get(self)
            if home is not None and not home.sweeping:  # seq was not told yet
                leave_to_owner(self, home)
            raise

    drop_at_exit = drop


def warn_of_drop(name: str, label: str, ident: int) -> None:
    """Warn that an iterator was dropped in another thread than *ident*, which stops it."""
    warnings.warn(
        f"{name}: the iterator over {label} was dropped in {thread_name(get_ident())}, but"
        f" was started in {thread_name(ident)}, which stops it when it next calls pullit,"
        " or ends; close it there",
        ResourceWarning,
        stacklevel=4,
    )
