"""A low-rank adapter out of training into a GGUF file that the engine, and llama.cpp, load.

    write_adapter(Path("runs/poet"), Path("poet.gguf"), base="default")

Read are the folder of a run that trained an adapter, and folders as peft writes them:
adapter_config.json and adapter_model.safetensors. What is more than two matrices beside a weight
(Hu et al. 2021, arXiv:2106.09685) is refused by name. Rows of lora_b follow the rows of their
weight, so those of query and key are in GGUF's order for rotary positions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qingyu.errors import InvalidRequestError, ModelFileError, UnsupportedModelError
from qingyu.make.gguf_writer import TensorPlan, write_gguf
from qingyu.make.json_files import read_object
from qingyu.make.lora import ADAPTER_CONFIG, ADAPTER_FILE
from qingyu.make.network import to_neighbours
from qingyu.make.run_network import STATE, check_digest, checkpoint_folder, is_run
from qingyu.make.safetensors_file import SafetensorsFile
from qingyu.models.adapter import matrix_shape
from qingyu.models.family import FAMILIES, ModelConfig, describe
from qingyu.models.ggml_types import GGMLType
from qingyu.models.gguf import GGUFFile
from qingyu.models.store import locate
from qingyu.text import pick

TYPES = {"f32": GGMLType.F32, "f16": GGMLType.F16, "bf16": GGMLType.BF16}

_MATRICES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_ROTATED = ("attn_q", "attn_k")
_TENSOR = re.compile(
    r"(?:base_model\.model\.)?((?:model\.)?layers\.([0-9]{1,4})\.([a-z_.]+))\.lora_([AB])\.weight"
)
# Settings that make an adapter more than two matrices, or its base another model.
_REFUSED = ("use_dora", "fan_in_fan_out", "lora_bias", "layer_replication", "modules_to_save",
            "trainable_token_indices", "target_parameters", "alora_invocation_tokens",
            "megatron_config")  # fmt: skip
_CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga", "mica")

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One changed matrix, by its GGUF name: a [rank, columns] and b [rows, rank], rows in GGUF's
    order."""

    name: str
    a: Floats
    b: Floats


def write_adapter(
    source: Path,
    path: Path,
    *,
    base: str | Path,
    type: str = "f32",
    checkpoint: str = "best",
) -> int:
    """Write the adapter of a run or a peft folder as a GGUF file; its size in bytes.

    base: the model it is for, as `qingyu.load` takes it. type: "f32", "f16" or "bf16".
    checkpoint: of a run, "best", "last" or a folder's name.
    Raises UnsupportedModelError for adapters of another kind or for other matrices, ModelFileError
    for what is damaged or does not fit the base, HashMismatchError, ModelNotFoundError,
    InvalidRequestError when `path` exists or the type is unknown.
    """
    with GGUFFile.open(locate(base)) as gguf:
        config = describe(gguf)
    folder = source
    if is_run(source):
        folder = checkpoint_folder(source, checkpoint)
        if (folder / ADAPTER_FILE).exists():
            check_digest(folder / ADAPTER_FILE, read_object(folder / STATE))
    settings = read_object(folder / ADAPTER_CONFIG)
    _refuse_other_kinds(folder, settings)
    alpha, pairs = _read(folder, settings, config)
    return write_pairs(path, config, alpha, pairs, type=type, name=source.resolve().name)


def base_of(source: Path) -> str:
    """The model that a run's adapter was trained on, by its config.

    Raises InvalidRequestError for other folders: peft's say where the base was, not what it is.
    """
    start = read_object(source / "config.json").get("start") if is_run(source) else None
    model = start.get("model") if isinstance(start, dict) else None
    if not isinstance(model, str):
        raise InvalidRequestError(
            pick(
                f"{source} does not say which model its adapter is for; name it with --base",
                f"{source} 没有说明适配器所属的模型；请用 --base 指定",
            ),
            param="base",
        )
    return model


def write_pairs(
    path: Path,
    base: ModelConfig,
    alpha: float,
    pairs: list[Pair],
    *,
    type: str = "f32",
    name: str = "",
) -> int:
    """Write an adapter from its matrices; its size in bytes. Each product counts alpha / rank.

    Raises InvalidRequestError when `path` exists or for an unknown type, ModelFileError for values
    that are not finite in it.
    """
    if type not in TYPES:
        raise InvalidRequestError(
            pick(
                f"there is no type {type!r} for adapters; there are {', '.join(TYPES)}",
                f"适配器没有类型 {type!r}；可选的有 {', '.join(TYPES)}",
            ),
            param="type",
        )
    metadata: dict[str, Any] = {
        "general.architecture": base.family,
        "general.type": "adapter",
        "general.name": name or path.stem,
        "general.base_model.count": 1,
        "general.base_model.0.name": base.name,
        "adapter.type": "lora",
        "adapter.lora.alpha": float(alpha),
    }
    plans = [
        _plan(f"{pair.name}.lora_{letter}", values, TYPES[type])
        for pair in pairs
        for letter, values in (("a", pair.a), ("b", pair.b))
    ]
    return write_gguf(path, metadata, plans)


def _plan(name: str, values: Floats, kind: GGMLType) -> TensorPlan:
    stored: NDArray[Any] = np.ascontiguousarray(values, dtype="<f4")
    with np.errstate(over="ignore"):
        if kind is GGMLType.F16:
            stored = stored.astype("<f2")
    if not np.isfinite(stored).all():
        raise ModelFileError(
            pick(
                f"{name} holds values that are not finite as {kind.name}",
                f"{name} 含有无法用 {kind.name} 表示的值",
            )
        )
    if kind is GGMLType.BF16:
        bits = stored.view(np.uint32)
        # To nearest, ties to even.
        stored = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2")
    return TensorPlan(name=name, type=kind, shape=values.shape[::-1], pieces=lambda: [stored])


