"""Names that were misheard are found; conversation is not taken for a name."""

from __future__ import annotations

import re

import pytest

from qingyu.act.marks.sound import distance, loose_syllable, readings, skeleton, spoken
from tests.act.test_marks import marks


@pytest.mark.parametrize(
    ("home", "text", "marked"),
    [
        ("terrace_house", "罗马连拉起来", "<cover.blind>1拉起来"),
        ("terrace_house", "米利屋暖气十九度", "<climate>1<degree>2"),
        ("terrace_house", "把钓于灯关掉", "把<light>1关掉"),
        ("terrace_house", "奶平消读器停掉", "<switch>1停掉"),
        ("terrace_house", "岛抬灯亮一下", "<light>1亮一下"),
        ("terrace_house", "启居室的灯", "<area>1的灯"),
        ("student_flat", "壁挂鸡开到二十三度", "<climate>1开到<degree>2"),
        ("student_flat", "打开大夜扇", "打开<fan>1"),
        ("student_flat", "把大页散开开", "把<fan>1开开"),
        ("student_flat", "让步丁去扫饭厅", "让<vacuum>1去扫<area>2"),
        ("student_flat", "林浴间的灯", "<area>1的灯"),
        ("terrace_house", "天井栅们打开", "<cover.gate>1打开"),
        ("terrace_house", "patio gait open", "<cover.gate>1 open"),
        ("old_car", "测滑门拉开", "<cover.door>1拉开"),
        ("work_phone", "打开废书", "打开<app>1"),
        ("work_phone", "给童童打电话", "给<contact>1打电话"),
        ("terrace_house", "open the row man blind", "open the <cover.blind>1"),
        ("terrace_house", "set millys radiater too nineteen", "set <climate>1 too <number>2"),
        ("terrace_house", "bottle sterilizer off", "<switch>1 off"),
        ("terrace_house", "turn the ark lamp on", "turn the <light>1 on"),
        ("terrace_house", "extracter on please", "<fan>1 on please"),
        ("student_flat", "wall you knit on", "<climate>1 on"),
        ("student_flat", "switch the big skreen on", "switch the <media_player>1 on"),
        ("student_flat", "start the nudle pot", "start the <switch>1"),
        ("old_car", "take me to the hole sail market", "take me to the <place>1"),
        # Repetitions belong to the name.
        ("terrace_house", "饼饼饼干扫地去", "<vacuum>1扫地去"),
        ("student_flat", "布丁布丁去扫饭厅", "<vacuum>1去扫<area>2"),
        ("student_flat", "大叶呃大叶扇", "<fan>1"),
        ("old_car", "to the petrol er petrol station", "to the <place>1"),
    ],
)  # fmt: skip
def test_misheard_names(home: str, text: str, marked: str) -> None:
    assert marks(home, text) == marked


TALK = [
    "说不定明天就好了", "他打进一个球", "最后打平了", "小脚丫冻坏了", "我补丁打好了吗",
    "今天天气不错啊", "你觉得呢，我是不是太敏感了", "斑马等人都走了才过马路", "我在想晚上吃什么",
    "别闹了好不好", "谢谢你，辛苦了", "昨天的面条真好吃", "宝宝睡着了吗", "那部电影讲的是什么",
    "能不能给我讲个笑话", "老板今天又骂人了", "红烧肉怎么做", "爬上达也善",
    "打开大品", "我的心情不太好",
    "他们分散注意力了", "冰感冒不了", "这个大惊小怪的家伙", "谈元宵节的来历",
    "that's cheaper than I thought", "I want bacon and eggs", "tell me a story about a dragon",
    "what a lovely basket", "she has a copper ring", "it must be foggy outside",
    "the weather is perishing", "who wrote war and peace", "my back hurts a lot",
    "it was a romantic blend", "did you padding the walls", "thank you, you are a star",
    "what is the capital of Peru", "we walked until night fell",
    "can you believe the price of butterflies", "he will test her patience",
]  # fmt: skip


@pytest.mark.parametrize("text", TALK)
@pytest.mark.parametrize("home", ["student_flat", "old_car", "terrace_house"])
def test_conversation_is_no_name(home: str, text: str) -> None:
    assert re.findall(r"<(?!time|day|number|ordinal)[a-z_.]+>", marks(home, text)) == []


def test_kinds_of_things_are_written_right() -> None:
    assert marks("student_flat", "把空条打开") == "把空调打开"
    assert marks("student_flat", "我的房间的床连拉上") == "<area>1的窗帘拉上"
    assert marks("student_flat", "他给我的印象很深") == "他给我的印象很深"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("nan", "lan", True), ("zhang", "zan", True), ("shi", "si", True), ("fei", "hui", True),
        ("fang", "huang", True), ("ping", "pin", True), ("deng", "den", True), ("ma", "na", False),
        ("dong", "don", False),
    ],
)  # fmt: skip
def test_syllables_that_are_confused(one: str, other: str, same: bool) -> None:
    assert (loose_syllable(one) == loose_syllable(other)) is same


def test_readings_have_no_tones() -> None:
    assert {"hang", "xing"} <= readings("行")
    assert readings("绿") >= {"lv"}
    assert readings("a") == {"a"}
    assert readings("，") == frozenset()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("radiater", "radiator"), ("knit", "nit"), ("wright", "rite"), ("foto", "photo"),
        ("skreen", "screen"), ("hole", "whole"),
    ],
)  # fmt: skip
def test_english_words_of_one_sound(one: str, other: str) -> None:
    assert skeleton(spoken(one)) == skeleton(spoken(other))


def test_distance() -> None:
    assert distance("kitten", "sitting") == 3
    assert distance("", "abc") == 3
