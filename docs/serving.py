"""A server for the apps of the how-tos, so that clients can come and go: uvicorn, in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Give the address of *app*, until the block is left."""
    config = uvicorn.Config(
        app,
        port=0,
        ws="websockets-sansio",  # its other one is deprecated
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=5,  # where a page is wrong
    )
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    socket.listen()  # before it runs, so that clients can connect at once
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    try:
        yield f"127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        socket.close()
