"""The vocabulary: complete, and consistent with itself."""

from __future__ import annotations

import pytest

from qingyu.act.actions import _DOING
from qingyu.act.calls import RECORDS
from qingyu.act.vocabulary import COVER_KINDS, DOMAINS, RISKY_COVERS
from qingyu.act.world import World

QUESTIONS_ONLY = {"sensor", "binary_sensor"}


def test_domains_are_these() -> None:
    assert set(DOMAINS) == {
        *("light", "switch", "cover", "climate", "fan", "lock", "media_player", "vacuum"),
        *("valve", "humidifier", "water_heater", "sensor", "binary_sensor", "scene", "todo"),
        *("timer", "alarm", "reminder", "calendar", "dialer", "messenger", "app"),
        *("navigator", "level", "select", "seat", "charger", "robot"),
    }


def test_what_can_act_has_a_simulator_and_a_device_in_the_tests(world: World) -> None:
    acting = {name for name, domain in DOMAINS.items() if domain.actions}
    assert acting == set(DOMAINS) - QUESTIONS_ONLY
    assert set(_DOING) | {"scene"} == acting
    assert {one.domain for one in world.entities} == set(DOMAINS)


@pytest.mark.parametrize("name", DOMAINS)
def test_a_domain_is_consistent(name: str) -> None:
    domain = DOMAINS[name]
    assert domain.english
    assert domain.chinese
    keys = {*domain.attributes, *(("state",) if domain.state else ())}
    for action in domain.actions.values():
        assert action.english
        assert action.chinese
        assert set(action.needs) <= keys
        for parameter in action.parameters.values():
            assert not parameter.sets or parameter.sets in keys
            assert parameter.value.access == "set"
    for attribute in domain.attributes.values():
        assert (attribute.low is None) or attribute.numeric
        assert (attribute.kind == "records") == bool(attribute.fields)
        if attribute.kind == "percent":
            assert attribute.high is not None
            assert attribute.high <= 100
            assert attribute.unit == "%"
    assert name not in RECORDS or RECORDS[name] in domain.attributes


@pytest.mark.parametrize(
    ("domain", "key", "low", "high", "step"),
    [
        ("light", "brightness", 1, 100, 1),
        ("light", "color_temperature", 2200, 6500, 1),
        ("climate", "temperature", 16, 30, 0.5),
        ("humidifier", "humidity", 30, 80, 1),
        ("water_heater", "temperature", 35, 75, 1),
        ("seat", "heating", 0, 3, 1),
        ("charger", "limit", 50, 100, 1),
        ("robot", "heading", 0, 359, 1),
    ],
)
def test_usual_ranges(domain: str, key: str, low: float, high: float, step: float) -> None:
    attribute = DOMAINS[domain].attributes[key]
    assert (attribute.low, attribute.high, attribute.step) == (low, high, step)


def test_what_is_risky() -> None:
    always = {
        f"{name}.{action}"
        for name, domain in DOMAINS.items()
        for action, one in domain.actions.items()
        if one.risky == "always"
    }
    movements = {"walk", "turn", "go_to", "follow", "patrol", "dock"}
    assert always == {"lock.unlock", "dialer.call", "messenger.send"} | {
        f"robot.{one}" for one in movements
    }
    assert set(COVER_KINDS) > RISKY_COVERS
