"""Several threads that call yield_ at once, on the thread engine (contract 21, and 5)."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from elsewhere import in_thread, wait_until
from invariants import check

import pullit
from pullit import PullExit, PullIterator

EXITS = ["PullExit"] * 5


class Crew:
    """A producer with a thread for each of *scripts*, the values that it yields.

    A thread starts when the first call of the one before it waits, so they take turns in
    this order. What yield_ answered each is in `answers`.
    """

    def __init__(self, *scripts: str, end: BaseException | str = "joined") -> None:
        self.scripts = [script.split() for script in scripts]
        self.answers: list[list[Any]] = [[] for _ in scripts]
        self.threads: list[threading.Thread] = []
        self.end = end  # what it returns or raises; joined: when its threads have ended
        self.pull: Any = None

    def begin(self, first: str = "a0", read_ahead: int = 0) -> PullIterator[str]:
        """Return an iterator whose first value was taken, and for which all threads wait."""
        it = pullit.iterate(self, engine="thread", read_ahead=read_ahead)
        self.pull = it._pull
        assert next(it) == first
        self.let_wait(len(self.scripts))
        if self.end != "joined":
            wait_until(lambda: self.pull.ended)
        return it

    def let_wait(self, size: int) -> None:
        """Wait until *size* calls wait, that whose value was taken among them."""
        pull = self.pull
        wait_until(lambda: len(pull.waiting) == size)
        check(pull)

    def __call__(self, yield_: Callable[[str], Any]) -> str:
        if self.pull.reads_ahead:
            yield_("first")
            wait_until(lambda: not self.pull.values)  # it was taken
        pull = self.pull
        for k in range(len(self.scripts)):
            wait_until(lambda: len(pull.waiting) == k)
            self.threads.append(threading.Thread(target=self.work, args=(yield_, k)))
            self.threads[-1].start()
        if self.end != "joined":
            wait_until(lambda: len(pull.waiting) == len(self.scripts))
        if isinstance(self.end, BaseException):
            raise self.end
        if self.end == "joined":
            self.join()
        return self.end

    def work(self, yield_: Callable[[str], Any], k: int) -> None:
        for value in self.scripts[k]:
            try:
                self.answers[k].append(yield_(value))
            except PullExit:
                self.answers[k].append("PullExit")
            except KeyError as e:
                self.answers[k].append(e)

    def join(self) -> None:
        for thread in self.threads:
            thread.join()


# How to ask, and what the call is answered whose value was taken last.
ASKS: dict[str, Callable[[PullIterator[str], str], str]] = {
    "next": lambda it, last: next(it),
    "send": lambda it, last: it.send(f"to {last}"),
    "throw": lambda it, last: it.throw(KeyError(last)),
}


def told(answers: list[Any]) -> list[Any]:
    """Return *answers*, with what a KeyError says in its place."""
    return [f"raised {a.args[0]}" if isinstance(a, KeyError) else a for a in answers]


def expected(ask: str, value: str) -> object:
    return {"next": True, "send": f"to {value}", "throw": f"raised {value}"}[ask]


@pytest.mark.parametrize("ask", ASKS)
def test_21_each_waits_until_the_next_after_the_one_that_took_its_value(ask: str) -> None:
    """No other is answered by it; send and throw answer the call whose value was taken last."""
    crew = Crew("a0 a1", "b0 b1", "c0 c1")
    it = crew.begin()
    order = ["a0", "b0", "c0", "a1", "b1", "c1"]
    assert crew.answers == [[], [], []]
    for taken, (last, value) in enumerate(itertools.pairwise(order), 1):
        assert ASKS[ask](it, last) == value
        crew.let_wait(min(3, len(order) - taken))
        wait_until(lambda: sum(map(len, crew.answers)) == taken)
        answered: list[list[object]] = [[], [], []]
        for n in range(taken):
            answered[n % 3].append(expected(ask, order[n]))
        assert [told(answers) for answers in crew.answers] == answered
    with pytest.raises(StopIteration) as end:
        ASKS[ask](it, "c1")
    assert end.value.value == "joined"
    assert told(crew.answers[2]) == [expected(ask, "c0"), expected(ask, "c1")]


def test_21_send_and_throw_may_be_mixed_with_next() -> None:
    """Each reaches one thread, and nothing of it the others."""
    crew = Crew("a0 a1", "b0", "c0")
    it = crew.begin()
    assert it.send(False) == "b0"
    crew.let_wait(3)
    error = KeyError("to b0")
    assert it.throw(error) == "c0"
    crew.let_wait(2)
    assert next(it) == "a1"
    with pytest.raises(StopIteration):
        it.send(None)
    assert crew.answers == [[False, None], [error], [True]]


def test_21_what_is_thrown_and_not_caught_ends_that_thread_only() -> None:
    """The others' values arrive first, and then it does, since seq asks what became of it."""
    crew = Crew("a0", "b0")

    def seq(yield_: Callable[[str], Any]) -> None:
        crew.threads.append(threading.Thread(target=crew.work, args=(yield_, 0)))
        crew.threads[0].start()
        wait_until(lambda: crew.pull.waiting)
        try:
            in_thread(yield_, "thrown at")
        finally:
            crew.join()

    it = pullit.iterate(seq, engine="thread")
    crew.pull = it._pull
    assert next(it) == "a0"
    crew.let_wait(2)
    assert next(it) == "thrown at"
    error = ZeroDivisionError("thrown")
    with pytest.raises(ZeroDivisionError) as caught:
        it.throw(error)
    assert caught.value is error
    assert crew.answers == [[True], []]


