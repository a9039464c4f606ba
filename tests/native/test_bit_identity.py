"""Promise 2 at its root: a position's logits are the same bits, however the work was cut up.

Chunks, batches, threads, forks, truncations and saved states may change when something is
computed, never what.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from gguf import GGMLQuantizationType as T

from qingyu import _native
from reference.core import build, chunked, forward, run

KINDS = [T.F32, T.F16, T.Q4_0, T.Q4_1, T.Q4_K, T.Q6_K, T.Q8_0]
MODELS = [("llama", kind) for kind in KINDS] + [
    ("qwen3", T.Q4_0),
    ("llama-head80", T.Q8_0),
    ("llama-window", T.Q4_0),
    ("minicpm", T.BF16),
]
LENGTH = 140


@pytest.fixture(scope="module", params=MODELS, ids=lambda pair: f"{pair[0]}-{pair[1].name}")
def model(request, reference) -> _native.NativeModel:
    return build(reference(*request.param))


@pytest.fixture(scope="module")
def tokens(model) -> np.ndarray:
    return np.random.default_rng(2).integers(0, model.vocab_size, LENGTH)


@pytest.fixture(scope="module")
def whole(model, tokens) -> np.ndarray:
    """The logits of all positions, computed in one call by one thread."""
    return run(model, tokens)


@pytest.fixture
def context(model) -> Iterator[_native.NativeContext]:
    context = _native.NativeContext(model, max_tokens=2048, threads=1)
    yield context
    assert context.pages_total >= 2048 // context.page_tokens


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 32, 33, 64, 100, 512])
def test_chunks(model, context, tokens, whole, size: int) -> None:
    ours = chunked(context, tokens, size, sequence=context.create())
    assert np.array_equal(ours, whole)


def test_only_the_outputs_asked_for(context, tokens, whole) -> None:
    wanted = [0, 31, 32, 76, 77, 139]
    ours = forward(context, tokens, sequence=context.create(), outputs=wanted)
    assert np.array_equal(ours, whole[wanted])


def test_no_output(context, tokens, whole) -> None:
    sequence = context.create()
    none = forward(context, tokens[:-1], sequence=sequence, outputs=[])
    assert none.shape == (0, whole.shape[1])
    assert np.array_equal(forward(context, tokens[-1:], sequence=sequence), whole[-1:])


@pytest.mark.parametrize("threads", [2, 3])
def test_threads(model, tokens, whole, threads: int) -> None:
    assert np.array_equal(run(model, tokens, threads=threads), whole)
    context = _native.NativeContext(model, max_tokens=LENGTH, threads=threads)
    assert context.threads == threads
    assert np.array_equal(chunked(context, tokens, 1, sequence=context.create()), whole)


def test_repeated_runs(model, tokens, whole) -> None:
    for _ in range(3):
        assert np.array_equal(run(model, tokens, threads=2), whole)


def test_build_threads(reference) -> None:
    """Repacking by two threads gives the model that one thread gives."""
    source = reference("llama", T.Q4_K)
    one, two = build(source, threads=1), build(source, threads=2)
    ids = np.arange(50)
    assert np.array_equal(run(one, ids), run(two, ids))


@pytest.mark.parametrize("threads", [1, 2])
def test_sixteen_sequences_step_by_step(model, threads: int) -> None:
    """Sequences of different lengths in one batch, each as if it were alone."""
    rng = np.random.default_rng(8)
    prompts = [rng.integers(0, model.vocab_size, 3 + 5 * i) for i in range(16)]
    alone = [run(model, prompt) for prompt in prompts]
    context = _native.NativeContext(model, max_tokens=2048, threads=threads)
    sequences = [context.create() for _ in prompts]
    for step in range(max(map(len, prompts))):
        live = [i for i, prompt in enumerate(prompts) if step < len(prompt)]
        logits = forward(
            context,
            [int(prompts[i][step]) for i in live],
            sequence=[sequences[i] for i in live],
        )
        for row, i in enumerate(live):
            assert np.array_equal(logits[row], alone[i][step]), (step, i)


def test_prompts_interleaved_in_one_call(model, context) -> None:
    """Tokens of several sequences shuffled together, in order within each."""
    rng = np.random.default_rng(9)
    prompts = [rng.integers(0, model.vocab_size, n) for n in (1, 40, 64, 33)]
    sequences = [context.create() for _ in prompts]
    owners = rng.permutation(np.repeat(np.arange(4), [len(p) for p in prompts]))
    place = [0] * 4
    batch = []
    for owner in owners:
        batch.append(int(prompts[owner][place[owner]]))
        place[owner] += 1
    logits = forward(context, batch, sequence=[sequences[i] for i in owners])
    for i, prompt in enumerate(prompts):
        assert np.array_equal(logits[owners == i], run(model, prompt)), i


def test_decode_beside_a_prefill(model, context, tokens, whole) -> None:
    """One sequence's next token shares a call with another's whole prompt."""
    first, second = context.create(), context.create()
    forward(context, tokens[:60], sequence=first)
    logits = forward(context, [*tokens[60:61], *tokens[:100]], sequence=[first, *[second] * 100])
    assert np.array_equal(logits[0], whole[60])
    assert np.array_equal(logits[1:], whole[:100])


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 63, 64, 65, 139, 140])
def test_fork_at_any_length(context, tokens, whole, length: int) -> None:
    parent = context.create()
    forward(context, tokens, sequence=parent, outputs=[])
    child = context.fork(parent, length)
    assert context.length(child) == length
    other = (tokens + 1) % whole.shape[1]
    forward(context, other[:9], sequence=context.fork(parent, length))
    if length < LENGTH:
        ours = forward(context, tokens[length:], sequence=child)
        assert np.array_equal(ours, whole[length:])
    # What children wrote is not in the parent.
    context.truncate(parent, LENGTH - 1)
    assert np.array_equal(forward(context, tokens[-1:], sequence=parent), whole[-1:])


def test_children_outlive_their_parent(context, tokens, whole) -> None:
    parent = context.create()
    forward(context, tokens[:70], sequence=parent, outputs=[])
    child = context.fork(parent, 50)
    grandchild = context.fork(child, 40)
    context.drop(parent)
    context.drop(child)
    ours = forward(context, tokens[40:], sequence=grandchild)
    assert np.array_equal(ours, whole[40:])


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 64, 100, 139])
def test_truncate_and_append_again(context, tokens, whole, length: int) -> None:
    sequence = context.create()
    forward(context, tokens, sequence=sequence, outputs=[])
    context.truncate(sequence, length)
    assert context.length(sequence) == length
    wrong = (tokens[length:] + 3) % whole.shape[1]
    forward(context, wrong, sequence=sequence, outputs=[])
    context.truncate(sequence, length)
    assert np.array_equal(forward(context, tokens[length:], sequence=sequence), whole[length:])


def test_truncate_of_a_shared_page_leaves_the_other_alone(context, tokens, whole) -> None:
    parent = context.create()
    forward(context, tokens[:50], sequence=parent, outputs=[])
    child = context.fork(parent, 50)
    context.truncate(child, 40)
    forward(context, (tokens[40:60] + 1) % whole.shape[1], sequence=child, outputs=[])
    assert np.array_equal(forward(context, tokens[50:], sequence=parent), whole[50:])


@pytest.mark.parametrize("length", [0, 1, 32, 50, 139])
def test_save_and_restore(model, context, tokens, whole, length: int) -> None:
    sequence = context.create()
    if length:
        forward(context, tokens[:length], sequence=sequence, outputs=[])
    saved = context.save(sequence)
    assert isinstance(saved, bytes)
    assert len(saved) >= length * model.kv_bytes_per_token
    # Into the same context, beside the original, and into another one.
    other = _native.NativeContext(model, max_tokens=256, threads=2)
    for target in (context, other):
        back = target.restore(saved)
        assert target.length(back) == length
        assert np.array_equal(forward(target, tokens[length:], sequence=back), whole[length:])
    assert context.length(sequence) == length


def test_reused_pages_hold_nothing_of_the_last_owner(model, tokens, whole) -> None:
    context = _native.NativeContext(model, max_tokens=LENGTH, threads=1)
    for shift in (5, 9, 0):
        sequence = context.create()
        ours = forward(context, (tokens + shift) % model.vocab_size, sequence=sequence)
        context.drop(sequence)
    assert np.array_equal(ours, whole)


@pytest.mark.parametrize("size", [1, 2, 13, 33])
def test_sixteen_bit_activations_in_chunks(model, tokens, size: int) -> None:
    whole = run(model, tokens, activation_bits=16)
    context = _native.NativeContext(model, max_tokens=2048, threads=2, activation_bits=16)
    assert context.activation_bits == 16
    assert np.array_equal(chunked(context, tokens, size, sequence=context.create()), whole)
    wanted = [0, 31, 32, 139]
    ours = forward(context, tokens, sequence=context.create(), outputs=wanted)
    assert np.array_equal(ours, whole[wanted])
