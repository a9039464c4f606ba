"""/v1/chat/completions and time: queues, deadlines, silence, clients that go away."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from fakes import context_of
from qingyu.engine.scheduler import SchedulerSettings
from qingyu.serve import sse as sse_module
from serve.chatting import (
    ANSWERS,
    PATH,
    answer,
    asks,
    refusal,
    until,
)
from serve.serving import Server, serving, sse


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(ANSWERS) as server:
        yield server


class Gate:
    """Holds the fake model's forwards until it is opened."""

    def __init__(self, server: Server) -> None:
        self.open = threading.Event()
        self.reached = threading.Event()
        context_of(server.model).before_forward = self._pass

    def _pass(self) -> None:
        self.reached.set()
        assert self.open.wait(20)


def test_a_full_queue_is_429_with_retry_after() -> None:
    scheduling = SchedulerSettings(max_running=1, max_waiting=0)
    with serving(ANSWERS, scheduling=scheduling) as server:
        gate = Gate(server)
        first: list[httpx.Response] = []
        thread = threading.Thread(target=lambda: first.append(server.post(PATH, asks("Hi"))))
        thread.start()
        assert gate.reached.wait(20)
        for stream in (False, True):
            refused = server.post(PATH, asks("Hi", stream=stream))
            assert refused.status_code == 429
            assert int(refused.headers["retry-after"]) >= 1
            assert refused.json()["error"]["type"] == "rate_limit_error"
        gate.open.set()
        thread.join(20)
        assert first[0].status_code == 200


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("n", [1, 3])
def test_a_client_that_goes_away_frees_its_place(stream: bool, n: int) -> None:
    with serving(context=1 << 16) as server:
        gate = Gate(server)
        body = json.dumps(
            asks("Say anything", n=n, stream=stream, logit_bias={"257": -100, "258": -100})
        )
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            head = f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            assert gate.reached.wait(20)
            stats = server.scheduler.stats
            until(lambda: stats().running + stats().waiting == n)
        gate.open.set()
        until(lambda: stats().cancelled == n)
        assert stats().running == stats().waiting == 0


def test_a_deadline_is_a_408_and_in_a_stream_an_error_event() -> None:
    with serving(context=1 << 16) as server:
        slow = threading.Event()
        context_of(server.model).before_forward = lambda: slow.wait(0.002) and None
        body = asks("Say anything", deadline_seconds=0.2, logit_bias={"257": -100, "258": -100})
        response = server.post(PATH, body)
        assert response.status_code == 408
        assert response.headers["x-should-retry"] == "false"
        assert response.json()["error"]["code"] == "deadline_exceeded"
        *chunks, last = server.events(PATH, body)
        assert "0.2 s" in last["error"]["message"]
        assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
        assert all(one["choices"][0]["finish_reason"] is None for one in chunks)


def test_silence_is_filled_with_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse_module, "_PING_SECONDS", 0.02)
    with serving(ANSWERS) as server:
        gate = Gate(server)
        with (
            httpx.Client(timeout=20) as client,
            client.stream("POST", server.url + PATH, json=asks("Hi", stream=True)) as response,
        ):
            text = ""
            for piece in response.iter_text():
                text += piece
                if text.count(": ping\n\n") >= 2:
                    gate.open.set()
        assert sse(text)[-1] == (None, "[DONE]")
        assert text.index(": ping") < text.index('"content":"H')


def test_long_texts_are_prepared_off_the_event_loop(server: Server) -> None:
    threads = []
    encode = server.model.tokenizer.encode

    def recorded(*arguments: Any, **options: Any) -> Any:
        threads.append(threading.current_thread().name)
        return encode(*arguments, **options)

    server.model.tokenizer.encode = recorded
    try:
        refusal(server, asks("x" * 9000))
        assert threads
        assert all(name.startswith("asyncio") for name in threads)
        threads.clear()
        answer(server, asks("Hi"))
        assert not any(name.startswith("asyncio") for name in threads)
    finally:
        del server.model.tokenizer.encode
