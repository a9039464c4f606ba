"""A sentence with its names, numbers and times replaced by marks, for a model that knows none.

    marker = Marker(world)                       # once per household: some milliseconds
    marked = marker.mark("把书桌灯调到百分之四十", state, now)
    marked.text                                  # "把<light>1调到<percent>2"
    marked.marks[0].value                        # ("light.cram",)

Names come first, then parts of names, then what sounds like one; numbers and times where no name
is. Colours, modes, words such as "brighter" and kinds of devices stay as they are: the model knows
them. What it finds is a mention, not a meaning: whether 台灯 is one of several decides `resolving`.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from operator import or_

from qingyu.act.marks.mark import MOST, Mark, Marked, MarkValue
from qingyu.act.marks.names import (
    AREA,
    CLASS,
    FLOOR,
    ITEM,
    Hit,
    Name,
    Spelling,
    Table,
    household_names,
    squeezed,
    variants,
)
from qingyu.act.marks.parts import part_names
from qingyu.act.marks.sound import Sounds
from qingyu.act.marks.text import Aligned, Span, aligned, is_latin, narrow
from qingyu.act.marks.times import Timed, timed
from qingyu.act.marks.words import MISHEARD
from qingyu.act.spoken.number_words import compiled
from qingyu.act.spoken.numbers import overlaps
from qingyu.act.spoken.spelling import has_hanzi
from qingyu.act.spoken.times import Found
from qingyu.act.state import State
from qingyu.act.world import World

_MASK = "\ufffc"
_LISTS = {
    "todo": ("items", ""), "timer": ("timers", "label"),
    "reminder": ("reminders", "text"), "calendar": ("events", "title"),
}  # fmt: skip
_WITH_NUMBERS = frozenset((
    "light", "cover", "climate", "fan", "media_player", "humidifier", "water_heater", "level",
    "seat", "charger",
))  # fmt: skip


class Marker:
    """Finds the mentions of one household. What memory taught is part of its world."""

    def __init__(self, world: World) -> None:
        self.world = world
        names = list(household_names(world))
        self._names = Table(names)
        parts = list(part_names(world, self._names.keys))
        self._parts = Table(parts)
        classes = [Spelling(one, Name("", one, CLASS)) for one in MISHEARD]
        # 饭桌上的灯 is heard as said, or not at all; only names and their ends may be misheard.
        ends = [one for one in parts if not set("的那") & set(one.words)]
        self._sounds = Sounds((*names, *ends, *classes))
        self._lists = [
            (one.id, *_LISTS[one.domain]) for one in world.entities if one.domain in _LISTS
        ]
        self._items: tuple[object, Table] = (None, Table(()))

    def mark(self, text: str, state: State, now: datetime.datetime) -> Marked:
        """Never raises, whatever the text; a sentence without mentions has no marks."""
        plain = aligned(text)
        found = self._found(plain.text, state, now)
        return _rendered(plain, found)

    def _found(self, text: str, state: State, now: datetime.datetime) -> list[Timed | Hit]:
        hits = [*self._names.find(text), *self._items_now(state).find(text)]
        times = self._times(text, now, _longest(hits))
        # A time that has a name within it is the time (早上 of 明天早上七点), not the scene 早上.
        hits = [
            one
            for one in hits
            if not any(
                time.start <= one.start
                and one.end <= time.end
                and time.end - time.start > one.length
                for time in times
            )
        ]
        names = _longest(hits)
        taken = [(one.start, one.end) for one in names]
        if any(overlaps(one.start, one.end, taken) for one in times):
            times = self._times(_masked(text, taken), now, names)
        names = self._less_sure(text, names, times)
        names = _once(text, sorted(names, key=lambda one: one.start))
        names = [_stuttered(text, one, names) for one in names]
        taken = [(one.start, one.end) for one in names]
        times = [one for one in times if not overlaps(one.start, one.end, taken)]
        return sorted([*names, *times], key=lambda one: one.start)

    def _times(self, text: str, now: datetime.datetime, names: Iterable[Hit]) -> list[Timed]:
        settable = tuple(
            (one.start, one.end)
            for one in names
            if one.name.type.partition(".")[0] in _WITH_NUMBERS
        )
        return timed(text, now, self.world.sun, settable)

    def _less_sure(self, text: str, names: list[Hit], times: list[Timed]) -> list[Hit]:
        """Parts of names and names by sound, where nothing else is; with the names. What sounds
        like a longer name may have a room's name or one of its own in it (天井栅们: 天井栅门)."""
        whole = [(one.start, one.end) for one in times]

        def free(one: Hit) -> bool:
            around = (one.start <= start and end <= one.end for start, end in whole)
            apart = (one.end <= start or end <= one.start for start, end in whole)
            return all(map(or_, around, apart)) and all(
                hit.end <= one.start or one.end <= hit.start or _swallows(one, hit) for hit in names
            )

        taken = [(one.start, one.end) for one in names if one.name.rank > FLOOR]
        sounds = self._sounds.find(text, list(_gaps(len(text), taken)))
        found = _longest(one for one in (*self._parts.find(text), *sounds) if free(one))
        spans = [(one.start, one.end) for one in found]
        return [*(one for one in names if not overlaps(one.start, one.end, spans)), *found]

    def _items_now(self, state: State) -> Table:
        """What is on lists and called by a label now; made anew only when that changed."""
        now = tuple(state.get(id, key) for id, key, _ in self._lists)
        if now != self._items[0]:
            self._items = (now, Table(self._spelled_items(now)))
        return self._items[1]

    def _spelled_items(self, lists: tuple[object, ...]) -> Iterator[Spelling]:
        for (_, _, field), values in zip(self._lists, lists, strict=True):
            for value in values if isinstance(values, tuple) else ():
                words = value.get(field, "") if isinstance(value, Mapping) else value
                if not isinstance(words, str) or not words.strip():
                    continue
                name = Name("title" if field else "item", words, ITEM)
                guard = _on_a_list if len(squeezed(narrow(words))) == 1 else None
                yield Spelling(words, name, guard)
                for one in variants(narrow(words)):
                    yield Spelling(one, name, guard, derived=True)


