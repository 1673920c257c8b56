"""Foreign threads (contract 18), interruptions (21), signals, and exit."""

from __future__ import annotations

import gc
import itertools
import signal
import sys
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import pytest
from elsewhere import has_yielded, in_thread, needs, run_script, wait_until
from producers import countdown, deaf
from strikes import Strike, strike_at

import pullit
from pullit import PullError, PullIterator, WrongThreadError
from pullit._lifetimes import live
from pullit._per_thread import per_thread
from pullit._pull import ENDED
from pullit._types import Engine
from pullit._waiting import wait_in_steps


def calls_back_elsewhere(yield_: Callable[[int], Any], log: list[object]) -> None:
    """Call *yield_* as an API does that has a thread of its own."""

    def run() -> None:
        try:
            yield_(9)
        except PullError as e:
            log.append(type(e))

    thread = threading.Thread(target=run, name="theirs")
    thread.start()
    thread.join()


TEXT = (
    "pullit.iterate: yield_ called in thread 'theirs', but {} was started in thread"
    " 'MainThread'; pass engine=\"thread\" for an API that calls back from other threads"
)


def test_18_a_foreign_yield_is_refused_there_and_at_the_consumer() -> None:
    """By the next in which seq ends; such errors are often swallowed where they are raised."""
    log: list[object] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        calls_back_elsewhere(yield_, log)

    it = pullit.iterate(producer)
    with pytest.raises(WrongThreadError) as caught:
        next(it)
    where = "test_18_a_foreign_yield_is_refused_there_and_at_the_consumer.<locals>.producer"
    assert str(caught.value) == TEXT.format(where)
    assert log == [WrongThreadError]
    assert list(it) == []


def test_18_a_value_that_comes_first_is_delivered() -> None:
    """The next after it stops seq, and raises."""
    log: list[object] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        log.append(yield_(1))
        calls_back_elsewhere(yield_, log)
        log.append(yield_(2))

    it = pullit.iterate(producer)
    assert [next(it), next(it)] == [1, 2]
    with pytest.raises(WrongThreadError):
        next(it)
    assert log == [True, WrongThreadError, False]
    assert list(it) == []


def test_18_stop_raises_it_too() -> None:
    """Nobody else would hear of it."""
    log: list[object] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        calls_back_elsewhere(yield_, log)
        yield_(1)

    it = pullit.iterate(producer)
    next(it)
    with pytest.raises(WrongThreadError):
        it.close()


def test_18_an_error_of_seq_has_it_among_its_contexts() -> None:
    """Neither of the two is lost."""

    def producer(yield_: Callable[[int], Any]) -> None:
        calls_back_elsewhere(yield_, [])
        raise KeyError("boom")

    with pytest.raises(KeyError) as caught:
        list(pullit.iterate(producer))
    assert isinstance(caught.value.__context__, WrongThreadError)


def test_18_with_the_thread_engine_it_works() -> None:
    """The call is served like any other."""
    log: list[object] = []
    it = pullit.iterate(lambda yield_: calls_back_elsewhere(yield_, log), engine="thread")
    assert list(it) == [9]
    assert log == []


def test_21_its_thread_is_gone_when_the_pull_is() -> None:
    """To the last: here, the end of what the thread has for itself."""
    log: list[str] = []
    looked = threading.Event()
    own = threading.local()

    class Last:
        def __del__(self) -> None:
            looked.wait(0.02)
            log.append("thread gone")

    def producer(yield_: Callable[[int], Any]) -> None:
        own.last = Last()

    assert list(pullit.iterate(producer, engine="thread")) == []
    log.append("pull gone")
    looked.set()
    assert log == ["thread gone", "pull gone"]


def test_21_nobody_keeps_its_thread() -> None:
    """Nor does the last message to who waited for its end."""
    seen: list[weakref.ref[threading.Thread]] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        seen.append(weakref.ref(threading.current_thread()))

    assert list(pullit.iterate(producer, engine="thread")) == []
    gc.collect()
    assert seen[0]() is None


