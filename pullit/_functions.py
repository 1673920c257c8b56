"""pull and pull2: Go's iter.Pull and iter.Pull2."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, NoReturn, TypeAlias, cast

from greenlet import getcurrent

from pullit._handles import ClosedByWith, StopsWhenDropped
from pullit._making import make_pull
from pullit._on_greenlet import GreenletPull
from pullit._pull import RUNNING, SUSPENDED
from pullit._types import Engine, K, K_co, Seq, Seq2, T, T_co, V, V_co

if TYPE_CHECKING:
    Next: TypeAlias = Callable[[], tuple[T_co, Literal[True]] | tuple[None, Literal[False]]]
    Next2: TypeAlias = Callable[
        [], tuple[K_co, V_co, Literal[True]] | tuple[None, None, Literal[False]]
    ]

    class NextStop(NamedTuple, Generic[T_co]):
        next: Next[T_co]
        stop: Callable[[], None]

    class NextStop2(NamedTuple, Generic[K_co, V_co]):
        next: Next2[K_co, V_co]
        stop: Callable[[], None]
else:
    # typing.NamedTuple would take longer than importing all of pullit.
    NextStop = NextStop2 = namedtuple("NextStop", ["next", "stop"])


class NextAndStop(StopsWhenDropped):
    """The object whose methods are the user's next and stop. Dropped with them, it stops seq."""

    __slots__ = ("__weakref__", "_pull")

    _pull: Any

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            f"cannot copy or pickle what drives {self._pull.label}; call {self._pull.name} again"
        )

    def next(self) -> Any:
        """Return the next value and True, or None and False after the end. See pullit.pull."""
        try:
            return self._pull.next(), True
        except StopIteration:
            return None, False

    def next_pair(self) -> Any:
        """Return a key, a value and True; after the end None twice and False. See pullit.pull2."""
        pair, ok = self.next()
        return (*pair, True) if ok else (None, None, False)

    def stop(self) -> None:
        """Tell seq to stop, and wait until it has returned. See pullit.pull."""
        self._pull.stop()


class NextAndStopOnGreenlet(NextAndStop):
    """NextAndStop for a GreenletPull, with the quick way of its next copied in here."""

    __slots__ = ()

    def next(self) -> Any:
        pull = self._pull
        try:
            if getcurrent() is not pull.regular or pull.state is not SUSPENDED:
                return pull.next(), True
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
                return pull.arrive(got), True
        except StopIteration:
            return None, False
        value = pull.value
        pull.value = None
        return value, True


class Pull(ClosedByWith, NextStop[T_co]):
    """What `pull` returns: a named tuple ``(next, stop)``.

    It is also a context manager, which calls ``stop`` at the end of the ``with`` block.
    """

    __slots__ = ()

    @property
    def _pull(self) -> Any:
        return cast(Any, self).stop.__self__._pull


class Pull2(ClosedByWith, NextStop2[K_co, V_co]):
    """What `pull2` returns: a named tuple ``(next, stop)``.

    It is also a context manager, which calls ``stop`` at the end of the ``with`` block.
    """

    __slots__ = ()

    @property
    def _pull(self) -> Any:
        return cast(Any, self).stop.__self__._pull


def pull(seq: Seq[T], *, engine: Engine = "greenlet") -> Pull[T]:
    """Return ``(next, stop)``, which drive *seq* one value at a time:

        >>> def countdown(yield_):
        ...     for n in (3, 2, 1):
        ...         if not yield_(n):
        ...             return
        >>> next, stop = pull(countdown)
        >>> next(), next()
        ((3, True), (2, True))

    *seq* is now suspended inside its second call of ``yield_``. Calling ``stop`` makes
    that call return False, so that *seq* can clean up and return:

        >>> stop()
        >>> next()
        (None, False)

    The first ``next`` starts *seq*, in a copy of the context variables of the code that
    calls ``next``. If ``stop`` is called before the first ``next``, *seq* is never called.
    Code after the last ``yield_`` runs during the ``next`` that returns ``(None, False)``.

    The end of a ``with`` block stops *seq* too, and so does dropping the last reference
    to both functions. If *seq* calls ``yield_`` again instead of returning, that call
    raises PullExit.

    It is valid to call either function again after the end. An exception in *seq* is
    raised once, by the ``next`` or ``stop`` during which it happens.

    Calling ``next`` or ``stop`` from inside *seq* raises PullError. Calling them from a
    thread other than that of the first ``next`` raises WrongThreadError. With
    ``engine="thread"``, *seq* runs in a separate thread, and any thread may call ``next``,
    ``stop`` or ``yield_``. A value then costs twenty to sixty times as much as with the
    default engine.

    This is Go's iter.Pull.
    """
    both = hold(make_pull("pullit.pull", seq, engine, False))
    return tuple.__new__(Pull, (both.next, both.stop))  # like Pull(...), but quicker


def pull2(seq: Seq2[K, V], *, engine: Engine = "greenlet") -> Pull2[K, V]:
    """Return ``(next, stop)`` for a *seq* that yields pairs:

        >>> next, stop = pull2(lambda yield_: yield_("one", 1))
        >>> next(), next()
        (('one', 1, True), (None, None, False))

    ``next`` returns a key, a value and True, or ``(None, None, False)`` after the end.
    Otherwise it is like `pull`. This is Go's iter.Pull2.
    """
    both = hold(make_pull("pullit.pull2", seq, engine, True))
    return tuple.__new__(Pull2, (both.next_pair, both.stop))


def hold(pull: Any) -> NextAndStop:
    """Return the NextAndStop of *pull*, to which both of the user's functions belong."""
    both = object.__new__(NextAndStopOnGreenlet if type(pull) is GreenletPull else NextAndStop)
    both._pull = pull
    return both
