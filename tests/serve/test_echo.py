"""/v1/completions with echo and logprobs: how likely the prompt itself is, as evaluation asks."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

import qingyu
from fakes import context_of, fake_model
from qingyu.engine.scheduler import SchedulerSettings
from serve.chatting import until
from serve.serving import Server, answering, serving

PATH = "/v1/completions"
ANSWERS = {"1, 2,": " 3, 4.", "猫": "和狗。", "ab": "cdefgh"}
NAMES = {"tokens", "token_logprobs", "top_logprobs", "text_offset"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(ANSWERS) as server:
        yield server


def ask(server: Server, prompt: Any, **fields: Any) -> dict[str, Any]:
    fields = {"echo": True, "logprobs": 2, "temperature": 0, **fields}
    response = server.post(PATH, {"prompt": prompt, **fields})
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    return result


def parse_logprobs(outputs: dict[str, Any], ctxlens: list[int]) -> list[tuple[float, bool]]:
    """As lm-evaluation-harness 0.4 reads an answer (openai_completions.py, parse_logprobs)."""
    results = []
    for choice, ctxlen in zip(
        sorted(outputs["choices"], key=itemgetter("index")), ctxlens, strict=True
    ):
        assert ctxlen > 0
        logprobs = sum(choice["logprobs"]["token_logprobs"][ctxlen:-1])
        tokens_logprobs = choice["logprobs"]["token_logprobs"][ctxlen:-1]
        top_logprobs = choice["logprobs"]["top_logprobs"][ctxlen:-1]
        is_greedy = True
        for tok, top in zip(tokens_logprobs, top_logprobs, strict=True):
            if tok != max(top.values()):
                is_greedy = False
                break
        results.append((logprobs, is_greedy))
    return results


@pytest.mark.parametrize(
    ("prompt", "max_tokens", "text", "size"),
    [
        ("ab", 0, "ab", 2),
        ("ab", 1, "abc", 3),
        ([97, 98], 0, "ab", 2),
        ("ab", 9, "abcdefgh", 9),  # and the end
        ([97], 0, "a", 1),
    ],
)
def test_the_prompts_tokens_come_first(
    server: Server, prompt: Any, max_tokens: int, text: str, size: int
) -> None:
    body = ask(server, prompt, max_tokens=max_tokens)
    (choice,) = body["choices"]
    assert choice["text"] == text
    logprobs = choice["logprobs"]
    assert set(logprobs) == NAMES
    assert {len(values) for values in logprobs.values()} == {size}
    assert "".join(logprobs["tokens"]).startswith(text)
    assert logprobs["text_offset"] == list(range(size))
    assert logprobs["token_logprobs"][0] is None
    assert logprobs["top_logprobs"][0] is None
    for token, value, top in list(
        zip(logprobs["tokens"], logprobs["token_logprobs"], logprobs["top_logprobs"], strict=True)
    )[1:]:
        assert top[token] == value <= 0
        assert 2 <= len(top) <= 3
    assert choice["finish_reason"] == ("stop" if max_tokens == 9 else "length")
    assert body["usage"]["prompt_tokens"] == len(prompt)
    assert body["usage"]["completion_tokens"] == len(text) - len(prompt)


def test_several_prompts_and_choices(server: Server) -> None:
    alone = [ask(server, one, max_tokens=1)["choices"][0] for one in ("ab", "1, 2,")]
    both = ask(server, ["ab", "1, 2,"], max_tokens=1)["choices"]
    assert [{**one, "index": 0} for one in both] == alone
    as_tokens = ask(server, [[97, 98], list(b"1, 2,")], max_tokens=1)["choices"]
    assert as_tokens == both
    twice = ask(server, ["ab", "1, 2,"], max_tokens=1, n=2)["choices"]
    assert [{**one, "index": 0} for one in twice] == [alone[0], alone[0], alone[1], alone[1]]


def test_offsets_count_characters(server: Server) -> None:
    (choice,) = ask(server, "猫", max_tokens=9)["choices"]
    assert choice["text"] == "猫和狗。"
    assert choice["logprobs"]["text_offset"] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_a_text_starts_where_its_first_token_does_not_show() -> None:
    model = fake_model(script=answering(ANSWERS), context=256, add_bos=True)
    with serving(model=model) as server:
        for prompt, offsets in (("ab", [0, 0, 1]), ("", [0])):
            (choice,) = ask(server, prompt, max_tokens=0)["choices"]
            assert choice["text"] == prompt
            assert choice["logprobs"]["text_offset"] == offsets
            assert choice["logprobs"]["tokens"][0] == "<bos>"


@pytest.mark.parametrize("max_tokens", [0, 1, 9])
@pytest.mark.parametrize("prompt", ["ab", "", ["猫", "ab"]])
def test_a_stream_says_the_same(server: Server, prompt: Any, max_tokens: int) -> None:
    fields = {"echo": True, "logprobs": 1, "temperature": 0, "max_tokens": max_tokens, "n": 2}
    fields |= {"logit_bias": {"257": -100, "258": -100}} if prompt == "" else {}
    whole = ask(server, prompt, **fields)["choices"]
    found: list[dict[str, Any]] = [
        {"index": n, "text": "", "logprobs": {name: [] for name in NAMES}, "finish_reason": None}
        for n in range(len(whole))
    ]
    for chunk in server.events(PATH, {"prompt": prompt, **fields})[:-1]:
        (choice,) = chunk["choices"]
        one = found[choice["index"]]
        assert one["finish_reason"] is None
        one["text"] += choice["text"]
        one["finish_reason"] = choice["finish_reason"]
        for name, values in (choice["logprobs"] or {}).items():
            one["logprobs"][name] += values
    assert found == whole


def test_without_logprobs_nothing_may_be_generated_as_well(server: Server) -> None:
    body = ask(server, ["ab", "猫"], logprobs=None, max_tokens=0)
    assert [(one["text"], one["logprobs"]) for one in body["choices"]] == [
        ("ab", None),
        ("猫", None),
    ]
    assert body["usage"]["completion_tokens"] == 0


@pytest.mark.parametrize("max_tokens", [0, 1])
def test_openais_client_reads_it(server: Server, max_tokens: int) -> None:
    # Not strict: its types leave out the null that OpenAI's API gives the first token.
    with openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0) as client:
        fields: dict[str, Any] = {"echo": True, "logprobs": 1, "max_tokens": max_tokens}
        whole = client.completions.create(model="fake", prompt="ab", **fields)
    assert whole.choices[0].logprobs is not None
    assert whole.choices[0].logprobs.token_logprobs is not None
    assert len(whole.choices[0].logprobs.token_logprobs) == 2 + max_tokens


def test_the_harness_ranks_continuations(server: Server) -> None:
    # The fake prefers "cdefgh" after "ab"; one entry follows the prompt even if the text ends.
    prompts = [list(b"abcdefgh"), list(b"abcdefgx"), list(b"abcxyzgh")]
    answer = ask(server, prompts, max_tokens=1, logprobs=1, seed=1234)
    (right, greedy), (near, _), (far, wrong) = parse_logprobs(answer, [2, 2, 2])
    assert (greedy, wrong) == (True, False)
    assert right > near > far


def test_prompts_that_begin_the_same_are_computed_once() -> None:
    model = fake_model(context=1024, kv_tokens=8192, chunk_tokens=256)
    computed = context_of(model).forwards
    context = list(b"word " * 100)
    with serving(model=model) as server:
        prompts = [context + list(f"choice {n}".encode()) for n in range(4)]
        together = ask(server, prompts, max_tokens=1)["choices"]
        assert sum(computed) < len(context) + 4 * 12
        before = sum(computed)
        later = [ask(server, one, max_tokens=1)["choices"][0] for one in prompts]
        assert sum(computed) - before <= 4 * 3
        assert [one["logprobs"] for one in later] == [one["logprobs"] for one in together]


def test_it_takes_its_turn_and_leaves_with_its_client() -> None:
    model = fake_model(context=4096, kv_tokens=16384, chunk_tokens=32)
    context = context_of(model)
    context.before_forward = lambda: time.sleep(0.005)
    with serving(model=model, scheduling=SchedulerSettings(max_running=2)) as server:
        body = {"prompt": [list(range(200)) * 18], "echo": True, "logprobs": 5, "max_tokens": 0}
        response = server.post(PATH, {**body, "deadline_seconds": 0.2})
        assert response.status_code == 408
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            request = httpx.Request("POST", server.url + PATH, json=body)
            head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
            connection.sendall(f"POST {PATH} HTTP/1.1\r\n{head}\r\n".encode() + request.content)
            until(lambda: server.scheduler.stats().running == 1)
            # Somebody else is served meanwhile.
            assert server.post(PATH, {"prompt": "Hi", "max_tokens": 2}).status_code == 200
            assert server.scheduler.stats().running == 1
        until(lambda: server.scheduler.stats().running == 0)
        assert server.scheduler.stats().cancelled == 2


@pytest.mark.model
def test_a_real_model_as_the_harness_asks(default_model_path: Path) -> None:
    with qingyu.load(default_model_path, context=512) as model:
        prompt, ends = "The capital of France is", [" Paris", " Rome", " a big red 苹果"]
        scored = model.score(prompt, ends)
        tokens = [model.tokenizer.encode(prompt + end) for end in ends]
        with serving(model=model) as server:
            answer = ask(server, tokens, max_tokens=1, logprobs=1)
            found = parse_logprobs(answer, [len(model.tokenizer.encode(prompt))] * 3)
            for (value, greedy), score in zip(found, scored, strict=True):
                assert value == pytest.approx(score.log_prob, abs=1e-4)
                assert greedy == score.is_greedy
            for choice, end in zip(answer["choices"], ends, strict=True):
                logprobs = choice["logprobs"]
                assert choice["text"].startswith(prompt + end)
                for token, offset in zip(logprobs["tokens"], logprobs["text_offset"], strict=True):
                    if "\ufffd" not in token:
                        assert choice["text"].startswith(token, offset)
