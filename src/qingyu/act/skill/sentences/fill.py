"""Fills the slots of a template from a household, the lists of a language, and chance.

    filler = Filler(household, rules.words, rule.words, "zh", chance)
    filler.fill("light")          # Filled([Piece("落地灯", kind="device", ...)])

The same slot twice is the same thing. Raises Lacking where a household has no such thing: the
caller tries another.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from qingyu.act.skill.sentences import said
from qingyu.act.skill.sentences.households import ON_OFF, Household
from qingyu.act.skill.sentences.notation import Slot, Template, expand
from qingyu.act.skill.sentences.pieces import Filled, Piece
from qingyu.act.skill.sentences.rules import Words
from qingyu.act.vocabulary import DOMAINS
from qingyu.act.world import Area, Entity, Floor, Named, Record

_JOINS = {
    "zh": (
        ("、", "和"), ("、", "、"), ("和", "还有"), ("跟", "跟"), ("，", "还有"), (" ", " "),
        ("还有", "还有"), ("、", "以及"), ("", "和"), ("加", "加"),
    ),
    "en": ((", ", " and "), (", the ", " and the "), (" and ", " and "), (" and the ", " and the "),
           (", ", ", and "), (" ", " and "), (", ", ", "), (" plus ", " plus ")),
}  # fmt: skip
"""Between all but the last two, and between those."""

_OPTIONS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "place": (("navigator", "place"), ("robot", "place")),
    "app": (("app", "app"),),
    "source": (("media_player", "source"),),
    "target": (("robot", "target"),),
    "mode": (("humidifier", "mode"), ("select", "state")),
}
"""Of which devices' lists an option is one; {place:robot} only of a robot."""

_RECORDS = (("timer", "timers", "label"), ("reminder", "reminders", "text"),
            ("calendar", "events", "title"))  # fmt: skip


class Lacking(Exception):
    """The household has nothing for a slot."""


