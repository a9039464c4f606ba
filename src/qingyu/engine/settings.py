"""How the engine runs on this machine: threads, instruction set, tokens per forward.

    EngineSettings.from_environment(threads=None).threads

`QINGYU_THREADS` and `QINGYU_ISA` are read here and nowhere else. This module does not know
models.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from qingyu.errors import InvalidRequestError
from qingyu.text import pick

MAX_THREADS = 1024


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """Settings of the machine, not of a model or a request.

    threads: threads of the forward pass; default the physical cores this process may use.
    instruction_set: one of `_native.instruction_sets()`, or "" for the best.
    chunk_tokens: most prompt tokens in one forward; cancelling takes effect between forwards.
    """

    threads: int
    instruction_set: str = ""
    chunk_tokens: int = 512

    def __post_init__(self) -> None:
        if not 1 <= self.threads <= MAX_THREADS:
            raise InvalidRequestError(
                pick(
                    f"threads is {self.threads}; it must be 1 to {MAX_THREADS}",
                    f"threads 为 {self.threads}；应在 1 到 {MAX_THREADS} 之间",
                )
            )
        if self.chunk_tokens < 1:
            raise InvalidRequestError(
                pick(
                    f"chunk_tokens is {self.chunk_tokens}; it must be at least 1",
                    f"chunk_tokens 为 {self.chunk_tokens}；至少为 1",
                )
            )

    @classmethod
    def from_environment(cls, *, threads: int | None = None) -> EngineSettings:
        """What was asked for, else `QINGYU_THREADS` and `QINGYU_ISA`, else the machine's.

        Raises InvalidRequestError for a variable that is not a number in range; whether the
        machine has the instruction set is checked when the model is loaded.
        """
        if threads is None:
            text = os.environ.get("QINGYU_THREADS", "").strip()
            if text:
                # int() would also take "1_0" and Arabic digits; a setting should be plain.
                if not (text.isascii() and text.isdigit()):
                    raise InvalidRequestError(
                        pick(
                            f"QINGYU_THREADS is {text!r}; it must be a number"
                            f" from 1 to {MAX_THREADS}",
                            f"QINGYU_THREADS 为 {text!r}；应为 1 到 {MAX_THREADS} 之间的数",
                        )
                    )
                threads = int(text)
            else:
                threads = usable_cores()
        return cls(threads=threads, instruction_set=os.environ.get("QINGYU_ISA", "").strip())


def usable_cores(*, sys: Path = Path("/sys"), proc: Path = Path("/proc")) -> int:
    """Physical cores this process may use: its affinity, two hardware threads of a core
    counted once, and no more than its control group's processor quota."""
    try:
        allowed = sorted(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # not Linux
        return max(1, os.cpu_count() or 1)
    cores: set[str] = set()
    for cpu in allowed:
        try:
            siblings = sys / f"devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
            cores.add(siblings.read_text().strip())
        except OSError:
            cores.add(f"cpu{cpu}")
    quota = _cgroup_quota(sys, proc)
    return max(1, len(cores) if quota is None else min(len(cores), int(quota)))


def _cgroup_quota(sys: Path, proc: Path) -> float | None:
    """Processors' worth of time this control group and those above it may use; None: no bound.

    Version 2 has `cpu.max` ("quota period" or "max period"), version 1 two files of the
    `cpu` controller (kernel documentation, admin-guide/cgroup-v2.rst and scheduler/sched-bwc).
    """
    try:
        lines = (proc / "self/cgroup").read_text().splitlines()
    except OSError:
        return None
    smallest: float | None = None
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controllers == "":
            root = sys / "fs/cgroup"
        elif "cpu" in controllers.split(","):
            root = sys / "fs/cgroup" / controllers
        else:
            continue
        folder = root / group.lstrip("/")
        # A container often sees its own group mounted as the root: missing folders are skipped.
        for place in (folder, *folder.parents):
            quota = _read_quota(place)
            if quota is not None:
                smallest = quota if smallest is None else min(smallest, quota)
            if place == root:
                break
    return smallest


def _read_quota(folder: Path) -> float | None:
    try:
        words = (folder / "cpu.max").read_text().split()
    except OSError:
        try:
            words = [
                (folder / name).read_text().strip()
                for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            ]
        except OSError:
            return None
    try:
        quota, period = float(words[0]), float(words[1])
    except (IndexError, ValueError):  # "max"
        return None
    return quota / period if quota > 0 and period > 0 else None
