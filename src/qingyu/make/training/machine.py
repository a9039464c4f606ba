"""The machine under a run: what it can do at best, what it is, and how it hands out memory.

peak = measure_peak("bfloat16")                # operations per second
flops_per_token(decoder, sequence_length=512)
"""

from __future__ import annotations

import ctypes
import platform
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from qingyu.engine.machine import processor
from qingyu.make.family import DecoderConfig

_PACKAGES = ("qingyu", "torch", "transformers", "peft", "accelerate", "numpy")
# mallopt's names in glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


def measure_peak(
    precision: str,
    device: str = "cpu",
    *,
    size: int = 2048,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Operations per second of a large square product in torch, the best of some."""
    import torch

    shape = (size, size)
    one = torch.ones(shape, dtype=getattr(torch, precision), device=device)
    out = torch.empty_like(one)
    best = 0.0
    for _ in range(10):
        started = clock()
        torch.mm(one, one, out=out)
        if device != "cpu":
            float(out[0, 0])  # wait for it
        best = max(best, 2 * size**3 / (clock() - started))
    return best


def flops_per_token(
    decoder: DecoderConfig, *, sequence_length: int, frozen: bool = False, adapter: int = 0
) -> float:
    """Operations that training needs per token, as is usual to count them: 6 per weight (2
    forward, 4 backward; the head is the embedding used again), and for attention 12 per layer,
    embedding and place of the sequence. Causal halves are not taken off, recomputing is not put
    on. frozen: weights that get no gradient of their own take 4; adapter: trained ones beside."""
    products = (4 if frozen else 6) * decoder.num_parameters + 6 * adapter
    attention = 12 * decoder.num_layers * decoder.embedding_size * sequence_length
    return float(products + attention)


def keep_memory() -> None:
    """Tell glibc to keep freed memory. Else each large tensor is new pages from the system,
    which it has to clear, and training makes and drops the same ones all the time."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_TRIM_THRESHOLD, -1)


def describe(*, device: str, world: int) -> dict[str, Any]:
    """For environment.json: versions, processor, threads."""
    import torch

    return {
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": processor(),
        "device": device,
        "processes": world,
        "threads": torch.get_num_threads(),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
