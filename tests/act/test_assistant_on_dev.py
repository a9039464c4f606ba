"""The dev cases through the whole assistant, its replies judged too, where the skill model is
right: forms written by hand stand for it, and the fast path goes first as it does for people."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from qingyu.act.assistant import Assistant
from qingyu.act.bench.cases import LANGUAGES, Case, Language, read_split
from qingyu.act.bench.judging import Scheduled, judge
from qingyu.act.database import Database
from qingyu.act.form import Form
from qingyu.act.mark import Marked
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


def wrong(world: World, case: Case, file: Path) -> tuple[list[str], str]:
    by_hand = ByHand(world, case)
    with Database(file) as database:
        now = world.now
        assert now is not None
        devices = Simulator(world, state=case.beginning)
        assistant = Assistant(world, devices, database, skill=by_hand, clock=lambda: now)
        assistant._hearing._marker = by_hand  # type: ignore[assignment]
        for said in case.say:
            answer = assistant.say(said, case.speaker)
        scheduled = [
            Scheduled(parse_when(one.moment), one.calls) for one in assistant.schedules.list()
        ]
        judgement = judge(case, world, devices.state(), answer.text, scheduled)
        reasons = [str(one) for one in judgement.reasons]
        if answer.language != case.language and case.category != "mixed":
            reasons.append(f"answered in {answer.language}")
        return reasons, answer.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_dev(language: Language, tmp_path: Path) -> None:
    bad = []
    for world, cases in read_split("dev", language=language):
        for case in cases:
            reasons, text = wrong(world, case, tmp_path / f"{case.id}.sqlite")
            if reasons:
                bad.append(f"{case.id}: {case.say} -> {text} {reasons}")
    assert bad == []
