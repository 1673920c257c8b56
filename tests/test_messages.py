"""What errors, notes and refusals say, to the letter: what happened, and what to do instead.

The messages of contracts that have a file of their own are tested there: resuming out of
order in test_callback, a drop in another thread and a thread's end in test_lifetimes, a
fork in test_processes, and reading ahead in test_ahead.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import threading
from collections.abc import Callable
from typing import Any

import greenlet
import pytest
from elsewhere import error_in_thread, in_thread
from producers import api, countdown, failing

import pullit
from pullit import PullError, PullExit, WrongThreadError, from_callback, iterate, iterate2
from pullit._pull import EXITS
from pullit._types import Engine

MUST = "seq must be a push iterator, a function that takes yield_, not"


def text_of(call: Callable[[], object], kind: type[BaseException]) -> str:
    """Return what the error says that *call* raises; it is of that very *kind*."""
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    return str(caught.value)


def notes_of(call: Callable[[], object], kind: type[BaseException]) -> list[str]:
    """Return the notes of the error that *call* raises."""
    with pytest.raises(kind) as caught:
        call()
    return getattr(caught.value, "__notes__", [])


def line_of(function: Any) -> str:
    """Return the name and the place of a lambda, as messages have it."""
    code = function.__code__
    return f"{function.__qualname__} (test_messages.py:{code.co_firstlineno})"


# yield_ with a wrong number of values.

ONE = (
    "yield_ takes one value; call yield_((k, v)), or use pullit.iterate2, or pull2, where it"
    " takes two"
)
TWO = "yield_ takes two values, k and v; use pullit.iterate, or pull, where it takes one"


@pytest.mark.parametrize("n", [0, 1, 4])
def test_yield_of_two_values_where_it_takes_one(n: int, engine: Engine) -> None:
    """The note is on Python's own TypeError, by whichever name."""
    two: Any = lambda yield_: yield_("k", "v")
    generator: Any = pullit.generator
    its = {
        "iterate": lambda: list(iterate(two, engine=engine, read_ahead=n)),
        "generator": lambda: list(generator(two, engine=engine, read_ahead=n)()),
        "pull": lambda: pullit.pull(two, engine=engine).next(),
    }
    for name, call in its.items():
        assert notes_of(call, TypeError) == [f"pullit.{name}: {ONE}"]


@pytest.mark.parametrize("n", [0, 1, 4])
def test_yield_of_one_value_where_it_takes_two(n: int, engine: Engine) -> None:
    """So under iterate2 and pull2."""
    one: Any = lambda yield_: yield_("v")
    its = {
        "iterate2": lambda: list(iterate2(one, engine=engine, read_ahead=n)),
        "pull2": lambda: pullit.pull2(one, engine=engine).next(),
    }
    for name, call in its.items():
        assert notes_of(call, TypeError) == [f"pullit.{name}: {TWO}"]


def test_another_type_error_has_no_note(engine: Engine) -> None:
    """Nor one without a text, nor one of a user's class, which may say anything."""

    class Unsayable:
        def __str__(self) -> str:
            raise KeyError

    class OddTypeError(TypeError):
        args = property(lambda _: 1 / 0)

    errors = [
        TypeError("f() takes 1 positional argument but 2 were given"),
        TypeError(),
        TypeError(Unsayable()),
        OddTypeError(),
    ]
    for error in errors:
        seq = failing(error, 1)
        assert notes_of(lambda: list(iterate(seq, engine=engine)), TypeError) == []


# Refused calls.

CALLS: dict[str, Callable[[Any], object]] = {
    "next": next,
    "send": lambda it: it.send(1),
    "throw": lambda it: it.throw(KeyError),
    "close": lambda it: it.close(),
}


def leave(it: Any) -> None:
    with it:
        pass


@pytest.mark.parametrize("call", CALLS)
def test_07_what_is_refused_is_named_as_it_was_called(call: str, engine: Engine) -> None:
    """close, not stop; at the end of a with block as well."""
    texts: list[str] = []

    def seq(yield_: Callable[[int], Any]) -> None:
        calls = [CALLS[call], leave] if call == "close" else [CALLS[call]]
        texts.extend(text_of(lambda: refused(it), PullError) for refused in calls)
        yield_(1)

    seq.__qualname__ = "seq"
    it = iterate(seq, engine=engine)
    assert next(it) == 1
    assert list(it) == []
    assert set(texts) == {
        f"pullit.iterate: {call} called again before yield; seq is running: do not call {call}"
        " from inside it, nor from two threads at once"
    }


