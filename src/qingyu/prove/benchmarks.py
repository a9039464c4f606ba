"""What the benchmarks consist of: subjects, categories, splits. Facts only, no questions.

    ceval = find("ceval")
    ceval.subjects["law"].name_zh, ceval.groups["Hard"]

Sources: C-Eval's subject_mapping.json and its archive of 2023-05 (github.com/hkust-nlp/ceval),
CMMLU's src/categories.py (github.com/haonan-li/CMMLU); the counts were taken from the data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from qingyu.errors import InvalidRequestError
from qingyu.text import pick

CATEGORIES = ("STEM", "Social Science", "Humanities", "Other")
CATEGORY_NAMES_ZH = {
    "STEM": "理工",
    "Social Science": "社会科学",
    "Humanities": "人文学科",
    "Other": "其他",
    "Hard": "困难",
    "China specific": "中国特有",
}
LETTERS = ("A", "B", "C", "D")
MAX_SHOTS = 5


@dataclass(frozen=True, kw_only=True)
class Subject:
    """id: name of the file; counts: split to number of questions; group: in the special group."""

    id: str
    name_zh: str
    name_en: str
    category: str
    group: bool
    counts: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """splits: those that are asked, the usual one first; `dev` holds the shots.

    group: the special group of subjects beside the four categories. answered: splits whose
    answers are in the data.
    """

    id: str
    title: str
    splits: tuple[str, ...]
    answered: tuple[str, ...]
    group: str
    licence: str
    source: str
    subjects: Mapping[str, Subject]

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Each category's subject ids, then the special group's."""
        groups = {
            category: tuple(one.id for one in self.subjects.values() if one.category == category)
            for category in CATEGORIES
        }
        groups[self.group] = tuple(one.id for one in self.subjects.values() if one.group)
        return groups


_LICENCE = "CC BY-NC-SA 4.0"
_KINDS = {
    "ceval": {
        "title": "C-Eval",
        "splits": ("val", "test"),
        "answered": ("val",),
        "group": "Hard",
        "source": "github.com/hkust-nlp/ceval",
    },
    "cmmlu": {
        "title": "CMMLU",
        "splits": ("test",),
        "answered": ("test",),
        "group": "China specific",
        "source": "github.com/haonan-li/CMMLU",
    },
}
NAMES = tuple(_KINDS)


@cache
def find(name: str) -> Benchmark:
    """The benchmark of that name. Raises InvalidRequestError for another."""
    if name not in _KINDS:
        raise InvalidRequestError(
            pick(
                f"there is no benchmark {name!r}; there are {' and '.join(NAMES)}",
                f"没有名为 {name!r} 的评测；可用：{'、'.join(NAMES)}",
            )
        )
    text = files("qingyu.prove").joinpath(f"facts/{name}.json").read_text(encoding="utf-8")
    subjects = {}
    for row in json.loads(text):
        counts = {key[2:]: row[key] for key in row if key.startswith("n_")}
        subjects[row["id"]] = Subject(
            id=row["id"],
            name_zh=row["name_zh"],
            name_en=row.get("name_en") or row["id"].replace("_", " ").title(),
            category=row["category"],
            group=row.get("hard") or row.get("china_specific") or False,
            counts=counts,
        )
    return Benchmark(id=name, licence=_LICENCE, subjects=subjects, **_KINDS[name])  # type: ignore[arg-type]


def choose_subjects(benchmark: Benchmark, wanted: str | None) -> tuple[str, ...]:
    """Ids of a comma-separated list of subjects and groups ("law,Hard"), in the benchmark's
    order; all for None. Raises InvalidRequestError naming what is not there."""
    if wanted is None:
        return tuple(benchmark.subjects)
    groups = {name.lower(): ids for name, ids in benchmark.groups.items()}
    by_name = {one.name_zh: one.id for one in benchmark.subjects.values()}
    chosen: set[str] = set()
    for word in (part.strip() for part in wanted.split(",")):
        if word.lower() in groups:
            chosen.update(groups[word.lower()])
        elif word in benchmark.subjects or word in by_name:
            chosen.add(by_name.get(word, word))
        elif word:
            import difflib

            close = difflib.get_close_matches(word, [*benchmark.subjects, *by_name], 3, 0.5)
            hint = ", ".join(close or list(benchmark.groups))
            raise InvalidRequestError(
                pick(
                    f"{benchmark.title} has no subject or category {word!r}; near: {hint}",
                    f"{benchmark.title} 没有科目或类别 {word!r}；相近的有：{hint}",
                )
            )
    if not chosen:
        raise InvalidRequestError(pick("no subject was named", "没有指定科目"))
    return tuple(one for one in benchmark.subjects if one in chosen)
