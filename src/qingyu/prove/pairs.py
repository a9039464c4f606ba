"""Two results on the same questions, paired question by question.

    pair = Pair.of(Result.read(a), Result.read(b))
    pair.comparison.p_value, pair.flips["law"].gained, pair.settings_differ

The arithmetic is `qingyu.prove.scores.compare`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qingyu.errors import JournalError
from qingyu.prove.results import Result, same_questions
from qingyu.prove.scores import Comparison, compare
from qingyu.text import pick


@dataclass(frozen=True, kw_only=True)
class SubjectFlips:
    """Of a subject's answers, how many became right, became wrong, or moved to another wrong
    letter (or to and from one that could not be read)."""

    gained: int
    lost: int
    other: int

    @property
    def all(self) -> int:
        return self.gained + self.lost + self.other


@dataclass(frozen=True, kw_only=True)
class Pair:
    """flips: by subject, those with any. settings_differ: what besides the model differs."""

    first: Result
    second: Result
    comparison: Comparison
    flips: Mapping[str, SubjectFlips]
    settings_differ: tuple[str, ...]

    @classmethod
    def of(cls, first: Result, second: Result) -> Pair:
        """Raises JournalError when the questions are not the same or have no key."""
        if differs := why_not(first, second):
            listed = ", ".join(differs)
            raise JournalError(
                pick(
                    f"the two results cannot be paired, for their questions differ in {listed};"
                    f" the first is {described(first)}, the second {described(second)}",
                    f"两个结果的题目不同（{listed}），无法逐题比较；"
                    f"第一个是 {described(first)}，第二个是 {described(second)}",
                )
            )
        for one in (first, second):
            _ = one.scores  # raises when there is no key
        return cls(
            first=first,
            second=second,
            comparison=compare(first.answered, second.answered),
            flips=_flips(first, second),
            settings_differ=tuple(
                name
                for name in ("shots", "protocol", "method")
                if first.exam[name] != second.exam[name]
            ),
        )

    @property
    def most_changed(self) -> list[str]:
        """Subjects by how many answers changed, most first."""
        return sorted(self.flips, key=lambda one: (-self.flips[one].all, one))


def read(paths: Sequence[Path]) -> list[Result]:
    """Results that can be shown. Raises JournalError naming the file that is not sound."""
    results = []
    for path in paths:
        result = Result.read(path)
        exam = result.exam
        split = exam.get("split")
        unknown = split not in result.benchmark.splits
        missing = {"questions", "data_sha256", "subjects", "limit"} - set(exam)
        unsound = [
            one
            for one in result.answers
            if {type(one.id), type(one.prompt_tokens), type(one.dropped_shots)} != {int}
            or type(one.cut) is not bool
        ]
        if unknown or missing or unsound:
            what = f"split {split!r}" if unknown else ", ".join(sorted(missing))
            what = what or f"{unsound[0].subject} {unsound[0].id!r}"
            raise JournalError(
                pick(
                    f"{path} is no result of qingyu eval ({what})",
                    f"{path} 不是 qingyu eval 的结果（{what}）",
                )
            )
        results.append(result)
    return results


def why_not(first: Result, second: Result) -> Sequence[str]:
    """What of two results' questions differs; empty when they can be paired."""
    if differs := same_questions(first, second):
        return differs
    asked = [
        {(one.subject, one.id): key for one, key in zip(result.answers, result.keys, strict=True)}
        for result in (first, second)
    ]
    if asked[0].keys() != asked[1].keys() or any(
        len(found) != len(result.answers)
        for found, result in zip(asked, (first, second), strict=True)
    ):
        return ("answers",)
    return () if asked[0] == asked[1] else ("key",)


def described(result: Result) -> str:
    """Its benchmark and number of questions, for people."""
    count = len(result.answers)
    return f"{result.benchmark.title} {result.exam['split']}, " + pick(
        f"{count:,} questions", f"{count:,} 题"
    )


def _flips(first: Result, second: Result) -> dict[str, SubjectFlips]:
    other = {(one.subject, one.id): one.choice for one in second.answers}
    found: dict[str, list[int]] = {}
    for one, key in zip(first.answers, first.keys, strict=True):
        then = other[one.subject, one.id]
        if one.choice != then:
            kind = 0 if then == key else 1 if one.choice == key else 2
            found.setdefault(one.subject, [0, 0, 0])[kind] += 1
    return {
        subject: SubjectFlips(gained=row[0], lost=row[1], other=row[2])
        for subject, row in found.items()
    }
