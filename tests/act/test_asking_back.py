"""What the assistant asks back: whether to do it, and which one is meant."""

from __future__ import annotations

import pytest

from qingyu.act.answers import Language
from qingyu.errors import InvalidRequestError
from tests.act.talking import ON, Start


@pytest.mark.parametrize(
    ("ask", "answer", "language", "unlocked"),
    [
        ("解锁入户锁", "对，确认", "zh", True),
        ("解锁入户锁", "是", "zh", True),
        ("解锁入户锁", "好的", "zh", True),
        ("解锁入户锁", "开吧", "zh", True),
        ("解锁入户锁", "不用了，他自己有钥匙", "zh", False),
        ("解锁入户锁", "算了", "zh", False),
        ("解锁入户锁", "好像快下雨了", "zh", False),
        ("解锁入户锁", "对了，现在几点了", "zh", False),
        ("解锁入户锁", "打开圆顶灯", "zh", False),
        ("解锁入户锁", "好，打开圆顶灯", "zh", False),
        ("Unlock the entry lock", "ok, turn on the dome light", "en", False),
        ("Unlock the entry lock", "yes, do it", "en", True),
        ("Unlock the entry lock", "Affirmative", "en", True),
        ("Unlock the entry lock", "cancel that", "en", False),
        ("Unlock the entry lock", "forget it, I'll walk down", "en", False),
        ("Unlock the entry lock", "what's the time", "en", False),
    ],
)
def test_what_is_risky_waits_for_a_yes(
    start: Start, ask: str, answer: str, language: Language, unlocked: bool
) -> None:
    talk = start()
    asked = talk(ask)
    assert asked.pending == "confirm"
    assert asked.steps == ()
    assert talk.changed == {}
    assert (
        asked.text
        == {
            "zh": "解锁入户锁，确认吗？",
            "en": "Shall I unlock the entry lock? Please confirm: yes or no.",
        }[language]
    )
    talk(answer)
    assert talk.devices.state().get("lock.landing") == ("unlocked" if unlocked else "locked")
    talk("是" if language == "zh" else "yes")
    assert talk.devices.state().get("lock.landing") == ("unlocked" if unlocked else "locked")


def test_a_yes_that_comes_too_late_does_nothing(start: Start) -> None:
    talk = start()
    talk("解锁入户锁")
    talk.later(minutes=3)
    assert talk("是").steps == ()
    assert talk.changed == {}


def test_a_yes_of_somebody_else_does_nothing(start: Start) -> None:
    talk = start()
    talk("解锁入户锁")
    talk.speaker = "nook"
    talk("是")
    assert talk.changed == {}


def test_a_list_with_something_risky_waits_as_a_whole(start: Start) -> None:
    talk = start(forms={"圆顶灯打开入户锁解开": "on <light>1 ; unlock <lock>2"})
    asked = talk("圆顶灯打开入户锁解开")
    assert talk.changed == {}
    assert "圆顶灯" in asked.text
    assert "入户锁" in asked.text
    talk("确认")
    assert talk.changed == ON | {"lock.landing": {"state": "unlocked"}}


@pytest.mark.parametrize(
    ("answer", "lit"),
    [
        ("睡角的", ["light.nook_reading"]),
        ("睡角那个", ["light.nook_reading"]),
        ("第二个", ["light.nook_reading"]),
        ("两个都要", ["light.den_reading", "light.nook_reading"]),
        ("没事了", []),
        ("好的", []),
        ("打开案板灯", ["light.galley"]),
    ],
)
def test_which_one(start: Start, answer: str, lit: list[str]) -> None:
    talk = start(speaker="galley")
    talk.devices.change("light.den_reading", state="off")
    talk.beginning = talk.devices.state()
    asked = talk("打开看书灯")
    assert asked.pending == "which"
    assert asked.candidates == ("light.den_reading", "light.nook_reading")
    assert asked.text == "是起居间的看书灯还是睡角的看书灯？"
    talk(answer)
    assert sorted(talk.changed) == lit


def test_which_one_in_english(start: Start) -> None:
    talk = start(speaker="galley")
    asked = talk("Turn on the reading lamp")
    assert "den reading lamp" in asked.text
    assert "sleeping nook reading lamp" in asked.text
    assert talk("the one in the sleeping nook").text == "Turned on the sleeping nook reading lamp."


def test_which_one_and_then_whether(start: Start) -> None:
    forms = {"call Lin": 'call "Lin"'}
    talk = start(world="amei_phone", forms=forms)
    asked = talk("call Lin")
    assert asked.pending == "which"
    assert "Lin Yi" in asked.text
    assert "Lynn Lin" in asked.text
    sure = talk("Lynn Lin")
    assert sure.pending == "confirm"
    assert talk.changed == {}
    talk("yes")
    assert talk.changed == {"dialer.phone": {"state": "calling", "contact": "林依"}}


def test_undoing_what_opens_the_door_wants_a_yes(start: Start) -> None:
    talk = start()
    talk("解锁入户锁", "是", "锁上入户锁")
    asked = talk("撤销")
    assert asked.pending == "confirm"
    assert talk.changed == {}
    talk("是")
    assert talk.changed == {"lock.landing": {"state": "unlocked"}}


def test_two_things_that_are_not_clear_are_asked_one_after_the_other(start: Start) -> None:
    sentence = "turn the corner lamp off and the music too"
    form = "off <light>1 ; stop media"
    talk = start(world="lakeside_house", forms={sentence: form}, speaker="")
    for id in ("light.parlour_corner", "light.dora_corner", "media_player.max"):
        key = {"media_player.max": "playing"}.get(id, "on")
        talk.devices.change(id, state=key)
    talk.beginning = talk.devices.state()
    assert talk(sentence).pending == "which"
    assert talk("Dora's room").candidates == ("media_player.cookery", "media_player.max")
    assert talk("the cookery one").pending == ""
    assert talk.changed == {
        "light.dora_corner": {"state": "off"},
        "media_player.cookery": {"state": "idle"},
    }


def test_yes_is_no_answer_to_which_one(start: Start) -> None:
    talk = start(speaker="galley")
    asked = talk("关掉看书灯")
    again = talk("好的")
    assert again.text == asked.text
    talk("起居间的")
    assert talk.changed == {"light.den_reading": {"state": "off"}}


def test_a_yes_is_for_the_turn_it_was_pressed_for(start: Start) -> None:
    talk = start()
    asked = talk("解锁入户锁")
    assert asked.turn == 1
    talk("现在几点了")
    with pytest.raises(InvalidRequestError, match="meanwhile"):
        talk.assistant.say("是", talk.speaker, turn=asked.turn)
    assert talk.changed == {}
    again = talk("解锁入户锁")
    talk.assistant.say("是", talk.speaker, turn=again.turn)
    assert talk.changed == {"lock.landing": {"state": "unlocked"}}
