"""Where a sentence may be cut into its orders, and what a piece of it is."""

from __future__ import annotations

import pytest

from qingyu.act.forms.reader import parse_form
from qingyu.act.households import open_household
from qingyu.act.marks.cutting import MOST_PIECES, cuts, is_bare, is_except, part
from qingyu.act.marks.mark import MARK, Marked
from qingyu.act.marks.marker import Marker
from qingyu.act.skill.model import _after, _together, _Way
from qingyu.act.state import initial
from tests.act.talking import NOW

HOUSE = open_household("lakeside_house")
LIGHT, OTHER = (one.name("en") for one in HOUSE.select(domain="light")[:2])


def pieces(text: str) -> list[str]:
    return [text[start:end] for start, end in cuts(Marked(text, (), text))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<light>1 off", ["<light>1 off"]),
        ("<light>1 off, and <fan>2 on", ["<light>1 off", "<fan>2 on"]),
        ("<light>1 off and then <fan>2 on.", ["<light>1 off", "<fan>2 on"]),
        ("it's cold. oh and also shut <cover.window>1", ["it's cold", "shut <cover.window>1"]),
        ("set <climate>1 to 21.5 degrees", ["set <climate>1 to 21.5 degrees"]),
        ("<light>1关了,顺便把<fan>2打开", ["<light>1关了", "把<fan>2打开"]),
        ("先把<light>1关了再打开<fan>2", ["先把<light>1关了", "再打开<fan>2"]),
        ("<light>1再亮一点", ["<light>1再亮一点"]),
        ("<light>1也一样", ["<light>1也一样"]),
        (",,,", [",,,"]),
        # What is a part of an order, and leads to none.
        ("music down, next song please", ["music down", "next song please"]),
        ("music down, next, the <light>1 off", ["music down", "the <light>1 off"]),
        ("打开另外那盏灯", ["打开另外那盏灯"]),
        ("<timer>1还有多久", ["<timer>1还有多久"]),
        ("第一盏打开,最后一盏关掉", ["第一盏打开", "最后一盏关掉"]),
        ("a, " * 30, ["a"] * (MOST_PIECES - 1) + [("a, " * (30 - MOST_PIECES + 1)).rstrip(", ")]),
    ],
)
def test_cuts(text: str, found: list[str]) -> None:
    assert pieces(text) == found


def test_a_piece_has_its_marks_from_one_on() -> None:
    text = f"turn on the {LIGHT}, then turn off the {OTHER} at 10%"
    marked = Marker(HOUSE).mark(text, initial(HOUSE), NOW)
    assert len(marked.marks) == 3
    start, end = cuts(marked)[1]
    piece, numbers = part(marked, start, end)
    assert numbers == (2, 3)
    assert [one[2] for one in MARK.finditer(piece.text)] == ["1", "2"]
    assert [one.words for one in piece.marks] == [one.words for one in marked.marks[1:]]


def test_a_mark_that_is_said_twice_is_one_mark_of_a_piece() -> None:
    marks = Marker(HOUSE).mark(f"{LIGHT} and {OTHER}", initial(HOUSE), NOW).marks
    twice = Marked("off <light>1, on <light>2 or <light>2", marks)
    assert part(twice, *cuts(twice)[1])[0].text == "on <light>1 or <light>1"


@pytest.mark.parametrize(
    ("text", "bare"),
    [("the <light>1", True), ("<area>1的", True), ("all", True), ("<light>1 off", False)],
)
def test_what_only_names_something(text: str, bare: bool) -> None:
    assert is_bare(Marked(text, ()), [(0, len(text))]) == bare


def test_what_may_leave_something_out() -> None:
    assert is_except("all lights off, not the <light>1")
    assert is_except("灯都关了,<light>1就算了")
    assert not is_except("<light>1 off and <fan>2 on")


@pytest.mark.parametrize(
    ("second", "form", "found"),
    [
        ("<fan>1 on", "on <fan>1", "when <time>1 : on <fan>3"),
        ("<fan>1 on now", "on <fan>1", "on <fan>3"),
        ("what is the time", "ask clock", "ask clock"),
        ("stop", "halt", "halt"),
    ],
)
def test_what_follows_a_time_is_for_then(second: str, form: str, found: str) -> None:
    first = Marked("at <time>1 <light>2 off", ())
    way = _after(_Way(0, (), ""), parse_form("when <time>1 : off <light>2"), first, (1, 2), 0)
    way = _after(way, parse_form(form), Marked(second, ()), (3,), 0)
    assert str(way.forms[-1]) == found


def test_an_answer_that_comes_after_small_talk() -> None:
    assert str(_together((parse_form("talk"), parse_form("undo")))) == "undo"
    assert str(_together(())) == "talk"
