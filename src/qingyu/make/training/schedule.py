"""The learning rate of each step, as a share of the highest.

    share_at(ScheduleConfig(warmup_steps=10), step=0, steps=100)

cosine: down along half a cosine (Loshchilov and Hutter 2017). wsd: warm-up, stable, decay in the
last part (Hu et al. 2024, MiniCPM), down by one minus the square root (Hägele et al. 2024); its
stable part can be prolonged without knowing the end before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qingyu.make.training.checks import at_least, between, one_of

SHAPES = ("cosine", "wsd", "constant")


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """shape: cosine, wsd or constant. warmup_steps: linear from zero. decay_share: of all steps,
    for wsd. final_share: of the highest rate, at the end."""

    shape: str = "cosine"
    warmup_steps: int = 0
    decay_share: float = 0.2
    final_share: float = 0.1

    def __post_init__(self) -> None:
        one_of("schedule.shape", self.shape, SHAPES)
        at_least("schedule.warmup_steps", self.warmup_steps, 0)
        between("schedule.decay_share", self.decay_share, 0.0, 1.0)
        between("schedule.final_share", self.final_share, 0.0, 1.0)


def share_at(config: ScheduleConfig, *, step: int, steps: int) -> float:
    """Between 0 and 1, for step 0 to steps - 1."""
    assert 0 <= step < steps, (step, steps)
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    if config.shape == "constant":
        return 1.0
    if config.shape == "cosine":
        progress = (step - config.warmup_steps) / max(1, steps - config.warmup_steps)
        down = (1 - math.cos(math.pi * progress)) / 2
    else:
        decay = max(1.0, config.decay_share * steps)
        progress = max(0.0, (step - (steps - decay)) / decay)
        down = math.sqrt(progress)
    return 1 - (1 - config.final_share) * down
