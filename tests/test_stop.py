"""from_callback's stop, groups of exceptions, nested runs, and what a stop says of errors."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest
import trio
from producers import api

import pullit
from pullit import PullError, PullExit, from_callback, iterate
from pullit._types import Engine


class Source:
    """An API that calls back until it is told to stop, and swallows what that raises."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.got: list[object] = []

    def run(self, callback: Callable[[int], Any]) -> str:
        n = 0
        while not self.stopped.is_set():
            try:
                self.got.append(callback(n))
            except BaseException as e:
                self.got.append(type(e).__name__)
            n += 1
        return "stopped"


def test_stop_is_called_once_by_the_callback_that_waits(engine: Engine) -> None:
    """It raises nothing through the API, and returns None."""
    source = Source()
    calls: list[int] = []

    def stop() -> None:
        calls.append(threading.get_ident())
        source.stopped.set()

    with iterate(from_callback(source.run, stop=stop), engine=engine) as it:
        assert [next(it), next(it)] == [0, 1]
    assert it.result == "stopped"
    assert source.got == [None, None]
    assert len(calls) == 1
    assert (calls[0] == threading.get_ident()) == (engine == "greenlet")


def test_stop_is_called_by_close_where_no_callback_waits() -> None:
    """The API waits for its source, in a thread of its own; close gives the order."""
    ended = threading.Event()
    begun = threading.Event()

    def run(callback: Callable[[int], Any]) -> str:
        callback(1)
        begun.set()
        ended.wait()
        return "ended"

    it = iterate(from_callback(run, stop=ended.set), engine="thread", read_ahead=4)
    assert next(it) == 1
    begun.wait()
    assert it.close() == "ended"


def test_stop_after_the_end_is_not_called(engine: Engine) -> None:
    """Nor where nothing was started."""
    calls: list[int] = []
    seq = from_callback(api(2, []), stop=lambda: calls.append(1))
    assert list(iterate(seq, engine=engine)) == [0, 1]
    iterate(seq, engine=engine).close()
    assert calls == []


def test_stop_reply_is_what_the_callback_returns_then(engine: Engine) -> None:
    """At every call after the stop."""
    log: list[object] = []
    seq = from_callback(api(4, log), stop=lambda: None, stop_reply=-1)
    it = iterate(seq, engine=engine)
    next(it)
    assert it.close() == "api"
    assert log == [-1, -1, -1, -1]


def test_an_error_of_stop_is_raised_by_close(engine: Engine) -> None:
    """When the API has ended."""

    def stop() -> None:
        raise KeyError("cannot stop")

    it = iterate(from_callback(api(3, []), stop=stop), engine=engine)
    next(it)
    with pytest.raises(KeyError, match="cannot stop"):
        it.close()
    assert it.done


def test_an_error_of_stop_is_raised_by_close_where_no_callback_waits() -> None:
    """At once: the API may never come to its end."""
    go_on = threading.Event()

    def run(callback: Callable[[int], Any]) -> None:
        callback(1)
        go_on.wait()

    def stop() -> None:
        raise KeyError("cannot stop")

    it = iterate(from_callback(run, stop=stop), engine="thread", read_ahead=4)
    assert next(it) == 1
    with pytest.raises(KeyError, match="cannot stop"):
        it.close()
    go_on.set()


def test_an_error_of_the_loop_stops_the_api_and_arrives(engine: Engine) -> None:
    """Though the API would swallow what goes through it."""
    source = Source()
    with pytest.raises(ZeroDivisionError):  # noqa: SIM117
        with iterate(from_callback(source.run, stop=source.stopped.set), engine=engine) as it:
            for _ in it:
                _ = 1 / 0
    assert source.got == [None]


@pytest.mark.parametrize("name", ["pack", "reply", "stop"])
def test_functions_are_checked_when_they_are_given(name: str) -> None:
    """By name."""
    options: Any = {name: 3}
    with pytest.raises(TypeError) as caught:
        from_callback(api(1, []), **options)
    assert str(caught.value) == f"pullit.from_callback: {name} must be a function, not int 3"


