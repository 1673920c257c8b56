"""What may be passed as seq and as engine, and how messages name them."""

from __future__ import annotations

import threading
from functools import partial
from operator import index
from reprlib import repr as short_repr
from types import FunctionType
from typing import Any

import greenlet

# inspect's CO_GENERATOR, and CO_COROUTINE with CO_ASYNC_GENERATOR; inspect takes
# longer to import than all of pullit.
GENERATOR, ASYNC = 0x20, 0x80 | 0x200


def check_seq(
    name: str,
    seq: object,
    what: str = "seq",
    kind: str = "a push iterator, a function that takes yield_",
) -> None:
    """Raise TypeError if *seq* cannot be a push iterator (contract 22).

    A generator function and an async function could be called, but would only
    return an object that nobody runs: an empty iteration, in silence.
    """
    if type(seq) is FunctionType and not seq.__code__.co_flags & (GENERATOR | ASYNC):
        return  # nearly always
    must = f"{name}: {what} must be {kind}, not "
    if not callable(seq):
        advice = "pass a function that calls yield_(value) for each value"
        if what == "run":
            advice = "pass a function that calls the API with the callback that it is given"
        elif hasattr(type(seq), "__iter__"):
            advice = "for an iterable, pass pullit.from_iterable(it)"
        raise TypeError(f"{must}{type(seq).__name__} {short_repr(seq)}; {advice}")
    flags = code_flags(seq)
    if flags & GENERATOR:
        advice = "call yield_ in it, not yield"
        if what == "seq":
            advice = f"pass pullit.from_iterable({seq_name(seq)}(...)), or {advice}"
        raise TypeError(f"{must}generator function {seq_name(seq)}; {advice}")
    if flags & ASYNC:
        raise TypeError(f"{must}async function {seq_name(seq)}; pass a plain function")


def code_flags(function: Any) -> int:
    """Return the flags of the code that calling *function* would run, or 0."""
    while isinstance(function, partial):
        function = function.func
    if not hasattr(function, "__code__") and not isinstance(function, type):
        function = getattr(function, "__call__", None)  # noqa: B004  the bound method
    return getattr(getattr(function, "__code__", None), "co_flags", 0)


def find_engine(name: str, engine: object) -> Any:
    """Return the engine of that name, or raise ValueError."""
    if engine == "greenlet":
        return greenlet
    if engine == "thread":
        from pullit import _threads  # which most programs do without

        return _threads
    raise ValueError(f"{name}: unknown engine {engine!r}; there are 'greenlet' and 'thread'")


ALL = 2**31 - 1  # as many as a lock can be held


def check_read_ahead(name: str, read_ahead: int) -> int:
    """Return *read_ahead*, or raise TypeError or ValueError."""
    n = index(read_ahead)
    if n < 0:
        raise ValueError(f"{name}: read_ahead must be 0 or more, not {n}")
    return min(n, ALL)


def seq_name(seq: Any) -> str:
    """Return a short name for *seq*, without calling its repr, which may do anything."""
    while isinstance(seq, partial):
        seq = seq.func
    return getattr(seq, "__qualname__", None) or f"{type(seq).__qualname__} object"


def thread_name(ident: int) -> str:
    """Name the thread *ident* for a message."""
    for thread in threading.enumerate():
        if thread.ident == ident:
            return f"thread {thread.name!r}"
    return f"thread {ident}"  # threading does not know it, or not any more
