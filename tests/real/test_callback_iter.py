"""What docs/migrate-from-callback_iter.md says of more_itertools.callback_iter is so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from pullit import PullError, PullIterator, from_callback, iterate

more_itertools = pytest.importorskip("more_itertools")
if not hasattr(more_itertools, "callback_iter"):
    pytest.skip("callback_iter is gone from more-itertools", allow_module_level=True)


def both(func: Callable[..., Any], callback_kwd: str = "callback") -> tuple[Any, PullIterator[Any]]:
    """Return an iterator over the calls of *func* by the old way, and one by the new."""
    old = more_itertools.callback_iter(func, callback_kwd=callback_kwd, wait_seconds=0.001)
    run = lambda callback: func(**{callback_kwd: callback})
    return old, iterate(from_callback(run, pack=lambda *args, **kwargs: (args, kwargs)))


def test_calls_and_results_are_the_same() -> None:
    """By whatever keyword the callback is passed."""

    def measure(on_value: Callable[..., object]) -> str:
        on_value()
        on_value(1)
        on_value(2, unit="cm")
        return "done"

    old, new = both(measure, "on_value")
    with old, new:
        assert list(new) == list(old) == [((), {}), ((1,), {}), ((2,), {"unit": "cm"})]
    assert new.done is old.done is True
    assert new.result == old.result == "done"


def test_a_result_too_early_is_a_runtime_error() -> None:
    """Of both, while the loop goes on."""
    go_on = threading.Event()

    def two(callback: Callable[[int], object]) -> None:
        callback(1)
        go_on.wait(10)
        callback(2)

    old, new = both(two)
    with old, new:
        for it in old, new:
            next(it)
            assert not it.done
            with pytest.raises(RuntimeError):
                _ = it.result
        go_on.set()


def test_an_error_was_the_end_and_is_now_raised() -> None:
    """The old way tells of it by .result alone, the new way at once."""
    error = OSError("connection lost")

    def broken(callback: Callable[[int], object]) -> None:
        callback(1)
        raise error

    old, new = both(broken)
    with old, new:
        assert list(old) == [((1,), {})]
        with pytest.raises(OSError, match="connection lost"):
            _ = old.result
        assert next(new) == ((1,), {})
        with pytest.raises(OSError, match="connection lost") as raised:
            next(new)
    assert raised.value is error
    with pytest.raises(PullError, match="did not return"):
        _ = new.result


def test_leaving_raised_in_the_next_callback_and_now_in_this_one() -> None:
    """What lies between two callbacks was still run, and is not any more."""
    left = threading.Event()
    log: list[object] = []

    def transfer(callback: Callable[[int], object]) -> None:
        try:
            callback(1)
            left.wait(10)
            log.append("went on")
            callback(2)
        except BaseException as e:
            log.append(type(e).__name__)
            raise

    old, new = both(transfer)
    with new:
        next(new)
    assert log == ["PullExit"]
    log.clear()
    next(old)
    closing = threading.Thread(target=old.__exit__, args=(None, None, None))
    closing.start()  # shutdown waits for the function
    while not old._aborted:
        pass
    left.set()
    closing.join()
    assert log == ["went on", "AbortThread"]


def test_the_function_ran_ahead_and_now_waits() -> None:
    """The queue takes everything while the loop has its first value in hand."""
    ended = threading.Event()
    log: list[int] = []

    def load(callback: Callable[[int], object]) -> None:
        for n in range(100):
            log.append(n)
            callback(n)
        ended.set()

    old, new = both(load)
    with old, new:
        next(new)
        assert log == [0]
        log.clear()
        next(old)
        ended.wait(10)
        assert len(log) == 100
