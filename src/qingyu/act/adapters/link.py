"""What an adapter sees of the assistant: the contract of an adapter, from its side.

    async def run(link: Link, settings: Mapping[str, Any]) -> None:
        link.on_call(do)                        # async def do(order: Order) -> Answer
        link.entity({"id": "light.desk", "names": ["台灯"], "state": "off"}, area="书房")
        link.values("light.desk", {"state": "on"})
        link.connected(True)
        link.settled()
        await forever

`run` returns only when there is nothing left to do; whatever it raises ends the process, and the
assistant starts it anew. Nothing here waits: messages leave in the order they are given.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from qingyu.act.adapters.wire import MAX_BYTES, Message, WireError, length, packed, unpacked

_LOG = logging.getLogger(__name__)
Outcome = Literal["done", "failed", "no_answer"]
Run = Callable[["Link", Mapping[str, Any]], Awaitable[None]]
"""What an adapter's module calls `run`."""
_WAITING_BYTES = 16 * MAX_BYTES


@dataclass(frozen=True, kw_only=True)
class Order:
    """Something to do. wanted: {"state" or attribute: value} as the device shall be afterwards,
    what changes and what was asked for. seconds: until an answer is of use."""

    entity: str
    action: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    wanted: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 5.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """As `qingyu.act.devices.Report`. What changed was told before, with `Link.values`."""

    outcome: Outcome
    detail: str = ""


class Link:
    """The adapter's end, for one asyncio loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._handler: Callable[[Order], Awaitable[Answer]] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def over(cls, end: socket.socket) -> Link:
        end.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=end, limit=2 * MAX_BYTES)
        return cls(reader, writer)

    def entity(self, entity: Mapping[str, Any], *, area: str = "") -> None:
        """A device that is there, or is another one than it was: as in a household's file, but
        for `area`, which is any name of the area; one that is not known is made."""
        self.send({"type": "entity", "entity": dict(entity), "area": area})

    def gone(self, id: str) -> None:
        """A device that was taken away for good."""
        self.send({"type": "gone", "id": id})

    def values(self, id: str, values: Mapping[str, Any], *, assumed: bool = False) -> None:
        """How a device says that it is. Keys that are left out stay as they were.

        assumed: it never says; this is what it was told last.
        """
        self.send({"type": "values", "id": id, "values": dict(values), "assumed": assumed})

    def connected(self, now: bool, detail: str = "") -> None:
        """Whether devices can be reached. detail: why not, for people."""
        self.send({"type": "connected", "now": now, "detail": detail})

    def settled(self) -> None:
        """All devices that are there have been told."""
        self.send({"type": "settled"})

    def on_call(self, handler: Callable[[Order], Awaitable[Answer]]) -> None:
        """Who does things. Orders may overlap; each is given once and never again."""
        self._handler = handler

    def send(self, message: Message) -> None:
        if self._writer.transport.get_write_buffer_size() > _WAITING_BYTES:
            raise WireError("the assistant takes nothing any more")
        self._writer.write(packed(message))

    async def serve(self) -> None:
        """Take orders until the assistant is gone. Raises WireError."""
        try:
            while True:
                message = unpacked(
                    await self._reader.readexactly(length(await self._reader.readexactly(4)))
                )
                if message["type"] == "ping":
                    self.send({"type": "pong"})
                elif message["type"] == "call":
                    task = asyncio.create_task(self._do(message))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    async def receive(self) -> Message:
        """One message, before `serve`."""
        return unpacked(await self._reader.readexactly(length(await self._reader.readexactly(4))))

    async def _do(self, message: Message) -> None:
        order = Order(**message["order"])
        if self._handler is None:
            answer = Answer(outcome="failed", detail="not ready")
        else:
            try:
                answer = await asyncio.wait_for(self._handler(order), order.seconds)
            except TimeoutError:
                answer = Answer(outcome="no_answer")
            except Exception:
                # A bug; whether the device was told before it is not to be known.
                _LOG.exception("%s", order)
                answer = Answer(outcome="no_answer", detail="the adapter failed")
        self.send({"type": "answer", "id": message["id"], **vars(answer)})
