"""Keys and values of a sequence on disk, so that a long prompt need not be computed again.

    write_state(path, StateHeader(...), tokens, payload)
    header, tokens, payload = read_state(path)

    8 bytes  "QINGYUKV"
    u32 u32  version, length of the header (little-endian)
    JSON     model_sha256, instruction_set, activation_bits, kv_bytes_per_token, num_tokens,
             payload_bytes, adapter_sha256 (since version 3; "": without an adapter)
    int32[]  tokens
    bytes    payload, as `_native.NativeContext.save` gave it
    32 bytes SHA-256 of all before

The file is complete under its name or not there. Reading checks every length against the
file's size before anything is read, and the checksum before anything is used. Whether the
state fits a loaded model is the caller's question (`StateHeader`).
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from qingyu.errors import StateError
from qingyu.text import pick

MAGIC = b"QINGYUKV"
VERSION = 3
_READABLE = (2, 3)
_FIXED = struct.Struct("<8sII")
_CHECKSUM_BYTES = 32
_MAX_HEADER_BYTES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class StateHeader:
    """What a state belongs to. Another instruction set sums in another order, so restoring
    across sets would break "same input, same tokens". adapter_sha256: of the adapter's file it
    was computed with, "" without one."""

    model_sha256: str
    instruction_set: str
    activation_bits: int
    kv_bytes_per_token: int
    num_tokens: int
    payload_bytes: int
    adapter_sha256: str = ""

    def check_fits(self, other: StateHeader, path: Path) -> None:
        """Raises StateError when this state is not of the model and settings of `other`."""
        if self.model_sha256 != other.model_sha256:
            raise StateError(
                pick(
                    f"{path} was saved with a model of sha256 {self.model_sha256}, but the one"
                    f" loaded has {other.model_sha256}; load the model it was saved with",
                    f"{path} 保存时模型的 sha256 为 {self.model_sha256}，"
                    f"而加载的模型为 {other.model_sha256}；请加载保存时的模型",
                )
            )
        if self.instruction_set != other.instruction_set:
            raise StateError(
                pick(
                    f"{path} was saved with the instruction set {self.instruction_set}, but"
                    f" {other.instruction_set} is in use; set QINGYU_ISA={self.instruction_set}",
                    f"{path} 保存时的指令集为 {self.instruction_set}，"
                    f"而现在是 {other.instruction_set}；请设 QINGYU_ISA={self.instruction_set}",
                )
            )
        if self.activation_bits != other.activation_bits:
            raise StateError(
                pick(
                    f"{path} was saved with activation_bits={self.activation_bits}, but the model"
                    f" is loaded with {other.activation_bits}; load it with the same",
                    f"{path} 保存时 activation_bits={self.activation_bits}，"
                    f"而现在为 {other.activation_bits}；请用相同的值加载",
                )
            )
        if self.kv_bytes_per_token != other.kv_bytes_per_token:
            raise StateError(
                pick(
                    f"{path} has {self.kv_bytes_per_token} bytes per token, but this version"
                    f" keeps {other.kv_bytes_per_token}; compute the prompt again",
                    f"{path} 每词元 {self.kv_bytes_per_token} 字节，"
                    f"而此版本为 {other.kv_bytes_per_token}；请重新计算提示",
                )
            )


def write_state(path: Path, header: StateHeader, tokens: Sequence[int], payload: bytes) -> int:
    """Write the file whole or not at all; its size in bytes. Raises StateError when the
    system refuses."""
    assert header.num_tokens == len(tokens)
    assert header.payload_bytes == len(payload)
    text = json.dumps(asdict(header)).encode()
    parts = (
        _FIXED.pack(MAGIC, VERSION, len(text)),
        text,
        np.asarray(tokens, dtype="<i4").tobytes(),
        payload,
    )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    checksum = hashlib.sha256()
    try:
        try:
            with temporary.open("wb") as file:
                for part in parts:
                    checksum.update(part)
                    file.write(part)
                file.write(checksum.digest())
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise StateError(
            pick(f"cannot write {path}: {error}", f"无法写入 {path}：{error}")
        ) from error
    return sum(len(part) for part in parts) + _CHECKSUM_BYTES


def read_state(path: Path) -> tuple[StateHeader, list[int], bytes]:
    """Header, tokens and payload of a whole, undamaged file.

    Raises StateError for anything else, saying what is wrong.
    """
    try:
        with path.open("rb") as file:
            return _read(path, file)
    except OSError as error:
        raise StateError(
            pick(f"cannot read {path}: {error}", f"无法读取 {path}：{error}")
        ) from error


def _read(path: Path, file: IO[bytes]) -> tuple[StateHeader, list[int], bytes]:
    size = os.fstat(file.fileno()).st_size
    start = file.read(_FIXED.size)
    if len(start) < _FIXED.size or not start.startswith(MAGIC):
        raise _damaged(path, "it is not a saved sequence", "不是保存的序列")
    _, version, header_bytes = _FIXED.unpack(start)
    if version not in _READABLE:
        raise StateError(
            pick(
                f"{path} is of version {version}; this Qingyu reads version {VERSION}",
                f"{path} 的版本为 {version}；此 Qingyu 只读版本 {VERSION}",
            )
        )
    if header_bytes > min(_MAX_HEADER_BYTES, size):
        raise _damaged(path, f"its header has {header_bytes} bytes", f"头部长 {header_bytes} 字节")
    text = file.read(header_bytes)
    header = _parse_header(path, text)
    expected = (
        _FIXED.size + header_bytes + 4 * header.num_tokens + header.payload_bytes + _CHECKSUM_BYTES
    )
    if size != expected:
        raise _damaged(
            path, f"it has {size} bytes instead of {expected}", f"长 {size} 字节，应为 {expected}"
        )
    tokens = file.read(4 * header.num_tokens)
    payload = file.read(header.payload_bytes)
    found = hashlib.sha256(start)
    for part in (text, tokens, payload):
        found.update(part)
    if file.read(_CHECKSUM_BYTES) != found.digest():
        raise _damaged(path, "its checksum does not match", "校验和不符")
    return header, np.frombuffer(tokens, dtype="<i4").tolist(), payload


def _parse_header(path: Path, text: bytes) -> StateHeader:
    try:
        fields: Any = json.loads(text)
        header = StateHeader(**fields)
    except (ValueError, TypeError, RecursionError):
        raise _damaged(path, "its header cannot be read", "头部无法解析") from None
    for name, kind in (
        ("model_sha256", str),
        ("instruction_set", str),
        ("activation_bits", int),
        ("kv_bytes_per_token", int),
        ("num_tokens", int),
        ("payload_bytes", int),
        ("adapter_sha256", str),
    ):
        value = getattr(header, name)
        if type(value) is not kind or (isinstance(value, int) and not 0 <= value < 1 << 60):
            raise _damaged(path, f"its {name} is {value!r}", f"{name} 为 {value!r}")
    return header


def _damaged(path: Path, english: str, chinese: str) -> StateError:
    return StateError(
        pick(
            f"{path} is damaged: {english}; nothing of it was used",
            f"{path} 已损坏：{chinese}；未使用其中任何内容",
        )
    )
