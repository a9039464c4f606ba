"""Whose page it is, and what it pushes: names of its site or firm, words it stuffs.

    owner = names(body, title)                 # of a firm, in full and in short
    owner.in_text("坚石地坪在施工前都会……")       # "坚石地坪"
    pushed(text, stuffing(body, row))          # share of a text in words the page pastes elsewhere

A firm's name stands in the title behind the page's own, in the line of its copyright, and in the
link to its start page. A sentence with it among sentences without it is seldom what readers came
for. Offices and schools sign what they publish: their names say nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lxml.html import HtmlElement

from qingyu.make.data import spam
from qingyu.make.data.blocks import Block
from qingyu.make.data.measures import IDEOGRAPHS, is_function_word

_PARTS = re.compile(r"\s*[_|｜–—»>【】]\s*|\s+[-·•]\s+|-")
_HOME = re.compile(r"^(?:https?://[^/]+)?/?(?:(?:index|default|home)\.\w+)?$|^\./?$")
_CHINESE_NAME = rf"[{IDEOGRAPHS}]{{4,24}}"
_ENGLISH_NAME = r"(?:The )?[A-Z][\w&'’-]*(?: (?:&|and|of|[A-Z][\w&'’-]*)){1,4}"
_RIGHTS = re.compile(
    rf"(?:©|\([cC]\)|[Cc]opyright|版权所有)[\s©:：\d,，.()cC~–—-]*({_CHINESE_NAME}|{_ENGLISH_NAME})"
    rf"|({_CHINESE_NAME})\s*版权所有"
)
_NOT_NAMES = re.compile(
    r"首页|主页|返回|^home\b|版权|保留|所有|rights|reserved|政府|[委局厅部署院会]$|法院|大学|学院|学校|中学|小学"
    r"|馆|协会|学会|基金会|council|government|university|school|library|museum|church|society|club|trust\b|charity",
    re.IGNORECASE,
)
_OFFICES = re.compile(
    r"政府|[委局厅院]$|法院|大学|学院|中学|小学|馆$|协会|学会|基金会|\.gov|university|library|museum|church",
    re.IGNORECASE,
)
_HOSPITAL = re.compile("(?:医院|门诊部?|诊所)$")
_FIRM_ENDS = re.compile(
    r"(?:股份)?有限(?:责任)?公司.*$|集团$|公司$|,? (?:LLP|LLC|Inc|Ltd|Limited|Co|PLLC)\.?$"
)
_SELLERS = re.compile(
    r"(?:公司|集团|[厂店行社]|驾校|事务所|门诊部?|医院|诊所|装饰)$|\b(?:LLP|LLC|Inc|Ltd|Limited|Co|PLLC)\.?$"
)
_HOTLINE = re.compile(
    r"(?:热线|咨询|订购|预约|报名|服务)(?:电话)?\s*[:：]?\s*[\d-]{7,}|400-?\d{3}|在线(?:咨询|预约|报名)"
    r"|free (?:quote|estimate|consultation|case evaluation)|book (?:now|online)"
    r"|call (?:now|us|today)",
    re.IGNORECASE,
)
_GENERIC = re.compile("有限|公司|集团|科技|工程|官方|官网|网站|中心|服务|专业|厂家|批发|价格")
_RUN = re.compile(f"[{IDEOGRAPHS}]+")
_WORD = re.compile(r"[A-Za-z][a-z'’-]{3,}")
_SHORTEST = 4  # ideographs of a name that is not given in full


@dataclass(frozen=True, kw_only=True)
class Owner:
    """names: in lower case, in full, and their beginnings that serve as brands; pieces: runs of
    four ideographs out of them."""

    names: frozenset[str]
    pieces: frozenset[str]
    sells: bool  # a company, by its name or by how it asks to be called

    def in_text(self, text: str) -> str:
        """The name a text has, in full or in short; "" for none."""
        lowered = text.lower()
        for name in self.names:
            if name in lowered:
                return name
        for run in _RUN.findall(text) if self.pieces else ():
            for at in range(len(run) - _SHORTEST + 1):
                if run[at : at + _SHORTEST] in self.pieces:
                    return str(run[at : at + _SHORTEST])
        return ""


def names(body: HtmlElement, row: Sequence[Block], title: str) -> Owner:
    parts = [part.strip() for part in _PARTS.split(title) if part.strip()]
    found = Counter(_rights(row))
    found.update(set(_home_links(body)))
    found.update(part for part in parts[1:] if _FIRM_ENDS.search(part))
    # The last of a title is the site's, if anything of it is.
    found.update(parts[-1:] if len(parts) > 1 else ())
    own = parts[0].lower() if parts else ""
    last = parts[-1].lower() if len(parts) > 1 else ""
    full: set[str] = set()
    pieces: set[str] = set()
    for name in found:
        if _NOT_NAMES.search(name) and not _HOSPITAL.search(name):
            continue
        short = _FIRM_ENDS.sub("", name).strip().lower()
        chinese = bool(_RUN.search(short))
        if len(short) < (3 if chinese else 5) or short in own or own in short:
            continue
        if not chinese and " " not in short and not (last.startswith(short) and len(short) > 4):
            continue
        if len(short) >= _SHORTEST or not chinese:
            full.add(short)
        brand = _brand(short)
        if brand and brand not in own:
            full.add(brand)
        if chinese:
            pieces.update(short[at : at + _SHORTEST] for at in range(len(short) - _SHORTEST + 1))
    pieces = {piece for piece in pieces if not _GENERIC.search(piece) and piece not in own}
    sells = any(_SELLERS.search(name) for name in found)
    sells = sells or any(b.all.units < 60 and _HOTLINE.search(b.text) for b in row)
    return Owner(names=frozenset(full), pieces=frozenset(pieces), sells=sells)


def is_office(title: str) -> bool:
    """Whether a page's title ends with an office, a school or a museum: these invite people too."""
    parts = [part.strip() for part in _PARTS.split(title) if part.strip()]
    return any(_OFFICES.search(part) and not _HOSPITAL.search(part) for part in parts[1:])


