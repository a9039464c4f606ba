"""A server in trouble: sat out, or an error that names what is wrong; addresses and keys."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from prove.loopback import Reply, Request, answered, answerer, loopback, refuses, says
from prove.made_exams import made_exam
from qingyu.errors import EndpointError, InvalidRequestError
from qingyu.prove.endpoint_client import base_url, find_key
from qingyu.prove.evaluation import evaluate
from qingyu.prove.exam import Answer


@pytest.mark.parametrize(
    "trouble",
    [
        refuses(429, "slow down"),
        refuses(429, "slow down", **{"Retry-After": "0"}),
        refuses(429, "slow down", **{"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        refuses(429, "slow down", **{"Retry-After": "soon"}),
        refuses(500, "oops"),
        refuses(503, "loading model"),
        (502, b"<html>bad gateway</html>"),
        (200, None),
    ],
)
def test_passing_trouble_is_sat_out(trouble: Reply) -> None:
    exam = made_exam(questions_each=2)
    seen: dict[str, int] = {}
    guard = threading.Lock()

    def answer(request: Request) -> Reply:
        with guard:
            key = json.dumps(request.body)
            seen[key] = seen.get(key, 0) + 1
            # The very first answer is good: nobody being there at all is another matter.
            return trouble if seen[key] < 3 and len(seen) > 1 else says("A")

    with loopback(answer) as server:
        assert len(answered(answerer(server.url, concurrency=1), exam)) == 4
    assert sorted(seen.values()) == [1, 3, 3, 3]


def test_retry_after_holds_for_everybody() -> None:
    times: list[float] = []

    def answer(request: Request) -> Reply:
        times.append(time.monotonic())
        return refuses(429, "wait", **{"Retry-After": "0.4"}) if len(times) == 1 else says("A")

    with loopback(answer) as server:
        answered(answerer(server.url, concurrency=2, rate=6000), made_exam(questions_each=4))
    # One may have been under way already; all others waited.
    assert sum(one - times[0] < 0.4 for one in times) <= 2


def test_trouble_that_stays_is_an_error_and_loses_nothing(tmp_path: Path) -> None:
    exam = made_exam(questions_each=5)
    good = threading.Event()

    def answer(request: Request) -> Reply:
        asked = request.body["messages"][-1]["content"]
        return refuses(500, "oops") if "law问3" in asked and not good.is_set() else says("A")

    with loopback(answer) as server:
        with pytest.raises(EndpointError, match="answers 500, it failed: oops; given up after 4"):
            evaluate(exam, answerer(server.url, concurrency=2), tmp_path)
        first = len(server.requests)
        good.set()
        result = evaluate(exam, answerer(server.url, concurrency=2), tmp_path)
    assert result.time["resumed"] >= 3
    assert len(server.requests) - first == 10 - result.time["resumed"]
    assert len(result.answers) == 10


def test_those_under_way_are_waited_for() -> None:
    started, refused = threading.Barrier(3), threading.Event()

    def answer(request: Request) -> Reply:
        asked = request.body["messages"][-1]["content"]
        started.wait(10)
        if "law问0" in asked:
            refused.set()
            return refuses(400, "no")
        refused.wait(10)
        return says("A")

    found: list[Answer] = []
    exam = made_exam()
    with loopback(answer) as server:
        stream = answerer(server.url, concurrency=3).answers(exam, list(exam.all_questions()))
        with pytest.raises(EndpointError, match="answers 400, it refuses"):
            found.extend(stream)
    assert len(found) == 2


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (refuses(401, "no key"), "answers 401, it wants a key, or another one; set QINGYU_END"),
        (refuses(403, "not you"), "answers 403, it wants a key"),
        (refuses(404, "no such model"), "404, it has no /chat/completions, or knows no model 'm'"),
        (refuses(429, "pay", "insufficient_quota"), "429, the account has nothing left: pay"),
        (refuses(429, "x", **{"Retry-After": "5000"}), "too many requests.*asks to wait 5000 s"),
        (refuses(408, "x", **{"X-Should-Retry": "false"}), "answers 408, it refuses: x$"),
        ((400, {"error": "plain\ntext\x1b[31m"}), "answers 400, it refuses: plain text"),
        ((422, {"detail": [{"msg": "bad"}]}), "answers 422.*bad"),
        ((307, b"", {"Location": "http://example.com/"}), "307, a redirect, which is not followed"),
        ((200, b"<html>"), "does not answer in JSON"),
        ((200, [1]), "does not answer in JSON"),
        ((200, {"choices": []}), "answers without choices"),
        ((200, {"message": "hi"}), "answers without choices"),
    ],
)
def test_errors_say_what_is_wrong(reply: Reply, message: str) -> None:
    with loopback(lambda _: reply) as server, pytest.raises(EndpointError, match=message) as caught:
        answered(answerer(server.url, concurrency=1), made_exam())
    assert len(server.requests) == 1
    assert "\x1b" not in str(caught.value)


def test_nobody_there_is_said_at_once() -> None:
    with loopback(lambda _: says("A")) as server:
        pass
    with pytest.raises(EndpointError, match=r"gives no answer \(connect\)"):
        answered(answerer(server.url, backoff=60), made_exam())


def test_a_server_that_hangs_times_out() -> None:
    wait = threading.Event()

    def answer(_: Request) -> Reply:
        wait.wait(20)
        return says("A")

    with loopback(answer) as server:
        with pytest.raises(EndpointError, match=r"gives no answer \(read timeout\).*after 2 tries"):
            answered(answerer(server.url, timeout=0.2, retries=1), made_exam(questions_each=1))
        wait.set()


def test_an_endless_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qingyu.prove.endpoint_client._MAX_BYTES", 1 << 20)
    with (
        loopback(lambda _: says("A" * (1 << 21))) as server,
        pytest.raises(EndpointError, match="more than 1 MiB; refused"),
    ):
        answered(answerer(server.url), made_exam())


def test_leaving_early_does_not_wait() -> None:
    wait = threading.Event()

    def answer(request: Request) -> Reply:
        if "问0" not in request.body["messages"][-1]["content"]:
            wait.wait(20)
        return says("A")

    with loopback(answer) as server:
        exam = made_exam()
        stream = answerer(server.url, concurrency=3).answers(exam, list(exam.all_questions()))
        next(stream)
        started = time.monotonic()
        stream.close()
        assert time.monotonic() - started < 5
        wait.set()
        for thread in [one for one in threading.enumerate() if one.name == "qingyu-endpoint"]:
            thread.join(20)


# Addresses and keys.


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/v1"),
        ("https://api.example.com/v1/", "https://api.example.com/v1"),
        ("https://api.example.com/v1/chat/completions", "https://api.example.com/v1"),
        (
            "https://api.example.com/compatible-mode/v1",
            "https://api.example.com/compatible-mode/v1",
        ),
        (" http://[::1]:80/v1 ", "http://[::1]:80/v1"),
    ],
)
def test_base_url(given: str, expected: str) -> None:
    assert base_url(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        *("", "127.0.0.1:8000", "file:///etc/passwd", "ftp://a/v1", "http://", "http://a:x/v1"),
        *("http://a/v1?key=s", "http://a/v1#x", "http://[::1/v1"),
    ],
)
def test_other_addresses_are_refused(given: str) -> None:
    with pytest.raises(InvalidRequestError, match="an example is http"):
        answerer(given)


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(InvalidRequestError, match="QINGYU_ENDPOINT_KEY") as caught:
        answerer("https://me:secret@example.com/v1")
    assert "secret" not in str(caught.value)


def test_the_key_goes_to_the_server_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QINGYU_ENDPOINT_KEY", "sk-secret")
    exam = made_exam()
    with loopback(lambda _: says("A")) as server:
        asker = answerer(server.url)
        evaluate(exam, asker, tmp_path)
    assert {one.headers["authorization"] for one in server.requests} == {"Bearer sk-secret"}
    assert "sk-secret" not in json.dumps(dict(asker.identity))
    for path in tmp_path.iterdir():
        assert "sk-secret" not in path.read_text()


@pytest.mark.parametrize("filler", [0, 290])
def test_a_key_a_server_repeats_is_not_shown(monkeypatch: pytest.MonkeyPatch, filler: int) -> None:
    monkeypatch.setenv("QINGYU_ENDPOINT_KEY", "sk-secret-and-long")
    reply = refuses(401, "x" * filler + " wrong key sk-secret-and-long")
    with loopback(lambda _: reply) as server, pytest.raises(EndpointError) as caught:
        answered(answerer(server.url), made_exam())
    assert "secret" not in str(caught.value)


def test_a_broken_key_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QINGYU_ENDPOINT_KEY", "sk-secret\nX-Other: 1")
    with pytest.raises(InvalidRequestError, match="characters no key has") as caught:
        answerer("http://127.0.0.1:1/v1")
    assert "secret" not in str(caught.value)


def test_openai_key_goes_to_openai_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    assert find_key("https://api.openai.com/v1") == "sk-openai"
    assert find_key("https://api.openai.com.example.net/v1") is None
    assert find_key("https://notopenai.com/v1") is None
    assert find_key("http://127.0.0.1:8000/v1") is None
    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway.example.com/v1")
    assert find_key("https://gateway.example.com/v1") == "sk-openai"
    monkeypatch.setenv("QINGYU_ENDPOINT_KEY", "mine")
    assert find_key("https://api.openai.com/v1") == "mine"
