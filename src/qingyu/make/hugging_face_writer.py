"""A network as a Hugging Face folder.

    write_folder(network, Path("out"))                       # float weights as they are
    write_folder(network, Path("out"), dtype=GGMLType.BF16)

The folder appears whole or not at all: config.json, generation_config.json, the tokenizer's files,
README.md with the licence, and safetensors of at most 5 GB each, written a piece at a time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from qingyu.errors import InvalidRequestError
from qingyu.make.any_tokenizer import tokenizer_parts, without_padding
from qingyu.make.blocks import Encoder
from qingyu.make.gguf_writer import as_bytes
from qingyu.make.hf_config import to_config_json
from qingyu.make.hugging_face import CONFIG, GENERATION, INDEX, NORMALIZER_KEY, WEIGHTS
from qingyu.make.network import FLOAT_TYPES, Network, Weight
from qingyu.make.quantize import UnfitValueError, dequantize, quantize
from qingyu.make.safetensors_file import header_bytes
from qingyu.make.tokenizer_files import CONFIG_FILE, TOKENIZER_FILE
from qingyu.make.whole_files import new_folder
from qingyu.models.ggml_types import GGMLType
from qingyu.models.hashes import Progress, no_progress
from qingyu.text import pick

_FILE_BYTES = 5_000_000_000


@dataclass(frozen=True, kw_only=True)
class WrittenFolder:
    """What was written: bytes of weights, and the type of the matrices."""

    num_bytes: int
    dtype: GGMLType
    num_files: int


def float_type(name: str) -> GGMLType:
    """The type of that name. Raises InvalidRequestError: folders hold float types."""
    types = {kind.name.lower(): kind for kind in FLOAT_TYPES}
    if name.lower() not in types:
        raise InvalidRequestError(
            pick(
                f"a Hugging Face folder holds {', '.join(types)}, not {name!r}",
                f"Hugging Face 文件夹只能存放 {'、'.join(types)}，不是 {name!r}",
            ),
            param="type",
        )
    return types[name.lower()]


def write_folder(
    network: Network,
    path: Path,
    *,
    dtype: GGMLType | None = None,
    most_bytes: int = _FILE_BYTES,
    threads: int = 1,
    progress: Progress = no_progress,
) -> WrittenFolder:
    """Write the folder. dtype: F32, F16 or BF16 for all matrices; None keeps what they have
    (float32 for a quantized network). A vector that `dtype` would change stays float32.

    Raises InvalidRequestError when `path` exists, DiskSpaceError, ModelFileError for weights that
    are not finite, UnsupportedModelError for a tokenizer that tokenizer.json cannot hold.
    """
    kept = dtype or network.config.dtype
    tokenizer = _TokenizerFiles(network)
    types = {name: _type(weight, kept) for name, weight in network.weights.items()}
    files = _split(network.weights, types, most_bytes)
    total = sum(_size(network.weights[name], kind) for name, kind in types.items())
    encoder = Encoder(threads=threads)
    done = 0
    with new_folder(path, size=total) as folder, encoder:
        for file_name, names in files.items():
            tensors = {name: (types[name], network.weights[name].shape) for name in names}
            with (folder / file_name).open("wb") as file:
                file.write(header_bytes(tensors, {"format": "pt"}))
                for name in names:
                    for piece in encoder.pieces(name, network.weights[name], types[name]):
                        done += file.write(as_bytes(piece))
                        progress("write", done, total)
        if len(files) > 1:
            weight_map = {name: file_name for file_name, names in files.items() for name in names}
            _write_json(
                folder / INDEX, {"metadata": {"total_size": total}, "weight_map": weight_map}
            )
        tokenizer.write(folder)
        fields = to_config_json(network.config, bos=tokenizer.bos, eos=tokenizer.ends, dtype=kept)
        _write_json(folder / CONFIG, fields)
        ends = {key: fields[key] for key in ("bos_token_id", "eos_token_id")}
        _write_json(folder / GENERATION, {k: v for k, v in ends.items() if v is not None})
        (folder / "README.md").write_text(_card(network.about), encoding="utf-8")
    return WrittenFolder(num_bytes=total, dtype=kept, num_files=len(files))


class _TokenizerFiles:
    """The tokenizer of a network, from its GGUF keys."""

    def __init__(self, network: Network) -> None:
        keys = network.tokenizer
        self.parts = tokenizer_parts(without_padding(keys))
        self.bos = self.parts.bos
        others = [keys.get(f"tokenizer.ggml.{name}_token_id") for name in ("eot", "eom")]
        self.ends = list(
            dict.fromkeys([self.parts.eos, *(int(one) for one in others if one is not None)])
        )
        self.special = {
            name: keys.get(f"tokenizer.ggml.{key}_token_id")
            for key, name in (("padding", "pad_token"), ("unknown", "unk_token"))
        }
        self.normalizer = network.about.get(NORMALIZER_KEY)

    def write(self, folder: Path) -> None:
        self.parts.save(folder)
        path = folder / CONFIG_FILE
        settings = json.loads(path.read_text(encoding="utf-8"))
        for name, token in self.special.items():
            if token is not None and 0 <= token < len(self.parts.texts):
                settings[name] = self.parts.texts[token]
        _write_json(path, settings)
        if self.normalizer == "NFC":
            path = folder / TOKENIZER_FILE
            fields = json.loads(path.read_text(encoding="utf-8"))
            fields["normalizer"] = {"type": "NFC"}
            path.write_text(json.dumps(fields, ensure_ascii=False), encoding="utf-8")


def _type(weight: Weight, kept: GGMLType) -> GGMLType:
    if len(weight.shape) == 2 or kept is GGMLType.F32:
        return kept
    values = weight.whole()
    try:
        same = np.array_equal(dequantize(kept, quantize(kept, values)), values)
    except UnfitValueError:
        same = False
    return kept if same else GGMLType.F32


def _size(weight: Weight, kind: GGMLType) -> int:
    return kind.num_bytes(prod(weight.shape))


def _split(
    weights: Mapping[str, Weight], types: Mapping[str, GGMLType], most_bytes: int
) -> dict[str, list[str]]:
    """File name -> weights in it, named as Hugging Face names the parts."""
    groups: list[list[str]] = [[]]
    filled = 0
    for name, weight in weights.items():
        size = _size(weight, types[name])
        if groups[-1] and filled + size > most_bytes:
            groups.append([])
            filled = 0
        groups[-1].append(name)
        filled += size
    if len(groups) == 1:
        return {WEIGHTS: groups[0]}
    return {
        f"model-{number:05}-of-{len(groups):05}.safetensors": names
        for number, names in enumerate(groups, 1)
    }


def _card(about: Mapping[str, Any]) -> str:
    """README.md: the licence where libraries look for it, then what is known."""
    lines = []
    if licence := about.get("general.license"):
        lines += ["---", f"license: {json.dumps(str(licence))}", "---", ""]
    name = " ".join(str(about.get("general.name", "A model")).split())
    lines += [f"# {name}", ""]
    for key, value in about.items():
        if isinstance(value, str) and key != "general.name" and "\n" not in value:
            lines.append(f"- {key}: {value}")
    return "\n".join(lines) + "\n"


def _write_json(path: Path, fields: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(fields, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
