"""Right uses of pullit, and the types they must have: type-checked, never run."""

# mypy: allow-untyped-defs

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
)
from contextlib import aclosing
from enum import Enum
from functools import partial
from operator import itemgetter
from types import FrameType
from typing import Any, Generic, Literal, TypeVar, assert_type

import pullit
from pullit import (
    AsyncPullIterator,
    Pull,
    Pull2,
    PullIterator,
    Seq,
    Seq2,
    Yield,
    Yield2,
    generator,
    iterate,
    iterate2,
    pull,
    pull2,
)

T = TypeVar("T")


# Push iterators of every kind.


def squares(yield_: Callable[[int], bool]) -> None: ...
def answered_any(yield_: Callable[[int], Any]) -> None: ...
def answered_object(yield_: Callable[[int], object]) -> None: ...
def answered_nothing(yield_: Callable[[int], None]) -> None: ...
def answered_str(yield_: Callable[[int], str]) -> None: ...
def optional(yield_: Callable[[int | None], bool]) -> None: ...
def countdown(yield_: Callable[[int], bool], start: int = 3, *, step: int = 1) -> None: ...
def upwards(yield_: Callable[[int], bool], start: int, *, step: int) -> None: ...
def any_arguments(yield_: Callable[..., Any]) -> None: ...
def unannotated(yield_): ...
def items(yield_: Callable[[str, int], bool]) -> None: ...


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


def infers_the_values(tree: Tree, seq: Seq[int]) -> None:
    for v in iterate(squares):
        assert_type(v, int)
    assert_type(iterate(squares), PullIterator[int])
    assert_type(iterate(answered_any), PullIterator[int])
    assert_type(iterate(answered_object), PullIterator[int])
    assert_type(iterate(answered_nothing), PullIterator[int])
    assert_type(iterate(answered_str), PullIterator[int])
    assert_type(iterate(optional), PullIterator[int | None])
    assert_type(iterate(countdown), PullIterator[int])
    assert_type(iterate(tree.leaves), PullIterator[int])
    assert_type(iterate(tree.names), PullIterator[str])
    assert_type(iterate(Tree.names), PullIterator[str])
    assert_type(iterate(tree.sizes), PullIterator[float])
    assert_type(iterate(tree), PullIterator[bytes])
    assert_type(iterate(seq), PullIterator[int])
    assert_type(iterate(squares, engine="thread"), PullIterator[int])
    assert_type(iterate(squares, read_ahead=256), PullIterator[int])
    assert_type(iterate(tree.names, read_ahead=True, engine="thread"), PullIterator[str])
    assert_type(iterate(pullit.from_iterable("ab"), read_ahead=2), PullIterator[str])


def infers_the_pairs(seq2: Seq2[str, int]) -> None:
    for k, v in iterate2(items):
        assert_type(k, str)
        assert_type(v, int)
    assert_type(iterate2(items), PullIterator[tuple[str, int]])
    assert_type(iterate2(seq2, engine="thread"), PullIterator[tuple[str, int]])
    assert_type(iterate2(seq2, read_ahead=256), PullIterator[tuple[str, int]])


def infers_any_where_nothing_is_said() -> None:
    assert_type(iterate(unannotated), PullIterator[Any])
    assert_type(iterate(any_arguments), PullIterator[Any])
    assert_type(iterate(lambda yield_: yield_(1)), PullIterator[Any])
    assert_type(iterate(lambda yield_: countdown(yield_, 3)), PullIterator[Any])
    assert_type(iterate2(lambda yield_: items(yield_)), PullIterator[tuple[Any, Any]])
    assert_type(pull(lambda yield_: countdown(yield_, 3)), Pull[Any])
    assert_type(pull2(lambda yield_: yield_("one", 1)), Pull2[Any, Any])


def takes_what_is_said_of_a_lambda() -> PullIterator[int]:
    return iterate(lambda yield_: countdown(yield_, 3))


