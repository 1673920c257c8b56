"""The exceptions, and what is done to one on its way between coroutines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NoReturn


class PullError(RuntimeError):
    """An iterator was misused; the message says how, and what to do instead.

    A refusal leaves the iterator as it was.
    """


class WrongThreadError(PullError):
    """An iterator on the greenlet engine was used in a thread not its own."""


class PullExit(BaseException):
    """Raised by ``yield_`` to unwind a producer that was told to stop.

    A ``yield_`` that answers False asks its producer to return. If the
    producer calls it again instead, as an API does that ignores what its
    callback returns, the call raises PullExit. Let it pass, as you would
    GeneratorExit: the ``stop`` or ``close`` that it serves swallows it.
    """

    # Whose producer is unwound: a pull swallows its own PullExit only, so that
    # an outer one can unwind the inner pulls that it finds on its way.
    puller: object = None


def trim(error: BaseException) -> BaseException:
    """Return *error* without our own frames at the head of its traceback.

    What passes an error on in several steps would bury it under them.
    """
    traceback = error.__traceback__
    while traceback and is_ours(traceback.tb_frame.f_globals):
        traceback = traceback.tb_next
    return error.with_traceback(traceback)


def raise_if(error: BaseException | None) -> None:
    """Raise *error*, if there is one, and keep it in no frame of its own traceback."""
    try:
        if error:
            raise error
    finally:
        del error


def raise_as_left(error: BaseException) -> NoReturn:
    """Raise *error* with the context that it has, whatever is being handled here.

    A plain raise would put that in its place (contract 6).
    """
    context = error.__context__
    try:
        raise trim(error)
    finally:
        error.__context__ = context
        del error, context  # else the traceback and this frame are a cycle


def chain(error: BaseException, earlier: BaseException) -> BaseException:
    """Return *error* with *earlier* as the oldest of its contexts."""
    oldest, seen = error, {id(earlier)}
    while id(oldest) not in seen and oldest.__context__ is not None:
        seen.add(id(oldest))
        oldest = oldest.__context__
    if id(oldest) not in seen:
        oldest.__context__ = earlier
    return error


def leave(stop: Callable[[], object], error: BaseException | None) -> None:
    """End a with block that *error* has left, or None: an error of stop's keeps it."""
    try:
        stop()
    except BaseException as e:
        if error is not None:
            chain(e, error)
        raise


def refuse_copy(it: object) -> NoReturn:
    raise TypeError(
        f"cannot copy or pickle {it!r}: a suspended call has only one future;"
        " start another iterator over the same seq"
    )


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Give *error*, what it was raised from, and so on."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__


def is_ours(module: dict[str, object]) -> bool:
    """Tell whether *module*, the globals of a frame, is one of pullit's."""
    return str(module.get("__name__")).partition(".")[0] == __name__.partition(".")[0]
