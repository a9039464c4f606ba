"""Reads a low-rank adapter (LoRA) from a GGUF file, in llama.cpp's format.

    with AdapterFile.open("poet.gguf", config) as adapter:
        adapter.rank, adapter.parameters
        for pair in adapter.pairs:
            a, b = adapter.matrices(pair)          # W becomes W + pair.scale * b @ a

The file says `general.type` = "adapter", `adapter.type` = "lora", the architecture of its base and
`adapter.lora.alpha`; each changed matrix X has two tensors, X.lora_a with a row for each rank and
X.lora_b with a column for each. Everything is checked against the base model's sizes before a
value is read, and the values for being numbers. Source of the format:
https://github.com/ggml-org/llama.cpp/blob/master/convert_lora_to_gguf.py

Knows nothing of computing with it; `qingyu._native.AdapterBuilder` does.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from qingyu.errors import InvalidRequestError, ModelFileError, UnsupportedModelError
from qingyu.models.family import ModelConfig
from qingyu.models.ggml_types import GGMLType
from qingyu.models.gguf import GGUFFile, TensorInfo
from qingyu.text import pick

ADAPTER_TYPES = (GGMLType.F32, GGMLType.F16, GGMLType.BF16)
MAX_RANK = 4096
# A name is part of a model's name in requests, after a colon.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PARTS = (".lora_a", ".lora_b")


def is_adapter(path: str | os.PathLike[str]) -> bool:
    """Whether a GGUF file says that it is an adapter. Raises as `GGUFFile.open` does."""
    with GGUFFile.open(path) as gguf:
        return gguf.metadata.get("general.type") == "adapter"


def checked_name(name: str) -> str:
    """The name, if an adapter may have it. Raises InvalidRequestError."""
    if not _NAME.fullmatch(name):
        raise InvalidRequestError(
            pick(
                f"{name!r} is no name for an adapter; use up to 64 letters, digits, '.', '_', '-'",
                f"{name!r} 不能作为适配器名；请用至多 64 个字母、数字、“.”、“_”、“-”",
            ),
            param="adapters",
        )
    return name


@dataclass(frozen=True, kw_only=True)
class AdapterPair:
    """What changes one matrix. `name`: the matrix's, in the base; `scale` is on the product."""

    name: str
    rank: int
    scale: float
    a: TensorInfo
    b: TensorInfo


class AdapterFile:
    """An open adapter, checked against its base. `rank` is the largest of its pairs'."""

    def __init__(self, gguf: GGUFFile, alpha: float, pairs: tuple[AdapterPair, ...]) -> None:
        self.path = gguf.path
        self.size = gguf.size
        self.alpha = alpha
        self.pairs = pairs
        self.rank = max(pair.rank for pair in pairs)
        self.parameters = sum(math.prod(part.shape) for pair in pairs for part in (pair.a, pair.b))
        self._gguf = gguf

    @classmethod
    def open(cls, path: str | os.PathLike[str], base: ModelConfig) -> AdapterFile:
        """Open the file and check that it is an adapter of this base.

        Raises ModelNotFoundError when there is no such file, UnsupportedModelError for a sound
        file that is something else or for another base, ModelFileError when it is damaged.
        """
        gguf = GGUFFile.open(path)
        try:
            checker = _Checker(gguf, base)
            return cls(gguf, checker.alpha, checker.pairs())
        except BaseException:
            gguf.close()
            raise

    def __enter__(self) -> AdapterFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gguf.close()

    def matrices(self, pair: AdapterPair) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """a [rank, columns] and b [rows, rank] of a pair. Raises ModelFileError when one holds a
        value that is not finite."""
        return self._values(pair.a), self._values(pair.b)

    def sha256(self) -> str:
        """Of the whole file."""
        return self._gguf.sha256()

    def _values(self, tensor: TensorInfo) -> NDArray[np.float32]:
        columns, rows = tensor.shape
        with self._gguf.data(tensor.name) as data:
            if tensor.type is GGMLType.BF16:
                wide = np.frombuffer(data, dtype="<u2").astype(np.uint32) << 16
                values = wide.view(np.float32)
            else:
                dtype = "<f4" if tensor.type is GGMLType.F32 else "<f2"
                # A copy: views would keep the file's map open.
                values = np.array(np.frombuffer(data, dtype=dtype), dtype=np.float32)
        if not np.isfinite(values).all():
            raise ModelFileError(
                pick(
                    f"{self.path.name}: damaged: {tensor.name} holds values that are not finite",
                    f"{self.path.name}：已损坏：{tensor.name} 含有非有限值",
                )
            )
        return values.reshape(rows, columns)


