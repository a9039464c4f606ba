"""The notation of sentence templates."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from qingyu.act.skill.sentences.notation import TIME_PLACE, Slot, expand, read, slots_of
from qingyu.act.skill.sentences.rules import read_folder
from qingyu.errors import DataError


def said(text: str, macros: dict[str, str] | None = None) -> set[str]:
    """Everything a template says in many tries; slots as {name}."""
    template = read(text, macros or {})
    chance = random.Random(1)
    found = set()
    for _ in range(300):
        pieces = expand(template, chance)
        found.add(
            "".join(f"{{{one.name}}}" if isinstance(one, Slot) else str(one) for one in pieces)
        )
    return found


def test_alternatives_nest_and_optional_parts_come_and_go() -> None:
    assert said("(把|将(这|那)个)灯[吧]") == {
        f"{first}灯{end}" for first in ("把", "将这个", "将那个") for end in ("", "吧")
    }


def test_weights_are_how_often() -> None:
    template, chance = read("(a*9|b)", {}), random.Random(2)
    many = sum(expand(template, chance) == ["a"] for _ in range(2000))
    assert 1700 < many < 1900


def test_an_optional_part_is_there_half_of_the_time() -> None:
    template, chance = read("x[a|b]", {}), random.Random(2)
    assert 900 < sum(expand(template, chance) == ["x"] for _ in range(2000)) < 1100


def test_slots_macros_and_signs() -> None:
    template = read(r"<v>{light:color#2}^\(好\)", {"v": "(开|关)"})
    assert slots_of(template) == {"light:color#2"}
    pieces = expand(template, random.Random(1))
    assert pieces[0] in ("开", "关")
    assert pieces[1:] == [Slot("light:color#2"), TIME_PLACE, "(好)"]


@pytest.mark.parametrize("text", ["(a|b", "a)", "[a", "{light", "<none>", "<self>", "(a*|b)"])
def test_a_slip_of_the_pen_is_told_with_the_template(text: str) -> None:
    with pytest.raises(DataError, match=r"template|模板"):
        read(text, {"self": "<self>"})


def folder(path: Path, text: str) -> Path:
    (path / "plain.yaml").write_text(text, encoding="utf-8")
    return path


def test_a_form_s_slot_must_be_in_the_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"plain.yaml, rules\[0\].*\{fan\}"):
        read_folder(folder(tmp_path, "rules:\n- say: 开{light} => on {fan}\n"), "zh")


def test_lines_comments_turns_and_what_is_pending(tmp_path: Path) -> None:
    text = """
rules:
- form: on {light}
  say: |
    开{light}   # the plainest
    # nothing else
    关{light} => off {light}
- turns:
  - 开{light!} => on {light!} | which
  - |
    {area}的 => pick {area}
    算了 => no
"""
    first, second = read_folder(folder(tmp_path, text), "zh").categories[0].rules
    assert [one.form for one in first.turns[0]] == ["on {light}", "off {light}"]
    assert [[one.form for one in turn] for turn in second.turns] == [
        ["on {light!}"], ["pick {area}", "no"],
    ]  # fmt: skip
    assert second.turns[0][0].pending == "which"


@pytest.mark.parametrize(
    "text",
    [
        "rules:\n- say: 开灯\n",
        "rules:\n- form: talk\n",
        "rules:\n- {form: talk, sai: x}\n",
        "a: 1\n",
    ],
)
def test_what_a_rule_lacks_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"plain\.yaml"):
        read_folder(folder(tmp_path, text), "zh")
