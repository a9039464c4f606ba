"""Folders for tests: runs as training leaves them, and models as Hugging Face's libraries do.

    write_run(tmp_path / "run", find("1m"))                     # gives the torch network
    write_model(tmp_path / "model", "qwen3", torch.bfloat16)

Weights are random and large enough that logits differ; the vocabulary is that of
`reference.random_models`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from qingyu.make.family import DecoderConfig, build
from qingyu.make.tokenizer_files import TokenizerParts
from qingyu.make.training.tensor_file import write_tensors
from reference.random_models import CHAT_TEMPLATE, SPECIAL, vocabulary

VOCABULARY = 300
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
MODELS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "llama": (LlamaConfig, LlamaForCausalLM, {"tie_word_embeddings": True}),
    "llama-untied": (
        LlamaConfig,
        LlamaForCausalLM,
        {"tie_word_embeddings": False, "rope_theta": 500000.0, "head_dim": 32},
    ),
    "llama3": (
        LlamaConfig,
        LlamaForCausalLM,
        {
            "rope_scaling": {
                "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0,
                "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            },
        },
    ),
    "linear": (
        LlamaConfig,
        LlamaForCausalLM,
        {"rope_scaling": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0}},
    ),
    "mistral": (MistralConfig, MistralForCausalLM, {"sliding_window": 20}),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, {"tie_word_embeddings": True}),
    "qwen2-yarn": (
        Qwen2Config,
        Qwen2ForCausalLM,
        {
            "rope_scaling": {
                "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0,
                "original_max_position_embeddings": 64,
            },
        },
    ),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, {"head_dim": 32, "tie_word_embeddings": False}),
}  # fmt: skip


def parts(size: int = VOCABULARY) -> TokenizerParts:
    """Three special tokens, 256 bytes, letter pairs."""
    texts, merges = vocabulary(size)
    return TokenizerParts(
        texts=tuple(texts),
        kinds=tuple([3] * len(SPECIAL) + [1] * (len(texts) - len(SPECIAL))),
        merges=tuple(merges),
        pre="smollm",
        bos=1,
        eos=2,
        add_bos=False,
        template=CHAT_TEMPLATE,
    )


def enlarge(network: PreTrainedModel, seed: int = 0) -> None:
    """Weights that make logits spread, biases and norms that make a difference."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in sorted(network.named_parameters()):
            drawn = torch.empty(weight.shape).normal_(generator=generator)
            if weight.ndim == 1:
                mean, spread = (0.0, 0.3) if name.endswith("bias") else (1.0, 0.1)
                weight.copy_(mean + spread * drawn)
            else:
                weight.copy_(drawn / weight.shape[1] ** 0.5)


def write_model(
    folder: Path, kind: str, dtype: torch.dtype = torch.float32, **changes: Any
) -> PreTrainedModel:
    """A folder saved by transformers itself, and its network."""
    config_class, model_class, own = MODELS[kind]
    network: PreTrainedModel = model_class(config_class(**{**SIZES, **own, **changes}))
    enlarge(network)
    network = network.to(dtype)
    network.save_pretrained(folder)
    parts().save(folder)
    return network.eval()


def write_run(
    folder: Path, config: DecoderConfig, *, tokens: int = VOCABULARY, weights: str = ""
) -> PreTrainedModel:
    """A run with one checkpoint, and its network."""
    network = build(config)
    if weights == "large":
        enlarge(network)
    checkpoint = folder / "checkpoints" / "step-00000100"
    checkpoint.mkdir(parents=True)
    tensors = dict(network.named_parameters())
    write_tensors(
        checkpoint / "model.safetensors",
        {name: tuple(weight.shape) for name, weight in tensors.items()},
        read=lambda name: tensors[name],
    )
    write_state(checkpoint, "model.safetensors", step=100)
    for pointer in ("last", "best"):
        (folder / "checkpoints" / pointer).write_text("step-00000100\n")
    settings = {
        "kind": "pretraining", "model": asdict(config), "program": "0.1.0",
        "data": {"train": str(folder.parent / "shards")},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(settings))
    parts(tokens).save(folder)
    return network.eval()


def write_state(checkpoint: Path, *files: str, step: int) -> None:
    digests = {name: hashlib.sha256((checkpoint / name).read_bytes()).hexdigest() for name in files}
    state = {"step": step, "tokens": 51200, "held_out_loss": 2.5, "sha256": digests}
    (checkpoint / "state.json").write_text(json.dumps(state))


def torch_logits(network: PreTrainedModel, tokens: list[int]) -> Any:
    """float32 [tokens, vocab] as numpy."""
    with torch.no_grad():
        return network(torch.tensor([tokens])).logits[0].float().numpy()


def engine_logits(path: Path, tokens: list[int]) -> Any:
    """The same from the engine's core, by the file."""
    import numpy as np

    from qingyu import _native
    from qingyu.models.family import describe
    from qingyu.models.gguf import GGUFFile
    from reference.core import run

    with GGUFFile.open(path) as gguf:
        config = describe(gguf)
        builder = _native.ModelBuilder(**config.builder_arguments(), threads=1)
        for name in config.tensors:
            info = gguf.tensors[name]
            builder.add(name, info.type, info.shape, np.frombuffer(gguf.data(name), np.uint8))
            gguf.release(name)
    return run(builder.build(), tokens, activation_bits=16)
