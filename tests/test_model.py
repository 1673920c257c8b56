"""Random producers and consumers, against a plain model and the plain pull.

A program is a tree of statements, made by Hypothesis. One interpreter, `Machine`,
runs it on pullit, on the reference, or on the model, and logs what it sees. Its
methods are generators for the model's sake: there a generator is all that can be
suspended, so that whatever may suspend it must be one, too. On a real pull they
never yield, and run to their end in one go; what suspends them is a switch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Protocol, TypeAlias, cast

import reference
from greenlet import GreenletExit
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from invariants import check

import pullit
from pullit import PullError, PullExit
from pullit._lifetimes import live
from pullit._pull import EXITS
from pullit._types import Engine

Task: TypeAlias = Generator[Any, Any, Any]


def send_into(value: object, task: Task) -> Any:
    return task.send(value)


def throw_into(error: BaseException, task: Task) -> Any:
    return task.throw(error)


Log: TypeAlias = list[tuple[str, ...]]
Face: TypeAlias = Literal["pull", "iterate"]


class BoomError(Exception):
    """What producers and consumers raise."""


KINDS: dict[str, type[BaseException]] = {
    "boom": BoomError,
    "exit": SystemExit,
    "greenlet": GreenletExit,
    "pull": PullExit,
}

# The statements. Those with a level concern the pull that many levels out, whose
# producer is running; Call and Relay the one that the nearest Nest has made.


@dataclass(frozen=True)
class Yield:
    """Call yield_; return if it answers False, unless *heedless*."""

    value: object
    level: int = 0
    heedless: bool = False


@dataclass(frozen=True)
class Raise:
    """Raise an error, in a handler from the one handled if *chained*."""

    kind: str
    chained: bool = False


@dataclass(frozen=True)
class Return:
    """Return from the producer."""

    value: object


@dataclass(frozen=True)
class Try:
    """Try, except, finally."""

    body: Block
    caught: str
    handler: Block
    final: Block


@dataclass(frozen=True)
class Misuse:
    """Call next or stop of a pull from inside its producer."""

    call: Literal["next", "stop"]
    level: int = 0


@dataclass(frozen=True)
class Nest:
    """Pull *producer* in *consumer*, then stop it or drop it."""

    face: Face
    producer: Block
    consumer: Block
    drop: bool = False


@dataclass(frozen=True)
class Call:
    """Call a method of the pull, or its yield_; an error goes on, unless *safe*."""

    call: Literal["next", "send", "throw", "stop", "yield_"]
    value: object = None
    safe: bool = True


@dataclass(frozen=True)
class Relay:
    """Yield all that the pull gives."""


Statement: TypeAlias = Yield | Raise | Return | Try | Misuse | Nest | Call | Relay
Block: TypeAlias = tuple[Statement, ...]


class Handle(Protocol):
    """One pull, as an interpreter sees it: what its consumer and producer can do.

    `next`, `send` and `throw` return ``(value, True)`` or ``(result, False)``.
    """

    dropped: bool

    def next(self) -> Task: ...
    def send(self, value: object) -> Task: ...
    def throw(self, value: str) -> Task: ...
    def stop(self) -> Task: ...
    def drop(self) -> Task: ...
    def yield_(self, value: object) -> Task: ...
    def look(self) -> object: ...


Producer: TypeAlias = Callable[[Handle], Task]
Make: TypeAlias = Callable[[Face, Producer, Log], Handle]


# The interpreter.


@dataclass(frozen=True)
class Scope:
    """What the statements of a block refer to."""

    outer: tuple[Handle, ...] = ()
    child: Handle | None = None
    handling: bool = False


class Machine:
    """Runs programs on pulls that *make* makes.

    A producer calls next, stop and yield_ of pulls up to *reach* levels out.
    """

    def __init__(self, make: Make, reach: int = 9) -> None:
        self.make = make
        self.reach = reach
        self.log: Log = []

    def note(self, *what: object) -> None:
        self.log.append(tuple(map(describe, what)))

    def run(self, block: Block, scope: Scope) -> Task:
        """Run *block*. The Return that ended it is returned, or None."""
        for statement in block:
            out: Return | None = yield from self.step(statement, scope)
            if out:
                return out
        return None

    def step(self, statement: Statement, scope: Scope) -> Task:
        match statement:
            case Yield(value, level, heedless):
                return (yield from self.yield_(value, level, heedless, scope))
            case Raise(kind, chained):
                cause = sys.exc_info()[1] if chained and scope.handling else None
                raise KINDS[kind](kind) from cause
            case Return():
                return statement
            case Try(body, caught, handler, final):
                try:
                    return (yield from self.run(body, scope))
                except KINDS[caught] as e:
                    self.note("caught", e)
                    return (yield from self.run(handler, replace(scope, handling=True)))
                finally:
                    self.note("finally")
                    yield from self.run(final, scope)
            case Misuse(call, level):
                outer = self.outer(level, scope)
                if outer and not outer.dropped:
                    yield from self.call(call, outer.next if call == "next" else outer.stop)
            case Nest():
                return (yield from self.nest(statement, scope))
            case Call(call, value, safe):
                assert scope.child
                args = () if call in ("next", "stop") else (value,)
                yield from self.call(call, getattr(scope.child, call), *args, safe=safe)
                self.note("look", scope.child.look())
            case Relay():
                return (yield from self.relay(scope))
        return None

    def outer(self, level: int, scope: Scope) -> Handle | None:
        """Return the pull that many levels out, if there is one within reach."""
        return scope.outer[level] if level < min(self.reach, len(scope.outer)) else None

    def call(
        self, name: str, method: Callable[..., Task], *args: object, safe: bool = True
    ) -> Task:
        try:
            got = yield from method(*args)
        except BaseException as e:
            self.note(name, *args, "raised", e)
            if not safe:
                raise
        else:
            self.note(name, *args, "returned", got)

    def yield_(self, value: object, level: int, heedless: bool, scope: Scope) -> Task:
        outer = self.outer(level, scope)
        if not outer:
            return None
        answer = yield from outer.yield_(value)
        self.note("yield", value, level, answer)
        return Return("stopped") if answer is False and not heedless else None

    def relay(self, scope: Scope) -> Task:
        assert scope.child
        while True:
            value, ok = yield from scope.child.next()
            self.note("relay", value, ok)
            if not ok:
                return None
            if out := (yield from self.yield_(value, 0, False, scope)):
                return out

    def producer(self, block: Block, scope: Scope) -> Producer:
        """Return the producer that *block* is."""

        def run(handle: Handle) -> Task:
            self.note("start")
            try:
                out = yield from self.run(block, Scope((handle, *scope.outer)))
            finally:
                self.note("end")
            return out.value if out else None

        return run

    def nest(self, nest: Nest, scope: Scope) -> Task:
        child = self.make(nest.face, self.producer(nest.producer, scope), self.log)
        drop = False
        try:
            out = yield from self.run(nest.consumer, replace(scope, child=child))
            # The traceback of an error would keep what is dropped.
            child.dropped = drop = nest.drop
        finally:
            yield from child.drop() if drop else child.stop()
            self.note("dropped" if drop else "stopped", drop or child.look())
        return out


def describe(what: object) -> str:
    """Return what the log says for *what*; it tells 0 from False."""
    match what:
        case str():
            return what
        case BoomError() | SystemExit():
            return f"{type(what).__name__}{what.args}"
        case BaseException():
            return type(what).__name__
        case _:
            return repr(what)


# The model: a producer is a generator, which yields ``(pull, value)``.


# Those whose producers run now, each inside the one before.
inside: list[Model] = []


class Model:
    """What a pull must do, on either engine.

    They differ in one thing (contract 5): where each producer has a thread, each thread
    is told to stop for itself.
    """

    def __init__(
        self, face: Face, producer: Producer, log: Log, engine: Engine = "greenlet"
    ) -> None:
        self.face = face
        self.engine = engine
        self.producer = producer
        self.log = log
        self.task: Task | None = None
        self.running = self.done = self.ended = self.returned = False
        self.result: object = None
        self.exits: list[BaseException] = []
        self.told: dict[Model | None, int] = {}  # by thread: how many PullExits it has got
        self.dropped = False

    def next(self) -> Task:
        if self.done:
            return None, False
        if self.running:
            raise PullError
        return (yield from self.resume(lambda task: task.send(True)))

    def send(self, value: object) -> Task:
        if not self.task and not self.done and value is not None:
            raise TypeError
        if not self.task:
            return (yield from self.next())
        if self.done:
            return None, False
        return (yield from self.resume(lambda task: task.send(value)))

    def throw(self, value: str) -> Task:
        error = KINDS[value](value)
        if not self.task:
            yield from self.stop()
        if self.ended:
            raise error
        return (yield from self.resume(lambda task: task.throw(error)))

    def stop(self) -> Task:
        if self.running and not self.done:
            raise PullError
        if not self.task:
            self.done = self.ended = True
        if self.done:
            return None
        self.done = True
        result, _ = yield from self.resume(lambda task: task.send(False))
        return result

    def drop(self) -> Task:
        try:
            yield from self.stop()
        except BaseException as e:
            self.log.append(("unraisable", describe(e)))

    def yield_(self, value: object) -> Task:
        if not self.task:
            return "not started"
        thread = inside[-1] if inside and self.engine == "thread" else None
        if self.done:
            if not self.ended and thread not in self.told:
                self.told[thread] = 0
            elif not self.ended and self.told[thread] < EXITS:
                self.told[thread] += 1
                self.exits.append(PullExit())
                raise self.exits[-1]
            return False
        if not self.running:
            raise PullError
        return (yield from self.hand_over(value, thread))

    def hand_over(self, value: object, thread: Model | None) -> Task:
        self.running = False
        answer = yield self, value
        if self.done:
            self.told[thread] = 0
        return answer

    def look(self) -> object:
        if self.face == "pull":
            return None
        return self.done, self.result if self.returned else "no result"

    def resume(self, how: Callable[[Task], Any]) -> Task:
        """Run the producer until it yields to us; what it yields to others goes on out."""
        self.running = True
        if not self.task:
            self.task = self.producer(self)
            how = next
        try:
            pull, value = self.enter(how)
            while pull is not self:
                try:
                    answer = yield pull, value
                except BaseException as e:
                    pull, value = self.enter(partial(throw_into, e))
                else:
                    pull, value = self.enter(partial(send_into, answer))
            return value, True
        except BaseException as e:
            told, self.done, self.ended, self.running = self.done, True, True, False
            self.returned = isinstance(e, StopIteration | GreenletExit)
            if isinstance(e, StopIteration):
                self.result = e.value
            elif not self.returned and not (told and self.is_exit(e)):
                raise
        return self.result if self.face == "iterate" else None, False

    def enter(self, how: Callable[[Task], Any]) -> Any:
        inside.append(self)
        try:
            assert self.task
            return how(self.task)
        finally:
            inside.pop()

    def is_exit(self, error: BaseException | None) -> bool:
        return error is not None and (error in self.exits or self.is_exit(error.__cause__))


class AheadModel(Model):
    """What an iterator with read_ahead=n must do on greenlets: seq goes on for n values."""

    def __init__(self, n: int, producer: Producer, log: Log) -> None:
        super().__init__("iterate", producer, log)
        self.n = n
        self.values: list[object] = []  # that the producer has yielded, ...
        self.given: list[object] = []  # ... and that the consumer has not taken yet
        self.producer = self.giving(producer)

    def giving(self, producer: Producer) -> Producer:
        """Return *producer*, which in the end yields what is left."""

        def run(handle: Handle) -> Task:
            try:
                return (yield from producer(handle))
            finally:
                if self.values and not self.done:
                    yield from self.hand_over(None, None)

        return run

    def next(self) -> Task:
        if self.given:
            return self.given.pop(0), True
        result, ok = yield from super().next()
        if not ok:
            return result, False
        self.given, self.values = self.values, []
        return self.given.pop(0), True

    def send(self, value: object) -> Task:
        yield from ()
        raise PullError

    def throw(self, value: str) -> Task:
        yield from ()
        raise PullError

    def stop(self) -> Task:
        self.given = []
        return (yield from super().stop())

    def yield_(self, value: object) -> Task:
        if not self.task or self.done or not self.running:
            return (yield from super().yield_(value))
        self.values.append(value)
        return True if len(self.values) < self.n else (yield from self.hand_over(None, None))


# Real pulls.


class Real:
    """A pull of pullit, or the reference's."""

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self.kept: Callable[[object], Any] | None = None
        self.dropped = False

    def seq(self, yield_: Callable[[object], Any]) -> object:
        self.kept = yield_
        return finish(self.producer(self))

    def next(self) -> Task:
        raise NotImplementedError

    def send(self, value: object) -> Task:
        raise NotImplementedError

    def throw(self, value: str) -> Task:
        raise NotImplementedError

    def stop(self) -> Task:
        raise NotImplementedError

    def drop(self) -> Task:
        raise NotImplementedError

    def yield_(self, value: object) -> Task:
        yield from ()
        return self.kept(value) if self.kept else "not started"

    def look(self) -> object:
        return None


