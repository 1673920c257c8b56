"""In the company of event loops, thread pools and contexts (contracts 10, 11, 13, 15)."""

from __future__ import annotations

import asyncio
import contextvars
import decimal
import importlib.util
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from elsewhere import run_script
from greenlet import getcurrent, greenlet

import pullit
from pullit import PullError, WrongThreadError
from pullit._types import Engine

gevent = pytest.importorskip("gevent")
sqlalchemy = pytest.importorskip("sqlalchemy")
pytest.importorskip("aiosqlite")


def sleeper(name: str, log: list[object]) -> pullit.Seq[str]:
    """Return a producer that sleeps before each of its values, and logs its end."""

    def producer(yield_: Callable[[str], Any]) -> None:
        try:
            for n in range(3):
                gevent.sleep(0.005)
                if not yield_(f"{name}{n}"):
                    return
        finally:
            log.append(f"{name} end")

    return producer


def test_15_producers_that_sleep_run_together() -> None:
    """gevent's hub switches away from each, and back to it."""
    got: list[object] = []

    def consume(name: str) -> None:
        for value in pullit.iterate(sleeper(name, got)):
            got.append(value)

    gevent.joinall([gevent.spawn(consume, name) for name in "ab"], raise_error=True)
    assert got == ["a0", "b0", "a1", "b1", "a2", "a end", "b2", "b end"]
    got.clear()
    consume("main")
    assert got == ["main0", "main1", "main2", "main end"]


@pytest.mark.parametrize("nested", [False, True])
def test_15_a_timeout_in_the_consumer_ends_the_producer_first(nested: bool) -> None:
    """And then propagates; the producer's cleanup may wait, too."""
    log: list[object] = []

    def slow(yield_: Callable[[int], Any]) -> None:
        try:
            yield_(1)
            gevent.sleep(10)
        finally:
            gevent.sleep(0.005)
            log.append("cleaned up")

    def outer(yield_: Callable[[int], Any]) -> None:
        for value in pullit.iterate(slow):
            yield_(value)

    def consume() -> None:
        it = pullit.iterate(outer if nested else slow)
        assert next(it) == 1
        with pytest.raises(gevent.Timeout), gevent.Timeout(0.01):
            next(it)
        log.append(it.done)
        assert list(it) == []

    gevent.spawn(consume).get()
    consume()
    assert log == ["cleaned up", True] * 2


def test_15_an_error_while_it_ends_keeps_the_timeout() -> None:
    """The producer's own error is raised, with what interrupted among its contexts."""

    def slow(yield_: Callable[[int], Any]) -> None:
        try:
            gevent.sleep(10)
        finally:
            raise OSError("cleanup failed")

    with pytest.raises(OSError, match="cleanup failed") as caught, gevent.Timeout(0.01):
        next(pullit.iterate(slow))
    assert isinstance(caught.value.__context__, pullit.PullExit)
    assert isinstance(caught.value.__context__.__context__, gevent.Timeout)


def test_15_a_timeout_of_the_producers_does_not_disturb_the_consumer() -> None:
    """It strikes while seq is suspended; seq's end waits for the consumer."""

    def producer(yield_: Callable[[int], Any]) -> str:
        try:
            with gevent.Timeout(0.005):
                yield_(1)
        except gevent.Timeout:
            struck.set()
            return "timed out"
        return "in time"

    def consume() -> None:
        it = pullit.iterate(producer)
        assert next(it) == 1
        struck.wait()
        assert list(it) == []
        assert it.result == "timed out"

    struck = gevent.event.Event()
    gevent.spawn(consume).get()


def test_15_greenlets_that_a_producer_spawns_may_yield() -> None:
    """Go's helper goroutines."""

    def producer(yield_: Callable[[int], Any]) -> None:
        gevent.joinall([gevent.spawn(yield_, n) for n in range(3)], raise_error=True)

    assert gevent.spawn(lambda: list(pullit.iterate(producer))).get() == [0, 1, 2]


