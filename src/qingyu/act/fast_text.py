"""A sentence made ready for templates: cleaned, cut into clauses, its numbers found.

clean("麻烦帮我把灯关一下。")       # "把灯关"
clauses("关射灯，开岛台灯")         # ["关射灯", "开岛台灯"]
find("半小时后", DURATIONS)         # [("半小时", 1800)]
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

from qingyu.act.values import tidy

Found = list[tuple[str, float]]

_TRADITIONAL = str.maketrans(
    "開關燈廳臥調溫電視風簾們閉鎖門廚間熱樓書裡裏聲點個機時鐘鬧單條車內後進啟動掃體靜紅綠藍黃顏設為換給幫請將處線導航話發訊號趴蹲轉節誰幾嗎麼這邊過還沒樣讓陽臺",
    "开关灯厅卧调温电视风帘们闭锁门厨间热楼书里里声点个机时钟闹单条车内后进启动扫体静红绿蓝黄颜设为换给帮请将处线导航话发讯号趴蹲转节谁几吗么这边过还没样让阳台",
)
_MARKS = ",.!?;，。！？；、…~～"
_CUTS = re.compile(r"[,;!?，；。！？]|\.(?!\d)")
_ZH_START = re.compile(
    r"^(?:麻烦(?:你|您)?|帮我|帮忙|给我|请(?:你|您)?|劳驾|嗯+|呃+|啊+|哎|喂|那个|就是|快点?|你?能不能|可以|我想|我要)\s*"
)
_ZH_END = re.compile(
    r"\s*(?:一下|一下子|吧|啦|了|呗|哦|啊|呀|喽|嘛|哈|好吗|好不好|可以吗|行吗|行不行|谢谢(?:你|您|啦)?)$"
)
_EN_START = re.compile(
    r"^(?:please|kindly|could you|can you|would you|will you|i'd like you to|i want you to"
    r"|hey|ok|okay|um+|uh+|er+|erm|so|like|just|now)\b\s*",
    re.IGNORECASE,
)
_EN_END = re.compile(
    r"\s*\b(?:please|thanks|thank you|for me|now|right now|yeah|will you|would you)$",
    re.IGNORECASE,
)
_ENDS = (_ZH_START, _ZH_END, _EN_START, _EN_END)


def simplified(text: str) -> str:
    """With full-width forms made narrow and the common traditional characters simplified."""
    return unicodedata.normalize("NFKC", text).replace("’", "'").translate(_TRADITIONAL)


def clean(text: str) -> str:
    """Without marks and courtesy at the ends; marks inside are spaces, but for those in numbers."""
    text = simplified(text)
    text = re.sub(r"(?<!\d)[.:](?!\d)|[,!?;，。！？；、…~]|(?<=\d)\.(?!\d)|[:](?!\d)", " ", text)
    text = " ".join(text.split())
    while True:
        shorter = text
        for pattern in _ENDS:
            shorter = pattern.sub("", shorter, count=1) or shorter
        if shorter == text:
            return text.strip()
        text = shorter


def clauses(text: str) -> list[str]:
    """The parts between marks and words such as "then", each cleaned, empty ones left out."""
    parts = _CUTS.split(simplified(text))
    parts = [one for part in parts for one in re.split(r"然后|\band then\b|\bthen\b|\band\b", part)]
    return [one for one in (clean(part.lstrip("再")) for part in parts) if one]


_DIGITS = {one: value for value, one in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_ZH = "零〇一二两三四五六七八九十百千万"
_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10000}
_SMALL = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
]  # fmt: skip
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORDS = {word: value for value, word in enumerate(_SMALL)}
_WORDS |= {word: 10 * (value + 2) for value, word in enumerate(_TENS)}
_EN = rf"(?:(?:{'|'.join(_TENS)})(?:[ -](?:{'|'.join(_SMALL[1:10])}))?|{'|'.join(_SMALL)})"
_EN = rf"\b(?:{_EN} hundred(?: and {_EN})?|a hundred|{_EN})\b"
_NUMBER = rf"(?:\d+(?:\.\d+)?|[{_ZH}]+(?:点[{_ZH}]+)?|{_EN})"


def number(text: str) -> float | None:
    """The value of a numeral in digits, Chinese or English; None where it is none."""
    text = text.strip().casefold()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return tidy(float(text))
    if text and text[0] in _ZH:
        whole, _, rest = text.partition("点")
        value = _chinese(whole)
        if value is None or (rest and not all(one in _DIGITS for one in rest)):
            return None
        return tidy(value + float("0." + "".join(str(_DIGITS[one]) for one in rest or "零")))
    total = 0
    for word in re.split(r"[ -]", text):
        if word == "hundred":
            total = (total or 1) * 100
        elif word in _WORDS:
            total += _WORDS[word]
        elif word not in ("and", "a"):
            return None
    return total


def _chinese(text: str) -> int | None:
    if len(text) > 1 and all(one in _DIGITS for one in text):
        return int("".join(str(_DIGITS[one]) for one in text))
    total, digit, last = 0, None, 0
    for one in text:
        if one in _UNITS:
            last = _UNITS[one]
            total = (total or 1) * last if last == 10000 else total + (digit or 1) * last
            digit = None
        elif one in "零〇":
            last = 10
        elif digit is not None:
            return None
        else:
            digit = _DIGITS[one]
    if digit is not None:  # 一百八 is 180
        total += digit * (last // 10 if last >= 100 else 1)
    return total


Reader = Callable[[re.Match[str]], float | None]


def _quantity(units: Mapping[str, float]) -> tuple[re.Pattern[str], Reader]:
    """Numerals with a unit: "两个半小时", "1.5 hours", "an hour and a half", "half an hour"."""
    names = "|".join(sorted(map(re.escape, units), key=len, reverse=True))
    one = (
        rf"(?:(?P<half>half an?|半个?)|(?P<single>an?)|(?P<count>{_NUMBER}))"
        rf"(?P<more> and a half)?\s*个?(?P<plus>半)?\s*(?P<unit>{names})"
        rf"(?P<rest>半)?(?P<tail> and a half)?"
    )

    def read(match: re.Match[str]) -> float | None:
        unit = units[match["unit"].casefold()]
        count = 0.5 if match["half"] else 1.0 if match["single"] else number(match["count"])
        if count is None:
            return None
        halves = sum(bool(match[key]) for key in ("more", "plus", "rest", "tail"))
        return tidy((count + 0.5 * halves) * unit)

    return re.compile(one + r"钟?", re.IGNORECASE), read


NUMBERS: tuple[re.Pattern[str], Reader] = (
    re.compile(_NUMBER, re.IGNORECASE),
    lambda match: number(match[0]),
)
DURATIONS = _quantity(
    {"小时": 3600, "钟头": 3600, "hours": 3600, "hour": 3600, "分钟": 60, "分": 60, "minutes": 60}
    | {"minute": 60, "秒": 1, "seconds": 1, "second": 1, "刻钟": 900}
)
DISTANCES = _quantity(
    {"米": 1, "厘米": 0.01, "公分": 0.01, "metres": 1, "meters": 1, "metre": 1, "meter": 1, "m": 1}
    | {"cm": 0.01, "centimetres": 0.01, "centimeters": 0.01}
)


def find(text: str, what: tuple[re.Pattern[str], Reader]) -> Found:
    """Every numeral or quantity in a text with its value, seconds or metres."""
    pattern, read = what
    found = {match[0].strip(): read(match) for match in pattern.finditer(text)}
    return [(words, value) for words, value in found.items() if value is not None]