@needs("signal.setitimer")
def test_21_a_signal_interrupts_a_waiting_next_at_once() -> None:
    """The pull is over, and the producer is told to stop at its next yield_."""
    assert (
        run_script(
            """
        import signal, threading
        import pullit

        go_on, log = threading.Event(), []

        def producer(yield_):
            yield_(1)
            go_on.wait()
            try:
                log.append(yield_(2))
                log.append(yield_(3))
            except pullit.PullExit:
                log.append("exit")
                raise

        def interrupt(*_):
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

        signal.signal(signal.SIGALRM, interrupt)
        it = pullit.iterate(producer, engine="thread")
        next(it)
        (thread,) = set(threading.enumerate()) - {threading.main_thread()}
        try:
            # Again, since one that comes right before a wait interrupts nothing.
            signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
            next(it)
        except KeyboardInterrupt:
            print(it, it.done, list(it), thread.is_alive())
        go_on.set()
        thread.join()
        print(log)
        print(list(pullit.iterate(lambda y: y(1), engine="thread")))
        """
        )
        == "<pullit.PullIterator of producer, running> True [] True\n[False, 'exit']\n[1]\n"
    )


@needs("signal.pthread_kill")
def test_21_what_an_interrupted_producer_raises_goes_to_the_threads_hook(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is nobody else who waits for it; PullExit is no error."""
    told: list[tuple[object, ...]] = []
    monkeypatch.setattr(
        threading,
        "excepthook",
        lambda args: told.append((args.exc_type, args.exc_value, args.exc_traceback, args.thread)),
    )

    def interrupt(*_: object) -> None:
        if not struck.is_set():
            struck.set()
            raise Strike

    def producer(yield_: Callable[[int], Any], ending: Callable[[], object]) -> None:
        yield_(1)
        while not struck.wait(0.001):  # a signal that comes just before the waiting is missed
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        go_on.wait()
        yield_(2)
        ending()

    error = KeyError("boom")

    def fail() -> NoReturn:
        raise error

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        for ending in (lambda: None, fail):
            go_on, struck = threading.Event(), threading.Event()
            it = pullit.iterate(partial(producer, ending=ending), engine="thread")
            next(it)
            threads = [t for t in threading.enumerate() if t.name.startswith("pullit")]
            with pytest.raises(Strike):
                next(it)
            assert it.done
            go_on.set()
            threads[0].join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert told == [(KeyError, error, error.__traceback__, threads[0])]


@pytest.mark.parametrize("how", [list, lambda it: it.close(), lambda it: it.send(True)])
def test_21_wherever_a_signal_strikes_the_producer_ends(how: Callable[[Any], object]) -> None:
    """Also if it had not yet been resumed; and later pulls are served."""

    def producer(yield_: Callable[[int], Any]) -> None:
        threads.append(threading.current_thread())
        countdown(yield_)

    threads: list[threading.Thread] = []
    for k in itertools.count(1):
        it = pullit.iterate(producer, engine="thread")
        next(it)
        struck: list[object] = []
        sys.setprofile(strike_at(k, struck))
        try:
            how(it)
        except Strike:
            pass
        finally:
            sys.setprofile(None)
        it.close()
        threads[-1].join(10)
        assert not threads[-1].is_alive()
        assert list(pullit.iterate(countdown, engine="thread")) == [3, 2, 1]
        if not struck:
            break
    assert k > 10


def test_21_a_value_that_comes_before_the_signal_is_not_taken_for_a_later_one() -> None:
    """It strikes when the producer is resumed, and nobody waits for its value yet."""

    def profile(frame: Any, event: str, arg: Any) -> None:
        if event == "c_return" and arg.__name__ == "release":
            sys.setprofile(None)
            wait_until(lambda: has_yielded(it))
            raise Strike

    it = pullit.iterate(countdown, engine="thread")
    next(it)
    sys.setprofile(profile)
    with pytest.raises(Strike):
        next(it)
    assert it.done
    assert list(it) == []
    assert list(pullit.iterate(countdown, engine="thread")) == [3, 2, 1]


def test_21_a_pull_amid_a_next_of_another_does_not_take_its_value() -> None:
    """As when a collection finds one there: the other's producer has been resumed already."""
    got: list[int] = []

    def profile(frame: Any, event: str, arg: Any) -> None:
        if event == "c_return" and arg.__name__ == "release":
            sys.setprofile(None)
            wait_until(lambda: has_yielded(it))
            got.extend(pullit.iterate(countdown, engine="thread"))

    it = pullit.iterate(countdown, engine="thread")
    assert next(it) == 3
    sys.setprofile(profile)
    assert list(it) == [2, 1]
    assert got == [3, 2, 1]


@pytest.mark.parametrize("n", [0, 3])
def test_21_of_many_threads_each_value_goes_to_one(n: int) -> None:
    """Whichever asks while another is served is refused, by next, send and pull's next."""

    def consume(k: int) -> None:
        while True:
            try:
                got.append(it.send(True) if k % 2 and not n and got else next(it))
            except StopIteration:
                break
            except PullError:
                pass
        ok = True
        while ok:
            try:
                value, ok = next_()
            except PullError:
                continue
            if ok:
                pulled.append(value)

    def seq(yield_: Callable[[int], Any]) -> None:
        for value in range(300):
            yield_(value)

    it: PullIterator[int] = pullit.iterate(seq, engine="thread", read_ahead=n)
    next_, _ = pullit.pull(seq, engine="thread")
    got: list[int] = []
    pulled: list[Any] = []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=consume, args=(k,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert sorted(got) == sorted(pulled) == list(range(300))


def test_05_each_of_many_short_lived_threads_is_answered_false_once() -> None:
    """Though the ident of one that has ended is used again."""
    answers: list[object] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        while yield_(0):
            pass
        for _ in range(5):
            in_thread(lambda: answers.append(yield_(1)))

    it = pullit.iterate(producer, engine="thread")
    next(it)
    it.close()
    assert answers == [False] * 5


@pytest.mark.parametrize("call", [next, lambda it: it.close()])
def test_21_a_new_thread_is_not_taken_for_that_of_a_seq_that_has_ended(
    call: Callable[[PullIterator[int]], object],
) -> None:
    """Though its ident is used again, while values are left."""

    def producer(yield_: Callable[[int], Any]) -> None:
        threads.append(threading.current_thread())
        countdown(yield_)

    threads: list[threading.Thread] = []
    for _ in range(20):
        it = pullit.iterate(producer, read_ahead=9, engine="thread")
        assert next(it) == 3
        threads.pop().join()
        in_thread(call, it)
        it.close()


def test_21_a_thread_that_nobody_waits_for_any_more_runs_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The signal strikes while it is being started; it ends, and without an error."""

    def strike(frame: Any, event: str, arg: Any) -> None:
        if event == "call" and frame.f_code.co_name == "wait":
            sys.setprofile(None)
            raise Strike

    def hold(frame: Any, event: str, arg: Any) -> None:
        # In the new thread, before pullit's first line there. If that were run earlier, the
        # thread might start seq before its consumer has heard of the signal.
        sys.setprofile(None)
        threads.append(threading.current_thread())
        begun.set()
        struck.wait()

    log: list[object] = []
    threads: list[threading.Thread] = []
    begun, struck = threading.Event(), threading.Event()
    monkeypatch.setattr(threading, "excepthook", log.append)
    it = pullit.iterate(log.append, engine="thread")
    threading.setprofile(hold)
    sys.setprofile(strike)
    try:
        with pytest.raises(Strike):
            next(it)
        begun.wait()
    finally:
        threading.setprofile(None)
        struck.set()
    threads[0].join()
    assert list(it) == []
    assert log == []


@needs("signal.pthread_kill")
@pytest.mark.parametrize("first", [True, False])
def test_21_a_value_that_comes_with_the_signal_is_not_taken_for_a_later_one(first: bool) -> None:
    """It is lost with that next, be it the first, and its yield_ answers False."""
    answers: list[object] = []

    def interrupt(*_: object) -> None:
        wait_until(lambda: has_yielded(it))
        raise KeyboardInterrupt

    def producer(yield_: Callable[[str], Any]) -> None:
        threads.append(threading.current_thread())
        if not first:
            yield_("first")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        answers.append(yield_("lost"))

    threads: list[threading.Thread] = []
    previous = signal.signal(signal.SIGUSR1, interrupt)
    try:
        it = pullit.iterate(producer, engine="thread")
        with pytest.raises(KeyboardInterrupt):
            assert next(it) == "first"
            next(it)
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert list(pullit.iterate(lambda yield_: yield_("later"), engine="thread")) == ["later"]
    threads[0].join()  # nobody else waits for it
    assert (list(it), answers) == ([], [False])


@needs("signal.pthread_kill")
def test_21_a_producer_that_has_yet_to_yield_can_go_on_with_pulls_of_its_own() -> None:
    """It was sent no answer, for it to take for one of theirs."""
    got: list[list[int]] = []
    go_on, struck = threading.Event(), threading.Event()

    def interrupt(*_: object) -> None:
        struck.set()
        raise KeyboardInterrupt

    def producer(yield_: Callable[[int], Any]) -> None:
        threads.append(threading.current_thread())
        while not struck.wait(0.01):  # one that comes right before a wait interrupts nothing
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        go_on.wait()
        got.append(list(pullit.iterate(countdown, engine="thread")))

    threads: list[threading.Thread] = []
    previous = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            next(pullit.iterate(producer, engine="thread"))
    finally:
        signal.signal(signal.SIGUSR1, previous)
    go_on.set()
    threads[0].join()
    assert got == [[3, 2, 1]]


@needs("signal.setitimer")
def test_a_storm_of_signals_leaves_each_pull_usable_or_finished(engine: Engine) -> None:
    """Wherever an exception strikes: no hang, no PullExit at the consumer.

    The next strikes when that is handled. What strikes while a dropped iterator is being
    stopped goes to stderr.
    """
    script = """
        import random, signal, time
        import pullit

        class Strike(Exception):
            pass

        def strike(*_):
            global armed, strikes
            if armed:
                armed = False
                strikes += 1
                raise Strike

        def attempt(call, delay=None):
            global armed
            try:
                armed = delay is not None
                signal.setitimer(signal.ITIMER_REAL, delay or 0)
                try:
                    call()
                finally:
                    armed = False
            except Strike:
                pass

        def numbers(yield_):
            for n in range(100):
                if not yield_(n):
                    return

        def nested(yield_):
            for n in pullit.iterate(numbers, engine=engine):
                if not yield_(n):
                    return

        def stubborn(yield_):
            n = 0
            while n < 100:
                try:
                    if not yield_(n):
                        return
                except Strike:
                    pass
                n += 1

        seqs = [numbers, nested, stubborn]
        engine = ENGINE
        armed = False
        signal.signal(signal.SIGALRM, strike)
        strikes = 0
        random.seed(1)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            it = pullit.iterate(random.choice(seqs), engine=engine)
            next_, stop = pullit.pull(random.choice(seqs), engine=engine)
            if engine == "thread":  # threading itself does not bear a strike in Thread.start
                next(it), next_()

            def walk():
                for _ in it:
                    next_()

            attempt(walk, random.uniform(1e-5, 3e-4))
            for finish in (it.close, stop):
                attempt(finish, random.uniform(1e-6, 3e-5))
            for finish in (lambda: list(it), it.close, next_, stop):
                attempt(finish)  # what struck the producer is raised here
            assert "finished" in repr(it), it
            assert next_() == (None, False)
        assert strikes > 10, strikes
        """
    assert run_script(script.replace("ENGINE", repr(engine)), quiet=False) == ""


@pytest.mark.parametrize("options", [[], ["-X", "dev", "-W", "error"]])
def test_14_at_exit_pulls_are_stopped_newest_first(options: list[str]) -> None:
    """Also those that nobody dropped; quietly, and without a hang."""
    assert (
        run_script(
            """
        import pullit

        def producer(name):
            def seq(yield_):
                try:
                    yield_(1)
                finally:
                    print(name)
            return seq

        its = [pullit.iterate(producer(name)) for name in "ab"]
        its += [pullit.iterate(producer(name), engine="thread") for name in "cd"]
        pulled = pullit.pull(producer("e"))
        unstarted = pullit.iterate(producer("f"))
        for it in its:
            next(it)
        pulled.next()
        """,
            *options,
        )
        == "e\nd\nc\nb\na\n"
    )


def test_21_a_thread_that_cannot_be_started_is_an_error_and_then_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The system may have no more of them just now."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    it = pullit.iterate(countdown, engine="thread")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start"):
            next(it)
    assert "finished" in repr(it)
    assert list(it) == []
    it.close()


@pytest.mark.parametrize("ended", [False, True])
def test_11_of_two_threads_that_ask_first_one_is_the_owner(ended: bool) -> None:
    """The other is refused, or told that it is over, though neither saw the pull begun."""
    it: Any = pullit.iterate(countdown)
    own = it._pull
    homes = [in_thread(per_thread)]
    claim = own.claim

    def overtaken(call: str) -> Any:
        if ended:
            own.state = ENDED
        else:
            live[own] = homes[0]
        return claim(call)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(own), "claim", lambda _, call: overtaken(call))
        if ended:
            assert list(it) == []
        else:
            with pytest.raises(WrongThreadError, match="next called in thread 'MainThread'"):
                next(it)
            del live[own]
    assert own not in live
    if ended:
        own.let_go()


def test_5_each_thread_is_answered_false_and_gets_five_exits_then_drains() -> None:
    """However many threads go on calling yield_ after they were told to stop."""
    logs: list[list[object]] = [[], []]

    def go_on(yield_: Callable[[int], Any], log: list[object]) -> None:
        deaf(9, log)(yield_)

    def producer(yield_: Callable[[int], Any]) -> None:
        yield_(0)
        other = threading.Thread(target=go_on, args=(yield_, logs[1]))
        other.start()
        go_on(yield_, logs[0])
        other.join()

    it = pullit.iterate(producer, engine="thread")
    next(it)
    it.close()
    five = ["PullExit"] * 5
    assert logs[0] == [*five, False, False, False, False]
    assert logs[1] == [False, *five, False, False, False]


def test_14_what_runs_ahead_at_exit_is_told_and_not_waited_for() -> None:
    """It may never come to its end."""
    log: list[object] = []
    go_on = threading.Event()

    def seq(yield_: Callable[[int], Any]) -> None:
        yield_(1)
        go_on.wait()
        log.append(yield_(2))

    it: Any = pullit.iterate(seq, engine="thread", read_ahead=4)
    assert next(it) == 1
    it._pull.drop_at_exit()
    assert it._pull.state == "stopping"
    go_on.set()
    it.close()
    assert log == [False]


@needs("signal.SIGUSR1")
def test_21_a_wait_in_steps_can_be_interrupted_and_ends() -> None:
    """That of Windows, where Ctrl-C interrupts no wait for a lock."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    lock = threading.Lock()
    lock.acquire()
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        timer = threading.Timer(0.01, signal.raise_signal, (signal.SIGUSR1,))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            wait_in_steps(lock)
    finally:
        signal.signal(signal.SIGUSR1, before)
    timer.join()
    threading.Timer(0.15, lock.release).start()
    wait_in_steps(lock)
    assert lock.locked()
