"""from_callback, and the order guard (contract 17), on an API in Python."""

from __future__ import annotations

import gc
import itertools
import pickle
import sys
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from elsewhere import gone
from greenlet import getcurrent
from producers import api

import pullit
from pullit import PullError, PullExit, PullIterator, Seq, from_callback, iterate
from pullit._per_thread import per_thread
from pullit._types import Engine

Log = list[object]


@pytest.fixture(autouse=True)
def nothing_left_guarded() -> Any:
    """Fail the test that leaves a guard or a waiting call behind."""
    yield
    assert per_thread().guards == []
    assert per_thread().calls == {}


def test_each_call_is_a_value(engine: Engine) -> None:
    """The API gets None back, and what it returns is the result."""
    log: Log = []
    it = iterate(from_callback(api(3, log)), engine=engine)
    assert list(it) == [0, 1, 2]
    assert log == [None, None, None]
    assert it.result == "api"


def test_a_value_is_made_of_the_arguments(engine: Engine) -> None:
    """The sole one itself, else the tuple; or what pack says."""

    def run(callback: Callable[..., Any]) -> None:
        callback()
        callback(1)
        callback(1, 2)
        callback(())

    assert list(iterate(from_callback(run), engine=engine)) == [(), 1, (1, 2), ()]
    packed = from_callback(lambda callback: callback(1, x=2), pack=lambda *a, **k: (a, k))
    assert list(iterate(packed, engine=engine)) == [((1,), {"x": 2})]


@pytest.mark.parametrize("deaf", [False, True])
def test_keyword_arguments_need_a_pack(engine: Engine, deaf: bool) -> None:
    """The TypeError arrives at the consumer even where the API swallows it."""

    def run(callback: Callable[..., Any]) -> None:
        callback(1)
        try:
            callback(2, depth=3)
        except TypeError:
            if not deaf:
                raise

    it = iterate(from_callback(run), engine=engine)
    assert next(it) == 1
    with pytest.raises(TypeError) as caught:
        next(it)
    where = "test_keyword_arguments_need_a_pack.<locals>.run"
    assert str(caught.value) == (
        f"pullit.from_callback: {where} calls back with keyword arguments, depth; say what"
        " they make by pack, for example pack=lambda *args, **kwargs: (args, kwargs)"
    )


@pytest.mark.parametrize("option", ["pack", "reply"])
def test_an_error_of_pack_or_reply_is_not_lost(engine: Engine, option: str) -> None:
    """It goes through the API, and arrives at the consumer even if that swallows it."""

    def fails(*args: object) -> Any:
        raise KeyError(option)

    log: Log = []
    for deaf in (False, True):
        seq: Seq[Any] = from_callback(api(8, log, deaf=deaf), **{option: fails})  # type: ignore[call-overload]
        with pytest.raises(KeyError, match=option):
            list(iterate(seq, engine=engine))
    assert log == ["KeyError"] * 9


@pytest.mark.parametrize("deaf", [False, True])
def test_an_error_of_reply_keeps_nothing_once_it_is_handled(engine: Engine, deaf: bool) -> None:
    """No cycle of ours holds the API's frames."""

    class Thing:
        pass

    def fails(n: int) -> Any:
        thing = Thing()
        watches.append(weakref.ref(thing))
        raise KeyError(n)

    watches: list[weakref.ref[Thing]] = []
    gc.disable()
    try:
        with pytest.raises(KeyError):
            list(iterate(from_callback(api(2, [], deaf=deaf), reply=fails), engine=engine))
        assert len(watches) == 1 + deaf
        assert gone(*watches)
    finally:
        gc.enable()


def test_stop_iteration_of_reply_is_for_the_api(engine: Engine) -> None:
    """Some want to be told an end that way, and handle it."""

    def run(callback: Callable[[], str]) -> list[str]:
        lines = []
        while True:
            try:
                lines.append(callback())
            except StopIteration:
                return lines

    replies = iter(["a", "b"])
    it = iterate(from_callback(run, reply=lambda: next(replies)), engine=engine)
    assert list(it) == [(), (), ()]
    assert it.result == ["a", "b"]


def test_a_callback_kept_beyond_the_end_answers_false(engine: Engine) -> None:
    """As yield_ does."""
    kept: list[Callable[[int], Any]] = []

    def run(callback: Callable[[int], Any]) -> None:
        kept.append(callback)
        callback(1)

    assert list(iterate(from_callback(run), engine=engine)) == [1]
    assert kept[0](2) is False


