"""Results as a report shows them: each with a name of its own, its scores and their errors.

for run in runs_of(results): print(run.label, run.headline)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qingyu.prove import wording
from qingyu.prove.results import Result
from qingyu.prove.scores import Scores
from qingyu.prove.uncertainty import Calibration, calibration, group_errors
from qingyu.text import pick


@dataclass(frozen=True, kw_only=True)
class Run:
    """A result as the report shows it. number: its place, which decides its colour.

    label: the model's name made safe and different from the other runs'. scores: None when the
    data has no key.
    """

    number: int
    label: str
    result: Result
    scores: Scores | None
    errors: Mapping[str, float]
    calibration: Calibration | None

    @property
    def setting(self) -> str:
        return wording.setting(self.result)

    @property
    def headline(self) -> str:
        if self.scores is None:
            return pick("not scored", "未计分")
        return wording.headline(self.scores)

    @property
    def verdict(self) -> str:
        return "" if self.scores is None else wording.verdict(self.scores)

    @property
    def against(self) -> str:
        return "" if self.scores is None else wording.against(self.scores)

    @property
    def is_praised(self) -> bool:
        return self.scores is not None and self.scores.beats_guessing

    @property
    def rate(self) -> float | None:
        """Questions per second of the last sitting; None when it answered none."""
        return wording.number(self.result.time.get("questions_per_second")) or None


def runs_of(results: Sequence[Result]) -> list[Run]:
    """Raises JournalError for probabilities that are none."""
    runs = []
    for number, (label, result) in enumerate(zip(_labels(results), results, strict=True)):
        scores = result.scores if result.is_scored else None
        runs.append(
            Run(
                number=number,
                label=label,
                result=result,
                scores=scores,
                errors=group_errors(result.benchmark, scores) if scores else {},
                calibration=calibration(result.answers, result.keys) if scores else None,
            )
        )
    return runs


def _labels(results: Sequence[Result]) -> list[str]:
    """Names made safe, with what tells them apart where two are the same."""
    labels = [wording.clean(result.name, longest=48) for result in results]
    for tell in (_shots_of, _split_of, _protocol_of, _method_of, _types_of, _bits_of):
        told: dict[str, set[str]] = {}
        for label, result in zip(labels, results, strict=True):
            told.setdefault(label, set()).add(tell(result))
        labels = [
            f"{label} · {tell(result)}" if len(told[label]) > 1 and tell(result) else label
            for label, result in zip(labels, results, strict=True)
        ]
    counts, seen = Counter(labels), Counter[str]()
    for place, label in enumerate(labels):
        if counts[label] > 1:
            seen[label] += 1
            labels[place] = f"{label} ({seen[label]})"
    return labels


def _shots_of(result: Result) -> str:
    return wording.clean(wording.shots(result))


def _split_of(result: Result) -> str:
    return f"{result.benchmark.title} {result.exam['split']}"


def _protocol_of(result: Result) -> str:
    return wording.clean(str(result.exam["protocol"]))


def _method_of(result: Result) -> str:
    return wording.clean(str(result.exam["method"]))


def _types_of(result: Result) -> str:
    """The type most tensors have, of those that are not plain floats."""
    types = result.model.get("types")
    if not isinstance(types, dict):
        return ""
    counts = {
        str(name): count
        for name, count in types.items()
        if isinstance(count, int) and name != "F32"
    }
    return wording.clean(max(counts, key=lambda one: counts[one])) if counts else ""


def _bits_of(result: Result) -> str:
    return wording.activations(result)
