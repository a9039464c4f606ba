"""Random households for training: homes, offices, shops, farms, cars, phones, robots.

    household = make_household("zh", random.Random(3))
    household.world.entities
    household.things("light:color")       # devices a slot can be filled with

Every name comes from the data; `forbidden` keeps names out that a benchmark has.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from qingyu.act.skill.sentences.devices import attributes_of, state_of
from qingyu.act.skill.sentences.names import Group, read_names
from qingyu.act.vocabulary import BINARY_KINDS, DOMAINS, SENSOR_KINDS
from qingyu.act.world import Area, Contact, Entity, Floor, Sun, Value, World, plain

Forbidden = Callable[[str], bool]
Counts = Mapping[str, tuple[int, int]]
ON_OFF = (
    "light", "switch", "fan", "climate", "media_player", "humidifier", "water_heater",
)  # fmt: skip
"""What `{device}` stands for."""


def _counts(text: str) -> Counts:
    """ "light 2-9 fan 0-2": from how many to how many of each."""
    words = text.split()
    ranges = (tuple(map(int, many.split("-"))) for many in words[1::2])
    return {name: (low, high) for name, (low, high) in zip(words[::2], ranges, strict=True)}


_HOME = _counts(
    "light 2-9 switch 1-6 cover.curtain 0-2 cover.blind 0-1 cover.shade 0-1"
    " cover.window 0-2 cover.garage 0-1 cover.gate 0-1 cover.door 0-1 climate 0-3 fan 0-2"
    " lock 0-2 media_player 1-3 vacuum 0-1 valve 0-1 humidifier 0-1 water_heater 0-1"
    " sensor 1-5 binary_sensor 0-4 scene 1-4 todo 0-2 timer 0-1 alarm 0-1 reminder 0-1"
    " calendar 0-1"
)
_CAR = _counts(
    "climate 1-2 cover.window 2-4 cover.sunroof 0-1 cover.boot 1-1 cover.door 0-2"
    " cover.shade 0-1 lock 1-1 select.headlights 1-1 select.drive_mode 1-1 light 1-3"
    " media_player 1-1 seat 1-4 navigator 1-1 charger 0-1 sensor 2-4"
)
_PHONE = _counts(
    "dialer 1-1 messenger 1-1 alarm 1-1 reminder 1-1 calendar 1-1 timer 1-1 app 1-1"
    " navigator 1-1 level.volume 1-2 level.brightness 1-1 light.phone 1-1 switch.phone 1-4"
    " todo 0-2 media_player 0-1"
)
_ROBOT = _counts("robot 1-1 light 1-3 cover.gate 0-1 cover.door 0-1 lock 0-1 switch 0-2 sensor 0-2")
_WORK = _counts(
    "light 2-8 switch 1-8 cover.blind 0-2 cover.curtain 0-1 cover.gate 0-1 cover.door 0-1"
    " climate 1-4 fan 0-4 lock 0-2 media_player 0-2 valve 0-2 humidifier 0-1 sensor 1-4"
    " binary_sensor 0-3 scene 0-3 timer 0-1 todo 0-2 calendar 0-1 vacuum 0-1"
)
KINDS: Mapping[str, tuple[float, str, tuple[int, int], tuple[Counts, ...]]] = {
    "flat": (5, "home", (2, 6), (_HOME,)),
    "house": (5, "home", (5, 11), (_HOME, _HOME)),
    "office": (1.5, "office", (3, 7), (_WORK,)),
    "shop": (1, "shop", (2, 6), (_WORK,)),
    "farm": (1, "farm", (3, 7), (_WORK,)),
    "hotel": (1, "hotel", (3, 6), (_WORK,)),
    "school": (0.7, "school", (3, 7), (_WORK,)),
    "car": (4, "car", (3, 5), (_CAR,)),
    "phone": (4, "phone", (1, 1), (_PHONE,)),
    "robot": (4, "robot", (3, 7), (_ROBOT,)),
    "home and phone": (2, "home", (3, 7), (_HOME, _PHONE)),
    "home and robot": (1, "home", (3, 7), (_HOME, _ROBOT)),
}
"""weight, names of areas, how many, what is in it."""
_NAMED_AS = {"app": "device.app"}
"""`app` are the applications themselves."""
_FLOORED = ("house", "office", "hotel", "school")


def nothing(name: str) -> bool:
    """Forbids no name."""
    return False


@dataclass(frozen=True)
class Household:
    """world, and what slots need: names that several devices share, option groups."""

    world: World
    shared: Mapping[str, tuple[Entity, ...]] = field(default_factory=dict)
    _things: dict[str, tuple[Entity, ...]] = field(default_factory=dict)

    def has_word(self, word: str) -> bool:
        """Whether a name of the household has the word in it, or the word such a name."""
        wanted = plain(word)
        return any(wanted in one or (len(one) > 1 and one in wanted) for one in self._words)

    @cached_property
    def _words(self) -> frozenset[str]:
        world = self.world
        named = (*world.entities, *world.areas, *world.floors, *world.contacts)
        called = {plain(name) for one in named for name in one.names}
        for one in world.entities:
            for option, others in one.option_names.items():
                called.update(map(plain, (option, *others)))
        return frozenset(called)

    def things(self, slot: str) -> tuple[Entity, ...]:
        """The devices for a slot such as "light", "cover.curtain", "light:color", "light/fan"."""
        found = self._things.get(slot)
        if found is None:
            found = tuple(one for one in self.world.entities if fits(one, slot))
            self._things[slot] = found
        return found


def fits(one: Entity, slot: str) -> bool:
    """Whether a device is one that a slot's text asks for."""
    wanted, _, attribute = slot.partition(":")
    if attribute and attribute not in one.attributes and attribute not in one.options:
        return False
    if wanted == "anything":
        return True
    kinds = ON_OFF if wanted == "device" else wanted.split("/")
    return one.domain in kinds or f"{one.domain}.{one.kind}" in kinds


