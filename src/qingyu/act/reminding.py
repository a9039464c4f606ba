"""Reminders and events of a calendar in the words they are mostly said with, understood by code;
and another time for what was set just now.

    noted("二十分钟后提醒我关火", world, now)
    # Do((Call("add", "reminder.me", {"text": "关火", "at": "2026-11-26 19:50"}),))

What is to be noted may be any words, also an order, so neither templates nor a model are safe to
cut it out. One time must be said, that comes once; where the household has no list for it, or
several, nobody can say which.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, time

from qingyu.act.calls import Call
from qingyu.act.spoken.spelling import has_hanzi
from qingyu.act.spoken.times import Found, find_durations, find_times
from qingyu.act.understood import Do
from qingyu.act.values import MOMENT, TIME
from qingyu.act.world import Scalar, World
from qingyu.errors import InvalidRequestError

_HERE = "\x00"
"""Where the time stood."""
_PLEASE_ZH = r"(?:请|麻烦|麻烦你|帮我|帮忙|给我|记得|到时候|到时|的时候)?"
_NOTES = {
    ("reminder", True): (
        rf"{_PLEASE_ZH}\x00?{_PLEASE_ZH}提醒(?:一下)?(?:我|我们|咱们)(?:一下|一声)?\x00?(?P<words>.+)",
    ),
    ("reminder", False): (
        r"(?:please |can you |could you |hey )?(?:\x00 )?(?:please )?remind me (?:\x00 )?"
        r"(?:to|that|about|of) (?P<words>.+?)(?: \x00)?(?: please)?",
    ),
    ("calendar", True): (
        rf"{_PLEASE_ZH}\x00?{_PLEASE_ZH}(?:在|往)?(?:我的)?(?:日历|日程|日程表)(?:上|里|中|里面)?\x00?"
        r"(?:加|添加|记|新建|安排|添)(?:一个|个|一下|上|一条|条)?(?P<words>.+)",
        rf"{_PLEASE_ZH}(?:把)?\x00?(?:的)?(?P<words>.+?)(?:加到|加进|放进|写进|记到|记进|添加到|加入)"
        r"(?:我的)?(?:日历|日程|日程表)(?:上|里|中|里面)?(?:吧)?",
    ),
    ("calendar", False): (
        r"(?:please |can you |could you )?(?:put|add|schedule|enter) (?:a |an |the |my )?"
        r"(?P<words>.+?) (?:in|into|to|on) (?:my |the |our )?(?:calendar|diary|agenda)"
        r"(?: for| on| at)?(?: \x00)?(?: please)?",
    ),
}
_NOTED = {
    key: tuple(re.compile(one, re.IGNORECASE) for one in some) for key, some in _NOTES.items()
}
_REMOVE = {"timer": "cancel", "alarm": "remove", "reminder": "remove", "calendar": "remove"}
_ABOUT = re.compile(r"提醒|日历|日程|\b(?:remind|calendar|diary|agenda)\b", re.IGNORECASE)
_TEXT = {"reminder": "text", "calendar": "title"}
_ENDS = " 。.!！,，;；:：、"
_BESIDE = re.compile(r"(?:\b(?:at|on|for|by)\s*)?\x00(?:\s*\b(?:at|on)\b(?=\s|$))?", re.IGNORECASE)
_LEAD = re.compile(r"^(?:要|得|该|一下)(?=.{2})")


def noted(text: str, world: World, now: datetime) -> Do | None:
    """What is to be noted, and for when; None for any other sentence."""
    if not _ABOUT.search(text):
        return None
    times = [one for one in find_times(text, now, world.sun) if one.when]
    if len(times) != 1 or not times[0].sure or times[0].days != "once":
        return None
    rest, spans = text, times[0].spans
    for start, end in reversed(spans):
        rest = rest[:start] + (_HERE if start == spans[0][0] else "") + rest[end:]
    rest = re.sub(r"\s*([,，、])\s*(?=\x00)|(?<=\x00)\s*([,，、])\s*", " ", rest.strip(_ENDS))
    rest = _BESIDE.sub(_HERE, rest)
    chinese = has_hanzi(rest)
    rest = re.sub(r"\s*\x00\s*", _HERE if chinese else f" {_HERE} ", rest).strip()
    for domain, key in _TEXT.items():
        some = world.select(domain=domain)
        for pattern in _NOTED[domain, chinese] if len(some) == 1 else ():
            found = pattern.fullmatch(rest)
            words = found["words"].strip(_ENDS) if found else ""
            if not words or _HERE in words:
                continue
            if chinese:
                words = _LEAD.sub("", words)
            try:
                at = times[0].when.due(now, world.sun)  # type: ignore[union-attr]
            except InvalidRequestError:
                return None
            return Do((Call("add", some[0].id, {key: words, "at": at.strftime(MOMENT)}),))
    return None


_OTHER_TIME = (
    re.compile(
        r"(?:不对|不是|还是|算了|等等)?[，, ]*"
        r"(?:改成|改到|改为|换成|换到|推迟到|提前到|挪到|应该是|是|要)"
        r"(?P<time>.+?)(?:吧|好了|才对)?[。.!！]*"
    ),
    re.compile(
        r"(?:no|sorry|actually|wait|oh|hang on)?,? ?(?:make (?:it|that)|change (?:it|that) to"
        r"|move (?:it|that) to|i mean|i meant|better) "
        r"(?P<time>.+?)(?: instead| please| then)?[.!]*",
        re.IGNORECASE,
    ),
)


def corrected(text: str, before: Sequence[Call], now: datetime) -> Do | None:
    """Another time for what was set just now: "make it eight", "改成八点". before: the calls of the
    turn before, for an alarm, a timer, a reminder or an event. None for any other sentence."""
    domain = before[-1].entity.partition(".")[0] if before else ""
    if domain not in _REMOVE or len({one.entity for one in before}) != 1:
        return None
    old = before[-1]
    said = next((one["time"] for each in _OTHER_TIME if (one := each.fullmatch(text.strip()))), "")
    if not said or old.action != ("start" if domain == "timer" else "add"):
        return None
    new = _retimed(domain, dict(old.arguments), said, now)
    if new is None:
        return None
    gone = Call(_REMOVE[domain], old.entity, {k: v for k, v in old.arguments.items() if v != ""})
    return Do((gone, Call(old.action, old.entity, new)))


def _retimed(
    domain: str, old: dict[str, Scalar], said: str, now: datetime
) -> dict[str, Scalar] | None:
    if domain == "timer":
        lengths = find_durations(said)
        return old | {"seconds": round(lengths[0].seconds)} if len(lengths) == 1 else None
    times = find_times(said, now, None) or find_times(f"at {said}", now, None)
    if len(times) != 1 or times[0].when is None or times[0].days != "once":
        return None
    if domain == "alarm":
        clock = datetime.strptime(str(old["time"]), TIME).time()
        return old | {"time": _near(times[0], clock, now).strftime(TIME)}
    moment = datetime.strptime(str(old["at"]), MOMENT)
    if times[0].day is not None or not times[0].readings:
        at = times[0].when.due(now, None)
    else:
        at = datetime.combine(moment.date(), _near(times[0], moment.time(), now))
    return old | {"at": at.strftime(MOMENT)}


def _near(found: Found, clock: time, now: datetime) -> time:
    """Of "eight", the eight o'clock of the same half of the day."""
    halves = [one for one in found.readings if (one.hour < 12) == (clock.hour < 12)]
    assert found.when is not None
    return (halves or [found.when.due(now, None).time()])[0]
