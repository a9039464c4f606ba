"""A page as a tree without what no reader sees: scripts, forms, hidden elements, comments.

    body = parse(html)         # an lxml element, or None for a page without text

Hidden is what the page's own markup hides: attributes, inline styles, rules of its style
elements. A rule that hides most of the page's prose is not believed: scripts show it later.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree, html
from lxml.html import HtmlElement

from qingyu.make.data.measures import measure, words

_NOT_TEXT = words(
    "script style noscript template iframe object embed applet svg canvas math-ml audio video map"
    " select option optgroup datalist input textarea button head meta link marquee dialog progress"
    " frame frameset noframes"
)
_HIDDEN_STYLE = re.compile(
    r"display:none|visibility:hidden|font-size:0(?:px|pt|em)?(?:;|$|!)|font-size:[01]px"
    r"|text-indent:-\d{3,}|(?:left|top|right|margin|margin-left|margin-top):-\d{3,}(?:px|em)?"
    r"|opacity:0(?:\.0+)?(?:;|$|!)"
    r"|(?:^|;)(?:max-)?height:[0-2]px.*overflow:hidden|overflow:hidden.*;(?:max-)?height:[0-2]px"
    r"|clip:rect\(0"
)
_HIDDEN_CLASSES = words(
    "sr-only visually-hidden screen-reader-text d-none element-invisible visuallyhidden"
    " screen-reader-only hidden-text assistive-text print-only"
)
# Marks of editing and reference that stand within text.
_MARKS = re.compile(
    r"^(?:[¶#§🔗]|\[?(?:edit|edit source|编辑|編輯|编辑源代码)\]?|[\[［]\d{1,3}[\]］])$"
)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_SIMPLE = re.compile(r"^(?:[a-z0-9]*)(?:[.#][\w-]+)$", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]|[\ud800-\udfff]")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_MAX_CHARACTERS = 20_000_000


def parse(text: str) -> HtmlElement | None:
    """The body of a page, pruned. None when there is none or the markup defeats the parser."""
    text = _CONTROL.sub("", _DECLARATION.sub("", text[:_MAX_CHARACTERS]))
    if not text.strip():
        return None
    parser = html.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True)
    try:
        root = html.document_fromstring(text.encode(), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None
    rules = _hiding_rules(root)
    titles = root.findtext(".//title") or ""
    body = root.body if root.find("body") is not None else root
    body.set("data-page-title", " ".join(titles.split()))
    _prune(body, rules)
    return body


def _prune(body: HtmlElement, rules: set[str]) -> None:
    doomed: list[HtmlElement] = []
    hidden_texts: list[str] = []
    by_rule: list[HtmlElement] = []
    for element in body.iter():
        if element is body:
            continue
        if (
            not isinstance(element.tag, str)
            or element.tag in _NOT_TEXT
            or _is_hidden(element)
            or _is_mark(element)
        ):
            doomed.append(element)
            if element.tag in ("div", "p", "span", "ul", "marquee", "font"):
                hidden_texts.append(" ".join(element.itertext())[:2000])
        elif element.get("aria-hidden") == "true" or (
            rules and not rules.isdisjoint(_selectors(element))
        ):
            by_rule.append(element)
    for element in doomed:
        _remove(element)
    # What a page hides tells what it was stuffed with; `owner` compares.
    body.set("data-hidden-text", " ".join(" ".join(hidden_texts).split())[:20_000])
    if not by_rule:
        return
    hidden = sum(_prose(element) for element in by_rule if _attached(element, body))
    if hidden <= 0.5 * _prose(body):
        for element in by_rule:
            _remove(element)


def _attached(element: HtmlElement, body: HtmlElement) -> bool:
    return any(one is body for one in element.iterancestors())


def _remove(element: HtmlElement) -> None:
    """Take an element out, its tail stays."""
    if element.getparent() is not None:
        element.drop_tree()


def _is_hidden(element: HtmlElement) -> bool:
    get = element.get
    if get("hidden") is not None or get("type") == "hidden":
        return True
    style = get("style")
    if style:
        compact = re.sub(r"\s+", "", style).lower()
        if _HIDDEN_STYLE.search(compact):
            return True
    names = get("class")
    return bool(names) and not _HIDDEN_CLASSES.isdisjoint(names.lower().split())


def _is_mark(element: HtmlElement) -> bool:
    """A sign for editing, anchors or notes: linked, or raised, or beside a heading."""
    if element.tag not in ("a", "sup", "span") or len(element) > 3:
        return False
    text = "".join(element.itertext()).strip()
    if not 0 < len(text) <= 15 or not _MARKS.match(text):
        return False
    return element.tag == "sup" or next(element.iter("a"), None) is not None


def _hiding_rules(root: HtmlElement) -> set[str]:
    """Simple selectors (".x", "#x", "div.x") that style elements hide outside of @media."""
    found: set[str] = set()
    for style in root.iter("style"):
        sheet = re.sub(r"/\*.*?\*/|<!--|-->", "", style.text or "", flags=re.DOTALL)
        sheet = _without_nested(sheet)
        for selectors, declarations in _RULE.findall(sheet):
            compact = re.sub(r"\s+", "", declarations).lower()
            if _HIDDEN_STYLE.search(compact):
                found.update(
                    one.strip() for one in selectors.split(",") if _SIMPLE.match(one.strip())
                )
    return found


def _without_nested(sheet: str) -> str:
    """The sheet without @media and other blocks of rules."""
    parts: list[str] = []
    at = 0
    while (start := sheet.find("@", at)) >= 0:
        parts.append(sheet[at:start])
        depth, end = 0, start
        while end < len(sheet):
            if sheet[end] == "{":
                depth += 1
            elif sheet[end] == "}":
                depth -= 1
                if depth <= 0:
                    break
            elif sheet[end] == ";" and not depth:
                break
            end += 1
        at = end + 1
    parts.append(sheet[at:])
    return "".join(parts)


def _selectors(element: HtmlElement) -> Iterator[str]:
    for name in (element.get("class") or "").split():
        yield f".{name}"
        yield f"{element.tag}.{name}"
    if name := element.get("id"):
        yield f"#{name}"
        yield f"{element.tag}#{name}"


def _prose(element: HtmlElement) -> float:
    """Units in sentences below an element."""
    total = 0.0
    for piece in element.itertext():
        if len(piece) > 10:
            measured = measure(piece)
            if measured.marks and measured.share > 0.08:
                total += measured.units
    return total
