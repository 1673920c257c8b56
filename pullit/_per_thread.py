"""What pullit keeps for each thread that pulls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from greenlet import getcurrent

from pullit._free_list import FreeList
from pullit._threads import RLock, get_ident, local


class PerThread:
    """What belongs to one thread. Other threads use only what is marked so."""

    __slots__ = ("calls", "dropped", "free_list", "guards", "ident", "lock", "starting", "sweeping")

    def __init__(self) -> None:
        self.ident = get_ident()  # 0 when the thread has ended
        self.free_list: FreeList | None = None  # until a greenlet is wanted
        self.guards: list[Any] = []  # the APIs that run, see _guard
        self.calls: dict[Any, Any] = {}  # their callbacks that wait, by coroutine
        # Pulls that another thread has dropped, for this one to stop. Others append.
        self.dropped: list[Any] = []
        self.sweeping = False
        # What the coroutine that is switched to next is to run. Not an argument of that
        # switch: greenlet keeps those of the first one for as long as the coroutine lives.
        self.starting: Any = None
        # Held by the thread as long as it lives, so that C can tell which thread runs.
        self.lock: Any = RLock()
        self.lock.acquire()

    def is_here(self) -> bool:
        """Tell whether this thread is running."""
        return self.ident == get_ident()

    def coroutine(self) -> Any:
        """Return the running coroutine; None if it is the thread's main one.

        A main greenlet that is kept when its thread ends can crash greenlet, and where
        no greenlet was ever wanted, none is made to ask.
        """
        if self.free_list is None:
            return None
        running = getcurrent()
        return running if running.parent is not None else None


class ThreadEnd:
    """Goes with the locals of a thread: what it holds ends with the thread."""

    __slots__ = ("home",)

    def __init__(self) -> None:
        self.home = PerThread()

    def __del__(self) -> None:
        try:
            home = self.home
        except AttributeError:  # pragma: no cover  half made, for want of room
            return
        for do in at_thread_end or ():  # None when the interpreter ends
            do(home)
        if home.free_list is not None:
            home.free_list.parked.clear()  # greenlet kills them
        home.free_list = None
        home.ident = 0


# What is done, in the thread, when it ends.
at_thread_end: list[Callable[[PerThread], object]] = []

threads = local()


def per_thread() -> PerThread:
    """Return the running thread's."""
    try:
        end: ThreadEnd = threads.end
    except AttributeError:
        # Without a lock, which a fork could copy. A collection meanwhile may ask, too.
        end = threads.__dict__.setdefault("end", ThreadEnd())
    return end.home


def end_thread() -> None:
    """End what pullit has in the running thread, which is about to end itself."""
    threads.__dict__.pop("end", None)


def known_thread() -> PerThread | None:
    """Return the running thread's, if there is one."""
    end: ThreadEnd | None = getattr(threads, "end", None)
    return end.home if end is not None else None
