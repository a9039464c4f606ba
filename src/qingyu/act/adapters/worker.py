"""The process an adapter runs in: sealed first, then the adapter's module, then its `run`.

    python -m qingyu.act.adapters.worker LINK DOOR       # numbers of two inherited sockets

Before a line of the adapter is loaded, the process enters an empty network namespace and gives up
files where the system allows it, and installs the filter that refuses every `connect` and every
socket but UNIX ones. Connections come from the door (`door.py`): in here `socket.create_connection`
asks it, so that a library that knows nothing of this works as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import socket
import sys
from collections.abc import Mapping
from typing import Any

from qingyu.act.adapters import door
from qingyu.act.adapters.link import Link, Run
from qingyu.serve import seal


def connect_through(channel: socket.socket) -> None:
    """From now on `socket.create_connection` asks the door."""

    def create_connection(
        address: tuple[str, int], timeout: float | None = None, *rest: Any, **options: Any
    ) -> socket.socket:
        connection = door.ask(channel, *address[:2])
        connection.settimeout(timeout if isinstance(timeout, int | float) else None)
        return connection

    socket.create_connection = create_connection  # type: ignore[assignment]


def load(name: str) -> Run:
    """The `run` of an adapter's module: one of ours, or by its full name one of somebody's own.

    Raises ModuleNotFoundError, AttributeError.
    """
    module = importlib.import_module(name if "." in name else f"qingyu.act.adapters.{name}")
    run: Run = module.run
    return run


async def _run(end: socket.socket, sealed: seal.SealStatus) -> None:
    link = await Link.over(end)
    start = await link.receive()
    assert start["type"] == "start", start
    link.send({"type": "sealed", "status": sealed.as_dict()})
    settings: Mapping[str, Any] = {**start["settings"], "addresses": start["addresses"]}
    work = asyncio.ensure_future(load(start["adapter"])(link, settings))
    listening = asyncio.ensure_future(link.serve())
    done, waiting = await asyncio.wait({work, listening}, return_when=asyncio.FIRST_COMPLETED)
    for one in waiting:
        one.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*waiting)
    for one in done:
        one.result()


def main() -> None:
    """Raises whatever the adapter raises."""
    end, channel = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    seal.prepare()
    sealed = seal.seal()
    connect_through(channel)
    asyncio.run(_run(end, sealed))


if __name__ == "__main__":
    main()
