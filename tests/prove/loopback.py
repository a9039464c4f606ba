"""A server on loopback that answers as a function says, and remembers what it was asked.

with loopback(lambda request: (200, {"choices": [...]})) as server:
    server.url, server.requests[0].body, server.requests[0].headers["authorization"]
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from qingyu.prove.endpoint import EndpointAnswerer
from qingyu.prove.exam import Answer, Exam


class Request(NamedTuple):
    path: str
    headers: Mapping[str, str]
    body: Any


# Status, body (JSON, or bytes as they are, or None: hang up), and headers if any.
Reply = tuple[Any, ...]


class Loopback(NamedTuple):
    url: str
    requests: list[Request]


@contextlib.contextmanager
def loopback(answer: Callable[[Request], Reply]) -> Iterator[Loopback]:
    """See the module. `answer` is called in a thread for each connection."""
    requests: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.path, headers, json.loads(body))
            requests.append(request)
            status, content, *rest = answer(request)
            if content is None:
                self.close_connection = True
                return
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            with contextlib.suppress(OSError):
                self.send_response(status)
                for name, value in (rest[0] if rest else {}).items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Loopback(f"http://127.0.0.1:{server.server_address[1]}/v1", requests)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def says(text: str, *, finish: str = "stop", prompt_tokens: int = 9) -> Reply:
    """A chat answer."""
    return 200, {
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        "usage": {"prompt_tokens": prompt_tokens},
    }


def refuses(status: int, message: str, code: str | None = None, **headers: str) -> Reply:
    """An error as OpenAI writes it."""
    return status, {"error": {"message": message, "code": code}}, headers


def answerer(url: str, **options: Any) -> EndpointAnswerer:
    """One that asks such a server, and is quick to try again."""
    return EndpointAnswerer(url=url, model="m", **{"backoff": 0.001, "retries": 3, **options})


def answered(asker: Any, exam: Exam) -> list[Answer]:
    """Its answers to all questions, in order."""
    found = list(asker.answers(exam, list(exam.all_questions())))
    return sorted(found, key=lambda one: (one.subject, one.id))
