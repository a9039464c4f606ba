"""/v1/completions over real HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from serve.serving import Server, serving

PATH = "/v1/completions"
ANSWERS = {"1, 2,": " 3, 4.", "猫": "和狗。", "ab": "cdefgh"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(ANSWERS) as server:
        yield server


def complete(server: Server, prompt: Any, **fields: Any) -> dict[str, Any]:
    response = server.post(PATH, {"prompt": prompt, **fields})
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    return result


def texts(server: Server, prompt: Any, **fields: Any) -> list[str]:
    choices = complete(server, prompt, **fields)["choices"]
    assert [one["index"] for one in choices] == list(range(len(choices)))
    return [one["text"] for one in choices]


def streamed(server: Server, prompt: Any, **fields: Any) -> list[str]:
    """Texts by index, after checking what every stream must be."""
    *chunks, done = server.events(PATH, {"prompt": prompt, **fields})
    assert done == "[DONE]"
    assert len({(one["id"], one["created"]) for one in chunks}) == 1
    found: dict[int, str] = {}
    ended = set()
    for chunk in chunks:
        assert chunk["object"] == "text_completion"
        (choice,) = chunk["choices"]
        index = choice["index"]
        assert index not in ended
        found[index] = found.get(index, "") + choice["text"]
        if choice["finish_reason"]:
            ended.add(index)
    assert ended == set(found) == set(range(len(found)))
    return [found[index] for index in range(len(found))]


def test_whole_answer_has_openais_shape(server: Server) -> None:
    body = complete(server, "1, 2,", model="fake")
    assert body.pop("id").startswith("cmpl-")
    assert abs(body.pop("created") - time.time()) < 60
    assert body.pop("system_fingerprint")
    assert body == {
        "object": "text_completion",
        "model": "fake",
        "choices": [{"index": 0, "text": " 3, 4.", "logprobs": None, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 5,
            "completion_tokens": 6,
            "total_tokens": 11,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("ab", ["cdefgh"]),
        ([97, 98], ["cdefgh"]),
        (["ab", "猫"], ["cdefgh", "和狗。"]),
        ([[97, 98], [49, 44, 32, 50, 44]], ["cdefgh", " 3, 4."]),
    ],
)
def test_a_prompt_is_text_or_tokens_one_or_several(
    server: Server, prompt: Any, expected: list[str]
) -> None:
    assert texts(server, prompt) == expected
    assert streamed(server, prompt) == expected


def test_usage_counts_all_prompts(server: Server) -> None:
    body = {"prompt": ["ab", "1, 2,"], "stream_options": {"include_usage": True}}
    *chunks, last, done = server.events(PATH, body)
    assert done == "[DONE]"
    assert all(one["usage"] is None for one in chunks)
    assert last["choices"] == []
    whole = complete(server, ["ab", "1, 2,"])["usage"]
    for usage in (last["usage"], whole):
        assert usage["prompt_tokens"] == 7
        assert usage["completion_tokens"] == 12


def test_n_answers_for_each_of_several_prompts(server: Server) -> None:
    alone = [
        texts(server, prompt, seed=3 + index)[0] for prompt in ("some", "thing") for index in (0, 1)
    ]
    assert len(set(alone)) == 4
    assert texts(server, ["some", "thing"], n=2, best_of=2, seed=3) == alone
    assert streamed(server, ["some", "thing"], n=2, seed=3) == alone


def test_echo_gives_the_prompt_first(server: Server) -> None:
    assert texts(server, ["ab", "猫"], echo=True) == ["abcdefgh", "猫和狗。"]
    assert streamed(server, [[97, 98]], echo=True) == ["abcdefgh"]


def test_sixteen_tokens_unless_told(server: Server) -> None:
    for fields in ({}, {"max_tokens": None}, {"max_tokens": 5}):
        body = complete(server, "anything", logit_bias={"257": -100, "258": -100}, **fields)
        assert body["usage"]["completion_tokens"] == (fields.get("max_tokens") or 16)
        assert body["choices"][0]["finish_reason"] == "length"


def test_an_empty_prompt_starts_a_text(server: Server) -> None:
    assert complete(server, "")["usage"]["prompt_tokens"] == 1


def test_logprobs_in_the_older_shape(server: Server) -> None:
    fields: dict[str, Any] = {"logprobs": 2, "temperature": 0}
    logprobs = complete(server, "猫", **fields)["choices"][0]["logprobs"]
    assert set(logprobs) == {"tokens", "token_logprobs", "top_logprobs", "text_offset"}
    assert len({len(values) for values in logprobs.values()}) == 1
    for token, logprob, top in zip(
        logprobs["tokens"], logprobs["token_logprobs"], logprobs["top_logprobs"], strict=True
    ):
        assert logprob <= 0
        assert token in top
    assert logprobs["text_offset"] == [0, 0, 0, 1, 1, 1, 2, 2, 2], "three bytes a character"
    parts: dict[str, list[Any]] = {name: [] for name in logprobs}
    for chunk in server.events(PATH, {"prompt": "猫", **fields})[:-1]:
        for name, values in (chunk["choices"][0]["logprobs"] or {}).items():
            parts[name] += values
    assert parts == logprobs


def test_a_format_is_followed(server: Server) -> None:
    wanted = {"type": "choice", "choices": ["red", "green"]}
    assert set(texts(server, "Colour:", response_format=wanted, n=8, seed=1)) <= {"red", "green"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [[]]}, "prompt.0"),
        ({"prompt": ["a", 5]}, "prompt.1"),
        ({"prompt": {"text": "a"}}, "prompt"),
        ({"prompt": [True]}, "prompt.0"),
        ({"prompt": [-1]}, "prompt.0"),
        ({"prompt": ["a"] * 65}, "prompt"),
        ({"suffix": "x"}, "suffix"),
        ({"best_of": 0}, "best_of"),
        ({"logprobs": 21}, "logprobs"),
        ({"logprobs": True}, "logprobs"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"echo": 1}, "echo"),
        ({"messages": []}, "messages"),
    ],
)
def test_wrong_values_are_refused_by_name(
    server: Server, fields: dict[str, Any], param: str
) -> None:
    response = server.post(PATH, {"prompt": "ab", **fields})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"best_of": 2}, "best_of"),
        ({"n": 2, "best_of": 3}, "best_of"),
        ({"max_tokens": 0}, "echo"),
        ({"max_tokens": 0, "logprobs": 1}, "echo"),
        ({"max_tokens": 0, "echo": True, "prompt": "x" * 5000}, "5000"),
        ({"prompt": [999]}, "999"),
        ({"prompt": "x" * 5000}, "5000"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_is_refused_with_a_status(
    server: Server, fields: dict[str, Any], words: str, stream: bool
) -> None:
    response = server.post(PATH, {"prompt": "ab", **fields, "stream": stream})
    assert response.status_code == 400
    assert words in response.json()["error"]["message"]