# To mypy, calling a partial takes and gives Any; basedpyright looks into it.
def takes_a_partial() -> PullIterator[int]:
    return iterate(partial(upwards, start=3, step=1))


def pulls(tree: Tree) -> None:
    assert_type(pull(squares), Pull[int])
    assert_type(pull(answered_str, engine="thread"), Pull[int])
    assert_type(pull(tree), Pull[bytes])

    next, stop = pull(squares)
    v, ok = next()
    assert_type(v, int | None)
    assert_type(ok, bool)
    assert_type(stop(), None)
    match next():
        case (v, True):
            assert_type(v, int)
        case (nothing, ok):
            assert_type(nothing, None)
            assert_type(ok, Literal[False])


def pulls_pairs() -> None:
    assert_type(pull2(items), Pull2[str, int])
    assert_type(pull2(items, engine="thread"), Pull2[str, int])

    next, stop = pull2(items)
    assert_type(stop(), None)
    match next():
        case (k, v, True):
            assert_type(k, str)
            assert_type(v, int)
        case (no_key, no_value, ok):
            assert_type(no_key, None)
            assert_type(no_value, None)
            assert_type(ok, Literal[False])


def stops_after_with() -> None:
    with pull(squares) as p:
        assert_type(p, Pull[int])
        assert_type(p.stop(), None)
    with pull(squares) as (next, stop):
        match next():
            case (v, True):
                assert_type(v, int)
            case _:
                stop()
    with pull2(items) as p2:
        assert_type(p2, Pull2[str, int])
    with pull2(items) as (next2, _):
        match next2():
            case (key, value, True):
                assert_type(key, str)
                assert_type(value, int)
            case _:
                pass
    with iterate(squares) as it:
        assert_type(it, PullIterator[int])


def has_the_generator_protocol(it: PullIterator[int]) -> None:
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


def is_a_generator(it: PullIterator[int]) -> Generator[int, Any, Any]:
    return it


def is_a_generator_of_the_types_wanted(it: PullIterator[int]) -> Generator[int, str, list[str]]:
    assert_type((yield from it), Any)
    return []


def is_an_iterator(it: PullIterator[int]) -> Iterator[int]:
    return it


# Covariant all, as Iterator is.
def covers_iterator(it: PullIterator[int]) -> PullIterator[int | str]:
    return it


def covers_pull(p: Pull[int]) -> Pull[int | str]:
    return p


def covers_pull2(p: Pull2[str, int]) -> Pull2[str | int, object]:
    return p


def covers_seq(seq: Seq[int]) -> Seq[int | str]:
    return seq


@generator
def leaves(yield_: Callable[[int], bool], tree: list[Any], *, depth: int = 0) -> None:
    for leaf in leaves(tree, depth=depth + 1):
        yield_(assert_type(leaf, int))


@generator(engine="thread")
def lines(yield_: Callable[[str], object], path: str, *more: str) -> int:
    return len(path) + len(more)


@generator()
def no_more(yield_: Callable[[int], bool]) -> None: ...


@generator
def each(yield_: Callable[[T], bool], iterable: Iterable[T]) -> None: ...


@generator(read_ahead=256)
def words(yield_: Callable[[str], object], path: str, *, size: int = 0) -> None: ...


@generator(read_ahead=2, engine="thread")
def lengths(yield_: Callable[[int], bool]) -> None: ...


