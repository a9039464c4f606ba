"""What `describe` says of a model, and what it refuses; rotary frequencies against formulas."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gguf_bytes import gguf_bytes
from qingyu.errors import ModelFileError, UnsupportedModelError
from qingyu.models.family import FAMILIES, ModelConfig, describe
from qingyu.models.ggml_types import GGMLType
from qingyu.models.gguf import GGUFFile
from qingyu.models.rope import RopeScaling, rope_frequencies

# A tiny model: embedding 64, 4 heads of 16, 2 key-value heads, feed-forward 96, 10 tokens.
EMBEDDING, HEADS, KV_HEADS, HEAD, FEED_FORWARD, VOCAB, LAYERS = 64, 4, 2, 16, 96, 10, 2

Tensors = dict[str, tuple[int, ...]]
Describe = Callable[..., ModelConfig]


def metadata(arch: str) -> dict[str, Any]:
    return {
        "general.architecture": arch,
        "general.name": "Tiny",
        f"{arch}.block_count": LAYERS,
        f"{arch}.context_length": 4096,
        f"{arch}.embedding_length": EMBEDDING,
        f"{arch}.feed_forward_length": FEED_FORWARD,
        f"{arch}.attention.head_count": HEADS,
        f"{arch}.attention.head_count_kv": KV_HEADS,
        f"{arch}.attention.layer_norm_rms_epsilon": 1e-5,
        f"{arch}.rope.freq_base": 10000.0,
        "tokenizer.ggml.tokens": [f"t{i}" for i in range(VOCAB)],
    }


def tensors(arch: str, *, layers: int = LAYERS) -> Tensors:
    result: Tensors = {"token_embd.weight": (EMBEDDING, VOCAB), "output_norm.weight": (EMBEDDING,)}
    query, key = HEADS * HEAD, KV_HEADS * HEAD
    for layer in range(layers):
        block = {
            "attn_norm.weight": (EMBEDDING,), "attn_q.weight": (EMBEDDING, query),
            "attn_k.weight": (EMBEDDING, key), "attn_v.weight": (EMBEDDING, key),
            "attn_output.weight": (query, EMBEDDING), "ffn_norm.weight": (EMBEDDING,),
            "ffn_gate.weight": (EMBEDDING, FEED_FORWARD),
            "ffn_up.weight": (EMBEDDING, FEED_FORWARD),
            "ffn_down.weight": (FEED_FORWARD, EMBEDDING),
        }  # fmt: skip
        if arch in ("qwen2", "mimo"):
            block |= {"attn_q.bias": (query,), "attn_k.bias": (key,), "attn_v.bias": (key,)}
        if arch == "qwen3":
            block |= {"attn_q_norm.weight": (HEAD,), "attn_k_norm.weight": (HEAD,)}
        result |= {f"blk.{layer}.{name}": shape for name, shape in block.items()}
    return result


@pytest.fixture
def describe_file(tmp_path: Path) -> Describe:
    def describe_file(
        arch: str,
        changes: dict[str, Any] | None = None,
        *,
        shapes: Tensors | None = None,
        types: dict[str, GGMLType] | None = None,
        data: dict[str, bytes] | None = None,
    ) -> ModelConfig:
        """`changes` to the metadata, None to remove a key."""
        meta = metadata(arch) | (changes or {})
        meta = {key: value for key, value in meta.items() if value is not None}
        entries = []
        for name, shape in (tensors(arch) if shapes is None else shapes).items():
            type_ = (types or {}).get(name, GGMLType.F32)
            raw = (data or {}).get(name, bytes(type_.num_bytes(math.prod(shape))))
            entries.append((name, shape, int(type_), raw))
        path = tmp_path / "tiny.gguf"
        path.write_bytes(gguf_bytes(meta, entries))
        with GGUFFile.open(path) as gguf:
            return describe(gguf)

    return describe_file


@pytest.mark.parametrize("arch", FAMILIES)
def test_each_family(arch: str, describe_file: Describe) -> None:
    config = describe_file(arch)
    assert config.family == arch
    assert config.name == "Tiny"
    assert (config.num_layers, config.embedding_size, config.feed_forward_size) == (2, 64, 96)
    assert (config.num_heads, config.num_kv_heads, config.head_size) == (4, 2, 16)
    assert (config.vocab_size, config.context_length) == (10, 4096)
    assert config.norm_epsilon == pytest.approx(1e-5)
    assert config.rope_halves == (arch in ("qwen2", "qwen3", "mimo"))
    assert config.rope_size == 16
    assert np.allclose(config.rope_frequencies, 10000.0 ** (-np.arange(8) / 8))
    assert config.tied
    assert config.notes == ()
    assert config.tensors == list(tensors(arch))


def test_builder_arguments_are_the_native_ones() -> None:
    import ast

    import qingyu

    stub = Path(qingyu.__file__).with_name("_native.pyi").read_text()
    builder = next(
        node
        for node in ast.parse(stub).body
        if isinstance(node, ast.ClassDef) and node.name == "ModelBuilder"
    )
    init = next(n for n in builder.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")
    native = {a.arg for a in init.args.kwonlyargs} - {"instruction_set", "threads"}
    own = {"family", "name", "tied", "tensors", "notes"}
    assert set(ModelConfig.__dataclass_fields__) - own == native


@pytest.mark.model
def test_default_model(default_model_path: Path) -> None:
    with GGUFFile.open(default_model_path) as gguf:
        config = describe(gguf)
    assert (config.family, config.num_layers, config.vocab_size) == ("llama", 30, 49152)
    assert len(config.tensors) == 272
    assert config.rope_frequencies[1] == pytest.approx(100000 ** (-2 / 64))
    arguments = config.builder_arguments()
    assert arguments["rope_halves"] is False
    assert "tensors" not in arguments


def test_separate_output_head(describe_file: Describe) -> None:
    shapes = tensors("llama") | {"output.weight": (EMBEDDING, VOCAB)}
    config = describe_file("llama", shapes=shapes)
    assert not config.tied
    assert "output.weight" in config.tensors


def test_head_size_from_the_file(describe_file: Describe) -> None:
    """Qwen3: heads larger than embedding / heads."""
    shapes = tensors("qwen3")
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        shapes[block + "attn_q.weight"] = (EMBEDDING, HEADS * 32)
        shapes[block + "attn_output.weight"] = (HEADS * 32, EMBEDDING)
        for name in ("attn_k.weight", "attn_v.weight"):
            shapes[block + name] = (EMBEDDING, KV_HEADS * 32)
        for name in ("attn_q_norm.weight", "attn_k_norm.weight"):
            shapes[block + name] = (32,)
    keys = {"qwen3.attention.key_length": 32, "qwen3.attention.value_length": 32}
    config = describe_file("qwen3", keys, shapes=shapes)
    assert config.head_size == config.rope_size == 32
    with pytest.raises(UnsupportedModelError, match="different length"):
        describe_file("qwen3", keys | {"qwen3.attention.value_length": 16}, shapes=shapes)


def test_partial_rotary_and_window(describe_file: Describe) -> None:
    changes = {"llama.rope.dimension_count": 8, "llama.attention.sliding_window": 128}
    config = describe_file("llama", changes)
    assert (config.rope_size, len(config.rope_frequencies)) == (8, 4)
    assert config.sliding_window == 128
    assert describe_file("llama", {"llama.attention.sliding_window": 4096}).sliding_window == 0


def test_key_value_heads_per_layer(describe_file: Describe) -> None:
    config = describe_file("llama", {"llama.attention.head_count_kv": [2, 2]})
    assert config.num_kv_heads == 2
    with pytest.raises(UnsupportedModelError, match="from layer to layer"):
        describe_file("llama", {"llama.attention.head_count_kv": [2, 4]})


def test_no_vocabulary_at_all_is_left_to_the_tokenizer(describe_file: Describe) -> None:
    assert describe_file("llama", {"tokenizer.ggml.tokens": None}).vocab_size == VOCAB


def test_minicpm_scales(describe_file: Describe) -> None:
    config = describe_file(
        "minicpm",
        {"minicpm.embedding_scale": 12.0, "minicpm.residual_scale": 0.25,
         "minicpm.logit_scale": 9.0},
    )  # fmt: skip
    assert (config.embedding_scale, config.residual_scale) == (12.0, 0.25)
    assert config.logit_scale == pytest.approx(1 / 9)  # the file's number divides
    config = describe_file("minicpm")
    assert config.embedding_scale == 12.0
    assert config.residual_scale == pytest.approx(1.4 / math.sqrt(LAYERS))
    assert config.logit_scale == pytest.approx(256 / EMBEDDING)
    assert describe_file("llama", {"llama.embedding_scale": 3.0}).embedding_scale == 1.0


def test_mimo_prediction_layers_are_left_out(describe_file: Describe) -> None:
    shapes = tensors("mimo", layers=LAYERS + 1)
    shapes[f"blk.{LAYERS}.nextn.eh_proj.weight"] = (128, 64)
    changes = {"mimo.block_count": LAYERS + 1, "mimo.nextn_predict_layers": 1}
    config = describe_file("mimo", changes, shapes=shapes)
    assert config.num_layers == LAYERS
    assert not any(name.startswith(f"blk.{LAYERS}.") for name in config.tensors)
    assert "13 tensors" in config.notes[0]
    assert "MTP" in config.notes[0]
    # without the key, only tensors named so are known for what they are
    shapes = tensors("qwen2") | {"mtp.0.proj.weight": (64, 64)}
    assert "1 tensors" in describe_file("qwen2", shapes=shapes).notes[0]


# Rotary scaling.


def test_linear_scaling(describe_file: Describe) -> None:
    plain = np.array(describe_file("llama").rope_frequencies)
    for changes in (
        {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0},
        {"llama.rope.scale_linear": 4.0},
    ):
        config = describe_file("llama", changes)
        assert np.allclose(config.rope_frequencies, plain / 4)
        assert config.rope_scale == 1.0
    none = {"llama.rope.scaling.type": "none", "llama.rope.scaling.factor": 4.0}
    assert np.allclose(describe_file("llama", none).rope_frequencies, plain)
    assert np.allclose(
        describe_file("llama", {"llama.rope.scaling.factor": 0.0}).rope_frequencies, plain
    )


def test_llama3_factors(describe_file: Describe) -> None:
    """Converters write Llama 3's scaling as one divisor per pair."""
    factors = [1.0, 1.0, 1.5, 2.0, 4.0, 8.0, 8.0, 8.0]
    shapes = tensors("llama") | {"rope_freqs.weight": (8,)}
    plain = np.array(describe_file("llama").rope_frequencies)
    data = {"rope_freqs.weight": struct.pack("<8f", *factors)}
    config = describe_file("llama", shapes=shapes, data=data)
    assert np.allclose(config.rope_frequencies, plain / factors)
    assert "rope_freqs.weight" not in config.tensors
    for bad in ([0.0] * 8, [math.nan] * 8, [-1.0] * 8, [math.inf] * 8):
        data = {"rope_freqs.weight": struct.pack("<8f", *bad)}
        with pytest.raises(ModelFileError, match="no rotary factors"):
            describe_file("llama", shapes=shapes, data=data)
    with pytest.raises(ModelFileError, match=r"not F32 \[8\]"):
        describe_file("llama", shapes=tensors("llama") | {"rope_freqs.weight": (7,)})


