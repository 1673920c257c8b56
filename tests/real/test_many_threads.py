"""APIs that call back from several threads at once: pools, boto3, langchain; engine="thread".

Each program runs in an interpreter of its own: if a value were lost or a thread forgotten, it
would wait forever. The last of its promises is that no thread is left when a pull is over.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from importlib import import_module
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any, NoReturn

import pytest
from apart import run_apart

import pullit
from pullit import PullExit, WrongThreadError, from_callback, iterate

WORKERS = 4
EACH = 25  # values of each worker

AHEAD = [0, 3]  # lockstep, and reading ahead

WRONG_THREAD = (
    r"^pullit.iterate: yield_ called in thread '.+', but from_callback\(.+\) was started in"
    r" thread 'MainThread'; pass engine=\"thread\" for an API that calls back from other threads$"
)


class Numbered:
    """A pack that tells from which thread a call came, and which of that thread's it is."""

    def __init__(self) -> None:
        self.own = threading.local()

    def __call__(self, *args: Any, **_: Any) -> tuple[object, int, Any]:
        own = self.own.__dict__
        number = own["number"] = own.get("number", -1) + 1
        return own.setdefault("thread", object()), number, args


def check_order(calls: Iterable[tuple[object, int, Any]]) -> None:
    """Check that the calls of each thread have come once each, in its order; of several."""
    of_thread: dict[object, list[int]] = {}
    for thread, number, _ in calls:
        of_thread.setdefault(thread, []).append(number)
    assert len(of_thread) > 1
    for numbers in of_thread.values():
        assert numbers == list(range(len(numbers)))