def test_21_a_stop_does_not_take_the_answer_from_a_call_that_has_yet_to_wait() -> None:
    """Its value was taken and answered already; what was sent arrives, and not False."""
    answers: list[object] = []
    told, waiting = threading.Event(), threading.Event()

    def hold(frame: Any, event: str, arg: Any) -> None:
        # When the value is there, and its yield_ has not looked whether it is to stop.
        if event == "c_return" and arg.__name__ == "append" and frame.f_code.co_name == "yield_":
            sys.setprofile(None)
            waiting.set()
            told.wait(10)

    def late(yield_: Callable[[str], Any]) -> None:
        sys.setprofile(hold)
        answers.append(yield_("held"))

    def seq(yield_: Callable[[str], Any]) -> None:
        thread = threading.Thread(target=late, args=(yield_,))
        thread.start()
        waiting.wait()
        answers.append(yield_("second"))
        told.set()
        thread.join()

    it = pullit.iterate(seq, engine="thread")
    assert next(it) == "held"
    assert it.send("to held") == "second"
    it.close()
    assert answers == [False, "to held"]


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("fails", [False, True])
def test_21_calls_that_wait_when_seq_returns_or_raises_are_delivered_before_the_end(
    ask: str, fails: bool
) -> None:
    """And are answered; what they call after that is answered False."""
    error = LookupError("seq")
    crew = Crew("a0 a1", "b0 b1", "c0 c1", end=error if fails else "returned")
    it = crew.begin()
    assert ASKS[ask](it, "a0") == "b0"
    assert ASKS[ask](it, "b0") == "c0"
    with pytest.raises(LookupError if fails else StopIteration) as end:
        ASKS[ask](it, "c0")
    assert end.value is error or it.result == end.value.args[0] == "returned"
    crew.join()
    for answers, value in zip(crew.answers, ["a0", "b0", "c0"], strict=True):
        assert told(answers) == [expected(ask, value), False]
    assert list(it) == []


@pytest.mark.parametrize("fails", [False, True])
def test_21_reading_ahead_they_are_delivered_before_the_end_too(fails: bool) -> None:
    """Each thread that waits for room has one more value than the n that may wait."""
    error = LookupError("seq")
    crew = Crew("a0 a1", "b0", "c0", end=error if fails else "returned")
    it = crew.begin("first", read_ahead=2)
    assert crew.answers == [[True], [], []]
    assert [next(it) for _ in range(4)] == ["a0", "a1", "b0", "c0"]
    with pytest.raises(LookupError if fails else StopIteration) as end:
        next(it)
    assert end.value is error or it.result == "returned"
    crew.join()  # who wakes after the end is answered False
    assert crew.answers[0][0] is True
    assert {answers[-1] for answers in crew.answers} <= {True, False}


