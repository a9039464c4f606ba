"""The assistant as act-bench asks it."""

from __future__ import annotations

from pathlib import Path

from qingyu.act.bench.assistant_system import AssistantSystem
from qingyu.act.bench.running import Selection, run
from qingyu.act.bench.scores import ALL, BOTH


def test_the_assistant_without_a_model(tmp_path: Path) -> None:
    """What words and templates understand; confirmed, nothing outside the guard, no errors."""
    categories = ("plain", "risky", "talk", "range", "question", "schedule")
    selection = Selection.of_split("dev", categories=categories, limit=3)
    with AssistantSystem() as system:
        result = run(selection, system, tmp_path)
    assert [one.answer.error for one in result.every if one.answer.error] == []
    scores = result.scores
    assert scores.outside == 0
    assert scores.tallies[BOTH]["plain"].right >= 2
    assert scores.tallies[BOTH]["risky"].right >= 1
    assert scores.tallies[BOTH][ALL].wrong <= 2
    assert len(result.every[0].answer.notes) == len(result.every[0].case.say)
