"""SentencePiece-style tokenizers (Llama 2, Mistral, Yi): GGUF's scores, tokenizer.json's merges.

    parts = SentencePieceParts.from_json(folder / "tokenizer.json")
    parts.gguf_metadata(), parts.save(folder)

GGUF has a score for each token, and the neighbours that make the best one are merged;
tokenizer.json lists the pairs that may be merged, best first. Each is made from the other, and a
tokenizer is only taken when both cut the same texts alike. Byte-level ones are
`qingyu.make.tokenizer_files`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qingyu.errors import InvalidRequestError, UnsupportedModelError
from qingyu.make.json_files import read_object
from qingyu.make.tokenizer_files import (
    CONFIG_FILE,
    TOKENIZER_FILE,
    MetadataOnly,
    adds_bos,
    read_vocabulary,
    special_token,
)
from qingyu.models.hashes import write_atomically
from qingyu.models.sentencepiece import SPACE
from qingyu.models.tokenizer import Tokenizer
from qingyu.models.vocabulary import BYTE, CONTROL, NORMAL, UNKNOWN, USER_DEFINED, Vocabulary
from qingyu.text import pick

if TYPE_CHECKING:
    import tokenizers

_BYTES = frozenset(f"<0x{byte:02X}>" for byte in range(256))
_HIDDEN = (UNKNOWN, CONTROL, BYTE)
_PROBES = (
    "The quick brown fox jumps over the lazy dog; 12345 times, isn't it?",
    "def f(x):\n    return x + 1\n\n\nclass A:\n\tpass\n",
    "轻语是一个在本机运行的轻量级大语言模型。今天天气很好，我们去公园散步吧！",
    "Crème brûlée, naïve façade, Привет, 日本語テキスト 한국어 🙂",
    "a  b   c    d     e\r\nhttps://example.com/a?b=c#d",
)


@dataclass(frozen=True, kw_only=True)
class SentencePieceParts:
    """texts, kinds and scores by token id; space_prefix: a space is put before a text."""

    texts: tuple[str, ...]
    kinds: tuple[int, ...]
    scores: tuple[float, ...]
    space_prefix: bool
    bos: int | None
    eos: int
    add_bos: bool
    template: str | None

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> SentencePieceParts:
        """From keys and values of a GGUF file.

        Raises ModelFileError when they contradict each other, UnsupportedModelError when no list
        of merges cuts as the scores do.
        """
        gguf = MetadataOnly(dict(metadata))
        vocabulary, tokenizer = Vocabulary.from_gguf(gguf), Tokenizer.from_gguf(gguf)
        eos = vocabulary.eos_id if vocabulary.eos_id is not None else tokenizer.eos_id
        assert eos is not None, "a SentencePiece tokenizer has one"
        parts = cls(
            texts=tuple(vocabulary.texts),
            kinds=tuple(vocabulary.kinds),
            scores=tuple(vocabulary.scores),
            space_prefix=gguf.get("tokenizer.ggml.add_space_prefix", bool, True),
            bos=tokenizer.bos_id,
            eos=eos,
            add_bos=tokenizer.add_bos,
            template=gguf.get("tokenizer.chat_template", str, None),
        )
        parts.check(parts.library(), TOKENIZER_FILE)
        return parts

    @classmethod
    def from_json(cls, path: Path) -> SentencePieceParts:
        """tokenizer.json with tokenizer_config.json beside it. Raises as `from_metadata`."""
        from tokenizers import Tokenizer as Library

        fields = read_object(path)
        settings = path.with_name(CONFIG_FILE)
        config = read_object(settings) if settings.exists() else {}
        model = fields["model"]
        texts, kinds = read_vocabulary(path.name, model, fields.get("added_tokens") or [])
        unknown = model.get("unk_token")
        kinds = tuple(
            UNKNOWN if text == unknown else BYTE if text in _BYTES and kind == NORMAL else kind
            for text, kind in zip(texts, kinds, strict=True)
        )
        ids = {text: token for token, text in enumerate(texts)}
        bos = special_token(path.name, config, "bos_token", ids)
        eos = special_token(path.name, config, "eos_token", ids)
        template = config.get("chat_template")
        jinja = path.with_name("chat_template.jinja")
        if template is None and jinja.is_file():
            template = jinja.read_text(encoding="utf-8")
        bos_text = "<s>" if bos is None else texts[bos]
        parts = cls(
            texts=texts,
            kinds=kinds,
            scores=_scores(texts, model.get("merges") or []),
            space_prefix=_space_prefix(fields),
            bos=ids.get("<s>") if bos is None else bos,
            eos=ids.get("</s>", 2) if eos is None else eos,
            add_bos=adds_bos(fields.get("post_processor"), bos_text)
            or config.get("add_bos_token") is True,
            template=template if isinstance(template, str) else None,
        )
        try:
            library = Library.from_str(json.dumps(fields))
        except Exception as error:  # the library raises plain Exception
            raise _unsupported(path.name, str(error), str(error)) from error
        parts.check(library, path.name)
        return parts

    def gguf_metadata(self) -> dict[str, Any]:
        """Keys and values of a GGUF file; lists of numbers are numpy arrays."""
        metadata: dict[str, Any] = {
            "tokenizer.ggml.model": "llama",
            "tokenizer.ggml.pre": "default",
            "tokenizer.ggml.tokens": list(self.texts),
            "tokenizer.ggml.scores": np.asarray(self.scores, np.float32),
            "tokenizer.ggml.token_type": np.asarray(self.kinds, np.int32),
            "tokenizer.ggml.eos_token_id": self.eos,
            "tokenizer.ggml.add_bos_token": self.add_bos,
            "tokenizer.ggml.add_space_prefix": self.space_prefix,
        }
        if self.bos is not None:
            metadata["tokenizer.ggml.bos_token_id"] = self.bos
        if UNKNOWN in self.kinds:
            metadata["tokenizer.ggml.unknown_token_id"] = self.kinds.index(UNKNOWN)
        if self.template is not None:
            metadata["tokenizer.chat_template"] = self.template
        return metadata

    def check(self, library: tokenizers.Tokenizer, name: str) -> None:
        """Raise UnsupportedModelError when the library cuts a text as the engine would not."""
        normal = {text for text, kind in zip(self.texts, self.kinds, strict=True) if kind == NORMAL}
        # The engine merges characters whether they are tokens or not, the library only tokens.
        for alone in sorted(set("".join(normal)) - normal):
            raise _unsupported(
                name,
                f"the character {alone!r} is in a token and is no token itself",
                f"字符 {alone!r} 出现在词元中，自身却不是词元",
            )
        engine = Tokenizer.from_gguf(MetadataOnly(self.gguf_metadata()))
        for text in _PROBES:
            theirs = library.encode(text, add_special_tokens=False).ids
            try:
                ours = engine.encode(text, add_bos=False)
            except InvalidRequestError:
                continue  # a character that this vocabulary does not have
            if ours != theirs:
                raise _unsupported(
                    name,
                    f"merges and scores that do not cut alike, as in {text[:20]!r}",
                    f"合并规则与得分的切分结果不同，例如 {text[:20]!r}",
                )

    def save(self, folder: Path) -> None:
        """Write tokenizer.json and tokenizer_config.json, as transformers reads them."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self._json(), ensure_ascii=False)
        write_atomically(folder / TOKENIZER_FILE, text)
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": None if self.bos is None else self.texts[self.bos],
            "eos_token": self.texts[self.eos],
            "clean_up_tokenization_spaces": False,
            "chat_template": self.template,
        }
        config = {name: value for name, value in config.items() if value is not None}
        text = json.dumps(config, ensure_ascii=False, indent=2) + "\n"
        write_atomically(folder / CONFIG_FILE, text)

    def library(self) -> tokenizers.Tokenizer:
        """The same for the tokenizers library."""
        from tokenizers import Tokenizer as Library

        return Library.from_str(json.dumps(self._json()))

    def _json(self) -> dict[str, Any]:
        named = list(zip(self.texts, self.kinds, strict=True))
        unknown = next((text for text, kind in named if kind == UNKNOWN), None)
        spaces = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
        prefix = {"type": "Prepend", "prepend": SPACE}
        decoders: list[dict[str, Any]] = [
            {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
        ]
        if self.space_prefix:
            decoders.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
        return {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [
                {
                    "id": token, "content": text, "single_word": False, "lstrip": False,
                    "rstrip": False, "normalized": False, "special": kind != USER_DEFINED,
                }
                for token, (text, kind) in enumerate(named)
                if kind in (UNKNOWN, CONTROL, USER_DEFINED)
            ],
            "normalizer": {
                "type": "Sequence",
                "normalizers": [prefix, spaces] if self.space_prefix else [spaces],
            },
            "pre_tokenizer": None,
            "post_processor": self._post_processor(),
            "decoder": {"type": "Sequence", "decoders": decoders},
            "model": {
                "type": "BPE", "dropout": None, "unk_token": unknown,
                "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True,
                "byte_fallback": True, "ignore_merges": False,
                "vocab": {text: token for token, text in enumerate(self.texts)},
                "merges": _merges(named, self.scores),
            },
        }  # fmt: skip

    def _post_processor(self) -> dict[str, Any] | None:
        if not self.add_bos or self.bos is None:
            return None
        text = self.texts[self.bos]
        first = {"SpecialToken": {"id": text, "type_id": 0}}
        one, two = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
        return {
            "type": "TemplateProcessing",
            "single": [first, one],
            "pair": [first, one, first, two],
            "special_tokens": {text: {"id": text, "ids": [self.bos], "tokens": [text]}},
        }


def is_sentencepiece(fields: Mapping[str, Any]) -> bool:
    """Whether a decoded tokenizer.json is of this kind."""
    model = fields.get("model")
    return isinstance(model, dict) and model.get("type") == "BPE" and bool(
        model.get("byte_fallback")
    )  # fmt: skip


def _scores(texts: tuple[str, ...], merges: list[Any]) -> tuple[float, ...]:
    """Minus the rank of the first merge that makes each token; below all where none does."""
    ranks: dict[str, int] = {}
    for merge in merges:
        halves = merge.split(" ") if isinstance(merge, str) else merge
        ranks.setdefault("".join(halves), len(ranks))
    worst = len(ranks)
    return tuple(-float(ranks.get(text, worst)) for text in texts)


def _merges(named: list[tuple[str, int]], scores: tuple[float, ...]) -> list[list[str]]:
    """Every way of making a token of two others, the best token's first."""
    ids = {text: token for token, (text, kind) in enumerate(named) if kind not in _HIDDEN}
    found = []
    for text, token in ids.items():
        for cut in range(1, len(text)):
            left, right = text[:cut], text[cut:]
            if left in ids and right in ids:
                found.append((-scores[token], token, ids[left], ids[right]))
    texts = [text for text, _ in named]
    return [[texts[left], texts[right]] for _, _, left, right in sorted(found)]


def _space_prefix(fields: Mapping[str, Any]) -> bool:
    """Whether any step puts a space before a text: Prepend, or Metaspace that does."""
    steps: list[Any] = [fields.get("normalizer"), fields.get("pre_tokenizer")]
    while steps:
        step = steps.pop()
        if not isinstance(step, dict):
            continue
        if step.get("type") == "Prepend" or step.get("prepend_scheme") in ("first", "always"):
            return True
        for inner in ("normalizers", "pretokenizers"):
            found = step.get(inner)
            steps += found if isinstance(found, list) else []
    return False


def _unsupported(name: str, english: str, chinese: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        pick(
            f"{name}: a tokenizer GGUF cannot hold: {english}",
            f"{name}：GGUF 无法表示此分词器：{chinese}",
        )
    )
