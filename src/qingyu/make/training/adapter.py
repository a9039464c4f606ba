"""LoRA: a small trained product beside each frozen matrix (Hu et al. 2021, arXiv:2106.09685).

    attach(network, LoraConfig(rank=16), seed=0, base="default")
    naming(LoraConfig(), base="default")        # what its checkpoints are called: as peft does

peft puts its layers into the network; only they are trained, and only they are saved, as
adapter_model.safetensors and adapter_config.json, which peft and `qingyu export` read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qingyu.errors import TrainingError
from qingyu.make.training.checkpoints import best_checkpoint
from qingyu.make.training.checks import at_least, between, one_of, unfit
from qingyu.models.hashes import read_json
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.make.training.network import PackedDecoder

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
ADAPTER_FILE = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
# What peft's own model puts before the network's names, and the adapter's name it leaves out.
_PREFIX, _ADAPTER = "base_model.model.", ".default"


@dataclass(frozen=True, kw_only=True)
class LoraConfig:
    """rank: of the products. alpha: they count alpha / rank. dropout: share of inputs left out
    while training. targets: which matrices of each layer. run: a folder of another run, whose
    best adapter is learned on (same model, rank, alpha, targets); without it one is begun."""

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    targets: tuple[str, ...] = TARGETS
    run: str | None = None

    def __post_init__(self) -> None:
        at_least("lora.rank", self.rank, 1)
        between("lora.dropout", self.dropout, 0.0, 0.99)
        if not self.targets:
            raise unfit("lora.targets", pick("lora.targets is empty", "lora.targets 为空"))
        for one in self.targets:
            one_of("lora.targets", one, TARGETS)


def attach(network: PackedDecoder, config: LoraConfig, *, seed: int, base: str) -> None:
    """Put the adapter's layers in, freeze everything else. The same for a seed. Raises
    TrainingError when the run to go on from has no adapter, InvalidRequestError for another one."""
    import torch
    from peft import inject_adapter_in_model

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inject_adapter_in_model(_peft_config(config, base), network)
    if config.run:
        _learn_on(network, config, base)
    network.train()


def _learn_on(network: PackedDecoder, config: LoraConfig, base: str) -> None:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    assert config.run
    file = best_checkpoint(Path(config.run), ADAPTER_FILE)
    record = read_json(file.with_name(ADAPTER_CONFIG))
    try:
        found = load_file(file)
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            pick(
                f"{file} is no adapter to go on from: {error}",
                f"{file} 中没有可继续的适配器：{error}",
            )
        ) from error
    own = {saved_name(name): one for name, one in network.named_parameters() if "lora_" in name}
    # What it counts, what it stands on, and its sizes: another one of these is another adapter.
    here: dict[str, object] = {"lora.alpha": float(config.alpha), "start": base}
    there: dict[str, object] = {}
    if isinstance(record, dict):
        there["lora.alpha"] = float(record.get("lora_alpha") or 0)
        there["start"] = record.get("base_model_name_or_path")
    here |= {name: tuple(one.shape) for name, one in own.items()}
    there |= {name: tuple(one.shape) for name, one in found.items()}
    wrong = [name for name in (*here, *there) if here.get(name) != there.get(name)]
    if wrong:
        ours, theirs = (of.get(wrong[0], pick("missing", "无")) for of in (here, there))
        raise unfit(
            "lora.run",
            pick(
                f"lora.run: {file} is another adapter: {wrong[0]} is {theirs} there and {ours}"
                " here; give its start, rank, alpha and targets",
                f"lora.run：{file} 是另一种适配器：{wrong[0]} 在其中为 {theirs}，此处为 {ours}；"
                "请使用相同的 start、rank、alpha 与 targets",
            ),
        )
    with torch.no_grad():
        for name, one in own.items():
            one.copy_(found[name])


def _peft_config(config: LoraConfig, base: str) -> Any:
    import peft

    return peft.LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,  # type: ignore[arg-type]
        lora_dropout=config.dropout,
        target_modules=list(config.targets),
        base_model_name_or_path=base,
        task_type="CAUSAL_LM",
    )


def saved_name(name: str) -> str:
    """A weight of the network as peft calls it in a file."""
    return _PREFIX + name.replace(_ADAPTER + ".", ".")


def config_text(config: LoraConfig, base: str) -> str:
    """adapter_config.json."""
    fields = _peft_config(config, base).to_dict()
    return json.dumps(fields, indent=2, sort_keys=True, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else getattr(value, "value", str(value))
