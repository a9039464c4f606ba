"""Words that mean only some of a class: "the TV" is a media player, but not the loudspeaker.

    narrowed("media", players, "把电视关了")      # those that are called a television

A form says only `media`; the sentence knows more. Where it has no such word or several, the class
is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from qingyu.act.world import Entity

Words = tuple[str, ...]
_TV: Words = ("tv", "telly", "television", "tellies", "电视")
_SPEAKER: Words = (
    "speaker", "loudspeaker", "stereo", "soundbar", "sound system", "hi-fi", "hifi", "boombox",
    "音箱", "音响", "喇叭", "低音炮",
)  # fmt: skip
_RADIO: Words = ("radio", "收音机", "电台", "收录机")
_PROJECTOR: Words = ("projector", "beamer", "投影")
_BATH_FAN: Words = ("extractor", "exhaust", "bathroom fan", "换气扇", "排气扇", "排风扇", "浴霸")
_HOOD: Words = ("hood", "油烟机", "抽烟机")
_CEILING_FAN: Words = ("ceiling fan", "吊扇")
_FLOOR_HEATING: Words = ("underfloor", "floor heating", "地暖")
_RADIATOR: Words = ("radiator", "暖气片")
_SOCKET: Words = ("socket", "outlet", "plug", "插座", "插排", "排插")
_OUTSIDE: Words = (
    "outside", "outdoor", "outdoors", "exterior", "external", "garden", "balcony", "yard",
    "terrace", "patio", "porch", "室外", "户外", "屋外", "窗外", "车外", "外面", "外头", "花园",
    "院子", "阳台", "露台",
)  # fmt: skip
_DESK: Words = ("desk", "table lamp", "reading", "台灯", "书桌灯", "阅读灯")
_FLOOR: Words = ("floor lamp", "standing lamp", "落地灯")
_BEDSIDE: Words = ("bedside", "床头灯")
_NIGHT: Words = ("night light", "nightlight", "夜灯")
_CEILING: Words = ("ceiling light", "ceiling lamp", "吸顶灯", "顶灯", "吊灯", "chandelier")
_STRIP: Words = ("strip", "灯带")
_SPOTS: Words = ("spotlight", "spots", "射灯", "筒灯")
_SHEER: Words = ("sheer", "net curtain", "纱帘", "窗纱")
_MEDIA = ((_TV, _PROJECTOR), (_SPEAKER, _RADIO))
FAMILIES: dict[str, tuple[tuple[Words, ...], ...]] = {
    "media": _MEDIA,
    "volume": _MEDIA,
    "fan": ((_BATH_FAN,), (_HOOD,), (_CEILING_FAN,)),
    "heater": ((_FLOOR_HEATING, _RADIATOR),),
    "switch": ((_SOCKET,),),
    "appliance": ((_SOCKET,),),
    "light": ((_DESK,), (_FLOOR,), (_BEDSIDE,), (_NIGHT,), (_CEILING,), (_STRIP,), (_SPOTS,)),
    "curtain": ((_SHEER,),),
}
"""Of a class, words for some of it: a family of words is said and is in names alike. What is named
by one group of families is not meant by a word of another: no loudspeaker is a television."""
_KINDS: dict[str, Words] = {
    "garage": ("garage", "车库"),
    "gate": ("gate", "院门", "闸", "栅门"),
    "boot": ("boot", "trunk", "tailgate", "hatch", "后备箱", "尾门", "后厢"),
    "sunroof": ("sunroof", "moonroof", "skylight", "天窗"),
    "shade": ("awning", "遮阳"),
}
"""Kinds of covers that have words of their own, whatever class they were put into."""


def kind_said(text: str) -> str:
    """The one kind of a cover that a sentence has a word for, else ""."""
    said = [kind for kind, words in _KINDS.items() if _has(text, words)]
    return said[0] if len(said) == 1 else ""


def outside(text: str) -> bool:
    """Whether a sentence, or a name, is of what is outdoors."""
    return _has(text, _OUTSIDE)


def narrowed(name: str, some: Iterable[Entity], text: str) -> tuple[Entity, ...]:
    """Of the devices of a class those that the sentence (marked, lower case) has a word for; where
    none is called so, those that are not called something else."""
    every = tuple(some)
    groups = FAMILIES.get(name, ())
    said = [(words, group) for group in groups for words in group if _has(text, words)]
    if len(said) != 1:
        return every
    words, group = said[0]
    others = [one for other in groups if other != group for one in other]
    names = {one.id: " | ".join(one.names).casefold() for one in every}
    return tuple(one for one in every if _has(names[one.id], words)) or tuple(
        one for one in every if not any(_has(names[one.id], other) for other in others)
    )


def _has(text: str, words: Words) -> bool:
    return any(
        re.search(rf"\b{re.escape(word)}s?\b" if word.isascii() else word, text) for word in words
    )
