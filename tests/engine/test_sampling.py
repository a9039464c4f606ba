"""Samplers against their definitions, computed plainly in float64."""

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qingyu.engine.sampling import Sampler, Sampling
from qingyu.errors import InvalidRequestError, ModelFileError

VOCAB = 1000


def logits_of(seed: int, size: int = VOCAB, spread: float = 2.0) -> NDArray[np.float32]:
    random = np.random.Generator(np.random.PCG64(seed))
    return (random.standard_normal(size) * spread).astype(np.float32)


def distribution(logits: NDArray[np.float32], sampling: Sampling) -> NDArray[np.float64]:
    """What the filters leave, by definition: float64 [vocab], sums to 1."""
    assert sampling.temperature
    wide = logits.astype(np.float64) / sampling.temperature
    probabilities = np.exp(wide - wide.max())
    probabilities /= probabilities.sum()
    order = np.argsort(-probabilities, kind="stable")
    if sampling.top_k:
        probabilities[order[sampling.top_k :]] = 0
        probabilities /= probabilities.sum()
    if sampling.top_p < 1:
        before = np.concatenate([[0.0], np.cumsum(probabilities[order])[:-1]])
        probabilities[order[before >= sampling.top_p]] = 0
    if sampling.min_p > 0:
        probabilities[probabilities < sampling.min_p * probabilities.max()] = 0
    return probabilities / probabilities.sum()


def sampler(size: int = VOCAB, prompt: tuple[int, ...] = (), **fields: Any) -> Sampler:
    return Sampler(Sampling(**fields), vocab_size=size, prompt=prompt)


def test_greedy_takes_the_largest_and_the_smaller_id_among_equals() -> None:
    logits = logits_of(0)
    logits[[700, 41]] = 50
    for fields in ({}, {"temperature": 0.0}, {"temperature": 0, "top_p": 0.5, "seed": 1}):
        chooser = sampler(**fields)
        assert chooser(logits) == 41
        assert chooser.seed is None


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 1.0},
        {"temperature": 0.7},
        {"temperature": 1.0, "top_k": 5},
        {"temperature": 1.5, "top_k": 40, "top_p": 0.8},
        {"temperature": 1.0, "top_p": 0.5},
        {"temperature": 3.0, "top_p": 0.97},
        {"temperature": 1.0, "min_p": 0.1},
        {"temperature": 4.0, "top_k": 300, "top_p": 0.9, "min_p": 0.3},
        {"temperature": 5.0, "min_p": 0.01},
    ],
    ids=str,
)
def test_draws_follow_the_definition(fields: dict[str, Any]) -> None:
    sampling = Sampling(**fields, seed=5)
    logits = logits_of(3)
    expected = distribution(logits, sampling)
    chooser = Sampler(sampling, vocab_size=VOCAB)
    draws = 5_000
    counts = np.bincount([chooser(logits) for _ in range(draws)], minlength=VOCAB)
    # Nothing outside what the filters leave, and inside it as often as it should be.
    assert not counts[expected == 0].any()
    deviation = np.sqrt(draws * expected * (1 - expected))
    likely = draws * expected > 20
    assert (np.abs(counts - draws * expected)[likely] < 5 * deviation[likely]).all()
    # Rare tokens together.
    rare = expected[~likely].sum() * draws
    assert abs(counts[~likely].sum() - rare) < 5 * math.sqrt(rare) + 1


def test_the_nucleus_grows_past_the_first_guess() -> None:
    logits = np.zeros(VOCAB, dtype=np.float32)  # a nucleus of 0.9 is 900 tokens
    chooser = sampler(temperature=1.0, top_p=0.9, seed=1)
    seen = {chooser(logits) for _ in range(4000)}
    assert max(seen) in (899, 900)
    assert len(seen) > 800


def test_the_same_seed_gives_the_same_tokens_and_a_missing_one_is_reported() -> None:
    rows = [logits_of(index) for index in range(50)]
    one, two = sampler(temperature=1.0, seed=9), sampler(temperature=1.0, seed=9)
    assert [one(row) for row in rows] == [two(row) for row in rows]
    unseeded = sampler(temperature=1.0)
    tokens = [unseeded(row) for row in rows]
    again = sampler(temperature=1.0, seed=unseeded.seed)
    assert [again(row) for row in rows] == tokens
    assert sampler(temperature=1.0).seed != unseeded.seed


def test_one_draw_per_token_whatever_the_filters() -> None:
    """Changing the distribution of one token does not shift the draws of the next."""
    flat = np.zeros(VOCAB, dtype=np.float32)
    spike = logits_of(1)
    spike[3] = 100
    chosen = []
    for first in (spike, logits_of(2)):
        chooser = sampler(temperature=1.0, top_p=0.95, seed=4)
        chooser(first)
        chosen.append(chooser(flat))
    assert chosen[0] == chosen[1]


