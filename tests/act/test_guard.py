"""The guard: each outcome, with its facts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qingyu.act.calls import Call, Verdict
from qingyu.act.guard import check, moving
from qingyu.act.state import State, initial
from qingyu.act.world import World
from tests.act.houses import HOUSE, house, so


def asked(
    world: World, action: str, entity: str, state: State | None = None, **arguments: Any
) -> Verdict:
    return check(world, state or initial(world), Call(action, entity, arguments))


@pytest.mark.parametrize(
    ("action", "entity", "arguments"),
    [
        ("turn_on", "light.desk", {}),
        ("set", "light.desk", {"brightness": 1}),
        ("set", "cover.garage", {"position": 10}),
        ("close", "cover.garage", {}),
        ("open", "cover.sunroof", {}),
        ("open", "cover.curtain", {}),
        ("set", "climate.hall", {"temperature": 16.5}),
        ("set", "select.lamps", {"value": "off"}),
        ("start", "charger.car", {}),
        ("set", "media_player.tv", {"source": "show"}),
        ("add", "todo.shopping", {"item": "tea"}),
        ("add", "alarm.home", {"time": "07:00"}),
        ("start", "timer.home", {"seconds": 60, "label": "tea"}),
        ("sit", "robot.dog", {}),
        ("activate", "scene.night", {}),
    ],
)
def test_fine(world: World, action: str, entity: str, arguments: dict[str, Any]) -> None:
    assert asked(world, action, entity, **arguments).outcome == "fine"


@pytest.mark.parametrize(
    ("action", "entity", "before", "arguments"),
    [
        ("turn_off", "light.desk", {}, {}),
        ("set", "light.desk", {"state": "on"}, {"brightness": 80}),
        ("set", "light.desk", {}, {"brightness": 0}),
        ("lock", "lock.front", {}, {}),
        ("unlock", "lock.front", {"state": "unlocked"}, {}),
        ("close", "cover.sunroof", {}, {}),
        ("pause", "media_player.tv", {}, {}),
        ("return", "vacuum.dobby", {}, {}),
        ("hang_up", "dialer.phone", {}, {}),
        ("stop", "robot.dog", {"state": "sitting"}, {}),
        ("set", "select.mode", {}, {"value": "eco"}),
        ("dock", "robot.dog", {"state": "docked"}, {}),
    ],
)
def test_already_so(
    world: World, action: str, entity: str, before: dict[str, Any], arguments: dict[str, Any]
) -> None:
    verdict = asked(world, action, entity, so(world, entity, **before), **arguments)
    assert (verdict.outcome, verdict.reason) == ("already", "")


def test_already_on_a_list(world: World) -> None:
    for entity, arguments in (
        ("todo.shopping", {"item": "EGGS"}),
        ("alarm.home", {"time": "07:00", "days": "weekdays"}),
        ("reminder.home", {"text": "交费", "at": "2026-11-28 10:00"}),
    ):
        verdict = asked(world, "add", entity, **arguments)
        assert (verdict.outcome, verdict.reason) == ("already", "listed"), entity


def test_a_scene_that_is_so(world: World) -> None:
    state = initial(world)
    for entity, values in (
        ("light.desk", {"state": "on", "brightness": 5}),
        ("climate.hall", {"state": "cool"}),
        ("cover.curtain", {"state": "closed", "position": 0}),
    ):
        state = state.updated(entity, values)
    assert asked(world, "activate", "scene.night", state).outcome == "already"


def test_unsupported(world: World) -> None:
    verdict = asked(world, "open", "light.desk")
    assert (verdict.outcome, verdict.reason) == ("unsupported", "action")
    assert verdict.options == ("turn_on", "turn_off", "set")
    verdict = asked(world, "set", "light.torch", brightness=5)
    assert (verdict.reason, verdict.key, verdict.value) == ("attribute", "brightness", 5)
    verdict = asked(world, "set", "climate.hall", mode="dry")
    assert (verdict.reason, verdict.key, verdict.value) == ("option", "mode", "dry")
    assert verdict.options == ("off", "cool", "heat")
    verdict = asked(world, "set", "seat.driver", ventilation=1)
    assert (verdict.reason, verdict.key) == ("attribute", "ventilation")
    verdict = asked(world, "set", "cover.gate", position=50)
    assert (verdict.reason, verdict.key) == ("attribute", "position")
    assert asked(world, "turn_on", "binary_sensor.rain").outcome == "unsupported"


def test_an_action_needs_what_it_moves(tmp_path: Path) -> None:
    world = house(tmp_path, HOUSE.replace(", track: 1}", "}").replace("moved: 1, ", ""))
    verdict = asked(world, "next", "media_player.tv")
    assert (verdict.outcome, verdict.reason, verdict.key) == ("unsupported", "attribute", "track")
    assert asked(world, "walk", "robot.dog", distance=1).key == "moved"


@pytest.mark.parametrize(
    ("action", "entity", "arguments", "key"),
    [
        ("set", "light.desk", {"brightness": "much"}, "brightness"),
        ("set", "light.desk", {"brightness": True}, "brightness"),
        ("set", "light.desk", {"brightness": float("nan")}, "brightness"),
        ("set", "light.desk", {"brightness": False}, "brightness"),
        ("set", "light.desk", {"color": 3}, "color"),
        ("set", "light.desk", {}, ""),
        ("set", "light.desk", {"warmth": 3}, "warmth"),
        ("turn_on", "light.desk", {"brightness": 3}, "brightness"),
        ("call", "dialer.phone", {}, "contact"),
        ("start", "timer.home", {"label": "tea"}, "seconds"),
        ("add", "todo.shopping", {"item": ""}, "item"),
        ("add", "alarm.home", {"time": "7:00"}, "time"),
        ("add", "alarm.home", {"time": "25:00"}, "time"),
        ("add", "reminder.home", {"text": "x", "at": "tomorrow"}, "at"),
        ("send", "messenger.phone", {"contact": "妈妈", "text": ""}, "text"),
    ],
)
def test_arguments_that_are_none(
    world: World, action: str, entity: str, arguments: dict[str, Any], key: str
) -> None:
    verdict = asked(world, action, entity, **arguments)
    assert (verdict.outcome, verdict.reason, verdict.key) == ("unsupported", "argument", key)


@pytest.mark.parametrize(
    ("action", "entity", "arguments", "facts"),
    [
        ("set", "light.desk", {"brightness": 130}, (1, 100, "%", "range")),
        ("set", "light.desk", {"brightness": -1}, (1, 100, "%", "range")),
        ("set", "light.desk", {"color_temperature": 9000}, (2700, 5700, "K", "range")),
        ("set", "climate.hall", {"temperature": 31}, (16, 30, "°C", "range")),
        ("set", "climate.hall", {"temperature": 21.2}, (16, 30, "°C", "step")),
        ("set", "seat.driver", {"heating": 5}, (0, 3, "", "range")),
        ("set", "charger.car", {"limit": 20}, (50, 100, "%", "range")),
        ("set", "level.volume", {"value": 101}, (0, 100, "%", "range")),
        ("set", "humidifier.cloud", {"humidity": 0}, (30, 80, "%", "range")),
        ("walk", "robot.dog", {"distance": 500}, (-50, 50, "m", "range")),
        ("start", "timer.home", {"seconds": 0}, (1, 359_999, "s", "range")),
    ],
)
def test_out_of_range(
    world: World,
    action: str,
    entity: str,
    arguments: dict[str, Any],
    facts: tuple[float, float, str, str],
) -> None:
    verdict = asked(world, action, entity, **arguments)
    assert verdict.outcome == "out_of_range"
    assert (verdict.low, verdict.high, verdict.unit, verdict.reason) == facts
    assert verdict.value == next(iter(arguments.values()))


@pytest.mark.parametrize(
    ("action", "entity", "arguments", "reason"),
    [
        ("turn_on", "light.moon", {}, "entity"),
        ("turn_on", "", {}, "entity"),
        ("open", "app.phone", {"app": "知乎"}, "option"),
        ("navigate", "navigator.car", {"place": "月球"}, "option"),
        ("call", "dialer.phone", {"contact": "Mum"}, "option"),
        ("clean", "vacuum.dobby", {"area": "cellar"}, "option"),
        ("clean", "vacuum.dobby", {"area": ""}, "option"),
        ("go_to", "robot.dog", {"place": "moon"}, "option"),
        ("follow", "robot.dog", {"target": "老秦"}, "option"),
        ("remove", "todo.shopping", {"item": "gold"}, "record"),
        ("cancel", "timer.home", {"label": "eggs"}, "record"),
        ("remove", "alarm.home", {"time": "07:00", "days": "sun"}, "record"),
    ],
)
def test_absent(
    world: World, action: str, entity: str, arguments: dict[str, Any], reason: str
) -> None:
    verdict = asked(world, action, entity, **arguments)
    assert (verdict.outcome, verdict.reason) == ("absent", reason)


def test_nothing_to_cancel(world: World) -> None:
    state = so(world, "timer.home", timers=())
    assert asked(world, "cancel", "timer.home", state).outcome == "absent"


@pytest.mark.parametrize(
    ("action", "entity", "arguments", "outcome"),
    [
        ("open", "cover.boot", {}, "not_now"),
        ("start", "charger.car", {}, "not_now"),
        ("set", "media_player.tv", {"source": "show"}, "not_now"),
        ("activate", "scene.leave", {}, "not_now"),
        ("open", "cover.sunroof", {}, "fine"),
        ("set", "charger.car", {"limit": 90}, "fine"),
        ("set", "media_player.tv", {"volume": 9}, "fine"),
        ("play", "media_player.tv", {}, "fine"),
        ("set", "select.lamps", {"value": "high"}, "fine"),
        ("set", "select.mode", {"value": "sport"}, "risky"),
        ("close", "cover.boot", {}, "already"),
    ],
)
def test_while_the_car_moves(
    world: World, action: str, entity: str, arguments: dict[str, Any], outcome: str
) -> None:
    driving = so(world, "sensor.speed", state=38)
    assert moving(world, driving) == 38
    verdict = asked(world, action, entity, driving, **arguments)
    assert verdict.outcome == outcome
    if outcome == "not_now":
        assert (verdict.reason, verdict.speed) == ("moving", 38)
        confirmed = check(world, driving, verdict.call, confirmed=True)
        assert confirmed.outcome == "not_now"


def test_show_do_not_play_while_the_car_moves(world: World) -> None:
    state = so(world, "media_player.tv", source="show", state="paused")
    assert asked(world, "play", "media_player.tv", state).outcome == "fine"
    driving = state.updated("sensor.speed", {"state": 5})
    assert asked(world, "play", "media_player.tv", driving).outcome == "not_now"


@pytest.mark.parametrize(
    ("action", "entity", "arguments"),
    [
        ("unlock", "lock.front", {}),
        ("open", "cover.gate", {}),
        ("open", "cover.boot", {}),
        ("set", "cover.garage", {"position": 50}),
        ("set", "select.mode", {"value": "sport"}),
        ("call", "dialer.phone", {"contact": "妈妈"}),
        ("send", "messenger.phone", {"contact": "妈妈", "text": "hi"}),
        ("walk", "robot.dog", {"distance": 1}),
        ("turn", "robot.dog", {"angle": 90}),
        ("go_to", "robot.dog", {"place": "attic"}),
        ("follow", "robot.dog", {"target": "speaker"}),
        ("patrol", "robot.dog", {}),
        ("dock", "robot.dog", {}),
    ],
)
def test_risky_until_confirmed(
    world: World, action: str, entity: str, arguments: dict[str, Any]
) -> None:
    call = Call(action, entity, arguments)
    assert check(world, initial(world), call).outcome == "risky"
    assert check(world, initial(world), call, confirmed=True).outcome == "fine"


def test_a_scene_is_as_risky_as_what_it_does(world: World) -> None:
    verdict = asked(world, "activate", "scene.leave")
    assert verdict.outcome == "risky"
    assert set(verdict.because) == {"lock.front", "cover.boot"}
    done = so(world, "lock.front", state="unlocked").updated("cover.boot", {"state": "open"})
    assert asked(world, "activate", "scene.leave", done).outcome == "already"


def test_stop_never_asks(world: World) -> None:
    for state in ("walking", "following", "patrolling"):
        verdict = asked(world, "stop", "robot.dog", so(world, "robot.dog", state=state))
        assert verdict.outcome == "fine"


def test_a_yes_does_not_make_the_impossible_possible(world: World) -> None:
    state = initial(world)
    for call, outcome in (
        (Call("set", "light.desk", {"brightness": 130}), "out_of_range"),
        (Call("turn_on", "light.moon"), "absent"),
        (Call("open", "light.desk"), "unsupported"),
    ):
        assert check(world, state, call, confirmed=True).outcome == outcome


def test_a_cover_of_unknown_kind_that_sounds_like_a_door_is_risky(tmp_path: Path) -> None:
    world = house(tmp_path, HOUSE.replace("attributes: {kind: gate}}", "attributes: {}}"))
    assert asked(world, "open", "cover.gate").outcome == "risky"
