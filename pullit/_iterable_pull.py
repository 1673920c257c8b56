"""Pulls without a coroutine: over one iterable, or over several pulls, for zip and the like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pullit._errors import chain, raise_as_left
from pullit._lifetimes import left, sweep
from pullit._per_thread import known_thread
from pullit._pull import ENDED, STOPPING, SUSPENDED, UNSTARTED, EnginePull, Order, State
from pullit._threads import get_ident
from pullit._types import NOTHING

# The one key of `turn`, under which the call that is under way stands.
TURN = "turn"


class IterablePull(EnginePull):
    """A pull without a coroutine, which asks an iterator for its values instead of a seq.

    The first next calls *make*, which returns that iterator, and adds whatever is to be
    closed at the end to the list that it gets. If the iterator pulls push iterators, the
    pull is *bound* to the thread of its first next.
    """

    __slots__ = (
        "advance",
        "bound",
        "label",
        "made",
        "make",
        "name",
        "reads_ahead",
        "result",
        "state",
        "thread",
        "turn",
    )

    def __init__(
        self, name: str, label: str, make: Callable[..., Any], bound: bool, ahead: bool = False
    ) -> None:
        self.name, self.label, self.bound = name, label, bound
        self.reads_ahead = ahead  # it was asked to: it need not, but refuses send and throw
        self.state: State = UNSTARTED
        self.thread = 0  # where it was started, if it is bound
        self.make: Any = make
        self.made: list[Any] = []
        self.advance: Any = None  # the iterator's __next__, once made
        self.result: Any = NOTHING
        self.turn: dict[str, object] = {}  # the call that is under way

    def next(self, order: Order | None = None, call: str = "next") -> Any:
        """Return the next value, or raise StopIteration at the end. An *order* may end it."""
        self.check_thread(call)
        errors: list[BaseException] = []
        mine = object()
        try:
            if not self.done():
                self.claim(mine, call)
                value = self.ask(order, errors)
                if value is not NOTHING:
                    return value
        finally:
            # Not by a call: a signal handler could raise in it. And not after `in`: the turn of
            # another thread's call may end between the two.
            try:
                if self.turn[TURN] is mine:
                    del self.turn[TURN]
            except KeyError:
                pass
        raise_as_left(errors or [StopIteration()])

    def ask(self, order: Order | None, errors: list[BaseException]) -> Any:
        """Return a value. At the end return NOTHING, and add what is to be raised to *errors*."""
        if self.done():
            return NOTHING  # pragma: no cover  a race: another thread was faster
        try:
            self.state = SUSPENDED  # not RUNNING: that a call is under way, `turn` says
            if order is None or self.obey(order):
                if self.advance is None:
                    self.begin()
                return self.advance()
        except StopIteration as e:
            if order is not None and order.kind == "throw" and self.advance is not None:
                text = f"{self.name}: {self.label} raised StopIteration; throw another exception"
                error = RuntimeError(text)
                error.__cause__ = error.__context__ = e
                errors.append(error)
        except BaseException as e:
            if self.advance is None and isinstance(e, (RecursionError, MemoryError)):
                self.made.clear()
                self.state = UNSTARTED  # there was no room to begin
                raise
            errors.append(e)
        self.end(errors)
        return NOTHING

    def obey(self, order: Order) -> bool:
        """Return whether to go on: a false value that is sent ends the pull."""
        if order.kind == "throw":
            raise order.value.pop()
        return bool(order.value)

    def begin(self) -> None:
        self.thread = get_ident() if self.bound else 0
        try:
            self.advance = self.make(self.made).__next__
        except StopIteration as e:
            text = f"{self.name}: iter of {self.label} raised StopIteration; catch it in __iter__"
            raise RuntimeError(text) from e

    def end(self, errors: list[BaseException]) -> None:
        """Close what was made, newest first.

        *errors* holds the exception that is to be raised, if any. If closing raises one, that
        replaces it, with the earlier one among its contexts.
        """
        if not errors and self.advance is not None and self.state is not STOPPING:
            self.result = None
        self.state = STOPPING
        try:
            while self.made:
                try:
                    self.made[-1].close()
                except (RecursionError, MemoryError):  # pragma: no cover  no room
                    if not is_closed(self.made[-1]):  # pragma: no cover  no room
                        raise  # so that a later close can do it
                except BaseException as e:
                    errors[:] = [chain(e, errors[0] if errors else None)]
                    self.result = NOTHING
                self.made.pop()
        finally:
            self.state = ENDED
            self.make = self.advance = None

    def stop(self, call: str = "stop") -> None:
        """Close what was made."""
        self.check_thread(call)
        if self.over():
            return
        errors: list[BaseException] = []
        mine = object()
        try:
            if self.state is STOPPING and self.turn:
                return  # called by something that is being closed
            self.claim(mine, call)
            self.end(errors)
        finally:
            try:  # see next
                if self.turn[TURN] is mine:
                    del self.turn[TURN]
            except KeyError:  # pragma: no cover  a race: another thread's call has ended
                pass
        if errors:
            raise_as_left(errors)

    def claim(self, mine: object, call: str) -> None:
        """Make *mine* the call that is under way, or refuse it."""
        if self.turn.setdefault(TURN, mine) is not mine:
            raise self.refusal(call)
        if self.thread:  # another thread may just have started it
            self.check_owner(call)

    def check_thread(self, call: str) -> None:
        """Refuse *call* in a wrong thread, if the pull is bound to one."""
        if left:
            sweep(known_thread())
        self.check_owner(call)

    def check_owner(self, call: str) -> None:
        if self.thread not in (0, get_ident()) and not self.over():
            raise self.wrong_thread(call, self.thread)

    def over(self) -> bool:
        return self.state is ENDED and not self.made

    def done(self) -> bool:
        return self.state is STOPPING or self.state is ENDED

    def shown_state(self) -> str:
        return "running" if self.turn else super().shown_state()

    def drop(self) -> None:
        """Stop, because the handle was dropped."""
        if not (self.over() or self.is_finalizing() or self.turn):
            if self.thread not in (0, get_ident()):
                self.make = self.advance = None
                self.made.clear()  # the pulls in it are left to their thread
            else:
                self.stop()

    def frame(self) -> None:
        return None


def is_closed(made: Any) -> bool:  # pragma: no cover  no room
    """Return whether *made*, an iterator of ours or a generator, has ended."""
    return bool(getattr(made, "done", getattr(made, "gi_frame", None) is None))
