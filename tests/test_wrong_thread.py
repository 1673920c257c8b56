"""11: a wrong thread is refused, at any moment, and the owner notices nothing, ever."""

from __future__ import annotations

import collections
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from elsewhere import FREE_THREADED, error_in_thread

import pullit
from pullit import PullError, WrongThreadError

ASKED = 3_000

# What reads ahead on greenlets is a chain.
SHARED_CHAIN = pytest.mark.skipif(
    FREE_THREADED and sys.version_info < (3, 15),
    reason="without the GIL, itertools.chain serves two threads at once since 3.15 only",
)


@pytest.fixture(autouse=True)
def quick_switches() -> Iterator[None]:
    """Have threads come between each other often."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def count_up(yield_: Callable[[int], Any]) -> None:
    n = 0
    while yield_(n):
        n += 1


def ask(call: Callable[[], object], seen: collections.Counter[str]) -> None:
    """Call *call* many times, and count what comes of it."""
    for _ in range(ASKED):
        try:
            call()
            seen["a value"] += 1
        except Exception as e:
            seen[type(e).__name__] += 1


@pytest.mark.parametrize("n", [0, pytest.param(3, marks=SHARED_CHAIN)])
@pytest.mark.parametrize("way", ["next", "send", "close", "pull"])
def test_11_20_the_owner_notices_nothing_of_a_wrong_thread(way: str, n: int) -> None:
    """Neither while it asks itself, nor at its close; the wrong thread gets no value."""
    it = pullit.iterate(count_up, read_ahead=n)
    next_, stop = pullit.pull(count_up)
    assert (next(it), next_()) == (0, (0, True))
    calls = {"next": it.__next__, "send": lambda: it.send(True), "close": it.close, "pull": next_}
    seen: collections.Counter[str] = collections.Counter()
    thread = threading.Thread(target=ask, args=(calls[way], seen))
    thread.start()
    expected = 0
    while thread.is_alive():
        expected += 1
        assert next(it) == expected
        assert next_() == (expected, True)
    it.close()
    stop()
    # Reading ahead, send is refused in every thread.
    refusal = "PullError" if way == "send" and n else "WrongThreadError"
    assert seen == {refusal: ASKED}


@pytest.mark.parametrize("n", [0, pytest.param(3, marks=SHARED_CHAIN)])
def test_11_20_of_threads_that_ask_first_at_once_one_becomes_the_owner(n: int) -> None:
    """The others are refused, and it gets all values."""

    def numbers(yield_: Callable[[int], Any]) -> None:
        for k in range(20):
            yield_(k)

    def walk() -> None:
        barrier.wait()
        try:
            got.append(list(it))
        except WrongThreadError:
            refused.append(1)

    for _ in range(50):
        it = pullit.iterate(numbers, read_ahead=n)
        got: list[list[int]] = []
        refused: list[int] = []
        barrier = threading.Barrier(4)
        threads = [threading.Thread(target=walk) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # Who comes after the end finds it at its end.
        assert [values for values in got if values] == [list(range(20))]
        assert len(got) + len(refused) == 4


def test_11_a_wrong_thread_is_refused_while_the_owners_call_runs() -> None:
    """A next, and a stop: seq asks from another thread meanwhile."""
    errors: list[BaseException | None] = []

    def seq(yield_: Callable[[int], Any]) -> None:
        errors.append(error_in_thread(it.__next__))
        yield_(1)
        errors.append(error_in_thread(it.close))

    it = pullit.iterate(seq)
    assert next(it) == 1
    it.close()
    assert [type(e) for e in errors] == [WrongThreadError, WrongThreadError]


@pytest.mark.parametrize("make", [pullit.zip, pullit.zip_longest])
def test_21_two_threads_that_ask_a_zip_of_iterables_take_turns_or_are_refused(make: Any) -> None:
    """No tuple is out of step, none is lost, and none comes twice."""
    check_shared(lambda: make(range(500), range(500)), lambda pair: pair[0] == pair[1])


def test_21_two_threads_that_ask_a_pulled_iterable_take_turns_or_are_refused() -> None:
    """Also where the iterable is a generator, which could not be asked twice at once."""

    def generator() -> Iterator[int]:
        yield from range(500)

    check_shared(lambda: pullit.iterate(pullit.from_iterable(range(500))), lambda _: True)
    check_shared(lambda: pullit.iterate(pullit.from_iterable(generator())), lambda _: True)


def check_shared(make: Callable[[], Any], is_whole: Callable[[Any], bool]) -> None:
    """Have threads walk one iterator; what they got together is all, once each."""

    def walk() -> None:
        barrier.wait()
        while True:
            try:
                got.append(next(it))
            except StopIteration:
                return
            except PullError:
                pass  # another thread's next runs; ask again

    for _ in range(5):
        it = make()
        got: list[Any] = []
        barrier = threading.Barrier(3)
        threads = [threading.Thread(target=walk) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(map(is_whole, got))
        assert len(got) == len(set(got)) == 500
