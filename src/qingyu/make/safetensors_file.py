"""Safetensors files: read through a map without trusting one length, written piece by piece.

    with SafetensorsFile.open(Path("model.safetensors")) as file:
        file.tensors["model.norm.weight"].shape
        file.rows("model.norm.weight", 0, 1)                    # float32

A file is a length, a JSON header and the tensors' bytes; there is nothing in it to run. Tensors of
F32, F16 and BF16 are read. What does not add up is a ModelFileError.
Source of the format: https://github.com/huggingface/safetensors
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qingyu.errors import ModelFileError, ModelNotFoundError, UnsupportedModelError
from qingyu.models.ggml_types import GGMLType
from qingyu.text import pick

MAX_HEADER_BYTES = 32 << 20
MAX_TENSORS = 1 << 16

_TYPES = {"F32": GGMLType.F32, "F16": GGMLType.F16, "BF16": GGMLType.BF16}
_STORED = {GGMLType.F32: "<f4", GGMLType.F16: "<f2", GGMLType.BF16: "<u2"}


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredTensor:
    """Where a tensor lies; `offset` counts from the start of the file."""

    type: GGMLType
    shape: tuple[int, ...]
    offset: int


class SafetensorsFile:
    """An open file: its tensors by name."""

    def __init__(self, path: Path, map_: mmap.mmap, tensors: dict[str, StoredTensor]) -> None:
        self.path = path
        self.tensors = tensors
        self._map = map_

    @classmethod
    def open(cls, path: Path) -> SafetensorsFile:
        """Map the file and check its header against its size.

        Raises ModelNotFoundError; ModelFileError for a damaged file, UnsupportedModelError for
        tensors of another type.
        """
        if path.exists() and not path.is_file():
            raise _wrong(path, "it is not a file", "它不是文件")
        try:
            with path.open("rb") as file:
                map_ = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError:
            raise ModelNotFoundError(pick(f"there is no file {path}", f"没有文件 {path}")) from None
        except (OSError, ValueError) as error:
            raise _wrong(path, f"it cannot be read: {error}", f"无法读取：{error}") from error
        try:
            return cls(path, map_, _read_header(path, map_))
        except BaseException:
            map_.close()
            raise

    def rows(self, name: str, first: int, last: int) -> NDArray[np.float32]:
        """Rows of a matrix as float32 [last - first, columns]; a vector is one row."""
        return to_float32(self.stored_rows(name, first, last), self.tensors[name].type)

    def stored_rows(self, name: str, first: int, last: int) -> NDArray[Any]:
        """The same as they are stored, a view into the map; BF16 as uint16."""
        tensor = self.tensors[name]
        columns = tensor.shape[-1]
        width = np.dtype(_STORED[tensor.type]).itemsize
        flat = np.frombuffer(
            self._map,
            _STORED[tensor.type],
            count=(last - first) * columns,
            offset=tensor.offset + first * columns * width,
        )
        return flat.reshape(last - first, columns)


def to_float32(stored: NDArray[Any], kind: GGMLType) -> NDArray[np.float32]:
    """Float32 of stored values; BF16 is given as uint16."""
    if kind is GGMLType.BF16:
        return (stored.astype(np.uint32) << 16).view(np.float32)
    return stored.astype(np.float32)


def _read_header(path: Path, map_: mmap.mmap) -> dict[str, StoredTensor]:
    size = len(map_)
    length = struct.unpack_from("<Q", map_)[0] if size >= 8 else 0
    if not 2 <= length <= min(size - 8, MAX_HEADER_BYTES):
        raise _wrong(
            path,
            f"not a safetensors file: a header of {length} bytes in a file of {size}"
            f" (at most {MAX_HEADER_BYTES})",
            f"不是 safetensors 文件：{size} 字节的文件声称有 {length} 字节的文件头"
            f"（上限 {MAX_HEADER_BYTES}）",
        )
    try:
        header = json.loads(map_[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        raise _wrong(path, f"its header is no JSON: {error}", f"文件头不是 JSON：{error}") from None
    if not isinstance(header, dict) or len(header) > MAX_TENSORS:
        raise _wrong(
            path,
            f"its header is no object of at most {MAX_TENSORS} tensors",
            f"文件头不是至多 {MAX_TENSORS} 个张量的对象",
        )
    start = 8 + length
    tensors: dict[str, StoredTensor] = {}
    spans = []
    for name, entry in header.items():
        if name != "__metadata__":
            tensors[name] = _entry(path, name, entry, start, size)
            spans.append((tensors[name].offset, entry["data_offsets"][1] + start))
    # The format leaves no holes and lets nothing overlap.
    expected = start
    for first, last in sorted(spans):
        if first != expected:
            raise _wrong(
                path,
                f"a tensor begins at byte {first} where {expected} is due",
                f"有张量始于第 {first} 字节，应为第 {expected} 字节",
            )
        expected = last
    if expected != size:
        raise _wrong(
            path,
            f"its tensors end at byte {expected} and the file at {size}: truncated or damaged",
            f"张量止于第 {expected} 字节，而文件有 {size} 字节：文件不完整或已损坏",
        )
    return tensors


def _entry(path: Path, name: str, entry: Any, start: int, size: int) -> StoredTensor:
    fields: dict[str, Any] = entry if isinstance(entry, dict) else {}
    shape: Any = fields.get("shape")
    offsets: Any = fields.get("data_offsets")
    if not (
        _is_numbers(shape) and 1 <= len(shape) <= 4 and min(shape) >= 1
        and _is_numbers(offsets) and len(offsets) == 2
        and 0 <= offsets[0] <= offsets[1] <= size - start
    ):  # fmt: skip
        raise _wrong(
            path, f"the entry of {name[:200]!r} is damaged", f"{name[:200]!r} 的条目已损坏"
        )
    if fields.get("dtype") not in _TYPES:
        raise UnsupportedModelError(
            pick(
                f"{path.name}: {name!r} is of type {fields.get('dtype')!r}; supported are"
                f" {', '.join(_TYPES)}",
                f"{path.name}：{name!r} 的类型是 {fields.get('dtype')!r}；支持的有"
                f" {', '.join(_TYPES)}",
            )
        )
    kind = _TYPES[fields["dtype"]]
    if prod(shape) * kind.block_bytes != offsets[1] - offsets[0]:
        raise _wrong(
            path,
            f"{name!r} of shape {shape} has {offsets[1] - offsets[0]} bytes",
            f"形状为 {shape} 的 {name!r} 有 {offsets[1] - offsets[0]} 字节",
        )
    return StoredTensor(type=kind, shape=tuple(shape), offset=start + offsets[0])


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(one) is int for one in value)


# Writing.


def header_bytes(
    tensors: Mapping[str, tuple[GGMLType, tuple[int, ...]]], metadata: Mapping[str, str]
) -> bytes:
    """The head of a file with these tensors, whose bytes follow in the same order."""
    names = {kind: name for name, kind in _TYPES.items()}
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    offset = 0
    for name, (kind, shape) in tensors.items():
        end = offset + kind.num_bytes(prod(shape))
        header[name] = {"dtype": names[kind], "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def _wrong(path: Path, english: str, chinese: str) -> ModelFileError:
    return ModelFileError(pick(f"{path.name}: {english}", f"{path.name}：{chinese}"))
