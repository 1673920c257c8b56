"""iterate and iterate2: pulls as Python's iterators."""

from __future__ import annotations

from collections.abc import Generator
from types import FrameType, GenericAlias, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, overload

from greenlet import getcurrent

from pullit._arguments import STRICT, check_read_ahead
from pullit._errors import instance_of
from pullit._handles import ClosedByWith, HasResult, StopsWhenDropped
from pullit._making import make_pull
from pullit._on_greenlet import GreenletPull
from pullit._pull import RUNNING, SUSPENDED, UNSTARTED, Order
from pullit._types import Engine, K, Seq, Seq2, T, T_co, V

if TYPE_CHECKING:
    Base = Generator[T_co, Any, Any]
else:

    class Base:
        """Does what typing.Generic would do, but adds nothing to dir."""

        __slots__ = ()
        __class_getitem__ = classmethod(GenericAlias)


class PullIterator(StopsWhenDropped, ClosedByWith, HasResult, Base[T_co]):
    """An iterator over the values of a push iterator, with a generator's methods.

    `iterate`, `iterate2`, `zip`, `zip_longest`, `merge` and the functions that `generator`
    decorates return it. See `iterate` for what it does.
    """

    __slots__ = ()

    _closes = "close"

    def __new__(cls, *args: object) -> NoReturn:
        raise TypeError("cannot create a pullit.PullIterator; call pullit.iterate(seq)")

    def __iter__(self) -> PullIterator[T_co]:
        return self

    def __next__(self) -> T_co:
        """Run the producer up to its next `yield_` call, and return that value."""
        return self._pull.next()  # type: ignore[no-any-return]

    def send(self, value: Any, /) -> T_co:
        """Make the suspended `yield_` call return *value*, and return the next value.

        To start the producer, *value* must be None. After that, ``send(None)`` makes
        `yield_` return None. None is false, so a producer that stops when `yield_` returns
        something false will stop.
        """
        pull = self._pull
        return pull.next(pull.order_to_send(value, "send", self), "send")  # type: ignore[no-any-return]

    @overload
    def throw(
        self, kind: type[BaseException], value: object = None, tb: TracebackType | None = None, /
    ) -> T_co: ...
    @overload
    def throw(
        self, kind: BaseException, value: None = None, tb: TracebackType | None = None, /
    ) -> T_co: ...
    def throw(self, kind: Any, value: Any = None, tb: Any = None, /) -> T_co:
        """Make the suspended `yield_` call raise an exception, and return the next value.

        If the producer has not started, or has ended, the exception is raised by this call.
        """
        pull = self._pull
        pull.check_strict("throw")
        errors = [instance_of(pull.name, kind, value, tb)]
        del kind, value  # otherwise this frame and the error's traceback are a cycle
        if self.done or pull.state is UNSTARTED:
            pull.stop("throw")
            raise errors.pop()
        return pull.next(Order("throw", errors), "throw")  # type: ignore[no-any-return]

    def close(self) -> Any:
        """Stop the producer, and wait until it has returned.

        Return what the producer returned, or None if it had ended before this call or was
        never started.
        """
        return self._pull.stop("close")

    @property
    def frame(self) -> FrameType | None:
        """The frame in which the producer is suspended, or None if it is not suspended."""
        return self._pull.frame()  # type: ignore[no-any-return]


Generator.register(PullIterator)  # type: ignore[arg-type]


class PlainIterator(PullIterator[T_co]):
    """A PullIterator over any pull, which it asks by a call."""

    __slots__ = ("__weakref__", "_pull")


class GreenletIterator(PullIterator[T_co]):
    """A PullIterator over a GreenletPull, with the quick way of its next copied in here."""

    __slots__ = ("__weakref__", "_pull")

    def __next__(self) -> T_co:
        pull = self._pull
        # The state comes after getcurrent(), since a signal handler may run in that call.
        if getcurrent() is not pull.regular or pull.state is not SUSPENDED:
            return pull.next()  # type: ignore[no-any-return]
        pull.state = RUNNING
        try:
            got = pull.to_producer()
        except (RecursionError, MemoryError) as error:
            if pull.state is RUNNING and not pull.root.dead:
                pull.state = SUSPENDED  # there was no room to switch
            else:
                pull.end_after(error)
            raise
        except BaseException as error:
            pull.end_after(error)
            raise
        if pull.state is not SUSPENDED:
            return pull.arrive(got)  # type: ignore[no-any-return]
        value = pull.value
        pull.value = None
        return value  # type: ignore[no-any-return]


