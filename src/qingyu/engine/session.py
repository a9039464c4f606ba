"""Generates for several prompts at once, one forward after the other.

    with model.session() as session:
        one, two = session.add(tokens, max_tokens=20), session.add(others, temperature=1.0)
        while session.step():
            print(one.take(), two.take())

A step is one forward: the next token of every generation that has its prompt computed, and a
chunk of the prompts that have not. `Model.generate` is a session of one; `scheduler.py` steps
one session for many users. What a generation yields does not depend on its company: rows of a
forward do not see each other, and every generation has its own sampler.

A prompt that begins as another's that is being computed waits until that part is there, and
shares it. When pages are short the newest generation waits and is computed again later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Unpack

import numpy as np
from numpy.typing import NDArray

from qingyu.engine.core import Core
from qingyu.engine.generation import Generation
from qingyu.engine.logprobs import KnownScores
from qingyu.engine.masks import compute_masks
from qingyu.engine.prefix import common_length
from qingyu.engine.request import Options, Request, checked_tokens
from qingyu.engine.sampling import Sampler
from qingyu.engine.scoring import rows_per_forward
from qingyu.engine.speculation import MAX_GUESSES, Costs, DraftModel, DraftText, PromptLookup
from qingyu.errors import (
    ContextFullError,
    OutOfMemoryError,
    QingyuError,
)

if TYPE_CHECKING:
    from qingyu.engine.constraint import Constraint, Grammar
    from qingyu.models.tokenizer import Tokenizer

# Prompt tokens a step takes at least, however many generations decode in it.
_MIN_PROMPT_TOKENS = 32
# While others decode, a step should take no longer than this, in seconds: their pause.
_LONGEST_PAUSE = 0.1
# So few known tokens are computed at once, like the one of a decoding generation.
_SHORT = 16
# Guessing is for few at a time: with more, forwards are full anyway.
_MOST_GUESSING = 4
# Beside those who decode, log-probabilities of at most so many prompt tokens a step.
_MOST_SCORED = 64
# A prefix somebody else is computing is waited for when it is at least this long.
_WORTH_WAITING = 32


class Session:
    """See the module. Safe for threads: a step waits for its turn on the model."""

    def __init__(
        self,
        core: Core,
        tokenizer: Tokenizer,
        *,
        vocab_size: int,
        chunk_tokens: int,
        constrain: Callable[[Grammar], Constraint],
        draft: DraftModel | None = None,
    ) -> None:
        self._core = core
        self._tokenizer = tokenizer
        self._vocab_size = vocab_size
        self._chunk_tokens = chunk_tokens
        self._constrain = constrain
        self._draft = draft
        self._waiting: list[Generation] = []
        self._running: list[Generation] = []
        self._known = KnownScores()
        self._costs = Costs()
        # Prompt tokens per second of forwards that compute prompts; 0: not measured yet.
        self._prompt_rate = 0.0
        # True after one was sent back for want of pages: nobody comes in until one leaves.
        self._full = False
        # True while the cache may be ahead of the generations (an interrupt in mid-step).
        self._unsettled = False
        # Totals for whoever reports: forwards, guesses computed, and those that came true.
        self.forward_passes = 0
        self.guessed_tokens = 0
        self.confirmed_tokens = 0

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
        that cannot be, ConstraintError for a grammar that cannot be followed.
        """
        generation = self.prepare(tokens, **options)
        self.enter(generation)
        return generation

    def prepare(self, tokens: Sequence[int], **options: Unpack[Options]) -> Generation:
        """As `add`, but it does not take part until it is given to `enter`."""
        prompt = checked_tokens(tokens, self._vocab_size)
        request = Request.of(**options)
        self._core.check_adapter(request.adapter)
        limit = self._core.limit
        room = limit if request.max_tokens == 0 else limit - 1
        if len(prompt) > room:
            raise ContextFullError(prompt=len(prompt), limit=limit, room=room)
        if request.stop_tokens:
            checked_tokens(list(request.stop_tokens), self._vocab_size, what="stop_tokens")
        generation = Generation(
            prompt,
            request,
            sampler=Sampler(request.sampling, vocab_size=self._vocab_size, prompt=prompt),
            tokenizer=self._tokenizer,
            end_tokens=self._tokenizer.eos_ids,
            context=self._core.limit,
            constraint=None if request.grammar is None else self._constrain(request.grammar),
        )
        generation.begin()
        return generation

    def enter(self, generation: Generation) -> None:
        """A prepared generation takes part from the next step on."""
        if not generation.finished:
            self._waiting.append(generation)

    def step(self) -> list[Generation]:
        """One forward. Returns the generations that were in it; none when all have finished.

        Raises OutOfMemoryError when pages are short even for one alone (nothing has changed
        then), QingyuError when the model was closed. What goes wrong for one generation alone
        ends that one, and its `result` raises it.
        """
        with self._core as core:
            if self._unsettled:
                self._settle(core)
            if self._waiting:
                self._admit(core)
            if not self._running:
                return []
            parts, logits, seconds = self._forward(core)
            row = 0
            ended = False
            for generation, count in parts:
                scored = len(generation.places(count))
                if scored:
                    generation.score(logits[row : row + scored])
                    row += scored
                rows = 1 + len(generation.guesses)
                if generation.pending > count or generation.finished:
                    row += generation.pending == count
                    ended = ended or generation.finished
                    generation.computed += count
                    generation.prefill_seconds += seconds
                    continue
                self._choose(core, generation, logits[row : row + rows], seconds)
                row += rows
                ended = ended or generation.finished
            if ended:
                self._retire(core)
            self._unsettled = False
        for generation, _ in parts:
            progress = generation.request.progress
            if progress is not None and generation.forward_passes <= 1:
                progress(generation.computed_of_prompt, generation.num_prompt)
        return [generation for generation, _ in parts]

    def cancel(self, generation: Generation) -> None:
        """End a generation; waits for the forward that runs. Its pages are parked."""
        self.end(generation, None)

    def end(self, generation: Generation, error: QingyuError | None) -> None:
        """As `cancel`; with an error, its result raises that."""
        if generation.finished:
            return
        try:
            with self._core as core:
                _stop(generation, error)
                self._retire(core)
        except QingyuError:
            if not self._core.closed:
                raise
            _stop(generation, error)

    def close(self) -> None:
        """Cancel all that runs."""
        for generation in self.generations:
            self.cancel(generation)

    def _admit(self, core: Core) -> None:
        """Give those who wait a sequence, with what is there of their prompts."""
        if self._full and self._running:
            return
        self._full = False
        for generation in list(self._waiting):
            if generation.finished:
                self._waiting.remove(generation)
                continue
            if generation.scores is not None:
                self._known.fill(generation.scores)
            source, shared = self._shared(generation)
            if source is not None and source.computed < shared:
                continue
            opened = self._open(core, generation, source, shared)
            if self._running and not self._fits(core, generation, opened[1]):
                core.park(opened[0], generation.history)
                self._full = True
                return
            generation.sequence, generation.computed = opened
            if generation.scores is not None:
                self._known.keep(generation.scores)
            if generation.forward_passes == 0:
                generation.cached_tokens = min(generation.computed, generation.num_prompt)
            self._running.append(generation)
            self._waiting.remove(generation)

    def _fits(self, core: Core, generation: Generation, computed: int) -> bool:
        """Whether there are pages for all that is known of the running texts and of this one,
        `computed` of it done; parked ones go for it, since they would have to anyway."""
        page = core.native.page_tokens
        needed = 1 + (len(generation.history) - computed) // page
        needed += sum(1 + one.pending // page for one in self._running)
        while core.native.pages_free < needed:
            if not core.evict():
                return False
        return True

    def _shared(self, generation: Generation) -> tuple[Generation | None, int]:
        """The running generation that begins most like this one, and how many tokens they
        share: enough more than what is parked to be worth it. Of equals the one that has most
        of it computed: the newest would be waited for again and again."""
        adapter = generation.request.adapter
        cached = min(self._core.cached(generation.history, adapter), generation.reusable)
        least = cached + _WORTH_WAITING
        tokens = generation.history[:-1]
        asked = generation.request.prompt_logprobs
        found = [
            (shared, min(one.computed, shared), one)
            for one in self._running
            if one.request.adapter == adapter
            if not generation.scoring or one.request.prompt_logprobs == asked
            if (shared := common_length(tokens, one.history[: one.num_prompt])) >= least
        ]
        if not found:
            return None, 0
        shared, _, source = max(found, key=lambda one: one[:2])
        return source, shared

    def _open(
        self, core: Core, generation: Generation, source: Generation | None, shared: int
    ) -> tuple[int, int]:
        if source is not None:
            try:
                shared = min(shared, generation.reusable)
                return core.fork(source.sequence, shared), shared
            except OutOfMemoryError:
                pass
        known = generation.history[: generation.reusable + 1]
        return core.open(known, generation.request.adapter)

    def _forward(
        self, core: Core
    ) -> tuple[list[tuple[Generation, int]], NDArray[np.float32], float]:
        """One forward: its parts (generation, tokens known before), logits [R, V], seconds."""
        guessing = True
        while True:
            parts = self._plan(guessing=guessing)
            tokens: list[int] = []
            sequences: list[int] = []
            outputs: list[int] = []
            masks: list[Constraint] = []
            for one, count in parts:
                start = one.computed
                size = count + len(one.guesses)
                outputs += (len(tokens) + place - start for place in one.places(count))
                tokens += one.history[start : start + count]
                tokens += one.guesses
                sequences += [one.sequence] * size
                if one.pending == count:
                    outputs += range(len(tokens) - 1 - len(one.guesses), len(tokens))
                    if one.constraint is not None:
                        masks.append(one.constraint)
            computing = compute_masks(masks)
            self._unsettled = True
            started = time.perf_counter()
            try:
                logits = core.forward(
                    np.array(tokens, dtype=np.int32),
                    np.array(sequences, dtype=np.int32),
                    np.array(outputs, dtype=np.int32),
                )
            except OutOfMemoryError:
                self._unsettled = False
                if any(one.guesses for one, _ in parts):
                    guessing = False
                    continue
                if len(self._running) == 1:
                    raise
                self._send_back(core)
                continue
            finally:
                if computing is not None:
                    computing.result()
            seconds = time.perf_counter() - started
            self.forward_passes += 1
            scoring = any(one.scoring for one, _ in parts)
            if len(outputs) == len(tokens) and not scoring:
                self._costs.observe(len(tokens), seconds)
            elif len(tokens) >= _MIN_PROMPT_TOKENS:
                rate = len(tokens) / seconds
                self._prompt_rate += (rate - self._prompt_rate) * (0.3 if self._prompt_rate else 1)
            return parts, logits, seconds

    def _plan(self, *, guessing: bool) -> list[tuple[Generation, int]]:
        """What the next forward computes: all known tokens of those who have few, with
        guesses after them, then prompts."""
        few = max(1, min(_SHORT, self._chunk_tokens // 4))
        short = [one for one in self._running if one.pending <= few and not one.scoring]
        long = [one for one in self._running if one.pending > few or one.scoring]
        self._guess(short, guessing and not long)
        parts = [(one, one.pending) for one in short]
        if not long:
            return parts
        room = self._chunk_tokens
        if short:
            used = sum(count + len(one.guesses) for one, count in parts)
            room = min(room - used, int(self._prompt_rate * _LONGEST_PAUSE) or room)
        if any(one.scoring for one in long):
            rows = rows_per_forward(self._vocab_size, self._chunk_tokens)
            room = min(room, rows - len(parts), _MOST_SCORED if short else room)
        room = max(room, min(_MIN_PROMPT_TOKENS, self._chunk_tokens))
        return parts + _share_out(long, room)

    def _guess(self, short: list[Generation], wanted: bool) -> None:
        """Let generations guess ahead, as far as that has paid."""
        for one in short:
            one.guesses = []
        if not wanted or len(short) > _MOST_GUESSING:
            return
        chances = []
        guesses: list[list[int]] = []
        for one in short:
            if not one.request.speculate or one.forward_passes == 0:
                chances.append((0.0, 0, 0.0))
                guesses.append([])
                continue
            if one.guesser is None:
                one.guesser = PromptLookup() if self._draft is None else DraftText(self._draft)
            most = max(0, min(MAX_GUESSES, one.room - 1))
            # What is guessed for nothing is compared with what comes even if not computed.
            free = one.guesser.guess(one.history, most) if self._draft is None else []
            if one.constraint is not None:
                free = free[: one.constraint.valid_prefix(free)]
            guesses.append(free)
            count = len(free) if self._draft is None else most
            chances.append((one.guesser.chance, count, one.guesser.seconds))
            one.shadow = free
        best = self._costs.best(chances, sum(one.pending for one in short))
        for one, free, (_, count, _) in zip(short, guesses, chances, strict=True):
            if not best or not count:
                continue
            assert one.guesser is not None
            free = free or one.guesser.guess(one.history, min(best, count))
            one.guesses = one.shadow = free[:best]

    def _choose(
        self, core: Core, one: Generation, logits: NDArray[np.float32], seconds: float
    ) -> None:
        """The next tokens of one generation, from logits [1 + guesses, V]."""
        before, first = len(one.history), one.forward_passes == 0
        chosen: list[int] = []
        one.forward_passes += 1
        try:
            for row in range(len(logits)):
                chosen.append(one.choose(logits[row]))
                if one.finished or row == len(one.guesses) or chosen[-1] != one.guesses[row]:
                    break
            if not one.finished:
                one.force()
        except QingyuError as error:
            one.fail(error)
        if one.guesser is not None and chosen:
            one.guesser.learn(one.shadow, chosen)
            one.shadow = []
        one.computed = before
        if one.guesses:
            self.guessed_tokens += len(one.guesses)
            self.confirmed_tokens += len(chosen) - 1
            one.computed = min(before + len(chosen) - 1, len(one.history))
            core.native.truncate(one.sequence, one.computed)
            one.guesses = []
        if first:
            one.prefill_seconds += seconds
        else:
            one.decode_seconds += seconds
            # The end token is not in the history, but was computed like any other.
            one.decode_tokens += max(len(chosen), len(one.history) - before)

    def _send_back(self, core: Core) -> None:
        """Pages are short: the newest makes room, and is computed again when there is some."""
        newest = self._running.pop()
        core.park(newest.sequence, newest.history)
        newest.sequence, newest.computed = -1, 0
        self._waiting.insert(0, newest)
        self._full = True

    def _retire(self, core: Core) -> None:
        """Park the sequences of those that have finished."""
        running = []
        for generation in self._running:
            if generation.finished:
                core.park(generation.sequence, generation.history)
                if generation.guesser is not None:
                    generation.guesser.close()
                self._full = False
            else:
                running.append(generation)
        self._running = running
        # In place: another thread may be adding.
        for generation in [one for one in self._waiting if one.finished]:
            self._waiting.remove(generation)

    def _settle(self, core: Core) -> None:
        """After an interrupt between a forward and what follows it: ask the cache how far it
        is. A token whose logits were lost is computed again."""
        for generation in self._running:
            length = core.native.length(generation.sequence)
            if length > generation.reusable:
                length = generation.reusable
                core.native.truncate(generation.sequence, length)
            generation.computed = length
        self._retire(core)
        self._unsettled = False


def _share_out(prompts: list[Generation], room: int) -> list[tuple[Generation, int]]:
    """How many tokens of which prompts to compute. Half of the room is for whoever waits
    longest, so that everybody gets there; the rest goes to the shortest, which are soon done."""
    oldest = prompts[0]
    counts = {id(oldest): min(oldest.pending, -(-room // 2))}
    room -= counts[id(oldest)]
    for one in sorted(prompts, key=lambda one: one.pending):
        taken = counts.get(id(one), 0)
        more = min(one.pending - taken, room)
        counts[id(one)] = taken + more
        room -= more
    return [(one, counts[id(one)]) for one in prompts if counts[id(one)]]


def _stop(generation: Generation, error: QingyuError | None) -> None:
    if error is None:
        generation.cancel()
    else:
        generation.fail(error)
