"""The native context, shared by everything that computes with one model.

    with core:                                   # one user at a time, first come first served
        sequence, cached = core.open(tokens)     # as much of tokens as is parked; or
        sequence, cached = core.open(tokens, "poet")    # computed with that adapter
        logits = core.forward(tokens_n, sequences_n, outputs)
        core.park(sequence, tokens)              # or core.drop(sequence)

Adds to `_native.NativeContext`: a fair lock, reuse of parked prefixes, eviction when pages
are short, and closing. A sequence has one adapter, or none, and keeps it: what is parked serves
only prompts with the same. It knows neither text nor sampling. All methods but `abandon`, `usage`,
`close` and `closed` need the lock.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qingyu.engine.prefix import PrefixCache
from qingyu.errors import InvalidRequestError, OutOfMemoryError, QingyuError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu._native import NativeAdapter, NativeContext

_NO_OUTPUT = np.zeros(0, dtype=np.int32)


class FairLock:
    """A lock handed to whoever waits longest.

    `threading.Lock` lets a thread that releases it take it again at once; a stream would then
    starve all others, since it does so after every token.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._held = False

    def acquire(self) -> None:
        with self._guard:
            if not self._held:
                self._held = True
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        try:
            turn.acquire()
        except BaseException:  # Ctrl-C while waiting
            with self._guard:
                ours = turn in self._waiting
                if ours:
                    self._waiting.remove(turn)
            if not ours:  # it had just been handed over
                self.release()
            raise

    def release(self) -> None:
        with self._guard:
            assert self._held
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False


