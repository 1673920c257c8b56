"""A million pulls, ended in every way there is: memory stays flat, and no value is lost.

    python benchmarks/soak.py [part]

prints what the process holds, at intervals, and fails if that has grown. *part* is
the fraction of the work that is to be done, 1 by default; it takes some minutes.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import greenlet
import psutil

import pullit
from pullit import PullError
from pullit._lifetimes import left, live
from pullit._per_thread import per_thread
from pullit._types import Engine

PULLS = 1_000_000
WARM_UP = 20_000  # pulls, after which nothing may grow any more
SUSPENDED = 100_000  # at once
HAMMERED = 100  # iterators, each by so many ...
HAMMERS = 8  # ... threads
VALUES = 100  # of each of those

# On the thread engine, of all rounds: a pull there costs many times as much.
THREAD_SHARE = 20

MB = 1_000_000
# By how much memory may grow: what the allocators need for gaps, however long it goes.
GROWTH = 3 * MB
# Of what the suspended have held, the part that the allocators may keep.
KEPT = 0.05
# Objects come and go, in the caches of the interpreter; a leak has one for each pull.
MORE_OBJECTS = 50


# Has glibc return what is free to the system: after many greenlets, raw ones as well,
# it keeps a quarter of what they held, ready for the next ones.
trim: Callable[[int], object] = getattr(ctypes.CDLL(None), "malloc_trim", bool)


class Held(NamedTuple):
    """What the process holds."""

    resident: int
    objects: int
    greenlets: int
    threads: int


def held() -> Held:
    gc.collect()
    gc.collect()  # what the finalizers of the first have let go
    free_list = per_thread().free_list
    if free_list is not None:
        free_list.parked.clear()  # which may be any number of coroutines
    trim(0)
    objects = gc.get_objects()
    greenlets = sum(isinstance(o, greenlet.greenlet) for o in objects)
    resident: int = psutil.Process().memory_info().rss
    return Held(resident, len(objects), greenlets, threading.active_count())


def show(what: str, pulls: int | None = None) -> Held:
    """Print a row of the table; return what is in it."""
    now = held()
    count = "" if pulls is None else f"{pulls:,}"
    print(
        f"{time.perf_counter() - START:7.1f} s  {what:<22} {count:>9}"
        f" {now.resident / MB:9.1f} MB {now.objects:9,} {now.greenlets:9,} {now.threads:7,}",
        flush=True,
    )
    return now


def check(fine: bool, text: str) -> None:
    if not fine:
        sys.exit(f"soak.py: {text}")


def check_flat(before: Held, now: Held) -> None:
    grown = now.resident - before.resident
    check(grown <= GROWTH, f"memory has grown by {grown / MB:.1f} MB")
    more = now.objects - before.objects
    check(more <= MORE_OBJECTS, f"there are {more} objects more")
    check(now.greenlets <= before.greenlets, "there are more greenlets")
    check(now.threads <= before.threads, "there are more threads")
    check(not live and not left, f"there are {len(live)} pulls, and {len(left)} left to stop")


# Producers.


def three(yield_: Callable[[int], Any]) -> str:
    for n in range(3):
        if not yield_(n):
            return "stopped"
    return "ended"


def heedless(yield_: Callable[[int], Any]) -> None:
    for n in range(9):
        yield_(n)


def deaf(yield_: Callable[[int], Any]) -> None:
    for n in range(9):
        try:
            yield_(n)
        except BaseException:
            pass


def raising(yield_: Callable[[int], Any]) -> None:
    yield_(1)
    raise KeyError("boom")


def run(callback: Callable[[int], Any]) -> None:
    for n in range(3):
        callback(n)


class Holder:
    """What refers to its iterator, which is referred to by it."""

    it: pullit.PullIterator[int]
    itself: Holder


# Ways to end. Each returns how many pulls it has made.


def to_the_end(engine: Engine) -> int:
    it = pullit.iterate(three, engine=engine)
    assert list(it) == [0, 1, 2]
    return 1


def pulled(engine: Engine) -> int:
    next_, stop = pullit.pull(three, engine=engine)
    while next_()[1]:
        pass
    stop()
    return 1


def stopped(engine: Engine) -> int:
    it = pullit.iterate(three, engine=engine)
    next(it)
    it.close()
    with pullit.pull(three, engine=engine) as pull:
        pull.next()
    return 2


def before_the_start(engine: Engine) -> int:
    pullit.iterate(three, engine=engine).close()
    pullit.pull(three, engine=engine)
    return 2


def dropped(engine: Engine) -> int:
    it = pullit.iterate(three, engine=engine)
    next(it)
    del it
    next_, stop = pullit.pull(three, engine=engine)
    next_()
    del next_, stop
    return 2


def dropped_in_a_cycle(engine: Engine) -> int:
    holder = Holder()
    holder.itself = holder
    holder.it = pullit.iterate(three, engine=engine)
    next(holder.it)
    return 1


def failed(engine: Engine) -> int:
    it = pullit.iterate(raising, engine=engine)
    try:
        list(it)
    except KeyError:
        return 1
    raise AssertionError


def told_more_than_once(engine: Engine) -> int:
    for producer in heedless, deaf:
        it = pullit.iterate(producer, engine=engine)
        next(it)
        it.close()
    return 2


def thrown(engine: Engine) -> int:
    it = pullit.iterate(three, engine=engine)
    next(it)
    it.send(True)
    try:
        it.throw(ValueError("boom"))
    except ValueError:
        return 1
    raise AssertionError


def misused(engine: Engine) -> int:
    def producer(yield_: Callable[[int], Any]) -> None:
        kept.append(yield_)
        for call in it.__next__, it.close:
            try:
                call()
            except PullError:
                yield_(1)

    kept: list[Callable[[int], Any]] = []
    it = pullit.iterate(producer, engine=engine)
    for _ in it:
        try:
            kept[0](2)
        except PullError:
            pass
    return 1


def nested(engine: Engine) -> int:
    def outer(yield_: Callable[[int], Any]) -> None:
        for n in pullit.iterate(three, engine=engine):
            if not yield_(n):
                return

    assert list(pullit.iterate(outer, engine=engine)) == [0, 1, 2]
    it = pullit.iterate(outer, engine=engine)
    next(it)
    del it
    return 4


def read_ahead(engine: Engine) -> int:
    assert list(pullit.iterate(three, read_ahead=2, engine=engine)) == [0, 1, 2]
    it = pullit.iterate(heedless, read_ahead=2, engine=engine)
    next(it)
    it.close()
    return 2


def from_callback(engine: Engine) -> int:
    seq = pullit.from_callback(run)
    assert list(pullit.iterate(seq, engine=engine)) == [0, 1, 2]
    it = pullit.iterate(seq, engine=engine)
    next(it)
    del it
    return 2


def zipped(engine: Engine) -> int:
    if engine == "thread":  # zip takes no engine
        return 0
    assert len(list(pullit.zip(three, three))) == 3
    with pullit.zip(three, heedless) as pairs:
        next(pairs)
    return 4


WAYS: list[Callable[[Engine], int]] = [
    to_the_end,
    pulled,
    stopped,
    before_the_start,
    dropped,
    dropped_in_a_cycle,
    failed,
    told_more_than_once,
    thrown,
    misused,
    nested,
    read_ahead,
    from_callback,
    zipped,
]


def many(pulls: int) -> Iterator[int]:
    """End pulls in all ways, again and again; give how many there were so far."""
    count, turn = 0, 0
    while count < pulls:
        engine: Engine = "greenlet" if turn % THREAD_SHARE else "thread"
        count += sum(way(engine) for way in WAYS)
        turn += 1
        yield count


def soak(pulls: int) -> None:
    *_, count = many(WARM_UP)
    before = now = show("pulls, to warm up", count)
    at = step = pulls / 10
    for count in many(pulls):
        if count >= at:
            now = show("pulls", count)
            at += step
    check_flat(before, now)


def suspend(count: int) -> None:
    """Have *count* pulls suspended at once, twice; then close them."""
    before = held()
    full: list[int] = []
    for _ in range(2):
        its = [pullit.iterate(three) for _ in range(count)]
        for it in its:
            next(it)
        full.append(show("suspended", count).resident - before.resident)
        check(len(live) == count, f"{len(live)} pulls are live, and not {count}")
        for it in its:
            it.close()
        del it, its
        now = show("closed")
        grown = now.resident - before.resident
        check(grown <= GROWTH + KEPT * full[0], f"closed pulls keep {grown / MB:.1f} MB")
        check(now.greenlets <= before.greenlets, "there are more greenlets")
        check(now.objects - before.objects <= MORE_OBJECTS, "there are more objects")
    check(full[1] <= full[0] + GROWTH, f"{(full[1] - full[0]) / MB:.1f} MB more, a second time")


@contextmanager
def restless() -> Iterator[None]:
    """Have threads change places as often as can be."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


