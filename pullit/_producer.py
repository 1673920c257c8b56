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

# What a switch without a value brings.
NEXT = ()


class ProducerSide(Coro, EnginePull):
    """One pull of *seq*, whose two sides are coroutines of one thread.

    Which side is which is known, and each has a slot: `producer`, who waits (or
    waited last) in ``yield_``, and `blocked`, who does in next or stop. coro.go swaps
    them in the one slot; not to do so saves each value four stores. `to_producer` is
    producer.switch: a look-up of the name on a greenlet that has a dict is slow.

    A value goes from ``yield_`` to next in `value`; a switch with it would cost more.
    An order goes back with the switch. What arrives in another way is not ours.
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
        # Whose next needs no look: the latest consumer's, unless there is something rare
        # (a guard, another coroutine that yields, a drop or a yield_ elsewhere).
        self.regular: Any = None
        self.exits = 0  # how many PullExits seq got
        self.refused = ""  # what the consumer is to be refused with, if anything

    @property
    def home(self) -> PerThread | None:
        """What the owner has for its thread; None before the start and after the end."""
        return live.get(self)

    def yield_(self, value: Any, /) -> Any:
        """What seq calls with each value, and waits in."""
        # Look at the state after the last call, during which anything may have run.
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
        """`yield_`, when it needs a look."""
        if self.state is ENDED:
            return False
        home = self.home
        if home is None:  # pragma: no cover  nobody has it before the start
            raise self.too_early()
        if not home.is_here():
            self.refused = (
                f"{self.name}: yield_ called in {thread_name(get_ident())}, but"
                f" {self.label} was started in {thread_name(home.ident)}; pass"
                ' engine="thread" for an API that calls back from other threads'
            )
            # The lock of this list is what be_regular takes, too: so that sees what is said
            # above, or comes before what is said below.
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
            return True  # somebody's own switch
        home = live[self]
        if home and home.calls:
            note_order(home, self, got)
        if got is STOP:
            return False
        if got.kind == "throw":
            raise got.value.pop()
        return got.value

    def raise_exit(self) -> bool:
        """Raise the next PullExit; return False after enough of them."""
        if self.exits == EXITS:
            return False
        self.exits += 1
        raise self.exit()

    def exited(self) -> None:
        if self.state is SUSPENDED and self.producer is getcurrent():
            # A foreign switch has resumed seq. Its end waits until the consumer asks.
            (self.blocked.parent or self.blocked).switch()
        state, self.state = self.state, ENDED
        if state is SUSPENDED:
            # Another of seq's coroutines has yielded: its yield_ returns False, as in Go.
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
