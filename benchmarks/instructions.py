"""Count the instructions that one value costs, with valgrind's callgrind.

    python benchmarks/instructions.py [way ...]

Each way runs twice, with 2,048 values and with 6,144; the difference, divided by
the values, is what one value costs, without start-up. The figures repeat to
within one in a hundred on the same machine and build of CPython. *Raw* is the
least that greenlet allows; the ratios to it are what the project's limits are
stated in.

The cost of importing pullit is counted likewise: with everything that it imports
imported already, against importing dis.

Another version of pullit is counted, by this program, with PYTHONPATH=its/checkout.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

from ways import AHEAD, has_read_ahead, ways

SIZES = 2_048, 6_144  # whole blocks, however far a way reads ahead

WAYS = ["native", "raw", "iterate", "pull", "zip of two"]
if has_read_ahead:
    WAYS += [f"read-ahead/{n}" for n in AHEAD]
WAYS += ["create/raw", "create/pull", "create/iterate"]

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
        env={"PYTHONHASHSEED": "0", "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert found, done.stderr
    return int(found[1])


def per_value(way: str) -> float:
    small, large = (count(__file__, "--run", way, str(size)) for size in SIZES)
    return (large - small) / (SIZES[1] - SIZES[0])


def compile_all() -> None:
    """Compile what the ways import: the first of them must not be charged for it."""
    count("-c", "from pullit import *")
    count(__file__, "--run", "native", "1")


def main(chosen: list[str]) -> None:
    print(f"CPython {sys.version.split()[0]}: instructions per value, and in units of raw")
    compile_all()
    base = per_value("raw")
    for way in [] if chosen == ["imports"] else chosen or WAYS:
        cost = base if way == "raw" else per_value(way)
        print(f"  {way:16} {cost:8,.0f} {cost / base:6.2f}")
    if not chosen or chosen == ["imports"]:
        costs = {name: count("-c", code) for name, code in IMPORTS.items()}
        cost = costs["import pullit"] - costs["nothing"]
        unit = costs["import dis"] - costs["nothing"]
        print(f"  import pullit  {cost:10,}, {cost / unit:.2f} times import dis")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        ways()[sys.argv[2]](int(sys.argv[3]))
    else:
        main(sys.argv[1:])
