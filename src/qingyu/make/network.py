"""A network between two file formats: its sizes, and where its weights come from.

    network = read_folder(Path("Qwen3-0.6B"))       # or of a GGUF file, or of a run
    network.config.num_layers, network.weights["model.norm.weight"].rows(0, 1)

Everything that reads models for `make` gives a Network, and everything that writes them takes
one, so each format is written down once. Weights have the names and the row order of Hugging
Face; they are read in pieces of rows, as float32 or as they lie in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qingyu.models.ggml_types import GGMLType

Floats = NDArray[np.float32]

# Values of one piece: 2 MB of float32.
_PIECE_VALUES = 1 << 19

FLOAT_TYPES = (GGMLType.F32, GGMLType.F16, GGMLType.BF16)


@dataclass(frozen=True, kw_only=True)
class RopeStretch:
    """How rotary positions were stretched for longer contexts, as Hugging Face names it.

    kind: "linear", "yarn" or "llama3". Sizes in tokens.
    """

    kind: str
    factor: float
    original_context: int = 0
    beta_fast: float = 32.0  # yarn
    beta_slow: float = 1.0
    low_frequency_factor: float = 1.0  # llama3
    high_frequency_factor: float = 4.0


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Sizes of a dense decoder. family: "llama", "qwen2" or "qwen3", as in GGUF.

    dtype is what float weights are kept in where they come from.
    """

    family: str
    vocab_size: int
    embedding_size: int
    feed_forward_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_size: int
    context_length: int
    norm_epsilon: float
    rope_base: float
    rope_stretch: RopeStretch | None = None
    sliding_window: int = 0
    tied: bool = True
    dtype: GGMLType = GGMLType.F32


@dataclass(frozen=True, kw_only=True)
class Weight:
    """One weight: shape as Hugging Face has it ([rows, columns], or [size]).

    rows(first, last) gives those rows as float32 [last - first, columns] (a vector is one row).
    """

    shape: tuple[int, ...]
    type: GGMLType
    rows: Callable[[int, int], Floats]

    @property
    def num_rows(self) -> int:
        return self.shape[0] if len(self.shape) == 2 else 1

    @property
    def num_columns(self) -> int:
        return self.shape[-1]

    def pieces(self, *, multiple: int = 1) -> Iterator[tuple[int, int]]:
        """(first, last) of rows that are some megabytes together, in steps of a `multiple`."""
        step = max(1, _PIECE_VALUES // (multiple * self.num_columns)) * multiple
        for first in range(0, self.num_rows, step):
            yield first, min(first + step, self.num_rows)

    def whole(self) -> Floats:
        """All of it, float32 of `shape`."""
        return self.rows(0, self.num_rows).reshape(self.shape)


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network to be written somewhere. `tokenizer` holds GGUF's tokenizer.* keys, `about`
    general.* ones (name, licence, where it comes from); notes are for the user."""

    config: NetworkConfig
    weights: Mapping[str, Weight]
    tokenizer: Mapping[str, Any]
    about: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def weight_shapes(config: NetworkConfig) -> dict[str, tuple[int, ...]]:
    """Hugging Face's name of every weight and its shape, in the order files have them."""
    size, forward = config.embedding_size, config.feed_forward_size
    query, key = config.num_heads * config.head_size, config.num_kv_heads * config.head_size
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (config.vocab_size, size)}
    for layer in range(config.num_layers):
        block = f"model.layers.{layer}."
        attention = f"{block}self_attn."
        shapes[f"{block}input_layernorm.weight"] = (size,)
        for letter, rows in (("q", query), ("k", key), ("v", key)):
            shapes[f"{attention}{letter}_proj.weight"] = (rows, size)
            if config.family == "qwen2":
                shapes[f"{attention}{letter}_proj.bias"] = (rows,)
        if config.family == "qwen3":
            shapes[f"{attention}q_norm.weight"] = (config.head_size,)
            shapes[f"{attention}k_norm.weight"] = (config.head_size,)
        shapes[f"{attention}o_proj.weight"] = (size, query)
        shapes[f"{block}post_attention_layernorm.weight"] = (size,)
        shapes[f"{block}mlp.gate_proj.weight"] = (forward, size)
        shapes[f"{block}mlp.up_proj.weight"] = (forward, size)
        shapes[f"{block}mlp.down_proj.weight"] = (size, forward)
    shapes["model.norm.weight"] = (size,)
    if not config.tied:
        shapes["lm_head.weight"] = (config.vocab_size, size)
    return shapes


_PARTS = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_OUTER = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}


def gguf_name(name: str) -> str:
    """GGUF's name of a weight that `weight_shapes` names."""
    if name in _OUTER:
        return _OUTER[name]
    layer, _, rest = name.removeprefix("model.layers.").partition(".")
    part, _, kind = rest.rpartition(".")
    return f"blk.{layer}.{_PARTS[part]}.{kind}"


def rotated_rows(config: NetworkConfig, name: str) -> int:
    """Rows of a head whose order differs between the two formats, or 0.

    Rotary pairs of family llama are rows i and i + size/2 of a head in Hugging Face's files, and
    neighbours in GGUF's.
    """
    paired = name.endswith(("q_proj.weight", "k_proj.weight"))
    return config.head_size if config.family == "llama" and paired else 0


def to_neighbours(rows: Floats, head_size: int) -> Floats:
    """Whole heads [heads * head_size, columns] from Hugging Face's order to GGUF's."""
    heads = rows.reshape(-1, 2, head_size // 2, rows.shape[-1])
    return heads.swapaxes(1, 2).reshape(rows.shape)


def to_halves(rows: Floats, head_size: int) -> Floats:
    """Whole heads [heads * head_size, columns] from GGUF's order to Hugging Face's."""
    heads = rows.reshape(-1, head_size // 2, 2, rows.shape[-1])
    return heads.swapaxes(1, 2).reshape(rows.shape)


def shortest(value: float) -> float:
    """The shortest decimal that is the same float32: 1e-05 of 9.999999747378752e-06."""
    return float(str(np.float32(value)))
