"""Household files: read whole, and every mistake named with its fix."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from qingyu.act.world import World
from qingyu.act.world_file import read_world
from qingyu.errors import WorldError
from tests.act.houses import HOUSE, house

LEAST = "name: flat\nareas: [{id: hall, names: [hall]}]\nentities:\n"


def test_all_of_it(world: World) -> None:
    assert (world.name, world.speaker) == ("house", "hall")
    assert world.now == datetime.datetime(2026, 11, 26, 19, 30)
    assert world.sun is not None
    assert world.sun.sunset == datetime.time(17, 5)
    desk = world.entity("light.desk")
    assert desk is not None
    assert (desk.domain, desk.area, desk.state) == ("light", "hall", "off")
    assert desk.attributes == {"brightness": 80, "color": "white", "color_temperature": 4000}
    assert desk.ranges == {"color_temperature": (2700, 5700)}
    scene = world.entity("scene.night")
    assert scene is not None
    assert scene.attributes == {}
    assert scene.sets["cover.curtain"] == {"state": "closed", "position": 0}
    timer = world.entity("timer.home")
    assert timer is not None
    assert timer.attributes["timers"] == ({"seconds": 60, "label": "tea"},)
    assert [one.value for one in world.contacts] == ["妈妈", "Mike Thompson"]


def test_the_least(tmp_path: Path) -> None:
    world = house(tmp_path, "name: empty\n")
    assert (world.entities, world.now, world.sun, world.speaker) == ((), None, None, "")


def test_names_in_a_language(world: World) -> None:
    desk = world.entity("light.desk")
    assert desk is not None
    assert (desk.name("zh"), desk.name("en")) == ("台灯", "Desk Lamp")
    assert world.contacts[1].name("zh") == "迈克"
    grandfather = world.areas[1]
    assert grandfather.name("en") == "attic"


def test_lookup(world: World) -> None:
    assert [one.id for one in world.named(" desk  LAMP ")] == ["light.desk"]
    assert [one.id for one in world.named("台灯")] == ["light.desk", "light.torch"]
    assert world.named("chandelier") == ()
    assert [one.id for one in world.areas_named("living room")] == ["hall"]
    assert [one.id for one in world.floors_named("Downstairs")] == ["ground"]
    assert [one.value for one in world.contacts_named("MUM")] == ["妈妈"]
    assert [one.id for one in world.select(domain="light", area="hall")] == ["light.desk"]
    assert [one.id for one in world.select(kind="gate")] == ["cover.gate"]
    on_floor = {one.id for one in world.on_floor("ground", domain="light")}
    assert on_floor == {"light.desk"}
    assert world.entity("light.no") is None
    app = world.entity("app.phone")
    assert app is not None
    assert app.option_called("tiktok", app.options["app"]) == "抖音"
    assert app.option_called("Slack", app.options["app"]) is None


def test_kinds_that_are_not_said_are_guessed_to_be_safe(tmp_path: Path) -> None:
    world = house(
        tmp_path,
        LEAST
        + """
  - {id: cover.one, names: [储藏室的门, store door], state: closed}
  - {id: cover.two, names: [窗帘, curtain], state: closed}
  - {id: cover.three, names: [车库卷帘门, garage], state: closed}
  - {id: select.one, names: [动力, power], state: a, options: {state: [a, b]}}
  - {id: select.two, names: [洗衣程序, programme], state: wool, options: {state: [wool, silk]}}
  - {id: select.three, names: [灯光, lamps], state: "off", options: {state: ["off", low]}}
