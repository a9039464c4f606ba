"""Sentences with their names, numbers and times as marks."""

from __future__ import annotations

import datetime
import unicodedata
from functools import cache
from importlib.resources import as_file, files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qingyu.act.marks.mark import MARK
from qingyu.act.marks.marker import Marker
from qingyu.act.marks.text import narrow
from qingyu.act.state import initial
from qingyu.act.world import World
from qingyu.act.world_file import make_world, read_world

NOW = datetime.datetime(2026, 9, 15, 22, 10)


@cache
def world(name: str) -> World:
    with as_file(files("qingyu.act.bench") / "worlds" / f"{name}.yaml") as path:
        return read_world(path)


@cache
def marker(name: str) -> Marker:
    return Marker(world(name))


def marks(name: str, text: str) -> str:
    return marker(name).mark(text, initial(world(name)), NOW).text


def value(name: str, text: str, number: int = 1) -> Any:
    found = marker(name).mark(text, initial(world(name)), NOW).mark(number)
    assert found is not None
    return found.value


@pytest.mark.parametrize(
    ("home", "text", "marked"),
    [
        # Names, in any language and script, with and without blanks and marks.
        ("student_flat", "Turn the 彩珠灯 on", "turn the <light>1 on"),
        ("student_flat", "把書桌燈關了", "把<light>1关了"),
        ("student_flat", "big blade fan off", "<fan>1 off"),
        ("student_flat", "twinkle light off", "<light>1 off"),
        ("student_flat", "one firefly is out", "one <light>1 is out"),
        ("student_flat", "布丁’s battery?", "<vacuum>1's battery?"),
        ("terrace_house", "switch plug seven off", "switch <switch>1 off"),
        ("terrace_house", "7号插头断电", "<switch>1断电"),
        ("terrace_house", "millys radiator up", "<climate>1 up"),
        ("terrace_house", "天井栅门和红门", "<cover.gate>1和<lock>2"),
        ("terrace_house", "电表多少, 天井气温呢", "<sensor.energy>1多少, <sensor.temperature>2呢"),
        ("terrace_house", "is Milly's window sensor on", "is <binary_sensor.window>1 on"),
        ("work_phone", "背光调暗", "<level.brightness>1调暗"),
        # The longest name wins, devices before options, names before numbers.
        ("terrace_house", "关浴室射灯和射灯", "关<light>1和<light>2"),
        ("terrace_house", "bathroom spotlights off", "<light>1 off"),
        ("factory_robot", "七号去料库", "<robot>1去<area>2"),
        ("factory_robot", "M-7 go to line b", "<robot>1 go to <area>2"),
        ("terrace_house", "set plug seven forty five", "set <switch>1 <number>2"),
        ("terrace_house", "is the plug 7.5 volts", "is the plug <number>1 volts"),
        ("student_flat", "the woodchopper left", "the woodchopper left"),
        ("student_flat", "puddinghead", "puddinghead"),
        # Places and people.
        ("terrace_house", "楼上的灯和baby room的灯", "<floor>1的灯和<area>2的灯"),
        ("student_flat", "里奥屋还有Leo的房间", "<area>1还有<area>2"),
        ("student_flat", "Leo房间的灯", "<area>1的灯"),
        ("work_phone", "给桐桐打个电话", "给<contact>1打个电话"),
        ("work_phone", "ring Sarah Miller", "ring <contact>1"),
        # Options.
        ("work_phone", "open CamScanner", "open <app>1"),
        ("work_phone", "去3号仓怎么走", "去<place>1怎么走"),
        ("old_car", "put FM on", "put <source>1 on"),
        ("old_car", "前灯换小灯", "<select.headlights>1换<mode>2"),
        ("old_car", "power setting to economy", "<select.drive_mode>1 to <mode>2"),
        ("old_car", "economy please", "<mode>1 please"),
        ("old_car", "what about the economy", "what about the economy"),
        ("terrace_house", "Misty in sleep mode", "<humidifier>1 in <mode>2 mode"),
        ("terrace_house", "it is time for her to sleep", "it is time for her to sleep"),
        ("terrace_house", "switch Misty to sleep", "switch <humidifier>1 to <mode>2"),
        ("factory_robot", "跟着我", "跟着我"),
        ("factory_robot", "follow Annie", "follow <target>1"),
        # Items and titles of now.
        ("terrace_house", "尿布买了", "<item>1买了"),
        ("work_phone", "客户拜访取消", "<title>1取消"),
        # Numbers, durations, times, days.
        ("terrace_house", "雾雾调到百分之六十", "<humidifier>1调到<percent>2"),
        ("terrace_house", "boiler to 60", "<water_heater>1 to <number>2"),
        ("terrace_house", "大金二十一度半", "<climate>1<degree>2"),
        ("student_flat", "dinner light 4200 kelvin", "<light>1 <kelvin>2"),
        ("student_flat", "直升机三档", "<fan>1<level>2"),
        ("factory_robot", "往前走两米半", "往前走<metre>1"),
        ("factory_robot", "右转九十度", "右转<angle>1"),
        ("student_flat", "pomodoro, fifty minutes", "<timer>1, <duration>2"),
        ("student_flat", "十分钟后关考研灯", "<time>1关<light>2"),
        ("student_flat", "everything off after sunset", "everything off <time>1"),
        ("student_flat", "明天有什么安排", "<day>1有什么安排"),
        ("student_flat", "第二个", "<ordinal>1"),
        # "At ten" is what the device and the verb make of it.
        ("work_phone", "backlight at ten", "<level.brightness>1 at <number>2"),
        ("student_flat", "cram lamp off at ten", "<light>1 off at <time>2"),
        ("work_phone", "wake me at ten", "wake me at <time>1"),
        ("student_flat", "wake me tomorrow at ten in the morning", "wake me <time>1"),
        ("student_flat", "straw hat on, dinner for two", "<light>1 on, dinner for <number>2"),
        # What the model knows stays.
        ("student_flat", "fireflies in blue, brightest", "<light>1 in blue, brightest"),
        ("student_flat", "关灯", "关灯"),
        ("terrace_house", "all the lights off", "all the lights off"),
        ("terrace_house", "set it to cool", "set it to cool"),
    ],
)  # fmt: skip
def test_mentions(home: str, text: str, marked: str) -> None:
    assert marks(home, text) == marked


