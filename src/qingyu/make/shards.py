"""Tokens on disk, and the order in which training reads them.

    with ShardWriter(folder, tokenizer) as writer:
        writer.add(tokenizer.encode("你好"))
    packer = Packer(Shards.open(folder), sequence_length=512, seed=0)
    row = next(packer)             # qingyu.make.packing

    index.json          what is here, written last: without it nothing is
    00000.tokens        tokens, uint16 or uint32, little-endian; each document ends with eos
    00000.documents     uint64, where each document starts, and the end
    00000.loss          uint8 per token, 1 where it is a target; only for data that says so

Read through memory maps, so a data set may be larger than the memory. Knows nothing of text; the
order of rows is `qingyu.make.packing`.
"""

from __future__ import annotations

import hashlib
import json
import os
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qingyu.errors import DataError, InvalidRequestError
from qingyu.make.packing import Packer, Row
from qingyu.models.hashes import hash_file, read_json, sync_folder, write_atomically
from qingyu.text import pick

__all__ = ["Packer", "Row", "ShardWriter", "Shards"]

VERSION = 1
INDEX = "index.json"
_SHARD_TOKENS = 1 << 26


class TokenizerFacts(Protocol):
    """What shards note of a tokenizer: `qingyu.make.text_tokenizer.TextTokenizer` has it."""

    @property
    def sha256(self) -> str: ...
    @property
    def vocab_size(self) -> int: ...
    @property
    def eos(self) -> int: ...


