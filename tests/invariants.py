"""What holds of every pull, and of the registries, whenever no switch is under way."""

from __future__ import annotations

from collections.abc import Iterable

import greenlet

from pullit._ahead import Ahead
from pullit._coro import PARKED, SHALLOW, none, own
from pullit._guard import calls
from pullit._iterable import Direct
from pullit._lifetimes import left, live
from pullit._puller import Puller
from pullit._state import EXITS, ended, over


def check_all(pulls: Iterable[Puller | Direct]) -> None:
    """Check *pulls*, all that are live, and what this thread keeps."""
    for p in {*pulls, *live.values()}:
        if isinstance(p, Puller):
            check(p)
    check_registries()


def check(p: Puller) -> None:
    """Check one pull: first what holds always, then what its state asks for."""
    assert p.name.startswith("pullit.")
    assert p.bound == (p.engine is greenlet)
    assert p.done or not p.ended
    assert p.ended or not p.returned
    assert p.returned or p.result is None
    assert p.told or not p.exits
    assert p.exits <= EXITS
    assert p.label
    assert p.arg is None if p.ended else p.arg
    assert p.thread != 0 or p.root is None
    assert (live.get(p.root) is p) == (p.root is not None)
    {
        "unstarted": check_unstarted,
        "suspended": check_suspended,
        "running": check_running,
        "finished": check_finished,
    }[p.state()](p)


def check_unstarted(p: Puller) -> None:
    assert p.thread == p.exits == 0
    assert p.done is p.told is p.abandoned is False
    assert not p.foreign
    assert p.gp is p.producer is p.yielder is p.order is None
    assert p.f
    check_loop(p)


def check_suspended(p: Puller) -> None:
    assert p.thread != 0
    assert p.done is p.abandoned is False
    assert p.yielder is p.order is None
    assert not p.busy
    check_loop(p)
    check_coro(p)
    assert not p.root.dead
    assert not p.producer.dead
    if isinstance(p, Ahead):
        assert not p.values
        assert not p.wanted
        assert not p.room._is_owned()
        assert p.batch.values is None or len(p.batch.values) <= p.n


def check_running(p: Puller) -> None:
    assert p.thread != 0
    assert p.yielder is not None
    assert p.told or not p.done
    check_coro(p)


def check_finished(p: Puller) -> None:
    """It holds nothing, and only the end is left; or a refusal, for ever."""
    assert p.f is p.gp is p.root is p.producer is p.yielder is p.error is None
    if p.loop is ended:
        assert p.__next__ is over
    else:
        assert p.thread != 0
        assert p.__next__ == p.loop.__next__


def check_loop(p: Puller) -> None:
    """What asking for a value runs is the loop, or makes another if that has ended."""
    assert p.__iter__() is p
    begun = getattr(p.inner, "gi_frame", None)
    assert p.__next__ == (p.loop.__next__ if begun else p.again)


def check_coro(p: Puller) -> None:
    """seq was called; who asked last is blocked on the coro, and is the parent."""
    assert p.f is None
    assert (p.free is None) == (p.engine is not greenlet)
    assert p.error is p.result is None
    assert p.root.parent is p.gp


def check_registries() -> None:
    for root, p in live.items():
        assert p.root is root
    assert all(p.root in live for p in left)
    for coroutine in calls:
        assert not coroutine.dead
    for guard in own().guards:
        assert not guard.coroutine.dead
    check_free()


def check_free() -> None:
    """The parked coroutines of this thread hold nothing, and nobody is kept for them."""
    free = own().free
    assert free.end.dead
    assert free.main.parent is None
    assert free.end.parent is free.main
    assert len(free.parked) <= PARKED
    assert all(0 <= depth < SHALLOW for depth in free.depths.values())
    used = {p.root for p in live.values()} | {p.producer for p in live.values()}
    for coroutine, work in free.parked:
        assert coroutine.dead or id(coroutine) in free.depths
        assert coroutine.dead or coroutine.parent is free.end
        assert work.coro is none
        assert coroutine not in used
