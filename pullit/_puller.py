"""The state of one pull, and what may be done in it: what next, yield_ and stop share."""

from __future__ import annotations

import atexit
import sys
import threading
from _thread import get_ident
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import greenlet

from pullit._coro import Coro, adopt, newcoro
from pullit._errors import (
    PullError,
    PullExit,
    WrongThreadError,
    causes,
    chain,
    is_ours,
    raise_if,
    trim,
)
from pullit._guard import OrderError, check_order, note_sent, note_told
from pullit._seq import called_again, check_seq, find_engine, seq_name, thread_name

# How often a producer that goes on after it was told to stop gets PullExit,
# before it is left to drain to its own end, as in Go.
EXITS = 5

# The pulls that are started and not over, oldest first, by their coroutine. They are
# kept here without the handles that their users hold, so that a dropped handle still
# stops its pull.
live: dict[Any, Puller] = {}

# What runs when a finished iterator is asked: the end, for ever, in C.
over = iter(()).__next__


class Puller:
    """One pull: what its consumer and its producer, seq, share.

    Its `__next__` is a slot, and says at any time what asking for the next value
    runs: the loop while seq has not begun or is suspended, `refuse` while it
    runs, `over` after the end. So the guards cost a right call nothing, and
    ``for``, which asks from C, passes them too.

    Invariants: `coro` is None until seq is started, and again after the end.
    `coro.gp` is the consumer, and None as soon as seq has ended. `done` says
    that no value will come any more, `ended` that seq has been left, too.
    """

    __slots__ = (
        "__next__",
        "abandoned",
        "coro",
        "deliver",
        "done",
        "due",
        "ended",
        "engine",
        "exits",
        "foreign",
        "label",
        "lock",
        "look",
        "main",
        "name",
        "pairs",
        "renew",
        "result",
        "returned",
        "root",
        "seq",
        "thread",
        "told",
    )

    ahead = False  # seq may run ahead of its consumer

    __next__: Callable[[], Any]
    abandoned: bool
    deliver: Callable[..., Any]  # (call, answer)
    done: bool
    ended: bool
    look: Callable[[], object]
    main: Callable[[], object]
    renew: Callable[[], object]
    returned: bool

    def __init__(
        self,
        name: str,
        seq: Callable[..., object],
        engine: str,
        pairs: bool = False,
        label: str = "",
    ) -> None:
        check_seq(name, seq)
        self.name: str = name
        self.engine: Any = find_engine(name, engine)
        self.seq: Callable[..., object] | None = seq
        self.pairs: bool = pairs  # seq's yield_ takes two values
        self.label: str = label  # seq's name, if not its own, or once seq is let go
        self.coro: Coro | Any = None
        self.root: Any = None  # the coroutine on which seq was started, ...
        self.thread: int = 0  # ... and the thread
        self.done = self.ended = self.returned = self.abandoned = False
        self.told: bool = False  # yield_ has answered False
        self.exits: int = 0  # and has then raised PullExit that often
        self.foreign: str = ""  # what to tell the consumer of a foreign thread's yield_
        self.result: Any = None
        self.due: Any = None  # the result, until a StopIteration has carried it
        # Coroutines of one thread take turns; threads must be made to. An RLock,
        # because deliver holds it around the loop, which takes it too.
        self.lock: threading.RLock | None = None if self.engine is greenlet else threading.RLock()

    def __iter__(self) -> Iterator[Any]:
        """Return self, good for more values, or raise StopIteration with the result.

        An exception that leaves the loop, as a refusal does, has ended it. seq is
        unharmed by that: another loop goes on with it.
        """
        if self.done:
            due, self.due = self.due, None
            raise StopIteration(due)
        if self.state() != "running":
            self.renew()
        return self

    def enter(self, producer: Any) -> Any:
        """Return the running coroutine as the consumer: the slow part of the loop.

        Starts seq, or sees to it that another coroutine asks than the last time.
        *producer* is whom the loop will resume.
        """
        me = self.engine.getcurrent()
        if self.coro is None:
            self.thread = get_ident()
            self.coro = newcoro(self.main, self.engine)
            self.root = self.coro.gp
            live[self.root] = self
        self.check_thread("next")
        check_order(self.name, producer)
        try:
            adopt(self.root, me)
        except ValueError as e:
            if "cyclic" in str(e):
                raise PullError(
                    f"{self.name}: next called in a greenlet that {self.describe()} has"
                    " started; call it outside of the producer"
                ) from None
            # A new thread has the ident of the ended one.
            raise self.wrong_thread("next", "a thread that has ended") from None
        self.coro.gp = me
        return me

    def run(self, yield_: Callable[[Any], Any]) -> None:
        """Run seq. This is on the producer's coroutine."""
        assert self.seq is not None
        try:
            self.result = self.seq(pair(yield_) if self.pairs else yield_)
        except StopIteration as e:
            raise RuntimeError(f"{self.name}: {self.describe()} raised StopIteration") from e
        except PullExit as e:
            if not (self.abandoned and self.is_exit(e)):
                raise

    def accept(self, wanted: bool) -> bool:
        """Tell whether a `yield_` that comes late, or from elsewhere, may go on.

        The slow part of `yield_`: answers False itself, raises what `yield_` does.
        """
        if self.ended and not self.abandoned:
            return False
        if self.engine is greenlet and get_ident() != self.thread:
            self.foreign = (
                f"{self.name}: yield_ called in {thread_name(get_ident())}, but"
                f" {self.describe()} was started in {thread_name(self.thread)}; pass"
                ' engine="thread" for an API that calls back from other threads'
            )
            raise WrongThreadError(self.foreign)
        if not self.done:
            if wanted:
                return True
            raise PullError(
                f"{self.name}: yield_ called again before next; {self.describe()} is"
                " suspended in its last call of it: only the producer may call yield_"
            )
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

    def finish(self) -> Any:
        """Let go of everything; return what seq returned, or raise what it raised."""
        coro = self.coro
        assert coro is not None
        error = coro.error
        self.returned = error is None and coro.gp is None
        if self.done and self.is_exit(error):
            error = None
        self.forget()
        coro.error = None  # its traceback and the coro are a cycle
        if self.foreign:
            foreign = WrongThreadError(self.foreign)
            error = chain(error, foreign) if error else foreign
        if error:
            # As raise_as_left does, but with a frame less in every traceback.
            context = error.__context__
            try:
                raise trim(error)
            finally:
                error.__context__ = context
                del error, context  # else the traceback and this frame are a cycle
        self.due = self.result
        return self.result

    def forget(self) -> None:
        """Note that it is over, and let go of seq and of every cycle."""
        self.label = self.describe()
        self.done = self.ended = True
        self.__next__ = self.deliver = self.look = self.main = self.renew = over
        root = self.root
        self.seq = self.coro = self.root = None
        live.pop(root, None)

    def stop(self) -> Any:
        """Make seq return, and return what it did. See pull."""
        if not self.ended and self.coro is None:
            self.forget()
        while not self.ended:
            if self.state() == "running":
                return None if self.done else self.refuse("stop")
            self.check_thread("stop")
            try:
                # Once is enough, unless a signal's exception came before the order.
                self.deliver("stop", self.say_stop)
            except StopIteration as e:
                return e.value
            except BaseException as e:
                trim(e)
                raise
        return None

    def drop(self) -> None:
        """Stop seq, because nobody can ask for its values any more."""
        if self.state() != "running" and (self.root in live or not self.coro):
            try:
                self.stop()
            except OrderError as e:
                e.later.dropped.append(self)  # it is stopped as soon as that is safe
            except BaseException:
                self.stop()  # if a signal's exception came before seq was told
                raise

    def say_stop(self) -> bool:
        """What stop has the pending `yield_` do."""
        self.done = self.told = True
        note_told(self.next_exit)
        return False

    def say(self, value: Any) -> Any:
        """What send has the pending `yield_` do."""
        note_sent()
        return value

    def refuse(self, call: str = "next") -> Any:
        """What a call for the next value runs while seq does."""
        if self.done:
            raise StopIteration
        self.check_thread(call)
        raise called_again(self.name, call, self.describe())

    def check_thread(self, call: str) -> None:
        """Refuse *call* in a thread where greenlet cannot serve it (contract 11)."""
        if self.engine is greenlet and self.coro and get_ident() != self.thread:
            raise self.wrong_thread(call, thread_name(self.thread))

    def wrong_thread(self, call: str, owner: str) -> WrongThreadError:
        return WrongThreadError(
            f"{self.name}: {call} called in {thread_name(get_ident())}, but"
            f" {self.describe()} was started in {owner} and cannot change threads;"
            ' call it there, or pass engine="thread"'
        )

    def state(self) -> str:
        """One word: unstarted, suspended, running or finished."""
        if self.ended:
            return "finished"
        if self.coro is None:
            return "unstarted"
        return "running" if self.__next__ == self.refuse else "suspended"

    def describe(self) -> str:
        """Name seq."""
        return self.label or seq_name(self.seq)

    def frame(self) -> FrameType | None:
        """Return the frame in which seq is suspended, or None."""
        if self.state() != "suspended":
            return None
        if self.engine is greenlet:
            frame: FrameType | None = self.root.gr_frame
        else:
            frame = sys._current_frames().get(self.root.thread.ident)
        while frame and is_ours(frame.f_globals):
            frame = frame.f_back
        return frame


def look_again(coroutine: Any) -> None:
    """Have every pull that *coroutine* may yield to look at its next `yield_`."""
    ancestor, found = coroutine, False
    while ancestor is not None:
        if ancestor in live:
            live[ancestor].look()
            found = True
        ancestor = ancestor.parent
    if not found:  # a hub's greenlet, say; it may be any one's helper
        for p in list(live.values()):
            p.look()


def stop_all() -> None:
    """Stop what is suspended when the interpreter exits, newest first.

    Later there are neither greenlets nor threads to run it on: what a dropped
    handle would then wait for never comes.
    """
    for p in reversed(list(live.values())):
        if p.engine is not greenlet or p.thread == get_ident():
            try:
                p.drop()
            except BaseException:
                sys.excepthook(*sys.exc_info())
    live.clear()


atexit.register(stop_all)


def pair(yield_one: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """Return the `yield_` of a Seq2."""

    def yield_(k: Any, v: Any, /) -> Any:
        return yield_one((k, v))

    return yield_
