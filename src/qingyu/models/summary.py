"""What a model file holds, and what running it would take, without loading a weight.

    summary = summarise(Path("model.gguf"), context=4096)
    summary.config.family, summary.memory_bytes

Memory is estimated: the tensors as they lie in the file (repacked they take about the same),
keys and values of one full context in 16 bits, and a constant for program and scratch.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from qingyu.errors import InvalidRequestError
from qingyu.models.family import ModelConfig, describe
from qingyu.models.gguf import GGUFFile
from qingyu.text import pick

# Interpreter, tokenizer and scratch of one forward, measured on models of 0.1B to 1.4B.
PROGRAM_BYTES = 120 << 20
DEFAULT_CONTEXT = 8192


@dataclass(frozen=True, kw_only=True)
class ModelSummary:
    """A model file at a glance. Sizes in bytes, context in tokens.

    types: GGML type name to number of tensors and their bytes, the largest share first.
    """

    path: Path
    file_bytes: int
    gguf_version: int
    config: ModelConfig
    parameters: int
    types: dict[str, tuple[int, int]]
    tokenizer: str
    template: str | None
    metadata: dict[str, str | int | float | bool]
    weight_bytes: int
    context: int
    kv_bytes_per_token: int

    @property
    def kv_bytes(self) -> int:
        """Keys and values of one full context."""
        return self.kv_bytes_per_token * self.context

    @property
    def memory_bytes(self) -> int:
        """What running it takes, about."""
        return self.weight_bytes + self.kv_bytes + PROGRAM_BYTES


def summarise(path: Path, *, context: int | None = None) -> ModelSummary:
    """Read a file's header; `context` in tokens, default the model's own up to 8192.

    Raises ModelFileError, UnsupportedModelError, and InvalidRequestError for a context longer
    than the model's.
    """
    with GGUFFile.open(path) as gguf:
        config = describe(gguf)
        if context is None:
            context = min(config.context_length, DEFAULT_CONTEXT)
        if context > config.context_length:
            raise InvalidRequestError(
                pick(
                    f"a context of {context} tokens is more than the {config.context_length}"
                    f" that {config.name} was made for",
                    f"上下文 {context} 个词元超过 {config.name} 所支持的 {config.context_length}",
                )
            )
        counts: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        for tensor in gguf.tensors.values():
            counts[tensor.type.name] += 1
            sizes[tensor.type.name] += tensor.size
        needed = set(config.tensors)
        return ModelSummary(
            path=path,
            file_bytes=gguf.size,
            gguf_version=gguf.version,
            config=config,
            parameters=sum(
                prod(tensor.shape) for name, tensor in gguf.tensors.items() if name in needed
            ),
            types={name: (counts[name], size) for name, size in sizes.most_common()},
            tokenizer=_tokenizer(gguf),
            template=gguf.get("tokenizer.chat_template", str, None),
            metadata=_scalars(gguf.metadata),
            weight_bytes=sum(
                tensor.size for name, tensor in gguf.tensors.items() if name in needed
            ),
            context=context,
            # 16-bit integers, and a float for the scale of each key and each value
            kv_bytes_per_token=config.num_layers * config.num_kv_heads * (4 * config.head_size + 8),
        )


def _tokenizer(gguf: GGUFFile) -> str:
    model = gguf.get("tokenizer.ggml.model", str, "")
    return "/".join(filter(None, (model, gguf.get("tokenizer.ggml.pre", str, "")))) or "?"


def _scalars(metadata: dict[str, Any]) -> dict[str, str | int | float | bool]:
    """Metadata without arrays and without the template, which are long."""
    return {
        key: value
        for key, value in metadata.items()
        if isinstance(value, (str, int, float, bool)) and key != "tokenizer.chat_template"
    }