def finish(task: Task) -> object:
    """Run *task*, which yields nothing, to its end."""
    try:
        next(task)
    except StopIteration as e:
        return e.value
    raise AssertionError("a task on a real pull has yielded")


class RealPull(Real):
    """pullit.pull."""

    def __init__(self, producer: Producer, engine: Engine) -> None:
        super().__init__(producer)
        self.handle: pullit.Pull[object] | None = pullit.pull(self.seq, engine=engine)

    def next(self) -> Task:
        yield from ()
        assert self.handle
        return self.handle.next()

    def stop(self) -> Task:
        yield from ()
        assert self.handle
        self.handle.stop()

    def drop(self) -> Task:
        yield from ()
        self.handle = None


class RealIterator(Real):
    """pullit.iterate."""

    def __init__(self, producer: Producer, engine: Engine, n: int) -> None:
        super().__init__(producer)
        self.handle: pullit.PullIterator[object] | None = pullit.iterate(
            self.seq, read_ahead=n, engine=engine
        )

    def next(self) -> Task:
        assert self.handle
        return self.ask(self.handle.__next__)

    def send(self, value: object) -> Task:
        assert self.handle
        return self.ask(self.handle.send, value)

    def throw(self, value: str) -> Task:
        assert self.handle
        return self.ask(self.handle.throw, KINDS[value](value))

    def ask(self, method: Callable[..., object], *args: object) -> Task:
        yield from ()
        try:
            return method(*args), True
        except StopIteration as e:
            return e.value, False

    def stop(self) -> Task:
        yield from ()
        assert self.handle
        return self.handle.close()

    def drop(self) -> Task:
        yield from ()
        self.handle = None

    def look(self) -> object:
        assert self.handle
        try:
            return self.handle.done, self.handle.result
        except PullError:
            return self.handle.done, "no result"


