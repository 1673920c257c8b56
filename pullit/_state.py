"""What a pull is, and what it refuses."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, cast

import greenlet

from pullit._coro import Coro
from pullit._errors import PullError, PullExit, WrongThreadError, causes, chain, is_ours, raise_if
from pullit._guard import calls, note_told
from pullit._seq import check_seq, find_engine, seq_name, thread_name
from pullit._threads import get_ident

if TYPE_CHECKING:
    from typing import Self

EXITS = 5  # for a producer that goes on; then it drains to its end, as in Go

# What asking a finished iterator runs: the end, for ever, in C.
ended = iter(())
over = ended.__next__


class Source:
    """What is asked for values: how it stands, and what it refuses.

    `__next__`, a slot, is what asking runs: the loop, or `refuse` while a value is
    being made, or `over`. So the guards cost a right call nothing, and hold for C.
    """

    __slots__ = ()

    ahead = False  # the producer may run ahead of its consumer
    advice = ""  # if asked in a wrong thread

    __next__: Callable[[], Any]
    bound: bool  # to the thread where it was started: ...
    thread: int  # ... this one, or 0
    done: bool  # no value will come any more, ...
    ended: bool  # ... and all has been left
    label: str
    name: str  # of the public function

    def again(self: Any) -> Any:
        """Ask a fresh loop: there was none, or an exception has ended it."""
        self.renew()
        # Not by next: after a call, a signal's exception would take the value.
        for value in self.loop:
            return value
        raise StopIteration

    def refuse(self, call: str = "next") -> Any:
        """What a call runs while a value is being made (contracts 7, 21)."""
        if self.done and not self.ended:
            raise StopIteration
        self.check_thread(call)
        raise PullError(
            f"{self.name}: {call} called again before yield; {self.label} is running:"
            f" do not call {call} from inside it, nor from two threads at once"
        )

    def check_thread(self, call: str) -> None:
        """Refuse *call* in a thread where it cannot be served (contract 11)."""
        if self.is_elsewhere():
            raise WrongThreadError(
                f"{self.name}: {call} called in {thread_name(get_ident())}, but {self.label}"
                f" was started in {thread_name(self.thread)} and cannot change threads;"
                f" call it there{self.advice}"
            )

    def is_elsewhere(self) -> bool:
        return self.bound and self.thread not in (0, get_ident())

    def state(self) -> str:
        """One word: unstarted, suspended, running or finished."""
        if self.ended:
            return "finished"
        if self.__next__ == self.refuse:
            return "running"
        return "suspended" if self.thread else "unstarted"

    def frame(self) -> FrameType | None:
        """Return the frame in which the producer is suspended, or None."""
        return None


class Handle:
    """What users hold: Pull, Pull2, or a PullIterator, which has a `p` of its own."""

    __slots__ = ()

    @property
    def p(self) -> Any:
        return cast(Any, self).stop.__self__.p

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        try:
            self.p.stop()
        except BaseException as e:
            chain(e, error)
            raise

    def __repr__(self) -> str:
        return f"<pullit.{type(self).__name__} of {self.p.label}, {self.p.state()}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            f"cannot copy or pickle {self!r}: a suspended call has only one future;"
            " start another iterator over the same seq"
        )


class State(Source, Coro):
    """What a consumer and a producer share.

    `__iter__` is a slot, too: only C, which no signal interrupts, runs between values.

    `root` is None until seq is started, and after the end. In between, `gp` is the
    consumer, and None as soon as seq has ended.
    """

    __slots__ = (
        "__iter__",
        "abandoned",
        "bound",
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

    advice = ', or pass engine="thread"'

    __iter__: Callable[[], Iterator[Any]]

    def __init__(self, name: str, seq: Callable[..., object], engine: str, label: str) -> None:
        check_seq(name, seq)
        super().__init__(seq, None, find_engine(name, engine))
        self.name = name
        self.label = label or seq_name(seq)
        self.bound = self.engine is greenlet
        self.root: Any = None  # the coroutine on which seq was started
        self.thread = 0
        self.done = self.ended = self.returned = False
        self.abandoned = False  # nobody waits for seq's end, on the thread engine
        self.told = False  # yield_ has answered False, ...
        self.exits = 0  # ... and has then raised PullExit that often
        self.foreign = ""  # what to tell the consumer of a foreign thread's yield_

    def accept(self, wanted: bool) -> bool:
        """Tell whether a `yield_` that needs a look may go on, or is to answer False."""
        if (self.ended or self.gp is None) and not self.abandoned:
            return False
        if self.is_elsewhere():
            self.foreign = (
                f"{self.name}: yield_ called in {thread_name(get_ident())}, but"
                f" {self.label} was started in {thread_name(self.thread)}; pass"
                ' engine="thread" for an API that calls back from other threads'
            )
            raise WrongThreadError(self.foreign)
        if not self.done:
            if wanted:
                return True
            if self.told:  # seq has returned, of which its consumer has not heard
                return False
            raise PullError(
                f"{self.name}: yield_ called again before next; {self.label} is"
                " suspended in its last call of it: only the producer may call yield_"
            )
        if calls:
            note_told(self.next_exit)
        if self.told:
            raise_if(self.next_exit())
        self.told = True
        return False

    def next_exit(self) -> PullExit | None:
        """Return the next PullExit, or None after enough of them."""
        if self.exits == EXITS:
            return None
        self.exits += 1
        return self.exit("yield_ called after it answered False; return instead")

    def exit(self, text: str) -> PullExit:
        """Return a PullExit of our own."""
        self.told = True
        exit = PullExit(f"{self.name}: {text}")
        exit.puller = self
        return exit

    def is_exit(self, error: BaseException | None) -> bool:
        """Tell whether *error* is ours, or was raised from it."""
        return any(isinstance(e, PullExit) and e.puller in (self, None) for e in causes(error))

    def frame(self) -> FrameType | None:
        if self.state() != "suspended":
            return None
        if self.bound:
            frame: FrameType | None = self.root.gr_frame
        else:
            frame = sys._current_frames().get(self.root.thread.ident)
        # None, if seq has ended and its last batch has not.
        while frame and (is_ours(frame.f_globals) or frame.f_globals is vars(threading)):
            frame = frame.f_back
        return frame
