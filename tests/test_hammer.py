"""Hammers: threads that do at one instant what a program does seldom, hundreds of times.

They are for builds without the GIL, where threads run at once. With it, the interpreter
switches between them as often as it can. Each asserts that nothing is lost, comes twice or
is left, and fails after a while instead of hanging.
"""

from __future__ import annotations

import asyncio
import gc
import queue
import random
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from elsewhere import made_elsewhere, wait_until
from invariants import check, check_all

import pullit
from pullit import PullError, PullExit, WrongThreadError
from pullit._channel import Channel
from pullit._lifetimes import left, live
from pullit._per_thread import per_thread
from pullit._types import Engine

CREW = 8

# Time for one hammer, in seconds; one takes a tenth of it, on a machine with nothing else to do.
LIMIT = 60


@pytest.fixture(autouse=True)
def quick_switches() -> Iterator[None]:
    """Have threads come between each other often, where only one runs at a time."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.fixture
def anywhere() -> Iterator[None]:
    """Have another thread run between any two bytecodes of pullit's, as without the GIL.

    With it, threads are switched after calls and at the ends of loops only.
    """
    chance = random.Random(1)

    def stumble(frame: Any, event: str, arg: object) -> Any:
        if event == "opcode" and chance.random() < 0.05:
            time.sleep(0)
        return stumble

    def trace(frame: Any, event: str, arg: object) -> Any:
        if not str(frame.f_globals.get("__name__")).startswith("pullit."):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return stumble

    before = threading.gettrace()
    threading.settrace(trace)
    yield
    threading.settrace(before)


def together(*works: Callable[[], object]) -> None:
    """Run *works*, each in a thread, from one instant on; raise what the first of them did.

    A thread that does not end in time fails the test, and is left: it is a daemon.
    """
    errors: list[BaseException] = []
    meeting = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        try:
            meeting.wait(LIMIT)
            work()
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    end = time.monotonic() + LIMIT
    for thread in threads:
        thread.join(max(0, end - time.monotonic()))
    hanging = [thread.name for thread in threads if thread.is_alive()]
    if errors:
        raise errors[0]
    assert not hanging


def numbers(count: int) -> Callable[[Callable[[int], Any]], str]:
    def seq(yield_: Callable[[int], Any]) -> str:
        for n in range(count):
            if not yield_(n):
                return "stopped"
        return "all"

    return seq


@pytest.mark.parametrize("n", [0, 2, 64])
def test_21_each_value_goes_to_one_of_many_that_ask(n: int) -> None:
    """Who asks while another is served is refused, with PullError and nothing else."""
    for _ in range(6):
        it: Any = pullit.iterate(numbers(120), engine="thread", read_ahead=n)
        got: list[int] = []
        results: list[str] = []

        def walk(it: Any = it, got: list[int] = got, results: list[str] = results) -> None:
            while True:
                try:
                    got.append(next(it))
                except StopIteration as e:
                    if e.value is not None:
                        results.append(e.value)
                    return
                except PullError:
                    time.sleep(0)
                assert repr(it).endswith((", suspended>", ", running>", ", unstarted>", "ed>"))

        together(*[walk] * CREW)
        assert sorted(got) == list(range(120))
        assert results == ["all"]  # the end is told once
        check_all([it._pull])


@pytest.mark.usefixtures("anywhere")
@pytest.mark.parametrize("n", [0, 2, 64])
def test_21_no_two_bytecodes_need_to_be_one(n: int) -> None:
    """Of a next, where many ask, and of its refusal."""
    test_21_each_value_goes_to_one_of_many_that_ask(n)


@pytest.mark.parametrize("n", [0, 2])
def test_21_some_ask_and_one_closes(n: int) -> None:
    """What was given out is the beginning, once each; after the close all are at the end."""
    for round in range(15):
        it: Any = pullit.iterate(numbers(10_000), engine="thread", read_ahead=n)
        got: list[int] = []

        def walk(it: Any = it, got: list[int] = got) -> None:
            while True:
                try:
                    got.append(next(it))
                except StopIteration:
                    return
                except PullError:
                    pass
                time.sleep(1e-4)  # so that the close has its turn

        def close(it: Any = it, got: list[int] = got, enough: int = round) -> None:
            wait_until(lambda: len(got) >= enough)
            while True:
                try:
                    it.close()
                    return
                except PullError:
                    time.sleep(0)

        together(walk, walk, walk, close)
        assert sorted(got) == list(range(len(got)))
        wait_until(it._pull.over)
        check_all([it._pull])


@pytest.mark.parametrize("n", [0, 3])
def test_14_threads_drop_each_others_iterators(n: int, engine: Engine) -> None:
    """Each seq ends once, in a thread that may; nothing is left when the threads have ended."""
    ended: list[bool] = []
    bags: list[list[Any]] = [[] for _ in range(CREW)]
    started = [0] * CREW

    def work(k: int) -> None:
        def seq(yield_: Callable[[int], Any]) -> None:
            here = threading.get_ident()
            try:
                while yield_(1):
                    pass
            finally:
                ended.append(here == threading.get_ident())

        for turn in range(60):
            it = pullit.iterate(seq, engine=engine, read_ahead=n)
            next(it)
            started[k] += 1
            bags[(k + turn) % CREW].append(it)
            del it
            try:
                bags[k].pop()  # which this drops, whoever has made it
            except IndexError:
                pass

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        together(*[lambda k=k: work(k) for k in range(CREW)])
        for bag in bags:
            bag.clear()
        gc.collect()
        # Whoever reads ahead on threads is told, and nobody waits.
        wait_until(lambda: len(ended) == sum(started))
    assert all(ended)
    wait_until(lambda: not left)
    wait_until(lambda: not live)
    check_all([])


def test_11_of_many_that_start_one_pull_at_an_instant_one_has_it(engine: Engine) -> None:
    """seq runs once. On greenlets all others are refused as wrong threads, or find the end."""
    for _ in range(100):
        runs: list[int] = []

        def seq(yield_: Callable[[int], Any], runs: list[int] = runs) -> None:
            runs.append(1)
            yield_(7)

        next_, stop = pullit.pull(seq, engine=engine)
        pull: Any = stop.__self__._pull  # type: ignore[attr-defined]
        got: list[object] = []

        def ask(next_: Any = next_, got: list[object] = got) -> None:
            try:
                got.append(next_())
            except PullError as e:
                got.append(type(e))

        def end(stop: Any = stop, got: list[object] = got) -> None:
            try:
                stop()
            except PullError as e:
                got.append(type(e))

        together(*[ask] * (CREW - 1), end)
        assert len(runs) <= 1
        assert got.count((7, True)) <= len(runs)
        refusals = {WrongThreadError} if engine == "greenlet" else {PullError}
        assert set(got) <= {(7, True), (None, False), *refusals}
        try:
            stop()
        except WrongThreadError:  # pragma: no cover  its thread has ended, and it with it
            pass
        assert pull.over()
        check(pull)
        check_all([])


@pytest.mark.parametrize("how", ["close", "drop", "aclose", "dropped task"])
@pytest.mark.parametrize("n", [0, 3])
def test_21_many_yield_and_a_stop_comes_at_random(n: int, how: str) -> None:
    """Each thread hears of it, once as False; no value comes twice, and each that was
    answered True, in lockstep, has been taken."""
    chance = random.Random(n)
    for _ in range(6):
        answered: list[list[object]] = [[] for _ in range(CREW)]

        def seq(yield_: Callable[[Any], Any], answered: Any = answered) -> str:
            def work(k: int) -> None:
                try:
                    for i in range(1000):
                        answer = yield_((k, i))
                        answered[k].append(answer)
                        if not answer:
                            yield_("too late")
                except PullExit:
                    answered[k].append(PullExit)

            together(*[lambda k=k: work(k) for k in range(CREW)])
            return "ended"

        count = chance.randrange(1, 60)
        got: list[Any] = []
        if how in ("close", "drop"):
            it: Any = pullit.iterate(seq, engine="thread", read_ahead=n)
            pull: Any = it._pull
            got.extend(value for value, _ in zip(it, range(count), strict=False))
            if how == "close":
                assert it.close() == "ended"
            del it
        else:
            pull = asyncio.run(take_and_leave(seq, n, count, how, got))
        wait_until(lambda: pull.ended and pull.over())
        for answers in answered:
            assert answers[-2:] == [False, PullExit]
            assert answers[:-2] == [True] * (len(answers) - 2)
            assert not n or len(answers) < 1000
        assert len(got) == len(set(got))
        for k in range(CREW):
            assert [i for of, i in got if of == k] == list(range(sum(of == k for of, _ in got)))
        if not n:
            assert sum(answers.count(True) for answers in answered) in (len(got), len(got) - 1)
        check_left(pull)


async def take_and_leave(seq: Any, n: int, count: int, how: str, got: list[Any]) -> Any:
    """Take *count* values in a task, then leave *seq* in the way that is named *how*."""
    it = pullit.aiterate(seq, read_ahead=n)

    async def walk() -> None:
        async for value in it:
            got.append(value)
            if len(got) == count:
                return

    await asyncio.wait_for(walk(), LIMIT)
    pull = it._pull
    if how == "aclose":
        assert await asyncio.wait_for(it.aclose(), LIMIT) == "ended"
    else:
        task = asyncio.ensure_future(it.__anext__())
        await asyncio.sleep(0)
        task.cancel()
    return pull


def check_left(pull: Any) -> None:
    """Check that a pull on a thread, which is over, has let go of all."""
    assert isinstance(pull, Channel)
    assert pull not in live
    assert pull.thread is None
    assert pull.seq is pull.argument is None
    assert not pull.errors
    assert all(not call.gate.locked() or call.order is not None for call in pull.waiting)


@pytest.mark.parametrize("how", ["sync", "async"])
def test_an_api_that_waits_for_its_source_is_stopped_whenever_the_close_comes(how: str) -> None:
    """Before it is called, while it waits, and while a callback does; stop is called once."""
    chance = random.Random(1)
    for _ in range(80):
        source: queue.Queue[int | None] = queue.Queue()
        stops: list[int] = []

        def run(callback: Callable[[int], Any], source: Any = source) -> str:
            while (item := source.get(timeout=LIMIT)) is not None:
                callback(item)
            return "told"

        def stop(source: Any = source, stops: list[int] = stops) -> None:
            stops.append(1)
            source.put(None)

        seq = pullit.from_callback(run, stop=stop)
        count = chance.randrange(3)

        def feed(source: Any = source, count: int = count) -> None:
            for n in range(count):
                source.put(n)

        async def main(seq: Any = seq, count: int = count) -> Any:
            it = pullit.aiterate(seq, read_ahead=chance.choice([0, 4]))
            for _ in range(count):
                await asyncio.wait_for(anext(it), LIMIT)
            waits = asyncio.ensure_future(it.__anext__())
            await asyncio.sleep(0)
            waits.cancel()
            await asyncio.wait([waits])  # an aclose while it waits would be refused
            await asyncio.wait_for(it.aclose(), LIMIT)
            return it._pull

        def sync(seq: Any = seq, count: int = count) -> Any:
            it: Any = pullit.iterate(seq, engine="thread", read_ahead=4)
            for _ in range(count):
                next(it)
            it.close()
            return it._pull

        pulls: list[Any] = []
        together(feed, lambda: pulls.append(asyncio.run(main()) if how == "async" else sync()))
        assert len(stops) <= 1
        assert pulls[0].over()
        check_left(pulls[0])


def test_14_many_leave_pulls_to_one_owner_that_goes_on() -> None:
    """It stops each, once, in its own thread, and soon: a loop that needs no look is told."""
    for _ in range(4):
        ended: list[int] = []
        bags: list[list[Any]] = [[] for _ in range(CREW)]
        ready, dropped = threading.Event(), threading.Event()
        idents: list[int] = []

        def seq(yield_: Callable[[int], Any], ended: list[int] = ended) -> None:
            yield_(1)
            ended.append(threading.get_ident())

        def own(
            seq: Any = seq,
            bags: Any = bags,
            ready: Any = ready,
            dropped: Any = dropped,
            ended: Any = ended,
            idents: Any = idents,
        ) -> None:
            idents.append(threading.get_ident())
            endless = pullit.iterate(lambda yield_: all(map(yield_, iter(int, 1))))
            next(endless)
            # Made elsewhere, so that who drops one leaves it to us, without the GIL, too.
            its = made_elsewhere(lambda: [pullit.iterate(seq) for _ in range(12 * CREW)])
            while its:
                next(its[-1])
                bags[len(its) % len(bags)].append(its.pop())
            ready.set()
            wait_until(lambda: next(endless) == 0 and dropped.is_set())
            wait_until(lambda: next(endless) == 0 and len(ended) == 12 * CREW)
            endless.close()
            assert not per_thread().dropped
            check_all([])

        def leave(k: int, bags: Any = bags, ready: Any = ready) -> None:
            ready.wait(LIMIT)
            while bags[k]:
                bags[k].pop()

        def work(dropped: Any = dropped, leave: Any = leave) -> None:
            together(*[lambda k=k: leave(k) for k in range(CREW)])
            dropped.set()

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            together(own, work)
        assert ended == idents * 12 * CREW
        assert not left


def test_14_an_owner_ends_while_others_drop_its_pulls() -> None:
    """All are stopped, by it; nothing is left to a thread that is no more."""
    for _ in range(40):
        ended: list[int] = []
        bags: list[list[Any]] = [[] for _ in range(3)]
        ready = threading.Event()
        idents: list[int] = []

        def seq(yield_: Callable[[int], Any], ended: list[int] = ended) -> None:
            yield_(1)
            ended.append(threading.get_ident())

        def own(seq: Any = seq, bags: Any = bags, ready: Any = ready, idents: Any = idents) -> None:
            idents.append(threading.get_ident())
            # Made elsewhere, so that who drops one leaves it to us, without the GIL, too.
            its = made_elsewhere(lambda: [pullit.iterate(seq) for _ in range(24)])
            while its:
                next(its[-1])
                bags[len(its) % len(bags)].append(its.pop())
            ready.set()

        def leave(k: int, bags: Any = bags, ready: Any = ready) -> None:
            ready.wait(LIMIT)
            while bags[k]:
                bags[k].pop()

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            together(own, *[lambda k=k: leave(k) for k in range(3)])
        wait_until(lambda: len(ended) == 24)
        assert ended == idents * 24
        assert not left
        wait_until(lambda: not live)
