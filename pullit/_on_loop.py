"""A pull on a thread of its own, whose consumer waits in a task of asyncio.

Nothing here waits for seq but by ``await``. The thread is joined only when seq has ended, and
what only seq has held is freed. If a call is cancelled, its value stays in the channel, for the
next call.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import Any

from pullit._ahead_on_thread import Ahead
from pullit._channel import TURN
from pullit._consumer import END, ConsumerSide
from pullit._errors import PullError, WrongThreadError, raise_as_left
from pullit._lifetimes import DroppedAtExit, left, live, sweep
from pullit._per_thread import known_thread
from pullit._pull import Order
from pullit._tasks import Closing, TaskWaiter, running_loop
from pullit._threads import this_thread
from pullit._types import NOTHING
from pullit._waiting import Quick, join

# Another key of `caller`, claimed by the first anext: the pull's event loop.
LOOP = "loop"


class AsyncPull(ConsumerSide):
    """One pull of *seq* in lockstep, whose consumer waits in a task."""

    __slots__ = ()

    asks = "anext"
    signals_end = StopIteration, StopAsyncIteration

    async def next(self, holder: object, order: Order | None = None, call: str = "anext") -> Any:
        """Resume seq, with *order*, and wait for a value; StopAsyncIteration at the end.

        If it is cancelled while it waits, nothing is lost: the next call gets the value.
        *holder* is the iterator that users hold. As an argument it stays alive meanwhile.
        """
        if left:
            sweep(known_thread())
        value: Any = NOTHING
        errors: list[BaseException] = []
        if not self.done():
            loop = self.check_loop(call, holder)
            waiter: TaskWaiter | None = None
            waits = False  # true during an await: an exception there leaves the pull alone
            try:
                if self.values and (value := self.take_quickly()) is not NOTHING:
                    return value
                waiter = TaskWaiter(loop)
                self.claim(waiter, call)
                self.consumer = this_thread()
                self.set_off(order)
                if self.values:
                    waits = True
                    await asyncio.sleep(0)  # let other tasks run, after many values
                    waits = False
                while (value := self.look()) is NOTHING or (value is END and self.lingers(waiter)):
                    waits = True
                    await waiter.wait()
                    waits = False
                if value is END:
                    errors.append(self.finish(told=self.told_to_stop))
            except (PullError, RecursionError, MemoryError):
                raise  # the pull stays as it was
            except BaseException:
                if not waits:
                    self.abandon(waiter)
                raise
            finally:
                try:  # see ThreadPull.next
                    if self.caller[TURN] is waiter:
                        del self.caller[TURN]
                except KeyError:
                    pass
        elif self.orphan_text:
            errors.append(WrongThreadError(self.orphan_text))
        if value is not NOTHING and value is not END:
            return value
        if not errors or issubclass(type(errors[0]), self.signals_end):
            raise StopAsyncIteration
        raise_as_left(errors)

    def check_loop(self, call: str, holder: object) -> asyncio.AbstractEventLoop:
        """Return the running loop; raise if it is not the pull's, or there is none.

        The first call registers *holder* with the loop, as one does an async generator: the
        end of asyncio.run then closes it.
        """
        loop = running_loop()
        if loop is None:
            raise RuntimeError(
                f"{self.name}: {call} needs a running event loop of asyncio; elsewhere, under"
                " trio for example, run a loop over pullit.iterate in a thread"
            )
        is_first = LOOP not in self.caller
        owner: asyncio.AbstractEventLoop = self.caller.setdefault(LOOP, loop)
        if owner is not loop:
            raise self.wrong_loop(call)
        if is_first and (hook := sys.get_asyncgen_hooks().firstiter):
            hook(holder)  # type: ignore[arg-type]
        return owner

    def wrong_loop(self, call: str) -> PullError:
        return PullError(
            f"{self.name}: {call} called outside of the event loop of the first anext, to which"
            f" {self.label} belongs; call it there, or start another iterator"
        )

    async def stop(self) -> Any:
        """Make seq return, and return its result; None if it had ended before.

        If it is cancelled while it waits, seq is told to stop all the same.
        """
        if self.over():
            return None
        if self.thread is None and self.caller.setdefault(TURN, turn := Quick()) is turn:
            # While this has the turn, no anext in another loop can start seq.
            try:
                if self.thread is None:
                    self.call_off()
                    return None
            finally:
                self.caller.pop(TURN, None)
        loop = running_loop()
        if loop is None or loop is not self.caller.get(LOOP, loop):
            self.order_stop()
            raise self.wrong_loop("aclose")
        closing = self.caller.setdefault(TURN, Closing(self, loop))
        if not isinstance(closing, Closing):
            raise self.refusal("aclose")
        # In each call, in case an earlier one has failed. If from_callback's stop raises an
        # error, that is raised at once, since seq may then never end.
        self.order_stop()
        error = await closing.wait()
        if error is None:
            return None
        if not issubclass(type(error), self.signals_end):
            errors = [error]
            del error
            raise_as_left(errors)
        return self.result if self.returned() else None

    def call_off(self) -> None:
        """End the pull, which has not started: seq is never called."""
        self.told_to_stop = self.ended = True
        self.let_go()

    def tell_end(self) -> None:
        waiter = self.caller.get(TURN)
        if waiter is not None:
            waiter.wake()
        elif self.told_to_stop:
            self.report()

    def lingers(self, waiter: TaskWaiter | Closing) -> bool:
        """Return whether the thread still runs, although seq has ended.

        As a rule it has nothing left to do. But what seq has put into a threading.local is
        freed with the thread, and that may take time. If so, *waiter* looks again later.
        """
        thread = self.thread
        if thread is None:
            return False  # pragma: no cover  a race: another has let go of it
        thread.join(0.002)
        if not thread.is_alive():
            return False
        waiter.loop.call_later(0.01, waiter.resume)
        return True

    def let_go(self) -> None:
        super().let_go()
        self.caller.pop(LOOP, None)

    def drop(self) -> None:
        """Tell seq to stop, because the handle was dropped, and do not wait for it."""
        if not self.is_finalizing():
            self.drop_at_exit()

    def drop_at_exit(self) -> None:
        if self.over():
            return
        if self.thread is None:
            self.call_off()
        elif not self.told_to_stop:
            self.caller.pop(TURN, None)  # whose task, if any, was dropped as well
            self.abandon(None)
        elif self.ended and (loop := self.caller.get(LOOP)) and loop.is_closed():
            self.report()  # the loop was closed before it could do so


class AheadAsyncPull(Ahead, AsyncPull):
    """One pull of *seq* that works at the same time, whose consumer waits in a task."""

    __slots__ = ("turns",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.turns = self.most  # how many values may be taken until other tasks run

    def take_quickly(self) -> Any:
        if TURN in self.caller:
            return NOTHING
        if not self.turns:
            self.turns = self.most
            return NOTHING
        self.turns -= 1
        return self.take()


def tell_all() -> None:
    """At exit, tell every AsyncPull to stop, and wait one second for all of them together."""
    pulls = [pull for pull in reversed(live.copy()) if isinstance(pull, AsyncPull)]
    threads = [pull.thread for pull in pulls]
    for pull in pulls:
        DroppedAtExit(pull)
    end = time.monotonic() + 1
    for thread in threads:
        if thread is not None:
            join(thread, end - time.monotonic())


# Registered after stop_all, so that it is called before that: see `_on_thread`.
try:
    threading._register_atexit(tell_all)  # type: ignore[attr-defined]
except (AttributeError, RuntimeError):  # pragma: no cover  there is none, or it is too late
    pass
