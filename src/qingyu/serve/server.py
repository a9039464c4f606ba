"""Runs the server on a socket that listens already, until it is told to stop.

    run(listener, service, load=load_engine, announce=print_ready)

/health answers from the first moment; the model is loaded beside it. The seal is put on as soon
as the model is there, before the first request is answered. It knows no flags.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from qingyu.serve import memory, page
from qingyu.serve.app import build_app
from qingyu.serve.listening import Listener
from qingyu.serve.service import Engine, Service

# What a request that runs when the server is stopped may still take, in seconds; then it is told
# that the server stops, and after some more its connection is closed.
_GRACE_SECONDS = 3.0
_CLOSING_SECONDS = 6
_KEEP_ALIVE_SECONDS = 30
_HEAD_BYTES = 32 << 10


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP, but a client that opens a connection and sends no whole request head in
    time is cut off, and so is one too many."""

    head_seconds = 10.0
    most_connections = 256

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._head_timer: asyncio.TimerHandle | None = None
        if len(self.connections) > self.most_connections:
            transport.close()
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            # Part of a head, or nothing of the next one yet: then keep-alive watches.
            if self._head_timer is None and self.conn.trailing_data[0]:
                self._await_head()
        else:
            self._forget_head()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self._too_slow)

    def _too_slow(self) -> None:
        self._head_timer = None
        if self.conn.their_state is h11.IDLE:
            self.transport.close()

    def _forget_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _Server(uvicorn.Server):
    """uvicorn's server, without its own handling of signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


def run(
    listener: Listener,
    service: Service,
    *,
    load: Callable[[], Engine],
    announce: Callable[[], None],
) -> None:
    """Serve until SIGINT or SIGTERM. load: brings the engine, and seals; called in a thread, it
    may raise. announce: called once requests are answered."""
    memory.use_little()
    page.load()
    asyncio.run(_serve(listener, service, load, announce))


async def _serve(
    listener: Listener,
    service: Service,
    load: Callable[[], Engine],
    announce: Callable[[], None],
) -> None:
    server = make_server(service)
    loop = asyncio.get_running_loop()

    def end_answers() -> None:
        if service.engine is not None:
            loop.run_in_executor(None, service.engine.scheduler.close)

    def stop(number: signal.Signals) -> None:
        server.handle_exit(number, None)
        loop.call_later(_GRACE_SECONDS, end_answers)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    serving = asyncio.ensure_future(server.serve(sockets=[listener.socket]))
    loading = asyncio.ensure_future(asyncio.to_thread(load))
    tidying = asyncio.ensure_future(memory.give_back(service))
    try:
        await asyncio.wait({serving, loading}, return_when=asyncio.FIRST_COMPLETED)
        if loading.done():
            service.engine = loading.result()
            announce()
        await serving
    finally:
        server.should_exit = True
        tidying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        engine = service.engine
        if engine is not None:
            await asyncio.to_thread(engine.scheduler.close)


def make_server(service: Service) -> uvicorn.Server:
    """The HTTP server for a service; its own limits are the service's."""
    limits = service.settings.limits
    protocol = type(
        "Protocol",
        (PatientProtocol,),
        {"head_seconds": limits.head_seconds, "most_connections": limits.connections * 2},
    )
    config = uvicorn.Config(
        build_app(service),
        http=protocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_CLOSING_SECONDS,
        h11_max_incomplete_event_size=_HEAD_BYTES,
    )
    return _Server(config)
