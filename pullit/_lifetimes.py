"""The end of pulls that nobody has closed: when dropped, when their thread ends, at exit."""

from __future__ import annotations

import atexit
import os
from typing import Any

from pullit._handles import StopsWhenDropped
from pullit._per_thread import PerThread, at_thread_end, per_thread
from pullit._pull import EnginePull

# The pulls under way, oldest first, each with the PerThread of its thread, or None on the
# thread engine. The entry is also what makes that thread the owner of the pull. It refers to
# the pull, not to the handle that users hold, so that the handle can still be dropped.
# To walk it, copy it: that is one step, while making a list of its items may run finalizers.
live: dict[Any, PerThread | None] = {}


class Dropped(StopsWhenDropped):
    """Stops a pull: ``Dropped(pull)`` is made, dropped at once, and its __del__ stops *pull*.

    An error in __del__ goes to `sys.unraisablehook`, and not to us.
    """

    __slots__ = ("_pull",)

    def __init__(self, pull: EnginePull) -> None:
        self._pull = pull


# The owners of the pulls that other threads have dropped, and left to them to stop: an entry
# for each pull. While it is empty, as nearly always, no thread has to look at its `dropped`.
left: list[PerThread] = []


class DroppedAtExit(Dropped):
    """A Dropped for when the interpreter is about to end."""

    __slots__ = ()

    def __del__(self) -> None:
        self._pull.drop_at_exit()


def leave_to_owner(pull: Any, home: PerThread) -> None:
    """Have *pull* stopped by its own thread, when that next calls pullit, or ends."""
    left.append(home)  # before the pull: whoever takes the pull removes this, too
    home.dropped.append(pull)
    # Look at the list only now: the owner may have taken an earlier pull meanwhile. If there
    # is an earlier one, the thread that left it has told the owner already.
    if pull in home.dropped[:1]:
        for other, owner in live.copy().items():
            if owner is home:
                other.regular = None  # its next takes the slow way, and looks at `dropped`
    if home.ident == 0:  # the thread has ended meanwhile, and has stopped its pulls
        forget_dropped(home)


def forget_dropped(home: PerThread) -> None:
    """Empty the list of a thread that has ended."""
    while True:
        try:
            home.dropped.pop()
        except IndexError:
            return
        left.remove(home)


def sweep(home: PerThread | None) -> None:
    """Stop the pulls that were left to this thread, unless it is doing that already."""
    if home is None or not home.dropped or home.sweeping:
        return
    home.sweeping = True
    failed = []
    try:
        while home.dropped:
            pull = home.dropped.pop()
            left.remove(home)
            Dropped(pull)
            if not pull.over():  # it failed, for want of room perhaps: try again later
                failed.append(pull)  # pragma: no cover
    finally:
        home.dropped.extend(failed)
        left.extend([home] * len(failed))
        home.sweeping = False


def stop_thread(home: PerThread) -> None:
    """Stop the pulls of a thread that ends, newest first."""
    if not home.is_here():
        return  # in a forked child, where the thread does not exist: see after_fork
    for pull, owner in reversed(live.copy().items()):
        if owner is not home:
            continue
        Dropped(pull)
        pull.orphan(
            'the thread that it was started in has ended; use it there, or pass engine="thread"'
        )
    home.ident = 0  # first: leave_to_owner appends, and looks at this afterwards
    forget_dropped(home)


at_thread_end.append(stop_thread)


def after_fork() -> None:
    """In the child process, end the pulls whose threads do not exist there."""
    for pull, home in live.copy().items():
        if home is None or not home.is_here():
            pull.orphan("a fork does not copy the thread that it runs in; start another one")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=after_fork)


def stop_all() -> None:
    """Stop the pulls under way, newest first. Dropping one after the exit would hang."""
    for pull, home in reversed(live.copy().items()):
        if home is None or home.is_here():
            DroppedAtExit(pull)
    free_list = per_thread().free_list
    if free_list is not None:
        free_list.parked.clear()


atexit.register(stop_all)
