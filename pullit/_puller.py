"""The pull: the loop that drives a coro, the `yield_` that seq calls, and stop."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator, Iterator
from functools import partial
from itertools import repeat
from types import SimpleNamespace
from typing import Any, NoReturn

from pullit._coro import UNFIT, adopt, block, coroleft, create, forward, own
from pullit._errors import PullError, WrongThreadError, chain, raise_as_left, trim
from pullit._guard import calls, check_order, is_guarded, note_sent, note_told
from pullit._lifetimes import drop, left, live, sweep
from pullit._state import State, ended, over
from pullit._threads import get_ident

# As a Puller's yielder: every yield_ needs a look; one has had it, and brings a value.
LOOK, YIELDED = object(), object()


class Puller(State):
    """One pull. Its loop is a generator, whose frame object lasts: greenlet needs one."""

    __slots__ = (
        "__next__",  # here, because from C a slot of a base costs more
        "busy",
        "current",
        "inner",
        "loop",
        "order",
        "producer",
        "yielder",
    )

    def __init__(
        self, name: str, seq: Callable[..., object], engine: str, pairs: bool, label: str
    ) -> None:
        super().__init__(name, seq, engine, label)
        if left:
            sweep()
        # Coro calls seq with it: a frame of ours below would cost at each switch.
        self.arg = self.yield_pair if pairs else self.yield_
        self.current = self.engine.getcurrent
        self.producer: Any = None  # who called yield_ last
        # Whose yield_ needs no look, or LOOK, while a next is unmatched by a yield; else
        # None, or YIELDED.
        self.yielder: Any = None
        self.order: Any = None  # what a yield_ resumed by send, throw or stop does
        self.busy = False  # with a call that is not from C
        self.loop: Any = ended  # what is asked: the inner one, or a Serial
        self.inner: Any = ended
        self.__iter__ = repeat(self).__next__
        self.__next__ = self.again

    def renew(self) -> None:
        """Make a fresh loop."""
        self.inner = self.run_loop()
        # Ahead has a Serial around all that it does.
        self.loop = self.inner if self.bound or self.ahead else Serial(self, self.inner)

    def yield_(self, value: Any, /) -> Any:
        """What seq calls for each value, and waits in."""
        if self.current() is not self.yielder:
            return self.yield_slowly(value)
        self.yielder = None
        self.gp.switch(value)  # coroswitch, inline
        if self.order is None:
            return True
        return self.obey()

    def yield_slowly(self, value: Any) -> Any:
        """`yield_`, when it needs a look."""
        wanted = self.yield_next
        self.look()
        if not self.accept(wanted):
            return False
        self.producer = self.current()
        self.yielder = YIELDED
        self.gp.switch(value)
        if self.order is None:
            return True
        return self.obey()

    @property
    def yield_next(self) -> bool:
        """Whether a next is unmatched by a yield; Go's name."""
        return self.yielder is not None and self.yielder is not YIELDED

    def look(self) -> None:
        """Have the next call on either side looked at."""
        if self.yield_next:
            self.yielder = LOOK

    def yield_pair(self, k: Any, v: Any, /) -> Any:
        return self.yield_((k, v))

    def obey(self) -> Any:
        """Answer what send or stop has ordered, or raise what throw has."""
        answer, self.order = self.order, None
        try:
            return answer()
        finally:
            if self.done:
                self.yielder = LOOK  # every later call comes too late

    def run_loop(self) -> Generator[Any, None, None]:
        current, refuse, resume = self.current, self.refuse, self.loop.__next__
        caller: Any = None  # who called next last; None, if the next call is to enter
        try:
            while True:
                if current() is not caller:
                    caller, yielder, producer = self.enter()
                self.yielder = yielder
                self.__next__ = refuse
                try:
                    value = producer.switch()  # coroswitch, inline
                    while self.yielder is not None:  # else it was the producer's yield_
                        caller = yielder = producer = None  # no traceback is to keep them
                        if self.yielder is YIELDED:
                            self.yielder = None
                        elif self.gp is None or (self.root.dead and value is not UNFIT):
                            self.finish()
                            return
                        else:
                            value = self.pass_on(value)
                    self.__next__ = resume
                except BaseException as e:
                    if self.ended:
                        trim(e)  # no frame of ours is to keep it
                        raise  # seq's own, from finish
                    # Before any call or new object: a handler may raise there, a thread run,
                    # or, in 3.11, a collection.
                    self.done = True
                    caller = yielder = producer = None
                    waited = self.yielder is not None and self.yielder is not YIELDED
                    self.yielder, self.abandoned = None, not self.bound and self.gp is not None
                    if self.abandoned:
                        self.gp = None  # we do not wait (contract 21)
                    self.__next__ = self.again
                    self.interrupt(e, waited)
                    raise
                yield value
                value = None  # the consumer's alone
        finally:
            if not self.ended:
                self.__next__ = self.again

    def enter(self) -> tuple[Any, Any, Any]:
        """Start seq, or see who else asks; return him, the new yielder, and the producer."""
        if self.root is None:
            block(self)
            self.thread = get_ident()
            self.root = self.producer = self.gp
            live[self.root] = self
        else:
            self.check_thread("next")
        if self.gp is None:
            # A signal's exception has kept seq's end from who asked.
            return None, LOOK, SimpleNamespace(switch=bool)
        guarded = False
        if left:
            sweep()
        if own().guards:
            check_order(self.name, self.producer)
            guarded = is_guarded(self.producer)
        me = self.current()
        try:
            adopt(self.root, me)
        except ValueError:
            # A traceback may keep this frame; an ended thread's main greenlet in it would
            # crash greenlet.
            del me
            raise PullError(
                f"{self.name}: next called in a greenlet that {self.label} has started;"
                " call it outside of the producer"
            ) from None
        self.gp = me
        if self.foreign:
            self.order = self.say_stop
        return me, LOOK if guarded or self.done else self.producer, self.producer

    def pass_on(self, got: object) -> Any:
        """Answer a switch that is not ours; return what is switched to us next."""
        if got is not UNFIT:
            return forward(self.root, got)
        del live[self.root]
        self.root = self.producer = self.yielder = create(self)
        live[self.root] = self
        adopt(self.root, self.gp)
        return self.root.switch()

    def settle(self) -> None:
        if self.abandoned:
            error = sys.exception()
            if error and not self.is_exit(error):
                args = type(error), error, error.__traceback__, threading.current_thread()
                threading.excepthook(threading.ExceptHookArgs(args))
        elif self.yielder is None:
            # Nobody waits: another coroutine has yielded, or a foreign switch resumed us.
            # A parked yield_ answers False, as in Go; we take its place.
            parked, self.producer = self.producer, self.current()
            if parked is self.producer:
                parked = self.gp.parent or self.gp
            else:
                self.order, self.told = bool, True
            parked.switch()

    def finish(self) -> None:
        """Let go of seq, and raise what it raised."""
        error = self.error
        self.returned = error is None and self.gp is None and not self.abandoned
        if isinstance(error, StopIteration):
            stop, error = error, RuntimeError(f"{self.name}: {self.label} raised StopIteration")
            error.__cause__ = error.__context__ = stop
        if error and self.done and self.is_exit(error):
            error = None
        self.forget()
        coroleft(self)
        if self.foreign:
            foreign = WrongThreadError(self.foreign)
            error = chain(error, foreign) if error else foreign
        if error:
            raise_as_left(error)
        if self.result is not None:
            self.__iter__ = partial(end_with, self.result)

    def forget(self) -> None:
        """Let go of seq, and of every cycle."""
        if self.abandoned and self.producer.waits:  # else it is running
            self.order = self.say_stop
            self.producer.wake(())
        self.done = self.ended = True
        self.loop = self.inner = ended
        self.__iter__ = self.__next__ = over
        live.pop(self.root, None)
        self.f = self.arg = self.error = self.gp = None
        self.root = self.producer = self.yielder = None

    def expect(self) -> None:
        """Have the next call on either side sweep, in its thread; it may be under way."""
        self.look()
        # CPython 3.11 may crash if it closes what runs: no call may come between.
        if not self.ended and not self.inner.gi_running:
            self.inner.close()

    def orphan(self, why: str) -> None:
        """Refuse for ever: values may be lost."""
        text = f"{self.name}: {self.label} was stopped, because {why}"
        self.loop = iter(partial(end_in_error, text), None)
        self.__next__ = self.loop.__next__

    def interrupt(self, error: BaseException, waited: bool) -> None:
        """End seq before *error*, thrown into the consumer, who *waited* or not, goes on."""
        if self.abandoned:
            self.forget()
        elif waited and self.gp is not None and self.f is None and not self.root.dead:
            # seq waits in a switch that is not ours, and is not to yield again.
            throw = partial(self.root.throw, self.exit("its consumer was interrupted"))
            self.producer = SimpleNamespace(switch=throw)
        try:
            self.halt()
        except BaseException as e:
            chain(trim(e), error)
            raise

    def take_turn(self) -> bool:
        """Become busy; False, if it is so already, or a value is being made."""
        if self.__next__ == self.refuse:
            return False
        # Amid this, unlike after a lock's call, neither handler nor thread can come.
        busy, self.busy = self.busy, True
        return not busy

    def deliver(self, call: str, answer: Callable[[], Any]) -> Any:
        """Resume seq with an order; return the next value."""
        if not self.take_turn():
            return self.refuse(call)
        try:
            return self.resume(answer)
        finally:
            self.busy = False

    def resume(self, answer: Callable[[], Any], stops: bool = False) -> Any:
        """Do so, or stop, in whose turn it is."""
        if self.__next__ == self.again:
            self.renew()
        self.order = answer
        try:
            for value in self.inner:
                return value
        finally:
            if self.order is answer:
                self.order = None
        end, self.__iter__ = self.__iter__, over  # StopIteration brings a result once
        if not stops:
            end()

    def stop(self) -> Any:
        """Make seq return, and return what it did."""
        if self.ended:
            return None
        if left:
            sweep()
        if not self.take_turn():
            return None if self.done else self.refuse("stop")
        try:
            self.check_thread("stop")
            return self.halt()
        except BaseException as e:
            trim(e)
            raise
        finally:
            self.busy = False

    def halt(self) -> Any:
        """Stop, in whose turn it is."""
        if self.f is not None:
            self.forget()  # seq was never called
        while not self.ended:  # once, if no signal's exception comes before the order
            self.resume(self.say_stop, stops=True)
        return self.result

    drop = drop

    def say_stop(self) -> bool:
        """What stop has the pending `yield_` do."""
        self.done = self.told = True
        self.__iter__ = over
        if calls:
            note_told(self.next_exit)
        return False

    def say(self, value: Any) -> Any:
        """What send has the pending `yield_` do."""
        note_sent()
        return value


class Serial:
    """The values of a pull on the thread engine, for one thread at a time (contract 21)."""

    __slots__ = ("p", "values")

    def __init__(self, p: Puller, values: Iterator[Any]) -> None:
        self.p = p
        self.values = values

    def __iter__(self) -> Serial:
        return self

    def __next__(self) -> Any:
        if not self.p.take_turn():
            return self.p.refuse()
        try:
            for value in self.values:
                return value
            raise StopIteration
        finally:
            self.p.busy = False


def end_with(result: object) -> NoReturn:
    raise StopIteration(result)


def end_in_error(text: str) -> NoReturn:
    raise WrongThreadError(text)
