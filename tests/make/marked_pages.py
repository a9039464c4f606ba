"""Pages with the wanted text marked, and how well an extraction meets it.

    page = read(path)                    # page.raw without the marks, page.wanted
    kept, unwanted = compare(page.wanted, extracted)

`data-wanted` marks elements whose text is wanted, `data-unwanted` what is not within them. A page
without marks has no main text. The marks are taken out of the bytes before anyone extracts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from lxml import html

FOLDER = Path(__file__).parent / "pages"
TUNED = sorted((FOLDER / "tuned").glob("*.html"))
HELD_OUT = sorted((FOLDER / "held_out").glob("*.html"))
_MARK = re.compile(rb' data-(?:un)?wanted(?:="")?')
_PIECE = re.compile("[\u3400-\u9fff]|[^\\W\u3400-\u9fff]+|[^\\w\\s]")


@dataclass(frozen=True, kw_only=True)
class MarkedPage:
    name: str
    raw: bytes
    wanted: str


def read(path: Path) -> MarkedPage:
    raw = path.read_bytes()
    found = re.search(rb"charset=[\"']?([\w-]+)", raw)
    declared = found.group(1).decode() if found else "utf-8"
    # The suffix says what the bytes really are, where the page does not.
    encoding = {"gbk": "gb18030", "big5": "big5", "utf8": "utf-8"}.get(
        path.stem.rpartition("_")[2], declared
    )
    root = html.document_fromstring(
        raw.decode(encoding).encode(), parser=html.HTMLParser(encoding="utf-8")
    )
    for line_end in root.iter("br"):
        line_end.tail = "\n" + (line_end.tail or "")
    texts = []
    for element in root.iter():
        if element.get("data-wanted") is None:
            continue
        if any(parent.get("data-wanted") is not None for parent in element.iterancestors()):
            continue
        for part in element.iterdescendants():
            if part.get("data-unwanted") is not None:
                part.text = ""
                for child in list(part):
                    part.remove(child)
        texts.append("".join(element.itertext()))
    return MarkedPage(name=path.stem, raw=_MARK.sub(b"", raw), wanted="\n".join(texts))


def compare(wanted: str, extracted: str) -> tuple[int, int, int, int]:
    """Characters, spaces not counted: (wanted, kept of them, extracted, unwanted of them)."""
    want, got = _PIECE.findall(wanted), _PIECE.findall(extracted)
    matcher = SequenceMatcher(None, want, got, autojunk=False)
    kept = sum(
        len("".join(want[match.a : match.a + match.size]))
        for match in matcher.get_matching_blocks()
    )
    num_wanted, num_got = len("".join(want)), len("".join(got))
    return num_wanted, kept, num_got, num_got - kept
