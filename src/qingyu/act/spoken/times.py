"""Durations and times in what people say or type, in Chinese and English, as typed moments.

    find_durations("turn it off in an hour and a half")   # [Duration(…, seconds=5400)]
    now = datetime.datetime(2026, 11, 26, 19, 30)
    [found] = find_times("明天早上七点叫我", now)
    str(found.when)                                       # "2026-11-27 07:00"

A time of day that can be morning or evening is the next such time after now; on another day it is
the one by day. Knows no devices; `sun` is needed only for "tomorrow at sunset".
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, replace
from typing import Literal

from qingyu.act.spoken.clock_words import Atom, clocks, days, parts
from qingyu.act.spoken.number_words import compiled, folded
from qingyu.act.spoken.numbers import Number, find_numbers, overlaps
from qingyu.act.when import When
from qingyu.act.world import Sun

Span = tuple[int, int]
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Duration:
    """text[start:end] is so many seconds."""

    start: int
    end: int
    seconds: int


@dataclass(frozen=True, kw_only=True)
class Found:
    """A time and where its words stand, in order (明天叫我七点起床 has two places).

    when: None where only a day is said. days: how often, as alarms have it (once, daily, weekdays,
    fri...), several with commas: "mon,wed,fri". weekday: the day or "weekends" it falls on, if said
    so, though once. readings: the times of day it can mean, morning first (a bare 七点 has two);
    empty for the sun and durations. day: the date, if one was said. sure: False for a bare "at
    ten", which may be a number.
    """

    spans: tuple[Span, ...]
    when: When | None
    days: str = "once"
    weekday: str = ""
    readings: tuple[datetime.time, ...] = ()
    day: datetime.date | None = None
    sure: bool = True

    @property
    def start(self) -> int:
        return self.spans[0][0]

    @property
    def end(self) -> int:
        return self.spans[-1][1]


def find_durations(text: str) -> list[Duration]:
    """十分钟, 一小时二十分, an hour and a half; in order."""
    return _durations(folded(text), find_numbers(text))


def _durations(text: str, numbers: list[Number]) -> list[Duration]:
    found: list[Duration] = []
    for one in numbers:
        if one.unit != "second" or not 0 < one.value < 10**8:
            continue
        last = found[-1] if found else None
        gap = text[last.end : one.start] if last else "-"
        if (
            last
            and re.fullmatch(r"(?a),? ?(?:and |又|零|加|外加)?", gap)
            and one.value < last.seconds
        ):
            seconds = last.seconds + round(one.value)
            found[-1] = Duration(start=last.start, end=one.end, seconds=seconds)
        else:
            found.append(Duration(start=one.start, end=one.end, seconds=round(one.value)))
    return found


def find_times(text: str, now: datetime.datetime, sun: Sun | None = None) -> list[Found]:
    """All times of a sentence in order: after a duration, by the sun, of the day, on a day."""
    text = folded(text)
    durations = _durations(text, find_numbers(text))
    found = _by_sun(text, durations)
    found += _after_durations(text, durations, [span for one in found for span in one.spans])
    taken = [span for one in found for span in one.spans]
    taken += [(one.start, one.end) for one in durations]
    atoms = _chosen(text, now.date(), taken)
    bare = [one for one in atoms if one.kind in ("day", "repeat")]
    by_sun = len(found) == 1 and found[0].when and found[0].when.base in ("sunrise", "sunset")
    if by_sun and len(bare) == 1 and not any(one.kind == "clock" for one in atoms):
        return [_widened(text, _sun_on(found[0], bare[0], now, sun))]
    for group in _groups(text, atoms):
        one = _meant(group, now)
        if one is not None:
            found.append(one)
    return sorted((_widened(text, one) for one in found), key=lambda one: one.start)


def find_free_numbers(text: str, now: datetime.datetime) -> list[Number]:
    """The numbers that belong to no sure time and no duration."""
    taken = [span for one in find_times(text, now) if one.sure for span in one.spans]
    return [
        one
        for one in find_numbers(text)
        if one.unit != "second" and not overlaps(one.start, one.end, taken)
    ]


# The sun, and durations from now.

_SUNSET = (
    r"日落|太阳(?:下山|落山|落下)|落日|天黑|天一黑|擦黑|\b(?:sunset|sundown|nightfall|dusk)\b"
    r"|\b(?:the )?sun (?:goes down|sets|is down|has set)\b"
    r"|\b(?:it is|it's|it gets|it's getting) dark\b"
)
_SUNRISE = (
    r"日出|太阳(?:出来|升起)|天亮|天一亮|\b(?:sunrise|sunup|dawn|daybreak)\b"
    r"|\b(?:the )?sun (?:comes up|rises|is up)\b|\b(?:it is|it's|it gets) light\b"
)
_SUN = compiled(rf"(?P<sunset>{_SUNSET})|(?P<sunrise>{_SUNRISE})")
_AFTER = r"(?:以后|之后|过后|后)"
_BEFORE = r"(?:以前|之前|前)"
# 天黑了，开灯 tells how it is; 天黑了再开 tells when. 日落前 alone is no moment.
_STATE = compiled(
    rf"天?(?:天|一)?(?:擦?黑|亮)(?:[吗没着不]|了(?!{_AFTER}|再|就|的?时))|.{{2,6}}{_BEFORE}(?!\d|[一二两三四五六七八九十半])"
)


def _by_sun(text: str, durations: list[Duration]) -> list[Found]:
    found = []
    for match in _SUN.finditer(text):
        if _STATE.match(text, match.start()) or (
            compiled(r"\bbefore (?:the )?$").search(text[: match.start()])
            and not any(0 < match.start() - one.end < 12 for one in durations)
        ):
            continue
        base: Literal["sunrise", "sunset"] = "sunset" if match["sunset"] else "sunrise"
        start, end, seconds = match.start(), match.end(), 0
        dark = re.match(r"(?a)(?:it is|it's|it's getting) (?:dark|light)", match[0])
        lead = re.search(r"(?a)\b(?:when|once|after|until|as soon as|before|till) $", text[:start])
        if dark and not lead:
            continue
        for one in durations:
            between, behind = text[end : one.start], text[one.end :]
            if one.seconds > 86400:
                continue
            if one.start >= end and (
                way := re.fullmatch(rf"(?a)了?的?({_AFTER}|{_BEFORE}|再?过|了?)", between)
            ):
                tail = re.match(rf"(?a){_AFTER}|{_BEFORE}", behind)
                word = way[1] if way[1] and way[1] != "了" else (tail[0] if tail else "")
                if not word:
                    continue
                seconds = -one.seconds if "前" in word else one.seconds
                end = one.end + (tail.end() if tail else 0)
                break
            if one.end <= start and (
                way := re.fullmatch(r"(?a) (after|before|past|following) ", text[one.end : start])
            ):
                seconds = -one.seconds if way[1] == "before" else one.seconds
                start = one.start
                break
        else:
            tail = compiled(rf"了?(?:{_AFTER}|的?时候|时)").match(text, end)
            end = tail.end() if tail else end
        found.append(Found(spans=((start, end),), when=When(base=base, seconds=seconds)))
    return found


def _after_durations(text: str, durations: list[Duration], taken: list[Span]) -> list[Found]:
    found = []
    for one in durations:
        if overlaps(one.start, one.end, taken):
            continue
        before = re.search(
            r"(?a)(?:再过|过|等|\bin |\bafter (?:another )?|\bwithin )$", text[: one.start]
        )
        behind = compiled(
            rf" ?(?:{_AFTER}|之內|\bfrom now\b|\blater\b|\bfrom this moment\b)"
        ).match(text, one.end)
        if (before is None and behind is None) or re.match(r"(?a)[以之]?前", text[one.end :]):
            continue
        start = before.start() if before else one.start
        end = behind.end() if behind else one.end
        found.append(Found(spans=((start, end),), when=When(base="said", seconds=one.seconds)))
    return found


def _sun_on(found: Found, atom: Atom, now: datetime.datetime, sun: Sun | None) -> Found:
    """明天日落后: a moment, where the sun's times are known."""
    spans = tuple(sorted([*found.spans, (atom.start, atom.end)]))
    when = found.when
    assert when is not None
    if atom.kind == "repeat":
        return replace(found, spans=spans, days=atom.repeat)
    if sun is not None and atom.day is not None and atom.day != now.date():
        time = sun.sunset if when.base == "sunset" else sun.sunrise
        moment = datetime.datetime.combine(atom.day, time)
        moment += datetime.timedelta(seconds=when.seconds)
        when = When(base="moment", moment=moment)
    return replace(found, spans=spans, when=when, day=atom.day, weekday=atom.repeat)