def generators(tree: Tree) -> None:
    assert_type(leaves([1, [2]]), PullIterator[int])
    assert_type(leaves(tree=[1], depth=2), PullIterator[int])
    assert_type(lines("a"), PullIterator[str])
    assert_type(lines("a", "b"), PullIterator[str])
    assert_type(no_more(), PullIterator[int])
    assert_type(each("abc"), PullIterator[str])
    assert_type(each([1]), PullIterator[int])
    assert_type(words("a", size=2), PullIterator[str])
    assert_type(lengths(), PullIterator[int])
    assert_type(generator(upwards, read_ahead=2)(3, step=1), PullIterator[int])
    assert_type(tree.walk(3), PullIterator[int])
    assert_type(generator(squares), Callable[[], PullIterator[int]])
    assert_type(generator(squares, engine="thread"), Callable[[], PullIterator[int]])
    assert_type(generator(tree.leaves)(), PullIterator[int])
    assert_type(generator(tree)(), PullIterator[bytes])


# What takes a callable, Any or object second is no method.


@generator
def sorted_by(yield_: Callable[[int], Any], key: Callable[[str], Any]) -> None: ...


@generator(read_ahead=2)
def kept(yield_: Callable[[int], Any], keep: Callable[[str], Any], n: int) -> None: ...


@generator
def walk_any(yield_: Callable[[int], Any], tree: Any) -> None: ...


@generator
def walk_object(emit: Callable[[int], Any], tree: object, /) -> None: ...


def generators_that_take_callables() -> None:
    assert_type(sorted_by(len), PullIterator[int])
    assert_type(sorted_by(key=len), PullIterator[int])
    assert_type(kept(len, 3), PullIterator[int])
    assert_type(kept(n=3, keep=str.upper), PullIterator[int])
    assert_type(walk_any(3), PullIterator[int])
    assert_type(walk_object(3), PullIterator[int])


# Methods: self or cls first, and yield_ second.


class Folder(Generic[T]):
    @generator
    def files(self, yield_: Callable[[str], Any], depth: int = 0, *, all: bool = False) -> None:
        for name in self.files(depth + 1, all=all):
            yield_(assert_type(name, str))

    @generator(read_ahead=4)
    def lines(self, yield_: Yield[bytes], path: str, *more: str) -> None: ...

    @generator
    def nothing_else(self, yield_: Callable[[int], bool]) -> int:
        return 3

    # basedpyright does not know T where self has no annotation, with any decorator.
    @generator
    def contents(self: "Folder[T]", yield_: Yield[T]) -> None: ...

    @generator
    def matching(self, yield_: Callable[[str], Any], match: Callable[[str], Any]) -> None: ...

    @generator
    def matching_any(self, yield_: Callable[[str], Any], match: Any) -> None: ...

    @classmethod
    @generator
    def kinds(cls, yield_: Callable[[str], bool], count: int) -> None: ...

    @classmethod
    @generator(engine="thread")
    def all_kinds(cls, yield_: Yield[str]) -> None: ...

    @staticmethod
    @generator
    def sizes(yield_: Yield[float], unit: str = "kB") -> None: ...

    @staticmethod
    @generator(read_ahead=2)
    def counts(yield_: Callable[[int], bool], unit: str) -> None: ...


class Archive(Folder[bytes]): ...


def methods(folder: Folder[bytes], archive: Archive) -> None:
    assert_type(folder.files(), PullIterator[str])
    assert_type(folder.files(3, all=True), PullIterator[str])
    assert_type(folder.files(depth=3), PullIterator[str])
    assert_type(archive.files(3), PullIterator[str])
    assert_type(Archive.files(archive, 3, all=True), PullIterator[str])
    assert_type(folder.lines("a"), PullIterator[bytes])
    assert_type(folder.lines("a", "b", "c"), PullIterator[bytes])
    assert_type(folder.nothing_else(), PullIterator[int])
    assert_type(folder.contents(), PullIterator[bytes])
    assert_type(archive.contents(), PullIterator[bytes])
    assert_type(folder.matching(len), PullIterator[str])
    assert_type(folder.matching_any(len), PullIterator[str])
    assert_type(Folder.kinds(3), PullIterator[str])
    assert_type(folder.kinds(count=3), PullIterator[str])
    assert_type(Archive.all_kinds(), PullIterator[str])
    assert_type(folder.all_kinds(), PullIterator[str])
    assert_type(Folder.sizes(), PullIterator[float])
    assert_type(folder.sizes(unit="MB"), PullIterator[float])
    assert_type(archive.counts("MB"), PullIterator[int])
    assert_type(list(folder.files()), list[str])
    assert_type(pullit.zip(folder.files(), archive.contents()), PullIterator[tuple[str, bytes]])
    for name in archive.files():
        assert_type(name, str)