@contextlib.contextmanager
def no_thread_left() -> Iterator[None]:
    """Check that each thread that the block has started has ended, or is about to."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive(), thread


def take_all(it: pullit.PullIterator[Any]) -> tuple[list[Any], BaseException | None]:
    """Return the values of *it*, and what it raised in place of its end."""
    values: list[Any] = []
    try:
        values.extend(iter(partial(next, it), object()))
    except StopIteration:
        return values, None
    except BaseException as e:
        return values, e
    raise AssertionError


def check_refused_on_greenlets(run: Callable[[Any], object]) -> None:
    """Check that the callback gets WrongThreadError in its thread, and the loop as well."""
    refused: list[WrongThreadError] = []

    def noting(callback: Callable[..., Any]) -> object:
        def noted(*args: Any) -> Any:
            try:
                return callback(*args)
            except WrongThreadError as e:
                refused.append(e)
                raise

        return run(noted)

    with no_thread_left(), pytest.raises(WrongThreadError, match=WRONG_THREAD):
        list(iterate(from_callback(noting)))
    assert refused
    for error in refused:
        assert re.match(WRONG_THREAD, str(error))


# concurrent.futures


def tasks(
    callback: Callable[[int, int], Any], last: Callable[[int], object] = str
) -> list[list[Any]]:
    """Have four threads call back at once, in a pool; return what each was answered."""
    meeting = threading.Barrier(WORKERS)

    def task(k: int) -> list[Any]:
        meeting.wait()  # so that none of them does the work of two
        answers = [callback(k, n) for n in range(EACH)]
        last(k)
        return answers

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(task, range(WORKERS)))


PAIRS = list(itertools.product(range(WORKERS), range(EACH)))


def executor_gives_all() -> None:
    for ahead in AHEAD:
        with no_thread_left():
            it = iterate(from_callback(tasks, pack=Numbered()), engine="thread", read_ahead=ahead)
            calls = list(it)
            check_order(calls)
            assert sorted(pair for _, _, pair in calls) == PAIRS
            assert it.result == [[None] * EACH] * WORKERS


def test_an_executors_tasks_give_all_values_in_each_threads_order() -> None:
    """Four threads wait in their callbacks at once; also with read_ahead."""
    run_apart(executor_gives_all)


def executor_is_answered() -> None:
    it = iterate(from_callback(tasks), engine="thread")
    pair = next(it)
    with contextlib.suppress(StopIteration):
        while True:
            pair = it.send(("answer to", *pair))
    assert it.result == [[("answer to", k, n) for n in range(EACH)] for k in range(WORKERS)]


def test_an_executors_tasks_each_get_their_own_answer() -> None:
    """send answers the call whose value was taken last, in whichever thread it waits."""
    run_apart(executor_is_answered)


def executor_fails() -> None:
    error = ZeroDivisionError("of task 2")

    def last(k: int) -> None:
        if k == 2:
            raise error

    for ahead in AHEAD:
        with no_thread_left():
            run = partial(tasks, last=last)
            values, raised = take_all(
                iterate(from_callback(run), engine="thread", read_ahead=ahead)
            )
            assert raised is error
            assert sorted(values) == PAIRS


def test_an_error_of_an_executors_task_arrives_after_the_others_values() -> None:
    """As list(pool.map(...)) raises it, when the pool has waited for the other tasks."""
    run_apart(executor_fails)


def endless_tasks(callback: Callable[[int], Any], ends: list[object]) -> object:
    """Have four threads call back until that raises something, and note what."""
    meeting = threading.Barrier(WORKERS)

    def task(k: int) -> None:
        meeting.wait()  # map cancels those that have yet to begin when one has failed
        try:
            while True:
                callback(k)
        except BaseException as e:
            ends.append(type(e))
            raise

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(task, range(WORKERS)))


def executor_is_closed() -> None:
    for ahead in AHEAD:
        for taken in 1, 30:
            ends: list[object] = []

            with no_thread_left():
                seq = from_callback(partial(endless_tasks, ends=ends))
                it = iterate(seq, engine="thread", read_ahead=ahead)
                assert len(list(itertools.islice(it, taken))) == taken
                it.close()
                assert ends == [PullExit] * WORKERS
                assert it.done


def test_close_ends_each_of_an_executors_tasks() -> None:
    """Each gets PullExit, of which map raises the first; close swallows that."""
    run_apart(executor_is_closed)


def done_futures(
    callback: Callable[[Future[int]], Any], pools: list[ThreadPoolExecutor], size: int
) -> None:
    """Have each future of a pool call back in the thread that has done it."""
    meeting = threading.Barrier(WORKERS)

    def square(n: int) -> int:
        if n < WORKERS:
            meeting.wait()
        return n * n

    with ThreadPoolExecutor(WORKERS) as pool:
        pools.append(pool)
        for n in range(size):
            pool.submit(square, n).add_done_callback(callback)


def futures_are_done() -> None:
    for ahead in AHEAD:
        with no_thread_left():
            seq = from_callback(partial(done_futures, pools=[], size=40))
            futures = list(iterate(seq, engine="thread", read_ahead=ahead))
            assert sorted(f.result() for f in futures) == [n * n for n in range(40)]


def test_done_callbacks_of_futures_give_each_future_once() -> None:
    """In the order in which they are done, as as_completed; but the pool waits for the loop."""
    run_apart(futures_are_done)


def futures_are_cancelled() -> None:
    pools: list[ThreadPoolExecutor] = []
    stops: list[str] = []

    def stop() -> None:
        stops.append(threading.current_thread().name)
        pools[-1].shutdown(wait=False, cancel_futures=True)

    for ahead in AHEAD:
        with no_thread_left():
            run = partial(done_futures, pools=pools, size=1000)
            # What submit raises after shutdown, if it was not done with all of them.
            seq = from_callback(run, stop=stop, stop_errors=(RuntimeError,))
            it = iterate(seq, engine="thread", read_ahead=ahead)
            for future in itertools.islice(it, 10):
                assert future.done()
            it.close()
        assert len(stops) == 1
        stops.clear()


def test_stop_may_cancel_what_a_pool_has_yet_to_do() -> None:
    """Which calls back for each of them, inside of stop: it is called once all the same."""
    run_apart(futures_are_cancelled)


def executor_is_refused() -> None:
    check_refused_on_greenlets(tasks)
    logging.disable()  # the pool logs what its done callbacks raise, and goes on
    check_refused_on_greenlets(partial(done_futures, pools=[], size=WORKERS))


def test_an_executor_is_refused_on_greenlets() -> None:
    """Also where the pool swallows it: the loop gets it."""
    run_apart(executor_is_refused)


# multiprocessing.pool


def pooled(callback: Callable[[int], Any], answers: list[Any], size: int = WORKERS * EACH) -> None:
    """Have the four threads of a pool call back, and note what they were answered."""
    meeting = threading.Barrier(WORKERS)

    def task(n: int) -> Any:
        if n < WORKERS:
            meeting.wait()
        return callback(n)

    with ThreadPool(WORKERS) as pool:
        try:
            answers.extend(pool.imap_unordered(task, range(size)))
        finally:
            pool.close()
            pool.join()


def failing(n: int) -> int:
    """Return *n*, or fail if it is odd."""
    if n % 2:
        raise ValueError(n)
    return n


def with_result_callbacks(callback: Callable[[Any], Any]) -> None:
    """Have a pool give results and errors to the callback, in the one thread of its own."""
    with ThreadPool(WORKERS) as pool:
        for n in range(20):
            pool.apply_async(failing, (n,), callback=callback, error_callback=callback)
        pool.close()
        pool.join()


def thread_pool_gives_all() -> None:
    for ahead in AHEAD:
        with no_thread_left():
            answers: list[Any] = []
            seq = from_callback(partial(pooled, answers=answers), pack=Numbered())
            calls = list(iterate(seq, engine="thread", read_ahead=ahead))
            check_order(calls)
            assert sorted(n for _, _, (n,) in calls) == list(range(WORKERS * EACH))
            assert answers == [None] * (WORKERS * EACH)
            got = list(
                iterate(from_callback(with_result_callbacks), engine="thread", read_ahead=ahead)
            )
            assert sorted(n for n in got if isinstance(n, int)) == list(range(0, 20, 2))
            assert sorted(e.args for e in got if isinstance(e, ValueError)) == [
                (n,) for n in range(1, 20, 2)
            ]


def test_a_thread_pool_gives_all_values_and_results() -> None:
    """Those of its workers, and those of the thread that handles results and errors."""
    run_apart(thread_pool_gives_all)


def thread_pool_fails() -> None:
    def run(callback: Callable[[int], Any]) -> object:
        with ThreadPool(WORKERS) as pool:
            return pool.map(lambda n: failing(callback(n) or n), range(20), chunksize=1)

    for ahead in AHEAD:
        with no_thread_left():
            values, raised = take_all(
                iterate(from_callback(run), engine="thread", read_ahead=ahead)
            )
            assert isinstance(raised, ValueError)
            assert raised.args[0] in values
            assert sorted(values) == list(range(20))


def test_an_error_of_a_thread_pools_task_arrives() -> None:
    """map raises one when all of its calls are over."""
    run_apart(thread_pool_fails)


def thread_pool_is_closed() -> None:
    for ahead in AHEAD:
        with no_thread_left():
            answers: list[Any] = []
            run = partial(pooled, answers=answers, size=1000)
            it = iterate(
                from_callback(run, stop_reply="stopped"), engine="thread", read_ahead=ahead
            )
            taken = list(itertools.islice(it, 10))
            it.close()
            assert len(answers) == 1000  # it goes to its end, without the loop
            assert answers.count("stopped") >= 1000 - len(taken) - ahead - WORKERS


def test_a_thread_pool_is_stopped_by_a_reply() -> None:
    """PullExit would kill its workers, and imap would wait for their results forever."""
    run_apart(thread_pool_is_closed)


def thread_pool_is_refused() -> None:
    check_refused_on_greenlets(partial(pooled, answers=[]))


def test_a_thread_pool_is_refused_on_greenlets() -> None:
    """In the worker, and by imap at the loop."""
    run_apart(thread_pool_is_refused)


# boto3, against moto's server

MB = 1 << 20
SIZE = 20 * MB


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 server on loopback, in a process of its own."""
    for name in "boto3", "moto", "flask", "flask_cors":
        pytest.importorskip(name)
    log = tmp_path_factory.mktemp("moto") / "log"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as server:
        try:
            end = time.monotonic() + 30
            while not (found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text())):
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.02)
            yield found[0]
        finally:
            server.kill()


