"""A decoder of the family as training computes it: many documents at once, a loss at the end.

    network = packed(build(find("135m")), recompute=False)
    loss = network(batch, scale=1 / batch.num_targets)

The modules and the names of their weights are transformers' (LlamaForCausalLM), so what peft,
FSDP and files need to find is where they look for it. The forward is ours: tokens of all rows in
one line, `attention.attend` within documents, `kernels` for what is elementwise, `head_loss` for
the vocabulary. Tested against transformers' own forward in float32.

Shapes: N tokens, D embedding, H heads, K key heads, S head size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRMSNorm

from qingyu.make.training.attention import Documents, arrange, attend
from qingyu.make.training.batches import MicroBatch
from qingyu.make.training.head import Teaching, head_loss
from qingyu.make.training.kernels import rms_norm, rotate, swiglu


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the tokens are: cosine, sine float32 [N, S / 2] of their positions."""

    cosine: Tensor
    sine: Tensor
    documents: Documents


class PackedNorm(LlamaRMSNorm):
    def forward(self, hidden_states: Tensor) -> Tensor:
        return rms_norm(hidden_states, self.weight, self.variance_epsilon)


class PackedLayer(LlamaDecoderLayer):
    """One layer on hidden [N, D]."""

    def forward(self, hidden: Tensor, places: Places) -> Tensor:
        attention, mlp = self.self_attn, self.mlp
        size = attention.head_dim
        normed = self.input_layernorm(hidden)
        query, key, value = (
            project(normed).view(len(hidden), -1, size)
            for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        # Scaled where it is small; the score then needs nothing.
        query = rotate(query, places.cosine * attention.scaling, places.sine * attention.scaling)
        key = rotate(key, places.cosine, places.sine)
        found = attend(query, key, value, places.documents)
        hidden = hidden + attention.o_proj(found.view(len(hidden), -1))
        normed = self.post_attention_layernorm(hidden)
        inner = swiglu(mlp.gate_proj(normed), mlp.up_proj(normed))
        return hidden + cast(Tensor, mlp.down_proj(inner))


class PackedHead(nn.Linear):
    """The vocabulary's weight; called for a loss, so that FSDP gathers the weight for it."""

    def forward(  # type: ignore[override]
        self, hidden: Tensor, targets: Tensor, weights: Tensor, teaching: Teaching | None
    ) -> Tensor:
        return head_loss(hidden, self.weight, targets, weights, teaching)


class PackedDecoder(LlamaForCausalLM):
    """Made by `packed`, never by itself."""

    recompute: bool

    def forward(self, batch: MicroBatch, scale: float, teaching: Teaching | None = None) -> Tensor:
        """The sum of the targets' losses times scale, float32."""
        weights = batch.weights * scale
        return cast(Tensor, self.lm_head(self.hidden(batch), batch.targets, weights, teaching))

    def hidden(self, batch: MicroBatch) -> Tensor:
        """After the last norm, [N, D]."""
        hidden = self.model.embed_tokens(batch.tokens)
        places = self._places(batch)
        for layer in self.model.layers:
            if self.recompute and torch.is_grad_enabled():
                hidden = checkpoint(layer, hidden, places, use_reentrant=False)
            else:
                hidden = layer(hidden, places)
        return cast(Tensor, self.model.norm(hidden))

    def _places(self, batch: MicroBatch) -> Places:
        config = cast(Any, self.config)
        half = torch.arange(0, config.head_dim, 2, dtype=torch.float64) / config.head_dim
        speeds = config.rope_parameters["rope_theta"] ** -half
        angles = batch.positions[:, None].double() * speeds.to(batch.positions.device)
        return Places(
            cosine=angles.cos().float(), sine=angles.sin().float(), documents=arrange(batch.pieces)
        )


def packed(network: LlamaForCausalLM, *, recompute: bool = False) -> PackedDecoder:
    """The same network, its weights and modules, with the forward of this module."""
    network.__class__ = PackedDecoder
    decoder = cast(PackedDecoder, network)
    decoder.recompute = recompute
    decoder.lm_head.__class__ = PackedHead
    for module in decoder.modules():
        if type(module) is LlamaDecoderLayer:
            module.__class__ = PackedLayer
        elif type(module) is LlamaRMSNorm:
            module.__class__ = PackedNorm
    return decoder
