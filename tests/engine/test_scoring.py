"""Scores, perplexity and logits against plain sums over the fake's own logits."""

import math
from typing import Any

import numpy as np
import pytest

from fakes import BOS, VOCAB_SIZE, ByteTokenizer, FakeModel, context_of, fake_model
from qingyu.engine import scoring
from qingyu.errors import ContextFullError, InvalidRequestError

NATIVE = FakeModel()


def log_prob(history: list[int], token: int) -> float:
    values = NATIVE.logits(tuple(history)).astype(np.float64)
    return float(values[token] - math.log(np.exp(values).sum()))


def log_probs(history: list[int], tokens: list[int]) -> list[float]:
    return [log_prob(history + tokens[:place], token) for place, token in enumerate(tokens)]


def test_logits_are_those_of_every_position() -> None:
    model = fake_model(chunk_tokens=7)
    tokens = list(range(40))
    rows = model.logits(tokens)
    assert rows.dtype == np.float32
    assert rows.shape == (40, VOCAB_SIZE)
    for place in range(40):
        assert (rows[place] == NATIVE.logits(tuple(tokens[: place + 1]))).all()
    assert max(context_of(model).forwards) == 7
    assert (model.logits("ab") == rows.__class__.__array__(model.logits([97, 98]))).all()


def test_logits_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qingyu.engine.model.MAX_LOGIT_BYTES", 4 * VOCAB_SIZE * 10)
    model = fake_model()
    assert len(model.logits([1] * 10)) == 10
    with pytest.raises(InvalidRequestError, match="at most 10 tokens"):
        model.logits([1] * 11)
    assert sum(len(rows) for rows in model.iterate_logits([1] * 11)) == 11
    with pytest.raises(ContextFullError):
        list(model.iterate_logits([1] * 257))


def test_rows_of_a_large_vocabulary_are_few() -> None:
    assert scoring.rows_per_forward(151_936, 512) == (64 << 20) // (4 * 151_936)
    assert scoring.rows_per_forward(1 << 30, 512) == 1
    assert scoring.rows_per_forward(100, 512) == 512


def test_iterating_part_of_the_way_frees_the_sequence() -> None:
    model = fake_model(chunk_tokens=4)
    pieces = model.iterate_logits([1] * 20)
    next(pieces)
    pieces.close()
    with model.core:
        assert not context_of(model).sequences


def test_scores_are_sums_of_log_probabilities() -> None:
    model = fake_model()
    prompt = "The quick brown fox "
    continuations = ["jumps", "runs", "j", "jumps over the lazy dog"]
    history = list(prompt.encode())
    for found, text in zip(model.score(prompt, continuations), continuations, strict=True):
        wanted = log_probs(history, list(text.encode()))
        assert found.tokens == tuple(text.encode())
        assert found.token_log_probs == pytest.approx(wanted, abs=1e-9)
        assert found.log_prob == pytest.approx(sum(wanted), abs=1e-9)
        assert not found.is_greedy
    # The prompt was computed once, in chunks of 16, and the rest in one batch of chunks.
    rest = sum(len(text) - 1 for text in continuations)
    assert sum(context_of(model).forwards) == len(history) + rest
    assert model.score(prompt, ["x"])[0].token_log_probs == pytest.approx(
        log_probs(history, [120]), abs=1e-9
    )


def test_is_greedy() -> None:
    model = fake_model({"q": "abc"})
    scores = model.score("q", ["a", "abc", "abd", "b"])
    assert [score.is_greedy for score in scores] == [True, True, False, False]


def test_many_continuations_go_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{index:02}xyz" for index in range(20)]
    wanted = fake_model().score("ab", texts)
    monkeypatch.setattr(scoring, "MAX_FORKS", 3)
    monkeypatch.setattr(scoring, "LOGIT_BYTES", 4 * VOCAB_SIZE * 2)
    model = fake_model(kv_tokens=256)
    assert model.score("ab", texts) == wanted
    with model.core:
        assert set(context_of(model).sequences) == set(model.core._prefixes._parked)


class Merging(ByteTokenizer):
    """Makes one token, 255, of "ab"."""

    def encode(self, text: str, *, special: bool = False, add_bos: bool | None = None) -> list[int]:
        tokens = super().encode(text.replace("ab", "\0"), special=special, add_bos=add_bos)
        return [255 if token == 0 else token for token in tokens]


