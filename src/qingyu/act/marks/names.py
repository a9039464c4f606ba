"""What things are called in a household, and finding it in a sentence, letter by letter.

    table = Table(household_names(world))
    table.find("turn off millys lamp")       # [Hit(9, 20, Name("light", ("light.x",), DEVICE))]

Blanks, hyphens and apostrophes do not count ("millys", "plug-7"), figures are number words, and a
plural may be singular; but a name is never found inside another Latin word.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from qingyu.act.marks.text import is_latin, narrow
from qingyu.act.marks.words import EVERYDAY, ROOM_TAILS
from qingyu.act.spoken.number_words import ONES, compiled
from qingyu.act.spoken.spelling import has_hanzi
from qingyu.act.vocabulary import COLORS, MODES
from qingyu.act.world import Entity, World

Guard = Callable[[str, int, int], bool]
"""Whether text[start:end] is meant as the name, by what stands around it."""
DEVICE, AREA, FLOOR, CONTACT, OPTION, ITEM, CLASS = range(7)
GAPS = frozenset(" -'·_")
_KINDS = ("cover", "sensor", "binary_sensor", "level", "select")
_LEFT_TO_MODEL = frozenset((*MODES, *COLORS, "low", "medium", "high", "on", "off", "fan only"))
_SPEAKER = frozenset(("speaker", "我", "我们", "本人", "me", "us", "myself"))
"""Whom a robot follows when told to follow me: the form says so, without a mark."""
_SHORT = frozenset(("am",))
_OPTION_TYPES = {
    "place": "place", "app": "app", "source": "source", "target": "target", "mode": "mode",
    "state": "mode",
}  # fmt: skip


@dataclass(frozen=True)
class Name:
    """type: of the mark. value: ids, values of contacts, or words. rank: what wins a name that two
    things have, the lower."""

    type: str
    value: tuple[str, ...] | str
    rank: int


@dataclass(frozen=True)
class Spelling:
    """words: as written in a household's file. derived: not a name of its own but made from one;
    it gives way where another thing has just that name."""

    words: str
    name: Name
    guard: Guard | None = None
    derived: bool = False


@dataclass(frozen=True)
class Hit:
    start: int
    end: int
    name: Name

    @property
    def length(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class _Entry:
    key: str
    gaps: int
    hanzi: bool
    names: tuple[tuple[Name, Guard | None], ...]


def squeezed(words: str) -> str:
    """A name or sentence without what does not count in comparing."""
    return "".join(one for one in words if one not in GAPS)


_BRIGHT = compiled(r"亮|光|屏|bright|light|screen|display")


def type_of(entity: Entity) -> str:
    """The domain, with the kind where a kind matters: light, cover.curtain, sensor.co2."""
    kind = entity.kind if entity.domain in _KINDS else ""
    if entity.domain == "level" and not kind:
        # Bare "level" is the type of a number (level three).
        bright = any(_BRIGHT.search(narrow(one)) for one in entity.names)
        kind = "brightness" if bright else "volume"
    return f"{entity.domain}.{kind}" if kind else entity.domain


class Table:
    """Names, to be found in sentences. Making one costs some milliseconds."""

    def __init__(self, spellings: Iterable[Spelling]) -> None:
        every = [one for one in spellings if squeezed(narrow(one.words))]
        own = {squeezed(narrow(one.words)) for one in every if not one.derived}
        found: dict[str, dict[tuple[str, int], tuple[Name, Guard | None]]] = defaultdict(dict)
        gaps: dict[str, int] = {}
        for one in every:
            words = narrow(one.words)
            key = squeezed(words)
            if one.derived and key in own:
                continue
            names = found[key]
            gaps[key] = max(gaps.get(key, 0), len(words) - len(key))
            place = (one.name.type if one.name.rank != DEVICE else "", one.name.rank)
            before = names.get(place)
            names[place] = (
                (_joined(before[0], one.name), before[1] and one.guard)
                if before
                else (one.name, one.guard)
            )
        self._starts: dict[str, list[_Entry]] = defaultdict(list)
        for key, names in found.items():
            ranked = tuple(sorted(names.values(), key=lambda pair: pair[0].rank))
            self._starts[key[0]].append(_Entry(key, gaps[key], has_hanzi(key), ranked))
        for entries in self._starts.values():
            entries.sort(key=lambda entry: -len(entry.key))
        self.keys = frozenset(found)

    def find(self, text: str) -> list[Hit]:
        """Every place of every name in an aligned text; they may overlap."""
        places = [at for at, letter in enumerate(text) if letter not in GAPS]
        letters = "".join(text[at] for at in places)
        hits: list[Hit] = []
        for at, letter in enumerate(letters):
            for entry in self._starts.get(letter, ()):
                if letters.startswith(entry.key, at):
                    end = at + len(entry.key)
                    hit = _hit(text, places[at], places[end - 1] + 1, entry)
                    if hit is not None:
                        hits.append(hit)
        return hits


def _joined(one: Name, other: Name) -> Name:
    """One name of two things; of devices of two kinds the domain, of two domains the first's."""
    if isinstance(one.value, str) or isinstance(other.value, str):
        return one
    value = one.value + tuple(id for id in other.value if id not in one.value)
    same = one.type.partition(".")[0] == other.type.partition(".")[0]
    kind = one.type.partition(".")[0] if same and one.type != other.type else one.type
    return Name(kind, value, one.rank)