def test_15_await_only_works_in_a_producer() -> None:
    """SQLAlchemy's synchronous code over an asynchronous driver, nested pulls included."""
    from sqlalchemy.ext.asyncio import create_async_engine

    def work(connection: Any) -> tuple[list[object], ...]:
        def numbers(yield_: Callable[[object], Any]) -> None:
            for n in range(3):
                yield_(connection.execute(sqlalchemy.text(f"select {n}")).scalar())

        def outer(yield_: Callable[[object], Any]) -> None:
            for value in pullit.iterate(numbers):
                yield_((value, connection.execute(sqlalchemy.text("select 10")).scalar()))

        def wrong(yield_: Callable[[object], Any]) -> None:
            with pytest.raises(sqlalchemy.exc.OperationalError):
                connection.execute(sqlalchemy.text("select nothing"))
            yield_("handled")

        return tuple(list(pullit.iterate(seq)) for seq in (numbers, outer, wrong))

    async def main() -> tuple[list[object], ...]:
        engine = create_async_engine("sqlite+aiosqlite:///:memory:")
        async with engine.connect() as connection:
            got: tuple[list[object], ...] = await connection.run_sync(work)
        await engine.dispose()
        return got

    assert asyncio.run(main()) == ([0, 1, 2], [(0, 10), (1, 10), (2, 10)], ["handled"])


def test_15_await_only_outside_of_a_provider_says_so() -> None:
    """As if the pull were not there."""
    from sqlalchemy.util import await_only

    def producer(yield_: Callable[[str], Any]) -> None:
        never = asyncio.sleep(0)
        with pytest.raises(sqlalchemy.exc.MissingGreenlet):
            await_only(never)
        never.close()
        yield_("refused")

    assert list(pullit.iterate(producer)) == ["refused"]


def test_15_what_the_consumers_parent_answers_is_the_producers() -> None:
    """Values and exceptions alike, and more than one argument."""
    log: list[object] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        parent = getcurrent().parent
        assert parent is not None
        log.append(parent.switch("question"))
        log.append(parent.switch(1, 2))
        with pytest.raises(KeyError):
            parent.switch()
        yield_(3)

    consumer = greenlet(lambda: list(pullit.iterate(producer)))
    assert consumer.switch() == "question"
    assert consumer.switch("answer") == (1, 2)
    assert consumer.switch() == ()
    assert consumer.throw(KeyError()) == [3]
    assert log == ["answer", ()]


def test_15_where_there_is_no_parent_the_producer_is_told() -> None:
    """A switch to nowhere is refused in the producer, which goes on."""

    def producer(yield_: Callable[[str], Any]) -> None:
        parent = getcurrent().parent
        assert parent is not None
        try:
            parent.switch()
        except PullError as e:
            yield_(str(e))

    assert list(pullit.iterate(producer)) == [
        "pullit: the producer switched to its parent greenlet, but its consumer runs in the"
        " main greenlet, which has none; start the consumer where such a switch is served"
    ]


def test_15_tasks_of_one_loop_may_each_pull() -> None:
    """The consumer awaits between two values; the producers stay apart."""

    async def consume(name: str) -> list[str]:
        got = []
        for value in pullit.iterate(lambda yield_: [yield_(f"{name}{n}") for n in range(3)]):
            got.append(value)
            await asyncio.sleep(0)
        return got

    async def main() -> list[list[str]]:
        return list(await asyncio.gather(consume("a"), consume("b")))

    assert asyncio.run(main()) == [["a0", "a1", "a2"], ["b0", "b1", "b2"]]


def test_10_a_pull_may_go_from_task_to_task() -> None:
    """All run in one thread; the producer sees whichever task has asked."""
    seen: list[object] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        for n in range(6):
            task = asyncio.current_task()
            seen.append(task and task.get_name())
            yield_(n)

    async def ask(it: Iterator[int], times: int) -> list[int]:
        got = []
        for _ in range(times):
            got.append(next(it))
            await asyncio.sleep(0)
        return got

    async def main() -> None:
        it = pullit.iterate(producer)
        assert await asyncio.create_task(ask(it, 2), name="a") == [0, 1]
        tasks = [asyncio.create_task(ask(it, 2), name=name) for name in "bc"]
        assert await asyncio.gather(*tasks) == [[2, 4], [3, 5]]
        assert list(it) == []

    asyncio.run(main())
    assert seen == ["a", "a", "b", "c", "b", "c"]


