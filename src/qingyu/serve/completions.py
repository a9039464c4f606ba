"""/v1/completions: a text goes on.

    Route("/v1/completions", completions, methods=["POST"])

Several prompts are several groups of answers, one index after the other.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from qingyu.engine.results import Result
from qingyu.serve.answers import Answers, ClientGoneError, fingerprint, off_loop, usage
from qingyu.serve.completions_schema import (
    DEFAULT_MAX_TOKENS,
    UNSUPPORTED,
    CompletionRequest,
)
from qingyu.serve.fields import check_model, grammar_of, refuse_unsupported
from qingyu.serve.limits import parse, read_json
from qingyu.serve.logprob_lists import LogprobLists, joined
from qingyu.serve.problems import ApiError, about
from qingyu.serve.service import Service
from qingyu.serve.sse import DONE, EventStream, event


async def completions(request: Request) -> Response:
    """The endpoint."""
    service: Service = request.app.state.service
    service.ready()
    data = await read_json(request, service.settings.limits)
    refuse_unsupported(data, UNSUPPORTED)
    body = parse(CompletionRequest, data)
    model = service.model
    adapter = check_model(body.model, service)
    prompts = _prompts(body)
    options = body.options()
    options["adapter"] = adapter
    most = DEFAULT_MAX_TOKENS if body.max_tokens is None else body.max_tokens
    options["max_tokens"] = most
    if body.logprobs is not None:
        options["logprobs"] = body.logprobs
    if body.echo and (body.logprobs is not None or not most):
        options["prompt_logprobs"] = body.logprobs or 0
    with about("response_format"):
        grammar = grammar_of(body.response_format)
    if grammar is not None:
        options["constraint"] = grammar
    size = sum(len(prompt) for prompt in prompts)
    tokens = await off_loop(size, lambda: [model.prompt_tokens(prompt) for prompt in prompts])
    groups = _Groups(
        [
            Answers(
                service,
                one,
                options=options,
                count=body.n or 1,
                user=body.fairness_key,
                deadline=body.deadline_seconds,
                prompt_field="prompt",
            )
            for one in tokens
        ]
    )
    echoes = [""] * len(prompts)
    if body.echo:
        echoes = [
            prompt if isinstance(prompt, str) else model.detokenize(prompt) for prompt in prompts
        ]
    writer = _Writer(service, body, echoes, service.name_with(adapter))
    await groups.open()
    if body.stream:
        return EventStream(writer.events(groups), groups)
    try:
        collected = await asyncio.gather(*(one.collect(request) for one in groups.answers))
    except ClientGoneError:
        return Response(status_code=499)
    finally:
        await groups.aclose()
    size = _size(groups.num_prompt, body)
    return await off_loop(size, lambda: JSONResponse(writer.whole(groups, collected)))


def _prompts(body: CompletionRequest) -> list[str | list[int]]:
    prompt: Any = body.prompt
    one_text_or_token_list = isinstance(prompt, str) or isinstance(prompt[0], int)
    return [prompt] if one_text_or_token_list else prompt


class _Groups:
    """The answers to each of several prompts."""

    def __init__(self, answers: list[Answers]) -> None:
        self.answers = answers
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        try:
            for one in self.answers:
                await self._stack.enter_async_context(one)
        except BaseException:
            await self._stack.aclose()
            raise

    async def aclose(self) -> None:
        await self._stack.aclose()

    @property
    def num_prompt(self) -> int:
        return sum(one.num_prompt for one in self.answers)


class _Writer:
    """One response in OpenAI's older shape."""

    def __init__(
        self, service: Service, body: CompletionRequest, echoes: list[str], model: str
    ) -> None:
        self._body = body
        self._echoes = echoes
        self._tokenizer = service.model.tokenizer
        self._base = {
            "id": f"cmpl-{secrets.token_hex(12)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": fingerprint(model),
        }
        self._with_usage = bool(body.stream_options and body.stream_options.include_usage)

    def whole(self, groups: _Groups, collected: Sequence[Sequence[Result]]) -> dict[str, Any]:
        """The response when nothing is streamed."""
        choices: list[dict[str, Any]] = []
        for number, results in enumerate(collected):
            for result in results:
                lists = self._lists()
                parts = []
                if lists and result.prompt_logprobs is not None:
                    prompt = groups.answers[number].prompt
                    parts.append(lists.prompt(prompt, result.prompt_logprobs, self._echoes[number]))
                if lists:
                    parts.append(lists.answer(result.logprobs or ()))
                choices.append(
                    {
                        "index": len(choices),
                        "text": self._echoes[number] + result.text,
                        "logprobs": joined(parts) if lists else None,
                        "finish_reason": _finish_reason(result),
                    }
                )
        return {**self._base, "choices": choices, "usage": self._usage(groups, collected)}

    async def events(self, groups: _Groups) -> AsyncGenerator[bytes, None]:
        """The response as it comes, one prompt after the other."""
        try:
            collected = []
            for number, answers in enumerate(groups.answers):
                count = self._body.n or 1
                echo = self._echoes[number]
                every = [self._lists() for _ in range(count)]
                # Log-probabilities of the prompt are there when the answer begins.
                late = bool(self._body.echo) and self._body.logprobs is not None
                echoed = [not late] * count
                for index in range(count if echo and not late else 0):
                    yield self._chunk(number * count + index, echo)
                async for index, update in answers:
                    place = number * count + index
                    reason = logprobs = None
                    lists = every[index]
                    if update.finished:
                        reason = _finish_reason(answers.result(index))
                    if lists and not echoed[index]:
                        echoed[index] = True
                        yield await off_loop(
                            _size(answers.num_prompt, self._body),
                            partial(self._echo, place, echo, lists, answers, index),
                        )
                    if update.text or update.tokens or reason:
                        if lists and update.tokens:
                            logprobs = lists.answer(update.tokens)
                        yield self._chunk(place, update.text, logprobs=logprobs, reason=reason)
                collected.append(answers.results)
            if self._with_usage:
                yield event({**self._base, "choices": [], "usage": self._usage(groups, collected)})
            yield DONE
        except ApiError as error:
            yield event(error.body)

    def _lists(self) -> LogprobLists | None:
        """For one choice, if log-probabilities were asked for."""
        return None if self._body.logprobs is None else LogprobLists(self._tokenizer)

    def _usage(self, groups: _Groups, collected: Sequence[Sequence[Result]]) -> dict[str, Any]:
        total = usage(groups.num_prompt, [one for results in collected for one in results])
        cached = sum(results[0].cached_tokens for results in collected)
        total["prompt_tokens_details"] = {"cached_tokens": cached}
        return total

    def _echo(
        self, place: int, echo: str, lists: LogprobLists, answers: Answers, index: int
    ) -> bytes:
        logprobs = lists.prompt(answers.prompt, answers.prompt_infos(index), echo)
        return self._chunk(place, echo, logprobs=logprobs)

    def _chunk(
        self,
        index: int,
        text: str,
        *,
        logprobs: dict[str, Any] | None = None,
        reason: str | None = None,
    ) -> bytes:
        choice = {"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason}
        chunk = {**self._base, "choices": [choice]}
        if self._with_usage:
            chunk["usage"] = None
        return event(chunk)


def _size(num_prompt: int, body: CompletionRequest) -> int:
    """For `off_loop`: numbers to write when a prompt's log-probabilities are among them."""
    return num_prompt * (1 + (body.logprobs or 0)) if body.echo else 0


def _finish_reason(result: Result) -> str:
    return "length" if result.stop_reason == "length" else "stop"
