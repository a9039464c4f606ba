"""Every answer on disk as it comes, so that a run that was killed goes on where it was.

    with Journal.open(path, head) as journal:
        journal.answers                       # those that are there already
        journal.append([answer, ...])

JSON lines: the head (what decides the answers), then one answer a line. A line cut short by a
kill is taken off; a head that differs is refused, and so is anything else that is not whole.
`Lines` is the same for records of any kind.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from qingyu.errors import JournalError
from qingyu.prove.benchmarks import LETTERS
from qingyu.prove.exam import Answer
from qingyu.text import pick

FORMAT = 1


class Lines:
    """Records as they come. Only one process may hold a file open. records: those that were
    there when it was opened, the first one on line 2."""

    def __init__(self, path: Path, file: IO[bytes], records: list[Any]) -> None:
        self.path = path
        self.records = records
        self._file = file

    @classmethod
    def open(cls, path: Path, head: Mapping[str, Any]) -> Lines:
        """Begin a file, or go on with one of the same head.

        Raises JournalError when it belongs to another run (it names what differs), is
        damaged, or is in use.
        """
        wanted = json.loads(json.dumps({"format": FORMAT, **head}))
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
        try:
            _lock(path, file)
            file.seek(0)
            lines = file.read().split(b"\n")
            whole = sum(len(line) + 1 for line in lines[:-1])
            if lines.pop():
                file.truncate(whole)
            if lines:
                _check_head(path, _parse(path, 1, lines[0]), wanted)
            else:
                file.write(_line(wanted))
                file.flush()
            records = [_parse(path, number, line) for number, line in enumerate(lines[1:], 2)]
        except BaseException:
            file.close()
            raise
        return cls(path, file, records)

    def append(self, records: Iterable[Any]) -> None:
        """Write records; they are with the operating system when this returns."""
        for record in records:
            self._file.write(_line(record))
        self._file.flush()

    def close(self) -> None:
        os.fsync(self._file.fileno())
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Journal:
    """See the module. Only one process may hold a journal open."""

    def __init__(self, lines: Lines, answers: dict[tuple[str, int], Answer]) -> None:
        self.path = lines.path
        self.answers = answers
        self._lines = lines

    @classmethod
    def open(cls, path: Path, head: Mapping[str, Any]) -> Journal:
        """As `Lines.open`."""
        lines = Lines.open(path, head)
        try:
            found = [_answer(path, number, one) for number, one in enumerate(lines.records, 2)]
        except BaseException:
            lines.close()
            raise
        return cls(lines, {(one.subject, one.id): one for one in found})

    def append(self, answers: Iterable[Answer]) -> None:
        """Write answers; they are with the operating system when this returns."""
        answers = list(answers)
        self.answers.update({(one.subject, one.id): one for one in answers})
        self._lines.append(map(asdict, answers))

    def close(self) -> None:
        self._lines.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _lock(path: Path, file: IO[bytes]) -> None:
    try:
        import fcntl
    except ImportError:  # Windows has no such lock
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise JournalError(
            pick(
                f"another process writes {path}; wait for it, or choose another --out",
                f"另一个进程正在写 {path}；请等它结束，或换一个 --out",
            )
        ) from None


def _parse(path: Path, number: int, line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise damaged(path, number) from None


def damaged(path: Path, number: int) -> JournalError:
    return JournalError(
        pick(
            f"line {number} of {path} is damaged; begin anew with --restart,"
            " or choose another --out",
            f"{path} 第 {number} 行已损坏；请用 --restart 重新开始，或换一个 --out",
        )
    )


def _check_head(path: Path, found: Any, wanted: Mapping[str, Any]) -> None:
    if found == wanted:
        return
    if not isinstance(found, dict):
        raise damaged(path, 1)
    names = [name for name in {**wanted, **found} if found.get(name) != wanted.get(name)]
    parts = [_difference(name, found.get(name), wanted.get(name)) for name in names]
    differs = "; ".join(parts)
    raise JournalError(
        pick(
            f"{path} is of another run: {differs}; choose another --out, or begin anew with"
            " --restart",
            f"{path} 属于另一次运行：{differs}；请换一个 --out，或用 --restart 重新开始",
        )
    )


def _difference(name: str, found: Any, wanted: Any) -> str:
    if isinstance(found, dict) and isinstance(wanted, dict):
        inner = [key for key in {**wanted, **found} if found.get(key) != wanted.get(key)]
        return ", ".join(_difference(f"{name}.{k}", found.get(k), wanted.get(k)) for k in inner)
    texts = [json.dumps(one, ensure_ascii=False) for one in (found, wanted)]
    short = [text if len(text) <= 70 else text[:67] + "..." for text in texts]
    return pick(
        f"{name} {short[0]} there, {short[1]} now", f"{name} 原为 {short[0]}，现为 {short[1]}"
    )


def _answer(path: Path, number: int, fields: Any) -> Answer:
    try:
        if fields["log_probs"] is not None:
            a, b, c, d = map(float, fields["log_probs"])
            fields["log_probs"] = (a, b, c, d)
        answer = Answer(**fields)
    except (TypeError, ValueError, KeyError):
        raise damaged(path, number) from None
    if answer.choice not in ("", *LETTERS) or not isinstance(answer.id, int):
        raise damaged(path, number)
    return answer
