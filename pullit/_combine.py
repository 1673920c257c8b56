"""zip, zip_longest, merge and equal: several push iterators or iterables side by side."""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from reprlib import repr as short_repr
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

from pullit._arguments import check_seq, seq_name
from pullit._iterable import IterableSeq, is_iterable, open_iterable
from pullit._iterable_pull import IterablePull
from pullit._iterator import PullIterator, iterate, iterator
from pullit._types import Seq, T

if TYPE_CHECKING:
    import typing_extensions

    F = typing_extensions.TypeVar("F", default=None)

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")

Walk: TypeAlias = Seq[T] | Iterable[T]
Some: TypeAlias = Walk[Any]

MISSING = object()


def combine(name: str, walks: Any, join: Callable[..., Iterator[Any]]) -> PullIterator[Any]:
    """Return an iterator over the values of *join*, called with an iterator over each walk."""
    for place, walk in enumerate(walks, 1):
        if not is_iterable(walk):
            kind = "a push iterator, a function that takes yield_, or an iterable"
            check_seq(f"pullit.{name}", walk, f"argument {place}", kind)
    names = [short_repr(walk) if isinstance(walk, str) else seq_name(walk) for walk in walks]
    label = f"{name}({', '.join(names)})"
    sources = [walk.iterable if isinstance(walk, IterableSeq) else walk for walk in walks]

    def make(made: list[Any]) -> Iterator[Any]:
        iterators = []
        for source in sources:
            if is_iterable(source):
                iterators.append(open_iterable(source, made))
            else:
                made.append(iterate(source))
                iterators.append(made[-1])
        return join(*iterators)

    bound = not all(map(is_iterable, sources))
    return iterator(IterablePull(f"pullit.{name}", label, make, bound))


@overload
def zip(*, strict: bool = ...) -> PullIterator[Any]: ...
@overload
def zip(a: Walk[A], /, *, strict: bool = ...) -> PullIterator[tuple[A]]: ...
@overload
def zip(a: Walk[A], b: Walk[B], /, *, strict: bool = ...) -> PullIterator[tuple[A, B]]: ...
@overload
def zip(
    a: Walk[A], b: Walk[B], c: Walk[C], /, *, strict: bool = ...
) -> PullIterator[tuple[A, B, C]]: ...
@overload
def zip(
    a: Walk[A], b: Walk[B], c: Walk[C], d: Walk[D], /, *, strict: bool = ...
) -> PullIterator[tuple[A, B, C, D]]: ...
@overload
def zip(
    a: Walk[A], b: Walk[B], c: Walk[C], d: Walk[D], e: Walk[E], /, *, strict: bool = ...
) -> PullIterator[tuple[A, B, C, D, E]]: ...
@overload
def zip(
    a: Some, b: Some, c: Some, d: Some, e: Some, f: Some, /, *more: Some, strict: bool = ...
) -> PullIterator[tuple[Any, ...]]: ...
def zip(*seqs: Any, strict: bool = False) -> PullIterator[Any]:
    """Return an iterator over tuples with one value from each of *seqs*:

        >>> from pullit import zip
        >>> def letters(yield_):
        ...     return yield_("a") and yield_("b")
        >>> list(zip(letters, [1, 2, 3]))
        [('a', 1), ('b', 2)]

    Each of *seqs* is a push iterator or an ordinary iterable. Nothing runs before the first
    value is asked for. Values, end and *strict* are those of Python's ``zip``.

    When the result ends, every push iterator has been stopped, in the reverse of the order
    in which they started. That holds if the shortest ends, if one of them raises, and if
    the result is closed or dropped. If stopping one of them raises an exception, that
    exception is raised; its chain of ``__context__`` holds any earlier one.

    Push iterators run with the default engine, one value at a time. For another engine, or
    to read ahead, pass ``iterate(seq, ...)``. `zip` does not close such an iterator: close
    it yourself.
    """
    return combine("zip", seqs, partial(builtins.zip, strict=strict))


@overload
def zip_longest(*, fillvalue: Any = ...) -> PullIterator[Any]: ...
@overload
def zip_longest(a: Walk[A], /, *, fillvalue: Any = ...) -> PullIterator[tuple[A]]: ...
@overload
def zip_longest(
    a: Walk[A], b: Walk[B], /, *, fillvalue: F = ...
) -> PullIterator[tuple[A | F, B | F]]: ...
@overload
def zip_longest(
    a: Walk[A], b: Walk[B], c: Walk[C], /, *, fillvalue: F = ...
) -> PullIterator[tuple[A | F, B | F, C | F]]: ...
@overload
def zip_longest(
    a: Walk[A], b: Walk[B], c: Walk[C], d: Walk[D], /, *, fillvalue: F = ...
) -> PullIterator[tuple[A | F, B | F, C | F, D | F]]: ...
@overload
def zip_longest(
    a: Walk[A], b: Walk[B], c: Walk[C], d: Walk[D], e: Walk[E], /, *, fillvalue: F = ...
) -> PullIterator[tuple[A | F, B | F, C | F, D | F, E | F]]: ...
@overload
def zip_longest(
    a: Some, b: Some, c: Some, d: Some, e: Some, f: Some, /, *more: Some, fillvalue: Any = ...
) -> PullIterator[tuple[Any, ...]]: ...
def zip_longest(*seqs: Any, fillvalue: Any = None) -> PullIterator[Any]:
    """Return an iterator like that of `zip` that goes on until the longest has ended:

    >>> list(zip_longest([1, 2], [3]))
    [(1, 3), (2, None)]

    *fillvalue* replaces the missing values of the arguments that have ended. In a withdrawn
    Go proposal this function is ``xiter.Zip``.
    """
    return combine("zip_longest", seqs, partial(itertools.zip_longest, fillvalue=fillvalue))


def merge(
    *seqs: Walk[T], key: Callable[[T], Any] | None = None, reverse: bool = False
) -> PullIterator[T]:
    """Merge *seqs*, each of which is sorted, into one sorted iterator:

        >>> list(merge([1, 4], [2, 3]))
        [1, 2, 3, 4]

    Of equal values, that of the earlier argument comes first. One value of each of *seqs*
    is held at a time. *key* and *reverse* are those of ``heapq.merge``. Engines, errors and
    the end are as with `zip`.
    """
    import heapq  # here, since only merge needs it

    return combine("merge", seqs, partial(heapq.merge, key=key, reverse=reverse))


def equal(a: Walk[A], b: Walk[B], *, eq: Callable[[A, B], object] | None = None) -> bool:
    """Return whether *a* and *b* have equal values, and the same number of them:

        >>> equal([1, 2], (1, 2))
        True
        >>> equal([1, 2], [1, 2, 3])
        False

    *a* and *b* are push iterators or iterables. They run no further than the first
    difference; then each push iterator is stopped. An iterator that you pass, such as
    ``iterate(seq)``, is left for you to close. *eq* is a function of two values that
    replaces ``==``. If one of the two ends before the other, *eq* is not called for the
    rest. A withdrawn Go proposal has it as ``xiter.Equal``.
    """
    join = partial(itertools.zip_longest, fillvalue=MISSING)
    with combine("equal", (a, b), join) as pairs:
        for x, y in pairs:
            if x is MISSING or y is MISSING or not (x == y if eq is None else eq(x, y)):
                return False
    return True
