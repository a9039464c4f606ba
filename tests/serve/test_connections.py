"""Clients that do not behave below HTTP: each is cut off, others are served, nothing is logged."""

import contextlib
import errno
import json
import re
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from qingyu.serve.settings import Limits
from tests.serve.serving import Server, serving

# What is given in time takes a tenth of it on a busy machine.
LIMITS = Limits(head_seconds=1.0, stall_seconds=1.0, connections=8)
CHAT = {"messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving({"Hi": "Hello", "Long": "a" * 8000}, limits=LIMITS, context=1 << 14) as server:
        yield server


@pytest.fixture(autouse=True)
def still_answering_and_quiet(server: Server, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert server.post("/v1/chat/completions", CHAT).status_code == 200
    assert capfd.readouterr().err == ""


@contextlib.contextmanager
def connected(server: Server, *, small: bool = False) -> Iterator[socket.socket]:
    """small: the client's system takes next to nothing that is not read."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.socket() as connection:
        if small:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect((host, int(port)))
        yield connection


def read(connection: socket.socket) -> bytes:
    """Until the server closes."""
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 16):
            pieces.append(piece)
    return b"".join(pieces)


def answer(connection: socket.socket) -> bytes:
    """One whole answer, head and body: they may arrive in any number of pieces."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(1 << 16)
        assert piece, received
        received += piece
    top, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", top)
    assert length, top
    while len(body) < int(length[1]):
        piece = connection.recv(1 << 16)
        assert piece, received
        body += piece
    return top + b"\r\n\r\n" + body


def head(server: Server, method: str, path: str, *lines: str, host: str = "") -> bytes:
    host = host or server.url.removeprefix("http://")
    return "\r\n".join((f"{method} {path} HTTP/1.1", f"Host: {host}", *lines, "", "")).encode()


@pytest.mark.parametrize("sent", [b"", b"G", b"GET /health HTTP/1.1\r\nHost: loc"])
def test_a_head_that_is_not_finished_is_cut_off(server: Server, sent: bytes) -> None:
    with connected(server) as connection:
        connection.sendall(sent)
        assert read(connection) == b""


@pytest.mark.parametrize("whole", [True, False])
def test_a_head_that_is_too_large_is_refused(server: Server, whole: bool) -> None:
    with connected(server) as connection:
        sent = head(server, "GET", "/health", "X-Long: " + "a" * 33_000)
        connection.sendall(sent if whole else sent[:-4])
        received = read(connection)
        assert b" 431 " in received.partition(b"\r\n")[0], received
        assert b"32768 bytes" in received
    with connected(server) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(head(server, "GET", "/health", "X-Long: " + "a" * 200_000))
        received = read(connection)
        # A reset may overtake the answer to what was not read to its end.
        assert not received or b" 431 " in received.partition(b"\r\n")[0], received
    with connected(server) as connection:
        connection.sendall(head(server, "GET", "/health", "X-Long: " + "a" * 30_000))
        assert b" 200 " in answer(connection).partition(b"\r\n")[0]


def drip(connection: socket.socket, piece: bytes) -> float:
    """Seconds until the server has had enough of one byte after another."""
    started = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - started < 20:
            connection.sendall(piece)
            connection.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                if not connection.recv(1 << 16):
                    break
            connection.settimeout(20)
    return time.monotonic() - started


def test_a_head_in_drops_is_cut_off(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nX: ")
        assert drip(connection, b"x") < 10


def test_a_second_head_in_drops_is_cut_off(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(head(server, "GET", "/health"))
        assert answer(connection).startswith(b"HTTP/1.1 200 ")
        assert drip(connection, b"x") < 10


@pytest.mark.parametrize("host", ["", "evil.example"])
def test_a_body_in_drops_after_the_answer_is_cut_off(server: Server, host: str) -> None:
    """Whoever is refused at the door keeps no place in it."""
    with connected(server) as connection:
        connection.sendall(head(server, "GET", "/seal", "Content-Length: 1000000", host=host))
        status = b"HTTP/1.1 403 " if host else b"HTTP/1.1 200 "
        assert answer(connection).startswith(status)
        assert drip(connection, b"x") < 10


def test_a_body_nobody_asked_for_does_no_harm(server: Server) -> None:
    with connected(server) as connection:
        for _ in range(2):
            connection.sendall(head(server, "GET", "/health", "Content-Length: 5") + b"12345")
            assert answer(connection).startswith(b"HTTP/1.1 200 ")


def test_who_takes_nothing_of_an_answer_is_cut_off(server: Server) -> None:
    # Some ten megabytes: more than the two systems take without anybody reading.
    wanted = {"messages": [{"role": "user", "content": "Long"}], "stream": True}
    body = json.dumps({**wanted, "logprobs": True, "top_logprobs": 20}).encode()
    lines = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    with connected(server, small=True) as connection:
        connection.sendall(head(server, "POST", "/v1/chat/completions", *lines) + body)
        until = time.monotonic() + 120
        # The reset is seen without reading: reading would be taking the answer after all.
        while connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != errno.ECONNRESET:
            assert time.monotonic() < until, "it still waits to be read"
            threading.Event().wait(0.02)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    ],
)
def test_what_is_no_http_gets_an_error_object(server: Server, sent: bytes) -> None:
    with connected(server) as connection:
        connection.sendall(sent)
        received = read(connection)
    assert received.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"x-content-type-options: nosniff" in received.lower()
    assert b'"code": "not_http"' in received


@pytest.mark.parametrize("host", ["", "evil.example"])
def test_a_broken_chunk_ends_the_request(server: Server, host: str) -> None:
    lines = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    with connected(server) as connection:
        # At once, and when the answer is out already.
        connection.sendall(head(server, "POST", "/tokenize", *lines, host=host) + b"ZZZ\r\n")
        assert read(connection).startswith(b"HTTP/1.1 400 ")
    with connected(server) as connection:
        connection.sendall(head(server, "POST", "/tokenize", *lines, host="evil.example"))
        assert answer(connection).startswith(b"HTTP/1.1 403 ")
        connection.sendall(b"ZZZ\r\n")
        assert read(connection) == b""


def test_an_upgrade_is_not_taken(server: Server) -> None:
    lines = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
             "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")  # fmt: skip
    with connected(server) as connection:
        connection.sendall(head(server, "GET", "/v1/models", *lines))
        assert answer(connection).startswith(b"HTTP/1.1 200 ")


def test_one_connection_too_many_is_closed(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(2 * LIMITS.connections):
            stack.enter_context(connected(server))
        last = stack.enter_context(connected(server))
        assert read(last) == b""
    # Their places are free as soon as the server has seen them go.
    with httpx.Client(transport=httpx.HTTPTransport(retries=5)) as client:
        assert client.get(server.url + "/health").status_code == 200
