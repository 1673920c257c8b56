"""Push iterators, as types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypeVar

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")
T_co = TypeVar("T_co", covariant=True)
K_co = TypeVar("K_co", covariant=True)
V_co = TypeVar("V_co", covariant=True)

# Any, so that a producer may annotate its yield_ as answering bool, or the type
# of what its consumer sends.
Seq: TypeAlias = Callable[[Callable[[T], Any]], object]
"""A push iterator: it calls ``yield_(value)`` for each value and returns early
when that answers false. Go's ``iter.Seq``."""

Seq2: TypeAlias = Callable[[Callable[[K, V], Any]], object]
"""A push iterator over pairs: it calls ``yield_(k, v)``. Go's ``iter.Seq2``."""

Engine: TypeAlias = Literal["greenlet", "thread"]
