"""What a case wants a value to be."""

from __future__ import annotations

from typing import Any

import pytest

from qingyu.act.bench.matchers import Entries, make_matcher
from qingyu.act.world import World
from qingyu.errors import WorldError


@pytest.mark.parametrize(
    ("entity", "key", "wanted", "fitting", "others"),
    [
        ("light.desk", "state", "on", ["on"], ["off", None, True]),
        ("light.desk", "brightness", 50, [50, 50.0], [51, "50", None]),
        ("light.desk", "brightness", 1, [1], [True]),
        ("light.desk", "brightness", ">50", [51, 100], [50, 1, None, "60", True]),
        ("light.desk", "brightness", "<50", [49, 1], [50, 51]),
        ("light.desk", "brightness", "20..30", [20, 25.5, 30], [19, 31]),
        ("robot.dog", "moved", "-1.5..-1", [-1.5, -1], [-0.5, 1]),
        ("level.volume", "state", ">40", [41], [40]),
        ("fan.round", "oscillating", True, [True], [1, False]),
        ("sensor.speed", "state", ">5", [">5"], [6]),
        ("dialer.phone", "contact", "Mike Thompson", ["mike  thompson"], ["Mike"]),
    ],
)
def test_values(
    world: World, entity: str, key: str, wanted: Any, fitting: list[Any], others: list[Any]
) -> None:
    device = world.entity(entity)
    assert device is not None
    matcher = make_matcher(world, device, key, wanted)
    assert str(matcher) == str(wanted)
    assert [one for one in fitting if not matcher.matches(one)] == []
    assert [one for one in others if matcher.matches(one)] == []


def test_lists_have_no_order_and_nothing_more() -> None:
    matcher = Entries(("tea", "Milk"))
    assert matcher.matches(("milk", "tea"))
    assert not matcher.matches(("tea",))
    assert not matcher.matches(("tea", "tea"))
    assert not matcher.matches(("tea", "milk", "milk"))
    assert Entries(()).matches(())
    assert not Entries(()).matches(("tea",))
    assert not Entries(()).matches(None)


def test_keys_left_out_of_a_record_are_free() -> None:
    matcher = Entries(({"seconds": 60}, {"seconds": 60, "label": "tea"}))
    tea: dict[str, str | int | float | bool] = {"seconds": 60, "label": "Tea"}
    eggs: dict[str, str | int | float | bool] = {"seconds": 60, "label": "eggs"}
    # The first wanted one takes the tea unless it makes room for the second.
    assert matcher.matches((tea, eggs))
    assert matcher.matches((eggs, tea))
    assert not matcher.matches((eggs, eggs))
    assert not matcher.matches(("tea", tea))


@pytest.mark.parametrize(
    ("entity", "key", "wanted", "words"),
    [
        ("light.desk", "brightness", 101, "is 101"),
        ("light.desk", "brightness", ">100", "can never be >100"),
        ("light.desk", "brightness", "<1", "can never be <1"),
        ("light.desk", "brightness", "50..200", "can never be 50..200"),
        ("light.desk", "brightness", "60..50", "can never be 60..50"),
        ("light.desk", "speed", ">5", "has no speed"),
        ("light.desk", "state", ">5", "is '>5'"),
        ("light.torch", "brightness", 5, "has no brightness"),
        ("cover.gate", "kind", "door", "has no kind that can change"),
        ("timer.home", "timers", [{"minutes": 3}], "timers.minutes"),
    ],
)
def test_what_can_never_be(world: World, entity: str, key: str, wanted: Any, words: str) -> None:
    device = world.entity(entity)
    assert device is not None
    with pytest.raises(WorldError, match=words):
        make_matcher(world, device, key, wanted)
