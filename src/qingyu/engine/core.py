"""The native context, shared by everything that computes with one model.

    with core:                                   # one user at a time, first come first served
        sequence, cached = core.open(tokens)     # as much of tokens as is parked
        logits = core.forward(tokens_n, sequences_n, outputs)
        core.park(sequence, tokens)              # or core.drop(sequence)

Adds to `_native.NativeContext`: a fair lock, reuse of parked prefixes, eviction when pages
are short, and closing. It knows neither text nor sampling. All methods but `abandon`, `usage`,
`close` and `closed` need the lock.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qingyu.engine.prefix import PrefixCache
from qingyu.errors import OutOfMemoryError, QingyuError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu._native import NativeContext

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

    def __init__(self, context: NativeContext, *, limit: int) -> None:
        self.limit = limit
        self._context: NativeContext | None = context
        self._lock = FairLock()
        # Sequences whose owner was garbage-collected: taking the lock there could deadlock.
        self._abandoned: deque[int] = deque()
        self._prefixes = PrefixCache(context.page_tokens, context.drop)

    def __enter__(self) -> Core:
        """Raises QingyuError when the model was closed."""
        self._lock.acquire()
        try:
            if self._context is None:
                raise closed_error()
            while self._abandoned:
                self._context.drop(self._abandoned.popleft())
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

    def open(self, tokens: Sequence[int]) -> tuple[int, int]:
        """A sequence holding as much of tokens' beginning as is parked, and that length.

        The last token is never among them, so that computing it gives logits.
        """
        found = self._prefixes.find(tokens[:-1])
        if found is None:
            return self.native.create(), 0
        parked, common = found
        while True:
            try:
                return self.native.fork(parked, common), common
            except MemoryError:
                # A fork copies a page that is not full; whole pages cost nothing.
                if not self._prefixes.evict(keep=parked):
                    if common % self.native.page_tokens == 0:
                        return self.native.create(), 0
                    common -= common % self.native.page_tokens

    def cached(self, tokens: Sequence[int]) -> int:
        """How much of tokens' beginning `open` would find."""
        found = self._prefixes.find(tokens[:-1])
        return 0 if found is None else found[1]

    def fork(self, sequence: int, length: int) -> int:
        """As the context's, but evicts parked sequences when pages are short."""
        while True:
            try:
                return self.native.fork(sequence, length)
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
        self._prefixes.park(sequence, tokens[: self.native.length(sequence)])

    def drop(self, sequence: int) -> None:
        """Done with a sequence: free its pages."""
        self.native.drop(sequence)

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
                self._prefixes = PrefixCache(1, lambda sequence: None)
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
