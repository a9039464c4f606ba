"""Answers to questions, in English: how a device is, which of several are on, what a list has."""

from __future__ import annotations

from datetime import datetime

from qingyu.act.calls import RECORDS
from qingyu.act.replies.orders_en import MODES, OrdersEn, the
from qingyu.act.replies.wording import about_then, active, amount, records
from qingyu.act.state import State
from qingyu.act.understood import Agenda, Question
from qingyu.act.world import Entity, Value

STATES = {"stopped": "not charging", "docked": "in the dock", "returning": "on its way to the dock"}
DETECTED = {
    "door": ("open", "closed"), "window": ("open", "closed"),
    "motion": ("sensing motion", "still"), "presence": ("sensing somebody", "sensing nobody"),
    "smoke": ("sensing smoke", "sensing no smoke"), "leak": ("sensing a leak", "dry"),
    "rain": ("sensing rain", "dry"),
}  # fmt: skip


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def be(*names: str) -> str:
    """is or are: lights are, glass is."""
    plural = names[-1].endswith("s") and not names[-1].endswith(("ss", "'s"))
    return "are" if len(names) > 1 or plural else "is"


class QuestionsEn(OrdersEn):
    def is_now(self, id: str, state: State) -> str:
        """What follows "is": off, cooling, 1250 ppm."""
        entity, value = self.entity(id), state.get(id)
        if value is None:
            return self._without_state(entity, state)
        if entity.domain == "binary_sensor":
            return DETECTED.get(entity.kind, ("on", "off"))[value != "on"]
        if entity.domain == "sensor":
            return amount(value, str(entity.attributes.get("unit", "")), " ")
        if entity.domain == "level":
            return amount(value, "%")
        if entity.domain == "climate":
            return "off" if value == "off" else f"on ({MODES.get(str(value), str(value))})"
        if entity.domain == "select":
            return self.option(entity, str(value))
        if value == "calling":
            return f"calling {the(self.contact(str(state.get(id, 'contact'))))}"
        if value == "navigating":
            return f"navigating to {the(self.option(entity, str(state.get(id, 'destination'))))}"
        if value == "cleaning" and state.get(id, "area"):
            return f"cleaning {the(self.place(str(state.get(id, 'area'))))}"
        if value == "following":
            return f"following {self.value(entity, 'target', state.get(id, 'target') or '')}"
        return STATES.get(str(value), str(value))

    def is_so(self, id: str, state: State) -> str:
        """A whole sentence without its end: the fence lights are off."""
        name = the(self.name(id))
        return f"{name} {be(name)} {self.is_now(id, state)}"

    def _without_state(self, entity: Entity, state: State) -> str:
        if entity.domain in RECORDS:
            entries = [self.entry(one) for one in records(state, entity.id)]
            return ", ".join(entries) if entries else "empty"
        if entity.domain == "app":
            opened = str(state.get(entity.id, "open") or "")
            return self.option(entity, opened) if opened else "closed"
        if entity.domain == "seat":
            return ", ".join(self._attribute(entity, key, state) for key in entity.attributes)
        return "there"

    def _attribute(self, entity: Entity, key: str, state: State) -> str:
        """brightness 40%, at the kitchen, muted."""
        value: Value = state.get(entity.id, key) or 0
        if key == "muted":
            return "muted" if value else "not muted"
        if key == "oscillating":
            return "oscillating" if value else "not oscillating"
        if key in ("place", "area"):
            return f"in {the(self.value(entity, key, value))}" if value else "nowhere in particular"
        if key in ("destination", "target", "contact") and not value:
            return f"no {self.attribute(entity, key)}"
        word = "set to" if key == "temperature" else self.attribute(entity, key)
        if key == "current_temperature":
            word = "water at" if entity.domain == "water_heater" else "room at"
        return f"{word} {self.value(entity, key, value)}"

    def told(self, question: Question, state: State) -> str:
        """The answer to a question about a state or an attribute."""
        ids, key = question.entities, question.key
        if not ids:
            return "There is no such device."
        if key == "list" and not all(self.entity(one).domain in RECORDS for one in ids):
            return self._inventory(ids, state)
        if key in ("state", "open?", "on?") and len(ids) > 1:
            return self._several(ids, state)
        told = [self._about(self.entity(one), key, state) for one in ids]
        return capital("; ".join(told)) + "."

    def _about(self, entity: Entity, key: str, state: State) -> str:
        name = the(self.name(entity.id))
        if key in RECORDS.values() or key == "list":
            entries = self.is_now(entity.id, state)
            if entries == "empty":
                listed = entity.domain in ("todo", "calendar")
                return f"there is nothing on {name}" if listed else f"{name}: nothing"
            count = len(records(state, entity.id)) if entity.domain in RECORDS else 0
            return f"{name}{f' ({count} entries)' if count > 1 else ''}: {entries}"
        if key == "where":
            key = "place" if entity.supports("place") else "area" if entity.supports("area") else ""
            area = self.world.area(entity.area)
            if not key or (key == "area" and not state.get(entity.id, key)):
                where = (
                    f"in {the(area.name('en'))}" if area is not None else "nowhere in particular"
                )
                return f"{name} is {where}"
        if key in ("state", "open?", "on?", "open"):
            now = self.is_now(entity.id, state)
            if entity.domain in RECORDS or entity.domain == "seat":
                return f"{name}: {now}"
            return f"{name} {be(name)} {now}{self._more(entity, state)}"
        if not entity.supports(key):
            return f"{name} has no {self.attribute(entity, key)}"
        if key in ("place", "area", "muted", "oscillating"):
            return f"{name} is {self._attribute(entity, key, state)}"
        other = self.beside(entity, key, state)
        beside = f", {self._attribute(entity, other, state)}" if other else ""
        if key == "temperature":
            return f"{name} is {self._attribute(entity, key, state)}{beside}"
        value = self.value(entity, key, state.get(entity.id, key) or 0)
        return f"the {self.attribute(entity, key)} of {name} is {value or 'nothing'}{beside}"

    def _more(self, entity: Entity, state: State) -> str:
        told = [self._attribute(entity, key, state) for key in self.told_too(entity, state)]
        return f", {', '.join(told)}" if told else ""

    def _inventory(self, ids: tuple[str, ...], state: State) -> str:
        """What there is, and how much of it is on."""
        names = self.listed([the(one) for one in self.names(ids)])
        if len(ids) < 2:
            return f"There is {names}."
        going = [one for one in self.switched(ids) if active(state.get(one))]
        if len(going) == len(ids):
            on = "; all of them are on"
        else:
            on = f"; on: {self.listed(self.names(going))} ({len(going)})" if going else ""
        return f"There are {len(ids)}: {names}{on}."

    def _several(self, ids: tuple[str, ...], state: State) -> str:
        """Which of them are on, open, unlocked. Measured values one by one, if it is only those."""
        others = [one for one in ids if isinstance(state.get(one), str)]
        measured = () if others else ids
        parts = [self._about(self.entity(one), "state", state) for one in measured]
        going = [one for one in others if active(state.get(one))]
        rest = [one for one in others if one not in going]
        parts += [self.is_so(one, state) for one in going]
        if rest and going:
            parts.append(f"the other {len(rest)} not")
        elif len(rest) > 4:
            parts.append(f"none of the {len(rest)} is on")
        elif rest:
            parts += [self.is_so(one, state) for one in rest]
        count = f"{len(going)} of {len(others)}: " if going and len(others) > 2 else ""
        return capital(count + "; ".join(parts)) + "."

    def agenda(self, agenda: Agenda, state: State, now: datetime) -> str:
        """What is planned at a time or on a day; where nothing is, that."""
        found = [
            self.entry(one)
            for id in agenda.entities
            for one in records(state, id)
            if about_then(one, agenda.about, now, self.world.sun)
        ]
        count = f"{len(found)} entries: " if len(found) > 1 else ""
        return f"{count}{', '.join(found)}." if found else "Nothing is planned then."