def test_the_api_gets_what_is_sent_else_the_reply(engine: Engine) -> None:
    """Whatever is sent, True and False included, and through wrappers too."""
    log: Log = []
    seq = from_callback(api(7, log), reply=lambda n: f"reply {n}")
    for wrapped in (seq, lambda yield_: seq(lambda value: yield_(value))):
        log.clear()
        it = iterate(wrapped, engine=engine)
        next(it)
        for sent in ("x", True, False, None, 0):
            it.send(sent)
        assert list(it) == [6]
        assert log == ["x", True, False, None, 0, "reply 5", "reply 6"]


def test_05_a_stop_escalates(engine: Engine) -> None:
    """PullExit through the API; one that swallows five is left to drain, in silence."""
    log: Log = []
    it = iterate(from_callback(api(3, log)), engine=engine)
    next(it)
    assert it.close() is None
    assert log == ["PullExit"]
    log.clear()
    it = iterate(from_callback(api(8, log, deaf=True)), engine=engine)
    next(it)
    assert it.close() == "api"
    assert log == ["PullExit"] * 5 + [False] * 3


def test_05_stop_reply_is_returned_at_every_call_after_the_stop(engine: Engine) -> None:
    """And nothing is raised."""
    log: Log = []
    it = iterate(from_callback(api(8, log, deaf=True), stop_reply=-1), engine=engine)
    next(it)
    next(it)
    assert it.close() == "api"
    assert log == [None] + [-1] * 7


@pytest.mark.parametrize("reply", [StopIteration, StopIteration("enough"), KeyError()])
def test_05_a_stop_reply_that_is_an_exception_is_raised(engine: Engine, reply: Any) -> None:
    """If it comes out of the API, it is no error."""
    log: Log = []
    it = iterate(from_callback(api(8, log), stop_reply=reply), engine=engine)
    next(it)
    assert it.close() is None
    assert log == [reply.__name__ if isinstance(reply, type) else type(reply).__name__]
    with pytest.raises(PullError, match="did not return"):
        it.result  # noqa: B018


def test_05_stop_errors_names_how_the_api_reports_it(engine: Engine) -> None:
    """Such an error is swallowed by a stop, and only then."""

    def run(callback: Callable[[int], Any]) -> None:
        for n in range(3):
            try:
                callback(n)
            except BaseException:
                raise OSError("aborted") from None
        raise OSError("at the end")

    it = iterate(from_callback(run, stop_errors=(OSError,)), engine=engine)
    next(it)
    it.close()
    with pytest.raises(OSError, match="at the end"):
        list(iterate(from_callback(run, stop_errors=(OSError,)), engine=engine))
    it = iterate(from_callback(run), engine=engine)
    next(it)
    with pytest.raises(OSError, match="aborted"):
        it.close()


def test_without_a_pull_it_is_a_push_iterator_too() -> None:
    """False, and only False, stops it; nothing is raised."""
    log: Log = []
    seq = from_callback(api(4, log))
    got: Log = []
    assert seq(got.append) == "api"
    assert got == [0, 1, 2, 3]
    log.clear()
    assert seq(lambda n: n < 1) is None
    assert log == [None, "PullExit"]
    log.clear()
    from_callback(api(8, log, deaf=True))(lambda n: False)
    assert log == ["PullExit"] * 5 + [False] * 3


def test_run_must_be_a_function() -> None:
    """The message says of what."""
    with pytest.raises(TypeError) as caught:
        from_callback(3)  # type: ignore[call-overload]
    assert str(caught.value) == (
        "pullit.from_callback: run must be a function of one argument, the callback, not"
        " int 3; pass a function that calls the API with the callback that it is given"
    )
    assert repr(from_callback(api(1, []))) == "pullit.from_callback(api)"


# 17: the guard.


def direct(seq: Seq[int]) -> Seq[int]:
    return seq


def in_a_lambda(seq: Seq[int]) -> Seq[int]:
    return lambda yield_: seq(lambda value: yield_(value))


def in_a_partial(seq: Seq[int]) -> Seq[int]:
    return partial(lambda inner, yield_: inner(yield_), seq)


def in_a_producer(seq: Seq[int]) -> Seq[int]:
    """Run it after plain yields, so that the pull knows the coroutine already."""

    def producer(yield_: Callable[[int], Any]) -> None:
        yield_(-2)
        yield_(-1)
        seq(yield_)

    return lambda yield_: producer(lambda value: yield_(value) if value >= 0 else True)


