"""What `qingyu assist` shows: what changed, why, and how everything is.

show(answer, world)         # the reply to stdout, changes and reasons to stderr
state_rows(assistant)       # one row a device, by area
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from qingyu.cli import common
from qingyu.text import language, pick

if TYPE_CHECKING:
    from qingyu.act.answers import Answer, Fired, Step
    from qingyu.act.assistant import Assistant
    from qingyu.act.calls import Call, Verdict
    from qingyu.act.records.journal import Entry
    from qingyu.act.records.schedules import Schedule
    from qingyu.act.world import Value, World


def show(answer: Answer, world: World) -> None:
    print(common.printable(answer.text), flush=True)
    for line in (*change_lines(answer.steps, world), why(answer)):
        common.notice(common.printable(line))


def change_lines(steps: Iterable[Step], world: World) -> list[str]:
    """A line for everything that changed: device, what, before and after."""
    lines = []
    for step in steps:
        for id, values in step.after.items():
            entity = world.entity(id)
            name = entity.name(language()) if entity is not None else id
            for key, value in values.items():
                before = step.before.get(id, {}).get(key)
                if key != "last_mode":
                    lines.append(f"  {name} · {key}: {shown(before)} → {shown(value)}")
    return lines


def shown(value: Value | None) -> str:
    """A value as in a household's file."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        entries = (
            one if isinstance(one, str) else " ".join(f"{key}={each}" for key, each in one.items())
            for one in value
        )
        return f"[{', '.join(entries)}]"
    return str(value) if value != "" else '""'


def why(answer: Answer) -> str:
    """Who understood it, as which calls, and what the guard said."""
    paths = {
        "fast": pick("templates", "模板"),
        "model": pick("skill model", "技能模型"),
        "rule": pick("rule", "规则"),
        "talk": pick("chat model", "对话模型"),
        "none": pick("nobody", "无人理解"),
    }
    parts = [paths[answer.path]]
    if answer.form:
        parts.append(answer.form)
    parts += [verdict_words(one) for one in answer.verdicts]
    parts.append(pick(f"{answer.seconds * 1000:.0f} ms", f"{answer.seconds * 1000:.0f} 毫秒"))
    return f"  [{' · '.join(parts)}]"


def verdict_words(verdict: Verdict) -> str:
    """turn_on light.desk: fine; set light.desk brightness=130: out_of_range 1..100%."""
    text = f"{call_words(verdict.call)}: {verdict.outcome}"
    if verdict.outcome == "out_of_range" and verdict.low is not None and verdict.high is not None:
        text += f" {verdict.low:g}..{verdict.high:g}{verdict.unit}"
    elif verdict.reason:
        text += f" ({verdict.reason})"
    return text


def call_words(call: Call) -> str:
    arguments = " ".join(f"{key}={value}" for key, value in call.arguments.items())
    return f"{call.action} {call.entity} {arguments}".strip()


def fired_lines(fired: Fired, world: World) -> list[str]:
    lead = "\a⏰" if fired.schedule.rings else f"({pick('planned', '定时')}: {fired.schedule.text})"
    return [
        f"{lead} {fired.text}",
        *change_lines(fired.steps, world),
    ]


def news_line(one: Schedule | Entry) -> str:
    """What a person was not told yet."""
    from qingyu.act.records.schedules import Schedule

    if not isinstance(one, Schedule):
        return pick(
            f"interrupted, may have happened: {call_words(one.call)}",
            f"被中断，可能已执行：{call_words(one.call)}",
        )
    at = f"{one.at:%Y-%m-%d %H:%M}"
    match one.status:
        case "missed":
            return pick(f"missed at {at}: {one.text}", f"错过了 {at} 的：{one.text}")
        case "unclear":
            return pick(
                f"may or may not have happened at {at}: {one.text}",
                f"{at} 的是否已执行不确定：{one.text}",
            )
    return pick(
        f"failed at {at}: {one.text} ({one.detail})", f"{at} 的失败：{one.text}（{one.detail}）"
    )


def schedule_row(one: Schedule) -> tuple[str, ...]:
    calls = "; ".join(call_words(call) for call in one.calls)
    days = "" if one.days == "once" else one.days
    return (str(one.id), f"{one.at:%Y-%m-%d %H:%M:%S}", days, one.text, calls)


def state_rows(assistant: Assistant, only: str = "") -> list[tuple[str, ...]]:
    """Device, state, attributes; of an area or of devices of a name where `only` is one."""
    world, state = assistant.world, assistant.state()
    areas = {one.id for one in world.areas_named(only)} | ({only} if world.area(only) else set())
    some = world.named(only)
    rows = []
    for entity in world.entities:
        if only and entity.area not in areas and entity not in some and entity.id != only:
            continue
        values = dict(state.of(entity.id))
        now = shown(values.pop("state", ""))
        more = "  ".join(f"{key}={shown(one)}" for key, one in values.items() if key != "last_mode")
        area = world.area(entity.area)
        place = area.name(language()) if area is not None else ""
        rows.append((place, entity.name(language()), now if now != '""' else "", more))
    order = {one.name(language()): place for place, one in enumerate(world.areas)}
    return sorted(rows, key=lambda row: order.get(row[0], -1))
