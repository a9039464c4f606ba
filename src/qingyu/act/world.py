"""A household as it is described: places, devices, contacts. What changes is in `state`.

world = read_world(Path("home.yaml"))      # qingyu.act.world_file
[one.id for one in world.named("台灯")]     # every device of that name
world.on_floor("upper", domain="light")
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from qingyu.act.spoken.spelling import has_hanzi, simplified
from qingyu.act.terms import Attribute, Domain
from qingyu.act.vocabulary import DOMAINS

Scalar = str | int | float | bool
Record = Mapping[str, Scalar]
Value = Scalar | tuple[str | Record, ...]
"""What a state or an attribute can be; the tuples are lists of texts or of records."""


def plain(name: str) -> str:
    """A name as it is compared: without case, and with single spaces."""
    return " ".join(name.split()).casefold()


def _in_language(names: tuple[str, ...], language: str) -> str:
    chinese = [one for one in names if has_hanzi(one)]
    others = [one for one in names if one not in chinese]
    return ((chinese if language == "zh" else others) or list(names))[0]


@dataclass(frozen=True, kw_only=True)
class Named:
    names: tuple[str, ...]

    @cached_property
    def plain_names(self) -> frozenset[str]:
        return frozenset(map(plain, self.names))

    def name(self, language: str) -> str:
        """The first name in "zh" or "en"; the first of all where that language has none."""
        return _in_language(self.names, language)


@dataclass(frozen=True, kw_only=True)
class Floor(Named):
    id: str


@dataclass(frozen=True, kw_only=True)
class Area(Named):
    """floor: its id, or "" outside."""

    id: str
    floor: str = ""


@dataclass(frozen=True, kw_only=True)
class Contact(Named):
    """Somebody to call or write to. A state holds the first name, whatever language was spoken."""

    @property
    def value(self) -> str:
        return self.names[0]


@dataclass(frozen=True, kw_only=True)
class Sun:
    sunrise: datetime.time
    sunset: datetime.time


@dataclass(frozen=True, kw_only=True)
class Entity(Named):
    """A device or service. state and attributes: at the beginning.

    attributes: what it supports is what is here. ranges: (low, high) where they are not the
    usual ones. options: lists to choose from; option_names: what people call an option.
    sets: of a scene, {entity: {"state" or attribute: value}}.
    """

    id: str
    area: str = ""
    state: Value | None = None
    attributes: Mapping[str, Value] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    option_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sets: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)

    @property
    def domain(self) -> str:
        return self.id.partition(".")[0]

    @property
    def vocabulary(self) -> Domain:
        return DOMAINS[self.domain]

    @property
    def kind(self) -> str:
        """Of a cover, sensor, level or select what kind it is, else ""."""
        return str(self.attributes.get("kind", ""))

    def supports(self, key: str) -> bool:
        return self.state is not None if key == "state" else key in self.attributes

    def attribute(self, key: str) -> Attribute | None:
        """What the vocabulary says about "state" or an attribute; None where it has no such."""
        return self.vocabulary.state if key == "state" else self.vocabulary.attributes.get(key)

    def range_of(self, key: str, attribute: Attribute) -> tuple[float | None, float | None]:
        """The lowest and highest value of a number, this device's or the usual one."""
        return self.ranges.get(key, (attribute.low, attribute.high))

    def option_called(self, name: str, options: Iterable[str]) -> str | None:
        """Which of the options people mean by a name."""
        wanted = plain(name)
        for option in options:
            if wanted in map(plain, (option, *self.option_names.get(option, ()))):
                return option
        return None


