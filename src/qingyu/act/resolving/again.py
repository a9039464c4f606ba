"""The same as in the turn before, for other devices or in another room: "same for the fan",
"客厅也一样".

    again(marked, focus, world)     # Do((Call("turn_off", "fan.desk"),)) after "turn off the lamp"

And all back as it was before that: `is_back`. Numbers of the turn before are in no later sentence,
so a model could not repeat them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from qingyu.act.calls import Call
from qingyu.act.fast.short_words import begins_as_order
from qingyu.act.forms.words import DEVICES, PLACES, sort
from qingyu.act.marks.mark import MARK, SIGNS, Marked
from qingyu.act.spoken.spelling import clauses
from qingyu.act.understood import Do, Focus
from qingyu.act.world import Entity, World

_X = r"(?P<x><[a-z_]+(?:\.[a-z0-9_]+)?>[1-9])"
_LEAD = r"(?:(?:and|now|oh|also|please|then) )*"
_THE = r"(?:the |my |our )?"
_X_EN = rf"{_THE}{_X}(?: ones?)?"
_TAIL = r"(?: too| as well| also| while you're (?:at it|there)| please| then| again)*"
_SAME_EN = (
    rf"{_LEAD}(?:do )?(?:(?:exactly )?the )?same (?:again |thing |goes )?(?:for|in|with|on|to|at) "
    rf"{_THE}(?:ones? )?(?:in |on )?{_X_EN}",
    rf"{_LEAD}(?:do |make |have |set )?{_X_EN}(?: to)?"
    r" (?:(?:exactly )?the same|same again|likewise|just like that|like that)",
    rf"{_LEAD}(?:do )?(?:that|it|this) (?:in|for|with|to|on) {_X_EN}",
    rf"{_LEAD}{_X_EN} should be the same",
)
_ALSO = re.compile(rf"{_LEAD}{_X_EN}(?: too| as well| also)+(?:{_TAIL})")
_X_ZH = rf"(?:那|然后|还有|顺便)?(?:把|给|让)?{_X}(?:的|那个|那边|那屋|里的|里)?"
_SAME_ZH = (
    rf"{_X_ZH}也?(?:照着|照这样|照样|同样|一样|也?这么|也?这样|照此)(?:来|弄|办|调|设|处理|开|关)?"
    r"(?:一下|一个|一遍|一份|吧|就行)*",
    rf"{_X_ZH}(?:也(?:是|一样|来一[个份遍下]|来|照办|这么办|调成这个数|[调设]成一样的?)|同理|跟它一样)"
    r"(?:吧|就行|哈|啊)?",
    rf"也?(?:给|对){_X}也?(?:来|做|弄)(?:一[个份遍下])?(?:同样的?|一样的?)(?:事|操作)?吧?",
)
_SAME = re.compile(
    "|".join(
        f"(?:{one.replace('P<x>', f'P<x{at}>')})"
        for at, one in enumerate((*(f"{one}{_TAIL}" for one in _SAME_EN), *_SAME_ZH))
    )
)
_COURTESY = frozenset({"please", "thanks", "thank you", "谢谢", "好吗"})
_BACK = re.compile(
    r"(?:(?:oh|no|actually|hm+|er|well|wait|hang on|ok|okay|sorry|please|and|now|just"
    r"|forget it)[, ]*)*"
    r"(?:(?:put|set|turn|change|switch|bring|move|get|make|leave|have|let's have|i want"
    r"|i'd like)[, ]+)?"
    r"(?:it|that|them|those|everything|all|both|all of (?:it|them|that))?(?: all)?(?: back)?"
    r"(?: to)? ?(?:back to|back|the way|like|as) ?(?:how|what|where|the way|like)? ?"
    r"(?:it|they|that|things|everything) (?:was|were|had been|used to be)"
    r"(?: before| just now| originally| earlier| a (?:minute|moment|second) ago| at first| set to)*"
    r"(?:[, ]*(?:please|then|instead|thanks|again))*"
)
_BACK_ZH = re.compile(
    r"(?:算了|不对|不行|哎|嗯|呃|还是|那|等等|不好看|难看|都|全|给我|帮我|把它们?|让它们?|它们?|又)*"
    r"(?:恢复|还原|调|改|换|变|弄|设|回|退|复原|搞|放(?=回))+(?:成|到|回|为|回到|回去)?"
    r"(?:原样|原状|原来(?:的)?(?:样子|那样|状态|亮度|温度|颜色|音量)?|刚才(?:的)?(?:样子|那样|状态)|之前(?:的)?(?:样子|那样|状态)?|老样子)"
    r"(?:吧|好了|得了|算了|了|去|的)*"
    r"|(?:还是)原来(?:那么|那样|的)?(?:亮|暗|高|低|热|冷|大|小|好)?(?:吧|好了|得了)*"
    r"|(?:刚才|刚刚)(?:那个|那下|的|那一下|的操作)?(?:不算|作废|当我没说)(?:了|吧)?"
)
_REASON = re.compile(
    r"(?:stop|cancel|leave)(?: (?:it|that|this))?|(?:取消|停)|.*(?:\btoo\b|太|过头|不好|难看).*"
)
"""What begins as an order and only says why all is to be as it was."""


def is_back(text: str) -> bool:
    """Whether all is to be as it was before the last turn, and nothing else is to be done."""
    pieces = [one for each in clauses(text) if (one := each.casefold()) not in _COURTESY]
    if any(begins_as_order(one) and not _REASON.fullmatch(one) for one in pieces[:-1]):
        return False
    return bool(
        pieces and (_BACK.fullmatch(pieces[-1]) or _BACK_ZH.fullmatch(pieces[-1].replace(" ", "")))
    )


def again(marked: Marked, focus: Focus, world: World) -> Do | None:
    """What was done in the turn before, to what is named now; None for any other sentence, and
    where nothing was done or the devices are of another kind."""
    if not focus.calls:
        return None
    text = " ".join(SIGNS.sub(" ", marked.text).split())
    found = _SAME.fullmatch(text) or _ALSO.fullmatch(text) or _SAME.fullmatch(text.replace(" ", ""))
    if found is None:
        return None
    pointer = next(one for key, one in found.groupdict().items() if one)
    match = MARK.fullmatch(pointer)
    assert match is not None
    mark = marked.mark(int(match[2]))
    if mark is None or not mark.ids:
        return None
    before = world.entity(focus.calls[0].entity)
    if before is None:
        return None
    meant = _meant(mark.ids, sort(mark.type), before, world)
    calls = _repeated(focus.calls, before, meant)
    return Do(calls, focus.when, focus.days) if calls else None


def _meant(ids: Sequence[str], kind: str, before: Entity, world: World) -> tuple[Entity, ...]:
    """The devices that were named; of a place those of the kind that was spoken of."""
    if kind in PLACES:
        areas = {one.id for id in ids for one in world.areas_on(id)} if kind == "floor" else {*ids}
        like = world.select(domain=before.domain, kind=before.kind)
        return tuple(one for one in like if one.area in areas)
    if kind not in DEVICES or len(ids) != 1:
        return ()
    named = world.entity(ids[0])
    return (named,) if named is not None and named.domain == before.domain else ()


def _repeated(calls: Sequence[Call], before: Entity, meant: Sequence[Entity]) -> tuple[Call, ...]:
    """The calls for the first device of the turn before, for others."""
    those = [one for one in calls if one.entity == before.id]
    return tuple(
        Call(call.action, one.id, dict(call.arguments))
        for one in meant
        for call in those
        if call.action in one.vocabulary.actions
    )
