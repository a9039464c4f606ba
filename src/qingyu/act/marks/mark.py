"""A mark: a mention of something in a sentence, found by code so that a model need not spell it.

    marked = Marked("关<light>1", marks, "关草帽")
    marked.mark(1).words                    # "草帽"
    marked.original("关<light>1")           # "关草帽"

`marker` makes them; the forms of a model point at them; `resolving` reads them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from qingyu.act.marks.text import aligned, narrow
from qingyu.act.spoken.times import Found

MOST = 9
"""Marks in a sentence; mentions beyond stay text."""
MARK = re.compile(r"<([a-z_]+(?:\.[a-z0-9_]+)?)>([1-9])")
"""A mark as it is written: type and number."""
SIGNS = re.compile(r"[,!?;。…]+|\.(?![a-z0-9_]+>)")
"""Signs between words of a marked sentence; the point in <cover.curtain>1 is none."""
MarkValue = tuple[str, ...] | str | float | int | Found


@dataclass(frozen=True, kw_only=True)
class Mark:
    """type: "light", "cover.curtain", "area", "percent", ... start, end: in the original text.
    words: as they were said. value: ids of a device, area, floor; of a contact its value; the
    words of an option; an item's text; a number; seconds of a duration; a Found of times."""

    type: str
    start: int
    end: int
    words: str
    value: MarkValue

    @property
    def domain(self) -> str:
        """The type without the kind: "cover" of "cover.curtain"."""
        return self.type.partition(".")[0]

    @property
    def ids(self) -> tuple[str, ...]:
        """Of a device, area or floor; () for anything else."""
        return self.value if isinstance(self.value, tuple) else ()


@dataclass(frozen=True)
class Marked:
    """text: the sentence with each mention as <type>N. marks[N - 1] is mark N. said: as it was."""

    text: str
    marks: tuple[Mark, ...]
    said: str = ""

    def mark(self, number: int) -> Mark | None:
        """The mark of a number from 1, None where there is no such."""
        return self.marks[number - 1] if 0 < number <= len(self.marks) else None

    def original(self, fragment: str) -> str:
        """The original words of a piece of `text`, in its case, script and punctuation where the
        piece can be found there; marks are expanded."""
        words = MARK.sub(self._words, fragment)
        flat = " ".join(words.split())
        if not flat or not self.said:
            return flat
        plain = aligned(self.said)
        loose = r"\s*".join(re.escape(one) for one in narrow(flat) if not one.isspace())
        found = re.search(loose, plain.text) if loose else None
        if found is None:
            return flat
        start, end = plain.span(*found.span())
        return self.said[start:end]

    def _words(self, match: re.Match[str]) -> str:
        mark = self.mark(int(match[2]))
        return mark.words if mark is not None and mark.type == match[1] else match[0]
