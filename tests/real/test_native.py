"""Native libraries that call back: h5py, libc through ctypes, sqlite3, pybind11.

What must not go wrong here would end the process, so it runs in another one.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from apart import hang_now, run_apart
from loops import LEAVES, ORDER, Walk, answer, close, fail, leave_loop, leave_with

from pullit import PullError, PullExit, PullIterator, Seq, from_callback, iterate
from pullit._types import Engine

NAMES = ["a", "a/0", "a/1", "b", "b/0", "b/1"]
DATA = {"a/0": [0, 1], "a/1": [1, 2], "b/0": [2, 3], "b/1": [3, 4]}


def open_h5(path: str, mode: str = "r") -> Any:
    """Return an open HDF5 file."""
    return pytest.importorskip("h5py").File(path, mode)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where there is an HDF5 file with two groups of two data sets each."""
    path = str(tmp_path / "walk.h5")
    with open_h5(path, "w") as file:
        for name, values in DATA.items():
            file[name] = values
    return path


def visits(group: Any) -> Seq[tuple[str, Any]]:
    """Return a walk of *group*: names, and what they stand for."""
    return from_callback(group.visititems)


def name_of(item: tuple[str, Any]) -> str:
    return item[0]


def is_free(path: str) -> bool:
    """Tell whether nobody has the file open."""
    try:
        open_h5(path, "r+").close()
    except OSError:
        return False
    return True


# h5py: the loop


def test_h5py_the_loop_reads_the_file_that_is_walked(path: str) -> None:
    """Through the object it gets, the file, and a second handle of the file."""
    with open_h5(path) as file:
        got = {}
        for name, item in iterate(visits(file)):
            if name in DATA:
                got[name] = item[:].tolist()
                assert file[name][:].tolist() == got[name]
            else:
                with open_h5(path) as again:
                    assert list(again[name]) == list(item) == ["0", "1"]
        assert got == DATA


def test_h5py_all_its_walks_can_be_pulled(path: str) -> None:
    """What they return is the result: None, as no callback returned anything."""
    with open_h5(path) as file:
        for run in (file.visit, partial(file["/"].visit)):
            it = iterate(from_callback(run))
            assert list(it) == NAMES
            assert it.result is None
        assert [name for name, _ in iterate(visits(file["a"]))] == ["0", "1"]
        assert list(iterate(from_callback(file.visititems, pack=lambda *item: item[0]))) == NAMES


def test_h5py_loops_nest(path: str) -> None:
    """A whole walk, or the beginning of one, for each value of another."""
    with open_h5(path) as file:
        got = []
        for name, item in iterate(visits(file)):
            if name in DATA:
                with iterate(visits(file)) as begun:
                    assert next(begun)[0] == "a"
            else:
                got += [f"{name}/{inner}" for inner, _ in iterate(visits(item))]
                assert [inner for inner, _ in iterate(visits(file))] == NAMES
        assert got == list(DATA)


def test_h5py_many_deep(path: str) -> None:
    """Each loop inside the body of the one before, left innermost first."""

    def descend(file: Any, depth: int) -> int:
        if not depth:
            return 0
        return sum(1 + descend(file, depth - 1) for _ in iterate(visits(file["a"])))

    with open_h5(path) as file:
        assert descend(file, 6) == 2**7 - 2


def test_h5py_what_is_sent_ends_the_walk(path: str) -> None:
    """visititems stops on what is not None, and returns it."""
    with open_h5(path) as file:
        it = iterate(visits(file))
        assert next(it)[0] == "a"
        with pytest.raises(StopIteration) as end:
            it.send("found")
        assert (end.value.value, it.result, it.done) == ("found", "found", True)


def test_h5py_reply_decides_how_far_it_goes(path: str) -> None:
    """What reply makes of the call's arguments is what the API gets."""
    with open_h5(path) as file:
        seq = from_callback(file.visititems, reply=lambda name, _: True if name == "a/1" else None)
        it = iterate(seq)
        assert list(map(name_of, it)) == ["a", "a/0", "a/1"]
        assert it.result is True


# h5py: the early end


