"""qingyu inspect and qingyu tokenize: what a file holds, without its weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from qingyu.cli.tokenize import visible
from qingyu.models.summary import summarise
from tests.cli.scripted import Run

pytestmark = pytest.mark.model


def test_page(cli: Run, default_model_path: Path) -> None:
    outcome = cli("inspect", str(default_model_path), "--context", "4096")
    assert outcome.code == 0
    assert "llama, GGUF v3" in outcome.out
    assert "Q4_1 69% (210)" in outcome.out
    assert "30 layers, embedding 576" in outcome.out
    assert "at 4,096 tokens" in outcome.out


def test_json(cli: Run, default_model_path: Path) -> None:
    record = cli("inspect", str(default_model_path), "--context", "100", "--json").json
    assert record["parameters"] == 134_515_008
    assert record["config"]["num_kv_heads"] == 3
    # keys and values, 16 bits, 30 layers, 3 heads of 64
    assert record["memory"]["kv_bytes_per_token"] == 30 * 3 * (2 * 2 * 64 + 8)
    assert record["memory"]["kv_bytes"] == 100 * record["memory"]["kv_bytes_per_token"]
    assert (
        sum(share["bytes"] for share in record["types"].values())
        == record["memory"]["weight_bytes"]
    )
    assert "im_start" in record["template"]


def test_no_weights_are_loaded(default_model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a tensor was read")

    monkeypatch.setattr("qingyu.models.gguf.GGUFFile.data", refuse)
    assert summarise(default_model_path).config.num_layers == 30


def test_a_context_beyond_the_model_s_is_refused(cli: Run, default_model_path: Path) -> None:
    outcome = cli("inspect", str(default_model_path), "--context", "100000")
    assert outcome.code == 1
    assert "100000" in outcome.err
    assert "8192" in outcome.err


def test_the_template_is_shown_when_asked_for(cli: Run, default_model_path: Path) -> None:
    assert "im_start" not in cli("inspect", str(default_model_path)).out
    assert "im_start" in cli("inspect", str(default_model_path), "--show-template").out


def test_tokens(cli: Run, default_model_path: Path) -> None:
    outcome = cli("tokenize", "-m", str(default_model_path), "Hello  world\n")
    assert outcome.out.splitlines()[0].split() == ["0", "19556", "Hello"]
    assert "␣world" in outcome.out
    assert "↵" in outcome.out
    assert "tokens, 13 characters, 13 bytes" in outcome.err


def test_tokens_as_json_from_stdin(cli: Run, default_model_path: Path) -> None:
    model = str(default_model_path)
    record = cli("tokenize", "-m", model, "--json", stdin="Hello<|im_end|>\n").json
    assert record["count"] == len(record["ids"]) == len(record["pieces"]) > 2
    assert "".join(record["pieces"]) == "Hello<|im_end|>"
    special = cli("tokenize", "-m", model, "--json", "--special", "Hello<|im_end|>").json
    assert special["pieces"] == ["Hello", "<|im_end|>"]


def test_an_empty_text_has_no_tokens(cli: Run, default_model_path: Path) -> None:
    outcome = cli("tokenize", "-m", str(default_model_path), "")
    assert (outcome.out, outcome.code) == ("", 0)
    assert "0 tokens" in outcome.err


def test_visible_shows_what_could_not_be_seen() -> None:
    assert visible(" a\n\x1b[31m") == "␣a↵\\x1b[31m"
