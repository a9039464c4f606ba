"""Models in one file, for a machine without a network.

    export_bundle(["default", "qwen3-0.6b"], Path("models.qingyu"))
    import_bundle(Path("models.qingyu"))

A bundle is a plain tar: `manifest.json` first, with name, bytes and SHA-256 of each model, then
one `<name>.gguf` each in that order, then zeros. An import accepts exactly that: it reads the
tar's 512-byte headers itself, so links, folders, long-name and other special members, paths,
members that are missing, extra or in another order are all refused, and nothing appears in the
store before every file is whole and has its hash.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from qingyu.errors import (
    HashMismatchError,
    InvalidRequestError,
    ModelFileError,
    ModelNotFoundError,
)
from qingyu.models import catalog, hashes
from qingyu.models.download import DownloadSettings, check_disk
from qingyu.models.hashes import Progress, no_progress
from qingyu.models.reference import is_safe_name, is_sha256
from qingyu.models.store import HashOrigin, Manifest, ModelStore, StoredModel, utc_now
from qingyu.text import pick

_FORMAT = "qingyu-bundle"
_VERSION = 1
_TAR_BLOCK = 512
_BLOCK = 1 << 20
_LARGEST_MANIFEST = 1 << 20
# A member's name must fit the 100 bytes of a tar header, with .gguf behind it.
_LONGEST_NAME = 95


@dataclass(frozen=True, kw_only=True)
class _Item:
    """One model that a bundle's manifest promises."""

    name: str
    file: str
    bytes: int
    sha256: str
    licence: str
    source: str

    @property
    def member(self) -> str:
        return f"{self.name}.gguf"


def _padding(size: int) -> int:
    return -size % _TAR_BLOCK


