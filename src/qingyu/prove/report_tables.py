"""The report's numbers as tables of text, for the page and for Markdown alike.

for table in tables(report): table.title, table.head, table.rows
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qingyu.prove import leaderboard_text, wording
from qingyu.prove.benchmarks import CATEGORIES
from qingyu.prove.published import Row
from qingyu.prove.summary import group_name
from qingyu.prove.uncertainty import wilson
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.prove.report import Report, Section
    from qingyu.prove.report_runs import Run

NOTHING = "–"


@dataclass(frozen=True, kw_only=True)
class Table:
    """The first column is to the left, the others to the right unless `words`."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    words: bool = False


def of_report(report: Report) -> Iterator[Table]:
    """Those of all runs together."""
    yield speed(report)
    yield what_was_measured(report)


def of_section(section: Section) -> Iterator[Table]:
    """Those of one benchmark."""
    if section.scored:
        yield groups(section)
        if any(run.calibration for run in section.scored):
            yield calibration(section)
        if section.pairs:
            yield differences(section)
            yield letters(section)
        yield subjects(section)


def groups(section: Section) -> Table:
    """Averages with their standard error, and the leaderboard's neighbours."""
    rows = []
    for run in section.scored:
        assert run.scores is not None
        scores = run.scores
        rows.append(
            [
                f"{run.label} · {run.setting}",
                _with_error(scores.macro, scores.standard_error),
                f"{scores.micro:.1f}",
                *(
                    _with_error(scores.groups[name], run.errors[name])
                    if name in run.errors
                    else NOTHING
                    for name in (*CATEGORIES, section.benchmark.group)
                ),
            ]
        )
    for one in section.baselines():
        rows.append([one.label, f"{one.value:.1f}", *[NOTHING] * 6])
    for row in section.neighbours:
        rows.append(
            [
                row_label(row),
                f"{row.average:.1f}",
                NOTHING,
                *(
                    f"{row.categories[name]:.1f}" if name in row.categories else NOTHING
                    for name in (*CATEGORIES, section.benchmark.group)
                ),
            ]
        )
    return Table(
        title=pick("Averages, %", "平均分 %"),
        head=[
            pick("run", "评测"),
            pick("average (macro)", "平均（宏）"),
            pick("micro", "微平均"),
            *(group_name(name) for name in (*CATEGORIES, section.benchmark.group)),
        ],
        rows=rows,
        note=pick(
            "± is one standard error: by how much the number would move with other questions of"
            " the same kind. Macro is the mean of the subjects, micro that of the questions. Rows"
            " without ± are published scores, each in the setting it names; many are of another"
            " split or number of examples than yours.",
            "± 为一个标准误，即换一批同类题目时分数的波动。宏平均按科目平均，微平均按题目平均。"
            "不带 ± 的各行是公布的成绩，设置见其名；其中不少与你的划分或示例数不同。",
        ),
    )


def subjects(section: Section) -> Table:
    """Every subject: right of asked, and the 95% interval of the accuracy."""
    rows = []
    for subject in section.subjects_sorted():
        cells = []
        for run in section.scored:
            tally = run.scores.subjects.get(subject) if run.scores else None
            if tally is None:
                cells += [NOTHING, NOTHING, NOTHING]
            else:
                low, high = wilson(tally.correct, tally.count)
                cells += [
                    f"{tally.correct}/{tally.count}",
                    f"{tally.accuracy:.1f}",
                    f"{low:.0f}–{high:.0f}",
                ]
        rows.append([wording.subject_name(section.runs[0].result, subject), *cells])
    head = [pick("subject", "科目")]
    for run in section.scored:
        head += [
            pick(f"{run.label}: right", f"{run.label}：答对"),
            "%",
            pick("95% interval", "95% 区间"),
        ]
    return Table(title=pick("Subjects", "各科目"), head=head, rows=rows)


def calibration(section: Section) -> Table:
    """Expected calibration error and what it is made of."""
    rows = []
    for run in section.scored:
        found = run.calibration
        if found is not None:
            rows.append(
                [
                    f"{run.label} · {run.setting}",
                    f"{found.error:.1f}",
                    f"{found.by_chance:.1f}",
                    f"{found.confidence:.1f}",
                    f"{found.accuracy:.1f}",
                    f"{sum(each.count for each in found.bins):,}",
                ]
            )
    return Table(
        title=pick("Calibration, %", "校准 %"),
        head=[
            pick("run", "评测"),
            "ECE",
            pick("of a perfect model, by chance", "完全校准时的偶然值"),
            pick("mean probability", "平均概率"),
            pick("right", "答对"),
            pick("answers", "答案数"),
        ],
        rows=rows,
        note=pick(
            "ECE: mean distance between the probability of the chosen letter (softmax over the"
            " four) and how often it is right, in 20 bins. On so few questions a perfectly"
            " calibrated model would not show zero either.",
            "ECE：所选字母的概率（四个字母上的 softmax）与实际答对率之差的平均，分 20 组。"
            "题数有限时，完全校准的模型也不会恰好为零。",
        ),
    )


