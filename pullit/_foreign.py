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
    """Pass on *got*, a switch to us that is not ours, as if we were not there.

    The child's side has switched to its parent, as await_only does, and gets our own
    parent's answer. Returns what is switched to us next.
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
        raise  # who waits here is killed
    except BaseException as e:
        error = e
    else:
        return child.switch(answer)
    try:
        return child.throw(error)
    finally:
        del error


def adopt(child: Any, parent: Any) -> None:
    """Make *parent* the parent of *child*; ValueError if *child* has started it."""
    if child.parent is not parent:
        child.parent = parent
    if getattr(parent, PROVIDER, False):
        setattr(child, PROVIDER, True)
    elif getattr(child, PROVIDER, False):
        delattr(child, PROVIDER)


def settle_eventlet(below: Any) -> None:
    """Have eventlet's hub, if there is one, not be a child of *below*, a producer's.

    eventlet makes the greenlet that first waits the hub's parent, and then makes the
    hub the parent of each greenlet that waits. The main greenlet can have none.
    """
    hub: Any = getattr(sys.modules["eventlet.hubs"], "_threadlocal", None)
    hub = getattr(hub, "hub", None)
    if hub is not None and hub.greenlet.parent is below:
        hub.greenlet.parent = getcurrent()
