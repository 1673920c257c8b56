"""aiterate: contract 23 to 30, and what of the others holds for it."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import gc
import importlib
import pickle
import random
import sys
import threading
import time
import traceback
import warnings
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from typing import Any, TypeAlias

import anyio
import pytest
import trio
from elsewhere import in_thread, made_elsewhere, run_script, wait_until
from producers import countdown, deaf, failing, logged
from strikes import Strike

import pullit
from pullit import (
    AsyncPullIterator,
    PullError,
    PullExit,
    Seq,
    aiterate,
    aiterate2,
    from_callback,
    from_iterable,
    iterate,
)
from pullit._errors import is_ours

Run: TypeAlias = Callable[[Coroutine[Any, Any, Any]], Any]

AHEAD = [0, 1, 2, 64]


@pytest.fixture(params=["asyncio", "uvloop"])
def new_loop(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes an event loop, of each kind."""
    kind: Any = asyncio
    if request.param == "uvloop":
        kind = pytest.importorskip("uvloop")
    return kind.new_event_loop  # type: ignore[no-any-return]


@pytest.fixture
def run(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> Run:
    """What runs a coroutine in a new event loop, in debug mode, as asyncio.run does."""

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=new_loop, debug=True) as runner:
            return runner.run(coroutine)

    return run


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    """A coroutine that nobody has awaited, or a loop left open, fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


class Gate:
    """A producer that yields 0, 1, 2, ... whenever it is let through."""

    def __init__(self) -> None:
        self.tickets = threading.Semaphore(0)
        self.answers: list[object] = []
        self.begun = threading.Event()
        self.ended = threading.Event()

    def __call__(self, yield_: Callable[[int], Any]) -> str:
        n = 0
        self.begun.set()
        try:
            while True:
                self.tickets.acquire()
                answer = yield_(n)
                self.answers.append(answer)
                if not answer:
                    return "stopped"
                n += 1
        finally:
            self.ended.set()

    def open(self, values: int = 1) -> None:
        self.tickets.release(values)


async def gather_values(it: AsyncPullIterator[Any]) -> list[Any]:
    return [value async for value in it]


async def until(condition: Callable[[], object]) -> None:
    """Let the loop and other threads run until *condition* returns something true."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.001)


async def cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel *task*, and see it end so."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# 23: a thread of its own. 24: lockstep, and reading ahead.


@pytest.mark.parametrize("n", AHEAD)
def test_23_values_result_and_end(run: Run, n: int) -> None:
    """As iterate gives them; the thread is gone at the end."""

    async def main() -> None:
        it = aiterate(countdown, read_ahead=n)
        assert isinstance(it, AsyncGenerator)
        assert it.__aiter__() is it
        assert not it.done
        assert await gather_values(it) == [3, 2, 1]
        assert it.done
        assert it.result == "lift-off"
        for _ in range(2):
            with pytest.raises(StopAsyncIteration):
                await anext(it)
            assert await anext(it, "default") == "default"
            assert await it.aclose() is None
        assert not any(t.name.startswith("pullit") for t in threading.enumerate())

    run(main())


@pytest.mark.parametrize("n", AHEAD)
def test_23_pairs(run: Run, n: int) -> None:
    def items(yield_: Callable[[str, int], Any]) -> None:
        yield_("one", 1)
        yield_("two", 2)

    async def main() -> None:
        assert await gather_values(aiterate2(items, read_ahead=n)) == [("one", 1), ("two", 2)]

    run(main())


def test_23_seq_runs_in_a_thread_named_after_it(run: Run) -> None:
    """Not in the loop's, nor in that of the default executor."""

    def names(yield_: Callable[[str], Any]) -> None:
        yield_(threading.current_thread().name)

    async def main() -> None:
        name = f"pullit {names.__qualname__}"
        assert await gather_values(aiterate(names)) == [name]
        assert getattr(asyncio.get_running_loop(), "_default_executor", None) is None

    run(main())


def test_23_making_it_runs_nothing_and_the_first_anext_starts_it(run: Run) -> None:
    log: list[object] = []

    async def main() -> None:
        it = aiterate(logged(countdown, log))
        coroutine = it.__anext__()
        assert repr(it).endswith("unstarted>")
        assert log == []
        assert await coroutine == 3
        assert log == ["start"]
        await it.aclose()

    run(main())


def test_23_it_runs_in_a_copy_of_the_first_anexts_context(run: Run) -> None:
    variable = contextvars.ContextVar("variable", default="none")

    def seq(yield_: Callable[[str], Any]) -> None:
        for word in ("seq's", "seq's again"):
            yield_(variable.get())
            variable.set(word)
        yield_(variable.get())

    async def main() -> None:
        it = aiterate(seq)
        variable.set("first")
        assert await anext(it) == "first"
        variable.set("second")
        assert await gather_values(it) == ["seq's", "seq's again"]
        assert variable.get() == "second"

    run(main())


def test_23_nothing_blocks_the_loop(run: Run) -> None:
    """Not a seq that waits, nor one that takes its time to stop."""
    gate, stopping = Gate(), threading.Event()

    def seq(yield_: Callable[[int], Any]) -> None:
        gate(yield_)
        assert stopping.wait(10)

    async def main() -> None:
        it = aiterate(seq)
        asking = asyncio.ensure_future(anext(it))
        await until(gate.begun.is_set)
        gate.open()
        assert await asking == 0
        gate.open()
        closing = asyncio.ensure_future(it.aclose())
        await until(gate.ended.is_set)
        assert not closing.done()
        stopping.set()
        await closing

    run(main())


