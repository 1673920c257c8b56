"""The consumer's side of a channel, however the consumer waits: in a thread, or in a task."""

from __future__ import annotations

import threading
from contextvars import copy_context
from typing import Any

from pullit._channel import CALLED_OFF, START, TURN, Channel
from pullit._errors import PullError, trim
from pullit._lifetimes import live
from pullit._pull import Order
from pullit._types import NOTHING
from pullit._waiting import start_unwaited

# What `look` returns at seq's end.
END: Any = object()


class ConsumerSide(Channel):
    """A Channel, and the parts of next and stop in which nothing waits."""

    __slots__ = ()

    def claim(self, waiter: Any, call: str) -> None:
        """Give the turn to *waiter*; refuse *call* if another has it, or in seq's thread."""
        thread = None if self.ended else self.thread
        own = thread is not None and thread.ident == threading.get_ident()
        if own or self.caller.setdefault(TURN, waiter) is not waiter:
            raise self.refusal(call)

    def set_off(self, order: Order | None) -> None:
        """Have seq go on, with *order*, or start it."""
        if self.thread is not None:
            self.resume_yield(order)
        elif not self.ended:
            self.start()

    def start(self) -> None:
        """Start the thread; seq runs in a copy of the caller's context."""
        contexts = [copy_context()]  # in a list, so that run can pop it
        thread = threading.Thread(None, self.run, f"pullit {self.label}", (contexts,), daemon=True)
        self.thread = thread
        live[self] = None
        try:
            start_unwaited(thread)
        except BaseException:  # it could not start, or a signal handler raised
            if self.caller.setdefault(START, CALLED_OFF) is CALLED_OFF:
                self.ended = True
                self.let_go()
            raise

    def resume_yield(self, order: Order | None) -> None:
        """Resume the ``yield_`` whose value was taken last."""
        if self.taken:
            # Not by call.open: there might be no room for a call in Python, and then the
            # yield_ would wait forever.
            call = self.waiting[0]
            call.order = order
            call.gate.release()
            self.taken = False
            self.waiting.popleft()
        elif order is not None:
            raise PullError(
                f"{self.name}: {order.kind} before the value that the last call has"
                f" asked for; call {self.asks} first"
            )

    def take(self) -> Any:
        """Return a value; IndexError if there is none."""
        value = self.waiting[0].value
        self.taken = True
        return value

    def take_quickly(self) -> Any:
        """Return a value that has run ahead, if that needs no waiting, or NOTHING."""
        return NOTHING  # pragma: no cover  here no value runs ahead

    def look(self) -> Any:
        """Return a value; NOTHING if there is none yet; END if there will be none."""
        ended = self.ended  # before `take`: if seq has ended, its last value is there by now
        try:
            return self.take()
        except IndexError:
            return END if ended else NOTHING

    def abandon(self, waiter: Any) -> None:
        """Tell seq to stop, and do not wait. Do nothing if another call has the turn.

        *waiter* is the call that gives up its turn, or None for a drop, which has none. A
        pull that has not started stays as it was.
        """
        try:
            mine = self.caller[TURN] is waiter
        except KeyError:
            mine = None  # nobody has the turn
        if mine is not False and self.thread is not None:
            self.told_to_stop = True
            if mine:  # otherwise a call may have taken the turn meanwhile
                self.caller.pop(TURN, None)
            self.order_stop()
            # If a call has the turn, seq's end wakes it, and it reports the error.
            if self.ended and TURN not in self.caller and self.thread is not None:
                self.report()

    def finish(self, told: bool, join: bool = True) -> BaseException:
        """Let go of seq, which has ended; return the exception that the consumer gets.

        That is seq's error or result, once; after that a StopIteration without a value.
        """
        if self.over():
            return StopIteration()
        self.told_to_stop = True
        self.open_gates()  # of yield_ calls that came after seq's end
        thread = self.thread
        if thread is not None and join:
            thread.join()  # it has nothing left to do: no thread outlives its pull
        if self.taken is None and not told and not self.errors:
            self.errors.extend(filter(None, [self.silent_nothing()]))
        error = trim(self.outcome(self.take_error(), told))
        self.let_go()
        return error

    def over(self) -> bool:
        return self.ended and self.thread is None

    def done(self) -> bool:
        """Return whether the end was delivered, or seq told to stop."""
        return self.told_to_stop or self.over()

    def shown_state(self) -> str:
        thread = self.thread  # first, see state
        if self.over():
            return "finished"
        if self.told_to_stop or TURN in self.caller:
            return "running"
        return "unstarted" if thread is None else "suspended"

    def orphan(self, why: str) -> None:
        """End without seq, whose thread is gone, and refuse every next from now on."""
        if not self.over():
            self.told_to_stop = self.ended = True
            self.let_go()
            self.orphan_text = self.orphaned(why)