def hammer(read_ahead: int) -> int:
    """Ask one iterator in many threads; return how often one was refused."""

    def numbers(yield_: Callable[[int], Any]) -> None:
        for n in range(VALUES):
            yield_(n)

    def ask() -> None:
        start.wait()
        while not it.done:
            try:
                got.append(next(it))
            except PullError:
                refused.append(1)
                time.sleep(0)  # let another run
            except StopIteration:
                return

    it = pullit.iterate(numbers, read_ahead=read_ahead, engine="thread")
    start = threading.Barrier(HAMMERS)
    got: list[int] = []
    refused: list[int] = []
    hammers = [threading.Thread(target=ask) for _ in range(HAMMERS)]
    for thread in hammers:
        thread.start()
    for thread in hammers:
        thread.join()
    wrong = {n: count for n, count in Counter(got).items() if count != 1}
    check(len(got) == VALUES and not wrong, f"{len(got)} of {VALUES} values came; {wrong}")
    return len(refused)


def hammer_all(count: int) -> None:
    for ahead in 0, 10:
        hammer(ahead)
    before = show("before the threads")
    with restless():
        refused = sum(hammer(ahead) for _ in range(count // 2) for ahead in (0, 10))
    now = show(f"{HAMMERS} threads, each of", count)
    print(f"  each of {count * VALUES:,} values came once; {refused:,} calls were refused")
    check_flat(before, now)


def main(part: float) -> None:
    print(
        f"{'time':>9}  {'':<22} {'pulls':>9}"
        f" {'resident':>12} {'objects':>9} {'greenlets':>9} {'threads':>7}"
    )
    soak(int(PULLS * part))
    suspend(int(SUSPENDED * part))
    hammer_all(max(2, int(HAMMERED * part)))


if __name__ == "__main__":
    START = time.perf_counter()
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1)
