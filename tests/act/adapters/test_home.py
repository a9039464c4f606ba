"""What the MQTT adapter knows between messages, without a broker."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, cast

from qingyu.act.adapters.link import Link, Order
from qingyu.act.adapters.mqtt_home import LOST, Home, Waiting


class Said:
    """In a link's place: what the assistant would be told."""

    def __init__(self) -> None:
        self.entities: list[tuple[str, str]] = []
        self.told: list[tuple[str, dict[str, Any]]] = []

    def entity(self, entity: Mapping[str, Any], *, area: str = "") -> None:
        self.entities.append((entity["id"], entity["names"][0]))

    def gone(self, id: str) -> None:
        self.entities.append((id, "gone"))

    def values(self, id: str, values: Mapping[str, Any], *, assumed: bool = False) -> None:
        self.told.append((id, dict(values)))


def house() -> tuple[Home, Said]:
    said = Said()
    return Home(cast(Link, said), "homeassistant"), said


def announce(home: Home, name: str = "plug", component: str = "switch", **config: Any) -> None:
    payload = {"cmd_t": "c", "stat_t": "s", "name": name, **config}
    topic = f"homeassistant/{component}/{name}/config"
    home.take(topic, json.dumps(payload).encode(), retained=True)


def wait_for(home: Home, **wanted: Any) -> Waiting:
    entry = home.entry("switch.plug")
    assert entry is not None
    order = Order(entity="switch.plug", action="turn_on", wanted=wanted)
    result: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    waiting = Waiting(order, dict(wanted), dict(entry.known), result)
    entry.waiting.append(waiting)
    return waiting


def test_what_the_broker_kept_is_no_answer() -> None:
    async def check() -> None:
        home, _ = house()
        announce(home)
        home.take("s", b"OFF", retained=True)
        waiting = wait_for(home, state="on")
        home.take("s", b"ON", retained=True)
        assert not waiting.result.done()
        home.take("s", b"ON", retained=False)
        assert waiting.result.result() == ""

    asyncio.run(check())


def test_who_waits_is_told_that_the_connection_broke() -> None:
    async def check() -> None:
        home, _ = house()
        announce(home)
        waiting = wait_for(home, state="on")
        home.lost()
        assert waiting.result.result() == LOST
        waiting = wait_for(home, state="on")
        home.take("homeassistant/switch/plug/config", b"", retained=False)
        assert waiting.result.result() == "it was taken away"

    asyncio.run(check())


def test_the_same_again_changes_nothing() -> None:
    """As when a broker comes back and says all that it kept."""

    async def check() -> None:
        home, said = house()
        for _ in range(3):
            announce(home)
            home.take("s", b"ON", retained=True)
        assert said.entities == [("switch.plug", "plug")]
        assert said.told == [("switch.plug", {"state": "on"})]
        announce(home, name="plug", pl_on="ON", dev={"name": "Other"})
        assert said.entities == [("switch.plug", "plug"), ("switch.plug", "Other plug")]
        home.take("homeassistant/switch/plug/config", b"", retained=True)
        announce(home)
        home.take("s", b"ON", retained=True)
        assert said.entities[-2:] == [("switch.plug", "gone"), ("switch.plug", "plug")]

    asyncio.run(check())


def test_a_measurement_is_told_of_when_there_is_one() -> None:
    async def check() -> None:
        home, said = house()
        announce(home, name="t", component="sensor")
        assert said.entities == []
        assert home.complete
        home.take("s", b"21", retained=False)
        assert said.entities == [("sensor.t", "t")]

    asyncio.run(check())


def test_two_of_one_name_get_ids_of_their_own() -> None:
    async def check() -> None:
        home, _ = house()
        announce(home, name="a", obj_id="lamp")
        announce(home, name="b", obj_id="lamp")
        ids = {one.id for one in home._entries.values()}
        assert "switch.lamp" in ids
        assert len(ids) == 2

    asyncio.run(check())


def test_where_a_device_says_that_it_is_there() -> None:
    async def check() -> None:
        for mode, wanted in (("all", False), ("any", True), ("latest", True)):
            home, _ = house()
            places = [{"t": "a"}, {"t": "b", "val_tpl": "{{ value_json.s }}"}]
            announce(home, avty=places, avty_mode=mode)
            entry = home.entry("switch.plug")
            assert entry is not None
            assert entry.available  # nothing was said yet
            home.take("a", b"offline", retained=True)
            home.take("b", b'{"s": "online"}', retained=True)
            home.take("b", b"nonsense", retained=True)
            assert entry.available is wanted, mode

    asyncio.run(check())
