"""What a tokenizer consists of, and its three forms: GGUF metadata, tokenizer.json, the engine's.

    parts = TokenizerParts.from_gguf(gguf) or TokenizerParts.from_json(path)
    parts.gguf_metadata(), parts.save(folder), parts.tokenizer()

Byte-level byte-pair encoding only. The engine knows ways of cutting text by name, tokenizer.json
spells them out: which name it is, is found by cutting a text full of differences both ways.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qingyu.errors import ModelFileError, ModelNotFoundError, UnsupportedModelError
from qingyu.models.gguf import GGUFFile
from qingyu.models.hashes import write_atomically
from qingyu.models.pretokenizers import PRETOKENIZERS, PreTokenizer
from qingyu.models.tokenizer import Tokenizer
from qingyu.models.vocabulary import CONTROL, NORMAL, UNKNOWN, UNUSED, USER_DEFINED, Vocabulary
from qingyu.text import pick

TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "tokenizer_config.json"
_MAX_FILE_BYTES = 256 << 20
# No two of the named ways cut this alike.
_PROBE = (
    "I'm sure they'LL've 12345 apples, 3½ 七八九!\r\n\n  你好，世界。Hello世界123abc\t\tx  y \n"
    " def f(x_1):\n    return x**2 != 3.14  # ok\u3000全角１２３ ２千 don'T $100 a\u0301bc …—“引号”"
    " ひらがなカタカナ한국어 naïve ÀÉ e=mc^2 <tag/> 🙂🙂 http://a.b/c?d=e&f=1\n\n\n   7   end  "
)


@dataclass(frozen=True, kw_only=True)
class TokenizerParts:
    """texts and kinds by token id (kinds: NORMAL, CONTROL, USER_DEFINED or UNUSED), merges as
    "left right", pre: the name of a pre-tokenizer, template: source of the chat template."""

    texts: tuple[str, ...]
    kinds: tuple[int, ...]
    merges: tuple[str, ...]
    pre: str
    bos: int | None
    eos: int
    add_bos: bool
    template: str | None

    @classmethod
    def from_gguf(cls, gguf: GGUFFile) -> TokenizerParts:
        """Raises UnsupportedModelError for another kind than byte-level, ModelFileError for a
        damaged file or one without an end token."""
        name = gguf.path.name
        kind = gguf.get("tokenizer.ggml.model", str)
        if kind != "gpt2":
            raise _unsupported(name, f"tokenizer {kind!r}", f"分词器 {kind!r}")
        tokenizer = Tokenizer.from_gguf(gguf)
        vocabulary = Vocabulary.from_gguf(gguf)
        if vocabulary.eos_id is None:
            raise _wrong(name, "the tokenizer names no end token", "分词器没有结束词元")
        return cls(
            texts=tuple(vocabulary.texts),
            kinds=tuple(CONTROL if kind == UNKNOWN else kind for kind in vocabulary.kinds),
            merges=tuple(gguf.get("tokenizer.ggml.merges", list)),
            pre=_first_name(PRETOKENIZERS[tokenizer.pre]),
            bos=vocabulary.bos_id,
            eos=vocabulary.eos_id,
            add_bos=tokenizer.add_bos,
            template=gguf.get("tokenizer.chat_template", str, None),
        )

    @classmethod
    def from_json(cls, path: Path) -> TokenizerParts:
        """tokenizer.json, with tokenizer_config.json beside it for bos, eos and template.

        Raises ModelNotFoundError, ModelFileError, and UnsupportedModelError when it is not
        byte-level or cuts text in a way the engine has no name for.
        """
        fields = _read(path)
        config_path = path.with_name(CONFIG_FILE)
        config = _read(config_path) if config_path.is_file() else {}
        model = fields.get("model")
        if not isinstance(model, dict) or model.get("type") != "BPE" or model.get("byte_fallback"):
            raise _unsupported(path.name, "not byte-level BPE", "不是字节级 BPE")
        texts, kinds = read_vocabulary(path.name, model, fields.get("added_tokens") or [])
        ids = {text: token for token, text in enumerate(texts)}
        eos = special_token(path.name, config, "eos_token", ids)
        if eos is None:
            eos = next((ids[text] for text in ("<|endoftext|>", "<|im_end|>") if text in ids), None)
        if eos is None:
            raise _wrong(
                path.name,
                f"no end token: name eos_token in {CONFIG_FILE} beside it",
                f"没有结束词元：请在同一文件夹的 {CONFIG_FILE} 中写明 eos_token",
            )
        bos = special_token(path.name, config, "bos_token", ids)
        template = config.get("chat_template")
        jinja = path.with_name("chat_template.jinja")
        if template is None and jinja.is_file():
            template = jinja.read_text(encoding="utf-8")
        return cls(
            texts=texts,
            kinds=kinds,
            merges=_merges(path.name, model.get("merges") or []),
            pre=_pretokenizer_name(path.name, fields, bool(model.get("ignore_merges"))),
            bos=bos,
            eos=eos,
            add_bos=bos is not None and adds_bos(fields.get("post_processor"), texts[bos]),
            template=template if isinstance(template, str) else None,
        )

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> TokenizerParts:
        """From keys and values of a GGUF file. Raises as `from_gguf`."""
        return cls.from_gguf(MetadataOnly(dict(metadata)))

    @property
    def sha256(self) -> str:
        """Of all that decides the tokens of a text; the template is not part of it."""
        kinds = [NORMAL if kind not in (CONTROL, USER_DEFINED) else kind for kind in self.kinds]
        parts = [self.texts, kinds, self.merges, self.pre, self.bos, self.eos, self.add_bos]
        text = json.dumps(parts, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def gguf_metadata(self) -> dict[str, Any]:
        """Keys and values of a GGUF file; lists of numbers are numpy arrays."""
        metadata: dict[str, Any] = {
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": self.pre,
            "tokenizer.ggml.tokens": list(self.texts),
            "tokenizer.ggml.token_type": np.asarray(self.kinds, np.int32),
            "tokenizer.ggml.merges": list(self.merges),
            "tokenizer.ggml.eos_token_id": self.eos,
            "tokenizer.ggml.add_bos_token": self.add_bos,
        }
        if self.bos is not None:
            metadata["tokenizer.ggml.bos_token_id"] = self.bos
        if self.template is not None:
            metadata["tokenizer.chat_template"] = self.template
        return metadata

    def tokenizer(self) -> Tokenizer:
        """The engine's tokenizer, as it will be after export."""
        return Tokenizer.from_gguf(MetadataOnly(self.gguf_metadata()))

    def save(self, folder: Path) -> None:
        """Write tokenizer.json and tokenizer_config.json, as transformers reads them."""
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / TOKENIZER_FILE, self._library_json())
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

    def _library_json(self) -> str:
        from tokenizers import AddedToken, decoders, models, processors
        from tokenizers import Tokenizer as Library

        vocabulary = {text: token for token, text in enumerate(self.texts)}
        pairs: list[Any] = [tuple(merge.split(" ")) for merge in self.merges]
        # some files keep merges of tokens that are hidden from text; they never happen
        pairs = [p for p in pairs if len(p) == 2 and p[0] + p[1] in vocabulary]
        ignore = PRETOKENIZERS[self.pre].ignore_merges
        library = Library(models.BPE(vocabulary, pairs, ignore_merges=ignore))
        library.pre_tokenizer = library_pretokenizer(PRETOKENIZERS[self.pre])
        library.decoder = decoders.ByteLevel()
        if self.add_bos and self.bos is not None:
            text = self.texts[self.bos]
            library.post_processor = processors.TemplateProcessing(
                single=f"{text} $A", pair=f"{text} $A {text} $B", special_tokens=[(text, self.bos)]
            )
        named = list(zip(self.texts, self.kinds, strict=True))
        library.add_special_tokens(
            [AddedToken(text, special=True, normalized=False) for text, k in named if k == CONTROL]
        )
        library.add_tokens(
            [AddedToken(text, normalized=False) for text, k in named if k == USER_DEFINED]
        )
        return str(library.to_str(pretty=False))


