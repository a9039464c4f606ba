"""Offline bundles: what goes in comes out, and nothing else does."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qingyu.errors import (
    HashMismatchError,
    InvalidRequestError,
    ModelFileError,
    ModelNotFoundError,
    QingyuError,
)
from qingyu.models.bundle import export_bundle, import_bundle
from qingyu.models.store import ModelStore
from tests.models.fake_hub import gguf_like, sha256
from tests.models.store_fixtures import add_model

BODY = gguf_like(5000)


@pytest.fixture
def there(tmp_path: Path) -> ModelStore:
    """The store of a machine without a network."""
    return ModelStore(tmp_path / "there")


def listed(body: bytes = BODY, **changes: Any) -> dict[str, Any]:
    entry = {"name": "tiny", "file": "tiny.gguf", "bytes": len(body), "sha256": sha256(body)}
    return {**entry, "licence": "MIT", "source": "hf:o/r/tiny.gguf", **changes}


def write(
    path: Path,
    models: Any,
    members: list[tuple[str, bytes]],
    *,
    change: Callable[[tarfile.TarInfo], None] | None = None,
    tail: bytes = b"",
    **manifest: Any,
) -> Path:
    """A bundle with this manifest and these members."""
    fields = {"format": "qingyu-bundle", "version": 1, "models": models, **manifest}
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in [("manifest.json", json.dumps(fields).encode()), *members]:
            information = tarfile.TarInfo(name)
            information.size = len(data)
            if change is not None and name != "manifest.json":
                change(information)
            archive.addfile(information, io.BytesIO(data))
    with path.open("ab") as file:
        file.write(tail)
    return path


def test_there_and_back(tmp_path: Path, there: ModelStore) -> None:
    here = ModelStore()
    add_model(here, "one", gguf_like(5000, seed=1))
    add_model(here, "two", gguf_like(512 * 9, seed=2), origin="hub")
    bundle = tmp_path / "out" / "models.qingyu"
    export_bundle(["two", "one", "two"], bundle)
    assert [path.name for path in bundle.parent.iterdir()] == ["models.qingyu"]
    with tarfile.open(bundle) as archive:  # an ordinary tar for everybody else
        assert archive.getnames() == ["manifest.json", "two.gguf", "one.gguf"]
    imported = import_bundle(bundle, store=there)
    assert [(model.name, is_new) for model, is_new in imported] == [("two", True), ("one", True)]
    for name in ("one", "two"):
        assert there.resolve(name).read_bytes() == here.resolve(name).read_bytes()
    assert imported[0][0].manifest.hash_origin == "bundle"
    assert imported[0][0].manifest.licence == "MIT"
    assert [path.name for path in there.staging.iterdir() if path.suffix != ".lock"] == []
    assert [is_new for _, is_new in import_bundle(bundle, store=there)] == [False, False]


def test_export_refusals(tmp_path: Path) -> None:
    store = ModelStore()
    model = add_model(store, "one")
    bundle = tmp_path / "a.qingyu"
    with pytest.raises(ModelNotFoundError, match="qingyu pull qwen3-4b"):
        export_bundle(["qwen3-4b"], bundle)
    with pytest.raises(InvalidRequestError):
        export_bundle([], bundle)
    loose = tmp_path / "loose.gguf"
    loose.write_bytes(BODY)
    with pytest.raises(ModelNotFoundError, match="outside of the store"):
        export_bundle([str(loose)], bundle)
    bundle.write_text("precious")
    with pytest.raises(InvalidRequestError, match="exists"):
        export_bundle(["one"], bundle)
    assert bundle.read_text() == "precious"
    model.path.write_bytes(b"GGUF damaged")
    with pytest.raises(HashMismatchError):
        export_bundle(["one"], tmp_path / "b.qingyu")
    assert not (tmp_path / "b.qingyu").exists()


def test_a_bundle_made_by_a_tar_program(tmp_path: Path, there: ModelStore) -> None:
    bundle = write(tmp_path / "a", [listed()], [("tiny.gguf", BODY)])
    import_bundle(bundle, store=there)
    assert there.resolve("tiny").read_bytes() == BODY


def link(kind: bytes) -> Callable[[tarfile.TarInfo], None]:
    def change(information: tarfile.TarInfo) -> None:
        information.type = kind
        information.linkname = "/etc/passwd"

    return change


LONG_NAME = "a" * 150 + ".gguf"


@pytest.mark.parametrize(
    ("models", "members", "options", "words"),
    [
        ([listed()], [], {}, "missing"),
        ([listed()], [("../tiny.gguf", BODY)], {}, "stands where"),
        ([listed()], [("/tiny.gguf", BODY)], {}, "stands where"),
        ([listed()], [("other.gguf", BODY)], {}, "stands where"),
        ([listed()], [("tiny.gguf", BODY), ("more.gguf", BODY)], {}, "more follows"),
        ([listed()], [("tiny.gguf", BODY)], {"tail": b"more"}, "more follows"),
        ([listed()], [("tiny.gguf", BODY)], {"tail": bytes(2 << 20)}, "more follows"),
        ([listed()], [("tiny.gguf", BODY)], {"change": link(tarfile.SYMTYPE)}, "not a plain file"),
        ([listed()], [("tiny.gguf", BODY)], {"change": link(tarfile.LNKTYPE)}, "not a plain file"),
        ([listed()], [("tiny.gguf", BODY)], {"change": link(tarfile.CHRTYPE)}, "not a plain file"),
        ([listed()], [("tiny.gguf", BODY)], {"change": link(tarfile.DIRTYPE)}, "not a plain file"),
        ([listed()], [(LONG_NAME, BODY)], {}, "more follows"),
        ([listed(bytes=len(BODY) - 1)], [("tiny.gguf", BODY)], {}, "manifest says"),
        ([listed(bytes=1 << 60)], [("tiny.gguf", BODY)], {}, "bytes are missing"),
        ([listed(name="../x")], [("../x.gguf", BODY)], {}, "not safe"),
        ([listed(name="..")], [("...gguf", BODY)], {}, "not safe"),
        ([listed(file="../../x.gguf")], [("tiny.gguf", BODY)], {}, "not safe"),
        ([listed(file="/x.gguf")], [("tiny.gguf", BODY)], {}, "not safe"),
        ([listed(file="manifest.json")], [("tiny.gguf", BODY)], {}, "not safe"),
        ([listed(sha256="0")], [("tiny.gguf", BODY)], {}, "not safe"),
        ([listed(bytes=-1)], [("tiny.gguf", BODY)], {}, "not safe"),
        ([listed(bytes="5000")], [("tiny.gguf", BODY)], {}, "not safe"),
        ([listed(), listed(name="TINY")], [("tiny.gguf", BODY)], {}, "twice"),
        ([], [], {}, "format"),
        ("tiny", [], {}, "format"),
        ([listed()], [("tiny.gguf", BODY)], {"version": 2}, "version 2"),
        ([listed()], [("tiny.gguf", BODY)], {"format": "zip"}, "format"),
        (
            [listed(b"<html>page")],
            [("tiny.gguf", b"<html>page")],
            {},
            "not a GGUF file",
        ),
    ],
)
def test_unsound_bundles_import_nothing(
    tmp_path: Path,
    there: ModelStore,
    models: Any,
    members: list[tuple[str, bytes]],
    options: dict[str, Any],
    words: str,
) -> None:
    bundle = write(tmp_path / "a", models, members, **options)
    with pytest.raises(ModelFileError, match=words):
        import_bundle(bundle, store=there)
    assert list(there.names()) == []
    assert not (tmp_path / "x.gguf").exists()


def test_nothing_hides_between_members(tmp_path: Path, there: ModelStore) -> None:
    bundle = write(tmp_path / "a", [listed()], [("tiny.gguf", BODY)])
    data = bytearray(bundle.read_bytes())
    begin = data.index(BODY) + len(BODY)
    assert not any(data[begin : begin + 120])
    data[begin + 5] = 1
    bundle.write_bytes(data)
    with pytest.raises(ModelFileError, match="between its members"):
        import_bundle(bundle, store=there)


def test_one_wrong_byte_imports_nothing(tmp_path: Path, there: ModelStore) -> None:
    """Not even the sound models before it."""
    wrong = BODY[:-1] + bytes([BODY[-1] ^ 1])
    good = gguf_like(600, seed=3)
    bundle = write(
        tmp_path / "a",
        [listed(good, name="good"), listed()],
        [("good.gguf", good), ("tiny.gguf", wrong)],
    )
    with pytest.raises(HashMismatchError, match="nothing was imported"):
        import_bundle(bundle, store=there)
    assert list(there.names()) == []


def test_known_hashes_hold(tmp_path: Path, there: ModelStore) -> None:
    stranger = write(tmp_path / "a", [listed(name="default")], [("default.gguf", BODY)])
    with pytest.raises(HashMismatchError, match="known is b179c952"):
        import_bundle(stranger, store=there)
    alias = write(tmp_path / "b", [listed(name="smollm2-135m")], [("smollm2-135m.gguf", BODY)])
    with pytest.raises(InvalidRequestError, match="another name of default"):
        import_bundle(alias, store=there)
    add_model(there, "tiny", gguf_like(700, seed=4))
    changed = write(tmp_path / "c", [listed()], [("tiny.gguf", BODY)])
    with pytest.raises(HashMismatchError, match="rm --forget tiny"):
        import_bundle(changed, store=there)
    there.remove("tiny", forget=True)
    import_bundle(changed, store=there)


def test_a_damaged_model_is_repaired_from_a_bundle(tmp_path: Path, there: ModelStore) -> None:
    bundle = write(tmp_path / "a", [listed()], [("tiny.gguf", BODY)])
    ((model, _),) = import_bundle(bundle, store=there)
    model.path.write_bytes(b"damaged")
    assert import_bundle(bundle, store=there)[0][1]
    assert there.resolve("tiny").read_bytes() == BODY


def test_files_that_are_no_bundles(tmp_path: Path, there: ModelStore) -> None:
    with pytest.raises(ModelNotFoundError):
        import_bundle(tmp_path / "nothing", store=there)
    for data in (b"", b"GGUF", bytes(10_240), BODY):
        (tmp_path / "a").write_bytes(data)
        with pytest.raises(ModelFileError):
            import_bundle(tmp_path / "a", store=there)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_anywhere_is_noticed(tmp_path: Path, data: st.DataObject) -> None:
    """A flipped byte or a cut: refused, or (in the free fields of a header) without effect."""
    there = ModelStore(tmp_path / "store")
    body = gguf_like(1000, seed=5)
    sound = write(tmp_path / "sound", [listed(body)], [("tiny.gguf", body)]).read_bytes()
    damaged = bytearray(sound)
    if data.draw(st.booleans()):
        damaged[data.draw(st.integers(0, len(sound) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        # The last blocks are padding: a tar without them is whole.
        del damaged[data.draw(st.integers(0, 512 * 5)) :]
    bundle = tmp_path / "damaged"
    bundle.write_bytes(damaged)
    try:
        import_bundle(bundle, store=there)
    except QingyuError:
        assert list(there.names()) == []
    else:
        (model,) = there.list()
        assert model.path.read_bytes() == body
        there.remove(model.name, forget=True)
