"""What an entity of Home Assistant is in our vocabulary, and which service does what to it.

    device_of("light.desk", attributes)     # its description, None for kinds nobody acts on here
    values_of("light.desk", "on", attributes)           # {"state": "on", "brightness": 40}
    services_of("light.desk", attributes, order)        # [Service("light", "turn_on", {...})]

Source: https://developers.home-assistant.io/docs/core/entity/ (a page for each kind).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from qingyu.act.adapters.colors import HUES, nearest_color
from qingyu.act.adapters.link import Order
from qingyu.act.vocabulary import BINARY_KINDS, COVER_KINDS, MODES, SENSOR_KINDS

Values = dict[str, Any]
Attributes = Mapping[str, Any]
UNKNOWN = ("unavailable", "unknown", "")
_COLORED = frozenset({"hs", "rgb", "rgbw", "rgbww", "xy"})
_FANS = ("low", "medium", "high", "auto")
# Bits of supported_features.
_COVER_POSITION = 4
_FAN_SPEED, _FAN_OSCILLATE = 1, 2
_PLAYER_VOLUME, _PLAYER_MUTE, _PLAYER_PREVIOUS, _PLAYER_NEXT, _PLAYER_SOURCE = 4, 8, 16, 32, 2048
_KINDS_OF_BINARY = {
    "garage_door": "door",
    "opening": "door",
    "occupancy": "presence",
    "moisture": "leak",
}
_KINDS_OF_COVER = {"awning": "shade", "shutter": "blind"}
_STATES = {
    "cover": {"open": "open", "opening": "open", "closing": "open", "closed": "closed"},
    "valve": {"open": "open", "opening": "open", "closing": "open", "closed": "closed"},
    "lock": {"locked": "locked", "unlocked": "unlocked", "open": "unlocked"},
    "media_player": {
        "off": "off", "standby": "off", "on": "idle", "idle": "idle", "playing": "playing",
        "buffering": "playing", "paused": "paused",
    },
    "vacuum": {
        "docked": "docked", "cleaning": "cleaning", "returning": "returning", "paused": "paused",
        "idle": "paused", "error": "paused",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Service:
    """A service of Home Assistant and what it is told beside the entity."""

    domain: str
    name: str
    data: Mapping[str, Any] = field(default_factory=dict)


def domain_of(id: str) -> str:
    """Ours of an entity's id, "" where we have none."""
    theirs = id.partition(".")[0]
    ours = {"input_boolean": "switch", "input_select": "select", "input_number": "level",
            "number": "level"}.get(theirs, theirs)  # fmt: skip
    return ours if ours in _DESCRIBED else ""


def our_id(id: str) -> str:
    """How an entity is called here: kinds that share one of ours keep their own in the name."""
    theirs, _, name = id.partition(".")
    domain = domain_of(id)
    return f"{domain}.{name}" if domain == theirs else f"{domain}.{theirs}_{name}"


def device_of(id: str, state: str, attributes: Attributes) -> Values | None:
    """A description as in a household's file, but for id, names and area."""
    domain = domain_of(id)
    if not domain or (state in UNKNOWN and domain != "scene"):
        return None
    described = _DESCRIBED[domain](attributes)
    if described is None:
        return None
    if domain != "scene":
        now = values_of(id, state, attributes)
        if "state" not in now:
            return None
        described["state"] = now.pop("state")
        own = described["attributes"]
        own |= {key: value for key, value in now.items() if key in own}
    return described


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _bits(attributes: Attributes) -> int:
    bits = attributes.get("supported_features")
    return bits if isinstance(bits, int) else 0


def _texts(attributes: Attributes, key: str) -> list[str]:
    found = attributes.get(key)
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _bounds(attributes: Attributes, low: str, high: str) -> list[float] | None:
    ends = [_number(attributes.get(one)) for one in (low, high)]
    return None if None in ends else [one for one in ends if one is not None]


