"""Contract 14: dropped and closed pulls, those of a thread that ends, and what they hold."""

from __future__ import annotations

import _thread
import gc
import itertools
import sys
import threading
import warnings
import weakref
from _thread import get_ident
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import greenlet
import pytest
from elsewhere import gone, in_thread, made_elsewhere, needs_gil_build, run_script
from invariants import check_all
from producers import countdown, failing, logged
from strikes import Strike, strike_at

import pullit
from pullit import WrongThreadError
from pullit._coro import newcoro
from pullit._functions import NextAndStop, NextAndStopOnGreenlet
from pullit._iterator import GreenletIterator, PlainIterator
from pullit._lifetimes import Dropped, leave_to_owner, left, live
from pullit._per_thread import per_thread
from pullit._read_ahead import AheadIterator
from pullit._types import Engine

T = TypeVar("T")


def test_nothing_of_a_pull_has_a_dict(engine: Engine) -> None:
    """It would take more memory than the rest. In a thread, which makes what each has anew."""

    def have_one() -> dict[str, bool]:
        it = pullit.iterate(countdown, engine=engine)
        ahead = pullit.iterate(countdown, read_ahead=2, engine=engine)
        pull = pullit.pull(countdown, engine=engine)
        pull2 = pullit.pull2(lambda yield_: yield_("one", 1), engine=engine)
        for ask in it.__next__, ahead.__next__, pull.next, pull2.next:
            ask()
        coro = newcoro(print)
        ours = [o for o in gc.get_objects() if str(type(o).__module__).startswith("pullit.")]
        every = [*ours, it, ahead, pull, pull2, coro]
        found = {type(o).__qualname__: hasattr(o, "__dict__") for o in every}
        for end in it.close, ahead.close, pull.stop, pull2.stop:
            end()
        return found

    every = ["Coro", "FreeList", "PerThread", "Pull", "Pull2", "PullIterator"]
    if engine == "greenlet":
        every += ["AheadPull", "Batches", "GreenletPull", "NextAndStopOnGreenlet", "Supply"]
    else:
        every += ["AheadThreadPull", "NextAndStop", "ThreadPull", "WaitingYield"]
    found = in_thread(have_one)
    assert {name: found[name] for name in every} == dict.fromkeys(every, False)


class Thing:
    """Something that a weak reference can watch."""


@contextmanager
def no_collection() -> Iterator[None]:
    """Leave what is in a cycle where it is."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What sys.unraisablehook is told."""
    errors: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: errors.append(args.exc_value))
    return errors


def test_14_a_dropped_iterator_is_stopped_at_once(engine: Engine) -> None:
    """As a generator is closed."""
    log: list[object] = []
    it = pullit.iterate(logged(countdown, log), engine=engine)
    next(it)
    del it
    assert log == ["start", False, "end"]


def test_14_a_pull_is_stopped_when_both_functions_are_dropped(engine: Engine) -> None:
    """And not while there is one of them."""
    log: list[object] = []
    next_, stop = pullit.pull(logged(countdown, log), engine=engine)
    next_()
    del stop
    assert next_() == (2, True)
    del next_
    assert log == ["start", True, False, "end"]


def test_14_one_that_is_not_started_is_dropped_in_silence(engine: Engine) -> None:
    """seq is let go, and not called."""
    log: list[object] = []
    seq = logged(countdown, log)
    watch = weakref.ref(seq)
    it, pulled = pullit.iterate(seq, engine=engine), pullit.pull(seq, engine=engine)
    del seq, it, pulled
    assert watch() is None
    assert log == []


def test_14_one_that_is_half_made_is_dropped_in_silence(heard: list[Any]) -> None:
    """A signal's exception may come before it has its pull."""
    kinds: list[Any] = [
        GreenletIterator,
        PlainIterator,
        NextAndStop,
        NextAndStopOnGreenlet,
        Dropped,
    ]
    for kind in kinds:
        object.__new__(kind)
    chained: Any = AheadIterator
    itertools.chain.__new__(chained)
    assert heard == []


