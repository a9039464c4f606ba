"""config.json of a Hugging Face folder, to a NetworkConfig and back.

    config = from_config_json("config.json", json.loads(text))
    text = json.dumps(to_config_json(config, bos=1, eos=[2]))

What the engine computes otherwise than the config says is an UnsupportedModelError that names the
key: another activation, biases, rotary kinds, experts, a window on some layers only. Knows nothing
of weights and tokenizers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qingyu.errors import ModelFileError, UnsupportedModelError
from qingyu.make.network import NetworkConfig, RopeStretch, shortest
from qingyu.models.family import MAX_CONTEXT, MAX_LAYERS, MAX_SIZE, MAX_VOCABULARY
from qingyu.models.ggml_types import GGMLType
from qingyu.text import pick

# model_type -> (family, transformers' class, epsilon and rotary base where the file is silent)
_MODEL_TYPES = {
    "llama": ("llama", "LlamaForCausalLM", 1e-6, 10000.0),
    "mistral": ("llama", "MistralForCausalLM", 1e-6, 10000.0),
    "qwen2": ("qwen2", "Qwen2ForCausalLM", 1e-6, 10000.0),
    "qwen3": ("qwen3", "Qwen3ForCausalLM", 1e-6, 10000.0),
}
_DTYPES = {"float32": GGMLType.F32, "float16": GGMLType.F16, "bfloat16": GGMLType.BF16}
_ROPE_KINDS = ("default", "linear", "yarn", "llama3")
_ROPE_KEYS = frozenset(
    {
        *("rope_type", "type", "rope_theta", "partial_rotary_factor", "factor", "truncate"),
        *("original_max_position_embeddings", "beta_fast", "beta_slow", "low_freq_factor"),
        *("high_freq_factor", "attention_factor", "mscale", "mscale_all_dim"),
    }
)


def from_config_json(name: str, fields: Mapping[str, Any]) -> NetworkConfig:
    """Sizes from a decoded config.json; `name` is the file's, for messages.

    Raises UnsupportedModelError for what the engine does not run, ModelFileError for values that
    cannot be.
    """
    return _Reader(name, fields).config()


class _Reader:
    def __init__(self, name: str, fields: Mapping[str, Any]) -> None:
        self.name = name
        self.fields = fields

    def unsupported(self, english: str, chinese: str) -> UnsupportedModelError:
        return UnsupportedModelError(pick(f"{self.name}: {english}", f"{self.name}：{chinese}"))

    def wrong(self, key: str, value: Any, wanted: str, chinese: str) -> ModelFileError:
        return ModelFileError(
            pick(
                f"{self.name}: {key} is {value!r}, not {wanted}",
                f"{self.name}：{key} 是 {value!r}，应为{chinese}",
            )
        )

    def size(self, key: str, most: int, default: int | None = None) -> int:
        value = self.fields.get(key)
        if value is None and default is not None:
            return default
        if type(value) is not int or not 1 <= value <= most:
            raise self.wrong(key, value, f"a number from 1 to {most}", f" 1 到 {most} 的整数")
        return value

    def number(
        self, key: str, default: float | None, source: Mapping[str, Any] | None = None
    ) -> float:
        value = (self.fields if source is None else source).get(key, default)
        if type(value) not in (int, float) or not 0.0 < value <= 1e30:
            raise self.wrong(key, value, "a positive number", "正数")
        return float(value)

    def config(self) -> NetworkConfig:
        model_type = self.fields.get("model_type")
        if not isinstance(model_type, str) or model_type not in _MODEL_TYPES:
            raise self.unsupported(
                f"model_type {model_type!r}; supported are {', '.join(_MODEL_TYPES)}",
                f"model_type 为 {model_type!r}；支持的有 {'、'.join(_MODEL_TYPES)}",
            )
        family, _, epsilon, base = _MODEL_TYPES[model_type]
        self.refuse_other_computations(family)
        num_heads = self.size("num_attention_heads", MAX_SIZE)
        num_kv_heads = self.size("num_key_value_heads", MAX_SIZE, num_heads)
        size = self.size("hidden_size", MAX_SIZE)
        if num_heads % num_kv_heads:
            raise self.wrong(
                "num_key_value_heads", num_kv_heads, f"a divisor of {num_heads}",
                f" {num_heads} 的约数",
            )  # fmt: skip
        # transformers' Qwen3 has heads of 128 unless told otherwise
        usual = 128 if model_type == "qwen3" else size // num_heads
        head_size = self.size("head_dim", MAX_SIZE, max(1, usual))
        if head_size % 2 or head_size * num_heads > MAX_SIZE:
            raise self.wrong(
                "head_dim", head_size, f"even, and with all heads at most {MAX_SIZE}",
                f"偶数，且所有头合计不超过 {MAX_SIZE}",
            )  # fmt: skip
        context = self.size("max_position_embeddings", MAX_CONTEXT)
        stretch, rope_base = self.rope(context, base)
        return NetworkConfig(
            family=family,
            vocab_size=self.size("vocab_size", MAX_VOCABULARY),
            embedding_size=size,
            feed_forward_size=self.size("intermediate_size", MAX_SIZE),
            num_layers=self.size("num_hidden_layers", MAX_LAYERS),
            num_heads=num_heads,
            num_kv_heads=num_kv_heads,
            head_size=head_size,
            context_length=context,
            norm_epsilon=self.number("rms_norm_eps", epsilon),
            rope_base=rope_base,
            rope_stretch=stretch,
            sliding_window=self.window(model_type, context),
            tied=self.flag("tie_word_embeddings", False),
            dtype=self.dtype(),
        )

    def flag(self, key: str, default: bool) -> bool:
        value = self.fields.get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, value, "true or false", " true 或 false")
        return value

    def dtype(self) -> GGMLType:
        name = self.fields.get("dtype", self.fields.get("torch_dtype")) or "float32"
        return _DTYPES.get(str(name), GGMLType.F32)

    def refuse_other_computations(self, family: str) -> None:
        activation = self.fields.get("hidden_act", "silu")
        if activation not in ("silu", "swish"):
            raise self.unsupported(
                f"hidden_act {activation!r}; supported is silu",
                f"hidden_act 为 {activation!r}；只支持 silu",
            )
        for key in ("attention_bias", "mlp_bias"):
            if self.fields.get(key):
                raise self.unsupported(
                    f"{key}; supported are the query, key and value biases of qwen2",
                    f"{key}；只支持 qwen2 的查询、键、值偏置",
                )
        for key in ("num_experts", "num_local_experts", "n_routed_experts"):
            if self.fields.get(key):
                raise self.unsupported(
                    f"a mixture of experts ({key}); only dense models run",
                    f"混合专家模型（{key}）；只支持稠密模型",
                )
        if self.fields.get("quantization_config") is not None:
            raise self.unsupported(
                "the weights are quantized already (quantization_config); supported are float32,"
                " float16 and bfloat16",
                "权重已经量化（quantization_config）；支持 float32、float16 和 bfloat16",
            )
        self.refuse_partial_rotation(self.fields)

    def refuse_partial_rotation(self, fields: Mapping[str, Any]) -> None:
        if fields.get("partial_rotary_factor") not in (None, 1):
            raise self.unsupported(
                "partial_rotary_factor; supported are rotations of whole heads",
                "partial_rotary_factor；只支持旋转整个头",
            )

    def window(self, model_type: str, context: int) -> int:
        kinds = self.fields.get("layer_types")
        windowed = model_type == "mistral" or self.flag("use_sliding_window", False)
        if not windowed or not self.fields.get("sliding_window"):
            return 0
        window = self.size("sliding_window", MAX_CONTEXT)
        if window >= context:
            return 0
        some = isinstance(kinds, list) and "full_attention" in kinds
        if model_type != "mistral" or some:
            raise self.unsupported(
                "a sliding window on some layers (use_sliding_window); supported is one on all"
                " layers of mistral",
                "部分层使用滑动窗口（use_sliding_window）；只支持 mistral 所有层相同的窗口",
            )
        return window

    def rope(self, context: int, base: float) -> tuple[RopeStretch | None, float]:
        # `rope_parameters` since transformers 5, `rope_theta` and `rope_scaling` before
        given = self.fields.get("rope_parameters") or self.fields.get("rope_scaling") or {}
        if not isinstance(given, dict):
            raise self.wrong("rope_parameters", given, "an object", "对象")
        theta = self.number("rope_theta", self.number("rope_theta", base), given)
        kind = given.get("rope_type", given.get("type", "default"))
        if kind not in _ROPE_KINDS:
            raise self.unsupported(
                f"rope_type {kind!r}; supported are {', '.join(_ROPE_KINDS)}",
                f"rope_type 为 {kind!r}；支持的有 {'、'.join(_ROPE_KINDS)}",
            )
        self.refuse_partial_rotation(given)
        for key in given.keys() - _ROPE_KEYS:
            raise self.unsupported(
                f"rope_parameters.{key[:100]!r}", f"rope_parameters 中的 {key[:100]!r}"
            )
        if kind == "default":
            return None, theta
        for key in ("attention_factor", "mscale", "mscale_all_dim"):
            if given.get(key) is not None:
                raise self.unsupported(
                    f"rope_parameters.{key}; supported is its usual value",
                    f"rope_parameters.{key}；只支持默认值",
                )
        if given.get("truncate", True) is not True:
            raise self.unsupported(
                "rope_parameters.truncate false", "rope_parameters.truncate 为 false"
            )
        original = given.get("original_max_position_embeddings", context)
        if type(original) is not int or not 1 <= original <= MAX_CONTEXT:
            raise self.wrong(
                "original_max_position_embeddings", original, "a number of tokens", "词元数"
            )
        stretch = RopeStretch(
            kind=kind,
            factor=self.number("factor", None, given),
            original_context=0 if kind == "linear" else original,
            beta_fast=self.number("beta_fast", 32.0, given),
            beta_slow=self.number("beta_slow", 1.0, given),
            low_frequency_factor=self.number("low_freq_factor", 1.0, given),
            high_frequency_factor=self.number("high_freq_factor", 4.0, given),
        )
        if stretch.high_frequency_factor <= stretch.low_frequency_factor:
            raise self.wrong(
                "high_freq_factor", stretch.high_frequency_factor, "above low_freq_factor",
                "大于 low_freq_factor 的数",
            )  # fmt: skip
        return stretch, theta


def to_config_json(
    config: NetworkConfig, *, bos: int | None, eos: Sequence[int], dtype: GGMLType
) -> dict[str, Any]:
    """config.json of a network; transformers 4 and 5 both read it.

    Raises UnsupportedModelError for sizes its class refuses.
    """
    model_type = config.family
    if model_type == "llama" and config.embedding_size % config.num_heads:
        raise UnsupportedModelError(
            pick(
                f"an embedding of {config.embedding_size} is no multiple of {config.num_heads}"
                " heads, and Hugging Face's Llama wants that",
                f"嵌入大小 {config.embedding_size} 不是 {config.num_heads} 个头的整数倍，"
                "而 Hugging Face 的 Llama 要求如此",
            )
        )
    if config.sliding_window:
        assert config.family == "llama", config.family
        model_type = "mistral"
    fields: dict[str, Any] = {
        "architectures": [_MODEL_TYPES[model_type][1]],
        "model_type": model_type,
        "vocab_size": config.vocab_size,
        "hidden_size": config.embedding_size,
        "intermediate_size": config.feed_forward_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_kv_heads,
        "head_dim": config.head_size,
        "hidden_act": "silu",
        "max_position_embeddings": config.context_length,
        "rms_norm_eps": shortest(config.norm_epsilon),
        "rope_theta": shortest(config.rope_base),
        "rope_scaling": _rope_scaling(config.rope_stretch),
        "tie_word_embeddings": config.tied,
        "attention_bias": False,
        "mlp_bias": False,
        "use_cache": True,
        "bos_token_id": bos,
        "eos_token_id": _one_or_all(eos),
        "torch_dtype": next(name for name, kind in _DTYPES.items() if kind is dtype),
    }
    # What a class has no key for it would keep all the same, and be unequal to one without.
    if model_type in ("qwen2", "mistral"):
        del fields["attention_bias"]
    if model_type != "llama":
        del fields["mlp_bias"]
    if model_type == "qwen2" and config.head_size * config.num_heads == config.embedding_size:
        del fields["head_dim"]
    if model_type == "mistral":
        fields["sliding_window"] = config.sliding_window
    return fields


def _one_or_all(ids: Sequence[int]) -> int | list[int] | None:
    if not ids:
        return None
    return ids[0] if len(ids) == 1 else list(ids)


def _rope_scaling(stretch: RopeStretch | None) -> dict[str, Any] | None:
    if stretch is None:
        return None
    fields: dict[str, Any] = {"rope_type": stretch.kind, "factor": shortest(stretch.factor)}
    if stretch.kind != "linear":
        fields["original_max_position_embeddings"] = stretch.original_context
    if stretch.kind == "yarn" and stretch.beta_fast != 32.0:
        fields["beta_fast"] = shortest(stretch.beta_fast)
    if stretch.kind == "yarn" and stretch.beta_slow != 1.0:
        fields["beta_slow"] = shortest(stretch.beta_slow)
    if stretch.kind == "llama3":
        fields["low_freq_factor"] = shortest(stretch.low_frequency_factor)
        fields["high_freq_factor"] = shortest(stretch.high_frequency_factor)
    return fields
