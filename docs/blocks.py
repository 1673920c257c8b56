"""Every block of code in the pages and the docstrings is a test: pytest -p docs.blocks.

Sybil finds and runs them. One that would not be run fails: of a kind without a parser
here, indented in place of fenced, marked to be skipped, or without prompts in the midst
of some with.
"""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser
from sybil.parsers.rest import DocTestParser
from sybil.typing import Parser

ROOT = Path(__file__).parents[1]


def name_on_pypi() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project["name"])


def check_commands(example: Example) -> str | None:
    """Have make look for its targets, and install what pip is to, somewhere else."""
    for line in example.parsed.splitlines():
        with tempfile.TemporaryDirectory() as folder:
            match shlex.split(line, comments=True):
                case ["make", *targets]:
                    command = ["make", "--dry-run", *targets]
                case ["python", "-m", "pip", "install", "."]:
                    command = [sys.executable, "-m", "pip", "install", ".", "--no-deps"]
                    command += ["--target", folder]
                case ["python", "-m", "pip", "install", name] if name == name_on_pypi():
                    continue  # not tried: nothing here needs a network
                case _:
                    return f"there is no check for this command: {line}"
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
            if done.returncode:
                return f"{line}\n{done.stderr}"
    return None


def read_toml(example: Example) -> None:
    """Leave the settings to an invisible block of the page, which tries them."""
    tomllib.loads(example.parsed)
    example.namespace["toml"] = str(example.parsed)


PAGES: list[Parser] = [
    PythonCodeBlockParser(doctest_optionflags=doctest.ELLIPSIS),
    CodeBlockParser("sh", check_commands),
    CodeBlockParser("toml", read_toml),
]


def lines(document: Document, region: Region) -> range:
    """Return the numbers of the lines that are run, or compared."""
    first = document.text.count("\n", 0, region.start)
    if isinstance(region.parsed, doctest.Example):
        if region.parsed.options.get(doctest.SKIP):
            return range(0)
        return range(first, first + (region.parsed.source + region.parsed.want).count("\n"))
    return range(first, document.text.count("\n", 0, region.end))


def not_run(example: Example) -> str:
    return f"this line is code, and nothing runs or checks it: {example.parsed}"


def page(document: Document) -> Iterable[Region]:
    """Give what the parsers find, and a failure for each block that has a line left."""
    regions = [region for parser in PAGES for region in parser(document)]
    yield from regions
    run = {n for region in regions for n in lines(document, region)}
    text = document.text.splitlines(keepends=True)
    # Another reader of Markdown than Sybil: what one does not take for code, the other does.
    for block in MarkdownIt().parse(document.text):
        if block.type not in ("fence", "code_block") or block.info.startswith("{"):
            continue  # what is in braces is Sphinx's
        assert block.map
        start, end = block.map
        if block.type == "fence":
            start, end = start + 1, end - 1
        for n in range(start, end):
            if n not in run and text[n].strip():
                # Of no length, so as not to overlap with what is run.
                at = sum(map(len, text[:n]))
                yield Region(at, at, text[n].strip(), not_run)
                break


def docstring(document: Document) -> Iterator[Region]:
    """Give the examples of a docstring, and a failure for each block without a prompt."""
    yield from DocTestParser(doctest.ELLIPSIS)(document)
    for block in re.finditer(r"::\n\s*(?!>>> )(\S.*)", document.text):
        yield Region(block.start(1), block.start(1), block[1], not_run)


pytest_collect_file = (
    Sybil([page], pattern="*.md", path=str(ROOT))
    + Sybil([docstring], pattern="pullit/*.py", path=str(ROOT))
).pytest()
