"""Watch an optimizer, and stop it when it is good enough: scipy's callback as a loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scipy.optimize import OptimizeResult, minimize, rosen

import pullit


def descent(start: list[float]) -> pullit.PullIterator[OptimizeResult]:
    """Return what the minimizer has found after each iteration."""

    def run(callback: Callable[[OptimizeResult], Any]) -> OptimizeResult:
        # scipy looks at the parameter's name to know what to pass.
        def watch(intermediate_result: OptimizeResult) -> None:
            callback(intermediate_result)

        return minimize(rosen, start, method="Nelder-Mead", callback=watch)

    # To StopIteration minimize answers with the best that it has.
    return pullit.iterate(pullit.from_callback(run, stop_reply=StopIteration))


with descent([-1.2, 1.0, 0.8]) as steps:
    for n, step in enumerate(steps, 1):
        if n % 20 == 0:
            print(f"{n:4}  {step.fun:.6f} at {step.x.round(3)}")
        if step.fun < 1e-3:
            break
    result = steps.close()
print(f"stopped after {result.nit} iterations, {result.nfev} evaluations")
print(f"{result.fun:.6f} at {result.x.round(3)}")
