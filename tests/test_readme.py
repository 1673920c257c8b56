"""README's own example, without the stop_errors that it passes: the error says what to pass."""

from __future__ import annotations

import doctest
import re
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pullit

README = Path(__file__).parent.parent / "README.md"
NOTE = (
    "pullit.from_callback: insert raised this when pullit stopped it; if that is how it says"
    " so, pass stop_errors=(sqlite3.OperationalError,)"
)

pytestmark = pytest.mark.skipif(not README.exists(), reason="the tests are here without README")


class Example:
    """The statements of README's first block, without its stop_errors."""

    def __init__(self) -> None:
        block = re.search(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
        assert block
        examples = doctest.DocTestParser().get_examples(block[1])
        sources = [example.source for example in examples]
        loops = [n for n, source in enumerate(sources) if source.startswith("with ")]
        self.before, self.loop, self.after = (
            sources[: loops[0]],
            sources[loops[0]],
            sources[loops[0] + 1 :],
        )
        (self.passed,) = re.findall(r", stop_errors=\(.*?,\)", "".join(self.before))
        self.names: dict[str, Any] = {}

    def begin(self, passed: str = "") -> None:
        """Run what comes before the loop, with *passed* in the place of the stop_errors."""
        for source in self.before:
            self.run(source.replace(self.passed, passed))

    def run(self, source: str) -> None:
        exec(compile(source, str(README), "single"), self.names)


@pytest.fixture
def example() -> Iterator[Example]:
    example = Example()
    yield example
    example.names["db"].close()


def test_05_the_error_that_leaves_the_with_block_says_what_to_pass(
    example: Example, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is sqlite3's own, about a function that failed; what it says is what README passes."""
    example.begin()
    with pytest.raises(sqlite3.OperationalError) as caught:
        example.run(example.loop)
    assert caught.value.__notes__ == [NOTE]
    assert capsys.readouterr().out == "tea (3,)\ncake (8,)\n"
    for source in example.after:  # the INSERT was undone all the same
        example.run(source)
    assert capsys.readouterr().out == "(None,)\n"
    assert example.passed.removeprefix(", ") == NOTE.rpartition("pass ")[2]


def test_05_so_does_that_of_a_close(example: Example) -> None:
    """And of a break out of a loop that is closed later."""
    example.begin()
    it = pullit.iterate(example.names["rows"])
    for item in it:
        assert item == "tea"
        break
    with pytest.raises(sqlite3.OperationalError) as caught:
        it.close()
    assert caught.value.__notes__ == [NOTE]


def test_05_so_does_that_of_one_that_is_dropped(
    example: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sys.unraisablehook gets the error with its note, which Python's own does not print."""
    heard: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: heard.append(args.exc_value))
    example.begin()
    for item in pullit.iterate(example.names["rows"]):
        assert item == "tea"
        break
    (error,) = heard
    assert type(error) is sqlite3.OperationalError
    assert error.__notes__ == [NOTE]


def test_05_with_what_it_says_to_pass_there_is_no_error(
    example: Example, capsys: pytest.CaptureFixture[str]
) -> None:
    """That is README's example as it stands."""
    example.begin(f", {NOTE.rpartition('pass ')[2]}")
    for source in [example.loop, *example.after]:
        example.run(source)
    assert capsys.readouterr().out == "tea (3,)\ncake (8,)\n(None,)\n"
