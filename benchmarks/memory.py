"""What a suspended pull holds: its share of the process's resident memory.

    python benchmarks/memory.py way count

prints the bytes for one of *count* that are suspended after their first value.
Resident memory comes in pages, so that the figure for a single one is a multiple
of their size.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator
from statistics import median

import psutil
from greenlet import getcurrent, greenlet
from ways import has_read_ahead, one

import pullit


def native() -> object:
    def generator() -> Iterator[int]:
        yield 1

    it = generator()
    next(it)
    return it


def raw() -> object:
    consumer = getcurrent()

    def run() -> None:
        consumer.switch(1)

    producer = greenlet(run)
    producer.switch()
    return producer


def iterate() -> object:
    it = pullit.iterate(one)
    next(it)
    return it


def pull() -> object:
    both = pullit.pull(one)
    both.next()
    return both


def read_ahead() -> object:
    def produce(yield_: Callable[[int], object]) -> None:
        for i in range(1000, 1512):  # values that are not there already
            yield_(i)

    it = pullit.iterate(produce, read_ahead=256)
    next(it)
    return it


WAYS: dict[str, Callable[[], object]] = {
    "native": native,
    "raw": raw,
    "iterate": iterate,
    "pull": pull,
}
if has_read_ahead:
    WAYS["read-ahead 256"] = read_ahead


def grown(way: str, count: int) -> int:
    """Return by how much *count* more of them let this process grow."""
    suspend = WAYS[way]
    resident = psutil.Process().memory_info
    # What the first ones need, of either kind, is no part of the others.
    keep = [suspend(), resident()] + [None] * count
    gc.collect()
    before: int = resident().rss
    for i in range(count):
        keep[i + 2] = suspend()
    after: int = resident().rss
    return after - before


def measure(way: str, count: int) -> float:
    """Return the bytes for each of *count*, in a process of their own."""
    command = [sys.executable, __file__, way, str(count)]
    # That of a single one depends on where in a page it falls.
    repeat = 5 if count == 1 else 1
    return median(float(subprocess.check_output(command, timeout=120)) for _ in range(repeat))


if __name__ == "__main__":
    way, count = sys.argv[1], int(sys.argv[2])
    print(grown(way, count) / count)
