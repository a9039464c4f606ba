"""Random-weight shapes: what they are made of, and that the core runs them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qingyu import _native
from qingyu.errors import InvalidRequestError
from qingyu.models import shapes
from qingyu.models.ggml_types import GGMLType
from reference.core import run

# Parameters in millions as published (or, for the last two, as the sizes multiply out).
PUBLISHED = {
    "smollm2-135m": 134.5,
    "smollm2-360m": 361.8,
    "qwen3-0.6b": 596.0,
    "qwen2.5-1.5b": 1543.7,
    "qwen3-4b": 4022.5,
    "qwen2.5-7b": 7615.6,
    "mimo-7b": 7622.6,
    "1.4b": 1364.3,
    "milm-6b": 6333.6,
}
TINY = shapes.Shape(
    layers=2, embedding=256, feed_forward=512, heads=4, kv_heads=2, vocab=300, tied=True
)


def test_sizes_are_the_published_ones() -> None:
    assert set(shapes.names()) == set(PUBLISHED)
    for name, millions in PUBLISHED.items():
        assert shapes.num_parameters(name) / 1e6 == pytest.approx(millions, abs=0.05), name


def test_names_are_sorted_by_size() -> None:
    sizes = [shapes.num_parameters(name) for name in shapes.names()]
    assert sizes == sorted(sizes)


def test_default_models_shape_is_the_default_models() -> None:
    config = shapes.config("smollm2-135m")
    assert (config.num_layers, config.head_size, config.rope_size) == (30, 64, 64)
    assert config.tied
    assert "output.weight" not in config.tensors
    assert len(config.tensors) == 272


def test_types_that_do_not_fit_a_row_are_replaced() -> None:
    """576 columns are no whole blocks of 256; 1536 are."""
    kinds = shapes.tensors("smollm2-135m", "Q4_K")
    assert kinds["blk.0.attn_q.weight"][0] is GGMLType.Q5_0
    assert kinds["blk.0.ffn_down.weight"][0] is GGMLType.Q4_K
    assert kinds["blk.0.attn_norm.weight"][0] is GGMLType.F32


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(InvalidRequestError, match="milm-6b"):
        shapes.config("gpt-9")
    with pytest.raises(InvalidRequestError, match="Q4_0"):
        shapes.tensors("1.4b", "Q9_9")


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3", "mimo"])
@pytest.mark.parametrize("type_name", shapes.type_names())
def test_a_small_shape_runs(monkeypatch: pytest.MonkeyPatch, family: str, type_name: str) -> None:
    monkeypatch.setitem(shapes.SHAPES, "tiny", replace(TINY, family=family))
    model = shapes.build_random("tiny", type_name, threads=1)
    assert isinstance(model, _native.NativeModel)
    logits = run(model, np.arange(40))
    assert np.isfinite(logits).all()
    assert 0.1 < logits.std() < 10
    again = shapes.build_random("tiny", type_name, threads=2)
    assert np.array_equal(run(again, np.arange(40)), logits)


@pytest.mark.parametrize("type_name", shapes.type_names())
def test_weights_are_centred_and_of_the_asked_spread(type_name: str) -> None:
    kind = GGMLType[type_name]
    tile = shapes.random_tile(kind, 0.02)
    count = len(tile) // kind.block_bytes * kind.block_size
    values = _native.dequantize(kind, tile, count)
    assert values.std() == pytest.approx(0.02, rel=0.05)
    assert abs(values.mean()) < 0.003  # half a step: levels run from -8 to 7