def test_07_next_and_stop_of_a_pull_are_named_so(engine: Engine) -> None:
    """At the end of a with block, too."""
    texts: list[str] = []

    def seq(yield_: Callable[[int], Any]) -> None:
        texts.extend(text_of(call, PullError) for call in (pulled.next, pulled.stop))
        texts.append(text_of(lambda: leave(pulled), PullError))
        yield_(1)

    seq.__qualname__ = "seq"
    pulled = pullit.pull(seq, engine=engine)
    assert pulled.next() == (1, True)
    pulled.stop()
    assert texts == [
        f"pullit.pull: {call} called again before yield; seq is running: do not call {call}"
        " from inside it, nor from two threads at once"
        for call in ("next", "stop", "stop")
    ]


@pytest.mark.parametrize("call", CALLS)
def test_07_so_it_is_of_a_zip(call: str) -> None:
    """Which names what it walks."""
    texts: list[str] = []

    def seq(yield_: Callable[[int], Any]) -> None:
        texts.append(text_of(lambda: CALLS[call](it), PullError))
        yield_(1)

    seq.__qualname__ = "seq"
    it = pullit.zip(seq, "ab")
    assert next(it) == (1, "a")
    it.close()
    assert texts == [
        f"pullit.zip: {call} called again before yield; zip(seq, 'ab') is running: do not call"
        f" {call} from inside it, nor from two threads at once"
    ]


@pytest.mark.parametrize("call", CALLS)
def test_11_a_wrong_thread_hears_which_one_is_right(call: str) -> None:
    """And what to pass; the call is named as it was made."""
    it = iterate(countdown)
    next(it)
    error = error_in_thread(lambda: CALLS[call](it))
    assert type(error) is WrongThreadError
    assert str(error) == (
        f"pullit.iterate: {call} called in thread 'other', but countdown was started in thread"
        " 'MainThread' and cannot change threads; call it there, or pass engine=\"thread\""
    )
    it.close()


def test_11_two_threads_of_one_name_are_told_apart() -> None:
    """By their numbers."""
    it = iterate(countdown)
    texts: list[str] = []
    here, there = threading.get_ident(), 0

    def ask() -> None:
        nonlocal there
        there = threading.get_ident()
        texts.append(text_of(lambda: next(it), WrongThreadError))

    next(it)
    in_thread(ask, name=threading.current_thread().name)
    it.close()
    name = repr(threading.current_thread().name)
    assert texts == [
        f"pullit.iterate: next called in thread {name} ({there}), but countdown was started in"
        f" thread {name} ({here}) and cannot change threads; call it there, or pass"
        ' engine="thread"'
    ]


@pytest.mark.parametrize("n", [0, 4])
def test_18_a_yield_in_another_thread_says_what_to_pass(n: int) -> None:
    """There, and at the consumer."""
    texts: list[str] = []

    def run(callback: Callable[[int], Any]) -> None:
        texts.append(str(error_in_thread(lambda: callback(1))))

    run.__qualname__ = "run"
    it = iterate(from_callback(run), read_ahead=n)
    texts.append(text_of(lambda: next(it), WrongThreadError))
    assert texts == 2 * [
        "pullit.iterate: yield_ called in thread 'other', but from_callback(run) was started in"
        " thread 'MainThread'; pass engine=\"thread\" for an API that calls back from other"
        " threads"
    ]


def test_08_a_kept_yield_is_refused_by_the_name_of_the_function(engine: Engine) -> None:
    """Under pull2 and iterate2 as well."""
    kept: list[Callable[[int, int], Any]] = []

    def seq(yield_: Callable[[int, int], Any]) -> None:
        kept.append(yield_)
        yield_(1, 2)

    seq.__qualname__ = "seq"
    pulled = pullit.pull2(seq, engine=engine)
    assert pulled.next() == (1, 2, True)
    assert text_of(lambda: kept[0](1, 2), PullError) == (
        "pullit.pull2: yield_ called again before next; seq is suspended in its last call of it:"
        " only the producer may call yield_"
    )
    pulled.stop()


