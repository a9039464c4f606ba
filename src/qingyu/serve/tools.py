"""Tool calls: how a model is told of tools, held to their schemas, and read.

    plan = ToolPlan.of(tools, choice="auto", parallel=True, template=template)
    messages, tools = plan.prompt(messages)          # for the chat template
    plan.grammar(tokenizer)                          # what the answer must follow, or None
    for event in plan.reader().push(text): ...       # str | CallStart | Arguments | CallEnd

The calls are written as the Hermes format has them, which Qwen, MiMo and SmolLM use too:
`<tool_call>\\n{"name": ..., "arguments": {...}}\\n</tool_call>`. A template that writes this
itself is left to it; for others the tools stand in the system message. It knows no HTTP.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qingyu.engine.constraint import JSON_OPTIONS, Grammar
from qingyu.errors import InvalidRequestError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.models.template import ChatTemplate
    from qingyu.models.tokenizer import Tokenizer

MAX_TOOLS = 128
OPEN, CLOSE = "<tool_call>", "</tool_call>"
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_HEAD = re.compile(r'\s*\{"name": "([a-zA-Z0-9_-]{1,64})", "arguments": ')
_TAIL = "}\n" + CLOSE

# The words of the format's own documentation (Nous Research, Hermes function calling), in short.
_INSTRUCTIONS = """# Tools

You may call one or more functions to assist with the user's question. The functions are given \
as JSON within <tools></tools>:
<tools>
{tools}
</tools>

For each function call answer with a JSON object within <tool_call></tool_call>:
<tool_call>
{{"name": "function-name", "arguments": {{"argument": "value"}}}}
</tool_call>"""


@dataclass(frozen=True)
class CallStart:
    """A call begins. index: its place among the answer's calls."""

    index: int
    id: str
    name: str


@dataclass(frozen=True)
class Arguments:
    """A piece of a call's arguments, as JSON text."""

    index: int
    text: str


@dataclass(frozen=True)
class CallEnd:
    """A call is whole."""

    index: int


Event = str | CallStart | Arguments | CallEnd


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A function: its name, and the JSON schema of its arguments."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def as_openai(self) -> dict[str, Any]:
        """As templates expect it."""
        function: dict[str, Any] = {"name": self.name}
        if self.description:
            function["description"] = self.description
        function["parameters"] = dict(self.parameters)
        return {"type": "function", "function": function}


