"""A page's tree as a row of blocks: what a reader sees as one line or paragraph.

    for block in blocks(body): print(block.kind, block.text, block.link_share)

A block ends where a block element begins or ends, and at <br>. Rows of data tables are one block
each; tables that only lay out a page are gone through. Judges nothing: `main_text` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml.html import HtmlElement

from qingyu.make.data.measures import EMPTY, IDEOGRAPHS, Measure, measure, units, words

_BLOCK_TAGS = words(
    "address article aside blockquote body center dd details dialog dir div dl dt fieldset"
    " figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr legend li main menu nav ol"
    " p pre section summary table tbody td tfoot th thead tr ul caption listing xmp html"
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_CODE_TAGS = ("pre", "listing", "xmp")
_SPACE = re.compile(r"[ \t\r\n\f\v\xa0\u200b\ufeff\xad]+")
_BROKEN_LINE = re.compile(rf"(?<=[{IDEOGRAPHS}，。、；：！？])\n(?=[{IDEOGRAPHS}，。、；：！？])")
_GUTTERS = words("gutter linenos linenodiv line-numbers lnum line-number lineno")


@dataclass(kw_only=True, eq=False)
class Block:
    """kind: "p", "li", "row", "pre", "heading"; level: of a heading, else 0.

    all and plain measure the whole text and what of it is in no link. soft: begins after <br>,
    in the same paragraph as the block before. score and the rest are for `main_text`.
    """

    text: str
    element: HtmlElement
    kind: str
    level: int
    soft: bool
    links: int
    all: Measure
    plain: Measure
    frame: str = ""  # the text with an empty place for each link
    score: float = 0.0
    verse: bool = False
    away: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def link_share(self) -> float:
        """Units in links of all."""
        return 1 - self.plain.units / self.all.units if self.all.units else float(self.links > 0)


@dataclass
class _Line:
    """What is being gathered: pieces of text, each in a link or not."""

    pieces: list[tuple[str, bool]] = field(default_factory=list)
    links: int = 0
    soft: bool = False


def blocks(body: HtmlElement) -> list[Block]:
    """In the order of the page; none is empty."""
    return list(_Walk().walk(body))


class _Walk:
    def __init__(self) -> None:
        self.line = _Line()
        self.open: list[HtmlElement] = []  # block elements, innermost last
        self.in_link = 0

    def walk(self, body: HtmlElement) -> Iterator[Block]:
        """Depth first, without recursion: pages are nested thousands deep at times."""
        stack: list[tuple[HtmlElement, bool]] = [(body, False)]
        while stack:
            element, leaving = stack.pop()
            tag = element.tag
            if leaving:
                if tag in _BLOCK_TAGS:
                    yield from self._flush()
                    self.open.pop()
                elif tag == "a" and element.get("href") is not None:
                    self.in_link -= 1
                self._text(element.tail if element is not body else None)
                continue
            if tag == "br":
                yield from self._flush()
                self.line.soft = True
                self._text(element.tail)
                continue
            if _is_gutter(element):
                self._text(element.tail)
                continue
            if tag in _CODE_TAGS or (tag == "table" and is_data_table(element)):
                yield from self._flush()
                yield from _code(element) if tag in _CODE_TAGS else _rows(element)
                self._text(element.tail)
                continue
            if tag in _BLOCK_TAGS:
                yield from self._flush()
                self.open.append(element)
            elif tag == "a" and element.get("href") is not None:
                self.in_link += 1
                self.line.links += 1
            stack.append((element, True))
            self._text(element.text)
            stack.extend((child, False) for child in reversed(element))

    def _text(self, text: str | None) -> None:
        if text:
            self.line.pieces.append((text, self.in_link > 0))

    def _flush(self) -> Iterator[Block]:
        line, self.line = self.line, _Line()
        if self.in_link:
            self.line.links = 1
        text = tidy("".join(piece for piece, _ in line.pieces))
        if not text:
            self.line.soft = line.soft
            return
        plain = tidy("".join(" " if linked else piece for piece, linked in line.pieces))
        element = self.open[-1]
        level, kind = 0, "p"
        for one in reversed(self.open[-4:]):
            if one.tag in _HEADINGS:
                level, kind = _HEADINGS[one.tag], "heading"
            elif one.tag in ("li", "dt", "dd"):
                kind = "li"
            else:
                continue
            break
        block = make_block(text, plain, element, kind, level, line.soft, line.links)
        if line.links:
            block.frame = tidy("".join("\0" if linked else piece for piece, linked in line.pieces))
        yield block


def make_block(
    text: str, plain: str, element: HtmlElement, kind: str, level: int, soft: bool, links: int
) -> Block:
    whole = measure(text)
    return Block(
        text=text,
        element=element,
        kind=kind,
        level=level,
        soft=soft,
        links=links,
        all=whole,
        plain=whole if plain == text else measure(plain) if plain else EMPTY,
    )


def tidy(text: str) -> str:
    """One line: spaces run together, none where a line was broken between two ideographs."""
    text = re.sub(r"[ \t\r\f\xa0]*\n[ \t\r\n\f\xa0]*", "\n", text.strip())
    return _SPACE.sub(" ", _BROKEN_LINE.sub("", text)).strip()


def _is_gutter(element: HtmlElement) -> bool:
    names = element.get("class")
    return bool(names) and not _GUTTERS.isdisjoint(names.lower().split())


def _code(element: HtmlElement) -> Iterator[Block]:
    pieces: list[str] = []
    for part in element.iter():
        if any(_is_gutter(one) for one in (part, *part.iterancestors()) if _within(one, element)):
            continue
        if part.tag == "br":
            pieces.append("\n")
        pieces.append(part.text or "")
        if part is not element:
            pieces.append(part.tail or "")
    # The order of text and tails is that of the document only when walked so; lxml can say it.
    text = "".join(pieces) if not len(element) else _flat(element)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ").strip("\n")
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    if not text.strip():
        return
    links = [one for one in element.iter("a") if one.get("href") is not None]
    linked = sum(units("".join(one.itertext())) for one in links)
    whole = measure(text)
    share = max(0.0, 1 - linked / whole.units) if whole.units else 1.0
    plain = whole if not linked else measure(text[: int(len(text) * share)])
    yield Block(
        text=text, element=element, kind="pre", level=0, soft=False, links=len(links),
        all=whole, plain=plain,
    )  # fmt: skip


def _within(one: HtmlElement, top: HtmlElement) -> bool:
    return one is top or any(parent is top for parent in one.iterancestors())


def _flat(element: HtmlElement) -> str:
    """Text of an element in order, <br> and block children as line ends, gutters left out."""
    pieces: list[str] = []
    stack: list[tuple[HtmlElement, bool]] = [(element, False)]
    while stack:
        one, leaving = stack.pop()
        if leaving:
            if one.tag in _BLOCK_TAGS and pieces and not pieces[-1].endswith("\n"):
                pieces.append("\n")
            pieces.append(one.tail or "")
            continue
        if one is not element:
            if _is_gutter(one):
                pieces.append(one.tail or "")
                continue
            stack.append((one, True))
        if one.tag == "br":
            pieces.append("\n")
        pieces.append(one.text or "")
        stack.extend((child, False) for child in reversed(one))
    return "".join(pieces)


def is_data_table(table: HtmlElement) -> bool:
    """Whether a table holds data: rows of short cells, nothing nested, few links."""
    if next(table.iterdescendants("table"), None) is not None:
        return False
    rows = list(table.iter("tr"))
    cells = [[cell for cell in row if cell.tag in ("td", "th")] for row in rows]
    cells = [row for row in cells if row]
    if len(cells) < 2 or max(map(len, cells)) < 2:
        return False
    if sum(len(row) > 1 for row in cells) < 0.6 * len(cells):
        return False
    total = linked = 0.0
    longest = 0.0
    num_cells = 0
    for row in cells:
        for cell in row:
            size = units(" ".join(cell.itertext()))
            num_cells += 1
            total += size
            longest = max(longest, size)
            blocks_inside = sum(
                1 for _ in cell.iterdescendants("p", "div", "ul", "ol", "pre", "h2")
            )
            if blocks_inside > 3 or sum(1 for _ in cell.iterdescendants("br")) > 6:
                return False
    for link in table.iter("a"):
        linked += units("".join(link.itertext()))
    # Names in a table of facts are often links; in one that lists pages nearly all is.
    even = max(map(len, cells)) >= 3 and len({len(row) for row in cells}) == 1 and len(cells) >= 3
    if not total or linked > (0.75 if even else 0.5) * total:
        return False
    return total / num_cells < 40 and longest < 250


def _rows(table: HtmlElement) -> Iterator[Block]:
    for caption in table.iter("caption"):
        text = tidy("".join(caption.itertext()))
        if text:
            yield make_block(text, text, caption, "p", 0, False, 0)
    first = True
    for row in table.iter("tr"):
        texts: list[str] = []
        plain: list[str] = []
        links = 0
        for cell in row:
            if cell.tag not in ("td", "th"):
                continue
            texts.append(tidy(" ".join(cell.itertext())))
            inside = [one for one in cell.iter("a") if one.get("href") is not None]
            links += len(inside)
            plain.append("" if inside and _only_links(cell, inside) else texts[-1])
        if any(texts):
            yield make_block("\t".join(texts), "\t".join(plain), row, "row", 0, not first, links)
            first = False


def _only_links(cell: HtmlElement, links: list[HtmlElement]) -> bool:
    linked = sum(units("".join(link.itertext())) for link in links)
    return linked >= 0.7 * units("".join(cell.itertext()))