@pytest.mark.parametrize("read_ahead", [0, 2])
@pytest.mark.parametrize("how", ["close", "with", "drop"])
def test_21_a_stop_answers_all_waiting_calls_false(how: str, read_ahead: int) -> None:
    """That whose value was taken, and those whose values nobody takes any more."""
    crew = Crew("a0 a1" if read_ahead else "a0", "b0", "c0")
    its = [crew.begin("first" if read_ahead else "a0", read_ahead)]
    if how == "close":
        assert its[0].close() == "joined"
    elif how == "with":
        with its[0]:
            pass
    its.clear()
    crew.join()  # a drop waits for seq, which has joined them
    assert [answers[-1] for answers in crew.answers] == [False] * 3
    assert crew.answers[0][:-1] == [True] * (read_ahead > 0)


@pytest.mark.parametrize("read_ahead", [0, 2])
def test_05_21_each_of_several_threads_is_answered_false_once_before_it_gets_pull_exit(
    read_ahead: int,
) -> None:
    """Those that waited when it was stopped, and those that come later; then all drain."""
    late: list[object] = []

    class CrewWithLateComer(Crew):
        def __call__(self, yield_: Callable[[str], Any]) -> str:
            result = super().__call__(yield_)
            self.answers.append(late)
            self.scripts.append(self.scripts[1])
            in_thread(self.work, yield_, len(self.answers) - 1)
            return result

    eight = "1 2 3 4 5 6 7 8"
    crew = CrewWithLateComer("a0 " + eight if read_ahead else eight, eight, eight)
    it = crew.begin("first" if read_ahead else "1", read_ahead)
    it.close()
    stopped = [False, *EXITS, False, False]
    assert crew.answers == [[True] * (read_ahead > 0) + stopped, stopped, stopped, stopped]


def test_21_reading_ahead_what_comes_too_late_for_the_end_is_answered_false() -> None:
    """seq returns while a thread is in yield_, whose value comes after the last look for one."""
    answers: list[object] = []
    called, looked, answered = (threading.Event() for _ in range(3))

    def hold(frame: Any, event: str, arg: Any) -> None:
        if event == "return" and frame.f_code.co_name == "may_yield":
            sys.setprofile(None)
            called.set()
            looked.wait(10)

    def late(yield_: Callable[[str], Any]) -> None:
        sys.setprofile(hold)
        answers.append(yield_("late"))
        answered.set()

    def seq(yield_: Callable[[str], Any]) -> None:
        threads.append(threading.Thread(target=late, args=(yield_,)))
        threads[0].start()
        called.wait(10)

    def look(frame: Any, event: str, arg: Any) -> None:
        if event == "c_exception" and arg.__name__ == "popleft" and pull.ended:
            sys.setprofile(None)
            looked.set()
            answered.wait(10)

    threads: list[threading.Thread] = []
    it: Any = pullit.iterate(seq, engine="thread", read_ahead=9)
    pull = it._pull
    sys.setprofile(look)
    try:
        assert list(it) == []
    finally:
        sys.setprofile(None)
    threads[0].join()
    assert answers == [False]


# A hammer: eight threads, which the interpreter switches as often as it can.

CREW = range(8)