# Yield and Yield2 as annotations.


def yields(yield_: Yield[int]) -> None:
    assert_type(yield_(1), Any)
    if not yield_(True):  # a bool is an int
        return


def yields_pairs(yield_: Yield2[str, float]) -> None:
    assert_type(yield_("one", 1), Any)


def yields_more(yield_: Yield[int | str], depth: int) -> None:
    yields(yield_)  # it takes more than it must
    yield_("more")


@generator
def yields_any(yield_: Yield[T], iterable: Iterable[T]) -> None: ...


def yields_are_annotations(answered: Callable[[int], bool], untyped: Yield[Any]) -> None:
    assert_type(iterate(yields), PullIterator[int])
    assert_type(iterate2(yields_pairs), PullIterator[tuple[str, float]])
    assert_type(pull(yields), Pull[int])
    assert_type(pull2(yields_pairs), Pull2[str, float])
    assert_type(generator(yields_more)(3), PullIterator[int | str])
    assert_type(yields_any("abc"), PullIterator[str])
    assert_type(pullit.from_callback(yields), Seq[int])
    assert_type(pullit.zip(yields, "abc"), PullIterator[tuple[int, str]])
    yields(answered)
    yields(untyped)
    yields(print)
    yields([1].append)


def from_iterables() -> None:
    assert_type(pullit.from_iterable([1]), Seq[int])
    assert_type(pullit.from_iterable({"a": 1}.items()), Seq[tuple[str, int]])
    assert_type(iterate(pullit.from_iterable("abc")), PullIterator[str])
    pullit.from_iterable([1])(print)
    pullit.from_iterable([1])(lambda v: v > 1)


def drives_a_seq(seq: Seq[int], seq2: Seq2[str, int]) -> None:
    values: list[int] = []
    seq(values.append)
    seq(lambda v: values.append(v))
    seq2(lambda k, v: values.append(v))


def errors(error: pullit.PullError, thread: pullit.WrongThreadError) -> tuple[RuntimeError, ...]:
    return error, thread


def exits(exit: pullit.PullExit) -> BaseException:
    return exit


# Lockstep, over any mix of push iterators and iterables.


def names(yield_: Callable[[str], bool]) -> None: ...
def sizes(yield_: Callable[[float], Any]) -> None: ...


def pairs(yield_: Callable[[tuple[int, str]], bool]) -> None: ...


class Color(Enum):
    RED = 1


def zips(seq: Seq[bytes], it: PullIterator[int]) -> None:
    assert_type(pullit.zip(squares), PullIterator[tuple[int]])
    assert_type(pullit.zip(squares, "abc"), PullIterator[tuple[int, str]])
    assert_type(pullit.zip([1.5], seq), PullIterator[tuple[float, bytes]])
    assert_type(pullit.zip(it, range(3)), PullIterator[tuple[int, int]])
    assert_type(pullit.zip(squares, names, strict=True), PullIterator[tuple[int, str]])
    assert_type(pullit.zip(squares, names, [b""]), PullIterator[tuple[int, str, bytes]])
    assert_type(
        pullit.zip(squares, names, [b""], sizes), PullIterator[tuple[int, str, bytes, float]]
    )
    assert_type(
        pullit.zip(squares, names, [b""], sizes, seq, strict=True),
        PullIterator[tuple[int, str, bytes, float, bytes]],
    )
    assert_type(pullit.zip(squares, names, [b""], sizes, seq, it), PullIterator[tuple[Any, ...]])
    assert_type(
        pullit.zip(squares, names, [1], sizes, seq, it, "abc", strict=True),
        PullIterator[tuple[Any, ...]],
    )
    assert_type(pullit.zip(), PullIterator[Any])
    assert_type(pullit.zip(pullit.from_iterable([1]), "a"), PullIterator[tuple[int, str]])
    assert_type(pullit.zip(iterate(squares), leaves([1])), PullIterator[tuple[int, int]])
    assert_type(pullit.zip(optional, {"a": 1}), PullIterator[tuple[int | None, str]])
    for n, (k, name) in pullit.zip(squares, pairs):
        assert_type(n, int)
        assert_type(k, int)
        assert_type(name, str)


