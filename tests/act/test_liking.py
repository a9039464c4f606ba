"""What somebody likes is done whenever a device is switched on, and only then."""

from __future__ import annotations

import pytest

from tests.act.talking import Start

FORMS = {
    "我喜欢百分之六十的亮度": "prefer brightness <percent>1",
    "这个灯我喜欢百分之二十": "prefer brightness <percent>1",
    "我喜欢24度": "prefer temperature <degree>1",
    "圆顶灯开到百分之三十": "set <light>1 brightness <percent>2",
}
DOME, READING = "light.den_ceiling", "light.den_reading"


def test_a_light_that_is_switched_on(start: Start) -> None:
    talk = start(forms=FORMS)
    talk.devices.change(DOME, state="off")
    talk.devices.change(READING, state="off")
    answer = talk("我喜欢百分之六十的亮度", "打开圆顶灯")
    assert talk.devices.state().of(DOME)["brightness"] == 60
    assert [one.call.action for one in answer.steps] == ["turn_on", "set"]
    talk("撤销")
    assert talk.devices.state().get(DOME) == "off"


def test_not_one_that_is_on_already(start: Start) -> None:
    talk = start(forms=FORMS)
    talk.devices.change(DOME, state="on", brightness=80)
    talk("我喜欢百分之六十的亮度", "打开圆顶灯")
    assert talk.devices.state().of(DOME)["brightness"] == 80


def test_what_is_said_counts_more(start: Start) -> None:
    talk = start(forms=FORMS)
    talk("我喜欢百分之六十的亮度", "圆顶灯开到百分之三十")
    assert talk.devices.state().of(DOME)["brightness"] == 30


def test_only_what_the_device_has(start: Start) -> None:
    talk = start(forms=FORMS)
    talk.devices.change(DOME, state="off")
    answer = talk("我喜欢24度", "打开圆顶灯")
    assert [one.call.action for one in answer.steps] == ["turn_on"]


@pytest.mark.parametrize("forgotten", [True, False])
def test_forgotten_again(start: Start, forgotten: bool) -> None:
    talk = start(forms=FORMS)
    talk.devices.change(DOME, state="off", brightness=90)
    talk("我喜欢百分之六十的亮度")
    if forgotten:
        for one in talk.assistant.memory.list():
            talk.assistant.forget(one.id)
    talk("打开圆顶灯")
    assert talk.devices.state().of(DOME)["brightness"] == (90 if forgotten else 60)


def test_one_device_counts_more_than_all(start: Start) -> None:
    talk = start(forms=FORMS)
    talk("我喜欢百分之六十的亮度", "打开圆顶灯", "这个灯我喜欢百分之二十")
    for light in (DOME, READING):
        talk.devices.change(light, state="off")
    talk("打开圆顶灯", "打开看书灯")
    state = talk.devices.state()
    assert (state.of(DOME)["brightness"], state.of(READING)["brightness"]) == (20, 60)
