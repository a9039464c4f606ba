"""Small GGUF files with random weights: one of each family, in any GGML type.

    write("model.gguf", FAMILIES["qwen3"], GGMLQuantizationType.Q4_K)

Two layers, a few hundred wide, with a byte-level vocabulary a tokenizer can load and a chat
template, so that the whole stack runs on them. Weights are scaled so that every layer's
output is about as large as its input and logits spread over a few nats, as in a trained model.
The files are written by the `gguf` package.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter

from reference.blocks import FLOATS, fitting, random_blocks

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True, kw_only=True)
class RandomModel:
    """A family's shape. `vocab` counts 3 special tokens, 256 bytes, and merges for the rest."""

    family: str
    layers: int = 2
    embedding: int = 256
    feed_forward: int = 512
    heads: int = 4
    kv_heads: int = 2
    head_size: int = 64
    vocab: int = 300
    context: int = 1024
    base: float = 10000.0
    pre: str = "smollm"
    tied: bool = True
    bias: bool = False
    qk_norm: bool = False
    scaling: str = "none"
    factor: float = 4.0
    llama3_factors: bool = False
    sliding_window: int = 0
    embedding_scale: float | None = None
    residual_scale: float | None = None
    logit_scale: float | None = None


_LLAMA = RandomModel(family="llama")
_QWEN2 = RandomModel(family="qwen2", bias=True, pre="qwen2", base=1e6)

FAMILIES = {
    "llama": _LLAMA,
    "llama-untied": replace(_LLAMA, tied=False),
    "llama-kv1": replace(_LLAMA, heads=3, kv_heads=1, embedding=192, feed_forward=544),
    "llama-kv-all": replace(_LLAMA, kv_heads=4, vocab=320),
    "llama-head80": replace(_LLAMA, heads=3, kv_heads=3, head_size=80, embedding=256),
    "llama-head96": replace(_LLAMA, heads=6, kv_heads=2, head_size=96, feed_forward=768),
    "llama-head128": replace(_LLAMA, heads=4, kv_heads=1, head_size=128, vocab=263),
    "llama-linear": replace(_LLAMA, scaling="linear"),
    "llama-llama3": replace(_LLAMA, llama3_factors=True, base=500000.0, pre="llama-bpe"),
    "llama-yarn": replace(_LLAMA, scaling="yarn"),
    "llama-window": replace(_LLAMA, sliding_window=20),
    "minicpm": replace(
        _LLAMA,
        family="minicpm",
        embedding_scale=12.0,
        residual_scale=0.5,
        logit_scale=256 / 64,
    ),
    "qwen2": _QWEN2,
    "qwen2-yarn": replace(_QWEN2, scaling="yarn", heads=2, kv_heads=1, head_size=128),
    # MiMo-7B comes as a qwen2 file: biases, an untied head, head size 128.
    "mimo": replace(
        _QWEN2, tied=False, embedding=512, heads=4, kv_heads=1, head_size=128, base=640000.0
    ),
    "qwen3": RandomModel(
        family="qwen3",
        qk_norm=True,
        tied=False,
        heads=4,
        kv_heads=2,
        head_size=128,
        pre="qwen2",
        base=1e6,
    ),
    "qwen3-tied": RandomModel(family="qwen3", qk_norm=True, pre="qwen2", base=1e6),
}


