"""Forks, Ctrl-C and exits (contracts 6, 14, 21): real processes and real signals."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from textwrap import dedent
from typing import Any, NoReturn

import pytest
from elsewhere import needs, run_script

import pullit
from pullit import Seq
from pullit._types import Engine

# Forks. Greenlets are copied with the process; the thread engine's threads are not.


@needs("os.fork")
def test_a_fork_copies_suspended_pulls() -> None:
    """Parent and child both go on with them, each for itself, to the end."""
    assert (
        run_script(
            """
        import os
        import pullit

        log = []

        def producer(yield_):
            try:
                for n in range(4):
                    yield_(n)
            finally:
                log.append("end")

        def nested(yield_):
            for n in pullit.iterate(producer):
                if not yield_(n * 10):
                    return

        it, outer = pullit.iterate(producer), pullit.iterate(nested)
        ahead = pullit.iterate(producer, read_ahead=2)
        next_, stop = pullit.pull(producer)
        unstarted = pullit.iterate(producer)
        print(next(it), next(outer), next(ahead), next_(), flush=True)
        pid = os.fork()
        if pid:
            _, status = os.waitpid(pid, 0)
            print("child ended with", os.waitstatus_to_exitcode(status))
        print(list(it), next(outer), outer.close(), list(ahead), next_(), stop())
        print(list(unstarted), list(pullit.iterate(producer)), len(log), flush=True)
        """
        )
        == "0 0 0 (0, True)\n"
        "[1, 2, 3] 10 None [1, 2, 3] (1, True) None\n"
        "[0, 1, 2, 3] [0, 1, 2, 3] 6\n"
        "child ended with 0\n"
        "[1, 2, 3] 10 None [1, 2, 3] (1, True) None\n"
        "[0, 1, 2, 3] [0, 1, 2, 3] 6\n"
    )


@needs("os.fork")
def test_14_parent_and_child_each_stop_what_is_suspended_at_exit() -> None:
    """And a child that leaves by os._exit stops nothing, of its own or its parent's."""
    assert (
        run_script(
            """
        import os
        import pullit

        def producer(yield_):
            try:
                yield_(1)
            finally:
                os.write(1, b"end in %s\\n" % name)

        it = pullit.iterate(producer)
        next(it)
        name = b"child"
        for leave in (lambda: None, lambda: os._exit(0)):
            pid = os.fork()
            if not pid:
                leave()
                break
            os.waitpid(pid, 0)
        else:
            name = b"parent"
        """
        )
        == "end in child\nend in parent\n"
    )


@needs("os.fork")
def test_a_producer_may_fork() -> None:
    """Its coroutine, and the consumer that waits for it, are in both."""
    assert (
        run_script(
            """
        import os
        import pullit

        def producer(yield_):
            yield_("before")
            pid = os.fork()
            yield_("parent" if pid else "child")
            if pid:
                os.waitpid(pid, 0)

        print(list(pullit.iterate(producer)), flush=True)
        """
        )
        == "['before', 'child']\n['before', 'parent']\n"
    )


@needs("os.fork")
def test_a_fork_in_another_thread_leaves_its_pulls_to_the_child() -> None:
    """That thread is the child's main one; the parent's main thread's pulls are refused."""
    assert (
        run_script(
            """
        import os, threading, warnings
        import pullit

        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads

        def producer(yield_):
            for n in range(3):
                yield_(n)

        mains = pullit.iterate(producer)
        next(mains)

        def run():
            it = pullit.iterate(producer)
            next(it)
            pid = os.fork()
            if pid:
                print("child ended with", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            else:
                try:
                    next(mains)
                except pullit.WrongThreadError as e:
                    print("refused")
            print(list(it), flush=True)
            if not pid:
                os._exit(0)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        print(list(mains))
        """
        )
        == "refused\n[1, 2]\nchild ended with 0\n[1, 2]\n[1, 2]\n"
    )


