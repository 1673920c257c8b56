"""A signal's exception at a given place, instead of at a random one."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any


class Strike(Exception):  # noqa: N818
    """What a signal's handler raises."""


def strike_at(k: int, struck: list[Any]) -> Callable[..., None]:
    """Return a profile function that raises Strike where the *k*-th signal could strike.

    Python looks for signals at the beginning of a call, and after one of a C function.
    """
    places = itertools.count(1)

    def profile(frame: Any, event: str, arg: object) -> None:
        if event in ("call", "c_return") and next(places) == k:
            struck.append((frame.f_code.co_name, event))
            raise Strike

    return profile
