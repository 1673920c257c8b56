"""from_callback: an API that calls back, as a push iterator."""

from __future__ import annotations

from collections.abc import Callable
from reprlib import repr as short_repr
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, overload

from pullit._arguments import check_seq
from pullit._running_api import CallbackSeq, is_exception_class
from pullit._types import UNSET, Seq, T, Yield

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
    stop: Callable[[], object] | None = None,
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
    stop: Callable[[], object] | None = None,
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
    stop: Callable[[], object] | None = None,
    stop_reply: Any = ...,
    stop_errors: tuple[type[BaseException], ...] = (),
    interleave: bool = False,
) -> Seq[T]: ...
def from_callback(
    run: Any,
    *,
    pack: Any = None,
    reply: Any = None,
    stop: Any = None,
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

    When the iterator is closed, the callback that waits raises PullExit through the
    API. If the API swallows that, later calls raise it again. After five of them the
    API runs to its own end. With *stop_reply* the callback returns that value instead,
    or raises it if it is an exception. ``close`` swallows the exceptions that this
    causes, and those listed in *stop_errors*.

    Some APIs have a way of their own to stop, or die of an exception. For these, pass a
    function that stops the API as *stop*, ``app.quit`` for example. It is called once:
    by the callback that waits, or, if none does, by ``close`` itself. So it must only
    give an order, and not wait. Afterwards the callback returns *stop_reply*, or None,
    and raises nothing. ``close`` raises an error of *stop*.

    An error of *pack* or *reply* goes through the API, and is raised at its end if it
    swallows it. So is the TypeError of a call with keyword arguments and no *pack*.

    Native libraries crash when suspended calls do not end newest first. To resume or
    stop one while a later one is suspended is an error, PullError, except with the
    thread engine, or if *interleave* says that the API survives it.
    """
    check_seq("pullit.from_callback", run, "run", "a function of one argument, the callback")
    for name, value in (("pack", pack), ("reply", reply), ("stop", stop)):
        if value is not None and not callable(value):
            raise TypeError(
                f"pullit.from_callback: {name} must be a function, not"
                f" {type(value).__name__} {short_repr(value)}"
            )
    given: object = stop_errors
    if not (isinstance(given, tuple) and all(map(is_exception_class, given))):
        advice = f"; pass ({given.__qualname__},)" if is_exception_class(given) else ""
        raise TypeError(
            "pullit.from_callback: stop_errors must be a tuple of classes of exceptions, not"
            f" {short_repr(stop_errors)}{advice}"
        )
    return CallbackSeq(
        run,
        pack=pack,
        reply=reply,
        stop=stop,
        stop_reply=stop_reply,
        stop_errors=stop_errors,
        interleave=interleave,
    )
