"""Numerical libraries that call back: scipy, numpy, iminuit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any

import pytest
from apart import run_apart
from loops import LEAVES, ORDER, answer, close, fail

from pullit import PullError, PullIterator, Seq, from_callback, iterate

np: Any = pytest.importorskip("numpy")
optimize: Any = pytest.importorskip("scipy.optimize")
integrate: Any = pytest.importorskip("scipy.integrate")

METHODS = ["Nelder-Mead", "BFGS", "L-BFGS-B", "trust-constr"]
START = [0.5, 1.5]


def minimize(method: str, **options: Any) -> Any:
    """Look for the minimum of Rosenbrock's function, (1, 1)."""
    return optimize.minimize(optimize.rosen, START, method=method, **options)


def progress(method: str, **options: Any) -> Seq[Any]:
    """Return the iterations of `minimize`: an OptimizeResult for each.

    scipy passes one to a callback whose only parameter has this name.
    """

    def run(callback: Callable[[Any], Any]) -> Any:
        return minimize(method, callback=lambda intermediate_result: callback(intermediate_result))

    return from_callback(run, **options)


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> str:
    """A method of minimize, written in Python, or in C."""
    name: str = request.param
    return name


# scipy.optimize.minimize


def test_minimize_gives_its_iterations_and_its_result(method: str) -> None:
    """The same ones that an ordinary callback gets."""
    seen: list[list[float]] = []
    plain = minimize(method, callback=lambda x, *_: seen.append(list(x)))
    it = iterate(progress(method))
    assert [list(iteration.x) for iteration in it] == seen
    assert len(seen) > 5
    assert isinstance(it.result, optimize.OptimizeResult)
    assert it.result.success
    assert list(it.result.x) == list(plain.x) == pytest.approx([1, 1], abs=1e-3)
    assert it.result.nfev == plain.nfev


def test_minimize_passes_the_point_to_a_plain_callback(method: str) -> None:
    """An array, which trust-constr follows by the state; scipy reuses it, so copy."""
    run = partial(minimize, method)
    it = iterate(from_callback(lambda callback: run(callback=callback), pack=lambda x, *_: x + 0))
    first = next(it)
    points = [first, *it]
    assert all(point.shape == (2,) for point in points)
    assert len({tuple(point) for point in points}) > 5


def test_minimize_stops_on_stop_iteration(method: str) -> None:
    """As scipy asks of a callback; it then returns the best so far."""
    it = iterate(progress(method, stop_reply=StopIteration))
    values = [next(it).fun for _ in range(3)]
    result = it.close()
    assert result is it.result
    assert isinstance(result, optimize.OptimizeResult)
    assert not result.success
    assert result.nit <= 4
    assert result.fun == pytest.approx(min(values))


def test_minimize_that_lets_stop_iteration_escape_is_stopped_too() -> None:
    """TNC does; then there is no result."""
    run = partial(minimize, "TNC")
    seq = from_callback(lambda callback: run(callback=callback), stop_reply=StopIteration)
    it = iterate(seq)
    next(it)
    assert it.close() is None
    assert it.done


def test_minimize_is_stopped_by_force(method: str) -> None:
    """What it was doing is let go of there and then, however the loop is left."""
    log: list[str] = []

    def run(callback: Callable[[Any], Any]) -> Any:
        try:
            return progress(method)(callback)
        finally:
            log.append("ended")

    for leave in LEAVES:
        leave(lambda: iterate(run))
        assert log
        log.clear()
    it = iterate(run)
    next(it)
    assert it.close() is None
    with pytest.raises(PullError, match="no result"):
        it.result  # noqa: B018


def test_minimize_stops_when_the_consumer_has_seen_enough(method: str) -> None:
    """A condition that only the loop knows."""
    with iterate(progress(method, stop_reply=StopIteration)) as it:
        for iteration in it:
            if iteration.fun < 1e-2:
                break
    assert it.result.fun < 1e-2
    assert it.result.nfev < minimize(method).nfev


def test_minimize_lets_errors_through_as_they_are(method: str) -> None:
    """The objective's, the callback's, and one thrown into it."""
    error = ZeroDivisionError("exact")

    def objective(x: Any) -> float:
        if np.allclose(x, 1, atol=0.1):
            raise error
        return float(optimize.rosen(x))

    def run(callback: Callable[[Any], Any]) -> Any:
        return optimize.minimize(objective, START, method=method, callback=callback)

    def check(it: PullIterator[Any], resume: Callable[[PullIterator[Any]], object]) -> None:
        assert next(it) is not None
        with pytest.raises(ZeroDivisionError) as caught:
            resume(it)
        assert caught.value is error
        assert it.done
        names = [entry.name for entry in caught.traceback]
        assert "minimize" in names

    check(iterate(from_callback(run)), list)
    check(iterate(progress(method)), lambda it: it.throw(error))
    check(iterate(progress(method, reply=lambda _: fail(error))), list)


