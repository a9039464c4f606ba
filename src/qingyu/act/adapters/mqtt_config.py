"""What a discovery message says: which devices there are, where, and what they are called.

    found = read("homeassistant", "homeassistant/light/desk/config", payload)
    found.parts              # {"": Part(component="light", id="desk", config={...})}

One message is one entity (`<prefix>/<component>/[<node>/]<object>/config`) or a device with many
(`<prefix>/device/[<node>/]<object>/config`); an empty one takes them away. Source:
https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qingyu.act.adapters.mqtt_names import full

MAX_BYTES = 1 << 16
_MOST_PARTS = 64
_LONGEST_NAME = 60
_SHARED = ("availability", "availability_topic", "availability_mode", "availability_template",
           "payload_available", "payload_not_available", "command_topic", "state_topic", "qos",
           "encoding", "device", "origin")  # fmt: skip
"""What the parts of a device inherit from it."""


class ConfigError(Exception):
    """A discovery message that is none. Not for users: it is left out, and a line is logged."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One entity. config: its keys in full. id: the name the household's file would call it by,
    without its domain; key: what tells it from all others."""

    component: str
    id: str
    key: str
    config: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The device's name and the entity's own, as Home Assistant shows it."""
        device = self.config.get("device")
        of_device = _tidy(device.get("name")) if isinstance(device, Mapping) else ""
        own = _tidy(self.config.get("name"))
        if not of_device or own.casefold().startswith(of_device.casefold()):
            return own or of_device or self.id.replace("_", " ")
        if not own:
            return of_device
        # Between Chinese words there is no space.
        between = "" if _is_chinese(own[0]) and any(map(_is_chinese, of_device)) else " "
        return f"{of_device}{between}{own}"

    @property
    def area(self) -> str:
        device = self.config.get("device")
        return _tidy(device.get("suggested_area")) if isinstance(device, Mapping) else ""

    def text(self, key: str, default: str = "") -> str:
        """A payload or topic; numbers and booleans as a device writes them."""
        value = self.config.get(key, default)
        if isinstance(value, bool):
            return "True" if value else "False"
        return str(value) if isinstance(value, str | int | float) else default

    def topic(self, key: str) -> str:
        """A topic, "" where there is none. Raises ConfigError for one with wildcards."""
        topic = self.text(key)
        if len(topic) > 512 or any(one in topic for one in "+#\0"):
            raise ConfigError(f"{key} is no topic to name: {topic[:60]!r}")
        return topic

    def number(self, key: str, default: float) -> float:
        value = self.config.get(key, default)
        try:
            return float(value)
        except (TypeError, ValueError):
            return default

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.config.get(key)
        if not isinstance(value, list):
            return ()
        return tuple(str(one) for one in value[:100] if isinstance(one, str | int | float))


@dataclass(frozen=True, kw_only=True)
class Found:
    """topic: of the message. parts: none where it takes things away."""

    topic: str
    parts: Mapping[str, Part] = field(default_factory=dict)


def read(prefix: str, topic: str, payload: bytes) -> Found | None:
    """None for a topic that is no discovery. Raises ConfigError for a message that is damaged."""
    match = re.fullmatch(
        re.escape(prefix) + r"/(\w+)/(?:([\w-]+)/)?([\w-]+)/config", topic, re.ASCII
    )
    if match is None:
        return None
    component, node, object_id = match.groups()
    if not payload.strip():
        return Found(topic=topic)
    if len(payload) > MAX_BYTES:
        raise ConfigError(f"{topic}: {len(payload)} bytes; at most {MAX_BYTES}")
    try:
        values = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{topic}: {error}") from None
    if not isinstance(values, Mapping):
        raise ConfigError(f"{topic}: no object")
    config = full(values)
    base = f"{node}_{object_id}" if node else object_id
    if component != "device":
        part = Part(component=component, id=_id(config, base), key=topic, config=config)
        return Found(topic=topic, parts={"": part})
    return Found(topic=topic, parts=_parts(topic, base, config))


def _parts(topic: str, base: str, config: Mapping[str, Any]) -> dict[str, Part]:
    components = config.get("components")
    if not isinstance(components, Mapping) or len(components) > _MOST_PARTS:
        raise ConfigError(f"{topic}: no components, or more than {_MOST_PARTS}")
    shared = {key: config[key] for key in _SHARED if key in config}
    found = {}
    for name, own in components.items():
        platform = own.get("platform")
        # One with its platform alone is taken away.
        if isinstance(platform, str) and len(own) > 1:
            merged = {**shared, **own}
            found[name] = Part(
                component=platform,
                id=_id(merged, f"{base}_{name}"),
                key=f"{topic} {name}",
                config=merged,
            )
    return found


def _id(config: Mapping[str, Any], otherwise: str) -> str:
    """A name in small letters, digits and _: what the message calls it, else its topic's."""
    asked = config.get("default_entity_id") or config.get("object_id") or otherwise
    text = str(asked).rpartition(".")[2]
    slug = re.sub(r"_+", "_", re.sub(r"[^a-z0-9_]", "_", text.casefold())).strip("_")[:60]
    return slug or short_hash(otherwise)


def short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:6]


def _tidy(name: object) -> str:
    """A name as people say it: no control characters, single spaces, not too long."""
    if not isinstance(name, str):
        return ""
    return " ".join("".join(one if one.isprintable() else " " for one in name).split())[
        :_LONGEST_NAME
    ]


def _is_chinese(one: str) -> bool:
    return "\u3400" <= one <= "\u9fff"