def in_a_nested_producer(seq: Seq[int]) -> Seq[int]:
    """The nested one, on whose coroutine the API runs, calls the outer yield_."""

    def producer(yield_: Callable[[int], Any]) -> None:
        def inner(inner_yield: Callable[[int], Any]) -> None:
            seq(yield_)

        for _ in iterate(inner):
            pass

    return producer


def in_a_pull_of_a_pull(seq: Seq[int]) -> Seq[int]:
    """The outer coroutine is not guarded, but what it asks is."""
    return lambda yield_: [yield_(value) for value in iterate(seq)]


WRAPPERS = [direct, in_a_lambda, in_a_partial, in_a_producer, in_a_nested_producer]


def guarded(
    name: str, log: Log, wrap: Callable[[Seq[int]], Seq[int]] = direct
) -> PullIterator[int]:
    """Return an iterator over three calls of an API of that name."""
    return iterate(wrap(from_callback(api(3, log, name))))


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_17_resuming_out_of_order_is_refused_and_harmless(
    wrap: Callable[[Seq[int]], Seq[int]],
) -> None:
    """PullError in that call, which names both; both go on in order."""
    log: Log = []
    earlier, later = guarded("A", log, wrap), guarded("B", log, wrap)
    assert [next(earlier), next(later)] == [0, 0]
    calls_: list[Callable[[], object]] = [
        lambda: next(earlier),
        lambda: list(earlier),
        lambda: earlier.send(1),
        lambda: earlier.throw(KeyError),
        earlier.close,
    ]
    for call in calls_:
        with pytest.raises(PullError) as caught:
            call()
        assert str(caught.value) == (
            "pullit.iterate: from_callback(A) was resumed while from_callback(B), which"
            " began later, is suspended; native libraries crash when that happens: close"
            " the later one first, collect one of the two into a list, or pass"
            " interleave=True to from_callback if the API is known to survive it"
        )
        again = pickle.loads(pickle.dumps(caught.value))
        assert type(again) is PullError
        assert repr(again) == repr(caught.value)
    assert log == []
    assert next(later) == 1
    later.close()
    assert list(earlier) == [1, 2]
    assert log == [None, "PullExit", None, None, None]


@pytest.mark.parametrize("taken", [2, 3, 4])
def test_17_it_is_guarded_for_as_long_as_it_runs(taken: int) -> None:
    """Whatever number of values came before, without a look at who asks."""
    earlier = iterate(from_callback(api(6, [], "A")))
    assert [next(earlier) for _ in range(taken)] == list(range(taken))
    later = iterate(from_callback(api(6, [], "B")))
    assert [next(later) for _ in range(taken)] == list(range(taken))
    with pytest.raises(PullError, match="A. was resumed while from_callback.B., which began"):
        next(earlier)
    assert list(later) == list(range(taken, 6))
    assert list(earlier) == list(range(taken, 6))


def test_17_what_a_pull_asks_inside_is_guarded_too() -> None:
    """The refusal is raised in the producer that asked, and through it."""
    log: Log = []
    earlier, later = guarded("A", log, in_a_pull_of_a_pull), guarded("B", log)
    next(earlier), next(later)
    with pytest.raises(PullError, match=r"from_callback\(A\) was resumed"):
        next(earlier)
    later.close()


def test_17_nested_order_is_served() -> None:
    """The loop body may walk another to its end."""
    log: Log = []
    got = [(a, b) for a in guarded("A", log) for b in guarded("B", log)]
    assert got == [(a, b) for a in range(3) for b in range(3)]


def test_17_the_api_may_be_called_again_in_its_callback() -> None:
    """On one coroutine order is kept by itself."""

    def producer(yield_: Callable[[object], Any]) -> None:
        seq = from_callback(api(2, []))
        seq(lambda a: seq(lambda b: yield_((a, b))))

    assert list(iterate(producer)) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_17_one_dropped_out_of_order_is_stopped_as_soon_as_that_is_safe() -> None:
    """When the later one ends."""
    log: Log = []
    earlier, later = guarded("A", log), guarded("B", log)
    next(earlier), next(later)
    del earlier
    assert log == []
    later.close()
    assert log == ["PullExit", "PullExit"]


def test_17_several_dropped_are_stopped_newest_first() -> None:
    """Each when what began after it has ended."""
    ends: Log = []

    def ending(name: str) -> PullIterator[int]:
        def run(callback: Callable[[int], Any]) -> None:
            try:
                callback(0)
            finally:
                ends.append(name)

        it = iterate(from_callback(run))
        next(it)
        return it

    a, b, c = ending("a"), ending("b"), ending("c")
    del a, b
    assert ends == []
    c.close()
    assert ends == ["c", "b", "a"]


