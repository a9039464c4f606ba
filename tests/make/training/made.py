"""A tokenizer, shards and recipes small enough for a run of seconds."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from golden.vocabularies import vocabulary_file
from qingyu.make.shards import ShardWriter
from qingyu.make.text_tokenizer import TextTokenizer, load_tokenizer
from qingyu.make.training.config import TrainingConfig
from qingyu.make.training.recipe import fill

_TEXT = "the cat sat on a mat and saw two dogs run over hills 一 只 猫 坐 在 垫 子 上"
WORDS = _TEXT.split()


def sentences(count: int, seed: int = 0) -> list[str]:
    chooser = random.Random(seed)
    found = []
    for _ in range(count):
        start, step = chooser.randrange(len(WORDS)), chooser.choice((1, 2, 3))
        length = chooser.randrange(3, 40)
        found.append(" ".join(WORDS[(start + step * i) % len(WORDS)] for i in range(length)))
    return found


def made_tokenizer(folder: Path) -> TextTokenizer:
    """Saved as folder/tokenizer.json."""
    path = folder / "vocabulary.gguf"
    path.write_bytes(vocabulary_file("smollm"))
    tokenizer = load_tokenizer(path)
    tokenizer.save(folder)
    return tokenizer


def made_data(folder: Path, *, has_loss: bool = False) -> TextTokenizer:
    """Shards of sentences in folder/train and folder/held_out."""
    tokenizer = made_tokenizer(folder)
    for name, count, seed in (("train", 300, 0), ("held_out", 40, 1)):
        with ShardWriter(folder / name, tokenizer, has_loss=has_loss) as writer:
            for text in sentences(count, seed):
                tokens = tokenizer.encode(text)
                half = len(tokens) // 2
                loss = [0] * half + [1] * (len(tokens) - half)
                writer.add(tokens, loss if has_loss else None)
    return tokenizer


def made_config(folder: Path, **changes: Any) -> TrainingConfig:
    """A run of the 1m model on `made_data`; changes: "data.train" and so on, dots as __."""
    table: dict[str, Any] = {
        "run": str(folder / "run"),
        "steps": 12,
        "start": {"fresh": "1m"},
        "data": {
            "train": str(folder / "train"),
            "held_out": str(folder / "held_out"),
            "tokenizer": str(folder / "tokenizer.json"),
            "sequence_length": 64,
        },
        "batch": {"rows": 4, "rows_at_once": 2},
        "optimizer": {"learning_rate": 2e-3},
        "schedule": {"warmup_steps": 3},
        "evaluation": {"every": 0, "rows": 8},
        "checkpoints": {"every": 5, "keep": 2},
    }
    for key, value in changes.items():
        *parts, last = key.split("__")
        inner = table
        for part in parts:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return fill(TrainingConfig, table)
