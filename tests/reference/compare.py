"""How far two sets of logits are apart, and what they say about a text.

print(distance(ours, reference))     # Distance(cosine=..., kl=..., top1=...)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Distance:
    """Means over positions; `cosine_worst`, `kl_worst` and `largest` over the worst position."""

    cosine: float
    cosine_worst: float
    kl: float
    kl_worst: float
    top1: float
    largest: float


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """float64 [n, vocab] natural logarithms of the probabilities."""
    x = logits.astype(np.float64)
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def distance(logits: np.ndarray, reference: np.ndarray, *, chunk: int = 64) -> Distance:
    """Of logits [n, vocab] from the reference's: KL(reference || logits) in nats."""
    assert logits.shape == reference.shape, (logits.shape, reference.shape)
    cosine, kl, top1, largest = [], [], [], 0.0
    for start in range(0, len(logits), chunk):
        a = logits[start : start + chunk].astype(np.float64)
        b = reference[start : start + chunk].astype(np.float64)
        norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
        cosine.append((a * b).sum(axis=-1) / norms)
        log_a, log_b = log_softmax(a), log_softmax(b)
        kl.append((np.exp(log_b) * (log_b - log_a)).sum(axis=-1))
        top1.append(a.argmax(axis=-1) == b.argmax(axis=-1))
        largest = max(largest, float(np.abs(a - b).max()))
    cosines, kls = np.concatenate(cosine), np.concatenate(kl)
    return Distance(
        cosine=float(cosines.mean()),
        cosine_worst=float(cosines.min()),
        kl=float(kls.mean()),
        kl_worst=float(kls.max()),
        top1=float(np.concatenate(top1).mean()),
        largest=largest,
    )


def perplexity(logits: np.ndarray, tokens: np.ndarray) -> float:
    """Of tokens [n] under logits [n, vocab]: position i predicts token i + 1."""
    total = 0.0
    for start in range(0, len(tokens) - 1, 64):
        stop = min(start + 64, len(tokens) - 1)
        logs = log_softmax(logits[start:stop])
        total += logs[np.arange(stop - start), np.asarray(tokens)[start + 1 : stop + 1]].sum()
    return float(np.exp(-total / (len(tokens) - 1)))