def test_09_a_next_in_a_greenlet_of_the_producers_says_where_to_call_it() -> None:
    """It would be resumed by what waits for it."""
    texts: list[str] = []
    made: list[Any] = []

    def seq(yield_: Callable[[int], Any]) -> None:
        child = greenlet.greenlet(lambda: texts.append(text_of(lambda: next(it), PullError)))
        made.append(child)
        child.run  # noqa: B018
        yield_(1)

    seq.__qualname__ = "seq"
    it = iterate(seq)
    assert next(it) == 1
    made[0].switch()
    assert texts == [
        "pullit.iterate: next called in a greenlet that seq has started; call it outside of the"
        " producer"
    ]
    it.close()


def test_16_a_send_that_is_too_early_says_what_to_call(engine: Engine) -> None:
    """Of each name."""
    its = {
        "iterate": iterate(countdown, engine=engine),
        "generator": pullit.generator(countdown, engine=engine)(),
    }
    for name, it in its.items():
        assert text_of(lambda: it.send(1), TypeError) == (
            f"pullit.{name}: cannot send to <pullit.PullIterator of countdown, unstarted>; call"
            " next first"
        )


def test_21_a_send_before_the_value_that_was_asked_for_says_what_to_call() -> None:
    """So does a throw."""
    it: Any = iterate(countdown, engine="thread")
    assert next(it) == 3
    it._pull.resume_yield(None)  # what a next has done that was interrupted for want of room
    for call in "send", "throw":
        assert text_of(lambda: CALLS[call](it), PullError) == (
            f"pullit.iterate: {call} before the value that the last call has asked for; call"
            " next first"
        )
    assert list(it) == [2, 1]


def test_throw_says_what_it_takes(engine: Engine) -> None:
    """By the name of the function that made the iterator."""
    its = {
        "iterate": iterate(countdown, engine=engine),
        "iterate2": iterate2(lambda yield_: yield_(1, 2), engine=engine),
        "zip": pullit.zip(countdown, [1]),
    }
    for name, it in its.items():
        made: Any = it
        for wrong, shown in (3, "3"), (int, "<class 'int'>"):
            assert text_of(lambda: made.throw(wrong), TypeError) == (
                f"pullit.{name}: throw takes an exception, a class or an instance, not {shown}"
            )
        assert text_of(lambda: made.throw(ValueError("x"), 3), TypeError) == (
            f"pullit.{name}: throw takes an instance without a value; leave the value out"
        )


def test_06_stop_iteration_says_what_to_do_instead(engine: Engine) -> None:
    """It becomes a RuntimeError, of whatever name."""

    def seq(yield_: Callable[[int], Any]) -> None:
        next(iter(()))

    seq.__qualname__ = "seq"
    advice = "raised StopIteration; return instead, or catch it where a next raises it"
    its: dict[str, Callable[[], object]] = {
        "pullit.iterate: seq": lambda: list(iterate(seq, engine=engine)),
        "pullit.pull: seq": pullit.pull(seq, engine=engine).next,
        "pullit.generator: seq": lambda: list(pullit.generator(seq, engine=engine)()),
        "pullit.iterate: from_callback(seq)": lambda: list(
            iterate(from_callback(seq), engine=engine)
        ),
    }
    for name, call in its.items():
        assert text_of(call, RuntimeError) == f"{name} {advice}"


def test_06_stop_iteration_about_an_iterable_says_what_to_do_instead() -> None:
    """Where it is thrown, and where its iter raises it."""

    class Empty:
        def __iter__(self) -> Any:
            raise StopIteration

    it = iterate(pullit.from_iterable([1, 2]))
    next(it)
    assert text_of(lambda: it.throw(StopIteration), RuntimeError) == (
        "pullit.iterate: from_iterable(list object) raised StopIteration; throw another exception"
    )
    empty = iterate(pullit.from_iterable(Empty()))
    where = "test_06_stop_iteration_about_an_iterable_says_what_to_do_instead.<locals>.Empty"
    assert text_of(lambda: next(empty), RuntimeError) == (
        f"pullit.iterate: iter of from_iterable({where} object) raised StopIteration; catch it in"
        " __iter__"
    )


