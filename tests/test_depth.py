"""20: at every depth up to the recursion limit, a call works, ends, or raises.

Afterwards, too. Nothing spins or hangs, and no iterator is empty in silence.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import pullit
from pullit import Seq
from pullit._types import Engine

ROOM = 90  # how many calls there is room for, from the test on
NUMBERS = list(range(6))


def numbers(yield_: Callable[[int], Any]) -> None:
    for n in NUMBERS:
        if not yield_(n):
            return


def at_depth(depth: int, call: Callable[[], Any]) -> Any:
    """Call *call* below *depth* other calls."""
    return call() if depth <= 0 else at_depth(depth - 1, call)


@pytest.fixture
def little_room() -> Iterator[None]:
    """Let the test make no more than some *ROOM* calls within each other."""
    limit = sys.getrecursionlimit()
    low = 50
    while True:  # the least limit that can be set here, which counts what Python counts
        try:
            sys.setrecursionlimit(low)
            break
        except RecursionError:
            low += 1
    sys.setrecursionlimit(low + ROOM)
    yield
    sys.setrecursionlimit(limit)


Make = Callable[[Engine], Any]

MAKERS: dict[str, Make] = {
    "iterate": lambda engine: pullit.iterate(numbers, engine=engine),
    "read_ahead": lambda engine: pullit.iterate(numbers, engine=engine, read_ahead=3),
    "generator": lambda engine: pullit.generator(engine=engine)(numbers)(),
    "from_callback": lambda engine: pullit.iterate(
        pullit.from_callback(lambda callback: [callback(n) for n in NUMBERS]), engine=engine
    ),
    "from_iterable": lambda engine: pullit.iterate(pullit.from_iterable(NUMBERS), engine=engine),
    "merge": lambda engine: pullit.merge(numbers, []),  # on greenlets always
}


def rest_of(it: Any) -> list[Any]:
    """Return what *it* still gives; it cannot be endless."""
    values = []
    for value in it:
        values.append(value)
        assert len(values) <= len(NUMBERS)
    return values


@pytest.mark.parametrize("taken", [0, 2])
@pytest.mark.parametrize("make", MAKERS)
def test_20_a_next_at_any_depth_loses_nothing_in_silence(
    make: str, taken: int, engine: Engine, little_room: None
) -> None:
    """It gives the next value; or raises RecursionError, and then goes on or is over."""
    seen = set()
    for depth in range(ROOM + 20):
        it = MAKERS[make](engine)
        got = [next(it) for _ in range(taken)]
        try:
            got.append(at_depth(depth, it.__next__))
            outcome = "value"
        except RecursionError:
            outcome = "RecursionError"
        rest = rest_of(it)
        assert got + rest == NUMBERS or (outcome != "value" and rest == [])
        it.close()
        seen.add(outcome)
    assert seen == {"value", "RecursionError"}


@pytest.mark.parametrize("make", MAKERS)
def test_20_a_list_at_any_depth_ends(make: str, engine: Engine, little_room: None) -> None:
    """All values, or an error; list runs in C, where Ctrl-C would not end it."""
    for depth in range(ROOM + 20):
        it = MAKERS[make](engine)
        try:
            got = at_depth(depth, lambda: list(it))
        except RecursionError:
            rest = rest_of(it)
            assert rest == NUMBERS[len(NUMBERS) - len(rest) :]
        else:
            assert got == NUMBERS
        it.close()


def send(it: Any) -> Any:
    return it.send(True)


def throw(it: Any) -> Any:
    return it.throw(KeyError("thrown"))


def close(it: Any) -> Any:
    return it.close()


def leave(it: Any) -> None:
    with it:
        pass


@pytest.mark.parametrize("call", [send, throw, close, leave])
def test_20_what_is_told_at_any_depth_arrives_or_raises(
    call: Callable[[Any], Any], engine: Engine, little_room: None
) -> None:
    """After a RecursionError the iterator can be closed, and its producer ends."""
    ended: list[int] = []

    def seq(yield_: Callable[[int], Any]) -> None:
        try:
            numbers(yield_)
        except KeyError:
            pass  # thrown
        finally:
            ended.append(1)

    for depth in range(ROOM + 20):
        del ended[:]
        it = pullit.iterate(seq, engine=engine)
        assert next(it) == 0
        try:
            got = at_depth(depth, lambda: call(it))
        except StopIteration:
            got = "end"
        except RecursionError:
            got = "RecursionError"
        assert got in (None, 1, "end", "RecursionError")
        rest = rest_of(it)
        assert rest in ([], NUMBERS[1:], NUMBERS[2:])
        assert rest != NUMBERS[1:] or got == "RecursionError"
        it.close()
        assert it.done
        assert ended == [1]


def test_20_a_drop_at_any_depth_stops_it_in_the_end(
    engine: Engine, little_room: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There and then; or, where there is no room, when pullit is next called."""
    monkeypatch.setattr(sys, "unraisablehook", lambda args: None)
    ended: list[int] = []

    def seq(yield_: Callable[[int], Any]) -> None:
        try:
            numbers(yield_)
        finally:
            ended.append(1)

    for depth in range(ROOM - 20):  # the entry of __del__ itself needs room: see the caveats
        del ended[:]
        holder = [pullit.iterate(seq, engine=engine)]
        next(holder[0])
        try:
            at_depth(depth, holder.clear)
        except RecursionError:
            holder.clear()
        assert list(pullit.iterate(numbers)) == NUMBERS
        assert ended == [1], depth


