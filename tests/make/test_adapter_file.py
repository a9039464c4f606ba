"""Adapters from peft to GGUF: the engine computes with them what torch does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFWriter
from peft import LoraConfig, get_peft_model

import qingyu
from qingyu.errors import (
    HashMismatchError,
    InvalidRequestError,
    ModelFileError,
    ModelNotFoundError,
    UnsupportedModelError,
)
from qingyu.make.adapter_file import write_adapter
from qingyu.make.family import DecoderConfig, build, decoder_1m
from qingyu.models.adapter import AdapterFile
from qingyu.models.family import describe
from qingyu.models.gguf import GGUFFile
from reference import random_models
from tests.make.adapter_folders import FILE, PREFIX, Values, values, write_folder

CONFIG = replace(decoder_1m(), vocab_size=300)
MATRICES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def write_base(path: Path, network: torch.nn.Module, config: DecoderConfig) -> Path:
    """The network as a GGUF file of float32, by the `gguf` package."""
    writer = GGUFWriter(str(path), "llama")
    writer.add_name("small")
    writer.add_block_count(config.num_layers)
    writer.add_context_length(config.context_length)
    writer.add_embedding_length(config.embedding_size)
    writer.add_feed_forward_length(config.feed_forward_size)
    writer.add_head_count(config.num_heads)
    writer.add_head_count_kv(config.num_kv_heads)
    writer.add_layer_norm_rms_eps(config.norm_epsilon)
    writer.add_rope_freq_base(config.rope_base)
    tokens, merges = random_models.vocabulary(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * 3 + [1] * (len(tokens) - 3))
    writer.add_token_merges(merges)
    writer.add_eos_token_id(2)
    outer = {"model.embed_tokens": "token_embd", "model.norm": "output_norm"}
    for name, weight in network.state_dict().items():
        values = weight.detach().numpy().astype(np.float32)
        stem = name.removesuffix(".weight")
        if stem == "lm_head":
            continue
        if stem in outer:
            writer.add_tensor(f"{outer[stem]}.weight", values)
            continue
        _, _, layer, part = stem.split(".", 3)
        if part in ("self_attn.q_proj", "self_attn.k_proj"):
            size = config.head_size
            heads = values.reshape(-1, 2, size // 2, values.shape[1])
            values = np.ascontiguousarray(heads.swapaxes(1, 2)).reshape(values.shape)
        writer.add_tensor(f"blk.{layer}.{NAMES[part]}.weight", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def strong(network: torch.nn.Module) -> torch.nn.Module:
    """Weights as large as trained ones, so that a change of them shows."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim == 2:
                weight.normal_(0.0, weight.shape[1] ** -0.5, generator=generator)
    return network


# peft asks transformers in a way that is to go; nothing of ours does.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
@pytest.mark.parametrize(
    "settings",
    [
        {"r": 4, "lora_alpha": 8},
        {"r": 6, "lora_alpha": 8, "use_rslora": True, "target_modules": ["q_proj", "v_proj"]},
        {
            "r": 4,
            "lora_alpha": 4,
            "rank_pattern": {"q_proj": 7},
            "alpha_pattern": {"q_proj": 2, "layers.1.mlp.down_proj": 12},
        },
    ],
    ids=["plain", "rslora", "patterns"],
)
def test_a_trained_adapter_gives_torchs_logits(tmp_path: Path, settings: dict[str, Any]) -> None:
    network = strong(build(CONFIG, seed=5))
    base = write_base(tmp_path / "base.gguf", network, CONFIG)
    torch.manual_seed(7)
    tuned = get_peft_model(network, LoraConfig(**{"target_modules": MATRICES, **settings}))
    tokens = torch.randint(0, 300, (4, 48), generator=torch.Generator().manual_seed(3))
    optimizer = torch.optim.AdamW([p for p in tuned.parameters() if p.requires_grad], lr=0.02)
    for _ in range(8):
        loss = tuned(input_ids=tokens, labels=tokens).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    tuned.save_pretrained(str(tmp_path / "peft"), save_embedding_layers=False)
    size = write_adapter(tmp_path / "peft", tmp_path / "a.gguf", base=base)
    assert size == (tmp_path / "a.gguf").stat().st_size
    tuned.eval()
    with torch.no_grad():
        truth = tuned(input_ids=tokens[:1]).logits[0].numpy()
        with tuned.disable_adapter():
            plain = tuned(input_ids=tokens[:1]).logits[0].numpy()
    scale = float(np.ptp(truth))
    assert np.abs(truth - plain).max() > 0.05 * scale, "it learned something"
    with qingyu.load(base, threads=2, adapters={"tuned": tmp_path / "a.gguf"}) as model:
        ids = tokens[0].tolist()
        assert np.abs(model.logits(ids, adapter="tuned") - truth).max() < 1e-3 * scale
        assert np.abs(model.logits(ids) - plain).max() < 1e-3 * scale


