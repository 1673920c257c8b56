"""aiterate and aiterate2: pulls as iterators of asyncio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine
from types import GenericAlias, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, overload

from pullit._arguments import check_read_ahead, check_seq, seq_name
from pullit._errors import PullError, chain, instance_of
from pullit._handles import Handle, StopsWhenDropped
from pullit._on_loop import AheadAsyncPull, AsyncPull
from pullit._pull import UNSTARTED, Order
from pullit._types import K, Seq, Seq2, T, T_co, V

if TYPE_CHECKING:
    from typing import Self

    Base = AsyncGenerator[T_co, Any]
else:

    class Base:
        """What Generic would be, without what it adds to dir."""

        __slots__ = ()
        __class_getitem__ = classmethod(GenericAlias)


class AsyncPullIterator(StopsWhenDropped, Handle, Base[T_co]):
    """An async iterator over what a push iterator yields, with an async generator's methods.

    `aiterate`, which says what it does, and `aiterate2` make it.
    """

    __slots__ = ("__weakref__", "_pull")

    _pull: AsyncPull

    def __new__(cls, *args: object) -> NoReturn:
        raise TypeError("cannot create a pullit.AsyncPullIterator; call pullit.aiterate(seq)")

    def __aiter__(self) -> AsyncPullIterator[T_co]:
        return self

    def __anext__(self) -> Coroutine[Any, Any, T_co]:
        return self._pull.next(self)

    async def asend(self, value: Any, /) -> T_co:
        """Have the `yield_` that waits return *value*; return the next value.

        Only None can be sent to start. Sent later, it is an answer like any other, a false one.
        """
        pull = self._pull
        self._check_strict("asend")
        if pull.state is not UNSTARTED:
            order = Order("send", value)
        elif value is None:
            order = None
        else:
            raise TypeError(f"{pull.name}: cannot asend to {self!r}; call anext first")
        return await pull.next(self, order, "asend")  # type: ignore[no-any-return]

    @overload
    async def athrow(
        self, kind: type[BaseException], value: object = None, tb: TracebackType | None = None, /
    ) -> T_co: ...
    @overload
    async def athrow(
        self, kind: BaseException, value: None = None, tb: TracebackType | None = None, /
    ) -> T_co: ...
    async def athrow(self, kind: Any, value: Any = None, tb: Any = None, /) -> T_co:
        """Have the `yield_` that waits raise an exception; return the next value.

        An iterator that was not started, or has ended, raises it here.
        """
        pull = self._pull
        self._check_strict("athrow")
        errors = [instance_of(pull.name, kind, value, tb)]
        del kind, value  # otherwise this frame and the error's traceback are a cycle
        if self.done or pull.state is UNSTARTED:
            await pull.stop()
            raise errors.pop()
        return await pull.next(self, Order("throw", errors), "athrow")  # type: ignore[no-any-return]

    def _check_strict(self, call: str) -> None:
        """Refuse *call* where seq waits in another `yield_` than the last value's."""
        if self._pull.reads_ahead:
            raise PullError(
                f"{self._pull.name}: {call} on an iterator that reads ahead; its producer has"
                f" gone on from the value that you have: call {call} with read_ahead=0"
            )

    async def aclose(self) -> Any:
        """Stop the producer, and wait until it has returned, and its thread is gone.

        Return what it returned; None, if it had ended before. If this is cancelled, the
        producer is told to stop all the same.
        """
        return await self._pull.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, tb: object) -> None:
        try:
            await self._pull.stop()
        except BaseException as e:
            chain(e, error)
            raise

    @property
    def result(self) -> Any:
        """What seq returned. PullError if it has not, or did not."""
        return self._pull.final_result()

    @property
    def done(self) -> bool:
        """Whether no more values will come; just after the last one, not yet."""
        return self._pull.done()


AsyncGenerator.register(AsyncPullIterator)  # type: ignore[arg-type]


def aiterate(seq: Seq[T], *, read_ahead: int = 0) -> AsyncPullIterator[T]:
    """Return an async iterator over what *seq*, a plain blocking function, yields:

        >>> import asyncio
        >>> def countdown(yield_):
        ...     for n in (3, 2, 1):
        ...         if not yield_(n):
        ...             return
        ...     return "lift-off"
        >>> async def main():
        ...     async with aiterate(countdown) as it:
        ...         async for n in it:
        ...             print(n)
        ...     print(it.result)
        >>> asyncio.run(main())
        3
        2
        1
        lift-off

    The first ``anext`` starts *seq* in a thread of its own, in a copy of its caller's
    context. Nothing blocks the event loop: not *seq*, nor its stop. Otherwise it is like
    `iterate` with ``engine="thread"``. What *seq* raises is raised by the ``anext`` that
    waits for it, once. StopIteration and StopAsyncIteration become RuntimeError.

    A task that is cancelled while it waits in ``anext``, by a timeout for example, loses
    nothing: the value is the next call's. ``aclose``, and the end of ``async with``, tell
    *seq* to stop, and wait for it. Dropping the last reference tells it, and nobody waits;
    what it raises then goes to ``threading.excepthook``. The end of ``asyncio.run`` closes it.

    With *read_ahead*, *seq* goes on while fewer than that many values wait, and costs far
    less a value. ``asend`` and ``athrow`` then raise PullError.

    The iterator belongs to the event loop of its first ``anext``: another one gets PullError.
    Where no loop of asyncio runs, ``anext`` raises RuntimeError. A second call while one waits
    raises PullError, and the first goes on.
    """
    return make_async_iterator("pullit.aiterate", seq, read_ahead, False)


def aiterate2(seq: Seq2[K, V], *, read_ahead: int = 0) -> AsyncPullIterator[tuple[K, V]]:
    """Return an async iterator over the pairs that *seq* yields; otherwise like `aiterate`."""
    return make_async_iterator("pullit.aiterate2", seq, read_ahead, True)


def make_async_iterator(
    name: str, seq: Any, read_ahead: int, pairs: bool
) -> AsyncPullIterator[Any]:
    n = check_read_ahead(name, read_ahead)
    check_seq(name, seq)
    kind = AheadAsyncPull if n > 1 else AsyncPull
    maker: Any = AsyncPullIterator  # whose own __new__ is not for users
    it: AsyncPullIterator[Any] = object.__new__(maker)
    it._pull = kind(name, seq, seq_name(seq), pairs, n)
    return it
