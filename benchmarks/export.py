"""Files that `qingyu export` writes, beside those of llama.cpp's quantizer, and in llama.cpp.

    python benchmarks/export.py
    python benchmarks/export.py --sizes 1m 15m 135m 0.3b 1.3b 6b

First the default model, made float32 and shaken a little, in every type by both: RMS error of the
matrices, bytes, seconds on two threads, and mean KL divergence of the logits from the float32
file's on tests/golden/parity_text.txt, computed by this engine with 16-bit activations. Required:
an RMS error of at most 1.02 times llama.cpp's.

Then sizes of the family with random weights: the file is read by llama.cpp, whose tokens must
be the engine's and whose logits near. Weights are drawn as they are written, so that the memory
printed is that of the export alone. Sizes in --hollow are files whose weights are a hole, all zero,
to see at once that llama.cpp finds every tensor it wants in the place it wants.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _model_files import QUANTIZE, ROOT, add_arguments, default_model, work_folder

sys.path.insert(0, str(ROOT / "tests"))

from qingyu import _native
from qingyu.engine.machine import peak_memory
from qingyu.make import gguf_config, gguf_writer
from qingyu.make.any_tokenizer import padded
from qingyu.make.export import export_network
from qingyu.make.family import FAMILY, find
from qingyu.make.from_gguf import read_gguf
from qingyu.make.gguf_writer import TensorPlan
from qingyu.make.network import Network, Weight, gguf_name, weight_shapes
from qingyu.make.quantize import dequantize
from qingyu.make.run_network import network_config
from qingyu.make.tensor_types import choose
from qingyu.make.tokenizer_files import TokenizerParts
from qingyu.models.family import describe
from qingyu.models.ggml_types import GGMLType
from qingyu.models.gguf import GGUFFile
from qingyu.models.tokenizer import Tokenizer
from reference.compare import distance
from reference.core import run as run_core
from reference.random_models import SPECIAL, vocabulary

GOLDEN = ROOT / "tests" / "golden"
# Our name and llama.cpp's number of the same mix.
TYPES = {"q8_0": 7, "q6_k": 18, "q4_k_m": 15, "q4_1": 3, "q4_0": 2}
ERROR_ALLOWED = 1.02
TEXT = "the rest is silence, and then some more words to read"

LLAMA_LOGITS = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from record_llama_logits import llama_logits
tokens, logits = llama_logits(sys.argv[2], sys.argv[3], threads=2)
np.savez(sys.argv[4], tokens=tokens, logits=logits)
"""


