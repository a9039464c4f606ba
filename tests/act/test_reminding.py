"""Reminders and events whose words are cut out by code."""

from __future__ import annotations

import pytest

from qingyu.act.calls import Call
from qingyu.act.households import open_household
from qingyu.act.reminding import corrected, noted
from tests.act.talking import NOW

PHONE = open_household("amei_phone")


@pytest.mark.parametrize(
    ("text", "domain", "words", "at"),
    [
        ("明天下午三点提醒我取快递", "reminder", "取快递", "2026-11-27 15:00"),
        ("提醒我二十分钟后关火", "reminder", "关火", "2026-11-26 19:50"),
        ("二十分钟后，提醒我一下要关火。", "reminder", "关火", "2026-11-26 19:50"),
        ("记得明天下午两点提醒我带米粒打疫苗", "reminder", "带米粒打疫苗", "2026-11-27 14:00"),
        ("Remind me to turn off the stove in twenty minutes", "reminder",
         "turn off the stove", "2026-11-26 19:50"),
        ("remind me at 5pm tomorrow to call Mum", "reminder", "call Mum", "2026-11-27 17:00"),
        ("In ten minutes, remind me about the pasta please", "reminder", "the pasta",
         "2026-11-26 19:40"),
        ("后天上午十点日历上加一个部门例会", "calendar", "部门例会", "2026-11-28 10:00"),
        ("把后天上午十点的部门例会加到日历里", "calendar", "部门例会", "2026-11-28 10:00"),
        ("Put team meeting in my calendar for Saturday at 10 am", "calendar", "team meeting",
         "2026-11-28 10:00"),
    ],
)  # fmt: skip
def test_noted(text: str, domain: str, words: str, at: str) -> None:
    found = noted(text, PHONE, NOW)
    assert found is not None
    (call,) = found.calls
    assert call.entity.startswith(domain)
    assert call.action == "add"
    key = "text" if domain == "reminder" else "title"
    assert call.arguments == {key: words, "at": at}


@pytest.mark.parametrize(
    "text",
    [
        "提醒我取快递",
        "每天八点提醒我吃药",
        "明天下午三点叫我起床",
        "remind me to call Mum",
        "what do I have in my calendar on Saturday at ten",
        "日历上后天上午十点有什么",
        "明天上午九点提醒我",
        "turn on the light in ten minutes",
    ],
)
def test_not_noted(text: str) -> None:
    assert noted(text, PHONE, NOW) is None


def test_nowhere_to_note_it() -> None:
    assert noted("明天下午三点提醒我取快递", open_household("city_car"), NOW) is None


SET = {
    "alarm": Call("add", "alarm.phone", {"time": "07:30", "days": "once"}),
    "timer": Call("start", "timer.phone", {"seconds": 300}),
    "reminder": Call("add", "reminder.phone", {"text": "关火", "at": "2026-11-27 15:00"}),
}


@pytest.mark.parametrize(
    ("what", "text", "new"),
    [
        ("alarm", "改成八点", {"time": "08:00", "days": "once"}),
        ("alarm", "Actually make it eight", {"time": "08:00", "days": "once"}),
        ("alarm", "no, change it to quarter past eight", {"time": "08:15", "days": "once"}),
        ("timer", "make it ten minutes", {"seconds": 600}),
        ("timer", "改成十分钟吧", {"seconds": 600}),
        ("reminder", "改到四点", {"text": "关火", "at": "2026-11-27 16:00"}),
        ("reminder", "推迟到后天下午五点", {"text": "关火", "at": "2026-11-28 17:00"}),
    ],
)
def test_another_time(what: str, text: str, new: dict[str, object]) -> None:
    old = SET[what]
    found = corrected(text, (old,), NOW)
    assert found is not None
    gone, again = found.calls
    assert (gone.entity, gone.arguments) == (old.entity, old.arguments)
    assert (again.action, again.arguments) == (old.action, new)


@pytest.mark.parametrize("text", ["改成红色", "make it brighter", "八点", "make it so", "是的"])
def test_no_other_time(text: str) -> None:
    assert corrected(text, (SET["alarm"],), NOW) is None
    assert corrected("改成八点", (Call("turn_on", "light.desk"),), NOW) is None
    assert corrected("改成八点", (), NOW) is None
