"""The forward pass a second time, in plain numpy at full precision, straight from a GGUF file.

    model = ReferenceModel.open("model.gguf")
    logits = model.logits([1, 2, 3])          # float32 [3, vocab]

Reads the file with the `gguf` package and dequantizes with `gguf.quants`, so that it shares no
line with the engine. Weights and products are float32; norms, angles and softmax float64. It
does not know tokenizers, and keeps no state between calls.

Letters in shapes: n positions, d embedding, h heads, k key-value heads, s head size, v vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, quants

# (input of a product [n, columns], the matrix's GGML type) -> what the product sees of it.
Rounding = Callable[[np.ndarray, int], np.ndarray]

# Families whose rotation pairs i with i + size / 2; the others pair 2i with 2i + 1.
ROTATE_HALVES = {"qwen2", "qwen3", "mimo"}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What the metadata says. Field names are the ones ModelBuilder takes."""

    num_layers: int
    embedding_size: int
    feed_forward_size: int
    num_heads: int
    num_kv_heads: int
    head_size: int
    vocab_size: int
    context_length: int
    norm_epsilon: float
    rope_size: int
    rope_halves: bool
    rope_frequencies: list[float]
    rope_scale: float
    attention_scale: float
    sliding_window: int
    embedding_scale: float
    residual_scale: float
    logit_scale: float