def test_23_an_iterable_runs_in_the_thread_too(run: Run) -> None:
    """A generator that blocks is closed there."""
    threads: list[int] = []

    def numbers() -> Iterator[int]:
        try:
            for i in range(5):
                threads.append(threading.get_ident())
                yield i
        finally:
            threads.append(threading.get_ident())

    async def main() -> None:
        assert await gather_values(aiterate(from_iterable([1, 2]))) == [1, 2]

        class Numbers:
            def __iter__(self) -> Iterator[int]:
                return numbers()

        async with aiterate(from_iterable(Numbers())) as it:
            assert [await anext(it), await anext(it)] == [0, 1]
        assert len(threads) == 3
        assert len(set(threads)) == 1
        assert threads[0] != threading.get_ident()

    run(main())


@pytest.mark.parametrize("n", [0, 1])
def test_24_in_lockstep_seq_goes_on_when_it_is_asked(run: Run, n: int) -> None:
    log: list[object] = []

    async def main() -> None:
        it = aiterate(logged(countdown, log), read_ahead=n)
        await anext(it)
        await asyncio.sleep(0.01)
        assert log == ["start"]
        await anext(it)
        await asyncio.sleep(0.01)
        assert log == ["start", True]
        await it.aclose()
        assert log == ["start", True, False, "end"]

    run(main())


@pytest.mark.parametrize("n", [2, 3, 64])
def test_24_yield_returns_while_fewer_than_n_values_wait(run: Run, n: int) -> None:
    """Its own is one of them."""
    given: list[int] = []

    def seq(yield_: Callable[[int], Any]) -> None:
        for i in range(3 * n):
            given.append(i)
            yield_(i)

    async def main() -> None:
        it = aiterate(seq, read_ahead=n)
        assert await anext(it) == 0
        await until(lambda: len(given) == n + 1)  # the last of which waits
        await asyncio.sleep(0.01)
        assert len(given) == n + 1
        assert await anext(it) == 1
        await until(lambda: len(given) == n + 2)
        assert await gather_values(it) == list(range(2, 3 * n))

    run(main())


def test_24_the_loop_has_its_turn_though_values_always_wait(run: Run) -> None:
    """A body that awaits nothing else does not keep other tasks from running."""

    async def main() -> None:
        turns = []

        async def other() -> None:
            while True:
                turns.append(1)
                await asyncio.sleep(0)

        task = asyncio.ensure_future(other())
        it = aiterate(from_iterable(range(1000)), read_ahead=10)
        async for _ in it:
            wait_until(lambda: it.done or it._pull.values or it._pull.ended)
        assert len(turns) >= 50
        await cancelled(task)

    run(main())


def test_21_threads_of_seq_take_turns(run: Run) -> None:
    """No value of theirs is lost."""

    def seq(yield_: Callable[[tuple[int, int]], Any]) -> None:
        def worker(k: int) -> None:
            for i in range(20):
                yield_((k, i))

        threads = [threading.Thread(target=worker, args=(k,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    async def main(n: int) -> None:
        values = await gather_values(aiterate(seq, read_ahead=n))
        assert sorted(values) == [(k, i) for k in range(4) for i in range(20)]
        for k in range(4):
            assert [i for j, i in values if j == k] == list(range(20))

    for n in (0, 8):
        run(main(n))


# 1 to 8, 12, 16, 19, 20 and 22, as of the thread engine.


def test_04_aclose_before_anext_runs_nothing(run: Run) -> None:
    log: list[object] = []

    async def main() -> None:
        it = aiterate(logged(countdown, log))
        assert await it.aclose() is None
        assert await gather_values(it) == []
        assert repr(it) == f"<pullit.AsyncPullIterator of {it._pull.label}, finished>"
        with pytest.raises(PullError, match="no result"):
            _ = it.result

    run(main())
    assert log == []


@pytest.mark.parametrize("n", AHEAD)
def test_05_one_that_goes_on_gets_pull_exit_and_then_drains(run: Run, n: int) -> None:
    log: list[object] = []

    async def main() -> None:
        it = aiterate(deaf(n + 9, log), read_ahead=n)
        await anext(it)
        assert await it.aclose() == "drained"
        assert it.result == "drained"

    run(main())
    told = [entry for entry in log if entry is not True]
    assert told[:7] == [False, *["PullExit"] * 5, False] or told[:5] == [False, *["PullExit"] * 4]


@pytest.mark.parametrize("n", AHEAD)
def test_06_an_error_comes_once_with_the_producers_frames(run: Run, n: int) -> None:
    error = ValueError("seq's")

    async def main() -> None:
        it = aiterate(failing(error, 1, 2), read_ahead=n)
        assert [await anext(it), await anext(it)] == [1, 2]
        with pytest.raises(ValueError, match="seq's") as caught:
            await anext(it)
        assert caught.value is error
        assert error.__context__ is None
        names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        assert names[0] == "main"
        assert names[-1] == "producer"
        assert await gather_values(it) == []
        with pytest.raises(PullError, match="did not return"):
            _ = it.result

    run(main())


@pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration])
def test_06_what_signals_the_end_becomes_runtime_error(run: Run, kind: type[BaseException]) -> None:
    async def main() -> None:
        it = aiterate(failing(kind("lost?"), 1))
        assert await anext(it) == 1
        with pytest.raises(RuntimeError, match=f"raised {kind.__name__}") as caught:
            await anext(it)
        assert isinstance(caught.value.__cause__, kind)

    run(main())


def test_06_aclose_raises_what_the_cleanup_raises(run: Run) -> None:
    def seq(yield_: Callable[[int], Any]) -> None:
        try:
            yield_(1)
        finally:
            raise ValueError("cleanup")

    async def main() -> None:
        it = aiterate(seq)
        assert await anext(it) == 1
        with pytest.raises(ValueError, match="cleanup"):
            await it.aclose()
        assert await it.aclose() is None
        with pytest.raises(ValueError, match="cleanup") as caught:
            async with aiterate(seq) as it:
                await anext(it)
                raise KeyError("body's")
        assert isinstance(caught.value.__context__, KeyError)

    run(main())


def test_08_the_loops_thread_may_not_yield(run: Run) -> None:
    """The iterator is unharmed; after the end yield_ answers False."""
    kept: list[Callable[[int], Any]] = []

    def seq(yield_: Callable[[int], Any]) -> None:
        kept.append(yield_)
        yield_(1)
        yield_(2)

    async def main() -> None:
        it = aiterate(seq)
        assert await anext(it) == 1
        with pytest.raises(PullError, match="yield_ called again before next"):
            kept[0](3)
        assert await gather_values(it) == [2]
        assert kept[0](4) is False

    run(main())


@pytest.mark.parametrize("n", AHEAD)
def test_12_none_and_falsy_values_are_ordinary(run: Run, n: int) -> None:
    values = [None, 0, "", False, (), NotImplemented]

    async def main() -> None:
        assert await gather_values(aiterate(from_iterable(values), read_ahead=n)) == values

    run(main())


def test_16_asend_and_athrow(run: Run) -> None:
    log: list[object] = []

    def seq(yield_: Callable[[int], Any]) -> str:
        for i in range(4):
            try:
                log.append(yield_(i))
            except KeyError as e:
                log.append(repr(e))
        return "end"

    async def main() -> None:
        it = aiterate(seq)
        with pytest.raises(TypeError, match="cannot asend to"):
            await it.asend(1)
        assert await it.asend(None) == 0
        assert await it.asend("x") == 1
        assert await it.athrow(KeyError("k")) == 2
        assert await it.asend(0) == 3
        with pytest.raises(StopAsyncIteration):
            await it.asend(None)
        assert log == ["x", "KeyError('k')", 0, None]
        assert it.result == "end"
        with pytest.raises(KeyError):
            await it.athrow(KeyError)

    run(main())


def test_16_athrow_before_the_start_ends_it(run: Run) -> None:
    log: list[object] = []

    async def main() -> None:
        it = aiterate(logged(countdown, log))
        with pytest.raises(KeyError):
            await it.athrow(KeyError, "k")
        assert it.done
        assert log == []

    run(main())


@pytest.mark.parametrize("call", ["asend", "athrow"])
def test_16_reading_ahead_they_are_refused(run: Run, call: str) -> None:
    async def main() -> None:
        it = aiterate(countdown, read_ahead=2)
        assert await anext(it) == 3
        with pytest.raises(PullError, match=f"{call} on an iterator that reads ahead"):
            await getattr(it, call)(KeyError())
        assert await gather_values(it) == [2, 1]

    run(main())


def test_19_copies_and_repr(run: Run) -> None:
    async def main() -> None:
        it = aiterate(countdown)
        for copier in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="cannot copy or pickle"):
                copier(it)
        assert repr(it) == "<pullit.AsyncPullIterator of countdown, unstarted>"
        await anext(it)
        assert repr(it) == "<pullit.AsyncPullIterator of countdown, suspended>"
        await it.aclose()
        assert repr(it) == "<pullit.AsyncPullIterator of countdown, finished>"
        with pytest.raises(TypeError, match=r"call pullit.aiterate\(seq\)"):
            AsyncPullIterator()

    run(main())