class Filler:
    """One sentence, or the turns of one talk, in one household."""

    def __init__(
        self,
        household: Household,
        words: Words,
        own: Words,
        language: str,
        chance: random.Random,
        used: set[str] | None = None,
    ) -> None:
        self.household, self.words, self.own = household, words, own
        self.language, self.chance = language, chance
        self.filled: dict[str, Filled] = {}
        self.used = set() if used is None else used

    def fill(self, name: str) -> Filled:
        """Raises Lacking, KeyError for a slot that nothing explains."""
        found = self.filled.get(name)
        if found is None:
            found = self.filled[name] = self._fill(name)
        return found

    def expanded(self, template: Template, kind: str = "text") -> list[Piece]:
        """The pieces of a template whose slots are filled here."""
        out: list[Piece] = []
        for node in expand(template, self.chance):
            if isinstance(node, str):
                out.append(Piece(node, kind="quote" if kind == "quote" else "text"))
            elif isinstance(node, Slot):
                out += self.fill(node.name).pieces
        return out

    def _fill(self, name: str) -> Filled:
        base, _, detail = name.partition("#")[0].partition(":")
        for source in (self.own, self.words):
            if base in source.lists:
                template = self.chance.choice(source.lists[base])
                pieces = self.expanded(template, "quote")
                text = "".join(one.text for one in pieces)
                if base.startswith("absent_") and self.household.has_word(text):
                    raise Lacking(base)
                return Filled([Piece(one.text, kind="quote") if one.kind == "text" else one
                               for one in pieces])  # fmt: skip
            if base in source.maps:
                return self._word(source.maps[base], detail, base)
        maker = _MAKERS.get(base.rstrip("+"))
        if maker is not None:
            if not base.endswith("+"):
                return Filled([maker(self, detail)])
            return Filled(self.several([maker(self, detail) for _ in range(self.count())]))
        return self._device(base, detail)

    def _word(self, words: Mapping[str, Template], detail: str, base: str) -> Filled:
        keys = [one for one in detail.split(",") if one] or list(words)
        key = self.chance.choice(keys)
        pieces = self.expanded(words[key])
        if base.startswith("class"):
            pieces = [Piece(one.text, kind="class", type=key) if one.kind == "text" else one
                      for one in pieces]  # fmt: skip
        return Filled(pieces, key)

    def _device(self, base: str, detail: str) -> Filled:
        slot = base.rstrip("+!") + (f":{detail}" if detail else "")
        first = base.rstrip("+!").partition("/")[0].partition(".")[0]
        if first not in DOMAINS and first not in ("device", "anything"):
            raise KeyError(base)
        if base.endswith("!"):
            return self._shared(base[:-1])
        if not base.endswith("+"):
            return Filled([self._named(slot)])
        return Filled(self.several([self._named(slot) for _ in range(self.count())]))

    def count(self) -> int:
        """How many are said one after the other."""
        return self.chance.choices((2, 3, 4), (6, 3, 1))[0]

    def several(self, pieces: Sequence[Piece]) -> list[Piece]:
        """Mentions with what people say between them."""
        between, last = self.chance.choice(_JOINS[self.language])
        out: list[Piece] = [pieces[0]]
        for at, one in enumerate(pieces[1:], 2):
            out += [Piece(last if at == len(pieces) else between), one]
        return out

    def _named(self, slot: str) -> Piece:
        things = self.household.things(slot)
        free = [one for one in things if one.id not in self.used]
        if not free:
            raise Lacking(slot)
        one = self.chance.choice(free)
        self.used.add(one.id)
        word = self.called(one)
        kind = f".{one.kind}" if one.kind else ""
        ids = tuple(other.id for other in self.household.world.named(word))
        return Piece(word, kind="device", type=one.domain + kind, ids=ids)

    def _shared(self, slot: str) -> Filled:
        wanted = ON_OFF if slot == "device" else slot.partition(".")[0].split("/")
        fit = [(name, those) for name, those in self.household.shared.items()
               if those[0].domain in wanted]  # fmt: skip
        if not fit:
            raise Lacking(slot)
        name, those = self.chance.choice(fit)
        kinds = {one.kind for one in those}
        kind = f".{those[0].kind}" if those[0].kind and len(kinds) == 1 else ""
        ids = tuple(one.id for one in those)
        return Filled([Piece(name, kind="device", type=those[0].domain + kind, ids=ids)])

    def called(self, one: Named) -> str:
        """One of its names, the first ones more often."""
        names = one.names
        return names[min(int(self.chance.expovariate(1.1)), len(names) - 1)]

    def place(self, detail: str, what: str) -> Piece:
        """An area or floor."""
        world = self.household.world
        groups: dict[str, tuple[Area, ...] | tuple[Floor, ...]]
        groups = {"area": world.areas, "floor": world.floors}
        free = [(kind, one) for kind in what.split("/") for one in groups[kind]
                if one.id not in self.used]  # fmt: skip
        if not free:
            raise Lacking(what)
        kind, one = self.chance.choice(free)
        self.used.add(one.id)
        return Piece(self.called(one), kind="area", type=kind, ids=(one.id,))

    def contact(self, detail: str) -> Piece:
        free = [one for one in self.household.world.contacts if one.value not in self.used]
        if not free:
            raise Lacking("contact")
        one = self.chance.choice(free)
        self.used.add(one.value)
        return Piece(self.called(one), kind="contact", type="contact", ids=(one.value,))

    def option(self, what: str, detail: str) -> Piece:
        """What an option of some device is called; of a device's own lists."""
        found: list[str] = []
        for domain, key in _OPTIONS[what]:
            for one in self.household.world.select(domain=domain):
                if detail and detail not in (domain, one.kind):
                    continue
                for value in one.options.get(key, ()):
                    if value in ("off", "on") or value in self.used:
                        continue
                    names = one.option_names.get(value, ())
                    found += [name for name in (value, *names) if not name.startswith("area_")]
        if not found:
            raise Lacking(what)
        word = self.chance.choice(found)
        self.used.add(word)
        return Piece(word, kind="option", type=what)

    def entry(self, what: str, detail: str) -> Piece:
        """An item of a list, or the label, text or title of a timer, reminder, event."""
        world = self.household.world
        found: list[str] = []
        if what == "item":
            for one in world.select(domain="todo"):
                found += [text for text in _listed(one, "items") if isinstance(text, str)]
        for domain, key, part in _RECORDS if what == "title" else ():
            for one in world.select(domain=domain) if detail in ("", domain) else ():
                rows = _listed(one, key)
                found += [str(row[part]) for row in rows if not isinstance(row, str)]
        found = [one for one in found if one and one not in self.used]
        if not found:
            raise Lacking(what)
        word = self.chance.choice(found)
        self.used.add(word)
        return Piece(word, kind="option", type=what)

    def number(self, what: str, detail: str) -> Piece:
        """detail: "low-high" where it is not the usual range."""
        low, high, steps = _RANGES[what]
        if detail:
            low, high = _range(detail)
            steps = tuple(one for one in steps if one <= high - low) or (1,)
        step = self.chance.choice(steps)
        count = int((high - low) / step + 1e-6)
        value = round(low + step * self.chance.randint(0, count), 2)
        kind = what
        if what == "amount":
            kind = "percent" if self.chance.random() < 0.6 else "number"
        elif what == "temp":
            kind = "degree" if self.chance.random() < 0.75 else "number"
        return Piece(_SAYERS[kind](value, self.language, self.chance), kind="number", type=kind)

    def time(self, what: str, detail: str) -> Piece:
        if what == "duration":
            words = said.duration(self.language, self.chance)
        elif what == "day":
            words = said.day(self.language, self.chance)
        else:
            words = said.moment(detail, self.language, self.chance)
        return Piece(words, kind="time", type=what)


