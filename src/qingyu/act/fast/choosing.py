"""Which one of several is meant, in the answer to that question.

chosen("书房的", ["light.study", "light.bedroom"], world)              # ("light.study",)
chosen("不是书房的，卧室的", ["light.study", "light.bedroom"], world)   # ("light.bedroom",)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from qingyu.act.fast.agreeing import decision, pieces
from qingyu.act.spoken.spelling import has_hanzi, simplified
from qingyu.act.world import World, plain

_ALL = re.compile(
    r"都|全|(?<!第)[两二三四五六]个(?!里|中|当中)|俩|仨|一起|一块儿?(?!的)|一并|一齐|一锅|每|所有|统统|统一|通通"
    r"|一个[不都]|各|皆|有(?:多少|几)|[这那]些"
    r"|\b(?:both|all|every|each|everything|everyone|everywhere|together|the pair|the (?:whole )?lot"
    r"|these|those|as many|the full set|(?<!of )them|(?:two|three|four) of them"
    r"|(?:the|those|these) (?:two|three|four)(?! of))\b"
)
_ASKS = re.compile(
    r"哪(?!.*[都也行])|(?<!那)谁|(?<![那个])啥(?!.*都)|什么(?!.*都)(?<!那什么)(?<!那个什么)|怎么|为何"
    r"|(?<![这那好有])几[个盏](?!.*[都全])|多少|吗|^(?:which|what|where|who|why)\b"
)
"""No answer, but a question."""
_SO_MANY = re.compile(r"有多少.{0,3}多少|有几[个盏]?.{0,3}几[个盏]?")
_PLACES = (
    (
        0,
        re.compile(
            r"第一|头一|前一?个|前者|\b(?:number|option) (?:one|1)\b|\b(?:first|former|1st)\b"
        ),
    ),
    (1, re.compile(r"第二|后者|\b(?:number|option) (?:two|2)\b|\b(?:second|2nd)\b")),
    (2, re.compile(r"第三|\b(?:number|option) (?:three|3)\b|\b(?:third|3rd)\b")),
    (3, re.compile(r"第四|\b(?:fourth|4th)\b")),
    (-1, re.compile(r"最后|\b(?:last|latter)\b")),
)
_NOT = r"(?:[啊哦噢呃嗯唉哎不]|不对)*(?:不是|不要|不用|别动|别管)"
_STAYS = r"(?:就|先|给我)?(?:不动|别动|不用动|不用|不要|不管|留着|别管|除外)[了吧啊呀哈的]?"
_NO_EN = r"(?:(?:no|oh|um|uh|well) )*(?:not|leave|keep|skip|don't (?:mean|touch))"
_EXCEPT = r"(?:but not|but|except|apart from|other than)(?: for)?"
_NOT_BUT = tuple(
    map(
        re.compile,
        (
            rf"{_NOT}(?P<refused>.{{2,}}?)(?:而?是|就是|我要|要|我说的?是|就(?=[开关]))(?P<meant>.{{2,}})",
            rf"(?P<refused>.{{2,}}?){_STAYS}(?P<meant>[要开关].{{2,}})",
            rf"{_NO_EN} (?P<refused>.{{3,}}?) (?:but|i (?:meant?|want)|it's) (?P<meant>.{{3,}})",
            r"(?P<meant>.{3,}?) (?:and )?not (?P<refused>.{3,})",
        ),
    )
)
"""One is refused and another one meant, in one piece."""
_NOT_THIS = tuple(
    map(
        re.compile,
        (
            rf"{_NOT}(?P<refused>.{{2,}})",
            r".{0,4}?除了?(?P<refused>.{2,}?)(?:之外|以外|外)?(?:[的,]?都.*)?",
            rf"(?P<refused>.{{2,}}?){_STAYS}",
            rf"(?:.* )?{_EXCEPT} (?P<refused>.{{3,}})",
            rf"{_NO_EN} (?P<refused>.{{3,}}?)(?: (?:alone|on|off|as (?:it|they) (?:is|are)))?",
        ),
    )
)
_PLAIN_NO = re.compile(r"(?:no|nope|nah)\b *|不[对不]*$")
_SAID_NEXT = re.compile(
    r"(?:而?是|要的是|我要|要|我说的?是|我是说|说的是)|(?:but|i (?:mean|meant|want)|it's) "
)
_AND = re.compile(r"[和跟与]|\b(?:and|or|nor)\b")


def without_refused(text: str) -> tuple[str, str]:
    """What an answer to "which one" chooses and what it says is not meant: ("卧室的", "书房的") of
    "不是书房的，是卧室的"."""
    meant, refused = [], []
    parts = pieces(text)
    if parts and (plain_no := _PLAIN_NO.match(parts[0])) and plain_no[0] != "".join(parts):
        refused.append("no")
        parts = [one for one in (parts[0][plain_no.end() :], *parts[1:]) if one]
    for part in parts:
        both = next((one for by in _NOT_BUT if (one := by.fullmatch(part))), None)
        only = next((one for by in _NOT_THIS if (one := by.fullmatch(part))), None)
        if both is not None:
            meant.append(both["meant"])
            refused.append(both["refused"])
        elif only is not None:
            refused.append(only["refused"])
        else:
            next_said = _SAID_NEXT.match(part)
            meant.append(part[next_said.end() :] if next_said else part)
    return ",".join(meant), ",".join(refused)


def asks_back(text: str) -> bool:
    """Whether the answer to "which one" is a question."""
    return bool(_ASKS.search(_SO_MANY.sub(" ", simplified(text).casefold())))


def speaks_of_all(text: str) -> bool:
    """Whether an answer to "which one" says all of them, or two of them."""
    return bool(_ALL.search(simplified(text).casefold()))


def corrects(text: str, candidates: Sequence[str], world: World) -> bool:
    """Whether what looks like a no only says which one is not meant."""
    return bool(without_refused(text)[1]) and bool(chosen(text, candidates, world))


def chosen(text: str, candidates: Sequence[str], world: World) -> tuple[str, ...]:
    """Those of the candidates that an answer names; () where it names none.

    By name, by area or floor, by a part of a name that only one of them has, by place in the
    order they were told in, or all of them; of "not A, B" B, of "leave A" the others.
    """
    if asks_back(text):
        return ()
    meant, refused = without_refused(text)
    if not refused:
        return _named(text, candidates, world)
    without = _named(refused, candidates, world)
    if meant:
        picked = () if decision(meant) is False else _named(meant, candidates, world)
        return picked if set(without) >= set(picked) else _others(picked, without)
    unclear = len(without) > 1 and not _AND.search(refused)
    if unclear or re.search(r".\bthe\b", refused):  # "not the study the bedroom"
        return ()
    return _others(candidates, without) if without else ()


def _others(some: Sequence[str], without: Sequence[str]) -> tuple[str, ...]:
    return tuple(one for one in some if one not in without)


def _named(text: str, candidates: Sequence[str], world: World) -> tuple[str, ...]:
    said = plain(simplified(text))
    words = {one: world.names_of(one) for one in candidates}
    # A word within another one's ("灯" in "台灯") is not said by itself.
    found = {one: {word for word in known if _within(word, said)} for one, known in words.items()}
    picked = _best(found)
    if len(picked) == len(candidates) > 1:
        picked = ()
    if picked:
        return picked
    places = [at for at, pattern in _PLACES if pattern.search(said)]
    if len(places) == 1 and places[0] < len(candidates):
        return (candidates[places[0]],)
    if _ALL.search(said):
        return tuple(candidates)
    if len(said) <= 24:
        picked = _best({one: _parts_said(one, words, said) for one in candidates})
    return () if len(picked) == len(candidates) > 1 else picked


def _best(found: dict[str, set[str]]) -> tuple[str, ...]:
    """Those with a word that no other has; else those with any, the most letters winning."""
    alone = [
        one
        for one, words in found.items()
        if words - set().union(*(other for id, other in found.items() if id != one))
    ]
    if len(alone) > 1:  # "书桌灯" says "灯" too: what lies within a longer word does not count
        everything = set().union(*found.values())
        outer = {
            word
            for word in everything
            if not any(word != other and word in other for other in everything)
        }
        alone = [one for one in alone if found[one] & outer] or alone
    return tuple(alone or (one for one, words in found.items() if words))


def _within(word: str, said: str) -> bool:
    if has_hanzi(word):
        return word in said
    return bool(re.search(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])", said))


def _parts_said(one: str, words: dict[str, set[str]], said: str) -> set[str]:
    """Parts of a candidate's names that are said and belong to no other candidate."""
    own = set(_pieces(words[one]))
    for other, known in words.items():
        if other != one:
            own -= set(_pieces(known))
    return {piece for piece in own if _within(piece, said)}


_COMMON = frozenset(
    (
        *("the", "a", "an", "of", "in", "on", "at", "one", "room", "light", "lamp", "that", "this"),
        *("s", "is", "it"),
    )
)
_COMMON_ZH = frozenset("的个那这一灯间房是在要开关打把里边")


def _pieces(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        yield from (one for one in re.findall(r"[a-z0-9]+", name) if one not in _COMMON)
        for run in re.findall(r"[\u3400-\u9fff]+", name):
            for start in range(len(run)):
                for end in range(start + 1, len(run) + 1):
                    piece = run[start:end]
                    if not set(piece) <= _COMMON_ZH:
                        yield piece
