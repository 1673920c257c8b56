"""Iterables as push iterators."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from reprlib import repr as short_repr
from typing import Any

from pullit._types import Seq, T


def from_iterable(iterable: Iterable[T]) -> Seq[T]:
    """Return a push iterator over what *iterable* gives:

    >>> from_iterable([1, 2])(print)
    1

    It stops when its ``yield_`` answers false, as print does after the 1. Each
    call takes a new ``iter(iterable)``, and closes it at the end if it is a
    generator. TypeError if there is none to take.
    """
    if not hasattr(type(iterable), "__iter__") and not hasattr(type(iterable), "__getitem__"):
        raise TypeError(
            "pullit.from_iterable: expected an iterable, not"
            f" {type(iterable).__name__} {short_repr(iterable)}"
        )
    return IterableSeq(iterable)


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
            # As a generator's for loop would not, but a producer must not leave
            # anything suspended behind.
            close = getattr(iterator, "close", None)
            if close is not None and iterator is not self.iterable:
                close()

    def __repr__(self) -> str:
        return f"pullit.from_iterable({short_repr(self.iterable)})"
