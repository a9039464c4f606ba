"""Quantities, courtesy and clauses in what people say."""

from __future__ import annotations

import pytest

from qingyu.act.fast.slots import quantities
from qingyu.act.spoken.spelling import clauses, clean


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("半小时", 1800), ("一个半小时", 5400), ("六分半钟", 390), ("90秒", 90), ("三刻钟", 2700),
        ("half an hour", 1800), ("an hour and a half", 5400), ("four and a half minutes", 270),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert quantities(text)["duration"] == {text: seconds}


@pytest.mark.parametrize(("text", "metres"), [("八十厘米", 0.8), ("三米半", 3.5), ("2 m", 2)])
def test_distances(text: str, metres: float) -> None:
    assert quantities(text)["distance"] == {text: metres}


def test_numbers_without_what_they_count() -> None:
    assert quantities("百分之四十到二十六点五度")["number"] == {"四十": 40, "二十六点五": 26.5}
    assert quantities("set it to twenty five percent")["number"] == {"twenty five": 25}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("麻烦帮我把灯关一下。", "把灯关"),
        ("Could you please turn it on, thanks!", "turn it on"),
        ("Set it to 4.5", "Set it to 4.5"),
        ("請", "请"),
        ("", ""),
    ],
)
def test_courtesy_goes(text: str, left: str) -> None:
    assert clean(text) == left


def test_clauses() -> None:
    assert clauses("关射灯，再开岛台灯；谢谢") == ["关射灯", "开岛台灯", "谢谢"]
    assert clauses("lamp off and then fan to 4.5") == ["lamp off", "fan to 4.5"]
