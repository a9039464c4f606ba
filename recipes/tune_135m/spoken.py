"""Numbers as they are said and as they are written, in Chinese and English.

    chinese(30_050)              "三万零五十"
    english(30_050)              "thirty thousand and fifty"
    say("zh", "time", random)    Said(spoken="下午三点一刻", written="下午3:15")

What can be read in several ways is, at random: 二百 and 两百, with "and" or without.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

DIGITS = "零一二三四五六七八九"
ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip
MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]


@dataclass(frozen=True)
class Said:
    spoken: str
    written: str


def chinese(number: int, *, two: str = "二") -> str:
    """0 to 99,999,999 as it is read. two: 二 or 两, before 百, 千 and 万."""
    if number >= 10_000:
        high, low = divmod(number, 10_000)
        head = two if high == 2 else chinese(high, two=two)
        zero = "零" if 0 < low < 1000 else ""
        return f"{head}万{zero}{_section(low, two) if low else ''}"
    if number < 10:
        return DIGITS[number]
    text = _section(number, two)
    return text.removeprefix("一") if 10 <= number < 20 else text


def _section(number: int, two: str) -> str:
    """1 to 9,999, 十 always with 一 before it."""
    text, gap = "", False
    for unit, size in (("千", 1000), ("百", 100), ("十", 10), ("", 1)):
        digit = number // size % 10
        if digit == 0:
            gap = bool(text)
            continue
        if gap:
            text, gap = text + "零", False
        text += (two if digit == 2 and size >= 100 else DIGITS[digit]) + unit
    return text


def english(number: int, *, joined: bool = True) -> str:
    """0 to 99,999,999 as it is read. joined: "and" after hundreds, as in Britain."""
    for name, size in (("million", 1_000_000), ("thousand", 1000)):
        if number >= size:
            high, low = divmod(number, size)
            word = " and " if joined and 0 < low < 100 else " "
            rest = word + english(low, joined=joined) if low else ""
            return f"{english(high, joined=joined)} {name}{rest}"
    if number >= 100:
        high, low = divmod(number, 100)
        word = " and " if joined else " "
        return f"{ONES[high]} hundred" + (word + english(low, joined=joined) if low else "")
    if number < 20:
        return ONES[number]
    return TENS[number // 10 - 1] + (f" {ONES[number % 10]}" if number % 10 else "")


def english_ordinal(number: int) -> str:
    *before, last = english(number).split()
    if last in ORDINALS:
        last = ORDINALS[last]
    else:
        last = f"{last.removesuffix('y')}ieth" if last.endswith("y") else f"{last}th"
    return " ".join([*before, last])


def suffix(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th."""
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ends.get(number % 10, 'th')}"


def _size(draw: random.Random) -> int:
    """A number from 10 to 99,999, each length as likely."""
    return draw.randrange(10 ** (length := draw.randint(1, 4)), 10 ** (length + 1))


def _zh_count(number: int, draw: random.Random) -> str:
    return "两" if number == 2 else chinese(number, two=draw.choice("二两"))


def zh_integer(draw: random.Random) -> Said:
    number = _size(draw)
    return Said(_zh_count(number, draw), str(number))


def zh_degrees(draw: random.Random) -> Said:
    whole = draw.randint(10, 42)
    spoken = chinese(whole)
    match draw.randrange(3):
        case 0:
            return Said(f"{spoken}度", f"{whole}度")
        case 1:
            return Said(f"{spoken}度半", f"{whole}.5度")
        case _:
            part = draw.randint(1, 9)
            return Said(f"{spoken}点{DIGITS[part]}度", f"{whole}.{part}度")


def zh_percent(draw: random.Random) -> Said:
    number = draw.randint(1, 100)
    spoken = draw.choice(["百", "一百"]) if number == 100 else chinese(number)
    return Said(f"百分之{spoken}", f"{number}%")


def zh_time(draw: random.Random) -> Said:
    hour, minute = (
        draw.randint(1, 12),
        draw.choice([0, 15, 30, 45, *range(5, 60, 5), draw.randrange(1, 60)]),
    )
    part = draw.choice(["早上", "上午", "下午", "晚上", ""])
    said = "两" if hour == 2 else chinese(hour)
    tails = {
        0: ["", "整"],
        15: ["一刻", "十五", "十五分"],
        30: ["半", "三十", "三十分"],
        45: ["三刻", "四十五"],
    }
    if minute < 10 and minute:
        tail = f"零{DIGITS[minute]}{draw.choice(['', '分'])}"
    else:
        tail = draw.choice(tails.get(minute, [chinese(minute), f"{chinese(minute)}分"]))
    return Said(f"{part}{said}点{tail}", f"{part}{hour}:{minute:02}")


def zh_duration(draw: random.Random) -> Said:
    number = draw.randint(1, 12)
    match draw.randrange(4):
        case 0:
            return Said(f"{_zh_count(number, draw)}个半小时", f"{number}.5小时")
        case 1:
            return Said(f"{_zh_count(number, draw)}个小时", f"{number}小时")
        case 2:
            number = draw.randint(11, 59)
            return Said(f"{chinese(number)}分钟", f"{number}分钟")
        case _:
            number = draw.randint(11, 99)
            return Said(f"{chinese(number)}秒", f"{number}秒")


def zh_date(draw: random.Random) -> Said:
    month, day = draw.randint(1, 12), draw.randint(1, 28)
    return Said(f"{chinese(month)}月{chinese(day)}{draw.choice('号日')}", f"{month}月{day}日")


def zh_year(draw: random.Random) -> Said:
    year = draw.randint(1900, 2049)
    return Said("".join(DIGITS[int(one)] for one in str(year)) + "年", f"{year}年")