class MetadataOnly(GGUFFile):
    """GGUF metadata that is in no file."""

    def __init__(self, metadata: dict[str, Any]) -> None:
        self.path = Path(TOKENIZER_FILE)
        self.metadata = metadata
        self.tensors = {}


def library_pretokenizer(pre: PreTokenizer) -> Any:
    """The same way of cutting, for the tokenizers library."""
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Sequence(
        [
            *(pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in pre.patterns),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def _first_name(pre: PreTokenizer) -> str:
    return next(name for name, known in PRETOKENIZERS.items() if known == pre)


def _pretokenizer_name(name: str, fields: Mapping[str, Any], ignore_merges: bool) -> str:
    from tokenizers import Tokenizer as Library

    normalizer = fields.get("normalizer")
    if normalizer is not None and normalizer.get("type") != "NFC":
        raise _unsupported(
            name, f"normalizer {normalizer.get('type')!r}", f"归一化 {normalizer.get('type')!r}"
        )
    empty = {
        "version": "1.0",
        "model": {"type": "BPE", "vocab": {}, "merges": []},
        "pre_tokenizer": fields.get("pre_tokenizer"),
    }
    try:
        library = Library.from_str(json.dumps(empty))
        given = library.pre_tokenizer.pre_tokenize_str(_PROBE)
    except Exception as error:  # the library raises plain Exception
        raise _unsupported(name, f"pre-tokenizer: {error}", f"预分词：{error}") from error
    for known, pre in PRETOKENIZERS.items():
        if pre.ignore_merges == ignore_merges:
            pieces = library_pretokenizer(pre).pre_tokenize_str(_PROBE)
            if pieces == given:
                return known
    raise _unsupported(
        name,
        "a way of cutting text that has no name in GGUF",
        "预分词方式在 GGUF 中没有对应的名称",
    )


def read_vocabulary(
    name: str, model: Mapping[str, Any], added: list[Any]
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Texts and kinds by token id, of a tokenizer.json's model and added tokens."""
    texts: dict[int, str] = {}
    kinds: dict[int, int] = {}
    try:
        for text, token in model["vocab"].items():
            texts[int(token)] = str(text)
        for entry in added:
            token = int(entry["id"])
            texts[token] = str(entry["content"])
            kinds[token] = CONTROL if entry.get("special") else USER_DEFINED
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _wrong(name, f"the vocabulary is damaged: {error}", f"词表损坏：{error}") from None
    size = max(texts, default=-1) + 1
    if not size or min(texts) < 0 or size > 2 * len(texts) + 1024:
        raise _wrong(name, "the vocabulary is empty or has holes", "词表为空或不连续")
    return (
        tuple(texts.get(token, f"[PAD{token}]") for token in range(size)),
        tuple(kinds.get(i, NORMAL if i in texts else UNUSED) for i in range(size)),
    )


def _merges(name: str, merges: list[Any]) -> tuple[str, ...]:
    joined = [merge if isinstance(merge, str) else " ".join(merge) for merge in merges]
    if not all(merge.count(" ") == 1 for merge in joined):
        raise _wrong(name, "a merge is not two tokens", "有合并规则不是两个词元")
    return tuple(joined)


def special_token(
    name: str, config: Mapping[str, Any], key: str, ids: Mapping[str, int]
) -> int | None:
    """The id of what tokenizer_config.json names, as text or as an object with its content."""
    text = config.get(key)
    if isinstance(text, dict):
        text = text.get("content")
    if text is None:
        return None
    if text not in ids:
        raise _wrong(name, f"{key} {text!r} is not a token", f"{key} {text!r} 不在词表中")
    return ids[text]


def adds_bos(processor: Any, bos: str) -> bool:
    """Whether a post-processor puts the token in front: TemplateProcessing, alone or in a list."""
    if not isinstance(processor, dict):
        return False
    if processor.get("type") == "Sequence":
        return any(adds_bos(one, bos) for one in processor.get("processors") or [])
    first = (processor.get("single") or [{}])[0]
    return bool(first.get("SpecialToken", {}).get("id") == bos)


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise _wrong(path.name, "it is larger than 256 MiB", "超过 256 MiB")
        fields = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelNotFoundError(pick(f"there is no file {path}", f"没有文件 {path}")) from None
    except (OSError, ValueError, RecursionError) as error:
        raise _wrong(path.name, f"it is no JSON: {error}", f"不是 JSON：{error}") from None
    if not isinstance(fields, dict):
        raise _wrong(path.name, "it is no JSON object", "不是 JSON 对象")
    return fields


def _wrong(name: str, english: str, chinese: str) -> ModelFileError:
    return ModelFileError(pick(f"{name}: {english}", f"{name}：{chinese}"))


def _unsupported(name: str, english: str, chinese: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        pick(
            f"{name}: {english}; supported here is byte-level BPE cut as one of"
            f" {', '.join(PRETOKENIZERS)}",
            f"{name}：{chinese}；此处支持按 {'、'.join(PRETOKENIZERS)} 切分的字节级 BPE",
        )
    )
