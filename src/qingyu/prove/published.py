"""What others scored: the sourced rows of facts/leaderboard.csv, and how they were measured.

    for row in published("ceval"): print(row.model, row.average, row.setting.split)
    size_class(6.4e9).name            # "2-8B"

Every row is a figure somebody printed; none was measured here. What a source does not state
stays empty. How the file came about: docs/prove.md.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files

from qingyu.errors import InvalidRequestError
from qingyu.prove import benchmarks
from qingyu.prove.benchmarks import CATEGORIES, Benchmark
from qingyu.prove.results import Result
from qingyu.prove.scores import average_of_categories, micro_average_of_categories
from qingyu.text import pick

# Decimals in which the board prints averages; a run is rounded likewise, so that it can tie.
DECIMALS = {"ceval": 1, "cmmlu": 2}
# A model called 8B has up to 8.2 billion parameters (Llama 3, Qwen3), and rows whose size comes
# from a name say 8; with this much beyond the border both are in the same class.
_TOLERANCE = 1.05

_COLUMNS = ("stem", "social", "humanities", "other")
# The same model under another name: a board row with the same five figures as the other name's
# (Bloomz-mt, ChatGLM2-6B), or another way to write it (Llama 1).
_ALIASES = {
    "bloomz-mt": "bloomz-mt-176b",
    "chatglm2-6b-(base)": "chatglm2-6b",
    "llama-1-13b": "llama-13b",
}


@dataclass(frozen=True, kw_only=True)
class SizeClass:
    """Models of more than `above` and at most `upto` billion parameters."""

    name: str
    above: float
    upto: float


SIZE_CLASSES = (
    SizeClass(name="≤2B", above=0, upto=2),
    SizeClass(name="2-8B", above=2, upto=8),
    SizeClass(name="8-20B", above=8, upto=20),
    SizeClass(name="20-80B", above=20, upto=80),
    SizeClass(name=">80B", above=80, upto=float("inf")),
)


def size_class(parameters: float | None) -> SizeClass | None:
    """The class of so many parameters (not billions); None when the number is not known."""
    if parameters is None:
        return None
    return next(one for one in SIZE_CLASSES if parameters <= one.upto * 1e9 * _TOLERANCE)


def find_size_class(text: str) -> SizeClass:
    """A class by its name in any spelling ("<=2B", "2B-8B", "80b+"), or by a size in it ("7B").

    Raises InvalidRequestError for anything else."""
    plain = re.sub(r"[\s_b]", "", unicodedata.normalize("NFKC", text).casefold())
    plain = re.sub(r"[–—−~至到]", "-", plain)
    plain = re.sub(r"≤|=<|<=?", "<", plain)
    plain = re.sub(r"≥|=>|>=?", ">", plain)
    spellings = {f"{one.above:g}-{one.upto:g}": one for one in SIZE_CLASSES}
    first, last = SIZE_CLASSES[0], SIZE_CLASSES[-1]
    spellings |= {f"<{first.upto:g}": first, f"-{first.upto:g}": first}
    spellings |= {form.format(f"{last.above:g}"): last for form in (">{}", "{}+", "{}-")}
    if found := spellings.get(plain):
        return found
    if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", plain) and float(plain) > 0:
        named = size_class(float(plain) * 1e9)
        assert named is not None
        return named
    names = [one.name for one in SIZE_CLASSES]
    raise InvalidRequestError(
        pick(
            f"there is no size class {text!r}; there are {', '.join(names)}"
            " (also written <=2B and 80B+)",
            f"没有规模组 {text!r}；可用：{'、'.join(names)}（也可写作 <=2B 与 80B+）",
        )
    )


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a row was measured; "" is what its source does not state.

    split: val or test. shots: "0", "5", "few", or "0/5" for the better of the two. method:
    answer-only, chat generation, ... runner: who measured. seen_in: which list shows the row.
    """

    split: str
    shots: str
    method: str = ""
    runner: str = ""
    seen_in: str = ""

    @property
    def pair(self) -> tuple[str, str]:
        """What must be equal for two rows to be compared without a warning."""
        return self.split, self.shots

    @property
    def is_stated(self) -> bool:
        return bool(self.split) and self.shots in ("0", "5")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the board: a published one, or a run of the user's.

    parameters: None when not stated. average, categories (with the special group), errors: in
    percent. described: the setting in the source's words. source: an address, or "".
    result: of a run of the user's; published rows have none.
    """

    model: str
    parameters: float | None
    average: float
    categories: Mapping[str, float]
    setting: Setting
    described: str
    date: str
    source: str
    withdrawn: bool = False
    standard_error: float | None = None
    flags: tuple[str, ...] = ()
    result: Result | None = field(default=None, repr=False, compare=False)

    @property
    def is_run(self) -> bool:
        return self.result is not None

    @property
    def can_rank(self) -> bool:
        return not self.withdrawn and "incomplete" not in self.flags

    @property
    def size_class(self) -> SizeClass | None:
        return size_class(self.parameters)

    @property
    def key(self) -> str:
        """The same for every way to write one model's name."""
        name = re.sub(r"[\s_-]+", "-", self.model.casefold())
        return _ALIASES.get(name, name)

    def averaging(self, benchmark: Benchmark) -> str | None:
        """How the average follows from the four categories, within their rounding: "macro",
        "micro", "neither"; None when there are not four."""
        if self.is_run:
            return "macro"
        if not all(name in self.categories for name in CATEGORIES):
            return None
        four = {name: self.categories[name] for name in CATEGORIES}
        # Half a unit of the last place for the average, and as much for the categories.
        allowed = 10.0 ** -DECIMALS[benchmark.id] + 1e-9
        if abs(average_of_categories(benchmark, four) - self.average) <= allowed:
            return "macro"
        micro = micro_average_of_categories(benchmark, four, "test")
        return "micro" if abs(micro - self.average) <= allowed else "neither"


