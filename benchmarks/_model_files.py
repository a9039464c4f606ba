"""The files benchmarks run on: the default model in other types, and random-weight models.

    path = quantized(default_file, "Q4_K_M", folder, peers_python)
    path = random_weights("6.4b", folder)

Files are made once and kept in the folder, under their final name only when whole. Types come
from llama.cpp's own quantizer (in the peers' interpreter), requantized from the default file
as it is, so speed is that of the type and quality is not.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# llama.cpp's numbers for file types.
FILE_TYPES = {"F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q4_K_M": 15}

QUANTIZE = """
import ctypes, sys
import llama_cpp as L
source, target, file_type = sys.argv[1:4]
settings = L.llama_model_quantize_default_params()
settings.ftype, settings.nthread, settings.allow_requantize = int(file_type), 2, True
sys.exit(L.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(settings)))
"""


@dataclass(frozen=True, kw_only=True)
class RandomShape:
    """A llama-form model with a tied head; every matrix Q4_0."""

    layers: int
    embedding: int
    feed_forward: int
    heads: int
    kv_heads: int
    vocab: int


RANDOM_SHAPES = {
    "1.4b": RandomShape(
        layers=24, embedding=2048, feed_forward=5632, heads=32, kv_heads=32, vocab=64000
    ),
    "6.4b": RandomShape(
        layers=30, embedding=4096, feed_forward=11008, heads=32, kv_heads=32, vocab=64000
    ),
    # Not a row of any table: to try the scripts with.
    "tiny": RandomShape(
        layers=2, embedding=256, feed_forward=512, heads=4, kv_heads=2, vocab=1000
    ),
}  # fmt: skip


def work_folder(given: Path | None) -> Path:
    """Where made files are kept: what was given, else $QINGYU_HOME/bench."""
    if given is None:
        data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
        given = Path(os.environ.get("QINGYU_HOME") or Path(data) / "qingyu") / "bench"
    given.mkdir(parents=True, exist_ok=True)
    return given


def quantized(source: Path, kind: str, folder: Path, peers_python: Path) -> Path:
    """`source` in another type, by llama.cpp. Raises CalledProcessError when it cannot."""
    target = folder / f"{source.stem.rsplit('.', 1)[0]}.{kind}.gguf"
    if not target.exists():
        part = target.with_suffix(".part")
        print(f"making {target.name} ...", file=sys.stderr)
        command = [str(peers_python), "-c", QUANTIZE, str(source), str(part), str(FILE_TYPES[kind])]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        part.rename(target)
    return target


def random_weights(name: str, folder: Path) -> Path:
    """A Q4_0 file of noise in a shape of RANDOM_SHAPES. Needs the `gguf` package."""
    import numpy as np
    from gguf import GGMLQuantizationType, GGUFWriter

    target = folder / f"random-{name}.Q4_0.gguf"
    if target.exists():
        return target
    print(f"making {target.name} ...", file=sys.stderr)
    shape = RANDOM_SHAPES[name]
    d, head_size = shape.embedding, shape.embedding // shape.heads
    part = target.with_suffix(".part")
    writer = GGUFWriter(str(part), "llama")
    writer.add_name(f"random {name}")
    writer.add_block_count(shape.layers)
    writer.add_context_length(4096)
    writer.add_embedding_length(d)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(head_size)
    writer.add_rope_freq_base(10000.0)
    writer.add_file_type(FILE_TYPES["Q4_0"])
    writer.add_vocab_size(shape.vocab)
    _vocabulary(writer, shape.vocab)

    # A megabyte of random blocks, repeated: no engine's speed depends on the bits. Levels of a
    # block spread by 4.6 steps, so this keeps activations as large as they came.
    rng = np.random.default_rng(0)
    tile = rng.integers(0, 256, (1 << 16, 18), dtype=np.uint8)
    step = np.float16(1 / (4.6 * math.sqrt(d)))
    tile[:, :2] = np.array([step]).view(np.uint8)
    largest = max(shape.vocab, shape.feed_forward) * max(d, shape.feed_forward) // 32 * 18
    noise = np.resize(tile.reshape(-1), largest)

    def matrix(tensor: str, rows: int, columns: int) -> None:
        bytes_per_row = columns // 32 * 18
        data = noise[: rows * bytes_per_row].reshape(rows, bytes_per_row)
        writer.add_tensor(tensor, data, raw_dtype=GGMLQuantizationType.Q4_0)

    def ones(tensor: str) -> None:
        writer.add_tensor(tensor, np.ones(d, np.float32))

    matrix("token_embd.weight", shape.vocab, d)
    ones("output_norm.weight")
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        ones(f"{block}attn_norm.weight")
        ones(f"{block}ffn_norm.weight")
        matrix(f"{block}attn_q.weight", d, d)
        matrix(f"{block}attn_k.weight", shape.kv_heads * head_size, d)
        matrix(f"{block}attn_v.weight", shape.kv_heads * head_size, d)
        matrix(f"{block}attn_output.weight", d, d)
        matrix(f"{block}ffn_gate.weight", shape.feed_forward, d)
        matrix(f"{block}ffn_up.weight", shape.feed_forward, d)
        matrix(f"{block}ffn_down.weight", d, shape.feed_forward)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.rename(target)
    return target


def _vocabulary(writer: object, size: int) -> None:
    """Byte-level BPE: three special tokens, 256 bytes, and names no text ever becomes."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    spare = iter(range(0x100, 0x200))
    characters = [chr(b if b in printable else next(spare)) for b in range(256)]
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *characters]
    tokens += [f"filler{i}" for i in range(size - len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * 3 + [1] * (size - 3))
    writer.add_token_merges(["e r"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)


def default_model(given: Path | None) -> Path:
    """The default model's file: what was given, else the one in the store."""
    if given is not None:
        return given
    from qingyu.models.store import locate

    return Path(locate("default"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags every benchmark has."""
    parser.add_argument("--model", type=Path, help="the default model's file (default: the store)")
    parser.add_argument("--work", type=Path, help="folder for made files ($QINGYU_HOME/bench)")
    parser.add_argument(
        "--peers-python",
        type=Path,
        default=ROOT / ".venv-peers" / "bin" / "python",
        help="interpreter with the extra `peers` (default: .venv-peers, made by `make peers`)",
    )
    parser.add_argument("--threads", type=int, default=2, help="threads (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="where to write the figures")
