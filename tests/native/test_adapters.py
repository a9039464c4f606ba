"""Adapters in the core: equal to merged weights, and the same bits in any company."""

from __future__ import annotations

import numpy as np
import pytest
from gguf import GGMLQuantizationType as T

from qingyu import _native
from reference.blocks import TYPES
from reference.compare import distance
from reference.core import build, chunked, forward
from reference.random_adapters import MATRICES, RandomAdapter, merge, random_adapter
from reference.random_models import FAMILIES

LENGTH = 70
# Three different adapters: all matrices; few of them, at another rank; negative, and a rank of 1.
ADAPTERS = {
    "one": {"rank": 16, "seed": 1},
    "two": {"rank": 5, "seed": 2, "matrices": ("attn_q", "attn_v", "ffn_down"), "alpha": 8.0},
    "three": {"rank": 1, "seed": 3, "alpha": -2.0, "matrices": ("attn_k", "attn_output", "ffn_up")},
    "four": {"rank": 33, "seed": 4, "matrices": MATRICES[3:5]},
}


def make(
    model: _native.NativeModel, adapter: RandomAdapter, bits: int = 16
) -> _native.NativeAdapter:
    builder = _native.AdapterBuilder(model, bits)
    for name, (a, b) in adapter.pairs.items():
        builder.add(name, a, b, adapter.scale(name))
    return builder.build()


def run(
    model: _native.NativeModel,
    adapter: _native.NativeAdapter | None,
    tokens: np.ndarray,
    *,
    threads: int = 1,
    size: int = 512,
    activation_bits: int = 8,
) -> np.ndarray:
    context = _native.NativeContext(
        model, max_tokens=len(tokens) + 1, threads=threads, activation_bits=activation_bits
    )
    return chunked(context, tokens, size, sequence=context.create(adapter))


def tokens_for(vocab_size: int, count: int = LENGTH) -> np.ndarray:
    return np.random.default_rng(4).integers(0, vocab_size, count)


@pytest.mark.parametrize("family", FAMILIES)
def test_equal_to_merged_weights(reference, family: str) -> None:
    """Float weights: what is left is float32 sums in another order, as without an adapter."""
    model = reference(family, T.F32)
    core, tokens = build(model), tokens_for(model.shape.vocab_size)
    plain = run(core, None, tokens)
    for settings in ADAPTERS.values():
        adapter = random_adapter(FAMILIES[family], **settings)
        whole = merge(model, adapter)
        ours, truth = run(core, make(core, adapter), tokens), whole.logits(tokens)
        error = distance(ours, truth)
        assert error.kl < 1e-6, error
        # The same as the core does with merged weights; and it is not nothing.
        merged = run(build(whole), None, tokens)
        assert np.abs(ours - merged).max() < 1e-3 * np.ptp(merged)
        assert distance(plain, truth).kl > 1e-3


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_over_weights_of_any_type(reference, kind: T) -> None:
    model = reference("llama", kind)
    core, tokens = build(model), tokens_for(model.shape.vocab_size)
    adapter = random_adapter(FAMILIES["llama"], **ADAPTERS["one"])
    truth = merge(model, adapter).logits(tokens)
    ours = run(core, make(core, adapter), tokens, activation_bits=16)
    assert distance(ours, truth).kl < 1e-6
    # With 8 bits the adapter's own rounding does not show beside that of the input.
    for bits in (8, 16):
        assert distance(run(core, make(core, adapter, bits), tokens), truth).kl < 5e-3
    half = make(core, adapter, 8).weight_bytes
    assert half < 0.6 * make(core, adapter).weight_bytes


