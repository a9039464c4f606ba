"""The skill model: a marked sentence in, its form out, under a grammar made for that sentence.

    skill = SkillModel(qingyu.load("skill.gguf"))
    skill.form("", marker.mark("把台灯调到一半", state, now))  # set <light>1 brightness <percent>2

What it is trained on is made by `lines.py` with the same prompt.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from qingyu.act.forms.grammar import Pending, form_grammar
from qingyu.act.forms.reader import parse_form
from qingyu.act.forms.terms import (
    Adjust,
    Ask,
    Clause,
    Clean,
    Orders,
    Plain,
    Pointer,
    Serve,
    Set,
    Turn,
    Walk,
    Wish,
)
from qingyu.act.marks.cutting import cuts, is_bare, is_except, part
from qingyu.errors import ContextFullError, InvalidRequestError, ModelNotFoundError
from qingyu.models.hashes import hash_file
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.act.forms.terms import Form
    from qingyu.act.marks.mark import Marked
    from qingyu.engine.generation import Generation
    from qingyu.engine.model import Model
    from qingyu.engine.results import Result

SHIPPED = Path(__file__).parent / "skill.gguf"
"""The model that comes with the package, where it does."""
NO_SKILL = "none"
BASE = "default"
"""The model that an adapter goes beside."""
_ADAPTER = "skill"
_CONTEXT = 1024
WIDEST = 3
"""Pieces that are read together, but for the whole sentence."""
_THANKS = re.compile(
    r"(?:ah |oh |oh yes |哎|哦|嗯)*(?:thanks|thank you|cheers|谢谢|多谢)\b|谢谢|多谢"
)
TALK = -2.5
"""Where conversation is found likelier than this for the whole sentence, as a natural logarithm,
nothing is done: the smaller mistake. But questions, a stop, and what wants a yes stay what they
are."""
_ASKED_FIRST = ("call", "send", "go", "follow")
_LIKELIEST = 20
"""Of the first tokens, among which conversation is looked for."""
PARTED = 1.0
"""How much likelier the pieces of a sentence with an exception must be than the whole, as a natural
logarithm for each cut."""
_LEADING = re.compile(
    r"(?:at|in|when|after|on|from|every|once|so|and|then|please|到|等到?|过|在|那|就|请|帮我|[ ,])*"
    r"<(?:time|day|duration)>1"
)
"""A piece that begins with its time."""
_NOW = re.compile(
    r"\b(?:now|right away|straight away|immediately|at once)\b|现在|马上|立刻|立即|这就"
)
_ENDED = re.compile(r"[.!?。]")
"""Between pieces: what comes is a sentence of its own."""
_TALK = parse_form("talk")
_POINTED = re.compile(r"<([a-z_]+(?:\.[a-z0-9_]+)?)>([1-9])")
LONGEST = 160
"""Tokens of a form; five orders in one sentence have about 80."""


SYSTEM = "form"
"""The system message: one token, where a template's own would be longer than most sentences."""


def prompt_of(context: str, marked_text: str) -> list[dict[str, str]]:
    """What the model is told: the turn before, and the sentence."""
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": f"{context}\n{marked_text}"},
    ]


def pending_of(context: str) -> Pending:
    """What the turn before has asked, as the end of a context line says it."""
    asked = context.rpartition("|")[2].strip() if "|" in context else ""
    return next((one for one in get_args(Pending) if one and one == asked), "")


class _Said(NamedTuple):
    """What the model makes of a piece. likely: natural log of how likely it found the form, its
    end too, before the grammar. talk: of how likely, that it is conversation."""

    form: Form
    likely: float
    talk: float


class _Way(NamedTuple):
    """How a sentence is read up to some place. context: for the piece that comes next. when: a
    time that was said before its order, so that what follows is for then as well. talk: how likely
    the last piece is conversation."""

    likely: float
    forms: tuple[Form, ...]
    context: str
    when: Pointer | None = None
    talk: float = -math.inf


