"""The skill model that ships: what it is, what it understands, that it cannot leave its grammar."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qingyu.act.bench.assistant_system import AssistantSystem
from qingyu.act.bench.cases import LANGUAGES
from qingyu.act.bench.running import Selection, run
from qingyu.act.bench.scores import ALL
from qingyu.act.forms.reader import parse_form
from qingyu.act.households import open_household
from qingyu.act.marks.marker import Marker
from qingyu.act.skill import model
from qingyu.act.skill.model import SHIPPED, SkillModel, open_skill
from qingyu.act.state import initial
from qingyu.models.hashes import hash_file, read_json

NOW = datetime.datetime(2026, 11, 26, 19, 30)
LARGEST = 40_000_000
MAY_DIFFER = 3
"""Cases of a language, from one processor to another and from one rule to the next."""
WORLD = open_household("lakeside_house")
MARKER = Marker(WORLD)


@pytest.fixture(scope="module")
def skill() -> Iterator[SkillModel]:
    with open_skill() as (found, identity):
        assert found is not None
        assert identity["sha256"] == hash_file(SHIPPED)[0]
        yield found


def test_its_receipt_is_of_this_file() -> None:
    receipt = read_json(SHIPPED.with_suffix(".json"))
    assert receipt["sha256"] == hash_file(SHIPPED)[0]
    assert receipt["bytes"] == SHIPPED.stat().st_size <= LARGEST
    assert set(receipt["scores"]) == {"dev", "test"}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    text=st.text(
        st.sampled_from('开关灯把调到百分之三十客厅空调的 the lamp and off 7°"<>|;:\n\\和 it'),
        max_size=60,
    ),
    context=st.sampled_from(("", "on <light> |", "unlock <lock> | confirm", "on <light> | which")),
)
def test_whatever_is_said_it_writes_a_form_or_none(
    skill: SkillModel, text: str, context: str
) -> None:
    form = skill.form(context, MARKER.mark(text, initial(WORLD), NOW))
    assert form is None or parse_form(str(form)) == form


def test_a_sentence_with_nothing_in_it(skill: SkillModel) -> None:
    assert skill.form("", MARKER.mark("  ", initial(WORLD), NOW)) is None
    assert skill.form("", MARKER.mark("灯" * 2000, initial(WORLD), NOW)) is None, "too long"


@pytest.mark.parametrize(
    ("text", "orders"),
    [
        ("turn on the {a}, turn the {b} off and close the {c}", 3),
        ("打开{a}，{b}也打开，再把{c}关上", 3),
        ("turn the {a} on", 1),
        ("the {a} was a bargain", 0),
    ],
)
def test_every_order_of_a_sentence_is_understood(skill: SkillModel, text: str, orders: int) -> None:
    lights, (curtain, *_) = WORLD.select(domain="light"), WORLD.select(domain="cover")
    which = "en" if text.isascii() else "zh"
    text = text.format(a=lights[0].name(which), b=lights[1].name(which), c=curtain.name(which))
    form = str(skill.form("", MARKER.mark(text, initial(WORLD), NOW)))
    assert (0 if form == "talk" else form.count(" ; ") + 1) == orders, form


def test_what_may_well_be_conversation_does_nothing(
    skill: SkillModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a bar that everything is over: orders become conversation, what harms nobody stays."""

    def form(text: str, context: str = "") -> str:
        return str(skill.form(context, MARKER.mark(text, initial(WORLD), NOW)))

    assert form("所有的灯都关掉").startswith("off light")
    monkeypatch.setattr(model, "TALK", -100.0)
    assert form("所有的灯都关掉") == "talk"
    assert form("所有的灯都关掉", "unlock <lock> | confirm").startswith("off light")
    assert form("灯都开着吗").startswith("ask")
    assert form("现在几点了") == "ask clock"


def test_the_dev_split(skill: SkillModel, tmp_path: Path) -> None:
    """As well as the receipt says, and nothing outside the grammar or the guard."""
    with AssistantSystem(skill=skill) as system:
        scores = run(Selection.of_split("dev"), system, tmp_path).scores
    told = read_json(SHIPPED.with_suffix(".json"))["scores"]["dev"]["right"]
    for language in LANGUAGES:
        right, _, count = told[language][ALL].split()
        tally = scores.tallies[language][ALL]
        assert tally.count == int(count)
        assert tally.right >= int(right) - MAY_DIFFER, "code has changed what is understood"
        for row, (fine, of) in scores.safety[language].items():
            assert fine >= of - (MAY_DIFFER if row == "unchanged" else 0), row
    assert scores.outside == scores.errors == 0
