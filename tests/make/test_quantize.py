"""Blocks against the gguf package's and the engine's, and against what llama.cpp's cost.

The errors of llama.cpp 0.3.36 (ggml_quantize_chunk) on the same values are written down here;
`benchmarks/quantizers.py` measures them anew.
"""

from __future__ import annotations

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingyu.make.quantize import UnfitValueError, dequantize, quantizable, quantize
from qingyu.models.ggml_types import GGMLType as T

BLOCKED = (T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q4_K, T.Q6_K)

# llama.cpp's RMS error on `samples`, in units of 1e-4.
LLAMA_ERRORS = {
    ("normal", T.Q4_K): 14.1661, ("normal", T.Q6_K): 3.5369,
    ("heavy", T.Q4_K): 32.4201, ("heavy", T.Q6_K): 8.9385,
    ("uniform", T.Q4_K): 6.3036, ("uniform", T.Q6_K): 1.5670,
}  # fmt: skip


def samples(name: str) -> np.ndarray:
    """float32 [64, 1024], about as large as weights are."""
    rng = np.random.default_rng(5)
    drawn = {
        "normal": lambda: rng.standard_normal((64, 1024)),
        "heavy": lambda: rng.standard_t(3, (64, 1024)),
        "uniform": lambda: rng.uniform(-1, 1, (64, 1024)),
    }[name]()
    return (drawn * 0.02).astype(np.float32)


def rms(kind: T, values: np.ndarray) -> float:
    return float(np.sqrt(np.mean((dequantize(kind, quantize(kind, values)) - values.ravel()) ** 2)))


@pytest.mark.parametrize("name", ["normal", "heavy", "uniform"])
@pytest.mark.parametrize(
    "kind", [T.F32, T.F16, T.BF16, T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0], ids=lambda kind: kind.name
)
def test_bytes_are_those_of_the_gguf_package(kind: T, name: str) -> None:
    values = samples(name)
    values[3, 32:64] = 0.0
    theirs = gguf.quantize(values, gguf.GGMLQuantizationType(kind))
    assert np.array_equal(quantize(kind, values), theirs.view(np.uint8).ravel())


@pytest.mark.parametrize("kind", BLOCKED, ids=lambda kind: kind.name)
def test_the_engine_and_the_gguf_package_read_the_same(kind: T) -> None:
    blocks = quantize(kind, samples("normal"))
    theirs = gguf.dequantize(blocks.reshape(64, -1), gguf.GGMLQuantizationType(kind))
    assert np.array_equal(dequantize(kind, blocks), theirs.ravel())


@pytest.mark.parametrize(("name", "kind"), LLAMA_ERRORS, ids=str)
def test_super_blocks_lose_no_more_than_llama_cpp_s(name: str, kind: T) -> None:
    assert rms(kind, samples(name)) <= 1.01 * LLAMA_ERRORS[name, kind] * 1e-4


@pytest.mark.parametrize("kind", BLOCKED, ids=lambda kind: kind.name)
@pytest.mark.parametrize(
    "values",
    [
        np.zeros(256),
        np.full(256, 0.5),
        np.full(256, -0.5),
        np.linspace(1, 2, 256),
        np.linspace(-2, -1, 256),
        np.eye(1, 256)[0],
        -np.eye(1, 256)[0] * 60000,
        np.full(256, 1e-38),
        np.full(256, 1e-12) * np.arange(256),
    ],
    ids=["zero", "same", "negative", "above", "below", "one", "one large", "subnormal", "tiny"],
)
def test_odd_blocks(kind: T, values: np.ndarray) -> None:
    values = values.astype(np.float32)
    made = dequantize(kind, quantize(kind, values))
    span = max(values.max(), 0) - min(values.min(), 0)
    if kind not in (T.Q4_1, T.Q4_K):  # those without a minimum are symmetric
        span = 2 * np.abs(values).max()
    levels = {T.Q8_0: 254, T.Q6_K: 63, T.Q5_0: 31}.get(kind, 15)
    # half a step, the scale's own rounding, and what is smaller than any scale
    assert np.abs(made - values).max() <= span * (0.75 / levels + 2e-3) + 1e-6


@given(st.integers(0, 2**32 - 1), st.sampled_from([T.Q4_K, T.Q6_K]), st.floats(-2, 3))
def test_every_super_block_is_near(seed: int, kind: T, magnitude: float) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.standard_normal(512) * rng.choice([0.01, 1.0], 512)).astype(np.float32)
    values *= np.float32(10**magnitude)
    made = dequantize(kind, quantize(kind, values))
    error = np.sqrt(np.mean((made - values) ** 2) / np.mean(values**2))
    assert error < (0.12 if kind is T.Q4_K else 0.03)


def test_a_part_is_a_part_of_the_whole() -> None:
    """Blocks do not depend on what is quantized with them, nor on where pieces end."""
    values = np.random.default_rng(1).standard_normal((3, 65536)).astype(np.float32)
    for kind in quantizable():
        whole = quantize(kind, values)
        parts = [quantize(kind, row) for row in values.reshape(6, -1)]
        assert np.array_equal(whole, np.concatenate(parts)), kind


@pytest.mark.parametrize("kind", quantizable(), ids=lambda kind: kind.name)
def test_what_cannot_be_held_is_refused(kind: T) -> None:
    for bad in (np.nan, np.inf, -np.inf):
        values = np.ones(512, np.float32)
        values[300] = bad
        with pytest.raises(UnfitValueError, match="NaN"):
            quantize(kind, values)
    huge = np.full(256, 3.4e38, np.float32)
    if kind is T.F32:
        assert np.array_equal(dequantize(kind, quantize(kind, huge)), huge)
    else:
        with pytest.raises(UnfitValueError, match="above"):
            quantize(kind, huge)


def test_float_types_keep_what_they_can_hold() -> None:
    every_half = np.arange(1 << 16, dtype=np.uint16)
    halves = every_half.view(np.float16).astype(np.float32)
    halves = halves[np.isfinite(halves)]
    halves = halves[: halves.size // 256 * 256]
    assert np.array_equal(dequantize(T.F16, quantize(T.F16, halves)), halves)
    upper = (every_half.astype(np.uint32) << 16).view(np.float32)
    upper = upper[np.isfinite(upper)]
    upper = upper[: upper.size // 256 * 256]
    assert np.array_equal(
        dequantize(T.BF16, quantize(T.BF16, upper)).view(np.uint32), upper.view(np.uint32)
    )
