"""pull and pull2: Go's iter.Pull and iter.Pull2."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, NoReturn, TypeAlias, cast

from pullit._errors import leave, refuse_copy
from pullit._iterable import IterableSeq
from pullit._puller import Puller
from pullit._seq import find_engine
from pullit._types import Engine, K, K_co, Seq, Seq2, T, T_co, V, V_co

if TYPE_CHECKING:
    from typing import Self

    from pullit._direct import Direct

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
    # typing.NamedTuple would take longer than all the rest of importing pullit.
    NextStop = NextStop2 = namedtuple("NextStop", ["next", "stop"])


class Owner:
    """What the user's next and stop both hold: dropped with them, it stops seq.

    Nothing on the producer's side refers to it, so that it can be dropped while
    seq is suspended.
    """

    __slots__ = ("__weakref__", "p")

    def __init__(self, p: Puller | Direct) -> None:
        self.p = p

    def next(self) -> Any:
        """Return the next value and True, or None and False; see pullit.pull."""
        p = self.p
        while True:
            try:
                for value in p.loop:  # resumes the generator in this very frame
                    return value, True
            except ValueError:  # it is running, or seq's own
                if not p.yield_next:
                    raise
            if self.is_end():
                return None, False

    def next_pair(self) -> Any:
        """The same for pull2."""
        pair, ok = self.next()
        return (*pair, True) if ok else (None, None, False)

    def stop(self) -> None:
        """Tell seq to return, and wait until it has; see pullit.pull."""
        self.p.stop()

    def is_end(self) -> bool:
        """Tell next, whose loop gave no value, whether that was the end.

        If not, there is another loop now; an exception has ended the last one.
        """
        if self.p.state() == "running":
            try:
                self.p.refuse()
            except StopIteration:  # done, but still cleaning up
                pass
        elif not self.p.done:
            self.p.renew()
        return self.p.done

    def __del__(self) -> None:
        if hasattr(self, "p"):  # a half-built one has none
            self.p.drop()


class Stopping:
    """What Pull and Pull2 share."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        leave(cast(Any, self).stop, error)

    def __repr__(self) -> str:
        p: Puller | Direct = cast(Any, self).stop.__self__.p
        return f"<pullit.{type(self).__name__} of {p.label}, {p.state()}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        refuse_copy(self)


class Pull(Stopping, NextStop[T_co]):
    """What `pull` returns. As a context manager it calls `stop` at the end."""

    __slots__ = ()


class Pull2(Stopping, NextStop2[K_co, V_co]):
    """What `pull2` returns. As a context manager it calls `stop` at the end."""

    __slots__ = ()


def pull(seq: Seq[T], *, engine: Engine = "greenlet") -> Pull[T]:
    """Return ``(next, stop)``, which drive *seq* one value at a time:

        >>> def countdown(yield_):
        ...     for n in (3, 2, 1):
        ...         if not yield_(n):
        ...             return
        >>> next, stop = pull(countdown)
        >>> next(), next()
        ((3, True), (2, True))

    *seq* is now suspended inside its second ``yield_``. Calling ``stop`` makes
    that call return False, so that *seq* can clean up and return:

        >>> stop()
        >>> next()
        (None, False)

    ``next`` returns ``(value, True)``, and after the end ``(None, False)``. It
    runs *seq* up to its next ``yield_``; what *seq* does after its last one
    happens in the ``next`` that reports the end. The first ``next`` starts
    *seq*, in a copy of its caller's context.

    ``stop`` returns when *seq* has. If *seq* was never started, it never is. If
    *seq* calls ``yield_`` again instead of returning, the call raises PullExit.
    Call ``stop`` when you are done with a pull that has not ended, or use the
    pull as a context manager. One that is dropped is stopped there and then.

    It is valid to call either function again after the end. What *seq* raises,
    the ``next`` or ``stop`` during which it happened raises, once; then it is
    the end. It is an error, PullError, to call them from inside *seq* while it
    runs, and WrongThreadError to call them in another thread than the first
    ``next`` was. With ``engine="thread"``, which costs some twenty times as
    much, any thread may call them, one at a time.

    Go's iter.Pull.
    """
    if isinstance(seq, IterableSeq):
        from pullit._direct import direct

        find_engine("pullit.pull", engine)
        owner = Owner(direct("pullit.pull", seq))
    else:
        owner = Owner(Puller("pullit.pull", seq, engine, False, ""))
    return Pull(owner.next, owner.stop)


def pull2(seq: Seq2[K, V], *, engine: Engine = "greenlet") -> Pull2[K, V]:
    """Return ``(next, stop)`` for a *seq* of pairs; in all else it is `pull`:

        >>> next, stop = pull2(lambda yield_: yield_("one", 1))
        >>> next(), next()
        (('one', 1, True), (None, None, False))

    Go's iter.Pull2.
    """
    owner = Owner(Puller("pullit.pull2", seq, engine, True, ""))
    return Pull2(owner.next_pair, owner.stop)