@needs("os.fork")
@pytest.mark.parametrize("ending", ["os._exit(0)", "it.close(); os._exit(0)", "break"])
def test_14_a_forked_child_is_refused_the_threads_of_its_parent(ending: str) -> None:
    """It has none of them: to wait for one would be to wait for ever. It may exit, too."""
    assert (
        run_script(
            f"""
        import os, sys, warnings
        import pullit

        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads

        def producer(yield_):
            for n in range(3):
                yield_(n)

        it = pullit.iterate(producer, engine="thread")
        next(it)
        pid = os.fork()
        for _ in range(1 if not pid else 0):
            try:
                next(it)
            except pullit.WrongThreadError as e:
                print(e, flush=True)
            {ending}
        if not pid:
            sys.exit()
        os.waitpid(pid, 0)
        print(list(it))
        """
        )
        == "pullit.iterate: producer was stopped, because a fork does not copy the thread that it"
        " runs in; start another one\n[1, 2]\n"
    )


@needs("os.fork")
@pytest.mark.parametrize("options", [[], ["-X", "dev", "-W", "error::ResourceWarning"]])
def test_14_a_forked_child_is_refused_the_greenlets_of_other_threads(options: list[str]) -> None:
    """It has not got those threads either; their pulls can be closed, and nothing is heard."""
    assert (
        run_script(
            """
        import os, threading, warnings
        import pullit

        warnings.filterwarnings("ignore", category=DeprecationWarning)  # of forks beside threads

        def producer(yield_):
            try:
                yield_(1)
            finally:
                print("end", flush=True)

        it = pullit.iterate(producer)
        made, forked = threading.Event(), threading.Event()

        def run():
            next(it)
            made.set()
            forked.wait()

        thread = threading.Thread(target=run)
        thread.start()
        made.wait()
        pid = os.fork()
        if not pid:
            it.close()
            try:
                next(it)
            except pullit.WrongThreadError as e:
                print(e, flush=True)
        else:
            print("child ended with", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
            forked.set()
            thread.join()
        """,
            *options,
        )
        == "pullit.iterate: producer was stopped, because a fork does not copy the thread that it"
        " runs in; start another one\nchild ended with 0\nend\n"
    )


@needs("os.fork")
def test_a_forked_child_may_start_pulls_on_threads_of_its_own() -> None:
    """Only those that the parent has started lack their threads."""
    assert (
        run_script(
            """
        import os, warnings
        import pullit

        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads

        def producer(yield_):
            for n in range(3):
                yield_(n)

        it = pullit.iterate(producer, engine="thread")
        unstarted = pullit.iterate(producer, engine="thread")
        next(it)
        pid = os.fork()
        if not pid:
            print(list(unstarted), list(pullit.iterate(producer, engine="thread")), flush=True)
            os._exit(0)
        print("child ended with", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        print(list(it))
        """
        )
        == "[0, 1, 2] [0, 1, 2]\nchild ended with 0\n[1, 2]\n"
    )


# Ctrl-C. Python runs the handler in the main thread, at the next step of whoever runs.