_LEADS = compiled(
    r"(?:\b(?:(?:at|by|after|when|once|as soon as|around|about|from|until|till|for) )?(?:the )?"
    r"|在|等到?)$"
)
_TAILS = compiled(r"的?时候|时(?![间刻])| sharp\b|的(?=闹)")


def _widened(text: str, found: Found) -> Found:
    """With the preposition before it and 的时候 behind it, where there is one."""
    if not found.sure:
        return found
    lead, tail = _LEADS.search(text[: found.start]), _TAILS.match(text, found.end)
    first = (lead.start() if lead else found.start, found.spans[0][1])
    spans = [first, *found.spans[1:]]
    if tail:
        spans[-1] = (spans[-1][0], tail.end())
    return replace(found, spans=tuple(spans))


# Clock, part of day, day and repeat.

_GAP = compiled(
    r"[\s,，的在于是]*(?:(?:at|on|in|the|for|of|around|about|by|from|就|到|大概|差不多|exactly|sharp)"
    r"[\s,，]*){0,3}"
)


def _chosen(text: str, today: datetime.date, taken: list[Span]) -> list[Atom]:
    """Atoms that do not overlap: the longest of each place; a part may be in a day (今晚)."""
    chosen: list[Atom] = []
    for candidates in (days(text, today), clocks(text), parts(text)):
        for one in sorted(candidates, key=lambda atom: (atom.start - atom.end, atom.start)):
            ours = [
                (atom.start, atom.end)
                for atom in chosen
                if not (one.kind == "part" and atom.kind in ("day", "repeat"))
            ]
            if not overlaps(one.start, one.end, [*taken, *ours]):
                chosen.append(one)
    return sorted(chosen, key=lambda atom: (atom.start, atom.end))


