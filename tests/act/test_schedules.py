"""What shall happen later happens once, in time, late within reason, or is reported."""

from __future__ import annotations

import datetime
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from qingyu.act.calls import Call
from qingyu.act.records.database import Database
from qingyu.act.records.owner import is_alive, this_process
from qingyu.act.records.schedules import Schedule, Schedules
from qingyu.act.when import parse_when
from qingyu.act.world import Sun
from qingyu.errors import ActionError, InvalidRequestError, RecordsError

NOW = datetime.datetime(2026, 11, 26, 19, 30)
SUN = Sun(sunrise=datetime.time(7, 10), sunset=datetime.time(17, 5))
OFF = Call("turn_off", "light.desk")
DIM = Call("set", "light.desk", {"brightness": 5})


def after(seconds: float) -> datetime.datetime:
    return NOW + datetime.timedelta(seconds=seconds)


@pytest.fixture
def schedules(records: Database) -> Schedules:
    return Schedules(records, grace=datetime.timedelta(seconds=100))


def add(schedules: Schedules, when: str = "+60") -> Schedule:
    return schedules.add(parse_when(when), [OFF], said=NOW, sun=SUN, text="关灯")


def fired(schedules: Schedules, now: datetime.datetime) -> list[int]:
    return [one.id for one in schedules.fire(now, lambda one: "fine")]


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("when", "at"),
    [
        ("+600", "2026-11-26 19:40"),
        ("22:00", "2026-11-26 22:00"),
        ("07:00", "2026-11-27 07:00"),
        ("2026-12-24 18:00", "2026-12-24 18:00"),
        ("sunset", "2026-11-27 17:05"),
        ("sunrise-600", "2026-11-27 07:00"),
    ],
)
def test_typed_moments(schedules: Schedules, records: Database, when: str, at: str) -> None:
    one = schedules.add(parse_when(when), [DIM, OFF], said=NOW, sun=SUN, text="以后")
    with Database(records.path) as again:
        assert Schedules(again).list() == (one,)
    assert f"{one.at:%Y-%m-%d %H:%M}" == at
    assert (one.moment, one.calls, one.said, one.text) == (when, (DIM, OFF), NOW, "以后")
    assert schedules.next_due() == one.at


def test_a_moment_that_has_passed_or_is_not_known(schedules: Schedules) -> None:
    with pytest.raises(InvalidRequestError, match="2026-11-25 10:00 has passed"):
        add(schedules, "2026-11-25 10:00")
    with pytest.raises(InvalidRequestError, match="needs the times of the sun"):
        schedules.add(parse_when("sunset"), [OFF], said=NOW)
    assert not schedules.list()
    assert schedules.next_due() is None


def test_fires_once_in_the_order_of_the_moments(schedules: Schedules) -> None:
    second, first, later = (add(schedules, when).id for when in ("+60", "+30", "+61"))
    assert fired(schedules, after(29)) == []
    assert fired(schedules, after(60)) == [first, second]
    assert fired(schedules, after(60)) == []
    assert [one.id for one in schedules.list()] == [later]
    assert (schedules.get(first).status, schedules.get(first).detail) == ("done", "fine")
    assert not schedules.news()


def test_late_within_grace_and_missed_after(schedules: Schedules) -> None:
    missed, late = add(schedules, "+60"), add(schedules, "+61")
    now = after(161)
    assert fired(schedules, now) == [late.id]
    assert late.late(now) == datetime.timedelta(seconds=100)
    assert [(one.id, one.status) for one in schedules.news()] == [(missed.id, "missed")]
    schedules.told(schedules.news())
    assert not schedules.news()


