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

import sys
from _weakref import getweakrefcount, ref
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from sys import getrefcount
from types import FrameType
from typing import Any

import greenlet
from greenlet import GreenletExit

from pullit._errors import PullError
from pullit._native import local

# What a switch brings that is ours: the other side has switched, or f has ended; ...
SWITCHED = object()
# ... or this coroutine will not do, and another is to run f.
UNFIT = object()

# SQLAlchemy's await_only looks for this on the running greenlet before it
# switches to the parent.
PROVIDER = "__sqlalchemy_greenlet_provider__"

# How many coroutines a thread keeps parked. Go's free lists hold as many.
PARKED = 64

# A greenlet has for ever the recursion depth of its first start. What was started
# deeper than this is not parked, because its next user may start from the top. In
# 3.11 calls from C count as well: up to one for each frame.
SHALLOW = 100 if sys.version_info >= (3, 12) else 50

# The C stack of a greenlet has for ever the place of its first start. A consumer
# that is deeper has part of its own stack there, which each switch copies away and
# back: no more bytes than this. A call from C takes some 500 to 5,000.
OVERLAP = 1500


class Coro:
    """A place where one coroutine is blocked, of an *engine*, that runs ``f(arg)``."""

    __slots__ = ("__weakref__", "arg", "engine", "error", "f", "free", "gp", "result")

    free: Free | None  # of the thread where its coroutine is, once one is blocked

    def __init__(self, f: Callable[[Any], object], arg: Any, engine: Any) -> None:
        self.f: Callable[[Any], object] | None = f  # None once it is called
        self.arg = arg
        self.engine: Any = engine
        self.result: Any = None  # what f returned
        self.error: BaseException | None = None  # what f raised, not yet delivered
        # Who is blocked here; None until one is, and once f has ended. Go's name for it.
        self.gp: Any = None

    def settle(self) -> None:
        """What the coroutine runs last, whichever way f has ended."""


class Work:
    """What a coroutine of ours is to run next."""

    __slots__ = ("coro", "depth")

    # The coro, weakly: a parked coroutine that held it, by which it is held, could
    # never be collected.
    coro: Callable[[], Coro | None]

    def __init__(self, depth: int) -> None:
        self.depth = depth  # of recursion, when the coroutine was started


def none() -> None:
    return None


class Free:
    """The coroutines that a thread has parked, last one last: Go's free list."""

    __slots__ = ("depths", "end", "main", "parked")

    def __init__(self) -> None:
        self.parked: list[tuple[Any, Work]] = []
        # By id: of those that may be parked, the depth of recursion where they started.
        # An attribute would be a dict to look into with every switch.
        self.depths: dict[int, int] = {}
        # A dead greenlet. To switch to it is to switch to its parent; but he who
        # waits in such a switch holds the dead one alone, and not its parent.
        self.end: Any = greenlet.greenlet(bool)
        self.end.throw()
        self.main: Any = greenlet.getcurrent()
        while self.main.parent is not None:
            self.main = self.main.parent


class ThreadEnd:
    """What a thread has alone, and drops when it ends."""

    __slots__ = ("free",)

    def __init__(self, free: Free) -> None:
        self.free = free

    def __del__(self) -> None:
        for do in at_thread_end or ():  # None, while the interpreter is taken down
            do(self.free)
        self.free.parked.clear()


at_thread_end: list[Callable[[Free], object]] = []


class Threads(local):
    """What each thread has for itself."""

    free: Free
    end: ThreadEnd

    def __init__(self) -> None:
        if "free" not in self.__dict__:
            # A collection in the midst of this might run code that asks for it.
            free = Free()
            self.__dict__.setdefault("free", free)
            self.__dict__.setdefault("end", ThreadEnd(self.free))


threads = Threads()


def newcoro(f: Callable[[Any], object], arg: Any = None, engine: Any = greenlet) -> Coro:
    """Return a coro on which a coroutine is blocked that has yet to run ``f(arg)``."""
    c = Coro(f, arg, engine)
    block(c)
    return c


def block(c: Coro) -> None:
    """Block a coroutine on *c* that has yet to run what c is to run.

    It will run in a copy of the caller's context, as an asyncio task does: a
    greenlet left alone would start in an empty one.
    """
    c.free = threads.free if c.engine is greenlet else None
    if not (c.free and c.free.parked and reuse(c, c.free)):
        create(c)


