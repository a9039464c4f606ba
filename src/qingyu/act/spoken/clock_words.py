"""The parts that times are said with, in Chinese and English: clock, part of day, day, repeat, sun.

    atoms(folded("明天下午三点一刻"), today)    # a Day, a Part and a Clock, each with its place

times.py joins them to moments; nothing here knows what time it is now.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Literal

from qingyu.act.spoken.number_words import ONES, ORDINALS, TENS, chinese, compiled

PartName = Literal["", "dawn", "morning", "noon", "afternoon", "evening", "night"]
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, kw_only=True)
class Atom:
    """text[start:end]. hour: 0 to 24 as said, minutes may be negative (差五分); part: of the day,
    half: a.m. or p.m. day: a date. repeat: of the vocabulary's days. exact: hour is that of a
    clock of 24 hours. sure: it is a time whatever stands around it. clue: the preposition of a
    bare hour ("at ten"), or "whole" if nothing else was said."""

    start: int
    end: int
    kind: Literal["clock", "part", "day", "repeat"]
    hour: int = 0
    minute: int = 0
    exact: bool = False
    part: PartName = ""
    half: Literal["", "am", "pm"] = ""
    day: datetime.date | None = None
    repeat: str = ""
    sure: bool = True
    clue: str = ""


_ZH = "[零〇一二两三四五六七八九十]{1,4}"
_N = rf"(?:\d{{1,2}}|{_ZH})"
_ZH_CLOCK = compiled(
    rf"(?:差(?P<before>一刻钟?|{_N}分?钟?)(?:到|就)?)?(?<![\d.周期拜第])(?P<hour>{_N})[点时](?!候|间|[多左])"
    rf"(?:(?P<oclock>钟|整)|(?P<half>半(?!小时|分))|(?P<quarter>[一三]刻(?!钟))"
    rf"|(?:还?差|欠)(?P<lacks>一刻|{_N}分?)|[过零]?(?P<minute>{_N})(?![\d度%成个秒米档点百千万盏台扇])分?)?"
    r"(?![零一二三四五六七八九十\d]+(?:[度%成米档公厘秒开]|个百))"
)
_DIGITAL = compiled(
    r"(?<![\d:])(?P<hour>\d{1,2}):(?P<minute>\d{2})(?![\d:]) ?(?P<half>[ap]\.?m\b\.?)?"
)
_HOURS = "|".join([*list(ONES)[1:13]])
_TENS = "|".join(list(TENS)[:4])
_DIGIT = "|".join(list(ONES)[1:10])
_TEENS = "|".join(list(ONES)[10:20])
_MINUTE = rf"(?:(?:{_TENS})(?:[ -](?:{_DIGIT}))?|(?:oh|zero|o) (?:{_DIGIT})|{_TEENS}|\d\d)"
_AMPM = r"(?: ?(?P<half>[ap]\.? ?m\b\.?))"
_EN_PAST = compiled(
    rf"\b(?P<amount>half|a quarter|quarter|five|ten|twenty(?:[ -]five)?|\d{{1,2}})(?: minutes?)? "
    rf"(?P<way>past|to|after|before|till|of) (?P<hour>{_HOURS}|\d{{1,2}}|noon|midnight)\b"
    rf"(?! (?:percent|degrees)|%){_AMPM}?"
)
_HALF_SEVEN = compiled(rf"\b(?:at|by|around|about) half (?P<hour>{_HOURS})\b")
_EN_CLOCK = compiled(
    rf"\b(?:(?P<at>at|by|until|till|around|about|before|from|for|past)(?: exactly| about)? )?"
    rf"(?<![\w.:-])(?P<hour>{_HOURS}|\d{{1,2}})(?:[ -](?P<minute>{_MINUTE})(?![\w.%]))?"
    rf"(?:(?P<oclock> o'?clock\b)|{_AMPM})?(?P<sharp> sharp)?(?![\w.:%-]|\.\d)"
)
_NOT_A_TIME = compiled(
    r" ?(?:%|per ?cent|degrees?|°|kelvin|minutes?|seconds?|hours?|met(?:er|re)s?|feet|and a half"
    r"|point|levels?|lights?|lamps?|times|hundred|thousand|mins?\b|secs?\b|days?|c\b|k\b|cm\b|km\b|of\b)"
)
_VALUE_BEFORE = compiled(
    r"\b(?:to|level|number|volume|brightness|temperature|channel|track|speed|plug) $"
)
_LEAD = compiled(r"(?:^|\b(?:at|by|until|till|around|about|before|the) )$")
_NAMED = compiled(
    r"\b(?:12 )?(?P<noon>noon|midday)\b|\b(?P<midnight>midnight)\b"
    r"|(?P<zhnoon>正午)|(?P<zhnight>午夜)"
)

_PARTS: tuple[tuple[str, PartName], ...] = (
    (r"凌晨|清晨|大清早|一大早", "dawn"),
    (r"早上|早晨|上午|(?<=[今明后儿天])早(?![点些])|早(?!一点)(?=[\d零一二两三四五六七八九十]+点(?!点))"
     r"|in the morning|(?<=tomorrow )morning|this morning", "morning"),
    (r"中午|晌午", "noon"),
    (r"下午|午后|in the afternoon|(?<=tomorrow )afternoon|this afternoon", "afternoon"),
    (r"傍晚|晚上|晚间|今晚上?|(?<=[明后儿天])晚上?(?![点些])|晚(?!一点)(?=[\d一二两三四五六七八九十]+点)"
     r"|in the evening|this evening"
     r"|(?<=tomorrow )evening", "evening"),
    (r"夜里|半夜|深夜|夜间|今夜|at night|(?<=tomorrow )night|tonight", "night"),
)  # fmt: skip
_PART = [(compiled(pattern), name) for pattern, name in _PARTS]
_EN_DAY_PART = compiled(r"(?<=day )(?P<part>morning|afternoon|evening|night)s?\b|\bmorning(?=s\b)")

_WEEKDAYS_EN = "mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun"
_EN_WEEKDAY = compiled(
    rf"\b(?:(?P<which>every|each|next|this|coming|on|by) )?(?P<name>{_WEEKDAYS_EN})day(?P<s>s)?\b"
)
_ZH_WEEKDAY = compiled(
    r"(?P<every>每个?|逢)?(?P<next>(?:下个?){0,3})(?P<this>[这本]个?)?(?:周|星期|礼拜)(?P<name>[一二三四五六日天])"
    r"(?!起|边)"
)
_ZH_SEVERAL = compiled(
    r"每个?(?:周|星期|礼拜)(?P<names>[一二三四五六日天](?:[、,和]?(?:周|星期|礼拜)?[一二三四五六日天](?![点十])){1,6})"
)
_EN_SEVERAL = compiled(
    rf"\b(?:(?:on|every) )?(?:{_WEEKDAYS_EN})days?"
    rf"(?:(?:,| and|, and) (?:{_WEEKDAYS_EN})days?){{1,6}}\b"
)
_RELATIVE = (
    (r"大后天", 3), (r"后[天儿]个?", 2), (r"明[天儿日]个?|明(?=[早晚])", 1),
    (r"今[天儿日]个?|今(?=[早晚夜])", 0), (r"后(?=[早晚]上?[\d一二三四五六七八九十])", 2),
    (r"\b(?:the )?day after tomorrow\b", 2), (r"\btomorrow\b", 1), (r"\btoday\b|\btonight\b"
     r"|\bthis (?:morning|afternoon|evening)\b", 0),
)  # fmt: skip
_MONTHS = (
    r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_ORD = rf"(?:\d{{1,2}}(?:st|nd|rd|th)?|(?:(?:twenty|thirty)[ -])?(?:{'|'.join(ORDINALS)}))"
_DATES = (
    compiled(r"(?<!\d)(?P<year>\d{4})[-/](?P<month>\d{1,2})[-/](?P<day>\d{1,2})(?!\d)"),
    compiled(
        rf"(?<![\d第月])(?P<day>{_N})[号日](?=早|上午|下午|晚|中午|凌晨|(?:\d{{1,2}}|[零一二两三四五六七八九十]+)点)"
    ),
    compiled(rf"(?P<month>{_N})月(?P<day>{_N})[号日]?(?!\d)"),
    compiled(rf"\b(?P<month>{_MONTHS}) (?:the )?(?P<day>{_ORD})\b(?!:)"),
    compiled(rf"\b(?:the )?(?P<day>{_ORD}) (?:of )?(?P<month>{_MONTHS})\b"),
)
_REPEATS = (
    (r"每个?工作日|工作日|周一到周五|周一至周五|星期一到星期五|上班日"
     r"|\b(?:on |every )?(?:weekdays?|workdays?|working days?)\b"
     r"|\bmonday(?:s)? (?:to|through) friday(?:s)?\b|\bschool days\b", "weekdays"),
    (
        r"每个?周末|每逢周末|\b(?:at |on |every )(?:the )?weekends?\b|\bweekends\b"
        r"|\bweekend(?= alarm)",
        "weekends",
    ),
    (r"每天|每日|天天|每(?=[早晚])|\b(?:every|each) day\b|\bdaily\b"
     r"|\bevery(?= (?:morning|evening|night|afternoon))", "daily"),
)  # fmt: skip
_WEEKEND = compiled(r"(?P<next>下个?)?(?:[这本]个?)?周末|\b(?:(?P<n>next )|this )weekend\b")
_EVERY_PART = compiled(r"(?<=every )(?P<part>morning|afternoon|evening|night)\b")


def number(text: str) -> int | None:
    """A small number in figures or words; None if it is none."""
    text = text.removesuffix("钟").removesuffix("分")
    if text.isdigit():
        return int(text)
    if text.startswith(("oh ", "o ", "zero ")):
        text = text.split()[1]
    if text and text[0] in "零〇一二两三四五六七八九十":
        return chinese(text.lstrip("零〇") or "零")
    total = 0
    for word in re.split("[ -]", text):
        if word not in ONES and word not in TENS and word not in ORDINALS:
            return None
        total += ONES.get(word, 0) + TENS.get(word, 0) + ORDINALS.get(word, 0)
    return total


def clocks(text: str) -> list[Atom]:
    """Times of day as said, from the surest to the least sure; they may overlap."""
    found: list[Atom] = []
    for match in _DIGITAL.finditer(text):
        hour, minute = int(match["hour"]), int(match["minute"])
        exact = hour > 12 or match["hour"].startswith("0")
        found.append(_clock(match, hour, minute, exact=exact, half=_half(match["half"])))
    for match in _NAMED.finditer(text):
        noon = match["noon"] or match["zhnoon"]
        found.append(_clock(match, 12 if noon else 24, 0, exact=True))
    for match in _ZH_CLOCK.finditer(text):
        if (atom := _zh_clock(text, match)) is not None:
            found.append(atom)
    for match in _HALF_SEVEN.finditer(text):
        hour = number(match["hour"]) or 0
        found.append(_clock(match, hour, 30))
    for match in _EN_PAST.finditer(text):
        if (atom := _en_past(text, match)) is not None:
            found.append(atom)
    for match in _EN_CLOCK.finditer(text):
        if (atom := _en_clock(text, match)) is not None:
            found.append(atom)
    return [one for one in found if 0 <= one.hour <= 24 and -60 < one.minute < 60]


def _half(text: str | None) -> Literal["", "am", "pm"]:
    return "" if not text else "am" if text[0] == "a" else "pm"


def _clock(
    match: re.Match[str],
    hour: int,
    minute: int,
    *,
    exact: bool = False,
    half: Literal["", "am", "pm"] = "",
    sure: bool = True,
) -> Atom:
    return Atom(
        start=match.start(),
        end=match.end(),
        kind="clock",
        hour=hour,
        minute=minute,
        exact=exact or hour > 12 or (hour == 0 and not half),
        half=half,
        sure=sure,
    )


def _zh_clock(text: str, match: re.Match[str]) -> Atom | None:
    hour = number(match["hour"])
    if hour is None or text.startswith("第", max(0, match.start() - 1)):
        return None
    minute = 0
    if match["half"]:
        minute = 30
    elif quarter := match["quarter"]:
        minute = 15 if quarter[0] == "一" else 45
    elif match["minute"]:
        minute = number(match["minute"]) or 0
    lacks = match["before"] or match["lacks"]
    if lacks:
        minute = -15 if "刻" in lacks else -(number(lacks) or 0)
    bare = match["hour"] == "一" and not (minute or match["oclock"])
    # 亮一点 is no time of day, 下午一点 is; 一点五 of a degree is none.
    return _clock(match, hour, minute, sure=not bare)


def _en_past(text: str, match: re.Match[str]) -> Atom | None:
    named = {"noon": 12, "midnight": 24}
    hour = named.get(match["hour"]) or number(match["hour"])
    amount = match["amount"].removeprefix("a ")
    minute = {"half": 30, "quarter": 15}.get(amount) or number(amount)
    if hour is None or minute is None or (amount == "half" and match["way"] != "past"):
        return None
    later = match["way"] in ("past", "after")
    return _clock(
        match, hour, minute if later else -minute, exact=match["hour"] in named,
        half=_half(match["half"]),
        sure=amount in ("half", "quarter") or match["way"] == "past"
        or _LEAD.search(text[: match.start()]) is not None,
    )  # fmt: skip


def _en_clock(text: str, match: re.Match[str]) -> Atom | None:
    hour = number(match["hour"])
    if hour is None or hour > 24 or _NOT_A_TIME.match(text, match.end()):
        return None
    minute = number(match["minute"]) if match["minute"] else 0
    if minute is None or minute > 59:
        return None
    sure = bool(match["oclock"] or match["half"] or match["sharp"])
    if match["minute"]:
        sure = sure or not match["minute"].isdigit()
    elif hour > 12 and not sure:
        return None
    half = _half(match["half"])
    at = match["at"] or ""
    before = text[max(0, match.start() - 30) : match.start()]
    if not sure and not at and not match["minute"] and _VALUE_BEFORE.search(before):
        return None
    start = match.start() if not at else match.start("hour")
    atom = _clock(match, hour, minute, half=half, sure=sure)
    clue = at or ("whole" if match[0] == text.strip(" .?!") else "")
    return Atom(**{**vars(atom), "start": start, "clue": clue})


def parts(text: str) -> list[Atom]:
    """下午, in the evening, tonight."""
    found = [
        Atom(start=match.start(), end=match.end(), kind="part", part=name)
        for pattern, name in _PART
        for match in pattern.finditer(text)
    ]
    for pattern in (_EN_DAY_PART, _EVERY_PART):
        for match in pattern.finditer(text):
            name: PartName = match["part"] or "morning"  # type: ignore[assignment]
            found.append(Atom(start=match.start(), end=match.end(), kind="part", part=name))
    return found


def days(text: str, today: datetime.date) -> list[Atom]:
    """Dates, weekdays (the next such day, today counts) and repeats; earlier ones go first."""
    found: list[Atom] = []

    def keep(match: re.Match[str], day: datetime.date | None, repeat: str = "") -> None:
        kind: Literal["day", "repeat"] = "repeat" if day is None else "day"
        found.append(Atom(start=match.start(), end=match.end(), kind=kind, day=day, repeat=repeat))

    for match in _ZH_SEVERAL.finditer(text):
        named = [one for one in match["names"] if one in "一二三四五六日天"]
        keep(
            match,
            None,
            ",".join(WEEK["一二三四五六日".find(one.replace("天", "日"))] for one in named),
        )
    for match in _EN_SEVERAL.finditer(text):
        keep(match, None, ",".join(one[:3] for one in compiled(r"\w+day").findall(match[0])))
    for pattern, repeat in _REPEATS:
        for match in compiled(pattern).finditer(text):
            keep(match, None, repeat)
    monday = today - datetime.timedelta(days=today.weekday())
    for match in _ZH_WEEKDAY.finditer(text):
        place = "一二三四五六日".find(match["name"].replace("天", "日"))
        weeks = match["next"].count("下")
        if match["every"]:
            keep(match, None, WEEK[place])
        elif weeks or match["this"]:
            keep(match, monday + datetime.timedelta(days=7 * weeks + place), WEEK[place])
        else:
            keep(match, _coming(today, place), WEEK[place])
    for match in _EN_WEEKDAY.finditer(text):
        place = WEEK.index(match["name"][:3])
        if match["s"] or match["which"] in ("every", "each"):
            keep(match, None, WEEK[place])
        elif match["which"] == "next":
            keep(match, monday + datetime.timedelta(days=7 + place), WEEK[place])
        else:
            keep(match, _coming(today, place), WEEK[place])
    for match in _WEEKEND.finditer(text):
        saturday = monday + datetime.timedelta(days=5)
        if match["next"] or match["n"]:
            saturday += datetime.timedelta(days=7)
        keep(match, max(saturday, today), "weekends")
    for relative, ahead in _RELATIVE:
        for match in compiled(relative).finditer(text):
            keep(match, today + datetime.timedelta(days=ahead))
    for form in _DATES:
        for match in form.finditer(text):
            if (day := _date(match, today)) is not None:
                keep(match, day)
    return found


def _coming(today: datetime.date, place: int) -> datetime.date:
    return today + datetime.timedelta(days=(place - today.weekday()) % 7)


def _day_of_month(day: int | None, today: datetime.date) -> datetime.date | None:
    """The next date with that number, this month or the next."""
    if day is None or not 0 < day < 32:
        return None
    for ahead in range(62):
        date = today + datetime.timedelta(days=ahead)
        if date.day == day:
            return date
    return None


def _date(match: re.Match[str], today: datetime.date) -> datetime.date | None:
    if "month" not in match.groupdict():
        return _day_of_month(number(match["day"]), today)
    said = match["month"]
    names = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
    month = names.index(said[:3]) + 1 if said[:3] in names else number(said)
    day = number(re.sub(r"(?<=\d)(?:st|nd|rd|th)$", "", match["day"]))
    if month is None or day is None:
        return None
    years = (int(match["year"]),) if "year" in match.groupdict() else (today.year, today.year + 1)
    for year in years:
        try:
            date = datetime.date(year, month, day)
        except ValueError:
            continue
        if date >= today or len(years) == 1:
            return date
    return None
