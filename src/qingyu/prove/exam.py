"""An exam: which questions are asked, in which words. Knows no model.

    exam = Exam.prepare(benchmark="ceval", split="val", shots=5, data=None)
    exam.questions["law"][0], exam.prompt(question).text, exam.identity

Whoever answers is an `Answerer`: the engine (choices.py, writing.py), an endpoint
(endpoint.py), a cluster (cluster.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from qingyu.errors import ContextFullError, DataError, InvalidRequestError
from qingyu.prove import benchmarks, protocols, questions
from qingyu.prove.benchmarks import MAX_SHOTS, Benchmark
from qingyu.prove.protocols import METHODS, PROTOCOLS, Method, Prompt
from qingyu.prove.questions import Question
from qingyu.text import pick


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was answered to one question.

    choice: a letter, or "" when none could be read. log_probs: natural logarithms of the
    probabilities of A to D as the next token (logits only). text: what a model wrote; rule:
    which rule of extraction.py read the choice out of it; cut: whether the text ended by length.
    dropped_shots: shots left out because the prompt did not fit.
    """

    subject: str
    id: int
    choice: str
    log_probs: tuple[float, float, float, float] | None = None
    text: str | None = None
    rule: str | None = None
    cut: bool = False
    prompt_tokens: int = 0
    dropped_shots: int = 0


class Answerer(Protocol):
    """Whoever answers. `identity` goes into the journal's head: all that decides answers."""

    @property
    def identity(self) -> Mapping[str, Any]: ...

    def answers(self, exam: Exam, wanted: Sequence[Question]) -> Iterator[Answer]:
        """One answer for each question, in any order."""
        ...


