"""Whether two sentences are the same but for fillers, particles, courtesy and punctuation.

    bare("麻烦帮我把那个客厅的灯，关一下吧！") == bare("把客厅灯关了")         # True
    bare("Um, could you turn the lights off, please?") == bare("turn lights off")

The leak test rests on this: what is the same as a test sentence must not be trained on. It
rather finds too much the same than too little: articles and 的 go as well. What would be
empty (a sentence of courtesy alone) stays as it is. Words keep their order, numbers their
spelling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from qingyu.act.spoken.spelling import simplified

_HANZI = r"\u3007\u3400-\u4dbf\u4e00-\u9fff"
# Chinese is taken by the run, other languages by the word; all that is neither is dropped.
_PIECES = re.compile(rf"[{_HANZI}]+|[^\W_{_HANZI}]+(?:\.\d+)?")
_INSIDE_WORDS = re.compile(r"(?<=[^\W\d_])['’`´](?=[^\W\d_])")
_RUN = re.compile(rf"[{_HANZI}]")

_ZH_COURTESY = (
    "麻烦你了", "麻烦您了", "麻烦你", "麻烦您", "麻烦", "劳驾你", "劳驾您", "劳驾", "拜托你",
    "拜托您", "拜托了", "拜托", "辛苦你了", "辛苦了", "辛苦", "谢谢你", "谢谢您", "谢谢啦",
    "谢谢", "多谢", "感谢", "帮个忙", "帮帮忙", "帮我一下", "帮我", "帮忙", "帮咱", "帮俺",
    "给我", "给咱", "给俺", "替我", "为我", "请你", "请您", "请", "你好", "您好", "不好意思",
    "可不可以", "可以不可以", "能不能", "能否", "行不行", "好不好", "可以吗", "可以么", "行吗",
    "行么", "好吗", "好么", "成吗", "好嘛", "行嘛", "你能不能", "您能不能", "你可不可以",
    "您可不可以", "你能否", "您能否", "你能", "您能", "你可以", "您可以", "你给", "您给", "你快",
    "我想要", "我想让你", "我想", "我要你", "我要", "我需要", "我希望",
)  # fmt: skip
_ZH_FILLERS = (
    "那个啥", "那个", "这个", "那什么", "就是说", "就是", "怎么说呢", "我说", "听着", "对了",
    "话说", "反正", "然后呢", "来着", "一下子", "一下儿", "一下", "的话", "赶紧", "赶快",
    "快点儿", "快点", "马上", "立刻", "现在就", "直接", "嗯嗯", "嗯", "呃", "额", "唔", "哎呀",
    "哎哟", "哎", "诶", "唉", "欸", "喂", "嘿", "嗨", "哈喽", "哼",
)  # fmt: skip
_ZH_PARTICLES = "啊阿呀哇啦喽咯哦噢喔哟呦嘛吧呗呢哈嘞嗷呐哪了的地着儿"
# Of these words it is a part, no particle: 目的地, 的确, 哪里, 着火, 了解, 地板, 儿童, 哈密瓜.
_ZH_WORDS = (
    "目的地", "目的", "的确", "的士", "地板", "地毯", "地址", "地方", "地点", "地图", "地下",
    "地面", "地铁", "地暖", "地灯", "地拖", "地窖", "地上", "地砖", "扫地", "拖地", "擦地",
    "落地", "当地", "场地", "草地", "工地", "天地", "着火", "着凉", "着急", "睡着", "着装",
    "了解", "了不起", "为了", "除了", "得了", "哪里", "哪儿", "哪个", "哪些", "哪台", "哪间",
    "哪盏", "儿童", "儿子", "女儿", "婴儿", "幼儿", "阿姨", "阿里", "阿婆", "哈密", "哈尔滨",
    "呢子", "吧台", "酒吧", "网吧", "巴士",
)  # fmt: skip

_EN_COURTESY = (
    "could you please", "can you please", "would you please", "will you please", "would you mind",
    "do you mind", "could you", "can you", "would you", "will you", "can i", "could i", "can we",
    "i would like you to", "i would like to", "id like you to", "id like to", "i want you to",
    "i want to", "i need you to", "i need to", "go ahead and", "be a dear and",
    "be so kind as to", "do me a favour and", "do me a favor and", "if you could", "if you would",
    "if you can", "if possible", "if you dont mind", "thank you very much", "thank you so much",
    "thank you", "thanks a lot", "many thanks", "thanks", "thx", "ta", "cheers", "for me", "for us",
    "please", "pls", "plz", "kindly", "hey there", "hey", "hi there", "hi", "hello", "yo", "oi",
    "mate", "love", "dear",
)  # fmt: skip
_EN_FILLERS = (
    "i said", "i mean", "you know", "lets see", "let me see", "right now", "right away", "at once",
    "straight away", "maybe", "perhaps", "just", "quickly", "actually", "basically", "ok", "okay",
    "alright", "all right", "um", "umm", "uh", "uhh", "uhm", "uh huh", "er", "err", "erm", "hm",
    "hmm", "hmmm", "mm", "mhm", "ah", "ahh", "oh", "ooh", "eh", "huh", "well", "so", "now", "then",
    "yeah", "the", "a", "an",
)  # fmt: skip


def _any_of(words: Iterable[str], form: str) -> re.Pattern[str]:
    """Any of some words, the longest first."""
    longest = sorted(map(re.escape, words), key=len, reverse=True)
    return re.compile(form.format("|".join(longest)))


# What is taken first, and what besides where something is left.
_STAGES = tuple(
    (_any_of(chinese, "{}"), _any_of(english, r"\b(?:{})\b"))
    for chinese, english in (
        (_ZH_FILLERS, _EN_FILLERS),
        ((*_ZH_FILLERS, *_ZH_COURTESY), (*_EN_FILLERS, *_EN_COURTESY)),
    )
)
_ZH_LOOSE = _any_of(_ZH_WORDS, f"({{}})|[{_ZH_PARTICLES}]")
# 可以帮我开灯吗 asks for a light, not whether one can.
_ZH_ASKED = re.compile(r"^(.*?)(?:你|您)?(?:可以|能)((?:帮|替|给|请).*?)[吗么]?$")


def unmarked(text: str) -> str:
    """A sentence without punctuation, case, wide and traditional forms; Chinese without spaces,
    words of other languages with one between them."""
    return " ".join(_pieces(text))


def bare(text: str) -> str:
    """`unmarked`, and without fillers, particles and courtesy, in Chinese and English."""
    pieces = _pieces(text)
    for chinese, english in _STAGES:
        shorter = _shortened(pieces, chinese, english)
        # Nothing but courtesy: it is what was said.
        while shorter and shorter != pieces:
            pieces = shorter
            shorter = _shortened(pieces, chinese, english)
    return " ".join(pieces)


def _pieces(text: str) -> list[str]:
    """Words, and runs of Chinese as long as they go: marks and spaces between make no new one."""
    pieces: list[str] = []
    for piece in _PIECES.findall(_INSIDE_WORDS.sub("", simplified(text).casefold())):
        if pieces and _RUN.match(piece) and _RUN.match(pieces[-1]):
            pieces[-1] += piece
        else:
            pieces.append(piece)
    return pieces


def _shortened(
    pieces: Sequence[str], chinese: re.Pattern[str], english: re.Pattern[str]
) -> list[str]:
    """Once without what the patterns find."""
    parts: list[str] = []
    for is_run, group in groupby(pieces, key=lambda one: bool(_RUN.match(one))):
        if is_run:
            parts += (_without_chinese(one, chinese) for one in group)
        else:
            parts.append(english.sub(" ", " ".join(group)))
    return _pieces(" ".join(parts))


def _without_chinese(run: str, pattern: re.Pattern[str]) -> str:
    run = pattern.sub("", _ZH_ASKED.sub(r"\1\2", run))
    return _ZH_LOOSE.sub(lambda found: found[1] or "", run)