LLAMA_LOADS = """
import sys
import llama_cpp as L
import numpy as np
L.llama_backend_init()
model = L.llama_model_load_from_file(sys.argv[1].encode(), L.llama_model_default_params())
assert model
text = sys.argv[2].encode()
tokens = (L.llama_token * 512)()
vocab = L.llama_model_get_vocab(model)
count = L.llama_tokenize(vocab, text, len(text), tokens, 512, False, False)
np.savez(sys.argv[3], tokens=list(tokens[:count]), parameters=L.llama_model_n_params(model))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--sizes", nargs="*", choices=list(FAMILY), default=["1m", "15m", "135m"])
    parser.add_argument("--hollow", nargs="*", choices=list(FAMILY), default=["1.3b", "6b"])
    parser.add_argument("--types", nargs="*", choices=list(TYPES), default=list(TYPES))
    arguments = parser.parse_args()
    if not arguments.peers_python.exists():
        sys.exit("this compares with llama.cpp, which is not here; bring it with: make peers")
    report: dict[str, Any] = {"types": {}, "sizes": {}}
    with tempfile.TemporaryDirectory(dir=work_folder(arguments.work)) as name:
        folder = Path(name)
        if arguments.types:
            report["types"] = compare_types(folder, arguments)
        report["hollow"] = {size: load_hollow(size, folder, arguments) for size in arguments.hollow}
        if arguments.sizes:
            report["sizes"] = {
                size: read_by_llama(size, folder, arguments) for size in arguments.sizes
            }
    target = arguments.json or ROOT / "benchmarks" / "results" / "export.json"
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"written to {target}")
    worst = max((one["error_ratio"] for one in report["types"].values()), default=0.0)
    if worst > ERROR_ALLOWED:
        sys.exit(f"an RMS error {worst:.3f} times llama.cpp's; {ERROR_ALLOWED} is allowed")


def compare_types(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    with GGUFFile.open(default_model(arguments.model)) as gguf:
        network = shaken(read_gguf(gguf))
        full = folder / "full.gguf"
        export_network(network, full, "f32", threads=2)
    text = (GOLDEN / "parity_text.txt").read_text(encoding="utf-8")
    with GGUFFile.open(full) as gguf:
        tokens = Tokenizer.from_gguf(gguf).encode(text, add_bos=False)
    truth = logits(full, tokens)
    print(
        f"{'type':7} {'error':>9} {'llama.cpp':>9} {'x':>6}  {'KL':>9} {'llama.cpp':>9}"
        f"  {'MB':>7} {'llama.cpp':>9}  {'seconds':>7} {'llama.cpp':>9}  same types"
    )
    found = {}
    for kind in arguments.types:
        ours, theirs = folder / f"{kind}.gguf", folder / f"{kind}-llama.gguf"
        started = time.perf_counter()
        with GGUFFile.open(full) as gguf:
            export_network(read_gguf(gguf), ours, kind, threads=2)
        seconds = time.perf_counter() - started
        started = time.perf_counter()
        command = [arguments.peers_python, "-c", QUANTIZE, full, theirs, TYPES[kind]]
        subprocess.run([str(c) for c in command], check=True, capture_output=True)
        llama_seconds = time.perf_counter() - started
        errors = [error(path, full) for path in (ours, theirs)]
        divergences = [distance(logits(path, tokens), truth).kl for path in (ours, theirs)]
        found[kind] = one = {
            "error": errors[0],
            "llama_error": errors[1],
            "error_ratio": errors[0] / errors[1],
            "kl": divergences[0],
            "llama_kl": divergences[1],
            "bytes": ours.stat().st_size,
            "llama_bytes": theirs.stat().st_size,
            "seconds": seconds,
            "llama_seconds": llama_seconds,
            "same_types": same_types(ours, theirs),
        }
        print(
            f"{kind:7} {errors[0]:9.6f} {errors[1]:9.6f} {one['error_ratio']:6.3f}"
            f"  {divergences[0]:9.6f} {divergences[1]:9.6f}"
            f"  {one['bytes'] / 1e6:7.1f} {one['llama_bytes'] / 1e6:9.1f}"
            f"  {seconds:7.1f} {llama_seconds:9.1f}  {one['same_types']}",
            flush=True,
        )
        ours.unlink()
        theirs.unlink()
    full.unlink()
    return found


def shaken(network: Network) -> Network:
    """With noise of 5% in every matrix: the weights of a file that is quantized already lie on
    the grid of its type, which would be found again and make the comparison empty."""

    def noisy(weight: Weight, noise: Callable[[int, int], np.ndarray]) -> Weight:
        def rows(first: int, last: int) -> np.ndarray:
            values = weight.rows(first, last)
            return values + np.float32(0.05) * values.std() * noise(first, last)

        return replace(weight, rows=rows) if len(weight.shape) == 2 else weight

    weights = {}
    for seed, (name, weight) in enumerate(network.weights.items()):
        weights[name] = noisy(weight, drawn(seed, weight.num_columns, deviation=1.0))
    return replace(network, weights=weights)


def error(path: Path, full: Path) -> float:
    """RMS error of the matrices, as a share of their own RMS."""
    wrong = size = 0.0
    with GGUFFile.open(path) as made, GGUFFile.open(full) as true:
        for name, info in made.tensors.items():
            if len(info.shape) == 2:
                values = dequantize(GGMLType.F32, true.data(name)).astype(np.float64)
                wrong += float(np.sum((dequantize(info.type, made.data(name)) - values) ** 2))
                size += float(np.sum(values**2))
    return float((wrong / size) ** 0.5)


def same_types(one: Path, two: Path) -> bool:
    with GGUFFile.open(one) as a, GGUFFile.open(two) as b:
        return {n: i.type for n, i in a.tensors.items()} == {
            n: i.type for n, i in b.tensors.items()
        }


def logits(path: Path, tokens: list[int]) -> np.ndarray:
    """float32 [tokens, vocab] of this engine's core."""
    with GGUFFile.open(path) as gguf:
        config = describe(gguf)
        builder = _native.ModelBuilder(**config.builder_arguments(), threads=2)
        for name in config.tensors:
            info = gguf.tensors[name]
            builder.add(name, info.type, info.shape, np.frombuffer(gguf.data(name), np.uint8))
            gguf.release(name)
    return run_core(builder.build(), tokens, threads=2, activation_bits=16)


