"""The store: what counts as here, what is trusted, what is said about the rest."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from qingyu.errors import (
    DownloadError,
    HashMismatchError,
    InvalidRequestError,
    ModelFileError,
    ModelNotFoundError,
)
from qingyu.models import hashes
from qingyu.models.store import Manifest, ModelStore, home_folder, locate, model_hash
from tests.models.fake_hub import gguf_like, sha256
from tests.models.store_fixtures import add_model


@pytest.fixture
def store() -> ModelStore:
    return ModelStore()


def test_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QINGYU_HOME", str(tmp_path / "q"))
    assert home_folder() == tmp_path / "q"
    monkeypatch.delenv("QINGYU_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert home_folder() == tmp_path / "data" / "qingyu"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert home_folder() == Path.home() / ".local" / "share" / "qingyu"


def test_an_empty_store_makes_no_folders(store: ModelStore) -> None:
    assert list(store.list()) == []
    with pytest.raises(ModelNotFoundError):
        locate("default")
    assert not store.home.exists()


def test_a_model_is_found_by_name_alias_path_and_hub_reference(store: ModelStore) -> None:
    default = add_model(store, "default")
    hub = add_model(store, "owner--repo--a")
    assert locate("default") == locate("SmolLM2-135M") == default.path
    assert locate(default.path) == locate(str(default.path)) == default.path
    assert locate("hf:owner/repo/a.gguf") == locate("owner/repo:a.gguf") == hub.path
    assert locate("ms:owner/repo/a.gguf") == locate("OWNER--repo--A") == hub.path


def test_a_path_outside_of_the_store(tmp_path: Path) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(gguf_like(100))
    assert locate(path) == path
    assert locate(str(path)) == path


def test_what_a_missing_model_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for reference, words in [
        ("qwen3-0.6b", "qingyu pull qwen3-0.6b"),
        ("hf:owner/repo/a.gguf", "qingyu pull hf:owner/repo/a.gguf"),
        ("qwen3-06b", "did you mean qwen3-0.6b"),
        ("./nothing.gguf", "there is no file nothing.gguf"),
        ("owner/repo/a.gguf", "write hf:owner/repo/a.gguf"),
        ("", "no model was named"),
        ("a\0b", "no model was named"),
        ("zzzzzzzzzz", "qingyu models"),
        (str(tmp_path), "is a folder"),
    ]:
        with pytest.raises(ModelNotFoundError) as caught:
            locate(reference)
        assert words in str(caught.value)


@pytest.mark.parametrize("name", ["..", "a/../b", "", ".hidden", "a..b", "con", "a b", "x" * 300])
def test_unsafe_names_make_no_folders(store: ModelStore, name: str) -> None:
    with pytest.raises(InvalidRequestError):
        store.folder(name)
    with pytest.raises((InvalidRequestError, ModelNotFoundError)):
        store.remove(name)


def test_an_unchanged_file_is_not_hashed_again(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = add_model(store)

    def never(path: Path, **options: object) -> None:
        raise AssertionError("hashed without need")

    monkeypatch.setattr(hashes, "hash_file", never)
    assert locate("tiny") == model.path
    assert model_hash(model.path) == model.manifest.sha256


def test_a_touched_file_is_hashed_again_once(store: ModelStore) -> None:
    model = add_model(store)
    os.utime(model.path, ns=(1, 1))
    assert locate("tiny") == model.path
    again = store.get("tiny")
    assert again is not None
    assert again.manifest.stamp.mtime_ns == 1


@pytest.mark.parametrize("by_path", [False, True])
def test_a_changed_file_is_refused(store: ModelStore, by_path: bool) -> None:
    model = add_model(store)
    data = bytearray(model.path.read_bytes())
    data[100] ^= 1
    model.path.write_bytes(data)
    os.utime(model.path, ns=(1, 1))
    with pytest.raises(HashMismatchError, match="qingyu pull tiny"):
        locate(model.path if by_path else "tiny")
    with pytest.raises(HashMismatchError):
        model_hash(model.path)


def test_a_replaced_file_of_the_same_size_and_time_is_refused(store: ModelStore) -> None:
    model = add_model(store)
    status = model.path.stat()
    other = model.path.with_name("other")
    other.write_bytes(gguf_like(status.st_size, seed=9))
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(other, model.path)
    with pytest.raises(HashMismatchError):
        locate("tiny")


def test_a_file_that_is_gone(store: ModelStore) -> None:
    add_model(store).path.unlink()
    with pytest.raises(ModelNotFoundError, match="is gone; bring it with: qingyu pull tiny"):
        locate("tiny")


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", '{"format": 1}', "[" * 100_000),
        '{"format": 2, "name": "tiny"}',
    ],
)
def test_a_damaged_manifest(store: ModelStore, text: str) -> None:
    model = add_model(store)
    (model.path.parent / "manifest.json").write_text(text)
    with pytest.raises(ModelFileError, match="qingyu rm tiny"):
        locate("tiny")
    assert list(store.list()) == []
    store.remove("tiny")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("file", "../../../etc/passwd"), ("file", "a/b.gguf"), ("name", ".."), ("bytes", "1")),
        *(("sha256", "x"), ("stamp", None), ("hash_origin", "trust me"), ("name", "other")),
    ],
)
def test_a_manifest_cannot_point_elsewhere(store: ModelStore, field: str, value: object) -> None:
    path = add_model(store).path.parent / "manifest.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, field: value}))
    with pytest.raises(ModelFileError):
        locate("tiny")


def test_manifest_round_trip(store: ModelStore) -> None:
    model = add_model(store)
    fields = json.loads((model.path.parent / "manifest.json").read_text())
    assert Manifest.from_json(fields) == model.manifest


def test_installing_again_replaces(store: ModelStore) -> None:
    add_model(store, body=gguf_like(400, seed=1))
    second = add_model(store, body=gguf_like(600, seed=2))
    assert locate("tiny").read_bytes() == gguf_like(600, seed=2)
    assert sorted(path.name for path in second.path.parent.iterdir()) == [
        "manifest.json",
        "tiny.gguf",
    ]
    assert [path.name for path in store.staging.iterdir()] == []


def test_remove(store: ModelStore) -> None:
    model = add_model(store)
    (store.staging_folder("tiny") / "x.part").write_bytes(b"12345")
    freed = store.remove("tiny")
    assert freed > model.manifest.bytes
    assert not model.path.parent.exists()
    assert store.recorded_hash("tiny") == model.manifest.sha256
    with pytest.raises(ModelNotFoundError):
        store.remove("tiny")
    store.remove("tiny", forget=True)
    assert store.recorded_hash("tiny") is None


def test_one_process_at_a_time(store: ModelStore) -> None:
    with (
        store.lock("tiny"),
        pytest.raises(DownloadError, match="another process"),
        store.lock("tiny"),
    ):
        pass
    with store.lock("tiny"):
        pass


def test_hash_of_a_file_outside_is_remembered_by_stamp(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(b"first")
    assert model_hash(path) == sha256(b"first")
    hashed: list[Path] = []
    real = hashes.hash_file

    def counting(path: Path, **options: object) -> tuple[str, hashes.Stamp]:
        hashed.append(path)
        return real(path)

    monkeypatch.setattr(hashes, "hash_file", counting)
    assert model_hash(path) == sha256(b"first")
    assert hashed == []
    path.write_bytes(b"other")
    os.utime(path, ns=(5, 5))
    assert model_hash(path) == sha256(b"other")
    assert hashed == [path]
    (store.home / "cache" / "hashes.json").write_text("{broken")
    assert model_hash(path) == sha256(b"other")


def test_a_file_that_changes_while_it_is_hashed(tmp_path: Path) -> None:
    path = tmp_path / "growing.gguf"
    path.write_bytes(b"x" * 100)

    def grow(stage: str, done: int, total: int | None) -> None:
        with path.open("ab") as file:
            file.write(b"y")

    with pytest.raises(ModelFileError, match="changed while"):
        hashes.hash_file(path, progress=grow)


def test_messages_in_chinese(chinese: None) -> None:
    with pytest.raises(ModelNotFoundError, match="请运行：qingyu pull qwen3-4b"):
        locate("qwen3-4b")
