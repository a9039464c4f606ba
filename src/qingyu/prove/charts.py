"""The report's pictures. They know numbers and names, no results.

    figure = subjects([Row("law", "Law", ...)], runs=["a", "b"], baselines=[...], width=WIDE)

Each takes a width in inches: WIDE for a page and a file, NARROW for a phone. All accuracies are
in percent. Call inside `pictures.style()`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from qingyu.prove import pictures
from qingyu.prove.pictures import (
    GRID,
    GUESS,
    INK,
    MARKERS,
    MUTED,
    NARROW,
    OTHER_MARKERS,
    OTHERS,
    PAPER,
    RUNS,
    blank,
    clip,
    legend,
    legend_height,
    text_width,
)
from qingyu.prove.uncertainty import Calibration, wilson
from qingyu.text import pick


class Name(NamedTuple):
    """Of a run. number: which colour and marker it has in every picture."""

    label: str
    number: int


@dataclass(frozen=True, kw_only=True)
class Point:
    """A value with its interval; low and high equal to it when none is known."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of a picture: points, one for each run, None where it has none."""

    label: str
    points: Sequence[Point | None]


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """A row of the leaderboard: its label, and its value in each row that it has."""

    label: str
    values: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What an answer of one letter to everything gets."""

    label: str
    value: float


def categories(
    rows: Sequence[Row],
    *,
    runs: Sequence[Name],
    neighbours: Sequence[Neighbour],
    baselines: Sequence[Baseline],
    width: float,
) -> Figure:
    """Runs with one standard error, the leaderboard's neighbours without; by category."""
    handles = [
        *_run_handles(runs),
        *(_other_handle(number, one.label) for number, one in enumerate(neighbours)),
        *_baseline_handles(baselines),
    ]
    # The neighbours have a lane of their own below the runs, so that none hides another.
    row_height, lane = 0.3 + 0.06 * len(runs), 0.1 if neighbours else 0.0
    whole = row_height + (_LABEL if width <= NARROW else 0)
    figure, axes, ys = _rows(rows, handles, width=width, row_height=row_height)
    places = {
        row.label: y - (lane + 0.02 * len(runs)) / whole for row, y in zip(rows, ys, strict=True)
    }
    ys = [y + lane / 2 / whole for y in ys]
    for number, one in enumerate(neighbours):
        known = [(value, places[label]) for label, value in one.values.items() if label in places]
        axes.plot(
            [value for value, _ in known],
            [y for _, y in known],
            marker=OTHER_MARKERS[number % len(OTHER_MARKERS)],
            color=OTHERS.light,
            linestyle="none",
            markersize=7,
            markeredgewidth=1.3,
        )
    _points(axes, rows, ys, runs)
    others = [value for one in neighbours for value in one.values.values()]
    _percent_axis(axes, rows, [*others, *(one.value for one in baselines)])
    axes.set_xlabel(
        pick("accuracy, % (bars: one standard error)", "正确率 %（误差线：一个标准误）")
    )
    _baselines(axes, baselines)
    return figure


def subjects(
    rows: Sequence[Row], *, runs: Sequence[Name], baselines: Sequence[Baseline], width: float
) -> Figure:
    """Every subject, in the order given, with its 95% interval."""
    handles = [*_run_handles(runs), *_baseline_handles(baselines)]
    figure, axes, ys = _rows(rows, handles, width=width, row_height=0.15 + 0.06 * len(runs))
    _points(axes, rows, ys, runs, size=4.0)
    axes.set_xlim(0, 100)
    axes.set_xlabel(pick("accuracy, % (bars: 95% interval)", "正确率 %（误差线：95% 区间）"))
    _baselines(axes, baselines)
    return figure


