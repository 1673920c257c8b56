"""Many pulls at once, used and misused at random: the invariants hold after each step.

Each pull is made twice, of pullit and of test_model's model, and both are to do the
same. What is in test_model a program is here what Hypothesis does next.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar, cast

from conftest import ENGINES
from elsewhere import FREE_THREADED, in_thread, wait_until
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from invariants import check, check_registries
from test_model import (
    KINDS,
    BoomError,
    Face,
    Handle,
    Log,
    Make,
    Model,
    Producer,
    RealIterator,
    Task,
    describe,
    finish,
    logging_unraisable,
    on_ahead_model,
    on_model,
    on_pullit,
)

import pullit
from pullit import PullError
from pullit._lifetimes import live
from pullit._on_thread import ThreadPull
from pullit._per_thread import per_thread
from pullit._types import Engine

T = TypeVar("T")

# Producers, which run on either side: they make pulls of their own with *make*.

MakeProducer: TypeAlias = Callable[[Make, Log], Producer]


def finite(make: Make, log: Log) -> Producer:
    """Yield 0, 1, 2."""

    def producer(handle: Handle) -> Task:
        for n in range(3):
            answer = yield from handle.yield_(n)
            log.append(("answer", describe(answer)))
            if answer is False:
                return "stopped"
        return "ended"

    return producer


def raising(make: Make, log: Log) -> Producer:
    """Yield once, and raise."""

    def producer(handle: Handle) -> Task:
        yield from handle.yield_(None)
        raise BoomError("raising")

    return producer


def raising_at_once(make: Make, log: Log) -> Producer:
    """Raise before anything is yielded."""

    def producer(handle: Handle) -> Task:
        yield from ()
        raise BoomError("at once")

    return producer


def empty(make: Make, log: Log) -> Producer:
    """Yield nothing."""

    def producer(handle: Handle) -> Task:
        yield from ()
        return 0

    return producer


def heedless(make: Make, log: Log) -> Producer:
    """Ignore what yield_ answers, and clean up."""

    def producer(handle: Handle) -> Task:
        try:
            for n in range(5):
                yield from handle.yield_(n)
        finally:
            log.append(("cleaned up",))

    return producer


def deaf(make: Make, log: Log) -> Producer:
    """Swallow whatever yield_ raises."""

    def producer(handle: Handle) -> Task:
        for n in range(8):
            try:
                answer = yield from handle.yield_(n)
                log.append(("answer", describe(answer)))
            except tuple(KINDS.values()) as e:
                log.append(("swallowed", describe(e)))
        return "drained"

    return producer


def reentrant(make: Make, log: Log) -> Producer:
    """Call next and stop of the pull that is running, and go on."""

    def producer(handle: Handle) -> Task:
        for n in range(3):
            for call in handle.next, handle.stop:
                try:
                    got = yield from call()
                    log.append(("got", describe(got)))
                except PullError as e:
                    log.append(("refused", describe(e)))
            if (yield from handle.yield_(n)) is False:
                return "stopped"
        return "ended"

    return producer


def nested(make: Make, log: Log) -> Producer:
    """Yield what an inner pull gives, and stop that."""

    def producer(handle: Handle) -> Task:
        inner = make("iterate", finite(make, log), log)
        try:
            while True:
                value, ok = yield from inner.next()
                if not ok or (yield from handle.yield_(value)) is False:
                    return value
        finally:
            yield from inner.stop()
            log.append(("inner", describe(inner.look())))

    return producer


def recursive(make: Make, log: Log) -> Producer:
    """Yield from inside the producers of inner pulls, three deep."""

    def producer(handle: Handle) -> Task:
        def walk(depth: int) -> Producer:
            def inner(_: Handle) -> Task:
                if (yield from handle.yield_(depth)) is False or not depth:
                    return depth
                child = make("pull", walk(depth - 1), log)
                try:
                    yield from child.next()
                finally:
                    yield from child.stop()
                yield from handle.yield_(-depth)
                return depth

            return inner

        return (yield from walk(2)(handle))

    return producer


PRODUCERS = [
    finite,
    raising,
    raising_at_once,
    empty,
    heedless,
    deaf,
    reentrant,
    nested,
    recursive,
]


def calling_back(handle: Handle) -> Task:
    """What from_callback makes of an API: told to stop, its callback raises."""
    answers = []
    for n in range(3):
        answer = yield from handle.yield_(n)
        if cast(Model, handle).done:
            yield from handle.yield_(n)  # which raises PullExit
        answers.append(None if answer is True else answer)
    return answers


class Calling(RealIterator):
    """An iterator over an API that calls back."""

    def seq(self, yield_: Callable[[object], Any]) -> object:
        self.kept = yield_
        seq: Any = pullit.from_callback(self.api, interleave=True)
        return seq(yield_)

    def api(self, callback: Callable[[object], Any]) -> object:
        return [callback(n) for n in range(3)]


@dataclass
class Twins:
    """A pull of pullit, its model, and what each of them has logged."""

    engine: Engine
    real: Any
    model: Any
    real_log: Log
    model_log: Log
    pull: Any = field(init=False)
    asked_elsewhere: bool = False  # the latest next came from another thread

    def __post_init__(self) -> None:
        self.pull = self.real.handle._pull

    @property
    def started(self) -> bool:
        return self.model.task is not None

    @property
    def bound(self) -> bool:
        """Whether it belongs to the thread where it was started."""
        return self.engine == "greenlet" and self.under_way

    @property
    def under_way(self) -> bool:
        return self.started and not self.model.ended


def outcome(handle: Any, call: str, *args: object) -> tuple[str, ...]:
    """Return what *call* has given or raised."""
    try:
        return "returned", describe(finish(getattr(handle, call)(*args)))
    except AssertionError:
        raise
    except BaseException as e:
        return "raised", describe(e)


pulls: Bundle[Twins] = Bundle("pulls")
nexts = st.just(("next", None))
sends = st.tuples(st.just("send"), st.sampled_from([None, 0, 1, False, "x"]))
throws = st.tuples(st.just("throw"), st.sampled_from(["boom", "exit", "greenlet"]))
misuses = st.tuples(st.just("yield_"), st.just("late"))
asks = st.lists(st.one_of(nexts, nexts, nexts, sends, throws, misuses), min_size=1, max_size=5)


class Pulls(RuleBasedStateMachine):
    """Steps, any of which may follow any other."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[Twins] = []
        self.left: list[Twins] = []  # dropped in another thread, and not yet stopped
        self.heard: Log = []  # from sys.unraisablehook
        self.others = set(live)

    @rule(
        target=pulls,
        engine=st.sampled_from(ENGINES),
        face=st.sampled_from(["iterate", "iterate", "pull"]),
        n=st.sampled_from([0, 0, 2, 3]),
        producer=st.sampled_from(PRODUCERS),
        nexts=st.integers(0, 3),
    )
    def make(self, engine: Engine, face: Face, n: int, producer: MakeProducer, nexts: int) -> Twins:
        """Make one, which stops what was left, and ask for its first values.

        How far ahead a thread has read, no model knows.
        """
        logs: tuple[Log, Log] = [], []
        inside = on_pullit(engine), on_model(engine)
        n = 0 if engine == "thread" else n
        with logging_unraisable(self.heard):
            real = on_pullit(engine, n)(face, producer(inside[0], logs[0]), logs[0])
        make = on_ahead_model(n) if n else inside[1]
        model = make(face, producer(inside[1], logs[1]), logs[1])
        return self.add(Twins(engine, real, model, *logs), nexts)

    @rule(target=pulls, engine=st.sampled_from(ENGINES), nexts=st.integers(0, 3))
    def make_of_callback(self, engine: Engine, nexts: int) -> Twins:
        with logging_unraisable(self.heard):
            real = Calling(calling_back, engine, 0)
        model = Model("iterate", calling_back, [], engine)
        return self.add(Twins(engine, real, model, [], model.log), nexts)

    def add(self, twins: Twins, nexts: int) -> Twins:
        self.open.append(twins)
        self.compare(twins, sweeps=True)
        for _ in range(nexts):
            self.both(twins, "next")
        return twins

    @rule(twins=pulls, asked=asks)
    def ask(self, twins: Twins, asked: list[tuple[str, object]]) -> None:
        """Call next, or send or throw of an iterator, or the yield_ that it got hold of."""
        for call, value in asked:
            if call == "next":
                self.both(twins, call)
            elif call == "yield_" and twins.asked_elsewhere:
                pass  # this thread is not the consumer: it would be one more producer
            elif call == "yield_" or twins.model.face == "iterate":
                self.both(twins, call, value)

    @rule(twins=pulls)
    def stop(self, twins: Twins) -> None:
        self.both(twins, "stop")

    @rule(twins=consumes(pulls))
    def drop(self, twins: Twins) -> None:
        self.open.remove(twins)
        self.both(twins, "drop")

    @rule(twins=pulls, call=st.sampled_from(["next", "stop"]))
    def use_elsewhere(self, twins: Twins, call: str) -> None:
        """Another thread does what it may; else it is refused, and does no harm."""
        if not twins.started and call == "next" and twins.engine == "greenlet":
            return  # it would be stopped again when that thread ends
        with logging_unraisable(self.heard):
            got = in_thread(outcome, twins.real, call)
        twins.asked_elsewhere |= call == "next" and twins.engine == "thread"
        if twins.bound:  # whatever it has read ahead
            assert got == ("raised", "WrongThreadError")
        else:
            assert got == outcome(twins.model, call)
        self.compare(twins)

    @rule(twins=consumes(pulls))
    def drop_elsewhere(self, twins: Twins) -> None:
        """What belongs to this thread is left to it."""
        self.open.remove(twins)
        with warnings.catch_warnings(record=True) as caught, logging_unraisable(self.heard):
            warnings.simplefilter("always")
            in_thread(outcome, twins.real, "drop")
        # In a free-threaded build this thread, which has made it, is who frees it.
        is_left = twins.bound and not FREE_THREADED
        assert [w.category for w in caught] == [ResourceWarning] * is_left
        if is_left:
            self.left.append(twins)
        else:
            wait_until(twins.pull.over)  # who drops it elsewhere may not wait for it
            outcome(twins.model, "drop")
        self.compare(twins)

    def both(self, twins: Twins, call: str, *args: object) -> None:
        """Have the pull and its model do the same."""
        asks = call in ("next", "stop", "drop") and not twins.model.ended
        sweeps = asks and not getattr(twins.model, "given", None)
        with logging_unraisable(self.heard):
            got = outcome(twins.real, call, *args)
        if call == "drop" and twins.engine == "thread":
            # Not waited for, where this thread cannot know that all of seq waits.
            wait_until(twins.pull.over)
        if call in ("next", "send", "throw"):
            twins.asked_elsewhere = False
        assert got == outcome(twins.model, call, *args)
        self.compare(twins, sweeps)

    def compare(self, twins: Twins, sweeps: bool = False) -> None:
        """Compare the two, and what was left and is now stopped; with *sweeps*, all of that."""
        stopped = [t for t in self.left if t.pull.over()]
        assert stopped == self.left or not sweeps
        self.left = [t for t in self.left if t not in stopped]
        for t in stopped:
            outcome(t.model, "drop")
        for t in [twins, *stopped]:
            told = [what for what in t.model_log if what[0] == "unraisable"]
            for what in told:
                t.model_log.remove(what)
                self.heard.remove(what)
            assert t.real_log == t.model_log
        assert not self.heard
        if twins.real.handle:
            assert twins.real.look() == twins.model.look()

    @invariant()
    def check(self) -> None:
        # A producer may wait in next of an inner pull, whose producer waits in the outer yield_.
        inner = {p for p in live if isinstance(p, ThreadPull) and p.shown_state() == "running"}
        for pull in {twins.pull for twins in self.open} | (set(live) - inner):
            check(pull)
        check_registries()
        for twins in self.open:
            assert (twins.pull in live) == twins.under_way
        assert per_thread().dropped == [twins.pull for twins in self.left]

    def teardown(self) -> None:
        """Whatever is still there can be dropped, and nothing stays."""
        self.make("greenlet", "pull", 0, finite, 0)  # which stops what was left
        while self.open:
            self.both(self.open.pop(), "drop")
        assert set(live) <= self.others


Pulls.TestCase.settings = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=100,
    stateful_step_count=40,
    suppress_health_check=[*HealthCheck],
)
TestPulls = Pulls.TestCase
