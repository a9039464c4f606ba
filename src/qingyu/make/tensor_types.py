"""Which GGUF type each weight of an export gets.

    chosen = choose("q4_k_m", config)            # GGUF name -> GGMLType
    chosen.types["blk.0.attn_v.weight"], chosen.notes

Vectors are always float32. The output head (the embedding, where it is both) decides most and is
kept finer than 4 bits. `q4_k_m` gives half of the layers 6 bits for values and for the way back
from the feed-forward layer: those at both ends and every third between.

Super blocks are 256 values; a matrix with rows of another length gets the next larger type
without them, and `notes` says how many did.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from qingyu.errors import InvalidRequestError
from qingyu.make.network import NetworkConfig, gguf_name, weight_shapes
from qingyu.models.ggml_types import GGMLType
from qingyu.text import pick

# Name -> type of most matrices, of the head, and the number of general.file_type.
_EXPORT_TYPES: dict[str, tuple[GGMLType, GGMLType, int]] = {
    "f32": (GGMLType.F32, GGMLType.F32, 0),
    "f16": (GGMLType.F16, GGMLType.F16, 1),
    "bf16": (GGMLType.BF16, GGMLType.BF16, 32),
    "q8_0": (GGMLType.Q8_0, GGMLType.Q8_0, 7),
    "q6_k": (GGMLType.Q6_K, GGMLType.Q6_K, 18),
    "q4_k_m": (GGMLType.Q4_K, GGMLType.Q6_K, 15),
    "q4_1": (GGMLType.Q4_1, GGMLType.Q6_K, 3),
    "q4_0": (GGMLType.Q4_0, GGMLType.Q6_K, 2),
}
EXPORT_TYPES = tuple(_EXPORT_TYPES)

# What takes the place where rows are not whole super blocks, and where they are no blocks at all.
_WITHOUT_SUPER_BLOCKS = {GGMLType.Q4_K: GGMLType.Q5_0, GGMLType.Q6_K: GGMLType.Q8_0}
_WITHOUT_BLOCKS = GGMLType.F16


@dataclass(frozen=True, kw_only=True)
class ChosenTypes:
    """types by GGUF name, in file order; file_type is the format's number of the mix."""

    types: dict[str, GGMLType]
    file_type: int
    notes: tuple[str, ...]


def check_type(name: str) -> str:
    """The name in lower case. Raises InvalidRequestError naming the known ones."""
    known = name.lower()
    if known not in _EXPORT_TYPES:
        raise InvalidRequestError(
            pick(
                f"there is no type {name!r} to write; there are {', '.join(EXPORT_TYPES)}",
                f"没有可写入的类型 {name!r}；可选的有 {', '.join(EXPORT_TYPES)}",
            ),
            param="type",
        )
    return known


def choose(name: str, config: NetworkConfig) -> ChosenTypes:
    """Types for a network of these sizes. Raises InvalidRequestError for an unknown name."""
    matrix, head, file_type = _EXPORT_TYPES[check_type(name)]
    head_name = "token_embd.weight" if config.tied else "output.weight"
    finer = finer_layers(config.num_layers) if name == "q4_k_m" else frozenset()
    types: dict[str, GGMLType] = {}
    replaced: Counter[tuple[GGMLType, GGMLType]] = Counter()
    for weight, shape in weight_shapes(config).items():
        tensor = gguf_name(weight)
        if len(shape) == 1:
            types[tensor] = GGMLType.F32
            continue
        kind = head if tensor == head_name else matrix
        if tensor.endswith(("attn_v.weight", "ffn_down.weight")):
            layer = int(tensor.split(".")[1])
            kind = GGMLType.Q6_K if layer in finer else kind
        types[tensor] = _fitting(kind, shape[1])
        if types[tensor] is not kind:
            replaced[kind, types[tensor]] += 1
    return ChosenTypes(types=types, file_type=file_type, notes=_notes(replaced))


def finer_layers(num_layers: int) -> frozenset[int]:
    """The layers with more bits: the first and the last eighth, and every third between."""
    eighth = num_layers // 8
    return frozenset(
        layer
        for layer in range(num_layers)
        if layer < eighth or layer >= 7 * num_layers // 8 or (layer - eighth) % 3 == 2
    )


def _fitting(kind: GGMLType, columns: int) -> GGMLType:
    if columns % kind.block_size and kind in _WITHOUT_SUPER_BLOCKS:
        kind = _WITHOUT_SUPER_BLOCKS[kind]
    return _WITHOUT_BLOCKS if columns % kind.block_size else kind


def _notes(replaced: Counter[tuple[GGMLType, GGMLType]]) -> tuple[str, ...]:
    return tuple(
        pick(
            f"{count} matrices are {used.name} instead of {wanted.name}: their rows are not whole"
            f" blocks of {wanted.block_size}",
            f"{count} 个矩阵用 {used.name} 代替 {wanted.name}："
            f"行长不是 {wanted.block_size} 的整数倍",
        )
        for (wanted, used), count in replaced.items()
    )