def yarn(size: int, base: float, factor: float, original: int, fast: float, slow: float) -> Any:
    """YaRN as the paper and transformers write it, for comparison."""
    powers = base ** (np.arange(0, size, 2) / size)

    def dimension(rotations: float) -> float:
        return size * math.log(original / (rotations * 2 * math.pi)) / (2 * math.log(base))

    low, high = max(math.floor(dimension(fast)), 0), min(math.ceil(dimension(slow)), size - 1)
    ramp = np.clip((np.arange(size // 2) - low) / max(high - low, 0.001), 0, 1)
    extrapolated = 1 - ramp
    return (1 / (factor * powers)) * (1 - extrapolated) + (1 / powers) * extrapolated


@pytest.mark.parametrize(("size", "base", "factor", "original"), [
    (128, 1e6, 4.0, 32768), (16, 1e4, 8.0, 512), (64, 5e5, 2.0, 8192),
])  # fmt: skip
def test_yarn(size: int, base: float, factor: float, original: int) -> None:
    scaling = RopeScaling(kind="yarn", factor=factor, original_context=original)
    frequencies, scale = rope_frequencies(size=size, base=base, factors=None, scaling=scaling)
    assert np.allclose(frequencies, yarn(size, base, factor, original, 32.0, 1.0), rtol=1e-12)
    assert scale == pytest.approx(0.1 * math.log(factor) + 1)
    # the fastest pair turns as before, the slowest is interpolated
    assert frequencies[0] == 1.0
    assert frequencies[-1] == pytest.approx(base ** (-(size - 2) / size) / factor)


def test_yarn_keys(describe_file: Describe) -> None:
    changes = {
        "qwen2.rope.scaling.type": "yarn",
        "qwen2.rope.scaling.factor": 4.0,
        "qwen2.rope.scaling.original_context_length": 1024,
        "qwen2.rope.scaling.yarn_beta_fast": 16.0,
        "qwen2.rope.scaling.yarn_beta_slow": 2.0,
        "qwen2.rope.scaling.attn_factor": 0.5,
    }
    config = describe_file("qwen2", changes)
    assert np.allclose(config.rope_frequencies, yarn(16, 1e4, 4.0, 1024, 16.0, 2.0))
    assert config.rope_scale == pytest.approx(0.5 * (0.1 * math.log(4.0) + 1))


def test_longrope_uses_short_factors(describe_file: Describe) -> None:
    shapes = tensors("minicpm") | {
        "rope_factors_short.weight": (8,), "rope_factors_long.weight": (8,),
    }  # fmt: skip
    data = {
        "rope_factors_short.weight": struct.pack("<8f", *[2.0] * 8),
        "rope_factors_long.weight": struct.pack("<8f", *[9.0] * 8),
    }
    changes = {
        "minicpm.rope.scaling.type": "longrope",
        "minicpm.rope.scaling.original_context_length": 1024,
        "minicpm.rope.scaling.attn_factor": 1.25,
    }
    plain = np.array(describe_file("minicpm").rope_frequencies)
    config = describe_file("minicpm", changes, shapes=shapes, data=data)
    assert np.allclose(config.rope_frequencies, plain / 2)
    assert (config.rope_scale, config.context_length) == (1.25, 1024)
    assert "limited to 1024 of 4096" in config.notes[0]
    del shapes["rope_factors_long.weight"]
    with pytest.raises(ModelFileError, match="only one of"):
        describe_file("minicpm", changes, shapes=shapes, data=data)


# What is refused.


@pytest.mark.parametrize("arch", ["gemma3", "mamba", "", "qwen2moe"])
def test_other_architectures(arch: str, describe_file: Describe) -> None:
    with pytest.raises(UnsupportedModelError, match="llama, minicpm, qwen2, qwen3, mimo"):
        describe_file(arch, shapes={})


def test_experts(describe_file: Describe) -> None:
    with pytest.raises(UnsupportedModelError, match="mixture of experts"):
        describe_file("llama", {"llama.expert_count": 8})
    shapes = tensors("llama") | {"blk.0.ffn_gate_exps.weight": (64, 96, 8)}
    with pytest.raises(UnsupportedModelError, match="ffn_gate_exps"):
        describe_file("llama", shapes=shapes)


BAD_KEYS: list[tuple[dict[str, Any], str]] = [
    ({"general.architecture": None}, "general.architecture is missing"),
    ({"general.architecture": 3}, "general.architecture is int"),
    ({"llama.block_count": None}, "llama.block_count is missing"),
    ({"llama.block_count": 0}, "llama.block_count is 0"),
    ({"llama.block_count": 1001}, "from 1 to 1000"),
    ({"llama.block_count": 1.5}, "llama.block_count is 1.5"),
    ({"llama.block_count": True}, "llama.block_count is True"),
    ({"llama.embedding_length": 1 << 21}, "llama.embedding_length is"),
    ({"llama.feed_forward_length": None}, "feed_forward_length is missing"),
    ({"llama.attention.head_count": 6}, "attention.key_length is missing"),
    ({"llama.attention.head_count_kv": 3}, "4 heads cannot share 3"),
    ({"llama.attention.key_length": 1 << 19}, "more than"),
    ({"llama.context_length": 0}, "llama.context_length is 0"),
    ({"llama.attention.layer_norm_rms_epsilon": 0.0}, "epsilon is 0.0"),
    ({"llama.attention.layer_norm_rms_epsilon": math.nan}, "epsilon is nan"),
    ({"llama.rope.freq_base": -1.0}, "freq_base is -1.0"),
    ({"llama.rope.freq_base": math.inf}, "freq_base is inf"),
    ({"llama.rope.freq_base": 0.5}, "rotary base is 0.5"),
    ({"llama.rope.dimension_count": 7}, "7 rotary dimensions are odd"),
    ({"llama.rope.dimension_count": 18}, "from 1 to 16"),
    ({"llama.rope.scaling.type": "dynamic"}, "rotary scaling 'dynamic'"),
    ({"llama.rope.scaling.factor": -2.0}, "factor is -2.0"),
    ({"llama.rope.scaling.yarn_ext_factor": 2.0}, "yarn_ext_factor is 2.0"),
    ({"llama.nextn_predict_layers": 2}, "none is left"),
    ({"tokenizer.ggml.tokens": ["a"]}, "has 1 tokens, token_embd.weight 10 rows"),
    ({"tokenizer.ggml.tokens": 7}, "tokens is int"),
]


@pytest.mark.parametrize(("changes", "message"), BAD_KEYS, ids=[m for _, m in BAD_KEYS])
def test_bad_metadata(changes: dict[str, Any], message: str, describe_file: Describe) -> None:
    with pytest.raises(ModelFileError, match=message):
        describe_file("llama", changes)


@pytest.mark.parametrize("arch", FAMILIES)
def test_every_tensor_is_needed_with_its_shape(arch: str, describe_file: Describe) -> None:
    for name, shape in tensors(arch).items():
        without = tensors(arch)
        del without[name]
        with pytest.raises(ModelFileError, match=f"{name} is missing"):
            describe_file(arch, shapes=without)
        longer = (*shape[:-1], shape[-1] + 32)
        with pytest.raises(ModelFileError, match=f"{name}"):
            describe_file(arch, shapes=tensors(arch) | {name: longer})


def test_a_bias_is_everywhere_or_nowhere(describe_file: Describe) -> None:
    bias: Tensors = {}
    for layer in range(LAYERS):
        bias |= {f"blk.{layer}.attn_q.bias": (64,), f"blk.{layer}.attn_k.bias": (32,)}
        bias |= {f"blk.{layer}.attn_v.bias": (32,)}
    config = describe_file("llama", shapes=tensors("llama") | bias)
    assert set(bias) < set(config.tensors)
    del bias["blk.1.attn_k.bias"]
    with pytest.raises(ModelFileError, match="5 of 6 query, key and value biases"):
        describe_file("llama", shapes=tensors("llama") | bias)


@pytest.mark.parametrize("name", ["blk.0.attn_output.bias", "blk.2.attn_q.weight", "other"])
def test_tensors_nobody_uses(name: str, describe_file: Describe) -> None:
    with pytest.raises(UnsupportedModelError, match=f"{name} is not part of"):
        describe_file("llama", shapes=tensors("llama") | {name: (64,)})


def test_types(describe_file: Describe) -> None:
    name = "blk.0.ffn_up.weight"
    for type_ in (GGMLType.F16, GGMLType.BF16, GGMLType.Q4_0, GGMLType.Q8_0, GGMLType.IQ4_NL):
        describe_file("llama", types={name: type_})
    with pytest.raises(UnsupportedModelError, match="is of type MXFP4; supported are BF16, F16"):
        describe_file("llama", types={name: GGMLType.MXFP4})
    with pytest.raises(UnsupportedModelError, match="is of type Q8_0"):
        describe_file("llama", types={"output_norm.weight": GGMLType.Q8_0})