def test_05_a_pull_exit_says_what_to_do_instead(engine: Engine) -> None:
    """In a producer that goes on, and in an API."""
    texts: list[str] = []

    def seq(yield_: Callable[[int], Any]) -> None:
        for _ in range(20):
            try:
                if not yield_(1) and texts:
                    return
            except PullExit as e:
                texts.append(str(e))

    it = iterate(seq, engine=engine)
    next(it)
    it.close()
    assert texts == EXITS * [
        "pullit.iterate: yield_ called after it returned False; return instead"
    ]


def test_05_where_there_is_no_pull_the_exit_says_what_to_do() -> None:
    """What from_callback returns may be called as it is."""
    texts: list[str] = []

    def run(callback: Callable[[int], Any]) -> None:
        texts.append(text_of(lambda: callback(1), PullExit))

    from_callback(run)(lambda _: False)
    assert texts == ["pullit.from_callback: told to stop; let this pass"]


def test_05_an_exit_of_a_producer_that_waits_elsewhere_says_why() -> None:
    """Its consumer was interrupted, by another greenlet."""
    texts: list[str] = []
    main = greenlet.getcurrent()

    def seq(yield_: Callable[[int], Any]) -> None:
        try:
            main.switch()
        except PullExit as e:
            texts.append(str(e))
            raise

    def consume() -> None:
        it = iterate(seq)
        with pytest.raises(KeyError):
            next(it)

    asking = greenlet.greenlet(consume)
    asking.switch()
    asking.throw(KeyError)
    assert texts == ["pullit.iterate: its consumer was interrupted; let this pass"]


# What cannot be meant.


def generates(yield_: Any) -> Any:
    yield 1


async def awaits(yield_: Any) -> None:
    pass


class Tree:
    """With methods that generate."""

    @pullit.generator
    def leaves(self, yield_: Callable[[int], Any]) -> None:
        yield_(1)

    @staticmethod
    @pullit.generator
    def kinds(yield_: Callable[[str], Any]) -> None:
        yield_("oak")


@pullit.generator
def leaves(yield_: Callable[[int], Any], *tree: int) -> None:
    for leaf in tree:
        yield_(leaf)


MAKERS = {
    "pull": pullit.pull,
    "pull2": pullit.pull2,
    "iterate": iterate,
    "iterate2": iterate2,
    "generator": pullit.generator,
}


@pytest.mark.parametrize("name", MAKERS)
def test_22_what_generator_has_made_says_to_be_called(name: str, engine: Engine) -> None:
    """A function, a method, a static one; on both engines."""
    make: Any = MAKERS[name]
    for made, shown in (
        (leaves, "leaves"),
        (Tree().leaves, "Tree.leaves"),
        (Tree.kinds, "Tree.kinds"),
    ):
        assert text_of(lambda: make(made, engine=engine), TypeError) == (
            f"pullit.{name}: {MUST} {shown}, made by pullit.generator; call it, and use the"
            f" iterator that it returns: {shown}(...)"
        )


def test_22_so_it_does_to_zip() -> None:
    """By the place of the argument; an iterable would do there."""
    combine: Any = [pullit.zip, pullit.zip_longest, pullit.merge, pullit.equal]
    for function in combine:
        assert text_of(lambda: function([1], leaves), TypeError) == (
            f"pullit.{function.__name__}: argument 2 must be a push iterator, a function that"
            " takes yield_, or an iterable, not leaves, made by pullit.generator; call it, and"
            " use the iterator that it returns: leaves(...)"
        )


@pytest.mark.parametrize("name", MAKERS)
def test_22_what_staticmethod_hides_is_refused_at_once(name: str) -> None:
    """In the same words."""
    make: Any = MAKERS[name]
    assert text_of(lambda: make(staticmethod(generates)), TypeError) == (
        f"pullit.{name}: {MUST} generator function generates; pass"
        " pullit.from_iterable(generates(...)), or call yield_ in it, not yield"
    )
    assert text_of(lambda: make(staticmethod(awaits)), TypeError) == (
        f"pullit.{name}: {MUST} async function awaits; pass a plain function"
    )


