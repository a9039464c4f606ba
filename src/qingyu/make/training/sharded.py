"""Master weights spread over processes: FSDP2 as accelerate sets it up.

    weights = ShardedMasters(network, OptimizerConfig(), precision="bfloat16", processes=...)

Each process keeps its rows of every weight, of its gradient's sum and of AdamW's moments, all in
float32; a layer's bfloat16 weights are gathered when it computes and given back after, gradients
are reduced in float32. Same methods as `masters.Masters`, and the same files: a checkpoint does
not show how many processes made it.

accelerate 1.15 takes its FSDP plugin from a recipe for GPUs only; between CPUs `Accelerator`
would quietly replicate instead. Its preparation of the model works for both and is called here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from qingyu.make.training.masters import (
    MOMENTS,
    OptimizerConfig,
    decays,
    sum_of_squares,
    trained,
)
from qingyu.make.training.processes import Processes

if TYPE_CHECKING:
    from torch import Tensor, nn


class ShardedMasters:
    """`Weights` over many processes. Every method is called by all of them."""

    def __init__(
        self, network: nn.Module, config: OptimizerConfig, *, precision: str, processes: Processes
    ) -> None:
        import torch

        self.config = config
        self.processes = processes
        shard(network.to(processes.device), precision)
        named = trained(network)
        self._shapes = {name: tuple(one.shape) for name, one in named.items()}
        self._weights: dict[str, Any] = dict(named)
        self._moments = {
            kind: {name: torch.zeros_like(self._local(name)) for name in named} for kind in MOMENTS
        }
        self._steps = torch.zeros((), device=processes.device)

    def _local(self, name: str) -> Tensor:
        """This process's rows, as a view."""
        local: Tensor = self._weights[name].detach().to_local()
        return local

    def _gradient(self, name: str) -> Tensor | None:
        gradient = self._weights[name].grad
        return None if gradient is None else gradient.to_local()

    def gradient_norm(self) -> float:
        gradients = [self._gradient(name) for name in self._weights]
        own = math.fsum(sum_of_squares(one) for one in gradients if one is not None and one.numel())
        return math.sqrt(self.processes.add_up(own))

    def update(self, *, rate_share: float, factor: float) -> None:
        import torch

        config = self.config
        for decaying in (True, False):
            chosen = {
                name: gradient
                for name, one in self._weights.items()
                if decays(one) == decaying
                and (gradient := self._gradient(name)) is not None
                and gradient.numel()
            }
            if not chosen:
                continue
            torch._fused_adamw_(
                [self._local(name) for name in chosen],
                list(chosen.values()),
                [self._moments["exp_avg"][name] for name in chosen],
                [self._moments["exp_avg_sq"][name] for name in chosen],
                [],
                [self._steps + 1 for _ in chosen],
                lr=config.learning_rate * rate_share,
                beta1=config.beta1,
                beta2=config.beta2,
                weight_decay=config.weight_decay if decaying else 0.0,
                eps=config.epsilon,
                amsgrad=False,
                maximize=False,
                grad_scale=torch.tensor(1 / factor, device=self.processes.device),
            )
        self._steps += 1
        self.forget_gradients()

    def forget_gradients(self) -> None:
        for one in self._weights.values():
            one.grad = None

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return dict(self._shapes)

    def read(self, kind: str, name: str) -> Tensor:
        """The whole tensor, gathered from all processes."""
        from torch.distributed.tensor import DTensor

        weight = self._weights[name]
        local = self._local(name) if kind == "weight" else self._moments[kind][name]
        whole = DTensor.from_local(
            local,
            weight.device_mesh,
            weight.placements,
            run_check=False,
            shape=weight.shape,
            stride=weight.stride(),
        )
        found: Tensor = whole.full_tensor()
        return found

    def write(self, kind: str, name: str, value: Tensor) -> None:
        """Every process has the whole value, and takes its rows."""
        from torch.distributed.tensor import distribute_tensor

        weight = self._weights[name]
        local = self._local(name) if kind == "weight" else self._moments[kind][name]
        mine = distribute_tensor(
            value.to(self.processes.device),
            weight.device_mesh,
            weight.placements,
            src_data_rank=None,
        )
        local.copy_(mine.to_local())

    def finish_writing(self, steps: int) -> None:
        self._steps.fill_(float(steps))
        self.forget_gradients()


def shard(network: nn.Module, precision: str) -> None:
    """Make the network's weights sharded ones, a group for each layer."""
    import torch
    from accelerate import Accelerator, FullyShardedDataParallelPlugin
    from accelerate.utils.fsdp_utils import fsdp2_prepare_model
    from torch.distributed.fsdp import MixedPrecisionPolicy

    plugin = FullyShardedDataParallelPlugin(
        fsdp_version=2,
        auto_wrap_policy="transformer_based_wrap",
        transformer_cls_names_to_wrap=["PackedLayer"],
        reshard_after_forward=True,
        cpu_ram_efficient_loading=False,
        mixed_precision_policy=MixedPrecisionPolicy(
            param_dtype=getattr(torch, precision),
            reduce_dtype=torch.float32,
            # Activations have it already, and the targets' weights must not be rounded.
            cast_forward_inputs=False,
        ),
    )
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), fsdp_plugin=plugin)
    accelerator.state.fsdp_plugin = plugin
    fsdp2_prepare_model(accelerator, network)
