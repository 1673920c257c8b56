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


def endless(callback: Callable[[int], object]) -> None:
    """Call back until that raises."""
    while True:
        callback(1)


def left_early(func: Callable[..., Any]) -> tuple[Any, PullIterator[Any]]:
    """Return both iterators over *func*, each left after its first value."""
    old, new = both(func)
    for it in old, new:
        with it:
            next(it)
    assert old.done is new.done is True
    return old, new


def test_the_result_after_an_abort_was_the_abort_itself() -> None:
    """A BaseException, each time; it is a RuntimeError now."""
    old, new = left_early(endless)
    for _ in range(2):
        with pytest.raises(more_itertools.AbortThread) as aborted:
            _ = old.result
        assert not isinstance(aborted.value, Exception)
        with pytest.raises(PullError, match="did not return") as missing:
            _ = new.result
        assert isinstance(missing.value, RuntimeError)


def test_a_function_that_catches_the_abort_has_a_result_with_both() -> None:
    """close, which was none of the old way's, returns it."""

    def careful(callback: Callable[[int], object]) -> str:
        try:
            endless(callback)
        except BaseException as e:
            return type(e).__name__
        raise AssertionError

    old, new = left_early(careful)
    assert (old.result, new.result) == ("AbortThread", "PullExit")
    _, new = both(careful)
    next(new)
    assert new.close() == "PullExit"


def test_a_function_that_did_not_call_back_again_had_a_result() -> None:
    """Now it is unwound from its last callback, if that has no stop_reply."""

    def last(callback: Callable[[int], object]) -> str:
        callback(1)
        return "ran on"

    old, new = left_early(last)
    assert old.result == "ran on"
    with pytest.raises(PullError, match="did not return"):
        _ = new.result
    with iterate(from_callback(last, stop_reply=None)) as it:
        next(it)
    assert it.result == "ran on"
    with iterate(from_callback(last), engine="thread", read_ahead=4) as it:
        next(it)
        while it.frame is not None:
            pass  # the function runs ahead to its end, as with the queue
    assert it.result == "ran on"


def test_an_error_of_the_cleaning_up_was_kept_for_result() -> None:
    """The end of the with block raises it now."""

    def fails(callback: Callable[[int], object]) -> None:
        try:
            endless(callback)
        finally:
            raise KeyError("cleanup")

    old, new = both(fails)
    with old:
        next(old)
    with pytest.raises(KeyError, match="cleanup"):
        _ = old.result
    with pytest.raises(KeyError, match="cleanup"), new:
        next(new)
    with pytest.raises(PullError, match="did not return"):
        _ = new.result


def test_what_was_never_started_has_no_result() -> None:
    """A RuntimeError of both; but only the new one is done, and is at its end."""
    old, new = both(endless)
    for it in old, new:
        with it:
            pass
        with pytest.raises(RuntimeError):
            _ = it.result
    assert (old.done, new.done) == (False, True)
    with pytest.raises(RuntimeError, match="after shutdown"):
        next(old)
    assert next(new, "end") == "end"


def test_values_that_ran_ahead_could_be_taken_after_the_abort() -> None:
    """They are dropped now, also where they ran ahead."""
    ended = threading.Event()

    def load(callback: Callable[[int], object]) -> str:
        for n in range(5):
            callback(n)
        ended.set()
        return "loaded"

    old, _ = both(load)
    with old:
        next(old)
        ended.wait(10)
    assert [args for args, _ in old] == [(1,), (2,), (3,), (4,)]
    ended.clear()
    with iterate(from_callback(load), engine="thread", read_ahead=8) as new:
        next(new)
        ended.wait(10)
    assert list(new) == []


@pytest.mark.parametrize("ahead", [1, 2, 4, 16])
def test_on_threads_with_read_ahead_the_two_overlap_up_to_a_limit(ahead: int) -> None:
    """The function does go on while the loop works, and by no more values than that."""
    begun: list[int] = []
    reached = threading.Semaphore(0)

    def load(callback: Callable[[int], object]) -> None:
        for n in range(40):
            begun.append(n)
            reached.release()
            callback(n)

    with iterate(from_callback(load), engine="thread", read_ahead=ahead) as it:
        for taken, _ in enumerate(it, 1):
            reached.acquire(timeout=10)
            assert len(begun) <= taken + ahead
            if taken == 10 and ahead > 1:
                for _ in range(ahead):  # while the loop has its tenth value in hand
                    assert reached.acquire(timeout=10)
                break


def test_a_wrong_keyword_gave_an_empty_loop() -> None:
    """Now the TypeError arrives."""
    old, new = both(endless, "on_row")
    with old:
        assert list(old) == []
    with pytest.raises(TypeError, match="on_row"):
        next(new)
