"""The result of an evaluation: one JSON file that says what was asked, of whom, and how it went.

    result = Result.read(path)            # a result.json, or the folder it lies in
    result.scores.macro, result.name, result.answers[0].choice

Everything but `time` is the same for the same model, questions and program. It holds letters,
no question. Fields: see docs/prove.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qingyu.errors import JournalError
from qingyu.models.hashes import write_atomically
from qingyu.prove import benchmarks
from qingyu.prove.benchmarks import LETTERS, Benchmark
from qingyu.prove.exam import Answer, Exam
from qingyu.prove.scores import Answered, Scores, score
from qingyu.text import pick

FORMAT = 1
NAME = "result.json"


@dataclass(frozen=True, kw_only=True)
class Result:
    """exam, model: what the journal's head says of them. answers: in the exam's order.
    keys: the right letter of each answer, "" where the data has none. time: of the last sitting.
    """

    exam: Mapping[str, Any]
    model: Mapping[str, Any]
    answers: tuple[Answer, ...]
    keys: tuple[str, ...]
    time: Mapping[str, Any]
    version: str

    @classmethod
    def of(
        cls,
        exam: Exam,
        model: Mapping[str, Any],
        answers: Mapping[tuple[str, int], Answer],
        *,
        time: Mapping[str, Any],
        version: str,
    ) -> Result:
        asked = list(exam.all_questions())
        return cls(
            exam=exam.identity,
            model=dict(model),
            answers=tuple(answers[one.subject, one.id] for one in asked),
            keys=tuple(one.answer for one in asked),
            time=dict(time),
            version=version,
        )

    @property
    def benchmark(self) -> Benchmark:
        return benchmarks.find(self.exam["benchmark"])

    @property
    def name(self) -> str:
        """The model's name."""
        return str(self.model["name"])

    @property
    def is_scored(self) -> bool:
        return bool(self.keys) and all(self.keys)

    @property
    def is_complete(self) -> bool:
        """Whether every question of the split was asked."""
        counts = [one.counts[self.exam["split"]] for one in self.benchmark.subjects.values()]
        return len(self.answers) == sum(counts)

    @property
    def answered(self) -> list[Answered]:
        return [
            Answered(one.subject, one.id, one.choice, key)
            for one, key in zip(self.answers, self.keys, strict=True)
        ]

    @property
    def scores(self) -> Scores:
        """Raises JournalError when the split has no answers."""
        if not self.is_scored:
            raise JournalError(
                pick(
                    f"the {self.exam['split']} split was answered, but has no key to score by",
                    f"{self.exam['split']} 部分已作答，但没有答案可供计分",
                )
            )
        return score(self.benchmark, self.answered)

    @property
    def setting(self) -> str:
        """In a few words: val, 5-shot, official, logits."""
        shots = self.exam["shots"]
        return f"{self.exam['split']}, {shots}-shot, {self.exam['protocol']}, {self.exam['method']}"

    def to_json(self) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "format": FORMAT,
            "kind": "evaluation",
            "version": self.version,
            "exam": self.exam,
            "model": self.model,
        }
        if self.is_scored:
            fields["scores"] = scores_json(self.scores)
        dropped = [one for one in self.answers if one.dropped_shots]
        fields["dropped_shots"] = [
            {"subject": one.subject, "id": one.id, "shots": one.dropped_shots} for one in dropped
        ]
        fields["answers"] = [
            {**asdict(one), "key": key} for one, key in zip(self.answers, self.keys, strict=True)
        ]
        fields["time"] = self.time
        return fields

    def write(self, folder: Path) -> Path:
        """Whole or not at all; the file's path."""
        path = folder / NAME
        text = json.dumps(self.to_json(), ensure_ascii=False, indent=1)
        write_atomically(path, text + "\n")
        return path

    def submission(self) -> dict[str, dict[str, str]]:
        """C-Eval's submission format: subject to id to letter."""
        found: dict[str, dict[str, str]] = {}
        for one in self.answers:
            found.setdefault(one.subject, {})[str(one.id)] = one.choice
        return found

    @classmethod
    def read(cls, path: Path) -> Result:
        """Raises JournalError when the file is missing or is no sound result."""
        if path.is_dir():
            path = path / NAME
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            return _from_json(fields)
        except OSError as error:
            raise JournalError(f"{path}: {error.strerror}") from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise JournalError(
                pick(
                    f"{path} is no result of qingyu eval ({type(error).__name__}: {error})",
                    f"{path} 不是 qingyu eval 的结果（{type(error).__name__}: {error}）",
                )
            ) from None


def _from_json(fields: Any) -> Result:
    if fields["kind"] != "evaluation" or fields["format"] != FORMAT:
        raise ValueError(f"kind {fields['kind']!r}, format {fields['format']!r}")
    answers, keys = [], []
    for row in fields["answers"]:
        key = row.pop("key")
        if row["log_probs"] is not None:
            row["log_probs"] = tuple(map(float, row["log_probs"]))
        answer = Answer(**row)
        if answer.choice not in ("", *LETTERS) or key not in ("", *LETTERS):
            raise ValueError(f"{answer.subject} {answer.id}: {answer.choice!r}, {key!r}")
        answers.append(answer)
        keys.append(key)
    result = Result(
        exam=dict(fields["exam"]),
        model=dict(fields["model"]),
        answers=tuple(answers),
        keys=tuple(keys),
        time=dict(fields["time"]),
        version=str(fields["version"]),
    )
    unknown = {one.subject for one in answers} - set(result.benchmark.subjects)
    if unknown or not answers:
        raise ValueError(f"subjects {sorted(unknown)}, {len(answers)} answers")
    if result.exam["split"] not in result.benchmark.splits:
        raise ValueError(f"split {result.exam['split']!r}")
    if len({(one.subject, one.id) for one in answers}) != len(answers):
        raise ValueError("a question is answered twice")
    _ = result.name, result.setting
    return result


def scores_json(scores: Scores) -> dict[str, Any]:
    """Scores as the result file has them; percent, four decimals."""

    def percent(value: float) -> float:
        return round(value, 4)

    return {
        "macro": percent(scores.macro),
        "micro": percent(scores.micro),
        "standard_error": percent(scores.standard_error),
        "standard_error_subjects": percent(scores.standard_error_subjects),
        "groups": {name: percent(value) for name, value in scores.groups.items()},
        "subjects": {
            name: {
                "accuracy": percent(tally.accuracy),
                "correct": tally.correct,
                "count": tally.count,
            }
            for name, tally in scores.subjects.items()
        },
        "unparsed": scores.unparsed,
        "guessing": percent(scores.guessing),
        "guessing_letter": scores.guessing_letter,
        "beats_guessing": scores.beats_guessing,
    }


def same_questions(first: Result, second: Result) -> Sequence[str]:
    """What of two results' exams differs that a paired comparison cannot bear; empty: nothing."""
    names = ("benchmark", "split", "questions", "data_sha256")
    differs = [name for name in names if first.exam[name] != second.exam[name]]
    # With other shots the data's hash differs, though the questions are the same.
    if differs == ["data_sha256"] and first.exam["shots"] != second.exam["shots"]:
        asked = [[(one.subject, one.id) for one in result.answers] for result in (first, second)]
        if asked[0] == asked[1] and first.keys == second.keys:
            return ()
    return differs
