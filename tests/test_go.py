"""Go's own tests of iter.Pull, and what Go does but does not test.

The names in the docstrings are those of pull_test.go and coro_test.go; the rows
those of the table of Go's behaviour (1.27) that pullit is written to. Where
pullit departs from Go on purpose, the docstring says so. A "panic" of Go's is an
exception here, a goroutine a coroutine.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import greenlet
import pytest
from elsewhere import gone, in_thread
from greenlet import GreenletExit

from pullit import Pull, PullError, PullExit, WrongThreadError, pull, pull2
from pullit._types import Engine

Yield: TypeAlias = Callable[[int], Any]
Yield2: TypeAlias = Callable[[int, int], Any]
T = TypeVar("T")

END = (None, False)
END2 = (None, None, False)


def count(n: int) -> Callable[[Yield], None]:
    """Go's count: a push iterator over range(n)."""

    def seq(yield_: Yield) -> None:
        for i in range(n):
            if not yield_(i):
                break

    return seq


def squares(n: int) -> Callable[[Yield2], None]:
    """Go's squares: a push iterator over (i, i * i)."""

    def seq(yield_: Yield2) -> None:
        for i in range(n):
            if not yield_(i, i * i):
                break

    return seq


# pull_test.go


@pytest.mark.parametrize("end", range(4))
def test_pull(engine: Engine, coroutines: Callable[[], int], end: int) -> None:
    """TestPull: values and live coroutines, with a stop at every point.

    In Go there is a coroutine as soon as Pull returns; here the first next makes
    it, in the context of its caller (contract 13).
    """
    next, stop = pull(count(3), engine=engine)
    assert coroutines() == 0
    for i in range(end):
        assert next() == (i, True)
        assert coroutines() == 1
    if end < 3:
        stop()
        assert coroutines() == 0
    for _ in range(2):
        assert next() == END
        assert coroutines() == 0
    for _ in range(3):
        stop()
    assert coroutines() == 0


@pytest.mark.parametrize("end", range(4))
def test_pull2(engine: Engine, coroutines: Callable[[], int], end: int) -> None:
    """TestPull2: the same over pairs."""
    next, stop = pull2(squares(3), engine=engine)
    assert coroutines() == 0
    for i in range(end):
        assert next() == (i, i * i, True)
        assert coroutines() == 1
    if end < 3:
        stop()
        assert coroutines() == 0
    for _ in range(2):
        assert next() == END2
        assert coroutines() == 0
    for _ in range(3):
        stop()
    assert coroutines() == 0


def test_seq_calling_its_own_next_fails_there(engine: Engine) -> None:
    """TestPullDoubleNext: next called by seq raises in seq, which recovers."""
    log: list[object] = []

    def double_next(yield_: Yield) -> None:
        try:
            handle.next()
        except PullError:
            log.append("recovered")

    handle = pull(double_next, engine=engine)
    assert handle.next() == END
    assert log == ["recovered"]


def test_seq_of_pairs_calling_its_own_next_fails_there(engine: Engine) -> None:
    """TestPullDoubleNext2: the same with pull2."""
    log: list[object] = []

    def double_next(yield_: Yield2) -> None:
        try:
            handle.next()
        except PullError:
            log.append("recovered")

    handle = pull2(double_next, engine=engine)
    assert handle.next() == END2
    assert log == ["recovered"]


def test_kept_yield_fails_between_two_nexts(engine: Engine) -> None:
    """TestPullDoubleYield, row 11: the consumer calls seq's yield_; then stop works."""
    kept: list[Yield] = []

    def store_yield(yield_: Yield) -> None:
        kept.append(yield_)
        yield_(5)

    next, stop = pull(store_yield, engine=engine)
    assert next() == (5, True)
    with pytest.raises(PullError) as caught:
        kept[0](5)
    stop()
    assert str(caught.value).startswith("pullit.pull: yield_ called again before next; ")
    assert next() == END


