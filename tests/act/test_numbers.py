"""Numbers and units as people say and type them."""

from __future__ import annotations

import random

import pytest

from qingyu.act.spoken.numbers import Number, find_numbers
from tests.act.spoken_numbers import spoken

ONE = [
    # Chinese
    ("空调调到二十六度半", "二十六度半", 26.5, "degree"),
    ("壁挂机设成24度半", "24度半", 24.5, "degree"),
    ("亮度百分之五十", "百分之五十", 50, "percent"),
    ("亮度百分之百", "百分之百", 100, "percent"),
    ("调到一半", "一半", 50, "percent"),
    ("窗帘开三分之一", "三分之一", 33, "percent"),
    ("开四分之三", "四分之三", 75, "percent"),
    ("推窗开三成", "三成", 30, "percent"),
    ("色温两千二", "两千二", 2200, ""),
    ("书桌灯色温一万", "一万", 10000, ""),
    ("背光一百八，越亮越好", "一百八", 180, ""),
    ("音量一百零五", "一百零五", 105, ""),
    ("音量两百", "两百", 200, ""),
    ("二百五十", "二百五十", 250, ""),
    ("钓鱼灯色温给六千", "六千", 6000, ""),
    ("调到零下五度", "零下五度", -5, "degree"),
    ("摄氏二十度", "摄氏二十度", 20, "celsius"),
    ("华氏七十度", "华氏七十度", 21, "celsius"),
    ("倒退三十厘米给叉车让道", "三十厘米", 0.3, "metre"),
    ("往前走50公分", "50公分", 0.5, "metre"),
    ("往前走半米", "半米", 0.5, "metre"),
    ("前进两米半", "两米半", 2.5, "metre"),
    ("逆时针转九十度", "九十度", 90, "angle"),
    ("向左转45度", "45度", 45, "angle"),
    ("屁股垫热到二档", "二档", 2, "level"),
    ("座椅加热一档", "一档", 1, "level"),
    ("热泵加一度半", "一度半", 1.5, "degree"),
    ("再高两度", "两度", 2, "degree"),
    ("壁挂鸡开到二十三肚", "二十三肚", 23, "degree"),
    ("湿度六十", "六十", 60, ""),
    ("音量调到一", "一", 1, ""),
    ("二十六点五度", "二十六点五度", 26.5, "degree"),
    ("七号插头拔电", "七号", 7, "ordinal"),
    ("播放第三首", "第三首", 3, "ordinal"),
    ("一个半小时", "一个半小时", 5400, "second"),
    ("煮蛋六分半钟", "六分半钟", 390, "second"),
    ("一刻钟", "一刻钟", 900, "second"),
    # English
    ("set it to 26.5", "26.5", 26.5, ""),
    ("dim to 40%", "40%", 40, "percent"),
    ("twenty six and a half", "twenty six and a half", 26.5, ""),
    ("twenty-six degrees", "twenty-six degrees", 26, "degree"),
    ("open it half way", "half way", 50, "percent"),
    ("half", "half", 50, "percent"),
    ("open it a quarter", "a quarter", 25, "percent"),
    ("three quarters open", "three quarters", 75, "percent"),
    ("Open the sash window a tenth", "a tenth", 10, "percent"),
    ("fifty percent", "fifty percent", 50, "percent"),
    ("twenty-five per cent", "twenty-five per cent", 25, "percent"),
    ("two hundred and five", "two hundred and five", 205, ""),
    ("a hundred percent", "a hundred percent", 100, "percent"),
    ("at 4,200 kelvin", "4,200 kelvin", 4200, "kelvin"),
    ("70 degrees Fahrenheit", "70 degrees Fahrenheit", 21, "celsius"),
    ("72°F", "72°F", 22, "celsius"),
    ("21 °C please", "21 °C", 21, "celsius"),
    ("set it to minus 5", "minus 5", -5, ""),
    ("go 10 feet forward", "10 feet", 3.048, "metre"),
    ("half a metre back", "half a metre", 0.5, "metre"),
    ("turn left ninety degrees", "ninety degrees", 90, "angle"),
    ("45 degrees to the right", "45 degrees", 45, "angle"),
    ("turn the heating to 20 degrees", "20 degrees", 20, "degree"),
    ("Milly's radiator up a degree and a half", "a degree and a half", 1.5, "degree"),
    ("warm my cushion to one", "one", 1, ""),
    ("seat to level two", "level two", 2, "level"),
    ("four and a half minutes", "four and a half minutes", 270, "second"),
    ("an hour and a half", "an hour and a half", 5400, "second"),
    ("90 seconds", "90 seconds", 90, "second"),
    ("twenty two point five degrees", "twenty two point five degrees", 22.5, "degree"),
    ("make it 小夜灯 twenty percent", "twenty percent", 20, "percent"),
    ("on the second floor", "second", 2, "ordinal"),
    ("把音量调到５０％", "５０％", 50, "percent"),
]

