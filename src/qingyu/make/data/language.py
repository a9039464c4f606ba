"""Which language a text is in: Chinese, English or another, by its script and function words.

    language("今天天气很好")          # "zh"
    is_traditional("學校在半山腰")    # True

No model: for these two languages script and function words are enough, and the same everywhere.
"""

from __future__ import annotations

import re

from qingyu.make.data.measures import measure

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA = re.compile("[\u3040-\u30ff]")
_HANGUL = re.compile("[\uac00-\ud7af\u1100-\u11ff]")
_LATIN = re.compile("[A-Za-z]")
_LETTER = re.compile(r"[^\W\d_]")
_TRADITIONAL = frozenset(
    "這個們來國說時會對過發後種經學動還進樣實開從當為與長機無現頭點業間問應戰體見給門東聲員處義認條題氣數"
    "電報總變關兩別難聽書話語讓請讀寫買賣車馬鳥魚風飛龍場歲網頁裡麼灣臺灣單師劉黃張陳楊趙吳鄭孫"
)
_SIMPLIFIED = frozenset(
    "这个们来国说时会对过发后种经学动还进样实开从当为与长机无现头点业间问应战体见给门东声员处义认条题气数"
    "电报总变关两别难听书话语让请读写买卖车马鸟鱼风飞龙场岁网页里么湾台单师刘黄张陈杨赵吴郑孙"
)
_SAMPLE = 20_000


def language(text: str) -> str:
    """ "zh", "en" or "other"; a text in both goes by what there is more of."""
    text = text[:_SAMPLE]
    han = len(_HAN.findall(text))
    kana = len(_KANA.findall(text))
    hangul = len(_HANGUL.findall(text))
    letters = len(_LETTER.findall(text))
    if not letters:
        return "other"
    if kana > 0.1 * (han + kana) or hangul > 0.2 * letters:
        return "other"
    latin = len(_LATIN.findall(text))
    # A character says about as much as three letters.
    if 3 * han >= latin and han >= 0.25 * (letters - latin):
        return "zh"
    if latin < 0.8 * letters:
        return "other"
    return "en" if measure(text).share >= 0.1 else "other"


def is_traditional(text: str) -> bool:
    """Whether a Chinese text is in traditional characters."""
    old = new = 0
    for character in text[:_SAMPLE]:
        old += character in _TRADITIONAL and character not in _SIMPLIFIED
        new += character in _SIMPLIFIED and character not in _TRADITIONAL
    return old > new
