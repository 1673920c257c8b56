"""Iterables in the place of push iterators: what needs no coroutine."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

from greenlet import getcurrent

from pullit._errors import WrongThreadError, chain
from pullit._iterable import IterableSeq
from pullit._native import get_ident
from pullit._seq import called_again, thread_name
from pullit._state import ended, over


class Direct:
    """A pull without a coroutine: an iterator in the place of seq.

    To PullIterator it is what Puller is. *make* returns the iterator, when the
    first value is asked for, and *close* lets go of it. *bound* says that it
    pulls push iterators, and with them belongs to the thread where they started.
    """

    __slots__ = (
        "__next__",
        "advance",
        "ahead",
        "bound",
        "close",
        "done",
        "ended",
        "label",
        "loop",
        "make",
        "name",
        "result",
        "resume",
        "returned",
        "thread",
    )

    __next__: Callable[[], Any]
    close: Callable[[], object]
    done: bool
    ended: bool
    result: Any
    resume: Callable[[], Any]
    returned: bool

    def __init__(
        self,
        name: str,
        label: str,
        make: Callable[[], Iterator[Any]],
        close: Callable[[], object],
        bound: bool,
        ahead: bool = False,
    ) -> None:
        self.ahead: bool = ahead  # asked to read ahead, for which there is no need
        self.name: str = name
        self.label: str = label
        self.make: Callable[[], Iterator[Any]] | None = make
        self.close = close
        self.bound: bool = bound
        self.advance: Callable[[], Any] | None = None  # the iterator's __next__, once made
        self.loop: Any = ended
        self.thread: int = 0
        self.__next__ = self.resume = over  # until the first value is asked for
        self.done = self.ended = self.returned = False
        self.result = None  # an iterator has none

    def __iter__(self) -> Iterator[Any]:
        """Return self, good for more values; see Puller."""
        if self.done:
            raise StopIteration
        if self.state() != "running":
            self.renew()
        return self

    def renew(self) -> None:
        """Make a fresh loop: an exception has ended the last one, if there was one."""
        self.leave_loop()
        self.loop = self.run_loop()
        self.resume = self.__next__ = self.loop.__next__

    def leave_loop(self) -> None:
        """Close the last loop: it holds its own `__next__`, a cycle."""
        if self.loop is not ended:
            self.loop.close()
            self.loop = ended

    @property
    def yield_next(self) -> bool:
        """Whether a value is being made."""
        return self.__next__ == self.refuse

    def run_loop(self) -> Generator[Any, None, None]:
        refuse, resume, advance, bound = self.refuse, self.resume, self.advance, self.bound
        caller = None
        while True:
            if bound and getcurrent() is not caller:  # cheaper than to ask for the thread
                caller = None  # no traceback is to keep it
                self.check_thread("next")
                caller = getcurrent()
            self.__next__ = refuse
            try:
                try:
                    if advance is None:
                        advance = self.begin()
                    value = advance()
                finally:
                    # Before any call, in which a signal's handler could raise.
                    self.__next__ = resume
            except StopIteration:
                break
            except BaseException as e:
                advance = caller = None  # which the traceback would keep
                self.end(e)
                raise
            yield value
            value = None  # the consumer's alone
        self.end(None)

    def begin(self) -> Callable[[], Any]:
        assert self.make is not None
        self.thread = get_ident()
        try:
            self.advance = self.make().__next__
        except StopIteration as e:
            raise RuntimeError(f"{self.name}: iter of {self.label} raised StopIteration") from e
        return self.advance

    def end(self, error: BaseException | None) -> None:
        """Let go of everything. An error of that is raised, *error* among its contexts."""
        self.done = True
        self.__next__ = over
        try:
            if self.advance is not None:
                self.close()
                self.returned = error is None
        except BaseException as e:
            if error is not None:
                chain(e, error)
            raise
        finally:
            self.ended = True
            self.make = self.advance = None
            self.close = self.resume = over

    def deliver(self, call: str, answer: Callable[[], Any]) -> Any:
        """What send and throw do. A false answer stops, as it does any push iterator."""
        if self.state() == "running":
            return self.refuse(call)
        self.leave_loop()
        try:
            go_on = bool(answer())
        except StopIteration as e:
            error = RuntimeError(f"{self.name}: {self.label} raised StopIteration")
            self.end(error)
            raise error from e
        except BaseException as e:
            self.end(e)
            raise
        if go_on:
            self.renew()
            return self.__next__()
        self.end(None)
        raise StopIteration

    def say(self, value: Any) -> Any:
        return value

    def stop(self) -> None:
        if self.ended:
            return
        if self.state() == "running":
            if not self.done:
                self.refuse("stop")
            return
        self.check_thread("stop")
        self.leave_loop()
        self.end(None)

    def drop(self) -> None:
        if self.state() == "running":
            return
        if self.is_elsewhere():  # the pulls that were made here are left to their thread
            self.close = bool
            self.leave_loop()
            self.end(None)
        else:
            self.stop()

    def refuse(self, call: str = "next") -> Any:
        """What a call for the next value runs while one is being made."""
        if self.done:
            raise StopIteration
        self.check_thread(call)
        raise called_again(self.name, call, self.label)

    def is_elsewhere(self) -> bool:
        return self.bound and self.advance is not None and get_ident() != self.thread

    def check_thread(self, call: str) -> None:
        """Refuse *call* in a thread where the pulls cannot be asked (contract 11)."""
        if self.is_elsewhere():
            raise WrongThreadError(
                f"{self.name}: {call} called in {thread_name(get_ident())}, but {self.label}"
                f" was started in {thread_name(self.thread)} and cannot change threads;"
                " call it there"
            )

    def state(self) -> str:
        """One word: unstarted, suspended, running or finished."""
        if self.ended:
            return "finished"
        if self.done or self.__next__ == self.refuse:
            return "running"
        return "unstarted" if self.advance is None else "suspended"

    def frame(self) -> None:
        return None


def direct(name: str, seq: IterableSeq, ahead: bool = False) -> Direct:
    """Return the pull of an iterable's Seq."""
    made: list[Iterator[Any]] = []

    def make() -> Iterator[Any]:
        made.append(iter(seq.iterable))
        return made[0]

    return Direct(name, seq.name(), make, lambda: seq.close(made.pop()), False, ahead)