@pytest.mark.parametrize(
    ("home", "text", "marked"),
    [
        ("student_flat", "all but the twinkle ones", "all but the <light>1"),
        ("student_flat", "the straw hats", "the <light>1"),
        ("student_flat", "turn off the wheezer", "turn off the <climate>1"),
        ("student_flat", "棉帘放下", "<cover.blind>1放下"),
        ("student_flat", "饭桌上的灯关了", "<light>1关了"),
        ("work_phone", "earpiece at 45", "<level.volume>1 at <number>2"),
        ("terrace_house", "煮蛋，六分半钟", "<timer>1,<duration>2"),
        ("terrace_house", "怎么煮蛋好吃", "怎么煮蛋好吃"),
        ("terrace_house", "篱笆的给个紫色", "<light>1的给个紫色"),
        ("terrace_house", "篱笆那盏灯", "<light>1"),
        ("terrace_house", "起居室的热泵", "<area>1的<climate>2"),
        ("terrace_house", "the heat pump in the lounge", "the <climate>1 in the <area>2"),
        ("terrace_house", "消毒器停了吧", "<switch>1停了吧"),
        ("terrace_house", "star blinds down", "star blinds down"),
        ("terrace_house", "星星窗帘拉上", "<cover.curtain>1拉上"),
        ("terrace_house", "the steriliser, please", "the <switch>1, please"),
        ("terrace_house", "米粒的灯", "<area>1的灯"),
        ("terrace_house", "the bedroom lights", "the <area>1 lights"),
        ("student_flat", "just skip Leo's", "just skip <area>1"),
        ("student_flat", "除了Leo的，灯一律关", "除了<area>1的,灯一律关"),
        ("work_phone", "call Zhou", "call <contact>1"),
        ("work_phone", "打给那个姓周的", "打给那个<contact>1"),
        ("work_phone", "雨桐在吗", "<contact>1在吗"),
        # Others of the same first name or title are not known.
        ("work_phone", "李雨桐在吗", "李雨桐在吗"),
        ("work_phone", "打给李经理", "打给李经理"),
        ("work_phone", "打给经理", "打给<contact>1"),
        ("factory_robot", "开到产线那边", "开到<area>1那边"),
        ("factory_robot", "go to the line", "go to the <area>1"),
        ("factory_robot", "read me a line", "read me a line"),
        ("factory_robot", "mule, sit", "<robot>1, sit"),
    ],
)  # fmt: skip
def test_parts_of_names(home: str, text: str, marked: str) -> None:
    assert marks(home, text) == marked


