"""The coro layer: newcoro, coroswitch and coroexit."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar

import greenlet
import pytest
from greenlet import GreenletExit

from pullit import PullError
from pullit._coro import Coro, coroswitch, newcoro

color = ContextVar("color", default="none")


def test_newcoro_runs_nothing() -> None:
    """A new coro holds a coroutine that has not run f (row 34)."""
    log: list[str] = []
    c = newcoro(lambda _: log.append("f"))
    assert log == []
    coroswitch(c)
    assert log == ["f"]


def test_f_is_called_with_the_argument_or_none() -> None:
    """There is always one, for yield_."""
    log: list[object] = []
    coroswitch(newcoro(log.append))
    coroswitch(newcoro(log.append, 1))
    assert log == [None, 1]


def test_unswitched_coro_is_collected(coroutines: Callable[[], int]) -> None:
    """A coro that is never switched to costs no thread and leaves nothing."""
    assert coroutines() == 0
    newcoro(lambda _: None)


def test_coroswitch_takes_turns() -> None:
    """Two coroutines that switch on one coro run in turns."""
    log: list[str] = []

    def f(_: object) -> None:
        for n in range(3):
            log.append(f"f{n}")
            coroswitch(c)

    c = newcoro(f)
    for n in range(3):
        coroswitch(c)
        log.append(f"main{n}")
    coroswitch(c)
    assert log == ["f0", "main0", "f1", "main1", "f2", "main2"]


def test_coroswitch_works_from_any_depth() -> None:
    """A coroutine may switch away from under C code, here from a key of sorted."""
    log: list[int] = []

    def key(n: int) -> int:
        log.append(n)
        coroswitch(c)
        return -n

    def f(_: object) -> None:
        log.extend(sorted([1, 2], key=key))

    c = newcoro(f)
    coroswitch(c)
    assert log == [1]
    coroswitch(c)
    assert log == [1, 2]
    coroswitch(c)
    assert log == [1, 2, 2, 1]


def test_coroswitch_is_symmetric() -> None:
    """Whoever calls coroswitch changes places with whoever is blocked (row 35).

    f, g and main meet on two coros, and each gets away from the coro of another.
    """
    log: list[str] = []

    def f(_: object) -> None:
        log.append("f1")
        coroswitch(d)  # main was blocked there
        log.append("f2")

    def g(_: object) -> None:
        log.append("g1")
        coroswitch(c)  # f was blocked there, and had not begun
        log.append("g2")
        coroswitch(d)  # f again
        log.append("g3")

    c = newcoro(f)
    d = newcoro(g)
    coroswitch(d)
    log.append("main1")
    coroswitch(c)  # g was blocked there; f ends, and wakes us
    log.append("main2")
    coroswitch(d)
    assert log == ["g1", "f1", "main1", "g2", "f2", "main2", "g3"]
    assert c.blocked is None
    assert d.blocked is None


def test_exit_wakes_the_one_blocked_and_not_the_creator() -> None:
    """coroexit runs who is blocked on the coro, whoever made it (row 37)."""
    log: list[str] = []

    def f(_: object) -> None:
        log.append("f1")
        coroswitch(c)
        log.append("f2")

    def g(_: object) -> None:
        coroswitch(c)
        log.append("g")

    c = newcoro(f)
    d = newcoro(g)
    coroswitch(c)
    coroswitch(d)
    assert log == ["f1", "f2", "g"]


def test_coro_made_by_an_ended_coroutine_lives_on() -> None:
    """The creator's end is nothing to a coro: it has no owner."""
    log: list[str] = []

    def f(_: object) -> None:
        log.append("f1")
        coroswitch(made[0])
        log.append("f2")

    made: list[Coro] = []
    outer = newcoro(lambda _: made.append(newcoro(f)))
    coroswitch(outer)
    coroswitch(made[0])
    log.append("main")
    coroswitch(made[0])
    assert log == ["f1", "main", "f2"]


def test_coroswitch_on_exited_coro() -> None:
    """To switch on a coro whose f has ended is an error, in Go's words (row 38)."""
    c = newcoro(lambda _: None)
    coroswitch(c)
    for _ in range(2):
        with pytest.raises(PullError) as caught:
            coroswitch(c)
        assert str(caught.value) == "coroswitch on exited coro"


def test_coroswitch_to_itself() -> None:
    """To switch to the running coroutine is an error (row 39).

    As in Go, no way to reach it is known, so the test forges the state.
    """
    log: list[str] = []
    c = newcoro(lambda _: log.append("f"))
    blocked, c.blocked = c.blocked, greenlet.getcurrent()
    with pytest.raises(PullError) as caught:
        coroswitch(c)
    assert str(caught.value) == "coroswitch of a coroutine to itself"
    c.blocked = blocked
    coroswitch(c)
    assert log == ["f"]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_error_of_f_is_raised_in_the_one_blocked(kind: type[BaseException]) -> None:
    """Row 40: an exception of f is raised by the coroswitch that waits; Go loses it."""
    error = kind("boom")

    def f(_: object) -> None:
        coroswitch(c)
        raise error

    c = newcoro(f)
    coroswitch(c)
    with pytest.raises(kind) as caught:
        coroswitch(c)
    assert caught.value is error
    assert caught.traceback[-1].name == "f"
    with pytest.raises(PullError, match="coroswitch on exited coro"):
        coroswitch(c)


