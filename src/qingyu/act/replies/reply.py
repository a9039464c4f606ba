"""The words of an answer: short, in the speaker's language, from facts and nothing else.

    reply([step, verdict], world, state, "zh", now=now)
    # "已关闭大灯。岛台灯不支持调亮度。"

What several devices did alike is told at once. Sentences of each language: `zh`,
`en`; orders as phrases: `orders_zh`, `orders_en`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from qingyu.act.answers import Language, Step
from qingyu.act.calls import Call, Verdict
from qingyu.act.facts import (
    Asked,
    Dropped,
    Fact,
    Learned,
    Note,
    Planned,
    Rang,
    Said,
    Sure,
    Undone,
)  # fmt: skip
from qingyu.act.records.memory import Memorized
from qingyu.act.records.schedules import Schedule
from qingyu.act.replies.en import RepliesEn
from qingyu.act.replies.wording import alike
from qingyu.act.replies.zh import RepliesZh
from qingyu.act.state import State
from qingyu.act.understood import Absent, Agenda, Clock, Question, Unable
from qingyu.act.world import Record, World


class Replies(Protocol):
    """The sentences of a language."""

    def did(self, calls: Sequence[Call]) -> str: ...
    def failed(self, step: Step) -> str: ...
    def refused(self, verdict: Verdict) -> str: ...
    def already(self, verdicts: Sequence[Verdict], state: State, others: int = 0) -> str: ...
    def planned(self, schedule: Schedule, now: datetime) -> str: ...
    def sure(self, fact: Sure) -> str: ...
    def asked(self, candidates: Sequence[str]) -> str: ...
    def dropped(self, calls: Sequence[Call]) -> str: ...
    def undone(self, fact: Undone, state: State) -> str: ...
    def rang(self, id: str, entry: Record) -> str: ...
    def learned(self, what: Memorized, *, forgotten: bool) -> str: ...
    def note(self, what: str) -> str: ...
    def told(self, question: Question, state: State) -> str: ...
    def agenda(self, agenda: Agenda, state: State, now: datetime) -> str: ...
    def absent(self, part: Absent) -> str: ...
    def unable(self, part: Unable) -> str: ...
    def clock(self, now: datetime, *, day: bool) -> str: ...


def reply(
    facts: Sequence[Fact], world: World, state: State, language: Language, *, now: datetime
) -> str:
    """All facts as sentences, in their order. state: after the turn."""
    words: Replies = RepliesZh(world) if language == "zh" else RepliesEn(world)
    done = [one for one in facts if isinstance(one, Step) and one.outcome == "done"]
    already = [one for one in facts if isinstance(one, Verdict) and one.outcome == "already"]
    sentences: list[str] = []
    rest: list[str] = []
    told: list[Fact] = []
    for fact in facts:
        if fact in told:
            continue
        if isinstance(fact, Step) and fact.outcome == "done":
            group = _with(fact, done)
            told += group
            sentences.append(words.did([_as_it_is(one) for one in group]))
        elif isinstance(fact, Verdict) and fact.outcome == "already":
            calls = next(
                group for group in alike([one.call for one in already]) if fact.call in group
            )
            verdicts = [one for one in already if one.call in calls]
            told += verdicts
            # Of all the lights of a house, the many that are off already need no names.
            same = [one for one in done if _says_the_same(one.call, fact.call)]
            others = len(same) if len(verdicts) > 2 else 0
            rest.append(words.already(verdicts, state, others))
        else:
            sentences.append(_sentence(fact, words, state, now))
    separator = "" if language == "zh" else " "
    return separator.join(dict.fromkeys(filter(None, (*sentences, *rest))))


def _says_the_same(one: Call, other: Call) -> bool:
    alike = (one.action, one.arguments) == (other.action, other.arguments)
    return alike and one.entity.partition(".")[0] == other.entity.partition(".")[0]


def _with(step: Step, done: Sequence[Step]) -> list[Step]:
    """A step and all others that did the same to another device."""
    for group in alike([_as_it_is(one) for one in done]):
        if _as_it_is(step) in group:
            return [one for one in done if _as_it_is(one) in group]
    return [step]


def _as_it_is(step: Step) -> Call:
    """The call with the values the device came to, where it says other ones."""
    values = step.after.get(step.call.entity, {})
    arguments = {
        key: (new if type(new) in (int, float) and type(value) in (int, float) else value)
        for key, value in step.call.arguments.items()
        for new in (values.get("state" if key == "value" else key, value),)
        if not isinstance(new, tuple)
    }
    return dataclasses.replace(step.call, arguments=arguments)


def _sentence(fact: Fact, words: Replies, state: State, now: datetime) -> str:
    match fact:
        case Step():
            return words.failed(fact)
        case Verdict():
            return "" if fact.outcome in ("fine", "risky") else words.refused(fact)
        case Planned():
            return words.planned(fact.schedule, now)
        case Sure():
            return words.sure(fact)
        case Asked():
            return words.asked(fact.candidates)
        case Dropped():
            return words.dropped(fact.calls)
        case Undone():
            return words.undone(fact, state)
        case Rang():
            return words.rang(fact.id, fact.entry)
        case Learned():
            return words.learned(fact.what, forgotten=fact.forgotten)
        case Note():
            return words.note(fact.what)
        case Said():
            return fact.text
        case Question():
            return words.told(fact, state)
        case Agenda():
            return words.agenda(fact, state, now)
        case Absent():
            return words.absent(fact)
        case Unable():
            return words.unable(fact)
        case Clock():
            return words.clock(now, day=fact.day)
