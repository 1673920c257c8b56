"""Right uses of pullit, and the types they must have. Type-checked, never run."""

from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from types import FrameType
from typing import Any, TypeVar, assert_type

import pullit
from pullit import Pull, Pull2, PullIterator, Seq, Seq2, generator, iterate, iterate2, pull, pull2

T = TypeVar("T")


# What a producer may look like.


def squares(yield_: Callable[[int], bool]) -> None: ...
def asks(yield_: Callable[[int], str]) -> list[str]: ...
def answered_any(yield_: Callable[[int], Any]) -> None: ...
def answered_object(yield_: Callable[[int], object]) -> None: ...
def answered_nothing(yield_: Callable[[int], None]) -> None: ...
def countdown(yield_: Callable[[int], bool], start: int, *, step: int = 1) -> None: ...
def items(yield_: Callable[[str, int], bool]) -> None: ...
def optional(yield_: Callable[[int | None], bool]) -> None: ...
def endless(yield_: Callable[[int], bool], start: int = 0) -> None: ...
def unannotated(yield_): ...  # type: ignore  # mypy: no-untyped-def; basedpyright: as many


class Tree:
    def leaves(self, yield_: Callable[[int], bool]) -> None: ...

    @classmethod
    def names(cls, yield_: Callable[[str], bool]) -> None: ...

    @staticmethod
    def sizes(yield_: Callable[[float], bool]) -> None: ...

    def __call__(self, yield_: Callable[[bytes], bool]) -> None: ...

    def walk(self, depth: int) -> PullIterator[int]:
        @generator
        def walk(yield_: Callable[[int], bool], depth: int) -> None:
            self.leaves(yield_)

        return walk(depth)


def producers(tree: Tree, seq: Seq[int], seq2: Seq2[str, int]) -> None:
    for v in iterate(squares):
        assert_type(v, int)
    assert_type(iterate(squares), PullIterator[int])
    assert_type(iterate(asks), PullIterator[int])
    assert_type(iterate(answered_any), PullIterator[int])
    assert_type(iterate(answered_object), PullIterator[int])
    assert_type(iterate(answered_nothing), PullIterator[int])
    assert_type(iterate(optional), PullIterator[int | None])
    assert_type(iterate(endless), PullIterator[int])
    assert_type(iterate(unannotated), PullIterator[Any])
    assert_type(iterate(partial(countdown, start=3)), PullIterator[int])
    assert_type(iterate(partial(countdown, start=3, step=2)), PullIterator[int])
    assert_type(iterate(tree.leaves), PullIterator[int])
    assert_type(iterate(tree.names), PullIterator[str])
    assert_type(iterate(Tree.names), PullIterator[str])
    assert_type(iterate(tree.sizes), PullIterator[float])
    assert_type(iterate(tree), PullIterator[bytes])
    assert_type(iterate(lambda yield_: countdown(yield_, 3)), PullIterator[int])
    assert_type(iterate(seq), PullIterator[int])
    assert_type(iterate2(items), PullIterator[tuple[str, int]])
    assert_type(iterate2(seq2), PullIterator[tuple[str, int]])
    assert_type(iterate2(lambda yield_: items(yield_)), PullIterator[tuple[str, int]])
    annotated: PullIterator[int] = iterate(lambda yield_: yield_(1))
    annotated2: PullIterator[tuple[str, int]] = iterate2(lambda yield_: yield_("one", 1))
    iterate(squares, engine="thread")
    iterate2(items, engine="thread")


def pulls(tree: Tree) -> None:
    assert_type(pull(squares), Pull[int])
    assert_type(pull(asks, engine="thread"), Pull[int])
    assert_type(pull(partial(countdown, start=3)), Pull[int])
    assert_type(pull(tree), Pull[bytes])

    next, stop = pull(squares)
    v, ok = next()
    assert_type(v, int | None)
    assert_type(ok, bool)
    assert_type(stop(), None)
    match next():
        case (v, True):
            assert_type(v, int)
        case (nothing, False):
            assert_type(nothing, None)
    result = next()
    if result[1]:
        assert_type(result[0], int)

    with pull(squares) as p:
        assert_type(p, Pull[int])
        p.next()
        p.stop()
    with pull(squares) as (next, stop):
        match next():
            case (v, True):
                assert_type(v, int)
            case _:
                pass


