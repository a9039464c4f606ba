"""The routes of a household: what is said, done, told, taught, planned, and who may ask."""

from __future__ import annotations

import datetime
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from qingyu.act.answers import Language
from qingyu.act.calls import Call
from qingyu.act.households import household_names
from qingyu.act.when import parse_when
from qingyu.serve.home import MOST_AT_ONCE
from serve.assisting import Events, House, assisting
from serve.chatting import until
from serve.serving import serving
from serve.test_openapi import CHECKS

ON = {"light.den_ceiling": {"state": "on"}}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with assisting(tmp_path) as house:
        yield house


def test_a_sentence_is_done_and_says_why(house: House) -> None:
    answer = house.say("Turn on the dome light")
    assert answer["text"] == "Turned on the dome light."
    assert answer["path"] == "fast"
    (verdict,) = answer["verdicts"]
    assert verdict["outcome"] == "fine"
    assert verdict["words"] == {"en": "turn on the dome light", "zh": "打开圆顶灯"}
    (step,) = answer["steps"]
    assert step["after"] == ON
    assert step["changes"] == [
        {
            "device": {"en": "dome light", "zh": "圆顶灯"},
            "what": {"en": "state", "zh": "状态"},
            "before": {"en": "off", "zh": "关着"},
            "after": {"en": "on", "zh": "开着"},
        }
    ]
    assert house.devices.state().get("light.den_ceiling") == "on"


def test_what_the_guard_refuses_is_not_done(house: House) -> None:
    answer = house.say("Set the dome light to 130 percent")
    assert answer["steps"] == []
    (verdict,) = answer["verdicts"]
    assert (verdict["outcome"], verdict["low"], verdict["high"]) == ("out_of_range", 1, 100)


def test_the_language_of_the_reply_can_be_given(house: House) -> None:
    assert house.say("打开圆顶灯", language="en")["language"] == "en"
    assert house.post("/assist/undo", language="zh")["text"] == "已撤销：圆顶灯关着。"


def test_a_yes_counts_for_its_own_question_only(house: House) -> None:
    asked = house.say("Unlock the entry lock")
    assert asked["pending"] == "confirm"
    house.say("what time is it")
    refused = house.say("yes", 400, turn=asked["turn"])
    assert refused["error"]["param"] == "turn"
    assert house.devices.state().get("lock.landing") == "locked"
    asked = house.say("Unlock the entry lock")
    # Of another person's conversation it is none either.
    assert house.say("yes", speaker="nook")["steps"] == []
    house.say("yes", turn=asked["turn"])
    assert house.devices.state().get("lock.landing") == "unlocked"


def test_candidates_have_names_that_choose(house: House) -> None:
    asked = house.say("turn on the reading lamp", speaker="")
    assert asked["pending"] == "which"
    assert asked["candidates"] == ["light.den_reading", "light.nook_reading"]
    name = asked["choices"][1]["en"]
    answer = house.say(name, speaker="", turn=asked["turn"])
    assert answer["steps"][0]["call"]["entity"] == "light.nook_reading"


def test_undo(house: House) -> None:
    house.say("打开圆顶灯")
    answer = house.post("/assist/undo")
    assert answer["path"] == "rule"
    assert house.devices.state().get("light.den_ceiling") == "off"


@pytest.mark.parametrize("world", household_names())
def test_every_household_can_be_shown(tmp_path: Path, world: str) -> None:
    with assisting(tmp_path, world) as house:
        state = house.get("/assist/state")
        devices = {one["id"]: one for one in state["devices"]}
        assert set(devices) == set(house.devices.state().entities)
        for id, values in state["values"].items():
            assert set(values) <= set(devices[id]["labels"]), id
            for key, shown in values.items():
                blank = shown["value"] in ("", [])
                assert blank or (shown["en"] and shown["zh"]), (id, key)


def test_values_are_in_words(house: House) -> None:
    state = house.get("/assist/state")
    assert state["household"] == "attic_flat"
    assert state["speaker"] == "den"
    assert state["areas"][0]["name"] == {"en": "den", "zh": "起居间"}
    values = state["values"]
    assert values["light.den_ceiling"]["brightness"] == {"value": 70, "en": "70%", "zh": "70%"}
    assert values["sensor.den_co2"]["state"]["zh"] == "820 ppm"
    assert values["lock.landing"]["state"]["zh"] == "锁着"
    assert "last_mode" not in values["climate.den"]
    assert values["alarm.nook"]["alarms"]["en"] == "07:40 on weekdays"


