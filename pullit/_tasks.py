"""Calls that wait in tasks of asyncio: of anext, and of aclose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pullit._channel import TURN


class Wake(asyncio.Future[None]):
    """A future whose task goes on at once, and not in the loop's next turn: that takes 5 µs."""

    step: tuple[Any, Any] | None = None  # what the task goes on by, and its context

    def add_done_callback(self, step: Any, *, context: Any = None) -> None:
        super().add_done_callback(step, context=context)  # for cancel
        self.step = None if context is None else (step, context)  # a task gives its own

    def remove_done_callback(self, step: Any, /) -> int:
        self.step = None
        return super().remove_done_callback(step)

    def wake(self) -> None:
        """In the loop, outside of any task."""
        if self.step is None:
            self.set_result(None)
            return
        step, context = self.step
        self.remove_done_callback(step)
        self.set_result(None)
        context.run(step, self)


class TaskWaiter:
    """A call of anext, which waits in a task.

    It is woken once in each *round*, which ends when the loop resumes it. A thread that finds
    this round's wake on its way need not wake it again: the call looks after that.
    """

    __slots__ = ("future", "loop", "round", "woken")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.future: Wake | None = None
        self.round: object = object()
        self.woken: object = None  # the last round in which it was

    def waits(self) -> bool:
        return self.woken is not self.round

    def wake(self) -> None:
        """Have it look again. In any thread; nothing if the loop is closed."""
        this = self.round
        if wake_loop(self.loop, self.resume):
            self.woken = this
        else:
            self.future = None  # its task never goes on, and is not to be kept by seq's thread

    def resume(self) -> None:
        """In the loop, so that this cannot come between its look and its wait."""
        self.round = object()
        if self.future is not None and not self.future.done():
            self.future.wake()

    async def wait(self) -> None:
        self.future = Wake(loop=self.loop)
        try:
            await self.future
        finally:
            self.future = None  # it knows the task, and a yield_ that waits knows us


class Closing:
    """The turn of aclose, from the order to stop until seq has ended.

    It outlives a call that is cancelled. Any number of calls wait for `ended`.
    """

    __slots__ = ("ended", "errors", "loop", "pull", "waiting")

    def __init__(self, pull: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.pull = pull
        self.loop = loop
        self.ended: asyncio.Future[None] = loop.create_future()
        self.errors: list[BaseException] = []  # what tells the first of them
        self.waiting = 0

    def waits(self) -> bool:
        return False  # for no value

    def wake(self) -> None:
        """Have the loop let go of seq. In any thread."""
        if not wake_loop(self.loop, self.resume):
            self.pull.report()

    def resume(self) -> None:
        """In the loop, once seq has ended: let go of it."""
        if not self.pull.over():
            if self.pull.lingers(self):
                return
            self.errors.append(self.pull.finish(told=True))
            self.pull.caller.pop(TURN, None)
        if not self.ended.done():
            self.ended.set_result(None)
        self.report()

    def report(self) -> None:
        """Have the loop say what seq raised, if no call is left to raise it."""
        if self.waiting or not self.errors:
            return
        error = self.errors.pop()
        if not issubclass(type(error), self.pull.signals_end):
            message = f"{self.pull.name}: {self.pull.label} failed after aclose was cancelled"
            self.loop.call_exception_handler({"message": message, "exception": error})

    async def wait(self) -> BaseException | None:
        """Wait for seq's end; return what it has brought, to the first call."""
        self.waiting += 1
        try:
            if self.pull.ended:
                self.resume()
            else:
                await asyncio.wait([self.ended])
            return self.errors.pop() if self.errors else None
        finally:
            self.waiting -= 1
            self.report()


def running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RecursionError:  # pragma: no cover  on 3.11
        raise
    except RuntimeError:
        return None


def wake_loop(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> bool:
    """Have *loop* make a call; tell whether it is still open. From any thread."""
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:
        if not loop.is_closed():
            raise  # a RecursionError, say
        return False
    return True
