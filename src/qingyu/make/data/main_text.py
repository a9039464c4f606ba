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

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lxml.html import HtmlElement

from qingyu.make.data import boilerplate, spam
from qingyu.make.data.blocks import Block, blocks
from qingyu.make.data.dom import parse
from qingyu.make.data.measures import units

# Price of a change from furniture to text or back.
_CHANGE = 1.1
_TERMS = ("dt", "summary", "figcaption", "caption", "strong", "b")
_LEAST_UNITS = 18.0
_HOME = re.compile(r"^(?:https?://[^/]+)?/?(?:(?:index|default|home)\.\w+)?$|^\./?$")
_DIGITS = re.compile(r"\d+")
_TITLE_PARTS = re.compile(r"\s*[_|｜–—»>]\s*|\s+[-·•:]\s+|-(?=[^\s-]+$)|-")


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
    kept = _with_headings(row, kept, title)
    chosen = [block for block, keep in zip(row, kept, strict=True) if keep]
    return chosen if _is_text(chosen, row) else []


def join(chosen: Sequence[Block]) -> str:
    lines: list[str] = []
    for block in chosen:
        if lines and not block.soft:
            lines.append("")
        lines.append(block.text)
    return "\n".join(lines)


# Scores.


def score(row: list[Block], body: HtmlElement, title: str) -> None:
    for block in row:
        block.score = _own_score(block)
    _see_verse(row)
    _judge_spam(row)
    _judge_repeats(row)
    _judge_names(row, body)
    _judge_teasers(row, title)
    _judge_sections(row)
    _judge_captions(row)
    region = _region(row, body)
    _judge_place(row, region, body)
    _raise_title(row, region, title)
    _draw_together(row)


def _own_score(block: Block) -> float:
    """What the block says for itself, about -6 to 6."""
    plain, share = block.plain, block.link_share
    points = 0.0
    if block.kind == "pre":
        points = 1.5 + min(2.5, plain.units / 40) if plain.units >= 3 else 0.3
    elif plain.units < 1:
        points = -1.2 if block.links < 2 else -2.5
    elif plain.units >= 12 and (plain.marks or plain.ends) and plain.share >= 0.05:
        points = 1.0 + min(2.5, plain.units / 40) + min(1.5, 0.4 * plain.marks)
        points += 0.8 * plain.ends + min(1.0, 6 * (plain.share - 0.1))
    elif plain.units >= 25:
        points = -1.2 + min(1.6, 14 * max(0.0, plain.share - 0.08))
    else:
        points = -0.4 + 0.6 * plain.ends + 0.3 * (plain.marks > 0)
        points += 0.3 * (plain.share >= 0.15)
    if block.kind == "heading":
        points = 0.0 if share < 0.5 else -1.0
    if share > 0.3:
        prose = plain.marks >= 2 and plain.units >= 15
        points -= (2.0 if prose else 5.0) * (share - 0.3)
        if block.links > 3 and not prose:
            points -= 1.0
    if block.links and plain.units < 12 and not plain.ends and block.kind not in ("heading", "row"):
        points -= 1.5
    if spam.is_barred(block.text) and block.kind not in ("pre", "row") and plain.units < 60:
        block.notes.append("bars")
        points -= 2.5
    furniture = boilerplate.weight(block.text, block.all.units)
    if furniture:
        block.notes.append(f"furniture {furniture:.1f}")
        points = min(points, 1.5 if furniture >= 3.5 else 6.0) - furniture
    return points


def _see_verse(row: list[Block]) -> None:
    """Runs of short lines without links, in one element or side by side: verse, dialogue."""
    run: list[Block] = []
    place: object = None
    for block in [*row, None]:
        here = None if block is None else _line_place(block)
        if run and (here is None or here != place):
            size = sum(one.plain.units for one in run)
            share = sum(one.plain.units * one.plain.share for one in run) / size if size else 0.0
            marks = sum(one.plain.marks + one.plain.ends for one in run)
            if len(run) >= 2 and size >= 16 and (share >= 0.2 or (marks >= 2 and share >= 0.1)):
                for one in run:
                    one.score = max(one.score, 0.5)
                    one.verse = True
            run = []
        if block is not None and here is not None:
            run.append(block)
        place = here


def _line_place(block: Block) -> object:
    """What lines that belong together have in common, None for what is no line."""
    if block.links or block.kind not in ("p", "li") or block.score < -1.3:
        return None
    parent = block.element.getparent()
    tags = _kind(block.element)
    return (parent, tags)


