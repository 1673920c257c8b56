"""Parked coroutines: which a later pull uses again, and what it then finds.

Each test runs in a thread of its own, that has parked nothing yet, and whose stack
is not as deep as pytest's. That random programs cannot tell a coroutine that was
used before from a new one, test_model.py shows.
"""

from __future__ import annotations

import contextvars
import decimal
import functools
import gc
import itertools
import json
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, ParamSpec

import greenlet
import pytest
from elsewhere import in_thread, needs, run_script, wait_until
from producers import countdown, deaf, failing
from strikes import Strike, strike_at

import pullit
from pullit import PullError, PullIterator, Seq, from_callback, generator, iterate, iterate2
from pullit._coro import coroswitch, newcoro
from pullit._foreign import PROVIDER
from pullit._free_list import MOST_PARKED
from pullit._per_thread import PerThread, per_thread

P = ParamSpec("P")


class Thing:
    """Something that a weak reference can watch."""


def apart(test: Callable[P, None]) -> Callable[P, None]:
    """Have *test* run in a thread of its own, in an empty context."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        in_thread(contextvars.Context().run, functools.partial(test, *args, **kwargs))

    return run


@pytest.fixture
def no_gc() -> Iterator[None]:
    """What is not freed at once is not freed."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


# A coroutine is known here by its lowest frame, which is there as long as it is. To
# know the coroutine itself would prevent its use.


def lowest(frame: FrameType | None = None) -> FrameType:
    """Return the lowest frame below *frame*, or of the running coroutine."""
    frame = frame or sys._getframe()
    while frame.f_back:
        frame = frame.f_back
    return frame


def parked() -> list[FrameType]:
    """Return those of this thread's parked coroutines."""
    free_list = per_thread().free_list
    return [lowest(g.gr_frame) for g in free_list.parked] if free_list else []


def spot(seen: list[FrameType]) -> Seq[int]:
    """Return a producer that notes in *seen* on which coroutine it runs."""

    def spot(yield_: Callable[[int], Any]) -> None:
        seen.append(lowest())
        yield_(1)

    return spot


def where() -> FrameType:
    """Return the coroutine that a pull gets now."""
    seen: list[FrameType] = []
    assert list(iterate(spot(seen))) == [1]
    return seen[0]


def park(number: int = 1) -> list[FrameType]:
    """Have so many coroutines parked; return them."""
    its = [iterate(countdown) for _ in range(number)]
    for it in its:
        next(it)
    for it in its:
        it.close()
    return parked()


def park_deep() -> FrameType:
    """Have one parked that is deeper in C than a greenlet started here: it may be its consumer."""
    in_sort_keys(3, where)
    (deep,) = parked()
    return deep


# Whatever ends is used again.


def by_pull(seq: Seq[int]) -> None:
    next_, stop = pullit.pull(seq)
    while next_()[1]:
        pass


def by_pull2(seq: Seq[int]) -> None:
    next_, stop = pullit.pull2(lambda yield_: seq(lambda value: yield_(value, value)))
    while next_()[2]:
        pass


def by_coro(seq: Seq[int]) -> None:
    c = newcoro(lambda _: seq(lambda value: True))
    coroswitch(c)


WAYS: dict[str, Callable[[Seq[int]], object]] = {
    "iterate": lambda seq: list(iterate(seq)),
    "iterate2": lambda seq: list(iterate2(lambda y: seq(lambda value: y(value, value)))),
    "generator": lambda seq: list(generator(seq)()),
    "pull": by_pull,
    "pull2": by_pull2,
    "read_ahead": lambda seq: list(iterate(seq, read_ahead=9)),
    "read_ahead pairs": lambda seq: list(
        iterate2(lambda y: seq(lambda value: y(value, value)), read_ahead=2)
    ),
    "from_callback": lambda seq: list(iterate(from_callback(seq))),
    "zip": lambda seq: list(pullit.zip(seq, [1])),
    "coro": by_coro,
}


@pytest.mark.parametrize("way", WAYS)
@apart
def test_a_second_pull_runs_on_the_same_coroutine(way: str) -> None:
    """Whichever kind it is, and whichever kind the first was."""
    assert parked() == []
    first = where()
    assert parked() == [first]
    seen: list[FrameType] = []
    for _ in range(2):
        WAYS[way](spot(seen))
        assert parked() == [first]
    assert seen == [first, first]
    assert where() == first


@apart
def test_many_pulls_after_each_other_need_one_coroutine() -> None:
    """As if nothing was made at all."""
    assert len({where() for _ in range(200)}) == 1
    assert len(parked()) == 1


