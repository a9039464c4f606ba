"""Networks out of training and into GGUF, in any of the types the engine is fast with.

    export_run(Path("runs/whisper"), Path("whisper.gguf"), "q4_k_m")
    export_network(network, Path("model.gguf"), "f16")

The file carries tokenizer, chat template, licence and where the model comes from, and is written
whole or not at all, a piece of a weight at a time. The same network gives the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qingyu.make import gguf_config
from qingyu.make.blocks import Encoder
from qingyu.make.gguf_writer import TensorPlan, write_gguf
from qingyu.make.network import (
    Floats,
    Network,
    gguf_name,
    rotated_rows,
    to_neighbours,
)
from qingyu.make.quantize import Bytes
from qingyu.make.run_network import read_run
from qingyu.make.tensor_types import choose
from qingyu.models.ggml_types import GGMLType
from qingyu.models.hashes import Progress, no_progress

_QUANTIZATION_VERSION = 2  # of ggml's block layouts


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A file that was written. types: GGML type name to number of tensors; notes for the user."""

    path: Path
    num_bytes: int
    parameters: int
    types: dict[str, int]
    notes: tuple[str, ...]


def export_run(
    run: Path,
    path: Path,
    type: str,
    *,
    checkpoint: str = "best",
    licence: str | None = None,
    threads: int = 1,
    progress: Progress = no_progress,
) -> Exported:
    """Write a run's checkpoint as a GGUF file; an adapter is merged into its base.

    type: one of `qingyu.make.tensor_types.EXPORT_TYPES`. licence: of the model, as an SPDX name;
    None keeps the base's. Raises as `read_run` and `export_network`.
    """
    network = read_run(run, checkpoint=checkpoint, progress=progress)
    return export_network(network, path, type, licence=licence, threads=threads, progress=progress)


def export_network(
    network: Network,
    path: Path,
    type: str,
    *,
    licence: str | None = None,
    threads: int = 1,
    progress: Progress = no_progress,
) -> Exported:
    """Write a network as a GGUF file.

    Raises InvalidRequestError for an unknown type or when `path` exists, DiskSpaceError,
    ModelFileError for weights that are not finite or beyond the type.
    """
    config = network.config
    chosen = choose(type, config)
    sizes, extra = gguf_config.to_metadata(config)
    about = dict(network.about)
    if licence is not None:
        about["general.license"] = licence
    metadata: dict[str, Any] = {
        "general.architecture": config.family,
        "general.type": "model",
        **about,
        "general.file_type": chosen.file_type,
        "general.quantization_version": _QUANTIZATION_VERSION,
        **sizes,
        **network.tokenizer,
    }
    with Encoder(threads=threads) as encoder:
        tensors = [_given(name, values) for name, values in extra.items()]
        tensors += [
            _plan(network, name, chosen.types[gguf_name(name)], encoder) for name in network.weights
        ]
        size = write_gguf(path, metadata, tensors, progress=progress)
    return Exported(
        path=path,
        num_bytes=size,
        parameters=sum(int(np.prod(weight.shape)) for weight in network.weights.values()),
        types=dict(Counter(tensor.type.name for tensor in tensors)),
        notes=(*network.notes, *chosen.notes),
    )


def _given(name: str, values: Floats) -> TensorPlan:
    return TensorPlan(name=name, type=GGMLType.F32, shape=values.shape, pieces=lambda: [values])


def _plan(network: Network, name: str, kind: GGMLType, encoder: Encoder) -> TensorPlan:
    weight = network.weights[name]
    head = rotated_rows(network.config, name)

    def pieces() -> Iterator[Bytes]:
        if not head:
            return encoder.pieces(name, weight, kind)
        return encoder.pieces(
            name, weight, kind, multiple=head, change=lambda rows: to_neighbours(rows, head)
        )

    return TensorPlan(name=gguf_name(name), type=kind, shape=weight.shape[::-1], pieces=pieces)
