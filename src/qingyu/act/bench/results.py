"""What a run came to: result.json, which can be read again and compared with others.

result = Result.of(pairs, answers, cases=..., system=..., time=..., version=...)
result.write(folder)
summaries([Path("fast"), Path("assistant")])     # of the same cases, or JournalError
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qingyu.act.bench.answers import Answer, judged
from qingyu.act.bench.cases import Case
from qingyu.act.bench.scores import Scored, Scores
from qingyu.act.world import World
from qingyu.errors import JournalError
from qingyu.models.hashes import write_atomically
from qingyu.text import pick

NAME = "result.json"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A result without its answers. cases, system: their identities; time: when, and seconds."""

    cases: Mapping[str, Any]
    system: Mapping[str, Any]
    time: Mapping[str, Any]
    version: str
    scores: Scores

    @property
    def name(self) -> str:
        return str(self.system["name"])


@dataclass(frozen=True, kw_only=True)
class Result(Summary):
    """every: the cases in the order they were asked."""

    every: tuple[Scored, ...]

    @classmethod
    def of(
        cls,
        pairs: Sequence[tuple[World, Case]],
        answers: Sequence[Answer],
        *,
        cases: Mapping[str, Any],
        system: Mapping[str, Any],
        time: Mapping[str, Any],
        version: str,
    ) -> Result:
        every = tuple(
            Scored(case, judged(case, world, answer), answer)
            for (world, case), answer in zip(pairs, answers, strict=True)
        )
        return cls(
            cases=cases,
            system=system,
            time=time,
            version=version,
            scores=Scores.of(every),
            every=every,
        )

    @property
    def failures(self) -> list[Scored]:
        """What is not right, the worst first: errors, wrongly done, then by how much is amiss."""
        wrong = [one for one in self.every if not one.right]
        return sorted(
            wrong,
            key=lambda one: (
                not one.answer.error,
                not one.answer.outside,
                not one.judgement.wrongly_done,
                -len(one.judgement.reasons),
            ),
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": self.version,
            "system": dict(self.system),
            "cases": dict(self.cases),
            "time": dict(self.time),
            "scores": self.scores.as_json(),
            "answers": [
                {
                    "right": one.right,
                    "wrongly_done": one.judgement.wrongly_done,
                    "reasons": [str(reason) for reason in one.judgement.reasons],
                    **one.answer.as_json(),
                }
                for one in self.every
            ],
        }

    def write(self, folder: Path) -> Path:
        """Write result.json."""
        path = folder / NAME
        write_atomically(path, json.dumps(self.as_json(), ensure_ascii=False, indent=1) + "\n")
        return path


def read_summary(path: Path) -> Summary:
    """A result.json, or the one of a folder, without its answers. Raises JournalError."""
    file = path / NAME if path.is_dir() else path
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
        assert saved["format"] == FORMAT
        summary = Summary(
            cases=saved["cases"],
            system=saved["system"],
            time=saved["time"],
            version=str(saved["version"]),
            scores=Scores.from_json(saved["scores"]),
        )
        assert summary.name
        assert summary.scores.tallies
        assert str(summary.cases["sha256"])
    except OSError as error:
        raise JournalError(
            pick(f"cannot read {file}: {error.strerror}", f"无法读取 {file}：{error.strerror}")
        ) from None
    except Exception:
        # It can be damaged in every way.
        raise JournalError(
            pick(f"{file} is no result of act-bench", f"{file} 不是 act-bench 的结果")
        ) from None
    return summary


def summaries(paths: Sequence[Path]) -> list[Summary]:
    """Results of the same cases. Raises JournalError, also where the cases are not the same."""
    found = [read_summary(one) for one in paths]
    for path, one in zip(paths, found, strict=True):
        if one.cases["sha256"] != found[0].cases["sha256"]:
            raise JournalError(
                pick(
                    f"{path} is of other cases than {paths[0]} ({_cases(one)}, {_cases(found[0])});"
                    " run both on the same",
                    f"{path} 与 {paths[0]} 的用例不同（{_cases(one)}，{_cases(found[0])}）；"
                    "请用相同的用例运行",
                )
            )
    return found


def _cases(summary: Summary) -> str:
    return f"{summary.cases.get('name')}: {summary.cases.get('count')}"
