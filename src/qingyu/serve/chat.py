"""/v1/chat/completions: the next message of a conversation.

    Route("/v1/chat/completions", chat_completions, methods=["POST"])

Reads the request, renders the prompt, and writes answers in OpenAI's shapes, whole or as they
come. Generating is `answers.py`, tools are `tools.py`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from qingyu.engine.request import Options
from qingyu.engine.results import Result, TokenInfo
from qingyu.serve.answers import (
    Answers,
    ClientGoneError,
    conversation_size,
    fingerprint,
    off_loop,
    token_entry,
    usage,
)
from qingyu.serve.chat_schema import UNSUPPORTED, ChatRequest, NamedChoice
from qingyu.serve.fields import check_model, grammar_of, refuse_unsupported
from qingyu.serve.limits import parse, read_json
from qingyu.serve.problems import ApiError, about
from qingyu.serve.service import Service
from qingyu.serve.sse import DONE, EventStream, event
from qingyu.serve.tools import Arguments, CallEnd, CallReader, CallStart, Event, Tool, ToolPlan


async def chat_completions(request: Request) -> Response:
    """The endpoint."""
    service: Service = request.app.state.service
    service.ready()
    data = await read_json(request, service.settings.limits)
    refuse_unsupported(data, UNSUPPORTED)
    body = parse(ChatRequest, data)
    model = service.model
    adapter = check_model(body.model, service)
    plan = _plan(body, service)
    messages = [message.for_template() for message in body.messages]
    values = body.chat_template_kwargs

    def prepare() -> tuple[list[int], Options]:
        texts, tools = plan.prompt(messages)
        tokens = model.chat_tokens(
            texts,
            tools=tools,
            template_values=values.model_dump(exclude_none=True) if values else None,
        )
        return tokens, _options(body, plan, service, adapter)

    tokens, options = await off_loop(conversation_size(messages, plan), prepare)
    answers = Answers(
        service,
        tokens,
        options=options,
        count=body.n or 1,
        user=body.fairness_key,
        deadline=body.deadline_seconds,
        grammar_field="tools" if plan.tools else "response_format",
    )
    writer = _Writer(service.name_with(adapter), body, plan)
    if body.stream:
        # Entered here, so that what is refused is refused with a status.
        await answers.__aenter__()
        return EventStream(writer.events(answers), answers)
    async with answers:
        try:
            results = await answers.collect(request)
        except ClientGoneError:
            return Response(status_code=499)
    return JSONResponse(writer.whole(answers.num_prompt, results))


def _plan(body: ChatRequest, service: Service) -> ToolPlan:
    tools = [
        Tool(
            name=one.function.name,
            description=one.function.description or "",
            parameters=one.function.parameters or {},
        )
        for one in body.tools or ()
    ]
    named = isinstance(body.tool_choice, NamedChoice)
    with about("response_format"):
        text = grammar_of(body.response_format)
    return ToolPlan.of(
        tools,
        choice="required" if named else str(body.tool_choice or "auto"),
        function=body.tool_choice.function.name
        if isinstance(body.tool_choice, NamedChoice)
        else None,
        parallel=body.parallel_tool_calls is not False,
        text=text,
        template=service.model.template,
    )


def _options(body: ChatRequest, plan: ToolPlan, service: Service, adapter: str | None) -> Options:
    options = body.options()
    options["adapter"] = adapter
    most = body.max_completion_tokens or body.max_tokens
    if most is not None:
        options["max_tokens"] = most
    if body.logprobs:
        options["logprobs"] = body.top_logprobs or 0
    with about("response_format"):
        plan.check_text(service.model.constrain, service.model.tokenizer)
    grammar = plan.grammar(service.model.tokenizer)
    if grammar is not None:
        options["constraint"] = grammar
    return options


class _Writer:
    """One response in OpenAI's shape."""

    def __init__(self, model: str, body: ChatRequest, plan: ToolPlan) -> None:
        self._body = body
        self._plan = plan
        self._base = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": fingerprint(model),
        }
        self._with_usage = bool(body.stream_options and body.stream_options.include_usage)

    def whole(self, num_prompt: int, results: list[Result]) -> dict[str, Any]:
        """The response when nothing is streamed."""
        return {
            **self._base,
            "object": "chat.completion",
            "choices": [self._choice(index, result) for index, result in enumerate(results)],
            "usage": usage(num_prompt, results),
        }

    def _choice(self, index: int, result: Result) -> dict[str, Any]:
        reader = self._plan.reader()
        content, calls = gather([*reader.push(result.text), *reader.finish()])
        message: dict[str, Any] = {
            "role": "assistant",
            "content": None if calls and not content else content,
            "refusal": None,
        }
        if calls:
            message["tool_calls"] = calls
        return {
            "index": index,
            "message": message,
            "logprobs": _logprobs(result.logprobs),
            "finish_reason": _finish_reason(result, reader),
        }

    async def events(self, answers: Answers) -> AsyncGenerator[bytes, None]:
        """The response as it comes."""
        try:
            readers = [self._plan.reader() for _ in range(self._body.n or 1)]
            for index in range(len(readers)):
                yield self._chunk(index, {"role": "assistant", "content": "", "refusal": None})
            async for index, update in answers:
                parts = readers[index].push(update.text)
                if update.finished:
                    result = answers.result(index)
                    parts += readers[index].finish()
                infos: tuple[TokenInfo, ...] = update.tokens
                for part in parts:
                    delta = _delta(part)
                    if delta is not None:
                        yield self._chunk(index, delta, infos=infos)
                        infos = ()
                if infos:
                    yield self._chunk(index, {"content": ""}, infos=infos)
                if update.finished:
                    reason = _finish_reason(result, readers[index])
                    yield self._chunk(index, {}, reason=reason)
            if self._with_usage:
                yield event(
                    {
                        **self._base,
                        "object": "chat.completion.chunk",
                        "choices": [],
                        "usage": usage(answers.num_prompt, answers.results),
                    }
                )
            yield DONE
        except ApiError as error:
            yield event(error.body)

    def _chunk(
        self,
        index: int,
        delta: dict[str, Any],
        *,
        infos: tuple[TokenInfo, ...] = (),
        reason: str | None = None,
    ) -> bytes:
        choice = {
            "index": index,
            "delta": delta,
            "logprobs": _logprobs(infos or None),
            "finish_reason": reason,
        }
        chunk = {**self._base, "object": "chat.completion.chunk", "choices": [choice]}
        if self._with_usage:
            chunk["usage"] = None
        return event(chunk)


