"""Reading ahead on greenlets: a pull of batches, whose values go out one by one, in C."""

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
        self.batch: list[Any] = []  # whose values the consumer gets now
        self.values: list[Any] = []  # the next one
        # Held, by seq's thread, once for each value that may be added without a look. To
        # release it counts, and sees to the thread, in one call of C.
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
        """What seq calls with each value; it waits where the batch is full."""
        try:
            self.room.release()
        except RuntimeError:
            return self.add_slowly(value)
        self.values.append(value)
        return True

    def add_pair(self, k: Any, v: Any, /) -> Any:
        return self.add((k, v))

    def add_slowly(self, value: Any) -> Any:
        """`add`, when it needs a look: it is the last of a batch, or comes at a wrong time."""
        pull = self.pull
        if pull.state is not RUNNING or not pull.home.is_here():
            return pull.yield_slowly(value)  # which refuses it, or says that seq is to stop
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
        """Yield the batch."""
        return self.pull.yield_(self.values)  # the consumer replaces it

    def make_room(self) -> None:
        """Let values be added, all but the last of the batch without a look."""
        count = self.most - 1 - len(self.values)
        if count > 0:
            self.room._acquire_restore((count, get_ident()))

    def close_room(self) -> None:
        """Have the next value looked at."""
        if self.room._is_owned():
            self.room._release_save()


class AheadPull(GreenletPull):
    """The pull of these batches; it drops what ran ahead when it is stopped."""

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
    """The consumer's side: it gives a chain the batches, or what tells why there is none.

    A chain drops its source when that raises anything, even for want of room. So its
    source is an iterator over a list, which raises nothing and is set back to fill the
    list anew; what may raise is an element of it, which the chain then asks again.
    """

    __slots__ = ("__weakref__", "parts", "pull", "refilling", "source", "values")

    def __init__(self, pull: AheadPull) -> None:
        self.pull = pull
        self.values: Any = iter(())
        self.refilling = map(refill, repeat(ref(self)))  # a direct one would be a cycle
        self.parts: list[Any] = [self.refilling]
        self.source: Any = iter(self.parts)

    def guarded(self, home: PerThread) -> Any:
        """Return an iterator over the values that ends, in C, when a wrong thread asks.

        A lock that the owner holds forever tells; ``{}.get(True, value)`` is value.
        """
        return map({}.get, iter(home.lock._is_owned, False), self.values)


def refill(supply: ref[Supply]) -> NoReturn:
    """Have the chain go on with the next batch; end, as a part that has no values."""
    self = supply()  # it lives as long as the iterator
    assert self
    pull = self.pull
    pull.check_thread("next")
    parts: Any = None
    if not length_hint(self.values):  # otherwise a wrong thread has asked for them
        batch: list[Any] = []
        values = iter(batch)
        try:
            batch[:] = pull.next()  # no call comes then, in which a handler could raise
        except StopIteration as e:
            parts = (End(e.value),)
        else:
            batches = pull.batches
            assert batches
            batches.values, self.values = [], values
            batches.batch = batch  # the last: to free the old one may run anything
    home = pull.home
    if parts is None:  # what was freed above may have closed it
        parts = (End(None),) if home is None else (self.guarded(home), self.refilling)
    self.source.__setstate__(0)
    self.parts[:] = parts
    raise StopIteration


class End:
    """The last part: the chain passes on what it raises, and is at its end."""

    __slots__ = ("result",)

    def __init__(self, result: Any) -> None:
        self.result = result

    def __iter__(self) -> NoReturn:
        if self.result is None:
            raise StopIteration
        raise StopIteration(self.result)


class Hidden:
    """A name of chain's that is not for users."""

    def __get__(self, instance: object, owner: object) -> NoReturn:
        raise AttributeError("a pullit.PullIterator has no such attribute")


class AheadIterator(PullIterator[T_co], chain):  # type: ignore[type-arg]
    """The face of an AheadPull: a chain, which gives each value without a Python call."""

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
