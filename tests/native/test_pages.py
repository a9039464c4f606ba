"""Key-value pages: counted, shared, given back; running out changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from gguf import GGMLQuantizationType as T

from qingyu import _native
from reference.core import build, forward, run


@pytest.fixture(scope="module")
def model(reference) -> _native.NativeModel:
    return build(reference("llama", T.Q4_0))


@pytest.fixture
def context(model) -> _native.NativeContext:
    return _native.NativeContext(model, max_tokens=4 * 32, threads=1)


def test_sizes(model, context) -> None:
    assert context.page_tokens == 32
    assert context.pages_total == 4
    assert context.pages_free == 4
    # Keys and values, 2 layers, 2 heads of 64, two bytes each and a scale of four.
    assert model.kv_bytes_per_token == 2 * 2 * (2 * 64 * 2 + 8)


@pytest.mark.parametrize(("tokens", "pages"), [(1, 1), (32, 1), (33, 2), (1000, 32)])
def test_max_tokens_is_rounded_up_to_pages(model, tokens: int, pages: int) -> None:
    assert _native.NativeContext(model, max_tokens=tokens, threads=1).pages_total == pages


def test_a_page_is_taken_when_its_first_token_comes(context) -> None:
    sequence = context.create()
    assert context.pages_free == 4
    for count, free in ((1, 3), (31, 3), (1, 2), (31, 2), (33, 0)):
        forward(context, [1] * count, sequence=sequence, outputs=[])
        assert context.pages_free == free
    assert context.length(sequence) == 97


def test_drop_gives_everything_back(context) -> None:
    for _ in range(3):
        sequence = context.create()
        forward(context, range(100), sequence=sequence, outputs=[])
        assert context.pages_free == 0
        context.drop(sequence)
        assert context.pages_free == 4


def test_truncate_gives_whole_pages_back(context) -> None:
    sequence = context.create()
    forward(context, range(100), sequence=sequence, outputs=[])
    for length, free in ((100, 0), (97, 0), (96, 1), (65, 1), (33, 2), (1, 3), (0, 4)):
        context.truncate(sequence, length)
        assert context.pages_free == free, length


def test_fork_shares_whole_pages(context) -> None:
    parent = context.create()
    forward(context, range(64), sequence=parent, outputs=[])
    children = [context.fork(parent, 64) for _ in range(20)]
    assert context.pages_free == 2
    forward(context, [1], sequence=children[0], outputs=[])
    assert context.pages_free == 1
    context.drop(parent)
    for child in children[1:]:
        context.drop(child)
    assert context.pages_free == 1
    context.drop(children[0])
    assert context.pages_free == 4


def test_fork_inside_a_page_needs_at_most_one_more(context) -> None:
    parent = context.create()
    forward(context, range(40), sequence=parent, outputs=[])
    child = context.fork(parent, 40)
    assert context.pages_free >= 1
    forward(context, [1], sequence=child, outputs=[])
    assert context.pages_free == 1
    context.drop(child)
    assert context.pages_free == 2


def test_running_out_changes_nothing(model, context) -> None:
    tokens = np.arange(129)
    whole = run(model, tokens[:100])
    first, second = context.create(), context.create()
    forward(context, tokens[:60], sequence=first, outputs=[])
    forward(context, tokens[:30], sequence=second, outputs=[])
    assert context.pages_free == 1
    # 5 tokens of one fit in its page and the free one; together with the other's 40 they do not.
    with pytest.raises(MemoryError):
        forward(context, [*tokens[60:65], *tokens[30:70]], sequence=[first] * 5 + [second] * 40)
    with pytest.raises(MemoryError):
        forward(context, tokens[60:129], sequence=first)
    assert (context.length(first), context.length(second)) == (60, 30)
    assert context.pages_free == 1
    assert np.array_equal(forward(context, tokens[60:96], sequence=first), whole[60:96])
    assert np.array_equal(forward(context, tokens[30:32], sequence=second), whole[30:32])
    assert context.pages_free == 0
    with pytest.raises(MemoryError):
        forward(context, tokens[:1], sequence=first)
    context.drop(second)
    assert np.array_equal(forward(context, tokens[96:100], sequence=first), whole[96:100])


def test_no_page_for_a_copied_page(context) -> None:
    """A fork inside a page may need a page of its own: now, or when it is written to."""
    parent = context.create()
    forward(context, range(127), sequence=parent, outputs=[])
    assert context.pages_free == 0
    try:
        child = context.fork(parent, 120)
    except MemoryError:
        pass
    else:
        with pytest.raises(MemoryError):
            forward(context, [1], sequence=child)
        assert context.length(child) == 120
        context.drop(child)
    assert context.length(parent) == 127
    assert context.pages_free == 0
    forward(context, [5], sequence=parent, outputs=[])


def test_restore_into_a_full_context(model, context) -> None:
    sequence = context.create()
    forward(context, range(70), sequence=sequence, outputs=[])
    saved = context.save(sequence)
    assert context.pages_free == 1
    with pytest.raises(MemoryError):
        context.restore(saved)
    assert context.pages_free == 1
    context.drop(sequence)
    assert context.length(context.restore(saved)) == 70


def test_many_empty_sequences_cost_no_pages(context) -> None:
    sequences = [context.create() for _ in range(1000)]
    assert len(set(sequences)) == 1000
    assert context.pages_free == 4
    for sequence in sequences:
        context.drop(sequence)


def test_context_outlives_the_name_of_its_model(reference) -> None:
    context = _native.NativeContext(build(reference("llama", T.Q8_0)), max_tokens=64, threads=2)
    assert np.isfinite(forward(context, [1, 2, 3], sequence=context.create())).all()


def test_two_contexts_share_a_model(model) -> None:
    first = _native.NativeContext(model, max_tokens=64, threads=1)
    second = _native.NativeContext(model, max_tokens=64, threads=2)
    a, b = first.create(), second.create()
    for token in range(20):
        ours = forward(first, [token], sequence=a)
        assert np.array_equal(ours, forward(second, [token], sequence=b))
