"""from_callback: an API that calls back, as a push iterator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, overload

from pullit._arguments import check_seq
from pullit._running_api import UNSET, CallbackSeq
from pullit._types import Seq, T, Yield

if TYPE_CHECKING:

    class Many(Protocol):
        def __call__(self, a: Any, b: Any, /, *more: Any, **named: Any) -> Any: ...

    # Runs that call back with no argument, or several. mypy takes a lambda for one only
    # in a union with the first kind, pyright only alone.
    Other: TypeAlias = Callable[[Many], object] | Callable[[Callable[[], Any]], object]


@overload
def from_callback(
    run: Callable[[Callable[..., Any]], object],
    *,
    pack: Callable[..., T],
    reply: Callable[..., Any] | None = None,
    stop_reply: Any = ...,
    stop_errors: tuple[type[BaseException], ...] = (),
    interleave: bool = False,
) -> Seq[T]: ...
@overload
def from_callback(
    run: Callable[[Yield[T]], object],
    *,
    pack: None = None,
    reply: Callable[..., Any] | None = None,
    stop_reply: Any = ...,
    stop_errors: tuple[type[BaseException], ...] = (),
    interleave: bool = False,
) -> Seq[T]: ...
@overload
def from_callback(
    run: Callable[[Yield[T]], object] | Other,
    *,
    pack: None = None,
    reply: Callable[..., Any] | None = None,
    stop_reply: Any = ...,
    stop_errors: tuple[type[BaseException], ...] = (),
    interleave: bool = False,
) -> Seq[T]: ...
def from_callback(
    run: Any,
    *,
    pack: Any = None,
    reply: Any = None,
    stop_reply: Any = UNSET,
    stop_errors: tuple[type[BaseException], ...] = (),
    interleave: bool = False,
) -> Any:
    """Return a push iterator over the calls that an API makes to a callback.

    *run* calls the API with the callback that it is given:

        >>> from pullit import from_callback, iterate
        >>> import re
        >>> seq = from_callback(lambda callback: re.sub("[0-9]+", callback, "a1b22"))
        >>> for match in iterate(seq):
        ...     print(match[0])
        1
        22

    Each call is one value: what *pack* makes of its arguments, else its sole
    positional argument, else the tuple of them. The API waits in the callback until
    the next value is asked for. It gets what the consumer sends, else *reply* of the
    arguments, else None:

        >>> it = iterate(seq)
        >>> next(it)[0], it.send("<1>")[0]
        ('1', '22')

    Told to stop, the callback raises PullExit, again if the API swallows it, and
    after five lets the API come to its own end. With *stop_reply* it returns that
    instead, or raises it if it is an exception. ``close`` does not raise what was
    raised from these, nor *stop_errors*.

    An error of *pack* or *reply* goes through the API, and is raised at its end if it
    swallows it. So is the TypeError of a call with keyword arguments and no *pack*.

    Native libraries crash when suspended calls do not end newest first. To resume or
    stop one while a later one is suspended is an error, PullError, except with the
    thread engine, or if *interleave* says that the API survives it.
    """
    check_seq("pullit.from_callback", run, "run", "a function of one argument, the callback")
    return CallbackSeq(run, pack, reply, stop_reply, stop_errors, interleave)
