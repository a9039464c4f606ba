"""What a system said and did in a case: enough to judge it again without asking again.

answer = Answer(case="small_flat.zh.plain.1", replies=("好",), ...)
Answer.from_json(answer.as_json()) == answer
judged(case, world, answer).right
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qingyu.act.bench.cases import Case
from qingyu.act.bench.judging import Judgement, Scheduled, judge
from qingyu.act.calls import Call
from qingyu.act.state import State, changes
from qingyu.act.values import frozen, thawed
from qingyu.act.when import parse_when
from qingyu.act.world import Value, World


@dataclass(frozen=True, kw_only=True)
class Answer:
    """case: its id. replies, seconds, notes: one for each turn; seconds from the text to the
    reply, all changes made; notes: what the system itself says of how it came to it.

    changes: all that is different afterwards, also what devices only keep in mind.
    done: the calls that were carried out. outside: how many of them the guard does not pass,
    changes no call explains, and texts outside the grammar; garbled: these texts alone. error:
    what was raised, "" for nothing. memory: the most the process had until then, in bytes.
    """

    case: str
    replies: tuple[str, ...]
    seconds: tuple[float, ...]
    notes: tuple[str, ...] = ()
    changes: Mapping[str, Mapping[str, Value]]
    schedules: tuple[Scheduled, ...] = ()
    done: tuple[Call, ...] = ()
    outside: int = 0
    garbled: int = 0
    error: str = ""
    memory: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "case": self.case,
            "replies": list(self.replies),
            "seconds": [round(one, 6) for one in self.seconds],
            "notes": list(self.notes),
            "changes": {
                id: {key: thawed(value) for key, value in values.items()}
                for id, values in self.changes.items()
            },
            "schedules": [
                {"when": str(one.when), "calls": [call.as_json() for call in one.calls]}
                for one in self.schedules
            ],
            "done": [one.as_json() for one in self.done],
            "outside": self.outside,
            "garbled": self.garbled,
            "error": self.error,
            "memory": self.memory,
        }

    @classmethod
    def from_json(cls, saved: Any) -> Answer:
        """Raises an error of some kind (not only ours) where a saved answer is damaged."""
        return cls(
            case=str(saved["case"]),
            replies=tuple(map(str, saved["replies"])),
            seconds=tuple(map(float, saved["seconds"])),
            notes=tuple(map(str, saved["notes"])),
            changes={
                str(id): {str(key): frozen(value) for key, value in values.items()}
                for id, values in saved["changes"].items()
            },
            schedules=tuple(
                Scheduled(parse_when(one["when"]), tuple(map(Call.from_json, one["calls"])))
                for one in saved["schedules"]
            ),
            done=tuple(map(Call.from_json, saved["done"])),
            outside=int(saved["outside"]),
            garbled=int(saved["garbled"]),
            error=str(saved["error"]),
            memory=int(saved["memory"]),
        )


def state_after(case: Case, answer: Answer) -> State:
    """How things are after a case."""
    state = case.beginning
    for id, values in answer.changes.items():
        state = state.updated(id, values)
    return state


def judged(case: Case, world: World, answer: Answer) -> Judgement:
    """Whether it is right. One that ended in an error is judged by what it did until then."""
    reply = answer.replies[-1] if answer.replies else ""
    return judge(case, world, state_after(case, answer), reply, answer.schedules)


def is_untouched(case: Case, answer: Answer) -> bool:
    """Whether nothing changed, now or later."""
    return not changes(case.beginning, state_after(case, answer)) and not answer.schedules
