"""The main text of a page, without menus, footers, related links and pasted keywords.

    page = extract(html)
    page.title, page.text            # "" when the page has no main text

Every block of the page gets a score: for sentences and function words, against links, against
what furniture says and is named, against text made for search engines. The smallest element
with most of the good blocks is the region of the text; scores of blocks that are built alike are
drawn together; and the best way through the row of blocks, with a price for changing between
text and furniture, decides. Chinese first: no measure needs spaces between words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lxml.html import HtmlElement

from qingyu.make.data import boilerplate
from qingyu.make.data.blocks import Block, blocks
from qingyu.make.data.dom import parse
from qingyu.make.data.places import (
    find_region,
    judge_names,
    judge_place,
    judge_sections,
    judge_teasers,
    raise_title,
)
from qingyu.make.data.scores import (
    draw_together,
    judge_captions,
    judge_owner,
    judge_repeats,
    judge_spam,
    own_score,
    see_verse,
)
from qingyu.make.data.tail import without_tail

# Price of a change from furniture to text or back.
_CHANGE = 1.1
_LEAST_UNITS = 18.0


@dataclass(frozen=True, kw_only=True)
class Page:
    """text: paragraphs and headings, a line each, an empty line between paragraphs."""

    title: str
    text: str


def extract(html: str) -> Page:
    """Never raises for what is in a page; a page without main text gives an empty text."""
    body = parse(html)
    if body is None:
        return Page(title="", text="")
    title = body.get("data-page-title") or ""
    return Page(title=title, text=join(choose(body, title)))


def choose(body: HtmlElement, title: str) -> list[Block]:
    """The blocks of the main text."""
    row = blocks(body)
    if not row:
        return []
    score(row, body, title)
    kept = smooth(row)
    kept = without_tail(row, kept, body, title)
    kept = _with_headings(row, kept)
    chosen = [block for block, keep in zip(row, kept, strict=True) if keep]
    return chosen if _is_text(chosen, row) else []


def join(chosen: Sequence[Block]) -> str:
    lines: list[str] = []
    for block in chosen:
        if lines and not block.soft:
            lines.append("")
        lines.append(block.text)
    return "\n".join(lines)


def score(row: list[Block], body: HtmlElement, title: str) -> None:
    for block in row:
        block.score = own_score(block)
    see_verse(row)
    judge_spam(row, title)
    judge_owner(row, body, title)
    judge_repeats(row)
    judge_names(row, body)
    judge_teasers(row, title)
    judge_sections(row, body)
    judge_captions(row)
    region = find_region(row, body)
    judge_place(row, region, body)
    raise_title(row, region, title)
    draw_together(row)


# Decisions.


def smooth(row: Sequence[Block]) -> list[bool]:
    """The sequence of text and furniture with the highest sum of scores less changes."""
    best = {False: 0.0, True: -_CHANGE}
    back: list[dict[bool, bool]] = []
    for block in row:
        came = {
            state: max((False, True), key=lambda old: best[old] - _CHANGE * (old != state))
            for state in (False, True)
        }
        best = {
            state: best[came[state]]
            - _CHANGE * (came[state] != state)
            + (block.score if state else 0.0)
            for state in (False, True)
        }
        back.append(came)
    state = best[True] - _CHANGE > best[False]
    kept: list[bool] = []
    for came in reversed(back):
        kept.append(state)
        state = came[state]
    return kept[::-1]


def _with_headings(row: list[Block], kept: list[bool]) -> list[bool]:
    """Headings with text below them, and the title above the first; no others."""
    kept = list(kept)
    follows = False
    level = 7
    for place in range(len(row) - 1, -1, -1):
        block = row[place]
        if block.kind != "heading":
            if kept[place]:
                follows, level = True, 7
            elif block.all.units > 3:
                follows = follows and block.all.units < 40
            continue
        usable = block.score > -2.5 and block.link_share < 0.9
        kept[place] = usable and follows and block.level <= level
        if kept[place]:
            level = block.level
    titled = next((i for i, block in enumerate(row) if "title" in block.notes), None)
    if titled is not None and True in kept:
        kept[titled] = True
        before = sum(b.plain.units for b, k in zip(row[:titled], kept, strict=False) if k)
        after = sum(b.plain.units for b, k in zip(row[titled:], kept[titled:], strict=True) if k)
        if before < 0.3 * after:
            kept[:titled] = [False] * titled
    return kept


def _is_text(chosen: Sequence[Block], row: Sequence[Block]) -> bool:
    """Whether what was chosen is a text at all."""
    prose = [block for block in chosen if block.kind != "heading"]
    size = sum(block.plain.units for block in prose)
    if size < _LEAST_UNITS:
        return False
    sentences = any(b.plain.marks or b.plain.ends or b.kind == "pre" for b in prose)
    words = sum(b.plain.share * b.plain.units for b in prose) / size
    if not sentences and not (len(prose) >= 4 and words > 0.2):  # verse without marks
        return False
    everything = sum(block.all.units for block in row)
    if size < 120 and any(boilerplate.is_error(block.text) for block in chosen):
        return False
    return not (size < 60 and everything > 25 * size)
