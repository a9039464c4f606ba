"""Which parameter of a device's "set" a key means, and how far "more" and "less" go.

PARAMETERS["light"]["warmth"]                # "color_temperature"
BARE["cover"]                                # "position": what a number alone sets
raised(boiler, "temperature", 50, 1)         # 55
"""

from __future__ import annotations

from qingyu.act.values import tidy
from qingyu.act.world import Entity

BARE: dict[str, str] = {
    "light": "brightness", "climate": "temperature", "humidifier": "humidity",
    "water_heater": "temperature", "media_player": "volume", "cover": "position", "fan": "speed",
    "charger": "limit", "seat": "heating",
}  # fmt: skip
"""What a number alone sets."""
PARAMETERS: dict[str, dict[str, str]] = {
    "light": {"brightness": "brightness", "color": "color", "warmth": "color_temperature",
              "temperature": "color_temperature"},
    "climate": {"temperature": "temperature", "mode": "mode", "fan": "fan", "speed": "fan",
                "heating": "temperature"},
    "fan": {"speed": "speed", "fan": "speed", "swing": "oscillating", "value": "speed"},
    "humidifier": {"humidity": "humidity", "mode": "mode"},
    "water_heater": {"temperature": "temperature", "heating": "temperature"},
    "media_player": {"volume": "volume", "source": "source", "mode": "source"},
    "cover": {"position": "position"},
    "seat": {"heating": "heating", "ventilation": "ventilation", "temperature": "heating",
             "fan": "ventilation", "speed": "ventilation"},
    "charger": {"limit": "limit"},
    "level": dict.fromkeys(("volume", "brightness", "position"), "value"),
    "select": dict.fromkeys(("mode", "source", "brightness", "speed"), "value"),
}  # fmt: skip
"""The parameter a key of a form means on a device of a domain."""
_STEPS = {"temperature": 1, "color_temperature": 500, "humidity": 10, "limit": 10, "heating": 1,
          "ventilation": 1}  # fmt: skip
SPEEDS = {"low": 33, "medium": 66, "high": 100}
"""Percent of a fan."""


def raised(entity: Entity, key: str, now: float, direction: int) -> float | int:
    """A value a step higher or lower (1, -1), within the range of the device."""
    attribute = entity.attribute(key)
    assert attribute is not None
    low, high = entity.range_of(key, attribute)
    step = 5 if entity.domain == "water_heater" else _STEPS.get(key, 20)
    value = now + direction * step
    return tidy(max(now if low is None else low, min(now if high is None else high, value)))
