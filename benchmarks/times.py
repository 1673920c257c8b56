"""Measure the time that one value takes in each way, with pyperf.

    python benchmarks/times.py [pyperf's options] [--ways way ...]

Run as it is, this is one round: each way once, or each of those chosen, in a process of
its own. run.py has many rounds, so that whatever else the machine does hits all ways alike.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import languages
import pyperf
from ways import Way, busy, ways

ENOUGH = 0.01  # seconds to measure at a time, ...
LONG = 0.25  # ... where threads take turns of 5 ms


@contextmanager
def one_core() -> Iterator[None]:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def stopwatch(
    way: Way,
    enough: float = ENOUGH,
    beside: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Callable[[int], float]:
    """Return the function that gives pyperf the time for so many values."""
    size = 0

    def seconds(loops: int) -> float:
        nonlocal size
        if not size:
            size = 64
            way(size)  # to warm up
        with beside():
            while True:
                start = time.perf_counter()
                way(size)
                elapsed = time.perf_counter() - start
                if elapsed >= enough:
                    return elapsed / size * loops
                size *= 2

    return seconds


def elsewhere(command: list[str], loops: int) -> float:
    return languages.nanoseconds(command, 100_000) * 1e-9 * loops


def add_all(runner: Any, chosen: list[str]) -> None:
    found = ways()
    for name, way in ((name, found[name]) for name in chosen or found):
        group = name.partition("/")[0]
        if group == "busy":
            runner.bench_time_func(name, stopwatch(way, LONG, busy))
        elif group != "one core":
            runner.bench_time_func(name, stopwatch(way))
        elif hasattr(os, "sched_setaffinity"):
            runner.bench_time_func(name, stopwatch(way, beside=one_core))
    for name, command in {} if chosen else languages.commands().items():
        runner.bench_time_func(name, partial(elsewhere, command))


if __name__ == "__main__":

    def pass_on(command: list[str], options: Any) -> None:
        """Have pyperf's own processes number the ways as this one does."""
        command += ["--ways", *options.ways]

    once = pyperf.Runner(processes=1, values=3, warmups=0, loops=1, add_cmdline_args=pass_on)
    once.argparser.add_argument("--ways", nargs="*", default=[])
    add_all(once, once.parse_args().ways)
