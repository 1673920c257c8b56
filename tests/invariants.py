"""What holds of every pull, and of the registries, whenever no switch is under way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pullit._channel import START
from pullit._coro import coro_of
from pullit._free_list import MOST_PARKED
from pullit._iterable_pull import IterablePull
from pullit._lifetimes import left, live
from pullit._on_greenlet import GreenletPull
from pullit._on_thread import ThreadPull
from pullit._per_thread import per_thread
from pullit._pull import ENDED, EXITS, OPEN, RUNNING, STOPPING, SUSPENDED, UNSTARTED
from pullit._read_ahead import AheadPull
from pullit._types import NOTHING


def check_all(pulls: Iterable[Any]) -> None:
    """Check *pulls*, all that are live, and what this thread keeps."""
    for pull in {*pulls, *live}:
        check(pull)
    check_registries()


def check(pull: Any) -> None:
    """Check one pull by the table of states that `_pull` has."""
    assert pull.name.startswith("pullit.")
    assert pull.label
    assert pull.over() <= (pull.state is ENDED)
    assert pull.done() >= pull.over()
    assert pull.returned() <= (pull.state is ENDED)
    if isinstance(pull, GreenletPull):
        check_greenlet_pull(pull)
    elif isinstance(pull, ThreadPull):
        check_thread_pull(pull)
    else:
        check_iterable_pull(pull)


def check_greenlet_pull(pull: GreenletPull) -> None:
    started = pull.root is not None
    assert pull.state in (UNSTARTED, SUSPENDED, RUNNING, STOPPING, ENDED)
    assert 0 <= pull.exits <= EXITS
    assert started == (pull in live) == (pull.home is not None)
    assert started == (pull.producer is not None) == (pull.blocked is not None)
    assert (pull.state is UNSTARTED) == (pull.f is not None)
    assert pull.value is None  # the consumer has it
    if pull.state is UNSTARTED:
        assert not started
        assert pull.exits == 0
    elif started:
        assert pull.home
        assert pull.state is ENDED or coro_of(pull.root) is pull
        assert live[pull] is pull.home
        assert pull.root.parent is pull.blocked or pull.state is ENDED
        assert pull.regular in (None, pull.blocked)
        if pull.state is SUSPENDED:
            assert pull.producer
            assert pull.producer.gr_frame is not None
            assert pull.exits == 0
    else:
        assert pull.state is ENDED
        assert pull.error is pull.regular is pull.argument is None
        if isinstance(pull, AheadPull):
            assert pull.batches is None


def check_thread_pull(pull: ThreadPull) -> None:
    started = pull.thread is not None
    assert pull.state in (UNSTARTED, OPEN, STOPPING, ENDED)
    assert started == (pull in live)
    assert (START in pull.caller) >= started
    assert all(0 <= exits <= EXITS for exits in pull.told.values())
    assert not pull.told or pull.told_to_stop
    if pull.over():
        assert pull.seq is pull.argument is None
        assert not pull.errors
        assert not pull.waiting
        assert not pull.values
    elif not started:
        assert pull.seq is not None
        assert not pull.values
        assert not pull.waiting


def check_iterable_pull(pull: IterablePull) -> None:
    assert not pull.turn  # no call is under way
    assert pull not in live
    if pull.state is UNSTARTED:
        assert pull.make is not None
        assert pull.advance is None
    if pull.state is ENDED:
        assert pull.make is pull.advance is None
        assert not pull.made
    assert pull.result in (None, NOTHING)


def check_registries() -> None:
    home = per_thread()
    assert home.is_here()
    assert not home.sweeping
    assert all(live.get(pull) is home for pull in home.dropped)
    assert left.count(home) == len(home.dropped)
    assert all(coroutine is None or not coroutine.dead for coroutine in home.calls)
    assert all(guard.coroutine is None or not guard.coroutine.dead for guard in home.guards)
    if home.free_list is not None:
        check_free_list(home.free_list)


def check_free_list(free_list: Any) -> None:
    """The parked coroutines of this thread hold nothing, and nobody is kept for them."""
    assert free_list.relay.dead
    assert free_list.main.parent is None
    assert free_list.relay.parent is free_list.main
    assert len(free_list.parked) <= MOST_PARKED
    used = {getattr(pull, name, None) for pull in list(live) for name in ("root", "producer")}
    for coroutine in free_list.parked:
        assert coroutine.dead or coroutine.parent is free_list.relay
        assert coroutine not in used