def create(c: Coro) -> None:
    """Block a new coroutine on *c*."""
    work = Work(depth(c.free) if c.free else SHALLOW)
    work.coro = ref(c)
    c.gp = c.engine.greenlet(partial(corostart, work))
    c.gp.gr_context = copy_context()


def depth(free: Free) -> int:
    """Return the depth of recursion, or SHALLOW for all that is deeper, or unknown."""
    me = greenlet.getcurrent()
    # Our own frames are on top of those that were there when we were started.
    count = 0 if me is free.main else free.depths.get(id(me), SHALLOW)
    try:
        sys._getframe(SHALLOW - count)
    except ValueError:
        frame: FrameType | None = sys._getframe()
        while frame:
            frame = frame.f_back
            count += 1
        return count
    return SHALLOW


def reuse(c: Coro, free: Free) -> bool:
    """Block a parked coroutine on *c*, if there is one that nobody else knows.

    Who knows it might switch to it, or keep something of its last user's for it. It
    is dead if a signal's exception came while it was being parked.
    """
    while free.parked:
        g, work, references = pop(free.parked)
        if references == UNKNOWN and not getweakrefcount(g) and not has_dict(g) and not g.dead:
            g.parent = greenlet.getcurrent()
            g.gr_context = copy_context()
            work.coro = ref(c)
            c.gp = g
            return True
    return False


def has_dict(g: Any) -> bool:
    """Tell whether *g* has attributes, without giving it the dict for them."""
    return object.__getstate__(g) is not None


def pop(parked: list[tuple[Any, Work]]) -> tuple[Any, Work, int]:
    """Take the last of *parked*; return it and the number of references to it."""
    g, work = parked.pop()
    return g, work, getrefcount(g)


# That number for what is known here alone; it depends on the version of Python.
UNKNOWN = pop([(object(), Work(0))])[2]


def corostart(work: Work, *_: object) -> object:
    """Run f, then coroexit; and then wait, parked, to be used once more.

    coro.go loses a panic of f here. We hand it to whoever is blocked. Returns
    what the engine then passes to that one.
    """
    c = work.coro()
    if c is None or c.f is None:  # a signal's exception has struck who started this thread
        return SWITCHED
    f: Any
    free, me, got = c.free, 0, SWITCHED
    if free and work.depth < SHALLOW:
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
            except GreenletExit:
                pass  # the engine's way to end a coroutine: f has ended as by a return
            except BaseException as e:
                c.error = e
            coroexit(c)
            c = None  # here nothing refers any more to what has run
            if not me or free is None or len(free.parked) == PARKED:
                return SWITCHED
            free.parked.append((greenlet.getcurrent(), work))
            while c is None:  # that is once, unless somebody without work switches here
                got = free.end.switch(got)
                c = work.coro()
            if c.gp._stack_saved > OVERLAP:
                greenlet.getcurrent().parent = c.gp
                return UNFIT
    finally:
        if me and free:
            del free.depths[me]


def coroexit(c: Coro) -> None:
    """End the running coroutine: the last thing it does before it returns or parks.

    Whoever is blocked on *c* then runs, and nobody is blocked there any more.
    """
    # A greenlet that returns wakes its parent: whoever was running when it was
    # created. The one blocked on c may be another by now, because next and stop
    # can be handed around, so adopt it here.
    me = c.engine.getcurrent()
    if c.free:
        c.free.end.parent, me.parent = c.gp, c.free.end
        me.gr_context = None  # a parked coroutine keeps nothing
    else:
        me.parent = c.gp
    c.gp = None


def coroleft(c: Coro) -> None:
    """Have nobody keep the running coroutine, for which the one of *c* has exited."""
    if c.free:
        if c.free.end.parent is not c.free.main:
            c.free.end.parent = c.free.main
        c.free = None


def replace(c: Coro) -> Any:
    """Return a new coroutine for the work of *c*, for which the last was UNFIT."""
    me = c.gp
    create(c)
    g, c.gp = c.gp, me
    return g


def coroswitch(c: Coro) -> None:
    """Change places with the one blocked on *c*: block there, and let it run.

    Returns when somebody switches back, or when f has ended; what f raised is
    then raised here. It is an error to switch on a coro whose f has ended, or to
    the running coroutine itself.
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
            gp = replace(c)
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
    if child.parent is not parent:
        child.parent = parent
    if getattr(parent, PROVIDER, False):
        setattr(child, PROVIDER, True)
    elif getattr(child, PROVIDER, False):
        delattr(child, PROVIDER)
