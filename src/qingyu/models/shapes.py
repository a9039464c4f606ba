"""Well-known model shapes, filled with random weights: speed without a file.

    native = build_random("milm-6b", "Q4_0", threads=2)      # a NativeModel, nothing else

A shape is a `ModelConfig` and the types of its tensors, the same that a file of that model
would have. The weights are noise of a healthy size, so every forward pass costs what the real
one costs and says nothing. There is no tokenizer; used by `qingyu bench --shape`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from qingyu.errors import InvalidRequestError
from qingyu.models.family import FAMILIES, ModelConfig
from qingyu.models.ggml_types import GGMLType
from qingyu.text import pick

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from qingyu._native import NativeModel

TILE_BYTES = 1 << 20  # of random blocks, repeated to the size of each tensor


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The sizes of a model as its makers published them."""

    family: str = "llama"
    layers: int
    embedding: int
    feed_forward: int
    heads: int
    kv_heads: int
    vocab: int
    head_size: int = 0  # 0: embedding / heads
    tied: bool = False
    context: int = 4096
    base: float = 10000.0


SHAPES: dict[str, Shape] = {
    "smollm2-135m": Shape(
        layers=30, embedding=576, feed_forward=1536, heads=9, kv_heads=3, vocab=49152, tied=True,
        context=8192, base=1e5,
    ),
    "smollm2-360m": Shape(
        layers=32, embedding=960, feed_forward=2560, heads=15, kv_heads=5, vocab=49152, tied=True,
        context=8192, base=1e5,
    ),
    "qwen3-0.6b": Shape(
        family="qwen3", layers=28, embedding=1024, feed_forward=3072, heads=16, kv_heads=8,
        head_size=128, vocab=151936, tied=True, context=40960, base=1e6,
    ),
    "1.4b": Shape(
        layers=24, embedding=2048, feed_forward=5632, heads=32, kv_heads=32, vocab=64000,
        tied=True,
    ),
    "qwen2.5-1.5b": Shape(
        family="qwen2", layers=28, embedding=1536, feed_forward=8960, heads=12, kv_heads=2,
        vocab=151936, tied=True, context=32768, base=1e6,
    ),
    "qwen3-4b": Shape(
        family="qwen3", layers=36, embedding=2560, feed_forward=9728, heads=32, kv_heads=8,
        head_size=128, vocab=151936, tied=True, context=40960, base=1e6,
    ),
    "qwen2.5-7b": Shape(
        family="qwen2", layers=28, embedding=3584, feed_forward=18944, heads=28, kv_heads=4,
        vocab=152064, context=32768, base=1e6,
    ),
    "mimo-7b": Shape(
        family="mimo", layers=36, embedding=4096, feed_forward=11008, heads=32, kv_heads=8,
        vocab=151680, context=32768, base=640000.0,
    ),
    "milm-6b": Shape(
        layers=30, embedding=4096, feed_forward=11008, heads=32, kv_heads=32, vocab=64000,
        tied=True,
    ),
}  # fmt: skip


class _Layout(NamedTuple):
    """Where a block keeps its float16 scale and minimum, and minimum / scale for mean zero."""

    scale: int
    minimum: int | None = None
    ratio: float = 0.0


_LAYOUTS: dict[GGMLType, _Layout] = {
    GGMLType.Q4_0: _Layout(0),
    GGMLType.Q4_1: _Layout(0, 2, -7.5),
    GGMLType.Q5_0: _Layout(0),
    GGMLType.Q5_1: _Layout(0, 2, -15.5),
    GGMLType.Q8_0: _Layout(0),
    GGMLType.IQ4_NL: _Layout(0),
    GGMLType.Q2_K: _Layout(80, 82, 1.5),
    GGMLType.Q3_K: _Layout(108),
    GGMLType.Q4_K: _Layout(0, 2, 7.5),
    GGMLType.Q5_K: _Layout(0, 2, 15.5),
    GGMLType.Q6_K: _Layout(208),
}
_FLOATS = (GGMLType.F32, GGMLType.F16, GGMLType.BF16)

# What stands in where rows are not whole blocks of 256: the next type up with blocks of 32.
_NARROW = {
    GGMLType.Q2_K: GGMLType.Q4_0,
    GGMLType.Q3_K: GGMLType.Q4_0,
    GGMLType.Q4_K: GGMLType.Q5_0,
    GGMLType.Q5_K: GGMLType.Q5_1,
    GGMLType.Q6_K: GGMLType.Q8_0,
}


def names() -> list[str]:
    """Shape names, smallest first."""
    return sorted(SHAPES, key=lambda name: num_parameters(name))


def type_names() -> list[str]:
    """Names of the matrix types a shape can be filled with."""
    return [kind.name for kind in (*_FLOATS, *_LAYOUTS)]