def zh_money(draw: random.Random) -> Said:
    whole, part = draw.randint(1, 999), draw.randint(1, 9)
    spoken = _zh_count(whole, draw)
    match draw.randrange(3):
        case 0:
            return Said(f"{spoken}{draw.choice('块元')}", f"{whole}元")
        case 1:
            return Said(f"{spoken}块{DIGITS[part]}", f"{whole}.{part}元")
        case _:
            return Said(f"{spoken}块{DIGITS[part]}毛", f"{whole}.{part}元")


def zh_fraction(draw: random.Random) -> Said:
    below = draw.randint(3, 20)
    above = draw.randint(1, below - 1)
    return Said(f"{chinese(below)}分之{chinese(above)}", f"{above}/{below}")


def zh_ordinal(draw: random.Random) -> Said:
    number = draw.randint(1, 199)
    return Said(f"第{chinese(number)}", f"第{number}")


def zh_digits(draw: random.Random) -> Said:
    number = "".join(draw.choices("0123456789", k=draw.choice([4, 6, 8, 11])))
    one = draw.choice("一幺")
    return Said("".join(one if d == "1" else DIGITS[int(d)] for d in number), number)


def en_integer(draw: random.Random) -> Said:
    number = _size(draw)
    return Said(english(number, joined=draw.random() < 0.5), str(number))


def en_degrees(draw: random.Random) -> Said:
    whole, part = draw.randint(10, 99), draw.randint(1, 9)
    match draw.randrange(3):
        case 0:
            return Said(f"{english(whole)} degrees", f"{whole} degrees")
        case 1:
            return Said(f"{english(whole)} and a half degrees", f"{whole}.5 degrees")
        case _:
            return Said(f"{english(whole)} point {ONES[part]} degrees", f"{whole}.{part} degrees")


def en_percent(draw: random.Random) -> Said:
    number = draw.randint(1, 100)
    return Said(f"{english(number)} {draw.choice(['percent', 'per cent'])}", f"{number}%")


def en_time(draw: random.Random) -> Said:
    hour, minute = (
        draw.randint(1, 12),
        draw.choice([0, 15, 30, 45, *range(5, 60, 5), draw.randrange(1, 60)]),
    )
    part = draw.choice([" in the morning", " in the evening", ""])
    before = ONES[hour % 12 + 1]
    ways = [f"{ONES[hour]} {f'oh {ONES[minute]}' if minute < 10 else english(minute)}"]
    if minute == 0:
        ways = [f"{ONES[hour]} o'clock"]
    elif minute in (15, 45):
        ways.append(
            f"quarter {'past' if minute == 15 else 'to'} {ONES[hour] if minute == 15 else before}"
        )
    elif minute == 30:
        ways.append(f"half past {ONES[hour]}")
    elif minute % 5 == 0:
        ways.append(
            f"{english(minute)} past {ONES[hour]}"
            if minute < 30
            else f"{english(60 - minute)} to {before}"
        )
    return Said(draw.choice(ways) + part, f"{hour}:{minute:02}{part}")


def en_duration(draw: random.Random) -> Said:
    number = draw.randint(2, 12)
    match draw.randrange(4):
        case 0:
            return Said(f"{ONES[number]} and a half hours", f"{number}.5 hours")
        case 1:
            return Said(f"{ONES[number]} hours", f"{number} hours")
        case 2:
            number = draw.randint(10, 59)
            return Said(f"{english(number)} minutes", f"{number} minutes")
        case _:
            number = draw.randint(10, 99)
            return Said(f"{english(number)} seconds", f"{number} seconds")


def en_date(draw: random.Random) -> Said:
    month, day = draw.choice(MONTHS), draw.randint(1, 28)
    spoken = draw.choice(
        [f"{month} {english_ordinal(day)}", f"the {english_ordinal(day)} of {month}"]
    )
    return Said(spoken, f"{month} {day}")


def en_year(draw: random.Random) -> Said:
    century, rest = draw.choice([19, 20]), draw.randint(10, 99)
    if century == 20:
        rest = draw.randint(10, 49)
    return Said(f"{english(century)} {english(rest)}", f"{century}{rest}")


def en_money(draw: random.Random) -> Said:
    whole, part = draw.randint(2, 999), draw.randint(10, 99)
    spoken = english(whole, joined=draw.random() < 0.5)
    if draw.random() < 0.5:
        return Said(f"{spoken} dollars", f"${whole}")
    return Said(f"{spoken} dollars and {english(part)} cents", f"${whole}.{part}")


def en_fraction(draw: random.Random) -> Said:
    below = draw.randint(3, 20)
    above = draw.randint(1, below - 1)
    name = "quarter" if below == 4 and draw.random() < 0.5 else english_ordinal(below)
    return Said(f"{ONES[above]} {name}{'s' if above > 1 else ''}", f"{above}/{below}")


def en_ordinal(draw: random.Random) -> Said:
    number = draw.randint(1, 199)
    return Said(english_ordinal(number), suffix(number))


def en_digits(draw: random.Random) -> Said:
    number = "".join(draw.choices("0123456789", k=draw.choice([4, 6, 7, 10])))
    zero = draw.choice(["zero", "oh"])
    return Said(" ".join(zero if one == "0" else ONES[int(one)] for one in number), number)


KINDS = (
    "integer", "degrees", "percent", "time", "duration", "date", "year", "money", "fraction",
    "ordinal", "digits",
)  # fmt: skip
WAYS: dict[str, Callable[[random.Random], Said]] = {
    f"{language}_{kind}": globals()[f"{language}_{kind}"]
    for language in ("zh", "en")
    for kind in KINDS
}


def say(language: str, kind: str, draw: random.Random) -> Said:
    return WAYS[f"{language}_{kind}"](draw)