def pulls_of_pairs() -> None:
    assert_type(pull2(items), Pull2[str, int])
    next, stop = pull2(items)
    assert_type(stop(), None)
    match next():
        case (k, v, True):
            assert_type(k, str)
            assert_type(v, int)
        case (no_key, no_value, False):
            assert_type(no_key, None)
            assert_type(no_value, None)
    with pull2(items, engine="thread") as p:
        assert_type(p, Pull2[str, int])
    with pull2(items) as (next, stop):
        match next():
            case (k, v, True):
                assert_type((k, v), tuple[str, int])
            case _:
                pass


def iterators() -> None:
    it = iterate(squares)
    assert_type(next(it), int)
    assert_type(next(it, None), int | None)
    assert_type(list(it), list[int])
    assert_type(it.send("sent"), int)
    assert_type(it.throw(ValueError), int)
    assert_type(it.throw(ValueError("so")), int)
    assert_type(it.close(), Any)
    assert_type(it.result, Any)
    assert_type(it.done, bool)
    assert_type(it.frame, FrameType | None)
    with it as entered:
        assert_type(entered, PullIterator[int])
    iterator: Iterator[int] = it
    iterable: Iterable[object] = it
    native: Generator[int, Any, Any] = it
    sends: Generator[int, str, list[str]] = iterate(asks)
    wider: PullIterator[int | str] = it  # covariant, as iterators are
    for k, v in iterate2(items):
        assert_type(k, str)
        assert_type(v, int)


def delegates() -> Generator[int, str, None]:
    assert_type((yield from iterate(asks)), Any)


@generator
def leaves(yield_: Callable[[int], bool], tree: list[Any], *, depth: int = 0) -> None:
    for node in tree:
        if isinstance(node, list):
            for leaf in leaves(node, depth=depth + 1):
                yield_(assert_type(leaf, int))
        else:
            yield_(node)


@generator(engine="thread")
def lines(yield_: Callable[[str], object], path: str, *more: str, **options: int) -> int:
    return 0


@generator()
def no_more(yield_: Callable[[int], bool]) -> None: ...


@generator
def each(yield_: Callable[[T], bool], iterable: Iterable[T]) -> None: ...


def generators(tree: Tree) -> None:
    assert_type(leaves([1, [2]]), PullIterator[int])
    assert_type(leaves(tree=[1], depth=2), PullIterator[int])
    assert_type(lines("a", "b", tabs=4), PullIterator[str])
    assert_type(no_more(), PullIterator[int])
    assert_type(each("abc"), PullIterator[str])
    assert_type(each([1]), PullIterator[int])
    assert_type(tree.walk(3), PullIterator[int])
    assert_type(generator(squares), Callable[[], PullIterator[int]])
    assert_type(generator(squares, engine="thread"), Callable[[], PullIterator[int]])
    assert_type(generator(tree.leaves)(), PullIterator[int])
    assert_type(generator(tree)(), PullIterator[bytes])


def aliases() -> None:
    seq: Seq[int] = squares
    seq = asks
    seq2: Seq2[str, int] = items
    wider: Seq[int | str] = squares  # covariant
    p: Pull[int] = pull(seq)
    p2: Pull2[str, int] = pull2(seq2)
    wider_p: Pull[int | str] = p
    wider_p2: Pull2[str | int, float] = p2
    numbers = pullit.from_iterable([1])
    assert_type(numbers, Seq[int])
    assert_type(iterate(numbers), PullIterator[int])
    assert_type(iterate(pullit.from_iterable({"a": 1}.items())), PullIterator[tuple[str, int]])


def errors() -> None:
    try:
        pass
    except pullit.WrongThreadError as e:
        error: pullit.PullError = e
        builtin: RuntimeError = e
    except pullit.PullExit as e:
        base: BaseException = e
