"""Every answer on disk as it comes, so that a run that was killed goes on where it was.

    with Journal.open(path, head) as journal:
        journal.answers                       # those that are there already
        journal.append([answer, ...])

JSON lines: the head (what decides the answers), then one answer a line. A line cut short by a
kill is taken off; a head that differs is refused, and so is anything else that is not whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from qingyu.errors import JournalError
from qingyu.prove.benchmarks import LETTERS
from qingyu.prove.exam import Answer
from qingyu.text import pick

FORMAT = 1


class Journal:
    """See the module. Only one process may hold a journal open."""

    def __init__(self, path: Path, file: IO[bytes], answers: dict[tuple[str, int], Answer]) -> None:
        self.path = path
        self.answers = answers
        self._file = file

    @classmethod
    def open(cls, path: Path, head: Mapping[str, Any]) -> Journal:
        """Begin a journal, or go on with one of the same head.

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
            answers = {}
            if lines:
                _check_head(path, _parse(path, 1, lines[0]), wanted)
                for number, line in enumerate(lines[1:], 2):
                    answer = _answer(path, number, _parse(path, number, line))
                    answers[answer.subject, answer.id] = answer
            else:
                file.write(_line(wanted))
                file.flush()
        except BaseException:
            file.close()
            raise
        return cls(path, file, answers)

    def append(self, answers: Iterable[Answer]) -> None:
        """Write answers; they are with the operating system when this returns."""
        for answer in answers:
            self.answers[answer.subject, answer.id] = answer
            self._file.write(_line(asdict(answer)))
        self._file.flush()

    def close(self) -> None:
        os.fsync(self._file.fileno())
        self._file.close()

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
        raise _damaged(path, number) from None


def _damaged(path: Path, number: int) -> JournalError:
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
        raise _damaged(path, 1)
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
        raise _damaged(path, number) from None
    if answer.choice not in ("", *LETTERS) or not isinstance(answer.id, int):
        raise _damaged(path, number)
    return answer
