"""Saved sequences: whole or not there, and refused when damaged or somebody else's."""

import json
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes import context_of, fake_model
from qingyu.engine.state import StateHeader, read_state, write_state
from qingyu.errors import ContextFullError, InvalidRequestError, OutOfMemoryError, StateError

PROMPT = list(range(50))


def saved(folder: Path, **options: str) -> Path:
    path = folder / "chat.state"
    fake_model(**options).save_state(path, PROMPT)
    return path


def test_a_restored_prompt_is_not_computed_again(tmp_path: Path) -> None:
    wanted = fake_model().generate(PROMPT, max_tokens=10).read()
    path = saved(tmp_path)
    model = fake_model()
    state = model.load_state(path)
    assert state.tokens == tuple(PROMPT)
    assert state.file_bytes == path.stat().st_size
    result = model.generate(PROMPT, max_tokens=10).read()
    assert result.cached_tokens == 49
    assert sum(context_of(model).forwards) == 1 + len(result.tokens) - 1
    assert result.tokens == wanted.tokens


def test_saving_computes_only_what_is_not_there(tmp_path: Path) -> None:
    model = fake_model()
    result = model.generate(PROMPT, max_tokens=10).read()
    context_of(model).forwards.clear()
    state = model.save_state(tmp_path / "s", [*PROMPT, *result.tokens])
    assert context_of(model).forwards == [1]
    assert state.tokens == (*PROMPT, *result.tokens)
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_another_model_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path)
    with pytest.raises(StateError, match="ab" * 32) as caught:
        fake_model(file_hash="cd" * 32).load_state(path)
    assert "cd" * 32 in str(caught.value)


def test_another_instruction_set_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path)
    with pytest.raises(StateError, match="QINGYU_ISA=portable"):
        fake_model(instruction_set="avx2").load_state(path)


def test_other_activations_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path)
    with pytest.raises(StateError, match="activation_bits=8"):
        fake_model(activation_bits=16).load_state(path)


def test_sizes_that_do_not_fit(tmp_path: Path) -> None:
    path = saved(tmp_path)
    with pytest.raises(ContextFullError):
        fake_model(context=40).load_state(path)
    with pytest.raises(OutOfMemoryError, match="kv_tokens"):
        fake_model(kv_tokens=40).load_state(path)
    with pytest.raises(ContextFullError):
        fake_model(context=40).save_state(tmp_path / "t", PROMPT)
    with pytest.raises(InvalidRequestError):
        fake_model().save_state(tmp_path / "t", [])


def test_restoring_evicts_what_is_parked(tmp_path: Path) -> None:
    path = saved(tmp_path)
    model = fake_model(context=64, kv_tokens=64)
    model.generate([7] * 30, max_tokens=20).read()
    model.load_state(path)
    assert model.generate(PROMPT, max_tokens=1).read().cached_tokens == 49


def test_a_file_that_cannot_be_written_or_read(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="cannot write"):
        fake_model().save_state(tmp_path / "missing" / "s", PROMPT)
    with pytest.raises(StateError, match="cannot read"):
        fake_model().load_state(tmp_path / "s")
    with pytest.raises(StateError):
        fake_model().load_state(tmp_path)


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StateError, match="No space left"):
        fake_model().save_state(path, [1, 2, 3])
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["chat.state"]


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_is_always_seen(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "chat.state"
    if not path.exists():
        saved(tmp_path)
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        damaged = bytearray(whole)
        damaged[place] ^= data.draw(st.integers(1, 255))
    else:
        damaged = bytearray(whole[:place])
    wrong = tmp_path / "wrong.state"
    wrong.write_bytes(damaged)
    model = fake_model()
    with pytest.raises(StateError):
        model.load_state(wrong)
    assert not context_of(model).sequences


def test_bytes_after_the_end_are_damage(tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(StateError, match="instead of"):
        fake_model().load_state(path)


@pytest.mark.parametrize(
    "fields",
    [
        {"num_tokens": 1 << 59},
        {"num_tokens": -1},
        {"payload_bytes": 1 << 59},
        {"payload_bytes": 1.5},
        {"num_tokens": True},
        {"model_sha256": 1},
        {"surprise": 1},
    ],
    ids=str,
)
def test_hostile_headers(tmp_path: Path, fields: dict[str, object]) -> None:
    header = {
        "model_sha256": "ab" * 32,
        "instruction_set": "portable",
        "activation_bits": 8,
        "kv_bytes_per_token": 8,
        "num_tokens": 0,
        "payload_bytes": 0,
        **fields,
    }
    text = json.dumps(header).encode()
    path = tmp_path / "s"
    path.write_bytes(struct.pack("<8sII", b"QINGYUKV", 2, len(text)) + text + bytes(32))
    with pytest.raises(StateError, match="damaged"):
        read_state(path)


@pytest.mark.parametrize("text", [b"[" * 60_000, b"null", b"[]", b"{", b"\xff"])
def test_headers_that_are_none(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "s"
    path.write_bytes(struct.pack("<8sII", b"QINGYUKV", 2, len(text)) + text + bytes(32))
    with pytest.raises(StateError, match="damaged"):
        read_state(path)


def test_a_later_version_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path)
    whole = bytearray(path.read_bytes())
    whole[8] = 9
    path.write_bytes(whole)
    with pytest.raises(StateError, match="version 9"):
        fake_model().load_state(path)


@pytest.mark.parametrize(
    ("tokens", "payload"),
    [
        ([1, 2], b"nonsense"),
        ([1, 2, 3], b"FAKE" + struct.pack("<I2i", 2, 1, 2)),
        ([1, 99999], b"FAKE" + struct.pack("<I2i", 2, 1, 2)),
        ([], b"FAKE" + struct.pack("<I", 0)),
    ],
)
def test_whole_files_whose_content_does_not_fit(
    tmp_path: Path, tokens: list[int], payload: bytes
) -> None:
    header = StateHeader(
        model_sha256="ab" * 32,
        instruction_set="portable",
        activation_bits=8,
        kv_bytes_per_token=8,
        num_tokens=len(tokens),
        payload_bytes=len(payload),
    )
    path = tmp_path / "s"
    write_state(path, header, tokens, payload)
    model = fake_model()
    with pytest.raises(StateError):
        model.load_state(path)
    assert not context_of(model).sequences
