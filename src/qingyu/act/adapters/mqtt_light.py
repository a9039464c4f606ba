"""Lights of discovery messages, those with a topic for each value and those that speak JSON.

Our colours are nine words. A colour is told as hue and saturation, RGB or CIE xy, as the light
likes it; one that is reported is the nearest of the nine. Colour temperatures are in kelvin here
and in mireds (a million through kelvin) on most lights.

Sources: https://www.home-assistant.io/integrations/light.mqtt/
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from qingyu.act.adapters.colors import (
    HUES,
    color_of_rgb,
    color_of_xy,
    nearest_color,
    rgb_of,
    xy_of,
)
from qingyu.act.adapters.link import Order
from qingyu.act.adapters.mqtt_config import ConfigError, Part
from qingyu.act.adapters.mqtt_device import (
    Channel,
    Device,
    Message,
    Values,
    channel,
    choice,
    device,
    number,
)

_MODES_WITH_COLOR = frozenset({"hs", "rgb", "rgbw", "rgbww", "xy"})


def light(part: Part) -> Device:
    """Raises ConfigError."""
    schema = part.text("schema", "basic")
    if schema == "json":
        return _json_light(part)
    if schema != "basic":
        raise ConfigError(f"{part.key}: lights of the schema {schema} are not known here")
    return _basic_light(part)


def _brightness_to(scale: float) -> Any:
    return lambda percent: max(1, round(percent * scale / 100))


def _brightness_from(scale: float) -> Any:
    """0 is a light that is off, which its state says."""

    def decode(text: str) -> int | None:
        value = number(text)
        return max(1, round(min(value / scale, 1) * 100)) if value > 0 else None

    return decode


def _kelvin_range(part: Part) -> list[int]:
    if "max_mireds" in part.config or "min_mireds" in part.config:
        low = 1_000_000 / max(part.number("max_mireds", 500), 1)
        high = 1_000_000 / max(part.number("min_mireds", 153), 1)
    else:
        low, high = part.number("min_kelvin", 2000), part.number("max_kelvin", 6535)
    return [round(low), round(high)]


def _temperature(part: Part) -> tuple[Any, Any]:
    """Kelvin to the light's number, and back."""
    if part.config.get("color_temp_kelvin") is True:
        return round, lambda text: round(number(text))

    def convert(value: Any) -> int:
        return round(1_000_000 / max(number(str(value)), 1))

    return convert, convert


def _description(part: Part, brightness: bool, color: bool, temperature: bool) -> Values:
    attributes: Values = {}
    if brightness:
        attributes["brightness"] = 100
    if color:
        attributes["color"] = "white"
    ranges: Values = {}
    if temperature:
        ranges["color_temperature"] = _kelvin_range(part)
        low, high = ranges["color_temperature"]
        attributes["color_temperature"] = min(max(4000, low), high)
    return {"attributes": attributes, "ranges": ranges}


def _basic_light(part: Part) -> Device:
    on, off = part.text("payload_on", "ON"), part.text("payload_off", "OFF")
    state = channel(
        part,
        "state",
        read=("state_value_template", "value_template"),
        write=(),
        decode=choice({on: "on", off: "off"}),
        encode=lambda value: on if value == "on" else off,
    )
    channels = [state]
    if not state.command_topic:
        raise ConfigError(f"{part.key}: no command topic")
    if part.topic("brightness_command_topic"):
        scale = part.number("brightness_scale", 255)
        channels.append(
            _own(part, "brightness", "brightness", _brightness_to(scale), _brightness_from(scale))
        )
    if part.topic("color_temp_command_topic"):
        channels.append(_own(part, "color_temperature", "color_temp", *_temperature(part)))
    if part.topic("rgb_command_topic"):
        channels.append(_own(part, "color", "rgb", _rgb_text, _rgb_color, names=_rgb_names))
    elif part.topic("hs_command_topic"):
        channels.append(_own(part, "color", "hs", _hs_text, _hs_color, names=_hs_names))
    keys = {one.key for one in channels}
    found = device(
        part,
        "light",
        channels,
        state="off",
        **_description(part, "brightness" in keys, "color" in keys, "color_temperature" in keys),
    )
    found.write = _basic_writer(part, {one.key: one for one in channels})
    return found


def _own(
    part: Part, key: str, word: str, encode: Any, decode: Any, names: Any = lambda value: {}
) -> Channel:
    return channel(
        part,
        key,
        state=f"{word}_state_topic",
        command=f"{word}_command_topic",
        read=(f"{word}_value_template",),
        write=(f"{word}_command_template",),
        encode=encode,
        decode=decode,
        names=names,
    )


def _rgb_text(color: str) -> str:
    return ",".join(map(str, rgb_of(color)))


def _rgb_color(text: str) -> str:
    red, green, blue = (number(one) for one in text.split(",")[:3])
    return color_of_rgb(red, green, blue)