def _light(attributes: Attributes) -> Values:
    modes = set(_texts(attributes, "supported_color_modes"))
    own: Values = {}
    ranges: Values = {}
    if modes - {"onoff"}:
        own["brightness"] = 100
    if modes & _COLORED:
        own["color"] = "white"
    if "color_temp" in modes:
        low, high = _bounds(attributes, "min_color_temp_kelvin", "max_color_temp_kelvin") or (
            2200,
            6500,
        )
        ranges["color_temperature"] = [low, high]
        own["color_temperature"] = round(min(max(4000, low), high))
    return {"attributes": own, "ranges": ranges}


def _plain(attributes: Attributes) -> Values:
    return {"attributes": {}}


def _cover(attributes: Attributes) -> Values:
    own: Values = {"position": 0} if _bits(attributes) & _COVER_POSITION else {}
    kind = str(attributes.get("device_class", ""))
    kind = _KINDS_OF_COVER.get(kind, kind)
    return {"attributes": own | ({"kind": kind} if kind in COVER_KINDS else {})}


def _climate(attributes: Attributes) -> Values | None:
    modes = [one for one in map(_mode, _texts(attributes, "hvac_modes")) if one]
    if not set(modes) - {"off"}:
        return None
    fans = [one for one in _texts(attributes, "fan_modes") if one in _FANS]
    own: Values = {"last_mode": next(one for one in modes if one != "off")}
    ranges: Values = {}
    if "temperature" in attributes:
        own["temperature"] = 22
        ranges["temperature"] = _half(_bounds(attributes, "min_temp", "max_temp") or [7, 35])
    if fans:
        own["fan"] = fans[0]
    if _number(attributes.get("current_temperature")) is not None:
        own["current_temperature"] = 0
    options = {"mode": list(dict.fromkeys(modes)), **({"fan": fans} if fans else {})}
    return {"attributes": own, "ranges": ranges, "options": options}


def _half(ends: list[float]) -> list[float]:
    return [math.ceil(ends[0] * 2) / 2, math.floor(ends[1] * 2) / 2]


def _mode(mode: str) -> str | None:
    mode = "auto" if mode == "heat_cool" else mode
    return mode if mode in MODES else None


def _fan(attributes: Attributes) -> Values:
    bits = _bits(attributes)
    own: Values = {"speed": 100} if bits & _FAN_SPEED else {}
    return {"attributes": own | ({"oscillating": False} if bits & _FAN_OSCILLATE else {})}


def _media_player(attributes: Attributes) -> Values:
    bits = _bits(attributes)
    own: Values = {}
    options: Values = {}
    if bits & _PLAYER_VOLUME:
        own["volume"] = 0
    if bits & _PLAYER_MUTE:
        own["muted"] = False
    if bits & _PLAYER_PREVIOUS and bits & _PLAYER_NEXT:
        own["track"] = 1
    sources = _texts(attributes, "source_list")
    if bits & _PLAYER_SOURCE and sources:
        own["source"] = sources[0]
        options["source"] = sources
    return {"attributes": own, "options": options}


def _vacuum(attributes: Attributes) -> Values:
    known = _number(attributes.get("battery_level")) is not None
    return {"attributes": {"battery": 0} if known else {}}


def _humidifier(attributes: Attributes) -> Values:
    own: Values = {"humidity": 50}
    ranges = {"humidity": _bounds(attributes, "min_humidity", "max_humidity") or [0, 100]}
    modes = _texts(attributes, "available_modes")
    if modes:
        own["mode"] = modes[0]
    if _number(attributes.get("current_humidity")) is not None:
        own["current_humidity"] = 0
    own["humidity"] = round(min(max(50, ranges["humidity"][0]), ranges["humidity"][1]))
    return {"attributes": own, "ranges": ranges, "options": {"mode": modes} if modes else {}}


def _water_heater(attributes: Attributes) -> Values:
    low, high = _bounds(attributes, "min_temp", "max_temp") or (43, 60)
    own: Values = {"temperature": math.ceil(low)}
    if _number(attributes.get("current_temperature")) is not None:
        own["current_temperature"] = 0
    return {"attributes": own, "ranges": {"temperature": [math.ceil(low), math.floor(high)]}}


def _select(attributes: Attributes) -> Values | None:
    options = _texts(attributes, "options")
    return {"attributes": {}, "options": {"state": options}} if options else None


