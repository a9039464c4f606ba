"""Each kind of entity: its description is a device of ours, commands and reports both ways."""

import json
from typing import Any

import pytest

from qingyu.act.adapters.colors import nearest_color, rgb_of, xy_of
from qingyu.act.adapters.link import Order
from qingyu.act.adapters.mqtt_config import ConfigError, read
from qingyu.act.adapters.mqtt_device import Device, Values
from qingyu.act.adapters.mqtt_kinds import build
from qingyu.act.vocabulary import COLORS
from qingyu.act.world import World
from qingyu.act.world_file import make_entity

WORLD = World(name="test")


def made(component: str, **config: Any) -> Device:
    topic = f"homeassistant/{component}/x/config"
    found = read("homeassistant", topic, json.dumps(config).encode())
    assert found is not None
    device = build(found.parts[""])
    assert device is not None
    make_entity(WORLD, device.described({}))  # a device as a household's file could have it
    return device


def told(device: Device, action: str = "set", **wanted: Any) -> list[tuple[str, str]]:
    order = Order(entity=device.entity["id"], action=action, wanted=wanted)
    return [(one.topic, one.payload) for one in device.messages(order)]


def expects(device: Device, action: str = "set", **wanted: Any) -> Values:
    return device.expected(Order(entity=device.entity["id"], action=action, wanted=wanted))


def test_a_switch() -> None:
    one = made("switch", cmd_t="c", stat_t="s", pl_on="1", pl_off="0", val_tpl="{{ value_json.p }}")
    assert told(one, "turn_on", state="on") == [("c", "1")]
    assert one.read("s", '{"p": 1}') == {"state": "on"}
    assert one.read("s", '{"p": 2}') == one.read("s", "nonsense") == {}
    assert expects(one, state="on") == {"state": "on"}


def test_a_switch_that_reports_in_other_words() -> None:
    one = made("switch", cmd_t="c", stat_t="s", stat_on="running", stat_off="idle")
    assert told(one, state="off") == [("c", "OFF")]
    assert one.read("s", "running") == {"state": "on"}
    assert expects(one, state="off") == {"state": "off"}


def test_a_switch_without_a_way_to_tell_it_is_refused() -> None:
    with pytest.raises(ConfigError):
        made("switch", stat_t="s")


def test_a_light_with_topics() -> None:
    one = made(
        "light", cmd_t="c", stat_t="s", bri_cmd_t="bc", bri_stat_t="bs", bri_scl=254,
        clr_temp_cmd_t="tc", clr_temp_stat_t="ts", min_mirs=200, max_mirs=400,
        rgb_cmd_t="rc", rgb_stat_t="rs",
    )  # fmt: skip
    assert one.entity["ranges"] == {"color_temperature": [2500, 5000]}
    assert told(one, state="on", brightness=40) == [("bc", "102"), ("c", "ON")]
    assert told(one, brightness=1) == [("bc", "3")]
    assert told(one, state="off") == [("c", "OFF")]
    assert told(one, color_temperature=4000, color="blue") == [("rc", "0,0,255"), ("tc", "250")]
    assert one.read("bs", "127") == {"brightness": 50}
    assert one.read("bs", "0") == {}
    assert one.read("ts", "370") == {"color_temperature": 2703}
    assert one.read("rs", "250,10,5") == {"color": "red"}
    assert expects(one, brightness=37, color_temperature=3900) == {
        "brightness": 37,
        "color_temperature": 3906,
    }


def test_a_light_says_on_as_it_is_asked_to() -> None:
    topics = {"cmd_t": "c", "stat_t": "s", "bri_cmd_t": "b", "bri_stat_t": "bs"}
    first = made("light", on_cmd_type="first", **topics)
    assert [topic for topic, _ in told(first, state="on", brightness=5)] == ["c", "b"]
    alone = made("light", on_cmd_type="brightness", **topics)
    assert [topic for topic, _ in told(alone, state="on", brightness=5)] == ["b"]
    assert [topic for topic, _ in told(alone, state="on")] == ["c"]


def test_a_light_that_speaks_json() -> None:
    one = made(
        "light", schema="json", cmd_t="c", stat_t="s", brightness=True, bri_scl=254,
        sup_clrm=["color_temp", "xy"],
    )  # fmt: skip
    ((topic, text),) = told(one, state="on", brightness=40)
    assert (topic, json.loads(text)) == ("c", {"state": "ON", "brightness": 102})
    ((_, text),) = told(one, color="red")
    assert json.loads(text)["color"] == dict(zip("xy", xy_of("red"), strict=True))
    assert json.loads(told(one, state="off")[0][1]) == {"state": "OFF"}
    report = {"state": "ON", "brightness": 254, "color_mode": "color_temp", "color_temp": 250,
              "color": {"x": 0.7, "y": 0.3}}  # fmt: skip
    assert one.read("s", json.dumps(report)) == {
        "state": "on",
        "brightness": 100,
        "color_temperature": 4000,
    }
    report["color_mode"] = "xy"
    assert one.read("s", json.dumps(report))["color"] == "red"
    assert one.read("s", "[]") == one.read("s", '{"state": 5, "brightness": "x"}') == {}


