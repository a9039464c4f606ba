"""Intervals and calibration, against what can be computed another way."""

from __future__ import annotations

import math

import pytest

from qingyu.errors import JournalError
from qingyu.prove import benchmarks
from qingyu.prove.exam import Answer
from qingyu.prove.uncertainty import calibration, group_errors, letter_probabilities, wilson
from tests.prove.made_results import made


def test_wilson() -> None:
    # R: binom::binom.wilson(7, 19), and the closed form for none of ten: z^2 / (n + z^2).
    low, high = wilson(7, 19)
    assert (low, high) == pytest.approx((19.15, 58.96), abs=0.01)
    assert wilson(0, 10) == pytest.approx((0.0, 100 * 3.8415 / 13.8415), abs=0.01)
    assert wilson(10, 10)[1] == pytest.approx(100)


def test_group_errors_agree_with_the_bootstrap() -> None:
    result = made(skill=0.3)
    scores = result.scores
    errors = group_errors(result.benchmark, scores)
    assert set(errors) == {*benchmarks.CATEGORIES, "Hard"}
    sizes = [len(result.benchmark.groups[name]) for name in benchmarks.CATEGORIES]
    whole = math.sqrt(
        sum(
            (size * errors[name]) ** 2
            for name, size in zip(benchmarks.CATEGORIES, sizes, strict=True)
        )
    ) / sum(sizes)
    assert whole == pytest.approx(scores.standard_error, rel=0.05)


def answer(number: int, choice: str, *chances: float) -> Answer:
    logs = tuple(math.log(one) - 3.0 for one in chances)  # the four need not sum to one
    return Answer(subject="law", id=number, choice=choice, log_probs=logs)  # type: ignore[arg-type]


def test_calibration_by_hand() -> None:
    answers = [
        answer(0, "A", 0.7, 0.1, 0.1, 0.1),
        answer(1, "A", 0.7, 0.1, 0.1, 0.1),
        answer(2, "B", 0.02, 0.92, 0.03, 0.03),
        Answer(subject="law", id=3, choice="C"),  # written, without probabilities
    ]
    found = calibration(answers, ["A", "B", "B", "C"])
    assert found is not None
    # Two of confidence 70 of which one is right, one of 92 that is right.
    assert found.error == pytest.approx((2 * 20 + 8) / 3)
    assert [one.count for one in found.bins] == [2, 1]
    assert found.confidence == pytest.approx((70 + 70 + 92) / 3)


def test_a_perfectly_calibrated_model_shows_the_error_of_chance() -> None:
    import numpy as np

    generator = np.random.default_rng(3)
    answers, keys = [], []
    for number in range(1000):
        top = float(generator.uniform(0.3, 0.95))
        rest = (1 - top) / 3
        answers.append(answer(number, "A", top, rest, rest, rest))
        keys.append("A" if generator.random() < top else "B")
    found = calibration(answers, keys)
    assert found is not None
    assert found.error == pytest.approx(found.by_chance, abs=1.5)
    assert 0 < found.by_chance < 6


def test_no_probabilities_no_calibration() -> None:
    assert calibration([Answer(subject="law", id=0, choice="A")], ["A"]) is None


@pytest.mark.parametrize(
    "logs", [(0.0, 0.0, 0.0), (math.nan, 0.0, 0.0, 0.0), (-math.inf,) * 4, (math.inf, 0, 0, 0)]
)
def test_numbers_that_are_no_probabilities_are_refused(logs: tuple[float, ...]) -> None:
    wrong = Answer(subject="law", id=5, choice="A", log_probs=logs)  # type: ignore[arg-type]
    with pytest.raises(JournalError, match="law 5"):
        letter_probabilities(wrong)
