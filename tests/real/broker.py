"""An MQTT broker on loopback: the program prints its port, and ends with its standard input."""

from __future__ import annotations

import asyncio
import os
import sys

import psutil
from amqtt.broker import Broker

CONFIG = {
    "listeners": {"default": {"type": "tcp", "bind": "127.0.0.1:0"}},
    "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
}


async def main() -> None:
    """Serve until nobody holds the other end of standard input."""
    broker = Broker(CONFIG)
    await broker.start()
    for connection in psutil.Process().net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN:
            print(connection.laddr.port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # its shutdown waits forever for a client's connection, on CPython 3.12.1


if __name__ == "__main__":
    asyncio.run(main())
