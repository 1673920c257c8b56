"""zip, zip_longest, merge, equal and from_iterable, against the functions they are named for."""

from __future__ import annotations

import builtins
import contextvars
import copy
import enum
import gc
import heapq
import itertools
import math
import pickle
import re
import sys
import threading
import weakref
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import pytest
from elsewhere import error_in_thread, in_thread, made_elsewhere
from hypothesis import given, settings
from hypothesis import strategies as st
from producers import countdown, failing, logged

import pullit
from pullit import PullError, PullIterator, Seq, WrongThreadError, from_iterable, iterate
from pullit._lifetimes import live

Log = list[tuple[Any, ...]]
END = object()


class BoomError(Exception):
    """What producers raise."""


class RudeError(Exception):
    """What producers raise that are told to stop."""


class ConsumerError(Exception):
    """What consumers raise."""


@dataclass(frozen=True)
class Walk:
    """What one argument gives: *values*, then an error if it *fails*."""

    kind: str
    values: tuple[int, ...]
    fails: bool = False
    rude: bool = False  # raises when told to stop


class Events:
    """An iterable over *walk*, argument *place*, that logs what it does."""

    def __init__(self, walk: Walk, place: int, log: Log) -> None:
        self.walk, self.place, self.log = walk, place, log

    def __iter__(self) -> Iterator[int]:
        self.log.append(("start", self.place))
        for value in self.walk.values:
            self.log.append(("value", self.place))
            yield value
        self.log.append(("end", self.place))
        if self.walk.fails:
            raise BoomError(self.place)

    def push(self, yield_: Callable[[int], Any]) -> None:
        for value in self:
            if not yield_(value):
                self.log.append(("stopped", self.place))
                if self.walk.rude:
                    raise RudeError(self.place)
                return

    def argument(self) -> Any:
        """Return what the functions are called with."""
        match self.walk.kind:
            case "push":
                return self.push
            case "seq":
                return from_iterable(self)
            case "generator":
                return iter(self)
            case "list" if not self.walk.fails:
                return list(self.walk.values)
        return self

    def plain(self) -> Any:
        """Return what is the same to the functions of the standard library."""
        return list(self.walk.values) if isinstance(self.argument(), list) else self


def negative(n: int) -> int:
    return -n


# The keywords, the model, and ours.
Pair: TypeAlias = tuple[dict[str, Any], Any, Any]

ZIPS: list[Pair] = [({}, builtins.zip, pullit.zip), ({"strict": True}, builtins.zip, pullit.zip)]
LONGEST: list[Pair] = [
    ({}, itertools.zip_longest, pullit.zip_longest),
    ({"fillvalue": "none"}, itertools.zip_longest, pullit.zip_longest),
]
MERGES: list[Pair] = [
    ({}, heapq.merge, pullit.merge),
    ({"reverse": True}, heapq.merge, pullit.merge),
    ({"key": negative}, heapq.merge, pullit.merge),
    ({"key": negative, "reverse": True}, heapq.merge, pullit.merge),
]
PAIRS = [*ZIPS, *LONGEST, *MERGES]
FUNCTIONS: list[Any] = [pullit.zip, pullit.zip_longest, pullit.merge]
ENDINGS = ["exhaust", "close", "drop", "break", "throw", "raise"]

walks = st.builds(
    Walk,
    st.sampled_from(["push", "push", "push", "seq", "list", "generator", "iterable"]),
    st.lists(st.integers(0, 3), max_size=4).map(tuple),
    st.sampled_from([False, False, True]),
)
rude_walks = st.builds(
    Walk,
    st.just("push"),
    st.lists(st.integers(0, 3), max_size=4).map(tuple),
    st.sampled_from([False, False, True]),
    st.booleans(),
)


def consume(
    make: Callable[[], Any],
    steps: int,
    ending: str,
    manage: Callable[[Any], AbstractContextManager[Any]],
) -> tuple[list[Any], list[tuple[Any, ...]]]:
    """Take *steps* values and end; return the values, and the errors, the oldest first."""
    values: list[Any] = []
    it = make()
    try:
        for _ in range(steps):
            if (value := next(it, END)) is END:
                return values, []
            values.append(value)
        match ending:
            case "exhaust":
                values.extend(it)
            case "close":
                it.close()
            case "throw":
                it.throw(ConsumerError())
            case "drop":
                del it
            case "break":
                with manage(it) as it:
                    for value in it:
                        values.append(value)
                        break
            case "raise":
                with manage(it) as it:
                    raise ConsumerError
    except (BoomError, RudeError, ConsumerError, ValueError) as e:
        return values, contexts(e)
    return values, []


