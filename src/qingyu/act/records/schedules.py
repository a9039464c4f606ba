"""What shall happen later: written down at once, fired exactly once, also over kill -9.

    schedules.add(parse_when("+600"), calls, said=now, sun=world.sun, text="十分钟后关灯")
    schedules.add(parse_when("07:00"), calls, said=now, days="weekdays")     # comes again
    schedules.recover()                     # when the program starts
    for one in schedules.due(now):          # now and then; wait until `next_due`
        if schedules.claim(one.id):         # nobody else fires it from here on
            schedules.finish(one.id)        # after its calls were carried out
    schedules.news()                        # missed, failed, may have happened: to be told

`fire` does all of this. A claim is on the disk before the first device is told. A process that
ends between claim and finish leaves a schedule that may have happened: it is reported, and never
fired again. One that was due while the program was off is fired late within `grace`, else missed.
Moments are local time without a zone; what is compared is seconds since 1970.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from qingyu.act.calls import Call
from qingyu.act.records.database import Database, corrupt
from qingyu.act.records.owner import is_alive, this_process
from qingyu.act.when import When, falls_on
from qingyu.act.world import Sun
from qingyu.errors import InvalidRequestError, QingyuError
from qingyu.text import pick

Status = Literal["pending", "claimed", "done", "failed", "unclear", "missed", "cancelled"]
GRACE = timedelta(minutes=10)
_DAY = timedelta(days=1)
MOST = 1000
"""Schedules that may wait at a time."""
KEPT = 10_000
"""So many of the latest are kept, also those that are over."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """moment: as it was said, "+600" or "sunset". at: when that is, local time. status "unclear":
    it may have happened, the process was ended in the middle. turn: of the journal, if known.
    days: on which it comes again, "once" for never; as soon as it is claimed or missed, another
    one waits for the next of them. confirmed: the person said yes to what is risky in it. rings: of
    a list's entry that rings then, and has no calls (`qingyu.act.ringing`)."""

    id: int
    said: datetime
    text: str
    moment: str
    at: datetime
    calls: tuple[Call, ...]
    status: Status = "pending"
    detail: str = ""
    turn: int | None = None
    days: str = "once"
    confirmed: bool = False
    rings: str = ""

    def late(self, now: datetime) -> timedelta:
        """How long after its moment it is."""
        return timedelta(seconds=now.timestamp() - self.at.timestamp())


