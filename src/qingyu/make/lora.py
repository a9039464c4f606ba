"""A low-rank adapter merged into a network: weight + scale * B A, a piece of rows at a time.

    network = merged(base, Path("runs/tuned/checkpoints/step-00000100"))

Adapters have peft's names and files: adapter_config.json, adapter_model.safetensors
(base_model.model.NAME.lora_A.weight [rank, columns], lora_B.weight [rows, rank]). Kinds of adapter
that are more than that are refused (Hu et al. 2021, arXiv:2106.09685).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from qingyu.errors import ModelFileError, UnsupportedModelError
from qingyu.make.json_files import read_object
from qingyu.make.network import Floats, Network, Weight
from qingyu.make.safetensors_file import SafetensorsFile
from qingyu.models.ggml_types import GGMLType
from qingyu.text import pick

ADAPTER_FILE = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
# Keys of adapter_config.json that change what is computed.
_MORE_THAN_LORA = (
    "use_dora", "use_qalora", "fan_in_fan_out", "rank_pattern", "alpha_pattern", "lora_bias",
    "layer_replication", "alora_invocation_tokens", "trainable_token_indices",
)  # fmt: skip
_PREFIX = "base_model.model."
_PARTS = (".lora_A.weight", ".lora_B.weight")


def merged(base: Network, folder: Path) -> Network:
    """The base with the folder's adapter in its weights, which become float32.

    Raises ModelFileError when the adapter does not fit the base, UnsupportedModelError for
    adapters that are more than two matrices.
    """
    settings = read_object(folder / ADAPTER_CONFIG)
    _refuse_other_kinds(folder, settings)
    file = SafetensorsFile.open(folder / ADAPTER_FILE)
    weights = dict(base.weights)
    for target in sorted({_target(folder, name) for name in file.tensors}):
        if target not in weights:
            raise _wrong(
                folder,
                f"the base has no weight {target[:200]!r}",
                f"基础模型没有权重 {target[:200]!r}",
            )
        weights[target] = _merged(folder, settings, file, target, weights[target])
    config = replace(base.config, dtype=GGMLType.F32)
    return replace(base, config=config, weights=weights)


def _merged(
    folder: Path, settings: Mapping[str, Any], file: SafetensorsFile, target: str, weight: Weight
) -> Weight:
    stem = _PREFIX + target.removesuffix(".weight")
    a, b = (stem + part for part in _PARTS)
    if a not in file.tensors or b not in file.tensors:
        raise _wrong(folder, f"only one half of {stem}", f"{stem} 只有一半")
    a_shape, b_shape = file.tensors[a].shape, file.tensors[b].shape
    rank = a_shape[0]
    if len(weight.shape) != 2 or a_shape != (rank, weight.shape[1]) or b_shape != (
        weight.shape[0], rank,
    ):  # fmt: skip
        raise _wrong(
            folder,
            f"{stem}: {list(a_shape)} and {list(b_shape)} do not fit {list(weight.shape)}",
            f"{stem}：{list(a_shape)} 和 {list(b_shape)} 与 {list(weight.shape)} 不符",
        )
    scale = _scale(folder, settings, stem, rank)
    a_rows = file.rows(a, 0, rank) * scale

    def rows(first: int, last: int) -> Floats:
        return weight.rows(first, last) + file.rows(b, first, last) @ a_rows

    return replace(weight, type=GGMLType.F32, rows=rows)


def _scale(folder: Path, settings: Mapping[str, Any], stem: str, rank: int) -> float:
    alpha = settings.get("lora_alpha", 8)
    if type(alpha) not in (int, float) or not math.isfinite(alpha):
        raise _wrong(folder, f"lora_alpha is {alpha!r}", f"lora_alpha 是 {alpha!r}")
    return float(alpha) / (math.sqrt(rank) if settings.get("use_rslora") else rank)


def _target(folder: Path, name: str) -> str:
    for part in _PARTS:
        if name.startswith(_PREFIX) and name.endswith(part):
            return name.removeprefix(_PREFIX).removesuffix(part) + ".weight"
    raise UnsupportedModelError(
        pick(
            f"{folder.name}: {name[:200]!r} is no part of a low-rank adapter",
            f"{folder.name}：{name[:200]!r} 不是低秩适配器的一部分",
        )
    )


def _refuse_other_kinds(folder: Path, settings: Mapping[str, Any]) -> None:
    odd = [key for key in _MORE_THAN_LORA if settings.get(key)]
    if settings.get("peft_type", "LORA") != "LORA":
        odd.append(f"peft_type {settings['peft_type']!r}")
    if settings.get("bias", "none") != "none":
        odd.append("bias")
    if odd:
        raise UnsupportedModelError(
            pick(
                f"{folder.name}: an adapter with {', '.join(odd)}; plain LoRA can be merged",
                f"{folder.name}：适配器使用了 {'、'.join(odd)}；只能合并普通的 LoRA",
            )
        )


def _wrong(folder: Path, english: str, chinese: str) -> ModelFileError:
    return ModelFileError(pick(f"{folder.name}: {english}", f"{folder.name}：{chinese}"))
