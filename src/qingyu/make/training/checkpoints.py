"""Checkpoints: whole or not there, checksummed, the last few and the best kept.

    store = Checkpoints(Path("run/checkpoints"), CheckpointConfig())
    store.write(step, weights, state, held_out_loss=2.3)
    store.newest()                       # the newest that is whole
    store.load(folder, weights)          # verified before anything of it is used

    step-00000100/model.safetensors      float32 master weights (adapter_model for LoRA)
                 optimizer.safetensors   exp_avg.NAME, exp_avg_sq.NAME
                 state.json              step, place in the data, random numbers, digests
    last, best                           names of folders

A folder is filled under another name and renamed, so what has its name is whole.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qingyu.errors import QingyuError, TrainingError
from qingyu.make.training.checks import at_least
from qingyu.make.training.masters import MOMENTS, Weights
from qingyu.make.training.processes import ALONE, Processes
from qingyu.make.training.tensor_file import file_size, write_tensors
from qingyu.make.whole_files import new_folder
from qingyu.models.hashes import hash_file, read_json, write_atomically
from qingyu.text import pick

if TYPE_CHECKING:
    from torch import Tensor


def best_checkpoint(run: Path, file: str) -> Path:
    """A file of a run's best checkpoint. Raises TrainingError when there is none."""
    checkpoints = run / "checkpoints"
    try:
        name = (checkpoints / "best").read_text(encoding="utf-8").strip()
        found = checkpoints / Path(name).name / file
        found.stat()
    except OSError as error:
        raise TrainingError(
            pick(
                f"{run} has no checkpoint to start from: {error.filename} is missing",
                f"{run} 没有可用的检查点：缺少 {error.filename}",
            )
        ) from error
    return found


