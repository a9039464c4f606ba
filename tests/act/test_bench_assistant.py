"""The assistant as act-bench asks it."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from qingyu.act.bench.assistant_system import AssistantSystem
from qingyu.act.bench.running import Selection, run
from qingyu.act.bench.scores import ALL, BOTH
from qingyu.errors import InvalidRequestError

BUILT = find_spec("qingyu.act.assistant") is not None


def test_without_an_assistant_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "qingyu.act.assistant", None)
    with pytest.raises(InvalidRequestError, match="--system fast"):
        AssistantSystem()


@pytest.mark.skipif(not BUILT, reason="there is no assistant yet")
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
