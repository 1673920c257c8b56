"""Turn a callback into a loop: Go's iter.Pull for Python, on greenlet.

A *push iterator* is a function that calls ``yield_(value)`` for each value, and
returns early when that answers false. pullit turns it into an iterator that
gives a value each time it is asked; the push iterator waits meanwhile, inside
``yield_``, however deep in calls, C code included.
"""

from pullit._callback import from_callback
from pullit._combine import equal, merge, zip, zip_longest
from pullit._direct import from_iterable
from pullit._errors import PullError, PullExit, WrongThreadError
from pullit._iterator import PullIterator, generator, iterate, iterate2
from pullit._pull import Pull, Pull2, pull, pull2
from pullit._types import Seq, Seq2

__version__ = "0.1.0"

__all__ = [
    "Pull",
    "Pull2",
    "PullError",
    "PullExit",
    "PullIterator",
    "Seq",
    "Seq2",
    "WrongThreadError",
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

for _name in __all__:
    if hasattr(_value := globals()[_name], "__qualname__") and _name not in ("Seq", "Seq2"):
        _value.__module__ = __name__
del _name, _value