# Folders written by hand.


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("bases")

    def find(family: str) -> Path:
        path = folder / f"{family}.gguf"
        if not path.exists():
            shape = random_models.FAMILIES[family]
            random_models.write(path, shape, GGMLQuantizationType.Q8_0)
        return path

    return find


def read(path: Path, base: Path) -> tuple[float, dict[str, tuple[np.ndarray, np.ndarray]]]:
    with GGUFFile.open(base) as gguf:
        config = describe(gguf)
    with AdapterFile.open(path, config) as adapter:
        return adapter.alpha, {pair.name: adapter.matrices(pair) for pair in adapter.pairs}


@pytest.mark.parametrize("family", ["llama", "minicpm", "qwen2", "qwen3"])
def test_rows_follow_the_familys_order(tmp_path: Path, bases: Any, family: str) -> None:
    made = values()
    if family == "qwen3":
        made = {name: part for name, part in made.items() if "q_proj" not in name}
    source = write_folder(tmp_path / "peft", made)
    write_adapter(source, tmp_path / "a.gguf", base=bases(family))
    alpha, pairs = read(tmp_path / "a.gguf", bases(family))
    assert alpha == 4.0
    down = PREFIX + "1.mlp.down_proj.lora_"
    a, b = pairs["blk.1.ffn_down.weight"]
    assert np.array_equal(a, made[down + "A.weight"])
    assert np.array_equal(b, made[down + "B.weight"])
    if family == "qwen3":
        return
    a, b = pairs["blk.0.attn_q.weight"]
    given = made[PREFIX + "0.self_attn.q_proj.lora_B.weight"]
    assert np.array_equal(a, made[PREFIX + "0.self_attn.q_proj.lora_A.weight"])
    if family == "qwen2":
        assert np.array_equal(b, given)
    else:  # row i of a head's first half, then of its second
        assert np.array_equal(b[0::2][:32], given[:32])
        assert np.array_equal(b[1::2][:32], given[32:64])
        assert np.array_equal(b[64], given[64])


@pytest.mark.parametrize(("type", "digits"), [("f32", 24), ("f16", 11), ("bf16", 8)])
def test_types(tmp_path: Path, bases: Any, type: str, digits: int) -> None:
    made = values()
    source = write_folder(tmp_path / "peft", made)
    write_adapter(source, tmp_path / "a.gguf", base=bases("qwen2"), type=type)
    _, pairs = read(tmp_path / "a.gguf", bases("qwen2"))
    given = made[PREFIX + "0.self_attn.q_proj.lora_A.weight"]
    ours = pairs["blk.0.attn_q.weight"][0]
    assert np.allclose(ours, given, rtol=2.0**-digits, atol=1e-7)
    assert (type == "f32") == np.array_equal(ours, given)


