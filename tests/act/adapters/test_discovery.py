"""Discovery messages: short names, base topics, devices of many parts, names and areas."""

import json
from typing import Any

import pytest

from qingyu.act.adapters.mqtt_config import ConfigError, Found, Part, read
from qingyu.act.adapters.mqtt_names import full


def message(topic: str, config: Any) -> Found:
    found = read("homeassistant", topic, json.dumps(config).encode())
    assert found is not None
    return found


def part(config: Any, topic: str = "homeassistant/light/desk/config") -> Part:
    (only,) = message(topic, config).parts.values()
    return only


def test_short_names_and_the_base_topic() -> None:
    assert full(
        {
            "~": "zigbee/desk",
            "cmd_t": "~/set",
            "stat_t": "state/~",
            "bri_scl": 254,
            "avty": [{"t": "~/there", "pl_avail": "yes"}],
            "dev": {"ids": ["a"], "sa": "书房", "name": "台灯"},
        }
    ) == {
        "command_topic": "zigbee/desk/set",
        "state_topic": "state/zigbee/desk",
        "brightness_scale": 254,
        "availability": [{"topic": "zigbee/desk/there", "payload_available": "yes"}],
        "device": {"identifiers": ["a"], "suggested_area": "书房", "name": "台灯"},
    }


@pytest.mark.parametrize(
    ("device", "own", "name"),
    [
        ("台灯", None, "台灯"),
        ("客厅传感器", "温度", "客厅传感器温度"),
        ("Porch", "Light", "Porch Light"),
        ("Porch", "Porch light", "Porch light"),
        (None, "Lamp\n of   Ann", "Lamp of Ann"),
        (None, None, "desk"),
        ("Küche", "温度", "Küche 温度"),
    ],
)
def test_names_are_the_devices_and_the_entitys(
    device: str | None, own: str | None, name: str
) -> None:
    assert part({"name": own, "device": {"name": device}}).name == name


@pytest.mark.parametrize(
    ("topic", "config", "id"),
    [
        ("homeassistant/light/desk/config", {}, "desk"),
        ("homeassistant/light/0x00AB-1/light/config", {}, "0x00ab_1_light"),
        ("homeassistant/light/x/config", {"obj_id": "Kitchen Spot"}, "kitchen_spot"),
        ("homeassistant/light/x/config", {"def_ent_id": "light.den"}, "den"),
        ("homeassistant/light/x/config", {"obj_id": "台灯"}, "2d711642"),
    ],
)
def test_ids_come_from_the_message_and_stay(topic: str, config: Any, id: str) -> None:
    found = part(config, topic).id
    assert found == part(config, topic).id
    if id != "2d711642":
        assert found == id
    else:
        assert found.isascii()


def test_a_device_with_many_parts_shares_what_it_says_once() -> None:
    found = message(
        "homeassistant/device/plug/config",
        {
            "dev": {"ids": "1", "name": "Plug", "sa": "hall"},
            "o": {"name": "x"},
            "~": "plug",
            "stat_t": "~/state",
            "avty_t": "~/there",
            "cmps": {
                "relay": {"p": "switch", "cmd_t": "~/set", "name": None},
                "watts": {"p": "sensor", "val_tpl": "{{ value_json.w }}", "name": "Power"},
                "old": {"p": "sensor"},
            },
        },
    )
    assert set(found.parts) == {"relay", "watts"}
    relay = found.parts["relay"]
    assert (relay.component, relay.id, relay.name, relay.area) == (
        "switch",
        "plug_relay",
        "Plug",
        "hall",
    )
    assert relay.config["command_topic"] == "plug/set"
    assert found.parts["watts"].config["state_topic"] == "plug/state"
    assert found.parts["watts"].config["availability_topic"] == "plug/there"


def test_an_empty_message_takes_away() -> None:
    found = read("homeassistant", "homeassistant/light/desk/config", b"")
    assert found is not None
    assert found.parts == {}


def test_what_is_no_discovery_is_none() -> None:
    for topic in ("homeassistant/status", "other/light/x/config", "homeassistant/light/a b/config"):
        assert read("homeassistant", topic, b"{}") is None


@pytest.mark.parametrize(
    "payload",
    [b"{", b"[]", b"[" * 100_000, b"\xff\xfe{", b'{"a":' + b" " * 70_000 + b"1}"],
)
def test_damaged_messages_are_refused(payload: bytes) -> None:
    with pytest.raises(ConfigError):
        read("homeassistant", "homeassistant/light/x/config", payload)


def test_a_topic_that_would_listen_to_everything_is_refused() -> None:
    with pytest.raises(ConfigError):
        part({"state_topic": "#"}).topic("state_topic")
