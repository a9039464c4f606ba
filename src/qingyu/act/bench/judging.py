"""Whether a case came out right: by the state the household is in afterwards, and the reply.

judgement = judge(case, world, after, reply, schedules)
judgement.right, [str(one) for one in judgement.reasons]
"""

from __future__ import annotations

import datetime
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from qingyu.act.actions import apply
from qingyu.act.bench.cases import Case, Wanted, WantedSchedule, Words
from qingyu.act.calls import Call
from qingyu.act.state import State, changes
from qingyu.act.when import When
from qingyu.act.world import World
from qingyu.errors import ActionError
from qingyu.text import pick

NOTHING = "-"


@dataclass(frozen=True)
class Scheduled:
    """What an assistant has put off: calls, in order, and when."""

    when: When
    calls: tuple[Call, ...]


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a case is not right.

    missing: `where` should have changed and did not; wrong: it changed to another value; other:
    nobody asked for the change. reply, asks: the last reply lacks `wanted`. schedule: of what
    was put off.
    """

    kind: Literal["missing", "wrong", "other", "reply", "asks", "schedule"]
    where: str = ""
    wanted: str = ""
    got: str = ""

    def __str__(self) -> str:
        match self.kind:
            case "missing":
                return pick(
                    f"missing: {self.where} should be {self.wanted} and is still {self.got}",
                    f"缺少改变：{self.where} 应为 {self.wanted}，仍为 {self.got}",
                )
            case "wrong":
                return pick(
                    f"wrong: {self.where} should be {self.wanted} and became {self.got}",
                    f"改错：{self.where} 应为 {self.wanted}，变成了 {self.got}",
                )
            case "other":
                return pick(
                    f"other change: {self.where} became {self.got}",
                    f"多余的改变：{self.where} 变成了 {self.got}",
                )
            case "schedule":
                return pick(
                    f"schedule: {self.where} should be {self.wanted} and is {self.got}",
                    f"定时：{self.where} 应为 {self.wanted}，实为 {self.got}",
                )
        return pick(f"{self.kind} lacks {self.wanted}", f"{self.kind} 中缺少 {self.wanted}")


@dataclass(frozen=True)
class Judgement:
    reasons: tuple[Reason, ...]

    @property
    def right(self) -> bool:
        return not self.reasons

    @property
    def wrongly_done(self) -> bool:
        """Whether something changed, now or later, that should not, or not to this. Nothing at all
        put off is missing, not wrong."""
        return any(
            one.kind in ("wrong", "other") or (one.kind == "schedule" and one.got != NOTHING)
            for one in self.reasons
        )


def judge(
    case: Case,
    world: World,
    after: State,
    reply: str,
    schedules: Sequence[Scheduled] = (),
) -> Judgement:
    """after: when all turns were said. reply: to the last turn. schedules: all that were added.

    Of several right outcomes the nearest one counts.
    """
    of_changes = min((_compare(one, case.may, case.beginning, after) for one in case.any), key=len)
    return Judgement(
        (
            *of_changes,
            *_judge_schedules(case.schedule, world, after, schedules),
            *_lacking("reply", case.reply, reply),
            *_lacking("asks", case.asks, reply),
        )
    )


def _compare(wanted: Wanted, may: Wanted, before: State, after: State) -> list[Reason]:
    changed = changes(before, after)
    reasons = []
    for id, keys in wanted.items():
        for key, matcher in keys.items():
            value = after.get(id, key)
            if not matcher.matches(value):
                moved = key in changed.get(id, {})
                reasons.append(
                    Reason(
                        kind="wrong" if moved else "missing",
                        where=f"{id}.{key}",
                        wanted=str(matcher),
                        got=str(value),
                    )
                )
    for id, values in changed.items():
        for key, value in values.items():
            allowed = may.get(id, {}).get(key)
            if key in wanted.get(id, {}) or (allowed is not None and allowed.matches(value)):
                continue
            reasons.append(Reason(kind="other", where=f"{id}.{key}", got=str(value)))
    return reasons


def _lacking(kind: Literal["reply", "asks"], words: Words, reply: str) -> list[Reason]:
    text = _comparable(reply)
    return [
        Reason(kind=kind, wanted="|".join(group))
        for group in words
        if not any(_comparable(one) in text for one in group)
    ]


def _comparable(text: str) -> str:
    """Without case, wide forms and curly apostrophes: "？" is "?"."""
    return unicodedata.normalize("NFKC", text).replace("’", "'").casefold()


def _judge_schedules(
    wanted: WantedSchedule | None, world: World, after: State, schedules: Sequence[Scheduled]
) -> list[Reason]:
    """Several at the same moment count as one."""
    if wanted is None:
        return [
            Reason(kind="schedule", where="at", wanted=NOTHING, got=str(one.when))
            for one in schedules
        ]
    if not schedules:
        return [Reason(kind="schedule", where="at", wanted=str(wanted.when), got=NOTHING)]
    said = world.now or datetime.datetime.min
    due = wanted.when.due(said, world.sun)
    reasons = [
        Reason(kind="schedule", where="at", wanted=str(wanted.when), got=str(one.when))
        for one in schedules
        if one.when.due(said, world.sun) != due
    ]
    fired = after
    for one in schedules:
        for call in one.calls:
            try:
                fired = apply(world, fired, call)
            except ActionError as error:
                reasons.append(Reason(kind="schedule", where=call.entity, got=str(error)))
    found = _compare(wanted.want, {}, after, fired)
    return reasons + [
        Reason(kind="schedule", where=one.where, wanted=one.wanted or NOTHING, got=one.got)
        for one in found
    ]
