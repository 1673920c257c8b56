"""read_ahead: a pull whose switches bring many values each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, cycle, repeat
from typing import Any, NoReturn

from pullit._errors import PullExit
from pullit._puller import Puller, Serial, end_with
from pullit._threads import RLock, get_ident


class Batch:
    """What one switch has brought.

    `__iter__` is a slot, so that the next batch is begun in C, where no signal strikes.
    """

    __slots__ = ("__iter__", "values")

    __iter__: Callable[[], Iterator[Any]]

    def __init__(self) -> None:
        self.values: list[Any] | None = None  # until they are iterated over


class Ahead(Puller):
    """A pull of up to *n* values at a time: to Puller, one, in *batch*."""

    __slots__ = ("batch", "n", "room", "values", "wanted")

    ahead = True

    def __init__(
        self, n: int, name: str, seq: Callable[..., object], engine: str, pairs: bool, label: str
    ) -> None:
        super().__init__(name, seq, engine, pairs, label)
        self.f = partial(self.run, seq)
        self.arg = self.yield_pair_ahead if pairs else self.yield_ahead
        self.n = n
        self.batch = Batch()
        self.values: list[Any] = []
        self.wanted = True  # more are
        # A lock, held by seq's thread once for each value that needs no look: to release
        # it counts, and sees to the thread.
        self.room: Any = RLock()

    def run(self, seq: Callable[..., object], yield_: Callable[..., Any]) -> object:
        self.want(True)
        try:
            return seq(yield_)
        finally:
            if self.values and not self.done:
                self.give()
            self.want(False)

    def yield_ahead(self, value: Any, /) -> Any:
        """What seq calls for each value; it waits in the nth."""
        try:
            self.room.release()
        except RuntimeError:
            return self.add(value)
        self.values.append(value)
        return True

    def yield_pair_ahead(self, k: Any, v: Any, /) -> Any:
        return self.yield_ahead((k, v))

    def add(self, value: Any) -> bool:
        """yield_ahead, when it needs a look."""
        look = self.done or not self.wanted or self.is_elsewhere()
        if look and not self.yield_(None):  # which refuses, or answers False
            return False
        self.values.append(value)
        if len(self.values) >= self.n:
            return self.give()
        self.want(True)
        return True

    def give(self) -> bool:
        """Yield the values as one."""
        self.want(False)
        self.batch.values = given = self.values
        self.values = []
        go_on = False
        try:
            go_on = self.yield_(None) is True
        finally:
            if not go_on and self.batch.values is given:
                self.batch.values, self.values = None, given  # not taken
            if self.done:
                given.clear()
        self.want(go_on)
        return go_on

    def want(self, more: bool) -> None:
        """Let values be added; on greenlets, all but the nth without a look."""
        self.wanted = more
        if self.room._is_owned():
            self.room._release_save()
        count = self.n - 1 - len(self.values)
        if more and count and self.bound:
            self.room._acquire_restore((count, get_ident()))

    def exit(self, text: str) -> PullExit:
        self.want(False)
        return super().exit(text)

    def batches(self) -> Iterator[Any]:
        """Return the iterators that give the values, one after another."""
        switches = chain.from_iterable(repeat(self))
        parts = cycle((map(refill, repeat(switches), repeat(self.batch)), self.batch))
        if self.bound:
            return parts
        # No other thread may come between a switch and its values.
        turns = Batch()
        turns.__iter__ = partial(self.begin, Serial(self, chain.from_iterable(parts)))
        return repeat(turns)

    def begin(self, turns: Serial) -> Serial:
        self.__iter__()  # which raises StopIteration at the end
        return turns


def refill(switches: Iterator[object], batch: Batch) -> NoReturn:
    """Have seq fill *batch*; end, as an iterator without values."""
    while batch.values is None:  # else a signal came between
        try:
            next(switches)
        except StopIteration as e:
            batch.__iter__ = partial(end_with, e.value)
            raise
    batch.__iter__ = iter(batch.values).__iter__
    batch.values = None
    raise StopIteration
