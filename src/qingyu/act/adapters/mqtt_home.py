"""What is known of the devices on a broker: from their messages to the assistant, and back.

It publishes and subscribes nothing itself (`mqtt.py` does), so that it outlives a connection: when
the broker comes back, what it says again changes nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qingyu.act.adapters.link import Link, Order
from qingyu.act.adapters.mqtt_config import ConfigError, Found, Part, read, short_hash
from qingyu.act.adapters.mqtt_device import Device, Values, rendered, template
from qingyu.act.adapters.mqtt_kinds import build
from qingyu.act.adapters.mqtt_template import Template, TemplateFailedError

_LOG = logging.getLogger(__name__)
MOST_DEVICES = 2000
_MOST_TOPICS = 20_000
"""Of discovery that are remembered; anybody may write to a broker."""
GRACE_SECONDS = 1.0
"""How long a device is waited for to say how it is, before it is announced all the same."""
_LONGEST_STATE = 1 << 16
LOST = "the connection to the broker was lost"


@dataclass(frozen=True)
class _Presence:
    """A topic that says whether a device is there."""

    yes: str
    no: str
    shape: Template | None


@dataclass(eq=False)
class Waiting:
    """An order that was published. result: "" when the device said so, else why there will be
    no answer. heard: whether it said anything since."""

    order: Order
    expected: Values
    before: Values
    result: asyncio.Future[str]
    heard: bool = False


@dataclass(eq=False)
class Entry:
    """A device. known: what it said so far. presence: of each topic, whether it was there."""

    id: str
    device: Device
    topic: str
    presences: Mapping[str, _Presence]
    mode: str
    known: Values = field(default_factory=dict)
    present: dict[str, bool] = field(default_factory=dict)
    announced: frozenset[str] | None = None
    waiting: list[Waiting] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def topics(self) -> frozenset[str]:
        return self.device.topics | frozenset(self.presences)

    @property
    def available(self) -> bool:
        """One that never said anything about it may be there: who asks will see."""
        said = list(self.present.values())
        if not said:
            return True
        return any(said) if self.mode == "any" else all(said) if self.mode == "all" else said[-1]


class Home:
    """All devices."""

    def __init__(self, link: Link, prefix: str) -> None:
        self._link = link
        self._prefix = prefix
        self._messages: dict[str, str] = {}  # discovery topic: hash of its payload
        self._entries: dict[str, Entry] = {}  # by key of the part
        self._by_id: dict[str, Entry] = {}
        self._by_topic: dict[str, list[Entry]] = {}
        self.num_messages = 0
        """Of discovery messages that said something new."""
        self.changed = asyncio.Event()
        """Set when topics came or went, and when a discovery message came."""

    @property
    def wanted(self) -> dict[str, int]:
        """The topics to listen to, each with its quality of service."""
        return {
            topic: max(quality_of(one.device.part) for one in entries)
            for topic, entries in self._by_topic.items()
        }

    @property
    def complete(self) -> bool:
        """Whether every device that is announced sooner or later has been."""
        return all(
            one.announced is not None or one.device.only_measures for one in self._entries.values()
        )

    def entry(self, id: str) -> Entry | None:
        return self._by_id.get(id)

    def take(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """A message from the broker, of whatever kind."""
        try:
            found = read(self._prefix, topic, payload)
            if found is not None:
                self._discover(found, payload)
                return
        except ConfigError as error:
            _LOG.warning("%s", error)
            return
        if len(payload) > _LONGEST_STATE:
            return
        text = payload.decode("utf-8", "replace")
        for entry in self._by_topic.get(topic, ()):
            self._present(entry, topic, text)
            self._heard(entry, topic, text, retained)

    def lost(self) -> None:
        """The connection is gone: whoever waits gets no answer."""
        for entry in self._entries.values():
            for one in entry.waiting:
                if not one.result.done():
                    one.result.set_result(LOST)

    def assume(self, entry: Entry, values: Mapping[str, Any]) -> None:
        """What a device will not report, or has begun and will be."""
        self._know(entry, dict(values))

    def _discover(self, found: Found, payload: bytes) -> None:
        mark = hashlib.sha256(payload).hexdigest()
        known = self._messages.get(found.topic)
        if known == mark or (known is None and len(self._messages) >= _MOST_TOPICS):
            return
        self._messages[found.topic] = mark
        self.num_messages += 1
        parts = {one.key: one for one in found.parts.values()}
        for key in [key for key, one in self._entries.items() if one.topic == found.topic]:
            if key not in parts:
                self._remove(key)
        for key, part in parts.items():
            try:
                self._put(key, found.topic, part)
            except ConfigError as error:
                _LOG.warning("%s", error)
                self._remove(key)
        self.changed.set()

    def _put(self, key: str, topic: str, part: Part) -> None:
        device = build(part)
        if device is None:
            self._remove(key)
            return
        old = self._entries.get(key)
        if old is None and len(self._entries) >= MOST_DEVICES:
            raise ConfigError(f"{topic}: more than {MOST_DEVICES} devices")
        wanted = device.entity["id"]
        if wanted in self._by_id and self._by_id[wanted] is not old:
            wanted = f"{wanted}_{short_hash(key)}"
            device.entity["id"] = wanted
        entry = Entry(
            id=wanted,
            device=device,
            topic=topic,
            presences=_presences(part),
            mode=part.text("availability_mode", "latest"),
        )
        if old is not None:
            kept = old.id == wanted
            entry.known, entry.announced = old.known, old.announced if kept else None
            self._remove(key, gone=not kept)
        self._entries[key] = self._by_id[wanted] = entry
        for one in entry.topics:
            self._by_topic.setdefault(one, []).append(entry)
        if entry.announced is not None:
            self._announce(entry)  # it is another one now
        elif not device.only_measures:
            asyncio.get_running_loop().call_later(GRACE_SECONDS, self._announce_late, key, entry)

    def _remove(self, key: str, *, gone: bool = True) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self._by_id.pop(entry.id, None)
        for topic in entry.topics:
            left = [one for one in self._by_topic.get(topic, ()) if one is not entry]
            if left:
                self._by_topic[topic] = left
            else:
                self._by_topic.pop(topic, None)
        for one in entry.waiting:
            if not one.result.done():
                one.result.set_result("it was taken away")
        if gone and entry.announced is not None:
            self._link.gone(entry.id)

    def _announce_late(self, key: str, entry: Entry) -> None:
        if self._entries.get(key) is entry and entry.announced is None:
            self._announce(entry)
            self.changed.set()

    def _announce(self, entry: Entry) -> None:
        device = entry.device
        entry.announced = device.measured & entry.known.keys()
        self._link.entity(device.described(entry.known), area=device.part.area)
        if entry.known:
            self._tell(entry, entry.known)

    def _tell(self, entry: Entry, values: Values) -> None:
        self._link.values(entry.id, values, assumed="state" not in entry.device.hears)

    def _present(self, entry: Entry, topic: str, text: str) -> None:
        presence = entry.presences.get(topic)
        if presence is None:
            return
        try:
            word = rendered(presence.shape, text)
        except TemplateFailedError:
            return
        if word in (presence.yes, presence.no):
            entry.present.pop(topic, None)  # the latest comes last
            entry.present[topic] = word == presence.yes

    def _heard(self, entry: Entry, topic: str, text: str, retained: bool) -> None:
        now = entry.device.read(topic, text)
        if topic in entry.device.topics:
            self._know(entry, now)
        # What the broker kept from before is no answer.
        if retained:
            return
        for one in entry.waiting:
            if one.result.done() or topic not in entry.device.topics:
                continue
            one.heard = one.heard or bool(now)
            if all(entry.known.get(key) == value for key, value in one.expected.items()):
                one.result.set_result("")
            elif entry.device.under_way(one.order, one.before, now, topic, text):
                self._know(entry, one.expected)
                one.result.set_result("")

    def _know(self, entry: Entry, now: Values) -> None:
        new = {key: value for key, value in now.items() if entry.known.get(key) != value}
        entry.known |= now
        if entry.announced is None:
            needed = entry.device.hears - entry.device.measured
            if now and needed <= entry.known.keys():
                self._announce(entry)
                self.changed.set()
        elif (entry.device.measured & entry.known.keys()) - entry.announced:
            self._announce(entry)  # something it measures, for the first time
        elif new:
            self._tell(entry, new)


def quality_of(part: Part) -> int:
    """The quality of service a device asks for, 0 to 2."""
    return int(part.number("qos", 0)) if part.number("qos", 0) in (0, 1, 2) else 0


def _presences(part: Part) -> dict[str, _Presence]:
    """Where a device says that it is there. Raises ConfigError."""
    listed = part.config.get("availability")
    places = [listed] if isinstance(listed, Mapping) else listed if isinstance(listed, list) else []
    found = {}
    for one in places:
        place = Part(component="", id=part.id, key=part.key, config=one)
        found[place.topic("topic")] = _Presence(
            place.text("payload_available", "online"),
            place.text("payload_not_available", "offline"),
            template(place, "value_template"),
        )
    topic = part.topic("availability_topic")
    if topic:
        found[topic] = _Presence(
            part.text("payload_available", "online"),
            part.text("payload_not_available", "offline"),
            template(part, "availability_template"),
        )
    found.pop("", None)
    return found
