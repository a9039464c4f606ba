"""Folders as peft writes them, by hand: adapters of the random-weight models.

write_folder(tmp_path / "peft", values(rank=2), lora_alpha=4)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

FILE = "adapter_model.safetensors"
Values = dict[str, np.ndarray]
PREFIX = "base_model.model.model.layers."


def values(rank: int = 2, layers: int = 2) -> Values:
    """An adapter of query and down for the shapes of the random-weight models."""
    rng = np.random.default_rng(0)

    def floats(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    made: Values = {}
    for layer in range(layers):
        made[f"{PREFIX}{layer}.self_attn.q_proj.lora_A.weight"] = floats(rank, 256)
        made[f"{PREFIX}{layer}.self_attn.q_proj.lora_B.weight"] = floats(256, rank)
        made[f"{PREFIX}{layer}.mlp.down_proj.lora_A.weight"] = floats(rank, 512)
        made[f"{PREFIX}{layer}.mlp.down_proj.lora_B.weight"] = floats(256, rank)
    return made


def write_folder(folder: Path, tensors: Values, **settings: Any) -> Path:
    folder.mkdir(parents=True)
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "bias": "none", **settings}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    save_file(tensors, str(folder / "adapter_model.safetensors"))
    return folder
