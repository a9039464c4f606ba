"""What the place of a block says: names of elements around it, sections, region, title.

    judge_names(row, body); judge_teasers(row, title); judge_sections(row)
    region = find_region(row, body)
    judge_place(row, region, body); raise_title(row, region, title)

Changes the scores that `scores` gave.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict

from lxml.html import HtmlElement

from qingyu.make.data import boilerplate
from qingyu.make.data.blocks import Block
from qingyu.make.data.measures import units
from qingyu.make.data.scores import good, kind

_BOXES = frozenset(("sidebar", "side", "label", "labels", "next", "path", "location"))
_HOME = re.compile(r"^(?:https?://[^/]+)?/?(?:(?:index|default|home)\.\w+)?$|^\./?$")
_TITLES = frozenset(("title", "tit", "bt", "biaoti", "headline", "subject"))
_TITLE_PARTS = re.compile(r"\s*[_|｜–—»>]\s*|\s+[-·•:]\s+|-(?=[^\s-]+$)|-")


def _weights(row: list[Block], body: HtmlElement) -> dict[HtmlElement, float]:
    """Units of good blocks below every element."""
    weights: dict[HtmlElement, float] = defaultdict(float)
    for block in row:
        size = good(block)
        if size:
            for element in _upwards(block.element, body):
                weights[element] += size
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


def judge_names(row: list[Block], body: HtmlElement) -> None:
    """Names of elements, unless most of the page's prose is within."""
    weights = _weights(row, body)
    total = weights.get(body, 0.0)
    comments = {element for element in body.iter() if boilerplate.is_comments(element)}
    outer = [one for one in comments if comments.isdisjoint(one.iterancestors())]
    talked = sum(weights.get(one, 0.0) for one in outer)
    # A thread may be named so altogether, or begin with a few lines.
    besides = total - talked
    only_talk = talked > 0.75 * total or besides < 40 or (talked > 0.6 * besides and besides < 100)
    known: dict[HtmlElement, float] = {}
    leaves = Counter(block.element.getparent() for block in row if good(block))
    for block in row:
        points, named = 0.0, False
        for element in _upwards(block.element, body)[:-1]:
            if element not in known:
                known[element] = _name_points(element, weights.get(element, 0.0), total)
                if known[element] < 0 and _stands_in_text(element, leaves):
                    known[element] = 0.0
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


def _stands_in_text(element: HtmlElement, leaves: Counter[HtmlElement | None]) -> bool:
    """A box between the paragraphs of a text, called after where a book would print it."""
    if element.tag != "div" or element.get("role"):
        return False
    found = boilerplate.names(element) & boilerplate.FURNITURE_NAMES
    return found <= _BOXES and leaves[element.getparent()] >= 2


def _name_points(element: HtmlElement, weight: float, total: float) -> float:
    if boilerplate.is_furniture(element):
        share = weight / total if total else 0.0
        if share > 0.4:
            return 0.0
        if element.tag in ("nav", "footer"):
            return -5.0
        return -4.0 if share < 0.25 else -2.5
    return 0.5 if boilerplate.is_text(element) else 0.0


def judge_teasers(row: list[Block], title: str) -> None:
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
        kinds = Counter(kind(child) for child in children)
        commonest, count = kinds.most_common(1)[0]
        if count < 3:
            continue
        same = [child for child in children if kind(child) == commonest]
        fitting = [child for child in same if _is_teaser_item(below[child], whole)]
        if len(fitting) >= max(3, 0.7 * len(same)):
            for child in fitting:
                for block in below[child]:
                    if "item" not in block.notes:
                        block.notes.append("item")
                        block.score -= 4.0


def _is_teaser_item(below: list[Block], title: str) -> bool:
    titles = [
        block
        for block in below
        if block.link_share > 0.8
        and (block.all.units >= 8 or block.kind == "heading" or block.element.tag == "dt")
    ]
    if not titles or any(_is_named(block, title) for block in titles):
        return False
    prose = sum(block.plain.units for block in below if block.link_share < 0.5)
    return 0 < prose < 160


