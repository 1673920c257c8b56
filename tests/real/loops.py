"""What loops do with an iterator, whichever API it pulls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import pytest

import pullit
from pullit import PullIterator

Walk = Callable[[], PullIterator[Any]]

# The refusal by the guard.
ORDER = (
    r"^pullit\.\w+: from_callback\(.+\) was resumed while from_callback\(.+\),"
    " which began later, is suspended; .*close the later one first"
)


def answer(it: PullIterator[Any], function: Callable[[Any], Any], *first: Any) -> Any:
    """Send *function* of each value, and return what the API returned: ask and tell.

    *first* is the value that was taken already, if one was.
    """
    try:
        value = first[0] if first else next(it)
        while True:
            value = it.send(function(value))
    except StopIteration as end:
        assert it.done
        return end.value


def fail(error: BaseException, *_: object) -> NoReturn:
    """Raise *error*."""
    raise error


def close(walk: Walk) -> None:
    it = walk()
    next(it)
    it.close()
    assert it.done


def leave_with(walk: Walk) -> None:
    with walk() as it:
        next(it)


def leave_loop(walk: Walk) -> None:
    for _ in walk():
        break


def stop_pull(walk: Walk) -> None:
    def producer(yield_: Callable[[Any], Any]) -> None:
        for value in walk():
            if not yield_(value):
                return

    next_, stop = pullit.pull(producer)
    next_()
    stop()


def fail_in_loop(walk: Walk) -> None:
    error = LookupError("the consumer's")
    with pytest.raises(LookupError) as caught, walk() as it:
        for _ in it:
            raise error
    assert caught.value is error
    assert error.__cause__ is error.__context__ is None
    del error, caught  # they keep this frame, and what the loop got


def fail_in_nested_loops(walk: Walk) -> None:
    with pytest.raises(LookupError, match="the consumer's"), walk() as outer:
        for _ in outer:
            with walk() as inner:
                for _ in inner:
                    raise LookupError("the consumer's")


# The ways to leave a loop before the API has ended.
LEAVES = [close, leave_with, leave_loop, stop_pull, fail_in_loop, fail_in_nested_loops]