def _refuse_other_kinds(folder: Path, settings: Mapping[str, Any]) -> None:
    odd = [key for key in _REFUSED if settings.get(key)]
    if settings.get("peft_type", "LORA") != "LORA":
        odd.append(f"peft_type {settings['peft_type']!r}")
    if settings.get("bias", "none") != "none":
        odd.append(f"bias {settings['bias']!r}")
    start = settings.get("init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(_CHANGES_BASE):
        odd.append(f"init_lora_weights {start!r}")
    if odd:
        raise UnsupportedModelError(
            pick(
                f"{folder}: an adapter with {', '.join(odd)}; only plain LoRA can be written",
                f"{folder}：适配器使用了 {'、'.join(odd)}；只能写出普通的 LoRA",
            )
        )


def _read(folder: Path, settings: Mapping[str, Any], base: ModelConfig) -> tuple[float, list[Pair]]:
    """The alpha to write, and the pairs scaled so that it holds for all of them."""
    rank = settings.get("r")
    if type(rank) is not int or rank < 1:
        raise _wrong(folder, f"r is {rank!r}", f"r 是 {rank!r}")
    rooted = bool(settings.get("use_rslora"))
    alpha = _alpha(folder, settings.get("lora_alpha", 8))
    patterns = settings.get("alpha_pattern") or {}
    if not isinstance(patterns, dict):
        raise _wrong(folder, "alpha_pattern is no object", "alpha_pattern 不是对象")
    file = SafetensorsFile.open(folder / ADAPTER_FILE)
    # The format knows alpha / rank only: with the root of the rank this is the alpha that gives it.
    written = alpha * math.sqrt(rank) if rooted else alpha
    pairs = []
    for module, name, a, b in _modules(folder, file, base):
        own = _alpha(folder, next((v for k, v in patterns.items() if _matches(k, module)), alpha))
        ranks = len(a)
        wanted = own / (math.sqrt(ranks) if rooted else ranks)
        factor = wanted / (written / ranks) if written else 0.0
        pairs.append(Pair(name=name, a=a, b=b if factor == 1.0 else b * np.float32(factor)))
    # Written as 0 it would mean "not scaled", so then b is 0.
    return written or 1.0, pairs


def _modules(
    folder: Path, file: SafetensorsFile, base: ModelConfig
) -> Iterator[tuple[str, str, Floats, Floats]]:
    """Name in the network, GGUF name, a and b of every changed matrix, by layer."""
    found: dict[tuple[int, str], dict[str, str]] = {}
    modules: dict[tuple[int, str], str] = {}
    for tensor in file.tensors:
        match = _TENSOR.fullmatch(tensor)
        if match is None or match[3] not in _MATRICES:
            raise UnsupportedModelError(
                pick(
                    f"{folder}: the adapter changes {tensor[:200]}; only the seven matrices of a"
                    f" layer ({', '.join(_MATRICES)}) can be",
                    f"{folder}：适配器修改了 {tensor[:200]}；只支持每层的七个矩阵"
                    f"（{'、'.join(_MATRICES)}）",
                )
            )
        key = int(match[2]), _MATRICES[match[3]]
        found.setdefault(key, {})[match[4]] = tensor
        modules[key] = match[1]
    if not found:
        raise _wrong(folder, "the adapter has no matrices", "适配器没有矩阵")
    for (layer, matrix), tensors in sorted(found.items()):
        name = f"blk.{layer}.{matrix}.weight"
        shape = matrix_shape(name, base)
        if shape is None:
            raise _wrong(
                folder,
                f"the adapter changes layer {layer}; {base.name} has {base.num_layers}",
                f"适配器修改第 {layer} 层，而 {base.name} 共有 {base.num_layers} 层",
            )
        if set(tensors) != {"A", "B"}:
            (there,) = tensors.values()
            raise _wrong(folder, f"{there} is there without its other half", f"{there} 缺少另一半")
        shapes = [file.tensors[tensors[letter]].shape for letter in "AB"]
        ranks = shapes[0][0]
        if shapes != [(ranks, shape[0]), (shape[1], ranks)]:
            raise _wrong(
                folder,
                f"{modules[layer, matrix]} has {list(map(list, shapes))}, which does not fit the"
                f" {shape[1]} x {shape[0]} of {base.name}",
                f"{modules[layer, matrix]} 的形状 {list(map(list, shapes))} 与 {base.name} 的"
                f" {shape[1]} x {shape[0]} 不符",
            )
        a = file.rows(tensors["A"], 0, ranks)
        b = file.rows(tensors["B"], 0, shape[1])
        if matrix in _ROTATED and not FAMILIES[base.family].rope_halves:
            b = to_neighbours(b, base.head_size)
        yield modules[layer, matrix], name, a, b


def _matches(pattern: str, module: str) -> bool:
    """As peft finds the module of a key of alpha_pattern."""
    try:
        return re.match(rf"(.*\.)?({pattern})$", module) is not None
    except re.error:
        return False


def _alpha(folder: Path, value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise _wrong(folder, f"lora_alpha is {value!r}", f"lora_alpha 是 {value!r}")
    return float(value)


def _wrong(folder: Path, english: str, chinese: str) -> ModelFileError:
    return ModelFileError(pick(f"{folder}: {english}", f"{folder}：{chinese}"))
