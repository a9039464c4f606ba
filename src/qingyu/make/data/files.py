"""Documents out of files: text, JSON lines, Parquet, pages, archives of pages, manuals, chats.

    for document in documents(source, path): document.text, document.id, document.messages

Compressed files (.gz .bz2 .xz .zst) are read as what they hold. One document is in memory at a
time, and of a page or text file the whole file. Judges and changes nothing but the encoding.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from qingyu.make.data import roff
from qingyu.make.data.decoding import Decoded, decode
from qingyu.make.data.recipe import Source

# A page or text larger than this is no page or text; JSON lines and archives are not bounded.
MAX_FILE_BYTES = 256 << 20
_MAX_PAGE_BYTES = 32 << 20
_SUFFIXES = (".gz", ".bz2", ".xz", ".zst")


@dataclass(frozen=True, kw_only=True)
class Raw:
    """One document as it was found. messages: of a chat; encoding: what its bytes were."""

    text: str
    id: str
    encoding: str = "utf-8"
    messages: tuple[dict[str, str], ...] | None = None


class UnreadableError(Exception):
    """A file or a record that is not what it should be; the build counts it and goes on."""


def documents(source: Source, path: Path, name: str) -> Iterator[Raw]:
    """name: how the file is called in ids. Raises UnreadableError, OSError."""
    try:
        with _opened(path) as file:
            yield from _READERS[source.kind](source, file, name)
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise UnreadableError(f"{name}: {error}") from None


def bare_name(path: Path) -> str:
    """The name without the suffix of a compression."""
    return path.name.removesuffix(path.suffix) if path.suffix in _SUFFIXES else path.name


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz" and not bare_name(path).endswith(".warc"):
        return cast(IO[bytes], gzip.open(path))
    if path.suffix == ".bz2":
        return bz2.open(path)
    if path.suffix == ".xz":
        return lzma.open(path)
    if path.suffix == ".zst":
        import pyarrow

        stream: IO[bytes] = io.BufferedReader(pyarrow.CompressedInputStream(str(path), "zstd"))
        return stream
    return path.open("rb")


def _whole(file: IO[bytes], name: str, limit: int = MAX_FILE_BYTES) -> bytes:
    raw = file.read(limit + 1)
    if len(raw) > limit:
        raise UnreadableError(f"{name}: larger than {limit >> 20} MiB")
    return raw


def _decoded(source: Source, raw: bytes) -> Decoded:
    if source.encoding:
        text = raw.decode(source.encoding, "replace")
        return Decoded(text=text, encoding=source.encoding, declared=source.encoding)
    return decode(raw)


def _text(source: Source, file: IO[bytes], name: str) -> Iterator[Raw]:
    decoded = _decoded(source, _whole(file, name))
    text = decoded.text.replace("\r\n", "\n").replace("\r", "\n")
    if not source.separator:
        yield Raw(text=text, id=name, encoding=decoded.encoding)
        return
    part: list[str] = []
    count = 0
    for line in [*text.split("\n"), source.separator]:
        if line.strip() != source.separator:
            part.append(line)
            continue
        if any(map(str.strip, part)):
            yield Raw(text="\n".join(part), id=f"{name}#{count}", encoding=decoded.encoding)
            count += 1
        part = []


def _man(source: Source, file: IO[bytes], name: str) -> Iterator[Raw]:
    decoded = _decoded(source, _whole(file, name, _MAX_PAGE_BYTES))
    if decoded.text.startswith(".so "):  # only names another page
        return
    yield Raw(text=roff.plain(decoded.text), id=name, encoding=decoded.encoding)


def _html(source: Source, file: IO[bytes], name: str) -> Iterator[Raw]:
    if name.endswith((".warc", ".warc.gz", ".warc.zst")):
        yield from _archive(source, file, name)
        return
    decoded = _decoded(source, _whole(file, name, _MAX_PAGE_BYTES))
    yield Raw(text=decoded.text, id=name, encoding=decoded.encoding)


def _archive(source: Source, file: IO[bytes], name: str) -> Iterator[Raw]:
    from warcio.archiveiterator import ArchiveIterator
    from warcio.exceptions import ArchiveLoadFailed

    try:
        for count, record in enumerate(ArchiveIterator(file)):
            headers = record.http_headers
            if record.rec_type != "response" or headers is None:
                continue
            kind = headers.get_header("Content-Type") or ""
            if headers.get_statuscode() != "200" or "html" not in kind.lower():
                continue
            raw = record.content_stream().read(_MAX_PAGE_BYTES + 1)
            if len(raw) > _MAX_PAGE_BYTES:
                continue
            _, found, charset = kind.lower().partition("charset=")
            said = charset.split(";")[0].strip("\"' ") if found else None
            decoded = _decoded(source, raw) if source.encoding else decode(raw, said or None)
            uri = record.rec_headers.get_header("WARC-Target-URI") or f"{name}#{count}"
            yield Raw(text=decoded.text, id=uri, encoding=decoded.encoding)
    except ArchiveLoadFailed as error:
        raise UnreadableError(f"{name}: {error}") from None


def _rows(file: IO[bytes], name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise UnreadableError(f"{name}: line {number} is no JSON") from None
        if not isinstance(row, dict):
            raise UnreadableError(f"{name}: line {number} is no JSON object")
        yield number, row


def _jsonl(source: Source, file: IO[bytes], name: str) -> Iterator[Raw]:
    for number, row in _rows(file, name):
        text = row.get(source.field)
        if not isinstance(text, str):
            raise UnreadableError(f"{name}: line {number} has no text in {source.field!r}")
        yield Raw(text=text, id=f"{name}#{number}")


def _chat(source: Source, file: IO[bytes], name: str) -> Iterator[Raw]:
    for number, row in _rows(file, name):
        messages: Any = row.get("messages")
        sound = isinstance(messages, list) and all(
            isinstance(one, dict)
            and isinstance(one.get("role"), str)
            and isinstance(one.get("content"), str)
            for one in messages
        )
        if not sound or not any(one["role"] == "assistant" for one in messages):
            raise UnreadableError(
                f"{name}: line {number} has no messages with role and content and an answer"
            )
        kept = tuple({"role": one["role"], "content": one["content"]} for one in messages)
        text = "\n".join(one["content"] for one in kept)
        yield Raw(text=text, id=f"{name}#{number}", messages=kept)


def _parquet(source: Source, file: IO[bytes], name: str) -> Iterator[Raw]:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(file)
        if source.field not in table.schema_arrow.names:
            raise UnreadableError(f"{name}: no column {source.field!r}")
        count = 0
        for batch in table.iter_batches(batch_size=256, columns=[source.field]):
            for text in batch.column(0).to_pylist():
                count += 1
                if isinstance(text, str):
                    yield Raw(text=text, id=f"{name}#{count}")
    except pyarrow.ArrowException as error:
        raise UnreadableError(f"{name}: {error}") from None


_READERS = {
    "text": _text,
    "man": _man,
    "html": _html,
    "jsonl": _jsonl,
    "chat": _chat,
    "parquet": _parquet,
}
