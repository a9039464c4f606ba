"""Answers from an OpenAI-compatible server: another engine, another machine, a cloud.

    answerer = EndpointAnswerer(url="http://127.0.0.1:8000/v1", model="qwen3-0.6b")
    print(answerer.estimate(exam, questions, price_in=0.5, price_out=1.5))
    for answer in answerer.answers(exam, questions): ...

generate, cot   /chat/completions at temperature 0; the letter is read as for a local model
logits          /completions, one token, with the log-probabilities of the 20 likeliest (5 where
                a server gives no more): the likeliest letter among them. A letter that is not
                among them counts as less likely than all that are; when none is, there is no
                answer. `Answer.log_probs` has all four or nothing.

Several requests are under way at once; pace, retries and errors are endpoint_client.py's. When
one fails for good, those under way are waited for and given out before the error, so that
nothing paid for is lost. Shots the server has no room for are dropped as for a local model. A
server that cuts a long prompt in silence cannot be noticed.
"""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qingyu.errors import ContextFullError, EndpointError, InvalidRequestError
from qingyu.prove.benchmarks import LETTERS
from qingyu.prove.endpoint_client import (
    Client,
    RefusedError,
    StoppedError,
    base_url,
    find_key,
)
from qingyu.prove.exam import Answer, Exam
from qingyu.prove.extraction import extract
from qingyu.prove.questions import Question
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.models.tokenizer import Tokenizer

