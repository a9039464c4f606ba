"""What is taken back in the same breath."""

from __future__ import annotations

import re

import pytest

from qingyu.act.marks.mark import Mark, Marked
from qingyu.act.marks.slips import without_slips

MARK = re.compile(r"<([a-z_.]+)>(\d)")


def marked(text: str) -> Marked:
    marks = tuple(
        Mark(type=one[1], start=0, end=1, words=f"word{one[2]}", value=1)
        for one in MARK.finditer(text)
    )
    return Marked(text, marks, text)


@pytest.mark.parametrize(
    ("text", "left", "words"),
    [
        ("off the <switch>1 no hang on the <media_player>2", "off the <media_player>1", "2"),
        ("<climate>1 to <number>2 degrees i mean <number>3", "<climate>1 to <number>2", "13"),
        ("on the <light>1 in <area>2 no wait, the <area>3 ones",
         "on the <light>1 in <area>2 ones", "13"),
        ("set <light>1 to <percent>2, sorry i meant <percent>3 and off <fan>4",
         "set <light>1 to <percent>2 and off <fan>3", "134"),
        ("打开<fan>1哦不是<switch>2", "打开<switch>1", "2"),
        ("<navigator>1去<place>2不是不是去<place>3", "<navigator>1去<place>2", "13"),
        ("<climate>1调到<degree>2,不对,<degree>3", "<climate>1调到<degree>2", "13"),
        ("导航去<ordinal>1仓,不是<ordinal>2啊", "导航去<ordinal>1仓啊", "1"),
        ("关<light>1,不是<light>2", "关<light>1", "1"),
        ("关<light>1,不是,<light>2", "关<light>1", "2"),
        ("打给<contact>1啊不对,是<contact>2", "打给<contact>1", "2"),
        ("on <light>1 no wait <light>2 no sorry <light>3", "on <light>1", "3"),
    ],
)  # fmt: skip
def test_taken_back(text: str, left: str, words: str) -> None:
    found = without_slips(marked(text))
    assert found.text == left
    assert [one.words for one in found.marks] == [f"word{one}" for one in words]
    assert found.said == text


@pytest.mark.parametrize(
    "text",
    [
        "off all lights, not the <light>1 but the <light>2",
        "打开<light>1不是<light>2",
        "<light>1 is no good, turn on <light>2",
        "on <light>1 to <percent>2 no wait <light>3",
        "no wait, on <light>1",
        "i mean it, <light>1 on and <light>2 off",
        "<light>1 and <light>2 on",
    ],
)
def test_nothing_taken_back(text: str) -> None:
    assert without_slips(marked(text)).text == text
