"""Small vocabulary-only GGUF files, one for each way of tokenizing, from `vocabularies.json`.

    path.write_bytes(vocabulary_file("qwen2"))

Used by the recorder of llama.cpp's tokens and by the tests, so both see the same bytes.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from gguf_bytes import gguf_bytes

PRE = ("default", "gpt-2", "smollm", "llama-bpe", "qwen2", "deepseek-llm", "deepseek-coder",
       "deepseek-v3", "minicpm5")  # fmt: skip
SENTENCEPIECE = ("spm", "spm-no-prefix", "spm-ties", "spm-words")
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|eot_id|>"]
USER_DEFINED = ["<think>", "</think>", "<tool_call>", "</tool_call>"]


def vocabulary_names() -> tuple[str, ...]:
    return (*PRE, *SENTENCEPIECE)


def vocabulary_metadata(name: str) -> dict[str, Any]:
    """The metadata of the file, for tests that want to change something in it."""
    made = json.loads(Path(__file__).with_name("vocabularies.json").read_text("utf-8"))
    metadata: dict[str, Any] = {"general.architecture": "llama", "llama.context_length": 64,
        "llama.embedding_length": 32, "llama.block_count": 1, "llama.attention.head_count": 1,
        "llama.feed_forward_length": 32, "llama.attention.layer_norm_rms_epsilon": 1e-5,
    }  # fmt: skip
    if name in PRE:
        tokens = made["byte_pairs"]["tokens"] + CONTROL + USER_DEFINED
        first = len(made["byte_pairs"]["tokens"])
        kinds = [1] * first + [3] * len(CONTROL) + [4] * len(USER_DEFINED)
        return metadata | {
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": name,
            "tokenizer.ggml.tokens": tokens,
            "tokenizer.ggml.token_type": kinds,
            "tokenizer.ggml.merges": made["byte_pairs"]["merges"],
            "tokenizer.ggml.bos_token_id": first + CONTROL.index("<|begin_of_text|>"),
            "tokenizer.ggml.eos_token_id": first + CONTROL.index("<|endoftext|>"),
        }
    pieces = made["words" if name == "spm-words" else "sentencepiece"]["tokens"]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), *pieces]
    kinds = [2, 3, 3] + [6] * 256 + [1] * len(pieces)
    scores = [0.0] * 259 + [-float(i) for i in range(len(pieces))]
    if name == "spm-ties":
        # scores that tie, in no order, as those of a unigram model may
        chance = random.Random(7)
        scores[259:] = [-float(chance.randrange(40)) for _ in pieces]
    tokens += [*USER_DEFINED, "<|im_end|>"]
    kinds += [4] * len(USER_DEFINED) + [3]
    scores += [0.0] * (len(USER_DEFINED) + 1)
    return metadata | {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.scores": scores,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_space_prefix": name != "spm-no-prefix",
    }


def vocabulary_file(name: str) -> bytes:
    return gguf_bytes(vocabulary_metadata(name))
