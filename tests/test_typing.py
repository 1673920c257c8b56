"""The types: what checkers make of tests/typing, and what is left of them at run time."""

from __future__ import annotations

import os
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

import pullit
from pullit import Pull, Pull2, PullIterator, Seq, Seq2

CASES = Path(__file__).parent / "typing"


def run(cwd: Path, module: str, *args: object) -> None:
    """Run a checker on the pullit that is imported here, were it an installed wheel.

    Elsewhere than in the checkout, which it would take pullit and options from.
    """
    pytest.importorskip(module)
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, args)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(pullit.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_accepts_right_uses_and_refuses_wrong_ones(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """An ignore in wrong.py that is not needed fails it, as unreachable code does."""
    cache = pytestconfig.rootpath / ".mypy_cache" / "typing"
    options = ["--config-file=", "--strict", "--warn-unreachable", f"--cache-dir={cache}"]
    run(tmp_path, "mypy", *options, CASES)


def test_basedpyright_accepts_right_uses_and_refuses_wrong_ones(tmp_path: Path) -> None:
    """The same, by pyrightconfig.json."""
    run(tmp_path, "basedpyright", "--project", CASES, "--pythonpath", sys.executable)


def test_all_public_types_are_known(tmp_path: Path) -> None:
    """What basedpyright asks of a py.typed package holds of each public name."""
    options = ["--ignoreexternal", "--pythonpath", sys.executable]
    run(tmp_path, "basedpyright", "--verifytypes", "pullit", *options)


@pytest.mark.parametrize("alias", [Seq, Pull, PullIterator], ids=["Seq", "Pull", "PullIterator"])
def test_subscript_at_run_time(alias: Any) -> None:
    """The generic names take a type at run time."""
    assert typing.get_origin(alias[int]) is (typing.get_origin(alias) or alias)


@pytest.mark.parametrize("alias", [Seq2, Pull2], ids=["Seq2", "Pull2"])
def test_subscript_with_two_at_run_time(alias: Any) -> None:
    """Those of pairs take two."""
    assert typing.get_origin(alias[str, int]) is (typing.get_origin(alias) or alias)


def test_seq_at_run_time() -> None:
    """Seq is what its documentation says."""
    assert Seq[int] == Callable[[Callable[[int], Any]], object]
    assert Seq2[str, int] == Callable[[Callable[[str, int], Any]], object]


FUNCTIONS = [f for f in vars(pullit).values() if isinstance(f, FunctionType)]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_annotations_at_run_time(function: FunctionType) -> None:
    """Tools that evaluate annotations find each name that the functions have in them."""
    assert typing.get_type_hints(function)
