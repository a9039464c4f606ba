"""What a person likes, done whenever something is switched on: lights at 60 %, the room at 25 °C.

as_liked(Do((Call("turn_on", "light.desk"),)), world, state, memory)
# Do((Call("turn_on", "light.desk"), Call("set", "light.desk", {"brightness": 60})))
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from qingyu.act.calls import Call
from qingyu.act.records.memory import Memory
from qingyu.act.resolving.parameters import PARAMETERS
from qingyu.act.resolving.values import WHITES
from qingyu.act.state import State
from qingyu.act.understood import Do
from qingyu.act.values import tidy
from qingyu.act.world import Entity, Scalar, World

_ON = ("turn_on", "play")


def as_liked(order: Do, world: World, state: State, memory: Memory) -> Do:
    """The order with what is liked of each device that it switches on and that is off. What the
    order itself says counts more; of two preferences the one about this device."""
    taught = memory.preferences()
    if not taught:
        return order
    said = {(one.entity, key) for one in order.calls for key in one.arguments}
    calls: list[Call] = []
    for call in order.calls:
        calls.append(call)
        entity = world.entity(call.entity)
        if call.action not in _ON or entity is None or "set" not in entity.vocabulary.actions:
            continue
        if order.when is None and state.get(entity.id) not in ("off", "idle"):
            continue
        about = sorted(
            (one for one in taught if one.about in ("", entity.id)), key=lambda one: one.about
        )
        liked = dict(
            pair for one in about for pair in _argument(world, entity, one.name, one.value)
        )
        wanted = {key: one for key, one in liked.items() if (entity.id, key) not in said}
        if wanted:
            calls.append(Call("set", entity.id, wanted))
    return replace(order, calls=tuple(calls))


def _argument(
    world: World, entity: Entity, key: str, value: Scalar
) -> Iterator[tuple[str, Scalar]]:
    """The argument of "set" that it is on this device; none where it has no such thing."""
    name = PARAMETERS.get(entity.domain, {}).get(key)
    if name is None:
        return
    found = entity.vocabulary.actions["set"].parameters[name]
    attribute, sets = found.value, found.sets or name
    if not entity.supports(sets):
        return
    if name == "color_temperature":
        value = WHITES.get(str(value), value)
    if not attribute.numeric:
        if value in world.options_of(entity, attribute):
            yield name, value
    elif isinstance(value, int | float):
        low, high = entity.range_of(sets, attribute)
        if (low is None or low <= value) and (high is None or value <= high):
            yield name, tidy(value)
