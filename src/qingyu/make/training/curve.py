"""The loss as a picture, and as a few lines of text.

    write_png(folder.metrics(), Path("loss.png"), title="whisper")
    print(as_text(folder.metrics(), width=60))

Both are of the lines of metrics.jsonl, whatever run they are of.
"""

from __future__ import annotations

import math
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qingyu.text import pick

_PAPER, _INK, _MUTED, _GRID = "#fffffe", "#1c2126", "#5c6670", "#d9dee3"
_TRAINING, _HELD_OUT = "#1f5fbf", "#c0500c"
_MOST_POINTS = 400
_MARKS = "▁▂▃▄▅▆▇█"

Points = list[tuple[int, float]]


def series(metrics: Sequence[Mapping[str, Any]], key: str) -> Points:
    """(step, value) of the lines that have a finite value."""
    return [
        (one["step"], float(one[key]))
        for one in metrics
        if isinstance(one.get(key), int | float) and math.isfinite(one[key])
    ]


def thinned(points: Points, most: int) -> Points:
    """At most so many: means of neighbours, at their last step."""
    size = -(-len(points) // most) if points else 1
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


def write_png(metrics: Sequence[Mapping[str, Any]], path: Path, *, title: str) -> None:
    """Training loss in means of neighbouring steps, held-out loss as measured; nats per token.
    Small: some 20 kB."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"font.size": 9, "text.parse_math": False}):
        figure = Figure(figsize=(6.4, 3.2), facecolor=_PAPER, layout="constrained")
        axes = figure.add_subplot(facecolor=_PAPER)
        training = thinned(series(metrics, "loss"), _MOST_POINTS)
        held_out = series(metrics, "held_out_loss")
        axes.plot(*_columns(training), color=_TRAINING, linewidth=1.2, label="training")
        if held_out:
            axes.plot(
                *_columns(held_out), color=_HELD_OUT, marker="o", markersize=3, label="held out"
            )
        for name, spine in axes.spines.items():
            spine.set_visible(name == "bottom")
            spine.set_color(_MUTED)
        axes.grid(True, color=_GRID, linewidth=0.7)
        axes.tick_params(colors=_MUTED, labelcolor=_INK, length=3)
        axes.set_xlabel("step", color=_INK)
        axes.set_ylabel("loss, nats per token", color=_INK)
        axes.set_title("".join(one if one.isascii() else "?" for one in title), color=_INK)
        axes.legend(frameon=False, labelcolor=_INK)
        temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
        try:
            figure.savefig(temporary, format="png", dpi=100, metadata={"Software": None})
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def _columns(points: Points) -> tuple[list[int], list[float]]:
    return [step for step, _ in points], [value for _, value in points]


def as_text(metrics: Sequence[Mapping[str, Any]], *, width: int = 60, height: int = 6) -> str:
    """A plot of the training loss in block letters, axis at its left; "" when there is none."""
    points = thinned(series(metrics, "loss"), width)
    if len(points) < 2:
        return ""
    values = [value for _, value in points]
    low, high = min(values), max(values)
    levels = len(_MARKS) * height
    scaled = [round((value - low) / ((high - low) or 1) * (levels - 1)) + 1 for value in values]
    lines = []
    for row in reversed(range(height)):
        label = {height - 1: f"{high:.2f}", 0: f"{low:.2f}"}.get(row, "")
        marks = "".join(_mark(one - row * len(_MARKS)) for one in scaled)
        lines.append(f"{label:>7} ┤{marks.rstrip()}")
    ends = pick(
        f"loss, steps {points[0][0]} to {points[-1][0]}",
        f"损失，第 {points[0][0]} 至 {points[-1][0]} 步",
    )
    return "\n".join([*lines, f"{'':>7} └{'─' * len(points)}", f"{'':>9}{ends}"])


def _mark(eighths: int) -> str:
    return " " if eighths <= 0 else _MARKS[min(eighths, len(_MARKS)) - 1]
