"""qingyu compare."""

from __future__ import annotations

from pathlib import Path

from tests.cli.scripted import Run
from tests.prove.made_results import made


def test_two_results(cli: Run, tmp_path: Path) -> None:
    made("full", skill=0.7).write(tmp_path / "a")
    made("small", skill=0.3, seed=3, unparsed=2).write(tmp_path / "b")
    outcome = cli("compare", str(tmp_path / "a"), str(tmp_path / "b"))
    assert outcome.code == 0, outcome.err
    assert "the second is worse: -" in outcome.out
    assert "of 1,346 answers changed" in outcome.out
    assert "McNemar p < 0.001" in outcome.out
    assert "small: no letter could be read in 2 of 1,346 answers" in outcome.out
    assert "letters that moved: " in outcome.out
    lines = outcome.out.splitlines()
    table = lines[lines.index(next(one for one in lines if one.startswith("subject"))) :]
    assert len(table) == 1 + 8 + 2


def test_as_json(cli: Run, tmp_path: Path) -> None:
    made("full", skill=0.7).write(tmp_path / "a")
    made("small", skill=0.3, seed=3, shots=0).write(tmp_path / "b")
    found = cli("compare", str(tmp_path / "a"), str(tmp_path / "b"), "--json").json
    assert found["first"]["name"] == "full"
    assert found["second"]["setting"] == "val, 0-shot, official, logits"
    assert found["settings_differ"] == ["shots"]
    assert found["count"] == 1346
    assert found["low"] < found["difference_macro"] < found["high"] < 0
    assert found["flips"] == sum(found["letters"].values())
    flips = found["flips_by_subject"].values()
    assert found["gained"] == sum(one["gained"] for one in flips)
    assert found["lost"] == sum(one["lost"] for one in flips)


def test_the_same_answers(cli: Run, tmp_path: Path) -> None:
    made("one", subjects=2).write(tmp_path)
    outcome = cli("compare", str(tmp_path), str(tmp_path))
    assert outcome.code == 0, outcome.err
    assert "every answer is the same" in outcome.out
    assert "0 of 38 answers changed" in outcome.out
    assert "not the whole benchmark: 38 of 1,346 questions" in outcome.out


def test_other_questions_are_refused(cli: Run, tmp_path: Path) -> None:
    made("one").write(tmp_path / "a")
    made("two", split="test").write(tmp_path / "b")
    outcome = cli("compare", str(tmp_path / "a"), str(tmp_path / "b"))
    assert outcome.code == 1
    assert "cannot be paired, for their questions differ in split, questions" in outcome.err
    assert "C-Eval val, 1,346 questions" in outcome.err
    outcome = cli("compare", "--lang", "zh", str(tmp_path / "a"), str(tmp_path / "b"))
    assert "无法逐题比较" in outcome.err


def test_a_name_cannot_steer_the_terminal(cli: Run, tmp_path: Path) -> None:
    made("evil\x1b]0;title\x07\nname", subjects=2).write(tmp_path)
    outcome = cli("compare", str(tmp_path), str(tmp_path))
    assert "\x1b" not in outcome.out
    assert "name" in outcome.out
