"""iterate, iterate2 and generator: pulls as Python's iterators."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable
from functools import WRAPPER_ASSIGNMENTS, partial, update_wrapper
from itertools import chain, repeat
from types import FrameType, FunctionType, MethodType, TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, overload

from pullit._errors import PullError, trim
from pullit._lifetimes import Holder
from pullit._puller import Puller
from pullit._seq import (
    Engine,
    K,
    Seq,
    Seq2,
    T,
    T_co,
    V,
    check_read_ahead,
    check_seq,
    find_engine,
    seq_name,
)
from pullit._state import Handle

P = ParamSpec("P")

if TYPE_CHECKING:
    from pullit._iterable import Direct

    Base = Generator[T_co, Any, Any]
else:
    Base = chain


class PullIterator(Holder, Handle, Base[T_co]):
    """An iterator over what a push iterator yields, with a generator's methods.

    `iterate`, which says what it does, `iterate2` and `generator` make it.
    """

    # A chain asks its Puller from C. When a loop ends it asks again, so that a refusal
    # is not the end.
    __slots__ = ("__weakref__", "p")

    p: Any  # a Puller or a Direct; Any, because it is not for users

    def __new__(cls, *args: object) -> NoReturn:
        raise TypeError("cannot create a pullit.PullIterator; call pullit.iterate(seq)")

    def send(self, value: Any, /) -> T_co:
        """Have the `yield_` that waits answer *value*; return the next value.

        Only None can be sent to start; later that is an answer, a false one.
        """
        self.check_strict("send")
        if self.p.state() == "unstarted":
            if value is not None:
                raise TypeError(f"{self.p.name}: cannot send to {self!r}; call next first")
            value = True  # for a Direct; a Puller's seq is only started
        return self.deliver("send", partial(self.p.say, value))

    @overload
    def throw(
        self, kind: type[BaseException], value: object = None, tb: TracebackType | None = None, /
    ) -> T_co: ...
    @overload
    def throw(
        self, kind: BaseException, value: None = None, tb: TracebackType | None = None, /
    ) -> T_co: ...
    def throw(self, kind: Any, value: Any = None, tb: Any = None, /) -> T_co:
        """Have the `yield_` that waits raise an exception; return the next value.

        An iterator that was not started, or has ended, raises it here.
        """
        self.check_strict("throw")
        errors = [instance(kind, value, tb)]
        del kind, value  # else this frame and the error's traceback are a cycle
        if self.p.done or self.p.state() == "unstarted":
            self.p.stop()
            throw(errors)
        return self.deliver("throw", partial(throw, errors))

    def check_strict(self, call: str) -> None:
        """Refuse *call* where seq waits in another `yield_` than the last value's."""
        if self.p.ahead:
            raise PullError(
                f"{self.p.name}: {call} on an iterator that reads ahead; its producer has"
                f" gone on from the value that you have: call {call} with read_ahead=0"
            )

    def deliver(self, call: str, answer: Callable[[], Any]) -> T_co:
        if self.p.ended:
            raise StopIteration
        self.p.check_thread(call)
        try:
            value: T_co = self.p.deliver(call, answer)
        except BaseException as e:
            trim(e)
            raise
        return value

    def close(self) -> Any:
        """Stop the producer. Return what it returned; None, if it had ended before."""
        return self.p.stop()

    @property
    def result(self) -> Any:
        """What seq returned. PullError if it has not, or did not."""
        if self.p.returned:
            return self.p.result
        why = "did not return" if self.p.ended else "has not returned yet"
        raise PullError(
            f"{self.p.name}: no result: {self.p.label} {why};"
            " look at .result when the iterator has ended by itself"
        )

    @property
    def done(self) -> bool:
        """Whether no more values will come; just after the last one, not yet."""
        return bool(self.p.done)

    @property
    def frame(self) -> FrameType | None:
        """The frame in which the producer is suspended, or None."""
        frame: FrameType | None = self.p.frame()
        return frame


