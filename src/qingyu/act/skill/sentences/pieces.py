"""A sentence in the making: pieces of text, some of which are mentions that the form points at.

    said = assemble([Piece("打开"), Piece("落地灯", kind="device", type="light", ids=("light.1",))])
    said.text, said.spans        # "打开落地灯", [(0, 2), (2, 5)]

Noise changes pieces, so that a mention keeps its place and its meaning whatever becomes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["text", "device", "area", "contact", "option", "number", "class", "quote", "time"]


@dataclass
class Piece:
    """kind: "text" is open to noise, "quote" never; the others are mentions. type: of a mark;
    of a class word the class. ids: what is meant, where the marker can tell."""

    text: str
    kind: Kind = "text"
    type: str = ""
    ids: tuple[str, ...] = ()

    @property
    def is_mention(self) -> bool:
        return self.kind not in ("text", "class", "quote")


@dataclass
class Filled:
    """What stands for a slot. key: what a map's word means, "" for lists and mentions."""

    pieces: list[Piece]
    key: str = ""

    def form(self) -> str:
        """How the form has it: marks one after the other, a key, or the text itself."""
        if self.key:
            return self.key
        if not self.is_quote:
            return " ".join(f"<{one.type}:{one.text}>" for one in self.mentions())
        return "".join(one.text for one in self.pieces).strip()

    @property
    def is_quote(self) -> bool:
        """Whether the form has its text and no mark."""
        return any(one.kind == "quote" for one in self.pieces) or not self.mentions()

    def mentions(self) -> list[Piece]:
        return [one for one in self.pieces if one.is_mention]


@dataclass(frozen=True)
class Said:
    """text, and the place of each piece in it."""

    text: str
    spans: tuple[tuple[int, int], ...]
    pieces: tuple[Piece, ...] = field(default=())


def assemble(pieces: Sequence[Piece]) -> Said:
    """One text, without doubled blanks and blanks at the ends."""
    text = ""
    spans: list[tuple[int, int]] = []
    for one in pieces:
        part = one.text
        if part[:1] == " " and (not text or text[-1] in " ，。、？！"):
            part = part.lstrip(" ")
        while part[:1] in (",", ".", "?", "!") and text[-1:] == " ":
            text = text[:-1]
        if "  " in part:
            part = " ".join(part.split(" "))
        spans.append((len(text), len(text) + len(part)))
        text += part
    stripped = text.rstrip(" ")
    end = len(stripped)
    return Said(stripped, tuple((min(a, end), min(b, end)) for a, b in spans), tuple(pieces))