def test_a_run_is_its_best_checkpoint(tmp_path: Path, bases: Any) -> None:
    run = tmp_path / "run"
    for step, rank in ((10, 2), (20, 3)):
        folder = write_folder(run / "checkpoints" / f"step-000000{step}", values(rank=rank))
        digest = hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
        (folder / "state.json").write_text(json.dumps({"sha256": {FILE: digest}}))
    with pytest.raises(ModelNotFoundError, match="no checkpoint"):
        write_adapter(run, tmp_path / "a.gguf", base=bases("llama"))
    (run / "checkpoints" / "last").write_text("step-00000020\n")
    (run / "checkpoints" / "best").write_text("step-00000010\n")
    write_adapter(run, tmp_path / "a.gguf", base=bases("llama"))
    _, pairs = read(tmp_path / "a.gguf", bases("llama"))
    assert len(pairs["blk.0.attn_q.weight"][0]) == 2
    write_adapter(run, tmp_path / "b.gguf", base=bases("llama"), checkpoint="last")
    _, pairs = read(tmp_path / "b.gguf", bases("llama"))
    assert len(pairs["blk.0.attn_q.weight"][0]) == 3
    weights = run / "checkpoints" / "step-00000010" / FILE
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(HashMismatchError, match="damaged"):
        write_adapter(run, tmp_path / "c.gguf", base=bases("llama"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"use_dora": True}, "use_dora"),
        ({"bias": "all"}, "bias 'all'"),
        ({"fan_in_fan_out": True}, "fan_in_fan_out"),
        ({"peft_type": "IA3"}, "peft_type 'IA3'"),
        ({"init_lora_weights": "pissa_niter_4"}, "init_lora_weights 'pissa_niter_4'"),
        ({"layer_replication": [[0, 2]]}, "layer_replication"),
        ({"trainable_token_indices": [3]}, "trainable_token_indices"),
    ],
)
def test_other_kinds_are_named(
    tmp_path: Path, bases: Any, settings: dict[str, Any], message: str
) -> None:
    source = write_folder(tmp_path / "peft", values(), **settings)
    with pytest.raises(UnsupportedModelError, match=message):
        write_adapter(source, tmp_path / "a.gguf", base=bases("llama"))
    assert not (tmp_path / "a.gguf").exists()


def without(name: str) -> Values:
    made = values()
    del made[PREFIX + name]
    return made


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"base_model.model.lm_head.lora_A.weight": np.zeros((2, 256))}, "lm_head"),
        ({f"{PREFIX}0.input_layernorm.lora_A.weight": np.zeros((2, 256))}, "input_layernorm"),
        ({f"{PREFIX}0.self_attn.q_proj.weight": np.zeros((2, 256))}, "seven matrices"),
        ({f"{PREFIX}0.mlp.up_proj.lora_A.weight": np.zeros((2, 256))}, "without its other half"),
        (without("0.self_attn.q_proj.lora_A.weight"), "without its other half"),
        (values(layers=3), "changes layer 2; random weights has 2"),
        (
            {
                f"{PREFIX}0.mlp.up_proj.lora_A.weight": np.zeros((2, 256)),
                f"{PREFIX}0.mlp.up_proj.lora_B.weight": np.zeros((256, 2)),
            },
            r"does not fit the 512 x 256",
        ),
    ],
)
def test_other_tensors_are_named(tmp_path: Path, bases: Any, tensors: Values, message: str) -> None:
    tensors = {name: part.astype(np.float32) for name, part in tensors.items()}
    source = write_folder(tmp_path / "peft", tensors)
    with pytest.raises(ModelFileError, match=message):
        write_adapter(source, tmp_path / "a.gguf", base=bases("llama"))


def test_what_cannot_be_written(tmp_path: Path, bases: Any) -> None:
    base = bases("llama")
    source = write_folder(tmp_path / "peft", values())
    with pytest.raises(InvalidRequestError, match="f32, f16, bf16"):
        write_adapter(source, tmp_path / "a.gguf", base=base, type="q8_0")
    (tmp_path / "there.gguf").write_bytes(b"x")
    with pytest.raises(InvalidRequestError, match="exists"):
        write_adapter(source, tmp_path / "there.gguf", base=base)
    with pytest.raises(ModelNotFoundError):
        write_adapter(tmp_path / "nowhere", tmp_path / "a.gguf", base=base)
    large = {name: part * np.float32(1e6) for name, part in values().items()}
    source = write_folder(tmp_path / "large", large)
    with pytest.raises(ModelFileError, match="not finite as F16"):
        write_adapter(source, tmp_path / "a.gguf", base=base, type="f16")
    source = write_folder(tmp_path / "wrong", values(), lora_alpha="many")
    with pytest.raises(ModelFileError, match="lora_alpha is 'many'"):
        write_adapter(source, tmp_path / "a.gguf", base=base)


def test_no_scaling_at_all_is_nothing(tmp_path: Path, bases: Any) -> None:
    """lora_alpha 0 means no change; the file's 0 would mean that the product counts whole."""
    source = write_folder(tmp_path / "peft", values(), lora_alpha=0)
    write_adapter(source, tmp_path / "a.gguf", base=bases("llama"))
    alpha, pairs = read(tmp_path / "a.gguf", bases("llama"))
    assert alpha == 1.0
    assert not any(b.any() for _, b in pairs.values())
