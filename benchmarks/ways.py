"""The ways to turn a push iterator into a loop that the benchmarks compare.

`ways` has them all by name. Each is a function of the number of values, which it
gets and drops. The producer does next to nothing, so that what is measured is the
way. It is the same function for all but the native generator and callback_iter,
whose callback answers None.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial, reduce
from importlib.util import find_spec
from itertools import islice
from typing import Any, TypeAlias

from greenlet import getcurrent, greenlet

import pullit

Walk: TypeAlias = Callable[[Callable[[int], Any]], object]
Open: TypeAlias = Callable[[Walk], Iterable[Any]]
Way: TypeAlias = Callable[[int], object]

AHEAD = 1, 4, 16, 64, 256, 1024
DEPTHS = 1, 10, 100, 300, 900
C_DEPTHS = 1, 10, 30, 100, 300
STACKS = 1, 2, 3, 4, 5

# With threads it matters how many cores there are, and what else wants to run.
ON_ONE_CORE = ["raw", "iterate", "thread", "queue 1", "queue 64", "callback_iter"]
BESIDE_BUSY = ["native", *ON_ONE_CORE, "read-ahead/256", "thread read-ahead/256"]

has_read_ahead = "read_ahead" in (pullit.iterate.__kwdefaults__ or {})


# Producers.


def numbers(size: int) -> Walk:
    """Return the producer of so many: a plain function, since a partial costs a call more."""

    def walk(yield_: Callable[[int], Any]) -> None:
        for i in range(size):
            if not yield_(i):
                return

    return walk


def one(yield_: Callable[[int], Any]) -> None:
    yield_(1)


def beneath(depth: int, walk: Walk) -> Walk:
    """Return *walk*, called from a recursion of *depth* calls."""

    def seq(yield_: Callable[[int], Any], level: int = depth) -> object:
        return seq(yield_, level - 1) if level else walk(yield_)

    return seq


def through(call: str, depth: int, walk: Walk) -> Walk:
    """Return *walk*, called from a recursion through *depth* functions written in C."""

    def seq(yield_: Callable[[int], Any]) -> None:
        def level(*args: int) -> Any:
            below = args[-1] - 1  # the last of reduce's two arguments
            if below < 0:
                walk(yield_)
            elif call == "sort":
                [below].sort(key=level)
            elif call == "map":
                list(map(level, [below]))
            else:
                reduce(level, [below], 0)

        level(depth)

    return seq


def again(open_way: Open, walk: Walk) -> Walk:
    """Return a push iterator that pulls *walk*, and yields what it gets."""

    def seq(yield_: Callable[[int], Any]) -> None:
        for value in open_way(walk):
            yield_(value)

    return seq


# Ways.


def native(size: int, depth: int = 0) -> None:
    """A generator, under *depth* others that ``yield from`` the next."""

    def generator(level: int = depth) -> Iterator[int]:
        if level:
            yield from generator(level - 1)
        else:
            for i in range(size):  # noqa: UP028  a loop, as the other producers have
                yield i

    for _ in generator():
        pass


def native_stack(size: int, stack: int) -> None:
    """Generators, each of which yields the values of the next again."""

    def generator(level: int = stack) -> Iterator[int]:
        if level == 1:
            for i in range(size):  # noqa: UP028  a loop, as the other producers have
                yield i
        else:
            for value in generator(level - 1):  # noqa: UP028  that would be native's
                yield value

    for _ in generator():
        pass


def raw(size: int) -> None:
    """The least that greenlet allows, with no guard at all."""
    for _ in switched(numbers(size)):
        pass


def switched(walk: Walk) -> Iterator[Any]:
    """The same for any producer."""
    end = object()
    consumer = getcurrent()

    def run(_: bool) -> object:
        walk(consumer.switch)
        return end

    return iter(partial(greenlet(run).switch, True), end)


def queued(size: int, bound: int) -> None:
    """The usual recipe: a thread, and a queue with a bound."""
    end = object()
    walk = numbers(size)
    values: queue.Queue[Any] = queue.Queue(bound)

    def put(value: int) -> bool:
        values.put(value)
        return True

    def run() -> None:
        walk(put)
        values.put(end)

    threading.Thread(target=run).start()
    for _ in iter(values.get, end):
        pass


def callback_iter(size: int) -> None:
    from more_itertools import callback_iter

    def run(callback: Callable[[int], Any]) -> None:
        for i in range(size):
            callback(i)

    values: Any = callback_iter(run)
    with values:
        # Not to its end, which it may see a tenth of a second late.
        for _ in islice(values, size):
            pass


def iterate(size: int, **options: Any) -> None:
    for _ in pullit.iterate(numbers(size), **options):
        pass


def pulled(walk: Walk, **options: Any) -> Iterator[Any]:
    """The same for any producer."""
    return pullit.iterate(walk, **options)


def pull(size: int) -> None:
    next, stop = pullit.pull(numbers(size))
    while True:
        value, ok = next()
        if not ok:
            break


def zip_two(size: int) -> None:
    walk = numbers(size)
    for _ in pullit.zip(walk, walk):
        pass


def drain(open_way: Open, wrap: Callable[[Walk], Walk], size: int) -> None:
    """Go through the numbers, inside of what *wrap* makes of them."""
    for _ in open_way(wrap(numbers(size))):
        pass


def drain_stack(open_way: Open, stack: int, size: int) -> None:
    walk = numbers(size)
    for _ in range(stack - 1):
        walk = again(open_way, walk)
    for _ in open_way(walk):
        pass


# Create, get one value, stop.


def create_native(size: int) -> None:
    def generator() -> Iterator[int]:
        yield 1

    for _ in range(size):
        it = generator()
        next(it)
        it.close()  # type: ignore[attr-defined]


def create_raw(size: int) -> None:
    """Create a greenlet, switch to it, and once more to its end."""
    consumer = getcurrent()

    def run() -> None:
        consumer.switch(1)

    for _ in range(size):
        producer = greenlet(run)
        producer.switch()
        producer.switch()


def create_pull(size: int) -> None:
    for _ in range(size):
        next, stop = pullit.pull(one)
        next()
        stop()


def create_iterate(size: int, **options: Any) -> None:
    for _ in range(size):
        it = pullit.iterate(one, **options)
        next(it)
        it.close()


@contextmanager
def busy() -> Iterator[None]:
    """Have another thread run Python code all the while."""
    over = False

    def spin() -> None:
        while not over:
            pass

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield
    finally:
        over = True
        thread.join()


def ways() -> dict[str, Way]:
    """Return all ways by name.

    A name is that of a way, or "group/way", or "group/way/x", with an x for the axis
    of a picture. In the groups "busy" and "one core" it takes more than to call the
    way. What this checkout or environment lacks is left out.
    """
    found: dict[str, Way] = {
        "native": native,
        "raw": raw,
        "iterate": iterate,
        "pull": pull,
        "zip of two": zip_two,
        "thread": partial(iterate, engine="thread"),
        "queue 1": partial(queued, bound=1),
        "queue 64": partial(queued, bound=64),
    }
    if find_spec("more_itertools"):
        found["callback_iter"] = callback_iter
    coroutines: dict[str, Open] = {"raw": switched, "iterate": pulled}
    if has_read_ahead:
        coroutines["read-ahead 256"] = partial(pulled, read_ahead=256)
        for n in AHEAD:
            found[f"read-ahead/{n}"] = partial(iterate, read_ahead=n)
            found[f"thread read-ahead/{n}"] = partial(iterate, engine="thread", read_ahead=n)

    for depth in DEPTHS:
        found[f"depth/native/{depth}"] = partial(native, depth=depth)
        for name, open_way in coroutines.items():
            wrap = partial(beneath, depth)
            found[f"depth/{name}/{depth}"] = partial(drain, open_way, wrap)
    for call, depths in ("sort", C_DEPTHS), ("reduce", C_DEPTHS), ("map", [100]):
        for depth in depths:
            for name, open_way in coroutines.items():
                wrap = partial(through, call, depth)
                found[f"{call}/{name}/{depth}"] = partial(drain, open_way, wrap)
    for stack in STACKS:
        found[f"stack/native/{stack}"] = partial(native_stack, stack=stack)
        for name, open_way in coroutines.items():
            found[f"stack/{name}/{stack}"] = partial(drain_stack, open_way, stack)

    found |= {
        "create/native": create_native,
        "create/raw": create_raw,
        "create/pull": create_pull,
        "create/iterate": create_iterate,
        "create/thread": partial(create_iterate, engine="thread"),
    }
    for group, names in ("busy", BESIDE_BUSY), ("one core", ON_ONE_CORE):
        found |= {f"{group}/{name}": found[name] for name in names if name in found}
    return found
