"""The contract, by its numbers; the texts are in docs/guarantees.md.

Numbers 14 and 15 have files of their own, test_lifetimes and test_company, and
so has 22, test_arguments.
"""

from __future__ import annotations

import _thread
import contextvars
import copy
import pickle
import sys
import threading
import time
import traceback
from collections.abc import Callable
from itertools import islice
from typing import Any

import greenlet
import pytest
from elsewhere import error_in_thread
from frames import is_pullits
from producers import countdown, deaf, failing, logged
from strikes import Strike

import pullit
from pullit import PullError, PullExit, PullIterator, Seq, WrongThreadError
from pullit._types import Engine

# 1: pull and iterate run none of seq; the first next starts it.


def test_01_making_a_pull_runs_none_of_seq(engine: Engine) -> None:
    """Only the first next starts seq."""
    log: list[object] = []
    next_, stop = pullit.pull(logged(countdown, log), engine=engine)
    it = pullit.iterate(logged(countdown, log), engine=engine)
    assert log == []
    next_()
    next(it)
    assert log == ["start", "start"]
    stop()
    it.close()


# 2: next runs seq up to its next yield_.


def test_02_what_follows_the_last_yield_runs_in_the_next_that_ends(engine: Engine) -> None:
    """After the last value seq has not finished yet."""
    log: list[object] = []
    it = pullit.iterate(logged(countdown, log), engine=engine)
    assert list(islice(it, 3)) == [3, 2, 1]
    assert log == ["start", True, True]
    assert not it.done
    assert next(it, "end") == "end"
    assert log == ["start", True, True, True, "end"]
    assert it.done


# 3: after the end, for ever, in every thread, without a switch.


@pytest.mark.parametrize("ending", ["end", "stop", "error"])
def test_03_after_the_end_it_stays_ended(engine: Engine, ending: str) -> None:
    """However it ended, and in every thread."""
    seq: Seq[int] = failing(KeyError("boom"), 1) if ending == "error" else countdown
    it = pullit.iterate(seq, engine=engine)
    next_, stop = pullit.pull(seq, engine=engine)
    next(it), next_()
    if ending == "stop":
        it.close(), stop()
    elif ending == "error":
        with pytest.raises(KeyError):
            next(it)
        with pytest.raises(KeyError):
            next_()
    else:
        list(it), [next_() for _ in range(3)]
    switches: list[object] = []
    greenlet.settrace(lambda event, arguments: switches.append(event))
    try:
        for _ in range(3):
            assert next(it, "end") == "end"
            assert next_() == (None, False)
            assert list(it) == []
    finally:
        greenlet.settrace(None)
    assert switches == []
    assert error_in_thread(lambda: next_()) is None
    assert isinstance(error_in_thread(lambda: next(it)), StopIteration)


# 4: stop midway.


def test_04_stop_returns_when_seq_has_returned(engine: Engine) -> None:
    """The pending yield_ answers False, and cleanup is over when stop returns."""
    log: list[object] = []
    next_, stop = pullit.pull(logged(countdown, log), engine=engine)
    next_()
    stop()
    assert log == ["start", False, "end"]
    stop()
    stop()
    assert log == ["start", False, "end"]


def test_04_stop_before_next_runs_nothing(engine: Engine) -> None:
    """seq is never called."""
    log: list[object] = []
    next_, stop = pullit.pull(logged(countdown, log), engine=engine)
    stop()
    assert next_() == (None, False)
    it = pullit.iterate(logged(countdown, log), engine=engine)
    assert it.close() is None
    assert list(it) == []
    assert log == []


def test_04_stop_after_the_end_does_nothing(engine: Engine) -> None:
    """It is valid, and silent."""
    next_, stop = pullit.pull(countdown, engine=engine)
    while next_()[1]:
        pass
    stop()


def test_04_with_stops(engine: Engine) -> None:
    """Leaving the block stops seq, whether it ended or not."""
    log: list[object] = []
    with pullit.pull(logged(countdown, log), engine=engine) as (next_, _):
        assert next_() == (3, True)
    with pullit.iterate(logged(countdown, log), engine=engine) as it:
        assert next(it) == 3
    assert log == ["start", False, "end"] * 2


