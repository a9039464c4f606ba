"""The weights and the tokenizer a run begins with.

    start = open_start(StartConfig(fresh="1m"), tokenizer="tokenizer.json", seed=0)
    start.decoder, start.tokenizer, start.load()

Three kinds: fresh sizes of `qingyu.make.family`, a model that the engine runs (quantized weights
become what they stand for), or the best checkpoint of another run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qingyu.errors import InvalidRequestError, TrainingError, UnsupportedModelError
from qingyu.make import family
from qingyu.make.family import DecoderConfig
from qingyu.make.from_gguf import read_gguf, state_dict
from qingyu.make.network import NetworkConfig
from qingyu.make.text_tokenizer import TextTokenizer, load_tokenizer
from qingyu.make.training.checkpoints import best_checkpoint
from qingyu.make.training.checks import unfit
from qingyu.models.gguf import GGUFFile
from qingyu.models.hashes import read_json
from qingyu.models.store import locate
from qingyu.text import pick

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM


@dataclass(frozen=True, kw_only=True)
class StartConfig:
    """One of: fresh, sizes of the family ("15m"); model, a name or a .gguf file; run, a folder
    of another run."""

    fresh: str | None = None
    model: str | None = None
    run: str | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("fresh", "model", "run") if getattr(self, name)]
        if len(given) != 1:
            found = ", ".join(given) or pick("none", "一个都没有")
            raise unfit(
                "start",
                pick(
                    f"start takes one of fresh, model and run; there is {found}",
                    f"start 需要 fresh、model、run 之一；现在是 {found}",
                ),
            )

    @property
    def base(self) -> str:
        """What is named, for the record."""
        return self.fresh or self.model or self.run or ""


@dataclass(frozen=True, kw_only=True)
class Start:
    """decoder: sizes; load: the network with its float32 weights, each time anew."""

    decoder: DecoderConfig
    tokenizer: TextTokenizer
    load: Callable[[], LlamaForCausalLM]


def open_start(config: StartConfig, *, tokenizer: str | None, seed: int) -> Start:
    """Reads no weights yet. Raises InvalidRequestError, ModelNotFoundError, ModelFileError,
    TrainingError for a run without a checkpoint."""
    if config.fresh:
        return _fresh(config.fresh, tokenizer, seed)
    if config.model:
        return _of_model(config.model, tokenizer)
    assert config.run
    return _of_run(Path(config.run), tokenizer)


def _fresh(name: str, tokenizer: str | None, seed: int) -> Start:
    sizes = family.find(name)
    if tokenizer is None:
        raise unfit(
            "data.tokenizer",
            pick(
                "a fresh model needs data.tokenizer: a tokenizer.json, a model or a .gguf file",
                "全新的模型需要 data.tokenizer：tokenizer.json、模型或 .gguf 文件",
            ),
        )
    found = load_tokenizer(tokenizer)
    decoder = replace(sizes, vocab_size=found.vocab_size)
    return Start(decoder=decoder, tokenizer=found, load=lambda: family.build(decoder, seed=seed))


def _of_model(reference: str, tokenizer: str | None) -> Start:
    path = locate(reference)
    with GGUFFile.open(path) as gguf:
        decoder = _decoder(reference, read_gguf(gguf).config)

    def load() -> LlamaForCausalLM:
        with GGUFFile.open(path) as gguf:
            return filled(decoder, state_dict(read_gguf(gguf)))

    return Start(decoder=decoder, tokenizer=load_tokenizer(tokenizer or path), load=load)


def _decoder(reference: str, sizes: NetworkConfig) -> DecoderConfig:
    """Raises UnsupportedModelError for what training does not compute."""
    wrong = [
        word
        for word, found in (
            (sizes.family, sizes.family != "llama"),
            (pick("a head of its own", "独立的输出头"), not sizes.tied),
            (pick("stretched positions", "拉伸的位置编码"), sizes.rope_stretch is not None),
            (pick("a sliding window", "滑动窗口"), sizes.sliding_window != 0),
            (
                pick("heads of another size", "不同大小的注意力头"),
                sizes.head_size * sizes.num_heads != sizes.embedding_size,
            ),
        )
        if found
    ]
    if wrong:
        raise UnsupportedModelError(
            pick(
                f"{reference} has {', '.join(wrong)}; training takes models of the llama family"
                " with a tied head",
                f"{reference} 含有 {'、'.join(wrong)}；训练只支持共享输出头的 llama 系列模型",
            )
        )
    return DecoderConfig(
        vocab_size=sizes.vocab_size,
        embedding_size=sizes.embedding_size,
        feed_forward_size=sizes.feed_forward_size,
        num_layers=sizes.num_layers,
        num_heads=sizes.num_heads,
        num_kv_heads=sizes.num_kv_heads,
        context_length=sizes.context_length,
        rope_base=sizes.rope_base,
        norm_epsilon=sizes.norm_epsilon,
    )


def filled(decoder: DecoderConfig, weights: dict[str, Any]) -> LlamaForCausalLM:
    """A network with these weights, which it may keep. Raises TrainingError when some do not
    belong to it."""
    network = family.build(decoder, device="meta")
    network.to_empty(device="cpu")
    weights = dict(weights)
    weights.setdefault("lm_head.weight", weights.get("model.embed_tokens.weight"))
    try:
        network.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        raise TrainingError(
            pick(f"the weights do not fit the sizes: {error}", f"权重与尺寸不符：{error}")
        ) from error
    for one in network.parameters():
        one.requires_grad_(True)
    network.tie_weights()
    return network


def _of_run(folder: Path, tokenizer: str | None) -> Start:
    record = read_json(folder / "config.json")
    if not isinstance(record, dict) or not isinstance(record.get("model"), dict):
        raise TrainingError(
            pick(
                f"{folder} is no run: its config.json is missing or damaged",
                f"{folder} 不是训练运行：config.json 缺失或损坏",
            )
        )
    if record.get("lora"):
        raise InvalidRequestError(
            pick(
                f"{folder} holds an adapter; start from the model it stands on (lora.run goes on"
                " with the adapter), or export the two merged and start from that",
                f"{folder} 只含适配器；请从其基础模型开始（lora.run 可继续训练该适配器），"
                "或将两者合并导出后再开始",
            ),
            param="start.run",
        )
    file = best_checkpoint(folder, "model.safetensors")
    decoder = DecoderConfig(**record["model"])

    def load() -> LlamaForCausalLM:
        from safetensors.torch import load_file

        return filled(decoder, load_file(file))

    return Start(decoder=decoder, tokenizer=load_tokenizer(tokenizer or str(folder)), load=load)
