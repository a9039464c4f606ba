"""A NetworkConfig to the metadata of a GGUF file and back.

    metadata, extra = to_metadata(config)      # extra: small tensors, rotary factors
    config = from_gguf(gguf)

Reading checks the file with `qingyu.models.family` first, so what comes out is a network the engine
runs. Source of the keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qingyu.errors import UnsupportedModelError
from qingyu.make.network import FLOAT_TYPES, NetworkConfig, RopeStretch, shortest
from qingyu.models.family import ModelConfig, describe
from qingyu.models.ggml_types import GGMLType
from qingyu.models.gguf import GGUFFile
from qingyu.text import pick

FAMILIES = ("llama", "qwen2", "qwen3")

# Our own key: [factor, low, high frequency factor, original context], from which rope_freqs came.
LLAMA3_KEY = "qingyu.rope.llama3"
# Tried on files of others, which carry only the result: Llama 3.1 (8), 3.2 (32).
_KNOWN_LLAMA3 = tuple((factor, 1.0, 4.0, 8192) for factor in (8.0, 32.0))


def to_metadata(config: NetworkConfig) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    """Keys and values of the sizes, and float32 tensors that belong to them."""
    arch = config.family
    metadata: dict[str, Any] = {
        f"{arch}.block_count": config.num_layers,
        f"{arch}.context_length": config.context_length,
        f"{arch}.embedding_length": config.embedding_size,
        f"{arch}.feed_forward_length": config.feed_forward_size,
        f"{arch}.attention.head_count": config.num_heads,
        f"{arch}.attention.head_count_kv": config.num_kv_heads,
        f"{arch}.attention.key_length": config.head_size,
        f"{arch}.attention.value_length": config.head_size,
        f"{arch}.attention.layer_norm_rms_epsilon": config.norm_epsilon,
        f"{arch}.rope.dimension_count": config.head_size,
        f"{arch}.rope.freq_base": config.rope_base,
        f"{arch}.vocab_size": config.vocab_size,
    }
    if config.sliding_window:
        metadata[f"{arch}.attention.sliding_window"] = config.sliding_window
    stretch = config.rope_stretch
    if stretch is None:
        return metadata, {}
    if stretch.kind == "llama3":
        metadata[LLAMA3_KEY] = [
            stretch.factor, stretch.low_frequency_factor, stretch.high_frequency_factor,
            float(stretch.original_context),
        ]  # fmt: skip
        return metadata, {
            "rope_freqs.weight": llama3_factors(config.head_size, config.rope_base, stretch)
        }
    metadata[f"{arch}.rope.scaling.type"] = stretch.kind
    metadata[f"{arch}.rope.scaling.factor"] = stretch.factor
    if stretch.kind == "yarn":
        metadata[f"{arch}.rope.scaling.original_context_length"] = stretch.original_context
        metadata[f"{arch}.rope.scaling.yarn_beta_fast"] = stretch.beta_fast
        metadata[f"{arch}.rope.scaling.yarn_beta_slow"] = stretch.beta_slow
    return metadata, {}


def llama3_factors(size: int, base: float, stretch: RopeStretch) -> NDArray[np.float32]:
    """Divisors [size / 2] of the rotary frequencies: 1 for the fast ones, the factor for the
    slow ones, a ramp between (Llama 3.1; transformers' rope_type "llama3")."""
    wavelengths = 2 * math.pi * base ** (np.arange(0, size, 2) / size)
    low, high = stretch.low_frequency_factor, stretch.high_frequency_factor
    smooth = (stretch.original_context / wavelengths - low) / (high - low)
    smooth = np.clip(smooth, 0.0, 1.0)
    return (1 / ((1 - smooth) / stretch.factor + smooth)).astype(np.float32)


def from_gguf(gguf: GGUFFile) -> NetworkConfig:
    """The sizes of a file the engine runs, of the families that Hugging Face's classes know.

    Raises as `qingyu.models.family.describe`, and UnsupportedModelError for other families and
    for what their classes cannot express.
    """
    model = describe(gguf)
    arch = model.family
    if arch not in FAMILIES:
        raise _unsupported(
            gguf,
            f"family {arch}; these can be converted: {', '.join(FAMILIES)}",
            f"{arch} 系列；可转换的有 {'、'.join(FAMILIES)}",
        )
    if any(name.endswith(".bias") for name in model.tensors) and arch != "qwen2":
        raise _unsupported(
            gguf, "biases; supported are those of qwen2", "带偏置；只支持 qwen2 的偏置"
        )
    if model.rope_size != model.head_size:
        raise _unsupported(gguf, "partly rotated heads", "只旋转头的一部分")
    if model.attention_scale:
        raise _unsupported(gguf, f"{arch}.attention.scale", f"{arch}.attention.scale")
    if model.sliding_window and arch != "llama":
        raise _unsupported(gguf, "a sliding window", "滑动窗口")
    return NetworkConfig(
        family=arch,
        vocab_size=model.vocab_size,
        embedding_size=model.embedding_size,
        feed_forward_size=model.feed_forward_size,
        num_layers=model.num_layers,
        num_heads=model.num_heads,
        num_kv_heads=model.num_kv_heads,
        head_size=model.head_size,
        context_length=gguf.get(f"{arch}.context_length", int),
        norm_epsilon=shortest(model.norm_epsilon),
        rope_base=shortest(gguf.get(f"{arch}.rope.freq_base", float, 10000.0)),
        rope_stretch=_stretch(gguf, model),
        sliding_window=model.sliding_window,
        tied=model.tied,
        dtype=_dtype(gguf, model),
    )


def _dtype(gguf: GGUFFile, model: ModelConfig) -> GGMLType:
    """The float type of the matrices, where all of them are one; float32 otherwise."""
    kinds = {gguf.tensors[name].type for name in model.tensors if len(gguf.tensors[name].shape) > 1}
    return kinds.pop() if len(kinds) == 1 and kinds <= set(FLOAT_TYPES) else GGMLType.F32


def _stretch(gguf: GGUFFile, model: ModelConfig) -> RopeStretch | None:
    arch = model.family
    if "rope_factors_short.weight" in gguf.tensors:
        raise _unsupported(gguf, "rotary scaling 'longrope'", "旋转缩放方式 'longrope'")
    kind = gguf.get(f"{arch}.rope.scaling.type", str, "linear")
    legacy = gguf.get(f"{arch}.rope.scale_linear", float, 1.0)
    factor = gguf.get(f"{arch}.rope.scaling.factor", float, legacy) or 1.0
    if "rope_freqs.weight" in gguf.tensors:
        if kind != "none" and factor != 1.0:
            raise _unsupported(gguf, "two rotary scalings at once", "同时使用两种旋转缩放")
        return _llama3(gguf, model)
    if kind == "none" or factor == 1.0:
        return None
    if kind == "linear":
        return RopeStretch(kind=kind, factor=shortest(factor))
    for key in ("attn_factor", "yarn_attn_factor", "yarn_ext_factor"):
        value = gguf.get(f"{arch}.rope.scaling.{key}", float, 1.0)
        if value not in (1.0, -1.0):
            raise _unsupported(
                gguf, f"rope.scaling.{key} {value}", f"rope.scaling.{key} 为 {value}"
            )
    context = gguf.get(f"{arch}.context_length", int)
    return RopeStretch(
        kind="yarn",
        factor=shortest(factor),
        original_context=gguf.get(f"{arch}.rope.scaling.original_context_length", int, context),
        beta_fast=shortest(gguf.get(f"{arch}.rope.scaling.yarn_beta_fast", float, 32.0)),
        beta_slow=shortest(gguf.get(f"{arch}.rope.scaling.yarn_beta_slow", float, 1.0)),
    )


def _llama3(gguf: GGUFFile, model: ModelConfig) -> RopeStretch:
    """The rule behind a file's rotary factors: the one it names, or one that gives the same."""
    given = np.frombuffer(gguf.data("rope_freqs.weight"), np.float32)
    named = gguf.metadata.get(LLAMA3_KEY)
    rules: list[tuple[float, ...]] = [*_KNOWN_LLAMA3]
    if isinstance(named, np.ndarray) and named.size == 4:
        rules.insert(0, tuple(shortest(value) for value in named))
    base = gguf.get(f"{model.family}.rope.freq_base", float, 10000.0)
    for factor, low, high, original in rules:
        if not (factor > 0 and high > low > 0 and original >= 1):
            continue
        stretch = RopeStretch(
            kind="llama3",
            factor=factor,
            original_context=int(original),
            low_frequency_factor=low,
            high_frequency_factor=high,
        )
        if np.allclose(llama3_factors(model.head_size, base, stretch), given, rtol=1e-5):
            return stretch
    raise _unsupported(
        gguf,
        "rotary factors (rope_freqs.weight) that no known rule gives",
        "旋转系数（rope_freqs.weight）不符合任何已知规则",
    )


def _unsupported(gguf: GGUFFile, english: str, chinese: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        pick(f"{gguf.path.name}: {english}", f"{gguf.path.name}：{chinese}")
    )
