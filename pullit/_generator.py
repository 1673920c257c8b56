"""generator: functions that yield from any depth of calls."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import WRAPPER_ASSIGNMENTS, partial, update_wrapper
from types import MethodType
from typing import Any, Concatenate, ParamSpec, overload

from pullit._arguments import check_engine, check_read_ahead, check_seq, seq_name
from pullit._iterator import PullIterator, make_iterator
from pullit._types import Engine, T

P = ParamSpec("P")


@overload
def generator(
    function: Callable[Concatenate[Callable[[T], Any], P], object],
    /,
    *,
    read_ahead: int = 0,
    engine: Engine = "greenlet",
) -> Callable[P, PullIterator[T]]: ...
@overload
def generator(
    *, read_ahead: int = 0, engine: Engine = "greenlet"
) -> Callable[
    [Callable[Concatenate[Callable[[T], Any], P], object]], Callable[P, PullIterator[T]]
]: ...
def generator(function: Any = None, /, *, read_ahead: int = 0, engine: Engine = "greenlet") -> Any:
    """Make a function whose first parameter is `yield_` into a generator function:

        >>> @generator
        ... def leaves(yield_, tree):
        ...     for node in tree:
        ...         if isinstance(node, list):
        ...             for leaf in leaves(node):
        ...                 yield_(leaf)
        ...         else:
        ...             yield_(node)
        >>> list(leaves([1, [2, [3]], 4]))
        [1, 2, 3, 4]

    It returns an iterator, as `iterate` does. Name, docstring and the rest of the
    signature are kept. For a method, decorate a function inside it.
    """
    check_engine("pullit.generator", engine)
    check_read_ahead("pullit.generator", read_ahead)
    if function is None:
        return partial(generator, read_ahead=read_ahead, engine=engine)
    check_seq("pullit.generator", function)
    first, label = first_parameter(function), seq_name(function)

    def generate(*args: Any, **kwargs: Any) -> PullIterator[Any]:
        def seq(yield_: Any) -> object:
            return function(yield_, *args, **kwargs)

        return make_iterator("pullit.generator", seq, engine, read_ahead, label=label)

    update_wrapper(generate, function, [n for n in WRAPPER_ASSIGNMENTS if "annot" not in n])
    copy_annotations(generate, function, first)
    # inspect.signature drops the first parameter of a bound method, and does so when
    # asked, when all annotations can be evaluated.
    generate.__wrapped__ = MethodType(function, generator)  # type: ignore[attr-defined]
    return generate


def first_parameter(function: Any) -> str:
    """Return the name of the parameter for yield_, or raise TypeError."""
    code = getattr(function, "__code__", None)
    if code is None:
        return ""
    first: str = code.co_varnames[0] if code.co_argcount else ""
    if first in ("self", "cls"):
        raise TypeError(
            f"pullit.generator: the first parameter of {seq_name(function)} is {first};"
            " it must be yield_: decorate a function inside the method, and return its call"
        )
    if not first and not code.co_flags & 0x04:  # CO_VARARGS
        raise TypeError(
            f"pullit.generator: {seq_name(function)} takes no positional argument;"
            " its first parameter must be yield_"
        )
    return first


def copy_annotations(generate: Any, function: Any, first: str) -> None:
    """Give *generate* the annotations of *function*'s other parameters."""

    def rest(annotations: dict[str, Any]) -> dict[str, Any]:
        kept = {name: hint for name, hint in annotations.items() if name != first}
        return {**kept, "return": PullIterator}

    if sys.version_info >= (3, 14):  # evaluated when asked for

        def annotate(format: Any, /) -> dict[str, Any]:
            from annotationlib import get_annotations

            return rest(get_annotations(function, format=format))

        generate.__annotate__ = annotate
    else:
        generate.__annotations__ = rest(getattr(function, "__annotations__", {}))