def _level(attributes: Attributes) -> Values | None:
    ends = _bounds(attributes, "min", "max")
    if attributes.get("unit_of_measurement") != "%" or ends is None:
        return None
    return {"attributes": {}, "ranges": {"state": ends}} if 0 <= ends[0] < ends[1] <= 100 else None


def _sensor(attributes: Attributes) -> Values:
    kind = str(attributes.get("device_class", ""))
    kind = "co2" if kind == "carbon_dioxide" else kind
    unit = attributes.get("unit_of_measurement")
    own: Values = {"unit": unit} if isinstance(unit, str) and unit else {}
    return {"attributes": own | ({"kind": kind} if kind in SENSOR_KINDS else {})}


def _binary_sensor(attributes: Attributes) -> Values:
    kind = str(attributes.get("device_class", ""))
    kind = _KINDS_OF_BINARY.get(kind, kind)
    return {"attributes": {"kind": kind} if kind in BINARY_KINDS else {}}


def _scene(attributes: Attributes) -> Values:
    return {"attributes": {"sets": {}}}


_DESCRIBED: Mapping[str, Callable[[Attributes], Values | None]] = {
    "light": _light,
    "switch": _plain,
    "cover": _cover,
    "climate": _climate,
    "fan": _fan,
    "lock": _plain,
    "media_player": _media_player,
    "vacuum": _vacuum,
    "valve": _plain,
    "humidifier": _humidifier,
    "water_heater": _water_heater,
    "select": _select,
    "level": _level,
    "sensor": _sensor,
    "binary_sensor": _binary_sensor,
    "scene": _scene,
}


def values_of(id: str, state: str, attributes: Attributes) -> Values:
    """What a state of Home Assistant says; nothing where the entity is unavailable."""
    domain = domain_of(id)
    if state in UNKNOWN or domain == "scene":
        return {}
    found: Values = {}
    now = _state(domain, state)
    if now is not None:
        found["state"] = now
    for ours, theirs in _SAME.get(domain, {}).items():
        value = attributes.get(theirs)
        if isinstance(value, str | bool | int | float):
            found[ours] = value
    if domain == "light":
        found |= _light_values(attributes)
    if domain == "media_player" and (volume := _number(attributes.get("volume_level"))) is not None:
        found["volume"] = round(volume * 100)
    if domain in ("cover", "fan", "vacuum", "humidifier", "water_heater"):
        found = {
            key: round(one) if isinstance(one, float) and key != "current_temperature" else one
            for key, one in found.items()
        }
    if domain == "fan" and not found.get("speed", 1):
        del found["speed"]
    return found


_SAME = {
    "cover": {"position": "current_position"},
    "climate": {
        "temperature": "temperature",
        "fan": "fan_mode",
        "current_temperature": "current_temperature",
    },
    "fan": {"speed": "percentage", "oscillating": "oscillating"},
    "media_player": {"muted": "is_volume_muted", "source": "source"},
    "vacuum": {"battery": "battery_level"},
    "humidifier": {"humidity": "humidity", "mode": "mode", "current_humidity": "current_humidity"},
    "water_heater": {
        "temperature": "temperature",
        "current_temperature": "current_temperature",
    },
}
"""Of each kind our name of an attribute, and Home Assistant's."""


def _state(domain: str, state: str) -> Any:
    if domain in _STATES:
        return _STATES[domain].get(state)
    if domain == "climate":
        return _mode(state)
    if domain == "water_heater":
        return "off" if state == "off" else "on"
    if domain in ("sensor", "level"):
        try:
            number = float(state)
        except ValueError:
            return state[:200] if domain == "sensor" else None
        if not math.isfinite(number):
            return None
        return int(number) if number == int(number) else round(number, 3)
    return state if domain == "select" or state in ("on", "off") else None


