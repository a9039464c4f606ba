"""Rows of shards into what a step computes: global batches, micro-batches, documents in them.

    stream = RowStream(shards, BatchConfig(rows=8), sequence_length=512)
    step = stream.next_step()            # this process's share
    for part in step.parts: ...          # micro-batches, part.num_targets, ...

Every process reads the same rows in the same order (they are memory-mapped, a row costs
microseconds) and keeps micro-batch m when m % world is its rank. So neither the global batch, nor
the place in the data, nor what is computed together depends on the number of processes, and
their gradients differ from those of one process by the order of a float32 sum only.

Shapes: R rows of a micro-batch, T sequence length, N = R T tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qingyu.errors import InvalidRequestError
from qingyu.make.shards import Packer, Row, Shards
from qingyu.make.training.checks import at_least, between, unfit
from qingyu.make.training.split import split
from qingyu.text import pick

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """train, held_out: folders of shards; held_out_share: instead of the second, of the first's
    documents. tokenizer: whose tokens they are (a model, a .gguf, a
    tokenizer.json); the starting model's unless given. sequence_length: tokens in a row."""

    train: str
    held_out: str | None = None
    held_out_share: float = 0.0
    tokenizer: str | None = None
    sequence_length: int = 512

    def __post_init__(self) -> None:
        at_least("data.sequence_length", self.sequence_length, 2)
        between("data.held_out_share", self.held_out_share, 0.0, 0.5)
        if self.held_out and self.held_out_share:
            raise unfit(
                "data.held_out",
                pick(
                    "data.held_out and data.held_out_share are both given; one of them is enough",
                    "data.held_out 与 data.held_out_share 同时给出；只需其一",
                ),
            )

    def open(self) -> tuple[Shards, Shards | None]:
        """What to train on, and what to hold out. Raises DataError."""
        training = Shards.open(Path(self.train))
        if self.held_out_share:
            return split(training, self.held_out_share)
        return training, Shards.open(Path(self.held_out)) if self.held_out else None


@dataclass(frozen=True, kw_only=True)
class BatchConfig:
    """rows: of an update, over all processes. rows_at_once: of a forward in one process; memory
    grows with it, and so does speed, up to some thousand tokens."""

    rows: int = 8
    rows_at_once: int = 8

    def __post_init__(self) -> None:
        at_least("batch.rows", self.rows, 1)
        at_least("batch.rows_at_once", self.rows_at_once, 1)

    def parts_of(self, world: int) -> int:
        """Micro-batches of an update in each process. Raises InvalidRequestError."""
        if self.rows % world:
            raise InvalidRequestError(
                pick(
                    f"batch.rows {self.rows} cannot be shared by {world} processes;"
                    f" make it a multiple of {world}",
                    f"batch.rows {self.rows} 无法由 {world} 个进程均分；请改为 {world} 的倍数",
                ),
                param="batch.rows",
            )
        own = self.rows // world
        if own % min(own, self.rows_at_once):
            raise InvalidRequestError(
                pick(
                    f"batch.rows_at_once {self.rows_at_once} does not divide the {own} rows that"
                    f" a process has of batch.rows {self.rows}",
                    f"batch.rows_at_once {self.rows_at_once} 不能整除每个进程的 {own} 行"
                    f"（batch.rows 为 {self.rows}）",
                ),
                param="batch.rows_at_once",
            )
        return own // min(own, self.rows_at_once)


@dataclass(frozen=True, kw_only=True)
class MicroBatch:
    """tokens, targets int64 [N]; weights float32 [N], 1 where the target counts; positions
    int64 [N] within the documents; pieces: (first, length) of each document's part in N."""

    tokens: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    positions: torch.Tensor
    pieces: tuple[tuple[int, int], ...]

    @property
    def num_targets(self) -> int:
        return int(self.weights.sum())

    def to(self, device: str) -> MicroBatch:
        if device == "cpu":
            return self
        names = ("tokens", "targets", "weights", "positions")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


@dataclass(frozen=True, kw_only=True)
class StepRows:
    """parts: this process's micro-batches; num_targets: of the whole global batch."""

    parts: tuple[MicroBatch, ...]
    num_targets: int
    num_tokens: int


class RowStream:
    """Steps of training rows, for one process of `world`. Resumes at a token."""

    def __init__(
        self,
        shards: Shards,
        batch: BatchConfig,
        *,
        sequence_length: int,
        seed: int = 0,
        whole: bool = False,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        """whole: documents are not cut, see `Packer`."""
        self.shards = shards
        self.batch = batch
        self.rank, self.world = rank, world
        self.num_parts = batch.parts_of(world)
        self._packer = Packer(shards, sequence_length, seed, whole=whole)

    def next_step(self) -> StepRows:
        """Rows without any target are passed over: nothing could be learned from them."""
        rows: list[Row] = []
        passed = 0
        while len(rows) < self.batch.rows:
            row = next(self._packer)
            if row.loss.any():
                rows.append(row)
            else:
                passed += 1
                if passed > _MOST_EMPTY:
                    raise InvalidRequestError(
                        pick(
                            f"{self.shards.folder} has {passed} rows in a row without a target"
                            " to learn",
                            f"{self.shards.folder} 中连续 {passed} 行没有可学习的目标",
                        )
                    )
        size = len(rows) // (self.num_parts * self.world)
        own = range(self.rank * size, len(rows), self.world * size)
        return StepRows(
            parts=tuple(micro_batch(rows[start : start + size]) for start in own),
            num_targets=sum(int(row.loss.sum()) for row in rows),
            num_tokens=sum(len(row.loss) for row in rows),
        )

    def state(self) -> dict[str, Any]:
        return self._packer.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Raises DataError when the state is of other data."""
        self._packer.restore(state)


# Rows without a target that may follow one another.
_MOST_EMPTY = 10_000


def micro_batch(rows: Sequence[Row]) -> MicroBatch:
    """Rows laid one after the other; documents of different rows are different."""
    import torch

    length = len(rows[0].loss)
    pieces: list[tuple[int, int]] = []
    positions = np.empty(len(rows) * length, np.int64)
    for number, row in enumerate(rows):
        starts = np.flatnonzero(np.diff(row.documents, prepend=-1))
        ends = np.append(starts[1:], length)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            first = number * length + start
            pieces.append((first, end - start))
            positions[first : first + end - start] = np.arange(end - start)

    def joined(parts: list[NDArray[Any]], dtype: Any) -> torch.Tensor:
        return torch.from_numpy(np.concatenate(parts).astype(dtype))

    return MicroBatch(
        tokens=joined([row.tokens[:-1] for row in rows], np.int64),
        targets=joined([row.tokens[1:] for row in rows], np.int64),
        weights=joined([row.loss for row in rows], np.float32),
        positions=torch.from_numpy(positions),
        pieces=tuple(pieces),
    )