@apart
def test_a_parked_coroutine_is_not_parked_while_it_is_in_use() -> None:
    """So another pull, at the same time, gets another."""
    first = where()
    seen: list[FrameType] = []
    one, other = iterate(spot(seen)), iterate(spot(seen))
    assert (next(one), next(other)) == (1, 1)
    assert parked() == []
    assert seen[0] == first
    assert seen[1] != first
    list(one), list(other)
    assert set(parked()) == set(seen)


@apart
def test_an_iterator_that_was_not_started_uses_none() -> None:
    """Made, dropped or closed."""
    first = where()
    it = iterate(countdown)
    assert parked() == [first]
    it.close()
    del it
    assert parked() == [first]


ENDINGS: dict[str, Callable[[], object]] = {
    "end": lambda: list(iterate(countdown)),
    "close": lambda: next_and(iterate(countdown), lambda it: it.close()),
    "drop": lambda: next_and(iterate(countdown), lambda it: None),
    "with": lambda: next_and(iterate(countdown), lambda it: it.__exit__(None, None, None)),
    "exit": lambda: next_and(iterate(deaf(3, [])), lambda it: it.close()),
    "drained": lambda: next_and(iterate(deaf(20, [])), lambda it: it.close()),
    "error": lambda: list(iterate(fails)),
    "error at once": lambda: list(iterate(lambda yield_: fails(bool))),
    "error on close": lambda: next_and(iterate(fails), lambda it: it.close()),
    "throw": lambda: next_and(iterate(countdown), lambda it: it.throw(KeyError("thrown"))),
    "stop iteration": lambda: list(iterate(lambda yield_: yield_(next(iter(()))))),
    "system exit": lambda: list(iterate(lambda yield_: sys.exit(3))),
    "greenlet exit": lambda: list(iterate(failing(greenlet.GreenletExit(), 1))),
    "greenlet exit thrown": lambda: next_and(
        iterate(countdown), lambda it: it.throw(greenlet.GreenletExit)
    ),
    "ahead": lambda: list(iterate(countdown, read_ahead=2)),
    "close ahead": lambda: next_and(iterate(countdown, read_ahead=2), lambda it: it.close()),
    "error ahead": lambda: next_and(iterate(fails, read_ahead=5), lambda it: it.close()),
    "callback": lambda: next_and(
        iterate(from_callback(lambda cb: [cb(n) for n in range(3)])), lambda it: it.close()
    ),
    "misuse": lambda: list(iterate(misuses)),
}


def next_and(it: PullIterator[Any], finish: Callable[[PullIterator[Any]], object]) -> None:
    next(it)
    finish(it)


def fails(yield_: Callable[[int], Any]) -> None:
    yield_(1)
    raise KeyError("boom")


def misuses(yield_: Callable[[int], Any]) -> None:
    it = iterate(misuses)
    yield_(1)
    it.send(1)


@pytest.mark.parametrize("ending", ENDINGS)
@apart
def test_whichever_way_a_pull_ends_its_coroutine_is_clean(ending: str) -> None:
    """It is used again, and nothing of the last pull is to be seen there."""
    first = where()
    for _ in range(2):
        try:
            ENDINGS[ending]()
        except (KeyError, RuntimeError, StopIteration, SystemExit, TypeError):
            pass
        assert parked() == [first]
        consumer = greenlet.getcurrent()

        def producer(yield_: Callable[[object], Any]) -> str:
            yield_(lowest() is first)
            yield_(greenlet.getcurrent().parent is consumer)
            yield_(sys.exc_info() == (None, None, None))
            return "whole"

        it = iterate(producer)
        assert list(it) == [True] * 3
        assert it.result == "whole"


@apart
def test_an_error_that_is_kept_does_not_keep_the_coroutine() -> None:
    """Its traceback knows frames of the loop's, but not who was resumed there."""
    first = where()
    errors: list[BaseException] = []
    for n in (0, 2):
        try:
            list(iterate(fails, read_ahead=n))
        except KeyError as e:
            errors.append(e)
        assert where() is first


@apart
def test_nested_pulls_use_as_many_as_they_are_deep() -> None:
    """And the next time the same."""
    seen: list[FrameType] = []

    def nest(yield_: Callable[[int], Any], depth: int) -> None:
        seen.append(lowest())
        yield_(depth)
        if depth:
            for value in iterate(functools.partial(nest, depth=depth - 1)):
                yield_(value)

    for _ in range(3):
        assert list(iterate(functools.partial(nest, depth=4))) == [4, 3, 2, 1, 0]
    assert len(set(seen[:5])) == 5
    assert set(seen[5:]) == set(seen[:5]) == set(parked())


