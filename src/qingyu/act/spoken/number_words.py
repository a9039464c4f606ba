"""Runs of digits and number words in a sentence, without units: where they stand and their value.

    runs(folded("twenty six and 一百八"))    # [Run(0, 10, 26), Run(15, 18, 180)]

Knows nothing of meaning: 一 of 一起 is a run here. numbers.py decides what is meant as a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


def compiled(pattern: str) -> re.Pattern[str]:
    r"""With \b and \w for ASCII only: between 设为 and half is a boundary."""
    return re.compile(pattern, re.ASCII)


ZH = "零〇一二两三四五六七八九十百千万幺"
ZH_DIGITS = {one: at for at, one in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "幺": 1}
_ZH_SIZES = {"十": 10, "百": 100, "千": 1000, "万": 10_000}

_BELOW_TWENTY = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ONES = {one: at for at, one in enumerate(_BELOW_TWENTY)}
TENS = {one: 10 * at for at, one in enumerate(_TENS, 2)}
_EN_SIZES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_ORDINAL = {"first": 1, "second": 2, "third": 3, "fifth": 5, "eighth": 8, "ninth": 9, "twelfth": 12}
ORDINALS = (
    _ORDINAL
    | {f"{one}th": at for one, at in ONES.items() if at > 3 and at not in _ORDINAL.values()}
    | {f"{one[:-1]}ieth": at for one, at in TENS.items()}
)

_NUMBER = compiled(
    rf"(?P<figures>\d{{1,3}}(?:,\d{{3}})+(?![\d,])|(?<!\d)\d{{1,15}}(?!\d)(?:\.\d{{1,9}})?)(?P<size>[十百千万])?"
    rf"|(?P<zh>[{ZH}]+(?:点[{ZH}]+)?)"
    rf"|(?P<en>(?<![a-z])(?:{'|'.join([*ONES, *TENS, 'a(?= (?:hundred|thousand|million))'])})"
    r"(?![a-z]))"
)
_WORD = compiled(r"[ -]+([a-z]+)|$")
_FULL = {0xFF01 + at: 0x21 + at for at in range(94)} | {0x3000: 0x20, 0x2019: 0x27}
_CAPITALS = {at: at + 32 for at in range(ord("A"), ord("Z") + 1)}


@dataclass(frozen=True)
class Run:
    """text[start:end] is a number of that value. digits: it was read out digit by digit."""

    start: int
    end: int
    value: float | int
    digits: bool = False


def folded(text: str) -> str:
    """Small letters, ordinary digits and signs for wide ones; every place keeps its number."""
    return text.translate(_FULL).translate(_CAPITALS)


def runs(text: str) -> list[Run]:
    """All runs of a folded text, from left to right, none overlapping."""
    found: list[Run] = []
    at = 0
    while (match := _NUMBER.search(text, at)) is not None:
        run = _read(text, match)
        if run is not None:
            found.append(run)
        at = max(match.end() if run is None else run.end, at + 1)
    return found


def _read(text: str, match: re.Match[str]) -> Run | None:
    start, end = match.span()
    if figures := match["figures"]:
        number = float(figures.replace(",", ""))
        number *= _ZH_SIZES.get(match["size"], 1) if match["size"] else 1
        return Run(start, end, int(number) if number == int(number) else number)
    if zh := match["zh"]:
        whole, _, part = zh.partition("点")
        # 七点十五 and 三点零五 are times of day, 二十六点五 is a decimal.
        if part and not (set(part) <= set(ZH_DIGITS)):
            part = ""
        value = chinese(whole)
        if value is None:
            return None
        digits = len(whole) > 1 and set(whole) <= set(ZH_DIGITS)
        if not part:
            return Run(start, start + len(whole), value, digits)
        return Run(start, end, float(f"{value}.{''.join(str(ZH_DIGITS[one]) for one in part)}"))
    return _english(text, start, end)


def chinese(text: str) -> int | None:
    """两千二 is 2200, 一百八 180, 二零二六 2026; None for what is no exact number (两三, 百十)."""
    if len(text) > 15:
        return None
    if set(text) <= set(ZH_DIGITS):
        if len(text) > 1 and ("两" in text or _about(text)):
            return None
        return int("".join(str(ZH_DIGITS[one]) for one in text))
    head, wan, low = text.rpartition("万")
    if not wan:
        return _section(low)
    high = _section(head)
    if high is None or not low:
        return None if high is None else high * 10_000
    if len(low) == 1 and ZH_DIGITS.get(low):
        return high * 10_000 + ZH_DIGITS[low] * 1000
    rest = _section(low)
    return None if rest is None else high * 10_000 + rest


def _about(text: str) -> bool:
    """三四, 三五: one of them or so."""
    if len(text) != 2:
        return False
    one, two = (ZH_DIGITS[at] for at in text)
    return (one > 0 and two == one + 1) or text == "三五"


def _section(text: str) -> int | None:
    """Below 10,000. The last digit after 百 or 千 without its unit has the next smaller one."""
    if set(text) <= set(ZH_DIGITS):
        return ZH_DIGITS[text] if len(text) == 1 else chinese(text) if text else None
    if text == "百":
        return 100
    total, digit, size, zero = 0, None, 10_000, False
    for place, one in enumerate(text):
        if one in ZH_DIGITS:
            if digit is not None:
                return None
            if ZH_DIGITS[one] == 0:
                zero = True
            else:
                digit = ZH_DIGITS[one]
            continue
        if _ZH_SIZES[one] >= size or (digit is None and not (one == "十" and place == 0)):
            return None
        size = _ZH_SIZES[one]
        total += (1 if digit is None else digit) * size
        digit, zero = None, False
    if digit is not None:
        total += digit * (size // 10 if size >= 100 and not zero else 1)
    return total


def _english(text: str, start: int, end: int) -> Run:
    """The longest number that begins with the word at start."""
    words = [(text[start:end], end)]
    at = end
    # No number has more words; without a bound, a page of "one one one" would take its square.
    while len(words) < 24 and (match := _WORD.match(text, at)) is not None and match[1]:
        words.append((match[1], match.end()))
        at = match.end()
    singles = 0
    for word, _ in words:
        if word != "oh" and ONES.get(word, 10) > 9:
            break
        singles += 1
    if 2 < singles < 16:
        value = int("".join(str(ONES.get(word, 0)) for word, _ in words[:singles]))
        return Run(start, words[singles - 1][1], value, digits=True)
    total, group, used = 0, 0, 0
    allowed = 1000  # what comes next must be smaller
    place = 0
    while place < len(words):
        word = words[place][0]
        size = _EN_SIZES.get(word, 0)
        if word == "and" and place and words[place - 1][0] in _EN_SIZES:
            place += 1
            continue
        if word == "a" and not place:
            group, allowed = 1, 0
        elif word in ONES and ONES[word] < allowed and (ONES[word] or not place):
            group, allowed = group + ONES[word], 0
        elif word in TENS and allowed > 10:
            group, allowed = group + TENS[word], 10
        elif size == 100 and 0 < group < 100:
            group, allowed = group * 100, 100
        elif size > 100 and group:
            total, group, allowed = total + group * size, 0, 1000
        else:
            break
        place += 1
        used = place
    value, end = total + group, words[used - 1][1]
    if used + 1 < len(words) and words[used][0] == "point":
        part = ""
        for word, after in words[used + 1 :]:
            if word != "oh" and ONES.get(word, 10) > 9:
                break
            part, end = part + str(ONES.get(word, 0)), after
        if part:
            return Run(start, end, float(f"{value}.{part}"))
    return Run(start, end, value)