@cache
def published(name: str) -> tuple[Row, ...]:
    """The recorded rows of a benchmark, withdrawn ones too, as the file has them.

    A size that one row of a model states holds for its other rows."""
    benchmark = benchmarks.find(name)
    text = files("qingyu.prove").joinpath("facts/leaderboard.csv").read_text(encoding="utf-8")
    rows = [
        _row(benchmark, fields)
        for fields in csv.DictReader(text.splitlines())
        if fields["benchmark"] == benchmark.title
    ]
    sizes = {row.key: row.parameters for row in rows if row.parameters is not None}
    return tuple(replace(row, parameters=sizes.get(row.key)) for row in rows)


def _row(benchmark: Benchmark, fields: Mapping[str, str]) -> Row:
    special = "hard" if benchmark.id == "ceval" else "china"
    columns = dict(zip((*CATEGORIES, benchmark.group), (*_COLUMNS, special), strict=True))
    model, team, _ = fields["model"].partition("(team)")
    return Row(
        model=model,
        parameters=float(fields["params_b"]) * 1e9 if fields["params_b"] else None,
        average=float(fields["average"]),
        categories={
            name: float(fields[column]) for name, column in columns.items() if fields[column]
        },
        setting=_setting(benchmark, fields["setting"], model, bool(team), fields["source_url"]),
        described=fields["setting"],
        date=fields["date"],
        source=fields["source_url"],
        withdrawn=fields["setting"].startswith("WITHDRAWN"),
    )


def _setting(
    benchmark: Benchmark, described: str, model: str, is_team: bool, source: str
) -> Setting:
    """What the setting's words say of this row.

    The official board scored the test split, and CMMLU asks no other; that much is taken for
    granted where the words leave it out.
    """
    if "Qwen memo table" in described:
        own = model == "Qwen-7B"
        return Setting(
            split="test", shots="5" if own else "", runner="vendor" * own, seen_in="Qwen memo"
        )
    board = re.search(r"(official board|README) snapshot (\S+)", described)
    split = "val" if described.startswith("val") else ""
    if described.startswith("test") or board or benchmark.id == "cmmlu":
        split = "test"
    shots = ""
    for word, value in (("zero-shot", "0"), ("five-shot", "5"), ("few-shot", "few")):
        if word in described:
            shots = value
    if "best of 0/5-shot" in described and is_team:
        shots = "0/5"
    method = ""
    for word in ("answer-only", "chat generation", "CoT"):
        if word in described:
            method = "chat " * (word == "CoT") + word
    runner = next((one for one in ("C-Eval team", "vendor") if one in described), "")
    seen_in = ""
    if board:
        runner = "C-Eval team" if is_team else runner
        seen_in = f"{'board' if board[1] == 'official board' else board[1]} {board[2].strip(',')}"
    elif runner == "vendor" and (page := re.match(r"https://github\.com/[^/]+/([^/]+)", source)):
        seen_in = f"{page[1]} README"
    elif quoted := re.search(r"Qwen memo|Baichuan-7B README", described):
        seen_in = quoted[0]
    return Setting(split=split, shots=shots, method=method, runner=runner, seen_in=seen_in)


def run_row(result: Result) -> Row:
    """A user's run as a row. Raises JournalError when it has no score.

    flags: incomplete (not every question of the split), guessing (no better than one letter for
    all), harness, generate, cot (not the protocol of the published rows), dropped_shots.
    """
    scores = result.scores
    exam = result.exam
    flags = {
        "incomplete": not result.is_complete,
        "guessing": not scores.beats_guessing,
        "harness": exam["protocol"] != "official",
        str(exam["method"]): exam["method"] != "logits",
        "dropped_shots": any(one.dropped_shots for one in result.answers),
    }
    decimals = DECIMALS[result.benchmark.id]
    return Row(
        model=result.name,
        parameters=_parameters(result.model.get("parameters")),
        average=round(scores.macro, decimals),
        categories={name: round(value, decimals) for name, value in scores.groups.items()},
        setting=Setting(
            split=str(exam["split"]),
            shots=str(exam["shots"]),
            method=f"{exam['protocol']}, {exam['method']}",
        ),
        described=result.setting,
        date=str(result.time.get("started", ""))[:10],
        source="",
        standard_error=scores.standard_error,
        flags=tuple(name for name, holds in flags.items() if holds),
        result=result,
    )


def _parameters(value: object) -> float | None:
    """A number of parameters from a file, which may hold anything."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e15:
        return None
    return float(value)