def test_kept_yield_of_pairs_fails_between_two_nexts(engine: Engine) -> None:
    """TestPullDoubleYield2: the same with pull2."""
    kept: list[Yield2] = []

    def store_yield(yield_: Yield2) -> None:
        kept.append(yield_)
        yield_(23, 77)

    next, stop = pull2(store_yield, engine=engine)
    assert next() == (23, 77, True)
    with pytest.raises(PullError) as caught:
        kept[0](23, 77)
    stop()
    assert str(caught.value).startswith("pullit.pull2: yield_ called again before next; ")
    assert next() == END2


def test_error_during_next_reaches_its_caller(engine: Engine) -> None:
    """TestPullPanic/next, row 19: next raises it, once; then it is the end."""

    def panic(yield_: Yield) -> None:
        raise ValueError("boom")

    next, stop = pull(panic, engine=engine)
    with pytest.raises(ValueError, match="^boom$"):
        next()
    assert next() == END
    stop()


def test_error_during_stop_reaches_its_caller(engine: Engine) -> None:
    """TestPullPanic/stop, row 20: stop raises it, once; then it is the end."""

    def panic_cleanup(yield_: Yield) -> None:
        while True:
            if not yield_(55):
                raise ValueError("boom")

    next, stop = pull(panic_cleanup, engine=engine)
    assert next() == (55, True)
    with pytest.raises(ValueError, match="^boom$"):
        stop()
    assert next() == END
    stop()


def test_error_of_pairs_during_next_reaches_its_caller(engine: Engine) -> None:
    """TestPull2Panic/next: the same with pull2."""

    def panic(yield_: Yield2) -> None:
        raise ValueError("boom")

    next, stop = pull2(panic, engine=engine)
    with pytest.raises(ValueError, match="^boom$"):
        next()
    assert next() == END2
    stop()


def test_error_of_pairs_during_stop_reaches_its_caller(engine: Engine) -> None:
    """TestPull2Panic/stop: the same with pull2."""

    def panic_cleanup(yield_: Yield2) -> None:
        while True:
            if not yield_(55, 100):
                raise ValueError("boom")

    next, stop = pull2(panic_cleanup, engine=engine)
    assert next() == (55, 100, True)
    with pytest.raises(ValueError, match="^boom$"):
        stop()
    assert next() == END2
    stop()


def test_exit_during_next_exits_the_caller(engine: Engine) -> None:
    """TestPullGoexit/next, row 24: what ends seq's thread ends its consumer's."""

    def exit(yield_: Yield) -> None:
        sys.exit("bye")

    next, stop = pull(exit, engine=engine)
    with pytest.raises(SystemExit, match="^bye$"):
        next()
    assert next() == END
    stop()


def test_exit_during_stop_exits_the_caller(engine: Engine) -> None:
    """TestPullGoexit/stop: likewise in the cleanup."""

    def exit_cleanup(yield_: Yield) -> None:
        while True:
            if not yield_(55):
                sys.exit("bye")

    next, stop = pull(exit_cleanup, engine=engine)
    assert next() == (55, True)
    with pytest.raises(SystemExit, match="^bye$"):
        stop()
    assert next() == END
    stop()


def test_exit_of_pairs_during_next_exits_the_caller(engine: Engine) -> None:
    """TestPull2Goexit/next: the same with pull2."""

    def exit(yield_: Yield2) -> None:
        sys.exit("bye")

    next, stop = pull2(exit, engine=engine)
    with pytest.raises(SystemExit, match="^bye$"):
        next()
    assert next() == END2
    stop()


def test_exit_of_pairs_during_stop_exits_the_caller(engine: Engine) -> None:
    """TestPull2Goexit/stop: the same with pull2."""

    def exit_cleanup(yield_: Yield2) -> None:
        while True:
            if not yield_(55, 100):
                sys.exit("bye")

    next, stop = pull2(exit_cleanup, engine=engine)
    assert next() == (55, 100, True)
    with pytest.raises(SystemExit, match="^bye$"):
        stop()
    assert next() == END2
    stop()


