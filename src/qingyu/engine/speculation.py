"""Guesses tokens ahead, so that one forward may confirm several. The result never changes.

    guesser = PromptLookup()
    guesses = guesser.guess(history, 8)         # what followed the last time it went like this
    guesser.learn(guesses, tokens)              # what it became
    costs.best(guessers_and_guesses)            # how many of them are worth computing

A forward computes the guesses along with the newest token; as long as the token chosen from
each row is the next guess, the row after it is right as well. Rows do not depend on what else
is in a forward, so the tokens are those that would have come one by one.

Guessing pays only when enough guesses come true: a forward of nine tokens takes about three
times as long as one of one (2 cores, 135M). Both are measured while it runs: how often guesses
come true, also of those that were not computed, and how long forwards take by their size.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from qingyu.engine.prefix import common_length
from qingyu.errors import InvalidRequestError, OutOfMemoryError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.engine.model import Model

# Most tokens guessed ahead of one text.
MAX_GUESSES = 12
# How many tokens must be the same for what followed them to be a guess.
_GRAM = 3
# Weight of the newest observation: some ten tokens are remembered.
_NEWEST = 0.15
# Guesses are taken when they promise at least this much more speed.
_WORTHWHILE = 1.05


class Guesser(Protocol):
    """Guesses for one text. `chance`: how likely a guess is right, given those before it are.
    `seconds`: what one guess costs beside the forward that checks it; 0: next to nothing."""

    chance: float

    @property
    def seconds(self) -> float: ...

    def guess(self, history: Sequence[int], most: int) -> list[int]:
        """Up to `most` tokens that may follow."""

    def learn(self, guesses: Sequence[int], tokens: Sequence[int]) -> None:
        """The text went on with `tokens`, at least one, where `guesses` were guessed."""

    def close(self) -> None:
        """The text has ended."""


class _Measured:
    """How often guesses come true."""

    def __init__(self) -> None:
        # Pessimistic: the first guesses are only compared, not computed.
        self.chance = 0.0

    def learn(self, guesses: Sequence[int], tokens: Sequence[int]) -> None:
        for guessed, token in zip(guesses, tokens, strict=False):
            right = guessed == token
            self.chance += _NEWEST * (right - self.chance)
            if not right:
                break


class PromptLookup(_Measured):
    """Guesses that what followed the same three tokens before follows again (prompt lookup
    decoding). Good for texts that repeat their prompt: editing, summarizing, structured data."""

    @property
    def seconds(self) -> float:
        return 0.0

    def __init__(self) -> None:
        super().__init__()
        self._after: dict[tuple[int, ...], int] = {}
        self._indexed = _GRAM

    def guess(self, history: Sequence[int], most: int) -> list[int]:
        after = self._after
        # The newest gram itself is left out: nothing follows it yet.
        for end in range(self._indexed, len(history)):
            after[tuple(history[end - _GRAM : end])] = end
        self._indexed = max(self._indexed, len(history))
        place = after.get(tuple(history[-_GRAM:]))
        if place is None:
            return []
        # A short repetition is taken to go on repeating.
        found = list(history[place : place + most])
        period = len(found)
        while len(found) < most:
            found.append(found[len(found) - period])
        return found

    def close(self) -> None:
        self._after.clear()


class DraftText(_Measured):
    """Guesses what a smaller model would say."""

    def __init__(self, draft: DraftModel) -> None:
        super().__init__()
        # A draft model that was asked for gets the chance to show what it can.
        self.chance = 0.8
        self._draft = draft
        self._tokens: list[int] = []
        self._sequence = -1

    @property
    def seconds(self) -> float:
        return self._draft.seconds

    def guess(self, history: Sequence[int], most: int) -> list[int]:
        guesses, self._tokens, self._sequence = self._draft.continue_(
            history, most, self._tokens, self._sequence
        )
        return guesses

    def learn(self, guesses: Sequence[int], tokens: Sequence[int]) -> None:
        super().learn(guesses, tokens)
        if not guesses:
            # Not asked because it did badly: it gets another chance after some fifty tokens.
            self.chance += 0.02 * (0.8 - self.chance)

    def close(self) -> None:
        self._draft.forget(self._sequence)
        self._sequence = -1


class DraftModel:
    """A smaller model with the same vocabulary. Raises InvalidRequestError when it has not."""

    def __init__(self, draft: Model, target: Model) -> None:
        one, other = draft.tokenizer, target.tokenizer
        same = draft.info.vocab_size == target.info.vocab_size and all(
            one.token_bytes(token) == other.token_bytes(token)
            for token in range(min(one.vocab_size, other.vocab_size))
        )
        if not same:
            raise InvalidRequestError(
                pick(
                    f"{draft.info.name} cannot draft for {target.info.name}:"
                    " their vocabularies differ",
                    f"{draft.info.name} 不能为 {target.info.name} 起草：两者词表不同",
                )
            )
        self.model = draft
        self.seconds = 0.0

    def continue_(
        self, history: Sequence[int], most: int, known: list[int], sequence: int
    ) -> tuple[list[int], list[int], int]:
        """Its greedy continuation of history; `known` tokens are in its `sequence` (-1: none).
        Returns the continuation, and tokens and sequence anew."""
        guesses: list[int] = []
        try:
            with self.model.core as core:
                if sequence < 0:
                    sequence, cached = core.open(history)
                    known = list(history[:cached])
                tokens = list(history)
                common = min(common_length(known, tokens), len(tokens) - 1)
                core.native.truncate(sequence, common)
                for start in range(common, len(tokens) - 1, 512):
                    part = tokens[start : min(start + 512, len(tokens) - 1)]
                    core.append(sequence, np.array(part, dtype=np.int32))
                started = time.perf_counter()
                last = np.zeros(1, dtype=np.int32)
                place = np.array([sequence], dtype=np.int32)
                for _ in range(min(most, core.limit - len(tokens))):
                    last[0] = tokens[-1]
                    row = core.forward(last, place, np.zeros(1, dtype=np.int32))[0]
                    guesses.append(int(row.argmax()))
                    tokens.append(guesses[-1])
                if guesses:
                    each = (time.perf_counter() - started) / len(guesses)
                    self.seconds += _NEWEST * (each - self.seconds) if self.seconds else each
                # The last guess was not computed.
                known = tokens[: core.native.length(sequence)]
        except OutOfMemoryError:
            pass
        return guesses, known, sequence

    def forget(self, sequence: int) -> None:
        """A text has ended."""
        if sequence >= 0:
            self.model.core.abandon(sequence)


class Costs:
    """How long forwards take by their number of tokens, and what guessing is worth by that."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}

    def observe(self, size: int, seconds: float) -> None:
        """A forward of `size` tokens took so long."""
        known = self._seconds.get(size)
        if known is None:
            self._seconds[size] = seconds
        else:
            # Slow ones are somebody else's doing more often than not.
            self._seconds[size] += (0.05 if seconds > known else 0.3) * (seconds - known)

    def of(self, size: int) -> float:
        """Seconds expected, between and beyond what was measured; 0 when nothing was."""
        if size in self._seconds or not self._seconds:
            return self._seconds.get(size, 0.0)
        sizes = sorted(self._seconds)
        below = max((one for one in sizes if one < size), default=None)
        above = min((one for one in sizes if one > size), default=None)
        if below is not None and above is not None:
            low, high = self._seconds[below], self._seconds[above]
            return low + (high - low) * (size - below) / (above - below)
        if below is None:
            return self._seconds[sizes[0]] * size / sizes[0]
        # As a first guess: the second token costs as much again as the first, others a sixth.
        return self._seconds[below] * (2 + size / 6) / (2 + below / 6 if below > 1 else 1)

    def best(self, chances: Sequence[tuple[float, int, float]], others: int) -> int:
        """How many guesses each text should have: 0 when none is worth it.

        chances: per text its guesser's chance, how many guesses it has, and seconds for each;
        others: tokens in the forward anyway.
        """
        base = self.of(others)
        if not base:
            return 0
        best, speed = 0, _WORTHWHILE * len(chances) / base
        for most in (2, 4, 8, MAX_GUESSES):
            size, expected, seconds = others, float(len(chances)), 0.0
            for chance, count, each in chances:
                taken = min(most, count)
                size += taken
                seconds += each * taken
                share = 1.0
                for _ in range(taken):
                    share *= chance
                    expected += share
            rate = expected / (self.of(size) + seconds)
            if rate > speed:
                best, speed = most, rate
        return best