@pytest.mark.parametrize("leave", LEAVES, ids=lambda leave: str(leave.__name__))
def test_h5py_an_early_end_frees_the_file(path: str, leave: Callable[[Walk], None]) -> None:
    """Only the walk had it open; at once it can be written, in any thread."""

    def walk() -> PullIterator[Any]:
        return iterate(visits(open_h5(path)))

    it = walk()
    next(it)
    assert not is_free(path)
    assert it.close() is None
    leave(walk)
    with open_h5(path, "r+") as file:
        file["c"] = 3
    free: list[bool] = []
    thread = Thread(target=lambda: free.append(is_free(path)), daemon=True)
    thread.start()
    thread.join(10)
    assert free == [True]


def test_h5py_stop_reply_stops_without_an_exception(path: str) -> None:
    """visititems returns it, and so does close."""
    with open_h5(path) as file:
        it = iterate(from_callback(file.visititems, stop_reply="enough"))
        next(it)
        assert it.close() == it.result == "enough"
        assert list(iterate(from_callback(file.visit, stop_reply="enough"))) == NAMES


def test_h5py_an_error_in_the_callback_arrives_as_it_is(path: str) -> None:
    """Thrown there, or raised by pack, by reply, or after the walk."""
    error = ZeroDivisionError("exact")

    def raise_at_b(name: str, *_: object) -> None:
        if name == "b":
            raise error

    def raise_after(callback: Callable[..., Any]) -> None:
        file.visit(callback)
        raise error

    def check(it: PullIterator[Any], count: int, resume: Callable[..., Any] = next) -> None:
        for _ in range(count):
            next(it)
        with pytest.raises(ZeroDivisionError) as caught:
            resume(it)
        assert caught.value is error
        assert error.__cause__ is error.__context__ is None
        assert it.done
        with pytest.raises(PullError, match="did not return"):
            it.result  # noqa: B018

    with open_h5(path) as file:
        check(iterate(visits(file)), 1, lambda it: it.throw(error))
        check(iterate(from_callback(file.visititems, pack=raise_at_b)), 3)
        check(iterate(from_callback(file.visit, reply=raise_at_b)), 4)
        check(iterate(from_callback(raise_after)), 6)
    assert is_free(path)


# h5py: out of order


def by_lambda(file: Any) -> Seq[Any]:
    seq = visits(file)
    return lambda yield_: seq(yield_)


def by_lambda_of_run(file: Any) -> Seq[Any]:
    return from_callback(lambda callback: file.visititems(lambda *item: callback(*item)))


def by_partial(file: Any) -> Seq[Any]:
    return partial(lambda seq, yield_: seq(yield_), visits(file))


def by_producer(file: Any) -> Seq[Any]:
    """A plain producer runs it, over a file that it opens itself."""

    def producer(yield_: Callable[[Any], Any]) -> object:
        with closing(open_h5(file.filename)) as again:
            return visits(again)(yield_)

    return producer


def by_nested(file: Any) -> Seq[Any]:
    """The walk runs on a coroutine of its own, and yields to the outer consumer."""

    def outer(yield_: Callable[[Any], Any]) -> object:
        def inner(_: Callable[[Any], Any]) -> object:
            return visits(file)(yield_)

        it = iterate(inner)
        assert list(it) == []
        return it.result

    return outer


SHAPES: dict[str, Callable[[Any], Seq[Any]]] = {
    "bare": visits,
    "lambda": by_lambda,
    "lambda_of_run": by_lambda_of_run,
    "partial": by_partial,
    "producer": by_producer,
    "nested": by_nested,
}


def interleave(path: str) -> None:
    """Refuse whatever resumes the earlier of two walks; then both go on."""
    with open_h5(path) as file:
        for shape, walk in SHAPES.items():
            print(shape, flush=True)
            interleave_two(iterate(walk(file)), iterate(walk(file)))
            assert list(map(name_of, iterate(walk(file)))) == NAMES


