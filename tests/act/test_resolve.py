"""What forms mean in a household: which devices, what values, what is asked back or not there."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import pytest

from qingyu.act.calls import Call
from qingyu.act.forms.reader import parse_form
from qingyu.act.marks.mark import Marked
from qingyu.act.resolving.resolve import resolve
from qingyu.act.state import State, initial
from qingyu.act.understood import (
    Absent,
    Agenda,
    Clock,
    Do,
    Focus,
    No,
    Part,
    Question,
    Talk,
    Teach,
    Unable,
    Understood,
    Undo,
    Which,
    Yes,
)
from qingyu.act.when import parse_when
from qingyu.act.world import World
from tests.act.houses import house, so
from tests.act.written_forms import written

NOW = datetime.datetime(2026, 11, 26, 19, 30)


def means(
    world: World,
    form: str,
    *,
    state: State | None = None,
    speaker: str = "hall",
    focus: Focus = Focus(),  # noqa: B008
    said: str = "",
) -> Understood:
    words = re.findall(r'<[a-z_.]+:([^>=]+)|"([^"]+)"', form)
    said = said or " ".join(mark or quote for mark, quote in words)
    return resolve(
        *written(form, said, world, NOW), world, state or initial(world),
        speaker=speaker, now=NOW, focus=focus,
    )  # fmt: skip


def does(world: World, form: str, state: State | None = None, speaker: str = "hall") -> list[str]:
    """The calls of a form that means nothing else, as text."""
    (part,) = means(world, form, state=state, speaker=speaker)
    assert isinstance(part, Do)
    return list(map(shown, part.calls))


def shown(call: Call) -> str:
    values = " ".join(f"{key}={value}" for key, value in call.arguments.items())
    return f"{call.action} {call.entity} {values}".strip()


@pytest.mark.parametrize(
    ("form", "calls"),
    [
        ("on <light:小白>", "turn_on light.desk"),
        ("on <light:台灯>", "turn_on light.desk"),  # two bear the name, one is here
        ("on <light:台灯> at <area:阁楼>", "turn_on light.torch"),
        ("on <light:台灯> all", "turn_on light.desk, turn_on light.torch"),
        ("on light", "turn_on light.desk"),
        ("off light all but <area:attic>", "turn_off light.desk"),
        ("off light all but <light:小白>", "turn_off light.torch"),
        ("off light at <floor:一楼> <area:阁楼>", "turn_off light.desk, turn_off light.torch"),
        ("on light elsewhere", "turn_on light.torch"),
        ("on <cover.curtain:窗帘> <valve:滴灌>", "open cover.curtain, open valve.roses"),
        ("close curtain", "close cover.curtain"),
        ("close blind", "close cover.curtain"),  # no blind: what hangs there instead
        ("open <lock:门锁>", "unlock lock.front"),
        ("on <scene:晚安>", "activate scene.night"),
        ("start <vacuum:多比>", "start vacuum.dobby"),
        ("off <vacuum:多比>", "return vacuum.dobby"),
        ("clean vacuum <area:阁楼>", "clean vacuum.dobby area=attic"),
        ("dock robot", "dock robot.dog"),
        ("on <select.headlights:大灯>", "set select.lamps value=auto"),
        ("set headlights mode high", "set select.lamps value=high"),
        ("set drive_mode mode <mode:sport>", "set select.mode value=sport"),
        ("on <seat:座椅>", "set seat.driver heating=2"),
        ("open <app:TikTok>", "open app.phone app=抖音"),
        ("mute volume", "mute level.volume"),
        ("unmute <level.volume:音量>", "set level.volume value=40"),
        ("pause <fan:风扇>", "turn_off fan.round"),
        ("remove it <item:牛奶>", "remove todo.shopping item=牛奶"),
        ("off everything at <area:hall>",
         "turn_off light.desk, turn_off climate.hall, turn_off fan.round, "
         "turn_off media_player.tv"),
    ],
)  # fmt: skip
def test_which_devices(world: World, form: str, calls: str) -> None:
    assert ", ".join(does(world, form)) == calls


@pytest.mark.parametrize(
    ("form", "call"),
    [
        ("set <light:小白> value <percent:30%>", "brightness=30"),
        ("set <light:小白> value <time:at five>", "brightness=5"),
        ("set <light:小白> brightness half", "brightness=50"),
        ("set <light:小白> brightness max", "brightness=100"),
        ("set <light:小白> brightness min", "brightness=1"),
        ("set <light:小白> brightness halve", "brightness=40"),
        ("set <light:小白> brightness double", "brightness=100"),
        ("set <light:小白> color red brightness low", "color=red brightness=20"),
        ("set <light:小白> warmth <kelvin:3500K>", "color_temperature=3500"),
        ("set <light:小白> value <number:3500>", "color_temperature=3500"),
        ("set <light:小白> warmth max", "color_temperature=2700"),
        ("set <light:小白> warmth low", "color_temperature=5700"),
        ("set <climate:空调> value <degree:26度>", "temperature=26"),
        ("set <climate:空调> mode cool temperature <number:20>", "mode=cool temperature=20"),
        ("set <climate:空调> value heat", "mode=heat"),
        ("set <climate:空调> value auto", "fan=auto"),
        ("set <climate:空调> speed high", "fan=high"),
        ("set <climate:空调> fan <level:2档>", "fan=medium"),
        ("set <fan:风扇> speed high", "speed=100"),
        ("set <fan:风扇> value <level:1档>", "speed=33"),
        ("set <fan:风扇> fan <percent:1%>", "speed=1"),
        ("set <fan:风扇> swing on", "oscillating=True"),
        ("set <fan:风扇> swing off", "oscillating=False"),
        ("set <cover.curtain:窗帘> value <percent:一半>", "position=50"),
        ("set <media_player:电视> value <number:30>", "volume=30"),
        ("set <media_player:电视> source <source:视频>", "source=show"),
        ("set <media_player:电视> value <option:video>", "source=show"),
        ("set <humidifier:加湿器> value <mode:sleep>", "mode=sleep"),
        ("set <humidifier:加湿器> value <percent:60%>", "humidity=60"),
        ("set <seat:座椅> heating <level:3档>", "heating=3"),
        ("set <seat:座椅> heating off", "heating=0"),
        ("set <charger:充电> value <percent:90%>", "limit=90"),
        ("set volume value <percent:30%>", "value=30"),
        ("set <select.drive_mode:驾驶模式> value <option:snow>", "value=snow"),
        ("more <light:小白> brightness", "brightness=100"),
        ("less <light:小白> brightness by <number:30>", "brightness=50"),
        ("more <light:小白> warmth", "color_temperature=3500"),
        ("less <light:小白> warmth", "color_temperature=4500"),
        ("more <climate:空调> temperature", "temperature=25"),
        ("less <climate:空调> temperature by <degree:8度>", "temperature=16"),
        ("more <climate:空调> fan", "fan=high"),
        ("more <fan:风扇> speed", "speed=53"),
        ("less <media_player:电视> volume", "volume=5"),
        ("more <water_heater:热水器> temperature", "temperature=55"),
        ("more <humidifier:加湿器> value", "humidity=60"),
        ("more <seat:座椅> heating", "heating=1"),
        ("less <seat:座椅> heating", "heating=0"),
        ("more volume value", "value=60"),
    ],
)
def test_what_values(world: World, form: str, call: str) -> None:
    (only,) = does(world, form)
    assert only.split(" ", 2)[2] == call


@pytest.mark.parametrize(
    ("said", "form", "call"),
    [
        ("空调调低到19度", "less <climate:空调> temperature by <degree:19度>", "temperature=19"),
        ("空调再调低到19度", "less <climate:空调> temperature by <degree:19度>", "temperature=19"),
        ("空调调低7度", "less <climate:空调> temperature by <degree:7度>", "temperature=17"),
        ("空调再低19度", "less <climate:空调> temperature by <degree:19度>", "temperature=5"),
        ("加湿器再加20%", "more <humidifier:加湿器> value by <percent:20%>", "humidity=70"),
        ("加湿器调高到60%", "more <humidifier:加湿器> value by <percent:60%>", "humidity=60"),
        ("Desk Lamp down to 30%", "less <light:Desk Lamp> value by <percent:30%>", "brightness=30"),
        ("Desk Lamp down 30%", "less <light:Desk Lamp> value by <percent:30%>", "brightness=50"),
    ],
)
def test_a_number_may_be_a_goal(world: World, said: str, form: str, call: str) -> None:
    """Behind "to" or 到 it is."""
    (part,) = means(world, form, said=said)
    assert isinstance(part, Do)
    assert [shown(one).split(" ", 2)[2] for one in part.calls] == [call]


def test_the_sentence_knows_more_than_the_class(tmp_path: Path) -> None:
    home = house(
        tmp_path,
        """
