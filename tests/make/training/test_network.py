"""The forward that training uses, against transformers' own and against torch's autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from qingyu.make.family import DecoderConfig, build
from qingyu.make.shards import Row
from qingyu.make.training import attention, head
from qingyu.make.training.attention import arrange, attend, attend_by_torch
from qingyu.make.training.batches import MicroBatch, micro_batch
from qingyu.make.training.head import Teaching, head_loss
from qingyu.make.training.kernels import rms_norm, rotate, swiglu
from qingyu.make.training.network import packed

SIZES = DecoderConfig(
    vocab_size=97, embedding_size=48, feed_forward_size=80, num_layers=3, num_heads=6,
    num_kv_heads=2, context_length=64,
)  # fmt: skip


def some_batch(lengths: tuple[tuple[int, ...], ...] = ((20, 1, 11), (32,))) -> MicroBatch:
    """Rows of documents of these lengths, some targets left out."""
    random = np.random.default_rng(0)
    rows = []
    for row in lengths:
        total = sum(row)
        numbers = np.repeat(np.arange(len(row)), row).astype(np.int32)
        loss = random.integers(0, 4, total).astype(bool).astype(np.uint8)
        loss[np.flatnonzero(np.diff(numbers))] = 0
        tokens = random.integers(0, SIZES.vocab_size, total + 1).astype(np.int32)
        rows.append(Row(tokens=tokens, loss=loss, documents=numbers))
    return micro_batch(rows)


def reference_loss(network: torch.nn.Module, batch: MicroBatch) -> torch.Tensor:
    """transformers' own forward, one document at a time."""
    total = torch.zeros((), dtype=torch.float64)
    for first, length in batch.pieces:
        here = slice(first, first + length)
        logits = network(input_ids=batch.tokens[None, here]).logits[0]
        losses = functional.cross_entropy(logits, batch.targets[here], reduction="none")
        total = total + (losses.double() * batch.weights[here]).sum()
    return total


@pytest.mark.parametrize("recompute", [False, True])
def test_loss_and_gradients_are_those_of_transformers(recompute: bool) -> None:
    batch = some_batch()
    plain = build(SIZES, seed=1)
    ours = packed(build(SIZES, seed=1), recompute=recompute)
    expected = reference_loss(plain, batch)
    expected.backward()
    found = ours(batch, 0.25)
    (4 * found).backward()
    assert float(found.detach()) * 4 == pytest.approx(float(expected.detach()), rel=1e-5)
    theirs = dict(plain.named_parameters())
    for name, weight in ours.named_parameters():
        wanted = theirs[name].grad
        assert weight.grad is not None
        assert wanted is not None
        assert torch.allclose(weight.grad, wanted, rtol=1e-3, atol=2e-5 * float(wanted.abs().max()))
    with torch.no_grad():
        assert float(ours(batch, 1.0)) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_bfloat16_is_near() -> None:
    batch = some_batch()
    wide, narrow = packed(build(SIZES, seed=1)), packed(build(SIZES, seed=1).bfloat16())
    one, two = wide(batch, 1 / batch.num_targets), narrow(batch, 1 / batch.num_targets)
    one.backward()
    two.backward()
    assert float(two.detach()) == pytest.approx(float(one.detach()), rel=5e-3)
    for (name, first), (_, second) in zip(
        wide.named_parameters(), narrow.named_parameters(), strict=True
    ):
        assert first.grad is not None
        assert second.grad is not None
        off = torch.linalg.vector_norm(first.grad - second.grad.float())
        assert off < 0.05 * torch.linalg.vector_norm(first.grad), name


def test_documents_do_not_see_each_other() -> None:
    batch = some_batch()
    network = packed(build(SIZES, seed=1))
    before = network.hidden(batch)
    batch.tokens[:20].add_(1).remainder_(SIZES.vocab_size)
    after = network.hidden(batch)
    assert not torch.equal(before[:20], after[:20])
    assert torch.equal(before[20:], after[20:])


