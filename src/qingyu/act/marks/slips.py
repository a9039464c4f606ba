"""What somebody takes back in the same breath is not what is meant: "the copier, no, the boombox".

    without_slips(marked)       # "off the <switch>1 no hang on the <media_player>2"
    # "off the <media_player>1": mark 1 is now the boombox

Of two marks of one sort with such words right between them, the first goes with those words. A
model hears this only now and then; code does it every time. "Not" alone takes nothing back: it may
be an exception.
"""

from __future__ import annotations

import re
from dataclasses import replace

from qingyu.act.forms.words import DEVICES, NUMBERS, OPTIONS, PLACES, TIMES, sort
from qingyu.act.marks.mark import MARK, Marked

_UM = r"(?:er|uh|um|erm|oh|ah|argh|hmm)"
_BACK_EN = re.compile(
    rf"[,.;]? ?\b(?:{_UM},? )?"
    r"(?:no(?:,? (?:wait|hang on|hold on|sorry|i mean|i meant|not that|make that|actually|no|er"
    r"|uh))+"
    r"|wait,? no|hang on,? no|hold on,? i mean|sorry,? i mean|sorry,? i meant|i mean|i meant"
    r"|scratch that|make that|correction|or rather|actually,? no|oops(?:,? i mean)?|my mistake"
    r"|my bad|not that)\b[,.:;]? ?"
)
_BACK_ZH = re.compile(
    r"[,.;。 ]*(?:[哦啊呃额嗯哎呀呸]+[, ]?(?:不是|不对|不)|不是不是|不对|不不+(?:是)*|说错了|错了"
    r"|口误|我是说|搞错了|更正一下|打住|[, ]不是(?=[, 是]))(?:[, ]|是|应该是|不是|我是说)*"
)
_NOT_ZH = re.compile(r"[, ]不是(?=<)")
"""关台灯，不是吊灯: here it is the second that is not meant."""
_LINK_EN = re.compile(r"(?: ?(?:the|a|an|my|our|to|in|at|on|for|of|with))* ?")
_LINK_ZH = re.compile(r"[^<>,。;]{0,3}")
_NEAR = 14
"""Letters that may stand between a mark and what takes it back ("... degrees, no wait")."""
_FAMILIES = (DEVICES, PLACES, OPTIONS, NUMBERS, TIMES)


def without_slips(marked: Marked) -> Marked:
    """The same sentence without what was taken back."""
    for back, link in ((_BACK_EN, _LINK_EN), (_BACK_ZH, _LINK_ZH)):
        for slip in back.finditer(marked.text):
            cut = _cut(marked.text, slip.start(), slip.end(), link)
            if cut is not None:
                return without_slips(_shorter(marked, *cut))
    for contrast in _NOT_ZH.finditer(marked.text):
        if _cut(marked.text, contrast.start(), contrast.end(), _LINK_ZH) is not None:
            behind = MARK.match(marked.text, contrast.end())
            assert behind is not None
            return without_slips(_shorter(marked, contrast.start(), behind.end()))
    return marked


def _cut(text: str, start: int, end: int, link: re.Pattern[str]) -> tuple[int, int] | None:
    """From the mark before a slip to the mark behind it, if both are of one sort and close."""
    before = [one for one in MARK.finditer(text) if one.end() <= start]
    behind = [one for one in MARK.finditer(text) if one.start() >= end]
    if not before or not behind or _family(before[-1][1]) != _family(behind[0][1]):
        return None
    if start - before[-1].end() > _NEAR or not link.fullmatch(text[end : behind[0].start()]):
        return None
    return before[-1].start(), behind[0].start()


def _family(type: str) -> object:
    for place, family in enumerate(_FAMILIES):
        if sort(type) in family:
            return place
    return type


def _shorter(marked: Marked, start: int, end: int) -> Marked:
    """Without text[start:end], its marks gone and the others numbered anew."""
    gone = {int(one[2]) for one in MARK.finditer(marked.text[start:end])}
    left = [number for number in range(1, len(marked.marks) + 1) if number not in gone]
    new = {number: place for place, number in enumerate(left, 1)}
    text = marked.text[:start] + marked.text[end:]
    text = MARK.sub(lambda one: f"<{one[1]}>{new.get(int(one[2]), one[2])}", text)
    return replace(marked, text=text, marks=tuple(marked.marks[number - 1] for number in left))
