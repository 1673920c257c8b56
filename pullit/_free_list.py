"""Parked coroutines, kept to be used again, as Go keeps its dead goroutines.

To make a greenlet costs 8 to 16 µs, nearly all of it for the memory of its stack; to
use a parked one again costs 2 to 3. A parked coroutine belongs to one thread, holds
nothing of what it has run, and is killed by greenlet when its list is dropped.
"""

from __future__ import annotations

import sys
from _weakref import getweakrefcount
from sys import getrefcount
from typing import Any

from greenlet import getcurrent, greenlet

# How many coroutines a thread keeps parked.
MOST_PARKED = 64

# A greenlet keeps the recursion depth of its first start. One that was started deeper
# than this is not parked, since its next user may go deep. 3.11 counts calls from C, too.
SHALLOW = 100 if sys.version_info >= (3, 12) else 50

# Its C stack stays there, too, and each switch copies what a deeper consumer has there:
# no more bytes than this. A call from C takes 500 to 5,000.
OVERLAP = 1500

# What a parked coroutine switches back with if it lies too shallow for who starts it.
UNFIT = object()


class FreeList:
    """The parked coroutines of one thread."""

    __slots__ = ("main", "parked", "relay")

    def __init__(self) -> None:
        self.parked: list[Any] = []
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
    return getrefcount(thing)


UNKNOWN = references()  # it depends on the version of Python
