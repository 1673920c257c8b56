"""What every pull has: a state, orders for its producer, and refusals.

A pull is in one of five states, and one attribute says in which. Each call does what
stands in its column. The numbers of contracts, in comments and docstrings, are those of
docs/guarantees.md.

=========== ======================= ========================= =========================
state       next, send, throw       stop, close               ``yield_``
=========== ======================= ========================= =========================
unstarted   starts seq              ends it; seq is never     refused
                                    called
suspended   resumes seq, which      tells seq to stop:        refused
            waits in ``yield_``     stopping
running     refused                 refused                   hands over its value:
                                                              suspended
stopping    the end                 nothing                   PullExit, five times;
                                                              False afterwards
ended       the end                 nothing                   False
=========== ======================= ========================= =========================

The ``yield_`` that waits when seq is told to stop returns False. *Running* means that a
next waits. On the thread engine that is independent of where the producer is, which may
run ahead: see `_channel`.
"""

from __future__ import annotations

import sys
from types import CoroutineType, GeneratorType
from typing import Any, Literal, TypeAlias, cast

from pullit._arguments import note_on_arguments
from pullit._errors import (
    PullError,
    PullExit,
    WrongThreadError,
    add_note,
    cause_of,
    follow,
    is_a,
    without,
)
from pullit._handles import Handle
from pullit._threads import get_ident, thread_name
from pullit._types import NOTHING

# Of a pull. Compared by `is`: each is used by these names alone.
State: TypeAlias = Literal["unstarted", "suspended", "running", "open", "stopping", "ended"]
UNSTARTED: State = "unstarted"
SUSPENDED: State = "suspended"
RUNNING: State = "running"
OPEN: State = "open"  # suspended or running, on the thread engine
STOPPING: State = "stopping"
ENDED: State = "ended"

# What repr says of each.
SHOWN = {STOPPING: "running", ENDED: "finished"}

# How many PullExits a producer gets that goes on; then it drains to its end, as in Go.
EXITS = 5

# What a function returns that was called in vain: its attributes, its name, and advice.
NOT_YIELD = "call yield_ in it, not yield, or pass pullit.from_iterable of it"
MADE = {
    GeneratorType: ("gi", "a generator", NOT_YIELD),
    CoroutineType: ("cr", "a coroutine", "call yield_ in a plain function, not an async one"),
}

INSTEAD = "return instead, or catch it where a next raises it"


class Order:
    """What a ``yield_`` does that is not resumed by next."""

    __slots__ = ("kind", "value")

    def __init__(self, kind: str, value: Any = None) -> None:
        self.kind = kind  # send, throw or stop
        self.value = value


STOP = Order("stop")


