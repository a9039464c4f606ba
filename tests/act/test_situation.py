"""Which devices words mean that no form says: in here, his, whichever are on, the second one."""

from __future__ import annotations

from pathlib import Path

import pytest

from qingyu.act.calls import Call
from qingyu.act.forms.reader import parse_form
from qingyu.act.marks.marker import Marker
from qingyu.act.resolving.resolve import resolve
from qingyu.act.resolving.situation import which_said
from qingyu.act.state import initial
from qingyu.act.understood import Absent, Do, Focus, Question, Which
from qingyu.act.world import World
from tests.act.houses import house
from tests.act.test_resolve import NOW, means

HOME = """
name: home
speaker: lounge
floors: []
areas:
  - {id: lounge, names: [lounge]}
  - {id: theo, names: [Theo's room]}
entities:
  - {id: light.main, names: [ceiling lamp], area: lounge, state: "off"}
  - {id: light.side, names: [side lamp], area: lounge, state: "on"}
  - {id: light.theo, names: [rocket lamp], area: theo, state: "on"}
  - {id: climate.lounge, names: [lounge radiator], area: lounge, state: heat,
     attributes: {temperature: 20}, options: {mode: ["off", heat]}}
  - {id: climate.theo, names: [Theo radiator], area: theo, state: heat,
     attributes: {temperature: 20}, options: {mode: ["off", heat]}}
  - {id: climate.pump, names: [heat pump], area: lounge, state: heat,
     attributes: {temperature: 20}, options: {mode: ["off", heat, cool]}}
  - {id: select.beam, names: [headlamps], state: dipped, attributes: {kind: headlights},
     options: {state: ["off", dipped, high]}, option_names: {high: [full beam]}}
  - {id: cover.window, names: [bay window], area: lounge, state: open, attributes: {kind: window}}
  - {id: reminder.me, names: [reminders], area: lounge}
"""
LAMPS = Focus(("light.main", "light.side", "light.theo"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return house(tmp_path, HOME)


def ids(world: World, form: str, said: str, focus: Focus = Focus()) -> list[str]:  # noqa: B008
    parts = means(world, form, said=said, speaker="lounge", focus=focus)
    return [call.entity for one in parts if isinstance(one, Do) for call in one.calls]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("all lights off", ["light.main", "light.side", "light.theo"]),
        ("all the lights in here off", ["light.main", "light.side"]),
        ("把屋里的灯都关了", ["light.main", "light.side"]),
        ("把所有房间里的灯都关了", ["light.main", "light.side", "light.theo"]),
        ("我离开这儿了，灯全关", ["light.main", "light.side", "light.theo"]),
        ("whichever lights are still on, turn them off", ["light.side", "light.theo"]),
        ("开着的灯都关了", ["light.side", "light.theo"]),
        ("all lights that are on in here off", ["light.side"]),
        ("lights are to go off", ["light.main", "light.side", "light.theo"]),
    ],
)
def test_all_of_a_class(world: World, said: str, found: list[str]) -> None:
    assert ids(world, "off light all", said) == found


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("turn those off", ["light.main", "light.side", "light.theo"]),
        ("turn the latter off", ["light.theo"]),
        ("turn the last one off", ["light.theo"]),
        ("关掉前面那个", ["light.main"]),
        ("last of all turn them off", ["light.main", "light.side", "light.theo"]),
        ("last night it was on, turn it off", ["light.main", "light.side", "light.theo"]),
    ],
)
def test_which_of_those(world: World, said: str, found: list[str]) -> None:
    assert ids(world, "off it", said, LAMPS) == found


