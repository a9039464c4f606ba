"""How far a long piece of work is: a bar on a terminal, plain lines elsewhere.

    with shown_progress("default") as progress:
        pull("default", progress=progress)

Everything goes to stderr. Rich is loaded when there is something to show.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from qingyu.cli.common import human_bytes, printable
from qingyu.text import pick

Report = Callable[[str, int, int | None], None]

# Work this small is over before anyone reads about it.
_WORTH_SHOWING = 8 << 20
_SECONDS_BETWEEN_LINES = 5.0


def _word(stage: str) -> str:
    return {
        "download": pick("downloading", "下载"),
        "extract": pick("unpacking", "解包"),
        "verify": pick("verifying", "校验"),
        "export": pick("exporting", "导出"),
        "import": pick("importing", "导入"),
        "write": pick("writing", "写入"),
    }.get(stage, stage)


def _wants_bar() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def shown_progress(title: str) -> Iterator[Report]:
    """A function to report bytes done to; what it shows is gone when the block ends."""
    title = printable(title)
    if not _wants_bar():
        yield _lines(title)
        return
    bar = _Bar(title)
    try:
        yield bar.report
    finally:
        bar.stop()


def _lines(title: str, clock: Callable[[], float] = time.monotonic) -> Report:
    """A line when a download begins, and one every few seconds of any long work."""
    last = clock()
    begun = False

    def report(stage: str, done: int, total: int | None) -> None:
        nonlocal last, begun
        if total is not None and total < _WORTH_SHOWING:
            return
        begins = stage == "download" and not begun
        if not begins and clock() - last < _SECONDS_BETWEEN_LINES:
            return
        begun |= begins
        last = clock()
        whole = f" / {human_bytes(total)}" if total else ""
        share = f" ({100 * done // total}%)" if total else ""
        line = f"{title}: {_word(stage)} {human_bytes(done)}{whole}{share}"
        print(line, file=sys.stderr, flush=True)

    return report


class _Bar:
    """One line of rich's, shown from the first report of work that takes a while."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.display: Any = None
        self.task: Any = None
        self.stage = ""

    def report(self, stage: str, done: int, total: int | None) -> None:
        if total is not None and total < _WORTH_SHOWING:
            return
        if self.display is None:
            self.display = self._start()
        if stage != self.stage:
            if self.task is not None:
                self.display.remove_task(self.task)
            name = f"{self.title}: {_word(stage)}"
            self.task = self.display.add_task(name, total=total, completed=done)
            self.stage = stage
        self.display.update(self.task, completed=done, total=total)

    def _start(self) -> Any:
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self.title = escape(self.title)
        display = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        display.start()
        return display

    def stop(self) -> None:
        if self.display is not None:
            self.display.stop()


@contextmanager
def shown_questions(
    title: str, unit: str = "questions"
) -> Iterator[Callable[[int, int, int], None]]:
    """A function to report questions to: (answered, in all, answered right); or tokens."""
    title = printable(title)
    if not _wants_bar():
        yield _question_lines(title, unit=unit)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[right]}"),
        Remaining(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task(escape(title), total=None, rate="", right="")
        clock = _Rate(unit=unit)

        def report(done: int, total: int, right: int) -> None:
            display.update(
                task, completed=done, total=total, rate=clock.text(done), right=_right(done, right)
            )

        yield report


class _Rate:
    """Questions or tokens per second since the first report."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, unit: str = "questions"
    ) -> None:
        self.clock = clock
        self.unit = pick(unit, {"questions": "题", "tokens": "词元"}[unit])
        self.start: tuple[float, int] | None = None

    def text(self, done: int) -> str:
        if self.start is None:
            self.start = self.clock(), done
        began, first = self.start
        seconds = self.clock() - began
        if done == first or seconds <= 0:
            return ""
        rate = (done - first) / seconds
        return pick(f"{rate:.1f} {self.unit}/s", f"{rate:.1f} {self.unit}/秒")


def _right(done: int, right: int) -> str:
    return pick(f"{right / done:.1%} right", f"正确 {right / done:.1%}") if done and right else ""


def _question_lines(
    title: str, clock: Callable[[], float] = time.monotonic, unit: str = "questions"
) -> Callable[[int, int, int], None]:
    """A line every few seconds."""
    last = clock()
    rate = _Rate(clock, unit)

    def report(done: int, total: int, right: int) -> None:
        nonlocal last
        shown = rate.text(done)
        if clock() - last < _SECONDS_BETWEEN_LINES:
            return
        last = clock()
        parts = [f"{done} / {total}", shown, _right(done, right)]
        print(f"{title}: {', '.join(filter(None, parts))}", file=sys.stderr, flush=True)

    return report


@contextmanager
def shown_steps(title: str) -> Iterator[Callable[[int, int, str], None]]:
    """A function to report steps of a training to: (done, in all, how it goes in words)."""
    title = printable(title)
    if not _wants_bar():
        yield _step_lines(title)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[words]}"),
        Remaining(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task(escape(title), total=None, words="")
        yield lambda done, total, words: display.update(
            task, completed=done, total=total, words=words
        )


def _step_lines(
    title: str, clock: Callable[[], float] = time.monotonic
) -> Callable[[int, int, str], None]:
    """A line every few seconds, and one for the last step."""
    last = clock()

    def report(done: int, total: int, words: str) -> None:
        nonlocal last
        if clock() - last < _SECONDS_BETWEEN_LINES and done < total:
            return
        last = clock()
        print(f"{title}: {done} / {total}, {words}", file=sys.stderr, flush=True)

    return report
