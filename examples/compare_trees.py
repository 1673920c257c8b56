"""List what differs between two folders: two recursive walks in lockstep."""

from __future__ import annotations

import filecmp
import json
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pullit


def walk(root: Path, folder: Path, yield_: Callable[[Path], Any]) -> bool:
    """Yield the files in *folder*, in order, as paths from *root*."""
    return all(
        walk(root, path, yield_) if path.is_dir() else yield_(path.relative_to(root))
        for path in sorted(folder.iterdir())
    )


with tempfile.TemporaryDirectory() as name:
    left, right = Path(json.__file__).parent, Path(name, "right")
    shutil.copytree(left, right)
    (right / "scanner.py").rename(right / "lexer.py")
    (right / "decoder.py").write_text("pass\n")
    lefts, rights = (pullit.pull(partial(walk, root, root)) for root in (left, right))
    with lefts as (next_left, _), rights as (next_right, _):
        a, b = next_left()[0], next_right()[0]
        while first := min((path for path in (a, b) if path), default=None):
            if a != b:
                print("only left: " if a == first else "only right:", first)
            elif not filecmp.cmp(left / first, right / first, shallow=False):
                print("differs:   ", first)
            a = next_left()[0] if a == first else a
            b = next_right()[0] if b == first else b
