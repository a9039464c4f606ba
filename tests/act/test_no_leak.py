"""No sentence of the benchmark is trained on, and no device of its households."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from qingyu.act.bench.cases import LANGUAGES, Language, read_split
from qingyu.act.bench.leaks import (
    benchmark_names,
    benchmark_texts,
    leaks,
    named_alike,
    texts,
)  # fmt: skip
from qingyu.act.world import World
from tests.act.houses import HOUSE, house

SENTENCES = 20_000
"""Of each language and seed: some seconds."""
WORLDS = 200
SEEDS = (0, 20261126)


def generator(name: str) -> Callable[..., Iterable[Any]]:
    """A function of the generator of training sentences, where that is here already."""
    try:
        module = importlib.import_module("qingyu.act.skill.generator")
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("qingyu.act.skill"):
            raise
        pytest.skip("there is no generator of training sentences yet")
    if not hasattr(module, name):
        pytest.skip(f"the generator has no {name}")
    found: Callable[..., Iterable[Any]] = getattr(module, name)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("seed", SEEDS)
def test_no_sentence_of_the_benchmark_is_trained_on(language: Language, seed: int) -> None:
    made = generator("sentences")(seed, language)
    found = leaks(itertools.islice(made, SENTENCES))
    # Only how many: the sentences of the test split are nobody's to read here.
    assert len(found) == 0, f"{len(found)} training sentences are in the benchmark"


@pytest.mark.parametrize("seed", SEEDS)
def test_no_device_of_the_benchmark_is_in_a_training_household(seed: int) -> None:
    made = itertools.islice(generator("worlds")(seed), WORLDS)
    assert len(named_alike(made)) == 0, "a training household has a name of the benchmark"


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