def test_greenlet_exit_ends_seq_as_a_return_does(engine: Engine) -> None:
    """TestPullGoexit, row 24: a departure; GreenletExit ends seq, not its consumer."""

    def exit(yield_: Yield) -> None:
        try:
            yield_(55)
        finally:
            raise GreenletExit

    next, stop = pull(exit, engine=engine)
    assert next() == (55, True)
    assert next() == END
    next, stop = pull(exit, engine=engine)
    assert next() == (55, True)
    stop()
    assert next() == END


def test_stop_before_next_runs_nothing(engine: Engine) -> None:
    """TestPullImmediateStop: seq would panic, but is never called."""

    def panic(yield_: Yield) -> None:
        raise ValueError("boom")

    next, stop = pull(panic, engine=engine)
    stop()
    assert next() == END


def test_stop_of_pairs_before_next_runs_nothing(engine: Engine) -> None:
    """TestPull2ImmediateStop: the same with pull2."""

    def panic(yield_: Yield2) -> None:
        raise ValueError("boom")

    next, stop = pull2(panic, engine=engine)
    stop()
    assert next() == END2


# coro_test.go: in Go it is locking a goroutine to a thread, or a callback from C
# beneath it, that ties a coro to its thread; a greenlet always is.


def fives(yield_: Yield) -> None:
    """The seq of coro_test.go."""
    for _ in range(3):
        if not yield_(5):
            return


def drain(next: Callable[[], tuple[Any, bool]]) -> list[Any]:
    """Return all values of *next*."""
    values = []
    while True:
        match next():
            case (value, True):
                values.append(value)
            case _:
                return values


def test_pull_works_in_one_thread_of_any_kind(engine: Engine) -> None:
    """TestCoroLockOSThread/Lock, /StopLocked: made, asked and stopped in one thread."""

    def consume() -> list[int]:
        next, stop = pull(fives, engine=engine)
        values = [next(), next()]
        stop()
        assert values == [(5, True)] * 2
        return drain(pull(fives, engine=engine).next)

    assert in_thread(consume) == [5, 5, 5]


def test_unstarted_pull_belongs_to_no_thread(engine: Engine) -> None:
    """TestCoroLockOSThread/LockAfterPull: it throws in Go; here, contract 11, it works."""
    next, stop = pull(fives, engine=engine)
    assert in_thread(lambda: drain(next)) == [5, 5, 5]
    assert next() == END


def test_unstarted_pull_is_stopped_from_another_thread(engine: Engine) -> None:
    """TestCoroLockOSThread/LockAfterPull: likewise stop; seq is then never called."""
    next, stop = pull(fives, engine=engine)
    in_thread(stop)
    assert next() == END


def test_nested_pulls_work_in_one_thread(engine: Engine) -> None:
    """TestCoroLockOSThread/LockIterNested, /StopLockedIterNested: any depth."""

    def nested(depth: int) -> Callable[[Yield], None]:
        def seq(yield_: Yield) -> None:
            with pull(nested(depth - 1) if depth else fives, engine=engine) as (next, _):
                for value in drain(next):
                    if not yield_(value):
                        return

        return seq

    def consume() -> tuple[int | None, bool]:
        with pull(nested(2), engine=engine) as (next, _):
            return next()

    assert in_thread(lambda: drain(pull(nested(2), engine=engine).next)) == [5, 5, 5]
    assert in_thread(consume) == (5, True)


@pytest.mark.parametrize("outer", [False, True])
def test_what_belongs_to_a_thread_may_be_used_between_yields(engine: Engine, outer: bool) -> None:
    """TestCoroLockOSThread/IterLock, and with *outer* /LockIterLock.

    A thread's lock, in the place of LockOSThread: seq takes and frees one between yields, while
    the consumer holds another.
    """
    inner_lock, outer_lock = threading.RLock(), threading.RLock()

    def seq(yield_: Yield) -> None:
        for _ in range(3):
            with inner_lock:
                pass
            if not yield_(5):
                return
            with inner_lock:
                pass

    def consume() -> list[int]:
        with outer_lock if outer else contextlib.nullcontext():
            return drain(pull(seq, engine=engine).next)

    assert in_thread(consume) == [5, 5, 5]


