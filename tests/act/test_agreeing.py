"""What can be a yes at all, whatever a model makes of it."""

from __future__ import annotations

import pytest

from qingyu.act.fast.agreeing import agrees, decision
from tests.act.talking import Start

YES = """
    是|还用问吗，赶紧|不用再确认了直接发|没错快去|就这么发|出事算我的来|废话|走吧
    松开就是了|那什么 开|我确认了|yes|what are you waiting for|would I ask otherwise
    sure, knock yourself out|don't keep her waiting, send it|go on then|off you go
    yes, it's the postman|that's what I said|ok now|好的，谢谢|yes please, but be quick|good, thanks
听你的|恩恩|uh-huh|why not|you bet|对，没问题，开|好的没事|没事开吧|对，我没带钥匙|没关系，开吧
他自己来了，开吧|我来了，开|对，开一会儿就关|yes, when you're ready|yes, don't worry|no problem
对，别问了|行，快点，别磨蹭|别废话，开门|yes, keep going|you're keeping her waiting, yes
    """
NO = """
    哦|嗯？|你确定吗|我想想|他说他有钥匙|我来开|可能吧|你看着办|再说吧|等他到了再开
    行个屁|对了帮我查下|是吗|知道了|谢谢|等十分钟再开|行了别开了|好像有人|明天再开
    hm|who is it|really?|are you sure|let me check|maybe|I'll do it myself|thanks|he has a key
    right, who's there|yeah right, as if|go on holiday|ok but later|sure, tomorrow
    fine, leave it|good question|do nothing|if you must|I'm fine thanks
    dont open it|打住|走开|开玩笑的
    """

MORE_NO = """
    哦|嗯？|啊？|什么|你说啥|为什么|为啥要确认|真的假的|你确定吗|什么意思|是谁在外面
    现在几点|等等|等会儿|慢着|我看看|我想想|先看看是谁|不急|待会儿再说|留着吧|没必要
    他说他有钥匙|我自己去|我来开|好像有人|可能吧|也许|不一定|随便|你看着办|你觉得呢|再说吧
    有点冷|门口是谁|那算了|别|千万别|可别|先别急|等他到了再开|等十分钟|明天再说|开什么玩笑
    行个屁|好个头|是我说错了|是不是该关了|对了帮我查下|可以不开吗|好了不用了|行了别开了
    嗯先不|嗯不|是吗|对吗|能不开就不开|要不还是算了|要不等会|就这样吧不开了|知道了|收到
    谢谢|辛苦了|停|关灯|hm|huh?|what?|why|who is it|really?|are you sure?|hang on|wait
    let me think|let me check|in a minute|later|maybe|perhaps|not yet|I'll do it myself
    never mind|he has a key|don't you dare|hold on a sec|what does that mean
    what time is it|thanks|got it|okay never mind|ok forget it|yes but not now|yes later
    sure, tomorrow|right, who's there|I suppose not|I'd rather you didn't|if you must not
    better not|yeah no|no yeah|yeah right, as if|go away|go on holiday|do I have to
    fine, leave it|good grief|good question|sure it's locked?|is it safe?|absolutely not
    definitely not|of course not|ok so what|I was joking|it's fine as it is
    all good, leave it|do nothing
    """
"""What was said after "unlock the door", and a model took 44 of them for a yes."""


def each(texts: str) -> list[str]:
    return [one.strip() for line in texts.split("\n") for one in line.split("|") if one.strip()]


@pytest.mark.parametrize("text", each(YES))
def test_what_can_be_a_yes(text: str) -> None:
    assert agrees(text)


@pytest.mark.parametrize("text", each(NO))
def test_what_cannot(text: str) -> None:
    assert not agrees(text)


@pytest.mark.parametrize("said", ["谁在外面", "等他到了再开", "谢谢"])
def test_a_model_that_takes_it_for_a_yes_is_not_believed(start: Start, said: str) -> None:
    talk = start(forms={said: "yes", "松开得了": "yes"})
    asked = talk("解锁入户锁")
    again = talk(said)
    assert again.steps == ()
    assert (again.pending, again.text) == ("confirm", asked.text)
    assert talk.devices.state().get("lock.landing") == "locked"
    talk("松开得了")
    assert talk.devices.state().get("lock.landing") == "unlocked"


@pytest.mark.parametrize(
    "said",
    [
        "right then, lights off",
        "right, who's there",
        "yes, maybe later",
        "yes, lock it",
        "好，锁上",
    ],
)
def test_more_than_a_yes_is_none(start: Start, said: str) -> None:
    talk = start(forms={})
    talk("Unlock the entry lock")
    talk(said)
    assert talk.devices.state().get("lock.landing") == "locked"


@pytest.mark.parametrize("said", ["好的没事", "yes, don't worry", "why not", "行，快点，别磨蹭"])
def test_a_yes_with_a_soothing_word(said: str) -> None:
    assert decision(said) is True


@pytest.mark.parametrize(
    ("said", "decided"), [("keep the heating at 21 degrees", None), ("yes, keep going", True)]
)
def test_keep(said: str, decided: bool | None) -> None:
    assert decision(said) is decided


@pytest.mark.parametrize("text", each(MORE_NO))
def test_none_of_these_opens_a_door(start: Start, text: str) -> None:
    talk = start(forms={text: "yes"})
    talk("Unlock the entry lock")
    talk(text)
    assert talk.devices.state().get("lock.landing") == "locked"
