"""How much each block of a page looks like text, by itself and beside others of its make.

    for block in row: block.score = own_score(block)
    see_verse(row); judge_spam(row); judge_repeats(row); judge_captions(row); draw_together(row)

A score above 0 speaks for text, below for furniture; `block.notes` says why. Knows nothing of where
on the page a block stands: `places` does.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import pairwise

from lxml.html import HtmlElement

from qingyu.make.data import boilerplate, owner, promotion, spam
from qingyu.make.data.blocks import Block

# Short and meant to be: no captions of posts.
_TERMS = ("dt", "summary", "figcaption", "caption", "strong", "b")
_TITLES = frozenset(("title", "subtitle", "subhead", "heading", "question", "term"))
_DIGITS = re.compile(r"\d+")


def own_score(block: Block) -> float:
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
        points -= (2.0 if prose or block.kind == "row" else 5.0) * (share - 0.3)
        if block.links > 3 and not prose and block.kind != "row":
            points -= 1.0
    if block.links and plain.units < 12 and not plain.ends and block.kind not in ("heading", "row"):
        points -= 1.5
    if spam.is_barred(block.text) and block.kind not in ("pre", "row") and plain.units < 60:
        block.notes.append("bars")
        points -= 2.5
    furniture = boilerplate.weight(block.text, block.all.units, dated=block.kind != "heading")
    if furniture:
        block.notes.append(f"furniture {furniture:.1f}")
        points = min(points, 1.5 if furniture >= 3.5 else 6.0) - furniture
    return points


def see_verse(row: list[Block]) -> None:
    """Runs of short lines without links, in one element or side by side: verse, dialogue."""
    for run in runs(row):
        size = sum(one.plain.units for one in run)
        share = sum(one.plain.units * one.plain.share for one in run) / size if size else 0.0
        marks = sum(one.plain.marks + one.plain.ends for one in run)
        if len(run) >= 2 and size >= 16 and (share >= 0.2 or (marks >= 2 and share >= 0.1)):
            for one in run:
                one.score = max(one.score, 0.5)
                one.verse = True


def runs(row: list[Block]) -> list[list[Block]]:
    """Blocks without links that follow each other in one element, or in elements side by side."""
    found: list[list[Block]] = []
    place: object = None
    for block in row:
        here = _line_place(block)
        if here is None or here != place:
            found.append([])
        if here is not None:
            found[-1].append(block)
        place = here
    return [run for run in found if run]


def _line_place(block: Block) -> object:
    """What lines that belong together have in common, None for what is no line."""
    if block.links or block.kind not in ("p", "li") or block.score < -1.3:
        return None
    parent = block.element.getparent()
    tags = kind(block.element)
    return (parent, tags)


def judge_spam(row: list[Block], title: str) -> None:
    about = promotion.is_about(title)
    invited = 0.4 if owner.is_office(title) else 1.0
    for block in row:
        if block.kind in ("pre", "row"):
            continue
        if spam.is_keyword_list(block.text):
            block.notes.append("keywords")
            block.score = min(block.score, 0.0) - 5.0
        elif spam.is_stuffed(block.text):
            block.notes.append("stuffed")
            block.score = min(block.score, 1.0) - 5.0
        selling = 0.0 if about else invited * promotion.weight(block.text, block.all.units)
        if selling and block.kind != "heading":
            block.notes.append(f"selling {selling:.1f}")
            block.score = min(block.score, 1.0 if invited == 1 else 6.0) - selling
        if block.kind != "heading" and promotion.echoes(block.text, title):
            block.notes.append("echo")
            block.score = min(block.score, 1.5) - 4.0
        found = spam.trades(block.text)
        if found >= 3 or (found == 2 and block.all.units < 60):
            block.notes.append("trades")
            block.score -= 4.0
    _judge_trades(row)
    for lines in runs(row):
        if len(lines) >= 3 and spam.is_keyword_list(" | ".join(one.text for one in lines)):
            for block in lines:
                block.notes.append("keyword lines")
                block.score -= 4.0
    sites = set() if about else promotion.site_names(title)
    for block in row:
        if block.kind != "heading" and promotion.names_site(block.text, sites):
            tempted = bool(promotion.appeals(block.text)) or boilerplate.weight(block.text, 0) > 0
            block.notes.append("names the site")
            block.score = min(block.score, 1.0) - 5.0 if tempted else block.score - 1.5
    long = [b for b in row if b.all.units >= 25 and b.kind not in ("pre", "row")]
    for number in spam.templated([block.text for block in long]):
        long[number].notes.append("templated")
        long[number].score = min(long[number].score, 1.0) - 4.0


def _judge_trades(row: list[Block]) -> None:
    """A paragraph that offers what spammers trade in, where hardly another speaks of it."""
    long = [b for b in row if b.plain.units >= 15 and b.plain.marks and b.kind != "pre"]
    prose = [(spam.trades(block.text), block) for block in long]
    if sum(found > 0 for found, _ in prose) > max(1, 0.4 * len(prose)):
        return
    for found, block in prose:
        if found >= 2 and (block.links or promotion.boasts(block.text)):
            block.notes.append("trades alone")
            block.score = min(block.score, 1.0) - 5.0


def judge_owner(row: list[Block], body: HtmlElement, title: str) -> None:
    """Prose that names the firm among prose that does not, or has the words the page is stuffed
    with and the rest has not."""
    prose = [block for block in row if good(block) and block.plain.units >= 10]
    if len(prose) < 3:
        return
    if owner.is_kept(row) and not promotion.is_about(title):
        firm = owner.names(body, row, title)
        naming = [b for b in prose if firm.in_text(b.text) and not promotion.reports(b.text)]
        if len(naming) <= max(2, 0.3 * len(prose)):
            for block in naming:
                above = row[row.index(block) - 1]
                headed = above.kind == "heading" or above.plain.units <= 6
                speaks = promotion.boasts(block.text) or firm.sells
                if speaks and block is not prose[0] and not headed:
                    block.notes.append("owner")
                    block.score = min(block.score, 1.0) - 5.0
        _judge_invitations(row)
    stuffed = owner.stuffing(body, row)
    shares = [(owner.pushed(block.text, stuffed), block) for block in prose]
    usual = sorted(share for share, _ in shares)[len(shares) // 2]
    for share, block in shares:
        if (
            promotion.boasts(block.text)
            and share > 0.035
            and share > 4 * usual
            and block.plain.units >= 20
        ):
            block.notes.append("pushed")
            block.score = min(block.score, 1.0) - 5.0


def _judge_invitations(row: list[Block]) -> None:
    """What stands below "Our strengths" or "Looking for a plumber in Millbrook?"."""
    for place, heading in enumerate(row):
        if heading.kind != "heading" or heading.level < 2 or not promotion.invites(heading.text):
            continue
        below = []
        for block in row[place + 1 : place + 9]:
            if block.kind == "heading":
                break
            below.append(block)
        if not any(promotion.appeals(block.text) for block in below):
            continue
        for block in (heading, *below):
            if block is heading or block.all.units < 25 or promotion.boasts(block.text):
                block.notes.append("invites")
                block.score = min(block.score, 1.0) - 5.0


def judge_repeats(row: list[Block]) -> None:
    """Labels that stand in three places or more, and long texts that stand there again."""
    places: defaultdict[str, set[object]] = defaultdict(set)
    for block in row:
        if block.all.units < 14 and not block.plain.ends:
            above = block.element.getparent()
            above = above.getparent() if above is not None else None
            places[_DIGITS.sub("0", block.text)].add(above)
    squeezed = [re.sub(r"[\W_]+", "", block.text.lower()) for block in row]
    whole = "\n".join(text for text, block in zip(squeezed, row, strict=True) if block.kind == "p")
    same = Counter(squeezed)
    frames = Counter(block.frame for block in row if block.links and block.plain.units >= 1)
    seen: set[str] = set()
    for bare, block in zip(squeezed, row, strict=True):
        if block.kind == "p" and 7 <= block.all.units < 60 and whole.count(bare) > same[bare]:
            block.notes.append("quoted")  # a line set large that stands in the text as well
            block.score -= 3.5
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


def judge_captions(row: list[Block]) -> None:
    """Short lines of one make that come once with each of several pieces of prose: names, ranks
    and dates of posts."""
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place, block in enumerate(row):
        titled = not _TITLES.isdisjoint(boilerplate.names(block.element))
        if (
            block.kind not in ("heading", "row", "pre")
            and not titled
            and (block.element.tag not in _TERMS)
        ):
            groups[_path(block)].append(place)
    for places in groups.values():
        group = [row[place] for place in places]
        if len(group) < 2 or sum(b.all.units for b in group) > 18 * len(group):
            continue
        if sum(b.plain.marks + b.plain.ends for b in group) > 0.3 * len(group):
            continue
        gaps = list(pairwise(places))
        apart = sum(any(good(row[i]) >= 12 for i in range(one + 1, other)) for one, other in gaps)
        parents = {block.element.getparent() for block in group}
        if apart >= max(1, 0.3 * len(gaps)) and len(parents) > 1:
            for block in group:
                block.notes.append("caption")
                block.score -= 2.5


def draw_together(row: list[Block]) -> None:
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
            block.score += (0.6 if mean > 0 and not block.links else 0.35) * mean


def _path(block: Block) -> tuple[object, ...]:
    """Tags and names of the four innermost elements; where none has a name, the parent itself."""
    names: list[object] = [block.kind]
    element: HtmlElement | None = block.element
    named = False
    for _ in range(4):
        if element is None:
            break
        made = kind(element)
        named |= bool(made[1])
        names.append(made)
        element = element.getparent()
    if not named:
        parent = block.element.getparent()
        names.append(parent)
    return tuple(names)


def kind(element: HtmlElement) -> tuple[str, str]:
    """Tag and class without numbers: alike for items of one list."""
    return str(element.tag), _DIGITS.sub("", element.get("class") or "")


def good(block: Block) -> float:
    """Units of a block that is prose by its own score, else 0."""
    is_good = block.score > 1.0 or (block.verse and block.score > 0)
    return block.plain.units if is_good else 0.0
