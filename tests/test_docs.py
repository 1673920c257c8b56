"""No block of code in the pages and docstrings is left out: docs/blocks.py has it fail."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]

pytestmark = pytest.mark.skipif(not PAGES, reason="the tests are here without docs/")


def run(folder: Path, *options: str) -> str:
    """Run the examples in *folder* as `make test` does; return what pytest prints."""
    pytest = ["-m", "pytest", "-p", "no:cacheprovider", "-p", "docs.blocks", "-q"]
    done = subprocess.run(
        [sys.executable, *pytest, *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with docs/blocks.py, and nothing to run yet."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "blocks.py").write_bytes((ROOT / "docs" / "blocks.py").read_bytes())
    return tmp_path


RIGHT = """
    ```python
    >>> 1 + 1
    2
    >>> 1 / 0
    Traceback (most recent call last):
        ...
    ZeroDivisionError: division by zero
    ```

    ```python
    three = 3
    ```

    ```toml
    [tool]
    ```

    ```{toctree}
    other
    ```
    """
WRONG = {
    "a wrong output": "```python\n>>> 1 + 1\n3\n```",
    "a wrong message": "```python\n>>> 1 / 0\nTraceback (most recent call last):\n    ...\n"
    "ZeroDivisionError: by none\n```",
    "an error without prompts": "```python\n1 / 0\n```",
    "a line without a prompt": "```python\n>>> 1 + 1\n2\n\n1 / 0\n```",
    "one that is skipped": "```python\n>>> 1 + 1 # doctest: +SKIP\n2\n```",
    "a language that is not known": "```c\nint i;\n```",
    "no language": "```\n1 / 0\n```",
    "one in a list": "- this:\n\n  ~~~ruby\n  1 / 0\n  ~~~",
    "an indented block": "this:\n\n    1 / 0",
    "a target that make does not know": "```sh\nmake no-such-target\n```",
    "a command that is not known": "```sh\nrm -r .\n```",
    "a setting that is none": "```toml\n[tool\n```",
}


def test_what_is_right_passes(folder: Path) -> None:
    """Examples, their errors, code without prompts, and what is Sphinx's."""
    (folder / "page.md").write_text(dedent(RIGHT))
    assert "\n4 passed" in run(folder, "page.md")


def test_what_is_wrong_or_would_not_be_run_fails(folder: Path) -> None:
    """Each by itself, beside others that pass."""
    (folder / "Makefile").touch()
    for name, block in WRONG.items():
        (folder / f"{name}.md").write_text(f"{dedent(RIGHT)}\n{block}\n")
    printed = run(folder, ".")
    assert f"\n{len(WRONG)} failed" in printed
    for name in WRONG:
        assert printed.count(f"\nFAILED {name}.md::") == 1, printed


def test_docstrings_are_looked_at_whoever_has_them(folder: Path) -> None:
    """Also those of private names; a literal block without prompts fails."""
    (folder / "pullit").mkdir()
    (folder / "pullit" / "__init__.py").touch()
    (folder / "pullit" / "_some.py").write_text(
        dedent(
            '''
            def _private():
                """Return two:

                >>> 1 + 1
                2
                """

            def literal():
                """Return three::

                    1 + 1
                """
            '''
        )
    )
    assert "\n1 failed, 1 passed" in run(folder, "pullit")


def test_make_test_takes_in_all_pages_and_docstrings() -> None:
    """As many as there are, counted in another way: by lines that begin with a prompt."""
    assert "-m pytest -p docs.blocks pullit docs *.md\n" in (ROOT / "Makefile").read_text()
    pages = [str(path.relative_to(ROOT)) for path in ROOT.glob("*.md")]
    collected = run(ROOT, "--collect-only", "pullit", "docs", *pages).splitlines()
    for path in [*PAGES, *ROOT.glob("pullit/*.py")]:
        text = path.read_text(encoding="utf-8")
        prompts = len(re.findall(r"^ *>>> ", text, re.MULTILINE))
        name = str(path.relative_to(ROOT))
        found = sum(line.startswith(f"{name}::") for line in collected)
        assert found >= prompts, name
        if path.suffix == ".py":
            assert found == prompts, name


def test_every_promise_is_held_by_tests_that_exist() -> None:
    """Each row of the guarantees names files, and the numbers of tests in them."""
    page = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+|\W) \| .* \| (.*`.*) \|$", page, re.MULTILINE)
    assert {int(number) for number, _ in rows if number.isdigit()} == set(range(1, 31))
    for _, held_by in rows:
        files = re.findall(r"`([\w./]+)`([ ,\d_]*)", held_by)
        assert files
        for name, numbers in files:
            path = ROOT / "tests" / name.removeprefix("tests/")
            assert path.exists(), name
            for number in re.findall(r"[\d_]+", numbers):
                assert re.search(rf"def test_(\d\d_)*{number}_", path.read_text("utf-8")), held_by
