"""Records how far llama.cpp is from the truth on the default model and a fixed text.

    PEERS/bin/python tests/golden/record_llama_logits.py MODEL.gguf

PEERS is a venv with llama-cpp-python 0.3.36, gguf and numpy (the extra `peers`). Writes
llama_logits.json beside this file: the text's tokens, and for llama.cpp's logits of every
position the KL divergence from the numpy forward pass, top-1 agreement and perplexities. The
logits themselves are not kept. Tests require of the engine at most 1.2 times this KL divergence.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from reference.compare import distance, perplexity  # noqa: E402
from reference.forward import ReferenceModel  # noqa: E402

TEXT = HERE / "parity_text.txt"


def llama_logits(path: Path, text: str, *, threads: int) -> tuple[list[int], np.ndarray]:
    """Tokens of the text and llama.cpp's logits float32 [n, vocab] after each, in one batch."""
    import llama_cpp as L

    L.llama_backend_init()
    quiet = L.llama_log_callback(lambda level, message, data: None)
    L.llama_log_set(quiet, ctypes.c_void_p(0))
    model = L.llama_model_load_from_file(str(path).encode(), L.llama_model_default_params())
    assert model, f"llama.cpp cannot load {path}"
    vocab = L.llama_model_get_vocab(model)
    data = text.encode()
    buffer = (L.llama_token * (len(data) + 8))()
    count = L.llama_tokenize(vocab, data, len(data), buffer, len(buffer), False, False)
    assert count > 0, count
    tokens = list(buffer[:count])

    settings = L.llama_context_default_params()
    settings.n_ctx = 2048
    settings.n_batch = 2048
    settings.n_ubatch = 512
    settings.n_threads = settings.n_threads_batch = threads
    context = L.llama_init_from_model(model, settings)
    batch = L.llama_batch_init(count, 0, 1)
    batch.n_tokens = count
    for i, token in enumerate(tokens):
        batch.token[i] = token
        batch.pos[i] = i
        batch.n_seq_id[i] = 1
        batch.seq_id[i][0] = 0
        batch.logits[i] = 1
    assert L.llama_decode(context, batch) == 0
    size = L.llama_vocab_n_tokens(vocab)
    rows = [
        np.ctypeslib.as_array(L.llama_get_logits_ith(context, i), (size,)).copy()
        for i in range(count)
    ]
    L.llama_batch_free(batch)
    L.llama_free(context)
    L.llama_model_free(model)
    return tokens, np.stack(rows)


def measure(path: Path, *, threads: int = 2) -> dict[str, object]:
    """What goes into the JSON, for one model file."""
    text = TEXT.read_text(encoding="utf-8")
    tokens, logits = llama_logits(path, text, threads=threads)
    truth = ReferenceModel.open(path).logits(tokens)
    return {
        "text_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "positions": len(tokens),
        "llama": asdict(distance(logits, truth)),
        "llama_perplexity": perplexity(logits, np.asarray(tokens)),
        "reference_perplexity": perplexity(truth, np.asarray(tokens)),
        "tokens": tokens,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="the default model's GGUF file")
    parser.add_argument("--out", type=Path, default=HERE / "llama_logits.json")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    from importlib.metadata import version

    record = {
        "recorded_with": f"llama-cpp-python {version('llama-cpp-python')}",
        "model": arguments.model.name,
        "model_sha256": hashlib.sha256(arguments.model.read_bytes()).hexdigest(),
        **measure(arguments.model, threads=arguments.threads),
    }
    tokens = record.pop("tokens")
    body = json.dumps(record, indent=2)[:-2]
    arguments.out.write_text(f'{body},\n  "tokens": {json.dumps(tokens)}\n}}\n', encoding="utf-8")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
