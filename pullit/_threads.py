"""Real threads, and an engine of threads that can be switched to, shaped like greenlets.

One of them runs at any time; each of the others waits for its own lock. A switch
costs some twenty times a greenlet's, and can come from any thread.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any

# What greenlets cannot leave, even where gevent has put greenlets in threads' place.
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


running = threading.local()


class greenlet:  # noqa: N801  the engine's interface has the greenlet module's names
    """A coroutine that runs in a thread of its own, started by the first switch."""

    __slots__ = ("dead", "gr_context", "lock", "message", "parent", "run", "thread", "waits")

    gr_context: Any  # as newcoro sets it
    message: tuple[Any, threading.Thread | None]  # until it is taken
    thread: threading.Thread  # once started

    def __init__(self, run: Callable[..., Any] | None = None) -> None:
        self.run = run
        # Not whoever makes it, but who asks first, and in the end who waits.
        self.parent: greenlet | None = None
        self.dead = False
        # Held until there is a message, which may come before anyone waits for it.
        self.lock = threading.Lock()
        self.lock.acquire()
        self.waits = False  # for a message, or is about to

    def switch(self, value: Any = ()) -> Any:
        """Run this coroutine, and wait until another switches back with a value.

        Meanwhile this thread has no identity: what a collection runs in it, or what goes
        on after an exception (Ctrl-C), gets a fresh one, and no answer that is not its own.
        """
        me = getcurrent()
        del running.current
        me.waits = True
        self.wake(value)  # which may wait, too, for a thread to start
        me.lock.acquire()
        value, ended = me.message
        del me.message
        running.current = me
        if ended:
            ended.join()  # it has nothing left to do: no thread outlives its pull
        return value

    def wake(self, value: Any, ended: threading.Thread | None = None) -> None:
        """Let this coroutine run, with *value*, and do not wait."""
        if self.run:
            self.thread = threading.Thread(None, self.main, "pullit", (self.run,), daemon=True)
            self.run = None
            self.thread.start()
        else:
            self.message = value, ended
            self.waits = False
            self.lock.release()

    def main(self, run: Callable[..., Any]) -> None:
        """Run *run* in this thread, then wake the parent."""
        running.current = self
        value = self.gr_context.run(run)
        self.dead = True
        if self.parent:
            self.parent.wake(value, self.thread)


def getcurrent() -> greenlet:
    """Return the coroutine of the running thread, whoever started that."""
    me: greenlet | None = getattr(running, "current", None)
    if me is None:
        me = running.current = greenlet()
    return me
