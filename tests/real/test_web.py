"""Streams to web clients: Starlette and FastAPI under uvicorn, over HTTP and WebSockets."""

from __future__ import annotations

import asyncio
import gc
import logging
import queue
import threading
import time
import traceback
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import pullit
from pullit import Yield, aiterate, from_callback, from_iterable, iterate

httpx = pytest.importorskip("httpx")
uvicorn = pytest.importorskip("uvicorn")
fastapi = pytest.importorskip("fastapi")
pytest.importorskip("fastapi.sse")
pytest.importorskip("websockets")

from fastapi import Depends, FastAPI, WebSocket, WebSocketDisconnect  # noqa: E402
from fastapi.responses import StreamingResponse  # noqa: E402
from fastapi.sse import EventSourceResponse  # noqa: E402
from starlette.background import BackgroundTask  # noqa: E402
from starlette.requests import ClientDisconnect  # noqa: E402
from websockets.exceptions import ConnectionClosedError  # noqa: E402
from websockets.sync.client import connect  # noqa: E402

PATIENCE = 30  # seconds: nothing waits so long unless it is broken


class Tokens:
    """A producer that makes a token when it is told to go."""

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)
        self.made = 0
        self.answers: list[Any] = []  # of yield_
        self.ended = threading.Event()

    def __call__(self, yield_: Yield[str]) -> None:
        try:
            while True:
                self.answers.append(yield_(self.make()))
                if not self.answers[-1]:
                    return
        finally:
            self.ended.set()

    def generate(self) -> Iterator[str]:
        """The same, as a generator."""
        try:
            while True:
                yield self.make()
        finally:
            self.ended.set()

    def call_back(self, callback: Callable[[str], object]) -> None:
        """The same, as an API that is told to stop by `stop`."""
        try:
            while self.made < 100:
                callback(self.make())
        finally:
            self.ended.set()

    def make(self) -> str:
        self.go.acquire()
        self.made += 1
        return f"data: {self.made}\n\n"

    def stop(self) -> None:
        self.made = 100


class Site:
    """An app, served by uvicorn in a thread, and what happens to its requests."""

    def __init__(self, app: Any, loop: str) -> None:
        self.app = app
        self.gone: queue.SimpleQueue[str] = queue.SimpleQueue()  # the server knows it
        self.left: queue.SimpleQueue[str] = queue.SimpleQueue()  # by the app
        config = uvicorn.Config(
            self.call,
            port=0,
            loop=loop,
            ws="websockets-sansio",  # its other one is deprecated
            interface="asgi3",
            lifespan="off",
            log_config=None,
            timeout_graceful_shutdown=1,  # for tests that fail
        )
        self.server = uvicorn.Server(config)
        self.socket = config.bind_socket()
        self.socket.listen(128)  # before it runs, so that clients can connect at once
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(
            target=self.server.run, kwargs={"sockets": [self.socket]}, name="the server"
        )

    async def call(self, scope: Any, receive: Any, send: Any) -> None:
        """Call the app, as ASGI has it."""

        async def note_disconnect() -> Any:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone.put(scope["path"])
            return message

        try:
            await self.app(scope, note_disconnect, send)
        finally:
            self.left.put(scope["path"])