def _listed(one: Entity, key: str) -> tuple[str | Record, ...]:
    value = one.attributes.get(key)
    return value if isinstance(value, tuple) else ()


def _range(detail: str) -> tuple[float, float]:
    low, _, high = detail.partition("-")
    return float(low), float(high or low)


_RANGES: Mapping[str, tuple[float, float, tuple[float, ...]]] = {
    "percent": (5, 100, (5, 5, 1)), "number": (1, 100, (1, 1, 5)), "amount": (5, 100, (5, 5, 1)),
    "degree": (16, 30, (1, 1, 1, 0.5)), "temp": (16, 30, (1, 1, 1, 0.5)),
    "kelvin": (2200, 6500, (100, 500)), "metre": (0.5, 10, (0.5, 0.5, 0.1)),
    "angle": (15, 180, (15, 5)), "level": (1, 3, (1,)), "ordinal": (1, 4, (1,)),
}  # fmt: skip
_SAYERS: Mapping[str, Callable[[float, str, random.Random], str]] = {
    "percent": said.percent, "number": said.number, "degree": said.degree, "kelvin": said.kelvin,
    "metre": said.metre, "angle": said.angle, "level": said.level, "ordinal": said.ordinal,
}  # fmt: skip

Maker = Callable[[Filler, str], Piece]


def _numeric(what: str) -> Maker:
    return lambda filler, detail: filler.number(what, detail)


def _timed(what: str) -> Maker:
    return lambda filler, detail: filler.time(what, detail)


def _optional(what: str) -> Maker:
    return lambda filler, detail: filler.option(what, detail)


def _placed(what: str) -> Maker:
    return lambda filler, detail: filler.place(detail, what)


def _entered(what: str) -> Maker:
    return lambda filler, detail: filler.entry(what, detail)


_MAKERS: Mapping[str, Maker] = {
    **{what: _numeric(what) for what in _RANGES},
    **{what: _timed(what) for what in ("duration", "time", "day")},
    **{what: _optional(what) for what in _OPTIONS},
    **{what: _placed(what) for what in ("area", "floor", "area/floor")},
    **{what: _entered(what) for what in ("item", "title")},
    "contact": Filler.contact,
}
