"""A port of Go's runtime/coro.go: newcoro, coroswitch, coroexit.

A coro is a place where exactly one coroutine is blocked, always. To switch is
to take the one blocked there, to leave oneself in its place, and to run it.
There is no caller and callee: `pull` gives the two sides their roles.

A coro is not a generator: its coroutine may switch from any depth of calls,
C code included. It is not a thread: nothing runs but the one switched to.

An engine is the greenlet module, or `_threads`, which has the same two names.
"""

from __future__ import annotations

import sys
from _weakref import getweakrefcount, ref
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any

import greenlet

from pullit._errors import PullError
from pullit._threads import local

# What a switch of ours brings, ...
SWITCHED = object()
# ... or that of a parked coroutine that will not do: another must run f.
UNFIT = object()

# SQLAlchemy's await_only wants this on a greenlet that switches to its parent.
PROVIDER = "__sqlalchemy_greenlet_provider__"

# How many coroutines a thread keeps parked, as Go's free lists do.
PARKED = 64

# A greenlet keeps the recursion depth of its first start. One that started deeper than
# this is not parked: its next user may go deep. 3.11 counts calls from C, too.
SHALLOW = 100 if sys.version_info >= (3, 12) else 50

# Its C stack stays there, too. Each switch copies what a deeper consumer has there:
# no more bytes than this. A call from C takes 500 to 5,000.
OVERLAP = 1500


class Coro:
    """A place where one coroutine is blocked, of an *engine*, that runs ``f(arg)``."""

    __slots__ = ("__weakref__", "arg", "engine", "error", "f", "free", "gp", "result")

    free: Free | None  # of its coroutine's thread

    def __init__(self, f: Callable[[Any], object], arg: Any, engine: Any) -> None:
        self.f: Callable[[Any], object] | None = f  # None once it is called
        self.arg = arg
        self.engine = engine
        self.result: Any = None  # what f returned
        self.error: BaseException | None = None  # what f raised, not yet delivered
        self.gp: Any = None  # who is blocked here, until f has ended; Go's name for it

    def settle(self) -> None:
        """What the coroutine runs when f has ended."""


class Work:
    """What a coroutine of ours is to run next."""

    __slots__ = ("coro", "depth")

    def __init__(self, coro: Callable[[], Coro | None], depth: int) -> None:
        self.coro = coro  # weak: it holds the coroutine that holds this
        self.depth = depth  # of recursion, where the coroutine was started


def none() -> None:
    return None


class Free:
    """The coroutines that a thread has parked: Go's free list."""

    __slots__ = ("depths", "end", "main", "parked")

    def __init__(self) -> None:
        self.parked: list[tuple[Any, Any]] = []  # each with its Work
        # By id: an attribute would cost each switch a look.
        self.depths: dict[int, int] = {}
        # A dead greenlet: a switch to it goes to its parent, of which who waits in the
        # switch then holds nothing.
        self.end: Any = greenlet.greenlet(bool)
        self.end.throw()
        self.main: Any = greenlet.getcurrent()
        while self.main.parent is not None:
            self.main = self.main.parent


class Own:
    """What a thread has for itself, and drops when it ends."""

    __slots__ = ("free", "guards")

    def __init__(self) -> None:
        self.free = Free()
        self.guards: list[Any] = []  # see _guard

    def __del__(self) -> None:
        for do in at_thread_end or ():  # None when the interpreter ends
            do(self.free)
        self.free.parked.clear()


at_thread_end: list[Callable[[Free], object]] = []

threads = local()


def own() -> Own:
    """Return the running thread's."""
    try:
        mine: Own = threads.own
    except AttributeError:
        # Without a lock, which a fork could copy. A collection meanwhile may ask, too.
        mine = threads.__dict__.setdefault("own", Own())
    return mine


def newcoro(f: Callable[[Any], object], arg: Any = None, engine: Any = greenlet) -> Coro:
    """Return a coro on which a coroutine is blocked that has yet to run ``f(arg)``."""
    c = Coro(f, arg, engine)
    block(c)
    return c


def block(c: Coro) -> None:
    """Block a coroutine on *c* that has yet to run what c is to run.

    It runs in a copy of the caller's context, as an asyncio task does.
    """
    c.free = own().free if c.engine is greenlet else None
    if not (c.free and reuse(c, c.free)):
        c.gp = create(c)


def create(c: Coro) -> Any:
    """Return a new coroutine that is to run what *c* is to run."""
    work = Work(ref(c), depth(c.free) if c.free else SHALLOW)
    g = c.engine.greenlet(partial(corostart, work))
    g.gr_context = copy_context()
    return g