@contextmanager
def serve(app: Any, loop: str) -> Iterator[Site]:
    site = Site(app, loop)
    site.thread.start()
    try:
        yield site
    finally:
        site.server.should_exit = True
        site.thread.join()
        site.socket.close()


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> str:
    """The name of each event loop."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    name: str = request.param
    return name


# What starts a stream of an app, and whether the app waits for its producer's end.
Way = Callable[[FastAPI, Tokens], bool]


def async_with(app: FastAPI, tokens: Tokens) -> bool:
    async def body() -> AsyncIterator[str]:
        async with aiterate(tokens) as it:
            async for token in it:
                yield token

    @app.get("/")
    async def page() -> StreamingResponse:
        return StreamingResponse(body())

    return False  # anyio cancels the wait anew


def async_with_ahead(app: FastAPI, tokens: Tokens) -> bool:
    async def body() -> AsyncIterator[str]:
        async with aiterate(tokens, read_ahead=8) as it:
            async for token in it:
                yield token

    @app.get("/")
    async def page() -> StreamingResponse:
        return StreamingResponse(body())

    return False


def server_sent_events(app: FastAPI, tokens: Tokens) -> bool:
    @app.get("/", response_class=EventSourceResponse)
    async def page() -> AsyncIterator[str]:
        async with aiterate(tokens) as it:
            async for token in it:
                yield token

    return False


def path_operation(app: FastAPI, tokens: Tokens) -> bool:
    @app.get("/", response_class=StreamingResponse)
    async def page() -> AsyncIterator[str]:
        async with aiterate(tokens) as it:
            async for token in it:
                yield token

    return False


def path_operation_of_dependency(app: FastAPI, tokens: Tokens) -> bool:
    async def stream() -> AsyncIterator[Any]:
        async with aiterate(tokens) as it:
            yield it

    @app.get("/", response_class=StreamingResponse)
    async def page(it: Any = Depends(stream)) -> AsyncIterator[str]:  # noqa: B008
        async for token in it:
            yield token

    return True


def server_sent_events_of_dependency(app: FastAPI, tokens: Tokens) -> bool:
    async def stream() -> AsyncIterator[Any]:
        async with aiterate(tokens) as it:
            yield it

    @app.get("/", response_class=EventSourceResponse)
    async def page(it: Any = Depends(stream)) -> AsyncIterator[str]:  # noqa: B008
        async for token in it:
            yield token

    return True


def async_dependency(app: FastAPI, tokens: Tokens) -> bool:
    async def stream() -> AsyncIterator[Any]:
        async with aiterate(tokens) as it:
            yield it

    @app.get("/")
    async def page(it: Any = Depends(stream)) -> StreamingResponse:  # noqa: B008
        return StreamingResponse(it)

    return True


def async_background(app: FastAPI, tokens: Tokens) -> bool:
    @app.get("/")
    async def page() -> StreamingResponse:
        it = aiterate(tokens)
        return StreamingResponse(it, background=BackgroundTask(it.aclose))

    return True


def generator_of_tokens(app: FastAPI, tokens: Tokens) -> bool:
    @app.get("/")
    async def page() -> StreamingResponse:
        it = aiterate(from_iterable(tokens.generate()))
        return StreamingResponse(it, background=BackgroundTask(it.aclose))

    return True


def callback_with_stop(app: FastAPI, tokens: Tokens) -> bool:
    @app.get("/")
    async def page() -> StreamingResponse:
        it = aiterate(from_callback(tokens.call_back, stop=tokens.stop))
        return StreamingResponse(it, background=BackgroundTask(it.aclose))

    return True


def thread_background(app: FastAPI, tokens: Tokens) -> bool:
    @app.get("/")
    def page() -> StreamingResponse:
        it = iterate(tokens, engine="thread")
        return StreamingResponse(it, background=BackgroundTask(it.close))

    return True


def thread_dependency(app: FastAPI, tokens: Tokens) -> bool:
    def stream() -> Iterator[Any]:
        with iterate(tokens, engine="thread") as it:
            yield it

    @app.get("/")
    def page(it: Any = Depends(stream)) -> StreamingResponse:  # noqa: B008
        return StreamingResponse(it)

    return True


WAYS: list[Way] = [
    async_with,
    async_with_ahead,
    path_operation,
    server_sent_events,
    path_operation_of_dependency,
    server_sent_events_of_dependency,
    async_dependency,
    async_background,
    generator_of_tokens,
    callback_with_stop,
    thread_background,
    thread_dependency,
]


@pytest.mark.parametrize("way", WAYS)
def test_29_a_client_that_leaves_stops_its_producer(loop: str, way: Way) -> None:
    """After five values, and while the sixth is made: it is the last."""
    app, tokens = FastAPI(), Tokens()
    waits = way(app, tokens)
    with serve(app, loop) as site:
        with httpx.stream("GET", f"http://{site.address}/", timeout=PATIENCE) as response:
            lines = response.iter_lines()
            for n in range(1, 6):
                tokens.go.release()
                assert str(n) in next(line for line in lines if "data" in line)
        site.gone.get(timeout=PATIENCE)
        if not waits:
            site.left.get(timeout=PATIENCE)  # though the producer works
        tokens.go.release(100)
        assert tokens.ended.wait(PATIENCE)
        if waits:
            site.left.get(timeout=PATIENCE)
    if way is callback_with_stop:
        assert tokens.made in (100, 101)  # stopped while a token was made, or in its callback
    else:
        assert tokens.made == 6
    if tokens.answers:
        assert tokens.answers == [True] * 5 + [False]


# What may be stopped by the collector only.
COLLECTED = path_operation, server_sent_events


@pytest.fixture
def no_collections() -> Iterator[None]:
    """What is stopped is not stopped because it was collected."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collections")