class SkillModel:
    """adapter: name of the adapter of `model` that is the skill; None: the model itself is."""

    def __init__(self, model: Model, *, adapter: str | None = None) -> None:
        self._model, self._adapter = model, adapter

    def form(self, context: str, marked: Marked) -> Form | None:
        """The likeliest form, of the sentence as a whole or of the pieces it can be cut into.
        None where nothing was said, where the sentence does not fit, or where no form has an end.
        Raises QingyuError of the engine."""
        if not marked.text.strip():
            return None
        pieces = cuts(marked)
        ways = {0: _Way(0.0, (), context)}
        talk = -math.inf
        for start in range(len(pieces)):
            if start in ways:
                for end, way in self._further(ways[start], marked, pieces, start):
                    if not start and end == len(pieces):
                        talk = way.talk
                    if end not in ways or way.likely > ways[end].likely:
                        ways[end] = way
        best = ways.get(len(pieces))
        if best is None:
            return None
        form = _together(best.forms)
        doubtful = talk > TALK and not pending_of(context)
        return _TALK if doubtful and _is_done(form) else form

    def _further(
        self, before: _Way, marked: Marked, pieces: list[tuple[int, int]], start: int
    ) -> Iterator[tuple[int, _Way]]:
        """How it may go on from a piece: to which other piece, and the way up to there."""
        ends = [
            end
            for end in range(start + 1, len(pieces) + 1)
            if end - start <= WIDEST or (not start and end == len(pieces))
            if not is_bare(marked, pieces[start:end]) or end - start == len(pieces)
        ]
        parts = [part(marked, pieces[start][0], pieces[end - 1][1]) for end in ends]
        if ends and ends[-1] - start == len(pieces):
            parts[-1] = (marked, tuple(range(1, len(marked.marks) + 1)))
        said = self._said([(before.context, one) for one, _ in parts])
        cost = PARTED if start and is_except(marked.text) else 0.0
        if start and _ENDED.search(marked.text, pieces[start - 1][1], pieces[start][0]):
            before = before._replace(when=None)
        for end, one, (piece, numbers) in zip(ends, said, parts, strict=True):
            if one is not None:
                likely = before.likely + one.likely - cost
                way = _after(before, one.form, piece, numbers, likely)
                yield end, way._replace(talk=one.talk)

    def _said(self, asked: Sequence[tuple[str, Marked]]) -> list[_Said | None]:
        """A form for each piece, chosen token by token; None where it has no end or no room."""
        generations: list[Generation | None] = []
        with self._model.session() as session:
            for context, marked in asked:
                tokens = self._model.chat_tokens(prompt_of(context, marked.text))
                grammar = form_grammar(marked, pending=pending_of(context))
                try:
                    generations.append(
                        session.add(
                            tokens,
                            lark=grammar,
                            max_tokens=LONGEST,
                            logprobs=_LIKELIEST,
                            adapter=self._adapter,
                        )
                    )
                except ContextFullError:
                    generations.append(None)
            while session.step():
                pass
        return [
            None if one is None else _read(one.result, marked.text)
            for one, (_, marked) in zip(generations, asked, strict=True)
        ]


def _read(result: Result, text: str) -> _Said | None:
    if result.stop_reason != "end":
        return None
    assert result.logprobs is not None
    try:
        likely = sum(one.logprob for one in result.logprobs) + result.end_logprob
        form = parse_form(result.text)
        thanks = _THANKS.match(text) is not None
        first = result.logprobs[0].top if result.logprobs else ()
        talk = max((one for _, raw, one in first if raw == b"talk"), default=-math.inf)
        return _Said(_TALK if thanks and _is_wish(form) else form, likely, talk)
    except InvalidRequestError:  # what the grammar lets through and no reader takes
        return None


def _is_wish(form: Form) -> bool:
    return isinstance(form, Orders) and all(isinstance(one.body, Wish) for one in form.clauses)


