"""What templates may name in a household, built once, and cut to what a sentence has in it.

slots = Slots(world)
slots.within("打开台灯")     # {"name": the values that occur, "area": ..., "number": ...}

A value of {name} is the ids of all devices of that name and domain, joined with a space.
"""

from __future__ import annotations

from collections.abc import Iterable

from hassil.expression import TextChunk
from hassil.intents import SlotList, TextSlotList, TextSlotValue, WildcardSlotList

from qingyu.act.spoken.number_words import folded, runs
from qingyu.act.spoken.numbers import find_numbers
from qingyu.act.spoken.spelling import simplified
from qingyu.act.spoken.times import find_durations
from qingyu.act.world import Scalar, World, plain

WILDCARDS = ("item", "text")


def _value(
    words: str, value: object, context: dict[str, str] | None = None
) -> tuple[str, TextSlotValue]:
    text = plain(simplified(words))
    return text, TextSlotValue(text_in=TextChunk(text), value_out=value, context=context)


class Slots:
    """The slot lists of a household."""

    def __init__(self, world: World) -> None:
        self.known: dict[str, list[tuple[str, TextSlotValue]]] = {}
        domains: dict[tuple[str, str], list[str]] = {}
        for entity in world.entities:
            for name in entity.names:
                ids = domains.setdefault((plain(simplified(name)), entity.domain), [])
                if entity.id not in ids:
                    ids.append(entity.id)
        self.known["name"] = [
            _value(name, " ".join(ids), {"domain": domain})
            for (name, domain), ids in domains.items()
        ]
        self.known["area"] = [_value(name, one.id) for one in world.areas for name in one.names]
        self.known["floor"] = [_value(name, one.id) for one in world.floors for name in one.names]
        self.known["contact"] = self._contacts(world)
        for slot, key in (("app", "app"), ("place", "place"), ("target", "target")):
            self.known[slot] = list(self._options(world, (key,)))
        self.known["option"] = list(self._options(world, ("state", "source", "mode")))

    @staticmethod
    def _contacts(world: World) -> list[tuple[str, TextSlotValue]]:
        """Only names that mean one person."""
        return [
            _value(name, one.value)
            for one in world.contacts
            for name in one.names
            if len(world.contacts_named(name)) == 1
        ]

    @staticmethod
    def _options(world: World, keys: tuple[str, ...]) -> Iterable[tuple[str, TextSlotValue]]:
        """What people call an option; its value is what was said, for a device to look up."""
        said: set[str] = set()
        for entity in world.entities:
            for key in keys:
                for option in entity.options.get(key, ()):
                    said.update((option, *entity.option_names.get(option, ())))
            if "place" in keys and entity.domain == "robot":
                said.update(name for one in world.areas for name in one.names)
        return [_value(one, one) for one in sorted(said)]

    def within(self, text: str) -> dict[str, SlotList]:
        """The lists with only those values that a cleaned text has in it."""
        folded_text = text.casefold()
        squeezed = folded_text.replace(" ", "")
        lists: dict[str, SlotList] = {
            slot: TextSlotList(
                name=slot,
                values=[
                    value
                    for words, value in values
                    if words in folded_text or words.replace(" ", "") in squeezed
                ],
            )
            for slot, values in self.known.items()
        }
        for slot, some in quantities(folded_text).items():
            lists[slot] = TextSlotList(
                name=slot, values=[_value(words, value)[1] for words, value in some.items()]
            )
        return lists | {slot: WildcardSlotList(name=slot) for slot in WILDCARDS}


def quantities(text: str) -> dict[str, dict[str, Scalar]]:
    """The words of all numbers, without what they count, of lengths of time in seconds and of
    other lengths in metres."""
    # 百分之四十 is the number forty, said of a hundred.
    text = folded(text.replace("百分之", " "))
    return {
        "number": {text[one.start : one.end]: one.value for one in runs(text)},
        "duration": {text[one.start : one.end]: one.seconds for one in find_durations(text)},
        "distance": {
            text[one.start : one.end]: one.value
            for one in find_numbers(text)
            if one.unit == "metre"
        },
    }