@pytest.mark.parametrize("value", [KeyError, (3,), "KeyError"])
def test_stop_errors_is_checked_when_it_is_given(value: Any) -> None:
    """It is a tuple of classes."""
    with pytest.raises(TypeError, match="stop_errors must be a tuple of classes of exceptions"):
        from_callback(api(1, []), stop_errors=value)


# 5: exception groups.


def task_group(callback: Callable[[int], Any]) -> None:
    """Call back from a task of asyncio's."""

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(call_often(callback, asyncio.sleep))

    asyncio.run(main())


def nursery(callback: Callable[[int], Any]) -> None:
    """Call back from a task of trio's."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call_often, callback, trio.sleep)

    trio.run(main)


def anyio_group(backend: str, callback: Callable[[int], Any]) -> None:
    """Call back from a task of anyio's, within one of its groups within another."""

    async def inner() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(call_often, callback, anyio.sleep)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(inner)

    anyio.run(main, backend=backend)


async def call_often(callback: Callable[[int], Any], sleep: Callable[[float], Any]) -> None:
    for n in range(5):
        await sleep(0)
        callback(n)


GROUPS: dict[str, Callable[[Callable[[int], Any]], None]] = {
    "asyncio": task_group,
    "trio": nursery,
    "anyio on asyncio": functools.partial(anyio_group, "asyncio"),
    "anyio on trio": functools.partial(anyio_group, "trio"),
}


@pytest.mark.parametrize("run", GROUPS.values(), ids=GROUPS)
def test_05_a_group_of_exits_is_swallowed(
    engine: Engine, run: Callable[[Callable[[int], Any]], None]
) -> None:
    """A task group, or a nursery, wraps what passes through it: break raises nothing."""
    assert list(iterate(from_callback(run), engine=engine)) == [0, 1, 2, 3, 4]
    with iterate(from_callback(run), engine=engine) as it:
        for n in it:
            if n == 2:
                break
    assert it.done


@pytest.mark.parametrize("run", GROUPS.values(), ids=GROUPS)
def test_05_an_error_beside_the_exits_stays(
    engine: Engine, run: Callable[[Callable[[int], Any]], None]
) -> None:
    """Of a mixed group the rest is raised."""

    def fails(callback: Callable[[int], Any]) -> None:
        def cleaning(n: int) -> None:
            try:
                callback(n)
            except PullExit as e:
                raise BaseExceptionGroup("both", [e, ValueError("cleanup")]) from None

        run(cleaning)

    it = iterate(from_callback(fails), engine=engine)
    assert next(it) == 0
    with pytest.raises(BaseExceptionGroup) as caught:
        it.close()
    rest: BaseException = caught.value
    while isinstance(rest, BaseExceptionGroup):
        (rest,) = rest.exceptions
    assert isinstance(rest, ValueError)


def grouped(*errors: BaseException) -> Callable[[Callable[[int], Any]], None]:
    """Return a seq that, told to stop, raises a group of its PullExit and *errors*."""

    def seq(yield_: Callable[[int], Any]) -> None:
        try:
            while True:
                yield_(1)
        except PullExit as e:
            group = BaseExceptionGroup("both", [e, *errors])
            group.add_note("a note")
            raise group from KeyError("cause")

    return seq


def test_05_of_a_mixed_group_the_rest_is_raised(engine: Engine) -> None:
    """With its message, its cause and its notes."""
    it = iterate(
        grouped(ValueError("real"), BaseExceptionGroup("inner", [OSError()])), engine=engine
    )
    next(it)
    with pytest.raises(BaseExceptionGroup) as caught:
        it.close()
    assert caught.value.message == "both"
    assert [type(e) for e in caught.value.exceptions] == [ValueError, ExceptionGroup]
    assert isinstance(caught.value.__cause__, KeyError)
    assert caught.value.__notes__ == ["a note"]


class StubbornGroup(BaseExceptionGroup[BaseException]):
    def derive(self, errors: Any) -> Any:
        raise TypeError


