"""A search for calls that bring about what a case wants: proof that it can be had at all.

calls = reach(case, world)       # None where no few calls of the vocabulary do it
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from qingyu.act.actions import apply
from qingyu.act.bench.cases import Case, Wanted
from qingyu.act.bench.matchers import Between, Entries, Exactly, Matcher
from qingyu.act.calls import RECORDS, Call
from qingyu.act.guard import check
from qingyu.act.state import State, changes
from qingyu.act.world import Entity, Scalar, World

DEPTH = 3


def reach(case: Case, world: World) -> list[list[Call] | None]:
    """For each right outcome the calls, None where there are none."""
    return [reach_one(world, case.beginning, wanted, case.may) for wanted in case.any]


def reach_one(world: World, state: State, wanted: Wanted, may: Wanted) -> list[Call] | None:
    """Calls that change all that is wanted and nothing else but `may`."""
    for scene in world.select(domain="scene"):
        call = Call("activate", scene.id)
        if wanted and _exact(state, apply(world, state, call), wanted, may):
            return [call]
    calls: list[Call] = []
    for id, keys in wanted.items():
        entity = world.entity(id)
        assert entity is not None
        found = _search(world, state, entity, keys, may.get(id, {}))
        if found is None:
            return None
        calls += found
    return calls


def _search(
    world: World,
    state: State,
    entity: Entity,
    wanted: Mapping[str, Matcher],
    may: Mapping[str, Matcher],
) -> list[Call] | None:
    candidates = list(_candidates(state, entity, wanted))
    front: list[tuple[State, list[Call]]] = [(state, [])]
    for _ in range(DEPTH):
        following = []
        for reached, calls in front:
            for call in candidates:
                if check(world, reached, call, confirmed=True).outcome != "fine":
                    continue
                after = apply(world, reached, call)
                if _exact(state, after, {entity.id: wanted}, {entity.id: may}):
                    return [*calls, call]
                following.append((after, [*calls, call]))
        front = following
    return None


def _exact(before: State, after: State, wanted: Wanted, may: Wanted) -> bool:
    for id, keys in wanted.items():
        if not all(matcher.matches(after.get(id, key)) for key, matcher in keys.items()):
            return False
    for id, values in changes(before, after).items():
        for key, value in values.items():
            allowed = may.get(id, {}).get(key)
            if key not in wanted.get(id, {}) and not (allowed and allowed.matches(value)):
                return False
    return True


def _candidates(state: State, entity: Entity, wanted: Mapping[str, Matcher]) -> Iterator[Call]:
    for name, action in entity.vocabulary.actions.items():
        if entity.domain in RECORDS:
            yield from _list_calls(state, entity, name, wanted)
        elif not action.parameters:
            yield Call(name, entity.id)
        elif action.one_of:
            chosen = [
                (key, parameter)
                for key, parameter in action.parameters.items()
                if parameter.sets in wanted
            ]
            for at in range(2):
                arguments = {
                    key: _values(entity, one.sets, wanted[one.sets])[at] for key, one in chosen
                }
                if arguments:
                    yield Call(name, entity.id, arguments)
        else:
            for value in _told(state, entity, name, wanted):
                yield Call(name, entity.id, {next(iter(action.parameters)): value})


def _told(
    state: State, entity: Entity, action: str, wanted: Mapping[str, Matcher]
) -> tuple[Scalar, ...]:
    """What the one parameter of an action may have to be."""
    keys = {
        "clean": "area",
        "call": "contact",
        "open": "open",
        "navigate": "destination",
        "set": "state",
        "walk": "moved",
        "turn": "heading",
        "go_to": "place",
        "follow": "target",
    }
    key = keys[action]
    if key not in wanted:
        return ()
    values = _values(entity, key, wanted[key])
    if key in ("moved", "heading"):
        now = state.get(entity.id, key)
        assert isinstance(now, int | float)
        return tuple(one - now for one in values if isinstance(one, int | float))
    return values


def _values(entity: Entity, key: str, matcher: Matcher) -> tuple[Scalar, Scalar]:
    """Two values a matcher takes: the nearest and the farthest."""
    if isinstance(matcher, Exactly):
        assert not isinstance(matcher.value, tuple)
        return matcher.value, matcher.value
    assert isinstance(matcher, Between)
    attribute = entity.attribute(key)
    assert attribute is not None
    step = attribute.step or 0.1
    low, high = entity.range_of(key, attribute)
    if not matcher.inside:
        return matcher.low, matcher.high
    if math.isinf(matcher.high):
        assert high is not None
        return matcher.low + step, high
    assert low is not None
    return matcher.high - step, low


def _list_calls(
    state: State, entity: Entity, action: str, wanted: Mapping[str, Matcher]
) -> Iterator[Call]:
    key = RECORDS[entity.domain]
    matcher = wanted.get(key)
    assert isinstance(matcher, Entries), (entity.id, wanted)
    now = state.get(entity.id, key)
    assert isinstance(now, tuple)
    adds = action in ("add", "start", "send")
    fields = entity.vocabulary.attributes[key].fields
    for one in matcher.entries if adds else now:
        if isinstance(one, str):
            yield Call(action, entity.id, {"item": one})
        elif adds:
            yield Call(action, entity.id, {**dict.fromkeys(_free(fields), "free"), **one})
        else:
            yield Call(action, entity.id, dict(one))


def _free(fields: Mapping[str, object]) -> list[str]:
    return [one for one in ("text", "title") if one in fields]
