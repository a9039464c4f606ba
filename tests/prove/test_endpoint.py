"""Answers from a server: what is asked, how it is read, shots that fit, pace and cost."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from fakes import fake_model
from prove.loopback import Reply, Request, answered, answerer, loopback, refuses, says
from prove.made_exams import made_exam
from qingyu.errors import EndpointError, InvalidRequestError
from qingyu.prove.choices import ChoiceAnswerer
from qingyu.prove.endpoint import EndpointAnswerer, num_tokens


def top(**values: float) -> Reply:
    """A completion with log-probabilities in OpenAI's older shape."""
    return 200, {
        "choices": [{"text": "x", "logprobs": {"top_logprobs": [values]}}],
        "usage": {"prompt_tokens": 30},
    }


# Answers.


@pytest.mark.parametrize("method", ["generate", "cot"])
def test_texts_are_read(method: str) -> None:
    exam = made_exam(method=method, shots=1)
    with loopback(lambda _: says("答案是B。")) as server:
        found = answered(answerer(server.url, max_tokens=77), exam)
    assert [(one.subject, one.id) for one in found] == [
        (one.subject, one.id) for one in exam.all_questions()
    ]
    assert {(one.choice, one.text, one.cut, one.prompt_tokens) for one in found} == {
        ("B", "答案是B。", False, 9)
    }
    sent = {json.dumps(one.body["messages"], ensure_ascii=False) for one in server.requests}
    assert sent == {
        json.dumps(exam.messages(one), ensure_ascii=False) for one in exam.all_questions()
    }
    for request in server.requests:
        assert request.path == "/v1/chat/completions"
        assert (request.body["temperature"], request.body["max_tokens"]) == (0, 77)
        assert request.body["model"] == "m"
        assert "authorization" not in request.headers


@pytest.mark.parametrize(
    ("reply", "choice", "text", "cut"),
    [
        (says("我认为选C，因为", finish="length"), "C", "我认为选C，因为", True),
        (says("不知道"), "", "不知道", False),
        ((200, {"choices": [{"message": {"content": None}}]}), "", "", False),
        (
            (200, {"choices": [{"message": {"content": [{"text": "选"}, {"text": "A"}]}}]}),
            "A",
            "选A",
            False,
        ),
        ((200, {"choices": [{}]}), "", "", False),
        (says("B。\ud83d"), "B", "B。?", False),
    ],
)
def test_what_a_server_may_say(reply: Reply, choice: str, text: str, cut: bool) -> None:
    with loopback(lambda _: reply) as server:
        one = answered(answerer(server.url), made_exam(questions_each=1, subjects=1))[0]
    assert (one.choice, one.text, one.cut) == (choice, text, cut)


def test_the_likeliest_letter_counts() -> None:
    exam = made_exam(method="logits", shots=2)
    with loopback(lambda _: top(A=-3.0, B=-1.5, C=-2.0, D=-4.0, 甲=-0.5)) as server:
        found = answered(answerer(server.url), exam)
    assert {(one.choice, one.log_probs, one.text) for one in found} == {
        ("B", (-3.0, -1.5, -2.0, -4.0), None)
    }
    body = server.requests[0].body
    assert server.requests[0].path == "/v1/completions"
    assert (body["max_tokens"], body["logprobs"], body["temperature"]) == (1, 20, 0)
    assert body["prompt"].endswith("\n答案：")


@pytest.mark.parametrize(
    ("values", "protocol", "expected"),
    [
        ({"D": -1.0, "x": -0.1}, "official", ("D", None)),
        ({"x": -0.1, "AB": -0.2, "a": -0.3}, "official", ("", None)),
        ({" A": -1.0, "A": -0.1, "▁B": -0.5}, "harness", ("B", None)),
        (
            {" A": -1.0, "ĠB": -0.5, " C": -2.0, " D": -3.0},
            "harness",
            ("B", (-1.0, -0.5, -2.0, -3.0)),
        ),
    ],
)
def test_letters_that_are_not_returned(
    values: dict[str, float], protocol: str, expected: tuple[Any, ...]
) -> None:
    exam = made_exam(method="logits", protocol=protocol, questions_each=1, subjects=1)
    with loopback(lambda _: top(**values)) as server:
        one = answered(answerer(server.url), exam)[0]
    assert (one.choice, one.log_probs) == expected


def test_log_probabilities_in_the_shape_of_chat() -> None:
    rows = [{"token": "A", "logprob": -1.0}, {"token": "C", "logprob": -0.2}, {"token": 3}]
    reply = 200, {"choices": [{"logprobs": {"content": [{"top_logprobs": rows}]}}]}
    with loopback(lambda _: reply) as server:
        one = answered(answerer(server.url), made_exam(method="logits", questions_each=1))[0]
    assert (one.choice, one.log_probs) == ("C", None)


@pytest.mark.parametrize(
    "reply",
    [
        (200, {"choices": [{"text": "A", "logprobs": None}]}),
        (200, {"choices": [{"text": "A"}]}),
        (404, {"detail": "Not Found"}),
        (405, b""),
        refuses(400, "logprobs is not supported"),
    ],
)
def test_no_log_probabilities_is_an_error(reply: Reply) -> None:
    with (
        loopback(lambda _: reply) as server,
        pytest.raises(EndpointError, match=r"needs /completions with log-prob.*use --method gener"),
    ):
        answered(answerer(server.url), made_exam(method="logits"))


