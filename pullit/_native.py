"""Threads as the operating system has them.

gevent and eventlet put greenlets in the place of threads, in the modules that Python
has for those. But it is a thread that a greenlet cannot leave: that is what matters
here.
"""

from __future__ import annotations

import _thread
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from threading import RLock, get_ident, local
else:
    original: Any = _thread
    if type(_thread.get_ident) is not BuiltinFunctionType:  # patched: make another
        import _imp

        original = _imp.create_builtin(_thread.__spec__)
        _imp.exec_builtin(original)
    RLock, get_ident, local = original.RLock, original.get_ident, original._local

__all__ = ["RLock", "get_ident", "local"]
