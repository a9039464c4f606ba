"""Whole conversations: what is done and what is said, in both languages."""

from __future__ import annotations

import dataclasses
import json
import threading

import pytest

from qingyu.act.answers import Language
from qingyu.act.calls import Call
from qingyu.errors import EndpointError
from tests.act.talking import ON, Start


@pytest.mark.parametrize(
    ("sentence", "changed", "words"),
    [
        ("打开圆顶灯", ON, "已打开圆顶灯。"),
        ("Turn on the dome light", ON, "Turned on the dome light."),
        ("把圆顶灯调到百分之四十", {"light.den_ceiling": {"state": "on", "brightness": 40}},
         "已把圆顶灯的亮度调到40%。"),
        ("Set the dome light to 40 percent",
         {"light.den_ceiling": {"state": "on", "brightness": 40}},
         "Set the brightness of the dome light to 40%."),
        ("关掉看书灯", {"light.den_reading": {"state": "off"}}, "已关闭起居间的看书灯。"),
        ("把路由器打开", {}, "路由器已经开着了。"),
        ("turn the router on", {}, "The router is already on."),
        ("把挂壁空调调到四十度", {}, "挂壁空调的温度只能在16到30°C之间，不能设为40°C。"),
        ("set the split unit to 40 degrees", {},
         "The temperature of the split unit can only be 16 to 30 °C, not 40 °C."),
        ("把案板灯调到百分之三十", {}, "案板灯不支持调亮度。"),
        ("锁上入户锁", {}, "入户锁已经锁着了。"),
        ("气质仪多少", {}, "气质仪是820 ppm。"),
        ("现在几点了", {}, "现在是19:30。"),
        ("What day is it today?", {}, "It is Thursday, 26 November 2026."),
        ("一闪一闪亮晶晶的诗人是谁呢", {}, "没听懂。可以这样说：打开圆顶灯。"),
        ("", {}, ""),
    ],
)  # fmt: skip
def test_one_sentence(start: Start, sentence: str, changed: object, words: str) -> None:
    talk = start()
    answer = talk(sentence)
    assert talk.changed == changed
    if words:
        assert answer.text == words


def test_what_an_answer_carries(start: Start) -> None:
    talk = start()
    answer = talk("打开圆顶灯，关掉看书灯")
    assert answer.path == "fast"
    assert [one.call.action for one in answer.steps] == ["turn_on", "turn_off"]
    assert answer.steps[0].before == {"light.den_ceiling": {"state": "off"}}
    assert answer.steps[0].after == ON
    assert [one.outcome for one in answer.verdicts] == ["fine", "fine"]
    record = json.loads(json.dumps(answer.as_json(), ensure_ascii=False))
    assert record["steps"][0]["call"]["entity"] == "light.den_ceiling"
    assert [one.outcome for one in talk.assistant.journal.list()] == ["done", "done"]


def test_what_can_be_done_of_a_list_is_done_and_the_rest_explained(start: Start) -> None:
    sentence = "Dome light on, split unit to 44 degrees, piano lamp off"
    form = 'on <light>1 ; set <climate>2 temperature <degree>3 ; absent "piano lamp"'
    talk = start(forms={sentence: form})
    answer = talk(sentence)
    assert talk.changed == ON
    assert "Turned on the dome light." in answer.text
    assert "16 to 30" in answer.text
    assert "no “piano lamp”" in answer.text
    assert [one.outcome for one in answer.verdicts] == ["fine", "out_of_range"]


def test_undo(start: Start) -> None:
    talk = start()
    talk("打开圆顶灯", "把涡轮扇打开")
    assert talk("撤销").text == "已撤销：涡轮扇关着。"
    assert talk.changed == ON
    assert talk.assistant.undo(talk.speaker).text == "已撤销：圆顶灯关着。"
    assert talk.changed == {}
    assert talk("undo").text == "There is nothing to undo."


def test_a_device_that_does_not_answer_is_reported_not_assumed(start: Start) -> None:
    talk = start()
    talk.devices.unplugged.add("light.den_ceiling")
    answer = talk("打开圆顶灯")
    assert answer.text == "圆顶灯没有回应，不确定是否已打开圆顶灯。"
    assert talk.changed == {}
    (entry,) = talk.assistant.journal.list()
    assert entry.outcome == "failed"


def test_a_nickname_is_learned_used_and_forgotten(start: Start) -> None:
    talk = start()
    assert talk("以后把圆顶灯叫大饼").text == "记住了：圆顶灯也叫“大饼”。"
    talk("打开大饼")
    assert talk.changed == ON
    talk("把它关掉")
    assert talk.changed == {}
    talk("以后叫它圆圆")
    assert talk("打开圆圆").steps
    talk("忘掉大饼")
    assert talk("打开大饼").steps == ()


def test_a_routine(start: Start) -> None:
    talk = start()
    talk("以后我说我出门啦就关掉看书灯")
    assert talk.changed == {}
    answer = talk("我出门啦")
    assert answer.path == "rule"
    assert talk.changed == {"light.den_reading": {"state": "off"}}
    assert talk("忘掉我出门啦").text.startswith("已忘记")
    assert talk("我出门啦").steps == ()
    assert talk.assistant.memory.list() == ()