def test_colours_go_and_come_back() -> None:
    for modes in (["hs"], ["rgb"], ["xy"], ["rgbw"]):
        one = made("light", schema="json", cmd_t="c", stat_t="s", sup_clrm=modes)
        for color in COLORS:
            ((_, text),) = told(one, color=color)
            assert one.read("s", text)["color"] == color, (modes, color)
    assert nearest_color(0, 15) == "white"
    assert rgb_of("yellow") == (255, 255, 0)


def test_a_cover_with_positions_counted_from_the_other_end() -> None:
    one = made(
        "cover", cmd_t="c", stat_t="s", pos_t="p", set_pos_t="sp", pos_open=0, pos_clsd=100,
        dev_cla="shutter",
    )  # fmt: skip
    assert one.entity["attributes"] == {"position": 0, "kind": "blind"}
    assert told(one, "open", state="open", position=100) == [("c", "OPEN")]
    assert told(one, "set", state="open", position=30) == [("sp", "70")]
    assert one.read("p", "100") == {"position": 0}
    assert one.read("s", "closing") == {}
    assert one.read("s", "opening") == {"state": "open"}


def test_a_cover_on_its_way_counts_as_an_answer() -> None:
    one = made("cover", cmd_t="c", stat_t="s", pos_t="p", set_pos_t="sp")
    order = Order(entity="cover.x", action="close", wanted={"state": "closed", "position": 0})
    before = {"state": "open", "position": 80}
    assert one.under_way(order, before, {}, "s", "closing")
    assert not one.under_way(order, before, {}, "s", "opening")
    assert one.under_way(order, before, {"position": 70}, "p", "70")
    assert not one.under_way(order, before, {"position": 90}, "p", "90")


def test_a_cover_known_by_its_position_alone() -> None:
    one = made("cover", pos_t="p", set_pos_t="sp", val_tpl="{{ value }}")
    assert told(one, "open", state="open", position=100) == [("sp", "100")]
    assert one.read("p", "0") == {"position": 0, "state": "closed"}


def test_a_garage_door_is_one() -> None:
    one = made("cover", cmd_t="c", stat_t="s", dev_cla="garage")
    assert make_entity(WORLD, one.described({})).kind == "garage"


def test_valves_with_words_and_with_numbers() -> None:
    one = made("valve", cmd_t="c", stat_t="s")
    assert told(one, "open", state="open") == [("c", "OPEN")]
    assert one.read("s", "closed") == {"state": "closed"}
    one = made("valve", cmd_t="c", stat_t="s", pos=True)
    assert told(one, "close", state="closed") == [("c", "0")]
    assert one.read("s", '{"position": 60}') == {"state": "open"}


def test_an_air_conditioner() -> None:
    one = made(
        "climate", mode_cmd_t="mc", mode_stat_t="ms",
        modes=["off", "cool", "heat_cool", "fan_only"],
        temp_cmd_t="tc", temp_stat_t="ts", min_temp=16, max_temp=30, temp_step=1,
        fan_mode_cmd_t="fc", fan_mode_stat_t="fs", fan_modes=["auto", "low", "turbo"],
        curr_temp_t="ct",
    )  # fmt: skip
    assert one.entity["options"] == {
        "mode": ["off", "cool", "auto", "fan_only"],
        "fan": ["auto", "low"],
    }
    assert told(one, "turn_on", state="auto") == [("mc", "heat_cool")]
    assert told(one, state="cool", temperature=25, fan="low") == [
        ("mc", "cool"),
        ("fc", "low"),
        ("tc", "25"),
    ]
    assert expects(one, temperature=24.5) == {"temperature": 24}
    assert one.read("ms", "heat_cool") == {"state": "auto"}
    assert one.read("ms", "dehumidify") == {}
    assert one.read("ct", "21.26") == {"current_temperature": 21.3}
    assert "current_temperature" not in one.described({})["attributes"]
    assert one.described({"current_temperature": 20})["attributes"]["current_temperature"] == 20


def test_an_air_conditioner_in_fahrenheit() -> None:
    one = made("climate", mode_cmd_t="mc", temp_cmd_t="tc", temp_stat_t="ts", temp_unit="F")
    assert told(one, temperature=25) == [("tc", "77")]
    assert one.read("ts", "70") == {"temperature": 21}
    assert one.entity["ranges"]["temperature"] == [7.5, 35]