def show_as_pull_iterator(kind: type) -> type:
    """Have *kind* show itself to users as pullit.PullIterator."""
    kind.__name__ = kind.__qualname__ = "PullIterator"
    kind.__module__ = "pullit"
    return kind


show_as_pull_iterator(PlainIterator)
show_as_pull_iterator(GreenletIterator)


def iterator(pull: Any) -> PullIterator[Any]:
    """Return the iterator over the values of *pull*."""
    kind: Any = GreenletIterator if type(pull) is GreenletPull else PlainIterator
    it: PullIterator[Any] = object.__new__(kind)
    it._pull = pull
    return it


def make_iterator(
    name: str, seq: Any, engine: str, read_ahead: int, pairs: bool = False, label: str = ""
) -> PullIterator[Any]:
    """Return the iterator over *seq*."""
    n = check_read_ahead(name, read_ahead) if read_ahead is not STRICT else 0
    pull = make_pull(name, seq, engine, pairs, label, n)
    if n > 1 and isinstance(pull, GreenletPull):
        from pullit._read_ahead import ahead_iterator  # seldom wanted

        return ahead_iterator(pull)
    return iterator(pull)


def iterate(seq: Seq[T], *, read_ahead: int = 0, engine: Engine = "greenlet") -> PullIterator[T]:
    """Return an iterator over what *seq* yields:

        >>> def countdown(yield_):
        ...     for n in (3, 2, 1):
        ...         if not yield_(n):
        ...             return
        ...     return "lift-off"
        >>> it = iterate(countdown)
        >>> for n in it:
        ...     print(n)
        3
        2
        1
        >>> it.result
        'lift-off'

    *seq* may call ``yield_`` from any depth, even under C code. The first ``next`` starts
    *seq*, in a copy of the context variables of the code that calls ``next``. Each ``next``
    runs *seq* up to its next call of ``yield_``. *seq* waits in that call, which returns
    True at the following ``next``, x at ``send(x)``, and False when *seq* is told to stop.
    The end of a ``with`` block tells it to stop:

        >>> with iterate(countdown) as it:
        ...     next(it)
        3
        >>> it
        <pullit.PullIterator of countdown, finished>

    ``close()`` stops *seq* too, and so does dropping the last reference to the iterator.
    Both wait until *seq* has returned. (With threads, dropping does not always wait.) If
    *seq* calls ``yield_`` again instead of returning, that call raises PullExit.

    An exception in *seq* is raised once, by the ``next``, ``send``, ``throw`` or ``close``
    during which it happens; with *read_ahead*, after the values before it. After that the
    iterator is exhausted. StopIteration becomes RuntimeError. Calling ``next`` from inside
    *seq* raises PullError.

    The iterator belongs to the thread of the first ``next``. Calling ``next`` or ``close``
    in another thread raises WrongThreadError. If another thread drops the last reference, a
    ResourceWarning says so, and *seq* is stopped later, in its own thread.

    With ``engine="thread"``, *seq* runs in a separate thread, and any thread may use the
    iterator, one at a time. Any number of threads may call ``yield_``; they take turns. A
    value costs twenty to sixty times as much as with the default engine. Dropping the
    iterator waits for *seq* only if *seq* was waiting in ``yield_`` at that moment.

    With ``read_ahead=n``, where n is 2 or more, *seq* runs up to n values ahead of the
    loop. (0 and 1 mean one value at a time.) A value then costs as little as an eighth of
    what it costs otherwise. Do not use it for values that are valid only until ``yield_``
    returns. ``send`` and ``throw`` raise PullError. ``close`` discards the values that the
    loop has not taken; if *seq* has raised an exception meanwhile, ``close`` raises it.

    With the default engine, the first ``next``, and then every nth, runs *seq* for n values
    before it returns one. That does not suit a live source. With ``engine="thread"``, *seq*
    and the loop run at the same time, and *seq* waits only while n values wait for the loop.
    """
    return make_iterator("pullit.iterate", seq, engine, read_ahead)


def iterate2(
    seq: Seq2[K, V], *, read_ahead: int = 0, engine: Engine = "greenlet"
) -> PullIterator[tuple[K, V]]:
    """Return an iterator over the pairs that *seq* yields, each as a tuple:

    >>> list(iterate2(lambda yield_: yield_("one", 1)))
    [('one', 1)]

    Otherwise it is like `iterate`.
    """
    return make_iterator("pullit.iterate2", seq, engine, read_ahead, pairs=True)
