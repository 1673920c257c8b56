"""Parked coroutines, kept to be used again, as Go keeps its dead goroutines.

To make a greenlet costs 8 to 16 µs, nearly all of it for the memory of its stack; to
use a parked one again costs 2 to 3. A parked coroutine belongs to one thread, holds
nothing of what it has run, and is killed by greenlet when its list is dropped.
"""

from __future__ import annotations

import sys
from _weakref import getweakrefcount
from functools import cache
from typing import Any

from greenlet import getcurrent, greenlet

getrefcount: Any = getattr(sys, "getrefcount", None)  # PyPy has none

# How many coroutines a thread keeps parked. None where nobody can tell whether one is known.
MOST_PARKED = 64 if getrefcount else 0

# A greenlet keeps the recursion depth of its first start. One that was started deeper
# than this is not parked, since its next user may go deep. 3.11 counts calls from C, too.
SHALLOW = 100 if sys.version_info >= (3, 12) else 50

# What a parked coroutine switches back with if it lies too shallow for who starts it.
UNFIT = object()


class FreeList:
    """The parked coroutines of one thread."""

    __slots__ = ("main", "overlap", "parked", "relay")

    def __init__(self) -> None:
        self.parked: list[Any] = []
        # The C stack of a parked coroutine stays where it is, too, and each switch copies
        # what a deeper consumer has there. That may be one call from C, but not a sort's:
        # a call takes 900 bytes on 3.11 and 1,500 on 3.14, and a sort 5,000.
        self.overlap = bytes_of_a_call() * 8 // 5 if MOST_PARKED else 0
        self.main: Any = getcurrent()
        while self.main.parent is not None:
            self.main = self.main.parent
        # A dead greenlet: a switch to it goes to its parent. A parked coroutine waits in
        # such a switch, because a direct one would keep who was switched to alive.
        self.relay: Any = greenlet(bool)
        self.relay.throw()

    def take(self) -> Any:
        """Return a parked coroutine that nobody else knows; None if there is none.

        Who knows it might switch to it. It is dead if somebody has killed it.
        """
        while self.parked:
            coroutine = self.parked.pop()
            known = getrefcount(coroutine) != UNKNOWN or getweakrefcount(coroutine)
            if not (known or coroutine.dead):
                if coroutine.__dict__:
                    coroutine.__dict__.clear()  # attributes that somebody has set
                return coroutine
        return None

    def park(self, consumer: Any) -> bool:
        """Have the running coroutine wake *consumer* when it next switches to `relay`.

        False if enough are parked already: then it wakes *consumer* when it returns.
        """
        running = getcurrent()
        running.gr_context = None  # a parked coroutine keeps nothing
        if len(self.parked) >= MOST_PARKED:
            running.parent = consumer
            return False
        self.relay.parent, running.parent = consumer, self.relay
        self.parked.append(running)
        return True


def references() -> int:
    """Count the references to what only a variable refers to, as `take` does."""
    thing = object()
    count: int = getrefcount(thing)
    return count


UNKNOWN = references() if MOST_PARKED else 0  # it depends on the version of Python


@cache
def bytes_of_a_call() -> int:
    """Return how much of the C stack a call from C takes, as greenlet counts it."""
    consumer: Any = getcurrent()
    taken = 0

    def look() -> None:
        nonlocal taken
        consumer.switch()
        taken = consumer._stack_saved

    coroutine = greenlet(look)
    coroutine.switch()
    max([0], key=lambda _: coroutine.switch() or 0)  # called from C, so deeper than before
    return taken
