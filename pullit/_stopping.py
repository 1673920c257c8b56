"""How an API is told to stop that has a way of its own: from_callback's *stop*."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from pullit._errors import chain
from pullit._threads import this_thread

# The channel that the running thread's seq yields to, on the thread engine.
of_thread = threading.local()


class Stopper:
    """Calls *stop* once: in a callback that waits when the consumer stops, or at once.

    As a context manager it surrounds each callback's wait. A pull on threads calls
    `order` when it tells seq to stop, which may be when no callback waits.
    """

    __slots__ = ("calls", "stops", "told", "waiting")

    def __init__(self, stop: Callable[[], object]) -> None:
        self.calls = [stop]  # who pops it calls it
        self.waiting: list[int] = []  # an element for each callback that waits
        self.told = False  # the consumer stops
        self.stops: list[Stopper] | None = None  # the channel's list, where this is entered

    def __call__(self) -> None:
        """Call *stop*, unless it was called."""
        self.told = True
        try:
            stop = self.calls.pop()
        except IndexError:
            return
        stop()

    def order(self) -> None:
        """Have *stop* called: here, unless a callback waits, which then does it."""
        self.told = True
        if not self.waiting.copy():  # a copy takes the list's lock, and so comes after
            self()

    def __enter__(self) -> None:
        self.waiting.append(1)

    def __exit__(self, *_: object) -> None:
        self.waiting.pop()

    def end(self) -> None:
        """Forget it: the API has returned."""
        self.calls.clear()
        if self.stops is not None and self in self.stops:
            self.stops.remove(self)


def order_all(stoppers: list[Stopper]) -> None:
    """Give the order to each. Raise the last error, with the others among its contexts."""
    error: BaseException | None = None
    for stopper in list(stoppers):
        try:
            stopper.order()
        except BaseException as e:
            error = chain(e, error)
    if error is not None:
        raise error


def note_stopper(stop: Callable[[], object]) -> Stopper:
    """Return a Stopper that the pull whose seq this thread runs, if any, calls as well.

    It is told already if seq was, and has not heard of it: then the API is not to run.
    """
    stopper = Stopper(stop)
    channel: Any = getattr(of_thread, "channel", None)
    if channel is not None:
        channel.stoppers.append(stopper)
        stopper.stops = channel.stoppers
        # Look afterwards: who told seq to stop before that has not seen it. What seq runs
        # when it has heard of that, to clean up, runs.
        if channel.told_to_stop and this_thread() not in channel.told:
            channel.refuse()  # so it has heard of it now
            stopper.told = True
    return stopper
