"""A channel between threads, and its producer's side: seq has a thread of its own.

No lock guards what the two sides share. Each thing has one writer, or changes in one
step that nothing can split (``deque.append``, ``dict.setdefault``, ``list.pop``). So a signal, a
collection or a fork finds nothing half done, and nothing rests on the GIL. A side that adds
something looks afterwards whether the other has left meanwhile; one that leaves says so first.

`state` says where the producer is: unstarted, open, stopping or ended. Independent of that is
whether a call of the consumer is under way. If so, it has its turn in `caller`.
"""

from __future__ import annotations

import sys
import threading
from _thread import start_new_thread
from collections import deque
from collections.abc import Callable
from contextvars import Context
from types import FrameType
from typing import Any

from greenlet import GreenletExit

from pullit._errors import is_ours, traceback_of, trim
from pullit._guard import note_order
from pullit._lifetimes import live
from pullit._per_thread import end_thread, known_thread
from pullit._pull import ENDED, EXITS, OPEN, STOP, STOPPING, UNSTARTED, EnginePull, Order, State
from pullit._stopping import Stopper, of_thread, order_all
from pullit._threads import here, this_thread
from pullit._types import NOTHING
from pullit._waiting import WaitingYield, snapshot

# Keys of `caller`, claimed by whoever enters them first: the turn, by a call of the consumer;
# seq's start, as made or as called off; and seq's end, which later claimers are sure to see.
TURN, START, OVER = "turn", "start", "over"
MADE, CALLED_OFF = "made", "called off"