ADAPTERS = ("mqtt", "home_assistant", "mcp")


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a household calls a device, and where it is ("" for where the device says)."""

    names: tuple[str, ...] = ()
    area: str = ""


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Real devices. adapter: one of `ADAPTERS`, or the full name of a module of somebody's own.
    addresses: (host, port), the only ones it may reach. settings: what else it is told. devices:
    by id, what the household calls a device that is found there, before the names it has."""

    adapter: str
    addresses: tuple[tuple[str, int], ...] = ()
    settings: Mapping[str, Scalar] = field(default_factory=dict)
    devices: Mapping[str, Given] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class World:
    """speaker: the area where the person is, or "". now: where the clock of a benchmark stands,
    None for a real household. All ids are unique."""

    name: str
    speaker: str = ""
    now: datetime.datetime | None = None
    sun: Sun | None = None
    floors: tuple[Floor, ...] = ()
    areas: tuple[Area, ...] = ()
    entities: tuple[Entity, ...] = ()
    contacts: tuple[Contact, ...] = ()
    connections: tuple[Connection, ...] = ()

    @cached_property
    def _entities(self) -> dict[str, Entity]:
        return {one.id: one for one in self.entities}

    @cached_property
    def _areas(self) -> dict[str, Area]:
        return {one.id: one for one in self.areas}

    @cached_property
    def _named(self) -> dict[str, tuple[Entity, ...]]:
        found: dict[str, tuple[Entity, ...]] = {}
        for one in self.entities:
            for name in one.plain_names:
                found[name] = (*found.get(name, ()), one)
        return found

    def entity(self, id: str) -> Entity | None:
        return self._entities.get(id)

    def area(self, id: str) -> Area | None:
        return self._areas.get(id)

    def floor(self, id: str) -> Floor | None:
        return next((one for one in self.floors if one.id == id), None)

    def named(self, name: str) -> tuple[Entity, ...]:
        """Every device of a name, in any language and case, in the file's order."""
        return self._named.get(plain(name), ())

    def areas_named(self, name: str) -> tuple[Area, ...]:
        return tuple(one for one in self.areas if plain(name) in one.plain_names)

    def floors_named(self, name: str) -> tuple[Floor, ...]:
        return tuple(one for one in self.floors if plain(name) in one.plain_names)

    def contacts_named(self, name: str) -> tuple[Contact, ...]:
        return tuple(one for one in self.contacts if plain(name) in one.plain_names)

    def areas_on(self, floor: str) -> tuple[Area, ...]:
        return tuple(one for one in self.areas if one.floor == floor)

    def select(self, *, domain: str = "", kind: str = "", area: str = "") -> tuple[Entity, ...]:
        """The devices of a domain, of a kind, in an area (ids); all where none is given."""
        return tuple(self._selected(self.entities, domain, kind, area))

    def on_floor(self, floor: str, *, domain: str = "", kind: str = "") -> tuple[Entity, ...]:
        """The devices in the areas of a floor."""
        areas = {one.id for one in self.areas_on(floor)}
        there = (one for one in self.entities if one.area in areas)
        return tuple(self._selected(there, domain, kind, ""))

    @staticmethod
    def _selected(
        entities: Iterable[Entity], domain: str, kind: str, area: str
    ) -> Iterator[Entity]:
        for one in entities:
            fits = (not domain or one.domain == domain) and (not kind or one.kind == kind)
            if fits and (not area or one.area == area):
                yield one

    def names_of(self, candidate: str) -> set[str]:
        """All that people may call what could be meant: a device (also by where it stands), an
        area, a contact or an option; simplified and plain."""
        names: list[str] = []
        entity = self.entity(candidate)
        area = self.area(entity.area if entity is not None else candidate)
        if entity is not None:
            names += entity.names
        if area is not None:
            names += area.names
            floor = self.floor(area.floor)
            names += floor.names if floor is not None else ()
        for contact in self.contacts:
            if contact.value == candidate:
                names += contact.names
        for other in self.entities:
            names += other.option_names.get(candidate, ())
        if entity is None:
            names.append(candidate)
        return {plain(simplified(name)) for name in names}

    def options_of(self, entity: Entity, attribute: Attribute) -> tuple[str, ...]:
        """What an attribute may be on a device: areas are ids, contacts their first names."""
        if attribute.chosen_by == "area":
            return tuple(one.id for one in self.areas)
        if attribute.chosen_by == "contact":
            return tuple(one.value for one in self.contacts)
        own = entity.options.get(attribute.chosen_by.removeprefix("options."))
        return attribute.options if own is None else own
