"""Which devices a sentence means: by name, by area and class, everywhere, all but some.

targets(world, "lounge", {"class": "light", "every": "yes"})    # every light
None where it is not clear: several of a name and the speaker beside none of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from qingyu.act.resolving.classes import members
from qingyu.act.world import Entity, World

Said = Mapping[str, object]
"""What a template found: {slot: value}."""
_NAMES = ("name", "name2", "name3")


def targets(world: World, speaker: str, said: Said) -> tuple[Entity, ...] | None:
    """The devices, in the order named. speaker: id of the person's area, "" for unknown."""
    if "name" in said:
        found: list[Entity] = []
        for slot in _NAMES:
            if slot in said:
                one = _named(world, speaker, str(said[slot]), said)
                if one is None:
                    return None
                found.append(one)
        return tuple(found) if len(set(map(id, found))) == len(found) else None
    if "class" not in said:
        return None
    some = _of_class(world, speaker, said)
    without = _exception(world, some, said) if some else None
    return without or None


def _named(world: World, speaker: str, ids: str, said: Said) -> Entity | None:
    some = [one for one in world.entities if one.id in ids.split()]
    if "area" in said:
        some = [one for one in some if one.area == said["area"]]
    if "floor" in said:
        areas = {one.id for one in world.areas_on(str(said["floor"]))}
        some = [one for one in some if one.area in areas]
    if len(some) > 1:
        some = [one for one in some if speaker and one.area == speaker]
    return some[0] if len(some) == 1 else None


def of_class(world: World, name: str) -> tuple[Entity, ...]:
    """Every device of a domain, or of a kind: "light", "cover/curtain", "climate/heat"."""
    domain, _, kind = name.partition("/")
    if domain == "climate" and kind:
        return members(world, "ac" if kind == "cool" else "heater")
    return world.select(domain=domain, kind=kind)


def _of_class(world: World, speaker: str, said: Said) -> tuple[Entity, ...]:
    some = of_class(world, str(said["class"]))
    if "area" in said:
        return tuple(one for one in some if one.area in (said["area"], said.get("area2")))
    if "floor" in said:
        areas = {one.id for one in world.areas_on(str(said["floor"]))}
        return tuple(one for one in some if one.area in areas)
    if "every" in said or "except_name" in said or "except_area" in said:
        return some
    here = tuple(one for one in some if speaker and one.area == speaker)
    return here or (some if len(some) == 1 else ())


def _exception(world: World, some: tuple[Entity, ...], said: Said) -> tuple[Entity, ...] | None:
    """Without those named; None where the exception is none of them, so it was misunderstood."""
    if "except_name" in said:
        ids = set(str(said["except_name"]).split())
        left = tuple(one for one in some if one.id not in ids)
    elif "except_area" in said:
        left = tuple(one for one in some if one.area != said["except_area"])
    else:
        return some
    return left if len(left) < len(some) else None
