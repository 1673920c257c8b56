"""Switches that are not ours: SQLAlchemy's await_only, greenback, the hubs of gevent and eventlet.

They pass through a pull as if it were not there (contract 15).
"""

from __future__ import annotations

import sys
from typing import Any

from greenlet import GreenletExit, getcurrent

from pullit._errors import PullError

# SQLAlchemy's await_only wants this on a greenlet that switches to its parent.
PROVIDER = "__sqlalchemy_greenlet_provider__"


def forward(child: Any, got: object) -> object:
    """Hand *got* to our own parent, and what it returns to *child*, as if we were not there.

    The coroutine *child* has switched *got* to its parent, which is us. It was not pullit
    that did so, but await_only for example. Return what is switched to us next.
    """
    parent = getcurrent().parent
    try:
        if parent is None:
            raise PullError(
                "pullit: the producer switched to its parent greenlet, but its consumer"
                " runs in the main greenlet, which has none; start the consumer where"
                " such a switch is served"
            )
        answer = parent.switch(got)
    except GreenletExit:
        raise  # the greenlet that waits here is being killed
    except BaseException as e:
        error = e
    else:
        return child.switch(answer)
    try:
        return child.throw(error)
    finally:
        del error


def adopt(child: Any, parent: Any) -> None:
    """Make *parent* the parent of *child*.

    greenlet raises ValueError if that is a cycle: *parent* runs under *child*.
    """
    if child.parent is not parent:
        child.parent = parent
    if getattr(parent, PROVIDER, False):
        setattr(child, PROVIDER, True)
    elif getattr(child, PROVIDER, False):
        delattr(child, PROVIDER)


def settle_eventlet(below: Any) -> None:
    """If eventlet's hub is a child of *below*, a producer's coroutine, make it ours.

    eventlet makes the greenlet that waits first the parent of its hub. It then makes the
    hub the parent of every other greenlet that waits. That fails when the main greenlet
    waits, which can have no parent, if the producer was the first.
    """
    hub: Any = getattr(sys.modules["eventlet.hubs"], "_threadlocal", None)
    hub = getattr(hub, "hub", None)
    if hub is not None and hub.greenlet.parent is below:
        hub.greenlet.parent = getcurrent()