@pytest.mark.parametrize("n", [0, 4])
@pytest.mark.parametrize(
    ("make", "returned"),
    [
        (
            generates,
            "a generator that nobody has started; call yield_ in it, not yield, or pass"
            " pullit.from_iterable of it",
        ),
        (
            awaits,
            "a coroutine that nobody has started; call yield_ in a plain function, not an async"
            " one",
        ),
        (
            lambda _: iterate(countdown),
            "an iterator of pullit's that nobody has started; use that iterator itself",
        ),
        (
            lambda _: pullit.pull(countdown),
            "an iterator of pullit's that nobody has started; use that iterator itself",
        ),
    ],
)
def test_22_what_only_makes_something_says_what_to_call_instead(
    make: Any, returned: str, n: int, engine: Engine
) -> None:
    """Behind an lru_cache, in a lambda, and as an API."""
    cached: Any = functools.lru_cache(make)
    name = line_of(make) if make.__name__ == "<lambda>" else make.__qualname__
    cached.__qualname__ = name
    hidden: Any = lambda yield_: make(yield_)
    run: Any = lambda callback: make(callback)
    for seq, label in (
        (cached, name),
        (hidden, line_of(hidden)),
        (from_callback(run), f"from_callback({line_of(run)})"),
    ):
        text = text_of(lambda: list(iterate(seq, engine=engine, read_ahead=n)), TypeError)
        assert text == f"pullit.iterate: {label} has yielded nothing, and returned {returned}"


def test_a_result_that_is_missing_names_a_lambda_by_its_place(engine: Engine) -> None:
    """So do repr and other messages."""
    seq: Any = lambda yield_: yield_(1)
    it = iterate(seq, engine=engine)
    name = line_of(seq)
    assert repr(it) == f"<pullit.PullIterator of {name}, unstarted>"
    advice = "look at .result when the iterator has ended by itself"
    assert text_of(lambda: it.result, PullError) == (
        f"pullit.iterate: no result: {name} has not returned yet; {advice}"
    )
    it.close()
    assert text_of(lambda: it.result, PullError) == (
        f"pullit.iterate: no result: {name} did not return; {advice}"
    )
    partial: Any = functools.partial(seq)
    assert repr(iterate(partial, engine=engine)) == f"<pullit.PullIterator of {name}, unstarted>"


def test_copies_are_refused_with_what_to_do_instead(engine: Engine) -> None:
    """Of what drives a pull, by the name of the function to call."""
    for name, pulled in (
        ("pull", pullit.pull(countdown, engine=engine)),
        ("pull2", pullit.pull2(lambda yield_: None, engine=engine)),
    ):
        label = "countdown" if name == "pull" else pulled.stop.__self__._pull.label  # type: ignore[attr-defined]
        assert text_of(lambda: copy.deepcopy(pulled.stop), TypeError) == (
            f"cannot copy or pickle what drives {label}; call pullit.{name} again"
        )
    assert text_of(pullit.PullIterator, TypeError) == (
        "cannot create a pullit.PullIterator; call pullit.iterate(seq)"
    )


# from_callback, and what else has arguments.


def test_arguments_of_from_callback_are_checked_when_given() -> None:
    """Each by its name."""
    made: Any = from_callback
    run = api(1, [])
    for name in "pack", "reply", "stop":
        assert text_of(lambda: made(run, **{name: "x"}), TypeError) == (
            f"pullit.from_callback: {name} must be a function, not str 'x'"
        )
    kind = "stop_errors must be a tuple of classes of exceptions, not"
    for given, shown in (
        (OSError, "<class 'OSError'>; pass (OSError,)"),
        ((OSError, 3), "(<class 'OSError'>, 3)"),
        ([OSError], "[<class 'OSError'>]"),
        (int, "<class 'int'>"),
        (None, "None"),
    ):
        assert text_of(lambda: made(run, stop_errors=given), TypeError) == (
            f"pullit.from_callback: {kind} {shown}"
        )


def test_run_of_from_callback_is_checked_when_given() -> None:
    """In it, the callback is called, and not yield_."""
    made: Any = from_callback
    must = "pullit.from_callback: run must be a function of one argument, the callback, not"
    for given, shown in (
        (3, "int 3; pass a function that calls the API with the callback that it is given"),
        ([1], "list [1]; pass a function that calls the API with the callback that it is given"),
        (generates, "generator function generates; call the callback in it, not yield"),
        (awaits, "async function awaits; pass a plain function"),
    ):
        assert text_of(lambda: made(given), TypeError) == f"{must} {shown}"