def test_next_from_another_thread_is_refused() -> None:
    """TestCoroLockOSThread/IterLockYield: with greenlets, WrongThreadError at once."""
    next, stop = pull(fives)
    assert next() == (5, True)
    with pytest.raises(WrongThreadError) as caught:
        in_thread(next)
    assert str(caught.value) == (
        "pullit.pull: next called in thread 'other', but fives was started in thread"
        " 'MainThread' and cannot change threads; call it there, or pass engine=\"thread\""
    )
    assert drain(next) == [5, 5]


def test_stop_from_another_thread_is_refused() -> None:
    """TestCoroLockOSThread/LockIterLockYield: likewise stop; the pull is unharmed."""
    next, stop = pull(fives)
    assert next() == (5, True)
    with pytest.raises(WrongThreadError, match="^pullit.pull: stop called in thread 'other', "):
        in_thread(stop)
    assert next() == (5, True)
    stop()


def test_yield_from_another_thread_is_refused() -> None:
    """TestCoroLockOSThread/LockIterYieldNewG: with greenlets, in both threads."""
    log: list[object] = []

    def seq(yield_: Yield) -> None:
        with pytest.raises(WrongThreadError, match="yield_ called in thread 'other'"):
            in_thread(lambda: yield_(5))
        log.append("refused")

    next, stop = pull(seq)
    with pytest.raises(WrongThreadError, match='pass engine="thread"'):
        next()
    assert log == ["refused"]
    assert next() == END


def test_thread_engine_serves_any_thread() -> None:
    """TestCoroLockOSThread, rows 28, 41: with threads, all of the refused calls work."""

    def seq(yield_: Yield) -> None:
        for n in range(4):
            if not in_thread(lambda: yield_(n)):
                return

    next, stop = pull(seq, engine="thread")
    assert in_thread(next) == (0, True)
    assert next() == (1, True)
    assert in_thread(next) == (2, True)
    in_thread(stop)
    assert next() == END


def through_c(f: Callable[[], T]) -> T:
    """Call *f* from C, as a cgo callback does."""
    return next(map(lambda g: g(), [f]))  # noqa: C417


def test_pull_works_inside_a_callback_from_c(engine: Engine) -> None:
    """TestCoroCgoCallback/Callback, /StopCallback: a consumer beneath C code."""
    assert through_c(lambda: drain(pull(fives, engine=engine).next)) == [5, 5, 5]
    next, stop = pull(fives, engine=engine)
    assert through_c(next) == (5, True)
    through_c(stop)
    assert next() == END


def test_callback_from_c_between_two_yields(engine: Engine) -> None:
    """TestCoroCgoCallback/IterCallback, /CallbackIterCallback: C code inside seq."""

    def seq(yield_: Yield) -> None:
        for n in range(3):
            yield_(through_c(lambda: n))

    assert through_c(lambda: drain(pull(seq, engine=engine).next)) == [0, 1, 2]


def test_nested_pulls_inside_callbacks_from_c(engine: Engine) -> None:
    """TestCoroCgoCallback/CallbackIterNested, /StopCallbackIterNested."""

    def seq(yield_: Yield) -> None:
        with pull(fives, engine=engine) as (next, _):
            while through_c(next)[1]:
                if not yield_(5):
                    return

    next, stop = pull(seq, engine=engine)
    assert through_c(next) == (5, True)
    through_c(stop)
    assert through_c(lambda: drain(pull(seq, engine=engine).next)) == [5, 5, 5]


def test_yield_inside_a_callback_from_c(engine: Engine) -> None:
    """TestCoroCgoCallback/IterCallbackYield, /CallbackIterCallbackYield: they throw in Go.

    Here it is what pullit is for.
    """

    def seq(yield_: Yield) -> None:
        for n in range(3):
            if not through_c(lambda: yield_(n)):
                return

    next, stop = pull(seq, engine=engine)
    assert next() == (0, True)
    assert through_c(next) == (1, True)
    stop()
    assert through_c(lambda: drain(pull(seq, engine=engine).next)) == [0, 1, 2]