def test_one_that_is_added_meanwhile_is_not_fired_too_late(
    schedules: Schedules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread adds it after the missed ones were marked: it is missed the next time."""
    read = Database.read
    added: list[Schedule] = []

    def slowly(database: Database, *query: Any) -> Any:
        monkeypatch.undo()
        added.append(add(schedules, "+60"))
        return read(database, *query)

    now = after(10_000)
    monkeypatch.setattr(Database, "read", slowly)
    assert schedules.due(now) == ()
    assert schedules.due(now) == ()
    assert [(one.id, one.status) for one in schedules.news()] == [(added[0].id, "missed")]


def test_a_clock_that_goes_back_fires_nothing_again(schedules: Schedules) -> None:
    add(schedules)
    assert len(fired(schedules, after(60))) == 1
    assert fired(schedules, after(0)) == fired(schedules, after(60)) == []


def test_cancelled(schedules: Schedules) -> None:
    one = add(schedules)
    assert schedules.cancel(one.id).status == "cancelled"
    assert fired(schedules, after(60)) == []
    with pytest.raises(InvalidRequestError, match="does not wait any more; it is cancelled"):
        schedules.cancel(one.id)
    with pytest.raises(InvalidRequestError, match="there is no schedule 77"):
        schedules.cancel(77)


def test_cancelled_after_it_was_found_due(schedules: Schedules) -> None:
    one = add(schedules)
    assert [found.id for found in schedules.due(after(60))] == [one.id]
    schedules.cancel(one.id)
    assert not schedules.claim(one.id)


def test_a_claimed_one_cannot_be_cancelled(schedules: Schedules) -> None:
    one = add(schedules)
    assert schedules.claim(one.id)
    with pytest.raises(InvalidRequestError, match="it is claimed"):
        schedules.cancel(one.id)


def test_what_fails_is_told_and_the_next_one_fires(schedules: Schedules) -> None:
    bad, good = add(schedules), add(schedules)

    def carry_out(one: Schedule) -> str:
        if one.id == bad.id:
            raise ActionError("the lamp does not answer")
        return ""

    schedules.fire(after(60), carry_out)
    assert [(one.status, one.detail) for one in schedules.news()] == [
        ("failed", "the lamp does not answer")
    ]
    assert schedules.get(good.id).status == "done"


def test_a_bug_of_ours_leaves_it_unclear_and_the_rest_waiting(schedules: Schedules) -> None:
    first, second = add(schedules), add(schedules)

    def carry_out(one: Schedule) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        schedules.fire(after(60), carry_out)
    assert [(one.id, one.status) for one in schedules.news()] == [(first.id, "unclear")]
    assert fired(schedules, after(60)) == [second.id]


def test_what_a_living_process_holds_is_left_to_it(schedules: Schedules) -> None:
    one = add(schedules)
    schedules.claim(one.id)
    assert not schedules.recover()
    assert schedules.get(one.id).status == "claimed"


def test_news_of_one_that_was_held_for_dead_and_finished(
    schedules: Schedules, records: Database
) -> None:
    one = add(schedules)
    schedules.claim(one.id)
    with records.write() as transaction:
        transaction.execute("UPDATE schedules SET owner = 'another-boot 1 1'")
    (unclear,) = schedules.recover()
    assert unclear.status == "unclear"
    schedules.finish(one.id)
    schedules.told([unclear])
    assert schedules.get(one.id).status == "done"
    assert not schedules.news()


def test_the_owner_of_a_claim() -> None:
    boot, number, began = this_process().split()
    assert number == str(os.getpid())
    assert is_alive(this_process())
    assert not is_alive(f"{boot} {number} {int(began) - 1}"), "its number was given again"
    assert not is_alive(f"another {number} {began}")
    assert not is_alive("")


def test_ten_minutes_are_ten_minutes_when_the_clocks_change(
    schedules: Schedules, berlin: None
) -> None:
    """On 2026-10-25 at 3:00 summer time it is 2:00 again."""
    said = datetime.datetime(2026, 10, 25, 2, 55)
    one = schedules.add(parse_when("+600"), [OFF], said=said)
    assert schedules.get(one.id).at.fold == one.at.fold == 1
    assert one.at.replace(fold=0) == datetime.datetime(2026, 10, 25, 2, 5)
    assert not schedules.due(datetime.datetime(2026, 10, 25, 2, 56))
    assert not schedules.due(datetime.datetime(2026, 10, 25, 2, 4, fold=1))
    assert schedules.due(datetime.datetime(2026, 10, 25, 2, 5, fold=1)) == (one,)


def test_many_threads_and_connections_fire_each_once(
    schedules: Schedules, records: Database
) -> None:
    ids = sorted(add(schedules).id for _ in range(30))
    seen: list[int] = []
    begin = threading.Barrier(4)

    def carry_out(one: Schedule) -> str:
        seen.append(one.id)
        return ""

    def work(own: bool) -> None:
        begin.wait()
        if own:
            with Database(records.path) as database:
                Schedules(database).fire(after(60), carry_out)
        else:
            schedules.fire(after(60), carry_out)

    threads = [threading.Thread(target=work, args=[number % 2]) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(seen) == ids


def test_a_full_disk_fires_nothing(schedules: Schedules, records: Database) -> None:
    """What cannot be claimed on the disk is not carried out, for it could happen again."""
    add(schedules)
    # A real full disk fails when the log grows; a read-only file fails at the same place.
    records.read("PRAGMA query_only = ON")
    carried_out: list[Schedule] = []
    with pytest.raises(RecordsError, match="cannot be read and written"):
        schedules.fire(after(60), lambda one: str(carried_out.append(one)))
    assert not carried_out
    records.read("PRAGMA query_only = OFF")
    assert len(fired(schedules, after(60))) == 1


def test_too_many(schedules: Schedules, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qingyu.act.records.schedules.MOST", 2)
    add(schedules)
    add(schedules)
    with pytest.raises(InvalidRequestError, match="2 schedules are waiting already"):
        add(schedules)


def test_erased(schedules: Schedules) -> None:
    over, waiting = add(schedules), add(schedules, "+600")
    schedules.cancel(over.id)
    assert schedules.erase() == 1
    assert schedules.list() == (waiting,)


def test_a_row_that_is_none_of_ours(schedules: Schedules, records: Database) -> None:
    add(schedules)
    with records.write() as transaction:
        transaction.execute("""UPDATE schedules SET calls = '[{"action": 3}]'""")
    with pytest.raises(RecordsError, match=r"is damaged \(schedule 1\)"):
        schedules.list()


def again(schedules: Schedules, days: str) -> Schedule:
    # NOW is a Thursday
    return schedules.add(parse_when("20:00"), [OFF], said=NOW, text="关灯", days=days)


@pytest.mark.parametrize(
    ("days", "dates"),
    [
        ("daily", [26, 27, 28, 29, 30]),
        ("weekdays", [26, 27, 30]),
        ("weekends", [28, 29]),
        ("fri", [27]),
        ("mon,sat", [28, 30]),
    ],
)
def test_comes_again_on_its_days(schedules: Schedules, days: str, dates: list[int]) -> None:
    again(schedules, days)
    happened = []
    now = NOW
    while now < datetime.datetime(2026, 12, 1):
        happened += [one.at.day for one in schedules.fire(now, lambda one: "fine")]
        now += datetime.timedelta(minutes=1)
    assert happened == dates
    (waiting,) = schedules.list()
    assert waiting.days == days


def test_days_that_were_missed_are_one_piece_of_news(schedules: Schedules) -> None:
    first = again(schedules, "daily")
    later = datetime.datetime(2026, 11, 30, 12, 0)
    assert fired(schedules, later) == []
    assert [one.id for one in schedules.news()] == [first.id]
    (waiting,) = schedules.list()
    assert waiting.at == datetime.datetime(2026, 11, 30, 20, 0)
    assert len(fired(schedules, datetime.datetime(2026, 11, 30, 20, 0))) == 1


def test_comes_no_more_once_cancelled(schedules: Schedules) -> None:
    again(schedules, "daily")
    fired(schedules, NOW + datetime.timedelta(minutes=30))
    (waiting,) = schedules.list()
    schedules.cancel(waiting.id)
    assert fired(schedules, NOW + datetime.timedelta(days=1, minutes=30)) == []
    assert schedules.list() == ()


def test_a_process_that_ends_in_the_middle_loses_no_later_day(
    schedules: Schedules, records: Database
) -> None:
    one = again(schedules, "daily")
    schedules.due(one.at)
    assert schedules.claim(one.id)
    with Database(records.path) as afterwards:
        assert [each.at.day for each in Schedules(afterwards).list()] == [27]


def test_a_database_of_the_first_version_goes_on(records: Database) -> None:
    with records.write() as transaction:
        transaction.execute("DROP INDEX schedules_of_turn")
        transaction.execute("ALTER TABLE schedules DROP COLUMN confirmed")
        transaction.execute("ALTER TABLE schedules DROP COLUMN rings")
        transaction.execute("ALTER TABLE schedules DROP COLUMN days")
        transaction.execute("PRAGMA user_version = 1")
    with Database(records.path) as upgraded:
        assert again(Schedules(upgraded), "daily").days == "daily"


def test_days_that_are_none(schedules: Schedules) -> None:
    with pytest.raises(InvalidRequestError, match="monday"):
        again(schedules, "monday")
    assert schedules.list() == ()