def _brand(name: str) -> str:
    """The first two words of a name of three or more; the first three ideographs of one with its
    kind of business behind."""
    if _RUN.match(name):
        known = len(name) >= 5 and not name.startswith(("中国", "全国"))
        return name[:3] if known else ""
    words = name.split()
    many = 3 if words[1:2] in (["&"], ["and"]) else 2
    return " ".join(words[:many]) if len(words) > many and len(words[0]) > 3 else ""


def _rights(row: Sequence[Block]) -> Iterable[str]:
    for block in row:
        if block.all.units < 120:
            for one, other in _RIGHTS.findall(block.text):
                yield one or other


def _home_links(body: HtmlElement) -> Iterable[str]:
    for link in body.iter("a"):
        href = link.get("href")
        if href and _HOME.match(href.strip()):
            text = " ".join("".join(link.itertext()).split())
            if not text:
                text = next((image.get("alt") or "" for image in link.iter("img")), "")
            text = _PARTS.split(text.strip())[0]
            if 3 <= len(text) <= 40:
                yield text


_SIGNS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"版权所有|all rights reserved|©|copyright",
        r"ICP|公网安备|privacy|terms of (?:use|service)|cookie|许可证",
        r"电话|热线|手机|QQ|微信|邮箱|联系我们|contact us|\d{3}[ .)-]{1,2}\d{3}-\d{4}",
        r"登录|注册|评论|关注|客服|log ?in|sign ?in|sign up|subscribe|newsletter|follow|comment"
        r"|advertis|get a quote|book (?:now|online)|add to cart|报价|报名|预约|在线咨询",
    )
]


def is_kept(row: Sequence[Block]) -> bool:
    """Whether somebody speaks to customers or readers around the text: manuals have no such."""
    short = "\n".join(block.text for block in row if block.all.units < 60)
    return sum(bool(sign.search(short)) for sign in _SIGNS) >= 2


# What is pasted.


def stuffing(body: HtmlElement, row: Sequence[Block]) -> frozenset[str]:
    """Words and runs of four ideographs in what a page hides, and in its lists of keywords; none
    where these name none of the trades that break into pages."""
    texts = [body.get("data-hidden-text") or ""]
    texts += [
        block.text
        for block in row
        if "keywords" in block.notes or ("trades" in block.notes and not block.plain.marks)
    ]
    if spam.num_trades(" ".join(texts)) < 4:
        return frozenset()
    return frozenset(piece for text in texts for piece in _pieces(text))


def pushed(text: str, stuffed: frozenset[str]) -> float:
    """Share of a text's words, or runs of four ideographs, that the page pastes elsewhere."""
    if not stuffed:
        return 0.0
    pieces = _pieces(text)
    hits = [piece in stuffed for piece in pieces]
    phrases = sum(hit and not before for before, hit in pairwise((False, *hits)))
    return sum(hits) / len(pieces) if len(pieces) >= 8 and phrases >= 2 else 0.0


def _pieces(text: str) -> list[str]:
    found = [word.lower() for word in _WORD.findall(text)]
    found = [word for word in found if not is_function_word(word)]
    for run in _RUN.findall(text):
        found += [run[at : at + _SHORTEST] for at in range(len(run) - _SHORTEST + 1)]
    return found
