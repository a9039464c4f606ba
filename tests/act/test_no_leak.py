"""No sentence of the benchmark is trained on, and no device of its households."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from qingyu.act.bench.cases import LANGUAGES, Language, read_split
from qingyu.act.bench.leaks import (
    benchmark_names,
    benchmark_texts,
    is_device_name,
    leaks,
    named_alike,
    texts,
    untested,
)  # fmt: skip
from qingyu.act.skill.sentences.generator import sentences
from qingyu.act.world import World
from tests.act.houses import HOUSE, house

EXAMPLES = 5_000
"""Of each language and seed: some seconds."""
SEEDS = (0, 20261126)


def examples(seed: int, language: Language) -> list[tuple[list[str], World]]:
    """What the generator gives to train on: turns and household."""
    made = itertools.islice(sentences(seed, language), EXAMPLES)
    return [([turn.text for turn in one.turns], one.world) for one in made]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_of_the_benchmark_is_trained_on(language: Language, seed: int) -> None:
    made = examples(seed, language)
    found = leaks(text for turns, _ in made for text in turns)
    # Only how many: the sentences of the test split are nobody's to read here.
    assert len(found) == 0, f"{len(found)} training sentences are in the benchmark"
    worlds = {id(world): world for _, world in made}
    assert len(worlds) > 20
    named = named_alike(worlds.values())
    assert len(named) == 0, f"{len(named)} training households have a name of the benchmark"


def test_what_is_in_the_benchmark_is_left_out() -> None:
    tested = next(iter(benchmark_texts(("dev",)).sentences.values()))
    made = [["一句没有的话"], ["一句没有的话", f"嗯，{tested}！"], ["yes"]]
    assert list(untested(made, lambda one: one)) == [made[0], made[2]]
    name = sorted(benchmark_names(("dev",)))[0]
    assert is_device_name(f"{name.upper()}!")
    assert not is_device_name("没有的名字")


def test_the_benchmark_is_known_whole() -> None:
    """Every turn that says more than yes or no is found, in any dress."""
    known = benchmark_texts(("dev",))
    turns = [turn for _, cases in read_split("dev") for case in cases for turn in case.say]
    missed = {turn for turn in turns if known.says(turn) is None}
    assert len(turns) > 430
    assert len(missed) < 20, missed
    assert all(len(turn) <= 12 for turn in missed), missed
    for turn in turns:
        if turn not in missed:
            assert known.says(f"嗯，{turn}。") is not None or known.says(f"um, {turn}!") is not None


def test_both_splits_are_in_it() -> None:
    whole = benchmark_texts().sentences
    for split in ("dev", "test"):
        some = benchmark_texts((split,)).sentences
        assert len(some) > 400
        assert set(some) <= set(whole)


def test_a_leak_is_found_and_named() -> None:
    known = texts(["关掉书桌灯", "Turn the island lamp on."])
    made = [
        "打开书桌灯",
        "麻烦把书桌灯关掉",
        "请关掉书桌灯吧！",
        "could you turn the island lamp on",
    ]
    assert leaks(made, known) == [
        ("请关掉书桌灯吧！", "关掉书桌灯"),
        ("could you turn the island lamp on", "Turn the island lamp on."),
    ]
    first = next(iter(benchmark_texts(("dev",)).sentences.values()))
    assert leaks(["一句没有的话", first])


def test_yes_and_no_are_no_sentences() -> None:
    known = texts(["确认", "是的。", "Yes, please!", "不用了", "stop", "关灯"])
    assert list(known.sentences.values()) == ["关灯"]


def test_names_of_the_benchmark_are_found_in_a_household(tmp_path: Path) -> None:
    name = "Miffy-Lamp"
    world: World = house(tmp_path, HOUSE.replace("Desk Lamp", name))
    assert named_alike([world], frozenset({"miffy lamp"})) == {"house": ["miffy lamp"]}
    assert named_alike([world], frozenset({"other lamp"})) == {}
    assert len(benchmark_names()) > len(benchmark_names(("dev",))) > 200
