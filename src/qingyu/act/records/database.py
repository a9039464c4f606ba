"""The one file in which the assistant keeps things: what it did, will do, and was taught.

    with Database.open() as database:              # $QINGYU_HOME/act.sqlite
        with database.write() as transaction:      # all of it or nothing, on the disk afterwards
            transaction.execute("...")

SQLite in write-ahead mode, readable by its owner only. What was committed survives kill -9 and
a power cut. One object may be used by many threads, one file by several processes. Knows no
tables but their history: `_VERSIONS`.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from qingyu.errors import RecordsError
from qingyu.models.store import home_folder
from qingyu.text import pick

_APPLICATION = 0x51594143
"""Marks the file as ours: "QYAC"."""
_WAIT = 5.0
"""Seconds to wait for another process that writes."""
_CREATING = threading.Lock()
"""A process loses all its locks on a file when it closes any descriptor of it: SQLite must not
have it open while we make it."""
_ROOM = 1 << 17
"""Bytes without which SQLite cannot begin."""

_VERSIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE turns (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at TEXT NOT NULL,
            who TEXT NOT NULL,
            text TEXT NOT NULL,
            undone_by INTEGER)""",
        """CREATE TABLE calls (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            turn INTEGER NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
            call TEXT NOT NULL,
            before TEXT NOT NULL,
            after TEXT NOT NULL,
            outcome TEXT NOT NULL,
            detail TEXT NOT NULL)""",
        "CREATE INDEX calls_of_turn ON calls (turn)",
        # due: seconds since 1970, so that a change to summer time moves nothing.
        """CREATE TABLE schedules (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            turn INTEGER REFERENCES turns (id) ON DELETE SET NULL,
            said TEXT NOT NULL,
            text TEXT NOT NULL,
            moment TEXT NOT NULL,
            at TEXT NOT NULL,
            due REAL NOT NULL,
            calls TEXT NOT NULL,
            status TEXT NOT NULL,
            owner TEXT NOT NULL DEFAULT '',
            detail TEXT NOT NULL DEFAULT '',
            told INTEGER NOT NULL DEFAULT 0)""",
        "CREATE INDEX schedules_by_status ON schedules (status, due)",
        """CREATE TABLE memories (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at TEXT NOT NULL,
            kind TEXT NOT NULL,
            about TEXT NOT NULL,
            name TEXT NOT NULL,
            plain TEXT NOT NULL,
            content TEXT NOT NULL,
            UNIQUE (kind, about, plain))""",
    ),
    ("ALTER TABLE schedules ADD COLUMN days TEXT NOT NULL DEFAULT 'once'",),
    (
        # Until now every schedule counted as one that got its yes.
        "ALTER TABLE schedules ADD COLUMN confirmed INTEGER NOT NULL DEFAULT 1",
        "CREATE INDEX schedules_of_turn ON schedules (turn)",
    ),
    # rings: which entry of a timer, an alarm, a reminder or a calendar it is for.
    ("ALTER TABLE schedules ADD COLUMN rings TEXT NOT NULL DEFAULT ''",),
)
"""The statements that lead from each version of the file to the next; never changed, only added."""


