"""zip, zip_longest, merge and equal: walks side by side."""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from reprlib import repr as short_repr
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from pullit._direct import Direct
from pullit._iterable import IterableSeq, is_iterable, open_iterable
from pullit._iterator import PullIterator, iterate, iterator
from pullit._seq import check_seq, seq_name
from pullit._types import Seq, T

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    F = TypeVar("F", default=None)  # what fills in
else:
    from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")

Walk: TypeAlias = Seq[T] | Iterable[T]
"""What the functions here take: a push iterator or an ordinary iterable."""

MISSING = object()

KIND = "a push iterator, a function that takes yield_, or an iterable"


def combine(
    name: str, walks: tuple[Any, ...], join: Callable[..., Iterator[Any]]
) -> PullIterator[Any]:
    """Return an iterator over what *join* makes of iterators over the *walks*.

    Whichever way it ends, the iterators that were made here are closed, newest
    first: their producers have returned when it has ended.
    """
    for place, walk in enumerate(walks, 1):
        if not is_iterable(walk):
            check_seq(f"pullit.{name}", walk, f"argument {place}", KIND)
    names = [short_repr(walk) if isinstance(walk, str) else seq_name(walk) for walk in walks]
    label = f"{name}({', '.join(names)})"
    sources: list[Any] = [
        walk.iterable if isinstance(walk, IterableSeq) else walk for walk in walks
    ]

    def make(made: list[Any]) -> Iterator[Any]:
        iterators: list[Iterator[Any]] = []
        for source in sources:
            if is_iterable(source):
                iterators.append(open_iterable(source, made))
            else:
                iterators.append(iterate(source))
                made.append(iterators[-1])
        return join(*iterators)

    bound = not all(map(is_iterable, sources))
    return iterator(Direct(f"pullit.{name}", label, make, bound))


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
    a: Walk[Any],
    b: Walk[Any],
    c: Walk[Any],
    d: Walk[Any],
    e: Walk[Any],
    f: Walk[Any],
    /,
    *more: Walk[Any],
    strict: bool = ...,
) -> PullIterator[tuple[Any, ...]]: ...
def zip(*seqs: Any, strict: bool = False) -> PullIterator[Any]:
    """Return an iterator over tuples of values, one of each of *seqs*, side by side:

        >>> from pullit import zip
        >>> def letters(yield_):
        ...     for letter in "abc":
        ...         if not yield_(letter):
        ...             return
        >>> list(zip(letters, [1, 2]))
        [('a', 1), ('b', 2)]

    Each of *seqs* is a push iterator or an ordinary iterable. The values, and
    the errors of *strict*, are those of the builtin zip, and so is the order in
    which the seqs are asked.

    Nothing runs before the first value is asked for. Whichever way it ends (the
    shortest ends, a seq fails, the consumer closes or drops it), every push
    iterator has been stopped when it has, newest first. If that fails too, the
    error has the first one among its contexts.
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
    a: Walk[Any],
    b: Walk[Any],
    c: Walk[Any],
    d: Walk[Any],
    e: Walk[Any],
    f: Walk[Any],
    /,
    *more: Walk[Any],
    fillvalue: Any = ...,
) -> PullIterator[tuple[Any, ...]]: ...
def zip_longest(*seqs: Any, fillvalue: Any = None) -> PullIterator[Any]:
    """Return an iterator like `zip`'s that goes on until the longest of *seqs* ends.

    *fillvalue* stands for what is missing, as in itertools.zip_longest. Go's
    xiter.Zip.

    >>> list(zip_longest([1, 2], [3]))
    [(1, 3), (2, None)]
    """
    return combine("zip_longest", seqs, partial(itertools.zip_longest, fillvalue=fillvalue))


def merge(
    *seqs: Walk[T], key: Callable[[T], Any] | None = None, reverse: bool = False
) -> PullIterator[T]:
    """Return an iterator over all values of *seqs*, each of them sorted, in order:

        >>> list(merge([1, 4], [2, 3], key=None))
        [1, 2, 3, 4]

    The result is that of heapq.merge: of equal values the earlier seq's come
    first. Each seq is asked for one value ahead. In all else it is like `zip`.
    """
    import heapq  # for those who merge

    return combine("merge", seqs, partial(heapq.merge, key=key, reverse=reverse))


def equal(a: Walk[A], b: Walk[B], *, eq: Callable[[A, B], object] | None = None) -> bool:
    """Tell whether *a* and *b* give equal values, and as many of them:

        >>> from pullit import from_iterable
        >>> equal([1, 2], from_iterable([1, 2]))
        True
        >>> equal([1, 2], [1, 2, 3])
        False

    Asks no further than the first difference. *eq* is called with a value of
    each, and never with one that is missing; it stands for ``==``, by which nan
    differs from itself. Both are stopped when it returns. Go's xiter.Equal.
    """
    join = partial(itertools.zip_longest, fillvalue=MISSING)
    with combine("equal", (a, b), join) as pairs:
        for x, y in pairs:
            if x is MISSING or y is MISSING or not (x == y if eq is None else eq(x, y)):
                return False
    return True