def test_it_is_what_was_just_talked_about(start: Start) -> None:
    talk = start(forms={"再亮一点": "more it brightness", "换成绿的": "set it color green"})
    talk("打开星串灯", "再亮一点", "换成绿的")
    assert talk.changed == {"light.nook_stars": {"state": "on", "brightness": 60, "color": "green"}}
    assert talk.skill is not None
    assert talk.skill.contexts == ["on <light> |", "more it brightness |"]


def test_what_waits_is_in_the_context(start: Start) -> None:
    talk = start(forms={"嗯那就照办呗兄弟们": "yes"})
    talk("解锁入户锁", "嗯那就照办呗兄弟们")
    assert talk.skill is not None
    assert talk.skill.contexts == ["unlock <lock> | confirm"]
    assert talk.changed == {"lock.landing": {"state": "unlocked"}}


def test_conversation_goes_to_the_chat_model(start: Start) -> None:
    class Poet:
        def answer(self, text: str, language: Language) -> str:
            if "?" in text:
                raise EndpointError("asleep")
            return f"{language}: {text[::-1]}"

    talk = start(forms={"moon": "talk", "moon?": "talk"}, chat=Poet())
    assert talk("moon").text == "en: noom"
    assert talk("moon").path == "talk"
    assert talk("moon?").text == "asleep"
    assert talk.changed == {}


@pytest.mark.parametrize("stop", ["停", "站住别动", "Scout, stop right now", "阿巡停下"])
def test_a_robot_stops_at_once_whatever_waits(start: Start, stop: str) -> None:
    talk = start(world="scout")
    talk.devices.change("robot.scout", state="following", target="访客")
    talk.beginning = talk.devices.state()
    talk("打开铁栅门")
    answer = talk(stop)
    assert answer.steps[0].call == Call("stop", "robot.scout")
    assert talk.changed == {"robot.scout": {"state": "standing", "target": ""}}


def test_a_stop_needs_no_database(start: Start) -> None:
    talk = start(world="scout")
    talk.devices.change("robot.scout", state="patrolling")
    talk.database.close()
    assert talk("停下").steps
    assert talk.devices.state().get("robot.scout") == "standing"


@pytest.mark.parametrize(
    ("sentence", "language"),
    [
        ("turn the 圆顶灯 on", "en"),
        ("把dome light打开", "zh"),
        ("打开Thumper", "zh"),
        ("Old Page off", "en"),
    ],
)
def test_the_language_is_the_speaker_s(start: Start, sentence: str, language: str) -> None:
    assert start()(sentence).language == language


def test_a_stop_does_not_wait_for_a_slow_device(start: Start) -> None:
    talk = start(world="scout")
    talk.devices.change("robot.scout", state="patrolling")
    opening, opened = threading.Event(), threading.Event()
    carry_out = talk.devices.carry_out

    def slowly(call: Call) -> object:
        if call.entity == "cover.vents":
            opening.set()
            assert opened.wait(5)
        return carry_out(call)

    talk.devices.carry_out = slowly  # type: ignore[method-assign,assignment]
    slow = threading.Thread(target=talk, args=("打开温室天窗",))
    slow.start()
    assert opening.wait(5)
    halt = threading.Thread(target=talk.assistant.say, args=("停",))
    halt.start()
    for _ in range(1000):
        if talk.devices.state().get("robot.scout") == "standing":
            break
        opened.wait(0.005)
    assert talk.devices.state().get("robot.scout") == "standing"
    opened.set()
    slow.join()
    halt.join()


def test_already_so_counts_only_where_the_device_said_so(start: Start) -> None:
    talk = start()
    assert talk("打开路由器").steps == ()
    talk.devices.heard = lambda id: id != "switch.router"  # type: ignore[attr-defined]
    assert talk("打开路由器").steps
    assert talk("锁上入户锁").steps == ()


def test_a_device_that_was_found_is_known(start: Start) -> None:
    talk = start()
    found = dataclasses.replace(talk.world.entities[0], names=("新来的灯", "newcomer"))
    talk.assistant.use_world(
        dataclasses.replace(talk.world, entities=(found, *talk.world.entities[1:]))
    )
    talk("打开新来的灯")
    assert talk.changed == ON


def test_a_text_that_is_no_sentence(start: Start) -> None:
    talk = start(world="scout")
    talk("打开铁栅门")
    assert talk("停" * 100_000).text == "这句话太长了，请说短一些。"
    talk("是")
    assert talk.changed == {}


def test_what_was_spoken_of_is_meant_for_a_while(start: Start) -> None:
    talk = start(forms={"再亮一点": "more it brightness"})
    talk.devices.change("light.den_reading", state="on", brightness=40)
    talk("打开圆顶灯", "打开看书灯")
    talk.later(minutes=14)
    assert [one.call.entity for one in talk("再亮一点").steps] == ["light.den_reading"]
    talk.later(minutes=16)
    assert len(talk("再亮一点").steps) == 2, "whatever is on where the person is"


@pytest.mark.parametrize("said", ["看书灯", "dome light", "灯", "lights", "on", "打开", "音量"])
def test_a_mere_name_or_verb_is_no_order(start: Start, said: str) -> None:
    talk = start(forms={said: "on light"})
    answer = talk(said)
    assert answer.steps == ()
    assert talk.changed == {}
    if said in ("看书灯", "dome light"):
        assert answer.path == "rule"
        assert "开" in answer.text or "off" in answer.text
    talk("Turn on the dome light")
    after = talk(said)
    assert after.form or after.steps  # now it may be one
