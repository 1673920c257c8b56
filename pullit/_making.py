"""make_pull: which class of pull serves a push iterator."""

from __future__ import annotations

from functools import partial
from types import FunctionType
from typing import Any

from pullit._arguments import SELDOM, check_engine, check_seq, seq_name
from pullit._lifetimes import left, sweep
from pullit._on_greenlet import GreenletPull
from pullit._per_thread import known_thread


def make_pull(
    name: str, seq: Any, engine: object, pairs: bool, label: str = "", read_ahead: int = 0
) -> Any:
    """Return a pull of *seq*, not started. Modules that are seldom wanted are imported here."""
    if left:
        sweep(known_thread())
    if type(seq) is FunctionType and not seq.__code__.co_flags & SELDOM:
        label = label or seq.__qualname__
        if label[-1] == ">":  # that of a lambda
            label = seq_name(seq)
        if engine == "greenlet" and read_ahead < 2:
            return GreenletPull(name, seq, label, pairs)
    else:
        check_seq(name, seq)
        label = label or seq_name(seq)
    on_thread = check_engine(name, engine)
    if type(seq) is not FunctionType and not pairs:
        from pullit._iterable import IterableSeq, open_iterable
        from pullit._iterable_pull import IterablePull

        if isinstance(seq, IterableSeq):
            make = partial(open_iterable, seq.iterable)
            return IterablePull(name, label, make, False, read_ahead > 1)
    if on_thread:
        if read_ahead > 1:
            from pullit._ahead_on_thread import AheadThreadPull

            return AheadThreadPull(name, seq, label, pairs, read_ahead)
        from pullit._on_thread import ThreadPull

        return ThreadPull(name, seq, label, pairs, read_ahead)
    if read_ahead > 1:
        from pullit._read_ahead import AheadPull

        return AheadPull(name, seq, label, pairs, read_ahead)
    return GreenletPull(name, seq, label, pairs)
