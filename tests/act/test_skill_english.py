"""The English training sentences: each word that a form may have is said in some way or other."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from qingyu.act.forms.reader import parse_form
from qingyu.act.forms.words import ASKED, CLASSES, KEYS, PLAIN, ROBOT, VALUES, WISHES
from qingyu.act.skill.sentences.names import read_names
from qingyu.act.skill.sentences.rules import SLOT, Rule, Turn, every_turn, read_rules

RULES = read_rules("en")
TURNS = list(every_turn(RULES))
_TYPES = {"device": "light", "anything": "light", "amount": "percent", "temp": "degree"}


def _filled(rule: Rule, turn: Turn, choose: int = 0) -> str:
    """The form with marks in the place of its slots."""
    count = 0

    def mark(match: re.Match[str]) -> str:
        nonlocal count
        base, _, detail = match[1].partition("#")[0].partition(":")
        for words in (rule.words, RULES.words):
            if base in words.maps:
                keys = detail.split(",") if detail else list(words.maps[base])
                return keys[choose % len(keys)]
            if base in words.lists:
                return "x"
        kind = base.rstrip("+!").split("/")[0]
        count = min(count + 1, 9)
        return f"<{_TYPES.get(kind, kind)}>{count}"

    return SLOT.sub(mark, turn.form)


def test_every_form_is_one_of_the_language() -> None:
    for rule, turn in TURNS:
        parse_form(_filled(rule, turn))


def _said() -> dict[str, int]:
    """How many ways of saying there are for each word of a form."""
    found: dict[str, int] = defaultdict(int)
    for rule, turn in TURNS:
        forms = {_filled(rule, turn, choose) for choose in range(20)}
        for word in {word for form in forms for word in form.split()}:
            found[word] += 1
    return found


SAID = _said()


@pytest.mark.parametrize("word", [*PLAIN, *ROBOT, *WISHES, *KEYS])
def test_each_verb_key_and_wish_is_said_in_several_ways(word: str) -> None:
    assert SAID[word] >= 3, word


@pytest.mark.parametrize("word", [*CLASSES, *ASKED, *VALUES])
def test_each_class_question_and_value_is_said(word: str) -> None:
    assert SAID[word] >= 1, word


def test_there_are_names_for_everything_a_household_has() -> None:
    chinese, english = read_names("zh"), read_names("en")
    assert set(chinese.groups) == set(english.groups)
