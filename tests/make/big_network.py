"""A network too large to be held twice: its weights are drawn whenever somebody asks for rows.

network = drawn_network(find("6b"))              # values float16 can have, so that F16 is exact
layer_by_layer(network, find("6b"), tokens)      # torch's logits, float32 [tokens, vocab]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers.models.llama.modeling_llama import (
    LlamaDecoderLayer,
    LlamaRMSNorm,
    LlamaRotaryEmbedding,
)

from qingyu.make.any_tokenizer import padded
from qingyu.make.family import DecoderConfig, transformers_config
from qingyu.make.network import Network, Weight, weight_shapes
from qingyu.make.run_network import network_config
from qingyu.make.tokenizer_files import TokenizerParts
from qingyu.models.ggml_types import GGMLType
from reference.random_models import SPECIAL, vocabulary

BLOCK = 256  # rows of one seed


def drawn_network(config: DecoderConfig) -> Network:
    """Matrices keep a vector's size; norms are about 1."""
    sizes = network_config(config)
    texts, merges = vocabulary(300)
    parts = TokenizerParts(
        texts=tuple(texts),
        kinds=tuple([3] * len(SPECIAL) + [1] * (len(texts) - len(SPECIAL))),
        merges=tuple(merges), pre="smollm", bos=1, eos=2, add_bos=False, template=None,
    )  # fmt: skip
    weights = {
        name: Weight(shape=shape, type=GGMLType.F32, rows=_rows(seed, shape))
        for seed, (name, shape) in enumerate(weight_shapes(sizes).items())
    }
    tokenizer = padded(parts.gguf_metadata(), sizes.vocab_size)
    return Network(config=sizes, weights=weights, tokenizer=tokenizer)


def _rows(seed: int, shape: tuple[int, ...]) -> Callable[[int, int], Any]:
    columns = shape[-1]
    middle, half = (1.0, 0.2) if len(shape) == 1 else (0.0, (3 / columns) ** 0.5)

    def block(number: int) -> Any:
        drawn = np.random.default_rng((seed, number)).random((BLOCK, columns), np.float32)
        return (middle + half * (2 * drawn - 1)).astype(np.float16).astype(np.float32)

    def rows(first: int, last: int) -> Any:
        numbers = range(first // BLOCK, -(-last // BLOCK))
        start = first // BLOCK * BLOCK
        return np.concatenate([block(one) for one in numbers])[first - start : last - start]

    return rows


def layer_by_layer(network: Network, config: DecoderConfig, tokens: list[int]) -> Any:
    """One layer's weights are there at a time."""

    def tensor(name: str) -> torch.Tensor:
        weight = network.weights[name]
        return torch.from_numpy(weight.rows(0, weight.num_rows)).reshape(weight.shape)

    sizes = transformers_config(config)
    sizes._attn_implementation = "eager"
    rotary = LlamaRotaryEmbedding(sizes)
    embedding = tensor("model.embed_tokens.weight")
    hidden = embedding[tokens][None]
    places = torch.arange(len(tokens))[None]
    later = torch.full((len(tokens), len(tokens)), float("-inf")).triu(1)[None, None]
    with torch.no_grad():
        angles = rotary(hidden, places)
        for number in range(config.num_layers):
            with torch.device("meta"):
                layer = LlamaDecoderLayer(sizes, number)
            prefix = f"model.layers.{number}."
            _fill(layer, {name: tensor(prefix + name) for name in layer.state_dict()})
            hidden = layer(hidden, attention_mask=later, position_embeddings=angles)
        norm = LlamaRMSNorm(sizes.hidden_size, sizes.rms_norm_eps)
        _fill(norm, {"weight": tensor("model.norm.weight")})
        return (norm(hidden)[0] @ embedding.T).numpy()


def _fill(module: nn.Module, weights: dict[str, torch.Tensor]) -> None:
    module.load_state_dict(weights, assign=True)
