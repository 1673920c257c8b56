"""pull and pull2: Go's iter.Pull and iter.Pull2."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeAlias

from pullit._iterable import Direct, IterableSeq, direct
from pullit._lifetimes import Holder
from pullit._puller import Puller
from pullit._seq import Engine, K, K_co, Seq, Seq2, T, T_co, V, V_co
from pullit._state import Handle

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


class Owner(Holder):
    """What the user's next and stop both hold: dropped with them, it stops seq.

    So nothing on the producer's side may refer to it.
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
                if p.state() != "running":
                    raise
            if self.is_end():
                return None, False

    def next_pair(self) -> Any:
        pair, ok = self.next()
        return (*pair, True) if ok else (None, None, False)

    def stop(self) -> None:
        """Tell seq to return, and wait until it has; see pullit.pull."""
        self.p.stop()

    def is_end(self) -> bool:
        """Tell whether that was the end, or an exception has ended the loop."""
        if self.p.state() == "running":
            try:
                self.p.refuse()
            except StopIteration:  # done, but still cleaning up
                pass
        elif not self.p.ended:
            self.p.renew()
            return False
        return True


class Pull(Handle, NextStop[T_co]):
    """What `pull` returns; as a context manager, it calls `stop` at the end."""

    __slots__ = ()


class Pull2(Handle, NextStop2[K_co, V_co]):
    """What `pull2` returns; as a context manager, it calls `stop` at the end."""

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

    *seq* now waits in its second ``yield_``. ``stop`` makes that answer False, and
    returns when *seq* has:

        >>> stop()
        >>> next()
        (None, False)

    The first ``next`` starts *seq*, unless it is stopped before, in a copy of its
    caller's context. What follows the last ``yield_`` runs in the ``next`` that
    reports the end. A ``with`` block stops *seq* too, as does dropping the pull. If
    *seq* calls ``yield_`` again instead of returning, that raises PullExit.

    It is valid to call either after the end. What *seq* raises comes out of the call
    that runs it, once. It is an error, PullError, to call them from inside *seq*, and
    WrongThreadError in another thread than the first ``next``. With
    ``engine="thread"``, twenty times as slow, any thread may, one at a time.

    Go's iter.Pull.
    """
    if isinstance(seq, IterableSeq):
        owner = Owner(direct("pullit.pull", seq, engine))
    else:
        owner = Owner(Puller("pullit.pull", seq, engine, False, ""))
    return Pull(owner.next, owner.stop)


def pull2(seq: Seq2[K, V], *, engine: Engine = "greenlet") -> Pull2[K, V]:
    """Return ``(next, stop)`` for a *seq* of pairs; else it is `pull`:

        >>> next, stop = pull2(lambda yield_: yield_("one", 1))
        >>> next(), next()
        (('one', 1, True), (None, None, False))

    Go's iter.Pull2.
    """
    owner = Owner(Puller("pullit.pull2", seq, engine, True, ""))
    return Pull2(owner.next_pair, owner.stop)