def test_05_a_group_that_cannot_be_derived_arrives_whole(engine: Engine) -> None:
    """Its leaves are walked by us; only a new group needs its class."""

    def seq(yield_: Callable[[int], Any]) -> None:
        try:
            while True:
                yield_(1)
        except PullExit as e:
            raise StubbornGroup("both", [e, KeyError()]) from None

    it = iterate(seq, engine=engine)
    next(it)
    with pytest.raises(StubbornGroup) as caught:
        it.close()
    assert len(caught.value.exceptions) == 2


# Nested runs.


def files(callback: Callable[[str], Any], folder: str) -> None:
    for n in range(2):
        callback(f"{folder}/{n}")


def folders(callback: Callable[[str], Any]) -> None:
    for folder in "ab":
        from_callback(lambda inner: files(inner, folder))(callback)


NAMES = ["a/0", "a/1", "b/0", "b/1"]


@pytest.mark.parametrize("n", [0, 10])
def test_17_a_run_inside_of_anothers_callback_is_in_order(n: int, engine: Engine) -> None:
    """On one coroutine: the inner ends before the outer goes on."""
    assert list(iterate(from_callback(folders), engine=engine, read_ahead=n)) == NAMES


def test_17_nested_runs_need_no_pull() -> None:
    """They are push iterators, and may be called as such."""
    got: list[str] = []
    from_callback(folders)(got.append)
    assert got == NAMES


def test_what_is_sent_reaches_the_innermost_run(engine: Engine) -> None:
    """False, too, which is no stop."""
    answers: list[object] = []

    def inner(callback: Callable[[int], Any]) -> None:
        answers.extend([callback(1), callback(2)])

    seq = from_callback(lambda callback: from_callback(inner)(callback))
    it = iterate(seq, engine=engine)
    assert next(it) == 1
    assert it.send(False) == 2
    assert next(it, "end") == "end"
    assert answers == [False, None]


# What a stop says of errors.


def test_an_error_that_leaves_a_stop_says_how_to_name_it(engine: Engine) -> None:
    """The API may report so that it was stopped."""

    def run(callback: Callable[[int], Any]) -> None:
        try:
            callback(1)
        except BaseException:
            raise OSError("callback failed") from None

    it = iterate(from_callback(run), engine=engine)
    next(it)
    with pytest.raises(OSError, match="callback failed") as caught:
        it.close()
    where = "test_an_error_that_leaves_a_stop_says_how_to_name_it.<locals>.run"
    assert caught.value.__notes__ == [
        f"pullit.from_callback: {where} raised this when pullit stopped it;"
        " if that is how it says so, pass stop_errors=(OSError,)"
    ]
    it = iterate(from_callback(run, stop_errors=(OSError,)), engine=engine)
    next(it)
    it.close()


class Refusing(Exception):  # noqa: N818
    """It takes no notes."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


def test_an_error_that_no_stop_has_caused_has_no_note(engine: Engine) -> None:
    """It arrives as it is, with *stop* and without."""
    for options in ({}, {"stop": print}):
        made: Any = options
        seq = from_callback(lambda callback: callback(1) or 1 / 0, **made)
        with pytest.raises(ZeroDivisionError) as caught:
            list(iterate(seq, engine=engine))
        assert not hasattr(caught.value, "__notes__")


def test_what_the_api_raises_when_stop_has_been_called_is_judged_too() -> None:
    """Though no callback has waited."""
    ended, begun = threading.Event(), threading.Event()

    def run(callback: Callable[[int], Any]) -> None:
        callback(1)
        begun.set()
        ended.wait()
        raise OSError("stopped")

    seq = from_callback(run, stop=ended.set, stop_errors=(OSError,))
    it = iterate(seq, engine="thread", read_ahead=4)
    assert next(it) == 1
    begun.wait()
    it.close()
    assert it.done


def test_an_error_that_refuses_a_note_goes_without(engine: Engine) -> None:
    """It arrives as it is."""

    def run(callback: Callable[[int], Any]) -> None:
        try:
            callback(1)
        except BaseException:
            raise Refusing from None

    it = iterate(from_callback(run), engine=engine)
    next(it)
    with pytest.raises(Refusing):
        it.close()


def test_a_recursion_error_of_a_producer_says_what_to_do(engine: Engine) -> None:
    """Its depth counts on top of its consumer's, on greenlets."""

    def endless(yield_: Callable[[int], Any]) -> None:
        endless(yield_)

    with pytest.raises(RecursionError) as caught:
        list(iterate(endless, engine=engine))
    (note,) = caught.value.__notes__
    assert note.startswith("pullit.iterate: ")
    assert "ran out of depth; " in note
    assert "sys.setrecursionlimit" in note
    assert ('engine="thread"' in note) == (engine == "greenlet")


