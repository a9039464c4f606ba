"""The generator of training sentences: same seed, same examples; forms that say what was said."""

from __future__ import annotations

import itertools
import random
import re
import time

import pytest

from qingyu.act.skill.sentences import said
from qingyu.act.skill.sentences.fill import _MAKERS
from qingyu.act.skill.sentences.generator import Example, Generator, sentences
from qingyu.act.skill.sentences.households import KINDS, make_household
from qingyu.act.skill.sentences.notation import slots_of
from qingyu.act.skill.sentences.rules import every_turn, read_rules
from qingyu.act.spoken.numbers import find_numbers
from qingyu.act.spoken.times import find_durations, find_times
from qingyu.act.vocabulary import DOMAINS

LANGUAGES = ("zh", "en")


def some(language: str, count: int, seed: int = 1) -> list[Example]:
    return list(itertools.islice(sentences(seed, language), count))


@pytest.fixture(scope="module", params=LANGUAGES)
def examples(request: pytest.FixtureRequest) -> list[Example]:
    return some(request.param, 1500)


def told(examples: list[Example]) -> list[list[tuple[str, str]]]:
    return [[(turn.text, turn.form) for turn in one.turns] for one in examples]


def test_a_seed_gives_the_same_examples_and_another_gives_others() -> None:
    assert told(some("zh", 50)) == told(some("zh", 50))
    assert told(some("zh", 50)) != told(some("zh", 50, seed=2))


def test_every_mention_stands_where_it_is_said_to(examples: list[Example]) -> None:
    for example in examples:
        for turn in example.turns:
            assert turn.text
            assert turn.text == turn.text.strip()
            marks = re.findall(r"<([a-z_.0-9]+):([^<>]*)>", turn.form)
            assert [(one.type, one.words) for one in turn.mentions] == marks, turn
            for one in turn.mentions:
                assert turn.text[one.start : one.end] == one.words.strip(), turn


def test_quotes_are_pieces_of_the_sentence(examples: list[Example]) -> None:
    turns = [turn for example in examples for turn in example.turns]
    quotes = [(quote, turn.text) for turn in turns for quote in re.findall('"([^"]+)"', turn.form)]
    assert len(quotes) > 50
    assert sum(quote in text for quote, text in quotes) > 0.98 * len(quotes)


def test_what_a_form_points_at_is_in_the_household(examples: list[Example]) -> None:
    for example in examples:
        for turn in example.turns:
            for one in turn.mentions:
                for id in one.ids if one.type.partition(".")[0] in DOMAINS else ():
                    assert example.world.entity(id) is not None, turn


def test_there_is_of_everything(examples: list[Example]) -> None:
    verbs = {turn.form.split()[0] for example in examples for turn in example.turns}
    wanted = "on off open close set more less ask add remove call send launch navigate walk turn go"
    assert set(f"{wanted} wish absent unable talk yes no pick when halt follow".split()) <= verbs


def test_risky_orders_wait_for_a_yes(examples: list[Example]) -> None:
    for turn in (turn for example in examples for turn in example.turns):
        if turn.form.split()[0] in ("unlock", "call", "send", "walk", "go", "dock"):
            assert turn.pending in ("confirm", "which"), turn
        if turn.form in ("talk", "halt"):
            assert not turn.pending, turn


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_line_has_a_slot_that_nothing_fills(language: str) -> None:
    rules = read_rules(language)
    for rule, turn in every_turn(rules):
        for slot in slots_of(turn.template):
            name, _, detail = slot.partition("#")[0].partition(":")
            name = name.rstrip("+!")
            for words in (rule.words, rules.words):
                if name in words.maps:
                    keys = [one for one in detail.split(",") if one]
                    assert set(keys) <= set(words.maps[name]), (rule.category, slot)
                    break
                if name in words.lists:
                    break
            else:
                kinds = [one.partition(".")[0] for one in name.split("/")]
                known = name in _MAKERS or {*kinds} <= {*DOMAINS, "device", "anything"}
                assert known, (rule.category, slot)


@pytest.mark.parametrize("kind", KINDS)
def test_a_household_has_no_name_twice_unless_it_is_shared(kind: str) -> None:
    for seed in range(5):
        household = make_household("zh", random.Random(seed), kind)
        names = [name for one in household.world.entities for name in one.names]
        twice = {name for name in names if names.count(name) > 1}
        assert twice <= set(household.shared)
        assert len({one.id for one in household.world.entities}) == len(household.world.entities)


def test_a_forbidden_name_is_in_no_household() -> None:
    for seed in range(20):
        household = make_household("zh", random.Random(seed), "house", lambda name: "灯" in name)
        assert not [name for one in household.world.entities for name in one.names if "灯" in name]


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_are_said_so_that_they_are_read(language: str) -> None:
    chance = random.Random(1)
    for value in (1, 2, 12, 26.5, 30, 50, 75, 99):
        for say, unit in ((said.percent, "percent"), (said.degree, "degree")):
            if say is said.percent and value != int(value):
                continue
            text = say(value, language, chance)
            [found] = find_numbers(f"调到{text}" if language == "zh" else f"set it to {text}")
            assert found.value == pytest.approx(value, abs=0.6), text
            assert found.unit in (unit, "celsius"), text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["after", "clock", "sun", "daily"])
def test_times_are_said_so_that_they_are_read(language: str, kind: str) -> None:
    world = make_household("zh", random.Random(1), "flat").world
    assert world.now is not None
    chance = random.Random(1)
    texts = [said.moment(kind, language, chance) for _ in range(150)]
    order = "{}关灯" if language == "zh" else "turn it off {}"
    read = [text for text in texts if find_times(order.format(text), world.now, world.sun)]
    assert len(read) > 0.95 * len(texts), set(texts) - set(read)
    assert find_durations(said.duration(language, chance))


@pytest.mark.slow
def test_it_is_fast() -> None:
    generator = Generator(read_rules("zh"), 1)
    began = time.perf_counter()
    for _ in range(4000):
        generator.example()
    assert 4000 / (time.perf_counter() - began) > 500
