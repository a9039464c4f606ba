"""A report of one or more results: a page, pictures, Markdown and CSV.

    write_report(pairs.read([path, other]), Path("report"))

The folder gets report.html, report.md, subjects.csv, answers.csv, and each picture as SVG and
PNG.

The page needs nothing but itself: no script, no other file, no network. It holds no question.
Text is in the language in force. What strangers wrote (a model's name) is shown, never obeyed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from qingyu.errors import InvalidRequestError
from qingyu.prove import (
    charts,
    leaderboard_text,
    pictures,
    published,
    report_files,
    report_tables,
    wording,
)
from qingyu.prove.benchmarks import CATEGORIES, Benchmark
from qingyu.prove.charts import Baseline, Flips, Name, Neighbour, Point, Row
from qingyu.prove.leaderboard import Board, Place
from qingyu.prove.pairs import Pair, why_not
from qingyu.prove.report_runs import Run, runs_of
from qingyu.prove.results import Result
from qingyu.prove.summary import group_name
from qingyu.prove.uncertainty import wilson
from qingyu.text import language, pick

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_RESULTS = len(pictures.RUNS)
# So many rows of the leaderboard on either side of a run that is alone.
_NEIGHBOURS = 2
# The row above the categories.
_AVERAGE = "average"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """name: of its file. draw: takes a width, makes the figure in the language in force."""

    name: str
    title: str
    caption: str
    draw: Callable[[float], Figure]


@dataclass(frozen=True, kw_only=True)
class Section:
    """The runs of one benchmark, pairs of them on the same questions, and their neighbours."""

    benchmark: Benchmark
    runs: tuple[Run, ...]
    pairs: tuple[tuple[Run, Run, Pair], ...]

    @cached_property
    def scored(self) -> tuple[Run, ...]:
        return tuple(run for run in self.runs if run.scores is not None)

    @cached_property
    def places(self) -> dict[int, Place]:
        """By a run's number: where it stands among the published scores."""
        board = Board.load(self.benchmark.id)
        around = _NEIGHBOURS if len(self.scored) == 1 else 1
        return {run.number: board.place(run.result, around=around) for run in self.scored}

    @cached_property
    def neighbours(self) -> list[published.Row]:
        """The published rows next to any of the runs, best first."""
        found = {id(one.row): one.row for place in self.places.values() for one in place.neighbours}
        best_first = sorted(found.values(), key=lambda row: -row.average)
        return best_first[: len(pictures.OTHER_MARKERS)]

    def baselines(self) -> list[Baseline]:
        """One for each set of questions there is."""
        known = {wording.baseline(run.scores): run.scores for run in self.scored if run.scores}
        return [Baseline(label=label, value=one.guessing) for label, one in known.items()]

    def subjects_sorted(self) -> list[str]:
        """Those of any scored run, best first by the mean of the runs that have them."""
        found: dict[str, list[float]] = {}
        for run in self.scored:
            assert run.scores is not None
            for subject, tally in run.scores.subjects.items():
                found.setdefault(subject, []).append(tally.accuracy)
        mean = {subject: sum(values) / len(values) for subject, values in found.items()}
        return sorted(mean, key=lambda one: (-mean[one], one))

    def pictures(self) -> Iterator[Picture]:
        if not self.scored:
            return
        name, title = self.benchmark.id, self.benchmark.title
        yield Picture(
            name=f"{name}-categories",
            title=pick(f"{title} by category", f"{title} 各类别"),
            caption=pick(
                "Macro averages with one standard error. The dashed line is what one letter for"
                " every answer gets.",
                "宏平均与一个标准误。虚线为所有题答同一个字母的得分。",
            ),
            draw=self._draw_categories,
        )
        yield Picture(
            name=f"{name}-subjects",
            title=pick(f"{title} by subject", f"{title} 各科目"),
            caption=pick(
                "Best first. A subject has few questions, so its interval is wide.",
                "由高到低。每科题数不多，因此区间较宽。",
            ),
            draw=self._draw_subjects,
        )
        if any(run.calibration for run in self.scored):
            yield Picture(
                name=f"{name}-calibration",
                title=pick(f"{title}: calibration", f"{title} 校准"),
                caption=pick(
                    "How often the chosen letter is right, by its probability among the four."
                    " On the dashed line a model knows how much it knows.",
                    "按所选字母在四个字母中的概率，看它有多常答对。落在虚线上说明模型知道自己知道多少。",
                ),
                draw=self._draw_calibration,
            )
        for number, (first, second, pair) in enumerate(self.pairs, 1):
            if pair.flips:
                yield Picture(
                    name=f"{name}-differences" + (f"-{number}" if number > 1 else ""),
                    title=pick(
                        f"{title}: from {first.label} to {second.label}",
                        f"{title}：从 {first.label} 到 {second.label}",
                    ),
                    caption=pick("Answers that changed, by subject.", "各科目中发生变化的答案。"),
                    draw=_drawing_of(pair),
                )

    def _draw_categories(self, width: float) -> Figure:
        names = [_AVERAGE, *CATEGORIES, self.benchmark.group]
        present = [
            name
            for name in names
            if name == _AVERAGE or any(name in run.errors for run in self.scored)
        ]
        rows = [
            Row(label=row_name(name), points=[_group_point(run, name) for run in self.scored])
            for name in present
        ]
        return charts.categories(
            rows,
            runs=[Name(f"{run.label} · {run.setting}", run.number) for run in self.scored],
            neighbours=[
                Neighbour(
                    label=report_tables.row_label(row),
                    values={
                        row_name(name): value
                        for name, value in {_AVERAGE: row.average, **row.categories}.items()
                    },
                )
                for row in self.neighbours
            ],
            baselines=self.baselines(),
            width=width,
        )

    def _draw_subjects(self, width: float) -> Figure:
        rows = []
        for subject in self.subjects_sorted():
            points: list[Point | None] = []
            for run in self.scored:
                tally = run.scores.subjects.get(subject) if run.scores else None
                if tally is None:
                    points.append(None)
                else:
                    low, high = wilson(tally.correct, tally.count)
                    points.append(Point(value=tally.accuracy, low=low, high=high))
            label = wording.subject_name(self.runs[0].result, subject)
            rows.append(Row(label=label, points=points))
        return charts.subjects(
            rows,
            runs=[Name(run.label, run.number) for run in self.scored],
            baselines=self.baselines(),
            width=width,
        )

    def _draw_calibration(self, width: float) -> Figure:
        return charts.calibration(
            [run.calibration for run in self.scored],
            runs=[
                Name(
                    run.label + (f" · ECE {run.calibration.error:.1f}" if run.calibration else ""),
                    run.number,
                )
                for run in self.scored
            ],
            width=width,
        )