@pytest.fixture(autouse=True)
def ctrl_c_interrupts() -> Iterator[None]:
    """Have Ctrl-C raise KeyboardInterrupt, here and in the interpreters that a test starts.

    A suite that a shell starts with & or nohup ignores SIGINT, and they inherit that.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def interrupted(yield_: Callable[[int], Any], log: list[object]) -> None:
    """Yield 1, be interrupted; and note the end."""
    try:
        yield_(1)
        ctrl_c()
        yield_(2)
    finally:
        log.append("end")


def test_14_at_exit_what_runs_is_left_alone() -> None:
    """The program may end, by a switch of its own, while a producer is in the midst of it."""
    script = """
        import greenlet
        import pullit

        main = greenlet.getcurrent()

        def producer(yield_):
            main.switch()

        it = pullit.iterate(producer)
        consumer = greenlet.greenlet(lambda: next(it))
        consumer.switch()
        print(it)
        """
    assert run_script(script) == "<pullit.PullIterator of producer, running>\n"


def test_06_ctrl_c_in_a_producer_unwinds_it_and_its_consumer() -> None:
    """It strikes where the program runs: with greenlets that is the producer."""
    log: list[object] = []
    it = pullit.iterate(lambda yield_: interrupted(yield_, log))
    assert next(it) == 1
    with pytest.raises(KeyboardInterrupt) as caught:
        next(it)
    assert log == ["end"]
    assert it.done
    assert list(it) == []
    assert "interrupted" in [entry.name for entry in caught.traceback]


def test_06_a_producer_may_handle_ctrl_c() -> None:
    """As any other exception; the iteration goes on."""

    def producer(yield_: Callable[[object], Any]) -> None:
        try:
            ctrl_c()
        except KeyboardInterrupt:
            yield_("handled")
        yield_("goes on")

    assert list(pullit.iterate(producer)) == ["handled", "goes on"]


def test_21_ctrl_c_in_a_producers_thread_strikes_the_consumer() -> None:
    """Handlers run in the main thread, and that waits in next."""
    log: list[object] = []
    threads: list[threading.Thread] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        threads.append(threading.current_thread())
        interrupted(yield_, log)

    it = pullit.iterate(producer, engine="thread")
    assert next(it) == 1
    with pytest.raises(KeyboardInterrupt) as caught:
        next(it)
    threads[0].join()
    assert log == ["end"]  # told to stop at its next yield_
    assert list(it) == []
    assert "interrupted" not in [entry.name for entry in caught.traceback]


def test_06_ctrl_c_in_the_loops_body_leaves_the_producer_suspended(engine: Engine) -> None:
    """As any exception of the consumer's does; a with block stops it."""
    log: list[object] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        for n in range(4):
            log.append(yield_(n))
            if not log[-1]:
                return

    it = pullit.iterate(producer, engine=engine)
    with pytest.raises(KeyboardInterrupt):
        for _ in it:
            ctrl_c()
    assert next(it) == 1
    with pytest.raises(KeyboardInterrupt), it:
        for _ in it:
            ctrl_c()
    assert log == [True, True, False]


def test_06_ctrl_c_during_cleanup_is_raised_by_close() -> None:
    """The cleanup that it has cut short is over."""
    log: list[object] = []

    def producer(yield_: Callable[[int], Any]) -> None:
        try:
            yield_(1)
        finally:
            log.append("cleanup")
            ctrl_c()
            log.append("never")

    it = pullit.iterate(producer)
    next(it)
    with pytest.raises(KeyboardInterrupt):
        it.close()
    assert log == ["cleanup"]
    assert it.done
    it.close()


def test_06_ctrl_c_in_a_nested_producer_unwinds_all() -> None:
    """From the inside to the outside."""
    log: list[object] = []

    def outer(yield_: Callable[[int], Any]) -> None:
        try:
            for value in pullit.iterate(lambda yield_: interrupted(yield_, log)):
                yield_(value)
        finally:
            log.append("outer end")

    it = pullit.iterate(outer)
    assert next(it) == 1
    with pytest.raises(KeyboardInterrupt):
        next(it)
    assert log == ["end", "outer end"]


def test_06_ctrl_c_while_reading_ahead_comes_after_the_values_before_it() -> None:
    """As any exception of the producer's: its place is kept."""
    log: list[object] = []
    it = pullit.iterate(lambda yield_: interrupted(yield_, log), read_ahead=4)
    assert next(it) == 1
    assert log == ["end"]
    with pytest.raises(KeyboardInterrupt):
        next(it)
    assert list(it) == []