# An Enum class can be called too, and mypy does not infer its values without a hint.
def takes_an_enum() -> PullIterator[tuple[int, Color]]:
    return pullit.zip(squares, Color)


def zips_to_the_longest(seq: Seq[bytes]) -> None:
    assert_type(pullit.zip_longest(), PullIterator[Any])
    assert_type(pullit.zip_longest(squares), PullIterator[tuple[int]])
    assert_type(pullit.zip_longest(squares, fillvalue=""), PullIterator[tuple[int]])
    assert_type(pullit.zip_longest(squares, "abc"), PullIterator[tuple[int | None, str | None]])
    assert_type(
        pullit.zip_longest(squares, "abc", fillvalue=b""),
        PullIterator[tuple[int | bytes, str | bytes]],
    )
    assert_type(
        pullit.zip_longest(squares, names, seq),
        PullIterator[tuple[int | None, str | None, bytes | None]],
    )
    assert_type(
        pullit.zip_longest(squares, [2], [3], fillvalue=0), PullIterator[tuple[int, int, int]]
    )
    assert_type(
        pullit.zip_longest(squares, names, seq, [1]),
        PullIterator[tuple[int | None, str | None, bytes | None, int | None]],
    )
    assert_type(
        pullit.zip_longest(squares, names, seq, [1], fillvalue=1.5),
        PullIterator[tuple[int | float, str | float, bytes | float, int | float]],
    )
    assert_type(
        pullit.zip_longest(squares, names, seq, [1], "abc"),
        PullIterator[tuple[int | None, str | None, bytes | None, int | None, str | None]],
    )
    assert_type(
        pullit.zip_longest(squares, names, seq, [1], "abc", fillvalue=""),
        PullIterator[tuple[int | str, str, bytes | str, int | str, str]],
    )
    assert_type(
        pullit.zip_longest(squares, names, seq, [1], "abc", sizes), PullIterator[tuple[Any, ...]]
    )
    assert_type(
        pullit.zip_longest(squares, names, seq, [1], "abc", sizes, squares, fillvalue=0),
        PullIterator[tuple[Any, ...]],
    )


def length(name: str) -> Any: ...


def merges(seqs: list[Seq[int]], it: PullIterator[int]) -> None:
    assert_type(pullit.merge(squares), PullIterator[int])
    assert_type(pullit.merge(squares, [1], it), PullIterator[int])
    assert_type(pullit.merge(*seqs), PullIterator[int])
    assert_type(pullit.merge("abc", names, key=length, reverse=True), PullIterator[str])
    assert_type(pullit.merge(pairs, pairs, key=lambda pair: pair[0]), PullIterator[tuple[int, str]])
    assert_type(pullit.merge(pairs, key=itemgetter(0)), PullIterator[tuple[int, str]])


def same_length(n: int, name: str) -> Any: ...


def equals(seq: Seq[bytes]) -> None:
    assert_type(pullit.equal(squares, [1, 4]), bool)
    assert_type(pullit.equal(seq, names), bool)
    assert_type(pullit.equal(squares, "abc", eq=same_length), bool)
    assert_type(pullit.equal(squares, names, eq=lambda n, name: n == len(name)), bool)


