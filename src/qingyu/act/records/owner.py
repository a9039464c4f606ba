"""Which process something belongs to, and whether that one still runs.

owner = this_process()      # "9f1c… 4711 88123": boot, process number, when it began
is_alive(owner)             # False once it ended, also if its number was given again
"""

from __future__ import annotations

import os
from pathlib import Path


def this_process() -> str:
    return f"{_boot()} {os.getpid()} {_began(os.getpid())}"


def is_alive(owner: str) -> bool:
    """Whether a process of `this_process` runs, on this machine since it was switched on."""
    boot, _, rest = owner.partition(" ")
    number, _, began = rest.partition(" ")
    if boot != _boot() or not number.isdecimal():
        return False
    if began != "-":
        return _began(int(number)) == began
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return "-"


def _began(number: int) -> str:
    """When a process began, in ticks since the machine was switched on; "-" if not to be known
    or the process is no more (a zombie is)."""
    try:
        # The name, in brackets, may have spaces and brackets in it.
        fields = Path(f"/proc/{number}/stat").read_text("utf-8", "replace").rpartition(")")[2]
    except OSError:
        return "-"
    state, *others = fields.split()
    return "-" if state in "ZX" else others[18]
