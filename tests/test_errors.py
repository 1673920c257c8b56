"""6: an error of any class arrives as it is, and no chain of contexts is a cycle."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from producers import failing

import pullit
from pullit import Seq
from pullit._types import Engine

# As CPython has it, whatever a class of exceptions says.
CONTEXT: Any = BaseException.__context__


@dataclasses.dataclass(frozen=True)
class FrozenError(Exception):
    """It refuses attributes: traceback and context, too, where they are set on it."""

    line: int


class OddError(Exception):
    """It has a with_traceback of its own, and compares in no way."""

    def with_traceback(self, tb: object) -> Any:
        return None

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        raise TypeError("cannot compare")

    __hash__ = None  # type: ignore[assignment]


def at_the_end(error: BaseException) -> Seq[int]:
    return failing(error, 1)


def at_the_stop(error: BaseException) -> Seq[int]:
    def seq(yield_: Callable[[int], Any]) -> None:
        try:
            while yield_(1):
                pass
        finally:
            raise error

    return seq


ERRORS: list[BaseException] = [FrozenError(3), OddError(), KeyboardInterrupt(), SystemExit(2)]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("n", [0, 4])
def test_06_an_error_of_any_class_arrives_as_it_is(
    error: BaseException, n: int, engine: Engine
) -> None:
    """The very object, from next, and with the producer's frames."""
    with pytest.raises(type(error)) as caught:
        list(pullit.iterate(at_the_end(error), engine=engine, read_ahead=n))
    assert caught.value is error
    names = [entry.frame.code.name for entry in caught.traceback]
    assert names[-1] == "producer"


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("n", [0, 4])
def test_06_an_error_of_any_class_arrives_from_a_stop_amid_another(
    error: BaseException, n: int, engine: Engine
) -> None:
    """With the other among its contexts."""
    other = KeyError("of the loop")
    with pytest.raises(type(error)) as caught:  # noqa: SIM117
        with pullit.iterate(at_the_stop(error), engine=engine, read_ahead=n) as it:
            next(it)
            raise other
    assert caught.value is error
    assert CONTEXT.__get__(error) is other
    CONTEXT.__set__(error, None)


@pytest.mark.parametrize("error", ERRORS[:2], ids=lambda e: type(e).__name__)
def test_06_an_error_of_any_class_comes_through_a_zip(error: BaseException) -> None:
    """An error of the pull that it stops on its way has it among its contexts."""
    with pytest.raises(type(error)) as caught:
        list(pullit.zip(at_the_end(error), [1, 2]))
    assert caught.value is error
    with pytest.raises(KeyError) as other:
        list(pullit.zip(at_the_end(error), at_the_stop(KeyError()), [1, 2]))
    assert any(e is error for e in contexts_of(other.value))


def contexts_of(error: BaseException) -> list[BaseException]:
    """Return *error*, its context, and so on; it must come to an end."""
    contexts: list[BaseException] = []
    following: BaseException | None = error
    while following is not None:
        assert not any(e is following for e in contexts), "a cycle"
        contexts.append(following)
        following = CONTEXT.__get__(following)
    return contexts


def test_06_two_producers_of_a_zip_may_raise_the_same_object() -> None:
    """Its contexts are no cycle, which a traceback would follow forever."""
    error = ValueError("shared")
    ends: list[Any] = [at_the_end(error), [1]]
    for first in ends:
        with pytest.raises(ValueError, match="shared") as caught:
            list(pullit.zip(first, at_the_stop(error), at_the_stop(error)))
        contexts_of(caught.value)


def test_06_errors_whose_contexts_refer_to_each_other_make_no_cycle() -> None:
    """Each is raised while the other is handled."""
    one, two = ValueError("one"), KeyError("two")
    one.__context__ = two
    for first, second in ((one, two), (two, one)):
        with pytest.raises((ValueError, KeyError)) as caught:
            list(pullit.zip(at_the_end(first), at_the_stop(second)))
        contexts_of(caught.value)


def test_06_contexts_that_are_a_cycle_already_are_left_at_that(engine: Engine) -> None:
    """We follow them once, and no further."""
    one, two = ValueError("one"), KeyError("two")
    one.__context__, two.__context__ = two, one
    with pytest.raises(ValueError, match="one"):  # noqa: SIM117
        with pullit.iterate(at_the_stop(one), engine=engine) as it:
            next(it)
            raise TypeError("of the loop")
    one.__context__ = two.__context__ = None
