"""Plans for clusters: the formulae, and what is said when nothing fits."""

from __future__ import annotations

import pytest

from qingyu.errors import InvalidRequestError
from qingyu.make.family import find
from qingyu.make.training.machine import flops_per_token
from qingyu.make.training.plan import Plan, PlanConfig, memory_of


def test_six_billion_on_sixty_four() -> None:
    plan = Plan.of(PlanConfig(model="6b", gpus=64, gpu_memory=80.0))
    assert plan.fits
    assert not plan.recompute
    parameters = find("6b").num_parameters
    assert plan.memory.masters == pytest.approx(4 * parameters / 64)
    assert plan.memory.masters + plan.memory.moments + plan.memory.gradients == pytest.approx(
        16 * parameters / 64
    )
    assert plan.memory.total <= 80e9
    assert plan.tokens == 20 * parameters
    work = plan.tokens * (6 * parameters + 12 * 32 * 4096 * 4096)
    assert plan.days == pytest.approx(work / (64 * 989e12 * 0.4) / 86400)
    more = memory_of(plan.decoder, plan.config, rows=plan.rows + 1, recompute=False)
    assert more.total > 80e9 or plan.rows == (2 << 20) // (4096 * 64)


def test_activations_by_hand() -> None:
    decoder = find("1m")
    config = PlanConfig(model="1m", gpus=1, gpu_memory=1.0, sequence_length=512)
    kept = 2 * (5 * 128 + 2 * 64 + 3 * 384)
    assert memory_of(decoder, config, rows=3, recompute=False).activations == 3 * 512 * 4 * kept
    assert memory_of(decoder, config, rows=3, recompute=True).activations == 3 * 512 * (
        4 * 2 * 128 + kept
    )


def test_what_does_not_fit() -> None:
    plan = Plan.of(PlanConfig(model="6b", gpus=1, gpu_memory=24.0))
    assert not plan.fits
    assert plan.fewest_gpus is not None
    enough = Plan.of(PlanConfig(model="6b", gpus=plan.fewest_gpus, gpu_memory=24.0))
    assert enough.fits
    assert not Plan.of(PlanConfig(model="6b", gpus=plan.fewest_gpus // 2, gpu_memory=24.0)).fits
    hopeless = Plan.of(PlanConfig(model="6b", gpus=8, gpu_memory=6.0))
    assert not hopeless.fits
    assert hopeless.fewest_gpus is None


def test_what_cannot_be() -> None:
    with pytest.raises(InvalidRequestError, match="--gpus is 0; at least 1"):
        PlanConfig(model="6b", gpus=0, gpu_memory=80.0)
    with pytest.raises(InvalidRequestError, match="no decoder"):
        Plan.of(PlanConfig(model="7b", gpus=1, gpu_memory=80.0))


def test_flops_are_counted_as_stated() -> None:
    decoder = find("135m")
    found = flops_per_token(decoder, sequence_length=512)
    assert found == 6 * decoder.num_parameters + 12 * 30 * 576 * 512