@apart
def test_a_recursive_generator_uses_as_many_as_it_is_deep() -> None:
    """However many nodes the tree has."""
    seen: set[FrameType] = set()

    @generator
    def leaves(yield_: Callable[[int], Any], tree: list[Any]) -> None:
        seen.add(lowest())
        for node in tree:
            if isinstance(node, list):
                for leaf in leaves(node):
                    yield_(leaf)
            else:
                yield_(node)

    tree = [1, [2, [3], [4]], [5, [6, [7]]], 8, [], [[9]]]
    for _ in range(3):
        assert list(leaves(tree)) == list(range(1, 10))
    assert len(seen) == 4
    assert set(parked()) == seen


@pytest.mark.parametrize("ending", ["end", "close", "drop"])
@apart
def test_no_more_than_so_many_are_parked(ending: str) -> None:
    """The others end, and are gone."""
    its = [iterate(countdown) for _ in range(1000)]
    for it in its:
        assert next(it) == 3
    while its:
        it = its.pop()
        if ending == "end":
            assert list(it) == [2, 1]
        elif ending == "close":
            it.close()
        del it
    assert len(parked()) == len(set(parked())) == MOST_PARKED
    assert count_greenlets() <= MOST_PARKED + 3  # the main one, and a dead one


def count_greenlets() -> int:
    """Count those of this thread that gc knows; they may hold what it does not."""
    me = greenlet.getcurrent()
    count = 0
    for g in gc.get_objects():
        if isinstance(g, greenlet.greenlet):
            root: Any = g
            while root.parent is not None:
                root = root.parent
            count += root is me or g is me
    return count


# Threads.


def test_the_first_pull_of_a_thread_may_be_in_any_greenlet() -> None:
    """What a thread has for itself knows the main one nevertheless."""

    def first() -> tuple[list[int], bool]:
        main = greenlet.getcurrent()
        inner = greenlet.greenlet(lambda: list(pullit.iterate(countdown)))
        values = greenlet.greenlet(inner.switch).switch()
        free_list = per_thread().free_list
        return values, free_list is not None and free_list.main is main

    assert in_thread(first) == ([3, 2, 1], True)


@apart
def test_threads_do_not_share() -> None:
    """Each has what it has parked itself."""
    mine = park(3)
    theirs: list[FrameType] = []

    def other() -> None:
        assert parked() == []
        theirs.extend([where(), where(), *park(2)])
        assert where() in theirs

    in_thread(other)
    in_thread(other)
    assert not set(mine) & set(theirs)
    assert parked() == mine
    assert where() in mine


@pytest.mark.parametrize("use", ["ended", "suspended", "kept", "dropped", "cycle"])
def test_a_thread_that_ends_leaves_no_coroutine(use: str) -> None:
    """Neither parked ones nor others; not even for the collector to find."""
    kept: list[PullIterator[int]] = []

    # In the main thread, where greenlet lets go of what the others leave.
    def count() -> int:
        list(iterate(countdown))
        gc.collect()
        return sum(isinstance(g, greenlet.greenlet) for g in gc.get_objects())

    def run() -> None:
        park(5)
        if use == "ended":
            return
        its = [iterate(countdown) for _ in range(5)]
        for it in its:
            next(it)
        if use == "kept":
            kept.extend(its)
        elif use == "dropped":
            its.clear()
        elif use == "cycle":
            thing: Any = Thing()
            thing.itself, thing.its = thing, its

    in_thread(run)
    before = count()
    for _ in range(3):
        in_thread(run)
    wait_until(lambda: count() <= before + 1)  # greenlet lets go of some a little later
    for it in kept:
        with pytest.raises(PullError, match="has ended"):
            next(it)


@apart
def test_the_thread_engine_parks_nothing() -> None:
    """Its threads end with their pulls."""
    assert list(iterate(countdown, engine="thread")) == [3, 2, 1]
    assert parked() == []


# Contexts, parents, attributes: as new.

VAR: contextvars.ContextVar[object] = contextvars.ContextVar("VAR", default="unset")


@apart
def test_13_a_reused_coroutine_runs_in_a_fresh_context() -> None:
    """A copy of its own consumer's; what the last producer set is not there."""

    def producer(yield_: Callable[[object], Any]) -> None:
        yield_(VAR.get())
        VAR.set("the producer's")
        decimal.getcontext().prec = 5
        yield_(VAR.get())

    first = where()
    assert list(iterate(producer)) == ["unset", "the producer's"]
    VAR.set("the consumer's")
    assert list(iterate(producer)) == ["the consumer's", "the producer's"]
    decimal.getcontext().prec = 11
    precisions = [*iterate(lambda yield_: yield_(decimal.getcontext().prec))]
    assert precisions == [11]
    assert VAR.get() == "the consumer's"
    context = contextvars.Context()
    assert context.run(lambda: list(iterate(producer))) == ["unset", "the producer's"]
    assert parked() == [first]