@pytest.mark.parametrize("way", [way for way in WAYS if way not in COLLECTED])
def test_29_a_client_that_is_slower_stops_its_producer_too(loop: str, way: Way) -> None:
    """When it leaves, the server waits for it, and nobody for the producer.

    A path operation that yields is left out: FastAPI does not close one that is at its
    `yield`. The how-tos say to put the iterator into a dependency.
    """
    app, tokens = FastAPI(), LongTokens()
    way(app, tokens)
    with serve(app, loop) as site:
        with httpx.stream("GET", f"http://{site.address}/", timeout=PATIENCE) as response:
            next(response.iter_raw())
            tokens.wait_until_the_server_waits()
        assert tokens.ended.wait(PATIENCE)


class LongTokens(Tokens):
    """It makes them at once, and so long that the server must soon wait for its client."""

    def make(self) -> str:
        self.made += 1
        return "data: " + self.made * 65536 * "." + "\n\n"

    def wait_until_the_server_waits(self) -> None:
        made = -1
        while self.made != made:
            made = self.made
            time.sleep(0.02)  # and if it does not, it is the other test over again


@pytest.mark.parametrize("way", [async_with, async_dependency, thread_dependency])
def test_29_a_client_that_leaves_is_an_error_of_send_in_newer_asgi(way: Way) -> None:
    """Since version 2.4 Starlette makes that ClientDisconnect, and calls no background task."""
    app, tokens = FastAPI(), Tokens()
    way(app, tokens)
    tokens.go.release(5)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message.get("body") == b"data: 5\n\n":
            raise OSError("the client has gone")

    async def main() -> None:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "path": "/",
            "query_string": b"",
            "headers": [],
        }
        with pytest.raises(ClientDisconnect):
            await app(scope, receive, send)
        # A generator that was dropped is closed by the loop, in its next turns.
        assert await asyncio.to_thread(tokens.ended.wait, PATIENCE)

    asyncio.run(main())
    assert tokens.answers == [True] * 4 + [False]


def test_29_the_wait_for_a_producer_is_given_up_under_anyio() -> None:
    """Its scopes cancel each await of a task anew: the producer is told, and goes by itself."""
    anyio = pytest.importorskip("anyio")
    tokens = Tokens()

    async def main() -> None:
        async def stream(task_status: Any) -> None:
            async with aiterate(tokens) as it:
                await anext(it)
                task_status.started()
                await anext(it)

        async with anyio.create_task_group() as tasks:
            tokens.go.release()
            await tasks.start(stream)
            tasks.cancel_scope.cancel()
        assert not tokens.ended.is_set()
        tokens.go.release()
        assert await asyncio.to_thread(tokens.ended.wait, PATIENCE)

    asyncio.run(main())
    assert tokens.answers == [True, False]


def test_a_hundred_streams_hold_up_nothing(loop: str) -> None:
    """While all wait for their producers a request that needs the server's pool is answered."""
    app = FastAPI()
    sources = [Tokens() for _ in range(100)]

    @app.get("/stream/{n}")
    async def stream(n: int) -> StreamingResponse:
        async def body() -> AsyncIterator[str]:
            async with aiterate(sources[n]) as it:
                async for token in it:
                    yield token

        return StreamingResponse(body())

    @app.get("/ping")
    def ping() -> str:  # in a thread of the pool
        return "pong"

    async def client(address: str) -> None:
        opened = asyncio.Queue[int]()
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=f"http://{address}", timeout=PATIENCE, limits=limits
        ) as web:

            async def follow(n: int) -> None:
                async with web.stream("GET", f"/stream/{n}") as response:
                    lines = response.aiter_lines()
                    assert await anext(lines) == "data: 1"
                    opened.put_nowait(n)
                    async for line in lines:
                        if line == "data: 2":
                            break

            async with asyncio.TaskGroup() as tasks:
                for n, source in enumerate(sources):
                    source.go.release()
                    tasks.create_task(follow(n))
                for _ in sources:
                    await opened.get()
                assert (await web.get("/ping")).json() == "pong"
                # All are still open, and none has gone on.
                assert {source.made for source in sources} == {1}
                assert not any(source.ended.is_set() for source in sources)
                for source in sources:
                    source.go.release()

    with serve(app, loop) as site:
        asyncio.run(client(site.address))
        for source in sources:
            source.go.release(100)
            assert source.ended.wait(PATIENCE)


