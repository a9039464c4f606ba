"""From a file to a model that runs: small random models, the real core, the real tokenizer."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from gguf import GGMLQuantizationType

import qingyu
from qingyu import _native
from qingyu.engine.loading import load
from qingyu.errors import (
    InvalidRequestError,
    ModelFileError,
    ModelNotFoundError,
    QingyuError,
    StateError,
    TemplateError,
)
from qingyu.models.gguf import GGUFFile
from reference import random_models

Q8_0 = GGMLQuantizationType.Q8_0


@pytest.fixture(scope="module")
def small_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "small.gguf"
    return random_models.write(path, random_models.FAMILIES["llama"], Q8_0)


def test_a_small_model_runs_from_file_to_text(small_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    with qingyu.load(
        small_path, threads=1, progress=lambda done, total: progress.append((done, total))
    ) as model:
        result = model.generate("Hello 你好", max_tokens=20, stop_tokens=[]).read()
        assert result.tokens
        assert model.detokenize(model.tokenize("Hello 你好")) == "Hello 你好"
        assert len(model.score("a", ["b", "cd"])) == 2
        assert model.logits("abc").shape == (3, 300)
        info = model.info
    assert progress[-1][0] == progress[-1][1] > 0
    assert (info.family, info.layers, info.vocab_size, info.threads) == ("llama", 2, 300, 1)
    assert (info.context, info.trained_context, info.kv_tokens) == (1024, 1024, 16384)
    assert info.file_bytes == small_path.stat().st_size
    assert info.tensor_types["Q8_0"] == 2 * 7 + 1
    assert info.parameters == 300 * 256 + 256 + 2 * (
        2 * 256 + 256 * (256 + 128 * 2 + 256 + 512 * 3)
    )
    assert info.instruction_set == _native.instruction_sets()[0]
    assert info.load_seconds > 0


def test_pages_are_given_back_behind_the_core(
    small_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released: list[str] = []
    release = GGUFFile.release

    def watched(self: GGUFFile, name: str) -> None:
        released.append(name)
        release(self, name)

    monkeypatch.setattr(GGUFFile, "release", watched)
    with load(small_path), GGUFFile.open(small_path) as gguf:
        assert set(released) == set(gguf.tensors)
        assert len(released) == len(gguf.tensors)


def test_settings_come_from_arguments_and_environment(
    small_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QINGYU_ISA", "portable")
    monkeypatch.setenv("QINGYU_THREADS", "1")
    with load(small_path, context=100) as model:
        assert (model.info.instruction_set, model.info.threads) == ("portable", 1)
        assert (model.info.context, model.info.kv_tokens) == (100, 16384)
    with load(small_path, kv_tokens=64, threads=2) as model:
        assert (model.info.context, model.info.kv_tokens, model.info.threads) == (64, 64, 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"context": 1}, "context is 1"),
        ({"context": 1025}, "2 to 1024"),
        ({"context": 200, "kv_tokens": 100}, "kv_tokens is 100"),
        ({"kv_tokens": 0}, "kv_tokens"),
        ({"threads": 0}, "threads is 0"),
        ({"threads": 5000}, "threads is 5000"),
    ],
)
def test_settings_that_cannot_be(small_path: Path, options: dict[str, int], words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        load(small_path, **options)


def test_an_instruction_set_the_machine_lacks(
    small_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QINGYU_ISA", "neon9")
    with pytest.raises(InvalidRequestError, match="portable"):
        load(small_path)


def test_a_template_may_be_named(small_path: Path, tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "hi"}]
    bare = tmp_path / "bare.gguf"
    bare.write_bytes(small_path.read_bytes().replace(b"tokenizer.chat_template", b"t" * 23))
    with load(small_path) as model:
        assert model.info.has_template
        assert model.chat(messages, max_tokens=2).read().prompt_tokens > 0
    with load(bare) as model:
        assert not model.info.has_template
        with pytest.raises(TemplateError, match="--template"):
            model.chat(messages)
    with load(bare, template="chatml") as model:
        assert model.chat(messages, max_tokens=2).read().prompt_tokens > 0
    file = tmp_path / "template.jinja"
    file.write_text("{% for message in messages %}{{ message.content }}{% endfor %}")
    with load(small_path, template=str(file)) as model:
        assert model.chat_tokens(messages) == model.tokenize("hi")
    with pytest.raises(TemplateError, match="no_such_template"):
        load(small_path, template="no_such_template")


def test_files_that_are_none(tmp_path: Path, small_path: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        load(tmp_path / "missing.gguf")
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(small_path.read_bytes()[:-1000])
    with pytest.raises(ModelFileError):
        load(damaged)
    no_words = tmp_path / "no_words.gguf"
    no_words.write_bytes(small_path.read_bytes().replace(b"tokenizer.ggml.model", b"t" * 20))
    with pytest.raises(ModelFileError, match=r"tokenizer\.ggml\.model"):
        load(no_words)


def test_what_the_core_refuses_is_a_file_error(
    small_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing:
        def __init__(self, **settings: object) -> None:
            raise ValueError("head_size 12 is odd")

    monkeypatch.setattr(_native, "ModelBuilder", Refusing)
    with pytest.raises(ModelFileError, match="head_size 12"):
        load(small_path)


def test_a_state_is_tied_to_the_file_that_was_loaded(
    small_path: Path, tmp_path: Path, rewrite: Callable[[Path], None]
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(small_path.read_bytes())
    tokens = list(range(70))
    with load(path) as model:
        state = model.save_state(tmp_path / "state", tokens)
        assert state.file_bytes >= 70 * model.info.kv_bytes_per_token
    with load(path) as model:
        wanted = model.generate(tokens, max_tokens=10).read()
    with load(path) as model:
        model.load_state(tmp_path / "state")
        found = model.generate(tokens, max_tokens=10).read()
        assert (found.tokens, found.cached_tokens) == (wanted.tokens, 69)
        rewrite(path)
        with pytest.raises(QingyuError):
            model.save_state(tmp_path / "state", tokens)
    with load(path) as model, pytest.raises(StateError, match="sha256"):
        model.load_state(tmp_path / "state")


@pytest.fixture
def rewrite() -> Callable[[Path], None]:
    """Puts a model with other weights where one is."""

    def replace(path: Path) -> None:
        other = path.with_suffix(".other")
        random_models.write(other, random_models.FAMILIES["llama"], Q8_0, seed=1)
        os.replace(other, path)

    return replace
