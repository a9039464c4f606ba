"""What training a model of the family would take on accelerators that the reader names.

    plan = Plan.of(PlanConfig(model="6b", gpus=64, gpu_memory=80.0))
    plan.fits, plan.memory.total, plan.days

Nothing is measured: the formulae are here and in docs/make.md, the assumptions are fields. G
accelerators share everything of a weight (FSDP); bytes per accelerator.

    master weights, AdamW's two moments, gradients, in float32     16 P / G
    gathered in bfloat16: two layers, embedding and norm           2 (2 P_layer + P_root)
    gradients of one layer and the embedding before they are       4 (P_layer + P_root)
    spread, in float32
    activations of R rows of T tokens                              R T L A
      A = 2 (5 D + 2 D_kv + 3 F), or 2 D and one layer's A         bfloat16, with `recompute`
      when layers are recomputed
    logits of a piece, and the head's gradient                     256 MiB + 4 V D
    what the allocator and the libraries take                      4 GiB

    time = tokens (6 P + 12 L D T) (4/3 when recomputed) / (G peak share)
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from qingyu.make import family
from qingyu.make.family import DecoderConfig
from qingyu.make.training.checks import at_least, between
from qingyu.make.training.machine import flops_per_token

GIGABYTE = 1e9
_LIBRARIES = 4 << 30
_PIECE = 256 << 20
# As many tokens as a model of a size learns from best for its compute (Hoffmann et al. 2022).
_TOKENS_PER_PARAMETER = 20
_MOST_GPUS = 1 << 16


@dataclass(frozen=True, kw_only=True)
class PlanConfig:
    """gpu_memory: 10^9 bytes of each. gpu_tflops: 10^12 bfloat16 operations per second, by its
    maker; share: of it that training reaches. tokens: 0 means 20 per weight. batch_tokens: of an
    update. sequence_length: of a row. rows: of a forward in each; 0: as many as fit, at most
    what an update has."""

    model: str
    gpus: int
    gpu_memory: float
    gpu_tflops: float = 989.0
    share: float = 0.4
    tokens: float = 0.0
    batch_tokens: int = 2 << 20
    sequence_length: int = 4096

    def __post_init__(self) -> None:
        at_least("--gpus", self.gpus, 1)
        at_least("--gpu-memory", self.gpu_memory, 1.0)
        at_least("--gpu-tflops", self.gpu_tflops, 1.0)
        between("--share", self.share, 0.01, 1.0)
        at_least("--tokens", self.tokens, 0.0)


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes on each accelerator."""

    masters: float
    moments: float
    gradients: float
    gathered: float
    activations: float
    head: float
    libraries: float

    @property
    def total(self) -> float:
        return math.fsum(asdict(self).values())


@dataclass(frozen=True, kw_only=True)
class Plan:
    """rows: of a forward on each accelerator. advice: what would fit, when it does not."""

    config: PlanConfig
    decoder: DecoderConfig
    memory: Memory
    rows: int
    recompute: bool
    tokens: float
    steps: int
    days: float
    traffic: float
    fits: bool
    fewest_gpus: int | None

    @classmethod
    def of(cls, config: PlanConfig) -> Plan:
        """Raises InvalidRequestError for an unknown model."""
        decoder = family.find(config.model)
        length = min(config.sequence_length, decoder.context_length)
        config = replace(config, sequence_length=length)
        most = max(1, config.batch_tokens // (length * config.gpus))
        rows, recompute = _best(decoder, config, most)
        fits = rows > 0
        rows = max(rows, 1)
        memory = memory_of(decoder, config, rows=rows, recompute=recompute)
        tokens = config.tokens or _TOKENS_PER_PARAMETER * decoder.num_parameters
        work = tokens * flops_per_token(decoder, sequence_length=length)
        work *= 4 / 3 if recompute else 1
        seconds = work / (config.gpus * config.gpu_tflops * 1e12 * config.share)
        forwards = max(1, round(config.batch_tokens / (length * config.gpus * rows)))
        return cls(
            config=config,
            decoder=decoder,
            memory=memory,
            rows=rows,
            recompute=recompute,
            tokens=tokens,
            steps=max(1, round(tokens / config.batch_tokens)),
            days=seconds / 86400,
            traffic=_traffic(decoder, config, forwards),
            fits=fits,
            fewest_gpus=None if fits else _fewest(decoder, config),
        )

    def to_json(self) -> dict[str, Any]:
        record = asdict(self)
        return {**record, "memory": {**asdict(self.memory), "total": self.memory.total}}


def memory_of(decoder: DecoderConfig, config: PlanConfig, *, rows: int, recompute: bool) -> Memory:
    """By the formulae above."""
    size, inner = decoder.embedding_size, decoder.feed_forward_size
    root = decoder.vocab_size * size + size
    layer = (decoder.num_parameters - root) / decoder.num_layers
    of_token = 2 * (5 * size + 2 * decoder.num_kv_heads * decoder.head_size + 3 * inner)
    kept = decoder.num_layers * of_token
    if recompute:
        kept = decoder.num_layers * 2 * size + of_token
    share = decoder.num_parameters / config.gpus
    return Memory(
        masters=4 * share,
        moments=8 * share,
        gradients=4 * share,
        gathered=2 * (2 * layer + root) + 4 * (layer + root),
        activations=float(rows * config.sequence_length * kept),
        head=_PIECE + 4.0 * root,
        libraries=_LIBRARIES,
    )


def _best(decoder: DecoderConfig, config: PlanConfig, most: int) -> tuple[int, bool]:
    """Rows that fit, at most so many, keeping activations if even one row fits so; 0 rows when
    nothing does."""
    for recompute in (False, True):
        fitting = [
            rows
            for rows in range(1, most + 1)
            if memory_of(decoder, config, rows=rows, recompute=recompute).total
            <= config.gpu_memory * GIGABYTE
        ]
        if fitting:
            return fitting[-1], recompute
    return 0, True


def _fewest(decoder: DecoderConfig, config: PlanConfig) -> int | None:
    """Accelerators of this memory that would do, in powers of two; None when none would."""
    gpus = config.gpus
    while gpus < _MOST_GPUS:
        gpus *= 2
        tried = replace(config, gpus=gpus)
        if _best(decoder, tried, 1)[0]:
            return gpus
    return None


def _traffic(decoder: DecoderConfig, config: PlanConfig, forwards: int) -> float:
    """Bytes that each accelerator receives for an update: the weights in bfloat16 for forward and
    backward, gradients in float32, of each forward."""
    others = (config.gpus - 1) / config.gpus
    return forwards * others * decoder.num_parameters * (2 + 2 + 4)