def _judge_spam(row: list[Block]) -> None:
    for block in row:
        if block.kind in ("pre", "row"):
            continue
        if spam.is_keyword_list(block.text):
            block.notes.append("keywords")
            block.score = min(block.score, 0.0) - 5.0
        elif spam.is_stuffed(block.text):
            block.notes.append("stuffed")
            block.score = min(block.score, 1.0) - 5.0
        found = spam.trades(block.text)
        if found >= 3 or (found == 2 and block.all.units < 60):
            block.notes.append("trades")
            block.score -= 4.0
    long = [b for b in row if b.all.units >= 25 and b.kind not in ("pre", "row")]
    for number in spam.templated([block.text for block in long]):
        long[number].notes.append("templated")
        long[number].score = min(long[number].score, 1.0) - 4.0


def _judge_repeats(row: list[Block]) -> None:
    """Labels that stand in three places or more, and long texts that stand there again."""
    places: defaultdict[str, set[object]] = defaultdict(set)
    for block in row:
        if block.all.units < 14 and not block.plain.ends:
            above = block.element.getparent()
            above = above.getparent() if above is not None else None
            places[_DIGITS.sub("0", block.text)].add(above)
    frames = Counter(block.frame for block in row if block.links and block.plain.units >= 1)
    seen: set[str] = set()
    for block in row:
        if frames[block.frame] >= 3 and block.frame and block.all.units < 40:
            block.notes.append("frame")
            block.score -= 2.5
        key = _DIGITS.sub("0", block.text)
        if len(places.get(key, ())) >= 3 and block.kind != "row":
            block.notes.append("label")
            block.score -= 2.5
        if block.all.units >= 15 and block.kind != "pre":
            if block.text in seen and block.kind != "heading":
                block.notes.append("again")
                block.score -= 4.0
            seen.add(block.text)


def _good(block: Block) -> float:
    """Units of a block that is prose by its own score, else 0."""
    good = block.score > 1.0 or (block.verse and block.score > 0)
    return block.plain.units if good else 0.0


def _weights(row: list[Block], body: HtmlElement) -> dict[HtmlElement, float]:
    """Units of good blocks below every element."""
    weights: dict[HtmlElement, float] = defaultdict(float)
    for block in row:
        good = _good(block)
        if good:
            for element in _upwards(block.element, body):
                weights[element] += good
    return weights


def _upwards(element: HtmlElement, body: HtmlElement) -> list[HtmlElement]:
    """The element and those around it, the body last."""
    found = [element]
    while found[-1] is not body:
        parent = found[-1].getparent()
        if parent is None:
            break
        found.append(parent)
    return found


def _judge_names(row: list[Block], body: HtmlElement) -> None:
    """Names of elements, unless most of the page's prose is within."""
    weights = _weights(row, body)
    total = weights.get(body, 0.0)
    comments = {element for element in body.iter() if boilerplate.is_comments(element)}
    outer = [one for one in comments if comments.isdisjoint(one.iterancestors())]
    talked = sum(weights.get(one, 0.0) for one in outer)
    only_talk = talked > 0.75 * total or total - talked < 40
    known: dict[HtmlElement, float] = {}
    for block in row:
        points, named = 0.0, False
        for element in _upwards(block.element, body)[:-1]:
            if element not in known:
                known[element] = _name_points(element, weights.get(element, 0.0), total)
                if element in comments and not only_talk:
                    known[element] = -4.0
            if known[element] < 0:
                points = min(points, known[element])
            elif known[element] > 0:
                named = True
        if points < 0:
            if any(note.startswith("furniture") for note in block.notes):
                points -= 1.5
            block.notes.append(f"named {points:.1f}")
            block.score += points
        elif named:
            block.score += 0.4


def _name_points(element: HtmlElement, weight: float, total: float) -> float:
    if boilerplate.is_furniture(element):
        share = weight / total if total else 0.0
        if share > 0.4:
            return 0.0
        if element.tag in ("nav", "footer"):
            return -5.0
        return -4.0 if share < 0.15 else -2.5
    return 0.5 if boilerplate.is_text(element) else 0.0


