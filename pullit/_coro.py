"""A port of Go's runtime/coro.go: newcoro, coroswitch, coroexit.

A coro is a place where exactly one coroutine is blocked, always. To switch is
to take the one blocked there, to leave oneself in its place, and to run it.
Nobody owns a coro and there is no caller and callee: whoever calls coroswitch
changes places with whoever is blocked. `pull` gives the two sides their roles.

A coro is not a generator: its coroutine may switch from any depth of calls,
C code included. It is not a thread: nothing runs but the one switched to.

A coroutine is what an engine says it is, and an engine is anything with the two
names of the greenlet module, `greenlet` and `getcurrent`: that module itself,
or `_threads`. Coroutines are made, ended and adopted in this file alone; the loop
that drives them switches by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any

import greenlet
from greenlet import GreenletExit

from pullit import _threads
from pullit._errors import PullError

engines: dict[str, Any] = {"greenlet": greenlet, "thread": _threads}

# What coroswitch passes to show the other side that the switch is ours.
SWITCHED = object()

# SQLAlchemy's await_only looks for this on the running greenlet before it
# switches to the parent.
PROVIDER = "__sqlalchemy_greenlet_provider__"


class Coro:
    """A place where one coroutine is blocked. Made by newcoro."""

    __slots__ = ("engine", "error", "f", "gp")

    def __init__(self, f: Callable[[], object], engine: Any) -> None:
        self.f: Callable[[], object] = f
        self.engine: Any = engine
        self.error: BaseException | None = None  # what f raised, not yet delivered
        # Who is blocked here; None once f has ended. Go's name for it.
        self.gp: Any = engine.greenlet(partial(corostart, self))


def newcoro(f: Callable[[], object], engine: Any = greenlet) -> Coro:
    """Return a coro on which a new coroutine is blocked that has not yet run *f*.

    It will run in a copy of the caller's context, as an asyncio task does: a
    greenlet left alone would start in an empty one.
    """
    c = Coro(f, engine)
    c.gp.gr_context = copy_context()
    return c


def corostart(c: Coro, *_: object) -> object:
    """Run f, then coroexit.

    coro.go loses a panic of f here. We hand it to whoever is blocked. Returns
    what the engine then passes to that one.
    """
    try:
        c.f()
    except GreenletExit:
        pass  # the engine's way to end a coroutine: f has ended as by a return
    except BaseException as e:
        c.error = e
    coroexit(c)
    return SWITCHED


def coroexit(c: Coro) -> None:
    """End the running coroutine: the last thing it does before it returns.

    Whoever is blocked on *c* then runs, and nobody is blocked there any more.
    """
    # A greenlet that returns wakes its parent: whoever was running when it was
    # created. The one blocked on c may be another by now, because next and stop
    # can be handed around, so adopt it here.
    c.engine.getcurrent().parent, c.gp = c.gp, None


def coroswitch(c: Coro) -> None:
    """Change places with the one blocked on *c*: block there, and let it run.

    Returns when somebody switches back, or when f has ended; what f raised is
    then raised here. It is an error to switch on a coro whose f has ended, or to
    the running coroutine itself.
    """
    me = c.engine.getcurrent()
    gp = c.gp
    if gp is None:
        raise PullError("coroswitch on exited coro")
    if gp is me:
        raise PullError("coroswitch of a coroutine to itself")
    c.gp = me
    got = gp.switch(SWITCHED)
    while got is not SWITCHED:
        got = forward(gp, got)
    if c.gp is None and c.error is not None:
        error, c.error = c.error, None
        try:
            raise error
        finally:
            del error  # else this frame and the traceback are a cycle


def forward(child: Any, got: object) -> object:
    """Pass on *got*, a switch to us that is not ours, as if we were not there.

    Somebody on the child's side switched to its parent (SQLAlchemy's await_only
    does). What our own parent answers is the child's. Returns with what is
    switched to us next.
    """
    parent = greenlet.getcurrent().parent
    try:
        if parent is None:
            raise PullError(
                "pullit: the producer switched to its parent greenlet, but its consumer"
                " runs in the main greenlet, which has none; start the consumer where"
                " such a switch is served"
            )
        answer = parent.switch(got)
    except BaseException as e:
        error = e
    else:
        return child.switch(answer)
    try:
        return child.throw(error)
    finally:
        del error


def adopt(child: Any, parent: Any) -> None:
    """Make *parent* the one to whom *child*'s switches to its parent go.

    ValueError where greenlet cannot have it: they belong to different threads,
    or *parent* is itself a descendant of *child*.
    """
    child.parent = parent
    if getattr(parent, PROVIDER, False):
        setattr(child, PROVIDER, True)
    elif getattr(child, PROVIDER, False):
        delattr(child, PROVIDER)