def _groups(text: str, atoms: list[Atom]) -> list[list[Atom]]:
    """Atoms that stand together, and a lone day with a lone time elsewhere in the sentence."""
    groups: list[list[Atom]] = []
    for one in atoms:
        if groups:
            last = groups[-1]
            gap = text[max(atom.end for atom in last) : one.start]
            if not any(_clash(one, atom) for atom in last) and _GAP.fullmatch(gap):
                last.append(one)
                continue
        groups.append([one])
    timed = [group for group in groups if any(one.kind == "clock" for one in group)]
    dated = [group for group in groups if all(one.kind != "clock" for one in group)]
    dated = [group for group in dated if any(one.kind in ("day", "repeat") for one in group)]
    if len(timed) == len(dated) == 1 and not any(
        _clash(one, other) for one in timed[0] for other in dated[0]
    ):
        groups.remove(dated[0])
        timed[0].extend(dated[0])
    return groups


def _clash(one: Atom, other: Atom) -> bool:
    if one.kind == other.kind:
        return one.kind != "part" or one.part != other.part
    return {one.kind, other.kind} == {"day", "repeat"}


def _meant(group: list[Atom], now: datetime.datetime) -> Found | None:
    by_kind = {one.kind: one for one in group}
    clock, part = by_kind.get("clock"), by_kind.get("part")
    if clock is None and part is not None and part.part == "noon":
        clock = replace(part, kind="clock", hour=12, exact=True)
    day, repeat = by_kind.get("day"), by_kind.get("repeat")
    spans = _joined(sorted((one.start, one.end) for one in group))
    date = day.day if day else None
    weekday = day.repeat if day else ""
    if clock is None:
        if day is None and repeat is None:
            return None
        often = repeat.repeat if repeat else "once"
        return Found(spans=spans, when=None, days=often, weekday=weekday, day=date)
    sure = clock.sure or part is not None or day is not None or repeat is not None
    if not sure and not clock.clue:
        return None
    readings, late = _readings(clock, part)
    times = tuple(_time(minutes) for minutes in readings)
    when: When | None
    if repeat is not None:
        when = When(base="time", time=times[0])
        return Found(
            spans=spans, when=when, days=repeat.repeat, readings=times, day=None, sure=sure
        )
    minutes = readings[0]
    if date is None or date == now.date():
        moments = sorted(_next(now, one) for one in readings)
        when = When(base="time", time=moments[0].time())
        if date is not None:
            today = datetime.datetime.combine(date, datetime.time())
            if all(today + datetime.timedelta(minutes=one) <= now for one in readings) and not late:
                moment = today + datetime.timedelta(minutes=readings[-1], days=7 if weekday else 0)
                when = When(base="moment", moment=moment)
    else:
        if len(readings) > 1 and readings[0] < 6 * 60:
            minutes = readings[1]
        moment = datetime.datetime.combine(date, datetime.time())
        moment += datetime.timedelta(minutes=minutes) + (_DAY if late else datetime.timedelta())
        while weekday and moment <= now:
            moment += 7 * _DAY
        when = When(base="moment", moment=moment)
    return Found(spans=spans, when=when, weekday=weekday, readings=times, day=date, sure=sure)


