"""Merge the logs of two databases in order of time, one row of each in memory."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pullit

Entry = tuple[str, str, str]
LOGS: dict[str, list[tuple[str, str]]] = {
    "web": [
        ("2024-03-01 09:00:02", "GET /orders/7 200"),
        ("2024-03-01 09:00:05", "POST /orders 500"),
        ("2024-03-01 09:00:09", "GET /health 200"),
    ],
    "payments": [
        ("2024-03-01 09:00:04", "charge card of order 8: timeout"),
        ("2024-03-01 09:00:07", "retry order 8: paid"),
    ],
}


def entries(path: Path, yield_: Callable[[Entry], Any]) -> None:
    """Yield the rows of the log at *path*, oldest first; the connection ends with the walk."""
    connection = sqlite3.connect(path)
    try:
        for time, text in connection.execute("SELECT time, text FROM log ORDER BY time"):
            if not yield_((time, path.stem, text)):
                break
    finally:
        connection.close()
        print(f"({path.name} closed)")


with tempfile.TemporaryDirectory() as folder:
    paths = [Path(folder, f"{name}.db") for name in LOGS]
    for path in paths:
        connection = sqlite3.connect(path)
        with connection:
            connection.execute("CREATE TABLE log (time TEXT PRIMARY KEY, text TEXT)")
            connection.executemany("INSERT INTO log VALUES (?, ?)", LOGS[path.stem])
        connection.close()
    with pullit.merge(*(partial(entries, path) for path in paths)) as merged:
        for time, name, text in merged:
            print(time, f"{name:8}", text)
            if text.endswith("paid"):
                break  # leaving the with block stops both walks