def test_values_of_any_size_keep_eleven_bits(reference) -> None:
    """What is rounded to float16 is first brought near its largest: tiny values lose nothing."""
    model = reference("llama", T.F32)
    core, tokens = build(model), tokens_for(model.shape.vocab_size)
    adapter = random_adapter(FAMILIES["llama"], **ADAPTERS["one"])
    expected = run(core, make(core, adapter), tokens)
    for power in (-20, 20):
        grown = {
            name: (a * np.float32(2.0**power), b * np.float32(2.0 ** (5 - power)))
            for name, (a, b) in adapter.pairs.items()
        }
        other = RandomAdapter(adapter.alpha / 32, grown)
        assert np.array_equal(run(core, make(core, other), tokens), expected)


@pytest.fixture(
    scope="module",
    params=[("llama", T.F32), ("llama", T.Q4_1), ("llama-head80", T.Q8_0), ("qwen3", T.Q4_K)],
    ids=lambda pair: f"{pair[0]}-{pair[1].name}",
)
def parts(request, reference):
    """A model, its adapters, tokens, and the logits of each adapter alone, in one call."""
    family, kind = request.param
    model = build(reference(family, kind))
    adapters: dict[str, _native.NativeAdapter | None] = {"none": None}
    for name, settings in ADAPTERS.items():
        made = random_adapter(FAMILIES[family], **settings)
        adapters[name] = make(model, made, 8 if name == "two" else 16)
    tokens = tokens_for(model.vocab_size)
    alone = {name: run(model, adapter, tokens) for name, adapter in adapters.items()}
    return model, adapters, tokens, alone


@pytest.mark.parametrize("size", [1, 2, 7, 16, 33])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_chunks_and_threads(parts, size: int, threads: int) -> None:
    model, adapters, tokens, alone = parts
    for name, adapter in adapters.items():
        ours = run(model, adapter, tokens, threads=threads, size=size)
        assert np.array_equal(ours, alone[name]), name


@pytest.mark.parametrize("threads", [1, 2])
def test_three_adapters_in_one_batch_of_eight(parts, threads: int) -> None:
    model, adapters, tokens, alone = parts
    context = _native.NativeContext(model, max_tokens=4096, threads=threads)
    names = ["one", "two", "none", "three", "one", "four", "two", "none"]
    sequences = [context.create(adapters[name]) for name in names]
    # Prompts of different lengths in one call, then token by token, some without logits.
    starts = [3, 17, 5, 1, 30, 9, 2, 12]
    first = [int(token) for start in starts for token in tokens[:start]]
    owners = [sequences[i] for i, start in enumerate(starts) for _ in range(start)]
    ends = np.cumsum(starts) - 1
    logits = forward(context, first, sequence=owners, outputs=[int(end) for end in ends])
    for i, name in enumerate(names):
        assert np.array_equal(logits[i], alone[name][starts[i] - 1]), (i, name)
    for step in range(20):
        wanted = [i for i in range(8) if (i + step) % 3]
        logits = forward(
            context,
            [int(tokens[starts[i] + step]) for i in range(8)],
            sequence=sequences,
            outputs=wanted,
        )
        for row, i in enumerate(wanted):
            assert np.array_equal(logits[row], alone[names[i]][starts[i] + step]), (step, names[i])


def test_interleaved_tokens(parts) -> None:
    model, adapters, tokens, alone = parts
    context = _native.NativeContext(model, max_tokens=4096, threads=2)
    names = list(adapters)
    sequences = [context.create(adapters[name]) for name in names]
    owners = np.random.default_rng(1).permutation(np.repeat(np.arange(len(names)), LENGTH))
    place = [0] * len(names)
    batch = []
    for owner in owners:
        batch.append(int(tokens[place[owner]]))
        place[owner] += 1
    logits = forward(context, batch, sequence=[sequences[i] for i in owners])
    for i, name in enumerate(names):
        assert np.array_equal(logits[owners == i], alone[name]), name


