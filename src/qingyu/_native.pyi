"""The C++ core as Python sees it. Source: native/bindings.cpp.

Errors: ValueError for arguments that cannot be (a bug of the caller), MemoryError when the
page pool is empty (nothing was changed), RuntimeError when a thread or a map is refused.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

def instruction_sets() -> list[str]:
    """Instruction sets this machine can run, best first: of "avx512", "avx2", "portable"."""

def supported_types() -> list[int]:
    """GGML type numbers the core accepts for matrices."""

def dequantize(type: int, data: memoryview | bytes | NDArray[np.uint8], count: int) -> NDArray[np.float32]:
    """`count` values out of raw GGUF blocks of a GGML type, as float32 [count]."""

def measure_read_bandwidth(num_bytes: int, threads: int, seconds: float) -> float:
    """Bytes per second read by `threads` threads, each cycling over its share of `num_bytes`."""

def measure_int8_peak(threads: int, seconds: float) -> float:
    """Operations per second (multiply and add count as two) of the best int8 dot product here."""

def select_top(logits: NDArray[np.float32], count: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The `count` largest of logits [vocab], ids int32 [count] and values float32 [count],
    largest first, ties by the smaller id."""

class ModelBuilder:
    """Takes a model's tensors one by one and repacks them; `build` checks and freezes."""

    def __init__(
        self,
        *,
        num_layers: int,
        embedding_size: int,
        feed_forward_size: int,
        num_heads: int,
        num_kv_heads: int,
        head_size: int,
        vocab_size: int,
        context_length: int,
        norm_epsilon: float,
        rope_size: int,
        rope_halves: bool,
        rope_frequencies: Sequence[float],
        rope_scale: float = 1.0,
        attention_scale: float = 0.0,
        sliding_window: int = 0,
        embedding_scale: float = 1.0,
        residual_scale: float = 1.0,
        logit_scale: float = 1.0,
        instruction_set: str = "",
        threads: int = 1,
    ) -> None:
        """Sizes as in the file. `rope_frequencies` [rope_size / 2] are radians per position,
        `rope_scale` multiplies sine and cosine (yarn), `rope_halves` pairs i with i + size/2
        (NeoX) instead of 2i with 2i + 1. `attention_scale` 0 means 1/sqrt(head_size);
        `sliding_window` 0 means none. `logit_scale` multiplies the logits."""

    def add(self, name: str, type: int, shape: Sequence[int], data: Any) -> None:
        """One tensor: GGUF name, GGML type number, shape in GGUF order (columns first), raw
        blocks. Unknown names, twice the same name, or a wrong shape or size: ValueError."""

    def build(self) -> NativeModel:
        """ValueError when a tensor is missing. The builder is empty afterwards."""

class NativeModel:
    """Immutable; shared by any number of contexts."""

    @property
    def vocab_size(self) -> int: ...
    @property
    def weight_bytes(self) -> int:
        """Bytes the repacked tensors take."""
    @property
    def instruction_set(self) -> str: ...
    @property
    def kv_bytes_per_token(self) -> int: ...
    def dequantize_rows(self, name: str, first: int, count: int) -> NDArray[np.float32]:
        """Rows of a repacked matrix back as float32 [count, columns]."""

class AdapterBuilder:
    """Takes a low-rank adapter's pairs one by one; `build` freezes them."""

    def __init__(self, model: NativeModel, bits: int = 16) -> None:
        """`bits` of a value inside: 16, as float16 near the top of its range, or 8, with 127 steps
        up to the largest of each row of a and column of b."""
    def add(self, name: str, a: NDArray[np.float32], b: NDArray[np.float32], scale: float) -> None:
        """The matrix `name` (its GGUF name) becomes W + scale * b a: a [rank, columns] and
        b [rows, rank], C-contiguous. ValueError for a matrix that is not in a layer, other
        sizes, values that are not finite, or a second time."""

    def build(self) -> NativeAdapter:
        """ValueError when nothing was added. The builder is empty afterwards."""

class NativeAdapter:
    """Immutable; shared by any number of contexts of the model it was built for."""

    @property
    def weight_bytes(self) -> int: ...

class NativeContext:
    """Key-value pages and the scratch memory of forward passes. One call at a time."""

    def __init__(self, model: NativeModel, *, max_tokens: int, threads: int, activation_bits: int = 8) -> None:
        """`max_tokens` bounds the key-value positions of all sequences together (rounded up
        to pages of `page_tokens`); pages are taken from the system as they are used.
        `activation_bits`: what activations are rounded to for products with quantized weights,
        8, or 16 in two rounds of 8 (twice the products, errors some 250 times smaller)."""

    @property
    def page_tokens(self) -> int: ...
    @property
    def pages_total(self) -> int: ...
    @property
    def pages_free(self) -> int: ...
    @property
    def threads(self) -> int: ...
    @property
    def activation_bits(self) -> int: ...
    def create(self, adapter: NativeAdapter | None = None) -> int:
        """A new empty sequence; with an adapter all its tokens, and those of its forks, are
        computed with that. ValueError for an adapter of another model."""

    def length(self, sequence: int) -> int:
        """Tokens in the sequence."""

    def forward(
        self,
        tokens: NDArray[np.int32],
        sequences: NDArray[np.int32],
        outputs: NDArray[np.int32],
    ) -> NDArray[np.float32]:
        """Append tokens [n] to sequences [n] (in order; any mix of sequences) and return the
        logits float32 [len(outputs), vocab] after the tokens at the rising indices `outputs`.
        Sequences may have different adapters: none sees another's.
        Releases the GIL. MemoryError when pages are short: nothing was appended."""

    def fork(self, sequence: int, length: int) -> int:
        """A new sequence with the first `length` tokens, and the same adapter; whole pages are
        shared."""

    def truncate(self, sequence: int, length: int) -> None: ...
    def drop(self, sequence: int) -> None:
        """End the sequence; pages nobody else shares are free again."""

    def save(self, sequence: int) -> bytes:
        """The sequence's keys and values, for `restore` into a context of an equal model."""

    def restore(self, data: bytes, adapter: NativeAdapter | None = None) -> int:
        """A new sequence with what `save` gave, and the adapter it was computed with (`save`
        does not say which). ValueError when sizes do not match."""