# Messages.


@pytest.mark.parametrize("n", [0, 4])
def test_a_yield_of_the_wrong_number_of_values_says_what_to_do(n: int, engine: Engine) -> None:
    """iterate takes one, and iterate2 two."""
    two: Any = lambda yield_: yield_("k", "v")
    with pytest.raises(TypeError) as caught:
        list(iterate(two, engine=engine, read_ahead=n))
    assert caught.value.__notes__ == [
        "pullit.iterate: yield_ takes one value; call yield_((k, v)), or use pullit.iterate2, or"
        " pull2, where it takes two"
    ]
    one: Any = lambda yield_: yield_("v")
    with pytest.raises(TypeError) as caught:
        list(pullit.iterate2(one, engine=engine, read_ahead=n))
    assert caught.value.__notes__ == [
        "pullit.iterate2: yield_ takes two values, k and v; use pullit.iterate, or pull, where it"
        " takes one"
    ]


def test_yield_is_public_for_annotations() -> None:
    """A producer says so what it yields."""

    def numbers(yield_: pullit.Yield[int]) -> None:
        yield_(1)

    def pairs(yield_: pullit.Yield2[str, int]) -> None:
        yield_("one", 1)

    assert list(iterate(numbers)) == [1]
    assert list(pullit.iterate2(pairs)) == [("one", 1)]


@pytest.mark.parametrize("call", ["for", "next"])
def test_what_from_callback_returns_says_that_it_is_no_iterator(call: str) -> None:
    """It is to be given to iterate."""
    seq: Any = from_callback(api(1, []))
    with pytest.raises(TypeError) as caught:
        list(seq) if call == "for" else next(seq)
    assert str(caught.value) == (
        f"pullit.from_callback: {call} over pullit.from_callback(api), which is a push iterator;"
        " pass it to pullit.iterate, and use what that returns"
    )


def test_22_what_generator_has_made_is_to_be_called() -> None:
    """It would yield nothing, in silence."""

    @pullit.generator
    def leaves(yield_: Callable[[int], Any]) -> None:
        yield_(1)

    made: Any = leaves
    with pytest.raises(TypeError, match=r"made by pullit.generator; call it, and use the iterator"):
        iterate(made)


def test_22_a_static_generator_function_is_refused() -> None:
    """What staticmethod hides is seen at once."""

    def generator(yield_: Any) -> Any:
        yield 1

    hidden: Any = staticmethod(generator)
    with pytest.raises(TypeError, match="not generator function"):
        iterate(hidden)


async def coroutine(yield_: Any) -> None:
    yield_(1)


def generator(yield_: Any) -> Any:
    yield 1


@pytest.mark.parametrize("n", [0, 4])
@pytest.mark.parametrize(
    ("made", "what"),
    [
        (generator, "a generator"),
        (coroutine, "a coroutine"),
        (lambda _: iterate(api(1, [])), "an iterator of pullit's"),
    ],
)
def test_22_what_only_makes_something_is_seen_at_the_end(
    made: Any, what: str, n: int, engine: Engine
) -> None:
    """It was behind an lru_cache, say; what it has made is closed."""
    results: list[Any] = []

    def make(yield_: Any) -> Any:
        results.append(made(yield_))
        return results[-1]

    hidden: Any = functools.lru_cache(make)
    it = iterate(hidden, engine=engine, read_ahead=n)
    with pytest.raises(TypeError) as caught:
        list(it)
    assert f"has yielded nothing, and returned {what} that nobody has started" in str(caught.value)
    assert list(it) == []
    assert list(iterate(lambda yield_: results[0], engine=engine)) == []  # it is closed


