"""Some documents of a data set held out, the others to train on.

    training, held_out = split(Shards.open(folder), 0.02)

Every n-th document is held out, always the same ones. A `Part` reads like shards.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from qingyu.errors import DataError
from qingyu.make.shards import Shards
from qingyu.text import pick


class Part:
    """Documents of shards, by their numbers there."""

    def __init__(self, shards: Shards, numbers: NDArray[np.int64]) -> None:
        self._shards = shards
        self._numbers = numbers
        self.folder, self.index = shards.folder, shards.index
        self.tokenizer, self.vocab_size = shards.tokenizer, shards.vocab_size
        self.has_loss = shards.has_loss
        self.num_documents = len(numbers)
        self.num_tokens = sum(shards.length(int(one)) for one in numbers)

    def document(self, number: int) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
        return self._shards.document(int(self._numbers[number]))

    def length(self, number: int) -> int:
        return self._shards.length(int(self._numbers[number]))


def split(shards: Shards, share: float) -> tuple[Shards, Shards]:
    """(to train on, held out). Raises DataError when a side would be empty."""
    every = round(1 / share)
    numbers = np.arange(shards.num_documents)
    chosen = numbers % every == every // 2
    if not chosen.any() or chosen.all():
        raise DataError(
            pick(
                f"{shards.folder} has {shards.num_documents} documents, too few to hold out"
                f" {share:g} of them (data.held_out_share)",
                f"{shards.folder} 只有 {shards.num_documents} 篇文档，不足以留出 {share:g}"
                "（data.held_out_share）",
            )
        )
    training, held_out = Part(shards, numbers[~chosen]), Part(shards, numbers[chosen])
    return cast(Shards, training), cast(Shards, held_out)