@pytest.mark.parametrize("block", [4, 256])
def test_attention_against_torch(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "_BLOCK", block)
    torch.manual_seed(0)
    pieces = ((0, 1), (1, 10), (11, 12))
    query, key, value = (torch.randn(23, heads, 8, requires_grad=True) for heads in (6, 2, 2))
    into = torch.randn(23, 6, 8)
    documents = arrange(pieces)
    assert [(group.first, group.length) for group in documents.groups] == (
        [(0, 23)] if block == 256 else [(0, 1), (1, 10), (11, 12)]
    )
    found, wanted = (
        torch.autograd.grad(out, (query, key, value), into)
        for out in (
            attend(query, key, value, documents),
            attend_by_torch(query, key, value, pieces),
        )
    )
    for one, two in zip(found, wanted, strict=True):
        assert torch.allclose(one, two, atol=1e-5)


def test_kernels_against_autograd(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    hidden, weight, into = (
        torch.randn(*shape, dtype=torch.float32, requires_grad=True)
        for shape in ((70, 16), (16,), (70, 16))
    )

    def same(one: torch.Tensor, two: torch.Tensor, *inputs: torch.Tensor) -> None:
        assert torch.allclose(one, two, atol=1e-5)
        out = torch.ones_like(one) * torch.arange(one.shape[-1])
        for left, right in zip(
            torch.autograd.grad(one, inputs, out), torch.autograd.grad(two, inputs, out),
            strict=True,
        ):  # fmt: skip
            assert torch.allclose(left, right, atol=1e-4)

    monkeypatch.setattr("qingyu.make.training.kernels._BLOCK_BYTES", 16 * 4 * 16)
    same(
        rms_norm(hidden, weight, 1e-5),
        functional.rms_norm(hidden, (16,), weight, 1e-5),
        hidden,
        weight,
    )
    same(swiglu(hidden, into), functional.silu(hidden) * into, hidden, into)
    angles = torch.rand(70, 4)
    heads = hidden.view(70, 2, 8)
    turned = torch.cat([-heads[..., 4:], heads[..., :4]], -1)
    whole = torch.cat([angles, angles], -1)[:, None]
    same(
        rotate(heads, angles.cos(), angles.sin()), heads * whole.cos() + turned * whole.sin(), heads
    )


def loss_with_teacher(
    hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, teaching: Teaching
) -> torch.Tensor:
    """Written plainly, for autograd."""
    logs = functional.log_softmax(hidden @ weight.T, -1)
    own = logs.gather(1, teaching.tokens)
    known = teaching.log_probs.exp()
    rest, own_rest = 1 - known.sum(-1), 1 - own.exp().sum(-1)
    kl = (known * (teaching.log_probs - own)).sum(-1) + rest * (rest.log() - own_rest.log())
    return (1 - teaching.share) * -logs.gather(1, targets[:, None])[:, 0] + teaching.share * kl


@pytest.mark.parametrize("taught", [False, True])
def test_the_head_in_pieces(taught: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "_PIECE_BYTES", 7 * 50 * 4)
    monkeypatch.setattr(head, "_ROWS_BYTES", 3 * 50 * 4)
    torch.manual_seed(0)
    hidden = torch.randn(30, 12, requires_grad=True)
    weight = torch.randn(50, 12, requires_grad=True)
    targets = torch.randint(0, 50, (30,))
    weights = torch.rand(30) * (torch.rand(30) > 0.3)
    likeliest = torch.randn(30, 50).log_softmax(-1).topk(5)
    teaching = Teaching(tokens=likeliest.indices, log_probs=likeliest.values, share=0.7)
    if taught:
        losses = loss_with_teacher(hidden, weight, targets, teaching)
    else:
        losses = functional.cross_entropy(hidden @ weight.T, targets, reduction="none")
    wanted = (losses * weights).sum()
    found = head_loss(hidden, weight, targets, weights, teaching if taught else None)
    assert float(found.detach()) == pytest.approx(float(wanted.detach()), rel=1e-5)
    for one, two in zip(
        torch.autograd.grad(2 * found, (hidden, weight)),
        torch.autograd.grad(2 * wanted, (hidden, weight)),
        strict=True,
    ):
        assert torch.allclose(one, two, atol=1e-5)


def test_a_loss_far_away_is_a_number() -> None:
    hidden, weight = torch.tensor([[300.0]]), torch.tensor([[1.0], [-1.0]])
    loss = head_loss(hidden, weight, torch.tensor([1]), torch.ones(1))
    assert float(loss) == pytest.approx(600.0)
