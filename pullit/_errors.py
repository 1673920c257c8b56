"""The exceptions, and what is done to an exception on its way to the consumer.

Comments of the package say that there is *no room* where Python raises RecursionError or
MemoryError: the stack or the memory does not suffice for one more call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import is_ as is_same
from reprlib import repr as short_repr
from types import TracebackType
from typing import Any, NoReturn, cast


class PullError(RuntimeError):
    """Raised when an iterator is misused. The message says what to do instead.

    Most calls that raise it leave the iterator as it was.
    """


class WrongThreadError(PullError):
    """Raised when an iterator or its ``yield_`` is used in another thread than its own."""


class PullExit(BaseException):
    """Raised in a producer to unwind it after it was told to stop.

    ``yield_`` raises it if the producer calls it again, and so does the suspended callback
    of `from_callback`. It is also raised if the consumer is interrupted while the producer
    waits for something other than ``yield_``. Let it propagate, as you would GeneratorExit.
    The ``stop`` or ``close`` that caused it swallows it.
    """

    # The pull whose stop swallows it. Where producers are nested, the stop of the outer one
    # can unwind the inner ones too, which must let this pass. None if no pull has made it.
    pull: object = None


# We read and set the attributes of a user's exception through the descriptors of
# BaseException, not by e.__context__: its class may refuse to have attributes set, as a
# frozen dataclass does, or override with_traceback.
_of: Any = BaseException  # as Any, since type checkers know no descriptors of it
_of_group: Any = BaseExceptionGroup
context_of = _of.__context__.__get__
set_context = _of.__context__.__set__
cause_of = _of.__cause__.__get__
traceback_of = _of.__traceback__.__get__
set_traceback = _of.__traceback__.__set__
set_cause = _of.__cause__.__set__
leaves_of = _of_group.exceptions.__get__


def trim(error: BaseException) -> BaseException:
    """Return *error* without pullit's own frames at the head of its traceback."""
    whole = traceback = traceback_of(error)
    while traceback and is_ours(traceback.tb_frame.f_globals):
        traceback = traceback.tb_next
    if traceback is not whole:
        set_traceback(error, traceback)
    return error


def raise_as_left(errors: list[BaseException]) -> NoReturn:
    """Raise the one error with the traceback and the context that its raiser gave it.

    It comes in a list, which this empties. If a variable of a frame in its traceback held
    it instead, the error, its traceback and that frame would be a reference cycle.
    """
    context = context_of(errors[0])
    try:
        raise trim(errors[0])
    finally:
        set_context(errors.pop(), context)
        del context


def chain(error: BaseException, earlier: BaseException | None) -> BaseException:
    """Return *error* with *earlier*, if any, as the oldest of its contexts.

    Where that would make a cycle, *error* keeps the contexts that it has. It would where
    two producers raise one and the same exception.
    """
    contexts = list(follow(context_of, error))
    known = {id(e) for e in contexts}
    if earlier is not None and not any(id(e) in known for e in follow(context_of, earlier)):
        set_context(contexts[-1], earlier)
    return error


def follow(link: Any, error: BaseException | None) -> Iterator[BaseException]:
    """Yield *error*, then what *link* (cause_of or context_of) returns for it, and so on."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = link(error)


def instance_of(name: str, kind: Any, value: Any, tb: TracebackType | None) -> BaseException:
    """Return the exception that ``throw(kind, value, tb)`` raises."""
    if isinstance(kind, type) and issubclass(kind, BaseException):
        if value is None:
            kind = kind()
        elif isinstance(value, kind):
            kind = value
        else:
            kind = kind(*value) if isinstance(value, tuple) else kind(value)
    elif not isinstance(kind, BaseException):
        raise TypeError(
            f"{name}: throw takes an exception, a class or an instance, not {short_repr(kind)}"
        )
    elif value is not None:
        raise TypeError(f"{name}: throw takes an instance without a value; leave the value out")
    error: BaseException = kind
    if tb:
        set_traceback(error, tb)
    return error


def is_a(error: BaseException, kind: type[BaseException]) -> bool:
    """Return whether *error* is a *kind*. isinstance would read the user's ``__class__`` too."""
    return issubclass(type(error), kind)


def without(error: BaseException, is_left_out: Callable[[BaseException], bool]) -> Any:
    """Return *error*, or None if *is_left_out* is true of it.

    Of an exception group, return a group of the leaves that are not left out, and None if
    there are none. A group whose ``derive`` fails stays whole.
    """
    if is_left_out(error):
        return None
    if not is_a(error, BaseExceptionGroup):
        return error
    leaves = leaves_of(error)
    staying = [e for e in (without(leaf, is_left_out) for leaf in leaves) if e is not None]
    if len(staying) == len(leaves) and all(map(is_same, staying, leaves)):
        return error
    if not staying:
        return None
    try:
        rest: BaseException = cast(Any, error).derive(staying)
        notes = getattr(error, "__notes__", None)
        if notes:
            rest.__notes__ = list(notes)
    except Exception:
        return error
    set_traceback(rest, traceback_of(error))
    set_context(rest, context_of(error))
    set_cause(rest, cause_of(error))
    return rest


def add_note(error: BaseException, note: str) -> None:
    """Add *note* to *error*, unless *error* has it already or refuses notes."""
    try:
        if note not in getattr(error, "__notes__", ()):
            BaseException.add_note(error, note)
    except Exception:
        pass


def note_stop(error: BaseException, api: str) -> None:
    """Add a note to *error*, which *api* raised when stopped: how to list it in stop_errors."""
    add_note(
        error,
        f"pullit.from_callback: {api} raised this when pullit stopped it; if that is how it"
        f" says so, pass stop_errors={kinds_in(error)}",
    )


def kinds_in(error: BaseException) -> str:
    """Return, as Python source, the tuple of the classes of *error* or of a group's leaves."""
    leaves, kinds = [error], list[str]()
    while leaves:
        leaf = leaves.pop(0)
        if is_a(leaf, BaseExceptionGroup):
            leaves.extend(leaves_of(leaf))
            continue
        module, kind = type(leaf).__module__, type(leaf).__qualname__
        kinds.append(kind if module in ("builtins", "__main__") else f"{module}.{kind}")
    return f"({', '.join(dict.fromkeys(kinds))}{',' * (len(set(kinds)) == 1)})"


def is_ours(module: dict[str, object]) -> bool:
    """Return whether a frame whose globals are *module* is pullit's."""
    return str(module.get("__name__")).partition(".")[0] == "pullit"