class ShardWriter:
    """Writes a folder of shards. Nothing counts before `close` has put the index in its place."""

    def __init__(
        self,
        folder: Path,
        tokenizer: TokenizerFacts,
        *,
        has_loss: bool = False,
        made: Mapping[str, Any] | None = None,
        shard_tokens: int = _SHARD_TOKENS,
    ) -> None:
        """made: how the data came about, for the index. A shard ends with the document that
        takes it to `shard_tokens`. What an older, unfinished writer left is removed.

        Raises DataError when the folder holds finished shards.
        """
        if (folder / INDEX).exists():
            raise DataError(
                pick(
                    f"{folder} holds finished shards; choose another folder or remove it",
                    f"{folder} 中已有完成的数据分片；请换一个文件夹或将其删除",
                )
            )
        folder.mkdir(parents=True, exist_ok=True)
        for kind in ("tokens", "documents", "loss"):
            for leftover in folder.glob(f"[0-9][0-9][0-9][0-9][0-9].{kind}"):
                leftover.unlink()
        self.folder = folder
        self.has_loss = has_loss
        self.num_tokens = 0
        self.num_documents = 0
        self._eos = tokenizer.eos
        self._vocab_size = tokenizer.vocab_size
        self._sha256 = tokenizer.sha256
        self._dtype = np.dtype("<u2" if tokenizer.vocab_size <= 1 << 16 else "<u4")
        self._made = dict(made or {})
        self._shard_tokens = shard_tokens
        self._shards: list[dict[str, Any]] = []
        self._tokens_file: IO[bytes] | None = None
        self._loss_file: IO[bytes] | None = None
        self._digest = hashlib.sha256()
        self._starts: list[int] = []

    def add(self, tokens: ArrayLike, loss: ArrayLike | None = None) -> None:
        """One document. eos is put at its end if it is not there: a target where no `loss` is
        given, and none where it is.

        tokens: [n] ids; loss: [n] of 0 and 1, only with has_loss, where None means all targets.
        Raises InvalidRequestError for an empty document, an id outside of the vocabulary or a
        loss of another length.
        """
        ids = np.asarray(tokens, dtype=np.int64)
        if ids.ndim != 1 or not len(ids):
            raise InvalidRequestError(pick("a document has no tokens", "文档没有词元"))
        if ids.min() < 0 or ids.max() >= self._vocab_size:
            wrong = int(ids.max() if ids.min() >= 0 else ids.min())
            raise InvalidRequestError(
                pick(
                    f"token {wrong} is outside of the vocabulary of {self._vocab_size}",
                    f"词元 {wrong} 超出 {self._vocab_size} 的词表",
                )
            )
        targets = np.ones(len(ids), np.uint8) if loss is None else np.asarray(loss, np.uint8)
        if targets.shape != ids.shape or (loss is not None and not self.has_loss):
            raise InvalidRequestError(
                pick(
                    f"{len(ids)} tokens came with a loss of {targets.size} entries"
                    f" (has_loss is {self.has_loss})",
                    f"{len(ids)} 个词元对应的损失标记有 {targets.size} 项"
                    f"（has_loss 为 {self.has_loss}）",
                ),
                param="loss",
            )
        if ids[-1] != self._eos:
            ids = np.append(ids, self._eos)
            targets = np.append(targets, np.uint8(loss is None))
        if self._tokens_file is None:
            self._begin()
        assert self._tokens_file is not None
        raw = ids.astype(self._dtype).tobytes()
        self._tokens_file.write(raw)
        self._digest.update(raw)
        if self._loss_file is not None:
            self._loss_file.write(targets.tobytes())
        self._starts.append(self._starts[-1] + len(ids))
        self.num_tokens += len(ids)
        self.num_documents += 1
        if self._starts[-1] >= self._shard_tokens:
            self._end()

    def _begin(self) -> None:
        name = f"{len(self._shards):05}"
        self._tokens_file = (self.folder / f"{name}.tokens").open("wb")
        if self.has_loss:
            self._loss_file = (self.folder / f"{name}.loss").open("wb")
        self._digest = hashlib.sha256()
        self._starts = [0]

    def _end(self) -> None:
        if self._tokens_file is None:
            return
        for file in (self._tokens_file, self._loss_file):
            if file is not None:
                _finish(file)
        self._tokens_file = self._loss_file = None
        name = f"{len(self._shards):05}"
        documents = (self.folder / f"{name}.documents").open("wb")
        documents.write(np.asarray(self._starts, "<u8").tobytes())
        _finish(documents)
        self._shards.append(
            {
                "file": name,
                "tokens": self._starts[-1],
                "documents": len(self._starts) - 1,
                "sha256": self._digest.hexdigest(),
            }
        )

    def close(self) -> None:
        """Write the index. Raises DataError when nothing was added."""
        self._end()
        if not self._shards:
            raise DataError(
                pick(
                    f"no document is left for {self.folder}; the report says why they were dropped",
                    f"{self.folder} 没有留下任何文档；丢弃原因见报告",
                )
            )
        index = {
            "version": VERSION,
            "tokenizer": self._sha256,
            "vocab_size": self._vocab_size,
            "dtype": {2: "uint16", 4: "uint32"}[self._dtype.itemsize],
            "num_tokens": self.num_tokens,
            "num_documents": self.num_documents,
            "has_loss": self.has_loss,
            "shards": self._shards,
            "made": {"date": datetime.now(UTC).isoformat(timespec="seconds"), **self._made},
        }
        sync_folder(self.folder)
        write_atomically(self.folder / INDEX, _json(index))

    def abandon(self) -> None:
        """Close the files and write no index."""
        for file in (self._tokens_file, self._loss_file):
            if file is not None:
                file.close()
        self._tokens_file = self._loss_file = None

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()