_LIST_WORDS = compiled(
    r"清单|列表|单子|买|删|划掉|去掉|加|计时|定时|取消|提醒|\b(?:list|buy|bought|got|remove|cancel|timer)\b"
)


def _on_a_list(text: str, start: int, end: int) -> bool:
    """An item of one letter (茶) is one only where lists are spoken of."""
    return _LIST_WORDS.search(text) is not None


def _swallows(sound: Hit, name: Hit) -> bool:
    """Whether a name by sound may take the place of one that was found exactly, within it."""
    within = sound.start <= name.start and name.end <= sound.end and sound.length > name.length
    same = sound.name.value == name.name.value and sound.end == name.end
    return within and (same or name.name.rank in (AREA, FLOOR))


def _longest(hits: Iterable[Hit]) -> list[Hit]:
    """None overlapping: the longest first, of equals devices before rooms before options."""
    chosen: list[Hit] = []
    for one in sorted(hits, key=lambda hit: (-hit.length, hit.name.rank, hit.start)):
        if not any(one.start < hit.end and hit.start < one.end for hit in chosen):
            chosen.append(one)
    return sorted(chosen, key=lambda hit: hit.start)


def _masked(text: str, spans: Iterable[Span]) -> str:
    for start, end in spans:
        text = text[:start] + _MASK * (end - start) + text[end:]
    return text


def _gaps(size: int, taken: Iterable[Span]) -> Iterator[Span]:
    """The stretches of at least two letters between taken ones."""
    at = 0
    for start, end in [*sorted(taken), (size, size)]:
        if start - at > 1:
            yield at, start
        at = max(at, end)


_FILLER = compiled(r"(?:[ ,，、]|呃|嗯|那个|\b(?:er|uh|um|erm|the)\b)*$")


def _once(text: str, names: list[Hit]) -> list[Hit]:
    """In order; a name said twice in a row is one mention: 布丁布丁."""
    found: list[Hit] = []
    for one in names:
        last = found[-1] if found else None
        if last and last.name == one.name and _FILLER.fullmatch(text, last.end, one.start):
            found[-1] = replace(last, end=one.end)
        else:
            found.append(one)
    return found


def _stuttered(text: str, hit: Hit, names: list[Hit]) -> Hit:
    """With its beginning said before it: 饼饼饼干, petrol er petrol station."""
    words = text[hit.start : hit.end]
    first = max((one.end for one in names if one.end <= hit.start), default=0)
    start = hit.start
    while True:
        gap = _FILLER.search(text, first, start)
        end = gap.start() if gap else start
        said = text[first:end]
        for size in range(min(len(words), len(said)), 0, -1):
            part = words[:size]
            if not said.endswith(part) or not _repeatable(part, words, said, end < start):
                continue
            start = first + len(said) - size
            break
        else:
            return replace(hit, start=start) if start < hit.start else hit


def _repeatable(part: str, words: str, said: str, apart: bool) -> bool:
    """Whole words of Latin script; no figures (一一号 may be eleven), and near the name."""
    if not has_hanzi(part):
        whole = len(part) == len(words) or not is_latin(words[len(part)])
        before = said[: -len(part)]
        return (
            len(part) > 2 and part[-1].isalpha() and whole and not (before and is_latin(before[-1]))
        )
    if part[0] in "一二三四五六七八九十两零":
        return False
    return len(part) > 1 or (not apart and part not in "大小")


def _rendered(plain: Aligned, found: list[Timed | Hit]) -> Marked:
    pieces: list[str] = []
    marks: list[Mark] = []
    at = 0
    for one in found:
        if isinstance(one, Hit) and one.name.rank == CLASS:
            pieces += [plain.text[at : one.start], str(one.name.value)]
            at = one.end
            continue
        if len(marks) == MOST or not plain.whole(one.start, one.end):
            continue
        start, end = plain.span(one.start, one.end)
        kind = one.name.type if isinstance(one, Hit) else one.type
        value = one.name.value if isinstance(one, Hit) else _placed(plain, one.value)
        words = plain.original[start:end]
        marks.append(Mark(type=kind, start=start, end=end, words=words, value=value))
        pieces += [plain.text[at : one.start], f"<{kind}>{len(marks)}"]
        at = one.end
    pieces.append(plain.text[at:])
    return Marked(_apart(pieces), tuple(marks), plain.original)


def _apart(pieces: list[str]) -> str:
    """Joined; "<number>1" and a figure behind it would be mark 15."""
    text = ""
    for piece in pieces:
        text += " " + piece if piece[:1].isdigit() and text.endswith(tuple("123456789")) else piece
    return text


def _placed(plain: Aligned, value: float | int | Found) -> MarkValue:
    """A time's places as those of the original text."""
    if isinstance(value, Found):
        return replace(value, spans=tuple(plain.span(*one) for one in value.spans))
    return value
