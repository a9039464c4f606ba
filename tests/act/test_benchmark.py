"""The benchmark's own households and cases: valid, many enough, possible, and kept apart."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files
from typing import get_args

import pytest

from qingyu.act.actions import apply
from qingyu.act.bench.cases import CATEGORIES, LANGUAGES, Case, Language, Split, read_split
from qingyu.act.bench.judging import Scheduled, judge
from qingyu.act.guard import check
from qingyu.act.world import World, plain
from tests.act.reachable import reach, reach_one

SPLITS: tuple[Split, ...] = get_args(Split)
# Categories whose cases change nothing, but where a list has a valid part.
NOTHING_DONE = {"question", "talk", "unsupported", "range"}

# Of the test split, in Chinese and in English.
COUNTS = {
    "plain": (22, 22),
    "alias": (17, 17),
    "several": (24, 24),
    "area": (26, 26),
    "exception": (19, 19),
    "number": (21, 21),
    "relative": (25, 24),
    "color": (16, 16),
    "wish": (31, 31),
    "question": (31, 31),
    "reference": (23, 23),
    "schedule": (23, 23),
    "ambiguous": (27, 27),
    "unsupported": (20, 20),
    "absent": (23, 23),
    "range": (19, 19),
    "risky": (28, 28),
    "talk": (16, 16),
    "mixed": (17, 17),
    "noise": (29, 29),
    "phone": (36, 36),
    "car": (37, 38),
    "robot": (35, 35),
}


def every(split: Split) -> list[tuple[World, Case]]:
    return [(world, case) for world, cases in read_split(split) for case in cases]


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_enough(language: Language) -> None:
    found = read_split("test", language=language)
    cases = [case for _, some in found for case in some]
    assert len({world.name for world, _ in found}) >= 6
    assert len(cases) >= 500
    counts = Counter(case.category for case in cases)
    at = LANGUAGES.index(language)
    assert counts == {category: both[at] for category, both in COUNTS.items()}
    assert tuple(COUNTS) == CATEGORIES
    assert min(counts.values()) >= 15


@pytest.mark.parametrize("split", SPLITS)
def test_every_household_has_both_languages_and_every_file_is_used(split: Split) -> None:
    spoken = Counter(world.name for world, _ in read_split(split))
    assert set(spoken.values()) == {2}
    folder = files("qingyu.act.bench") / "worlds"
    there = {one.name.removesuffix(".yaml") for one in folder.iterdir()}
    others = {world.name for other in SPLITS for world, _ in read_split(other)}
    assert there == others


def test_no_name_of_a_dev_household_is_in_a_test_household() -> None:
    names: dict[Split, set[str]] = {
        split: {
            name for world, _ in read_split(split) for one in world.entities
            for name in one.plain_names
        }
        for split in SPLITS
    }  # fmt: skip
    assert min(len(one) for one in names.values()) > 200
    assert names["test"] & names["dev"] == set()


def test_no_sentence_is_said_twice() -> None:
    said = Counter(tuple(map(plain, case.say)) for split in SPLITS for _, case in every(split))
    assert [one for one, count in said.items() if count > 1] == []


@pytest.mark.parametrize("split", SPLITS)
def test_ids_are_unique(split: Split) -> None:
    ids = Counter(case.id for _, case in every(split))
    assert [id for id, count in ids.items() if count > 1] == []


@pytest.mark.parametrize("split", SPLITS)
def test_every_right_outcome_can_be_had(split: Split) -> None:
    """By calls the guard lets through, with a yes; and what needs one has a turn for it."""
    for world, case in every(split):
        for calls in reach(case, world):
            assert calls is not None, case.id
            state, asked = case.beginning, False
            for call in calls:
                asked |= check(world, state, call).outcome == "risky"
                state = apply(world, state, call)
            assert len(case.say) > 1 or not asked, case.id
            judgement = judge(case, world, state, "", ())
            assert {one.kind for one in judgement.reasons} <= {"reply", "asks", "schedule"}


@pytest.mark.parametrize("split", SPLITS)
def test_every_schedule_can_be_had(split: Split) -> None:
    for world, case in every(split):
        if case.schedule is None:
            continue
        calls = reach_one(world, case.beginning, case.schedule.want, {})
        assert calls, case.id
        later = Scheduled(case.schedule.when, tuple(calls))
        assert judge(case, world, case.beginning, "", (later,)).right, case.id
        assert not judge(case, world, case.beginning, "", ()).right, case.id


@pytest.mark.parametrize("split", SPLITS)
def test_cases_are_of_their_category(split: Split) -> None:
    for world, case in every(split):
        changing = any(case.any)
        if case.category in NOTHING_DONE:
            assert not changing, case.id
            assert case.reply or case.category == "talk", case.id
        if case.category == "ambiguous" and len(case.say) == 1 and not changing:
            assert case.asks, case.id
        assert not (case.asks and changing), case.id
        assert case.schedule is None or not changing, case.id
        if case.category not in ("talk", "ambiguous", "risky") and len(case.say) == 1:
            assert changing or case.reply or case.asks or case.schedule, case.id
        assert case.speaker == "" or world.area(case.speaker)


def test_doing_nothing_is_right_only_where_nothing_is_wanted() -> None:
    for world, case in every("test"):
        judgement = judge(case, world, case.beginning, "", ())
        assert not judgement.wrongly_done
        wanted = any(case.any) or case.reply or case.asks or case.schedule
        assert judgement.right == (not wanted), case.id