class Reference(Real):
    """reference.pull. It knows nothing of drops: they are stops."""

    def __init__(self, producer: Producer, log: Log) -> None:
        super().__init__(producer)
        self.log = log
        self.handle = reference.pull(self.seq)

    def next(self) -> Task:
        yield from ()
        return self.handle[0]()

    def stop(self) -> Task:
        yield from ()
        self.handle[1]()

    def drop(self) -> Task:
        try:
            yield from self.stop()
        except BaseException as e:
            self.log.append(("unraisable", describe(e)))


def on_model(engine: Engine) -> Make:
    return lambda face, producer, log: Model(face, producer, log, engine)


def on_ahead_model(n: int) -> Make:
    def make(face: Face, producer: Producer, log: Log) -> Handle:
        return Model(face, producer, log) if face == "pull" else AheadModel(n, producer, log)

    return make


def on_pullit(engine: Engine, n: int = 0) -> Make:
    def make(face: Face, producer: Producer, log: Log) -> Handle:
        return RealPull(producer, engine) if face == "pull" else RealIterator(producer, engine, n)

    return make


def on_reference(face: Face, producer: Producer, log: Log) -> Handle:
    return Reference(producer, log)


@contextmanager
def logging_unraisable(log: Log) -> Generator[None]:
    """Log what is raised while a dropped pull is being stopped."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda args: log.append(("unraisable", describe(args.exc_value)))
    try:
        yield
    finally:
        sys.unraisablehook = hook


def run(program: Nest, make: Make, reach: int = 9) -> Log:
    """Return the log of *program*."""
    machine = Machine(make, reach)
    with logging_unraisable(machine.log):
        try:
            finish(machine.step(program, Scope()))
        except BaseException as e:
            if isinstance(e, AssertionError):
                raise
            machine.note("uncaught", e)
    assert not live
    return machine.log


# Random programs.

S: TypeAlias = st.SearchStrategy[Statement]

values = st.sampled_from([0, 1, 2, None, False, "x"])
levels = st.sampled_from([0, 0, 0, 1, 2])
kinds = st.sampled_from(["boom", "boom", "exit", "greenlet"])


def weighted(*choices: tuple[int, S]) -> S:
    """One of the strategies, each as often as its weight says."""
    table = [strategy for weight, strategy in choices for _ in range(weight)]
    return st.sampled_from(range(len(table))).flatmap(table.__getitem__)


def block(statement: S, least: int, most: int) -> st.SearchStrategy[Block]:
    size = st.sampled_from(range(least, most + 1))
    return size.flatmap(lambda n: st.tuples(*[statement] * n))


acts = weighted(
    (8, st.builds(Yield, values, levels, st.booleans())),
    (1, st.builds(Raise, kinds, st.booleans())),
    (1, st.builds(Return, values)),
    (1, st.builds(Misuse, st.sampled_from(["next", "stop"]), levels)),
)


def calls(face: Face, safe: bool) -> S:
    """What a consumer does with its pull."""
    safely = st.just(True) if safe else st.booleans()
    some: list[tuple[int, S]] = [
        (12, st.builds(Call, st.just("next"), safe=safely)),
        (1, st.builds(Call, st.just("stop"), safe=safely)),
        (1, st.builds(Call, st.just("yield_"), values, safely)),
        (2, st.just(Relay())),
    ]
    if face == "iterate":
        some += [
            (2, st.builds(Call, st.just("send"), values, safely)),
            (2, st.builds(Call, st.just("throw"), kinds, safely)),
        ]
    return weighted(*some)


def statements(faces: list[Face], depth: int, child: Face | None = None) -> S:
    """What a producer does; also what a consumer does with *child*."""
    some: list[tuple[int, S]] = [(4, acts)]
    if child:
        some += [(4, calls(child, safe=False))]
    if depth:
        inner = statements(faces, depth - 1, child)
        caught = st.sampled_from([*KINDS])
        tries = st.builds(Try, block(inner, 1, 3), caught, block(inner, 0, 2), block(inner, 0, 1))
        nests = (
            nest(face, block(statements(faces, depth - 1, face), 2, 4), faces, depth - 1)
            for face in faces
        )
        some += [(2, tries), (2, st.one_of(*nests))]
    return weighted(*some)


def nest(
    face: Face, consumer: st.SearchStrategy[Block], faces: list[Face], depth: int
) -> st.SearchStrategy[Nest]:
    """A pull with its producer, made here, and its consumer."""
    producer = block(statements(faces, depth), 1, 5)
    return st.builds(Nest, st.just(face), producer, consumer, st.booleans())


def programs(faces: list[Face]) -> st.SearchStrategy[Nest]:
    """A pull in a consumer that nobody pulls, and that no error ends."""
    return st.one_of(*(nest(face, block(calls(face, safe=True), 1, 8), faces, 3) for face in faces))


# Programs that chance seldom finds.

heedless = (Yield(1, heedless=True), Yield(2, heedless=True))
next_and_stop = (Call("next"), Call("stop"), Call("next"))
chained = Nest("pull", (Try(heedless, "pull", (Raise("boom", chained=True),), ()),), next_and_stop)
in_finally = Nest("pull", (Try(heedless, "boom", (), (Raise("boom"),)),), next_and_stop)
swallowed = Nest("pull", (Try(heedless, "pull", (), ()),) * 8, next_and_stop)
outer_in_inner = Nest(
    "pull", (Nest("pull", (Yield(1, 1), Yield(2), Yield(3, 1)), (Relay(),)),), (Call("next"),) * 5
)
outer_in_dropped = Nest(
    "pull",
    (
        Nest(
            "pull", (Yield(1, heedless=True), Yield(2, 1), Yield(3, 1)), (Call("next"),), drop=True
        ),
    ),
    next_and_stop,
)


repeatable = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@repeatable
@example(program=chained)
@example(program=in_finally)
@example(program=swallowed)
@example(program=outer_in_inner)
@example(program=outer_in_dropped)
@given(program=programs(["pull", "iterate"]))
def test_pulls_do_what_the_model_does(engine: Engine, program: Nest) -> None:
    """Random programs log the same on pullit and on the model."""
    assert run(program, on_pullit(engine)) == run(program, on_model(engine))


@repeatable
@given(program=programs(["iterate", "pull"]), n=st.integers(2, 5))
def test_iterators_that_read_ahead_do_what_their_model_does(program: Nest, n: int) -> None:
    """Random programs log the same on pullit and on the model, with read_ahead=n."""
    assert run(program, on_pullit("greenlet", n)) == run(program, on_ahead_model(n))


def take(handle: Handle, most: int) -> list[str]:
    """Return the first *most* of what *handle* gives, with the end as the last; then stop it."""
    got: list[str] = []
    try:
        ok = True
        while ok and len(got) < most:
            value, ok = cast("tuple[object, bool]", finish(handle.next()))
            got.append(describe(value) if ok else f"end, {describe(value)}")
        return got
    except BaseException as e:
        return [*got, describe(e)]
    finally:
        with suppress(BaseException):  # seq may raise, having run ahead or being told to stop
            finish(handle.stop())
        assert finish(handle.next()) == (None, False)


@repeatable
@given(block=block(statements(["pull", "iterate"], 3), 1, 8), n=st.integers(2, 5))
def test_what_runs_ahead_in_a_thread_gives_what_the_model_gives(block: Block, n: int) -> None:
    """Up to any value and to the end; there both producers have done the same."""
    machine, modelled = Machine(on_pullit("thread"), reach=1), Machine(on_model("thread"), reach=1)
    model = Model("iterate", modelled.producer(block, Scope()), modelled.log)
    whole = take(model, 99)
    for most in range(len(whole) + 1):
        machine.log.clear()
        real = RealIterator(machine.producer(block, Scope()), "thread", n)
        with logging_unraisable(machine.log):
            assert take(real, most) == whole[:most]
        handle: Any = real.handle
        check(handle._pull)
    assert machine.log == modelled.log
    assert real.look() == model.look()
    assert not live


@repeatable
@example(program=chained)
@example(program=in_finally)
@example(program=swallowed)
@example(program=outer_in_inner)
@example(program=outer_in_dropped)
@given(program=programs(["pull"]))
def test_pull_is_indistinguishable_from_the_plain_one(engine: Engine, program: Nest) -> None:
    """Random programs log the same on pullit and on the plain pull.

    On threads no producer yields to an outer pull: each thread is told to stop for itself.
    """
    reach = 1 if engine == "thread" else 9
    assert run(program, on_pullit(engine), reach) == run(program, on_reference, reach)