@dataclass(frozen=True, kw_only=True)
class ToolPlan:
    """What to do about the tools of one request.

    choice: "auto", "required", or the one function that must be called. Without tools, or with
    the choice "none", there are no calls; the history may still have some.
    """

    tools: tuple[Tool, ...] = ()
    choice: str = "auto"
    parallel: bool = True
    native: bool = False

    @classmethod
    def of(
        cls,
        tools: Sequence[Tool],
        *,
        choice: str = "auto",
        function: str | None = None,
        parallel: bool = True,
        template: ChatTemplate | None = None,
    ) -> ToolPlan:
        """choice: "none", "auto", "required", or with `function` the one to call.

        Raises InvalidRequestError naming the tool.
        """
        if len(tools) > MAX_TOOLS:
            raise InvalidRequestError(
                pick(
                    f"there are {len(tools)} tools; at most {MAX_TOOLS} are possible",
                    f"工具有 {len(tools)} 个；最多 {MAX_TOOLS} 个",
                )
            )
        names: set[str] = set()
        for tool in tools:
            if not _NAME.fullmatch(tool.name):
                raise InvalidRequestError(
                    pick(
                        f"the tool name {tool.name[:80]!r} is not 1 to 64 of a-z A-Z 0-9 _ -",
                        f"工具名 {tool.name[:80]!r} 应为 1 到 64 个 a-z A-Z 0-9 _ - 字符",
                    )
                )
            if tool.name in names:
                raise InvalidRequestError(
                    pick(f"two tools are called {tool.name!r}", f"有两个工具名为 {tool.name!r}")
                )
            names.add(tool.name)
        if choice not in ("none", "auto") and not tools:
            raise InvalidRequestError(
                pick("tool_choice asks for a call, but there are no tools", "要求调用，却没有工具")
            )
        if function is not None and function not in names:
            raise InvalidRequestError(
                pick(
                    f"tool_choice names {function[:80]!r}, which is not among the tools",
                    f"tool_choice 指定的 {function[:80]!r} 不在工具之中",
                )
            )
        native = template is not None and OPEN in template.source and "tools" in template.source
        if choice == "none":
            return cls(native=native)
        if function is not None:
            choice = function
        return cls(tools=tuple(tools), choice=choice, parallel=parallel, native=native)

    @property
    def forced(self) -> bool:
        """Whether the answer must be a call."""
        return bool(self.tools) and self.choice != "auto"

    def prompt(
        self, messages: Sequence[Mapping[str, Any]]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]] | None]:
        """Messages and tools for the chat template.

        messages: OpenAI's, with tool_calls and the role "tool".
        """
        listed = [tool.as_openai() for tool in self.tools]
        if self.native:
            return [_with_objects(message) for message in messages], listed or None
        texts = list(_as_texts(messages))
        if listed:
            dumped = "\n".join(json.dumps(one, ensure_ascii=False) for one in listed)
            instructions = _INSTRUCTIONS.format(tools=dumped)
            if texts and texts[0]["role"] == "system":
                joined = f"{texts[0]['content']}\n\n{instructions}"
                texts[0] = {**texts[0], "content": joined}
            else:
                texts.insert(0, {"role": "system", "content": instructions})
        return texts, None

    def grammar(self, tokenizer: Tokenizer) -> Grammar | None:
        """What the answer must follow: calls with arguments by their schemas, after or instead
        of free text unless a call is forced. None without tools."""
        if not self.tools:
            return None
        # Where the marker is one token of the vocabulary, the grammar has to name the token.
        ids = {text: tokenizer.encode(text, special=True, add_bos=False) for text in (OPEN, CLOSE)}
        marks = {
            text: f"<[{found[0]}]>"
            if len(found) == 1 and tokenizer.is_special(found[0])
            else json.dumps(text)
            for text, found in ids.items()
        }
        chosen = [tool for tool in self.tools if self.choice in ("auto", "required", tool.name)]
        call = f'"\\n" one "\\n" {marks[CLOSE]}'
        more = f'("\\n" {marks[OPEN]} {call})*' if self._several else ""
        lines = []
        if self.forced:
            lines.append(f"start: {marks[OPEN]} {call} {more}")
        elif marks[OPEN].startswith("<["):
            lines += [f"start: TEXT ({marks[OPEN]} {call} {more})?", r"TEXT: /(?s:.*)/"]
        else:
            lines += [
                f"start: TEXT | before {call} {more}",
                rf"TEXT: /(?s:.*)/ & ~/(?s:.*){OPEN}(?s:.*)/",
                f'before[suffix="{OPEN}"]: /(?s:.*)/',
            ]
        lines.append("one: " + " | ".join(f"one_{number}" for number in range(len(chosen))))
        for number, tool in enumerate(chosen):
            head = json.dumps('{"name": "' + tool.name + '", "arguments": ')
            schema = json.dumps(_arguments_schema(tool), ensure_ascii=True)
            lines += [
                f'one_{number}: {head} arguments_{number} "}}"',
                f"arguments_{number}: %json {schema}",
            ]
        return Grammar.lark("\n".join(lines) + "\n")

    @property
    def _several(self) -> bool:
        """A named function is called once; whoever wants several says "required"."""
        return self.parallel and self.choice in ("auto", "required")

    def reader(self) -> CallReader:
        """Reads one answer."""
        return CallReader(active=bool(self.tools))


