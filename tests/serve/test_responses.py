"""/v1/responses over real HTTP: items, events in their order, and what is refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from fakes import context_of, fake_model
from serve.event_order import check_events
from serve.serving import Server, serving, sse

PATH = "/v1/responses"
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "%s"}}\n</tool_call>'
ANSWERS = {
    "Hi": "Hello there, how are you?",
    "你好": "你好！😀 请说。",
    "JSON": '{"name": "Ann", "age": 7}',
    "Weather?": CALL % "Paris",
    "Both?": CALL % "Paris" + "\n" + CALL % "Rome",
    "Think": "Let me see." + CALL % "Oslo",
    "<tool_response>\n18 degrees\n</tool_response>": "It is 18 degrees.",
    "Nothing": "",
}
TOOL = {
    "type": "function",
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
SCHEMA_FORMAT = {
    "type": "json_schema",
    "name": "person",
    "schema": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    },
    "strict": True,
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(ANSWERS) as server:
        yield server


def respond(server: Server, asked: Any, **fields: Any) -> dict[str, Any]:
    response = server.post(PATH, {"input": asked, **fields})
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    return result


def stream(server: Server, asked: Any, **fields: Any) -> list[dict[str, Any]]:
    """The events, each under its own name, in an order that was checked."""
    response = server.post(PATH, {"input": asked, "stream": True, **fields})
    assert response.status_code == 200, response.text
    events = []
    for name, data in sse(response.text):
        event = json.loads(data)
        assert event["type"] == name
        events.append(event)
    check_events(events)
    return events


def refusal(server: Server, fields: dict[str, Any]) -> dict[str, Any]:
    response = server.post(PATH, {"input": "Hi", **fields})
    assert response.status_code == 400, response.text
    error: dict[str, Any] = response.json()["error"]
    return error


def without_ids(response: dict[str, Any]) -> dict[str, Any]:
    """What two answers to the same request have in common."""
    kept = {name: value for name, value in response.items() if name not in ("id", "created_at")}
    kept["output"] = [
        {name: value for name, value in item.items() if name not in ("id", "call_id")}
        for item in response["output"]
    ]
    kept.pop("usage")  # the second finds the first's prompt computed
    return kept


def test_whole_answer_has_openais_shape(server: Server) -> None:
    body = respond(server, "Hi", instructions="Be kind.", metadata={"a": "b"}, store=False)
    assert body["id"].startswith("resp_")
    assert body["object"] == "response"
    assert body["status"] == "completed"
    assert body["error"] is None
    assert body["incomplete_details"] is None
    assert body["instructions"] == "Be kind."
    assert body["metadata"] == {"a": "b"}
    assert body["store"] is False
    assert body["tools"] == []
    assert body["tool_choice"] == "auto"
    assert body["text"] == {"format": {"type": "text"}}
    (item,) = body["output"]
    assert item.pop("id").startswith("msg_")
    part = {"type": "output_text", "text": ANSWERS["Hi"], "annotations": [], "logprobs": []}
    assert item == {
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }
    prompt = len("system: Be kind.") + len("user: Hi") + 2 + len("assistant: ")
    assert body["usage"] == {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": len(ANSWERS["Hi"]),
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": prompt + len(ANSWERS["Hi"]),
    }


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        ("Hi", {}),
        ("你好", {}),
        ("你好", {"top_logprobs": 2, "include": ["message.output_text.logprobs"]}),
        ("Nothing", {}),
        ("Hi", {"max_output_tokens": 5}),
        ("JSON", {"text": {"format": SCHEMA_FORMAT}}),
        ("JSON", {"text": {"format": {"type": "json_object"}}}),
        ("JSON", {"text": {"format": SCHEMA_FORMAT}, "max_output_tokens": 9}),
        ("Weather?", {"tools": [TOOL]}),
        ("Weather?", {"tools": [TOOL], "max_output_tokens": 60}),
        ("Both?", {"tools": [TOOL]}),
        ("Think", {"tools": [TOOL]}),
        ("Think", {"tools": [TOOL], "top_logprobs": 1}),
        ("Hi", {"tools": [TOOL], "top_logprobs": 1}),
        ("Hi", {"tools": [TOOL]}),
        ("Weather?", {"tools": [TOOL], "tool_choice": "none"}),
        ("Weather?", {"tools": [TOOL], "tool_choice": {"type": "function", "name": "weather"}}),
    ],
)
def test_the_stream_tells_what_the_whole_is(
    server: Server, asked: str, fields: dict[str, Any]
) -> None:
    fields = {"temperature": 0, **fields}
    whole = respond(server, asked, **fields)
    final = stream(server, asked, **fields)[-1]["response"]
    assert without_ids(final) == without_ids(whole)
    # Log-probabilities are those of the text: none twice, none lost, none of a call.
    for item in whole["output"]:
        for part in item.get("content", ()):
            if "top_logprobs" in fields:
                told = b"".join(bytes(one["bytes"]) for one in part["logprobs"]).decode()
                assert told == part["text"]


def test_logprobs_are_of_each_token(server: Server) -> None:
    body = respond(server, "你好", include=["message.output_text.logprobs"], top_logprobs=3)
    logprobs = body["output"][0]["content"][0]["logprobs"]
    assert b"".join(bytes(one["bytes"]) for one in logprobs).decode() == ANSWERS["你好"]
    assert all(len(one["top_logprobs"]) == 3 for one in logprobs)


def test_a_limit_makes_it_incomplete(server: Server) -> None:
    final = stream(server, "Hi", max_output_tokens=5)[-1]
    assert final["type"] == "response.incomplete"
    response = final["response"]
    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["output"][0]["status"] == "incomplete"
    assert response["output"][0]["content"][0]["text"] == "Hello"
    assert response["usage"]["output_tokens"] == 5


def test_calls_are_items(server: Server) -> None:
    items = respond(server, "Both?", tools=[TOOL])["output"]
    assert [item["type"] for item in items] == ["function_call"] * 2
    assert [json.loads(item["arguments"])["city"] for item in items] == ["Paris", "Rome"]
    assert len({item["call_id"] for item in items}) == 2
    items = respond(server, "Both?", tools=[TOOL], parallel_tool_calls=False)["output"]
    assert len(items) == 1


def test_text_and_call_are_two_items(server: Server) -> None:
    message, call = respond(server, "Think", tools=[TOOL])["output"]
    assert message["content"][0]["text"] == "Let me see."
    assert call["name"] == "weather"


def test_items_can_be_sent_back_as_they_came(server: Server) -> None:
    items: list[Any] = [{"role": "user", "content": "Weather?"}]
    items += respond(server, items, tools=[TOOL])["output"]
    call = items[-1]["call_id"]
    items.append({"type": "function_call_output", "call_id": call, "output": "18 degrees"})
    answer = respond(server, items, tools=[TOOL])["output"]
    assert answer[0]["content"][0]["text"] == "It is 18 degrees."
    items += answer
    items.append({"role": "user", "content": [{"type": "input_text", "text": "Hi"}]})
    assert respond(server, items)["output"][0]["content"][0]["text"] == ANSWERS["Hi"]


def test_sampling_is_the_engines(server: Server) -> None:
    messages = [{"role": "user", "content": "Say anything"}]
    for fields in ({"temperature": 0}, {"temperature": 0, "top_p": 0.5}):
        expected = server.model.chat(messages, max_tokens=20, **fields).read().text
        body = respond(server, "Say anything", max_output_tokens=20, **fields)
        assert body["output"][0]["content"][0]["text"] == expected
        assert body["temperature"] == 0


UNSUPPORTED = {
    "access_programs": {},
    "background": True,
    "background_options": {},
    "context_management": [],
    "conversation": "conv_1",
    "image": {},
    "max_tool_calls": 3,
    "moderation": {"model": "m"},
    "previous_response_id": "resp_1",
    "prompt": {"id": "p"},
    "prompt_cache_options": {},
    "prompt_cache_retention": "24h",
    "reasoning": {"effort": "high"},
    "service_tier": "flex",
    "store": True,
    "truncation": "auto",
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_known_but_unsupported_fields_are_refused_by_name(server: Server, name: str) -> None:
    error = refusal(server, {name: UNSUPPORTED[name]})
    assert error["param"] == name
    assert error["code"] == "unsupported_parameter"
    respond(server, "Hi", **{name: None})


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"seed": 1}, "seed"),
        ({"input": 5}, "input"),
        ({"input": []}, "input"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input.0"),
        ({"input": [{"role": "user", "content": "a", "x": 1}]}, "input.0.x"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "input.0.content.0",
        ),
        (
            {
                "input": [
                    {"role": "user", "content": [{"type": "input_file", "file_url": "http://a/b"}]}
                ]
            },
            "input.0.content.0",
        ),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        ({"tool_choice": {"type": "mcp"}}, "tool_choice.type"),
        ({"text": {"format": {"type": "json_schema", "name": "a"}}}, "text.format.schema"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"include": ["reasoning.encrypted_content"]}, "include.0"),
        ({"stream_options": {"include_usage": True}}, "stream_options.include_usage"),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"input": "x" * 5000}, "input"),
        ({"text": {"format": {**SCHEMA_FORMAT, "schema": {"type": "odd"}}}}, "text.format"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_wrong_values_are_refused_by_name(
    server: Server, fields: dict[str, Any], param: str, streamed: bool
) -> None:
    error = refusal(server, {**fields, "stream": streamed})
    assert error["param"] == param
    assert error["message"]


def test_a_failure_in_mid_stream_is_an_event() -> None:
    endless = fake_model(script=lambda history: 65, context=1 << 16, kv_tokens=1 << 17)
    with serving(model=endless) as server:
        slow = threading.Event()
        context_of(server.model).before_forward = lambda: slow.wait(0.02) and None
        final = stream(server, "Say anything", deadline_seconds=0.2)[-1]
        assert final["type"] == "response.failed"
        assert final["response"]["error"]["code"] == "server_error"
        assert "0.2 s" in final["response"]["error"]["message"]


# The checker itself: a stream with a mistake must not pass.


def _swap(events: list[dict[str, Any]], one: int, other: int) -> None:
    events[one], events[other] = events[other], events[one]
    for number, event in enumerate(events):
        event["sequence_number"] = number


def _drop(events: list[dict[str, Any]], kind: str) -> None:
    events[:] = [event for event in events if event["type"] != kind]
    for number, event in enumerate(events):
        event["sequence_number"] = number


def _change_text(events: list[dict[str, Any]]) -> None:
    next(one for one in events if "delta" in one)["delta"] += "x"


def _change_id(events: list[dict[str, Any]]) -> None:
    events[-1]["response"]["id"] = "resp_other"


@pytest.mark.parametrize(
    "damage",
    [
        lambda events: _swap(events, 2, 3),
        lambda events: _swap(events, 0, 1),
        lambda events: _drop(events, "response.output_text.done"),
        lambda events: _drop(events, "response.content_part.done"),
        lambda events: _drop(events, "response.output_item.done"),
        lambda events: _drop(events, "response.completed"),
        lambda events: _drop(events, "response.content_part.added"),
        lambda events: events.insert(2, dict(events[0], sequence_number=2)),
        _change_text,
        _change_id,
    ],
)
def test_the_checker_sees_mistakes(server: Server, damage: Any) -> None:
    events = stream(server, "Hi")
    damage(events)
    with pytest.raises(AssertionError):
        check_events(events)
