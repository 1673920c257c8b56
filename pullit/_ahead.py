"""read_ahead: a pull whose switches bring many values each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, cycle, repeat
from typing import Any, NoReturn

import greenlet

from pullit._errors import PullExit
from pullit._native import RLock, get_ident
from pullit._puller import Puller, end_with


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

    __slots__ = ("batch", "n", "room", "values", "wanted")

    ahead = True

    def __init__(
        self,
        n: int,
        name: str,
        seq: Callable[..., object],
        engine: str,
        pairs: bool,
        label: str,
    ) -> None:
        super().__init__(name, seq, engine, pairs, label)
        self.f = partial(self.run, seq)
        self.arg = self.yield_pair_ahead if pairs else self.yield_ahead
        self.n = n
        self.batch = Batch()
        self.values: list[Any] = []
        self.wanted = True  # the consumer waits for more
        # A lock that seq's thread holds as often as it may add a value without a look:
        # that counts them, and sees to the thread, in one call.
        self.room: Any = RLock()

    def run(self, seq: Callable[..., object], yield_: Callable[..., Any]) -> object:
        """Run *seq*, and yield what is left in the end."""
        self.make_room(self.n - 1)
        try:
            return seq(yield_)
        finally:
            if self.values and not self.done:
                self.give()
            self.halt()

    def yield_ahead(self, value: Any, /) -> Any:
        """What seq calls for each value, and waits in when there are n."""
        try:
            self.room.release()
        except RuntimeError:
            return self.add(value)
        self.values.append(value)
        return True

    def yield_pair_ahead(self, k: Any, v: Any, /) -> Any:
        """The same for the seq of an iterate2."""
        return self.yield_ahead((k, v))

    def add(self, value: Any) -> bool:
        """What yield_ahead does when there is no room, or not for who calls it."""
        foreign = self.engine is greenlet and get_ident() != self.thread
        if self.done or not self.wanted or foreign:
            if not self.yield_(None):  # which refuses, or answers False
                return False
            self.wanted = True
        self.values.append(value)
        if len(self.values) >= self.n:
            return self.give()
        self.make_room(self.n - 1 - len(self.values))
        return True

    def give(self) -> bool:
        """Yield the values as one."""
        self.halt()
        self.batch.values = given = self.values
        self.values = []
        go_on = False
        try:
            go_on = self.yield_(None) is True
        finally:
            if not go_on and self.batch.values is given:
                self.batch.values, self.values = None, given  # they were not taken
            if self.done:
                given.clear()  # what ran ahead is dropped
        self.wanted = go_on
        self.make_room(self.n - 1 if go_on else 0)
        return go_on

    def halt(self) -> None:
        """Have the next yield_ looked at, and refused if nobody waits for its value."""
        self.wanted = False
        self.make_room(0)

    def make_room(self, count: int) -> None:
        """Let *count* values be added; on the thread engine any thread may, after a look."""
        if self.room._is_owned():
            self.room._release_save()
        if count and self.engine is greenlet:
            self.room._acquire_restore((count, get_ident()))

    def exit(self, text: str) -> PullExit:
        self.halt()
        return super().exit(text)

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
            batch.__iter__ = partial(end_with, e.value)
            raise
    batch.__iter__ = iter(batch.values).__iter__
    batch.values = None
    raise StopIteration