def test_17_interleave_says_that_the_api_survives_it() -> None:
    """Such runs are not guarded, nor do they guard others."""
    seq = from_callback(api(3, []), interleave=True)
    assert list(zip(iterate(seq), iterate(seq), strict=True)) == [(0, 0), (1, 1), (2, 2)]


def test_17_plain_producers_are_not_guarded() -> None:
    """They may run between guarded ones in any order, and pay nothing."""
    log: Log = []
    plain = iterate(lambda yield_: [yield_(n) for n in range(4)])
    assert next(plain) == 0
    it = guarded("A", log)
    assert [next(it), next(plain), next(it), next(plain)] == [0, 1, 1, 2]
    other = guarded("B", log)
    assert [next(other), next(plain)] == [0, 3]
    other.close()
    it.close()
    assert list(plain) == []


def test_17_on_threads_nothing_is_guarded() -> None:
    """Each producer has a C stack of its own."""
    seq = from_callback(api(3, []))
    its = [iterate(seq, engine="thread") for _ in range(2)]
    assert list(zip(*its, strict=True)) == [(0, 0), (1, 1), (2, 2)]


def test_17_a_walk_left_suspended_by_a_callback_is_stopped() -> None:
    """Native code cannot go on with it there, so its maker is told."""
    log: Log = []
    kept: list[PullIterator[int]] = []

    def start_and_leave(n: int) -> None:
        kept.append(guarded("inner", log))
        next(kept[0])

    with pytest.raises(PullError, match=r"from_callback\(inner\), which began later"):
        from_callback(api(3, log, "outer"))(start_and_leave)
    assert log == ["PullExit", "PullError"]
    assert kept[0].done


def test_17_the_guard_is_of_one_thread() -> None:
    """Walks in different threads do not disturb each other."""
    log: Log = []
    it = guarded("A", log)
    next(it)
    got: list[list[int]] = []
    thread = threading.Thread(target=lambda: got.append(list(guarded("B", log))))
    thread.start()
    thread.join()
    assert got == [[0, 1, 2]]
    assert list(it) == [1, 2]


def test_18_a_callback_from_a_foreign_thread_is_refused_there_and_here() -> None:
    """With engine="thread" it works."""
    log: Log = []

    def run(callback: Callable[[int], Any]) -> None:
        def call() -> None:
            try:
                log.append(callback(9))
            except pullit.WrongThreadError:
                log.append("refused")

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()

    with pytest.raises(pullit.WrongThreadError):
        list(iterate(from_callback(run)))
    assert log == ["refused"]
    assert list(iterate(from_callback(run), engine="thread")) == [9]
    assert log == ["refused", None]


def test_a_consumer_may_throw_into_the_api(engine: Engine) -> None:
    """The callback raises it; it is not taken for a stop."""
    it = iterate(from_callback(api(3, [])), engine=engine)
    next(it)
    with pytest.raises(KeyError):
        it.throw(KeyError())
    assert it.done


def test_an_exit_of_a_foreign_pull_passes_through() -> None:
    """A run inside a producer of its own stops with the outer pull."""
    ends: Log = []

    def outer(yield_: Callable[[int], Any]) -> None:
        def run(callback: Callable[[int], Any]) -> None:
            try:
                while True:
                    callback(1)
            finally:
                ends.append(getcurrent() is not None)

        try:
            for value in iterate(from_callback(run)):
                yield_(value)
        except PullExit:
            ends.append("outer")
            raise

    it = iterate(outer)
    next(it)
    it.close()
    assert ends == [True, "outer"]


class Strike(Exception):  # noqa: N818
    """What a signal's handler raises."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_17_wherever_a_signal_strikes_no_guard_stays_behind() -> None:
    """Those that began before it can go on."""

    def profile(frame: Any, event: str, arg: object) -> None:
        if event in ("call", "c_return") and next(places) == k:
            raise Strike

    for k in itertools.count(1):
        outer = iterate(from_callback(api(2, [])))
        next(outer)
        it = iterate(from_callback(api(2, [])))
        places = itertools.count(1)
        sys.setprofile(profile)
        try:
            list(it)
        except Strike:
            pass
        finally:
            sys.setprofile(None)
        it.close()
        assert list(outer) == [1]
        if next(places) <= k:
            break
    assert k > 50
