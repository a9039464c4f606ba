"""Impossible arguments are a ValueError that says what is wrong, and change nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gguf import GGMLQuantizationType as T

from qingyu import _native
from reference.core import build, forward

# TypeError: an array of another dtype or rank, a negative number where there can be none.
MISTAKES = (ValueError, TypeError)


@pytest.fixture(scope="module")
def model(reference) -> _native.NativeModel:
    return build(reference("llama", T.Q4_0))


@pytest.fixture
def context(model) -> _native.NativeContext:
    return _native.NativeContext(model, max_tokens=128, threads=1)


def call(context, tokens: Any, sequences: Any, outputs: Any) -> np.ndarray:
    return context.forward(*(np.asarray(a, np.int32) for a in (tokens, sequences, outputs)))


# --- forward ----------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [-1, 300, 2**31 - 1, -(2**31)])
def test_token_outside_the_vocabulary(context, token: int) -> None:
    sequence = context.create()
    with pytest.raises(ValueError, match=str(token)):
        call(context, [1, token, 2], [sequence] * 3, [2])
    assert context.length(sequence) == 0
    assert context.pages_free == context.pages_total


@pytest.mark.parametrize("output", [-1, 3, 2**31 - 1, -(2**31)])
def test_output_outside_the_batch(context, output: int) -> None:
    sequence = context.create()
    with pytest.raises(ValueError, match=str(output)):
        call(context, [1, 2, 3], [sequence] * 3, [0, output])
    assert context.length(sequence) == 0


@pytest.mark.parametrize("sequence", [-1, 999, 2**31 - 1, -(2**31)])
def test_sequence_that_never_was(context, sequence: int) -> None:
    live = context.create()
    with pytest.raises(ValueError, match=str(sequence)):
        call(context, [1, 2], [live, sequence], [0])
    assert context.length(live) == 0


def test_lengths_that_differ(context) -> None:
    sequence = context.create()
    with pytest.raises(MISTAKES):
        call(context, [1, 2, 3], [sequence] * 2, [0])
    assert context.length(sequence) == 0


def test_empty_batch(context) -> None:
    """Nothing to do is either refused or gives nothing; it must not crash."""
    try:
        logits = call(context, [], [], [])
    except ValueError:
        return
    assert logits.shape == (0, 300)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8, np.bool_, object])
def test_arrays_of_another_dtype(context, dtype: Any) -> None:
    """Refused or converted exactly; never read as something else."""
    sequence = context.create()
    try:
        ours = context.forward(
            np.array([1, 0, 1]).astype(dtype),
            np.full(3, sequence, np.int32),
            np.arange(3, dtype=np.int32),
        )
    except MISTAKES:
        assert context.length(sequence) == 0
        return
    assert np.array_equal(ours, forward(context, [1, 0, 1], sequence=context.create()))


def test_int64_tokens_beyond_32_bits_do_not_wrap(context) -> None:
    sequence = context.create()
    with pytest.raises(MISTAKES):
        context.forward(
            np.array([2**32 + 1]), np.array([sequence], np.int32), np.array([0], np.int32)
        )
    assert context.length(sequence) == 0


def test_two_dimensional_tokens(context) -> None:
    sequence = context.create()
    with pytest.raises(MISTAKES):
        context.forward(
            np.ones((2, 2), np.int32), np.full(4, sequence, np.int32), np.zeros(1, np.int32)
        )
    assert context.length(sequence) == 0


def test_strided_tokens_are_read_with_their_stride(context) -> None:
    sequence = context.create()
    spread = np.zeros(6, np.int32)
    spread[::2] = [7, 8, 9]
    try:
        ours = context.forward(
            spread[::2], np.full(3, sequence, np.int32), np.arange(3, dtype=np.int32)
        )
    except MISTAKES:
        return
    assert np.array_equal(ours, forward(context, [7, 8, 9], sequence=context.create()))


@pytest.mark.parametrize("outputs", [[1, 0], [1, 1], [0, 1, 2, 2], [0, 0, 1, 2]])
def test_outputs_that_do_not_rise(context, outputs: list[int]) -> None:
    sequence = context.create()
    with pytest.raises(ValueError, match="output"):
        call(context, [1, 2, 3], [sequence] * 3, outputs)
    assert context.length(sequence) == 0


def test_result_is_the_callers_own(context) -> None:
    """Later calls do not write into logits given out before."""
    sequence = context.create()
    first = forward(context, [1], sequence=sequence)
    kept = first.copy()
    forward(context, [2], sequence=sequence)
    assert np.array_equal(first, kept)
    first[:] = 0  # and it can be written to: samplers do


# --- sequences --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["length", "drop", "save"])
def test_dead_sequences(context, method: str) -> None:
    sequence = context.create()
    forward(context, [1], sequence=sequence)
    context.drop(sequence)
    for dead in (sequence, -1, 12345):
        with pytest.raises(ValueError, match=str(dead)):
            getattr(context, method)(dead)
    with pytest.raises(ValueError, match=str(sequence)):
        forward(context, [1], sequence=sequence)
    with pytest.raises(ValueError, match=str(sequence)):
        context.fork(sequence, 0)
    with pytest.raises(ValueError, match=str(sequence)):
        context.truncate(sequence, 0)
    assert context.pages_free == context.pages_total


@pytest.mark.parametrize("length", [-1, 6, 2**31 - 1])
def test_lengths_a_sequence_does_not_have(context, length: int) -> None:
    sequence = context.create()
    forward(context, range(5), sequence=sequence)
    with pytest.raises(ValueError, match=str(length)):
        context.fork(sequence, length)
    with pytest.raises(ValueError, match=str(length)):
        context.truncate(sequence, length)
    assert context.length(sequence) == 5


def test_sequences_of_another_context(model, context) -> None:
    other = _native.NativeContext(model, max_tokens=64, threads=1)
    for _ in range(3):
        other.create()
    foreign = other.create()
    with pytest.raises(ValueError, match=str(foreign)):
        forward(context, [1], sequence=foreign)


@pytest.mark.parametrize("threads", [0, -1, 100000])
def test_threads_that_cannot_be(model, threads: int) -> None:
    with pytest.raises((ValueError, RuntimeError)):
        _native.NativeContext(model, max_tokens=64, threads=threads)


@pytest.mark.parametrize("bits", [0, 4, 32])
def test_activation_bits_that_cannot_be(model, bits: int) -> None:
    with pytest.raises(ValueError, match="activation_bits"):
        _native.NativeContext(model, max_tokens=64, threads=1, activation_bits=bits)


@pytest.mark.parametrize("max_tokens", [0, -1, -(2**31)])
def test_context_sizes_that_cannot_be(model, max_tokens: int) -> None:
    with pytest.raises(ValueError, match="max_tokens"):
        _native.NativeContext(model, max_tokens=max_tokens, threads=1)


# --- saved states -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(model) -> bytes:
    context = _native.NativeContext(model, max_tokens=64, threads=1)
    sequence = context.create()
    forward(context, range(40), sequence=sequence)
    return context.save(sequence)


@pytest.mark.parametrize("cut", [0, 1, 3, 8, 16, 100, -1])
def test_cut_states(context, saved: bytes, cut: int) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        context.restore(saved[:cut])
    assert context.pages_free == context.pages_total


def test_longer_states(context, saved: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        context.restore(saved + b"\0")
    assert context.pages_free == context.pages_total


def test_state_of_another_shape(reference, saved: bytes) -> None:
    other = build(reference("llama-kv-all", T.Q4_0))
    context = _native.NativeContext(other, max_tokens=128, threads=1)
    with pytest.raises(ValueError, match=r"\w"):
        context.restore(saved)
    assert context.pages_free == context.pages_total


def test_states_with_a_damaged_head(context, saved: bytes) -> None:
    """Whatever stands in the first bytes: refused, or a sequence of a sane length."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(saved)
        for position in rng.integers(0, 64, rng.integers(1, 5)):
            damaged[position] = rng.integers(0, 256)
        try:
            sequence = context.restore(bytes(damaged))
        except (ValueError, MemoryError):
            continue
        assert 0 <= context.length(sequence) <= 128
        context.drop(sequence)
    assert context.pages_free == context.pages_total


