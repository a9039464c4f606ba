"""The devices of a running Home Assistant, over its WebSocket API.

    connections:
      - adapter: home_assistant
        addresses: ["homeassistant.local:8123"]
        settings: {token_file: /home/me/.config/home-assistant-token}

Settings: token or token_file (a long-lived access token: in Home Assistant under your name,
Security), tls (false). What its registries hide, or count as configuration or diagnosis, is left
out. A house that counts in degrees Fahrenheit keeps its thermostats to itself.

A service is called once; what was on its way when the connection broke is reported as unanswered
and not called again. Source: https://developers.home-assistant.io/docs/api/websocket/
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import random
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection, connect

from qingyu.act.adapters.home_assistant_kinds import (
    UNKNOWN,
    device_of,
    domain_of,
    our_id,
    services_of,
    values_of,
)
from qingyu.act.adapters.link import Answer, Link, Order
from qingyu.text import pick

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_SECONDS = 10.0
_MARGIN_SECONDS = 0.2
_MOST_BYTES = 64 << 20
"""All states of a large house come in one message."""
_MOST_DEVICES = 5000
_HIDDEN = ("config", "diagnostic")
_UNDER_WAY = {"opening": "open", "closing": "closed"}


class _RefusedError(Exception):
    """Home Assistant says no."""


@dataclass(eq=False)
class _Entity:
    id: str
    state: str
    attributes: Mapping[str, Any]
    known: dict[str, Any]
    described: dict[str, Any]
    names: list[str]
    area: str
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    num_reports: int = 0


async def run(link: Link, settings: Mapping[str, Any]) -> None:
    """The adapter. Goes on until it is cancelled."""
    house = _House(link, settings)
    link.on_call(house.do)
    await house.keep_connected()


class _House:
    def __init__(self, link: Link, settings: Mapping[str, Any]) -> None:
        self._link = link
        self._settings = settings
        self._connection: ClientConnection | None = None
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._entities: dict[str, _Entity] = {}
        self._registered: dict[str, Mapping[str, Any]] = {}
        self._areas: dict[str, str] = {}
        self._area_of_device: dict[str, str] = {}
        self._fahrenheit = False

    async def keep_connected(self) -> None:
        pause, tries = _FIRST_PAUSE, 0
        addresses = self._settings["addresses"]
        while True:
            host, port = addresses[tries % len(addresses)]
            began = time.monotonic()
            try:
                await self._connect(host, port)
                detail = pick("the connection was closed", "连接已关闭")
            except (OSError, ValueError, _RefusedError, websockets.WebSocketException) as error:
                detail = f"{host}:{port}: {error}"
            finally:
                self._connection = None
                for one in self._answers.values():
                    one.cancel()
                self._answers.clear()
            _LOG.info("%s", detail)
            self._link.connected(False, detail)
            tries += 1
            steady = time.monotonic() - began > _LONGEST_PAUSE
            pause = _FIRST_PAUSE if steady else min(pause * 2, _LONGEST_PAUSE)
            await asyncio.sleep(pause * random.uniform(0.5, 1))

    async def _connect(self, host: str, port: int) -> None:
        """One connection, until it breaks. Raises OSError, WebSocketException, _RefusedError."""
        opened = await asyncio.to_thread(socket.create_connection, (host, port), _SECONDS)
        tls = ssl.create_default_context() if self._settings.get("tls") else None
        where = f"{'wss' if tls else 'ws'}://{host}:{port}/api/websocket"
        async with connect(
            where, sock=opened, ssl=tls, max_size=_MOST_BYTES, open_timeout=_SECONDS, proxy=None
        ) as connection:
            await self._sign_in(connection)
            self._connection = connection
            listening = asyncio.create_task(self._listen(connection))
            reading = asyncio.create_task(self._read_house())
            try:
                done, _ = await asyncio.wait(
                    {listening, reading}, return_when=asyncio.FIRST_EXCEPTION
                )
                for one in done:
                    one.result()
            finally:
                for one in (listening, reading):
                    one.cancel()
                await asyncio.gather(listening, reading, return_exceptions=True)

    async def _sign_in(self, connection: ClientConnection) -> None:
        async with asyncio.timeout(_SECONDS):
            await connection.recv()  # auth_required
            token = str(self._settings.get("token", ""))
            await connection.send(json.dumps({"type": "auth", "access_token": token}))
            answer = json.loads(await connection.recv())
        if answer.get("type") != "auth_ok":
            raise _RefusedError(pick("the token is not accepted", "令牌未被接受"))

    async def _listen(self, connection: ClientConnection) -> None:
        async for text in connection:
            message = json.loads(text)
            if message.get("type") == "event":
                self._event(message["event"])
                continue
            answer = self._answers.pop(message.get("id", 0), None)
            if answer is not None and not answer.done():
                answer.set_result(message)

    async def _ask(self, type: str, **more: Any) -> Any:
        """Raises _RefusedError, ConnectionError."""
        connection = self._connection
        if connection is None:
            raise ConnectionError("not connected")
        id = next(self._ids)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[id] = answer
        await connection.send(json.dumps({"id": id, "type": type, **more}))
        message = await answer
        if not message.get("success"):
            error = message.get("error") or {}
            raise _RefusedError(str(error.get("message", "no"))[:200])
        return message.get("result")

    async def _read_house(self) -> None:
        """What there is, from the registries; then how it is, and changes from now on."""
        async with asyncio.timeout(_SECONDS * 3):
            await self._ask("subscribe_events", event_type="state_changed")
            config = await self._ask("get_config")
            unit = (config.get("unit_system") or {}).get("temperature", "")
            self._fahrenheit = str(unit).endswith("F")
            areas = await self._ask("config/area_registry/list")
            self._areas = {one["area_id"]: one["name"] for one in areas}
            devices = await self._ask("config/device_registry/list")
            self._area_of_device = {one["id"]: one.get("area_id") or "" for one in devices}
            entities = await self._ask("config/entity_registry/list")
            self._registered = {one["entity_id"]: one for one in entities}
            states = await self._ask("get_states")
        there = {one["entity_id"] for one in states}
        for id in [id for id in self._entities if id not in there]:
            self._remove(id)
        for one in states:
            self._put(one)
        self._link.connected(True)
        self._link.settled()

    def _event(self, event: Mapping[str, Any]) -> None:
        data = event.get("data") or {}
        if data.get("new_state") is None:
            self._remove(str(data.get("entity_id")))
        else:
            self._put(data["new_state"])

    def _remove(self, id: str) -> None:
        if self._entities.pop(id, None) is not None:
            self._link.gone(our_id(id))

    def _put(self, one: Mapping[str, Any]) -> None:
        """A state: of a device that is known, or of one that is to be."""
        id, state, attributes = str(one["entity_id"]), str(one["state"]), one["attributes"]
        if not self._shown(id):
            return
        old = self._entities.get(id)
        if state in UNKNOWN and domain_of(id) != "scene":
            if old is not None:
                old.state = state
                old.num_reports += 1
                old.changed.set()
            return
        described = device_of(id, state, attributes)
        if described is None:
            return
        name = attributes.get("friendly_name")
        names = [str(name)[:60] if name else id.partition(".")[2].replace("_", " ")]
        known = values_of(id, state, attributes)
        entity = _Entity(id, state, attributes, known, described, names, self._area(id))
        if old is not None:
            entity.changed, entity.num_reports = old.changed, old.num_reports + 1
        elif len(self._entities) >= _MOST_DEVICES:
            return
        self._entities[id] = entity
        if old is None or _shape(old) != _shape(entity):
            self._link.entity({"id": our_id(id), "names": names, **described}, area=entity.area)
        before = {} if old is None else old.known
        new = {key: value for key, value in known.items() if before.get(key) != value}
        if new:
            self._link.values(our_id(id), new)
        entity.changed.set()

    def _shown(self, id: str) -> bool:
        domain = domain_of(id)
        if not domain or (self._fahrenheit and domain in ("climate", "water_heater")):
            return False
        entry = self._registered.get(id, {})
        return not (
            entry.get("hidden_by")
            or entry.get("disabled_by")
            or (entry.get("entity_category") in _HIDDEN and not _battery(id, entry))
        )

    def _area(self, id: str) -> str:
        entry = self._registered.get(id, {})
        area = entry.get("area_id") or self._area_of_device.get(entry.get("device_id") or "", "")
        return self._areas.get(area or "", "")

    def _find(self, ours: str) -> _Entity | None:
        return next((one for one in self._entities.values() if our_id(one.id) == ours), None)

    async def do(self, order: Order) -> Answer:
        """Calls the services, and waits for the state to be as it was wanted."""
        entity = self._find(order.entity)
        if entity is None:
            return _failed("it is no longer there", "设备已不在")
        if self._connection is None:
            return _failed("Home Assistant is not connected", "未连接 Home Assistant")
        if entity.state == "unavailable":
            return _failed("the device is offline", "设备离线")
        until = time.monotonic() + order.seconds - _MARGIN_SECONDS
        reports = entity.num_reports
        try:
            services = services_of(entity.id, entity.attributes, order)
        except (KeyError, StopIteration) as error:
            return _failed(f"it cannot be told that ({error})", f"无法下达该指令（{error}）")
        try:
            async with asyncio.timeout(order.seconds - _MARGIN_SECONDS):
                for one in services:
                    await self._ask(
                        "call_service",
                        domain=one.domain,
                        service=one.name,
                        service_data=dict(one.data),
                        target={"entity_id": entity.id},
                    )
        except _RefusedError as error:
            return _failed(str(error), str(error))
        except TimeoutError:
            return Answer(outcome="no_answer")
        except (asyncio.CancelledError, ConnectionError, websockets.WebSocketException):
            return Answer(
                outcome="no_answer",
                detail=pick("the connection was lost", "连接中断"),
            )
        return await self._settled(entity.id, order, until, reports)

    async def _settled(self, id: str, order: Order, until: float, reports: int) -> Answer:
        while True:
            entity = self._entities.get(id)
            if entity is None:
                return _failed("it is no longer there", "设备已不在")
            ours = order.entity
            if _as_wanted(entity, order):
                return Answer(outcome="done")
            if _UNDER_WAY.get(entity.state) == order.wanted.get("state", ""):
                self._link.values(ours, order.wanted)
                return Answer(outcome="done")
            entity.changed.clear()
            left = until - time.monotonic()
            try:
                await asyncio.wait_for(entity.changed.wait(), max(left, 0))
            except TimeoutError:
                break
        if entity.num_reports == reports:
            return Answer(outcome="no_answer")
        said = ", ".join(f"{key} {entity.known.get(key)}" for key in sorted(order.wanted))
        return _failed(f"it reports {said}", f"设备报告 {said}")


def _battery(id: str, entry: Mapping[str, Any]) -> bool:
    word = entry.get("original_device_class") or entry.get("device_class")
    return word == "battery" or id.endswith("_battery")


def _shape(entity: _Entity) -> str:
    """What a device is, without how it is now."""
    described = {
        **entity.described,
        "state": "",
        "attributes": sorted(entity.described["attributes"]),
    }
    return json.dumps([entity.names, entity.area, described], sort_keys=True)


def _as_wanted(entity: _Entity, order: Order) -> bool:
    """Numbers within a step or so: dimmers have their own."""
    for key, value in order.wanted.items():
        now = entity.known.get(key)
        if (value, now) == ("returning", "docked"):
            continue  # close to its dock it is there at once
        if now is None:
            continue  # never reported, as a track's number
        if isinstance(value, int | float) and not isinstance(value, bool):
            near = 100 if key == "color_temperature" else 1
            if not isinstance(now, int | float) or abs(now - value) > near:
                return False
        elif now != value:
            return False
    return True


def _failed(english: str, chinese: str) -> Answer:
    return Answer(outcome="failed", detail=pick(english, chinese))
