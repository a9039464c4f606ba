"""What was done is on the disk, in order, with the values before and after."""

from __future__ import annotations

import datetime
import threading
from pathlib import Path

import pytest

from qingyu.act.actions import apply
from qingyu.act.calls import Call
from qingyu.act.records.database import Database
from qingyu.act.records.journal import Journal, Turn
from qingyu.act.records.schedules import Schedules
from qingyu.act.state import State, initial
from qingyu.act.when import parse_when
from qingyu.act.world import World
from qingyu.errors import InvalidRequestError, RecordsError

NOW = datetime.datetime(2026, 11, 26, 19, 30)
ON = Call("set", "light.desk", {"brightness": 40})


@pytest.fixture
def journal(records: Database) -> Journal:
    return Journal(records)


def said(journal: Journal, text: str = "打开台灯") -> Turn:
    return journal.turn(who="fast", text=text, at=NOW)


def done(journal: Journal, world: World, state: State, *calls: Call) -> State:
    turn = said(journal)
    for call in calls:
        after = apply(world, state, call)
        journal.record(turn, call, state, after)
        state = after
    return state


def test_what_is_written_down(world: World, journal: Journal, records: Database) -> None:
    turn = said(journal)
    before = initial(world)
    journal.record(turn, ON, before, apply(world, before, ON))
    with Database(records.path) as again:  # as another process sees it
        (entry,) = Journal(again).list()
    assert entry.turn == turn
    assert (entry.turn.who, entry.turn.text, entry.turn.at) == ("fast", "打开台灯", NOW)
    assert entry.call == ON
    assert entry.before == {"light.desk": {"state": "off", "brightness": 80}}
    assert entry.after == {"light.desk": {"state": "on", "brightness": 40}}
    assert entry.outcome == "done"


def test_lists_and_what_a_device_keeps_in_mind(world: World, journal: Journal) -> None:
    add = Call("add", "todo.shopping", {"item": "茶"})
    cool = Call("set", "climate.hall", {"mode": "cool"})
    done(journal, world, initial(world), add, cool)
    newest, oldest = journal.list()
    assert oldest.after == {"todo.shopping": {"items": ("牛奶", "Eggs", "茶")}}
    assert newest.before == {"climate.hall": {"state": "off", "last_mode": "heat"}}


def test_begun_and_finished_otherwise_than_expected(world: World, journal: Journal) -> None:
    before = initial(world)
    entry = journal.begin(said(journal), ON, before, apply(world, before, ON))
    assert [one.id for one in journal.unfinished()] == [entry]
    now = before.updated("light.desk", {"state": "on"}).updated("switch.kettle", {"state": "on"})
    journal.finish(entry, before, now, failed=True, detail="no answer")
    (found,) = journal.list()
    assert (found.outcome, found.detail) == ("failed", "no answer")
    assert found.after == {"light.desk": {"state": "on"}}, "the kettle was somebody else's doing"
    assert not journal.unfinished()
    with pytest.raises(InvalidRequestError, match=f"no call {entry} was begun"):
        journal.finish(entry, before, now)


def test_newest_first_and_page_by_page(world: World, journal: Journal) -> None:
    ids = [journal.record(said(journal), ON, initial(world), initial(world)) for _ in range(5)]
    assert [one.id for one in journal.list(limit=2)] == ids[:2:-1]
    assert [one.id for one in journal.list(limit=2, before=ids[3])] == [ids[2], ids[1]]
    for limit in (0, -1, 1001):
        with pytest.raises(InvalidRequestError, match="it may be 1 to 1000"):
            journal.list(limit=limit)


def test_undo_goes_back_turn_by_turn(world: World, journal: Journal) -> None:
    beginning = initial(world)
    first = done(journal, world, beginning, Call("unlock", "lock.front"))
    now = done(journal, world, first, ON, Call("turn_on", "fan.round"))
    said(journal, "你好")  # nothing was done: not a turn to take back
    for earlier in (first, beginning):
        undo = journal.undo(world, now)
        assert undo is not None
        assert not undo.left
        by = journal.turn(who="undo", text="撤销", at=NOW)
        for call in undo.calls:
            after = apply(world, now, call)
            journal.record(by, call, now, after)
            now = after
        journal.undone(undo.turn, by=by)
        assert now == earlier
    assert journal.undo(world, now) is None
    assert [one.turn.undone_by is None for one in journal.list()].count(False) == 3


def test_undo_of_what_may_have_happened(world: World, journal: Journal) -> None:
    before = initial(world)
    expected = apply(world, before, ON)
    journal.begin(said(journal), ON, before, expected)
    it_happened, it_did_not = journal.undo(world, expected), journal.undo(world, before)
    assert it_happened is not None
    assert it_happened.patch == {"light.desk": {"state": "off", "brightness": 80}}
    assert it_did_not is not None
    assert not it_did_not.calls
    assert not it_did_not.left


def test_undo_of_a_schedule_is_to_cancel_it(
    world: World, journal: Journal, records: Database
) -> None:
    schedules = Schedules(records)
    turn = said(journal)
    planned = schedules.add(parse_when("+600"), [ON], said=NOW, turn=turn.id)
    undo = journal.undo(world, initial(world))
    assert undo is not None
    assert undo.schedules == (planned.id,)
    schedules.cancel(planned.id)
    assert journal.undo(world, initial(world)) is None


def test_erased_for_good(world: World, journal: Journal, records: Database) -> None:
    turn = journal.turn(who="model", text="a-secret-of-mine", at=NOW)
    journal.record(turn, ON, initial(world), apply(world, initial(world), ON))
    later = journal.turn(who="fast", text="kept", at=NOW + datetime.timedelta(days=1))
    assert journal.erase(before=NOW + datetime.timedelta(hours=1)) == 1
    assert not journal.list()
    files = records.path.parent.glob("act.sqlite*")
    assert not any(b"a-secret-of-mine" in one.read_bytes() for one in files)
    journal.record(later, ON, initial(world), apply(world, initial(world), ON))
    assert journal.erase() == 1


def test_many_threads(world: World, journal: Journal) -> None:
    def work() -> None:
        for _ in range(5):
            turn = said(journal, threading.current_thread().name)
            journal.record(turn, ON, initial(world), apply(world, initial(world), ON))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(journal.list(limit=100)) == 30
    assert len({one.turn.id for one in journal.list(limit=100)}) == 30


@pytest.mark.parametrize("column", ["call", "before", "after"])
def test_a_row_that_is_none_of_ours(
    world: World, journal: Journal, records: Database, column: str, tmp_path: Path
) -> None:
    done(journal, world, initial(world), ON)
    with records.write() as transaction:
        transaction.execute(f"UPDATE calls SET {column} = '[3]'")
    with pytest.raises(RecordsError, match=r"is damaged \(call 1\)"):
        journal.list()
