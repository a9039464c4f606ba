"""What somebody wishes who only says how it is, by what the household has and how things are."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from qingyu.act.calls import Call
from qingyu.act.forms.words import WISHES
from qingyu.act.guard import check
from qingyu.act.resolving.wish_words import PURPOSES, SCENES
from qingyu.act.resolving.wishes import WAYS
from qingyu.act.state import State, initial
from qingyu.act.understood import Do, Unable, Which
from qingyu.act.world import World
from tests.act.houses import house
from tests.act.test_resolve import means, shown

HOME = """
name: home
speaker: lounge
now: 2026-11-26 19:30
sun: {sunrise: "07:10", sunset: "17:05"}
floors: []
areas:
  - {id: lounge, names: [lounge]}
  - {id: bed, names: [bedroom]}
  - {id: bath, names: [bathroom]}
  - {id: yard, names: [yard]}
entities:
  - {id: light.main, names: [ceiling lamp], area: lounge, state: "off",
     attributes: {brightness: 50}}
  - {id: light.side, names: [side lamp], area: lounge, state: "off", attributes: {brightness: 40}}
  - {id: light.bed, names: [bed lamp], area: bed, state: "off"}
  - {id: climate.lounge, names: [lounge AC], area: lounge, state: "off",
     attributes: {temperature: 22, current_temperature: 19, last_mode: cool},
     options: {mode: ["off", cool, heat, dry]}}
  - {id: climate.bed, names: [bed radiator], area: bed, state: "off",
     attributes: {temperature: 20, last_mode: heat}, options: {mode: ["off", heat]}}
  - {id: fan.bath, names: [bath fan], area: bath, state: "off", attributes: {speed: 33}}
  - {id: switch.blanket, names: [电热毯, electric blanket], area: bath, state: "off"}
  - {id: cover.curtain, names: [lounge curtain], area: lounge, state: open,
     attributes: {kind: curtain, position: 100}}
  - {id: cover.blind, names: [lounge blind], area: lounge, state: open,
     attributes: {kind: blind, position: 100}}
  - {id: cover.window, names: [bed window], area: bed, state: closed,
     attributes: {kind: window, position: 0}}
  - {id: media_player.radio, names: [radio], area: lounge, state: "off",
     attributes: {volume: 30, muted: false}}
  - {id: humidifier.bed, names: [mister], area: bed, state: "off", attributes: {humidity: 50}}
  - {id: water_heater.bath, names: [boiler], area: bath, state: "off",
     attributes: {temperature: 50}}
  - {id: valve.yard, names: [sprinkler], area: yard, state: closed}
  - {id: vacuum.rob, names: [Rob], area: lounge, state: docked, attributes: {area: ""}}
  - {id: switch.kettle, names: [电水壶, kettle], area: yard, state: "off"}
  - {id: switch.toaster, names: [toaster], area: yard, state: "off"}
  - {id: switch.cooker, names: [电饭煲, rice cooker], area: yard, state: "off"}
  - {id: switch.focus, names: [勿扰模式, do not disturb], area: lounge, state: "off"}
  - {id: scene.film, names: [观影模式, film night],
     attributes: {sets: {light.main: {brightness: 9}}}}
  - {id: lock.door, names: [door], state: unlocked}
