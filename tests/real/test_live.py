"""Live sources, which say nothing for long, in an event loop: watchdog's threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pullit import Seq, aiterate, from_callback

pytest.importorskip("watchdog")

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

PATIENCE = 30  # seconds


class Watch:
    """A folder that is watched, by threads of watchdog's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.observer: Any = Observer()
        self.watching = threading.Event()

    def __call__(self, callback: Callable[[str], object]) -> str:
        def created(event: FileSystemEvent) -> None:
            callback(Path(str(event.src_path)).name)

        handler = FileSystemEventHandler()
        handler.on_created = created  # type: ignore[method-assign]
        self.observer.schedule(handler, str(self.folder))
        self.observer.start()
        self.watching.set()
        self.observer.join()
        return "joined"

    def names(self) -> Seq[str]:
        return from_callback(self, stop=self.observer.stop)


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    """asyncio.run, with each event loop, in debug mode."""
    factory = None
    if request.param == "uvloop":
        factory = pytest.importorskip("uvloop").new_event_loop

    def run(coroutine: Any) -> Any:
        with asyncio.Runner(debug=True, loop_factory=factory) as runner:
            return runner.run(coroutine)

    return run


@pytest.mark.parametrize("read_ahead", [0, 8])
def test_25_a_timeout_around_anext_loses_no_file(
    tmp_path: Path, run: Callable[[Any], Any], read_ahead: int
) -> None:
    """It raises TimeoutError while there is none; the file is the next anext's."""
    watch = Watch(tmp_path)

    async def main() -> None:
        async with aiterate(watch.names(), read_ahead=read_ahead) as names:
            for name in "tea", "cake", "jam":
                for _ in range(3):
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(anext(names), 0.001)
                    assert not names.done
                assert await asyncio.to_thread(watch.watching.wait, PATIENCE)
                (tmp_path / name).touch()
                assert await asyncio.wait_for(anext(names), PATIENCE) == name
        assert names.result == "joined"

    run(main())
    assert not watch.observer.is_alive()


def test_25_a_file_that_comes_after_the_timeout_waits(
    tmp_path: Path, run: Callable[[Any], Any]
) -> None:
    """For the next anext, however late that is."""
    watch = Watch(tmp_path)
    called = threading.Event()

    def pack(name: str) -> str:
        called.set()
        return name

    async def main() -> None:
        names = aiterate(from_callback(watch, pack=pack, stop=watch.observer.stop))
        async with names:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await anext(names)
            assert await asyncio.to_thread(watch.watching.wait, PATIENCE)
            (tmp_path / "tea").touch()
            assert await asyncio.to_thread(called.wait, PATIENCE)  # while nobody asks
            assert await anext(names) == "tea"

    run(main())


def test_26_stop_ends_a_source_that_says_nothing(tmp_path: Path, run: Callable[[Any], Any]) -> None:
    """No callback waits, in which it could be told: observer.stop is called at once."""
    watch = Watch(tmp_path)

    async def main() -> None:
        names = aiterate(watch.names())
        async with names:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(names), 0.001)
            assert await asyncio.to_thread(watch.watching.wait, PATIENCE)
        assert names.result == "joined"

    run(main())
    assert not watch.observer.is_alive()


def test_26_stop_ends_a_source_whose_callback_waits(
    tmp_path: Path, run: Callable[[Any], Any]
) -> None:
    """Then the callback calls it, in the source's own thread."""
    watch = Watch(tmp_path)
    stopped_by: list[threading.Thread] = []

    def stop() -> None:
        stopped_by.append(threading.current_thread())
        watch.observer.stop()

    async def main() -> None:
        async with aiterate(from_callback(watch, stop=stop)) as names:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(names), 0.001)
            assert await asyncio.to_thread(watch.watching.wait, PATIENCE)
            (tmp_path / "tea").touch()
            assert await anext(names) == "tea"
        assert names.result == "joined"

    run(main())
    assert stopped_by == [watch.observer]
