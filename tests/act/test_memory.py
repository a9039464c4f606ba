"""What a person teaches is known at once, can be looked through, and is gone when forgotten."""

from __future__ import annotations

import datetime

import pytest

from qingyu.act.calls import Call
from qingyu.act.records.database import Database
from qingyu.act.records.memory import Memory, Nickname, Preference, Routine
from qingyu.act.world import World
from qingyu.errors import InvalidRequestError, RecordsError

NOW = datetime.datetime(2026, 11, 26, 19, 30)
CALLS = [Call("turn_off", "light.desk"), Call("set", "climate.hall", {"temperature": 26.5})]


@pytest.fixture
def memory(records: Database) -> Memory:
    return Memory(records)


def test_a_nickname_is_a_name_of_the_household(memory: Memory, world: World) -> None:
    memory.nickname("climate.hall", "大风", at=NOW)
    memory.nickname("attic", "Eagle  Nest", at=NOW)
    memory.nickname("light.gone", "没了", at=NOW)
    memory.nickname("fan.round", "FAN", at=NOW)
    known = memory.extended(world)
    assert [one.id for one in known.named("大风")] == ["climate.hall"]
    assert [one.id for one in known.areas_named("eagle nest")] == ["attic"]
    assert not known.named("没了")
    assert known.named("空调")[0].name("zh") == "空调", "the official name stays the first"
    assert len(known.named("fan")[0].names) == 2, "what is a name already is not one twice"
    assert not world.named("大风")


def test_without_nicknames_the_household_stays_as_it_is(memory: Memory, world: World) -> None:
    memory.prefer("", "wake", "07:00", at=NOW)
    assert memory.extended(world) is world


def test_a_nickname_moves_to_whom_it_is_given(memory: Memory, world: World) -> None:
    memory.nickname("fan.round", "小黄", at=NOW)
    memory.nickname("valve.roses", "小黄", at=NOW)
    assert [one.about for one in memory.nicknames()] == ["valve.roses"]
    assert [one.id for one in memory.extended(world).named("小黄")] == ["valve.roses"]


def test_preferences(memory: Memory, records: Database) -> None:
    memory.prefer("climate.hall", "temperature", 25, at=NOW)
    memory.prefer("climate.hall", "Temperature", 23.5, at=NOW)
    memory.prefer("", "temperature", 20, at=NOW)
    with Database(records.path) as again:
        known = {one.about: one.value for one in Memory(again).preferences()}
    assert known == {"climate.hall": 23.5, "": 20}


def test_routines(memory: Memory) -> None:
    memory.routine("睡觉了", CALLS[:1], at=NOW)
    memory.routine("睡觉了", CALLS, at=NOW)
    routine = memory.routine_called("睡觉了")
    assert routine is not None
    assert routine.calls == tuple(CALLS)
    assert memory.routine_called("起床") is None
    assert len(memory.list()) == 1


def test_list_and_forget(memory: Memory) -> None:
    one = memory.nickname("fan.round", "小黄", at=NOW)
    two = memory.prefer("", "wake", "07:00", at=NOW)
    three = memory.routine("睡觉了", CALLS, at=NOW)
    assert memory.list() == (one, two, three)
    assert [type(one) for one in memory.list()] == [Nickname, Preference, Routine]
    assert memory.forget(two.id) == two
    assert memory.list() == (one, three)
    with pytest.raises(InvalidRequestError, match="nothing is remembered as number 2"):
        memory.forget(two.id)
    assert memory.forget_all() == 2
    assert memory.list() == ()
    later = memory.prefer("", "wake", "07:00", at=NOW)
    assert later.id > three.id, "a number is never given again"


@pytest.mark.parametrize("all", [True, False])
def test_nothing_forgotten_is_left_in_any_file(
    memory: Memory, records: Database, all: bool
) -> None:
    def found() -> bool:
        files = records.path.parent.glob("act.sqlite*")
        return any(b"Schnuffelchen" in one.read_bytes() for one in files)

    taught = memory.nickname("fan.round", "Schnuffelchen", at=NOW)
    assert found()
    if all:
        memory.forget_all()
    else:
        memory.forget(taught.id)
    assert not found()


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\x00b", "a\u202eb", "a\ud800b"])
def test_what_cannot_be_a_name(memory: Memory, name: str) -> None:
    with pytest.raises(InvalidRequestError, match="cannot be a name; take 1 to 40 characters"):
        memory.nickname("fan.round", name, at=NOW)
    assert not memory.list()


def test_too_many(memory: Memory, monkeypatch: pytest.MonkeyPatch, chinese: None) -> None:
    monkeypatch.setattr("qingyu.act.records.memory.MOST", 1)
    memory.nickname("fan.round", "a", at=NOW)
    memory.nickname("fan.round", "a", at=NOW)
    with pytest.raises(InvalidRequestError, match="已记住 1 条内容；请先忘记一些"):
        memory.nickname("fan.round", "b", at=NOW)


def test_a_row_that_is_none_of_ours(memory: Memory, records: Database) -> None:
    memory.routine("睡觉了", CALLS, at=NOW)
    with records.write() as transaction:
        transaction.execute("UPDATE memories SET content = '{}x'")
    with pytest.raises(RecordsError, match=r"is damaged \(memory 1\)"):
        memory.list()
