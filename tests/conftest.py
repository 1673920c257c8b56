"""What every test gets: both engines, and a check that it leaves nothing alive."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator

import pytest
from elsewhere import wait_until
from hypothesis import given, settings
from hypothesis import strategies as st

from pullit._consumer import ConsumerSide
from pullit._coro import Coro
from pullit._lifetimes import live
from pullit._types import Engine

freeze: Callable[[], object] = getattr(gc, "freeze", lambda: None)  # PyPy has none

ENGINES: list[Engine] = ["greenlet", "thread"]


@settings(database=None, max_examples=1)
@given(st.none())
def draw(_: None) -> None:
    """What Hypothesis makes at its first run is made."""


def pytest_collection_finish() -> None:
    """Have the first test look at nothing that importing all of them has made."""
    # Hypothesis makes a generator of random numbers, and asks gc who refers to it; on 3.14
    # gc does not know of referrers that are frozen, and Hypothesis warns.
    draw()
    gc.collect()
    freeze()


def count_coroutines() -> int:
    """Count the live coroutines, as Go's tests count goroutines.

    A coro on which somebody is blocked stands for one: its own, or who waits for
    it. What gc lists includes those that only a suspended frame refers to. On the
    thread engine a producer's thread is what a coroutine is on the other.
    """
    coros = sum(1 for o in gc.get_objects() if isinstance(o, Coro) and o.blocked is not None)
    return coros + sum(1 for pull in live.copy() if isinstance(pull, ConsumerSide))


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine by its name: the test runs once with each."""
    name: Engine = request.param
    return name


@pytest.fixture
def coroutines() -> Callable[[], int]:
    """A function that counts the coroutines made since the test began."""
    before = count_coroutines()
    return lambda: count_coroutines() - before


@pytest.fixture(autouse=True)
def nothing_left_alive() -> Iterator[None]:
    """Fail the test that leaves a pull, a coroutine or a thread behind.

    Only what is new counts: a test must not be blamed for an earlier one. So what is
    still there at its end is frozen, and neither the collection nor the count of a later
    test looks at it again: this takes a millisecond, and not a hundred.
    """
    pulls, threads, coroutines = set(live.copy()), set(threading.enumerate()), count_coroutines()
    yield
    gc.collect()
    left = [t for t in threading.enumerate() if t.name.startswith("pullit") and t not in threads]
    # Not by join: at the recursion limit a thread may run before its start has returned.
    wait_until(lambda: not set(left) & set(threading.enumerate()))
    now = count_coroutines()
    freeze()
    assert set(live.copy()) <= pulls
    assert now <= coroutines
