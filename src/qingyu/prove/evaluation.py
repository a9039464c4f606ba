"""Runs an exam: journal, progress, result.

    result = evaluate(exam, ChoiceAnswerer(model), folder, progress=print)

The folder gets journal.jsonl as answers come and result.json at the end. A second call goes on
where the first one stopped, and ends with the same result.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import qingyu
from qingyu.errors import JournalError
from qingyu.models.store import utc_now
from qingyu.prove.exam import Answer, Answerer, Exam
from qingyu.prove.journal import Journal
from qingyu.prove.questions import Question
from qingyu.prove.results import NAME, Result
from qingyu.text import pick

JOURNAL = "journal.jsonl"
# Answers are written together when they come faster than this, in seconds.
_FLUSH_SECONDS = 0.2

# Called with questions answered, questions in all, and those answered right so far.
Progress = Callable[[int, int, int], None]


def evaluate(
    exam: Exam, answerer: Answerer, folder: Path, *, progress: Progress | None = None
) -> Result:
    """Ask what the folder's journal does not hold yet, and write the result.

    Raises JournalError when the journal is of another run, and what the answerer raises; what
    was answered until then stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    started, wall = utc_now(), time.perf_counter()
    keys = {(one.subject, one.id): one.answer for one in exam.all_questions()}
    with Journal.open(folder / JOURNAL, _head(exam, answerer)) as journal:
        strange = [key for key in journal.answers if key not in keys]
        if strange:
            raise JournalError(
                pick(
                    f"{journal.path} answers {strange[0]}, which is not asked; begin anew with"
                    " --restart",
                    f"{journal.path} 含有不在题目中的 {strange[0]}；请用 --restart 重新开始",
                )
            )
        resumed = len(journal.answers)
        right = sum(one.choice == keys[key] for key, one in journal.answers.items())
        wanted = _left(exam, journal)
        done = resumed
        if progress is not None:
            progress(done, len(keys), right)
        waiting: list[Answer] = []
        flushed = time.monotonic()
        try:
            for answer in answerer.answers(exam, wanted) if wanted else ():
                waiting.append(answer)
                done += 1
                right += answer.choice == keys[answer.subject, answer.id]
                if time.monotonic() - flushed > _FLUSH_SECONDS:
                    journal.append(waiting)
                    waiting.clear()
                    flushed = time.monotonic()
                    if progress is not None:
                        progress(done, len(keys), right)
        finally:
            journal.append(waiting)
        if progress is not None:
            progress(done, len(keys), right)
        seconds = time.perf_counter() - wall
        result = Result.of(
            exam,
            answerer.identity,
            journal.answers,
            time={
                "started": started,
                "seconds": round(seconds, 3),
                "resumed": resumed,
                "questions_per_second": round((done - resumed) / seconds, 3),
            },
            version=qingyu.__version__,
        )
    result.write(folder)
    return result


def unanswered(exam: Exam, answerer: Answerer, folder: Path) -> list[Question]:
    """What `evaluate` would ask now. Raises JournalError as it does."""
    if not (folder / JOURNAL).exists():
        return list(exam.all_questions())
    with Journal.open(folder / JOURNAL, _head(exam, answerer)) as journal:
        return _left(exam, journal)


def _head(exam: Exam, answerer: Answerer) -> dict[str, Any]:
    """All that decides the answers."""
    return {
        "exam": exam.identity,
        "model": dict(answerer.identity),
        "version": qingyu.__version__,
    }


def _left(exam: Exam, journal: Journal) -> list[Question]:
    return [one for one in exam.all_questions() if (one.subject, one.id) not in journal.answers]


def forget(folder: Path) -> None:
    """Remove a folder's journal and result, so that a run begins anew."""
    for name in (JOURNAL, NAME):
        (folder / name).unlink(missing_ok=True)