def make_household(
    language: str,
    chance: random.Random,
    kind: str = "",
    forbidden: Forbidden = nothing,
) -> Household:
    """kind: of KINDS, any if "". forbidden: tells of a name that it must not occur."""
    if not kind:
        kind = chance.choices(list(KINDS), [one[0] for one in KINDS.values()])[0]
    return _Builder(language, chance, kind, forbidden).build()


class _Builder:
    def __init__(
        self, language: str, chance: random.Random, kind: str, forbidden: Forbidden
    ) -> None:
        self.language, self.chance, self.kind = language, chance, kind
        self.names = read_names(language)
        self.others = read_names("en" if language == "zh" else "zh")
        self.forbidden = forbidden
        self.taken: set[str] = set()
        self.entities: list[Entity] = []
        self.mixed = chance.random() < 0.6
        self.joking = chance.random() * 0.7

    def build(self) -> Household:
        chance = self.chance
        _, place, (low, high), contents = KINDS[self.kind]
        floors = self.floors()
        areas = self.areas(place, chance.randint(low, high), floors)
        for counts in contents:
            self.devices(counts, areas)
        shared = self.share()
        contacts = self.contacts() if self.kind in ("phone", "home and phone") else ()
        if not contacts and chance.random() < 0.1:
            contacts = self.contacts()[:3]
        speaker = chance.choice(areas).id if areas and chance.random() < 0.88 else ""
        day = datetime.datetime(2026, 1, 1) + datetime.timedelta(minutes=chance.randrange(525_600))
        world = World(
            name="training", speaker=speaker, now=day, floors=floors, areas=areas,
            sun=Sun(sunrise=datetime.time(6, 30), sunset=datetime.time(18, 10)),
            entities=tuple(self.entities), contacts=contacts,
        )  # fmt: skip
        return Household(world, shared)

    # Names

    def fresh(self, groups: Sequence[Group], wanted: int = 1) -> Group:
        """Up to so many unused names of one group, () if chance finds none."""
        for _ in range(8):
            if not groups:
                break
            group = self.chance.choice(groups)
            free = [one for one in group if self.is_free(one)]
            if free:
                free = free[:wanted]
                self.taken.update(map(plain, free))
                return tuple(free)
        return ()

    def is_free(self, name: str) -> bool:
        return plain(name) not in self.taken and not self.forbidden(name)

    def device_names(self, domain: str, kind: str, area: Area | None) -> Group:
        chance, key = self.chance, f"{domain}.{kind}" if kind else _NAMED_AS.get(domain, domain)
        keys = (key,) if self.names.of(key) else (domain,)
        found: list[str] = []
        if chance.random() < 0.8:
            found += self.fresh(self.names.of(keys[0]), chance.randint(1, 2))
        if area is not None and (not found or chance.random() < 0.25):
            found = [*self.composed(keys[0], area), *found]
        if self.nicked(domain) and (not found or chance.random() < self.joking):
            found += self.fresh(self.names.of("nick"))
        if self.mixed and chance.random() < 0.45:
            found += self.fresh(self.others.of(key) or self.others.of(domain))
            if self.nicked(domain) and chance.random() < 0.3:
                found += self.fresh(self.others.of("nick"))
        if not found:
            found += self.fresh(self.names.of(keys[0])) or self.fresh(self.names.of("nick"))
        if len(found) > 1 and chance.random() < 0.15:
            chance.shuffle(found)
        return tuple(dict.fromkeys(found))

    def nicked(self, domain: str) -> bool:
        return domain not in ("sensor", "binary_sensor", "scene", "level", "select", "timer")

    def composed(self, key: str, area: Area) -> list[str]:
        """The area's name and a kind of device: 客厅吊灯."""
        base = self.fresh_word(key)
        if not base:
            return []
        gap = "" if self.language == "zh" else " "
        name = area.name(self.language) + gap + base
        if not self.is_free(name):
            return []
        self.taken.add(plain(name))
        return [name]

    def fresh_word(self, key: str) -> str:
        words = self.names.plain(f"word.{key}") or self.names.plain(key)
        return self.chance.choice(words) if words else ""

    # Places and people

    def floors(self) -> tuple[Floor, ...]:
        if self.kind not in _FLOORED:
            return ()
        found: list[Floor] = []
        groups = list(self.names.of("floor"))
        wanted = self.chance.randint(2, 3)
        self.chance.shuffle(groups)
        for group in groups:
            if len(found) == wanted:
                break
            names = self.fresh((group,), self.chance.randint(1, 3))
            if names:
                found.append(Floor(id=f"floor_{len(found)}", names=names))
        return tuple(found)

    def areas(self, place: str, count: int, floors: tuple[Floor, ...]) -> tuple[Area, ...]:
        found: list[Area] = []
        for at in range(count):
            names = list(self.fresh(self.names.of(f"area.{place}"), self.chance.randint(1, 3)))
            if not names:
                continue
            if self.mixed and self.chance.random() < 0.5:
                names += self.fresh(self.others.of(f"area.{place}"))
            floor = self.chance.choice(floors).id if floors else ""
            found.append(Area(id=f"area_{at}", names=tuple(names), floor=floor))
        return tuple(found)

    def contacts(self) -> tuple[Contact, ...]:
        found = []
        for _ in range(self.chance.randint(4, 10)):
            names = [*self.fresh(self.names.of("contact"), self.chance.randint(1, 3))]
            if self.mixed and self.chance.random() < 0.25:
                names += self.fresh(self.others.of("contact"))
            if names:
                found.append(Contact(names=tuple(names)))
        return tuple(found)

    # Devices

    def devices(self, counts: Counts, areas: tuple[Area, ...]) -> None:
        for key, (low, high) in counts.items():
            for _ in range(self.chance.randint(low, high)):
                domain, _, kind = key.partition(".")
                if domain == "sensor":
                    kind = self.chance.choice(
                        ("speed", "range", "tire_pressure", "battery", "temperature")
                        if self.kind == "car"
                        else SENSOR_KINDS[:8]
                    )
                elif domain == "binary_sensor":
                    kind = self.chance.choice(BINARY_KINDS)
                self.device(domain, kind, areas)

    def device(self, domain: str, kind: str, areas: tuple[Area, ...]) -> None:
        chance = self.chance
        area = chance.choice(areas) if areas else None
        names = self.device_names(domain, kind, area)
        if not names:
            return
        kind = "" if kind == "phone" else kind
        attributes = attributes_of(domain, chance, kind, self.texts(domain))
        options, called = self.options(domain, kind, attributes, areas)
        has_area = area is not None and DOMAINS[domain].state is not None
        self.entities.append(
            Entity(
                id=f"{domain}.{len(self.entities)}",
                names=names,
                area=area.id if area is not None and (has_area or chance.random() < 0.5) else "",
                state=state_of(domain, attributes, chance)
                if domain != "select"
                else options["state"][0],
                attributes=attributes,
                options=options,
                option_names=called,
            )
        )

    def texts(self, domain: str) -> list[str]:
        key = {"todo": "item", "timer": "label", "reminder": "reminder.text", "calendar": "event"}
        pool = self.names.plain(key.get(domain, ""))
        return self.chance.sample(pool, min(len(pool), self.chance.randint(1, 4))) if pool else []

    def options(
        self, domain: str, kind: str, attributes: dict[str, Value], areas: tuple[Area, ...]
    ) -> tuple[dict[str, tuple[str, ...]], dict[str, Group]]:
        """Lists to choose from, and what their entries are called."""
        chance = self.chance
        if domain == "climate":
            modes = [one for one in ("cool", "heat", "auto", "dry", "fan_only")
                     if chance.random() < 0.75]  # fmt: skip
            return {"mode": ("off", *(modes or ["cool"]))}, {}
        if domain == "media_player" and "source" in attributes:
            return self.chosen("source", "source", 2, 5)
        if domain == "humidifier" and chance.random() < 0.5:
            found = self.chosen("mode", "mode.humidifier", 2, 3)
            attributes["mode"] = found[0]["mode"][0] if found[0]["mode"] else ""
            return found
        if domain == "select":
            options, called = self.chosen("state", f"option.{kind}", 3, 4)
            if kind == "headlights":
                options["state"] = ("off", *options["state"])
            return options, called
        if domain == "app":
            return self.chosen("app", "app", 5, 10)
        if domain == "navigator":
            return self.chosen("place", "place.car", 3, 6)
        if domain == "robot":
            options, called = self.chosen("place", "place.robot", 2, 4)
            more, also = self.chosen("target", "target", 2, 4)
            rooms = chance.sample(areas, min(3, len(areas)))
            options["place"] = (*options["place"], *(one.id for one in rooms))
            called |= {one.id: one.names for one in rooms}
            return options | more, called | also
        return {}, {}

    def chosen(
        self, key: str, pool: str, low: int, high: int
    ) -> tuple[dict[str, tuple[str, ...]], dict[str, Group]]:
        groups = list(self.names.of(pool))
        self.chance.shuffle(groups)
        picked = groups[: self.chance.randint(low, high)]
        if self.mixed and self.others.of(pool):
            more = self.chance.choice(self.others.of(pool))
            picked = [*picked[:-1], more] if picked else [more]
        free = [one for one in picked if all(map(self.is_free, one))]
        self.taken.update(plain(name) for one in free for name in one)
        return {key: tuple(one[0] for one in free)}, {one[0]: one[1:] for one in free if one[1:]}

    def share(self) -> dict[str, tuple[Entity, ...]]:
        """Gives some devices of one domain in different places a name in common."""
        found: dict[str, tuple[Entity, ...]] = {}
        for domain in ("light", "switch", "climate", "cover", "fan", "media_player", "lock"):
            same = [at for at, one in enumerate(self.entities) if one.domain == domain]
            if len({self.entities[at].area for at in same}) < 2 or self.chance.random() < 0.4:
                continue
            kind = self.entities[self.chance.choice(same)].kind
            same = [at for at in same if self.entities[at].kind == kind]
            key = f"{domain}.{kind}" if kind else domain
            common = self.fresh(self.names.of(f"word.{key}") or self.names.of(key))
            if not common or len(common[0]) == 1:
                continue
            if len({self.entities[at].area for at in same}) < 2:
                continue
            places: dict[str, int] = {self.entities[at].area: at for at in same}
            for at in list(places.values())[: self.chance.randint(2, 3)]:
                old = self.entities[at]
                self.entities[at] = _renamed(
                    old, (common[0], *old.names[: self.chance.randint(0, 2)])
                )
            found[common[0]] = tuple(one for one in self.entities if common[0] in one.names)
        return {name: those for name, those in found.items() if len(those) > 1}


def _renamed(one: Entity, names: Group) -> Entity:
    return Entity(
        id=one.id, names=names, area=one.area, state=one.state, attributes=one.attributes,
        ranges=one.ranges, options=one.options, option_names=one.option_names, sets=one.sets,
    )  # fmt: skip
