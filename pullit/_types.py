"""The type aliases (push iterators, their yield_, engines), and marks for a missing value."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from typing_extensions import Protocol, TypeVar

    T_co = TypeVar("T_co", covariant=True)
    K_co = TypeVar("K_co", covariant=True)
    V_co = TypeVar("V_co", covariant=True)
    T_contra = TypeVar("T_contra", contravariant=True)
    K_contra = TypeVar("K_contra", contravariant=True)
    V_contra = TypeVar("V_contra", contravariant=True)

    # The defaults and the protocols are there for lambdas, whose yield_ has no annotation.
    # mypy needs the defaults to take Any for what it yields, and basedpyright the protocols.
    T = TypeVar("T", default=Any)
    K = TypeVar("K", default=Any)
    V = TypeVar("V", default=Any)

    class Yield(Protocol[T_contra]):
        def __call__(self, value: T_contra, /) -> Any: ...

    class Yield2(Protocol[K_contra, V_contra]):
        def __call__(self, k: K_contra, v: V_contra, /) -> Any: ...
else:
    # typing_extensions would take longer to import than pullit.
    from typing import TypeVar

    T = T_co = TypeVar("T")
    K = K_co = TypeVar("K")
    V = V_co = TypeVar("V")
    Yield = Callable[[T], Any]
    Yield2 = Callable[[K, V], Any]

# yield_ returns Any, so that a producer may give its parameter any annotation.
Seq: TypeAlias = Callable[[Yield[T]], object]
"""A push iterator: it calls ``yield_(value)`` for each value and returns early
when ``yield_`` returns False. Go's iter.Seq."""

Seq2: TypeAlias = Callable[[Yield2[K, V]], object]
"""A push iterator over pairs: it calls ``yield_(k, v)``. Go's iter.Seq2."""

Engine: TypeAlias = Literal["greenlet", "thread"]

# Stands where there is no value. None will not do: it may be a user's value.
NOTHING: Any = object()

# The default of an argument for which None can be given.
UNSET: Any = object()