@dataclass(frozen=True, kw_only=True)
class Exam:
    """See the module. questions: those asked, by subject; shots: by subject, in file order.

    sample: the share of each subject's questions that is asked, None for all.
    """

    benchmark: Benchmark
    split: str
    num_shots: int
    protocol: protocols.Protocol
    method: Method
    limit: int | None
    questions: Mapping[str, tuple[Question, ...]]
    shots: Mapping[str, tuple[Question, ...]]
    data_sha256: str
    sample: float | None = None

    @classmethod
    def prepare(
        cls,
        *,
        benchmark: str,
        split: str | None = None,
        shots: int = 0,
        protocol: str = "official",
        method: str = "logits",
        subjects: str | None = None,
        limit: int | None = None,
        sample: float | None = None,
        data: Path | None = None,
    ) -> Exam:
        """Read the questions. limit: so many of each subject at most, the first ones.
        sample: this share of each subject, rounded up; always the same questions.

        Raises InvalidRequestError for a value that cannot be, DataError for missing data.
        """
        found = benchmarks.find(benchmark)
        split = split or found.splits[0]
        _check(split, found.splits, "split", "split")
        _check(protocol, PROTOCOLS, "protocol", "protocol")
        _check(method, METHODS, "method", "method")
        if not 0 <= shots <= MAX_SHOTS:
            raise InvalidRequestError(
                pick(
                    f"shots is {shots}; the benchmarks have {MAX_SHOTS} examples: 0 to {MAX_SHOTS}",
                    f"shots 为 {shots}；评测只有 {MAX_SHOTS} 个示例：0 到 {MAX_SHOTS}",
                )
            )
        if limit is not None and limit < 1:
            raise InvalidRequestError(
                pick(f"limit is {limit}; it must be at least 1", f"limit 为 {limit}；至少为 1")
            )
        if sample is not None and not 0 < sample <= 1:
            raise InvalidRequestError(
                pick(
                    f"sample is {sample:g}; it must be above 0 and at most 1",
                    f"sample 为 {sample:g}；应大于 0，至多为 1",
                )
            )
        if protocol == "harness" and method != "logits":
            raise InvalidRequestError(
                pick(
                    f"the protocol harness is scored by logits only, not by {method}",
                    f"harness 协议只能用 logits 计分，不能用 {method}",
                )
            )
        chosen = benchmarks.choose_subjects(found, subjects)
        folder = questions.find_folder(found, data)
        asked = questions.read(folder, found, split, chosen)
        if sample is not None:
            asked = {one: questions.sample(rows, sample) for one, rows in asked.items()}
        asked = {subject: rows[:limit] for subject, rows in asked.items()}
        examples = {
            subject: rows[:shots]
            for subject, rows in questions.read(folder, found, "dev", chosen).items()
        }
        return cls(
            benchmark=found,
            split=split,
            num_shots=shots,
            protocol=protocol,  # type: ignore[arg-type]
            method=method,  # type: ignore[arg-type]
            limit=limit,
            questions=asked,
            shots=examples,
            data_sha256=questions.fingerprint(asked, examples),
            sample=sample,
        )

    @property
    def has_answers(self) -> bool:
        return all(one.answer for one in self.all_questions())

    @property
    def num_questions(self) -> int:
        return sum(len(rows) for rows in self.questions.values())

    def all_questions(self) -> Iterator[Question]:
        for rows in self.questions.values():
            yield from rows

    @property
    def identity(self) -> dict[str, Any]:
        """All of the exam that decides answers, as JSON."""
        # Named only where there is one, so that journals of whole exams stay what they were.
        sampled = {} if self.sample is None else {"sample": self.sample}
        return {
            "benchmark": self.benchmark.id,
            "split": self.split,
            "shots": self.num_shots,
            "protocol": self.protocol,
            "method": self.method,
            "limit": self.limit,
            **sampled,
            "subjects": list(self.questions),
            "questions": self.num_questions,
            "data_sha256": self.data_sha256,
        }

    def subset(self, subjects: Sequence[str]) -> Exam:
        """The same exam in fewer subjects."""
        return replace(
            self,
            questions={one: self.questions[one] for one in subjects},
            shots={one: self.shots[one] for one in subjects},
        )

    def prompt(self, question: Question, *, shots: Sequence[Question] | None = None) -> Prompt:
        """A base model's prompt, by the method."""
        subject = self.benchmark.subjects[question.subject]
        examples = self.shots[question.subject] if shots is None else shots
        if self.method == "cot":
            return protocols.cot_prompt(self.benchmark, subject, examples, question)
        return protocols.logits_prompt(self.benchmark, self.protocol, subject, examples, question)

    def messages(
        self, question: Question, *, shots: Sequence[Question] | None = None
    ) -> list[dict[str, str]]:
        """A chat model's conversation, by the method."""
        return protocols.messages(
            self.benchmark,
            self.protocol,
            self.benchmark.subjects[question.subject],
            self.shots[question.subject] if shots is None else shots,
            question,
            cot=self.method == "cot",
        )

    def fitting_shots(
        self, question: Question, fits: Callable[[Sequence[Question]], bool]
    ) -> tuple[Question, ...]:
        """The shots with which the prompt fits, after dropping as few as must be.

        C-Eval: the last first ("drop one or two" is all its README says). CMMLU: the longest
        first, as in its code. Raises ContextFullError when none helps; nothing else is cut.
        """
        left = list(self.shots[question.subject])
        while not fits(left):
            if not left:
                raise ContextFullError(prompt=0, limit=0, room=0)
            if self.benchmark.id == "cmmlu":
                left.remove(max(left, key=lambda one: len(one.text) + sum(map(len, one.choices))))
            else:
                left.pop()
        return tuple(left)

    def require_answers(self) -> None:
        """Raises DataError when the split cannot be scored."""
        if not self.has_answers:
            raise DataError(
                pick(
                    f"the {self.split} split of {self.benchmark.title} has no answers in this data,"
                    " so it cannot be scored; with --submission its answers are written as the"
                    " official submission",
                    f"此数据中 {self.benchmark.title} 的 {self.split} 部分没有答案，无法计分；"
                    "可用 --submission 写出官方提交格式的答案",
                )
            )


def _check(value: str, known: Sequence[str], english: str, chinese: str) -> None:
    if value not in known:
        listed = ", ".join(known)
        raise InvalidRequestError(
            pick(
                f"{english} is {value!r}; it can be {listed}",
                f"{chinese} 为 {value!r}；可为 {listed}",
            )
        )