_DECIMAL = compiled(r"[.:]\d")
_PLURAL = compiled(r"e?s(?![a-z0-9])")
_ALONE_BEFORE = compiled(r"(?:^|[\s,。、!?:;开关把让将和给调了])$")
_ALONE_AFTER = compiled(r"$|[\s,。、!?:;开关打亮灭暗调吧了也和]")


def _hit(text: str, start: int, end: int, entry: _Entry) -> Hit | None:
    key = entry.key
    if is_latin(key[0]) and start and is_latin(text[start - 1]):
        return None
    if end - start - len(key) > entry.gaps and len(key) < (3 if entry.hanzi else 5):
        return None
    if is_latin(key[-1]) and end < len(text) and is_latin(text[end]):
        plural = _PLURAL.match(text, end) if key[-1].isalpha() else None
        if plural is None:
            return None
        end = plural.end()
    if key[-1].isdigit() and _DECIMAL.match(text, end):
        return None
    if len(key) == 1 and not (_ALONE_BEFORE.search(text[:start]) and _ALONE_AFTER.match(text, end)):
        return None
    allowed = [one for one, guard in entry.names if guard is None or guard(text, start, end)]
    if not allowed:
        return None
    name = allowed[0]
    if len(allowed) > 1 and name.rank == DEVICE and allowed[1].rank in (AREA, FLOOR):
        name = allowed[1] if _as_place(text, start, end) else name
    return Hit(start, end, name)


_IN = compiled(r"(?:\b(?:in|inside|at|of|from)(?: the)? |[在去到])$")
_PLACE_OF = compiled(
    r"的|里|内|那边|这边|'s\b| (?:lights?|lamps?|blinds?|curtains?|heating|fan|ac)\b|灯|窗"
)


def _as_place(text: str, start: int, end: int) -> bool:
    """A name that a room and a device share: whether the room is meant."""
    return bool(_IN.search(text[max(0, start - 12) : start]) or _PLACE_OF.match(text, end))


# What there is in a household.


def household_names(world: World) -> Iterator[Spelling]:
    """Every name of everything that stays as long as the household: no list items, no alarms."""
    for entity in world.entities:
        name = Name(type_of(entity), (entity.id,), DEVICE)
        for words in entity.names:
            yield from _spelled(words, name)
    for area in world.areas:
        name = Name("area", (area.id,), AREA)
        for words in area.names:
            yield from _spelled(words, name)
            yield from (Spelling(one, name, derived=True) for one in _room_names(words))
    for floor in world.floors:
        for words in floor.names:
            yield from _spelled(words, Name("floor", (floor.id,), FLOOR))
    for contact in world.contacts:
        for words in contact.names:
            yield from _spelled(words, Name("contact", (contact.value,), CONTACT))
    yield from _options(world)


def _spelled(words: str, name: Name) -> Iterator[Spelling]:
    plain = narrow(words)
    guard = _no_verb if plain in _VERBS else None
    yield Spelling(words, name, guard)
    for one in variants(plain):
        yield Spelling(one, name, guard, derived=True)


_VERBS = frozenset(("study", "lounge", "shower", "fan", "drive", "sleep", "read", "relax"))
_DOING = compiled(
    r"\b(?:(?<!go )(?<!back )(?<!over )(?<!walk )(?<!move )(?<!come )to|i|we|you|must|should|can"
    r"|will|let's|they) $"
)


def _no_verb(text: str, start: int, end: int) -> bool:
    """in the study, go to study; not: I have to study."""
    return _DOING.search(text[max(0, start - 10) : start]) is None


def variants(words: str) -> set[str]:
    """Other ways to write a narrow name: without the article, singular, with number words."""
    found = {words}
    if words.startswith("the ") and words.count(" ") > 1:
        found.add(words[4:])
    for one in tuple(found):
        found.update(_numbers_changed(one))
        if one.endswith("ies") and len(one) > 5:
            found.add(one[:-3] + "y")
        elif one.endswith("s") and not one.endswith(("ss", "us", "'s")) and len(one) > 4:
            found.add(one[:-1])
        if "的" in one[1:] and len(one) > 3:
            found.add(one.replace("的", ""))
    found.discard(words)
    return found


