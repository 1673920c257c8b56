"""Contract 14: dropped and closed pulls, and what they hold."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from producers import countdown, failing, logged

import pullit
from pullit._types import Engine


class Thing:
    """Something that a weak reference can watch."""


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
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nobody else to hear of it."""
    heard: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: heard.append(args.exc_value))
    error = KeyError("boom")
    it = pullit.iterate(failing(error, 1), engine=engine)
    next(it)
    del it
    assert heard == [error]


def test_14_values_and_producers_are_let_go(engine: Engine) -> None:
    """A value with its last user and the next next; a producer with the end."""

    def things(yield_: Callable[[Thing], Any]) -> None:
        while yield_(Thing()):
            pass

    watch_seq = weakref.ref(things)
    it = pullit.iterate(things, engine=engine)
    watch = weakref.ref(next(it))
    next(it)
    assert watch() is None
    del things
    it.close()
    assert watch_seq() is None


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
        assert [watch() for watch in watches] == [None, None, None]
    finally:
        gc.enable()


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
        assert watches[0]() is None
    finally:
        gc.enable()
