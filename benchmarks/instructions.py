"""Count the instructions that one value costs, with valgrind's callgrind.

    python benchmarks/instructions.py [way ...]

Each way runs twice, with 2,000 values and with 6,000; the difference, divided by
the values, is what one value costs, without start-up. The figures repeat to
within one in a hundred on the same machine and build of CPython. *Raw* is the
least that greenlet allows; the ratios to it are what the project's limits are
stated in.

The cost of importing pullit is counted likewise: with everything that it imports
imported already, against importing dis.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from greenlet import getcurrent, greenlet

import pullit

SIZES = 2_000, 6_000


def squares(size: int, yield_: Callable[[int], Any]) -> None:
    for i in range(size):
        if not yield_(i * i):
            return


def native(size: int) -> None:
    def generator() -> Iterator[int]:
        for i in range(size):
            yield i * i

    for _ in generator():
        pass


def raw(size: int) -> None:
    end = object()
    consumer = getcurrent()

    def run(_: bool) -> object:
        squares(size, consumer.switch)
        return end

    for _ in iter(partial(greenlet(run).switch, True), end):
        pass


def iterate(size: int, **options: Any) -> None:
    for _ in pullit.iterate(partial(squares, size), **options):
        pass


def pull(size: int) -> None:
    next, stop = pullit.pull(partial(squares, size))
    while True:
        value, ok = next()
        if not ok:
            break


def zip_two(size: int) -> None:
    walk = partial(squares, size)
    for _ in pullit.zip(walk, walk):
        pass


WAYS: dict[str, Callable[[int], None]] = {
    "native": native,
    "raw": raw,
    "iterate": iterate,
    "pull": pull,
    "zip of two": zip_two,
}

LIGHT = "atexit, collections, contextvars, functools, greenlet, itertools, reprlib, typing"
LIGHT += ", threading"
IMPORTS = {
    "nothing": f"import {LIGHT}",
    "import dis": f"import {LIGHT}, dis",
    "import pullit": f"import {LIGHT}, pullit",
}


def count(*arguments: str) -> int:
    """Return the instructions that this interpreter takes with *arguments*."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable]
    done = subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "0"},
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert found, done.stderr
    return int(found[1])


def per_value(way: str) -> float:
    small, large = (count(__file__, "--run", way, str(size)) for size in SIZES)
    return (large - small) / (SIZES[1] - SIZES[0])


def main(ways: list[str]) -> None:
    print(f"CPython {sys.version.split()[0]}: instructions per value, and in units of raw")
    count("-c", "from pullit import *")  # or the first way would be charged for compiling it
    base = per_value("raw")
    for way in [] if ways == ["imports"] else ways or WAYS:
        cost = base if way == "raw" else per_value(way)
        print(f"  {way:16} {cost:8,.0f} {cost / base:6.2f}")
    if not ways or ways == ["imports"]:
        costs = {name: count("-c", code) for name, code in IMPORTS.items()}
        cost = costs["import pullit"] - costs["nothing"]
        unit = costs["import dis"] - costs["nothing"]
        print(f"  import pullit  {cost:10,}, {cost / unit:.2f} times import dis")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        WAYS[sys.argv[2]](int(sys.argv[3]))
    else:
        main(sys.argv[1:])
