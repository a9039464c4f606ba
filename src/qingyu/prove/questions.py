"""The questions, read from a folder of CSV files. They never enter this repository.

    folder = find_folder(benchmark, None)               # --data, $QINGYU_HOME/data, ...
    questions = read(folder, benchmark, "val", ["law"])  # {"law": (Question, ...)}

    ceval/{dev,val,test}/<subject>_<split>.csv    id,question,A,B,C,D[,answer[,explanation]]
    cmmlu/{dev,test}/<subject>.csv                ,Question,A,B,C,D,Answer

Line ends inside cells become "\\n"; nothing else is changed. A file with another number of
questions than published, a missing cell or a strange answer is refused.
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qingyu.errors import DataError
from qingyu.models.store import home_folder
from qingyu.prove.benchmarks import LETTERS, Benchmark
from qingyu.text import pick

# A cell of the published data has at most 2,000 characters.
_MAX_FILE_BYTES = 16 << 20


@dataclass(frozen=True, kw_only=True)
class Question:
    """id: the row's own number; answer and explanation are "" where the data has none."""

    subject: str
    id: int
    text: str
    choices: tuple[str, str, str, str]
    answer: str
    explanation: str = ""


def find_folder(benchmark: Benchmark, data: Path | None) -> Path:
    """The benchmark's folder: below `data` (or `data` itself), else below $QINGYU_HOME/data.

    Raises DataError that says where it was looked for and how to bring it.
    """
    home = home_folder() / "data"
    places = [home / benchmark.id] if data is None else [data / benchmark.id, data]
    for place in places:
        if (place / "dev").is_dir():
            return place
    looked = ", ".join(str(place) for place in places)
    raise DataError(
        pick(
            f"the questions of {benchmark.title} are not in {looked}; bring them with: qingyu pull"
            f" {benchmark.id} ({benchmark.licence}: not for commercial use), or name their folder"
            " with --data",
            f"{looked} 中没有 {benchmark.title} 的题目；请运行 qingyu pull {benchmark.id}"
            f"（{benchmark.licence}，不得商用），或用 --data 指定所在文件夹",
        )
    )


def read(
    folder: Path, benchmark: Benchmark, split: str, subjects: Sequence[str]
) -> dict[str, tuple[Question, ...]]:
    """Subject to its questions, in file order. Raises DataError when a file is not sound."""
    return {one: _read_file(folder, benchmark, split, one) for one in subjects}


def file_of(folder: Path, benchmark: Benchmark, split: str, subject: str) -> Path:
    ending = f"_{split}.csv" if benchmark.id == "ceval" else ".csv"
    return folder / split / f"{subject}{ending}"


def _read_file(
    folder: Path, benchmark: Benchmark, split: str, subject: str
) -> tuple[Question, ...]:
    path = file_of(folder, benchmark, split, subject)
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise _refused(path, "it is larger than 16 MiB", "超过 16 MiB")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except OSError as error:
        raise _refused(path, str(error.strerror), str(error.strerror)) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise _refused(
            path, f"it is no CSV in UTF-8 ({error})", f"不是 UTF-8 CSV（{error}）"
        ) from None
    questions = tuple(_question(path, subject, number, row) for number, row in enumerate(rows))
    expected = benchmark.subjects[subject].counts[split]
    if len(questions) != expected:
        raise _refused(
            path,
            f"it has {len(questions)} questions, published are {expected}",
            f"有 {len(questions)} 题，公布的是 {expected} 题",
        )
    if len({one.id for one in questions}) != len(questions):
        raise _refused(path, "two questions have one id", "有重复的题号")
    return questions


def _question(path: Path, subject: str, number: int, row: Mapping[str | None, object]) -> Question:
    cells = {
        (key or "id").strip().lower(): value.replace("\r\n", "\n").replace("\r", "\n")
        for key, value in row.items()
        if isinstance(key, str) and isinstance(value, str)
    }
    missing = [name for name in ("question", "a", "b", "c", "d") if name not in cells]
    if missing or None in row:
        raise _refused(
            path,
            f"row {number + 1} does not have the columns id, question, A, B, C, D",
            f"第 {number + 1} 行的列不是 id、question、A、B、C、D",
        )
    answer = cells.get("answer", "").strip()
    if answer and answer not in LETTERS:
        raise _refused(
            path,
            f"row {number + 1} has the answer {answer!r}",
            f"第 {number + 1} 行的答案为 {answer!r}",
        )
    identity = cells.get("id", "").strip()
    if not (identity.isascii() and identity.isdigit()):
        raise _refused(
            path,
            f"row {number + 1} has the id {identity!r}",
            f"第 {number + 1} 行的题号为 {identity!r}",
        )
    return Question(
        subject=subject,
        id=int(identity),
        text=cells["question"],
        choices=(cells["a"], cells["b"], cells["c"], cells["d"]),
        answer=answer,
        explanation=cells.get("explanation", ""),
    )


def sample(rows: Sequence[Question], share: float) -> tuple[Question, ...]:
    """That share of a subject's questions, rounded up, in file order: those whose subject and id
    have the smallest SHA-256, so the same for every model and program."""
    count = math.ceil(round(share * len(rows), 6))

    def order(one: Question) -> bytes:
        return hashlib.sha256(f"{one.subject}/{one.id}".encode()).digest()

    chosen = {one.id for one in sorted(rows, key=order)[:count]}
    return tuple(one for one in rows if one.id in chosen)


def fingerprint(*parts: Mapping[str, Sequence[Question]]) -> str:
    """SHA-256 over everything that is asked and shown; the same for any line ends."""
    digest = hashlib.sha256()
    for questions in parts:
        for subject, rows in questions.items():
            for one in rows:
                fields = (subject, str(one.id), one.text, *one.choices, one.answer, one.explanation)
                digest.update("\x1f".join(fields).encode() + b"\x1e")
    return digest.hexdigest()


def _refused(path: Path, english: str, chinese: str) -> DataError:
    return DataError(pick(f"{path}: {english}", f"{path}：{chinese}"))
