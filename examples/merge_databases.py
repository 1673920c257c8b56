"""Merge the logs of two databases in order of time, with one row of each in memory."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pullit

REQUESTS = ["09:00:02 GET /orders/7 200", "09:00:05 POST /orders 500", "09:00:09 GET /health 200"]
PAYMENTS = ["09:00:04 order 8: card timeout", "09:00:07 order 8: paid", "09:00:08 order 9: paid"]


def entries(path: Path, yield_: Callable[[tuple[str, str, str]], Any]) -> None:
    """Yield the rows of the log at *path*, oldest first, while the database is open."""
    with closing(sqlite3.connect(path)) as database:
        for time, text in database.execute("SELECT time, text FROM log ORDER BY time"):
            if not yield_((time, path.stem, text)):
                break
    print(f"         {path.name} is closed")


with tempfile.TemporaryDirectory() as folder:
    paths = [Path(folder, "web.db"), Path(folder, "payments.db")]
    for path, log in zip(paths, (REQUESTS, PAYMENTS), strict=True):
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE log (time TEXT PRIMARY KEY, text TEXT)")
            database.executemany("INSERT INTO log VALUES (?, ?)", (r.split(" ", 1) for r in log))
    print("What happened before order 8 was paid, by the logs of two databases:")
    with pullit.merge(*(partial(entries, path) for path in paths)) as merged:
        for time, name, text in merged:
            print(time, f"{name:8}", text)
            if text == "order 8: paid":
                break  # leaving the with block stops both walks, before the folder is removed