class Database:
    """An open file. Raises RecordsError whatever goes wrong with it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _CREATING:
                if not path.exists():
                    # SQLite gives the files it lays beside this one the same permissions.
                    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
                path.chmod(0o600)
                self._connection = sqlite3.connect(
                    path, timeout=_WAIT, isolation_level=None, check_same_thread=False
                )
        try:
            with self._explained():
                self._prepare_patiently()
        except BaseException:
            self._connection.close()
            raise

    @classmethod
    def open(cls, path: Path | None = None) -> Database:
        """The file of this user, made where there is none. path: another one, for a test."""
        return cls(path or home_folder() / "act.sqlite")

    def _prepare_patiently(self) -> None:
        """Where others open or close the file at this moment, SQLite does not wait by itself."""
        deadline = time.monotonic() + _WAIT
        while True:
            try:
                return self._prepare()
            except sqlite3.OperationalError as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _prepare(self) -> None:
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.execute("PRAGMA secure_delete = ON")  # what is forgotten is overwritten
        # In one transaction: another process may be making the file at this moment.
        self._connection.execute("BEGIN")
        self._check_version()
        self._connection.execute("COMMIT")
        damage = [row[0] for row in self._connection.execute("PRAGMA quick_check(1)")]
        if damage != ["ok"]:
            raise _damaged(self.path, damage[0])
        if self._connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise RecordsError(
                pick(
                    f"{self.path}: this file system cannot keep a write-ahead log; set QINGYU_HOME"
                    " to a folder on a local disk",
                    f"{self.path}：此文件系统不支持预写日志；"
                    "请将 QINGYU_HOME 设为本地磁盘上的文件夹",
                )
            )
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("BEGIN IMMEDIATE")
        for statements in _VERSIONS[self._check_version() :]:
            for statement in statements:
                self._connection.execute(statement)
        self._connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        self._connection.execute(f"PRAGMA user_version = {len(_VERSIONS)}")
        self._connection.execute("COMMIT")

    def _check_version(self) -> int:
        """The version of the file; 0 for an empty one."""
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application != _APPLICATION and (application or version or tables):
            raise RecordsError(
                pick(
                    f"{self.path} is the database of another program; move it away",
                    f"{self.path} 是其他程序的数据库；请将它移走",
                )
            )
        if version > len(_VERSIONS):
            raise RecordsError(
                pick(
                    f"{self.path} has format {version}, and this Qingyu knows up to"
                    f" {len(_VERSIONS)}; update Qingyu, or move the file away to begin anew",
                    f"{self.path} 的格式为 {version}，此版本最高支持 {len(_VERSIONS)}；"
                    "请升级 Qingyu，或移走该文件以重新开始",
                )
            )
        assert isinstance(version, int)
        return version

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction no other thread or process can come between; on the disk when it ends.

        An exception inside takes all of it back.
        """
        with self._lock, self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk may have rolled back by itself
                    self._connection.execute("ROLLBACK")
                raise

    def read(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._lock, self._explained():
            return self._connection.execute(query, values).fetchall()

    def scrub(self) -> None:
        """Let nothing of deleted rows be left in the log beside the file."""
        with self._lock, self._explained():
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.ProgrammingError as error:
            if "closed" not in str(error):
                raise  # a bug of ours
            raise RecordsError(
                pick(f"{self.path} has been closed", f"{self.path} 已关闭")
            ) from error
        except sqlite3.DatabaseError as error:
            raise _explained(self.path, error) from error
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise _full(self.path, _free(self.path)) from error
            raise _unusable(self.path, error.strerror or str(error)) from error


def corrupt(path: Path, row: str) -> RecordsError:
    """The error for a row that is none of ours, as "schedule 3"."""
    return _damaged(path, row)


def _damaged(path: Path, detail: str) -> RecordsError:
    return RecordsError(
        pick(
            f"{path} is damaged ({detail}); move it away or bring back a copy of it. Without it the"
            " history, schedules and everything taught are gone",
            f"{path} 已损坏（{detail}）；请将它移走或恢复备份。"
            "没有它，历史、定时任务和教过的内容都会丢失",
        )
    )


def _free(path: Path) -> int:
    """Bytes that are free on the disk of a file."""
    try:
        return shutil.disk_usage(path.parent).free
    except OSError:
        return _ROOM


def _full(path: Path, free: int) -> RecordsError:
    return RecordsError(
        pick(
            f"the disk of {path} is full ({free} bytes are free), and nothing was written; make"
            " room",
            f"{path} 所在磁盘已满（剩余 {free} 字节），未写入任何内容；请腾出空间",
        )
    )


def _unusable(path: Path, detail: str) -> RecordsError:
    return RecordsError(
        pick(
            f"{path} cannot be read and written ({detail}); check its permissions and disk, or set"
            " QINGYU_HOME to another folder",
            f"无法读写 {path}（{detail}）；请检查权限和磁盘，或将 QINGYU_HOME 设为其他文件夹",
        )
    )


def _explained(path: Path, error: sqlite3.DatabaseError) -> RecordsError:
    # The low byte is the kind of error, what is above it the detail.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(path, str(error))
    # Where not even the shared index beside it can grow, SQLite speaks of an I/O error.
    free = _free(path)
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and free < _ROOM):
        return _full(path, free)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return RecordsError(
            pick(
                f"{path} was in use by another process for {_WAIT:g} s; try again",
                f"{path} 被其他进程占用超过 {_WAIT:g} 秒；请重试",
            )
        )
    return _unusable(path, str(error))
