"""Hands a reference model's tensors to the native core, past all of the Python above it.

core = build(ReferenceModel.open(path), instruction_set="portable")
logits = run(core, [1, 2, 3])
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import numpy as np

from qingyu import _native
from reference.forward import ReferenceModel


def build(
    reference: ReferenceModel, *, instruction_set: str = "", threads: int = 1
) -> _native.NativeModel:
    """The same weights in the core."""
    builder = _native.ModelBuilder(
        **asdict(reference.shape), instruction_set=instruction_set, threads=threads
    )
    for name, (kind, shape, raw) in reference.tensors.items():
        builder.add(name, kind, shape, np.ascontiguousarray(raw).view(np.uint8).reshape(-1))
    return builder.build()


def forward(
    context: _native.NativeContext,
    tokens: Sequence[int] | np.ndarray,
    *,
    sequence: int | Sequence[int],
    outputs: Iterable[int] | None = None,
) -> np.ndarray:
    """One call of the core: logits after `outputs` (default: after every token)."""
    count = len(tokens)
    return context.forward(
        np.asarray(tokens, np.int32),
        np.broadcast_to(np.asarray(sequence, np.int32), (count,)).copy(),
        np.asarray(range(count) if outputs is None else list(outputs), np.int32),
    )


def chunked(
    context: _native.NativeContext, tokens: Sequence[int] | np.ndarray, size: int, *, sequence: int
) -> np.ndarray:
    """Logits after every token, `size` tokens per call."""
    parts = [
        forward(context, tokens[start : start + size], sequence=sequence)
        for start in range(0, len(tokens), size)
    ]
    return np.concatenate(parts)


def run(
    model: _native.NativeModel,
    tokens: Sequence[int] | np.ndarray,
    *,
    threads: int = 1,
    activation_bits: int = 8,
) -> np.ndarray:
    """Logits float32 [n, vocab] of a fresh sequence in one call."""
    context = _native.NativeContext(
        model, max_tokens=len(tokens) + 1, threads=threads, activation_bits=activation_bits
    )
    return forward(context, tokens, sequence=context.create())