class Schedules:
    """grace: how late a schedule may still be fired."""

    def __init__(self, database: Database, *, grace: timedelta = GRACE) -> None:
        assert grace >= timedelta(0), grace
        self._database = database
        self._grace = grace

    def add(
        self,
        when: When,
        calls: Sequence[Call],
        *,
        said: datetime,
        sun: Sun | None = None,
        text: str = "",
        turn: int | None = None,
        days: str = "once",
        confirmed: bool = False,
        rings: str = "",
    ) -> Schedule:
        """A schedule for some calls, on the disk when this returns. said: local time. days: it
        comes again at that time on "daily", "weekdays", "mon,fri" ... confirmed: the person said
        yes to what is risky in it.

        Raises InvalidRequestError for a moment that has passed, or one by the sun without `sun`;
        for days that are none; and where 1000 wait already.
        """
        assert calls or rings
        at = _first(days, _moment(when, said, sun))
        while days != "once" and at.timestamp() < said.timestamp():
            at = _first(days, at + _DAY)
        if at.timestamp() < said.timestamp():
            raise InvalidRequestError(
                pick(f"{at:%Y-%m-%d %H:%M} has passed", f"{at:%Y-%m-%d %H:%M} 已经过去"),
                param="when",
            )
        packed = json.dumps([one.as_json() for one in calls], ensure_ascii=False)
        with self._database.write() as transaction:
            (waiting,) = transaction.execute(
                "SELECT count(*) FROM schedules WHERE status = 'pending'"
            ).fetchone()
            if waiting >= MOST:
                raise InvalidRequestError(
                    pick(
                        f"{waiting} schedules are waiting already; cancel some of them",
                        f"已有 {waiting} 个定时任务；请先取消一些",
                    )
                )
            row = transaction.execute(
                "INSERT INTO schedules"
                " (turn, said, text, moment, at, due, calls, days, confirmed, rings, status)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending')",
                (
                    *(turn, _written(said), text, str(when), _written(at), at.timestamp()),
                    *(packed, days, confirmed, rings),
                ),
            )
            _forget_old(transaction)
        assert row.lastrowid is not None
        return self.get(row.lastrowid)

    def get(self, id: int) -> Schedule:
        """Raises InvalidRequestError where there is no such schedule."""
        found = self._rows("WHERE id = ?", id)
        if not found:
            raise _none(id)
        return found[0]

    def list(self) -> tuple[Schedule, ...]:
        """Those that wait, the next one first; not what only rings."""
        return self._rows("WHERE status = 'pending' AND rings = '' ORDER BY due, id")

    def rings(self) -> dict[str, Schedule]:
        """What rings, or has rung and is still on its list, by `Schedule.rings`."""
        return {one.rings: one for one in self._rows("WHERE rings != '' ORDER BY id")}

    def forget_ring(self, rings: str) -> None:
        """The entry is gone from its list: it rings no more, and one like it will anew."""
        with self._database.write() as transaction:
            transaction.execute(
                "UPDATE schedules SET status = 'cancelled' WHERE status = 'pending' AND rings = ?",
                [rings],
            )
            transaction.execute("UPDATE schedules SET rings = '' WHERE rings = ?", [rings])

    def next_due(self) -> datetime | None:
        """When to look again; None where nothing waits."""
        waiting = self._rows("WHERE status = 'pending' ORDER BY due, id LIMIT 1")
        return waiting[0].at if waiting else None

    def cancel(self, id: int) -> Schedule:
        """Raises InvalidRequestError where it does not wait (any more), and for what rings: its
        entry is taken off its list instead."""
        if self.get(id).rings:
            raise _none(id)
        if not self._move(id, "pending", "cancelled"):
            one = self.get(id)
            raise InvalidRequestError(
                pick(
                    f"schedule {id} does not wait any more; it is {one.status}",
                    f"定时任务 {id} 已不在等待（{one.status}）",
                ),
                param="id",
            )
        return self.get(id)

    def due(self, now: datetime) -> tuple[Schedule, ...]:
        """Those to fire now, in the order of their moments; claim each before it is fired.

        Those more than `grace` late become missed, and are in `news`.
        """
        earliest = now.timestamp() - self._grace.total_seconds()
        with self._database.write() as transaction:
            again = transaction.execute(
                "SELECT * FROM schedules WHERE status = 'pending' AND due < ? AND days != 'once'",
                [earliest],
            ).fetchall()
            for row in again:
                _wait_again(transaction, row, earliest)
            transaction.execute(
                "UPDATE schedules SET status = 'missed' WHERE status = 'pending' AND due < ?",
                [earliest],
            )
        # What was added since is not fired late either.
        return self._rows(
            "WHERE status = 'pending' AND due BETWEEN ? AND ? ORDER BY due, id",
            *(earliest, now.timestamp()),
        )

    def claim(self, id: int) -> bool:
        """Take a schedule to fire it; False where another took it or it was cancelled. One that
        comes again waits for its next day from here on."""
        with self._database.write() as transaction:
            if not _moved(transaction, id, "pending", "claimed", owner=this_process()):
                return False
            row = transaction.execute("SELECT * FROM schedules WHERE id = ?", [id]).fetchone()
            if row["days"] != "once":
                _wait_again(transaction, row, row["due"])
        return True

    def finish(self, id: int, *, failed: bool = False, detail: str = "") -> None:
        """What became of a claimed one. failed, and why: nothing or not all of it was done."""
        status: Status = "failed" if failed else "done"
        if not self._move(id, "claimed", status, detail=detail):
            # Another process may have held this one for dead.
            self._move(id, "unclear", status, detail=detail)

    def fire(self, now: datetime, carry_out: Callable[[Schedule], str]) -> tuple[Schedule, ...]:
        """Fire what is due, one after the other, and give those that were fired.

        carry_out does the calls and gives a detail for the records; a QingyuError of it makes the
        schedule failed. Any other exception leaves it "unclear" and is passed on.
        """
        fired = []
        for one in self.due(now):
            if not self.claim(one.id):
                continue
            try:
                detail = carry_out(one)
            except QingyuError as error:
                self.finish(one.id, failed=True, detail=str(error))
            except BaseException:
                self._move(one.id, "claimed", "unclear")
                raise
            else:
                self.finish(one.id, detail=detail)
            fired.append(self.get(one.id))
        return tuple(fired)

    def recover(self) -> tuple[Schedule, ...]:
        """Mark those a process claimed that is no more: they may have happened. Gives these."""
        claimed = self._database.read("SELECT id, owner FROM schedules WHERE status = 'claimed'")
        left = [row["id"] for row in claimed if not is_alive(row["owner"])]
        return tuple(self.get(id) for id in left if self._move(id, "claimed", "unclear"))

    def news(self) -> tuple[Schedule, ...]:
        """What a person is to be told and was not: unclear, missed and failed ones."""
        return self._rows(
            "WHERE status IN ('unclear', 'missed', 'failed') AND NOT told ORDER BY due, id"
        )

    def told(self, schedules: Sequence[Schedule]) -> None:
        """A person was told of these; until then `news` has them, also after a restart."""
        with self._database.write() as transaction:
            transaction.executemany(
                "UPDATE schedules SET told = 1 WHERE id = ? AND status = ?",
                [(one.id, one.status) for one in schedules],
            )

    def erase(self) -> int:
        """Forget for good those that are over; how many. What waits, stays."""
        with self._database.write() as transaction:
            gone = transaction.execute(
                "DELETE FROM schedules WHERE status NOT IN ('pending', 'claimed')"
            ).rowcount
        self._database.scrub()
        return gone

    def _move(
        self, id: int, before: Status, after: Status, *, owner: str = "", detail: str = ""
    ) -> bool:
        with self._database.write() as transaction:
            return _moved(transaction, id, before, after, owner=owner, detail=detail)

    def _rows(self, rest: str, *values: float) -> tuple[Schedule, ...]:
        rows = self._database.read(f"SELECT * FROM schedules {rest}", values)
        return tuple(_schedule(self._database.path, row) for row in rows)


