"""From answers to numbers: averages, error bars, and what two runs differ by.

    scores = score(benchmark, answers)           # answers: (subject, id, choice, right answer)
    scores.macro, scores.standard_error, scores.groups["Hard"]
    compare(first, second).p_value

The average is macro: the mean over subjects of their accuracy, in percent, as both papers have
it (hkust-nlp/ceval issue 74); micro, over questions, is what lm-evaluation-harness calls the
group's accuracy.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from qingyu.prove.benchmarks import LETTERS, Benchmark

BOOTSTRAP_ROUNDS = 2000
# One-sided 95%: what a score must stay above guessing by, in standard errors.
_ONE_SIDED = 1.645


class Answered(NamedTuple):
    """choice is "" when none could be read; answer is the key's letter."""

    subject: str
    id: int
    choice: str
    answer: str


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Of a subject."""

    correct: int
    count: int

    @property
    def accuracy(self) -> float:
        """In percent."""
        return 100 * self.correct / self.count


@dataclass(frozen=True, kw_only=True)
class Scores:
    """All in percent.

    standard_error: of macro, when the questions of each subject are drawn anew (bootstrap);
    standard_error_subjects: when the subjects are drawn anew as well.
    groups: macro average of each category and of the special group, those present.
    guessing: the best macro average an answer of one letter to everything would get here.
    """

    macro: float
    micro: float
    standard_error: float
    standard_error_subjects: float
    groups: Mapping[str, float]
    subjects: Mapping[str, Tally]
    unparsed: int
    guessing: float
    guessing_letter: str

    @property
    def beats_guessing(self) -> bool:
        """Whether macro is above the best single letter by more than chance explains (95%)."""
        return self.macro - _ONE_SIDED * self.standard_error > max(self.guessing, 25.0)


def score(benchmark: Benchmark, answers: Iterable[Answered]) -> Scores:
    """The scores of at least one answer; every one must have a key."""
    by_subject: dict[str, list[Answered]] = {}
    unparsed = 0
    for one in answers:
        assert one.answer in LETTERS, one
        by_subject.setdefault(one.subject, []).append(one)
        unparsed += not one.choice
    right = {
        subject: np.array([one.choice == one.answer for one in by_subject[subject]])
        for subject in benchmark.subjects
        if subject in by_subject
    }
    tallies = {
        subject: Tally(correct=int(values.sum()), count=len(values))
        for subject, values in right.items()
    }
    accuracy = {subject: tally.accuracy for subject, tally in tallies.items()}
    keys = {
        letter: _mean(
            100 * sum(one.answer == letter for one in rows) / len(rows)
            for rows in by_subject.values()
        )
        for letter in LETTERS
    }
    letter = max(LETTERS, key=lambda one: keys[one])
    within, among = _bootstrap(list(right.values()))
    return Scores(
        macro=_mean(accuracy.values()),
        micro=100
        * sum(t.correct for t in tallies.values())
        / sum(t.count for t in tallies.values()),
        standard_error=within,
        standard_error_subjects=among,
        groups={
            name: _mean(accuracy[one] for one in ids if one in accuracy)
            for name, ids in benchmark.groups.items()
            if any(one in accuracy for one in ids)
        },
        subjects=tallies,
        unparsed=unparsed,
        guessing=keys[letter],
        guessing_letter=letter,
    )


def average_of_categories(benchmark: Benchmark, categories: Mapping[str, float]) -> float:
    """The macro average that category averages imply: weighted by their numbers of subjects."""
    groups = benchmark.groups
    return sum(len(groups[name]) * value for name, value in categories.items()) / sum(
        len(groups[name]) for name in categories
    )


def micro_average_of_categories(
    benchmark: Benchmark, categories: Mapping[str, float], split: str
) -> float:
    """The same weighted by numbers of questions, as some published rows are."""
    sizes = {
        name: sum(benchmark.subjects[one].counts[split] for one in benchmark.groups[name])
        for name in categories
    }
    return sum(sizes[name] * value for name, value in categories.items()) / sum(sizes.values())


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return math.fsum(listed) / len(listed)


def _bootstrap(right: Sequence[np.ndarray]) -> tuple[float, float]:
    """Standard errors of the macro average in percent: questions drawn anew within each
    subject, and subjects drawn anew too. Always the same draws."""
    generator = np.random.default_rng(20230811)
    drawn = np.empty((len(right), BOOTSTRAP_ROUNDS))
    for row, values in enumerate(right):
        count = len(values)
        drawn[row] = generator.binomial(count, values.mean(), BOOTSTRAP_ROUNDS) / count
    chosen = generator.integers(0, len(right), (len(right), BOOTSTRAP_ROUNDS))
    both = np.take_along_axis(drawn, chosen, axis=0)
    return 100 * float(drawn.mean(axis=0).std()), 100 * float(both.mean(axis=0).std())


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Of two runs on the same questions; `second` minus `first`, differences in percent points.

    flips: questions with another choice; gained, lost: those that became right, wrong.
    p_value: McNemar's exact test, two-sided. low, high: 95% interval of the difference.
    """

    count: int
    flips: int
    gained: int
    lost: int
    difference_macro: float
    difference_micro: float
    low: float
    high: float
    p_value: float
    by_subject: Mapping[str, float]
    letters: Mapping[str, int]


def compare(first: Sequence[Answered], second: Sequence[Answered]) -> Comparison:
    """Pair two runs by question. They must hold the same questions (the caller checks)."""
    other = {(one.subject, one.id): one for one in second}
    pairs = [(one, other[one.subject, one.id]) for one in first]
    assert pairs, "nothing to compare"
    assert len(pairs) == len(second), "the runs hold other questions"
    change: dict[str, list[int]] = {}
    letters: Counter[str] = Counter()
    for one, two in pairs:
        change.setdefault(one.subject, []).append(
            (two.choice == two.answer) - (one.choice == one.answer)
        )
        if one.choice != two.choice:
            letters[f"{one.choice or '-'}→{two.choice or '-'}"] += 1
    flat = np.array([value for values in change.values() for value in values])
    gained, lost = int((flat == 1).sum()), int((flat == -1).sum())
    by_subject = {subject: 100 * float(np.mean(values)) for subject, values in change.items()}
    macro = _mean(by_subject.values())
    # The difference of a subject is a mean of its questions' differences: a stratified sample.
    variance = sum(float(np.var(values)) / len(values) for values in change.values())
    spread = 1.96 * 100 * math.sqrt(variance) / len(change)
    return Comparison(
        count=len(pairs),
        flips=sum(letters.values()),
        gained=gained,
        lost=lost,
        difference_macro=macro,
        difference_micro=100 * float(flat.mean()),
        low=macro - spread,
        high=macro + spread,
        p_value=mcnemar(gained, lost),
        by_subject=by_subject,
        letters=dict(letters.most_common()),
    )


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided exact p-value that gains and losses are equally likely."""
    total = gained + lost
    if total == 0:
        return 1.0
    # Sums of binomial coefficients as integers: exact for any number of questions.
    tail = sum(math.comb(total, k) for k in range(min(gained, lost) + 1))
    return min(1.0, 2 * tail / (1 << total))
