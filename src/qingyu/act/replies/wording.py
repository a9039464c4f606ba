"""What both languages of the replies share: names, which devices are alike, what is going on.

naming = Naming(world, "en")
naming.name("light.clip_lounge")     # "lounge clip lamp": there are two clip lamps
naming.option(entity, "usb")         # "USB stick"
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta

from qingyu.act.answers import Language
from qingyu.act.calls import RECORDS, Call
from qingyu.act.spoken.spelling import has_hanzi
from qingyu.act.spoken.times import Found
from qingyu.act.state import State
from qingyu.act.values import MOMENT, is_number, tidy
from qingyu.act.vocabulary import SWITCHED
from qingyu.act.when import falls_on
from qingyu.act.world import Entity, Record, Sun, Value, World

_IDLE = frozenset({"off", "closed", "locked", "idle", "paused", "docked", "stopped"})
_NEAR = timedelta(minutes=30)
_TOO = {
    "light": ("brightness", "color", "color_temperature"), "fan": ("speed",),
    "cover": ("position",),
    "media_player": ("volume", "source"), "humidifier": ("humidity", "current_humidity", "mode"),
    "water_heater": ("temperature", "current_temperature"), "vacuum": ("battery",),
    "climate": ("temperature", "fan", "current_temperature"),
    "robot": ("place", "heading", "battery"),
    "charger": ("limit",),
}  # fmt: skip
_ALWAYS = {"current_temperature", "current_humidity", "battery", "place", "heading", "limit"}
"""Of what is told beside a state, what is told of something that is off as well."""
_BESIDE = {
    "temperature": "current_temperature", "current_temperature": "temperature",
    "humidity": "current_humidity", "current_humidity": "humidity",
}  # fmt: skip
"""What is told beside an attribute: what is measured beside what is set, and the other way."""


class Naming:
    def __init__(self, world: World, language: Language) -> None:
        self.world, self.language = world, language

    def entity(self, id: str) -> Entity:
        found = self.world.entity(id)
        return found or Entity(id=id, names=(id.partition(".")[2] or id,))

    def plain_name(self, id: str) -> str:
        return self.entity(id).name(self.language)

    def name(self, id: str) -> str:
        """The first name of a device in the language, with its area where others share it."""
        entity, name = self.entity(id), self.plain_name(id)
        alike = [one for one in self.world.named(name) if one.id != id]
        area = self.world.area(entity.area)
        if not alike or area is None or area.name(self.language) in name:
            return name
        joint = "的" if self.language == "zh" else " "
        return f"{area.name(self.language)}{joint}{name}"

    def names(self, ids: Iterable[str]) -> list[str]:
        return list(dict.fromkeys(map(self.name, ids)))

    def switched(self, ids: Iterable[str]) -> list[str]:
        """Those that can be on and off."""
        return [one for one in ids if self.entity(one).domain in SWITCHED]

    def told_too(self, entity: Entity, state: State) -> list[str]:
        """The attributes that are told beside a state."""
        return [
            key
            for key in _TOO.get(entity.domain, ())
            if self._counts(entity, key, state) and state.get(entity.id, key) != ""
        ]

    def beside(self, entity: Entity, key: str, state: State) -> str:
        """The attribute that is told beside another, else ""."""
        other = _BESIDE.get(key, "")
        known = state.get(entity.id, other) is not None and self._counts(entity, other, state)
        return other if known else ""

    def _counts(self, entity: Entity, key: str, state: State) -> bool:
        going = key in _ALWAYS or active(state.get(entity.id))
        return going and entity.supports(key)

    def place(self, id: str) -> str:
        """An area or floor by its id; other words as they are."""
        found = self.world.area(id) or self.world.floor(id)
        return found.name(self.language) if found is not None else id

    def contact(self, value: str) -> str:
        found = next((one for one in self.world.contacts if one.value == value), None)
        return found.name(self.language) if found is not None else value

    def option(self, entity: Entity, option: str) -> str:
        """What people of the language call an option; "" where it has no name but itself."""
        known = entity.option_names.get(option, ())
        wanted = [one for one in (option, *known) if has_hanzi(one) == self._chinese]
        return wanted[0] if wanted else (option, *known)[0]

    def candidate(self, one: str) -> str:
        """A device, an area, a contact or an option that could be meant."""
        if self.world.entity(one) is not None:
            return self.name(one)
        if self.world.area(one) is not None or self.world.floor(one) is not None:
            return self.place(one)
        if any(each.value == one for each in self.world.contacts):
            return self.contact(one)
        for entity in self.world.entities:
            if any(one in options for options in entity.options.values()):
                return self.option(entity, one)
        return one

    @property
    def _chinese(self) -> bool:
        return self.language == "zh"


def number(value: float) -> str:
    """A number as people write it, without a needless ".0"."""
    neat = tidy(float(value))
    return str(neat)


def amount(value: Value, unit: str, gap: str = "") -> str:
    """A value with its unit. gap: between number and a unit of letters."""
    if not is_number(value):
        return str(value)
    assert isinstance(value, int | float)
    return number(value) + (unit if unit in ("%", "°", "") else gap + unit)


def active(value: Value | None) -> bool:
    """Whether a state means that something goes on: on, open, playing, unlocked, cool ..."""
    return isinstance(value, str) and value not in _IDLE


def alike(calls: Sequence[Call]) -> list[list[Call]]:
    """The calls that say the same of several devices of a domain, together, in their order."""
    groups: dict[str, list[Call]] = {}
    for call in calls:
        domain = call.entity.partition(".")[0]
        alone = domain in RECORDS or domain in ("dialer", "app", "navigator", "robot")
        key = call.entity + str(len(groups)) if alone else domain
        groups.setdefault(f"{key} {call.action} {sorted(call.arguments.items())}", []).append(call)
    return list(groups.values())


def records(state: State, id: str) -> tuple[str | Record, ...]:
    """The entries of a service's list."""
    key = RECORDS.get(id.partition(".")[0], "")
    found = state.get(id, key)
    return found if isinstance(found, tuple) else ()


def about_then(entry: str | Record, about: Found, now: datetime, sun: Sun | None) -> bool:
    """Whether an entry of a calendar, of reminders or alarms is at a time or on a day."""
    if isinstance(entry, str):
        return False
    day, times = about.day, set(about.readings)
    if about.when is not None:
        moment = about.when.due(now, sun)
        day = day or moment.date()
        if about.when.base != "said" and (about.readings or about.when.base == "time"):
            times = times or {moment.time()}
        elif about.when.base == "moment" and not about.readings:
            times = {moment.time()}
    if "time" in entry:  # an alarm
        at = datetime.strptime(str(entry["time"]), "%H:%M").time()
        return _near(at, times) and (day is None or falls_on(str(entry.get("days", "once")), day))
    moment = datetime.strptime(str(entry["at"]), MOMENT)
    return (day is None or moment.date() == day) and _near(moment.time(), times)


def _near(at: time, times: set[time]) -> bool:
    minutes = at.hour * 60 + at.minute
    wanted = [one.hour * 60 + one.minute for one in times]
    return not wanted or any(abs(minutes - one) * 60 <= _NEAR.total_seconds() for one in wanted)
