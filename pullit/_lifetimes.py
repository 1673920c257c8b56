"""The end of pulls that nobody has ended: dropped ones, a thread's, and those at exit."""

from __future__ import annotations

import atexit
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

from pullit._coro import Free, at_thread_end, own
from pullit._guard import OrderError
from pullit._seq import thread_name
from pullit._threads import get_ident

if TYPE_CHECKING:
    from pullit._puller import Puller

# The pulls under way, oldest first, by coroutine; not their handles, which can be dropped.
live: dict[Any, Puller] = {}

# Dropped ones that only their own thread can stop.
left: list[Puller] = []


def drop(p: Puller) -> None:
    """Stop *p*, or leave it to its thread."""
    if p.ended:
        return
    try:
        if sys.is_finalizing():
            return  # no other thread will run: to wait for one is to hang
        if p.root is None:
            p.stop()
        elif p.root not in live or p.state() == "running":
            return
        elif p.is_elsewhere():
            leave(p)
            warnings.warn(
                f"{p.name}: the iterator over {p.label} was dropped in"
                f" {thread_name(get_ident())}, but was started in {thread_name(p.thread)},"
                " which stops it when it next calls pullit, or ends; close it there",
                ResourceWarning,
                stacklevel=3,
            )
        else:
            p.stop()
    except OrderError as e:
        e.later.dropped.append(p)  # stopped as soon as that is safe
    except BaseException:
        if not p.ended:
            leave(p)  # a signal's exception came before seq was told
        raise


def leave(p: Puller) -> None:
    """Have *p* stopped when its thread next calls pullit."""
    left.append(p)
    for other in list(live.values()):
        if other is not p and (other.thread == p.thread or not other.bound):
            other.expect()


def sweep() -> None:
    """Stop what was left to this thread."""
    for p in left[:]:  # to stop one may run anything, a sweep too
        if p in left and not p.is_elsewhere():
            dropped = Dropped()
            dropped.p = p
            left.remove(p)
            del dropped


class Holder:
    """What stops its `p` when dropped. A half-built one has none."""

    __slots__ = ()

    p: Any

    def __del__(self) -> None:
        try:
            drop = self.p.drop
        except AttributeError:
            return
        drop()


class Dropped(Holder):
    """Stops p, so that `sys.unraisablehook` gets the error."""

    __slots__ = ("p",)


def stop_thread(free: Free) -> None:
    """Stop the pulls of a thread that ends, newest first."""
    for p in reversed(list(live.values())):
        # Elsewhere this is a forked child: see fork.
        if p.free is free and p.thread == get_ident():
            Dropped().p = p
            if p.ended:
                p.orphan(
                    "the thread that it was started in has ended; use it there, or pass"
                    ' engine="thread"'
                )


at_thread_end.append(stop_thread)


def fork() -> None:
    """End the pulls whose threads a child process has not."""
    for p in list(live.values()):
        if p.is_elsewhere() or not p.bound:
            p.forget()
            p.orphan("a fork does not copy the thread that it runs in; start another one")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=fork)


def look_again(coroutine: Any) -> None:
    """Have every pull that *coroutine* may yield to look at its next `yield_`."""
    found = []
    while coroutine is not None:
        if coroutine in live:
            found.append(live[coroutine])
        coroutine = coroutine.parent
    for p in found or list(live.values()):  # a hub's greenlet, say, may help any
        p.look()


def stop_all() -> None:
    """Stop what is suspended, newest first: after exit, dropping it would hang."""
    for p in reversed(list(live.values())):
        if not p.is_elsewhere():
            Dropped().p = p
    own().free.parked.clear()


atexit.register(stop_all)