def test_a_token_over_the_boundary_belongs_to_the_continuation() -> None:
    model = fake_model()
    model.tokenizer = Merging()
    found = model.score("xa", ["bc", "c"])
    assert found[0].tokens == (255, 99)
    assert found[0].token_log_probs == pytest.approx(log_probs([120], [255, 99]), abs=1e-9)
    assert found[1].tokens == (99,)
    assert found[1].token_log_probs == pytest.approx(log_probs([120, 97], [99]), abs=1e-9)


@pytest.mark.parametrize("add_bos", [False, True])
def test_an_empty_prompt_scores_after_the_first_token_of_texts(add_bos: bool) -> None:
    (found,) = fake_model(add_bos=add_bos).score("", ["hi"])
    assert found.token_log_probs == pytest.approx(log_probs([BOS], [104, 105]), abs=1e-9)


@pytest.mark.parametrize("continuations", [[], [""], ["a", ""], "ab"])
def test_continuations_that_cannot_be(continuations: Any) -> None:
    with pytest.raises(InvalidRequestError, match="continuations"):
        fake_model().score("a", continuations)


def test_a_continuation_that_does_not_fit() -> None:
    model = fake_model(context=64)
    assert len(model.score("a" * 60, ["bbbbb"])[0].tokens) == 5
    with pytest.raises(ContextFullError):
        model.score("a" * 60, ["bbbbbb"])


def test_perplexity_of_a_text_in_one_window() -> None:
    text = "perplexity 困惑度"
    tokens = list(text.encode())
    found = fake_model().perplexity(text)
    wanted = log_probs(tokens[:1], tokens[1:])
    assert found.mean_loss == pytest.approx(-np.mean(wanted), abs=1e-9)
    assert found.perplexity == pytest.approx(math.exp(found.mean_loss))
    assert (found.num_scored, found.num_windows) == (len(tokens) - 1, 1)
    assert found.bits_per_byte == pytest.approx(
        found.mean_loss * found.num_scored / math.log(2) / len(tokens)
    )
    with_bos = fake_model(add_bos=True).perplexity(text)
    assert with_bos.num_scored == len(tokens)
    assert with_bos.mean_loss == pytest.approx(-np.mean(log_probs([BOS], tokens)), abs=1e-9)


@pytest.mark.parametrize("add_bos", [False, True])
@pytest.mark.parametrize(("window", "stride"), [(10, 4), (10, None), (16, 1), (9, 8), (256, 20)])
def test_perplexity_in_windows(add_bos: bool, window: int, stride: int | None) -> None:
    tokens = np.random.Generator(np.random.PCG64(1)).integers(0, 128, 60).tolist()
    text = bytes(tokens).decode()
    begin = [BOS] if add_bos else []
    room = window - len(begin)
    step = stride or room // 2
    wanted = []
    for place in range(0 if add_bos else 1, 60):
        # The first window that reaches the token scores it.
        start = 0
        while start + room <= place:
            start += step
        wanted.append(log_prob([*begin, *tokens[start:place]], tokens[place]))
    found = fake_model(add_bos=add_bos).perplexity(text, window=window, stride=stride)
    assert found.num_scored == len(wanted)
    assert found.mean_loss == pytest.approx(-np.mean(wanted), abs=1e-9)
    assert found.num_windows == 1 + max(0, -(-(60 - room) // step))


def test_perplexity_of_tokens_takes_them_as_they_are() -> None:
    found = fake_model(add_bos=True).perplexity([5, 6, 7])
    assert found.num_scored == 2
    assert found.bits_per_byte is None


def test_perplexity_longer_than_the_context_needs_no_window() -> None:
    found = fake_model(context=64).perplexity("a" * 200)
    assert (found.window, found.stride, found.num_scored) == (64, 32, 199)


@pytest.mark.parametrize(
    ("text", "options"),
    [("", {}), ("a", {}), ("abcd", {"window": 1}), ("abcd", {"window": 257}),
     ("abcd", {"stride": 0}), ("abcd", {"window": 4, "stride": 5})],
)  # fmt: skip
def test_perplexity_that_cannot_be(text: str, options: dict[str, int]) -> None:
    with pytest.raises(InvalidRequestError):
        fake_model().perplexity(text, **options)