def calibration(
    found: Sequence[Calibration | None], *, runs: Sequence[Name], width: float
) -> Figure:
    """How often the chosen letter is right, by how sure the model was; below, how many answers."""
    handles = [
        one for one, known in zip(_run_handles(runs), found, strict=True) if known is not None
    ]
    handles.append(
        Line2D([], [], color=MUTED.light, linestyle="--", label=pick("perfect", "完全校准"))
    )
    below = legend_height(handles, width) + 0.5
    side = min(width - 0.8, 4.2)
    figure, axes = blank(width=width, height=side + below + 0.95, left=0.6, bottom=below + 0.85)
    axes.grid(True, axis="y", color=GRID.light, linewidth=0.7)
    counts = figure.add_axes(
        (
            axes.get_position().x0,
            below / figure.get_figheight(),
            axes.get_position().width,
            0.65 / figure.get_figheight(),
        ),
        facecolor=PAPER.light,
        sharex=axes,
    )
    pictures.plain(counts)
    axes.plot([0, 100], [0, 100], color=MUTED.light, linestyle="--", linewidth=1)
    for one, (_, number) in zip(found, runs, strict=True):
        if one is None:
            continue
        middle = [each.confidence for each in one.bins]
        value = [each.accuracy for each in one.bins]
        ends = [wilson(each.correct, each.count) for each in one.bins]
        axes.errorbar(
            middle,
            value,
            yerr=[
                [max(0.0, v - low) for v, (low, _) in zip(value, ends, strict=True)],
                [max(0.0, high - v) for v, (_, high) in zip(value, ends, strict=True)],
            ],
            color=RUNS[number].light,
            marker=MARKERS[number],
            markersize=5,
            linewidth=1.2,
            elinewidth=0.9,
        )
        counts.plot(
            middle,
            [each.count for each in one.bins],
            color=RUNS[number].light,
            marker=MARKERS[number],
            markersize=3,
            linewidth=1.2,
        )
    axes.set_xlim(20, 101)
    axes.set_ylim(0, 101)
    axes.tick_params(labelbottom=False)
    axes.set_ylabel(pick("right, % (bars: 95%)", "答对 %（误差线：95%）"))
    counts.set_ylim(bottom=0)
    counts.set_ylabel(pick("answers", "答案数"))
    counts.set_xlabel(pick("probability of the chosen letter, %", "所选字母的概率 %"))
    legend(figure, handles)
    return figure


@dataclass(frozen=True, kw_only=True)
class Flips:
    """A subject's changed answers: those that became right, became wrong, and others."""

    label: str
    gained: int
    lost: int
    other: int


