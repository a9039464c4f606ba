"""How far a model's predictions are from those of its reference (the full-precision file).

    measured = measure(model, reference, passage)
    Divergence.of([measured, ...]).mean

After every token of a text both models give a distribution over the vocabulary; what is taken
is KL(reference || model) in nats, in float64, over all of the vocabulary. Both models are in
memory at once, and a few megabytes of logits: nothing is approximated, nothing is stored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qingyu.errors import InvalidRequestError
from qingyu.prove import texts
from qingyu.prove.texts import Advance, Losses, no_advance
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.engine.model import Model


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Of one passage. kl: at each scored token, nats; agreed: at how many of them both models
    think the same token likeliest."""

    model: Losses
    reference: Losses
    kl: tuple[float, ...]
    agreed: int

    @property
    def total(self) -> float:
        return math.fsum(self.kl)


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """Of passages together. mean, median, p99 (99 of 100 are below), most: nats per token;
    agreement: share of tokens with the same likeliest one."""

    positions: int
    mean: float
    median: float
    p99: float
    most: float
    agreement: float

    @classmethod
    def of(cls, passages: Sequence[Measured]) -> Divergence:
        values = [value for one in passages for value in one.kl]
        median, p99 = (float(one) for one in np.quantile(values, [0.5, 0.99]))
        return cls(
            positions=len(values),
            mean=math.fsum(values) / len(values),
            median=median,
            p99=p99,
            most=max(values),
            agreement=sum(one.agreed for one in passages) / len(values),
        )


def divergence(reference: NDArray[np.float64], model: NDArray[np.float64]) -> float:
    """KL(reference || model) of two rows of log-probabilities [V]; not below 0."""
    # Not np.dot: how that adds up depends on the machine's BLAS and its threads.
    return max(0.0, float((np.exp(reference) * (reference - model)).sum()))


def measure(
    model: Model, reference: Model, passage: str, *, advance: Advance = no_advance
) -> Measured:
    """Both models on one passage. They must have the same vocabulary: `require_same_vocabulary`."""
    own: list[float] = []
    theirs: list[float] = []
    kl: list[float] = []
    agreed = 0
    for inputs, skip in texts.windows(model, passage, reference):
        pairs = zip(
            texts.scored_rows(model, inputs, skip),
            texts.scored_rows(reference, inputs, skip),
            strict=True,
        )
        before = len(kl)
        for (row, token), (other, _) in pairs:
            mine, right = texts.log_softmax(row), texts.log_softmax(other)
            own.append(0.0 - float(mine[token]))
            theirs.append(0.0 - float(right[token]))
            kl.append(divergence(right, mine))
            agreed += int(row.argmax()) == int(other.argmax())
        advance(len(kl) - before)
    size = texts.scored_bytes(model, passage)
    return Measured(
        model=Losses(values=tuple(own), num_bytes=size),
        reference=Losses(values=tuple(theirs), num_bytes=size),
        kl=tuple(kl),
        agreed=agreed,
    )


def require_same_vocabulary(model: Model, reference: Model) -> None:
    """Raises InvalidRequestError, saying where, when two models cut texts into other tokens:
    then no token of one has a probability under the other."""
    one, two = model.tokenizer, reference.tokenizer
    if model.info.vocab_size != reference.info.vocab_size:
        raise _other(model, reference, f"{model.info.vocab_size} / {reference.info.vocab_size}")
    begins = [each.bos_id if each.add_bos else None for each in (one, two)]
    if begins[0] != begins[1]:
        raise _other(model, reference, f"BOS {begins[0]} / {begins[1]}")
    size = min(one.vocab_size, two.vocab_size)
    differ = (
        token
        for token in range(size)
        if one.token_bytes(token) != two.token_bytes(token)
        or one.is_special(token) != two.is_special(token)
    )
    for token in islice(differ, 1):
        words = [repr(each.token_text(token)) for each in (one, two)]
        raise _other(model, reference, f"{token}: {words[0]} / {words[1]}")
    for text in texts.builtin().values():
        for passage in text.passages:
            if one.encode(passage) != two.encode(passage):
                raise _other(model, reference, passage[:20])


def _other(model: Model, reference: Model, where: str) -> InvalidRequestError:
    return InvalidRequestError(
        pick(
            f"{model.info.name} and the reference {reference.info.name} do not have the same"
            f" vocabulary ({where}), so they cannot be compared token by token; the reference is"
            " the same model in full precision",
            f"{model.info.name} 与参照模型 {reference.info.name} 的词表不同（{where}），"
            "无法逐词元比较；参照应为同一模型的全精度文件",
        )
    )
