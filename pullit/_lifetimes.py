"""The end of pulls that nobody has ended: dropped ones, a thread's, and those at exit."""

from __future__ import annotations

import atexit
import os
from typing import Any

from pullit._handles import StopsWhenDropped
from pullit._per_thread import PerThread, at_thread_end, per_thread
from pullit._pull import EnginePull

# The pulls under way, oldest first, each with its thread; None on the thread engine. An
# entry claims the pull for its thread. Only pulls are here, not handles, so that a handle
# can still be dropped.
live: dict[Any, PerThread | None] = {}


class Dropped(StopsWhenDropped):
    """Stops a pull when it is dropped, so that `sys.unraisablehook` gets the error."""

    __slots__ = ("_pull",)

    def __init__(self, pull: EnginePull) -> None:
        self._pull = pull


# Threads that have pulls to stop which others have dropped, one entry for each pull.
left: list[PerThread] = []


class DroppedAtExit(Dropped):
    """The same, when the interpreter is about to end."""

    __slots__ = ()

    def __del__(self) -> None:
        self._pull.drop_at_exit()


def leave_to_owner(pull: Any, home: PerThread) -> None:
    """Have *pull* stopped by its own thread, when that next calls pullit, or ends."""
    left.append(home)  # before the pull: who finds that takes this away
    home.dropped.append(pull)
    # Look afterwards: the owner may have taken an earlier one away meanwhile.
    if pull in home.dropped[:1]:  # otherwise the owner has been told
        for other, owner in list(live.items()):
            if owner is home:
                other.regular = None  # its next takes the slow way, and looks
    if home.ident == 0:  # it has ended meanwhile, and so its pulls have
        forget_dropped(home)


def forget_dropped(home: PerThread) -> None:
    """Have nothing left to a thread that has ended."""
    while True:
        try:
            home.dropped.pop()
        except IndexError:
            return
        left.remove(home)


def sweep(home: PerThread | None) -> None:
    """Stop what was left to this thread. What a stop calls does not sweep again."""
    if home is None or not home.dropped or home.sweeping:
        return
    home.sweeping = True
    failed = []
    try:
        while home.dropped:
            pull = home.dropped.pop()
            left.remove(home)
            Dropped(pull)  # made and dropped at once: its __del__ stops the pull
            if not pull.over():  # no room for a call here, say: try again later
                failed.append(pull)  # pragma: no cover
    finally:
        home.dropped.extend(failed)
        left.extend([home] * len(failed))
        home.sweeping = False


def stop_thread(home: PerThread) -> None:
    """Stop the pulls of a thread that ends, newest first."""
    if not home.is_here():
        return  # a forked child: see fork
    for pull, owner in reversed(list(live.items())):
        if owner is not home:
            continue
        Dropped(pull)
        pull.orphan(
            'the thread that it was started in has ended; use it there, or pass engine="thread"'
        )
    home.ident = 0  # first: who leaves something to it looks afterwards
    forget_dropped(home)


at_thread_end.append(stop_thread)


def fork() -> None:
    """End the pulls whose threads do not exist in the child process."""
    for pull, home in list(live.items()):
        if home is None or not home.is_here():
            pull.orphan("a fork does not copy the thread that it runs in; start another one")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=fork)


def stop_all() -> None:
    """Stop what is suspended, newest first: after exit, dropping it would hang."""
    for pull, home in reversed(list(live.items())):
        if home is None or home.is_here():
            DroppedAtExit(pull)
    free_list = per_thread().free_list
    if free_list is not None:
        free_list.parked.clear()


atexit.register(stop_all)
