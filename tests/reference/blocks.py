"""Random weights in every GGML type the engine reads, as raw GGUF blocks.

    raw = random_blocks(GGMLQuantizationType.Q4_K, rows=8, columns=512, std=0.05, rng=rng)

Types the `gguf` package can quantize are quantized from normal values. The others (K quants and
IQ4_NL) get random bits under float16 scales chosen for the wanted spread; what the blocks mean
is in either case what `gguf.quants.dequantize` says.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from gguf import GGML_QUANT_SIZES, quants
from gguf import GGMLQuantizationType as T

TYPES = (
    T.F32,
    T.F16,
    T.BF16,
    T.Q4_0,
    T.Q4_1,
    T.Q5_0,
    T.Q5_1,
    T.Q8_0,
    T.Q2_K,
    T.Q3_K,
    T.Q4_K,
    T.Q5_K,
    T.Q6_K,
    T.IQ4_NL,
)
FLOATS = (T.F32, T.F16, T.BF16)


class Scales(NamedTuple):
    """Byte offsets of a block's float16 scale and minimum, and minimum / scale for mean zero."""

    scale: int
    minimum: int | None = None
    ratio: float = 0.0


SCALES = {
    T.Q4_0: Scales(0),
    T.Q4_1: Scales(0, 2, -7.5),
    T.Q5_0: Scales(0),
    T.Q5_1: Scales(0, 2, -15.5),
    T.Q8_0: Scales(0),
    T.Q2_K: Scales(80, 82, 1.5),
    T.Q3_K: Scales(108),
    T.Q4_K: Scales(0, 2, 7.5),
    T.Q5_K: Scales(0, 2, 15.5),
    T.Q6_K: Scales(208),
    T.IQ4_NL: Scales(0),
}


def fitting(kind: T, columns: int) -> T:
    """`kind`, or what stands in for it when a row is not a whole number of its blocks."""
    if columns % GGML_QUANT_SIZES[kind][0] == 0:
        return kind
    return T.Q8_0 if columns % 32 == 0 else T.F16


def random_blocks(
    kind: T, *, rows: int, columns: int, std: float, rng: np.random.Generator
) -> np.ndarray:
    """Raw blocks uint8 [rows, bytes per row] (float types keep their own dtype)."""
    if kind in SCALES and kind.name not in ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"):
        raw = random_bits(kind, rows=rows, columns=columns, rng=rng, scale=1.0)
        scale = std / float(quants.dequantize(raw, kind).std())
        blocks = raw.reshape(-1, GGML_QUANT_SIZES[kind][1])
        scales = scale * rng.uniform(0.7, 1.3, len(blocks))
        if kind == T.IQ4_NL:
            # Its levels have a mean; signs as real files have them take it away.
            scales *= rng.choice([-1.0, 1.0], len(blocks))
        set_scales(kind, blocks, scales)
        return raw
    values = (rng.standard_normal((rows, columns)) * std).astype(np.float32)
    return quants.quantize(values, kind)


def random_bits(
    kind: T, *, rows: int, columns: int, rng: np.random.Generator, scale: float
) -> np.ndarray:
    """Random bits in every field but the float16 scales, uint8 [rows, bytes per row].

    Where a block has minima in few bits they are set to the scales', so that each part of it is
    centred on zero as real weights are.
    """
    block, size = GGML_QUANT_SIZES[kind]
    assert columns % block == 0, (kind, columns)
    raw = rng.integers(0, 256, (rows, columns // block * size), dtype=np.uint8)
    blocks = raw.reshape(-1, size)
    if kind in (T.Q4_K, T.Q5_K):
        blocks[:, 8:12] = blocks[:, 4:8]
        low = blocks[:, 12:16] & 0x0F
        blocks[:, 12:16] = low | low << 4
    elif kind == T.Q2_K:
        low = blocks[:, :16] & 0x0F
        blocks[:, :16] = low | low << 4
    set_scales(kind, blocks, np.full(len(blocks), scale))
    return raw


def set_scales(kind: T, blocks: np.ndarray, scales: np.ndarray) -> None:
    """Write `scales` [blocks], and the minima that go with them, into blocks [blocks, bytes]."""
    layout = SCALES[kind]
    fields = [(layout.scale, scales)]
    if layout.minimum is not None:
        fields.append((layout.minimum, scales * layout.ratio))
    for offset, values in fields:
        blocks[:, offset : offset + 2] = values.astype(np.float16).view(np.uint8).reshape(-1, 2)


def wild_blocks(kind: T, *, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` blocks of nothing but random bits, uint8 [count, bytes], for bit-exactness tests.

    Scales are any finite float16, negative, subnormal and zero ones among them.
    """
    size = GGML_QUANT_SIZES[kind][1]
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    layout = SCALES[kind]
    for offset in (layout.scale, layout.minimum):
        if offset is None:
            continue
        # An exponent of 31 is infinity or not a number; 30 is the largest finite one.
        bits = rng.integers(0, 0x7C00, count, dtype=np.uint16)
        bits |= rng.integers(0, 2, count, dtype=np.uint16) << np.uint16(15)
        bits[rng.random(count) < 0.05] = 0
        blocks[:, offset : offset + 2] = bits.view(np.uint8).reshape(-1, 2)
    return blocks
