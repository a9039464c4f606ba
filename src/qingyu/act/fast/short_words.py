"""Sentences of a few words that need no model: undo, what time is it, what was just done.

short_order("现在几点")          # Clock(day=False)
asks_what_was_done("我刚才开的是什么灯")     # True
"""

from __future__ import annotations

import re

from qingyu.act.fast.agreeing import pieces
from qingyu.act.spoken.spelling import clauses, simplified
from qingyu.act.understood import Clock, Undo

_ORDER = re.compile(
    r"(?:请|帮我|麻烦)?(?:打开|开|关|把|将|调|设|放|停|锁|让|给|播|换|取消|提醒)"
    r"|(?:please |can you |could you )?"
    r"(?:turn|switch|set|open|close|shut|play|pause|stop|start|lock|unlock|dim|put|make|mute|send"
    r"|call|add|remove|cancel|remind)\b"
)
_UNDO = re.compile(
    r"(?:撤销|撤回|撤消|还原|恢复原样|恢复原状|复原|改回去|变回去"
    r"|(?:取消|撤销|撤回|恢复)(?:刚才|刚刚|上一步|上一个|前面)的?"
    r"(?:操作|动作|指令|命令)?"
    r"|undo|undo (?:it|that|this|the last (?:thing|one|step|action))|revert(?: (?:it|that))?"
    r"|(?:take|put) (?:it|that) back|put (?:it|that) back (?:as|the way|how) it was"
    r"|change it back)"
)
_TIME = re.compile(
    r"(?:现在|目前)?(?:是)?(?:几点|什么时间|什么时候|几点几分)(?:了|钟)*"
    r"|(?:报时|报一下时|看下时间|几点啦)"
    r"|what(?:'s| is) the time(?: now)?|what time is it(?: now)?|(?:tell me |do you have )?the time"
)
_DAY = re.compile(
    r"(?:今天|今儿)(?:是)?(?:几号|几月几号|多少号|星期几|周几|礼拜几|什么日子)"
    r"|what(?:'s| is) (?:the date|today's date|the day)(?: today)?"
    r"|what (?:day|date) is (?:it|today)(?: today)?"
)


def begins_as_order(text: str) -> bool:
    """Whether a sentence begins as an order does, and not as the answer to "which one"."""
    return bool(_ORDER.match(simplified(text).casefold().strip()))


def short_order(text: str) -> Undo | Clock | None:
    """Undo, and the questions after time and day."""
    said = " ".join(clauses(text))
    if _UNDO.fullmatch(said.casefold()):
        return Undo()
    whole = " ".join(pieces(text)).removeprefix("请问").strip()
    if _TIME.fullmatch(whole):
        return Clock(day=False)
    return Clock(day=True) if _DAY.fullmatch(whole) else None


_DONE = re.compile(
    r"(?:我|你)?(?:刚才|刚刚|方才)(?:让你|叫你|我|你|是)*"
    r"(?:把)?(?:开|关|打开|关掉|关上|弄|做|干|动|调|改|设|换|操作)(?:的|了|过)?(?:是)?(?:个)?(?:什么|啥|哪|哪个|哪些)"
    r"|\bwhat (?:was it |exactly |is it |it was )?(?:that )?(?:did|have|had|was) ?(?:it |that )?"
    r"(?:i|you) (?:just|only just)\b"
    r"|\b(?:what (?:was it|exactly was it)|(?:tell me|i forg[eo]t|forgotten|not sure|no idea"
    r"|(?:do you|don't|can't|can you) (?:know|remember|recall)) what)(?: exactly| it was)?"
    r"(?: that)? (?:i|you)(?:'ve)? just (?:had|have|got|asked|told|did"
    r"|done|do|turned|switched|changed|set|opened|closed)\b"
    r"|\bwhich (?:one |light |lamp )?(?:did|have) (?:i|you) just\b"
)
_ANY_OF_IT = re.compile(r"不管|无论|不论")
"""Whatever was done, something else is to be done now."""


def asks_what_was_done(text: str) -> bool:
    """Whether somebody wants to know what was just done: 我刚才开的是什么灯."""
    said = simplified(text).casefold()
    asked = _DONE.search(said) is not None and _ANY_OF_IT.search(said) is None
    return asked and not begins_as_order(text)
