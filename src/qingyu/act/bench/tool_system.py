"""Any chat model as an assistant: told the household, it answers with calls as JSON.

    ToolSystem(ModelWriter(model))                                    # of the engine, constrained
    ToolSystem(EndpointWriter(url="http://127.0.0.1:8000/v1", model="qwen3-0.6b"))

Nothing stands between the model and the devices but what is possible: a call that can be done is
done, also one the guard would ask about. Whether to ask for a yes first is the model's own
job, as it is everywhere where models get tools. What cannot be done it is told once in the same
turn, so that it can say so or do it otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from qingyu.act.actions import apply
from qingyu.act.bench import tool_prompt
from qingyu.act.bench.cases import Case
from qingyu.act.bench.judging import Scheduled
from qingyu.act.bench.systems import Session
from qingyu.act.calls import Call, Verdict, refusal
from qingyu.act.when import When, parse_when
from qingyu.act.world import World
from qingyu.engine.constraint import Grammar
from qingyu.errors import EndpointError, InvalidRequestError
from qingyu.prove.choices import model_identity
from qingyu.prove.endpoint import content
from qingyu.prove.endpoint_client import Client, RefusedError, base_url, find_key
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.engine.model import Model

MAX_TOKENS = 768
_TRIES = 2
Message = dict[str, str]


class Writer(Protocol):
    """Whoever writes the answers. identity: as a `System`'s."""

    @property
    def identity(self) -> Mapping[str, Any]: ...

    def prepare(self, messages: Sequence[Message]) -> None:
        """Compute ahead what a conversation begins with, where that is possible."""
        ...

    def write(self, messages: Sequence[Message], schema: Mapping[str, Any]) -> str:
        """The answer, in JSON of the schema as far as the writer can see to that."""
        ...


class ModelWriter:
    """A model of the engine, greedy, held to the schema. Raises TemplateError where it has no
    chat template."""

    def __init__(self, model: Model, *, max_tokens: int = MAX_TOKENS) -> None:
        model.chat_tokens([{"role": "user", "content": "?"}])
        self._model = model
        self._max_tokens = max_tokens
        self.identity: Mapping[str, Any] = {
            "system": "model",
            **model_identity(model),
            "max_tokens": max_tokens,
            "context": model.core.limit,
        }

    def prepare(self, messages: Sequence[Message]) -> None:
        begin = [*messages, {"role": "user", "content": ""}]
        tokens = self._model.chat_tokens(begin, template_values={"enable_thinking": False})
        self._model.generate(tokens, max_tokens=1).read()

    def write(self, messages: Sequence[Message], schema: Mapping[str, Any]) -> str:
        stream = self._model.chat(
            messages,
            template_values={"enable_thinking": False},
            constraint=Grammar.json_schema(schema),
            max_tokens=self._max_tokens,
        )
        return stream.read().text


class EndpointWriter:
    """An OpenAI-compatible server. It is asked for JSON of the schema; one that does not know
    that, for JSON; one that does not know that either, for text."""

    def __init__(
        self,
        *,
        url: str,
        model: str,
        max_tokens: int = MAX_TOKENS,
        rate: float | None = None,
        retries: int = 6,
        timeout: float = 300.0,
        backoff: float = 1.0,
    ) -> None:
        """As `qingyu.prove.endpoint.EndpointAnswerer`, one request at a time."""
        if not model:
            raise InvalidRequestError(
                pick("the endpoint's model has no name", "没有给出端点的模型名称")
            )
        url = base_url(url)
        self._client = Client(
            url=url,
            key=find_key(url),
            rate=rate,
            retries=retries,
            timeout=timeout,
            backoff=backoff,
            connections=1,
        )
        self._model = model
        self._max_tokens = max_tokens
        # What this server turned out to want.
        self._formats = ["json_schema", "json_object", ""]
        self._limit_name = "max_tokens"
        self.identity: Mapping[str, Any] = {
            "system": "endpoint",
            "name": model,
            "endpoint": url,
            "max_tokens": max_tokens,
            "temperature": 0,
        }

    def prepare(self, messages: Sequence[Message]) -> None:
        """Nothing: a server is not asked what nobody said."""

    def write(self, messages: Sequence[Message], schema: Mapping[str, Any]) -> str:
        """Raises EndpointError; InvalidRequestError where a prompt does not fit."""
        while True:
            body = {
                "model": self._model,
                "messages": list(messages),
                "temperature": 0,
                self._limit_name: self._max_tokens,
                **_format(self._formats[0], schema),
            }
            try:
                reply = self._client.post("/chat/completions", body)
            except RefusedError as error:
                if error.too_long:
                    raise InvalidRequestError(str(error)) from None
                if error.status not in (400, 404, 422) or not self._yields(error.reason):
                    raise
                continue
            choices = reply.get("choices")
            if isinstance(choices, list) and choices and isinstance(choices[0], dict):
                return content(choices[0])
            raise EndpointError(
                pick(
                    f"{self._client.url} answers without choices; it is no OpenAI-compatible API",
                    f"{self._client.url} 的回答中没有 choices；不是 OpenAI 兼容接口",
                )
            )

    def close(self) -> None:
        self._client.close()

    def _yields(self, reason: str) -> bool:
        """Ask for less, where the server says that it does not know what it was asked for."""
        if self._limit_name == "max_tokens" and "max_completion_tokens" in reason:
            self._limit_name = "max_completion_tokens"
        elif len(self._formats) > 1 and re.search(
            r"response_format|json_schema|json_object|schema|grammar", reason
        ):
            self._formats.pop(0)
        else:
            return False
        return True


