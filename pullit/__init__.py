"""Turn a callback into a loop: Go's iter.Pull for Python, on greenlet.

A *push iterator* is a function that calls ``yield_(value)`` once for each value, and
returns early when ``yield_`` returns False. pullit turns it into an iterator. Between
two values the function waits inside ``yield_``, at any depth of calls, even under C code.

What to use for what:

- ``iterate(seq)``: a ``for`` loop over a push iterator
- ``@generator``: a function with a parameter ``yield_``, called like a generator function
- ``from_callback(run)``: an API that takes a callback, as a push iterator
- ``aiterate(seq)``: an ``async for`` loop, under asyncio
- ``pull(seq)``: Go's two functions, ``next`` and ``stop``
- ``zip``, ``zip_longest``, ``merge``, ``equal``: several push iterators side by side
- ``from_iterable(iterable)``: an iterable as a push iterator

The submodules are private. All public names are in ``pullit`` itself.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pullit._errors import PullError, PullExit, WrongThreadError

if TYPE_CHECKING:
    from pullit._async import AsyncPullIterator, aiterate, aiterate2
    from pullit._callback import from_callback
    from pullit._combine import equal, merge, zip, zip_longest
    from pullit._functions import Pull, Pull2, pull, pull2
    from pullit._generator import generator
    from pullit._iterable import from_iterable
    from pullit._iterator import PullIterator, iterate, iterate2
    from pullit._types import Seq, Seq2, Yield, Yield2

__version__ = "0.2.0"

__all__ = [
    "AsyncPullIterator",
    "Pull",
    "Pull2",
    "PullError",
    "PullExit",
    "PullIterator",
    "Seq",
    "Seq2",
    "WrongThreadError",
    "Yield",
    "Yield2",
    "aiterate",
    "aiterate2",
    "equal",
    "from_callback",
    "from_iterable",
    "generator",
    "iterate",
    "iterate2",
    "merge",
    "pull",
    "pull2",
    "zip",
    "zip_longest",
]

# Which module has a public name that is imported only when somebody asks for it.
_later = {
    "from_callback": "_callback",
    "from_iterable": "_iterable",
    "generator": "_generator",
    **dict.fromkeys(("AsyncPullIterator", "aiterate", "aiterate2"), "_async"),
    **dict.fromkeys(("PullIterator", "iterate", "iterate2"), "_iterator"),
    **dict.fromkeys(("Seq", "Seq2", "Yield", "Yield2"), "_types"),
    **dict.fromkeys(("equal", "merge", "zip", "zip_longest"), "_combine"),
    **dict.fromkeys(("Pull", "Pull2", "pull", "pull2"), "_functions"),
}


def _show(name: str, value: Any) -> Any:
    """Have *value* show itself as ``pullit.<name>``, and keep it as that attribute."""
    if name not in ("Seq", "Seq2", "Yield", "Yield2"):  # aliases
        value.__module__ = __name__
    globals()[name] = value
    return value


def __getattr__(name: str) -> Any:
    if name not in _later:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _show(name, getattr(import_module(f"pullit.{_later[name]}"), name))


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})


for _error in (PullError, PullExit, WrongThreadError):
    _show(_error.__name__, _error)