"""


@pytest.fixture
def home(tmp_path: Path) -> World:
    return house(tmp_path, HOME)


def so(world: World, **values: object) -> State:
    """The beginning, with states and attributes: lounge__climate... as "climate.lounge"."""
    state = initial(world)
    for id, one in values.items():
        domain, _, rest = id.partition("__")
        assert isinstance(one, dict)
        state = state.updated(f"{domain}.{rest}", one)
    return state


def granted(world: World, wish: str, speaker: str = "lounge", **values: object) -> list[str]:
    state = so(world, **values)
    (part,) = means(world, f"wish {wish}", state=state, speaker=speaker)
    if isinstance(part, Unable):
        return []
    assert isinstance(part, Do)
    # Nothing that is so already, or that cannot be.
    outcomes = {check(world, state, one).outcome for one in part.calls}
    assert outcomes <= {"fine", "risky"}, (part, outcomes)
    return list(map(shown, part.calls))


ON, PLAYS = {"state": "on"}, {"state": "playing"}


def test_cold(home: World) -> None:
    assert granted(home, "cold") == ["set climate.lounge mode=heat"]
    assert granted(home, "cold", "bed") == ["set climate.bed mode=heat"]
    warm = {"state": "heat", "temperature": 22}
    assert granted(home, "cold", climate__lounge=warm) == ["set climate.lounge temperature=24"]
    most = {"state": "heat", "temperature": 30}
    assert granted(home, "cold", climate__lounge=most) == []
    # What blows cold is to blow less cold, and nothing where it cannot.
    cool = {"state": "cool", "temperature": 18}
    assert granted(home, "cold", climate__lounge=cool) == ["set climate.lounge temperature=20"]
    least = {"state": "cool", "temperature": 30}
    assert granted(home, "cold", climate__lounge=least) == ["turn_off climate.lounge"]
    assert granted(home, "cold", "bath") == ["turn_on switch.blanket"]
    assert granted(home, "cold at <area:bedroom>") == ["set climate.bed mode=heat"]


def test_hot(home: World) -> None:
    assert granted(home, "hot") == ["set climate.lounge mode=cool"]
    cool = {"state": "cool", "temperature": 24}
    assert granted(home, "hot", climate__lounge=cool) == ["set climate.lounge temperature=22"]
    assert granted(home, "hot", "bath") == ["turn_on fan.bath"]
    heat = {"state": "heat", "temperature": 21}
    assert granted(home, "hot", "bed", climate__bed=heat) == ["set climate.bed temperature=19"]
    assert granted(home, "hot", "bed") == ["open cover.window"]


def test_light(home: World) -> None:
    assert granted(home, "dark") == ["turn_on light.main"]
    assert granted(home, "dark", light__side=ON) == ["set light.side brightness=60"]
    full = {"state": "on", "brightness": 100}
    assert granted(home, "dark", light__side=full) == ["turn_on light.main"]
    assert granted(home, "bright", light__side=ON) == ["set light.side brightness=20"]
    assert granted(home, "bright", "bed", light__bed=ON) == ["turn_off light.bed"]
    assert granted(home, "bright <light:bed lamp>", light__bed=ON, light__side=ON) == [
        "turn_off light.bed"
    ]
    assert granted(home, "glare") == ["close cover.curtain", "close cover.blind"]
    assert granted(home, "private") == ["close cover.curtain", "close cover.blind"]
    shut = {"state": "closed", "position": 0}
    assert granted(home, "view", cover__curtain=shut) == ["open cover.curtain"]


def test_sound(home: World) -> None:
    assert granted(home, "loud", media_player__radio=PLAYS) == ["set media_player.radio volume=10"]
    assert granted(home, "loud", "bed", media_player__radio=PLAYS) == [
        "set media_player.radio volume=10"
    ]
    mute = PLAYS | {"volume": 0}
    assert granted(home, "loud", media_player__radio=mute) == ["pause media_player.radio"]
    assert granted(home, "loud") == []
    deaf = PLAYS | {"muted": True}
    assert granted(home, "silent", media_player__radio=deaf) == [
        "unmute media_player.radio",
        "set media_player.radio volume=50",
    ]
    assert granted(home, "bored") == ["play media_player.radio"]


def test_air(home: World) -> None:
    assert granted(home, "stuffy", "bed") == ["open cover.window"]
    assert granted(home, "smell", "bath") == ["turn_on fan.bath"]
    assert granted(home, "damp", "bath") == ["turn_on fan.bath"]
    assert granted(home, "damp", "lounge") == ["set climate.lounge mode=dry"]
    assert granted(home, "dry", "bed") == ["turn_on humidifier.bed"]
    assert granted(home, "dry", "bed", humidifier__bed=ON) == ["set humidifier.bed humidity=60"]
    wide = {"state": "open", "position": 100}
    assert granted(home, "rain", cover__window=wide) == ["close cover.window"]


def test_devices_for_a_purpose(home: World) -> None:
    assert granted(home, "toast") == ["turn_on switch.toaster"]
    assert granted(home, "tea") == ["turn_on switch.kettle"]
    assert granted(home, "hungry") == ["turn_on switch.cooker"]
    assert granted(home, "coffee") == []
    assert granted(home, "focus") == ["turn_on switch.focus"]
    assert granted(home, "movie") == ["activate scene.film"]
    assert granted(home, "dirty") == ["start vacuum.rob"]
    assert granted(home, "plants") == ["open valve.yard"]
    assert granted(home, "bath") == ["turn_on water_heater.bath"]


def test_a_heater_is_no_air_conditioner(home: World) -> None:
    for form, devices in (
        ("off heater all", ["climate.bed"]),
        ("off ac all", ["climate.lounge"]),
        ("off climate all", ["climate.lounge", "climate.bed"]),
    ):
        (part,) = means(home, form, speaker="lounge")
        assert isinstance(part, Do)
        assert [one.entity for one in part.calls] == devices


def test_asked_back_where_nobody_knows_the_room(home: World) -> None:
    for speaker in ("", "yard"):
        (part,) = means(home, "wish cold", speaker=speaker)
        assert isinstance(part, Which)
        assert part.candidates == ("climate.lounge", "climate.bed")
        (bed,) = part.again(("climate.bed",))
        assert bed == Do((Call("set", "climate.bed", {"mode": "heat"}),))
    (lights,) = means(home, "wish dark", speaker="")
    assert isinstance(lights, Which)
    # The only curtain of the household may be in another room.
    (lamps,) = means(home, "wish bright", speaker="")
    assert isinstance(lamps, Which)
    assert means(home, "wish dark", speaker="yard") == (Unable(),)


def test_going_to_bed_and_out(home: World) -> None:
    assert granted(home, "sleep", light__side=ON, media_player__radio=PLAYS) == [
        "turn_off light.side"
    ]
    assert granted(home, "sleep", media_player__radio=PLAYS) == ["turn_off media_player.radio"]
    assert granted(home, "sleep") == ["close cover.curtain", "close cover.blind"]
    assert granted(home, "leave", light__bed=ON) == ["turn_off light.bed", "lock lock.door"]
    assert granted(home, "return") == ["turn_on light.main"]


def test_a_car_and_a_phone(tmp_path: Path) -> None:
    seats = """
