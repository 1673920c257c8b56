"""Parked coroutines, kept to be used again, as Go keeps its dead goroutines.

A *coroutine* here is a greenlet: usually one that pullit has made, which runs producers.
(A *coro*, in `_coro`, is the place where a coroutine waits.) When its producer has ended,
a coroutine is *parked*: it waits until it gets another producer to run.

Making a greenlet costs 8 to 16 µs, nearly all of it for the memory of its stack. Using a
parked one again costs 2 to 3. A parked coroutine belongs to one thread and holds nothing
of what it has run. greenlet kills it when its list is dropped.
"""

from __future__ import annotations

import sys
from _weakref import getweakrefcount
from functools import cache
from typing import Any

from greenlet import getcurrent, greenlet

getrefcount: Any = getattr(sys, "getrefcount", None)  # PyPy has none

# How many coroutines a thread keeps parked. Without getrefcount `take` cannot tell whether
# somebody else refers to one, so there none is kept.
MOST_PARKED = 64 if getrefcount else 0

# A coroutine counts its recursion depth on top of the depth where it was first started. If
# that was this depth or more, it is not parked, since its next producer would have less
# depth left. The limit is lower on 3.11, where calls from C count as well.
SHALLOW = 100 if sys.version_info >= (3, 12) else 50

# What a parked coroutine switches back with, instead of running the producer, if its C stack
# overlaps too much with its consumer's: see `overlap`.
UNFIT = object()


class FreeList:
    """The parked coroutines of one thread."""

    __slots__ = ("main", "overlap", "parked", "relay")

    def __init__(self) -> None:
        self.parked: list[Any] = []
        # A coroutine's C stack always begins at the same address. If a consumer is deeper on
        # the C stack, the two overlap, and each switch copies what the consumer has there.
        # This many bytes may be copied: enough for a call from C (900 bytes on 3.11, 1,500
        # on 3.14), but not for a sort's (5,000).
        self.overlap = bytes_of_a_call() * 8 // 5 if MOST_PARKED else 0
        self.main: Any = getcurrent()
        while self.main.parent is not None:
            self.main = self.main.parent
        # A dead greenlet: whoever switches to it switches to its parent. A parked coroutine
        # wakes its consumer in this way, and waits in that switch. If it switched to the
        # consumer directly, its frame would keep that greenlet alive.
        self.relay: Any = greenlet(bool)  # any function will do: it is never called
        self.relay.throw()  # kills it before it has started

    def take(self) -> Any:
        """Return a parked coroutine to which nobody else refers; None if there is none.

        Somebody who has a reference could switch to it, or may have killed it.
        """
        while self.parked:
            coroutine = self.parked.pop()
            shared = getrefcount(coroutine) != UNSHARED or getweakrefcount(coroutine)
            if not (shared or coroutine.dead):
                if coroutine.__dict__:
                    coroutine.__dict__.clear()  # attributes that somebody has set
                return coroutine
        return None

    def park(self, consumer: Any) -> bool:
        """Have the running coroutine wake *consumer* when it next switches to `relay`.

        Return False if enough are parked already: then it wakes *consumer* by returning.
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
    """Return what getrefcount says in `take` of a coroutine that only its variable refers to."""
    thing = object()
    count: int = getrefcount(thing)
    return count


UNSHARED = references() if MOST_PARKED else 0  # 1 or 2: it depends on the version of Python


@cache
def bytes_of_a_call() -> int:
    """Return how many bytes of the C stack a call from C takes, as greenlet counts them."""
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
