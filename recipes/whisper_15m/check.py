"""Perplexity on held-out documents: of torch on the weights, and of the engine on the files.

    python check.py runs/whisper whisper-f16.gguf whisper-q8_0.gguf

The engine's must be within 0.5% of torch's. Ends with 1 when one is not.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM

import qingyu
from qingyu.make.hugging_face_writer import write_folder
from qingyu.make.run_network import read_run
from qingyu.make.shards import Shards
from qingyu.make.training.split import split

LIMIT = 0.005
DOCUMENTS = 150
TOKENS = 512  # of each document, at most


def losses(logits: np.ndarray, tokens: np.ndarray) -> float:
    """Sum of -log p of tokens 1.. under logits [T, V] of tokens 0..T-1."""
    rows = logits[:-1].astype(np.float64)
    top = rows.max(axis=1)
    sums = np.log(np.exp(rows - top[:, None]).sum(axis=1)) + top
    return float((sums - rows[np.arange(len(rows)), tokens[1:]]).sum())


def main() -> None:
    run, *files = sys.argv[1:]
    _, held_out = split(Shards.open(Path("shards")), 0.02)
    documents = []
    for number in range(min(DOCUMENTS, held_out.num_documents)):
        tokens = np.asarray(held_out.document(number)[0][:TOKENS], dtype=np.int64)
        if len(tokens) > 1:
            documents.append(tokens)
    scored = sum(len(one) - 1 for one in documents)
    print(f"{len(documents)} held-out documents, {scored} tokens")

    with tempfile.TemporaryDirectory() as name:
        write_folder(read_run(Path(run), checkpoint="last"), Path(name) / "hf")
        network = AutoModelForCausalLM.from_pretrained(Path(name) / "hf", dtype=torch.float32)
    total = 0.0
    with torch.inference_mode():
        for tokens in documents:
            logits = network(torch.from_numpy(tokens)[None]).logits[0]
            total += losses(logits.numpy(), tokens)
    known = float(np.exp(total / scored))
    print(f"torch, float32: {known:.4f}")

    failed = False
    for file in files:
        with qingyu.load(file) as model:
            total = sum(losses(model.logits(tokens.tolist()), tokens) for tokens in documents)
        found = float(np.exp(total / scored))
        off = found / known - 1
        failed |= abs(off) > LIMIT
        print(f"{file}: {found:.4f} ({off:+.3%})")
    sys.exit(failed)


if __name__ == "__main__":
    main()
