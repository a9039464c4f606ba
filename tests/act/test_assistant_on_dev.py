"""The dev cases through the whole assistant, its replies judged too, where the skill model is
right: forms written by hand stand for it, and the fast path goes first as it does for people."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from qingyu.act.assistant import Assistant
from qingyu.act.bench.cases import LANGUAGES, Case, Language, read_split
from qingyu.act.bench.judging import Scheduled, judge
from qingyu.act.forms.reader import Form
from qingyu.act.marks.mark import Marked
from qingyu.act.records.database import Database
from qingyu.act.simulator import Simulator
from qingyu.act.state import State
from qingyu.act.when import parse_when
from qingyu.act.world import World
from qingyu.act.yaml_file import read_yaml
from qingyu.errors import DataError
from tests.act.written_forms import written

FORMS: dict[str, list[str]] = {
    id: forms
    for language in LANGUAGES
    for id, forms in read_yaml(
        Path(__file__).parent / "forms" / f"dev.{language}.yaml", DataError
    ).items()
}


class ByHand:
    """Marker and skill of one case: the marks its forms were written for, and the forms."""

    def __init__(self, world: World, case: Case) -> None:
        assert world.now is not None
        self._known = {
            said: written(text, said, world, world.now)
            for text, said in zip(FORMS[case.id], case.say, strict=True)
        }
        self.asked: list[str] = []

    def mark(self, text: str, state: State, now: datetime.datetime) -> Marked:
        return self._known[text][1]

    def form(self, context: str, marked: Marked) -> Form:
        self.asked.append(marked.said)
        return self._known[marked.said][0]


def wrong(world: World, case: Case, database: Database) -> tuple[list[str], str]:
    """What is not right, and the last reply. database: may hold what other cases did."""
    by_hand, now = ByHand(world, case), world.now
    assert now is not None
    devices = Simulator(world, state=case.beginning)
    assistant = Assistant(world, devices, database, skill=by_hand, clock=lambda: now)
    assistant._hearing._marker = by_hand  # type: ignore[assignment]
    answers = [assistant.say(said, case.speaker) for said in case.say]
    scheduled = []
    for one in assistant.schedules.list():
        scheduled.append(Scheduled(parse_when(one.moment), one.calls))
        assistant.schedules.cancel(one.id)
    last = answers[-1]
    judgement = judge(case, world, devices.state(), last.text, scheduled)
    reasons = [str(one) for one in judgement.reasons]
    if last.language != case.language and case.category != "mixed":
        reasons.append(f"answered in {last.language}")
    return reasons, last.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_dev(language: Language, records: Database) -> None:
    bad = []
    for world, cases in read_split("dev", language=language):
        for case in cases:
            reasons, text = wrong(world, case, records)
            if reasons:
                bad.append(f"{case.id}: {case.say} -> {text} {reasons}")
    assert bad == []
