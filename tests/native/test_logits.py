"""The core's logits against numpy's, for every family and every type.

The core may lose what its number formats lose and no more: activations in int8 per 32 values
(float32 for float weights), keys and values in 16 bits, of which float16 is the yardstick. What
that costs is measured by the reference itself with its inputs rounded that way, so no threshold
here is a guess: the core's error is at most ALLOWED times the error of rounding alone.
"""

from __future__ import annotations

import numpy as np
import pytest
from gguf import GGMLQuantizationType as T

from reference.blocks import FLOATS, TYPES
from reference.compare import Distance, distance
from reference.core import build, run
from reference.forward import ReferenceModel
from reference.random_models import FAMILIES
from reference.rounding import as_engines_do

POSITIONS = 150
# Rounding errors of two computations are different samples of the same size.
ALLOWED = 1.25
NEAR = 6
# float32 sums in another order: relative 1e-6 on logits of about 10.
FLOOR = 1e-7


def tokens_for(reference: ReferenceModel, count: int = POSITIONS) -> np.ndarray:
    return np.random.default_rng(11).integers(0, reference.shape.vocab_size, count)


def check(ours: np.ndarray, reference: ReferenceModel, tokens: np.ndarray) -> Distance:
    truth = reference.logits(tokens)
    rounded = reference.logits(tokens, kv_dtype=np.float16, rounding=as_engines_do)
    error, unavoidable = distance(ours, truth), distance(rounded, truth)
    assert error.kl <= ALLOWED * unavoidable.kl + FLOOR, (error, unavoidable)
    assert 1 - error.cosine <= ALLOWED * (1 - unavoidable.cosine) + FLOOR, (error, unavoidable)
    # Another token may come first only where rounding explains it: the true one was ahead by no
    # more than NEAR times the size of a rounding error.
    positions = np.arange(len(tokens))
    lost = truth.max(axis=-1) - truth[positions, ours.argmax(axis=-1)]
    noise = np.sqrt(np.mean(np.square(rounded - truth, dtype=np.float64)))
    assert lost.max() <= NEAR * noise + 1e-5, (lost.max(), noise, error, unavoidable)
    return error


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
@pytest.mark.parametrize("family", FAMILIES)
def test_family_and_type(reference, family: str, kind: T) -> None:
    model = reference(family, kind)
    tokens = tokens_for(model)
    error = check(run(build(model), tokens), model, tokens)
    # And in absolute terms: nothing here is far from the truth.
    assert error.kl < (1e-6 if kind in FLOATS else 5e-3), error


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_sixteen_bit_activations(reference, kind: T) -> None:
    """With two rounds of int8, quantized weights are as near to the truth as float ones."""
    model = reference("llama", kind)
    tokens = tokens_for(model)
    ours = run(build(model), tokens, activation_bits=16)
    assert distance(ours, model.logits(tokens)).kl < 1e-6


@pytest.mark.parametrize("kind", [T.F32, T.Q4_0], ids=lambda kind: kind.name)
def test_long_sequence(reference, kind: T) -> None:
    """600 positions: many pages, and angles far from zero."""
    model = reference("llama", kind)
    tokens = tokens_for(model, 600)
    ours = run(build(model), tokens)
    check(ours, model, tokens)
    check_tail = distance(ours[-50:], model.logits(tokens)[-50:])
    assert check_tail.kl < (1e-5 if kind == T.F32 else 5e-3), check_tail


def test_sliding_window_hides_what_is_behind_it(reference) -> None:
    """One layer's window of 20 in two layers reaches 38 back: older tokens cannot matter."""
    model = reference("llama-window", T.F32)
    core = build(model)
    tokens = tokens_for(model, 80)
    changed = tokens.copy()
    changed[:20] = (changed[:20] + 1) % model.shape.vocab_size
    ours, other = run(core, tokens), run(core, changed)
    assert np.array_equal(ours[58:], other[58:])
    assert not np.array_equal(ours[57], other[57])


def test_every_dimension_of_the_output_is_filled(reference) -> None:
    """Vocabulary 263 = 16 rows and 7 more: the rest of the last group must not leak out."""
    model = reference("llama-head128", T.Q4_0)
    ours = run(build(model), tokens_for(model, 3))
    assert ours.shape == (3, 263)
    assert np.isfinite(ours).all()
    assert (np.abs(ours).max(axis=0) > 0).all()


def test_attention_scale_is_used(reference) -> None:
    """0 means 1 / sqrt(head size); another value is taken as given."""
    from dataclasses import replace

    model = reference("llama", T.F32)
    tokens = tokens_for(model, 40)
    plain = run(build(model), tokens)
    written = ReferenceModel(replace(model.shape, attention_scale=1 / 8), model.tensors)
    assert np.array_equal(run(build(written), tokens), plain)
    other = ReferenceModel(replace(model.shape, attention_scale=0.02), model.tensors)
    ours = run(build(other), tokens)
    assert distance(ours, other.logits(tokens)).kl < 1e-5
    assert not np.array_equal(ours, plain)


def test_partial_rotation(reference) -> None:
    """Half of each head is rotated, the other half passes through."""
    from dataclasses import replace

    for family in ("llama", "qwen2"):
        model = reference(family, T.F32)
        half = replace(
            model.shape, rope_size=32, rope_frequencies=model.shape.rope_frequencies[::2]
        )
        other = ReferenceModel(half, model.tensors)
        tokens = tokens_for(model, 60)
        assert distance(run(build(other), tokens), other.logits(tokens)).kl < 1e-5
