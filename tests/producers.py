"""Producers that many tests walk, and what they log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pullit import Seq

T = TypeVar("T")


def countdown(yield_: Callable[[int], Any]) -> str:
    """Yield 3, 2, 1; return what happened."""
    for n in (3, 2, 1):
        if not yield_(n):
            return "stopped"
    return "lift-off"


def logged(seq: Seq[T], log: list[object]) -> Seq[T]:
    """Return *seq*, noting in *log* when it starts, what yield_ answers, and its end."""

    def producer(yield_: Callable[[T], Any]) -> object:
        def noted(value: T) -> Any:
            answer = yield_(value)
            log.append(answer)
            return answer

        log.append("start")
        try:
            return seq(noted)
        finally:
            log.append("end")

    return producer


def failing(error: BaseException, *values: T) -> Seq[T]:
    """Return a producer that yields *values*, then raises *error*."""

    def producer(yield_: Callable[[T], Any]) -> None:
        for value in values:
            yield_(value)
        raise error

    return producer


def deaf(times: int, log: list[object]) -> Seq[int]:
    """Return a producer that yields 0, 1, ... *times*, whatever happens, into *log*."""

    def producer(yield_: Callable[[int], Any]) -> str:
        for n in range(times):
            try:
                log.append(yield_(n))
            except BaseException as e:
                log.append(type(e).__name__)
        return "drained"

    return producer


def api(
    size: int, log: list[object], name: str = "api", deaf: bool = False
) -> Callable[[Any], str]:
    """Return a function that calls back *size* times, and swallows errors if it is *deaf*."""

    def run(callback: Callable[[int], Any]) -> str:
        for n in range(size):
            try:
                log.append(callback(n))
            except BaseException as e:
                log.append(type(e).__name__)
                if not deaf:
                    raise
        return name

    run.__qualname__ = name
    return run