def test_vocabularies_of_any_size_and_weights_of_nothing() -> None:
    for size in (1, 2, 255, 256, 257, 600):
        logits = np.full(size, -np.inf, dtype=np.float32)
        logits[size // 2] = -3
        assert sampler(size, temperature=1.0, seed=1)(logits) == size // 2
        assert sampler(size, temperature=1.0, top_p=0.9, seed=1)(logits) == size // 2
        assert sampler(size, temperature=1.0, min_p=0.9, seed=1)(logits) == size // 2
        assert sampler(size, temperature=1.0, top_k=10**9, seed=1)(logits) == size // 2


@pytest.mark.parametrize("temperature", [1e-300, 1e-30, 1e-5])
def test_a_temperature_near_zero_is_greedy_in_effect(temperature: float) -> None:
    logits = logits_of(8)
    for fields in ({}, {"top_k": 3}, {"top_p": 0.9}):
        assert sampler(temperature=temperature, seed=1, **fields)(logits) == logits.argmax()


def test_a_huge_temperature_is_uniform() -> None:
    chooser = sampler(10, temperature=1e30, seed=1)
    counts = Counter(chooser(logits_of(1, 10)) for _ in range(5000))
    assert min(counts.values()) > 400


def test_logit_bias_adds_and_bans_without_touching_the_logits() -> None:
    logits = logits_of(1)
    best = int(logits.argmax())
    kept = logits.copy()
    assert sampler(logit_bias={7: 100})(logits) == 7
    assert sampler(logit_bias={best: -math.inf})(logits) != best
    assert (logits == kept).all()


def test_penalties_by_their_definitions() -> None:
    logits = np.array([2.0, 1.9, -1.0, -1.1, 0.5], dtype=np.float32)
    # Repetition: prompt tokens 0 and 2; positive logits are divided, negative multiplied.
    assert sampler(5, prompt=(0, 2, 0), repetition_penalty=1.2)(logits) == 1
    negative = np.array([-2.0, -1.0, -1.1], dtype=np.float32)
    assert sampler(3, prompt=(1,), repetition_penalty=1.2)(negative) == 2
    # Presence: once; frequency: per occurrence in the answer, never for the prompt.
    presence = sampler(5, prompt=(0,), presence_penalty=0.15)
    assert [presence(logits) for _ in range(4)] == [0, 1, 0, 0]
    frequency = sampler(5, prompt=(0,), frequency_penalty=0.15)
    assert [frequency(logits) for _ in range(4)] == [0, 1, 0, 1]


def test_penalties_over_many_tokens() -> None:
    """More different tokens than the first allocation holds."""
    chooser = sampler(VOCAB, repetition_penalty=1e9, prompt=tuple(range(300)))
    logits = logits_of(1) + 20
    seen = [chooser(logits) for _ in range(700)]
    assert sorted(seen) == list(range(300, 1000))


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": -0.1},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"temperature": "hot"},
        {"temperature": True},
        {"temperature": 1, "top_k": -1},
        {"temperature": 1, "top_k": 1.5},
        {"temperature": 1, "top_p": 0},
        {"temperature": 1, "top_p": 1.01},
        {"temperature": 1, "top_p": math.nan},
        {"temperature": 1, "min_p": -0.1},
        {"temperature": 1, "min_p": 2},
        {"repetition_penalty": 0},
        {"repetition_penalty": math.nan},
        {"presence_penalty": math.inf},
        {"frequency_penalty": math.nan},
        {"logit_bias": {-1: 1.0}},
        {"logit_bias": {1: math.nan}},
        {"logit_bias": {1: math.inf}},
        {"logit_bias": {"1": 1.0}},
        {"temperature": 1, "seed": -1},
        {"temperature": 1, "seed": 2**64},
        {"temperature": 1, "seed": 1.0},
        {"top_p": 0.9},
        {"top_k": 5},
        {"seed": 1},
        {"min_p": 0.1},
    ],
    ids=str,
)
def test_values_that_cannot_be_are_named(fields: dict[str, Any]) -> None:
    name = list(fields)[-1]
    with pytest.raises(InvalidRequestError, match=name):
        Sampling(**fields)


def test_a_bias_outside_the_vocabulary_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="1000"):
        sampler(logit_bias={1000: 1.0})


@pytest.mark.parametrize("fields", [{}, {"temperature": 1.0}, {"temperature": 1.0, "top_p": 0.9}])
def test_logits_that_leave_no_choice(fields: dict[str, Any]) -> None:
    banned = dict.fromkeys(range(10), -math.inf)
    with pytest.raises(InvalidRequestError, match="bans every token"):
        sampler(10, logit_bias=banned, **fields)(logits_of(1, 10))
    broken = logits_of(1, 10)
    broken[4] = math.nan
    with pytest.raises(ModelFileError, match="nan"):
        sampler(10, **fields)(broken)


def test_errors_are_bilingual(chinese: None) -> None:
    with pytest.raises(InvalidRequestError, match="不起作用"):
        Sampling(top_p=0.5)
