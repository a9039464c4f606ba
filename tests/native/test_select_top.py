"""The core's partial sort against numpy's full one."""

from __future__ import annotations

import numpy as np
import pytest

from qingyu import _native


def check(logits: np.ndarray, count: int) -> None:
    ids, values = _native.select_top(logits, count)
    expected = np.lexsort((np.arange(len(logits)), -logits))[:count]
    assert ids.dtype == np.int32
    assert values.dtype == np.float32
    assert np.array_equal(ids, expected)
    assert np.array_equal(values, logits[expected])


@pytest.mark.parametrize("size", [1, 2, 15, 16, 17, 300, 49152])
def test_largest_first_and_ties_by_the_smaller_id(size: int) -> None:
    rng = np.random.default_rng(size)
    plain = rng.standard_normal(size).astype(np.float32)
    for logits in (plain, plain.round(1), np.zeros(size, np.float32), np.sort(plain)):
        for count in sorted({1, min(5, size), min(40, size), size}):
            check(logits, count)


def test_infinities() -> None:
    """A constraint's mask is minus infinity."""
    logits = np.array([-np.inf, 1, np.inf, -np.inf, 2], np.float32)
    check(logits, 5)


def test_not_a_number_does_not_hang_or_crash() -> None:
    logits = np.full(100, np.nan, np.float32)
    logits[7] = 3
    ids, _ = _native.select_top(logits, 3)
    assert len(set(ids.tolist())) == 3
    assert 0 <= ids.min() <= ids.max() < 100


@pytest.mark.parametrize("count", [-1, 5])
def test_impossible_counts(count: int) -> None:
    with pytest.raises(ValueError, match=str(count)):
        _native.select_top(np.zeros(4, np.float32), count)
