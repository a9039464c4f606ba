"""Parts of names that mean one thing: the twinkle ones, 篱笆的, 热泵 in the lounge, Leo's, 姓周的.

    parts = Table(part_names(world, known=Table(household_names(world)).keys))

Never a bare word for a kind of thing (lamp, 空调) and never an everyday word alone. A name without
its room ("main light" of "living room main light") may be several devices', as a name may be.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from qingyu.act.marks.names import (
    AREA,
    CONTACT,
    DEVICE,
    Guard,
    Name,
    Spelling,
    room_owner,
    squeezed,
    type_of,
    variants,
)
from qingyu.act.marks.text import narrow
from qingyu.act.marks.words import (
    CLASS_WORDS,
    COLORS_SAID,
    EVERYDAY,
    GENERIC,
    GENERIC_ZH,
    ROOMS,
    SIZES_ZH,
    SURNAMES,
    TITLES,
)
from qingyu.act.spoken.number_words import compiled
from qingyu.act.spoken.spelling import has_hanzi
from qingyu.act.world import Entity, World

_LINKS = ("", "的", "上的", "上面的", "那盏", "那个", "边的", "旁边的", "前的", "里的")
_ONES = ("one", "ones")


def part_names(world: World, known: frozenset[str]) -> Iterator[Spelling]:
    """known: keys of the whole names, which no part may be."""
    for spelling in (*_devices(world), *_areas(world), *_contacts(world)):
        if squeezed(narrow(spelling.words)) not in known:
            yield spelling


def _places(world: World) -> list[str]:
    """What rooms and floors are called, and whose they are, the longest first."""
    names = {narrow(one) for place in (*world.areas, *world.floors) for one in place.names}
    names |= {owner for one in names if has_hanzi(one) and (owner := room_owner(one))}
    for one in tuple(names):
        if match := re.fullmatch(r"(.+'s) \w+", one):
            names.add(match[1])
    return sorted(names, key=len, reverse=True)


def _devices(world: World) -> Iterator[Spelling]:
    places = _places(world)
    # {part: {ids}} of those that may be several devices', and of those that must be one's.
    shared: dict[str, dict[str, Entity]] = defaultdict(dict)
    single: dict[str, dict[str, Entity]] = defaultdict(dict)
    meaning: dict[str, dict[str, Entity]] = defaultdict(dict)
    for entity in world.entities:
        for words in map(narrow, entity.names):
            split = _chinese if has_hanzi(words) else _english
            without = _without_place(words, places)
            if without and _tells(without):
                shared[without][entity.id] = entity
            for part in split(words, entity):
                single[part][entity.id] = entity
            for part in _modified(words, places, entity):
                meaning[part][entity.id] = entity
    for part, owners in shared.items():
        if len({one.domain for one in owners.values()}) == 1:
            yield from _spelled(part, owners)
    for part, owners in single.items():
        if len(owners) == 1 and part not in shared:
            yield from _spelled(part, owners)
    for part, owners in meaning.items():
        if len(owners) == 1 and part not in shared and part not in single:
            timer = next(iter(owners.values())).domain == "timer"
            guard: Guard | None = _for_so_long if timer else _of_it
            if not has_hanzi(part) or _ends_in_class(part, owners):
                guard = None
            yield from _spelled(part, owners, guard)


def _spelled(
    part: str, owners: dict[str, Entity], guard: Guard | None = None
) -> Iterator[Spelling]:
    types = {type_of(one) for one in owners.values()}
    kind = types.pop() if len(types) == 1 else next(iter(owners.values())).domain
    name = Name(kind, tuple(owners), DEVICE)
    yield Spelling(part, name, guard)
    for one in variants(part):
        if _tells(one):
            yield Spelling(one, name, guard, derived=True)


def _tells(part: str) -> bool:
    """Whether a part is more than a word for a kind of thing, or an everyday word."""
    if has_hanzi(part):
        return len(part) > 1 and part not in GENERIC_ZH
    words = re.findall(r"[^\s-]+", part)
    if all(one in GENERIC or one in EVERYDAY for one in words):
        return len(words) > 1 and not all(one in GENERIC for one in words)
    return len(part) > 3


def _without_place(words: str, places: list[str]) -> str:
    """main light of "living room main light", 热泵 of 起居室热泵; "" where no place begins it."""
    for place in places:
        if words.startswith(place) and len(words) > len(place):
            rest = words[len(place) :]
            if has_hanzi(place) or not rest[0].isalnum():
                return rest.lstrip(" 的")
    return ""


def _english(words: str, entity: Entity) -> Iterator[str]:
    """Ends of the name: "heat pump", "jammer"; one word only if it is a rare one."""
    split = words.split()
    for at in range(1, len(split)):
        part = " ".join(split[at:])
        single = at == len(split) - 1
        if _tells(part) and not (single and (part in EVERYDAY or len(part) < 4)):
            yield part


def _chinese(words: str, entity: Entity) -> Iterator[str]:
    """Ends of the name: 消毒器 of 奶瓶消毒器, 棉帘 of 厚棉帘."""
    kinds = sorted(_class_words(entity), key=len)[::-1]
    tail = next((one for one in kinds if words.endswith(one)), "")
    for at in range(1, len(words) - 1):
        part = words[at:]
        long = len(part) > 2 and len(words) > 3 and part[0] not in "屋房室厅间的"
        # 影模式 of 观影模式 is no word.
        cut = 0 < len(part) - len(tail) < 2 if tail else False
        if ((long and not cut) or words[:at] in SIZES_ZH) and has_hanzi(part) and _tells(part):
            yield part


def _class_words(entity: Entity) -> tuple[str, ...]:
    return CLASS_WORDS.get(type_of(entity), CLASS_WORDS.get(entity.domain, ()))


def _ends_in_class(part: str, owners: dict[str, Entity]) -> bool:
    return any(part.endswith(_class_words(one)) for one in owners.values())


def _modified(words: str, places: list[str], entity: Entity) -> Iterator[str]:
    """篱笆 of 篱笆灯 and 篱笆的灯; "twinkle ones", "twinkle lamp" of "twinkle lights"."""
    kinds = _class_words(entity)
    if has_hanzi(words):
        tail = next((one for one in sorted(kinds, key=len)[::-1] if words.endswith(one)), "")
        before = words[: -len(tail)] if tail else ""
        if len(before) < 2 or before in places or _without_place(before + "灯", places):
            return
        yield before
        for kind in kinds:
            if has_hanzi(kind):
                yield from (before + link + kind for link in _LINKS)
        return
    split = words.split()
    before = " ".join(split[:-1])
    if len(split) < 2 or split[-1] not in GENERIC or before in places:
        return
    plain = all(one in EVERYDAY or one in COLORS_SAID for one in split[:-1])
    for kind in kinds:
        if not has_hanzi(kind):
            yield f"{before} {kind}"
            yield f"{before} {kind}s"
    if not plain:
        yield from (f"{before} {one}" for one in _ONES)
    rare = len(before) > 5 and _tells(before) and not before.endswith(("ing", "ed"))
    if len(split) == 2 and rare and before not in ROOMS:
        yield before


_OF_IT = compiled(r"(?:的|那[个盏台只些]|这[个盏台只些])(?![时话味事])")


_FOR_SO_LONG = compiled(r"[的,: ]*(?:[\d一二三四五六七八九十半两]+)")


def _for_so_long(text: str, start: int, end: int) -> bool:
    """煮蛋六分钟, where there is a 煮蛋钟."""
    return _FOR_SO_LONG.match(text, end) is not None


def _of_it(text: str, start: int, end: int) -> bool:
    return _OF_IT.match(text, end) is not None


_ROOMS = frozenset(
    ("bedroom", "bathroom", "kitchen", "office", "hall", "toilet", "balcony", "study")
)
_SHORT_ROOMS = {"卧": "卧室", "卫": "卫生间"}
_ROOM_ZH = compiled(
    rf"(?:(?:[{SIZES_ZH}次客东西南北中内外]|[一二三四五六七八九甲乙丙丁\d]号?)(?P<end>..+)"
    r"|.+(?P<room>卧室|浴室|卫生间|洗手间|厕所|阳台|书房|厨房|产线|车间|办公室|会议室))"
)


def _areas(world: World) -> Iterator[Spelling]:
    """Whose room it is (Leo's, 米粒的), and what several rooms may be called (卧室, the line)."""
    ends: dict[str, dict[str, None]] = defaultdict(dict)
    owners: dict[str, dict[str, None]] = defaultdict(dict)
    for area in world.areas:
        for words in map(narrow, area.names):
            if has_hanzi(words):
                if owner := room_owner(words):
                    owners[owner][area.id] = None
                if len(words) == 2 and words[1] in _SHORT_ROOMS:
                    ends[_SHORT_ROOMS[words[1]]][area.id] = None
                match = _ROOM_ZH.fullmatch(words)
                if match and match["end"] not in ("房间", "屋子"):
                    ends[match["room"] or match["end"]][area.id] = None
                continue
            if match := re.fullmatch(r"(.+'s) \w+", words):
                owners[match[1]][area.id] = None
            split = words.split()
            if len(split) > 1 and split[-1] in _ROOMS:
                ends[split[-1]][area.id] = None
            elif len(split) == 2 and (len(split[1]) == 1 or split[1].isdigit()):
                if split[0] not in ("room", "floor", "level"):
                    ends[split[0]][area.id] = None
            elif len(split) > 1 and _tells(words.partition(" ")[2]):
                ends[words.partition(" ")[2]][area.id] = None
    for part, areas in ends.items():
        guard = _a_room if part in EVERYDAY and part not in _ROOMS else _no_other
        yield Spelling(part, Name("area", tuple(areas), AREA), guard)
    for part, areas in owners.items():
        guard = _somewhere if has_hanzi(part) or not part.endswith("'s") else _belongs
        if len(areas) == 1 and not (part in ("my", "我", "我的") or part in EVERYDAY):
            yield Spelling(part, Name("area", tuple(areas), AREA), guard)


_SOMEWHERE = compiled(r"(?:的(?![时话味事])|那[边屋里个间]|这[边屋里间]|[屋房家]里?)")
_BELONGS = compiled(
    r"$|[,.!?;]| (?:and|but|please|too|ones?|stays?|now|on|off|though|both|all|is|are|can|should|go"
    r"|goes|to|at|as|music|lights?|lamps?|heating|heat|radiators?|blinds?|curtains?|windows?|fan"
    r"|speaker|stuff|things)\b"
)


def _somewhere(text: str, start: int, end: int) -> bool:
    return _SOMEWHERE.match(text, end) is not None


_OTHER = compiled(
    rf"(?:[{SIZES_ZH}次客]|\b(?:big|small|little|main|master|guest|second|spare|other|another) )$"
)


def _no_other(text: str, start: int, end: int) -> bool:
    """卧室 of 大卧室 is another room, which this household has not."""
    return _OTHER.search(text[max(0, start - 8) : start]) is None


_A_ROOM = compiled(r"\b(?:the|which|that|this) $")


def _a_room(text: str, start: int, end: int) -> bool:
    """the line, where there is a Line A; not line."""
    return _A_ROOM.search(text[max(0, start - 6) : start]) is not None


def _belongs(text: str, start: int, end: int) -> bool:
    return _BELONGS.match(text, end) is not None


def _contacts(world: World) -> Iterator[Spelling]:
    """First or last names, which may be several people's; 姓周的; 雨桐, 小孙."""
    found: dict[str, list[str]] = defaultdict(list)
    for contact in world.contacts:
        for words in map(narrow, contact.names):
            if not has_hanzi(words):
                split = re.findall(r"[^\s.]+", words)
                parts = [] if len(split) < 2 else [one for one in split if len(one) > 2]
                parts = [one for one in parts if one not in EVERYDAY and one not in TITLES]
            elif len(words) in (2, 3) and words[0] in SURNAMES:
                parts = [f"姓{words[0]}的", f"姓{words[0]}"]
                parts += [words[1:]] if len(words) == 3 else []
            else:
                parts = [words[-2:]] if len(words) > 2 and words[-2] in "小老阿" else []
            for part in parts:
                if contact.value not in found[part]:
                    found[part].append(contact.value)
    for part, values in found.items():
        guard = _no_surname if has_hanzi(part) and not part.startswith("姓") else None
        yield Spelling(part, Name("contact", tuple(values), CONTACT), guard)


_NOT_SURNAMES = "向于和付应金任钱"
"""What stands before a name more often than it begins one."""


def _no_surname(text: str, start: int, end: int) -> bool:
    """经理 of 赵经理, 雨桐 of 周雨桐, but not of 李经理 and 孙雨桐: they are others."""
    before = text[start - 1 : start]
    return before not in SURNAMES or before in _NOT_SURNAMES
