"""Whole conversations: what is done, what is asked back, what is said, in both languages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qingyu.act.answers import Fired, Language
from qingyu.act.calls import Call
from qingyu.errors import EndpointError
from tests.act.talking import Talking

Start = Callable[..., Talking]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """start(world=..., forms={sentence: form}) begins a conversation."""
    begun: list[Talking] = []

    def begin(**options: object) -> Talking:
        folder = tmp_path / str(len(begun))
        begun.append(Talking(folder, **options))  # type: ignore[arg-type]
        return begun[-1]

    yield begin
    for one in begun:
        one.close()


ON_STATE = {"state": "on"}
ON = {"light.den_ceiling": ON_STATE}


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


def test_undo(start: Start) -> None:
    talk = start()
    talk("打开圆顶灯", "把涡轮扇打开")
    assert talk("撤销").text == "已撤销：涡轮扇关着。"
    assert talk.changed == ON
    assert talk.assistant.undo(talk.speaker).text == "已撤销：圆顶灯关着。"
    assert talk.changed == {}
    assert talk("undo").text == "There is nothing to undo."


def test_undoing_what_opens_the_door_wants_a_yes(start: Start) -> None:
    talk = start()
    talk("解锁入户锁", "是", "锁上入户锁")
    asked = talk("撤销")
    assert asked.pending == "confirm"
    assert talk.changed == {}
    talk("是")
    assert talk.changed == {"lock.landing": {"state": "unlocked"}}


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


def test_the_thread_fires_what_is_due(start: Start) -> None:
    import threading

    talk = start()
    fired = threading.Event()
    talk.assistant.listen(lambda _: fired.set())
    talk.assistant.start()
    talk("十分钟后关掉看书灯")
    talk.later(minutes=10)
    talk.assistant._wake.set()
    assert fired.wait(5)


def test_a_stop_does_not_wait_for_a_slow_device(start: Start) -> None:
    import threading

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


def test_already_so_counts_only_where_the_device_said_so(start: Start) -> None:
    talk = start()
    assert talk("打开路由器").steps == ()
    talk.devices.heard = lambda id: id != "switch.router"  # type: ignore[attr-defined]
    assert talk("打开路由器").steps
    assert talk("锁上入户锁").steps == ()


def test_a_device_that_was_found_is_known(start: Start) -> None:
    import dataclasses

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


def test_yes_is_no_answer_to_which_one(start: Start) -> None:
    talk = start(speaker="galley")
    asked = talk("关掉看书灯")
    again = talk("好的")
    assert again.text == asked.text
    talk("起居间的")
    assert talk.changed == {"light.den_reading": {"state": "off"}}
