"""read_ahead: a pull whose switches bring many values each."""

from __future__ import annotations

from _thread import RLock, get_ident
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, cycle, repeat
from operator import index
from typing import Any, NoReturn

import greenlet

from pullit._puller import Puller


def check_read_ahead(name: str, read_ahead: int) -> int:
    """Return *read_ahead*, or raise TypeError or ValueError."""
    n = index(read_ahead)
    if n < 0:
        raise ValueError(f"{name}: read_ahead must be 0 or more, not {n}")
    return n


class Batch:
    """What one switch has brought: it gives the values that are left.

    `__iter__` is a slot, so that the iterator can change from one batch to the
    next in C, where no handler of a signal can raise, and values be lost.
    """

    __slots__ = ("__iter__", "values")

    __iter__: Callable[[], Iterator[Any]]

    def __init__(self) -> None:
        self.values: list[Any] | None = None  # while they wait to be iterated over


class Ahead(Puller):
    """A pull whose producer goes on while its consumer waits, for up to *n* values.

    To Puller they are one value, which is in *batch*.
    """

    __slots__ = ("batch", "halt", "n")

    ahead = True

    def __init__(self, n: int, *args: Any) -> None:
        super().__init__(*args)
        self.n = n
        self.batch = Batch()
        self.halt: Callable[[], object] = bool  # until there is something to halt

    def job(self) -> tuple[Any, Any]:
        return self.run, self.yield_

    def run(self, yield_batch: Callable[[Any], Any]) -> object:
        """Run seq with a `yield_` that switches when it has n values."""
        assert self.seq is not None
        n, batch = self.n, self.batch
        shared = self.engine is not greenlet  # any thread may call yield_
        values: list[Any] = []
        wanted = True  # the consumer waits for more
        # A lock that this thread holds as often as a value may be added without a
        # look: that counts them, and sees to the thread, in one call.
        room: Any = RLock()

        def yield_(value: Any, /) -> Any:
            try:
                room.release()
            except RuntimeError:
                return add(value)
            values.append(value)
            return True

        def add(value: Any) -> bool:
            nonlocal wanted
            if not wanted or (not shared and get_ident() != self.thread):
                if not yield_batch(None):  # it refuses, or answers False
                    return False
                wanted = True
            values.append(value)
            if len(values) >= n:
                return give()
            make_room(n - 1 - len(values))
            return True

        def give() -> bool:
            """Yield the batch."""
            nonlocal values, wanted
            halt()
            batch.values = given = values
            values = []
            go_on = False
            try:
                go_on = yield_batch(None)
            finally:
                if not go_on:
                    given.clear()  # what ran ahead is dropped
            wanted = go_on
            make_room(n - 1 if go_on else 0)
            return go_on

        def make_room(count: int) -> None:
            if room._is_owned():
                room._release_save()
            if count and not shared:
                room._acquire_restore((count, get_ident()))

        def halt() -> None:
            nonlocal wanted
            wanted = False
            make_room(0)

        self.halt = halt
        make_room(n - 1)
        try:
            return self.seq(pair(yield_) if self.pairs else yield_)
        finally:
            if wanted and values:
                give()
            halt()

    def exit(self, text: str) -> Any:
        self.halt()
        return super().exit(text)

    def forget(self) -> None:
        super().forget()
        self.halt = bool

    def batches(self) -> Iterator[Any]:
        """Return the iterators whose values, one after another, are seq's."""
        switches = chain.from_iterable(repeat(self))
        return cycle((map(refill, repeat(switches), repeat(self.batch)), self.batch))


def refill(switches: Iterator[object], batch: Batch) -> NoReturn:
    """Have seq fill *batch*; raise StopIteration then, as an iterator without values."""
    while batch.values is None:  # else a signal came between, the last time
        try:
            next(switches)
        except StopIteration as e:
            batch.__iter__ = partial(end, e.value)  # type: ignore[method-assign]
            raise
    batch.__iter__ = iter(batch.values).__iter__  # type: ignore[method-assign]
    batch.values = None
    raise StopIteration


def end(result: object) -> NoReturn:
    raise StopIteration(result)


def pair(yield_one: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """Return the `yield_` of a Seq2."""

    def yield_(k: Any, v: Any, /) -> Any:
        return yield_one((k, v))

    return yield_
