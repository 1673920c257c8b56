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
    """A call of the consumer, which waits in its thread."""

    __slots__ = ("wait", "waits", "wake")

    def __init__(self) -> None:
        lock = threading.Lock()
        lock.acquire()
        # Calls of C: there is room for them where there was room to add a value.
        self.waits: Callable[[], bool] = lock.locked
        self.wait: Callable[[], object] = lock.acquire
        if sys.platform == "win32":
            self.wait = partial(wait_in_steps, lock)
        self.wake: Callable[[], object] = lock.release


def wait_in_steps(lock: threading.Lock) -> None:
    """Acquire *lock*; between the steps Python looks for signals.

    On Windows Ctrl-C interrupts no wait for a lock.
    """
    while not lock.acquire(timeout=0.1):
        pass


class Quick:
    """A call of the consumer that does not wait."""

    __slots__ = ()

    waits: Callable[[], bool] = bool  # which is false


class Unwaited(threading.Event):
    """What a thread sets when it has started: nobody waits for it.

    ``Thread.start`` would, for milliseconds where other threads want to run: too long for
    an event loop, and a handler that raises meanwhile would leave the thread half known.
    """

    def wait(self, timeout: float | None = None) -> bool:
        return True


def start_unwaited(thread: threading.Thread) -> None:
    thread._started = Unwaited()  # type: ignore[attr-defined]
    thread.start()


def join(thread: threading.Thread, seconds: float) -> None:
    """Wait for the end of *thread*, which may have yet to start: its own join refuses that."""
    end = time.monotonic() + seconds
    if threading.Event.wait(thread._started, max(0, seconds)):  # type: ignore[attr-defined]
        thread.join(max(0, end - time.monotonic()))


class WaitingYield:
    """A call of ``yield_`` that waits for its turn, or for room."""

    __slots__ = ("gate", "ident", "order", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.ident = threading.get_ident()  # of the thread that waits
        self.order: Order | None = None  # None: next resumes it
        self.gate = threading.Lock()
        self.gate.acquire()

    def open(self, order: Order | None) -> None:
        """Resume it. Harmless if it is open already."""
        self.order = order
        try:
            self.gate.release()
        except RecursionError:  # pragma: no cover  no room
            raise
        except RuntimeError:
            pass  # it is open already


def snapshot(calls: deque[WaitingYield]) -> list[WaitingYield]:
    while True:
        try:
            return list(calls)
        except RecursionError:  # pragma: no cover  no room
            raise
        except RuntimeError:
            pass  # without the GIL, another thread may have changed it meanwhile
