"""from_iterable: push iterators over ordinary iterables."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from reprlib import repr as short_repr
from typing import Any

from pullit._arguments import seq_name
from pullit._types import Seq, T


def from_iterable(iterable: Iterable[T]) -> Seq[T]:
    """Return a push iterator over the values of *iterable*:

    >>> from_iterable([1, 2])(print)
    1

    It stops when ``yield_`` returns something false. Here ``print`` returns None, so it
    stops after one value.

    Each call of the push iterator takes a new ``iter(iterable)``. If that creates a
    generator, the generator is closed at the end. If *iterable* is itself a generator,
    closing it is left to you; if you keep no reference to it, it is closed when the push
    iterator is dropped.

    `iterate` needs no separate stack for such a push iterator: *iterable* runs in the
    thread and context of the code that calls ``next``, even with ``engine="thread"``, and
    ``.frame`` is None. Under `aiterate`, *iterable* runs in the producer's thread.
    """
    if not is_iterable(iterable):
        raise TypeError(
            "pullit.from_iterable: expected an iterable, not"
            f" {type(iterable).__name__} {short_repr(iterable)}"
        )
    return IterableSeq(iterable)


def is_iterable(value: object) -> bool:
    """Return whether *value* is an iterable, even if it is callable as well."""
    return hasattr(type(value), "__iter__") or (
        hasattr(type(value), "__getitem__") and not callable(value)
    )


def open_iterable(iterable: Any, made: list[Any]) -> Iterator[Any]:
    """Return ``iter(iterable)``. If that is a new generator, add it to *made*, to be closed."""
    iterator: Iterator[Any] = iter(iterable)
    if iterator is not iterable and isinstance(iterator, Generator):
        made.append(iterator)
    return iterator


class IterableSeq:
    """What from_iterable returns: a push iterator over an iterable."""

    def __init__(self, iterable: Any) -> None:
        self.iterable = iterable
        self.__qualname__ = f"from_iterable({seq_name(iterable)})"

    def __call__(self, yield_: Callable[[Any], Any], /) -> None:
        made: list[Any] = []
        try:
            for value in open_iterable(self.iterable, made):
                if not yield_(value):
                    return
        finally:
            for iterator in made:  # a producer leaves nothing suspended behind
                iterator.close()

    def __repr__(self) -> str:
        return f"pullit.from_iterable({short_repr(self.iterable)})"
