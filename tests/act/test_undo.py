"""The way back, straight and where others came between."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qingyu.act.actions import apply
from qingyu.act.bench.cases import read_split
from qingyu.act.calls import Call
from qingyu.act.guard import check
from qingyu.act.records.undo import Undo, plan
from qingyu.act.state import Changes, State, changes, initial
from qingyu.act.terms import Attribute
from qingyu.act.world import Entity, Scalar, Value, World
from tests.act.houses import so

WORLDS = {world.name: world for world, _ in read_split("dev")}


def patches(before: State, after: State) -> tuple[Changes, Changes]:
    new = changes(before, after, memory=True)
    return {id: {key: before.of(id)[key] for key in new[id]} for id in new}, new


def run(world: World, state: State, *calls: Call) -> tuple[State, list[tuple[Changes, Changes]]]:
    steps = []
    for call in calls:
        after = apply(world, state, call)
        steps.append(patches(state, after))
        state = after
    return state, steps


def patched(state: State, patch: Changes) -> State:
    for id, values in patch.items():
        state = state.updated(id, values)
    return state


def back(world: World, *calls: Call, since: Changes | None = None) -> tuple[State, Undo]:
    """The state after calls and what came since, and the plan to take the calls back."""
    state, steps = run(world, initial(world), *calls)
    state = patched(state, since or {})
    return state, plan(world, state, steps, turn=1)


def call(action: str, entity: str, **arguments: Scalar) -> Call:
    return Call(action, entity, arguments)


@pytest.mark.parametrize(
    ("done", "way"),
    [
        (call("turn_on", "light.desk"), [call("turn_off", "light.desk")]),
        (
            call("set", "light.desk", brightness=5),
            [call("set", "light.desk", brightness=80), call("turn_off", "light.desk")],
        ),
        (call("close", "cover.curtain"), [call("set", "cover.curtain", position=60)]),
        (call("set", "climate.hall", mode="cool"), [call("turn_off", "climate.hall")]),
        (call("unlock", "lock.front"), [call("lock", "lock.front")]),
        (call("walk", "robot.dog", distance=2.5), [call("walk", "robot.dog", distance=-2.5)]),
        (call("turn", "robot.dog", angle=90), [call("turn", "robot.dog", angle=-90)]),
        (call("go_to", "robot.dog", place="attic"), [call("go_to", "robot.dog", place="hall")]),
        (call("add", "todo.shopping", item="茶"), [call("remove", "todo.shopping", item="茶")]),
        (call("remove", "todo.shopping", item="牛奶"), [call("add", "todo.shopping", item="牛奶")]),
        (
            call("cancel", "timer.home"),
            [call("start", "timer.home", seconds=60, label="tea")],
        ),
        (call("set", "level.volume", value=90), [call("set", "level.volume", value=40)]),
        (call("start", "vacuum.dobby"), [call("return", "vacuum.dobby")]),
        (call("call", "dialer.phone", contact="妈妈"), [call("hang_up", "dialer.phone")]),
    ],
    ids=str,
)
def test_calls_that_lead_back(world: World, done: Call, way: list[Call]) -> None:
    _, undo = back(world, done)
    assert list(undo.calls) == way
    assert not undo.left


def test_a_scene_with_all_it_did(world: World) -> None:
    now, undo = back(world, call("activate", "scene.night"))
    assert patched(now, undo.patch) == initial(world)
    assert {one.entity for one in undo.calls} == {"light.desk", "climate.hall", "cover.curtain"}


def test_what_came_in_between_in_the_same_turn_does_not_count(world: World) -> None:
    _, undo = back(world, call("turn_on", "light.desk"), call("turn_off", "light.desk"))
    assert not undo.calls
    assert not undo.left


def test_the_last_thing_done_is_taken_back_first(world: World) -> None:
    _, undo = back(world, call("turn_on", "fan.round"), call("open", "valve.roses"))
    assert undo.calls == (call("close", "valve.roses"), call("turn_off", "fan.round"))


def test_what_a_device_keeps_in_mind_is_patched(world: World) -> None:
    done = [call("set", "climate.hall", mode="cool"), call("turn_off", "climate.hall")]
    now, undo = back(world, *done)
    assert not undo.calls
    assert patched(now, undo.patch) == initial(world)


def test_a_device_that_was_used_since_stays(world: World) -> None:
    done = [call("open", "cover.curtain"), call("turn_on", "fan.round")]
    _, undo = back(world, *done, since={"cover.curtain": {"position": 30}})
    assert undo.calls == (call("turn_off", "fan.round"),)
    assert [(one.entity, one.key, one.reason) for one in undo.left] == [
        ("cover.curtain", "position", "changed")
    ]


def test_what_is_so_already_is_not_done_again(world: World) -> None:
    _, undo = back(world, call("turn_on", "fan.round"), since={"fan.round": {"state": "off"}})
    assert not undo.calls
    assert not undo.left


def test_what_else_was_set_since_is_kept(world: World) -> None:
    now, undo = back(world, call("turn_on", "light.desk"), since={"light.desk": {"brightness": 9}})
    assert patched(now, undo.patch) == so(world, "light.desk", brightness=9)


def test_of_a_list_only_what_the_turn_did(world: World) -> None:
    done = [call("add", "todo.shopping", item="茶"), call("remove", "todo.shopping", item="Eggs")]
    since: Changes = {"todo.shopping": {"items": ("牛奶", "茶", "bread")}}
    _, undo = back(world, *done, since=since)
    assert undo.patch == {"todo.shopping": {"items": ("牛奶", "bread", "Eggs")}}
    since = {"todo.shopping": {"items": ("Eggs", "bread")}}
    _, undo = back(world, *done, since=since)
    assert not undo.calls, "Eggs are on it again, and the tea is gone"


def test_what_cannot_be_taken_back_is_said(world: World) -> None:
    _, undo = back(world, call("send", "messenger.phone", contact="妈妈", text="hi"))
    assert not undo.calls
    assert not undo.patch
    assert [(one.key, one.reason) for one in undo.left] == [("sent", "for_good")]
    _, undo = back(world, call("open", "app.phone", app="微信"))
    assert [(one.key, one.reason) for one in undo.left] == [("open", "for_good")]


def test_a_device_or_a_value_that_is_no_more(world: World) -> None:
    now, steps = run(world, initial(world), call("turn_on", "fan.round"))
    fewer = World(name="less", entities=tuple(o for o in world.entities if o.id != "fan.round"))
    undo = plan(fewer, now, steps, turn=1)
    assert [(one.entity, one.reason) for one in undo.left] == [("fan.round", "gone")]
    old: Changes = {"fan.round": {"state": "howling"}}
    undo = plan(world, now, [(old, {"fan.round": {"state": "on"}})], turn=1)
    assert [one.reason for one in undo.left] == ["gone"]
    assert not undo.calls


def test_readings_drift_and_are_not_taken_back(world: World) -> None:
    before = initial(world)
    after = before.updated("climate.hall", {"state": "heat", "current_temperature": 20})
    undo = plan(
        world, after.updated("climate.hall", {"current_temperature": 21}),
        [patches(before, after)], turn=1,
    )  # fmt: skip
    assert undo.calls == (call("turn_off", "climate.hall"),)
    assert not undo.left


def _fitting(world: World, entity: Entity, value: Attribute) -> st.SearchStrategy[Scalar]:
    if options := world.options_of(entity, value):
        return st.sampled_from(options)
    match value.kind:
        case "percent" | "number":
            return st.integers(int(value.low or 0), int(value.high or 1000))
        case "bool":
            return st.booleans()
        case "time":
            return st.sampled_from(["07:00", "23:59"])
        case "moment":
            return st.sampled_from(["2026-11-28 10:00", "2027-01-01 00:00"])
    return st.sampled_from(["牛奶", "tea"])


@st.composite
def turns(draw: st.DrawFn) -> tuple[World, list[Call], list[Call]]:
    """A household, the calls of a turn, and what is done by others afterwards."""
    world = WORLDS[draw(st.sampled_from(sorted(WORLDS)))]
    some = draw(st.lists(st.sampled_from(world.entities), min_size=1, max_size=3))

    def one() -> Call:
        entity = draw(st.sampled_from(some))
        actions = entity.vocabulary.actions
        if not actions:
            return Call("turn_on", entity.id)
        action = draw(st.sampled_from(sorted(actions)))
        arguments = {
            key: draw(_fitting(world, entity, parameter.value))
            for key, parameter in actions[action].parameters.items()
            if (parameter.required or draw(st.booleans()))
            and (not parameter.sets or entity.supports(parameter.sets))
        }
        return Call(action, entity.id, arguments)

    return world, [one() for _ in range(draw(st.integers(1, 4)))], [
        one() for _ in range(draw(st.integers(0, 2)))
    ]  # fmt: skip


def _doable(world: World, state: State, calls: list[Call]) -> tuple[State, list[Call]]:
    fine = []
    for one in calls:
        if check(world, state, one, confirmed=True).outcome == "fine":
            state = apply(world, state, one)
            fine.append(one)
    return state, fine


def _loose(state: State) -> dict[tuple[str, str], object]:
    """Values as they are compared: lists without order, a vacuum on its way as docked, and not
    what devices keep in mind."""

    def loose(id: str, value: Value) -> object:
        if isinstance(value, tuple):
            return sorted(str(sorted(o.items()) if isinstance(o, dict) else o) for o in value)
        return "docked" if id.startswith("vacuum.") and value == "returning" else value

    return {
        (id, key): loose(id, value)
        for id, values in state.entities.items()
        for key, value in values.items()
        if key != "last_mode"
    }


@settings(max_examples=800)
@given(turns())
def test_calls_and_patch_lead_to_the_same_and_back(
    drawn: tuple[World, list[Call], list[Call]],
) -> None:
    world, turn, since = drawn
    beginning = initial(world)
    _, turn = _doable(world, beginning, turn)
    after, steps = run(world, beginning, *turn)
    now, since = _doable(world, after, since)
    undo = plan(world, now, steps, turn=1)

    by_calls = now
    for one in undo.calls:
        assert check(world, by_calls, one, confirmed=True).outcome in ("fine", "not_now"), one
        by_calls = apply(world, by_calls, one)
    left = {(one.entity, one.key) for one in undo.left}
    by_patch, by_calls_loose = _loose(patched(now, undo.patch)), _loose(by_calls)
    assert {k: v for k, v in by_patch.items() if k not in left} == {
        k: v for k, v in by_calls_loose.items() if k not in left
    }
    if not since:
        assert {one.reason for one in undo.left} <= {"for_good"}
        wanted = {k: v for k, v in _loose(beginning).items() if k not in left}
        assert {k: v for k, v in by_patch.items() if k not in left} == wanted
        if not left:
            assert patched(now, undo.patch) == beginning
    # Devices the turn did not touch are not touched by the way back.
    assert set(changes(now, by_calls)) <= {id for _, new in steps for id in new}
