"""Which model a GGUF file holds: sizes, rotary frequencies, and the tensors to load.

    with GGUFFile.open("model.gguf") as gguf:
        config = describe(gguf)
        config.family, config.num_layers, config.tensors

Everything the engine relies on is checked here: every tensor that must be there is there, has
the exact shape and a type that can be computed with, and none is left over that would have
changed the result. Loads no weights and knows nothing of tokenizing.

MiMo-7B is Qwen2 in form with extra layers that predict further tokens (MTP); converters name
it "qwen2" or "mimo". The extra layers are not used, and `ModelConfig.notes` says so.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, fields
from typing import Any

from qingyu.errors import ModelFileError, UnsupportedModelError
from qingyu.models.ggml_types import GGMLType
from qingyu.models.gguf import GGUFFile
from qingyu.models.rope import RopeScaling, rope_frequencies
from qingyu.text import pick

MATRIX_TYPES = frozenset(
    {
        *(GGMLType.F32, GGMLType.F16, GGMLType.BF16),
        *(GGMLType.Q4_0, GGMLType.Q4_1, GGMLType.Q5_0, GGMLType.Q5_1, GGMLType.Q8_0),
        *(GGMLType.Q2_K, GGMLType.Q3_K, GGMLType.Q4_K, GGMLType.Q5_K, GGMLType.Q6_K),
        GGMLType.IQ4_NL,
    }
)
VECTOR_TYPES = frozenset({GGMLType.F32, GGMLType.F16, GGMLType.BF16})

MAX_LAYERS = 1000
MAX_VOCABULARY = 1 << 20
MAX_SIZE = 1 << 20  # of an embedding, a feed-forward layer, all heads together
MAX_CONTEXT = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Family:
    """What sets one architecture apart. `rope_halves`: pairs i with i + size/2."""

    rope_halves: bool
    bias: str = "never"  # on query, key and value: "never", "either" (all or none), "always"
    head_norms: bool = False  # on each head of query and key
    scales: bool = False  # MiniCPM's factors on embedding, residuals and logits


FAMILIES: dict[str, Family] = {
    "llama": Family(rope_halves=False, bias="either"),
    "minicpm": Family(rope_halves=False, bias="either", scales=True),
    "qwen2": Family(rope_halves=True, bias="always"),
    "qwen3": Family(rope_halves=True, bias="either", head_norms=True),
    "mimo": Family(rope_halves=True, bias="always"),
}


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A model's sizes and settings, named as `qingyu._native.ModelBuilder` takes them, and
    beside them its family, name, the tensors to load in file order, and notes for people."""

    num_layers: int
    embedding_size: int
    feed_forward_size: int
    num_heads: int
    num_kv_heads: int
    head_size: int
    vocab_size: int
    context_length: int
    norm_epsilon: float
    rope_size: int
    rope_halves: bool
    rope_frequencies: tuple[float, ...]
    rope_scale: float = 1.0
    attention_scale: float = 0.0
    sliding_window: int = 0
    embedding_scale: float = 1.0
    residual_scale: float = 1.0
    logit_scale: float = 1.0
    family: str
    name: str
    tied: bool
    tensors: list[str]
    notes: tuple[str, ...] = field(default=())

    def builder_arguments(self) -> dict[str, Any]:
        """The keyword arguments of `ModelBuilder`, without instruction_set and threads."""
        own = {"family", "name", "tied", "tensors", "notes"}
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in own}


def describe(gguf: GGUFFile) -> ModelConfig:
    """Check that the file is a model of a supported family, and say which.

    Raises UnsupportedModelError for a sound file of another family, with experts, or with
    tensor types or parts Qingyu does not run; ModelFileError when it contradicts itself.
    """
    return _Checker(gguf).describe()


