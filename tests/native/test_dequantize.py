"""The core's reading of every block type against the `gguf` package, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from gguf import GGML_QUANT_SIZES, quants
from gguf import GGMLQuantizationType as T

from qingyu import _native
from reference.blocks import FLOATS, SCALES, TYPES, random_blocks, wild_blocks
from reference.core import build
from reference.forward import ReferenceModel

QUANTIZED = [kind for kind in TYPES if kind not in FLOATS]
SETS = _native.instruction_sets()


def same_bits(ours: np.ndarray, truth: np.ndarray) -> None:
    """Equal as bits, but for the sign of a zero (the product of a scale and a level 0)."""
    assert ours.dtype == np.float32
    assert ours.shape == truth.shape
    ours, truth = ours + np.float32(0), truth + np.float32(0)
    differing = np.flatnonzero(ours.view(np.uint32) != truth.view(np.uint32))
    assert differing.size == 0, (differing.size, ours.flat[differing[0]], truth.flat[differing[0]])


def test_supported_types_are_the_documented_ones() -> None:
    assert sorted(_native.supported_types()) == sorted(TYPES)


@pytest.mark.parametrize("kind", QUANTIZED, ids=lambda kind: kind.name)
def test_random_bits(kind: T) -> None:
    block, _ = GGML_QUANT_SIZES[kind]
    raw = wild_blocks(kind, count=2000, rng=np.random.default_rng(kind))
    with np.errstate(over="ignore"):
        truth = quants.dequantize(raw, kind).reshape(-1)
    same_bits(_native.dequantize(kind, raw.reshape(-1), 2000 * block), truth)


def test_float16_of_every_pattern() -> None:
    every = np.arange(1 << 16, dtype=np.uint16)
    truth = every.view(np.float16).astype(np.float32)
    finite = np.isfinite(truth)
    ours = _native.dequantize(T.F16, every.view(np.uint8), len(every))
    same_bits(ours[finite], truth[finite])
    assert np.array_equal(np.isnan(ours), np.isnan(truth))
    assert np.array_equal(np.isinf(ours), np.isinf(truth))


def test_bfloat16_of_every_pattern() -> None:
    every = np.arange(1 << 16, dtype=np.uint16)
    truth = (every.astype(np.uint32) << 16).view(np.float32)
    ours = _native.dequantize(T.BF16, every.view(np.uint8), len(every))
    assert np.array_equal(ours, truth, equal_nan=True)


def test_float32_is_copied() -> None:
    values = np.random.default_rng(0).standard_normal(100).astype(np.float32)
    ours = _native.dequantize(T.F32, values.view(np.uint8), 100)
    same_bits(ours, values)
    values[:] = 0
    assert ours.any()


@pytest.mark.parametrize("make", [bytes, memoryview, bytearray], ids=lambda make: make.__name__)
def test_any_buffer_is_accepted(make: type) -> None:
    raw = np.arange(4, dtype=np.float32).tobytes()
    data = make(raw)
    if make is bytearray:
        data = memoryview(data)
    assert _native.dequantize(T.F32, data, 4).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
@pytest.mark.parametrize("instruction_set", SETS)
def test_rows_survive_repacking(kind: T, instruction_set: str) -> None:
    """Every value the core multiplies with is the file's, whatever the layout inside.

    32 levels of scale per matrix, rows not a multiple of 16 (263), several shapes.
    """
    reference = tiny_reference(kind)
    model = build(reference, instruction_set=instruction_set)
    for name, (_, shape, _) in reference.tensors.items():
        if len(shape) == 1:
            continue
        truth = reference.weight(name)
        rows = len(truth)
        same_bits(model.dequantize_rows(name, 0, rows), truth)
        same_bits(model.dequantize_rows(name, rows - 1, 1), truth[-1:])
        same_bits(model.dequantize_rows(name, 5, 19), truth[5:24])


@pytest.mark.parametrize("kind", QUANTIZED, ids=lambda kind: kind.name)
def test_rows_of_random_bits_survive_repacking(kind: T) -> None:
    """The same with blocks of nothing but random bits: unbalanced minima, negative scales."""
    reference = tiny_reference(kind)
    rng = np.random.default_rng(kind)
    _, size = GGML_QUANT_SIZES[kind]
    for name, (found, shape, raw) in reference.tensors.items():
        if found == kind:
            blocks = wild_blocks(kind, count=raw.size // size, rng=rng)
            tame = blocks.copy()
            for offset in SCALES[kind][:2]:
                if offset is not None:
                    # Exponents up to 2^8: weights are never larger, and products stay finite.
                    tame[:, offset + 1] = (blocks[:, offset + 1] & 0x80) | (
                        blocks[:, offset + 1] & 0x5F
                    )
            reference.tensors[name] = (found, shape, tame.reshape(raw.shape))
    model = build(reference)
    for name, (found, shape, _) in reference.tensors.items():
        if found == kind:
            same_bits(model.dequantize_rows(name, 0, shape[1]), reference.weight(name))


def tiny_reference(kind: T) -> ReferenceModel:
    """One llama layer, 256 wide, 263 tokens, all matrices of one type."""
    from reference.forward import Shape

    rng = np.random.default_rng(7)
    shape = Shape(
        num_layers=1,
        embedding_size=256,
        feed_forward_size=512,
        num_heads=4,
        num_kv_heads=2,
        head_size=64,
        vocab_size=263,
        context_length=128,
        norm_epsilon=1e-5,
        rope_size=64,
        rope_halves=False,
        rope_frequencies=[10000 ** (-i / 32) for i in range(32)],
        rope_scale=1.0,
        attention_scale=0.0,
        sliding_window=0,
        embedding_scale=1.0,
        residual_scale=1.0,
        logit_scale=1.0,
    )
    sizes = {
        "token_embd": (263, 256),
        "blk.0.attn_q": (256, 256),
        "blk.0.attn_k": (128, 256),
        "blk.0.attn_v": (128, 256),
        "blk.0.attn_output": (256, 256),
        "blk.0.ffn_gate": (512, 256),
        "blk.0.ffn_up": (512, 256),
        "blk.0.ffn_down": (256, 512),
    }
    tensors: dict[str, tuple[int, tuple[int, ...], np.ndarray]] = {
        f"{name}.weight": (
            int(kind),
            (columns, rows),
            random_blocks(kind, rows=rows, columns=columns, std=0.06, rng=rng),
        )
        for name, (rows, columns) in sizes.items()
    }
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        tensors[f"{name}.weight"] = (int(T.F32), (256,), np.ones(256, np.float32))
    return ReferenceModel(shape=shape, tensors=tensors)
