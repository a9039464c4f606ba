"""What somebody wants to know: the devices and the key of a question.

    asked(situation, Ask(Who("temperature", Scope(at=...)), "state"))   # (Question(ids, "state"),)

A question never asks back: where it is not clear which device is meant, it is about all of them.
Keys of a Question besides "state" and attributes: "list", what there is or what of it is on.
"""

from __future__ import annotations

from collections.abc import Iterable

from qingyu.act.calls import RECORDS
from qingyu.act.forms.terms import Ask, Scope, Who
from qingyu.act.resolving.class_words import outside
from qingyu.act.resolving.classes import members
from qingyu.act.resolving.parameters import BARE
from qingyu.act.resolving.situation import Situation
from qingyu.act.spoken.times import Found
from qingyu.act.understood import Absent, Agenda, Question, Understood
from qingyu.act.vocabulary import BINARY_KINDS, SENSOR_KINDS
from qingyu.act.world import Entity

_WHERE = {"robot": "place", "vacuum": "area", "navigator": "destination"}
_STATES = RECORDS | {"app": "open", "seat": "heating"}
_MEASURED = {"temperature": "current_temperature", "humidity": "current_humidity",
             "battery": "battery"}  # fmt: skip
"""What else tells it where there is no sensor of the kind."""
_NAMES = {"warmth": "color_temperature", "swing": "oscillating", "mode": "state",
          "heating": "heating", "ventilation": "ventilation"}  # fmt: skip


def asked(situation: Situation, form: Ask) -> Understood:
    """The question a form asks; Absent where there is nothing to answer it."""
    assert form.who is not None
    entities, absent = _about(situation, form.who, form.key)
    if absent is not None:
        return (absent,)
    mark = situation.mark(form.about) if form.about else None
    if mark is not None and isinstance(mark.value, Found):
        return (Agenda(tuple(one.id for one in entities), mark.value),)
    if form.key == "list" and not all(one.domain in RECORDS for one in entities):
        return (Question(tuple(one.id for one in entities), "list"),)
    if form.who.what == "everything":
        return (Question(tuple(one.id for one in entities), "state"),)
    by_key: dict[str, list[str]] = {}
    for one in entities:
        by_key.setdefault(_key(one, form.key, form.who), []).append(one.id)
    return tuple(Question(tuple(ids), key) for key, ids in by_key.items())


def _about(situation: Situation, who: Who, key: str) -> tuple[tuple[Entity, ...], Absent | None]:
    world = situation.world
    if isinstance(who.what, str) and (who.what in SENSOR_KINDS or who.what in BINARY_KINDS):
        return _measuring(situation, who.what, who.scope)
    verb = "list" if key == "list" and who.what == "everything" else "ask"
    if isinstance(who.what, str) and not who.it:
        some = situation.members(who.what, verb)
        if who.scope.everywhere or who.scope.at:
            found = situation.group(who.what, who.scope, verb)
            return found.entities, (found.absent or (None,))[0]
        some = situation.here(some) or some
        return some, None if some else Absent(thing=who.what)
    found = situation.targets(who, "ask")
    some = found.entities + tuple(one for one in world.entities if one.id in found.open)
    return some, (found.absent or (None,))[0]


def _measuring(
    situation: Situation, kind: str, scope: Scope
) -> tuple[tuple[Entity, ...], Absent | None]:
    """The sensors of a kind in a scope; else devices there that measure it as well."""
    world = situation.world
    some = members(world, kind, "ask")
    also = tuple(one for one in world.entities if one.supports(_MEASURED.get(kind, "state-of-it")))
    if scope.at:
        areas = situation.areas(scope.at)
        for pool in (some, also):
            there = tuple(one for one in pool if one.area in areas)
            if there:
                return there, None
        return (), Absent(thing=kind, places=areas)
    if outside(situation.marked.text):
        outdoors = tuple(one for one in some if outside(_called(situation, one)))
        if outdoors:
            return outdoors, None
    if scope.everywhere:
        return (some or also), None if some or also else Absent(thing=kind)
    found = situation.here(some) or situation.here(_rooms(also)) or some or also
    return found, None if found else Absent(thing=kind)


def _called(situation: Situation, entity: Entity) -> str:
    """All names of a device and of its area, in small letters."""
    area = situation.world.area(entity.area)
    names = (*entity.names, *(area.names if area is not None else ()))
    return " | ".join(names).casefold()


def _rooms(entities: Iterable[Entity]) -> tuple[Entity, ...]:
    """Those that measure the air of a room."""
    return tuple(one for one in entities if one.domain in ("climate", "humidifier"))


def _key(entity: Entity, key: str, who: Who) -> str:
    """ "state" or the attribute that a key means on a device."""
    domain = entity.domain
    if isinstance(who.what, str) and domain not in ("sensor", "binary_sensor"):
        measured = _MEASURED.get(who.what, "")
        if measured and entity.supports(measured):
            return measured
    match key:
        case "state" | "open?" | "list":
            return _STATES.get(domain, "state")
        case "where":
            return _WHERE.get(domain, "state")
        case "value":
            wanted = BARE.get(domain, _STATES.get(domain, "state"))
        case "measured":
            wanted = next(
                (one for one in _MEASURED.values() if one != "battery" and entity.supports(one)),
                "state",
            )
        case _:
            wanted = _NAMES.get(key, key)
            if key == "mode" and domain == "humidifier":
                wanted = "mode"
    return wanted if entity.supports(wanted) else _STATES.get(domain, "state")
