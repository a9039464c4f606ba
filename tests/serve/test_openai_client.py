"""OpenAI's own client against the server, with strict validation of every answer."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import jsonschema
import openai
import pytest
from openai.types import Completion
from pydantic import BaseModel

import qingyu
from fakes import context_of
from serve.event_order import check_events
from serve.serving import Server, serving

CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "%s"}}\n</tool_call>'
PARIS = "<tool_response>\n18 degrees\n</tool_response>"
ANSWERS = {
    "Hi": "Hello there, how are you?",
    "你好": "你好！😀 请说。",
    "Person": '{"name": "Ann", "age": 7, "mood": "glad"}',
    "Weather?": CALL % "Paris",
    "Both?": CALL % "Paris" + "\n" + CALL % "Rome",
    PARIS: "It is 18 degrees.",
    PARIS + "\n" + PARIS: "18 degrees in both.",
    "1, 2,": " 3, 4.",
}
PARAMETERS: dict[str, object] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL: Any = {
    "type": "function",
    "function": {"name": "weather", "description": "The weather", "parameters": PARAMETERS},
}
FLAT_TOOL: Any = {
    "type": "function",
    "name": "weather",
    "parameters": PARAMETERS,
    "strict": True,
}


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int
    mood: Literal["glad", "sad"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(ANSWERS) as server:
        yield server


def client_of(server: Server) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=server.url + "/v1",
        api_key="none",
        max_retries=0,
        timeout=60,
        _strict_response_validation=True,
    )


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[openai.OpenAI]:
    with client_of(server) as client:
        yield client


def run_async(server: Server, work: Callable[[openai.AsyncOpenAI], Any]) -> Any:
    """work with the asynchronous client."""

    async def run() -> Any:
        async with openai.AsyncOpenAI(
            base_url=server.url + "/v1",
            api_key="none",
            max_retries=0,
            timeout=60,
            _strict_response_validation=True,
        ) as client:
            return await work(client)

    return asyncio.run(run())


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def test_models(client: openai.OpenAI) -> None:
    (model,) = client.models.list().data
    assert model.id == "fake"
    assert client.models.retrieve("fake").id == "fake"


# Chat.


@pytest.mark.parametrize("question", ["Hi", "你好"])
def test_chat_sync_and_async(server: Server, client: openai.OpenAI, question: str) -> None:
    completion = client.chat.completions.create(model="fake", messages=user(question))
    assert completion.choices[0].message.content == ANSWERS[question]
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.prompt_tokens_details is not None

    async def same(client: openai.AsyncOpenAI) -> Any:
        return await client.chat.completions.create(model="fake", messages=user(question))

    other = run_async(server, same)
    assert other.choices == completion.choices
    assert other.id != completion.id


def test_chat_stream_sync_and_async(server: Server, client: openai.OpenAI) -> None:
    with client.chat.completions.create(
        model="fake", messages=user("你好"), stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    text = "".join(one.choices[0].delta.content or "" for one in chunks[:-1])
    assert text == ANSWERS["你好"]
    assert len({one.id for one in chunks}) == 1

    async def same(client: openai.AsyncOpenAI) -> str:
        text = ""
        stream = await client.chat.completions.create(
            model="fake", messages=user("你好"), stream=True
        )
        async for chunk in stream:
            text += chunk.choices[0].delta.content or ""
        return text

    assert run_async(server, same) == text


def test_chat_n_stop_seed_and_logprobs(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(
        model="fake",
        messages=user("Say anything"),
        n=3,
        seed=5,
        stop=["\x00"],
        max_completion_tokens=12,
        logprobs=True,
        top_logprobs=4,
        logit_bias={"65": 2},
        presence_penalty=0.5,
        frequency_penalty=-0.5,
        extra_body={"top_k": 40, "min_p": 0.001, "repetition_penalty": 1.1},
    )
    assert [one.index for one in completion.choices] == [0, 1, 2]
    for choice in completion.choices:
        assert choice.logprobs is not None
        assert choice.logprobs.content is not None
        assert all(len(one.top_logprobs) == 4 for one in choice.logprobs.content)


def test_chat_parse_gives_the_class(server: Server, client: openai.OpenAI) -> None:
    completion = client.chat.completions.parse(
        model="fake", messages=user("Person"), response_format=Person
    )
    assert completion.choices[0].message.parsed == Person(name="Ann", age=7, mood="glad")
    with client.chat.completions.stream(
        model="fake", messages=user("Person"), response_format=Person
    ) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == Person(name="Ann", age=7, mood="glad")
    assert kinds.count("content.done") == 1

    async def same(client: openai.AsyncOpenAI) -> Any:
        return await client.chat.completions.parse(
            model="fake", messages=user("Person"), response_format=Person
        )

    assert run_async(server, same).choices[0].message.parsed == final.choices[0].message.parsed


def test_parse_of_what_was_cut_is_the_clients_length_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(
            model="fake", messages=user("Person"), response_format=Person, max_tokens=9
        )


# Tools.


def test_tool_calls_over_several_turns(client: openai.OpenAI) -> None:
    messages = user("Both?")
    first = client.chat.completions.create(model="fake", messages=messages, tools=[TOOL])
    assert first.choices[0].finish_reason == "tool_calls"
    calls = first.choices[0].message.tool_calls
    assert calls is not None
    cities = []
    messages.append(first.choices[0].message)
    for call in calls:
        assert call.type == "function"
        cities.append(json.loads(call.function.arguments)["city"])
        messages.append({"role": "tool", "tool_call_id": call.id, "content": "18 degrees"})
    assert cities == ["Paris", "Rome"]
    second = client.chat.completions.create(model="fake", messages=messages, tools=[TOOL])
    assert second.choices[0].message.content == "18 degrees in both."
    assert second.choices[0].finish_reason == "stop"


def test_one_call_at_a_time_when_asked(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(
        model="fake", messages=user("Both?"), tools=[TOOL], parallel_tool_calls=False
    )
    calls = completion.choices[0].message.tool_calls
    assert calls is not None
    assert len(calls) == 1


def test_streamed_tool_calls(server: Server, client: openai.OpenAI) -> None:
    found: dict[int, dict[str, str]] = {}
    reasons = []
    stream = client.chat.completions.create(
        model="fake", messages=user("Both?"), tools=[TOOL], stream=True
    )
    for chunk in stream:
        (choice,) = chunk.choices
        assert not choice.delta.content
        for part in choice.delta.tool_calls or ():
            assert part.function is not None
            if part.index not in found:
                assert part.id
                assert part.type == "function"
                assert part.function.name
                assert part.index == len(found)
                found[part.index] = {"id": part.id, "name": part.function.name, "arguments": ""}
            else:
                assert part.id is None
                assert part.function.name is None
            found[part.index]["arguments"] += part.function.arguments or ""
        if choice.finish_reason:
            reasons.append(choice.finish_reason)
    assert reasons == ["tool_calls"]
    assert [json.loads(one["arguments"])["city"] for one in found.values()] == ["Paris", "Rome"]
    assert len({one["id"] for one in found.values()}) == 2

    async def same(client: openai.AsyncOpenAI) -> Any:
        async with client.chat.completions.stream(
            model="fake", messages=user("Both?"), tools=[TOOL]
        ) as stream:
            return await stream.get_final_completion()

    calls = run_async(server, same).choices[0].message.tool_calls
    assert [json.loads(one.function.arguments)["city"] for one in calls] == ["Paris", "Rome"]


# Completions.


def test_completions_sync_and_async(server: Server, client: openai.OpenAI) -> None:
    completion = client.completions.create(model="fake", prompt="1, 2,", logprobs=2, n=2)
    assert [one.text for one in completion.choices] == [" 3, 4."] * 2
    assert completion.choices[0].logprobs is not None

    async def same(client: openai.AsyncOpenAI) -> Any:
        return await client.completions.create(model="fake", prompt=["1, 2,"], echo=True)

    assert run_async(server, same).choices[0].text == "1, 2, 3, 4."


def test_completions_streamed(server: Server, client: openai.OpenAI) -> None:
    """The client's class for these chunks is that of whole answers, in which finish_reason is
    never null. OpenAI's server sends null before the end, so this one does; everything else of
    a chunk is validated strictly."""
    lenient = client.with_options()
    lenient._strict_response_validation = False
    stream = lenient.completions.create(model="fake", prompt=["1, 2,"], stream=True, logprobs=1)
    chunks = [chunk.model_dump() for chunk in stream]
    assert "".join(one["choices"][0]["text"] for one in chunks) == " 3, 4."
    reasons = [one["choices"][0]["finish_reason"] for one in chunks]
    assert reasons == [None] * (len(chunks) - 1) + ["stop"]
    for chunk in chunks:
        chunk["choices"][0]["finish_reason"] = "stop"
        Completion.model_validate(chunk, strict=True)

    async def same(client: openai.AsyncOpenAI) -> str:
        client._strict_response_validation = False
        stream = await client.completions.create(model="fake", prompt="1, 2,", stream=True)
        return "".join([one.choices[0].text async for one in stream])

    assert run_async(server, same) == " 3, 4."


# Responses.


def test_responses_sync_async_and_streamed(server: Server, client: openai.OpenAI) -> None:
    response = client.responses.create(
        model="fake", input="你好", instructions="Be kind.", metadata={"a": "b"}, user="ann"
    )
    assert response.output_text == ANSWERS["你好"]
    assert response.status == "completed"
    with client.responses.create(
        model="fake",
        input="你好",
        stream=True,
        top_logprobs=2,
        include=["message.output_text.logprobs"],
    ) as stream:
        events = [event.model_dump(exclude_unset=True) for event in stream]
    assert check_events(events)["output"][0]["content"][0]["text"] == ANSWERS["你好"]

    async def same(client: openai.AsyncOpenAI) -> Any:
        async with client.responses.stream(model="fake", input="Hi") as stream:
            events = [event.type async for event in stream]
            return events, await stream.get_final_response()

    kinds, final = run_async(server, same)
    assert kinds[-1] == "response.completed"
    assert final.output_text == ANSWERS["Hi"]


def test_responses_parse(client: openai.OpenAI) -> None:
    response = client.responses.parse(model="fake", input="Person", text_format=Person)
    assert response.output_parsed == Person(name="Ann", age=7, mood="glad")
    with client.responses.stream(model="fake", input="Person", text_format=Person) as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_parsed == response.output_parsed


def test_responses_tools_over_several_turns(client: openai.OpenAI) -> None:
    items: list[Any] = user("Weather?")
    with client.responses.stream(model="fake", input=items, tools=[FLAT_TOOL]) as stream:
        events = [event.type for event in stream]
        response = stream.get_final_response()
    assert "response.function_call_arguments.done" in events
    (call,) = response.output
    assert call.type == "function_call"
    assert json.loads(call.arguments) == {"city": "Paris"}
    created = client.responses.create(model="fake", input=items, tools=[FLAT_TOOL])
    items += [one.model_dump(exclude_unset=True) for one in created.output]
    items.append(
        {
            "type": "function_call_output",
            "call_id": items[-1]["call_id"],
            "output": "18 degrees",
        }
    )
    last = client.responses.create(model="fake", input=items, tools=[FLAT_TOOL])
    assert last.output_text == "It is 18 degrees."


# Errors, as the client's own classes.


def test_errors_are_the_clients_own(server: Server, client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="temperature") as bad:
        client.chat.completions.create(model="fake", messages=user("Hi"), temperature=9)
    assert bad.value.param == "temperature"
    assert bad.value.code == "invalid_value"
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="gpt-9", messages=user("Hi"))
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as stored:
        client.responses.create(model="fake", input="Hi", previous_response_id="resp_1")
    assert stored.value.code == "unsupported_parameter"
    with pytest.raises(openai.BadRequestError) as full:
        client.completions.create(model="fake", prompt="x" * 5000)
    assert full.value.code == "context_length_exceeded"


def test_an_error_in_mid_stream_is_raised() -> None:
    with serving(context=1 << 16) as server, client_of(server) as client:
        slow = threading.Event()
        context_of(server.model).before_forward = lambda: slow.wait(0.01) and None
        with pytest.raises(openai.APIError, match=r"0\.2 s"):
            for _ in client.chat.completions.create(
                model="fake",
                messages=user("Say anything"),
                stream=True,
                logit_bias={"257": -100, "258": -100},
                extra_body={"deadline_seconds": 0.2},
            ):
                pass


# The default model.


@pytest.fixture(scope="module")
def real(default_model_path: Path) -> Iterator[openai.OpenAI]:
    with (
        qingyu.load(default_model_path) as model,
        serving(model=model) as server,
        client_of(server) as client,
    ):
        yield client


@pytest.mark.model
def test_real_model_answers_the_same_streamed_and_whole(real: openai.OpenAI) -> None:
    options: Any = {
        "model": "default",
        "messages": user("用一句话介绍你自己。"),
        "temperature": 0,
        "max_completion_tokens": 40,
    }
    whole = real.chat.completions.create(**options)
    text = "".join(
        one.choices[0].delta.content or ""
        for one in real.chat.completions.create(**options, stream=True)
    )
    assert text == whole.choices[0].message.content
    again = real.chat.completions.create(**options)
    assert again.usage is not None
    assert again.usage.prompt_tokens_details is not None
    assert again.usage.prompt_tokens_details.cached_tokens
    assert again.choices[0].message.content == text


@pytest.mark.model
def test_real_model_follows_a_schema(real: openai.OpenAI) -> None:
    for seed in range(3):
        completion = real.chat.completions.create(
            model="default",
            messages=user("Invent a person."),
            seed=seed,
            max_completion_tokens=120,
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "person", "schema": Person.model_json_schema()},
            },
        )
        choice = completion.choices[0]
        if choice.finish_reason == "stop":
            jsonschema.validate(
                json.loads(choice.message.content or ""), Person.model_json_schema()
            )
        else:
            assert choice.finish_reason == "length"


@pytest.mark.model
def test_real_model_calls_a_tool_in_both_apis(real: openai.OpenAI) -> None:
    completion = real.chat.completions.create(
        model="default",
        messages=user("What is the weather in Paris?"),
        tools=[TOOL],
        tool_choice="required",
        parallel_tool_calls=False,
        temperature=0,
        max_completion_tokens=100,
    )
    (call,) = completion.choices[0].message.tool_calls or ()
    assert call.type == "function"
    jsonschema.validate(json.loads(call.function.arguments), PARAMETERS)
    with real.responses.stream(
        model="default",
        input="What is the weather in Paris?",
        tools=[FLAT_TOOL],
        tool_choice="required",
        parallel_tool_calls=False,
        temperature=0,
        max_output_tokens=100,
    ) as stream:
        for _ in stream:
            pass
        (item,) = stream.get_final_response().output
    assert item.type == "function_call"
    assert item.arguments == call.function.arguments
