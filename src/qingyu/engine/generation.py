"""One text being generated: its tokens, its text so far, and when it ends.

    generation = session.add(tokens, max_tokens=20)
    generation.take(), generation.finished, generation.result

It does not know forwards: a `Session` gives it logits through `choose`, and tokens it need not
compute through `force`. Its text may be read by one thread while another steps the session.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qingyu.engine.logprobs import PromptScores, likeliest, token_info
from qingyu.engine.request import Request
from qingyu.engine.results import Limit, Result, StopReason, TokenInfo
from qingyu.engine.sampling import Sampler
from qingyu.engine.stops import StopStrings
from qingyu.errors import InvalidRequestError, QingyuError
from qingyu.models.tokenizer import TextStream
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.engine.constraint import Constraint
    from qingyu.engine.speculation import Guesser
    from qingyu.models.tokenizer import Tokenizer


class Generation:
    """See the module. `cached_tokens` is known after the first step it took part in."""

    def __init__(
        self,
        prompt: Sequence[int],
        request: Request,
        *,
        sampler: Sampler,
        tokenizer: Tokenizer,
        end_tokens: Collection[int],
        context: int,
        constraint: Constraint | None = None,
    ) -> None:
        self.request = request
        self.sampler = sampler
        self.constraint = constraint
        # Prompt and answer; `computed` of them are in the key-value cache.
        self.history = list(prompt)
        self.num_prompt = len(prompt)
        self.computed = 0
        self.cached_tokens = 0
        self.sequence = -1
        self.prefill_seconds = 0.0
        self.decode_seconds = 0.0
        self.decode_tokens = 0
        self.forward_passes = 0
        # The tokens guessed for the forward under way, and who guesses; None before the first.
        self.guesses: list[int] = []
        # Guesses to compare with what comes, computed or not.
        self.shadow: list[int] = []
        self.guesser: Guesser | None = None
        self.error: QingyuError | None = None
        self.infos: list[TokenInfo] | None = None if request.logprobs is None else []
        self.end_logprob = 0.0
        # Of the prompt's own tokens, when they were asked for.
        self.scores: PromptScores | None = None
        if request.prompt_logprobs is not None:
            self.scores = PromptScores(
                list(prompt), request.prompt_logprobs, tokenizer, adapter=request.adapter
            )
        self._end_tokens = end_tokens
        room = context - len(prompt)
        wanted = request.max_tokens
        self._limit: Limit = "context" if wanted is None or wanted > room else "max_tokens"
        self._full = len(prompt) + (room if wanted is None else min(wanted, room))
        self._tokenizer = tokenizer
        shown = () if request.grammar is None else request.grammar.shown
        self._decoder = TextStream(tokenizer, shown=shown)
        self._stops = StopStrings(request.stop) if request.stop else None
        self._pieces: list[str] = []
        self._num_taken = 0
        self._complete: bool | None = None
        self._stop_reason: StopReason | None = None
        self._stop: str | int | None = None

    @property
    def tokens(self) -> tuple[int, ...]:
        """The tokens generated so far."""
        return tuple(self.history[self.num_prompt :])

    @property
    def pending(self) -> int:
        """Tokens known and not yet computed, at least one while it runs."""
        return len(self.history) - self.computed

    @property
    def scoring(self) -> bool:
        """Whether log-probabilities of the prompt are still wanted."""
        return self.scores is not None and not self.scores.complete

    @property
    def reusable(self) -> int:
        """How many known tokens need no forward if they are in the cache: all but the last,
        and but those whose logits are wanted."""
        if self.scores is not None and not self.scores.complete:
            return len(self.scores.infos)
        return len(self.history) - 1

    @property
    def room(self) -> int:
        """Tokens that may still follow."""
        return self._full - len(self.history)

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
            logprobs=None if self.infos is None else tuple(self.infos),
            end_logprob=self.end_logprob,
            prompt_logprobs=None if self.scores is None else tuple(self.scores.infos),
            constraint_complete=self._complete,
            forward_passes=self.forward_passes,
            prefill_seconds=self.prefill_seconds,
            decode_seconds=self.decode_seconds,
            decode_tokens=self.decode_tokens,
        )

    @property
    def has_news(self) -> bool:
        """Whether `take` would give something."""
        return len(self._pieces) > self._num_taken

    def take(self) -> str:
        """Text that is new since the last call; "" if there is none."""
        pieces = self._pieces[self._num_taken :]
        self._num_taken += len(pieces)
        return pieces[0] if len(pieces) == 1 else "".join(pieces)

    def choose(self, logits: NDArray[np.float32]) -> int:
        """The next token, from logits [vocab], which are changed when there is a constraint."""
        if self.infos is None:
            info = None
        else:
            assert self.request.logprobs is not None
            info = likeliest(logits, self.request.logprobs)
        if self.constraint is not None:
            self.constraint.apply(logits)
        token = self.sampler(logits)
        if info is not None:
            self._record(token, *info)
        self._accept(token)
        return token

    def begin(self) -> None:
        """Take what is known before the first forward."""
        if self.room > 0:
            self.force()
        elif not self.scoring:
            self._finish("length")

    def places(self, count: int) -> range:
        """Of the next `count` tokens to compute, the places whose logits `score` wants."""
        return range(0) if self.scores is None else self.scores.places(self.computed, count)

    def score(self, logits: NDArray[np.float32]) -> None:
        """Logits [places, vocab] of the prompt; without anything to generate they may be all."""
        assert self.scores is not None
        self.scores.take(logits)
        if self.scores.complete and self.room <= 0:
            self.forward_passes += 1
            self._finish("length")

    def force(self) -> None:
        """Take the tokens the constraint leaves no choice about."""
        if self.constraint is None or self.infos is not None:
            return
        for token in self.constraint.forced():
            if self.finished:
                break
            self.sampler.skip(token)
            self._accept(token)

    def _accept(self, token: int) -> None:
        """The next token is known."""
        if self.constraint is not None:
            self.constraint.accept(token)
        if token in self._end_tokens:
            self._finish("end")
            return
        if token in self.request.stop_tokens:
            self._stop = token
            self._finish("stop")
            return
        self.history.append(token)
        if self._show(self._decoder.push(token)):
            self._end("stop")
        elif self.constraint is not None and self.constraint.finished:
            self._finish("end")
        elif len(self.history) == self._full:
            self._finish("length")

    def _record(
        self,
        token: int,
        row: NDArray[np.float32],
        ids: NDArray[np.int32],
        values: NDArray[np.float32],
        total: float,
    ) -> None:
        """Keep the log-probability of a token that will show, and of the likeliest. Beside those
        of a prompt there is one for each token, the end as well."""
        shown = token not in self._end_tokens and token not in self.request.stop_tokens
        info = token_info(self._tokenizer, token, row, ids, values, total)
        if self.infos is not None and (shown or self.scores is not None):
            self.infos.append(info)
        if not shown:
            self.end_logprob = info.logprob

    def cancel(self) -> None:
        """It shall not go on. What it has stays readable."""
        if self._stop_reason is None:
            self._finish("cancelled")

    def fail(self, error: QingyuError) -> None:
        """It cannot go on; `result` raises the error."""
        self.error = error
        self._end("cancelled")

    def _finish(self, reason: StopReason) -> None:
        """Let out what was held back; it may still hold a stop string."""
        if self._show(self._decoder.flush()):
            reason = "stop"
        elif self._stops is not None:
            self._append(self._stops.release())
        self._end(reason)

    def _end(self, reason: StopReason) -> None:
        if self.constraint is not None:
            self._complete = self.constraint.complete
        # Last: a reader in another thread that sees it then finds everything else in place.
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