def differences(section: Section) -> Table:
    """Pairs of runs on the same questions."""
    rows = []
    for first, second, pair in section.pairs:
        found = pair.comparison
        rows.append(
            [
                f"{first.label} → {second.label}",
                f"{found.difference_macro:+.1f}",
                f"{found.low:+.1f} … {found.high:+.1f}",
                wording.p_value(found.p_value).removeprefix("= "),
                f"{found.flips:,} / {found.count:,}",
                f"{found.gained:,}",
                f"{found.lost:,}",
            ]
        )
    return Table(
        title=pick("Where two runs differ", "两次评测的差别"),
        head=[
            pick("runs", "评测"),
            pick("difference, points", "分差"),
            pick("95% interval", "95% 区间"),
            pick("p (McNemar)", "p（McNemar）"),
            pick("answers changed", "不同的答案"),
            pick("became right", "改对"),
            pick("became wrong", "改错"),
        ],
        rows=rows,
    )


def letters(section: Section) -> Table:
    """The commonest moves from one letter to another."""
    rows = []
    for first, second, pair in section.pairs:
        moves = list(pair.comparison.letters.items())[:8]
        subjects = [
            f"{wording.subject_name(first.result, one)} {pair.flips[one].all}"
            for one in pair.most_changed[:5]
        ]
        rows.append(
            [
                f"{first.label} → {second.label}",
                ", ".join(f"{move} {count}" for move, count in moves) or NOTHING,
                ", ".join(subjects) or NOTHING,
            ]
        )
    return Table(
        title=pick("What changed most", "变化最多之处"),
        head=[
            pick("runs", "评测"),
            pick("letters that moved", "选项的变化"),
            pick("subjects with most changes", "变化最多的科目"),
        ],
        rows=rows,
        words=True,
    )


def speed(report: Report) -> Table:
    """Of each run's last sitting."""
    rows = []
    for run in report.runs:
        time = run.result.time
        seconds, resumed = (wording.number(time.get(name)) for name in ("seconds", "resumed"))
        asked = len(run.result.answers) - int(resumed or 0)
        rows.append(
            [
                f"{run.label} · {run.setting}",
                NOTHING if run.rate is None else f"{run.rate:,.1f}",
                NOTHING if seconds is None else f"{seconds:,.1f}",
                f"{asked:,}",
                f"{int(resumed or 0):,}",
                f"{sum(one.prompt_tokens for one in run.result.answers):,}",
            ]
        )
    return Table(
        title=pick("Speed", "速度"),
        head=[
            pick("run", "评测"),
            pick("questions/s", "题/秒"),
            pick("seconds", "秒"),
            pick("questions timed", "计时题数"),
            pick("answered before", "此前已答"),
            pick("prompt tokens, all", "提示词元总数"),
        ],
        rows=rows,
        note=pick(
            "Each run's last sitting, on the machine it ran on: runs of different machines do not"
            " compare models.",
            "各次评测最后一次运行，取自其所在机器；不同机器的结果不能用来比较模型。",
        ),
    )


def what_was_measured(report: Report) -> Table:
    """Model, questions and program: a column for each run."""
    columns = [_identity(run) for run in report.runs]
    return Table(
        title=pick("What was measured", "评测对象"),
        head=["", *(run.label for run in report.runs)],
        rows=[[name, *(column[name] for column in columns)] for name in columns[0]],
        words=True,
    )


def row_label(row: Row) -> str:
    """A published row's model and setting."""
    setting = [
        leaderboard_text.pair_text(row.setting.pair),
        leaderboard_text.measured_text(row.setting),
    ]
    return f"{row.model} · " + pick(", ", "，").join(filter(None, setting))


def _identity(run: Run) -> dict[str, str]:
    result = run.result
    model, exam = result.model, result.exam
    size = wording.number(model.get("bytes"))
    parameters = wording.number(model.get("parameters"))
    types = model.get("types")
    kinds = ", ".join(map(str, types)) if isinstance(types, dict) and types else NOTHING
    return {
        pick("setting", "设置"): run.setting,
        pick("questions", "题数"): f"{len(result.answers):,}",
        pick("model, SHA-256", "模型 SHA-256"): _short(model.get("sha256", NOTHING)),
        pick("endpoint", "服务地址"): _short(model.get("endpoint", NOTHING)),
        pick("size", "大小"): NOTHING if size is None else f"{size / 1e6:,.1f} MB",
        pick("parameters", "参数量"): (
            NOTHING if parameters is None else f"{parameters / 1e6:,.1f} M"
        ),
        pick("types", "类型"): ", ".join(
            filter(None, (_short(kinds), wording.activations(result)))
        ),
        pick("data, SHA-256", "数据 SHA-256"): _short(exam["data_sha256"]),
        pick("started", "开始于"): _short(result.time.get("started", NOTHING)),
        pick("program", "程序"): f"qingyu {_short(result.version)}",
    }


def _short(value: Any, longest: int = 72) -> str:
    return wording.clean(str(value), longest=longest)


def _with_error(value: float, error: float) -> str:
    return f"{value:.1f} ± {error:.1f}"
