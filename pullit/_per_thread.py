"""What pullit keeps for each thread that pulls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from greenlet import getcurrent

from pullit._free_list import FreeList
from pullit._threads import RLock, get_ident, local


class PerThread:
    """What belongs to one thread, its *home* in other modules.

    Other threads change none of it but `dropped`.
    """

    __slots__ = ("calls", "dropped", "free_list", "guards", "ident", "lock", "starting", "sweeping")

    def __init__(self) -> None:
        self.ident = get_ident()  # 0 when the thread has ended
        self.free_list: FreeList | None = None  # until a greenlet is wanted
        self.guards: list[Any] = []  # the Guards of the APIs that run, see _guard
        self.calls: dict[Any, Any] = {}  # coroutine: the WaitingCallback in which it waits
        # Pulls that other threads have dropped, and appended here for this thread to stop.
        self.dropped: list[Any] = []
        self.sweeping = False  # this thread is stopping them: see `_lifetimes`
        # The coro that the coroutine that is switched to next is to run. Not an argument of
        # that switch: greenlet keeps the arguments of a coroutine's first switch alive as
        # long as the coroutine.
        self.starting: Any = None
        # This thread holds it as long as it lives. So its _is_owned, a function in C, tells
        # whether this thread is running: see `_read_ahead`.
        self.lock: Any = RLock()
        self.lock.acquire()

    def is_here(self) -> bool:
        """Return whether the running thread is this one."""
        return self.ident == get_ident()

    def coroutine(self) -> Any:
        """Return the running coroutine; None if it is the thread's main one.

        None for the main one, since greenlet can crash if a reference to it outlives its
        thread. And getcurrent would create it, so ask only where there are greenlets.
        """
        if self.free_list is None:
            return None
        running = getcurrent()
        return running if running.parent is not None else None


class ThreadEnd:
    """Is kept in a thread-local, so that `__del__` runs in a thread when that thread ends."""

    __slots__ = ("home",)

    def __init__(self) -> None:
        self.home = PerThread()

    def __del__(self) -> None:
        try:
            home = self.home
        except AttributeError:  # pragma: no cover  no room: PerThread() failed
            return
        for do in at_thread_end or ():  # None when the interpreter ends
            do(home)
        if home.free_list is not None:
            home.free_list.parked.clear()  # greenlet kills them
        home.free_list = None
        home.ident = 0


# The functions that a thread calls when it ends.
at_thread_end: list[Callable[[PerThread], object]] = []

threads = local()  # its `end` is the running thread's ThreadEnd


def per_thread() -> PerThread:
    """Return the running thread's PerThread, and create it at the first call."""
    try:
        end: ThreadEnd = threads.end
    except AttributeError:
        # setdefault, since a collection may come in between and call this function. Not a
        # lock: a fork could copy it while it is held.
        end = threads.__dict__.setdefault("end", ThreadEnd())
    return end.home


def end_thread() -> None:
    """Do now what is done when the running thread ends, which it is about to do."""
    threads.__dict__.pop("end", None)


def known_thread() -> PerThread | None:
    """Return the running thread's PerThread; None if it has none yet."""
    end: ThreadEnd | None = getattr(threads, "end", None)
    return end.home if end is not None else None
