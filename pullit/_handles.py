"""The objects that users hold, and what is done when they are dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from pullit._errors import chain

if TYPE_CHECKING:
    from typing import Self


class Handle:
    """The base of what users hold: Pull, Pull2, PullIterator and AsyncPullIterator.

    Nothing on the producer's side refers to it, so that dropping it stops the producer.
    """

    __slots__ = ()

    _pull: Any

    def __repr__(self) -> str:
        pull = self._pull
        return f"<pullit.{type(self).__name__} of {pull.label}, {pull.shown_state()}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            f"cannot copy or pickle {self!r}: a suspended call has only one future;"
            " start another iterator over the same seq"
        )


class ClosedByWith(Handle):
    """A handle that is closed at the end of a ``with`` block."""

    __slots__ = ()

    _closes = "stop"  # the name of the method that does it, for messages

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        try:
            self._pull.stop(self._closes)
        except BaseException as e:
            chain(e, error)
            raise


class HasResult(Handle):
    """An iterator, sync or async: it has a result, and an end."""

    __slots__ = ()

    @property
    def result(self) -> Any:
        """What the producer returned. Raises PullError before it has returned, or if it raised."""
        return self._pull.final_result()

    @property
    def done(self) -> bool:
        """True once the end or an exception has been reported, or the iterator closed.

        Right after the last value it is still False: only the next request finds the end.
        """
        return bool(self._pull.done())


class StopsWhenDropped:
    """An object that stops its `_pull` when it is dropped."""

    __slots__ = ()

    _pull: Any

    def __del__(self) -> None:
        try:
            pull = self._pull
        except AttributeError:  # it was never fully built
            return
        pull.drop()
