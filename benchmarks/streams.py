"""A hundred streams at once in one event loop: what else in it has to wait for.

    python benchmarks/streams.py [ROUNDS]

Each stream's producer takes some time for each token, in which it sleeps or computes.
Meanwhile a timer of 10 ms, in place of another request, measures how late the loop is.
So does a call in the loop's default executor, as name look-ups are. Each round has each way
once, in changing order. It prints, by producer and way: the tokens a second, and the waits.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from functools import partial
from typing import Any, TypeAlias

import pullit

STREAMS = 100
SECONDS = 1.5  # of each way in each round
TIMER = 0.01

Make: TypeAlias = Callable[[], object]
Stream: TypeAlias = Callable[[Make], AsyncIterator[object]]

END = object()


# Producers: what they do for each token.


def compute() -> None:
    """Run Python code for a millisecond of this thread's time."""
    end = time.thread_time() + 0.001
    while time.thread_time() < end:
        pass


def compute_in_turn() -> None:
    """The same, but no more than two of all at a time: others need not wait for more."""
    with turns:
        compute()


turns = threading.Semaphore(2)

MAKES: dict[str, Make] = {
    "sleeps": partial(time.sleep, 0.005),
    "computes": compute,
    "computes, two at a time": compute_in_turn,
}


def tokens(make: Make) -> Iterator[object]:
    """The same as a generator."""
    while True:
        yield make()


# Ways.


def aiterated(make: Make, **options: Any) -> AsyncIterator[object]:
    def walk(yield_: Callable[[object], Any]) -> None:
        while yield_(make()):
            pass

    return pullit.aiterate(walk, **options)


async def executed(make: Make) -> AsyncIterator[object]:
    """The usual recipe: each next is a call in the loop's default executor."""
    loop = asyncio.get_running_loop()
    it = tokens(make)
    while (token := await loop.run_in_executor(None, next, it, END)) is not END:
        yield token


async def blocking(make: Make) -> AsyncIterator[object]:
    """A loop in an async generator; after each token the loop has its turn."""
    for token in tokens(make):
        yield token
        await asyncio.sleep(0)


async def silent(make: Make) -> AsyncIterator[object]:
    """No tokens: what the machine does by itself."""
    await asyncio.Event().wait()
    yield END


WAYS: dict[str, Stream] = {
    "silent": silent,
    "aiterate": aiterated,
    "aiterate 64": partial(aiterated, read_ahead=64),
    "executor": executed,
    "blocking": blocking,
}


# What is measured.


class Found:
    """What was found of a way in all rounds."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.tokens = self.counted = 0
        self.starting: list[float] = []  # by how many seconds the timer was late, ...
        self.late: list[float] = []  # ... with all streams under way
        self.executor: list[float] = []  # how long the call took then

    async def measure(self, stream: Stream, make: Make) -> None:
        timer = partial(asyncio.sleep, TIMER)
        streams = [asyncio.create_task(self.consume(stream(make))) for _ in range(STREAMS)]
        probe = asyncio.create_task(again(self.starting, timer, TIMER))
        await asyncio.sleep(SECONDS / 3)
        await cancel([probe])

        probes = [
            asyncio.create_task(again(self.late, timer, TIMER)),
            asyncio.create_task(again(self.executor, partial(asyncio.to_thread, int))),
        ]
        start, tokens = time.perf_counter(), self.tokens
        await asyncio.sleep(SECONDS)
        self.seconds += time.perf_counter() - start
        self.counted += self.tokens - tokens
        await cancel(probes)
        await cancel(streams)

    async def consume(self, stream: Any) -> None:
        async with aclosing(stream):
            async for _ in stream:
                self.tokens += 1

    def figures(self) -> dict[str, Any]:
        return {
            "tokens": self.counted / self.seconds,
            "starting": spread(self.starting),
            "late": spread(self.late),
            "executor": spread(self.executor),
        }


async def cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def again(waits: list[float], call: Callable[[], Awaitable[Any]], least: float = 0) -> None:
    """Note again and again by how much *call* takes longer than *least*, the last one too."""
    while True:
        start = time.perf_counter()
        try:
            await call()
        finally:
            wait = time.perf_counter() - start - least
            if wait >= 0:
                waits.append(wait)


def spread(waits: list[float]) -> list[float]:
    """Return the median, the 99th percentile and the longest."""
    ranked = sorted(waits)
    return [ranked[int(part * (len(ranked) - 1))] for part in (0.5, 0.99, 1)]


def main(rounds: int) -> None:
    found = {(kind, way): Found() for kind in MAKES for way in WAYS}
    for _ in range(rounds):
        for kind, way in random.sample(list(found), len(found)):
            asyncio.run(found[kind, way].measure(WAYS[way], MAKES[kind]))
    figures = {kind: {way: found[kind, way].figures() for way in WAYS} for kind in MAKES}
    print(json.dumps(figures))


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["3"])[0]))
