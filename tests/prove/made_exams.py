"""Exams of questions written for the tests: no data is needed.

exam = made_exam(method="generate", shots=2, questions=3)
exam.all_questions()       # of two subjects, whose right answers are A, B, C, D, A, ...
"""

from __future__ import annotations

from qingyu.prove import benchmarks, questions
from qingyu.prove.benchmarks import LETTERS
from qingyu.prove.exam import Exam
from qingyu.prove.questions import Question

SUBJECTS = {"ceval": ("law", "logic"), "cmmlu": ("anatomy", "astronomy")}


def made_exam(
    *,
    benchmark: str = "ceval",
    method: str = "generate",
    protocol: str = "official",
    shots: int = 0,
    questions_each: int = 3,
    subjects: int = 2,
) -> Exam:
    """So many questions of each subject; shots differ in length."""
    chosen = SUBJECTS[benchmark][:subjects]
    asked = {
        subject: tuple(_question(subject, number, "问") for number in range(questions_each))
        for subject in chosen
    }
    examples = {
        subject: tuple(_question(subject, number, "例" * (number + 1)) for number in range(shots))
        for subject in chosen
    }
    return Exam(
        benchmark=benchmarks.find(benchmark),
        split="val" if benchmark == "ceval" else "test",
        num_shots=shots,
        protocol=protocol,  # type: ignore[arg-type]
        method=method,  # type: ignore[arg-type]
        limit=None,
        questions=asked,
        shots=examples,
        data_sha256=questions.fingerprint(asked, examples),
    )


def _question(subject: str, number: int, kind: str) -> Question:
    letter = LETTERS[number % 4]
    return Question(
        subject=subject,
        id=number,
        text=f"{subject}{kind}{number}：____",
        choices=("甲", "乙", "丙", "丁"),
        answer=letter,
        explanation=f"1. 看{number}。",
    )
