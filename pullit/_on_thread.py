"""A pull on a thread of its own, whose consumer waits in a thread, too."""

from __future__ import annotations

import threading
from typing import Any

from pullit._channel import TURN
from pullit._consumer import END, ConsumerSide
from pullit._errors import PullError, WrongThreadError, is_a, raise_as_left
from pullit._lifetimes import left, stop_all, sweep
from pullit._per_thread import known_thread
from pullit._pull import Order
from pullit._threads import this_thread
from pullit._types import NOTHING
from pullit._waiting import Waiter


class ThreadPull(ConsumerSide):
    """One pull of *seq* in lockstep, whose consumer waits in a thread."""

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
                if value is END:
                    errors.append(self.finish(told=False))
            except (PullError, RecursionError, MemoryError):
                raise  # the pull stays as it was
            except BaseException:
                self.abandon(waiter)
                raise
            finally:
                # Not by a call: a signal handler could raise in it. And not after `in`: another
                # call's turn may end between the two.
                try:
                    if self.caller[TURN] is waiter:
                        del self.caller[TURN]
                except KeyError:
                    pass
        elif self.orphan_text:
            errors.append(WrongThreadError(self.orphan_text))
        if value is not NOTHING and value is not END:
            return value
        raise_as_left(errors or [StopIteration()])

    def ask(self, waiter: Waiter, order: Order | None) -> Any:
        """Let seq go on, with *order*, and return a value; END if there is none."""
        self.consumer = this_thread()
        self.set_off(order)
        while (value := self.look()) is NOTHING:
            waiter.wait()
        return value

    def stop(self, call: str = "stop", join: bool = True) -> Any:
        """Make seq return, and return its result; None if it had ended before."""
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
            try:  # see next
                if self.caller[TURN] is waiter:
                    del self.caller[TURN]
            except KeyError:
                pass
        if not is_a(errors[0], StopIteration):
            raise_as_left(errors)
        return self.result if self.returned() else None

    def drop(self) -> None:
        """Stop, because the handle was dropped.

        If seq waits in ``yield_``, stop it and wait for its end. If it runs, only tell it to
        stop: this may be its own thread, or one that it waits for.
        """
        if self.over() or self.is_finalizing():
            return
        if self.thread is None or self.ended or (self.seq_waits() and not self.told_to_stop):
            # Do not join: a collection may have called this while threading holds a lock.
            self.stop("close", join=False)
        elif not self.told_to_stop:
            self.abandon(None)

    def drop_at_exit(self) -> None:
        """Stop seq if it waits; otherwise tell it to."""
        if self.ended or self.waiting:
            self.stop("close")
        else:
            self.abandon(None)


# At exit, Python calls the functions of _register_atexit, last in first out, and then those of
# atexit. concurrent.futures has registered one that waits for the threads of its pools, which
# may wait in a yield_. So stop_all must run before it. That is why the import comes first.
try:
    import concurrent.futures.thread  # noqa: F401

    threading._register_atexit(stop_all)  # type: ignore[attr-defined]
except (AttributeError, RuntimeError):  # pragma: no cover  there is none, or it is too late
    pass
