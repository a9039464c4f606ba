"""The report as Markdown and CSV.

    markdown(report), subjects_csv(report), answers_csv(report)

CSV begins with a byte-order mark, so that spreadsheets read Chinese; a cell that a spreadsheet
would compute gets an apostrophe in front.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from qingyu.prove import report_tables
from qingyu.prove.report_tables import Table
from qingyu.prove.uncertainty import letter_probabilities, wilson
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.prove.report import Report
    from qingyu.prove.report_runs import Run


def markdown(report: Report) -> str:
    """GitHub's Markdown, with the pictures beside it."""
    lines = [f"# {plain_words(report.title)}", ""]
    for run in report.runs:
        lines.append(
            f"- **{plain_words(run.label)}** ({plain_words(run.setting)}): {run.verdict}".rstrip(
                ": "
            )
        )
        lines += [f"  - {plain_words(fact)}" for fact in report.facts_of(run)]
    for section in report.sections:
        lines += ["", f"## {section.benchmark.title}"]
        for picture in section.pictures():
            lines += ["", _image(picture.name, picture.title), "", plain_words(picture.caption)]
        for table in report_tables.of_section(section):
            lines += markdown_table(table)
    lines += ["", f"## {pick('All runs', '全部评测')}"]
    if report.has_speed:
        lines += ["", _image("speed", report.speed_picture().title)]
    for table in report_tables.of_report(report):
        lines += markdown_table(table)
    return "\n".join(lines) + "\n"


def subjects_csv(report: Report) -> str:
    """One line for each run and subject; accuracies and intervals in percent."""
    rows = []
    for run in report.runs:
        if run.scores is not None:
            for subject, tally in run.scores.subjects.items():
                known = run.result.benchmark.subjects[subject]
                low, high = wilson(tally.correct, tally.count)
                share = tally.correct / tally.count
                error = 100 * (share * (1 - share) / tally.count) ** 0.5
                rows.append(
                    [
                        *_run_cells(run),
                        subject,
                        pick(known.name_en, known.name_zh),
                        known.category,
                        tally.correct,
                        tally.count,
                        f"{tally.accuracy:.4f}",
                        f"{error:.4f}",
                        f"{low:.4f}",
                        f"{high:.4f}",
                    ]
                )
    head = "subject,name,category,correct,count,accuracy,standard_error,low95,high95"
    return csv_text([*_RUN_HEAD, *head.split(",")], rows)


def answers_csv(report: Report) -> str:
    """One line for each answer; p_a to p_d sum to one. No question and no text of a model."""
    rows = []
    for run in report.runs:
        for one, key in zip(run.result.answers, run.result.keys, strict=True):
            chances: Sequence[str] = [""] * 4
            if one.log_probs is not None:
                chances = [f"{value:.6f}" for value in letter_probabilities(one)]
            rows.append(
                [
                    *_run_cells(run),
                    one.subject,
                    one.id,
                    one.choice,
                    key,
                    int(one.choice == key) if key else "",
                    *chances,
                    one.rule or "",
                    int(one.cut),
                    one.prompt_tokens,
                    one.dropped_shots,
                ]
            )
    head = "subject,id,choice,key,correct,p_a,p_b,p_c,p_d,rule,cut,prompt_tokens,dropped_shots"
    return csv_text([*_RUN_HEAD, *head.split(",")], rows)


_RUN_HEAD = ("run", "benchmark", "split", "shots", "protocol", "method")


def _run_cells(run: Run) -> list[object]:
    exam = run.result.exam
    return [run.label, *(exam[name] for name in _RUN_HEAD[1:])]


def csv_text(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV that spreadsheets read; see the module."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return "\ufeff" + file.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, int | float):
        return value
    words = str(value)
    is_formula = words.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{words}" if is_formula else words


def markdown_table(table: Table) -> list[str]:
    """Lines of a table with its title and note."""
    columns = len(table.head)
    marks = ["---"] + (["---"] if table.words else ["---:"]) * (columns - 1)
    lines = ["", f"### {plain_words(table.title)}", ""]
    for row in (table.head, None, *table.rows):
        cells = marks if row is None else [plain_words(cell) for cell in row]
        lines.append("| " + " | ".join(cells) + " |")
    if table.note:
        lines += ["", plain_words(table.note)]
    return lines


def _image(name: str, title: str) -> str:
    return f"![{plain_words(title)}]({name}.svg)"


def plain_words(words: str) -> str:
    """Words that Markdown shows as they are: no markup, no link, no HTML."""
    return re.sub(r"([\\`*_{}\[\]<>#|!~&@$]|:(?=//))", r"\\\1", words)