def test_asked_inside_a_callback_from_c_after_pull(engine: Engine) -> None:
    """TestCoroCgoCallback/CallbackAfterPull: it throws in Go; here it works."""
    next, stop = pull(fives, engine=engine)
    assert through_c(lambda: drain(next)) == [5, 5, 5]


# What Go does but does not test.


def test_stop_before_next_leaves_no_coroutine(
    engine: Engine, coroutines: Callable[[], int]
) -> None:
    """Row 7: there is no coroutine before, and none after; in Go there was one before."""
    log: list[str] = []
    next, stop = pull(lambda yield_: log.append("called"), engine=engine)
    assert coroutines() == 0
    stop()
    assert coroutines() == 0
    assert next() == END
    assert log == []


def test_yield_after_the_end_answers_false(engine: Engine) -> None:
    """Row 10: a kept yield_ answers False after the end, a stop and an error, always."""
    kept: list[Yield] = []

    def keep(yield_: Yield) -> None:
        kept.append(yield_)

    def stopped(yield_: Yield) -> None:
        kept.append(yield_)
        yield_(1)

    def failing(yield_: Yield) -> None:
        kept.append(yield_)
        raise ValueError("boom")

    next, _ = pull(keep, engine=engine)
    assert next() == END
    next, stop = pull(stopped, engine=engine)
    assert next() == (1, True)
    stop()
    next, _ = pull(failing, engine=engine)
    with pytest.raises(ValueError, match="^boom$"):
        next()
    assert [[yield_(n) for n in range(9)] for yield_ in kept] == [[False] * 9] * 3


def test_seq_that_goes_on_after_stop_is_unwound(engine: Engine) -> None:
    """Row 10: a departure, contract 5; Go answers False for ever, and may hang in stop."""
    log: list[object] = []

    def endless(yield_: Yield) -> None:
        n = 0
        try:
            while True:
                log.append(yield_(n))
                n += 1
        finally:
            log.append("cleanup")

    next, stop = pull(endless, engine=engine)
    assert next() == (0, True)
    assert next() == (1, True)
    stop()
    assert log == [True, False, "cleanup"]
    assert next() == END


def test_seq_that_swallows_the_unwinding_drains(engine: Engine) -> None:
    """Row 10, contract 5: after a few PullExit yield_ answers False, as Go's does."""
    log: list[object] = []

    def stubborn(yield_: Yield) -> None:
        for n in range(20):
            try:
                log.append(yield_(n))
            except PullExit:
                log.append("exit")

    next, stop = pull(stubborn, engine=engine)
    assert next() == (0, True)
    stop()
    exits = log.count("exit")
    assert 1 < exits < 10
    assert log == [False] + ["exit"] * exits + [False] * (19 - exits)


def test_helper_may_yield(engine: Engine) -> None:
    """Row 12: a coroutine that seq started may yield; it is the one resumed."""
    log: list[object] = []

    def seq(yield_: Yield) -> None:
        def help() -> None:
            log.append(yield_(1))
            log.append(yield_(2))

        yield_(0)
        if engine == "greenlet":
            greenlet.greenlet(help).switch()
        else:
            in_thread(help)
        log.append("helped")
        yield_(3)

    next, stop = pull(seq, engine=engine)
    assert drain(next) == [0, 1, 2, 3]
    assert log == [True, True, "helped"]


def test_seq_returning_while_its_helper_is_parked_answers_it_false() -> None:
    """Row 12: a helper's parked yield_ answers False when seq returns, as do later ones."""
    log: list[object] = []
    ours: list[greenlet.greenlet] = []

    def seq(yield_: Yield) -> None:
        def help() -> None:
            log.append(yield_(1))
            log.append(yield_(2))

        ours.append(greenlet.getcurrent())
        greenlet.greenlet(help).switch()
        log.append("seq returns")

    next, stop = pull(seq)
    assert next() == (1, True)
    ours.pop().switch()
    assert log == ["seq returns", False, False]
    assert next() == END


