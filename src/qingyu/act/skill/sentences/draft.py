"""A turn before noise: its pieces, and its meaning with the pieces it points at."""

from __future__ import annotations

import random
from dataclasses import dataclass

from qingyu.act.skill.sentences.fill import Filler, Lacking
from qingyu.act.skill.sentences.notation import Slot, TimePlace, expand
from qingyu.act.skill.sentences.pieces import Filled, Piece
from qingyu.act.skill.sentences.rules import SLOT, Turn, pending_of

HERE = "^"
"""The type of an empty piece where a time may stand."""


@dataclass
class Draft:
    """form: texts and what fills its slots, in order. used: ids that were mentioned."""

    pieces: list[Piece]
    form: list[str | Filled]
    pending: str
    used: set[str]

    @classmethod
    def made(cls, filler: Filler, turn: Turn, chance: random.Random) -> Draft:
        """One way to say a turn. Raises Lacking where the household has no such thing, and where
        chance left out a part of the sentence that the form needs."""
        pieces: list[Piece] = []
        for node in expand(turn.template, chance):
            if isinstance(node, str):
                pieces.append(Piece(node))
            elif isinstance(node, TimePlace):
                pieces.append(Piece("", type=HERE))
            elif isinstance(node, Slot):
                pieces += filler.fill(node.name).pieces
        form: list[str | Filled] = []
        for at, part in enumerate(SLOT.split(turn.form)):
            if at % 2 == 0:
                if part:
                    form.append(part)
            elif part in filler.filled:
                form.append(filler.filled[part])
            else:
                raise Lacking(part)
        draft = cls(pieces, form, turn.pending, filler.used)
        draft.pending = draft.pending or pending_of(draft.meaning())
        return draft

    def meaning(self) -> str:
        """The form, marks written as <type:words>."""
        return "".join(one if isinstance(one, str) else one.form() for one in self.form)

    def pointed(self) -> list[Piece]:
        """The mentions the form points at, in its order."""
        return [
            piece
            for one in self.form
            if isinstance(one, Filled) and not one.is_quote and not one.key
            for piece in one.mentions()
        ]

    @property
    def verb(self) -> str:
        first = self.form[0] if self.form else ""
        return first.split(" ")[0] if isinstance(first, str) else ""

    @property
    def asks(self) -> bool:
        return self.verb == "ask"