def test_14_nested_ones_are_stopped_too(engine: Engine) -> None:
    """Each when its holder, unwound, lets go of it."""
    log: list[object] = []

    def outer(yield_: Callable[[int], Any]) -> None:
        try:
            for value in pullit.iterate(logged(countdown, log), engine=engine):
                yield_(value)
        finally:
            log.append("outer end")

    it = pullit.iterate(outer, engine=engine)
    next(it)
    next(it)
    log.clear()
    del it
    assert log == [True, False, "end", "outer end"]


def test_14_in_a_cycle_the_collector_stops_it(engine: Engine) -> None:
    """The producer's frames are not in it."""
    log: list[object] = []
    thing: Any = Thing()
    thing.it = pullit.iterate(logged(countdown, log), engine=engine)
    thing.itself = thing
    next(thing.it)
    del thing
    assert log == ["start"]
    gc.collect()
    assert log == ["start", False, "end"]


def test_14_an_error_while_dropped_goes_to_the_unraisable_hook(
    engine: Engine, heard: list[Any]
) -> None:
    """There is nobody else to hear of it."""
    error = KeyError("boom")
    it = pullit.iterate(failing(error, 1), engine=engine)
    next(it)
    del it
    assert heard == [error]


@pytest.mark.parametrize("n", [0, 2])
def test_14_values_and_producers_are_let_go(engine: Engine, n: int) -> None:
    """A value with its last user and the next next; a producer with the end."""

    def things(yield_: Callable[[Thing], Any]) -> None:
        while yield_(Thing()):
            pass

    with no_collection():
        watch_seq = weakref.ref(things)
        it = pullit.iterate(things, read_ahead=n, engine=engine)
        watch = weakref.ref(next(it))
        for _ in range(max(n, 1)):  # those that came with it
            next(it)
        assert gone(watch)
        del things
        it.close()
        assert gone(watch_seq)


def test_14_pull_lets_go_of_values_and_producers_too(engine: Engine) -> None:
    """As soon as it has ended, whoever still has next and stop."""

    def things(yield_: Callable[[Thing], Any]) -> None:
        yield_(Thing())
        yield_(Thing())

    with no_collection():
        watch_seq = weakref.ref(things)
        next_, stop = pullit.pull(things, engine=engine)
        del things
        watches = [weakref.ref(next_()[0]) for _ in range(2)]
        assert next_() == (None, False)
        assert gone(*watches, watch_seq)


def test_14_a_value_is_the_consumers_alone_once_the_next_is_asked_for(engine: Engine) -> None:
    """Where he has dropped it, it is gone when its yield_ returns."""
    gone: list[bool] = []

    def producer(yield_: Callable[[Thing], Any]) -> None:
        for _ in range(2):
            things = [Thing()]
            watch = weakref.ref(things[0])
            yield_(things.pop())
            gone.append(watch() is None)

    it = pullit.iterate(producer, engine=engine)
    for _ in range(3):
        next(it, None)
    assert gone == [True, True]


