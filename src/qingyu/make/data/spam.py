"""Text made for search engines: lists of keywords, one phrase over and over, one text many times.

is_keyword_list("北京搬家 北京搬家公司 北京长途搬家 朝阳搬家 ...")       # True
is_stuffed(text), templated(texts)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from qingyu.make.data.measures import IDEOGRAPHS, measure, units

_SEPARATORS = re.compile(r"[\s,，、|｜丨/\\;；·•_＿+\-—–>»→:：#*★●■◆▲▪~～【】\[\]<>《》（）()]+")
_HARD_SEPARATORS = re.compile(r"[|｜丨_＿/\\;；·•+>»→#*★●■◆▪~～]|\s{2,}|(?<=\S) (?=\S)|【|】")
_BARS = re.compile(r"\s[|｜丨·•/]\s|[|｜丨]")
_LABELS = re.compile(f"(?:^|\\s)[{IDEOGRAPHS}A-Za-z]{{2,8}}[:：]")
_INVITES = re.compile(
    "欢迎.{0,12}(?:来电|咨询|选购|致电|光临|惠顾|合作)|(?:首选|就选|就找|就上)|哪家好"
)
_STOPS = re.compile(r"[。！？]|[.!?](?=\s|$)")
_IDEOGRAPH_RUN = re.compile(f"[{IDEOGRAPHS}]+")
_WORD = re.compile(r"[a-z0-9]+", re.IGNORECASE)
# Trades that live on spam; several of them at once are no coincidence.
_TRADES = re.compile(
    "博彩|彩票|时时彩|六合彩|百家乐|老虎机|棋牌|娱乐城|赌场|赌球|投注|体彩|下注|真人视讯|澳门新?葡京|电子游艺|时时彩|pk10"
    "|私服|特码|开奖|荷官|首存|送彩金|轮盘|骰宝|太阳城|彩民|炸金花|返水|电子竞技平台|线上娱乐|娱乐平台|代开|发票|办证|刻章|代孕|催情|春药|迷药|一夜情|成人(?:视频|电影|小说|网)|无码|有码|av在线|情色|激情|三级片|黄色|裸聊|约炮|援交"
    "|小额贷款|套现|黑客|外挂|刷单|刷钻|seo优化|快排|泛目录|站群"
    r"|erectile|levitra|propecia|tramadol|xanax|online pharmacy|canadian pharmacy"
    r"|without prescription|no prescription|no rx\b"
    "|casino|poker|slots?|betting|viagra|cialis|payday loans?|replica|escort|porn|xxx",
    re.IGNORECASE,
)


def pieces(text: str) -> list[str]:
    """What separators cut a text into."""
    return [piece for piece in _SEPARATORS.split(text) if piece]


def is_keyword_list(text: str) -> bool:
    """Short pieces with nothing between them that would make a sentence."""
    parts = pieces(text)
    if len(parts) < 6:
        return False
    whole = measure(text)
    if whole.chinese < 0.3:
        return _is_english_list(text, whole.share)
    stops = len(_STOPS.findall(text))
    mean = whole.units / len(parts)
    if not stops and mean <= 10 and whole.share < 0.2 and _common_share(parts) >= 0.55:
        return True
    if mean > 9 or stops > len(parts) / 5 or whole.share > 0.14:
        return False
    if _common_share(parts) >= 0.4 and whole.share < 0.1 and stops <= len(parts) / 12:
        return True
    if len(parts) >= 8 and mean < 6.5 and whole.share < 0.07 and stops < 0.2 * len(parts):
        return True  # names between commas; verse has its stops
    hard = len(_HARD_SEPARATORS.findall(text))
    if stops > len(parts) / 12:
        return False
    return hard >= 0.6 * (len(parts) - 1) and whole.share < 0.09 and len(parts) >= 8


def _is_english_list(text: str, share: float) -> bool:
    """English: phrases between commas or bars, hardly a function word, words that come again."""
    phrases = [part.strip() for part in re.split(r"[,|;/\n·•]|\s[-–—]\s", text) if part.strip()]
    words = [word.lower() for word in _WORD.findall(text)]
    if len(words) < 10 or share > 0.11 or (_STOPS.search(text) and share >= 0.04):
        return False
    counts = Counter(words)
    repeated = sum(n for n in counts.values() if n >= 3) / len(words)
    short = len(phrases) >= 6 and len(words) / len(phrases) <= 5
    return (short and repeated > 0.25) or (repeated > 0.5 and share < 0.06)


def _common_share(parts: Sequence[str]) -> float:
    """Share of the pieces that have the commonest pair of ideographs."""
    counts: Counter[str] = Counter()
    for part in parts:
        runs = _IDEOGRAPH_RUN.findall(part)
        counts.update({run[i : i + 2] for run in runs for i in range(len(run) - 1)})
    return max(counts.values(), default=0) / len(parts)


def is_barred(text: str) -> bool:
    """A line of facts: between bars ("Paris | 2 years | full time") or each with its label."""
    if _STOPS.search(text):
        return False
    return len(_BARS.findall(text)) >= 2 or len(_LABELS.findall(text)) >= 3


def is_stuffed(text: str) -> bool:
    """One phrase makes up so much of the text that it was written around it."""
    size = units(text)
    if size < 45:
        return False
    ideographs = "".join(_IDEOGRAPH_RUN.findall(text))
    if len(ideographs) > 0.5 * size:
        return _covered(ideographs, len(ideographs))
    words = tuple(word.lower() for word in _WORD.findall(text))
    if len(words) < 30:
        return False
    for length in (4, 3, 2):
        counts = Counter(words[i : i + length] for i in range(len(words) - length + 1))
        phrase, times = counts.most_common(1)[0]
        if times >= 5 and times * length / len(words) > 0.24 and len(set(phrase)) > 1:
            return True
    return False


def _covered(text: str, size: int) -> bool:
    inviting = 0.6 if _INVITES.search(text) else 1.0
    for length in (8, 6, 5, 4, 3):
        counts = Counter(text[i : i + length] for i in range(len(text) - length + 1))
        if not counts:
            continue
        phrase, times = counts.most_common(1)[0]
        least = inviting * (0.34 if length == 3 else 0.27 if length == 4 else 0.24)
        if times >= 4 and times * length / size > least and len(set(phrase)) > 1:
            return True
    pairs = Counter(text[i : i + 2] for i in range(len(text) - 1)).most_common(8)
    (first, often), *others = pairs
    second = next((n for pair, n in others if not set(pair) & set(first)), 0)
    return second >= 4 and 2 * (often + second) / size > 0.34 * inviting


def trades(text: str) -> int:
    """How many different trades of spammers a text names."""
    return len({found.lower() for found in _TRADES.findall(text)})


def num_trades(text: str) -> int:
    """How often a text names such trades."""
    return len(_TRADES.findall(text))


def templated(texts: Sequence[str], *, least: int = 3, limit: int = 400) -> set[int]:
    """Numbers of texts that are one text with a few words changed, `least` times or more.

    Compared by their runs of three characters; of the first `limit` texts only.
    """
    shingles = [_shingles(text) for text in texts[:limit]]
    by_shingle: dict[str, list[int]] = {}
    for number, some in enumerate(shingles):
        for one in some:
            by_shingle.setdefault(one, []).append(number)
    near: dict[int, set[int]] = {}
    for number, some in enumerate(shingles):
        shared: Counter[int] = Counter()
        for one in some:
            holders = by_shingle[one]
            if 1 < len(holders) <= 100:
                shared.update(holders)
        for other, common in shared.items():
            if other != number and common >= 0.5 * min(len(some), len(shingles[other])):
                ratio = common / (len(some) + len(shingles[other]) - common)
                if ratio >= 0.4:
                    near.setdefault(number, {number}).add(other)
    return {number for number, group in near.items() if len(group) >= least}


def _shingles(text: str) -> set[str]:
    squeezed = re.sub(r"[\W\d_]+", "", text.lower())
    return {squeezed[i : i + 3] for i in range(len(squeezed) - 2)}
