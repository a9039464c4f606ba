"""One text being generated: its tokens, its text so far, and when it ends.

    generation = session.add(tokens, max_tokens=20)
    generation.take(), generation.finished, generation.result

It does not know forwards: a `Session` gives it tokens through `accept`. Its text may be read
by one thread while another steps the session.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from qingyu.engine.request import Request
from qingyu.engine.results import Limit, Result, StopReason
from qingyu.engine.sampling import Sampler
from qingyu.engine.stops import StopStrings
from qingyu.errors import InvalidRequestError, QingyuError
from qingyu.models.tokenizer import TextStream
from qingyu.text import pick


class Generation:
    """See the module. `cached_tokens` is known after the first step it took part in."""

    def __init__(
        self,
        prompt: Sequence[int],
        request: Request,
        *,
        sampler: Sampler,
        decoder: TextStream,
        end_tokens: Collection[int],
        context: int,
    ) -> None:
        self.request = request
        self.sampler = sampler
        # Prompt and answer; `computed` of them are in the key-value cache.
        self.history = list(prompt)
        self.prompt_array = np.array(prompt, dtype=np.int32)
        self.num_prompt = len(prompt)
        self.computed = 0
        self.cached_tokens = 0
        self.sequence = -1
        self.prefill_seconds = 0.0
        self.decode_seconds = 0.0
        self.decode_steps = 0
        self.error: QingyuError | None = None
        self._end_tokens = end_tokens
        room = context - len(prompt)
        wanted = request.max_tokens
        self._limit: Limit = "context" if wanted is None or wanted > room else "max_tokens"
        self._full = len(prompt) + (room if wanted is None else min(wanted, room))
        self._decoder = decoder
        self._stops = StopStrings(request.stop) if request.stop else None
        self._pieces: list[str] = []
        self._num_taken = 0
        self._stop_reason: StopReason | None = None
        self._stop: str | int | None = None

    @property
    def tokens(self) -> tuple[int, ...]:
        """The tokens generated so far."""
        return tuple(self.history[self.num_prompt :])

    @property
    def prefilling(self) -> bool:
        """Whether part of the prompt is still to be computed."""
        return self.computed < self.num_prompt

    @property
    def computed_of_prompt(self) -> int:
        return min(self.computed, self.num_prompt)

    @property
    def finished(self) -> bool:
        return self._stop_reason is not None

    @property
    def stop_reason(self) -> StopReason | None:
        """None while it runs."""
        return self._stop_reason

    @property
    def result(self) -> Result:
        """Raises InvalidRequestError before the end, and what went wrong if something did."""
        if self.error is not None:
            raise self.error
        if self._stop_reason is None:
            raise InvalidRequestError(
                pick(
                    "the generation still runs; read it to its end, or close it, first",
                    "生成尚未结束；请先读到末尾或关闭它",
                )
            )
        return Result(
            text="".join(self._pieces),
            tokens=self.tokens,
            prompt_tokens=self.num_prompt,
            cached_tokens=self.cached_tokens,
            stop_reason=self._stop_reason,
            stop=self._stop,
            limited_by=self._limit if self._stop_reason == "length" else None,
            seed=self.sampler.seed,
            prefill_seconds=self.prefill_seconds,
            decode_seconds=self.decode_seconds,
            decode_steps=self.decode_steps,
        )

    def take(self) -> str:
        """Text that is new since the last call; "" if there is none."""
        pieces = self._pieces[self._num_taken :]
        self._num_taken += len(pieces)
        return pieces[0] if len(pieces) == 1 else "".join(pieces)

    def accept(self, token: int) -> None:
        """The next token was chosen."""
        if token in self._end_tokens:
            self._finish("end")
            return
        if token in self.request.stop_tokens:
            self._stop = token
            self._finish("stop")
            return
        self.history.append(token)
        if self._show(self._decoder.push(token)):
            self._stop_reason = "stop"
        elif len(self.history) == self._full:
            self._finish("length")

    def cancel(self) -> None:
        """It shall not go on. What it has stays readable."""
        if self._stop_reason is None:
            self._finish("cancelled")

    def fail(self, error: QingyuError) -> None:
        """It cannot go on; `result` raises the error."""
        self.error = error
        self._stop_reason = "cancelled"

    def _finish(self, reason: StopReason) -> None:
        """Let out what was held back; it may still hold a stop string."""
        if self._show(self._decoder.flush()):
            reason = "stop"
        elif self._stops is not None:
            self._append(self._stops.release())
        self._stop_reason = reason

    def _show(self, text: str) -> bool:
        """Append text, up to a stop string: True if there was one."""
        if not text:
            return False
        if self._stops is None:
            self._pieces.append(text)
            return False
        text, stopped = self._stops.push(text)
        self._append(text)
        if stopped:
            self._stop = self._stops.matched
        return stopped

    def _append(self, text: str) -> None:
        if text:
            self._pieces.append(text)
