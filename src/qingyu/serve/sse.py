"""Server-sent events: a response that is sent as it comes.

    return EventStream(events(), answers)     # an async generator of bytes, and what it uses
    event({"delta": "a"}), event(data, name="response.created"), DONE

When the client goes away the generator is closed at once, and so is what it uses.
Format: HTML standard, "Server-sent events".
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from typing import Any, Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

DONE = b"data: [DONE]\n\n"
# Proxies and clients take a silent connection for a dead one.
_PING_SECONDS = 15.0
_PING = b": ping\n\n"

_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def event(data: Any, *, name: str | None = None) -> bytes:
    """One event; JSON has no raw line breaks, so one data line holds it."""
    text = f"data: {_dumps(data)}\n\n"
    return (text if name is None else f"event: {name}\n{text}").encode()


async def gone(receive: Receive) -> None:
    """Until the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Closable(Protocol):
    """What a stream uses until its end."""

    async def aclose(self) -> None: ...


class EventStream(Response):
    """See the module."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes, None], used: Closable) -> None:
        super().__init__(
            headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
            media_type="text/event-stream; charset=utf-8",
        )
        del self.headers["content-length"]
        self._events = events
        self._used = used
        self._sent = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.ensure_future(self._send_events(send))
        others = [asyncio.ensure_future(gone(receive)), asyncio.ensure_future(self._ping(send))]
        try:
            await asyncio.wait({sending, others[0]}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, *others):
                task.cancel()
            ends = await asyncio.gather(sending, *others, return_exceptions=True)
            await self._events.aclose()
            await self._used.aclose()
        # A send that fails has lost its client; anything else is a bug, for the log.
        if isinstance(ends[0], Exception) and not isinstance(ends[0], OSError):
            raise ends[0]

    async def _send_events(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        async for chunk in self._events:
            self._sent = time.monotonic()
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _ping(self, send: Send) -> None:
        while True:
            silent = time.monotonic() - self._sent
            if silent >= _PING_SECONDS:
                await send({"type": "http.response.body", "body": _PING, "more_body": True})
                self._sent = time.monotonic()
                silent = 0.0
            await asyncio.sleep(_PING_SECONDS - silent)
