"""recipes/smoke: both paths to a model, from files to answers, by the commands a person types."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.cli.scripted import Run

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "smoke"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the recipe, and in it."""
    copy = tmp_path / "smoke"
    shutil.copytree(RECIPE, copy, ignore=shutil.ignore_patterns("tokenizer", "runs", "*.gguf"))
    monkeypatch.chdir(copy)
    return copy


def test_from_files_to_answers(cli: Run, folder: Path) -> None:
    def run(*words: str, stdin: str = "") -> str:
        outcome = cli(*words, stdin=stdin)
        assert outcome.code == 0, outcome.err
        return outcome.out

    run("data", "tokenizer", "data.toml", "--vocab-size", "768", "--compare", "none")
    assert "24 / 24 documents kept" in run("data", "build", "data.toml", "--out", "tales")
    record = json.loads(run("train", "train.toml", "--json"))
    assert record["loss"] < 0.3
    run("export", "runs/tales", "tales.gguf", "--type", "q8_0", "--checkpoint", "last")
    generate = ("generate", "--model", "tales.gguf", "--temperature", "0", "-n", "40")
    assert "burns all night. When the wind" in run(*generate, "The lamp by the window")
    assert "总是慢五分钟" in run(*generate, "从前有一只钟")

    run("data", "build", "chats.toml", "--out", "colours")
    assert right_answers(run, "tales.gguf") == 0
    run("train", "tune.toml")
    run("export", "runs/colours", "colours.gguf", "--type", "q8_0")
    assert right_answers(run, "colours.gguf") >= 6
    settings = json.loads((folder / "runs" / "colours" / "config.json").read_text())
    assert settings["lora"]["rank"] == 16
    assert settings["base"] == "tales.gguf"


def right_answers(run: Callable[..., str], model: str) -> int:
    """Of eight questions, each in a conversation of its own."""
    lines = (RECIPE / "chats.jsonl").read_text(encoding="utf-8").splitlines()
    right = 0
    for line in lines[::4]:
        question, answer = (one["content"] for one in json.loads(line)["messages"])
        said = run(
            "chat", "--model", model, "--temperature", "0", "-n", "20", stdin=question + "\n"
        )
        right += answer in said
    return right
