"""The producer's side of a pull on a coro: the ``yield_`` that seq calls, and seq's end."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import Any

from greenlet import getcurrent

from pullit._coro import Coro
from pullit._errors import WrongThreadError, is_ours
from pullit._guard import note_order
from pullit._lifetimes import live
from pullit._per_thread import PerThread
from pullit._pull import (
    ENDED,
    EXITS,
    RUNNING,
    STOP,
    STOPPING,
    SUSPENDED,
    UNSTARTED,
    EnginePull,
    Order,
    State,
)
from pullit._threads import get_ident, thread_name
from pullit._types import NOTHING

# What a switch without arguments brings to the other side: here, a next without an order.
NEXT = ()


class ProducerSide(Coro, EnginePull):
    """One pull of *seq*, whose two sides are coroutines of one thread.

    Each side has a slot of its own: `producer` is the coroutine that waits, or has waited
    last, in ``yield_``, and `blocked` the one in next or stop. In coro.go the two swap
    places in one slot; two slots save four stores for each value. `to_producer` is
    producer.switch, since looking up that name on a greenlet that has a dict is slow.

    ``yield_`` leaves its value in `value`, which costs less than a switch with an argument.
    An order goes to ``yield_`` as the argument of the switch. A switch that brings anything
    else is not pullit's (see `_foreign`).
    """

    __slots__ = (
        "exits",
        "label",
        "name",
        "producer",
        "refused",
        "regular",
        "root",
        "state",
        "to_producer",
        "value",
    )

    advice = ', or pass engine="thread"'
    depth = (
        "; its calls count on top of those around its first next: start it from fewer,"
        ' raise sys.setrecursionlimit, or pass engine="thread", where it has its own'
    )

    def __init__(self, name: str, seq: Callable[..., object], label: str, pairs: bool) -> None:
        # What Coro.__init__ would set; a call of it costs more than all of this.
        self.f = seq
        self.argument = self.yield_pair if pairs else self.yield_
        self.blocked = self.error = None
        self.result = NOTHING
        self.name = name
        self.label = label
        self.state: State = UNSTARTED
        self.root: Any = None  # the coroutine that runs seq, until its end is delivered
        self.value: Any = None
        self.producer: Any = None
        self.to_producer: Any = None
        # The coroutine whose next may take the quick way: the latest consumer. None where
        # there is something to look at first: a guard, another of seq's coroutines that
        # yields, or a drop or a yield_ in another thread.
        self.regular: Any = None
        self.exits = 0  # how many PullExits seq has got
        self.refused = ""  # the message of a WrongThreadError for the consumer, or ""

    @property
    def home(self) -> PerThread | None:
        """The PerThread of the owner, the thread that has started this; otherwise None."""
        return live.get(self)

    def yield_(self, value: Any, /) -> Any:
        """What seq calls with each value, and waits in."""
        # The state comes after getcurrent(): during that call anything may run, in a signal
        # handler for example. There is no call between this look and the switch.
        if getcurrent() is not self.producer or self.state is not RUNNING:
            return self.yield_slowly(value)
        self.value = value
        self.state = SUSPENDED
        try:
            got = self.blocked.switch()
        except (RecursionError, MemoryError):
            self.state = RUNNING  # there was no switch
            raise
        return True if got is NEXT else self.obey(got)

    def yield_pair(self, k: Any, v: Any, /) -> Any:
        return self.yield_((k, v))

    def yield_slowly(self, value: Any) -> Any:
        """`yield_` where it may not hand over its value, or comes from another coroutine."""
        if self.state is ENDED:
            return False
        home = self.home
        if home is None:  # pragma: no cover  before the start nobody has yield_
            raise self.too_early()
        if not home.is_here():
            self.refused = (
                f"{self.name}: yield_ called in {thread_name(get_ident())}, but"
                f" {self.label} was started in {thread_name(home.ident)}; pass"
                ' engine="thread" for an API that calls back from other threads'
            )
            # The owner's be_regular takes the lock of this list, too. So either it sees
            # `refused`, or it sets `regular` before it is set to None here.
            home.dropped.copy()
            self.regular = None
            raise WrongThreadError(self.refused)
        if self.state is STOPPING:
            note_order(home, self, STOP)
            return self.raise_exit()
        if self.state is not RUNNING:
            raise self.too_early()
        self.producer = getcurrent()  # whoever has yielded is resumed, as in Go
        self.to_producer = self.producer.switch
        self.regular = None
        return self.yield_(value)

    def obey(self, got: Any) -> Any:
        """Do what send, throw or stop has ordered."""
        if type(got) is not Order:
            return True  # a switch that is not ours
        home = live[self]
        if home and home.calls:
            note_order(home, self, got)
        if got is STOP:
            return False
        if got.kind == "throw":
            raise got.value.pop()  # a list, so that no frame keeps the exception
        return got.value

    def raise_exit(self) -> bool:
        """Raise the next PullExit; after EXITS of them, return False instead."""
        if self.exits == EXITS:
            return False
        self.exits += 1
        raise self.exit()

    def exited(self) -> None:
        """Set the state to ended; seq has returned, in the running coroutine."""
        if self.state is SUSPENDED and self.producer is getcurrent():
            # A switch that is not ours has resumed seq in its yield_, and it has returned. Go
            # back to where that came from, and end only when the consumer asks.
            (self.blocked.parent or self.blocked).switch()
        state, self.state = self.state, ENDED
        if state is SUSPENDED:
            # The last to yield was another of seq's coroutines, and waits: its yield_ returns
            # False, as in Go.
            self.blocked = None
            self.producer.switch(STOP)

    def frame(self) -> FrameType | None:
        """Return the frame in which seq is suspended, or None."""
        if self.state is not SUSPENDED:
            return None
        frame: FrameType | None = self.root.gr_frame
        while frame and is_ours(frame.f_globals):
            frame = frame.f_back
        return frame
