"""Send a zip archive while it is being made, without a file: zipfile's writes as a loop."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pullit


def zip_chunks(folder: Path, pattern: str) -> pullit.PullIterator[bytes]:
    """Return the chunks of an archive of *folder*'s files: a streaming response's body."""

    def run(callback: Callable[[bytes], Any]) -> None:
        sink: Any = SimpleNamespace(write=callback, flush=lambda: None)
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.glob(pattern)):
                archive.write(path, path.name)

    # zipfile wants to hear how much was written.
    return pullit.iterate(pullit.from_callback(run, reply=len))


received = bytearray()
with zip_chunks(Path(json.__file__).parent, "*.py") as chunks:
    for chunk in chunks:
        received += chunk  # or send it
print(f"{len(received)} bytes received")
with zipfile.ZipFile(io.BytesIO(received)) as archive:
    print("damaged:", archive.testzip())
    for entry in archive.infolist():
        print(f"{entry.filename}: {entry.file_size} bytes, {entry.compress_size} compressed")
