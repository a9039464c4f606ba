"""Where a sentence with several orders may be cut, and the marked sentence of a piece of it.

    cuts(marked)                # of "<light>1 off, and <fan>2 on": [(0, 12), (14, 27)]
    piece, numbers = part(marked, 14, 27)
    piece.text, numbers         # "<fan>1 on", (2,)

Every place where one order may end and another begin; whether it does, the skill model says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from qingyu.act.marks.mark import MARK, Marked
from qingyu.act.spoken.spelling import has_hanzi

MOST_PIECES = 8
"""More are not told apart: what is behind stays one piece."""
_LEAD_EN = (
    r"(?:and|then|but|also|plus|oh|so|after that|while you're at it|in addition|finally|lastly"
    r"|first|firstly|on top of that|yeah|ok|okay|um|uh|er|erm|well"
    # "Next song" and "right lamp" are no leads, "next, the fan" is one.
    r"|(?:next|right)(?=,| (?:the|my|turn|switch|set|put|open|close|shut|lock|dim|start|stop)\b))"
)
_JOINT_EN = re.compile(
    rf"\s*[,;:.!?–—-]+(?=\s|$)\s*(?:{_LEAD_EN}\b,?\s*)*"
    rf"|\s+(?:and|then|plus|also|as well as|but|while you're at it|followed by|before you)\b,?\s*"
    rf"(?:{_LEAD_EN}\b,?\s*)*"
)
_LEAD_ZH = (
    r"(?:然后|顺便|顺手|还有(?![多几什哪谁没])|另外(?![一两三四几个那的])|同时|并且|而且|接着"
    r"|最后(?![一两几个那的])|完了|再就是|以及|哦对了|哦|对了|嗯|呃|那个|先)"
)
_JOINT_ZH = re.compile(
    rf"\s*[,;:。.!?、…—]+\s*(?:{_LEAD_ZH}[,、]?\s*)*"
    r"|\s*(?:然后|顺便|顺手|还有(?![多几什哪谁没])|另外(?![一两三四几个那的])|同时|并且|接着|完了"
    r"|以及)[,、]?\s*"
    rf"(?:{_LEAD_ZH}[,、]?\s*)*"
    r"|(?<=[^,、;])(?=再(?!大|小|亮|暗|高|低|多|少|热|冷|暖|凉|快|慢|响|调|往|加|减|来|强|弱|开|关)|也(?!一样))"
)
_BARE = re.compile(
    rf"(?:the|my|our|a|and|of|in|all|both|every|also|也|把|还有|和|跟|与|及|{MARK.pattern}|[\s,、的])*"
)
_EXCEPT = re.compile(
    r"\b(?:but not|except\w*|bar|barring|apart from|other than|save for|excluding|exception|leave"
    r"|leaving|keep|skip|spare|not|unless|only|just)\b|n't\b|除|别|不要|不用|甭|留|外|就算了|只"
)


def cuts(marked: Marked) -> list[tuple[int, int]]:
    """The pieces between all joints, as places in its text; one piece where there is no joint."""
    text = marked.text
    pieces: list[tuple[int, int]] = []
    start = 0
    for joint in (_JOINT_ZH if has_hanzi(text) else _JOINT_EN).finditer(text):
        if joint.start() > start:
            pieces.append((start, joint.start()))
        start = joint.end()
        if len(pieces) == MOST_PIECES - 1:
            break
    end = len(text.rstrip(" ,;:.!?。、…"))
    if start < end:
        pieces.append((start, end))
    return pieces or [(0, len(text))]


def part(marked: Marked, start: int, end: int) -> tuple[Marked, tuple[int, ...]]:
    """text[start:end] with its marks numbered from 1, and which numbers they have in the whole."""
    text = marked.text[start:end]
    numbers = tuple(dict.fromkeys(int(one[2]) for one in MARK.finditer(text)))
    new = {number: place for place, number in enumerate(numbers, 1)}
    text = MARK.sub(lambda one: f"<{one[1]}>{new[int(one[2])]}", text)
    marks = tuple(marked.marks[number - 1] for number in numbers)
    return replace(marked, text=text, marks=marks), numbers


def is_bare(marked: Marked, pieces: Sequence[tuple[int, int]]) -> bool:
    """Whether some pieces in a row only name something, so that they belong to what is beside
    them."""
    return _BARE.fullmatch(marked.text, pieces[0][0], pieces[-1][1]) is not None


def is_except(text: str) -> bool:
    """Whether something may be left out of an order, which no cut should part from it."""
    return _EXCEPT.search(text) is not None
