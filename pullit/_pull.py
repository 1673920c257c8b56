"""What every pull has: a state, orders for its producer, and refusals.

A pull is always in one of the states below. On the greenlet engine its attribute `state`
says in which. On the thread engine, `state` is a property, computed from three attributes
(see `_channel`), and *open* stands for suspended and running. Each call does what its
column says. The numbers of contracts, in comments and docstrings, are those of
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
stopping    the end                 nothing [1]               PullExit, five times;
                                                              False afterwards [2]
ended       the end                 nothing                   False
=========== ======================= ========================= =========================

The ``yield_`` that waits when seq is told to stop returns False. *Running* means that a
next waits for a value. On the thread engine this does not say what the producer does: it
may run ahead, and another of its threads may run on.

[1] On the thread engine, a stop waits for seq's end if no other call does. aclose
waits for it in any case.

[2] On the thread engine, each thread that calls ``yield_`` counts for itself, and gets
False once before its first PullExit.
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

# The states of a pull. They are compared by `is`, so use these names, never the strings.
State: TypeAlias = Literal["unstarted", "suspended", "running", "open", "stopping", "ended"]
UNSTARTED: State = "unstarted"
SUSPENDED: State = "suspended"
RUNNING: State = "running"
OPEN: State = "open"  # suspended or running, on the thread engine
STOPPING: State = "stopping"
ENDED: State = "ended"

# What repr says instead of these states.
SHOWN = {STOPPING: "running", ENDED: "finished"}

# How many PullExits a producer gets that goes on yielding. After that yield_ returns False,
# so that the producer goes on to its own end, as in Go.
EXITS = 5

# A seq that returns one of these has run nothing. For each type: the prefix of its
# attributes, what messages call it, and advice.
NOT_YIELD = "call yield_ in it, not yield, or pass pullit.from_iterable of it"
MADE = {
    GeneratorType: ("gi", "a generator", NOT_YIELD),
    CoroutineType: ("cr", "a coroutine", "call yield_ in a plain function, not an async one"),
}

INSTEAD = "return instead, or catch it where a next raises it"


class Order:
    """What the suspended ``yield_`` is to do, if send, throw or stop resumes it.

    A next resumes it without an order.
    """

    __slots__ = ("kind", "value")

    def __init__(self, kind: str, value: Any = None) -> None:
        self.kind = kind  # send, throw or stop
        self.value = value


STOP = Order("stop")


class EnginePull:
    """The base of all pulls: their messages, and what the consumer gets at seq's end."""

    __slots__ = ()

    # Each subclass has these as slots, but for `state`, a property on the thread engine.
    result: Any  # what seq returned
    state: State
    name: str  # of the public function
    label: str  # of seq

    advice = ""  # added to the message for a call in a wrong thread
    # An attribute, because a module's globals may be gone when the interpreter ends.
    is_finalizing = staticmethod(sys.is_finalizing)
    depth = "; raise sys.setrecursionlimit"  # a note on a RecursionError of seq
    # The exceptions that tell the consumer of the end. If seq raises one of them itself,
    # the consumer gets a RuntimeError instead.
    signals_end: tuple[type[BaseException], ...] = (StopIteration,)
    asks = "next"  # the name of the call that asks for a value, for messages
    reads_ahead = False  # if true, send and throw are refused

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
        """Return the refusal's text for a pull whose thread is gone: values may be lost."""
        return f"{self.name}: {self.label} was stopped, because {why}"

    def exit(self, text: str = "yield_ called after it returned False; return instead") -> PullExit:
        """Return a PullExit that this pull's stop swallows."""
        exit = PullExit(f"{self.name}: {text}")
        exit.pull = self
        return exit

    def is_exit(self, error: BaseException) -> bool:
        """Return whether *error* is our PullExit, or was raised from it (contract 5).

        A PullExit of no pull (None) counts as ours: from_callback or a user has raised it.
        """
        return any(
            is_a(e, PullExit) and cast(PullExit, e).pull in (self, None)
            for e in follow(cause_of, error)
        )

    def outcome(self, error: BaseException | None, told: bool) -> BaseException:
        """Return the exception that the consumer gets when seq has returned or raised *error*.

        That is a StopIteration with seq's result, or *error*. If seq was *told* to stop, our
        PullExit, which only results from that, is left out of *error*.
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
        """Return a TypeError if seq has yielded nothing, but returned what nobody has started.

        That is a generator, a coroutine or an iterator of ours. Without the error, such a
        mistake would look like a seq without values (contract 22).
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
        """Refuse *call* if seq may have gone on from the ``yield_`` of the last value."""
        if self.reads_ahead:
            raise PullError(
                f"{self.name}: {call} on an iterator that reads ahead; its producer has"
                f" gone on from the value that you have: call {call} with read_ahead=0"
            )

    def order_to_send(self, value: Any, call: str, it: Handle) -> Order | None:
        """Return the order of send; None if it is to start seq, when *value* must be None."""
        self.check_strict(call)
        if self.state is not UNSTARTED:
            return Order("send", value)
        if value is not None:
            raise TypeError(f"{self.name}: cannot {call} to {it!r}; call {self.asks} first")
        return None

    def final_result(self) -> Any:
        """Return what seq returned. Raise PullError before it has, and if it raised."""
        if self.over() and self.returned():
            return self.result
        why = "did not return" if self.over() else "has not returned yet"
        raise PullError(
            f"{self.name}: no result: {self.label} {why};"
            " look at .result when the iterator has ended by itself"
        )

    def over(self) -> bool:
        """Return whether the end, too, has been delivered to the consumer.

        `done`, of the subclasses, is true earlier: as soon as seq is told to stop.
        """
        raise NotImplementedError  # pragma: no cover  each engine has its own

    def returned(self) -> bool:
        """Return whether seq has returned, and not raised an exception."""
        return self.result is not NOTHING
