"""A port of Go's runtime/coro.go: newcoro, coroswitch, coroexit.

A coro is a place where exactly one coroutine is blocked, always. To switch is
to take the one blocked there, to leave oneself in its place, and to run it.
There is no caller and callee: a pull gives the two sides their roles.

A coro is not a generator: its coroutine may switch from any depth of calls,
C code included. It is not a thread: nothing runs but the one switched to.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from types import FrameType
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

from pullit._errors import PullError
from pullit._foreign import PROVIDER, forward
from pullit._free_list import SHALLOW, UNFIT, FreeList
from pullit._per_thread import PerThread, per_thread
from pullit._types import NOTHING


class Coro:
    """A place where one coroutine is blocked, whose other side runs ``f(argument)``."""

    __slots__ = ("argument", "blocked", "error", "f", "result")

    def __init__(self, f: Callable[[Any], object], argument: Any = None) -> None:
        self.f: Callable[[Any], object] | None = f  # None once it is called
        self.argument = argument
        self.result: Any = NOTHING  # what f returned
        self.error: BaseException | None = None  # what f raised, until that is delivered
        self.blocked: Any = None  # who is blocked here; nobody before the start and after the end

    def exited(self) -> None:
        """What the coroutine does when f has ended, before it wakes who is blocked."""


def newcoro(f: Callable[[Any], object], argument: Any = None) -> Coro:
    """Return a coro on which a coroutine is blocked that has yet to run ``f(argument)``."""
    c = Coro(f, argument)
    c.blocked = new_coroutine(per_thread(), getcurrent())
    return c


def new_coroutine(home: PerThread, parent: Any, fresh: bool = False) -> Any:
    """Return a child of *parent* that runs what the running thread is `starting`.

    It runs in a copy of the caller's context, as an asyncio task does.
    """
    if home.free_list is None:
        home.free_list = FreeList()
    coroutine = None if fresh else home.free_list.take()
    if coroutine is None:
        coroutine = greenlet(partial(corostart, recursion_depth()))
    coroutine.parent = parent
    if getattr(parent, PROVIDER, False):
        setattr(coroutine, PROVIDER, True)
    coroutine.gr_context = copy_context()
    return coroutine


def corostart(depth: int) -> object:
    """Run f, then coroexit; then wait, parked, to do so for another coro.

    coro.go loses a panic of f here. We hand it to whoever is blocked. *depth* is that
    of the recursion, where this coroutine was started.
    """
    home = per_thread()
    free_list = home.free_list
    assert free_list
    overlap = free_list.overlap
    while True:
        c, home.starting = home.starting, None
        f, c.f = c.f, None
        try:
            try:
                c.result = f(c.argument)
            finally:
                f = None
        except GreenletExit:
            c.result = None  # greenlet's way to end one: it is as if f had returned
        except BaseException as e:
            c.error = e
        c.exited()
        parked = coroexit(c, free_list if depth < SHALLOW else None)
        c = None  # nothing here refers any more to what has run
        if not parked:
            return None
        got: Any = free_list.relay.switch()
        # A stray switch, by somebody who has got hold of us, goes on to the parent.
        while home.starting is None:
            got = free_list.relay.switch(got)
        got = None
        # greenlet knows how much of the consumer's stack this switch had to copy.
        if home.starting.blocked._stack_saved > overlap:
            getcurrent().parent, home.starting = home.starting.blocked, None
            return UNFIT


def coroexit(c: Coro, free_list: FreeList | None) -> bool:
    """Have the end of the running coroutine wake the one blocked on *c*, where now nobody is.

    Returns whether it is parked in *free_list*, and ends by waiting there; otherwise it
    ends by returning.
    """
    # A greenlet that returns wakes its parent: whoever was running when it was
    # created. The one blocked on c may be another by now, because next and stop
    # can be handed around, so adopt it here.
    blocked, c.blocked = c.blocked, None
    if blocked is None:
        return False  # nobody waits; the parent goes on
    if free_list is not None and free_list.park(blocked):
        return True
    getcurrent().parent = blocked
    return False


def coroswitch(c: Coro) -> None:
    """Change places with the one blocked on *c*: block there, and let it run.

    Returns when somebody switches back, or when f has ended, and then raises what f
    raised. To switch when f has ended, or to oneself, is an error.
    """
    coroutine = c.blocked
    if coroutine is None:
        raise PullError("coroswitch on exited coro")
    if coroutine is getcurrent():
        raise PullError("coroswitch of a coroutine to itself")
    c.blocked = getcurrent()
    if c.f is not None:
        per_thread().starting = c
    got = coroutine.switch(c) if c.f is None else coroutine.switch()
    while got is not c and c.blocked is not None:
        if got is UNFIT:
            coroutine = new_coroutine(per_thread(), getcurrent(), fresh=True)
            per_thread().starting = c
            got = coroutine.switch()
        else:
            got = forward(coroutine, got)
    if c.blocked is None:
        free_list = own_free_list()
        free_list.relay.parent = free_list.main
        if c.error is not None:
            error, c.error = c.error, None
            try:
                raise error
            finally:
                del error  # otherwise this frame and the traceback are a cycle


def own_free_list() -> FreeList:
    """Return the running thread's, once a coroutine was made here."""
    free_list = per_thread().free_list
    assert free_list
    return free_list


def coro_of(coroutine: Any) -> Coro | None:
    """Return the coro that *coroutine* runs, suspended or running; None if it is not ours.

    It is a variable of the lowest frame: a registry would cost each pull.
    """
    frame = coroutine.gr_frame or sys._getframe()
    while frame is not None and frame.f_code is not corostart.__code__:
        frame = frame.f_back  # in PyPy there are frames below, without an end
    return variable(frame, "c") if frame is not None else None


def variable(frame: FrameType, name: str) -> Any:
    """Return the value of a variable of *frame*, which is not to keep it."""
    variables = frame.f_locals
    value = variables[name]
    if type(variables) is dict:  # a copy, up to 3.12
        variables.clear()
    return value


def recursion_depth() -> int:
    """Return the depth of the recursion here; SHALLOW if it is more, or unknown."""
    frame = sys._getframe()
    for depth in range(SHALLOW):
        if frame.f_back is None:
            if frame.f_code is corostart.__code__:  # on top of that where it was started
                depth += variable(frame, "depth")
            elif getcurrent().parent is not None:
                return SHALLOW  # somebody else's greenlet
            return min(depth, SHALLOW)
        frame = frame.f_back
    return SHALLOW