def contexts(error: BaseException | None) -> list[tuple[Any, ...]]:
    """Return the types and arguments of *error*'s contexts, the oldest first, and its own."""
    if error is None:
        return []
    return [*contexts(error.__context__), (type(error), *error.args)]


def check_nothing_left(log: Log) -> None:
    """Each that has started has ended, and those that were stopped newest first."""
    started = [place for event, place in log if event == "start"]
    stopped = [place for event, place in log if event == "stopped"]
    assert stopped == [place for place in reversed(started) if place in stopped]
    if stopped:
        assert log[-len(stopped) :] == [("stopped", place) for place in stopped]
    assert not live


def unstopped(log: Log) -> Log:
    return [event for event in log if event[0] != "stopped"]


@given(st.sampled_from(PAIRS), st.lists(walks, max_size=4), st.integers(0, 9), st.data())
@settings(max_examples=400, deadline=None)
def test_as_the_standard_library_on_any_mix(
    pair: Pair, mix: list[Walk], steps: int, data: st.DataObject
) -> None:
    """The same values, errors, and order of asking; and all is stopped, however it ends."""
    kwargs, model, ours = pair
    ending = data.draw(st.sampled_from(ENDINGS))
    log: Log = []
    plain_log: Log = []

    def plain() -> Generator[Any, None, None]:
        yield from model(*(Events(w, i, plain_log).plain() for i, w in enumerate(mix)), **kwargs)

    def make() -> PullIterator[Any]:
        it: PullIterator[Any] = ours(
            *(Events(w, i, log).argument() for i, w in enumerate(mix)), **kwargs
        )
        assert log == []
        return it

    expected = consume(plain, steps, ending, closing)
    assert consume(make, steps, ending, lambda it: it) == expected
    assert unstopped(log) == plain_log
    check_nothing_left(log)


@given(
    st.sampled_from(PAIRS),
    st.lists(rude_walks, max_size=4),
    st.integers(0, 6),
    st.sampled_from([e for e in ENDINGS if e != "drop"]),
)
@settings(max_examples=400, deadline=None)
def test_no_error_is_lost_when_stopping_fails(
    pair: Pair, mix: list[Walk], steps: int, ending: str
) -> None:
    """Each has the one before it as its context, and the last is raised."""
    kwargs, model, ours = pair
    log: Log = []

    def plain() -> Generator[Any, None, None]:
        yield from model(*(Events(w, i, []) for i, w in enumerate(mix)), **kwargs)

    def make() -> Any:
        return ours(*(Events(w, i, log).push for i, w in enumerate(mix)), **kwargs)

    values, errors = consume(plain, steps, ending, closing)
    rude = [(RudeError, i) for event, i in log if event == "stopped" and mix[i].rude]
    result = consume(make, steps, ending, lambda it: it)
    rude = [(RudeError, i) for event, i in log if event == "stopped" and mix[i].rude]
    assert result == (values, errors + rude)
    check_nothing_left(log)


@given(walks, walks)
@settings(max_examples=400, deadline=None)
def test_equal_as_list_equality(a: Walk, b: Walk) -> None:
    """The same answer or error, and no value is asked for after the first difference."""
    log: Log = []
    plain_log: Log = []

    def plain() -> bool:
        pairs = itertools.zip_longest(
            Events(a, 0, plain_log).plain(), Events(b, 1, plain_log).plain(), fillvalue=END
        )
        return all(x == y for x, y in pairs)

    def outcome(call: Callable[[], bool]) -> object:
        try:
            return call()
        except BoomError as e:
            return contexts(e)

    def ours() -> bool:
        return pullit.equal(Events(a, 0, log).argument(), Events(b, 1, log).argument())

    expected = outcome(plain)
    assert outcome(ours) == expected
    if not (a.fails or b.fails):
        assert expected == (a.values == b.values)
    assert unstopped(log) == plain_log
    check_nothing_left(log)


