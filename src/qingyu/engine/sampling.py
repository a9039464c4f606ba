"""Chooses the next token from logits.

    Sampling(temperature=0.8, top_p=0.95, seed=7)      # what is asked for
    Sampler(sampling, vocab_size=V, prompt=tokens)(logits)   # one request's chooser

Order, as in Hugging Face transformers: logit bias, repetition penalty, presence and frequency
penalty, temperature, top-k, top-p, min-p, draw. (llama.cpp puts the temperature last, so its
top-p and min-p cut the untempered distribution.) Without a temperature the choice is greedy:
the largest logit, the smaller id among equals.

Every request has its own generator (PCG64 of its seed) and draws exactly once per token, so
its tokens do not depend on what else is in the batch. This module does not know text.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qingyu import _native
from qingyu.errors import InvalidRequestError, ModelFileError, QingyuError
from qingyu.text import pick

# How many tokens may hold what top-p and min-p keep; if the last is too few, all are sorted.
_NUCLEUS_GUESSES = (64, 512)
_BLOCK = 256


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How tokens are chosen. The default is greedy.

    temperature: 0 or None is greedy. At 0 the filters below have nothing to do, since none of
        them removes the most likely token; None together with a filter or a seed is refused,
        because then somebody expected to sample.
    top_k: keep the k most likely tokens; 0, or more than the vocabulary, keeps all.
    top_p: keep the fewest most likely tokens whose probabilities sum to at least this.
    min_p: keep tokens at least this share as likely as the most likely one.
    repetition_penalty: divides positive and multiplies negative logits of tokens in the prompt
        or the answer (CTRL, arXiv:1909.05858); 1 is off.
    presence_penalty, frequency_penalty: subtracted once, and once per occurrence, from logits
        of tokens in the answer (OpenAI's definition); 0 is off.
    logit_bias: token id to a number added to its logit; -inf bans the token.
    seed: 0 to 2**64 - 1; None takes a random one, which the result reports.

    Raises InvalidRequestError naming the value.
    """

    temperature: float | None = None
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.temperature is not None:
            _number("temperature", self.temperature, 0.0, math.inf)
        _integer("top_k", self.top_k, 0, None)
        _number("top_p", self.top_p, 0.0, 1.0, open_low=True)
        _number("min_p", self.min_p, 0.0, 1.0)
        _number("repetition_penalty", self.repetition_penalty, 0.0, math.inf, open_low=True)
        _number("presence_penalty", self.presence_penalty, -math.inf, math.inf)
        _number("frequency_penalty", self.frequency_penalty, -math.inf, math.inf)
        if self.seed is not None:
            _integer("seed", self.seed, 0, 2**64 - 1)
        for token, bias in (self.logit_bias or {}).items():
            _integer("logit_bias token", token, 0, None)
            if bias != -math.inf:
                _number(f"logit_bias[{token}]", bias, -math.inf, math.inf)
        if self.temperature is None:
            defaults = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "seed": None}
            for name, default in defaults.items():
                if getattr(self, name) != default:
                    raise InvalidRequestError(
                        pick(
                            f"{name}={getattr(self, name)} has no effect without a temperature;"
                            " set one (1 is the model's own distribution, 0 is greedy)",
                            f"没有 temperature 时 {name}={getattr(self, name)} 不起作用；"
                            "请设置 temperature（1 为模型自身的分布，0 为贪心）",
                        )
                    )

    @property
    def greedy(self) -> bool:
        """Whether the most likely token is always taken."""
        return not self.temperature


def _number(name: str, value: float, low: float, high: float, *, open_low: bool = False) -> None:
    """Finite and in range, or InvalidRequestError."""
    number = isinstance(value, (int, float, np.floating, np.integer)) and not isinstance(
        value, bool
    )
    if number and math.isfinite(value) and low <= value <= high and (value > low or not open_low):
        return
    above = f"> {low:g}" if open_low else f">= {low:g}"
    bounds = [above] if low > -math.inf else []
    bounds += [f"<= {high:g}"] if high < math.inf else []
    wanted = ", ".join(bounds) or "finite"
    raise InvalidRequestError(
        pick(
            f"{name} is {value!r}; it must be a number, {wanted}",
            f"{name} 为 {value!r}；应为数，{wanted}",
        )
    )


def _integer(name: str, value: int, low: int, high: int | None) -> None:
    integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if integer and value >= low and (high is None or value <= high):
        return
    wanted = f">= {low}" + ("" if high is None else f", <= {high}")
    raise InvalidRequestError(
        pick(
            f"{name} is {value!r}; it must be an integer {wanted}",
            f"{name} 为 {value!r}；应为整数 {wanted}",
        )
    )


