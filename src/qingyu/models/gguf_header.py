"""The header of a GGUF file: metadata and the list of tensors, checked byte by byte.

    reader = HeaderReader("model.gguf", mapped_file)
    reader.read()
    reader.metadata, reader.tensors

Every count, length, offset and type is compared with the bytes that remain before anything
is allocated; what does not add up is a `ModelFileError` that names the thing and the byte.
Any file at all is read or refused within a second and 200 MB. Opens nothing and reads no
tensor data; `qingyu.models.gguf` does.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from typing import Any

from qingyu.errors import ModelFileError
from qingyu.models.ggml_types import GGMLType
from qingyu.text import pick

MAGIC = b"GGUF"
DEFAULT_ALIGNMENT = 32
# Far above any real file, and low enough that the worst file fits a second and 200 MB.
MAX_ALIGNMENT = 1 << 20
MAX_DIMENSIONS = 4
MAX_NAME_BYTES = 256
MAX_KEY_BYTES = 65535
MAX_KEYS = 1 << 16
MAX_TENSORS = 1 << 16
MAX_STRINGS = 800_000
MAX_METADATA_BYTES = 32 << 20

# Value types of the format. Arrays hold any of the others, not arrays.
_STRING, _ARRAY, _BOOL = 8, 9, 7
_SCALARS = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    _BOOL: struct.Struct("<B"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
_ARRAY_DTYPES = {
    0: "<u1", 1: "<i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", _BOOL: "<u1",
    10: "<u8", 11: "<i8", 12: "<f8",
}  # fmt: skip
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")

# Vocabularies of some tokenizers hold pieces of characters; all other text must be UTF-8.
_RAW_TEXT_KEYS = frozenset({"tokenizer.ggml.tokens", "tokenizer.ggml.merges"})


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorInfo:
    """Where a tensor lies. `shape` is in GGUF order (columns first), `offset` counts from the
    start of the file, `size` is in bytes."""

    name: str
    type: GGMLType
    shape: tuple[int, ...]
    offset: int
    size: int


class HeaderReader:
    """One pass over the header. `position` is the byte being read, `end` where reading stops."""

    def __init__(self, name: str, buffer: mmap.mmap) -> None:
        self.name = name
        self.buffer = buffer
        self.size = len(buffer)
        self.end = self.size
        self.position = 0
        self.num_strings = 0
        self.version = 0
        self.alignment = DEFAULT_ALIGNMENT
        self.metadata: dict[str, Any] = {}
        self.tensors: dict[str, TensorInfo] = {}

    def damaged(self, at: int, english: str, chinese: str) -> ModelFileError:
        return ModelFileError(
            pick(
                f"{self.name}: damaged at byte {at}: {english}",
                f"{self.name}：第 {at} 字节处损坏：{chinese}",
            )
        )

    def read(self) -> None:
        num_tensors, num_keys = self.read_preamble()
        # Metadata larger than this is no metadata; the tensor list gets the same room.
        self.end = min(self.size, MAX_METADATA_BYTES)
        for _ in range(num_keys):
            self.read_key()
        self.read_alignment()
        self.end = min(self.size, self.position + MAX_METADATA_BYTES)
        self.read_tensors(num_tensors)

    def read_preamble(self) -> tuple[int, int]:
        if self.buffer[:4] != MAGIC:
            raise ModelFileError(
                pick(
                    f"{self.name}: not a GGUF file (it begins with {self.buffer[:4]!r})",
                    f"{self.name}：不是 GGUF 文件（开头是 {self.buffer[:4]!r}）",
                )
            )
        self.position = 4
        self.version = self.u32("version", "版本")
        if self.version & 0xFFFF == 0 and self.version:
            raise ModelFileError(
                pick(
                    f"{self.name}: a big-endian GGUF file; only little-endian files can be read",
                    f"{self.name}：这是大端序的 GGUF 文件，只能读取小端序文件",
                )
            )
        if self.version not in (2, 3):
            raise ModelFileError(
                pick(
                    f"{self.name}: GGUF version {self.version}; versions 2 and 3 can be read",
                    f"{self.name}：GGUF 版本 {self.version}；只能读取版本 2 和 3",
                )
            )
        at = self.position
        num_tensors = self.u64("number of tensors", "张量个数")
        # shortest tensor entry: name length 8, dimensions 4 + 8, type 4, offset 8
        self.check_count(at, num_tensors, 32, MAX_TENSORS, "tensors", "张量")
        at = self.position
        num_keys = self.u64("number of metadata keys", "元数据键个数")
        # shortest entry: key length 8, type 4, value 1
        self.check_count(at, num_keys, 13, MAX_KEYS, "metadata keys", "元数据键")
        return num_tensors, num_keys

    def read_key(self) -> None:
        at = self.position
        key = self.string(MAX_KEY_BYTES, "metadata key", "元数据键")
        if not key:
            raise self.damaged(at, "an empty metadata key", "元数据键为空")
        if key in self.metadata:
            raise self.damaged(at, f"the key {key!r} appears twice", f"键 {key!r} 出现了两次")
        at = self.position
        kind = self.u32(f"type of {key}", f"{key} 的类型")
        if kind == _STRING:
            self.metadata[key] = self.string(MAX_METADATA_BYTES, f"value of {key}", f"{key} 的值")
        elif kind == _ARRAY:
            self.metadata[key] = self.array(key)
        elif kind in _SCALARS:
            self.metadata[key] = self.scalar(kind, f"value of {key}", f"{key} 的值")
        else:
            raise self.damaged(
                at, f"{key} has the unknown value type {kind}", f"{key} 的值类型 {kind} 未知"
            )

    def read_alignment(self) -> None:
        value = self.metadata.get("general.alignment", DEFAULT_ALIGNMENT)
        if (
            type(value) is not int
            or not 8 <= value <= MAX_ALIGNMENT
            or value & (value - 1)  # only a power of two has a single bit
        ):
            raise ModelFileError(
                pick(
                    f"{self.name}: general.alignment is {value!r}, not a power of two"
                    f" from 8 to {MAX_ALIGNMENT}",
                    f"{self.name}：general.alignment 是 {value!r}，"
                    f"应为 8 到 {MAX_ALIGNMENT} 之间的 2 的幂",
                )
            )
        self.alignment = value

    def read_tensors(self, num_tensors: int) -> None:
        entries = [self.tensor_entry() for _ in range(num_tensors)]
        start = self.aligned(self.position)
        expected = 0
        for at, name, type_, shape, offset, size in entries:
            if name in self.tensors:
                raise self.damaged(
                    at, f"the tensor {name!r} appears twice", f"张量 {name!r} 出现了两次"
                )
            # The format packs tensors in order, each padded to the alignment. Anything else is
            # misaligned, overlapping or has a hole, and in each case the entry is wrong.
            if offset != expected:
                raise self.damaged(
                    at,
                    f"the tensor {name!r} has offset {offset} where {expected} is due"
                    f" (alignment {self.alignment}): it overlaps another or leaves a hole",
                    f"张量 {name!r} 的偏移是 {offset}，应为 {expected}"
                    f"（对齐 {self.alignment}）：与其他张量重叠或留有空洞",
                )
            if start + offset + size > self.size:
                raise self.damaged(
                    at,
                    f"the tensor {name!r} ends at byte {start + offset + size}, the file at"
                    f" {self.size}: the file is truncated or the entry wrong",
                    f"张量 {name!r} 结束于第 {start + offset + size} 字节，而文件只有"
                    f" {self.size} 字节：文件被截断或条目有误",
                )
            expected = self.aligned(offset + size)
            self.tensors[name] = TensorInfo(
                name=name, type=type_, shape=shape, offset=start + offset, size=size
            )

    def tensor_entry(self) -> tuple[int, str, GGMLType, tuple[int, ...], int, int]:
        at = self.position
        name = self.string(MAX_NAME_BYTES, "tensor name", "张量名")
        if not name:
            raise self.damaged(at, "an empty tensor name", "张量名为空")
        num_dimensions = self.u32(f"dimensions of {name!r}", f"{name!r} 的维数")
        if not 1 <= num_dimensions <= MAX_DIMENSIONS:
            raise self.damaged(
                at,
                f"the tensor {name!r} has {num_dimensions} dimensions, not 1 to {MAX_DIMENSIONS}",
                f"张量 {name!r} 有 {num_dimensions} 维，应为 1 到 {MAX_DIMENSIONS}",
            )
        shape = tuple(
            self.u64(f"shape of {name!r}", f"{name!r} 的形状") for _ in range(num_dimensions)
        )
        number = self.u32(f"type of {name!r}", f"{name!r} 的类型")
        offset = self.u64(f"offset of {name!r}", f"{name!r} 的偏移")
        try:
            type_ = GGMLType(number)
        except ValueError:
            raise self.damaged(
                at,
                f"the tensor {name!r} has the unknown type {number}",
                f"张量 {name!r} 的类型 {number} 未知",
            ) from None
        num_values = 1
        for length in shape:
            num_values *= length
        # Python integers do not overflow; the bound keeps the sizes in the file's own 64 bits.
        if not 0 < num_values < 1 << 60 or shape[0] % type_.block_size:
            raise self.damaged(
                at,
                f"the tensor {name!r} of type {type_.name} cannot have shape {list(shape)}"
                f" (rows are blocks of {type_.block_size})",
                f"{type_.name} 类型的张量 {name!r} 不能有形状 {list(shape)}"
                f"（每行须为 {type_.block_size} 的整数倍）",
            )
        return at, name, type_, shape, offset, type_.num_bytes(num_values)

    # The small pieces. Each checks the bytes that remain before it touches them.

    def need(self, num_bytes: int, english: str, chinese: str) -> None:
        if num_bytes > self.end - self.position:
            raise self.damaged(
                self.position,
                f"{english} needs {num_bytes} bytes, {self.end - self.position} remain",
                f"{chinese}需要 {num_bytes} 字节，只剩 {self.end - self.position}",
            )

    def check_count(
        self, at: int, count: int, item_bytes: int, most: int, english: str, chinese: str
    ) -> None:
        remain = self.end - self.position
        if count > most or count * item_bytes > remain:
            raise self.damaged(
                at,
                f"{count} {english} cannot be in {remain} bytes (at most {most})",
                f"{remain} 字节里不可能有 {count} 个{chinese}（上限 {most}）",
            )

    def u32(self, english: str, chinese: str) -> int:
        self.need(4, english, chinese)
        value: int = _U32.unpack_from(self.buffer, self.position)[0]
        self.position += 4
        return value

    def u64(self, english: str, chinese: str) -> int:
        self.need(8, english, chinese)
        value: int = _U64.unpack_from(self.buffer, self.position)[0]
        self.position += 8
        return value

    def string(self, most: int, english: str, chinese: str) -> str:
        at = self.position
        length = self.u64(english, chinese)
        if length > most:
            raise self.damaged(
                at,
                f"{english} of {length} bytes, at most {most} are allowed",
                f"{chinese}长 {length} 字节，上限 {most}",
            )
        self.need(length, english, chinese)
        raw = self.buffer[self.position : self.position + length]
        self.position += length
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.damaged(
                at + 8 + error.start, f"{english} is not UTF-8", f"{chinese}不是 UTF-8"
            ) from None

    def scalar(self, kind: int, english: str, chinese: str) -> int | float | bool:
        packed = _SCALARS[kind]
        self.need(packed.size, english, chinese)
        value: int | float = packed.unpack_from(self.buffer, self.position)[0]
        if kind == _BOOL:
            if value not in (0, 1):
                raise self.damaged(
                    self.position,
                    f"{english} is {value}, no boolean",
                    f"{chinese}为 {value}，不是布尔值",
                )
            value = bool(value)
        self.position += packed.size
        return value

    def array(self, key: str) -> Any:
        at = self.position
        kind = self.u32(f"element type of {key}", f"{key} 的元素类型")
        count = self.u64(f"length of {key}", f"{key} 的长度")
        if kind == _STRING:
            self.num_strings += count
            most = MAX_STRINGS - self.num_strings + count
            self.check_count(at, count, 8, most, f"strings of {key}", f" {key} 的字符串")
            return self.strings(key, count)
        if kind not in _ARRAY_DTYPES:
            english = "nested arrays" if kind == _ARRAY else f"elements of unknown type {kind}"
            chinese = "嵌套数组" if kind == _ARRAY else f"未知类型 {kind} 的元素"
            raise self.damaged(at, f"{key} has {english}", f"{key} 含有{chinese}")
        item_bytes = _SCALARS[kind].size
        self.check_count(at, count, item_bytes, self.end, f"values of {key}", f" {key} 的值")
        import numpy as np  # here: 80 ms, and only arrays need it

        raw = self.buffer[self.position : self.position + count * item_bytes]
        values = np.frombuffer(raw, dtype=_ARRAY_DTYPES[kind])
        if kind == _BOOL:
            if values.size and values.max() > 1:
                raise self.damaged(
                    at, f"{key} holds values that are no booleans", f"{key} 含有非布尔值"
                )
            values = values.view(np.bool_)
        self.position += len(raw)
        return values

    def strings(self, key: str, count: int) -> list[str]:
        """A list of strings; the one hot loop here, so without calls of our own."""
        buffer, end, position = self.buffer, self.end, self.position
        unpack = _U64.unpack_from
        errors = "surrogateescape" if key in _RAW_TEXT_KEYS else "strict"
        result: list[str] = []
        append = result.append
        start = position
        try:
            for _ in range(count):
                start = position + 8
                if start > end:
                    break
                position = start + unpack(buffer, start - 8)[0]
                if position > end:
                    break
                append(buffer[start:position].decode("utf-8", errors))
        except UnicodeDecodeError:
            raise self.damaged(
                start, f"string {len(result)} of {key} is not UTF-8",
                f"{key} 的第 {len(result)} 个字符串不是 UTF-8",
            ) from None  # fmt: skip
        if len(result) != count:
            raise self.damaged(
                start,
                f"string {len(result)} of {key} does not fit in the bytes that remain",
                f"{key} 的第 {len(result)} 个字符串超出剩余字节",
            )
        self.position = position
        return result

    def aligned(self, position: int) -> int:
        return -(-position // self.alignment) * self.alignment
