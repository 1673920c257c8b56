"""Run all benchmarks, and make the table and the pictures of docs/costs.md from them.

    python benchmarks/run.py [--quick] [--only-async | --beside]

Takes some ten minutes. With --quick it takes one and a half, and leaves results.json and
the docs as they are. With --only-async it measures what happens in an event loop, and
keeps the rest. With --beside it measures the main ways, which takes two minutes, and puts
the figures of the Python that runs it beside the rest. What pyperf measured stays in
build/benchmarks/times.json, for pyperf's own commands.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import quantiles
from typing import Any

import instructions
import languages
import memory
import page
import plots
import pyperf
from times import one_core
from ways import has_read_ahead

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
TIMES = HERE / "times.py"

LIMIT = 330  # seconds for the times, about half of what all takes
ASYNC_ROUNDS = 31  # some 20 seconds, twice
BESIDE_LIMIT = 60  # seconds for the times of the main ways
STREAM_ROUNDS = 3  # half a minute each


def versions() -> dict[str, str]:
    """Return the versions of what takes part, so far as it is here."""
    found = {"CPython": platform.python_version()}
    for package in "pullit", "greenlet", "more-itertools":
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            pass
    return found | languages.versions()


def lacking(found: dict[str, str]) -> list[str]:
    """Return what is left out, each with the reason."""
    missing = []
    if not has_read_ahead:
        missing.append("read-ahead: this pullit has none")
    if not shutil.which("valgrind"):
        missing.append("instructions: there is no valgrind")
    if "more-itertools" not in found:
        missing.append("callback_iter: there is no more-itertools")
    for name in languages.PROGRAMS:
        if name not in found:
            missing.append(f"{name}: it is not installed")
    return missing


def measure_times(limit: float, chosen: Iterable[str] = ()) -> Any:
    """Return pyperf's suite of rounds, in each of which every way has its turn, or those chosen.

    There are as many as *limit* seconds allow, and at least one.
    """
    path = languages.BUILD / "times.json"
    path.unlink(missing_ok=True)
    command = [sys.executable, str(TIMES), "--quiet", "--append", str(path), "--ways", *chosen]
    start = time.monotonic()
    rounds = 0
    while not rounds or time.monotonic() - start < limit:
        rounds += 1
        print(f"times: round {rounds}", flush=True)
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=600)
    return pyperf.BenchmarkSuite.load(str(path))


def quartiles(values: list[float]) -> list[float]:
    return [rounded(value) for value in quantiles(values, n=4, method="inclusive")]


def rounded(figure: float) -> float:
    return float(f"{figure:.4g}")


def count_instructions(names: list[str]) -> dict[str, float]:
    """Return the instructions per value of each of *names*."""
    print(f"instructions: {len(names)} ways", flush=True)
    instructions.compile_all()
    with ThreadPoolExecutor() as pool:  # what else runs does not change a count
        counts = pool.map(instructions.per_value, names)
        return {name: rounded(count) for name, count in zip(names, counts, strict=True)}


def measure_memory(sizes: list[int]) -> dict[str, dict[str, float]]:
    """Return the bytes of one suspended pull of each way, by how many there are."""
    found: dict[str, dict[str, float]] = {}
    for way in memory.WAYS:
        print(f"memory: {way}", flush=True)
        found[way] = {str(size): rounded(memory.measure(way, size)) for size in sizes}
    return found


def run_in_loop(program: str, rounds: int) -> Any:
    print(f"in an event loop: {program}, {rounds} rounds", flush=True)
    command = [sys.executable, str(HERE / program), str(rounds)]
    return json.loads(subprocess.check_output(command, timeout=900))


def on_one_core(rounds: int) -> dict[str, list[float]]:
    with one_core():
        times = run_in_loop("async_ways.py", rounds)
    return {f"one core/{name}": own for name, own in times.items()}


def measure_async(quick: bool) -> dict[str, Any]:
    """Return what aiterate costs beside other ways, and what a hundred streams cost."""
    rounds = 5 if quick else ASYNC_ROUNDS
    times = run_in_loop("async_ways.py", rounds) | on_one_core(rounds)
    packages = "pullit", "janus", "culsans"
    return {
        "date": datetime.date.today().isoformat(),
        "versions": {"CPython": platform.python_version()} | {p: version(p) for p in packages},
        "rounds": rounds,
        "seconds": {name: quartiles(own) for name, own in times.items()},
        "streams": run_in_loop("streams.py", 1 if quick else STREAM_ROUNDS),
    }


def measure(quick: bool) -> dict[str, Any]:
    found = versions()
    missing = lacking(found)
    for line in missing:
        print(f"left out: {line}")
    languages.build_go()
    suite = measure_times(0 if quick else LIMIT)
    metadata = suite.get_metadata()
    counts = {}
    if shutil.which("valgrind"):
        few = ["native", "raw", "iterate", "pull", "read-ahead/256"]
        names = [n for n in instructions.WAYS if n in few or not quick]
        counts = count_instructions(names)
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{metadata['cpu_count']} cores, {metadata['cpu_model_name']}",
        "platform": metadata["platform"],
        "versions": found,
        "missing": missing,
        "rounds": suite.get_benchmark("raw").get_nrun(),
        "seconds": {b.get_name(): quartiles(b.get_values()) for b in suite},
        "instructions": counts,
        "bytes": measure_memory([1, 1_000] if quick else [1, 1_000, 100_000]),
        "async": measure_async(quick),
    }


def measure_beside(quick: bool) -> dict[str, Any]:
    """Return what the main ways cost, in the form that measure gives to what all cost."""
    names = [name for _, name in page.MAIN]
    suite = measure_times(0 if quick else BESIDE_LIMIT, names)
    counted = [n for n in instructions.WAYS if n in names and shutil.which("valgrind")]
    times = on_one_core(5 if quick else ASYNC_ROUNDS)
    return {
        "date": datetime.date.today().isoformat(),
        "platform": suite.get_metadata()["platform"],
        "versions": versions(),
        "rounds": suite.get_benchmark("raw").get_nrun(),
        "seconds": {b.get_name(): quartiles(b.get_values()) for b in suite},
        "instructions": count_instructions(counted) if counted else {},
        "async": {"seconds": {name: quartiles(own) for name, own in times.items()}},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Run all benchmarks.")
    parser.add_argument("--quick", action="store_true", help="one round, and leave the docs alone")
    parser.add_argument("--only-async", action="store_true", help="keep the other figures")
    parser.add_argument("--beside", action="store_true", help="add this Python's figures")
    parser.add_argument("--draw", action="store_true", help="measure nothing: use results.json")
    options = parser.parse_args()
    kept = HERE / "results.json"
    path = languages.BUILD / "results.json" if options.quick else kept
    languages.BUILD.mkdir(parents=True, exist_ok=True)
    if not options.draw:
        if options.only_async:
            results = json.loads(kept.read_text()) | {"async": measure_async(options.quick)}
        elif options.beside:
            results = json.loads(kept.read_text())
            others = results.setdefault("others", {})
            others[platform.python_version()] = measure_beside(options.quick)
        else:
            results = measure(options.quick)
        path.write_text(json.dumps(results, indent=1) + "\n")
    results = json.loads(path.read_text())
    pictures = path.parent if options.quick else DOCS / "pictures"
    pictures.mkdir(exist_ok=True)
    plots.draw(results, pictures)
    if not options.quick:
        page.write(results, DOCS / "costs.md")
    print(page.tables(results))


if __name__ == "__main__":
    main()
