"""What a sentence means in one household: the parts a turn is made of, in order.

    for part in resolve(...):
        match part:
            case Do(calls, when): ...          # the guard's to check
            case Which(candidates=ids): ...    # asked back; part.again(chosen) is what it becomes

Nothing in here was checked by the guard, and nothing was done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from qingyu.act.calls import Call
from qingyu.act.spoken.times import Found
from qingyu.act.when import When
from qingyu.act.world import Scalar

__all__ = [
    "NOTHING", "Absent", "Agenda", "Clock", "Do", "Focus", "No", "Part", "Question", "Talk",
    "Teach", "Unable", "Understood", "Undo", "Which", "Yes",
]  # fmt: skip


@dataclass(frozen=True)
class Do:
    """Calls for the guard, in order; when: a schedule for all of them. days: how often it repeats,
    as alarms have it."""

    calls: tuple[Call, ...]
    when: When | None = None
    days: str = "once"


@dataclass(frozen=True)
class Question:
    """What somebody wants to know: "state" or an attribute of some devices (ids), or key "list" for
    what there is."""

    entities: tuple[str, ...]
    key: str


@dataclass(frozen=True)
class Agenda:
    """What a calendar, reminders or alarms (ids) hold at a time or on a day."""

    entities: tuple[str, ...]
    about: Found


@dataclass(frozen=True)
class Which:
    """Several could be meant. candidates: ids of devices or areas, values of contacts, or options,
    as `kind` says; again(chosen): what is understood once some of them are chosen."""

    candidates: tuple[str, ...]
    again: Callable[[tuple[str, ...]], Understood] = field(compare=False)
    kind: Literal["entity", "area", "contact", "option"] = "entity"


@dataclass(frozen=True)
class Absent:
    """The household has no such thing. words: as they were said, "" where only a class was;
    thing: a class of form_words.CLASSES or a domain; places: ids of areas and floors it was looked
    for in (empty: everywhere)."""

    words: str = ""
    thing: str = ""
    places: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unable:
    """It cannot be done, by a device (its id) or at all ("")."""

    entity: str = ""
    words: str = ""


@dataclass(frozen=True)
class Talk:
    """Conversation: nothing to do here."""


@dataclass(frozen=True)
class Yes:
    """To what was asked to be confirmed."""


@dataclass(frozen=True)
class No:
    """To what was asked, or to what is waiting."""


@dataclass(frozen=True)
class Undo:
    """The last turn is to be taken back."""


@dataclass(frozen=True)
class Clock:
    """What time it is; day: what date."""

    day: bool


@dataclass(frozen=True)
class Teach:
    """Something to remember. name: `name` for the devices or areas `about` (ids). forget: a name,
    or all about some ids. prefer: `value` for `key`. routine: `name` for `calls`."""

    what: Literal["name", "forget", "prefer", "routine"]
    name: str = ""
    about: tuple[str, ...] = ()
    key: str = ""
    value: Scalar = ""
    calls: tuple[Call, ...] = ()


Part = (
    Do | Question | Agenda | Which | Absent | Unable | Talk | Yes | No | Undo | Clock | Teach
)  # fmt: skip
Understood = tuple[Part, ...]


@dataclass(frozen=True)
class Focus:
    """What the last turn was about. ids: devices, in order; key: what of them was set or asked, or
    ""; calls: what it was to do; which: what was asked back; when, days: for when the first was."""

    ids: tuple[str, ...] = ()
    key: str = ""
    calls: tuple[Call, ...] = ()
    which: Which | None = None
    when: When | None = None
    days: str = "once"

    def after(self, understood: Understood) -> Focus:
        """The focus of the next turn: where this one names no device, the old one stays."""
        ids: list[str] = []
        key = ""
        calls: list[Call] = []
        which: Which | None = None
        first: Do | None = None
        for part in understood:
            match part:
                case Do(these):
                    first = first or part
                    ids += [one.entity for one in these]
                    calls += these
                    key = next((name for one in these for name in one.arguments), key)
                case Question(entities, asked):
                    ids += entities
                    key = asked
                case Agenda(entities):
                    ids += entities
                case Which():
                    which = part
                case Unable(entity) if entity:
                    ids.append(entity)
                case No() | Yes():
                    return replace(self, which=None)
                case Undo():
                    # What was taken back is not to be done again for others.
                    return Focus(self.ids, self.key)
        if not ids:
            return replace(self, which=which)
        when, days = (first.when, first.days) if first is not None else (None, "once")
        return Focus(tuple(dict.fromkeys(ids)), key, tuple(calls), which, when, days)


NOTHING = Focus()
"""Before anything was said."""