@pytest.mark.parametrize("sent", [False, True])
def test_04_a_value_lost_to_a_signal_stops_the_pull(sent: bool, engine: Engine) -> None:
    """Its handler raised when the value was there: no gap goes unnoticed."""

    def profile(frame: Any, event: str, arg: Any) -> None:
        came = event == "c_return" and arg.__name__ == "switch"  # on greenlets
        came = came or (event == "return" and arg is not None)  # on threads
        if came and frame.f_code.co_qualname in comes:
            sys.setprofile(None)
            raise Strike

    log: list[object] = []
    comes = ["GreenletPull.start", "GreenletPull.resume", "ThreadPull.ask"]
    it = pullit.iterate(logged(countdown, log), engine=engine)
    if sent:
        next(it)
    sys.setprofile(profile)
    with pytest.raises(Strike):
        it.send("x") if sent else next(it)
    assert it.done
    expected = ["start", "x", False, "end"] if sent else ["start", False, "end"]
    while len(log) < len(expected):
        time.sleep(0)  # on the thread engine nobody has waited for it
    assert log == expected
    if engine == "greenlet":
        assert it.result == "stopped"
    assert list(it) == []


# 5: a producer that goes on after it was told to stop.


def test_05_a_producer_that_goes_on_gets_pull_exit(engine: Engine) -> None:
    """False first, then PullExit, which stop swallows."""
    log: list[object] = []

    def ignores_false(yield_: Callable[[int], Any]) -> None:
        try:
            for n in range(100):
                log.append(yield_(n))
        finally:
            log.append("end")

    it = pullit.iterate(ignores_false, engine=engine)
    assert next(it) == 0
    it.close()
    assert log == [False, "end"]


def test_05_one_that_swallows_it_drains(engine: Engine) -> None:
    """After five PullExits, False for the rest, as in Go."""
    log: list[object] = []
    it = pullit.iterate(deaf(20, log), engine=engine)
    next(it)
    assert it.close() == "drained"
    assert log == [False] + ["PullExit"] * 5 + [False] * 14


def test_05_stop_swallows_errors_raised_from_pull_exit(engine: Engine) -> None:
    """An API that reports the exit as its own error has not failed."""

    def wraps(yield_: Callable[[int], Any]) -> None:
        try:
            while True:
                yield_(1)
        except PullExit as e:
            try:
                raise ValueError("callback failed") from e
            except ValueError as middle:
                raise OSError("api failed") from middle

    it = pullit.iterate(wraps, engine=engine)
    next(it)
    assert it.close() is None
    with pytest.raises(PullError, match="did not return"):
        it.result  # noqa: B018


def test_05_an_error_on_the_way_out_is_raised(engine: Engine) -> None:
    """One from a finally that PullExit passes through included."""

    def fails_in_cleanup(yield_: Callable[[int], Any]) -> None:
        try:
            while True:
                yield_(1)
        finally:
            raise OSError("disk full")

    it = pullit.iterate(fails_in_cleanup, engine=engine)
    next(it)
    with pytest.raises(OSError, match="disk full") as caught:
        it.close()
    assert isinstance(caught.value.__context__, PullExit)


def test_05_an_outer_pull_exit_passes_through_an_inner_pull(engine: Engine) -> None:
    """A pull swallows its own PullExit only."""
    log: list[object] = []

    def outer(yield_: Callable[[int], Any]) -> None:
        def inner(inner_yield: Callable[[int], Any]) -> None:
            while True:
                yield_(1)

        try:
            list(pullit.iterate(inner, engine=engine))
        except PullExit:
            log.append("outer unwound")
            raise

    it = pullit.iterate(outer, engine=engine)
    next(it)
    it.close()
    assert log == ["outer unwound"]


# 6: exceptions.


