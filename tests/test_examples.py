"""The programs in examples/ run, and print what they promise."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"

pytestmark = pytest.mark.skipif(
    not EXAMPLES.is_dir(), reason="the tests are here without examples/"
)


def output(program: str, *needed: str) -> list[str]:
    """Return the lines that *program* prints; skip the test if a *needed* module is missing."""
    for module in needed:
        if not find_spec(module):
            pytest.skip(f"{program} needs {module}")
    done = subprocess.run(
        [sys.executable, "-W", "default::ResourceWarning", EXAMPLES / program],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_compare_trees_lists_what_differs() -> None:
    """In the order of the paths."""
    assert output("compare_trees.py") == [
        "differs:    decoder.py",
        "only right: lexer.py",
        "only left:  scanner.py",
    ]


def test_expat_events_reads_no_further_than_needed() -> None:
    """The parser takes its file in blocks, and is left in the first."""
    lines = output("expat_events.py")
    assert lines[0] == "Python 2.0"
    assert lines[-2] == "    Simple generators"
    words = lines[-1].split()
    assert int(words[0]) < int(words[2])


def test_h5py_tree_stops_at_what_it_looks_for() -> None:
    """The second week is not looked at."""
    lines = output("h5py_tree.py", "h5py", "numpy")
    assert [line.partition(":")[0] for line in lines[:-1]] == [
        f"week1/{day}" for day in ("mon", "tue", "wed")
    ]
    assert lines[-1] == "the first to repair is week1/wed, at 70"


def test_stream_zip_makes_a_valid_archive() -> None:
    """Of the json package, whose files it lists."""
    lines = output("stream_zip.py")
    assert lines[1] == "damaged: None"
    assert {"__init__.py", "decoder.py"} <= {line.partition(":")[0] for line in lines[2:]}


def test_watch_optimizer_stops_when_it_is_good_enough() -> None:
    """And has the optimizer's own result, near the minimum at 1, 1, 1."""
    lines = output("watch_optimizer.py", "scipy")
    assert lines[-2].startswith("stopped after ")
    assert float(lines[-1].split()[0]) < 1e-3


def test_merge_databases_keeps_the_order_of_the_keys() -> None:
    """The two logs are one, by time."""
    lines = output("merge_databases.py")
    times = [line.split()[0] for line in lines if line[:1].isdigit()]
    assert len(times) == 4
    assert times == sorted(times)
