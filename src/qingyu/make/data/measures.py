"""How much of a text is prose: size, sentence marks and function words, in Chinese and English.

    measure("今天天气很好，我们去公园。").share      # function characters of all, 0.15

One English word counts as 1.6 units, a Chinese character as one: about the same content, so that
a threshold means the same in both. Knows nothing of pages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

WORD_UNITS = 1.6

# Chinese characters, kana, hangul syllables
IDEOGRAPHS = (
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af\U00020000-\U0003ffff"
)
_IDEOGRAPH = re.compile(f"[{IDEOGRAPHS}]")
# words of any alphabet, numbers included
_WORD = re.compile(rf"(?:(?![{IDEOGRAPHS}])\w)+(?:['’](?:(?![{IDEOGRAPHS}])\w)+)?")
_LETTERS = re.compile(r"[^\W\d_]")
# A comma of lists (、) says less than one of sentences, and a colon follows labels.
_WIDE_MARKS = re.compile("[。！？；，…]|——")
_NARROW_MARKS = re.compile(r"(?<=[\w)\"'”’\]%])[.,;!?](?=[\s\"'”’)\]]|$)")
_ENDINGS = re.compile(r"(?:[。！？…；!?.]|——|\.\.\.)[\"'”’」』）)\]】》]*$")


def words(text: str) -> frozenset[str]:
    """A set of words written as a text."""
    return frozenset(text.split())


_FUNCTION_CHARACTERS = frozenset(
    "的了是在有和不我这他也就都而及与着或们来到说要会为以于之其所把被让从对但又还没很能可那你她它"
    "吗呢吧啊得地则因此如果并且却只已将向比等去过再最更自由当时后前里上下个些么什怎谁哪几每某各"
    "乎者矣焉哉曰兮何若夫乃且故亦皆無无莫未非此彼汝吾余予尔爾個們這來說對沒還與從為會後過裡將開给給"
)
_FUNCTION_WORDS = words(
    "a about above after again all also although always am an and any are as at be because been"
    " before being but by can cannot could did do does don't during each either else even every few"
    " for from get got had has have he her here hers herself him himself his how i if in into is"
    " isn't it it's its itself just least less let like may me might mine more most much must my"
    " neither no nor not now of off often on once one only or other our ours out over own perhaps"
    " same shall she should since so some still such than that that's the their theirs them then"
    " there these they this those though through thus till to too under until up upon us very was"
    " wasn't we were what when where whether which while who whom whose why will with within"
    " without would yet you your yours thou thee thy o'er"
)


def is_function_word(word: str) -> bool:
    return word in _FUNCTION_WORDS


@dataclass(frozen=True, kw_only=True)
class Measure:
    """units: size; marks: punctuation of sentences; share: function words of all, 0 to 1;
    ends: whether the text ends as a sentence does; chinese: share of units in ideographs."""

    units: float
    marks: int
    share: float
    ends: bool
    chinese: float


EMPTY = Measure(units=0.0, marks=0, share=0.0, ends=False, chinese=0.0)


def units(text: str) -> float:
    """Size of a text."""
    return len(_IDEOGRAPH.findall(text)) + WORD_UNITS * len(_WORD.findall(text))


def measure(text: str) -> Measure:
    ideographs = _IDEOGRAPH.findall(text)
    found = _WORD.findall(text)
    lettered = [word for word in found if _LETTERS.search(word)]
    size = len(ideographs) + WORD_UNITS * len(found)
    if not size:
        return EMPTY
    functions = sum(character in _FUNCTION_CHARACTERS for character in ideographs)
    # Function words are twice as frequent in English as function characters are in Chinese.
    words_share = sum(word.lower() in _FUNCTION_WORDS for word in lettered) * WORD_UNITS / 2
    return Measure(
        units=size,
        marks=len(_WIDE_MARKS.findall(text)) + len(_NARROW_MARKS.findall(text)),
        share=(functions + words_share) / size,
        ends=bool(_ENDINGS.search(text.rstrip())),
        chinese=len(ideographs) / size,
    )
