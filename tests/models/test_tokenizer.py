"""Tokens against llama.cpp's, text there and back, and what is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gguf_bytes import gguf_bytes
from golden.texts import TEXTS
from golden.vocabularies import PRE, vocabulary_file, vocabulary_metadata, vocabulary_names
from qingyu.errors import InvalidRequestError, ModelFileError, UnsupportedModelError
from qingyu.models.gguf import GGUFFile
from qingyu.models.tokenizer import TextStream, Tokenizer

GOLDEN = json.loads(
    (Path(__file__).parent.parent / "golden" / "llama_tokens.json").read_text("utf-8")
)
# llama.cpp writes every wide space as one and the same character before it compares ranges, so
# that U+3000 is not within U+0800 to U+4E00. The published tokenizers of the models do not.
WIDE_SPACES = ("deepseek-llm", "deepseek-coder")

Load = Callable[..., Tokenizer]


@pytest.fixture(scope="module")
def vocabularies(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Tokenizer]:
    folder = tmp_path_factory.mktemp("vocabularies")
    made: dict[str, Tokenizer] = {}

    def get(name: str) -> Tokenizer:
        if name not in made:
            path = folder / f"{name}.gguf"
            path.write_bytes(vocabulary_file(name))
            with GGUFFile.open(path) as gguf:
                made[name] = Tokenizer.from_gguf(gguf)
        return made[name]

    return get


@pytest.fixture(scope="session")
def default_tokenizer(default_model_path: Path) -> Tokenizer:
    with GGUFFile.open(default_model_path) as gguf:
        return Tokenizer.from_gguf(gguf)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """A tokenizer from a named vocabulary with changes; None removes a key."""

    def load(name: str, changes: dict[str, Any]) -> Tokenizer:
        meta = vocabulary_metadata(name) | changes
        path = tmp_path / "x.gguf"
        path.write_bytes(gguf_bytes({k: v for k, v in meta.items() if v is not None}))
        with GGUFFile.open(path) as gguf:
            return Tokenizer.from_gguf(gguf)

    return load


# Against llama.cpp.


def compare(tokenizer: Tokenizer, name: str) -> None:
    golden = GOLDEN[name]
    assert len(golden["plain"]) == len(TEXTS)
    for text, plain, special in zip(TEXTS, golden["plain"], golden["special"], strict=True):
        if name in WIDE_SPACES and any(c in text for c in "\u2003\u2028\u3000"):
            continue
        assert tokenizer.encode(text, add_bos=False) == plain, text
        parsed = plain if special is None else special
        assert tokenizer.encode(text, special=True, add_bos=False) == parsed, text
    assert tokenizer.encode("") == golden["bos"]


@pytest.mark.parametrize("name", vocabulary_names())
def test_same_tokens_as_llama_cpp(name: str, vocabularies: Callable[[str], Tokenizer]) -> None:
    compare(vocabularies(name), name)


@pytest.mark.model
def test_default_model_has_the_tokens_of_llama_cpp(default_tokenizer: Tokenizer) -> None:
    compare(default_tokenizer, "smollm2")


def test_every_vocabulary_is_recorded() -> None:
    assert set(GOLDEN) == {"smollm2", *vocabulary_names()}


# There and back.

UNICODE = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(UNICODE)
def test_bytes_come_back(text: str) -> None:
    for name in ("gpt-2", "llama-bpe", "qwen2", "deepseek-v3", "default"):
        tokenizer = cached(name)
        ids = tokenizer.encode(text, add_bos=False)
        assert tokenizer.decode(ids) == text
        stream = tokenizer.stream()
        assert "".join(map(stream.push, ids)) + stream.flush() == text


@given(UNICODE)
def test_sentencepiece_comes_back(text: str) -> None:
    if "▁" in text:  # its sign for a space: what was one is not known afterwards
        return
    for name in ("spm", "spm-no-prefix", "spm-words"):
        tokenizer = cached(name)
        assert tokenizer.decode(tokenizer.encode(text, add_bos=False)) == text
        assert tokenizer.decode(tokenizer.encode(text, add_bos=True), skip_special=True) == text


_cache: dict[str, Tokenizer] = {}


def cached(name: str) -> Tokenizer:
    """For hypothesis, which does not like fixtures that live for one test."""
    if name not in _cache:
        import tempfile

        with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
            file.write(vocabulary_file(name))
            file.flush()
            with GGUFFile.open(file.name) as gguf:
                _cache[name] = Tokenizer.from_gguf(gguf)
    return _cache[name]


@pytest.mark.model
@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co"]), max_size=60))
def test_default_model_comes_back(default_tokenizer: Tokenizer, text: str) -> None:
    assert default_tokenizer.decode(default_tokenizer.encode(text)) == text


@pytest.mark.parametrize("name", ["qwen2", "spm"])
def test_token_bytes(name: str, vocabularies: Callable[[str], Tokenizer]) -> None:
    tokenizer = vocabularies(name)
    ids = tokenizer.encode("a b你😀", add_bos=False)
    raw = b"".join(map(tokenizer.token_bytes, ids))
    assert raw.decode().removeprefix(" ") == "a b你😀"
    eos = tokenizer.eos_id
    assert eos is not None
    assert tokenizer.is_special(eos)
    assert tokenizer.token_bytes(eos) == tokenizer.token_text(eos).encode()
    assert tokenizer.token_bytes(eos, special=False) == b""
    assert tokenizer.decode([*ids, eos], skip_special=True) == "a b你😀"
    assert not tokenizer.is_special(ids[0])


# Streams.


def test_a_character_appears_when_it_is_whole(
    vocabularies: Callable[[str], Tokenizer],
) -> None:
    tokenizer = vocabularies("gpt-2")
    single = {tokenizer.token_bytes(i): i for i in range(256)}
    stream = tokenizer.stream()
    pushed = [stream.push(single[bytes([byte])]) for byte in "a你😀é".encode()]
    assert pushed == ["a", "", "", "你", "", "", "", "😀", "", "é"]
    assert stream.flush() == ""


def test_bytes_that_are_no_character(vocabularies: Callable[[str], Tokenizer]) -> None:
    tokenizer = vocabularies("gpt-2")
    single = {tokenizer.token_bytes(i): i for i in range(256)}

    def push(raw: bytes) -> list[str]:
        return [stream.push(single[bytes([byte])]) for byte in raw]

    stream = TextStream(tokenizer)
    assert push(b"\xe4a") == ["", "\ufffda"]  # cannot become whole any more
    assert push(b"\xff") == ["\ufffd"]
    assert push(b"\xf0\x9f") == ["", ""]
    assert stream.flush() == "\ufffd"  # ended inside a character
    assert push("好".encode()) == ["", "", "好"]


def test_a_stream_leaves_control_tokens_out(vocabularies: Callable[[str], Tokenizer]) -> None:
    tokenizer = vocabularies("qwen2")
    ids = tokenizer.encode("a<think>b<|im_end|>", special=True)
    for skip, text in ((True, "a<think>b"), (False, "a<think>b<|im_end|>")):
        stream = tokenizer.stream(skip_special=skip)
        assert "".join(map(stream.push, ids)) == text


# Special tokens.


@pytest.mark.parametrize("name", [*PRE, "spm", "spm-words"])
def test_text_never_becomes_a_control_token(
    name: str, vocabularies: Callable[[str], Tokenizer]
) -> None:
    tokenizer = vocabularies(name)
    everything = "".join(tokenizer.control_texts) + "</s><s><unk><0x0A>"
    ids = tokenizer.encode(everything + " " + everything, add_bos=False)
    assert not any(map(tokenizer.is_special, ids))
    assert tokenizer.decode(ids) == everything + " " + everything


def test_merging_cannot_make_a_control_token(load: Load) -> None:
    """SentencePiece-style: `</s>` out of its letters, with every step in the vocabulary."""
    meta = vocabulary_metadata("spm")
    tokens = [*meta["tokenizer.ggml.tokens"], "</", "</s"]
    more: dict[str, Any] = {
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [*meta["tokenizer.ggml.token_type"], 1, 1],
        "tokenizer.ggml.scores": [*meta["tokenizer.ggml.scores"], -0.5, -0.5],
    }
    tokenizer = load("spm", more)
    ids = tokenizer.encode("</s>", add_bos=False)
    assert 2 not in ids
    assert tokenizer.token_text(ids[-2]) == "</s"
    # byte-level: a merge whose result is control is not made
    meta = vocabulary_metadata("gpt-2")
    kinds = list(meta["tokenizer.ggml.token_type"])
    hidden = meta["tokenizer.ggml.tokens"].index("th")
    kinds[hidden] = 3
    tokenizer = load("gpt-2", {"tokenizer.ggml.token_type": kinds})
    assert hidden not in tokenizer.encode("the path of truth")
    assert hidden in tokenizer.encode("the path", special=True)


def test_end_tokens(load: Load, vocabularies: Callable[[str], Tokenizer]) -> None:
    tokenizer = vocabularies("qwen2")
    assert {tokenizer.token_text(i) for i in tokenizer.eos_ids} == {
        "<|endoftext|>", "<|im_end|>", "<|eot_id|>",
    }  # fmt: skip
    # whatever kind the file gives it
    kinds = [1] * tokenizer.vocab_size
    ordinary = load("qwen2", {"tokenizer.ggml.token_type": kinds})
    assert ordinary.eos_ids == tokenizer.eos_ids
    assert all(map(ordinary.is_special, ordinary.eos_ids))


def test_beginning_token(load: Load) -> None:
    bos = load("llama-bpe", {}).bos_id
    assert load("llama-bpe", {}).encode("a")[0] == bos  # the family's way
    assert load("llama-bpe", {"tokenizer.ggml.add_bos_token": False}).encode("a")[0] != bos
    assert load("qwen2", {}).encode("a")[0] != bos
    assert load("qwen2", {"tokenizer.ggml.add_bos_token": True}).encode("a")[0] == bos
    assert load("qwen2", {}).encode("a", add_bos=True)[0] == bos
    without = load("llama-bpe", {"tokenizer.ggml.bos_token_id": None})
    assert not without.add_bos
    assert without.encode("a", add_bos=True) == without.encode("a")
    assert load("spm", {"tokenizer.ggml.bos_token_id": None}).encode("") == [1]


def test_barrier(vocabularies: Callable[[str], Tokenizer]) -> None:
    for name in ("qwen2", "spm"):
        tokenizer = vocabularies(name)
        text = "<|im_end|>a<|im_end|> <think>"
        marked = "<|im_end|>a<\ufdd0|im_end|> <\ufdd0think>"
        ids = tokenizer.encode(marked, special=True, barrier="\ufdd0")
        (end,) = (i for i in tokenizer.eos_ids if tokenizer.token_text(i) == "<|im_end|>")
        assert ids.count(end) == 1
        assert "\ufdd0" not in tokenizer.decode(ids)
        assert tokenizer.token_text(ids[-1]) == "<think>"  # any text may have those
        assert tokenizer.encode(text, special=True, barrier="\ufdd0") == tokenizer.encode(
            text, special=True
        )


def test_barrier_and_a_control_token_of_one_character(load: Load) -> None:
    meta = vocabulary_metadata("qwen2")
    kinds = list(meta["tokenizer.ggml.token_type"])
    kinds[meta["tokenizer.ggml.tokens"].index("#")] = 3
    tokenizer = load("qwen2", {"tokenizer.ggml.token_type": kinds})
    assert any(map(tokenizer.is_special, tokenizer.encode("#", special=True)))
    with pytest.raises(InvalidRequestError, match=r"U.0023"):  # there is no other "#"
        tokenizer.encode("#", special=True, barrier="\ufdd0")


# What is refused.


def test_characters_the_vocabulary_cannot_express(load: Load) -> None:
    meta = vocabulary_metadata("gpt-2")
    tokens = list(meta["tokenizer.ggml.tokens"])
    control_d = tokens.index("Ą")  # the byte 4
    tokens[control_d] = "unused"
    merges = [m for m in meta["tokenizer.ggml.merges"] if "Ą" not in m]
    tokenizer = load("gpt-2", {"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.merges": merges})
    assert tokenizer.decode(tokenizer.encode("fine 你\x05")) == "fine 你\x05"
    with pytest.raises(InvalidRequestError, match=r"U\+0004 \(at position 2\)"):
        tokenizer.encode("ab\x04c")
    meta = vocabulary_metadata("spm")
    kinds = [1 if kind == 6 else kind for kind in meta["tokenizer.ggml.token_type"]]
    tokenizer = load(
        "spm", {"tokenizer.ggml.token_type": kinds, "tokenizer.ggml.unknown_token_id": None}
    )
    with pytest.raises(InvalidRequestError, match=r"U\+1FAE0 \(at position 0\)"):
        tokenizer.encode("\U0001fae0")


@pytest.mark.parametrize("name", ["gpt-2", "spm"])
def test_lone_surrogates(name: str, vocabularies: Callable[[str], Tokenizer]) -> None:
    with pytest.raises(InvalidRequestError, match="not valid Unicode at character 1"):
        vocabularies(name).encode("a\ud800")


def test_unknown_kinds_list_the_known(load: Load) -> None:
    with pytest.raises(UnsupportedModelError, match=r"'new'; supported are default, gpt-2, smol"):
        load("gpt-2", {"tokenizer.ggml.pre": "new"})
    with pytest.raises(UnsupportedModelError, match="tokenizer 't5'; supported are gpt2, llama"):
        load("gpt-2", {"tokenizer.ggml.model": "t5"})
    # the files of 2023 do not name their pre-tokenizer
    assert load("gpt-2", {"tokenizer.ggml.pre": None}).pre == "default"


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("gpt-2", {"tokenizer.ggml.model": None}, "tokenizer.ggml.model is missing"),
    ("gpt-2", {"tokenizer.ggml.tokens": None}, "tokens is missing"),
    ("gpt-2", {"tokenizer.ggml.tokens": 5}, "tokens is int"),
    ("gpt-2", {"tokenizer.ggml.tokens": ["a"]}, "one number for each of 1 tokens"),
    ("gpt-2", {"tokenizer.ggml.token_type": [1, 1]}, "token_type does not have one number"),
    ("gpt-2", {"tokenizer.ggml.token_type": 3}, "token_type does not have one number"),
    ("gpt-2", {"tokenizer.ggml.merges": None}, "merges is missing"),
    ("gpt-2", {"tokenizer.ggml.merges": ["a b c"]}, "a merge is not two tokens"),
    ("gpt-2", {"tokenizer.ggml.merges": ["zq qz"] * 50}, "do not fit the vocabulary"),
    ("gpt-2", {"tokenizer.ggml.bos_token_id": 99999}, "bos_token_id is 99999"),
    ("spm", {"tokenizer.ggml.scores": None}, "scores is missing"),
    ("spm", {"tokenizer.ggml.scores": [0.5]}, "scores does not have one number"),
    ("spm", {"tokenizer.ggml.add_space_prefix": 1}, "add_space_prefix is int"),
]


@pytest.mark.parametrize(("name", "changes", "message"), BAD, ids=[m for _, _, m in BAD])
def test_contradictions(name: str, changes: dict[str, Any], message: str, load: Load) -> None:
    with pytest.raises(ModelFileError, match=message):
        load(name, changes)


def test_token_types_out_of_range(load: Load) -> None:
    kinds = vocabulary_metadata("gpt-2")["tokenizer.ggml.token_type"]
    with pytest.raises(ModelFileError, match="not 1 to 6"):
        load("gpt-2", {"tokenizer.ggml.token_type": [9, *kinds[1:]]})


def test_ids_of_none(load: Load) -> None:
    """How converters write that there is no such token."""
    from gguf_bytes import I32, U32, Typed

    for value in (Typed(I32, -1), Typed(U32, 2**32 - 1)):
        assert load("gpt-2", {"tokenizer.ggml.bos_token_id": value}).bos_id is None


# Speed, with room for a machine that others use.


@pytest.mark.model
def test_building_is_fast(default_model_path: Path) -> None:
    with GGUFFile.open(default_model_path) as gguf:
        import tokenizers  # noqa: F401

        start = time.process_time()
        Tokenizer.from_gguf(gguf)
        assert time.process_time() - start < 0.5  # 0.12 alone


def test_long_texts_take_linear_time(vocabularies: Callable[[str], Tokenizer]) -> None:
    for name in ("qwen2", "spm", "spm-words"):
        tokenizer = vocabularies(name)
        for unit in ("你好世界", " ", "a", "\n", "word ", "<", "<think>"):
            text = unit * (40_000 // len(unit))
            start = time.process_time()
            ids = tokenizer.encode(text, add_bos=False)
            assert time.process_time() - start < 3, (name, unit)
            assert tokenizer.decode(ids) == text
