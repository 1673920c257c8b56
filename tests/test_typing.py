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


def test_subscript_at_run_time() -> None:
    """The generic names take types at run time, and show them."""
    names: Any = pullit
    assert names.Seq[int] == Callable[[Callable[[int], Any]], object]
    assert names.Seq2[str, int] == Callable[[Callable[[str, int], Any]], object]
    assert repr(names.Pull[int]) == "pullit.Pull[int]"
    assert repr(names.Pull2[str, int]) == "pullit.Pull2[str, int]"
    assert repr(names.PullIterator[int]) == "pullit.PullIterator[int]"


PUBLIC = [getattr(pullit, name) for name in pullit.__all__]
FUNCTIONS = [value for value in PUBLIC if isinstance(value, FunctionType)]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_annotations_at_run_time(function: FunctionType) -> None:
    """Tools that evaluate annotations find each name that the functions have in them."""
    assert typing.get_type_hints(function)
