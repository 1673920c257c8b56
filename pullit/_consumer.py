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
    """The parts of next and stop in which nothing waits."""

    __slots__ = ()

    def claim(self, waiter: Any, call: str) -> None:
        """Make *waiter* the call that is under way, or refuse it."""
        thread = None if self.ended else self.thread
        own = thread is not None and thread.ident == threading.get_ident()
        if own or self.caller.setdefault(TURN, waiter) is not waiter:
            raise self.refusal(call)

    def set_off(self, order: Order | None) -> None:
        """Have seq go on, with *order*, or start it."""
        if self.thread is not None:
            self.let_go_on(order)
        elif not self.ended:
            self.start()

    def start(self) -> None:
        """Start the thread; seq runs in a copy of the caller's context."""
        contexts = [copy_context()]  # in a list, for run to let go of it
        thread = threading.Thread(None, self.run, f"pullit {self.label}", (contexts,), daemon=True)
        self.thread = thread
        live[self] = None
        try:
            start_unwaited(thread)
        except BaseException:  # "can't start new thread", or a handler's
            if self.caller.setdefault(START, CALLED_OFF) is CALLED_OFF:
                self.ended = True
                self.let_go()
            raise

    def let_go_on(self, order: Order | None) -> None:
        """Resume the ``yield_`` whose value was taken last."""
        if self.taken:
            # No call of ours, for which there might be no room: it would wait forever.
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

    def look(self) -> Any:
        """Return a value; NOTHING if there is none yet; END if there will be none."""
        ended = self.ended  # look first: what came before the end is there then
        try:
            return self.take()
        except IndexError:
            return END if ended else NOTHING

    def abandon(self, waiter: Any) -> None:
        """Tell seq to stop, without waiting; nothing if another call has *waiter*'s turn.

        One that was not started is as it was.
        """
        try:
            mine = self.caller[TURN] is waiter
        except KeyError:
            mine = None  # nobody's
        if mine is not False and self.thread is not None:
            self.told_to_stop = True
            if mine:  # otherwise it may be that of a call which has come meanwhile
                self.caller.pop(TURN, None)
            self.order_stop()
            # Who has the turn hears of the end, and reports it.
            if self.ended and TURN not in self.caller and self.thread is not None:
                self.report()

    def finish(self, told: bool, join: bool = True) -> BaseException:
        """Let go of seq, which has ended; return what tells the consumer, once."""
        if self.over():
            return StopIteration()
        self.told_to_stop = True
        self.open_gates()  # of calls that come after the end
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
        return self.told_to_stop or self.over()

    def shown_state(self) -> str:
        thread = self.thread  # first, see state
        if self.over():
            return "finished"
        if self.told_to_stop or TURN in self.caller:
            return "running"
        return "unstarted" if thread is None else "suspended"

    def orphan(self, why: str) -> None:
        """Refuse forever: seq's thread is no more."""
        if not self.over():
            self.told_to_stop = self.ended = True
            self.let_go()
            self.orphan_text = self.orphaned(why)
