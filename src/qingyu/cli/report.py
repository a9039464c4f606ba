"""`qingyu report`: a page, pictures, Markdown and CSV of results.

    qingyu report ceval-run --out report
    qingyu report full-precision quantized --lang zh

Delegates to `qingyu.prove.report`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qingyu.cli import common
from qingyu.text import language, pick


def register(app: typer.Typer) -> None:
    app.command(
        "report",
        short_help=pick("A page and pictures of results", "把评测结果做成网页和图"),
        help=pick(
            "Make a report of one or more results of qingyu eval: report.html (one file, no"
            " script, nothing from outside), report.md, two CSV files, and the pictures as SVG"
            " and PNG. Results on the same questions are also compared. --lang zh makes it"
            " Chinese.",
            "把一个或多个 qingyu eval 的结果做成报告：report.html（单个文件，无脚本，"
            "不取外部资源）、"
            "report.md、两个 CSV 文件，以及 SVG 和 PNG 图。题目相同的结果还会逐题对比。"
            "--lang en 可生成英文报告。",
        ),
    )(report)


def report(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULT",
            help=pick(
                "result.json of an evaluation, or its folder", "评测的 result.json 或其所在文件夹"
            ),
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help=pick("folder to write to; made if missing", "写入的文件夹，可不存在"),
        ),
    ] = Path("report"),
) -> None:
    from qingyu.prove import pairs, pictures
    from qingyu.prove.report import Report

    made = Report.of(pairs.read(results))
    written = made.write(out)
    for run in made.runs:
        print(f"{run.label} ({run.setting}): {run.verdict or run.headline}")
        for fact in made.facts_of(run):
            print(f"  {fact}")
    if language() == "zh" and pictures.chinese_font() is None:
        common.notice("没有找到中文字体，因此 PNG 图中的文字为英文；SVG 和网页不受影响")
    common.notice(
        pick(
            f"wrote {len(written)} files to {out}; open {written[0]}",
            f"已在 {out} 写入 {len(written)} 个文件；请打开 {written[0]}",
        )
    )