def test_minimize_asks_the_loop_for_the_objective(method: str) -> None:
    """Ask and tell: the loop evaluates it."""
    run = partial(optimize.minimize, x0=START, method=method)
    it = iterate(from_callback(run))
    asked = []

    def tell(x: Any) -> float:
        asked.append(tuple(x))
        return float(optimize.rosen(x))

    result = answer(it, tell)
    plain = minimize(method, jac=None)
    assert result is it.result
    assert list(result.x) == list(plain.x)
    assert len(asked) == result.nfev == plain.nfev
    close(lambda: iterate(from_callback(run)))


def test_minimize_asked_for_the_objective_beside_its_progress() -> None:
    """Two callbacks of one run: what is sent answers the one that waits."""

    def run(callback: Callable[[str, Any], Any]) -> Any:
        return optimize.minimize(
            partial(callback, "f"), START, method="BFGS", callback=partial(callback, "step")
        )

    steps = []

    def tell(asked: tuple[str, Any]) -> float | None:
        if asked[0] == "f":
            return float(optimize.rosen(asked[1]))
        steps.append(asked[1])
        return None

    result = answer(iterate(from_callback(run)), tell)
    assert result.success
    assert result.nit == len(steps)


def test_minimize_runs_nest(method: str) -> None:
    """A whole one, and one that is left early, in the body of another."""
    for _ in islice(iterate(progress("BFGS")), 2):
        it = iterate(progress(method))
        assert len(list(it)) > 5
        assert it.result.success
        for _ in iterate(progress(method)):
            break


def test_17_minimize_runs_may_take_turns_only_if_said_so() -> None:
    """Nelder-Mead is written in Python and survives it, which nobody can know."""
    earlier, later = (iterate(progress("Nelder-Mead")) for _ in range(2))
    next(earlier)
    next(later)
    with pytest.raises(PullError, match=ORDER):
        next(earlier)
    later.close()
    earlier.close()
    pair = [iterate(progress("Nelder-Mead", interleave=True)) for _ in range(2)]
    steps = list(zip(*pair, strict=True))
    assert len(steps) > 5
    assert all(list(a.x) == list(b.x) for a, b in steps)
    assert list(pair[0].result.x) == list(pair[1].result.x)


# scipy.integrate


def deep(depth: int, function: Callable[[], Any]) -> Any:
    """Call *function* under frames of C, so that it begins elsewhere on the stack."""
    return next(map(partial(deep, depth - 1), [function])) if depth else function()


def quad(end: float = 1, depth: int = 0) -> Seq[float]:
    """Return the points at which quad wants to know what it integrates, from 0 to *end*."""
    return from_callback(lambda callback: deep(depth, lambda: integrate.quad(callback, 0, end)))


def square(x: float) -> float:
    return x * x


def test_quad_asks_the_loop_for_the_integrand() -> None:
    """Ask and tell."""
    it = iterate(quad(3))
    assert answer(it, square)[0] == pytest.approx(9)
    assert it.result == integrate.quad(square, 0, 3)
    assert list(iterate(from_callback(lambda f: integrate.quad(f, 0, 1), reply=square)))


def test_quad_integrals_nest() -> None:
    """A double integral: a loop in the loop, the inner one ended first."""

    def inner(x: float) -> float:
        value: float = answer(iterate(quad(2)), lambda y: x * y)[0]
        return value

    assert answer(iterate(quad()), inner)[0] == pytest.approx(1)


def test_quad_ends_early_and_with_errors_as_they_are() -> None:
    """And the next integral is right."""
    for leave in LEAVES:
        leave(lambda: iterate(quad()))
    error = KeyError("exact")
    it = iterate(quad())
    next(it)
    with pytest.raises(KeyError) as caught:
        it.throw(error)
    assert caught.value is error
    assert integrate.quad(square, 0, 3)[0] == pytest.approx(9)


def interleave_quad() -> None:
    """Take turns at two, or drop the earlier one, where they begin at each of these depths."""
    for depths in (0, 0), (0, 5), (5, 0):
        print(depths, flush=True)
        interleave_two(*(iterate(quad(1, depth)) for depth in depths))
        drop_earlier(*(iterate(quad(1, depth)) for depth in depths))
        assert integrate.quad(square, 0, 3)[0] == pytest.approx(9)


