"""The end of pulls that nobody has ended: of dropped ones, of a thread's, and at exit."""

from __future__ import annotations

import atexit
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

import greenlet

from pullit._coro import Free, at_thread_end, threads
from pullit._guard import OrderError
from pullit._native import get_ident
from pullit._seq import thread_name

if TYPE_CHECKING:
    from pullit._puller import Puller

# The pulls that are started and not over, oldest first, by their coroutine. They are
# kept here without the handles that their users hold, so that a dropped handle still
# stops its pull.
live: dict[Any, Puller] = {}

# Those that nobody can ask any more, and that only their own thread can stop.
left: list[Puller] = []


def drop(p: Puller) -> None:
    """Stop *p*, because nobody can ask for its values any more."""
    if sys.is_finalizing():
        return  # no other thread will ever run: to wait for one would be to hang
    try:
        stop(p)
    except OrderError as e:
        e.later.dropped.append(p)  # it is stopped as soon as that is safe
    except BaseException:
        if not p.ended:
            leave(p)  # a signal's exception came before seq was told
        raise


def stop(p: Puller) -> None:
    """Stop *p*, or leave it to its thread."""
    if p.root is None:
        p.stop()
    elif p.root not in live or p.state() == "running":
        return
    elif p.is_elsewhere():
        leave(p)
        warnings.warn(
            f"{p.name}: the iterator over {p.label} was dropped in"
            f" {thread_name(get_ident())}, but was started in {thread_name(p.thread)}, which"
            " stops it when it next calls pullit, or ends; close it there",
            ResourceWarning,
            stacklevel=5,
        )
    else:
        p.stop()


def leave(p: Puller) -> None:
    """Have *p* stopped when its thread next calls pullit, whatever it calls."""
    left.append(p)
    for other in list(live.values()):
        if other is not p and (other.thread == p.thread or other.engine is not greenlet):
            other.expect()


def sweep() -> None:
    """Stop what was left to this thread."""
    for p in left[:]:  # which may be swept meanwhile: to stop one may run anything
        if p in left and (p.engine is not greenlet or p.thread == get_ident()):
            left.remove(p)
            Dropped(p)


class Dropped:
    """Stops *p* when it is dropped itself, which it is at once.

    An error of that is one that nobody can be given: Python passes it to
    `sys.unraisablehook`.
    """

    __slots__ = ("p",)

    def __init__(self, p: Puller) -> None:
        self.p = p

    def __del__(self) -> None:
        drop(self.p)


def stop_thread(free: Free) -> None:
    """Stop the pulls of a thread that ends, newest first."""
    for p in reversed(list(live.values())):
        # In another thread this is a forked child, which has not that one; see fork.
        if p.free is free and p.thread == get_ident():
            Dropped(p)
            if p.ended:
                p.orphan(
                    "the thread that it was started in has ended; use it there, or pass"
                    ' engine="thread"'
                )


at_thread_end.append(stop_thread)


def fork() -> None:
    """End, in a child process, the pulls whose threads it has not."""
    for p in list(live.values()):
        if p.engine is not greenlet or p.thread != get_ident():
            p.forget()
            p.orphan("a fork does not copy the thread that it runs in; start another one")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=fork)


def look_again(coroutine: Any) -> None:
    """Have every pull that *coroutine* may yield to look at its next `yield_`."""
    ancestor, found = coroutine, False
    while ancestor is not None:
        if ancestor in live:
            live[ancestor].look()
            found = True
        ancestor = ancestor.parent
    if not found:  # a hub's greenlet, say; it may be any one's helper
        for p in list(live.values()):
            p.look()


def stop_all() -> None:
    """Stop what is suspended when the interpreter exits, newest first.

    Later there are neither greenlets nor threads to run it on: what a dropped
    handle would then wait for never comes.
    """
    for p in reversed(list(live.values())):
        if p.engine is not greenlet or p.thread == get_ident():
            Dropped(p)
    threads.free.parked.clear()


atexit.register(stop_all)
