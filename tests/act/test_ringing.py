"""Timers, alarms, reminders and events ring: once, at their time, also after a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from qingyu.act.answers import Fired
from qingyu.act.assistant import Assistant
from qingyu.act.calls import Call
from qingyu.act.replies.wording import records
from tests.act.talking import Start, Talking


@pytest.fixture
def talk(start: Start) -> Talking:
    return start(world="amei_phone")


def entries(talk: Talking, domain: str) -> list[object]:
    (one,) = talk.world.select(domain=domain)
    return list(records(talk.devices.state(), one.id))


def device(talk: Talking, domain: str) -> str:
    (one,) = talk.world.select(domain=domain)
    return one.id


def add(talk: Talking, domain: str, **entry: str | float) -> None:
    """As if somebody did it on the device itself."""
    talk.devices.carry_out(
        Call("start" if domain == "timer" else "add", device(talk, domain), entry)
    )


def only(fired: tuple[Fired, ...]) -> str:
    (one,) = fired
    return one.text


def test_a_timer_rings_once_and_is_off_its_list(talk: Talking) -> None:
    before = entries(talk, "timer")
    answer = talk("五分钟的计时器")
    assert [one.outcome for one in answer.steps] == ["done"]
    assert talk.assistant.schedules.list() == ()
    talk.later(minutes=4, seconds=59)
    assert talk.assistant.tick() == ()
    talk.later(seconds=1)
    assert only(talk.assistant.tick()) == "计时结束：5分钟。"
    assert entries(talk, "timer") == before
    talk.later(minutes=5)
    assert talk.assistant.tick() == ()


def test_two_alike_ring_one_after_the_other(talk: Talking) -> None:
    before = entries(talk, "timer")
    talk("五分钟的计时器")
    talk.later(minutes=2)
    talk("五分钟的计时器")
    talk.later(minutes=3)
    assert only(talk.assistant.tick()) == "计时结束：5分钟。"
    assert len(entries(talk, "timer")) == len(before) + 2, "both go when both have rung"
    talk.later(minutes=2)
    assert only(talk.assistant.tick()) == "计时结束：5分钟。"
    assert entries(talk, "timer") == before
    talk("五分钟的计时器")
    talk.later(minutes=5)
    assert only(talk.assistant.tick()) == "计时结束：5分钟。"


def test_what_was_cancelled_or_taken_back_does_not_ring(talk: Talking) -> None:
    talk("五分钟的计时器")
    talk("撤销")
    add(talk, "timer", seconds=300, label="tea")
    talk.assistant.tick()
    talk.devices.carry_out(Call("cancel", device(talk, "timer"), {"label": "tea"}))
    talk.later(minutes=6)
    assert talk.assistant.tick() == ()


def test_an_alarm_rings_on_its_days_and_stays(talk: Talking) -> None:
    add(talk, "alarm", time="23:00", days="daily")
    talk.assistant.tick()
    for _ in range(2):
        talk.later(hours=3, minutes=30)
        assert "闹钟响了：23:00 每天。" in [one.text for one in talk.assistant.tick()]
        talk.later(hours=20, minutes=30)
        talk.assistant.tick()
    assert {"time": "23:00", "days": "daily"} in entries(talk, "alarm")


def test_a_reminder_says_what_it_is_about(talk: Talking) -> None:
    add(talk, "reminder", text="喝水", at="2026-11-26 19:40")
    add(talk, "calendar", title="牙医", at="2026-11-26 19:40")
    talk.assistant.tick()
    talk.later(minutes=10)
    assert {one.text for one in talk.assistant.tick()} == {"提醒：喝水。", "日程：牙医。"}
    assert {"text": "喝水", "at": "2026-11-26 19:40"} not in entries(talk, "reminder")
    assert {"title": "牙医", "at": "2026-11-26 19:40"} in entries(talk, "calendar")
    talk.later(minutes=1)
    assert talk.assistant.tick() == ()


def test_what_is_over_does_not_ring(talk: Talking) -> None:
    add(talk, "reminder", text="喝水", at="2026-11-26 08:00")
    assert talk.assistant.tick() == ()


def test_it_waits_over_a_restart(talk: Talking, tmp_path: Path) -> None:
    talk("五分钟的计时器")
    talk.later(minutes=5)
    with Assistant(talk.world, talk.devices, talk.database, clock=lambda: talk.now) as again:
        assert only(again.tick()) == "计时结束：5分钟。"
        assert again.tick() == ()
    assert talk.assistant.tick() == ()


def test_missed_while_it_was_off_is_told(talk: Talking) -> None:
    talk("五分钟的计时器")
    talk.later(hours=1)
    assert talk.assistant.tick() == ()
    assert [one.status for one in talk.assistant.news()] == ["missed"]  # type: ignore[union-attr]