_ENGLISH = {str(value): word for word, value in ONES.items() if value}
_ZH_OF = dict(zip("123456789", "一二三四五六七八九", strict=True))
_FIGURE_OF = {word: figure for figure, word in _ZH_OF.items()}


def _numbers_changed(words: str) -> Iterator[str]:
    """plug 7: plug seven; 七号插头: 7号插头; m-7: m七."""
    if match := re.search(r"(?<![\d.])([1-9]|1\d)(?![\d.])", words):
        before, after = words[: match.start()], words[match.end() :]
        if not has_hanzi(words):
            joint = "" if not before or before[-1] in GAPS else " "
            yield f"{before}{joint}{_ENGLISH[match[1]]}{after}"
        if match[1] in _ZH_OF:
            yield f"{before}{_ZH_OF[match[1]]}{after}"
    elif match := re.search(r"[一二三四五六七八九](?=[号楼层室线区档栋单])", words):
        yield words[: match.start()] + _FIGURE_OF[match[0]] + words[match.end() :]
    elif match := re.search(rf"(?a)\b({'|'.join(_ENGLISH.values())})\b", words):
        yield words[: match.start()] + str(ONES[match[1]]) + words[match.end() :]


def _room_names(words: str) -> Iterator[str]:
    """Leo的房间: Leo屋, Leo房; 主卧室: 主卧; Leo's room: Leo's bedroom."""
    words = narrow(words)
    if words.endswith("卧室") and len(words) > 2:
        yield words[:-1]
    whose = room_owner(words)
    if whose:
        for tail in ROOM_TAILS:
            yield whose + tail
        yield whose + "屋里"
        yield whose + "房里"
    elif match := re.fullmatch(r"(.+'s) room", words):
        yield f"{match[1]} bedroom"


def room_owner(words: str) -> str:
    """Leo of Leo的房间, 婴儿 of 婴儿房: what stands before the word for room, "" if too little."""
    match = re.fullmatch(rf"(.+?)的?(?:{'|'.join(ROOM_TAILS)})", narrow(words))
    if match is None or (len(match[1]) < 2 and match[1] != "我"):
        return ""
    return match[1]


def _options(world: World) -> Iterator[Spelling]:
    areas = {one.id for one in world.areas}
    types: dict[str, set[str]] = defaultdict(set)
    words_of: dict[str, str] = {}
    for entity in world.entities:
        for key, options in entity.options.items():
            if key in ("fan", "color"):
                continue
            for option in options:
                if key == "place" and option in areas:
                    continue
                for words in (option, *entity.option_names.get(option, ())):
                    plain = narrow(words)
                    if plain in _LEFT_TO_MODEL or (key == "target" and plain in _SPEAKER):
                        continue
                    # "auto" is a mode of many; as the name of another option it is one.
                    if plain == "auto" and words == option:
                        continue
                    types[plain].add(_OPTION_TYPES.get(key, "option"))
                    words_of.setdefault(plain, words)
    for plain, kinds in types.items():
        name = Name(kinds.pop() if len(kinds) == 1 else "option", words_of[plain], OPTION)
        guard = _chosen if plain in EVERYDAY or plain in _SHORT or len(plain) == 1 else None
        yield Spelling(plain, name, guard)
        if guard is None:
            for one in variants(plain):
                if not plain.startswith(one):  # Teams is no team
                    yield Spelling(one, name, derived=True)


_CHOSEN_BEFORE = compiled(
    r"(?:\b(?:on|onto|in|into|mode|setting|source|input|select|choose|use|play)(?: the| a)? "
    r"|[到成为换选用挂调切转放听]|给个)$"
)
_CHOSEN_TO = compiled(r"\bto $")
_CHANGED_TO = compiled(
    r"\b(?:set|setting|mode|switch|change|put|turn|move|make|lamps?|lights|down|up)\b[^,.;!?]* to $"
)
_TO_DO = frozenset(
    ("sleep", "dim", "rest", "read", "work", "play", "relax", "record", "boost", "race")
)
_CHOSEN_AFTER = compiled(r" ?(?:mode|setting|source|input|radio|band|gear|beam|档|挡|模式|频道)")
_NOTHING_ELSE = compiled(r"[.!。]?$| please\b")


def _chosen(text: str, start: int, end: int) -> bool:
    """An everyday word (dim, sleep, AM) that is meant as an option."""
    before = text[max(0, start - 40) : start]
    if not before and _NOTHING_ELSE.match(text, end):
        return True
    to = _CHANGED_TO if text[start:end] in _TO_DO else _CHOSEN_TO
    return bool(
        _CHOSEN_BEFORE.search(before) or to.search(before) or _CHOSEN_AFTER.match(text, end)
    )
