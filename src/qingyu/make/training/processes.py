"""How many processes train together, which one this is, and what they tell each other.

    with joined() as processes:            # under torchrun: all of them; else alone
        processes.rank, processes.world, processes.add_up(loss)

Under torchrun the group is accelerate's: gloo between CPUs, NCCL between GPUs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Processes:
    """rank of world; device: where this one computes. Alone unless `joined` made it."""

    rank: int = 0
    world: int = 1
    device: str = "cpu"

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.rank == 0

    def add_up(self, value: float) -> float:
        """The sum over all processes, float64."""
        if self.world == 1:
            return value
        import torch
        from torch import distributed

        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        distributed.all_reduce(total)
        return float(total)

    def agree(self, fine: bool) -> bool:
        """Whether all are fine; each must say so."""
        return self.add_up(0.0 if fine else 1.0) == 0.0


ALONE = Processes()


def expected() -> int:
    """Processes that torchrun started, 1 without it."""
    value = os.environ.get("WORLD_SIZE", "1")
    return int(value) if value.isdigit() else 1


def leads() -> bool:
    """Whether this process is the one that writes and reports; known without torch."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def joined() -> Iterator[Processes]:
    """The group torchrun describes in the environment; left again at the end."""
    if expected() == 1:
        yield ALONE
        return
    import torch
    from accelerate import PartialState
    from torch import distributed

    state = PartialState(cpu=not torch.cuda.is_available())
    try:
        yield Processes(
            rank=state.process_index, world=state.num_processes, device=str(state.device)
        )
        # Whoever leaves first must not look like a failure to the others.
        distributed.barrier()
    finally:
        distributed.destroy_process_group()
        PartialState._reset_state()