def test_10_many_tasks_of_one_loop_pull_by_turns() -> None:
    """A hundred producers are suspended at once, each in its own place."""

    async def consume(start: int) -> list[int]:
        next_, stop = pullit.pull(lambda yield_: [yield_(start + n) for n in range(10)])
        got = []
        while (pair := next_())[1]:
            got.append(pair[0])
            await asyncio.sleep(0)
            if len(got) == start % 10:
                stop()
        return got

    async def main() -> list[list[int]]:
        return list(await asyncio.gather(*(consume(n) for n in range(100))))

    assert asyncio.run(main()) == [list(range(n, n + (n % 10 or 10))) for n in range(100)]


# greenback: its portal is the parent of a task's greenlet.


def awaits(yield_: Callable[[int], Any]) -> None:
    """Yield 0, 1, 2, each from an await."""
    import greenback

    for n in range(3):
        yield_(greenback.await_(asyncio.sleep(0, n)))


def awaits_around(yield_: Callable[[tuple[int, int]], Any]) -> None:
    """The same over a pull of its own, whose producer awaits too."""
    import greenback

    for n in pullit.iterate(awaits):
        yield_((n, greenback.await_(asyncio.sleep(0, 10))))


def test_15_greenbacks_await_works_in_a_producer() -> None:
    """However the portal was made; nested, reading ahead, and with awaits between."""
    greenback = pytest.importorskip("greenback")
    pairs = [(n, 10) for n in range(3)]

    def sync() -> list[object]:
        return list(pullit.iterate(awaits_around))

    async def run() -> list[object]:
        return sync()

    async def main() -> None:
        assert await greenback.with_portal_run(run) == pairs
        assert await greenback.with_portal_run_sync(sync) == pairs
        await greenback.ensure_portal()
        assert await run() == pairs
        assert list(pullit.iterate(awaits_around, read_ahead=2)) == pairs
        it = pullit.iterate(awaits)
        got = []
        for value in it:
            await asyncio.sleep(0)
            got.append(value)
        assert got == [0, 1, 2]

    asyncio.run(main())


def test_15_an_error_of_what_is_awaited_is_raised_in_the_producer() -> None:
    """As from any call; it may handle it."""
    greenback = pytest.importorskip("greenback")

    async def fail() -> None:
        raise KeyError("boom")

    def producer(yield_: Callable[[object], Any]) -> None:
        try:
            greenback.await_(fail())
        except KeyError as e:
            yield_(e.args)
        greenback.await_(fail())

    async def main() -> None:
        await greenback.ensure_portal()
        it = pullit.iterate(producer)
        assert next(it) == ("boom",)
        with pytest.raises(KeyError, match="boom"):
            next(it)

    asyncio.run(main())


def test_15_a_timeout_of_asyncios_is_raised_in_the_producer_that_awaits() -> None:
    """It is cancelled, may await in its cleanup, and the consumer gets the timeout."""
    greenback = pytest.importorskip("greenback")
    log: list[object] = []

    def slow(yield_: Callable[[int], Any]) -> None:
        try:
            yield_(1)
            greenback.await_(asyncio.sleep(10))
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        finally:
            log.append(greenback.await_(asyncio.sleep(0, "cleaned up")))

    async def main() -> None:
        await greenback.ensure_portal()
        it = pullit.iterate(slow)
        assert next(it) == 1
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.005):
                next(it)
        assert it.done

    asyncio.run(main())
    assert log == ["cancelled", "cleaned up"]


def test_15_without_a_portal_greenback_says_so() -> None:
    """As if the pull were not there."""
    greenback = pytest.importorskip("greenback")

    def producer(yield_: Callable[[int], Any]) -> None:
        waiting = asyncio.sleep(0)
        try:
            greenback.await_(waiting)
        finally:
            waiting.close()

    async def main() -> None:
        with pytest.raises(RuntimeError, match="You must create a greenback portal"):
            list(pullit.iterate(producer))

    asyncio.run(main())


