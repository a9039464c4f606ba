"""Shards on disk, and rows that are the same for every way of reading them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingyu.errors import DataError, InvalidRequestError
from qingyu.make.packing import _shuffled
from qingyu.make.shards import Packer, Row, Shards, ShardWriter


@dataclass(frozen=True)
class Facts:
    sha256: str = "ab" * 32
    vocab_size: int = 1000
    eos: int = 0


def write(
    folder: Path, lengths: list[int], *, shard_tokens: int = 50, loss: bool = False
) -> Shards:
    """Document d has the tokens 1+d, 2+d, ... and the closing 0, `length` in all."""
    with ShardWriter(folder, Facts(), has_loss=loss, shard_tokens=shard_tokens) as writer:
        for number, length in enumerate(lengths):
            tokens = [(number + i) % 998 + 1 for i in range(length - 1)] + [0]
            writer.add(tokens, [i % 2 for i in range(length)] if loss else None)
    return Shards.open(folder)


def same(one: Row, two: Row) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(two, name))
        for name in ("tokens", "loss", "documents")
    )


def test_there_and_back(tmp_path: Path) -> None:
    lengths = [7, 30, 31, 2, 90, 3]
    shards = write(tmp_path / "s", lengths, loss=True)
    assert shards.num_documents == len(lengths)
    assert shards.num_tokens == sum(lengths)
    assert [shards.length(i) for i in range(len(lengths))] == lengths
    assert len(shards.index["shards"]) == 3  # a shard ends with the document that fills it
    tokens, loss = shards.document(2)
    assert tokens.tolist() == [*range(3, 33), 0]
    assert loss is not None
    assert loss.tolist() == [i % 2 for i in range(31)]
    shards.verify()


def test_eos_is_added_once(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, Facts(), has_loss=True) as writer:
        writer.add([5, 6])
        writer.add([5, 0])
        writer.add([5, 6], [0, 1])
    shards = Shards.open(tmp_path)
    assert [shards.document(i)[0].tolist() for i in range(3)] == [[5, 6, 0], [5, 0], [5, 6, 0]]
    losses = [shards.document(i)[1] for i in range(3)]
    assert [loss.tolist() for loss in losses if loss is not None] == [[1, 1, 1], [1, 1], [0, 1, 0]]


def test_large_vocabularies_take_four_bytes(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, Facts(vocab_size=70_000)) as writer:
        writer.add([69_999])
    shards = Shards.open(tmp_path)
    assert shards.index["dtype"] == "uint32"
    assert shards.document(0)[0].tolist() == [69_999, 0]


@pytest.mark.parametrize("tokens", [[], [1000], [-1]])
def test_wrong_documents_are_refused(tmp_path: Path, tokens: list[int]) -> None:
    writer = ShardWriter(tmp_path, Facts())
    with pytest.raises(InvalidRequestError):
        writer.add(tokens)
    with pytest.raises(InvalidRequestError, match="has_loss"):
        writer.add([1, 2], [1, 1])
    writer.abandon()


def test_nothing_counts_before_the_index(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, Facts())
    writer.add([1, 2, 3])
    writer.abandon()
    with pytest.raises(DataError, match="no finished shards"):
        Shards.open(tmp_path)
    write(tmp_path, [4, 4])  # the leftovers are no hindrance
    with pytest.raises(DataError, match="finished shards"):
        ShardWriter(tmp_path, Facts())
    with pytest.raises(DataError, match="no document"):
        ShardWriter(tmp_path / "empty", Facts()).close()


def test_damage_is_found(tmp_path: Path) -> None:
    shards = write(tmp_path, [20, 20])
    tokens = tmp_path / "00000.tokens"
    raw = bytearray(tokens.read_bytes())
    raw[3] ^= 1
    tokens.write_bytes(raw)
    with pytest.raises(DataError, match=r"00000\.tokens is damaged"):
        shards.verify()
    tokens.write_bytes(raw[:-2])
    with pytest.raises(DataError, match="78 bytes, not 80"):
        Shards.open(tmp_path)
    index = json.loads((tmp_path / "index.json").read_text())
    for change in ({"num_tokens": 39}, {"version": 2}, {"dtype": "float"}, {"shards": [{}]}):
        (tmp_path / "index.json").write_text(json.dumps({**index, **change}))
        with pytest.raises(DataError):
            Shards.open(tmp_path)


def test_every_token_but_the_first_is_a_target_once_an_epoch(tmp_path: Path) -> None:
    lengths = [3, 17, 8, 2, 40, 5]
    shards = write(tmp_path, lengths)
    packer = Packer(shards, 10, seed=3)
    targets = 0
    while packer.epoch == 0:
        row = next(packer)
        assert row.tokens.shape == (11,)
        assert row.documents[0] == 0
        crossing = np.flatnonzero(np.diff(row.documents))
        assert not row.loss[crossing].any()  # the end of a document predicts nothing
        assert all(row.tokens[crossing] == 0)
        targets += int(row.loss.sum())
    # The last row goes on into the next epoch.
    assert sum(lengths) - len(lengths) <= targets <= sum(lengths) - len(lengths) + 10


def test_a_cut_document_goes_on_in_the_next_row(tmp_path: Path) -> None:
    packer = Packer(write(tmp_path, [40]), 10)
    one, two = next(packer), next(packer)
    assert one.tokens.tolist() == list(range(1, 12))
    assert two.tokens.tolist() == list(range(11, 22))
    assert one.loss.all()
    assert two.loss.all()


def test_loss_follows_the_tokens(tmp_path: Path) -> None:
    row = next(Packer(write(tmp_path, [40], loss=True), 10))
    assert row.loss.tolist() == [1, 0] * 5


@given(
    lengths=st.lists(st.integers(2, 30), min_size=1, max_size=12),
    length=st.integers(1, 20),
    world=st.integers(1, 4),
    split=st.integers(0, 5),
)
def test_the_order_does_not_depend_on_processes(
    tmp_path_factory: pytest.TempPathFactory,
    lengths: list[int], length: int, world: int, split: int,
) -> None:  # fmt: skip
    shards = write(tmp_path_factory.mktemp("s"), lengths)
    plain = list(islice(Packer(shards, length, 7), 6 * world))
    packers = [Packer(shards, length, 7, rank, world) for rank in range(world)]
    rows = [next(packer) for _ in range(split) for packer in packers]
    states = [packer.state() for packer in packers]
    assert all(state == states[0] for state in states)
    assert states[0]["row"] == split * world
    # on with one process, from a state that went through JSON
    rest = Packer(shards, length, 7)
    rest.restore(json.loads(json.dumps(states[0])))
    rows += list(islice(rest, (6 - split) * world))
    assert all(map(same, plain, rows))


def test_states_of_other_data_are_refused(tmp_path: Path) -> None:
    shards = write(tmp_path / "a", [9, 9])
    state = Packer(shards, 4, 1).state()
    for other in (
        Packer(shards, 5, 1),
        Packer(shards, 4, 2),
        Packer(write(tmp_path / "b", [9]), 4, 1),
    ):
        with pytest.raises(DataError, match="only go on with the same"):
            other.restore(state)
    with pytest.raises(DataError, match="damaged"):
        Packer(shards, 4, 1).restore({**state, "document": 2})


def test_epochs_have_orders_of_their_own() -> None:
    orders = [_shuffled(100, seed, epoch).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(100)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    # The order is part of what a run is: it must never change.
    assert _shuffled(8, 1, 2).tolist() == [6, 4, 2, 7, 3, 0, 1, 5]
