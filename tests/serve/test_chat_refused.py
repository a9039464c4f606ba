"""/v1/chat/completions: what is refused, with which status, and what the refusal names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from serve.chatting import (
    ANSWERS,
    PATH,
    TOOL,
    answer,
    asks,
    refusal,
)
from serve.serving import Server, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(ANSWERS) as server:
        yield server


UNSUPPORTED = {
    "audio": {"voice": "alloy", "format": "mp3"},
    "function_call": "auto",
    "functions": [],
    "metadata": {"a": "b"},
    "modalities": ["text", "audio"],
    "moderation": {"model": "m"},
    "prediction": {"type": "content", "content": "x"},
    "prompt_cache_options": {"mode": "explicit"},
    "prompt_cache_retention": "24h",
    "reasoning_effort": "high",
    "service_tier": "flex",
    "store": True,
    "verbosity": "low",
    "web_search_options": {},
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_known_but_unsupported_fields_are_refused_by_name(server: Server, name: str) -> None:
    error = refusal(server, asks("Hi", **{name: UNSUPPORTED[name]}))
    assert error["param"] == name
    assert error["code"] == "unsupported_parameter"
    assert name in error["message"]
    answer(server, asks("Hi", **{name: None}))


@pytest.mark.parametrize(
    "fields",
    [
        {"store": False, "service_tier": "auto", "modalities": ["text"], "verbosity": "medium"},
        {"service_tier": "default", "reasoning_effort": "none"},
        {"user": "ann", "safety_identifier": "a", "prompt_cache_key": "k"},
        {"tools": [], "parallel_tool_calls": False, "tool_choice": "auto"},
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"response_format": {"type": "text"}, "metadata": {}},
        {"stop": None, "n": None, "seed": None, "logit_bias": None, "tools": None},
        {"stream": True, "stream_options": {"include_obfuscation": False}},
    ],
)
def test_what_asks_for_nothing_special_is_no_error(server: Server, fields: dict[str, Any]) -> None:
    assert server.post(PATH, asks("Hi", **fields)).status_code == 200


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperatur": 1}, "temperatur"),
        ({"temperature": "1"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.01}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"min_p": 2}, "min_p"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"frequency_penalty": -3}, "frequency_penalty"),
        ({"n": 0}, "n"),
        ({"n": 17}, "n"),
        ({"n": 2.0}, "n"),
        ({"n": True}, "n"),
        ({"seed": 2**64}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": 10**9}, "max_completion_tokens"),
        ({"logprobs": 1}, "logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"logit_bias": {"x": 1}}, "logit_bias.x"),
        ({"logit_bias": {"1": 101}}, "logit_bias.1"),
        ({"logit_bias": {str(n): 1 for n in range(1025)}}, "logit_bias"),
        ({"stop": ""}, "stop"),
        ({"stop": ["a"] * 65}, "stop"),
        ({"stop": [1]}, "stop.0"),
        ({"stream": "yes"}, "stream"),
        ({"stream": True, "stream_options": {"x": 1}}, "stream_options.x"),
        ({"chat_template_kwargs": {"template": "x"}}, "chat_template_kwargs.template"),
        ({"chat_template": "{{ messages }}"}, "chat_template"),
        ({"deadline_seconds": 0}, "deadline_seconds"),
        ({"deadline_seconds": 80000}, "deadline_seconds"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"tools": [{"type": "custom"}]}, "tools.0.type"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"role": "user"}]}, "messages.0"),
        ({"messages": [{"role": "user", "content": "x", "weight": 1}]}, "messages.0.weight"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0"),
    ],
)
def test_wrong_values_are_refused_by_name(
    server: Server, fields: dict[str, Any], param: str
) -> None:
    error = refusal(server, asks("Hi", **fields))
    assert error["param"] == param
    assert param in error["message"]


NAMED: dict[str, Any] = {"type": "function", "function": {"name": "clock"}}
UNIQUE = {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}}


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"max_tokens": 1, "max_completion_tokens": 1}, "max_tokens", "max_completion_tokens"),
        ({"top_logprobs": 2}, "top_logprobs", "logprobs"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "stream"),
        ({"tool_choice": "required"}, "tool_choice", "tool_choice"),
        ({"tools": [TOOL], "tool_choice": NAMED}, "tool_choice", "clock"),
        (
            {"tools": [TOOL], "response_format": {"type": "regex", "pattern": "<.*"}},
            "response_format",
            "may begin with <",
        ),
        ({"tools": [TOOL, TOOL]}, "tools", "weather"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": UNIQUE}}]},
            "tools",
            "uniqueItems",
        ),
        ({"logit_bias": {"1000": 1}}, "logit_bias", "1000"),
        (
            {"response_format": {"type": "lark", "grammar": "{}"}},
            "response_format",
            "Lark",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_by_name(
    server: Server, fields: dict[str, Any], param: str, words: str
) -> None:
    error = refusal(server, asks("Hi", **fields))
    assert error["param"] == param
    assert words in error["message"]


@pytest.mark.parametrize(
    ("fields", "param", "kind"),
    [
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools.0.type", "custom"),
        (
            {
                "tools": [TOOL],
                "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}},
            },
            "tool_choice.type",
            "allowed_tools",
        ),
    ],
)
def test_other_tools_than_functions_are_not_supported_rather_than_unknown(
    server: Server, fields: dict[str, Any], param: str, kind: str
) -> None:
    error = refusal(server, asks("Hi", **fields))
    assert (error["param"], error["code"]) == (param, "unsupported_parameter")
    assert kind in error["message"]


def test_an_empty_list_of_parts_is_called_that(server: Server) -> None:
    error = refusal(server, {"messages": [{"role": "user", "content": []}]})
    assert error["param"] == "messages.0.content"
    assert "at least 1" in error["message"]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "user", "content": "x", "parsed": {"a": 1}},
    ],
)
def test_only_answers_have_what_answers_have(server: Server, message: dict[str, Any]) -> None:
    assert refusal(server, {"messages": [message]})["param"] == "messages.0"


def test_a_prompt_that_does_not_fit_says_the_numbers(server: Server) -> None:
    error = refusal(server, asks("x" * 5000))
    assert error["code"] == "context_length_exceeded"
    assert error["param"] == "messages"
    for number in ("5018", "4096", "4095"):
        assert number in error["message"]


def test_another_model_is_a_404(server: Server) -> None:
    response = server.post(PATH, asks("Hi", model="gpt-9"))
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"