def _rgb_names(text: str) -> Values:
    red, green, blue = (int(one) for one in text.split(","))
    return {"red": red, "green": green, "blue": blue}


def _hs_text(color: str) -> str:
    return ",".join(map(str, HUES[color]))


def _hs_color(text: str) -> str:
    hue, saturation = (number(one) for one in text.split(",")[:2])
    return nearest_color(hue, saturation)


def _hs_names(text: str) -> Values:
    hue, saturation = text.split(",")
    return {"hue": int(hue), "sat": int(saturation)}


def _basic_writer(part: Part, channels: Mapping[str, Channel]) -> Any:
    """Whether "on" comes first, last, or is said by the brightness."""
    style = part.text("on_command_type", "last")

    def write(order: Order) -> list[Message]:
        wanted = dict(order.wanted)
        state = wanted.pop("state", None)
        told = [channels[key].message(wanted[key]) for key in sorted(wanted) if key in channels]
        if state == "off":
            return [channels["state"].message("off")]
        if state is None or (style == "brightness" and "brightness" in wanted):
            return told
        on = channels["state"].message("on")
        return [on, *told] if style == "first" else [*told, on]

    return write


def _json_light(part: Part) -> Device:
    topic = part.topic("command_topic")
    if not topic:
        raise ConfigError(f"{part.key}: no command topic")
    modes = set(part.texts("supported_color_modes"))
    old = {one for one in ("hs", "rgb", "xy") if part.config.get(one) is True}
    colors = (modes & _MODES_WITH_COLOR) | old
    warm = "color_temp" in modes or part.config.get("color_temp") is True
    dims = part.config.get("brightness") is True or bool(modes - {"onoff"})
    scale = part.number("brightness_scale", 255)
    bright, dim = _brightness_to(scale), _brightness_from(scale)
    kelvin, mireds = _temperature(part)
    on, off = part.text("payload_on", "ON"), part.text("payload_off", "OFF")
    style = next((one for one in ("hs", "xy", "rgb", "rgbw", "rgbww") if one in colors), "")
    found = device(part, "light", [], state="off", **_description(part, dims, bool(style), warm))

    def write(order: Order) -> list[Message]:
        wanted = order.wanted
        if wanted.get("state") == "off":
            return [Message(topic, json.dumps({"state": off}))]
        values: Values = {"state": on}
        if "brightness" in wanted:
            values["brightness"] = bright(wanted["brightness"])
        if "color_temperature" in wanted:
            values["color_temp"] = kelvin(wanted["color_temperature"])
        if "color" in wanted:
            values["color"] = _color_values(style, wanted["color"])
        return [Message(topic, json.dumps(values))]

    def expect(order: Order) -> Values:
        goal = dict(order.wanted)
        if "brightness" in goal:
            goal["brightness"] = dim(str(bright(goal["brightness"])))
        if "color_temperature" in goal:
            goal["color_temperature"] = mireds(str(kelvin(goal["color_temperature"])))
        return goal

    def take(payload: str) -> Values:
        values = json.loads(payload)
        read: Values = {}
        if values.get("state") in (on, off):
            read["state"] = "on" if values["state"] == on else "off"
        if dims and isinstance(values.get("brightness"), int | float):
            level = dim(str(values["brightness"]))
            read |= {} if level is None else {"brightness": level}
        mode = values.get("color_mode")
        if (
            warm
            and isinstance(values.get("color_temp"), int | float)
            and mode in (None, "color_temp")
        ):
            read["color_temperature"] = mireds(str(values["color_temp"]))
        if style and isinstance(values.get("color"), Mapping) and mode != "color_temp":
            read |= _color_read(values["color"])
        return read

    reports = part.topic("state_topic")
    found.write, found.expect = write, expect
    found.reads = [(reports, take)] if reports else []
    found.hears = frozenset({"state", *found.entity["attributes"]} if reports else ())
    return found


def _color_values(style: str, color: str) -> Values:
    if style == "hs":
        hue, saturation = HUES[color]
        return {"h": hue, "s": saturation}
    if style == "xy":
        x, y = xy_of(color)
        return {"x": x, "y": y}
    red, green, blue = rgb_of(color)
    extra = {"w": 0, "c": 0} if style == "rgbww" else {"w": 0} if style == "rgbw" else {}
    return {"r": red, "g": green, "b": blue, **extra}


def _color_read(values: Mapping[str, Any]) -> Values:
    works: tuple[tuple[str, Callable[..., str]], ...] = (
        ("hs", nearest_color),
        ("xy", color_of_xy),
        ("rgb", color_of_rgb),
    )
    for keys, work in works:
        numbers = [values.get(key) for key in keys]
        if all(isinstance(one, int | float) for one in numbers):
            return {"color": work(*numbers)}
    return {}
