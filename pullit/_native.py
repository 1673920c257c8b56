"""Real threads, which greenlets cannot leave, even where gevent has put greenlets."""

from __future__ import annotations

import _thread
from types import BuiltinFunctionType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threading import RLock, get_ident, local
else:
    original = _thread
    if type(_thread.get_ident) is not BuiltinFunctionType:  # patched: make another
        import _imp

        original = _imp.create_builtin(_thread.__spec__)
        _imp.exec_builtin(original)
    RLock, get_ident, local = original.RLock, original.get_ident, original._local

__all__ = ["RLock", "get_ident", "local"]