def _none(id: int) -> InvalidRequestError:
    return InvalidRequestError(pick(f"there is no schedule {id}", f"没有定时任务 {id}"), param="id")


def _moved(
    transaction: sqlite3.Connection,
    id: int,
    before: Status,
    after: Status,
    *,
    owner: str = "",
    detail: str = "",
) -> bool:
    moved = transaction.execute(
        "UPDATE schedules SET status = ?, owner = ?, detail = ? WHERE id = ? AND status = ?",
        (after, owner, detail, id, before),
    )
    return moved.rowcount == 1


def _wait_again(transaction: sqlite3.Connection, row: sqlite3.Row, earliest: float) -> None:
    """The next one of a schedule that comes again, the first not before a moment (since 1970)."""
    at = _read(row["at"])
    while True:
        at = _first(row["days"], at + _DAY)
        if at.timestamp() >= earliest:
            break
    transaction.execute(
        "INSERT INTO schedules"
        " (turn, said, text, moment, at, due, calls, days, confirmed, rings, status)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending')",
        (
            *(row["turn"], row["said"], row["text"], row["moment"]),
            *(_written(at), at.timestamp(), row["calls"], row["days"], row["confirmed"]),
            row["rings"],
        ),
    )
    _forget_old(transaction)


def _forget_old(transaction: sqlite3.Connection) -> None:
    """Leave the latest `KEPT`, and of older ones what still waits."""
    transaction.execute(
        "DELETE FROM schedules WHERE status NOT IN ('pending', 'claimed')"
        " AND id <= (SELECT max(id) FROM schedules) - ?",
        [KEPT],
    )


def _first(days: str, at: datetime) -> datetime:
    """The first such time on one of the days. Raises InvalidRequestError for days that are none."""
    for _ in range(7):
        if falls_on(days, at):
            return at
        at += _DAY
    raise InvalidRequestError(
        pick(
            f"{days!r} is no day; write daily or mon,fri",
            f"“{days}”不是日子；请写 daily 或 mon,fri",
        ),
        param="days",
    )


def _moment(when: When, said: datetime, sun: Sun | None) -> datetime:
    """When it is to be, with `fold` where the clock shows that time twice."""
    at = when.due(said, sun)
    if when.base != "said":
        return at
    # Ten minutes are ten minutes, also when the clocks are changed within them.
    return datetime.fromtimestamp(said.timestamp() + when.seconds).replace(tzinfo=said.tzinfo)


def _written(moment: datetime) -> str:
    return moment.isoformat() + ("#" if moment.fold else "")


def _read(text: str) -> datetime:
    return datetime.fromisoformat(text.rstrip("#")).replace(fold=int(text.endswith("#")))


def _schedule(path: Path, row: sqlite3.Row) -> Schedule:
    try:
        return Schedule(
            id=row["id"],
            said=_read(row["said"]),
            text=row["text"],
            moment=row["moment"],
            at=_read(row["at"]),
            calls=tuple(Call.from_json(one) for one in json.loads(row["calls"])),
            status=row["status"],
            detail=row["detail"],
            turn=row["turn"],
            days=row["days"],
            confirmed=bool(row["confirmed"]),
            rings=row["rings"],
        )
    except (AttributeError, TypeError, ValueError, QingyuError):
        raise corrupt(path, f"schedule {row['id']}") from None
