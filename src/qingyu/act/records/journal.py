"""What was done: every call that was carried out, why, and how things were before and after.

    turn = journal.turn(who="fast", text="打开台灯", at=now)
    entry = journal.begin(turn, call, before, expected)    # on the disk before a device is told
    journal.finish(entry, before, after)                   # and before the reply says so
    [step.call for step in journal.list(limit=20)]         # the newest first

A call that was begun and never finished is one that may have happened: the process was ended in
between. What leads back is planned in `qingyu.act.records.undo`; nothing here touches a device.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

from qingyu.act.calls import Call
from qingyu.act.records.database import Database, corrupt
from qingyu.act.records.undo import Undo, plan
from qingyu.act.state import Changes, State, changes
from qingyu.act.values import frozen, thawed
from qingyu.act.world import World
from qingyu.errors import InvalidRequestError, QingyuError
from qingyu.text import pick

Who = Literal["fast", "model", "schedule", "undo"]
Outcome = Literal["begun", "done", "failed"]
MOST = 1000
"""The longest list given at once."""
KEPT = 10_000
"""Turns that are kept; a home has some dozens a day."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What somebody said, or a schedule that fired. undone_by: the turn that took it back."""

    id: int
    at: datetime
    who: Who
    text: str
    undone_by: int | None = None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One call. before, after: of what it changed; expected ones while it is only "begun"."""

    id: int
    turn: Turn
    call: Call
    before: Changes
    after: Changes
    outcome: Outcome
    detail: str = ""


class Journal:
    def __init__(self, database: Database) -> None:
        self._database = database

    def turn(self, *, who: Who, text: str, at: datetime) -> Turn:
        """A new turn, for calls and schedules to belong to; the oldest are forgotten for it. at:
        local time."""
        assert who in get_args(Who), who
        with self._database.write() as transaction:
            row = transaction.execute(
                "INSERT INTO turns (at, who, text) VALUES (?, ?, ?)", (at.isoformat(), who, text)
            )
            transaction.execute("DELETE FROM turns WHERE id <= ?", [(row.lastrowid or 0) - KEPT])
        assert row.lastrowid is not None
        return Turn(id=row.lastrowid, at=at, who=who, text=text)

    def begin(self, turn: Turn, call: Call, before: State, expected: State) -> int:
        """Write down what is about to be done, and give the entry's number.

        expected: how the simulator says that things will be.
        """
        return self._write(turn, call, before, expected, "begun")

    def record(self, turn: Turn, call: Call, before: State, after: State) -> int:
        """`begin` and `finish` in one, for a device that answers at once as the simulator does."""
        return self._write(turn, call, before, after, "done")

    def finish(
        self, entry: int, before: State, after: State, *, failed: bool = False, detail: str = ""
    ) -> None:
        """What became of an entry. after: what is so now, also where the device failed halfway.

        Raises InvalidRequestError for an entry that is not begun.
        """
        outcome = "failed" if failed else "done"
        old, new = _patches(before, after)
        with self._database.write() as transaction:
            row = transaction.execute(
                "SELECT call, before FROM calls WHERE id = ? AND outcome = 'begun'", [entry]
            ).fetchone()
            if row is not None:
                # What changed elsewhere meanwhile was somebody else's doing.
                touched = {*json.loads(row["before"]), json.loads(row["call"])["entity"]}
                old, new = ({id: one[id] for id in one if id in touched} for one in (old, new))
                transaction.execute(
                    "UPDATE calls SET before = ?, after = ?, outcome = ?, detail = ? WHERE id = ?",
                    (_packed(old), _packed(new), outcome, detail, entry),
                )
        if row is None:
            raise InvalidRequestError(
                pick(f"no call {entry} was begun", f"没有已开始的动作 {entry}"), param="entry"
            )

    def _write(self, turn: Turn, call: Call, before: State, after: State, outcome: Outcome) -> int:
        old, new = _patches(before, after)
        packed = json.dumps(call.as_json(), ensure_ascii=False)
        with self._database.write() as transaction:
            row = transaction.execute(
                "INSERT INTO calls (turn, call, before, after, outcome, detail)"
                " VALUES (?, ?, ?, ?, ?, '')",
                (turn.id, packed, _packed(old), _packed(new), outcome),
            )
        assert row.lastrowid is not None
        return row.lastrowid

    def list(self, *, limit: int = 20, before: int | None = None) -> tuple[Entry, ...]:
        """The newest entries first. before: only those earlier than this entry.

        Raises InvalidRequestError for a limit that is not 1 to 1000.
        """
        if not 1 <= limit <= MOST:
            raise InvalidRequestError(
                pick(
                    f"limit is {limit}; it may be 1 to {MOST}",
                    f"limit 为 {limit}；可取 1 到 {MOST}",
                ),
                param="limit",
            )
        where, values = ("WHERE calls.id < ?", [before]) if before is not None else ("", [])
        return self._entries(f"{where} ORDER BY calls.id DESC LIMIT ?", [*values, limit])

    def unfinished(self) -> tuple[Entry, ...]:
        """Calls begun and never finished, the oldest first: after a restart, these may have
        happened."""
        return self._entries("WHERE calls.outcome = 'begun' ORDER BY calls.id", [])

    def last(self) -> Turn | None:
        """The latest turn that did or planned something and was not taken back."""
        rows = self._database.read(
            "SELECT turns.* FROM turns WHERE who != 'undo' AND undone_by IS NULL AND ("
            " EXISTS (SELECT 1 FROM calls WHERE turn = turns.id AND after != '{}')"
            " OR EXISTS (SELECT 1 FROM schedules WHERE turn = turns.id AND status = 'pending'))"
            " ORDER BY id DESC LIMIT 1"
        )
        return _turn(self._database.path, rows[0]) if rows else None

    def undo(self, world: World, now: State) -> Undo | None:
        """What leads back to before the last turn; None where there is no such turn.

        Nothing is done: carry the calls out through the guard, cancel the schedules, and then
        call `undone`. Until then the same turn is the last one.
        """
        turn = self.last()
        if turn is None:
            return None
        steps = self._entries("WHERE calls.turn = ? ORDER BY calls.id", [turn.id])
        schedules = self._database.read(
            "SELECT id FROM schedules WHERE turn = ? AND status = 'pending' ORDER BY id", [turn.id]
        )
        return plan(
            world,
            now,
            [(step.before, step.after) for step in steps],
            turn=turn.id,
            text=turn.text,
            schedules=tuple(row["id"] for row in schedules),
        )

    def undone(self, turn: int, *, by: Turn) -> None:
        """A turn was taken back, as far as it could be; the one before it is the last now."""
        with self._database.write() as transaction:
            transaction.execute("UPDATE turns SET undone_by = ? WHERE id = ?", (by.id, turn))

    def erase(self, *, before: datetime | None = None) -> int:
        """Forget turns and their calls for good, all or those earlier; how many turns went.

        Schedules stay, with the words they were asked for in.
        """
        with self._database.write() as transaction:
            until = before.isoformat() if before else "~"
            gone = transaction.execute("DELETE FROM turns WHERE at < ?", (until,)).rowcount
        self._database.scrub()
        return gone

    def _entries(self, rest: str, values: Sequence[Any]) -> tuple[Entry, ...]:
        rows = self._database.read(
            "SELECT calls.*, turns.at, turns.who, turns.text, turns.undone_by"
            f" FROM calls JOIN turns ON turns.id = calls.turn {rest}",
            values,
        )
        return tuple(_entry(self._database.path, row) for row in rows)


def _patches(before: State, after: State) -> tuple[Changes, Changes]:
    """The old and the new values of all that differs, also of what devices keep in mind."""
    new = changes(before, after, memory=True)
    old = {id: {key: before.entities[id][key] for key in values} for id, values in new.items()}
    return old, new


def _packed(patch: Changes) -> str:
    bare = {
        id: {key: thawed(value) for key, value in values.items()} for id, values in patch.items()
    }
    return json.dumps(bare, ensure_ascii=False)


def _unpacked(text: str) -> Changes:
    saved = json.loads(text)
    assert isinstance(saved, Mapping)
    return {id: {key: frozen(one) for key, one in values.items()} for id, values in saved.items()}


def _turn(path: Path, row: sqlite3.Row, id: str = "id") -> Turn:
    try:
        return Turn(
            id=row[id],
            at=datetime.fromisoformat(row["at"]),
            who=row["who"],
            text=row["text"],
            undone_by=row["undone_by"],
        )
    except (TypeError, ValueError):
        raise corrupt(path, f"turn {row[id]}") from None


def _entry(path: Path, row: sqlite3.Row) -> Entry:
    try:
        return Entry(
            id=row["id"],
            turn=_turn(path, row, "turn"),
            call=Call.from_json(json.loads(row["call"])),
            before=_unpacked(row["before"]),
            after=_unpacked(row["after"]),
            outcome=row["outcome"],
            detail=row["detail"],
        )
    except (AssertionError, AttributeError, TypeError, ValueError, QingyuError):
        raise corrupt(path, f"call {row['id']}") from None
