"""Forms that leave out the one thing a sentence names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qingyu.act.forms.reader import parse_form
from qingyu.act.households import open_household
from qingyu.act.marks.marker import Marker
from qingyu.act.resolving.mending import mended
from qingyu.act.state import initial
from tests.act.talking import NOW, Start

HOUSE = open_household("lakeside_house")
MARKER = Marker(HOUSE)
AREA, OTHER = HOUSE.areas[:2]
LIGHT = next(one for one in HOUSE.select(domain="light") if HOUSE.named(one.name("en")) == (one,))


@pytest.mark.parametrize(
    ("text", "form", "better"),
    [
        ("all lights on in the {area}", "on light all", "on light at <area>1"),
        ("{area} too dark", "more light brightness", "more light at <area>1 brightness"),
        ("turn all lights off, skip the {light}", "off light all", "off light all but <light>1"),
        ("all lights off but not in the {area}", "off light", "off light all but <area>1"),
        ("{light} off please", "off light", "off <light>1"),
        ("the {light} and the floor lamp off", "off light all but <light>1", "off <light>1"),
        # What stays as it is.
        ("{light} and nothing else stays on", "off light but <light>1", "off light but <light>1"),
        ("only the {light}, and the rest off", "off light but <light>1", "off light but <light>1"),
        ("lights off and not the {light}", "off light but <light>1", "off light but <light>1"),
        ("all lights off in the {area}", "off light at <area>1", "off light at <area>1"),
        ("turn off the {light}", "off <light>1", "off <light>1"),
        ("{light} is on, put all lights off", "off light all", "off light all"),
        ("{area} or {other}", "on light all", "on light all"),
        ("{area} please", "talk", "talk"),
        ("{light} please", "on fan", "on fan"),
    ],
)
def test_mended(text: str, form: str, better: str) -> None:
    said = text.format(area=AREA.name("en"), other=OTHER.name("en"), light=LIGHT.name("en"))
    marked = MARKER.mark(said, initial(HOUSE), NOW)
    assert str(mended(parse_form(form), marked, HOUSE)) == better, marked.text


@pytest.mark.parametrize(
    ("said", "form", "better"),
    [
        ("灌风，{window}升上去", "open <cover.window>1", "close <cover.window>1"),
        ("把{window}摇上来", "open <cover.window>1", "close <cover.window>1"),
        ("把{window}摇下来", "open <cover.window>1", "open <cover.window>1"),
        ("把{window}升上去再开空调", "open <cover.window>1", "open <cover.window>1"),
        ("{window}摇到底", "open <cover.window>1", "open <cover.window>1"),
        ("wind the {window} all the way down", "close <cover.window>1", "open <cover.window>1"),
        ("roll the {window} up", "close <cover.window>1", "close <cover.window>1"),
        ("{window}打开", "open <cover.window>1", "open <cover.window>1"),
    ],
)
def test_a_window_of_a_car_is_shut_by_raising_it(said: str, form: str, better: str) -> None:
    car = open_household("city_car")
    window = next(one for one in car.select(domain="cover") if one.kind == "window")
    marked = Marker(car).mark(said.format(window=window.name("zh")), initial(car), NOW)
    assert str(mended(parse_form(form), marked, car)) == better, marked.text


def test_one_of_two_of_a_name_is_called(start: Start) -> None:
    talk = start(world="amei_phone", forms={"给小明打电话": 'absent "小明"'})
    one, two = (replace(each, names=(f"{sort}小明",)) for sort, each in
                zip(("同事", "同学"), talk.world.contacts[:2], strict=True))  # fmt: skip
    talk.assistant.use_world(replace(talk.world, contacts=(one, two)))
    answer = talk("给小明打电话")
    assert answer.pending == "which"
    assert answer.candidates == (one.value, two.value)


@pytest.mark.parametrize(
    ("said", "form", "better"),
    [
        ("it's perishing in here", "wish hot", "wish cold"),
        ("I'm boiling", "wish cold", "wish hot"),
        ("the AC isn't cold enough", "wish hot", "wish hot"),
        ("I'm melting, make it cold", "wish hot", "wish hot"),
        ("it's perishing in here", "wish cold", "wish cold"),
    ],
)
def test_who_freezes_wants_it_warmer(said: str, form: str, better: str) -> None:
    flat = open_household("attic_flat")
    marked = Marker(flat).mark(said, initial(flat), NOW)
    assert str(mended(parse_form(form), marked, flat)) == better