def config(name: str) -> ModelConfig:
    """The configuration a file of this shape would be described by."""
    shape = _shape(name)
    head_size = shape.head_size or shape.embedding // shape.heads
    return ModelConfig(
        num_layers=shape.layers,
        embedding_size=shape.embedding,
        feed_forward_size=shape.feed_forward,
        num_heads=shape.heads,
        num_kv_heads=shape.kv_heads,
        head_size=head_size,
        vocab_size=shape.vocab,
        context_length=shape.context,
        norm_epsilon=1e-5,
        rope_size=head_size,
        rope_halves=FAMILIES[shape.family].rope_halves,
        rope_frequencies=tuple(shape.base ** (-2 * i / head_size) for i in range(head_size // 2)),
        family=shape.family,
        name=name,
        tied=shape.tied,
        tensors=list(tensors(name, "F32")),
    )


def tensors(name: str, type: str) -> dict[str, tuple[GGMLType, tuple[int, ...]]]:
    """Every tensor of the shape in load order: name -> (type, shape columns first).

    Matrices are of `type`, norms and biases F32. Raises InvalidRequestError for unknown names.
    """
    shape, kind = _shape(name), _type(type)
    d, f = shape.embedding, shape.feed_forward
    head_size = shape.head_size or d // shape.heads
    q, k = shape.heads * head_size, shape.kv_heads * head_size
    family = FAMILIES[shape.family]
    sizes: dict[str, tuple[int, ...]] = {"token_embd.weight": (d, shape.vocab)}
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        sizes |= {f"{block}attn_norm.weight": (d,)}
        for letter, rows in (("q", q), ("k", k), ("v", k)):
            sizes[f"{block}attn_{letter}.weight"] = (d, rows)
            if family.bias == "always":
                sizes[f"{block}attn_{letter}.bias"] = (rows,)
        if family.head_norms:
            sizes |= {f"{block}attn_{letter}_norm.weight": (head_size,) for letter in "qk"}
        sizes |= {
            f"{block}attn_output.weight": (q, d),
            f"{block}ffn_norm.weight": (d,),
            f"{block}ffn_gate.weight": (d, f),
            f"{block}ffn_up.weight": (d, f),
            f"{block}ffn_down.weight": (f, d),
        }
    sizes["output_norm.weight"] = (d,)
    if not shape.tied:
        sizes["output.weight"] = (d, shape.vocab)
    return {
        tensor: (_fitting(kind, size[0]) if len(size) == 2 else GGMLType.F32, size)
        for tensor, size in sizes.items()
    }


def num_parameters(name: str) -> int:
    """Weights of the shape, a tied embedding counted once."""
    return sum(math.prod(size) for _, size in tensors(name, "F32").values())


def num_bytes(name: str, type: str) -> int:
    """Bytes the tensors would take in a file."""
    return sum(kind.num_bytes(math.prod(size)) for kind, size in tensors(name, type).values())


def build_random(shape: str, type: str, *, threads: int, instruction_set: str = "") -> NativeModel:
    """The shape in the core, its matrices filled with noise of `type` ("Q4_0", "F16", ...).

    Needs about the model's size in memory. The same call gives the same weights. Raises
    InvalidRequestError for an unknown shape or type, ValueError for an unknown instruction set.
    """
    import numpy as np

    from qingyu import _native

    settings = config(shape)
    builder = _native.ModelBuilder(
        **settings.builder_arguments(), instruction_set=instruction_set, threads=threads
    )
    parts = tensors(shape, type)
    std = 1 / math.sqrt(settings.embedding_size)
    noise: dict[GGMLType, NDArray[np.uint8]] = {}
    for kind in {kind for kind, size in parts.values() if len(size) == 2}:
        largest = max(kind.num_bytes(math.prod(size)) for k, size in parts.values() if k is kind)
        noise[kind] = np.resize(random_tile(kind, std), largest)
    for name, (kind, size) in parts.items():
        if len(size) == 2:
            data = noise[kind][: kind.num_bytes(math.prod(size))]
        else:
            # Norms pass their input through; biases add nothing.
            value = 0.0 if name.endswith(".bias") else 1.0
            data = np.full(size, value, np.float32).view(np.uint8)
        builder.add(name, kind, size, data)
    return builder.build()


def random_tile(kind: GGMLType, std: float) -> NDArray[np.uint8]:
    """About TILE_BYTES of whole random blocks whose values have mean 0 and deviation `std`."""
    import numpy as np

    from qingyu import _native

    rng = np.random.default_rng(kind)
    if kind in _FLOATS:
        values = (rng.standard_normal(TILE_BYTES // kind.block_bytes) * std).astype(np.float32)
        if kind is GGMLType.BF16:
            # Cut, not rounded: noise either way.
            return (values.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
        return values.astype(np.float16 if kind is GGMLType.F16 else np.float32).view(np.uint8)
    num_blocks = TILE_BYTES // kind.block_bytes
    blocks = rng.integers(0, 256, (num_blocks, kind.block_bytes), dtype=np.uint8)
    # Measured with scales of 1: how wide the levels themselves are spread.
    _set_scales(kind, blocks, 1.0)
    levels = _native.dequantize(kind, blocks.reshape(-1), num_blocks * kind.block_size)
    _set_scales(kind, blocks, std / float(levels.std()))
    return blocks.reshape(-1)


def _set_scales(kind: GGMLType, blocks: NDArray[np.uint8], scale: float) -> None:
    import numpy as np

    layout = _LAYOUTS[kind]
    blocks[:, layout.scale : layout.scale + 2] = np.array([scale], np.float16).view(np.uint8)
    if layout.minimum is not None:
        minimum = np.array([scale * layout.ratio], np.float16).view(np.uint8)
        blocks[:, layout.minimum : layout.minimum + 2] = minimum


def _fitting(kind: GGMLType, columns: int) -> GGMLType:
    return kind if columns % kind.block_size == 0 else _NARROW[kind]


def _shape(name: str) -> Shape:
    if name not in SHAPES:
        listed = ", ".join(SHAPES)
        raise InvalidRequestError(
            pick(
                f"there is no shape {name!r}; there are {listed}",
                f"没有名为 {name!r} 的形状；可选的有 {listed}",
            )
        )
    return SHAPES[name]


def _type(name: str) -> GGMLType:
    listed = type_names()
    if name.upper() not in listed:
        raise InvalidRequestError(
            pick(
                f"there is no matrix type {name!r}; there are {', '.join(listed)}",
                f"没有矩阵类型 {name!r}；可选的有 {', '.join(listed)}",
            )
        )
    return GGMLType[name.upper()]