@pytest.fixture
def switches() -> Iterator[None]:
    """As many switches between threads as there can be."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def hired(work: Callable[[Callable[[Any], Any], int], object]) -> Callable[[Any], list[object]]:
    """Return a producer with eight threads that each do ``work(yield_, k)``."""

    def seq(yield_: Callable[[Any], Any]) -> list[object]:
        with ThreadPoolExecutor(len(CREW)) as pool:
            meeting = threading.Barrier(len(CREW))

            def begin(k: int) -> object:
                meeting.wait()  # so that none does the work of two
                return work(yield_, k)

            return list(pool.map(begin, CREW))

    return seq


@pytest.mark.usefixtures("switches")
def test_21_under_a_hammer_send_and_throw_answer_the_thread_whose_value_was_taken() -> None:
    """Each thread gets what belongs to its own value, hundreds of times."""

    def work(yield_: Callable[[Any], Any], k: int) -> list[object]:
        answers: list[object] = []
        for n in range(90):
            try:
                answers.append(yield_((k, n)))
            except KeyError as e:
                answers.append(("raised", *e.args))
        return answers

    it = pullit.iterate(hired(work), engine="thread")
    got = [next(it)]
    with suppress(StopIteration):
        while True:
            k, n = got[-1]
            if n % 3 == 0:
                got.append(it.send(("sent", k, n)))
            elif n % 3 == 1:
                got.append(it.throw(KeyError(k, n)))
            else:
                got.append(next(it))
    for k in CREW:
        assert [n for of, n in got if of == k] == list(range(90))
        answers = [[("sent", k, n), ("raised", k, n + 1), True] for n in range(0, 90, 3)]
        assert it.result[k] == list(itertools.chain(*answers))


@pytest.mark.usefixtures("switches")
@pytest.mark.parametrize("read_ahead", [0, 3])
def test_21_under_a_hammer_no_value_is_lost(read_ahead: int) -> None:
    """Each arrives once, in its thread's order."""

    def work(yield_: Callable[[Any], Any], k: int) -> list[object]:
        return [yield_((k, n)) for n in range(200)]

    it = pullit.iterate(hired(work), engine="thread", read_ahead=read_ahead)
    got = list(it)
    assert len(got) == len(CREW) * 200
    for k in CREW:
        assert [n for of, n in got if of == k] == list(range(200))
    assert it.result == [[True] * 200] * len(CREW)


@pytest.mark.usefixtures("switches")
@pytest.mark.parametrize("read_ahead", [0, 3])
def test_21_under_a_hammer_a_stop_ends_each_thread(read_ahead: int) -> None:
    """With one False each, wherever it strikes, and PullExit for who goes on."""

    def work(yield_: Callable[[Any], Any], k: int) -> None:
        answers = logs[k]
        answers.clear()
        try:
            while True:
                answers.append(yield_(k))
        except PullExit:
            answers.append("PullExit")
            raise

    logs: list[list[object]] = [[] for _ in CREW]
    for size in range(1, 40):
        it = pullit.iterate(hired(work), engine="thread", read_ahead=read_ahead)
        assert len(list(itertools.islice(it, size))) == size
        it.close()
        for answers in logs:
            assert answers[-2:] == [False, "PullExit"]
            assert answers[:-2] == [True] * (len(answers) - 2)
        # In lockstep the last that was taken is answered by the stop.
        if not read_ahead:
            assert sum(map(len, logs)) == size - 1 + 2 * len(CREW)


@pytest.mark.usefixtures("switches")
@pytest.mark.parametrize("read_ahead", [0, 3])
def test_21_under_a_hammer_what_is_answered_true_at_the_end_was_delivered(read_ahead: int) -> None:
    """seq returns while its threads call: each of their values arrives, or is answered False.

    Reading ahead, one that arrives may be answered False: it may wake after the end.
    """

    def seq(yield_: Callable[[Any], Any]) -> None:
        def work(k: int) -> None:
            for n in itertools.count():
                if not yield_((k, n)):
                    break
                delivered.append((k, n))

        threads.extend(threading.Thread(target=work, args=(k,)) for k in CREW)
        for thread in threads:
            thread.start()
        wait_until(lambda: len(delivered) >= size)

    for size in range(40):  # noqa: B007  seq looks at it
        delivered: list[tuple[int, int]] = []
        threads: list[threading.Thread] = []
        got = list(pullit.iterate(seq, engine="thread", read_ahead=read_ahead))
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
        assert len(set(got)) == len(got)
        assert set(delivered) <= set(got)
        assert read_ahead or len(delivered) == len(got)
