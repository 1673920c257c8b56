"""from_callback: a push iterator over the calls that an API makes to a callback."""

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

    # A *run* whose API calls back with no argument, or with several. To accept a lambda, mypy
    # needs it in a union with the other kind of *run*, as the last overload has it. pyright
    # needs the other kind alone, as in the overload before.
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

    Each call of the callback becomes one value: its argument, or a tuple if there are
    several or none. With *pack*, the value is what *pack* returns for the arguments.

    The API waits inside the callback until the next value is asked for. The callback then
    returns to the API what the consumer sent with ``send``. If nothing was sent, it returns
    what *reply* returns for the arguments, or None without *reply*:

        >>> it = iterate(seq)
        >>> next(it)[0], it.send("<1>")[0]
        ('1', '22')

    When the iterator is closed, the suspended callback raises PullExit through the API. If
    the API swallows that exception and calls back again, that call raises PullExit too.
    After five PullExits, further calls of the callback return False, and the API runs to
    its own end. With *stop_reply*, the callback does not raise PullExit: it returns
    *stop_reply*, or raises it if it is an exception.

    Some APIs turn the stop into an exception of their own. List its class in *stop_errors*:
    ``close`` then swallows it. ``close`` always swallows PullExit, and an exception given
    as *stop_reply*.

    Some APIs have a function that stops them, and some crash if a callback raises. For
    these, pass the function as *stop*, ``app.quit`` for example. When the iterator is
    closed before the API has returned, *stop* is called once. If a callback is suspended,
    *stop* is called in that callback, and so in its thread. Otherwise (the API is running,
    in a separate thread) *stop* is called in the thread that calls ``close``; under
    `aiterate`, that is the event loop's thread. So *stop* must only request the stop, and
    must not wait. After that, the callback does not raise PullExit: it returns None, or
    does what *stop_reply* says. If *stop* raises an exception, ``close`` raises it.

    If *pack* or *reply* raises an exception, so does the callback. If the API swallows it,
    it is raised again when the API returns. The same happens with the TypeError for a call
    with keyword arguments and no *pack*.

    Many native libraries crash if two of their calls are suspended and the earlier one
    continues first. So, with the default engine, resuming or stopping a call while a call
    that began later is suspended raises PullError. If the API is known to survive that,
    pass ``interleave=True``. APIs in plain Python survive it, but need the argument too.
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
