"""The thread engine: a thread that can be switched to, shaped like a greenlet.

It offers the two names that the greenlet module offers, `greenlet` and
`getcurrent`, and of them what the coro layer uses. Exactly one of the threads
that take part runs at any time; the others wait, each for its own lock. A
switch costs two of the operating system's context switches, some twenty times
a greenlet's, and buys what greenlets cannot do: any thread may switch to it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any

local = threading.local()


class greenlet:  # noqa: N801  the engine's interface has the greenlet module's names
    """A coroutine that runs in a thread of its own, started by the first switch."""

    __slots__ = ("dead", "gr_context", "lock", "message", "parent", "run", "thread", "waits")

    gr_context: Context  # as newcoro sets it
    message: tuple[Any, threading.Thread | None]  # until it is taken
    thread: threading.Thread  # once started

    def __init__(self, run: Callable[..., Any] | None = None) -> None:
        self.run = run
        # Not whoever makes it: who asks first becomes the parent, and coroexit
        # sees to it that it is who waits.
        self.parent: greenlet | None = None
        self.dead = False
        # Held while there is no message. A message may be there before anyone
        # waits for it: then the wait is over at once.
        self.lock = threading.Lock()
        self.lock.acquire()
        self.waits = False  # for a message, or is about to

    def switch(self, value: Any = ()) -> Any:
        """Run this coroutine, and wait until another switches back with a value.

        An exception that interrupts the waiting (Ctrl-C, in the main thread)
        leaves this thread with a fresh identity: a late answer goes to the old
        one, where nobody waits, and cannot be mistaken for that of a later
        switch.
        """
        me = getcurrent()
        me.waits = True
        try:
            self.wake(value)  # which may wait, too, for a thread to start
            me.lock.acquire()
        except BaseException:
            del local.current
            raise
        value, ended = me.message
        del me.message
        if ended:
            ended.join()  # it has nothing left to do; no thread outlives its pull
        return value

    def wake(self, value: Any, ended: threading.Thread | None = None) -> None:
        """Let this coroutine run, with *value*, and do not wait."""
        if self.run is not None:
            self.thread = threading.Thread(
                target=self.main, args=(self.run,), name="pullit", daemon=True
            )
            self.run = None
            self.thread.start()
        else:
            self.message = value, ended
            self.waits = False
            self.lock.release()

    def main(self, run: Callable[..., Any]) -> None:
        """Run *run* in this thread, then wake the parent."""
        local.current = self
        value = self.gr_context.run(run)
        self.dead = True
        if self.parent is not None:
            self.parent.wake(value, self.thread)


def getcurrent() -> greenlet:
    """Return the coroutine of the running thread; one of our own or a foreign one."""
    try:
        return local.current  # type: ignore[no-any-return]
    except AttributeError:
        local.current = greenlet()
        return local.current  # type: ignore[no-any-return]
