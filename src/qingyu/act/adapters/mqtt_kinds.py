"""What each kind of entity in a discovery message is in our vocabulary, but for lights.

    device = build(part)          # None for a kind that nobody acts on here, as a camera

Sources: the pages of https://www.home-assistant.io/integrations/ named like `switch.mqtt`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from qingyu.act.adapters.link import Order
from qingyu.act.adapters.mqtt_config import ConfigError, Part
from qingyu.act.adapters.mqtt_cover import cover, valve
from qingyu.act.adapters.mqtt_device import (
    Channel,
    Device,
    Message,
    Values,
    channel,
    choice,
    device,
    number,
    rendered,
    template,
    whole,
)
from qingyu.act.adapters.mqtt_light import light
from qingyu.act.vocabulary import BINARY_KINDS, MODES, SENSOR_KINDS

_SENSOR_KINDS = {"carbon_dioxide": "co2", "volume_flow_rate": ""}
_BINARY_KINDS = {
    "garage_door": "door",
    "opening": "door",
    "occupancy": "presence",
    "moisture": "leak",
}
_HIDDEN = ("config", "diagnostic")
_STATES_OF_VACUUMS = {
    "docked": "docked",
    "cleaning": "cleaning",
    "returning": "returning",
    "paused": "paused",
    "idle": "paused",
    "error": "paused",
}


def build(part: Part) -> Device | None:
    """The device, None for what is left out. Raises ConfigError where the message is damaged."""
    hidden = part.config.get("entity_category") in _HIDDEN
    if hidden and part.text("device_class") != "battery":
        return None
    if part.config.get("enabled_by_default") is False:
        return None
    make = _KINDS.get(part.component)
    return None if make is None else make(part)


def on_off(part: Part, *, key: str = "state", **topics: Any) -> Channel:
    """A channel for "on" and "off"."""
    on, off = part.text("payload_on", "ON"), part.text("payload_off", "OFF")
    states = {part.text("state_on", on): "on", part.text("state_off", off): "off"}
    return channel(
        part,
        key,
        decode=choice(states),
        encode=lambda value: on if value == "on" else off,
        **topics,
    )


def _switch(part: Part) -> Device:
    return device(part, "switch", [_needed(on_off(part))], state="off")


def _needed(one: Channel) -> Channel:
    if not one.command_topic:
        raise ConfigError(f"{one.key} has no command topic")
    return one


def _fan(part: Part) -> Device:
    low, high = part.number("speed_range_min", 1), part.number("speed_range_max", 100)
    steps = max(1.0, high - low + 1)
    channels = [_needed(on_off(part, read=("state_value_template", "value_template")))]
    attributes: Values = {}
    if part.topic("percentage_command_topic"):
        attributes["speed"] = 100
        channels.append(
            channel(
                part,
                "speed",
                state="percentage_state_topic",
                command="percentage_command_topic",
                read=("percentage_value_template",),
                write=("percentage_command_template",),
                encode=lambda value: int(math.ceil(value * steps / 100 - 1e-9) + low - 1),
                decode=lambda text: _positive(int((number(text) - low + 1) * 100 / steps + 1e-9)),
            )
        )
    if part.topic("oscillation_command_topic"):
        attributes["oscillating"] = False
        on = part.text("payload_oscillation_on", "oscillate_on")
        off = part.text("payload_oscillation_off", "oscillate_off")
        channels.append(
            channel(
                part,
                "oscillating",
                state="oscillation_state_topic",
                command="oscillation_command_topic",
                read=("oscillation_value_template",),
                write=("oscillation_command_template",),
                encode=lambda value: on if value else off,
                decode=choice({on: True, off: False}),
            )
        )
    return device(part, "fan", channels, state="off", attributes=attributes)


def _positive(value: float) -> float | int | None:
    """A speed or brightness of 0 is "off", which another message says."""
    return whole(min(value, 100)) if value > 0 else None


def _lock(part: Part) -> Device:
    lock, unlock = part.text("payload_lock", "LOCK"), part.text("payload_unlock", "UNLOCK")
    states = {
        part.text("state_locked", "LOCKED"): "locked",
        part.text("state_unlocked", "UNLOCKED"): "unlocked",
    }
    goals = {"locked": lock, "unlocked": unlock}
    state = channel(part, "state", decode=choice(states), encode=goals.__getitem__)
    return device(part, "lock", [_needed(state)], state="unlocked")


def _climate(part: Part) -> Device:
    modes = [one for one in part.texts("modes") or MODES if _mode(one)]
    power = part.topic("power_command_topic")
    if not part.topic("mode_command_topic") or not any(_mode(one) != "off" for one in modes):
        raise ConfigError(f"{part.key}: no modes that are known")
    theirs = {_mode(one): one for one in modes}
    if power:
        theirs.setdefault("off", "off")
    mode = channel(
        part,
        "state",
        state="mode_state_topic",
        command="mode_command_topic",
        read=("mode_state_template",),
        write=("mode_command_template",),
        encode=lambda value: theirs[value],
        decode=_mode,
    )
    channels = [mode]
    attributes: Values = {"last_mode": next(one for one in theirs if one != "off")}
    ranges: Values = {}
    if part.topic("temperature_command_topic"):
        to_device, to_us = _degrees(part)
        attributes["temperature"] = 22
        step = part.number("temp_step", 1) or 1
        low, high = (part.number(key, usual) for key, usual in (("min_temp", 7), ("max_temp", 35)))
        if _fahrenheit(part) and "min_temp" not in part.config:
            low, high = 45, 95
        # Within half degrees: those are the steps the vocabulary has.
        ranges["temperature"] = [math.ceil(to_us(low) * 2) / 2, math.floor(to_us(high) * 2) / 2]
        channels.append(
            channel(
                part,
                "temperature",
                state="temperature_state_topic",
                command="temperature_command_topic",
                read=("temperature_state_template",),
                write=("temperature_command_template",),
                encode=lambda value: whole(round(to_device(value) / step) * step),
                decode=lambda text: whole(round(to_us(number(text)) * 2) / 2),
            )
        )
    fans = [one for one in part.texts("fan_modes") or _FANS if one in _FANS]
    if part.topic("fan_mode_command_topic") and fans:
        attributes["fan"] = fans[0]
        channels.append(
            channel(
                part,
                "fan",
                state="fan_mode_state_topic",
                command="fan_mode_command_topic",
                read=("fan_mode_state_template",),
                write=("fan_mode_command_template",),
                decode=lambda text: text if text in fans else None,
            )
        )
    attributes["current_temperature"] = 0
    channels.append(_current(part, "current_temperature", _degrees(part)[1]))
    found = device(
        part,
        "climate",
        channels,
        state="off" if "off" in theirs else next(iter(theirs)),
        attributes=attributes,
        measured=("current_temperature",),
        ranges=ranges,
        options={"mode": list(theirs), "fan": fans if "fan" in attributes else []},
    )
    if power:
        plain = found.write
        on = channel(part, "", state="", command="power_command_topic", decode=str,
                     read=(), write=("power_command_template",))  # fmt: skip

        def write(order: Order) -> list[Message]:
            goal = order.wanted.get("state")
            if goal is None:
                return plain(order)
            word = (
                part.text("payload_off", "OFF") if goal == "off" else part.text("payload_on", "ON")
            )
            if goal == "off" and "off" not in modes:
                return [on.message(word)]
            return [on.message(word), *plain(order)]

        found.write = write
    return found


_FANS = ("low", "medium", "high", "auto")


def _mode(text: str) -> str | None:
    """Home Assistant's mode as ours."""
    text = "auto" if text == "heat_cool" else text
    return text if text in MODES else None