# --- reading back ------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "count"), [(-1, 1), (300, 1), (299, 2), (0, 301), (0, -1)])
def test_rows_outside_the_matrix(model, first: int, count: int) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        model.dequantize_rows("token_embd.weight", first, count)


def test_rows_of_no_matrix(model) -> None:
    for name in ("nothing", "blk.2.attn_q.weight", "output_norm.weight"):
        with pytest.raises(ValueError, match=name):
            model.dequantize_rows(name, 0, 1)


@pytest.mark.parametrize("count", [-1, 31, 33, 64, 2**62])
def test_dequantize_counts(count: int) -> None:
    with pytest.raises(MISTAKES):
        _native.dequantize(T.Q4_0, bytes(18), count)


def test_dequantize_wrong_bytes() -> None:
    with pytest.raises(ValueError, match=r"\w"):
        _native.dequantize(T.Q4_0, bytes(17), 32)


def test_measurements_refuse_nonsense() -> None:
    for arguments in ((0, 1, 0.01), (-1, 1, 0.01), (1 << 20, 0, 0.01), (1 << 20, -1, 0.01)):
        with pytest.raises(MISTAKES):
            _native.measure_read_bandwidth(*arguments)
    with pytest.raises(MISTAKES):
        _native.measure_int8_peak(0, 0.01)


def test_measurements_measure() -> None:
    assert 1e8 < _native.measure_read_bandwidth(1 << 22, 1, 0.02) < 1e13
    assert 1e8 < _native.measure_int8_peak(1, 0.02) < 1e14
