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
import resource
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qingyu.act.adapters import door
from qingyu.act.adapters.link import Link, Run
from qingyu.serve import seal
from qingyu.text import pick

_CERTIFICATES = ("/etc/ssl", "/etc/ca-certificates", "/usr/share/ca-certificates", "/etc/pki/tls")
"""Whom to believe that they are who they say, for connections with TLS."""
_MOST_MEMORY = 1 << 29
"""Bytes. Whoever is at the other end of a connection cannot take the machine's."""


def connect_through(channel: socket.socket) -> None:
    """From now on `socket.create_connection` asks the door."""

    def create_connection(
        address: tuple[str, int], timeout: float | None = None, *rest: Any, **options: Any
    ) -> socket.socket:
        connection = door.ask(channel, *address[:2])
        connection.settimeout(timeout if isinstance(timeout, int | float) else None)
        return connection

    socket.create_connection = create_connection  # type: ignore[assignment]


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose connections come from the door as well; names are looked up there."""

    async def create_connection(
        self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        if host is not None and options.get("sock") is None:
            options["sock"] = await asyncio.to_thread(socket.create_connection, (host, port))
            if options.get("ssl"):
                options.setdefault("server_hostname", host)
            for key in ("family", "proto", "flags", "local_addr", "happy_eyeballs_delay"):
                options.pop(key, None)
        return await super().create_connection(protocol_factory, **options)

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        family = socket.AF_INET6 if ":" in str(host) else socket.AF_INET
        return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))]


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
    given = {key: start[key] for key in ("addresses", "named")}
    settings: Mapping[str, Any] = {**start["settings"], **given}
    try:
        run = load(start["adapter"])
    except ModuleNotFoundError as error:
        # To be started anew helps nobody; so this stays, and says why.
        link.connected(
            False,
            pick(
                f"{error.name} is not installed; pip install 'qingyu[home]'",
                f"未安装 {error.name}；请运行 pip install 'qingyu[home]'",
            ),
        )
        await link.serve()
        return
    work = asyncio.ensure_future(run(link, settings))
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
    with contextlib.suppress(OSError, ValueError):  # not everywhere
        resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY, _MOST_MEMORY))
    seal.prepare(read=[Path(one) for one in _CERTIFICATES])
    sealed = seal.seal()
    connect_through(channel)
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(_run(end, sealed))


if __name__ == "__main__":
    main()