def _fahrenheit(part: Part) -> bool:
    return part.text("temperature_unit", "C").upper().startswith("F")


def _degrees(part: Part) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """From degrees Celsius to the device's, and back."""
    if _fahrenheit(part):
        return (lambda value: value * 9 / 5 + 32), (lambda value: (value - 32) * 5 / 9)
    return float, float


def _current(part: Part, key: str, convert: Callable[[float], float] = float) -> Channel:
    """Something the device measures beside what it does."""
    return channel(
        part,
        key,
        state=f"{key}_topic",
        command="",
        read=(f"{key}_template",),
        write=(),
        decode=lambda text: whole(round(convert(number(text)), 1)),
    )


def _humidifier(part: Part) -> Device:
    channels = [_needed(on_off(part, read=("state_value_template", "value_template")))]
    attributes: Values = {"current_humidity": 0}
    low, high = part.number("min_humidity", 0), part.number("max_humidity", 100)
    if part.topic("target_humidity_command_topic"):
        attributes["humidity"] = int(min(max(50, low), high))
        channels.append(
            channel(
                part,
                "humidity",
                state="target_humidity_state_topic",
                command="target_humidity_command_topic",
                read=("target_humidity_state_template",),
                write=("target_humidity_command_template",),
                encode=whole,
                decode=lambda text: round(number(text)),
            )
        )
    modes = list(part.texts("modes"))
    if part.topic("mode_command_topic") and modes:
        attributes["mode"] = modes[0]
        channels.append(
            channel(
                part,
                "mode",
                state="mode_state_topic",
                command="mode_command_topic",
                read=("mode_state_template",),
                write=("mode_command_template",),
                decode=lambda text: text if text in modes else None,
            )
        )
    now = _current(part, "current_humidity")
    channels.append(now)
    return device(
        part,
        "humidifier",
        channels,
        state="off",
        attributes=attributes,
        measured=("current_humidity",),
        ranges={"humidity": [low, high]} if "humidity" in attributes else {},
        options={"mode": modes} if "mode" in attributes else {},
    )