def interleave_two(earlier: PullIterator[Any], later: PullIterator[Any]) -> None:
    assert next(earlier)[0] == next(later)[0] == "a"
    for resume in (
        lambda: next(earlier),
        lambda: list(earlier),
        lambda: earlier.send(None),
        lambda: earlier.throw(KeyError()),
        lambda: earlier.close(),
    ):
        with pytest.raises(PullError, match=ORDER):
            resume()
    assert not earlier.done
    assert list(map(name_of, later)) == NAMES[1:]
    assert list(map(name_of, earlier)) == NAMES[1:]
    assert earlier.result is later.result is None


def test_17_h5py_interleaved_walks_are_refused(path: str) -> None:
    """However seq is wrapped; unguarded, HDF5 crashes."""
    run_apart(interleave, path)


def walk_in_lockstep(path: str) -> None:
    """zip takes turns, which neither walk survives; one of them in a list does."""
    with open_h5(path) as file:
        earlier, later = iterate(visits(file)), iterate(visits(file))
        pairs = zip(earlier, later, strict=True)
        first = next(pairs)
        assert first[0][0] == first[1][0] == "a"
        with pytest.raises(PullError, match=ORDER):
            next(pairs)
        later.close()
        assert list(map(name_of, earlier)) == NAMES[1:]
        both = zip(list(iterate(visits(file))), iterate(visits(file)), strict=True)
        assert [(a[0], b[0]) for a, b in both] == list(zip(NAMES, NAMES, strict=True))


def test_17_h5py_lockstep_is_refused(path: str) -> None:
    """The refusal says to collect one into a list, and that works."""
    run_apart(walk_in_lockstep, path)


def drop_earlier(path: str) -> None:
    """It waits for its turn; when the later one ends, it is stopped."""
    other = f"{path}.other"
    Path(other).write_bytes(Path(path).read_bytes())
    for shape, walk in SHAPES.items():
        print(shape, flush=True)
        earlier, later = (iterate(walk(open_h5(p))) for p in (path, other))
        assert next(earlier)[0] == next(later)[0] == "a"
        del earlier
        assert next(later)[0] == "a/0"
        assert not is_free(path)
        later.close()
        assert is_free(path)
        assert is_free(other)


def test_17_h5py_a_walk_dropped_out_of_order_ends_in_its_turn(path: str) -> None:
    """The file that it holds is free as soon as that is safe."""
    run_apart(drop_earlier, path)


def keep_until_exit(path: str) -> bool:
    """Drop two walks in a cycle, and leave two suspended at the end."""

    def begin_two() -> list[Any]:
        file = open_h5(path)
        walks = [iterate(visits(file)), iterate(visits(file))]
        assert next(walks[0])[0] == next(walks[1])[0] == "a"
        return walks

    cycle = begin_two()
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert is_free(path)
    KEPT.extend(begin_two())
    return True


KEPT: list[Any] = []


def test_17_h5py_walks_that_are_never_closed_do_not_crash(path: str) -> None:
    """Found by the collector, or still suspended when the interpreter exits."""
    run_apart(keep_until_exit, path)


def leave_inner_unclosed(path: str) -> None:
    """The body starts a walk each time, keeps it, and goes on with the outer one."""
    with open_h5(path) as file:
        kept = []
        with iterate(visits(file)) as outer:
            with pytest.raises(PullError, match=ORDER):
                for name, _ in outer:
                    assert name == "a"
                    kept.append(iterate(visits(file)))
                    next(kept[-1])
            kept.pop().close()
            assert list(map(name_of, outer)) == NAMES[1:]


def test_17_h5py_an_inner_loop_left_unclosed_is_refused(path: str) -> None:
    """The outer one heals when the inner one is closed."""
    run_apart(leave_inner_unclosed, path)


def resume_through_outer(path: str) -> None:
    """An earlier walk is inside a producer that is itself not guarded."""
    with open_h5(path) as file:

        def outer(yield_: Callable[[str], Any]) -> str:
            it = iterate(visits(file))
            for name, _ in it:
                yield_(name)
                try:
                    next(it, None)
                except PullError:
                    yield_("refused")
            return "all"

        earlier, later = iterate(outer), iterate(visits(file))
        assert (next(earlier), next(later)[0]) == ("a", "a")
        assert next(earlier) == "refused"
        assert list(map(name_of, later)) == NAMES[1:]
        assert list(earlier) == ["a/0", "b", "b/1"]
        assert earlier.result == "all"