@dataclass
class ReferenceModel:
    """One file's shape and raw tensors: name -> (GGML type, shape columns first, raw blocks)."""

    shape: Shape
    tensors: dict[str, tuple[int, tuple[int, ...], np.ndarray]]
    _weights: dict[str, np.ndarray] = field(default_factory=dict)
    _rounding: Rounding | None = None

    @classmethod
    def open(cls, path: str | Path) -> ReferenceModel:
        reader = GGUFReader(str(path))
        # The vocabulary is not needed here, and its strings take seconds to decode.
        metadata = {
            name: item.contents()
            for name, item in reader.fields.items()
            if not name.startswith("tokenizer.")
        }
        tensors = {
            t.name: (int(t.tensor_type), tuple(int(n) for n in t.shape), t.data)
            for t in reader.tensors
        }
        factors = tensors.pop("rope_freqs.weight", None)
        shape = read_shape(
            metadata,
            vocab_size=tensors["token_embd.weight"][1][1],
            factors=None if factors is None else np.asarray(factors[2], np.float64),
        )
        return cls(shape=shape, tensors=tensors)

    def weight(self, name: str) -> np.ndarray | None:
        """Dequantized float32 [rows, columns] or [n]; None when the file has no such tensor."""
        if name not in self.tensors:
            return None
        if name not in self._weights:
            kind, shape, raw = self.tensors[name]
            values = quants.dequantize(raw, GGMLQuantizationType(kind)).reshape(shape[::-1])
            self._weights[name] = np.ascontiguousarray(values, np.float32)
        return self._weights[name]

    def logits(
        self, tokens: Any, *, kv_dtype: Any = np.float32, rounding: Rounding | None = None
    ) -> np.ndarray:
        """Logits float32 [n, v] after every token.

        `kv_dtype` float16 rounds keys and values, `rounding` the input of every product: what an
        engine loses by keeping them in fewer bits, however well it computes.
        """
        shape = self.shape
        self._rounding = rounding
        ids = np.asarray(tokens, np.int64)
        embedding = self.weight("token_embd.weight")
        x = embedding[ids] * np.float32(shape.embedding_scale)
        cosine, sine = rotation(shape, len(ids))
        mask = visible(len(ids), shape.sliding_window)
        residual = np.float32(shape.residual_scale)
        for layer in range(shape.num_layers):
            y = self._norm(f"blk.{layer}.attn_norm.weight", x)
            x = x + self._attention(f"blk.{layer}.", y, cosine, sine, mask, kv_dtype) * residual
            y = self._norm(f"blk.{layer}.ffn_norm.weight", x)
            x = x + self._feed_forward(f"blk.{layer}.", y) * residual
        x = self._norm("output_norm.weight", x)
        head = "output.weight" if "output.weight" in self.tensors else "token_embd.weight"
        return self._product(head, x) * np.float32(shape.logit_scale)

    def _norm(self, name: str, x: np.ndarray) -> np.ndarray:
        mean = np.mean(np.square(x, dtype=np.float64), axis=-1, keepdims=True)
        scaled = x / np.sqrt(mean + self.shape.norm_epsilon)
        return (scaled * self.weight(name)).astype(np.float32)

    def _product(self, name: str, x: np.ndarray) -> np.ndarray:
        if self._rounding is not None:
            x = self._rounding(x, self.tensors[name][0])
        return x @ self.weight(name).T

    def _linear(self, name: str, x: np.ndarray) -> np.ndarray:
        bias = self.weight(f"{name}.bias")
        y = self._product(f"{name}.weight", x)
        return y if bias is None else y + bias

    def _attention(
        self,
        prefix: str,
        x: np.ndarray,
        cosine: np.ndarray,
        sine: np.ndarray,
        mask: np.ndarray,
        kv_dtype: Any,
    ) -> np.ndarray:
        shape = self.shape
        n, s, group = len(x), shape.head_size, shape.num_heads // shape.num_kv_heads
        q = self._linear(f"{prefix}attn_q", x).reshape(n, shape.num_heads, s)
        k = self._linear(f"{prefix}attn_k", x).reshape(n, shape.num_kv_heads, s)
        v = self._linear(f"{prefix}attn_v", x).reshape(n, shape.num_kv_heads, s)
        if f"{prefix}attn_q_norm.weight" in self.tensors:
            q = self._norm(f"{prefix}attn_q_norm.weight", q)
            k = self._norm(f"{prefix}attn_k_norm.weight", k)
        q, k = rotate(shape, q, cosine, sine), rotate(shape, k, cosine, sine)
        k, v = k.astype(kv_dtype).astype(np.float32), v.astype(kv_dtype).astype(np.float32)
        scale = shape.attention_scale or 1 / math.sqrt(s)
        mixed = np.empty((n, shape.num_heads, s), np.float32)
        for head in range(shape.num_heads):
            scores = (q[:, head] @ k[:, head // group].T).astype(np.float64) * scale
            scores = np.where(mask, scores, -np.inf)
            scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
            scores /= scores.sum(axis=-1, keepdims=True)
            mixed[:, head] = scores @ v[:, head // group]
        return self._linear(f"{prefix}attn_output", mixed.reshape(n, -1))

    def _feed_forward(self, prefix: str, x: np.ndarray) -> np.ndarray:
        gate = self._linear(f"{prefix}ffn_gate", x)
        gate = gate / (1 + np.exp(-gate.astype(np.float64)))
        up = self._linear(f"{prefix}ffn_up", x)
        return self._linear(f"{prefix}ffn_down", (gate * up).astype(np.float32))


def read_shape(
    metadata: dict[str, Any], *, vocab_size: int, factors: np.ndarray | None = None
) -> Shape:
    """The shape from GGUF metadata. `factors` are the values of rope_freqs.weight."""
    family = metadata["general.architecture"]

    def get(key: str, default: Any) -> Any:
        return metadata.get(f"{family}.{key}", default)

    d = metadata[f"{family}.embedding_length"]
    heads = metadata[f"{family}.attention.head_count"]
    head_size = get("attention.key_length", d // heads)
    rope_size = get("rope.dimension_count", head_size)
    frequencies, rope_scale = rope(
        size=rope_size,
        base=get("rope.freq_base", 10000.0),
        scaling=get("rope.scaling.type", "none"),
        factor=get("rope.scaling.factor", get("rope.scale_linear", 1.0)),
        original_context=get("rope.scaling.original_context_length", 0),
        attention_factor=get("rope.scaling.attn_factor", 1.0),
        factors=factors,
    )
    return Shape(
        num_layers=metadata[f"{family}.block_count"],
        embedding_size=d,
        feed_forward_size=metadata[f"{family}.feed_forward_length"],
        num_heads=heads,
        num_kv_heads=get("attention.head_count_kv", heads),
        head_size=head_size,
        vocab_size=vocab_size,
        context_length=metadata[f"{family}.context_length"],
        norm_epsilon=metadata[f"{family}.attention.layer_norm_rms_epsilon"],
        rope_size=rope_size,
        rope_halves=family in ROTATE_HALVES,
        rope_frequencies=frequencies,
        rope_scale=rope_scale,
        attention_scale=0.0,
        sliding_window=get("attention.sliding_window", 0),
        embedding_scale=get("embedding_scale", 1.0),
        residual_scale=get("residual_scale", 1.0),
        # The file says what logits are divided by (Granite's convention, used for MiniCPM too).
        logit_scale=1 / get("logit_scale", 1.0),
    )


def rope(
    *,
    size: int,
    base: float,
    scaling: str,
    factor: float,
    original_context: int,
    attention_factor: float,
    factors: np.ndarray | None,
) -> tuple[list[float], float]:
    """Radians per position [size / 2], and what sine and cosine are multiplied by.

    "linear" divides by the factor; "yarn" (arXiv 2309.00071, section 3.2) keeps fast rotations,
    divides slow ones, ramps between 32 and 1 turns per original context; `factors` (Llama 3)
    divide one by one.
    """
    index = np.arange(size // 2, dtype=np.float64)
    frequency = base ** (-2 * index / size)
    if factors is not None:
        frequency = frequency / factors
    magnitude = attention_factor
    if scaling == "linear":
        frequency = frequency / factor
    elif scaling == "yarn":

        def dimension(turns: float) -> float:
            return size * math.log(original_context / (turns * 2 * math.pi)) / (2 * math.log(base))

        low = max(0.0, math.floor(dimension(32.0)))
        high = min(size - 1.0, math.ceil(dimension(1.0)))
        slow = np.clip((index - low) / max(0.001, high - low), 0, 1)
        frequency = frequency * (1 - slow) + frequency / factor * slow
        magnitude *= 1 + 0.1 * math.log(factor)
    return [float(f) for f in frequency], float(magnitude)


def rotation(shape: Shape, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine float32 [n, rope_size / 2] of positions 0 .. n - 1."""
    angle = np.outer(np.arange(n, dtype=np.float64), shape.rope_frequencies)
    cosine, sine = np.cos(angle) * shape.rope_scale, np.sin(angle) * shape.rope_scale
    return cosine.astype(np.float32), sine.astype(np.float32)


def rotate(shape: Shape, x: np.ndarray, cosine: np.ndarray, sine: np.ndarray) -> np.ndarray:
    """x [n, heads, s] with its first rope_size values rotated."""
    half = shape.rope_size // 2
    if shape.rope_halves:
        first, second = slice(0, half), slice(half, 2 * half)
    else:
        first, second = slice(0, 2 * half, 2), slice(1, 2 * half, 2)
    c, s = cosine[:, None, :], sine[:, None, :]
    y = x.copy()
    y[..., first] = x[..., first] * c - x[..., second] * s
    y[..., second] = x[..., first] * s + x[..., second] * c
    return y


def visible(n: int, window: int) -> np.ndarray:
    """Bool [n, n]: may position row look at position column."""
    row, column = np.arange(n)[:, None], np.arange(n)[None, :]
    mask = column <= row
    return mask & (column > row - window) if window else mask
