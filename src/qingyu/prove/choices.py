"""Answers by the next token: the likeliest of four letters. The fast way.

    for answer in ChoiceAnswerer(model).answers(exam, questions): ...

What a subject's prompts have in common (header and shots) is computed once; the questions
branch off it, several in each forward, and only their last positions give logits. What is
computed is bit for bit what one question at a time gives (promise 2).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qingyu.engine.prefix import common_length
from qingyu.errors import ContextFullError
from qingyu.prove.benchmarks import LETTERS
from qingyu.prove.exam import Answer, Exam
from qingyu.prove.letters import letter_tokens
from qingyu.prove.protocols import Prompt
from qingyu.prove.questions import Question

if TYPE_CHECKING:
    from qingyu.engine.core import Core
    from qingyu.engine.model import Model

# Tokens of a forward. The core cuts longer ones at this size.
_TOKENS = 512


@dataclass(eq=False)
class _Trunk:
    """Tokens that several questions begin with, and the sequence that holds them."""

    tokens: list[int]
    left: int  # questions that still need it
    sequence: int = -1
    computed: int = 0
    ready: bool = False  # its last forward is done


@dataclass(eq=False)
class _Item:
    """A question on its way: what follows the trunk, and how much of that is computed."""

    question: Question
    trunk: _Trunk
    tokens: list[int]
    letters: tuple[int, ...]
    dropped_shots: int
    sequence: int = -1
    computed: int = field(default=0)


class ChoiceAnswerer:
    """See the module."""

    def __init__(self, model: Model, identity: dict[str, Any] | None = None) -> None:
        self._model = model
        self.identity = identity if identity is not None else model_identity(model)

    def answers(self, exam: Exam, wanted: Sequence[Question]) -> Iterator[Answer]:
        """Raises ContextFullError when a question alone does not fit, UnsupportedModelError
        when the tokenizer has no token for each letter."""
        source = _ordered(self._groups(exam, wanted))
        queue: deque[_Trunk | _Item] = deque()
        core = self._model.core
        open_sequences: set[int] = set()
        try:
            while True:
                queue.extend(islice(source, max(0, _TOKENS - len(queue))))
                if not queue:
                    return
                yield from self._step(core, queue, open_sequences)
        finally:
            for sequence in open_sequences:
                core.abandon(sequence)

    def _groups(self, exam: Exam, wanted: Sequence[Question]) -> Iterator[list[_Item]]:
        """Questions with one trunk: consecutive ones of a subject with the same shots."""
        limit = self._model.core.limit
        encode = self._model.tokenizer.encode
        for _, rows in groupby(wanted, key=lambda one: one.subject):
            found: list[tuple[Question, Prompt, list[int], int]] = []
            for question in rows:
                prompt = exam.prompt(question)
                tokens = encode(prompt.text)
                dropped = 0
                if len(tokens) > limit:
                    prompt, tokens, dropped = self._cut(exam, question, len(tokens))
                found.append((question, prompt, tokens, dropped))
            for _, same in groupby(found, key=lambda one: one[1].shared):
                yield self._group(list(same))

    def _cut(self, exam: Exam, question: Question, whole: int) -> tuple[Prompt, list[int], int]:
        limit, encode = self._model.core.limit, self._model.tokenizer.encode
        least = [whole]

        def fits(shots: Sequence[Question]) -> bool:
            least[0] = len(encode(exam.prompt(question, shots=shots).text))
            return least[0] <= limit

        try:
            shots = exam.fitting_shots(question, fits)
        except ContextFullError:
            raise ContextFullError(prompt=least[0], limit=limit, room=limit) from None
        prompt = exam.prompt(question, shots=shots)
        return prompt, encode(prompt.text), len(exam.shots[question.subject]) - len(shots)

    def _group(self, found: list[tuple[Question, Prompt, list[int], int]]) -> list[_Item]:
        first = found[0][2]
        common = len(self._model.tokenizer.encode(found[0][1].shared))
        for _, _, tokens, _ in found:
            common = min(common_length(first[:common], tokens), len(tokens) - 1)
        trunk = _Trunk(tokens=first[:common], left=len(found))
        letters = letter_tokens(self._model.tokenizer, found[0][1].text, found[0][1].continuations)
        return [
            _Item(
                question=question,
                trunk=trunk,
                tokens=tokens[common:],
                letters=letters,
                dropped_shots=dropped,
            )
            for question, _, tokens, dropped in found
        ]

    def _step(
        self, core: Core, queue: deque[_Trunk | _Item], open_sequences: set[int]
    ) -> Iterator[Answer]:
        """One forward: as many tokens of the queue's front as go in."""
        tokens: list[int] = []
        sequences: list[int] = []
        ending: list[tuple[int, _Item]] = []
        trunks: list[_Trunk] = []
        with core:
            for part in list(queue):
                if len(tokens) == _TOKENS:
                    break
                if isinstance(part, _Item):
                    if not part.trunk.ready:
                        break  # it is in this forward
                    if part.sequence < 0:
                        part.sequence = self._branch(core, part.trunk, open_sequences)
                elif part.sequence < 0:
                    part.sequence = core.native.create()
                    open_sequences.add(part.sequence)
                more = part.tokens[part.computed : part.computed + _TOKENS - len(tokens)]
                tokens += more
                sequences += [part.sequence] * len(more)
                part.computed += len(more)
                if part.computed < len(part.tokens):
                    break
                queue.popleft()
                if isinstance(part, _Item):
                    ending.append((len(tokens) - 1, part))
                else:
                    trunks.append(part)
                    part.ready = not part.tokens  # nothing is shared
            logits = core.forward(
                np.array(tokens, dtype=np.int32),
                np.array(sequences, dtype=np.int32),
                np.array([place for place, _ in ending], dtype=np.int32),
            )
            for trunk in trunks:
                trunk.ready = True
            for _, item in ending:
                core.drop(item.sequence)
                open_sequences.discard(item.sequence)
        for row, (_, item) in zip(logits, ending, strict=True):
            yield _answer(item, row)

    def _branch(self, core: Core, trunk: _Trunk, open_sequences: set[int]) -> int:
        """A sequence that begins with the trunk: a copy, and for the last question itself."""
        trunk.left -= 1
        if trunk.left == 0:
            return trunk.sequence
        sequence = core.fork(trunk.sequence, len(trunk.tokens))
        open_sequences.add(sequence)
        return sequence