@pytest.mark.parametrize("name", ["iterate", "iterate2", "generator"])
def test_read_ahead_is_checked_when_given(name: str, engine: Engine) -> None:
    """Before anything else is done; by both engines."""
    make: Any = MAKERS[name]
    advice = "; pass a number of values, for example 64"
    for n, kind, shown in (
        (-1, ValueError, "0 or more, not -1"),
        (0.0, TypeError, f"an int, not float 0.0{advice}"),
        (1.5, TypeError, f"an int, not float 1.5{advice}"),
        ("2", TypeError, f"an int, not str '2'{advice}"),
        (None, TypeError, f"an int, not NoneType None{advice}"),
    ):
        assert text_of(lambda: make(countdown, read_ahead=n, engine=engine), kind) == (
            f"pullit.{name}: read_ahead must be {shown}"
        )


def test_generator_says_what_its_function_must_be_like() -> None:
    """Used as a decorator, or with options."""
    made: Any = pullit.generator
    no_arguments: Any = lambda: None
    for decorate in made, made(engine="thread"):
        assert text_of(lambda: decorate(3), TypeError) == (
            f"pullit.generator: {MUST} int 3; pass a function that calls yield_(value) for each"
            " value"
        )
        assert text_of(lambda: decorate(no_arguments), TypeError) == (
            f"pullit.generator: {line_of(no_arguments)} takes no positional argument; its first"
            " parameter must be yield_"
        )
        assert text_of(lambda: decorate(classmethod(countdown)), TypeError) == (
            "pullit.generator: got a classmethod; write @classmethod above @generator"
        )
    assert text_of(lambda: made(engine="x"), ValueError) == (
        "pullit.generator: unknown engine 'x'; there are 'greenlet' and 'thread'"
    )


def test_from_iterable_says_what_it_takes() -> None:
    """And what it got."""
    made: Any = pullit.from_iterable
    assert text_of(lambda: made(3), TypeError) == (
        "pullit.from_iterable: expected an iterable, not int 3"
    )


@pytest.mark.parametrize("call", ["for", "next"])
def test_what_from_callback_returns_says_where_to_pass_it(call: str) -> None:
    """A lambda is named by its place; and zip takes it for the push iterator that it is."""
    run = lambda callback: callback(1)
    seq: Any = from_callback(run)
    assert text_of(lambda: list(seq) if call == "for" else next(seq), TypeError) == (
        f"pullit.from_callback: {call} over pullit.from_callback({line_of(run)}), which is a push"
        " iterator; pass it to pullit.iterate, and use what that returns"
    )
    assert not hasattr(seq, "__iter__")
    assert list(pullit.zip(seq, "a")) == [(1, "a")]


def test_what_pull_returns_is_a_tuple_that_unpacks(engine: Engine) -> None:
    """It refuses nothing that a tuple does."""
    pulled = pullit.pull(countdown, engine=engine)
    next_, stop = pulled
    assert isinstance(pulled, tuple)
    assert list(pulled) == [next_, stop]
    assert pulled[0] == pulled.next == next_


def test_keyword_arguments_without_pack_say_what_to_pass(engine: Engine) -> None:
    """All of them are named."""

    def run(callback: Callable[..., Any]) -> None:
        callback(1, depth=2, name="x")

    run.__qualname__ = "run"
    assert text_of(lambda: list(iterate(from_callback(run), engine=engine)), TypeError) == (
        "pullit.from_callback: run calls back with keyword arguments, depth, name; say what they"
        " make by pack, for example pack=lambda *args, **kwargs: (args, kwargs)"
    )


# Notes.


def stopped_by(*errors: BaseException) -> Callable[[Callable[[int], Any]], None]:
    """Return an API that raises *errors*, a group if they are several, when it is stopped."""

    def run(callback: Callable[[int], Any]) -> None:
        try:
            while True:
                callback(1)
        except BaseException:
            if len(errors) == 1:
                raise errors[0] from None
            raise BaseExceptionGroup("several", errors) from None

    run.__qualname__ = "run"
    return run


class Stopped(Exception):  # noqa: N818
    """What an API raises to say that it was stopped."""


SEVERAL = [OSError("x"), ExceptionGroup("inner", [Stopped(), OSError()])]


