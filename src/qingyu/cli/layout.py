"""Text laid out for a terminal in columns, where a Chinese character takes two.

    print(two_columns([("--seed", "random seed")], total=80))

Knows nothing of commands or colours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

# A piece that a line may be broken after: a run of spaces with its word, or one wide character
# with the punctuation that must not begin a line.
_PIECES = re.compile(
    r"\s+|[^\s\u2e80-\u9fff\uff00-\uffef]+[，。；：、！？）」]*|.[，。；：、！？）」]*", re.DOTALL
)


def width(text: str) -> int:
    """Columns that text takes in a terminal."""
    return sum(
        0 if unicodedata.combining(character) else 2 if is_wide(character) else 1
        for character in text
    )


def is_wide(character: str) -> bool:
    """Whether a character takes two columns."""
    return unicodedata.east_asian_width(character) in ("W", "F")


def pad(text: str, columns: int) -> str:
    """Text with spaces behind it, up to a width."""
    return text + " " * max(0, columns - width(text))


def clip(text: str, columns: int) -> str:
    """Text cut to a width, with … for what is missing."""
    if width(text) <= columns:
        return text
    while width(text) > columns - 1:
        text = text[:-1]
    return text + "…"


def wrap(text: str, columns: int) -> list[str]:
    """Lines of at most `columns`; paragraphs (empty lines) and line breaks are kept."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for piece in _PIECES.findall(paragraph):
            if line and width(line) + width(piece.rstrip()) > columns:
                lines.append(line.rstrip())
                line = ""
                if piece.isspace():
                    continue
            line += piece
        lines.append(line.rstrip())
    return lines


class Flow:
    """Breaks streamed text between words instead of inside them.

    flow = Flow(80); write(flow.push(piece)); ...; write(flow.rest())

    A word is held back until it is whole. Inside ``` fences lines are left alone, because a
    line break put into code would be copied with it.
    """

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._column = 0
        self._word = ""
        self._line_start = ""  # its first three characters, where a fence would be
        self._fenced = False

    def push(self, piece: str) -> str:
        """What can be shown of the text so far, that was not shown before."""
        return "".join(map(self._character, piece))

    def rest(self) -> str:
        """The word held back, at the end."""
        shown, self._word = self._placed(self._word), ""
        return shown

    def _character(self, character: str) -> str:
        if character == "\n":
            shown = self.rest() + character
            if self._line_start == "```":
                self._fenced = not self._fenced
            self._column, self._line_start = 0, ""
            return shown
        if len(self._line_start) < 3:
            self._line_start += character
        if is_wide(character):
            return self.rest() + self._placed(character)
        if character == " ":
            shown = self.rest()
            if self._column >= self._columns and not self._fenced:
                return shown  # the line break that comes stands for it
            self._column += 1
            return shown + character
        self._word += character
        # A word longer than a line cannot be kept whole.
        return self.rest() if len(self._word) >= self._columns else ""

    def _placed(self, word: str) -> str:
        columns = width(word)
        code = self._fenced or self._line_start == "```"
        breaks = not code and self._column > 0 and self._column + columns > self._columns
        self._column = columns if breaks else self._column + columns
        return "\n" + word if breaks else word


def two_columns(
    rows: Sequence[tuple[str, str]], *, total: int, indent: int = 2, limit: int = 30
) -> list[str]:
    """Lines of a term and its description, aligned; a term wider than `limit` stands alone."""
    fitting = [width(term) for term, _ in rows if width(term) <= limit]
    first = max(fitting, default=0) + 2
    space = max(20, total - indent - first)
    lines: list[str] = []
    for term, description in rows:
        described = wrap(description, space)
        if width(term) <= limit:
            lines.append(" " * indent + pad(term, first) + described.pop(0))
        else:
            lines.append(" " * indent + term)
        lines += [" " * (indent + first) + line for line in described]
    return [line.rstrip() for line in lines]


def table(rows: Iterable[Sequence[str]], *, right: frozenset[int] = frozenset()) -> list[str]:
    """Rows as aligned lines, two spaces between columns; those in `right` lie to the right."""
    cells = [list(row) for row in rows]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            " " * (columns - width(cell)) + cell if index in right else pad(cell, columns)
            for index, (cell, columns) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
