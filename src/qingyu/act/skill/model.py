"""The skill model: a marked sentence in, its form out, under a grammar made for that sentence.

    skill = SkillModel(qingyu.load("skill.gguf"))
    skill.form("", marker.mark("把台灯调到一半", state, now))  # set <light>1 brightness <percent>2

What it is trained on is made by `lines.py` with the same prompt.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from qingyu.act.forms.grammar import Pending, form_grammar
from qingyu.act.forms.reader import parse_form
from qingyu.errors import ContextFullError, InvalidRequestError

if TYPE_CHECKING:
    from qingyu.act.forms.terms import Form
    from qingyu.act.marks.mark import Marked
    from qingyu.engine.model import Model

SHIPPED = Path(__file__).parent / "skill.gguf"
"""The model that comes with the package, where it does."""
NO_SKILL = "none"
_CONTEXT = 1024
LONGEST = 160
"""Tokens of a form; five orders in one sentence have about 80."""


def prompt_of(context: str, marked_text: str) -> str:
    """What the model is told: the turn before, and the sentence."""
    return f"{context}\n{marked_text}"


def pending_of(context: str) -> Pending:
    """What the turn before has asked, as the end of a context line says it."""
    asked = context.rpartition("|")[2].strip() if "|" in context else ""
    return next((one for one in get_args(Pending) if one and one == asked), "")


class SkillModel:
    """adapter: name of the adapter of `model` that is the skill; None: the model itself is."""

    def __init__(self, model: Model, *, adapter: str | None = None) -> None:
        self._model, self._adapter = model, adapter

    def form(self, context: str, marked: Marked) -> Form | None:
        """The likeliest form, chosen token by token. None where nothing was said, where the
        sentence does not fit, or where the form has no end. Raises QingyuError of the engine."""
        if not marked.text.strip():
            return None
        asked = [{"role": "user", "content": prompt_of(context, marked.text)}]
        grammar = form_grammar(marked, pending=pending_of(context))
        try:
            with self._model.chat(
                asked, lark=grammar, max_tokens=LONGEST, adapter=self._adapter
            ) as stream:
                text = "".join(stream)
                stopped = stream.result.stop_reason
        except ContextFullError:
            return None
        if stopped != "end":
            return None
        try:
            return parse_form(text)
        except InvalidRequestError:  # what the grammar lets through and no reader takes
            return None


@contextmanager
def open_skill(choice: str | None = None) -> Iterator[tuple[SkillModel | None, dict[str, Any]]]:
    """A skill model and what it is, for the record: file name and sha256.

    choice: a .gguf file or a model's name; "none"; None for the one that ships. (None, {}) where
    there is none. Raises as `qingyu.load` does.
    """
    if choice == NO_SKILL or (choice is None and not SHIPPED.exists()):
        yield None, {}
        return
    from qingyu.engine.loading import load
    from qingyu.models.store import model_hash

    file = choice or SHIPPED
    with load(file, context=_CONTEXT, kv_tokens=2 * _CONTEXT) as model:
        path = model.info.path
        identity = {"model": model.info.name, "sha256": model_hash(path) if path else ""}
        yield SkillModel(model), identity
