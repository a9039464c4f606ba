"""Starts the workers of `_workers.py` and talks to them.

with Worker("qingyu", python) as worker:
    worker.ask("load", path=str(path), threads=2, context=1024)["seconds"]
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

WORKERS = Path(__file__).with_name("_workers.py")


class EngineError(Exception):
    """The engine could not do what was asked; the message is its own."""


class Worker:
    """One engine in a process of its own, ready when the constructor returns."""

    def __init__(self, engine: str, python: Path, *, log: Path | None = None) -> None:
        self.engine = engine
        self.loaded: dict[str, Any] = {}
        with open(log or os.devnull, "ab") as errors:
            self.process = subprocess.Popen(
                [str(python), str(WORKERS), engine],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        try:
            self.started = self._answer()
        except EngineError:
            self.close()
            raise

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """One request, and its answer with the memory it left behind. Raises EngineError."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
        except OSError as error:
            raise EngineError(f"{self.engine} is gone: {error}") from None
        return self._answer()

    def cpu_seconds(self) -> float:
        """Processor time the process has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process.wait()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise EngineError(f"{self.engine} ended with code {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise EngineError(answer["error"])
        return answer
