"""A receipt: what was measured on a model file, how, and all that is needed to check it.

    record, folder = make("model.gguf", against="model-f16.gguf")
    record["texts"]["zh"]["perplexity"], record["exams"]["ceval"]["scores"]["macro"]

The folder gets receipt.json, receipt.html, and the evaluations with their journals, so that a
run that was stopped goes on where it was. The results are the model's at 16-bit activations, the
same for any number of threads; speed and memory are this machine's, at 8 bits as in `serve`.
The order spares memory: speed, texts, questions, and only then the reference beside the model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import qingyu
from qingyu.engine.machine import available_memory, survey
from qingyu.errors import DataError, InvalidRequestError, ModelFileError
from qingyu.models.store import locate, utc_now
from qingyu.prove import benchmarks, divergence, questions, receipt_file, texts
from qingyu.prove.choices import ChoiceAnswerer
from qingyu.prove.divergence import Divergence
from qingyu.prove.evaluation import Progress, evaluate, forget
from qingyu.prove.exam import Exam
from qingyu.prove.receipt_file import Record
from qingyu.prove.receipt_records import (
    comparison_record,
    describe_file,
    divergence_record,
    exam_record,
    measure_speed,
    text_record,
)
from qingyu.prove.results import Result
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.engine.model import Model

ACTIVATION_BITS = 16
REFERENCE = "reference"


def no_count(done: int, total: int, right: int) -> None:
    """For whoever does not want to hear about progress."""


@contextmanager
def _quiet(title: str, unit: str) -> Iterator[Progress]:
    yield no_count


@dataclass(frozen=True, kw_only=True)
class Watcher:
    """Who is told how it goes. note: a sentence; counting: for work that takes a while, gives a
    function to report (done, in all, right) to, in units of "questions" or "tokens"."""

    note: Callable[[str], None] = lambda sentence: None
    counting: Callable[[str, str], AbstractContextManager[Progress]] = _quiet


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which questions: `share` of each subject, 0 for none; data: their folder."""

    share: float = 0.2
    shots: int = 0
    data: Path | None = None

    def exam(self, name: str) -> Exam:
        sample = self.share if self.share < 1 else None
        return Exam.prepare(benchmark=name, shots=self.shots, sample=sample, data=self.data)

    def folder(self, name: str) -> str:
        """Where its journal lies: ceval-0shot-20pct."""
        part = f"-{100 * self.share:g}pct" if self.share < 1 else ""
        return f"{name}-{self.shots}shot{part}"


def make(
    model: str | Path,
    *,
    against: str | Path | None = None,
    asked: Asked | None = None,
    folder: Path | None = None,
    threads: int | None = None,
    restart: bool = False,
    watcher: Watcher | None = None,
) -> tuple[Record, Path]:
    """Measure a model file, and a reference's difference from it, and write the receipt; gives
    it and its folder.

    Raises what loading and evaluating raise; InvalidRequestError for a reference of another
    vocabulary, or that is the same file.
    """
    return _Maker(
        path=locate(model),
        reference=None if against is None else locate(against),
        asked=asked or Asked(),
        threads=threads,
        watcher=watcher or Watcher(),
    ).make(folder, restart=restart)


