"""Iterables in the place of push iterators: from_iterable, and pulls without a coroutine."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from reprlib import repr as short_repr
from typing import Any

from greenlet import getcurrent

from pullit._errors import chain, raise_as_left
from pullit._seq import Seq, T, find_engine, seq_name
from pullit._state import Source, ended, over
from pullit._threads import get_ident


def from_iterable(iterable: Iterable[T]) -> Seq[T]:
    """Return a push iterator over what *iterable* gives:

    >>> from_iterable([1, 2])(print)
    1

    It stops when ``yield_`` answers false, as print does. Each call takes a new
    ``iter(iterable)``, and closes it at the end if that made a generator.

    To pull it costs no coroutine: it runs in the caller's thread and context, and
    has no ``.frame``.
    """
    if not is_iterable(iterable):
        raise TypeError(
            "pullit.from_iterable: expected an iterable, not"
            f" {type(iterable).__name__} {short_repr(iterable)}"
        )
    return IterableSeq(iterable)


def is_iterable(value: object) -> bool:
    """Tell whether *value* is an iterable, even if it can be called too."""
    return hasattr(type(value), "__iter__") or (
        hasattr(type(value), "__getitem__") and not callable(value)
    )


def open_iterable(iterable: Any, made: list[Any]) -> Iterator[Any]:
    """Return iter of *iterable*; if that has made a generator, add it to *made*."""
    iterator: Iterator[Any] = iter(iterable)
    if iterator is not iterable and isinstance(iterator, Generator):
        made.append(iterator)
    return iterator


class IterableSeq:
    """The Seq of an iterable."""

    def __init__(self, iterable: Any) -> None:
        self.iterable = iterable
        self.__qualname__ = f"from_iterable({seq_name(iterable)})"

    def __call__(self, yield_: Callable[[Any], Any], /) -> None:
        made: list[Any] = []
        try:
            for value in open_iterable(self.iterable, made):
                if not yield_(value):
                    return
        finally:
            for iterator in made:  # a producer leaves nothing suspended behind
                iterator.close()

    def __repr__(self) -> str:
        return f"pullit.from_iterable({short_repr(self.iterable)})"


class Direct(Source):
    """A pull without a coroutine: an iterator in the place of seq.

    *make* returns it, when first asked, and adds what is to be closed to its list.
    It is *bound* to a thread if it pulls push iterators.
    """

    __slots__ = (
        "__next__",
        "advance",
        "ahead",
        "bound",
        "done",
        "ended",
        "label",
        "loop",
        "made",
        "make",
        "name",
        "result",
        "resume",
        "returned",
        "thread",
    )

    def __init__(
        self, name: str, label: str, make: Callable[..., Any], bound: bool, ahead: bool = False
    ) -> None:
        self.name, self.label, self.bound = name, label, bound
        self.thread = 0
        self.done = self.ended = self.returned = False
        self.result = None  # an iterator has none
        self.ahead = ahead  # asked to, for which there is no need
        self.make: Any = make
        self.made: list[Any] = []
        self.advance: Any = None  # the iterator's __next__, once made
        self.loop: Any = ended
        self.__next__ = self.resume = over  # until the first value is asked for

    def __iter__(self) -> Iterator[Any]:
        """Return self, good for more values."""
        if self.done:
            raise StopIteration
        if self.state() != "running":
            self.renew()
        return self

    def renew(self) -> None:
        """Make a fresh loop: an exception has ended the last one, if any."""
        self.loop = self.run_loop()
        self.resume = self.__next__ = self.loop.__next__

    def run_loop(self) -> Generator[Any, None, None]:
        refuse, advance, bound = self.refuse, self.advance, self.bound
        caller = None
        while True:
            if bound and getcurrent() is not caller:  # cheaper than the thread
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
                    # Before any call, in which a signal's handler could raise. In a
                    # variable the loop would keep itself.
                    self.__next__ = self.resume
            except StopIteration:
                break
            except BaseException as e:
                advance = caller = None  # which the traceback would keep
                self.end(e)
                raise
            yield value
            value = None  # the consumer's alone
        self.end(None)

    def begin(self) -> Any:
        self.thread = get_ident()
        try:
            self.advance = self.make(self.made).__next__
        except StopIteration as e:
            raise RuntimeError(f"{self.name}: iter of {self.label} raised StopIteration") from e
        return self.advance

    def end(self, error: BaseException | None) -> None:
        """Let go of everything, and close what was made, newest first.

        An error of that is raised, with *error* among its contexts.
        """
        self.done = True
        self.loop = ended  # before a next that is called in cleanup
        self.__next__ = self.refuse
        failed = None
        try:
            while self.made:
                try:
                    self.made.pop().close()
                except BaseException as e:
                    failed = error = chain(e, error)
            self.returned = error is None and self.advance is not None
            self.ended = True
            self.make = self.advance = None
            self.__next__ = self.resume = over
            if failed:
                raise_as_left(failed)
        finally:
            del error, failed

    def deliver(self, call: str, answer: Callable[[], Any]) -> Any:
        """What send and throw do: a false answer stops any push iterator."""
        if self.state() == "running":
            return self.refuse(call)
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
            return self.again()
        self.end(None)
        raise StopIteration

    def say(self, value: Any) -> Any:
        return value

    def stop(self) -> None:
        if self.done:
            return
        if self.state() == "running":
            self.refuse("stop")
        self.check_thread("stop")
        self.end(None)

    def drop(self) -> None:
        if not self.done and self.state() != "running":
            if self.is_elsewhere():
                self.made.clear()  # the pulls in it are left to their thread
            self.end(None)


def direct(name: str, seq: IterableSeq, engine: str, ahead: bool = False) -> Direct:
    """Return the pull of an iterable's Seq, which needs no *engine*."""
    find_engine(name, engine)
    return Direct(name, seq_name(seq), partial(open_iterable, seq.iterable), False, ahead)