def test_forks_and_saved_sequences_keep_their_adapter(parts) -> None:
    model, adapters, tokens, alone = parts
    context = _native.NativeContext(model, max_tokens=4096, threads=1)
    sequence = context.create(adapters["one"])
    forward(context, tokens, sequence=sequence, outputs=[])
    child = context.fork(sequence, 40)
    saved = context.save(context.fork(sequence, 40))
    assert np.array_equal(forward(context, tokens[40:], sequence=child), alone["one"][40:])
    back = context.restore(saved, adapters["one"])
    assert np.array_equal(forward(context, tokens[40:], sequence=back), alone["one"][40:])
    other = context.restore(saved)
    assert not np.array_equal(forward(context, tokens[40:], sequence=other), alone["one"][40:])


@pytest.mark.parametrize("kind", [T.F32, T.Q4_1, T.Q6_K], ids=lambda kind: kind.name)
@pytest.mark.parametrize("bits", [8, 16])
def test_every_instruction_set_gives_the_same_bits(reference, kind: T, bits: int) -> None:
    model = reference("llama", kind)
    tokens = tokens_for(model.shape.vocab_size, 40)
    adapter = random_adapter(FAMILIES["llama"], **ADAPTERS["one"])
    found = []
    for name in _native.instruction_sets():
        core = build(model, instruction_set=name)
        for size in (40, 1, 5):
            ours = make(core, adapter, bits)
            found.append(run(core, ours, tokens, size=size, activation_bits=bits))
    for other in found[1:]:
        assert np.array_equal(other, found[0])


def test_the_base_is_not_copied(reference) -> None:
    core = build(reference("llama", T.F32))
    adapter = make(core, random_adapter(FAMILIES["llama"], rank=8))
    assert 0 < adapter.weight_bytes < core.weight_bytes / 4


def test_an_adapter_outlives_its_python_object(reference) -> None:
    core = build(reference("llama", T.F32))
    context = _native.NativeContext(core, max_tokens=256, threads=1)
    tokens = tokens_for(core.vocab_size, 20)
    adapter = random_adapter(FAMILIES["llama"])
    expected = run(core, make(core, adapter), tokens)
    sequence = context.create(make(core, adapter))
    assert np.array_equal(forward(context, tokens, sequence=sequence), expected)
    context.drop(sequence)


def test_what_is_refused(reference) -> None:
    core, other = build(reference("llama", T.F32)), build(reference("llama", T.F32))
    context = _native.NativeContext(core, max_tokens=64, threads=1)
    with pytest.raises(ValueError, match="another model"):
        context.create(make(other, random_adapter(FAMILIES["llama"])))
    with pytest.raises(ValueError, match="bits is 4"):
        _native.AdapterBuilder(core, 4)
    builder = _native.AdapterBuilder(core)
    with pytest.raises(ValueError, match="no matrices"):
        builder.build()
    a, b = np.zeros((4, 256), np.float32), np.zeros((128, 4), np.float32)
    name = "blk.0.attn_k.weight"
    for wrong in ("token_embd.weight", "output.weight", "blk.9.attn_k.weight", "blk.0.attn_k"):
        with pytest.raises(ValueError, match="there is no matrix"):
            builder.add(wrong, a, b, 1.0)
    with pytest.raises(ValueError, match="ranks"):
        builder.add(name, a, b[:, :3].copy(), 1.0)
    with pytest.raises(ValueError, match="128 x 256"):
        builder.add(name, a, np.zeros((256, 4), np.float32), 1.0)
    with pytest.raises(ValueError, match="rank is 0"):
        builder.add(name, a[:0], b[:, :0].copy(), 1.0)
    with pytest.raises(ValueError, match="not finite"):
        builder.add(name, np.full_like(a, np.nan), b, 1.0)
    with pytest.raises(ValueError, match="not finite"):
        builder.add(name, a, b, float("inf"))
    with pytest.raises(TypeError):
        builder.add(name, a.astype(np.float64), b, 1.0)  # type: ignore[arg-type]
    builder.add(name, a, b, 1.0)
    with pytest.raises(ValueError, match="twice"):
        builder.add(name, a, b, 1.0)
