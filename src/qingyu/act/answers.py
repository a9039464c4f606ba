"""What comes back from a turn: the reply, and all that is needed to show why.

answer = assistant.say("关灯")
answer.text             # "已关闭大灯。"
answer.steps[0].after   # {"light.main": {"state": "off"}}
answer.as_json()        # the same for a page or a program
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from qingyu.act.calls import Call, Verdict
from qingyu.act.devices import Outcome
from qingyu.act.records.schedules import Schedule
from qingyu.act.state import Changes
from qingyu.act.values import thawed

Language = Literal["zh", "en"]
Path = Literal["fast", "model", "rule", "talk", "none"]
"""Who understood it: templates, the skill model, a handful of words in code (yes, undo, ...),
the chat model; "none" if nobody did."""
Pending = Literal["", "confirm", "which"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A call that a device was told. before, after: of all that changed because of it."""

    call: Call
    outcome: Outcome
    before: Changes = field(default_factory=dict)
    after: Changes = field(default_factory=dict)
    detail: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "call": self.call.as_json(),
            "outcome": self.outcome,
            "before": _bare(self.before),
            "after": _bare(self.after),
            "detail": self.detail,
        }


@dataclass(frozen=True, kw_only=True)
class Answer:
    """text: the reply, in `language`. form: what the skill model said. verdicts: of the guard, on
    every call that was asked for now. steps: what was done. planned: schedules that were added.
    pending: what is asked back; candidates: ids (or contacts, options) to choose from.
    dropped: calls that waited for a yes and do so no more. seconds: from text to reply.
    turn: which answer of its conversation it is, from 1."""

    text: str
    language: Language
    path: Path
    form: str = ""
    verdicts: tuple[Verdict, ...] = ()
    steps: tuple[Step, ...] = ()
    planned: tuple[Schedule, ...] = ()
    pending: Pending = ""
    candidates: tuple[str, ...] = ()
    dropped: tuple[Call, ...] = ()
    seconds: float = 0.0
    turn: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "language": self.language,
            "path": self.path,
            "form": self.form,
            "verdicts": [_verdict(one) for one in self.verdicts],
            "steps": [one.as_json() for one in self.steps],
            "planned": [schedule_json(one) for one in self.planned],
            "pending": self.pending,
            "candidates": list(self.candidates),
            "dropped": [one.as_json() for one in self.dropped],
            "seconds": round(self.seconds, 4),
            "turn": self.turn,
        }


@dataclass(frozen=True, kw_only=True)
class Fired:
    """A schedule whose time came: what was done, what the guard did not let through."""

    schedule: Schedule
    text: str
    verdicts: tuple[Verdict, ...] = ()
    steps: tuple[Step, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "schedule": schedule_json(self.schedule),
            "text": self.text,
            "verdicts": [_verdict(one) for one in self.verdicts],
            "steps": [one.as_json() for one in self.steps],
        }


def schedule_json(one: Schedule) -> dict[str, Any]:
    return {
        "id": one.id,
        "text": one.text,
        "moment": one.moment,
        "at": one.at.isoformat(),
        "days": one.days,
        "rings": bool(one.rings),
        "calls": [call.as_json() for call in one.calls],
        "status": one.status,
    }


def _verdict(one: Verdict) -> dict[str, Any]:
    """Only what the verdict is about."""
    facts = {key: value for key, value in vars(one).items() if value not in (None, "", ())}
    return facts | {"call": one.call.as_json()}


def _bare(patch: Changes) -> dict[str, dict[str, Any]]:
    return {id: {key: thawed(one) for key, one in values.items()} for id, values in patch.items()}
