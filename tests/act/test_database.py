"""The file of the assistant: who may read it, and what is said when something is wrong with it."""

from __future__ import annotations

import errno
import shutil
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from qingyu.act.records.database import Database
from qingyu.errors import RecordsError
from qingyu.models.store import home_folder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "act.sqlite"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with Database(path) as opened:
        yield opened


def insert(database: Database, text: str = "x") -> None:
    with database.write() as transaction:
        transaction.execute("INSERT INTO turns (at, who, text) VALUES ('', 'fast', ?)", [text])


def count(database: Database) -> int:
    return int(database.read("SELECT count(*) FROM turns")[0][0])


def test_lies_in_the_home_folder() -> None:
    with Database.open() as database:
        assert database.path == home_folder() / "act.sqlite"
        assert database.path.is_file()


def test_only_the_owner_can_read_any_of_its_files(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    path.chmod(0o644)
    with Database(path) as database:
        insert(database)
        files = sorted(one.name for one in path.parent.iterdir())
        assert files == ["act.sqlite", "act.sqlite-shm", "act.sqlite-wal"]
        for one in path.parent.iterdir():
            assert stat.S_IMODE(one.stat().st_mode) == 0o600, one


def test_write_ahead_and_every_commit_on_the_disk(database: Database) -> None:
    assert database.read("PRAGMA journal_mode")[0][0] == "wal"
    assert database.read("PRAGMA synchronous")[0][0] == 2


def test_a_failed_write_is_taken_back_whole(database: Database) -> None:
    def fail() -> None:
        with database.write() as transaction:
            transaction.execute("INSERT INTO turns (at, who, text) VALUES ('', 'fast', '')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert count(database) == 0
    insert(database)
    assert count(database) == 1


def test_goes_on_with_what_was_there(path: Path) -> None:
    for number in range(3):
        with Database(path) as database:
            assert count(database) == number
            insert(database)


@pytest.mark.parametrize("bytes", [b"no database at all" * 100, b"SQLite format 3\0" + b"?" * 4000])
def test_no_database(path: Path, bytes: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(bytes)
    with pytest.raises(RecordsError, match=r"act\.sqlite is damaged .* move it away"):
        Database(path)
    assert path.read_bytes() == bytes


def test_damaged_in_the_middle(path: Path) -> None:
    with Database(path) as database:
        for _ in range(200):
            insert(database, "long" * 100)
    whole = bytearray(path.read_bytes())
    whole[9000:60000] = b"\x55" * 51000
    path.write_bytes(whole)
    with pytest.raises(RecordsError, match="is damaged"):
        Database(path)


def test_newer(path: Path, chinese: None) -> None:
    with Database(path):
        pass
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(RecordsError, match="的格式为 99，此版本最高支持 4；请升级"):
        Database(path)


def test_of_another_program(path: Path) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (id)")
    connection.close()
    with pytest.raises(RecordsError, match="of another program"):
        Database(path)


def test_a_full_disk(database: Database) -> None:
    pages = database.read("PRAGMA page_count")[0][0]
    database.read(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(
        RecordsError, match=r"is full \(\d+ bytes are free\), and nothing was written"
    ):
        insert(database, "x" * 100_000)
    assert count(database) == 0
    database.read("PRAGMA max_page_count = 100000")
    insert(database, "x" * 100_000)
    assert count(database) == 1


@pytest.mark.parametrize("errors", ["sqlite", "system"])
def test_a_disk_with_no_room_even_to_begin(
    path: Path, monkeypatch: pytest.MonkeyPatch, errors: str
) -> None:
    """What a memory disk of 200 kB gave when 8 kB of it were left."""

    def fail(*arguments: object, **settings: object) -> None:
        if errors == "system":
            raise OSError(errno.ENOSPC, "No space left on device")
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
        raise error

    usage = shutil.disk_usage(path.parent.parent)._replace(free=8192)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    monkeypatch.setattr(sqlite3, "connect", fail)
    with pytest.raises(RecordsError, match=r"is full \(8192 bytes are free\)"):
        Database(path)


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordsError, match=r"cannot be read and written .*QINGYU_HOME"):
        Database(tmp_path / "file" / "act.sqlite")
    with pytest.raises(RecordsError, match="cannot be read and written"):
        Database(tmp_path)


def test_closed(path: Path) -> None:
    with Database(path) as database:
        pass
    with pytest.raises(RecordsError, match="has been closed"):
        count(database)


def test_held_by_another_process(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qingyu.act.records.database._WAIT", 0.05)
    with Database(path) as one, Database(path) as other, one.write():
        with pytest.raises(RecordsError, match=r"in use by another process for 0\.05 s"):
            insert(other)
        assert count(other) == 0


def test_opened_and_written_by_many_threads_at_once(path: Path) -> None:
    errors = []
    begin = threading.Barrier(6)

    def work() -> None:
        try:
            begin.wait()
            with Database(path) as database:
                for _ in range(5):
                    insert(database)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not errors
    with Database(path) as database:
        assert count(database) == 30