@apart
def test_14_a_parked_coroutine_keeps_no_context(no_gc: None) -> None:
    """Neither what its producer has set there, nor what the consumer had."""
    watches: list[weakref.ref[Thing]] = []

    def set_thing() -> contextvars.Token[object]:
        thing = Thing()
        watches.append(weakref.ref(thing))
        return VAR.set(thing)

    def producer(yield_: Callable[[int], Any]) -> None:
        set_thing()
        yield_(1)

    token = set_thing()
    assert list(iterate(producer)) == [1]
    VAR.reset(token)
    del token
    assert len(parked()) == 1
    assert [watch() for watch in watches] == [None, None]


@apart
def test_10_a_reused_coroutine_has_the_parent_that_asks() -> None:
    """The thread's main greenlet, or another; also a pull's."""
    seen: list[bool] = []
    consumer = greenlet.getcurrent()

    def producer(yield_: Callable[[int], Any]) -> None:
        seen.append(greenlet.getcurrent().parent is consumer)
        yield_(1)

    def consume() -> int:
        nonlocal consumer
        consumer = greenlet.getcurrent()
        list(iterate(producer))
        return 1

    deep = park_deep()
    for _ in range(2):
        consume()
        greenlet.greenlet(consume).switch()
        assert parked() == [deep]
    assert list(iterate(lambda yield_: yield_(consume()))) == [1]
    consume()
    assert seen == [True] * 6
    assert deep in parked()


@apart
def test_a_plain_coro_has_the_parent_that_made_it() -> None:
    """As a new greenlet has."""
    seen: list[bool] = []

    def make() -> None:
        me = greenlet.getcurrent()
        c = newcoro(lambda _: seen.append(greenlet.getcurrent().parent is me))
        coroswitch(c)

    deep = park_deep()
    for _ in range(2):
        make()
        greenlet.greenlet(make).switch()
    assert seen == [True] * 4
    assert parked() == [deep]


@apart
def test_10_an_error_wakes_the_consumer_of_a_reused_coroutine() -> None:
    """Whoever had it before."""
    deep = park_deep()
    log: list[object] = []

    def consume() -> None:
        try:
            list(iterate(fails))
        except KeyError:
            log.append("raised")

    for _ in range(2):
        greenlet.greenlet(consume).switch()
        consume()
    assert log == ["raised"] * 4
    assert parked() == [deep]


@apart
def test_attributes_of_the_coroutine_do_not_last() -> None:
    """What one producer leaves there the next does not see."""

    def leaves_a_note(yield_: Callable[[int], Any]) -> None:
        me: Any = greenlet.getcurrent()
        assert not hasattr(me, "note")
        me.note = Thing()
        watches.append(weakref.ref(me.note))
        yield_(1)

    watches: list[weakref.ref[Thing]] = []
    where()
    for _ in range(3):
        list(iterate(leaves_a_note))
    where()
    assert [watch() for watch in watches] == [None] * 3


def test_15_a_providers_mark_goes_with_the_consumer_that_has_it() -> None:
    """The next one may serve no switch of SQLAlchemy's."""

    class Provider(greenlet.greenlet):
        pass

    def producer(yield_: Callable[[bool], Any]) -> None:
        while yield_(getattr(greenlet.getcurrent(), PROVIDER, False)):
            pass

    setattr(Provider, PROVIDER, True)
    it = iterate(producer)
    assert Provider(it.__next__).switch() is True
    assert next(it) is False
    it.close()


@apart
def test_15_a_providers_mark_does_not_last() -> None:
    """A consumer that serves SQLAlchemy's switches marks its own producers only."""
    marked: list[bool] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        marked.append(hasattr(greenlet.getcurrent(), PROVIDER))
        yield_(1)

    provider: Any = greenlet.greenlet(lambda: list(iterate(producer)))
    setattr(provider, PROVIDER, True)
    park_deep()
    provider.switch()
    for _ in range(2):
        list(iterate(producer))
    assert marked == [True, False, False]


# Nothing is kept.