def test_an_air_conditioner_with_a_power_topic() -> None:
    one = made("climate", mode_cmd_t="m", modes=["cool", "heat"], pow_cmd_t="p", mode_stat_t="s")
    assert told(one, "turn_off", state="off") == [("p", "OFF")]
    assert told(one, "turn_on", state="heat") == [("p", "ON"), ("m", "heat")]


def test_a_fan_with_three_speeds() -> None:
    one = made(
        "fan", cmd_t="c", stat_t="s", pct_cmd_t="pc", pct_stat_t="ps", spd_rng_min=1, spd_rng_max=3,
        osc_cmd_t="oc", osc_stat_t="os",
    )  # fmt: skip
    assert told(one, state="on", speed=33) == [("c", "ON"), ("pc", "1")]
    assert [told(one, speed=speed)[0][1] for speed in (1, 34, 66, 67, 100)] == list("12233")
    assert [one.read("ps", str(step)).get("speed") for step in range(4)] == [None, 33, 66, 100]
    assert expects(one, speed=50) == {"speed": 66}
    assert told(one, oscillating=True) == [("oc", "oscillate_on")]
    assert one.read("os", "oscillate_off") == {"oscillating": False}


def test_a_lock() -> None:
    one = made("lock", cmd_t="c", stat_t="s")
    assert told(one, "unlock", state="unlocked") == [("c", "UNLOCK")]
    assert one.read("s", "LOCKED") == {"state": "locked"}
    assert one.read("s", "LOCKING") == one.read("s", "JAMMED") == {}
    assert expects(one, "lock", state="locked") == {"state": "locked"}


def test_a_vacuum() -> None:
    one = made("vacuum", cmd_t="c", stat_t="s")
    assert told(one, "start", state="cleaning") == [("c", "start")]
    assert told(one, "return", state="returning") == [("c", "return_to_base")]
    assert one.read("s", '{"state": "idle", "battery_level": 61.4}') == {
        "state": "paused",
        "battery": 61,
    }


def test_a_humidifier_and_a_water_heater() -> None:
    one = made(
        "humidifier", cmd_t="c", stat_t="s", hum_cmd_t="hc", hum_stat_t="hs",
        min_hum=35, max_hum=75,
        mode_cmd_t="mc", mode_stat_t="ms", modes=["eco", "sleep"],
    )  # fmt: skip
    assert told(one, state="on", humidity=55, mode="sleep") == [
        ("c", "ON"),
        ("hc", "55"),
        ("mc", "sleep"),
    ]
    assert one.read("hs", "54.6") == {"humidity": 55}
    one = made("water_heater", mode_cmd_t="mc", mode_stat_t="ms", temp_cmd_t="tc", temp_stat_t="ts")
    assert told(one, "turn_on", state="on") == [("mc", "eco")]
    assert one.read("ms", "performance") == {"state": "on"}
    assert told(one, temperature=50) == [("tc", "50")]


def test_scenes_choices_and_levels() -> None:
    assert told(made("scene", cmd_t="c", pl_on="movie"), "activate") == [("c", "movie")]
    one = made("select", cmd_t="c", stat_t="s", ops=["eco", "boost"])
    assert told(one, state="boost") == [("c", "boost")]
    assert one.read("s", "other") == {}
    one = made("number", cmd_t="c", stat_t="s", min=10, max=90, unit_of_meas="%")
    assert told(one, state=55) == [("c", "55")]
    assert one.read("s", "200") == {"state": 90}


def test_what_is_measured() -> None:
    one = made("sensor", stat_t="s", dev_cla="temperature", unit_of_meas="°C",
               val_tpl="{{ value_json.t | round(1) }}")  # fmt: skip
    assert one.entity["attributes"] == {"unit": "°C", "kind": "temperature"}
    assert one.read("s", '{"t": 21.46}') == {"state": 21.5}
    assert one.read("s", '{"t": "unavailable"}') == one.read("s", "{}") == {}
    one = made("binary_sensor", stat_t="s", dev_cla="moisture")
    assert one.entity["attributes"] == {"kind": "leak"}
    assert one.read("s", "ON") == {"state": "on"}


@pytest.mark.parametrize(
    ("component", "config"),
    [
        ("switch", {"cmd_t": "c", "ent_cat": "config"}),
        ("sensor", {"stat_t": "s", "ent_cat": "diagnostic", "dev_cla": "signal_strength"}),
        ("light", {"cmd_t": "c", "en": False}),
        ("number", {"cmd_t": "c", "unit_of_meas": "s"}),
        ("camera", {"topic": "t"}),
    ],
)
def test_what_nobody_talks_about_is_left_out(component: str, config: Any) -> None:
    found = read(
        "homeassistant", f"homeassistant/{component}/x/config", json.dumps(config).encode()
    )
    assert found is not None
    assert build(found.parts[""]) is None
