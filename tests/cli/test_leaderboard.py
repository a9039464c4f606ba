"""qingyu leaderboard."""

from __future__ import annotations

from pathlib import Path

import pytest

from qingyu.cli import layout
from tests.cli.scripted import Run
from tests.prove.made_results import made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run's folder: a model of 6.4B, val, 5-shot."""
    made("轻语-6B", skill=0.9, parameters=6_400_000_000).write(tmp_path)
    return tmp_path


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("columns", [80, 100, 120, 160])
@pytest.mark.parametrize("options", ["", "--all", "--benchmark cmmlu", "--same-setting"])
def test_lines_fit_and_columns_align(
    cli: Run,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
    language: str,
    options: str,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    add = [] if "cmmlu" in options else ["--add", str(folder)]
    outcome = cli("leaderboard", "--lang", language, *options.split(), *add)
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert max(map(layout.width, lines)) <= columns
    table = lines[1 : lines.index("")]
    # The averages lie to the right: their last digits are under each other.
    word = "average" if language == "en" else "平均"
    end = layout.width(table[0][: table[0].index(word)] + word)
    for line in table[1:]:
        shown = ""
        while layout.width(shown) < end:
            shown += line[len(shown)]
        assert shown[-1].isdigit(), line
        assert layout.width(shown) == end, line


def test_the_board_says_what_it_is(cli: Run) -> None:
    outcome = cli("leaderboard")
    assert outcome.out.startswith("C-Eval · 58 recorded rows\n")
    assert "mix 7 settings" in outcome.out
    assert "cannot be rebuilt in full" in " ".join(outcome.out.split())
    assert "withdrawn" in outcome.out
    assert "http" not in outcome.out


def test_a_run_is_marked_and_placed(cli: Run, folder: Path) -> None:
    outcome = cli("leaderboard", "--add", str(folder / "result.json"), "--class", "2-8b")
    assert outcome.code == 0, outcome.err
    (line,) = [one for one in outcome.out.splitlines() if one.startswith("> ")]
    assert "轻语-6B" in line
    assert "6.4B" in line
    assert "val, 5-shot" in line
    assert "轻语-6B · val, 5-shot · official, logits" in outcome.out
    assert "(58 recorded rows and this run)" in outcome.out
    assert "with the same split and shots: rank" in outcome.out
    assert "\n~ " in outcome.out


def test_a_class_is_shown_alone(cli: Run) -> None:
    rows = cli("leaderboard", "--class", "80B+", "--json").json["rows"]
    assert [(one["model"], one["rank"], one["class_rank"]) for one in rows] == [
        ("InternLM", 4, 1),
        ("Bloomz-mt-176B", 28, 2),
        ("GLM-130B", 30, 3),
    ]
    assert cli("leaderboard", "--class", ">80B", "--json").json["rows"] == rows


def test_sources_are_whole_addresses(cli: Run) -> None:
    outcome = cli("leaderboard", "--class", "≤2B", "--sources")
    assert "\n[1] https://github.com/XiaoMi/MiLM-6B/blob/c8754e7/README.md\n" in outcome.out


def test_json_has_rows_and_places(cli: Run, folder: Path) -> None:
    record = cli("leaderboard", "--add", str(folder), "--json").json
    assert record["benchmark"] == "ceval"
    assert record["recorded"] == 58
    assert sum(one["rows"] for one in record["settings"]) == 59
    (mine,) = [one for one in record["rows"] if one["run"]]
    (place,) = record["places"]
    assert place["rank"] == mine["rank"]
    assert place["class"] == mine["class"] == "2-8B"
    assert place["same_setting"]["recorded"] == 17
    assert len(place["neighbours"]) == 4
    milm = next(one for one in record["rows"] if one["model"] == "MiLM-6B" and one["rank"])
    assert milm["source"].startswith("https://github.com/XiaoMi")
    assert milm["categories"]["STEM"] == 54.5
    assert milm["differs"] == ["split", "shots"]
    assert (milm["split"], milm["shots"], milm["averaging"]) == ("test", "0", "macro")


def test_the_benchmark_is_that_of_the_run(cli: Run, tmp_path: Path) -> None:
    made(benchmark="cmmlu", split="test").write(tmp_path)
    assert cli("leaderboard", "--add", str(tmp_path), "--json").json["benchmark"] == "cmmlu"
    outcome = cli("leaderboard", "--add", str(tmp_path), "--benchmark", "ceval")
    assert outcome.code == 1
    assert "was run on CMMLU" in outcome.err


def test_a_run_like_guessing_and_an_incomplete_one(cli: Run, tmp_path: Path) -> None:
    made("small", skill=0.0).write(tmp_path)
    outcome = cli("leaderboard", "--add", str(tmp_path))
    assert "not distinguishable from guessing" in " ".join(outcome.out.split())
    made("part", subjects=2).write(tmp_path)
    outcome = cli("leaderboard", "--add", str(tmp_path))
    assert "not ranked" in outcome.out
    assert "not the whole benchmark" in outcome.out


def test_control_characters_of_a_name_stay_out(cli: Run, tmp_path: Path) -> None:
    made("evil\x1b[2Jname").write(tmp_path)
    outcome = cli("leaderboard", "--add", str(tmp_path))
    assert outcome.code == 0
    assert "\x1b" not in outcome.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--class 9-10", "no size class '9-10'"),
        ("--benchmark mmlu", "no benchmark 'mmlu'"),
        ("--same-setting", "--add"),
        ("--add nothing", "nothing"),
    ],
)
def test_errors_name_the_fix(cli: Run, arguments: str, message: str) -> None:
    outcome = cli("leaderboard", *arguments.split())
    assert outcome.code == 1
    assert message in outcome.err
