"""Files read back by our reader and by the gguf package; whole, or not there."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader

from gguf_bytes import gguf_bytes
from qingyu.errors import DiskSpaceError, InvalidRequestError
from qingyu.make import whole_files
from qingyu.make.gguf_writer import TensorPlan, write_gguf
from qingyu.make.whole_files import new_file, new_folder
from qingyu.models.ggml_types import GGMLType
from qingyu.models.gguf import GGUFFile

METADATA = {
    "general.architecture": "llama",
    "a.count": 7,
    "a.large": 1 << 40,
    "a.negative": -3,
    "a.very_negative": -(1 << 40),
    "a.ratio": 0.5,
    "a.yes": True,
    "a.text": "轻语",
    "a.words": ["one", "二", "", "\udcff"],
    "a.numbers": [1, 2, 3],
    "a.ratios": [0.5, 1.5],
    "a.kinds": np.array([1, 3], np.int32),
    "a.bytes": np.array([1, 255], np.uint8),
    "a.none": [],
}


def plan(name: str, values: np.ndarray, *, pieces: int = 1) -> TensorPlan:
    return TensorPlan(
        name=name,
        type=GGMLType.F32,
        shape=values.shape[::-1],
        pieces=lambda: np.array_split(values, pieces),
    )


def test_everything_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    values = np.arange(21, dtype=np.float32).reshape(7, 3)
    metadata = {**METADATA, "tokenizer.ggml.tokens": METADATA["a.words"]}
    del metadata["a.words"]
    size = write_gguf(path, metadata, [plan("m", values, pieces=3), plan("v", values[0])])
    assert path.stat().st_size == size
    with GGUFFile.open(path) as gguf:
        assert gguf.version == 3
        assert list(gguf.metadata) == list(metadata)
        for key, value in metadata.items():
            read = gguf.metadata[key]
            same = read.tolist() if isinstance(read, np.ndarray) else read
            assert same == (value.tolist() if isinstance(value, np.ndarray) else value), key
        assert gguf.tensors["m"].shape == (3, 7)
        assert np.array_equal(np.frombuffer(gguf.data("m"), np.float32), values.ravel())
        assert np.array_equal(np.frombuffer(gguf.data("v"), np.float32), values[0])


def test_the_gguf_package_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    values = np.arange(64, dtype=np.float32).reshape(2, 32)
    metadata = {key: value for key, value in METADATA.items() if key not in ("a.words", "a.none")}
    write_gguf(path, metadata, [plan("m", values)])
    reader = GGUFReader(path)
    assert reader.fields["a.text"].contents() == "轻语"
    assert reader.fields["a.large"].contents() == 1 << 40
    assert reader.fields["a.kinds"].contents() == [1, 3]
    (tensor,) = reader.tensors
    assert np.array_equal(tensor.data, values)


def test_bytes_are_the_format_s(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    values = np.arange(5, dtype=np.float32)
    metadata = {"a": 1, "b": "x", "c": [1, 2], "d": 0.5, "e": True, "f": ["x", "y"]}
    write_gguf(path, metadata, [plan("t", values), plan("u", values)])
    tensors = [(name, (5,), 0, values.tobytes()) for name in ("t", "u")]
    assert path.read_bytes() == gguf_bytes(metadata, tensors)


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fails() -> Iterator[bytes]:
        yield bytes(40)
        raise KeyboardInterrupt

    bad = TensorPlan(name="t", type=GGMLType.F32, shape=(100,), pieces=fails)
    with pytest.raises(KeyboardInterrupt):
        write_gguf(tmp_path / "a.gguf", {}, [bad])
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_text("mine")
    with pytest.raises(InvalidRequestError, match="exists"):
        write_gguf(path, {}, [])
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(InvalidRequestError, match="exists"):
        write_gguf(path, {}, [])
    with pytest.raises(InvalidRequestError, match="cannot write"):
        write_gguf(Path("/proc/nowhere/a.gguf"), {}, [])


def test_a_full_disk_is_said_before_and_while_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = TensorPlan(name="t", type=GGMLType.F32, shape=(1 << 50,), pieces=list)
    with pytest.raises(DiskSpaceError, match="4,503,599,627,"):
        write_gguf(tmp_path / "a.gguf", {}, [huge])

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(whole_files.os, "fsync", full)
    with pytest.raises(DiskSpaceError, match="make room"):
        write_gguf(tmp_path / "a.gguf", {}, [])
    with pytest.raises(DiskSpaceError), new_folder(tmp_path / "b") as folder:
        (folder / "file").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    with new_folder(tmp_path / "a") as folder:
        (folder / "file").write_text("x")
        assert not (tmp_path / "a").exists()
    assert os.listdir(tmp_path) == ["a"]
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "b"):
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == ["a"]
    with pytest.raises(InvalidRequestError, match="exists"), new_folder(tmp_path / "a"):
        pass


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".a.123-0123abcd").write_bytes(bytes(100))
    (tmp_path / ".b.123-0123abcd").mkdir()
    (tmp_path / ".b.123-0123abcd" / "file").write_bytes(bytes(100))
    kept = [".other.123-0123abcd", ".a.123-mine", "a.123-0123abcd"]
    for name in kept:
        (tmp_path / name).write_text("")
    with new_file(tmp_path / "a") as first, new_folder(tmp_path / "b") as folder:
        first.write(b"1")
        (folder / "file").write_text("1")
        assert not (tmp_path / ".a.123-0123abcd").exists()
        assert not (tmp_path / ".b.123-0123abcd").exists()
        # others that write the same at this moment do not disturb each other
        for name in ("a", "b"):
            whole_files._remove_left(tmp_path / name)
        assert folder.exists()
    assert (tmp_path / "a").read_bytes() == b"1"
    assert (tmp_path / "b" / "file").read_text() == "1"
    assert all((tmp_path / name).exists() for name in kept)


def test_memory_is_that_of_a_piece(tmp_path: Path) -> None:
    rows, piece = 64, np.ones(1 << 18, np.float32)
    tensor = TensorPlan(
        name="t", type=GGMLType.F32, shape=(1 << 18, rows),
        pieces=lambda: (piece * row for row in range(rows)),
    )  # fmt: skip
    tracemalloc.start()
    try:
        write_gguf(tmp_path / "a.gguf", {}, [tensor])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "a.gguf").stat().st_size > 64 << 20
    assert peak < 8 << 20