class Channel(EnginePull):
    """One pull of *seq* in lockstep: a ``yield_`` waits until the next after its own.

    Calls of ``yield_`` from several threads take turns: they wait in `waiting`, and the
    consumer takes the value of the first.
    """

    __slots__ = (
        "argument",
        "caller",
        "consumer",
        "ended",
        "errors",
        "label",
        "most",
        "name",
        "orphan_text",
        "result",
        "seq",
        "stoppers",
        "taken",
        "thread",
        "told",
        "told_to_stop",
        "values",
        "waiting",
    )

    def __init__(
        self, name: str, seq: Callable[..., object], label: str, pairs: bool, most: int
    ) -> None:
        self.name = name
        self.label = label
        self.most = most  # how many values may wait, where it reads ahead
        self.seq: Callable[..., object] | None = seq
        self.argument: Any = self.yield_pair if pairs else self.yield_
        self.thread: threading.Thread | None = None  # from the start until let_go
        self.told_to_stop = False  # written by the consumer's side
        self.ended = False  # written by the producer's thread, when seq has ended
        self.result: Any = NOTHING
        self.errors: list[BaseException] = []  # what seq raised; whoever pops it reports it
        self.caller: dict[str, Any] = {}  # what is claimed, and by whom: see TURN
        self.consumer: Any = NOTHING  # the token of the latest next's thread
        self.waiting: deque[WaitingYield] = deque()
        self.taken: bool | None = None  # is the value of waiting[0] taken? None before any
        self.values: deque[Any] = deque()  # those that ran ahead
        self.told: dict[object, int] = {}  # by thread: the PullExits that it got after False
        self.stoppers: list[Stopper] = []  # of the APIs that seq runs: from_callback's stop
        self.orphan_text = ""  # the refusal, once its thread is gone

    @property
    def state(self) -> State:  # type: ignore[override]
        """Where the producer is."""
        thread = self.thread  # first, since it is None again after the end
        if self.ended:
            return ENDED
        if self.told_to_stop:
            return STOPPING
        return UNSTARTED if thread is None else OPEN

    def yield_(self, value: Any, /) -> Any:
        """What seq calls with each value, from any thread, and waits in."""
        if not self.may_yield():
            return self.refuse()
        call = WaitingYield(value)
        self.waiting.append(call)
        if self.told_to_stop and call.gate.locked():  # otherwise the stop opened it
            call.open(STOP)  # pragma: no cover  a race with the stop
        if TURN in self.caller:
            try:
                self.wake_caller()
            except RecursionError:
                # The value is there. A new thread has room for this, and C code starts it.
                start_new_thread(self.wake_caller, ())
        call.gate.acquire()
        return True if call.order is None else self.obey(call.order)

    def yield_pair(self, k: Any, v: Any, /) -> Any:
        return self.yield_((k, v))

    def may_yield(self) -> bool:
        """Return whether the running thread may hand over a value now.

        The consumer's thread may not, nor any before the start or after the stop.
        """
        if self.told_to_stop or self.ended or self.thread is None:
            return False
        return getattr(here, "token", None) is not self.consumer

    def seq_waits(self) -> bool:
        """Return whether seq is sure to wait in yield_, so that this thread may wait for it."""
        if getattr(here, "token", None) is self.consumer:
            return bool(self.waiting)
        thread = self.thread  # read once: it may become None meanwhile
        ident = thread and thread.ident
        return any(call.ident == ident for call in snapshot(self.waiting))

    def wake_caller(self) -> None:
        """Wake the consumer's call, if one waits, so that it looks for a value again."""
        waiter = self.caller.get(TURN)
        if waiter is not None and waiter.waits():
            try:
                waiter.wake()
            except RecursionError:
                raise
            except RuntimeError:  # pragma: no cover  a race: another has woken it
                pass

    def open_gates(self) -> None:
        """Resume all waiting calls, with STOP if seq was told to stop."""
        for call in snapshot(self.waiting):
            call.open(STOP if self.told_to_stop else None)

    def order_stop(self) -> None:
        """Tell seq to stop, wherever it is: its calls of ``yield_`` that wait, and the APIs."""
        self.told_to_stop = True
        self.open_gates()
        order_all(self.stoppers)

    def obey(self, order: Order) -> Any:
        """Do what the call that has resumed this ``yield_`` has ordered."""
        note_order(known_thread(), self, order)
        if order.kind == "throw":
            raise order.value.pop()
        if order.kind == "send":
            return order.value
        self.told[this_thread()] = 0
        return False

    def refuse(self) -> bool:
        """Refuse the value of a ``yield_``: raise an exception, or return False."""
        if self.ended:
            return False
        if not self.told_to_stop:
            raise self.too_early()
        note_order(known_thread(), self, STOP)
        thread = this_thread()
        if thread in self.told:
            return self.raise_exit()
        self.told[thread] = 0  # False once in each thread, and then PullExit
        return False

    def raise_exit(self) -> bool:
        """Raise this thread's next PullExit; after EXITS of them, return False instead."""
        thread = this_thread()
        count = self.told.get(thread, 0)
        if count == EXITS:
            return False
        self.told[thread] = count + 1
        raise self.exit()

    def run(self, contexts: list[Context]) -> None:
        """Call seq, in its thread and the copied context, unless the start has been called off."""
        if self.caller.setdefault(START, MADE) is CALLED_OFF:
            return
        of_thread.channel = self
        seq, self.seq = self.seq, None
        try:
            assert seq
            self.result = contexts.pop().run(seq, self.argument)
        except GreenletExit:
            self.result = None
        except BaseException as e:
            self.errors.append(e)
        del seq  # before `ended` is set: freeing what only seq has held may take time
        end_thread()
        self.ended = True
        self.caller.setdefault(OVER)  # by its lock others see `ended`, without the GIL too
        self.tell_end()

    def tell_end(self) -> None:
        """Have the consumer look at seq's end."""
        if TURN in self.caller:
            self.wake_caller()
        elif self.told_to_stop:  # nobody waits, and nobody will ask
            self.report()

    def report(self) -> None:
        """Give what seq raised to threading.excepthook, since nobody waits for its end."""
        thread = self.thread
        error = trim(self.outcome(self.take_error(), told=True))
        self.let_go()
        if not issubclass(type(error), self.signals_end):
            args = type(error), error, traceback_of(error), thread
            threading.excepthook(threading.ExceptHookArgs(args))

    def take_error(self) -> BaseException | None:
        """Return what seq raised, but only to the first caller."""
        try:
            return self.errors.pop()
        except IndexError:
            return None

    def let_go(self) -> None:
        """Drop all references to seq, at the end."""
        live.pop(self, None)
        self.seq = self.argument = None
        self.waiting.clear()
        self.values.clear()
        self.thread = None  # last: until then the end has yet to be delivered

    def frame(self) -> FrameType | None:
        """Return the frame in which seq is suspended, or None."""
        thread = self.thread
        if thread is None or not self.waiting or thread.ident is None:
            return None
        frame = sys._current_frames().get(thread.ident)
        while frame and (is_ours(frame.f_globals) or frame.f_globals is vars(threading)):
            frame = frame.f_back
        return frame
