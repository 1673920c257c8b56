"""APIs that have a way of their own to stop: PyQt6, tkinter, watchdog, paho-mqtt, Playwright.

Told nothing, or told by an exception, they hang, abort the process, or leave threads
behind. So each runs in another interpreter.
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import logging
import logging.handlers
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from logging.handlers import QueueListener
from pathlib import Path
from typing import Any

import psutil
import pytest
from apart import run_apart
from elsewhere import wait_until
from loops import LEAVES, Walk, close, fail_in_loop, leave_loop
from screen import new_display

from pullit import Seq, from_callback, iterate

# An engine, and how far it reads ahead.
GREENLET = [("greenlet", "0"), ("greenlet", "3")]
THREAD = [("thread", "0"), ("thread", "3")]


@contextmanager
def nothing_left() -> Iterator[None]:
    """Check that neither a thread nor an open file is left of what happens inside."""
    ctypes.CFUNCTYPE(None)(lambda: None)  # with its first callback libffi may open a file
    process = psutil.Process()
    threads, files = process.num_threads(), process.num_fds()
    yield

    def is_nothing_left() -> bool:
        gc.collect()
        return process.num_threads() <= threads and process.num_fds() <= files

    wait_until(is_nothing_left)  # who leaves a loop by dropping the iterator does not wait


def leave_all(walk: Walk, leaves: Sequence[Callable[[Walk], None]] = LEAVES) -> None:
    """Leave a loop in each of the ways."""
    for leave in leaves:
        leave(walk)


def walk_of(make: Callable[[], Seq[Any]], engine: Any, ahead: str) -> Walk:
    """Return what makes iterators of new seqs."""
    return lambda: iterate(make(), engine=engine, read_ahead=int(ahead))


# An API with a thread of its own, of the standard library


def records() -> Seq[str]:
    """Return what is logged: a QueueListener's thread hands it to a handler."""
    source: queue.Queue[Any] = queue.Queue()
    ended = threading.Event()
    logger = logging.Logger("teas")
    logger.addHandler(logging.handlers.QueueHandler(source))

    def run(callback: Callable[[str], Any]) -> str:
        handler = logging.Handler()
        handler.emit = lambda record: callback(record.message)  # type: ignore[method-assign]
        listener = QueueListener(source, handler)
        listener.start()
        for n in range(10):
            logger.error("tea %d", n)
        ended.wait()
        listener.stop()
        return "listened"

    return from_callback(run, stop=ended.set)


def records_are_left(*way: str) -> None:
    with nothing_left():
        leave_all(walk_of(records, *way))


@pytest.mark.parametrize("way", THREAD, ids="-".join)
def test_a_run_that_waits_is_told_to_end(way: tuple[str, str]) -> None:
    """However the loop is left: the listener has ended, and its thread with it."""
    run_apart(records_are_left, *way)


def quiet_listener_is_left() -> None:
    with nothing_left():
        it = iterate(records(), engine="thread", read_ahead=20)
        assert [next(it) for _ in range(10)] == [f"tea {n}" for n in range(10)]
        assert it.close() == "listened"


def test_a_run_that_waits_is_told_to_end_while_nothing_comes() -> None:
    """No callback waits then, so that close calls stop itself."""
    run_apart(quiet_listener_is_left)


# PyQt6


def slot_calls(loop: Any) -> Seq[int]:
    """Return what a slot gets: the ticks of a timer, while *loop* runs."""
    from PyQt6.QtCore import QTimer

    def run(callback: Callable[[int], Any]) -> int:
        timer = QTimer()
        ticks = itertools.count()
        timer.timeout.connect(lambda: callback(next(ticks)))
        timer.start()
        status: int = loop.exec()
        return status

    return from_callback(run, stop=loop.quit)


def qt_application_is_left(*way: str) -> None:
    from PyQt6.QtCore import QCoreApplication

    app = QCoreApplication([])
    walk = walk_of(lambda: slot_calls(app), *way)
    leave_all(walk, LEAVES[:-1])  # not the nested one: there is one application
    with walk() as it:
        for n in it:
            if n == 5:
                break
    assert it.result == 0


