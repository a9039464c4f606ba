"""Keeps a server's memory from creeping up: what was freed goes back to the system.

    use_little()                       # once, before threads
    await give_back(service)           # a task beside the server

glibc keeps freed memory in an arena per thread, and raises the size from which blocks are mapped
by themselves; after a large request that memory would stay with the process. And Python collects
what refers to itself, such as a connection that was refused with its large head, the more rarely
the more it holds, which with a vocabulary is next to never.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import time
from typing import Any

from qingyu.serve.service import Service

_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1
_SECONDS = 2.0
# A server that is never idle tidies up this often all the same; it takes some milliseconds.
_BUSY_SECONDS = 30.0


def use_little() -> None:
    """Few arenas, and large blocks mapped by themselves."""
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_ARENA_MAX, 2)
        libc.mallopt(_MMAP_THRESHOLD, 256 << 10)
        libc.mallopt(_TRIM_THRESHOLD, 1 << 20)


async def give_back(service: Service) -> None:
    """When requests have come and none runs, or after a while, return what is free. Never ends."""
    seen = -1
    last = time.monotonic()
    while True:
        await asyncio.sleep(_SECONDS)
        if service.engine is None or service.metrics.num_answered == seen:
            continue
        stats = service.engine.scheduler.stats()
        idle = stats.running == 0 and stats.waiting == 0
        if idle or time.monotonic() - last > _BUSY_SECONDS:
            await asyncio.to_thread(_collect, first=seen < 0)
            seen = service.metrics.num_answered
            last = time.monotonic()


def _collect(*, first: bool) -> None:
    gc.collect()
    if first:
        gc.freeze()  # the model and its vocabulary stay: later collections need not look at them
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def _glibc() -> Any:
    if os.name != "posix":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "malloc_trim") and hasattr(libc, "mallopt") else None