def _water_heater(part: Part) -> Device:
    modes = list(part.texts("modes")) or ["off", "eco", "performance"]
    running = next((one for one in modes if one != "off"), "")
    if part.topic("power_command_topic"):
        state = on_off(
            part,
            state="mode_state_topic",
            command="power_command_topic",
            read=("mode_state_template",),
            write=("power_command_template",),
        )
    elif part.topic("mode_command_topic") and running and "off" in modes:
        state = channel(
            part,
            "state",
            state="mode_state_topic",
            command="mode_command_topic",
            read=("mode_state_template",),
            write=("mode_command_template",),
            encode=lambda value: running if value == "on" else "off",
            decode=str,
        )
    else:
        raise ConfigError(f"{part.key}: nothing to switch it on with")
    off = {"off", part.text("payload_off", "OFF")}
    channels = [Channel(**{**vars(state), "decode": lambda text: "off" if text in off else "on"})]
    attributes: Values = {"current_temperature": 0}
    ranges: Values = {}
    to_device, to_us = _degrees(part)
    if part.topic("temperature_command_topic"):
        low, high = (part.number(key, usual) for key, usual in (("min_temp", 43), ("max_temp", 60)))
        ranges["temperature"] = [math.ceil(to_us(low)), math.floor(to_us(high))]
        attributes["temperature"] = ranges["temperature"][0]
        channels.append(
            channel(
                part,
                "temperature",
                state="temperature_state_topic",
                command="temperature_command_topic",
                read=("temperature_state_template",),
                write=("temperature_command_template",),
                encode=lambda value: whole(round(to_device(value), 1)),
                decode=lambda text: round(to_us(number(text))),
            )
        )
    channels.append(_current(part, "current_temperature", to_us))
    return device(
        part,
        "water_heater",
        channels,
        state="off",
        attributes=attributes,
        measured=("current_temperature",),
        ranges=ranges,
    )