class Report:
    """See the module."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = tuple(runs)
        by_benchmark: dict[str, list[Run]] = {}
        for run in runs:
            by_benchmark.setdefault(run.result.benchmark.id, []).append(run)
        self.sections = tuple(
            Section(
                benchmark=group[0].result.benchmark, runs=tuple(group), pairs=tuple(_pairs(group))
            )
            for group in by_benchmark.values()
        )

    @classmethod
    def of(cls, results: Sequence[Result]) -> Report:
        """Raises InvalidRequestError for none or too many results."""
        if not 1 <= len(results) <= MAX_RESULTS:
            raise InvalidRequestError(
                pick(
                    f"{len(results)} results; a report shows 1 to {MAX_RESULTS}",
                    f"共 {len(results)} 个结果；一份报告可展示 1 到 {MAX_RESULTS} 个",
                )
            )
        return cls(runs_of(results))

    @property
    def title(self) -> str:
        names = " & ".join(section.benchmark.title for section in self.sections)
        if len(self.runs) == 1:
            return f"{self.runs[0].label} · {names}"
        return pick(
            f"{names}: {len(self.runs)} runs compared", f"{names}：{len(self.runs)} 次评测对比"
        )

    @property
    def has_speed(self) -> bool:
        return any(run.rate for run in self.runs)

    def facts_of(self, run: Run) -> list[str]:
        """Where a run stands, and all that a reader of its number must know."""
        section = next(one for one in self.sections if run in one.runs)
        place = section.places.get(run.number)
        if place is None:
            return wording.notes(run.result)
        rank = [leaderboard_text.place_line(place)] if place.rank else []
        notes = leaderboard_text.run_notes(place.run)
        return rank + [one for one in notes if one != run.verdict]

    def all_pictures(self) -> Iterator[Picture]:
        for section in self.sections:
            yield from section.pictures()
        if self.has_speed:
            yield self.speed_picture()

    def speed_picture(self) -> Picture:
        return Picture(
            name="speed",
            title=pick("Speed", "速度"),
            caption=pick(
                "Questions per second in each run's last sitting, on the machine it ran on.",
                "各次评测最后一次运行时每秒的题数，取自其所在的机器。",
            ),
            draw=lambda width: charts.speed(
                [run.rate for run in self.runs],
                runs=[Name(f"{run.label} · {run.setting}", run.number) for run in self.runs],
                width=width,
            ),
        )

    def html(self) -> str:
        """The page."""
        import jinja2
        from markupsafe import Markup

        environment = jinja2.Environment(
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        source = files("qingyu.prove").joinpath("report.html.jinja").read_text(encoding="utf-8")

        def drawn(picture: Picture) -> Markup:
            both = []
            for kind, width in (("wide", pictures.WIDE), ("narrow", pictures.NARROW)):
                prefix = f"{picture.name}-{kind}"
                figure = pictures.inline(picture.draw(width), prefix, picture.title)
                both.append(f'<div class="{kind}">{figure}</div>')
            return Markup("".join(both))

        with pictures.style():
            return environment.from_string(source).render(
                report=self,
                tables=report_tables,
                words=wording,
                t=pick,
                language="zh-CN" if language() == "zh" else "en",
                drawn=drawn,
                light=Markup(pictures.page_colours("light")),
                dark=Markup(pictures.page_colours("dark")),
            )

    def write(self, folder: Path) -> list[Path]:
        """Write every file; their paths, the page first."""
        folder.mkdir(parents=True, exist_ok=True)
        written = []

        def put(name: str, content: str | bytes) -> None:
            path = folder / name
            path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
            written.append(path)

        put("report.html", self.html())
        put("report.md", report_files.markdown(self))
        put("subjects.csv", report_files.subjects_csv(self))
        put("answers.csv", report_files.answers_csv(self))
        for picture in self.all_pictures():
            with pictures.style():
                put(f"{picture.name}.svg", pictures.svg(picture.draw(pictures.WIDE)))
                put(f"{picture.name}.png", pictures.png(_drawn_with_fonts(picture)))
        return written


def write_report(results: Sequence[Result], folder: Path) -> list[Path]:
    """`Report.of` and `Report.write` in one: what `qingyu eval` does at its end."""
    return Report.of(results).write(folder)


def row_name(name: str) -> str:
    """Of a row of categories."""
    return pick("Average", "平均") if name == _AVERAGE else group_name(name)


def _drawn_with_fonts(picture: Picture) -> Figure:
    """In English when there is no font for Chinese."""
    if language() == "zh" and pictures.chinese_font() is None:
        return pictures.without_chinese(lambda: picture.draw(pictures.WIDE))
    return picture.draw(pictures.WIDE)


def _group_point(run: Run, name: str) -> Point | None:
    assert run.scores is not None
    if name == _AVERAGE:
        value, error = run.scores.macro, run.scores.standard_error
    elif name in run.errors:
        value, error = run.scores.groups[name], run.errors[name]
    else:
        return None
    return Point(value=value, low=value - error, high=value + error)


def _drawing_of(pair: Pair) -> Callable[[float], Figure]:
    def draw(width: float) -> Figure:
        rows = [
            Flips(
                label=wording.subject_name(pair.first, subject),
                gained=pair.flips[subject].gained,
                lost=pair.flips[subject].lost,
                other=pair.flips[subject].other,
            )
            for subject in sorted(
                pair.flips,
                key=lambda one: (pair.flips[one].lost - pair.flips[one].gained, one),
            )
        ]
        return charts.differences(rows, width=width)

    return draw


def _pairs(runs: Sequence[Run]) -> Iterator[tuple[Run, Run, Pair]]:
    """Each run with the first one before it that was asked the same questions."""
    scored = [run for run in runs if run.scores is not None]
    for place, second in enumerate(scored):
        for first in scored[:place]:
            if not why_not(first.result, second.result):
                yield first, second, Pair.of(first.result, second.result)
                break
