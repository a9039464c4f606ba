"""How likely a model finds tokens: those of an answer as they are chosen, those of a prompt as
its forwards come by.

    info = token_info(tokenizer, token, *likeliest(row, 5))
    scores = PromptScores(prompt, 5, tokenizer)
    scores.places(start, count), scores.take(logits), scores.infos

What a prompt has in common with one that was scored before is known already: `KnownScores`.
It does not know forwards. Letters: R rows of logits, V vocabulary.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qingyu import _native
from qingyu.engine.prefix import common_length
from qingyu.engine.results import TokenInfo

if TYPE_CHECKING:
    from qingyu.models.tokenizer import Tokenizer

# Of prompts scored before, how many are remembered, and how many log-probabilities of them.
_KEPT_PROMPTS = 32
_KEPT_VALUES = 100_000


def likeliest(
    logits: NDArray[np.float32], count: int
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32], float]:
    """A copy of logits [V], the `count` largest of them, and the log of the sum of exp."""
    row = logits.copy()
    largest = float(row.max())
    total = largest + float(np.log(np.exp(row - largest).sum(dtype=np.float64)))
    if count == 0:
        return row, np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32), total
    ids, values = _native.select_top(row, count)
    return row, ids, values, total


def token_info(
    tokenizer: Tokenizer,
    token: int,
    row: NDArray[np.float32],
    ids: NDArray[np.int32],
    values: NDArray[np.float32],
    total: float,
) -> TokenInfo:
    """The record of a token, from what `likeliest` says of its place."""
    name = tokenizer.token_bytes
    top = tuple(
        (int(one), name(int(one)), float(value) - total)
        for one, value in zip(ids, values, strict=True)
    )
    return TokenInfo(token, name(token), float(row[token]) - total, top)


class PromptScores:
    """Log-probabilities of a prompt's tokens, all but the first; `infos` grows as they come.

    count: alternatives recorded beside each. adapter: the one they are computed with.
    """

    def __init__(
        self, prompt: list[int], count: int, tokenizer: Tokenizer, *, adapter: str | None = None
    ) -> None:
        self.prompt = prompt
        self.count = count
        self.adapter = adapter
        self.infos: list[TokenInfo] = []
        self._tokenizer = tokenizer

    @property
    def complete(self) -> bool:
        return len(self.infos) >= len(self.prompt) - 1

    def places(self, start: int, count: int) -> range:
        """Of `count` places from `start` on, those whose logits are wanted."""
        return range(max(start, len(self.infos)), min(start + count, len(self.prompt) - 1))

    def take(self, logits: NDArray[np.float32]) -> None:
        """The logits [R, V] of the next R places."""
        for row in logits:
            token = self.prompt[len(self.infos) + 1]
            self.infos.append(token_info(self._tokenizer, token, *likeliest(row, self.count)))


class KnownScores:
    """What is known of prompts scored lately, and of those under way."""

    def __init__(self) -> None:
        self._kept: deque[PromptScores] = deque(maxlen=_KEPT_PROMPTS)

    def keep(self, scores: PromptScores) -> None:
        """Remember what there is of them, and what comes."""
        if not any(one is scores for one in self._kept):
            self._kept.append(scores)
        while len(self._kept) > 1 and sum(map(_values, self._kept)) > _KEPT_VALUES:
            self._kept.popleft()

    def fill(self, scores: PromptScores) -> None:
        """Take over what the prompt has in common with others, but for its last place: one is
        left to compute."""
        for other in self._kept:
            if other.count != scores.count or other.adapter != scores.adapter:
                continue
            known = min(len(other.infos), len(scores.prompt) - 2)
            if known > len(scores.infos):
                known = min(known, common_length(scores.prompt, other.prompt) - 1)
            if known > len(scores.infos):
                scores.infos[:] = other.infos[:known]


def _values(scores: PromptScores) -> int:
    return len(scores.prompt) * (1 + scores.count)
