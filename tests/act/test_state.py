"""States: copied when written, compared, saved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qingyu.act.state import changes, from_json, initial
from qingyu.act.world import World
from qingyu.errors import WorldError
from tests.act.houses import HOUSE, house


def test_the_beginning_has_what_can_change(world: World) -> None:
    state = initial(world)
    assert state.of("light.desk") == {
        "state": "off",
        "brightness": 80,
        "color": "white",
        "color_temperature": 4000,
    }
    assert state.of("sensor.speed") == {"state": 0}
    assert state.of("scene.night") == {}
    assert state.get("light.none") is None


def test_writing_copies(world: World) -> None:
    before = initial(world)
    after = before.updated("light.desk", {"state": "on"})
    assert before.get("light.desk") == "off"
    assert after.get("light.desk") == "on"
    assert after.of("fan.round") is before.of("fan.round")
    assert after.updated("light.desk", {"state": "on"}) is after


def test_changes_are_what_differs(world: World) -> None:
    before = initial(world)
    after = before.updated("light.desk", {"state": "on", "brightness": 80}).updated(
        "todo.shopping", {"items": ("牛奶",)}
    )
    assert changes(before, after) == {
        "light.desk": {"state": "on"},
        "todo.shopping": {"items": ("牛奶",)},
    }
    assert changes(after, after) == {}
    assert changes(before, before.updated("fan.round", {"oscillating": 0})) == {
        "fan.round": {"oscillating": 0}
    }


def test_what_a_device_keeps_in_mind_is_no_change(world: World) -> None:
    before = initial(world)
    after = before.updated("climate.hall", {"last_mode": "cool"})
    assert changes(before, after) == {}
    assert changes(before, after, memory=True) == {"climate.hall": {"last_mode": "cool"}}


def test_json_and_back(world: World) -> None:
    state = initial(world).updated("timer.home", {"timers": ({"seconds": 5, "label": ""},)})
    assert from_json(world, json.loads(json.dumps(state.as_json()))) == state


def test_a_device_that_came_or_went_since(world: World, tmp_path: Path) -> None:
    saved = initial(world).updated("lock.front", {"state": "unlocked"}).as_json()
    del saved["fan.round"]
    smaller = house(
        tmp_path,
        HOUSE.replace('  - {id: switch.kettle, names: [水壶, kettle], state: "off"}\n', ""),
    )
    state = from_json(smaller, saved)
    assert state.get("lock.front") == "unlocked"
    assert state.get("fan.round") == "off"
    assert "switch.kettle" not in state.entities


@pytest.mark.parametrize(
    ("saved", "words"),
    [
        ([], "no mapping"),
        ({"light.desk": 3}, "light.desk is no mapping"),
        ({"light.desk": {"state": "dim"}}, "light.desk.state is 'dim'"),
        ({"light.desk": {"speed": 3}}, "light.desk has no speed that can change"),
        ({"sensor.speed": {"kind": "range"}}, "sensor.speed has no kind that can change"),
        ({"light.desk": {"brightness": float("nan")}}, "light.desk.brightness"),
    ],
)
def test_a_damaged_one(world: World, saved: object, words: str) -> None:
    with pytest.raises(WorldError, match=words):
        from_json(world, saved)
