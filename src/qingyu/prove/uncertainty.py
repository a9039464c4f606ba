"""How sure one may be: intervals of small counts, errors of averages, calibration.

    low, high = wilson(7, 19)                       # percent
    group_errors(benchmark, scores)["Hard"]         # percent points
    calibration(result.answers, result.keys).error  # ECE, percent points

Knows nothing of pages and pictures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qingyu.errors import JournalError
from qingyu.prove.benchmarks import LETTERS, Benchmark
from qingyu.prove.exam import Answer
from qingyu.prove.scores import Scores
from qingyu.text import pick

# Twenty bins over 0 to 1; the likeliest of four letters is never below a quarter.
BIN_WIDTH = 0.05
_ROUNDS = 400


def wilson(correct: int, count: int) -> tuple[float, float]:
    """Wilson's 95% interval of an accuracy, in percent. (E. B. Wilson, 1927.)

    Unlike plus or minus two standard errors it is not empty when all or none are right.
    """
    z = 1.959964
    share = correct / count
    middle = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 100 / (1 + z * z / count)
    return max(0.0, scale * (middle - spread)), min(100.0, scale * (middle + spread))


def group_errors(benchmark: Benchmark, scores: Scores) -> dict[str, float]:
    """Standard error of each group's macro average, in percent points.

    Drawing each subject's questions anew, as `scores.standard_error`, but in closed form.
    """
    variances = {
        subject: (share := tally.correct / tally.count) * (1 - share) / tally.count
        for subject, tally in scores.subjects.items()
    }
    errors = {}
    for name in scores.groups:
        inside = [variances[one] for one in benchmark.groups[name] if one in variances]
        errors[name] = 100 * math.sqrt(math.fsum(inside)) / len(inside)
    return errors


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Answers of about the same confidence. confidence, accuracy: means, in percent."""

    confidence: float
    accuracy: float
    correct: int
    count: int


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How far the probability of the chosen letter is from how often it is right.

    error: expected calibration error in percent points: the bins' distances, weighted by count.
    by_chance: the error a perfectly calibrated model of the same confidences would show on so
    few questions. confidence, accuracy: means over all answers, in percent.
    """

    bins: tuple[Bin, ...]
    error: float
    by_chance: float
    confidence: float
    accuracy: float


def calibration(answers: Sequence[Answer], keys: Sequence[str]) -> Calibration | None:
    """Of the answers that came with probabilities; None when there is none.

    The probabilities of the four letters are scaled to sum to one (a softmax over their logs).
    Raises JournalError for probabilities that are none.
    """
    confidences, rights = [], []
    for answer, key in zip(answers, keys, strict=True):
        if answer.log_probs is not None and answer.choice:
            confidences.append(letter_probabilities(answer)[LETTERS.index(answer.choice)])
            rights.append(answer.choice == key)
    if not confidences:
        return None
    confidence, right = np.array(confidences), np.array(rights, dtype=float)
    places = np.minimum((confidence / BIN_WIDTH).astype(int), round(1 / BIN_WIDTH) - 1)
    bins = tuple(
        Bin(
            confidence=100 * float(confidence[inside].mean()),
            accuracy=100 * float(right[inside].mean()),
            correct=int(right[inside].sum()),
            count=int(inside.sum()),
        )
        for place in np.unique(places)
        for inside in [places == place]
    )
    generator = np.random.default_rng(20230811)
    drawn = (generator.random((_ROUNDS, len(right))) < confidence).astype(float)
    return Calibration(
        bins=bins,
        error=_expected_error(right[None], confidence, places),
        by_chance=_expected_error(drawn, confidence, places),
        confidence=100 * float(confidence.mean()),
        accuracy=100 * float(right.mean()),
    )


def letter_probabilities(answer: Answer) -> tuple[float, ...]:
    """Of A to D, summing to one. Raises JournalError when the answer's numbers allow none."""
    logs = answer.log_probs or ()
    if len(logs) != len(LETTERS) or any(map(math.isnan, logs)) or not math.isfinite(max(logs)):
        raise JournalError(
            pick(
                f"{answer.subject} {answer.id!r}: {logs} are no logarithms of four probabilities",
                f"{answer.subject} {answer.id!r}：{logs} 不是四个概率的对数",
            )
        )
    weights = [math.exp(value - max(logs)) for value in logs]
    return tuple(value / math.fsum(weights) for value in weights)


def _expected_error(right: np.ndarray, confidence: np.ndarray, places: np.ndarray) -> float:
    """right [R, N]: the mean over R of the expected calibration error, in percent points."""
    gaps = right - confidence
    total = np.zeros(len(right))
    for place in np.unique(places):
        total += np.abs(gaps[:, places == place].sum(axis=1))
    return 100 * float(total.mean()) / len(confidence)
