"""Runs with a fake model: every answer is what one question alone gives, and kills lose nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from fakes import ByteTokenizer, context_of, fake_model
from qingyu.errors import ContextFullError, JournalError, UnsupportedModelError
from qingyu.prove.choices import ChoiceAnswerer
from qingyu.prove.evaluation import JOURNAL, evaluate, forget
from qingyu.prove.exam import Answer, Exam
from qingyu.prove.letters import letter_tokens
from qingyu.prove.questions import Question
from qingyu.prove.results import NAME, Result

LETTERS = [ord(letter) for letter in "ABCD"]


def exam(data: Path, **settings: object) -> Exam:
    return Exam.prepare(
        **{"benchmark": "ceval", "subjects": "law,logic,art_studies", "data": data, **settings}  # type: ignore[arg-type]
    )


def model(**settings: object) -> object:
    return fake_model(
        **{"context": 4096, "kv_tokens": 16384, "chunk_tokens": 512, "page_tokens": 32, **settings}  # type: ignore[arg-type]
    )


def alone(asked: Exam, question: Question) -> tuple[str, list[float]]:
    """One question computed by itself, the plainest way."""
    one = model()
    prompt = asked.prompt(question)
    scores = one.score(prompt.text, prompt.continuations)
    values = [score.log_prob for score in scores]
    return "ABCD"[int(np.argmax(values))], values


@pytest.mark.parametrize("shots", [0, 5])
@pytest.mark.parametrize("benchmark", ["ceval", "cmmlu"])
def test_answers_are_those_of_one_question_alone(
    made_up_data: Path, benchmark: str, shots: int
) -> None:
    subjects = "law,logic" if benchmark == "ceval" else "arts,anatomy"
    asked = exam(made_up_data, benchmark=benchmark, subjects=subjects, shots=shots, limit=12)
    wanted = list(asked.all_questions())
    found = {(a.subject, a.id): a for a in ChoiceAnswerer(model()).answers(asked, wanted)}
    assert len(found) == len(wanted)
    for question in wanted:
        choice, values = alone(asked, question)
        answer = found[question.subject, question.id]
        assert (answer.choice, list(answer.log_probs or ())) == (choice, values)
        assert answer.prompt_tokens == len(asked.prompt(question).text.encode())


def test_what_is_shared_is_computed_once(made_up_data: Path) -> None:
    one = model()
    asked = exam(made_up_data, shots=5)
    wanted = list(asked.all_questions())
    total = sum(answer.prompt_tokens for answer in ChoiceAnswerer(one).answers(asked, wanted))
    computed = sum(context_of(one).forwards)
    shared = sum(len(asked.prompt(rows[0]).shared.encode()) for rows in asked.questions.values())
    own = sum(len(asked.prompt(one).own.encode()) for one in wanted)
    assert shared + own - 2000 < computed <= shared + own < total / 3
    # Forwards are full but for a few: where a subject begins, and at the end.
    assert len(context_of(one).forwards) <= computed / 512 + len(asked.questions) + 1


def test_nothing_stays_in_the_cache(made_up_data: Path) -> None:
    one = model()
    asked = exam(made_up_data, limit=3)
    list(ChoiceAnswerer(one).answers(asked, list(asked.all_questions())))
    assert context_of(one).pages_free == context_of(one).pages_total
    stopped = ChoiceAnswerer(one).answers(asked, list(asked.all_questions()))
    next(stopped)
    stopped.close()  # type: ignore[attr-defined]
    with one.core:
        pass  # what was left is dropped at the next use
    assert context_of(one).pages_free == context_of(one).pages_total


def test_shots_are_dropped_until_the_prompt_fits(made_up_data: Path) -> None:
    asked = exam(made_up_data, shots=5, subjects="law", limit=2)
    whole = len(asked.prompt(asked.questions["law"][0]).text.encode())
    one = model(context=whole - 1, kv_tokens=4096)
    answers = list(ChoiceAnswerer(one).answers(asked, asked.questions["law"]))
    assert answers[0].dropped_shots == 1
    shorter = asked.prompt(asked.questions["law"][0], shots=asked.shots["law"][:4]).text
    assert answers[0].prompt_tokens == len(shorter.encode())
    with pytest.raises(ContextFullError, match="context of 64"):
        list(ChoiceAnswerer(model(context=64, kv_tokens=64)).answers(asked, asked.questions["law"]))


def test_cmmlu_drops_the_longest_first(made_up_data: Path) -> None:
    asked = exam(made_up_data, benchmark="cmmlu", subjects="arts", shots=5)
    shots = asked.shots["arts"]
    sizes = [len(one.text) + sum(map(len, one.choices)) for one in shots]
    left = asked.fitting_shots(asked.questions["arts"][0], lambda rows: len(rows) <= 4)
    assert left == tuple(one for i, one in enumerate(shots) if i != sizes.index(max(sizes)))


def test_tokenizers_that_cannot_be_scored_are_refused() -> None:
    class Joining(ByteTokenizer):
        def encode(self, text: str, **options: object) -> list[int]:  # type: ignore[override]
            return super().encode(text.replace("：A", "#"))

    class Blind(ByteTokenizer):
        def encode(self, text: str, **options: object) -> list[int]:  # type: ignore[override]
            return super().encode(text.replace("B", "A"))

    assert letter_tokens(ByteTokenizer(), "答案：", "ABCD") == tuple(LETTERS)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedModelError, match="'A'"):
        letter_tokens(Joining(), "答案：", "ABCD")  # type: ignore[arg-type]
    with pytest.raises(UnsupportedModelError, match="one token"):
        letter_tokens(Blind(), "答案：", "ABCD")  # type: ignore[arg-type]
    with pytest.raises(UnsupportedModelError, match="' A'"):
        letter_tokens(ByteTokenizer(), "答案：", (" A", " B", " C", " D"))  # type: ignore[arg-type]


class Interrupted(Exception):
    pass


class Stopping:
    """An answerer that breaks off after so many answers."""

    def __init__(self, inner: ChoiceAnswerer, after: int) -> None:
        self.inner = inner
        self.after = after
        self.identity = inner.identity

    def answers(self, exam: Exam, wanted: Sequence[Question]) -> Iterator[Answer]:
        for number, answer in enumerate(self.inner.answers(exam, wanted)):
            if number == self.after:
                raise Interrupted
            yield answer


def without_time(folder: Path) -> str:
    fields = json.loads((folder / NAME).read_text())
    del fields["time"]
    return json.dumps(fields)


def test_a_run_goes_on_where_it_stopped(made_up_data: Path, tmp_path: Path) -> None:
    asked = exam(made_up_data)
    whole = evaluate(asked, ChoiceAnswerer(model()), tmp_path / "whole")
    assert whole.time["resumed"] == 0
    for after in (0, 1, 17):
        with pytest.raises(Interrupted):
            evaluate(asked, Stopping(ChoiceAnswerer(model()), after), tmp_path / "parts")
    one = model()
    reports: list[tuple[int, int, int]] = []
    result = evaluate(
        asked, ChoiceAnswerer(one), tmp_path / "parts", progress=lambda *seen: reports.append(seen)
    )
    assert result.time["resumed"] == 18
    assert reports[0][:2] == (18, asked.num_questions)
    assert reports[-1][:2] == (asked.num_questions, asked.num_questions)
    assert without_time(tmp_path / "whole") == without_time(tmp_path / "parts")
    again = evaluate(asked, ChoiceAnswerer(model()), tmp_path / "parts")
    assert again.time["resumed"] == asked.num_questions
    assert Result.read(tmp_path / "parts").answers == whole.answers


def test_a_line_cut_short_is_asked_again(made_up_data: Path, tmp_path: Path) -> None:
    asked = exam(made_up_data, subjects="law")
    evaluate(asked, ChoiceAnswerer(model()), tmp_path / "whole")
    evaluate(asked, ChoiceAnswerer(model()), tmp_path / "cut")
    path = tmp_path / "cut" / JOURNAL
    path.write_bytes(path.read_bytes()[:-20])
    result = evaluate(asked, ChoiceAnswerer(model()), tmp_path / "cut")
    assert result.time["resumed"] == asked.num_questions - 1
    assert without_time(tmp_path / "whole") == without_time(tmp_path / "cut")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"shots": 5}, "exam.shots"),
        ({"protocol": "harness"}, "exam.protocol"),
        ({"limit": 2}, "exam.limit"),
        ({"subjects": "logic"}, "exam.subjects"),
    ],
)
def test_a_journal_of_another_run_is_refused(
    made_up_data: Path, tmp_path: Path, settings: dict[str, object], named: str
) -> None:
    evaluate(exam(made_up_data, subjects="law"), ChoiceAnswerer(model()), tmp_path)
    before = (tmp_path / JOURNAL).read_bytes()
    with pytest.raises(JournalError, match=named):
        evaluate(
            exam(made_up_data, **{"subjects": "law", **settings}),
            ChoiceAnswerer(model(script=None)),
            tmp_path,
        )
    assert (tmp_path / JOURNAL).read_bytes() == before


def test_a_journal_of_another_model_or_data_is_refused(made_up_data: Path, tmp_path: Path) -> None:
    asked = exam(made_up_data, subjects="law")
    evaluate(asked, ChoiceAnswerer(model()), tmp_path)
    with pytest.raises(JournalError, match=r"model\.sha256"):
        evaluate(asked, ChoiceAnswerer(model(file_hash="cd" * 32)), tmp_path)
    with pytest.raises(JournalError, match=r"model\.activation_bits"):
        evaluate(asked, ChoiceAnswerer(model(activation_bits=16)), tmp_path)
    path = tmp_path / JOURNAL
    path.write_text(path.read_text().replace(asked.data_sha256, "0" * 64))
    with pytest.raises(JournalError, match="data_sha256"):
        evaluate(asked, ChoiceAnswerer(model()), tmp_path)
    forget(tmp_path)
    evaluate(asked, ChoiceAnswerer(model()), tmp_path)


def test_damage_in_the_middle_is_refused(made_up_data: Path, tmp_path: Path) -> None:
    asked = exam(made_up_data, subjects="law")
    evaluate(asked, ChoiceAnswerer(model()), tmp_path)
    path = tmp_path / JOURNAL
    whole = path.read_text()
    for wrong in ("{", '{"subject":"law"}', '{"subject":"law","id":0,"choice":"E"}'):
        lines = whole.splitlines(keepends=True)
        lines[3] = wrong + "\n"
        path.write_text("".join(lines))
        with pytest.raises(JournalError, match="line 4"):
            evaluate(asked, ChoiceAnswerer(model()), tmp_path)


def test_two_processes_do_not_share_a_journal(made_up_data: Path, tmp_path: Path) -> None:
    asked = exam(made_up_data, subjects="law")

    class Nested(Stopping):
        def answers(self, exam: Exam, wanted: Sequence[Question]) -> Iterator[Answer]:
            evaluate(exam, self.inner, tmp_path)
            return iter(())

    with pytest.raises(JournalError, match="another process"):
        evaluate(asked, Nested(ChoiceAnswerer(model()), 0), tmp_path)


KILLED = """
import sys, time
from pathlib import Path
from fakes import fake_model
from qingyu.prove.choices import ChoiceAnswerer
from qingyu.prove.evaluation import evaluate
from qingyu.prove.exam import Exam