class Core:
    """See the module. `limit` is the most tokens of one sequence."""

    def __init__(
        self,
        context: NativeContext,
        *,
        limit: int,
        adapters: Mapping[str, NativeAdapter] | None = None,
    ) -> None:
        self.limit = limit
        self._adapters = dict(adapters or {})
        self._context: NativeContext | None = context
        self._lock = FairLock()
        # Sequences whose owner was garbage-collected: taking the lock there could deadlock.
        self._abandoned: deque[int] = deque()
        # Which adapter sequences have that have one.
        owners: dict[int, str] = {}

        def drop(sequence: int) -> None:
            owners.pop(sequence, None)
            context.drop(sequence)

        self._owners = owners
        self._drop: Callable[[int], None] = drop
        self._prefixes = PrefixCache(context.page_tokens, drop)

    def __enter__(self) -> Core:
        """Raises QingyuError when the model was closed."""
        self._lock.acquire()
        try:
            if self._context is None:
                raise closed_error()
            while self._abandoned:
                self._drop(self._abandoned.popleft())
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    @property
    def native(self) -> NativeContext:
        """The context itself. Raises QingyuError when the model was closed."""
        if self._context is None:
            raise closed_error()
        return self._context

    @property
    def closed(self) -> bool:
        return self._context is None

    def usage(self) -> tuple[int, int]:
        """Tokens whose pages are taken, parked prefixes included, and tokens in all. Needs no
        lock; zeros when the model was closed."""
        context = self._context
        if context is None:
            return 0, 0
        used = context.pages_total - context.pages_free
        return used * context.page_tokens, context.pages_total * context.page_tokens

    @property
    def num_parked(self) -> int:
        return len(self._prefixes)

    def check_adapter(self, name: str | None) -> None:
        """Raises InvalidRequestError when no adapter of that name is loaded. Needs no lock."""
        if name is None or name in self._adapters:
            return
        known = ", ".join(self._adapters) or pick("none", "无")
        raise InvalidRequestError(
            pick(
                f"there is no adapter {str(name)[:100]!r}; loaded: {known}",
                f"没有适配器 {str(name)[:100]!r}；已加载：{known}",
            ),
            param="adapter",
        )

    def create(self, adapter: str | None = None) -> int:
        """A new empty sequence, which will be computed with that adapter."""
        if adapter is None:
            return self.native.create()
        self.check_adapter(adapter)
        sequence = self.native.create(self._adapters[adapter])
        self._owners[sequence] = adapter
        return sequence

    def restore(self, data: bytes, adapter: str | None = None) -> int:
        """As the context's, of a sequence that was computed with that adapter."""
        if adapter is None:
            return self.native.restore(data)
        self.check_adapter(adapter)
        sequence = self.native.restore(data, self._adapters[adapter])
        self._owners[sequence] = adapter
        return sequence

    def open(self, tokens: Sequence[int], adapter: str | None = None) -> tuple[int, int]:
        """A sequence holding as much of tokens' beginning as is parked, and that length.

        The last token is never among them, so that computing it gives logits.
        """
        found = self._prefixes.find(tokens[:-1], adapter)
        if found is None:
            return self.create(adapter), 0
        parked, common = found
        while True:
            try:
                return self._fork(parked, common), common
            except MemoryError:
                # A fork copies a page that is not full; whole pages cost nothing.
                if not self._prefixes.evict(keep=parked):
                    if common % self.native.page_tokens == 0:
                        return self.create(adapter), 0
                    common -= common % self.native.page_tokens

    def cached(self, tokens: Sequence[int], adapter: str | None = None) -> int:
        """How much of tokens' beginning `open` would find."""
        found = self._prefixes.find(tokens[:-1], adapter)
        return 0 if found is None else found[1]

    def _fork(self, sequence: int, length: int) -> int:
        fork = self.native.fork(sequence, length)
        if sequence in self._owners:
            self._owners[fork] = self._owners[sequence]
        return fork

    def fork(self, sequence: int, length: int) -> int:
        """As the context's, but evicts parked sequences when pages are short."""
        while True:
            try:
                return self._fork(sequence, length)
            except MemoryError:
                if not self._prefixes.evict():
                    raise self._out_of_memory(1) from None

    def forward(
        self,
        tokens: NDArray[np.int32],
        sequences: NDArray[np.int32],
        outputs: NDArray[np.int32],
    ) -> NDArray[np.float32]:
        """As the context's, but evicts parked sequences when pages are short.

        Raises OutOfMemoryError when none is left; nothing was appended then.
        """
        context = self.native
        while True:
            try:
                return context.forward(tokens, sequences, outputs)
            except MemoryError:
                if not self._prefixes.evict():
                    raise self._out_of_memory(len(tokens)) from None

    def append(self, sequence: int, tokens: NDArray[np.int32]) -> None:
        """Append tokens [n] to one sequence, no logits."""
        self.forward(tokens, np.full(len(tokens), sequence, dtype=np.int32), _NO_OUTPUT)

    def park(self, sequence: int, tokens: Sequence[int]) -> None:
        """Done with a sequence: keep what it has of tokens for later prompts."""
        known = tokens[: self.native.length(sequence)]
        self._prefixes.park(sequence, known, self._owners.get(sequence))

    def drop(self, sequence: int) -> None:
        """Done with a sequence: free its pages."""
        if self._context is None:
            raise closed_error()
        self._drop(sequence)

    def abandon(self, sequence: int) -> None:
        """Drop at the next use. Needs no lock, so finalizers may call it."""
        self._abandoned.append(sequence)

    def evict(self) -> bool:
        """Drop the parked sequence used least recently; False if there is none."""
        return self._prefixes.evict()

    def close(self) -> None:
        """Wait for the forward that runs, then free everything. Later uses raise."""
        self._lock.acquire()
        try:
            if self._context is not None:
                self._drop = lambda sequence: None
                self._prefixes = PrefixCache(1, self._drop)
                self._adapters = {}
                self._context = None
        finally:
            self._lock.release()

    def _out_of_memory(self, needed: int) -> OutOfMemoryError:
        context = self.native
        total = context.pages_total * context.page_tokens
        free = context.pages_free * context.page_tokens
        return OutOfMemoryError(
            pick(
                f"the key-value cache of {total} tokens has {free} left for {needed} more;"
                " run fewer sequences at once, or load the model with larger kv_tokens",
                f"{total} 个词元的键值缓存只剩 {free}，不够再放 {needed} 个；"
                "请减少同时运行的序列，或用更大的 kv_tokens 加载模型",
            )
        )


def closed_error() -> QingyuError:
    """What using a closed model raises."""
    return QingyuError(pick("the model was closed; load it again", "模型已关闭；请重新加载"))
