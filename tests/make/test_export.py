"""Runs and networks as GGUF files: the same logits, every type, provenance, whole files."""

from __future__ import annotations

import json
import os
import shutil
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from qingyu.errors import (
    HashMismatchError,
    InvalidRequestError,
    ModelFileError,
    ModelNotFoundError,
    UnsupportedModelError,
)
from qingyu.make import gguf_config, gguf_writer
from qingyu.make.blocks import Encoder
from qingyu.make.export import export_network, export_run
from qingyu.make.family import FAMILY, DecoderConfig, find
from qingyu.make.gguf_writer import TensorPlan
from qingyu.make.network import Network, NetworkConfig, Weight, gguf_name, weight_shapes
from qingyu.make.run_network import network_config, read_run
from qingyu.make.tensor_types import EXPORT_TYPES, choose, finer_layers
from qingyu.models.family import describe
from qingyu.models.ggml_types import GGMLType
from qingyu.models.gguf import GGUFFile
from qingyu.models.store import model_hash
from qingyu.models.tokenizer import Tokenizer
from tests.make.big_network import drawn_network, layer_by_layer
from tests.make.folders import engine_logits, torch_logits, write_run, write_state

SMALL = DecoderConfig(
    vocab_size=320, embedding_size=256, feed_forward_size=512, num_layers=3, num_heads=4,
    num_kv_heads=2, context_length=256,
)  # fmt: skip