def _ordered(groups: Iterator[list[_Item]]) -> Iterator[_Trunk | _Item]:
    """Each trunk a few questions before its own, so that the forward in which it ends is filled
    by the last ones of the group before."""
    waiting: list[_Item] = []
    for group in groups:
        yield group[0].trunk
        yield from waiting
        waiting = group[-_LAST:]
        yield from group[:-_LAST]
    yield from waiting


_LAST = 4


def _answer(item: _Item, logits: NDArray[np.float32]) -> Answer:
    a, b, c, d = values = letter_log_probs(logits, item.letters)
    return Answer(
        subject=item.question.subject,
        id=item.question.id,
        choice=LETTERS[values.index(max(values))],
        log_probs=(a, b, c, d),
        prompt_tokens=len(item.trunk.tokens) + len(item.tokens),
        dropped_shots=item.dropped_shots,
    )


def letter_log_probs(
    logits: NDArray[np.float32], letters: Sequence[int]
) -> tuple[float, float, float, float]:
    """Natural-log probabilities of four tokens under logits [V]: as `scoring.log_probs`, with
    one sum for all."""
    wide = logits.astype(np.float64)
    wide -= wide.max()
    a, b, c, d = (float(wide[token]) for token in letters)
    total = math.log(float(np.exp(wide, out=wide).sum()))
    return a - total, b - total, c - total, d - total


def model_identity(model: Model) -> dict[str, Any]:
    """What a journal and a result say of a model of the engine."""
    info = model.info
    return {
        "name": info.name,
        "sha256": model.file_hash(),
        "bytes": info.file_bytes,
        "parameters": info.parameters,
        "family": info.family,
        "types": dict(info.tensor_types),
        "activation_bits": info.activation_bits,
    }
