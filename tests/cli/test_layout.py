"""Columns, with characters that take two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingyu.cli import layout


@pytest.mark.parametrize(
    ("text", "columns"), [("", 0), ("abc", 3), ("你好", 4), ("a你b", 4), ("，", 2), ("é", 1)]
)
def test_width(text: str, columns: int) -> None:
    assert layout.width(text) == columns


def test_english_breaks_between_words_and_chinese_anywhere() -> None:
    assert layout.wrap("one two three", 7) == ["one two", "three"]
    assert layout.wrap("一二三四五", 6) == ["一二三", "四五"]


def test_punctuation_does_not_begin_a_line() -> None:
    assert layout.wrap("一二三，四五", 6) == ["一二", "三，四", "五"]


def test_line_breaks_are_kept() -> None:
    assert layout.wrap("a\n\nb", 10) == ["a", "", "b"]


@given(st.text(alphabet=st.sampled_from("ab 你好，。\n"), max_size=60), st.integers(8, 40))
def test_wrapping_loses_nothing_and_keeps_the_width(text: str, columns: int) -> None:
    lines = layout.wrap(text, columns)
    assert "".join("".join(lines).split()) == "".join(text.split())
    for line in lines:
        longest = max((layout.width(piece) for piece in layout._PIECES.findall(line)), default=0)
        assert layout.width(line) <= max(columns, longest)


def test_two_columns_are_aligned_by_width() -> None:
    lines = layout.two_columns([("选项", "甲"), ("long", "b")], total=40)
    assert lines == ["  选项  甲", "  long  b"]


def test_a_long_term_stands_alone() -> None:
    lines = layout.two_columns([("x" * 31, "first"), ("y", "second")], total=60)
    assert lines == ["  " + "x" * 31, "     first", "  y  second"]


def test_table_aligns_numbers_to_the_right() -> None:
    assert layout.table([("1", "a"), ("10", "b")], right=frozenset({0})) == [" 1  a", "10  b"]


def flowed(text: str, columns: int) -> str:
    flow = layout.Flow(columns)
    return "".join(map(flow.push, text)) + flow.rest()


def test_flow_breaks_between_words() -> None:
    assert flowed("one two three", 9) == "one two \nthree"
    assert flowed("一二三 four", 6) == "一二三\nfour"
    assert flowed("一二三四", 6) == "一二三\n四"


def test_flow_leaves_code_alone() -> None:
    assert flowed("```py\nx = 1 + 2\n```\na b c", 4) == "```py\nx = 1 + 2\n```\na b \nc"


def test_flow_shows_a_word_once_it_is_whole() -> None:
    flow = layout.Flow(80)
    assert [flow.push(piece) for piece in ("Hel", "lo wor", "ld.\n")] == ["", "Hello ", "world.\n"]


@given(st.text(alphabet=st.sampled_from("ab 你，`\n"), max_size=60), st.integers(4, 20))
def test_flow_adds_nothing_but_line_breaks(text: str, columns: int) -> None:
    shown = flowed(text, columns)
    assert "".join(shown.split()) == "".join(text.split())
    if "```" not in text:
        assert all(layout.width(line.rstrip()) <= columns for line in shown.split("\n"))
