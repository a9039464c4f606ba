"""What is lost by giving products their input in few bits: int8 per 32 values.

    reference.logits(tokens, rounding=as_engines_do)

The yardstick for an engine's error: it may lose what its number formats lose, and no more.
"""

from __future__ import annotations

import numpy as np

from reference.blocks import FLOATS


def int8_blocks(x: np.ndarray) -> np.ndarray:
    """x [n, columns] rounded to 127 steps of the largest of each 32 values."""
    n, columns = x.shape
    assert columns % 32 == 0, columns
    blocks = x.reshape(n, columns // 32, 32)
    step = np.abs(blocks).max(axis=-1, keepdims=True) / np.float32(127)
    with np.errstate(divide="ignore", invalid="ignore"):
        levels = np.where(step > 0, np.rint(blocks / step), 0)
    return (levels * step).astype(np.float32).reshape(n, columns)


def as_engines_do(x: np.ndarray, kind: int) -> np.ndarray:
    """int8 blocks for quantized weights, untouched for float ones."""
    return x if kind in FLOATS else int8_blocks(x)
