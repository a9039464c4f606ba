"""Names found by how they sound, where speech recognition or a hand wrote something else.

    sounds = Sounds(spellings)
    sounds.find("open the row man blind", [(0, 22)])     # [Hit(9, 22, roman blind)]
    sounds.find("罗马连拉起来", [(0, 6)])                  # [Hit(0, 3, 罗马帘)]

Chinese by syllables without tones, with what is often confused (n/l, zh/z, ang/an, f/h); English
by consonants first, then the whole. The shorter a name, the more must fit, and the words around it
must be such as stand beside a device, a room or a person: conversation is not to become a device.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial

from qingyu.act.marks.names import AREA, CLASS, CONTACT, DEVICE, FLOOR, OPTION, Hit, Name, Spelling
from qingyu.act.marks.text import Span, narrow
from qingyu.act.marks.words import EVERYDAY, GENERIC, GENERIC_ZH, MISHEARD
from qingyu.act.spoken.number_words import compiled
from qingyu.act.spoken.spelling import has_hanzi

Syllables = tuple[frozenset[str], ...]


@dataclass(frozen=True)
class _Chinese:
    """exact: the readings of each letter; loose: with what is confused made one."""

    words: str
    exact: Syllables
    loose: Syllables
    name: Name


@dataclass(frozen=True)
class _English:
    words: tuple[str, ...]
    sound: str
    name: Name


class Sounds:
    """The names of a household by sound. Making one costs some milliseconds."""

    def __init__(self, spellings: Iterable[Spelling]) -> None:
        self._chinese: dict[str, list[_Chinese]] = defaultdict(list)
        self._english: dict[str, list[_English]] = defaultdict(list)
        seen: set[tuple[str, str]] = set()
        for one in spellings:
            words = (
                narrow(one.words).replace(" ", "") if has_hanzi(one.words) else narrow(one.words)
            )
            if one.guard is not None or (words, one.name.type) in seen:
                continue
            seen.add((words, one.name.type))
            if has_hanzi(words):
                self._add_chinese(words, one.name)
            else:
                self._add_english(words, one.name)

    def _add_chinese(self, words: str, name: Name) -> None:
        if len(words) < 2:
            return
        exact = tuple(map(readings, words))
        entry = _Chinese(words, exact, tuple(map(_loosened, exact)), name)
        for first in entry.loose[0]:
            self._chinese[first].append(entry)

    def _add_english(self, words: str, name: Name) -> None:
        split = tuple(re.findall(r"[^\s-]+", words.replace("'", "")))
        if not re.fullmatch(r"[a-z ]+", " ".join(split)) or split[-1] in ("one", "ones"):
            return
        if len(split) == 1 and (len(words) < 6 or words in EVERYDAY or words in GENERIC):
            return
        if len(split) > 1 and sum(map(len, split)) < 7:
            return
        sound = "".join(map(spoken, split))
        if len(skeleton(sound)) >= (3 if len(split) == 1 else 4):
            self._english[skeleton(sound)].append(_English(split, sound, name))

    def find(self, text: str, stretches: Sequence[Span]) -> list[Hit]:
        """Names in those stretches of an aligned text; they may overlap."""
        hits: list[Hit] = []
        for start, end in stretches:
            if has_hanzi(text[start:end]):
                hits += self._chinese_hits(text, start, end)
            hits += self._english_hits(text, start, end)
        return hits

    def _chinese_hits(self, text: str, start: int, end: int) -> list[Hit]:
        places = [at for at in range(start, end) if text[at] != " "]
        exact = [readings(text[at]) for at in places]
        loose = list(map(_loosened, exact))
        hits = []
        for at in range(len(places) - 1):
            for first in loose[at]:
                for entry in self._chinese.get(first, ()):
                    size = len(entry.words)
                    if at + size > len(places) or not _agree(entry.loose, loose, at):
                        continue
                    begin, last = places[at], places[at + size - 1] + 1
                    said = "".join(text[one] for one in places[at : at + size])
                    if size == 2 and not _agree(entry.exact, exact, at):
                        continue
                    if _plausible(entry, said) and _beside(entry, text, begin, last):
                        hits.append(Hit(begin, last, entry.name))
        return hits

    def _english_hits(self, text: str, start: int, end: int) -> list[Hit]:
        words = [
            (match.start(), match.end(), match[0].replace("'", ""))
            for match in _WORD.finditer(text, start, end)
        ]
        sounds = [spoken(word) for _, _, word in words]
        found: list[tuple[float, Hit]] = []
        for at in range(len(words)):
            sound = ""
            for last in range(at, min(at + 4, len(words))):
                if last > at and not _JOINT.fullmatch(text[words[last - 1][1] : words[last][0]]):
                    break
                sound += sounds[last]
                said = tuple(word for _, _, word in words[at : last + 1])
                for entry in self._english.get(skeleton(sound), ()):
                    if (apart := _apart(entry, said, sound)) is not None:
                        found.append((apart, Hit(words[at][0], words[last][1], entry.name)))
        # "big skreen on" has the consonants of "big screen" too: the nearest counts.
        hits: list[Hit] = []
        for _, one in sorted(found, key=lambda pair: (pair[0], -pair[1].length)):
            if not any(one.start < hit.end and hit.start < one.end for hit in hits):
                hits.append(one)
        return hits


_WORD = compiled(r"[a-z][a-z']*")
_JOINT = compiled(r"[ -]+")


# Chinese.


@lru_cache(maxsize=1 << 14)
def readings(letter: str) -> frozenset[str]:
    """How a letter may be read, without tones (v for ü); a Latin letter or digit as itself."""
    if not has_hanzi(letter):
        return frozenset((letter,)) if letter.isalnum() else frozenset()
    found = _pinyin()(letter)
    return frozenset(found[0][:2]) if found else frozenset()


@cache
def _pinyin() -> Callable[[str], list[list[str]]]:
    """The readings of letters, the usual first. Loaded when the first Chinese name is; without its
    tables of phrases, which are 50 MB and not needed for letters alone."""
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")
    from pypinyin import Style, pinyin

    return partial(pinyin, style=Style.NORMAL, heteronym=True, errors="ignore")


_ENDS = (("iang", "ian"), ("uang", "uan"), ("ang", "an"), ("eng", "en"), ("ing", "in"))
_AFTER_F = {"a": "ua", "an": "uan", "ei": "ui", "en": "un", "u": "u", "o": "uo", "ou": "ou"}


@lru_cache(maxsize=1 << 12)
def _loosened(syllables: frozenset[str]) -> frozenset[str]:
    return frozenset(map(loose_syllable, syllables))


def loose_syllable(syllable: str) -> str:
    """One form for syllables that are often confused: zhang and zan, nan and lan, fei and hui."""
    for long, short in (("zh", "z"), ("ch", "c"), ("sh", "s")):
        if syllable.startswith(long):
            syllable = short + syllable[2:]
    for long, short in _ENDS:
        if syllable.endswith(long):
            syllable = syllable[: -len(long)] + short
            break
    if syllable.startswith("n") and len(syllable) > 1:
        syllable = "l" + syllable[1:]
    if syllable.startswith("f"):
        syllable = "h" + _AFTER_F.get(syllable[1:], syllable[1:])
    return syllable


def _agree(name: Syllables, said: Sequence[frozenset[str]], at: int) -> bool:
    return all(one & said[at + place] for place, one in enumerate(name))


_LITTLE = frozenset(
    "的了是我你他她它不在有这那就都也和很吗呢吧啊把被让给跟到去来一个没要会能说着过还再"
    "又太最什么以及与而或但因所为其之于"
)
_ORDERS = frozenset("开关调设打停放拉升降换锁亮暗加减选播")


def _plausible(entry: _Chinese, said: str) -> bool:
    """No order and no little word is the misheard letter of a name."""
    if said in GENERIC_ZH or said in MISHEARD:
        return said == entry.words
    changed = [one for own, one in zip(entry.words, said, strict=True) if own != one]
    same = len(said) - len(changed)
    orders = sum(one in _ORDERS for one in changed)
    if not all(map(has_hanzi, changed)) or orders > (same > 2 and said[-1] not in _ORDERS):
        return False
    if len(said) == 2 and said[0] == said[1]:
        return entry.words[0] == entry.words[1]  # 都都
    little = sum(one in _LITTLE for one in changed)
    return little <= (same > 1 or (entry.name.rank == AREA and same > 0))


_VERB_BEFORE = compiled(
    r"(?:打开|开启|关掉|关上|关闭|开|关|把|让|叫|将|启动|停|停掉|设|调|升起|放下|拉开|拉上"
    r"|锁上|点亮|用|和|跟|给|[,、])(?:一下)?$|^$"
)
_VERB_AFTER = compiled(
    r" ?(?:打开|开[开了一到起]|关[了掉上闭一]|停|调|亮[度一起着]|暗一|设|升|降|拉[开上起]|锁"
    r"|扫|去扫|回[充去窝]|暂停|播|温度|湿度|音量|亮度|电量|风速|多少|几度|现在|里面|启动"
    r"|的(?:灯|温度|音量|亮度|风|电量|颜色)|[开关]?[,。]?$)"
)
_ROOM_BEFORE = compiled(r"(?:去|到|在|扫|打扫|除了|把|打开|关掉|开|关|和|[,、])$|^$")
_ROOM_AFTER = compiled(
    r" ?(?:的|里|那边|灯|空调|窗帘|暖气|风扇|温度|现在|有没有|有多|几度|多少|多冷|多热)"
)
_PERSON_BEFORE = compiled(
    r"(?:打给|给|跟|和|对|告诉|联系|呼叫|拨给|拨打|拨通|致电|通知|转告|发给|回|叫|跟着|找)$"
)
_PERSON_AFTER = compiled(
    r" ?(?:打(?:个|一)?(?:电话|过去)|发|说|回|留言|讲|捎|的(?:电话|号码)|[,。]?$)"
)


def _beside(entry: _Chinese, text: str, start: int, end: int) -> bool:
    """Whether a name of two syllables stands where such a name does."""
    if len(entry.words) > 2:
        return True
    before = text[max(0, start - 6) : start]
    if entry.name.rank in (DEVICE, OPTION, CLASS):
        of = entry.name.rank == CLASS and before.endswith(("的", "里"))
        return (
            (of or bool(_VERB_BEFORE.search(before)))
            and bool(_VERB_AFTER.match(text, end))
            and (before != "" or end < len(text))
        )
    if entry.name.rank in (AREA, FLOOR):
        return bool(_ROOM_BEFORE.search(before)) and bool(_ROOM_AFTER.match(text, end))
    if entry.name.rank == CONTACT:
        return bool(_PERSON_BEFORE.search(before)) and bool(_PERSON_AFTER.match(text, end))
    return False


# English.

_SOUNDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (compiled(pattern), sound)
    for pattern, sound in (
        (r"^(?:kn|gn)", "n"), (r"^wr", "r"), (r"^who", "ho"), (r"^wh", "w"), (r"^ps", "s"),
        (r"^u(?=n[ie]|s[ei]|ti)", "yu"), (r"mb$", "m"), (r"[st]ion", "shon"), (r"ture$", "cher"),
        (r"tch", "ch"), (r"ph", "f"), (r"gh(?=t|$)", ""), (r"gh", "g"), (r"ck", "k"),
        (r"sch", "sk"), (r"dge", "j"), (r"qu", "kw"), (r"x", "ks"), (r"c(?=[eiy])", "s"),
        (r"c(?!h)", "k"), (r"th", "t"), (r"(?<=[a-z])e$", ""), (r"[ao]ugh", "o"),
        (r"(?<=[aeiouy])([a-z]*[^aeiouy])(?:er|or|ar|our|a)$", r"\1er"),
        (r"ee|ea|ie|ei|y(?![aeiou])|ey", "i"), (r"oo|ou|ow|oa|au|aw|ew|ue|ui", "o"),
        (r"ai|ay", "e"), (r"w(?![aeiou])", ""), (r"h(?![aeiou])(?<![cs]h)", ""),
        (r"(.)\1+", r"\1"),
    )
)  # fmt: skip
_UNVOICED = str.maketrans("bdgvzjq", "ptkfsck")


@lru_cache(maxsize=1 << 15)
def spoken(word: str) -> str:
    """Roughly how an English word sounds, in letters: knit is nit, radiator
    radiater."""
    for pattern, sound in _SOUNDS:
        word = pattern.sub(sound, word)
    return word


@lru_cache(maxsize=1 << 15)
def skeleton(sound: str) -> str:
    """The consonants of a sound, voiced like unvoiced, none twice in a row."""
    letters = sound.replace("sh", "c").replace("ch", "c").translate(_UNVOICED)
    found = ""
    for at, letter in enumerate(letters):
        if letter in "aeiouy" or (letter in "wh" and at):
            continue
        if not found.endswith(letter):
            found += letter
    return found


_COMMON = EVERYDAY | GENERIC


def _apart(entry: _English, said: tuple[str, ...], sound: str) -> float | None:
    """How far what was said is from a name, as a share of it; None where it is too far."""
    size = len(entry.words)
    if any(said[at : at + size] == entry.words for at in range(len(said) - size + 1)):
        return None  # found exactly, or rightly not
    common = all(one in _COMMON or one.removesuffix("s") in _COMMON for one in said)
    if common and (len(said) == 1 or size == 1):
        return None
    if len(said) == 1 and size > 1 and len(said[0]) < 7:
        return None
    apart = distance(sound.replace("z", "s"), entry.sound.replace("z", "s"))
    most = max(1, len(entry.sound) // (6 if common else 4))
    if size == 1:
        most = 1 if len(entry.sound) > 6 else 0
        word, own = said[0], entry.words[0]
        if _first_vowel(word) != _first_vowel(own) or word[0] != own[0]:
            return None
        if len(said) == 1 and len(word) < (6 if apart else 5):
            return None
    return apart / len(entry.sound) if apart <= most else None


def _first_vowel(word: str) -> str:
    match = re.search("(?a)[aeiouy]+", word)
    return match[0] if match else ""


def distance(one: str, other: str) -> int:
    """Letters to change, add or leave out."""
    before = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        now = [row]
        for at, own in enumerate(other, 1):
            now.append(min(before[at] + 1, now[-1] + 1, before[at - 1] + (letter != own)))
        before = now
    return before[-1]
