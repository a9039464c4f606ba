"""What this machine is and what it can do, as far as running models goes.

    machine = survey()
    machine.instruction_sets, machine.bandwidth

Measuring takes about a second. Knows nothing of models.
"""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from qingyu import _native
from qingyu.engine.settings import EngineSettings

# Larger than any cache, so that what is measured is memory.
_BANDWIDTH_BYTES = 256 << 20


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Memory in bytes, bandwidth in bytes per second, peak in operations per second.

    threads: what Qingyu uses unless told otherwise.
    instruction_sets: those of Qingyu's kernels that run here, best first.
    """

    system: str
    processor: str
    logical_cores: int
    threads: int
    instruction_sets: tuple[str, ...]
    memory_bytes: int
    available_bytes: int
    bandwidth: float
    int8_peak: float


def survey(*, threads: int | None = None, seconds: float = 0.4) -> Machine:
    """Look at the machine and measure it, `seconds` for each of two probes.

    Raises InvalidRequestError for a bad QINGYU_THREADS.
    """
    used = EngineSettings.from_environment(threads=threads).threads
    total, available = _memory()
    return Machine(
        system=f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        processor=processor(),
        logical_cores=os.cpu_count() or 1,
        threads=used,
        instruction_sets=tuple(_native.instruction_sets()),
        memory_bytes=total,
        available_bytes=available,
        bandwidth=_native.measure_read_bandwidth(_BANDWIDTH_BYTES, used, seconds),
        int8_peak=_native.measure_int8_peak(used, seconds),
    )


def processor() -> str:
    """Its name, as the system has it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Hardware", "cpu model"):
            return value.strip()
    return platform.machine()


def available_memory() -> int:
    """Bytes a program may take without others being pushed out; 0 where it cannot be known."""
    return _memory()[1]


def peak_memory() -> int:
    """Most bytes this process has had in memory so far; 0 where that cannot be known."""
    # getrusage(2) on Linux begins with what the parent had when it forked; VmHWM does not.
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration, ValueError, IndexError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10  # getrusage(2): bytes there, KiB here


def _memory() -> tuple[int, int]:
    """All memory, and what is free to use, in bytes; zeros where neither can be known."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        sizes = {line.split(":")[0]: int(line.split()[1]) << 10 for line in lines}
        return sizes["MemTotal"], sizes["MemAvailable"]
    except (OSError, KeyError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), 0
    except (OSError, ValueError, AttributeError):
        return 0, 0