@pytest.mark.parametrize("kind", [KeyError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_06_an_error_is_raised_once_by_the_next_in_which_it_happened(
    engine: Engine, kind: type[BaseException]
) -> None:
    """And by no other; the exception is the same object."""
    error = kind("boom")
    for values in ([55], []):
        it = pullit.iterate(failing(error, *values), engine=engine)
        assert list(islice(it, len(values))) == values
        with pytest.raises(kind) as caught:
            next(it)
        assert caught.value is error
        assert list(it) == []
        it.close()


def test_06_the_traceback_is_whole_and_short(engine: Engine) -> None:
    """It has the consumer's and the producer's frames, and few of the library's."""

    def deep(yield_: Callable[[int], Any]) -> None:
        raise KeyError("boom")

    def producer(yield_: Callable[[int], Any]) -> None:
        deep(yield_)

    next_, _ = pullit.pull(producer, engine=engine)
    calls: list[Callable[[], object]] = [lambda: next_(), pullit.iterate(producer).__next__]
    for call in calls:
        with pytest.raises(KeyError) as caught:
            call()
        frames = traceback.extract_tb(caught.value.__traceback__)
        ours = [frame for frame in frames if is_pullits(frame.filename)]
        assert len(ours) <= 4 - (engine == "greenlet")
        assert [frame.name for frame in frames[-2:]] == ["producer", "deep"]
        assert frames[0].name == "test_06_the_traceback_is_whole_and_short"


def test_06_cause_and_context_stay_as_the_producer_left_them(engine: Engine) -> None:
    """Whatever the consumer is handling meanwhile."""

    def producer(yield_: Callable[[int], Any]) -> None:
        yield_(1)
        try:
            raise KeyError("first")
        except KeyError as e:
            raise ValueError("second") from e

    it = pullit.iterate(producer, engine=engine)
    next(it)
    with pytest.raises(ValueError, match="second") as caught:
        try:
            raise OSError("the consumer's")
        except OSError:
            next(it)
    cause = caught.value.__cause__
    assert isinstance(cause, KeyError)
    assert caught.value.__context__ is cause
    assert cause.__context__ is None
    plain = pullit.iterate(failing(KeyError("alone")), engine=engine)
    with pytest.raises(KeyError) as caught_plain:
        try:
            raise OSError("the consumer's")
        except OSError:
            next(plain)
    assert caught_plain.value.__context__ is None


def test_06_stop_iteration_becomes_runtime_error(engine: Engine) -> None:
    """As in a generator; it would end the consumer's loop in silence."""
    it = pullit.iterate(failing(StopIteration(3), 1), engine=engine)
    next(it)
    with pytest.raises(RuntimeError, match="raised StopIteration") as caught:
        next(it)
    assert isinstance(caught.value.__cause__, StopIteration)
    assert list(it) == []


def test_06_greenlet_exit_ends_seq_as_a_return_does(engine: Engine) -> None:
    """It is how greenlet ends a coroutine."""
    it = pullit.iterate(failing(greenlet.GreenletExit(), 1), engine=engine)
    assert list(it) == [1]
    assert it.result is None


# 7 and 20: calls from inside seq.


CALLS: dict[str, Callable[[PullIterator[Any]], object]] = {
    "next": next,
    "for": lambda it: [v + 0 for v in it],
    "map": lambda it: list(map(str, it)),
    "islice": lambda it: list(islice(it, 1)),
    "send": lambda it: it.send(1),
    "throw": lambda it: it.throw(KeyError),
    "close": lambda it: it.close(),
}


@pytest.mark.parametrize("call", CALLS)
def test_07_20_a_call_from_inside_seq_is_refused_and_harmless(engine: Engine, call: str) -> None:
    """PullError inside seq; caught there, the iteration goes on."""
    texts: list[str] = []

    def producer(yield_: Callable[[int], Any]) -> str:
        for n in range(3):
            try:
                CALLS[call](it)
            except PullError as e:
                texts.append(str(e))
            yield_(n)
        return "whole"

    it = pullit.iterate(producer, engine=engine)
    assert list(it) == [0, 1, 2]
    assert it.result == "whole"
    name = call if call in ("send", "throw", "close") else "next"
    where = "test_07_20_a_call_from_inside_seq_is_refused_and_harmless.<locals>.producer"
    assert texts == 3 * [
        f"pullit.iterate: {name} called again before yield; {where} is running:"
        f" do not call {name} from inside it, nor from two threads at once"
    ]


def test_07_next_and_stop_of_pull_are_refused_inside_seq(engine: Engine) -> None:
    """Uncaught, the refusal is an error of seq's like any other."""
    log: list[object] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        with pytest.raises(PullError, match=r"^pullit\.pull: next called again before yield"):
            next_()
        with pytest.raises(PullError, match=r"^pullit\.pull: stop called again before yield"):
            stop()
        yield_(1)
        next_()

    next_, stop = pullit.pull(producer, engine=engine)
    log.append(next_())
    with pytest.raises(PullError, match="next called again before yield"):
        next_()
    log.append(next_())
    assert log == [(1, True), (None, False)]


def test_07_during_cleanup_next_ends_and_stop_does_nothing(engine: Engine) -> None:
    """After a stop, seq's own calls find the end."""
    log: list[object] = []

    def pulled(yield_: Callable[[int], Any]) -> None:
        yield_(1)
        stop()
        log.append(next_())

    def iterated(yield_: Callable[[int], Any]) -> None:
        yield_(1)
        log.append(it.close())
        log.append(list(it))

    next_, stop = pullit.pull(pulled, engine=engine)
    next_()
    stop()
    it = pullit.iterate(iterated, engine=engine)
    next(it)
    it.close()
    assert log == [(None, False), None, []]


# 8: a kept yield_.


def test_08_a_kept_yield_between_two_nexts_is_refused(engine: Engine) -> None:
    """PullError in that caller, the iterator unharmed; after the end, False."""
    kept: list[Callable[[int], Any]] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        kept.append(yield_)
        yield_(1)
        yield_(2)

    it = pullit.iterate(producer, engine=engine)
    assert next(it) == 1
    where = "test_08_a_kept_yield_between_two_nexts_is_refused.<locals>.producer"
    with pytest.raises(PullError) as caught:
        kept[0](9)
    assert str(caught.value) == (
        f"pullit.iterate: yield_ called again before next; {where} is suspended in its"
        " last call of it: only the producer may call yield_"
    )
    assert list(it) == [2]
    assert kept[0](9) is False
    assert kept[0](9) is False


# 9: yield_ from any coroutine on the producer's side.


def test_09_a_nested_producer_may_call_the_outer_yield(engine: Engine) -> None:
    """Whoever yielded is resumed."""
    log: list[object] = []

    def outer(yield_: Callable[[str], Any]) -> None:
        def inner(inner_yield: Callable[[str], Any]) -> None:
            inner_yield("a")
            log.append(yield_("from inner"))
            inner_yield("b")

        for value in pullit.iterate(inner, engine=engine):
            log.append(yield_(value))

    it = pullit.iterate(outer, engine=engine)
    assert [next(it), next(it), next(it)] == ["a", "from inner", "b"]
    assert list(it) == []
    assert log == [True, True, True]


def test_09_a_stop_reaches_the_nested_producer_that_yielded(engine: Engine) -> None:
    """Its yield_ answers False, and both producers end."""
    log: list[object] = []

    def outer(yield_: Callable[[int], Any]) -> str:
        def inner(inner_yield: Callable[[int], Any]) -> str:
            log.append(yield_(1))
            return "inner"

        it = pullit.iterate(inner, engine=engine)
        log.append(list(it))
        log.append(it.result)
        return "outer"

    it = pullit.iterate(outer, engine=engine)
    assert next(it) == 1
    assert it.close() == "outer"
    assert log == [False, [], "inner"]


def test_09_a_greenlet_of_the_producers_may_yield() -> None:
    """It need not be one of ours."""

    def producer(yield_: Callable[[int], Any]) -> int:
        helper = greenlet.greenlet(lambda: [yield_(n) for n in range(3)])
        return len(helper.switch())

    it = pullit.iterate(producer)
    assert list(it) == [0, 1, 2]
    assert it.result == 3


# 10: consumers.


def test_10_next_may_come_from_different_greenlets() -> None:
    """Each gets its value; the last caller is who an end or an error wakes."""
    it = pullit.iterate(countdown)
    got: list[object] = []
    for _ in range(4):
        greenlet.greenlet(lambda: got.append(next(it, "end"))).switch()
    assert got == [3, 2, 1, "end"]


def test_07_20_a_greenlet_that_the_producer_made_may_not_ask() -> None:
    """It would wait for its own parent, by which it is run."""
    greenlets: list[greenlet.greenlet] = []
    errors: list[PullError] = []
    main = greenlet.getcurrent()

    def ask() -> None:
        try:
            next(it)
        except PullError as e:
            errors.append(e)
        main.switch()

    def producer(yield_: Callable[[int], Any]) -> None:
        greenlets.append(greenlet.greenlet(ask))
        yield_(1)
        yield_(2)

    it = pullit.iterate(producer)
    assert next(it) == 1
    greenlets[0].switch()
    name = "test_07_20_a_greenlet_that_the_producer_made_may_not_ask.<locals>.producer"
    assert [str(e) for e in errors] == [
        f"pullit.iterate: next called in a greenlet that {name} has started;"
        " call it outside of the producer"
    ]
    assert list(it) == [2]
    errors.clear()
    greenlets.pop().throw()


def test_10_an_error_goes_to_the_last_caller() -> None:
    """Not to the greenlet that started seq."""
    it = pullit.iterate(failing(KeyError("boom"), 1))
    got: list[object] = []

    def take_one_and_wait() -> None:
        got.append(next(it))
        main.switch()

    main = greenlet.getcurrent()
    first = greenlet.greenlet(take_one_and_wait)
    first.switch()

    def second() -> None:
        with pytest.raises(KeyError):
            next(it)
        got.append("raised in second")

    greenlet.greenlet(second).switch()
    first.switch()
    assert got == [1, "raised in second"]


def test_10_threads_may_take_turns_with_the_thread_engine() -> None:
    """One at a time."""
    it = pullit.iterate(countdown, engine="thread")
    got: list[int] = []
    assert error_in_thread(lambda: got.append(next(it))) is None
    got.append(next(it))
    assert error_in_thread(lambda: got.extend(it)) is None
    assert got == [3, 2, 1]


def test_10_threads_may_take_turns_at_send_too() -> None:
    """Whoever has sent, another may ask."""
    it = pullit.iterate(countdown, engine="thread")
    assert next(it) == 3
    assert error_in_thread(lambda: it.send(True)) is None
    assert list(it) == [1]


# 11: the wrong thread.


@pytest.mark.parametrize("call", CALLS)
def test_11_20_another_thread_is_refused_and_does_no_harm(call: str) -> None:
    """WrongThreadError at once, through every way to call."""
    it = pullit.iterate(countdown)
    assert next(it) == 3
    error = error_in_thread(lambda: CALLS[call](it))
    name = call if call in ("send", "throw", "close") else "next"
    assert isinstance(error, WrongThreadError)
    assert str(error) == (
        f"pullit.iterate: {name} called in thread 'other', but countdown was started in"
        " thread 'MainThread' and cannot change threads; call it there, or pass"
        ' engine="thread"'
    )
    assert list(it) == [2, 1]


def test_11_while_it_runs_another_thread_is_told_that_it_is_the_wrong_one() -> None:
    """Not that it has come at the wrong time."""

    def producer(yield_: Callable[[BaseException | None], Any]) -> None:
        yield_(error_in_thread(lambda: next(it)))

    it = pullit.iterate(producer)
    assert isinstance(next(it), WrongThreadError)
    it.close()


def test_11_a_thread_that_has_no_name_is_told_by_its_number() -> None:
    """threading knows only of those that it has started."""
    it = pullit.iterate(countdown)
    next(it)
    errors: list[BaseException] = []
    ended = _thread.allocate_lock()
    ended.acquire()

    def ask() -> None:
        try:
            next(it)
        except BaseException as e:
            errors.append(e)
        ended.release()

    ident = _thread.start_new_thread(ask, ())
    ended.acquire()
    assert f"next called in thread {ident}, but countdown" in str(errors.pop())
    it.close()


def test_11_pull_is_refused_too() -> None:
    """Both of its functions."""
    next_, stop = pullit.pull(countdown)
    next_()
    assert isinstance(error_in_thread(next_), WrongThreadError)
    assert isinstance(error_in_thread(stop), WrongThreadError)
    assert next_() == (2, True)
    stop()


def test_11_a_pull_not_started_belongs_to_no_thread() -> None:
    """It may be made in one and used in another, or stopped there."""
    it = pullit.iterate(countdown)
    got: list[int] = []
    assert error_in_thread(lambda: got.extend(it)) is None
    assert got == [3, 2, 1]
    assert error_in_thread(pullit.iterate(countdown).close) is None


# 12: falsy values.


def test_12_none_and_falsy_values_are_ordinary(engine: Engine) -> None:
    """Only ok tells the end, and only StopIteration."""
    values: list[Any] = [None, 0, False, "", (), [], {}]
    seq = pullit.from_iterable(values)
    assert list(pullit.iterate(seq, engine=engine)) == values
    next_, _ = pullit.pull(seq, engine=engine)
    assert [next_() for _ in values] == [(v, True) for v in values]
    assert next_() == (None, False)
    pairs: Any = lambda yield_: [yield_(v, None) for v in values]
    next2, _ = pullit.pull2(pairs, engine=engine)
    assert [next2() for _ in values] == [(v, None, True) for v in values]
    assert next2() == (None, None, False)


# 13: contextvars.

VAR = contextvars.ContextVar("VAR", default="unset")


def test_13_a_producer_runs_in_a_copy_of_the_first_nexts_context(engine: Engine) -> None:
    """Not of that in which the iterator was made, nor of later ones; its own stay its own."""

    def producer(yield_: Callable[[str], Any]) -> None:
        yield_(VAR.get())
        VAR.set("the producer's")
        yield_(VAR.get())
        yield_(VAR.get())

    VAR.set("at the making")
    it = pullit.iterate(producer, engine=engine)
    VAR.set("at the first next")
    assert next(it) == "at the first next"
    VAR.set("later")
    assert next(it) == "the producer's"
    assert VAR.get() == "later"
    assert list(it) == ["the producer's"]


def test_13_in_a_thread_without_a_context_too(engine: Engine) -> None:
    """Where nothing was ever set, a producer can set what it likes."""
    got: list[str] = []

    def producer(yield_: Callable[[str], Any]) -> None:
        VAR.set("the producer's")
        yield_(VAR.get())

    def run() -> None:
        try:
            got.extend(pullit.iterate(producer, engine=engine))
            got.append(VAR.get())
        finally:
            ended.set()

    ended = threading.Event()
    # One of threading's begins with a copy of its starter's context, in a free-threaded build.
    _thread.start_new_thread(run, ())
    assert ended.wait(10)
    assert got == ["the producer's", "unset"]


# 16: send, throw, results.


def test_16_yield_answers_what_it_was_resumed_with(engine: Engine) -> None:
    """True by next, x by send(x), False by close."""
    log: list[object] = []

    def producer(yield_: Callable[[int], Any]) -> str:
        for n in range(10):
            answer = yield_(n)
            log.append(answer)
            if answer is False:
                return "told"
        return "not told"

    it = pullit.iterate(producer, engine=engine)
    assert it.send(None) == 0
    assert [next(it), it.send("x"), it.send(None), it.send(0), next(it)] == [1, 2, 3, 4, 5]
    assert it.close() == "told"
    assert log == [True, "x", None, 0, True, False]
    assert it.result == "told"


def test_16_throw_raises_at_yield(engine: Engine) -> None:
    """Handled there, the iteration goes on; else it comes back."""

    def producer(yield_: Callable[[object], Any]) -> str:
        try:
            yield_(1)
        except KeyError as e:
            yield_(e)
        yield_(2)
        return "done"

    error = KeyError("thrown")
    it = pullit.iterate(producer, engine=engine)
    next(it)
    assert it.throw(error) is error
    assert next(it) == 2
    with pytest.raises(OSError, match="again") as caught:
        it.throw(OSError, "again")
    assert caught.value.__context__ is None
    assert list(it) == []
    with pytest.raises(PullError):
        it.result  # noqa: B018


def test_16_throw_at_one_not_started_or_ended_raises_here(engine: Engine) -> None:
    """As a generator does; the first is over then."""
    log: list[object] = []
    it = pullit.iterate(logged(countdown, log), engine=engine)
    with pytest.raises(KeyError):
        it.throw(KeyError)
    assert list(it) == []
    with pytest.raises(KeyError):
        it.throw(KeyError())
    assert log == []


def test_16_throw_takes_a_traceback_too(engine: Engine) -> None:
    """For a class as for an instance; the error's own begins with it."""

    def origin() -> None:
        raise OSError

    with pytest.raises(OSError) as failed:  # noqa: PT011
        origin()
    for error in (KeyError, KeyError("thrown")):
        it = pullit.iterate(countdown, engine=engine)
        next(it)
        with pytest.raises(KeyError) as caught:
            it.throw(error, None, failed.value.__traceback__)
        assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "origin"


def test_16_send_none_starts_it(engine: Engine) -> None:
    """As next does; what ends at once brings its result."""
    it = pullit.iterate(countdown, engine=engine)
    assert it.send(None) == 3
    it.close()
    it = pullit.iterate(lambda yield_: "at once", engine=engine)
    with pytest.raises(StopIteration) as caught:
        it.send(None)
    assert caught.value.value == "at once"
    with pytest.raises(StopIteration) as caught:
        next(it)
    assert caught.value.args == ()
    it = pullit.iterate(lambda yield_: None, engine=engine)
    with pytest.raises(StopIteration) as caught:
        it.send(None)
    assert caught.value.args == ()


def test_16_send_to_one_not_started_is_a_type_error(engine: Engine) -> None:
    """As with a generator; it can still be started."""
    it = pullit.iterate(countdown, engine=engine)
    with pytest.raises(TypeError, match=r"^pullit\.iterate: cannot send .*; call next first$"):
        it.send(1)
    assert list(it) == [3, 2, 1]
    with pytest.raises(StopIteration):
        it.send(1)


def test_16_stop_iteration_carries_the_result_once(engine: Engine) -> None:
    """However the end is reached; close returns it, and .result keeps it."""
    calls: list[Callable[[PullIterator[int]], object]] = [
        next,
        lambda it: it.send("x"),
        lambda it: it.__next__(),
    ]
    for call in calls:
        it = pullit.iterate(countdown, engine=engine)
        for _ in range(3):
            next(it)
        with pytest.raises(StopIteration) as caught:
            call(it)
        assert caught.value.value == "lift-off"
        for again in calls:
            with pytest.raises(StopIteration) as caught:
                again(it)
            assert caught.value.value is None
        assert it.result == "lift-off"
        assert it.close() is None

    def delegates() -> Any:
        return (yield from pullit.iterate(countdown, engine=engine))

    outer = delegates()
    assert list(islice(outer, 3)) == [3, 2, 1]
    with pytest.raises(StopIteration, match="lift-off"):
        next(outer)


def test_16_result_says_why_there_is_none(engine: Engine) -> None:
    """PullError before the end, and where seq did not return."""
    it = pullit.iterate(countdown, engine=engine)
    for _ in range(2):
        with pytest.raises(PullError) as caught:
            it.result  # noqa: B018
        assert str(caught.value) == (
            "pullit.iterate: no result: countdown has not returned yet;"
            " look at .result when the iterator has ended by itself"
        )
        next(it)
    assert it.close() == "stopped"
    assert it.result == "stopped"
    it = pullit.iterate(countdown, engine=engine)
    it.close()
    with pytest.raises(PullError, match="countdown did not return"):
        it.result  # noqa: B018


# 19: copies and names.


@pytest.mark.parametrize("make", [pullit.iterate, pullit.pull])
def test_19_copy_and_pickle_are_refused(engine: Engine, make: Callable[..., Any]) -> None:
    """A copy would duplicate ownership."""
    it = make(countdown, engine=engine)
    name = type(it).__name__
    for call in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError) as caught:
            call(it)
        assert str(caught.value) == (
            f"cannot copy or pickle <pullit.{name} of countdown, unstarted>: a suspended"
            " call has only one future; start another iterator over the same seq"
        )


@pytest.mark.parametrize("make", [pullit.iterate, pullit.pull])
def test_19_repr_names_seq_and_state(engine: Engine, make: Callable[..., Any]) -> None:
    """In one word."""
    seen: list[str] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        seen.append(repr(it))
        yield_(1)

    it = make(producer, engine=engine)
    ask = getattr(it, "next", None) or (lambda: next(it, None))
    for _ in range(3):
        seen.append(repr(it))
        ask()
    where = "test_19_repr_names_seq_and_state.<locals>.producer"
    states = ["unstarted", "running", "suspended", "finished"]
    assert seen == [f"<pullit.{type(it).__name__} of {where}, {state}>" for state in states]


# 21: the thread engine.


def test_21_a_call_while_another_runs_is_refused_and_harmless() -> None:
    """PullError there, the running one unharmed."""
    running, go_on = threading.Event(), threading.Event()

    def producer(yield_: Callable[[int], Any]) -> None:
        running.set()
        go_on.wait()
        yield_(1)

    it = pullit.iterate(producer, engine="thread")
    got: list[int] = []
    first = threading.Thread(target=lambda: got.append(next(it)))
    first.start()
    running.wait()
    for call in CALLS.values():
        with pytest.raises(PullError, match="called again before yield"):
            call(it)
    go_on.set()
    first.join()
    assert got == [1]
    assert list(it) == []


def test_21_yield_may_come_from_any_thread() -> None:
    """One at a time."""

    def producer(yield_: Callable[[int], Any]) -> None:
        for n in range(3):
            helper = threading.Thread(target=yield_, args=(n,))
            helper.start()
            helper.join()

    assert list(pullit.iterate(producer, engine="thread")) == [0, 1, 2]


def test_21_its_threads_are_daemons_and_are_gone_when_the_pull_is() -> None:
    """At once: stop, and the next that ends, wait for the thread itself."""
    before = threading.enumerate()
    it = pullit.iterate(countdown, engine="thread")
    next(it)
    (thread,) = set(threading.enumerate()) - set(before)
    assert thread.daemon
    list(it)
    assert threading.enumerate() == before
    it = pullit.iterate(countdown, engine="thread")
    next(it)
    it.close()
    assert threading.enumerate() == before


def test_19_next_itself_cannot_be_copied_either(engine: Engine) -> None:
    """It drives the pull; a copy of it would drive it too."""
    next_, stop = pullit.pull(countdown, engine=engine)
    for copied in (next_, stop):
        with pytest.raises(TypeError, match="cannot copy or pickle what drives countdown"):
            copy.deepcopy(copied)
    stop()


def test_06_an_error_thrown_into_pulls_next_stops_seq_first() -> None:
    """Into whoever waits in next, by another greenlet."""
    log: list[object] = []
    waiting: list[Any] = []

    def seq(yield_: Callable[[int], Any]) -> None:
        yield_(1)
        try:
            waiting.append(greenlet.getcurrent())
            main.switch()
        finally:
            log.append("ended")

    def consumer() -> None:
        next_, _ = pullit.pull(seq)
        assert next_() == (1, True)
        try:
            next_()
        except KeyError as e:
            log.append(e.args)

    main = greenlet.getcurrent()
    asking = greenlet.greenlet(consumer)
    asking.switch()
    asking.throw(KeyError, KeyError("thrown"))
    assert log == ["ended", ("thrown",)]


def test_21_a_send_before_the_value_that_was_asked_for_is_refused() -> None:
    """After a next that was interrupted for want of room: its answer stands."""
    it: Any = pullit.iterate(countdown, engine="thread")
    assert next(it) == 3
    it._pull.resume_yield(None)  # what such a next has done
    with pytest.raises(PullError, match="send before the value that the last call has asked for"):
        it.send("x")
    assert list(it) == [2, 1]