class _Checker:
    def __init__(self, gguf: GGUFFile) -> None:
        self.gguf = gguf
        if gguf.metadata.get("general.type") == "adapter":
            raise self.unsupported(
                "an adapter, not a model; give its base with --model, and this with --adapter",
                "这是适配器，不是模型；请用 --model 给出基础模型，用 --adapter 给出它",
            )
        self.arch = gguf.get("general.architecture", str)
        if self.arch not in FAMILIES:
            raise self.unsupported(
                f"architecture {self.arch!r}; supported are {', '.join(FAMILIES)}",
                f"架构 {self.arch!r}；支持的有 {', '.join(FAMILIES)}",
            )
        self.family = FAMILIES[self.arch]
        self.used: list[str] = []  # tensors for the core
        self.folded: set[str] = set()  # tensors that go into numbers here
        self.notes: list[str] = []

    def unsupported(self, english: str, chinese: str) -> UnsupportedModelError:
        return UnsupportedModelError(
            pick(f"{self.gguf.path.name}: {english}", f"{self.gguf.path.name}：{chinese}")
        )

    def wrong(self, english: str, chinese: str) -> ModelFileError:
        return ModelFileError(
            pick(f"{self.gguf.path.name}: {english}", f"{self.gguf.path.name}：{chinese}")
        )

    # Metadata values, each within bounds.

    def size(self, key: str, most: int, default: int | None = None) -> int:
        full = f"{self.arch}.{key}"
        value: Any = self.gguf.metadata.get(full, default)
        if hasattr(value, "tolist"):  # an array: one value per layer
            values = set(value[: MAX_LAYERS + 1].tolist())
            if len(values) != 1:
                raise self.unsupported(f"{full} differs from layer to layer", f"{full} 各层不同")
            value = values.pop()
        if value is None:
            value = self.gguf.get(full, int)  # says that it is missing
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise self.wrong(
                f"{full} is {value!r}, not a number from 1 to {most}",
                f"{full} 是 {value!r}，应为 1 到 {most} 的整数",
            )
        return value

    def number(self, key: str, default: float | None = None, most: float = 1e30) -> float:
        """A positive finite number."""
        full = f"{self.arch}.{key}"
        value = self.gguf.get(full, float) if default is None else self.gguf.get(
            full, float, default
        )  # fmt: skip
        if not 0.0 < value <= most:
            raise self.wrong(
                f"{full} is {value!r}, not a number above 0 and up to {most:g}",
                f"{full} 是 {value!r}，应大于 0 且不超过 {most:g}",
            )
        return value

    # Tensors.

    def tensor(self, name: str, *shape: int, optional: bool = False) -> bool:
        """Take a tensor of exactly this shape for the core. False: optional and absent."""
        info = self.gguf.tensors.get(name)
        if info is None:
            if optional:
                return False
            raise self.wrong(f"the tensor {name} is missing", f"缺少张量 {name}")
        if info.shape != shape:
            raise self.wrong(
                f"the tensor {name} has shape {list(info.shape)}, not {list(shape)}",
                f"张量 {name} 的形状是 {list(info.shape)}，应为 {list(shape)}",
            )
        types = MATRIX_TYPES if len(shape) > 1 else VECTOR_TYPES
        if info.type not in types:
            listed = ", ".join(sorted(type_.name for type_ in types))
            raise self.unsupported(
                f"the tensor {name} is of type {info.type.name}; supported are {listed}",
                f"张量 {name} 的类型是 {info.type.name}；支持的有 {listed}",
            )
        self.used.append(name)
        return True

    def factors(self, name: str, count: int) -> list[float] | None:
        """A small float32 tensor as numbers, or None when it is not there."""
        info = self.gguf.tensors.get(name)
        if info is None:
            return None
        if info.type is not GGMLType.F32 or info.shape != (count,):
            raise self.wrong(
                f"the tensor {name} is {info.type.name} {list(info.shape)}, not F32 [{count}]",
                f"张量 {name} 是 {info.type.name} {list(info.shape)}，应为 F32 [{count}]",
            )
        with self.gguf.data(name) as view, view.cast("f") as values:
            numbers = [float(value) for value in values]
        if not all(1e-6 < value < 1e6 for value in numbers):
            raise self.wrong(
                f"the tensor {name} holds values that are no rotary factors",
                f"张量 {name} 含有无效的旋转系数",
            )
        self.folded.add(name)
        return numbers

    def describe(self) -> ModelConfig:
        self.refuse_experts()
        num_layers = self.count_layers()
        embedding_size = self.size("embedding_length", MAX_SIZE)
        feed_forward_size = self.size("feed_forward_length", MAX_SIZE)
        num_heads = self.size("attention.head_count", MAX_SIZE)
        num_kv_heads = self.size("attention.head_count_kv", MAX_SIZE, num_heads)
        if num_heads % num_kv_heads:
            raise self.wrong(
                f"{num_heads} heads cannot share {num_kv_heads} key-value heads",
                f"{num_heads} 个头无法均分 {num_kv_heads} 个键值头",
            )
        head_size = self.head_size(embedding_size, num_heads)
        context_length = self.size("context_length", MAX_CONTEXT)
        vocab_size = self.vocab_size()

        tied = not self.tensor("output.weight", embedding_size, vocab_size, optional=True)
        self.tensor("token_embd.weight", embedding_size, vocab_size)
        self.tensor("output_norm.weight", embedding_size)
        for layer in range(num_layers):
            self.take_layer(
                layer, embedding_size, feed_forward_size,
                num_heads * head_size, num_kv_heads * head_size, head_size,
            )  # fmt: skip
        self.check_bias(num_layers)

        rope_size = self.size("rope.dimension_count", head_size, head_size)
        if rope_size % 2:
            raise self.wrong(
                f"{rope_size} rotary dimensions are odd", f"旋转维数 {rope_size} 是奇数"
            )
        frequencies, rope_scale, context_length = self.rope(rope_size, context_length)
        window = self.size("attention.sliding_window", MAX_CONTEXT, context_length)
        scales = self.scales(num_layers, embedding_size) if self.family.scales else (1.0, 1.0, 1.0)
        self.account_for_the_rest(num_layers)
        needed = set(self.used)
        return ModelConfig(
            num_layers=num_layers,
            embedding_size=embedding_size,
            feed_forward_size=feed_forward_size,
            num_heads=num_heads,
            num_kv_heads=num_kv_heads,
            head_size=head_size,
            vocab_size=vocab_size,
            context_length=context_length,
            norm_epsilon=self.number("attention.layer_norm_rms_epsilon", most=1.0),
            rope_size=rope_size,
            rope_halves=self.family.rope_halves,
            rope_frequencies=frequencies,
            rope_scale=rope_scale,
            attention_scale=self.attention_scale(),
            sliding_window=0 if window >= context_length else window,
            embedding_scale=scales[0],
            residual_scale=scales[1],
            logit_scale=scales[2],
            family=self.arch,
            name=self.gguf.get("general.name", str, self.gguf.path.stem),
            tied=tied,
            # the file's own order, so that loading reads it from front to back
            tensors=[name for name in self.gguf.tensors if name in needed],
            notes=tuple(self.notes),
        )

    def refuse_experts(self) -> None:
        experts = self.gguf.get(f"{self.arch}.expert_count", int, 0)
        expert_tensor = next(
            (name for name in self.gguf.tensors if "_exps." in name or "ffn_gate_inp" in name), None
        )
        if experts > 0 or expert_tensor:
            raise self.unsupported(
                f"a mixture of experts ({expert_tensor or experts}); only dense models run",
                f"混合专家模型（{expert_tensor or experts}）；只支持稠密模型",
            )

    def count_layers(self) -> int:
        blocks = self.size("block_count", MAX_LAYERS)
        extra = self.gguf.get(f"{self.arch}.nextn_predict_layers", int, 0)
        if not 0 <= extra < blocks:
            raise self.wrong(
                f"{extra} of {blocks} layers predict further tokens: none is left",
                f"{blocks} 层中有 {extra} 层用于多词元预测，没有剩余",
            )
        return blocks - extra

    def head_size(self, embedding_size: int, num_heads: int) -> int:
        derived = embedding_size // num_heads if embedding_size % num_heads == 0 else None
        size = self.size("attention.key_length", MAX_SIZE, derived)
        if self.size("attention.value_length", MAX_SIZE, size) != size:
            raise self.unsupported("keys and values of different length", "键与值的长度不同")
        if size * num_heads > MAX_SIZE:
            raise self.wrong(
                f"{num_heads} heads of {size} are more than {MAX_SIZE}",
                f"{num_heads} 个大小为 {size} 的头超过 {MAX_SIZE}",
            )
        return size

    def vocab_size(self) -> int:
        info = self.gguf.tensors.get("token_embd.weight")
        if info is None:
            raise self.wrong(
                "the tensor token_embd.weight is missing", "缺少张量 token_embd.weight"
            )
        rows = info.shape[1] if len(info.shape) == 2 else 0
        if not 1 <= rows <= MAX_VOCABULARY:
            raise self.wrong(
                f"token_embd.weight has shape {list(info.shape)}, not one row per token"
                f" (1 to {MAX_VOCABULARY})",
                f"token_embd.weight 的形状是 {list(info.shape)}，"
                f"应为每个词元一行（1 到 {MAX_VOCABULARY}）",
            )
        tokens = self.gguf.get("tokenizer.ggml.tokens", list, None)
        if tokens is not None and len(tokens) != rows:
            raise self.wrong(
                f"the vocabulary has {len(tokens)} tokens, token_embd.weight {rows} rows",
                f"词表有 {len(tokens)} 个词元，而 token_embd.weight 有 {rows} 行",
            )
        return rows

    def take_layer(
        self, layer: int, embedding: int, feed_forward: int, query: int, key: int, head: int
    ) -> None:
        block = f"blk.{layer}."
        self.tensor(block + "attn_norm.weight", embedding)
        self.tensor(block + "attn_q.weight", embedding, query)
        self.tensor(block + "attn_k.weight", embedding, key)
        self.tensor(block + "attn_v.weight", embedding, key)
        self.tensor(block + "attn_output.weight", query, embedding)
        self.tensor(block + "ffn_norm.weight", embedding)
        self.tensor(block + "ffn_gate.weight", embedding, feed_forward)
        self.tensor(block + "ffn_up.weight", embedding, feed_forward)
        self.tensor(block + "ffn_down.weight", feed_forward, embedding)
        if self.family.bias != "never":
            optional = self.family.bias == "either"
            self.tensor(block + "attn_q.bias", query, optional=optional)
            self.tensor(block + "attn_k.bias", key, optional=optional)
            self.tensor(block + "attn_v.bias", key, optional=optional)
        if self.family.head_norms:
            self.tensor(block + "attn_q_norm.weight", head)
            self.tensor(block + "attn_k_norm.weight", head)

    def check_bias(self, num_layers: int) -> None:
        """An optional bias is in every layer or in none: one missing is a damaged file."""
        found = sum(name.endswith(".bias") for name in self.used)
        if found not in (0, 3 * num_layers):
            raise self.wrong(
                f"{found} of {3 * num_layers} query, key and value biases are there",
                f"查询、键、值的偏置应有 {3 * num_layers} 个，只有 {found} 个",
            )

    def rope(self, size: int, context: int) -> tuple[tuple[float, ...], float, int]:
        """Frequencies, their scale, and the context length they are good for."""
        # "linear" with a factor of 1 is what files without any key mean
        kind = self.gguf.get(f"{self.arch}.rope.scaling.type", str, "linear")
        if kind not in ("none", "linear", "yarn", "longrope"):
            raise self.unsupported(
                f"rotary scaling {kind!r}; supported are none, linear, yarn, longrope",
                f"旋转缩放方式 {kind!r}；支持的有 none、linear、yarn、longrope",
            )
        legacy = self.number("rope.scale_linear", 1.0, most=1e6)
        # some converters write 0 for "not scaled"
        written = self.gguf.get(f"{self.arch}.rope.scaling.factor", float, legacy)
        factor = 1.0 if written == 0.0 else self.number("rope.scaling.factor", legacy, most=1e6)
        original = self.size("rope.scaling.original_context_length", MAX_CONTEXT, context)
        factors = self.factors("rope_freqs.weight", size // 2)
        if factors is None:
            long = self.factors("rope_factors_long.weight", size // 2)
            short = self.factors("rope_factors_short.weight", size // 2)
            if (long is None) != (short is None):
                raise self.wrong(
                    "only one of rope_factors_long and rope_factors_short is there",
                    "rope_factors_long 与 rope_factors_short 缺少其一",
                )
            factors = short
            if short is not None and original < context:
                self.notes.append(
                    pick(
                        f"the context is limited to {original} of {context} tokens:"
                        " the long rotary factors are not used",
                        f"上下文限制为 {original}（文件标称 {context}）：不使用长旋转系数",
                    )
                )
                context = original
        scaling = RopeScaling(
            kind=kind,
            factor=factor,
            original_context=original,
            attention_factor=self.number("rope.scaling.attn_factor", 1.0, most=1e3)
            * self.number("rope.scaling.yarn_attn_factor", 1.0, most=1e3),
            extrapolation=self.extrapolation(),
            beta_fast=self.number("rope.scaling.yarn_beta_fast", 32.0, most=1e6),
            beta_slow=self.number("rope.scaling.yarn_beta_slow", 1.0, most=1e6),
        )
        base = self.number("rope.freq_base", 10000.0)
        if base <= 1.0:
            raise self.wrong(f"the rotary base is {base}, not above 1", f"旋转基数 {base} 应大于 1")
        frequencies, scale = rope_frequencies(
            size=size, base=base, factors=factors, scaling=scaling
        )
        return frequencies, scale, context

    def extrapolation(self) -> float:
        value = self.gguf.get(f"{self.arch}.rope.scaling.yarn_ext_factor", float, 1.0)
        if value < 0.0:  # how "by default" is written
            return 1.0
        if not value <= 1.0:
            raise self.wrong(
                f"rope.scaling.yarn_ext_factor is {value}, not 0 to 1",
                f"rope.scaling.yarn_ext_factor 是 {value}，应在 0 到 1 之间",
            )
        return value

    def attention_scale(self) -> float:
        if f"{self.arch}.attention.scale" not in self.gguf.metadata:
            return 0.0
        return self.number("attention.scale", most=1e3)

    def scales(self, num_layers: int, embedding_size: int) -> tuple[float, float, float]:
        """MiniCPM's factors on embedding, residual branches and logits.

        The file's logit_scale divides. The defaults are those of the first MiniCPM models,
        whose files do not carry the keys.
        """
        return (
            self.number("embedding_scale", 12.0, most=1e6),
            self.number("residual_scale", 1.4 / math.sqrt(num_layers), most=1e6),
            1.0 / self.number("logit_scale", embedding_size / 256.0, most=1e6),
        )

    def account_for_the_rest(self, num_layers: int) -> None:
        """A tensor nobody uses means a model other than we think; a few are known."""
        rest = set(self.gguf.tensors) - set(self.used) - self.folded
        ahead = 0
        for name in self.gguf.tensors:
            if name not in rest:
                continue
            block = re.match(r"blk\.(\d{1,6})\.", name)
            if (
                "nextn" in name or "mtp" in name or (block and int(block[1]) >= num_layers)
            ) and self.predicts_ahead(name):
                ahead += 1
            elif "rot_embd" in name or name.startswith("rope_f"):
                continue  # old files carry tables the engine computes
            else:
                raise self.unsupported(
                    f"the tensor {name} is not part of the family {self.arch}",
                    f"张量 {name} 不属于 {self.arch} 系列",
                )
        if ahead:
            self.notes.append(
                pick(
                    f"{ahead} tensors that predict further tokens (MTP) are not used",
                    f"不使用 {ahead} 个多词元预测（MTP）张量",
                )
            )

    def predicts_ahead(self, name: str) -> bool:
        declared = self.gguf.get(f"{self.arch}.nextn_predict_layers", int, 0) > 0
        return declared or "nextn" in name or "mtp" in name