def _next(now: datetime.datetime, minutes: int) -> datetime.datetime:
    moment = datetime.datetime.combine(now.date(), _time(minutes))
    return moment if moment > now else moment + _DAY


def _time(minutes: int) -> datetime.time:
    return datetime.time(minutes // 60 % 24, minutes % 60)


def _readings(clock: Atom, part: Atom | None) -> tuple[tuple[int, ...], bool]:
    """Minutes of the day it can mean, and whether that is after the midnight which ends the day."""
    hour, name = clock.hour, part.part if part else ""
    minutes = hour * 60 + clock.minute
    late = False
    hours: tuple[int, ...]
    if clock.exact:
        if hour == 24 or (hour == 0 and name in ("evening", "night")):
            late, minutes = clock.minute >= 0, (minutes + 1440) % 1440
        return (minutes,), late
    if clock.half:
        return (
            ((hour % 12 + (12 if clock.half == "pm" else 0)) * 60 + clock.minute) % 1440,
        ), False
    match name:
        case "dawn":
            hours = (hour % 12,)
        case "morning":
            hours = (hour,)
        case "noon":
            hours = (hour if hour >= 10 else hour + 12,)
        case "afternoon":
            hours = (hour % 12 + 12,)
        case "evening" | "night":
            late = (hour == 12 and clock.minute >= 0) or hour < 5
            hours = (hour % 12 if late else hour % 12 + 12 if hour != 12 else 24,)
        case _:
            hours = (hour % 12, hour % 12 + 12)
    return tuple((one * 60 + clock.minute) % 1440 for one in hours), late


def _joined(spans: list[Span]) -> tuple[Span, ...]:
    """Spans that touch or are only a blank or a small word apart, as one."""
    joined: list[Span] = []
    for start, end in spans:
        if joined and start - joined[-1][1] <= 1:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)
