"""What the tests of /v1/chat/completions share: questions, answers, and how they are asked.

answer(server, asks("Hi"))["choices"][0]["message"]["content"]
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from serve.serving import Server

PATH = "/v1/chat/completions"
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>'
ANSWERS = {
    "Hi": "Hello there, how are you?",
    "你好": "你好！😀 请说。",
    "List": "one\ntwo\nthree\n",
    "JSON": '{"name": "Ann", "age": 7}',
    "Weather?": CALL,
}
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def asks(text: str, **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **fields}


def answer(server: Server, body: dict[str, Any]) -> dict[str, Any]:
    response = server.post(PATH, body)
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    return result


def text_of(server: Server, body: dict[str, Any]) -> str:
    text: str = answer(server, body)["choices"][0]["message"]["content"]
    return text


def refusal(server: Server, body: Any) -> dict[str, Any]:
    response = server.post(PATH, body)
    assert response.status_code == 400, response.text
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    return error


def until(condition: Callable[[], bool]) -> None:
    """Wait for something another thread does soon."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        threading.Event().wait(0.005)