class _Turns:
    """Everything a checkpoint holds, read in the same order by all processes."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self._left = iter(
            [(kind, name) for kind in ("weight", *MOMENTS) for name in weights.shapes()]
        )

    def next(self) -> Tensor:
        return self.weights.read(*next(self._left))

    def finish(self) -> None:
        for kind, name in self._left:
            self.weights.read(kind, name)


STATE = "state.json"
OPTIMIZER_FILE = "optimizer.safetensors"
_NAME = re.compile(r"step-(\d{8})")
# Beside the weights: the state, and what the file system takes.
_SPARE_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
    """every: steps between checkpoints; 0: at the end only. keep: the last so many, and the best
    beside them."""

    every: int = 100
    keep: int = 2

    def __post_init__(self) -> None:
        at_least("checkpoints.every", self.every, 0)
        at_least("checkpoints.keep", self.keep, 1)


@dataclass(frozen=True, kw_only=True)
class Naming:
    """What the model's files are called. of: a weight's name in them; texts: files beside."""

    model_file: str = "model.safetensors"
    of: Callable[[str], str] = str
    texts: Mapping[str, str] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints of a run. The first process writes; the others take part in reading the
    weights, which lie in all of them."""

    def __init__(
        self,
        folder: Path,
        config: CheckpointConfig,
        naming: Naming | None = None,
        processes: Processes = ALONE,
    ) -> None:
        self.folder = folder
        self.config = config
        self.naming = naming or Naming()
        self.processes = processes

    def found(self) -> dict[int, Path]:
        """Step to folder, oldest first."""
        if not self.folder.is_dir():
            return {}
        named = {
            int(match[1]): path
            for path in self.folder.iterdir()
            if (match := _NAME.fullmatch(path.name)) and path.is_dir()
        }
        return dict(sorted(named.items()))

    def clean(self) -> None:
        """Remove what a killed process began."""
        if self.folder.is_dir():
            for path in self.folder.glob(".step-*"):
                shutil.rmtree(path, ignore_errors=True)

    def needed_bytes(self, weights: Weights) -> int:
        """Of one checkpoint."""
        return (1 + len(MOMENTS)) * file_size(weights.shapes()) + _SPARE_BYTES

    def write(self, weights: Weights, state: Mapping[str, Any], held_out: float | None) -> Path:
        """All processes call it. Raises DiskSpaceError, InvalidRequestError or TrainingError;
        then nothing of it is there, and everything earlier is."""
        target = self.folder / f"step-{int(state['step']):08}"
        turns = _Turns(weights)
        failure: QingyuError | None = None
        if self.processes.leads:
            try:
                self._write(target, turns, {**state, "held_out_loss": held_out})
            except QingyuError as error:
                failure = error
        # Whatever happened to the first process, the others must not wait for it for ever.
        turns.finish()
        if failure is not None:
            self.processes.agree(False)
            raise type(failure)(
                pick(
                    f"{failure}. Earlier checkpoints are intact; go on with --resume",
                    f"{failure}。先前的检查点完好；之后可用 --resume 继续",
                )
            ) from failure
        if not self.processes.agree(True):
            raise TrainingError(
                pick(
                    "the first process could not write the checkpoint",
                    "首个进程未能写入检查点",
                )
            )
        return target

    def _write(self, target: Path, turns: _Turns, state: dict[str, Any]) -> None:
        if target.exists():
            # A process was killed after the rename: the same step, with the same bytes.
            shutil.rmtree(target)
        try:
            with new_folder(target, size=self.needed_bytes(turns.weights)) as folder:
                state["sha256"] = self._write_tensors(folder, turns)
                for name, content in self.naming.texts.items():
                    (folder / name).write_text(content, encoding="utf-8")
                (folder / STATE).write_text(json.dumps(state) + "\n", encoding="utf-8")
            write_atomically(self.folder / "last", target.name + "\n")
            best = self._best() or target
            write_atomically(self.folder / "best", best.name + "\n")
        except OSError as error:
            raise TrainingError(
                pick(
                    f"cannot write {self.folder}: {error.strerror}",
                    f"无法写入 {self.folder}：{error.strerror}",
                )
            ) from error
        self._prune(best)

    def _write_tensors(self, folder: Path, turns: _Turns) -> dict[str, str]:
        """Digests by file name."""
        shapes = turns.weights.shapes()
        of = self.naming.of
        model = {of(name): shape for name, shape in shapes.items()}
        moments = {f"{kind}.{name}": shape for kind in MOMENTS for name, shape in shapes.items()}
        return {
            file: write_tensors(folder / file, named, read=lambda _: turns.next())
            for file, named in ((self.naming.model_file, model), (OPTIMIZER_FILE, moments))
        }

    def _best(self) -> Path | None:
        """The checkpoint with the lowest held-out loss."""
        losses = {}
        for path in self.found().values():
            state = read_json(path / STATE)
            loss = state.get("held_out_loss") if isinstance(state, dict) else None
            if isinstance(loss, float):
                losses[path] = loss
        return min(losses, key=lambda path: losses[path]) if losses else None

    def _prune(self, best: Path) -> None:
        for path in list(self.found().values())[: -self.config.keep]:
            if path != best:
                shutil.rmtree(path, ignore_errors=True)

    def newest(self, complain: Callable[[str], None]) -> tuple[Path, dict[str, Any]] | None:
        """The newest whose files have the recorded digests, and its state. A damaged one is
        passed over, and `complain` is told."""
        for path in reversed(self.found().values()):
            state = read_json(path / STATE)
            wrong = self._damage(path, state)
            if wrong is None:
                return path, state
            complain(
                pick(
                    f"{path} is damaged ({wrong}) and passed over",
                    f"{path} 已损坏（{wrong}），将使用更早的检查点",
                )
            )
        return None

    def _damage(self, path: Path, state: Any) -> str | None:
        if not isinstance(state, dict) or not isinstance(state.get("sha256"), dict):
            return STATE
        for name in (self.naming.model_file, OPTIMIZER_FILE):
            file = path / name
            if not file.is_file() or hash_file(file)[0] != state["sha256"].get(name):
                return name
        return None

    def load(self, path: Path, weights: Weights, steps: int) -> None:
        """Put a checkpoint that `newest` gave into the weights. Raises TrainingError when it
        is of another model."""
        from safetensors import safe_open

        shapes = weights.shapes()
        with (
            safe_open(path / self.naming.model_file, "pt") as model,
            safe_open(path / OPTIMIZER_FILE, "pt") as optimizer,
        ):
            there = set(model.keys())
            for name, shape in shapes.items():
                file_name = self.naming.of(name)
                found = (
                    tuple(model.get_slice(file_name).get_shape()) if file_name in there else None
                )
                if found != shape:
                    raise TrainingError(
                        pick(
                            f"{path} is of another model: it has no {file_name} of shape {shape}",
                            f"{path} 属于另一个模型：其中没有形状为 {shape} 的 {file_name}",
                        )
                    )
                weights.write("weight", name, model.get_tensor(file_name))
                for kind in MOMENTS:
                    weights.write(kind, name, optimizer.get_tensor(f"{kind}.{name}"))
        weights.finish_writing(steps)
