"""Writes GGUF files for tests, right or wrong in whatever way a test asks for.

    gguf_bytes({"general.architecture": "llama"}, [("a.weight", (32, 2), 0, b"...")])

Independent of the reader under test: built with `struct` alone. Strings may be given as bytes,
so that they need not be UTF-8.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Any

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
FORMATS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "B",
           U64: "Q", I64: "q", F64: "d"}  # fmt: skip


class Typed:
    """A value with its type number said aloud, where the default guess is not wanted."""

    def __init__(self, kind: int, value: Any, item_kind: int | None = None) -> None:
        self.kind, self.value, self.item_kind = kind, value, item_kind


def string(text: str | bytes) -> bytes:
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    return struct.pack("<Q", len(raw)) + raw


def value_bytes(value: Any) -> bytes:
    """Type number and value."""
    if isinstance(value, Typed):
        if value.kind == ARRAY:
            assert value.item_kind is not None
            head = struct.pack("<IIQ", ARRAY, value.item_kind, len(value.value))
            if value.item_kind == STRING:
                return head + b"".join(map(string, value.value))
            return head + struct.pack(
                f"<{len(value.value)}{FORMATS[value.item_kind]}", *value.value
            )
        if value.kind == STRING:
            return struct.pack("<I", STRING) + string(value.value)
        return struct.pack("<I" + FORMATS[value.kind], value.kind, value.value)
    if isinstance(value, bool):
        return value_bytes(Typed(BOOL, value))
    if isinstance(value, int):
        return value_bytes(Typed(U32, value))
    if isinstance(value, float):
        return value_bytes(Typed(F32, value))
    if isinstance(value, str | bytes):
        return value_bytes(Typed(STRING, value))
    items = list(value)
    kind = STRING if not items or isinstance(items[0], str | bytes) else (
        F32 if isinstance(items[0], float) else I32
    )  # fmt: skip
    return value_bytes(Typed(ARRAY, items, kind))


def pad(size: int, alignment: int) -> bytes:
    return b"\0" * (-size % alignment)


def gguf_bytes(
    metadata: Mapping[str, Any] | Iterable[tuple[str, Any]],
    tensors: Iterable[tuple[str, tuple[int, ...], int, bytes]] = (),
    *,
    version: int = 3,
    alignment: int = 32,
    num_tensors: int | None = None,
    num_keys: int | None = None,
) -> bytes:
    """A whole file. `tensors` are (name, shape with columns first, type number, data)."""
    pairs = list(metadata.items() if isinstance(metadata, Mapping) else metadata)
    tensors = list(tensors)
    head = b"GGUF" + struct.pack(
        "<IQQ",
        version,
        len(tensors) if num_tensors is None else num_tensors,
        len(pairs) if num_keys is None else num_keys,
    )
    head += b"".join(string(key) + value_bytes(value) for key, value in pairs)
    body = b""
    for name, shape, kind, data in tensors:
        head += string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        head += struct.pack("<IQ", kind, len(body))
        body += data + pad(len(data), alignment)
    return head + pad(len(head), alignment) + body