def _judge_teasers(row: list[Block], title: str) -> None:
    """Beginnings of other pages: those that break off, and items of a linked title with a few
    lines each."""
    for block in row:
        if block.all.units < 200 and boilerplate.is_teaser(block.text) and block.links:
            block.notes.append("teaser")
            block.score -= 4.0
    whole = _squeeze(title)
    below: dict[HtmlElement, list[Block]] = defaultdict(list)
    items: dict[HtmlElement, set[HtmlElement]] = defaultdict(set)
    for block in row:
        element = block.element
        for _ in range(4):
            parent = element.getparent()
            if parent is None:
                break
            below[element].append(block)
            items[parent].add(element)
            element = parent
    for children in items.values():
        kinds: Counter[tuple[str, str]] = Counter(_kind(child) for child in children)
        kind, count = kinds.most_common(1)[0]
        if count < 3:
            continue
        same = [child for child in children if _kind(child) == kind]
        fitting = [child for child in same if _is_teaser_item(below[child], whole)]
        if len(fitting) >= max(3, 0.7 * len(same)):
            for child in fitting:
                for block in below[child]:
                    if "item" not in block.notes:
                        block.notes.append("item")
                        block.score -= 4.0


def _kind(element: HtmlElement) -> tuple[str, str]:
    return str(element.tag), _DIGITS.sub("", element.get("class") or "")


def _is_teaser_item(below: list[Block], title: str) -> bool:
    titles = [
        block
        for block in below
        if block.link_share > 0.8 and (block.all.units >= 8 or block.kind == "heading")
    ]
    if not titles or any(_is_named(block, title) for block in titles):
        return False
    prose = sum(block.plain.units for block in below if block.link_share < 0.5)
    return 0 < prose < 160


def _is_named(block: Block, title: str) -> bool:
    """Whether a linked title is the page's own: posts of a thread repeat it."""
    squeezed = re.sub("^(?:re|回复)", "", _squeeze(block.text))
    return len(squeezed) >= 4 and squeezed in title


def _judge_sections(row: list[Block]) -> None:
    """What follows a heading such as "related" up to the end of the element it is in."""
    inside: HtmlElement | None = None
    level = 0
    for block in row:
        if inside is not None:
            within = any(one is inside for one in (block.element, *block.element.iterancestors()))
            if not within or (block.level and block.level <= level):
                inside = None
        heading = block.kind == "heading" or (block.all.units <= 12 and not block.plain.ends)
        if heading and block.kind != "row" and boilerplate.cuts_off(block.text):
            block.notes.append("cut")
            block.score -= 4.0
            parent = block.element.getparent()
            inside, level = (parent if parent is not None else block.element), block.level
            if block.kind != "heading":
                level = 2
        elif inside is not None:
            weak = (
                block.link_share > 0.5
                or block.plain.units < 15
                or boilerplate.is_teaser(block.text)
            )
            block.notes.append("after a cut")
            block.score -= 3.0 if weak or block.kind == "li" else 1.5


# The region of the text.


def _region(row: list[Block], body: HtmlElement) -> HtmlElement:
    """The smallest element with most of the prose; where its like stand beside it (posts of a
    thread), the element around them."""
    weights = _weights(row, body)
    region = body
    while True:
        total = weights.get(region, 0.0)
        children = [child for child in region if weights.get(child, 0.0) > 0]
        if not total or not children:
            return region
        best = max(children, key=lambda child: weights[child])
        if weights[best] < 0.72 * total:
            return region
        rest = total - weights[best]
        alike = sum(
            weights[one] for one in children if one is not best and _kind(one) == _kind(best)
        )
        if rest and alike > 0.5 * rest:
            return region
        region = best


def _judge_place(row: list[Block], region: HtmlElement, body: HtmlElement) -> None:
    within = set(region.iter())
    around = region.getparent()
    near = set(around.iter()) if around is not None and around is not body else within
    weights = _weights(row, body)
    whole = weights.get(region, 0.0) > 0.75 * weights.get(body, 0.0)
    for block in row:
        if block.element in within:
            if block.link_share < 0.2 and -0.7 < block.score < 0.4 and not block.notes:
                block.score = 0.4  # short lines of the text itself
        else:
            block.away = 1.5 if block.element in near else 5.0 if whole else 3.0
            block.score -= block.away


def _judge_captions(row: list[Block]) -> None:
    """Short lines of one make that come once with each of several pieces of prose: names, ranks
    and dates of posts."""
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place, block in enumerate(row):
        if block.kind not in ("heading", "row", "pre") and block.element.tag not in _TERMS:
            groups[_path(block)].append(place)
    for places in groups.values():
        group = [row[place] for place in places]
        if len(group) < 2 or sum(b.all.units for b in group) > 18 * len(group):
            continue
        if sum(b.plain.marks + b.plain.ends for b in group) > 0.3 * len(group):
            continue
        gaps = list(pairwise(places))
        apart = sum(any(_good(row[i]) >= 12 for i in range(one + 1, other)) for one, other in gaps)
        parents = {block.element.getparent() for block in group}
        if apart >= max(1, 0.3 * len(gaps)) and len(parents) > 1:
            for block in group:
                block.notes.append("caption")
                block.score -= 2.5