def write(
    path: str | Path, model: RandomModel, kind: GGMLQuantizationType, *, seed: int = 0
) -> Path:
    """One file. Matrices whose rows do not divide into `kind`'s blocks become Q8_0."""
    writer = GGUFWriter(str(path), model.family)
    _metadata(writer, model)
    _vocabulary(writer, model)
    rng = np.random.default_rng(seed)

    def matrix(name: str, rows: int, columns: int, gain: float = 1.0) -> None:
        fit = fitting(kind, columns)
        std = gain / math.sqrt(columns)
        raw = random_blocks(fit, rows=rows, columns=columns, std=std, rng=rng)
        if fit == GGMLQuantizationType.BF16:
            raw = raw.view(np.uint8)
        writer.add_tensor(name, raw, raw_dtype=None if fit in FLOATS[:2] else fit)

    def vector(name: str, size: int, mean: float, std: float) -> None:
        values = mean + std * rng.standard_normal(size)
        writer.add_tensor(name, values.astype(np.float32))

    d, s = model.embedding, model.head_size
    # Embedding rows are the head's rows in tied models: 2.5 spreads logits over a few nats.
    grown = model.embedding_scale or 1.0
    matrix("token_embd.weight", model.vocab, d, 2.5 / grown)
    if not model.tied:
        matrix("output.weight", model.vocab, d, 2.5)
    vector("output_norm.weight", d, grown * (model.logit_scale or 1.0), 0.1)
    for layer in range(model.layers):
        b = f"blk.{layer}."
        vector(f"{b}attn_norm.weight", d, 1.0, 0.1)
        vector(f"{b}ffn_norm.weight", d, 1.0, 0.1)
        sizes = {"q": model.heads * s, "k": model.kv_heads * s, "v": model.kv_heads * s}
        for letter, rows in sizes.items():
            matrix(f"{b}attn_{letter}.weight", rows, d)
            if model.bias:
                vector(f"{b}attn_{letter}.bias", rows, 0.0, 0.3)
        if model.qk_norm:
            vector(f"{b}attn_q_norm.weight", s, 1.0, 0.1)
            vector(f"{b}attn_k_norm.weight", s, 1.0, 0.1)
        matrix(f"{b}attn_output.weight", d, model.heads * s)
        matrix(f"{b}ffn_gate.weight", model.feed_forward, d)
        matrix(f"{b}ffn_up.weight", model.feed_forward, d)
        matrix(f"{b}ffn_down.weight", d, model.feed_forward)
    if model.llama3_factors:
        writer.add_tensor("rope_freqs.weight", llama3_factors(model))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return Path(path)


def llama3_factors(model: RandomModel, *, low: float = 1.0, high: float = 4.0) -> np.ndarray:
    """Divisors float32 [head_size / 2] of Llama 3.1's rule for an original context of 256:
    slow rotations by the factor, fast ones by 1, a ramp between."""
    original = 256
    frequency = model.base ** (-2 * np.arange(model.head_size // 2) / model.head_size)
    turns = original * frequency / (2 * math.pi)
    smooth = np.clip((turns - low) / (high - low), 0, 1)
    return (1 / ((1 - smooth) / model.factor + smooth)).astype(np.float32)


def _metadata(writer: GGUFWriter, model: RandomModel) -> None:
    writer.add_name("random weights")
    writer.add_block_count(model.layers)
    writer.add_context_length(model.context)
    writer.add_embedding_length(model.embedding)
    writer.add_feed_forward_length(model.feed_forward)
    writer.add_head_count(model.heads)
    writer.add_head_count_kv(model.kv_heads)
    writer.add_key_length(model.head_size)
    writer.add_value_length(model.head_size)
    writer.add_layer_norm_rms_eps(1e-6 if model.family.startswith("qwen") else 1e-5)
    writer.add_rope_dimension_count(model.head_size)
    writer.add_rope_freq_base(model.base)
    writer.add_vocab_size(model.vocab)
    if model.scaling != "none":
        writer.add_string(f"{model.family}.rope.scaling.type", model.scaling)
        writer.add_rope_scaling_factor(model.factor)
        writer.add_rope_scaling_orig_ctx_len(256)
    if model.sliding_window:
        writer.add_sliding_window(model.sliding_window)
    if model.embedding_scale:
        writer.add_embedding_scale(model.embedding_scale)
    if model.residual_scale:
        writer.add_residual_scale(model.residual_scale)
    if model.logit_scale:
        writer.add_logit_scale(model.logit_scale)


def _vocabulary(writer: GGUFWriter, model: RandomModel) -> None:
    tokens, merges = vocabulary(model.vocab)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(model.pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)))
    writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def vocabulary(size: int) -> tuple[list[str], list[str]]:
    """Tokens [size] and merges of a byte-level BPE: special tokens, 256 bytes, letter pairs."""
    tokens = [*SPECIAL, *byte_characters()]
    letters = "etaoinshrdlu"
    pairs = [(a, b) for b in letters for a in ("Ġ", *letters)]
    assert 0 <= size - len(tokens) <= len(pairs), size
    pairs = pairs[: size - len(tokens)]
    tokens += [a + b for a, b in pairs]
    return tokens, [f"{a} {b}" for a, b in pairs]


def byte_characters() -> list[str]:
    """The printable character GPT-2's byte-level BPE writes for each byte 0..255."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    characters, spare = [], 0x100
    for byte in range(256):
        if byte in printable:
            characters.append(chr(byte))
        else:
            characters.append(chr(spare))
            spare += 1
    return characters