@pytest.mark.parametrize("way", GREENLET, ids="-".join)
def test_qt_application_quits_and_the_process_lives(way: tuple[str, str]) -> None:
    """An exception that came out of a slot would abort it, and the loop's error be lost."""
    pytest.importorskip("PyQt6.QtCore", exc_type=ImportError)
    run_apart(qt_application_is_left, *way)


def slot_calls_of_a_new_loop() -> Seq[int]:
    """Return the same, of a loop of the thread in which it is run."""
    from PyQt6.QtCore import QEventLoop

    loops: list[Any] = []

    def run(callback: Callable[[int], Any]) -> object:
        loops.append(QEventLoop())
        return slot_calls(loops[0])(callback)

    return from_callback(run, stop=lambda: loops[0].quit())


def qt_loop_is_left(*way: str) -> None:
    from PyQt6.QtCore import QCoreApplication

    app = QCoreApplication([])
    threads = set(threading.enumerate())
    leave_all(walk_of(slot_calls_of_a_new_loop, *way))
    wait_until(lambda: set(threading.enumerate()) <= threads)
    del app


@pytest.mark.parametrize("way", GREENLET + THREAD, ids="-".join)
def test_qt_loop_of_a_thread_quits(way: tuple[str, str]) -> None:
    """Qt's loops may nest, and each thread may have its own."""
    pytest.importorskip("PyQt6.QtCore", exc_type=ImportError)
    run_apart(qt_loop_is_left, *way)


# tkinter


@pytest.fixture(scope="module")
def display() -> Iterator[str | None]:
    """The name of a new X display, or None for the one that there is."""
    with new_display() as name:
        yield name


def window_ticks(display: str) -> Seq[int]:
    """Return the ticks of a window, while its main loop runs."""
    import tkinter

    windows: list[tkinter.Tk] = []

    def run(callback: Callable[[int], Any]) -> str:
        root = tkinter.Tk(screenName=display or None)
        root.update()  # what ttk puts off would complain that the window is gone
        windows.append(root)
        ticks = itertools.count()
        timers: list[str] = []

        def tick() -> None:
            callback(next(ticks))
            timers[:] = [root.after(1, tick)]  # not before: a nested main loop would call it

        timers.append(root.after(0, tick))
        try:
            root.mainloop()
            return "quit"
        finally:
            windows.clear()
            root.after_cancel(timers[0])
            root.destroy()

    return from_callback(run, stop=lambda: windows[0].quit())


def window_is_left(display: str, *way: str) -> None:
    walk = walk_of(lambda: window_ticks(display), *way)
    leave_all(walk)
    with walk() as it:
        next(it)
    assert it.result == "quit"


@pytest.mark.parametrize("way", GREENLET, ids="-".join)
def test_tk_quits_in_silence(way: tuple[str, str], display: str | None) -> None:
    """It prints exceptions that come out of a callback, as *force* would have it do."""
    run_apart(window_is_left, display or "", *way)


# watchdog


def changes(folder: str, begun: threading.Event) -> Seq[str]:
    """Return the names of the files that appear in *folder*."""
    from watchdog.events import FileSystemEventHandler
    from watchdog.observers import Observer

    # An emitter that is stopped while it has an event in its hands logs an error.
    logging.getLogger("watchdog").setLevel(logging.CRITICAL)
    observer = Observer()

    def run(callback: Callable[[str], Any]) -> str:
        handler = FileSystemEventHandler()
        handler.on_created = lambda event: callback(os.path.basename(os.fsdecode(event.src_path)))  # type: ignore[method-assign]
        observer.schedule(handler, folder)
        observer.start()
        begun.set()
        observer.join()
        return "joined"

    return from_callback(run, stop=observer.stop)


def changed(folder: str, names: Iterable[str]) -> Seq[str]:
    """Return the same, and let files of these names appear when it is watched."""
    begun = threading.Event()

    def write() -> None:
        begun.wait()
        for name in names:
            Path(folder, name).touch()

    threading.Thread(target=write).start()
    return changes(folder, begun)


