"""Whose a frame is: pullit's, or its user's."""

from __future__ import annotations

from pathlib import Path

import pullit

PACKAGE = Path(pullit.__file__).parent


def is_pullits(filename: str) -> bool:
    """Return whether the code of *filename* is pullit's, wherever pullit is installed.

    The name alone does not tell: a clone may lie in a directory called pullit, too.
    """
    return Path(filename).parent == PACKAGE
