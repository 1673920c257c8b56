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
        self.blocked: Any = None  # the coroutine that is blocked here, if any

    def exited(self) -> None:
        """What the coroutine calls when f has ended, before it wakes the one blocked here.

        A pull is a Coro, and sets its state to ended here: see ProducerSide.
        """


def newcoro(f: Callable[[Any], object], argument: Any = None) -> Coro:
    """Return a coro. The coroutine that is blocked there will run ``f(argument)``."""
    c = Coro(f, argument)
    c.blocked = new_coroutine(per_thread(), getcurrent())
    return c


def new_coroutine(home: PerThread, parent: Any, fresh: bool = False) -> Any:
    """Return a coroutine, a child of *parent*. It will run the coro in ``home.starting``.

    It runs in a copy of the caller's context, as an asyncio task does. It is a parked one,
    if there is one, unless *fresh*.
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

    What f raises is handed to whoever is blocked. In Go, iter.Pull does that. *depth* is
    the depth of the recursion where this coroutine was first started.
    """
    home = per_thread()
    free_list = home.free_list
    assert free_list
    overlap = free_list.overlap
    while True:
        c, home.starting = home.starting, None  # coro_of finds `c` by its name
        f, c.f = c.f, None
        try:
            try:
                c.result = f(c.argument)
            finally:
                f = None
        except GreenletExit:
            c.result = None  # greenlet ends a greenlet by this: it is as if f had returned
        except BaseException as e:
            c.error = e
        c.exited()
        parked = coroexit(c, free_list if depth < SHALLOW else None)
        c = None  # a parked coroutine refers to nothing that it has run
        if not parked:
            return None
        got: Any = free_list.relay.switch()
        # A switch that starts nothing is not pullit's: pass it on to the parent.
        while home.starting is None:
            got = free_list.relay.switch(got)
        got = None
        # How many bytes of the consumer's C stack greenlet had to copy in this switch.
        if home.starting.blocked._stack_saved > overlap:
            getcurrent().parent, home.starting = home.starting.blocked, None
            return UNFIT


def coroexit(c: Coro, free_list: FreeList | None) -> bool:
    """Take the one blocked on *c*, and have the running coroutine wake it when it ends.

    Return True if the running coroutine is now in *free_list*: then it must end by waiting
    there, in a switch to the relay. Otherwise it must end by returning.
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
        free_list.relay.parent = free_list.main  # so that the relay does not keep us alive
        if c.error is not None:
            error, c.error = c.error, None
            try:
                raise error
            finally:
                del error  # otherwise this frame and the traceback are a cycle


def own_free_list() -> FreeList:
    """Return the running thread's free list. A coroutine must have been made in it before."""
    free_list = per_thread().free_list
    assert free_list
    return free_list


def coro_of(coroutine: Any) -> Coro | None:
    """Return the coro that *coroutine* runs, suspended or running; None if it is not ours.

    corostart, its lowest frame, has it in the variable `c`. A registry would cost each pull.
    """
    frame = coroutine.gr_frame or sys._getframe()
    while frame is not None and frame.f_code is not corostart.__code__:
        frame = frame.f_back  # in PyPy there are frames below, without an end
    return variable(frame, "c") if frame is not None else None


def variable(frame: FrameType, name: str) -> Any:
    """Return the value of the variable *name* of *frame*, and leave no copy in *frame*."""
    variables = frame.f_locals
    value = variables[name]
    if type(variables) is dict:  # a copy, up to 3.12
        variables.clear()
    return value


def recursion_depth() -> int:
    """Return the depth of the recursion here, or SHALLOW if it is deeper or unknown."""
    frame = sys._getframe()
    for depth in range(SHALLOW):
        if frame.f_back is None:
            if frame.f_code is corostart.__code__:  # its frames count on top of its start
                depth += variable(frame, "depth")
            elif getcurrent().parent is not None:
                return SHALLOW  # somebody else's greenlet
            return min(depth, SHALLOW)
        frame = frame.f_back
    return SHALLOW
