"""Tool calls: how a model is told of tools, held to their schemas, and read.

    plan = ToolPlan.of(tools, choice="auto", parallel=True, text=None, template=template)
    messages, tools = plan.prompt(messages)          # for the chat template
    plan.grammar(tokenizer)                          # what the answer must follow, or None
    for event in plan.reader().push(text): ...       # str | CallStart | Arguments | CallEnd

A template that knows tools is left to write them, in its style; for others the tools stand in
the system message and calls are written as the Hermes format has them. It knows no HTTP.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qingyu.engine.constraint import Grammar
from qingyu.engine.json_schema import prepared
from qingyu.errors import ConstraintError, InvalidRequestError
from qingyu.serve.tool_styles import HERMES, Style, style_of
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.engine.constraint import Constraint
    from qingyu.models.template import ChatTemplate
    from qingyu.models.tokenizer import Tokenizer

MAX_TOOLS = 128
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

# Keywords beside which "no other properties" would take away more than it should.
_JOINED = ("$ref", "allOf", "anyOf", "oneOf", "patternProperties")

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
    text: what an answer without calls must follow; None: anything.
    native: whether the template writes tools and calls itself.
    """

    tools: tuple[Tool, ...] = ()
    choice: str = "auto"
    parallel: bool = True
    text: Grammar | None = None
    style: Style = HERMES
    native: bool = False

    @classmethod
    def of(
        cls,
        tools: Sequence[Tool],
        *,
        choice: str = "auto",
        function: str | None = None,
        parallel: bool = True,
        text: Grammar | None = None,
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
                ),
                param="tools",
            )
        names: set[str] = set()
        for tool in tools:
            if not _NAME.fullmatch(tool.name):
                raise InvalidRequestError(
                    pick(
                        f"the tool name {tool.name[:80]!r} is not 1 to 64 of a-z A-Z 0-9 _ -",
                        f"工具名 {tool.name[:80]!r} 应为 1 到 64 个 a-z A-Z 0-9 _ - 字符",
                    ),
                    param="tools",
                )
            if tool.name in names:
                raise InvalidRequestError(
                    pick(f"two tools are called {tool.name!r}", f"有两个工具名为 {tool.name!r}"),
                    param="tools",
                )
            names.add(tool.name)
        if choice not in ("none", "auto") and not tools:
            raise InvalidRequestError(
                pick("tool_choice asks for a call, but there are no tools", "要求调用，却没有工具"),
                param="tool_choice",
            )
        if function is not None and function not in names:
            raise InvalidRequestError(
                pick(
                    f"tool_choice names {function[:80]!r}, which is not among the tools",
                    f"tool_choice 指定的 {function[:80]!r} 不在工具之中",
                ),
                param="tool_choice",
            )
        style = None if template is None else style_of(template.source)
        written: dict[str, Any] = {
            "text": text,
            "style": style or HERMES,
            "native": style is not None,
        }
        if choice == "none":
            return cls(**written)
        return cls(tools=tuple(tools), choice=function or choice, parallel=parallel, **written)

    @property
    def forced(self) -> bool:
        """Whether the answer must be a call."""
        return bool(self.tools) and self.choice != "auto"

    def prompt(
        self, messages: Sequence[Mapping[str, Any]]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]] | None]:
        """Messages and tools for the chat template.

        messages: OpenAI's, with tool_calls and the role "tool".
        Raises InvalidRequestError for a result of a call that nobody made.
        """
        _check_results(messages)
        listed = [tool.as_openai() for tool in self.tools]
        if self.native:
            return [_with_objects(message) for message in messages], listed or None
        texts = list(_as_texts(messages, self.style))
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
        of free text unless a call is forced; with `text`, calls or that. Without tools: `text`."""
        if not self.tools:
            return self.text
        functions = {
            tool.name: _arguments_schema(tool)
            for tool in self.tools
            if self.choice in ("auto", "required", tool.name)
        }
        return self.style.grammar(
            functions, tokenizer, forced=self.forced, several=self._several, text=self.text
        )

    def check_text(self, constrain: Callable[[Grammar], Constraint], tokenizer: Tokenizer) -> None:
        """Raises ConstraintError when `text` cannot be followed, or may look like a call."""
        if self.text is None or not self.tools:
            return
        state = constrain(self.text)
        for opening in () if self.forced else self._openings:
            # JSON is told apart word by word, other texts by their first character.
            seen = opening if self.text.kind == "json_schema" else opening[0]
            tokens = tokenizer.encode(seen, add_bos=False, continued=True)
            if state.valid_prefix(tokens) == len(tokens):
                raise ConstraintError(
                    pick(
                        f"an answer in this format may begin with {seen}, as a call of a tool"
                        " does with this model; use a schema that names its properties, or set"
                        " tool_choice",
                        f"符合此格式的回答可能以 {seen} 开头，与此模型的工具调用相同；"
                        "请使用写明属性的 schema，或指定 tool_choice",
                    )
                )

    @property
    def _openings(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.style.opening(tool.name) for tool in self.tools))

    @property
    def _several(self) -> bool:
        """A named function is called once; whoever wants several says "required"."""
        return self.parallel and self.choice in ("auto", "required")

    def reader(self) -> CallReader:
        """Reads one answer."""
        style = self.style if self.tools else None
        return CallReader(style, () if self.text is None else self._openings)


class CallReader:
    """Splits an answer into text and calls as it comes. Text that may become the beginning of
    a call is held back until that is known."""

    def __init__(self, style: Style | None, openings: tuple[str, ...] = ()) -> None:
        """style: of the calls; None: there are none, all is text.
        openings: an answer that begins with one of these is calls, any other is text; none
        given: calls may follow text."""
        self.num_calls = 0
        self._style = style
        self._openings = openings
        self._held = ""
        self._inside = False
        self._named = False
        self._said = False
        if style is not None:
            before, after = style.head
            self._head = re.compile(rf"\s*{re.escape(before)}({_NAME.pattern}){re.escape(after)}")
            # No JSON text has a line break before its last brace.
            self._tail = f"}}\n{style.close}" if style.close else ""

    def push(self, text: str) -> list[Event]:
        """What `text`, the next piece of the answer, makes certain."""
        if self._style is None:
            return [text] if text else []
        self._held += text
        events: list[Event] = []
        while self._advance(self._style, events):
            pass
        return events

    def finish(self) -> list[Event]:
        """The answer has ended: what was held back is what it is."""
        held, self._held = self._held, ""
        if not held:
            return []
        if not self._inside:
            return [held] if held.strip() or not self.num_calls else []
        if not self._named:
            return []
        index = self.num_calls - 1
        if held[0] == "}" and _is_json(self._arguments):
            return [CallEnd(index)]  # what was held back is the call's own brace
        return [Arguments(index, held)]

    def _advance(self, style: Style, events: list[Event]) -> bool:
        """One step; False when more text is needed."""
        if not self._inside:
            if self._openings and not self.num_calls:
                return self._decide(style, events)
            return self._find_mark(style, events) if style.open else self._find_brace(events)
        index = self.num_calls - 1
        if not self._named:
            found = self._head.match(self._held)
            if found is None:
                return False
            index += 1
            events.append(CallStart(index, f"call_{secrets.token_hex(12)}", found[1]))
            self.num_calls += 1
            self._held = self._held[found.end() :]
            self._named = True
            self._arguments = ""
        end = self._held.find(self._tail) if self._tail else -1
        # Without a mark at its end a call ends with the answer: with its last character.
        keep = 0 if end >= 0 else _overlap(self._held, self._tail) if self._tail else 1
        count = end if end >= 0 else len(self._held) - keep
        if count > 0:
            events.append(Arguments(index, self._held[:count]))
            self._arguments += self._held[:count]
            self._held = self._held[count:]
        if end < 0:
            return False
        self._held = self._held[len(self._tail) :]
        self._inside = self._named = False
        events.append(CallEnd(index))
        return True

    def _decide(self, style: Style, events: list[Event]) -> bool:
        """The beginning says whether all of the answer is calls or text."""
        held = self._held
        if self._said or not any(one.startswith(held[: len(one)]) for one in self._openings):
            if held:
                events.append(held)
            self._held = ""
            self._said = True
        elif held.startswith(self._openings):
            self._held = held[len(style.open) :]
            self._inside = True
        return self._inside

    def _find_mark(self, style: Style, events: list[Event]) -> bool:
        start = self._held.find(style.open)
        certain = start if start >= 0 else len(self._held) - _overlap(self._held, style.open)
        # Blanks before a call are no text, so they wait for what follows them.
        text = self._held[:certain].rstrip()
        if text:
            events.append(text)
            self._said = True
        if start < 0:
            self._held = self._held[len(text) :]
            return False
        self._held = self._held[start + len(style.open) :]
        self._inside = True
        return True

    def _find_brace(self, events: list[Event]) -> bool:
        """An answer that begins with a brace is a call."""
        self._inside = self._held.startswith("{") and not self._said
        if self._held and not self._inside:
            events.append(self._held)
            self._held = ""
            self._said = True
        return self._inside


def _overlap(text: str, mark: str) -> int:
    """Length of the longest end of text that begins the mark."""
    for length in range(min(len(text), len(mark) - 1), 0, -1):
        if mark.startswith(text[-length:]):
            return length
    return 0


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _arguments_schema(tool: Tool) -> dict[str, Any]:
    """The schema arguments are held to: an object, and of no other properties than those
    described, unless the schema speaks of them."""
    schema = dict(tool.parameters)
    schema.pop("nullable", None)
    if schema.setdefault("type", "object") != "object":
        raise InvalidRequestError(
            pick(
                f"the parameters of the tool {tool.name!r} have the type {schema['type']!r};"
                " arguments are always an object",
                f"工具 {tool.name!r} 的 parameters 类型为 {schema['type']!r}；参数必须是对象",
            ),
            param="tools",
        )
    if not tool.parameters or ("properties" in schema and schema.keys().isdisjoint(_JOINED)):
        schema.setdefault("additionalProperties", False)
    try:
        return prepared(schema)
    except ConstraintError as error:
        raise ConstraintError(
            pick(f"the tool {tool.name!r}: {error}", f"工具 {tool.name!r}：{error}"),
            param="tools",
        ) from None


def _check_results(messages: Sequence[Mapping[str, Any]]) -> None:
    made: set[str] = set()
    for message in messages:
        made.update(call["id"] for call in message.get("tool_calls") or () if "id" in call)
        answered = message.get("tool_call_id")
        if message["role"] == "tool" and answered is not None and answered not in made:
            raise InvalidRequestError(
                pick(
                    f"a tool message answers the call {answered[:80]!r}, but no message before"
                    " it makes that call",
                    f"有 tool 消息回应调用 {answered[:80]!r}，但此前没有消息发起该调用",
                )
            )


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


def _as_texts(messages: Sequence[Mapping[str, Any]], style: Style) -> Iterator[dict[str, Any]]:
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
            written = style.call(function["name"], function["arguments"] or "{}")
            content = f"{content}\n{written}" if content else written
        yield {"role": message["role"], "content": content}
    if results:
        yield {"role": "user", "content": "\n".join(results)}
