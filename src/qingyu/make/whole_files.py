"""Files and folders that appear whole or not at all.

    with new_file(Path("model.gguf"), size=1 << 30) as file:
        file.write(...)

Written beside the target, synced, renamed. What is there already is not replaced; what was begun
and failed leaves nothing, and what a killed process left is removed by the next one that writes
the same target (it is locked while somebody writes it). Knows nothing of what is written.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from qingyu.errors import DiskSpaceError, InvalidRequestError
from qingyu.models.hashes import sync_folder
from qingyu.text import pick


@contextmanager
def new_file(path: Path, *, size: int = 0) -> Iterator[BinaryIO]:
    """A file to write to, at `path` once the block has ended without an exception.

    size: bytes it will have, compared with the free disk before the first is written. Raises
    InvalidRequestError when there is something at `path` or no folder to write to,
    DiskSpaceError.
    """
    temporary = _prepare(path, size)
    try:
        with _plainly(path), temporary.open("xb") as file, _held(temporary):
            yield file
            file.flush()
            os.fsync(file.fileno())
            _refuse_existing(path)
            file.close()  # before the rename: Windows wants that
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


@contextmanager
def new_folder(path: Path, *, size: int = 0) -> Iterator[Path]:
    """A folder to fill, at `path` once the block has ended. Raises as `new_file`."""
    temporary = _prepare(path, size)
    try:
        with _plainly(path):
            temporary.mkdir()
            with _held(temporary):
                yield temporary
                for file in temporary.iterdir():
                    with file.open("rb") as written:
                        os.fsync(written.fileno())
                sync_folder(temporary)
                _refuse_existing(path)
                os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    sync_folder(path.parent)


def _prepare(path: Path, size: int) -> Path:
    _refuse_existing(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_left(path)
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise _unwritable(path, error) from error
    if free < size:
        raise _no_room(path, size, free)
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")


def _remove_left(path: Path) -> None:
    """Remove what killed processes began at this target: what nobody holds a lock on."""
    begun = re.compile(rf"\.{re.escape(path.name)}\.\d+-[0-9a-f]{{8}}")
    for left in [one for one in path.parent.iterdir() if begun.fullmatch(one.name)]:
        with suppress(OSError), _held(left) as free:
            if free:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


@contextmanager
def _held(path: Path) -> Iterator[bool]:
    """Lock a file or folder within the block; gives False when another process has."""
    try:
        import fcntl
    except ImportError:  # Windows has no such locks, and what was left stays
        yield False
        return
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _refuse_existing(path: Path) -> None:
    if os.path.lexists(path):
        raise InvalidRequestError(
            pick(
                f"{path} exists; choose another name or remove it",
                f"{path} 已存在；请换一个名字或将其删除",
            )
        )


@contextmanager
def _plainly(path: Path) -> Iterator[None]:
    """What the system says about writing, as an error for people."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_room(path, None, shutil.disk_usage(path.parent).free) from error
        raise _unwritable(path, error) from error


def _no_room(path: Path, size: int | None, free: int) -> DiskSpaceError:
    needed = f"{size:,}" if size is not None else pick("more", "更多")
    return DiskSpaceError(
        pick(
            f"{path} needs {needed} bytes and {free:,} are free; make room or choose another disk",
            f"{path} 需要 {needed} 字节，只剩 {free:,} 字节；请腾出空间或换一个磁盘",
        )
    )


def _unwritable(path: Path, error: OSError) -> InvalidRequestError:
    return InvalidRequestError(
        pick(f"cannot write {path}: {error.strerror}", f"无法写入 {path}：{error.strerror}")
    )
