"""Personal data out of a text: a mark stands where it was.

    mask("我的电话是 13812345678")      # ("我的电话是 <PHONE>", {"PHONE": 1})

E-mail addresses, telephone numbers (Chinese mobiles and lines, international form), Chinese
identity numbers (by check digit), bank cards (by Luhn's), IP addresses but private ones. A number
that is no such thing by its check digit stays.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable

MARKS = ("EMAIL", "ID", "CARD", "PHONE", "IP")

# Whether what looks like personal data is.
Validity = Callable[[re.Match[str]], bool]

_EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}(?:@|\s?(?:\[at\]|\(at\)|＠)\s?)[A-Za-z0-9-]+"
    r"(?:\.[A-Za-z0-9-]+){0,4}\.[A-Za-z]{2,12}(?![A-Za-z0-9_-])",
    re.ASCII,
)
_IDENTITY = re.compile(
    r"(?<![\dA-Za-z])\d{6}(?:19|20)\d\d(?:0\d|1[0-2])[0-3]\d\d{3}[\dXx](?![\dA-Za-z])"
)
# In one piece or in fours; numbers of a table that stand side by side are neither.
_CARD = re.compile(
    r"(?<![A-Za-z0-9_.-])(?<!\d )(?:\d{14,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{1,3})?"
    r"|\d{4}([ -])\d{6}\2\d{5})(?![A-Za-z0-9_.-]| \d)"
)
_MOBILE = re.compile(
    r"(?<![\dA-Za-z.:_/-])(?:(?:\+|00)?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?![\dA-Za-z:_]|\.\d)"
)
_LINE = re.compile(
    r"(?<![\d-])(?:\(0\d{2,3}\)|（0\d{2,3}）|0\d{2,3})[- ]\d{7,8}(?:-\d{1,5})?(?!\d)"
    r"|(?<!\d)400[- ]\d{3}[- ]?\d{4}(?!\d)"
)
_ABROAD = re.compile(
    r"(?<![\w+])\+[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{2,4}(?:[ .-]?\d{2,4}){2,4}(?!\d)"
    r"|(?<![\d-])\(?[2-9]\d{2}\)?[ .-][2-9]\d{2}[.-]\d{4}(?![\d-])"
)
_IP4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)")
_IP6 = re.compile(
    r"(?<![\w:])(?:[0-9A-Fa-f]{1,4}:){2,7}(?:[0-9A-Fa-f]{1,4}|:)(?:[0-9A-Fa-f:]*)(?![\w:])"
)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
# The names of versions look like addresses.
_VERSION = re.compile(r"(?:version|v|版本|ver\.?)\s*$", re.IGNORECASE)


def mask(text: str) -> tuple[str, dict[str, int]]:
    """The text with marks, and how many of each kind."""
    counts: Counter[str] = Counter()

    def replaced(
        mark: str, valid: Callable[[re.Match[str]], bool]
    ) -> Callable[[re.Match[str]], str]:
        def replace(found: re.Match[str]) -> str:
            if not valid(found):
                return found.group()
            counts[mark] += 1
            return f"<{mark}>"

        return replace

    always = lambda found: True  # noqa: E731
    if "@" in text or "at" in text or "＠" in text:
        text = _EMAIL.sub(replaced("EMAIL", always), text)
    if any(character.isdigit() for character in text):
        text = _IDENTITY.sub(replaced("ID", lambda found: is_identity(found.group())), text)
        text = _MOBILE.sub(replaced("PHONE", always), text)
        text = _CARD.sub(replaced("CARD", lambda found: is_card(found.group())), text)
        for pattern in (_LINE, _ABROAD):
            text = pattern.sub(replaced("PHONE", always), text)
        text = _IP4.sub(replaced("IP", _is_public), text)
    if ":" in text:
        text = _IP6.sub(replaced("IP", _is_public), text)
    return text, dict(counts)


def is_identity(number: str) -> bool:
    """Whether the last of 18 characters is the check digit of the others (GB 11643-1999)."""
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], _WEIGHTS, strict=True))
    return "10X98765432"[total % 11] == number[17].upper()


def is_card(number: str) -> bool:
    """Whether a number is one of a bank card: its length, its first digit, Luhn's check digit."""
    digits = [int(character) for character in number if character.isdigit()]
    if not 14 <= len(digits) <= 19 or digits[0] not in (3, 4, 5, 6) or len(set(digits)) < 4:
        return False
    doubled = [2 * digit - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_public(found: re.Match[str]) -> bool:
    before = found.string[max(0, found.start() - 10) : found.start()]
    if _VERSION.search(before):
        return False
    # 11.1.3.2 at the beginning of a line, or before a full stop, is a section.
    heads = (
        not before or before[-1] in "\n第节章§" or found.string[found.end() :][:1] in (".", "节")
    )
    if heads and all(part.isdigit() and int(part) < 40 for part in found.group().split(".")):
        return False
    try:
        address = ipaddress.ip_address(found.group())
    except ValueError:
        return False
    return address.is_global