def test_20_without_room_to_wake_the_loop_nothing_is_lost(run: Run) -> None:
    """A yield_ at the limit of depth raises; the value was not handed over."""
    refused: list[int] = []

    def seq(yield_: Callable[[int], Any], depth: int = 0) -> None:
        try:
            seq(yield_, depth + 1)
        except RecursionError:
            pass
        try:
            yield_(depth)
        except RecursionError:
            refused.append(depth)
            raise

    async def main() -> None:
        values = await gather_values(aiterate(seq))
        assert values
        assert values == list(range(values[0], -1, -1))
        assert refused == list(range(refused[0], values[0], -1))

    run(main())


# 25: a call that is cancelled loses nothing.


@pytest.mark.parametrize("n", AHEAD)
@pytest.mark.parametrize("how", ["cancel", "timeout", "wait_for", "scope"])
def test_25_a_cancelled_anext_leaves_the_value_to_the_next(run: Run, n: int, how: str) -> None:
    gate = Gate()

    async def give_up(it: AsyncPullIterator[int]) -> None:
        if how == "cancel":
            task = asyncio.ensure_future(anext(it))
            await asyncio.sleep(0.001)
            await cancelled(task)
        elif how == "timeout":
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await anext(it)
        elif how == "wait_for":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(it), 0.001)
        else:
            with anyio.move_on_after(0.001):
                await anext(it)

    async def main() -> None:
        async with aiterate(gate, read_ahead=n) as it:
            for value in range(4):
                await give_up(it)
                await give_up(it)
                assert not it.done
                gate.open()
                assert await anext(it) == value
            gate.open(n + 2)

    run(main())
    assert gate.answers[-1] is False


def test_25_an_end_that_comes_meanwhile_is_the_next_anexts(run: Run) -> None:
    """An error, too; and a seq that was empty by mistake is still found out."""

    def waits(yield_: Callable[[int], Any]) -> Any:
        going.wait(10)
        return actions[0]()

    async def main() -> None:
        it = aiterate(waits)
        task = asyncio.ensure_future(anext(it))
        await asyncio.sleep(0.01)
        await cancelled(task)
        going.set()
        await until(lambda: it._pull.ended)
        assert not it.done
        await anext(it)

    def fails() -> None:
        raise ValueError("late")

    actions: list[Callable[[], object]] = [fails, lambda: None, lambda: (None for _ in range(0))]
    for error in (ValueError, StopAsyncIteration, TypeError):
        going = threading.Event()
        with pytest.raises(error):
            run(main())
        del actions[0]