# Nothing left behind.


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_failure_to_stop_a_dropped_one_is_reported(
    function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error of the drop goes to the hook, with those before it as its contexts."""
    errors: list[list[tuple[Any, ...]]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda u: errors.append(contexts(u.exc_value)))
    log: Log = []
    it = function(*(Events(Walk("push", (1, 2), rude=True), i, log).push for i in range(3)))
    next(it)
    del it
    assert errors == [[(RudeError, 2), (RudeError, 1), (RudeError, 0)]]
    check_nothing_left(log)


def test_closing_while_an_error_is_handled_has_no_part_in_it() -> None:
    """The contexts are those that the producer left, as with iterate."""
    it = pullit.zip(Events(Walk("push", (1, 2), rude=True), 0, []).push, [1])
    next(it)
    try:
        raise ConsumerError
    except ConsumerError:
        with pytest.raises(RudeError) as raised:
            it.close()
    assert contexts(raised.value) == [(RudeError, 0)]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_own_generator_is_not_closed(function: Any) -> None:
    """Nor is a pull of the user's: what was passed in goes on."""
    numbers = (n for n in itertools.count())
    with iterate(countdown) as pulled:
        with function(numbers, pulled, countdown) as it:
            next(it)
        assert next(numbers) > 0
        assert next(pulled) == 2


def first_alone(walk: Any, *more: Any) -> PullIterator[Any]:
    """Return an iterator over the first walk, made without a coroutine."""
    return iterate(walk if callable(walk) else from_iterable(walk))


@pytest.mark.parametrize("wrap", [lambda it: it, from_iterable])
@pytest.mark.parametrize("ending", ["close", "drop"])
@pytest.mark.parametrize("function", [*FUNCTIONS, first_alone])
def test_a_fresh_iterator_is_closed(function: Any, ending: str, wrap: Any) -> None:
    """An iterator that only the result knew is gone with it."""
    log: list[str] = []
    it = function(wrap(Closable(log)), countdown)
    next(it)
    if ending == "close":
        it.close()
    else:
        del it
    assert log == ["closed"]


@pytest.mark.parametrize("ending", ["drop", "close", "send", "throw"])
def test_nothing_is_left_to_the_collector(ending: str) -> None:
    """What the result held is freed with it, so there is no cycle."""

    def number() -> int:
        return 1

    held = weakref.ref(number)
    it = pullit.zip(iter(number, 0), countdown)
    del number
    gc.disable()
    try:
        next(it)
        match ending:
            case "close":
                it.close()
            case "send":
                with pytest.raises(StopIteration):
                    it.send(0)
            case "throw":
                with pytest.raises(ConsumerError):
                    it.throw(ConsumerError)
        del it
        assert held() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("wrap", [lambda it: it, from_iterable])
@pytest.mark.parametrize("function", [pullit.zip, pullit.zip_longest])
def test_a_fresh_iterator_is_closed_when_another_fails(function: Any, wrap: Any) -> None:
    """When the error arrives, not when its traceback is gone."""
    log: list[str] = []
    with pytest.raises(BoomError):
        list(function(wrap(Closable(log)), failing(BoomError(), 1)))
    assert log == ["closed"]


class Closable:
    """An iterable whose iterators log that they are closed."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def __iter__(self) -> Iterator[int]:
        try:
            yield from (1, 2, 3)
        finally:
            self.log.append("closed")


class File:
    """A file, to which its wrapper's iter leads."""

    closed = False

    def __iter__(self) -> File:
        return self

    def __next__(self) -> str:
        return "line"

    def close(self) -> None:
        self.closed = True


def test_a_shared_iterator_that_is_no_generator_is_not_closed() -> None:
    """The iter of a SpooledTemporaryFile is the file inside it, which is its own."""

    class Spooled:
        file = File()

        def __iter__(self) -> File:
            return self.file

    spooled = Spooled()
    it = iterate(from_iterable(spooled))
    next(it)
    it.close()
    assert not spooled.file.closed


# Laziness, and what costs no coroutine.


class Color(enum.Enum):
    """An iterable that can be called, too."""

    RED = 1
    BLUE = 2


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nothing_runs_before_the_first_next(function: Any) -> None:
    """Not even iter."""
    log: list[object] = []

    class Iterable:
        def __iter__(self) -> Iterator[int]:
            log.append("iter")
            return iter([1, 2, 3])

    with function(Iterable(), logged(countdown, log), from_iterable(Iterable())) as it:
        assert log == []
        next(it)
        assert [event for event in log if event != "start"] == ["iter", "iter"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_only_push_iterators_cost_a_coroutine(function: Any, coroutines: Callable[[], int]) -> None:
    """One each, while they are suspended."""
    with function([1, 2], from_iterable([1, 2]), (n for n in (1, 2))) as it:
        next(it)
        assert coroutines() == len(live) == 0
    with function([1, 2], countdown, [1, 2], countdown) as it:
        next(it)
        assert len(live) == 2
    assert len(live) == 0


def test_pulling_an_iterable_again_costs_none(coroutines: Callable[[], int]) -> None:
    """iterate and pull notice; there is no frame."""
    it = iterate(from_iterable([1, 2]))
    next_, stop = pullit.pull(from_iterable([1, 2]))
    assert (next(it), next_()) == (1, (1, True))
    assert coroutines() == len(live) == 0
    assert it.frame is None
    it.close(), stop()


def test_iterables_run_in_the_context_and_thread_of_their_caller() -> None:
    """What they set, the caller sees; each next may come from another thread."""
    variable = contextvars.ContextVar("variable", default=0)

    def numbers() -> Iterator[int]:
        for n in range(1, 9):
            variable.set(n)
            yield threading.get_ident()

    here = threading.get_ident()
    for it in (iterate(from_iterable(numbers())), pullit.zip_longest(numbers())):
        assert next(it) in (here, (here,))
        assert variable.get() == 1
        there: list[Any] = []
        thread = threading.Thread(target=lambda: there.append(next(it)))
        thread.start()
        thread.join()
        assert there[0] not in (here, (here,))


def test_a_zip_of_seqs_of_iterables_belongs_to_no_thread() -> None:
    """There is no push iterator in it, so any thread may ask."""
    it = pullit.zip(from_iterable([1, 2]), [3, 4])
    assert next(it) == (1, 3)
    assert in_thread(lambda: next(it)) == (2, 4)


def test_a_push_iterator_in_it_has_a_context_of_its_own() -> None:
    """A copy of that of the caller of the first next, as with iterate."""
    variable = contextvars.ContextVar("variable", default="unset")

    def seq(yield_: Callable[[str], Any]) -> None:
        yield_(variable.get())
        variable.set("producer")
        yield_(variable.get())

    variable.set("consumer")
    it = pullit.zip(seq, [1, 2])
    assert list(it) == [("consumer", 1), ("producer", 2)]
    assert variable.get() == "consumer"


def test_an_enum_class_is_an_iterable() -> None:
    """What is iterable counts as an iterable, even if it can be called, too."""
    assert list(pullit.zip(Color, countdown)) == [(Color.RED, 3), (Color.BLUE, 2)]
    assert list(iterate(from_iterable(Color))) == [Color.RED, Color.BLUE]
    assert pullit.equal(Color, [Color.RED, Color.BLUE])


def test_a_sequence_without_iter_is_an_iterable() -> None:
    """The old protocol counts."""

    class Old:
        def __getitem__(self, index: int) -> int:
            return [3, 2, 1][index]

    assert pullit.equal(Old(), countdown)  # type: ignore[arg-type]


# Refusals.


@pytest.mark.parametrize("call", ["next", "close", "send", "throw"])
@pytest.mark.parametrize("kind", ["push", "generator"])
def test_07_a_producer_that_asks_its_consumer_is_refused(call: str, kind: str) -> None:
    """PullError inside it; caught there, the iteration goes on."""
    its: list[PullIterator[Any]] = []
    errors: list[str] = []
    arguments = {"next": (), "close": (), "send": (1,), "throw": (ConsumerError(),)}[call]

    def ask() -> None:
        try:
            getattr(its[0], "__next__" if call == "next" else call)(*arguments)
        except PullError as e:
            errors.append(str(e))

    def numbers() -> Iterator[int]:
        for n in range(3):
            ask()
            yield n

    def seq(yield_: Callable[[int], Any]) -> None:
        for n in numbers():
            yield_(n)

    argument: Any = seq if kind == "push" else numbers()
    its.append(pullit.zip([1, 2, 3], argument))
    assert list(its[0]) == [(1, 0), (2, 1), (3, 2)]
    name = call
    assert len(errors) == 3
    assert errors[0].startswith(f"pullit.zip: {name} called again before yield; zip(list object, ")
    assert errors[0].endswith(
        f" is running: do not call {name} from inside it, nor from two threads at once"
    )
    its.clear()


def test_07_20_an_iterable_that_asks_its_own_pull_is_refused() -> None:
    """By next of pull as well, which asks in another way; its other errors pass."""
    asked: list[PullError] = []

    def numbers() -> Iterator[int]:
        try:
            next_()
        except PullError as e:
            asked.append(e)
        yield 1
        raise ValueError("its own")

    next_, stop = pullit.pull(pullit.from_iterable(numbers()))
    assert next_() == (1, True)
    with pytest.raises(ValueError, match="its own"):
        next_()
    assert next_() == (None, False)
    where = "test_07_20_an_iterable_that_asks_its_own_pull_is_refused.<locals>.numbers"
    assert [str(e) for e in asked] == [
        f"pullit.pull: next called again before yield; from_iterable({where}) is running:"
        " do not call next from inside it, nor from two threads at once"
    ]
    asked.clear()


def test_07_during_cleanup_it_is_over() -> None:
    """A producer that is being stopped finds the result ended, and may close it."""
    log: list[object] = []

    def seq(yield_: Callable[[int], Any]) -> None:
        yield_(1)
        log.extend([next(it, "end"), it.close(), it.done])

    it = pullit.zip(seq, seq)
    next(it)
    it.close()
    assert log == ["end", None, True, "end", None, True]


@pytest.mark.parametrize("call", ["__next__", "close", "send", "throw"])
def test_11_another_thread_is_refused(call: str) -> None:
    """WrongThreadError there, and here it goes on."""
    with pullit.zip(countdown, [1, 2, 3]) as it:
        next(it)
        arguments = {"send": (1,), "throw": (ConsumerError(),)}.get(call, ())
        error = error_in_thread(lambda: getattr(it, call)(*arguments))
        assert isinstance(error, WrongThreadError)
        name = {"__next__": "next"}.get(call, call)
        assert str(error) == (
            f"pullit.zip: {name} called in thread 'other', but zip(countdown, list object) was"
            " started in thread 'MainThread' and cannot change threads; call it there"
        )
        assert list(it) == [(2, 2), (1, 3)]


def test_11_one_not_started_belongs_to_no_thread() -> None:
    """Whoever asks first has it."""
    it = pullit.zip(countdown, [1, 2, 3])
    assert in_thread(lambda: list(it)) == [(3, 1), (2, 2), (1, 3)]
    assert next(it, "end") == "end"


@pytest.mark.parametrize("loop", ["for", "map", "islice", "next"])
def test_20_a_refusal_leaves_it_unharmed(loop: str) -> None:
    """Whatever asks, from C or not, here or there."""
    it = pullit.zip(countdown, [1, 2, 3])
    face: Iterator[Any] = {"map": partial(map, lambda v: v)}.get(loop, iter)(it)
    if loop == "islice":
        face = itertools.islice(it, 3)
    values = [next(face)]
    assert isinstance(error_in_thread(lambda: next(face)), WrongThreadError)
    if loop == "islice":
        face = it
    values.extend(face)
    assert values == [(3, 1), (2, 2), (1, 3)]


def test_11_of_two_threads_that_ask_first_one_is_the_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other is refused, though it looked before the first had begun; nothing ends."""
    it: Any = pullit.zip(countdown, countdown)
    claim = it._pull.claim

    def overtaken(self: Any, mine: object, call: str) -> None:
        monkeypatch.undo()
        go_on.append(in_thread(it.__next__))
        claim(mine, call)

    go_on: list[object] = []
    monkeypatch.setattr(type(it._pull), "claim", overtaken)
    with pytest.raises(WrongThreadError, match="next called in thread 'MainThread'"):
        next(it)
    assert go_on == [(3, 3)]
    assert not it.done


@pytest.mark.parametrize("make", [pullit.zip, lambda *_: iterate(from_iterable([1, 2]))])
def test_19_no_copies(make: Any) -> None:
    """Neither copy nor pickle."""
    it = make(countdown)
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="pullit.PullIterator"):
            attempt(it)


def test_19_reprs_name_the_walks_and_the_state() -> None:
    """Without calling a repr of theirs, which may do anything."""
    states: list[str] = []

    def seq(yield_: Callable[[int], Any]) -> None:
        states.append(repr(it))
        yield_(1)

    seq.__qualname__ = "seq"
    it = pullit.zip(seq, "ab", [1])
    states.append(repr(it))
    next(it)
    states.append(repr(it))
    it.close()
    states.append(repr(it))
    assert states == [
        f"<pullit.PullIterator of zip(seq, 'ab', list object), {state}>"
        for state in ("unstarted", "running", "suspended", "finished")
    ]
    assert repr(from_iterable([1, 2])) == "pullit.from_iterable([1, 2])"
    assert repr(iterate(from_iterable([1, 2]))) == (
        "<pullit.PullIterator of from_iterable(list object), unstarted>"
    )
    assert repr(pullit.pull(from_iterable([1, 2]))) == (
        "<pullit.Pull of from_iterable(list object), unstarted>"
    )


def test_19_the_seq_of_an_iterable_is_named_as_one() -> None:
    """By what the user wrote, not by a class of ours."""
    it = pullit.zip(from_iterable([1]), countdown)
    assert repr(it) == (
        "<pullit.PullIterator of zip(from_iterable(list object), countdown), unstarted>"
    )


def test_result_and_done() -> None:
    """None is the result, once all is over."""
    it = pullit.zip(countdown, [1])
    with pytest.raises(PullError) as raised:
        _ = it.result
    assert str(raised.value) == (
        "pullit.zip: no result: zip(countdown, list object) has not returned yet;"
        " look at .result when the iterator has ended by itself"
    )
    assert not it.done
    next(it)
    assert not it.done
    assert next(it, None) is None
    assert it.done
    assert it.result is None


def test_send_and_throw() -> None:
    """What is sent goes nowhere, but false stops, as it does a push iterator."""
    log: list[object] = []
    it = pullit.zip(logged(countdown, log), logged(countdown, log))
    with pytest.raises(TypeError, match="call next first"):
        it.send(1)
    assert it.send(None) == (3, 3)
    assert it.send("on") == (2, 2)
    with pytest.raises(StopIteration):
        it.send(0)
    assert log == ["start", "start", True, True, False, "end", False, "end"]
    assert it.done
    log.clear()
    it = pullit.zip(logged(countdown, log), logged(countdown, log))
    next(it)
    with pytest.raises(ConsumerError):
        it.throw(ConsumerError)
    assert log == ["start", "start", False, "end", False, "end"]
    with pytest.raises(StopIteration):
        next(it)


# iterate(from_iterable(x)) against iterate of a producer that calls it.


class Bad:
    """A value that is neither true nor false."""

    def __bool__(self) -> bool:
        raise ValueError("neither")


STEPS: list[tuple[str, tuple[Any, ...]]] = [
    ("__next__", ()),
    ("close", ()),
    ("send", (None,)),
    ("send", (1,)),
    ("send", (0,)),
    ("send", (Bad(),)),
    ("throw", (BoomError("thrown"),)),
    ("throw", (StopIteration(1),)),
    ("throw", (GeneratorExit(),)),
]


@given(
    st.lists(st.sampled_from(STEPS), max_size=6),
    st.lists(st.integers(0, 3), max_size=3).map(tuple),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=600, deadline=None)
def test_an_iterable_without_a_coroutine_is_as_one_with(
    steps: list[tuple[str, tuple[Any, ...]]], values: tuple[int, ...], fails: bool, face: bool
) -> None:
    """The same answers, errors, result, state and events after each step."""

    def run(make: Callable[[Seq[int]], Seq[int]]) -> list[object]:
        log: Log = []
        seq = make(from_iterable(Events(Walk("seq", values, fails), 0, log)))
        it = iterate(seq)
        trace: list[object] = []
        for name, arguments in steps:
            try:
                trace.append(getattr(it, name)(*arguments))
            except BaseException as e:
                trace.append((type(e), *(e.args if isinstance(e, BoomError) else ())))
            try:
                trace.append(it.result)
            except PullError as e:
                trace.append(re.sub(r"result: .* (?=has|did)", "", str(e)))
            trace.extend([it.done, *log, repr(it).rpartition(" ")[2]])
        return trace

    assert run(lambda seq: seq) == run(lambda seq: lambda yield_: seq(yield_))
    assert not live


def test_a_stop_iteration_from_iter_is_an_error() -> None:
    """RuntimeError, as in a generator: in a next it would look like the end."""

    class Ended:
        def __iter__(self) -> Iterator[int]:
            raise StopIteration

    with pytest.raises(RuntimeError):
        list(iterate(from_iterable(Ended())))
    with pytest.raises(RuntimeError):
        list(pullit.zip(Ended()))


def test_from_iterable_stops_when_yield_answers_false() -> None:
    """Each call takes a new iterator."""
    got: list[int] = []
    seq = from_iterable([1, 2, 3])

    def until_two(value: int) -> bool:
        got.append(value)
        return value < 2

    seq(until_two), seq(until_two)
    assert got == [1, 2, 1, 2]


# Many at once, and guarded ones.


@pytest.mark.parametrize("merge", [pullit.merge, lambda *seqs: heapq.merge(*map(iterate, seqs))])
def test_merge_of_20_000_open_at_once(merge: Any) -> None:
    """Each is suspended within its own yield_ while the first value is there."""
    size = 20_000

    def numbers(n: int, yield_: Callable[[int], Any]) -> None:
        if yield_(n):
            yield_(n + size)

    it = merge(*(partial(numbers, n) for n in range(size)))
    assert next(it) == 0
    assert len(live) == size
    assert list(it) == list(range(1, 2 * size))
    assert not live


def test_17_zip_of_two_callback_walks_says_what_to_do() -> None:
    """PullError before native code could crash, and both are stopped, newest first."""
    log: list[object] = []

    def walk(name: str, callback: Callable[[Any], Any]) -> None:
        try:
            for n in range(3):
                callback(n)
        finally:
            log.append(name)

    def outer(callback: Callable[[int], Any]) -> None:
        walk("outer", callback)

    def inner(callback: Callable[[int], Any]) -> None:
        walk("inner", callback)

    outer.__qualname__, inner.__qualname__ = "outer", "inner"
    it = pullit.zip(pullit.from_callback(outer), pullit.from_callback(inner))
    assert next(it) == (0, 0)
    with pytest.raises(PullError) as raised:
        next(it)
    assert str(raised.value) == (
        "pullit.iterate: from_callback(outer) was resumed while from_callback(inner), which"
        " began later, is suspended; native libraries crash when that happens: close the later"
        " one first, collect one of the two into a list, or pass interleave=True to"
        " from_callback if the API is known to survive it"
    )
    assert log == ["inner", "outer"]
    assert it.done
    both = pullit.zip(*(pullit.from_callback(run, interleave=True) for run in (outer, inner)))
    assert list(both) == [(0, 0), (1, 1), (2, 2)]
    collected = list(iterate(pullit.from_callback(inner)))
    assert list(pullit.zip(pullit.from_callback(outer), collected)) == [(0, 0), (1, 1), (2, 2)]


# equal.


def test_equal_stops_at_the_first_difference() -> None:
    """Neither is asked for another value, and both have returned, newest first."""
    log: Log = []
    a = Events(Walk("push", (1, 2, 3)), 0, log)
    b = Events(Walk("push", (1, 0, 3)), 1, log)
    assert not pullit.equal(a.push, b.push)
    assert log.count(("value", 0)) == log.count(("value", 1)) == 2
    assert log[-2:] == [("stopped", 1), ("stopped", 0)]


@pytest.mark.parametrize("other", [(3, 2), (3, 2, 1, 0), (), (3, 2, 1)])
def test_eq_is_never_called_with_a_missing_side(other: tuple[int, ...]) -> None:
    """It gets a value of each, the first argument's first."""
    calls: list[tuple[int, int]] = []

    def same(a: int, b: int) -> bool:
        calls.append((a, b))
        return a == b

    assert pullit.equal(countdown, other, eq=same) == (other == (3, 2, 1))
    assert calls == list(builtins.zip((3, 2, 1), other, strict=False))


def test_eq_is_used_even_if_it_is_false() -> None:
    """Only None stands for ==."""

    class Same(list[int]):
        def __call__(self, a: int, b: int) -> bool:
            return True

    assert pullit.equal([1], [2], eq=Same())


def test_nan_differs_from_itself() -> None:
    """Unlike in a list, whose equality looks at identity first."""
    assert [math.nan] == [math.nan]
    assert not pullit.equal([math.nan], [math.nan])


def test_equal_when_eq_fails() -> None:
    """Its error is raised when both have been stopped, whose errors have it as context."""

    def eq(a: int, b: int) -> bool:
        raise ConsumerError

    log: Log = []
    rude = [Events(Walk("push", (1, 2), rude=True), i, log).push for i in range(2)]
    with pytest.raises(RudeError) as raised:
        pullit.equal(*rude, eq=eq)
    assert contexts(raised.value) == [(ConsumerError,), (RudeError, 1), (RudeError, 0)]
    check_nothing_left(log)


# Arguments that are neither.


def numbers() -> Iterator[int]:
    """A generator function, which is no push iterator."""
    yield 1


async def later(yield_: Callable[[int], Any]) -> None:
    """An async function, which is none either."""


WRONG = [
    (3, "int 3; pass a function that calls yield_(value) for each value"),
    (None, "NoneType None; pass a function that calls yield_(value) for each value"),
    (
        numbers,
        "generator function numbers; pass numbers(...), or call yield_ in it, not yield",
    ),
    (later, "async function later; pass a plain function"),
]


@pytest.mark.parametrize(("wrong", "text"), WRONG)
@pytest.mark.parametrize("name", ["zip", "zip_longest", "merge", "equal"])
def test_what_is_neither_is_refused_at_once(name: str, wrong: Any, text: str) -> None:
    """TypeError names the call, the argument's place, what came, and what to pass."""
    with pytest.raises(TypeError) as raised:
        getattr(pullit, name)(countdown, wrong)
    assert str(raised.value) == (
        f"pullit.{name}: argument 2 must be a push iterator, a function that takes yield_,"
        f" or an iterable, not {text}"
    )


@pytest.mark.parametrize("wrong", [3, None])
def test_from_iterable_of_none_is_refused(wrong: Any) -> None:
    """TypeError says what came."""
    with pytest.raises(TypeError) as raised:
        from_iterable(wrong)
    assert str(raised.value) == (
        f"pullit.from_iterable: expected an iterable, not {type(wrong).__name__} {wrong}"
    )


class Strike(Exception):  # noqa: N818
    """What a signal's handler raises."""


@pytest.mark.parametrize("fails", [False, True])
def test_wherever_a_signal_strikes_it_can_be_used_or_is_over(fails: bool) -> None:
    """Also when it is about to end, of itself or by an error."""

    def profile(frame: Any, event: str, arg: object) -> None:
        if event in ("call", "c_return") and next(places) == k:
            raise Strike

    hook = sys.unraisablehook
    sys.unraisablehook = lambda args: None
    try:
        for k in itertools.count(1):
            it = pullit.zip([1, 2, 3, 4], failing(BoomError(), 2) if fails else countdown)
            places = itertools.count(1)
            sys.setprofile(profile)
            try:
                list(it)
            except (Strike, BoomError):
                pass
            finally:
                sys.setprofile(None)
            assert "running" not in repr(it)
            with suppress(BoomError):
                it.close()
            assert "finished" in repr(it)
            if next(places) <= k:
                break
        assert k > 10
    finally:
        sys.unraisablehook = hook


def test_14_a_zip_that_is_asked_stops_what_another_thread_has_dropped() -> None:
    """As every call of pullit in the owner's thread does."""
    ended: list[int] = []

    def seq(yield_: Callable[[int], Any]) -> None:
        yield_(1)
        ended.append(1)

    it = pullit.zip([1, 2], [3, 4])
    assert next(it) == (1, 3)
    holder = [made_elsewhere(lambda: pullit.iterate(seq))]
    next(holder[0])
    with pytest.warns(ResourceWarning):
        in_thread(holder.clear)
    assert ended == []
    assert next(it) == (2, 4)
    assert ended == [1]
