"""What the greenlet engine asks of threads, past what gevent and eventlet replace.

They put greenlets in the place of threads, and patch the standard library to match.
But a greenlet cannot leave the thread of the operating system that it was made in,
so it is that thread's ident and that thread's locals that count here.
"""

from __future__ import annotations

import _thread
import threading
from types import BuiltinFunctionType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threading import RLock as RLock
    from threading import get_ident as get_ident
    from threading import local as local
else:
    original = _thread
    if type(_thread.get_ident) is not BuiltinFunctionType:  # patched: make another
        import _imp

        original = _imp.create_builtin(_thread.__spec__)
        _imp.exec_builtin(original)
    RLock, get_ident, local = original.RLock, original.get_ident, original._local


def thread_name(ident: int) -> str:
    """Name the thread *ident* for a message; by its number, too, where others have its name."""
    threads = threading.enumerate()
    for thread in threads:
        if thread.ident == ident:
            same = sum(other.name == thread.name for other in threads)
            return f"thread {thread.name!r}" + (f" ({ident})" if same > 1 else "")
    return f"thread {ident}"


# What tells a thread from all others, past and future; an ident is used again. Where threads
# are greenlets, it is these that are told apart.
here = threading.local()


def this_thread() -> object:
    """Return the running thread's token."""
    token = getattr(here, "token", None)
    return here.__dict__.setdefault("token", object()) if token is None else token
