"""No block of code in the pages and docstrings is left out: docs/blocks.py has it fail."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

import pullit
from pullit._pull import EXITS

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


def text_of(node: ast.AST) -> str:
    """Return the text of a literal, with … for each part that differs, or ''."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "…" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def texts() -> Iterator[tuple[bool, str]]:
    """Give each text in the package, and whether it is the message of an exception or a note."""
    for path in ROOT.glob("pullit/*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and isinstance(node.body[0], ast.Expr)
        }
        messages = {
            id(arg)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and path.stem not in ("_coro", "__init__")  # which say nothing to users
            and re.search(r"(Error|PullExit|exit|add_note)$", ast.unparse(node.func))
            for arg in node.args
        }
        for node in ast.walk(tree):
            if (text := text_of(node)) and id(node) not in docstrings:
                yield id(node) in messages and len(text) > 20, text


def test_each_message_on_the_page_about_them_is_in_the_code_and_the_other_way_round() -> None:
    """Those that the page shows in its headings, or as a variant, by their words."""
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    ours = page.partition("## Messages of Python and other libraries")[0]
    shown = re.findall(r"^### `(.*)`$", ours, re.MULTILINE)
    shown += re.findall(r"^Also `(.*?)`\.", ours, re.MULTILINE)
    shown.remove("…missing 1 required positional argument")  # Python's own, about our calls
    found = list(texts())
    words = {message: [part for part in message.split("…") if part] for message in shown}
    for message, parts in words.items():
        assert any(all(part in text for part in parts) for _, text in found), message
    for is_message, text in found:
        if is_message:
            assert any(all(part in text for part in parts) for parts in words.values()), text


def test_the_signatures_that_the_reference_states_are_those_of_the_code() -> None:
    """In parameters, kinds and defaults. The types are the page's own."""
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    stated = re.findall(r"^\.\. autofunction:: pullit\.(\w+)(\(.*)$", page, re.MULTILINE)
    assert len(stated) == 5
    for name, signature in stated:
        space: dict[str, object] = {}
        future = "from __future__ import annotations\n"
        exec(f"{future}def {name}{signature}: ...", space)
        given, real = (
            [
                (p.name, p.kind, p.default is p.empty or name == "from_callback" or p.default)
                for p in inspect.signature(function).parameters.values()  # type: ignore[arg-type]
            ]
            for function in (space[name], getattr(pullit, name))
        )
        assert given == real


@pytest.mark.parametrize(
    "page", ["guarantees", "caveats", "howto-callbacks", "differences-from-go"]
)
def test_the_pages_say_how_many_pull_exits_there_are(page: str) -> None:
    """In a word: who changes the number, finds them here."""
    words = {3: "three", 4: "four", 5: "five", 6: "six"}
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    sentences = re.split(r"(?<=[.:])\s", " ".join(text.split()))
    about = [s for i, s in enumerate(sentences) if "PullExit" in " ".join(sentences[i - 1 : i + 1])]
    assert any(words[EXITS] in sentence for sentence in about)