@pytest.mark.parametrize(
    ("said", "those"),
    [
        ("turn them all off", True),
        ("all of those off", True),
        ("那几盏都关了吧", True),
        ("那两盏都关了", True),
        ("turn all lights off", False),
        ("turn all the other lights off, leave those on", False),
        ("turn the lights off all of them in the house", False),
        ("turn all the lights off, I don't need them", False),
        ("turn all the lights off and close those blinds", False),
        ("灯全关了，那些窗户也关上", False),
        ("把这几个房间的灯全关了", False),
    ],
)
def test_all_of_those(world: World, said: str, those: bool) -> None:
    talked = ["light.main", "light.side"]
    found = talked if those else [*talked, "light.theo"]
    assert ids(world, "off light all", said, Focus(tuple(talked))) == found
    everything = ids(world, "off everything all", said, Focus(tuple(talked)))
    assert everything == talked if those else len(everything) > len(found)


def test_those_are_several_of_the_kind(world: World) -> None:
    everything = ["light.main", "light.side", "light.theo"]
    for talked in (("light.main",), ("climate.theo",), ()):
        assert ids(world, "off light all", "turn them all off", Focus(talked)) == everything


def test_an_ordinal_of_those(world: World) -> None:
    marker, state = Marker(world), initial(world)
    assert which_said(marker.mark("put the second of those back on", state, NOW)) == 1
    assert which_said(marker.mark("把第二个打开", state, NOW)) == 1
    assert which_said(marker.mark("on it goes", state, NOW)) is None
    fifth, off = marker.mark("turn the fifth one off", state, NOW), parse_form("off it")
    (part,) = resolve(off, fifth, world, state, speaker="lounge", now=NOW, focus=LAMPS)
    assert isinstance(part, Which), "there are three"


def test_his_is_where_he_was_spoken_of(world: World) -> None:
    lamp = Focus(("light.theo",))
    assert ids(world, "off heater", "his radiator as well", lamp) == ["climate.theo"]
    assert ids(world, "off heater", "the radiator as well", lamp) == ["climate.lounge"]
    assert ids(world, "off heater", "his radiator as well") == ["climate.lounge"]
    assert ids(world, "off heater", "turn his off too", lamp) == ["climate.theo"]
    assert ids(world, "off heater", "his bus is late, radiator off", lamp) == ["climate.lounge"]


def test_a_reason_is_no_order_of_its_own(world: World) -> None:
    """It is cold, so the window is to be shut: the heating stays as it is."""
    assert ids(world, "wish cold ; close window", "so cold, shut the window") == ["cover.window"]
    assert ids(world, "close window ; wish cold", "shut the window, I'm cold") == ["cover.window"]
    assert ids(world, "wish cold", "so cold") == ["climate.lounge"]
    both = ids(world, "wish cold ; off light", "I'm cold, and turn off the lights")
    assert set(both) == {"climate.lounge", "light.main", "light.side"}


def test_a_reason_takes_no_order_away(world: World) -> None:
    form, said = "wish dark ; on light ; close window", "so dark, lights on and shut the window"
    found = ["light.main", "light.side", "cover.window"]
    assert ids(world, form, said) == found


def test_what_is_to_come_on_may_be_off(world: World) -> None:
    said = "close whichever windows are open and turn on the lights"
    assert ids(world, "on light", said) == ["light.main", "light.side"]


def test_what_is_said_twice_is_done_once(world: World) -> None:
    assert ids(world, "off light ; off light", "lights off") == ["light.main", "light.side"]
    # But not what has to be done again, or adds up.
    form = "off <light:ceiling lamp> ; on <light:ceiling lamp> ; off <light:ceiling lamp>"
    assert ids(world, form, "ceiling lamp off, on, off") == ["light.main"] * 3
    assert len(ids(world, "less heater temperature ; less heater temperature", "down, down")) == 2


def test_a_heat_pump_that_heats_is_heating(world: World) -> None:
    radiators = ["climate.lounge", "climate.theo"]
    assert ids(world, "off heater all", "all the heating off") == [*radiators, "climate.pump"]
    assert ids(world, "stop heater all", "把供暖全停了") == [*radiators, "climate.pump"]
    assert ids(world, "off heater all", "all the radiators off") == radiators
    assert ids(world, "off heater all", "all the floor heating off") == radiators
    (part,) = means(world, "ask heater state", said="is the heating on", speaker="lounge")
    assert isinstance(part, Question)
    assert part.entities == ("climate.lounge", "climate.pump")