class Shards:
    """A finished folder of shards, mapped. Any thread may read it."""

    def __init__(self, folder: Path, index: Mapping[str, Any]) -> None:
        """Use `open`."""
        self.folder = folder
        self.index = index
        self.tokenizer: str = index["tokenizer"]
        self.vocab_size: int = index["vocab_size"]
        self.num_tokens: int = index["num_tokens"]
        self.num_documents: int = index["num_documents"]
        self.has_loss: bool = index["has_loss"]
        dtype = np.dtype({"uint16": "<u2", "uint32": "<u4"}[index["dtype"]])
        self._tokens: list[NDArray[Any]] = []
        self._starts: list[NDArray[np.uint64]] = []
        self._loss: list[NDArray[np.uint8]] = []
        for shard in index["shards"]:
            name, tokens, documents = shard["file"], shard["tokens"], shard["documents"]
            self._tokens.append(self._map(f"{name}.tokens", dtype, tokens))
            starts = self._map(f"{name}.documents", np.dtype("<u8"), documents + 1)
            if starts[0] != 0 or starts[-1] != tokens:
                raise _damaged(folder / f"{name}.documents")
            self._starts.append(starts)
            if self.has_loss:
                self._loss.append(self._map(f"{name}.loss", np.dtype("u1"), tokens))
        self._firsts = [0, *accumulate(shard["documents"] for shard in index["shards"])]

    @classmethod
    def open(cls, folder: Path) -> Shards:
        """Raises DataError when there is no index, or a file has not the size it says."""
        index = read_json(folder / INDEX)
        if index is None:
            raise DataError(
                pick(
                    f"{folder} holds no finished shards ({INDEX} is missing or damaged);"
                    " make them with: qingyu data build",
                    f"{folder} 中没有完成的数据分片（{INDEX} 缺失或损坏）；"
                    "请运行 qingyu data build 生成",
                )
            )
        _check_index(folder / INDEX, index)
        return cls(folder, index)

    def _map(self, name: str, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        path = self.folder / name
        try:
            size = path.stat().st_size
        except OSError:
            size = -1
        if size != count * dtype.itemsize:
            raise DataError(
                pick(
                    f"{path} has {max(size, 0)} bytes, not {count * dtype.itemsize};"
                    " the data is damaged, build it again",
                    f"{path} 有 {max(size, 0)} 字节，应为 {count * dtype.itemsize}；"
                    "数据已损坏，请重新生成",
                )
            )
        return np.memmap(path, dtype, "r", shape=(count,))

    def document(self, number: int) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
        """Tokens [n] and loss [n] (None without has_loss) of one document, as views."""
        shard, start, end = self._place(number)
        tokens = self._tokens[shard][start:end]
        return tokens, self._loss[shard][start:end] if self.has_loss else None

    def length(self, number: int) -> int:
        """Tokens of one document."""
        _, start, end = self._place(number)
        return end - start

    def _place(self, number: int) -> tuple[int, int, int]:
        assert 0 <= number < self.num_documents, number
        shard = bisect_right(self._firsts, number) - 1
        local = number - self._firsts[shard]
        starts = self._starts[shard]
        start, end = int(starts[local]), int(starts[local + 1])
        if not 0 <= start < end <= len(self._tokens[shard]):
            raise _damaged(self.folder / f"{self.index['shards'][shard]['file']}.documents")
        return shard, start, end

    def verify(self) -> None:
        """Hash every tokens file. Raises DataError when one has other bytes than recorded."""
        for shard in self.index["shards"]:
            path = self.folder / f"{shard['file']}.tokens"
            if hash_file(path)[0] != shard["sha256"]:
                raise _damaged(path)


def _finish(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _check_index(path: Path, index: Any) -> None:
    kinds = {
        "tokenizer": str, "vocab_size": int, "num_tokens": int, "num_documents": int,
        "has_loss": bool, "shards": list, "made": dict,
    }  # fmt: skip
    if not isinstance(index, dict) or not all(
        isinstance(index.get(name), kind) for name, kind in kinds.items()
    ):
        raise _damaged(path)
    if index.get("version") != VERSION or index.get("dtype") not in ("uint16", "uint32"):
        raise DataError(
            pick(
                f"{path} has version {index.get('version')} and dtype {index.get('dtype')};"
                f" this program reads version {VERSION}",
                f"{path} 的版本为 {index.get('version')}，dtype 为 {index.get('dtype')}；"
                f"本程序读取版本 {VERSION}",
            )
        )
    shards: Sequence[Any] = index["shards"]
    sound = all(
        isinstance(shard, dict)
        and isinstance(shard.get("file"), str)
        and shard["file"].isdigit()
        and all(type(shard.get(name)) is int and shard[name] > 0 for name in _COUNTS)
        and isinstance(shard.get("sha256"), str)
        for shard in shards
    )
    if not sound or any(
        sum(shard[name] for shard in shards) != index[f"num_{name}"] for name in _COUNTS
    ):
        raise _damaged(path)


_COUNTS = ("tokens", "documents")


def _damaged(path: Path) -> DataError:
    return DataError(
        pick(
            f"{path} is damaged; build the data again with: qingyu data build",
            f"{path} 已损坏；请用 qingyu data build 重新生成",
        )
    )
