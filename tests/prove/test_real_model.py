"""The default model on real questions: against one question at a time, and the harness."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import qingyu
from qingyu.prove.choices import ChoiceAnswerer
from qingyu.prove.exam import Exam

pytestmark = pytest.mark.model
GOLDEN = Path(__file__).parents[1] / "golden" / "harness"


def exam(data: Path, subjects: str, **settings: object) -> Exam:
    return Exam.prepare(
        **{"benchmark": "ceval", "subjects": subjects, "data": data, **settings}  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("shots", [0, 5])
def test_choices_and_log_probabilities_are_those_of_one_question_alone(
    evaluation_data: Path, default_model_path: Path, bits: int, shots: int
) -> None:
    asked = exam(evaluation_data, "law,logic", shots=shots, limit=5)
    wanted = list(asked.all_questions())
    with qingyu.load(default_model_path, activation_bits=bits) as model:
        found = {(a.subject, a.id): a for a in ChoiceAnswerer(model).answers(asked, wanted)}
    with qingyu.load(default_model_path, activation_bits=bits, threads=1) as model:
        for question in wanted[::2]:
            prompt = asked.prompt(question)
            alone = [s.log_prob for s in model.score(prompt.text, prompt.continuations)]
            answer = found[question.subject, question.id]
            assert list(answer.log_probs or ()) == alone
            assert answer.choice == "ABCD"[alone.index(max(alone))]


@pytest.mark.parametrize(("shots", "subjects"), [(0, 6), (5, 2)])
def test_choices_are_the_harness_s(
    evaluation_data: Path, default_model_path: Path, shots: int, subjects: int
) -> None:
    """Letters recorded from lm-evaluation-harness in float32 by benchmarks/agreement.py, which
    compares all of them; here those of a few subjects."""
    golden = json.loads((GOLDEN / f"ceval_val_{shots}shot.json").read_text())["choices"]
    chosen = dict(list(golden.items())[:subjects])
    asked = exam(evaluation_data, ",".join(chosen), shots=shots, protocol="harness")
    with qingyu.load(default_model_path, activation_bits=16) as model:
        answers = ChoiceAnswerer(model).answers(asked, list(asked.all_questions()))
        found = {(answer.subject, answer.id): answer.choice for answer in answers}
    same = [
        found[subject, one.id] == chosen[subject][place]
        for subject, rows in asked.questions.items()
        for place, one in enumerate(sorted(rows, key=lambda row: row.id))
    ]
    assert sum(same) >= 0.99 * len(same) - 1
