"""Computes what may come next beside the forward that computes how likely it is.

computing = compute_masks(constraints)            # in another thread
logits = core.forward(...)
computing.result()
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from qingyu.errors import QingyuError

if TYPE_CHECKING:
    from qingyu.engine.constraint import Constraint

_mask_worker: ThreadPoolExecutor | None = None


def compute_masks(constraints: list[Constraint]) -> Future[None] | None:
    """Begin computing what may follow, in another thread: the forward takes none of Python's
    time. What goes wrong there shows again when the mask is applied."""
    global _mask_worker
    if not constraints:
        return None
    if _mask_worker is None:
        _mask_worker = ThreadPoolExecutor(1, "qingyu-mask")

    def compute() -> None:
        for constraint in constraints:
            try:
                constraint.mask()
            except QingyuError:
                continue

    return _mask_worker.submit(compute)
