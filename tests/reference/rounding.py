"""What is lost by giving products their input in few bits: int8 per 32 values, or bfloat16.

    reference.logits(tokens, rounding=as_engines_do)

The yardstick for an engine's error: it may lose what its number formats lose, and no more.
"""

from __future__ import annotations

import numpy as np
from gguf import GGMLQuantizationType as T


def int8_blocks(x: np.ndarray) -> np.ndarray:
    """x [n, columns] rounded to 127 steps of the largest of each 32 values."""
    n, columns = x.shape
    assert columns % 32 == 0, columns
    blocks = x.reshape(n, columns // 32, 32)
    step = np.abs(blocks).max(axis=-1, keepdims=True) / np.float32(127)
    with np.errstate(divide="ignore", invalid="ignore"):
        levels = np.where(step > 0, np.rint(blocks / step), 0)
    return (levels * step).astype(np.float32).reshape(n, columns)


def bfloat16(x: np.ndarray) -> np.ndarray:
    """x rounded to the nearest bfloat16, ties to even."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


def as_engines_do(x: np.ndarray, kind: int) -> np.ndarray:
    """int8 blocks for quantized weights, bfloat16 for 16-bit ones, untouched for float32."""
    if kind == T.F32:
        return x
    return bfloat16(x) if kind in (T.F16, T.BF16) else int8_blocks(x)
