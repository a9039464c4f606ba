"""Published rows, and places among them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from qingyu.errors import InvalidRequestError, JournalError
from qingyu.prove import benchmarks
from qingyu.prove.benchmarks import CATEGORIES
from qingyu.prove.leaderboard import Board, one_per_model, settings_among
from qingyu.prove.leaderboard_text import board_notes, place_line, run_notes
from qingyu.prove.published import (
    SIZE_CLASSES,
    Row,
    Setting,
    find_size_class,
    published,
    run_row,
    size_class,
)
from qingyu.prove.results import Result
from qingyu.prove.scores import average_of_categories, micro_average_of_categories
from tests.prove.made_results import made


def row(model: str, average: float, **fields: Any) -> Row:
    setting = Setting(split=fields.pop("split", "test"), shots=fields.pop("shots", "5"))
    values = {"parameters": 7e9, "categories": {}, "described": "", "date": "", "source": ""}
    return Row(model=model, average=average, setting=setting, **(values | fields))


def board(*rows: Row, runs: tuple[Row, ...] = ()) -> Board:
    return Board(benchmark=benchmarks.find("ceval"), rows=rows, runs=runs)


def run(name: str = "mine", *, average: float = 50.0, result: Result | None = None) -> Row:
    """A complete run with that average."""
    return replace(run_row(result or made(name, skill=0.6)), average=average)


def found(benchmark: str, model: str, described: str) -> Row:
    (one,) = [
        row
        for row in published(benchmark)
        if row.model == model and row.described.startswith(described)
    ]
    return one


def four(row: Row) -> dict[str, float]:
    return {name: row.categories[name] for name in CATEGORIES}


# What is recorded


def test_every_row_is_there_and_sourced() -> None:
    assert len(published("ceval")) == 143
    assert len(published("cmmlu")) == 156
    for one in (*published("ceval"), *published("cmmlu")):
        assert one.source.startswith("https://github.com/"), one
        assert one.date.startswith("202"), one
        assert 20 < one.average < 100, one


@pytest.mark.parametrize(
    ("benchmark", "described", "average"),
    [
        ("ceval", "test zero-shot, vendor", 60.2),
        ("cmmlu", "zero-shot, README snapshot 2023-08-11", 60.37),
        ("cmmlu", "five-shot, README snapshot 2023-08-11", 57.17),
    ],
)
def test_milm_s_categories_give_its_averages(
    benchmark: str, described: str, average: float
) -> None:
    row = found(benchmark, "MiLM-6B", described)
    computed = average_of_categories(benchmarks.find(benchmark), four(row))
    assert row.average == average
    assert round(computed, 1 if benchmark == "ceval" else 2) == average


@pytest.mark.parametrize(("shots", "average"), [("five", 61.73), ("zero", 61.22)])
def test_kwaiyii_s_average_is_over_questions(shots: str, average: float) -> None:
    cmmlu = benchmarks.find("cmmlu")
    row = found("cmmlu", "KwaiYii-13B", f"{shots}-shot, README snapshot 2024-12-06")
    assert micro_average_of_categories(cmmlu, four(row), "test") == pytest.approx(average, abs=0.01)
    assert abs(average_of_categories(cmmlu, four(row)) - average) > 0.7
    assert row.averaging(cmmlu) == "micro"


def test_every_c_eval_row_with_four_categories_is_a_macro_average() -> None:
    ceval = benchmarks.find("ceval")
    whole = [row for row in published("ceval") if set(CATEGORIES) <= set(row.categories)]
    assert len(whole) == 103
    for one in whole:
        # Both sides are rounded to a tenth: the average by 0.05, its categories by as much.
        assert abs(average_of_categories(ceval, four(one)) - one.average) <= 0.1, one
        assert one.averaging(ceval) == "macro"


def test_cmmlu_rows_average_in_more_ways_than_one() -> None:
    cmmlu = benchmarks.find("cmmlu")
    kinds = [row.averaging(cmmlu) for row in published("cmmlu")]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "macro": 105,
        "micro": 7,
        "neither": 44,
    }
    odd = {r.key for r in published("cmmlu") if r.averaging(cmmlu) == "micro"}
    assert odd == {"kwaiyii-13b", "kwaiyii-66b", "spark-4.0-2024-10-14"}


@pytest.mark.parametrize(
    ("benchmark", "model", "described", "setting"),
    [
        (
            "ceval",
            "GPT-4",
            "val five-shot",
            Setting(split="val", shots="5", method="answer-only", runner="C-Eval team"),
        ),
        (
            "ceval",
            "GPT-4",
            "official board snapshot 2023-06-26",
            Setting(split="test", shots="0/5", runner="C-Eval team", seen_in="board 2023-06-26"),
        ),
        (
            "ceval",
            "ChatGLM2",
            "official board snapshot 2023-06-26",
            Setting(split="test", shots="", seen_in="board 2023-06-26"),
        ),
        (
            "ceval",
            "MiLM-6B",
            "test zero-shot, vendor",
            Setting(split="test", shots="0", runner="vendor", seen_in="MiLM-6B README"),
        ),
        ("ceval", "MiLM-6B", "WITHDRAWN", Setting(split="", shots="")),
        (
            "ceval",
            "Qwen-7B",
            "test, Qwen memo table",
            Setting(split="test", shots="5", runner="vendor", seen_in="Qwen memo"),
        ),
        (
            "ceval",
            "InternLM-7B",
            "test, Qwen memo table",
            Setting(split="test", shots="", seen_in="Qwen memo"),
        ),
        (
            "ceval",
            "ChatGLM2-12B (base)",
            "test, few-shot",
            Setting(
                split="test",
                shots="few",
                method="answer-only",
                runner="vendor",
                seen_in="ChatGLM2-6B README",
            ),
        ),
        (
            "ceval",
            "ChatGLM2-12B",
            "test, chat zero-shot CoT",
            Setting(
                split="test",
                shots="0",
                method="chat CoT",
                runner="vendor",
                seen_in="ChatGLM2-6B README",
            ),
        ),
        (
            "ceval",
            "XVERSE-13B",
            "five-shot, vendor",
            Setting(split="", shots="5", runner="vendor", seen_in="XVERSE-13B README"),
        ),
        (
            "cmmlu",
            "MiLM-6B",
            "zero-shot, README snapshot 2023-08-16",
            Setting(split="test", shots="0", seen_in="README 2023-08-16"),
        ),
    ],
)
def test_settings_say_what_the_source_says(
    benchmark: str, model: str, described: str, setting: Setting
) -> None:
    assert found(benchmark, model, described).setting == setting


# Classes of size


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        (1.3e8, "≤2B"),
        (2.0e9, "≤2B"),
        (2.4e9, "2-8B"),
        (6.4e9, "2-8B"),
        (8.19e9, "2-8B"),  # Qwen3-8B
        (12e9, "8-20B"),
        (33e9, "20-80B"),
        (104e9, ">80B"),
    ],
)
def test_size_classes(parameters: float, name: str) -> None:
    found = size_class(parameters)
    assert found is not None
    assert found.name == name
    assert size_class(None) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *((one.name, one.name) for one in SIZE_CLASSES),
        *((text, "≤2B") for text in ("<=2B", "<2b", "≤ 2B", "0-2B", "＜=2", "-2B", "0.6B")),
        *((text, "2-8B") for text in ("2-8", "2b-8b", "2–8B", "2 - 8 B", "2~8B", "7B", "6.4")),
        *((text, ">80B") for text in ("80B+", "> 80B", "＞80B", "80+", "176B")),
    ],
)
def test_spellings_of_a_class(text: str, name: str) -> None:
    assert find_size_class(text).name == name


@pytest.mark.parametrize("text", ["", "B", "9-10B", "big", "2-8-20", "-", "0", ">2B", "1e9"])
def test_no_class(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="2-8B"):
        find_size_class(text)


# Ranks


def test_ties_share_the_best_rank_and_ranks_begin_at_one() -> None:
    standings = board(row("a", 70), row("b", 60), row("c", 60), row("d", 50)).standings()
    assert [(one.row.model, one.rank, one.class_rank) for one in standings] == [
        ("a", 1, 1),
        ("b", 2, 2),
        ("c", 2, 2),
        ("d", 4, 4),
    ]


def test_a_run_that_equals_a_row_as_printed_ties_with_it() -> None:
    mine = run(average=60.2)
    place = board(row("a", 60.2), runs=(mine,)).place(mine.result)  # type: ignore[arg-type]
    assert (place.rank, place.of) == (1, 2)
    assert run_row(made()).average == round(made().scores.macro, 1)


def test_an_unknown_size_counts_overall_only() -> None:
    rows = board(row("a", 70, parameters=None), row("b", 60), row("c", 50, parameters=1e9))
    assert [(one.rank, one.class_rank) for one in rows.standings()] == [(1, None), (2, 1), (3, 1)]


def test_withdrawn_rows_are_shown_without_a_rank() -> None:
    standings = Board.load("ceval").standings()
    (withdrawn,) = [one for one in standings if one.row.withdrawn]
    assert (withdrawn.row.model, withdrawn.row.average) == ("MiLM-6B", 55.2)
    assert withdrawn.rank is withdrawn.class_rank is None


def test_one_row_of_a_model_is_ranked_and_which() -> None:
    rows = [
        row("m-7B", 50),
        row("M 7B", 55, shots="0"),
        row("m-7b", 55, shots=""),
        row("m-7b", 80, split="val"),
        row("only-val", 40, split="val"),
    ]
    assert one_per_model(rows) == [rows[1], rows[4]]
    assert [one.rank for one in board(*rows).standings(every=True)] == [None, 1, None, None, 2]


def test_other_names_of_a_model_are_known() -> None:
    keys = {one.key for one in published("ceval")}
    assert "bloomz-mt" not in keys
    assert "chatglm2-6b-(base)" not in keys
    assert "chatglm2-6b-chat" in keys  # a tuned model is another model
    assert all(one.parameters == 176e9 for one in published("ceval") if one.key == "bloomz-mt-176b")


def test_milm_among_the_recorded_rows() -> None:
    standings = Board.load("ceval").standings()
    (milm,) = [one for one in standings if one.row.model == "MiLM-6B" and one.rank]
    # Not the tenth: of the nine above it in August 2023 only some are recorded.
    assert (milm.rank, milm.class_rank) == (7, 1)
    assert sum(one.rank is not None for one in standings) == 58


# Runs


def test_a_run_s_place_and_neighbours() -> None:
    result = made("mine", parameters=6_400_000_000)
    mine = run(average=55, result=result)
    rows = board(
        row("a", 80, parameters=None),
        row("b", 70),
        row("c", 60, parameters=13e9),
        row("d", 50),
        row("e", 40, parameters=13e9),
        runs=(mine,),
    )
    place = rows.place(result, around=1)
    assert (place.rank, place.of, place.recorded) == (4, 6, 5)
    assert (place.class_rank, place.class_of) == (2, 3)
    assert [one.row.model for one in place.neighbours] == ["c", "d"]
    assert [one.row.model for one in place.class_neighbours] == ["b", "d"]
    assert place_line(place) == "rank 4 of 6 (5 recorded rows and this run); 2 of 3 in 2-8B"


def test_a_run_is_added_to_the_recorded_board() -> None:
    result = made("mine", skill=0.9)
    place = Board.load("ceval").place(result)
    above = [
        one
        for one in Board.load("ceval").standings()
        if one.rank and one.row.average > place.run.average
    ]
    assert place.rank == 1 + len(above)
    assert (place.of, place.recorded) == (59, 58)
    assert len(place.neighbours) == 4
    assert place.neighbours[0].row.categories["STEM"] > 0


def test_rows_of_another_setting_are_marked_and_can_be_left_out() -> None:
    mine = run(average=55)  # val, 5-shot
    rows = board(
        row("alike", 50, split="val", shots="5"),
        row("other-shots", 60, split="val", shots="0"),
        row("both", 70, split="test", shots=""),
        runs=(mine,),
    )
    marks = {one.row.model: one.differs for one in rows.standings()}
    assert marks == {
        "alike": (),
        "mine": (),
        "other-shots": ("shots",),
        "both": ("split", "shots"),
    }
    alike = rows.standings(same_setting=True)
    assert [(one.row.model, one.rank) for one in alike] == [("mine", 1), ("alike", 2)]
    place = rows.place(mine.result, same_setting=True)  # type: ignore[arg-type]
    assert (place.rank, place.of) == (1, 2)
    assert settings_among(rows.standings()) == {("val", "5"): 2, ("test", ""): 1, ("val", "0"): 1}


def test_same_setting_needs_one_setting() -> None:
    with pytest.raises(InvalidRequestError, match="as what"):
        Board.load("ceval").standings(same_setting=True)
    both = Board.load("ceval").with_runs([made(), made(shots=0)])
    with pytest.raises(InvalidRequestError, match="2 settings"):
        both.standings(same_setting=True)
    # A place is that of one run, whatever the others are.
    assert both.place(made(), same_setting=True).recorded == 17


def test_a_mixture_of_settings_is_said() -> None:
    board = Board.load("ceval")
    notes = board_notes(board, board.standings(), same_setting=False, every=False)
    assert notes[0].startswith("Ranked rows mix 7 settings")
    assert "among these 58 recorded rows" in notes[1]
    alike = board.with_runs([made()])
    notes = board_notes(alike, alike.standings(same_setting=True), same_setting=True, every=False)
    assert not any("mix" in note for note in notes)


def test_incomplete_runs_have_no_rank() -> None:
    result = made("part", subjects=3)
    rows = Board.load("ceval").with_runs([result])
    (mine,) = [one for one in rows.standings() if one.row.is_run]
    assert mine.rank is mine.class_rank is None
    place = rows.place(result)
    assert (place.rank, place.neighbours) == (None, ())
    assert place.of == 58
    assert place_line(place) == "not ranked"
    assert any("not the whole benchmark" in note for note in run_notes(place.run))


def test_a_run_like_guessing_is_called_so() -> None:
    lucky = run_row(made("lucky", skill=0.0))
    assert "guessing" in lucky.flags
    assert "guessing" in run_notes(lucky)[0]
    good = run_row(made("good", skill=0.9))
    assert good.flags == ()
    assert run_notes(good) == []
    assert good.standard_error is not None
    assert 1 < good.standard_error < 2


def test_other_protocols_and_dropped_shots_are_flagged() -> None:
    result = made("other", dropped=2)
    assert run_row(result).flags == ("dropped_shots",)
    harness = replace(result, exam={**result.exam, "protocol": "harness"})
    assert run_row(harness).flags == ("harness", "dropped_shots")
    generated = replace(made(), exam={**result.exam, "method": "generate"})
    assert run_row(generated).flags == ("generate",)
    assert "written text" in run_notes(run_row(generated))[0]


@pytest.mark.parametrize("size", [None, "7B", True, -1, float("nan"), float("inf"), 0])
def test_a_size_that_is_none_leaves_the_class_out(size: Any) -> None:
    place = Board.load("ceval").place(made(parameters=size))
    assert place.size_class is place.class_rank is None
    assert place.rank is not None
    assert "size not known" in place_line(place)


def test_a_run_without_a_score_or_of_another_benchmark_is_refused() -> None:
    with pytest.raises(JournalError, match="no key"):
        Board.load("ceval").place(made(split="test", keyed=False))
    with pytest.raises(InvalidRequestError, match="CMMLU"):
        Board.load("cmmlu").place(made())
    with pytest.raises(InvalidRequestError, match="no benchmark"):
        Board.load("mmlu")
