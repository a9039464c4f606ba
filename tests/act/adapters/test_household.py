"""A household with adapters: what they say is checked, and joins the file's own devices."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from qingyu.act.adapters.household import Household, fitted, joined
from qingyu.act.calls import Call
from qingyu.act.devices import Devices, Hearsay
from qingyu.act.guard import check
from qingyu.act.state import Changes
from qingyu.act.world import World
from qingyu.act.world_file import make_entity, make_world, read_world
from qingyu.errors import WorldError
from tests.act.adapters.mosquitto import until

ADAPTER = """
import asyncio
from qingyu.act.adapters.link import Answer

async def run(link, settings):
    async def do(order):
        if order.entity == "light.lamp":
            link.values(order.entity, order.wanted)
            return Answer(outcome="done")
        return Answer(outcome="failed", detail="broken")
    link.on_call(do)
    link.entity({"id": "light.lamp", "names": ["Reading lamp"], "state": "off",
                 "attributes": {"brightness": 100}}, area="客厅")
    link.entity({"id": "switch.socket", "names": ["插座"], "state": "off"}, area="Summer house")
    link.entity({"id": "switch.kettle", "names": ["another kettle"], "state": "on"})
    link.entity({"id": "climate.ac", "names": ["空调"], "state": "off",
                 "attributes": {"temperature": 24, "last_mode": "cool"},
                 "options": {"mode": ["off", "cool", "heat"]}})
    link.entity({"id": "scene.film", "names": ["电影"], "attributes": {"sets": {}}})
    link.entity({"id": "light.bad", "names": [], "state": "off"})
    link.entity({"id": "toaster.x", "names": ["x"], "state": "off"})
    link.entity({"id": 5})
    link.values("light.lamp", {"brightness": 40.4, "state": "dimmed", "speed": 1})
    link.values("climate.ac", {"state": "heat", "temperature": 21.3})
    link.values("climate.ac", {"state": "off"})
    link.connected(True)
    link.settled()
    await asyncio.Event().wait()
"""
FILE = """
name: home
areas:
  - {id: hall, names: [客厅, hall]}
  - {id: study, names: [书房]}
entities:
  - {id: switch.kettle, names: [kettle], area: hall, state: "off"}
  - {id: timer.home, names: [timer], attributes: {timers: []}}