class Sampler:
    """The chooser of one request. `seed` is the seed in use, None when greedy.

    Raises InvalidRequestError for a logit bias of a token the vocabulary does not have.
    """

    def __init__(self, sampling: Sampling, *, vocab_size: int, prompt: Iterable[int] = ()) -> None:
        self._vocab_size = vocab_size
        # float32 holds no smaller divisor; below it the choice is greedy in effect anyway.
        self._divisor = np.float32(max(sampling.temperature or 0.0, 1e-30))
        # top_k of the vocabulary's size or more removes nothing.
        self._top_k = sampling.top_k if sampling.top_k < vocab_size else 0
        self._top_p = float(sampling.top_p)
        self._min_p = float(sampling.min_p)
        self._bias = self._bias_arrays(sampling.logit_bias or {})
        repetition, presence, frequency = (
            float(sampling.repetition_penalty),
            float(sampling.presence_penalty),
            float(sampling.frequency_penalty),
        )
        self._penalties: Penalties | None = None
        if repetition != 1.0 or presence or frequency:
            self._penalties = Penalties(repetition, presence, frequency, prompt)
        self._adjusts = self._penalties is not None or self._bias is not None
        self.seed: int | None = None
        if not sampling.greedy:
            self.seed = secrets.randbits(63) if sampling.seed is None else int(sampling.seed)
            self._random = np.random.Generator(np.random.PCG64(self.seed))
            self._weights: NDArray[np.float32] | None = None

    def __call__(self, logits: NDArray[np.float32]) -> int:
        """The next token's id, from logits float32 [vocab], which are left as they are.

        The token counts as accepted: penalties see it from the next call on.
        """
        if self._adjusts:
            logits = logits.copy()
            if self._bias is not None:
                logits[self._bias[0]] += self._bias[1]
            if self._penalties is not None:
                self._penalties.apply(logits)
        if self.seed is None:
            token = int(logits.argmax())
            # argmax gives a NaN's place if there is one, and -inf only if all are.
            if not logits[token] > -math.inf:
                raise _no_choice(float(logits[token]))
        else:
            token = self._draw(logits)
        if self._penalties is not None:
            self._penalties.count(token)
        return token

    def skip(self, token: int) -> None:
        """A token was certain and is taken without logits: draw and count as if chosen."""
        if self.seed is not None:
            self._random.random()
        if self._penalties is not None:
            self._penalties.count(token)

    def _bias_arrays(
        self, bias: Mapping[int, float]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
        for token in bias:
            if token >= self._vocab_size:
                raise InvalidRequestError(
                    pick(
                        f"logit_bias has token {token}; the vocabulary has {self._vocab_size}",
                        f"logit_bias 中有词元 {token}；词表只有 {self._vocab_size} 个",
                    ),
                    param="logit_bias",
                )
        if not bias:
            return None
        ids = np.fromiter(bias.keys(), dtype=np.int64, count=len(bias))
        return ids, np.fromiter(bias.values(), dtype=np.float32, count=len(bias))

    def _draw(self, logits: NDArray[np.float32]) -> int:
        if self._top_k:
            ids, values = _native.select_top(logits, self._top_k)
            weights = self._weigh(values, values[0])
            keep = self._kept(weights, float(weights.sum(dtype=np.float64)))
            return int(ids[self._pick(weights[:keep])])
        largest = logits.max()
        if self._top_p >= 1.0 and self._min_p <= 0.0:
            return self._pick_of_all(self._block_weights(logits, largest))
        total = 0.0
        if self._top_p < 1.0:
            total = float(self._block_weights(logits, largest).sum())
        for count in _NUCLEUS_GUESSES:
            count = min(count, self._vocab_size)
            ids, values = _native.select_top(logits, count)
            weights = self._weigh(values, largest)
            keep = self._kept(weights, total)
            if keep < count or count == self._vocab_size:
                return int(ids[self._pick(weights[:keep])])
        return self._pick_of_many(logits, largest, total)

    def _pick_of_many(self, logits: NDArray[np.float32], largest: np.float32, total: float) -> int:
        """The same when many tokens are kept: sorting weights without their ids is far faster
        than finding the ids in order. Of equals at the border the smaller ids are kept."""
        if self._top_p >= 1.0:
            self._block_weights(logits, largest)
        assert self._weights is not None
        weights = self._weights.reshape(-1)[: self._vocab_size]
        falling = np.sort(weights)[::-1]
        keep = self._kept(falling, total)
        border = falling[keep - 1]
        kept = weights > border
        equals = np.flatnonzero(weights == border)
        kept[equals[: keep - np.count_nonzero(kept)]] = True
        ids = np.flatnonzero(kept)
        return int(ids[self._pick(weights[ids])])

    def _block_weights(
        self, logits: NDArray[np.float32], largest: np.float32
    ) -> NDArray[np.float64]:
        """Weights of the whole vocabulary, into a buffer, summed over blocks of 256 tokens."""
        if self._weights is None:
            blocks = -(-self._vocab_size // _BLOCK)
            self._weights = np.zeros((blocks, _BLOCK), dtype=np.float32)
        self._weigh(logits, largest, self._weights.reshape(-1)[: self._vocab_size])
        sums: NDArray[np.float64] = self._weights.sum(axis=1, dtype=np.float64)
        return sums

    def _pick_of_all(self, blocks: NDArray[np.float64]) -> int:
        """A token, drawn in proportion to the buffered weights: first its block, then the
        token in it. A running sum over the vocabulary would take ten times as long."""
        assert self._weights is not None
        place, rest = self._find(blocks, self._random.random())
        inner, _ = self._find(self._weights[place], rest)
        return place * _BLOCK + inner

    def _weigh(
        self,
        values: NDArray[np.float32],
        largest: np.float32,
        out: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """exp((value - largest) / temperature): the most likely token weighs 1.

        In float32, whose exp is many times faster; weights are summed in float64.
        """
        if not math.isfinite(largest):
            raise _no_choice(float(largest))
        weights = np.subtract(values, largest, out=out)
        # A temperature near 0 divides to -inf, and exp of that is the 0 it should be.
        with np.errstate(over="ignore", under="ignore"):
            weights /= self._divisor
            return np.exp(weights, out=weights)

    def _kept(self, weights: NDArray[np.float32], total: float) -> int:
        """How many of the most likely tokens top-p and min-p keep; len(weights) may mean that
        more would be kept. `total` is the weight of all tokens top-p is a share of."""
        keep = len(weights)
        if self._top_p < 1.0:
            cumulative = np.cumsum(weights, dtype=np.float64)
            keep = min(keep, int(np.searchsorted(cumulative, self._top_p * total)) + 1)
        if self._min_p > 0.0:
            # Weights fall, and the largest is 1.
            keep = min(keep, int(np.searchsorted(-weights, -self._min_p, side="right")))
        return max(1, keep)

    def _pick(self, weights: NDArray[np.float32]) -> int:
        """A place, drawn in proportion to the weights."""
        return self._find(weights, self._random.random())[0]

    @staticmethod
    def _find(weights: NDArray[np.floating], share: float) -> tuple[int, float]:
        """The place at which the weights up to there make up more than `share` (0 to 1) of
        all, and how far into that place's own weight the share reaches (0 to 1)."""
        cumulative = np.cumsum(weights, dtype=np.float64)
        total = float(cumulative[-1])
        if not total > 0.0:
            raise _no_choice(total)
        wanted = share * total
        place = int(np.searchsorted(cumulative, wanted, side="right"))
        if place == len(cumulative):  # rounding reached the total: the last with any weight
            place = int(np.searchsorted(cumulative, total, side="left"))
        before = float(cumulative[place - 1]) if place else 0.0
        return place, min(1.0, (wanted - before) / (float(cumulative[place]) - before))


class Penalties:
    """Repetition, presence and frequency penalties over the few tokens they concern."""

    def __init__(
        self, repetition: float, presence: float, frequency: float, prompt: Iterable[int]
    ) -> None:
        self._repetition, self._presence, self._frequency = (
            # Smaller ones would be 0 in float32, or make logits infinite.
            np.float32(max(repetition, 1e-6)),
            np.float32(presence),
            np.float32(frequency),
        )
        # The prompt counts for the repetition penalty only.
        seen = sorted(set(prompt)) if repetition != 1.0 else []
        self._size = len(seen)
        self._places = {token: place for place, token in enumerate(seen)}
        self._ids = np.zeros(self._size + 256, dtype=np.int64)
        self._ids[: self._size] = seen
        self._counts = np.zeros(self._size + 256, dtype=np.float32)

    def apply(self, logits: NDArray[np.float32]) -> None:
        """Changes logits [vocab] in place."""
        ids, counts = self._ids[: self._size], self._counts[: self._size]
        values = logits[ids]
        if self._repetition != 1.0:
            values = np.where(values > 0, values / self._repetition, values * self._repetition)
        if self._presence or self._frequency:
            values -= self._frequency * counts + self._presence * (counts > 0)
        logits[ids] = values

    def count(self, token: int) -> None:
        """One more occurrence of a token in the answer."""
        place = self._places.get(token)
        if place is None:
            place = self._places[token] = self._size
            if place == len(self._ids):
                self._ids = np.concatenate([self._ids, np.zeros_like(self._ids)])
                self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
            self._ids[place] = token
            self._size += 1
        self._counts[place] += 1


def _no_choice(value: float) -> QingyuError:
    if value == -math.inf:
        return InvalidRequestError(
            pick(
                "logit_bias bans every token that could follow",
                "logit_bias 禁止了所有可能的后续词元",
            )
        )
    return ModelFileError(
        pick(
            f"the model computed {value} as a logit: its weights are damaged;"
            " check the file with 'qingyu models verify'",
            f"模型算出的 logit 为 {value}：权重已损坏；请用 “qingyu models verify” 检查文件",
        )
    )
