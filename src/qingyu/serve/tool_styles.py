"""How models write tool calls, and the grammar that holds an answer to one of the ways.

    style = style_of(template.source) or HERMES
    grammar = style.grammar(functions, tokenizer, forced=True, several=False)

Hermes (Nous Research; also Qwen, MiMo, SmolLM): `<tool_call>` around a JSON object, any number
of calls after free text. Llama 3: the answer is one JSON object, or it is free text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qingyu.engine.constraint import Grammar, json_rule

if TYPE_CHECKING:
    from qingyu.models.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class Style:
    """A way of writing calls.

    open, close: what stands around a call; without them a call is the whole answer.
    key: what the arguments are called.
    signs: texts that a template has when it writes calls this way; foreign: when it does not.
    """

    open: str = ""
    close: str = ""
    key: str
    signs: tuple[str, ...]
    foreign: tuple[str, ...] = ()

    @property
    def head(self) -> tuple[str, str]:
        """What stands before and after a function's name."""
        return '{"name": "', f'", "{self.key}": '

    def opening(self, name: str) -> str:
        """What a call begins with, as far as it takes to see that it is one."""
        return self.open or name.join(self.head)

    def call(self, name: str, arguments: str) -> str:
        """A call as text. arguments: JSON text."""
        before, after = self.head
        written = f"{before}{name}{after}{arguments}}}"
        return f"{self.open}\n{written}\n{self.close}" if self.open else written

    def grammar(
        self,
        functions: Mapping[str, Mapping[str, Any]],
        tokenizer: Tokenizer,
        *,
        forced: bool,
        several: bool,
        text: Grammar | None = None,
    ) -> Grammar:
        """What an answer follows. functions: names, and schemas of arguments as
        `qingyu.engine.json_schema.prepared` gives them; text: what an answer without calls
        follows, then it has either text or calls; None: any text, also before calls."""
        lines = ["one: " + " | ".join(f"one_{number}" for number in range(len(functions)))]
        before, after = self.head
        for number, (name, schema) in enumerate(functions.items()):
            head = [before + name + after]
            if text is not None and not self.open:
                # Cut as JSON is, or the lexer would see nothing else in a text's first brace.
                head = ["{", '"name"', ": ", f'"{name}"', ", ", f'"{self.key}"', ": "]
            written = " ".join(json.dumps(part) for part in head)
            lines += [
                f'one_{number}: {written} arguments_{number} "}}"',
                json_rule(f"arguments_{number}", schema),
            ]
        if text is not None and not forced:
            lines.append(text.rule("text"))
        if not self.open:
            # Text that begins like a call would have to be one.
            if forced:
                start = ["start: one"]
            elif text is not None:
                start = ["start: text | one"]
            else:
                start = ["start: TEXT | one", r"TEXT: /([^{](?s:.*))?/"]
            return Grammar.lark("\n".join([*start, *lines]) + "\n")
        shown = {text: _control_token(text, tokenizer) for text in (self.open, self.close)}
        marks = {
            text: json.dumps(text) if token is None else f"<[{token}]>"
            for text, token in shown.items()
        }
        call = rf'"\n" one "\n" {marks[self.close]}'
        more = rf'("\n" {marks[self.open]} {call})*' if several else ""
        if forced:
            start = [f"start: {marks[self.open]} {call} {more}"]
        elif text is not None:
            start = [f"start: text | {marks[self.open]} {call} {more}"]
        elif shown[self.open] is not None:
            start = [f"start: TEXT ({marks[self.open]} {call} {more})?", r"TEXT: /(?s:.*)/"]
        else:
            start = [
                f"start: TEXT | before {call} {more}",
                rf"TEXT: /(?s:.*)/ & ~/(?s:.*){self.open}(?s:.*)/",
                f'before[suffix="{self.open}"]: /(?s:.*)/',
            ]
        tokens = tuple(token for token in shown.values() if token is not None)
        return Grammar.lark("\n".join([*start, *lines]) + "\n", shown=tokens)


HERMES = Style(
    open="<tool_call>",
    close="</tool_call>",
    key="arguments",
    signs=("<tool_call>", "tool_calls", "tools"),
    # Qwen's coder models put XML between the same marks.
    foreign=("<function=", "<arg_key>"),
)
LLAMA3 = Style(
    key="parameters", signs=("<|start_header_id|>", '"parameters": ', "tool_calls", "tools")
)
STYLES = (HERMES, LLAMA3)


def style_of(source: str) -> Style | None:
    """The style in which a chat template tells of tools and writes calls, or None."""
    for style in STYLES:
        if all(sign in source for sign in style.signs):
            return None if any(sign in source for sign in style.foreign) else style
    return None


def _control_token(text: str, tokenizer: Tokenizer) -> int | None:
    """The id when the text is one control token. Most vocabularies have the marks as ordinary
    tokens, or not at all."""
    found = tokenizer.encode(text, special=True, add_bos=False, continued=True)
    return found[0] if len(found) == 1 and tokenizer.is_special(found[0]) else None