class EnginePull:
    """What all pulls share: their messages, and what the consumer gets at seq's end."""

    __slots__ = ()

    # Each engine has these as slots.
    result: Any  # what seq returned
    state: State
    name: str  # of the public function
    label: str  # of seq

    advice = ""  # for a call in a wrong thread
    # Here, because the names of modules are gone at the interpreter's end.
    is_finalizing = staticmethod(sys.is_finalizing)
    depth = "; raise sys.setrecursionlimit"  # a note on a RecursionError of seq
    # What says to the consumer that there is no more, and so cannot be an error of seq.
    signals_end: tuple[type[BaseException], ...] = (StopIteration,)
    asks = "next"  # what users call it
    reads_ahead = False  # if it does, send and throw come too late

    def shown_state(self) -> str:
        """Return one word: unstarted, suspended, running or finished."""
        return SHOWN.get(self.state, self.state)

    def refusal(self, call: str) -> PullError:
        """Return the refusal of *call* while a next waits (contracts 7 and 21)."""
        return PullError(
            f"{self.name}: {call} called again before yield; {self.label} is running:"
            f" do not call {call} from inside it, nor from two threads at once"
        )

    def too_early(self) -> PullError:
        """Return the refusal of a ``yield_`` that no next waits for (contract 8)."""
        return PullError(
            f"{self.name}: yield_ called again before next; {self.label} is"
            " suspended in its last call of it: only the producer may call yield_"
        )

    def wrong_thread(self, call: str, ident: int) -> WrongThreadError:
        """Return the refusal of *call* in another thread than *ident* (contract 11)."""
        return WrongThreadError(
            f"{self.name}: {call} called in {thread_name(get_ident())}, but {self.label}"
            f" was started in {thread_name(ident)} and cannot change threads;"
            f" call it there{self.advice}"
        )

    def orphaned(self, why: str) -> str:
        """Return the message of a pull whose thread has ended, where values may be lost."""
        return f"{self.name}: {self.label} was stopped, because {why}"

    def exit(self, text: str = "yield_ called after it answered False; return instead") -> PullExit:
        """Return a PullExit that this pull's stop swallows."""
        exit = PullExit(f"{self.name}: {text}")
        exit.pull = self
        return exit

    def is_exit(self, error: BaseException) -> bool:
        """Tell whether *error* is our PullExit, or was raised from it (contract 5)."""
        return any(
            is_a(e, PullExit) and cast(PullExit, e).pull in (self, None)
            for e in follow(cause_of, error)
        )

    def outcome(self, error: BaseException | None, told: bool) -> BaseException:
        """Return what the consumer is to get at seq's end, *error* or a StopIteration.

        It does not get what only says that seq was *told* to stop.
        """
        if error is not None and told:
            error = without(error, self.is_exit)
        if error is None:
            result = self.result
            return StopIteration() if result is None or result is NOTHING else StopIteration(result)
        if issubclass(type(error), self.signals_end):
            raised = f"raised {type(error).__name__}; {INSTEAD}"
            wrapped = RuntimeError(f"{self.name}: {self.label} {raised}")
            wrapped.__cause__ = wrapped.__context__ = error
            return wrapped
        if note := note_on_arguments(error):
            add_note(error, f"{self.name}: {note}")
        if is_a(error, RecursionError):
            add_note(error, f"{self.name}: {self.label} ran out of depth{self.depth}")
        return error

    def silent_nothing(self) -> TypeError | None:
        """Return what to raise if seq, which has yielded nothing, has only made something.

        A function that makes a generator or a coroutine, and one that makes an iterator of
        ours, would be empty in silence otherwise (contract 22).
        """
        result = self.result
        if isinstance(result, Handle):
            what, advice = "an iterator of pullit's", "use that iterator itself"
            is_new = result._pull.state is UNSTARTED
            close = result._pull.drop
        elif type(result) in MADE:
            prefix, what, advice = MADE[type(result)]
            is_over = getattr(result, f"{prefix}_frame") is None
            is_new = not (is_over or getattr(result, f"{prefix}_suspended"))
            close = result.close
        else:
            return None
        if not is_new:  # somebody has started it
            return None
        close()
        return TypeError(
            f"{self.name}: {self.label} has yielded nothing, and returned {what} that nobody"
            f" has started; {advice}"
        )

    def check_strict(self, call: str) -> None:
        """Refuse *call* where seq waits in another ``yield_`` than the last value's."""
        if self.reads_ahead:
            raise PullError(
                f"{self.name}: {call} on an iterator that reads ahead; its producer has"
                f" gone on from the value that you have: call {call} with read_ahead=0"
            )

    def order_to_send(self, value: Any, call: str, it: Handle) -> Order | None:
        """Return the order of send; none if it starts seq, which takes None only."""
        self.check_strict(call)
        if self.state is not UNSTARTED:
            return Order("send", value)
        if value is not None:
            raise TypeError(f"{self.name}: cannot {call} to {it!r}; call {self.asks} first")
        return None

    def final_result(self) -> Any:
        """Return what seq returned; PullError if it has not, or did not."""
        if self.over() and self.returned():
            return self.result
        why = "did not return" if self.over() else "has not returned yet"
        raise PullError(
            f"{self.name}: no result: {self.label} {why};"
            " look at .result when the iterator has ended by itself"
        )

    def over(self) -> bool:
        """Tell whether all has been delivered."""
        raise NotImplementedError  # pragma: no cover  each engine has its own

    def returned(self) -> bool:
        """Tell whether seq has returned, and not by raising something."""
        return self.result is not NOTHING