BEAM = [("select.beam", "high")]


@pytest.mark.parametrize(
    ("form", "said", "found"),
    [
        ("set light mode <mode:full beam>", "full beam", BEAM),
        ("set drive_mode value <mode:full beam>", "full beam", BEAM),
        ("set light all mode <mode:full beam>", "full beam", []),
        ("set light color red mode <mode:full beam>", "full beam", []),
        ("set fan mode <mode:full beam>", "full beam", []),
        ("set it mode <mode:full beam>", "full beam", []),
    ],
)
def test_an_option_finds_its_selector(
    world: World, form: str, said: str, found: list[tuple[str, str]]
) -> None:
    parts = means(world, form, said=said, speaker="lounge", focus=Focus(("climate.pump",)))
    calls = [call for one in parts if isinstance(one, Do) for call in one.calls]
    assert [
        (one.entity, *one.arguments.values()) for one in calls if one.entity[:3] == "sel"
    ] == found


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("点着两盏太费电了，灭一盏", True),
        ("关一个就得了", True),
        ("那盏灯关了", True),
        ("switch off one of the lights", True),
        ("把灯关了", False),
        ("一盏也不留，关了", False),
        ("每一盏都关", False),
        ("that one light too many, lights off", False),
    ],
)
def test_one_of_several_is_asked_for(world: World, said: str, asked: bool) -> None:
    (part,) = means(world, "off light", said=said, speaker="lounge")
    if asked:
        assert isinstance(part, Which)
        assert set(part.candidates) == {"light.main", "light.side"}
    else:
        assert isinstance(part, Do)
        assert [one.entity for one in part.calls] == ["light.main", "light.side"]


def test_what_hangs_before_a_window(tmp_path: Path) -> None:
    curtain = (
        "{id: cover.curtain, names: [红帘], area: theo, state: open, attributes: {kind: curtain}}"
    )
    blind = "{id: cover.blind, names: [竹帘], area: lounge, state: open, attributes: {kind: blind}}"
    world = house(tmp_path, f"{HOME}  - {curtain}\n  - {blind}\n")
    assert ids(world, "close curtain", "帘子拉上") == ["cover.blind"]
    assert ids(world, "close curtain all", "帘子都拉上") == ["cover.curtain", "cover.blind"]
    assert ids(world, "close curtain all", "窗帘都拉上") == ["cover.curtain"]


def test_a_device_is_not_where_it_is_not(world: World) -> None:
    there = means(world, "on <light:side lamp> at <area:lounge>", said="side lamp in the lounge on")
    assert isinstance(there[0], Do)
    (part,) = means(
        world, "on <light:side lamp> at <area:Theo's room>", said="side lamp in Theo's room on"
    )
    assert isinstance(part, Absent)


def test_a_reason_for_what_cannot_be_is_no_wish(world: World) -> None:
    parts = means(
        world, 'wish leave ; absent "garage door"', said="I am off now, garage door down please"
    )
    assert [type(one) for one in parts] == [Absent]
    parts = means(world, "wish bright ; off light", said="晃眼，关一盏", speaker="lounge")
    assert [type(one) for one in parts] == [Which]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("cancel that alarm", True),
        ("把那个闹铃删了", True),
        ("cancel every alarm, that alarm as well", False),
        ("闹铃都删了", False),
        ("cancel the alarm", True),
        ("把闹铃取消了", True),
        ("cancel my alarms", False),
        ("don't wake me", False),
    ],
)
def test_that_alarm_of_two(tmp_path: Path, said: str, told: bool) -> None:
    two = '[{time: "07:00", days: once}, {time: "08:00", days: once}]'
    clock = f"{{id: alarm.me, names: [闹铃, alarm], attributes: {{alarms: {two}}}}}"
    world = house(tmp_path, f"{HOME}  - {clock}\n")
    (part,) = means(world, "remove alarm all", said=said)
    assert isinstance(part, Question) == told


