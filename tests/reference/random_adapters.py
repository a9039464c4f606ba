"""Random low-rank adapters for the random-weight models, as GGUF files and merged into weights.

    adapter = random_adapter(FAMILIES["llama"], rank=8, seed=1)
    write("poet.gguf", "llama", adapter)         # llama.cpp's format, by the gguf package
    merge(ReferenceModel.open(path), adapter).logits(tokens)

A change is about a fifth as large as the weights it changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, quants

from reference.forward import ReferenceModel
from reference.random_models import RandomModel

MATRICES = (
    "attn_q",
    "attn_k",
    "attn_v",
    "attn_output",
    "ffn_gate",
    "ffn_up",
    "ffn_down",
)


@dataclass(frozen=True)
class RandomAdapter:
    """Pairs by the name of their matrix: a [rank, columns], b [rows, rank], float32."""

    alpha: float
    pairs: dict[str, tuple[np.ndarray, np.ndarray]]

    def scale(self, name: str) -> float:
        return self.alpha / len(self.pairs[name][0])


def random_adapter(
    model: RandomModel,
    *,
    rank: int = 16,
    seed: int = 0,
    alpha: float = 32.0,
    matrices: Iterable[str] = MATRICES,
    strength: float = 0.2,
) -> RandomAdapter:
    rng = np.random.default_rng(seed)
    d, f, s = model.embedding, model.feed_forward, model.head_size
    shapes = {
        "attn_q": (model.heads * s, d),
        "attn_k": (model.kv_heads * s, d),
        "attn_v": (model.kv_heads * s, d),
        "attn_output": (d, model.heads * s),
        "ffn_gate": (f, d),
        "ffn_up": (f, d),
        "ffn_down": (d, f),
    }
    pairs = {}
    for layer in range(model.layers):
        for matrix in matrices:
            rows, columns = shapes[matrix]
            a = rng.standard_normal((rank, columns)) / math.sqrt(columns)
            b = rng.standard_normal((rows, rank)) * strength * math.sqrt(rank) / abs(alpha)
            name = f"blk.{layer}.{matrix}.weight"
            # As they are in an F16 file, so that every type of file holds the same values.
            pairs[name] = tuple(x.astype(np.float16).astype(np.float32) for x in (a, b))
    return RandomAdapter(alpha, pairs)


def write(
    path: str | Path,
    family: str,
    adapter: RandomAdapter,
    kind: GGMLQuantizationType = GGMLQuantizationType.F32,
) -> Path:
    writer = GGUFWriter(str(path), family)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", adapter.alpha)
    for name, pair in adapter.pairs.items():
        for part, values in zip("ab", pair, strict=True):
            raw = quants.quantize(values, kind)
            plain = kind in (GGMLQuantizationType.F32, GGMLQuantizationType.F16)
            if not plain:
                raw = raw.view(np.uint8)
            writer.add_tensor(f"{name}.lora_{part}", raw, raw_dtype=None if plain else kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return Path(path)


def merge(reference: ReferenceModel, adapter: RandomAdapter) -> ReferenceModel:
    """The model with the adapter in its weights, those float32."""
    tensors = dict(reference.tensors)
    for name, (a, b) in adapter.pairs.items():
        _, shape, _ = tensors[name]
        weight = reference.weight(name)
        assert weight is not None
        whole = weight + np.float32(adapter.scale(name)) * (b @ a)
        tensors[name] = (int(GGMLQuantizationType.F32), shape, whole.astype(np.float32))
    return ReferenceModel(reference.shape, tensors)
