"""Tests that would crash the interpreter run in another one."""

from __future__ import annotations

import faulthandler
import gc
import importlib
import os
import subprocess
import sys
from collections.abc import Callable

from pullit._lifetimes import live
from pullit._per_thread import per_thread


def run_apart(function: Callable[..., object], *args: str, may_hang: bool = False) -> None:
    """Call *function*, of a test module, in an interpreter of its own.

    It must end as usual, write nothing to stderr, and leave nothing suspended
    unless the function returned true. What it prints shows how far it got. If it
    *may_hang*, it may also hang for a second after `hang_now`.
    """
    done = subprocess.run(
        [sys.executable, "-Xfaulthandler", __file__, function.__module__, function.__name__, *args],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if may_hang and done.stderr.startswith("Timeout ("):
        return
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    assert not done.stderr, done.stderr


def hang_now() -> None:
    """End this process in a second, even if some thread never lets go of the GIL."""
    faulthandler.dump_traceback_later(1, exit=True)


def main(module: str, name: str, *args: str) -> None:
    """What the other interpreter runs."""
    if not getattr(importlib.import_module(module), name)(*args):
        gc.collect()
        home = per_thread()
        assert (live, home.guards, home.calls) == ({}, [], {})


if __name__ == "__main__":
    main(*sys.argv[1:])
