"""from_callback's *stop*: the function by which an API is told to stop, and when it is called."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from pullit._errors import chain
from pullit._threads import this_thread

# On the thread engine, its `channel` is the pull whose seq runs in this thread: in the pull's
# own thread only, not in others from which an API calls back.
of_thread = threading.local()


class Stopper:
    """Calls *stop* once, when the consumer stops the pull.

    If a callback waits then, it is to call *stop*, in its own thread. Otherwise `order`
    does, which a pull on threads calls when it tells seq to stop. As a context manager,
    this surrounds each callback's wait, so that `order` knows which is the case.
    """

    __slots__ = ("calls", "stops", "told", "waiting")

    def __init__(self, stop: Callable[[], object]) -> None:
        self.calls = [stop]  # whoever pops it calls it, so it is called once
        self.waiting: list[int] = []  # an element for each callback that waits
        self.told = False  # whether the consumer has stopped the pull
        self.stops: list[Stopper] | None = None  # the channel's stoppers, of which this is one

    def __call__(self) -> None:
        """Call *stop*, unless it was called before."""
        self.told = True
        try:
            stop = self.calls.pop()
        except IndexError:
            return
        stop()

    def order(self) -> None:
        """Call *stop*, unless a callback waits: that one calls it when it wakes."""
        self.told = True
        if not self.waiting.copy():  # copy takes the list's lock: `told` is written before
            self()

    def __enter__(self) -> None:
        self.waiting.append(1)

    def __exit__(self, *_: object) -> None:
        self.waiting.pop()

    def end(self) -> None:
        """Forget *stop*: the API has returned."""
        self.calls.clear()
        if self.stops is not None and self in self.stops:
            self.stops.remove(self)


def order_all(stoppers: list[Stopper]) -> None:
    """Call `order` of each. Raise the last error, with the others among its contexts."""
    error: BaseException | None = None
    for stopper in list(stoppers):
        try:
            stopper.order()
        except BaseException as e:
            error = chain(e, error)
    if error is not None:
        raise error


def note_stopper(stop: Callable[[], object]) -> Stopper:
    """Return a Stopper of *stop*. If this thread is a pull's own, that pull knows it, too.

    If seq was told to stop, but has not noticed yet, `told` is true at once: then the API
    is not to run.
    """
    stopper = Stopper(stop)
    channel: Any = getattr(of_thread, "channel", None)
    if channel is not None:
        channel.stoppers.append(stopper)
        stopper.stops = channel.stoppers
        # Look only now: a stop before the append did not see this stopper. If seq has noticed
        # the stop already (a yield_ has returned False), it cleans up, and the API may run.
        if channel.told_to_stop and this_thread() not in channel.told:
            channel.refuse()  # from now on seq counts as having noticed
            stopper.told = True
    return stopper
