"""Master weights in float32, their gradients' sums, and AdamW, in one process.

    masters = Masters(network, OptimizerConfig(), precision="bfloat16")
    loss.backward()                        # gradients are added up in float32 as they appear
    norm = masters.gradient_norm()
    masters.update(rate_share=0.5, factor=clip_factor(config, norm))

All trained weights lie in a few long float32 vectors, and the network computes with bfloat16
copies that are views of one vector too: an update is one fused AdamW, the copy one pass. Small
updates are not lost in rounding, and neither are gradients of many micro-batches.

`sharded.ShardedMasters` does the same over many processes, with the same methods.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from qingyu.make.training.checks import at_least, between

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """AdamW (Loshchilov and Hutter 2019). learning_rate: the highest. weight_decay: of matrices;
    norms have none. clip: the gradient's largest norm; 0: any."""

    learning_rate: float = 3e-4
    beta1: float = 0.9
    beta2: float = 0.95
    epsilon: float = 1e-8
    weight_decay: float = 0.1
    clip: float = 1.0

    def __post_init__(self) -> None:
        at_least("optimizer.learning_rate", self.learning_rate, 0.0)
        between("optimizer.beta1", self.beta1, 0.0, 1.0)
        between("optimizer.beta2", self.beta2, 0.0, 1.0)
        at_least("optimizer.epsilon", self.epsilon, 0.0)
        at_least("optimizer.weight_decay", self.weight_decay, 0.0)
        at_least("optimizer.clip", self.clip, 0.0)


class Weights(Protocol):
    """What the loop needs of weights that are trained. Names are those of the network."""

    def gradient_norm(self) -> float: ...
    def update(self, *, rate_share: float, factor: float) -> None: ...
    def forget_gradients(self) -> None: ...
    def shapes(self) -> dict[str, tuple[int, ...]]: ...
    def read(self, kind: str, name: str) -> Tensor: ...
    def write(self, kind: str, name: str, value: Tensor) -> None: ...
    def finish_writing(self, steps: int) -> None: ...


def trained(network: nn.Module) -> dict[str, nn.Parameter]:
    """Weights with a gradient by name; a tied one comes once."""
    return {name: one for name, one in network.named_parameters() if one.requires_grad}


def decays(weight: Tensor) -> bool:
    return weight.ndim >= 2


class _Group:
    """Weights that are treated alike, one after the other in long vectors."""

    def __init__(self, named: Mapping[str, nn.Parameter], dtype: torch.dtype) -> None:
        import torch

        self.places: dict[str, slice] = {}
        self.forms: dict[str, torch.Size] = {}
        self.masters = torch.cat([one.detach().float().flatten() for one in named.values()])
        self.gradients = torch.zeros_like(self.masters)
        self.moments = {kind: torch.zeros_like(self.masters) for kind in MOMENTS}
        self.copies = self.masters.to(dtype)  # the masters themselves when they are float32
        self._handles = []
        start = 0
        for name, one in named.items():
            place = slice(start, start := start + one.numel())
            self.places[name], self.forms[name] = place, one.shape
            one.data = self.copies[place].view(one.shape)
            add = _adder(self.gradients[place].view(one.shape))
            self._handles.append(one.register_post_accumulate_grad_hook(add))

    def vector(self, kind: str) -> Tensor:
        return self.masters if kind == "weight" else self.moments[kind]

    def copy(self) -> None:
        if self.copies is not self.masters:
            self.copies.copy_(self.masters)


def _adder(sum_: Tensor) -> Callable[[Any], None]:
    def add(weight: Any) -> None:
        sum_.add_(weight.grad)
        weight.grad = None

    return add


class Masters:
    """`Weights` of one process. Takes over the data of the network's trained parameters."""

    def __init__(self, network: nn.Module, config: OptimizerConfig, *, precision: str) -> None:
        import torch

        self.config = config
        dtype = getattr(torch, precision)
        # The frozen are only computed with.
        for one in network.parameters():
            if not one.requires_grad:
                one.data = one.data.to(dtype)
        named = trained(network)
        self._names = list(named)
        self._groups = [
            (_Group(chosen, dtype), config.weight_decay if decaying else 0.0)
            for decaying in (True, False)
            if (chosen := {n: one for n, one in named.items() if decays(one) == decaying})
        ]
        self._steps = torch.zeros(())

    def gradient_norm(self) -> float:
        """Of all gradients as one vector."""
        return math.sqrt(
            math.fsum(
                sum_of_squares(group.gradients[place].view(group.forms[name]))
                for group, _ in self._groups
                for name, place in group.places.items()
            )
        )

    def update(self, *, rate_share: float, factor: float) -> None:
        """One AdamW step with factor times the gradients since the last, which are forgotten."""
        import torch

        config = self.config
        for group, decay in self._groups:
            torch._fused_adamw_(
                [group.masters],
                [group.gradients],
                [group.moments["exp_avg"]],
                [group.moments["exp_avg_sq"]],
                [],
                [self._steps + 1],
                lr=config.learning_rate * rate_share,
                beta1=config.beta1,
                beta2=config.beta2,
                weight_decay=decay,
                eps=config.epsilon,
                amsgrad=False,
                maximize=False,
                grad_scale=torch.tensor(1 / factor),
            )
            group.copy()
        self._steps += 1
        self.forget_gradients()

    def forget_gradients(self) -> None:
        for group, _ in self._groups:
            group.gradients.zero_()

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every trained weight's shape, in the network's order."""
        forms = {name: tuple(form) for one, _ in self._groups for name, form in one.forms.items()}
        return {name: forms[name] for name in self._names}

    def read(self, kind: str, name: str) -> Tensor:
        """A float32 view: kind is weight, exp_avg or exp_avg_sq."""
        group = next(one for one, _ in self._groups if name in one.places)
        return group.vector(kind)[group.places[name]].view(group.forms[name])

    def write(self, kind: str, name: str, value: Tensor) -> None:
        """Replace one. `finish_writing` makes it count."""
        self.read(kind, name).copy_(value)

    def finish_writing(self, steps: int) -> None:
        """After writes; steps: updates that the moments have seen."""
        self._steps.fill_(float(steps))
        for group, _ in self._groups:
            group.copy()
        self.forget_gradients()


def sum_of_squares(gradient: Tensor) -> float:
    """Row by row in float32, their squares in float64: one float32 sum over millions is off in
    the fourth digit, and rows have the same norms wherever they lie."""
    import torch

    rows = gradient if gradient.ndim > 1 else gradient[:, None]
    return float(torch.linalg.vector_norm(rows, dim=-1).double().square().sum())


def clip_factor(config: OptimizerConfig, norm: float) -> float:
    """What gradients of this norm are multiplied by."""
    return min(1.0, config.clip / norm) if config.clip and norm > 0 else 1.0
