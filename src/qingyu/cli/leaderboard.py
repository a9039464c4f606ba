"""`qingyu leaderboard`: published C-Eval and CMMLU scores, and a run of one's own among them.

    qingyu leaderboard --class 2-8B
    qingyu leaderboard --add runs/ceval-val --same-setting

Delegates to `qingyu.prove.leaderboard`; nothing is measured or downloaded.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qingyu.cli import common, flags, layout
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.prove.leaderboard import Board, Place, Standing
    from qingyu.prove.published import SizeClass


def register(app: typer.Typer) -> None:
    app.command(
        "leaderboard",
        short_help=pick("Where a score stands", "看成绩排在哪里"),
        help=pick(
            "Show published C-Eval or CMMLU scores with their sources, and where a run of"
            " qingyu eval stands among them: overall and among models of its size. Classes:"
            " ≤2B, 2-8B, 8-20B, 20-80B, >80B.",
            "列出已公布的 C-Eval 或 CMMLU 成绩及来源，并显示 qingyu eval 的结果在其中的名次："
            "总排名与同规模排名。规模组：≤2B、2-8B、8-20B、20-80B、>80B。",
        ),
    )(leaderboard)


def leaderboard(
    benchmark: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            show_default=pick("that of --add, else ceval", "随 --add，否则为 ceval"),
            help=pick("ceval or cmmlu", "ceval 或 cmmlu"),
        ),
    ] = None,
    class_: Annotated[
        str | None,
        typer.Option(
            "--class",
            metavar="CLASS",
            show_default=False,
            help=pick(
                "only models of this class, or of the class of this size: 2-8B, 80B+, 7B",
                "只列此规模组，或此规模所在的组：2-8B、80B+、7B",
            ),
        ),
    ] = None,
    add: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RESULT",
            show_default=False,
            help=pick(
                "a run of qingyu eval: its folder or result.json; may be repeated",
                "qingyu eval 的一次结果：目录或 result.json；可重复",
            ),
        ),
    ] = None,
    same_setting: Annotated[
        bool,
        typer.Option(
            "--same-setting",
            help=pick(
                "only rows with the split and shots of the runs added",
                "只列与所加入结果的部分和示例数相同的成绩",
            ),
        ),
    ] = False,
    every: Annotated[
        bool,
        typer.Option(
            "--all",
            help=pick(
                "also the rows of a model beside the one that is ranked",
                "同时列出各模型未参与排名的其他成绩",
            ),
        ),
    ] = False,
    sources: Annotated[
        bool, typer.Option("--sources", help=pick("say where each row is from", "注明各行来源"))
    ] = False,
    as_json: Annotated[bool, flags.as_json()] = False,
) -> None:
    from qingyu.prove.leaderboard import Board
    from qingyu.prove.published import find_size_class
    from qingyu.prove.results import Result

    wanted = find_size_class(class_) if class_ is not None else None
    results = [Result.read(path) for path in add or ()]
    name = benchmark or (results[0].benchmark.id if results else "ceval")
    board = Board.load(name).with_runs(results)
    standings = board.standings(same_setting=same_setting, every=every)
    shown = [one for one in standings if wanted is None or one.row.size_class == wanted]
    places = [(board.place(result), board.place(result, same_setting=True)) for result in results]
    if as_json:
        common.print_json(record(board, standings, shown, wanted, places))
        return
    from qingyu.cli import standings as table
    from qingyu.prove.leaderboard_text import board_notes

    total = shutil.get_terminal_size((80, 24)).columns
    print(common.styled(table.title(board, standings, wanted), common.BOLD, sys.stdout))
    print("\n".join(table.lines(board, shown, total, sources=sources)))
    if sources:
        print("\n" + "\n".join(table.source_lines(shown)))
    print()
    for note in board_notes(board, standings, same_setting=same_setting, every=every):
        print("\n".join(layout.wrap(note, total)))
    for overall, alike in places:
        print("\n" + "\n".join(table.place_lines(overall, alike, total)))


def record(
    board: Board,
    standings: Sequence[Standing],
    shown: Sequence[Standing],
    wanted: SizeClass | None,
    places: Sequence[tuple[Place, Place]],
) -> dict[str, Any]:
    """The board as --json prints it."""
    from qingyu.prove.leaderboard import settings_among

    return {
        "benchmark": board.benchmark.id,
        "class": wanted.name if wanted else None,
        "recorded": sum(one.rank is not None and not one.row.is_run for one in standings),
        "settings": [
            {"split": split or None, "shots": shots or None, "rows": count}
            for (split, shots), count in settings_among(standings).items()
        ],
        "rows": [row_record(board, one) for one in shown],
        "places": [
            {
                "model": overall.run.model,
                "setting": overall.run.described,
                "average": overall.run.average,
                "standard_error": overall.run.standard_error,
                "flags": list(overall.run.flags),
                **place_record(overall),
                "same_setting": place_record(alike),
            }
            for overall, alike in places
        ],
    }


def row_record(board: Board, standing: Standing) -> dict[str, Any]:
    """One row; what is not known is null."""
    row, setting = standing.row, standing.row.setting
    return {
        "rank": standing.rank,
        "class_rank": standing.class_rank,
        "class": row.size_class.name if row.size_class else None,
        "model": row.model,
        "parameters": int(row.parameters) if row.parameters is not None else None,
        "average": row.average,
        "standard_error": row.standard_error,
        "categories": dict(row.categories),
        "averaging": row.averaging(board.benchmark),
        "split": setting.split or None,
        "shots": setting.shots or None,
        "method": setting.method or None,
        "runner": setting.runner or None,
        "seen_in": setting.seen_in or None,
        "setting": row.described,
        "date": row.date or None,
        "source": row.source or None,
        "run": row.is_run,
        "withdrawn": row.withdrawn,
        "differs": list(standing.differs),
        "flags": list(row.flags),
    }


def place_record(place: Place) -> dict[str, Any]:
    return {
        "rank": place.rank,
        "of": place.of,
        "recorded": place.recorded,
        "class": place.size_class.name if place.size_class else None,
        "class_rank": place.class_rank,
        "class_of": place.class_of,
        "neighbours": [one.row.model for one in place.neighbours],
        "class_neighbours": [one.row.model for one in place.class_neighbours],
    }