@dataclass(kw_only=True)
class _Maker:
    path: Path
    reference: Path | None
    asked: Asked
    threads: int | None
    watcher: Watcher

    def make(self, folder: Path | None, *, restart: bool) -> tuple[Record, Path]:
        exams = self._exams()
        file = describe_file(self.path)
        theirs = None if self.reference is None else describe_file(self.reference)
        if theirs is not None and theirs["sha256"] == file["sha256"]:
            raise InvalidRequestError(
                pick(
                    "model and reference are the same file; name the full-precision one",
                    "模型与参照是同一个文件；请指定全精度文件",
                )
            )
        folder = folder or Path("receipts") / folder_name(file)
        if restart:
            for name in exams:
                forget(folder / self.asked.folder(name))
                forget(folder / REFERENCE / self.asked.folder(name))
        self.watcher.note(pick("measuring speed and memory", "正在测量速度与内存"))
        speed = measure_speed(self.path, threads=self.threads)
        with self._load(self.path, file) as model:
            record: Record = {
                "program": {"version": qingyu.__version__, "numpy": np.__version__},
                "made": utc_now(),
                "model": file,
                "settings": self._settings(model),
                "texts": self._texts(model),
            }
            results = self._evaluate(model, exams, folder)
            if self.reference is not None:
                assert theirs is not None
                record["reference"] = self._compare(
                    model, self.reference, theirs, exams, results, folder
                )
        record["exams"] = {
            name: {"asked": False, "why": why}
            if isinstance(why := exams[name], str)
            else exam_record(results[name])
            for name in exams
        }
        record["speed"] = speed
        record["machine"] = asdict(survey(threads=self.threads))
        record = receipt_file.sealed(record)
        receipt_file.write(folder, record)
        from qingyu.prove.receipt_page import write_page

        write_page(folder, record)
        return record, folder

    def _exams(self) -> dict[str, Exam | str]:
        """Each benchmark's exam, or why there is none."""
        found: dict[str, Exam | str] = {}
        for name in benchmarks.NAMES:
            if self.asked.share == 0:
                found[name] = "not wanted"
                continue
            try:
                questions.find_folder(benchmarks.find(name), self.asked.data)
            except DataError as error:
                self.watcher.note(str(error))
                found[name] = "no data"
                continue
            found[name] = self.asked.exam(name)
        return found

    def _settings(self, model: Model) -> Record:
        return {
            "activation_bits": model.info.activation_bits,
            "instruction_set": model.info.instruction_set,
            "window": texts.window_of(model),
            "context": model.info.context,
            "share": self.asked.share,
            "shots": self.asked.shots,
        }

    def _load(self, path: Path, file: Record) -> Model:
        model = qingyu.load(path, threads=self.threads, activation_bits=ACTIVATION_BITS)
        if model.file_hash() != file["sha256"]:
            raise ModelFileError(
                pick(
                    f"{path} changed while it was measured; wait until whatever writes it is done",
                    f"{path} 在测量期间发生变化；请等写入它的程序结束",
                )
            )
        return model

    def _texts(self, model: Model) -> Record:
        with self._counted(pick("texts", "文本"), [model]) as advance:
            return {
                language: text_record(
                    text, [texts.measure(model, one, advance=advance) for one in text.passages]
                )
                for language, text in texts.builtin().items()
            }

    @contextmanager
    def _counted(self, title: str, models: Sequence[Model]) -> Iterator[texts.Advance]:
        """Progress in tokens over all of the texts."""
        passages = [one for text in texts.builtin().values() for one in text.passages]
        total = sum(len(models[0].tokenizer.encode(one)) for one in passages)
        done = 0
        with self.watcher.counting(title, "tokens") as count:

            def advance(tokens: int) -> None:
                nonlocal done
                done += tokens
                count(done, total, 0)

            yield advance

    def _evaluate(
        self, model: Model, exams: Mapping[str, Exam | str], folder: Path
    ) -> dict[str, Result]:
        results = {}
        answerer = ChoiceAnswerer(model)
        for name, exam in exams.items():
            if isinstance(exam, str):
                continue
            title = f"{exam.benchmark.title} · {model.info.path.name if model.info.path else ''}"
            with self.watcher.counting(title, "questions") as count:
                results[name] = evaluate(
                    exam, answerer, folder / self.asked.folder(name), progress=count
                )
        return results

    def _compare(
        self,
        model: Model,
        path: Path,
        file: Record,
        exams: Mapping[str, Exam | str],
        results: Mapping[str, Result],
        folder: Path,
    ) -> Record:
        """The reference's part. The model is closed as soon as it is no longer needed."""
        free = available_memory()
        if 0 < free < file["bytes"]:
            self.watcher.note(
                pick(
                    f"the reference takes about {file['bytes'] >> 20} MiB beside the model, and"
                    f" {free >> 20} MiB are free: this may be slow, or be ended by the system",
                    f"参照模型约需 {file['bytes'] >> 20} MiB，而可用内存为 {free >> 20} MiB："
                    "可能很慢，或被系统终止",
                )
            )
        with self._load(path, file) as reference:
            divergence.require_same_vocabulary(model, reference)
            with self._counted(pick("divergence", "偏离"), [model]) as advance:
                measured = {
                    language: [
                        divergence.measure(model, reference, one, advance=advance)
                        for one in text.passages
                    ]
                    for language, text in texts.builtin().items()
                }
            model.close()
            theirs = self._evaluate(reference, exams, folder / REFERENCE)
        return {
            "model": file,
            "texts": {
                language: text_record(
                    texts.builtin()[language], [one.reference for one in passages]
                )
                for language, passages in measured.items()
            },
            "divergence": {
                **{language: divergence_record(one) for language, one in measured.items()},
                "all": asdict(Divergence.of([one for some in measured.values() for one in some])),
            },
            "exams": {
                name: {
                    **exam_record(theirs[name]),
                    "comparison": comparison_record(theirs[name].answered, results[name].answered),
                }
                for name in theirs
            },
        }


def folder_name(file: Record) -> str:
    """By the file's name and hash: smollm2-135m-q4_1-0a1b2c3d."""
    stem = re.sub(r"[^A-Za-z0-9._]+", "-", str(file["file"]).removesuffix(".gguf")).strip("-.")
    return f"{stem.lower() or 'model'}-{file['sha256'][:8]}"