@pytest.mark.parametrize("end", ["next", "stop"])
def test_seq_may_return_while_its_helper_thread_waits(end: str) -> None:
    """Row 12: on threads the helper waits for the consumer, contract 21; then it is the end."""
    log: list[object] = []
    threads: list[threading.Thread] = []
    delivered = threading.Event()

    def seq(yield_: Yield) -> None:
        def help() -> None:
            log.append(yield_(1))
            log.append(yield_(2))

        threads.extend([threading.current_thread(), threading.Thread(target=help)])
        threads[1].start()
        delivered.wait()
        log.append("seq returns")

    next, stop = pull(seq, engine="thread")
    assert next() == (1, True)
    delivered.set()
    threads[0].join()
    assert log == ["seq returns"]
    if end == "stop":
        stop()
    assert next() == END
    threads[1].join()
    assert log == ["seq returns", end == "next", False]


def test_second_of_two_yields_at_once_is_refused() -> None:
    """Row 13: the second raises, in its own coroutine; the first is unharmed."""
    log: list[object] = []
    ours: list[greenlet.greenlet] = []

    def seq(yield_: Yield) -> None:
        helper = greenlet.greenlet(lambda: log.append(yield_(1)))
        ours.append(greenlet.getcurrent())
        helper.switch()
        with pytest.raises(PullError, match="^pullit.pull: yield_ called again before next; "):
            yield_(2)
        log.append("refused")
        main.switch()
        assert helper.dead
        yield_(3)

    main = greenlet.getcurrent()
    next, stop = pull(seq)
    assert next() == (1, True)
    ours.pop().switch()
    assert log == ["refused"]
    assert next() == (3, True)
    assert log == ["refused", True]
    assert next() == END


def test_yields_of_two_threads_at_once_take_turns() -> None:
    """Row 13: a departure, contract 21; the second waits for a next, and is delivered."""
    log: list[object] = []
    delivered = threading.Event()

    def seq(yield_: Yield) -> None:
        helper = threading.Thread(target=lambda: log.append(("first", yield_(1))))
        helper.start()
        delivered.wait()
        answer = yield_(2)
        helper.join()
        log.append(("second", answer))
        yield_(3)

    next, stop = pull(seq, engine="thread")
    assert next() == (1, True)
    delivered.set()
    assert drain(next) == [2, 3]
    assert log == [("first", True), ("second", True)]


def test_next_inside_seq_ends_it_unless_caught(engine: Engine) -> None:
    """Row 14: uncaught, the outer next raises it, and it is the end."""

    def seq(yield_: Yield) -> None:
        yield_(1)
        handle.next()

    handle = pull(seq, engine=engine)
    assert handle.next() == (1, True)
    with pytest.raises(PullError) as caught:
        handle.next()
    assert str(caught.value).startswith("pullit.pull: next called again before yield; ")
    assert handle.next() == END
    handle.stop()


def test_next_inside_seq_leaves_the_iteration_unharmed(engine: Engine) -> None:
    """Row 14: caught in seq, it is as if it had not been called."""

    def seq(yield_: Yield) -> None:
        for n in range(3):
            with pytest.raises(PullError, match="next called again before yield"):
                handle.next()
            yield_(n)

    handle = pull(seq, engine=engine)
    assert drain(handle.next) == [0, 1, 2]


def test_next_of_an_outer_pull_inside_an_inner_seq_is_refused(engine: Engine) -> None:
    """Row 15: A's seq pulls B, whose seq calls A's next: it raises inside B."""
    log: list[str] = []

    def inner(yield_: Yield) -> None:
        try:
            handle.next()
        except PullError as e:
            log.append(str(e).split(";")[0])
        yield_(7)

    def outer(yield_: Yield) -> None:
        for value in drain(pull(inner, engine=engine).next):
            yield_(value)

    handle = pull(outer, engine=engine)
    assert drain(handle.next) == [7]
    assert log == ["pullit.pull: next called again before yield"]


