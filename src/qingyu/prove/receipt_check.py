"""Checks a receipt: whether its numbers follow from each other, and from the model file.

    for finding in check(path, model=None): print(finding.what, finding.agrees, finding.detail)

What is measured again is drawn anew each time, so that nobody can know which part of a receipt
must be true: one passage in each language, and 20 questions of each benchmark. With the same
program, processor and numpy the numbers must be the same bit for bit; else within what other
roundings explain. Speed and memory are not checked.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import qingyu
from qingyu.engine.machine import processor
from qingyu.errors import DataError, ModelNotFoundError, QingyuError
from qingyu.models.hashes import hash_file
from qingyu.models.store import ModelStore, locate
from qingyu.prove import benchmarks, divergence, receipt_file, texts
from qingyu.prove.benchmarks import LETTERS
from qingyu.prove.choices import ChoiceAnswerer
from qingyu.prove.exam import Exam
from qingyu.prove.receipt import Watcher
from qingyu.prove.receipt_file import Record
from qingyu.prove.receipt_records import (
    answered,
    comparison_record,
    exam_scores,
    kl_record,
    passage_record,
)
from qingyu.prove.results import scores_json
from qingyu.prove.texts import Surprise
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.engine.model import Model

QUESTIONS = 20
# Instruction sets and threads give the same bits. Another processor or numpy may round the
# exponentials' last digit differently, in nats:
NUMPY_ROUNDING = 1e-9
# Another version of the program may round otherwise: nats of a token's mean loss, of a letter's
# log-probability, of the mean divergence.
LOSS_TOLERANCE, LETTER_TOLERANCE, KL_TOLERANCE = 0.005, 0.05, 0.001


@dataclass(frozen=True, kw_only=True)
class Finding:
    """agrees: None when it was not checked, and `detail` says why."""

    what: str
    agrees: bool | None
    detail: str


def check(
    path: Path,
    *,
    model: str | Path | None = None,
    against: str | Path | None = None,
    data: Path | None = None,
    threads: int | None = None,
    seed: int | None = None,
    watcher: Watcher | None = None,
) -> Iterator[Finding]:
    """One finding after another, as they come. seed: of what is drawn, for tests.

    model, against: the files, when they are not in the store. Raises JournalError for a file
    that is no receipt or was changed, ModelNotFoundError when the model is not here, and what
    loading raises.
    """
    record = receipt_file.read(path)
    try:
        yield from _Checker(
            record=record,
            model=model,
            against=against,
            data=data,
            threads=threads,
            draw=random.Random(seed),
            watcher=watcher or Watcher(),
        ).findings()
    except QingyuError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, AssertionError) as error:
        why = f"{type(error).__name__}: {error}"
        raise receipt_file.not_sound(path, why) from error


@dataclass(kw_only=True)
class _Checker:
    record: Record
    model: str | Path | None
    against: str | Path | None
    data: Path | None
    threads: int | None
    draw: random.Random
    watcher: Watcher
    # How far numbers may be off; None: as far as another version may be.
    rounding: float | None = 0.0
    hashes: dict[Path, str] = field(default_factory=dict)

    def findings(self) -> Iterator[Finding]:
        record = self.record
        yield Finding(
            what=pick("receipt", "收据"), agrees=True, detail=f"SHA-256 {record['sha256']}"
        )
        yield self._within()
        file = self._file(record["model"], self.model)
        yield self._hash(file, record["model"])
        if not self._is(file, record["model"]):
            return
        with self._load(file) as model:
            yield self._program()
            yield from self._texts(model, record["texts"])
            for name, exam in record["exams"].items():
                yield from self._questions(model, name, exam)
            if "reference" in record:
                yield from self._reference(model, record["reference"])

    # Numbers that follow from others.

    def _within(self) -> Finding:
        wrong = list(_contradictions(self.record))
        detail = pick(
            "averages, perplexities and divergences follow from the answers and losses in it",
            "平均分、困惑度和偏离均可由其中的答案与损失算出",
        )
        return Finding(
            what=pick("its own numbers", "内部数字"),
            agrees=not wrong,
            detail="; ".join(wrong[:3]) or detail,
        )

    # Files.

    def _file(self, file: Record, named: str | Path | None) -> Path:
        if named is not None:
            return locate(named)
        for stored in ModelStore().list():
            if stored.manifest.sha256 == file["sha256"]:
                return stored.path
        raise ModelNotFoundError(
            pick(
                f"no model here has the SHA-256 {file['sha256']}; name the file of"
                f" {file['file']!r} after the receipt",
                f"本机没有 SHA-256 为 {file['sha256']} 的模型；请在收据之后给出"
                f" {file['file']!r} 的路径",
            )
        )

    def _is(self, path: Path, file: Record) -> bool:
        if path not in self.hashes:
            self.hashes[path] = hash_file(path)[0]
        return self.hashes[path] == str(file["sha256"])

    def _hash(self, path: Path, file: Record) -> Finding:
        same = self._is(path, file)
        other = pick(
            f"{path} has {self.hashes[path]}, the receipt is of {file['sha256']}",
            f"{path} 为 {self.hashes[path]}，收据所记为 {file['sha256']}",
        )
        return Finding(
            what=pick("model file", "模型文件"),
            agrees=same,
            detail=f"{path.name}, SHA-256 {file['sha256']}" if same else other,
        )

    def _load(self, path: Path) -> Model:
        bits = self.record["settings"]["activation_bits"]
        return qingyu.load(path, threads=self.threads, activation_bits=bits)

    def _program(self) -> Finding:
        """How near the numbers must be."""
        then = {**self.record["program"], "processor": self.record["machine"]["processor"]}
        now = {
            "version": qingyu.__version__,
            "numpy": np.__version__,
            "processor": processor(),
        }
        names = {
            "version": pick("qingyu", "轻语"),
            "numpy": "numpy",
            "processor": pick("processor", "处理器"),
        }
        differ = [
            f"{label} {then[key]} → {now[key]}"
            for key, label in names.items()
            if then[key] != now[key]
        ]
        what = pick("program", "程序")
        if not differ:
            self.rounding = 0.0
            same = pick("the same: numbers must be equal bit for bit", "相同：数字须逐位相等")
            return Finding(what=what, agrees=True, detail=same)
        self.rounding = None if then["version"] != now["version"] else NUMPY_ROUNDING
        listed = pick(", ", "，").join(differ)
        near = (
            pick("numbers may differ a little", "数字可略有差别")
            if self.rounding is None
            else pick(f"numbers may differ by {self.rounding:g}", f"数字可相差 {self.rounding:g}")
        )
        return Finding(
            what=what,
            agrees=None,
            detail=pick(
                f"another than the receipt's ({listed}): {near}",
                f"与收据所记不同（{listed}）：{near}",
            ),
        )

    # Measuring again.

    def _texts(self, model: Model, record: Record, who: str = "") -> Iterator[Finding]:
        for language, text in texts.builtin().items():
            what = pick(f"text {language}", f"文本 {language}") + who
            place = self.draw.randrange(len(text.passages))
            then = record[language]["passages"][place]
            if text.sha256 != record[language]["text_sha256"]:
                yield Finding(what=what, agrees=None, detail=pick("another text", "文本不同"))
                continue
            now = passage_record(texts.measure(model, text.passages[place]))
            mean = abs(now["loss"] - then["loss"]) / max(1, now["scored"])
            yield self._passage(what, place, then, now, mean, LOSS_TOLERANCE)

    def _allowed(self, otherwise: float) -> float:
        return otherwise if self.rounding is None else self.rounding

    def _passage(
        self, what: str, place: int, then: Record, now: Record, mean: float, most: float
    ) -> Finding:
        number = pick(f"passage {place + 1}", f"第 {place + 1} 段")
        if now == then:
            detail = pick(f"{number}: the same", f"{number}：相同")
            return Finding(what=what, agrees=True, detail=detail)
        same_tokens = now["scored"] == then["scored"]
        agrees = same_tokens and mean <= self._allowed(most)
        if self.rounding is not None:
            agrees = agrees and _near(then, now, self.rounding * max(1, now["scored"]))
        detail = f"{number}: {mean:.2g} " + pick("nats per token apart", "奈特/词元之差")
        where = next(
            (
                i
                for i, (a, b) in enumerate(zip(now["first"], then["first"], strict=False))
                if a != b
            ),
            None,
        )
        if not agrees and where is not None:
            detail += pick(
                f"; from token {where + 1}: {now['first'][where]!r} now,"
                f" {then['first'][where]!r} in the receipt",
                f"；自第 {where + 1} 个词元起：现为 {now['first'][where]!r}，"
                f"收据为 {then['first'][where]!r}",
            )
        return Finding(what=what, agrees=agrees, detail=detail)

    def _questions(
        self, model: Model, name: str, record: Record, who: str = ""
    ) -> Iterator[Finding]:
        title = benchmarks.find(name).title + who
        if not record["asked"]:
            return
        try:
            exam = self._exam(record["exam"])
        except DataError as error:
            yield Finding(what=title, agrees=None, detail=str(error))
            return
        if exam.identity != record["exam"]:
            differ = [key for key in exam.identity if exam.identity[key] != record["exam"].get(key)]
            detail = pick("other questions than here: ", "题目与本机不同：") + ", ".join(differ)
            yield Finding(what=title, agrees=False, detail=detail)
            return
        asked = list(exam.all_questions())
        keys = [[one.subject, one.id, one.answer] for one in asked]
        if keys != [[subject, id, key] for subject, id, _, key, _ in record["answers"]]:
            detail = pick("its key is not that of the questions", "标准答案与题目不符")
            yield Finding(what=title, agrees=False, detail=detail)
            return
        places = sorted(self.draw.sample(range(len(asked)), min(QUESTIONS, len(asked))))
        wanted = [asked[place] for place in places]
        then = {(row[0], row[1]): row for row in (record["answers"][place] for place in places)}
        wrong, most = [], 0.0
        for answer in ChoiceAnswerer(model).answers(exam, wanted):
            _, _, choice, _, log_probs = then[answer.subject, answer.id]
            apart = max(abs(a - b) for a, b in zip(answer.log_probs or (), log_probs, strict=True))
            most = max(most, apart)
            allowed = self._allowed(LETTER_TOLERANCE)
            behind = max(log_probs) - log_probs[LETTERS.index(answer.choice)]
            if apart > allowed or (answer.choice != choice and behind > 2 * allowed):
                wrong.append(f"{answer.subject} {answer.id}: {choice} → {answer.choice}")
        count = pick(
            f"{len(wanted)} of {len(asked):,} questions", f"{len(asked):,} 题中的 {len(wanted)} 题"
        )
        same = pick("the same choices and log-probabilities", "选项与对数概率均相同")
        if most:
            same = pick(
                f"log-probabilities at most {most:.2g} apart", f"对数概率至多相差 {most:.2g}"
            )
        yield Finding(
            what=title, agrees=not wrong, detail=f"{count}: {'; '.join(wrong[:3]) or same}"
        )

    def _exam(self, exam: Mapping[str, Any]) -> Exam:
        return Exam.prepare(
            benchmark=exam["benchmark"],
            split=exam["split"],
            shots=exam["shots"],
            protocol=exam["protocol"],
            method=exam["method"],
            sample=exam.get("sample"),
            data=self.data,
        )

    def _reference(self, model: Model, record: Record) -> Iterator[Finding]:
        file = None
        with suppress(ModelNotFoundError):
            file = self._file(record["model"], self.against)
        who = pick(" of the reference", "（参照）")
        if file is None:
            yield Finding(
                what=pick("reference", "参照"),
                agrees=None,
                detail=pick(
                    f"{record['model']['file']} is not here; name it with --against",
                    f"本机没有 {record['model']['file']}；请用 --against 指定",
                ),
            )
            return
        yield self._hash(file, record["model"])
        if not self._is(file, record["model"]):
            return
        with self._load(file) as reference:
            divergence.require_same_vocabulary(model, reference)
            for language, text in texts.builtin().items():
                place = self.draw.randrange(len(text.passages))
                measured = divergence.measure(model, reference, text.passages[place])
                then, now = record["divergence"][language]["passages"][place], kl_record(measured)
                mean = abs(now["kl"] - then["kl"]) / max(1, now["scored"])
                what = pick(f"divergence {language}", f"偏离 {language}")
                yield self._passage(what, place, then, now, mean, KL_TOLERANCE)
            yield from self._texts(reference, record["texts"], who)
            for name, exam in record["exams"].items():
                yield from self._questions(reference, name, exam, who)


def _near(then: Any, now: Any, rounding: float) -> bool:
    """Whether two records are the same but for rounding."""
    if isinstance(now, dict):
        return then.keys() == now.keys() and all(_near(then[k], now[k], rounding) for k in now)
    if isinstance(now, list):
        return len(then) == len(now) and all(map(_near, then, now, [rounding] * len(now)))
    return bool(then == now or (isinstance(now, float) and abs(then - now) <= rounding))


def _contradictions(record: Record) -> Iterator[str]:
    """Numbers of a receipt that do not follow from its other numbers."""
    yield from _in_part(record, "")
    if "reference" not in record:
        return
    reference = record["reference"]
    yield from _in_part(reference, "reference ")
    for language in texts.LANGUAGES:
        part = reference["divergence"][language]
        rows = part["passages"]
        count = sum(row["scored"] for row in rows)
        wanted = {
            "positions": count,
            "mean": math.fsum(row["kl"] for row in rows) / count,
            "most": max(row["most"] for row in rows),
            "agreement": sum(row["agreed"] for row in rows) / count,
        }
        yield from _differing(wanted, part, f"divergence {language}")
    for name, exam in reference["exams"].items():
        wanted = comparison_record(answered(exam), answered(record["exams"][name]))
        yield from _differing(wanted, exam["comparison"], f"{name} comparison")


def _in_part(part: Record, who: str) -> Iterator[str]:
    """Texts and exams of the model or of the reference."""
    for language in texts.LANGUAGES:
        text = part["texts"][language]
        rows = [(row["loss"], row["scored"], row["bytes"]) for row in text["passages"]]
        yield from _differing(vars(Surprise.of(rows)), text, f"{who}{language}")
    for name, exam in part["exams"].items():
        if not exam["asked"]:
            continue
        for subject, id, choice, _, log_probs in exam["answers"]:
            if choice != LETTERS[log_probs.index(max(log_probs))]:
                yield f"{who}{name} {subject} {id}: {choice}"
        yield from _differing(scores_json(exam_scores(exam)), exam["scores"], f"{who}{name}")


def _differing(wanted: Mapping[str, Any], found: Mapping[str, Any], where: str) -> Iterator[str]:
    for key, value in wanted.items():
        other = found[key]
        numbers = isinstance(value, float) and isinstance(other, int | float)
        if not (
            math.isclose(value, other, rel_tol=1e-9, abs_tol=1e-9) if numbers else value == other
        ):
            yield f"{where} {key}"


def verdict(findings: Sequence[Finding]) -> bool:
    """Whether a check found no disagreement."""
    return all(one.agrees is not False for one in findings)