def test_changes_are_told_whoever_made_them(house: House) -> None:
    events = Events(house.server)
    try:
        assert events.next("state")["values"]["light.den_ceiling"]["state"]["value"] == "off"
        house.say("Turn on the dome light")
        told = events.next("changes")
        assert told["changed"] == {"light.den_ceiling": ["state"]}
        assert told["values"]["light.den_ceiling"]["state"]["value"] == "on"
        house.devices.change("sensor.den_co2", state=900)
        assert events.next("changes")["values"]["sensor.den_co2"]["state"]["value"] == 900
    finally:
        events.close()
    until(lambda: not house.server.service.home_ready()._watchers)


def test_a_schedule_that_fires_is_told(house: House) -> None:
    events = Events(house.server)
    try:
        events.next("state")
        planned = house.say("十分钟后打开圆顶灯")["planned"]
        assert planned[0]["words"] == [{"en": "turn on the dome light", "zh": "打开圆顶灯"}]
        assert [one["id"] for one in house.get("/assist/schedules")["data"]] == [planned[0]["id"]]
        house.assistant.tick(datetime.datetime.now() + datetime.timedelta(minutes=10, seconds=1))
        fired = events.next("fired")
        assert fired["schedule"]["text"] == "十分钟后打开圆顶灯"
        assert fired["steps"][0]["after"] == ON
        assert fired["text"] == "已打开圆顶灯。"
    finally:
        events.close()


def test_what_was_missed_is_told_once(house: House) -> None:
    now = datetime.datetime.now()
    schedules = house.assistant.schedules
    schedules.add(
        parse_when("+60"),
        [Call("turn_on", "light.den_ceiling")],
        said=now - datetime.timedelta(days=1),
        text="a minute later",
    )
    house.assistant.tick(now)
    events = Events(house.server)
    try:
        (news,) = events.next("news")["news"]
        assert (news["status"], news["words"]["en"]) == ("missed", "a minute later")
    finally:
        events.close()
    assert house.assistant.news() == ()


def test_schedules_are_cancelled_one_or_all(house: House) -> None:
    ids = [house.say(f"{n}小时后打开圆顶灯")["planned"][0]["id"] for n in (1, 2, 3)]
    left = house.post("/assist/schedules/cancel", id=ids[1])["data"]
    assert [one["id"] for one in left] == [ids[0], ids[2]]
    wrong = house.post("/assist/schedules/cancel", 400, id=ids[1])
    assert wrong["error"]["param"] == "id"
    assert house.post("/assist/schedules/cancel", all=True)["data"] == []
    for body in ({}, {"all": False}, {"id": 1, "all": True}, {"id": "1"}, {"number": 1}):
        house.post("/assist/schedules/cancel", 400, **body)


def test_what_was_taught_is_listed_and_forgotten(house: House) -> None:
    house.say("以后把圆顶灯叫大饼")
    house.say("以后我说我出门啦就关掉看书灯")
    name, routine = house.get("/assist/memory")["data"]
    assert (name["kind"], name["name"], name["about"]["en"]) == ("nickname", "大饼", "dome light")
    assert routine["kind"] == "routine"
    assert routine["words"]
    assert house.say("打开大饼")["steps"]
    left = house.post("/assist/memory/forget", id=name["id"])["data"]
    assert [one["id"] for one in left] == [routine["id"]]
    assert house.say("关掉大饼")["steps"] == []
    house.post("/assist/memory/forget", 400, id=name["id"])
    assert house.post("/assist/memory/forget", all=True)["data"] == []


def test_conversation_is_the_chat_model_s(tmp_path: Path) -> None:
    class Poet:
        def answer(self, text: str, language: Language) -> str:
            return f"{language}: {text[::-1]}"

    with assisting(tmp_path, chat=Poet()) as house:
        answer = house.say("moon river")
        assert (answer["path"], answer["text"]) == ("talk", "en: revir noom")


