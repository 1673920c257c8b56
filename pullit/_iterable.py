"""from_iterable: the way back, an iterable as a push iterator."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from reprlib import repr as short_repr
from typing import Any

from pullit._seq import seq_name
from pullit._types import Seq, T


def from_iterable(iterable: Iterable[T]) -> Seq[T]:
    """Return a push iterator over what *iterable* gives:

    >>> from_iterable([1, 2])(print)
    1

    It stops when its ``yield_`` answers false, as print does after the 1. Each
    call takes a new ``iter(iterable)``, and closes it at the end if that made a
    generator. TypeError if there is none to take.

    Pulling it again costs no coroutine: an iterator over it runs in its caller's
    thread and context, and has no ``.frame``.
    """
    if not is_iterable(iterable):
        raise TypeError(
            "pullit.from_iterable: expected an iterable, not"
            f" {type(iterable).__name__} {short_repr(iterable)}"
        )
    return IterableSeq(iterable)


def is_iterable(value: object) -> bool:
    """Tell whether *value* counts as an iterable, even if it can be called too."""
    return hasattr(type(value), "__iter__") or (
        hasattr(type(value), "__getitem__") and not callable(value)
    )


class IterableSeq:
    """The Seq of an iterable."""

    __slots__ = ("iterable",)

    def __init__(self, iterable: Iterable[Any]) -> None:
        self.iterable = iterable

    def __call__(self, yield_: Callable[[Any], Any], /) -> None:
        iterator = iter(self.iterable)
        try:
            for value in iterator:
                if not yield_(value):
                    return
        finally:
            self.close(iterator)

    def close(self, iterator: Any) -> None:
        """Close *iterator*, of our making: a producer leaves nothing suspended behind."""
        if is_fresh(iterator, self.iterable):
            iterator.close()

    def name(self) -> str:
        return f"from_iterable({seq_name(self.iterable)})"

    def __repr__(self) -> str:
        return f"pullit.from_iterable({short_repr(self.iterable)})"


def is_fresh(iterator: Any, iterable: Any) -> bool:
    """Tell whether *iterator* is a generator that iter has made, and we are to close."""
    return iterator is not iterable and isinstance(iterator, Generator)
