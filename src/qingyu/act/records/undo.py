"""The way back from what a turn did, also where things changed since.

    undo = plan(world, now, [(before, after), ...], turn=7, text="打开台灯")
    undo.calls      # what to tell the devices, through the guard as any other call
    undo.patch      # how things are then: what the simulator is to show
    undo.left       # what stays as it is, and why

A device whose values are neither those the turn left nor those before it was used since, and is
left alone. Of a list only what the turn added or removed is taken back; other entries stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from qingyu.act.actions import apply
from qingyu.act.calls import RECORDS, Call
from qingyu.act.state import Changes, State, changeable, checked, same
from qingyu.act.values import tidy
from qingyu.act.world import Entity, Record, Value, World
from qingyu.errors import ActionError, WorldError

Values = Mapping[str, Value]
_CALLS = 3
"""The longest way back looked for on one device."""
_MOVED_BY_CALLS = {("robot", "heading"), ("robot", "moved")}
"""Readings that calls change; any other changes by itself."""


@dataclass(frozen=True, kw_only=True)
class Left:
    """A value that is not brought back. reason: "changed" since; "gone" from the household or
    no longer possible there; "for_good", as a message that was sent."""

    entity: str
    key: str
    reason: Literal["changed", "gone", "for_good"]


@dataclass(frozen=True, kw_only=True)
class Undo:
    """turn and text: which is taken back. schedules: those it planned that are still waiting.
    A vacuum that shall be docked is told to return, and `patch` says "docked" already."""

    turn: int
    text: str
    patch: Changes
    calls: tuple[Call, ...]
    left: tuple[Left, ...] = ()
    schedules: tuple[int, ...] = ()


def plan(
    world: World,
    now: State,
    steps: Sequence[tuple[Changes, Changes]],
    *,
    turn: int,
    text: str = "",
    schedules: tuple[int, ...] = (),
) -> Undo:
    """The way back from some steps in their order: old and new values of what each changed."""
    patch: Changes = {}
    calls: list[Call] = []
    left: list[Left] = []
    for id, (old, new) in reversed(_composed(steps).items()):
        entity = world.entity(id)
        if entity is None or id not in now.entities:
            left += [Left(entity=id, key=key, reason="gone") for key in old]
            continue
        old = {key: value for key, value in old.items() if not _drifts(entity, key)}
        if not all(_possible(world, entity, key, value) for key, value in old.items()):
            left += [Left(entity=id, key=key, reason="gone") for key in old]
            continue
        goal = _goal(now.of(id), old, new)
        if goal is None:
            left += [Left(entity=id, key=key, reason="changed") for key in old]
            continue
        way, missed = _way(world, entity, now.of(id), goal)
        calls += way
        left += [Left(entity=id, key=key, reason="for_good") for key in missed]
        reached = {key: value for key, value in goal.items() if key not in missed}
        if reached and (way or not missed):
            patch[id] = reached
    return Undo(
        turn=turn,
        text=text,
        patch=patch,
        calls=tuple(calls),
        left=tuple(left),
        schedules=schedules,
    )


def _composed(
    steps: Sequence[tuple[Changes, Changes]],
) -> dict[str, tuple[dict[str, Value], dict[str, Value]]]:
    """What several steps came to: {entity: (values before all, values after all)}."""
    found: dict[str, tuple[dict[str, Value], dict[str, Value]]] = {}
    for before, after in steps:
        for id, values in after.items():
            old, new = found.setdefault(id, ({}, {}))
            for key, value in values.items():
                old.setdefault(key, before[id][key])
                new[key] = value
    for old, new in found.values():
        for key in [key for key in old if same(old[key], new[key])]:
            del old[key], new[key]
    return {id: pair for id, pair in found.items() if pair[0]}


def _possible(world: World, entity: Entity, key: str, value: Value) -> bool:
    try:
        checked(world, entity, key, value)
    except WorldError:
        return False
    return True


def _drifts(entity: Entity, key: str) -> bool:
    """Whether a value is a reading that changes by itself."""
    attribute = entity.attribute(key)
    reading = attribute is not None and attribute.access == "read"
    return reading and (entity.domain, key) not in _MOVED_BY_CALLS


def _goal(now: Values, old: Values, new: Values) -> dict[str, Value] | None:
    """The values to bring back, without those that are so already; None if used since."""
    goal: dict[str, Value] = {}
    for key, before in old.items():
        after, current = new[key], now[key]
        if same(current, before):
            continue
        if same(current, after):
            goal[key] = before
        elif isinstance(before, tuple) and isinstance(after, tuple) and isinstance(current, tuple):
            merged = _merged(current, before, after)
            if merged != current:
                goal[key] = merged
        else:
            return None
    return goal


def _without(
    some: tuple[str | Record, ...], others: tuple[str | Record, ...]
) -> list[str | Record]:
    """The entries of a list that another has not, each as often as it is there more."""
    rest = list(some)
    for one in others:
        if one in rest:
            rest.remove(one)
    return rest


def _merged(
    current: tuple[str | Record, ...],
    before: tuple[str | Record, ...],
    after: tuple[str | Record, ...],
) -> tuple[str | Record, ...]:
    """A list that others changed since, without what was added and with what was removed."""
    kept = tuple(_without(current, tuple(_without(after, before))))
    removed = tuple(_without(before, after))
    # Somebody may have put a removed entry back already.
    return (*kept, *_without(removed, tuple(_without(kept, after))))


def _way(
    world: World, entity: Entity, now: Values, goal: Values
) -> tuple[list[Call], tuple[str, ...]]:
    """The calls that bring a device nearest to its goal, and the keys that stay away from it."""
    full = {**now, **goal}
    best: list[Call] = []
    missed = _away(entity, now, full)
    level: list[tuple[list[Call], Values]] = [([], now)]
    if entity.domain in RECORDS:
        best, end = _list_way(world, entity, now, full)
        return best, _away(entity, end, full)
    seen = [now]
    for _ in range(_CALLS):
        following: list[tuple[list[Call], Values]] = []
        for calls, values in level:
            for call in _candidates(entity, values, full):
                then = _after(world, entity, values, call)
                if then is None or then in seen:
                    continue
                seen.append(then)
                following.append(([*calls, call], then))
                away = _away(entity, then, full)
                if len(away) < len(missed):
                    best, missed = [*calls, call], away
                if not missed:
                    return best, ()
        level = following
    return best, missed


def _away(entity: Entity, values: Values, goal: Values) -> tuple[str, ...]:
    """The keys that are not as they shall be; what a device keeps in mind does not count."""
    found = []
    for key, value in goal.items():
        attribute = entity.attribute(key)
        if attribute is None or attribute.access == "memory" or not changeable(entity, key):
            continue
        is_now = values[key]
        if isinstance(value, tuple) and isinstance(is_now, tuple):
            alike = not _without(value, is_now) and not _without(is_now, value)
        else:
            on_its_way = entity.domain == "vacuum" and (is_now, value) == ("returning", "docked")
            alike = same(is_now, value) or on_its_way
        if not alike:
            found.append(key)
    return tuple(found)


def _after(world: World, entity: Entity, values: Values, call: Call) -> Values | None:
    try:
        return apply(world, State({entity.id: values}), call).of(entity.id)
    except ActionError:
        return None


def _candidates(entity: Entity, values: Values, goal: Values) -> Iterator[Call]:
    """Calls that may bring a device nearer to its goal."""
    words = {value for value in goal.values() if isinstance(value, str) and value}
    for name, action in entity.vocabulary.actions.items():
        if not action.parameters:
            yield Call(name, entity.id)
            continue
        setting = {
            key: value
            for key, parameter in action.parameters.items()
            if not isinstance(value := goal.get(parameter.sets, ()), tuple)
            and not same(values.get(parameter.sets), value)
        }
        if setting:
            yield Call(name, entity.id, setting)
        if len(setting) > 1:
            yield from (Call(name, entity.id, {key: one}) for key, one in setting.items())
        for key, parameter in action.parameters.items():
            if parameter.sets:
                continue
            if key == "distance":
                yield Call(name, entity.id, {key: _difference(values, goal, "moved")})
            elif key == "angle":
                angle = (_difference(values, goal, "heading") + 180) % 360 - 180
                yield Call(name, entity.id, {key: tidy(angle)})
            else:
                yield from (Call(name, entity.id, {key: one}) for one in sorted(words))


def _difference(values: Values, goal: Values, key: str) -> float:
    one, other = values.get(key, 0), goal.get(key, 0)
    assert isinstance(one, int | float)
    assert isinstance(other, int | float)
    return tidy(other - one)


def _list_way(world: World, entity: Entity, now: Values, goal: Values) -> tuple[list[Call], Values]:
    """Entries to remove, then those to add: removing takes all that are alike."""
    key = RECORDS[entity.domain]
    actions = entity.vocabulary.actions
    calls: list[Call] = []
    wanted = goal[key]
    assert isinstance(wanted, tuple)
    for names in (("remove", "cancel"), ("add", "start")):
        name = next((one for one in names if one in actions), None)
        have = now[key]
        assert isinstance(have, tuple)
        surplus = names[0] == "remove"
        for one in _without(have, wanted) if surplus else _without(wanted, have):
            if name is None:
                continue
            record = {"item": one} if isinstance(one, str) else dict(one)
            call = Call(name, entity.id, record)
            then = _after(world, entity, now, call)
            if then is not None:
                now = then
                calls.append(call)
    return calls, now