def _light_values(attributes: Attributes) -> Values:
    found: Values = {}
    brightness = _number(attributes.get("brightness"))
    if brightness:
        found["brightness"] = max(1, round(brightness / 255 * 100))
    mode = attributes.get("color_mode")
    kelvin = _number(attributes.get("color_temp_kelvin"))
    if kelvin and mode == "color_temp":
        found["color_temperature"] = round(kelvin)
    hue = attributes.get("hs_color")
    if mode in _COLORED and isinstance(hue, list | tuple) and len(hue) == 2:
        numbers = [_number(one) for one in hue]
        if numbers[0] is not None and numbers[1] is not None:
            found["color"] = nearest_color(numbers[0], numbers[1])
    return found


def services_of(id: str, attributes: Attributes, order: Order) -> list[Service]:
    """What brings an entity to where an order wants it. Raises KeyError for what cannot be."""
    theirs = id.partition(".")[0]
    domain = domain_of(id)
    wanted = dict(order.wanted)
    if domain in ("switch", "light", "fan", "humidifier", "water_heater"):
        return _switched(theirs, domain, wanted)
    if domain == "climate":
        return _climate_services(attributes, wanted)
    if domain == "cover" and order.action == "set":
        return [Service("cover", "set_cover_position", {"position": wanted["position"]})]
    if domain in ("cover", "valve"):
        word = "open" if wanted["state"] == "open" else "close"
        return [Service(domain, f"{word}_{domain}")]
    if domain == "lock":
        return [Service("lock", "lock" if wanted["state"] == "locked" else "unlock")]
    if domain == "media_player":
        return _player_services(order.action, wanted)
    if domain == "vacuum":
        return [Service("vacuum", {"return": "return_to_base"}.get(order.action, order.action))]
    if domain == "scene":
        return [Service("scene", "turn_on")]
    if domain == "select":
        return [Service(theirs, "select_option", {"option": wanted["state"]})]
    return [Service(theirs, "set_value", {"value": wanted["state"]})]


def _switched(theirs: str, domain: str, wanted: Values) -> list[Service]:
    state = wanted.pop("state", None)
    if state == "off":
        return [Service(theirs, "turn_off")]
    if domain == "light":
        data: Values = {}
        if "brightness" in wanted:
            data["brightness_pct"] = wanted["brightness"]
        if "color" in wanted:
            data["hs_color"] = list(HUES[wanted["color"]])
        if "color_temperature" in wanted:
            data["color_temp_kelvin"] = wanted["color_temperature"]
        return [Service(theirs, "turn_on", data)]
    found = [Service(theirs, "turn_on")] if state == "on" else []
    names = {
        "speed": ("set_percentage", "percentage"),
        "oscillating": ("oscillate", "oscillating"),
        "humidity": ("set_humidity", "humidity"),
        "mode": ("set_mode", "mode"),
        "temperature": ("set_temperature", "temperature"),
    }
    return found + [
        Service(theirs, names[key][0], {names[key][1]: value}) for key, value in wanted.items()
    ]


def _climate_services(attributes: Attributes, wanted: Values) -> list[Service]:
    found = []
    if "state" in wanted:
        modes = _texts(attributes, "hvac_modes")
        theirs = next(one for one in (wanted["state"], "heat_cool") if one in modes)
        found.append(Service("climate", "set_hvac_mode", {"hvac_mode": theirs}))
    if "temperature" in wanted:
        found.append(Service("climate", "set_temperature", {"temperature": wanted["temperature"]}))
    if "fan" in wanted:
        found.append(Service("climate", "set_fan_mode", {"fan_mode": wanted["fan"]}))
    return found


def _player_services(action: str, wanted: Values) -> list[Service]:
    simple = {
        "play": "media_play",
        "pause": "media_pause",
        "stop": "media_stop",
        "next": "media_next_track",
        "previous": "media_previous_track",
        "turn_on": "turn_on",
        "turn_off": "turn_off",
    }
    if action in simple:
        return [Service("media_player", simple[action])]
    found = []
    if "muted" in wanted:
        found.append(Service("media_player", "volume_mute", {"is_volume_muted": wanted["muted"]}))
    if "volume" in wanted:
        found.append(
            Service("media_player", "volume_set", {"volume_level": wanted["volume"] / 100})
        )
    if "source" in wanted:
        found.append(Service("media_player", "select_source", {"source": wanted["source"]}))
    return found
