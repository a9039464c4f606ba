"""The vocabulary in a GGUF file: texts, kinds, special ids, and which ids end an answer.

    vocabulary = Vocabulary.from_gguf(gguf)
    vocabulary.texts[5], vocabulary.eos_ids

Checks the lists against each other. Knows no way of cutting text into tokens;
`qingyu.models.tokenizer` and `qingyu.models.sentencepiece` do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qingyu.errors import ModelFileError
from qingyu.models.gguf import GGUFFile
from qingyu.text import pick

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6

# Tokens that end a turn or a text. A file names one or two of them by id; models end with
# any of them. A piece of user text must never become one, whatever kind the file gives it.
END_TEXTS = frozenset(
    {
        "<|eot_id|>",
        "<|eom_id|>",
        "<|im_end|>",
        "<|end|>",
        "<|endoftext|>",
        "<|end_of_text|>",
        "<end_of_turn>",
        "<|EOT|>",
        "<｜end▁of▁sentence｜>",
    }
)


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """`texts` and `kinds` are indexed by token id; `kinds` are the numbers of the format.
    `scores` is empty where the file has none. Texts may carry surrogate escapes."""

    texts: list[str]
    kinds: list[int]
    scores: list[float]
    bos_id: int | None
    eos_id: int | None
    unknown_id: int | None
    eos_ids: frozenset[int]
    add_bos: bool | None  # None: the file does not say

    @classmethod
    def from_gguf(cls, gguf: GGUFFile) -> Vocabulary:
        """Raises ModelFileError when the lists are missing or contradict each other."""
        texts = [
            text or f"[EMPTY_{i}]" for i, text in enumerate(gguf.get("tokenizer.ggml.tokens", list))
        ]
        size = len(texts)
        if not size:
            raise _wrong(gguf, "the vocabulary is empty", "词表为空")
        kinds = _numbers(gguf, "tokenizer.ggml.token_type", size, "i") or [NORMAL] * size
        if not all(NORMAL <= kind <= BYTE for kind in set(kinds)):
            raise _wrong(gguf, "a token's type is not 1 to 6", "有词元的类型不在 1 到 6 之间")
        scores = _numbers(gguf, "tokenizer.ggml.scores", size, "f")

        def special(name: str) -> int | None:
            key = f"tokenizer.ggml.{name}_token_id"
            token = gguf.get(key, int, None)
            if token is not None and not 0 <= token < size:
                # -1, as unsigned or not, is how some converters write "none"
                if token in (-1, 0xFFFFFFFF):
                    return None
                raise _wrong(
                    gguf,
                    f"{key} is {token}, the vocabulary has {size} tokens",
                    f"{key} 是 {token}，而词表只有 {size} 个词元",
                )
            return token

        named = [special("eos"), special("eot"), special("eom")]
        ends = {i for i in named if i is not None}
        ends.update(i for i, text in enumerate(texts) if text in END_TEXTS)
        for end in ends:
            if texts[end] in END_TEXTS:
                kinds[end] = CONTROL
        return cls(
            texts=texts,
            kinds=kinds,
            scores=scores,
            bos_id=special("bos"),
            eos_id=special("eos"),
            unknown_id=special("unknown"),
            eos_ids=frozenset(ends),
            add_bos=gguf.get("tokenizer.ggml.add_bos_token", bool, None),
        )


def _numbers(gguf: GGUFFile, key: str, size: int, kind: str) -> list[Any]:
    """A numeric list with one entry per token, or an empty list when it is not there."""
    values = gguf.metadata.get(key)
    if values is None:
        return []
    dtype = getattr(values, "dtype", None)
    if dtype is None or len(values) != size or dtype.kind not in ("iu" if kind == "i" else "f"):
        raise _wrong(
            gguf,
            f"{key} does not have one number for each of {size} tokens",
            f"{key} 没有为 {size} 个词元各给出一个数",
        )
    return list(values.tolist())


def _wrong(gguf: GGUFFile, english: str, chinese: str) -> ModelFileError:
    return ModelFileError(pick(f"{gguf.path.name}: {english}", f"{gguf.path.name}：{chinese}"))
