"""A random device of a domain: what it supports and how it stands now, without its names.

    attributes_of("light", random.Random(1))     # {"brightness": 40, "color": "red"}

Most devices of a household support a part of what their domain has; so do these.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from qingyu.act.vocabulary import COLORS, DOMAINS, SENSOR_KINDS
from qingyu.act.world import Record, Value

SENSORS: Mapping[str, tuple[str, float, float]] = {
    "temperature": ("°C", -5, 35), "humidity": ("%", 20, 90), "power": ("W", 0, 3000),
    "energy": ("kWh", 0, 500), "pm25": ("µg/m³", 3, 200), "co2": ("ppm", 400, 2000),
    "battery": ("%", 1, 100), "illuminance": ("lx", 0, 2000), "speed": ("km/h", 0, 130),
    "range": ("km", 20, 600), "tire_pressure": ("bar", 1.8, 2.9),
}  # fmt: skip
assert set(SENSORS) == set(SENSOR_KINDS)


def state_of(domain: str, attributes: Mapping[str, Value], chance: random.Random) -> Value | None:
    """A state the domain can be in; None where it has none."""
    state = DOMAINS[domain].state
    if state is None:
        return None
    if domain == "sensor":
        _, low, high = SENSORS[str(attributes["kind"])]
        return round(chance.uniform(low, high), chance.choice((0, 1))) or 1
    if state.options:
        if domain == "climate":
            return chance.choice(("off", "off", "cool", "heat", "auto"))
        return chance.choice(state.options)
    return chance.randint(0, 100)


def attributes_of(
    domain: str, chance: random.Random, kind: str = "", texts: Sequence[str] = ()
) -> dict[str, Value]:
    """kind: of a cover, sensor, level, select. texts: items, titles or labels of lists."""
    half = chance.random() < 0.5
    most = chance.random() < 0.75
    given: dict[str, Value] = {}
    if domain == "light":
        if most:
            given["brightness"] = chance.randint(1, 100)
        if chance.random() < 0.45:
            given["color"] = chance.choice(COLORS)
        if half:
            given["color_temperature"] = chance.randrange(2200, 6500, 100)
    elif domain == "cover":
        given["kind"] = kind
        if most:
            given["position"] = chance.randint(0, 100)
    elif domain == "climate":
        given = {
            "temperature": chance.randint(16, 30),
            "current_temperature": chance.randint(10, 35),
            "last_mode": chance.choice(("cool", "heat")),
        }
        if most:
            given["fan"] = chance.choice(("low", "medium", "high", "auto"))
    elif domain == "fan":
        if most:
            given["speed"] = chance.randint(1, 100)
        if half:
            given["oscillating"] = chance.random() < 0.5
    elif domain == "media_player":
        given = {"volume": chance.randint(0, 100), "muted": False}
        if most:
            given["track"] = chance.randint(1, 12)
        if half:
            given["source"] = ""
    elif domain == "vacuum":
        given["battery"] = chance.randint(5, 100)
        if most:
            given["area"] = ""
    elif domain == "humidifier":
        given = {"humidity": chance.randint(30, 80), "current_humidity": chance.randint(20, 70)}
    elif domain == "water_heater":
        given = {
            "temperature": chance.randint(35, 75),
            "current_temperature": chance.randint(20, 70),
        }
    elif domain == "sensor":
        given |= {"kind": kind, "unit": SENSORS[kind][0]}
    elif domain in ("binary_sensor", "level", "select"):
        given = {"kind": kind}
    elif domain == "seat":
        given["heating"] = chance.randint(0, 3)
        if half:
            given["ventilation"] = chance.randint(0, 3)
    elif domain == "charger":
        given = {"limit": chance.randint(50, 100)}
    elif domain == "robot":
        given = {"place": "", "heading": 0, "moved": 0.0, "target": "", "battery": 50}
    else:
        given = _service(domain, chance, texts)
    return given


def _service(domain: str, chance: random.Random, texts: Sequence[str]) -> dict[str, Value]:
    """Lists and the like, with some entries."""
    at = [f"2026-11-{chance.randint(27, 30)} {chance.randint(7, 20):02d}:00" for _ in texts]
    if domain == "todo":
        return {"items": tuple(texts)}
    if domain == "timer":
        labels: list[Record] = [
            {"seconds": 60 * chance.randint(1, 50), "label": one} for one in texts
        ]
        return {"timers": tuple(labels)}
    if domain == "alarm":
        hours = chance.sample(range(5, 11), chance.randint(0, 2))
        return {"alarms": tuple({"time": f"{one:02d}:00", "days": "weekdays"} for one in hours)}
    if domain == "reminder":
        rows = zip(texts, at, strict=True)
        return {"reminders": tuple({"text": text, "at": moment} for text, moment in rows)}
    if domain == "calendar":
        rows = zip(texts, at, strict=True)
        return {"events": tuple({"title": text, "at": moment} for text, moment in rows)}
    if domain == "dialer":
        return {"contact": ""}
    if domain == "messenger":
        return {"sent": ()}
    if domain == "app":
        return {"open": ""}
    if domain == "navigator":
        return {"destination": ""}
    return {}
