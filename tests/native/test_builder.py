"""What a ModelBuilder refuses: sizes, names, shapes, types and settings that cannot be."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from gguf import GGMLQuantizationType as T

from qingyu import _native
from reference.core import build, run


def settings(reference, **changes: Any) -> dict[str, Any]:
    return asdict(reference("llama", T.Q4_0).shape) | changes


@pytest.mark.parametrize(
    "name",
    [
        "num_layers",
        "embedding_size",
        "feed_forward_size",
        "num_heads",
        "num_kv_heads",
        "head_size",
        "vocab_size",
        "context_length",
    ],
)
@pytest.mark.parametrize("value", [0, -1, -(2**31), 2**31 - 1])
def test_sizes_that_cannot_be(reference, name: str, value: int) -> None:
    """Refused at once or when the tensors do not fit; never a crash or gigabytes of memory."""
    if (name, value) == ("context_length", 2**31 - 1):
        return  # large, but costs nothing by itself
    source = reference("llama", T.Q4_0)

    def attempt() -> None:
        builder = _native.ModelBuilder(**settings(reference, **{name: value}))
        for tensor, (kind, shape, raw) in source.tensors.items():
            builder.add(tensor, kind, shape, raw.reshape(-1).view(np.uint8))
        builder.build()

    with pytest.raises((ValueError, MemoryError, OverflowError)):
        attempt()


@pytest.mark.parametrize(
    "changes",
    [
        {"num_kv_heads": 3},
        {"rope_size": 65},
        {"rope_size": 128},
        {"rope_size": -2},
        {"rope_frequencies": [1.0]},
        {"rope_frequencies": [1.0] * 33},
        {"sliding_window": -1},
        {"instruction_set": "mmx"},
        {"threads": 0},
        {"threads": -1},
    ],
    ids=str,
)
def test_settings_that_contradict(reference, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        _native.ModelBuilder(**settings(reference, **changes))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_norm_epsilon_is_a_small_number(reference, value: float) -> None:
    with pytest.raises(ValueError, match=r"epsilon|finite"):
        _native.ModelBuilder(**settings(reference, norm_epsilon=value))


def builder_and_one(reference) -> tuple[_native.ModelBuilder, tuple[Any, ...]]:
    source = reference("llama", T.Q4_0)
    kind, shape, raw = source.tensors["blk.0.attn_q.weight"]
    builder = _native.ModelBuilder(**settings(reference))
    return builder, (kind, shape, raw.reshape(-1).view(np.uint8))


def test_unknown_tensor(reference) -> None:
    builder, (kind, shape, raw) = builder_and_one(reference)
    for name in ("rope_freqs.weight", "blk.2.attn_q.weight", "blk.-1.attn_q.weight", "", "blk."):
        with pytest.raises(ValueError, match=r"\w"):
            builder.add(name, kind, shape, raw)


@pytest.mark.parametrize("name", ["blk.00.attn_q.weight", "blk.+1.attn_q.weight", "blk.1e0.x"])
def test_layer_numbers_are_plain(reference, name: str) -> None:
    builder, (kind, shape, raw) = builder_and_one(reference)
    with pytest.raises(ValueError, match=r"\w"):
        builder.add(name, kind, shape, raw)


def test_same_tensor_twice(reference) -> None:
    builder, (kind, shape, raw) = builder_and_one(reference)
    builder.add("blk.0.attn_q.weight", kind, shape, raw)
    with pytest.raises(ValueError, match=r"blk\.0\.attn_q\.weight"):
        builder.add("blk.0.attn_q.weight", kind, shape, raw)


@pytest.mark.parametrize(
    "shape",
    [(), (256,), (256, 255), (255, 256), (256, 256, 1), (65536, 1), (-256, -256), (2**40, 2**40)],
    ids=str,
)
def test_wrong_shapes(reference, shape: tuple[int, ...]) -> None:
    builder, (kind, _, raw) = builder_and_one(reference)
    with pytest.raises(ValueError, match=r"blk\.0\.attn_q\.weight"):
        builder.add("blk.0.attn_q.weight", kind, shape, raw)


def test_wrong_sizes(reference) -> None:
    builder, (kind, shape, raw) = builder_and_one(reference)
    for wrong in (raw[:-1], raw[:0], np.concatenate([raw, raw[:1]])):
        with pytest.raises(ValueError, match=r"blk\.0\.attn_q\.weight"):
            builder.add("blk.0.attn_q.weight", kind, shape, wrong)


@pytest.mark.parametrize("kind", [-1, 4, 9, 15, 16, 24, 31, 1000, 2**31 - 1])
def test_types_that_are_not_supported(reference, kind: int) -> None:
    builder, (_, shape, raw) = builder_and_one(reference)
    with pytest.raises(ValueError, match=str(kind)):
        builder.add("blk.0.attn_q.weight", kind, shape, raw)
    with pytest.raises(ValueError, match=str(kind)):
        _native.dequantize(kind, raw, 32)


def test_quantized_norms_are_refused(reference) -> None:
    builder, _ = builder_and_one(reference)
    with pytest.raises(ValueError, match=r"output_norm\.weight"):
        builder.add("output_norm.weight", T.Q8_0, (256,), bytes(8 * 34))


def test_every_tensor_is_missed(reference) -> None:
    source = reference("qwen2", T.Q4_0)
    for missing in source.tensors:
        builder = _native.ModelBuilder(**asdict(source.shape))
        for name, (kind, shape, raw) in source.tensors.items():
            if name != missing:
                builder.add(name, kind, shape, raw.reshape(-1).view(np.uint8))
        if missing.endswith(".bias"):
            builder.build()
            continue
        with pytest.raises(ValueError, match=missing.replace(".", r"\.")):
            builder.build()


def test_builder_is_empty_after_building(reference) -> None:
    source = reference("llama", T.Q4_0)
    builder = _native.ModelBuilder(**asdict(source.shape))
    for name, (kind, shape, raw) in source.tensors.items():
        builder.add(name, kind, shape, raw.reshape(-1).view(np.uint8))
    first = builder.build()
    with pytest.raises(ValueError, match=r"\w"):
        builder.build()
    assert np.isfinite(run(first, [1, 2])).all()


def test_model_does_not_keep_the_callers_memory(reference) -> None:
    source = reference("llama", T.F32)
    builder = _native.ModelBuilder(**asdict(source.shape))
    for name, (kind, shape, raw) in source.tensors.items():
        copy = raw.reshape(-1).view(np.uint8).copy()
        builder.add(name, kind, shape, copy)
        copy[:] = 255
    assert np.array_equal(run(builder.build(), [1, 2, 3]), run(build(source), [1, 2, 3]))