def test_what_marks_mean() -> None:
    assert value("student_flat", "把书桌灯调亮") == ("light.cram",)
    assert value("terrace_house", "关掉夹子灯") == ("light.lounge_clip", "light.bedroom_clip")
    assert value("terrace_house", "楼上") == ("upper",)
    assert value("work_phone", "call Kev") == ("周凯",)
    assert value("work_phone", "call Zhou") == ("周凯", "周雨桐")
    assert value("factory_robot", "去产线") == ("line_a", "line_b")
    assert value("work_phone", "open Lark") == "Lark"
    assert value("work_phone", "去3号仓") == "3号仓"
    assert value("terrace_house", "remove 黄油") == "黄油"
    assert value("terrace_house", "调到百分之四十") == 40
    assert value("terrace_house", "六分半钟") == 390
    time = value("terrace_house", "半小时后")
    assert str(time.when) == "+1800"
    assert time.spans == ((0, 4),)


def test_places_are_those_of_the_original_text() -> None:
    text = "  Please  turn“Straw  Hat”關了，１０分鐘后"
    marked = marker("student_flat").mark(text, initial(world("student_flat")), NOW)
    assert marked.text == "please turn“<light>1”关了,<time>2"
    light, time = marked.marks
    assert (light.words, text[light.start : light.end]) == ("Straw  Hat", "Straw  Hat")
    assert (time.words, time.value.spans) == ("１０分鐘后", ((time.start, time.end),))  # type: ignore[union-attr]


def test_the_original_words_come_back() -> None:
    text = "Send Kev: 我晚點到 (HQ, 3 PM)！"
    marked = marker("work_phone").mark(text, initial(world("work_phone")), NOW)
    assert marked.text == "send <contact>1: 我晚点到 (<place>2, <time>3)!"
    assert marked.original("我晚点到 (<place>2, <time>3)!") == "我晚點到 (HQ, 3 PM)！"
    assert marked.original("<contact>1") == "Kev"
    assert marked.original("no such piece") == "no such piece"


def test_a_lone_day_is_text_beside_its_time() -> None:
    marked = marker("work_phone").mark("明天叫我七点起床", initial(world("work_phone")), NOW)
    assert marked.text == "明天叫我<time>1起床"
    assert str(marked.marks[0].value.when) == "2026-09-16 07:00"  # type: ignore[union-attr]


def test_no_more_than_nine_marks() -> None:
    text = marks(
        "student_flat",
        "草帽 " * 3 + "布丁 大屏 大叶扇 复印机 壁挂机 煮面锅 淋浴灯 蓝胖子 防盗门 黑幕",
    )
    assert text.count("<") == 9
    assert text.endswith("黑幕")


def test_signs_of_forms_are_none_in_a_sentence() -> None:
    assert marks("student_flat", 'say "<light>1" 5') == "say '(light)<number>1' <number>2"


def test_a_figure_behind_a_mark_stays_apart() -> None:
    assert marks("student_flat", "草帽40") == "<light>1<number>2"
    # The text has no number: 40 belongs to a word.
    assert marks("student_flat", "布丁4k屏") == "<vacuum>1<kelvin>2屏"


