"""The family: Llama-shaped decoders from one million parameters to 6.4 billion.

    config = FAMILY["15m"]()
    config.num_parameters, network = build(config)

RMSNorm, rotary positions, grouped-query attention, SwiGLU, the embedding used again as the head
(Touvron et al. 2023, arXiv:2302.13971; Ainslie et al. 2023, arXiv:2305.13245). A recipe takes one
of these functions and replaces what it wants to differ: `replace(decoder_15m(), vocab_size=8192)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qingyu.errors import InvalidRequestError
from qingyu.text import pick

if TYPE_CHECKING:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """Sizes of one decoder. Raises InvalidRequestError for sizes that do not fit each other."""

    vocab_size: int
    embedding_size: int
    feed_forward_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    context_length: int
    rope_base: float = 10_000.0
    norm_epsilon: float = 1e-5

    def __post_init__(self) -> None:
        for name in (
            "vocab_size", "embedding_size", "feed_forward_size", "num_layers", "num_heads",
            "num_kv_heads", "context_length",
        ):  # fmt: skip
            if getattr(self, name) < 1:
                raise _unfit(name, f"{name} = {getattr(self, name)}")
        if self.embedding_size % (2 * self.num_heads):
            raise _unfit(
                "embedding_size",
                f"embedding_size {self.embedding_size} / num_heads {self.num_heads}",
            )
        if self.num_heads % self.num_kv_heads:
            raise _unfit(
                "num_kv_heads", f"num_heads {self.num_heads} / num_kv_heads {self.num_kv_heads}"
            )

    @property
    def head_size(self) -> int:
        return self.embedding_size // self.num_heads

    @property
    def num_parameters(self) -> int:
        """Weights, the embedding counted once."""
        size, kv_size = self.embedding_size, self.num_kv_heads * self.head_size
        attention = 2 * size * size + 2 * size * kv_size
        layer = attention + 3 * size * self.feed_forward_size + 2 * size
        return self.vocab_size * size + self.num_layers * layer + size


def decoder_1m() -> DecoderConfig:
    """1.1 million: for tests of a whole path in seconds."""
    return DecoderConfig(
        vocab_size=2048, embedding_size=128, feed_forward_size=384, num_layers=4, num_heads=4,
        num_kv_heads=2, context_length=512,
    )  # fmt: skip


def decoder_15m() -> DecoderConfig:
    """15 million: learns to talk on a laptop within the hour."""
    return DecoderConfig(
        vocab_size=12288, embedding_size=384, feed_forward_size=1152, num_layers=6, num_heads=6,
        num_kv_heads=2, context_length=1024,
    )  # fmt: skip


def decoder_135m() -> DecoderConfig:
    """135 million: the default model's sizes (SmolLM2-135M)."""
    return DecoderConfig(
        vocab_size=49152, embedding_size=576, feed_forward_size=1536, num_layers=30, num_heads=9,
        num_kv_heads=3, context_length=8192, rope_base=100_000.0,
    )  # fmt: skip


def decoder_0_3b() -> DecoderConfig:
    """303 million."""
    return DecoderConfig(
        vocab_size=49152, embedding_size=960, feed_forward_size=2560, num_layers=26, num_heads=15,
        num_kv_heads=5, context_length=8192, rope_base=100_000.0,
    )  # fmt: skip


def decoder_1_3b() -> DecoderConfig:
    """1.3 billion."""
    return DecoderConfig(
        vocab_size=65536, embedding_size=2048, feed_forward_size=5632, num_layers=26, num_heads=16,
        num_kv_heads=4, context_length=8192, rope_base=500_000.0,
    )  # fmt: skip


def decoder_6b() -> DecoderConfig:
    """6.4 billion, the size of MiLM-6B."""
    return DecoderConfig(
        vocab_size=65536, embedding_size=4096, feed_forward_size=12288, num_layers=32,
        num_heads=32, num_kv_heads=8, context_length=8192, rope_base=500_000.0,
    )  # fmt: skip


FAMILY: dict[str, Callable[[], DecoderConfig]] = {
    "1m": decoder_1m,
    "15m": decoder_15m,
    "135m": decoder_135m,
    "0.3b": decoder_0_3b,
    "1.3b": decoder_1_3b,
    "6b": decoder_6b,
}


def find(name: str) -> DecoderConfig:
    """The config of that name. Raises InvalidRequestError naming the known ones."""
    if name not in FAMILY:
        known = ", ".join(FAMILY)
        raise InvalidRequestError(
            pick(
                f'there is no decoder "{name}"; known are {known}',
                f"没有名为“{name}”的模型结构；已有：{known}",
            ),
            param="model",
        )
    return FAMILY[name]()


def transformers_config(config: DecoderConfig) -> LlamaConfig:
    """The same sizes as transformers names them."""
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.embedding_size,
        intermediate_size=config.feed_forward_size,
        num_hidden_layers=config.num_layers,
        num_attention_heads=config.num_heads,
        num_key_value_heads=config.num_kv_heads,
        head_dim=config.head_size,
        max_position_embeddings=config.context_length,
        rms_norm_eps=config.norm_epsilon,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_base},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
        attention_bias=False,
        mlp_bias=False,
    )


def build(config: DecoderConfig, *, device: str = "cpu", seed: int = 0) -> LlamaForCausalLM:
    """A network with fresh float32 weights, the same for a seed; on "meta" it has none.

    Normal with deviation 0.02, those that write into the residual smaller by the root of twice
    the layers (Radford et al. 2019).
    """
    import torch
    from transformers import LlamaForCausalLM

    with torch.device(device):
        network = LlamaForCausalLM(transformers_config(config))
    if device != "meta":
        _fill(network, config, seed)
    return network


def _fill(network: LlamaForCausalLM, config: DecoderConfig, seed: int) -> None:
    import torch

    generator = torch.Generator().manual_seed(seed)
    small = 0.02 / (2 * config.num_layers) ** 0.5
    with torch.no_grad():
        for name, weight in sorted(network.named_parameters()):
            if weight.ndim == 1:
                weight.fill_(1.0)
            else:
                writes = name.endswith(("o_proj.weight", "down_proj.weight"))
                _draw(weight, small if writes else 0.02, generator)


def _draw(weight: torch.Tensor, deviation: float, generator: torch.Generator) -> None:
    import torch

    drawn = torch.empty(weight.shape, dtype=torch.float32).normal_(generator=generator)
    weight.copy_(drawn * deviation)


def _unfit(name: str, what: str) -> InvalidRequestError:
    return InvalidRequestError(
        pick(f"these sizes do not fit: {what}", f"尺寸不成立：{what}"), param=name
    )
