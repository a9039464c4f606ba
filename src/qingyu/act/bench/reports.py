"""Files of a run or a comparison: report.md, CSV, a picture, and the failures apart.

    write_report(result, folder)
    write_comparison(summaries, folder)

What the cases say is in answers.csv, failures.md, journal.jsonl and result.json only, so that
the figures can be looked at by whoever must not see the sentences of a test split.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from qingyu import text
from qingyu.act.bench import tables
from qingyu.act.bench.results import Result, Summary
from qingyu.act.bench.scores import ALL, LEAST_CASES, Tally
from qingyu.prove.report_files import markdown_table, plain_words
from qingyu.prove.report_tables import Table
from qingyu.text import pick

PICTURE = "categories"
_MOST_FAILURES = 50
_MOST_SYSTEMS = 8
"""As many colours there are."""


def write_report(result: Result, folder: Path) -> list[Path]:
    """report.md, categories.csv, categories.svg and .png, answers.csv, failures.md."""
    names = [tables.language_name(one) for one in result.scores.tallies if one != "both"]
    some = [result.scores.tallies[one] for one in result.scores.tallies if one != "both"]
    written = _write(folder, "report.md", _page(tables.of_result(result)))
    written += _write(folder, "categories.csv", tables.tallies_csv([result]))
    written += _write(folder, "answers.csv", tables.answers_csv(result))
    written += _write(folder, "failures.md", tables.failures(result, most=_MOST_FAILURES))
    return written + _draw(result.scores.categories, names, some, folder)


def write_comparison(results: Sequence[Summary], folder: Path) -> list[Path]:
    """The same of several systems, without answers."""
    written = _write(folder, "report.md", _page(tables.of_several(results)))
    written += _write(folder, "categories.csv", tables.tallies_csv(results))
    names = tables.labels(results)[:_MOST_SYSTEMS]
    some = [one.scores.tallies[one.scores.whole] for one in results[:_MOST_SYSTEMS]]
    return written + _draw(results[0].scores.categories, names, some, folder)


def _write(folder: Path, name: str, content: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return [path]


def _page(found: Iterable[Table]) -> str:
    every = list(found)
    title = pick("Acting, by category", "动作评测，按类别")
    lines = [f"# {plain_words(every[0].title)}", "", f"![{title}]({PICTURE}.svg)"]
    for table in every:
        lines += markdown_table(table)
    return "\n".join(lines) + "\n"


def _draw(
    categories: Sequence[str],
    names: Sequence[str],
    some: Sequence[Mapping[str, Tally]],
    folder: Path,
) -> list[Path]:
    from matplotlib.figure import Figure

    from qingyu.prove import charts, pictures
    from qingyu.prove.uncertainty import wilson

    def point(tallies: Mapping[str, Tally], category: str) -> charts.Point | None:
        tally = tallies.get(category)
        if tally is None:
            return None
        low, high = wilson(tally.right, tally.count)
        return charts.Point(value=tally.share, low=low, high=high)

    def draw() -> Figure:
        return charts.subjects(
            [
                charts.Row(
                    label=tables.category_name(one), points=[point(each, one) for each in some]
                )
                for one in (*categories, ALL)
            ],
            runs=[charts.Name(name, number) for number, name in enumerate(names)],
            baselines=[
                charts.Baseline(
                    label=pick(
                        f"required of a category of {LEAST_CASES} cases",
                        f"对 {LEAST_CASES} 例以上类别的要求",
                    ),
                    value=65,
                )
            ],
            width=pictures.WIDE,
        )

    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / f"{PICTURE}.svg", folder / f"{PICTURE}.png"]
    with pictures.style():
        written[0].write_text(pictures.svg(draw()), encoding="utf-8")
        no_font = text.language() == "zh" and pictures.chinese_font() is None
        figure = pictures.without_chinese(draw) if no_font else draw()
        written[1].write_bytes(pictures.png(figure))
    return written