@pytest.mark.parametrize("ending", ["end", "close", "drop", "error", "exit", "ahead", "callback"])
@apart
def test_14_a_parked_coroutine_keeps_nothing_of_its_pull(ending: str, no_gc: None) -> None:
    """Values, producer, error, iterator: all are freed at once."""
    watches: list[weakref.ref[Any]] = []

    class BoomError(Exception):
        pass

    def use() -> None:
        seen = Thing()

        def producer(yield_: Callable[[Thing], Any]) -> Thing:
            for _ in range(3):
                thing = Thing()
                watches.extend([weakref.ref(thing), weakref.ref(seen)])
                if not yield_(thing) and ending != "exit":
                    break
            if ending == "error":
                error = BoomError()
                watches.append(weakref.ref(error))
                try:
                    raise error
                finally:
                    del error
            return thing

        seq: Seq[Thing] = from_callback(producer) if ending == "callback" else producer
        it = iterate(seq, read_ahead=2 if ending == "ahead" else 0)
        watches.extend([weakref.ref(producer), weakref.ref(it)])
        next(it)
        if ending == "close" or ending == "exit":
            it.close()
        elif ending != "drop":
            try:
                list(it)
            except BoomError:
                pass

    first = where()
    for _ in range(2):
        use()
        assert [watch() for watch in watches] == [None] * len(watches)
        assert parked() == [first]


@pytest.mark.parametrize("ending", ["end", "close", "error"])
@apart
def test_14_a_consumer_greenlet_that_has_ended_is_not_kept(ending: str, no_gc: None) -> None:
    """Nor what it held."""
    watches: list[weakref.ref[Any]] = []

    def consume() -> None:
        thing = Thing()
        watches.extend([weakref.ref(thing), weakref.ref(greenlet.getcurrent())])
        it: PullIterator[int] = iterate(fails if ending == "error" else countdown)
        next(it)
        if ending == "close":
            it.close()
        else:
            try:
                list(it)
            except KeyError:
                pass

    deep = park_deep()
    for _ in range(2):
        greenlet.greenlet(consume).switch()
        assert [watch() for watch in watches] == [None] * len(watches)
    assert parked() == [deep]


@apart
def test_14_an_error_that_is_kept_does_not_keep_a_later_pull(no_gc: None) -> None:
    """Though its traceback knows frames of the coroutine that both ran on."""
    watches: list[weakref.ref[Any]] = []

    def producer(yield_: Callable[[Thing], Any]) -> None:
        thing = Thing()
        watches.append(weakref.ref(thing))
        yield_(thing)

    errors: list[BaseException] = []
    for _ in range(2):
        try:
            list(iterate(failing(KeyError("boom"), 1)))
        except KeyError as e:
            errors.append(e)
        list(iterate(producer))
        assert [watch() for watch in watches] == [None] * len(watches)
    assert len(parked()) == 1
    errors.clear()


# Those that somebody else knows.


@pytest.mark.parametrize("how", ["reference", "weak reference", "parent"])
@apart
def test_a_coroutine_that_somebody_knows_is_not_used_again(how: str) -> None:
    """He might switch to it, or take it for the one that he knew."""
    known: list[Any] = []

    def producer(yield_: Callable[[FrameType], Any]) -> None:
        me = greenlet.getcurrent()
        if how == "reference":
            known.append(me)
        elif how == "weak reference":
            known.append(weakref.ref(me))
        else:
            known.append(greenlet.greenlet(bool, me))
        yield_(lowest())

    (first,) = iterate(producer)
    assert where() is not first
    (second,) = iterate(producer)
    assert second is not first
    for _ in range(2):
        assert where() not in (first, second)


@apart
def test_one_that_is_known_no_more_may_be_used_again() -> None:
    """It is looked at when it is to be used."""
    known: list[Any] = []

    def producer(yield_: Callable[[FrameType], Any]) -> None:
        known.append(greenlet.getcurrent())
        yield_(lowest())

    (first,) = iterate(producer)
    known.clear()
    assert where() is first


def keep(known: list[Any]) -> Seq[int]:
    """Return a producer that keeps its coroutine in *known*."""

    def producer(yield_: Callable[[int], Any]) -> None:
        known.append(greenlet.getcurrent())
        yield_(1)

    return producer


def served() -> bool:
    """Tell whether pulls work as ever."""
    it = iterate(countdown)
    return list(it) == [3, 2, 1] and it.result == "lift-off" and where() == where()


@apart
def test_a_stray_switch_to_a_parked_coroutine_returns_to_its_last_consumer() -> None:
    """As one to a coroutine that has ended does, in the main greenlet; later pulls are served."""
    known: list[Any] = []
    log: list[object] = []

    def stray() -> None:
        list(iterate(keep(known)))
        for value in ("x", None):
            known[0].switch(value)
            log.append("back")
        known.clear()
        log.append(served())

    stray()
    assert log == ["back", "back", True]


@apart
def test_a_stray_switch_does_not_run_a_plain_coro_again() -> None:
    """Nor is its coroutine lost, when it is known no more."""
    known: list[Any] = []
    seen: list[FrameType] = []
    c = newcoro(lambda _: seen.append(lowest()))
    known.append(c.blocked)
    coroswitch(c)
    for _ in range(2):
        known[0].switch()
    assert len(seen) == 1
    known.clear()
    by_coro(spot(seen))
    assert seen[1] is seen[0]


