"""qingyu train."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from qingyu.cli.main import lock
from tests.cli.scripted import Run
from tests.make.training.made import made_data

RECIPE = """
run = "{folder}/run"
steps = 4
[start]
fresh = "1m"
[data]
train = "{folder}/train"
held_out = "{folder}/held_out"
tokenizer = "{folder}/tokenizer.json"
sequence_length = 32
[batch]
rows = 2
[evaluation]
rows = 2
[checkpoints]
every = 2
"""


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    made_data(tmp_path)
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(folder=tmp_path), encoding="utf-8")
    return path


def test_a_run_and_its_continuation(cli: Run, recipe: Path) -> None:
    run = recipe.parent / "run"
    outcome = cli("train", str(recipe))
    assert outcome.code == 0, outcome.err
    assert "run: 4 / 4, loss " in outcome.err
    assert "tokens/s" in outcome.err
    assert "loss, steps 1 to 4" in outcome.out
    assert "4 steps, 256 tokens, loss " in outcome.out
    assert f"next: qingyu export {run}" in outcome.out
    assert sorted(path.name for path in run.iterdir()) == [
        "checkpoints", "config.json", "environment.json", "loss.png", "metrics.jsonl",
        "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip
    settings = json.loads((run / "config.json").read_text())
    assert settings["model"]["num_layers"] == 4
    assert settings["data"]["sequence_length"] == 32
    environment = json.loads((run / "environment.json").read_text())
    assert environment["peak_operations_per_second"] > 1e9

    outcome = cli("train", str(recipe))
    assert outcome.code == 1
    assert "holds a run; go on with it by --resume" in outcome.err
    outcome = cli("train", str(recipe), "--resume", "--set", "steps=6", "--lang", "zh", "--json")
    assert outcome.code == 0, outcome.err
    assert "从第 4 步继续，共 6 步" in outcome.err
    record = json.loads(outcome.out)
    assert record["steps"] == 6
    assert record["tokens"] == 384
    assert record["checkpoint"].endswith("step-00000006")


def test_what_is_wrong_is_said(cli: Run, recipe: Path) -> None:
    outcome = cli("train", str(recipe), "--set", "batch.row=3")
    assert outcome.code == 1
    assert "unknown key batch.row; did you mean batch.rows?" in outcome.err
    assert cli("train").code == 1
    assert cli("train", str(recipe), "--plan", "6b").code == 1
    assert "no decoder" in cli("train", "--plan", "7b").err


def test_plans(cli: Run) -> None:
    outcome = cli("train", "--plan", "6b", "--gpus", "64", "--gpu-memory", "80", "--tokens", "1e12")
    assert outcome.code == 0, outcome.err
    assert "6b: 6.44B weights, 64 accelerators of 80 GB" in outcome.out
    assert "days for 1e+12 tokens" in outcome.out
    outcome = cli("train", "--plan", "6b", "--gpus", "2", "--gpu-memory", "24")
    assert "It does not fit: 37.9 GB are missing on each" in outcome.out
    assert "8 accelerators of this memory would do" in outcome.out
    outcome = cli("train", "--plan", "6b", "--gpus", "2", "--gpu-memory", "4", "--lang", "zh")
    assert "增加卡数也无济于事" in outcome.out
    record = json.loads(cli("train", "--plan", "1m", "--gpus", "1", "--json").out)
    assert record["fits"] is True
    assert record["memory"]["total"] == pytest.approx(
        sum(value for key, value in record["memory"].items() if key != "total")
    )


@pytest.mark.parametrize("statement", ["import qingyu.cli.main", "import qingyu.cli.train"])
def test_torch_is_loaded_only_to_train(statement: str) -> None:
    code = f"{statement}; import sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_processes_under_torchrun_are_not_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it was sealed")

    monkeypatch.setattr("qingyu.serve.seal.prepare", refuse)
    monkeypatch.setattr("qingyu.serve.seal.inherited.close_sockets", lambda: None)
    monkeypatch.setenv("WORLD_SIZE", "2")
    lock(["train", "recipe.toml"])
    monkeypatch.setenv("WORLD_SIZE", "1")
    with pytest.raises(AssertionError, match="it was sealed"):
        lock(["train", "recipe.toml"])
    assert os.environ["WORLD_SIZE"] == "1"