def end_by(script: str) -> tuple[int, str, str]:
    """Run *script* in another interpreter; return its exit code, output, and last error."""
    done = subprocess.run(
        [sys.executable, "-c", dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr.rpartition("\n")[0].rpartition("\n")[2]


PROGRAM = """
    import os, signal, sys
    import pullit

    def seq(yield_):
        try:
            {producer}
        finally:
            sys.stdout.write("end\\n")  # at once: a daemon thread may end between two writes

    it = pullit.iterate(seq, engine={engine!r})
    for value in it:
        {consumer}
    print("never")
    """


@needs("signal.pthread_kill")
def test_06_ctrl_c_ends_a_program_as_it_does_without_us(engine: Engine) -> None:
    """By the signal, after the producer's cleanup, wherever it strikes."""
    kill = "os.kill(os.getpid(), signal.SIGINT)"
    script = PROGRAM.format(engine=engine, producer="yield_(1)", consumer=kill)
    assert end_by(script) == (-signal.SIGINT, "end\n", "KeyboardInterrupt")
    script = PROGRAM.format(engine=engine, producer=f"{kill}; yield_(1)", consumer="pass")
    code, out, said = end_by(script)
    assert (code, said) == (-signal.SIGINT, "KeyboardInterrupt")
    # Nobody waits for the thread of an interrupted next: it may not come to its end.
    assert out == "end\n" or (engine == "thread" and not out)


@pytest.mark.parametrize(
    ("leave", "code", "said"), [("sys.exit(7)", 7, ""), ("sys.exit('bye')", 1, "bye")]
)
def test_06_sys_exit_ends_a_program_with_its_code(
    engine: Engine, leave: str, code: int, said: str
) -> None:
    """In the producer at once or after a value, and in the consumer."""
    for producer, consumer in (
        (leave, "pass"),
        (f"yield_(1); {leave}", "pass"),
        ("yield_(1)", leave),
    ):
        script = PROGRAM.format(engine=engine, producer=producer, consumer=consumer)
        assert end_by(script) == (code, "end\n", said)


def test_06_sys_exit_in_cleanup_ends_a_program_too(engine: Engine) -> None:
    """It is raised by the close during which it happens."""
    script = f"""
        import sys
        import pullit

        def seq(yield_):
            try:
                yield_(1)
            finally:
                sys.exit(7)

        it = pullit.iterate(seq, engine={engine!r})
        next(it)
        it.close()
        print("never")
        """
    assert end_by(script) == (7, "", "")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_06_a_consumers_exit_unwinds_the_pulls_around_it(
    engine: Engine, kind: type[BaseException]
) -> None:
    """A producer that consumes is left by it, and its own producer is stopped."""
    log: list[object] = []

    def inner(yield_: Callable[[int], Any]) -> None:
        log.append(yield_(1))

    def leave() -> NoReturn:
        raise kind

    def outer(yield_: Callable[[int], Any]) -> None:
        with pullit.iterate(inner, engine=engine) as it:
            for value in it:
                yield_(value)
                leave()

    seq: Seq[int] = outer
    it = pullit.iterate(seq, engine=engine)
    assert next(it) == 1
    with pytest.raises(kind):
        next(it)
    assert log == [False]


def test_14_a_pull_may_be_dropped_elsewhere_while_another_of_its_thread_runs() -> None:
    """CPython 3.11 crashes if it closes a running loop that has come round often enough."""
    script = """
        import threading, warnings
        import pullit

        warnings.simplefilter("ignore", ResourceWarning)
        made = []

        def seq(yield_):
            for n in range(1500):
                made.append(pullit.iterate(lambda yield_: yield_(1)))
                next(made[0])
                thread = threading.Thread(target=made.clear)
                thread.start()
                thread.join()
                yield_(n)

        print(len(list(pullit.iterate(seq))))
        """
    assert run_script(script) == "1500\n"


@pytest.mark.parametrize("options", ["", ", read_ahead=2", ", engine='thread'"])
def test_14_a_producer_that_holds_its_own_iterator_is_stopped_at_exit(options: str) -> None:
    """Once, though the error that ends it holds the iterator too; no collection finds it before.

    Since 3.15 greenlet lets the collector look into it; but pullit knows what is to be
    stopped, and that has the producer.
    """
    script = f"""
        import gc
        import pullit

        def seq(yield_):
            own = its.pop()
            try:
                while True:
                    yield_(1)
            finally:
                print("stopped")

        its = []
        its.append(pullit.iterate(seq{options}))
        next(its[0])
        gc.collect()
        print("collected")
        """
    assert run_script(script) == "collected\nstopped\n"