@pytest.mark.parametrize("kind", [greenlet.GreenletExit, KeyError, SystemExit])
@apart
def test_one_that_is_killed_while_parked_does_no_harm(kind: type[BaseException]) -> None:
    """The killer goes on, as if it had ended before; later pulls are served."""
    known: list[Any] = []
    log: list[object] = []

    def kill() -> None:
        list(iterate(keep(known)))
        try:
            known[0].throw(kind)
        except kind:
            pass
        log.append("back")
        assert known[0].dead
        known.clear()
        log.append(served())

    kill()
    assert log == ["back", True]
    assert served()


@apart
def test_a_stray_switch_while_others_are_suspended_disturbs_none() -> None:
    """Neither their consumers nor their producers."""
    known: list[Any] = []
    list(iterate(keep(known)))
    its = [iterate(countdown), iterate(countdown, read_ahead=2)]
    assert [next(it) for it in its] == [3, 3]
    known[0].switch()
    assert [next(it) for it in its] == [2, 2]
    known[0].throw()
    assert [list(it) for it in its] == [[1], [1]]


# Room: a greenlet has for ever the recursion depth, and the place on the C stack, of
# its first start.


def room() -> int:
    """Return how many calls deep one can go from here."""
    count = 0

    def recurse() -> None:
        nonlocal count
        count += 1
        recurse()

    try:
        recurse()
    except RecursionError:
        pass
    return count


def room_in_a_pull() -> int:
    """Return how many calls deep a producer can go."""
    got: int = next(iterate(lambda yield_: yield_(room())))
    return got


def in_calls(depth: int, do: Callable[[], object]) -> None:
    """Do it below so many calls of Python functions."""
    if depth:
        in_calls(depth - 1, do)
    else:
        do()


def in_sort_keys(depth: int, do: Callable[[], object]) -> None:
    """Do it below so many calls from C."""
    if depth:
        [0].sort(key=lambda _: [in_sort_keys(depth - 1, do)])  # type: ignore[func-returns-value]
    else:
        do()


def in_reprs(depth: int, do: Callable[[], object]) -> None:
    """Do it where C has called itself so often, and nothing of Python's lies between."""

    class Does:
        def __repr__(self) -> str:
            do()
            return ""

    nested: list[Any] = [Does()]
    for _ in range(depth):
        nested = [nested]
    repr(nested)


def in_json(depth: int, do: Callable[[], object]) -> None:
    """The same, in another module."""
    nested: Any = Thing()
    for _ in range(depth):
        nested = [nested]
    json.dumps(nested, default=lambda _: [do()][1:])


def in_pulls(depth: int, do: Callable[[], object]) -> None:
    """Do it in a producer in a producer and so on, each of which goes some calls deep."""

    def producer(yield_: Callable[[int], Any]) -> None:
        in_calls(20, lambda: in_pulls(depth - 20, do))
        yield_(1)

    if depth <= 0:
        do()
    else:
        list(iterate(producer))


def in_a_greenlet(depth: int, do: Callable[[], object]) -> None:
    """Do it in a greenlet that is not ours, and was started so deep."""
    in_calls(depth, lambda: greenlet.greenlet(do).switch())


PLACES = [in_calls, in_sort_keys, in_pulls, in_a_greenlet]
if sys.version_info >= (3, 12):
    # 3.11 counts calls within C, too, and has no way to tell how many there are.
    PLACES += [in_reprs, in_json]


@pytest.mark.parametrize("depth", [1, 20, 45, 50, 55, 90, 100, 150, 300])
@pytest.mark.parametrize("place", PLACES)
@apart
def test_a_reused_coroutine_has_nearly_all_the_room(
    place: Callable[[int, Callable[[], object]], None], depth: int
) -> None:
    """No matter where it was first started: at most 100 calls less than a new one has."""
    raw = greenlet.greenlet(room).switch()
    fresh = room_in_a_pull()
    assert raw - 10 <= fresh <= raw
    free_list = per_thread().free_list
    assert free_list
    free_list.parked.clear()
    place(depth, where)
    for _ in range(3):
        assert room_in_a_pull() >= fresh - 100
    place(depth, lambda: park(5))
    its = [iterate(lambda yield_: yield_(room())) for _ in range(8)]
    assert min(next(it) for it in its) >= fresh - 100


@apart
def test_one_first_started_very_deep_is_not_used_again() -> None:
    """It has hardly any room left."""
    in_calls(800, where)
    assert parked() == []
    assert greenlet.greenlet(room).switch() - room_in_a_pull() < 10