def load_hollow(size: str, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Bytes of a file of zeros that llama.cpp has loaded, with its tokens, and the engine too."""
    path = folder / f"{size}-hollow.gguf"
    write_hollow(random_network(size), path, "q4_k_m")
    out = folder / "llama.npz"
    command = [arguments.peers_python, "-c", LLAMA_LOADS, path, TEXT, out]
    subprocess.run([str(c) for c in command], check=True, capture_output=True)
    with np.load(out) as theirs, GGUFFile.open(path) as gguf:
        assert Tokenizer.from_gguf(gguf).encode(TEXT, add_bos=False) == theirs["tokens"].tolist()
        assert int(theirs["parameters"]) == find(size).num_parameters
        assert describe(gguf).num_layers == find(size).num_layers
    num_bytes = path.stat().st_size
    path.unlink()
    print(f"{size:5} q4_k_m  hollow, {num_bytes / 1e6:8.1f} MB: llama.cpp loads it", flush=True)
    return {"type": "q4_k_m", "bytes": num_bytes, "loads": True}


def write_hollow(network: Network, path: Path, kind: str) -> None:
    """The header that an export would write, and a hole where its weights would be."""
    plans = []
    for name, type_ in choose(kind, network.config).types.items():
        shape = {gguf_name(one): w.shape for one, w in network.weights.items()}[name]
        plans.append(TensorPlan(name=name, type=type_, shape=shape[::-1], pieces=list))
    metadata = {
        "general.architecture": network.config.family,
        **gguf_config.to_metadata(network.config)[0],
        **network.tokenizer,
    }
    header = gguf_writer.header(metadata, plans)
    path.write_bytes(header)
    os.truncate(path, len(header) + sum(gguf_writer.padded(plan.num_bytes) for plan in plans))


def drawn(seed: int, columns: int, *, deviation: float = 0.0) -> Callable[[int, int], np.ndarray]:
    """Rows of a random weight, that keeps a vector's size unless told otherwise; the same for
    the same pieces."""
    scale = np.float32(deviation or columns**-0.5)

    def rows(first: int, last: int) -> np.ndarray:
        rng = np.random.default_rng((seed, first))
        return rng.standard_normal((last - first, columns), np.float32) * scale

    return rows


def ones(first: int, last: int, columns: int) -> np.ndarray:
    return np.ones((last - first, columns), np.float32)


def random_network(size: str) -> Network:
    """A network of the family; norms are 1."""
    config = network_config(find(size))
    texts, merges = vocabulary(300)
    parts = TokenizerParts(
        texts=tuple(texts),
        kinds=tuple([3] * len(SPECIAL) + [1] * (len(texts) - len(SPECIAL))),
        merges=tuple(merges), pre="smollm", bos=1, eos=2, add_bos=False, template=None,
    )  # fmt: skip
    weights = {}
    for seed, (name, shape) in enumerate(weight_shapes(config).items()):
        vector = partial(ones, columns=shape[-1])
        rows = vector if len(shape) == 1 else drawn(seed, shape[-1])
        weights[name] = Weight(shape=shape, type=GGMLType.F32, rows=rows)
    tokenizer = padded(parts.gguf_metadata(), config.vocab_size)
    return Network(config=config, weights=weights, tokenizer=tokenizer)


def export_drawn(size: str, path: Path, kind: str) -> tuple[int, int, float, int]:
    """Parameters, bytes, seconds and peak memory; in a process of its own."""
    started = time.perf_counter()
    exported = export_network(random_network(size), path, kind, threads=2)
    seconds = time.perf_counter() - started
    return exported.parameters, exported.num_bytes, seconds, peak_memory()


def read_by_llama(size: str, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    path, kind = folder / f"{size}.gguf", "q4_k_m" if find(size).num_parameters > 1e9 else "f16"
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        parameters, num_bytes, seconds, peak = pool.submit(export_drawn, size, path, kind).result()
    out = folder / "llama.npz"
    command = [arguments.peers_python, "-c", LLAMA_LOGITS, GOLDEN, path, TEXT, out]
    subprocess.run([str(c) for c in command], check=True, capture_output=True)
    with np.load(out) as theirs:
        tokens, llama = theirs["tokens"].tolist(), theirs["logits"]
    with GGUFFile.open(path) as gguf:
        assert Tokenizer.from_gguf(gguf).encode(TEXT, add_bos=False) == tokens
    apart = distance(logits(path, tokens), llama)
    path.unlink()
    found = {
        "type": kind, "parameters": parameters, "bytes": num_bytes,
        "seconds": seconds, "peak_bytes": peak, "kl_from_llama": apart.kl,
        "cosine": apart.cosine, "top1": apart.top1,
    }  # fmt: skip
    print(
        f"{size:5} {kind:7} {parameters / 1e6:8.1f}M {num_bytes / 1e6:8.1f} MB"
        f" in {seconds:6.1f} s, peak memory {peak / 1e6:6.0f} MB; beside llama.cpp:"
        f" KL {apart.kl:.6f}, cosine {apart.cosine:.6f}, top-1 {apart.top1:.3f}",
        flush=True,
    )
    return found


if __name__ == "__main__":
    main()
