"""Stream what a blocking generator makes to web clients, as server-sent events.

Serve it, and ask:

    uvicorn --app-dir examples stream_tokens:app
    curl --no-buffer 'localhost:8000/answers?question=Why'
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.sse import EventSourceResponse, ServerSentEvent

import pullit

app = FastAPI()


def generate(question: str) -> Iterator[str]:
    """Give the tokens of an answer: in the place of a model, which blocks for each."""
    n = 0
    try:
        for token in f"{question}? Because the kettle was on, and so was the cake.".split():
            time.sleep(0.02)
            yield token
            n += 1
    finally:
        print(f"{question}: {n} tokens were sent", flush=True)


async def tokens_of(question: str) -> AsyncIterator[AsyncIterator[str]]:
    """Run the generator in a thread. It is closed when the client leaves, or at the end."""
    async with pullit.aiterate(pullit.from_iterable(generate(question))) as tokens:
        yield tokens


@app.get("/answers", response_class=EventSourceResponse)
async def answers(
    tokens: Annotated[AsyncIterator[str], Depends(tokens_of)],
) -> AsyncIterator[ServerSentEvent]:
    """Send each token as soon as it is there, and an event of its own at the end."""
    async for token in tokens:
        yield ServerSentEvent(data=token)
    yield ServerSentEvent(event="done")
