"""Float32 weights to the blocks of a GGUF type, and the other way.

    blocks = quantize(GGMLType.Q8_0, weights)         # uint8 [bytes], rows one after another
    weights = dequantize(GGMLType.Q8_0, blocks)       # float32 [values]

One way for each type, with the rounding ggml's reference uses for the types without
super blocks (equal bytes); those with super blocks are `qingyu.make.quantize_k`. Works on
pieces that fit a processor's cache, so memory is a few times one piece. Knows nothing of models;
which tensor gets which type is `qingyu.make.tensor_types`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from qingyu.make.quantize_k import q4_k, q6_k
from qingyu.models.ggml_types import GGMLType

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

# Values worked on at once: 256 KB of float32.
_PIECE = 1 << 16


class UnfitValueError(ValueError):
    """A value the type cannot hold: not finite, or too large. Says which, not where."""


def quantize(kind: GGMLType, values: Floats) -> Bytes:
    """Blocks uint8 [bytes] of float32 values, whose number is a multiple of the block's size.

    Raises UnfitValueError for values that are not finite or beyond the type's range.
    """
    flat = np.ascontiguousarray(values, dtype=np.float32).reshape(-1)
    assert flat.size % kind.block_size == 0, (kind, flat.size)
    encode = _ENCODERS[kind]
    out = np.empty(kind.num_bytes(flat.size), np.uint8)
    step = kind.num_bytes(_PIECE)
    for number, start in enumerate(range(0, flat.size, _PIECE)):
        piece = flat[start : start + _PIECE]
        if not np.isfinite(piece).all():
            raise UnfitValueError("NaN or infinity")
        blocks = encode(piece.reshape(-1, kind.block_size))
        out[number * step : (number + 1) * step] = blocks.reshape(-1)
    return out


def dequantize(kind: GGMLType, blocks: Bytes | memoryview) -> Floats:
    """Float32 values of whole blocks, as the engine understands them."""
    from qingyu import _native

    num_bytes = len(blocks)
    return _native.dequantize(kind, blocks, num_bytes // kind.block_bytes * kind.block_size)


def quantizable() -> tuple[GGMLType, ...]:
    """The types `quantize` knows."""
    return tuple(_ENCODERS)


# Each takes float32 [blocks, block_size] and gives uint8 [blocks, block_bytes].


def _f32(blocks: Floats) -> Bytes:
    return blocks.view(np.uint8)


def _f16(blocks: Floats) -> Bytes:
    return _half(blocks)


def _bf16(blocks: Floats) -> Bytes:
    """The upper half of a float32, rounded to even."""
    bits = blocks.view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    if ((rounded & 0x7FFF) >= 0x7F80).any():  # rounded up to infinity
        raise UnfitValueError("a value above 3.39e38")
    return rounded.astype("<u2").view(np.uint8)


def _q8_0(blocks: Floats) -> Bytes:
    scale = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
    scaled = blocks * _inverse(scale)
    size = np.abs(scaled)
    whole = np.floor(size)  # half away from zero
    codes = np.sign(scaled) * (whole + np.floor(2 * (size - whole)))
    return np.concatenate([_half(scale), codes.astype(np.int8).view(np.uint8)], axis=1)


def _symmetric_codes(blocks: Floats, half_range: int) -> tuple[Floats, Bytes]:
    """Scale [blocks, 1] that takes the value of largest size to code 0, and codes from 0."""
    at = np.abs(blocks).argmax(axis=1, keepdims=True)
    scale = np.take_along_axis(blocks, at, axis=1) / np.float32(-half_range)
    codes = (blocks * _inverse(scale) + np.float32(half_range + 0.5)).astype(np.uint8)
    return scale, np.minimum(codes, np.uint8(2 * half_range - 1))


def _q4_0(blocks: Floats) -> Bytes:
    scale, codes = _symmetric_codes(blocks, 8)
    return np.concatenate([_half(scale), _nibbles(codes)], axis=1)


def _q5_0(blocks: Floats) -> Bytes:
    scale, codes = _symmetric_codes(blocks, 16)
    fifth = np.packbits(codes >> 4, axis=1, bitorder="little")
    return np.concatenate([_half(scale), fifth, _nibbles(codes & np.uint8(15))], axis=1)


def _q4_1(blocks: Floats) -> Bytes:
    low = blocks.min(axis=1, keepdims=True)
    scale = (blocks.max(axis=1, keepdims=True) - low) / np.float32(15)
    codes = ((blocks - low) * _inverse(scale) + np.float32(0.5)).astype(np.uint8)
    codes = np.minimum(codes, np.uint8(15))
    return np.concatenate([_half(scale), _half(low), _nibbles(codes)], axis=1)


def _q4_k(blocks: Floats) -> Bytes:
    return q4_k(_moderate(blocks))


def _q6_k(blocks: Floats) -> Bytes:
    return q6_k(_moderate(blocks))


def _nibbles(codes: Bytes) -> Bytes:
    """[blocks, 32] codes below 16: the first half low, the second high."""
    return codes[:, :16] | codes[:, 16:] << np.uint8(4)


def _inverse(scale: Floats) -> Floats:
    """1 / scale; 0 for a block of zeros, or of values no float16 scale reaches."""
    with np.errstate(divide="ignore", over="ignore"):
        inverse = np.float32(1) / scale
    return np.where(np.isfinite(inverse), inverse, np.float32(0))


def _half(values: Floats) -> Bytes:
    """Float16 bytes, little-endian."""
    with np.errstate(over="ignore"):
        halves = values.astype("<f2")
    if not np.isfinite(halves).all():
        raise UnfitValueError("a value above 65504")
    return halves.view(np.uint8)


def _moderate(blocks: Floats) -> Floats:
    """Values whose squares and scales stay within range."""
    if np.abs(blocks).max(initial=0) > 65504:
        raise UnfitValueError("a value above 65504")
    return blocks


_ENCODERS: dict[GGMLType, Callable[[Floats], Bytes]] = {
    GGMLType.F32: _f32,
    GGMLType.F16: _f16,
    GGMLType.BF16: _bf16,
    GGMLType.Q8_0: _q8_0,
    GGMLType.Q4_0: _q4_0,
    GGMLType.Q4_1: _q4_1,
    GGMLType.Q5_0: _q5_0,
    GGMLType.Q4_K: _q4_k,
    GGMLType.Q6_K: _q6_k,
}
