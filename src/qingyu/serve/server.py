"""Runs the server on a socket that listens already, until it is told to stop.

    run(listener, service, load=load_engine, announce=print_ready)

/health answers from the first moment; the model is loaded beside it. It knows neither flags nor
the seal.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import socket
import struct
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from qingyu.serve import memory, page
from qingyu.serve.app import build_app
from qingyu.serve.doors import PROTECTION
from qingyu.serve.listening import Listener
from qingyu.serve.problems import ApiError
from qingyu.serve.service import Engine, Service
from qingyu.text import pick

# What a request that runs when the server is stopped may still take, in seconds; then it is told
# that the server stops, and after some more its connection is closed.
_GRACE_SECONDS = 3.0
_CLOSING_SECONDS = 6
_KEEP_ALIVE_SECONDS = 30
_HEAD_BYTES = 32 << 10
_HEAD_END = re.compile(rb"\n\r?\n")


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP for strangers. Cut off is a client that does not finish the head of a request
    in time, or sends too large a one, that goes on sending the body of a request answered long ago,
    that takes nothing of its answer, and one too many."""

    head_seconds = 10.0
    stall_seconds = 60.0
    most_connections = 256

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._reading = _Deadline(self.loop, self.head_seconds, transport.abort)
        self._writing = _Deadline(self.loop, self.stall_seconds, self._drop_answer)
        if len(self.connections) > self.most_connections:
            transport.close()
            return
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._reading.stop()
        self._writing.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.conn.their_state is h11.IDLE and self._head_bytes(data) > _HEAD_BYTES:
            message = pick(
                f"the head of the request is larger than {_HEAD_BYTES} bytes",
                f"请求头超过 {_HEAD_BYTES} 字节",
            )
            self._refuse(ApiError(431, message, code="head_too_large"))
            return
        super().data_received(data)
        self._watch()

    def _head_bytes(self, data: bytes) -> int:
        """Size of the head that data is or goes on with, as far as it is here. h11 looks only at
        heads that are not whole, and one read may bring 256 KiB."""
        waiting = self.conn.trailing_data[0] + data
        end = _HEAD_END.search(waiting)
        return len(waiting) if end is None else end.start()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._writing.start()

    def resume_writing(self) -> None:
        self._writing.stop()
        super().resume_writing()

    def _drop_answer(self) -> None:
        """At once, with all that the system still holds for the client: what it does not take
        would lie there for minutes."""
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.transport.abort()

    def _watch(self) -> None:
        """One timer for all that a client owes us; more data of it does not set it back. Without
        it each byte would put off uvicorn's own for ever."""
        state = self.conn.their_state
        head_owed = state is h11.IDLE and self.timeout_keep_alive_task is None
        body_owed = state is h11.SEND_BODY and self.cycle.response_complete
        if self.transport.is_closing() or not (head_owed or body_owed):
            self._reading.stop()
        else:
            self._reading.start()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is answered with an error object like everything else."""
        self._refuse(
            ApiError(400, pick("this is no HTTP request", "这不是 HTTP 请求"), code="not_http")
        )

    def _refuse(self, wrong: ApiError) -> None:
        """Answer what never becomes a request, and close."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            # There was an answer already.
            self.transport.abort()
            return
        if self.cycle is not None:
            # Its handler may only now begin, and has nobody to answer any more.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        body = json.dumps(wrong.body, ensure_ascii=False).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            *PROTECTION,
        ]
        reason = HTTPStatus(wrong.status).phrase.encode()
        head = h11.Response(status_code=wrong.status, headers=headers, reason=reason)
        for event in (head, h11.Data(body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class _Deadline:
    """Calls when so many seconds pass between start and stop. Starting again sets nothing back."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, call: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._seconds = seconds
        self._call = call
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._call)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


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
    """Serve until SIGINT or SIGTERM. load: brings the engine; called in a thread, it may raise.
    announce: called once requests are answered."""
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
        if service.home is not None:
            service.home.end_watching()  # or every page would be waited for
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
        {
            "head_seconds": limits.head_seconds,
            "stall_seconds": limits.stall_seconds,
            "most_connections": limits.connections * 2,
        },
    )
    config = uvicorn.Config(
        build_app(service),
        http=protocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        # Anybody can send what is no HTTP; a line for each would fill a disk.
        log_level="error",
        server_header=False,
        # What a proxy says of its client is neither believed nor used.
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_CLOSING_SECONDS,
        h11_max_incomplete_event_size=_HEAD_BYTES,
    )
    return _Server(config)
