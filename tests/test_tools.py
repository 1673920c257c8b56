"""Tools that look at the stack: tracebacks, debuggers, profilers, coverage."""

from __future__ import annotations

import cProfile
import os
import pstats
import re
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from types import FrameType
from typing import Any

import greenlet
import pytest
from elsewhere import in_thread, run_script
from frames import is_pullits

import pullit
from pullit import Seq
from pullit._types import Engine

# 6: tracebacks.


def deep() -> None:
    raise KeyError("boom")


def fails_at_once(yield_: Callable[[int], Any]) -> None:
    deep()


def fails_later(yield_: Callable[[int], Any]) -> None:
    yield_(1)
    deep()


def fails_when_stopped(yield_: Callable[[int], Any]) -> None:
    while yield_(1):
        pass
    deep()


def fails_when_thrown_at(yield_: Callable[[int], Any]) -> None:
    try:
        yield_(1)
    except ValueError:
        deep()


def frames_of(run: Callable[[], object]) -> tuple[int, list[str]]:
    """Return the number of pullit's frames, and the names of all others, from *run* on."""
    try:
        run()
    except KeyError as e:
        frames = traceback.extract_tb(e.__traceback__)[1:]
        theirs = [f.name for f in frames if not is_pullits(f.filename)]
        return len(frames) - len(theirs), theirs
    raise AssertionError("no error")


@pytest.mark.parametrize("seq", [fails_at_once, fails_later])
def test_06_where_a_value_is_asked_for_the_traceback_is_whole(
    engine: Engine, seq: Seq[int]
) -> None:
    """It has three frames of ours at most, for each pull that it passes through."""

    def loop() -> None:
        for _ in pullit.iterate(seq, engine=engine):
            pass

    def ask() -> None:
        it = pullit.iterate(seq, engine=engine)
        next(it), next(it)

    def ask_pull() -> None:
        next_, _ = pullit.pull(seq, engine=engine)
        next_(), next_()

    def ahead() -> None:
        list(pullit.iterate(seq, engine=engine, read_ahead=4))

    def lockstep() -> None:
        list(pullit.zip(pullit.iterate(seq, engine=engine), [1, 2]))

    for run, most in ((loop, 3), (ask, 3), (ask_pull, 3), (ahead, 3), (lockstep, 6)):
        ours, theirs = frames_of(run)
        assert theirs == [run.__name__, seq.__name__, "deep"]
        assert ours <= most


def test_06_where_it_is_told_something_the_traceback_is_whole(engine: Engine) -> None:
    """It has three frames of ours at most."""

    def started(seq: Seq[int]) -> pullit.PullIterator[int]:
        it = pullit.iterate(seq, engine=engine)
        next(it)
        return it

    def send() -> None:
        started(fails_later).send(1)

    def throw() -> None:
        started(fails_when_thrown_at).throw(ValueError())

    def close() -> None:
        started(fails_when_stopped).close()

    def stop() -> None:
        next_, stop = pullit.pull(fails_when_stopped, engine=engine)
        next_()
        stop()

    def leave() -> None:
        with started(fails_when_stopped):
            pass

    def close_ahead() -> None:
        it = pullit.iterate(fails_when_stopped, engine=engine, read_ahead=2)
        next(it)
        it.close()

    for run in (send, throw, close, stop, leave, close_ahead):
        ours, theirs = frames_of(run)
        assert theirs[0] == run.__name__
        assert theirs[-2:] in (
            [seq.__name__, "deep"]
            for seq in (fails_later, fails_when_stopped, fails_when_thrown_at)
        )
        assert len(theirs) == 3
        assert ours <= 3


def test_06_the_traceback_of_an_error_through_two_pulls_is_whole() -> None:
    """The outer producer's frames stand between the consumer's and the inner one's."""

    def outer(yield_: Callable[[int], Any]) -> None:
        for value in pullit.iterate(fails_later):
            yield_(value)

    def run() -> None:
        list(pullit.iterate(outer))

    ours, theirs = frames_of(run)
    assert theirs == ["run", "outer", "fails_later", "deep"]
    assert ours <= 6


