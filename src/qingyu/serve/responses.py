"""/v1/responses: OpenAI's newer endpoint, without a memory: nothing is stored.

    Route("/v1/responses", create_response, methods=["POST"])

The answer is a list of items, a message and function calls; streaming tells how each comes
about. Events, in order: created, in_progress; for each item added, its deltas, its dones, done;
then completed, incomplete or failed. `sequence_number` counts them.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from qingyu.engine.constraint import Grammar
from qingyu.engine.request import Options
from qingyu.engine.results import Result, TokenInfo
from qingyu.serve.answers import (
    Answers,
    ClientGoneError,
    conversation_size,
    off_loop,
    token_entry,
)
from qingyu.serve.fields import JsonObjectFormat, check_model, refuse_unsupported
from qingyu.serve.limits import parse, read_json
from qingyu.serve.problems import ApiError, about
from qingyu.serve.responses_schema import (
    UNSUPPORTED,
    FunctionChoice,
    ResponsesRequest,
    SchemaFormat,
)
from qingyu.serve.service import Service
from qingyu.serve.sse import EventStream, event
from qingyu.serve.tools import Arguments, CallStart, Event, Tool, ToolPlan


async def create_response(request: Request) -> Response:
    """The endpoint."""
    service: Service = request.app.state.service
    service.ready()
    data = await read_json(request, service.settings.limits)
    refuse_unsupported(data, UNSUPPORTED)
    body = parse(ResponsesRequest, data)
    model = service.model
    adapter = check_model(body.model, service)
    plan = _plan(body, service)
    messages = body.messages()

    def prepare() -> tuple[list[int], Options]:
        texts, tools = plan.prompt(messages)
        return model.chat_tokens(texts, tools=tools), _options(body, plan, service, adapter)

    tokens, options = await off_loop(conversation_size(messages, plan), prepare)
    answers = Answers(
        service,
        tokens,
        options=options,
        user=body.fairness_key,
        deadline=body.deadline_seconds,
        prompt_field="input",
        grammar_field="tools" if plan.tools else "text.format",
    )
    writer = _Writer(service.name_with(adapter), body, plan)
    if body.stream:
        # Entered here, so that what is refused is refused with a status.
        await answers.__aenter__()
        return EventStream(writer.stream(answers), answers)
    async with answers:
        try:
            (result,) = await answers.collect(request)
        except ClientGoneError:
            return Response(status_code=499)
    writer.take(result.text, result.logprobs or (), result)
    return JSONResponse(writer.response(result, answers.num_prompt))


def _plan(body: ResponsesRequest, service: Service) -> ToolPlan:
    tools = [
        Tool(name=one.name, description=one.description or "", parameters=one.parameters or {})
        for one in body.tools or ()
    ]
    choice = body.tool_choice
    named = choice.name if isinstance(choice, FunctionChoice) else None
    wanted = body.text.format if body.text else None
    text: Grammar | None = None
    if isinstance(wanted, JsonObjectFormat):
        text = Grammar.json_object()
    elif isinstance(wanted, SchemaFormat):
        with about("text.format"):
            text = Grammar.json_schema(wanted.schema_)
    return ToolPlan.of(
        tools,
        choice=choice if isinstance(choice, str) else "required" if named else "auto",
        function=named,
        parallel=body.parallel_tool_calls is not False,
        text=text,
        template=service.model.template,
    )


def _options(
    body: ResponsesRequest, plan: ToolPlan, service: Service, adapter: str | None
) -> Options:
    options = body.options()
    options["adapter"] = adapter
    if body.max_output_tokens is not None:
        options["max_tokens"] = body.max_output_tokens
    if body.wants_logprobs:
        options["logprobs"] = body.top_logprobs or 0
    with about("text.format"):
        plan.check_text(service.model.constrain, service.model.tokenizer)
    grammar = plan.grammar(service.model.tokenizer)
    if grammar is not None:
        options["constraint"] = grammar
    return options


class _Writer:
    """One response: its items so far, and the events that tell of them."""

    def __init__(self, model: str, body: ResponsesRequest, plan: ToolPlan) -> None:
        self._reader = plan.reader()
        self._body = body
        self._id = f"resp_{secrets.token_hex(16)}"
        self._created = time.time()
        self._model = model
        self._items: list[dict[str, Any]] = []
        self._open: dict[str, Any] | None = None
        self._events: list[bytes] = []
        self._number = 0
        # Tokens whose text has not come yet.
        self._infos: list[TokenInfo] = []

    async def stream(self, answers: Answers) -> AsyncGenerator[bytes, None]:
        """The response as it comes."""
        for kind in ("response.created", "response.in_progress"):
            self._tell(kind, response=self.response(None, answers.num_prompt))
        yield self._told()
        try:
            result: Result | None = None
            async for _, update in answers:
                if update.finished:
                    result = answers.result(0)
                self.take(update.text, update.tokens, result)
                if self._events:
                    yield self._told()
            assert result is not None
            complete = result.stop_reason != "length"
            kind = "response.completed" if complete else "response.incomplete"
            self._tell(kind, response=self.response(result, answers.num_prompt))
        except ApiError as error:
            self._close(complete=False)
            failed = self.response(None, answers.num_prompt)
            failed |= {
                "status": "failed",
                "error": {"code": "server_error", "message": error.message},
            }
            self._tell("response.failed", response=failed)
        yield self._told()

    def take(self, text: str, infos: Sequence[TokenInfo], result: Result | None) -> None:
        """The next piece of the answer; with a result, the last."""
        self._infos += infos
        for part in self._reader.push(text):
            self._take(part)
        if result is not None:
            for part in self._reader.finish():
                self._take(part)
            if self._infos and self._open is not None and self._open["type"] == "message":
                self._take_text("")  # tokens that showed nothing
            self._close(complete=result.stop_reason != "length")

    def _take(self, part: Event) -> None:
        if isinstance(part, str):
            self._take_text(part)
            return
        # Log-probabilities are those of texts; a call has no place for them.
        self._infos = []
        if isinstance(part, CallStart):
            self._close(complete=True)
            item = {
                "id": f"fc_{secrets.token_hex(12)}",
                "type": "function_call",
                "status": "in_progress",
                "call_id": part.id,
                "name": part.name,
                "arguments": "",
            }
            self._begin(item)
        elif isinstance(part, Arguments):
            item = self._current
            item["arguments"] += part.text
            self._tell(
                "response.function_call_arguments.delta",
                item_id=item["id"],
                output_index=self._place,
                delta=part.text,
            )
        else:
            self._close(complete=True)

    def _take_text(self, text: str) -> None:
        if self._open is None or self._open["type"] != "message":
            self._close(complete=True)
            item: dict[str, Any] = {
                "id": f"msg_{secrets.token_hex(12)}",
                "type": "message",
                "status": "in_progress",
                "role": "assistant",
                "content": [],
            }
            self._begin(item)
            part: dict[str, Any] = {"type": "output_text", "text": "", "annotations": []}
            part["logprobs"] = []
            self._tell("response.content_part.added", **self._where, part=part)
            item["content"] = [part]
        content = self._current["content"][0]
        content["text"] += text
        logprobs = [token_entry(info) for info in self._infos_of(text)]
        content["logprobs"] += logprobs
        self._tell("response.output_text.delta", **self._where, delta=text, logprobs=logprobs)

    def _infos_of(self, text: str) -> list[TokenInfo]:
        """The tokens that made this text; without any, all that are left."""
        size = len(text.encode())
        count = 0
        while count < len(self._infos) and (size > 0 or not text):
            size -= len(self._infos[count].raw)
            count += 1
        taken, self._infos = self._infos[:count], self._infos[count:]
        return taken

    def _close(self, *, complete: bool) -> None:
        """The open item has ended."""
        item, self._open = self._open, None
        if item is None:
            return
        self._open = item
        if item["type"] == "message":
            content = item["content"][0]
            self._tell(
                "response.output_text.done",
                **self._where,
                text=content["text"],
                logprobs=content["logprobs"],
            )
            self._tell("response.content_part.done", **self._where, part=content)
        else:
            self._tell(
                "response.function_call_arguments.done",
                item_id=item["id"],
                output_index=self._place,
                name=item["name"],
                arguments=item["arguments"],
            )
        item["status"] = "completed" if complete else "incomplete"
        self._tell("response.output_item.done", output_index=self._place, item=item)
        self._open = None

    def response(self, result: Result | None, num_prompt: int) -> dict[str, Any]:
        """The response object; without a result it is still in progress."""
        body = self._body
        status = "in_progress"
        details: dict[str, Any] | None = None
        usage: dict[str, Any] | None = None
        if result is not None:
            status = "completed"
            if result.stop_reason == "length":
                status, details = "incomplete", {"reason": "max_output_tokens"}
            generated = len(result.tokens)
            usage = {
                "input_tokens": num_prompt,
                "input_tokens_details": {
                    "cached_tokens": result.cached_tokens,
                    "cache_write_tokens": 0,
                },
                "output_tokens": generated,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": num_prompt + generated,
            }
        given: dict[str, Any] = body.model_dump(by_alias=True, exclude_none=True)
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "error": None,
            "incomplete_details": details,
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "metadata": body.metadata or {},
            "model": self._model,
            "output": self._items,
            "parallel_tool_calls": body.parallel_tool_calls is not False,
            "previous_response_id": None,
            "store": False,
            "temperature": 1.0 if body.temperature is None else body.temperature,
            "text": given.get("text") or {"format": {"type": "text"}},
            "tool_choice": given.get("tool_choice", "auto"),
            "tools": given.get("tools", []),
            "top_p": 1.0 if body.top_p is None else body.top_p,
            "truncation": "disabled",
            "usage": usage,
        }

    @property
    def _current(self) -> dict[str, Any]:
        assert self._open is not None
        return self._open

    @property
    def _place(self) -> int:
        return len(self._items) - 1

    @property
    def _where(self) -> dict[str, Any]:
        return {"item_id": self._current["id"], "output_index": self._place, "content_index": 0}

    def _begin(self, item: dict[str, Any]) -> None:
        self._items.append(item)
        self._open = item
        self._tell("response.output_item.added", output_index=self._place, item=item)

    def _tell(self, kind: str, **fields: Any) -> None:
        # Written at once: items go on changing.
        data = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        self._events.append(event(data, name=kind))

    def _told(self) -> bytes:
        told = b"".join(self._events)
        self._events = []
        return told
