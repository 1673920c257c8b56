"""The plain pull: Go's iter.Pull, line for line, on the coro layer alone.

It is the reference from which the fast one must be indistinguishable. It has no
guards for threads, for greenlets that switch on their own, or for dropped
handles. Of pullit's departures from Go it has contract 5, PullExit, and refuses
stop inside a running seq, which Go forgets to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pullit import PullError, PullExit
from pullit._coro import Coro, coroswitch, newcoro

Next = Callable[[], tuple[Any, bool]]
Stop = Callable[[], None]


def pull(seq: Callable[[Callable[[Any], bool]], object]) -> tuple[Next, Stop]:
    """Return ``(next, stop)``, which drive *seq*."""
    c: Coro | None = None
    result: tuple[Any, bool] = (None, False)
    done = ended = yield_next = False
    exits: list[BaseException] = []

    def yield_(value: Any) -> bool:
        nonlocal result, yield_next
        if done:
            if not ended and len(exits) < 5:
                exits.append(PullExit("yield_ called after it returned False"))
                raise exits[-1]
            return False
        if not yield_next:
            raise PullError("yield_ called again before next")
        yield_next = False
        result = value, True
        assert c is not None
        coroswitch(c)
        return not done

    def main(_: object) -> None:
        nonlocal done, ended, result
        try:
            seq(yield_)
        finally:
            done = ended = True
            result = None, False

    def next() -> tuple[Any, bool]:
        nonlocal c, yield_next
        if done:
            return None, False
        if yield_next:
            raise PullError("next called again before yield")
        yield_next = True
        c = c or newcoro(main)
        coroswitch(c)
        return result

    def stop() -> None:
        nonlocal done
        if done:
            return
        if yield_next:
            raise PullError("stop called before yield")
        done = True
        if c is not None:
            try:
                coroswitch(c)
            except BaseException as e:
                cause: BaseException | None = e
                while cause and cause not in exits:
                    cause = cause.__cause__
                if not cause:
                    raise

    return next, stop