def test_17_h5py_the_refusal_arrives_in_a_producer_that_is_not_guarded(path: str) -> None:
    """There it can be caught, and the walk goes on."""
    run_apart(resume_through_outer, path)


def guard_ends_with_run(path: str) -> None:
    """What a producer yields before and after the walk may be taken in any order."""
    with open_h5(path) as file:

        def producer(yield_: Callable[[str], Any]) -> None:
            yield_("before")
            from_callback(file.visit)(yield_)
            yield_("after")

        earlier, later = iterate(producer), iterate(producer)
        assert [next(it) for it in (earlier, later, earlier)] == ["before", "before", "a"]
        assert next(later) == "a"
        with pytest.raises(PullError, match=ORDER):
            next(earlier)
        assert [next(later) for _ in NAMES] == [*NAMES[1:], "after"]
        assert [next(earlier) for _ in NAMES] == [*NAMES[1:], "after"]
        assert list(earlier) == list(later) == []


def test_17_h5py_only_the_walk_itself_is_guarded(path: str) -> None:
    """A plain push iterator around it is not."""
    run_apart(guard_ends_with_run, path)


# ctypes: callbacks that cannot raise

LIBC: Any = ctypes.CDLL(None) if os.name == "posix" else None
needs_libc = pytest.mark.skipif(not LIBC, reason=f"no C library is found by None on {sys.platform}")
INT_P = ctypes.POINTER(ctypes.c_int)
COMPARE = ctypes.CFUNCTYPE(ctypes.c_int, INT_P, INT_P)
FTW = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p
)
FTW_PHYS = 1


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> list[type[BaseException]]:
    """The exceptions that could be given to nobody, which ctypes has printed."""
    kinds: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: kinds.append(args.exc_type))
    return kinds


class Comparisons:
    """A qsort of some numbers, as a run for from_callback."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = (ctypes.c_int * len(numbers))(*numbers)
        self.ended = False

    def __call__(self, callback: Callable[[int, int], Any]) -> list[int]:
        compare = COMPARE(lambda a, b: callback(a[0], b[0]))
        LIBC.qsort(self.numbers, len(self.numbers), ctypes.sizeof(ctypes.c_int), compare)
        self.ended = True
        return list(self.numbers)


@needs_libc
def test_qsort_compares_in_the_loop(engine: Engine) -> None:
    """Ask and tell: the loop is the comparison."""
    it = iterate(from_callback(Comparisons(5, 3, 8, 1, 9, 2)), engine=engine)
    asked = []

    def compare(pair: tuple[int, int]) -> int:
        asked.append(pair)
        return pair[0] - pair[1]

    assert answer(it, compare) == it.result == [1, 2, 3, 5, 8, 9]
    assert len(asked) >= 5


@needs_libc
@pytest.mark.parametrize("reply", [None, lambda *_: 0], ids=["ask", "reply"])
def test_qsort_cannot_be_stopped_and_drains(
    engine: Engine, printed: list[type[BaseException]], reply: Callable[..., int] | None
) -> None:
    """After a handful of printed errors: there are thousands of comparisons to come."""
    for leave in (close, leave_with, leave_loop):
        run = Comparisons(*range(1000))
        leave(lambda: iterate(from_callback(run, reply=reply), engine=engine))
        assert run.ended
        assert sorted(run.numbers) == list(range(1000))
        assert set(printed) == {PullExit}
        assert len(printed) <= 6
        printed.clear()


@needs_libc
def test_qsort_drains_in_silence_with_a_stop_reply(printed: list[type[BaseException]]) -> None:
    """Each comparison after the stop gets it, and close what the run returned."""
    it = iterate(from_callback(Comparisons(*range(1000)), reply=lambda *_: 0, stop_reply=0))
    next(it)
    assert it.close() == it.result == list(range(1000))
    assert printed == []


@needs_libc
def test_qsort_the_consumers_error_is_raised_once_it_has_drained(
    printed: list[type[BaseException]],
) -> None:
    """And not lost, nor mixed with what was printed."""
    run = Comparisons(3, 2, 1)
    with pytest.raises(LookupError, match="mine") as caught, iterate(from_callback(run)) as it:
        next(it)
        raise LookupError("mine")
    assert caught.value.__context__ is None
    assert run.ended
    assert set(printed) <= {PullExit}


@needs_libc
def test_qsort_swallows_what_is_thrown_but_not_what_pack_raises(
    printed: list[type[BaseException]],
) -> None:
    """ctypes prints both; an error of pack's arrives at the consumer all the same."""
    it = iterate(from_callback(Comparisons(3, 2, 1), reply=lambda *_: 0))
    next(it)
    assert it.throw(KeyError("lost"))
    assert printed == [KeyError]
    it.close()
    printed.clear()
    run = Comparisons(3, 2, 1)
    with pytest.raises(ValueError, match="of pack"):
        list(iterate(from_callback(run, pack=partial(fail, ValueError("of pack")))))
    assert run.ended
    assert set(printed) == {ValueError}