def test_fewer_log_probabilities_where_only_those_are_given() -> None:
    def answer(request: Request) -> Reply:
        if request.body["logprobs"] > 5:
            return refuses(400, "Invalid value for 'logprobs': must be at most 5")
        return top(A=-1.0)

    with loopback(answer) as server:
        found = answered(answerer(server.url, concurrency=1), made_exam(method="logits"))
    assert {one.choice for one in found} == {"A"}
    assert [one.body["logprobs"] for one in server.requests] == [20, 5, 5, 5, 5, 5, 5]


def test_newer_name_of_the_limit() -> None:
    def answer(request: Request) -> Reply:
        if "max_tokens" in request.body:
            return refuses(400, "Use 'max_completion_tokens' instead.", "unsupported_parameter")
        assert request.body["max_completion_tokens"] == 50
        return says("A")

    with loopback(answer) as server:
        assert len(answered(answerer(server.url, concurrency=1, max_tokens=50), made_exam())) == 6
    assert len(server.requests) == 7


# Shots.


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (400, "too big", "context_length_exceeded"),
        (400, "This model's maximum context length is 2048 tokens. However, you requested", None),
        (400, "the request exceeds the available context size", "exceed_context_size_error"),
        (422, "提示超出上下文", None),
    ],
)
@pytest.mark.parametrize("method", ["generate", "logits"])
def test_shots_are_dropped_where_they_do_not_fit(
    status: int, message: str, code: str | None, method: str
) -> None:
    exam = made_exam(method=method, shots=5, questions_each=1)

    def answer(request: Request) -> Reply:
        text = request.body.get("prompt") or "".join(m["content"] for m in request.body["messages"])
        if text.count("例") > 1 + 2 + 3:
            return refuses(status, message, code)
        return top(A=-1.0) if method == "logits" else says("A")

    with loopback(answer) as server:
        found = answered(answerer(server.url), exam)
    assert [(one.choice, one.dropped_shots) for one in found] == [("A", 2), ("A", 2)]


def test_a_question_that_does_not_fit_alone_is_named() -> None:
    with (
        loopback(lambda _: refuses(400, "prompt is too long")) as server,
        pytest.raises(
            EndpointError, match=r"question 0 of law does not fit even without.*too long"
        ),
    ):
        answered(answerer(server.url, concurrency=1), made_exam(shots=2))
    assert len(server.requests) == 3


# Settings, pace, cost.


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"concurrency": 0}, "concurrency is 0; it must be at least 1"),
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"retries": -1}, "retries is -1"),
        ({"rate": 0.0}, "rate is 0.0; it must be above 0"),
        ({"model": ""}, "has no name"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        EndpointAnswerer(**{"url": "http://127.0.0.1:1", "model": "m", **settings})


def test_rate_is_kept() -> None:
    times: list[float] = []

    def answer(_: Request) -> Reply:
        times.append(time.monotonic())
        return says("A")

    with loopback(answer) as server:
        answered(answerer(server.url, rate=60 / 0.05, concurrency=4), made_exam())
    assert max(times) - min(times) >= 5 * 0.05 - 0.02


def test_so_many_at_once() -> None:
    running, most, guard = 0, 0, threading.Lock()
    together = threading.Barrier(3)

    def answer(_: Request) -> Reply:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        together.wait(10)
        with guard:
            running -= 1
        return says("A")

    with loopback(answer) as server:
        answered(answerer(server.url, concurrency=3), made_exam())
    assert most == 3


def test_estimate() -> None:
    exam = made_exam(shots=1)
    wanted = list(exam.all_questions())
    asker = answerer("http://127.0.0.1:1", rate=30, max_tokens=100)
    found = asker.estimate(exam, wanted, price_in=2.0, price_out=8.0)
    expected = sum(
        num_tokens(message["content"]) + 4 for one in wanted for message in exam.messages(one)
    )
    assert (found.requests, found.prompt_tokens, found.completion_tokens) == (6, expected, 600)
    assert found.seconds == 12.0
    assert found.money == pytest.approx((expected * 2 + 600 * 8) / 1e6)
    assert not found.is_counted
    logits = made_exam(method="logits")
    counted = answerer("http://127.0.0.1:1").estimate(
        logits, wanted, tokenizer=fake_model().tokenizer
    )
    assert counted.prompt_tokens == sum(len(logits.prompt(one).text.encode()) for one in wanted)
    assert (counted.completion_tokens, counted.seconds, counted.money) == (6, None, None)
    assert counted.is_counted


@pytest.mark.parametrize(
    ("text", "expected"), [("", 0), ("正确答案", 4), ("答案：A", 4), ("abcdefg", 3)]
)
def test_num_tokens(text: str, expected: int) -> None:
    assert num_tokens(text) == expected


# The real server.


def test_qingyu_serve_gives_what_the_engine_gives() -> None:
    from serve.serving import serving

    model = fake_model(context=4096, kv_tokens=32768, chunk_tokens=256)
    exam = made_exam(method="logits", shots=2)
    local = answered(ChoiceAnswerer(model), exam)
    with serving(model=model) as server:
        remote = answered(EndpointAnswerer(url=server.url, model="fake"), exam)
    pairs = list(zip(local, remote, strict=True))
    for mine, theirs in pairs:
        assert theirs.prompt_tokens == mine.prompt_tokens
        assert theirs.choice in (mine.choice, "")
    assert any(theirs.choice for _, theirs in pairs)


def test_qingyu_serve_writes() -> None:
    from serve.serving import serving

    exam = made_exam()
    said = {
        exam.messages(one)[-1]["content"]: f"答案是{one.answer}" for one in exam.all_questions()
    }
    with serving(said) as server:
        found = answered(EndpointAnswerer(url=server.url, model="fake", max_tokens=64), exam)
    keys = [one.answer for one in exam.all_questions()]
    assert [one.choice for one in found] == keys
    assert not any(one.cut for one in found)
