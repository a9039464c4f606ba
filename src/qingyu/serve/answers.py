"""What the endpoints that generate text have in common: n answers to one prompt.

    async with Answers(service, tokens, count=n, options=options, user=key) as answers:
        results = await answers.collect(request)         # or:
        async for index, update in answers: ...

Knows neither the shape of a request nor that of a response.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from starlette.requests import Request

from qingyu import __version__
from qingyu.engine.request import Options
from qingyu.engine.results import Result, TokenInfo
from qingyu.engine.scheduler import Update
from qingyu.errors import ConstraintError, ContextFullError, QingyuError
from qingyu.serve.feed import Feed
from qingyu.serve.problems import ApiError, from_qingyu
from qingyu.serve.service import Service
from qingyu.serve.sse import gone
from qingyu.serve.tools import ToolPlan
from qingyu.text import pick

Value = TypeVar("Value")

# Texts shorter than this are tokenized at once; longer ones in a thread.
_SHORT_TEXT = 8192


async def off_loop(size: int, call: Callable[[], Value]) -> Value:
    """call(), in a thread when the text it works on is long."""
    return call() if size < _SHORT_TEXT else await asyncio.to_thread(call)


def conversation_size(messages: Sequence[Mapping[str, Any]], plan: ToolPlan) -> int:
    """Characters of a conversation, for `off_loop`. Tools count as long: their schemas have
    any size, and become a grammar besides."""
    return _SHORT_TEXT if plan.tools else sum(len(message["content"]) for message in messages)


class ClientGoneError(Exception):
    """Nobody waits for the answer any more."""


class Answers:
    """`count` generations from one prompt; with a seed, each has the next. See the module.

    prompt_field, grammar_field: what an error about either names.
    """

    def __init__(
        self,
        service: Service,
        tokens: Sequence[int],
        *,
        options: Options,
        count: int = 1,
        user: str = "",
        deadline: float | None = None,
        prompt_field: str = "messages",
        grammar_field: str = "response_format",
    ) -> None:
        self.num_prompt = len(tokens)
        self.prompt = tokens
        self._service = service
        self._prompt_field = prompt_field
        self._grammar_field = grammar_field
        most = service.settings.limits.request_seconds
        if deadline is not None and deadline > most:
            raise ApiError(
                400,
                pick(
                    f"deadline_seconds is {deadline:g}; this server gives a request {most:g}",
                    f"deadline_seconds 为 {deadline:g}；本服务器每个请求最多 {most:g} 秒",
                ),
                param="deadline_seconds",
                code="invalid_value",
            )
        self._feeds = []
        for index in range(count):
            mine = options
            if index and options.get("seed") is not None:
                mine = options.copy()
                mine["seed"] = ((options["seed"] or 0) + index) % 2**64
            self._feeds.append(
                Feed(
                    service.scheduler,
                    tokens,
                    user=user,
                    deadline=deadline or most,
                    **mine,
                )
            )
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Answers:
        try:
            for feed in self._feeds:
                await self._stack.enter_async_context(feed)
        except QingyuError as error:
            await self._stack.aclose()
            raise from_qingyu(error, param=self._param(error)) from None
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    def _param(self, error: QingyuError) -> str | None:
        """The field of the request that an error is about."""
        if isinstance(error, ContextFullError):
            return self._prompt_field
        return self._grammar_field if isinstance(error, ConstraintError) else None

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel what still runs."""
        for feed in self._feeds:
            if feed.entered and feed.job.finished and feed.job.generation.error is None:
                self._book(feed)
        await self._stack.aclose()

    async def collect(self, request: Request) -> list[Result]:
        """All results. Raises ApiError for one that failed, ClientGoneError when nobody waits."""
        leaving = asyncio.ensure_future(gone(request.receive))
        results = []
        try:
            for feed in self._feeds:
                waiting = asyncio.ensure_future(feed.wait())
                both: set[asyncio.Future[Any]] = {waiting, leaving}
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                if not waiting.done():
                    waiting.cancel()
                    raise ClientGoneError
                results.append(waiting.result())
        except QingyuError as error:
            raise from_qingyu(error) from None
        finally:
            leaving.cancel()
        for result in results:
            _check_whole(result)
        return results

    async def __aiter__(self) -> AsyncIterator[tuple[int, Update]]:
        """Updates of all answers as they come, with the answer's index."""
        if len(self._feeds) == 1:
            async for update in self._feeds[0]:
                yield 0, update
        else:
            queue: asyncio.Queue[tuple[int, Update]] = asyncio.Queue(64)
            readers = [
                asyncio.ensure_future(_read(index, feed, queue))
                for index, feed in enumerate(self._feeds)
            ]
            left = len(readers)
            try:
                while left:
                    index, update = await queue.get()
                    left -= update.finished
                    yield index, update
            finally:
                for reader in readers:
                    reader.cancel()

    def result(self, index: int) -> Result:
        """Of an answer whose last update was seen. Raises ApiError if it failed."""
        try:
            result = self._feeds[index].result
        except QingyuError as error:
            raise from_qingyu(error) from None
        _check_whole(result)
        return result

    def prompt_infos(self, index: int) -> Sequence[TokenInfo]:
        """Of the prompt's tokens after the first, once the answer has begun; none unless asked
        for."""
        scores = self._feeds[index].job.generation.scores
        return () if scores is None else scores.infos

    @property
    def results(self) -> list[Result]:
        """All of them, after the last update."""
        return [self.result(index) for index in range(len(self._feeds))]

    def _book(self, feed: Feed) -> None:
        result = feed.result
        self._service.metrics.generated(
            first_token_seconds=feed.job.first_seconds,
            decode_seconds=result.decode_seconds,
            tokens=len(result.tokens) - 1,
            batch=1 + self._service.scheduler.stats().running,
        )


async def _read(index: int, feed: Feed, queue: asyncio.Queue[tuple[int, Update]]) -> None:
    async for update in feed:
        await queue.put((index, update))


def _check_whole(result: Result) -> None:
    if result.stop_reason == "cancelled":
        raise ApiError(
            503,
            pick("the server is stopping", "服务正在停止"),
            kind="server_error",
            code="stopping",
        )


def usage(num_prompt: int, results: Sequence[Result]) -> dict[str, Any]:
    """Tokens of a prompt and its answers, as chat and completions have them."""
    generated = sum(len(result.tokens) for result in results)
    cached = results[0].cached_tokens if results else 0
    return {
        "prompt_tokens": num_prompt,
        "completion_tokens": generated,
        "total_tokens": num_prompt + generated,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def fingerprint(model: str) -> str:
    """What a seed's result depends on besides the request."""
    return f"qingyu-{__version__}-{model}"


def token_entry(info: TokenInfo) -> dict[str, Any]:
    """A token's log-probabilities as chat and responses have them."""
    entry = _entry(info.raw, info.logprob)
    entry["top_logprobs"] = [_entry(raw, logprob) for _, raw, logprob in info.top]
    return entry


def _entry(raw: bytes, logprob: float) -> dict[str, Any]:
    # JSON has no -inf, and OpenAI's API uses this number for it.
    return {
        "token": raw.decode("utf-8", "replace"),
        "logprob": max(logprob, -9999.0),
        "bytes": list(raw),
    }
