"""The default model's logits against full precision, with llama.cpp's error as the yardstick.

llama.cpp's figures were recorded by tests/golden/record_llama_logits.py on the same text.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qingyu import _native
from reference.compare import distance, perplexity
from reference.core import build, chunked, run
from reference.forward import ReferenceModel

pytestmark = pytest.mark.model
GOLDEN = Path(__file__).parent.parent / "golden" / "llama_logits.json"


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def reference(default_model_path: Path) -> ReferenceModel:
    return ReferenceModel.open(default_model_path)


@pytest.fixture(scope="module")
def model(reference: ReferenceModel) -> _native.NativeModel:
    return build(reference, threads=2)


@pytest.fixture(scope="module")
def ours(model, golden) -> np.ndarray:
    return run(model, golden["tokens"], threads=2)


def test_recorded_for_this_text(golden) -> None:
    import hashlib

    text = GOLDEN.with_name("parity_text.txt").read_bytes()
    assert golden["text_sha256"] == hashlib.sha256(text).hexdigest()
    assert golden["positions"] == len(golden["tokens"]) >= 500


def test_as_close_to_the_truth_as_llama_cpp(reference, golden, ours) -> None:
    tokens = np.asarray(golden["tokens"])
    truth = reference.logits(tokens)
    error = distance(ours, truth)
    assert error.kl <= 1.2 * golden["llama"]["kl"], error
    assert error.top1 >= golden["llama"]["top1"] - 0.01, error
    assert perplexity(truth, tokens) == pytest.approx(golden["reference_perplexity"], rel=1e-4)
    assert perplexity(ours, tokens) == pytest.approx(golden["reference_perplexity"], rel=0.01)
    assert perplexity(ours, tokens) == pytest.approx(golden["llama_perplexity"], rel=0.01)


def test_the_same_bits_in_pieces(model, golden, ours) -> None:
    context = _native.NativeContext(model, max_tokens=1024, threads=1)
    pieces = chunked(context, golden["tokens"], 130, sequence=context.create())
    assert np.array_equal(pieces, ours)
    sequence = context.create()
    single = chunked(context, golden["tokens"][:48], 1, sequence=sequence)
    assert np.array_equal(single, ours[:48])


def test_rows_are_the_files_own(model, reference) -> None:
    for name in ("token_embd.weight", "blk.0.ffn_down.weight", "blk.29.attn_k.weight"):
        rows = min(200, reference.tensors[name][1][1])
        ours = model.dequantize_rows(name, 0, rows)
        assert np.array_equal(ours, reference.weight(name)[:rows])


def test_weights_take_about_what_the_file_does(model, default_model_path: Path) -> None:
    assert model.weight_bytes <= default_model_path.stat().st_size * 1.15
