"""A sentence made small and narrow; each place of it leads back to the original.

    plain = aligned("把“Arc  Lamp”關了")
    plain.text                       # 把“arc lamp”关了
    plain.span(2, 10)                # (2, 11): the places of "Arc  Lamp"

Signs that mean something in a form (< > and the double quote) become others, blanks single ones;
letters without shape (control, zero width) go.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from qingyu.act.spoken.spelling import simplified

Span = tuple[int, int]
_CLUSTER = re.compile(r"\s+|[\s\S][\u0300-\u036f\u20d0-\u20ff\u3099\u309a\ufe00-\ufe0f]*")
_SIGNS = str.maketrans({"<": "(", ">": ")", '"': "'"})


@dataclass(frozen=True)
class Aligned:
    """text[i] stands for original[starts[i]:ends[i]]."""

    original: str
    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def span(self, start: int, end: int) -> Span:
        """The places in the original of text[start:end], which is not empty."""
        return self.starts[start], self.ends[end - 1]

    def whole(self, start: int, end: int) -> bool:
        """Whether no letter of the original is half in text[start:end] (the 1 of a ¼)."""
        return not any(
            0 < at < len(self.text) and self.starts[at] == self.starts[at - 1]
            for at in (start, end)
        )


def aligned(original: str) -> Aligned:
    """Never raises, whatever the text."""
    letters: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for match in _CLUSTER.finditer(original):
        for letter in _narrow(match[0]):
            if letter == " " and (not letters or letters[-1] == " "):
                continue
            letters.append(letter)
            starts.append(match.start())
            ends.append(match.end())
    while letters and letters[-1] == " ":
        for one in (letters, starts, ends):
            one.pop()
    return Aligned(original, "".join(letters), tuple(starts), tuple(ends))


@lru_cache(maxsize=1 << 14)
def _narrow(cluster: str) -> str:
    if len(cluster) > 8 and not cluster.isspace():
        cluster = cluster[:8]
    text = simplified(cluster).lower().translate(_SIGNS)
    text = "".join(" " if one.isspace() else one for one in text if _shown(one))
    return " ".join(text.split()) if text.strip() else text[:1]


def _shown(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter) not in ("Cc", "Cf", "Cs")


@lru_cache(maxsize=1 << 15)
def narrow(name: str) -> str:
    """A name as it stands in an aligned text."""
    return aligned(name).text


def is_latin(letter: str) -> bool:
    """A letter or digit of a script that writes words apart."""
    return letter.isalnum() and ord(letter) < 0x2E80