MAX_TOKENS = 512
# Log-probabilities asked for, and what is asked for when that is refused (OpenAI's own limit).
_LOGPROBS = (20, 5)
# What a chat template adds to each message, in tokens.
_MESSAGE_TOKENS = 4
# The first ideograph or full-width mark; what is below has about three characters a token.
_WIDE = "\u2e80"
_NARROW_CHARACTERS = 3


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What asking will take.

    completion_tokens: at most (a text may end sooner); money: at most, in the prices' unit, None
    without prices; seconds: at the rate that was set, None without one. is_counted: whether the
    prompt's tokens were counted by a tokenizer, and not estimated from characters.
    """

    requests: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float | None
    money: float | None
    is_counted: bool


class EndpointAnswerer:
    """See the module."""

    def __init__(
        self,
        *,
        url: str,
        model: str,
        max_tokens: int = MAX_TOKENS,
        concurrency: int = 4,
        rate: float | None = None,
        retries: int = 6,
        timeout: float = 300.0,
        backoff: float = 1.0,
    ) -> None:
        """url: of the API, such as http://127.0.0.1:8000/v1. model: the name the server knows.
        max_tokens: of each text. concurrency: requests at once. rate: requests per minute, None
        for no limit. retries: after the first try. timeout: seconds without a byte. backoff:
        seconds before the second try; doubled for each more. The key is `find_key`'s.

        Raises InvalidRequestError for values that cannot be. Nothing is sent before `answers`.
        """
        _at_least("max_tokens", max_tokens, 1)
        _at_least("concurrency", concurrency, 1)
        _at_least("retries", retries, 0)
        if not model:
            raise InvalidRequestError(
                pick("the endpoint's model has no name", "没有给出端点的模型名称")
            )
        if rate is not None and not rate > 0:
            raise InvalidRequestError(
                pick(f"rate is {rate}; it must be above 0", f"rate 为 {rate}；应大于 0")
            )
        self._url = base_url(url)
        self._key = find_key(self._url)
        self._model = model
        self._max_tokens = max_tokens
        self._concurrency = concurrency
        self._rate = rate
        self._retries = retries
        self._timeout = timeout
        self._backoff = backoff
        # What this server turned out to want; the same for all requests.
        self._limit_name = "max_tokens"
        self._num_logprobs = _LOGPROBS[0]
        self.identity: Mapping[str, Any] = {
            "name": model,
            "endpoint": self._url,
            "max_tokens": max_tokens,
            "temperature": 0,
        }

    def estimate(
        self,
        exam: Exam,
        wanted: Sequence[Question],
        *,
        price_in: float | None = None,
        price_out: float | None = None,
        tokenizer: Tokenizer | None = None,
    ) -> Estimate:
        """What asking `wanted` will take. Prices: of a million tokens read and written.

        With a tokenizer the prompts' tokens are counted; else a Chinese character is taken for
        one token and three others for one, which is more than models made for Chinese need and
        less than some others do.
        """
        prompt_tokens = 0
        for question in wanted:
            if exam.method == "logits":
                texts = [exam.prompt(question).text]
            else:
                texts = [one["content"] for one in exam.messages(question)]
                prompt_tokens += _MESSAGE_TOKENS * len(texts)
            for text in texts:
                prompt_tokens += len(tokenizer.encode(text)) if tokenizer else num_tokens(text)
        completion = len(wanted) * (1 if exam.method == "logits" else self._max_tokens)
        money = None
        if price_in is not None or price_out is not None:
            money = (prompt_tokens * (price_in or 0) + completion * (price_out or 0)) / 1e6
        return Estimate(
            requests=len(wanted),
            prompt_tokens=prompt_tokens,
            completion_tokens=completion,
            seconds=None if self._rate is None else 60 * len(wanted) / self._rate,
            money=money,
            is_counted=tokenizer is not None,
        )

    def answers(self, exam: Exam, wanted: Sequence[Question]) -> Iterator[Answer]:
        """Raises EndpointError, after giving out what came until then."""
        if not wanted:
            return
        todo: queue.SimpleQueue[Question] = queue.SimpleQueue()
        for question in wanted:
            todo.put(question)
        # None: one worker has ended.
        done: queue.SimpleQueue[Answer | BaseException | None] = queue.SimpleQueue()
        failed = threading.Event()
        count = min(self._concurrency, len(wanted))
        client = Client(
            url=self._url,
            key=self._key,
            rate=self._rate,
            retries=self._retries,
            timeout=self._timeout,
            backoff=self._backoff,
            connections=count,
        )
        guard = threading.Lock()
        left = count

        def work() -> None:
            nonlocal left
            try:
                while not failed.is_set():
                    done.put(self._answer(client, exam, todo.get_nowait()))
            except queue.Empty:
                pass
            except BaseException as error:
                failed.set()
                done.put(error)
            finally:
                with guard:
                    left -= 1
                    last = not left
                # Not by whoever leaves early: requests may be under way.
                if last:
                    client.close()
                done.put(None)

        # Daemons: whoever interrupts this shall not wait for a server.
        for _ in range(count):
            threading.Thread(target=work, name="qingyu-endpoint", daemon=True).start()
        try:
            yield from _drained(done, count, client)
        finally:
            failed.set()
            client.stop()

    def _answer(self, client: Client, exam: Exam, question: Question) -> Answer:
        ask = self._choose if exam.method == "logits" else self._write
        reply: list[Answer] = []
        refusal: list[RefusedError] = []

        def fits(shots: Sequence[Question]) -> bool:
            try:
                reply.append(ask(client, exam, question, shots))
            except RefusedError as error:
                if not error.too_long:
                    raise
                refusal.append(error)
                return False
            return True

        try:
            exam.fitting_shots(question, fits)
        except ContextFullError:
            raise EndpointError(
                pick(
                    f"question {question.id} of {question.subject} does not fit even without"
                    f" examples: {refusal[-1]}",
                    f"{question.subject} 第 {question.id} 题即使不带示例也放不下：{refusal[-1]}",
                )
            ) from None
        return reply[0]

    def _write(
        self, client: Client, exam: Exam, question: Question, shots: Sequence[Question]
    ) -> Answer:
        body = {
            "model": self._model,
            "messages": exam.messages(question, shots=shots),
            "temperature": 0,
        }
        path = "/chat/completions"
        try:
            reply = client.post(path, {**body, self._limit_name: self._max_tokens})
        except RefusedError as error:
            # OpenAI's newer models have another word for it.
            if error.status != 400 or "max_completion_tokens" not in error.reason:
                raise
            self._limit_name = "max_completion_tokens"
            reply = client.post(path, {**body, self._limit_name: self._max_tokens})
        choice = self._first_choice(reply)
        text = content(choice)
        found = extract(text, benchmark=exam.benchmark.id, method=exam.method)
        return Answer(
            subject=question.subject,
            id=question.id,
            choice=found.letter,
            text=text,
            rule=found.rule,
            cut=choice.get("finish_reason") == "length",
            prompt_tokens=_prompt_tokens(reply),
            dropped_shots=len(exam.shots[question.subject]) - len(shots),
        )

    def _choose(
        self, client: Client, exam: Exam, question: Question, shots: Sequence[Question]
    ) -> Answer:
        prompt = exam.prompt(question, shots=shots)
        body = {"model": self._model, "prompt": prompt.text, "temperature": 0, "max_tokens": 1}
        try:
            reply = client.post("/completions", {**body, "logprobs": self._num_logprobs})
        except RefusedError as error:
            if error.status in (404, 405):
                raise self._no_logprobs(str(error)) from None
            if error.too_long or error.status not in (400, 422) or "logprobs" not in error.reason:
                raise
            if self._num_logprobs == _LOGPROBS[-1]:
                raise self._no_logprobs(str(error)) from None
            self._num_logprobs = _LOGPROBS[-1]
            return self._choose(client, exam, question, shots)
        top = _likeliest(self._first_choice(reply))
        if not top:
            raise self._no_logprobs(self._url)
        found = [top.get(text) for text in prompt.continuations]
        known = [value for value in found if value is not None]
        a, b, c, d = found
        return Answer(
            subject=question.subject,
            id=question.id,
            choice=LETTERS[found.index(max(known))] if known else "",
            log_probs=None if a is None or b is None or c is None or d is None else (a, b, c, d),
            prompt_tokens=_prompt_tokens(reply),
            dropped_shots=len(exam.shots[question.subject]) - len(shots),
        )

    def _first_choice(self, reply: Mapping[str, Any]) -> dict[str, Any]:
        choices = reply.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], dict):
            return choices[0]
        raise EndpointError(
            pick(
                f"{self._url} answers without choices; it is no OpenAI-compatible API",
                f"{self._url} 的回答中没有 choices；不是 OpenAI 兼容接口",
            )
        )

    def _no_logprobs(self, detail: str) -> EndpointError:
        return EndpointError(
            pick(
                "the method logits needs /completions with log-probabilities, which this server"
                f" does not give; use --method generate ({detail})",
                "logits 方法需要带对数概率的 /completions，而此服务不提供；"
                f"请用 --method generate（{detail}）",
            )
        )


def _drained(
    done: queue.SimpleQueue[Answer | BaseException | None], workers: int, client: Client
) -> Iterator[Answer]:
    """All answers until every worker has ended; then the first failure, if any."""
    failure: BaseException | None = None
    while workers:
        one = done.get()
        if one is None:
            workers -= 1
        elif isinstance(one, Answer):
            yield one
        else:
            # Others that wait for another try are not waited for; their error is this one's.
            client.stop()
            if failure is None or isinstance(failure, StoppedError):
                failure = one
    if failure is not None:
        raise failure


def num_tokens(text: str) -> int:
    """About how many tokens a text has; see `EndpointAnswerer.estimate`."""
    wide = sum(one >= _WIDE for one in text)
    return wide + -(-(len(text) - wide) // _NARROW_CHARACTERS)


def content(choice: Mapping[str, Any]) -> str:
    """What was said in a chat choice: a text, or parts of one; "" for nothing (or a refusal)."""
    message = choice.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):
        content = "".join(str(one.get("text", "")) for one in content if isinstance(one, dict))
    if not isinstance(content, str):
        return ""
    # JSON may hold half a surrogate pair, a file may not.
    return content.encode("utf-8", "replace").decode()


def _prompt_tokens(reply: Mapping[str, Any]) -> int:
    usage = reply.get("usage")
    count = usage.get("prompt_tokens") if isinstance(usage, dict) else 0
    return count if isinstance(count, int) and count >= 0 else 0


def _likeliest(choice: Mapping[str, Any]) -> dict[str, float]:
    """Texts of the likeliest first tokens and their log-probabilities.

    Both shapes: OpenAI's older one, {"top_logprobs": [{text: value}]}, and the chat one that
    llama-server uses here, {"content": [{"top_logprobs": [{"token": text, "logprob": value}]}]}.
    """
    found: Any = choice.get("logprobs")
    if not isinstance(found, dict):
        return {}
    pairs: list[tuple[Any, Any]] = []
    older, content = found.get("top_logprobs"), found.get("content")
    if isinstance(older, list) and older and isinstance(older[0], dict):
        pairs = list(older[0].items())
    elif isinstance(content, list) and content and isinstance(content[0], dict):
        rows = content[0].get("top_logprobs")
        pairs = [
            (one.get("token"), one.get("logprob"))
            for one in (rows if isinstance(rows, list) else [])
            if isinstance(one, dict)
        ]
    result: dict[str, float] = {}
    for text, value in pairs:
        if isinstance(text, str) and isinstance(value, (int, float)) and math.isfinite(value):
            # As vocabularies spell a space.
            text = text.replace("▁", " ").replace("Ġ", " ")
            result[text] = max(float(value), result.get(text, -math.inf))
    return result


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise InvalidRequestError(
            pick(
                f"{name} is {value}; it must be at least {least}",
                f"{name} 为 {value}；至少为 {least}",
            )
        )
