"""A pull on a thread of its own, as its consumer sees it: what `_channel` is to it.

The consumer waits in a thread. A Waiter is all in the channel that knows so.
"""

from __future__ import annotations

import threading
from contextvars import copy_context
from typing import Any

from pullit._channel import CALLED_OFF, START, TURN, Channel, this_thread
from pullit._errors import PullError, WrongThreadError, is_a, raise_as_left, trim
from pullit._lifetimes import left, live, stop_all, sweep
from pullit._per_thread import known_thread
from pullit._pull import Order
from pullit._types import NOTHING
from pullit._waiting import Waiter


class ThreadPull(Channel):
    """The same, with next and stop."""

    __slots__ = ()

    def next(self, order: Order | None = None, call: str = "next") -> Any:
        """Resume seq, with *order*, and wait for a value; StopIteration at the end."""
        if left:
            sweep(known_thread())
        value: Any = self.take_quickly() if self.values else NOTHING
        if value is not NOTHING:
            return value
        errors: list[BaseException] = []
        if not self.done():
            waiter = Waiter()
            try:
                self.claim(waiter, call)
                value = self.ask(waiter, order)
                if value is NOTHING:
                    errors.append(self.finish(told=False))
            except (PullError, RecursionError, MemoryError):
                raise  # as it was
            except BaseException:
                self.abandon(waiter)
                raise
            finally:
                # No call, in which a handler could raise.
                if TURN in self.caller and self.caller[TURN] is waiter:
                    del self.caller[TURN]
        elif self.orphan_text:
            errors.append(WrongThreadError(self.orphan_text))
        if value is not NOTHING:
            return value
        raise_as_left(errors or [StopIteration()])

    def claim(self, waiter: Any, call: str) -> None:
        """Make *waiter* the call that is under way, or refuse it."""
        thread = None if self.ended else self.thread
        own = thread is not None and thread.ident == threading.get_ident()
        if own or self.caller.setdefault(TURN, waiter) is not waiter:
            raise self.refusal(call)

    def ask(self, waiter: Any, order: Order | None) -> Any:
        """Let seq go on, with *order*, and return a value; NOTHING at the end."""
        self.consumer = this_thread()
        is_first = self.thread is None
        if not is_first:
            self.let_go_on(order)
        elif not self.ended:
            self.start()
        while True:
            ended = self.ended  # look first: what came before the end is there then
            try:
                return self.take()
            except IndexError:
                if ended:
                    error = self.silent_nothing() if is_first and not self.errors else None
                    if error is not None:
                        self.errors.append(error)
                    return NOTHING
            waiter.wait()

    def start(self) -> None:
        """Start the thread; seq runs in a copy of the caller's context."""
        run = copy_context().run
        thread = threading.Thread(None, run, f"pullit {self.label}", (self.run,), daemon=True)
        self.thread = thread
        live[self] = None
        try:
            thread.start()
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
                " asked for; call next first"
            )

    def take(self) -> Any:
        """Return a value; IndexError if there is none."""
        value = self.waiting[0].value
        self.taken = True
        return value

    def take_quickly(self) -> Any:
        """Return a value that has run ahead, if that needs no waiting, or NOTHING."""
        return NOTHING  # pragma: no cover  none has here

    def abandon(self, waiter: Any) -> None:
        """Tell seq to stop, without waiting; nothing if another call has *waiter*'s turn."""
        if TURN not in self.caller or self.caller[TURN] is waiter:
            self.told_to_stop = True
            self.caller.pop(TURN, None)
            self.order_stop()
            if self.ended and self.thread is not None:
                self.report()

    def stop(self, call: str = "stop", join: bool = True) -> Any:
        """Make seq return, and return what it did; None if it had ended before."""
        if left:
            sweep(known_thread())
        if self.over() or (self.told_to_stop and TURN in self.caller):
            return None
        waiter = Waiter()
        try:
            self.claim(waiter, call)
            self.told_to_stop = True
            if self.thread is None:
                self.ended = True  # seq is never called
                self.let_go()
            self.order_stop()
            while not self.ended:
                waiter.wait()
            errors = [self.finish(told=True, join=join)]
        except BaseException:
            if self.told_to_stop:
                self.abandon(waiter)
            raise
        finally:
            if TURN in self.caller and self.caller[TURN] is waiter:
                del self.caller[TURN]
        if not is_a(errors[0], StopIteration):
            raise_as_left(errors)
        return self.result if self.returned() else None

    def finish(self, told: bool, join: bool = True) -> BaseException:
        """Let go of seq, which has ended; return what tells the consumer, once."""
        if self.over():
            return StopIteration()
        self.told_to_stop = True
        self.open_gates()  # of calls that come after the end
        thread = self.thread
        if thread is not None and join:
            thread.join()  # it has nothing left to do: no thread outlives its pull
        error = trim(self.outcome(self.take_error(), told))
        self.let_go()
        return error

    def over(self) -> bool:
        return self.ended and self.thread is None

    def done(self) -> bool:
        return self.told_to_stop or self.over()

    def shown_state(self) -> str:
        if self.over():
            return "finished"
        if self.told_to_stop or TURN in self.caller:
            return "running"
        return "unstarted" if self.thread is None else "suspended"

    def drop(self) -> None:
        """Stop, because nobody holds what would ask for more.

        If seq waits in ``yield_``, it is stopped there and then. If it runs, it is told to
        stop, and nobody waits: this may be its thread, or another that it waits for.
        """
        if self.over() or self.is_finalizing():
            return
        if self.thread is None or self.ended or (self.seq_waits() and not self.told_to_stop):
            # A collection may have come amid the work of threading: do not join.
            self.stop("close", join=False)
        elif not self.told_to_stop:
            self.abandon(None)

    def drop_at_exit(self) -> None:
        """Stop seq if it waits; otherwise tell it to."""
        if self.ended or self.waiting:
            self.stop("close")
        else:
            self.abandon(None)

    def orphan(self, why: str) -> None:
        """Refuse forever: seq's thread is no more."""
        if not self.over():
            self.told_to_stop = self.ended = True
            self.let_go()
            self.orphan_text = self.orphaned(why)


# The functions of atexit run when the threads of pools have been waited for, which may wait
# in a yield_. These run before that, newest first: so before the one that waits for pools.
try:
    import concurrent.futures.thread  # noqa: F401

    threading._register_atexit(stop_all)  # type: ignore[attr-defined]
except (AttributeError, RuntimeError):  # pragma: no cover  there is none, or it is too late
    pass