name: home
speaker: a
now: 2026-11-26 19:30
areas: [{id: a, names: [A]}, {id: b, names: [B]}]
entities:
  - {id: media_player.tv, names: [客厅电视, TV], area: a, state: playing, attributes: {volume: 9}}
  - {id: media_player.bar, names: [音箱, bar], area: a, state: playing, attributes: {volume: 5}}
  - {id: media_player.box, names: [Blue Buddy], area: b, state: "off", attributes: {volume: 5}}
  - {id: fan.hood, names: [油烟机, cooker hood], area: a, state: "off"}
  - {id: fan.up, names: [吊扇], area: a, state: "off"}
  - {id: cover.sky, names: [skylight], state: closed, attributes: {kind: sunroof}}
  - {id: cover.pane, names: [pane], area: a, state: closed, attributes: {kind: window}}
""",
    )

    def devices(form: str, said: str, speaker: str = "a") -> list[str]:
        (part,) = means(home, form, said=said, speaker=speaker)
        assert isinstance(part, Do)
        return [one.entity for one in part.calls]

    assert devices("off media", "关掉电视") == ["media_player.tv"]
    assert devices("off media", "stop the music") == ["media_player.tv", "media_player.bar"]
    assert devices("less media volume", "音箱小声点") == ["media_player.bar"]
    assert devices("off media", "TV and speakers off") == ["media_player.tv", "media_player.bar"]
    # What is called nothing else may be one, if it is here.
    assert devices("on media", "turn on the TV", "b") == ["media_player.box"]
    assert devices("on media all", "turn on the TV", "b") == ["media_player.tv"]
    assert devices("wish loud", "电视太吵了") == ["media_player.tv"]
    assert devices("on fan", "打开吊扇") == ["fan.up"]
    assert devices("open window", "open the skylight") == ["cover.sky"]
    assert devices("open window", "open the window") == ["cover.pane"]
    (part,) = means(home, "on fan all", said="start the extractor fan")
    assert part == Absent(thing="fan")


def test_brighter_lights_none_that_is_off(world: World) -> None:
    both = so(world, "light.torch", state="on").updated("light.desk", {"state": "on"})
    assert does(world, "more light all brightness", both) == ["set light.desk brightness=100"]
    dark = so(world, "light.torch", state="on")
    assert means(world, "more light all brightness", state=dark) == (Unable("light.torch"),)


def test_of_a_class_what_lacks_the_attribute_is_not_meant(world: World) -> None:
    assert does(world, "set light all brightness <percent:5%>") == ["set light.desk brightness=5"]
    # Alone it is, and the guard says that it has none.
    assert does(world, "set light brightness <percent:5%>", speaker="attic") == [
        "set light.torch brightness=5"
    ]


@pytest.mark.parametrize(
    ("form", "call"),
    [
        ('add <todo:购物清单> "Brown Bread"', "add todo.shopping item=Brown Bread"),
        ("remove shopping <item:牛奶>", "remove todo.shopping item=牛奶"),
        ('remove todo "egg"', "remove todo.shopping item=Eggs"),
        ('remove todo "beer"', "remove todo.shopping item=beer"),
        ("remove todo all but <item:eggs>", "remove todo.shopping item=牛奶"),
        ("add timer <duration:三分钟>", "start timer.home seconds=180"),
        ('add timer "egg" <duration:三分钟>', "start timer.home label=egg seconds=180"),
        ("remove timer all", "cancel timer.home"),
        ("remove timer <duration:一分钟>", "cancel timer.home seconds=60 label=tea"),
        ("add alarm <time:明早六点半>", "add alarm.home time=06:30 days=once"),
        ("add alarm <time:每天早上六点>", "add alarm.home time=06:00 days=daily"),
        ("add alarm <duration:半小时>", "add alarm.home time=20:00 days=once"),
        ("remove alarm <time:七点>", "remove alarm.home time=07:00 days=weekdays"),
        ('add reminder "交报告" <time:明天下午两点>',
         "add reminder.home text=交报告 at=2026-11-27 14:00"),
        ('add reminder "交报告" <day:明天>', "add reminder.home text=交报告 at=2026-11-27 09:00"),
        ('add calendar "Lunch" <time:半小时后>',
         "add calendar.home title=Lunch at=2026-11-26 20:00"),
        ("remove reminder <title:交费>", "remove reminder.home text=交费 at=2026-11-28 10:00"),
        ("remove calendar <day:后天>", "remove calendar.home title=Piano at=2026-11-28 10:00"),
        ("call <contact:Mum>", "call dialer.phone contact=妈妈"),
        ('call "mike"', "call dialer.phone contact=Mike Thompson"),
        ('send <contact:迈克> "See You, 7 pm"',
         "send messenger.phone contact=Mike Thompson text=See You, 7 pm"),
        ("hangup", "hang_up dialer.phone"),
        ("arrive", "stop navigator.car"),
        ("navigate <place:公司>", "navigate navigator.car place=公司"),
        ("go <area:attic>", "go_to robot.dog place=attic"),
        ("go here", "go_to robot.dog place=hall"),
        ("follow me", "follow robot.dog target=speaker"),
        ("follow <target:爷爷>", "follow robot.dog target=爷爷"),
        ("walk <metre:2米>", "walk robot.dog distance=2"),
        ("walk <metre:2米> back", "walk robot.dog distance=-2"),
        ("turn 90 left", "turn robot.dog angle=-90"),
        ("turn <number:30> right", "turn robot.dog angle=30"),
        ("halt", "stop robot.dog"),
        ("patrol", "patrol robot.dog"),
        ("stop <timer:计时器>", "cancel timer.home"),
    ],
)  # fmt: skip
def test_lists_phone_and_robot(world: World, form: str, call: str) -> None:
    assert does(world, form) == [call]


@pytest.mark.parametrize(
    ("form", "part"),
    [
        ("talk", Talk()),
        ("yes", Yes()),
        ("no", No()),
        ("undo", Undo()),
        ("ask clock", Clock(day=False)),
        ("ask date", Clock(day=True)),
        ('absent "Oven"', Absent(words="Oven")),
        ('unable "weld"', Unable(words="weld")),
        ('unable <robot:旺财> "weld"', Unable("robot.dog", "weld")),
        ("on fan at <area:attic>", Absent(thing="fan", places=("attic",))),
        ("off charger at <floor:一楼>", Absent(thing="charger", places=("hall",))),
        ("on blind at <area:attic>", Absent(thing="blind", places=("attic",))),
        ('go "moon"', Absent(words="moon", thing="place")),
        ('launch "知乎"', Absent(words="知乎", thing="app")),
        ('call "zoe"', Absent(words="zoe", thing="contact")),
        ("set <switch:水壶> temperature <degree:50度>", Unable("switch.kettle")),
        ("pause <light:小白>", Unable("light.desk")),
        ("off fan all but <fan:风扇>", Absent(thing="fan")),
        ("remove <todo:购物清单> all but <item:牛奶> <item:eggs>", Absent(thing="item")),
        ("stop <cover.curtain:窗帘>", Unable("cover.curtain")),
        ("start <lock:门锁>", Unable("lock.front")),
        ("set <lock:门锁> value half", Unable("lock.front")),
        ("ask <light:小白> state", Question(("light.desk",), "state")),
        ("ask <light:小白> warmth", Question(("light.desk",), "color_temperature")),
        ("ask <light:torch> brightness", Question(("light.torch",), "state")),
        ("ask light all state", Question(("light.desk", "light.torch"), "state")),
        ("ask everything at <area:attic> list", Question(("light.torch",), "list")),
        ("ask <water_heater:热水器> measured", Question(("water_heater.smith",),
                                                      "current_temperature")),
        ("ask <water_heater:热水器> value", Question(("water_heater.smith",), "temperature")),
        ("ask <vacuum:多比> where", Question(("vacuum.dobby",), "area")),
        ("ask <robot:旺财> battery", Question(("robot.dog",), "battery")),
        ("ask temperature state", Question(("climate.hall",), "current_temperature")),
        ("ask temperature at <area:attic> state", Absent(thing="temperature", places=("attic",))),
        ("ask co2 state", Absent(thing="co2")),
        ("ask rain state", Question(("binary_sensor.rain",), "state")),
        ("ask door state", Question(("cover.gate", "cover.garage", "lock.front"), "state")),
        ("ask shopping list", Question(("todo.shopping",), "items")),
        ("ask alarm list", Question(("alarm.home",), "alarms")),
        ("name <light:小白> \"Snow\"", Teach("name", name="Snow", about=("light.desk",))),
        ('forget "Snow"', Teach("forget", name="Snow")),
        ("prefer temperature <degree:25度>", Teach("prefer", key="temperature", value=25)),
        ('routine "睡了" ; off light',
         Teach("routine", name="睡了", calls=(Call("turn_off", "light.desk"),))),
    ],
)  # fmt: skip
def test_what_is_no_call(world: World, form: str, part: Part) -> None:
    assert means(world, form) == (part,)


def test_later(world: World) -> None:
    off = Call("turn_off", "light.desk")
    assert means(world, "when <time:十分钟后> : off light") == (Do((off,), parse_when("+600")),)
    assert means(world, "when <time:每天早上七点> : off light") == (
        Do((off,), parse_when("07:00"), "daily"),
    )
    (day,) = means(world, "when <day:明天> : off light")
    assert day == Do((off,), parse_when("2026-11-27 09:00"))
    now, later = means(world, "on fan ; when <time:日落> : off light")
    assert now == Do((Call("turn_on", "fan.round"),))
    assert later == Do((off,), parse_when("sunset"))


def test_a_diary_on_a_day(world: World) -> None:
    (part,) = means(world, "ask calendar list <day:明天>")
    assert isinstance(part, Agenda)
    assert part.entities == ("calendar.home",)
    assert part.about.day == datetime.date(2026, 11, 27)


def test_valid_parts_are_done_beside_what_is_not_there(world: World) -> None:
    assert means(world, 'off <light:小白> ; absent "piano lamp"') == (
        Do((Call("turn_off", "light.desk"),)),
        Absent(words="piano lamp"),
    )


def test_it_is_what_was_talked_about(world: World) -> None:
    focus = Focus().after(means(world, "on <fan:风扇>"))
    assert focus.ids == ("fan.round",)
    assert means(world, "set it speed low", focus=focus) == (
        Do((Call("set", "fan.round", {"speed": 33}),)),
    )
    # A fan has no colour: of what has one, what is here.
    assert means(world, "set it color red", focus=focus) == (
        Do((Call("set", "light.desk", {"color": "red"}),)),
    )
    assert means(world, "off it", focus=Focus()) == ()
    assert means(world, 'add it "tea"', focus=focus) == (
        Do((Call("add", "todo.shopping", {"item": "tea"}),)),
    )
    asked = focus.after(means(world, "ask <light:小白> state", focus=focus))
    assert asked.ids == ("light.desk",)
    assert focus.after(means(world, "talk", focus=focus)).ids == ("fan.round",)


def test_a_clause_can_be_about_the_one_before(world: World) -> None:
    assert does(world, "on <light:torch> ; off it") == [
        "turn_on light.torch",
        "turn_off light.torch",
    ]


def test_it_is_asked_which_and_answered(world: World) -> None:
    asked = means(world, "set <light:台灯> brightness <percent:5%>", speaker="")
    # Only one of the two can be dimmed.
    assert asked == (Do((Call("set", "light.desk", {"brightness": 5}),)),)
    (which,) = means(world, "when <time:日落> : on <light:台灯>", speaker="")
    assert isinstance(which, Which)
    assert which.candidates == ("light.desk", "light.torch")
    focus = Focus().after((which,))
    for answer in (
        "pick <area:阁楼>", "pick <light:torch>", "pick <ordinal:第二个>", 'pick "attic"',
        "pick <light:台灯> at <area:阁楼>",
    ):  # fmt: skip
        (part,) = means(world, answer, speaker="", focus=focus)
        assert part == Do((Call("turn_on", "light.torch"),), parse_when("sunset")), answer
    for said in ("哦", "which two", "都在哪儿"):  # whatever a model makes of it
        assert means(world, "pick everything all", said=said, speaker="", focus=focus) == (which,)
    (both,) = means(world, "pick everything all", said="both", speaker="", focus=focus)
    assert isinstance(both, Do)
    assert [one.entity for one in both.calls] == ["light.desk", "light.torch"]
    (near,) = means(world, "pick everything", speaker="attic", focus=focus)
    (other,) = means(world, "pick everything elsewhere", speaker="hall", focus=focus)
    assert near == other == Do((Call("turn_on", "light.torch"),), parse_when("sunset"))
    (again,) = means(world, 'pick "moon"', speaker="", focus=focus)
    assert again == which
    assert means(world, "pick <area:阁楼>") == ()
    # Said in the hall, the answer by name is the one in the hall.
    (here,) = means(world, "pick <light:台灯>", focus=focus)
    assert isinstance(here, Do)
    assert here.calls == (Call("turn_on", "light.desk"),)


def test_several_people_or_places_can_be_meant(world: World) -> None:
    assert means(world, 'go "阁"') == (Do((Call("go_to", "robot.dog", {"place": "attic"}),)),)
    (which,) = means(world, 'send "m" "hello"')
    assert isinstance(which, Which)
    assert (which.kind, which.candidates) == ("contact", ("妈妈", "Mike Thompson"))
    focus = Focus().after((which,))
    call = Call("send", "messenger.phone", {"contact": "妈妈", "text": "hello"})
    assert means(world, "pick <contact:Mum>", focus=focus) == (Do((call,)),)
    assert means(world, 'pick "mum"', focus=focus) == (Do((call,)),)


def test_the_person_last_spoken_of(world: World) -> None:
    focus = Focus().after(means(world, 'send <contact:Mum> "hi"'))
    (part,) = means(world, 'send it "hello"', focus=focus)
    assert part == Do((Call("send", "messenger.phone", {"contact": "妈妈", "text": "hello"}),))
    assert means(world, "call it", focus=focus) == (
        Do((Call("call", "dialer.phone", {"contact": "妈妈"}),)),
    )
    assert means(world, "call it") == (Absent(thing="contact"),)


def test_a_mark_that_is_not_there_means_nothing(world: World) -> None:
    for text in ("on <light>1", "when <time>2 : on light", "walk <metre>1", "call <contact>1"):
        parts = resolve(
            parse_form(text), Marked("x", (), "x"), world, initial(world), speaker="hall", now=NOW
        )
        assert not any(isinstance(one, Do) for one in parts), text
