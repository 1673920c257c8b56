"""The order guard (contract 17), and whom a callback's yield_ is answered by.

Native libraries (HDF5, scipy, all of pybind11) keep lists whose nodes lie on the C
stack: when suspended calls do not end newest first, the process crashes. So each API
that runs has a guard on its thread's list, where the loop looks before it resumes
one. A plain producer pays only when its consumer changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from greenlet import getcurrent

from pullit._coro import own
from pullit._errors import PullError


class Guard:
    """An API that a coroutine runs."""

    __slots__ = ("coroutine", "dropped", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.coroutine = getcurrent()
        self.dropped: list[Any] = []  # pulls to stop afterwards

    def leave(self) -> None:
        """Stop them."""
        while self.dropped:
            self.dropped.pop().drop()


class OrderError(PullError):
    """A PullError that tells drop what must end first: *later*."""

    def __init__(self, text: str, later: Guard) -> None:
        super().__init__(text)
        self.later = later

    def __reduce__(self) -> Any:
        return PullError, self.args


OrderError.__name__ = OrderError.__qualname__ = "PullError"
OrderError.__module__ = "pullit"


def is_guarded(coroutine: Any) -> bool:
    """Tell whether *coroutine* runs an API."""
    return any(guard.coroutine is coroutine for guard in own().guards)


def check_order(name: str, coroutine: Any) -> None:
    """Refuse to resume *coroutine* if it is guarded and not the newest."""
    guards = own().guards
    for guard in guards:
        if guard.coroutine is coroutine is not guards[-1].coroutine:
            raise out_of_order(name, guard, guards[-1])


def out_of_order(name: str, guard: Guard, later: Guard) -> OrderError:
    """Return the refusal to resume *guard* while *later* is suspended."""
    return OrderError(
        f"{name}: {guard.name} was resumed while {later.name}, which began later, is"
        " suspended; native libraries crash when that happens: close the later one"
        " first, collect one of the two into a list, or pass interleave=True to"
        " from_callback if the API is known to survive it",
        later,
    )


# Gives the next PullExit, or None after enough.
Exit: TypeAlias = Callable[[], BaseException | None]


class Call:
    """What resumes the `yield_` of a callback: next, unless one of these is true."""

    sent = False
    told: Exit | None = None  # to stop


# By coroutine. The answers would not do: send(True) is not next, nor send(False) stop.
calls: dict[Any, Call] = {}


def note_sent() -> None:
    """Note, on the producer's coroutine, that send resumes it."""
    if calls and (call := calls.get(getcurrent())):
        call.sent = True


def note_told(exit: Exit) -> None:
    """Note, on the producer's coroutine, that stop resumes it."""
    if call := calls.get(getcurrent()):
        call.told = exit
