"""The loop that drives a coro."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

from pullit._coro import forward
from pullit._errors import chain
from pullit._guard import is_guarded
from pullit._puller import Puller


class Serial:
    """A loop on the thread engine, for one thread at a time (contract 21)."""

    __slots__ = ("loop", "p")

    def __init__(self, p: Puller, loop: Iterator[Any]) -> None:
        self.p = p
        self.loop = loop

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        assert self.p.lock is not None
        if not self.p.lock.acquire(blocking=False):
            return self.p.refuse()
        try:
            return next(self.loop)
        finally:
            self.p.lock.release()


def drive(p: Puller) -> Callable[[Callable[[], bool]], Callable[[], Any]]:
    """Give *p* its two sides, `yield_` and the loop. Return the maker of `next`.

    They are closures over what changes with each switch, because cells are the
    cheapest variables that two functions can share. The loop is a generator,
    because greenlet needs a frame object of whoever switches, and a generator's
    lasts. Both carry coroswitch inline: blocked on the coro is the producer
    while the consumer runs, and the consumer while the producer does.
    """
    getcurrent = p.engine.getcurrent
    refuse = p.refuse
    consumer: Any = None  # who called next last, ...
    caller: Any = None  # ... or None, so that the next call is looked at
    producer: Any = None  # who called yield_ last, ...
    yielder: Any = None  # ... or None, so that its next call is looked at
    yield_next = False  # a next is yet unmatched by a yield; Go's name
    order: Callable[[], Any] | None = None  # what yield_ does when send, throw, stop resume it
    loop: Iterator[Any] = iter(())
    resume: Any = None

    def yield_(value: Any, /) -> Any:
        nonlocal caller, order, producer, yield_next, yielder
        if not yield_next or getcurrent() is not yielder:
            caller = None
            if not p.accept(yield_next):
                return False
            producer = getcurrent()
            yielder = None if is_guarded(producer) else producer
        yield_next = False
        consumer.switch(value)  # coroswitch, inline
        if order is None:
            return True
        answer, order = order, None
        try:
            return answer()
        finally:
            if p.done:
                yielder = None  # every later call comes too late

    def run_loop() -> Generator[Any, Any, Any]:
        nonlocal caller, consumer, order, producer, yield_next, yielder
        current, state, refusal = getcurrent, p, refuse  # cheaper here than cells
        while True:
            if current() is not caller:
                consumer = p.enter(producer)
                if producer is None:
                    producer = yielder = p.root
                if p.foreign:
                    order = p.say_stop
                caller = consumer
            yield_next = True
            state.__next__ = refusal
            try:
                value = producer.switch()  # coroswitch, inline
                while yield_next:  # that was no yield: the end, or not our switch
                    if p.coro.gp is None or p.root.dead:
                        yield_next = False
                        caller = consumer = producer = yielder = None
                        return p.finish()
                    value = forward(p.root, value)
                state.__next__ = resume
            except BaseException as e:
                if p.ended:
                    raise  # seq's own, from finish
                # No call, in which a signal's handler could raise, or another thread
                # run, comes before these.
                p.abandoned = p.lock is not None
                waited, yield_next, caller = yield_next, False, None
                p.__next__ = resume
                interrupt(e, waited)
                raise
            yield value
            value = None  # the consumer's alone

    def interrupt(error: BaseException, waited: bool) -> None:
        """End seq before *error*, thrown into the consumer, goes on.

        Either the consumer *waited* for seq, or its value was just there: it is
        lost, as a generator's would be.
        """
        nonlocal order, producer, yielder
        if p.abandoned and p.coro.gp is not None:
            # On threads we do not wait (contract 21), nor will seq's end wake us.
            p.coro.gp = None
            parked, producer = producer, None
            p.forget()
            if not waited:
                order = p.say_stop
                parked.wake(())
            return
        p.abandoned = False
        if p.root.dead:
            producer = p.root
        elif waited:
            # seq waits in a switch that is not ours, and is not to yield again.
            p.done = True
            throw = partial(p.root.throw, p.exit("its consumer was interrupted"))
            producer, yielder = SimpleNamespace(switch=throw), None
        try:
            p.stop()
        except BaseException as e:
            chain(e, error)
            raise

    def main() -> None:
        nonlocal order, producer
        try:
            p.run(yield_)
        finally:
            if not (yield_next or p.abandoned):
                # Nobody waits for this end: another coroutine has yielded, or
                # somebody else resumed us. A yield_ that is parked answers False,
                # as in Go; we wait for the consumer in its place.
                parked, producer = producer, getcurrent()
                if parked is producer:
                    parked = consumer.parent or consumer
                else:
                    order = bool
                parked.switch()

    def look() -> None:
        nonlocal caller, yielder
        caller = yielder = None

    def renew() -> None:
        nonlocal loop, resume
        loop = Serial(p, run_loop()) if p.lock else run_loop()
        resume = p.__next__ = loop.__next__

    def deliver(call: str, what: Callable[[], Any]) -> Any:
        nonlocal order
        if p.lock and not p.lock.acquire(blocking=False):
            return p.refuse(call)
        try:
            if yield_next:
                return p.refuse(call)
            renew()
            order = what
            return next(loop)
        finally:
            order = p.due = None
            if p.lock:
                p.lock.release()

    def make_next(is_end: Callable[[], bool]) -> Callable[[], Any]:
        def next() -> Any:
            while True:
                if not yield_next:
                    for value in loop:  # resumes the generator in this very frame
                        return value, True
                if is_end():
                    return None, False

        return next

    p.deliver, p.look, p.main, p.renew = deliver, look, main, renew
    return make_next
