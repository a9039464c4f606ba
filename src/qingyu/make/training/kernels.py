"""The elementwise parts of a decoder, forward and backward by hand: norm, rotation, SwiGLU.

    normed = rms_norm(hidden, weight, 1e-5)
    query = rotate(query, cosine, sine)
    inner = swiglu(gate, up)

What torch records op by op costs a pass over memory for each; on a CPU, where products run near
their peak, those passes are what is left to save. So each keeps its inputs only, computes in
float32, works on a block of rows that stays in the cache, and rounds once.

Shapes: N tokens, D embedding, F feed-forward, H heads, S head size.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

# Bytes of float32 that a block of rows takes: less than a core's second-level cache.
_BLOCK_BYTES = 1 << 19


def blocks(num_rows: int, width: int) -> range:
    """Where blocks of rows begin; their size is the step."""
    return range(0, num_rows, max(1, _BLOCK_BYTES // (4 * width)))


class _RmsNorm(Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        out = torch.empty_like(hidden)
        scale = torch.empty(len(hidden), 1, dtype=torch.float32, device=hidden.device)
        steps = blocks(*hidden.shape)
        for start in steps:
            here = slice(start, start + steps.step)
            block = hidden[here].float()
            mean = torch.linalg.vector_norm(block, dim=-1, keepdim=True).square_()
            scale[here] = mean.div_(hidden.shape[1]).add_(epsilon).rsqrt_()
            out[here] = (block * scale[here]).mul_(weight)
        ctx.save_for_backward(hidden, weight, scale)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None, None]:
        (gradient,) = gradients
        hidden, weight, scale = ctx.saved_tensors
        out = torch.empty_like(hidden)
        wanted = ctx.needs_input_grad[1]
        weight_out = torch.zeros_like(weight, dtype=torch.float32) if wanted else None
        steps = blocks(*hidden.shape)
        for start in steps:
            here = slice(start, start + steps.step)
            unit = hidden[here].float() * scale[here]
            into = gradient[here].to(torch.float32, copy=True)
            if weight_out is not None:
                weight_out += (into * unit).sum(0)
            into.mul_(weight)
            along = (into * unit).sum(-1, keepdim=True).div_(-hidden.shape[1])
            out[here] = into.addcmul_(unit, along).mul_(scale[here])
        return out, None if weight_out is None else weight_out.to(weight.dtype), None


class _Rotate(Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        ctx.save_for_backward(cosine, sine)
        return _turned(states, cosine, sine)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        cosine, sine = ctx.saved_tensors
        return _turned(gradients[0], cosine, -sine), None, None


def _turned(states: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    out = torch.empty_like(states, memory_format=torch.contiguous_format)
    num, heads, size = states.shape
    half = size // 2
    steps = blocks(num, heads * size)
    for start in steps:
        here = slice(start, start + steps.step)
        block = states[here].float()
        left, right = block[..., :half], block[..., half:]
        turn, across = cosine[here].unsqueeze(1), sine[here].unsqueeze(1)
        out[here, :, :half] = (left * turn).addcmul_(right, across, value=-1)
        out[here, :, half:] = (right * turn).addcmul_(left, across)
    return out


class _Swiglu(Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        out = torch.empty_like(gate)
        steps = blocks(*gate.shape)
        for start in steps:
            here = slice(start, start + steps.step)
            out[here] = functional.silu(gate[here].float()).mul_(up[here])
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,) = gradients
        gate, up = ctx.saved_tensors
        gate_out, up_out = torch.empty_like(gate), torch.empty_like(up)
        steps = blocks(*gate.shape)
        for start in steps:
            here = slice(start, start + steps.step)
            value, into = gate[here].float(), gradient[here].float()
            up_out[here] = functional.silu(value).mul_(into)
            gate_out[here] = torch.ops.aten.silu_backward(into * up[here], value)
        return gate_out, up_out


def apply(function: Any, *inputs: Any) -> Tensor:
    """torch's `Function.apply`, which has no types."""
    return cast(Tensor, function.apply(*inputs))


def rms_norm(hidden: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """hidden [N, D] to unit root mean square, times weight [D]."""
    return apply(_RmsNorm, hidden, weight, epsilon)


def rotate(states: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary positions in two halves, as Hugging Face has them: states [N, H, S], cosine and
    sine float32 [N, S / 2] (Su et al. 2021, arXiv:2104.09864)."""
    return apply(_Rotate, states, cosine, sine)


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """silu(gate) * up, [N, F] each (Shazeer 2020, arXiv:2002.05202)."""
    return apply(_Swiglu, gate, up)