def test_06_a_recursion_error_arrives_and_does_no_harm(engine: Engine) -> None:
    """The next pull, and the next deep producer, have room again."""

    def endless(yield_: Callable[[int], Any]) -> None:
        yield_(1)
        endless_call(0)

    def endless_call(n: int) -> None:
        endless_call(n + 1)

    for _ in range(3):
        it = pullit.iterate(endless, engine=engine)
        assert next(it) == 1
        with pytest.raises(RecursionError):
            next(it)
        assert list(it) == []
        assert list(pullit.iterate(lambda yield_: yield_(2), engine=engine)) == [2]


def test_06_a_recursion_error_inside_a_deep_yield_leaves_the_pull_usable() -> None:
    """Wherever in pullit it strikes: the producer handles it and goes on."""

    def dive(yield_: Callable[[int], Any], depth: int) -> None:
        try:
            dive(yield_, depth + 1)
        except RecursionError:
            yield_(depth)
            if depth:
                raise

    got = list(pullit.iterate(lambda yield_: dive(yield_, 0)))
    assert len(got) > 10
    assert got[-1] == 0
    assert all(a - b == 1 for a, b in pairwise(got))


def test_06_a_recursion_limit_raised_by_the_producer_holds() -> None:
    """It is the interpreter's, not a coroutine's."""
    assert (
        run_script(
            """
        import sys
        import pullit

        def dive(yield_, depth):
            if depth:
                dive(yield_, depth - 1)
            else:
                yield_("bottom")

        def producer(yield_):
            try:
                dive(yield_, 2000)
            except RecursionError:
                yield_("limit")
            sys.setrecursionlimit(5000)
            dive(yield_, 2000)

        print(list(pullit.iterate(producer)), list(pullit.iterate(producer)))
        """
        )
        == "['limit', 'bottom'] ['bottom', 'bottom']\n"
    )


# pdb, faulthandler.


