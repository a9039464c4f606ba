"""Whatever a model writes: the guard answers, and nothing leaves the vocabulary."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from qingyu.act.actions import apply
from qingyu.act.bench.cases import read_split
from qingyu.act.calls import Call
from qingyu.act.guard import check
from qingyu.act.state import changes, from_json, initial
from qingyu.act.terms import Attribute
from qingyu.act.vocabulary import DOMAINS
from qingyu.act.world import Entity, World

WORLDS = {world.name: world for world, _ in read_split("test")}
ACTIONS = sorted({action for domain in DOMAINS.values() for action in domain.actions})
PARAMETERS = sorted(
    {
        key
        for domain in DOMAINS.values()
        for action in domain.actions.values()
        for key in action.parameters
    }
)
JUNK = st.one_of(
    st.integers(-500, 500),
    st.floats(),
    st.booleans(),
    st.text(max_size=5),
    st.sampled_from(["cool", "red", "once", "07:30", "2026-11-27 07:30", "家", "kitchen", "妈妈"]),
)


def fitting(world: World, entity: Entity, value: Attribute) -> st.SearchStrategy[Any]:
    """What the vocabulary allows, whether this device does or not."""
    if options := world.options_of(entity, value):
        return st.sampled_from(options)
    match value.kind:
        case "percent" | "number":
            low, high = int(value.low or 0), int(value.high or 1000)
            return st.integers(low, high)
        case "bool":
            return st.booleans()
        case "time":
            return st.sampled_from(["07:00", "23:59"])
        case "moment":
            return st.sampled_from(["2026-11-28 10:00", "2027-01-01 00:00"])
    return st.sampled_from(["牛奶", "tea"])


@st.composite
def calls(draw: st.DrawFn) -> tuple[World, Call]:
    """Mostly of the right form, so that many get through; now and then anything at all."""
    world = WORLDS[draw(st.sampled_from(sorted(WORLDS)))]
    entity = draw(st.sampled_from(world.entities))
    known = sorted(entity.vocabulary.actions)
    action = draw(st.sampled_from(known * 20 + ACTIONS))
    arguments: dict[str, Any] = {}
    if action in known:
        for key, parameter in entity.vocabulary.actions[action].parameters.items():
            told = parameter.required or draw(st.booleans())
            if told and (not parameter.sets or entity.supports(parameter.sets)):
                arguments[key] = draw(fitting(world, entity, parameter.value))
    if draw(st.integers(0, 9)) == 0:
        arguments[draw(st.sampled_from(PARAMETERS))] = draw(JUNK)
    return world, Call(action, entity.id, arguments)


@settings(max_examples=600)
@given(calls())
def test_any_call(drawn: tuple[World, Call]) -> None:
    world, call = drawn
    before = initial(world)
    verdict = check(world, before, call, confirmed=True)
    assert verdict.call is call
    if verdict.outcome not in ("fine", "not_now", "risky"):
        return
    after = apply(world, before, call)
    changed = changes(before, after)
    assert changed
    assert call.action == "activate" or set(changed) == {call.entity}
    assert from_json(world, json.loads(json.dumps(after.as_json()))) == after
    assert check(world, before, call).outcome in ("fine", "risky", "not_now")