def test_a_stop_passes_by_what_takes_long(tmp_path: Path) -> None:
    with assisting(tmp_path, "scout") as house:
        house.devices.change("robot.scout", state="patrolling")
        began, ends = threading.Event(), threading.Event()
        carry_out = house.devices.carry_out

        def slowly(call: Call) -> Any:
            if call.entity == "cover.vents":
                began.set()
                assert ends.wait(10)
            return carry_out(call)

        house.devices.carry_out = slowly  # type: ignore[method-assign]
        threads = [
            threading.Thread(target=house.say, args=(text,)) for text in ("打开温室天窗", "停")
        ]
        threads[0].start()
        assert began.wait(10)
        threads[1].start()
        until(lambda: house.devices.state().get("robot.scout") == "standing")
        ends.set()
        for one in threads:
            one.join()


def test_too_many_at_once_are_sent_away(house: House) -> None:
    home = house.server.service.home_ready()
    home._busy = MOST_AT_ONCE
    answer = house.server.post("/assist/say", {"text": "打开圆顶灯"})
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    home._busy = 0
    assert house.say("打开圆顶灯")["steps"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "text"),
        ({"text": 3}, "text"),
        ({"text": "x" * 4001}, "text"),
        ({"text": "x", "language": "fr"}, "language"),
        ({"text": "x", "speaker": "x" * 101}, "speaker"),
        ({"text": "x", "turn": -1}, "turn"),
        ({"text": "x", "who": "me"}, "who"),
    ],
)
def test_what_is_wrong_is_named(house: House, body: dict[str, Any], param: str) -> None:
    assert house.post("/assist/say", 400, **body)["error"]["param"] == param


def test_a_page_needs_its_token_and_other_sites_get_nothing(house: House) -> None:
    url = house.server.url
    browser = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
    token = {"Qingyu-Page-Token": house.server.service.page_token}
    page = httpx.get(url + "/assist", headers=browser)
    assert page.status_code == 200
    assert house.server.service.page_token in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    for path in ("/assist/state", "/assist/memory", "/assist/schedules", "/assist/events"):
        assert httpx.get(url + path, headers=browser).status_code == 401
    assert httpx.get(url + "/assist/state", headers={**browser, **token}).status_code == 200
    for path in ("/assist/say", "/assist/undo", "/assist/memory/forget"):
        body = {"text": "打开圆顶灯"}
        for headers in (browser, {"Origin": "https://evil.example"}):
            answer = httpx.post(url + path, json=body, headers=headers)
            assert answer.status_code in (401, 403)
    assert house.devices.state().get("light.den_ceiling") == "off"


def test_without_a_household_there_is_nothing(tmp_path: Path) -> None:
    with serving() as server:
        for path in ("/assist", "/assist/state"):
            assert httpx.get(server.url + path).status_code == 404
        assert server.post("/assist/say", {"text": "打开圆顶灯"}).status_code == 404


def test_until_it_is_open_it_says_so(house: House) -> None:
    service = house.server.service
    home, service.home = service.home, None
    try:
        assert httpx.get(house.server.url + "/assist").status_code == 200
        answer = httpx.get(house.server.url + "/assist/state")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    finally:
        service.home = home


def test_answers_are_as_described(house: House) -> None:
    found = house.get("/openapi.json")

    def check(path: str, method: str, answer: Any) -> None:
        responses = found["paths"][path][method]["responses"]
        schema = responses["200"]["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator({**schema, "components": found["components"]}).validate(
            answer
        )

    for text in (
        *("打开圆顶灯，关掉看书灯", "把挂壁空调调到四十度", "解锁入户锁", "是", "十分钟后关灯"),
        *("以后把圆顶灯叫大饼", "turn on the reading lamp", "你好呀", "撤销"),
    ):
        check("/assist/say", "post", house.say(text, speaker=""))
    check("/assist/undo", "post", house.post("/assist/undo"))
    for path in ("/assist/state", "/assist/memory", "/assist/schedules"):
        check(path, "get", house.get(path))
    check("/assist/memory/forget", "post", house.post("/assist/memory/forget", all=True))
    check("/assist/schedules/cancel", "post", house.post("/assist/schedules/cancel", all=True))
    assert "/assist/events" in found["paths"]


def test_schemathesis_finds_nothing(house: House, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        house.server.url + "/openapi.json",
        "--include-path-regex",
        "^/assist/(state|say|undo|memory|schedules)",  # /assist/events has no end
        "--checks",
        ",".join(CHECKS),
        "--max-examples",
        "12",
        "--seed",
        "7",
        "--phases",
        "examples,coverage,fuzzing",
        "--request-timeout",
        "30",
        "--no-color",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "Tested: 7" in done.stdout, done.stdout
