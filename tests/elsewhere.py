"""What tests run elsewhere: in another thread, or in another interpreter."""

from __future__ import annotations

import importlib
import subprocess
import sys
import sysconfig
import threading
import time
import weakref
from collections.abc import Callable
from textwrap import dedent
from typing import Any, TypeVar

import pytest

from pullit._ahead_on_thread import AheadThreadPull
from pullit._on_thread import ThreadPull

T = TypeVar("T")

# Whether this is a free-threaded build, even if its GIL was switched on (sys._is_gil_enabled).
# There an object that other threads let go of is freed by the thread that made it, when that
# next runs Python code; if that has ended, by whoever lets go of it last.
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))

needs_gil_build = pytest.mark.skipif(
    FREE_THREADED, reason="it is about who frees an object: here that is the thread that made it"
)


def in_thread(call: Callable[..., T], *args: object, name: str = "other") -> T:
    """Run ``call(*args)`` in another thread, to its end; return or raise what it did."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call(*args))
        except BaseException as e:
            errors.append(e)

    thread = threading.Thread(target=run, name=name)
    thread.start()
    thread.join()
    if errors:
        raise errors.pop()
    return results.pop()


def error_in_thread(call: Callable[[], object]) -> BaseException | None:
    """Run *call* in another thread, to its end; return what it raised."""
    try:
        in_thread(call)
    except BaseException as e:
        return e
    return None


def made_elsewhere(make: Callable[[], T]) -> T:
    """Return what *make* makes, in a thread that has ended: so whoever drops it frees it.

    This holds in a free-threaded build, too, where a thread that lives would free it.
    """
    return in_thread(make)


def gone(*watches: weakref.ref[Any]) -> bool:
    """Tell whether all that *watches* refer to is freed: at once, or, where it may take the
    thread that made it, soon."""
    if FREE_THREADED:
        wait_until(lambda: all(watch() is None for watch in watches))
    return all(watch() is None for watch in watches)


def wait_until(condition: Callable[[], object]) -> None:
    """Let other threads run until *condition* returns something true."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0)


def has_yielded(it: Any) -> bool:
    """Tell whether a ``yield_`` of *it*, in lockstep on threads, has a value not yet taken."""
    pull: ThreadPull = it._pull
    return len(pull.waiting) > bool(pull.taken)


def come_to_rest(it: Any) -> None:
    """Wait until the producer of *it* has ended, or waits for the consumer to ask.

    It does so anyhow, unless it reads ahead on threads.
    """
    pull = it._pull
    if isinstance(pull, AheadThreadPull):
        ahead: AheadThreadPull = pull
        wait_until(lambda: ahead.ended or (ahead.waiting and len(ahead.values) >= ahead.most))


def needs(name: str) -> pytest.MarkDecorator:
    """Skip a test where the platform has no *name*, ``os.fork`` for example: Windows."""
    module, _, attribute = name.partition(".")
    there = hasattr(importlib.import_module(module), attribute)
    return pytest.mark.skipif(not there, reason=f"there is no {name} on {sys.platform}")


def run_script(script: str, *options: str, quiet: bool = True) -> str:
    """Run *script* in another interpreter; return what it printed.

    It must be *quiet*: write nothing to stderr.
    """
    done = subprocess.run(
        [sys.executable, *options, "-c", dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (quiet and done.stderr), done.stderr
    return done.stdout
