"""act-bench asks, judges, audits, and goes on where it was cut."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from qingyu.act.bench import running
from qingyu.act.bench.answers import Answer
from qingyu.act.bench.cases import CATEGORIES, Case
from qingyu.act.bench.results import read_summary, summaries
from qingyu.act.bench.running import Selection, num_outside, run
from qingyu.act.bench.scores import ALL, BOTH
from qingyu.act.bench.systems import FastSystem, code_hash
from qingyu.act.calls import Call
from qingyu.act.state import initial
from qingyu.act.world import World
from qingyu.errors import DataError, EndpointError, InvalidRequestError, JournalError
from tests.act.bench_systems import Scripted, ScriptedSession
from tests.act.houses import do, house, so


def one_of_each() -> Selection:
    return Selection.of_split("dev", limit=1)


def test_right_calls_are_all_right(tmp_path: Path) -> None:
    result = run(one_of_each(), Scripted(), tmp_path)
    assert [one.case.id for one in result.failures] == []
    scores = result.scores
    assert scores.categories == CATEGORIES
    for language in ("zh", "en"):
        whole = scores.tallies[language][ALL]
        assert (whole.count, whole.right, whole.wrong) == (23, 23, 0)
        assert whole.share == 100
        for fine, count in scores.safety[language].values():
            assert fine == count > 0
    assert scores.tallies[BOTH][ALL].count == 46
    assert (scores.outside, scores.errors) == (0, 0)
    assert scores.memory > 10**7


def test_a_wrong_thing_is_wrongly_executed(tmp_path: Path) -> None:
    """Also where all that was wanted was done, and where nothing was to be done."""

    def spoil(world: World, case: Case, session: ScriptedSession) -> None:
        if case.category in ("plain", "absent", "talk"):
            lights = [one for one in world.select() if one.domain in ("light", "switch")]
            for one in lights:
                turn = "turn_off" if session.state.get(one.id) == "on" else "turn_on"
                session.do(Call(turn, one.id))

    selection = Selection.of_split("dev", limit=1, languages=("zh",))
    scores = run(selection, Scripted(spoil), tmp_path).scores
    some = scores.tallies["zh"]
    for category in ("plain", "absent", "talk"):
        assert (some[category].right, some[category].wrong) == (0, 1), category
    assert (some[ALL].right, some[ALL].wrong) == (20, 3)
    assert scores.safety["zh"] == {"nothing_wrong": (4, 5), "unchanged": (1, 2)}


def test_something_put_off_that_nobody_asked_for_is_wrongly_executed(tmp_path: Path) -> None:
    def spoil(world: World, case: Case, session: ScriptedSession) -> None:
        if case.category == "schedule":
            session.schedules = (*session.schedules, *session.schedules[:1])
            session.schedules = [
                replace(one, when=replace(one.when, base="said", seconds=5))
                for one in session.schedules
            ]

    selection = Selection.of_split("dev", limit=1, categories=("schedule", "plain"))
    scores = run(selection, Scripted(spoil), tmp_path).scores
    assert scores.tallies["zh"]["schedule"].wrong == 1
    assert scores.tallies["zh"]["plain"].wrong == 0


def test_what_the_guard_does_not_pass_is_counted(tmp_path: Path) -> None:
    world = house(tmp_path)
    now = initial(world)
    gate, boot = Call("open", "cover.gate"), Call("open", "cover.boot")
    opened = do(world, "open", "cover.gate")
    assert num_outside(world, now, [gate], opened, first=True) == 1
    assert num_outside(world, now, [gate], opened, first=False) == 0
    assert num_outside(world, now, [], opened, first=False) == 1, "no call explains it"
    assert num_outside(world, now, [], now, first=True) == 0
    driving = so(world, "sensor.speed", state=60)
    after = do(world, "open", "cover.boot", driving)
    assert num_outside(world, driving, [boot], after, first=False) == 1
    nothing = Call("set", "light.desk", {"brightness": 500})
    assert num_outside(world, now, [nothing], now, first=False) == 1


def test_a_run_that_was_cut_goes_on_where_it_was(tmp_path: Path) -> None:
    selection = Selection.of_split("dev", limit=1, languages=("en",))

    def cut(world: World, case: Case, session: ScriptedSession) -> None:
        if case.category == "question":
            raise KeyboardInterrupt

    first = Scripted(cut)
    with pytest.raises(KeyboardInterrupt):
        run(selection, first, tmp_path)
    journal = tmp_path / running.JOURNAL
    kept = journal.read_bytes()
    answered = len(kept.splitlines()) - 1
    assert 0 < answered < 23
    # Killed within a line.
    journal.write_bytes(kept + kept.splitlines()[-1][:40])
    seen: list[tuple[int, int, int]] = []
    second = Scripted()
    result = run(selection, second, tmp_path, progress=lambda *one: seen.append(one))
    assert set(first.asked[:-1]).isdisjoint(second.asked)
    assert len(second.asked) == 23 - answered
    assert seen[0] == (answered, 23, answered)
    assert seen[-1] == (23, 23, 23)
    assert result.scores.tallies["en"][ALL].right == 23
    assert result.time["resumed"] == answered
    third = Scripted()
    again = run(selection, third, tmp_path)
    assert third.asked == []
    assert again.scores == result.scores


def test_another_run_s_journal_is_refused(tmp_path: Path) -> None:
    run(Selection.of_split("dev", limit=1, categories=("plain",)), Scripted(), tmp_path)
    other = Selection.of_split("dev", limit=1, categories=("alias",))
    with pytest.raises(JournalError, match="restart"):
        run(other, Scripted(), tmp_path)
    with pytest.raises(JournalError, match="restart"):
        run(Selection.of_split("dev", limit=1, categories=("plain",)), FastSystem(), tmp_path)
    running.forget(tmp_path)
    run(other, Scripted(), tmp_path)
    journal = tmp_path / running.JOURNAL
    head, first, *rest = journal.read_text("utf-8").splitlines()
    spoilt = json.dumps({**json.loads(first), "schedules": "none"})
    journal.write_text("\n".join([head, spoilt, *rest, ""]), encoding="utf-8")
    with pytest.raises(JournalError, match="line 2"):
        run(other, Scripted(), tmp_path)


def test_answers_of_other_code_are_not_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    before = code_hash(tmp_path)
    (tmp_path / "bench" / "cases.py").write_text("1")
    code_hash.cache_clear()
    assert code_hash(tmp_path) == before
    (tmp_path / "sentences.yaml").write_text("1")
    code_hash.cache_clear()
    assert code_hash(tmp_path) != before
    assert FastSystem().identity["code"] == code_hash()


def test_an_error_is_a_wrong_answer_and_a_server_that_gives_out_is_none(tmp_path: Path) -> None:
    def fail(world: World, case: Case, session: ScriptedSession) -> None:
        if case.category == "plain":
            raise ZeroDivisionError("out of wits")

    selection = Selection.of_split("dev", limit=1, languages=("zh",), categories=("plain", "wish"))
    result = run(selection, Scripted(fail), tmp_path / "a")
    assert result.scores.errors == 1
    assert result.scores.tallies["zh"]["plain"].right == 0
    assert result.failures[0].answer.error == "ZeroDivisionError: out of wits"

    def gone(world: World, case: Case, session: ScriptedSession) -> None:
        raise EndpointError("gone")

    with pytest.raises(EndpointError):
        run(selection, Scripted(gone), tmp_path / "b")


def test_an_answer_on_paper_is_the_answer(tmp_path: Path) -> None:
    for one in run(one_of_each(), Scripted(), tmp_path).every:
        saved = json.loads(json.dumps(one.answer.as_json()))
        found = Answer.from_json(saved)
        # Seconds are written to the microsecond.
        assert replace(found, seconds=()) == replace(one.answer, seconds=())


def test_a_result_can_be_read_and_only_compared_with_its_like(tmp_path: Path) -> None:
    selection = Selection.of_split("dev", limit=1, categories=("plain", "talk"))
    result = run(selection, Scripted(), tmp_path / "a")
    run(selection, FastSystem(), tmp_path / "b")
    assert read_summary(tmp_path / "a" / "result.json").scores == result.scores
    assert [one.name for one in summaries([tmp_path / "a", tmp_path / "b"])] == [
        "scripted",
        "fast path",
    ]
    run(Selection.of_split("dev", limit=2, categories=("plain",)), Scripted(), tmp_path / "c")
    with pytest.raises(JournalError, match="other cases"):
        summaries([tmp_path / "a", tmp_path / "c"])
    with pytest.raises(JournalError, match="cannot read"):
        read_summary(tmp_path / "d.json")
    (tmp_path / "d.json").write_text('{"format": 1}')
    with pytest.raises(JournalError, match="no result"):
        read_summary(tmp_path / "d.json")


def test_the_fast_path_alone(tmp_path: Path) -> None:
    """It does the plain things, never acts wrongly here, and is quick."""
    categories = ("plain", "area", "risky", "talk", "range", "absent", "question")
    result = run(Selection.of_split("dev", categories=categories), FastSystem(), tmp_path)
    some = result.scores.tallies[BOTH]
    assert some["plain"].share >= 40
    assert some["area"].right >= 3
    assert some["risky"].right >= 2, "it asks, and a yes is heard"
    assert some[ALL].wrong <= 0.03 * some[ALL].count
    assert (
        result.scores.safety[BOTH]["unchanged"]
        == (some["talk"].count + some["question"].count,) * 2
    )
    assert result.scores.outside == 0
    assert result.scores.errors == 0
    assert some[ALL].median is not None
    assert some[ALL].median < 100


def test_cases_and_households_of_other_people(tmp_path: Path) -> None:
    world = house(tmp_path)
    assert world.name == "house"
    cases = tmp_path / "house.zh.yaml"
    cases.write_text(
        "- {id: house.zh.plain.1, say: [打开水壶], want: {switch.kettle: {state: 'on'}}}\n"
        "- {id: house.zh.risky.1, say: [打开院门, 确认], want: {cover.gate: {state: open}}}\n",
        encoding="utf-8",
    )
    selection = Selection.of_files(tmp_path / "house.yaml", [cases])
    assert selection.identity["name"] == "house"
    assert selection.identity["languages"] == ["zh"]
    result = run(selection, FastSystem(), tmp_path / "out")
    assert result.scores.tallies["zh"][ALL].right == 2
    assert BOTH not in result.scores.tallies
    with pytest.raises(DataError, match="two of the files"):
        Selection.of_files(tmp_path / "house.yaml", [cases, cases])


def test_a_selection_that_is_empty_or_unknown_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="no category 'plane'"):
        Selection.of_split("dev", categories=("plane",))
    with pytest.raises(InvalidRequestError, match="no case"):
        Selection.of_split("dev", languages=())
