"""Watches the loss: not a number, or suddenly much larger than it was.

    guard = Guard(GuardConfig(), state=None)
    verdict = guard.look(loss, gradient_norm)     # None, or what is wrong

It only says so, before the update; the loop stops or rolls back. Its state is part of a
checkpoint, so that a run that resumes sees what it would have seen.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qingyu.make.training.checks import at_least, one_of
from qingyu.text import pick

ACTIONS = ("stop", "rollback")
_WINDOW = 32
_ENOUGH = 16


@dataclass(frozen=True, kw_only=True)
class GuardConfig:
    """action: stop, or rollback to the last checkpoint and leave out the data since.
    spike: nats above the median of the last 32 losses that count as one; 0: only NaN is.
    max_rollbacks: after that many the run stops."""

    action: str = "stop"
    spike: float = 2.0
    max_rollbacks: int = 3

    def __post_init__(self) -> None:
        one_of("guard.action", self.action, ACTIONS)
        at_least("guard.spike", self.spike, 0.0)
        at_least("guard.max_rollbacks", self.max_rollbacks, 0)


class Guard:
    """Remembers the losses of the last steps, and how often the run went back."""

    def __init__(self, config: GuardConfig, state: Mapping[str, Any] | None = None) -> None:
        self.config = config
        state = state or {}
        self.rollbacks = int(state.get("rollbacks", 0))
        self._losses: deque[float] = deque(state.get("losses", ()), maxlen=_WINDOW)

    def state(self) -> dict[str, Any]:
        return {"rollbacks": self.rollbacks, "losses": list(self._losses)}

    def look(self, loss: float, gradient_norm: float) -> str | None:
        """What is wrong with a step, for people; None when nothing is, and then it is
        remembered."""
        if not math.isfinite(loss):
            return pick(f"the loss is {loss}", f"损失为 {loss}")
        if not math.isfinite(gradient_norm):
            return pick(f"the gradient's norm is {gradient_norm}", f"梯度范数为 {gradient_norm}")
        if self.config.spike and len(self._losses) >= _ENOUGH:
            usual = statistics.median(self._losses)
            if loss > usual + self.config.spike:
                return pick(
                    f"the loss jumped to {loss:.3f} from {usual:.3f}"
                    f" (guard.spike is {self.config.spike:g})",
                    f"损失从 {usual:.3f} 跳到 {loss:.3f}（guard.spike 为 {self.config.spike:g}）",
                )
        self._losses.append(loss)
        return None
