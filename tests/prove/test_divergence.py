"""Losses on the built-in texts, and the divergence of one model from another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from fakes import ByteTokenizer, FakeAdapter, FakeModel, context_of, fake_model
from qingyu.errors import InvalidRequestError, ModelFileError
from qingyu.prove import divergence, texts
from qingyu.prove.divergence import Divergence, Measured
from qingyu.prove.texts import LANGUAGES, Losses, Surprise

PASSAGE = "轻语 runs here. 谁也不告诉。"


class OtherModel(FakeModel):
    """Its logits are near the fake's, as a quantized file's are near the original's."""

    def logits(self, history: tuple[int, ...], adapter: FakeAdapter | None = None) -> Any:
        values = super().logits(history, adapter)
        noise = np.random.default_rng(len(history)).standard_normal(len(values))
        return (values + 0.1 * noise).astype(np.float32)


def other_model(**settings: Any) -> Any:
    model = fake_model(**settings)
    context_of(model).model = OtherModel()
    return model


def test_the_texts_are_two_of_ten_passages_each() -> None:
    found = texts.builtin()
    assert tuple(found) == LANGUAGES
    for text in found.values():
        assert len(text.passages) == 10
        assert all(1000 < len(one.encode()) < 2500 for one in text.passages)
        assert all(one == one.strip() and "\r" not in one for one in text.passages)
    assert all(ord(letter) < 128 for one in found["en"].passages for letter in one)
    # Receipts of other texts cannot be checked: a new text is a new file.
    assert {one: text.sha256[:16] for one, text in found.items()} == {
        "zh": "6df7f6619b2e2184",
        "en": "5bf51bc891fb853c",
    }


@pytest.mark.parametrize("add_bos", [False, True])
def test_losses_are_those_of_perplexity(add_bos: bool) -> None:
    model = fake_model(add_bos=add_bos)
    for passage in (PASSAGE, texts.builtin()["zh"].passages[0][:200]):  # one window, and several
        losses = texts.measure(model, passage)
        known = model.perplexity(passage, window=256)
        assert known.num_windows == (1 if passage is PASSAGE else 4)
        assert len(losses.values) == known.num_scored
        found = Surprise.of([(losses.total, len(losses.values), losses.num_bytes)])
        assert found.mean_loss == pytest.approx(known.mean_loss, rel=1e-14)
        assert found.perplexity == pytest.approx(known.perplexity, rel=1e-12)
        # Bytes of what was scored: the first byte is not, unless a token stands before it.
        assert losses.num_bytes == len(passage.encode()) - (not add_bos)


def test_divergence_is_the_textbook_s() -> None:
    model, reference = other_model(), fake_model()
    measured = divergence.measure(model, reference, PASSAGE)
    tokens = list(PASSAGE.encode())
    theirs, own = reference.logits(tokens[:-1]), model.logits(tokens[:-1])
    agreed = 0
    for row, (p, q) in enumerate(zip(theirs.tolist(), own.tolist(), strict=True)):
        sums = [math.fsum(math.exp(value) for value in one) for one in (p, q)]
        known = math.fsum(
            math.exp(a) / sums[0] * ((a - math.log(sums[0])) - (b - math.log(sums[1])))
            for a, b in zip(p, q, strict=True)
        )
        assert measured.kl[row] == pytest.approx(known, rel=1e-9)
        agreed += p.index(max(p)) == q.index(max(q))
    assert len(measured.kl) == len(tokens) - 1
    assert measured.agreed == agreed
    assert measured.model == texts.measure(model, PASSAGE)
    assert measured.reference == texts.measure(reference, PASSAGE)


def test_a_model_does_not_diverge_from_itself() -> None:
    measured = divergence.measure(fake_model(), fake_model(), PASSAGE)
    assert set(measured.kl) == {0.0}
    assert measured.agreed == len(measured.kl)


def test_pieces_and_contexts_do_not_change_it() -> None:
    passage = texts.builtin()["en"].passages[2][:600]
    known = divergence.measure(other_model(), fake_model(), passage)
    pieces = divergence.measure(other_model(chunk_tokens=7), fake_model(chunk_tokens=64), passage)
    assert pieces == known
    # The shorter context of the two makes the windows.
    longer = divergence.measure(other_model(context=900, kv_tokens=1024), fake_model(), passage)
    assert longer == known


def test_numbers_of_several_passages() -> None:
    def one(kl: list[float], agreed: int) -> Measured:
        losses = Losses(values=(0.0,) * len(kl), num_bytes=1)
        return Measured(model=losses, reference=losses, kl=tuple(kl), agreed=agreed)

    found = Divergence.of([one([float(i) for i in range(100)], 90), one([100.0], 0)])
    assert (found.positions, found.mean, found.median) == (101, 50.0, 50.0)
    assert (found.p99, found.most, found.agreement) == (99.0, 100.0, 90 / 101)


class Swapped(ByteTokenizer):
    def token_bytes(self, token: int, *, special: bool = True) -> bytes:
        return super().token_bytes({65: 66, 66: 65}.get(token, token), special=special)


class Merging(ByteTokenizer):
    def encode(self, text: str, **settings: Any) -> list[int]:
        return super().encode(text.replace("ferry", "fery"), **settings)


@pytest.mark.parametrize(
    ("tokenizer", "where"),
    [
        (ByteTokenizer(add_bos=True), "BOS None / 256"),
        (Swapped(), "65: 'A' / 'B'"),
        (Merging(), "The ferry left"),
    ],
)
def test_another_vocabulary_is_refused(tokenizer: ByteTokenizer, where: str) -> None:
    model, reference = fake_model(), fake_model()
    divergence.require_same_vocabulary(model, reference)
    reference.tokenizer = tokenizer
    with pytest.raises(InvalidRequestError, match="same vocabulary") as caught:
        divergence.require_same_vocabulary(model, reference)
    assert where in str(caught.value)


def test_a_model_without_finite_logits_is_refused() -> None:
    class Broken(FakeModel):
        def logits(self, history: tuple[int, ...], adapter: FakeAdapter | None = None) -> Any:
            return np.full(self.vocab_size, np.nan, dtype=np.float32)

    model = fake_model()
    context_of(model).model = Broken()
    with pytest.raises(ModelFileError, match="no finite numbers"):
        texts.measure(model, PASSAGE)


def test_a_context_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="too short"):
        texts.measure(fake_model(context=3, kv_tokens=64), PASSAGE)
