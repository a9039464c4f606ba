"""The words a form may be written in, besides marks and quotes: what a model has to know.

    "brightness" in KEYS, "heater" in CLASSES, "cold" in WISHES

Their meaning is in `resolving`; what may stand where, in `reader`.
"""

from __future__ import annotations

from qingyu.act.vocabulary import BINARY_KINDS, COLORS, DOMAINS, MODES, SENSOR_KINDS

PLAIN = (
    "on", "off", "open", "close", "start", "stop", "pause", "play", "next", "previous", "mute",
    "unmute", "lock", "unlock", "dock", "return", "activate",
)  # fmt: skip
"""Verbs that take devices and nothing else."""
ROBOT = ("halt", "stand", "sit", "lie", "patrol")
"""Verbs of a robot that take nothing."""
CLASSES = (
    "light", "switch", "appliance", "curtain", "blind", "window", "cover", "door", "lock", "ac",
    "heater", "climate", "fan", "media", "vacuum", "valve", "humidifier", "water_heater", "seat",
    "headlights", "drive_mode", "charger", "robot", "scene", "todo", "shopping", "timer", "alarm",
    "reminder", "calendar", "volume", "screen", "sensor", "everything",
    *dict.fromkeys(one for one in (*SENSOR_KINDS, *BINARY_KINDS) if one not in ("door", "window")),
)  # fmt: skip
KEYS = (
    "value", "brightness", "color", "warmth", "position", "temperature", "mode", "fan", "speed",
    "swing", "volume", "source", "humidity", "heating", "ventilation", "limit",
)  # fmt: skip
"""What can be set; "value" where it is not said which."""
ASKED = (*KEYS, "state", "list", "open?", "where", "battery", "measured")
"""What can be asked. value: what it is set to. measured: the real temperature or humidity there."""
LEVELS = ("low", "medium", "high")
VALUES = tuple(
    dict.fromkeys(("max", "min", "half", "double", "halve", "on", *LEVELS, *COLORS, *MODES, "auto"))
)
"""Words a value can be. half: 50 %. double, halve: of what it is."""
WISHES = (
    "cold", "hot", "dark", "bright", "glare", "loud", "silent", "stuffy", "smell", "dry", "damp",
    "private", "view", "sleep", "wake", "leave", "return", "movie", "read", "work", "bored",
    "focus", "dinner", "party", "hungry", "noodles", "rice", "toast", "tea", "coffee", "laundry",
    "dishes", "dirty", "plants", "bath", "mosquito", "rain", "charge",
)  # fmt: skip
"""What somebody says that only implies an action. bright, loud: too much of it; silent: too
quiet, cannot hear it; glare: the sun; view: let it in; dirty: the floor."""

DEVICES = frozenset(DOMAINS) - {"level"} | {"level.*"}
"""Sorts of marks that are devices: "level" alone is a number, as in "level two"."""
PLACES = frozenset({"area", "floor"})
OPTIONS = frozenset({"place", "app", "source", "target", "mode", "option"})
NUMBERS = frozenset(
    {"percent", "degree", "celsius", "kelvin", "metre", "angle", "level", "ordinal", "number"}
)
TIMES = frozenset({"time", "day", "duration"})
TEXTS = frozenset({"item", "title"})
TYPES = DEVICES | PLACES | OPTIONS | NUMBERS | TIMES | TEXTS | {"contact"}
"""Every sort of a mark."""


def sort(type: str) -> str:
    """What sort of a mark a type is, as in the sets above: without the kind of a device."""
    domain, dot, _ = type.partition(".")
    return "level.*" if domain == "level" and dot else domain
