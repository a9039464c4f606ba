"""The figures of act-bench, and how they are set out."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from qingyu.act.bench import reports, tables
from qingyu.act.bench.answers import Answer
from qingyu.act.bench.cases import read_split
from qingyu.act.bench.judging import Judgement, Reason
from qingyu.act.bench.results import Result
from qingyu.act.bench.running import Selection, run
from qingyu.act.bench.scores import ALL, Scored, Scores, quantile, requirements
from qingyu.act.bench.systems import FastSystem
from qingyu.act.calls import Call
from qingyu.prove import pictures
from tests.act.bench_systems import Scripted

RIGHT = Judgement(())
WRONG = Judgement((Reason(kind="other", where="light.x.state", got="on"),))
MUTE = Judgement((Reason(kind="reply", wanted="23"),))


def scored(
    category: str,
    judgement: Judgement,
    language: str = "zh",
    seconds: float = 0.01,
    outside: int = 0,
) -> Scored:
    case = next(
        one
        for _, cases in read_split("dev")
        for one in cases
        if (one.category, one.language) == (category, language)
    )
    answer = Answer(
        case=case.id, replies=("",), seconds=(seconds,), changes={}, outside=outside, memory=10**8
    )
    return Scored(case, judgement, answer)


def test_quantiles_are_values_that_were_measured() -> None:
    assert quantile([], 0.5) is None
    assert quantile([0.2], 0.95) == 200
    assert quantile([0.003, 0.001, 0.002], 0.5) == 2
    assert quantile([number / 1000 for number in range(1, 101)], 0.95) == 95
    assert quantile([number / 1000 for number in range(1, 21)], 0.95) == 19


def test_right_wrong_and_merely_not_right() -> None:
    every = [scored("plain", one) for one in (RIGHT, RIGHT, WRONG, MUTE)]
    tally = Scores.of(every).tallies["zh"]["plain"]
    assert (tally.count, tally.right, tally.wrong, tally.share) == (4, 2, 1, 50)


def test_safety_is_about_what_is_done_and_not_what_is_said() -> None:
    every = [scored("absent", MUTE), scored("range", WRONG), scored("plain", WRONG)]
    every += [scored("talk", MUTE), scored("question", RIGHT)]
    asked = every[-1].case
    id, key, value = next(
        (id, key, value)
        for id, values in asked.beginning.entities.items()
        for key, value in values.items()
        if isinstance(value, int)
    )
    touched = replace(every[-1].answer, changes={id: {key: value + 1}})
    every.append(Scored(asked, RIGHT, touched))
    assert Scores.of(every).safety["zh"] == {"nothing_wrong": (1, 2), "unchanged": (2, 3)}


def test_what_is_required() -> None:
    fine = [scored("plain", RIGHT, seconds=0.3) for _ in range(15)]
    rows = {one.name: one for one in requirements(Scores.of(fine))}
    assert rows["right, all categories"].value == "zh 100.0%"
    assert rows["right, all categories"].reached
    assert rows["lowest category of 15 cases or more"].value == "zh plain 100.0%"
    assert rows["latency, median"].met is False
    assert rows["latency, 95th percentile"].met is True
    assert rows["latency, 95th percentile"].reached is False
    assert rows["peak memory"].value == "100 MB"
    assert rows["conversation, questions: nothing changed"].met is None
    assert rows["outside the grammar or the guard"].reached
    few = requirements(Scores.of([*fine[:14], scored("plain", WRONG, "en", outside=1)]))
    rows = {one.name: one for one in few}
    assert rows["lowest category of 15 cases or more"].met is None
    assert rows["right, all categories"].value == "zh 100.0% / en 0.0%"
    assert rows["right, all categories"].met is False
    assert rows["outside the grammar or the guard"].met is False


def test_scores_on_paper_are_the_scores() -> None:
    scores = Scores.of([scored("plain", RIGHT), scored("talk", MUTE, "en")])
    assert Scores.from_json(json.loads(json.dumps(scores.as_json()))) == scores


@pytest.fixture
def result(tmp_path: Path) -> Result:
    selection = Selection.of_split("dev", limit=1, categories=("plain", "absent", "talk"))
    return run(selection, FastSystem(), tmp_path / "fast")


def test_a_report_has_tables_a_picture_and_quotes(result: Result, tmp_path: Path) -> None:
    written = reports.write_report(result, tmp_path)
    assert {one.name for one in written} == {
        "report.md", "categories.csv", "categories.svg", "categories.png", "answers.csv",
        "failures.md",
    }  # fmt: skip
    page = (tmp_path / "report.md").read_text("utf-8")
    assert "| category | Chinese | % | wrongly done | English |" in page
    assert "| plain | " in page
    assert "| peak memory | " in page
    assert "![Acting, by category](categories.svg)" in page
    said = [turn for one in result.every for turn in one.case.say]
    assert not any(turn in page for turn in said), "sentences are not in the report"
    assert (tmp_path / "categories.png").read_bytes().startswith(b"\x89PNG")
    assert "Chinese" in (tmp_path / "categories.svg").read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "answers.csv").read_text("utf-8-sig"))))
    assert [one["case"] for one in rows] == [one.case.id for one in result.every]
    lines = list(csv.DictReader(io.StringIO((tmp_path / "categories.csv").read_text("utf-8-sig"))))
    whole = next(one for one in lines if (one["language"], one["category"]) == ("both", ALL))
    assert whole["cases"] == "6"


def test_failures_are_quoted_the_worst_first(tmp_path: Path) -> None:
    def spoil(world, case, session) -> None:  # type: ignore[no-untyped-def]
        if case.category == "plain":
            light = world.select(domain="light")[0].id
            turn = "turn_off" if session.state.get(light) == "on" else "turn_on"
            session.do(Call(turn, light))
        if case.category == "question":
            case_reply.append(case.id)

    case_reply: list[str] = []
    selection = Selection.of_split(
        "dev", limit=1, languages=("zh",), categories=("question", "plain", "wish")
    )
    result = run(selection, Scripted(spoil), tmp_path)
    (worst,) = result.failures
    assert worst.case.category == "plain"
    text = tables.failures(result, most=10)
    assert "The 1 worst of 1 failures" in text
    assert worst.case.id.replace("_", "\\_") in text
    assert worst.case.say[0] in text
    assert "did: " in text
    assert case_reply


def test_several_systems_side_by_side(result: Result, tmp_path: Path) -> None:
    selection = Selection.of_split("dev", limit=1, categories=("plain", "absent", "talk"))
    other = run(selection, Scripted(), tmp_path / "scripted")
    written = reports.write_comparison([result, other, other], tmp_path / "all")
    assert len(written) == 4
    page = (tmp_path / "all" / "report.md").read_text("utf-8")
    assert "fast path" in page
    assert "scripted (2)" in page.replace("\\", "")
    assert "100 / 100 / 100" in page
    assert "without the guard" in page


def test_in_chinese(result: Result, tmp_path: Path, chinese: None) -> None:
    reports.write_report(result, tmp_path)
    page = (tmp_path / "report.md").read_text("utf-8")
    assert "| 类别 | 中文 | % | 误执行 | 英文 |" in page
    assert "| 不存在 | " in page
    assert pictures.chinese_font() is not None or (tmp_path / "categories.png").exists()
