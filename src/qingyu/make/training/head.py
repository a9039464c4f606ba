"""The loss: final product with the vocabulary and cross entropy, a piece of the tokens at a time.

    loss = head_loss(hidden, weight, targets, weights)     # a sum; weights hold 1 / targets

The logits of a micro-batch are its largest tensor by far (4096 tokens of 49152 words are 800 MB
in float32). Here a piece of some thousand tokens is multiplied, its probabilities computed a
few rows at a time in float32, and its gradient written over the logits and multiplied on at
once, in the forward: nothing of the size of the vocabulary is kept but the weight's gradient,
and no product is computed twice (as in Liger, Hsu et al. 2024, arXiv:2410.10989).

With a teacher, each token's loss is (1 - a) cross entropy + a KL(teacher || student), where the
teacher's distribution is its k likeliest tokens and one more for all the others together.

Shapes: N tokens, D embedding, V vocabulary, C tokens of a piece, B rows at a time, K of teacher.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from qingyu.make.training.kernels import apply

# Logits of a piece, in bytes; and float32 probabilities at a time, within a core's cache.
_PIECE_BYTES = 256 << 20
_ROWS_BYTES = 2 << 20
_TINY = 1e-30


@dataclass(frozen=True, kw_only=True)
class Teaching:
    """tokens int64 and log_probs float32 [N, K] of the teacher; share: its part of the loss."""

    tokens: Tensor
    log_probs: Tensor
    share: float

    def to(self, device: torch.device) -> Teaching:
        tokens, log_probs = self.tokens.to(device), self.log_probs.to(device)
        return replace(self, tokens=tokens, log_probs=log_probs)

    def at(self, rows: slice | Tensor) -> Teaching:
        return replace(self, tokens=self.tokens[rows], log_probs=self.log_probs[rows])


def head_loss(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    weights: Tensor,
    teaching: Teaching | None = None,
) -> Tensor:
    """The weighted sum of the tokens' losses in nats, float32.

    hidden [N, D], weight [V, D], targets int64 [N], weights float32 [N].
    """
    counted = weights.count_nonzero()
    if counted < 0.9 * len(weights):
        kept = weights.nonzero().squeeze(1)
        hidden, targets, weights = hidden[kept], targets[kept], weights[kept]
        teaching = teaching and teaching.at(kept)
    return apply(_HeadLoss, hidden, weight, targets, weights, teaching)


class _HeadLoss(Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        targets: Tensor,
        weights: Tensor,
        teaching: Teaching | None,
    ) -> Tensor:
        wants_hidden, wants_weight = ctx.needs_input_grad[:2]
        size = max(1, _PIECE_BYTES // (weight.shape[0] * weight.element_size()))
        starts = range(0, len(hidden), size)
        hidden_out = torch.empty_like(hidden) if wants_hidden else None
        weight_out: Tensor | None = None
        loss = torch.zeros((), dtype=torch.float64, device=hidden.device)
        for start in starts:
            here = slice(start, start + size)
            logits = hidden[here] @ weight.T
            taught = teaching and teaching.at(here)
            loss += _loss_into_gradient(logits, targets[here], weights[here], taught)
            if hidden_out is not None:
                torch.mm(logits, weight, out=hidden_out[here])
            if wants_weight:
                found = logits.T @ hidden[here]
                if weight_out is None:
                    weight_out = found if len(starts) == 1 else found.float()
                else:
                    weight_out += found
        ctx.save_for_backward(hidden_out, None if weight_out is None else weight_out.to(weight))
        return loss.float()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        found = []
        for one in ctx.saved_tensors:
            scaled = one is not None and gradients[0] != 1
            found.append(one * gradients[0].to(one.dtype) if scaled else one)
        return found[0], found[1], None, None, None


def _loss_into_gradient(
    logits: Tensor, targets: Tensor, weights: Tensor, teaching: Teaching | None
) -> Tensor:
    """Replace logits [C, V] by the loss's gradient with respect to them; the loss, float64."""
    rows = max(1, _ROWS_BYTES // (4 * logits.shape[1]))
    total = torch.zeros((), dtype=torch.float64, device=logits.device)
    for start in range(0, len(logits), rows):
        here = slice(start, start + rows)
        block, aims, scale = logits[here], targets[here, None], weights[here, None]
        probabilities = torch.softmax(block, -1, dtype=torch.float32)
        largest, place = probabilities.max(-1, keepdim=True)
        normalizer = block.gather(1, place).float() - largest.log()
        losses = normalizer - block.gather(1, aims).float()
        ones = scale
        if teaching is not None:
            part = teaching.at(here)
            known, others = _teach(probabilities, block, normalizer, part, losses)
            ones = (1 - part.share) * scale
        torch.mul(probabilities, scale, out=block)
        if teaching is not None:
            # What the teacher adds, on top of the student's probabilities.
            block.mul_(1 - part.share * others)
            own = probabilities.gather(1, part.tokens)
            block.scatter_(1, part.tokens, ((own - part.share * known) * scale).to(block.dtype))
        block.scatter_add_(1, aims, -ones.to(block.dtype))
        total += (losses * scale).sum(dtype=torch.float64)
    return total


def _teach(
    probabilities: Tensor, logits: Tensor, normalizer: Tensor, teaching: Teaching, losses: Tensor
) -> tuple[Tensor, Tensor]:
    """Mix KL(teacher || student) into losses [B, 1]. What its gradient needs: the teacher's
    probabilities [B, K], and what the rest of it has per probability of the student's rest [B, 1].

    With q the student's and p the teacher's probabilities, r for all tokens without their own p:
    KL = sum p (log p - log q) + p_r (log p_r - log q_r); its gradient with respect to the logits
    is q - p for those with a p of their own, and q (1 - p_r / q_r) for the others.
    """
    known = teaching.log_probs.exp()
    rest = (1 - known.sum(-1, keepdim=True)).clamp_min(0.0)
    own_rest = (1 - probabilities.gather(1, teaching.tokens).sum(-1, keepdim=True)).clamp_min(_TINY)
    own = logits.gather(1, teaching.tokens).float() - normalizer
    divergence = (known * (teaching.log_probs - own)).sum(-1, keepdim=True)
    divergence += rest * (rest.clamp_min(_TINY).log() - own_rest.log())
    losses.lerp_(divergence, teaching.share)
    return known, rest / own_rest
