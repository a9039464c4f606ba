"""Sockets a process was born with: whoever started it may have left a connection open.

    close_sockets()          # how many there were

No lock takes away what is open already, so this comes first, before any socket of our own. What
stdin, stdout and stderr are is the caller's choice, and theirs to answer for.
"""

from __future__ import annotations

import os
import stat


def close_sockets() -> int:
    """Close every inherited socket, and return how many. On systems without /proc: none."""
    closed = 0
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return 0
    for number in numbers:
        if number <= 2:
            continue
        try:
            # The listing itself was one of them, and is gone.
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                os.close(number)
                closed += 1
        except OSError:
            continue
    return closed