@pytest.fixture
def tree(tmp_path: Path) -> str:
    """A directory with others in it."""
    for name in ("a/b/c", "d/e"):
        (tmp_path / "tree" / name).mkdir(parents=True)
        (tmp_path / "tree" / name / "file").touch()
    return str(tmp_path / "tree")


def files(tree: str) -> Callable[[Callable[[str], Any]], int]:
    """Return a run of nftw over *tree*; it returns what nftw did."""

    def nftw(callback: Callable[[str], Any]) -> int:
        called = FTW(lambda path, *_: callback(os.fsdecode(path)))
        result: int = LIBC.nftw(os.fsencode(tree), called, 8, FTW_PHYS)
        return result

    return nftw


def descriptors() -> set[str]:
    """Return which files are open."""
    return set(os.listdir("/dev/fd"))


@needs_libc
def test_nftw_walks_a_tree(tree: str, engine: Engine) -> None:
    """As os.walk does, and the loop may change what has been walked."""
    expected = {tree} | {os.path.join(d, n) for d, ds, fs in os.walk(tree) for n in ds + fs}
    it = iterate(from_callback(files(tree), reply=lambda *_: 0), engine=engine)
    got = []
    for path in it:
        got.append(path)
        if os.path.isfile(path):
            os.remove(path)
    assert set(got) == expected
    assert len(got) == len(expected)
    assert it.result == 0
    assert not any(files for _, _, files in os.walk(tree))


@needs_libc
def test_nftw_stops_when_told_and_closes_its_directories(
    tree: str, engine: Engine, printed: list[type[BaseException]]
) -> None:
    """nftw stops on what is not 0, and returns it."""
    before = descriptors()
    it = iterate(from_callback(files(tree), reply=lambda *_: 0, stop_reply=1), engine=engine)
    next(it)
    next(it)
    assert len(descriptors()) > len(before)
    assert it.close() == it.result == 1
    assert descriptors() == before
    assert printed == []


@needs_libc
def test_nftw_walks_nest_and_stop_on_what_is_sent(
    tree: str, printed: list[type[BaseException]]
) -> None:
    """The inner one is left early each time."""
    before = descriptors()
    seq = from_callback(files(tree), reply=lambda *_: 0, stop_reply=1)
    count = 0
    for _ in iterate(seq):
        with iterate(seq) as inner:
            assert next(inner) == tree
            count += 1
    assert count == 8
    it = iterate(seq)
    next(it)
    with pytest.raises(StopIteration) as end:
        it.send(42)
    assert end.value.value == it.result == 42
    assert descriptors() == before
    assert printed == []


