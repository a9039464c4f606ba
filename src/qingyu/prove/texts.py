"""The built-in texts, and how surprised a model is by them.

    for passage in builtin()["zh"].passages:
        losses = measure(model, passage)
        losses.total, losses.values[0], losses.num_bytes

Ten passages in each language (texts/SOURCES.md). Each passage is measured on its own, so that
any one of them can be measured again alone. Losses are in nats, computed in float64.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qingyu.engine import scoring
from qingyu.errors import InvalidRequestError, ModelFileError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.engine.model import Model

LANGUAGES = ("zh", "en")
# Tokens of a window, unless the model's context is shorter.
WINDOW = 1024
_BETWEEN = "\n----\n"

# Called with tokens scored since the last call.
Advance = Callable[[int], None]


def no_advance(tokens: int) -> None:
    """For whoever does not want to hear about progress."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """A language's passages; sha256: of the whole file."""

    language: str
    passages: tuple[str, ...]
    sha256: str


@cache
def builtin() -> dict[str, Text]:
    """Language to text."""
    found = {}
    for language in LANGUAGES:
        raw = files("qingyu.prove").joinpath(f"texts/{language}.txt").read_bytes()
        passages = tuple(raw.decode("utf-8").rstrip("\n").split(_BETWEEN))
        digest = hashlib.sha256(raw).hexdigest()
        found[language] = Text(language=language, passages=passages, sha256=digest)
    return found


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Of one passage: a loss for each scored token, and the bytes of text they make.

    The first token is scored only by models whose texts begin with a token of their own.
    """

    values: tuple[float, ...]
    num_bytes: int

    @property
    def total(self) -> float:
        return math.fsum(self.values)


@dataclass(frozen=True, kw_only=True)
class Surprise:
    """Of passages together: mean_loss in nats per scored token, perplexity its exponential;
    bits_per_byte compares models with other tokenizers."""

    num_scored: int
    num_bytes: int
    mean_loss: float
    perplexity: float
    bits_per_byte: float

    @classmethod
    def of(cls, totals: Sequence[tuple[float, int, int]]) -> Surprise:
        """From (loss, tokens, bytes) of each passage."""
        loss = math.fsum(one[0] for one in totals)
        tokens, size = sum(one[1] for one in totals), sum(one[2] for one in totals)
        mean = loss / tokens
        return cls(
            num_scored=tokens,
            num_bytes=size,
            mean_loss=mean,
            perplexity=math.exp(min(mean, 700.0)),
            bits_per_byte=loss / math.log(2) / size,
        )


def window_of(*models: Model) -> int:
    """Tokens of a window for these models."""
    return min(WINDOW, *(model.core.limit for model in models))


def windows(model: Model, passage: str, *others: Model) -> Iterator[tuple[list[int], int]]:
    """Windows as `scoring.windows` gives them, half a window apart; all models have room for
    them.

    Raises InvalidRequestError for a model whose context is too short to measure anything.
    """
    tokenizer = model.tokenizer
    tokens = tokenizer.encode(passage, add_bos=False)
    begin = [tokenizer.bos_id] if tokenizer.add_bos and tokenizer.bos_id is not None else []
    size = window_of(model, *others)
    if size - len(begin) < 4:
        raise InvalidRequestError(
            pick(
                f"the context of {model.info.name} is {size} tokens, too short for a text",
                f"{model.info.name} 的上下文只有 {size} 个词元，无法测量文本",
            )
        )
    stride = max(1, (size - len(begin)) // 2)
    return scoring.windows(tokens, begin, window=size, stride=stride)


def scored_bytes(model: Model, passage: str) -> int:
    """Bytes of a passage that its scored tokens make."""
    raw = passage.encode()
    tokenizer = model.tokenizer
    if tokenizer.add_bos and tokenizer.bos_id is not None:
        return len(raw)
    # SentencePiece-style tokenizers put a space before the text; it is not in the text.
    first = tokenizer.token_bytes(tokenizer.encode(passage, add_bos=False)[0]).lstrip(b" ")
    return len(raw) - (len(first) if raw.startswith(first) else 0)


def log_softmax(row: NDArray[np.float32]) -> NDArray[np.float64]:
    """Natural-log probabilities under a row of logits [V], float64.

    Raises ModelFileError when a logit is no finite number.
    """
    wide = row.astype(np.float64)
    wide -= wide.max()
    wide -= math.log(float(np.exp(wide).sum()))
    if not np.isfinite(wide).all():
        raise ModelFileError(
            pick(
                "the model gives logits that are no finite numbers; its file is damaged",
                "模型给出的 logits 不是有限的数；模型文件已损坏",
            )
        )
    return wide


def scored_rows(
    model: Model, inputs: Sequence[int], skip: int
) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Of a window: each row of logits [V] that is scored, and the token it should foresee."""
    place = 0
    for rows in model.iterate_logits(inputs[:-1]):
        for row in rows:
            place += 1
            if place > skip:
                yield row, inputs[place]


def measure(model: Model, passage: str, *, advance: Advance = no_advance) -> Losses:
    """The losses of one passage."""
    losses: list[float] = []
    for inputs, skip in windows(model, passage):
        before = len(losses)
        for row, token in scored_rows(model, inputs, skip):
            losses.append(0.0 - float(log_softmax(row)[token]))
        advance(len(losses) - before)
    return Losses(values=tuple(losses), num_bytes=scored_bytes(model, passage))
