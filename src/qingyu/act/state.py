"""What is now: the states and attributes of all devices, and what changed between two moments.

    before = initial(world)
    after = before.updated("light.desk", {"state": "on"})
    changes(before, after)                     # {"light.desk": {"state": "on"}}

A state is never altered: `updated` gives a new one that shares what stayed the same. What is
fixed for good (kinds, units, names) is the world's and not in here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qingyu.act.values import frozen, misfit, thawed
from qingyu.act.vocabulary import DOMAINS
from qingyu.act.world import Entity, Value, World
from qingyu.errors import WorldError
from qingyu.text import pick

Changes = dict[str, dict[str, Value]]


@dataclass(frozen=True)
class State:
    """entities: {id: {"state" or attribute: value}}."""

    entities: Mapping[str, Mapping[str, Value]]

    def of(self, entity: str) -> Mapping[str, Value]:
        return self.entities[entity]

    def get(self, entity: str, key: str = "state") -> Value | None:
        """A value, None where the device has no such or does not exist."""
        return self.entities.get(entity, {}).get(key)

    def updated(self, entity: str, values: Mapping[str, Value]) -> State:
        """The state with some values of a device changed; this one where they are so already."""
        before = self.entities[entity]
        if all(same(before.get(key), value) for key, value in values.items()):
            return self
        return State({**self.entities, entity: {**before, **values}})

    def as_json(self) -> dict[str, dict[str, Any]]:
        return {
            id: {key: thawed(value) for key, value in values.items()}
            for id, values in self.entities.items()
        }


def same(one: Value | None, other: Value | None) -> bool:
    """Whether two values are equal: 1 is 1.0 and is not True."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def changeable(entity: Entity, key: str) -> bool:
    """Whether a device has "state" or an attribute that can become another value."""
    attribute = entity.attribute(key)
    return attribute is not None and entity.supports(key) and attribute.access != "fixed"


def initial(world: World) -> State:
    """How the household's file says that things are."""
    return State({one.id: _beginning(one) for one in world.entities})


def _beginning(entity: Entity) -> dict[str, Value]:
    values = {} if entity.state is None else {"state": entity.state}
    values |= {key: value for key, value in entity.attributes.items() if changeable(entity, key)}
    return values


def changes(before: State, after: State, *, memory: bool = False) -> Changes:
    """{entity: {key: value afterwards}} of all that differs.

    memory: also what a device only keeps in mind, as the last mode of an air conditioner.
    """
    found: Changes = {}
    for id, values in after.entities.items():
        earlier = before.entities.get(id, {})
        if values is earlier:
            continue
        attributes = DOMAINS[id.partition(".")[0]].attributes
        changed = {
            key: value
            for key, value in values.items()
            if not same(earlier.get(key), value)
            and (memory or key not in attributes or attributes[key].access != "memory")
        }
        if changed:
            found[id] = changed
    return found


def from_json(world: World, saved: object) -> State:
    """A state saved with `as_json`, for the same household.

    Devices that came after it was saved are as the household's file says; a device that went is
    left out. Raises WorldError naming what does not fit.
    """
    if not isinstance(saved, Mapping):
        raise WorldError(pick("a saved state is no mapping", "保存的状态不是映射"))
    entities = dict(initial(world).entities)
    for entity in world.entities:
        entities[entity.id] = merged(world, entity, entities[entity.id], saved.get(entity.id, {}))
    return State(entities)


def merged(
    world: World, entity: Entity, before: Mapping[str, Value], values: object
) -> dict[str, Value]:
    """The values of a device with others written over them, each of them checked.

    Raises WorldError naming the device, the key, the value and what it may be.
    """
    if not isinstance(values, Mapping):
        raise WorldError(pick(f"{entity.id} is no mapping", f"{entity.id} 不是映射"))
    result = dict(before)
    for key, value in values.items():
        result[key] = checked(world, entity, str(key), value)
    return result


def checked(world: World, entity: Entity, key: str, value: object) -> Value:
    """A value that "state" or an attribute of a device can have. Raises WorldError."""
    attribute = entity.attribute(key)
    if attribute is None or not changeable(entity, key):
        known = [one for one in ("state", *entity.attributes) if changeable(entity, one)]
        has = ", ".join(known) or "-"
        raise WorldError(
            pick(
                f"{entity.id} has no {key} that can change; it has {has}",
                f"{entity.id} 没有可变的 {key}；它有 {has}",
            )
        )
    found = misfit(world, entity, key, attribute, value)
    if found is not None:
        where = f"{entity.id}.{key}" + (f".{found.field}" if found.field else "")
        raise WorldError(
            pick(f"{where} is {value!r}; {found.text()}", f"{where} 为 {value!r}；{found.text()}")
        )
    return frozen(value)