connections:
  - adapter: mine.house
    addresses: ["127.0.0.1:1883"]
    devices:
      light.lamp: {names: [阅读灯, Reading lamp], area: study}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Household]:
    folder = tmp_path / "modules" / "mine"
    folder.mkdir(parents=True)
    (folder / "house.py").write_text(ADAPTER, "utf-8")
    paths = [str(folder.parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    file = tmp_path / "home.yaml"
    file.write_text(FILE, "utf-8")
    household = Household(read_world(file))
    household.start()
    assert household.wait(30)
    yield household
    household.close()


def test_what_is_found_joins_what_the_file_has(home: Household) -> None:
    world = home.world
    assert [one.id for one in world.entities] == [
        "switch.kettle",
        "timer.home",
        "light.lamp",
        "switch.socket",
        "switch.kettle_1",
        "climate.ac",
        "scene.film",
    ]
    lamp = world.entity("light.lamp")
    assert lamp is not None
    assert (lamp.names, lamp.area) == (("阅读灯", "Reading lamp"), "study")
    socket = world.entity("switch.socket")
    assert socket is not None
    area = world.area(socket.area)
    assert area is not None
    assert (area.id, area.names) == ("summer_house", ("Summer house",))
    assert set(home.state().entities) == {one.id for one in world.entities}


def test_values_are_fitted_or_left_out(home: Household) -> None:
    state = home.state()
    assert state.of("light.lamp") == {"state": "off", "brightness": 40}
    assert state.of("climate.ac") == {"state": "off", "temperature": 21.5, "last_mode": "heat"}
    assert home.heard("climate.ac")
    assert not home.heard("light.lamp")


def test_each_device_is_told_by_whom_it_belongs_to(home: Household) -> None:
    heard: list[Changes] = []
    end = home.listen(heard.append)
    report = home.carry_out(Call("set", "light.lamp", {"brightness": 70}))
    assert report.outcome == "done"
    assert report.changed == {"light.lamp": {"state": "on", "brightness": 70}}
    assert home.state().of("light.lamp") == {"state": "on", "brightness": 70}
    report = home.carry_out(Call("turn_on", "switch.kettle"))
    assert report.changed == {"switch.kettle": {"state": "on"}}
    report = home.carry_out(Call("turn_on", "switch.socket"))
    assert (report.outcome, report.detail, report.changed) == ("failed", "broken", {})
    assert home.carry_out(Call("turn_on", "switch.nowhere")).outcome == "failed"
    wanted = [
        {"light.lamp": {"state": "on", "brightness": 70}},
        {"switch.kettle": {"state": "on"}},
    ]
    until(lambda: heard == wanted)
    end()
    others: list[Changes] = []
    home.listen(others.append)
    home.carry_out(Call("turn_off", "switch.kettle"))
    until(lambda: others == [{"switch.kettle": {"state": "off"}}])
    assert heard == wanted


def test_who_listens_holds_nobody_up(home: Household) -> None:
    """A listener that waits for whoever is waiting for the device, or fails, is its own problem."""
    busy = threading.Lock()

    def listener(_: Changes) -> None:
        with busy:
            raise ValueError("not ours")

    home.listen(listener)
    with busy:
        report = home.carry_out(Call("set", "light.lamp", {"brightness": 30}))
    assert report.outcome == "done"
    heard: list[Changes] = []
    home.listen(heard.append)
    home.carry_out(Call("set", "light.lamp", {"brightness": 31}))
    until(lambda: bool(heard))


def test_a_scene_that_is_kept_elsewhere_can_be_started(home: Household) -> None:
    call = Call("activate", "scene.film")
    assert check(home.world, home.state(), call).outcome == "fine"
    assert home.carry_out(call).outcome == "failed"  # says this adapter


def test_it_is_what_the_assistant_expects(home: Household) -> None:
    devices: Devices = home
    assert isinstance(devices, Hearsay)


def test_the_status_is_for_people_and_pages(home: Household) -> None:
    (status,) = home.status()
    assert (status.adapter, status.connected, status.num_devices) == ("mine.house", True, 5)
    assert status.sealed is not None
    assert status.sealed["sealed"]


def test_what_is_known_stays_when_the_adapter_dies(home: Household) -> None:
    home.carry_out(Call("set", "light.lamp", {"brightness": 70}))
    ids = [one.id for one in home.world.entities]
    runner = home._adapters[0].runner
    assert runner.process is not None
    os.kill(runner.process, 9)
    until(lambda: runner.starts == 2 and home.status()[0].connected)
    assert [one.id for one in home.world.entities] == ids
    assert home.state().get("light.lamp") == "on"


def file_with(connection: dict[str, Any]) -> World:
    return make_world({"name": "x", "connections": [connection]})


@pytest.mark.parametrize(
    ("connection", "words"),
    [
        ({"adapter": "mqt", "addresses": ["a:1"]}, "did you mean mqtt"),
        ({"adapter": "mqtt"}, "connections[0].addresses is not a list"),
        ({"adapter": "mqtt", "addresses": ["broker"]}, 'has "broker"; write "host:port"'),
        ({"adapter": "mqtt", "addresses": ["a:99999"]}, "host:port"),
        ({"adapter": "mqtt", "addresses": ["a:1"], "settings": {"x": [1]}}, "settings.x"),
        ({"adapter": "mqtt", "addresses": ["a:1"], "port": 1}, 'unknown "port"'),
        ({"adapter": "mqtt", "addresses": ["a:1"], "devices": {"l": {"area": "x"}}}, "area"),
    ],
)
def test_the_file_says_what_is_wrong_with_it(connection: dict[str, Any], words: str) -> None:
    with pytest.raises(WorldError) as error:
        file_with(connection)
    assert words in str(error.value)


def test_addresses_are_hosts_and_ports() -> None:
    (one,) = file_with({"adapter": "mqtt", "addresses": ["[::1]:1883", "b.local:2"]}).connections
    assert one.addresses == (("::1", 1883), ("b.local", 2))


def test_a_password_that_cannot_be_read_is_said_at_once(tmp_path: Path) -> None:
    settings = {"password_file": str(tmp_path / "none")}
    world = file_with({"adapter": "mqtt", "addresses": ["a:1"], "settings": settings})
    with pytest.raises(WorldError, match="password"):
        Household(world)


def test_numbers_are_brought_within_the_steps_of_the_vocabulary() -> None:
    world = World(name="x")
    lamp = make_entity(
        world, {"id": "light.a", "names": ["a"], "state": "off", "attributes": {"brightness": 5}}
    )
    assert fitted(world, lamp, "brightness", 140.2) == 100
    assert fitted(world, lamp, "brightness", 0) == 1
    for key, value in (
        ("brightness", True),
        ("brightness", "x"),
        ("state", "dim"),
        ("color", "red"),
    ):
        with pytest.raises(WorldError):
            fitted(world, lamp, key, value)


def test_areas_are_made_once() -> None:
    lamps = [
        make_entity(World(name="x"), {"id": f"light.{one}", "names": [one], "state": "off"})
        for one in "abcd"
    ]
    world = joined(World(name="x"), list(zip(lamps, ["花房", "花房", "Den!", "den"], strict=True)))
    assert len(world.areas) == 3
    assert len({one.id for one in world.areas}) == 3
    assert world.entities[0].area == world.entities[1].area


def test_what_strangers_call_their_devices() -> None:
    home = Household(World(name="x"))
    adapter = SimpleNamespace(runner=SimpleNamespace(connection=SimpleNamespace(devices={})))
    home._adapters = [cast(Any, adapter)] * 2
    for place, id in ((0, "light.a_2"), (0, "light.a"), (1, "light.a"), (1, "light.a_2")):
        names = ["\x1b[31mDesk\nlamp\u202e", "\x00", "x" * 500]
        home._take_entity(place, {"id": id, "names": names, "state": "off"}, " A\tden ")
    assert sorted(home._found) == ["light.a", "light.a_2", "light.a_2_2", "light.a_3"]
    entity, area, *_ = home._found["light.a"]
    assert entity.names == ("[31mDesk lamp", "x" * 60)
    assert area == "A den"
