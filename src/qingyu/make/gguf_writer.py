"""Writes a GGUF file (version 3), whole or not at all, a piece at a time.

    tensor = TensorPlan(name="a.weight", type=GGMLType.F32, shape=(32, 2), pieces=lambda: [data])
    write_gguf(Path("model.gguf"), {"general.architecture": "llama"}, [tensor])

Sizes are known before the first byte, so the header is written once and no tensor is ever in
memory as a whole. The same metadata and tensors give the same bytes. Knows nothing of models.
Source of the format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qingyu.make.whole_files import new_file
from qingyu.models.ggml_types import GGMLType
from qingyu.models.gguf_header import DEFAULT_ALIGNMENT, MAGIC
from qingyu.models.hashes import Progress, no_progress

_VERSION = 3
_U32, _I32, _F32, _BOOL, _STRING, _ARRAY, _U64, _I64 = 4, 5, 6, 7, 8, 9, 10, 11
_ARRAY_TYPES = {
    "u1": 0, "i1": 1, "u2": 2, "i2": 3, "u4": _U32, "i4": _I32, "f4": _F32, "b1": _BOOL,
    "u8": _U64, "i8": _I64, "f8": 12,
}  # fmt: skip

Piece = bytes | memoryview | NDArray[Any]

# str, bool, int, float (written as 32 bits), list of strings or integers, numpy array.
Metadata = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class TensorPlan:
    """A tensor to be written. `shape` in GGUF order (columns first); `pieces` gives its blocks
    in order, in as many pieces as it likes, when their turn has come."""

    name: str
    type: GGMLType
    shape: tuple[int, ...]
    pieces: Callable[[], Iterable[Piece]]

    @property
    def num_bytes(self) -> int:
        return self.type.num_bytes(prod(self.shape))


def write_gguf(
    path: Path,
    metadata: Metadata,
    tensors: Sequence[TensorPlan],
    *,
    progress: Progress = no_progress,
) -> int:
    """Write the file and give its size in bytes.

    progress hears the stage "write" and bytes. Raises InvalidRequestError when `path` exists or
    cannot be written, DiskSpaceError.
    """
    head = header(metadata, tensors)
    total = len(head) + sum(padded(tensor.num_bytes) for tensor in tensors)
    with new_file(path, size=total) as file:
        file.write(head)
        done = len(head)
        progress("write", done, total)
        for tensor in tensors:
            start = done
            for piece in tensor.pieces():
                done += file.write(as_bytes(piece))
                progress("write", done, total)
            assert done - start == tensor.num_bytes, (tensor.name, done - start, tensor.num_bytes)
            done += file.write(bytes(-done % DEFAULT_ALIGNMENT))
        progress("write", done, total)
    return total


def as_bytes(piece: Piece) -> memoryview:
    """A piece as the bytes it has in memory."""
    return memoryview(piece).cast("B")  # type: ignore[arg-type]  # arrays have the protocol


def header(metadata: Metadata, tensors: Sequence[TensorPlan]) -> bytes:
    """Everything before the tensors' bytes, which follow in this order, each `padded`."""
    assert len({tensor.name for tensor in tensors}) == len(tensors)
    parts = [MAGIC + struct.pack("<IQQ", _VERSION, len(tensors), len(metadata))]
    parts += [_string(key) + _value(value) for key, value in metadata.items()]
    offset = 0
    for tensor in tensors:
        dimensions = len(tensor.shape)
        parts.append(_string(tensor.name))
        parts.append(struct.pack(f"<I{dimensions}Q", dimensions, *tensor.shape))
        parts.append(struct.pack("<IQ", tensor.type, offset))
        offset += padded(tensor.num_bytes)
    head = b"".join(parts)
    return head + bytes(-len(head) % DEFAULT_ALIGNMENT)


def padded(size: int) -> int:
    """Bytes up to where the next tensor begins."""
    return size + -size % DEFAULT_ALIGNMENT


def _string(text: str) -> bytes:
    # Tokens that are pieces of characters carry their bytes as surrogate escapes.
    raw = text.encode("utf-8", "surrogateescape")
    return struct.pack("<Q", len(raw)) + raw


def _value(value: Any) -> bytes:
    """Type number and value."""
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _string(value)
    if isinstance(value, bool):
        return struct.pack("<IB", _BOOL, value)
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return struct.pack("<If", _F32, value)
    if isinstance(value, np.ndarray):
        assert value.ndim == 1, value.shape
        little = value.astype(value.dtype.newbyteorder("<"), copy=False)
        kind = _ARRAY_TYPES[f"{value.dtype.kind}{value.dtype.itemsize}"]
        return struct.pack("<IIQ", _ARRAY, kind, value.size) + little.tobytes()
    items = list(value)
    if items and not isinstance(items[0], str):
        return _value(np.array(items, np.float32 if isinstance(items[0], float) else np.int32))
    return struct.pack("<IIQ", _ARRAY, _STRING, len(items)) + b"".join(map(_string, items))


def _integer(value: int) -> bytes:
    if value >= 0:
        return struct.pack("<II", _U32, value) if value < 1 << 32 else struct.pack(
            "<IQ", _U64, value
        )  # fmt: skip
    return struct.pack("<Ii", _I32, value) if value >= -(1 << 31) else struct.pack(
        "<Iq", _I64, value
    )  # fmt: skip
