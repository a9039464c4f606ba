"""The figures of act-bench as tables: for the terminal, as Markdown, as CSV.

for table in of_result(result): table.title, table.head, table.rows
for table in of_several(summaries): ...
failures(result, most=10)                # Markdown, the worst first
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from qingyu.act.bench.answers import Answer
from qingyu.act.bench.results import Result, Summary
from qingyu.act.bench.scores import (
    ALL,
    BOTH,
    SAFETY,
    Scored,
    Scores,
    Tally,
    requirements,
    safety_name,
)  # fmt: skip
from qingyu.prove.report_files import csv_text, plain_words
from qingyu.prove.report_tables import NOTHING, Table
from qingyu.text import pick

_MOST_LETTERS = 300
"""Of a note that is quoted."""
_CHINESE = {
    ALL: "全部", "plain": "直接", "alias": "别名", "several": "多设备", "area": "区域与楼层",
    "exception": "例外", "number": "数值与单位", "relative": "相对", "color": "颜色与场景",
    "wish": "愿望", "question": "提问", "reference": "指代", "schedule": "定时",
    "ambiguous": "有歧义", "unsupported": "不支持", "absent": "不存在", "range": "超范围",
    "risky": "有风险", "talk": "闲聊", "mixed": "混合语言", "noise": "语音噪声", "phone": "手机",
    "car": "汽车", "robot": "机器人",
}  # fmt: skip


def category_name(category: str) -> str:
    return pick(category, _CHINESE[category])


def language_name(language: str) -> str:
    names = {"zh": ("Chinese", "中文"), "en": ("English", "英文"), BOTH: ("both", "合计")}
    return pick(*names[language])


def of_result(result: Summary) -> Iterator[Table]:
    """By category and language, and what is required beside what was measured."""
    yield by_category(result)
    yield required(result)


def by_category(result: Summary) -> Table:
    scores = result.scores
    head = [pick("category", "类别")]
    for language in scores.tallies:
        name = language_name(language)
        head += [name, "%", pick("wrongly done", "误执行")]
    head += [pick("median ms", "中位 ms"), pick("p95 ms", "95 分位 ms")]
    rows = []
    for category in (*scores.categories, ALL):
        row = [category_name(category)]
        for some in scores.tallies.values():
            tally = some.get(category)
            row += (
                [NOTHING] * 3
                if tally is None
                else [f"{tally.right}/{tally.count}", f"{tally.share:.1f}", str(tally.wrong)]
            )
        whole = scores.tallies[scores.whole][category]
        rows.append([*row, _milliseconds(whole.median), _milliseconds(whole.p95)])
    return Table(title=_title(result), head=head, rows=rows, note=_note(result))


def required(result: Summary) -> Table:
    return Table(
        title=pick("What is required of the assistant", "对助手的要求"),
        head=[
            "",
            pick("measured", "实测"),
            pick("required", "要求"),
            pick("goal", "目标"),
            pick("met", "达到"),
        ],
        rows=[
            [
                one.name,
                one.value or NOTHING,
                one.required,
                one.goal,
                NOTHING
                if one.met is None
                else pick("goal", "目标")
                if one.reached
                else pick("yes", "是")
                if one.met
                else pick("no", "否"),
            ]
            for one in requirements(result.scores)
        ],
        words=True,
    )


def of_several(results: Sequence[Summary]) -> Iterator[Table]:
    """Several systems on the same cases: as a whole, and by category."""
    names = labels(results)
    yield Table(
        title=pick("Systems", "各系统"),
        head=[
            pick("system", "系统"),
            *(f"{language_name(one)} %" for one in results[0].scores.tallies),
            pick("wrongly done", "误执行"),
            pick("safe where nothing is to be done", "不该做时无误"),
            pick("talk, questions unchanged", "闲聊提问未变"),
            pick("outside", "越界"),
            pick("median ms", "中位 ms"),
            pick("p95 ms", "95 分位 ms"),
            pick("memory MB", "内存 MB"),
        ],
        rows=[_system_row(name, one.scores) for name, one in zip(names, results, strict=True)],
        note=_system_note(),
    )
    scores = results[0].scores
    yield Table(
        title=pick("Right by category, %", "各类别正确率 %")
        + f" ({' / '.join(map(language_name, scores.tallies))})",
        head=[pick("category", "类别"), pick("cases", "用例"), *names],
        rows=[
            [
                category_name(category),
                str(scores.tallies[scores.whole][category].count),
                *(
                    " / ".join(
                        f"{some[category].share:.0f}" if category in some else NOTHING
                        for some in one.scores.tallies.values()
                    )
                    for one in results
                ),
            ]
            for category in (*scores.categories, ALL)
        ],
    )


def labels(results: Sequence[Summary]) -> list[str]:
    """A name for each, told apart by a number where they are the same."""
    names: list[str] = []
    for one in results:
        name, number = one.name, 1
        while name in names:
            number += 1
            name = f"{one.name} ({number})"
        names.append(name)
    return names


def _system_row(name: str, scores: Scores) -> list[str]:
    whole = scores.tallies[scores.whole][ALL]
    safety = [_part(scores.safety[scores.whole][row]) for row in SAFETY]
    return [
        name,
        *(f"{some[ALL].share:.1f}" for some in scores.tallies.values()),
        f"{whole.wrong} ({100 * whole.wrong / whole.count:.1f}%)",
        *safety,
        str(scores.outside),
        _milliseconds(whole.median),
        _milliseconds(whole.p95),
        f"{scores.memory / 10**6:.0f}" if scores.memory else NOTHING,
    ]


def _system_note() -> str:
    return pick(
        "Wrongly done: something changed that should not, or not to this."
        f" Safe: {safety_name('nothing_wrong')}."
        " Outside: carried out although the guard does not pass it, or text outside the grammar."
        " Models with a tool prompt and endpoints act without the guard: what is valid is done, and"
        " asking for a yes is up to them.",
        f"误执行：改变了不该改变的，或改成了别的。无误：{safety_name('nothing_wrong')}。"
        "越界：守卫不放行却执行了，或文本不合语法。"
        "带工具提示的模型与端点不经过守卫：有效的调用即执行，是否先征求同意由模型自己决定。",
    )


def _part(found: tuple[int, int]) -> str:
    fine, count = found
    return f"{100 * fine / count:.1f}% ({fine}/{count})" if count else NOTHING


def _milliseconds(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _title(result: Summary) -> str:
    cases = result.cases
    return f"{result.name} · {cases['name']} · {cases['count']} " + pick("cases", "例")


def _note(result: Summary) -> str:
    scores = result.scores
    parts = []
    if scores.errors:
        parts.append(
            pick(
                f"{scores.errors} cases ended in an error and count as not right.",
                f"{scores.errors} 个用例以出错结束，计为不正确。",
            )
        )
    if result.cases.get("limit") is not None or result.cases.get("categories"):
        parts.append(pick("A part of the cases only.", "只是部分用例。"))
    return " ".join(parts)


def tallies_csv(results: Sequence[Summary]) -> str:
    """One line for each system, language and category."""
    rows: list[list[object]] = []
    for name, result in zip(labels(results), results, strict=True):
        for language, some in result.scores.tallies.items():
            for category, tally in some.items():
                rows.append([name, language, category, *_numbers(tally)])
    head = "system,language,category,cases,right,percent,wrongly_done,median_ms,p95_ms"
    return csv_text(head.split(","), rows)


def _numbers(tally: Tally) -> list[object]:
    times = ["" if one is None else one for one in (tally.median, tally.p95)]
    return [tally.count, tally.right, round(tally.share, 3), tally.wrong, *times]


def answers_csv(result: Result) -> str:
    """One line for each case, with what was said and replied."""
    rows = [
        [
            one.case.id,
            one.case.language,
            one.case.category,
            int(one.right),
            int(one.judgement.wrongly_done),
            one.answer.outside,
            " | ".join(one.case.say),
            " | ".join(one.answer.replies),
            "; ".join(map(str, one.judgement.reasons)),
            one.answer.error,
            round(1000 * max(one.answer.seconds, default=0), 3),
        ]
        for one in result.every
    ]
    head = "case,language,category,right,wrongly_done,outside,said,replied,reasons,error,slowest_ms"
    return csv_text(head.split(","), rows)


def failures(result: Result, *, most: int) -> str:
    """The worst failures quoted, as Markdown: what was said, done and replied, and what is
    amiss."""
    worst = result.failures[:most]
    lines = [
        f"# {plain_words(_title(result))}",
        "",
        pick(
            f"The {len(worst)} worst of {len(result.failures)} failures.",
            f"{len(result.failures)} 个失败中最严重的 {len(worst)} 个。",
        ),
    ]
    for one in worst:
        lines += ["", f"## {plain_words(one.case.id)}", ""]
        lines += [f"- {plain_words(' '.join(part.split()))}" for part in quoted(one)]
    return "\n".join(lines) + "\n"


def quoted(one: Scored) -> Iterator[str]:
    """A case as people want to see it, line by line."""
    answer: Answer = one.answer
    for number, text in enumerate(one.case.say):
        yield pick(f"said: {text}", f"说：{text}")
        if number < len(answer.replies):
            yield pick(f"replied: {answer.replies[number]}", f"答：{answer.replies[number]}")
        if number < len(answer.notes) and answer.notes[number]:
            note = answer.notes[number]
            note = note if len(note) <= _MOST_LETTERS else note[:_MOST_LETTERS] + "…"
            yield pick(f"because: {note}", f"依据：{note}")
    if answer.done:
        yield pick(f"did: {_listed(answer.done)}", f"做了：{_listed(answer.done)}")
    for later in answer.schedules:
        yield pick(
            f"put off to {later.when}: {_listed(later.calls)}",
            f"推后到 {later.when}：{_listed(later.calls)}",
        )
    for reason in one.judgement.reasons:
        yield str(reason)
    if answer.outside:
        yield pick(
            f"outside grammar or guard: {answer.outside}", f"越出语法或守卫：{answer.outside}"
        )
    if answer.error:
        yield pick(f"error: {answer.error}", f"出错：{answer.error}")


def _listed(calls: Sequence[Any]) -> str:
    return "; ".join(
        " ".join([one.action, one.entity, *(f"{k}={v}" for k, v in one.arguments.items())])
        for one in calls
    )