def _raise_title(row: list[Block], region: HtmlElement, title: str) -> None:
    """Mark the page's title, and bring what stands between it and the region within reach."""
    within = set(region.iter())
    first = next((i for i, b in enumerate(row) if b.element in within and _good(b)), None)
    if first is None:
        return
    wanted = {_squeeze(part) for part in (title, *_TITLE_PARTS.split(title))}
    wanted = {part for part in wanted if len(part) >= 2}
    whole = _squeeze(title)
    parts = [part for part in map(_squeeze, _TITLE_PARTS.split(title)) if part]
    chief = {whole, *parts[:1], max(parts, key=len, default="")}
    best: int | None = None
    rank = 0.0
    limit = 0.3 * sum(map(_good, row))
    passed = 0.0
    for place, block in enumerate(row):
        # The beginning of a page may be prose as well: what the site is, who writes it.
        passed += _good(block)
        if place > first + 1 and (best is not None or passed > limit or not block.level):
            if best is not None or passed > limit:
                break
            continue
        squeezed = _squeeze(block.text)
        if len(squeezed) < 2 or any(n.startswith(("furniture", "keywords")) for n in block.notes):
            continue
        named = squeezed in wanted or (len(squeezed) >= 6 and squeezed in whole)
        linked = block.link_share > 0.5
        if linked and _leads_home(block.element):
            continue
        points = 2.0 * named + 2.0 * (squeezed in chief)
        if block.kind == "heading":
            points += 2.0 - 0.5 * block.level - 2 * (linked and not named)
        else:
            points -= (1.5 if squeezed in chief and len(squeezed) > 7 else 4.0) * linked
        if any(note.startswith("named") for note in block.notes):
            points -= 1
        if points > 1 and points >= rank:
            best, rank = place, points
    if best is None or units("".join(b.text for b in row[best + 1 : first])) > 250:
        return
    row[best].notes.append("title")
    row[best].score = max(row[best].score, 1.5)
    for block in row[best + 1 : first]:
        own = block.score + block.away
        if block.notes or block.links or own < -0.7:
            continue
        if block.kind in ("row", "pre"):
            block.score = max(0.4, own)
        elif own > 1.5:
            block.score = own


def _leads_home(element: HtmlElement) -> bool:
    """Whether the first link of an element is that of a site's name."""
    link = next(element.iter("a"), None)
    href = (link.get("href") or "").strip() if link is not None else ""
    return bool(_HOME.match(href))


def _draw_together(row: list[Block]) -> None:
    """Blocks built alike are alike: the mean score of those with the same path of names."""
    groups: dict[tuple[object, ...], list[Block]] = defaultdict(list)
    for block in row:
        groups[_path(block)].append(block)
    for group in groups.values():
        if len(group) < 3:
            continue
        size = sum(block.all.units for block in group)
        if not size:
            continue
        mean = sum(block.score * (4 + min(block.all.units, 60)) for block in group)
        mean /= sum(4 + min(block.all.units, 60) for block in group)
        mean = max(-3.0, min(3.0, mean))
        for block in group:
            if block.notes and mean > 0:
                continue
            block.score += 0.35 * mean


def _path(block: Block) -> tuple[object, ...]:
    """Tags and names of the four innermost elements; where none has a name, the parent itself."""
    names: list[object] = [block.kind]
    element: HtmlElement | None = block.element
    named = False
    for _ in range(4):
        if element is None:
            break
        kind = _kind(element)
        named |= bool(kind[1])
        names.append(kind)
        element = element.getparent()
    if not named:
        parent = block.element.getparent()
        names.append(parent)
    return tuple(names)


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


def _with_headings(row: list[Block], kept: list[bool], title: str) -> list[bool]:
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
    place = next((i for i, block in enumerate(row) if "title" in block.notes), None)
    if place is not None and True in kept:
        kept[place] = True
        before = sum(b.plain.units for b, k in zip(row[:place], kept, strict=False) if k)
        after = sum(b.plain.units for b, k in zip(row[place:], kept[place:], strict=True) if k)
        if before < 0.3 * after:
            kept[:place] = [False] * place
    return kept


def _squeeze(text: str) -> str:
    return re.sub(r"\W+", "", text.lower())


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
