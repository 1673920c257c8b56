"""The exceptions, and what is done to one on its way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn


class PullError(RuntimeError):
    """An iterator was misused, unharmed; the message says what to do instead."""


class WrongThreadError(PullError):
    """An iterator on the greenlet engine was used in another thread."""


class PullExit(BaseException):
    """Raised by ``yield_`` in a producer that goes on after it was told to stop.

    An API does so that ignores what its callback returns. Let it pass, like
    GeneratorExit: the ``stop`` or ``close`` that it serves swallows it.
    """

    # Who swallows it: an outer pull can unwind inner ones.
    puller: object = None


def trim(error: BaseException) -> BaseException:
    """Return *error* without our own frames at the head of its traceback."""
    traceback = error.__traceback__
    while traceback and is_ours(traceback.tb_frame.f_globals):
        traceback = traceback.tb_next
    return error.with_traceback(traceback)


def raise_if(error: BaseException | None) -> None:
    """Raise *error*, if any, and keep it in no frame of its own traceback."""
    try:
        if error:
            raise error
    finally:
        del error


def raise_as_left(error: BaseException) -> NoReturn:
    """Raise *error* with the context that it has (contract 6)."""
    context = error.__context__
    try:
        raise trim(error)
    finally:
        error.__context__ = context
        del error, context  # else this frame and the traceback are a cycle


def chain(error: BaseException, earlier: BaseException | None) -> BaseException:
    """Return *error* with *earlier*, if any, as the oldest of its contexts."""
    oldest, seen = error, {id(earlier)}
    while id(oldest) not in seen and oldest.__context__ is not None:
        seen.add(id(oldest))
        oldest = oldest.__context__
    if id(oldest) not in seen:
        oldest.__context__ = earlier
    return error


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Give *error*, what it was raised from, and so on."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__


def is_ours(module: dict[str, object]) -> bool:
    """Tell whether a frame with the globals *module* is pullit's."""
    return str(module.get("__name__")).partition(".")[0] == "pullit"
