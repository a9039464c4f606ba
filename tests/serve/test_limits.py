"""What is too much, too slow or no JSON is refused with the right status, and names the field."""

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from qingyu.serve.settings import Limits
from tests.serve.serving import Server, serving

LIMITS = Limits(body_bytes=20_000, body_seconds=0.5, json_depth=20, json_containers=200)
GOOD = '{"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}'


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving({"Hi": "Hello"}, limits=LIMITS) as server:
        yield server


def send(server: Server, content: str | bytes, kind: str = "application/json") -> httpx.Response:
    return httpx.post(
        server.url + "/v1/chat/completions",
        content=content,
        headers={"Content-Type": kind},
        timeout=20,
    )


def error(answer: httpx.Response) -> dict[str, Any]:
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    found: dict[str, Any] = body["error"]
    return found


def test_a_good_request_is_answered(server: Server) -> None:
    assert send(server, GOOD).status_code == 200


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("{", "no JSON"),
        (GOOD + "}", "no JSON"),
        ("[]", "must be a JSON object"),
        ("null", "must be a JSON object"),
        ('"text"', "must be a JSON object"),
        (b'{"messages": "\xff"}', "not UTF-8 at byte 14"),
        ('{"user": "\\ud800"}', "surrogate"),
        ('{"\\udc00": 1}', "surrogate"),
        ('{"user": "a", "user": "b"}', "appears twice"),
        ('{"temperature": NaN}', "NaN"),
        ('{"temperature": -Infinity}', "-Infinity"),
        ('{"temperature": 1e999}', "too large"),
        ('{"seed": ' + "9" * 500 + "}", "too long"),
        ("[" * 30 + "]" * 30, "nested deeper than 20"),
        ("[" + "[]," * 300 + "1]", "more than 200 lists"),
        ('{"a":' * 3000 + "1" + "}" * 3, "nested deeper than 20"),
    ],
)
def test_what_is_no_json_is_400(server: Server, content: str | bytes, message: str) -> None:
    answer = send(server, content)
    assert answer.status_code == 400
    assert message in error(answer)["message"]


def test_brackets_in_texts_are_no_depth(server: Server) -> None:
    text = '{"messages": [{"role": "user", "content": "' + '[{\\"' * 50 + '"}], "max_tokens": 1}'
    assert send(server, text).status_code == 200


def test_the_type_must_be_json(server: Server) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx"):
        assert send(server, GOOD, kind).status_code == 415
    assert send(server, GOOD, "application/json; charset=utf-8").status_code == 200


def test_a_large_body_is_413_announced_or_not(server: Server) -> None:
    assert send(server, " " * 20_001).status_code == 413

    def pieces() -> Iterator[bytes]:
        for _ in range(30):
            yield b" " * 1000

    answer = httpx.post(
        server.url + "/v1/chat/completions",
        content=pieces(),
        headers={"Content-Type": "application/json"},
        timeout=20,
    )
    assert answer.status_code == 413
    assert "20000 bytes" in error(answer)["message"]


def test_a_slow_body_is_408(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 20) as connection:
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}:{port}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("field", "value", "param"),
    [
        ("temperature", "1", "temperature"),
        ("temperature", 2.1, "temperature"),
        ("temperature", -0.1, "temperature"),
        ("temperature", True, "temperature"),
        ("top_p", 0, "top_p"),
        ("n", 0, "n"),
        ("n", 17, "n"),
        ("n", 1.5, "n"),
        ("max_tokens", -1, "max_tokens"),
        ("max_tokens", 10**30, "max_tokens"),
        ("max_completion_tokens", 0, "max_completion_tokens"),
        ("seed", 2**64, "seed"),
        ("seed", 1.0, "seed"),
        ("stop", [""], "stop.0"),
        ("stop", ["a"] * 65, "stop"),
        ("logit_bias", {"x": 1}, "logit_bias"),
        ("logit_bias", {"1": 101}, "logit_bias.1"),
        ("presence_penalty", 3, "presence_penalty"),
        ("top_logprobs", 21, "top_logprobs"),
        ("messages", [], "messages"),
        ("messages", "Hi", "messages"),
        ("messages", [{"role": "king", "content": "Hi"}], "messages.0.role"),
        ("messages", [{"role": "user"}], "messages.0"),
        ("messages", [{"role": "user", "content": "Hi", "x": 1}], "messages.0.x"),
        ("stream", "yes", "stream"),
        ("nonsense", 1, "nonsense"),
        ("audio", {}, "audio"),
        ("store", True, "store"),
        ("reasoning_effort", "high", "reasoning_effort"),
    ],
)
def test_a_wrong_field_is_400_and_named(server: Server, field: str, value: Any, param: str) -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}], field: value}
    answer = server.post("/v1/chat/completions", body)
    assert answer.status_code == 400, answer.text
    found = error(answer)
    assert found["param"] is not None
    assert found["param"].startswith(param.split(".")[0])
    assert field in found["message"] or found["param"] == param


def test_after_all_that_it_still_answers(server: Server) -> None:
    assert send(server, GOOD).json()["choices"][0]["message"]["content"] == "Hell"
