"""Calls that wait in their threads: the consumer's, and the producer's."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from pullit._pull import Order


class Waiter:
    """A call of the consumer, which waits in its thread until another thread wakes it."""

    __slots__ = ("wait", "waits", "wake")

    def __init__(self) -> None:
        lock = threading.Lock()
        lock.acquire()
        # Functions in C, not methods in Python: where there was room to add a value, there is
        # room to call them. `waits` returns true until somebody has called `wake`.
        self.waits: Callable[[], bool] = lock.locked
        steps = partial(wait_in_steps, lock) if sys.platform == "win32" else None
        self.wait: Callable[[], object] = steps or lock.acquire
        self.wake: Callable[[], object] = lock.release


def wait_in_steps(lock: threading.Lock) -> None:
    """Acquire *lock* in steps, between which Python can handle signals.

    On Windows, Ctrl-C does not interrupt a wait for a lock.
    """
    while not lock.acquire(timeout=0.1):
        pass


class Quick:
    """A call of the consumer that takes what is there, and never waits."""

    __slots__ = ()

    waits: Callable[[], bool] = bool  # bool() is False


class Unwaited(threading.Event):
    """In the place of a Thread's private `_started`, an Event: ``start`` does not wait for it.

    ``Thread.start`` waits until the thread has set that event, which can take milliseconds
    where other threads want to run. That is too long for an event loop. And if a signal
    handler raised during that wait, we would not know whether the thread runs.
    """

    def wait(self, timeout: float | None = None) -> bool:
        return True


def start_unwaited(thread: threading.Thread) -> None:
    thread._started = Unwaited()  # type: ignore[attr-defined]
    thread.start()


def join(thread: threading.Thread, seconds: float) -> None:
    """Wait for the end of *thread*. Thread.join refuses to, if it has yet to start."""
    end = time.monotonic() + seconds
    if threading.Event.wait(thread._started, max(0, seconds)):  # type: ignore[attr-defined]
        thread.join(max(0, end - time.monotonic()))


class WaitingYield:
    """A call of ``yield_`` that waits for its turn, or for room for its value."""

    __slots__ = ("gate", "ident", "order", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.ident = threading.get_ident()  # of the thread that waits
        self.order: Order | None = None  # None: next resumes it
        self.gate = threading.Lock()
        self.gate.acquire()

    def open(self, order: Order | None) -> None:
        """Resume the call, with *order*. It is harmless if it was resumed already."""
        self.order = order
        try:
            self.gate.release()
        except RecursionError:  # pragma: no cover  no room
            raise
        except RuntimeError:
            pass  # it is open already


def snapshot(calls: deque[WaitingYield]) -> list[WaitingYield]:
    """Return a copy of *calls*."""
    while True:
        try:
            return list(calls)
        except RecursionError:  # pragma: no cover  no room
            raise
        except RuntimeError:
            pass  # without the GIL, another thread may have changed it meanwhile
