"""The order guard (contract 17), and whom a callback's yield_ is answered by.

Many native libraries keep a list of what they are doing whose nodes lie on the
C stack: HDF5, scipy, every pybind11 function. Two of their calls that are both
suspended must end newest first, or the process crashes. So while an API runs
that pullit calls back from, its coroutine is on its thread's list of guards, and
the loop asks here before it resumes one. Of a plain producer it asks only when
it looks around anyway, because another coroutine asks than the last time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from greenlet import getcurrent

from pullit._errors import PullError
from pullit._native import local


class Guard:
    """A run of an API on a coroutine's stack, while it lasts."""

    __slots__ = ("coroutine", "dropped", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.coroutine = getcurrent()
        self.dropped: list[Any] = []  # pulls to be stopped after this

    def leave(self) -> None:
        """Stop what had to wait for the end of this."""
        while self.dropped:
            self.dropped.pop().drop()


class Guards(local):
    """The guards of a thread, oldest first."""

    # At once: a collection in the midst of it might run code that asks for the list.
    def __init__(self) -> None:
        self.__dict__.setdefault("stack", [])

    stack: list[Guard]


class OrderError(PullError):
    """A refusal by the guard. *later* is what must end first."""

    def __init__(self, text: str, later: Guard) -> None:
        super().__init__(text)
        self.later = later

    def __reduce__(self) -> Any:
        return PullError, self.args


# A PullError to whoever sees it; only drop needs to know more.
OrderError.__name__ = OrderError.__qualname__ = "PullError"
OrderError.__module__ = "pullit"

guards = Guards()


def is_guarded(coroutine: Any) -> bool:
    """Tell whether an API runs on *coroutine*'s stack."""
    return any(guard.coroutine is coroutine for guard in guards.stack)


def check_order(name: str, coroutine: Any) -> None:
    """Refuse to resume *coroutine*, for the pull *name*, if it is guarded and not the newest."""
    stack = guards.stack
    if stack and stack[-1].coroutine is not coroutine:
        for guard in stack:
            if guard.coroutine is coroutine:
                raise out_of_order(name, guard, stack[-1])


def out_of_order(name: str, guard: Guard, later: Guard) -> OrderError:
    """Return the refusal to go on with *guard*'s API while *later*'s is suspended."""
    return OrderError(
        f"{name}: {guard.name} was resumed while {later.name}, which began later, is"
        " suspended; native libraries crash when that happens: close the later one"
        " first, collect one of the two into a list, or pass interleave=True to"
        " from_callback if the API is known to survive it",
        later,
    )


# What gives the next PullExit, or None when there were enough of them.
Exit: TypeAlias = Callable[[], BaseException | None]


class Call:
    """One call of a callback, while its `yield_` waits: what it is answered by."""

    __slots__ = ("sent", "told")

    def __init__(self) -> None:
        self.sent = False  # by send
        self.told: Exit | None = None  # by stop


# By coroutine, that of the thread it is on: the call whose yield_ waits there. An
# answer alone would not do: send(True) is not next, and send(False) is not stop.
calls: dict[Any, Call] = {}


def note_sent() -> None:
    """Note, on the producer's coroutine, that what resumes it is send."""
    if calls and (call := calls.get(getcurrent())):
        call.sent = True


def note_told(exit: Exit) -> None:
    """Note, on the producer's coroutine, that it is told to stop."""
    if call := calls.get(getcurrent()):
        call.told = exit
