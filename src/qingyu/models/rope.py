"""Rotary position embedding: how far each pair of a head turns per position.

    rope_frequencies(size=64, base=10000.0, factors=None, scaling=RopeScaling())

Returns plain numbers; nothing here reads files or rotates vectors. The formulas are those of
RoPE (arXiv 2104.09864), position interpolation (2306.15595) and YaRN (2309.00071), computed
as llama.cpp and transformers compute them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RopeScaling:
    """How a model was stretched beyond the context it was trained on.

    `kind` is "none", "linear", "yarn" or "longrope" (whose stretching is all in the factors);
    `factor` is how many times longer; `original_context` is in tokens.
    """

    kind: str = "none"
    factor: float = 1.0
    original_context: int = 0
    attention_factor: float = 1.0
    extrapolation: float = 1.0
    beta_fast: float = 32.0
    beta_slow: float = 1.0


def rope_frequencies(
    *, size: int, base: float, factors: Sequence[float] | None, scaling: RopeScaling
) -> tuple[tuple[float, ...], float]:
    """Radians per position [size / 2], and what sine and cosine are multiplied by.

    `factors` [size / 2] divide the frequencies one by one (Llama 3, longrope).
    """
    frequencies = [base ** (-2.0 * i / size) for i in range(size // 2)]
    if factors is not None:
        frequencies = [f / factor for f, factor in zip(frequencies, factors, strict=True)]
    if scaling.kind == "longrope":
        return tuple(frequencies), scaling.attention_factor
    if scaling.kind == "none" or scaling.factor == 1.0:
        return tuple(frequencies), 1.0
    interpolated = [f / scaling.factor for f in frequencies]
    if scaling.kind == "linear":
        return tuple(interpolated), 1.0

    assert scaling.kind == "yarn", scaling.kind
    if scaling.extrapolation == 0.0:
        return tuple(interpolated), scaling.attention_factor

    def dimension(rotations: float) -> float:
        # the pair that turns `rotations` times over the original context
        turns = scaling.original_context / (rotations * 2 * math.pi)
        return size * math.log(turns) / (2 * math.log(base))

    low = max(0.0, math.floor(dimension(scaling.beta_fast)))
    high = min(size - 1.0, math.ceil(dimension(scaling.beta_slow)))
    mixed = []
    for i, (near, far) in enumerate(zip(frequencies, interpolated, strict=True)):
        ramp = (i - low) / max(0.001, high - low)
        keep = (1.0 - min(1.0, max(0.0, ramp))) * scaling.extrapolation
        mixed.append(far * (1.0 - keep) + near * keep)
    return tuple(mixed), scaling.attention_factor * (1.0 + 0.1 * math.log(scaling.factor))
