"""The acceptance checks on the real data: counts, keys, baselines, prompts, aggregates."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from qingyu.prove import benchmarks, questions
from qingyu.prove.exam import Exam
from qingyu.prove.scores import Answered, score

# SHA-256 of what `questions.fingerprint` reads: the published texts, whatever their line ends.
FINGERPRINTS = {
    ("ceval", "dev"): "c08ab461278390bc",
    ("ceval", "val"): "dfeb75661fe054e7",
    ("ceval", "test"): "0b85c8e1ee3054c9",
    ("cmmlu", "dev"): "17df8f9837e9a0a4",
    ("cmmlu", "test"): "d989a945798a204c",
}
# Of the first prompt of law and agronomy. Those of `harness` are the bytes that
# lm-evaluation-harness 0.4.13 logs for its ceval-valid_law and cmmlu_agronomy.
PROMPTS = {
    ("ceval", "official", 0): "48af99ec30877901",
    ("ceval", "official", 5): "f5dfed41fb1a5d0a",
    ("ceval", "harness", 0): "5346bca03f5b248c",
    ("ceval", "harness", 5): "8beea5c77a657deb",
    ("cmmlu", "official", 0): "9437b7e70e915c99",
    ("cmmlu", "official", 5): "21def2c973971992",
    ("cmmlu", "harness", 0): "8ceb8ff7709ea004",
    ("cmmlu", "harness", 5): "2ae61360fcab4d41",
}


def read_all(data: Path, name: str, split: str) -> dict[str, tuple[questions.Question, ...]]:
    benchmark = benchmarks.find(name)
    folder = questions.find_folder(benchmark, data)
    return questions.read(folder, benchmark, split, list(benchmark.subjects))


@pytest.mark.parametrize(
    ("name", "split", "subjects", "count"),
    [
        ("ceval", "dev", 52, 260),
        ("ceval", "val", 52, 1346),
        ("ceval", "test", 52, 12342),
        ("cmmlu", "dev", 67, 335),
        ("cmmlu", "test", 67, 11582),
    ],
)
def test_counts(evaluation_data: Path, name: str, split: str, subjects: int, count: int) -> None:
    found = read_all(evaluation_data, name, split)
    assert len(found) == subjects
    assert sum(map(len, found.values())) == count
    assert questions.fingerprint(found).startswith(FINGERPRINTS[name, split])


def test_hard_counts() -> None:
    ceval = benchmarks.find("ceval")
    hard = ceval.groups["Hard"]
    assert len(hard) == 8
    assert sum(ceval.subjects[one].counts["val"] for one in hard) == 152
    assert sum(ceval.subjects[one].counts["test"] for one in hard) == 1405
    assert all(ceval.subjects[one].category == "STEM" for one in hard)


@pytest.mark.parametrize(
    ("name", "split", "keys"),
    [
        ("ceval", "val", {"A": 310, "B": 338, "C": 344, "D": 354}),
        ("cmmlu", "test", {"A": 2926, "B": 2883, "C": 2877, "D": 2896}),
    ],
)
def test_keys(evaluation_data: Path, name: str, split: str, keys: dict[str, int]) -> None:
    found = read_all(evaluation_data, name, split)
    assert Counter(one.answer for rows in found.values() for one in rows) == keys


@pytest.mark.parametrize(
    ("letter", "macro", "micro"),
    [("A", 22.26, 23.03), ("B", 24.77, 25.11), ("C", 26.39, 25.56), ("D", 26.58, 26.30)],
)
def test_always_one_letter(evaluation_data: Path, letter: str, macro: float, micro: float) -> None:
    found = read_all(evaluation_data, "ceval", "val")
    answers = [
        Answered(one.subject, one.id, letter, one.answer) for rows in found.values() for one in rows
    ]
    scores = score(benchmarks.find("ceval"), answers)
    assert round(scores.macro, 2) == macro
    assert round(scores.micro, 2) == micro
    assert not scores.beats_guessing
    assert (round(scores.guessing, 2), scores.guessing_letter) == (26.58, "D")


@pytest.mark.parametrize("name", benchmarks.NAMES)
def test_an_oracle_gets_a_hundred_everywhere(evaluation_data: Path, name: str) -> None:
    benchmark = benchmarks.find(name)
    found = read_all(evaluation_data, name, benchmark.splits[0])
    answers = [
        Answered(one.subject, one.id, one.answer, one.answer)
        for rows in found.values()
        for one in rows
    ]
    scores = score(benchmark, answers)
    assert scores.macro == scores.micro == 100
    assert set(scores.groups.values()) == {100}
    assert {tally.accuracy for tally in scores.subjects.values()} == {100}
    assert scores.standard_error == 0
    assert scores.beats_guessing


@pytest.mark.parametrize(("name", "protocol", "shots"), PROMPTS)
def test_prompts_byte_for_byte(evaluation_data: Path, name: str, protocol: str, shots: int) -> None:
    subject = {"ceval": "law", "cmmlu": "agronomy"}[name]
    exam = Exam.prepare(
        benchmark=name, protocol=protocol, shots=shots, subjects=subject, data=evaluation_data
    )
    prompt = exam.prompt(exam.questions[subject][0])
    digest = hashlib.sha256(prompt.text.encode()).hexdigest()
    assert digest.startswith(PROMPTS[name, protocol, shots])
    assert prompt.text.endswith("：")
    space = " " if protocol == "harness" else ""
    assert prompt.continuations == tuple(space + letter for letter in "ABCD")
