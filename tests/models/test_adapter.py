"""The reader of adapter files: against the `gguf` package on good ones, and what it refuses."""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind

from gguf_bytes import gguf_bytes
from qingyu.errors import (
    InvalidRequestError,
    ModelFileError,
    ModelNotFoundError,
    QingyuError,
    UnsupportedModelError,
)
from qingyu.models.adapter import AdapterFile, checked_name, matrix_shape
from qingyu.models.family import ModelConfig, describe
from qingyu.models.gguf import GGUFFile
from reference import random_adapters, random_models

MODEL = random_models.FAMILIES["llama"]
F32, F16, Q8_0, BF16 = 0, 1, 8, 30
RANK = 4
GOOD = {
    "general.architecture": "llama",
    "general.type": "adapter",
    "adapter.type": "lora",
    "adapter.lora.alpha": 8.0,
}
Tensor = tuple[str, tuple[int, ...], int, bytes]


def floats(name: str, *shape: int, value: float = 0.5) -> Tensor:
    count = int(np.prod(shape))
    return name, shape, F32, struct.pack(f"<{count}f", *[value] * count)


def pair(name: str = "blk.0.attn_k.weight", columns: int = 256, rows: int = 128) -> list[Tensor]:
    return [floats(f"{name}.lora_a", columns, RANK), floats(f"{name}.lora_b", RANK, rows)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelConfig:
    path = tmp_path_factory.mktemp("base") / "base.gguf"
    random_models.write(path, MODEL, Kind.Q8_0)
    with GGUFFile.open(path) as gguf:
        return describe(gguf)


@pytest.fixture
def load(tmp_path: Path, base: ModelConfig) -> Callable[..., AdapterFile]:
    def load(metadata: dict[str, Any], tensors: list[Tensor], **options: Any) -> AdapterFile:
        path = tmp_path / "x.gguf"
        path.write_bytes(gguf_bytes(metadata, tensors, **options))
        return AdapterFile.open(path, base)

    return load


@pytest.mark.parametrize("kind", [Kind.F32, Kind.F16, Kind.BF16], ids=lambda kind: kind.name)
def test_values_of_every_type(tmp_path: Path, base: ModelConfig, kind: Kind) -> None:
    made = random_adapters.random_adapter(MODEL, rank=RANK, seed=3)
    path = random_adapters.write(tmp_path / "a.gguf", "llama", made, kind)
    with AdapterFile.open(path, base) as adapter:
        assert (adapter.rank, adapter.alpha, len(adapter.pairs)) == (RANK, 32.0, 14)
        assert adapter.parameters == sum(a.size + b.size for a, b in made.pairs.values())
        assert adapter.size == path.stat().st_size
        assert adapter.sha256() == hashlib.sha256(path.read_bytes()).hexdigest()
        for one in adapter.pairs:
            assert one.scale == 32.0 / RANK
            for ours, truth in zip(adapter.matrices(one), made.pairs[one.name], strict=True):
                assert ours.dtype == np.float32
                assert ours.shape == truth.shape
                tolerance = 2.0**-8 if kind is Kind.BF16 else 0.0
                assert np.allclose(ours, truth, rtol=tolerance, atol=0)


def test_scales(load: Callable[..., AdapterFile]) -> None:
    assert load(GOOD, pair()).pairs[0].scale == 2.0
    # No alpha, or 0: the product counts as it is (llama.cpp's rule).
    assert load({**GOOD, "adapter.lora.alpha": 0.0}, pair()).pairs[0].scale == 1.0
    without = {key: value for key, value in GOOD.items() if key != "adapter.lora.alpha"}
    assert load(without, pair()).pairs[0].scale == 1.0
    assert load({**GOOD, "adapter.lora.alpha": -4.0}, pair()).pairs[0].scale == -1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"general.type": "model"}, "general.type is 'model'"),
        ({"general.type": None}, "general.type is 'model'"),
        ({"general.architecture": "qwen2"}, "'qwen2', but the base random weights is 'llama'"),
        ({"adapter.type": "aLoRA"}, "type 'aLoRA'"),
        ({"adapter.alora.invocation_tokens": [1, 2]}, "type 'alora'"),
    ],
)
def test_other_files_are_named(
    load: Callable[..., AdapterFile], change: dict[str, Any], message: str
) -> None:
    metadata = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(UnsupportedModelError, match=message):
        load(metadata, pair())


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (pair("output.weight", 256, 300), "output.weight, which is not a matrix of a layer"),
        (pair("token_embd.weight", 256, 300), "embedding, head, norms"),
        (pair("blk.2.attn_k.weight"), "blk.2.attn_k.weight, which is not"),
        (pair("blk.00.attn_k.weight"), "which is not"),
        (pair("blk.0.attn_z.weight"), "which is not"),
        (pair(columns=128), r"shape \[128, 4\], not \[256, rank\]; is it for another model"),
        (pair(rows=256), r"shape \[4, 256\], not \[4, 128\]"),
        ([floats("blk.0.attn_norm.weight", 256)], "no part of a low-rank adapter"),
        ([floats("blk.0.attn_k.weight.lora_a", 256), pair()[1]], r"not \[256, rank\]"),
        ([floats("blk.0.attn_k.weight.lora_a", 256, 2), pair()[1]], r"shape \[4, 128\]"),
        (
            [("blk.0.attn_k.weight.lora_a", (256, 4), Q8_0, bytes(4 * 272)), pair()[1]],
            "of type Q8_0; supported are F32, F16, BF16",
        ),
    ],
)
def test_other_tensors_are_named(
    load: Callable[..., AdapterFile], tensors: list[Tensor], message: str
) -> None:
    with pytest.raises(UnsupportedModelError, match=message):
        load(GOOD, tensors)