# Callback APIs.


def calls_with_str(callback: Callable[[str], Any]) -> None: ...
def calls_with_two(callback: Callable[[str, int], Any]) -> None: ...
def calls_with_anything(callback: Callable[..., Any]) -> None: ...
def pack_name(name: str, size: int) -> bytes:
    return name.encode()


def from_callbacks() -> None:
    assert_type(pullit.from_callback(calls_with_str), Seq[str])
    assert_type(pullit.from_callback(calls_with_anything), Seq[Any])
    assert_type(pullit.from_callback(calls_with_two), Seq[Any])
    assert_type(pullit.from_callback(unannotated), Seq[Any])
    assert_type(pullit.from_callback(calls_with_two, pack=pack_name), Seq[bytes])
    assert_type(pullit.from_callback(calls_with_str, pack=len), Seq[int])
    assert_type(pullit.from_callback(calls_with_two, pack=lambda *args: str(args)), Seq[str])
    assert_type(iterate(pullit.from_callback(calls_with_str)), PullIterator[str])
    assert_type(iterate(pullit.from_callback(lambda cb: cb(1))), PullIterator[Any])
    assert_type(
        pullit.from_callback(
            calls_with_str,
            reply=lambda name: 0,
            stop_reply=StopIteration,
            stop_errors=(OSError, KeyError),
            interleave=True,
        ),
        Seq[str],
    )
    assert_type(
        pullit.zip(pullit.from_callback(calls_with_str), squares), PullIterator[tuple[str, int]]
    )


# aiterate.


async def infers_async_values(tree: Tree, seq: Seq[int], seq2: Seq2[str, int]) -> None:
    async for v in pullit.aiterate(squares):
        assert_type(v, int)
    async for k, n in pullit.aiterate2(items, read_ahead=64):
        assert_type(k, str)
        assert_type(n, int)
    it = pullit.aiterate(tree.leaves)
    assert_type(it, AsyncPullIterator[int])
    assert_type(pullit.aiterate(seq, read_ahead=4), AsyncPullIterator[int])
    assert_type(pullit.aiterate2(seq2), AsyncPullIterator[tuple[str, int]])
    assert_type(pullit.aiterate(pullit.from_iterable("ab")), AsyncPullIterator[str])
    assert_type(await anext(it), int)
    assert_type(await anext(it, None), int | None)
    assert_type(await it.asend("x"), int)
    assert_type(await it.athrow(KeyError), int)
    assert_type(it.done, bool)
    assert_type(await it.aclose(), Any)
    assert_type(it.result, Any)
    assert_type([v async for v in it], list[int])
    async with it as same:
        assert_type(same, AsyncPullIterator[int])
    async with aclosing(it) as same:
        assert_type(same, AsyncPullIterator[int])
    gen: AsyncGenerator[int, Any] = it
    iterator: AsyncIterator[int] = gen
    async for v in iterator:
        assert_type(v, int)


def quit_app() -> None: ...
def quit_with_code(code: int = 0) -> Any: ...


def from_callbacks_that_stop() -> None:
    assert_type(pullit.from_callback(calls_with_str, stop=quit_app), Seq[str])
    assert_type(pullit.from_callback(calls_with_str, stop=quit_with_code), Seq[str])
    assert_type(pullit.from_callback(calls_with_str, stop=lambda: 3), Seq[str])
    assert_type(pullit.from_callback(calls_with_str, stop=None), Seq[str])
    assert_type(pullit.from_callback(calls_with_two, stop=quit_app, stop_reply=0), Seq[Any])
    assert_type(
        pullit.from_callback(calls_with_two, pack=pack_name, stop=quit_app, stop_errors=(OSError,)),
        Seq[bytes],
    )
    assert_type(
        iterate(pullit.from_callback(lambda cb: cb(1), stop=quit_app), read_ahead=4),
        PullIterator[Any],
    )
