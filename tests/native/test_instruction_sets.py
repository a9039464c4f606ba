"""Each instruction set the machine has gives what the portable code gives."""

from __future__ import annotations

import numpy as np
import pytest
from gguf import GGMLQuantizationType as T

from qingyu import _native
from reference.blocks import TYPES
from reference.compare import distance
from reference.core import build, chunked, run

SETS = [name for name in _native.instruction_sets() if name != "portable"]
# Every type with one shape, and every shape with a few types.
SHAPES = ("llama-kv1", "llama-head80", "llama-head96", "llama-head128", "qwen3", "qwen2")
CASES = [("llama", kind) for kind in TYPES] + [
    (family, kind) for family in SHAPES for kind in (T.F32, T.F16, T.Q4_0, T.Q4_1, T.Q6_K)
]


def test_portable_is_always_there_and_last() -> None:
    assert _native.instruction_sets()[-1] == "portable"


def test_default_is_the_best(reference) -> None:
    assert build(reference("llama", T.F32)).instruction_set == _native.instruction_sets()[0]


def test_unknown_set_is_refused(reference) -> None:
    with pytest.raises(ValueError, match="sse9"):
        build(reference("llama", T.F32), instruction_set="sse9")


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize(
    ("family", "kind"), CASES, ids=lambda value: str(getattr(value, "name", value))
)
def test_same_logits_as_portable(reference, family: str, kind: T, instruction_set: str) -> None:
    """Bit for bit: integer sums are exact, and floats are added in one order everywhere."""
    model = reference(family, kind)
    tokens = np.random.default_rng(5).integers(0, model.shape.vocab_size, 77)
    portable = build(model, instruction_set="portable")
    other = build(model, instruction_set=instruction_set)
    assert portable.instruction_set == "portable"
    assert other.instruction_set == instruction_set
    whole, expected = run(other, tokens), run(portable, tokens)
    assert np.array_equal(whole, expected), distance(whole, expected)
    context = _native.NativeContext(other, max_tokens=80, threads=1)
    one_by_one = chunked(context, tokens, 1, sequence=context.create())
    assert np.array_equal(one_by_one, whole)


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("kind", [T.F16, T.Q4_1, T.Q6_K], ids=lambda kind: kind.name)
def test_same_logits_with_sixteen_bit_activations(reference, kind: T, instruction_set: str) -> None:
    model = reference("llama", kind)
    tokens = np.random.default_rng(5).integers(0, model.shape.vocab_size, 40)
    logits = [
        run(build(model, instruction_set=one), tokens, activation_bits=16)
        for one in ("portable", instruction_set)
    ]
    assert np.array_equal(*logits)
