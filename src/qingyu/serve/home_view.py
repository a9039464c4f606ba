"""A household as a page shows it: devices, values, answers, in words of both languages.

    view = HomeView(assistant.world)
    view.devices()                          # what there is
    view.values(state)                      # {"light.desk": {"brightness": {value, en, zh}}}
    view.answer(assistant.say("关灯"))       # with every call in words

Everything it gives is JSON. It knows neither HTTP nor the assistant. The words are those of the
replies, so that page and assistant call a thing by the same name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qingyu.act.answers import Answer, Fired, Step, schedule_json
from qingyu.act.calls import Call
from qingyu.act.records.journal import Entry
from qingyu.act.records.memory import Memorized, Nickname, Preference
from qingyu.act.records.schedules import Schedule
from qingyu.act.replies.questions_en import QuestionsEn
from qingyu.act.replies.questions_zh import QuestionsZh
from qingyu.act.replies.wording import amount
from qingyu.act.state import Changes, State
from qingyu.act.values import thawed
from qingyu.act.world import Entity, Named, Value, World

Words = dict[str, str]
"""{"en": ..., "zh": ...}"""
_NUMBERS = {"sensor": " ", "level": ""}
"""Domains whose state is a number, and what stands before their unit."""


class HomeView:
    """world: with the nicknames that were taught."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._en, self._zh = QuestionsEn(world), QuestionsZh(world)

    def places(self) -> dict[str, Any]:
        """Floors and areas, in the household's order."""
        world = self.world
        return {
            "floors": [{"id": one.id, "name": _names(one), "floor": ""} for one in world.floors],
            "areas": [
                {"id": one.id, "name": _names(one), "floor": one.floor} for one in world.areas
            ],
        }

    def devices(self) -> list[dict[str, Any]]:
        """What there is, in the household's order."""
        return [self._device(one) for one in self.world.entities]

    def _device(self, entity: Entity) -> dict[str, Any]:
        kept = {key: entity.attribute(key) for key in ("state", *entity.attributes)}
        known = {key: one for key, one in kept.items() if one is not None and _shown(one.access)}
        return {
            "id": entity.id,
            "domain": entity.domain,
            "kind": entity.kind,
            "area": entity.area,
            "name": _names(entity),
            "labels": {
                key: {"en": one.english, "zh": one.chinese}
                for key, one in known.items()
                if entity.supports(key)
            },
            "ranges": {
                key: entity.range_of(key, one)
                for key, one in known.items()
                if one.numeric and entity.supports(key)
            },
        }

    def values(self, state: State, ids: Iterable[str] | None = None) -> dict[str, Any]:
        """How devices are, all of them or some: {id: {"state" or attribute: {value, en, zh}}}."""
        wanted = state.entities if ids is None else ids
        found = {}
        for id in wanted:
            entity = self.world.entity(id)
            if entity is not None and id in state.entities:
                found[id] = {
                    key: {"value": thawed(value), **self._value(entity, key, value, state)}
                    for key, value in state.of(id).items()
                    if _is_shown(entity, key)
                }
        return found

    def _value(self, entity: Entity, key: str, value: Value, state: State) -> Words:
        """A value in words. state: the rest of the device, as with whom a telephone is calling."""
        if key == "state" and entity.domain in _NUMBERS:
            unit = "%" if entity.domain == "level" else str(entity.attributes.get("unit", ""))
            text = amount(value, unit, _NUMBERS[entity.domain])
            return {"en": text, "zh": text}
        return {"en": _said(self._en, entity, key, value, state),
                "zh": _said(self._zh, entity, key, value, state)}  # fmt: skip

    def call(self, call: Call) -> Words:
        """turn on the desk lamp, 打开台灯."""
        try:
            return {"en": self._en.phrase([call]), "zh": self._zh.phrase([call])}
        except (AssertionError, KeyError, ValueError):
            # One the guard refused: what is missing in it cannot be told.
            told = " ".join(f"{key}={one}" for key, one in call.arguments.items())
            text = f"{call.action} {call.entity} {told}".strip()
            return {"en": text, "zh": text}

    def answer(self, answer: Answer) -> dict[str, Any]:
        """An answer with its calls, changes and candidates in words."""
        record = answer.as_json()
        for verdict, one in zip(answer.verdicts, record["verdicts"], strict=True):
            one["words"] = self.call(verdict.call)
        record["steps"] = [self._step(one) for one in answer.steps]
        record["planned"] = [self.schedule(one) for one in answer.planned]
        record["choices"] = [
            {"en": self._en.candidate(one), "zh": self._zh.candidate(one)}
            for one in answer.candidates
        ]
        return record

    def fired(self, fired: Fired) -> dict[str, Any]:
        """A schedule whose time came, as an answer."""
        record = fired.as_json()
        for verdict, one in zip(fired.verdicts, record["verdicts"], strict=True):
            one["words"] = self.call(verdict.call)
        record["steps"] = [self._step(one) for one in fired.steps]
        record["schedule"] = self.schedule(fired.schedule)
        return record

    def _step(self, step: Step) -> dict[str, Any]:
        return {
            **step.as_json(),
            "words": self.call(step.call),
            "changes": list(self._changes(step.before, step.after)),
        }

    def _changes(self, before: Changes, after: Changes) -> Iterable[dict[str, Any]]:
        for id, values in after.items():
            entity = self.world.entity(id)
            if entity is None:
                continue
            for key, value in values.items():
                if not _is_shown(entity, key):
                    continue
                old = before.get(id, {}).get(key)
                yield {
                    "device": {"en": self._en.name(id), "zh": self._zh.name(id)},
                    "what": {"en": self._en.attribute(entity, key),
                             "zh": self._zh.attribute(entity, key)},
                    "before": None
                    if old is None
                    else self._value(entity, key, old, State(before)),
                    "after": self._value(entity, key, value, State(after)),
                }  # fmt: skip

    def schedule(self, one: Schedule) -> dict[str, Any]:
        return {
            **schedule_json(one),
            "detail": one.detail,
            "words": [self.call(call) for call in one.calls],
        }

    def memory(self, one: Memorized) -> dict[str, Any]:
        """What was taught. about: what it is about; null for the person."""
        about = "" if not isinstance(one, Nickname | Preference) else one.about
        routine = () if isinstance(one, Nickname | Preference) else one.calls
        return {
            "id": one.id,
            "at": one.at.isoformat(timespec="seconds"),
            "kind": type(one).__name__.lower(),
            "name": one.name,
            "about": {"en": self._en.candidate(about), "zh": self._zh.candidate(about)}
            if about
            else None,
            "value": one.value if isinstance(one, Preference) else None,
            "words": [self.call(call) for call in routine],
        }

    def news(self, one: Schedule | Entry) -> dict[str, Any]:
        """What went wrong while nobody looked: how a schedule ended, or "interrupted"."""
        if isinstance(one, Schedule):
            said = {"en": one.text, "zh": one.text}
            return {"status": one.status, "at": one.at.isoformat(), "words": said,
                    "detail": one.detail}  # fmt: skip
        return {"status": "interrupted", "at": one.turn.at.isoformat(),
                "words": self.call(one.call), "detail": one.detail}  # fmt: skip


def _shown(access: str) -> bool:
    return access in ("set", "read")


def _is_shown(entity: Entity, key: str) -> bool:
    attribute = entity.attribute(key)
    return attribute is not None and _shown(attribute.access)


def _names(named: Named) -> Words:
    return {"en": named.name("en"), "zh": named.name("zh")}


def _said(
    naming: QuestionsEn | QuestionsZh, entity: Entity, key: str, value: Value, state: State
) -> str:
    if isinstance(value, tuple):
        return "\n".join(naming.entry(one) for one in value)
    if key == "state" and entity.domain not in ("select", "sensor", "level"):
        return naming.is_now(entity.id, state)
    return naming.value(entity, key, value)
