"""Time ways side by side, and another version of pullit beside this one.

    python benchmarks/versus.py [--old DIRECTORY] [--rounds N] way ...

Each round times each way once, in a process of its own and in changing order, so that
what else the machine does hits all alike. Printed are the medians: of the time of one
value, and of what that is in units of the first way of the same round. DIRECTORY is a
checkout of the other version; its ways are marked "old". The program is this one for
both, so that only pullit differs.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from statistics import median, quantiles

from ways import ways

ENOUGH = 0.2  # seconds to measure at a time: threads take turns of 5 ms

THREADS = ["thread", "thread read-ahead/64", "callback_iter", "queue 64"]


def seconds(name: str) -> float:
    """Return the time that one value takes."""
    way = ways()[name]
    way(64)  # to warm up
    size = 64
    while True:
        start = time.perf_counter()
        way(size)
        elapsed = time.perf_counter() - start
        if elapsed >= ENOUGH:
            return elapsed / size
        size = int(size * max(2, min(10, 1.2 * ENOUGH / elapsed)))


def elsewhere(version: Path, name: str) -> float:
    """Return the same, measured in a process of its own."""
    env = os.environ | {"PYTHONPATH": str(version)}
    return float(subprocess.check_output([sys.executable, __file__, "--time", name], env=env))


def main() -> None:
    parser = argparse.ArgumentParser(description="Time ways side by side.")
    parser.add_argument("--old", type=Path, help="a checkout of another version")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("way", nargs="*", default=THREADS)
    options = parser.parse_args()
    entries = [(name, name, Path(__file__).parent.parent) for name in options.way]
    if options.old:
        entries += [(f"old {name}", name, options.old.resolve()) for name in options.way]
    times: dict[str, list[float]] = {shown: [] for shown, *_ in entries}
    for _ in range(options.rounds):
        for shown, name, version in random.sample(entries, len(entries)):
            times[shown].append(elsewhere(version, name))
    first = times[entries[0][0]]
    for shown, own in times.items():
        ratios = [a / b for a, b in zip(own, first, strict=True)]
        low, _, high = quantiles(ratios, n=4)
        print(
            f"{shown:28} {median(own) * 1e6:8.3f} µs"
            f" {median(ratios):6.2f}  ({low:.2f} to {high:.2f})"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--time"]:
        print(seconds(sys.argv[2]))
    else:
        main()
