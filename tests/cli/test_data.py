"""`qingyu data`: the verbs as a person meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from golden.vocabularies import vocabulary_file
from tests.cli.scripted import Run

STORIES = [
    "村子在山的背面，太阳要到上午十点才照得进来。冬天的时候，大家就搬着凳子追太阳，一天也就过去了。",
    "渡口的老人说，从前这里有一条大河，后来河改了道，只留下一座没有水的桥，和桥上发亮的石头。",
    "The geese come in at dusk, and they come in loud, with a sound like a gate left open.",
]
RECIPE = """
name = "stories"
tokenizer = "m.gguf"
[quality]
min_units = 20
[[source]]
kind = "text"
paths = ["stories.txt"]
separator = "%"
licence = "CC0-1.0"
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "m.gguf").write_bytes(vocabulary_file("qwen2"))
    (tmp_path / "stories.txt").write_text("\n%\n".join([*STORIES, "短。"]), encoding="utf-8")
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    return tmp_path / "recipe.toml"


def test_build_and_inspect(cli: Run, recipe: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    done = cli("data", "build", str(recipe), "--out", out)
    assert done.code == 0, done.err
    assert done.out.startswith("3 / 4 documents kept")
    assert "1  too short" in done.out
    assert "not checked against evaluation questions" in done.out
    shown = cli("data", "inspect", out, "--documents", "3", "--verify")
    assert shown.out.startswith("3 documents, ")
    assert "stories.txt: CC0-1.0" in shown.out
    assert all(story in shown.out for story in STORIES)
    assert json.loads(cli("data", "inspect", out, "--json").out)["num_documents"] == 3
    again = cli("data", "build", str(recipe), "--out", out)
    assert again.code == 1
    assert "finished data set" in again.err


def test_build_in_chinese(cli: Run, recipe: Path, tmp_path: Path, chinese: None) -> None:
    done = cli("data", "build", str(recipe), "--out", str(tmp_path / "out"))
    assert "保留 3 / 4 篇文档" in done.out
    assert "太短" in done.out
    assert "未与评测题目比对" in done.out


def test_build_as_json(cli: Run, recipe: Path, tmp_path: Path) -> None:
    done = cli("data", "build", str(recipe), "--out", str(tmp_path / "out"), "--json")
    record = json.loads(done.out)
    assert (record["kept"], record["dropped"]) == (3, {"too_short": 1})


def test_tokenizer(cli: Run, recipe: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "t")
    other = str(tmp_path / "m.gguf")
    size = ("--vocab-size", "300", "--out", out)
    done = cli("data", "tokenizer", str(recipe), *size, "--compare", other)
    assert done.code == 0, done.err
    assert "300 tokens from 3 documents" in done.out
    assert "bytes per token" in done.out
    again = cli("data", "tokenizer", str(recipe), *size, "--compare", "none", "--json")
    assert again.code == 1
    assert "has a tokenizer" in again.err
    none = cli("data", "tokenizer", str(recipe), "--compare", "no-such-model")
    assert none.code == 1


def test_mistakes(cli: Run, recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(RECIPE.replace("licence", "license"))
    done = cli("data", "build", str(recipe), "--out", str(tmp_path / "out"))
    assert done.code == 1
    assert "did you mean licence" in done.err
    missing = cli("data", "inspect", str(tmp_path))
    assert missing.code == 1
    assert "qingyu data build" in missing.err