class _Checker:
    def __init__(self, gguf: GGUFFile, base: ModelConfig) -> None:
        self.gguf = gguf
        self.base = base
        self.check_kind()
        # 0 is how "no scaling" is written
        self.alpha = gguf.get("adapter.lora.alpha", float, 0.0)
        if not math.isfinite(self.alpha):
            raise self.wrong(
                f"adapter.lora.alpha is {self.alpha!r}", f"adapter.lora.alpha 为 {self.alpha!r}"
            )

    def unsupported(self, english: str, chinese: str) -> UnsupportedModelError:
        return UnsupportedModelError(
            pick(f"{self.gguf.path.name}: {english}", f"{self.gguf.path.name}：{chinese}")
        )

    def wrong(self, english: str, chinese: str) -> ModelFileError:
        return ModelFileError(
            pick(
                f"{self.gguf.path.name}: damaged: {english}",
                f"{self.gguf.path.name}：已损坏：{chinese}",
            )
        )

    def check_kind(self) -> None:
        kind = self.gguf.get("general.type", str, "model")
        if kind != "adapter":
            raise self.unsupported(
                f"its general.type is {kind!r}, not 'adapter'; a model is given with --model",
                f"general.type 为 {kind!r}，不是 'adapter'；模型请用 --model 指定",
            )
        kind = self.gguf.get("adapter.type", str)
        if kind != "lora" or "adapter.alora.invocation_tokens" in self.gguf.metadata:
            kind = "alora" if kind == "lora" else kind
            raise self.unsupported(
                f"an adapter of type {kind!r}; supported is 'lora'",
                f"适配器类型 {kind!r}；仅支持 'lora'",
            )
        architecture = self.gguf.get("general.architecture", str)
        if architecture != self.base.family:
            raise self.unsupported(
                f"an adapter for the architecture {architecture!r}, but the base"
                f" {self.base.name} is {self.base.family!r}",
                f"此适配器用于架构 {architecture!r}，而基础模型 {self.base.name}"
                f" 为 {self.base.family!r}",
            )

    def pairs(self) -> tuple[AdapterPair, ...]:
        names: dict[str, dict[str, TensorInfo]] = {}
        for name, tensor in self.gguf.tensors.items():
            base, part = name[:-7], name[-7:]
            if part not in _PARTS:
                raise self.unsupported(
                    f"the tensor {name} is no part of a low-rank adapter",
                    f"张量 {name} 不属于低秩适配器",
                )
            names.setdefault(base, {})[part] = tensor
        if not names:
            raise self.wrong("it has no tensors", "没有张量")
        return tuple(self.pair(name, parts) for name, parts in names.items())

    def pair(self, name: str, parts: dict[str, TensorInfo]) -> AdapterPair:
        shape = matrix_shape(name, self.base)
        if shape is None:
            raise self.unsupported(
                f"it changes {name}, which is not a matrix of a layer of {self.base.name};"
                " embedding, head, norms and biases cannot have an adapter",
                f"它修改 {name}，而这不是 {self.base.name} 某一层的矩阵；"
                "词嵌入、输出层、归一化和偏置不支持适配器",
            )
        for part in _PARTS:
            if part not in parts:
                raise self.wrong(f"the tensor {name}{part} is missing", f"缺少张量 {name}{part}")
        a, b = (parts[part] for part in _PARTS)
        for tensor in (a, b):
            if tensor.type not in ADAPTER_TYPES:
                listed = ", ".join(type_.name for type_ in ADAPTER_TYPES)
                raise self.unsupported(
                    f"the tensor {tensor.name} is of type {tensor.type.name}; supported are"
                    f" {listed}",
                    f"张量 {tensor.name} 的类型是 {tensor.type.name}；支持的有 {listed}",
                )
        columns, rows = shape
        rank = a.shape[1] if len(a.shape) == 2 else 0
        if a.shape != (columns, rank) or not 1 <= rank <= MAX_RANK:
            raise self.unsupported(
                f"{a.name} has shape {list(a.shape)}, not [{columns}, rank]; is it for another"
                f" model than {self.base.name}?",
                f"{a.name} 的形状是 {list(a.shape)}，应为 [{columns}, 秩]；"
                f"它是否用于 {self.base.name} 以外的模型？",
            )
        if b.shape != (rank, rows):
            raise self.unsupported(
                f"{b.name} has shape {list(b.shape)}, not [{rank}, {rows}]; is it for another"
                f" model than {self.base.name}?",
                f"{b.name} 的形状是 {list(b.shape)}，应为 [{rank}, {rows}]；"
                f"它是否用于 {self.base.name} 以外的模型？",
            )
        scale = self.alpha / rank if self.alpha else 1.0
        return AdapterPair(name=name, rank=rank, scale=scale, a=a, b=b)


_LAYER_MATRIX = re.compile(r"blk\.(0|[1-9][0-9]{0,3})\.([a-z_]+)\.weight")


def matrix_shape(name: str, base: ModelConfig) -> tuple[int, int] | None:
    """Columns and rows of a layer's matrix, by its GGUF name; None when it is none."""
    found = _LAYER_MATRIX.fullmatch(name)
    if found is None or int(found[1]) >= base.num_layers:
        return None
    embedding, inner = base.embedding_size, base.feed_forward_size
    query, key = base.num_heads * base.head_size, base.num_kv_heads * base.head_size
    return {
        "attn_q": (embedding, query),
        "attn_k": (embedding, key),
        "attn_v": (embedding, key),
        "attn_output": (query, embedding),
        "ffn_gate": (embedding, inner),
        "ffn_up": (embedding, inner),
        "ffn_down": (inner, embedding),
    }.get(found[2])
