"""/v1/chat/completions over real HTTP: shapes, fields, streams, tools."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from serve.chatting import (
    ANSWERS,
    CALL,
    PATH,
    SCHEMA,
    TOOL,
    answer,
    asks,
    refusal,
    text_of,
)
from serve.serving import Server, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(ANSWERS) as server:
        yield server


# Shapes.


def test_whole_answer_has_openais_shape(server: Server) -> None:
    body = answer(server, asks("Hi", model="fake"))
    assert body.pop("id").startswith("chatcmpl-")
    assert abs(body.pop("created") - time.time()) < 60
    assert body.pop("system_fingerprint")
    assert body.pop("usage") == {
        "prompt_tokens": len("user: Hi") + 1 + len("assistant: "),
        "completion_tokens": len(ANSWERS["Hi"]),
        "total_tokens": 20 + len(ANSWERS["Hi"]),
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    assert body == {
        "object": "chat.completion",
        "model": "fake",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": ANSWERS["Hi"], "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
    }


@pytest.mark.parametrize("question", ["Hi", "你好"])
def test_stream_is_role_then_text_then_reason_then_done(server: Server, question: str) -> None:
    *chunks, done = server.events(PATH, asks(question))
    assert done == "[DONE]"
    assert len({(one["id"], one["created"], one["model"]) for one in chunks}) == 1
    assert {one["object"] for one in chunks} == {"chat.completion.chunk"}
    assert all("usage" not in one for one in chunks)
    choices = [choice for one in chunks for choice in one["choices"]]
    assert len(choices) == len(chunks)
    assert choices[0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert all(set(choice["delta"]) == {"content"} for choice in choices[1:-1])
    assert "".join(c["delta"]["content"] for c in choices[:-1]) == ANSWERS[question]
    assert choices[-1]["delta"] == {}
    assert [c["finish_reason"] for c in choices] == [None] * (len(choices) - 1) + ["stop"]


def test_usage_comes_last_when_asked(server: Server) -> None:
    *chunks, last, done = server.events(PATH, asks("Hi", stream_options={"include_usage": True}))
    assert done == "[DONE]"
    assert all(one["usage"] is None and one["choices"] for one in chunks)
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == len(ANSWERS["Hi"])


def test_headers_of_a_stream_keep_proxies_from_holding_it(server: Server) -> None:
    headers = server.post(PATH, asks("Hi", stream=True)).headers
    assert headers["cache-control"] in ("no-cache", "no-store")
    assert headers["x-accel-buffering"] == "no"
    assert "content-length" not in headers


def test_cached_tokens_are_told(server: Server) -> None:
    text = "A long beginning that is computed once and for all. " * 4
    first = answer(server, asks(text + "one", max_tokens=1))["usage"]
    second = answer(server, asks(text + "two", max_tokens=1))["usage"]
    assert first["prompt_tokens_details"]["cached_tokens"] < 32
    assert second["prompt_tokens_details"]["cached_tokens"] >= len(text) - 8


# What is asked of the sampler: the same as the engine gives for the same options.


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({"temperature": 0}, {"temperature": 0.0}),
        ({"temperature": 0.7, "seed": 5}, {"temperature": 0.7, "seed": 5}),
        ({"seed": 5}, {"temperature": 1.0, "seed": 5}),
        ({"seed": -1}, {"temperature": 1.0, "seed": 2**64 - 1}),
        ({"seed": 5, "top_p": 0.3}, {"temperature": 1.0, "seed": 5, "top_p": 0.3}),
        ({"seed": 5, "top_k": 3}, {"temperature": 1.0, "seed": 5, "top_k": 3}),
        ({"seed": 5, "min_p": 0.2}, {"temperature": 1.0, "seed": 5, "min_p": 0.2}),
        (
            {"temperature": 0, "repetition_penalty": 3},
            {"temperature": 0.0, "repetition_penalty": 3.0},
        ),
        (
            {"temperature": 0, "presence_penalty": 2, "frequency_penalty": 1.5},
            {"temperature": 0.0, "presence_penalty": 2.0, "frequency_penalty": 1.5},
        ),
        (
            {"temperature": 0, "logit_bias": {"65": 1.5, "66": 3, "67": -100}},
            {"temperature": 0.0, "logit_bias": {65: 1.5, 66: 3.0, 67: float("-inf")}},
        ),
    ],
)
def test_sampling_is_the_engines(
    server: Server, fields: dict[str, Any], options: dict[str, Any]
) -> None:
    body = asks("Say anything", max_completion_tokens=24, **fields)
    expected = server.model.chat(body["messages"], max_tokens=24, **options).read()
    assert text_of(server, body) == expected.text


def test_without_a_seed_answers_differ(server: Server) -> None:
    texts = {text_of(server, asks("Say anything", max_tokens=24)) for _ in range(2)}
    assert len(texts) == 2


@pytest.mark.parametrize("stream", [False, True])
def test_n_answers_are_those_of_successive_seeds(server: Server, stream: bool) -> None:
    body = asks("Say anything", max_tokens=24, seed=7)
    alone = [text_of(server, {**body, "seed": 7 + index}) for index in range(4)]
    assert len(set(alone)) == 4
    if not stream:
        choices = answer(server, {**body, "n": 4})["choices"]
        assert [one["index"] for one in choices] == [0, 1, 2, 3]
        assert [one["message"]["content"] for one in choices] == alone
        return
    texts = [""] * 4
    begun, ended = [], []
    for chunk in server.events(PATH, {**body, "n": 4})[:-1]:
        (choice,) = chunk["choices"]
        index = choice["index"]
        assert index not in ended
        if "role" in choice["delta"]:
            begun.append(index)
        texts[index] += choice["delta"].get("content", "")
        if choice["finish_reason"]:
            assert choice["finish_reason"] in ("length", "stop")
            ended.append(index)
    assert begun == [0, 1, 2, 3]
    assert sorted(ended) == [0, 1, 2, 3]
    assert texts == alone


@pytest.mark.parametrize("stop", ["two", ["never", "wo"], ["\ntwo"]])
def test_stop_ends_before_the_string(server: Server, stop: Any) -> None:
    first = stop if isinstance(stop, str) else stop[-1]
    choice = answer(server, asks("List", stop=stop))["choices"][0]
    assert choice["message"]["content"] == ANSWERS["List"].partition(first)[0]
    assert choice["finish_reason"] == "stop"
    chunks = server.events(PATH, asks("List", stop=stop))[:-1]
    text = "".join(one["choices"][0]["delta"].get("content", "") for one in chunks)
    assert text == choice["message"]["content"]


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_limit_is_finish_reason_length(server: Server, name: str) -> None:
    choice = answer(server, asks("Hi", **{name: 5}))["choices"][0]
    assert choice["message"]["content"] == "Hello"
    assert choice["finish_reason"] == "length"


# Log-probabilities.


def test_logprobs_are_of_each_token(server: Server) -> None:
    choice = answer(server, asks("你好", logprobs=True, top_logprobs=3))["choices"][0]
    content = choice["logprobs"]["content"]
    assert choice["logprobs"]["refusal"] is None
    assert b"".join(bytes(one["bytes"]) for one in content).decode() == ANSWERS["你好"]
    for one in content:
        assert one["logprob"] <= 0
        tops = [top["logprob"] for top in one["top_logprobs"]]
        assert len(tops) == 3
        assert tops == sorted(tops, reverse=True)
        assert one["top_logprobs"][0]["bytes"] == one["bytes"]
        assert one["top_logprobs"][0]["logprob"] == one["logprob"]


def test_logprobs_of_a_stream_are_those_of_the_whole(server: Server) -> None:
    body = asks("你好", logprobs=True, top_logprobs=2, temperature=0)
    whole = answer(server, body)["choices"][0]["logprobs"]["content"]
    chunks = server.events(PATH, body)[:-1]
    parts = [c["choices"][0]["logprobs"] for c in chunks]
    assert [one for part in parts if part for one in part["content"]] == whole


def test_logprobs_without_alternatives(server: Server) -> None:
    content = answer(server, asks("Hi", logprobs=True))["choices"][0]["logprobs"]["content"]
    assert all(one["top_logprobs"] == [] for one in content)


# Constraints.


@pytest.mark.parametrize(
    "wanted",
    [
        {"type": "json_schema", "json_schema": {"name": "p", "schema": SCHEMA, "strict": True}},
        {"type": "json_object"},
        {"type": "regex", "pattern": r"[{].*[}]"},
    ],
)
def test_what_fits_the_format_is_given(server: Server, wanted: dict[str, Any]) -> None:
    choice = answer(server, asks("JSON", response_format=wanted))["choices"][0]
    assert json.loads(choice["message"]["content"]) == {"name": "Ann", "age": 7}
    assert choice["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("wanted", "allowed"),
    [
        ({"type": "choice", "choices": ["yes", "no", "也许"]}, {"yes", "no", "也许"}),
        ({"type": "lark", "grammar": 'start: "a" | "bc"'}, {"a", "bc"}),
        ({"type": "regex", "pattern": "(红|blue)!"}, {"红!", "blue!"}),
    ],
)
def test_what_the_model_would_not_say_is_forced(
    server: Server, wanted: dict[str, Any], allowed: set[str]
) -> None:
    texts = {text_of(server, asks("Hi", response_format=wanted, seed=n)) for n in range(4)}
    assert texts <= allowed


def test_a_structure_cut_in_the_middle_is_finish_reason_length(server: Server) -> None:
    choice = answer(server, asks("JSON", response_format={"type": "json_object"}, max_tokens=9))
    assert choice["choices"][0]["message"]["content"] == ANSWERS["JSON"][:9]
    assert choice["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize(
    "wanted",
    [
        {"type": "json_schema", "json_schema": {"name": "p", "schema": {"type": "nonsense"}}},
        {"type": "json_schema", "json_schema": {"name": "p", "schema": {"enum": []}}},
        {"type": "regex", "pattern": "("},
        {"type": "lark", "grammar": "start: nowhere"},
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_grammar_that_cannot_be_is_refused_before_anything(
    server: Server, wanted: dict[str, Any], stream: bool
) -> None:
    error = refusal(server, asks("Hi", response_format=wanted, stream=stream))
    assert error["param"] == "response_format"


# Tools. More of them, through the official client, in test_openai_client.py.


def test_tool_call_is_finish_reason_tool_calls(server: Server) -> None:
    choice = answer(server, asks("Weather?", tools=[TOOL]))["choices"][0]
    message = choice["message"]
    assert message["content"] is None
    (call,) = message["tool_calls"]
    assert call["id"].startswith("call_")
    assert call["type"] == "function"
    assert call["function"]["name"] == "weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}
    assert choice["finish_reason"] == "tool_calls"


def test_tool_choice_none_leaves_text_as_it_is(server: Server) -> None:
    choice = answer(server, asks("Weather?", tools=[TOOL], tool_choice="none"))["choices"][0]
    assert choice["message"]["content"] == CALL
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "weather"}}]
)
def test_a_call_can_be_demanded(server: Server, choice: Any) -> None:
    body = asks("Hi", tools=[TOOL], tool_choice=choice, max_tokens=60, seed=1)
    one = answer(server, body)["choices"][0]
    assert one["message"]["content"] is None
    assert one["message"]["tool_calls"][0]["function"]["name"] == "weather"


def test_a_call_cut_in_the_middle_is_finish_reason_length(server: Server) -> None:
    whole = CALL.index("Paris") + 2
    choice = answer(server, asks("Weather?", tools=[TOOL], max_tokens=whole))["choices"][0]
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"city": "Pa'
    assert choice["finish_reason"] == "length"


# Messages.


def test_developer_is_system_and_parts_are_joined(server: Server) -> None:
    parts = [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]
    messages = [{"role": "developer", "content": "Be kind."}, {"role": "user", "content": parts}]
    body = answer(server, {"messages": messages})
    assert body["choices"][0]["message"]["content"] == ANSWERS["Hi"]
    length = len("system: Be kind.") + len("user: Hi") + 2 + len("assistant: ")
    assert body["usage"]["prompt_tokens"] == length


def test_an_answer_can_be_sent_back_as_it_came(server: Server) -> None:
    message = answer(server, asks("Weather?", tools=[TOOL]))["choices"][0]["message"]
    message |= {"annotations": None, "audio": None, "function_call": None}
    call = message["tool_calls"][0]["id"]
    result = {"role": "tool", "tool_call_id": call, "content": "18 degrees"}
    body = asks("Weather?", tools=[TOOL], max_tokens=3)
    body["messages"] += [message, result]
    assert answer(server, body)["choices"][0]["finish_reason"] in ("length", "stop")


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "http://example.com/a.png"}},
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f"}},
    ],
)
def test_other_parts_than_text_are_refused_by_name(server: Server, part: dict[str, Any]) -> None:
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, part]}]}
    error = refusal(server, body)
    assert error["param"] == "messages.0.content.1"
    assert part["type"] in error["message"]
    assert error["code"] == "unsupported_parameter"


# What clients send back.


def test_an_answer_comes_back_with_what_openais_client_made_of_it(server: Server) -> None:
    """`chat.completions.parse` and `.stream` give messages with `parsed`, `parsed_arguments` and
    `index`, and OpenAI's guides append them to the conversation as they are."""
    function = {"name": "weather", "arguments": "{}", "parsed_arguments": {"city": None}}
    call = {"id": "c1", "type": "function", "index": 0, "function": function}
    parsed = {"role": "assistant", "content": "{}", "parsed": {"name": "Ann"}, "refusal": None}
    calling = {"role": "assistant", "content": None, "tool_calls": [call], "parsed": None}
    result = {"role": "tool", "tool_call_id": "c1", "content": "18"}
    question = {"role": "user", "content": "Hi"}
    messages = [question, parsed, question, calling, result, question]
    assert text_of(server, {"messages": messages, "tools": [TOOL]}) == ANSWERS["Hi"]


def test_an_answer_that_was_a_refusal_comes_back_in_parts(server: Server) -> None:
    refused = {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    said = {"role": "assistant", "content": "No."}
    question = {"role": "user", "content": "Hi"}
    usages = [
        answer(server, {"messages": [question, message, question]})["usage"]["prompt_tokens"]
        for message in (refused, said)
    ]
    assert usages[0] == usages[1]