def gather(events: list[Event]) -> tuple[str, list[dict[str, Any]]]:
    """The text and the calls of a whole answer."""
    content: list[str] = []
    calls: list[dict[str, Any]] = []
    for one in events:
        if isinstance(one, str):
            content.append(one)
        elif isinstance(one, CallStart):
            function = {"name": one.name, "arguments": ""}
            calls.append({"id": one.id, "type": "function", "function": function})
        elif isinstance(one, Arguments):
            calls[one.index]["function"]["arguments"] += one.text
    return "".join(content), calls


def _delta(part: Event) -> dict[str, Any] | None:
    if isinstance(part, str):
        return {"content": part}
    if isinstance(part, CallEnd):
        return None
    call: dict[str, Any] = {"index": part.index}
    if isinstance(part, CallStart):
        call |= {"id": part.id, "type": "function"}
        call["function"] = {"name": part.name, "arguments": ""}
    else:
        call["function"] = {"arguments": part.text}
    return {"tool_calls": [call]}


def _logprobs(infos: tuple[TokenInfo, ...] | None) -> dict[str, Any] | None:
    if infos is None:
        return None
    return {"content": [token_entry(info) for info in infos], "refusal": None}


def _finish_reason(result: Result, reader: CallReader) -> str:
    if result.stop_reason == "length":
        return "length"
    return "tool_calls" if reader.num_calls else "stop"