def same_logits(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference as a share of the range."""
    return float(np.abs(ours - theirs).max() / (theirs.max() - theirs.min()))


@pytest.mark.parametrize(
    ("name", "positions"),
    [
        ("1m", 300),
        ("15m", 200),
        ("135m", 24),
        pytest.param("0.3b", 24, marks=pytest.mark.slow),
        pytest.param("1.3b", 16, marks=pytest.mark.slow),
    ],
)
def test_logits_are_torch_s(name: str, positions: int, tmp_path: Path) -> None:
    config = find(name)
    tokens = np.random.default_rng(0).integers(0, config.vocab_size, positions).tolist()
    # The network is gone before the engine has it: 1.3 billion weights are 5 GB.
    theirs = torch_logits(write_run(tmp_path / "run", config), tokens)
    path = tmp_path / "model.gguf"
    exported = export_run(tmp_path / "run", path, "f32")
    shutil.rmtree(tmp_path / "run")
    assert exported.parameters == config.num_parameters
    assert exported.notes == ()
    ours = engine_logits(path, tokens)
    path.unlink()
    assert same_logits(ours, theirs) < 1e-3


@pytest.mark.parametrize("name", ["15m", pytest.param("6b", marks=pytest.mark.slow)])
def test_logits_of_what_is_drawn_as_it_is_written(name: str, tmp_path: Path) -> None:
    """6.4 billion float32 weights are 26 GB: these are such as F16 has exactly, 13 GB, and torch
    computes one layer after the other."""
    config, path = find(name), tmp_path / "model.gguf"
    network = drawn_network(config)
    tokens = np.random.default_rng(0).integers(0, config.vocab_size, 16).tolist()
    exported = export_network(network, path, "f16", threads=2)
    assert exported.parameters == config.num_parameters
    ours = engine_logits(path, tokens)
    path.unlink()
    assert same_logits(ours, layer_by_layer(network, config, tokens)) < 1e-3


@pytest.mark.parametrize("name", FAMILY)
def test_every_size_has_the_tensors_the_engine_wants(name: str, tmp_path: Path) -> None:
    """The header of a file whose weights are a hole: even 6.4 billion parameters."""
    config = network_config(find(name))
    shapes = weight_shapes(config)
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == find(name).num_parameters
    metadata = {"general.architecture": "llama", **gguf_config.to_metadata(config)[0]}
    plans = [
        TensorPlan(name=gguf_name(weight), type=kind, shape=shape[::-1], pieces=list)
        for (weight, shape), kind in zip(
            shapes.items(), choose("q4_k_m", config).types.values(), strict=True
        )
    ]
    path = tmp_path / "a.gguf"
    head = gguf_writer.header(metadata, plans)
    path.write_bytes(head)
    os.truncate(path, len(head) + sum(gguf_writer.padded(plan.num_bytes) for plan in plans))
    with GGUFFile.open(path) as gguf:
        described = describe(gguf)
        assert gguf_config.from_gguf(gguf) == config
    assert described.num_layers == config.num_layers
    assert len(described.tensors) == len(shapes)


@pytest.mark.parametrize("type_", EXPORT_TYPES)
def test_every_type_runs(type_: str, tmp_path: Path) -> None:
    network = write_run(tmp_path / "run", SMALL, tokens=320, weights="large")
    path = tmp_path / "model.gguf"
    exported = export_run(tmp_path / "run", path, type_, threads=2)
    assert exported.notes == ()
    assert exported.num_bytes == path.stat().st_size
    tokens = list(range(5, 105))
    theirs = torch_logits(network, tokens)
    ours = engine_logits(path, tokens)
    error = np.sqrt(np.mean((ours - theirs) ** 2)) / theirs.std()
    allowed = {"f32": 1e-3, "f16": 0.01, "bf16": 0.03, "q8_0": 0.05, "q6_k": 0.1}
    assert error < allowed.get(type_, 0.4), error


def test_the_mix_keeps_half_of_the_layers_finer() -> None:
    assert sorted(finer_layers(32)) == [*range(4), 6, 9, 12, 15, 18, 21, 24, 27, *range(28, 32)]
    types = choose("q4_k_m", network_config(find("6b"))).types
    finer = {name for name, kind in types.items() if kind is GGMLType.Q6_K}
    assert "token_embd.weight" in finer
    assert len(finer) == 1 + 2 * len(finer_layers(32))
    assert types["blk.5.attn_q.weight"] is GGMLType.Q4_K
    assert types["blk.5.attn_norm.weight"] is GGMLType.F32
    untied = choose("q4_k_m", replace(network_config(find("6b")), tied=False)).types
    assert untied["output.weight"] is GGMLType.Q6_K
    assert untied["token_embd.weight"] is GGMLType.Q4_K


def test_rows_that_are_no_super_blocks_are_told() -> None:
    chosen = choose("q4_k_m", network_config(find("135m")))
    assert chosen.types["blk.5.attn_q.weight"] is GGMLType.Q5_0  # 576 columns
    assert chosen.types["blk.5.ffn_down.weight"] is GGMLType.Q6_K  # 1536 columns
    assert chosen.types["token_embd.weight"] is GGMLType.Q8_0
    assert len(chosen.notes) == 2
    assert any("Q5_0 instead of Q4_K" in note for note in chosen.notes)
    odd = replace(network_config(SMALL), embedding_size=100)
    assert choose("q8_0", odd).types["blk.0.attn_q.weight"] is GGMLType.F16
    with pytest.raises(InvalidRequestError, match=r"q4_k_s.*q4_k_m"):
        choose("q4_k_s", odd)


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    write_run(tmp_path / "run", SMALL, tokens=320)
    for number, threads in enumerate((1, 3)):
        path = tmp_path / f"{number}.gguf"
        export_run(tmp_path / "run", path, "q4_k_m", threads=threads)
    assert model_hash(tmp_path / "0.gguf") == model_hash(tmp_path / "1.gguf")


def test_provenance_tokenizer_and_template_are_in_the_file(tmp_path: Path) -> None:
    write_run(tmp_path / "my-run", SMALL, tokens=320)
    (tmp_path / "shards").mkdir()
    sources = [{"name": "poems", "licence": "public domain"}, {"name": "manuals"}]
    (tmp_path / "shards" / "index.json").write_text(json.dumps({"made": {"sources": sources}}))
    path = tmp_path / "model.gguf"
    export_run(tmp_path / "my-run", path, "f16", licence="Apache-2.0")
    state = tmp_path / "my-run/checkpoints/step-00000100/state.json"
    date = datetime.fromtimestamp(int(state.stat().st_mtime), UTC).isoformat(timespec="seconds")
    with GGUFFile.open(path) as gguf:
        meta = gguf.metadata
        tokenizer = Tokenizer.from_gguf(gguf)
    assert meta["general.name"] == "my-run"
    assert meta["general.license"] == "Apache-2.0"
    assert meta["general.datasets"] == ["poems (public domain)", "manuals"]
    assert meta["general.file_type"] == 1
    assert meta["qingyu.program"].startswith("qingyu ")
    assert meta["qingyu.run.program"] == "0.1.0"
    assert meta["qingyu.date"] == date
    assert meta["qingyu.run.checkpoint"] == "step-00000100"
    assert (meta["qingyu.run.step"], meta["qingyu.run.tokens"]) == (100, 51200)
    assert meta["qingyu.run.held_out_loss"] == 2.5
    assert "im_start" in meta["tokenizer.chat_template"]
    assert tokenizer.decode(tokenizer.encode("the 轻语")) == "the 轻语"


def test_a_tuned_model_has_the_licence_of_its_base(tmp_path: Path) -> None:
    write_run(tmp_path / "base", SMALL, tokens=320)
    export_run(tmp_path / "base", tmp_path / "base.gguf", "f16", licence="Apache-2.0")
    write_run(tmp_path / "tuned", SMALL, tokens=320)
    settings = json.loads((tmp_path / "tuned" / "config.json").read_text())
    for model, licence in (("base.gguf", "Apache-2.0"), ("gone.gguf", None)):
        settings["start"] = {"model": str(tmp_path / model), "fresh": None, "run": None}
        (tmp_path / "tuned" / "config.json").write_text(json.dumps(settings))
        about = read_run(tmp_path / "tuned").about
        assert about.get("general.license") == licence
        assert about["general.name"] == "tuned"
        assert about["general.base_model.count"] == 1


def test_the_tokenizer_is_filled_up_to_the_network(tmp_path: Path) -> None:
    write_run(tmp_path / "run", SMALL, tokens=300)
    export_run(tmp_path / "run", tmp_path / "model.gguf", "f16")
    with GGUFFile.open(tmp_path / "model.gguf") as gguf:
        assert gguf.metadata["tokenizer.ggml.tokens"][300] == "[PAD300]"
        assert len(gguf.metadata["tokenizer.ggml.tokens"]) == 320
        assert set(gguf.metadata["tokenizer.ggml.token_type"][300:].tolist()) == {5}
    write_run(tmp_path / "small", replace(SMALL, vocab_size=290), tokens=300)
    with pytest.raises(ModelFileError, match="300 tokens"):
        export_run(tmp_path / "small", tmp_path / "b.gguf", "f16")


def test_which_checkpoint(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_run(run, SMALL, tokens=320)
    later = run / "checkpoints" / "step-00000200"
    later.mkdir()
    (later / "model.safetensors").write_bytes(
        (run / "checkpoints/step-00000100/model.safetensors").read_bytes()
    )
    write_state(later, "model.safetensors", step=200)
    (run / "checkpoints" / "last").write_text("step-00000200\n")
    steps = {
        wanted: read_run(run, checkpoint=wanted).about["qingyu.run.step"]
        for wanted in ("best", "last", "step-00000100")
    }
    assert steps == {"best": 100, "last": 200, "step-00000100": 100}
    (run / "checkpoints" / "best").unlink()
    assert read_run(run).about["qingyu.run.step"] == 200
    for name in ("step-00000300", "../..", ""):
        with pytest.raises(InvalidRequestError, match=r"step-00000100, step-00000200"):
            read_run(run, checkpoint=name)
    (run / "checkpoints" / "last").unlink()
    with pytest.raises(ModelNotFoundError, match="no checkpoint yet"):
        read_run(run)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_run(run, SMALL, tokens=320)
    weights = run / "checkpoints/step-00000100/model.safetensors"
    body = bytearray(weights.read_bytes())
    body[-5] ^= 1
    weights.write_bytes(body)
    with pytest.raises(HashMismatchError, match="--checkpoint"):
        export_run(run, tmp_path / "a.gguf", "f16")
    (weights.parent / "state.json").write_text("{}")
    with pytest.raises(ModelFileError, match="records no SHA-256"):
        export_run(run, tmp_path / "a.gguf", "f16")
    with pytest.raises(ModelNotFoundError, match="is no run"):
        export_run(tmp_path, tmp_path / "a.gguf", "f16")
    assert not (tmp_path / "a.gguf").exists()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e6])
def test_weights_the_type_cannot_hold_are_refused(bad: float, tmp_path: Path) -> None:
    network = ones(network_config(SMALL), odd="model.layers.1.mlp.up_proj.weight", value=bad)
    with pytest.raises(ModelFileError, match=r"layers\.1\.mlp\.up_proj"):
        export_network(network, tmp_path / "a.gguf", "f16")
    assert list(tmp_path.iterdir()) == []


def ones(config: NetworkConfig, *, odd: str = "", value: float = 1.0) -> Network:
    """A network of ones that takes no memory; one value of the weight `odd` is another."""

    def weight(name: str, shape: tuple[int, ...]) -> Weight:
        def rows(first: int, last: int) -> np.ndarray:
            values = np.full((last - first, shape[-1]), 1.0, np.float32)
            if name == odd and first == 0:
                values[0, -1] = value
            return values

        return Weight(shape=shape, type=GGMLType.F32, rows=rows)

    weights = {name: weight(name, shape) for name, shape in weight_shapes(config).items()}
    return Network(config=config, weights=weights, tokenizer={})


def test_memory_is_some_pieces_however_large_the_model(tmp_path: Path) -> None:
    config = replace(network_config(find("0.3b")), num_layers=2)
    tracemalloc.start()
    try:
        exported = export_network(ones(config), tmp_path / "a.gguf", "f32", threads=2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert exported.num_bytes > 250 << 20
    assert peak < 40 << 20


def test_pieces_keep_their_order() -> None:
    values = np.arange(3_000_000, dtype=np.float32).reshape(1500, 2000)
    weight = Weight(
        shape=values.shape, type=GGMLType.F32, rows=lambda first, last: values[first:last]
    )
    with Encoder(threads=4) as encoder:
        pieces = list(encoder.pieces("w", weight, GGMLType.F32, multiple=7))
    assert len(pieces) > 3
    assert np.array_equal(np.concatenate(pieces).view(np.float32), values.ravel())


# Adapters.


def write_lora_run(folder: Path, base: str, network: torch.nn.Module, **settings: object) -> Path:
    """An adapter on query, value and down projections, with peft's names; its folder."""
    checkpoint = folder / "checkpoints" / "step-00000010"
    checkpoint.mkdir(parents=True)
    generator = torch.Generator().manual_seed(1)
    tensors = {}
    for name, weight in network.named_parameters():
        if name.endswith(("q_proj.weight", "v_proj.weight", "down_proj.weight")):
            stem = "base_model.model." + name.removesuffix(".weight")
            rows, columns = weight.shape
            tensors[f"{stem}.lora_A.weight"] = torch.randn(4, columns, generator=generator) * 0.05
            tensors[f"{stem}.lora_B.weight"] = torch.randn(rows, 4, generator=generator) * 0.05
    save_file(tensors, checkpoint / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA", "r": 4, "lora_alpha": 16, "bias": "none", "task_type": "CAUSAL_LM",
        "target_modules": ["q_proj", "v_proj", "down_proj"], **settings,
    }  # fmt: skip
    (checkpoint / "adapter_config.json").write_text(json.dumps(config))
    write_state(checkpoint, "adapter_model.safetensors", step=10)
    (folder / "checkpoints" / "last").write_text("step-00000010\n")
    (folder / "config.json").write_text(json.dumps({"kind": "tuning", "start": {"model": base}}))
    return checkpoint


# peft 0.21 asks transformers 5.24 for a name that is about to go
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
@pytest.mark.parametrize("settings", [{}, {"use_rslora": True}], ids=["plain", "rank-stabilized"])
def test_an_adapter_is_merged_as_peft_does(settings: dict[str, bool], tmp_path: Path) -> None:
    from peft import PeftModel

    network = write_run(tmp_path / "base", SMALL, tokens=320, weights="large")
    base = tmp_path / "base.gguf"
    export_run(tmp_path / "base", base, "f32", licence="MIT")
    checkpoint = write_lora_run(tmp_path / "tuned", str(base), network, **settings)
    path = tmp_path / "tuned.gguf"
    export_run(tmp_path / "tuned", path, "f32")
    theirs = PeftModel.from_pretrained(network, checkpoint).merge_and_unload()
    tokens = list(range(3, 80))
    assert same_logits(engine_logits(path, tokens), torch_logits(theirs, tokens)) < 1e-3
    with GGUFFile.open(path) as gguf:
        assert gguf.metadata["general.name"] == "tuned"
        assert gguf.metadata["general.license"] == "MIT"
        assert gguf.metadata["general.base_model.0.name"] == "base"
        assert gguf.metadata["qingyu.run.kind"] == "tuning"
        assert "im_start" in gguf.metadata["tokenizer.chat_template"]


def test_the_base_may_be_a_run_or_a_quantized_file(tmp_path: Path) -> None:
    network = write_run(tmp_path / "base", SMALL, tokens=320)
    write_lora_run(tmp_path / "tuned", "", network)
    settings = {"start": {"run": str(tmp_path / "base")}}
    (tmp_path / "tuned" / "config.json").write_text(json.dumps(settings))
    from_run = read_run(tmp_path / "tuned").weights["model.layers.0.self_attn.q_proj.weight"]
    export_run(tmp_path / "base", tmp_path / "base.gguf", "q8_0")
    settings = {"start": {"model": str(tmp_path / "base.gguf")}}
    (tmp_path / "tuned" / "config.json").write_text(json.dumps(settings))
    from_file = read_run(tmp_path / "tuned").weights["model.layers.0.self_attn.q_proj.weight"]
    difference = np.abs(from_run.whole() - from_file.whole()).max()
    assert 0 < difference < 0.01 * np.abs(from_run.whole()).max()


def test_adapters_that_do_not_fit(tmp_path: Path) -> None:
    network = write_run(tmp_path / "base", SMALL, tokens=320)
    run = tmp_path / "tuned"
    checkpoint = write_lora_run(run, "", network)
    with pytest.raises(ModelFileError, match=r"start\.model"):
        read_run(run)
    (run / "config.json").write_text(json.dumps({"start": {"run": str(run)}}))
    with pytest.raises(ModelFileError, match=r"start\.model"):  # a run that stands on itself
        read_run(run)
    write_run(tmp_path / "other", replace(SMALL, embedding_size=128), tokens=320)
    (run / "config.json").write_text(json.dumps({"start": {"run": str(tmp_path / "other")}}))
    with pytest.raises(ModelFileError, match="do not fit"):
        read_run(run)
    (run / "config.json").write_text(json.dumps({"start": {"run": str(tmp_path / "base")}}))
    for odd in ({"use_dora": True}, {"bias": "all"}, {"peft_type": "IA3"}, {"lora_alpha": "x"}):
        (checkpoint / "adapter_config.json").write_text(json.dumps(odd))
        with pytest.raises((UnsupportedModelError, ModelFileError)):
            read_run(run)


def test_rotary_factors_of_llama_3(tmp_path: Path) -> None:
    from gguf import GGUFReader

    from reference.random_models import FAMILIES, llama3_factors

    model = FAMILIES["llama-llama3"]
    stretch = gguf_config.RopeStretch(kind="llama3", factor=4.0, original_context=256)
    ours = gguf_config.llama3_factors(model.head_size, model.base, stretch)
    assert np.allclose(ours, llama3_factors(model), rtol=1e-6)
    config = replace(network_config(SMALL), rope_stretch=stretch)
    export_network(ones(config), tmp_path / "a.gguf", "f32")
    names = [tensor.name for tensor in GGUFReader(tmp_path / "a.gguf").tensors]
    assert names[0] == "rope_freqs.weight"
    with GGUFFile.open(tmp_path / "a.gguf") as gguf:
        assert gguf_config.from_gguf(gguf).rope_stretch == stretch
