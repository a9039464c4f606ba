"""The loss on held-out rows, the same rows every time.

    held_out = HeldOut(shards, evaluation, batch, sequence_length=512)
    loss = held_out.loss(network)          # nats per target

Rows are packed as for training, from the beginning of an order that is always the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from qingyu.errors import DataError
from qingyu.make.shards import Packer, Shards
from qingyu.make.training.batches import BatchConfig, micro_batch
from qingyu.make.training.checks import at_least
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.make.training.network import PackedDecoder


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """every: steps between evaluations, beside those before checkpoints; 0: only those.
    rows: at most so many, fewer when the data is smaller."""

    every: int = 100
    rows: int = 64

    def __post_init__(self) -> None:
        at_least("evaluation.every", self.every, 0)
        at_least("evaluation.rows", self.rows, 1)


class HeldOut:
    """Held-out rows, shared by processes as training rows are."""

    def __init__(
        self,
        shards: Shards,
        config: EvaluationConfig,
        batch: BatchConfig,
        *,
        sequence_length: int,
        whole: bool = False,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        """Raises DataError when there is not one row with a target."""
        self.shards = shards
        packer = Packer(shards, sequence_length, seed=0, whole=whole)
        once = max(1, shards.num_tokens // (sequence_length + 1))
        rows = [next(packer) for _ in range(min(config.rows, once))]
        self.num_targets = sum(int(row.loss.sum()) for row in rows)
        if not self.num_targets:
            raise DataError(
                pick(
                    f"{shards.folder} has no target in its first {len(rows)} rows",
                    f"{shards.folder} 的前 {len(rows)} 行中没有可学习的目标",
                )
            )
        size = min(batch.rows_at_once, len(rows))
        parts = [micro_batch(rows[start : start + size]) for start in range(0, len(rows), size)]
        # The same number of forwards in every process, for they gather weights together.
        while len(parts) % world:
            parts.append(replace(parts[0], weights=parts[0].weights * 0))
        self.parts = parts[rank::world]

    def loss(self, network: PackedDecoder, add_up: Callable[[float], float] = float) -> Any:
        """Nats per target. add_up: sums over processes."""
        import torch

        total = 0.0
        with torch.no_grad():
            for part in self.parts:
                total += float(network(part, 1.0))
        return add_up(total) / self.num_targets