def _is_named(block: Block, title: str) -> bool:
    """Whether a linked title is the page's own: posts of a thread repeat it."""
    squeezed = re.sub("^(?:re|回复)", "", _squeeze(block.text))
    return len(squeezed) >= 4 and squeezed in title


def judge_sections(row: list[Block], body: HtmlElement) -> None:
    """What follows a heading such as "related" up to the end of the element it is in."""
    weights = _weights(row, body)
    most = 0.4 * weights.get(body, 0.0)
    inside: HtmlElement | None = None
    level = 0
    large = False
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
            large = weights.get(inside, 0.0) > most
            if block.kind != "heading":
                level = 2
                # A line that stands among the text ends nothing but itself.
                if large:
                    inside = None
        elif inside is not None:
            weak = (
                block.link_share > 0.5
                or block.plain.units < 15
                or boilerplate.is_teaser(block.text)
            )
            if boilerplate.is_teaser(block.text):
                block.score -= 3.0
            block.notes.append("after a cut")
            block.score -= 3.0 if weak or block.kind == "li" else 1.5 if large else 4.0


def find_region(row: list[Block], body: HtmlElement) -> HtmlElement:
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
        alike = sum(weights[one] for one in children if one is not best and kind(one) == kind(best))
        if rest and alike > 0.5 * rest:
            return region
        region = best


def judge_place(row: list[Block], region: HtmlElement, body: HtmlElement) -> None:
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


def raise_title(row: list[Block], region: HtmlElement, title: str) -> None:
    """Mark the page's title, and bring what stands between it and the region within reach."""
    within = set(region.iter())
    first = next((i for i, b in enumerate(row) if b.element in within and good(b)), None)
    if first is None:
        return
    wanted = {_squeeze(part) for part in (title, *_TITLE_PARTS.split(title))}
    wanted = {part for part in wanted if len(part) >= 2}
    whole = _squeeze(title)
    parts = [part for part in map(_squeeze, _TITLE_PARTS.split(title)) if part]
    chief = {whole, *parts[:1]}
    best: int | None = None
    rank = 0.0
    limit = 0.3 * sum(map(good, row))
    passed = 0.0
    for place, block in enumerate(row):
        # The beginning of a page may be prose as well: what the site is, who writes it.
        passed += good(block)
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
            points -= 2.5
        if named and squeezed in whole:
            points += min(2.0, 3 * len(squeezed) / len(whole))
        points += 1.0 * (block.element in within and named)
        if points > 1 and points >= rank:
            best, rank = place, points
    if best is None:
        best = _by_its_looks(row, first)
    if best is None or units("".join(b.text for b in row[best + 1 : first])) > 250:
        return
    row[best].notes.append("title")
    row[best].score = max(row[best].score, 1.5)
    for block in row[best + 1 : first]:
        own = block.score + block.away
        if block.notes or block.links or own < -0.7:
            continue
        if block.kind in ("row", "pre") or block.element.tag in ("dt", "dd"):
            block.score = max(0.4, own)
        elif own > 1.5:
            block.score = own


def _by_its_looks(row: list[Block], first: int) -> int | None:
    """A line set in the middle, or called a title, a little above the text: pages whose title was
    written over by somebody else have no other."""
    for place in range(first - 1, max(-1, first - 4), -1):
        block = row[place]
        if block.notes:
            continue
        centred = block.element.get("align") == "center" or re.search(
            r"text-align:\s*center", block.element.get("style") or ""
        )
        called = not _TITLES.isdisjoint(boilerplate.names(block.element))
        size = block.all.units
        if (centred or called) and not block.links and 4 <= size <= 45 and not block.plain.ends:
            return place
    return None


def _leads_home(element: HtmlElement) -> bool:
    """Whether the first link of an element is that of a site's name."""
    link = next(element.iter("a"), None)
    href = (link.get("href") or "").strip() if link is not None else ""
    return bool(_HOME.match(href))


def _squeeze(text: str) -> str:
    return re.sub(r"\W+", "", text.lower())
