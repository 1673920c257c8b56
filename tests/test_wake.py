"""What a task awaits in anext: it goes on in the turn of the loop in which it is woken."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

import pytest

import pullit
from pullit._tasks import TaskWaiter


def seq(yield_: Callable[[int], Any]) -> None:
    yield_(1)


def test_a_woken_task_goes_on_in_the_same_turn_of_the_loop() -> None:
    """What the wake has been given to the loop with comes after it, not before."""

    async def main() -> list[str]:
        order: list[str] = []
        loop = asyncio.get_running_loop()
        call = loop.call_soon_threadsafe

        def call_both(*args: Any, **options: Any) -> Any:
            call(*args, **options)
            return call(order.append, "next in the turn")

        loop.call_soon_threadsafe = call_both  # type: ignore[assignment, method-assign]
        try:
            async with pullit.aiterate(seq) as it:
                await anext(it)
                order.append("the task")
        finally:
            del loop.call_soon_threadsafe
        return order

    assert asyncio.run(main())[:2] == ["the task", "next in the turn"]


def test_who_steps_anext_by_hand_is_called_back_as_by_any_future() -> None:
    """Without a context, so in the next turn."""

    async def main() -> None:
        go = threading.Event()

        def later(yield_: Callable[[int], Any]) -> None:
            go.wait(20)
            yield_(1)

        async with pullit.aiterate(later) as it:
            call = it.__anext__()
            future = call.send(None)
            called = asyncio.Event()
            future.add_done_callback(lambda _: called.set())
            go.set()
            async with asyncio.timeout(10):
                await called.wait()
            with pytest.raises(StopIteration) as returned:
                call.send(None)
            assert returned.value.value == 1

    asyncio.run(main())


def test_a_callback_that_is_taken_away_again_is_not_called() -> None:
    async def main() -> None:
        go = threading.Event()

        def later(yield_: Callable[[int], Any]) -> None:
            go.wait(20)
            yield_(1)

        async with pullit.aiterate(later) as it:
            call = it.__anext__()
            future = call.send(None)
            called: list[object] = []
            context = contextvars.copy_context()
            future.add_done_callback(called.append, context=context)
            assert future.remove_done_callback(called.append) == 1
            go.set()
            while not future.done():
                await asyncio.sleep(0.001)
            await asyncio.sleep(0)
            assert called == []
            call.close()

    asyncio.run(main())


def test_a_wake_that_returns_late_does_not_hide_the_next_wait() -> None:
    """Meanwhile its consumer may have woken, found nothing, and waited anew: for good, once."""

    class Loop:
        has_room = True

        def is_closed(self) -> bool:
            return False

        def call_soon_threadsafe(self, call: Callable[[], object]) -> None:
            if not self.has_room:
                raise RecursionError
            call()  # the loop is quick

    loop: Any = Loop()
    waiter = TaskWaiter(loop)
    waiter.wake()
    assert waiter.waits()
    loop.has_room = False
    with pytest.raises(RecursionError):
        waiter.wake()
    assert waiter.waits()  # nobody has woken it


def test_a_wake_that_comes_before_the_wait_does_not_hide_later_ones() -> None:
    """It finds no future; then the consumer looks, and waits."""

    async def main() -> None:
        waiter = TaskWaiter(asyncio.get_running_loop())
        waiter.wake()
        assert not waiter.waits()
        await asyncio.sleep(0)
        assert waiter.waits()

    asyncio.run(main())
