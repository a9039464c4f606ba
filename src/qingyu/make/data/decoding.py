"""Bytes of a page to text: what it says its encoding is, what it really is, and repair.

    decoded = decode(raw, declared="gb2312")       # decoded.text, decoded.encoding
    repair("ä½ å¥½")                                # "你好"

UTF-8 that is valid is UTF-8. Otherwise the declared encoding and those of Chinese, Japanese and
Korean pages are tried, and the one whose text has the most common characters is taken. Text that
went through a wrong encoding before (mojibake) is turned back where that is certain.
"""

from __future__ import annotations

import codecs
import html
import re
from dataclasses import dataclass

_ALIASES = {
    "gb2312": "gb18030",
    "gb-2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "gb18030": "gb18030",
    "cp936": "gb18030",
    "hz-gb-2312": "hz",
    "big5": "big5hkscs",
    "big-5": "big5hkscs",
    "big5-hkscs": "big5hkscs",
    "cp950": "big5hkscs",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "ansi": "cp1252",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "sjis": "cp932",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "unicode": "utf-8",
    "utf8": "utf-8",
}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CANDIDATES = ("gb18030", "big5hkscs", "cp932", "cp949", "euc_jp", "cp1252", "cp1251")
_META = re.compile(
    rb"<meta[^>]{0,300}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,30})", re.IGNORECASE
)
_XML = re.compile(rb"<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([A-Za-z0-9_.-]{2,30})", re.IGNORECASE)
# The commonest characters of Chinese, in both scripts, and marks of Chinese text.
_COMMON = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"
    "用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实"
    "日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政"
    "美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员"
    "解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件"
    "计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象"
    "這個們來國說時會對過發後種經學動還進樣實開從當為與長機無現頭點業間問應戰體見給門東聲員處義認條題氣數"
    "電報總變關兩別難聽書話語讓請讀寫買賣車馬鳥魚風飛龍場歲網頁，。、！？：；“”（）《》…—"
    "のにはをたがでてとしれさいるもなかっりこうくすまそだ이다는가을에의하고지사로리기도한를은나자어습니서"
)
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
# What the commonest pieces of Chinese UTF-8 become when read as GBK.
_READ_AS_GBK = re.compile("锛|銆|鈥|鐨勫|鐨勬|涓€|浜嗭|鏄|杩|锟")
_READ_AS_LATIN = re.compile("[\u00c2-\u00f4][\u0080-\u00bf\u0152-\u0178\u2018-\u203a\u20ac\u2122]")
_LATIN_RUN = re.compile("[\u00a1-\u00ff]{4,}")
_LEFT_ENTITY = re.compile(r"&(?:nbsp|ldquo|rdquo|mdash|hellip|middot|#\d{2,7}|#x[0-9a-fA-F]{2,6});")


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """encoding: Python's name of what the bytes were; declared: what they were said to be."""

    text: str
    encoding: str
    declared: str | None


def decode(raw: bytes, declared: str | None = None) -> Decoded:
    """Never raises. declared: from outside, as an HTTP header says it; else the page's own."""
    said = declared or _own_word(raw)
    for bom, encoding in _BOMS:
        if raw.startswith(bom):
            text = raw[len(bom) :].decode(encoding, "replace")
            return Decoded(text=text, encoding=encoding, declared=said)
    if b"\x00" in raw[:200] and raw[1:2] == b"\x00":
        return Decoded(text=raw.decode("utf-16-le", "replace"), encoding="utf-16-le", declared=said)
    whole = _whole_utf8(raw)
    if whole is not None:
        return Decoded(text=whole, encoding="utf-8", declared=said)
    encoding = _best(raw, _python_name(said))
    return Decoded(text=raw.decode(encoding, "replace"), encoding=encoding, declared=said)


def _own_word(raw: bytes) -> str | None:
    head = raw[:8192]
    found = _META.search(head) or _XML.search(head)
    return found.group(1).decode("ascii") if found else None


def _python_name(said: str | None) -> str | None:
    if said is None:
        return None
    name = _ALIASES.get(said.strip().lower(), said.strip().lower())
    try:
        return codecs.lookup(name).name if name.isascii() else None
    except LookupError:
        return None


def _whole_utf8(raw: bytes) -> str | None:
    """The text if the bytes are UTF-8, but for a character cut off at the end or a few bytes."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    sound = sum(1 for character in text if character > "\x7f") - broken
    return text if sound >= 20 * broken else None


def _best(raw: bytes, declared: str | None) -> str:
    # Enough to tell, from the middle of whatever is not ASCII.
    runs = _HIGH_RUN.findall(raw)
    high = sum(map(len, runs))
    start = raw.find(runs[len(runs) // 3]) if runs else 0
    sample = raw[start : start + 60_000]
    candidates = dict.fromkeys((declared, *_CANDIDATES) if declared else _CANDIDATES)
    scores: dict[str, float] = {}
    for encoding in candidates:
        try:
            text = sample.decode(encoding, "replace")
        except (LookupError, UnicodeError):
            continue
        scores[encoding] = _plausible(text, encoding, high / max(len(runs), 1))
        if encoding == declared:
            scores[encoding] += 0.12 if high > 24 else 0.6  # few bytes say little themselves
    return max(scores, key=lambda one: scores[one]) if scores else "utf-8"


def _plausible(text: str, encoding: str, mean_run: float) -> float:
    """Share of common characters of those beyond ASCII, less what could not be decoded."""
    beyond = [character for character in text if character > "\x7f"]
    if not beyond:
        return 0.5
    broken = sum(character == "\ufffd" or "\ue000" <= character <= "\uf8ff" for character in beyond)
    if encoding == "cp1251":
        return sum(character in "оеаинтсрвлкмдпуя" for character in beyond) / len(beyond)
    if encoding == "cp1252" or encoding.startswith(("iso", "cp125", "koi8")):
        # Letters with accents stand alone between ASCII ones.
        letters = sum(character.isalpha() or character in "’‘“”–—…©«» " for character in beyond)
        plain = letters / len(beyond) - broken / len(beyond)
        alone = encoding in ("cp1252", "iso8859-1", "iso8859-15")
        return plain * (0.9 if alone == (mean_run < 2.2) else 0.1)
    common = sum(character in _COMMON for character in beyond)
    return (common - 3 * broken) / len(beyond)


def repair(text: str) -> str:
    """Text that was read in a wrong encoding, as it was meant; anything else as it is."""
    if _READ_AS_LATIN.search(text):
        import ftfy

        text = ftfy.fix_encoding(text)
    if _too_many(_READ_AS_GBK, text):
        text = _again(text, "gb18030", "utf-8")
    if len("".join(_LATIN_RUN.findall(text))) > 0.3 * len(text):
        text = _again(text, "latin-1", "gb18030")
    if _LEFT_ENTITY.search(text):
        text = _LEFT_ENTITY.sub(lambda found: html.unescape(found.group()), text)
    return text


def _too_many(pattern: re.Pattern[str], text: str) -> bool:
    return len(pattern.findall(text)) * 60 > len(text)


def _again(text: str, wrong: str, right: str) -> str:
    """Lines taken back to bytes and read anew, where that makes them commoner."""
    lines = []
    for line in text.split("\n"):
        new = line.encode(wrong, "ignore").decode(right, "ignore")
        lines.append(new if _commonness(new) > _commonness(line) + 0.1 else line)
    return "\n".join(lines)


def _commonness(text: str) -> float:
    beyond = [character for character in text if character > "\x7f"]
    return sum(character in _COMMON for character in beyond) / len(beyond) if beyond else 0.0
