"""Keeps a server's memory from creeping up: what was freed goes back to the system.

    use_little()                       # once, before threads
    await give_back(service)           # a task beside the server

glibc keeps freed memory in an arena per thread, and raises the size from which blocks are mapped
by themselves; after a large request that memory would stay with the process. Elsewhere than on
glibc nothing is done.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from typing import Any

from qingyu.serve.service import Service

_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1
_SECONDS = 2.0


def use_little() -> None:
    """Few arenas, and large blocks mapped by themselves."""
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_ARENA_MAX, 2)
        libc.mallopt(_MMAP_THRESHOLD, 256 << 10)
        libc.mallopt(_TRIM_THRESHOLD, 1 << 20)


async def give_back(service: Service) -> None:
    """When requests have come and none runs, return what is free. Never ends."""
    libc = _glibc()
    seen = -1
    while libc is not None:
        await asyncio.sleep(_SECONDS)
        if service.engine is None or service.metrics.num_answered == seen:
            continue
        stats = service.engine.scheduler.stats()
        if stats.running == 0 and stats.waiting == 0:
            seen = service.metrics.num_answered
            await asyncio.to_thread(libc.malloc_trim, 0)


def _glibc() -> Any:
    if os.name != "posix":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "malloc_trim") and hasattr(libc, "mallopt") else None