def test_25_after_a_cancelled_asend_its_answer_stands(run: Run) -> None:
    gate = Gate()

    async def main() -> None:
        it = aiterate(gate)
        gate.open()
        assert await anext(it) == 0
        task = asyncio.ensure_future(it.asend("answer"))
        await until(lambda: gate.answers)
        await cancelled(task)
        for call in (it.asend("late"), it.athrow(KeyError())):
            with pytest.raises(PullError, match="call anext first"):
                await call
        gate.open()
        assert await anext(it) == 1
        gate.open()
        assert await it.asend("next") == 2
        gate.open()
        await it.aclose()
        assert gate.answers == ["answer", "next", False]

    run(main())


@pytest.mark.parametrize("n", AHEAD)
def test_25_a_call_that_is_thrown_away_loses_nothing(run: Run, n: int) -> None:
    """Its coroutine is closed while it waits."""
    gate = Gate()

    async def main() -> None:
        it = aiterate(gate, read_ahead=n)
        coroutine = it.__anext__()
        coroutine.send(None)
        coroutine.close()
        gate.open()
        assert await anext(it) == 0
        gate.open(n + 1)
        await it.aclose()

    run(main())


@pytest.mark.parametrize("n", AHEAD)
def test_25_whenever_it_is_cancelled_the_values_are_those_of_iterate(run: Run, n: int) -> None:
    """Tasks that are cancelled at random; each value arrives once, in order."""
    size = 300

    async def main() -> None:
        got: list[int] = []
        it = aiterate(from_iterable(range(size)), read_ahead=n)

        async def take() -> None:
            while len(got) < size:
                value = await anext(it)
                got.append(value)

        seed = random.randrange(10**6)
        chance = random.Random(seed)
        cuts = 0
        while len(got) < size:
            task = asyncio.ensure_future(take())
            await asyncio.sleep(chance.choice([0, 0, 0.0001, 0.0005]))
            cuts += task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled() or task.exception() is None, seed
        assert got == list(range(size)), seed
        await it.aclose()

    run(main())


@pytest.mark.parametrize("n", [0, 3])
def test_25_wherever_a_signal_strikes_in_anext_no_value_is_lost_in_silence(
    run: Run, n: int
) -> None:
    """The iterator goes on with the next value, or it is over."""
    size, places = 6, 0

    async def walk(k: int) -> list[object]:
        struck: list[object] = []
        got: list[int] = []
        it = aiterate(from_iterable(range(size)), read_ahead=n)
        count = 0

        def profile(frame: Any, event: str, arg: object) -> None:
            nonlocal count
            # Not where asyncio calls us: what strikes there, strikes asyncio.
            in_anext = is_ours(frame.f_globals) and frame.f_code.co_name != "add_done_callback"
            if event in ("call", "c_return") and in_anext and asyncio.current_task():
                count += 1
                if count == k:
                    sys.setprofile(None)
                    struck.append((frame.f_code.co_name, event))
                    raise Strike

        sys.setprofile(profile)
        try:
            while len(got) < size:
                got.append(await anext(it))
        except Strike:
            pass
        finally:
            sys.setprofile(None)
        rest = await gather_values(it)
        assert got + rest == list(range(size)) or (struck and not rest), struck
        assert got == list(range(len(got)))
        return struck

    while run(walk(places + 1)):
        places += 1
    assert places > 50


def test_28_a_second_anext_gets_no_value_that_is_there_for_the_first(run: Run) -> None:
    """It has been woken, and has yet to go on."""
    gate = Gate()

    async def main() -> None:
        it = aiterate(gate, read_ahead=4)
        first = asyncio.ensure_future(anext(it))
        await until(gate.begun.is_set)
        gate.open()
        wait_until(lambda: it._pull.values)  # without a turn of the loop
        with pytest.raises(PullError, match="called again before yield"):
            await anext(it)
        assert await first == 0
        gate.open(5)
        await it.aclose()

    run(main())


def test_14_what_was_dropped_elsewhere_is_stopped_by_an_anext_too(run: Run) -> None:
    """A pull on greenlets of the loop's thread: anext is a call of pullit."""
    log: list[object] = []

    async def main() -> None:
        its: list[Any] = [made_elsewhere(lambda: iterate(logged(countdown, log)))]
        next(its[0])
        with pytest.warns(ResourceWarning, match="was dropped in"):
            in_thread(its.clear)
        assert log == ["start"]
        await gather_values(aiterate(countdown))
        assert log == ["start", False, "end"]

    run(main())


# 26: aclose, and the end of `async with`.


@pytest.mark.parametrize("n", AHEAD)
def test_26_aclose_waits_for_seq_and_its_thread(run: Run, n: int) -> None:
    """It returns seq's result."""
    log: list[object] = []

    async def main() -> None:
        async with aiterate(logged(countdown, log), read_ahead=n) as it:
            await anext(it)
            thread = it._pull.thread
        assert log[-1] == "end"
        assert thread is None or not thread.is_alive()
        it = aiterate(countdown)
        await anext(it)
        assert await it.aclose() == "stopped"
        assert it.result == "stopped"

    run(main())


def test_26_aclose_while_anext_waits_is_refused(run: Run) -> None:
    """The message names aclose; the anext is unharmed."""
    gate = Gate()

    async def main() -> None:
        it = aiterate(gate)
        task = asyncio.ensure_future(anext(it))
        await until(gate.begun.is_set)
        with pytest.raises(PullError, match="aclose called again before yield"):
            await it.aclose()
        gate.open()
        assert await task == 0
        gate.open()
        assert await it.aclose() == "stopped"

    run(main())


def test_26_a_second_aclose_waits_too(run: Run) -> None:
    """Only the first has the error. An anext meanwhile is at the end."""
    stopping = threading.Event()

    def seq(yield_: Callable[[int], Any]) -> None:
        yield_(1)
        assert stopping.wait(10)
        raise ValueError("cleanup")

    async def main() -> None:
        it = aiterate(seq)
        assert await anext(it) == 1
        closings = [asyncio.ensure_future(it.aclose()) for _ in range(3)]
        await asyncio.sleep(0.01)
        assert not any(closing.done() for closing in closings)
        assert repr(it).endswith("running>")
        assert it.done
        assert await anext(it, "end") == "end"
        stopping.set()
        results = await asyncio.gather(*closings, return_exceptions=True)
        assert [type(r) for r in results] == [ValueError, type(None), type(None)]

    run(main())


