"""Wrong uses of pullit: type-checked, never run.

Each ignore here must be needed, in mypy and in basedpyright: a wrong use that is
accepted is an error.
"""

from collections.abc import Callable

import pullit
from pullit import (
    AsyncPullIterator,
    Pull,
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


def squares(yield_: Callable[[int], bool]) -> None: ...
def items(yield_: Callable[[str, int], bool]) -> None: ...
def takes_an_int(value: int) -> None: ...
def takes_a_str(value: str) -> None: ...
def takes_strings(it: PullIterator[str]) -> None: ...
def takes_a_pull(p: Pull[str]) -> None: ...
def takes_a_seq(seq: Seq[str]) -> None: ...
def takes_a_seq2(seq2: Seq2[int, int]) -> None: ...
def takes_nothing() -> None: ...
def takes_two(yield_: Callable[[int], bool], start: int) -> None: ...


def what_is_no_seq() -> None:
    iterate(3)  # type: ignore[arg-type]
    iterate(None)  # type: ignore[arg-type]
    iterate([1, 2])  # type: ignore[arg-type]
    iterate(takes_an_int)  # type: ignore[arg-type]
    iterate(takes_nothing)  # type: ignore[arg-type]
    iterate(takes_two)  # type: ignore[arg-type]
    iterate(squares(print))  # type: ignore[func-returns-value, arg-type]
    iterate(pull(squares))  # type: ignore[arg-type]
    iterate2("ab")  # type: ignore[arg-type]
    pull(3)  # type: ignore[arg-type]
    pull2([("a", 1)])  # type: ignore[arg-type]
    pullit.from_iterable(3)  # type: ignore[arg-type]


def ones_for_pairs_and_pairs_for_ones() -> None:
    iterate(items)  # type: ignore[arg-type]
    iterate2(squares)  # type: ignore[arg-type]
    pull(items)  # type: ignore[arg-type]
    pull2(squares)  # type: ignore[arg-type]


def engines() -> None:
    iterate(squares, engine="threads")  # type: ignore[arg-type]
    iterate2(items, engine=None)  # type: ignore[arg-type]
    pull(squares, engine="gevent")  # type: ignore[arg-type]
    pull2(items, engine="")  # type: ignore[arg-type]
    iterate(squares, "thread")  # type: ignore[call-arg, arg-type]
    generator(engine="threads")  # type: ignore[call-overload]


def reading_ahead() -> None:
    iterate(squares, read_ahead="2")  # type: ignore[arg-type]
    iterate(squares, read_ahead=None)  # type: ignore[arg-type]
    iterate(squares, 2)  # type: ignore[call-arg]
    iterate2(items, read_ahead=2.0)  # type: ignore[arg-type]
    iterate2(items, ahead=2)  # type: ignore[call-arg]
    pull(squares, read_ahead=2)  # type: ignore[call-arg]
    pull2(items, read_ahead=2)  # type: ignore[call-arg]
    generator(read_ahead="2")  # type: ignore[call-overload]
    generator(squares, 2)  # type: ignore[call-overload]
    pullit.zip(squares, squares, read_ahead=2)  # type: ignore[call-overload]
    for v in iterate(squares, read_ahead=2):
        takes_a_str(v)  # type: ignore[arg-type]
    for k, v in iterate2(items, read_ahead=2):
        takes_an_int(k)  # type: ignore[arg-type]


def values_of_another_type() -> None:
    for v in iterate(squares):
        takes_a_str(v)  # type: ignore[arg-type]
    for k, v in iterate2(items):
        takes_an_int(k)  # type: ignore[arg-type]
        takes_a_str(v)  # type: ignore[arg-type]
    takes_strings(iterate(squares))  # type: ignore[arg-type]
    takes_a_pull(pull(squares))  # type: ignore[arg-type]
    takes_a_seq(squares)  # type: ignore[arg-type]
    takes_a_seq(pullit.from_iterable([1]))  # type: ignore[list-item]
    takes_a_seq2(items)  # type: ignore[arg-type]


def results_of_next() -> None:
    next, stop = pull(squares)
    v: int = next()  # type: ignore[assignment]
    v, ok, more = next()  # type: ignore[misc]
    v, ok = next()  # type: ignore[assignment]
    match next():
        case (s, True):
            s.upper()  # type: ignore[attr-defined]
        case (nothing, ok):
            nothing + 1  # type: ignore[operator]
    next(1)  # type: ignore[call-arg]
    stop(1)  # type: ignore[call-arg]
    next, stop, more = pull(squares)  # type: ignore[misc]
    next2, stop2 = pull2(items)
    v, ok = next2()  # type: ignore[misc]


def iterators(it: PullIterator[int]) -> None:
    it()  # type: ignore[operator]
    it[0]  # type: ignore[index]
    it.done()  # type: ignore[operator]
    it.done = True  # type: ignore[misc]
    print(it.frame.f_code)  # type: ignore[union-attr]
    it.throw("so")  # type: ignore[call-overload]
    it.stop()  # type: ignore[attr-defined]
    with pull(squares) as p:
        for v in p.next:  # type: ignore[attr-defined]
            print(v)


@generator
def leaves(yield_: Callable[[int], bool], tree: list[int], *, depth: int = 0) -> None:
    yield_("leaf")  # type: ignore[arg-type]


@generator(engine="thread")
def lines(yield_: Callable[[str], bool], path: str) -> None: ...


@generator(read_ahead=2)
def words(yield_: Callable[[str], bool], path: str) -> None: ...


def arguments_of_generators() -> None:
    leaves()  # type: ignore[call-arg]
    leaves(3)  # type: ignore[arg-type]
    leaves([1], 2)  # type: ignore[call-arg]
    leaves([1], depth="2")  # type: ignore[arg-type]
    leaves([1], width=2)  # type: ignore[call-arg]
    leaves(print, [1])  # type: ignore[arg-type, call-arg]
    lines(3)  # type: ignore[arg-type]
    lines()  # type: ignore[call-arg]
    words(3)  # type: ignore[arg-type]
    words("a", read_ahead=2)  # type: ignore[call-arg]
    for v in leaves([1]):
        takes_a_str(v)  # type: ignore[arg-type]


@generator  # type: ignore[arg-type]
def first_is_no_callable(tree: list[int]) -> None: ...


@generator  # type: ignore[arg-type]
def has_no_first() -> None: ...


@generator(engine="thread")  # type: ignore[arg-type]
def first_takes_two(yield_: Callable[[str, int], bool]) -> None: ...


@generator(read_ahead=2)  # type: ignore[arg-type]
def first_takes_none(yield_: Callable[[], bool]) -> None: ...


class Folder:
    @generator
    def files(self, yield_: Callable[[str], bool], depth: int = 0, *, all: bool = False) -> None:
        yield_(3)  # type: ignore[arg-type]
        self.files("deep")  # type: ignore[arg-type]

    @generator(read_ahead=2)
    def lines(self, yield_: Yield[bytes], path: str) -> None:
        yield_("line")  # type: ignore[arg-type]

    @generator
    def nothing_else(self, yield_: Yield[int]) -> None: ...

    @classmethod
    @generator
    def kinds(cls, yield_: Yield[str], count: int) -> None: ...

    @staticmethod
    @generator
    def sizes(yield_: Yield[float], unit: str) -> None: ...


def methods(folder: Folder) -> None:
    folder.files("deep")  # type: ignore[arg-type]
    folder.files(3, True)  # type: ignore[call-arg]
    folder.files(3, all="yes")  # type: ignore[arg-type]
    folder.files(print, 3)  # type: ignore[arg-type, call-arg]
    folder.files(width=3)  # type: ignore[call-arg]
    Folder.files()  # type: ignore[call-arg]
    Folder.files(3)  # type: ignore[arg-type]
    folder.lines()  # type: ignore[call-arg]
    folder.lines(3)  # type: ignore[arg-type]
    Folder.kinds()  # type: ignore[call-arg]
    folder.kinds("two")  # type: ignore[arg-type]
    Folder.sizes()  # type: ignore[call-arg]
    folder.sizes(3)  # type: ignore[arg-type]
    takes_strings(folder.nothing_else())  # type: ignore[arg-type]
    for name in folder.files():
        takes_an_int(name)  # type: ignore[arg-type]
    iterate(folder.files)  # type: ignore[arg-type]
    iterate(folder.nothing_else)  # type: ignore[arg-type]
    pull(Folder.sizes)  # type: ignore[arg-type]


@generator  # type: ignore[arg-type]
def second_has_another_name(self: Folder, emit: Callable[[str], bool]) -> None: ...


@generator  # type: ignore[arg-type]
def second_is_no_callable(self: Folder, yield_: int) -> None: ...


@generator(read_ahead=2)  # type: ignore[arg-type]
def second_takes_two(self: Folder, yield_: Callable[[str, int], bool]) -> None: ...


@generator  # type: ignore[arg-type]
def third_is_yield(self: Folder, tree: int, yield_: Yield[int]) -> None: ...


def yields(yield_: Yield[int], yield_pair: Yield2[str, int]) -> None:
    yield_("one")  # type: ignore[arg-type]
    yield_()  # type: ignore[call-arg]
    yield_(1, 2)  # type: ignore[call-arg]
    yield_(value=1)  # type: ignore[call-arg]
    yield_pair(1, "one")  # type: ignore[arg-type]
    yield_pair(("one", 1))  # type: ignore[call-arg, arg-type]
    names(yield_)  # type: ignore[arg-type]
    squares(yield_pair)  # type: ignore[arg-type]
    yields(takes_a_str, yield_pair)  # type: ignore[arg-type]
    yields(yield_, yield_)  # type: ignore[arg-type]


def names(yield_: Callable[[str], bool]) -> None: ...
def shorter(name: str) -> None: ...
def same(n: int, name: str) -> None: ...
def takes_pairs(it: PullIterator[tuple[int, int]]) -> None: ...


def lockstep() -> None:
    pullit.zip(3)  # type: ignore[call-overload]
    pullit.zip(squares, None)  # type: ignore[call-overload]
    pullit.zip(squares, items)  # type: ignore[arg-type]
    pullit.zip(squares, takes_nothing)  # type: ignore[arg-type]
    pullit.zip(squares, names, strictly=True)  # type: ignore[call-overload]
    pullit.zip(squares, names, fillvalue=0)  # type: ignore[call-overload]
    pullit.zip([squares, names], strict="yes")  # type: ignore[call-overload]
    takes_pairs(pullit.zip(squares, names))  # type: ignore[arg-type]
    for n, name in pullit.zip(squares, names):
        takes_a_str(n)  # type: ignore[arg-type]
        takes_an_int(name)  # type: ignore[arg-type]
    pullit.zip_longest(squares, 3)  # type: ignore[call-overload]
    pullit.zip_longest(squares, names, strict=True)  # type: ignore[call-overload]
    for maybe_n, maybe_name in pullit.zip_longest(squares, names):
        takes_an_int(maybe_n)  # type: ignore[arg-type]
        maybe_name.upper()  # type: ignore[union-attr]
    pullit.merge(3)  # type: ignore[arg-type]
    pullit.merge(squares, items)  # type: ignore[arg-type]
    pullit.merge(squares, squares, key=shorter)  # type: ignore[misc]
    pullit.merge(squares, strict=True)  # type: ignore[call-arg]
    takes_strings(pullit.merge(squares))  # type: ignore[arg-type]
    pullit.equal(squares)  # type: ignore[call-arg]
    pullit.equal(squares, 3)  # type: ignore[arg-type]
    pullit.equal(squares, names, same)  # type: ignore[call-arg]
    pullit.equal(names, squares, eq=same)  # type: ignore[misc]


def calls_with_str(callback: Callable[[str], object]) -> None: ...


def callbacks() -> None:
    pullit.from_callback(3)  # type: ignore[call-overload]
    pullit.from_callback(takes_nothing)  # type: ignore[arg-type]
    pullit.from_callback(takes_an_int)  # type: ignore[arg-type]
    pullit.from_callback(calls_with_str, len)  # type: ignore[call-overload]
    pullit.from_callback(calls_with_str, pack=3)  # type: ignore[call-overload]
    pullit.from_callback(calls_with_str, reply=3)  # type: ignore[call-overload]
    pullit.from_callback(calls_with_str, stop=3)  # type: ignore[call-overload]
    pullit.from_callback(calls_with_str, stop=takes_an_int)  # type: ignore[arg-type]
    pullit.from_callback(calls_with_str, pack=len, stop=len)  # type: ignore[arg-type]
    iterate(calls_with_str, stop=takes_nothing)  # type: ignore[call-arg]
    pullit.from_callback(calls_with_str, packs=len)  # type: ignore[call-overload]
    pullit.from_callback(calls_with_str, stop_error=OSError)  # type: ignore[call-overload]
    pullit.from_callback(calls_with_str, stop_errors=OSError)  # type: ignore[call-overload]
    pullit.from_callback(calls_with_str, interleaved=True)  # type: ignore[call-overload]
    pullit.from_callback(calls_with_str, engine="thread")  # type: ignore[call-overload]
    iterate(pullit.from_callback(calls_with_str), pack=len)  # type: ignore[call-arg]
    for name in iterate(pullit.from_callback(calls_with_str)):
        takes_an_int(name)  # type: ignore[arg-type]
    seq = pullit.from_callback(calls_with_str)
    takes_a_seq2(seq)  # type: ignore[arg-type]


async def what_aiterate_does_not_take(it: AsyncPullIterator[str]) -> None:
    pullit.aiterate(3)  # type: ignore[arg-type]
    pullit.aiterate(items)  # type: ignore[arg-type]
    pullit.aiterate2(squares)  # type: ignore[arg-type]
    pullit.aiterate(iterate(squares))  # type: ignore[arg-type]
    pullit.aiterate(squares, engine="thread")  # type: ignore[call-arg]
    pullit.aiterate(squares, read_ahead="2")  # type: ignore[arg-type]
    for _ in pullit.aiterate(squares):  # type: ignore[attr-defined]
        pass
    async for _n in iterate(squares):  # type: ignore[attr-defined]
        pass
    async for s in it:
        takes_an_int(s)  # type: ignore[arg-type]
    with it:  # type: ignore[attr-defined]
        pass
