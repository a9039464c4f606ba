"""One entity of a discovery message: how its topics are read and written.

A `Channel` is one value with the topic it is told on and the topic it is reported on; a `Device`
is some of them with a description as in a household's file. Which there are for each kind of
entity: `mqtt_kinds.py` and `mqtt_light.py`.

    device.messages(order)        # what to publish
    device.expected(order)        # what the device then reports, where it reports at all
    device.read(topic, payload)   # {"brightness": 40} out of a message
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from qingyu.act.adapters.link import Order
from qingyu.act.adapters.mqtt_config import ConfigError, Part
from qingyu.act.adapters.mqtt_template import (
    Template,
    TemplateFailedError,
    TemplateRefusedError,
    json_or_missing,
)

_LOG = logging.getLogger(__name__)
Values = dict[str, Any]
Decode = Callable[[str], Any]
"""A payload as text, after its template, to a value of the vocabulary; None for none."""
UnderWay = Callable[[Order, Mapping[str, Any], Values, str, str], bool]
"""Of an order, how things were when it was given, what a message says, its topic and payload."""
Encode = Callable[[Any], Any]
"""A value of the vocabulary to what a template gets as `value`, or what is sent as it is."""


NOTHING = (
    TemplateFailedError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What taking apart a message of another shape than it should have ends in."""


def _at_once(order: Order, before: Mapping[str, Any], now: Values, on: str, payload: str) -> bool:
    return False


