"""Writing float32 tensors as safetensors one after the other, with their digest on the way.

    digest = write_tensors(path, {"a": (2, 3)}, read=lambda name: tensor)

The safetensors package writes what is in memory at once; over many processes a weight is only
whole for a moment, when it is its turn.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from qingyu.make.safetensors_file import header_bytes
from qingyu.models.ggml_types import GGMLType

if TYPE_CHECKING:
    from torch import Tensor


def file_size(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """About how many bytes: the data, and some for the header."""
    return sum(4 * math.prod(shape) + 200 for shape in shapes.values())


def write_tensors(
    path: Path, shapes: Mapping[str, tuple[int, ...]], *, read: Callable[[str], Tensor]
) -> str:
    """The file's SHA-256. `read` gives each in turn, float32 of that shape. Raises OSError."""
    kinds = {name: (GGMLType.F32, shape) for name, shape in shapes.items()}
    header = header_bytes(kinds, {"format": "pt"})
    digest = hashlib.sha256(header)
    with path.open("xb") as file:
        file.write(header)
        for name, shape in shapes.items():
            tensor = read(name).detach().cpu().contiguous()
            assert tuple(tensor.shape) == shape, (name, tensor.shape, shape)
            raw = tensor.numpy().reshape(-1).data.cast("B")
            digest.update(raw)
            file.write(raw)
    return digest.hexdigest()