@pytest.mark.parametrize(
    ("metadata", "tensors", "message"),
    [
        (GOOD, [], "no tensors"),
        (GOOD, pair()[:1], "lora_b is missing"),
        (GOOD, pair()[1:], "lora_a is missing"),
        ({**GOOD, "adapter.lora.alpha": float("nan")}, pair(), "adapter.lora.alpha is nan"),
        ({**GOOD, "adapter.lora.alpha": "many"}, pair(), "adapter.lora.alpha is str"),
        ({key: GOOD[key] for key in ("general.type", "adapter.type")}, pair(), "architecture"),
    ],
)
def test_damage_is_named(
    load: Callable[..., AdapterFile], metadata: dict[str, Any], tensors: list[Tensor], message: str
) -> None:
    with pytest.raises(ModelFileError, match=message) as caught:
        load(metadata, tensors)
    assert not isinstance(caught.value, UnsupportedModelError)


def test_values_that_are_no_numbers(load: Callable[..., AdapterFile]) -> None:
    wrong = floats("blk.0.attn_k.weight.lora_b", RANK, 128, value=float("inf"))
    adapter = load(GOOD, [pair()[0], wrong])
    with pytest.raises(ModelFileError, match="lora_b holds values that are not finite"):
        adapter.matrices(adapter.pairs[0])


def test_missing_and_truncated(tmp_path: Path, base: ModelConfig) -> None:
    with pytest.raises(ModelNotFoundError):
        AdapterFile.open(tmp_path / "none.gguf", base)
    path = tmp_path / "x.gguf"
    whole = gguf_bytes(GOOD, pair())
    for size in (0, 3, 24, 200, len(whole) - 40):
        path.write_bytes(whole[:size])
        with pytest.raises(ModelFileError):
            AdapterFile.open(path, base)


def test_any_damage_is_refused_or_read(tmp_path: Path, base: ModelConfig) -> None:
    """Bytes of the header changed at random: an error of ours, or a file that can be read."""
    path = tmp_path / "x.gguf"
    whole = gguf_bytes(GOOD, pair())
    rng = random.Random(1)
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(420)] = rng.randrange(256)
        path.write_bytes(data)
        try:
            with AdapterFile.open(path, base) as adapter:
                for one in adapter.pairs:
                    adapter.matrices(one)
        except QingyuError:
            pass


def test_an_adapter_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(gguf_bytes(GOOD, pair()))
    with GGUFFile.open(path) as gguf, pytest.raises(UnsupportedModelError, match="--adapter"):
        describe(gguf)


def test_names() -> None:
    for name in ("poet", "a", "Poet-2.1_b", "0" * 64):
        assert checked_name(name) == name
    for name in ("", "a b", "a:b", "a/b", "-a", ".a", "x" * 65, "诗人"):
        with pytest.raises(InvalidRequestError, match="no name for an adapter"):
            checked_name(name)


def test_shapes_of_matrices(base: ModelConfig) -> None:
    assert matrix_shape("blk.1.ffn_down.weight", base) == (512, 256)
    assert matrix_shape("blk.1.attn_q.weight", base) == (256, 256)
    for name in ("blk.1.ffn_norm.weight", "blk.2.attn_q.weight", "output.weight", "blk.1.attn_q"):
        assert matrix_shape(name, base) is None