@dataclass(frozen=True)
class Message:
    topic: str
    payload: str


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One value. names: what else its command template may name, from the encoded value."""

    key: str
    decode: Decode
    encode: Encode = str
    state_topic: str = ""
    state_template: Template | None = None
    command_topic: str = ""
    command_template: Template | None = None
    names: Callable[[Any], Values] = lambda value: {}

    def read(self, payload: str) -> Any:
        """The value a message has, None for none. Raises TemplateFailedError."""
        text = rendered(self.state_template, payload)
        return None if text in ("", "None") else self.decode(text)

    def message(self, value: Any) -> Message:
        """Raises TemplateFailedError."""
        device_value = self.encode(value)
        text = str(device_value)
        if self.command_template is not None:
            names = self.names(device_value)
            text = self.command_template.render(**{"value": device_value, **names})
        return Message(self.command_topic, text)

    def expected(self, value: Any) -> Any:
        """What is reported after a value was sent: devices have coarser steps than we have."""
        told = self.decode(str(self.encode(value)))
        # Some report in other words than they are told in.
        return value if told is None else told


@dataclass(kw_only=True)
class Device:
    """entity: its description, with values it may have before anything is known. reads: by topic,
    what a message says. write: an order to messages; expect: to what is then reported.
    under_way: whether a report shows that an order is being carried out, which takes long.
    measured: keys that are known only once they were reported, and left out until then."""

    part: Part
    entity: Values
    reads: list[tuple[str, Callable[[str], Values]]] = field(default_factory=list)
    write: Callable[[Order], list[Message]] = lambda order: []
    expect: Callable[[Order], Values] = lambda order: dict(order.wanted)
    hears: frozenset[str] = frozenset()
    under_way: UnderWay = _at_once
    measured: frozenset[str] = frozenset()

    @property
    def topics(self) -> frozenset[str]:
        return frozenset(topic for topic, _ in self.reads)

    @property
    def only_measures(self) -> bool:
        return str(self.entity["id"]).startswith(("sensor.", "binary_sensor."))

    def read(self, topic: str, payload: str) -> Values:
        """What a message on a topic says; nothing where it is of no use."""
        found: Values = {}
        for one, take in self.reads:
            if one == topic:
                try:
                    found |= take(payload)
                except NOTHING:
                    _LOG.debug("%s: nothing in %r", self.entity["id"], payload[:80])
        return found

    def messages(self, order: Order) -> list[Message]:
        """What to publish; nothing where the device cannot. Raises TemplateFailedError."""
        return self.write(order)

    def expected(self, order: Order) -> Values:
        """What the device reports afterwards, of what it reports at all."""
        return {key: value for key, value in self.expect(order).items() if key in self.hears}

    def described(self, known: Mapping[str, Any]) -> Values:
        """The description with the values that are known by now."""
        attributes = {
            key: known.get(key, value)
            for key, value in self.entity.get("attributes", {}).items()
            if key in known or key not in self.measured
        }
        described = {**self.entity, "attributes": attributes}
        if "state" in known and "state" in self.entity:
            described["state"] = known["state"]
        return described


def rendered(template: Template | None, payload: str) -> str:
    """A payload after its template. Raises TemplateFailedError."""
    if template is None:
        return payload.strip()
    return template.render(value=payload, value_json=json_or_missing(payload))


def template(part: Part, *keys: str) -> Template | None:
    """The template of the first of some keys that is there. Raises ConfigError."""
    for key in keys:
        source = part.config.get(key)
        if isinstance(source, str) and source.strip():
            try:
                return Template(source)
            except TemplateRefusedError as error:
                raise ConfigError(f"{part.key}: {key}: {error}") from None
    return None


def channel(
    part: Part,
    key: str,
    *,
    state: str = "state_topic",
    command: str = "command_topic",
    read: tuple[str, ...] = ("value_template",),
    write: tuple[str, ...] = ("command_template",),
    decode: Decode,
    encode: Encode = str,
    names: Callable[[Any], Values] = lambda value: {},
) -> Channel:
    """A channel by the names its topics and templates have in the message. Raises ConfigError."""
    return Channel(
        key=key,
        decode=decode,
        encode=encode,
        state_topic=part.topic(state) if state else "",
        state_template=template(part, *read),
        command_topic=part.topic(command) if command else "",
        command_template=template(part, *write),
        names=names,
    )


def choice(by_payload: Mapping[str, Any]) -> Decode:
    """A payload that means a value, exactly as it is written."""
    return by_payload.get


def number(text: str) -> float:
    """Raises ValueError."""
    value = float(text)
    if value - value != 0:  # infinite, or none at all
        raise ValueError(text)
    return value


def whole(value: float) -> float | int:
    """Without a point where there is nothing after it."""
    return int(value) if value == int(value) else round(value, 3)


def device(
    part: Part,
    domain: str,
    channels: list[Channel],
    *,
    state: Any = None,
    attributes: Mapping[str, Any] | None = None,
    first: tuple[str, ...] = ("state",),
    measured: tuple[str, ...] = (),
    **more: Any,
) -> Device:
    """A device whose values each have their own channel.

    first: the order in which values are told, the rest after. more: ranges, options of the
    description.
    """
    by_key = {one.key: one for one in channels}

    def write(order: Order) -> list[Message]:
        keys = sorted(order.wanted, key=lambda key: (key not in first, key))
        told = [by_key[key] for key in keys if key in by_key and by_key[key].command_topic]
        return [one.message(order.wanted[one.key]) for one in told]

    def expect(order: Order) -> Values:
        return {
            key: by_key[key].expected(value)
            for key, value in order.wanted.items()
            if key in by_key and by_key[key].command_topic
        }

    entity: Values = {"id": f"{domain}.{part.id}", "names": [part.name]}
    if state is not None:
        entity["state"] = state
    entity["attributes"] = dict(attributes or {})
    entity |= {key: value for key, value in more.items() if value}
    return Device(
        part=part,
        entity=entity,
        reads=[(one.state_topic, _taking(one)) for one in channels if one.state_topic],
        write=write,
        expect=expect,
        hears=frozenset(one.key for one in channels if one.state_topic),
        measured=frozenset(measured),
    )


def _taking(one: Channel) -> Callable[[str], Values]:
    def take(payload: str) -> Values:
        value = one.read(payload)
        return {} if value is None else {one.key: value}

    return take