@pytest.mark.parametrize("yields", [0, 1])
def test_stop_inside_seq_is_refused(engine: Engine, yields: int) -> None:
    """Row 16: a departure, contract 7; Go's next returns a stale value and seq leaks."""

    def seq(yield_: Yield) -> None:
        for n in range(yields):
            yield_(n)
        with pytest.raises(PullError, match="^pullit.pull: stop called again before yield; "):
            handle.stop()
        yield_(yields)

    handle = pull(seq, engine=engine)
    assert drain(handle.next) == list(range(yields + 1))


def test_uncaught_stop_inside_seq_ends_it(engine: Engine) -> None:
    """Row 16: uncaught, the next during which it was called raises it."""

    def seq(yield_: Yield) -> None:
        handle.stop()

    handle = pull(seq, engine=engine)
    with pytest.raises(PullError, match="stop called again before yield"):
        handle.next()
    assert handle.next() == END


def test_next_and_stop_inside_the_cleanup_do_nothing(engine: Engine) -> None:
    """Row 17: during a stop next reports the end, stop does nothing, cleanup goes on."""
    log: list[object] = []

    def seq(yield_: Yield) -> None:
        yield_(1)
        log.append(handle.next())
        handle.stop()
        log.append(handle.next())

    handle = pull(seq, engine=engine)
    assert handle.next() == (1, True)
    handle.stop()
    assert log == [END, END]


def test_failing_consumer_stops_seq_as_it_leaves(engine: Engine) -> None:
    """Row 26: seq learns of it by the stop of the with block; the error goes on."""
    log: list[object] = []

    def seq(yield_: Yield) -> None:
        log.append(yield_(1))

    with pytest.raises(ValueError, match="^boom$"), pull(seq, engine=engine) as (next, _):
        assert next() == (1, True)
        raise ValueError("boom")
    assert log == [False]


class Value:
    """Something that can be referred to weakly."""


@pytest.mark.parametrize("how", ["return", "raise", "stop"])
def test_ended_pull_keeps_nothing(engine: Engine, how: str) -> None:
    """Row 27: the last value and the error are let go; Go keeps them after a panic."""
    kept: list[weakref.ref[object]] = []

    class BoomError(Exception):
        pass

    def seq(yield_: Callable[[Value], Any]) -> None:
        value = Value()
        kept.append(weakref.ref(value))
        yield_(value)
        if how == "raise":
            error = BoomError()
            kept.append(weakref.ref(error))
            raise error

    kept.append(weakref.ref(seq))
    next, stop = pull(seq, engine=engine)
    assert isinstance(next()[0], Value)
    if how == "stop":
        stop()
    elif how == "raise":
        try:
            next()
        except BoomError:
            pass
    else:
        assert next() == END
    del seq
    gc.collect()
    assert gone(*kept)
    assert next() == END


def test_next_and_stop_may_be_handed_to_other_coroutines(engine: Engine) -> None:
    """Row 28, contract 10: several coroutines of one thread ask in turn."""
    log: list[object] = []

    def seq(yield_: Yield) -> None:
        for n in range(9):
            if not yield_(n):
                log.append("stopped")
                return

    next, stop = pull(seq, engine=engine)

    def ask_and_pass_on() -> None:
        log.append(next())
        second.switch()
        log.append(next())

    def ask_once() -> None:
        log.append(next())
        first.switch()

    first, second = greenlet.greenlet(ask_and_pass_on), greenlet.greenlet(ask_once)
    log.append(next())
    first.switch()
    log.append(next())
    greenlet.greenlet(stop).switch()
    second.switch()
    assert log == [(0, True), (1, True), (2, True), (3, True), (4, True), "stopped"]
    assert next() == END


def test_second_next_while_the_first_runs_is_refused(engine: Engine) -> None:
    """Row 29: the second caller gets the error, the first its value."""
    check_refused_meanwhile(engine, "next")


def test_stop_while_a_next_runs_is_refused(engine: Engine) -> None:
    """Row 30: a departure, contracts 7 and 21; in Go the next returns a stale value."""
    check_refused_meanwhile(engine, "stop")