@apart
def test_nested_pulls_on_reused_coroutines_have_room() -> None:
    """Each is as deep as its own first start, and not as all of those below."""
    fresh = room_in_a_pull()

    def nest(yield_: Callable[[int], Any], depth: int) -> None:
        if depth:
            for value in iterate(lambda inner_yield: nest(inner_yield, depth - 1)):
                yield_(value)
        yield_(room())

    for _ in range(3):
        assert min(iterate(lambda yield_: nest(yield_, 5))) >= fresh - 100


def saved() -> int:
    """Return how many bytes of the stack each switch to a producer copies."""
    consumer: Any = greenlet.getcurrent()
    (got,) = iterate(lambda yield_: yield_(consumer._stack_saved))
    assert isinstance(got, int)
    return got


def most_copied() -> int:
    """Return the most of a consumer's stack that may be copied, the calls of the test included."""
    free_list = per_thread().free_list
    assert free_list
    return free_list.overlap + 500


@pytest.mark.parametrize("depth", [0, 1, 2, 5, 20, 60])
@apart
def test_a_consumer_deep_in_c_gets_a_coroutine_that_is_deeper(depth: int) -> None:
    """Of its own stack next to nothing is copied, whatever was parked at the top."""
    park(5)
    got: list[int] = []
    in_sort_keys(depth, lambda: got.extend(saved() for _ in range(3)))
    assert max(got) <= most_copied()
    park(5)
    for other in (in_reprs, in_json, in_pulls):
        other(depth, lambda: got.append(saved()))
    assert max(got) <= most_copied()
    assert served()


@apart
def test_a_consumer_one_call_from_c_deeper_gets_a_parked_coroutine() -> None:
    """However much of the stack such a call takes: it depends on the version of Python."""
    park(1)
    (first,) = parked()
    got: list[FrameType] = []
    copied: list[int] = []
    for _ in range(3):
        in_reprs(1, lambda: got.append(where()))
    assert got == [first] * 3
    in_reprs(1, lambda: copied.append(saved()))
    assert 500 < copied[0] <= most_copied()


@apart
def test_one_that_is_too_shallow_is_replaced_before_it_runs() -> None:
    """Its work is done by another, once, in the same context and thread."""
    shallow = park(3)
    token = VAR.set("the consumer's")
    log: list[object] = []
    consumer = greenlet.getcurrent()

    def producer(yield_: Callable[[object], Any]) -> str:
        log.append("start")
        assert lowest() not in shallow
        yield_(VAR.get())
        yield_(greenlet.getcurrent().parent is consumer)
        return "whole"

    def consume() -> None:
        nonlocal consumer
        consumer = greenlet.getcurrent()
        for n in (0, 2):
            it = iterate(producer, read_ahead=n)
            log.append(list(it))
            log.append(it.result)

    in_sort_keys(40, consume)
    other = greenlet.greenlet(consume)
    other.gr_context = contextvars.copy_context()
    in_sort_keys(40, other.switch)
    assert log == ["start", ["the consumer's", True], "whole"] * 4
    VAR.reset(token)


@apart
def test_a_plain_coro_is_replaced_too() -> None:
    """coroswitch does as the loop does."""
    log: list[str] = []

    def f(name: str) -> None:
        log.append(f"{name}1")
        coroswitch(c)
        log.append(f"{name}2")

    for depth in (0, 40, 0, 40):
        park(3)
        c = newcoro(f, str(depth))

        def switch_twice() -> None:
            coroswitch(c)
            coroswitch(c)

        in_sort_keys(depth, switch_twice)
        assert c.blocked is None
    assert log == ["01", "02", "401", "402"] * 2


@apart
def test_one_that_is_replaced_may_be_closed_or_fail() -> None:
    """As any other."""
    log: list[object] = []

    def consume() -> None:
        for seq in (countdown, failing(error, 3)):
            park(2)
            it = iterate(seq)
            assert next(it) == 3
            try:
                it.close()
            except KeyError as e:
                log.append(e)

    error = KeyError("boom")
    in_sort_keys(40, consume)
    assert log == [error]
    assert served()


@apart
def test_15_one_that_is_replaced_is_sqlalchemys_too() -> None:
    """Where its consumer is: what await_only looks for is on the new one as well."""
    seen: list[object] = []

    def seq(yield_: Callable[[int], Any]) -> None:
        me = greenlet.getcurrent()
        seen.append(getattr(me, PROVIDER, False))
        seen.append(me.parent is consumer)
        yield_(1)

    def consume() -> None:
        list(iterate(seq))

    park(2)
    consumer = greenlet.greenlet(lambda: in_sort_keys(40, consume))
    setattr(consumer, PROVIDER, True)
    consumer.switch()
    assert seen == [True, True]


