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
from qingyu.act.vocabulary import DOMAINS
from qingyu.act.world import World

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
            options = world.options_of(entity, parameter.value)
            if options:
                arguments[key] = draw(st.one_of(st.sampled_from(options), JUNK))
            elif draw(st.booleans()) or parameter.required:
                arguments[key] = draw(JUNK)
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
