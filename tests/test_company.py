"""Contract 15: switches that are not ours pass through a pull."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from greenlet import getcurrent, greenlet

import pullit
from pullit import PullError

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
            return "timed out"
        return "in time"

    def consume() -> None:
        it = pullit.iterate(producer)
        assert next(it) == 1
        gevent.sleep(0.02)
        assert list(it) == []
        assert it.result == "timed out"

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