@apart
def test_what_a_thread_has_is_made_once_and_holds_up_nobody() -> None:
    """A collection meanwhile may run a pull, here, or wait for one in another thread."""
    made: list[object] = []

    def meanwhile(frame: FrameType, event: str, arg: object) -> None:
        if frame.f_code is PerThread.__init__.__code__:
            sys.setprofile(None)
            assert served()
            made.append(per_thread())
            thread = threading.Thread(target=lambda: made.append(served()), daemon=True)
            thread.start()
            thread.join(10)

    sys.setprofile(meanwhile)
    assert served()
    assert made == [per_thread(), True]


# Signals, exit.


@pytest.mark.parametrize("n", [0, 2])
@pytest.mark.parametrize("depth", [0, 40])
@apart
def test_wherever_a_signal_strikes_later_pulls_are_served(depth: int, n: int) -> None:
    """A coroutine that it has ended, or left in the middle of being parked, is not used."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda args: None

    def consume(profile: Callable[..., None]) -> None:
        sys.setprofile(profile)
        try:
            list(iterate(countdown, read_ahead=n))
        finally:
            sys.setprofile(None)

    gc.disable()
    try:
        for k in itertools.count(1):
            park(2)
            struck: list[object] = []
            try:
                in_sort_keys(depth, functools.partial(consume, strike_at(k, struck)))
            except Strike:
                pass
            if not struck:
                break
            assert served()
            assert len(set(parked())) == len(parked()) <= 4
        assert k > 20
    finally:
        gc.enable()
        sys.unraisablehook = hook


@pytest.mark.parametrize("options", [[], ["-X", "dev", "-W", "error"]])
def test_at_exit_parked_coroutines_are_quiet(options: list[str]) -> None:
    """Those of the main thread, of a daemon's that still runs, and known ones."""
    script = """
        import threading
        import greenlet, pullit

        known = []

        def producer(yield_):
            known.append(greenlet.getcurrent())
            yield_(1)

        def run():
            its = [pullit.iterate(lambda yield_: yield_(1)) for _ in range(9)]
            for it in its:
                next(it)
            for it in its:
                list(it)
            list(pullit.iterate(producer))
            parked.set()
            threading.Event().wait()

        parked = threading.Event()
        threading.Thread(target=run, daemon=True).start()
        parked.wait()
        list(pullit.iterate(producer))
        print(len(known))
        """
    assert run_script(script, *options) == "2\n"


@needs("os.fork")
def test_after_a_fork_the_child_uses_what_was_parked() -> None:
    """It has the thread that forked, and its list."""
    script = """
        import os, sys, threading
        import pullit

        numbers = lambda yield_: [yield_(n) for n in range(3)]
        its = [pullit.iterate(numbers) for _ in range(5)]
        for it in its:
            next(it)
        for it in its:
            list(it)
        pid = os.fork()
        if not pid:
            print(list(pullit.iterate(numbers)), flush=True)
            sys.exit(0)
        os.waitpid(pid, 0)
        print(list(pullit.iterate(numbers)))
        """
    assert run_script(script) == "[0, 1, 2]\n[0, 1, 2]\n"


def test_a_switch_by_somebody_else_is_as_a_next_to_the_producer() -> None:
    """Its yield_ returns True, and its end waits until the consumer asks."""
    answers: list[object] = []
    known: list[Any] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        known.append(greenlet.getcurrent())
        answers.append(yield_(1))

    it = iterate(producer)
    assert next(it) == 1
    known.pop().switch("hello")
    assert answers == [True]
    assert not it.done
    assert list(it) == []
    assert answers == [True]


def test_15_a_foreign_switch_while_it_is_stopped_passes_through() -> None:
    """As one does while a next waits."""
    answers: list[object] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        yield_(1)
        parent = greenlet.getcurrent().parent
        assert parent
        answers.append(parent.switch("foreign"))

    def consume() -> str:
        with iterate(producer) as it:
            next(it)
        return "done"

    consumer = greenlet.greenlet(consume)
    assert consumer.switch() == "foreign"
    assert consumer.switch("answer") == "done"
    assert answers == ["answer"]


def test_15_sqlalchemys_mark_goes_with_the_consumer() -> None:
    """A producer has it while a greenlet with the mark asks, whoever has started it."""

    def producer(yield_: Callable[[object], Any]) -> None:
        for _ in range(4):
            yield_(getattr(greenlet.getcurrent(), PROVIDER, False))

    it = iterate(producer)
    marked = greenlet.greenlet(lambda: (next(it), next(it)))
    setattr(marked, PROVIDER, True)
    assert next(it) is False
    assert marked.switch() == (True, True)
    assert list(it) == [False]