def test_error_of_f_goes_to_the_last_one_blocked() -> None:
    """Row 40: it is raised in who is blocked when f ends, not in who started f."""
    log: list[str] = []

    def f(_: object) -> None:
        coroswitch(c)
        raise ValueError("boom")

    def g(_: object) -> None:
        try:
            coroswitch(c)
        except ValueError as e:
            log.append(f"g: {e}")

    c = newcoro(f)
    coroswitch(c)
    coroswitch(newcoro(g))
    assert log == ["g: boom"]


def test_greenlet_exit_ends_f_as_a_return_does() -> None:
    """GreenletExit is the engine's way to end a coroutine; nobody is told of it."""

    def f(_: object) -> None:
        raise GreenletExit

    c = newcoro(f)
    coroswitch(c)
    assert c.blocked is None


def test_f_runs_in_a_copy_of_the_context() -> None:
    """f sees the context of newcoro's caller, and what it sets stays its own."""
    seen: list[str] = []

    def f(_: object) -> None:
        seen.append(color.get())
        color.set("green")
        coroswitch(c)
        seen.append(color.get())

    token = color.set("red")
    c = newcoro(f)
    color.set("blue")
    coroswitch(c)
    assert color.get() == "blue"
    coroswitch(c)
    color.reset(token)
    assert seen == ["red", "green"]


def test_a_switch_that_is_not_ours_goes_to_the_consumers_parent() -> None:
    """What it answers comes back to f, and so does what it raises."""
    seen: list[object] = []

    def f(_: object) -> None:
        me = greenlet.getcurrent()
        assert me.parent
        seen.append(me.parent.switch("asked"))
        try:
            me.parent.switch("asked again")
        except KeyError as e:
            seen.append(e)

    consumer = greenlet.greenlet(lambda: coroswitch(newcoro(f)))
    error = KeyError("boom")
    assert consumer.switch() == "asked"
    assert consumer.switch("answer") == "asked again"
    consumer.throw(error)
    assert consumer.dead
    assert seen == ["answer", error]


def test_coros_nest(coroutines: Callable[[], int]) -> None:
    """A coroutine may make and drive others; each is one coroutine more."""
    counts: list[int] = []

    def nest(depth: int) -> None:
        counts.append(coroutines())
        if depth:
            c = newcoro(lambda _: nest(depth - 1))
            coroswitch(c)
        counts.append(coroutines())

    nest(3)
    assert counts == [0, 1, 2, 3, 3, 2, 1, 0]


def test_15_none_from_somebody_elses_switch_is_passed_on() -> None:
    """What a switch of ours brings cannot be taken for anything else."""
    log: list[object] = []

    def f(_: object) -> None:
        parent = greenlet.getcurrent().parent
        assert parent is not None
        log.append(parent.switch(None))

    consumer = greenlet.greenlet(lambda: coroswitch(newcoro(f)))
    assert consumer.switch() is None
    assert not consumer.dead
    consumer.switch("answer")
    assert consumer.dead
    assert log == ["answer"]


def test_an_error_of_f_is_in_no_cycle() -> None:
    """Once it is handled, it is gone."""

    class BoomError(Exception):
        pass

    def f(_: object) -> None:
        error = BoomError()
        watches.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    watches: list[weakref.ref[BoomError]] = []
    gc.disable()
    try:
        with pytest.raises(BoomError):
            coroswitch(newcoro(f))
        assert watches[0]() is None
    finally:
        gc.enable()


def test_who_was_woken_by_the_end_of_f_is_not_kept() -> None:
    """Not by what is parked, either."""
    consumer = greenlet.greenlet(lambda: coroswitch(newcoro(lambda _: None)))
    consumer.switch()
    watch = weakref.ref(consumer)
    del consumer
    assert watch() is None


def test_15_an_error_that_is_passed_on_is_in_no_cycle() -> None:
    """Somebody else throws it into the consumer, for f."""

    class BoomError(Exception):
        pass

    def f(_: object) -> None:
        parent = greenlet.getcurrent().parent
        assert parent is not None
        with suppress(BoomError):
            parent.switch()

    def boom() -> BoomError:
        error = BoomError()
        watches.append(weakref.ref(error))
        return error

    watches: list[weakref.ref[BoomError]] = []
    consumer = greenlet.greenlet(lambda: coroswitch(newcoro(f)))
    gc.disable()
    try:
        consumer.switch()
        consumer.throw(boom())
        assert consumer.dead
        assert watches[0]() is None
    finally:
        gc.enable()
