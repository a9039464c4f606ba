"""Low-rank adapters beside a loaded model.

    adapters = load_adapters({"poet": "poet.gguf"}, config, native_model)
    adapters["poet"].info.rank, adapters["poet"].native

Each is read, checked and copied into the core once; the base's weights are not copied. Which
sequence has which is for `core.py`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qingyu import _native
from qingyu.engine.results import AdapterInfo
from qingyu.errors import ModelFileError
from qingyu.models.adapter import AdapterFile, checked_name
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu._native import NativeAdapter, NativeModel
    from qingyu.models.family import ModelConfig


@dataclass(frozen=True, kw_only=True)
class LoadedAdapter:
    """What is said of it, and the core's own."""

    info: AdapterInfo
    native: NativeAdapter


def load_adapters(
    files: Mapping[str, str | os.PathLike[str]],
    config: ModelConfig,
    model: NativeModel,
    *,
    bits: int,
) -> dict[str, LoadedAdapter]:
    """Adapters by their names, in that order. bits: of a value in memory, 16 or 8.

    Raises InvalidRequestError for a name that cannot be, and what `AdapterFile` raises.
    """
    for name in files:
        checked_name(name)
    return {name: _load(name, Path(file), config, model, bits) for name, file in files.items()}


def _load(
    name: str, path: Path, config: ModelConfig, model: NativeModel, bits: int
) -> LoadedAdapter:
    with AdapterFile.open(path, config) as file:
        builder = _native.AdapterBuilder(model, bits)
        try:
            for pair in file.pairs:
                builder.add(pair.name, *file.matrices(pair), pair.scale)
            native = builder.build()
        except ValueError as error:
            # `AdapterFile` should have seen it.
            raise ModelFileError(
                pick(
                    f"{path.name}: the engine refuses it: {error}",
                    f"{path.name}：引擎拒绝加载：{error}",
                )
            ) from error
        info = AdapterInfo(
            name=name,
            path=path,
            file_bytes=file.size,
            weight_bytes=native.weight_bytes,
            rank=file.rank,
            alpha=file.alpha,
            matrices=len(file.pairs),
            parameters=file.parameters,
            sha256=file.sha256(),
        )
    return LoadedAdapter(info=info, native=native)
