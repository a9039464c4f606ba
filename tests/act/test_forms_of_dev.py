"""The language of forms can say what people say: every dev case, its forms written by hand."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from qingyu.act.bench.cases import LANGUAGES, Case, Language, read_split
from qingyu.act.bench.judging import judge
from qingyu.act.understood import Absent, Agenda, Question, Unable, Which
from qingyu.act.understood import Talk as Chat
from qingyu.act.world import World
from qingyu.act.yaml_file import read_yaml
from qingyu.errors import DataError
from tests.act.simple_turns import Talk
from tests.act.written_forms import written

FORMS: dict[str, list[str]] = {
    id: forms
    for language in LANGUAGES
    for id, forms in read_yaml(
        Path(__file__).parent / "forms" / f"dev.{language}.yaml", DataError
    ).items()
}


def cases(language: Language) -> list[tuple[World, Case]]:
    return [(world, case) for world, some in read_split("dev", language=language) for case in some]


def talked(world: World, case: Case) -> Talk:
    assert world.now is not None
    talk = Talk(world, case.beginning, case.speaker, world.now)
    forms = FORMS[case.id]
    assert len(forms) == len(case.say), case.id
    for text, said in zip(forms, case.say, strict=True):
        talk.say(*written(text, said, world, world.now))
    return talk


def named(world: World, which: Which) -> str:
    """All names of what is asked back, and of where it is."""
    names: list[str] = []
    for id in which.candidates:
        entity = world.entity(id)
        for one in (entity, world.area(entity.area if entity else id)):
            names += one.names if one else ()
        names += [name for one in world.contacts if one.value == id for name in one.names]
        names += [id]
    return " ".join(names).casefold()


def wrong(world: World, case: Case) -> list[str]:
    """What is not right, the words of the reply left out."""
    talk = talked(world, case)
    judgement = judge(case, world, talk.state, "", talk.schedules)
    found = [str(one) for one in judgement.reasons if one.kind not in ("reply", "asks")]
    outcomes = {one.outcome for one in talk.verdicts}
    kinds = {type(one) for one in talk.parts}
    right = {
        "question": bool(kinds & {Question, Agenda}),
        "talk": kinds == {Chat},
        "unsupported": "unsupported" in outcomes or Unable in kinds,
        "absent": "absent" in outcomes or Absent in kinds,
        "range": "out_of_range" in outcomes,
    }
    if not right.get(case.category, True):
        found.append(f"no {case.category}: {talk.parts} {talk.verdicts}")
    asks = [one for one in talk.parts if isinstance(one, Which)]
    if case.category == "ambiguous" and case.asks:
        names = named(world, asks[0]) if asks else ""
        found += [
            f"does not ask {group}: {talk.parts}"
            for group in case.asks
            if not any(one.casefold() in names for one in group)
        ]
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_dev_case_can_be_said(language: Language) -> None:
    bad = {case.id: found for world, case in cases(language) if (found := wrong(world, case))}
    assert bad == {}


def test_no_form_is_left_over() -> None:
    known = {case.id for language in LANGUAGES for _, case in cases(language)}
    assert set(FORMS) == known


def test_a_form_that_says_something_else_is_found_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    id = "student_flat.zh.exception.1"
    (world, case) = next((world, case) for world, case in cases("zh") if case.id == id)
    assert wrong(world, case) == []
    monkeypatch.setitem(FORMS, id, ["off light all"])
    assert any("light.shower" in one for one in wrong(world, case))


def test_now_is_of_the_household() -> None:
    assert all(isinstance(world.now, datetime.datetime) for world, _ in cases("zh"))
