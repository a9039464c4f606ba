"""Sentences that are the same but for fillers, particles, courtesy and punctuation."""

from __future__ import annotations

import pytest

from qingyu.act.bench.sameness import bare, unmarked


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("关灯", "关灯。"),
        ("关灯", "关 灯 ！"),
        ("打开空调", "麻烦帮我打开一下空调，谢谢！"),
        ("打开空调", "嗯……那个，打开空调吧"),
        ("打开空调", "请你打開空調"),
        ("打开空调", "你能不能打开空调啊"),
        ("打开空调", "可以帮忙打开空调吗"),
        ("打开空调", "你可以帮我打开一下空调吗？"),
        ("living room lamp off", "living-room lamp off"),
        ("thank you", "um, thank you!"),
        ("打开空调", "劳驾，赶紧打开空调啦"),
        ("客厅灯关了", "客厅的灯，关了哈"),
        ("调到26度", "调到２６度"),
        ("关掉TV", "关掉tv吧"),
        ("tv关掉", "TV 关掉"),
        ("打开小爱", "打开小爱，好不好？"),
        ("Turn on the lamp", "turn on the lamp"),
        ("turn on the lamp", "Um, could you turn on the lamp, please?"),
        ("turn on the lamp", "Hey — would you please just turn on a lamp for me? Thanks!"),
        ("turn the lamp on", "OK, I'd like you to turn the lamp on now."),
        ("turn the lamp on", "i want you to turn the lamp on right now"),
        ("what's on my list", "What’s on my list??"),
        ("what's on my list", "whats on my list"),
        ("set it to 1.5 metres", "Set it to 1.5 metres!"),
        ("set the a/c to cool", "set a c to cool"),
        ("再亮一点", "再亮一点呗"),
        ("打开 living room 的灯", "打开living room灯"),
    ],
)
def test_the_same(one: str, other: str) -> None:
    assert bare(one) == bare(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("打开空调", "关闭空调"),
        ("打开空调", "空调打开"),
        ("打开空调", "别打开空调"),
        ("调到26度", "调到25度"),
        ("调到2.5度", "调到25度"),
        ("目的地是哪里", "目的是哪"),
        ("地板灯", "板灯"),
        ("除了卧室", "除卧"),
        ("turn on the lamp", "turn off the lamp"),
        ("turn on the lamp", "don't turn on the lamp"),
        ("turn on the lamp", "turn on lamps"),
        ("is the door open", "open the door"),
        ("so cold", "cold here"),
        ("set it to 15", "set it to 1.5"),
        ("then", "now"),
        ("谢谢", "你好"),
        ("好吗", "行吗"),
    ],
)
def test_not_the_same(one: str, other: str) -> None:
    assert bare(one) != bare(other)


def test_words_that_only_look_like_fillers_stay() -> None:
    assert bare("Turn on the hallway thermostat") == "turn on hallway thermostat"
    assert bare("another lamp, a hammer") == "another lamp hammer"
    assert bare("目的地在哪里") == "目的地在哪里"
    assert bare("婴儿房着火了") == "婴儿房着火"


def test_unmarked_keeps_every_word() -> None:
    assert unmarked("Um, please: the LAMP!") == "um please the lamp"
    assert unmarked("那个，灯 关一下 吧。") == "那个灯关一下吧"
    assert unmarked("把TV的volume调到30%") == "把 tv 的 volume 调到 30"
    assert unmarked("？！…") == ""


@pytest.mark.parametrize("text", ["", "。。。", "please", "啊", "麻烦你了", "the a an", "😀"])
def test_anything_has_a_form_and_the_form_is_its_own(text: str) -> None:
    assert bare(bare(text)) == bare(text)


@pytest.mark.parametrize(
    "text", ["麻烦帮我把那个客厅的灯关一下吧", "um so could you please well turn the the lamp on"]
)
def test_a_form_has_itself_as_form(text: str) -> None:
    assert bare(bare(text)) == bare(text)
