"""Forms written by hand over marks as people say them, made into real ones.

    form, marked = written("off light at <area:淋浴间>", "关掉淋浴间的灯", world, now)

A mark is <type:words>, or <type:words=name> where the words are heard wrong or are a part of a
name. What it means is looked up here in the plainest way, so this does not depend on the marker.
"""

from __future__ import annotations

import datetime
import re

from qingyu.act.forms.reader import Form, parse_form
from qingyu.act.forms.words import DEVICES, sort
from qingyu.act.marks.mark import Mark, Marked, MarkValue
from qingyu.act.spoken.numbers import find_numbers
from qingyu.act.spoken.times import find_durations, find_times
from qingyu.act.world import Named, World, plain

_MARK = re.compile(r"<([a-z_]+(?:\.[a-z0-9_]+)?):([^>=]+)(?:=([^>]+))?>")


def written(text: str, said: str, world: World, now: datetime.datetime) -> tuple[Form, Marked]:
    """The form and the marked sentence it points into."""
    marks: list[Mark] = []
    numbers: dict[tuple[str, str], int] = {}

    def number(match: re.Match[str]) -> str:
        type, words, name = match.groups()
        if (type, words) not in numbers:
            assert words.casefold() in said.casefold(), (words, said)
            value = meant(type, name or words, world, now)
            start = said.casefold().index(words.casefold())
            end = start + len(words)
            marks.append(Mark(type=type, start=start, end=end, words=words, value=value))
            numbers[type, words] = len(marks)
        return f"<{type}>{numbers[type, words]}"

    pointed = _MARK.sub(number, text)
    form = parse_form(re.sub(r'".*?"', lambda one: one[0].casefold(), pointed))
    marked = said.casefold()
    for place, one in enumerate(marks):
        marked = marked.replace(one.words.casefold(), f"<{one.type}>{place + 1}", 1)
    return form, Marked(marked, tuple(marks), said)


def meant(type: str, name: str, world: World, now: datetime.datetime) -> MarkValue:
    """The value of a mark, as docs say for its type."""
    domain = type.partition(".")[0]
    if domain == "app" and not world.named(name):
        return name
    if sort(type) in DEVICES:
        some = [one for one in world.entities if one.domain == domain]
        kinds = {one.kind for one in some if name in one.names}
        assert domain == type or not kinds or type.partition(".")[2] in kinds, (type, kinds)
        return _called(name, {one.id: one for one in some})
    if domain == "area":
        return _called(name, {one.id: one for one in world.areas})
    if domain == "floor":
        return _called(name, {one.id: one for one in world.floors})
    if domain == "contact":
        return _called(name, {one.value: one for one in world.contacts})
    if domain in ("time", "day"):
        found = find_times(name, now, world.sun)
        assert len(found) == 1, (name, found)
        return found[0]
    if domain == "duration":
        return find_durations(name)[0].seconds
    if domain in ("place", "app", "source", "target", "mode", "option", "item", "title"):
        return name
    numbers = find_numbers(name) or find_numbers(f"to {name}")
    assert len(numbers) == 1, (name, numbers)
    assert numbers[0].unit in (domain, "", "degree", "celsius"), (name, numbers)
    return numbers[0].value


def _called(name: str, some: dict[str, Named]) -> tuple[str, ...]:
    exact = tuple(id for id, one in some.items() if plain(name) in one.plain_names)
    part = tuple(
        id for id, one in some.items() if any(plain(name) in other for other in one.plain_names)
    )
    assert exact or part, name
    return exact or part
