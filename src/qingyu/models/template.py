"""Conversations to prompts, by the chat template inside a model's file.

    template = ChatTemplate.from_gguf(gguf) or ChatTemplate.named("chatml")
    template.render([{"role": "user", "content": "你好"}])
    template.render_tokens(tokenizer, messages)      # what the engine calls

Templates are programs from strangers: they run in `qingyu.models.template_sandbox`, bounded
in time and size, and fail as `TemplateError`.

What people write never becomes a control token. Before rendering, each string of the messages
and tools in which the name of one occurs (`<|im_end|>`) gets a barrier inside the name: one
character that is in no string of this conversation. The template carries it along; encoding
matches no control token across it and takes it out. Other strings are not touched, so an
ordinary conversation has exactly the tokens of its rendered text. Roles are not text: they may
only be plain words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qingyu.errors import InvalidRequestError, TemplateError
from qingyu.models.gguf import GGUFFile
from qingyu.models.named_templates import NAMED_TEMPLATES
from qingyu.models.tokenizer import Tokenizer
from qingyu.text import pick

if TYPE_CHECKING:
    import jinja2

MAX_TEMPLATE_FILE = 1 << 20
# Noncharacters: no text has a use for them.
_BARRIERS = [chr(code) for code in range(0xFDD0, 0xFDF0)]
_ROLE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


class ChatTemplate:
    """A chat template and the texts of the tokens it may ask for."""

    def __init__(
        self, source: str, bos_token: str | None = None, eos_token: str | None = None
    ) -> None:
        """Compiled at the first use. Tokens that are None are the tokenizer's, or empty."""
        self.source = source
        self.bos_token = bos_token
        self.eos_token = eos_token

    @classmethod
    def from_gguf(cls, gguf: GGUFFile) -> ChatTemplate | None:
        """The file's own template, or None when there is none."""
        source = gguf.get("tokenizer.chat_template", str, None)
        if source is None:
            return None
        texts = gguf.get("tokenizer.ggml.tokens", list, [])

        def token(name: str) -> str | None:
            number = gguf.get(f"tokenizer.ggml.{name}_token_id", int, None)
            return texts[number] if number is not None and 0 <= number < len(texts) else None

        return cls(source, token("bos"), token("eos"))

    @classmethod
    def named(cls, name: str) -> ChatTemplate:
        """One of `NAMED_TEMPLATES`, or the template in a file.

        Raises TemplateError when there is neither, or it cannot be compiled.
        """
        source = NAMED_TEMPLATES.get(name)
        if source is None:
            path = Path(name).expanduser()
            try:
                if path.stat().st_size > MAX_TEMPLATE_FILE:
                    raise TemplateError(
                        pick(f"{path} is too long for a template", f"{path} 太大，不是模板")
                    )
                source = path.read_text("utf-8")
            except (OSError, ValueError) as error:
                known = ", ".join(NAMED_TEMPLATES)
                raise TemplateError(
                    pick(
                        f"no chat template {name!r}: known are {known}, or the path of a file"
                        f" ({error})",
                        f"没有对话模板 {name!r}：可用 {known}，或给出文件路径（{error}）",
                    )
                ) from error
        template = cls(source)
        _ = template._compiled  # a mistake shows now, not in the middle of a chat
        return template

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = True,
        **values: Any,
    ) -> str:
        """The prompt as text. `values` are passed to the template (enable_thinking, ...).

        Raises TemplateError when the template refuses, fails, or exceeds its bounds.
        """
        return self._render(messages, tools, add_generation_prompt, values)

    def render_tokens(
        self,
        tokenizer: Tokenizer,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = True,
        **values: Any,
    ) -> list[int]:
        """The prompt as token ids; control tokens come from the template alone.

        A model that wants a beginning token gets exactly one, whether or not the template
        prints it. Raises as `render`.
        """
        if self.bos_token is None and tokenizer.bos_id is not None:
            values.setdefault("bos_token", tokenizer.token_text(tokenizer.bos_id))
        if self.eos_token is None and tokenizer.eos_id is not None:
            values.setdefault("eos_token", tokenizer.token_text(tokenizer.eos_id))
        barrier = _unused_character([messages, tools, values, self.source])
        guard = _Guard(tokenizer.control_texts, barrier)
        guarded = [
            {key: value if key == "role" else guard.mark(value) for key, value in message.items()}
            for message in _checked(messages)
        ]
        text = self._render(
            guarded, None if tools is None else guard.mark(tools), add_generation_prompt, values
        )
        tokens = tokenizer.encode(text, special=True, add_bos=False, barrier=barrier)
        if tokenizer.add_bos and tokenizer.bos_id is not None and tokens[:1] != [tokenizer.bos_id]:
            tokens.insert(0, tokenizer.bos_id)
        return tokens

    def _render(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] | None,
        add_generation_prompt: bool,
        values: dict[str, Any],
    ) -> str:
        from qingyu.models.template_sandbox import ENVIRONMENT

        context = {
            "bos_token": self.bos_token or "",
            "eos_token": self.eos_token or "",
            **values,
            "messages": [dict(message) for message in _checked(messages)],
            "tools": None if tools is None else [dict(tool) for tool in tools],
            "add_generation_prompt": add_generation_prompt,
        }
        compiled = self._compiled
        try:
            return ENVIRONMENT.render_bounded(compiled, context)
        except Exception as error:  # a template can raise anything
            raise _failed(error) from error

    @cached_property
    def _compiled(self) -> jinja2.Template:
        from qingyu.models.template_sandbox import ENVIRONMENT

        try:
            return ENVIRONMENT.compile_bounded(self.source)
        except Exception as error:  # as above
            raise _failed(error) from error