# sqlite3


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    """A database with the numbers from 0 to 4 in n of t."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        fill(db)
        yield db


def fill(db: sqlite3.Connection) -> None:
    db.execute("create table t (n)")
    db.executemany("insert into t values (?)", [(n,) for n in range(5)])


def select(
    db: sqlite3.Connection, sql: str, name: str = "f"
) -> Callable[[Callable[..., Any]], list[Any]]:
    """Return a run of *sql* that calls back from it by *name*."""

    def run(callback: Callable[..., Any]) -> list[Any]:
        db.create_function(name, 1, callback)
        return [row[0] for row in db.execute(sql)]

    return run


def test_sqlite3_cannot_be_walked_so_on_a_thread(db: sqlite3.Connection) -> None:
    """As the README says: it is refused, or whoever else uses the connection waits for it."""
    run = select(db, "select f(n) from t order by n")
    with pytest.raises(sqlite3.ProgrammingError, match="in that same thread"):
        next(iterate(from_callback(run), engine="thread"))
    run_apart(use_from_another_thread, may_hang=True)


def use_from_another_thread() -> None:
    """Until SQLite 3.53 the other thread waits for the producer; since then, all threads do.

    sqlite3 then waits for SQLite's lock with the GIL held, in plain Python as well.
    """
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as db:
        fill(db)
        seq = from_callback(select(db, "select f(n) from t order by n"))
        with iterate(seq, engine="thread") as it:
            next(it)
            query = Thread(target=lambda: db.execute("select 2").fetchone())
            hang_now()
            query.start()
            query.join(0.1)
            assert query.is_alive()
            assert list(it) == [1, 2, 3, 4]
        query.join()


ERROR = "user-defined function raised exception"


def test_sqlite3_a_function_is_answered_from_the_same_connection(db: sqlite3.Connection) -> None:
    """Ask and tell: the loop runs other statements while the first one waits."""
    it = iterate(from_callback(select(db, "select f(n) from t order by n")))

    def count_below(n: int) -> int:
        count: int = db.execute("select count(*) from t where n < ?", (n,)).fetchone()[0]
        return 10 * count

    assert answer(it, count_below) == it.result == [0, 10, 20, 30, 40]


def test_sqlite3_a_function_that_is_not_answered_is_null(db: sqlite3.Connection) -> None:
    """And the loop may write what is read later."""
    it = iterate(from_callback(select(db, "select f(n) from t order by n")))
    got = []
    for n in it:
        got.append(n)
        db.execute("create table if not exists seen (n)")
        db.execute("insert into seen values (?)", (n,))
    assert got == [n for (n,) in db.execute("select n from seen")] == [0, 1, 2, 3, 4]
    assert it.result == [None] * 5


def test_sqlite3_statements_nest(db: sqlite3.Connection) -> None:
    """Two functions of one connection, the inner loop finished before the outer goes on."""
    outer = from_callback(select(db, "select f(n) from t where n < 2 order by n"))
    got = []
    for n in iterate(outer):
        name = f"g{n}"  # sqlite3 redefines none while a statement runs
        inner = from_callback(select(db, f"select {name}(n) from t order by n", name))
        got += [(n, m) for m in iterate(inner)]
    assert got == [(n, m) for n in range(2) for m in range(5)]


def test_sqlite3_the_error_by_which_a_stop_is_reported_can_be_named(
    db: sqlite3.Connection,
) -> None:
    """sqlite3 loses that it came of PullExit, so else close raises it."""
    run = select(db, "select f(n) from t")
    with iterate(from_callback(run, stop_errors=(sqlite3.OperationalError,))) as it:
        assert next(it) == 0
    assert it.done
    it = iterate(from_callback(run))
    assert next(it) == 0
    with pytest.raises(sqlite3.OperationalError, match=ERROR):
        it.close()
    assert it.done
    assert db.execute("select count(*) from t").fetchone() == (5,)


def test_sqlite3_an_early_stop_frees_the_lock(tmp_path: Path) -> None:
    """A statement that writes holds it, and lets go when it is stopped."""
    path = tmp_path / "locked.db"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as db,
        closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other,
    ):
        fill(db)
        run = select(db, "insert into t select f(n) from t")
        it = iterate(from_callback(run, stop_errors=(sqlite3.OperationalError,)))
        next(it)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("insert into t values (5)")
        it.close()
        other.execute("insert into t values (5)")
        assert [n for (n,) in db.execute("select n from t")] == [0, 1, 2, 3, 4, 5]


def test_sqlite3_a_consumers_error_is_not_replaced(db: sqlite3.Connection) -> None:
    """It leaves the loop; sqlite3's own, by which the stop is reported, does not."""
    stopped = from_callback(
        select(db, "select f(n) from t"), stop_errors=(sqlite3.OperationalError,)
    )
    with pytest.raises(LookupError, match="mine") as caught, iterate(stopped) as it:
        for _ in it:
            raise LookupError("mine")
    assert caught.value.__context__ is None