NONE = [
    "一起关掉", "开一下灯", "万一下雨", "亮一点", "亮一些", "关一会儿", "灯一律关",
    "厨房的灯一起灭", "一直开着", "二氧化碳现在多少", "两边玻璃", "十几度", "几十", "二十多度",
    "两三分钟", "三五分钟", "小骡电量几成了", "转灯亮度减半", "十分满意", "千万别开",
    "先开一盏灯", "统一调整", "周一到周五", "再暗一丢丢", "低音炮声儿再小一截", "停一哈", "半夜",
    "大半天", "开一个晚上", "差五分八点", "三点零五分", "三点十分",
    "one of us", "the one in Leo's room", "that one", "two of them", "anyone home?",
    "M-7, pull up", "often", "turn it on", "weight", "a lot",
]  # fmt: skip


@pytest.mark.parametrize(("text", "words", "value", "unit"), ONE)
def test_one_number_with_its_place_and_unit(text: str, words: str, value: float, unit: str) -> None:
    found = find_numbers(text)
    assert [(text[one.start : one.end], one.value, one.unit) for one in found] == [
        (words, value, unit)
    ]


@pytest.mark.parametrize("text", NONE)
def test_words_that_are_no_numbers(text: str) -> None:
    assert find_numbers(text) == []


def test_several_numbers_come_in_order() -> None:
    found = find_numbers("雾雾湿度六十，暖气二十二度，put the soundbar on fifty sorry thirty")
    assert [one.value for one in found] == [60, 22, 50, 30]


def test_plain_numbers_fit_every_unit_and_degrees_two() -> None:
    plain = Number(start=0, end=1, value=1)
    degrees = Number(start=0, end=1, value=1, unit="degree")
    assert plain.fits("percent")
    assert degrees.fits("celsius")
    assert degrees.fits("angle")
    assert not degrees.fits("percent")


def wanted(kind: str, written: str) -> tuple[float, str]:
    number = "".join(one for one in written if one in "0123456789./")
    if kind == "fraction":
        above, below = number.split("/")
        return round(100 * int(above) / int(below)), "percent"
    unit = {"degrees": "degree", "percent": "percent", "ordinal": "ordinal", "year": "ordinal"}
    return float(number), unit.get(kind, "")


KINDS = ("integer", "degrees", "percent", "fraction", "ordinal", "digits")


# English years are left out: nineteen eighty four is two numbers.
@pytest.mark.parametrize(
    ("language", "kind"), [(one, kind) for one in ("zh", "en") for kind in KINDS] + [("zh", "year")]
)
def test_what_the_generator_says_is_understood(language: str, kind: str) -> None:
    module, draw = spoken(), random.Random(6)
    for _ in range(300):
        said = module.say(language, kind, draw)
        if said.spoken.startswith("oh "):
            continue
        for text in (said.spoken, said.written):
            if kind == "fraction" and text == said.written:
                continue  # 3/4 as typed is a date as well
            found = find_numbers(text)
            assert [(one.value, one.unit) for one in found] == [wanted(kind, said.written)], text
            assert (found[0].start, found[0].end) == (0, len(text)), text
