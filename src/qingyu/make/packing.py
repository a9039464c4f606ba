"""The order in which training reads shards: rows of whole length, shuffled, resumable at a token.

    packer = Packer(Shards.open(folder), sequence_length=512, seed=0)
    row = next(packer)             # row.tokens [T+1], row.loss [T], row.documents [T]
    packer.restore(state)          # state: what packer.state() gave before

The order is a function of the data, the length and the seed; neither of the number of processes
nor of a library's random generator. Shapes: T sequence length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qingyu.errors import DataError, InvalidRequestError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.make.shards import Shards


@dataclass(frozen=True, kw_only=True)
class Row:
    """tokens int32 [T+1]; loss uint8 [T], 1 where tokens[t+1] is a target of position t;
    documents int32 [T], the number of each position's document within the row, from 0."""

    tokens: NDArray[np.int32]
    loss: NDArray[np.uint8]
    documents: NDArray[np.int32]


class Packer:
    """Endless rows of exactly T+1 tokens from documents in an order shuffled anew each epoch.

    A document that does not fit is cut; the next row begins with the last token of this one, so
    that every token of a document but its first is a target exactly once. The first token of a
    document is never a target: nothing before it belongs to it.
    whole: a document that does not fit begins the next row, and is cut only where it is longer
    than one; what is left of a row is filled with tokens that are no targets. For conversations,
    whose end is worth little without their beginning.
    Row r goes to rank r % world. Ranks move together: `state` is the same on all of them after
    the same number of rows, and may be restored with another world.
    """

    def __init__(
        self,
        shards: Shards,
        sequence_length: int,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        *,
        whole: bool = False,
    ) -> None:
        if sequence_length < 1 or not 0 <= rank < world:
            raise InvalidRequestError(
                pick(
                    f"sequence_length {sequence_length}, rank {rank}, world {world} do not fit",
                    f"sequence_length {sequence_length}、rank {rank}、world {world} 不成立",
                )
            )
        if all(shards.length(i) < 2 for i in range(min(shards.num_documents, 1000))):
            raise DataError(
                pick(
                    f"{shards.folder} has no document of two tokens to learn from",
                    f"{shards.folder} 中没有至少两个词元的文档可供学习",
                )
            )
        self._shards = shards
        self._length = sequence_length
        self._seed = seed
        self._rank = rank
        self._world = world
        self._whole = whole
        self.row = 0  # the number of the next row, over all ranks
        self.epoch = 0
        self._document = 0  # place in this epoch's order
        self._offset = 0  # token within that document
        self._order = _shuffled(shards.num_documents, seed, 0)

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        """This rank's row of the next `world` rows."""
        for _ in range(self._rank):
            self._take()
        row = self._read(self._take())
        for _ in range(self._world - self._rank - 1):
            self._take()
        return row

    def _take(self) -> list[tuple[int, int, int]]:
        """Move on by one row; gives its pieces (document, start, end)."""
        pieces: list[tuple[int, int, int]] = []
        left = self._length + 1
        while left:
            number = int(self._order[self._document])
            length = self._shards.length(number)
            if self._whole and pieces and length > left:
                break
            end = min(length, self._offset + left)
            pieces.append((number, self._offset, end))
            left -= end - self._offset
            if end == length:
                self._offset = 0
                self._document += 1
                if self._document == len(self._order):
                    self.epoch += 1
                    self._document = 0
                    self._order = _shuffled(len(self._order), self._seed, self.epoch)
            else:
                self._offset = end - 1
        self.row += 1
        return pieces

    def _read(self, pieces: list[tuple[int, int, int]]) -> Row:
        size = self._length + 1
        tokens = np.zeros(size, np.int32)
        targets = np.ones(size, np.uint8)
        documents = np.full(size, len(pieces), np.int32)
        at = 0
        for count, (number, start, end) in enumerate(pieces):
            here = slice(at, at + end - start)
            ids, loss = self._shards.document(number)
            tokens[here] = ids[start:end]
            if loss is not None:
                targets[here] = loss[start:end]
            targets[at] = 0
            documents[here] = count
            at = here.stop
        targets[at:] = 0
        return Row(tokens=tokens, loss=targets[1:], documents=documents[:-1])

    def state(self) -> dict[str, Any]:
        """Where the reading is, as JSON: the same on every rank."""
        return {
            "seed": self._seed,
            "sequence_length": self._length,
            "data": self._fingerprint,
            "row": self.row,
            "epoch": self.epoch,
            "document": self._document,
            "offset": self._offset,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state. Raises DataError when it is of other data, length or seed."""
        own = self.state()
        for name in ("data", "sequence_length", "seed"):
            if state.get(name) != own[name]:
                raise DataError(
                    pick(
                        f"the run read data with {name} {state.get(name)}, this is {own[name]};"
                        " it can only go on with the same",
                        f"原运行所读数据的 {name} 为 {state.get(name)}，现在是 {own[name]}；"
                        "只能用相同的数据继续",
                    )
                )
        places = [state.get(name) for name in ("row", "epoch", "document", "offset")]
        row, epoch, document, offset = (p if type(p) is int and p >= 0 else -1 for p in places)
        order = _shuffled(len(self._order), self._seed, max(epoch, 0))
        if (
            min(row, epoch, offset) < 0
            or not 0 <= document < len(order)
            or offset >= self._shards.length(int(order[document]))
        ):
            raise DataError(
                pick(
                    f"the saved place in the data is damaged: {places}",
                    f"保存的读取位置已损坏：{places}",
                )
            )
        self.row, self.epoch, self._document, self._offset = row, epoch, document, offset
        self._order = order

    @property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256(self._shards.tokenizer.encode())
        for shard in self._shards.index["shards"]:
            digest.update(shard["sha256"].encode())
        return digest.hexdigest()


def _shuffled(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The numbers below `count`, in the order of their SplitMix64 hash with seed and epoch."""
    mask = (1 << 64) - 1
    key = (seed * 0x9E3779B97F4A7C15 + epoch * 0xD1B54A32D192ED03 + 0x632BE59BD9B4E019) & mask
    mixed = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed += np.uint64(key)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed ^= mixed >> np.uint64(shift)
        mixed *= np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return np.argsort(mixed, kind="stable")
