"""Out of a GGUF file: a network, a torch state dict, the tokenizer's files.

    with GGUFFile.open(path) as gguf:
        network = read_gguf(gguf)
    network_in_torch = load_network(path)          # transformers' class, ready to train
    write_tokenizer(path, folder)                  # tokenizer.json, tokenizer_config.json

Weights get Hugging Face's names and row order; quantized ones become what the engine takes them
for. Families llama, qwen2 and qwen3.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qingyu.errors import InvalidRequestError
from qingyu.make import gguf_config
from qingyu.make.any_tokenizer import tokenizer_parts
from qingyu.make.hf_config import to_config_json
from qingyu.make.network import (
    FLOAT_TYPES,
    Floats,
    Network,
    NetworkConfig,
    Weight,
    gguf_name,
    rotated_rows,
    to_halves,
    weight_shapes,
)
from qingyu.make.quantize import dequantize
from qingyu.models.family import describe
from qingyu.models.gguf import GGUFFile
from qingyu.text import pick

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_ABOUT_KEYS = ("general.", "qingyu.")
_FLOAT_NAMES = {kind.name for kind in FLOAT_TYPES}
# Said anew by whoever writes, since they describe the file and not the network.
_OF_THE_FILE = {
    "general.architecture",
    "general.type",
    "general.file_type",
    "general.quantization_version",
    "general.alignment",
    gguf_config.LLAMA3_KEY,
}


def read_gguf(gguf: GGUFFile) -> Network:
    """The network in an open file, which must stay open as long as its weights are read.

    Raises UnsupportedModelError for what other formats cannot hold, ModelFileError.
    """
    config = gguf_config.from_gguf(gguf)
    weights = {
        name: _weight(gguf, config, name, shape) for name, shape in weight_shapes(config).items()
    }
    metadata = gguf.metadata
    quantized = sorted({weight.type.name for weight in weights.values()} - _FLOAT_NAMES)
    notes = list(describe(gguf).notes)
    if quantized:
        said = pick(
            f"the weights of {gguf.path.name} were quantized before ({', '.join(quantized)});"
            " what that lost stays lost",
            f"{gguf.path.name} 的权重此前已量化（{'、'.join(quantized)}）；当时的损失无法恢复",
        )
        notes.append(said)
    return Network(
        config=config,
        weights=weights,
        tokenizer={key: value for key, value in metadata.items() if key.startswith("tokenizer.")},
        about={
            key: value
            for key, value in metadata.items()
            if key.startswith(_ABOUT_KEYS) and key not in _OF_THE_FILE
        },
        notes=tuple(notes),
    )


def _weight(gguf: GGUFFile, config: NetworkConfig, name: str, shape: tuple[int, ...]) -> Weight:
    info = gguf.tensors[gguf_name(name)]
    columns = shape[-1]
    row_bytes = info.type.num_bytes(columns)
    head = rotated_rows(config, name)

    def rows(first: int, last: int) -> Floats:
        start, end = first, last
        if head:  # whole heads, in which rows change places
            start, end = first // head * head, -(-last // head) * head
        blocks = gguf.data(info.name)[start * row_bytes : end * row_bytes]
        values = dequantize(info.type, blocks).reshape(end - start, columns)
        if head:
            values = to_halves(values, head)[first - start : last - start]
        return values

    return Weight(shape=shape, type=info.type, rows=rows)


def state_dict(network: Network) -> dict[str, torch.Tensor]:
    """All weights in memory, float32 with Hugging Face's names. A tied head is left out."""
    torch = import_torch()
    return {
        name: torch.from_numpy(np.ascontiguousarray(weight.whole()))
        for name, weight in network.weights.items()
    }


def load_network(path: Path) -> PreTrainedModel:
    """A GGUF file as transformers' model in float32, in evaluation mode.

    Raises as `read_gguf`, InvalidRequestError without the extra `make`.
    """
    torch = import_torch()
    import transformers

    with GGUFFile.open(path) as gguf:
        network = read_gguf(gguf)
        fields = to_config_json(network.config, bos=None, eos=(), dtype=network.config.dtype)
        del fields["torch_dtype"]
        weights = state_dict(network)
    if network.config.tied:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    kind = getattr(transformers, fields["architectures"][0])
    with _quietly():
        model: PreTrainedModel = kind.from_pretrained(
            None,
            config=transformers.AutoConfig.for_model(**fields),
            state_dict=weights,
            dtype=torch.float32,
        )
    model.eval()
    return model


@contextmanager
def _quietly() -> Iterator[None]:
    """Without transformers' progress bar, which knows nothing of the one that is shown."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def import_torch() -> Any:
    """torch, or an error that says how to get it."""
    try:
        import torch
        import transformers  # noqa: F401
    except ImportError as error:
        raise InvalidRequestError(
            pick(
                f"this needs torch and transformers ({error.name} is missing):"
                " pip install qingyu[make]",
                f"需要 torch 和 transformers（缺少 {error.name}）：pip install qingyu[make]",
            )
        ) from error
    return torch


def write_tokenizer(path: Path, folder: Path) -> None:
    """tokenizer.json and tokenizer_config.json of a GGUF file, as transformers reads them.

    Raises UnsupportedModelError for a kind that tokenizer.json cannot hold.
    """
    with GGUFFile.open(path) as gguf:
        tokenizer_parts(gguf.metadata).save(folder)
