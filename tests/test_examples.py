"""The programs in examples/ run, and print what they promise."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"

pytestmark = pytest.mark.skipif(
    not EXAMPLES.is_dir(), reason="the tests are here without examples/"
)


@contextmanager
def served(app: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve *app* by uvicorn in a process; give its address, and the process."""
    for module in "fastapi.sse", "uvicorn":
        if not find_spec(module.partition(".")[0]) or not find_spec(module):
            pytest.skip(f"{app} needs {module}")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        options = ["--app-dir", str(EXAMPLES), "--fd", str(listening.fileno())]
        options += ["--log-level", "warning"]
        process = subprocess.Popen(
            [sys.executable, "-W", "default::ResourceWarning", "-m", "uvicorn", *options, app],
            pass_fds=[listening.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        killer = threading.Timer(60, process.kill)  # what waits for it then fails
        killer.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", process
        finally:
            killer.cancel()
            process.terminate()
            _, errors = process.communicate(timeout=60)
            assert errors == ""


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


def test_demo_says_the_same_each_time_but_for_rounded_figures() -> None:
    """They stand in a table, which is its end."""
    lines = output("demo.py")
    assert any(line.startswith("   Python 2.2. expat has read 2,048 of") for line in lines)
    assert lines[-5] == ""
    for line in lines[-4:]:
        cost, micros, times, *words = line[51:].split()
        assert (micros, words) == ("µs", ["times", "a", "generator"])
        for figure in (cost, times):
            assert len(figure.replace(".", "").strip("0")) <= 2


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


def test_stream_tokens_sends_an_event_for_each_token() -> None:
    """And one at the end; a client that leaves ends the generator long before that."""
    with served("stream_tokens:app") as (address, server):
        assert server.stdout
        with urllib.request.urlopen(f"{address}/answers?question=Why", timeout=60) as events:
            text = events.read().decode()
        *tokens, done = text.removesuffix("\n\n").split("\n\n")
        words = [json.loads(event.removeprefix("data: ")) for event in tokens]
        assert " ".join(words) == "Why? Because the kettle was on, and so was the cake."
        assert done == "event: done"
        assert server.stdout.readline() == "Why: 11 tokens were sent\n"
        long = "+".join(["Why"] * 1000)
        with urllib.request.urlopen(f"{address}/answers?question={long}", timeout=60) as events:
            assert events.readline() == b'data: "Why"\n'
        sent = server.stdout.readline().rpartition(": ")[2].split()[0]
        assert 1 <= int(sent) < 1000
