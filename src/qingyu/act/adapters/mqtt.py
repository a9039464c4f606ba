"""Devices on an MQTT broker that announce themselves in Home Assistant's discovery format.

    connections:
      - adapter: mqtt
        addresses: ["127.0.0.1:1883"]
        settings: {username: qingyu, password_file: /home/me/.mqtt}

Settings: username, password or password_file, discovery_prefix ("homeassistant"), protocol ("5";
"3.1.1" for an old broker), tls (false), birth (true: ask devices to announce themselves again, as
Home Assistant does).

A command is published once, never retained, and with an expiry of as many seconds as somebody waits
for it, so that no broker delivers it later. Its quality of service is 0 (at most once, on each part
of the way), or 2 (exactly once) for a device that asks for 1 or 2: with 1 a broker may deliver
twice. The connection keeps no session: what was on its way when it broke is reported as unanswered
and not sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any

import aiomqtt
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from qingyu.act.adapters.link import Answer, Link, Order
from qingyu.act.adapters.mqtt_device import NOTHING, Message
from qingyu.act.adapters.mqtt_home import LOST, Entry, Home, Waiting, quality_of
from qingyu.text import pick

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_KEEPALIVE_SECONDS = 15
_SECONDS = 5.0
_MARGIN_SECONDS = 0.2
"""So much earlier than the assistant we stop to wait, so that we can say what was heard."""
_ALREADY_SECONDS = 1.0
_QUIET_SECONDS = 0.5
"""No discovery message for so long, right after connecting: these were all."""
_TOPICS_AT_ONCE = 50
_MOST_BYTES = 1 << 18
"""The longest message taken; a picture from a camera is none that anybody acts on."""


async def run(link: Link, settings: Mapping[str, Any]) -> None:
    """The adapter. Goes on until it is cancelled."""
    broker = _Broker(link, settings)
    link.on_call(broker.do)
    await broker.keep_connected()


class _Broker:
    def __init__(self, link: Link, settings: Mapping[str, Any]) -> None:
        self._link = link
        self._settings = settings
        self._prefix = str(settings.get("discovery_prefix", "homeassistant"))
        self._v5 = str(settings.get("protocol", "5")) == "5"
        self._home = Home(link, self._prefix)
        self._client: aiomqtt.Client | None = None
        self._sending: set[asyncio.Task[None]] = set()

    async def keep_connected(self) -> None:
        addresses: Sequence[tuple[str, int]] = self._settings["addresses"]
        pause, tries = _FIRST_PAUSE, 0
        while True:
            host, port = addresses[tries % len(addresses)]
            began = time.monotonic()
            try:
                await self._connection(host, port)
            except (aiomqtt.MqttError, OSError, ssl.SSLError) as error:
                detail = f"{host}:{port}: {error}"
                _LOG.info("%s", detail)
                self._link.connected(False, detail)
            finally:
                self._client = None
                self._home.lost()
            tries += 1
            steady = time.monotonic() - began > _LONGEST_PAUSE
            pause = _FIRST_PAUSE if steady else min(pause * 2, _LONGEST_PAUSE)
            # Not all houses at the same moment, when the power comes back.
            await asyncio.sleep(pause * random.uniform(0.5, 1))

    async def _connection(self, host: str, port: int) -> None:
        """One connection, until it breaks. Raises MqttError, OSError."""
        async with self._new_client(host, port) as client:
            topics = [f"{self._prefix}/+/+/config", f"{self._prefix}/+/+/+/config"]
            known = self._home.wanted
            await self._subscribe(client, {**dict.fromkeys(topics, 1), **known})
            # Not before: what a device that is known answers has to be heard.
            self._client = client
            self._link.connected(True)
            tasks = [
                asyncio.create_task(self._follow(client, set(known))),
                asyncio.create_task(self._tell_when_settled()),
            ]
            try:
                if self._settings.get("birth", True):
                    await client.publish(f"{self._prefix}/status", "online", qos=1)
                async for message in client.messages:
                    payload = message.payload
                    self._home.take(
                        str(message.topic),
                        payload if isinstance(payload, bytes) else str(payload).encode(),
                        retained=message.retain,
                    )
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _new_client(self, host: str, port: int) -> aiomqtt.Client:
        """A new one for every connection: none that would send again what it sent before."""
        context = ssl.create_default_context() if self._settings.get("tls") else None
        user, word = self._settings.get("username"), self._settings.get("password")
        return aiomqtt.Client(
            host,
            port,
            username=None if user is None else str(user),
            password=None if word is None else str(word),
            identifier=f"qingyu-{random.getrandbits(64):016x}",
            protocol=aiomqtt.ProtocolVersion.V5 if self._v5 else aiomqtt.ProtocolVersion.V311,
            clean_session=None if self._v5 else True,
            clean_start=True if self._v5 else MQTT_CLEAN_START_FIRST_ONLY,
            properties=self._bounds(),
            keepalive=_KEEPALIVE_SECONDS,
            timeout=_SECONDS,
            tls_context=context,
            max_queued_incoming_messages=100_000,
        )

    def _bounds(self) -> Properties | None:
        """What a broker is asked not to exceed."""
        if not self._v5:
            return None
        properties = Properties(PacketTypes.CONNECT)
        properties.MaximumPacketSize = _MOST_BYTES
        return properties

    async def _subscribe(self, client: aiomqtt.Client, topics: Mapping[str, int]) -> None:
        every = list(topics.items())
        for start in range(0, len(every), _TOPICS_AT_ONCE):
            some = every[start : start + _TOPICS_AT_ONCE]
            if self._v5:
                await client.subscribe([(one, SubscribeOptions(qos=qos)) for one, qos in some])
            else:
                await client.subscribe(some)

    async def _follow(self, client: aiomqtt.Client, heard: set[str]) -> None:
        """Listens to the topics of the devices that are there, as they come and go."""
        with contextlib.suppress(aiomqtt.MqttError):  # the loop of messages says so as well
            while True:
                wanted = self._home.wanted
                new = {one: qos for one, qos in wanted.items() if one not in heard}
                old = heard - wanted.keys()
                await self._subscribe(client, new)
                if old:
                    await client.unsubscribe(sorted(old))
                heard = set(wanted)
                if wanted == self._home.wanted:
                    self._home.changed.clear()
                    await self._home.changed.wait()

    async def _tell_when_settled(self) -> None:
        quiet = time.monotonic()
        seen = -1
        while time.monotonic() - quiet < _QUIET_SECONDS or not self._home.complete:
            if seen != self._home.num_messages:
                seen, quiet = self._home.num_messages, time.monotonic()
            await asyncio.sleep(_QUIET_SECONDS / 5)
        self._link.settled()

    async def do(self, order: Order) -> Answer:
        """Publishes a command, and waits for the device to say that it did it."""
        entry = self._home.entry(order.entity)
        if entry is None:
            return _failed("it is no longer there", "设备已不在")
        async with entry.lock:
            client = self._client
            if client is None:
                return _failed("the MQTT broker is not connected", "未连接 MQTT 服务器")
            if not entry.available:
                return _failed("the device is offline", "设备离线")
            try:
                messages = entry.device.messages(order)
                expected = entry.device.expected(order)
            except NOTHING as error:
                return _failed(f"it cannot be told that ({error})", f"无法下达该指令（{error}）")
            if not messages:
                return _failed("it cannot be told that", "无法下达该指令")
            waiting = Waiting(
                order, expected, dict(entry.known), asyncio.get_running_loop().create_future()
            )
            entry.waiting.append(waiting)
            try:
                return await self._answer(client, entry, waiting, messages)
            finally:
                entry.waiting.remove(waiting)

    async def _answer(
        self, client: aiomqtt.Client, entry: Entry, waiting: Waiting, messages: list[Message]
    ) -> Answer:
        order = waiting.order
        until = time.monotonic() + order.seconds - _MARGIN_SECONDS
        so_already = bool(waiting.expected) and all(
            entry.known.get(key) == value for key, value in waiting.expected.items()
        )
        quality = 2 if quality_of(entry.device.part) else 0
        sending = asyncio.create_task(
            self._publish(client, messages, quality, until, ask=not waiting.expected)
        )
        # Never cancelled: the library would not know what a late acknowledgement is about.
        self._sending.add(sending)
        sending.add_done_callback(self._sent)
        either: set[asyncio.Future[Any]] = {sending, waiting.result}
        await asyncio.wait(
            either,
            timeout=until - time.monotonic(),
            return_when=asyncio.FIRST_COMPLETED,
        )
        if waiting.result.done():
            return self._outcome(entry, waiting, so_already)
        if not sending.done() or sending.exception() is not None:
            return Answer(outcome="no_answer", detail=_lost())
        if not waiting.expected:
            # It never reports: the broker has it, and more is not to be known.
            self._home.assume(entry, order.wanted)
            return Answer(outcome="done")
        left = until - time.monotonic()
        await asyncio.wait(
            {waiting.result}, timeout=min(left, _ALREADY_SECONDS) if so_already else left
        )
        return self._outcome(entry, waiting, so_already)

    def _sent(self, sending: asyncio.Task[None]) -> None:
        self._sending.discard(sending)
        if not sending.cancelled():
            sending.exception()  # whoever waited knows; later nobody asks

    def _outcome(self, entry: Entry, waiting: Waiting, so_already: bool) -> Answer:
        if waiting.result.done():
            why = waiting.result.result()
            if why:
                return Answer(outcome="no_answer", detail=_lost() if why == LOST else why)
            # What it has no topic for is so as well, then.
            silent = waiting.order.wanted.keys() - entry.device.hears
            self._home.assume(entry, {key: waiting.order.wanted[key] for key in silent})
            return Answer(outcome="done")
        if so_already:
            return Answer(outcome="done")
        if waiting.heard:
            now = {key: entry.known.get(key) for key in waiting.expected}
            said = ", ".join(f"{key} {now[key]}" for key in sorted(now))
            return _failed(f"it reports {said}", f"设备报告 {said}")
        return Answer(outcome="no_answer")

    async def _publish(
        self,
        client: aiomqtt.Client,
        messages: list[Message],
        quality: int,
        until: float,
        *,
        ask: bool,
    ) -> None:
        """ask: wait until the broker has all of them. Raises MqttError."""
        for one in messages:
            left = until - time.monotonic()
            if left <= 0:
                return
            properties = None
            if self._v5:
                properties = Properties(PacketTypes.PUBLISH)
                properties.MessageExpiryInterval = max(1, math.ceil(left))
            await client.publish(one.topic, one.payload, quality, False, properties)
        if ask and not quality:
            # Nobody acknowledges those; but a broker answers in the order it reads.
            await self._subscribe(client, {f"{self._prefix}/qingyu": 0})


def _failed(english: str, chinese: str) -> Answer:
    return Answer(outcome="failed", detail=pick(english, chinese))


def _lost() -> str:
    return pick(LOST, "与 MQTT 服务器的连接中断")