class _Guard:
    """Puts a barrier into every name of a control token in texts from outside."""

    def __init__(self, names: Sequence[str], barrier: str) -> None:
        self.names = [name for name in names if len(name) > 1]
        self.barrier = barrier
        # A name could also come about where two texts meet.
        self.heads = tuple({name[:i] for name in self.names for i in range(1, len(name))})
        self.tails = tuple({name[i:] for name in self.names for i in range(1, len(name))})

    def mark(self, value: Any) -> Any:
        """A copy of the value with its strings marked."""
        if isinstance(value, str):
            return self.mark_text(value)
        if isinstance(value, Mapping):
            return {self.mark(key): self.mark(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.mark(item) for item in value]
        return value

    def mark_text(self, text: str) -> str:
        for name in self.names:
            while name in text:
                text = text.replace(name, name[0] + self.barrier + name[1:])
        # Templates trim: the barrier goes to the last character that stays.
        trimmed = text.rstrip()
        if trimmed.endswith(self.heads):
            text = trimmed + self.barrier + text[len(trimmed) :]
        trimmed = text.lstrip()
        if trimmed.startswith(self.tails):
            text = text[: len(text) - len(trimmed)] + self.barrier + trimmed
        return text


def _checked(messages: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The messages, each a dict with a role that is a word."""
    for number, message in enumerate(messages):
        role = message.get("role") if isinstance(message, Mapping) else None
        if not isinstance(role, str) or not _ROLE.fullmatch(role):
            raise InvalidRequestError(
                pick(
                    f"message {number} has the role {role!r}; it must be a word such as user",
                    f"第 {number} 条消息的角色是 {role!r}；应为 user 之类的单词",
                )
            )
        yield message


def _unused_character(values: Any) -> str:
    """A character that occurs in no string of the values."""
    left = set(_BARRIERS)
    stack = [values]
    while stack and left:
        value = stack.pop()
        if isinstance(value, str):
            if not value.isascii():
                left.difference_update(value)
        elif isinstance(value, Mapping):
            stack.extend(value.keys())
            stack.extend(value.values())
        elif isinstance(value, list | tuple):
            stack.extend(value)
    if not left:
        raise InvalidRequestError(
            pick(
                "the messages use all of the noncharacters U+FDD0 to U+FDEF; take them out",
                "消息用尽了非字符 U+FDD0 至 U+FDEF；请将其删除",
            )
        )
    return min(left)


def _failed(error: Exception) -> TemplateError:
    from qingyu.models.template_sandbox import LimitError

    line = getattr(error, "lineno", None)
    at = f" (line {line})" if isinstance(line, int) else ""
    message = str(error)[:500] or type(error).__name__
    if isinstance(error, LimitError):
        return TemplateError(
            pick(f"the chat template was stopped: {message}", f"对话模板被中止：{message}")
        )
    return TemplateError(
        pick(f"the chat template failed{at}: {message}", f"对话模板出错{at}：{message}")
    )
