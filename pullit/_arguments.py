"""Checks of arguments, and the names that messages give to them."""

from __future__ import annotations

from functools import partial
from operator import index
from os.path import basename
from reprlib import repr as short_repr
from types import FunctionType
from typing import Any

# The flags, in co_flags, of functions that would run nothing when called as a seq, without
# an error. Not by their names in inspect, which is slow to import.
GENERATOR, ASYNC = 0x20, 0x80 | 0x200  # CO_GENERATOR; CO_COROUTINE, CO_ASYNC_GENERATOR

# A plain function with none of these flags is a possible seq, and is not checked further. Of
# those with ``*args`` some are what pullit.generator has made, which is refused.
SELDOM = GENERATOR | ASYNC | 0x04  # CO_VARARGS

# The code objects of the functions that pullit.generator has returned.
made_by_generator: list[object] = []

# The methods that seq gets as its yield_. Python's TypeError for a call with the wrong
# number of arguments begins with such a qualname.
TAKES_ONE = (
    "ProducerSide.yield_",
    "Channel.yield_",
    "Ahead.yield_",
    "Batches.add",
)
TAKES_TWO = "ProducerSide.yield_pair", "Channel.yield_pair", "Batches.add_pair"
ONE_VALUE = (
    "yield_ takes one value; call yield_((k, v)), or use pullit.iterate2, or pull2, where it"
    " takes two"
)
TWO_VALUES = "yield_ takes two values, k and v; use pullit.iterate, or pull, where it takes one"


def check_seq(
    name: str,
    seq: object,
    what: str = "seq",
    kind: str = "a push iterator, a function that takes yield_",
) -> None:
    """Raise TypeError if *seq* cannot be a push iterator (contract 22)."""
    if type(seq) is FunctionType and not seq.__code__.co_flags & SELDOM:
        return  # nearly always
    if not callable(seq):
        got = f"{type(seq).__name__} {short_repr(seq)}"
        advice = "pass a function that calls yield_(value) for each value"
        if what == "run":
            advice = "pass a function that calls the API with the callback that it is given"
        elif hasattr(type(seq), "__iter__"):
            advice = "for an iterable, pass pullit.from_iterable(it)"
        elif hasattr(type(seq), "__aiter__"):
            advice = "go through an asynchronous iterator with async for"
    elif (flags := code_flags(seq)) & GENERATOR:
        got = f"generator function {seq_name(seq)}"
        advice = f"call {'the callback' if what == 'run' else 'yield_'} in it, not yield"
        if what == "seq":
            advice = f"pass pullit.from_iterable({seq_name(seq)}(...)), or {advice}"
        elif what != "run":  # an iterable will do
            advice = f"pass {seq_name(seq)}(...), or {advice}"
    elif flags & ASYNC:
        got = f"async function {seq_name(seq)}"
        advice = "pass a plain function"
        if name.startswith("pullit.aiterate"):
            advice += (
                "; what is asynchronous needs no pullit: write an async generator, or have"
                " async callbacks send to an anyio.create_memory_object_stream"
            )
    elif what != "run" and getattr(seq, "__code__", None) in made_by_generator:
        got = f"{seq_name(seq)}, made by pullit.generator"
        advice = f"call it, and use the iterator that it returns: {seq_name(seq)}(...)"
    else:
        return
    raise TypeError(f"{name}: {what} must be {kind}, not {got}; {advice}")


def code_flags(function: Any) -> int:
    """Return the flags of the code that calling *function* would run, or 0."""
    while isinstance(function, partial):
        function = function.func
    if type(function) is staticmethod:
        function = function.__func__
    if not hasattr(function, "__code__") and not isinstance(function, type):
        function = getattr(function, "__call__", None)  # noqa: B004  the bound method
    return getattr(getattr(function, "__code__", None), "co_flags", 0)


def check_engine(name: str, engine: object) -> bool:
    """Return whether *engine* is the thread engine; ValueError if it is none."""
    if engine == "greenlet":
        return False
    if engine == "thread":
        return True
    raise ValueError(f"{name}: unknown engine {engine!r}; there are 'greenlet' and 'thread'")


# The read_ahead that needs no look: nearly always this one is given. 0.0 is only equal to it.
STRICT = 0


def check_read_ahead(name: str, read_ahead: object) -> int:
    """Return *read_ahead*, if it is a number of values."""
    try:
        n = index(read_ahead)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(
            f"{name}: read_ahead must be an int, not {type(read_ahead).__name__}"
            f" {short_repr(read_ahead)}; pass a number of values, for example 64"
        ) from None
    if n < 0:
        raise ValueError(f"{name}: read_ahead must be 0 or more, not {n}")
    return min(n, 2**31 - 1)  # no RLock counts higher, as `_read_ahead` needs


def note_on_arguments(error: BaseException) -> str:
    """Return advice if *error* comes of ``yield_`` with too few or too many values, or ''."""
    if type(error) is not TypeError:  # a user's subclass may do anything when asked for args
        return ""
    text = error.args[0] if error.args else ""
    called = text.partition("() ")[0] if isinstance(text, str) else ""
    return ONE_VALUE if called in TAKES_ONE else TWO_VALUES if called in TAKES_TWO else ""


def seq_name(seq: Any) -> str:
    """Return a name for *seq*: its qualname, with file and line for a lambda.

    Its repr is not called, since that may do anything.
    """
    while isinstance(seq, partial):
        seq = seq.func
    if type(seq) is staticmethod:
        seq = seq.__func__
    if getattr(seq, "__name__", None) == "<lambda>" and type(seq) is FunctionType:
        code = seq.__code__
        return f"{seq.__qualname__} ({basename(code.co_filename)}:{code.co_firstlineno})"
    return getattr(seq, "__qualname__", None) or f"{type(seq).__qualname__} object"