name: car
speaker: left
now: 2026-11-26 19:30
areas: [{id: left, names: [left]}, {id: right, names: [right]}]
entities:
  - {id: seat.left, names: [left seat], area: left, attributes: {heating: 0, ventilation: 0}}
  - {id: cover.roof, names: [roof], state: closed, attributes: {kind: sunroof, position: 0}}
  - {id: charger.car, names: [plug], state: stopped}
  - {id: level.sound, names: [volume], state: 40, attributes: {kind: volume}}
  - {id: level.screen, names: [screen], area: left, state: 90, attributes: {kind: brightness}}
"""
    car = house(tmp_path, seats)
    assert granted(car, "cold", "left") == ["set seat.left heating=1"]
    assert granted(car, "hot", "left") == ["set seat.left ventilation=1"]
    assert granted(car, "stuffy", "left") == ["open cover.roof"]
    assert granted(car, "charge", "left") == ["start charger.car"]
    assert granted(car, "loud", "left") == ["set level.sound value=20"]
    assert granted(car, "bright", "left") == ["set level.screen value=70"]


def test_every_wish_has_ways_and_every_table_is_of_wishes() -> None:
    assert set(WAYS) == set(WISHES)
    assert set(PURPOSES) | set(SCENES) <= set(WISHES)


@pytest.mark.parametrize("word", WISHES)
def test_an_empty_household_grants_nothing_and_says_so(tmp_path: Path, word: str) -> None:
    empty = house(tmp_path, "name: none\nnow: 2026-11-26 19:30\nareas: []\nentities: []\n")
    assert means(empty, f"wish {word}", speaker="") == (Unable(),)
    assert empty.now == datetime.datetime(2026, 11, 26, 19, 30)


def test_fuel_where_the_car_has_nothing_to_charge(tmp_path: Path) -> None:
    car = """
name: car
speaker: cabin
floors: []
areas: [{id: cabin, names: [cabin]}]
entities:
  - {id: navigator.car, names: [sat nav], area: cabin, state: idle,
     options: {place: [Depot, 加油站]}, option_names: {加油站: [petrol station]}}
"""
    (part,) = means(house(tmp_path, car), "wish charge", speaker="cabin")
    assert isinstance(part, Do)
    assert [shown(one) for one in part.calls] == ["navigate navigator.car place=加油站"]
