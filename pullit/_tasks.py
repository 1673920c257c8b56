"""The calls of the consumer that wait in a task of asyncio: anext and aclose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pullit._channel import TURN


class Wake(asyncio.Future[None]):
    """A future whose `wake` runs the waiting task at once.

    set_result alone would have the loop run it in its next turn, which takes 5 µs more.
    """

    step: tuple[Any, Any] | None = None  # the task's callback, which runs it, and its context

    def add_done_callback(self, step: Any, *, context: Any = None) -> None:
        super().add_done_callback(step, context=context)  # which cancel uses
        self.step = None if context is None else (step, context)  # only a task gives one

    def remove_done_callback(self, step: Any, /) -> int:
        self.step = None
        return super().remove_done_callback(step)

    def wake(self) -> None:
        """Run the task. To be called by the loop, outside of any task."""
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
        """Have the consumer look for a value again, from any thread, unless its loop is closed."""
        this = self.round
        if wake_loop(self.loop, self.resume):
            self.woken = this
        else:
            self.future = None  # its task never goes on, and is not to be kept by seq's thread

    def resume(self) -> None:
        """Wake the task. It is run by the loop, so not between the task's look and its wait."""
        self.round = object()
        if self.future is not None and not self.future.done():
            self.future.wake()

    async def wait(self) -> None:
        self.future = Wake(loop=self.loop)
        try:
            await self.future
        finally:
            self.future = None  # it refers to the task, and a waiting yield_ may refer to us


class Closing:
    """The turn of aclose, from the order to stop until seq has ended.

    It outlives calls of aclose that are cancelled. Any number of calls wait for `ended`.
    """

    __slots__ = ("ended", "errors", "loop", "pull", "waiting")

    def __init__(self, pull: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.pull = pull
        self.loop = loop
        self.ended: asyncio.Future[None] = loop.create_future()
        self.errors: list[BaseException] = []  # what `finish` returned, for the first call
        self.waiting = 0  # how many calls wait

    def waits(self) -> bool:
        # Not for a value, so no yield_ is to wake it.
        return False  # pragma: no cover  a race: a yield_ that has not yet seen the order

    def wake(self) -> None:
        """Have the loop call `resume`, from any thread. If it is closed, report seq's error."""
        if not wake_loop(self.loop, self.resume):
            self.pull.report()

    def resume(self) -> None:
        """Let go of seq, which has ended, and wake the calls. To be called by the loop."""
        if not self.pull.over():
            if self.pull.lingers(self):
                return
            self.errors.append(self.pull.finish(told=True))
            self.pull.caller.pop(TURN, None)
        if not self.ended.done():
            self.ended.set_result(None)
        self.report()

    def report(self) -> None:
        """Give what seq raised to the loop's exception handler, if no call is left to raise it."""
        if self.waiting or not self.errors:
            return
        error = self.errors.pop()
        if not issubclass(type(error), self.pull.signals_end):
            message = f"{self.pull.name}: {self.pull.label} failed after aclose was cancelled"
            self.loop.call_exception_handler({"message": message, "exception": error})

    async def wait(self) -> BaseException | None:
        """Wait for seq's end. Return what `finish` returned to the first call, None to others."""
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
    except RecursionError:  # pragma: no cover  on 3.11; it is a RuntimeError, too
        raise
    except RuntimeError:
        return None


def wake_loop(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> bool:
    """Have *loop* make *call*, from any thread; return False if the loop is closed."""
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:
        if not loop.is_closed():
            raise  # a RecursionError, say
        return False
    return True
