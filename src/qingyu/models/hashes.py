"""SHA-256 of files, and the stamp that tells whether a file may have changed since.

    digest, stamp = hash_file(path, progress=print)
    digest = cached_hash(path, cache)   # remembered as long as the stamp is the same

A stamp is size, time of modification and inode. A file whose stamp is unchanged is taken for
unchanged: that catches damage, replacement and mistakes, not an attacker who can write here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qingyu.errors import ModelFileError, ModelNotFoundError
from qingyu.text import pick

# Called with what is going on ("download", "verify", "extract", ...), bytes done, and bytes in
# all, or None when that is not known.
Progress = Callable[[str, int, int | None], None]

_BLOCK = 1 << 20
_CACHED_FILES = 256


def no_progress(stage: str, done: int, total: int | None) -> None:
    """For whoever does not want to hear about progress."""


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """What a file system says of a file: bytes, nanoseconds since 1970, inode."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        return cls(size=status.st_size, mtime_ns=status.st_mtime_ns, inode=status.st_ino)

    @classmethod
    def of_path(cls, path: Path) -> Stamp:
        return cls.of(path.stat())

    @classmethod
    def from_json(cls, fields: Any) -> Stamp | None:
        """The stamp of a decoded JSON object, or None when it is not one."""
        if not isinstance(fields, dict):
            return None
        size, mtime_ns, inode = (fields.get(name) for name in ("size", "mtime_ns", "inode"))
        if not (isinstance(size, int) and isinstance(mtime_ns, int) and isinstance(inode, int)):
            return None
        return cls(size=size, mtime_ns=mtime_ns, inode=inode)


def hash_file(path: Path, *, progress: Progress = no_progress) -> tuple[str, Stamp]:
    """SHA-256 in hexadecimal of a whole file, and the stamp it had.

    Raises ModelNotFoundError when there is none, ModelFileError when it changed meanwhile or
    cannot be read.
    """
    try:
        with path.open("rb", buffering=0) as file:
            before = Stamp.of(os.fstat(file.fileno()))
            digest = hashlib.sha256()
            done = 0
            progress("verify", 0, before.size)
            # One byte more than there was: a file that grows meanwhile is noticed, not followed.
            while block := file.read(min(_BLOCK, before.size + 1 - done)):
                digest.update(block)
                done += len(block)
                progress("verify", done, before.size)
            after = Stamp.of(os.fstat(file.fileno()))
    except FileNotFoundError:
        raise ModelNotFoundError(pick(f"there is no file {path}", f"没有文件 {path}")) from None
    except OSError as error:
        raise ModelFileError(
            pick(f"cannot read {path}: {error.strerror}", f"无法读取 {path}：{error.strerror}")
        ) from error
    if before != after or done != before.size:
        raise ModelFileError(
            pick(
                f"{path} changed while it was read; wait until whatever writes it is done",
                f"{path} 在读取时发生变化；请等写入它的程序结束",
            )
        )
    return digest.hexdigest(), after


def write_atomically(path: Path, text: str) -> None:
    """Write a small text file so that readers see the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder last through a power cut, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_json(path: Path) -> Any:
    """The decoded JSON of a file, or None when it is missing or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def cached_hash(path: Path, cache: Path, *, progress: Progress = no_progress) -> str:
    """SHA-256 of a file, remembered in the JSON file `cache` as long as its stamp is the same.

    Raises as `hash_file`. A cache that cannot be read or written costs time, nothing else.
    """
    try:
        stamp = Stamp.of_path(path)
    except OSError:
        stamp = None
    key = str(path.resolve())
    stored = read_json(cache)
    entries: dict[str, Any] = stored if isinstance(stored, dict) else {}
    entry = entries.get(key)
    if stamp is not None and isinstance(entry, dict) and Stamp.from_json(entry) == stamp:
        digest = entry.get("sha256")
        if isinstance(digest, str) and len(digest) == 64:
            return digest
    digest, stamp = hash_file(path, progress=progress)
    entries.pop(key, None)
    entries[key] = {**asdict(stamp), "sha256": digest}
    newest = dict(list(entries.items())[-_CACHED_FILES:])
    with contextlib.suppress(OSError):
        write_atomically(cache, json.dumps(newest, indent=1))
    return digest
