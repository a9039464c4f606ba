"""How fast a model runs here, and how near that is to what the machine can do.

    subject = from_shape("milm-6b", "Q4_0")      # or from_file("default")
    speed = measure(subject, prompt=512, new=128, repeat=3)
    speed.prefill_rate, speed.decode_rate, speed.bandwidth_share

Prefill and decode go through the native context alone: no text, no sampling but the largest
logit. The machine's limits are measured in the same run, because on a shared machine they
change: reading a working set of the model's size, and int8 products out of registers.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from math import prod
from pathlib import Path
from statistics import median

import numpy as np

from qingyu import _native
from qingyu.engine.settings import EngineSettings
from qingyu.errors import InvalidRequestError
from qingyu.models.family import ModelConfig, describe
from qingyu.models.gguf import GGUFFile
from qingyu.models.store import locate
from qingyu.text import pick

_PROBE_SECONDS = 0.4


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Medians of a benchmark. Rates in tokens per second, seconds per run, bytes per second.

    decode_bytes: weights and keys and values read for one token, at the middle of the run.
    """

    prompt: int
    new: int
    repeat: int
    threads: int
    instruction_set: str
    weight_bytes: int
    kv_bytes_per_token: int
    prefill_seconds: float
    decode_seconds: float
    prefill_operations: float
    decode_bytes: float
    bandwidth: float
    int8_peak: float

    @property
    def prefill_rate(self) -> float:
        return self.prompt / self.prefill_seconds

    @property
    def decode_rate(self) -> float:
        return self.new / self.decode_seconds

    @property
    def bandwidth_share(self) -> float:
        """Bytes read in decode as a share of what the machine reads at this working set."""
        return self.decode_bytes * self.decode_rate / self.bandwidth

    @property
    def peak_share(self) -> float:
        """Products computed in prefill as a share of the machine's int8 peak."""
        return self.prefill_operations / self.prefill_seconds / self.int8_peak


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is measured. `unread_bytes`: of the weights, those that decoding does not read
    (the rows of an embedding that is not the head as well)."""

    native: _native.NativeModel
    config: ModelConfig
    threads: int
    unread_bytes: int


def from_shape(shape: str, type: str, *, threads: int | None = None) -> Subject:
    """A shape of `qingyu.models.shapes` with random weights.

    Raises InvalidRequestError for an unknown shape or type.
    """
    from qingyu.models import shapes

    settings = EngineSettings.from_environment(threads=threads)
    config = shapes.config(shape)
    kind, size = shapes.tensors(shape, type)["token_embd.weight"]
    return Subject(
        native=shapes.build_random(
            shape, type, threads=settings.threads, instruction_set=settings.instruction_set
        ),
        config=config,
        threads=settings.threads,
        unread_bytes=0 if config.tied else kind.num_bytes(prod(size)),
    )


def from_file(reference: str | Path, *, threads: int | None = None) -> Subject:
    """A model on this machine, by name or path; its tokenizer is not read.

    Raises what `qingyu.load` raises.
    """
    from qingyu.engine.loading import build_native

    settings = EngineSettings.from_environment(threads=threads)
    with GGUFFile.open(locate(reference)) as gguf:
        config = describe(gguf)
        return Subject(
            native=build_native(gguf, config, settings, None),
            config=config,
            threads=settings.threads,
            unread_bytes=0 if config.tied else gguf.tensors["token_embd.weight"].size,
        )


def measure(subject: Subject, *, prompt: int = 512, new: int = 128, repeat: int = 3) -> Speed:
    """Prefill `prompt` tokens and decode `new` more, `repeat` times after a warm-up.

    Raises InvalidRequestError when the tokens do not fit the model's context.
    """
    native, config, threads = subject.native, subject.config, subject.threads
    if prompt + new > config.context_length:
        raise InvalidRequestError(
            pick(
                f"{prompt} + {new} tokens are more than the context of {config.context_length}"
                f" of {config.name}",
                f"{prompt} + {new} 个词元超过 {config.name} 的上下文 {config.context_length}",
            )
        )
    context = _native.NativeContext(native, max_tokens=prompt + new, threads=threads)
    generator = np.random.default_rng(0)
    tokens = generator.integers(0, config.vocab_size, prompt, dtype=np.int32)
    _run(context, tokens[: min(prompt, 32)], 2)
    runs = [_run(context, tokens, new) for _ in range(repeat)]
    read = native.weight_bytes - subject.unread_bytes
    return Speed(
        prompt=prompt,
        new=new,
        repeat=repeat,
        threads=threads,
        instruction_set=native.instruction_set,
        weight_bytes=native.weight_bytes,
        kv_bytes_per_token=native.kv_bytes_per_token,
        prefill_seconds=median(prefill for prefill, _ in runs),
        decode_seconds=median(decode for _, decode in runs),
        prefill_operations=2.0 * prompt * layer_weights(config),
        decode_bytes=read + native.kv_bytes_per_token * (prompt + new / 2),
        bandwidth=_native.measure_read_bandwidth(read, threads, _PROBE_SECONDS),
        int8_peak=_native.measure_int8_peak(threads, _PROBE_SECONDS),
    )


def layer_weights(config: ModelConfig) -> int:
    """Weights of all layers' matrices: the products of one prefilled token."""
    heads = config.num_heads * config.head_size
    keys = config.num_kv_heads * config.head_size
    attention = config.embedding_size * (2 * heads + 2 * keys)
    return config.num_layers * (attention + 3 * config.embedding_size * config.feed_forward_size)


def _run(
    context: _native.NativeContext, tokens: np.ndarray[tuple[int], np.dtype[np.int32]], new: int
) -> tuple[float, float]:
    """Seconds of prefill and of decode on a sequence of its own."""
    sequence = context.create()
    try:
        started = time.perf_counter()
        logits = context.forward(
            tokens,
            np.full(len(tokens), sequence, dtype=np.int32),
            np.array([len(tokens) - 1], dtype=np.int32),
        )
        prefilled = time.perf_counter()
        one = np.array([sequence], dtype=np.int32)
        last = np.zeros(1, dtype=np.int32)
        for _ in range(new):
            token = np.array([logits[0].argmax()], dtype=np.int32)
            logits = context.forward(token, one, last)
        return prefilled - started, time.perf_counter() - prefilled
    finally:
        context.drop(sequence)
