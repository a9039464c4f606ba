"""Numbers, quantities and courtesy in what people say."""

from __future__ import annotations

import pytest

from qingyu.act.fast_text import DISTANCES, DURATIONS, clauses, clean, find, number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("26", 26), ("4.5", 4.5), ("二十六", 26), ("十", 10), ("一百零五", 105), ("一百八", 180),
        ("两千二", 2200), ("一万", 10000), ("二十四点五", 24.5), ("两百", 200), ("twenty-five", 25),
        ("twenty five", 25), ("a hundred", 100), ("one hundred and five", 105), ("灯", None),
        ("二三", 23), ("lamp", None),
    ],
)  # fmt: skip
def test_numerals(text: str, value: float | None) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("半小时", 1800), ("一个半小时", 5400), ("六分半钟", 390), ("90秒", 90), ("三刻钟", 2700),
        ("half an hour", 1800), ("an hour and a half", 5400), ("four and a half minutes", 270),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert find(text, DURATIONS) == [(text, seconds)]


@pytest.mark.parametrize(("text", "metres"), [("八十厘米", 0.8), ("三米半", 3.5), ("2 m", 2)])
def test_distances(text: str, metres: float) -> None:
    assert find(text, DISTANCES) == [(text, metres)]


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
