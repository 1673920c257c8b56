"""Reading ahead on greenlets: a pull of batches, whose values go out one by one, in C.

1. The producer's side, Batches, is the seq of the pull. It runs the user's seq with its own
   `add` as yield_. `add` appends to a list, and yields that list when it is full: a batch.
2. The consumer's side, Supply, feeds an itertools.chain. The chain goes through `source`, an
   iterator over the list `parts`, which is ``[values of the batch, refilling]``. So it gives
   the values first, in C.
3. Then it asks `refilling`, which calls `refill`. That pulls the next batch, puts its values
   into `parts`, sets `source` back to the beginning, and raises StopIteration, as if it were
   a part without values. So the chain goes on with the new values.
4. When seq has ended, `refill` leaves one part, an End. The chain opens it, and it raises
   StopIteration with seq's result. That ends the chain.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, repeat
from operator import length_hint
from typing import Any, NoReturn
from weakref import ref

from pullit._iterator import PullIterator, show_as_pull_iterator
from pullit._on_greenlet import GreenletPull
from pullit._per_thread import PerThread
from pullit._pull import RUNNING, SUSPENDED
from pullit._threads import RLock, get_ident
from pullit._types import T_co


class Batches:
    """The producer's side: a push iterator over lists of up to *most* values of *seq*."""

    __slots__ = ("batch", "most", "pull", "room", "seq", "values")

    def __init__(self, seq: Callable[..., object], most: int) -> None:
        self.seq: Callable[..., object] | None = seq
        self.most = most
        self.pull: Any = None
        self.batch: list[Any] = []  # the batch whose values the consumer gets now
        self.values: list[Any] = []  # the next batch, which grows
        # Seq's thread holds this lock as many times as values may be added without a look.
        # To release it once counts one value, and raises RuntimeError when there is none left
        # or in another thread: all in one call of C.
        self.room: Any = RLock()

    def __call__(self, add: Callable[..., object]) -> object:
        try:
            self.make_room()
            seq, self.seq = self.seq, None
            assert seq
            return seq(add)
        finally:
            self.close_room()
            if self.values and self.pull.state is RUNNING:
                self.hand_over()

    def add(self, value: Any, /) -> Any:
        """What seq calls with each value; it waits when the batch is full."""
        try:
            self.room.release()
        except RuntimeError:
            return self.add_slowly(value)
        self.values.append(value)
        return True

    def add_pair(self, k: Any, v: Any, /) -> Any:
        return self.add((k, v))

    def add_slowly(self, value: Any) -> Any:
        """`add` for the last value of a batch, and for calls at a wrong time or place."""
        pull = self.pull
        if pull.state is not RUNNING or not pull.home.is_here():
            return pull.yield_slowly(value)  # which refuses it, or tells seq to stop
        self.close_room()
        self.values.append(value)
        if len(self.values) < self.most:
            self.make_room()
            return True
        try:
            go_on = self.hand_over()
        except (RecursionError, MemoryError):
            if self.values:  # otherwise the consumer has them
                self.values.pop()  # there was no room to switch
            raise
        if go_on is True:
            self.make_room()
        return go_on

    def hand_over(self) -> Any:
        """Yield the batch to the consumer, which puts an empty list in its place: see `refill`."""
        return self.pull.yield_(self.values)

    def make_room(self) -> None:
        """Let values be added without a look, all but the last of the batch."""
        count = self.most - 1 - len(self.values)
        if count > 0:
            self.room._acquire_restore((count, get_ident()))

    def close_room(self) -> None:
        """Let no value be added without a look."""
        if self.room._is_owned():
            self.room._release_save()