@pytest.mark.parametrize("fails", [False, True])
def test_26_a_cancelled_aclose_leaves_at_once_and_the_order_stands(run: Run, fails: bool) -> None:
    """A later error of seq goes to the loop's exception handler; or to the call that is left."""
    stopping = threading.Event()
    reports: list[dict[str, Any]] = []

    def seq(yield_: Callable[[int], Any]) -> str:
        assert yield_(1) is False
        assert stopping.wait(10)
        if fails:
            raise ValueError("cleanup")
        return "result"

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: reports.append(context))
        for others in (0, 1):
            it = aiterate(seq)
            assert await anext(it) == 1
            closing = asyncio.ensure_future(it.aclose())
            left = [asyncio.ensure_future(it.aclose()) for _ in range(others)]
            await asyncio.sleep(0.01)
            await cancelled(closing)
            assert it.done
            assert repr(it).endswith("running>")
            stopping.set()
            await until(lambda: it._pull.over())
            results = await asyncio.gather(*left, return_exceptions=True)
            assert len(reports) == (fails and not others)
            assert [str(r) for r in results] == (["cleanup" if fails else "result"] * others)
            for report in reports:
                assert isinstance(report["exception"], ValueError)
                assert report["message"].startswith("pullit.aiterate: ")
            reports.clear()
            stopping.clear()

    run(main())


async def left_by_a_cancelled_aclose(stopping: threading.Event) -> AsyncPullIterator[int]:
    """Return an iterator that was told to stop, and whose seq fails once *stopping* is set."""

    def seq(yield_: Callable[[int], Any]) -> None:
        yield_(1)
        assert stopping.wait(10)
        raise ValueError("cleanup")

    it = aiterate(seq)
    await anext(it)
    closing = asyncio.ensure_future(it.aclose())
    await asyncio.sleep(0.01)
    await cancelled(closing)
    return it


