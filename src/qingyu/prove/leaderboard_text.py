"""What there is to say of a board and of places on it, English or Chinese.

    place_line(place)      "rank 7 of 59 (58 recorded rows), 2 of 18 in 2-8B"
    board_notes(board, standings)

A rank never stands without the number of rows it is among, nor a row without its setting.
"""

from __future__ import annotations

from collections.abc import Sequence

from qingyu.prove import wording
from qingyu.prove.leaderboard import Board, Place, Standing, settings_among
from qingyu.prove.published import Row, Setting
from qingyu.text import language, pick

_CHINESE = {
    "answer-only": "只答选项",
    "chat generation": "对话生成",
    "chat CoT": "对话思维链",
    "C-Eval team": "C-Eval 团队",
    "vendor": "厂商",
    "Qwen memo": "Qwen 报告",
}


def pair_text(pair: tuple[str, str]) -> str:
    """Split and shots: "test, 0-shot"; "?" for what is not stated."""
    split, shots = pair
    split, comma = split or "?", pick(", ", "，")
    known = {
        "": pick("?-shot", "? 例"),
        "few": pick("few-shot", "少例"),
    }
    return split + comma + known.get(shots, pick(f"{shots}-shot", f"{shots} 例"))


def measured_text(setting: Setting) -> str:
    """Who measured how, and where the row stands, as far as stated."""
    parts = [one for one in (setting.runner, setting.method, setting.seen_in) if one]
    if language() == "zh":
        parts = [_CHINESE.get(one, one.replace("board ", "官方榜单 ")) for one in parts]
    return pick(", ", "，").join(parts)


def brief_text(setting: Setting) -> str:
    """The same in one word, for a narrow terminal."""
    for word, english, chinese in (
        ("C-Eval team", "team", "团队"),
        ("vendor", "vendor", "厂商"),
        ("board", "board", "榜单"),
        ("memo", "memo", "报告"),
        ("README", "README", "README"),
    ):
        if word in setting.runner + setting.seen_in:
            return pick(english, chinese)
    return setting.method.partition(",")[0]


def place_line(place: Place) -> str:
    """Overall rank and that in the class, each with the number it is out of."""
    if place.rank is None:
        return pick("not ranked", "不参与排名")
    own = place.of - place.recorded
    among = pick(
        f"{place.recorded} recorded rows and {'this run' if own == 1 else f'{own} runs'}",
        f"{place.recorded} 条已收录成绩加{'本次运行' if own == 1 else f' {own} 次运行'}",
    )
    line = pick(
        f"rank {place.rank} of {place.of} ({among})",
        f"{place.of} 个中排第 {place.rank}（{among}）",
    )
    if place.size_class is None:
        return line + pick("; no class: size not known", "；规模未知，不参与组内排名")
    return line + pick(
        f"; {place.class_rank} of {place.class_of} in {place.size_class.name}",
        f"；{place.size_class.name} 组 {place.class_of} 个中排第 {place.class_rank}",
    )


def run_notes(row: Row) -> list[str]:
    """All that a reader of a run's rank must know."""
    assert row.result is not None
    notes = []
    if "guessing" in row.flags:
        notes.append(wording.verdict(row.result.scores))
    if "harness" in row.flags:
        notes.append(
            pick(
                "protocol harness: other prompts and scoring than the published rows",
                "harness 协议：提示与计分方式不同于已公布的成绩",
            )
        )
    for method in ("generate", "cot"):
        if method in row.flags:
            notes.append(
                pick(
                    f"method {method}: the letter was read out of written text; most published"
                    " rows compare the next token or do not say",
                    f"{method} 方式：从生成的文字中读取选项；"
                    "已公布的成绩多按下一个词元计分或未说明",
                )
            )
    return notes + wording.notes(row.result)


def mixture(standings: Sequence[Standing], *, most: int = 8) -> str:
    """How many settings the ranked rows mix, and which; "" for one."""
    found = settings_among(standings)
    if len(found) < 2:
        return ""
    listed = [f"{pair_text(pair)} × {count}" for pair, count in list(found.items())[:most]]
    if len(found) > most:
        listed.append("…")
    return pick(
        f"Ranked rows mix {len(found)} settings, which are not comparable as such: ",
        f"参与排名的各行混有 {len(found)} 种设置，不能直接相比：",
    ) + pick("; ", "；").join(listed)


def board_notes(
    board: Board, standings: Sequence[Standing], *, same_setting: bool, every: bool
) -> list[str]:
    """What the board is and is not, its marks, in whole sentences."""
    notes = [mixture(standings)]
    recorded = sum(one.rank is not None and not one.row.is_run for one in standings)
    notes.append(
        pick(
            f"Ranks are among these {recorded} recorded rows: the board of a given day cannot be"
            " rebuilt in full.",
            f"排名仅限这 {recorded} 条已收录的成绩：某一天的完整榜单已无法重建。",
        )
    )
    which = pick(
        "One row per model is ranked: its best on test (or a split not stated), else its best on"
        " val",
        "每个模型只有一行参与排名：test（或未注明部分）上的最高成绩，没有则取 val 上的最高成绩",
    )
    if same_setting:
        pair = pair_text(board.runs[0].setting.pair)
        which = pick(
            f"Only rows with {pair}; one row per model is ranked, its best",
            f"只含设置为“{pair}”的成绩；每个模型只有最高的一行参与排名",
        )
    notes.append(which + ("" if every else pick(" (--all shows the rest)", "（--all 显示其余）")))
    if any(one.differs for one in standings):
        notes.append(
            pick(
                "~ split or shots differ from your run's, or are not stated: not a like-for-like"
                " comparison (--same-setting leaves these out)",
                "~ 部分或示例数与你的运行不同，或未注明：并非同条件比较（--same-setting 可去掉）",
            )
        )
    if any(one.row.flags for one in standings):
        notes.append(
            pick("! not to be compared without its notes, below", "! 须连同下方的说明一起看")
        )
    if any("" in one.row.setting.pair for one in standings):
        notes.append(pick("? not stated by the source", "? 来源未注明"))
    if any(one.row.setting.shots == "0/5" for one in standings):
        notes.append(pick("0/5-shot: the better of the two", "0/5 例：两者中较高的一个"))
    if any(one.row.parameters is None for one in standings):
        notes.append(
            pick(
                "A size not stated leaves a row out of the class ranks.",
                "规模未公布的模型不参与组内排名。",
            )
        )
    kinds = {one.row.averaging(board.benchmark) for one in standings if one.rank}
    if kinds & {"micro", "neither"}:
        odd = [
            one
            for one in standings
            if one.rank and one.row.averaging(board.benchmark) in ("micro", "neither")
        ]
        notes.append(
            pick(
                f"{len(odd)} ranked averages are not the macro average of their own categories"
                " (--json tells which): some are over questions, some follow from neither.",
                f"有 {len(odd)} 个参与排名的平均分不是其各类别的宏平均（--json 可查）："
                "有的按题平均，有的两者都不符。",
            )
        )
    return [one for one in notes if one]