@pytest.mark.parametrize("call", ["next", "stop"])
def test_20_pulls_functions_at_any_depth(call: str, engine: Engine, little_room: None) -> None:
    """As the iterator's."""
    for depth in range(ROOM + 20):
        next_, stop = pullit.pull(numbers, engine=engine)
        assert next_() == (0, True)
        try:
            got = at_depth(depth, next_ if call == "next" else stop)
        except RecursionError:
            got = "RecursionError"
        rest = [value for value, ok in iter(next_, (None, False)) if ok]
        if call == "next" and got == (1, True):
            assert rest == NUMBERS[2:]
        elif call == "stop" and got is None:
            assert rest == []
        else:
            assert rest in ([], NUMBERS[1:])
        stop()


def test_20_zip_at_any_depth_is_never_out_of_step(little_room: None) -> None:
    """What it gives are pairs of the same numbers; an error ends it, and stops both."""
    for depth in range(ROOM + 20):
        it = pullit.zip(numbers, numbers)
        got = [next(it)]
        try:
            got.append(at_depth(depth, it.__next__))
        except RecursionError:
            pass
        got += rest_of(it)
        assert all(a == b for a, b in got)
        it.close()
        assert it.done


def test_20_a_yield_at_any_depth_can_be_caught(engine: Engine) -> None:
    """A producer that runs out of room in yield_ may catch that, and go on."""

    def seq_of(depth: int) -> Seq[str]:
        def seq(yield_: Callable[[str], Any]) -> None:
            limit = sys.getrecursionlimit()
            try:
                at_depth(depth, lambda: yield_("deep"))
            except RecursionError:
                pass
            assert sys.getrecursionlimit() == limit
            yield_("later")

        return seq

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(220)
    try:
        results = [list(pullit.iterate(seq_of(depth), engine=engine)) for depth in range(60, 220)]
    finally:
        sys.setrecursionlimit(limit)
    assert all(result in (["later"], ["deep", "later"]) for result in results)
    assert ["later"] in results


def test_20_a_runaway_recursion_gives_no_value_that_nobody_yielded(engine: Engine) -> None:
    """It ends in a yield_, as each level has one."""

    def walk(yield_: Callable[[int], Any], n: int = 0) -> None:
        yield_(n)
        walk(yield_, n + 1)

    got: list[int] = []
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(250)
    try:
        with pytest.raises(RecursionError):
            for value in pullit.iterate(walk, engine=engine):
                got.append(value)
    finally:
        sys.setrecursionlimit(limit)
    assert got == list(range(len(got)))


@pytest.mark.parametrize("ahead", [0, 64])
def test_20_a_yield_at_any_depth_wakes_the_loop(ahead: int) -> None:
    """That takes more room than the value; where there is none, another thread does it."""

    async def run(deep: int) -> None:
        returned = threading.Event()
        arrived = threading.Event()

        def seq(yield_: Callable[[str], Any]) -> None:
            try:
                at_depth(deep, lambda: yield_("deep"))
            except RecursionError:
                pass
            else:
                returned.set()
                arrived.wait(20)
            yield_("later")

        found = []
        async with asyncio.timeout(10), pullit.aiterate(seq, read_ahead=ahead) as it:
            async for value in it:
                found.append(value)
                arrived.set()
        assert found == (["deep", "later"] if returned.is_set() else ["later"])
        outcomes.add(returned.is_set())

    outcomes: set[bool] = set()
    for left in range(1, 40):
        asyncio.run(run(sys.getrecursionlimit() - left))
    assert outcomes == {True, False}