def test_26_an_error_after_a_cancelled_aclose_and_the_loops_end_goes_to_the_threads_hook(
    new_loop: Callable[[], asyncio.AbstractEventLoop], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping = threading.Event()
    hooked: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", hooked.append)
    loop = new_loop()
    it = loop.run_until_complete(left_by_a_cancelled_aclose(stopping))
    loop.close()  # without what asyncio.run does before
    assert hooked == []
    stopping.set()
    wait_until(lambda: hooked)
    assert isinstance(hooked[0].exc_value, ValueError)
    assert it.done


def test_26_an_error_of_stop_is_raised_by_aclose(run: Run) -> None:
    ended = threading.Event()

    def api(callback: Callable[[int], Any]) -> None:
        callback(1)
        ended.wait(10)

    def stop() -> None:
        ended.set()
        raise ValueError("of stop")

    async def main() -> None:
        it = aiterate(from_callback(api, stop=stop), read_ahead=2)
        assert await anext(it) == 1
        await until(lambda: not it._pull.waiting)
        with pytest.raises(ValueError, match="of stop"):
            await it.aclose()
        await until(lambda: it._pull.over())

    run(main())


def test_23_a_generator_that_only_seq_holds_is_closed_in_its_thread(run: Run) -> None:
    """So that its cleanup does not block the loop."""
    threads: list[int] = []

    def numbers() -> Iterator[int]:
        try:
            while True:
                threads.append(threading.get_ident())
                yield len(threads)
        finally:
            threads.append(threading.get_ident())

    async def main() -> None:
        async with aiterate(from_iterable(numbers())) as it:
            assert [await anext(it), await anext(it)] == [1, 2]
        assert len(threads) == 3
        assert len(set(threads)) == 1
        assert threads[0] != threading.get_ident()

    run(main())


def test_26_an_error_that_the_loop_was_closed_before_saying_goes_to_the_threads_hook(
    new_loop: Callable[[], asyncio.AbstractEventLoop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the iterator's drop; the thread is named, and the traceback is the producer's."""
    stopping = threading.Event()
    hooked: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", hooked.append)
    loop = new_loop()
    its = [loop.run_until_complete(left_by_a_cancelled_aclose(stopping))]
    thread = its[0]._pull.thread
    assert thread is not None
    stopping.set()
    thread.join()
    loop.close()
    assert hooked == []
    its.clear()
    assert [str(args.exc_value) for args in hooked] == ["cleanup"]
    assert hooked[0].thread is thread
    names = [f.name for f in traceback.extract_tb(hooked[0].exc_traceback)]
    assert names == ["seq"]
    hooked.clear()


# 27: what is dropped, left suspended, or alive at exit.


@pytest.mark.parametrize("n", AHEAD)
@pytest.mark.parametrize("elsewhere", [False, True])
def test_27_dropped_it_is_told_to_stop_and_nobody_waits(run: Run, n: int, elsewhere: bool) -> None:
    stopping, log = threading.Event(), list[object]()

    def seq(yield_: Callable[[int], Any]) -> None:
        log.append(yield_(1))
        log.append(stopping.wait(10))

    async def main() -> None:
        its = [aiterate(seq)]
        assert await anext(its[0]) == 1
        if elsewhere:
            in_thread(its.clear)
        else:
            its.clear()
        await until(lambda: log == [False])  # it was told, and nobody waits for it
        stopping.set()
        await until(lambda: log == [False, True])

    run(main())
    wait_until(lambda: not any(t.name.startswith("pullit") for t in threading.enumerate()))


def test_27_an_error_of_what_was_dropped_goes_to_the_threads_hook(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooked: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: hooked.append(args.exc_value))

    def seq(yield_: Callable[[int], Any]) -> None:
        try:
            yield_(1)
        finally:
            raise ValueError("cleanup")

    async def main() -> None:
        it = aiterate(seq)
        assert await anext(it) == 1
        del it
        await until(lambda: hooked)

    run(main())
    assert [str(e) for e in hooked] == ["cleanup"]
    hooked.clear()


def test_27_an_error_that_nobody_had_asked_for_goes_there_too(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its anext was cancelled, it has ended since, and then it is dropped."""
    hooked: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: hooked.append(args.exc_value))
    going = threading.Event()

    def seq(yield_: Callable[[int], Any]) -> None:
        going.wait(10)
        raise ValueError("late")

    async def main() -> None:
        it = aiterate(seq)
        task = asyncio.ensure_future(anext(it))
        await asyncio.sleep(0.01)
        await cancelled(task)
        del task
        going.set()
        pull = it._pull
        await until(lambda: pull.ended)
        del it
        await until(lambda: hooked)

    run(main())
    assert [str(e) for e in hooked] == ["late"]
    hooked.clear()


def test_27_a_temporary_is_not_dropped_while_its_anext_waits(run: Run) -> None:
    async def main() -> None:
        assert await anext(aiterate(countdown)) == 3
        assert await aiterate(countdown).asend(None) == 3

    run(main())


@pytest.mark.parametrize("n", AHEAD)
def test_27_a_cycle_is_stopped_when_the_collector_finds_it(run: Run, n: int) -> None:
    """With a task's coroutine that waits in it, too."""
    gate = Gate()

    async def main() -> None:
        cycle: list[Any] = []
        it = aiterate(gate, read_ahead=n)
        coroutine = it.__anext__()
        coroutine.send(None)
        cycle.extend([cycle, it, coroutine])
        del it, coroutine, cycle
        gate.open(n + 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.collect()
        await until(gate.ended.is_set)

    run(main())
    assert gate.answers[-1] is False


@pytest.mark.parametrize("n", AHEAD)
def test_27_what_is_left_suspended_is_closed_by_the_loops_end(run: Run, n: int) -> None:
    log: list[object] = []

    async def main() -> AsyncPullIterator[int]:
        it = aiterate(logged(countdown, log), read_ahead=n)
        assert await anext(it) == 3
        return it

    it = run(main())
    assert log[-1] == "end"
    assert it.result in (["stopped"] if n < 3 else ["stopped", "lift-off"])


def test_27_at_exit_all_are_told_and_waited_for_one_second_together() -> None:
    """Also where a loop was left as it was."""
    begun = time.monotonic()
    out = run_script(
        """
        import asyncio, os, time
        from pullit import aiterate

        def seq(yield_, k):
            os.write(1, b"told %a\\n" % yield_(k))
            if k < 3:
                time.sleep(60)
            os.write(1, b"ends %d\\n" % k)

        async def main():
            for k in range(5):
                it = aiterate(lambda yield_, k=k: seq(yield_, k))
                kept.append(it)
                await anext(it)

        kept = []
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        """
    )
    assert out.count("told False") == 5
    assert sorted(line for line in out.splitlines() if "ends" in line) == ["ends 3", "ends 4"]
    assert time.monotonic() - begun < 30


def test_27_at_exit_threads_that_have_yet_to_start_are_waited_for_too() -> None:
    """And other threads are, as ever."""
    script = """
        import asyncio, logging, threading, time
        import pullit

        logging.disable()  # asyncio's, of tasks that are pending at exit
        loop, kept = asyncio.new_event_loop(), []

        async def main():
            for _ in range(50):
                it = pullit.aiterate(lambda y: y(1))
                kept.append((it, asyncio.ensure_future(anext(it))))
            await asyncio.sleep(0)

        def other():
            time.sleep(0.2)
            print("done its work", flush=True)

        loop.run_until_complete(main())
        threading.Thread(target=other).start()
        """
    for _ in range(3):
        assert run_script(script) == "done its work\n"


# 28: its loop, and a second call.


def test_28_a_second_anext_while_one_waits_is_refused(run: Run) -> None:
    gate = Gate()

    async def main() -> None:
        it = aiterate(gate)
        task = asyncio.ensure_future(anext(it))
        await until(gate.begun.is_set)
        for call in (it.__anext__(), it.asend(None), it.athrow(KeyError())):
            with pytest.raises(PullError, match="called again before yield"):
                await call
        gate.open()
        assert await task == 0
        gate.open()
        await it.aclose()

    run(main())


def test_28_elsewhere_it_is_refused(run: Run) -> None:
    """aclose tells seq to stop first."""
    gate = Gate()

    async def begin() -> AsyncPullIterator[int]:
        it = aiterate(gate)
        gate.open()
        assert await anext(it) == 0
        return it

    async def fails(call: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        with pytest.raises(PullError, match="outside of the event loop of the first anext"):
            await call()

    async def main() -> None:
        it = await begin()
        in_thread(asyncio.run, fails(it.__anext__))
        in_thread(asyncio.run, fails(lambda: it.asend(None)))
        gate.open()
        assert await anext(it) == 1
        assert gate.answers == [True]
        gate.open()
        in_thread(asyncio.run, fails(it.aclose))
        await until(gate.ended.is_set)
        assert await anext(it, "end") == "end"
        await it.aclose()

    run(main())
    assert gate.answers == [True, False]


def test_28_after_the_end_it_is_over_everywhere(run: Run) -> None:
    async def main() -> AsyncPullIterator[int]:
        it = aiterate(countdown)
        assert await gather_values(it) == [3, 2, 1]
        return it

    it = run(main())
    assert run(gather_values(it)) == []
    assert run(it.aclose()) is None


def test_28_one_of_a_closed_loop_is_told_to_stop(run: Run) -> None:
    """By aclose in another one, or by its drop."""
    gate = Gate()

    async def begin() -> AsyncPullIterator[int]:
        it = aiterate(gate)
        gate.open()
        assert await anext(it) == 0
        return it

    for aclose in (True, False):
        gate = Gate()
        loop = asyncio.new_event_loop()
        its = [loop.run_until_complete(begin())]
        loop.close()
        if aclose:
            with pytest.raises(PullError, match="aclose called outside of the event loop"):
                run(its[0].aclose())
        its.clear()
        wait_until(gate.ended.is_set)
        assert gate.answers == [False]


def test_28_an_anext_that_waits_while_another_loop_tells_seq_to_stop_is_at_the_end(
    run: Run,
) -> None:
    """No PullExit reaches it."""
    going = threading.Event()

    def seq(yield_: Callable[[int], Any]) -> None:
        yield_(1)
        going.wait(10)
        while True:
            yield_(2)

    async def main() -> None:
        it = aiterate(seq)
        assert await anext(it) == 1
        task = asyncio.ensure_future(anext(it, "end"))
        await asyncio.sleep(0.01)
        with pytest.raises(PullError, match="aclose called outside of the event loop"):
            in_thread(asyncio.run, it.aclose())
        going.set()
        assert await task == "end"

    run(main())


@pytest.mark.parametrize("fails", [False, True])
def test_28_a_loop_that_is_closed_while_a_task_waits_leaves_nothing_behind(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
    monkeypatch: pytest.MonkeyPatch,
    fails: bool,
) -> None:
    """The task is collected, and seq told to stop; an error goes to the thread's hook."""
    hooked: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: hooked.append(args.exc_value))
    going, log = threading.Event(), list[object]()

    def seq(yield_: Callable[[int], Any]) -> None:
        going.wait(10)
        if fails:
            raise ValueError("late")
        log.append(yield_(1))

    def leave_a_task() -> None:
        async def wait() -> None:
            await anext(aiterate(seq))

        loop = new_loop()
        task: Any = loop.create_task(wait())
        task._log_destroy_pending = False
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()

    leave_a_task()
    going.set()

    def is_told() -> object:
        gc.collect()
        return hooked if fails else log

    wait_until(is_told)
    assert [str(e) for e in hooked] == (["late"] if fails else [])
    assert log == ([] if fails else [False])
    hooked.clear()


def test_23_what_seq_leaves_to_its_thread_does_not_block_the_loop(run: Run) -> None:
    """A connection in a threading.local, for example, ends with the thread."""
    closing, going = threading.Event(), threading.Event()
    kept = threading.local()

    class Connection:
        def __del__(self) -> None:
            closing.set()
            going.wait(10)

    def seq(yield_: Callable[[int], Any]) -> str:
        kept.connection = Connection()
        yield_(1)
        return "end"

    async def main() -> None:
        for aclose in (False, True):
            closing.clear()
            going.clear()
            it = aiterate(seq)
            assert await anext(it) == 1
            end: Any = it.aclose() if aclose else anext(it, "end")
            task = asyncio.ensure_future(end)
            await until(closing.is_set)
            await asyncio.sleep(0.03)
            assert not task.done()
            going.set()
            assert await task == "end"
            assert it.result == "end"

    run(main())


def test_28_a_hook_that_raises_leaves_the_iterator_as_it_was() -> None:
    def hook(it: object) -> None:
        raise ValueError("the hook's")

    async def main() -> None:
        hooks = sys.get_asyncgen_hooks()
        it = aiterate(countdown)
        sys.set_asyncgen_hooks(firstiter=hook)
        try:
            with pytest.raises(ValueError, match="the hook's"):
                await anext(it)
        finally:
            sys.set_asyncgen_hooks(*hooks)
        assert repr(it) == "<pullit.AsyncPullIterator of countdown, unstarted>"
        assert await gather_values(it) == [3, 2, 1]

    asyncio.run(main())


# 29: a client that goes away.


def test_29_async_with_of_a_cancelled_task_tells_seq_and_waits(run: Run) -> None:
    log: list[object] = []

    async def client() -> None:
        async with aiterate(logged(from_iterable(range(10**9)), log)) as it:
            async for value in it:
                if value == 5:
                    waiting.set()
                    await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.ensure_future(client())
        await waiting.wait()
        await cancelled(task)
        assert log[-1] == "end"
        assert log.count(True) == 5

    waiting = asyncio.Event()
    run(main())


def test_29_under_anyio_it_is_told_and_not_waited_for(run: Run) -> None:
    """anyio cancels each wait anew."""
    stopping, log = threading.Event(), list[object]()

    def seq(yield_: Callable[[int], Any]) -> None:
        log.append(yield_(1))
        log.append(stopping.wait(10))

    async def main() -> None:
        with anyio.CancelScope() as scope:
            async with aiterate(seq) as it:
                async for _ in it:
                    scope.cancel()
                    await anyio.sleep(60)
        assert log in ([], [False])
        await until(lambda: log == [False])
        stopping.set()
        await until(lambda: it._pull.over())

    run(main())


def test_29_task_groups_and_timeouts(run: Run) -> None:
    """A TaskGroup that fails closes the streams of its tasks."""
    log: list[object] = []

    async def stream() -> None:
        async with aiterate(logged(from_iterable(range(10**9)), log)) as it:
            async for _ in it:
                pass

    async def main() -> None:
        with pytest.raises(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                for _ in range(5):
                    group.create_task(stream())
                await asyncio.sleep(0.05)
                raise ValueError
        assert log.count("start") == log.count("end") == 5

    run(main())


# 30: what is no seq for it, and where no loop runs.


async def awaits(yield_: Callable[[int], Any]) -> None:
    """An async function."""


async def generates(yield_: Callable[[int], Any]) -> AsyncGenerator[int]:
    """An async generator function."""
    yield 1


SERVES = (
    "pass a plain function; what is asynchronous needs no pullit: write an async generator,"
    " or have async callbacks send to an anyio.create_memory_object_stream"
)


@pytest.mark.parametrize("name", ["aiterate", "aiterate2"])
def test_30_what_is_no_seq_is_a_type_error(name: str) -> None:
    pulled = iterate(countdown)
    expected = {
        awaits: f"async function awaits; {SERVES}",
        generates: f"async function generates; {SERVES}",
        pulled: "PullIterator <PullIterator ...>; for an iterable, pass pullit.from_iterable(it)",
        aiterate(countdown): "go through an asynchronous iterator with async for",
        3: "int 3; pass a function that calls yield_(value) for each value",
    }
    for seq, text in expected.items():
        with pytest.raises(TypeError) as caught:
            getattr(pullit, name)(seq)
        message = str(caught.value)
        assert message.startswith(
            f"pullit.{name}: seq must be a push iterator, a function that takes yield_, not "
        )
        assert message.endswith(text.partition("...>; ")[2] or text)


def test_30_a_pull_iterator_is_not_taken_for_an_async_body() -> None:
    """Starlette and others look for __aiter__."""
    assert not hasattr(iterate(countdown), "__aiter__")


def test_30_without_a_loop_of_asyncio_runtime_error() -> None:
    it = aiterate(countdown)
    with pytest.raises(RuntimeError, match="needs a running event loop of asyncio") as caught:
        it.__anext__().send(None)
    assert not isinstance(caught.value, PullError)

    async def under_trio() -> None:
        with pytest.raises(RuntimeError, match="elsewhere, under trio for example"):
            await anext(it)

    trio.run(under_trio)
    assert asyncio.run(gather_values(it)) == [3, 2, 1]


@pytest.mark.parametrize("n", ["1", 1.5, -1])
def test_30_read_ahead_is_checked_when_given(n: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="pullit.aiterate: read_ahead must be"):
        aiterate(countdown, read_ahead=n)


# Use.


def test_from_callback_with_stop(run: Run) -> None:
    """A source that says nothing: a timeout loses nothing, and its stop ends it."""
    ended = threading.Event()
    calls: list[Any] = []

    def api(callback: Callable[[int], Any]) -> str:
        calls.append(callback)
        ended.wait(10)
        return "ended"

    async def main() -> None:
        async with aiterate(from_callback(api, stop=ended.set), read_ahead=10) as it:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(it), 0.01)
            thread = threading.Thread(target=calls[0], args=(7,))
            thread.start()
            assert await anext(it) == 7
            thread.join()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(it), 0.01)
        assert it.result == "ended"

    run(main())


def test_a_thousand_at_once(run: Run) -> None:
    async def main() -> None:
        its = [aiterate(from_iterable(range(3))) for _ in range(1000)]
        assert [await anext(it) for it in its] == [0] * 1000
        assert threading.active_count() > 1000
        rest = await asyncio.gather(*map(gather_values, its))
        assert rest == [[1, 2]] * 1000

    run(main())


def test_pulls_of_other_kinds_work_within(run: Run) -> None:
    """A producer that loops over another, on greenlets in its own thread."""

    def seq(yield_: Callable[[int], Any]) -> None:
        for value in iterate(countdown):
            yield_(value * 10)

    async def main() -> None:
        assert await gather_values(aiterate(seq)) == [30, 20, 10]
        it = aiterate(seq)
        assert await anext(it) == 30
        await it.aclose()

    run(main())


def test_a_producer_may_run_a_loop_of_its_own(run: Run) -> None:
    """There, the outer iterator is another loop's."""
    kept: list[AsyncPullIterator[int]] = []

    async def inner(yield_: Callable[[int], Any]) -> None:
        async for value in aiterate(countdown):
            yield_(value)
        with pytest.raises(PullError, match="outside of the event loop"):
            await anext(kept[0])

    async def main() -> None:
        kept.append(aiterate(lambda yield_: asyncio.run(inner(yield_))))
        assert await gather_values(kept[0]) == [3, 2, 1]

    run(main())


def test_in_a_forked_child_it_says_that_its_thread_is_not_there() -> None:
    out = run_script(
        """
        import asyncio, os
        from pullit import aiterate

        async def main():
            it = aiterate(lambda yield_: [yield_(n) for n in range(3)])
            await anext(it)
            return it

        loop = asyncio.new_event_loop()
        it = loop.run_until_complete(main())
        child = os.fork()
        if child:
            assert os.waitpid(child, 0)[1] == 0
            loop.run_until_complete(it.aclose())
        else:
            async def ask():
                try:
                    await anext(it)
                except Exception as e:
                    print(e, flush=True)
                print(await it.aclose(), flush=True)
            try:
                asyncio.run(ask())
            finally:
                os._exit(0)
        """,
        "-Wignore",  # a fork beside threads
    )
    assert "a fork does not copy the thread" in out
    assert out.splitlines()[-1] == "None"


def test_importing_pullit_does_not_import_asyncio() -> None:
    out = run_script("import sys, pullit; print('asyncio' in sys.modules)")
    assert out == "False\n"
    assert importlib.import_module("pullit").aiterate is aiterate


def test_a_pull_exit_of_the_producers_own_is_an_error(run: Run) -> None:
    async def main() -> None:
        it = aiterate(failing(PullExit("own")))
        with pytest.raises(PullExit, match="own"):
            await anext(it)

    run(main())


def test_a_stop_of_seq_that_takes_long_lets_other_tasks_run(run: Run) -> None:
    stopping = threading.Event()

    def seq(yield_: Callable[[int], Any]) -> None:
        yield_(1)
        stopping.wait(10)

    async def main() -> None:
        it = aiterate(seq)
        await anext(it)
        closing = asyncio.ensure_future(it.aclose())
        for _ in range(10):
            await asyncio.sleep(0.001)
        assert not closing.done()
        stopping.set()
        await closing

    run(main())


def squares(yield_: Callable[[int], Any]) -> None:
    for n in range(3):
        yield_(n * n)


seq: Seq[int] = squares
