"""/v1/chat/completions over real HTTP: shapes, fields, streams, and what is refused."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from fakes import context_of
from qingyu.engine.scheduler import SchedulerSettings
from qingyu.serve import sse as sse_module
from serve.serving import Server, serving, sse

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


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(ANSWERS) as server:
        yield server


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


# Refusals.

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
        {"response_format": {"type": "text"}},
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


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"max_tokens": 1, "max_completion_tokens": 1}, "max_completion_tokens"),
        ({"top_logprobs": 2}, "logprobs"),
        ({"stream_options": {"include_usage": True}}, "stream"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [TOOL, TOOL]}, "weather"),
        ({"logit_bias": {"1000": 1}}, "1000"),
    ],
)
def test_what_contradicts_itself_is_refused(
    server: Server, fields: dict[str, Any], words: str
) -> None:
    assert words in refusal(server, asks("Hi", **fields))["message"]


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


# Time: queues, deadlines, silence, and clients that go away.


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