one = fake_model(context=4096, kv_tokens=16384, chunk_tokens=512, page_tokens=32)
one.core.native.before_forward = lambda: time.sleep(0.02)
asked = Exam.prepare(benchmark="ceval", shots=1, data=Path(sys.argv[1]))
show = lambda *seen: print(*seen, flush=True)
evaluate(asked, ChoiceAnswerer(one), Path(sys.argv[2]), progress=show)
"""


def test_killed_at_five_random_moments(made_up_data: Path, tmp_path: Path) -> None:
    """kill -9, five times, each later than the one before; then to the end."""
    asked = Exam.prepare(benchmark="ceval", shots=1, data=made_up_data)
    whole = evaluate(asked, ChoiceAnswerer(model()), tmp_path / "whole")
    folder = tmp_path / "killed"
    command = [sys.executable, "-c", KILLED, str(made_up_data), str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    generator = np.random.default_rng()
    kills = 0
    reached = 0
    while True:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        goal = reached + int(generator.integers(10, 60)) if kills < 5 else None
        for line in process.stdout:
            reached = int(line.split()[0])
            if goal is not None and reached >= goal:
                time.sleep(float(generator.uniform(0, 0.05)))
                process.send_signal(signal.SIGKILL)
                break
        process.stdout.read()
        process.stdout.close()
        if process.wait() == 0:
            break
        assert process.returncode == -signal.SIGKILL
        kills += 1
    assert kills == 5
    result = Result.read(folder)
    assert result.time["resumed"] > 0
    assert result.answers == whole.answers
    assert without_time(folder) == without_time(tmp_path / "whole")


def test_results_are_read_as_written(made_up_data: Path, tmp_path: Path) -> None:
    asked = exam(made_up_data)
    result = evaluate(asked, ChoiceAnswerer(model()), tmp_path)
    read = Result.read(tmp_path)
    assert read == result
    assert read.scores == result.scores
    assert read.setting == "val, 0-shot, official, logits"
    assert not read.is_complete
    for damage in ("", "{}", "[]", '{"kind": "evaluation", "format": 2}'):
        (tmp_path / NAME).write_text(damage)
        with pytest.raises(JournalError):
            Result.read(tmp_path)
    with pytest.raises(JournalError):
        Result.read(tmp_path / "nothing")


def test_the_submission_has_a_letter_for_every_question(made_up_data: Path, tmp_path: Path) -> None:
    asked = exam(made_up_data, split="test", subjects="law,logic")
    result = evaluate(asked, ChoiceAnswerer(model()), tmp_path)
    assert not result.is_scored
    submission = result.submission()
    assert list(submission) == list(asked.questions)
    assert len(submission["law"]) == asked.benchmark.subjects["law"].counts["test"]
    assert set(submission["law"].values()) <= set("ABCD")
    assert "scores" not in json.loads((tmp_path / NAME).read_text())
    with pytest.raises(JournalError, match="no key"):
        _ = result.scores