class CallReader:
    """Splits an answer into text and calls as it comes. Text that may become the beginning of
    a call is held back until that is known."""

    def __init__(self, *, active: bool) -> None:
        self._active = active
        self._held = ""
        self._inside = False
        self._named = False
        self._said = False
        self.num_calls = 0

    def push(self, text: str) -> list[Event]:
        """What `text`, the next piece of the answer, makes certain."""
        if not self._active:
            return [text] if text else []
        self._held += text
        events: list[Event] = []
        while self._advance(events):
            pass
        return events

    def finish(self) -> list[Event]:
        """The answer has ended: what was held back is what it is."""
        held, self._held = self._held, ""
        if not held:
            return []
        if not self._inside:
            return [held] if self._said or held.strip() or not self.num_calls else []
        return [Arguments(self.num_calls - 1, held)] if self._named else []

    def _advance(self, events: list[Event]) -> bool:
        """One step; False when more text is needed."""
        if not self._inside:
            return self._read_text(events)
        if not self._named:
            found = _HEAD.match(self._held)
            if found is None:
                return False
            events.append(CallStart(self.num_calls, f"call_{secrets.token_hex(12)}", found[1]))
            self.num_calls += 1
            self._held = self._held[found.end() :]
            self._named = True
        end = self._held.find(_TAIL)
        index = self.num_calls - 1
        if end < 0:
            keep = _overlap(self._held, _TAIL)
            self._let_out(events, len(self._held) - keep, lambda text: Arguments(index, text))
            return False
        self._let_out(events, end, lambda text: Arguments(index, text))
        self._held = self._held[len(_TAIL) :]
        self._inside = self._named = False
        events.append(CallEnd(index))
        return True

    def _read_text(self, events: list[Event]) -> bool:
        start = self._held.find(OPEN)
        if start < 0:
            keep = _overlap(self._held, OPEN)
            # Blanks before and between calls are no text.
            free = self._held[: len(self._held) - keep]
            if not free.strip() and (self.num_calls or not self._said):
                return False
            self._let_out(events, len(free), str)
            self._said = True
            return False
        before = self._held[:start]
        if before.strip():
            events.append(before.rstrip("\n") if not self._said else before)
            self._said = True
        self._held = self._held[start + len(OPEN) :]
        self._inside = True
        return True

    def _let_out(self, events: list[Event], count: int, make: Any) -> None:
        if count > 0:
            events.append(make(self._held[:count]))
            self._held = self._held[count:]


def _overlap(text: str, mark: str) -> int:
    """Length of the longest end of text that begins the mark."""
    for length in range(min(len(text), len(mark) - 1), 0, -1):
        if mark.startswith(text[-length:]):
            return length
    return 0


def _arguments_schema(tool: Tool) -> dict[str, Any]:
    schema = dict(tool.parameters)
    # Arguments are an object, and no others than those described are meant.
    schema.setdefault("type", "object")
    if "properties" in schema or "$ref" not in schema:
        schema.setdefault("additionalProperties", False)
    # How llguidance is told of options inside a grammar; what the caller wrote there is dropped.
    schema["x-guidance"] = JSON_OPTIONS
    return schema


def _with_objects(message: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as objects: templates print them as JSON."""
    copy = dict(message)
    if copy.get("tool_calls"):
        copy["tool_calls"] = [
            {
                **call,
                "function": {**call["function"], "arguments": _loaded(call["function"])},
            }
            for call in copy["tool_calls"]
        ]
        copy["content"] = copy.get("content") or ""
    return copy


def _loaded(function: Mapping[str, Any]) -> Any:
    try:
        return json.loads(function["arguments"] or "{}")
    except (ValueError, RecursionError):
        return function["arguments"]


def _as_texts(messages: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Calls and their results as text, for templates that know neither."""
    results: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            results.append(f"<tool_response>\n{message.get('content') or ''}\n</tool_response>")
            continue
        if results:
            yield {"role": "user", "content": "\n".join(results)}
            results = []
        content = message.get("content") or ""
        for call in message.get("tool_calls") or ():
            function = call["function"]
            name, arguments = json.dumps(function["name"]), function["arguments"] or "{}"
            written = f'{OPEN}\n{{"name": {name}, "arguments": {arguments}}}\n{CLOSE}'
            content = f"{content}\n{written}" if content else written
        yield {"role": message["role"], "content": content}
    if results:
        yield {"role": "user", "content": "\n".join(results)}
