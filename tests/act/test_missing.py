"""What the household has not, and a model overlooked: nothing is done instead."""

from __future__ import annotations

import pytest

from qingyu.act.calls import Call
from qingyu.act.households import open_household
from qingyu.act.marks.marker import Marker
from qingyu.act.resolving.missing import missing, without_missing
from qingyu.act.state import initial
from qingyu.act.understood import Do
from tests.act.talking import NOW, Start

FLAT = open_household("attic_flat")
MARKER = Marker(FLAT)


def found(text: str, form: str = "") -> str:
    return missing(MARKER.mark(text, initial(FLAT), NOW), FLAT, form)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Warm up the wine cellar", "cellar"),
        ("Warm up the basement", "basement"),
        ("turn off the lights in the garage", "garage"),
        ("garage lights off", "garage"),
        ("preheat the oven", "oven"),
        ("把车库的灯关掉", "车库"),
        ("车库太暗了", "车库"),
        ("烤箱预热", "烤箱"),
        ("关掉洗碗机", "洗碗机"),
        ("I'd like the oven on", "oven"),
        ("I'd really like the garage lights on", "garage"),
        ("好像车库里灯还亮着，关掉", "车库"),
        ("跟我说下车库里多少度", "车库"),
        ("打开西屋的灯", "西屋"),
        ("姥姥那屋暖气调高点", "姥姥那屋"),
        ("孩子们的房间关灯", "孩子们的房间"),
        ("he's back soon, put the heating on in his room", "his room"),
        ("garage dome light off", "garage"),
    ],
)
def test_found(text: str, word: str) -> None:
    assert found(text) == word


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("I'm going to the garage, turn off the lights", ""),
        ("turn off everything", ""),
        ("我去车库了，关灯", ""),
        ("把灯都关掉", ""),
        ("put oven gloves on the list", 'add todo "oven gloves"'),
        ("提醒我洗碗机要修", 'add reminder "洗碗机要修"'),
        ("movie night", ""),
        # What something is only like.
        ("it's like climbing into a freezer, turn on the lights", ""),
        ("跟个冰箱似的，开灯", ""),
        # Where one is, and every other one.
        ("这里屋里的灯关了", ""),
        ("其他房间的灯都关了", ""),
        ("it's in the room", ""),
    ],
)
def test_not_found(text: str, form: str) -> None:
    assert found(text, form) == ""


def test_his_room_may_be_what_was_spoken_of() -> None:
    marked = MARKER.mark("turn off the lights in his room", initial(FLAT), NOW)
    assert missing(marked, FLAT) == "his room"
    assert missing(marked, FLAT, talked=True) == ""


def test_a_room_that_is_there_is_the_one_that_is_cold() -> None:
    room = FLAT.areas[0].name("en")
    assert (
        found(f"so stuffy in the {room}, as bad as in the garage", "wish stuffy at <area>1") == ""
    )


@pytest.mark.parametrize("one", [*FLAT.areas, *FLAT.entities])
def test_nothing_that_is_there(one: object) -> None:
    for name in one.names:  # type: ignore[attr-defined]
        assert found(f"turn off the lights in the {name}") == ""
        assert found(f"把{name}的灯关掉") == ""


@pytest.mark.parametrize(
    ("text", "done"),
    [
        ("阁楼间的圆顶灯打开", True),
        ("车库的圆顶灯打开", False),
        ("奶奶那屋的圆顶灯打开", False),
        ("turn on the dome light in the garage", False),
        ("garage dome light on", False),
        ("I'm in the garage, dome light on", True),
    ],
)
def test_a_device_that_is_said_to_be_elsewhere_is_another(
    start: Start, text: str, done: bool
) -> None:
    answer = start(forms={text: "on <light>1"})(text)
    assert [one.call.entity for one in answer.steps] == (["light.den_ceiling"] if done else [])


def test_nothing_is_done_but_what_was_named(start: Start) -> None:
    text = "打开圆顶灯，再把车库的灯打开"
    talk = start(forms={text: "on <light>1 ; on light", "Warm up the basement": "wish cold"})
    answer = talk(text)
    assert {one.call.entity for one in answer.steps} == {"light.den_ceiling"}
    assert "车库" in answer.text
    before = talk.devices.state()
    assert "basement" in talk("Warm up the basement").text
    assert talk.devices.state() == before


@pytest.mark.parametrize(
    ("text", "form", "words", "done"),
    [
        ("看书灯投屏一下", "on <light>1", "投屏", []),
        ("打开圆顶灯，看书灯接HDMI", "on <light>1 <light>2", "HDMI", ["light.den_ceiling"]),
        ("Netflix on the dome light", "on <light>1", "Netflix", []),
        ("dome light on and open the sunroof", "on <light>1 ; open window", "sunroof", []),
    ],
)
def test_what_nothing_here_has(
    start: Start, text: str, form: str, words: str, done: list[str]
) -> None:
    answer = start(forms={text: form})(text)
    assert [one.call.entity for one in answer.steps] == done
    assert words in answer.text


def test_a_function_that_something_has_is_there() -> None:
    car = open_household("city_car")
    assert any(one.kind == "sunroof" for one in car.entities)
    parts = (Do((Call("open", car.entities[0].id),)),)
    marked = Marker(car).mark("天窗打开", initial(car), NOW)
    assert without_missing(parts, marked, car, "open <cover.sunroof>1") == parts
