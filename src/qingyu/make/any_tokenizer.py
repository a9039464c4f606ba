"""The tokenizer of a file, whichever kind it is; and as many tokens as an embedding has rows.

    parts = read_tokenizer(folder / "tokenizer.json")
    parts = tokenizer_parts(gguf.metadata)
    parts.gguf_metadata(), parts.save(folder)

The kinds are `qingyu.make.tokenizer_files` and `qingyu.make.sentencepiece_files`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qingyu.make.json_files import read_object
from qingyu.make.sentencepiece_files import SentencePieceParts, is_sentencepiece
from qingyu.make.tokenizer_files import TokenizerParts
from qingyu.models.vocabulary import UNUSED


def read_tokenizer(path: Path) -> TokenizerParts | SentencePieceParts:
    """Of a tokenizer.json, with tokenizer_config.json beside it.

    Raises ModelNotFoundError, ModelFileError, UnsupportedModelError.
    """
    if is_sentencepiece(read_object(path)):
        return SentencePieceParts.from_json(path)
    return TokenizerParts.from_json(path)


def tokenizer_parts(keys: Mapping[str, Any]) -> TokenizerParts | SentencePieceParts:
    """The tokenizer that GGUF's keys describe, to be saved as tokenizer.json.

    Raises UnsupportedModelError for kinds that it cannot hold, ModelFileError.
    """
    if keys.get("tokenizer.ggml.model") == "llama":
        return SentencePieceParts.from_metadata(keys)
    return TokenizerParts.from_metadata(keys)


def padded(metadata: dict[str, Any], vocab_size: int) -> dict[str, Any]:
    """Tokenizer keys with as many tokens as the embedding has rows; the new ones are unused."""
    tokens = metadata["tokenizer.ggml.tokens"]
    more = range(len(tokens), vocab_size)
    kinds = [metadata["tokenizer.ggml.token_type"], np.full(len(more), UNUSED, np.int32)]
    lists: dict[str, Any] = {}
    if "tokenizer.ggml.scores" in metadata:
        scores = [metadata["tokenizer.ggml.scores"], np.zeros(len(more), np.float32)]
        lists["tokenizer.ggml.scores"] = np.concatenate(scores)
    return {
        **metadata,
        **lists,
        "tokenizer.ggml.tokens": [*tokens, *(f"[PAD{token}]" for token in more)],
        "tokenizer.ggml.token_type": np.concatenate(kinds),
    }


def without_padding(keys: Mapping[str, Any]) -> dict[str, Any]:
    """The keys without the unused tokens at the end, which only fill the embedding."""
    tokens = list(keys.get("tokenizer.ggml.tokens", []))
    kinds = keys.get("tokenizer.ggml.token_type")
    if kinds is None:
        return dict(keys)
    kinds = np.asarray(kinds)
    used = np.flatnonzero(kinds != UNUSED)
    size = int(used[-1]) + 1 if used.size else len(tokens)
    lists = {"tokenizer.ggml.tokens": tokens[:size], "tokenizer.ggml.token_type": kinds[:size]}
    if "tokenizer.ggml.scores" in keys:
        lists["tokenizer.ggml.scores"] = keys["tokenizer.ggml.scores"][:size]
    return {**keys, **lists}