def fails_after_two(yield_: Yield[str]) -> None:
    for n in range(2):
        yield_(f"data: {n}\n\n")
    raise LookupError("no such token")


@pytest.mark.parametrize("way", WAYS[:8])
def test_06_an_error_midway_is_in_the_log(
    loop: str, way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    """With the frames of the producer; the client sees that the stream is broken."""
    app = FastAPI()
    way(app, fails_after_two)  # type: ignore[arg-type]
    caplog.set_level(logging.ERROR)
    broken = False
    with serve(app, loop) as site:
        try:
            with httpx.stream("GET", f"http://{site.address}/", timeout=PATIENCE) as response:
                for _ in response.iter_lines():
                    pass
        except httpx.RemoteProtocolError:
            broken = True
        site.left.get(timeout=PATIENCE)
    # FastAPI's own events may end as if all were well, before it has seen the error.
    assert broken or way in (server_sent_events, server_sent_events_of_dependency)
    check_log(caplog)


def check_log(caplog: pytest.LogCaptureFixture) -> None:
    """The server has logged the error of fails_after_two, with its frame."""
    (error,) = [
        record.exc_info[1]
        for record in caplog.records
        if record.name == "uvicorn.error" and record.exc_info
    ]
    text = "".join(traceback.format_exception(error))
    assert "LookupError: no such token" in text
    assert "in fails_after_two" in text
    caplog.clear()  # the traceback holds what its frames did


# WebSockets


def test_29_a_websocket_that_closes_stops_its_producer(loop: str) -> None:
    """The sixth token cannot be sent, and that ends the stream."""
    app, tokens = FastAPI(), Tokens()

    @app.websocket("/")
    async def page(websocket: WebSocket) -> None:
        await websocket.accept()
        async with aiterate(tokens) as it:
            try:
                async for token in it:
                    await websocket.send_text(token)
            except WebSocketDisconnect:
                pass

    with serve(app, loop) as site:
        with connect(f"ws://{site.address}/") as client:
            for n in range(1, 6):
                tokens.go.release()
                assert client.recv(PATIENCE) == f"data: {n}\n\n"
        tokens.go.release(100)
        assert tokens.ended.wait(PATIENCE)
        assert site.left.get(timeout=PATIENCE) == "/"
    assert tokens.made == 6
    assert tokens.answers == [True] * 5 + [False]


def test_06_an_error_under_a_websocket_is_in_the_log(
    loop: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With the frames of the producer, after the values before it."""
    app = FastAPI()

    @app.websocket("/")
    async def page(websocket: WebSocket) -> None:
        await websocket.accept()
        async with aiterate(fails_after_two) as it:
            async for token in it:
                await websocket.send_text(token)

    caplog.set_level(logging.ERROR)
    with serve(app, loop) as site:
        with connect(f"ws://{site.address}/") as client:
            assert [client.recv(PATIENCE), client.recv(PATIENCE)] == [
                "data: 0\n\n",
                "data: 1\n\n",
            ]
            with pytest.raises(ConnectionClosedError):
                client.recv(PATIENCE)
        site.left.get(timeout=PATIENCE)
    check_log(caplog)


# Without async with


def test_14_a_body_that_nobody_closes_is_stopped_when_it_is_collected(loop: str) -> None:
    """Starlette's task group leaves a cycle, in which the body is: see docs/howto-streaming.md."""
    app, tokens = FastAPI(), Tokens()

    @app.get("/")
    async def page() -> StreamingResponse:
        return StreamingResponse(aiterate(tokens))

    with serve(app, loop) as site:
        with httpx.stream("GET", f"http://{site.address}/", timeout=PATIENCE) as response:
            tokens.go.release()
            assert next(response.iter_lines()) == "data: 1"
        site.left.get(timeout=PATIENCE)
        tokens.go.release()
        while not tokens.ended.wait(0.01):
            gc.collect()
    assert tokens.made == 2


def test_pullit_iterators_are_told_apart_by_starlette() -> None:
    """One is a body for the event loop, the other for the pool."""
    assert isinstance(aiterate(fails_after_two), AsyncIterable)
    assert not isinstance(iterate(fails_after_two), AsyncIterable)
    assert not hasattr(pullit.PullIterator, "__aiter__")