@pytest.mark.parametrize("n", [0, 2])
def test_14_wherever_a_signal_strikes_a_dropped_pull_is_stopped(
    n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the latest when its thread next calls pullit; but for the entry of __del__ and drop."""
    monkeypatch.setattr(sys, "unraisablehook", lambda args: None)
    for k in itertools.count(1):
        log: list[object] = []
        struck: list[tuple[str, str]] = []
        it = pullit.iterate(logged(countdown, log), read_ahead=n)
        next(it)
        try:
            sys.setprofile(strike_at(k, struck))
            try:
                del it
            finally:
                sys.setprofile(None)
        except Strike:
            pass
        assert list(pullit.iterate(countdown)) == [3, 2, 1]
        if struck and struck[0][0] in ("__del__", "drop"):
            for pull in list(live):
                pull.stop()
        assert log[-1] == "end", (k, struck)
        assert not live
        if not struck:
            break
    assert k > 8


def test_14_values_that_ran_ahead_are_let_go_with_close(engine: Engine) -> None:
    """The iterator may live on."""

    def things(yield_: Callable[[Thing], Any]) -> None:
        for _ in range(9):
            thing = Thing()
            watches.append(weakref.ref(thing))
            if not yield_(thing):
                return

    watches: list[weakref.ref[Thing]] = []
    with no_collection():
        it = pullit.iterate(things, read_ahead=4, engine=engine)
        next(it)
        it.close()
        assert 1 <= len(watches) <= 5  # a thread may have gone on when the first was taken
        assert gone(*watches)


def test_14_a_raised_error_keeps_nothing_once_it_is_handled(engine: Engine) -> None:
    """Neither the error, its frames nor the iterator are in a cycle."""

    def producer(yield_: Callable[[Thing], Any]) -> None:
        thing = Thing()
        watches.append(weakref.ref(thing))
        yield_(thing)
        raise KeyError("boom")

    watches: list[weakref.ref[Thing]] = []
    gc.disable()
    try:
        for finish in (list, lambda it: it.throw(ValueError), lambda it: it.close()):
            it = pullit.iterate(producer, engine=engine)
            next(it)
            with pytest.raises((KeyError, ValueError)):
                finish(it)
        assert len(watches) == 3
        assert gone(*watches)
    finally:
        gc.enable()


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("by_class", [False, True])
def test_14_what_is_thrown_is_in_no_cycle(engine: Engine, started: bool, by_class: bool) -> None:
    """Once it is handled, it is gone, and with it all that its frames hold."""

    class BoomError(Exception):
        pass

    def arguments() -> Any:
        error = BoomError()
        watches.append(weakref.ref(error))
        return (BoomError, error) if by_class else (error,)

    watches: list[weakref.ref[BoomError]] = []
    it = pullit.iterate(countdown, engine=engine)
    if started:
        next(it)
    with no_collection():
        with pytest.raises(BoomError):
            it.throw(*arguments())
        assert gone(watches[0])


def test_14_an_exit_that_is_swallowed_keeps_nothing(engine: Engine) -> None:
    """The PullExit that unwound the producer is gone with its frames."""

    def producer(yield_: Callable[[int], Any]) -> None:
        thing = Thing()
        watches.append(weakref.ref(thing))
        while True:
            yield_(1)

    watches: list[weakref.ref[Thing]] = []
    gc.disable()
    try:
        it = pullit.iterate(producer, engine=engine)
        next(it)
        it.close()
        assert gone(watches[0])
    finally:
        gc.enable()


# Dropped in another thread.

WHERE = "{}: the iterator over {} was dropped in thread 'other', but was started in thread"
OWNED = WHERE + " 'MainThread', which stops it when it next calls pullit, or ends; close it there"


def noting(log: list[object]) -> pullit.Seq[int]:
    """Return countdown, noting in *log* what yield_ answers, and the thread where it ends."""

    def noted(yield_: Callable[[int], Any]) -> None:
        try:
            for n in (3, 2, 1):
                log.append(yield_(n))
                if log[-1] is False:
                    return
        finally:
            log.append(get_ident())

    return noted


STOPPED = [False, get_ident()]

# What holds a started pull, and nobody else does.


def hold_iterator(log: list[object]) -> Any:
    it = made_elsewhere(lambda: pullit.iterate(noting(log)))
    next(it)
    return it


def hold_ahead(log: list[object]) -> Any:
    it = made_elsewhere(lambda: pullit.iterate(noting(log), read_ahead=2))
    next(it)
    log.clear()
    return it


def hold_pull(log: list[object]) -> Any:
    pulled = made_elsewhere(lambda: pullit.pull(noting(log)))
    pulled.next()
    return pulled


def hold_next(log: list[object]) -> Any:
    return hold_pull(log).next


def hold_zip(log: list[object]) -> Any:
    it = pullit.zip(noting(log))
    next(it)
    return it


HOLDERS = [
    hold_iterator,
    hold_ahead,
    hold_pull,
    hold_next,
    pytest.param(hold_zip, marks=needs_gil_build),  # what it walks is made by its first next
]


def drop_elsewhere(holder: list[Any], text: str) -> None:
    """Drop what *holder* has in another thread, and check its warning."""
    with pytest.warns(ResourceWarning) as caught:
        in_thread(holder.clear)
    assert [str(w.message) for w in caught] == [text]
    assert len(per_thread().dropped) == 1
    check_all([])


@pytest.mark.parametrize("hold", HOLDERS)
def test_14_dropped_in_another_thread_it_is_left_to_its_own(
    hold: Callable[[list[object]], Any],
) -> None:
    """With a warning; it is stopped as soon as that calls pullit."""
    log: list[object] = []
    name = "pullit.pull" if hold in (hold_pull, hold_next) else "pullit.iterate"
    drop_elsewhere([hold(log)], OWNED.format(name, "noting.<locals>.noted"))
    assert log == []
    pullit.iterate(countdown)
    assert log == STOPPED
    assert per_thread().dropped == []


def test_14_collected_in_another_thread_it_is_left_to_its_own() -> None:
    """The collector runs wherever it likes."""
    log: list[object] = []
    with no_collection():
        thing: Any = Thing()
        thing.it, thing.itself = hold_iterator(log), thing
        del thing
        with pytest.warns(ResourceWarning) as caught:
            in_thread(gc.collect)
    assert [str(w.message) for w in caught] == [
        OWNED.format("pullit.iterate", "noting.<locals>.noted")
    ]
    assert log == []
    pullit.iterate(countdown)
    assert log == STOPPED


def started(engine: Engine, n: int = 0) -> Any:
    it = pullit.iterate(countdown, read_ahead=n, engine=engine)
    next(it)
    next(it)
    return it


def prepare_for(engine: Engine) -> Callable[[], object]:
    it = started(engine)

    def call() -> None:
        for _ in it:
            return

    return call


def prepare_pull(engine: Engine) -> Callable[[], object]:
    next_, stop = pullit.pull(countdown, engine=engine)
    next_()
    return next_


def prepare_stop(engine: Engine) -> Callable[[], object]:
    next_, stop = pullit.pull(countdown, engine=engine)
    next_()
    return stop


PREPARE: dict[str, Callable[[Engine], Callable[[], object]]] = {
    "next": lambda engine: started(engine).__next__,
    "next, read_ahead": lambda engine: started(engine, 2).__next__,
    "first next": lambda engine: pullit.iterate(countdown, engine=engine).__next__,
    "for": prepare_for,
    "send": lambda engine: partial(started(engine).send, True),
    "close": lambda engine: started(engine).close,
    "close, unstarted": lambda engine: pullit.iterate(countdown, engine=engine).close,
    "pull's next": prepare_pull,
    "pull's stop": prepare_stop,
    "iterate": lambda engine: lambda: pullit.iterate(countdown, engine=engine),
    "pull": lambda engine: lambda: pullit.pull(countdown, engine=engine),
}


@pytest.mark.parametrize("call", PREPARE)
def test_14_its_owner_stops_it_in_whatever_it_calls_next(engine: Engine, call: str) -> None:
    """Once, in its own thread; the call does what it always does."""
    log: list[object] = []
    do = PREPARE[call](engine)
    drop_elsewhere([hold_iterator(log)], OWNED.format("pullit.iterate", "noting.<locals>.noted"))
    do()
    assert log == STOPPED
    assert per_thread().dropped == []


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_14_a_thread_pull_that_another_thread_has_started_stops_it_too() -> None:
    """It is a call of pullit like any other."""
    log: list[object] = []
    it = pullit.iterate(countdown, engine="thread")
    in_thread(it.__next__)
    next(it)
    holder = [hold_iterator(log)]
    in_thread(holder.clear)
    next(it)
    assert log == STOPPED


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_14_a_refused_call_elsewhere_does_not_stop_it() -> None:
    """Nor does it keep the owner from doing so."""
    log: list[object] = []
    it = started("greenlet")
    holder = [hold_iterator(log)]
    in_thread(holder.clear)

    def refused() -> None:
        with pytest.raises(WrongThreadError):
            next(it)
        pullit.iterate(countdown)

    in_thread(refused)
    assert log == []
    assert next(it) == 1
    assert log == STOPPED


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_14_a_call_from_inside_a_producer_stops_it() -> None:
    """What runs then is a coroutine of the same thread."""
    log: list[object] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        holder = [hold_iterator(log)]
        in_thread(holder.clear)
        yield_(1)
        yield_(2)

    it = pullit.iterate(producer)
    assert next(it) == 1
    assert log == []
    assert next(it) == 2
    assert log == STOPPED


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_14_several_that_are_left_are_all_stopped() -> None:
    """By the first call."""
    logs: list[list[object]] = [[], [], []]
    holder = [hold_iterator(log) for log in logs]
    in_thread(holder.clear)
    assert len(per_thread().dropped) == 3
    pullit.iterate(countdown).close()
    assert logs == [STOPPED] * 3
    assert per_thread().dropped == []


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_14_an_error_of_one_that_was_left_goes_to_the_unraisable_hook(heard: list[Any]) -> None:
    """Whoever calls pullit next has nothing to do with it."""
    error = KeyError("boom")
    holder = [made_elsewhere(lambda: pullit.iterate(failing(error, 1)))]
    next(holder[0])
    in_thread(holder.clear)
    assert list(pullit.iterate(countdown)) == [3, 2, 1]
    assert heard == [error]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_14_one_that_was_left_is_stopped_when_its_thread_ends() -> None:
    """If that never calls pullit again."""
    log: list[object] = []
    holder: list[Any] = []
    made, dropped = threading.Event(), threading.Event()

    def run() -> None:
        homes.append(per_thread())
        holder.append(hold_iterator(log))
        made.set()
        dropped.wait()

    homes: list[Any] = []
    owner = threading.Thread(target=run, name="owner")
    owner.start()
    made.wait()
    holder.clear()
    assert len(homes[0].dropped) == 1
    pullit.iterate(countdown)  # this is not its thread
    assert log == []
    dropped.set()
    owner.join()
    assert log == [False, owner.ident]
    assert homes[0].dropped == []


def test_14_nothing_is_left_to_a_thread_that_has_ended() -> None:
    """It may end while another drops its pull: that looks once more."""
    homes: list[Any] = []
    it: Any = pullit.iterate(countdown)

    def run() -> None:
        homes.append(per_thread())
        next(it)

    in_thread(run)
    assert it.done
    leave_to_owner(it._pull, homes[0])
    assert homes[0].dropped == []
    assert left.count(homes[0]) == 0


def test_14_each_drop_is_told_to_an_owner_that_was_told_of_none() -> None:
    """Though another was there a moment ago, when this one came, and was taken away since."""
    log: list[object] = []
    its: list[Any] = [pullit.iterate(countdown), hold_iterator(log)]
    next(its[0])
    pull, home = its[1]._pull, per_thread()

    class Swept(list[Any]):
        """What has one that is stopped before the next is there."""

        def append(self, pull: Any) -> None:
            self.clear()
            super().append(pull)

    home.dropped = Swept([None])
    try:
        leave_to_owner(pull, home)
        assert its[0]._pull.regular is None
        assert next(its[0]) == 2
        assert log == STOPPED
    finally:
        home.dropped = []


def test_14_one_of_the_thread_engine_is_stopped_wherever_it_is_dropped() -> None:
    """It belongs to no thread."""
    log: list[object] = []
    holder = [made_elsewhere(lambda: pullit.iterate(logged(countdown, log), engine="thread"))]
    next(holder[0])
    in_thread(holder.clear)
    assert log == ["start", False, "end"]


def test_14_one_not_started_is_dropped_anywhere_in_silence() -> None:
    """It belongs to no thread either."""
    holder = [made_elsewhere(lambda: pullit.iterate(countdown))]
    in_thread(holder.clear)
    assert per_thread().dropped == []


# A thread that ends.


@pytest.mark.parametrize("n", [0, 2])
def test_14_a_thread_that_ends_stops_its_pulls_newest_first(n: int) -> None:
    """Nested ones too, each in that thread; there is a handle still."""
    log: list[object] = []
    its: list[Any] = []

    def producer(name: str) -> pullit.Seq[int]:
        def seq(yield_: Callable[[int], Any]) -> None:
            try:
                while yield_(1):
                    pass
            finally:
                log.append((name, get_ident()))

        return seq

    def outer(yield_: Callable[[int], Any]) -> None:
        try:
            for n in pullit.iterate(producer("inner")):
                if not yield_(n):
                    return
        finally:
            log.append(("outer", get_ident()))

    def run() -> int:
        for seq in (producer("a"), outer, producer("b")):
            its.append(pullit.iterate(seq, read_ahead=n))
            next(its[-1])
        log.clear()
        return get_ident()

    ident = in_thread(run)
    assert log == [(name, ident) for name in ("b", "inner", "outer", "a")]
    assert live == {}
    check_all([it._pull for it in its])


ENDED = (
    "{}: {} was stopped, because the thread that it was started in has ended; use it there,"
    ' or pass engine="thread"'
)


@pytest.mark.parametrize("n", [0, 2, 9])
def test_11_14_a_pull_whose_thread_has_ended_refuses_for_ever(n: int) -> None:
    """Its next, in every thread; what ran ahead is dropped, and to close it does nothing."""

    def ask() -> None:
        for _ in range(3):
            with pytest.raises(WrongThreadError) as caught:
                next(it)
            assert str(caught.value) == ENDED.format("pullit.iterate", "countdown")

    it = pullit.iterate(countdown, read_ahead=n)
    in_thread(it.__next__)
    ask()
    in_thread(ask)
    with pytest.raises(WrongThreadError):
        list(it)
    assert it.close() is None
    ask()
    assert "finished" in repr(it)


def test_11_14_pull_whose_thread_has_ended_refuses_for_ever() -> None:
    """The same for next and stop."""
    next_, stop = pullit.pull(countdown)
    in_thread(next_)
    for _ in range(3):
        with pytest.raises(WrongThreadError) as caught:
            next_()
        assert str(caught.value) == ENDED.format("pullit.pull", "countdown")
        stop()


def test_14_a_pull_that_was_over_before_its_thread_is_over() -> None:
    """It is not refused, as it asks nothing of that thread."""
    it = pullit.iterate(countdown)
    assert in_thread(lambda: list(it)) == [3, 2, 1]
    assert list(it) == []


def test_14_threads_without_a_threading_thread_end_likewise() -> None:
    """Those that _thread.start_new_thread, or C, has started."""

    def run() -> None:
        local.last = Last()  # the last to be dropped with the thread
        next(it)

    class Last:
        def __del__(self) -> None:
            ended.set()

    log: list[object] = []
    local, ended = threading.local(), threading.Event()
    it = pullit.iterate(logged(countdown, log))
    _thread.start_new_thread(run, ())
    assert ended.wait(10)
    assert log == ["start", False, "end"]
    with pytest.raises(WrongThreadError):
        next(it)


def test_14_an_error_when_a_thread_ends_goes_to_the_unraisable_hook(heard: list[Any]) -> None:
    """And the others are stopped all the same."""
    log: list[object] = []
    error = KeyError("boom")
    its = [pullit.iterate(logged(countdown, log)), pullit.iterate(failing(error, 1))]
    in_thread(lambda: [next(it) for it in its])
    assert heard == [error]
    assert log == ["start", False, "end"]


def test_14_pulls_of_the_thread_engine_outlive_the_thread_that_asked() -> None:
    """They belong to none."""
    it = pullit.iterate(countdown, engine="thread")
    assert in_thread(it.__next__) == 3
    assert list(it) == [2, 1]


def count_greenlets() -> int:
    """Count those that can run, but for the main ones: an ended thread's may stay a while."""
    gc.collect()
    found = [o for o in gc.get_objects() if isinstance(o, greenlet.greenlet)]
    return sum(not g.dead and g.parent is not None for g in found)


def test_14_a_thread_that_ends_frees_its_parked_coroutines() -> None:
    """And all else that it had of ours."""

    def run() -> weakref.ref[Any]:
        its = [pullit.iterate(countdown) for _ in range(5)]
        for it in its:
            next(it)
        for it in its:
            it.close()
        free_list = per_thread().free_list
        assert free_list
        assert len(free_list.parked) == 5
        check_all([it._pull for it in its])
        return weakref.ref(free_list.parked[-1])

    before = count_greenlets()
    assert gone(in_thread(run))
    assert count_greenlets() == before


def test_14_a_thread_that_ends_with_suspended_pulls_frees_their_coroutines() -> None:
    """The handles that live on hold none."""
    its = [pullit.iterate(countdown) for _ in range(5)]
    before = count_greenlets()
    in_thread(lambda: [next(it) for it in its])
    assert count_greenlets() == before


# Signals, and exit.


@pytest.mark.parametrize("options", [[], ["-X", "dev", "-W", "error"]])
def test_14_at_exit_every_kind_of_pull_is_stopped_newest_first(options: list[str]) -> None:
    """Those that read ahead, of callbacks, nested, of either engine, and left by a thread."""
    script = """
        import pullit

        def producer(name):
            def seq(yield_):
                try:
                    for n in range(9):
                        if not yield_(n):
                            return
                finally:
                    print(name)
            return seq

        def api(callback):
            try:
                for n in range(9):
                    callback(n)
            finally:
                print("callback")

        def outer(yield_):
            try:
                for n in pullit.iterate(producer("inner")):
                    if not yield_(n):
                        return
            finally:
                print("outer")

        its = [
            pullit.iterate(producer("ahead"), read_ahead=3),
            pullit.iterate(pullit.from_callback(api)),
            pullit.iterate(outer),
            pullit.zip(producer("zipped")),
            pullit.iterate(producer("ahead, thread"), read_ahead=3, engine="thread"),
            pullit.iterate(pullit.from_callback(api), engine="thread"),
        ]
        for it in its:
            next(it)
        """
    names = ["callback", "ahead, thread", "zipped", "inner", "outer", "callback", "ahead"]
    assert run_script(script, *options) == "".join(f"{name}\n" for name in names)


@pytest.mark.parametrize("options", [[], ["-X", "dev", "-W", "error::RuntimeWarning"]])
def test_14_at_exit_what_another_thread_has_dropped_is_stopped(options: list[str]) -> None:
    """The warning that it gave is all that is heard."""
    script = """
        import threading, warnings
        import pullit

        def producer(yield_):
            try:
                yield_(1)
            finally:
                print("end", threading.current_thread().name)

        holder = [pullit.iterate(producer)]
        next(holder[0])
        warnings.simplefilter("ignore", ResourceWarning)
        thread = threading.Thread(target=holder.clear)
        thread.start()
        thread.join()
        """
    assert run_script(script, *options) == "end MainThread\n"


@pytest.mark.parametrize("options", [[], ["-X", "dev", "-W", "error"]])
def test_14_at_exit_daemon_threads_do_no_harm(options: list[str]) -> None:
    """Their pulls are suspended when the interpreter ends, and are left at that."""
    script = """
        import threading
        import pullit

        def run():
            it = pullit.iterate(lambda yield_: yield_(1))
            its.append(it)
            next(it)
            made.set()
            threading.Event().wait()

        made, its = threading.Event(), []
        threading.Thread(target=run, daemon=True).start()
        made.wait()
        print("made")
        """
    assert run_script(script, *options) == "made\n"


def test_14_an_error_at_exit_goes_to_the_unraisable_hook(engine: Engine) -> None:
    """And the others are stopped all the same."""
    script = f"""
        import sys
        import pullit

        def producer(name):
            def seq(yield_):
                try:
                    yield_(1)
                finally:
                    print(name)
                    sys.exit(name)
            return seq

        sys.unraisablehook = lambda args: print(repr(args.exc_value))
        its = [pullit.iterate(producer(name), engine={engine!r}) for name in "ab"]
        for it in its:
            next(it)
        """
    assert run_script(script) == "b\nSystemExit('b')\na\nSystemExit('a')\n"


def test_14_what_an_exit_handler_starts_after_ours_does_not_hang(engine: Engine) -> None:
    """It is collected when no other thread can run any more, nor any greenlet."""
    script = f"""
        import atexit, contextlib

        def late():
            holder = [pullit.iterate(lambda yield_: yield_(1), engine={engine!r})]
            holder.append(holder)
            with contextlib.suppress(RuntimeError):  # 3.12 starts no thread any more
                next(holder[0])

        atexit.register(late)  # the last to be registered, ours, runs first
        import pullit
        """
    assert run_script(script) == ""


# Many at once, and collections.


@pytest.mark.parametrize("stopped", ["by a call", "at the end"])
def test_14_thousands_dropped_elsewhere_are_each_stopped_once(
    stopped: str, heard: list[Any]
) -> None:
    """By their owner's next call, or at its end; quietly, and its call returns."""
    count = 3_000
    ended: list[int] = []
    its: list[Any] = []
    suspended, dropped = threading.Event(), threading.Event()

    def producer(yield_: Callable[[int], Any]) -> None:
        yield_(1)
        list(pullit.iterate(countdown))  # a call of pullit, amid the sweep
        ended.append(1)

    def work() -> None:
        for _ in range(count):
            it = pullit.iterate(producer)
            next(it)
            its.append(it)
        del it
        suspended.set()
        dropped.wait()
        if stopped == "by a call":
            assert list(pullit.iterate(countdown)) == [3, 2, 1]
            assert len(ended) == count

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        thread = threading.Thread(target=work)
        thread.start()
        suspended.wait()
        its.clear()
        dropped.set()
        thread.join()
    assert len(ended) == count
    assert heard == []


def test_14_threads_that_drop_each_others_pulls_as_they_end(heard: list[Any]) -> None:
    """Each pull is stopped once, by whichever thread still can."""
    ended: list[int] = []
    holder: list[Any] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        try:
            yield_(1)
        finally:
            ended.append(1)

    def work() -> None:
        for _ in range(20):
            it = pullit.iterate(producer)
            next(it)
            holder.append(it)
            del it
            if len(holder) > 30:
                del holder[:20]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        threads = [threading.Thread(target=work) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        holder.clear()
    assert len(ended) == 200
    assert heard == []


def test_20_a_thread_that_ends_amid_a_collection_crashes_nothing() -> None:
    """What keeps its main greenlet then would: greenlet frees that all the same."""
    script = """
        import gc, threading, time
        import pullit

        class Slow:
            def __del__(self):  # a finalizer that lets other threads run
                time.sleep(0.01)

        def run(callback):
            callback(1)
            raise ValueError

        def once():
            it = pullit.iterate(pullit.from_callback(run), engine="thread")
            next(it)
            try:
                next(it)
            except ValueError as e:
                kept = e  # the usual cycle
                slow = Slow()

        def on_greenlets():
            for _ in pullit.iterate(pullit.from_callback(lambda callback: callback(1))):
                pass

        gc.disable()
        for _ in range(60):
            once()
            thread = threading.Thread(target=on_greenlets)
            thread.start()
            gc.collect()
            thread.join()
            junk = [bytes(n) for n in range(300)]
        print("survived")
        """
    assert run_script(script) == "survived\n"


def test_14_a_parked_coroutine_does_not_keep_what_its_first_seq_returned() -> None:
    """greenlet keeps the arguments of a first switch; there are none."""
    watches: list[weakref.ref[Any]] = []

    class Big:
        pass

    def seq(yield_: Callable[[int], Any]) -> Big:
        big = Big()
        watches.append(weakref.ref(big))
        yield_(1)
        return big

    its = [pullit.iterate(seq) for _ in range(5)]
    for it in its:
        next(it)
    for it in its:
        assert list(it) == []
    del it, its
    gc.collect()
    assert [watch() for watch in watches] == [None] * 5


def test_14_at_exit_the_workers_of_a_pool_are_let_go_on() -> None:
    """threading waits for them before atexit's functions run."""
    script = """
        from concurrent.futures import ThreadPoolExecutor
        import pullit

        def seq(yield_):
            with ThreadPoolExecutor(3) as pool:
                list(pool.map(yield_, range(10)))

        it = pullit.iterate(seq, engine="thread")
        print(next(it) in range(10))
        """
    assert run_script(script, quiet=False) == "True\n"


def test_14_a_collection_in_a_thread_that_seq_waits_for_hangs_nothing() -> None:
    """The pull that it drops is told to stop, and not waited for."""
    script = """
        import gc, threading
        import pullit

        gc.disable()
        taken, collected = threading.Event(), threading.Event()

        def seq(yield_):
            def yields():
                print(yield_(1))

            def collects():
                taken.wait()
                gc.collect()
                collected.set()

            threads = [threading.Thread(target=t) for t in (yields, collects)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        class Cycle:
            pass

        c = Cycle()
        c.it, c.me = pullit.iterate(seq, engine="thread"), c
        next(c.it)
        del c
        taken.set()
        print(collected.wait(30))
        """
    assert "True" in run_script(script)
