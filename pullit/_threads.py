"""Which thread is running, and thread-locals: the originals, as if nothing were patched.

gevent and eventlet put greenlets in the place of threads, and patch the standard library
to match: its get_ident and its locals then tell greenlets apart. But a greenlet cannot
leave the thread of the operating system that it was made in. So the greenlet engine
needs the ident and the locals of that thread.
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
    if type(_thread.get_ident) is not BuiltinFunctionType:  # patched: load the module once more
        import _imp

        original = _imp.create_builtin(_thread.__spec__)
        _imp.exec_builtin(original)
    RLock, get_ident, local = original.RLock, original.get_ident, original._local


def thread_name(ident: int) -> str:
    """Name the thread *ident* for a message, by its ident too if others have the same name."""
    threads = threading.enumerate()
    for thread in threads:
        if thread.ident == ident:
            same = sum(other.name == thread.name for other in threads)
            return f"thread {thread.name!r}" + (f" ({ident})" if same > 1 else "")
    return f"thread {ident}"


# Holds the running thread's token: an object that no other thread, past or future, has. (The
# ident of a thread that has ended is used again.) This local is the patched one on purpose:
# where gevent or eventlet put greenlets in the place of threads, each greenlet has its token.
here = threading.local()


def this_thread() -> object:
    """Return the running thread's token."""
    token = getattr(here, "token", None)
    # setdefault, since a signal handler or a collection may make the token meanwhile.
    return here.__dict__.setdefault("token", object()) if token is None else token
