"""The end of a text, where a firm or an author speaks of itself more than anywhere else.

    kept = without_tail(row, kept, body, title)

Within a text a sentence needs strong signs to be taken for promotion; at its very end, read
backwards, weak ones do: a word to customers, the name of the firm, a line that begins with the
name from the byline. The first paragraph without any ends it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lxml.html import HtmlElement

from qingyu.make.data import owner, promotion
from qingyu.make.data.blocks import Block
from qingyu.make.data.measures import words

_MOST_BLOCKS = 4
_MOST_SHARE = 0.3
_MOST_UNITS = 130.0
# Lines of an event: who announces one asks people to come.
_EVENT = re.compile(
    r"^.{0,6}(?:时间|地点|对象|方式|费用|日期)\s*[:：]|^(?:date|time|where|when|venue|place)\s*:",
    re.IGNORECASE,
)
_BYLINE = re.compile(r"作者|文[/／|:：]|编辑|记者|撰文|\bby\b|posted|written|author", re.IGNORECASE)
_NAME = re.compile(
    r"[\u4e00-\u9fff]{2,3}(?=.{0,6}[，,：]|系|是|曾|现任)|[A-Z][a-z]+ [A-Z][a-z]+"
    r"|[A-Z][a-z]+(?='s\b|’s\b| (?:is|was|has|lives|writes|teaches|works)\b)"
)
_NOT_NAMES = words(
    "The This That These Those There They When What While With Where Who Why You Your And But For"
    " From How His Her Its Our All Any Each Every Some Not Now One Two May Post Posted Written"
)


def without_tail(
    row: Sequence[Block], kept: Sequence[bool], body: HtmlElement, title: str
) -> list[bool]:
    """What is kept less the promotion at its end; nothing where the page is about the firm."""
    kept = list(kept)
    places = [i for i, keep in enumerate(kept) if keep and row[i].kind != "heading"]
    if len(places) < 4 or promotion.is_about(title):
        return kept
    if sum(bool(_EVENT.search(row[place].text)) for place in places) >= 2:
        return kept
    firm = owner.names(body, row, title)
    titled = next((i for i, block in enumerate(row) if "title" in block.notes), places[0])
    bylines = " ".join(
        block.text
        for place, block in enumerate(row[: places[-1]])
        if block.all.units < 40
        and ((titled < place < places[2] and not kept[place]) or _BYLINE.search(block.text))
    )
    whole = sum(row[place].plain.units for place in places)
    spent = 0.0
    sells = owner.is_kept(row)
    least = 3 if owner.is_office(title) else 2
    for place in reversed(places[-_MOST_BLOCKS:]):
        block = row[place]
        spent += block.plain.units
        if spent > _MOST_SHARE * whole or block.plain.units > _MOST_UNITS or block.kind == "row":
            break
        found = signs(block.text, firm) if sells else 0
        if found < least and not _begins_with_author(block.text, bylines):
            break
        kept[place] = False
    return kept


def signs(text: str, firm: owner.Owner) -> int:
    """How many signs a last paragraph has of speaking for a firm."""
    kinds = promotion.appeals(text) - {"contact"}
    return len(kinds) + bool(promotion.boasts(text)) + 2 * bool(firm.in_text(text))


def _begins_with_author(text: str, bylines: str) -> bool:
    begins = _NAME.match(text.lstrip("　 （(【"))
    return bool(begins and begins.group() not in _NOT_NAMES and begins.group() in bylines)