def test_sqlite3_an_error_in_the_callback_is_replaced(db: sqlite3.Connection) -> None:
    """What is thrown is lost in sqlite3; what pack raised is kept as the context."""
    run = select(db, "select f(n) from t")
    it = iterate(from_callback(run, stop_errors=(sqlite3.OperationalError,)))
    next(it)
    with pytest.raises(sqlite3.OperationalError, match=ERROR):
        it.throw(KeyError())
    error = ValueError("of pack")
    with pytest.raises(sqlite3.OperationalError, match=ERROR) as caught:
        list(iterate(from_callback(run, pack=partial(fail, error))))
    assert caught.value.__context__ is error
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        list(iterate(from_callback(select(db, "select f(n) from nowhere"))))


def slow_query(db: sqlite3.Connection) -> Callable[[Callable[[], Any]], Any]:
    """Return a run of a long query that calls back now and then."""

    def run(callback: Callable[[], Any]) -> Any:
        db.set_progress_handler(callback, 1000)
        try:
            return db.execute(
                "with recursive c (n) as (select 1 union all select n + 1 from c where n < 2000)"
                " select sum(n) from c"
            ).fetchone()[0]
        finally:
            db.set_progress_handler(None, 1000)

    return run


def test_sqlite3_progress_is_seen_from_another_connection(
    db: sqlite3.Connection, tmp_path: Path
) -> None:
    """The query goes on with each value, and its result is the iterator's."""
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as log:
        log.execute("create table log (n)")
        it = iterate(from_callback(slow_query(db)))
        for n, value in enumerate(it):
            assert value == ()
            log.execute("insert into log values (?)", (n,))
        assert it.result == 2000 * 2001 / 2
        assert log.execute("select count(*) > 10 from log").fetchone() == (1,)


def test_sqlite3_progress_interrupts_the_query(db: sqlite3.Connection) -> None:
    """By a true value, as by an exception; what is sent counts as well."""
    named = (sqlite3.OperationalError,)
    for seq in (
        from_callback(slow_query(db), stop_reply=1, stop_errors=named),
        from_callback(slow_query(db), stop_errors=named),
    ):
        with iterate(seq) as it:
            next(it)
        it = iterate(seq)
        next(it)
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            it.send(1)
    assert list(iterate(from_callback(select(db, "select f(n) from t")))) == [0, 1, 2, 3, 4]


def test_sqlite3_statements_are_traced(db: sqlite3.Connection) -> None:
    """Each as it begins; a stop lets the rest run untraced."""

    def run(callback: Callable[[str], Any]) -> int:
        db.set_trace_callback(callback)
        try:
            return sum(db.execute(f"select {n}").fetchone()[0] for n in range(4))
        finally:
            db.set_trace_callback(None)

    it = iterate(from_callback(run))
    assert list(it) == [f"select {n}" for n in range(4)]
    assert it.result == 6
    it = iterate(from_callback(run, stop_reply=None))
    assert next(it) == "select 0"
    assert it.close() == 6


# pybind11

TREE = {"a": [1, 2], "b": (3,)}
NODES = [TREE, [1, 2], 1, 2, (3,), 3]


def nodes() -> Seq[Any]:
    """Return a walk of TREE by optree, whose C++ part asks of each node if it is a leaf."""
    optree: Any = pytest.importorskip("optree")
    return from_callback(
        lambda callback: optree.tree_leaves(TREE, is_leaf=callback), reply=lambda _: False
    )


def test_pybind11_walks_and_is_told(engine: Engine) -> None:
    """What is sent is the answer, here that a list is a leaf, or that nothing is."""
    it = iterate(nodes(), engine=engine)
    assert list(it) == NODES
    assert it.result == [1, 2, 3]
    it = iterate(nodes(), engine=engine)
    assert answer(it, lambda node: isinstance(node, list)) == it.result == [[1, 2], 3]
    it = iterate(nodes(), engine=engine)
    assert answer(it, lambda node: False) == it.result == [1, 2, 3]
    assert [m for n in iterate(nodes()) if n == 1 for m in iterate(nodes())] == NODES


