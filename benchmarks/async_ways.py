"""Time the ways to bring what a blocking producer yields into an event loop.

    python benchmarks/async_ways.py [ROUNDS]

Each round times each way once, in changing order, and all in one loop, so that what else
the machine does hits all alike. It prints the times of one value in each way, as JSON.
The producer is that of `ways`, but for the executor's, which is a generator.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

import culsans
import janus
from ways import numbers

import pullit

AsyncWay: TypeAlias = Callable[[int], Awaitable[object]]

ENOUGH = 0.05  # seconds to measure at a time
AHEAD = 64  # how many values may wait, where there is a bound

END = object()


async def aiterate(size: int, **options: Any) -> None:
    async for _ in pullit.aiterate(numbers(size), **options):
        pass


async def executor(size: int) -> None:
    """The usual recipe: each next is a call in the loop's default executor."""

    def generate() -> Iterator[int]:
        for i in range(size):  # noqa: UP028  a loop, as the other producers have
            yield i

    loop = asyncio.get_running_loop()
    it = generate()
    while await loop.run_in_executor(None, next, it, END) is not END:
        pass


async def handed(size: int, put: Callable[[object], object], get: Callable[[], Any]) -> None:
    """Have a thread *put* the values, and *get* them."""
    walk = numbers(size)

    def yield_(value: int) -> bool:
        put(value)
        return True

    def run() -> None:
        walk(yield_)
        put(END)

    threading.Thread(target=run).start()
    while await get() is not END:
        pass


async def queued(size: int) -> None:
    """A thread and an asyncio.Queue, in which any number of values may wait."""
    loop = asyncio.get_running_loop()
    values: asyncio.Queue[object] = asyncio.Queue()

    def put(value: object) -> None:
        loop.call_soon_threadsafe(values.put_nowait, value)

    await handed(size, put, values.get)


async def queued_with_room(size: int) -> None:
    """The same with a bound by hand: a full Queue would raise in the loop, and lose the value."""
    loop = asyncio.get_running_loop()
    values: asyncio.Queue[object] = asyncio.Queue()
    room = threading.Semaphore(AHEAD)

    def put(value: object) -> None:
        room.acquire()
        loop.call_soon_threadsafe(values.put_nowait, value)

    async def get() -> object:
        value = await values.get()
        room.release()
        return value

    await handed(size, put, get)


async def janus_queue(size: int) -> None:
    values: janus.Queue[object] = janus.Queue(AHEAD)
    await handed(size, values.sync_q.put, values.async_q.get)
    await values.aclose()


async def culsans_queue(size: int) -> None:
    values: culsans.Queue[object] = culsans.Queue(AHEAD)
    await handed(size, values.sync_q.put, values.async_q.get)


WAYS: dict[str, AsyncWay] = {
    "executor": executor,
    "aiterate": aiterate,
    "aiterate 64": partial(aiterate, read_ahead=AHEAD),
    "queue": queued,
    "queue 64": queued_with_room,
    "janus 64": janus_queue,
    "culsans 64": culsans_queue,
}


async def seconds(way: AsyncWay, size: int) -> float:
    """Return the time that *size* values take."""
    start = time.perf_counter()
    await way(size)
    return time.perf_counter() - start


async def rounds(count: int) -> dict[str, list[float]]:
    """Return the times of one value of each way, by round."""
    sizes = dict.fromkeys(WAYS, 64)
    for name, way in WAYS.items():
        while await seconds(way, sizes[name]) < ENOUGH:
            sizes[name] *= 2
    found: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(count):
        for name in random.sample(list(WAYS), len(WAYS)):
            found[name].append(await seconds(WAYS[name], sizes[name]) / sizes[name])
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(rounds(int((sys.argv[1:] or ["31"])[0])))))