class AheadPull(GreenletPull):
    """The pull of these batches. When it is stopped, it drops the values that ran ahead."""

    __slots__ = ("batches",)

    reads_ahead = True

    def __init__(
        self, name: str, seq: Callable[..., object], label: str, pairs: bool, most: int
    ) -> None:
        batches = Batches(seq, most)
        super().__init__(name, batches, label, False)
        self.argument = batches.add_pair if pairs else batches.add
        batches.pull = self
        self.batches: Batches | None = batches

    def drive_out(self) -> None:
        assert self.batches
        batch = self.batches.batch
        ahead, batch[:] = batch[:], []
        try:
            super().drive_out()
        finally:
            if self.state is SUSPENDED:  # there was no room
                batch[:] = ahead

    def end_after(self, error: BaseException) -> None:
        if self.batches is not None:
            self.batches.close_room()
        super().end_after(error)

    def let_go(self, f: Any = None) -> None:
        super().let_go(f)
        if f is None and self.batches is not None:
            self.batches.batch.clear()
            self.batches = None


class Supply:
    """The consumer's side: what the chain goes through, see the head of this module.

    A chain drops its source as soon as that raises anything, even an error that leaves the
    pull as it was (no room, a wrong thread). So the source must not raise: it is an iterator
    over `parts`, a list. What may raise is `refilling`, which is an element of that list. If
    it does, the chain keeps it, and asks it again at the next call.
    """

    __slots__ = ("__weakref__", "parts", "pull", "refilling", "source", "values")

    def __init__(self, pull: AheadPull) -> None:
        self.pull = pull
        self.values: Any = iter(())
        self.refilling = map(refill, repeat(ref(self)))  # a direct reference would be a cycle
        self.parts: list[Any] = [self.refilling]
        self.source: Any = iter(self.parts)

    def guarded(self, home: PerThread) -> Any:
        """Return an iterator over the values that ends, in C, when a wrong thread asks.

        The owner holds ``home.lock`` forever. For each value, iter calls its _is_owned: if that
        returns False, iter ends, and map with it. If it returns True, map calls
        ``{}.get(True, value)``, which returns the value.
        """
        return map({}.get, iter(home.lock._is_owned, False), self.values)


def refill(supply: ref[Supply]) -> NoReturn:
    """Set *supply* to the next batch, and raise StopIteration, as a part without values does.

    An exception of the pull goes out through the chain. Seq's end becomes an End.
    """
    self = supply()  # it is there: it lives as long as the iterator
    assert self
    pull = self.pull
    pull.check_thread("next")
    parts: Any = None
    if not length_hint(self.values):  # otherwise a wrong thread has ended the part too early
        batch: list[Any] = []
        values = iter(batch)
        try:
            batch[:] = pull.next()  # no call after that in which a signal handler could raise
        except StopIteration as e:
            parts = (End(e.value),)
        else:
            batches = pull.batches
            assert batches
            batches.values, self.values = [], values
            batches.batch = batch  # last, since freeing the old batch may run anything
    home = pull.home
    if parts is None:  # the pull may be over all the same: what was freed may have closed it
        parts = (End(None),) if home is None else (self.guarded(home), self.refilling)
    self.source.__setstate__(0)
    self.parts[:] = parts
    raise StopIteration


class End:
    """The last part. Its __iter__ raises StopIteration, with seq's result, and ends the chain."""

    __slots__ = ("result",)

    def __init__(self, result: Any) -> None:
        self.result = result

    def __iter__(self) -> NoReturn:
        if self.result is None:
            raise StopIteration
        raise StopIteration(self.result)


class Hidden:
    """Hides a method of chain, which is not for users, on AheadIterator."""

    def __get__(self, instance: object, owner: object) -> NoReturn:
        raise AttributeError("a pullit.PullIterator has no such attribute")


class AheadIterator(PullIterator[T_co], chain):  # type: ignore[type-arg]
    """A PullIterator over an AheadPull: a chain, which gives most values without Python code."""

    __slots__ = ("__weakref__", "_pull", "_supply")

    __iter__ = chain.__iter__
    __next__ = chain.__next__
    from_iterable = __setstate__ = Hidden()

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in ("from_iterable", "__setstate__")]


show_as_pull_iterator(AheadIterator)


def ahead_iterator(pull: Any) -> PullIterator[Any]:
    """Return the iterator over the values of *pull*."""
    supply = Supply(pull)
    it = vars(chain)["from_iterable"].__get__(None, AheadIterator)(supply.source)
    it._pull, it._supply = pull, supply
    return it  # type: ignore[no-any-return]