def test_15_tasks_with_portals_pull_together() -> None:
    """While one producer awaits, the others run."""
    greenback = pytest.importorskip("greenback")

    async def consume() -> list[object]:
        return list(pullit.iterate(awaits_around))

    async def main() -> list[list[object]]:
        tasks = [greenback.with_portal_run(consume) for _ in range(5)]
        return list(await asyncio.gather(*tasks))

    assert asyncio.run(main()) == [[(n, 10) for n in range(3)]] * 5


# Thread pools.


async def ask_in_worker(tasks: Any, release: threading.Event, function: Callable[[], Any]) -> Any:
    """Return what *function* does in a worker thread that is then busy until *release*."""
    import anyio
    import anyio.from_thread
    import anyio.to_thread

    done, got = anyio.Event(), list[Any]()

    def work() -> None:
        try:
            got.append(function())
        except Exception as e:
            got.append(e)
        anyio.from_thread.run_sync(done.set)
        release.wait()

    tasks.start_soon(anyio.to_thread.run_sync, work)
    await done.wait()
    return got.pop()


@pytest.mark.parametrize("read_ahead", [0, 2])
def test_21_each_next_may_come_from_another_worker_thread(read_ahead: int) -> None:
    """As anyio's to_thread.run_sync picks them; with the thread engine."""
    anyio = pytest.importorskip("anyio")
    threads: set[int] = set()

    def producer(yield_: Callable[[int], Any]) -> None:
        for n in range(4):
            yield_(n)

    async def main() -> None:
        release = threading.Event()
        it = pullit.iterate(producer, read_ahead=read_ahead, engine="thread")

        def ask() -> int:
            threads.add(threading.get_ident())
            return next(it)

        async with anyio.create_task_group() as tasks:
            try:
                got = [await ask_in_worker(tasks, release, ask) for _ in range(3)]
                assert got == [0, 1, 2]
                assert await ask_in_worker(tasks, release, it.close) is None
            finally:
                release.set()

    anyio.run(main)
    assert len(threads) == 3


def test_11_another_worker_thread_is_refused() -> None:
    """With the greenlet engine; the iterator is unharmed where it was started."""
    anyio = pytest.importorskip("anyio")

    async def main() -> None:
        release = threading.Event()
        it = pullit.iterate(lambda yield_: [yield_(n) for n in range(3)])
        assert next(it) == 0
        async with anyio.create_task_group() as tasks:
            try:
                error = await ask_in_worker(tasks, release, it.__next__)
            finally:
                release.set()
        assert isinstance(error, WrongThreadError)
        assert str(error).startswith(
            "pullit.iterate: next called in thread 'AnyIO worker thread', but"
            " test_11_another_worker_thread_is_refused.<locals>.main.<locals>.<lambda>"
        )
        assert list(it) == [1, 2]

    anyio.run(main)


def rows(yield_: Callable[[str], Any]) -> None:
    for n in range(3):
        yield_(f"row {n}\n")


def stream(it: Iterator[str], busy: bool) -> str:
    """Stream *it* through Starlette; after each row, the last worker thread may be *busy*."""
    anyio = pytest.importorskip("anyio")
    pytest.importorskip("starlette")
    pytest.importorskip("httpx2")  # of the test client
    from starlette.applications import Starlette
    from starlette.concurrency import iterate_in_threadpool
    from starlette.responses import StreamingResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient

    async def interrupted() -> AsyncIterator[str]:
        release = threading.Event()
        async with anyio.create_task_group() as tasks:
            try:
                async for row in iterate_in_threadpool(it):
                    yield row
                    await ask_in_worker(tasks, release, bool)
            finally:
                release.set()

    async def page(request: object) -> StreamingResponse:
        return StreamingResponse(interrupted() if busy else it)

    return TestClient(Starlette(routes=[Route("/", page)])).get("/").text


@pytest.mark.parametrize("busy", [False, True])
def test_21_starlette_streams_the_thread_engine(busy: bool) -> None:
    """Whichever worker thread asks for the next value."""
    assert stream(pullit.iterate(rows, engine="thread"), busy) == "row 0\nrow 1\nrow 2\n"