def _is_done(form: Form) -> bool:
    """Whether it does something at once: no question, no stop, nothing that wants a yes first."""
    return isinstance(form, Orders) and any(
        not isinstance(one.body, Ask | Walk | Turn)
        and one.body != Plain("halt")
        and not (isinstance(one.body, Serve) and one.body.verb in _ASKED_FIRST)
        for one in form.clauses
    )


def _after(
    before: _Way, form: Form, piece: Marked, numbers: tuple[int, ...], likely: float
) -> _Way:
    """A way one piece on. numbers: of the piece's marks in the whole sentence."""
    text = str(form)
    if form == _TALK and before.context:
        return before._replace(likely=likely)
    whole = parse_form(_POINTED.sub(lambda one: f"<{one[1]}>{numbers[int(one[2]) - 1]}", text))
    when = before.when
    if isinstance(whole, Orders):
        own = [one.when for one in whole.clauses if one.when is not None]
        if own:
            when = own[0] if _LEADING.match(piece.text) else None
        elif _NOW.search(piece.text):
            when = None
        elif when is not None:
            whole = Orders(tuple(_put_off(one, when) for one in whole.clauses))
    context = f"{_POINTED.sub(lambda one: f'<{one[1]}>', text)} |"
    return _Way(likely, (*before.forms, whole), context, when)


def _put_off(clause: Clause, when: Pointer) -> Clause:
    """What devices are to do, for the same time; whatever else is for now."""
    later = isinstance(clause.body, Plain | Set | Adjust | Clean) and clause.body != Plain("halt")
    return replace(clause, when=when) if later else clause


def _together(forms: tuple[Form, ...]) -> Form:
    """One form of all pieces."""
    orders = [one for one in forms if isinstance(one, Orders)]
    if len(forms) == 1 or not orders:
        return next((one for one in forms if one != _TALK), _TALK)
    return Orders(tuple(clause for one in orders for clause in one.clauses))


def skill_files(choice: str | None = None) -> tuple[Path, ...]:
    """The files that `open_skill` reads; none where the one that ships lacks the default model.
    Raises ModelNotFoundError for another that is not there."""
    from qingyu.models.adapter import is_adapter
    from qingyu.models.store import locate

    if choice == NO_SKILL or (choice is None and not SHIPPED.exists()):
        return ()
    file = SHIPPED if choice is None else locate(choice)
    try:
        return (file, locate(BASE)) if is_adapter(file) else (file,)
    except ModelNotFoundError:
        if choice is not None:
            raise
        return ()


def what_is_missing(choice: str | None = None) -> str:
    """What to tell whoever gets no skill model and has not asked for none; else ""."""
    if choice is not None or skill_files():
        return ""
    return pick(
        f"without the default model only set sentences are understood: qingyu pull {BASE}",
        f"没有默认模型，只能听懂固定句式；取得它：qingyu pull {BASE}",
    )


@contextmanager
def open_skill(choice: str | None = None) -> Iterator[tuple[SkillModel | None, dict[str, Any]]]:
    """A skill model and what it is, for the record: its base's name and hashes of the files.

    choice: a .gguf file (an adapter of the default model, or a whole model) or a model's name;
    "none"; None for the one that ships. (None, {}) where there is none, and where the default model
    is not there for the one that ships (`what_is_missing`). Raises as `qingyu.load` does.
    """
    files = skill_files(choice)
    if not files:
        yield None, {}
        return
    from qingyu.engine.loading import load
    from qingyu.models.store import model_hash

    file, *base = files
    with load(
        base[0] if base else file,
        context=_CONTEXT,
        kv_tokens=2 * _CONTEXT,
        adapters={_ADAPTER: file} if base else None,
    ) as model:
        identity = {"model": model.info.name, "sha256": hash_file(file)[0]}
        if base:
            identity["base"] = model_hash(base[0])
        yield SkillModel(model, adapter=_ADAPTER if base else None), identity
