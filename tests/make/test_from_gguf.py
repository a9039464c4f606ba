"""GGUF files as torch networks and as tokenizers that transformers reads."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFReader, dequantize

from golden.texts import TEXTS
from qingyu.errors import InvalidRequestError, UnsupportedModelError
from qingyu.make.from_gguf import load_network, read_gguf, state_dict, write_tokenizer
from qingyu.models.gguf import GGUFFile
from qingyu.models.tokenizer import Tokenizer
from reference import random_models
from reference.random_models import FAMILIES
from tests.make.folders import engine_logits, torch_logits

CONVERTIBLE = (
    "llama", "llama-untied", "llama-kv1", "llama-head128", "llama-linear", "llama-yarn",
    "llama-window", "qwen2", "qwen2-yarn", "qwen3", "qwen3-tied",
)  # fmt: skip


@pytest.mark.parametrize("family", CONVERTIBLE)
def test_logits_are_the_engine_s(family: str, tmp_path: Path) -> None:
    path = random_models.write(tmp_path / "a.gguf", FAMILIES[family], GGMLQuantizationType.F32)
    tokens = np.random.default_rng(3).integers(0, 260, 100).tolist()
    theirs, ours = torch_logits(load_network(path), tokens), engine_logits(path, tokens)
    assert np.abs(ours - theirs).max() < 2e-3 * (theirs.max() - theirs.min())


@pytest.mark.parametrize("kind", ["Q4_1", "Q4_K", "BF16"])
def test_weights_are_the_gguf_package_s(kind: str, tmp_path: Path) -> None:
    """Rows of query and key change places; nothing else changes."""
    path = random_models.write(tmp_path / "a.gguf", FAMILIES["llama"], GGMLQuantizationType[kind])
    theirs = {
        tensor.name: dequantize(tensor.data, tensor.tensor_type)
        for tensor in GGUFReader(path).tensors
    }
    with GGUFFile.open(path) as gguf:
        network = read_gguf(gguf)
        ours = state_dict(network)
        query = network.weights["model.layers.1.self_attn.q_proj.weight"]
        part = query.rows(37, 130)
    assert np.array_equal(ours["model.layers.1.mlp.up_proj.weight"], theirs["blk.1.ffn_up.weight"])
    pairs = theirs["blk.1.attn_q.weight"].reshape(4, 32, 2, 256)
    whole = pairs.transpose(0, 2, 1, 3).reshape(256, 256)
    assert np.array_equal(ours["model.layers.1.self_attn.q_proj.weight"], whole)
    assert np.array_equal(part, whole[37:130])


@pytest.mark.parametrize("family", ["minicpm", "mimo", "llama-llama3", "llama-head80"])
def test_what_hugging_face_s_classes_do_not_know(family: str, tmp_path: Path) -> None:
    path = random_models.write(tmp_path / "a.gguf", FAMILIES[family], GGMLQuantizationType.F32)
    if family == "mimo":  # the file says qwen2, whose form it has
        load_network(path)
        return
    with pytest.raises(UnsupportedModelError):
        load_network(path)


def test_without_torch_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(name: str, *rest: Any, **options: Any) -> Any:
        if name == "torch":
            raise ImportError("no", name="torch")
        return found(name, *rest, **options)

    found = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InvalidRequestError, match=r"qingyu\[make\]"):
        load_network(tmp_path / "a.gguf")


@pytest.mark.parametrize("pre", ["smollm", "qwen2", "llama-bpe", "gpt-2"])
def test_transformers_encodes_as_the_engine_does(pre: str, tmp_path: Path) -> None:
    from dataclasses import replace

    from transformers import AutoTokenizer

    model = replace(FAMILIES["llama"], pre=pre)
    path = random_models.write(tmp_path / "a.gguf", model, GGMLQuantizationType.F32)
    write_tokenizer(path, tmp_path / "tokenizer")
    theirs = AutoTokenizer.from_pretrained(tmp_path / "tokenizer")
    with GGUFFile.open(path) as gguf:
        ours = Tokenizer.from_gguf(gguf)
    for text in [*TEXTS, *(f"<|im_start|>user\n{text}<|im_end|>\n" for text in TEXTS[:20])]:
        expected = theirs(text, add_special_tokens=False)["input_ids"]
        assert ours.encode(text, special=True, add_bos=False) == expected, text
        assert theirs.decode(expected) == ours.decode(expected)
    assert theirs.eos_token == "<|im_end|>"
    said = theirs.apply_chat_template(
        [{"role": "user", "content": "hi"}], tokenize=False, add_generation_prompt=True
    )
    assert said == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.model
def test_the_default_model(default_model_path: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    network = load_network(default_model_path)
    write_tokenizer(default_model_path, tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    with GGUFFile.open(default_model_path) as gguf:
        ours = Tokenizer.from_gguf(gguf)
    for text in TEXTS:
        assert tokenizer(text)["input_ids"] == ours.encode(text, special=True), text
    tokens = ours.encode("The quick brown fox jumps over the lazy dog. 今天天气很好。" * 3)
    theirs = torch_logits(network, tokens)
    # a quantized file: the engine rounds activations, here to 16 bits
    difference = np.abs(engine_logits(default_model_path, tokens) - theirs).max()
    assert difference < 2e-3 * (theirs.max() - theirs.min())
    assert torch.equal(network.lm_head.weight, network.model.embed_tokens.weight)
