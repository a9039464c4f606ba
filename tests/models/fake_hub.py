"""A hub on loopback that does what it is told, well or badly.

    with running_hub() as hub:
        hub.serve("/owner/repo/resolve/main/a.gguf", Answer(body, cut=1000), Answer(body))
        ... fetch(hub.url + "/owner/repo/resolve/main/a.gguf", part) ...
        hub.requests[1].headers["Range"]

Each request for a path takes the next answer; the last one stays.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def gguf_like(size: int = 300_000, seed: int = 1) -> bytes:
    """Bytes that begin as a GGUF file does, and do not repeat."""
    blocks = [b"GGUF"]
    length = 4
    for number in range(size // 32 + 1):
        blocks.append(hashlib.sha256(f"{seed}-{number}".encode()).digest())
        length += 32
    return b"".join(blocks)[:size]


@dataclass(frozen=True)
class Answer:
    """One answer: a file, whole or not, or a status.

    cut: bytes of the body after which the connection ends; ignore_range: the whole file whatever
    was asked for; length: Content-Length instead of the true one; chunked: no Content-Length.
    """

    body: bytes = b""
    status: int = 200
    etag: str = '"v1"'
    cut: int | None = None
    ignore_range: bool = False
    ignore_if_range: bool = False
    length: int | None = None
    chunked: bool = False
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]


class FakeHub:
    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: dict[str, list[Answer]] = {}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub.answer(self)

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def serve(self, path: str, *answers: Answer) -> str:
        """Set the answers of a path; gives its address."""
        self.answers[path] = list(answers)
        return self.url + path

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append(Request(handler.path, dict(handler.headers)))
        waiting = self.answers.get(handler.path, [Answer(status=404)])
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if answer.status != 200:
            handler.send_response(answer.status)
            for name, value in answer.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        start = self._start(handler, answer)
        body = answer.body[start:]
        handler.send_response(206 if start else 200)
        if start:
            last = len(answer.body) - 1
            handler.send_header("Content-Range", f"bytes {start}-{last}/{len(answer.body)}")
        if answer.etag:
            handler.send_header("ETag", answer.etag)
        if answer.chunked:
            handler.send_header("Connection", "close")
        else:
            length = len(body) if answer.length is None else answer.length
            handler.send_header("Content-Length", str(length))
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body[: answer.cut])
        handler.close_connection = True

    def _start(self, handler: BaseHTTPRequestHandler, answer: Answer) -> int:
        asked = handler.headers.get("Range")
        condition = handler.headers.get("If-Range")
        if asked is None or answer.ignore_range:
            return 0
        if condition is not None and condition != answer.etag and not answer.ignore_if_range:
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))


@contextmanager
def running_hub() -> Iterator[FakeHub]:
    hub = FakeHub()
    thread = threading.Thread(target=hub.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        hub.server.shutdown()
        hub.server.server_close()
        thread.join()