""",
    )
    kinds = ["door", "curtain", "garage", "drive_mode", "other", "headlights"]
    assert [one.kind for one in world.entities] == kinds


def test_a_robot_without_places_may_go_everywhere(tmp_path: Path) -> None:
    world = house(
        tmp_path,
        LEAST + '  - {id: robot.a, names: [a], state: docked, attributes: {place: "", moved: 0}}\n',
    )
    assert world.entities[0].options["place"] == ("hall",)


BAD_DEVICES = {
    "no state": ("{id: light.a, names: [a]}", ["light.a.state", "missing"]),
    "unknown state": (
        "{id: light.a, names: [a], state: dim}",
        ["light.a.state", "'dim'", '"on", "off"'],
    ),
    "off without quotes": ("{id: light.a, names: [a], state: off}", ["False", '"off"']),
    "state of a list": (
        '{id: todo.a, names: [a], state: "on", attributes: {items: []}}',
        ["todo.a.state", "none"],
    ),
    "unknown attribute": (
        '{id: light.a, names: [a], state: "on", attributes: {brightnes: 3}}',
        ["light.a.attributes.brightnes", "did you mean brightness?"],
    ),
    "attribute of another domain": (
        "{id: lock.a, names: [a], state: locked, attributes: {volume: 3}}",
        ["lock.a.attributes.volume"],
    ),
    "out of range": (
        '{id: light.a, names: [a], state: "on", attributes: {brightness: 130}}',
        ["light.a.brightness", "130", "1 to 100%"],
    ),
    "out of its own range": (
        '{id: light.a, names: [a], state: "on", attributes: {brightness: 5},'
        " ranges: {brightness: [10, 90]}}",
        ["light.a.brightness", "5", "10 to 90%"],
    ),
    "between steps": (
        "{id: climate.a, names: [a], state: cool, attributes: {temperature: 21.3}}",
        ["21.3", "steps of 0.5"],
    ),
    "a truth for a number": (
        '{id: light.a, names: [a], state: "on", attributes: {brightness: true}}',
        ["brightness", "True"],
    ),
    "a text for a truth": (
        '{id: fan.a, names: [a], state: "on", attributes: {oscillating: "yes"}}',
        ["oscillating", "'yes'"],
    ),
    "unknown option": (
        "{id: climate.a, names: [a], state: dry, options: {mode: [cool, heat]}}",
        ["climate.a.state", "'dry'", '"cool", "heat"'],
    ),
    "option the vocabulary has not": (
        "{id: climate.a, names: [a], state: cool, options: {mode: [cool, freeze]}}",
        ["climate.a.options.mode", "freeze"],
    ),
    "options nobody chooses from": (
        '{id: light.a, names: [a], state: "on", options: {app: [x]}}',
        ["light.a.options", "app"],
    ),
    "no options to choose from": (
        '{id: media_player.a, names: [a], state: "off", attributes: {source: tv}}',
        ["media_player.a.options.source", "missing"],
    ),
    "name of no option": (
        "{id: app.a, names: [a], attributes: {open: ''}, options: {app: [x]},"
        " option_names: {y: [z]}}",
        ["app.a.option_names.y"],
    ),
    "range of what it has not": (
        '{id: light.a, names: [a], state: "on", ranges: {brightness: [1, 9]}}',
        ["light.a.ranges.brightness"],
    ),
    "range upside down": (
        '{id: light.a, names: [a], state: "on", attributes: {brightness: 5},'
        " ranges: {brightness: [90, 10]}}",
        ["[90, 10]"],
    ),
    "range of percent beyond 100": (
        '{id: light.a, names: [a], state: "on", attributes: {brightness: 5},'
        " ranges: {brightness: [1, 255]}}",
        ["[1, 255]"],
    ),
    "unknown area": (
        '{id: light.a, names: [a], state: "on", area: hal}',
        ["light.a.area", "hal", "did you mean hall?"],
    ),
    "unknown domain": ('{id: lamp.a, names: [a], state: "on"}', ["lamp.a", "domain.name"]),
    "no names": ('{id: light.a, names: [], state: "on"}', ["light.a.names"]),
    "an empty name": ('{id: light.a, names: ["  "], state: "on"}', ["light.a.names"]),
    "a number for a name": (
        '{id: light.a, names: [7], state: "on"}',
        ["light.a.names", '"7"'],
    ),
    "unknown key": (
        '{id: light.a, names: [a], state: "on", room: hall}',
        ["entities[0]", "room"],
    ),
    "a scene without sets": ("{id: scene.a, names: [a]}", ["scene.a.attributes.sets"]),
    "a scene of nothing there": (
        '{id: scene.a, names: [a], attributes: {sets: {light.b: {state: "on"}}}}',
        ["scene.a.attributes.sets", "light.b"],
    ),
    "a scene of what cannot be": (
        "{id: scene.a, names: [a], attributes: {sets: {lock.z: {state: ajar}}}}",
        ["scene.a.attributes.sets", "lock.z.state", "'ajar'"],
    ),
    "a time without quotes": (
        "{id: alarm.a, names: [a], attributes: {alarms: [{time: 17:30, days: daily}]}}",
        ["alarm.a.alarms.time", "in quotes"],
    ),
    "a day that is none": (
        "{id: reminder.a, names: [a], attributes: {reminders:"
        ' [{text: x, at: "2026-02-30 10:00"}]}}',
        ["reminder.a.reminders.at", "2026-02-30"],
    ),
    "a field that is none": (
        "{id: timer.a, names: [a], attributes: {timers: [{minutes: 3}]}}",
        ["timer.a.timers.minutes", '"seconds"'],
    ),
    "a place the robot cannot know": (
        "{id: robot.a, names: [a], state: docked, options: {place: [cellar]}}",
        ["robot.a.options.place", "cellar"],
    ),
    "twice the same id": ("{id: lock.z, names: [a], state: locked}", ["lock.z", "twice"]),
}


@pytest.mark.parametrize("what", BAD_DEVICES)
def test_a_bad_device_is_named(tmp_path: Path, what: str) -> None:
    device, words = BAD_DEVICES[what]
    text = f"{LEAST}  - {device}\n  - {{id: lock.z, names: [z], state: locked}}\n"
    with pytest.raises(WorldError) as caught:
        house(tmp_path, text)
    for word in ["house.yaml", *words]:
        assert word in str(caught.value)


BAD_FILES = {
    "no name": ("areas: []\n", ["name", "missing"]),
    "an unknown key": ("name: a\nrooms: []\n", ["rooms"]),
    "a list": ("- name\n", ["mapping"]),
    "nothing": ("", ["mapping"]),
    "no YAML": ("name: [\n", ["no YAML", "line"]),
    "a Python object": ("name: !!python/object/apply:os.getcwd []\n", ["no YAML"]),
    "a reference": ("name: &a x\nspeaker: *a\n", ["line 1", "reference"]),
    "a key twice": ("name: a\nname: b\n", ["line 2", "name twice"]),
    "an unknown speaker": ("name: a\nspeaker: moon\n", ["speaker", "moon"]),
    "an unknown floor": ("name: a\nareas: [{id: b, names: [b], floor: x}]\n", ["b.floor", "x"]),
    "an area twice": (
        "name: a\nareas: [{id: b, names: [b]}, {id: b, names: [c]}]\n",
        ["areas", '"b" twice'],
    ),
    "now without a time": ("name: a\nnow: yesterday\n", ["now", "yesterday"]),
    "the sun without quotes": (
        "name: a\nsun: {sunrise: 07:10, sunset: 17:05}\n",
        ["sun.sunset", "1025", "quotes"],
    ),
    "a contact twice": ("name: a\ncontacts: [{names: [b]}, {names: [b]}]\n", ["contacts", "b"]),
    "a key that is a truth": ("name: a\nsun: {on: 1}\n", ["sun", "True", "quotes"]),
}


@pytest.mark.parametrize("what", BAD_FILES)
def test_a_bad_file_is_named(tmp_path: Path, what: str) -> None:
    text, words = BAD_FILES[what]
    with pytest.raises(WorldError) as caught:
        house(tmp_path, text)
    for word in ["house.yaml", *words]:
        assert word in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="cannot read"):
        read_world(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    with pytest.raises(WorldError, match="not UTF-8 at byte 9"):
        read_world(tmp_path / "latin.yaml")
    (tmp_path / "long.yaml").write_bytes(b"#" * ((4 << 20) + 1))
    with pytest.raises(WorldError, match="4194305 bytes"):
        read_world(tmp_path / "long.yaml")
    (tmp_path / "deep.yaml").write_text("name: " + "[" * 50_000)
    with pytest.raises(WorldError, match="no YAML"):
        read_world(tmp_path / "deep.yaml")


@pytest.mark.usefixtures("chinese")
def test_in_chinese(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=r"light\.desk\.brightness 为 800；可取 1 到 100%"):
        house(tmp_path, HOUSE.replace("brightness: 80,", "brightness: 800,"))
