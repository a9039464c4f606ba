"""The folder of a run: its configuration, where it ran, and its metrics.

folder = RunFolder(Path("runs/a"))
folder.begin(config, start, base="default")
folder.record({"step": 1, "loss": 7.6})

config.json           the whole configuration, sizes under "model"
environment.json      versions, processor, the peak as measured
tokenizer.json, tokenizer_config.json
metrics.jsonl         a line for each step and each evaluation
loss.png              the same as a picture
checkpoints/          see checkpoints.py
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from qingyu.errors import TrainingError
from qingyu.make.training.config import TrainingConfig
from qingyu.make.training.recipe import changes, fill
from qingyu.make.training.start import Start
from qingyu.models.hashes import read_json, write_atomically
from qingyu.text import pick

CONFIG, ENVIRONMENT, METRICS = "config.json", "environment.json", "metrics.jsonl"

# What a run may not change when it goes on: its weights, its rows, what it learns. Data may
# move: what is in it is compared when the place in it is taken up again.
_FIXED = (
    "kind", "seed", "precision", "start", "data.sequence_length", "data.tokenizer",
    "data.held_out_share", "lora", "teacher",
)  # fmt: skip


class RunFolder:
    """Reads and writes all but the checkpoints."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def exists(self) -> bool:
        return (self.path / CONFIG).exists()

    def require_new(self) -> None:
        """Raises TrainingError when a run is here."""
        if self.exists:
            raise TrainingError(
                pick(
                    f"{self.path} holds a run; go on with it by --resume, or choose another folder"
                    " by --set run=DIR",
                    f"{self.path} 中已有训练运行；请用 --resume 继续，或用 --set run=DIR"
                    " 换一个文件夹",
                )
            )

    def changed(self, config: TrainingConfig) -> dict[str, tuple[Any, Any]]:
        """What differs from the configuration that is here. Raises TrainingError when that may
        not differ, or nothing is here."""
        record = read_json(self.path / CONFIG)
        if not isinstance(record, dict):
            raise TrainingError(
                pick(
                    f"{self.path} holds no run to go on with ({CONFIG} is missing or damaged);"
                    " begin one without --resume",
                    f"{self.path} 中没有可继续的运行（{CONFIG} 缺失或损坏）；"
                    "请不带 --resume 重新开始",
                )
            )
        names = {one.name for one in fields(TrainingConfig)}
        old = fill(TrainingConfig, {key: record[key] for key in record if key in names})
        found = changes(old, config)
        for key, (before, after) in found.items():
            if key in _FIXED or key.partition(".")[0] in _FIXED:
                raise TrainingError(
                    pick(
                        f"{self.path} was begun with {key} {before}, and now it is {after}; a run"
                        " goes on with the same, so set it back or begin another run",
                        f"{self.path} 开始时 {key} 为 {before}，现在是 {after}；"
                        "继续时须保持不变，请改回或另开新的运行",
                    )
                )
        return found

    def begin(self, config: TrainingConfig, start: Start, environment: Mapping[str, Any]) -> None:
        """Write everything but metrics; also when a run goes on."""
        record = {
            "program": environment["packages"].get("qingyu"),
            "model": asdict(start.decoder),
            "parameters": start.decoder.num_parameters,
            "tokenizer": start.tokenizer.sha256,
            "base": config.start.base,
            **asdict(config),
        }
        self.path.mkdir(parents=True, exist_ok=True)
        start.tokenizer.save(self.path)
        write_atomically(self.path / ENVIRONMENT, _json(environment))
        write_atomically(self.path / CONFIG, _json(record))

    def record(self, line: Mapping[str, Any]) -> None:
        """Add a line of metrics."""
        with (self.path / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def metrics(self) -> list[dict[str, Any]]:
        """All whole lines; a killed process may have left a part of one."""
        try:
            text = (self.path / METRICS).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        found = []
        for line in text.splitlines():
            try:
                one = json.loads(line)
            except ValueError:
                continue
            if isinstance(one, dict) and isinstance(one.get("step"), int):
                found.append(one)
        return found

    def forget_after(self, step: int) -> None:
        """Drop metrics of steps that will be done again."""
        kept = [json.dumps(one) + "\n" for one in self.metrics() if one["step"] <= step]
        write_atomically(self.path / METRICS, "".join(kept))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
