"""The file of a receipt: JSON that carries the SHA-256 of everything else in it.

    write(folder, record)                     # receipt.json, with the hash
    record = read(path)                       # raises when one value was changed

The hash is over the record without `sha256`, as canonical JSON: sorted keys, no spaces, UTF-8,
numbers as Python's `repr`. It names the receipt and shows every change; it is no signature, for
whoever changes a number can compute a new hash. What shows that is measuring again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qingyu.errors import JournalError
from qingyu.models.hashes import write_atomically
from qingyu.text import pick

FORMAT = 1
KIND = "receipt"
NAME = "receipt.json"
# A receipt of both whole benchmarks and a reference has about 4 MB.
_MOST_BYTES = 64 << 20

Record = dict[str, Any]


def digest(record: Mapping[str, Any]) -> str:
    """SHA-256 in hexadecimal of a record without its `sha256`."""
    rest = {key: value for key, value in record.items() if key != "sha256"}
    text = json.dumps(
        rest, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def sealed(record: Mapping[str, Any]) -> Record:
    """The record as its file has it: what JSON makes of it, with its hash."""
    plain: Record = json.loads(json.dumps({"format": FORMAT, "kind": KIND, **record}))
    plain["sha256"] = digest(plain)
    return plain


def write(folder: Path, record: Record) -> Path:
    """Write a sealed record, whole or not at all; the file's path."""
    assert record["sha256"] == digest(record)
    path = folder / NAME
    write_atomically(path, json.dumps(record, indent=1) + "\n")
    return path


def read(path: Path) -> Record:
    """A record whose hash is right; path: a receipt.json or the folder it lies in.

    Raises JournalError when it is missing, no receipt, or was changed.
    """
    if path.is_dir():
        path = path / NAME
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise not_sound(path, "64 MiB")
        record = json.loads(
            path.read_text(encoding="utf-8"), object_pairs_hook=_once, parse_constant=_no_number
        )
        found = digest(record) if isinstance(record, dict) else ""
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise not_sound(path, str(error)) from None
    if not isinstance(record, dict) or record.get("kind") != KIND:
        raise not_sound(path, "kind")
    if record.get("sha256") != found:
        raise JournalError(
            pick(
                f"{path} was changed: it says its SHA-256 is {record.get('sha256')}, but what it"
                f" holds has {found}",
                f"{path} 被改动过：它自称 SHA-256 为 {record.get('sha256')}，实际内容为 {found}",
            )
        )
    if record.get("format") != FORMAT:
        raise JournalError(
            pick(
                f"{path} is a receipt of format {record.get('format')}, this program reads"
                f" {FORMAT}; check it with version {_version(record)}",
                f"{path} 的格式为 {record.get('format')}，此程序只读 {FORMAT}；"
                f"请用 {_version(record)} 版核对",
            )
        )
    return record


def not_sound(path: Path, why: str) -> JournalError:
    """What is raised for a file that is no receipt."""
    return JournalError(
        pick(f"{path} is no receipt of qingyu ({why})", f"{path} 不是轻语的收据（{why}）")
    )


def _version(record: Mapping[str, Any]) -> str:
    program = record.get("program")
    return str(program.get("version", "?")) if isinstance(program, dict) else "?"


def _once(pairs: list[tuple[str, Any]]) -> Record:
    """An object, refused when it names something twice: readers would differ in which counts."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(name)