def _format(kind: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "json_schema":
        named = {"name": "answer", "schema": dict(schema), "strict": False}
        return {"response_format": {"type": kind, "json_schema": named}}
    return {"response_format": {"type": kind}} if kind else {}


class ToolSystem:
    """A writer with the tool prompt."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self.identity: Mapping[str, Any] = {**writer.identity, "prompt": tool_prompt.VERSION}
        self._schemas: dict[int, dict[str, Any]] = {}

    def start(self, world: World, case: Case) -> Session:
        if id(world) not in self._schemas:
            self._schemas[id(world)] = tool_prompt.call_schema(world)
        session = _ToolSession(self._writer, world, case, self._schemas[id(world)])
        self._writer.prepare(session.messages)
        return session


class _ToolSession:
    def __init__(self, writer: Writer, world: World, case: Case, schema: Mapping[str, Any]) -> None:
        self.state = case.beginning
        self.schedules: list[Scheduled] = []
        self.done: list[Call] = []
        self.garbled = 0
        self.note = ""
        self.messages: list[Message] = [
            {"role": "system", "content": tool_prompt.system_prompt(world, case.language)}
        ]
        self._writer = writer
        self._world = world
        self._case = case
        self._schema = schema

    def say(self, text: str) -> str:
        language = self._case.language
        prompt = tool_prompt.turn_prompt(
            self._world, language, said=text, speaker=self._case.speaker, state=self.state
        )
        reply, notes = "", []
        for _ in range(_TRIES):
            self.messages.append({"role": "user", "content": prompt})
            written = self._writer.write(self.messages, self._schema)
            self.messages.append({"role": "assistant", "content": written})
            notes.append(written)
            answer = parsed(written)
            self.garbled += answer.garbled
            reply = answer.reply or reply
            refused = [one for call in answer.calls if (one := self._do(*call))]
            if not refused:
                break
            prompt = tool_prompt.refused_prompt(language, refused)
        self.note = "\n".join(notes)
        return reply

    def _do(self, call: Call, when: When | None) -> str:
        """Do it, or put it off; why not, or ""."""
        found = refusal(self._world, self.state, call)
        if found is not None:
            return _why(found)
        if when is not None:
            self.schedules.append(Scheduled(when, (call,)))
        else:
            self.state = apply(self._world, self.state, call)
            self.done.append(call)
        return ""


def _why(verdict: Verdict) -> str:
    """A refusal with its facts, as a model is told it."""
    call = verdict.call
    arguments = ", ".join(f"{key}={value}" for key, value in call.arguments.items())
    facts = [verdict.outcome, verdict.reason, verdict.key]
    if verdict.outcome == "out_of_range":
        ends = [f"{one:g}" if one is not None else "" for one in (verdict.low, verdict.high)]
        facts.append(f"{ends[0]}–{ends[1]}{verdict.unit}")
    if verdict.options:
        facts.append(" | ".join(verdict.options))
    said = " ".join(one for one in facts if one)
    return f"{call.entity} {call.action}({arguments}): {said}"


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """garbled: whether it was not an answer as it was asked for; then there are no calls."""

    calls: tuple[tuple[Call, When | None], ...] = ()
    reply: str = ""
    garbled: bool = False


def parsed(text: str) -> Parsed:
    """A model's answer. What it thought before, and a fence around, are no fault; text that is
    no JSON is a reply that does nothing."""
    text = re.sub(r"<think>.*?</think>", "", text, flags=re.DOTALL).strip()
    fenced = re.fullmatch(r"```(?:json)?\s*(.*?)\s*```", text, flags=re.DOTALL)
    text = fenced[1] if fenced else text
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        shown = "" if text.startswith("{") else text
        return Parsed(reply=shown, garbled=True)
    try:
        reply = found["reply"]
        if not isinstance(reply, str):
            raise TypeError(reply)
        calls = tuple(_call(one) for one in found["calls"])
    except (TypeError, KeyError, AttributeError, ValueError):
        said = found.get("reply") if isinstance(found, dict) else ""
        return Parsed(reply=said if isinstance(said, str) else "", garbled=True)
    return Parsed(calls=calls, reply=reply)


def _call(written: Any) -> tuple[Call, When | None]:
    arguments = dict(written)
    action, entity = arguments.pop("action"), arguments.pop("entity")
    when = arguments.pop("when", None)
    for value in (action, entity, *arguments.values()):
        if not isinstance(value, str | int | float | bool):
            raise TypeError(value)
    return Call(str(action), str(entity), arguments), None if when is None else parse_when(when)
