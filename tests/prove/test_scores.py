"""Averages, error bars and paired comparisons, against figures worked out independently."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qingyu.prove import benchmarks
from qingyu.prove.scores import Answered, compare, mcnemar, score

CEVAL = benchmarks.find("ceval")


def answers(rate: float, *, seed: int = 1, split: str = "val") -> list[Answered]:
    """Every question of C-Eval, answered right with a probability."""
    generator = np.random.default_rng(seed)
    found = []
    for subject in CEVAL.subjects.values():
        for number in range(subject.counts[split]):
            key = "ABCD"[generator.integers(4)]
            wrong = "ABCD".replace(key, "")[generator.integers(3)]
            choice = key if generator.random() < rate else wrong
            found.append(Answered(subject.id, number, choice, key))
    return found


def test_macro_is_over_subjects_and_micro_over_questions() -> None:
    rows = [Answered("law", i, "A", "A") for i in range(3)]
    rows += [Answered("logic", 0, "A", "B"), Answered("marxism", 0, "", "C")]
    scores = score(CEVAL, rows)
    assert scores.macro == pytest.approx(100 / 3)
    assert scores.micro == pytest.approx(60)
    assert scores.groups == {"Social Science": 0, "Humanities": 50}
    assert scores.subjects["law"].correct == 3
    assert scores.unparsed == 1


@pytest.mark.parametrize(("split", "expected"), [("val", 1.42), ("test", 0.47)])
def test_standard_error_is_that_of_the_binomials(split: str, expected: float) -> None:
    """evaluation notes: at p = 0.6 it is 1.42 points on val and 0.47 on test."""
    sizes = [subject.counts[split] for subject in CEVAL.subjects.values()]
    exact = 100 * math.sqrt(sum(0.24 / size for size in sizes)) / len(sizes)
    assert round(exact, 2) == pytest.approx(expected, abs=0.01)
    found = score(CEVAL, answers(0.6, split=split)).standard_error
    assert found == pytest.approx(exact, rel=0.06)


def test_drawing_subjects_anew_adds_what_they_differ_by() -> None:
    scores = score(CEVAL, answers(0.6))
    assert scores.standard_error_subjects > scores.standard_error
    assert score(CEVAL, answers(0.6)) == scores


def test_guessing_is_told_from_knowing() -> None:
    assert not score(CEVAL, answers(0.25)).beats_guessing
    assert score(CEVAL, answers(0.4)).beats_guessing
    assert score(CEVAL, answers(0.6)).beats_guessing


@pytest.mark.parametrize(
    ("gained", "lost", "expected"),
    # by hand: 2 * sum of C(n, k) / 2^n, e.g. (1 + 10 + 45) / 512 for 2 of 10
    [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (8, 2, 0.109375), (2, 8, 0.109375)],
)
def test_mcnemar(gained: int, lost: int, expected: float) -> None:
    assert mcnemar(gained, lost) == pytest.approx(expected)


def test_mcnemar_of_many() -> None:
    """Against the normal approximation with continuity correction."""
    gained, lost = 2600, 2400
    z = (abs(gained - lost) - 1) / math.sqrt(gained + lost)
    assert mcnemar(gained, lost) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=1e-2)


def test_compare_pairs_by_question() -> None:
    first = [Answered("law", i, "A", "AB"[i % 2]) for i in range(4)]
    second = [one._replace(choice="B") for one in reversed(first)]
    second[0] = second[0]._replace(choice="")
    found = compare(first, second)
    assert (found.count, found.flips, found.gained, found.lost) == (4, 4, 1, 2)
    assert found.difference_macro == found.difference_micro == -25
    assert found.letters == {"A→B": 3, "A→-": 1}
    assert found.low < -25 < found.high


def test_the_interval_covers_the_truth() -> None:
    """The second run is right with 5 points more probability on the same questions."""
    covered = 0
    for seed in range(40):
        pair = [answers(rate, seed=seed) for rate in (0.5, 0.55)]
        found = compare(*pair)
        covered += found.low <= 5 <= found.high
    assert 34 <= covered <= 40


def test_a_run_compared_with_itself() -> None:
    rows = answers(0.5)
    found = compare(rows, rows)
    assert (found.flips, found.difference_macro, found.p_value) == (0, 0, 1)