def export_bundle(
    references: Sequence[str],
    target: Path,
    *,
    store: ModelStore | None = None,
    progress: Progress = no_progress,
) -> list[StoredModel]:
    """Write stored models into one bundle at `target`; each is hashed before it goes in.

    Raises ModelNotFoundError for one that is not here, HashMismatchError for a damaged one,
    InvalidRequestError for none or for a target that exists, DiskSpaceError. The bundle appears
    under its name only when whole.
    """
    store = store or ModelStore()
    models: dict[str, StoredModel] = {}
    for reference in references:
        model = store.find(reference)
        if model is None:
            store.resolve(reference)  # says what is wrong with the name
            raise ModelNotFoundError(
                pick(
                    f"{reference} is a file outside of the store; copy it as it is",
                    f"{reference} 是存储之外的文件；直接复制即可",
                )
            )
        models[model.name] = model
    too_long = [name for name in models if len(name) > _LONGEST_NAME]
    if not models or too_long:
        raise InvalidRequestError(
            pick("name the models to export", "请指定要导出的模型")
            if not models
            else pick(
                f"the name {too_long[0]} is longer than the {_LONGEST_NAME} characters a bundle"
                " can hold",
                f"名称 {too_long[0]} 超过离线包允许的 {_LONGEST_NAME} 个字符",
            )
        )
    if target.exists():
        raise InvalidRequestError(
            pick(
                f"{target} exists; choose another name or remove it",
                f"{target} 已存在；请换一个名称或先删除它",
            )
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    total = sum(model.manifest.bytes for model in models.values())
    check_disk(target.resolve().parent, total, DownloadSettings())
    checked = [store.verify(model, progress=progress) for model in models.values()]
    partial = target.with_name(target.name + ".part")
    try:
        with partial.open("wb") as file:
            _write(file, checked, progress)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    return checked


def _header(name: str, size: int) -> bytes:
    information = tarfile.TarInfo(name)
    information.size = size
    information.mode = 0o644
    return information.tobuf(tarfile.GNU_FORMAT, "ascii", "strict")


def _write(file: IO[bytes], models: Sequence[StoredModel], progress: Progress) -> None:
    fields = ("name", "file", "bytes", "sha256", "licence", "source")
    manifest = {
        "format": _FORMAT,
        "version": _VERSION,
        "written": utc_now(),
        "models": [{name: getattr(model.manifest, name) for name in fields} for model in models],
    }
    text = (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode()
    file.write(_header("manifest.json", len(text)) + text + bytes(_padding(len(text))))
    total = sum(model.manifest.bytes for model in models)
    done = 0
    for model in models:
        size = model.manifest.bytes
        file.write(_header(f"{model.name}.gguf", size))
        written = 0
        with model.path.open("rb") as source:
            while block := source.read(_BLOCK):
                file.write(block)
                written += len(block)
                progress("export", done + written, total)
        if written != size:
            raise HashMismatchError(
                pick(
                    f"{model.path} changed while it was exported",
                    f"{model.path} 在导出时发生变化",
                )
            )
        done += size
        file.write(bytes(_padding(size)))
    file.write(bytes(2 * _TAR_BLOCK))


def _refuse(path: Path, english: str, chinese: str) -> ModelFileError:
    return ModelFileError(
        pick(
            f"{path} is not a sound bundle: {english}; nothing was imported",
            f"{path} 不是完好的离线包：{chinese}；没有导入任何内容",
        )
    )


def _next_size(file: IO[bytes], expected: str, path: Path) -> int:
    """Size of the member that must come next: a plain file of exactly this name."""
    block = file.read(_TAR_BLOCK)
    try:
        information = tarfile.TarInfo.frombuf(block, "ascii", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError):
        raise _refuse(path, f"{expected} is missing", f"缺少 {expected}") from None
    if information.type != tarfile.REGTYPE or information.linkname:
        raise _refuse(
            path,
            f"{information.name[:100]!r} is not a plain file",
            f"{information.name[:100]!r} 不是普通文件",
        )
    if information.name != expected:
        raise _refuse(
            path,
            f"{information.name[:100]!r} stands where {expected!r} belongs",
            f"{expected!r} 的位置上是 {information.name[:100]!r}",
        )
    if information.size < 0:
        raise _refuse(path, f"{expected} has no size", f"{expected} 没有大小")
    return information.size


def _skip_padding(file: IO[bytes], size: int, path: Path) -> None:
    if any(file.read(_padding(size))):
        raise _refuse(path, "there is data between its members", "成员之间有多余数据")


def _item(fields: Any) -> _Item | None:
    if not isinstance(fields, dict):
        return None
    texts = [fields.get(name) for name in ("name", "file", "licence", "source")]
    size = fields.get("bytes")
    sound = (
        all(isinstance(text, str) and len(text) <= 1000 for text in texts)
        and is_safe_name(fields["name"])
        and len(fields["name"]) <= _LONGEST_NAME
        and is_safe_name(fields["file"])
        and fields["file"].endswith(".gguf")
        and type(size) is int
        and size > 0
        and is_sha256(fields.get("sha256"))
    )
    if not sound:
        return None
    return _Item(**{name: fields[name] for name in _Item.__dataclass_fields__})


def _read_manifest(file: IO[bytes], path: Path) -> list[_Item]:
    size = _next_size(file, "manifest.json", path)
    if size > _LARGEST_MANIFEST:
        raise _refuse(path, f"its manifest has {size:,} bytes", f"清单有 {size:,} 字节")
    text = file.read(size)
    _skip_padding(file, size, path)
    try:
        fields = json.loads(text.decode())
    except (ValueError, RecursionError):
        raise _refuse(path, "its manifest is not JSON", "清单不是 JSON") from None
    listed = fields.get("models") if isinstance(fields, dict) else None
    if not isinstance(listed, list) or fields.get("format") != _FORMAT or not listed:
        raise _refuse(path, "its manifest is of another format", "清单格式不符")
    if fields.get("version") != _VERSION:
        raise _refuse(
            path,
            f"it is of version {fields.get('version')!r}, this Qingyu reads {_VERSION}",
            f"其版本为 {fields.get('version')!r}，此轻语只能读取 {_VERSION}",
        )
    items = []
    for number, entry in enumerate(listed, start=1):
        item = _item(entry)
        if item is None:
            raise _refuse(
                path,
                f"entry {number} of its manifest is missing something, or has a name that is not"
                " safe",
                f"清单第 {number} 项不完整，或名称不安全",
            )
        items.append(item)
    if len({item.name.lower() for item in items}) != len(items):
        raise _refuse(path, "its manifest names a model twice", "清单中有重复的模型")
    return items


def _check_names(items: Sequence[_Item], store: ModelStore) -> None:
    """Refuse hashes that contradict what is known here."""
    for item in items:
        entry = catalog.find(item.name)
        if entry is not None and entry.name != item.name:
            raise InvalidRequestError(
                pick(
                    f"{item.name} is another name of {entry.name} in the catalogue",
                    f"{item.name} 是目录中 {entry.name} 的别名",
                )
            )
        known = (entry.sha256 if entry else None) or store.recorded_hash(item.name)
        if known not in (None, item.sha256):
            raise HashMismatchError(
                pick(
                    f"{item.name} in the bundle has SHA-256 {item.sha256}, known is {known};"
                    " nothing was imported. To accept another file:"
                    f" qingyu rm --forget {item.name}",
                    f"离线包中 {item.name} 的 SHA-256 为 {item.sha256}，已知为 {known}；"
                    f"没有导入任何内容。要接受新文件：qingyu rm --forget {item.name}",
                )
            )


def import_bundle(
    path: Path, *, store: ModelStore | None = None, progress: Progress = no_progress
) -> list[tuple[StoredModel, bool]]:
    """Bring all models of a bundle into the store; gives each, and whether it is new here.

    Raises ModelNotFoundError (no such file), ModelFileError (not a sound bundle),
    HashMismatchError (other bytes than stated, or than known here), DiskSpaceError. Nothing
    appears in the store before everything is checked.
    """
    store = store or ModelStore()
    try:
        file = path.open("rb")
    except OSError as error:
        raise ModelNotFoundError(
            pick(f"cannot open {path}: {error.strerror}", f"无法打开 {path}：{error.strerror}")
        ) from error
    with file:
        items = _read_manifest(file, path)
        begin = file.tell()
        members = sum(_TAR_BLOCK + item.bytes + _padding(item.bytes) for item in items)
        rest = os.fstat(file.fileno()).st_size - begin - members
        if rest < 0:
            raise _refuse(path, f"{-rest:,} bytes are missing", f"缺少 {-rest:,} 字节")
        _check_names(items, store)
        _check_end(file, begin + members, rest, path)
        file.seek(begin)
        store.staging.mkdir(parents=True, exist_ok=True)
        total = sum(item.bytes for item in items)
        check_disk(store.staging, total, DownloadSettings())
        return _unpack(file, items, total, path, store, progress)


def _check_end(file: IO[bytes], position: int, rest: int, path: Path) -> None:
    """After the members there are zeros, as many as tar programs pad with, and nothing else."""
    file.seek(position)
    if rest > 1 << 20 or any(file.read(rest)):
        raise _refuse(path, "more follows than its manifest lists", "末尾有清单之外的内容")


def _unpack(
    file: IO[bytes],
    items: Sequence[_Item],
    total: int,
    path: Path,
    store: ModelStore,
    progress: Progress,
) -> list[tuple[StoredModel, bool]]:
    work = store.staging / f".import-{os.getpid()}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        done = 0
        for item in items:
            size = _next_size(file, item.member, path)
            if size != item.bytes:
                raise _refuse(
                    path,
                    f"{item.member} has {size:,} bytes, its manifest says {item.bytes:,}",
                    f"{item.member} 有 {size:,} 字节，清单为 {item.bytes:,}",
                )
            with (work / item.member).open("wb") as target:
                left = size
                while left:
                    block = file.read(min(left, _BLOCK))
                    if not block:
                        raise _refuse(path, f"{item.member} is cut off", f"{item.member} 不完整")
                    target.write(block)
                    left -= len(block)
                    done += len(block)
                    progress("import", done, total)
            _skip_padding(file, size, path)
        checked = [_checked(work / item.member, item, path, progress) for item in items]
        with ExitStack() as locks:
            for item in items:
                locks.enter_context(store.lock(item.name))
            return [_install(item, manifest, work, store) for item, manifest in checked]
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _checked(unpacked: Path, item: _Item, path: Path, progress: Progress) -> tuple[_Item, Manifest]:
    digest, stamp = hashes.hash_file(unpacked, progress=progress)
    if digest != item.sha256:
        raise HashMismatchError(
            pick(
                f"{item.member} in {path} is damaged: SHA-256 {digest}, stated {item.sha256};"
                " nothing was imported",
                f"{path} 中的 {item.member} 已损坏：SHA-256 为 {digest}，声明为"
                f" {item.sha256}；没有导入任何内容",
            )
        )
    with unpacked.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise _refuse(
                path, f"{item.member} is not a GGUF file", f"{item.member} 不是 GGUF 文件"
            )
    entry = catalog.find(item.name)
    origin: HashOrigin = "catalogue" if entry and entry.sha256 == digest else "bundle"
    return item, Manifest(
        name=item.name,
        file=item.file,
        bytes=item.bytes,
        sha256=digest,
        hash_origin=origin,
        source=item.source,
        licence=item.licence,
        added=utc_now(),
        stamp=stamp,
    )


def _install(
    item: _Item, manifest: Manifest, work: Path, store: ModelStore
) -> tuple[StoredModel, bool]:
    stored = store.get(item.name, damaged_is_none=True)
    if (
        stored is not None
        and stored.manifest.sha256 == item.sha256
        and not store.is_damaged(stored)
    ):
        return stored, False
    staged = store.staging_folder(item.name) / item.file
    os.replace(work / item.member, staged)
    return store.install(staged, manifest), True