def depth(free: Free) -> int:
    """Return the depth of recursion; SHALLOW if it is more, or unknown."""
    me = greenlet.getcurrent()
    # Our frames come on top of those from which we were started.
    count = 0 if me is free.main else free.depths.get(id(me), SHALLOW)
    frame: Any = sys._getframe()
    while frame and count < SHALLOW:
        frame = frame.f_back
        count += 1
    return count


def reuse(c: Coro, free: Free) -> bool:
    """Block a parked coroutine on *c*, if there is one that nobody else knows.

    Who knows it might switch to it. It is dead if a signal's exception came while it
    was being parked.
    """
    while free.parked:
        g, work, references = pop(free.parked)
        known = references != UNKNOWN or getweakrefcount(g)
        if not (known or g.dead or object.__getstate__(g)):  # vars would make it a dict
            g.parent = greenlet.getcurrent()
            g.gr_context = copy_context()
            work.coro = ref(c)
            c.gp = g
            return True
    return False


def pop(parked: list[tuple[Any, Any]]) -> tuple[Any, Any, int]:
    """Take the last of *parked*, and count the references to it."""
    g, work = parked.pop()
    return g, work, sys.getrefcount(g)


# That count where there are none beside; it depends on the version of Python.
UNKNOWN = pop([(object(), None)])[2]


def corostart(work: Work, *_: object) -> object:
    """Run f, then coroexit; then wait, parked, to be used once more.

    coro.go loses a panic of f here. We hand it to whoever is blocked. The engine
    passes him what this returns.
    """
    c = work.coro()
    if c is None or c.f is None:  # a signal's exception struck who started this thread
        return None
    f: Any
    free = c.free if work.depth < SHALLOW else None  # None: it is not to be parked
    got = SWITCHED
    if free:
        me = id(greenlet.getcurrent())
        free.depths[me] = work.depth
    try:
        while True:
            work.coro = none
            try:
                try:
                    f, c.f = c.f, None
                    c.result = f(c.arg)
                finally:
                    f = None
                    c.settle()
            except greenlet.GreenletExit:
                pass  # greenlet's way to end one: it is as if f had returned
            except BaseException as e:
                c.error = e
            coroexit(c)
            c = None  # nothing here refers any more to what has run
            if not free or len(free.parked) == PARKED:
                return SWITCHED
            free.parked.append((greenlet.getcurrent(), work))
            while c is None:  # once, unless who switches here brings no work
                got = free.end.switch(got)
                c = work.coro()
            if c.gp._stack_saved > OVERLAP:
                greenlet.getcurrent().parent = c.gp
                return UNFIT
    finally:
        if free:
            del free.depths[me]


def coroexit(c: Coro) -> None:
    """Have the running coroutine's end wake the one blocked on *c*, where now nobody is."""
    # A greenlet that returns wakes its parent: whoever was running when it was
    # created. Another may be blocked on c: next and stop can be handed on.
    me = c.engine.getcurrent()
    if c.free:
        c.free.end.parent, me.parent = c.gp, c.free.end
        me.gr_context = None  # a parked coroutine keeps nothing
    else:
        me.parent = c.gp
    c.gp = None


def coroleft(c: Coro) -> None:
    """Let go of the running coroutine, which the end of *c*'s has woken."""
    if c.free:
        c.free.end.parent, c.free = c.free.main, None


def coroswitch(c: Coro) -> None:
    """Change places with the one blocked on *c*: block there, and let it run.

    Returns when somebody switches back, or when f has ended, and then raises what f
    raised. To switch when f has ended, or to oneself, is an error.
    """
    gp = c.gp
    if gp is None:
        raise PullError("coroswitch on exited coro")
    if gp is c.engine.getcurrent():
        raise PullError("coroswitch of a coroutine to itself")
    c.gp = c.engine.getcurrent()
    got = gp.switch(SWITCHED)
    while got is not SWITCHED:
        if got is UNFIT:
            gp = create(c)
            got = gp.switch(SWITCHED)
        else:
            got = forward(gp, got)
    if c.gp is None:
        coroleft(c)
        if c.error is not None:
            error, c.error = c.error, None
            try:
                raise error
            finally:
                del error  # else this frame and the traceback are a cycle


def forward(child: Any, got: object) -> object:
    """Pass on *got*, a switch to us that is not ours, as if we were not there.

    The child's side has switched to its parent, as SQLAlchemy's await_only does, and
    gets our own parent's answer. Returns what is switched to us next.
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
    """Give *child* this *parent*; ValueError if that is below it, or in another thread."""
    if child.parent is not parent:
        child.parent = parent
    if getattr(parent, PROVIDER, False):
        setattr(child, PROVIDER, True)
    elif getattr(child, PROVIDER, False):
        delattr(child, PROVIDER)
