"""Covers and valves of discovery messages: what opens and closes, and takes its time.

A blind needs half a minute. What it reports meanwhile, "opening" or a position nearer to the goal,
shows that it is on its way; that counts as an answer.

Sources: https://www.home-assistant.io/integrations/cover.mqtt/ and valve.mqtt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from qingyu.act.adapters.link import Order
from qingyu.act.adapters.mqtt_config import ConfigError, Part
from qingyu.act.adapters.mqtt_device import (
    Channel,
    Device,
    Message,
    Values,
    channel,
    device,
    number,
    rendered,
    template,
)

_KINDS = {
    "awning": "shade",
    "blind": "blind",
    "curtain": "curtain",
    "door": "door",
    "garage": "garage",
    "gate": "gate",
    "shade": "shade",
    "shutter": "blind",
    "window": "window",
}


def cover(part: Part) -> Device:
    """Raises ConfigError."""
    position = _position(part)
    tells, settable = part.topic("command_topic"), bool(position.command_topic)
    if not tells and not settable:
        raise ConfigError(f"{part.key}: neither a command topic nor one for positions")
    words = {
        "open": part.text("payload_open", "OPEN"),
        "close": part.text("payload_close", "CLOSE"),
    }
    shape = template(part, "command_template")
    attributes: Values = {"position": 0} if settable else {}
    kind = _KINDS.get(part.text("device_class"))
    if kind:
        attributes["kind"] = kind
    found = device(part, "cover", [], state="closed", attributes=attributes)

    def write(order: Order) -> list[Message]:
        if order.action == "set" or not tells:
            goal = order.wanted.get("position", 100 if order.wanted.get("state") == "open" else 0)
            return [position.message(goal)]
        word = words["open" if order.wanted["state"] == "open" else "close"]
        text = word if shape is None else shape.render(value=word)
        return [Message(tells, text)]

    def expect(order: Order) -> Values:
        goal = dict(order.wanted)
        if "position" in goal:
            goal["position"] = position.expected(goal["position"])
            goal.setdefault("state", "open" if goal["position"] else "closed")
        return goal

    found.write, found.expect = write, expect
    _listen(found, part, position if settable or position.state_topic else None)
    return found


def _position(part: Part) -> Channel:
    """0 is closed and 100 open, whatever the device counts in."""
    closed, opened = part.number("position_closed", 0), part.number("position_open", 100)
    span = (opened - closed) or 100.0
    return channel(
        part,
        "position",
        state="position_topic",
        command="set_position_topic",
        read=("position_template",),
        write=("set_position_template",),
        encode=lambda value: round(closed + value * span / 100),
        decode=lambda text: round(min(max((number(text) - closed) * 100 / span, 0), 100)),
        names=lambda value: {"position": value},
    )


def _listen(found: Device, part: Part, position: Channel | None) -> None:
    """What it reports: words on one topic, a position on another, or either alone."""
    words = _words(part)
    moving = {part.text("state_opening", "opening"): "open",
              part.text("state_closing", "closing"): "closed"}  # fmt: skip
    shape = template(part, "value_template")
    topic = part.topic("state_topic")
    settable = "position" in found.entity["attributes"]
    places = position.state_topic if position is not None else ""

    def take_word(payload: str) -> Values:
        word = rendered(shape, payload)
        if moving.get(word) == "open":
            return {"state": "open"}  # a crack already
        return {"state": words[word]} if word in words else {}

    def take_position(payload: str) -> Values:
        assert position is not None
        value = position.read(payload)
        if value is None:
            return {}
        found: Values = {"position": value} if settable else {}
        # Where words come as well, they say what is closed.
        return found if topic else {**found, "state": "open" if value else "closed"}

    def under_way(
        order: Order, before: Mapping[str, Any], now: Values, on: str, payload: str
    ) -> bool:
        goal = order.wanted.get("state")
        if on == topic and moving.get(rendered(shape, payload)) == goal:
            return True
        was, at = before.get("position"), now.get("position")
        place = order.wanted.get("position")
        if was is None or at is None or place is None:
            return False
        return bool(abs(place - at) < abs(place - was))

    found.reads = [(topic, take_word)] if topic else []
    if places:
        found.reads.append((places, take_position))
    hears = {"state"} if topic or places else set()
    found.hears = frozenset(hears | ({"position"} if places and settable else set()))
    found.under_way = under_way


def _words(part: Part) -> dict[str, str]:
    return {
        part.text("state_open", "open"): "open",
        part.text("state_closed", "closed"): "closed",
    }


def valve(part: Part) -> Device:
    """Raises ConfigError."""
    topic = part.topic("command_topic")
    if not topic:
        raise ConfigError(f"{part.key}: no command topic")
    counts = part.config.get("reports_position") is True
    closed, opened = part.number("position_closed", 0), part.number("position_open", 100)
    words = {
        "open": part.text("payload_open", "OPEN"),
        "closed": part.text("payload_close", "CLOSE"),
    }
    if counts:
        words = {"open": str(round(opened)), "closed": str(round(closed))}
    known = _words(part)
    moving = {part.text("state_opening", "opening"): "open",
              part.text("state_closing", "closing"): "closed"}  # fmt: skip
    shape, written = template(part, "value_template"), template(part, "command_template")
    reports = part.topic("state_topic")

    def word_of(payload: str) -> Any:
        """A word or a number, alone or in an object."""
        text = rendered(shape, payload)
        if text.startswith("{"):
            values = json.loads(text)
            return str(values.get("state", values.get("position", "")))
        return text

    def take(payload: str) -> Values:
        word = word_of(payload)
        if word in known:
            return {"state": known[word]}
        if word in moving:
            return {"state": "open"} if moving[word] == "open" else {}
        return {"state": "closed" if number(word) == closed else "open"} if counts else {}

    def write(order: Order) -> list[Message]:
        word = words[order.wanted["state"]]
        return [Message(topic, word if written is None else written.render(value=word))]

    found = device(part, "valve", [], state="closed")
    found.write = write
    found.reads = [(reports, take)] if reports else []
    found.hears = frozenset({"state"}) if reports else frozenset()
    found.under_way = lambda order, before, now, on, payload: (
        moving.get(word_of(payload)) == order.wanted.get("state")
    )
    return found
