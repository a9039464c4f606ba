"""What a person taught the assistant: nicknames, preferences, routines. It never leaves.

    memory.nickname("light.desk", "小白", at=now)       # 以后叫它小白
    memory.prefer("climate.bedroom", "temperature", 25, at=now)
    memory.routine("睡觉了", calls, at=now)
    world = memory.extended(world)                      # knows the nicknames now
    memory.list(); memory.forget(3); memory.forget_all()

What is forgotten is overwritten in the file. The journal keeps the words it was taught in until
`Journal.erase`. Does not know whether a routine's calls can be done: the guard decides each time.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from qingyu.act.calls import Call
from qingyu.act.records.database import Database, corrupt
from qingyu.act.world import Scalar, World, plain
from qingyu.errors import InvalidRequestError, QingyuError
from qingyu.text import pick

LONGEST = 40
"""Characters of a name."""
MOST = 1000
"""Things that can be remembered: they are names in the grammar, and make it slower."""


@dataclass(frozen=True, kw_only=True)
class Nickname:
    """about: the id of a device or an area."""

    id: int
    at: datetime
    about: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Preference:
    """about: the id of a device or an area, or "" for the person."""

    id: int
    at: datetime
    about: str
    name: str
    value: Scalar


@dataclass(frozen=True, kw_only=True)
class Routine:
    """name: what one says for the calls."""

    id: int
    at: datetime
    name: str
    calls: tuple[Call, ...]


Memorized = Nickname | Preference | Routine


class Memory:
    """Every method that takes a name raises InvalidRequestError for one that is blank, has more
    than 40 characters or such as cannot be said; and where 1000 things are remembered already."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def nickname(self, about: str, name: str, *, at: datetime) -> Nickname:
        """Another name for a device or area (its id). Given to another one before, it moves."""
        found = self._keep("nickname", about, name, None, at)
        assert isinstance(found, Nickname)
        return found

    def prefer(self, about: str, name: str, value: Scalar, *, at: datetime) -> Preference:
        """How somebody likes something; taught again, the new value counts."""
        found = self._keep("preference", about, name, value, at)
        assert isinstance(found, Preference)
        return found

    def routine(self, name: str, calls: Sequence[Call], *, at: datetime) -> Routine:
        """What to do at a word; taught again, the new calls count."""
        assert calls
        found = self._keep("routine", "", name, [one.as_json() for one in calls], at)
        assert isinstance(found, Routine)
        return found

    def list(self) -> tuple[Memorized, ...]:
        """Everything, in the order it was taught."""
        return self._rows("ORDER BY id")

    def nicknames(self) -> tuple[Nickname, ...]:
        return tuple(one for one in self.list() if isinstance(one, Nickname))

    def preferences(self) -> tuple[Preference, ...]:
        return tuple(one for one in self.list() if isinstance(one, Preference))

    def routine_called(self, name: str) -> Routine | None:
        rows = self._rows("WHERE kind = 'routine' AND plain = ?", plain(_tidy(name)))
        return rows[0] if rows and isinstance(rows[0], Routine) else None

    def forget(self, id: int) -> Memorized:
        """What was forgotten. Raises InvalidRequestError where there is nothing of that number."""
        with self._database.write() as transaction:
            row = transaction.execute("SELECT * FROM memories WHERE id = ?", [id]).fetchone()
            transaction.execute("DELETE FROM memories WHERE id = ?", [id])
        self._database.scrub()
        if row is None:
            raise InvalidRequestError(
                pick(f"nothing is remembered as number {id}", f"没有编号为 {id} 的记忆"), param="id"
            )
        return _memorized(self._database.path, row)

    def forget_all(self) -> int:
        """How many things were forgotten."""
        with self._database.write() as transaction:
            gone = transaction.execute("DELETE FROM memories").rowcount
        self._database.scrub()
        return gone

    def extended(self, world: World) -> World:
        """The household with the nicknames, after the names of its file; those of devices and
        areas that are no more are left out."""
        taught: dict[str, list[str]] = {}
        for one in self.nicknames():
            taught.setdefault(one.about, []).append(one.name)

        def names(about: str, known: tuple[str, ...]) -> tuple[str, ...]:
            had = set(map(plain, known))
            return (*known, *(one for one in taught.get(about, ()) if plain(one) not in had))

        if not taught:
            return world
        return dataclasses.replace(
            world,
            areas=tuple(
                dataclasses.replace(one, names=names(one.id, one.names)) for one in world.areas
            ),
            entities=tuple(
                dataclasses.replace(one, names=names(one.id, one.names)) for one in world.entities
            ),
        )

    def _keep(self, kind: str, about: str, name: str, content: Any, at: datetime) -> Memorized:
        name = _tidy(name)
        with self._database.write() as transaction:
            # Not "OR REPLACE": a nickname that moves has another `about`.
            same = "kind = ? AND plain = ?" + ("" if kind == "nickname" else " AND about = ?")
            key = (kind, plain(name)) if kind == "nickname" else (kind, plain(name), about)
            transaction.execute(f"DELETE FROM memories WHERE {same}", key)
            (many,) = transaction.execute("SELECT count(*) FROM memories").fetchone()
            if many >= MOST:
                raise InvalidRequestError(
                    pick(
                        f"{many} things are remembered already; forget some of them",
                        f"已记住 {many} 条内容；请先忘记一些",
                    )
                )
            row = transaction.execute(
                "INSERT INTO memories (at, kind, about, name, plain, content)"
                " VALUES (?, ?, ?, ?, ?, ?) RETURNING *",
                (
                    at.isoformat(),
                    kind,
                    about,
                    name,
                    plain(name),
                    json.dumps(content, ensure_ascii=False),
                ),
            ).fetchone()
        return _memorized(self._database.path, row)

    def _rows(self, rest: str, *values: str) -> tuple[Memorized, ...]:
        rows = self._database.read(f"SELECT * FROM memories {rest}", values)
        return tuple(_memorized(self._database.path, row) for row in rows)


def _tidy(name: str) -> str:
    """A name in one form and with single spaces. Raises InvalidRequestError."""
    tidy = " ".join(unicodedata.normalize("NFC", name).split())
    strange = any(unicodedata.category(one)[0] == "C" for one in tidy)
    if not tidy or len(tidy) > LONGEST or strange:
        raise InvalidRequestError(
            pick(
                f"{name!r} cannot be a name; take 1 to {LONGEST} characters that can be said",
                f"{name!r} 不能作为名字；请用 1 到 {LONGEST} 个可读的字符",
            ),
            param="name",
        )
    return tidy


def _memorized(path: Path, row: sqlite3.Row) -> Memorized:
    try:
        content = json.loads(row["content"])
        at = datetime.fromisoformat(row["at"])
        id, about, name = row["id"], row["about"], row["name"]
        if row["kind"] == "nickname":
            return Nickname(id=id, at=at, about=about, name=name)
        if row["kind"] == "preference":
            assert isinstance(content, str | int | float | bool)
            return Preference(id=id, at=at, about=about, name=name, value=content)
        calls = tuple(map(Call.from_json, content))
        return Routine(id=id, at=at, name=name, calls=calls)
    except (AssertionError, AttributeError, TypeError, ValueError, QingyuError):
        raise corrupt(path, f"memory {row['id']}") from None
