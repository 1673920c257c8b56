"""The order guard (contract 17), and a note of what resumes the callback of an API.

Native libraries (HDF5, scipy, all of pybind11) keep lists whose nodes lie on the C
stack. If suspended calls do not end newest first, the process crashes. So each run of an
API by from_callback has a guard on its thread's list. A coroutine that runs an API is
*guarded*: before a pull resumes it, it looks at that list. A plain producer pays nothing,
since only guarded ones take the slow way.
"""

from __future__ import annotations

from typing import Any

from pullit._coro import coro_of
from pullit._errors import PullError
from pullit._per_thread import PerThread
from pullit._pull import EnginePull, Order


class Guard:
    """A run of an API, in a coroutine."""

    __slots__ = ("coroutine", "dropped", "home", "name")

    def __init__(self, name: str, home: PerThread) -> None:
        self.name = name
        self.home = home
        self.coroutine = home.coroutine()
        self.dropped: list[Any] = []  # pulls to stop afterwards

    def begin(self) -> None:
        """Have the pull of this coroutine's producer look at the guards before it resumes it."""
        self.home.guards.append(self)
        pull: Any = self.coroutine and coro_of(self.coroutine)
        if pull is not None:
            pull.regular = None  # see ProducerSide: its next takes the slow way

    def end(self) -> None:
        """Stop the pulls that were dropped meanwhile, but that this guard kept from stopping."""
        while self.dropped:
            self.dropped.pop().drop()


class NestingError(PullError):
    """A PullError that also says which API must end first: *later*. A drop waits for that."""

    def __init__(self, text: str, later: Guard) -> None:
        super().__init__(text)
        self.later = later

    def __reduce__(self) -> Any:
        return PullError, self.args


# Users see a plain PullError, in tracebacks and in pickles: the class is not public.
NestingError.__name__ = NestingError.__qualname__ = "PullError"
NestingError.__module__ = "pullit"


def is_guarded(home: PerThread, coroutine: Any) -> bool:
    """Return whether *coroutine* runs an API."""
    return any(guard.coroutine is coroutine for guard in home.guards)


def check_nesting(home: PerThread, name: str, coroutine: Any) -> None:
    """Refuse to resume *coroutine* if it is guarded, and another one was guarded later."""
    guards = home.guards
    for guard in guards:
        if guard.coroutine is coroutine is not guards[-1].coroutine:
            raise not_newest(name, guard, guards[-1])


def not_newest(name: str, guard: Guard, later: Guard) -> NestingError:
    """Return the refusal to resume *guard* while *later* is suspended."""
    return NestingError(
        f"{name}: {guard.name} was resumed while {later.name}, which began later, is"
        " suspended; native libraries crash when that happens: close the later one"
        " first, collect one of the two into a list, or pass interleave=True to"
        " from_callback if the API is known to survive it",
        later,
    )


class WaitingCallback:
    """A callback that waits in a ``yield_``, and the order that resumes it, if any.

    What ``yield_`` returns cannot tell what has resumed it: next and send(True) look the
    same, and so do a stop and send(False).
    """

    __slots__ = ("order", "pull")

    def __init__(self) -> None:
        self.order: Order | None = None
        self.pull: Any = None  # whose order it is


def note_order(home: PerThread | None, pull: EnginePull, order: Order) -> None:
    """Note, on the producer's coroutine, that *order* of *pull* resumes it."""
    if home and home.calls and (call := home.calls.get(home.coroutine())):
        call.order, call.pull = order, pull
