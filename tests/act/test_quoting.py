"""Quotes that a model began or ended too late."""

from __future__ import annotations

import pytest

from qingyu.act.forms.reader import parse_form
from qingyu.act.marks.mark import Mark, Marked
from qingyu.act.resolving.quoting import whole


@pytest.mark.parametrize(
    ("text", "form", "better"),
    [
        ("drop <contact>1 a line: meet me in the lobby", 'send <contact>1 "the lobby"',
         'send <contact>1 "meet me in the lobby"'),
        ("text <contact>1 that i am late please", 'send <contact>1 "late"',
         'send <contact>1 "i am late"'),
        ("发短信给<contact>1说我<day>2加班", 'send <contact>1 "我<day>2"',
         'send <contact>1 "我<day>2加班"'),
        ("给<contact>1发条微信:晚点到", 'send <contact>1 "到"', 'send <contact>1 "晚点到"'),
        ("<todo>1 加一条 essay draft", 'add <todo>1 "essay"', 'add <todo>1 "essay draft"'),
        ("再加个酸奶", 'add it "奶"', 'add it "酸奶"'),
        ("put olive oil on <todo>1", 'add <todo>1 "oil"', 'add <todo>1 "olive oil"'),
        ("把酸奶加到<todo>1", 'add <todo>1 "酸奶"', 'add <todo>1 "酸奶"'),
        ("add milk to <todo>1", 'add <todo>1 "milk"', 'add <todo>1 "milk"'),
        ("off <light>1", "off <light>1", "off <light>1"),
    ],
)  # fmt: skip
def test_whole(text: str, form: str, better: str) -> None:
    marks = (Mark(type="x", start=0, end=1, words="x", value=1),) * 2
    assert str(whole(parse_form(form), Marked(text, marks, text))) == better