def test_the_meeting_of_a_day_with_two(tmp_path: Path) -> None:
    two = '[{title: jour fixe, at: "2026-11-27 09:00"}, {title: budget, at: "2026-11-27 14:00"}]'
    diary = f"{{id: calendar.me, names: [diary], attributes: {{events: {two}}}}}"
    world = house(tmp_path, f"{HOME}  - {diary}\n")
    for said, asked in (
        ("tomorrow's meeting is off, out of my diary with it", True),
        ("diary: 明天的取消一项", True),
        ("clear tomorrow in the diary", False),
        ("diary, 明天的都取消", False),
    ):
        day = "明天" if "明天" in said else "tomorrow"
        (part,) = means(world, f"remove <calendar:diary> <day:{day}>", said=said)
        assert isinstance(part, Question) == asked, said
        if isinstance(part, Do):
            assert [one.arguments["title"] for one in part.calls] == ["jour fixe", "budget"]


ALARMS = (
    "{id: alarm.me, names: [alarm], attributes: {alarms: [{time: '06:00', days: once},"
    " {time: '07:15', days: weekdays}, {time: '08:00', days: once}]}}"
)


@pytest.mark.parametrize(
    ("said", "times"),
    [
        ("cancel it", ["06:00", "08:00"]),
        ("那两个取消", ["06:00", "08:00"]),
        ("cancel them", ["06:00", "08:00"]),
        ("cancel every alarm", [None]),
        ("闹铃全取消", [None]),
    ],
)
def test_what_was_just_set_is_cancelled(tmp_path: Path, said: str, times: list[str | None]) -> None:
    world = house(tmp_path, f"{HOME}  - {ALARMS}\n")
    just = tuple(
        Call("add", "alarm.me", {"time": time, "days": "once"}) for time in ("06:00", "08:00")
    )
    (part,) = means(world, "remove it all", said=said, focus=Focus(("alarm.me",), calls=just))
    assert isinstance(part, Do)
    assert [one.arguments.get("time") for one in part.calls] == times


def test_one_item_of_a_list(tmp_path: Path) -> None:
    items = "{id: todo.me, names: [groceries], attributes: {items: [tofu, milk]}}"
    world = house(tmp_path, f"{HOME}  - {items}\n")
    focus = Focus(("todo.me",), calls=(Call("add", "todo.me", {"item": "tofu"}),))
    for form, said, gone in (
        ("remove it all", "take that off again", ["tofu"]),
        ("remove <todo:groceries> all", "empty the groceries", ["tofu", "milk"]),
    ):
        (part,) = means(world, form, said=said, focus=focus)
        assert isinstance(part, Do)
        assert [one.arguments["item"] for one in part.calls] == gone


def test_somebody_is_woken_in_the_morning(tmp_path: Path) -> None:
    world = house(tmp_path, f"{HOME}  - {ALARMS}\n")
    for said, time in (
        ("wake me on saturday at five", "05:00"),
        ("an alarm on saturday at five", "17:00"),
        ("a nap on saturday, so wake me on saturday at five", "17:00"),
    ):
        (part,) = means(world, "add alarm <time:on saturday at five>", said=said)
        assert isinstance(part, Do)
        assert part.calls[0].arguments["time"] == time


def test_that_one_of_two_unlike_things_is_asked_for(world: World) -> None:
    both = Focus(("light.main", "climate.pump"))
    for said, asked in (("关掉那个", True), ("那个把它们关了", False), ("关掉", False),
                        ("off with that one", True), ("turn them off", False),
                        ("关掉一个", True)):  # fmt: skip
        (part,) = means(world, "off it", said=said, speaker="lounge", focus=both)
        assert isinstance(part, Which) == asked, said


def test_what_was_set_and_is_no_more_cancels_no_other(tmp_path: Path) -> None:
    world = house(tmp_path, f"{HOME}  - {ALARMS}\n")
    gone = Call("add", "alarm.me", {"time": "05:00", "days": "once"})
    focus = Focus(("alarm.me",), calls=(gone,))
    (part,) = means(world, "remove it all", said="cancel the alarm", focus=focus)
    assert isinstance(part, Question)
