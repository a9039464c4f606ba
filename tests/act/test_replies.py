"""Replies: every action of every device can be told, in both languages, from its facts."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from qingyu.act.actions import apply
from qingyu.act.answers import Language, Step
from qingyu.act.calls import Call, Verdict
from qingyu.act.facts import Asked, Dropped, Note, Said, Sure
from qingyu.act.guard import check
from qingyu.act.households import household_names, open_household
from qingyu.act.replies.reply import reply
from qingyu.act.state import changes, initial
from qingyu.act.terms import Attribute
from qingyu.act.understood import Absent, Question, Unable
from qingyu.act.world import Entity, Scalar, World
from qingyu.errors import ActionError

NOW = datetime.datetime(2026, 11, 26, 19, 30)
WORLDS = {name: open_household(name) for name in household_names()}
LANGUAGES: tuple[Language, ...] = ("zh", "en")


def values(world: World, entity: Entity, key: str, value: Attribute) -> list[Scalar]:
    if options := world.options_of(entity, value):
        return list(options)
    match value.kind:
        case "percent" | "number":
            low, high = entity.range_of(key, value)
            return [low if low is not None else 0, high if high is not None else 90]
        case "bool":
            return [True, False]
        case "time":
            return ["07:05"]
        case "moment":
            return ["2026-11-28 10:00"]
    return ["茶 tea"]


def calls(world: World) -> Iterator[Call]:
    """Every action of every device, with values of every sort."""
    for entity in world.entities:
        for name, action in entity.vocabulary.actions.items():
            required = {
                key: values(world, entity, parameter.sets, parameter.value)[0]
                for key, parameter in action.parameters.items()
                if parameter.required
            }
            yield Call(name, entity.id, required)
            for key, parameter in action.parameters.items():
                if not parameter.sets or entity.supports(parameter.sets):
                    for value in values(world, entity, parameter.sets, parameter.value):
                        yield Call(name, entity.id, {**required, key: value})


def sound(text: str, language: Language) -> bool:
    """A sentence with an end, of the language, without remains of the program."""
    remains = re.search(r"None|\{|\}|_|'state'|  |\(\)|（）", text)
    chinese = len(re.findall(r"[\u3400-\u9fff]", text))
    return (
        not remains
        and text.endswith(("。", "？") if language == "zh" else (".", "?", ":", "”", "no."))
        and (
            chinese >= 3
            if language == "zh"
            else text[0].isupper() or text[0] in "“《" or chinese > 0
        )
    )


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_call_can_be_told(name: str, language: Language) -> None:
    world = WORLDS[name]
    before = initial(world)
    told = 0
    for call in calls(world):
        verdict = check(world, before, call)
        facts: list[Any] = [verdict] if verdict.outcome not in ("fine", "risky") else []
        try:
            after = apply(world, before, call)
        except ActionError:
            after = before
        else:
            done = changes(before, after)
            facts += [
                Step(call=call, outcome="done", after=done),
                Step(call=call, outcome="no_answer"),
                Step(call=call, outcome="failed", detail="x"),
                Sure((call,)),
                Dropped((call,)),
            ]
        for fact in facts:
            text = reply([fact], world, after, language, now=NOW)
            assert sound(text, language), (call, fact, text)
            told += 1
    assert told > 20


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_device_can_be_asked_about(name: str, language: Language) -> None:
    world = WORLDS[name]
    state = initial(world)
    for entity in world.entities:
        keys = ["state", "list", "where", *entity.attributes]
        for key in keys:
            if key in ("kind", "unit", "last_mode", "sets"):
                continue
            text = reply([Question((entity.id,), key)], world, state, language, now=NOW)
            assert sound(text, language), (entity.id, key, text)
            value = state.get(entity.id, key)
            if type(value) in (int, float) and entity.supports(key):
                assert f"{value:g}" in text, (entity.id, key, text)


HOUSE = WORLDS["lakeside_house"]


def told(fact: Any, language: Language, world: World = HOUSE) -> str:
    return reply([fact], world, initial(world), language, now=NOW)


@pytest.mark.parametrize(
    ("fact", "chinese", "english"),
    [
        (
            Question(("light.parlour_chandelier", "light.parlour_corner"), "state"),
            "水晶吊灯开着；其余1个没有开。",
            "The crystal drop is on; the other 1 not.",
        ),
        (
            Question(("light.dining", "light.bath"), "state"),
            "餐桌吊灯和浴镜灯都关着。",
            "The table pendant is off; the vanity light is off.",
        ),
        (
            Question(("light.parlour_chandelier", "scene.story", "sensor.power"), "state"),
            "水晶吊灯开着。",
            "The crystal drop is on.",
        ),
        (
            Question(("sensor.power", "sensor.wine_humidity"), "state"),
            "总功率是1480 W；酒窖湿度是68%。",
            "The whole-house load is 1480 W; the wine store humidity is 68%.",
        ),
        (
            Question(("climate.dora",), "state"),
            "朵朵房地暖在制热，设定温度22°C，室温21°C。",
            "Dora's floor heating is on (heat), set to 22 °C, room at 21 °C.",
        ),
        (
            Question(("climate.dora",), "temperature"),
            "朵朵房地暖的设定温度是22°C，室温21°C。",
            "Dora's floor heating is set to 22 °C, room at 21 °C.",
        ),
        (
            Question(("climate.dora",), "current_temperature"),
            "朵朵房地暖的室温是21°C，设定温度22°C。",
            "The current temperature of Dora's floor heating is 21 °C, set to 22 °C.",
        ),
        (
            Question(("todo.groceries",), "items"),
            "采购单有3项：豆腐、鸡蛋、oat milk。",
            "The groceries (3 entries): 豆腐, 鸡蛋, oat milk.",
        ),
        (
            Question(("light.dora_corner", "light.max_corner"), "list"),
            "有2个：朵朵的房间的角落灯和小麦的房间的角落灯，其中1个开着：朵朵的房间的角落灯。",
            "There are 2: Dora's room corner lamp and Max's room corner lamp;"
            " on: Dora's room corner lamp (1).",
        ),
        (
            Question(("binary_sensor.dora_window",), "state"),
            "朵朵房窗磁开着。",
            "Dora's window contact is open.",
        ),
        (
            Asked(("light.dora_corner", "light.max_corner")),
            "是朵朵的房间的角落灯还是小麦的房间的角落灯？",
            "Which one: Dora's room corner lamp or Max's room corner lamp?",
        ),
        (Absent(words="微波炉"), "没有找到“微波炉”。", "There is no “微波炉” here."),
        (
            Absent(thing="ac", places=("dora",)),
            "朵朵的房间没有空调。",
            "There is no air conditioner in Dora's room.",
        ),
        (Unable(words="weld"), "我没法做到“weld”。", "I can't do that: “weld”."),
        (
            Unable("climate.dora", "weld"),
            "朵朵房地暖不支持“weld”。",
            "Dora's floor heating can't do that: “weld”.",
        ),
        (Unable(), "这里没有设备能帮上忙。", "There is no device here that can help with that."),
        (
            Verdict(
                outcome="unsupported",
                call=Call("set", "climate.dora", {"mode": "cool"}),
                reason="option",
                key="mode",
                value="cool",
                options=("off", "heat"),
            ),
            "朵朵房地暖不支持制冷，只能选关闭、制热。",
            "Dora's floor heating does not have cool, only off, heat.",
        ),
    ],
)
def test_facts_in_words(fact: Any, chinese: str, english: str) -> None:
    assert told(fact, "zh") == chinese
    assert told(fact, "en") == english


def test_what_several_did_is_told_at_once() -> None:
    some = [Call("turn_off", id) for id in ("light.dining", "light.bath", "light.utility")]
    facts = [Step(call=one, outcome="done") for one in some]
    state = initial(HOUSE)
    assert reply(facts, HOUSE, state, "zh", now=NOW) == "已关闭餐桌吊灯、浴镜灯和洗衣间灯。"
    english = "Turned off the table pendant, the vanity light and the utility light."
    assert reply(facts, HOUSE, state, "en", now=NOW) == english


def test_what_the_car_must_not_do_while_it_moves() -> None:
    car = WORLDS["city_car"]
    state = initial(car).updated("sensor.speed", {"state": 48})
    verdict = check(car, state, Call("open", "cover.tailgate"))
    chinese = "行驶中（车速48）不能打开掀背门，请停车后再试。"
    assert reply([verdict], car, state, "zh", now=NOW) == chinese
    english = "I can't open the hatchback lid while driving (speed 48); please stop first."
    assert reply([verdict], car, state, "en", now=NOW) == english


@pytest.mark.parametrize("language", LANGUAGES)
def test_notes(language: Language) -> None:
    hints = Note.__annotations__
    assert hints
    for what in get_args(__import__("typing").get_type_hints(Note)["what"]):
        assert sound(told(Note(what), language), language)
    assert told(Said("hello"), language) == "hello"


def test_what_is_off_is_not_set_to_anything() -> None:
    measured = Question(("climate.parents",), "current_temperature")
    assert told(measured, "zh") == "爸妈房空调的室温是19.5°C。"
    assert told(measured, "en") == "The current temperature of the parents' air unit is 19.5 °C."


def test_which_way_a_robot_faces() -> None:
    asked, scout = Question(("robot.scout",), "state"), WORLDS["scout"]
    assert "朝向" in told(asked, "zh", scout)
    assert "heading" in told(asked, "en", scout)


def test_nothing_on_a_timer() -> None:
    asked, flat = Question(("timer.galley",), "timers"), WORLDS["attic_flat"]
    assert told(asked, "zh", flat) == "厨台计时器是空的。"
    assert told(asked, "en", flat) == "The galley timer: nothing."
