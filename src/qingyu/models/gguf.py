"""Reads a GGUF file (version 2 or 3) without trusting one length in it.

    with GGUFFile.open("model.gguf") as gguf:
        gguf.metadata["general.architecture"], gguf.tensors["output_norm.weight"].shape
        gguf.data("output_norm.weight")          # memoryview into the read-only map

What does not add up is a `ModelFileError`; `qingyu.models.gguf_header` does the checking.
Knows nothing of architectures: whether the tensors make a model is `qingyu.models.family`.
Source of the format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

Limit: the file must not shrink while it is open (the operating system ends a process that
reads a map past the end of its file).
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, overload

from qingyu.errors import ModelFileError, ModelNotFoundError
from qingyu.models.ggml_types import GGMLType
from qingyu.models.gguf_header import HeaderReader, TensorInfo
from qingyu.text import pick

__all__ = ["GGMLType", "GGUFFile", "TensorInfo"]

T = TypeVar("T")
D = TypeVar("D")


class GGUFFile:
    """An open GGUF file: metadata as Python values, tensors as views into a read-only map.

    `metadata` values are str, int, float, bool, list[str], or read-only numpy arrays.
    Token and merge strings that are no UTF-8 carry their bytes as surrogate escapes.
    """

    def __init__(self, path: Path, map_: mmap.mmap, reader: HeaderReader) -> None:
        self.path = path
        self.size = len(map_)
        self.version = reader.version
        self.alignment = reader.alignment
        self.metadata = reader.metadata
        self.tensors = reader.tensors
        self._map = map_

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> GGUFFile:
        """Map the file and check all of its header.

        Raises ModelNotFoundError when there is no such file, ModelFileError when it cannot be
        read or is damaged.
        """
        path = Path(path)
        map_ = _map_file(path)
        try:
            reader = HeaderReader(path.name, map_)
            reader.read()
        except BaseException:
            map_.close()
            raise
        return cls(path, map_, reader)

    def __enter__(self) -> GGUFFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Unmap the file. Views still held keep the map until they are gone."""
        with contextlib.suppress(BufferError):
            self._map.close()

    def data(self, name: str) -> memoryview:
        """The raw blocks of a tensor, read-only, not copied."""
        tensor = self.tensors[name]
        return memoryview(self._map)[tensor.offset : tensor.offset + tensor.size]

    def sha256(self) -> str:
        """Of all bytes of the file, as they are mapped."""
        return hashlib.sha256(self._map).hexdigest()

    def release(self, name: str) -> None:
        """Give the tensor's pages back to the system; reading it again fetches them again."""
        if not hasattr(mmap, "MADV_DONTNEED"):
            return
        tensor = self.tensors[name]
        start = tensor.offset // mmap.PAGESIZE * mmap.PAGESIZE
        self._map.madvise(mmap.MADV_DONTNEED, start, tensor.offset + tensor.size - start)

    @overload
    def get(self, key: str, type_: type[T]) -> T: ...
    @overload
    def get(self, key: str, type_: type[T], default: D) -> T | D: ...
    def get(self, key: str, type_: type[T], default: Any = ...) -> Any:
        """The value of `key` as `type_` (an int also serves as float), or `default`.

        Raises ModelFileError when the key is missing and has no default, or has another type.
        """
        if key not in self.metadata:
            if default is not ...:
                return default
            raise ModelFileError(
                pick(
                    f"{self.path.name}: the metadata key {key} is missing",
                    f"{self.path.name}：缺少元数据键 {key}",
                )
            )
        value = self.metadata[key]
        if type_ is float and type(value) is int:
            return float(value)
        # bool is an int to isinstance, but not to a model file
        if not isinstance(value, type_) or (isinstance(value, bool) and type_ is not bool):
            raise ModelFileError(
                pick(
                    f"{self.path.name}: the metadata key {key} is {type(value).__name__},"
                    f" not {type_.__name__}",
                    f"{self.path.name}：元数据键 {key} 的类型是 {type(value).__name__}，"
                    f"应为 {type_.__name__}",
                )
            )
        return value


def _map_file(path: Path) -> mmap.mmap:
    try:
        # Non-blocking, so that a named pipe is refused below instead of waited for.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ModelNotFoundError(
            pick(f"there is no model file {path}", f"没有模型文件 {path}")
        ) from None
    except (OSError, ValueError) as error:
        raise ModelFileError(
            pick(f"cannot read {path}: {error}", f"无法读取 {path}：{error}")
        ) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ModelFileError(
                pick(
                    f"{path} is not a file; give the path of a .gguf file",
                    f"{path} 不是文件；请给出 .gguf 文件的路径",
                )
            )
        if status.st_size == 0:
            raise ModelFileError(
                pick(f"{path.name}: the file is empty", f"{path.name}：文件是空的")
            )
        try:
            return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise ModelFileError(
                pick(f"cannot map {path}: {error}", f"无法映射 {path}：{error}")
            ) from error
    finally:
        os.close(descriptor)
