"""From a model's name to a `Model` that runs.

    model = load("default", context=4096)

Tensors go to the core one by one, and the file's pages are given back behind it, so memory
stays near the file's size; the tokenizer is built in a thread meanwhile. Nothing is
downloaded here.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from qingyu import _native
from qingyu.engine.adapters import load_adapters
from qingyu.engine.model import Model
from qingyu.engine.results import ModelInfo
from qingyu.engine.settings import EngineSettings
from qingyu.errors import InvalidRequestError, ModelFileError, StateError
from qingyu.models.family import VECTOR_TYPES, ModelConfig, describe
from qingyu.models.gguf import GGUFFile
from qingyu.models.hashes import Stamp
from qingyu.models.store import locate, model_hash
from qingyu.models.template import ChatTemplate
from qingyu.models.tokenizer import Tokenizer
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu._native import NativeModel

# A model's own context may be 128k and more; its keys and values would not fit most machines.
DEFAULT_CONTEXT = 8192
# Room for a few short sequences beside a long one. Pages are taken only as they are used.
DEFAULT_KV_TOKENS = 16384


def load(
    model: str | Path = "default",
    *,
    context: int | None = None,
    threads: int | None = None,
    template: str | None = None,
    kv_tokens: int | None = None,
    kv_bytes: int | None = None,
    most_kv_tokens: int | None = None,
    activation_bits: int = 8,
    adapters: Mapping[str, str | os.PathLike[str]] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Model:
    """Load a model that is on this machine.

    model: a name in the store or catalogue, a hub reference, or a path to a .gguf file.
    context: most tokens of one sequence; default the model's own, at most 8192.
    threads: threads of a forward; default QINGYU_THREADS, else the physical cores this
        process may use.
    template: a chat template's name or file, instead of the model's own.
    kv_tokens: tokens the key-value cache has room for, all sequences together; default 16384,
        at least the context.
    kv_bytes: the same as memory, instead of kv_tokens; with most_kv_tokens no more than that.
    activation_bits: what activations are rounded to before products with quantized weights: 8,
        or 16, which takes up to twice as long and leaves nothing of the rounding to be seen (for
        measuring a model, not its engine). Float weights take activations as they are.
    adapters: low-rank adapters (LoRA) for this model: names, and paths of GGUF files. A request
        names the one it wants: `model.chat(messages, adapter="poet")`.
    progress: called with (bytes loaded, bytes to load).

    Raises ModelNotFoundError, ModelFileError (damaged), UnsupportedModelError,
    InvalidRequestError (a setting that cannot be), TemplateError.
    """
    started = time.perf_counter()
    settings = EngineSettings.from_environment(threads=threads)
    _check_instruction_set(settings.instruction_set)
    if activation_bits not in (8, 16):
        raise InvalidRequestError(
            pick(
                f"activation_bits is {activation_bits}; it must be 8 or 16",
                f"activation_bits 为 {activation_bits}；应为 8 或 16",
            )
        )
    path = locate(model)
    stamp = Stamp.of_path(path)
    with GGUFFile.open(path) as gguf, ThreadPoolExecutor(1, "qingyu-load") as pool:
        config = describe(gguf)
        if kv_bytes is not None:
            assert kv_tokens is None, "kv_tokens and kv_bytes"
            kv_tokens, context = _tokens_in(config, kv_bytes, most_kv_tokens, context)
        context, kv_tokens = _lengths(config, context, kv_tokens)
        words = pool.submit(_words, gguf, template)
        native = build_native(gguf, config, settings, progress)
        # Where products see their input in 8 bits, an adapter of 8 loses nothing that shows, and
        # is half as much to read for every token.
        layers = [gguf.tensors[name] for name in config.tensors if name.startswith("blk.")]
        quantized = any(tensor.type not in VECTOR_TYPES for tensor in layers)
        bits = 8 if quantized and activation_bits == 8 else 16
        loaded = load_adapters(adapters or {}, config, native, bits=bits)
        tokenizer, chat_template = words.result()
        info = ModelInfo(
            name=config.name,
            family=config.family,
            path=path,
            file_bytes=gguf.size,
            weight_bytes=native.weight_bytes,
            parameters=sum(prod(gguf.tensors[name].shape) for name in config.tensors),
            vocab_size=native.vocab_size,
            layers=config.num_layers,
            embedding_size=config.embedding_size,
            context=context,
            trained_context=config.context_length,
            kv_tokens=kv_tokens,
            kv_bytes_per_token=native.kv_bytes_per_token,
            instruction_set=native.instruction_set,
            threads=settings.threads,
            activation_bits=activation_bits,
            has_template=chat_template is not None,
            tensor_types=Counter(gguf.tensors[name].type.name for name in config.tensors),
            load_seconds=time.perf_counter() - started,
        )
    _return_memory()
    return Model(
        context=_native.NativeContext(
            native,
            max_tokens=kv_tokens,
            threads=settings.threads,
            activation_bits=activation_bits,
        ),
        tokenizer=tokenizer,
        template=chat_template,
        info=info,
        file_hash=lambda: _unchanged_hash(path, stamp),
        chunk_tokens=settings.chunk_tokens,
        adapters=loaded,
    )


def _return_memory() -> None:
    """Give back what building the tokenizer left free, where the C library can (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def _check_instruction_set(wanted: str) -> None:
    available = _native.instruction_sets()
    if wanted and wanted not in available:
        listed = ", ".join(available)
        raise InvalidRequestError(
            pick(
                f"QINGYU_ISA is {wanted!r}; this machine has {listed}",
                f"QINGYU_ISA 为 {wanted!r}；此机器支持 {listed}",
            )
        )


def _lengths(config: ModelConfig, context: int | None, kv_tokens: int | None) -> tuple[int, int]:
    """The limit of one sequence and the size of the cache, in tokens."""
    trained = config.context_length
    if context is None:
        context = min(trained, DEFAULT_CONTEXT, kv_tokens or DEFAULT_CONTEXT)
    if not 2 <= context <= trained:
        raise InvalidRequestError(
            pick(
                f"context is {context}; for this model it must be 2 to {trained}",
                f"context 为 {context}；此模型应在 2 到 {trained} 之间",
            )
        )
    if kv_tokens is None:
        kv_tokens = max(context, DEFAULT_KV_TOKENS)
    if kv_tokens < context:
        raise InvalidRequestError(
            pick(
                f"kv_tokens is {kv_tokens}, less than the context of {context}",
                f"kv_tokens 为 {kv_tokens}，小于上下文 {context}",
            )
        )
    return context, kv_tokens


def _tokens_in(
    config: ModelConfig, kv_bytes: int, most: int | None, context: int | None
) -> tuple[int, int | None]:
    """Tokens whose keys and values take so many bytes, and the context.

    With `most`, the size is ours and not the user's: then it is raised to what one sequence
    needs. Raises InvalidRequestError when the user's is too small for the context wished for.
    """
    each = 2 * 2 * config.num_layers * config.num_kv_heads * config.head_size
    tokens = kv_bytes // each
    if most is not None:
        least = context or min(config.context_length, DEFAULT_CONTEXT)
        return max(min(tokens, most), least), context
    if tokens < (context or 256):
        raise InvalidRequestError(
            pick(
                f"{kv_bytes} bytes hold the keys and values of {tokens} tokens, less than the"
                f" context of {context or 256}; one token takes {each}",
                f"{kv_bytes} 字节只能容纳 {tokens} 个词元的键值，少于上下文 {context or 256}；"
                f"每个词元需 {each} 字节",
            )
        )
    return tokens, context


def _words(gguf: GGUFFile, template: str | None) -> tuple[Tokenizer, ChatTemplate | None]:
    tokenizer = Tokenizer.from_gguf(gguf)
    if template is None:
        return tokenizer, ChatTemplate.from_gguf(gguf)
    return tokenizer, ChatTemplate.named(template)


def build_native(
    gguf: GGUFFile,
    config: ModelConfig,
    settings: EngineSettings,
    progress: Callable[[int, int], None] | None,
) -> NativeModel:
    """The core's model, tensor by tensor; each tensor's pages of the file are given back."""
    try:
        builder = _native.ModelBuilder(
            **config.builder_arguments(),
            instruction_set=settings.instruction_set,
            threads=settings.threads,
        )
        total = sum(gguf.tensors[name].size for name in config.tensors)
        done = 0
        for name in config.tensors:
            tensor = gguf.tensors[name]
            with gguf.data(name) as data:
                builder.add(name, int(tensor.type), tensor.shape, data)
            gguf.release(name)
            done += tensor.size
            if progress is not None:
                progress(done, total)
        return builder.build()
    except ValueError as error:
        # `describe` should have seen it; a file it lets through must not end as a traceback.
        raise ModelFileError(
            pick(
                f"{gguf.path.name}: the engine refuses it: {error}",
                f"{gguf.path.name}：引擎拒绝加载：{error}",
            )
        ) from error


def _unchanged_hash(path: Path, stamp: Stamp) -> str:
    """The hash of the file that was loaded, unless another lies there by now."""
    digest = model_hash(path)
    if Stamp.of_path(path) != stamp:
        raise StateError(
            pick(
                f"{path} was changed since it was loaded; load it again to save or load states",
                f"{path} 在加载后被更改；请重新加载后再保存或读取状态",
            )
        )
    return digest
