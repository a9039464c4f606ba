"""The parts of a receipt: what is recorded of a file, of texts, of questions, of speed.

    text_record(text, [measure(model, passage) for passage in text.passages])["perplexity"]

Plain JSON values. What is recorded of single passages and answers is what a check measures
again, and what the numbers above them are computed from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from math import sqrt
from pathlib import Path

from qingyu.engine import benchmark
from qingyu.engine.machine import peak_memory
from qingyu.models.hashes import hash_file
from qingyu.models.store import ModelStore
from qingyu.models.summary import ModelSummary, summarise
from qingyu.prove import benchmarks, scores, texts
from qingyu.prove.divergence import Divergence, Measured
from qingyu.prove.receipt_file import Record
from qingyu.prove.results import Result, scores_json
from qingyu.prove.texts import Losses, Surprise

# Of each passage so many losses are kept, to show where two programs part.
FIRST_LOSSES = 16


def describe_file(path: Path) -> Record:
    """What a receipt says of a model file; all of it is read, for its hash."""
    summary = summarise(path)
    sha256, _ = hash_file(path)
    return {
        "file": path.name,
        "sha256": sha256,
        "bytes": summary.file_bytes,
        "name": summary.config.name,
        "family": summary.config.family,
        "parameters": summary.parameters,
        "context": summary.config.context_length,
        "vocabulary": summary.config.vocab_size,
        "types": {
            kind: {"tensors": count, "bytes": size} for kind, (count, size) in summary.types.items()
        },
        "licence": _licence(summary, sha256),
    }


def _licence(summary: ModelSummary, sha256: str) -> str | None:
    """As the file says, else as it is known where the file was pulled from."""
    for key in ("general.license", "general.license.name"):
        if isinstance(found := summary.metadata.get(key), str) and found:
            return found
    for stored in ModelStore().list():
        if stored.manifest.sha256 == sha256 and stored.manifest.licence:
            return stored.manifest.licence
    return None


def measure_speed(path: Path, *, threads: int | None) -> Record:
    """Speed against the machine's limits, and the most memory this process has taken."""
    subject = benchmark.from_file(path, threads=threads)
    context = subject.config.context_length
    speed = benchmark.measure(subject, prompt=min(512, context // 2), new=min(64, context // 4))
    return {
        "activation_bits": 8,
        "prompt": speed.prompt,
        "new": speed.new,
        "repeat": speed.repeat,
        "threads": speed.threads,
        "instruction_set": speed.instruction_set,
        "prefill_tokens_per_second": speed.prefill_rate,
        "decode_tokens_per_second": speed.decode_rate,
        "peak_share": speed.peak_share,
        "int8_peak": speed.int8_peak,
        "bandwidth_share": speed.bandwidth_share,
        "bandwidth": speed.bandwidth,
        "peak_memory_bytes": peak_memory(),
    }


def text_record(text: texts.Text, passages: Sequence[Losses]) -> Record:
    """Perplexity on one text, with what each passage gives to it."""
    totals = [(one.total, len(one.values), one.num_bytes) for one in passages]
    return {
        "text_sha256": text.sha256,
        **asdict(Surprise.of(totals)),
        "passages": [passage_record(one) for one in passages],
    }


def passage_record(losses: Losses) -> Record:
    return {
        "loss": losses.total,
        "scored": len(losses.values),
        "bytes": losses.num_bytes,
        "first": list(losses.values[:FIRST_LOSSES]),
    }


def divergence_record(passages: Sequence[Measured]) -> Record:
    return {
        **asdict(Divergence.of(passages)),
        "passages": [kl_record(one) for one in passages],
    }


def kl_record(measured: Measured) -> Record:
    return {
        "kl": measured.total,
        "most": max(measured.kl),
        "agreed": measured.agreed,
        "scored": len(measured.kl),
        "first": list(measured.kl[:FIRST_LOSSES]),
    }


def exam_record(result: Result) -> Record:
    """Scores and every answer: subject, id, choice, key, four log-probabilities."""
    exam: Record = {
        "asked": True,
        "exam": dict(result.exam),
        "complete": result.is_complete,
        "dropped_shots": sum(one.dropped_shots for one in result.answers),
        "answers": [
            [one.subject, one.id, one.choice, key, list(one.log_probs or ())]
            for one, key in zip(result.answers, result.keys, strict=True)
        ],
    }
    return {**exam, "scores": scores_json(exam_scores(exam))}


def answered(exam: Record) -> list[scores.Answered]:
    """The answers that an exam's record holds."""
    return [
        scores.Answered(subject, id, choice, key) for subject, id, choice, key, _ in exam["answers"]
    ]


def exam_scores(exam: Record) -> scores.Scores:
    """The scores that its answers make, of a whole exam or a sample of it."""
    found = scores.score(benchmarks.find(exam["exam"]["benchmark"]), answered(exam))
    return with_sample_error(found) if exam["exam"].get("sample") else found


def with_sample_error(found: scores.Scores) -> scores.Scores:
    """The same with the standard error of a sample.

    Few questions of a subject vary less among themselves than all of them do: the variance is
    taken with n - 1, which the bootstrap of whole benchmarks need not.
    """
    variance = 0.0
    for tally in found.subjects.values():
        share = tally.correct / tally.count
        variance += share * (1 - share) / max(1, tally.count - 1)
    return replace(found, standard_error=100 * sqrt(variance) / len(found.subjects))


def comparison_record(
    reference: Sequence[scores.Answered], model: Sequence[scores.Answered]
) -> Record:
    """The model against the reference, question by question."""
    found = scores.compare(reference, model)
    names = ("count", "flips", "gained", "lost", "difference_macro", "low", "high", "p_value")
    return {name: getattr(found, name) for name in names}