@pytest.mark.parametrize(
    ("errors", "named", "kinds"),
    [
        ([OSError("x")], "(OSError,)", (OSError,)),
        ([Stopped()], "(test_messages.Stopped,)", (Stopped,)),
        (SEVERAL, "(OSError, test_messages.Stopped)", (OSError, Stopped)),
        ([OSError("x"), OSError("y")], "(OSError,)", (OSError,)),
    ],
)
@pytest.mark.parametrize("n", [0, 4])
def test_a_note_names_what_to_pass_as_stop_errors(
    errors: list[BaseException], named: str, kinds: Any, n: int, engine: Engine
) -> None:
    """As one writes it; of a group, what is in it. Passed so, it is swallowed."""
    it = iterate(from_callback(stopped_by(*errors)), engine=engine, read_ahead=n)
    next(it)
    assert notes_of(it.close, BaseException) == [
        "pullit.from_callback: run raised this when pullit stopped it; if that is how it says"
        f" so, pass stop_errors={named}"
    ]
    it = iterate(from_callback(stopped_by(*errors), stop_errors=kinds), engine=engine, read_ahead=n)
    next(it)
    it.close()


def test_the_note_is_on_what_a_with_block_raises(engine: Engine) -> None:
    """And on that of a break's end, where nothing is handled."""
    with pytest.raises(OSError, match="x") as caught:  # noqa: SIM117
        with iterate(from_callback(stopped_by(OSError("x"))), engine=engine) as it:
            for _ in it:
                break
    assert len(caught.value.__notes__) == 1


def test_a_note_is_given_once(engine: Engine) -> None:
    """An API inside another's callback, and an exception that is raised again."""
    error = OSError("x")
    for _ in range(2):
        it = iterate(from_callback(stopped_by(error)), engine=engine)
        next(it)
        assert len(notes_of(it.close, OSError)) == 1


class RefusesNotes(Exception):  # noqa: N818
    """It takes no attributes."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


class HasOddNotes(Exception):  # noqa: N818
    """Its notes are none."""

    @property
    def __notes__(self) -> Any:  # type: ignore[override]
        raise KeyError("no notes")


@pytest.mark.parametrize("kind", [RefusesNotes, HasOddNotes])
def test_an_exception_that_refuses_notes_arrives_without(
    kind: type[BaseException], engine: Engine
) -> None:
    """The very object."""
    error = kind()
    it = iterate(from_callback(stopped_by(error)), engine=engine)
    next(it)
    with pytest.raises(kind) as caught:
        it.close()
    assert caught.value is error
    assert "__notes__" not in vars(error)


DEPTH = {
    "greenlet": (
        "ran out of depth; its calls count on top of those around its first next: start it from"
        ' fewer, raise sys.setrecursionlimit, or pass engine="thread", where it has its own'
    ),
    "thread": "ran out of depth; raise sys.setrecursionlimit",
}


@pytest.mark.parametrize("n", [0, 4])
def test_a_recursion_error_bears_a_note_about_depth(n: int, engine: Engine) -> None:
    """Once, whatever the name of the function."""

    def endless(yield_: Callable[[int], Any]) -> None:
        endless(yield_)

    endless.__qualname__ = "endless"
    calls: dict[str, Callable[[], object]] = {
        "iterate: endless": lambda: list(iterate(endless, engine=engine, read_ahead=n)),
        "pull: endless": lambda: pullit.pull(endless, engine=engine).next(),
        "iterate: from_callback(endless)": lambda: list(
            iterate(from_callback(endless), engine=engine, read_ahead=n)
        ),
    }
    for name, call in calls.items():
        assert notes_of(call, RecursionError) == [f"pullit.{name} {DEPTH[engine]}"]


def test_05_the_note_is_not_on_what_the_loop_raises(engine: Engine) -> None:
    """Nor on what a group of exits was wrapped in."""

    async def main(callback: Callable[[int], Any]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(work(callback))

    async def work(callback: Callable[[int], Any]) -> None:
        callback(1)

    with pytest.raises(KeyError) as caught:  # noqa: SIM117
        with iterate(from_callback(lambda cb: asyncio.run(main(cb))), engine=engine) as it:
            for _ in it:
                raise KeyError("of the loop")
    assert not hasattr(caught.value, "__notes__")
