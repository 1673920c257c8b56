"""Read an XML file no further than needed: expat's events as a loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO
from xml.parsers import expat

import pullit

FEATURES = Path(__file__).parent / "data" / "python-features.xml"


def events(file: BinaryIO) -> pullit.PullIterator[tuple[Any, ...]]:
    """Return the events in *file*: ("start", tag, attributes), ("text", text), ("end", tag)."""

    def parse(callback: Callable[..., Any]) -> None:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = lambda *tag: callback("start", *tag)
        parser.CharacterDataHandler = lambda text: callback("text", text)
        parser.EndElementHandler = lambda tag: callback("end", tag)
        parser.ParseFile(file)

    return pullit.iterate(pullit.from_callback(parse))


with FEATURES.open("rb") as file:
    with events(file) as it:
        for event in it:
            match event:
                case "start", "release", {"version": version}:
                    print(f"Python {version}")
                case "text", text if text.strip():
                    print(f"    {text}")
                case "end", "release" if version == "2.2":
                    break
    print(f"{file.tell()} of {FEATURES.stat().st_size} bytes read")
