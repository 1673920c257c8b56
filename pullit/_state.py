"""What a pull is, and what it refuses."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import greenlet

from pullit._coro import Coro
from pullit._errors import PullError, PullExit, WrongThreadError, causes, is_ours, raise_if
from pullit._guard import calls, note_told
from pullit._native import get_ident
from pullit._seq import called_again, check_seq, find_engine, seq_name, thread_name

# How often a producer that goes on after it was told to stop gets PullExit,
# before it is left to drain to its own end, as in Go.
EXITS = 5

# What runs when a finished iterator is asked: the end, for ever, in C.
ended = iter(())
over = ended.__next__


class State(Coro):
    """What the consumer and the producer of one pull share: what is, and what is refused.

    Its `__next__` is a slot, and says at any time what asking for the next value
    runs: the loop while seq has not begun or is suspended, `refuse` while it
    runs, `over` after the end. So the guards cost a right call nothing, and
    ``for``, which asks from C, passes them too. Its `__iter__` is a slot as well,
    so that nothing but C runs between two values, where a signal's exception would
    end the iteration.

    Invariants: `root` is None until seq is started, and again after the end. While
    it is not, `gp` is the consumer, and None as soon as seq has ended. `done` says
    that no value will come any more, `ended` that seq has been left, too.
    """

    __slots__ = (
        "__iter__",
        "__next__",
        "abandoned",
        "done",
        "ended",
        "exits",
        "foreign",
        "label",
        "name",
        "returned",
        "root",
        "thread",
        "told",
    )

    ahead = False  # seq may run ahead of its consumer

    __iter__: Callable[[], Iterator[Any]]
    __next__: Callable[[], Any]

    def __init__(
        self, name: str, seq: Callable[..., object], engine: str, label: str
    ) -> None:
        check_seq(name, seq)
        super().__init__(seq, None, greenlet if engine == "greenlet" else find_engine(name, engine))
        self.name: str = name
        self.label: str = label or seq_name(seq)
        self.root: Any = None  # the coroutine on which seq was started, ...
        self.thread: int = 0  # ... and the thread
        self.done: bool = False
        self.ended: bool = False
        self.returned: bool = False
        self.abandoned: bool = False  # nobody waits for seq's end, on the thread engine
        self.told: bool = False  # yield_ has answered False
        self.exits: int = 0  # and has then raised PullExit that often
        self.foreign: str = ""  # what to tell the consumer of a foreign thread's yield_

    def accept(self, wanted: bool) -> bool:
        """Tell whether a `yield_` that comes late, or from elsewhere, may go on.

        The slow part of `yield_`: answers False itself, raises what `yield_` does.
        """
        if (self.ended or self.gp is None) and not self.abandoned:
            return False
        if self.engine is greenlet and get_ident() != self.thread:
            self.foreign = (
                f"{self.name}: yield_ called in {thread_name(get_ident())}, but"
                f" {self.label} was started in {thread_name(self.thread)}; pass"
                ' engine="thread" for an API that calls back from other threads'
            )
            raise WrongThreadError(self.foreign)
        if not self.done:
            if wanted:
                return True
            raise PullError(
                f"{self.name}: yield_ called again before next; {self.label} is"
                " suspended in its last call of it: only the producer may call yield_"
            )
        if calls:
            note_told(self.next_exit)
        if not self.told:
            self.told = True
        else:
            raise_if(self.next_exit())
        return False

    def next_exit(self) -> PullExit | None:
        """Return the PullExit for a producer that goes on, or None when it had enough."""
        if self.exits == EXITS:
            return None
        self.exits += 1
        return self.exit("yield_ called after it answered False; return instead")

    def exit(self, text: str) -> PullExit:
        """Return a PullExit that this pull knows as its own."""
        self.told = True
        exit = PullExit(f"{self.name}: {text}")
        exit.puller = self
        return exit

    def is_exit(self, error: BaseException | None) -> bool:
        """Tell whether *error* is such a PullExit, or was raised from one."""
        return any(isinstance(e, PullExit) and e.puller in (self, None) for e in causes(error))

    def refuse(self, call: str = "next") -> Any:
        """What a call for the next value runs while seq does."""
        if self.done:
            raise StopIteration
        self.check_thread(call)
        raise called_again(self.name, call, self.label)

    def check_thread(self, call: str) -> None:
        """Refuse *call* in a thread where greenlet cannot serve it (contract 11)."""
        if self.engine is greenlet and self.root is not None and get_ident() != self.thread:
            raise self.wrong_thread(call, thread_name(self.thread))

    def wrong_thread(self, call: str, owner: str) -> WrongThreadError:
        return WrongThreadError(
            f"{self.name}: {call} called in {thread_name(get_ident())}, but"
            f" {self.label} was started in {owner} and cannot change threads;"
            ' call it there, or pass engine="thread"'
        )

    def state(self) -> str:
        """One word: unstarted, suspended, running or finished."""
        if self.ended:
            return "finished"
        if self.root is None:
            return "unstarted"
        return "running" if self.__next__ == self.refuse else "suspended"

    def frame(self) -> FrameType | None:
        """Return the frame in which seq is suspended, or None."""
        if self.state() != "suspended":
            return None
        if self.engine is greenlet:
            frame: FrameType | None = self.root.gr_frame
        else:
            frame = sys._current_frames().get(self.root.thread.ident)
        # What started a thread is the last: no seq is left there, only its last batch.
        while frame and (is_ours(frame.f_globals) or frame.f_globals is vars(threading)):
            frame = frame.f_back
        return frame
