"""Yes, no, and which one: the few words that need no model."""

from __future__ import annotations

import pytest

from qingyu.act.fast.agreeing import decision
from qingyu.act.fast.choosing import chosen
from qingyu.act.fast.short_words import asks_what_was_done, short_order
from qingyu.act.households import open_household
from qingyu.act.understood import Clock, Undo
from tests.act.talking import Start


@pytest.mark.parametrize(
    "text",
    ["是", "是的",
     "对，确认", "好的", "好啊",
     "行，开", "可以", "确认升", "转吧", "去", "开始吧", "嗯", "对对对",
     "没错", "对，松开", "yes", "Yes.", "yes yes", "yes please", "yes do", "ok do that", "right",
     "Sure!",
     "affirmative", "confirmed", "go ahead", "do it", "yes, begin", "OK", "of course", "I am sure"],
)  # fmt: skip
def test_yes(text: str) -> None:
    assert decision(text) is True


@pytest.mark.parametrize(
    "text",
    ["不", "不要", "别呼了，她在开会", "不用了，今天空车", "取消", "算了", "撤销，里头正喷着呢",
     "没事了", "先别",
     "好吧算了", "no", "Nope", "cancel that", "negative, abort", "forget it, I'll walk down",
     "never mind",
     "don't", "stop", "no thanks"],
)  # fmt: skip
def test_no(text: str) -> None:
    assert decision(text) is False


@pytest.mark.parametrize(
    "text",
    ["", "好热啊", "对了，明天天气怎么样", "打开客厅的灯", "几点了", "是谁在敲门", "行李放哪儿了",
     "ok turn on the big lamp in the kitchen", "sure is cold in here", "what's the time", "both"],
)  # fmt: skip
def test_neither(text: str) -> None:
    assert decision(text) is not True


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("撤销", Undo()),
        ("取消刚才的操作", Undo()),
        ("undo that", Undo()),
        ("put it back the way it was", Undo()),
        ("现在几点", Clock(day=False)),
        ("今天星期几", Clock(day=True)),
        ("what time is it?", Clock(day=False)),
        ("把闹钟改到七点", None),
        ("undo the lock", None),
    ],
)
def test_short_orders(text: str, order: object) -> None:
    assert short_order(text) == order


LAMPS = ("light.parlour_corner", "light.dora_corner", "light.max_corner")


@pytest.mark.parametrize(
    ("text", "which"),
    [
        ("会客室的", LAMPS[:1]),
        ("朵朵房间那个", LAMPS[1:2]),
        ("the one in Max's room", LAMPS[2:]),
        ("上头的", LAMPS[1:]),
        ("最后一个", LAMPS[2:]),
        ("the first one", LAMPS[:1]),
        ("Dora's", LAMPS[1:2]),
        ("都开", LAMPS),
        ("all of them", LAMPS),
        ("会客室和小麦房的", (LAMPS[0], LAMPS[2])),
        ("角落灯", ()),
        ("今天真冷", ()),
        ("不是别的，会客室的", LAMPS[:1]),
        ("啊不是朵朵那个，是小麦房的", LAMPS[2:]),
        ("not Dora's, the one in Max's room", LAMPS[2:]),
        ("会客室的别动", LAMPS[1:]),
        ("leave Dora's as it is", (LAMPS[0], LAMPS[2])),
        ("一个都别动", ()),
        ("哪两个", ()),
        ("都在哪儿", ()),
        ("除了会客室的都关", LAMPS[1:]),
        ("all but the one in Max's room", LAMPS[:2]),
        ("no, Dora's", LAMPS[1:2]),
        ("no, the one in Dora's room by the big window please", LAMPS[1:2]),
        ("number two", LAMPS[1:2]),
        ("the second of the two", LAMPS[1:2]),
        ("三个里最后一个", LAMPS[2:]),
        ("one of them", ()),
        ("一个也行", ()),
        ("everywhere", LAMPS),
        ("那几个都开", LAMPS),
        ("有多少开多少", LAMPS),
        ("不是会客室的是朵朵房间的", LAMPS[1:2]),
        ("不是会客室的，我说的是朵朵房间里床头的那盏小台灯", LAMPS[1:2]),
        ("不是会客室的，我说的是床头柜上面的那一盏", ()),
        ("not Dora's but Max's", LAMPS[2:]),
        ("not Dora's the one in Max's room", ()),
        ("Max's not Dora's", LAMPS[2:]),
        ("会客室的别动关朵朵房间的", LAMPS[1:2]),
        ("全关了，除了会客室的", LAMPS[1:]),
        ("全关了除了会客室的", LAMPS[1:]),
        ("都关，会客室的留着", LAMPS[1:]),
        ("all of them, not Dora's", (LAMPS[0], LAMPS[2])),
        ("all off except Dora's", (LAMPS[0], LAMPS[2])),
        ("不要会客室和小麦房的", LAMPS[1:2]),
        ("不是这个意思，算了", ()),
    ],
)
def test_which(text: str, which: tuple[str, ...]) -> None:
    assert chosen(text, LAMPS, open_household("lakeside_house")) == which


def test_which_contact_and_place() -> None:
    phone = open_household("amei_phone")
    assert chosen("Lynn", ("林一", "林依"), phone) == ("林依",)
    assert chosen("林一", ("林一", "林依"), phone) == ("林一",)
    robot = open_household("scout")
    assert chosen("工具棚", ("shed", "pond"), robot) == ("shed",)
    assert chosen("the pond one", ("shed", "pond"), robot) == ("pond",)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Sorry, what was it I just had you switch off?", True),
        ("which light did you just turn off", True),
        ("咦，我刚才开的是什么灯", True),
        ("what did I say", False),
        ("turn off what you just turned on", False),
        ("把刚才开的灯关了", False),
        ("do you remember what I just switched off", True),
        ("undo what you just did", False),
        ("do what I just asked", False),
        ("不管我刚才开了什么，都关掉", False),
        ("刚才" + "我让你" * 160, False),
    ],
)
def test_what_was_done(text: str, asked: bool) -> None:
    assert asks_what_was_done(text) == asked


def test_what_was_done_is_told_again(start: Start) -> None:
    talk = start()
    assert "刚" not in talk("我刚才开的是什么灯").text
    done = talk("打开圆顶灯").text
    assert talk("我刚才开的是什么灯").text == done
