"""aiterate and aiterate2: pulls as iterators of asyncio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine
from types import GenericAlias, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, overload

from pullit._arguments import check_read_ahead, check_seq, seq_name
from pullit._errors import chain, instance_of
from pullit._handles import HasResult, StopsWhenDropped
from pullit._on_loop import AheadAsyncPull, AsyncPull
from pullit._pull import UNSTARTED, Order
from pullit._types import K, Seq, Seq2, T, T_co, V

if TYPE_CHECKING:
    from typing import Self

    Base = AsyncGenerator[T_co, Any]
else:

    class Base:
        """Does what typing.Generic would do, but adds nothing to dir."""

        __slots__ = ()
        __class_getitem__ = classmethod(GenericAlias)


class AsyncPullIterator(StopsWhenDropped, HasResult, Base[T_co]):
    """An async iterator over the values of a push iterator, with an async generator's methods.

    It is returned by `aiterate` and `aiterate2`; it cannot be created by calling this
    class. See `aiterate` for what it does.
    """

    __slots__ = ("__weakref__", "_pull")

    _pull: AsyncPull

    def __new__(cls, *args: object) -> NoReturn:
        raise TypeError("cannot create a pullit.AsyncPullIterator; call pullit.aiterate(seq)")

    def __aiter__(self) -> AsyncPullIterator[T_co]:
        return self

    def __anext__(self) -> Coroutine[Any, Any, T_co]:
        """Let the producer run up to its next `yield_` call, and return that value."""
        return self._pull.next(self)

    async def asend(self, value: Any, /) -> T_co:
        """Make the suspended `yield_` call return *value*, and return the next value.

        To start the producer, *value* must be None. After that, ``asend(None)`` makes
        `yield_` return None. None is false, so a producer that stops when `yield_` returns
        something false will stop.
        """
        pull = self._pull
        order = pull.order_to_send(value, "asend", self)
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
        """Make the suspended `yield_` call raise an exception, and return the next value.

        If the producer has not started, or has ended, the exception is raised by this call.
        """
        pull = self._pull
        pull.check_strict("athrow")
        errors = [instance_of(pull.name, kind, value, tb)]
        del kind, value  # otherwise this frame and the error's traceback are a cycle
        if self.done or pull.state is UNSTARTED:
            await pull.stop()
            raise errors.pop()
        return await pull.next(self, Order("throw", errors), "athrow")  # type: ignore[no-any-return]

    async def aclose(self) -> Any:
        """Stop the producer. Wait until it has returned and its thread has ended.

        Return what the producer returned, or None if it had ended before this call or was
        never started. If this call is cancelled, the producer is told to stop all the same.
        An exception that the producer raises later goes to the event loop's exception
        handler.
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

    The first ``anext`` starts a new daemon thread and runs *seq* there, in a copy of the
    context variables of the task that calls ``anext``. Neither *seq* nor stopping it blocks
    the event loop. There is no *engine* to choose: a greenlet would run in the loop's own
    thread, and block the loop.

    An exception in *seq* is raised once, by the ``anext`` or ``aclose`` that waits for
    *seq*. StopIteration and StopAsyncIteration become RuntimeError.

    Cancelling a task that waits in ``anext``, by a timeout for example, loses nothing: the
    following ``anext`` returns the value, or raises the exception. ``aclose`` and the end
    of ``async with`` tell *seq* to stop, and wait until it has returned.

    Dropping the last reference tells *seq* to stop, but does not wait. If *seq* then raises
    an exception, that goes to ``threading.excepthook``. When ``asyncio.run`` ends, it
    closes iterators that are still open.

    With ``read_ahead=n``, where n is 2 or more, *seq* runs ahead of the loop until n values
    are waiting. A value then costs a tenth of what it costs otherwise, or less. ``asend``
    and ``athrow`` raise PullError.

    The iterator belongs to the event loop of its first ``anext``. Calls from another loop
    raise PullError. If no asyncio event loop is running, ``anext`` raises RuntimeError.
    Several tasks may use the iterator, but only one at a time: a second call while one
    waits raises PullError, and the first is unharmed.
    """
    return make_async_iterator("pullit.aiterate", seq, read_ahead, False)


def aiterate2(seq: Seq2[K, V], *, read_ahead: int = 0) -> AsyncPullIterator[tuple[K, V]]:
    """Return an async iterator over the pairs that *seq* yields, each as a tuple.

    Otherwise it is like `aiterate`.
    """
    return make_async_iterator("pullit.aiterate2", seq, read_ahead, True)


def make_async_iterator(
    name: str, seq: Any, read_ahead: int, pairs: bool
) -> AsyncPullIterator[Any]:
    n = check_read_ahead(name, read_ahead)
    check_seq(name, seq)
    kind = AheadAsyncPull if n > 1 else AsyncPull
    maker: Any = AsyncPullIterator  # its own __new__ refuses, because of users
    it: AsyncPullIterator[Any] = object.__new__(maker)
    it._pull = kind(name, seq, seq_name(seq), pairs, n)
    return it