def check_refused_meanwhile(engine: Engine, call: str) -> None:
    """Have another coroutine, or another thread, call while a next runs."""
    log: list[str] = []

    def other() -> None:
        try:
            handle.next() if call == "next" else handle.stop()
        except PullError as e:
            log.append(str(e).split(";")[0])

    def seq(yield_: Yield) -> None:
        if engine == "greenlet":
            elsewhere.parent = greenlet.getcurrent()  # whom its end wakes
            elsewhere.switch()
        else:
            in_thread(other)
        yield_(1)
        yield_(2)

    elsewhere = greenlet.greenlet(other)  # on the consumer's side
    handle = pull(seq, engine=engine)
    assert drain(handle.next) == [1, 2]
    assert log == [f"pullit.pull: {call} called again before yield"]


@pytest.mark.parametrize("started", [False, True])
def test_abandoned_pull_is_stopped(
    engine: Engine, coroutines: Callable[[], int], started: bool
) -> None:
    """Row 31: a departure, contract 14; Go never collects one, started or not."""
    log: list[object] = []

    def seq(yield_: Yield) -> None:
        log.append(yield_(1))

    next, stop = pull(seq, engine=engine)
    if started:
        assert next() == (1, True)
    del next, stop
    assert coroutines() == 0
    assert log == [False] * started


def test_thousand_abandoned_pulls_leave_nothing(coroutines: Callable[[], int]) -> None:
    """Row 31: nor do many."""
    for _ in range(1000):
        assert pull(fives).next() == (5, True)
    assert coroutines() == 0


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_no_error_of_seq_is_lost(engine: Engine, kind: type[BaseException]) -> None:
    """Row 40: Go's coro loses an error of its f, so Pull must catch it; here neither does."""
    error = kind("boom")

    def seq(yield_: Yield) -> None:
        yield_(1)
        raise error

    next, stop = pull(seq, engine=engine)
    assert next() == (1, True)
    with pytest.raises(kind) as caught:
        next()
    assert caught.value is error
    assert caught.traceback[-1].name == "seq"
    assert next() == END


# Of golang/go's issues.


def push(consume: Callable[[Callable[[Yield], None]], object], engine: Engine) -> Pull[None]:
    """Return what feeds *consume* a seq from outside, one value of `box` at each next.

    golang/go#72083 asks for it, and says that it can be made of Pull.
    """

    def feed(wait: Callable[[None], Any]) -> None:
        def values(yield_: Yield) -> None:
            while wait(None):
                if not yield_(box[0]):
                    return

        consume(values)

    return pull(feed, engine=engine)


box: list[int] = []


def test_push_can_be_made_of_pull(engine: Engine) -> None:
    """golang/go#72083: a consumer of a seq is fed from outside, and sees its end at the stop."""
    got: list[object] = []

    def consume(values: Callable[[Yield], None]) -> None:
        def yield_(value: int) -> bool:
            got.append(value)
            return True

        values(yield_)
        got.append("end")

    next, stop = push(consume, engine)
    assert next() == (None, True)
    for value in (3, 1, 2):
        box[:] = [value]
        assert next() == (None, True)
    stop()
    assert got == [3, 1, 2, "end"]


def test_no_value_is_taken_for_another(engine: Engine) -> None:
    """golang/go#64646: each next is matched by one yield, though pulls run inside of pulls."""

    def numbers(start: int) -> Callable[[Yield], None]:
        def seq(yield_: Yield) -> None:
            for n in range(start, start + 3):
                if not yield_(n):
                    return

        return seq

    def interleaved(yield_: Yield) -> None:
        with pull(numbers(10), engine=engine) as a, pull(numbers(20), engine=engine) as b:
            for _ in range(3):
                first, _ = a.next()
                second, _ = b.next()
                assert first is not None
                assert second is not None
                yield_(first)
                yield_(second)
            assert a.next() == b.next() == END

    with pull(interleaved, engine=engine) as (next, _), pull(numbers(30), engine=engine) as other:
        both = [(next()[0], other.next()[0]) for _ in range(3)]
        assert both == [(10, 30), (20, 31), (11, 32)]
        assert other.next() == END
        assert drain(next) == [21, 12, 22]
