"""What people put off until later, through the assistant: planned, fired, failed, told."""

from __future__ import annotations

import threading

import pytest

from qingyu.act.answers import Fired
from qingyu.act.calls import Call
from tests.act.talking import ON_STATE, Start


def test_later(start: Start) -> None:
    talk = start()
    answer = talk("十分钟后关掉看书灯")
    assert answer.text == "好的，10分钟后（19:40）关闭起居间的看书灯。"
    assert [str(one.moment) for one in answer.planned] == ["+600"]
    assert talk.changed == {}
    heard: list[Fired] = []
    talk.assistant.listen(heard.append)
    talk.later(minutes=9)
    assert talk.assistant.tick() == ()
    talk.later(minutes=1)
    (fired,) = talk.assistant.tick()
    assert fired.text == "已关闭起居间的看书灯。"
    assert heard == [fired]
    assert talk.changed == {"light.den_reading": {"state": "off"}}
    assert talk.assistant.tick() == ()


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("at ten tonight turn on the dome light", "At 22:00 I will turn on the dome light."),
        ("日落的时候关掉看书灯", "好的，日落时（明天17:20）关闭起居间的看书灯。"),
        ("明天早上七点打开圆顶灯", "好的，明天07:00打开圆顶灯。"),
    ],
)
def test_times_in_words(start: Start, sentence: str, words: str) -> None:
    assert start()(sentence).text == words


def test_a_schedule_that_opens_the_door_wants_a_yes_now(start: Start) -> None:
    talk = start()
    talk.devices.change("lock.landing", state="unlocked")
    asked = talk("十分钟后解锁入户锁")
    assert asked.pending == "confirm"
    assert talk.assistant.schedules.list() == ()
    talk("是")
    talk.devices.change("lock.landing", state="locked")
    talk.later(minutes=10)
    talk.assistant.tick()
    assert talk.devices.state().get("lock.landing") == "unlocked"


def test_undo_of_what_was_planned(start: Start) -> None:
    talk = start()
    talk("十分钟后关掉看书灯")
    assert talk("撤销").text == "已取消刚才的定时。"
    assert talk.assistant.schedules.list() == ()


def test_a_schedule_that_fails_is_news_once(start: Start) -> None:
    talk = start()
    talk("十分钟后关掉看书灯")
    talk.devices.unplugged.add("light.den_reading")
    talk.later(minutes=10)
    talk.assistant.tick()
    (news,) = talk.assistant.news()
    assert getattr(news, "status", "") == "failed"
    assert talk.assistant.news() == ()


def test_the_thread_fires_what_is_due(start: Start) -> None:
    talk = start()
    fired = threading.Event()
    talk.assistant.listen(lambda _: fired.set())
    talk.assistant.start()
    talk("十分钟后关掉看书灯")
    talk.later(minutes=10)
    talk.assistant._wake.set()
    assert fired.wait(5)


@pytest.mark.parametrize(
    ("sentence", "form", "words"),
    [
        ("今天早上七点打开圆顶灯", "when <time>1 : on <light>2", "那个时间已经过去了。"),
    ],
)
def test_what_cannot_be_planned(start: Start, sentence: str, form: str, words: str) -> None:
    talk = start(forms={sentence: form})
    assert talk(sentence).text == words
    assert talk.assistant.schedules.list() == ()


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("每天早上七点打开圆顶灯", "好的，每天07:00打开圆顶灯。"),
        ("turn on the dome light every weekday at 7 am",
         "On weekdays at 07:00 I will turn on the dome light."),
    ],
)  # fmt: skip
def test_every_day(start: Start, sentence: str, words: str) -> None:
    talk = start()
    assert talk(sentence).text == words
    for _ in range(2):  # Friday is the first
        (waiting,) = talk.assistant.schedules.list()
        talk.now = waiting.at
        assert len(talk.assistant.tick()) == 1
    (waiting,) = talk.assistant.schedules.list()
    assert waiting.at.day == (29 if "每" in sentence else 1)


def test_a_call_that_a_kill_ended_is_news(start: Start) -> None:
    talk = start()
    turn = talk.assistant.journal.turn(who="fast", text="打开圆顶灯", at=talk.now)
    call = Call("turn_on", "light.den_ceiling")
    state = talk.devices.state()
    talk.assistant.journal.begin(turn, call, state, state.updated("light.den_ceiling", ON_STATE))
    assert talk.assistant.news() == ()  # it may be in the middle of it
    talk.later(minutes=2)
    (news,) = talk.assistant.news()
    assert getattr(news, "call", None) == call
    assert talk.assistant.news() == ()
    assert talk.assistant.journal.unfinished() == ()
