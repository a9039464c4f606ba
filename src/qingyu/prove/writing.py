"""Answers a model writes, and the letters read out of them: for chat models and chains of thought.

    for answer in WritingAnswerer(model, max_tokens=512).answers(exam, questions): ...

Greedy, many texts in one session, each answer given out as soon as its text ends. A text is the
same alone and in company (promise 2), so neither the number at once nor a resumed run shows.

generate   the conversation of `exam.messages` through the model's chat template; a model
           without one is an error
cot        the same where the model has a chat template, else the plain prompt of `exam.prompt`,
           continued until the model begins another question

A text that ends by length is read like any other and marked as cut.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qingyu.engine.prefix import common_length
from qingyu.errors import ContextFullError, InvalidRequestError, TemplateError
from qingyu.prove.choices import model_identity
from qingyu.prove.exam import Answer, Exam
from qingyu.prove.extraction import extract
from qingyu.prove.questions import Question
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.engine.generation import Generation
    from qingyu.engine.model import Model

MAX_TOKENS = 512


@dataclass(frozen=True, kw_only=True)
class _Item:
    """A question's prompt; its first `shared` tokens are those of the question before."""

    question: Question
    tokens: list[int]
    shared: int
    dropped_shots: int


class WritingAnswerer:
    """See the module."""

    def __init__(
        self,
        model: Model,
        *,
        max_tokens: int = MAX_TOKENS,
        most_running: int = 32,
        template_values: Mapping[str, Any] | None = None,
        identity: Mapping[str, Any] | None = None,
    ) -> None:
        """max_tokens: of each text. most_running: texts at once; fewer when the key-value cache
        is small. template_values: further variables of the chat template, such as
        enable_thinking. identity: the model's, where it is known already; what is set here is
        added to it.

        Raises InvalidRequestError for numbers that cannot be.
        """
        limit = model.core.limit
        if not 1 <= max_tokens < limit:
            raise InvalidRequestError(
                pick(
                    f"max_tokens is {max_tokens}; with a context of {limit} it must be 1 to"
                    f" {limit - 1}",
                    f"max_tokens 为 {max_tokens}；上下文为 {limit} 时应在 1 到 {limit - 1} 之间",
                )
            )
        assert most_running >= 1, most_running
        self._model = model
        self._max_tokens = max_tokens
        self._most_running = most_running
        self._template_values = dict(template_values or {})
        template = model.template
        self.identity: Mapping[str, Any] = {
            **(model_identity(model) if identity is None else identity),
            "max_tokens": max_tokens,
            # It decides how many shots fit.
            "context": limit,
            "chat_template": None
            if template is None
            else hashlib.sha256(template.source.encode("utf-8", "surrogatepass")).hexdigest(),
            "template_values": self._template_values,
        }

    def answers(self, exam: Exam, wanted: Sequence[Question]) -> Iterator[Answer]:
        """Raises TemplateError for `generate` without a chat template, ContextFullError when a
        question alone leaves no room for `max_tokens`."""
        assert exam.method != "logits", "ChoiceAnswerer is for that"
        if exam.method == "generate" and self._model.template is None:
            name = self._model.info.name
            raise TemplateError(
                pick(
                    f"the method generate needs a chat template, and the model {name} has none;"
                    " use the method logits or cot, or load it with a template",
                    f"generate 方法需要对话模板，而模型 {name} 没有；"
                    "请改用 logits 或 cot，或加载时指定模板",
                )
            )
        return self._write(exam, wanted)

    def _write(self, exam: Exam, wanted: Sequence[Question]) -> Iterator[Answer]:
        items = self._items(exam, wanted)
        item = next(items, None)
        stop = None if self._model.template is not None else _stops(exam)
        running: dict[Generation, _Item] = {}
        with self._model.session() as session:
            while item is not None or running:
                while item is not None and self._has_room(running.values(), item):
                    generation = session.add(item.tokens, max_tokens=self._max_tokens, stop=stop)
                    running[generation] = item
                    item = next(items, None)
                session.step()
                for generation in [one for one in running if one.finished]:
                    yield _answer(exam, running.pop(generation), generation)

    def _items(self, exam: Exam, wanted: Sequence[Question]) -> Iterator[_Item]:
        before: list[int] = []
        for question in wanted:
            tokens, dropped = self._tokens(exam, question)
            yield _Item(
                question=question,
                tokens=tokens,
                shared=common_length(before, tokens),
                dropped_shots=dropped,
            )
            before = tokens

    def _tokens(self, exam: Exam, question: Question) -> tuple[list[int], int]:
        """The prompt with as many shots as leave room for the answer, and how many do not."""
        limit = self._model.core.limit
        room = limit - self._max_tokens
        tokens: list[int] = []

        def fits(shots: Sequence[Question]) -> bool:
            nonlocal tokens
            if self._model.template is None:
                tokens = self._model.tokenizer.encode(exam.prompt(question, shots=shots).text)
            else:
                tokens = self._model.chat_tokens(
                    exam.messages(question, shots=shots), template_values=self._template_values
                )
            return len(tokens) <= room

        try:
            shots = exam.fitting_shots(question, fits)
        except ContextFullError:
            raise ContextFullError(prompt=len(tokens), limit=limit, room=room) from None
        return tokens, len(exam.shots[question.subject]) - len(shots)

    def _has_room(self, running: Collection[_Item], item: _Item) -> bool:
        """Whether all of them have pages to their last token. What questions have in common
        counts once for each subject."""
        if not running:
            return True
        if len(running) >= self._most_running:
            return False
        native = self._model.core.native
        pages = 0
        trunks: dict[str, int] = {}
        for one in (*running, item):
            own = len(one.tokens) - one.shared + self._max_tokens
            pages += own // native.page_tokens + 2
            subject = one.question.subject
            trunks[subject] = max(trunks.get(subject, 0), one.shared // native.page_tokens)
        return pages + sum(trunks.values()) <= native.pages_total


def _stops(exam: Exam) -> list[str]:
    """Where a base model's chain of thought is over: it would go on with questions of its own,
    and the last conclusion would be theirs. After shots of C-Eval, whose explanations have no
    blank line, that is one."""
    if exam.num_shots and exam.benchmark.id == "ceval":
        return ["\n\n"]
    return ["\n\n题目", "\n题目：", "\n\n以下是", "\n答案：让我们一步一步思考"]


def _answer(exam: Exam, item: _Item, generation: Generation) -> Answer:
    result = generation.result
    found = extract(result.text, benchmark=exam.benchmark.id, method=exam.method)
    return Answer(
        subject=item.question.subject,
        id=item.question.id,
        choice=found.letter,
        text=result.text,
        rule=found.rule,
        cut=result.stop_reason == "length",
        prompt_tokens=result.prompt_tokens,
        dropped_shots=item.dropped_shots,
    )
