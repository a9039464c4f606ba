"""The simulator: every action of every domain, and what cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from qingyu.act.actions import apply
from qingyu.act.calls import Call
from qingyu.act.state import initial
from qingyu.act.vocabulary import DOMAINS
from qingyu.act.world import Scalar, World
from qingyu.errors import ActionError
from tests.act.houses import changed, do, so

STILL = {"state": "standing", "target": ""}

# entity, how it is before, action, arguments, what changes.
STEPS: list[tuple[str, dict[str, Any], str, dict[str, Scalar], dict[str, Any]]] = [
    ("light.desk", {}, "turn_on", {}, {"state": "on"}),
    ("light.desk", {"state": "on"}, "turn_off", {}, {"state": "off"}),
    ("light.desk", {}, "set", {"brightness": 5}, {"state": "on", "brightness": 5}),
    ("light.desk", {"state": "on"}, "set", {"brightness": 0}, {"state": "off"}),
    ("light.desk", {}, "set", {"brightness": 0}, {}),
    (
        "light.desk",
        {"state": "on"},
        "set",
        {"color": "red", "color_temperature": 3000},
        {"color": "red", "color_temperature": 3000},
    ),
    ("switch.kettle", {}, "turn_on", {}, {"state": "on"}),
    ("switch.kettle", {"state": "on"}, "turn_off", {}, {"state": "off"}),
    ("cover.curtain", {}, "open", {}, {"position": 100}),
    ("cover.curtain", {}, "close", {}, {"state": "closed", "position": 0}),
    ("cover.curtain", {}, "set", {"position": 0}, {"state": "closed", "position": 0}),
    ("cover.sunroof", {}, "set", {"position": 30}, {"state": "open", "position": 30}),
    ("cover.gate", {}, "open", {}, {"state": "open"}),
    ("cover.gate", {"state": "open"}, "close", {}, {"state": "closed"}),
    ("climate.hall", {}, "turn_on", {}, {"state": "heat"}),
    ("climate.hall", {"last_mode": "off"}, "turn_on", {}, {"state": "cool"}),
    ("climate.hall", {"state": "cool"}, "turn_on", {}, {}),
    ("climate.hall", {"state": "cool"}, "turn_off", {}, {"state": "off"}),
    ("climate.hall", {}, "set", {"temperature": 20.5}, {"state": "heat", "temperature": 20.5}),
    ("climate.hall", {}, "set", {"fan": "low"}, {"state": "heat", "fan": "low"}),
    ("climate.hall", {}, "set", {"mode": "cool"}, {"state": "cool"}),
    ("climate.hall", {"state": "cool"}, "set", {"mode": "off"}, {"state": "off"}),
    (
        "climate.hall",
        {"state": "cool"},
        "set",
        {"mode": "heat", "temperature": 22},
        {"state": "heat", "temperature": 22},
    ),
    ("fan.round", {}, "turn_on", {}, {"state": "on"}),
    ("fan.round", {"state": "on"}, "turn_off", {}, {"state": "off"}),
    ("fan.round", {}, "set", {"speed": 66}, {"state": "on", "speed": 66}),
    ("fan.round", {"state": "on"}, "set", {"speed": 0}, {"state": "off"}),
    ("fan.round", {"state": "on"}, "set", {"oscillating": True}, {"oscillating": True}),
    ("lock.front", {}, "unlock", {}, {"state": "unlocked"}),
    ("lock.front", {"state": "unlocked"}, "lock", {}, {"state": "locked"}),
    ("media_player.tv", {}, "turn_on", {}, {"state": "idle"}),
    ("media_player.tv", {"state": "paused"}, "turn_on", {}, {}),
    ("media_player.tv", {"state": "paused"}, "turn_off", {}, {"state": "off"}),
    ("media_player.tv", {}, "play", {}, {"state": "playing"}),
    ("media_player.tv", {"state": "playing"}, "pause", {}, {"state": "paused"}),
    ("media_player.tv", {"state": "idle"}, "pause", {}, {}),
    ("media_player.tv", {"state": "playing"}, "stop", {}, {"state": "idle"}),
    ("media_player.tv", {}, "stop", {}, {}),
    ("media_player.tv", {}, "next", {}, {"track": 2}),
    ("media_player.tv", {"track": 5}, "previous", {}, {"track": 4}),
    ("media_player.tv", {}, "previous", {}, {}),
    ("media_player.tv", {}, "mute", {}, {"muted": True}),
    ("media_player.tv", {"muted": True}, "unmute", {}, {"muted": False}),
    ("media_player.tv", {}, "set", {"volume": 0}, {"volume": 0}),
    ("media_player.tv", {}, "set", {"source": "show"}, {"source": "show"}),
    ("vacuum.dobby", {}, "start", {}, {"state": "cleaning"}),
    (
        "vacuum.dobby",
        {"state": "cleaning", "area": "attic"},
        "start",
        {},
        {"area": ""},
    ),
    ("vacuum.dobby", {}, "clean", {"area": "attic"}, {"state": "cleaning", "area": "attic"}),
    ("vacuum.dobby", {"state": "cleaning", "area": "attic"}, "pause", {}, {"state": "paused"}),
    ("vacuum.dobby", {}, "pause", {}, {}),
    (
        "vacuum.dobby",
        {"state": "paused", "area": "attic"},
        "return",
        {},
        {"state": "returning", "area": ""},
    ),
    ("vacuum.dobby", {}, "return", {}, {}),
    ("valve.roses", {}, "open", {}, {"state": "open"}),
    ("valve.roses", {"state": "open"}, "close", {}, {"state": "closed"}),
    ("humidifier.cloud", {}, "turn_on", {}, {"state": "on"}),
    ("humidifier.cloud", {"state": "on"}, "turn_off", {}, {"state": "off"}),
    ("humidifier.cloud", {}, "set", {"humidity": 60}, {"state": "on", "humidity": 60}),
    ("humidifier.cloud", {}, "set", {"mode": "sleep"}, {"state": "on", "mode": "sleep"}),
    ("water_heater.smith", {}, "turn_on", {}, {"state": "on"}),
    ("water_heater.smith", {"state": "on"}, "turn_off", {}, {"state": "off"}),
    ("water_heater.smith", {}, "set", {"temperature": 60}, {"state": "on", "temperature": 60}),
    ("todo.shopping", {}, "add", {"item": "茶"}, {"items": ("牛奶", "Eggs", "茶")}),
    ("todo.shopping", {}, "remove", {"item": "eggs"}, {"items": ("牛奶",)}),
    ("todo.shopping", {}, "complete", {"item": "牛奶"}, {"items": ("Eggs",)}),
    (
        "timer.home",
        {},
        "start",
        {"seconds": 90},
        {"timers": ({"seconds": 60, "label": "tea"}, {"seconds": 90, "label": ""})},
    ),
    ("timer.home", {}, "cancel", {}, {"timers": ()}),
    ("timer.home", {}, "cancel", {"label": "Tea"}, {"timers": ()}),
    (
        "alarm.home",
        {"alarms": ()},
        "add",
        {"time": "06:30"},
        {"alarms": ({"time": "06:30", "days": "once"},)},
    ),
    (
        "alarm.home",
        {},
        "remove",
        {"time": "07:00"},
        {"alarms": ({"time": "09:00", "days": "sun"},)},
    ),
    ("alarm.home", {}, "remove", {}, {"alarms": ()}),
    (
        "reminder.home",
        {"reminders": ()},
        "add",
        {"text": "浇花", "at": "2026-11-27 08:00"},
        {"reminders": ({"text": "浇花", "at": "2026-11-27 08:00"},)},
    ),
    ("reminder.home", {}, "remove", {"text": "交费"}, {"reminders": ()}),
    (
        "calendar.home",
        {"events": ()},
        "add",
        {"title": "Dentist", "at": "2026-11-27 08:00"},
        {"events": ({"title": "Dentist", "at": "2026-11-27 08:00"},)},
    ),
    ("calendar.home", {}, "remove", {"at": "2026-11-28 10:00"}, {"events": ()}),
    ("dialer.phone", {}, "call", {"contact": "妈妈"}, {"state": "calling", "contact": "妈妈"}),
    (
        "dialer.phone",
        {"state": "calling", "contact": "妈妈"},
        "hang_up",
        {},
        {"state": "idle", "contact": ""},
    ),
    (
        "messenger.phone",
        {},
        "send",
        {"contact": "妈妈", "text": "hi"},
        {"sent": ({"contact": "妈妈", "text": "hi"},)},
    ),
    ("app.phone", {}, "open", {"app": "抖音"}, {"open": "抖音"}),
    (
        "navigator.car",
        {},
        "navigate",
        {"place": "家"},
        {"state": "navigating", "destination": "家"},
    ),
    (
        "navigator.car",
        {"state": "navigating", "destination": "家"},
        "stop",
        {},
        {"state": "idle", "destination": ""},
    ),
    ("level.volume", {}, "set", {"value": 55}, {"state": 55}),
    ("level.volume", {}, "mute", {}, {"state": 0}),
    ("select.mode", {}, "set", {"value": "sport"}, {"state": "sport"}),
    ("seat.driver", {}, "set", {"heating": 3}, {"heating": 3}),
    ("charger.car", {}, "start", {}, {"state": "charging"}),
    ("charger.car", {"state": "charging"}, "stop", {}, {"state": "stopped"}),
    ("charger.car", {}, "set", {"limit": 90}, {"limit": 90}),
    ("robot.dog", {"state": "lying"}, "stand", {}, {"state": "standing"}),
    (
        "robot.dog",
        {"state": "following", "target": "爷爷"},
        "sit",
        {},
        {"state": "sitting", "target": ""},
    ),
    ("robot.dog", {}, "lie", {}, {"state": "lying"}),
    ("robot.dog", {}, "walk", {"distance": 0.2}, {"moved": 1.2}),
    ("robot.dog", {"moved": 0.1}, "walk", {"distance": 0.2}, {"moved": 0.3}),
    ("robot.dog", {}, "walk", {"distance": -2}, {"moved": -1}),
    ("robot.dog", {}, "turn", {"angle": 30}, {"heading": 20}),
    ("robot.dog", {"heading": 0}, "turn", {"angle": -45}, {"heading": 315}),
    (
        "robot.dog",
        {"state": "sitting"},
        "go_to",
        {"place": "attic"},
        {"state": "standing", "place": "attic"},
    ),
    ("robot.dog", {}, "follow", {"target": "爷爷"}, {"state": "following", "target": "爷爷"}),
    ("robot.dog", {}, "patrol", {}, {"state": "patrolling"}),
    ("robot.dog", {}, "dock", {}, {"state": "docked"}),
    ("robot.dog", {"state": "following", "target": "爷爷"}, "stop", {}, STILL),
    ("robot.dog", {"state": "walking"}, "stop", {}, {"state": "standing"}),
    ("robot.dog", {"state": "lying"}, "stop", {}, {}),
]


@pytest.mark.parametrize(
    ("entity", "before", "action", "arguments", "after"),
    STEPS,
    ids=[f"{index}-{one[0]}-{one[2]}" for index, one in enumerate(STEPS)],
)
def test_an_action(
    world: World,
    entity: str,
    before: dict[str, Any],
    action: str,
    arguments: dict[str, Scalar],
    after: dict[str, Any],
) -> None:
    found = changed(world, action, entity, so(world, entity, **before), **arguments)
    assert found == ({entity: after} if after else {})


def test_every_action_is_tried() -> None:
    tried = {(one[0].partition(".")[0], one[2]) for one in STEPS} | {("scene", "activate")}
    known = {(name, action) for name, domain in DOMAINS.items() for action in domain.actions}
    assert tried == known


def test_whole_numbers_stay_whole(world: World) -> None:
    state = do(world, "walk", "robot.dog", None, distance=1.0)
    assert repr(state.get("robot.dog", "moved")) == "2"


def test_on_comes_back_to_the_last_mode(world: World) -> None:
    state = do(world, "set", "climate.hall", None, mode="cool")
    state = do(world, "turn_off", "climate.hall", state)
    assert changed(world, "turn_on", "climate.hall", state) == {"climate.hall": {"state": "cool"}}
    by_hand = so(world, "climate.hall", state="cool", last_mode="heat")
    off = do(world, "turn_off", "climate.hall", by_hand)
    assert off.get("climate.hall", "last_mode") == "cool"


def test_a_scene_sets_all_it_lists(world: World) -> None:
    assert changed(world, "activate", "scene.night") == {
        "light.desk": {"state": "on", "brightness": 5},
        "climate.hall": {"state": "cool"},
        "cover.curtain": {"state": "closed", "position": 0},
    }
    assert do(world, "activate", "scene.night").get("climate.hall", "last_mode") == "cool"


def test_the_state_before_is_untouched(world: World) -> None:
    before = initial(world)
    saved = before.as_json()
    for entity, _, action, arguments, _ in STEPS:
        if action not in ("remove", "complete", "cancel"):
            apply(world, before, Call(action, entity, arguments))
    assert before.as_json() == saved


@pytest.mark.parametrize(
    ("entity", "action", "arguments"),
    [
        ("light.none", "turn_on", {}),
        ("light.desk", "open", {}),
        ("light.torch", "set", {"brightness": 5}),
        ("light.desk", "set", {"brightness": 101}),
        ("light.desk", "set", {}),
        ("light.desk", "turn_on", {"brightness": 5}),
        ("sensor.speed", "turn_on", {}),
        ("todo.shopping", "remove", {"item": "gold"}),
        ("dialer.phone", "call", {"contact": "Nobody"}),
    ],
)
def test_what_cannot_be_is_an_error(
    world: World, entity: str, action: str, arguments: dict[str, Scalar]
) -> None:
    with pytest.raises(ActionError, match=rf"{entity}.{action}.*cannot be done"):
        apply(world, initial(world), Call(action, entity, arguments))


def test_a_call_saved_and_read() -> None:
    call = Call("set", "light.desk", {"brightness": 5})
    assert Call.from_json(call.as_json()) == call
    for damaged in ({}, {"action": 3}, {**call.as_json(), "arguments": {"a": []}}, None):
        with pytest.raises(ActionError, match="damaged"):
            Call.from_json(damaged)
