"""A leaderboard as text for a terminal of some width.

    print("\\n".join(lines(board, shown, total=80)))

Knows the columns; the sentences are those of `qingyu.prove.leaderboard_text`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qingyu.cli import common, layout
from qingyu.prove.benchmarks import CATEGORIES, CATEGORY_NAMES_ZH
from qingyu.prove.leaderboard import Board, Place, Standing
from qingyu.prove.leaderboard_text import (
    brief_text,
    measured_text,
    pair_text,
    place_line,
    run_notes,
)
from qingyu.prove.published import DECIMALS, SizeClass
from qingyu.text import pick

# Columns from which on there is more: who measured and how in full; averages by category.
_WIDE, _WIDEST = 110, 140
_SHORT_NAMES = {"Social Science": "Social", "Humanities": "Human.", "China specific": "China"}


@dataclass(frozen=True, kw_only=True)
class Column:
    head: str
    cell: Callable[[Standing], str]
    right: bool = False


def title(board: Board, standings: Sequence[Standing], wanted: SizeClass | None) -> str:
    """Which board, and how many rows of it."""
    recorded = [one.row for one in standings if one.rank and not one.row.is_run]
    parts = [
        board.benchmark.title,
        pick(f"{len(recorded)} recorded rows", f"已收录 {len(recorded)} 条成绩"),
    ]
    if wanted is not None:
        number = sum(row.size_class == wanted for row in recorded)
        parts.append(pick(f"{number} in {wanted.name}", f"{wanted.name} 组 {number} 条"))
    return " · ".join(parts)


def lines(
    board: Board, shown: Sequence[Standing], total: int, *, sources: bool = False
) -> list[str]:
    """Head and rows, each of at most `total` columns; own runs bold, unranked rows dim."""
    if not shown:
        return [pick("no row", "没有成绩")]
    columns = _columns(board, shown, total)
    if sources:
        numbers = {address: number for number, address in enumerate(_addresses(shown), 1)}
        columns.append(
            Column(
                head=pick("from", "来源"),
                cell=lambda one: f"[{numbers[one.row.source]}]" if one.row.source else "",
                right=True,
            )
        )
    room = total - max(map(layout.width, _table(columns, shown))) - 2
    if room >= 4:  # less would show nothing of it
        described = measured_text if total >= _WIDE else brief_text
        columns.append(
            Column(
                head=layout.clip(pick("measured", "测得"), room),
                cell=lambda one: layout.clip(_measured(one, described), room),
            )
        )
    head, *rows = (layout.clip(line, total) for line in _table(columns, shown))
    return [
        common.styled(head, common.DIM, sys.stdout),
        *(
            common.styled(line, style, sys.stdout) if (style := _style(one)) else line
            for line, one in zip(rows, shown, strict=True)
        ),
    ]


def source_lines(shown: Sequence[Standing]) -> list[str]:
    """The addresses that the column `from` numbers; never cut, so that they can be opened."""
    return [f"[{number}] {address}" for number, address in enumerate(_addresses(shown), 1)]


def place_lines(overall: Place, alike: Place, total: int) -> list[str]:
    """Where a run stands, and what to know of that. alike: among rows of its setting."""
    run = overall.run
    head = f"{common.printable(run.model)} · {pair_text(run.setting.pair)} · {run.setting.method}"
    found = [place_line(overall)]
    if overall.rank is not None:
        same = pick("with the same split and shots: ", "部分与示例数相同者中：")
        none = pick("no recorded row", "没有已收录的成绩")
        found.append(same + (place_line(alike) if alike.recorded else none))
    found += run_notes(run)
    shown = [common.styled(layout.clip(head, total), common.BOLD, sys.stdout)]
    for sentence in found:
        first, *rest = layout.wrap(common.printable(sentence), total - 4)
        shown += ["  - " + first, *("    " + line for line in rest)]
    return shown


def _columns(board: Board, shown: Sequence[Standing], total: int) -> list[Column]:
    decimals = DECIMALS[board.benchmark.id]

    def percent(value: float | None) -> str:
        return "" if value is None else f"{value:.{decimals}f}"

    columns = [
        Column(head=pick("#", "名次"), cell=_rank, right=True),
        Column(head=pick("in class", "组内"), cell=_in_class),
        Column(
            head=pick("model", "模型"),
            cell=lambda one: layout.clip(
                common.printable(one.row.model), 22 if total < 100 else 40
            ),
        ),
        Column(head=pick("size", "规模"), cell=_size, right=True),
        Column(head=pick("average", "平均"), cell=lambda one: percent(one.row.average), right=True),
    ]
    if any(one.row.is_run for one in shown):
        columns.append(
            Column(head="±", cell=lambda one: percent(one.row.standard_error), right=True)
        )
    if total >= _WIDEST:
        for name in (*CATEGORIES, board.benchmark.group):
            columns.append(
                Column(
                    head=pick(_SHORT_NAMES.get(name, name), CATEGORY_NAMES_ZH[name]),
                    cell=lambda one, name=name: percent(one.row.categories.get(name)),  # type: ignore[misc]
                    right=True,
                )
            )
    columns.append(Column(head=pick("setting", "设置"), cell=_setting))
    return columns


def _table(columns: Sequence[Column], shown: Sequence[Standing]) -> list[str]:
    return layout.table(
        [[one.head for one in columns], *([one.cell(row) for one in columns] for row in shown)],
        right=frozenset(place for place, one in enumerate(columns) if one.right),
    )


def _rank(standing: Standing) -> str:
    """With the row's mark: > a run of one's own, ~ another setting than that."""
    mark = ">" if standing.row.is_run else "~" if standing.differs else " "
    return f"{mark} {standing.rank or '-':>2}"


def _in_class(standing: Standing) -> str:
    if standing.row.size_class is None:
        return "-"
    return f"{standing.row.size_class.name:<6} {standing.class_rank or '-':>2}"


def _size(standing: Standing) -> str:
    size = standing.row.parameters
    return "?" if size is None else common.human_count(int(size))


def _setting(standing: Standing) -> str:
    """Split and shots; ! where a run has notes that stand below the table."""
    row = standing.row
    if row.withdrawn:
        return pick("withdrawn", "已撤回")
    return pair_text(row.setting.pair) + (" !" if row.flags else "")


def _measured(standing: Standing, described: Callable[..., str]) -> str:
    text = common.printable(described(standing.row.setting))
    if "guessing" in standing.row.flags:
        return pick("like guessing; ", "如同猜测；") + text
    return text


def _style(standing: Standing) -> str:
    if standing.row.is_run:
        return common.BOLD
    return "" if standing.rank else common.DIM


def _addresses(shown: Sequence[Standing]) -> list[str]:
    """Without repeats, in the order of the rows."""
    return list(dict.fromkeys(one.row.source for one in shown if one.row.source))
