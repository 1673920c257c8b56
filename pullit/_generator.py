"""generator: functions that yield from any depth of calls."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import WRAPPER_ASSIGNMENTS, partial, update_wrapper
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from pullit._arguments import check_engine, check_read_ahead, check_seq, made_by_generator, seq_name
from pullit._iterator import PullIterator, make_iterator
from pullit._types import Engine, T

P = ParamSpec("P")
S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)
Y_co = TypeVar("Y_co", covariant=True)


class Method(Protocol[S_contra, Y_co, P]):
    """A method, whose second parameter has the name yield_.

    The name tells it from a function whose second parameter happens to be a callable.
    """

    def __call__(
        self, this: S_contra, /, yield_: Callable[[Y_co], Any], *args: P.args, **kwargs: P.kwargs
    ) -> object: ...


class Decorator(Protocol):
    """What `generator` returns when it gets options only."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[Callable[[T], Any], P], object], /
    ) -> Callable[P, PullIterator[T]]: ...
    @overload
    def __call__(
        self, function: Method[S, T, P], /
    ) -> Callable[Concatenate[S, P], PullIterator[T]]: ...


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
    function: Method[S, T, P], /, *, read_ahead: int = 0, engine: Engine = "greenlet"
) -> Callable[Concatenate[S, P], PullIterator[T]]: ...
@overload
def generator(*, read_ahead: int = 0, engine: Engine = "greenlet") -> Decorator: ...
def generator(function: Any = None, /, *, read_ahead: int = 0, engine: Engine = "greenlet") -> Any:
    """Turn a function whose first parameter is `yield_` into a generator function:

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

    Calling the decorated function returns an iterator like that of `iterate`. The
    function's body does not run before the first ``next``. The caller leaves `yield_` out.
    The name, the docstring and the rest of the signature are kept.

    A method has *self* first and *yield_* second. A class method has *cls* first; write
    ``@classmethod`` above ``@generator``.

    *read_ahead* and *engine* are those of `iterate`, and hold for every call:
    ``@generator(read_ahead=256)`` or ``@generator(engine="thread")``.
    """
    check_engine("pullit.generator", engine)
    check_read_ahead("pullit.generator", read_ahead)
    if function is None:
        return partial(generator, read_ahead=read_ahead, engine=engine)
    if isinstance(function, classmethod):
        raise TypeError("pullit.generator: got a classmethod; write @classmethod above @generator")
    check_seq("pullit.generator", function)
    from pullit._signature import WithoutYield  # inspect, which it needs, is slow to import

    place, label = place_of_yield(function), seq_name(function)

    def generate(*args: Any, **kwargs: Any) -> PullIterator[Any]:
        # In lists, which `seq` empties: otherwise an argument that *function* has already
        # dropped would live as long as the iterator.
        given, named = [args], [kwargs]

        def seq(yield_: Any) -> object:
            return function(*insert(given.pop(), place, yield_), **named.pop())

        del args, kwargs
        return make_iterator("pullit.generator", seq, engine, read_ahead, label=label)

    update_wrapper(generate, function, [n for n in WRAPPER_ASSIGNMENTS if "annot" not in n])
    if generate.__code__ not in made_by_generator:
        made_by_generator.append(generate.__code__)
    names = getattr(getattr(function, "__code__", None), "co_varnames", ("",) * (place + 1))
    copy_annotations(generate, function, names[place] if len(names) > place else "")
    vars(generate)["__signature__"] = WithoutYield(function, place, PullIterator)
    return generate


def insert(args: tuple[Any, ...], place: int, yield_: Any) -> tuple[Any, ...]:
    """Return *args* with *yield_* at *place*."""
    return (*args[:place], yield_, *args[place:])


def place_of_yield(function: Any) -> int:
    """Return the place of the parameter for yield_, 0 or 1, or raise TypeError."""
    code = getattr(function, "__code__", None)
    if code is None:
        return 0
    names = code.co_varnames[: code.co_argcount]
    if names and names[0] in ("self", "cls"):
        if names[1:2] == ("yield_",):
            return 1
        raise TypeError(
            f"pullit.generator: the first parameter of {seq_name(function)} is {names[0]}; the"
            f" second must be yield_, {f'not {names[1]}' if names[1:] else 'and there is none'}"
        )
    if not names and not code.co_flags & 0x04:  # CO_VARARGS
        raise TypeError(
            f"pullit.generator: {seq_name(function)} takes no positional argument;"
            " its first parameter must be yield_"
        )
    return 0


def copy_annotations(generate: Any, function: Any, first: str) -> None:
    """Give *generate* the annotations of *function*'s other parameters."""

    def rest(annotations: dict[str, Any], returns: Any = PullIterator) -> dict[str, Any]:
        kept = {name: hint for name, hint in annotations.items() if name != first}
        return {**kept, "return": returns}

    if sys.version_info >= (3, 14):  # evaluated when asked for

        def annotate(format: Any, /) -> dict[str, Any]:
            from annotationlib import Format, get_annotations

            if format == Format.VALUE_WITH_FAKE_GLOBALS:
                raise NotImplementedError  # not needed, since the others are served
            returns = "pullit.PullIterator" if format == Format.STRING else PullIterator
            return rest(get_annotations(function, format=format), returns)

        generate.__annotate__ = annotate
    else:
        generate.__annotations__ = rest(getattr(function, "__annotations__", {}))
