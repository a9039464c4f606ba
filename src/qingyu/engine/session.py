"""Generates for several prompts at once, one forward after the other.

    with model.session() as session:
        one, two = session.add(tokens, max_tokens=20), session.add(others, temperature=1.0)
        while session.step():
            print(one.take(), two.take())

A step is one forward: the next token of every generation that has its prompt computed, and a
chunk of the prompts that have not. `Model.generate` is a session of one. What a generation
yields does not depend on its company: rows of a forward do not see each other, and every
generation has its own sampler.

A session does not decide who runs: when pages are short it raises, and whoever schedules
cancels one. Letters: N tokens in a forward, R rows of logits asked for, V vocabulary.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Unpack

import numpy as np
from numpy.typing import NDArray

from qingyu.engine.core import Core
from qingyu.engine.generation import Generation
from qingyu.engine.request import Options, Request
from qingyu.engine.sampling import Sampler
from qingyu.errors import ContextFullError, InvalidRequestError, QingyuError
from qingyu.models.tokenizer import TextStream
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.models.tokenizer import Tokenizer

# Prompt tokens a step takes at least, however many generations decode in it.
_MIN_PROMPT_TOKENS = 32


class Session:
    """See the module. Safe for threads: a step waits for its turn on the model."""

    def __init__(
        self, core: Core, tokenizer: Tokenizer, *, vocab_size: int, chunk_tokens: int
    ) -> None:
        self._core = core
        self._tokenizer = tokenizer
        self._vocab_size = vocab_size
        self._chunk_tokens = chunk_tokens
        self._waiting: list[Generation] = []
        self._running: list[Generation] = []
        # The plan while all running generations decode; None when membership changed.
        self._decode_plan: _Plan | None = None
        # True while the cache may be ahead of the generations (an interrupt in mid-step).
        self._unsettled = False

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        for generation in getattr(self, "_running", ()):
            self._core.abandon(generation.sequence)

    @property
    def generations(self) -> tuple[Generation, ...]:
        """Those not finished yet, in order of arrival."""
        return (*self._running, *self._waiting)

    def add(self, tokens: Sequence[int], **options: Unpack[Options]) -> Generation:
        """A new generation; it takes part from the next step on, and needs no page before.

        tokens: the prompt, at least one. Options: see `Options`.
        Raises ContextFullError when no new token would fit, InvalidRequestError for a value
        that cannot be.
        """
        prompt = checked_tokens(tokens, self._vocab_size)
        if len(prompt) + 1 > self._core.limit:
            limit = self._core.limit
            raise ContextFullError(prompt=len(prompt), limit=limit, room=limit - 1)
        request = Request.of(**options)
        if request.stop_tokens:
            checked_tokens(list(request.stop_tokens), self._vocab_size, what="stop_tokens")
        generation = Generation(
            prompt,
            request,
            sampler=Sampler(request.sampling, vocab_size=self._vocab_size, prompt=prompt),
            decoder=TextStream(self._tokenizer),
            end_tokens=self._tokenizer.eos_ids,
            context=self._core.limit,
        )
        self._waiting.append(generation)
        return generation

    def step(self) -> list[Generation]:
        """One forward. Returns the generations that were in it; none when all have finished.

        Raises OutOfMemoryError when pages are short (nothing has changed then: cancel a
        generation and go on), QingyuError when the model was closed. What goes wrong for one
        generation alone ends that one, and its `result` raises it.
        """
        with self._core as core:
            if self._unsettled:
                self._settle(core)
            if self._waiting:
                self._admit(core)
            if not self._running:
                return []
            started = time.perf_counter()
            plan = self._plan()
            self._unsettled = True
            logits = core.forward(plan.tokens, plan.sequences, plan.outputs)
            row = 0
            ended = False
            for generation, count in plan.parts:
                generation.computed += count
                if generation.computed == len(generation.history):
                    _choose(generation, logits[row])
                    row += 1
                    ended = ended or generation.finished
            if ended:
                self._retire(core)
            self._unsettled = False
            plan.account(time.perf_counter() - started)
        if plan.prompts:
            plan.report()
        return [generation for generation, _ in plan.parts]

    def cancel(self, generation: Generation) -> None:
        """End a generation; waits for the forward that runs. Its pages are parked."""
        if generation.finished:
            return
        try:
            with self._core as core:
                generation.cancel()
                self._retire(core)
        except QingyuError:
            if not self._core.closed:
                raise
            generation.cancel()

    def close(self) -> None:
        """Cancel all that runs."""
        for generation in self.generations:
            self.cancel(generation)

    def _admit(self, core: Core) -> None:
        """Give those who wait a sequence, with what is parked of their prompts."""
        while self._waiting:
            generation = self._waiting[0]
            generation.sequence, generation.cached_tokens = core.open(generation.history)
            generation.computed = generation.cached_tokens
            self._running.append(generation)
            self._decode_plan = None
            del self._waiting[0]

    def _plan(self) -> _Plan:
        """What the next forward computes: one token of each that decodes, then prompts."""
        plan = self._decode_plan
        if plan is None:
            decoding = [(one, 1) for one in self._running if not one.prefilling]
            plan = _Plan(decoding)
            if len(decoding) == len(self._running):
                self._decode_plan = plan
            else:
                least = min(_MIN_PROMPT_TOKENS, self._chunk_tokens)
                room = max(self._chunk_tokens - len(decoding), least)
                plan.add_prompts([one for one in self._running if one.prefilling], room)
        plan.fill()
        return plan

    def _retire(self, core: Core) -> None:
        """Park the sequences of those that have finished."""
        running = []
        for generation in self._running:
            if generation.finished:
                core.park(generation.sequence, generation.history)
            else:
                running.append(generation)
        self._running = running
        # In place: another thread may be adding.
        for generation in [one for one in self._waiting if one.finished]:
            self._waiting.remove(generation)
        self._decode_plan = None

    def _settle(self, core: Core) -> None:
        """After an interrupt between a forward and what follows it: ask the cache how far it
        is. A token whose logits were lost is computed again."""
        for generation in self._running:
            length = core.native.length(generation.sequence)
            if length == len(generation.history):
                length -= 1
                core.native.truncate(generation.sequence, length)
            generation.computed = length
        self._retire(core)
        self._unsettled = False


class _Plan:
    """One forward: which generations, with how many tokens each, and the arrays for the core.

    Arrays: tokens and sequences [N], outputs [R]. A plan in which all decode is used again
    until somebody comes or goes: only its tokens change.
    """

    def __init__(self, decoding: list[tuple[Generation, int]]) -> None:
        self.parts = decoding
        self.prompts: list[Generation] = []
        self.tokens = np.zeros(len(decoding), dtype=np.int32)
        self.sequences = np.array([one.sequence for one, _ in decoding], dtype=np.int32)
        self.outputs = np.arange(len(decoding), dtype=np.int32)
        self._decoding = [one for one, _ in decoding]

    def add_prompts(self, prompts: list[Generation], room: int) -> None:
        """Up to `room` prompt tokens, first come first served."""
        tokens, sequences = [self.tokens], [self.sequences]
        outputs = list(self.outputs)
        size = len(self.tokens)
        for one in prompts:
            count = min(one.num_prompt - one.computed, room)
            if count == 0:
                break
            tokens.append(one.prompt_array[one.computed : one.computed + count])
            sequences.append(np.full(count, one.sequence, dtype=np.int32))
            size += count
            room -= count
            if one.computed + count == one.num_prompt:
                outputs.append(np.int32(size - 1))
            self.parts.append((one, count))
            self.prompts.append(one)
        self.tokens = np.concatenate(tokens)
        self.sequences = np.concatenate(sequences)
        self.outputs = np.array(outputs, dtype=np.int32)

    def fill(self) -> None:
        """Enter the newest token of each that decodes."""
        tokens = self.tokens
        for place, one in enumerate(self._decoding):
            tokens[place] = one.history[-1]

    def account(self, seconds: float) -> None:
        """Book the time of the forward."""
        for one in self._decoding:
            one.decode_seconds += seconds
            one.decode_steps += 1
        for one in self.prompts:
            one.prefill_seconds += seconds

    def report(self) -> None:
        """Tell those who asked how far their prompts are."""
        for one in self.prompts:
            if one.request.progress is not None:
                one.request.progress(one.computed_of_prompt, one.num_prompt)


def _choose(generation: Generation, logits: NDArray[np.float32]) -> None:
    """The next token of one generation, from logits [V]."""
    try:
        generation.accept(generation.sampler(logits))
    except QingyuError as error:
        generation.fail(error)


def checked_tokens(
    tokens: Sequence[int] | NDArray[np.integer], vocab_size: int, *, what: str = "prompt"
) -> list[int]:
    """Token ids as a list of int. Raises InvalidRequestError when empty or out of range."""
    array = np.asarray(tokens)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
        raise InvalidRequestError(
            pick(
                f"{what} must be at least one token: a sequence of integers, not empty",
                f"{what} 至少要有一个词元：非空的整数序列",
            )
        )
    smallest, largest = int(array.min()), int(array.max())
    if smallest < 0 or largest >= vocab_size:
        wrong = smallest if smallest < 0 else largest
        raise InvalidRequestError(
            pick(
                f"{what} has token {wrong}, which is not in the vocabulary of {vocab_size}",
                f"{what} 中的词元 {wrong} 不在大小为 {vocab_size} 的词表中",
            )
        )
    ids: list[int] = array.tolist()
    return ids
