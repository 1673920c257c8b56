"""A screen for the tests of tkinter."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def new_display() -> Iterator[str | None]:
    """Give the name of a new X display, or None for the one that there is."""
    tkinter = pytest.importorskip("tkinter")
    if not shutil.which("Xvfb"):
        try:
            tkinter.Tk().destroy()
        except tkinter.TclError as e:
            pytest.skip(f"there is no Xvfb, and no display: {e}")
        yield None
        return
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL) as server:
        os.close(writer)
        with open(reader, encoding="ascii") as numbers:
            number = numbers.readline().strip()  # when it is ready, or nothing
        try:
            if not number:
                pytest.skip("Xvfb cannot be started here")
            yield f":{number}"
        finally:
            server.terminate()