def interleave_two(earlier: PullIterator[float], later: PullIterator[float]) -> None:
    """Refuse whatever resumes the earlier; then both go on."""
    x, y = next(earlier), next(later)
    for resume in (
        lambda: earlier.send(square(x)),
        lambda: next(earlier),
        lambda: earlier.throw(KeyError()),
        lambda: earlier.close(),
    ):
        with pytest.raises(PullError, match=ORDER):
            resume()
    assert answer(later, square, y)[0] == pytest.approx(1 / 3)
    assert answer(earlier, square, x)[0] == pytest.approx(1 / 3)


def drop_earlier(*pair: PullIterator[float]) -> None:
    """It ends when the later one has ended."""
    earlier, later = pair
    x, y = next(earlier), next(later)
    assert x == y
    del pair, earlier
    assert answer(later, square, y)[0] == pytest.approx(1 / 3)


def test_17_quad_interleaved_integrals_are_refused() -> None:
    """Unguarded, two that begin at different depths of the stack end the process."""
    run_apart(interleave_quad)


def test_ode_gives_its_steps_and_stops_when_told() -> None:
    """solout stops on -1. An exception it does not survive: say stop_reply."""

    def run(callback: Callable[..., Any]) -> float:
        solver = integrate.ode(lambda t, y: -y).set_integrator("dopri5")
        solver.set_solout(callback)
        solver.set_initial_value([1.0], 0)
        solver.integrate(5.0)
        return float(solver.t)

    seq = from_callback(run, pack=lambda t, y: (t, float(y[0])), stop_reply=-1)
    it = iterate(seq)
    steps = list(it)
    assert len(steps) > 5
    assert steps[-1] == pytest.approx((5.0, np.exp(-5)), rel=1e-5)
    assert it.result == 5.0
    it = iterate(seq)
    got = [next(it)[0] for _ in range(4)]
    assert it.close() == it.result == got[-1] < 5.0


# numpy


def test_13_numpy_errstate_is_the_consumers_at_the_start() -> None:
    """A producer runs in a copy of its context; numpy keeps errstate there."""

    def producer(yield_: Callable[[float], Any]) -> None:
        with pytest.raises(FloatingPointError):
            np.float64(1) / 0
        with np.errstate(divide="ignore"):
            yield_(float(np.float64(1) / 0))

    with np.errstate(divide="raise"):
        for value in iterate(producer):
            assert value == float("inf")
            with pytest.raises(FloatingPointError):
                np.float64(1) / 0


def test_numpy_asks_for_each_element() -> None:
    """Vectorised functions and ufuncs call back from C."""
    numbers = np.arange(6)

    def vectorised(callback: Callable[[int], Any]) -> Any:
        return np.vectorize(callback, otypes=[float])(numbers)

    def ufunc(callback: Callable[[int], Any]) -> Any:
        return np.frompyfunc(callback, 1, 1)(numbers).astype(float)

    for run in (vectorised, ufunc):
        assert list(answer(iterate(from_callback(run)), square)) == [0, 1, 4, 9, 16, 25]
        for leave in LEAVES:
            leave(lambda: iterate(from_callback(run)))


# iminuit: pybind11 and C++


def fit(start: float = 3.0) -> Seq[float]:
    """Return the points at which Minuit wants to know what it minimizes."""
    iminuit: Any = pytest.importorskip("iminuit")
    return from_callback(
        lambda callback: iminuit.Minuit(lambda x: callback(x), x=start).migrad().values["x"]
    )


def parabola(x: float) -> float:
    return (x - 1) ** 2


def test_iminuit_asks_the_loop_for_the_objective() -> None:
    """Ask and tell, one inside of the other, left early and to the end."""
    it = iterate(fit())
    assert answer(it, parabola) == it.result == pytest.approx(1, abs=1e-4)
    for leave in LEAVES:
        leave(lambda: iterate(fit()))

    def nested(x: float) -> float:
        middle: float = answer(iterate(fit()), parabola)
        return (x - 2 * middle) ** 2

    assert answer(iterate(fit()), nested) == pytest.approx(2, abs=1e-3)


def interleave_fits() -> None:
    """Refuse the earlier of two; then both go on."""
    earlier, later = iterate(fit(3.0)), iterate(fit(4.0))
    assert (next(earlier), next(later)) == (3.0, 4.0)
    for resume in (lambda: earlier.send(4.0), lambda: earlier.close()):
        with pytest.raises(PullError, match=ORDER):
            resume()
    assert answer(later, parabola, 4.0) == pytest.approx(1, abs=1e-4)
    assert answer(earlier, parabola, 3.0) == pytest.approx(1, abs=1e-4)


def test_17_iminuit_interleaved_fits_are_refused() -> None:
    """Unguarded, they end the process."""
    pytest.importorskip("iminuit")
    run_apart(interleave_fits)