class Left(Exception):  # noqa: N818  it is no error
    """What a callback raises by which boto3 gives up its transfer."""


class Bucket:
    """A bucket of its own on the server at *url*, with a file in *folder* to send and get."""

    def __init__(self, url: str, folder: str) -> None:
        boto3: Any = import_module("boto3")
        config: Any = import_module("botocore.config")
        transfer: Any = import_module("boto3.s3.transfer")
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="nobody",
            aws_secret_access_key="nothing",
            config=config.Config(proxies={}),
        )
        self.config: Any = transfer.TransferConfig(
            max_concurrency=WORKERS, multipart_threshold=5 * MB, multipart_chunksize=5 * MB
        )
        self.name = Path(folder).name.replace("_", "-")
        self.client.create_bucket(Bucket=self.name)
        self.source, self.target = Path(folder, "source"), Path(folder, "target")
        self.source.write_bytes(b"".join(b"%07d\n" % n for n in range(SIZE // 8)))

    def upload(self, callback: Callable[[int], Any], key: str = "sent", bucket: str = "") -> None:
        self.client.upload_file(
            str(self.source), bucket or self.name, key, Callback=callback, Config=self.config
        )

    def download(self, callback: Callable[[int], Any], key: str = "sent") -> None:
        self.client.download_file(
            self.name, key, str(self.target), Callback=callback, Config=self.config
        )

    def uploads(self) -> list[Any]:
        """Return the uploads that the server knows to be unfinished."""
        found: list[Any] = self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])
        return found

    def keys(self) -> list[str]:
        """Return the names of what has arrived."""
        found = self.client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return [each["Key"] for each in found]

    def files(self) -> list[str]:
        return sorted(path.name for path in self.target.parent.iterdir())


@pytest.fixture
def apart_with_bucket(moto: str, tmp_path: Path) -> Callable[[Callable[..., object]], None]:
    """A function that runs one apart with the server's address and an empty folder."""
    return lambda program: run_apart(program, moto, str(tmp_path))


def boto3_gives_all(*args: str) -> None:
    bucket = Bucket(*args)
    for ahead in AHEAD:
        for transfer in bucket.upload, bucket.download:
            with no_thread_left():
                seq = from_callback(transfer, pack=Numbered())
                calls = list(iterate(seq, engine="thread", read_ahead=ahead))
                check_order(calls)
                assert sum(size for _, _, (size,) in calls) == SIZE
        assert bucket.target.read_bytes() == bucket.source.read_bytes()
        bucket.target.unlink()


def test_boto3_tells_of_each_byte_of_a_transfer_in_parts(apart_with_bucket: Any) -> None:
    """Both ways; its four threads wait in their callbacks, and the file arrives whole."""
    apart_with_bucket(boto3_gives_all)


def boto3_fails(*args: str) -> None:
    ours: Any = import_module("boto3.exceptions")
    theirs: Any = import_module("botocore.exceptions")
    bucket = Bucket(*args)
    for ahead in AHEAD:
        with no_thread_left():
            missing = from_callback(partial(bucket.download, key="missing"))
            with pytest.raises(theirs.ClientError, match="404"):
                next(iterate(missing, engine="thread", read_ahead=ahead))
            nowhere = from_callback(partial(bucket.upload, bucket="nowhere-at-all"))
            with pytest.raises(ours.S3UploadFailedError, match="NoSuchBucket"):
                list(iterate(nowhere, engine="thread", read_ahead=ahead))
    bucket.upload(lambda size: None)

    def fail(size: int) -> NoReturn:
        raise LookupError("of pack")

    with no_thread_left(), pytest.raises(LookupError, match="of pack"):
        list(iterate(from_callback(bucket.download, pack=fail), engine="thread"))
    assert bucket.files() == ["source"]


def test_boto3s_errors_arrive_at_the_loop(apart_with_bucket: Any) -> None:
    """Its own, at the first next or later; and one that passes through it from a callback."""
    apart_with_bucket(boto3_fails)


def boto3_is_closed(*args: str) -> None:
    bucket = Bucket(*args)
    for ahead in AHEAD:
        for taken in 1, 20:
            with no_thread_left():
                seq = from_callback(bucket.upload, stop_reply=Left)
                with iterate(seq, engine="thread", read_ahead=ahead) as it:
                    assert sum(itertools.islice(it, taken)) < SIZE
            assert bucket.keys() == []
            assert bucket.uploads() == []
    bucket.upload(lambda size: None)
    for ahead in AHEAD:
        for taken in 1, 20:
            with no_thread_left():
                seq = from_callback(bucket.download, stop_reply=Left)
                with iterate(seq, engine="thread", read_ahead=ahead) as it:
                    assert sum(itertools.islice(it, taken)) < SIZE
            assert bucket.files() == ["source"]


def test_boto3_gives_up_a_transfer_by_an_exception(apart_with_bucket: Any) -> None:
    """Nothing of it is left at the server, nor in the folder.

    PullExit, which is no Exception, it takes for success: a file with holes may be left.
    """
    apart_with_bucket(boto3_is_closed)


def boto3_is_refused(*args: str) -> None:
    bucket = Bucket(*args)
    check_refused_on_greenlets(bucket.upload)
    bucket.upload(lambda size: None)
    check_refused_on_greenlets(bucket.download)
    assert bucket.files() == ["source"]


def test_boto3_is_refused_on_greenlets(apart_with_bucket: Any) -> None:
    """It wraps the error, or not; the loop gets WrongThreadError in any case."""
    apart_with_bucket(boto3_is_refused)


# langchain


class Chains:
    """Runnables of langchain whose branches call back from a pool's threads."""

    def __init__(self, last: Callable[[str], object] = str, size: int = EACH) -> None:
        self.callbacks: Any = import_module("langchain_core.callbacks")
        runnables: Any = import_module("langchain_core.runnables")
        self.raise_error = True  # otherwise it logs what a handler raises, and goes on
        self.ends: list[type[BaseException]] = []
        names = "abcd"
        meeting = threading.Barrier(len(names))

        def branch(name: str) -> str:
            meeting.wait()
            try:
                for n in range(size):
                    self.callbacks.dispatch_custom_event(name, n)
            except BaseException as e:
                self.ends.append(type(e))
                raise
            last(name)
            return name.upper()

        step = runnables.RunnableLambda(branch)
        branches = {name: (lambda _, name=name: name) | step for name in names}
        self.steps: Any = runnables.RunnableParallel(branches)
        self.step: Any = step
        self.names = names

    def config(self, callback: Callable[[str, int], Any]) -> dict[str, Any]:
        """Return what has langchain give each event to *callback*, from four threads."""
        give = lambda _, name, data, **more: callback(name, data)
        members = {"raise_error": self.raise_error, "on_custom_event": give}
        handler = type("Handler", (self.callbacks.BaseCallbackHandler,), members)
        return {"callbacks": [handler()], "max_concurrency": len(self.names)}

    def parallel(self, callback: Callable[[str, int], Any]) -> Any:
        """Run the branches of a RunnableParallel."""
        return self.steps.invoke(0, config=self.config(callback))

    def batch(self, callback: Callable[[str, int], Any]) -> Any:
        """Run one runnable on several inputs."""
        return self.step.batch(list(self.names), config=self.config(callback))


EVENTS = [(name, n) for name in "abcd" for n in range(EACH)]


def langchain_gives_all() -> None:
    chains = Chains()
    for ahead in AHEAD:
        for run in chains.parallel, chains.batch:
            with no_thread_left():
                seq = from_callback(run, pack=Numbered())
                it = iterate(seq, engine="thread", read_ahead=ahead)
                calls = list(it)
                check_order(calls)
                assert sorted(event for _, _, event in calls) == EVENTS
                if run == chains.parallel:
                    assert it.result == {"a": "A", "b": "B", "c": "C", "d": "D"}
                else:
                    assert it.result == ["A", "B", "C", "D"]


@pytest.fixture
def langchain() -> None:
    """Skip the test where it is missing."""
    pytest.importorskip("langchain_core")


@pytest.mark.usefixtures("langchain")
def test_langchains_branches_give_all_events() -> None:
    """Of a RunnableParallel, and of a batch."""
    run_apart(langchain_gives_all)


def langchain_fails() -> None:
    error = ZeroDivisionError("of branch c")

    def last(name: str) -> None:
        if name == "c":
            raise error

    chains = Chains(last)
    for ahead in AHEAD:
        for run in chains.parallel, chains.batch:
            with no_thread_left():
                values, raised = take_all(
                    iterate(from_callback(run), engine="thread", read_ahead=ahead)
                )
                assert raised is error
                assert sorted(values) == EVENTS


@pytest.mark.usefixtures("langchain")
def test_an_error_of_a_langchain_branch_arrives_after_the_others_events() -> None:
    """invoke and batch raise it when the other branches have ended."""
    run_apart(langchain_fails)


def langchain_is_closed() -> None:
    chains = Chains(size=1000)  # so that none ends by itself
    for ahead, raise_error in itertools.product(AHEAD, [True, False]):
        chains.raise_error = raise_error
        for run, taken in itertools.product([chains.parallel, chains.batch], [1, 30]):
            with no_thread_left():
                it = iterate(from_callback(run), engine="thread", read_ahead=ahead)
                assert len(list(itertools.islice(it, taken))) == taken
                it.close()
                assert it.done
            assert chains.ends == [PullExit] * WORKERS
            chains.ends.clear()


@pytest.mark.usefixtures("langchain")
def test_close_ends_each_langchain_branch() -> None:
    """PullExit passes through handler and branch, be the handler's errors logged or raised."""
    run_apart(langchain_is_closed)


def langchain_is_refused() -> None:
    chains = Chains()
    logging.disable()  # it logs what a handler raises
    for raise_error in True, False:
        chains.raise_error = raise_error
        check_refused_on_greenlets(chains.parallel)
        check_refused_on_greenlets(chains.batch)


@pytest.mark.usefixtures("langchain")
def test_langchain_is_refused_on_greenlets() -> None:
    """Also where it swallows the error of a handler: the loop gets it."""
    run_apart(langchain_is_refused)