def _vacuum(part: Part) -> Device:
    topic = part.topic("command_topic")
    if not topic:
        raise ConfigError(f"{part.key}: no command topic")
    words = {
        "start": part.text("payload_start", "start"),
        "pause": part.text("payload_pause", "pause"),
        "return": part.text("payload_return_to_base", "return_to_base"),
    }
    shape = template(part, "value_template")

    def take(payload: str) -> Values:
        values = json.loads(rendered(shape, payload))
        found: Values = {}
        if values.get("state") in _STATES_OF_VACUUMS:
            found["state"] = _STATES_OF_VACUUMS[values["state"]]
        if isinstance(values.get("battery_level"), int | float):
            found["battery"] = round(min(max(values["battery_level"], 0), 100))
        return found

    reports = part.topic("state_topic")
    found = device(
        part, "vacuum", [], state="docked", attributes={"battery": 0}, measured=("battery",)
    )
    found.reads = [(reports, take)] if reports else []
    found.hears = frozenset({"state"}) if reports else frozenset()
    found.write = lambda order: [Message(topic, words[order.action])]
    # Close to its dock it is there at once.
    found.under_way = lambda order, before, now, on, payload: (
        order.action == "return" and now.get("state") in ("returning", "docked")
    )
    return found


def _scene(part: Part) -> Device:
    topic, word = part.topic("command_topic"), part.text("payload_on", "ON")
    if not topic:
        raise ConfigError(f"{part.key}: no command topic")
    found = device(part, "scene", [], attributes={"sets": {}})
    found.write = lambda order: [Message(topic, word)]
    return found


def _select(part: Part) -> Device:
    options = list(part.texts("options"))
    if not options:
        raise ConfigError(f"{part.key}: no options")
    state = channel(part, "state", decode=lambda text: text if text in options else None)
    return device(part, "select", [_needed(state)], state=options[0], options={"state": options})


def _number(part: Part) -> Device | None:
    """Only of percent: a level is one in our vocabulary."""
    low, high = part.number("min", 1), part.number("max", 100)
    if part.text("unit_of_measurement") != "%" or not 0 <= low < high <= 100:
        return None
    state = channel(
        part, "state", encode=whole, decode=lambda text: round(min(max(number(text), low), high))
    )
    return device(part, "level", [_needed(state)], state=low, ranges={"state": [low, high]})


def _sensor(part: Part) -> Device:
    kind = part.text("device_class")
    kind = _SENSOR_KINDS.get(kind, kind)
    unit = part.text("unit_of_measurement")
    attributes: Values = {"unit": unit} if unit else {}
    if kind in SENSOR_KINDS:
        attributes["kind"] = kind

    def decode(text: str) -> float | int | str | None:
        try:
            return whole(number(text))
        except ValueError:
            # A number that is none is no reading; words are, where no unit is.
            return None if unit else text[:200]

    return _measuring(part, "sensor", decode, attributes, "unknown")


def _binary_sensor(part: Part) -> Device:
    kind = part.text("device_class")
    kind = _BINARY_KINDS.get(kind, kind)
    states = {part.text("payload_on", "ON"): "on", part.text("payload_off", "OFF"): "off"}
    return _measuring(
        part,
        "binary_sensor",
        choice(states),
        {"kind": kind} if kind in BINARY_KINDS else {},
        "off",
    )


def _measuring(
    part: Part, domain: str, decode: Callable[[str], Any], attributes: Values, state: Any
) -> Device:
    if not part.topic("state_topic"):
        raise ConfigError(f"{part.key}: no state topic")
    reading = channel(part, "state", command="", write=(), decode=decode)
    return device(part, domain, [reading], state=state, attributes=attributes)


_KINDS: Mapping[str, Callable[[Part], Device | None]] = {
    "light": light,
    "switch": _switch,
    "cover": cover,
    "valve": valve,
    "climate": _climate,
    "fan": _fan,
    "lock": _lock,
    "vacuum": _vacuum,
    "humidifier": _humidifier,
    "water_heater": _water_heater,
    "scene": _scene,
    "select": _select,
    "number": _number,
    "sensor": _sensor,
    "binary_sensor": _binary_sensor,
}
