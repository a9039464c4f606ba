"""The numbers, durations, times and days of a sentence, as marks have them.

timed("dim it to 40 in ten minutes", now, None, ())    # number 40, time "in ten minutes"
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

from qingyu.act.marks.text import Span
from qingyu.act.spoken.number_words import compiled
from qingyu.act.spoken.numbers import Number, find_numbers, overlaps
from qingyu.act.spoken.times import Found, find_durations, find_times
from qingyu.act.world import Sun

_MAYBE = compiled(
    r"[0-9零〇一二两三四五六七八九十百千万半今明后每天周末礼星期早晚午夜晨亮黑日落出太]"
    r"|\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|a|an|half|quarters?"
    r"|noon|midday|midnight|tomorrow|today|tonight|sun(?:rise|set|down|up)?|dawn|dusk|nightfall"
    r"|daybreak|dark|light|weekends?|daily|first|second|fifth|eighth|ninth|twelfth|every|each|this"
    r"|next"
    r"|school|working|workdays?)"
    r"|teen|ty\b|ty[ -]|day|th\b|ird\b|rds?\b|hundred|thousand|million|morning|evening"
    r"|afternoon|night"
)
"""Without one of these a sentence has no number and no time: most have none."""
_TYPES = {"": "number", "celsius": "degree"}


@dataclass(frozen=True)
class Timed:
    """type: of the mark; value: as a Mark has it; sure: False for what may be a number or a time.
    start, end: in the text that was searched; so are the spans of a Found."""

    start: int
    end: int
    type: str
    value: float | int | Found


def timed(
    text: str, now: datetime.datetime, sun: Sun | None, devices: tuple[Span, ...]
) -> list[Timed]:
    """In order, none overlapping. devices: where devices with numbers to set stand."""
    if _MAYBE.search(text) is None:
        return []
    numbers = find_numbers(text)
    found: list[Timed] = []
    taken: list[Span] = []
    for time in find_times(text, now, sun):
        if time.sure or not _is_number(text, time, devices):
            start, end = _clock(text, time, now)
            found.append(Timed(start, end, "time" if time.when else "day", time))
            taken += time.spans
    if any(one.unit == "second" for one in numbers):
        for length in find_durations(text):
            if not overlaps(length.start, length.end, taken):
                found.append(Timed(length.start, length.end, "duration", length.seconds))
                taken.append((length.start, length.end))
    for one in numbers:
        if one.unit != "second" and not overlaps(one.start, one.end, taken):
            found.append(_number(one))
    return sorted(found, key=lambda one: one.start)


def _number(one: Number) -> Timed:
    return Timed(one.start, one.end, _TYPES.get(one.unit, one.unit), one.value)


_AT_A_TIME = compiled(
    r"\b(?:on|off|open|close|shut|start|stop|begin|lock|unlock|wake|remind|alarm|meeting|appointment"
    r"|call|schedule|book|bell|ring|lunch|dinner|breakfast|clean|hoover|vacuum|every|out)\b"
)
_PLANNED = compiled(
    r"\b(?:wake|alarms?|remind|bell|timer|schedule|meeting|appointment|calendar|diary|book|set|plan)\b"
)
_FOR = compiled(r"for\b|(?<=for )")
_CHANGED_BY = compiled(
    r"\b(?:up|down|raise|lower|increase|decrease|reduce|more|less|higher|brighter|dimmer|warmer"
    r"|cooler|louder|quieter)\b[^,.;]*\bby\b"
)


def _is_number(text: str, time: Found, devices: tuple[Span, ...]) -> bool:
    """A bare "at ten": backlight at ten is a number; lamp off at ten, wake me at ten are times."""
    before = text[: time.end]
    clause = re.split(r"[,.;!?]", before)[-1]
    if _FOR.match(text, time.start) and _PLANNED.search(text) is None:
        return True
    if _CHANGED_BY.search(clause):
        return True
    first = len(before) - len(clause)
    named = any(first <= start < time.start for start, _ in devices)
    return named and _AT_A_TIME.search(text) is None


_BETWEEN = compiled(
    r"[\s,的在于]*(?:(?:at|on|in|the|for|of|around|about|by|from|exactly|就|到|大概|差不多)[\s,]*){0,3}"
)


def _clock(text: str, time: Found, now: datetime.datetime) -> Span:
    """Where a time stands: all of it, or of places apart the one with the clock; a day that was
    said elsewhere stays text."""
    spans = [time.spans[0]]
    for start, end in time.spans[1:]:
        first, last = spans[-1]
        if _BETWEEN.fullmatch(text, last, start):
            spans[-1] = (first, end)
        else:
            spans.append((start, end))
    if len(spans) == 1 or time.when is None:
        return spans[0]
    for start, end in spans:
        if any(one.when is not None for one in find_times(text[start:end], now)):
            return start, end
    return max(spans, key=lambda span: span[1] - span[0])