def test_11_starlette_streams_the_greenlet_engine_from_one_thread_only() -> None:
    """It works while the worker threads are idle, and is refused as soon as one is not."""
    threads: list[threading.Thread] = []

    def producer(yield_: Callable[[str], Any]) -> None:
        threads.append(threading.current_thread())
        rows(yield_)

    assert stream(pullit.iterate(producer), False) == "row 0\nrow 1\nrow 2\n"
    it = pullit.iterate(producer)
    with pytest.raises(BaseException) as caught:  # noqa: PT011  a group, of any depth
        stream(it, True)
    error: Any = caught.value
    while isinstance(error, BaseExceptionGroup):
        (error,) = error.exceptions
    assert isinstance(error, WrongThreadError)
    threads[1].join()  # which stops the pull


# eventlet: a hub in the main greenlet, as gevent's.


def test_15_producers_that_sleep_in_eventlet_run_together() -> None:
    """And a timeout in the consumer ends the producer first."""
    if not importlib.util.find_spec("eventlet"):
        pytest.skip("eventlet is missing")
    assert run_script(
        """
        import warnings
        warnings.simplefilter("ignore")  # eventlet says that it is old
        import eventlet
        import pullit

        def sleeper(name):
            def producer(yield_):
                try:
                    for n in range(3):
                        eventlet.sleep(0.005)
                        yield_(f"{name}{n}")
                finally:
                    print(name, "end")
            return producer

        def consume(name):
            for value in pullit.iterate(sleeper(name)):
                print(value)

        for thread in [eventlet.spawn(consume, name) for name in "ab"]:
            thread.wait()
        consume("main")

        def slow(yield_):
            try:
                eventlet.sleep(10)
            finally:
                eventlet.sleep(0.001)
                print("cleaned up")

        def give_up():
            it = pullit.iterate(slow)
            try:
                with eventlet.Timeout(0.01):
                    next(it)
            except eventlet.Timeout:
                print("timeout", it.done)

        eventlet.spawn(give_up).wait()
        """
    ).split("\n") == [
        *["a0", "b0", "a1", "b1", "a2", "a end", "b2", "b end"],
        *["main0", "main1", "main2", "main end"],
        *["cleaned up", "timeout True", ""],
    ]


# 13: contextvars.

VAR = contextvars.ContextVar("VAR", default="unset")


def third() -> str:
    """One third, to the precision of the current decimal context."""
    return str(decimal.Decimal(1) / 3)


def thirds(yield_: Callable[[str], Any]) -> None:
    """Yield it in precisions of the producer's own."""
    with decimal.localcontext() as context:
        context.prec = 3
        yield_(third())
        with decimal.localcontext() as inner:
            inner.prec = 2
            yield_(third())
        yield_(third())
    yield_(third())


@pytest.mark.parametrize("read_ahead", [0, 2])
def test_13_decimal_contexts_stay_apart(engine: Engine, read_ahead: int) -> None:
    """The producer's, over its yields, and the consumer's, over its nexts."""
    got = []
    with decimal.localcontext() as context:
        context.prec = 6
        for value in pullit.iterate(thirds, engine=engine, read_ahead=read_ahead):
            with decimal.localcontext() as mine:
                mine.prec = 4
                got.append((value, third()))
        assert third() == "0.333333"
    assert got == [(v, "0.3333") for v in ("0.333", "0.33", "0.333", "0.333333")]


@pytest.mark.parametrize("read_ahead", [0, 2])
def test_13_in_a_thread_that_has_no_context_yet(engine: Engine, read_ahead: int) -> None:
    """What the producer is the first to set there, the consumer does not see."""
    got: list[str] = []

    def run() -> None:
        def producer(yield_: Callable[[str], Any]) -> None:
            decimal.setcontext(decimal.Context(prec=3))
            VAR.set("the producer's")
            yield_(third())
            yield_(VAR.get())

        got.extend(pullit.iterate(producer, engine=engine, read_ahead=read_ahead))
        got.append(VAR.get())
        got.append(str(decimal.getcontext().prec))

    # In an empty context: a free-threaded build would have the thread copy ours.
    thread = threading.Thread(target=contextvars.Context().run, args=(run,))
    thread.start()
    thread.join()
    assert got == ["0.333", "the producer's", "unset", str(decimal.DefaultContext.prec)]


