"""Reading ahead on a thread: producer and loop work at the same time."""

from __future__ import annotations

from _thread import start_new_thread
from typing import Any

from pullit._channel import TURN
from pullit._consumer import ConsumerSide
from pullit._on_thread import ThreadPull
from pullit._pull import STOP, Order
from pullit._threads import this_thread
from pullit._types import NOTHING
from pullit._waiting import Quick, WaitingYield, snapshot


class Ahead(ConsumerSide):
    """A channel whose *seq* works at the same time, while fewer than *most* values wait."""

    __slots__ = ()

    reads_ahead = True

    def yield_(self, value: Any, /) -> Any:
        """What seq calls with each value, from any thread. It waits if *most* are there."""
        if not self.may_yield():
            return self.refuse()
        # Made before the value is added: afterwards there may be no room to make it.
        call = WaitingYield(None) if len(self.values) + 1 >= self.most else None
        self.values.append(value)
        if self.told_to_stop:
            return self.refuse()  # pragma: no cover  a race with the stop
        if TURN in self.caller:
            try:
                self.wake_caller()
            except RecursionError:
                start_new_thread(self.wake_caller, ())  # see Channel.yield_
        if call is None or len(self.values) < self.most:
            return not self.ended  # if it has ended, the value may be too late
        self.waiting.append(call)
        if self.told_to_stop:
            call.open(STOP)  # pragma: no cover  a race with the stop
        elif len(self.values) < self.most:
            call.open(None)  # pragma: no cover  a race with the consumer
        call.gate.acquire()
        try:
            self.waiting.remove(call)
        except ValueError:
            pass  # let_go has removed it
        return not self.ended if call.order is None else self.obey(call.order)

    def resume_yield(self, order: Order | None) -> None:
        """Do nothing: a ``yield_`` here waits for room only, and `take` makes that."""

    def take(self) -> Any:
        if self.waiting and len(self.values) <= self.most:
            # Before the value is taken, since there may be no room for this call. That is why
            # it is <=: there will be one value less.
            self.make_room()
        try:
            value = self.values.popleft()
        except IndexError:
            # Look again: a yield_ may have joined `waiting` since, because it saw values that
            # are gone now. make_room copies `waiting` under the lock under which that joined it,
            # so either this sees that call, or the call sees that there is room.
            self.make_room()
            raise
        self.taken = False  # not None: there was a value
        return value

    def make_room(self) -> None:
        """Resume the calls of ``yield_`` that wait for room for their values."""
        for call in snapshot(self.waiting):
            if call.gate.locked():
                call.open(None)


class AheadThreadPull(Ahead, ThreadPull):
    """One pull of *seq* that works at the same time, whose consumer waits in a thread."""

    __slots__ = ()

    def take_quickly(self) -> Any:
        turn = Quick()
        try:
            if not self.done() and self.caller.setdefault(TURN, turn) is turn:
                self.consumer = this_thread()
                return self.take()
        except IndexError:  # pragma: no cover  a race: another thread was faster
            pass
        except (RecursionError, MemoryError):
            raise
        except BaseException:
            self.abandon(turn)
            raise
        finally:
            try:  # see next
                if self.caller[TURN] is turn:
                    del self.caller[TURN]
            except KeyError:
                pass
        return NOTHING