def instance(kind: Any, value: Any, tb: TracebackType | None) -> BaseException:
    """Return the exception that ``throw(kind, value, tb)`` raises."""
    if isinstance(kind, type) and issubclass(kind, BaseException):
        if value is None:
            kind = kind()
        elif isinstance(value, kind):
            kind = value
        else:
            kind = kind(*value) if isinstance(value, tuple) else kind(value)
    elif not isinstance(kind, BaseException):
        raise TypeError(f"throw takes an exception, a class or an instance, not {kind!r}")
    elif value is not None:
        raise TypeError("throw takes no separate value beside an instance")
    error: BaseException = kind
    return error.with_traceback(tb) if tb else error


def throw(errors: list[BaseException]) -> NoReturn:
    """Raise the one error, kept in no frame of its own traceback."""
    raise errors.pop()


def start(
    name: str, seq: Any, engine: str, read_ahead: int, pairs: bool = False, label: str = ""
) -> PullIterator[Any]:
    """Return the iterator over *seq*."""
    n = check_read_ahead(name, read_ahead)
    if n < 2:
        return iterator(Puller(name, seq, engine, pairs, label))
    from pullit._ahead import Ahead  # as seldom

    ahead = Ahead(n, name, seq, engine, pairs, label)
    return iterator(ahead, ahead.batches())


def iterator(p: Puller | Direct, parts: Iterable[Any] | None = None) -> PullIterator[Any]:
    """Return the iterator over the values of *p*, or of its *parts*."""
    it: PullIterator[Any]
    it = PullIterator.from_iterable(parts or repeat(p))  # type: ignore[attr-defined]
    it.p = p
    return it


def iterate(seq: Seq[T], *, read_ahead: int = 0, engine: Engine = "greenlet") -> PullIterator[T]:
    """Return an iterator over what *seq* yields:

        >>> def countdown(yield_):
        ...     for n in (3, 2, 1):
        ...         if not yield_(n):
        ...             return
        ...     return "lift-off"
        >>> it = iterate(countdown)
        >>> for n in it:
        ...     print(n)
        3
        2
        1
        >>> it.result
        'lift-off'

    *seq* may yield from any depth, C code included. The first ``next`` starts it,
    in a copy of its caller's context. Each runs it up to its next ``yield_``, which
    answers True to ``next``, x to ``send(x)``, and False when told to stop:

        >>> with iterate(countdown) as it:
        ...     next(it)
        3
        >>> it
        <pullit.PullIterator of countdown, finished>

    So do ``close`` and dropping the last reference; they return when *seq* has. If
    it calls ``yield_`` again instead, that raises PullExit.

    What *seq* raises comes out of the call that runs it, once; then it is the end.
    StopIteration becomes RuntimeError. It is an error, PullError, to ask from inside
    *seq*, and WrongThreadError in another thread than the first ``next``. With
    ``engine="thread"``, twenty times as slow, any thread may, one at a time.

    With *read_ahead* a switch brings up to that many values, at a tenth of the cost.
    But the first ``next`` waits for that many, ``close`` drops those ahead, though
    not an error among them, and it is an error to ``send`` or ``throw``. Not for
    live sources, nor for values that are valid only until ``yield_`` returns.
    """
    if type(seq) is not FunctionType:
        from pullit._iterable import IterableSeq, direct  # as seldom

        if isinstance(seq, IterableSeq):
            ahead = check_read_ahead("pullit.iterate", read_ahead) > 1
            return iterator(direct("pullit.iterate", seq, engine, ahead))
    return start("pullit.iterate", seq, engine, read_ahead)


def iterate2(
    seq: Seq2[K, V], *, read_ahead: int = 0, engine: Engine = "greenlet"
) -> PullIterator[tuple[K, V]]:
    """Return an iterator over the pairs that *seq* yields; else it is `iterate`:

    >>> list(iterate2(lambda yield_: yield_("one", 1)))
    [('one', 1)]
    """
    return start("pullit.iterate2", seq, engine, read_ahead, pairs=True)


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
    find_engine("pullit.generator", engine)
    check_read_ahead("pullit.generator", read_ahead)
    if function is None:
        return partial(generator, read_ahead=read_ahead, engine=engine)
    check_seq("pullit.generator", function)
    first, label = first_parameter(function), seq_name(function)

    def generate(*args: Any, **kwargs: Any) -> PullIterator[Any]:
        def seq(yield_: Any) -> object:
            return function(yield_, *args, **kwargs)

        return start("pullit.generator", seq, engine, read_ahead, label=label)

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