@pytest.mark.parametrize("read_ahead", [0, 2])
def test_13_a_coroutine_that_is_used_again_has_a_fresh_context(
    engine: Engine, read_ahead: int
) -> None:
    """Its own first caller's, and nothing of what the last user has set."""

    def producer(yield_: Callable[[str], Any]) -> None:
        yield_(VAR.get())
        VAR.set("the producer's")
        yield_(VAR.get())

    def run() -> None:
        for n in range(5):
            VAR.set(str(n))
            it = pullit.iterate(producer, engine=engine, read_ahead=read_ahead)
            assert list(it) == [str(n), "the producer's"]
            assert VAR.get() == str(n)

    contextvars.Context().run(run)


def test_13_a_nested_producer_runs_in_a_copy_of_the_outer_ones(engine: Engine) -> None:
    """Which is the caller of its first next."""

    def inner(yield_: Callable[[str], Any]) -> None:
        yield_(VAR.get())
        VAR.set("inner")

    def outer(yield_: Callable[[str], Any]) -> None:
        VAR.set("outer")
        for value in pullit.iterate(inner, engine=engine):
            yield_(value)
        yield_(VAR.get())

    assert list(pullit.iterate(outer, engine=engine)) == ["outer", "outer"]
    assert VAR.get() == "unset"


def test_13_a_producer_may_yield_inside_of_another_context(engine: Engine) -> None:
    """It comes back to it with each next, and tokens of before are good."""

    def producer(yield_: Callable[[str], Any]) -> None:
        token = VAR.set("one")

        def run() -> None:
            other = VAR.set("two")
            yield_(VAR.get())
            yield_(VAR.get())
            VAR.reset(other)
            yield_(VAR.get())

        contextvars.copy_context().run(run)
        yield_(VAR.get())
        VAR.reset(token)
        yield_(VAR.get())

    it = pullit.iterate(producer, engine=engine)
    got = [contextvars.Context().run(next, it, "end") for _ in range(6)]
    assert got == ["two", "two", "one", "one", "unset", "end"]


def test_13_a_pull_keeps_the_context_of_the_task_that_started_it() -> None:
    """Whichever task asks later."""

    def producer(yield_: Callable[[str], Any]) -> None:
        for _ in range(3):
            yield_(VAR.get())

    async def ask(it: Iterator[str], name: str) -> str:
        VAR.set(name)
        await asyncio.sleep(0)
        return next(it)

    async def main() -> list[str]:
        it = pullit.iterate(producer)
        got = [await asyncio.create_task(ask(it, name)) for name in "abc"]
        it.close()
        return got

    assert asyncio.run(main()) == ["a", "a", "a"]


@pytest.mark.parametrize("imported", ["before", "inside"])
def test_15_eventlet_may_be_used_first_inside_a_producer(imported: str) -> None:
    """Its hub is no child of the pull, so that the main greenlet can wait later."""
    script = f"""
        import warnings
        warnings.simplefilter("ignore")
        if {imported!r} == "before":
            import eventlet
        import pullit

        def rows(yield_):
            import eventlet
            eventlet.sleep(0.001)
            yield_(1)
            eventlet.sleep(0.001)
            yield_(2)

        got = []
        for row in pullit.iterate(rows):
            import eventlet
            eventlet.sleep(0.001)
            got.append(row)
        print(got)
        """
    assert run_script(script) == "[1, 2]\n"


def test_15_a_consumer_that_is_killed_does_not_go_on() -> None:
    """Though seq waits in a switch that is not ours, GreenletExit is the consumer's."""
    log: list[str] = []

    def seq(yield_: Callable[[Any], Any]) -> None:
        try:
            yield_(getcurrent().parent.switch("wait"))  # type: ignore[union-attr]
        finally:
            log.append("seq ended")

    def consumer() -> None:
        for _ in pullit.iterate(seq):
            pass
        log.append("went on")

    killed = greenlet(consumer)
    assert killed.switch() == "wait"
    killed.throw()
    assert killed.dead
    assert log == ["seq ended"]
