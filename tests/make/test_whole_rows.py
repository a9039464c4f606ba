"""Rows of whole documents: what fits into a row is never cut."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingyu.make.packing import Packer
from qingyu.make.shards import Shards, ShardWriter
from tests.make.test_shards import Facts, same


def write(folder: Path, lengths: list[int]) -> Shards:
    """Document d has the token d + 1 and the closing 0, `length` in all."""
    with ShardWriter(folder, Facts()) as writer:
        for number, length in enumerate(lengths):
            writer.add([number + 1] * (length - 1) + [0])
    return Shards.open(folder)


@given(
    lengths=st.lists(st.integers(2, 30), min_size=1, max_size=12),
    length=st.integers(5, 20),
    stop=st.integers(0, 6),
)
def test_whole_documents(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], length: int, stop: int
) -> None:
    shards = write(tmp_path_factory.mktemp("s"), lengths)
    packer = Packer(shards, length, 3, whole=True)
    found: list[tuple[int, int]] = []  # document, tokens of it in a row
    while packer.epoch == 0:
        row = next(packer)
        assert row.tokens.shape == (length + 1,)
        for count in range(int(row.documents.max()) + 1):
            inputs = row.tokens[:-1][row.documents == count]
            targets = row.loss[row.documents == count]
            if inputs[0] == 0 and not targets.any():
                continue  # what fills the row
            found.append((int(inputs[0]) - 1, int(targets.sum())))
    # A document that fits is one piece, with all its targets; a longer one is several.
    for document, targets in found:
        if lengths[document] <= length + 1:
            assert targets == lengths[document] - 1
    assert {document for document, _ in found} == set(range(len(lengths)))

    plain = list(islice(Packer(shards, length, 3, whole=True), 8))
    half = Packer(shards, length, 3, whole=True)
    rows = [next(half) for _ in range(stop)]
    rest = Packer(shards, length, 3, whole=True)
    rest.restore(json.loads(json.dumps(half.state())))
    rows += list(islice(rest, 8 - stop))
    assert all(map(same, plain, rows))


def test_what_is_left_of_a_row_is_no_target(tmp_path: Path) -> None:
    packer = Packer(write(tmp_path, [7, 7]), 10, whole=True)
    for _ in range(4):
        row = next(packer)
        assert row.tokens[:6].tolist() in ([1] * 6, [2] * 6)
        assert row.tokens[6:].tolist() == [0] * 5
        assert row.loss.tolist() == [1] * 6 + [0] * 4
        assert row.documents.tolist() == [0] * 7 + [1] * 3