def debug(script: str, path: Path, *commands: str) -> str:
    """Run *script* from a file under a pdb that is given *commands*; return its output."""
    file = path / "script.py"
    file.write_text(dedent(script))
    done = subprocess.run(
        [sys.executable, file],
        input="\n".join([*commands, ""]),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=path,
        env=clean(PYTHONPATH=str(Path(pullit.__file__).parents[1])),
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def clean(**more: str) -> dict[str, str]:
    """Return our environment without the variables that change how a script runs."""
    mine = {k: v for k, v in os.environ.items() if not k.startswith(("COV", "PYTHON"))}
    return {**mine, **more}


SCRIPT = """
    import pullit

    def inner(yield_, value):
        breakpoint()
        yield_(value)
        after = 1

    def producer(yield_):
        inner(yield_, 42)
        inner(yield_, 43)

    for value in pullit.iterate(producer):
        print("got", value)
    """


def test_a_breakpoint_in_a_producer_stops_there(tmp_path: Path) -> None:
    """The debugger shows its frames and variables, and goes on with it."""
    out = debug(SCRIPT, tmp_path, "where", "p value", "continue", "p value", "continue")
    assert "script.py(10)producer()" in out
    assert re.findall(r"(?m)^(?:\(Pdb\) )*(42|43|got 42|got 43)$", out) == [
        "42",
        "got 42",
        "43",
        "got 43",
    ]


def test_a_debugger_may_step_over_a_yield(tmp_path: Path) -> None:
    """The consumer runs meanwhile; the producer is stopped in again after it."""
    step = ["next"] * (2 if sys.version_info >= (3, 13) else 1)
    out = debug(SCRIPT, tmp_path, *step, "p 'stepped'", "clear", "y", "continue", "continue")
    assert "got 42\n" in out.split("-> after = 1")[0]
    assert out.split("-> after = 1")[1].startswith("\n(Pdb) 'stepped'")


def test_a_debugger_may_step_from_a_consumer_into_its_producer(tmp_path: Path) -> None:
    """From an ordinary breakpoint before the pull starts."""
    script = """
        import pullit

        def producer(yield_):
            seen = 7
            yield_(seen)

        breakpoint()
        it = pullit.iterate(producer)
        print(list(it))
        """
    out = debug(script, tmp_path, "break producer", "continue", "next", "p seen", "continue")
    assert "script.py(5)producer()" in out
    assert "(Pdb) 7\n" in out
    assert out.endswith("[7]\n")


def test_faulthandler_shows_the_frames_of_the_producer(tmp_path: Path) -> None:
    """Which are the running ones: the consumer's are another coroutine's."""
    file = tmp_path / "dump"

    def producer(yield_: Callable[[int], Any]) -> None:
        import faulthandler

        with file.open("w") as f:
            faulthandler.dump_traceback(f, all_threads=False)
        yield_(1)

    assert list(pullit.iterate(producer)) == [1]
    names = [line.rpartition(" ")[2] for line in file.read_text().splitlines()[1:]]
    assert names == ["producer", "corostart"]


# Profilers and tracers.


def leaf(yield_: Callable[[int], Any], value: int) -> None:
    yield_(value)


def walk(yield_: Callable[[int], Any], depth: int) -> None:
    if depth:
        walk(yield_, depth - 1)
    leaf(yield_, depth)


def walks(yield_: Callable[[int], Any]) -> None:
    for _ in range(5):
        walk(yield_, 3)


def use(value: int) -> None:
    pass


def calls_in(run: Callable[[], object]) -> dict[str, tuple[int, int]]:
    """Return the primitive and all calls of each of our functions, as cProfile counts them."""
    profile = cProfile.Profile()
    profile.enable()
    try:
        run()
    finally:
        profile.disable()
    stats: dict[tuple[str, int, str], Any] = vars(pstats.Stats(profile))["stats"]
    return {key[2]: value[:2] for key, value in stats.items() if key[0] == __file__}


@pytest.mark.parametrize("read_ahead", [0, 4])
def test_a_profiler_counts_the_producers_calls(read_ahead: int) -> None:
    """Exactly, with the consumer's between them."""

    def run() -> None:
        for value in pullit.iterate(walks, read_ahead=read_ahead):
            use(value)

    for _ in range(2):
        calls = calls_in(run)
        assert calls["walks"] == (1, 1)
        assert calls["walk"] == (5, 20)
        assert calls["leaf"] == (20, 20)
        assert calls["use"] == (20, 20)


def test_a_profiler_that_comes_later_counts_from_there() -> None:
    """The calls that are suspended were made before."""
    it = pullit.iterate(walks)
    next(it)
    calls = calls_in(lambda: list(it))
    assert calls["walk"][1] == 16
    assert calls["leaf"] == (19, 19)


@contextmanager
def trace(trace: Any) -> Iterator[None]:
    """Trace as *trace* does; give it back to the debugger or coverage after that."""
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def test_a_tracer_sees_the_lines_of_producer_and_consumer_in_turn() -> None:
    """If it was set before the start."""
    seen: list[str] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        yield_(1)
        yield_(2)
        "producer's end"

    def consumer() -> None:
        for value in pullit.iterate(producer):
            use(value)
        "consumer's end"

    codes = {producer.__code__: "p", consumer.__code__: "c"}

    def tracer(frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code in codes:
            if event == "line":
                line = frame.f_lineno - frame.f_code.co_firstlineno
                seen.append(f"{codes[frame.f_code]}{line}")
            return tracer
        return None

    for _ in range(2):
        seen.clear()
        with trace(tracer):
            consumer()
        assert " ".join(seen) in ("c1 p1 c2 c1 p2 c2 c1 c3", "c1 p1 c2 c1 p2 c2 c1 p3 c3")


def test_a_tracer_that_comes_later_sees_the_calls_from_there_on() -> None:
    """Not the frames that are suspended, of which it was not told."""
    seen: list[str] = []

    def inner(yield_: Callable[[int], Any]) -> None:
        yield_(1)
        yield_(2)

    def producer(yield_: Callable[[int], Any]) -> None:
        inner(yield_)
        inner(yield_)

    def tracer(frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code in (inner.__code__, producer.__code__):
            seen.append(f"{frame.f_code.co_name} {event}")
            return tracer
        return None

    it = pullit.iterate(producer)
    next(it)
    with trace(tracer):
        assert list(it) == [2, 1, 2]
    assert seen == ["inner call", "inner line", "inner line", "inner return"]


def count_switches(run: Callable[[], object]) -> Counter[str]:
    """Return the events that greenlet reports while *run* runs.

    It runs in a new thread. Another test may have parked a coroutine in this one that is too
    deep in its C stack to be used again, and to find that out takes a switch, too.
    """
    seen: list[tuple[str, Any]] = []

    def traced() -> None:
        run()  # the first pull of a thread also prepares the thread
        greenlet.settrace(lambda event, args: seen.append((event, args)))
        try:
            run()
        finally:
            greenlet.settrace(None)

    in_thread(traced)
    for (_, (_, target)), (_, (origin, _)) in pairwise(seen):
        assert origin is target  # each switch begins where the last one has ended
    return Counter(event for event, _ in seen)


def first(n: int) -> Seq[int]:
    """Return a producer of *n* values."""

    def producer(yield_: Callable[[int], Any]) -> None:
        for i in range(n):
            if not yield_(i):
                return

    return producer


@pytest.mark.parametrize("n", [0, 1, 10])
def test_greenlets_tracer_sees_every_switch_as_gos(n: int) -> None:
    """Two for each next, the one that brings the end included: Go's GoSwitch events."""

    def nexts() -> None:
        next_, _ = pullit.pull(first(n))
        while next_()[1]:
            pass
        next_()  # after the end there is nothing to switch to

    assert count_switches(lambda: list(pullit.iterate(first(n)))) == Counter(switch=2 * n + 2)
    assert count_switches(nexts) == Counter(switch=2 * n + 2)


def test_greenlets_tracer_sees_a_stop_as_two_switches() -> None:
    """And nothing of a pull that was not started."""

    def stop() -> None:
        it = pullit.iterate(first(3))
        next(it)
        it.close()
        pullit.iterate(first(3)).close()

    assert count_switches(stop) == Counter(switch=4)


@pytest.mark.parametrize(("n", "batches"), [(0, 0), (3, 1), (4, 1), (5, 2), (16, 4)])
def test_greenlets_tracer_sees_no_switch_between_batches(n: int, batches: int) -> None:
    """Reading ahead, two for each batch, and two for the end."""
    count = count_switches(lambda: list(pullit.iterate(first(n), read_ahead=4)))
    assert count == Counter(switch=2 * batches + 2)


def test_a_small_program_is_quiet_in_development_mode() -> None:
    """With all warnings as errors, and whatever the interpreter checks."""
    assert (
        run_script(
            """
        import pullit

        @pullit.generator
        def squares(yield_, n):
            for i in range(n):
                yield_(i * i)

        for engine in ("greenlet", "thread"):
            seq = lambda yield_: [yield_(n) for n in range(3)]
            it = pullit.iterate(seq, engine=engine)
            print(next(it), it.close(), end=" ")
            print(list(pullit.iterate(seq, engine=engine, read_ahead=2)), end=" ")
            next_, stop = pullit.pull(seq, engine=engine)
            print(next_(), stop(), next_())
        print(list(pullit.zip(squares(3), "abc")))
        left = squares(2)
        print(next(left))
        """,
            "-X",
            "dev",
            "-W",
            "error",
        )
        == "0 None [0, 1, 2] (0, True) None (None, False)\n" * 2
        + "[(0, 'a'), (1, 'b'), (4, 'c')]\n0\n"
    )


# coverage.

COVERED = """
    import pullit

    def walk(yield_, depth):
        if depth:
            walk(yield_, depth - 1)
        yield_(depth)
        after = 1

    def producer(yield_):
        walk(yield_, 2)
        if yield_("x") is None:
            never = 1  # not run
        after = 2

    def nested(yield_):
        for value in pullit.iterate(producer):
            yield_(value)
        after = 3

    def stopped(yield_):
        if not yield_(1):
            return
        never = 2  # not run

    def consume():
        for value in pullit.iterate(nested):
            between = 4
        for value in pullit.iterate(producer, read_ahead=2):
            between = 5
        it = pullit.iterate(stopped)
        next(it)
        between = 6
        it.close()
        after = 7

    consume()
    """
ON_THREADS = """
    import pullit

    def producer(yield_):
        yield_(1)
        after = 1
        if not after:
            never = 1  # not run

    for value in pullit.iterate(producer, engine="thread"):
        between = 2
    """


def check_coverage(script: str, path: Path, core: str, *settings: str) -> bool:
    """Tell whether coverage reports those lines as missing that say that they are."""
    pytest.importorskip("coverage")
    file, config = path / "script.py", path / "config"
    file.write_text(dedent(script).lstrip())
    config.write_text("\n".join(["[run]", *settings, f"data_file = {path / 'data'}"]))
    for args in (["run", f"--rcfile={config}", file], ["json", f"--rcfile={config}", "-o-"]):
        done = subprocess.run(
            [sys.executable, "-m", "coverage", *args],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=path,
            env=clean(COVERAGE_CORE=core, PYTHONPATH=str(Path(pullit.__file__).parents[1])),
        )
        assert (done.returncode, done.stderr) == (0, "")
    missing = re.search(r'"script.py": .*?"missing_lines": \[([\d, ]*)\]', done.stdout)
    assert missing
    told = [int(n) for n in missing[1].split(",") if n]
    lines = file.read_text().splitlines()
    return told == [n for n, line in enumerate(lines, 1) if "not run" in line]


@pytest.mark.parametrize(
    ("core", "settings"),
    [
        ("ctrace", ["concurrency = greenlet"]),
        ("ctrace", ["concurrency = greenlet", "branch = true"]),
        ("ctrace", ["concurrency = thread,greenlet"]),
        pytest.param(
            "sysmon",
            [],
            marks=pytest.mark.skipif(sys.version_info < (3, 12), reason="no sys.monitoring"),
        ),
        pytest.param(
            "sysmon",
            ["branch = true"],
            marks=pytest.mark.skipif(sys.version_info < (3, 14), reason="it says so itself"),
        ),
    ],
)
def test_coverage_tells_the_truth(tmp_path: Path, core: str, settings: list[str]) -> None:
    """About producers, nested ones, and their consumers; with these settings."""
    assert check_coverage(COVERED, tmp_path, core, *settings)


def test_coverage_without_its_setting_does_not(tmp_path: Path) -> None:
    """The reason for it; when this fails, the documentation can do without."""
    assert not check_coverage(COVERED, tmp_path, "ctrace")


@pytest.mark.parametrize("settings", [[], ["concurrency = thread,greenlet"]])
def test_coverage_of_the_thread_engine_tells_the_truth(tmp_path: Path, settings: list[str]) -> None:
    """Whoever names greenlet must name thread, too."""
    assert check_coverage(ON_THREADS, tmp_path, "ctrace", *settings)
    assert not check_coverage(ON_THREADS, tmp_path, "ctrace", "concurrency = greenlet")