def test_22_what_was_started_or_comes_after_a_value_is_a_result(engine: Engine) -> None:
    """As any other."""
    started = generator(None)
    next(started)
    it = iterate(lambda _: started, engine=engine)
    assert list(it) == []
    assert it.result is started

    def late(yield_: Callable[[int], Any]) -> Any:
        yield_(1)
        return generator(None)

    it = iterate(late, engine=engine)
    assert list(it) == [1]
    it.result.close()


def test_a_lambda_is_named_by_its_place() -> None:
    """There may be many."""
    it = iterate(lambda yield_: yield_(1))
    assert "<lambda> (test_stop.py:" in repr(it)


def test_21_a_pool_of_threads_gives_all_values(engine: Engine) -> None:
    """In each thread's own order; on greenlets the refusal says what to pass."""

    def run(callback: Callable[[tuple[int, int]], Any]) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda k: [callback((k, n)) for n in range(10)], range(4)))

    if engine == "greenlet":
        with pytest.raises(pullit.WrongThreadError, match='pass engine="thread" for an API'):
            list(iterate(from_callback(run)))
        return
    got = list(iterate(from_callback(run), engine="thread"))
    for k in range(4):
        assert [n for of, n in got if of == k] == list(range(10))


def test_an_api_that_seq_comes_to_after_the_stop_is_not_called() -> None:
    """It might wait for its source forever: nobody would tell it."""
    log: list[object] = []
    go_on = threading.Event()

    def wait(callback: Callable[[int], Any]) -> None:
        log.append("called")  # pragma: no cover

    def seq(yield_: Callable[[int], Any]) -> None:
        go_on.wait()
        try:
            from_callback(wait, stop=lambda: log.append("stop"))(yield_)
        finally:  # what cleans up, knowing of the stop, may use one
            log.extend(iterate(from_callback(api(2, []), stop=lambda: None)))

    async def main() -> None:
        it = pullit.aiterate(seq)
        first = asyncio.ensure_future(it.__anext__())
        await asyncio.sleep(0)
        first.cancel()
        closing = asyncio.ensure_future(it.aclose())
        await asyncio.sleep(0)
        go_on.set()
        assert await closing is None

    asyncio.run(main())
    assert log == [0, 1]


@pytest.mark.parametrize("n", [0, 8])
def test_17_an_api_that_holds_a_later_one_suspended_is_refused_in_its_callback(
    engine: Engine, n: int
) -> None:
    """There it can end that one. Whoever resumed it could not, nor close it."""
    ended: list[str] = []

    def run(callback: Callable[[int], Any]) -> None:
        with iterate(from_callback(api(4, []))) as inner:
            try:
                for value in inner:
                    callback(value * 10)
            finally:
                ended.append("run")

    for _ in range(2):
        it = iterate(from_callback(run), engine=engine, read_ahead=n)
        with pytest.raises(PullError, match="pass interleave=True to from_callback"):
            next(it)
        assert it.close() is None
        assert list(it) == []
    assert ended == ["run", "run"]
    with pytest.raises(PullError, match="began later, is suspended"):
        from_callback(run)(lambda value: True)
    seq = from_callback(run, interleave=True)
    assert list(iterate(seq, engine=engine, read_ahead=n)) == [0, 10, 20, 30]


def test_each_stop_is_called_though_an_earlier_one_raises() -> None:
    """The last error is raised, with the others among its contexts."""
    ended, called = threading.Event(), list[str]()

    def stop(name: str) -> None:
        called.append(name)
        ended.set()
        raise ValueError(name)

    def inner(callback: Callable[[int], Any]) -> None:
        callback(1)
        ended.wait(10)

    def seq(yield_: Callable[[int], Any]) -> None:
        def run(callback: Callable[[int], Any]) -> None:
            from_callback(inner, stop=lambda: stop("inner"))(yield_)

        from_callback(run, stop=lambda: stop("outer"))(yield_)

    it = iterate(seq, engine="thread", read_ahead=3)
    assert next(it) == 1
    with pytest.raises(ValueError, match="inner") as caught:
        it.close()
    assert called == ["outer", "inner"]
    assert str(caught.value.__context__) == "outer"