def folder_is_left(folder: str, *way: str) -> None:
    names = map(str, itertools.count())
    with nothing_left():
        leave_all(walk_of(lambda: changed(folder, itertools.islice(names, 5)), *way))


@pytest.mark.parametrize("way", THREAD, ids="-".join)
def test_watchdog_leaves_no_thread_and_no_open_file(way: tuple[str, str], tmp_path: Path) -> None:
    """The observer has stopped, its emitter too, and inotify is closed."""
    pytest.importorskip("watchdog")
    run_apart(folder_is_left, str(tmp_path), *way)


def quiet_folder_is_left(folder: str) -> None:
    with nothing_left():
        it = iterate(changed(folder, ["tea"]), engine="thread", read_ahead=4)
        assert next(it) == "tea"
        assert it.close() == "joined"


def test_watchdog_stops_while_nothing_happens(tmp_path: Path) -> None:
    """No callback waits then, so that close calls stop itself."""
    pytest.importorskip("watchdog")
    run_apart(quiet_folder_is_left, str(tmp_path))


# paho-mqtt


@pytest.fixture(scope="module")
def port() -> Iterator[str]:
    """The port of an MQTT broker."""
    pytest.importorskip("paho.mqtt")
    pytest.importorskip("amqtt")
    command = [sys.executable, str(Path(__file__).with_name("broker.py"))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as broker:
        assert broker.stdout
        yield broker.stdout.readline().strip()


def messages(port: str, count: int, background: bool) -> Seq[str]:
    """Return *count* messages, which the client sends to itself; more do not come."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    client = Client(CallbackAPIVersion.VERSION2)
    topic = f"teas/{id(client)}"
    reasons: set[str] = set()
    gone = threading.Event()

    def send(*_: object) -> None:
        for n in range(count):
            client.publish(topic, str(n))

    def on_disconnect(*args: Any) -> None:
        reasons.add(str(args[3]))
        gone.set()

    client.on_connect = lambda *_: client.subscribe(topic)
    client.on_subscribe = send
    client.on_disconnect = on_disconnect

    def run(callback: Callable[[str], Any]) -> set[str]:
        client.on_message = lambda *args: callback(args[2].payload.decode())
        client.connect("127.0.0.1", int(port))
        if background:
            client.loop_start()
            gone.wait()
            client.loop_stop()
        else:
            client.loop_forever()
            gone.wait()  # disconnect may run in another thread, and come to that later
        return reasons

    return from_callback(run, stop=client.disconnect)


def topic_is_left(port: str, background: str, *way: str) -> None:
    with nothing_left():
        walk = walk_of(lambda: messages(port, 20, bool(background)), *way)
        leave_all(walk)
        with walk() as it:
            for message in it:
                if message == "5":
                    break
        assert it.result == {"Normal disconnection"}


@pytest.mark.parametrize("way", GREENLET + THREAD, ids="-".join)
def test_mqtt_loop_forever_disconnects(way: tuple[str, str], port: str) -> None:
    """The client's own loop is the API, and returns."""
    run_apart(topic_is_left, port, "", *way)


@pytest.mark.parametrize("way", THREAD, ids="-".join)
def test_mqtt_loop_start_disconnects(way: tuple[str, str], port: str) -> None:
    """The client has a thread of its own, and run waits until it is disconnected."""
    run_apart(topic_is_left, port, "background", *way)


def quiet_topic_is_left(port: str, background: str) -> None:
    with nothing_left():
        it = iterate(messages(port, 2, bool(background)), engine="thread", read_ahead=4)
        assert [next(it), next(it)] == ["0", "1"]
        assert it.close() == {"Normal disconnection"}


@pytest.mark.parametrize("background", ["", "background"])
def test_mqtt_disconnects_while_no_message_comes(background: str, port: str) -> None:
    """No callback waits then, so that close calls stop itself."""
    run_apart(quiet_topic_is_left, port, background)


# Playwright


@pytest.fixture
def chromium() -> str:
    """Where there is a browser; Playwright's own needs a download."""
    pytest.importorskip("playwright")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    return path or pytest.skip("there is no chromium")


@contextmanager
def browser(chromium: str) -> Iterator[Any]:
    """Give a browser without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


# Each begins to call back when the call that evaluates it has returned.
COUNT = "let n = 0; setInterval(() => console.log(n++), 1)"
ASK = """document.title = "tea";
    setTimeout(async () => { for (let n = 0; ; n = await ask(n)); })"""


def console(page: Any) -> Seq[str]:
    """Return what *page* writes to its console, until it is closed."""

    def run(callback: Callable[[str], Any]) -> str:
        page.on("console", lambda message: callback(message.text))
        page.evaluate(COUNT)
        page.wait_for_event("close")
        return "closed"

    return from_callback(run, stop=page.close)


def pages_are_left(chromium: str) -> None:
    with browser(chromium) as opened:
        for ahead in "03":
            walk = walk_of(lambda: console(opened.new_page()), "greenlet", ahead)
            # Not nested: to open a page in the loop would bring events of the one before.
            leave_all(walk, [close, leave_loop, fail_in_loop])
            with walk() as it:
                for text in it:
                    if text == "5":
                        break
            assert it.result == "closed"
        assert opened.is_connected()
        assert [page for context in opened.contexts for page in context.pages] == []


def test_playwright_closes_the_page(chromium: str) -> None:
    """Its greenlets and ours agree; the connection to the browser is not lost."""
    run_apart(pages_are_left, chromium)


def page_is_used(chromium: str) -> None:
    with browser(chromium) as opened:
        page = opened.new_page()

        def run(callback: Callable[[int], Any]) -> None:
            page.expose_function("ask", callback)
            page.evaluate(ASK)
            page.wait_for_event("close")

        it = iterate(from_callback(run, stop=page.close))
        n = next(it)
        while n < 64:
            assert page.title() == "tea"
            n = it.send(2 * n + 1)
        assert n == 127
        it.close()
        assert page.is_closed()


def test_playwright_the_loop_uses_the_page_and_answers_it(chromium: str) -> None:
    """The page awaits the answer, so that it calls no second time meanwhile."""
    run_apart(page_is_used, chromium)


def thread_with_page(chromium: str, ended: threading.Event, count: int) -> Seq[str]:
    """Return what a page writes, of a browser of the thread that runs it."""

    def run(callback: Callable[[str], Any]) -> str:
        with browser(chromium) as opened:
            page = opened.new_page()
            page.on("console", lambda message: callback(message.text))
            page.evaluate(f"for (let n = 0; n < {count}; n++) console.log(n)")
            while not ended.is_set():
                page.wait_for_timeout(10)  # milliseconds, in which it calls back
        return "closed"

    return from_callback(run, stop=ended.set)


def page_in_a_thread_is_left(chromium: str, *way: str) -> None:
    threads = set(threading.enumerate())
    walk = walk_of(lambda: thread_with_page(chromium, threading.Event(), 10), *way)
    leave_all(walk, [close, fail_in_loop])
    wait_until(lambda: set(threading.enumerate()) <= threads)


@pytest.mark.parametrize("way", THREAD, ids="-".join)
def test_playwright_in_a_thread_closes_the_browser(way: tuple[str, str], chromium: str) -> None:
    """All of Playwright is in seq's thread."""
    run_apart(page_in_a_thread_is_left, chromium, *way)


def quiet_page_is_left(chromium: str) -> None:
    seq = thread_with_page(chromium, threading.Event(), 2)
    it = iterate(seq, engine="thread", read_ahead=4)
    assert [next(it), next(it)] == ["0", "1"]
    assert it.close() == "closed"


def test_playwright_in_a_thread_stops_while_the_page_is_quiet(chromium: str) -> None:
    """Close calls stop in its own thread, from which no page could be closed."""
    run_apart(quiet_page_is_left, chromium)