def differences(rows: Sequence[Flips], *, width: float) -> Figure:
    """Flips by subject: to the right what became right, to the left what became wrong."""
    kinds = (
        (RUNS[0].light, "", pick("became right", "改对")),
        (RUNS[1].light, "////", pick("became wrong", "改错")),
        (OTHERS.light, "", pick("another wrong letter", "仍错，换了选项")),
    )
    handles = [
        Patch(facecolor=colour, edgecolor=PAPER.light, hatch=hatch, label=label)
        for colour, hatch, label in kinds
    ]
    empty = [Row(label=one.label, points=()) for one in rows]
    figure, axes, ys = _rows(empty, handles, width=width, row_height=0.21)
    axes.set_xlim(
        -max(1, *(one.lost for one in rows)) - 0.5,
        max(1, *(one.gained + one.other for one in rows)) + 0.5,
    )
    style: dict[str, Any] = {"height": 0.62 if width > NARROW else 0.4, "edgecolor": PAPER.light}
    for (colour, hatch, _), values, starts in (
        (kinds[0], [one.gained for one in rows], [0] * len(rows)),
        (kinds[1], [-one.lost for one in rows], [0] * len(rows)),
        (kinds[2], [one.other for one in rows], [one.gained for one in rows]),
    ):
        axes.barh(ys, values, left=starts, color=colour, hatch=hatch, linewidth=0.6, **style)
    axes.axvline(0, color=INK.light, linewidth=1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
    axes.set_xlabel(pick("answers", "答案数"))
    return figure


def speed(rates: Sequence[float | None], *, runs: Sequence[Name], width: float) -> Figure:
    """Questions per second of each run; None where nothing was timed."""
    rows = [Row(label=one.label, points=()) for one in runs]
    figure, axes, ys = _rows(rows, [], width=width, row_height=0.3, above=True)
    longest = max((rate or 0 for rate in rates), default=0) or 1
    axes.set_xlim(0, longest * 1.18)
    for y, rate, (_, number) in zip(ys, rates, runs, strict=True):
        axes.barh(y, rate or 0, height=0.5, color=RUNS[number].light)
        axes.annotate(
            pick("not timed", "未计时") if rate is None else f"{rate:,.1f}",
            (rate or 0, y),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=INK.light,
        )
    axes.set_xlabel(pick("questions per second", "每秒题数"))
    return figure


# Inches that a label above its row takes.
_LABEL = 0.17


def _rows(
    rows: Sequence[Row],
    handles: Sequence[Any],
    *,
    width: float,
    row_height: float,
    above: bool = False,
) -> tuple[Figure, Axes, list[float]]:
    """A picture of labelled rows, first on top; the axes, and each row's y. The labels stand
    above their rows where it is narrow, else at their left unless `above`."""
    above = above or width <= NARROW
    below = 0.5 + (legend_height(handles, width) if handles else 0)
    if above:
        row_height += _LABEL
        left = 0.12
    else:
        left = min(3.2, 0.25 + max(text_width(row.label) for row in rows))
    height = below + 0.12 + row_height * len(rows)
    figure, axes = blank(width=width, height=height, left=left, bottom=below)
    ys = [float(len(rows) - 1 - number) for number in range(len(rows))]
    axes.set_ylim(-0.5, len(rows) - 0.5)
    if above:
        axes.set_yticks([])
        for y, row in zip(ys, rows, strict=True):
            axes.text(
                0.0,
                y + 0.5 - 0.04 / row_height,
                clip(row.label, width - left - 0.2),
                transform=axes.get_yaxis_transform(),
                va="top",
                color=INK.light,
                bbox={"facecolor": PAPER.light, "edgecolor": "none", "pad": 0.6},
                zorder=4,
            )
        ys = [y - _LABEL / 2 / row_height for y in ys]
    else:
        axes.set_yticks(ys, [clip(row.label, left - 0.1) for row in rows])
        axes.tick_params(axis="y", length=0)
    for y in range(len(rows) - 1):
        axes.axhline(y + 0.5, color=GRID.light, linewidth=0.5)
    if handles:
        legend(figure, handles)
    return figure, axes, ys


def _points(
    axes: Axes,
    rows: Sequence[Row],
    ys: Sequence[float],
    runs: Sequence[Name],
    *,
    size: float = 5.5,
) -> None:
    """Each row's points, one run above the other."""
    for place, (_, number) in enumerate(runs):
        offset = _offset(place, len(runs))
        known = [(row.points[place], y) for row, y in zip(rows, ys, strict=True)]
        found = [(one, y - offset) for one, y in known if one is not None]
        axes.errorbar(
            [one.value for one, _ in found],
            [y for _, y in found],
            xerr=[
                [max(0.0, one.value - one.low) for one, _ in found],
                [max(0.0, one.high - one.value) for one, _ in found],
            ],
            color=RUNS[number].light,
            marker=MARKERS[number],
            markersize=size,
            linestyle="none",
            elinewidth=1.1,
            zorder=3,
        )


def _offset(place: int, count: int) -> float:
    """How far a run's point lies below the middle of its row, in rows."""
    step = min(0.22, 0.6 / count)
    return (place - (count - 1) / 2) * step


def _percent_axis(axes: Axes, rows: Sequence[Row], others: Sequence[float]) -> None:
    """From a round number below all values to one above, in 0 to 100."""
    points = [one for row in rows for one in row.points if one is not None]
    low = min([*others, *(one.low for one in points)])
    high = max([*others, *(one.high for one in points)])
    axes.set_xlim(max(0.0, 5 * (low // 5) - 5), min(100.0, 5 * -(-high // 5) + 5))


def _baselines(axes: Axes, baselines: Sequence[Baseline]) -> None:
    for number, one in enumerate(baselines):
        axes.axvline(
            one.value, color=GUESS.light, linewidth=1.2, linestyle=_DASHES[number % len(_DASHES)]
        )


_DASHES = ((0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))


def _run_handles(runs: Sequence[Name]) -> list[Line2D]:
    return [
        Line2D(
            [],
            [],
            color=RUNS[number].light,
            marker=MARKERS[number],
            markersize=5.5,
            linestyle="none",
            label=label,
        )
        for label, number in runs
    ]


def _other_handle(number: int, label: str) -> Line2D:
    return Line2D(
        [],
        [],
        color=OTHERS.light,
        marker=OTHER_MARKERS[number % len(OTHER_MARKERS)],
        markersize=7,
        markeredgewidth=1.3,
        linestyle="none",
        label=label,
    )


def _baseline_handles(baselines: Sequence[Baseline]) -> list[Line2D]:
    return [
        Line2D(
            [],
            [],
            color=GUESS.light,
            linewidth=1.2,
            linestyle=_DASHES[number % len(_DASHES)],
            label=one.label,
        )
        for number, one in enumerate(baselines)
    ]
