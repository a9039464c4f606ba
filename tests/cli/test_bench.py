"""qingyu bench, and the arithmetic of its shares."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qingyu.engine.benchmark import Speed, layer_weights
from qingyu.models import shapes
from tests.cli.scripted import Run

SPEED = Speed(
    prompt=512,
    new=128,
    repeat=3,
    threads=2,
    instruction_set="portable",
    weight_bytes=90_000_000,
    kv_bytes_per_token=0,
    prefill_seconds=0.5,
    decode_seconds=2.0,
    prefill_operations=1e11,
    decode_bytes=1e8,
    bandwidth=1.28e10,
    int8_peak=8e11,
)


def test_shares() -> None:
    assert SPEED.prefill_rate == 1024
    assert SPEED.decode_rate == 64
    assert SPEED.bandwidth_share == 0.5  # 64 x 0.1 GB of 12.8 GB/s
    assert SPEED.peak_share == 0.25  # 1e11 in half a second of 8e11
    assert replace(SPEED, prefill_seconds=1.0).peak_share == 0.125


def test_weights_of_all_layers_are_the_model_without_embedding_and_norms() -> None:
    config = shapes.config("smollm2-135m")
    embedding = config.vocab_size * config.embedding_size
    norms = (2 * config.num_layers + 1) * config.embedding_size
    assert layer_weights(config) == shapes.num_parameters("smollm2-135m") - embedding - norms


def test_a_shape_needs_no_file(cli: Run) -> None:
    arguments = "--shape smollm2-135m --type q8_0 --prompt 8 --new 2 --repeat 1 --threads 1 --json"
    outcome = cli("bench", *arguments.split())
    assert outcome.code == 0, outcome.err
    assert outcome.json["model"] == "smollm2-135m Q8_0"
    assert outcome.json["prompt"] == 8
    assert outcome.json["decode_tokens_per_second"] > 0
    assert 0 < outcome.json["bandwidth_share"] < 2


@pytest.mark.model
def test_a_model(cli: Run, default_model_path: Path) -> None:
    arguments = "--prompt 8 --new 2 --repeat 1 --threads 1"
    outcome = cli("bench", "-m", str(default_model_path), *arguments.split())
    assert outcome.code == 0, outcome.err
    assert "prefill 8" in outcome.out
    assert "of the read bandwidth" in outcome.out


def test_more_tokens_than_the_context_are_refused(cli: Run) -> None:
    outcome = cli("bench", "--shape", "smollm2-135m", "--prompt", "8192", "--threads", "1")
    assert outcome.code == 1
    assert "8192 + 128 tokens are more than the context of 8192" in outcome.err


def test_shapes_are_listed(cli: Run) -> None:
    outcome = cli("bench", "--shape", "list")
    assert [line.split()[0] for line in outcome.out.splitlines()] == shapes.names()


def test_an_unknown_shape_names_those_there_are(cli: Run) -> None:
    outcome = cli("bench", "--shape", "gpt-5")
    assert outcome.code == 1
    assert "milm-6b" in outcome.err
