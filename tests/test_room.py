"""No room for a call: what happens at the recursion limit, one call higher, and so on."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, islice
from typing import Any, NoReturn

import pytest

from pullit import iterate, pull
from pullit._lifetimes import live
from pullit._on_greenlet import GreenletPull
from pullit._types import Engine

AHEAD = pytest.mark.parametrize("ahead", [0, 8])


def at_the_limit(do: Callable[[], object], calls: int = 60) -> None:
    """Call *do* at the recursion limit, one call higher, and so on; room there may be or not."""

    def down() -> None:
        nonlocal calls
        try:
            down()
        except RecursionError:
            pass
        if calls:
            calls -= 1
            do()

    try:
        down()
    except RecursionError:
        pass


def naturals(yield_: Callable[[int], Any]) -> None:
    for n in count():
        if not yield_(n):
            return


def three(it: Any) -> list[int]:
    """Return what *it* gives now, three values at most; an error may be its end."""
    got: list[int] = []
    try:
        for value in islice(it, 3):
            got.append(value)
    except RecursionError:
        pass
    return got


@AHEAD
def test_a_next_without_room_loses_no_value(engine: Engine, ahead: int) -> None:
    """It raises RecursionError, and the next one gets the value."""
    with iterate(naturals, engine=engine, read_ahead=ahead) as it:
        got = [next(it)]
        at_the_limit(lambda: got.append(next(it)))
        got += three(it)
    assert len(got) > 3
    assert got == list(range(len(got)))


def test_pulls_next_without_room_loses_no_value(engine: Engine) -> None:
    """The same of the function that pull returns."""
    with pull(naturals, engine=engine) as (next, _):
        got = [next()]
        at_the_limit(lambda: got.append(next()))
        got += [next(), next()]
    assert len(got) > 3
    assert got == [(n, True) for n in range(len(got))]


def test_a_send_without_room_is_not_half_done(engine: Engine) -> None:
    """The producer gets what was sent by those sends that return, and by no other."""
    answers: list[object] = []

    def echo(yield_: Callable[[int], Any]) -> None:
        for n in count():
            answers.append(yield_(n))

    it = iterate(echo, engine=engine)
    got = [next(it)]
    at_the_limit(lambda: got.append(it.send("sent")))
    assert got == list(range(len(got)))
    assert answers == ["sent"] * (len(got) - 1)
    it.close()


@AHEAD
def test_a_start_without_room_can_be_made_again_or_has_failed(engine: Engine, ahead: int) -> None:
    """It is then as if next had not been called, or seq has failed for want of room."""
    its: list[Any] = []

    def begin() -> None:
        it = iterate(naturals, engine=engine, read_ahead=ahead)
        its.append(it)
        first.append(next(it))

    first: list[int] = []
    at_the_limit(begin)
    assert set(first) == {0}
    for it in its:
        values = three(it)
        start = values[0] if values else 0
        assert start in (0, 1)
        assert values == list(range(start, start + len(values)))
        try:
            it.close()
        except RecursionError:
            pass  # seq keeps the depth of where it was started
        assert it.done
        assert three(it) == []


@AHEAD
def test_a_close_without_room_can_be_called_again(engine: Engine, ahead: int) -> None:
    """seq is told to stop once, and has returned when a close returns."""
    log: list[str] = []

    def seq(yield_: Callable[[int], Any]) -> None:
        while yield_(0):
            pass
        log.append("stopped")

    def end() -> None:
        waiting[-1].close()
        waiting.pop()

    its = [iterate(seq, engine=engine, read_ahead=ahead) for _ in range(60)]
    for it in its:
        next(it)
    waiting = list(its)
    at_the_limit(end)
    assert len(waiting) < len(its)
    assert log == ["stopped"] * sum(it.done for it in its)
    for it in its:
        it.close()
    assert log == ["stopped"] * len(its)


@AHEAD
def test_a_yield_without_room_hands_over_nothing(engine: Engine, ahead: int) -> None:
    """It raises RecursionError in the producer, and the next yield_ is served."""
    given: list[int] = []

    def seq(yield_: Callable[[int], Any]) -> str:
        def give() -> None:
            assert yield_(len(given))
            given.append(len(given))

        at_the_limit(give)
        give()
        return "ended"

    it = iterate(seq, engine=engine, read_ahead=ahead)
    assert list(it) == given
    assert len(given) > 1
    assert it.result == "ended"


# On greenlets: a switch that fails, for which greenlet has no memory. A look at the running
# coroutine needs the same room and comes first, so that no depth of calls shows it.


class Failing:
    """A switch that fails, before it is made or when it has been."""

    def __init__(
        self,
        switch: Callable[..., object],
        late: bool = False,
        error: type[Exception] = MemoryError,
    ) -> None:
        self.real, self.late, self.error = switch, late, error

    def switch(self, *args: object) -> object:
        if self.late:
            self.real(*args)
        raise self.error


def fail_next_switch(
    handle: Any, late: bool = False, error: type[Exception] = MemoryError
) -> Callable[[], None]:
    """Have the next switch to the producer of *handle* fail; return what mends it."""
    inner: GreenletPull = handle._pull
    real = inner.to_producer
    inner.to_producer = Failing(real, late, error).switch

    def mend() -> None:
        inner.to_producer = real

    return mend


CALLS: dict[str, Callable[[Any], Any]] = {
    "next": lambda handle: handle._pull.next(),
    "iterator": next,
    "pull": lambda handle: handle.next(),
    "send": lambda it: it.send(True),
    "close": lambda it: it.close(),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_switch_that_fails_leaves_the_pull_as_it_was(call: str) -> None:
    """The error comes out of the call, and the next call goes on from there."""
    handle: Any = pull(naturals) if call == "pull" else iterate(naturals)
    with handle:
        assert handle._pull.next() == 0
        mend = fail_next_switch(handle)
        with pytest.raises(MemoryError):
            CALLS[call](handle)
        mend()
        assert "suspended" in repr(handle)
        assert handle._pull.next() == 1


@pytest.mark.parametrize("error", [MemoryError, ValueError])
@pytest.mark.parametrize("call", CALLS)
def test_an_error_after_the_switch_ends_the_pull(call: str, error: type[Exception]) -> None:
    """As any error does that strikes the consumer while it waits."""
    handle: Any = pull(naturals) if call == "pull" else iterate(naturals)
    with handle:
        assert handle._pull.next() == 0
        fail_next_switch(handle, True, error)
        with pytest.raises(error):
            CALLS[call](handle)
        assert "finished" in repr(handle)
        with pytest.raises(StopIteration):
            handle._pull.next()


def test_a_yield_whose_switch_fails_hands_over_nothing() -> None:
    """The error is the producer's, which can go on."""

    def seq(yield_: Callable[[int], Any]) -> None:
        real = it._pull.blocked
        it._pull.blocked = Failing(real.switch)
        with pytest.raises(MemoryError):
            yield_(1)
        it._pull.blocked = real
        yield_(2)

    it: Any = iterate(seq)
    assert list(it) == [2]


def test_a_start_for_which_there_is_no_memory_can_be_made_again() -> None:
    """Nothing has run, and nobody is the owner."""

    def fail(*args: object) -> NoReturn:
        raise MemoryError

    it: Any = iterate(naturals)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pullit._on_greenlet.new_coroutine", fail)
        with pytest.raises(MemoryError):
            next(it)
    assert "unstarted" in repr(it)
    assert it._pull not in live
    with it:
        assert next(it) == 0