def test_a_time_wins_over_a_scene_within_it() -> None:
    home = make_world(
        {
            "name": "home",
            "entities": [
                {"id": "light.hall", "names": ["走廊灯", "hall light"], "state": "off"},
                {"id": "scene.morning", "names": ["早上", "morning"],
                 "attributes": {"sets": {"light.hall": {"state": "on"}}}},
            ],
        }
    )  # fmt: skip
    marker = Marker(home)
    for text, marked in (
        ("明天早上七点开走廊灯", "<time>1开<light>2"),
        ("启动早上", "启动<scene>1"),
        ("morning!", "<scene>1!"),
    ):
        assert marker.mark(text, initial(home), NOW).text == marked


def test_a_room_and_a_device_of_one_name() -> None:
    home = make_world(
        {
            "name": "home",
            "areas": [{"id": "garage", "names": ["车库", "garage"]}],
            "entities": [
                {"id": "cover.garage", "names": ["车库", "garage"], "area": "garage",
                 "state": "closed", "attributes": {"kind": "garage"}},
            ],
        }
    )  # fmt: skip
    marker = Marker(home)
    for text, marked in (
        ("打开车库", "打开<cover.garage>1"),
        ("车库的灯", "<area>1的灯"),
        ("open the garage", "open the <cover.garage>1"),
        ("lights in the garage", "lights in the <area>1"),
    ):
        assert marker.mark(text, initial(home), NOW).text == marked


def test_items_are_those_of_now() -> None:
    home = world("terrace_house")
    state = initial(home)
    marker = Marker(home)
    assert marker.mark("草莓买了", state, NOW).text == "草莓买了"
    later = state.updated("todo.tobuy", {"items": ("草莓", "茶")})
    assert marker.mark("草莓买了, 茶也买了", later, NOW).text == "<item>1买了, <item>2也买了"
    assert marker.mark("茶几上有什么", later, NOW).text == "茶几上有什么"
    assert marker.mark("尿布买了", later, NOW).text == "尿布买了"


WORDS = st.sampled_from([
    "打开", "关掉", "草帽", "布丁", "饼饼", "Leo", "'s", "的", "twinkle", "lights", "pudding",
    "二十", "度", "10", "at",
    "分钟", "后", "明天", "<light>1", '"', "，", "。", "ﷺ", "½", "é", "\u0301",
    "\ufeff", "wall you knit", "罗马", "壁挂鸡", "tomorrow", "half past seven", "the", "百分之",
    "\n", "\ud800", "İ", "ß", "℃", "燈",
])  # fmt: skip
TEXTS = st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=14).map("".join),
                  st.lists(WORDS, max_size=10).map(" ".join))  # fmt: skip


def _letters(text: str) -> str:
    """What a text is up to simplification."""
    return unicodedata.normalize("NFKC", narrow(text)).replace(" ", "")


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_any_text(text: str) -> None:
    marked = marker("student_flat").mark(text, initial(world("student_flat")), NOW)
    assert [int(one[1]) for one in MARK.findall(marked.text)] == list(
        range(1, len(marked.marks) + 1)
    )
    ends = 0
    for one in marked.marks:
        assert ends <= one.start < one.end <= len(text)
        assert one.words == text[one.start : one.end]
        ends = one.end
    whole = marked.original(marked.text)
    assert _letters(whole) == _letters(text)
    assert '"' not in marked.text
    assert "\n" not in marked.text
    assert marked.text == " ".join(marked.text.split(" "))


def test_a_part_of_two_names_is_neither() -> None:
    home = make_world(
        {
            "name": "home",
            "entities": [
                {"id": "switch.bottles", "names": ["bottle steriliser"], "state": "off"},
                {"id": "switch.tools", "names": ["tool steriliser"], "state": "off"},
                {"id": "switch.iron", "names": ["travel straightener"], "state": "off"},
            ],
        }
    )
    marker = Marker(home)
    for text, marked in (
        ("the steriliser off", "the steriliser off"),
        ("the straightener off", "the <switch>1 off"),
    ):
        assert marker.mark(text, initial(home), NOW).text == marked
