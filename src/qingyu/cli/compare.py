"""`qingyu compare`: what two results on the same questions differ by.

    qingyu compare full-precision quantized
    qingyu compare a/result.json b/result.json --json

Delegates to `qingyu.prove.pairs`.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qingyu.cli import common, flags, layout
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.prove.pairs import Pair
    from qingyu.prove.results import Result

# Lines of each list.
_MOST = 8


def _result() -> str:
    return pick("result.json of an evaluation, or its folder", "评测的 result.json 或其所在文件夹")


def register(app: typer.Typer) -> None:
    app.command(
        "compare",
        short_help=pick("What two results differ by", "比较两个评测结果"),
        help=pick(
            "Pair two results of qingyu eval question by question: how many answers changed, how"
            " many became right or wrong, the difference with its 95% interval and McNemar's"
            " test, the subjects and letters that changed most. Results on other questions are"
            " refused.",
            "把两个 qingyu eval 的结果逐题配对：有多少答案不同、多少改对或改错、分差及其 95% 区间、"
            "McNemar 检验，以及变化最多的科目和选项。题目不同的结果会被拒绝。",
        ),
    )(compare)


def compare(
    first: Annotated[Path, typer.Argument(metavar="FIRST", help=_result())],
    second: Annotated[Path, typer.Argument(metavar="SECOND", help=_result())],
    as_json: Annotated[bool, flags.as_json()] = False,
) -> None:
    from qingyu.prove import pairs

    pair = pairs.Pair.of(*pairs.read([first, second]))
    if as_json:
        common.print_json(record(pair))
    else:
        print("\n".join(lines(pair)))


def record(pair: Pair) -> dict[str, Any]:
    """The comparison as --json prints it. Differences in percent points."""
    return {
        "first": _identity(pair.first),
        "second": _identity(pair.second),
        "settings_differ": list(pair.settings_differ),
        **asdict(pair.comparison),
        "flips_by_subject": {subject: asdict(found) for subject, found in pair.flips.items()},
    }


def lines(pair: Pair) -> list[str]:
    """The comparison for people."""
    from qingyu.prove import wording

    found = [
        *layout.table(
            [
                (
                    label,
                    wording.clean(result.name),
                    wording.setting(result),
                    wording.verdict(result.scores),
                )
                for label, result in (
                    (pick("first", "第一个"), pair.first),
                    (pick("second", "第二个"), pair.second),
                )
            ]
        ),
        "",
        wording.difference(pair),
        wording.flips(pair),
    ]
    if warning := wording.settings_warning(pair):
        found.append(warning)
    for result in (pair.first, pair.second):
        found += [f"{wording.clean(result.name)}: {note}" for note in wording.notes(result)]
    if pair.flips:
        head = (
            pick("subject", "科目"),
            pick("changed", "变化"),
            pick("right", "改对"),
            pick("wrong", "改错"),
            pick("points", "分差"),
        )
        rows = [
            (
                wording.subject_name(pair.first, subject),
                str(pair.flips[subject].all),
                f"+{pair.flips[subject].gained}",
                f"-{pair.flips[subject].lost}",
                f"{pair.comparison.by_subject[subject]:+.1f}",
            )
            for subject in pair.most_changed[:_MOST]
        ]
        found += ["", *layout.table([head, *rows], right=frozenset({1, 2, 3, 4}))]
        moves = list(pair.comparison.letters.items())[:_MOST]
        listed = pick(", ", "，").join(f"{move} {count}" for move, count in moves)
        found += ["", pick(f"letters that moved: {listed}", f"选项的变化：{listed}")]
    return found


def _identity(result: Result) -> dict[str, Any]:
    scores = result.scores
    return {
        "name": result.name,
        "setting": result.setting,
        "macro": scores.macro,
        "standard_error": scores.standard_error,
        "beats_guessing": scores.beats_guessing,
        "unparsed": scores.unparsed,
        "complete": result.is_complete,
    }
