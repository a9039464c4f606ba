"""The tokenizer that training sees: that of a model, or one trained here.

    tokenizer = load_tokenizer("default")             # a model's name, or the path of a GGUF file
    tokenizer = load_tokenizer("run/tokenizer.json")
    tokenizer.encode("你好"), tokenizer.chat([{"role": "user", "content": "hi"}, ...])
    tokenizer.save(folder)                            # tokenizer.json, tokenizer_config.json

It encodes through `qingyu.models.tokenizer`, so text has the tokens here that the engine will
give it. Files and formats: `qingyu.make.tokenizer_files`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from qingyu.errors import TemplateError
from qingyu.make.tokenizer_files import TOKENIZER_FILE, TokenizerParts
from qingyu.models.gguf import GGUFFile
from qingyu.models.store import locate
from qingyu.models.template import ChatTemplate
from qingyu.text import pick


def load_tokenizer(spec: str | Path) -> TextTokenizer:
    """The tokenizer of a model (name, alias, path of a .gguf file), of a tokenizer.json, or of a
    folder that has one.

    Raises ModelNotFoundError, ModelFileError, UnsupportedModelError.
    """
    path = Path(spec).expanduser()
    if path.name.endswith(".json"):
        return TextTokenizer(TokenizerParts.from_json(path))
    if (path / TOKENIZER_FILE).is_file():
        return TextTokenizer(TokenizerParts.from_json(path / TOKENIZER_FILE))
    with GGUFFile.open(locate(spec)) as gguf:
        return TextTokenizer(TokenizerParts.from_gguf(gguf))


class TextTokenizer:
    """Immutable; any thread may use it."""

    def __init__(self, parts: TokenizerParts) -> None:
        self.parts = parts
        self.bos = parts.bos
        self.eos = parts.eos
        self.vocab_size = len(parts.texts)
        self._tokenizer = parts.tokenizer()

    @cached_property
    def sha256(self) -> str:
        """Of vocabulary, merges, way of cutting and special tokens."""
        return self.parts.sha256

    def encode(self, text: str) -> list[int]:
        """Token ids; nothing is added, and the name of a control token is ordinary text.

        Raises InvalidRequestError when the text cannot be expressed in the vocabulary.
        """
        return self._tokenizer.encode(text, add_bos=False)

    def decode(self, tokens: Sequence[int]) -> str:
        """The text; control tokens appear by their names."""
        return self._tokenizer.decode(tokens)

    def save(self, folder: Path) -> None:
        """Write tokenizer.json and tokenizer_config.json (with template, bos and eos)."""
        self.parts.save(folder)

    @cached_property
    def _template(self) -> ChatTemplate:
        if self.parts.template is None:
            raise TemplateError(
                pick(
                    "the tokenizer has no chat template; put chat_template into"
                    " tokenizer_config.json",
                    "分词器没有对话模板；请在 tokenizer_config.json 中写入 chat_template",
                )
            )
        texts = self.parts.texts
        bos = None if self.bos is None else texts[self.bos]
        return ChatTemplate(self.parts.template, bos, texts[self.eos])

    def chat(self, messages: Sequence[Mapping[str, Any]]) -> tuple[list[int], list[int]]:
        """(tokens, loss) of a conversation by the chat template. loss is 1 on what the assistant
        says and on the token that ends its turn, else 0.

        Raises TemplateError when the template fails, or what it prints does not show where an
        answer begins.
        """
        tokens = self._render(messages, False)
        loss = [0] * len(tokens)
        for number, message in enumerate(messages):
            if message.get("role") != "assistant":
                continue
            before = messages[:number]
            start = _common(self._render(before, True), tokens) if before else 0
            # Some templates open the answer with more than they keep of it ("<think>").
            if start < (len(self._render(before, False)) if before else 0):
                raise TemplateError(
                    pick(
                        f"the chat template prints what comes before message {number} in another"
                        " way once it is answered, so where the answer begins is not known",
                        f"对话模板在有回答时改变了第 {number} 条消息之前的内容，无法确定回答的起点",
                    )
                )
            end = self._turn_end(messages, number, tokens, start)
            loss[start:end] = [1] * (end - start)
        return tokens, loss

    def _turn_end(
        self, messages: Sequence[Mapping[str, Any]], number: int, tokens: list[int], start: int
    ) -> int:
        # Text of a message cannot hold a control token: the first one ends the turn.
        ends = self._tokenizer.eos_ids
        for place in range(start, len(tokens)):
            if tokens[place] in ends:
                return place + 1
        return _common(self._render(messages[: number + 1], False), tokens)

    def _render(self, messages: Sequence[Mapping[str, Any]], prompt: bool) -> list[int]:
        return self._template.render_tokens(self._tokenizer, messages, add_generation_prompt=prompt)


def _common(one: Sequence[int], two: Sequence[int]) -> int:
    """Length of the common beginning."""
    for place, (a, b) in enumerate(zip(one, two, strict=False)):
        if a != b:
            return place
    return min(len(one), len(two))
