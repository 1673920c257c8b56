"""read_ahead: one switch brings many values, and all else is as it is without.

On greenlets the two sides take turns of n values. On threads they work at the same
time, and what a test may know is what holds when the producer has come to rest.

The numbers are those of the contract. test_model.py has random programs that
read ahead, against a model.
"""

from __future__ import annotations

import contextvars
import gc
import itertools
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

import greenlet
import pytest
from elsewhere import (
    FREE_THREADED,
    come_to_rest,
    error_in_thread,
    gone,
    in_thread,
    needs,
    run_script,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from producers import api, countdown, deaf, failing, logged
from strikes import Strike, strike_at

import pullit
from pullit import (
    PullError,
    PullExit,
    PullIterator,
    Seq,
    WrongThreadError,
    from_callback,
    from_iterable,
    generator,
    iterate,
    iterate2,
)
from pullit._types import Engine

Log = list[object]


class Thing:
    """Something that a weak reference can watch."""


def numbers(size: int, log: Log | None = None) -> Seq[int]:
    """Return a producer of range(*size*) that notes in *log* what it is about to yield."""

    def numbers(yield_: Callable[[int], Any]) -> str:
        for n in range(size):
            if log is not None:
                log.append(n)
            if not yield_(n):
                return "stopped"
        return "whole"

    return numbers


def reached(engine: Engine, n: int, taken: int) -> int:
    """Count the values that seq has yielded when it has come to rest, if it has so many.

    It waits in the last of these ``yield_``, *taken* of whose values have been taken.
    """
    if n < 2 or taken == 0:
        return taken
    return taken + n if engine == "thread" else -(-taken // n) * n


NUMBERS = "numbers.<locals>.numbers"


# What may be passed.


@pytest.mark.parametrize("n", [0, 1, False, True])
def test_0_and_1_are_strict(engine: Engine, n: int) -> None:
    """The producer waits in each yield_, and may be sent an answer."""
    log: Log = []
    it = iterate(logged(countdown, log), read_ahead=n, engine=engine)
    assert next(it) == 3
    assert log == ["start"]
    assert next(it) == 2
    assert log == ["start", True]
    assert it.send("x") == 1
    assert log == ["start", True, "x"]
    it.close()
    assert log == ["start", True, "x", False, "end"]


MAKERS: dict[str, Callable[..., object]] = {
    "iterate": partial(iterate, countdown),
    "iterate2": partial(iterate2, lambda yield_: yield_(1, 2)),
    "generator": partial(generator, countdown),
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_negative_number_is_a_value_error(name: str) -> None:
    """It names the function."""
    with pytest.raises(ValueError, match="read_ahead") as caught:
        MAKERS[name](read_ahead=-1)
    assert str(caught.value) == f"pullit.{name}: read_ahead must be 0 or more, not -1"


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("n", [0.0, 1.0, "2", None, [3]])
def test_what_is_no_integer_is_a_type_error(name: str, n: object) -> None:
    """It is named, and what it got is shown."""
    with pytest.raises(TypeError) as caught:
        MAKERS[name](read_ahead=n)
    assert str(caught.value) == (
        f"pullit.{name}: read_ahead must be an int, not {type(n).__name__} {n!r};"
        " pass a number of values, for example 64"
    )


def test_the_options_of_an_iterable_are_checked_too() -> None:
    """Though it needs no coroutine."""
    seq = from_iterable([1])
    with pytest.raises(ValueError, match=r"^pullit\.iterate: read_ahead must be 0 or more"):
        iterate(seq, read_ahead=-2)
    with pytest.raises(TypeError, match="read_ahead must be an int, not str"):
        iterate(seq, read_ahead="2")  # type: ignore[arg-type]


def test_whatever_has_an_index_will_do() -> None:
    """numpy's integers, for example."""

    class Two:
        def __index__(self) -> int:
            return 2

    log: Log = []
    two: Any = Two()
    assert next(iterate(numbers(5, log), read_ahead=two)) == 0
    assert log == [0, 1]


@pytest.mark.parametrize("n", [2**63, 2**64, 2**64 + 1, 10**30])
def test_no_number_is_too_large(n: int) -> None:
    """It means as many as there are."""
    script = f"""
        import pullit

        print(list(pullit.iterate(lambda yield_: [yield_(n) for n in range(4)], read_ahead={n})))
        """
    assert run_script(script) == "[0, 1, 2, 3]\n"


# Values, their order, and how far the producer is.


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 6, 7, 8, 100])
def test_values_and_their_order_are_the_same(engine: Engine, n: int) -> None:
    """For n smaller than, equal to and larger than what there is."""
    for size in range(8):
        it = iterate(numbers(size), read_ahead=n, engine=engine)
        assert list(it) == list(range(size))
        assert it.result == "whole"


@pytest.mark.parametrize("n", [0, 1, 2, 3, 100])
def test_pairs_and_generators_read_ahead_too(engine: Engine, n: int) -> None:
    """iterate2, and @generator with its arguments."""
    log: Log = []

    def pairs(yield_: Callable[[int, str], Any]) -> None:
        for k in range(5):
            log.append(k)
            yield_(k, str(k))

    expected = [(k, str(k)) for k in range(5)]
    assert list(iterate2(pairs, read_ahead=n, engine=engine)) == expected
    log.clear()
    with iterate2(pairs, read_ahead=n, engine=engine) as two:
        assert next(two) == (0, "0")
        come_to_rest(two)
        assert len(log) == min(reached(engine, n, 1), 5)

    @generator(read_ahead=n, engine=engine)
    def upwards(yield_: Callable[[int], Any], start: int, *, size: int = 5) -> None:
        for k in range(start, start + size):
            log.append(k)
            yield_(k)

    log.clear()
    it = upwards(10)
    assert log == []
    assert next(it) == 10
    come_to_rest(it)
    assert len(log) == min(reached(engine, n, 1), 5)
    assert list(it) == [11, 12, 13, 14]
    assert list(upwards(3, size=2)) == [3, 4]


def test_the_producer_runs_n_values_ahead(engine: Engine) -> None:
    """On greenlets it waits in the yield_ of each nth; on threads while n values wait."""
    asked: Log = []
    answered: Log = []

    def producer(yield_: Callable[[int], Any]) -> None:
        for n in range(7):
            asked.append(n)
            answered.append(yield_(n))
        asked.append("end")

    it = iterate(producer, read_ahead=3, engine=engine)
    assert asked == []
    states = []
    for _ in range(7):
        next(it)
        come_to_rest(it)
        states.append((len(asked), len(answered)))
    if engine == "greenlet":
        assert states == [(3, 2)] * 3 + [(6, 5)] * 3 + [(8, 7)]
    else:
        assert states == [(4, 3), (5, 4), (6, 5), (7, 6)] + [(8, 7)] * 3
    assert not it.done
    assert list(it) == []
    assert answered == [True] * 7


def test_on_greenlets_the_two_take_turns_of_n_values() -> None:
    """Nothing of the producer runs while there are values."""
    log: list[str] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        for n in range(7):
            log.append("p")
            yield_(n)
        log.append("e")

    for _ in iterate(producer, read_ahead=3):
        log.append("c")
    assert "".join(log) == "pppcccpppcccpec"


def test_on_threads_the_first_next_waits_for_one_value_only() -> None:
    """The producer may wait for its source, or for what the consumer does with the value."""
    go_on = threading.Event()

    def producer(yield_: Callable[[int], Any]) -> None:
        yield_(0)
        go_on.wait()
        yield_(1)

    it = iterate(producer, read_ahead=100, engine="thread")
    assert next(it) == 0
    go_on.set()
    assert list(it) == [1]


@pytest.mark.parametrize("n", [2, 3, 9])
def test_on_threads_the_two_work_at_the_same_time(n: int) -> None:
    """They meet after each value; in lockstep each would wait for the other."""
    meeting = threading.Barrier(2)

    def producer(yield_: Callable[[int], Any]) -> None:
        for n in range(5):
            yield_(n)
            meeting.wait(10)

    got = []
    for value in iterate(producer, read_ahead=n, engine="thread"):
        meeting.wait(10)
        got.append(value)
    assert got == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("n", [2, 3, 9])
def test_on_threads_no_more_than_n_values_wait(n: int) -> None:
    """However fast the producer is."""
    taken = 0
    waiting: list[int] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        for value in range(1000):
            yield_(value)
            waiting.append(value + 1 - taken)

    for _ in iterate(producer, read_ahead=n, engine="thread"):
        taken += 1
    assert len(waiting) == 1000
    assert max(waiting) <= n


def test_on_threads_many_threads_may_fill_it() -> None:
    """Each waits where there is no room; none of their values is lost."""

    def producer(yield_: Callable[[int], Any]) -> None:
        part = lambda k: [yield_(value) for value in range(k, 400, 4)]
        threads = [threading.Thread(target=part, args=(k,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    got = list(iterate(producer, read_ahead=3, engine="thread"))
    assert sorted(got) == list(range(400))
    for k in range(4):
        assert [value for value in got if value % 4 == k] == list(range(k, 400, 4))


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 11, 12])
@pytest.mark.parametrize("n", [0, 2, 4, 12, 100])
def test_one_switch_brings_n_values(n: int, size: int) -> None:
    """And one more finds the end."""
    switches: list[str] = []

    def count() -> list[int]:
        consumer = greenlet.getcurrent()

        def trace(event: str, arguments: Any) -> None:
            if arguments[0] is consumer:
                switches.append(event)

        list(iterate(numbers(size), read_ahead=n))  # the first pull prepares the thread
        it = iterate(numbers(size), read_ahead=n)
        greenlet.settrace(trace)
        try:
            return list(it)
        finally:
            greenlet.settrace(None)

    # In a new thread: a parked coroutine of another test may need one more.
    assert in_thread(count) == list(range(size))
    assert switches == ["switch"] * (-(-size // max(n, 1)) + 1)


def test_a_huge_number_costs_nothing() -> None:
    """What matters is how many values there are."""
    tracemalloc = pytest.importorskip("tracemalloc")
    list(iterate(numbers(3), read_ahead=10**9))
    tracemalloc.start()
    try:
        assert list(iterate(numbers(3), read_ahead=10**9)) == [0, 1, 2]
        assert tracemalloc.get_traced_memory()[1] < 20_000
    finally:
        tracemalloc.stop()


def test_on_threads_the_end_does_not_wait_for_a_helper_that_has_yet_to_wake() -> None:
    """seq has returned, and all values are taken; the helper's yield_ finds room, late."""
    answers: Log = []
    threads: list[threading.Thread] = []
    go_on = threading.Event()

    def hold(frame: Any, event: str, arg: Any) -> None:
        if event == "c_return" and arg.__name__ == "acquire" and frame.f_code.co_name == "yield_":
            sys.setprofile(None)
            go_on.wait()

    def producer(yield_: Callable[[int], Any]) -> None:
        def help() -> None:
            sys.setprofile(hold)
            answers.extend([yield_(0), yield_(1)])
            answers.append(yield_(2))

        threads.extend([threading.current_thread(), threading.Thread(target=help)])
        threads[1].start()

    it = iterate(producer, read_ahead=2, engine="thread")
    assert next(it) == 0
    threads[0].join()
    assert next(it) == 1
    assert list(it) == []
    go_on.set()
    threads[1].join()
    assert answers[0] is True
    assert answers[2:] == [False]


# 1, 4, 14: the beginning, close, drop.


def test_01_making_it_runs_none_of_seq(engine: Engine) -> None:
    """Only the first next starts it."""
    log: Log = []
    it = iterate(logged(countdown, log), read_ahead=5, engine=engine)
    assert log == []
    assert next(it) == 3
    come_to_rest(it)
    assert log == ["start", True, True, True, "end"]


def test_04_close_before_next_runs_nothing(engine: Engine) -> None:
    """seq is never called."""
    log: Log = []
    it = iterate(logged(countdown, log), read_ahead=5, engine=engine)
    assert it.close() is None
    assert list(it) == []
    assert log == []
    with pytest.raises(PullError, match="did not return"):
        it.result  # noqa: B018


@pytest.mark.parametrize("taken", [1, 2, 3, 4])
def test_04_close_tells_the_producer_where_it_is(engine: Engine, taken: int) -> None:
    """The pending yield_ answers False; what ran ahead is dropped."""
    log: Log = []
    it = iterate(logged(numbers(9), log), read_ahead=2, engine=engine)
    assert list(islice(it, taken)) == list(range(taken))
    come_to_rest(it)
    assert it.close() == "stopped"
    ahead = reached(engine, 2, taken)
    assert log == ["start"] + [True] * (ahead - 1) + [False, "end"]
    assert list(it) == []
    assert it.close() is None
    assert it.result == "stopped"


def test_04_with_closes(engine: Engine) -> None:
    """At the end of the block."""
    log: Log = []
    with iterate(logged(numbers(9), log), read_ahead=2, engine=engine) as it:
        assert next(it) == 0
        come_to_rest(it)
    assert log == ["start"] + [True] * (reached(engine, 2, 1) - 1) + [False, "end"]
    assert it.done


@pytest.mark.parametrize("n", [2, 3, 4, 5, 9])
def test_04_what_ran_ahead_is_let_go_on_close(engine: Engine, n: int) -> None:
    """At once, though the iterator lives on."""

    def things(yield_: Callable[[Thing], Any]) -> None:
        for _ in range(5):
            watches.append(weakref.ref(thing := Thing()))
            if not yield_(thing):
                return

    watches: list[weakref.ref[Thing]] = []
    gc.disable()
    try:
        it = iterate(things, read_ahead=n, engine=engine)
        first = next(it)
        come_to_rest(it)
        it.close()
        assert len(watches) == min(reached(engine, n, 1), 5)
        assert watches[0]() is first
        assert gone(*watches[1:])
        assert list(it) == []
    finally:
        gc.enable()


def test_14_values_are_let_go_with_their_batch(engine: Engine) -> None:
    """By the switch that brings the next one; on threads each when it is taken."""

    def things(yield_: Callable[[Thing], Any]) -> None:
        for _ in range(6):
            watches.append(weakref.ref(thing := Thing()))
            yield_(thing)

    watches: list[weakref.ref[Thing]] = []
    gc.disable()
    try:
        it = iterate(things, read_ahead=2, engine=engine)
        for n in range(6):
            next(it)
            come_to_rest(it)
            # The last one is freed by its thread, in a free-threaded build, when that goes on.
            size = n + (not FREE_THREADED) if engine == "thread" else n - n % 2
            assert gone(*watches[:size])
        assert next(it, None) is None
        assert len(watches) == 6
        assert gone(*watches)
    finally:
        gc.enable()


def test_14_a_dropped_iterator_is_stopped_at_once(engine: Engine) -> None:
    """In the middle of a batch, and with one used up."""
    for taken in (1, 2):
        log: Log = []
        it = iterate(logged(numbers(9), log), read_ahead=2, engine=engine)
        list(islice(it, taken))
        come_to_rest(it)
        del it
        assert log == ["start"] + [True] * (reached(engine, 2, taken) - 1) + [False, "end"]


def test_14_one_dropped_while_seq_runs_is_told_to_stop_and_nobody_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On threads; there is nobody else who would hear of an error of it."""
    heard: Log = []
    log: Log = []
    threads: list[threading.Thread] = []
    go_on = threading.Event()
    error = KeyError("boom")
    monkeypatch.setattr(threading, "excepthook", lambda args: heard.append(args.exc_value))

    def producer(yield_: Callable[[int], Any]) -> None:
        threads.append(threading.current_thread())
        yield_(1)
        go_on.wait()
        log.append(yield_(2))
        raise error

    it = iterate(producer, read_ahead=5, engine="thread")
    next(it)
    del it
    assert log == []
    go_on.set()
    threads[0].join()
    assert log == [False]
    assert heard == [error]


def test_14_nested_ones_are_stopped_too(engine: Engine) -> None:
    """Each when its holder lets go of it."""
    log: Log = []
    inner: list[weakref.ref[PullIterator[int]]] = []

    def watched(it: PullIterator[int]) -> PullIterator[int]:
        inner.append(weakref.ref(it))
        return it

    def outer(yield_: Callable[[int], Any]) -> None:
        try:
            for value in watched(iterate(logged(numbers(9), log), read_ahead=3, engine=engine)):
                yield_(value)
        finally:
            log.append("outer end")

    it = iterate(outer, read_ahead=2, engine=engine)
    next(it)
    come_to_rest(it)
    come_to_rest(inner[0]())
    until = ["start"] + [True] * (reached(engine, 3, reached(engine, 2, 1)) - 1)
    assert log == until
    del it
    assert log == [*until, False, "end", "outer end"]


@pytest.mark.parametrize("finish", ["close", "with", "drop"])
def test_04_an_error_that_ran_ahead_is_raised_by_what_stops(
    engine: Engine, finish: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The values before it are dropped; it is not. Once."""
    heard: list[BaseException | None] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: heard.append(args.exc_value))
    error = KeyError("boom")
    it = iterate(failing(error, 1, 2, 3), read_ahead=5, engine=engine)
    assert next(it) == 1
    come_to_rest(it)
    if finish == "drop":
        del it
        assert heard == [error]
        return
    with pytest.raises(KeyError) as caught:
        if finish == "close":
            it.close()
        else:
            with it:
                raise OSError("the body's")
    assert caught.value is error
    assert isinstance(caught.value.__context__, OSError) == (finish == "with")
    assert traceback.extract_tb(error.__traceback__)[-1].name == "producer"
    assert it.close() is None
    assert list(it) == []
    assert it.done
    with pytest.raises(PullError, match="did not return"):
        it.result  # noqa: B018


# 2, 3, 16, 19: the end, results, states.


def test_03_after_the_end_it_stays_ended(engine: Engine) -> None:
    """In every thread, without a switch."""
    it = iterate(countdown, read_ahead=2, engine=engine)
    assert list(it) == [3, 2, 1]
    switches: Log = []
    greenlet.settrace(lambda event, arguments: switches.append(event))
    try:
        for _ in range(3):
            assert next(it, "end") == "end"
            assert list(it) == []
    finally:
        greenlet.settrace(None)
    assert switches == []
    assert isinstance(error_in_thread(lambda: next(it)), StopIteration)


def test_16_stop_iteration_carries_the_result_once(engine: Engine) -> None:
    """After the last value, whenever seq has returned it."""
    for n in (2, 3, 4, 9):
        it = iterate(countdown, read_ahead=n, engine=engine)
        assert [next(it), next(it), next(it)] == [3, 2, 1]
        with pytest.raises(StopIteration) as caught:
            next(it)
        assert caught.value.value == "lift-off"
        with pytest.raises(StopIteration) as caught:
            next(it)
        assert caught.value.value is None
        assert it.close() is None
        assert it.result == "lift-off"

    def delegates() -> Any:
        return (yield from iterate(countdown, read_ahead=2, engine=engine))

    outer = delegates()
    assert list(islice(outer, 3)) == [3, 2, 1]
    with pytest.raises(StopIteration, match="lift-off"):
        next(outer)


@pytest.mark.parametrize("n", [2, 3, 4, 9])
def test_16_close_returns_what_seq_has_returned_ahead(engine: Engine, n: int) -> None:
    """If it has; it may still wait in the last yield_."""
    it = iterate(countdown, read_ahead=n, engine=engine)
    next(it)
    come_to_rest(it)
    with pytest.raises(PullError, match="countdown has not returned yet"):
        it.result  # noqa: B018
    result = "stopped" if reached(engine, n, 1) <= 3 else "lift-off"
    assert it.close() == result
    assert it.result == result
    assert it.close() is None


def test_16_19_states_from_the_first_to_the_last(engine: Engine) -> None:
    """repr, done, result and frame; of seq that has returned there is no frame."""
    seen: list[str] = []

    def producer(yield_: Callable[[int], Any]) -> str:
        for n in range(3):
            seen.append(repr(it))
            yield_(n)
        return "whole"

    where = "test_16_19_states_from_the_first_to_the_last.<locals>.producer"

    def show(state: str) -> str:
        return f"<pullit.PullIterator of {where}, {state}>"

    def look() -> tuple[str, bool, str | None]:
        come_to_rest(it)
        with pytest.raises(PullError) as caught:
            it.result  # noqa: B018
        assert str(caught.value) == (
            f"pullit.iterate: no result: {where} has not returned yet;"
            " look at .result when the iterator has ended by itself"
        )
        frame = it.frame
        return repr(it), it.done, frame.f_code.co_name if frame else None

    it = iterate(producer, read_ahead=2, engine=engine)
    assert (repr(it), it.done, it.frame) == (show("unstarted"), False, None)
    assert next(it) == 0
    assert look() == (show("suspended"), False, "producer")
    assert next(it) == 1
    has_ended = reached(engine, 2, 2) > 3
    assert look() == (show("suspended"), False, None if has_ended else "producer")
    assert next(it) == 2
    assert look() == (show("suspended"), False, None)
    assert next(it, "end") == "end"
    assert (repr(it), it.done, it.result, it.frame) == (show("finished"), True, "whole", None)
    if engine == "greenlet":
        assert seen == [show("running")] * 3
    else:  # while a next waits
        assert seen[0] == show("running")
        assert set(seen) <= {show("running"), show("suspended")}


@pytest.mark.parametrize("call", ["send", "throw"])
def test_16_send_and_throw_are_refused_and_harmless(engine: Engine, call: str) -> None:
    """Whatever the state: they are meant for the yield_ of the value last got."""
    texts: list[str] = []

    def refused() -> None:
        for argument in (None, ValueError("x")):
            with pytest.raises(PullError) as caught:
                getattr(it, call)(argument)
            texts.append(str(caught.value))

    def producer(yield_: Callable[[int], Any]) -> str:
        for n in range(5):
            refused()
            yield_(n)
        return "whole"

    it = iterate(producer, read_ahead=2, engine=engine)
    refused()
    got = []
    for value in it:
        got.append(value)
        refused()
    refused()
    assert got == [0, 1, 2, 3, 4]
    assert it.result == "whole"
    assert texts == 24 * [
        f"pullit.iterate: {call} on an iterator that reads ahead; its producer has gone on"
        f" from the value that you have: call {call} with read_ahead=0"
    ]


def test_16_the_refusal_names_the_function() -> None:
    """iterate2, generator."""
    its: dict[str, PullIterator[Any]] = {
        "iterate2": iterate2(lambda yield_: yield_(1, 2), read_ahead=2),
        "generator": generator(countdown, read_ahead=2)(),
        "iterate": iterate(from_iterable([1]), read_ahead=2),
    }
    for name, it in its.items():
        with pytest.raises(PullError, match=rf"^pullit\.{name}: send on an iterator that reads"):
            it.send(None)


# 5: a producer that goes on after it was told to stop.


def test_05_a_producer_that_goes_on_gets_pull_exit(engine: Engine) -> None:
    """False first, from the yield_ that it waits in, then PullExit."""
    log: Log = []

    def ignores_false(yield_: Callable[[int], Any]) -> None:
        try:
            for n in range(100):
                log.append(yield_(n))
        finally:
            log.append("end")

    it = iterate(ignores_false, read_ahead=3, engine=engine)
    assert next(it) == 0
    come_to_rest(it)
    assert it.close() is None
    assert log == [True] * (reached(engine, 3, 1) - 1) + [False, "end"]


def test_05_one_that_swallows_it_drains(engine: Engine) -> None:
    """After five PullExits, False for the rest; none of it is kept."""
    log: Log = []
    it = iterate(deaf(20, log), read_ahead=3, engine=engine)
    next(it)
    come_to_rest(it)
    assert it.close() == "drained"
    ahead = reached(engine, 3, 1) - 1
    assert log == [True] * ahead + [False] + ["PullExit"] * 5 + [False] * (14 - ahead)
    assert list(it) == []


def test_05_close_swallows_what_is_raised_from_pull_exit(engine: Engine) -> None:
    """But not an error of its own, that the exit passes."""

    def wraps(yield_: Callable[[int], Any]) -> None:
        try:
            while True:
                yield_(1)
        except PullExit as e:
            raise ValueError("callback failed") from e

    def fails_in_cleanup(yield_: Callable[[int], Any]) -> None:
        try:
            while True:
                yield_(1)
        finally:
            raise OSError("disk full")

    it = iterate(wraps, read_ahead=3, engine=engine)
    next(it)
    assert it.close() is None
    it = iterate(fails_in_cleanup, read_ahead=3, engine=engine)
    next(it)
    with pytest.raises(OSError, match="disk full") as caught:
        it.close()
    assert isinstance(caught.value.__context__, PullExit)


def test_05_an_outer_pull_exit_passes_through_an_inner_pull(engine: Engine) -> None:
    """Both read ahead; each swallows its own."""
    log: Log = []

    def outer(yield_: Callable[[int], Any]) -> None:
        def inner(inner_yield: Callable[[int], Any]) -> None:
            while True:
                yield_(1)

        try:
            list(iterate(inner, read_ahead=2, engine=engine))
        except PullExit:
            log.append("outer unwound")
            raise

    it = iterate(outer, read_ahead=3, engine=engine)
    next(it)
    it.close()
    assert log == ["outer unwound"]


# 6: exceptions.


@pytest.mark.parametrize("kind", [KeyError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_06_an_error_comes_after_the_values_before_it(
    engine: Engine, kind: type[BaseException]
) -> None:
    """In its place exactly, once, and it is the same object."""
    for n in (2, 3, 4, 9):
        for size in range(6):
            error = kind("boom")
            it = iterate(failing(error, *range(size)), read_ahead=n, engine=engine)
            assert list(islice(it, size)) == list(range(size))
            assert not it.done
            with pytest.raises(kind) as caught:
                next(it)
            assert caught.value is error
            assert it.done
            assert list(it) == []
            assert it.close() is None


def test_06_the_traceback_is_whole_and_short(engine: Engine) -> None:
    """It has the consumer's and the producer's frames, and few of the library's."""

    def deep(yield_: Callable[[int], Any]) -> None:
        yield_(1)
        raise KeyError("boom")

    def producer(yield_: Callable[[int], Any]) -> None:
        deep(yield_)

    for n in (2, 9):
        it = iterate(producer, read_ahead=n, engine=engine)
        assert next(it) == 1
        with pytest.raises(KeyError) as caught:
            next(it)
        frames = traceback.extract_tb(caught.value.__traceback__)
        assert frames[0].name == "test_06_the_traceback_is_whole_and_short"
        assert [frame.name for frame in frames[-2:]] == ["producer", "deep"]
        assert len(frames) <= 3 + 6 - (engine == "greenlet")


def test_06_cause_and_context_stay_as_the_producer_left_them(engine: Engine) -> None:
    """Whatever the consumer handles, when it is raised and before."""

    def producer(yield_: Callable[[int], Any]) -> None:
        yield_(1)
        try:
            raise KeyError("first")
        except KeyError as e:
            raise ValueError("second") from e

    for seq, has_cause in ((producer, True), (failing(ValueError("alone"), 1), False)):
        for n in (2, 9):
            it = iterate(seq, read_ahead=n, engine=engine)
            with pytest.raises(ValueError, match=r"second|alone") as caught:
                try:
                    raise OSError("the consumer's")
                except OSError:
                    assert list(islice(it, 1)) == [1]
                    next(it)
            cause = caught.value.__cause__
            assert isinstance(cause, KeyError) == has_cause
            assert caught.value.__context__ is cause
            assert cause is None or cause.__context__ is None


def test_06_stop_iteration_becomes_runtime_error(engine: Engine) -> None:
    """After the values before it; it would end the consumer's loop in silence."""
    for n in (2, 3, 9):
        got: list[int] = []
        it = iterate(failing(StopIteration(3), 1, 2, 3), read_ahead=n, engine=engine)
        with pytest.raises(RuntimeError) as caught:
            got.extend(map(int, it))
        assert got == [1, 2, 3]
        assert str(caught.value) == (
            "pullit.iterate: failing.<locals>.producer raised StopIteration; return instead, or"
            " catch it where a next raises it"
        )
        assert isinstance(caught.value.__cause__, StopIteration)
        assert list(it) == []


def test_06_greenlet_exit_ends_seq_as_a_return_does(engine: Engine) -> None:
    """What it has yielded before is not lost."""
    it = iterate(failing(greenlet.GreenletExit(), 1, 2, 3), read_ahead=2, engine=engine)
    assert list(it) == [1, 2, 3]
    assert it.result is None


def test_06_a_pull_exit_of_the_producers_own_is_an_error(engine: Engine) -> None:
    """Nobody has told it to stop."""
    it = iterate(failing(PullExit("mine"), 1), read_ahead=5, engine=engine)
    assert next(it) == 1
    with pytest.raises(PullExit, match="mine"):
        next(it)


# 7 and 20: calls from inside seq.


CALLS: dict[str, Callable[[PullIterator[Any]], object]] = {
    "next": next,
    "for": lambda it: [v + 0 for v in it],
    "map": lambda it: list(map(str, it)),
    "islice": lambda it: list(islice(it, 1)),
    "close": lambda it: it.close(),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("n", [2, 3, 9])
def test_07_20_a_call_from_inside_seq_is_refused_and_harmless(
    engine: Engine, call: str, n: int
) -> None:
    """PullError inside seq; caught there, no value is lost."""
    texts: list[str] = []

    def producer(yield_: Callable[[int], Any]) -> str:
        for value in range(5):
            try:
                CALLS[call](it)
            except PullError as e:
                texts.append(str(e))
            yield_(value)
        return "whole"

    it = iterate(producer, read_ahead=n, engine=engine)
    assert list(it) == [0, 1, 2, 3, 4]
    assert it.result == "whole"
    name = "close" if call == "close" else "next"
    where = "test_07_20_a_call_from_inside_seq_is_refused_and_harmless.<locals>.producer"
    assert texts == 5 * [
        f"pullit.iterate: {name} called again before yield; {where} is running:"
        f" do not call {name} from inside it, nor from two threads at once"
    ]


def test_07_a_refusal_that_is_not_caught_is_an_error_of_seqs(engine: Engine) -> None:
    """It comes after the values."""

    def producer(yield_: Callable[[int], Any]) -> None:
        yield_(1)
        yield_(2)
        next(it)

    it = iterate(producer, read_ahead=9, engine=engine)
    assert list(islice(it, 2)) == [1, 2]
    with pytest.raises(PullError, match="next called again before yield"):
        next(it)
    assert list(it) == []


def test_07_during_cleanup_next_ends_and_close_does_nothing(engine: Engine) -> None:
    """After a close, seq's own calls find the end."""
    log: Log = []

    def producer(yield_: Callable[[int], Any]) -> None:
        while yield_(1):
            pass
        it.close()
        log.append(list(it))
        log.append(next(it, "end"))

    it = iterate(producer, read_ahead=2, engine=engine)
    next(it)
    come_to_rest(it)
    it.close()
    assert log == [[], "end"]
    assert list(it) == []


# 8: a kept yield_.


def test_08_a_kept_yield_between_two_nexts_is_refused(engine: Engine) -> None:
    """With values ahead or without; the iterator is unharmed. After the end: False.

    On threads that is the end of seq, be there values left or not.
    """
    kept: list[Callable[[int], Any]] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        kept.append(yield_)
        for n in range(5):
            yield_(n)

    where = "test_08_a_kept_yield_between_two_nexts_is_refused.<locals>.producer"
    for n in (2, 3, 5, 9):
        kept.clear()
        got = []
        it = iterate(producer, read_ahead=n, engine=engine)
        for value in it:
            got.append(value)
            come_to_rest(it)
            if engine == "thread" and it.frame is None:
                assert kept[0](9) is False
                continue
            for _ in range(2):
                with pytest.raises(PullError) as caught:
                    kept[0](9)
                assert str(caught.value) == (
                    f"pullit.iterate: yield_ called again before next; {where} is suspended in"
                    " its last call of it: only the producer may call yield_"
                )
        assert got == [0, 1, 2, 3, 4]
        assert kept[0](9) is False
        it = iterate(producer, read_ahead=n, engine=engine)
        next(it)
        it.close()
        assert kept[1](9) is False


def test_08_a_yield_of_a_finished_pull_stays_false_on_a_later_ones_coroutine(
    engine: Engine,
) -> None:
    """That may be the very same coroutine."""
    kept: list[Callable[[int], Any]] = []
    answers: Log = []

    def first(yield_: Callable[[int], Any]) -> None:
        kept.append(yield_)
        yield_(1)

    def second(yield_: Callable[[int], Any]) -> None:
        yield_(2)
        answers.append(kept[0](9))
        yield_(3)

    for n in (0, 2, 5):
        assert list(iterate(first, read_ahead=5, engine=engine)) == [1]
        assert list(iterate(second, read_ahead=n, engine=engine)) == [2, 3]
    assert answers == [False] * 3


def test_08_the_yield_of_a_pair_is_refused_too(engine: Engine) -> None:
    """It counts its arguments, as any function does."""
    kept: list[Callable[..., Any]] = []

    def pairs(yield_: Callable[[int, int], Any]) -> None:
        kept.append(yield_)
        with pytest.raises(TypeError):
            kept[0](1)
        for n in range(1, 7, 2):
            yield_(n, n + 1)

    it = iterate2(pairs, read_ahead=2, engine=engine)
    assert next(it) == (1, 2)
    come_to_rest(it)
    with pytest.raises(PullError, match=r"^pullit\.iterate2: yield_ called again before next"):
        kept[0](7, 8)
    assert list(it) == [(3, 4), (5, 6)]
    assert kept[0](9, 10) is False


# 9, 10: who yields, and who asks.


@pytest.mark.parametrize("outer_n", [0, 2, 3, 9])
@pytest.mark.parametrize("inner_n", [0, 2, 9])
def test_09_a_nested_producer_may_call_the_outer_yield(
    engine: Engine, outer_n: int, inner_n: int
) -> None:
    """The outer's values keep the order in which they were yielded.

    On threads the two producers run at the same time, if the inner one reads ahead.
    """
    order: list[str] = []

    def outer(yield_: Callable[[str], Any]) -> str:
        def note(value: str) -> None:
            order.append(value)
            yield_(value)

        def inner(inner_yield: Callable[[str], Any]) -> None:
            for name in "abc":
                inner_yield(name)
                note(f"inner {name}")

        for value in iterate(inner, read_ahead=inner_n, engine=engine):
            note(f"outer {value}")
        return "whole"

    it = iterate(outer, read_ahead=outer_n, engine=engine)
    got = list(it)
    assert len(got) == 6
    if engine == "greenlet" or inner_n < 2:
        assert got == order
    assert sorted(got) == sorted(order)
    assert it.result == "whole"


@pytest.mark.parametrize("inner_n", [0, 2])
def test_09_a_close_reaches_the_nested_producer_that_yielded(engine: Engine, inner_n: int) -> None:
    """Its yield_ answers False, and both producers end."""
    log: Log = []

    def outer(yield_: Callable[[int], Any]) -> str:
        def inner(inner_yield: Callable[[int], Any]) -> str:
            while yield_(1):
                pass
            log.append("told")
            return "inner"

        it = iterate(inner, read_ahead=inner_n, engine=engine)
        log.append(list(it))
        log.append(it.result)
        return "outer"

    it = iterate(outer, read_ahead=2, engine=engine)
    assert next(it) == 1
    assert it.close() == "outer"
    assert log == ["told", [], "inner"]


def test_09_a_greenlet_of_the_producers_may_yield() -> None:
    """It need not be one of ours, and may be resumed in the middle."""

    def producer(yield_: Callable[[int], Any]) -> int:
        helper = greenlet.greenlet(lambda: [yield_(n) for n in range(5)])
        got = helper.switch()
        yield_(9)
        return len(got)

    for n in (2, 3, 5, 6, 9):
        it = iterate(producer, read_ahead=n)
        assert list(it) == [0, 1, 2, 3, 4, 9]
        assert it.result == 5


def test_10_next_may_come_from_different_greenlets() -> None:
    """The last caller is who an end or an error wakes."""
    for seq in (numbers(5), failing(KeyError("boom"), *range(5))):
        it = iterate(seq, read_ahead=2)
        got: Log = []

        def ask() -> None:
            try:
                got.append(next(it))
            except (KeyError, StopIteration) as e:
                got.append(type(e).__name__)

        for _ in range(7):
            greenlet.greenlet(ask).switch()
        assert got[:5] == [0, 1, 2, 3, 4]
        assert got[5] in ("StopIteration", "KeyError")
        assert got[6] == "StopIteration"


def test_10_threads_may_take_turns_with_the_thread_engine() -> None:
    """One at a time, in the middle of a batch and after it."""
    it = iterate(numbers(7), read_ahead=3, engine="thread")
    got: list[int] = []
    for _ in range(3):
        assert error_in_thread(lambda: got.append(next(it))) is None
        got.append(next(it))
    assert error_in_thread(lambda: got.extend(it)) is None
    assert got == [0, 1, 2, 3, 4, 5, 6]
    assert it.result == "whole"


# 11: the wrong thread.


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("taken", [1, 2, 3, 4, 5])
def test_11_20_another_thread_is_refused_and_does_no_harm(call: str, taken: int) -> None:
    """WrongThreadError, when the batch is used up and amid it."""
    it = iterate(numbers(5), read_ahead=2)
    assert list(islice(it, taken)) == list(range(taken))
    for _ in range(2):
        error = error_in_thread(lambda: CALLS[call](it))
        name = "close" if call == "close" else "next"
        assert isinstance(error, WrongThreadError)
        assert str(error) == (
            f"pullit.iterate: {name} called in thread 'other', but {NUMBERS} was started in"
            " thread 'MainThread' and cannot change threads; call it there, or pass"
            ' engine="thread"'
        )
    assert list(it) == list(range(taken, 5))


def test_11_a_pull_not_started_belongs_to_no_thread() -> None:
    """It may be made in one and used in another, or closed there."""
    it = iterate(countdown, read_ahead=2)
    got: list[int] = []
    assert error_in_thread(lambda: got.extend(it)) is None
    assert got == [3, 2, 1]
    assert error_in_thread(iterate(countdown, read_ahead=2).close) is None


# 12, 13: values, contexts.


@pytest.mark.parametrize("n", [2, 3, 100])
def test_12_none_and_falsy_values_are_ordinary(engine: Engine, n: int) -> None:
    """Only StopIteration tells the end."""
    values: list[Any] = [None, 0, False, "", (), [], {}, StopIteration, StopIteration()]
    seq: Seq[Any] = lambda yield_: [yield_(v) for v in values]
    got = list(iterate(seq, read_ahead=n, engine=engine))
    assert all(a is b for a, b in zip(got, values, strict=True))
    pairs: Any = lambda yield_: [yield_(v, None) for v in values]
    assert list(iterate2(pairs, read_ahead=n, engine=engine)) == [(v, None) for v in values]


VAR = contextvars.ContextVar("VAR", default="unset")


def test_13_a_producer_runs_in_a_copy_of_the_first_nexts_context(engine: Engine) -> None:
    """What it sets stays its own, in all batches."""

    def producer(yield_: Callable[[str], Any]) -> None:
        yield_(VAR.get())
        VAR.set("the producer's")
        for _ in range(4):
            yield_(VAR.get())

    token = VAR.set("at the making")
    it = iterate(producer, read_ahead=2, engine=engine)
    VAR.set("at the first next")
    assert next(it) == "at the first next"
    VAR.set("later")
    assert list(it) == ["the producer's"] * 4
    assert VAR.get() == "later"
    VAR.reset(token)


# 15: switches that are not ours.


def test_15_producers_that_sleep_run_together() -> None:
    """gevent's hub switches away from each, also when batches end."""
    gevent = pytest.importorskip("gevent")
    order: list[str] = []

    def sleeper(name: str) -> Seq[str]:
        def producer(yield_: Callable[[str], Any]) -> None:
            for n in range(5):
                gevent.sleep(0)
                order.append(name)
                yield_(f"{name}{n}")

        return producer

    def consume(name: str) -> list[str]:
        return list(iterate(sleeper(name), read_ahead=2))

    tasks = [gevent.spawn(consume, name) for name in "ab"]
    gevent.joinall(tasks, raise_error=True)
    assert [task.value for task in tasks] == [[f"{name}{n}" for n in range(5)] for name in "ab"]
    assert order[:4] == ["a", "b", "a", "b"]
    assert consume("main") == [f"main{n}" for n in range(5)]


def test_15_greenlets_that_a_producer_spawns_may_yield() -> None:
    """They share the batch; one that fills it waits there."""
    gevent = pytest.importorskip("gevent")

    def producer(yield_: Callable[[int], Any]) -> None:
        gevent.joinall([gevent.spawn(yield_, n) for n in range(5)], raise_error=True)

    for n in (2, 3, 5, 9):
        consume = lambda: list(iterate(producer, read_ahead=n))
        assert gevent.spawn(consume).get() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("nested", [False, True])
def test_15_a_timeout_in_the_consumer_ends_the_producer_first(nested: bool) -> None:
    """What has run ahead goes with it; the producer's cleanup may wait, and yield."""
    gevent = pytest.importorskip("gevent")
    log: Log = []

    def slow(yield_: Callable[[int], Any]) -> None:
        try:
            for n in range(4):
                yield_(n)
            gevent.sleep(10)
        finally:
            gevent.sleep(0)
            with pytest.raises(PullExit):
                yield_(9)
            log.append("cleaned up")

    def outer(yield_: Callable[[int], Any]) -> None:
        for value in iterate(slow, read_ahead=3):
            yield_(value)

    def consume() -> None:
        it = iterate(outer if nested else slow, read_ahead=3)
        assert list(islice(it, 3)) == [0, 1, 2]
        with pytest.raises(gevent.Timeout), gevent.Timeout(0.001):
            next(it)
        log.append(it.done)
        assert list(it) == []

    gevent.spawn(consume).get()
    consume()
    assert log == ["cleaned up", True] * 2


@pytest.mark.parametrize("n", [0, 2, 3, 5])
def test_15_a_timeout_of_the_producers_own_costs_no_values(n: int) -> None:
    """It strikes while seq waits in yield_; what it yielded before is still there."""
    gevent = pytest.importorskip("gevent")
    answers: Log = []
    struck: Log = []

    def producer(yield_: Callable[[int], Any]) -> str:
        try:
            with gevent.Timeout(0.001):
                for n in range(9):
                    answers.append(yield_(n))
        except gevent.Timeout:
            struck.append(True)
            return "timed out"
        return "in time"

    def consume() -> None:
        it = iterate(producer, read_ahead=n)
        got = [next(it)]
        while not struck:
            gevent.sleep(0.001)
        got.extend(it)
        assert got == list(range(max(n, 1)))
        assert it.result == "timed out"
        assert answers == [True] * (len(got) - 1)

    gevent.spawn(consume).get()


@pytest.mark.parametrize("n", [0, 2, 9])
def test_15_it_works_where_gevent_has_patched_threading(n: int) -> None:
    """Then a thread's ident is a greenlet's, and locks are gevent's."""
    pytest.importorskip("gevent")
    script = f"""
        from gevent import monkey
        monkey.patch_all()
        import gevent
        import pullit

        def numbers(yield_):
            for n in range(5):
                gevent.sleep(0)
                yield_(n)

        it = pullit.iterate(numbers, read_ahead={n})
        consumed = [gevent.spawn(lambda: list(pullit.iterate(numbers, read_ahead={n})))
                    for _ in range(2)]
        print(*[task.get() for task in consumed])
        print(*[gevent.spawn(next, it).get() for _ in range(4)], *it)
        """
    assert run_script(script) == "[0, 1, 2, 3, 4] [0, 1, 2, 3, 4]\n0 1 2 3 4\n"


# 17: callback APIs, and their guard.


def test_a_callback_api_may_be_read_ahead(engine: Engine) -> None:
    """Its calls get their replies; a close raises PullExit through the one that waits."""
    log: Log = []
    seq = from_callback(api(5, log), reply=lambda n: f"reply {n}")
    it = iterate(seq, read_ahead=3, engine=engine)
    assert list(it) == [0, 1, 2, 3, 4]
    assert it.result == "api"
    assert log == [f"reply {n}" for n in range(5)]
    log.clear()
    it = iterate(seq, read_ahead=3, engine=engine)
    next(it)
    come_to_rest(it)
    assert it.close() is None
    ahead = reached(engine, 3, 1) - 1
    assert log == [*(f"reply {n}" for n in range(ahead)), "PullExit"]
    log.clear()
    it = iterate(from_callback(api(5, log), stop_reply=-1), read_ahead=3, engine=engine)
    next(it)
    come_to_rest(it)
    assert it.close() == "api"
    assert log == [None] * ahead + [-1] * (5 - ahead)


def guarded(name: str, log: Log, n: int, size: int = 5) -> PullIterator[int]:
    """Return an iterator over calls of an API of that name."""
    return iterate(from_callback(api(size, log, name)), read_ahead=n)


def test_17_resuming_out_of_order_is_refused_and_harmless() -> None:
    """When there are no values left; those that are there need no switch."""
    log: Log = []
    earlier, later = guarded("A", log, 2), guarded("B", log, 2)
    assert [next(earlier), next(later), next(earlier)] == [0, 0, 1]
    calls: list[Callable[[], object]] = [
        lambda: next(earlier),
        lambda: list(earlier),
        lambda: list(map(str, earlier)),
        lambda: list(islice(earlier, 1)),
        earlier.close,
    ]
    for call in calls:
        with pytest.raises(PullError) as caught:
            call()
        assert str(caught.value) == (
            "pullit.iterate: from_callback(A) was resumed while from_callback(B), which"
            " began later, is suspended; native libraries crash when that happens: close"
            " the later one first, collect one of the two into a list, or pass"
            " interleave=True to from_callback if the API is known to survive it"
        )
    assert [next(later), next(later)] == [1, 2]
    later.close()
    assert list(earlier) == [2, 3, 4]
    assert log == [None, None, None, None, "PullExit"] + [None] * 4


def test_17_an_api_that_has_ended_ahead_is_not_guarded() -> None:
    """Only its values are left."""
    log: Log = []
    earlier, later = guarded("A", log, 9), guarded("B", log, 2)
    assert [next(earlier), next(later)] == [0, 0]
    assert list(earlier) == [1, 2, 3, 4]
    assert earlier.result == "A"
    assert list(later) == [1, 2, 3, 4]


def test_17_one_dropped_out_of_order_is_stopped_as_soon_as_that_is_safe() -> None:
    """When the later one ends."""
    log: Log = []
    earlier, later = guarded("A", log, 2), guarded("B", log, 2)
    next(earlier), next(later)
    del earlier
    assert log == [None, None]
    later.close()
    assert log == [None, None, "PullExit", "PullExit"]


def test_17_nested_order_is_served() -> None:
    """The loop body may walk another to its end."""
    got = [(a, b) for a in guarded("A", [], 2) for b in guarded("B", [], 3)]
    assert got == [(a, b) for a in range(5) for b in range(5)]


# 18: foreign threads.


def calls_back_elsewhere(yield_: Callable[[int], Any], log: Log) -> None:
    """Call *yield_* as an API does that has a thread of its own."""

    def run() -> None:
        try:
            log.append(yield_(9))
        except PullError as e:
            log.append(type(e).__name__)

    thread = threading.Thread(target=run, name="theirs")
    thread.start()
    thread.join()


def test_18_a_foreign_yield_is_refused_there_and_at_the_consumer() -> None:
    """By the next in which seq ends; the values of seq's own thread come first."""
    for n in (2, 3, 9):
        log: Log = []

        def producer(yield_: Callable[[int], Any]) -> None:
            yield_(1)
            calls_back_elsewhere(yield_, log)

        it = iterate(producer, read_ahead=n)
        assert next(it) == 1
        with pytest.raises(WrongThreadError) as caught:
            next(it)
        where = "test_18_a_foreign_yield_is_refused_there_and_at_the_consumer.<locals>.producer"
        assert str(caught.value) == (
            f"pullit.iterate: yield_ called in thread 'theirs', but {where} was started in"
            " thread 'MainThread'; pass engine=\"thread\" for an API that calls back from other"
            " threads"
        )
        assert log == ["WrongThreadError"]
        assert list(it) == []


def test_18_the_batch_that_comes_first_is_delivered() -> None:
    """The next after it stops seq, and raises."""
    log: Log = []

    def producer(yield_: Callable[[int], Any]) -> None:
        log.append(yield_(1))
        calls_back_elsewhere(yield_, log)
        for n in range(2, 9):
            log.append(yield_(n))

    it = iterate(producer, read_ahead=3)
    assert list(islice(it, 3)) == [1, 2, 3]
    with pytest.raises(WrongThreadError):
        next(it)
    assert log == [True, "WrongThreadError", True, False]
    assert list(it) == []


def test_18_close_raises_it_too() -> None:
    """Nobody else would hear of it."""
    log: Log = []

    def producer(yield_: Callable[[int], Any]) -> None:
        yield_(1)
        calls_back_elsewhere(yield_, log)
        yield_(2)
        yield_(3)

    it = iterate(producer, read_ahead=2)
    next(it)
    with pytest.raises(WrongThreadError):
        it.close()


def test_18_with_the_thread_engine_it_works() -> None:
    """The call is served like any other."""
    log: Log = []

    def producer(yield_: Callable[[int], Any]) -> None:
        for _ in range(5):
            calls_back_elsewhere(yield_, log)

    for n in (2, 5, 9):
        assert list(iterate(producer, read_ahead=n, engine="thread")) == [9] * 5
    assert log == [True] * 15


# 21: the thread engine.


def test_21_a_call_while_another_runs_is_refused_and_harmless() -> None:
    """PullError there, the running one unharmed."""
    running, go_on = threading.Event(), threading.Event()

    def producer(yield_: Callable[[int], Any]) -> None:
        running.set()
        go_on.wait()
        for n in range(5):
            yield_(n)

    it = iterate(producer, read_ahead=3, engine="thread")
    got: list[int] = []
    first = threading.Thread(target=lambda: got.append(next(it)))
    first.start()
    running.wait()
    for call in CALLS.values():
        with pytest.raises(PullError, match="called again before yield"):
            call(it)
    go_on.set()
    first.join()
    assert got == [0]
    assert list(it) == [1, 2, 3, 4]


def test_21_its_threads_are_gone_when_the_pull_is() -> None:
    """At once, ended or closed, with values left or without."""
    before = threading.enumerate()
    for n in (2, 3, 9):
        it = iterate(countdown, read_ahead=n, engine="thread")
        assert list(it) == [3, 2, 1]
        assert threading.enumerate() == before
        it = iterate(countdown, read_ahead=n, engine="thread")
        next(it)
        it.close()
        assert threading.enumerate() == before


@needs("signal.setitimer")
def test_21_one_that_was_interrupted_stops_at_its_next_yield() -> None:
    """And does not first fill the batch."""
    script = """
        import itertools, signal, threading
        import pullit

        go_on, log = threading.Event(), []

        def producer(yield_):
            # Again, since one that comes right before a wait interrupts nothing.
            signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
            go_on.wait()
            try:
                for n in range(2000):
                    log.append(yield_(n))
            except pullit.PullExit:
                log.append("exit")
                raise

        def interrupt(*_):
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

        signal.signal(signal.SIGALRM, interrupt)
        it = pullit.iterate(producer, read_ahead=1000, engine="thread")
        try:
            next(it)
        except KeyboardInterrupt:
            print(it, it.done, list(it))
        go_on.set()
        for thread in threading.enumerate():
            if thread is not threading.main_thread():
                thread.join()
        print(log)
        """
    over = "<pullit.PullIterator of producer, running> True []"
    assert run_script(script) == f"{over}\n[False, 'exit']\n"


# Iterables.


def test_an_iterable_is_not_read_ahead(engine: Engine) -> None:
    """It needs no switch; and it is closed where it is."""
    log: Log = []

    class Counted:
        def __iter__(self) -> Iterator[int]:
            try:
                for n in range(5):
                    log.append(n)
                    yield n
            finally:
                log.append("closed")

    it = iterate(from_iterable(Counted()), read_ahead=3, engine=engine)
    assert next(it) == 0
    assert log == [0]
    for call in ("send", "throw"):
        with pytest.raises(PullError, match=rf"^pullit\.iterate: {call} on an iterator that reads"):
            getattr(it, call)(ValueError())
    assert list(islice(it, 2)) == [1, 2]
    it.close()
    assert log == [0, 1, 2, "closed"]
    assert list(iterate(from_iterable(range(5)), read_ahead=2, engine=engine)) == [0, 1, 2, 3, 4]


def test_an_iterable_inside_of_a_producer_is_read_ahead(engine: Engine) -> None:
    """As any producer's values are."""
    log: Log = []

    def count() -> Iterator[int]:
        for n in range(5):
            log.append(n)
            yield n

    seq = from_iterable(count())
    it: PullIterator[Any] = iterate(lambda yield_: seq(yield_), read_ahead=3, engine=engine)
    assert next(it) == 0
    come_to_rest(it)
    assert log == list(range(reached(engine, 3, 1)))
    assert list(it) == [1, 2, 3, 4]


def test_lockstep_takes_iterators_that_read_ahead(engine: Engine) -> None:
    """And closes them."""
    log: Log = []
    both = [
        iterate(numbers(99, log), read_ahead=4, engine=engine),
        iterate(numbers(99), read_ahead=3, engine=engine),
    ]
    it = pullit.zip(*both)
    assert list(islice(it, 5)) == [(n, n) for n in range(5)]
    come_to_rest(both[0])
    assert len(log) == reached(engine, 4, 5)
    both.clear()
    it.close()
    assert it.done


# Signals.


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Have no collection amid a test: a strike in what that drops would be lost."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def plain(yield_: Callable[[int], Any], missed: Log) -> None:
    for n in range(5):
        if not yield_(n):
            return


def stubborn(yield_: Callable[[int], Any], missed: Log) -> None:
    for n in range(5):
        try:
            if not yield_(n):
                return
        except Strike:
            missed.append(n)


def nested(yield_: Callable[[int], Any], missed: Log) -> None:
    for n in iterate(lambda inner_yield: plain(inner_yield, missed), read_ahead=2):
        if not yield_(n):
            return


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("n", [0, 2, 3, 5, 9])
@pytest.mark.parametrize("seq", [plain, stubborn, nested])
def test_wherever_a_signal_strikes_no_value_is_lost_on_the_way(
    seq: Callable[..., None], n: int, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is consumed has no gap, but for values whose own yield_ was struck."""
    monkeypatch.setattr(sys, "unraisablehook", bool)
    for k in itertools.count(1):
        struck: Log = []
        missed: Log = []
        got: list[int] = []
        it = iterate(lambda yield_: seq(yield_, missed), read_ahead=n, engine=engine)
        whole = False
        if engine == "thread":  # threading itself does not bear a strike where it starts one
            got.append(next(it))
        try:
            sys.setprofile(strike_at(k, struck))
            try:
                for value in it:
                    got.append(value)
                whole = True
            finally:
                sys.setprofile(None)
        except Strike:
            try:
                got.extend(it)
            except Strike:
                pass
        it.close()
        assert it.done
        expected = [v for v in range(5) if v in got or v not in missed]
        assert got == expected[: len(got)], (k, struck)
        assert not whole or got == expected, (k, struck)
        if not struck:
            break
    assert k > 20


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("n", [0, 2])
def test_a_strike_while_iteration_begins_does_not_end_it_in_silence(n: int) -> None:
    """The pull is over, and says so, or all values are still to come."""
    for k in itertools.count(1):
        struck: Log = []
        got: list[int] = []
        it = iterate(numbers(5), read_ahead=n)
        over = False
        try:
            sys.setprofile(strike_at(k, struck))
            try:
                for value in it:
                    got.append(value)
                    break
            finally:
                sys.setprofile(None)
        except Strike:
            over = it.done
        try:
            got.extend(it)
        except Strike:
            over = True  # it struck the producer, after the first value
        assert it.done, (k, struck)
        assert over or got == [0, 1, 2, 3, 4], (k, struck)
        if not struck:
            break
    assert k > 20


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("n", [0, 2])
def test_06_wherever_a_signal_strikes_an_error_of_seq_is_no_return(n: int) -> None:
    """Whichever of the two errors the consumer gets: there is no result."""
    for k in itertools.count(1):
        struck: Log = []
        it = iterate(failing(KeyError("boom"), 1, 2, 3), read_ahead=n)
        try:
            sys.setprofile(strike_at(k, struck))
            try:
                list(it)
            finally:
                sys.setprofile(None)
        except (KeyError, Strike):
            pass
        try:
            it.close()
        except (KeyError, Strike):
            pass
        with pytest.raises(PullError, match="no result"):
            assert it.result
        if not struck:
            break
    assert k > 20


@needs("signal.setitimer")
def test_a_storm_of_signals_loses_no_value_and_no_order() -> None:
    """As it comes, for a while; what strikes while a dropped one is stopped goes to stderr."""
    script = """
        import random, signal, time
        import pullit

        class Strike(Exception):
            pass

        def strike(*_):
            global armed
            if armed:
                armed = False
                raise Strike

        def numbers(yield_):
            for n in range(200):
                if not yield_(n):
                    return

        def nested(yield_):
            for n in pullit.iterate(numbers, read_ahead=7):
                if not yield_(n):
                    return

        armed = False
        signal.signal(signal.SIGALRM, strike)
        strikes = 0
        random.seed(1)
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            got, struck, ended = [], False, False
            seq, n = random.choice([numbers, nested]), random.randrange(2, 50)
            it = pullit.iterate(seq, read_ahead=n)
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 2e-4))
                try:
                    for n in it:
                        got.append(n)
                finally:
                    armed = False
            except Strike:
                struck, ended = True, it.done
                strikes += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            for finish in (lambda: got.extend(it), it.close):
                try:
                    finish()
                except Strike:
                    ended = True  # what struck the producer is raised here
            try:
                it.result
            except pullit.PullError:
                ended = True  # seq did not return
            assert got == list(range(len(got))), got
            assert len(got) == 200 or (struck and ended), (got, it)
            assert "finished" in repr(it), it
        print(strikes > 10)
        """
    assert run_script(script, quiet=False) == "True\n"


# At random: to close after k values is, without reading ahead, to close after all
# that seq has yielded until then.


Step = tuple[str, int]
HOWS = ["heeds", "heeds", "goes on", "deaf"]
ENDS: dict[str, Callable[[], object]] = {
    "return": lambda: "whole",
    "error": lambda: (_ for _ in ()).throw(KeyError("boom")),
    "exit": lambda: (_ for _ in ()).throw(SystemExit(1)),
    "greenlet": lambda: (_ for _ in ()).throw(greenlet.GreenletExit()),
}


def producer_of(steps: list[Step], end: str, log: Log) -> Seq[int]:
    """Return a producer that yields with more or less heed to the answer."""

    def producer(yield_: Callable[[int], Any]) -> object:
        try:
            for how, value in steps:
                try:
                    answer = yield_(value)
                except BaseException as e:
                    log.append((value, type(e).__name__))
                    if how != "deaf":
                        raise
                else:
                    log.append((value, answer))
                    if how == "heeds" and not answer:
                        return "stopped"
            return ENDS[end]()
        finally:
            log.append("end")

    return producer


def walk(it: PullIterator[int], taken: int, close: bool) -> tuple[list[int], str, Log]:
    """Take so many values; return them, what was raised if anything, and the end."""
    got: list[int] = []
    raised = ""
    try:
        for value in islice(it, taken):
            got.append(value)
        if close:
            if taken:
                come_to_rest(it)
            it.close()
    except BaseException as e:
        raised = type(e).__name__
    try:
        result = it.result
    except PullError:
        result = "no result"
    return got, raised, [it.done, result]


@settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    steps=st.lists(st.tuples(st.sampled_from(HOWS), st.integers())),
    end=st.sampled_from(["return", "return", *ENDS]),
    n=st.integers(2, 6),
    taken=st.integers(0, 12),
)
def test_at_random_it_is_the_strict_iterator_some_values_later(
    engine: Engine, steps: list[Step], end: str, n: int, taken: int
) -> None:
    """Taken to the end they cannot be told apart; closed before, only by where seq was."""
    log: Log = []
    strict_log: Log = []

    def ahead() -> PullIterator[int]:
        return iterate(producer_of(steps, end, log), read_ahead=n, engine=engine)

    def strict() -> PullIterator[int]:
        return iterate(producer_of(steps, end, strict_log), engine=engine)

    everything = len(steps) + 1
    assert walk(ahead(), everything, close=False) == walk(strict(), everything, close=False)
    assert log == strict_log
    log.clear()
    strict_log.clear()
    got, *rest = walk(ahead(), taken, close=True)
    brought = reached(engine, n, taken)
    strictly_got, *strictly_rest = walk(strict(), brought + (brought > len(steps)), close=True)
    if taken <= len(steps):
        assert got == strictly_got[:taken]
    assert rest == strictly_rest
    assert log == strict_log


# 14: nothing is left behind, and nothing is left to the collector.


def check_all_let_go(run: Callable[[], list[weakref.ref[Any]]]) -> None:
    """Check that nothing is left of what *run* returns references to, and no garbage."""
    run()
    gc.collect()
    gc.disable()
    try:
        watches = run()
        assert watches
        assert gone(*watches)
        assert gc.collect() == 0
    finally:
        gc.enable()


def thing_yielder(
    watches: list[weakref.ref[Any]], error: type[BaseException] | None = None
) -> Seq[Thing]:
    """Return a producer of five things, or of some, and then an *error*."""

    def things(yield_: Callable[[Thing], Any]) -> None:
        for n in range(5):
            watches.append(weakref.ref(thing := Thing()))
            if error and n == 3:
                raise error("boom")
            if not yield_(thing):
                return

    return things


def finish_it(it: PullIterator[Thing]) -> None:
    list(it)


def close_it(it: PullIterator[Thing]) -> None:
    next(it)
    it.close()


def drop_it(it: PullIterator[Thing]) -> None:
    next(it)
    come_to_rest(it)


def leave_it(it: PullIterator[Thing]) -> None:
    """Drop it before it has begun."""


def misuse_it(it: PullIterator[Thing]) -> None:
    for call in (it.send, it.throw):
        with pytest.raises(PullError):
            call(KeyError())
    finish_it(it)


@pytest.mark.parametrize("n", [2, 3, 9])
@pytest.mark.parametrize("use", [finish_it, close_it, drop_it, leave_it, misuse_it])
def test_14_nothing_is_left_to_the_collector(
    engine: Engine, n: int, use: Callable[[PullIterator[Thing]], None]
) -> None:
    """Values, the iterator and its producer are freed at once."""

    def run() -> list[weakref.ref[Any]]:
        watches: list[weakref.ref[Any]] = []
        seq = thing_yielder(watches)
        it = iterate(seq, read_ahead=n, engine=engine)
        use(it)
        return [*watches, weakref.ref(seq), weakref.ref(it)]

    check_all_let_go(run)


@pytest.mark.parametrize("kind", [KeyError, StopIteration, SystemExit, greenlet.GreenletExit])
@pytest.mark.parametrize("use", [finish_it, close_it])
def test_14_an_error_keeps_nothing_once_it_is_handled(
    engine: Engine, kind: type[BaseException], use: Callable[[PullIterator[Thing]], None]
) -> None:
    """Whether a next raises it or a close."""

    def run() -> list[weakref.ref[Any]]:
        watches: list[weakref.ref[Any]] = []
        seq = thing_yielder(watches, kind)
        it = iterate(seq, read_ahead=9, engine=engine)
        try:
            use(it)
        except (kind, RuntimeError):
            pass
        return [*watches, weakref.ref(seq), weakref.ref(it)]

    check_all_let_go(run)


def test_14_what_a_finished_iterator_keeps_is_its_result(engine: Engine) -> None:
    """Not the values, nor seq, nor a kept yield_ the iterator."""
    kept: list[Any] = []

    def things(yield_: Callable[[Thing], Any]) -> Thing:
        kept.append(yield_)
        for _ in range(5):
            watches.append(weakref.ref(thing := Thing()))
            yield_(thing)
        watches.append(weakref.ref(thing := Thing()))
        return thing

    watches: list[weakref.ref[Any]] = []
    gc.disable()
    try:
        it = iterate(things, read_ahead=2, engine=engine)
        list(it)
        assert gone(*watches[:5])
        assert [watch() is None for watch in watches[5:]] == [False]
        watches.extend([weakref.ref(things), weakref.ref(it)])
        del it, things
        assert gone(*watches[6:])
        kept.clear()
        assert gone(watches[5])
    finally:
        gc.enable()


def test_14_a_value_whose_finalizer_closes_the_iterator_ends_it() -> None:
    """It is freed when the next batch takes its place, amid a next: that is the end then."""
    holder: list[Any] = []

    class Closing:
        def __del__(self) -> None:
            if holder:
                holder[0].close()

    def seq(yield_: Callable[[object], Any]) -> None:
        for n in range(9):
            if not yield_(Closing() if n < 3 else n):
                return

    it = pullit.iterate(seq, read_ahead=3)
    got = [type(next(it)).__name__ for _ in range(3)]
    holder.append(it)
    assert got == ["Closing"] * 3
    assert list(it) == []
    assert it.done
    holder.clear()