def test_pybind11_lets_exceptions_through() -> None:
    """PullExit, and an error as it is."""
    for leave in LEAVES:
        leave(lambda: iterate(nodes()))
    it = iterate(nodes())
    next(it)
    error = KeyError()
    with pytest.raises(KeyError) as caught:
        it.throw(error)
    assert caught.value is error


def interleave_pybind11() -> None:
    """Refuse to go on with the earlier one; then both go on."""
    earlier, later = iterate(nodes()), iterate(nodes())
    assert next(earlier) == next(later) == TREE
    for resume in (earlier.__next__, earlier.close):
        with pytest.raises(PullError, match=ORDER):
            resume()
    assert list(later) == list(earlier) == NODES[1:]
    earlier, later = iterate(nodes()), iterate(nodes())
    assert next(earlier) == next(later) == TREE
    del earlier
    assert list(later) == NODES[1:]


def test_17_pybind11_interleaved_calls_are_refused() -> None:
    """Unguarded, its list of what the running calls keep alive ends the process."""
    pytest.importorskip("optree")
    run_apart(interleave_pybind11)


def test_17_pybind11_calls_in_threads_of_their_own_may_take_turns() -> None:
    """Each has its own stack, so the thread engine needs no guard."""
    pair = [iterate(nodes(), engine="thread") for _ in range(2)]
    assert list(zip(*pair, strict=True)) == list(zip(NODES, NODES, strict=True))
    pair = [iterate(nodes(), engine="thread") for _ in range(2)]
    assert next(pair[0]) == next(pair[1]) == TREE
    for it in pair:
        it.close()


# DuckDB: every call of it, on whichever connection, walks the list of those that run


@pytest.fixture
def doubled() -> Callable[[Callable[[int], Any]], Any]:
    """A query of DuckDB that calls a Python function, as a run for from_callback."""
    duckdb: Any = pytest.importorskip("duckdb")

    def run(callback: Callable[[int], Any]) -> Any:
        with duckdb.connect(config={"threads": 1}) as db:
            # It counts the parameters of the function, and what a callback has are *args.
            db.create_function("f", lambda n: callback(n), ["BIGINT"], "BIGINT")
            return db.execute("select f(i) from range(4) t(i)").fetchall()

    return run


def test_duckdb_asks_the_loop(doubled: Callable[[Callable[[int], Any]], Any]) -> None:
    """Which must leave DuckDB alone meanwhile."""
    it = iterate(from_callback(doubled))
    assert answer(it, lambda n: 2 * n) == it.result == [(0,), (2,), (4,), (6,)]


def test_duckdb_can_be_used_in_the_loop_by_the_thread_engine(
    doubled: Callable[[Callable[[int], Any]], Any],
) -> None:
    """The query then runs on a stack of its own."""
    duckdb: Any = pytest.importorskip("duckdb")

    def double(n: int) -> int:
        with duckdb.connect() as db:
            value: int = db.execute("select 2 * ?", [n]).fetchone()[0]
            return value

    it = iterate(from_callback(doubled), engine="thread")
    assert answer(it, double) == it.result == [(0,), (2,), (4,), (6,)]


def test_duckdb_stops_by_force(
    doubled: Callable[[Callable[[int], Any]], Any], engine: Engine
) -> None:
    """By an error of its own, to be named, in which the one of the callback is only text."""
    duckdb: Any = pytest.importorskip("duckdb")
    seq = from_callback(doubled, stop_errors=(duckdb.InvalidInputException,))
    for leave in (close, leave_with, leave_loop):
        leave(lambda: iterate(seq, engine=engine))
    it = iterate(seq, engine=engine)
    next(it)
    with pytest.raises(duckdb.InvalidInputException, match="KeyError: 'lost'"):
        it.throw(KeyError("lost"))
    assert list(iterate(from_callback(doubled, reply=lambda n: n))) == [0, 1, 2, 3]
