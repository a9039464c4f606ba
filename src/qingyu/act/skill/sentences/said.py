"""Numbers, lengths of time, times and days as people say and type them, in Chinese and English.

    chance = random.Random(1)
    percent(30, "zh", chance)        # "百分之三十", "30%", "三成" ...
    moment("after", "en", chance)    # "in ten minutes", "half an hour from now" ...

Only ways of saying that `numbers` and `times` read; knows no devices.
"""

from __future__ import annotations

import random
from collections.abc import Callable

Chance = random.Random

_DIGITS = "零一二三四五六七八九"


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ONES = _words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    " fifteen sixteen seventeen eighteen nineteen"
)
_TENS = _words("zero ten twenty thirty forty fifty sixty seventy eighty ninety")
_NTH = _words("zeroth first second third fourth fifth sixth seventh eighth ninth tenth")


def chinese(value: int) -> str:
    """0 to 99,999 in Chinese numerals: 一百零五, 十二."""
    if value < 10:
        return _DIGITS[value]
    if value < 20:
        return "十" + (_DIGITS[value % 10] if value % 10 else "")
    out, gap = "", False
    for size, sign in ((10_000, "万"), (1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = value // size % 10
        if digit:
            out += ("零" if gap and out else "") + _DIGITS[digit] + sign
            gap = False
        else:
            gap = True
    return out


def english(value: int) -> str:
    """0 to 99,999 in words: one hundred and five, twenty-two."""
    if value < 20:
        return _ONES[value]
    if value < 100:
        return _TENS[value // 10] + (f" {_ONES[value % 10]}" if value % 10 else "")
    size, word = (1000, "thousand") if value >= 1000 else (100, "hundred")
    rest = value % size
    joint = " and " if rest and rest < 100 else " "
    return f"{english(value // size)} {word}" + (f"{joint}{english(rest)}" if rest else "")


_ZH_DAYS = _words(
    "明天 明天 后天 今天 大后天 周一 周三 周五 周六 星期天 下周二 下周五"
    " 礼拜四 明儿 这周六 下周一 12月3号 三月八号 周日 下个星期三"
)
_ZH_SUN = _words(
    "日落的时候 日落时 日落后 天黑以后 天黑后 太阳下山后 日出时 日出后"
    " 天亮以后 日落前半小时 日落后十分钟 日落后一小时 日出前十分钟"
    " 太阳落山以后 天黑之后 日落前20分钟 日落"
)
_ZH_DAILY = _words(
    "每天早上 每天晚上 每天 工作日早上 每个工作日 周末早上 每周一早上"
    " 每周五晚上 每晚 每个周六上午 周一到周五早上"
)


def number(value: float, language: str, chance: Chance) -> str:
    """A bare number in figures or words; halves as 26.5, 二十六点五, twenty six point five."""
    whole = int(value)
    if chance.random() < 0.5:
        return f"{value:g}"
    if language == "zh":
        text = chinese(whole)
        if value != whole:
            text += "点五"
        elif value == 2 and chance.random() < 0.3:
            text = "两"
        return text
    return english(whole) + (" point five" if value != whole else "")


def percent(value: float, language: str, chance: Chance) -> str:
    """With its unit; a half, a third and tenths also in their own words."""
    whole = int(value)
    roll = chance.random()
    if language == "zh":
        if whole == 50 and roll < 0.4:
            return chance.choice(("一半", "一半", "一半儿", "百分之五十", "五成"))
        if whole % 10 == 0 and 0 < whole < 100 and roll < 0.15:
            return chinese(whole // 10) + "成"
        if roll < 0.5:
            return f"{value:g}%"
        return "百分之" + (chinese(whole) if roll < 0.92 else str(whole))
    if whole == 50 and roll < 0.4:
        return chance.choice(("half", "50%", "fifty percent", "50 percent"))
    if whole == 25 and roll < 0.3:
        return chance.choice(("a quarter", "one quarter"))
    if whole == 75 and roll < 0.3:
        return "three quarters"
    if roll < 0.5:
        return f"{value:g}%"
    words = english(whole) if chance.random() < 0.65 else f"{value:g}"
    return words + chance.choice((" percent", " percent", " percent", " per cent"))


def degree(value: float, language: str, chance: Chance) -> str:
    """A temperature with its unit; it may have a half."""
    whole, half = int(value), value != int(value)
    roll = chance.random()
    if language == "zh":
        words = chinese(whole) if roll < 0.6 else str(whole)
        if value == 2:
            words = chance.choice(("两", "两", "2", "二"))
        if half:
            if not whole:
                return "半度"
            return f"{words}度半" if chance.random() < 0.6 else f"{value:g}度"
        return words + chance.choice(("度",) * 12 + ("℃", "°", "°C", "摄氏度"))
    words = english(whole) if roll < 0.5 else str(whole)
    if half:
        if not whole:
            return "half a degree"
        if chance.random() < 0.5:
            return f"{value:g} degrees"
        return f"{words} and a half degrees"
    if value == 1:
        return chance.choice(("one degree", "1 degree", "a degree"))
    ends = (" degrees",) * 12 + (" deg", "°", "°C", " degrees celsius", "C")
    return words + chance.choice(ends if words.isdigit() else ends[:13])


def angle(value: float, language: str, chance: Chance) -> str:
    """How far to turn, whole degrees."""
    whole = int(value)
    if language == "zh":
        return (chinese(whole) if chance.random() < 0.6 else str(whole)) + "度"
    words = english(whole) if chance.random() < 0.5 else str(whole)
    return words + (chance.choice((" degrees", " degrees", "°")) if words.isdigit() else " degrees")


def kelvin(value: float, language: str, chance: Chance) -> str:
    whole = int(value)
    if language == "zh":
        if chance.random() < 0.4:
            return chinese(whole) + chance.choice(("K", "开", "开尔文"))
        return f"{whole}{chance.choice(('K', 'k', ' K', '开'))}"
    if chance.random() < 0.25:
        return english(whole) + " kelvin"
    return f"{whole}{chance.choice(('K', 'k', ' K', ' kelvin'))}"


def metre(value: float, language: str, chance: Chance) -> str:
    """A distance: metres, below one also centimetres or half a metre."""
    if language == "zh":
        if value == 0.5 and chance.random() < 0.5:
            return "半米"
        if value < 1:
            size = round(value * 100)
            words = chinese(size) if chance.random() < 0.5 else str(size)
            return words + chance.choice(("厘米", "公分", "cm" if words.isdigit() else "厘米"))
        if value != int(value):
            whole = int(value)
            both = f"{'两' if whole == 2 else chinese(whole)}米半"
            return both if chance.random() < 0.5 else f"{value:g}米"
        words = "两" if value == 2 else chinese(int(value))
        if chance.random() < 0.4:
            return f"{value:g}" + chance.choice(("米", "米", "m"))
        return words + chance.choice(("米", "米", "米", "公尺"))
    if value == 0.5 and chance.random() < 0.5:
        return chance.choice(("half a metre", "half a meter"))
    if value < 1:
        size = round(value * 100)
        words = english(size) if chance.random() < 0.5 else str(size)
        return words + chance.choice((" centimetres", " centimeters", " cm"))
    unit = chance.choice(("metre", "meter"))
    if value == 1:
        return chance.choice((f"one {unit}", f"1 {unit}", f"a {unit}", "1 m"))
    if value != int(value):
        words = f"{english(int(value))} and a half"
        return f"{words} {unit}s" if chance.random() < 0.4 else f"{value:g} {unit}s"
    if chance.random() < 0.4:
        return f"{value:g}" + chance.choice((f" {unit}s", " m", f" {unit}s"))
    return f"{english(int(value))} {unit}s"


def level(value: float, language: str, chance: Chance) -> str:
    whole = int(value)
    if language == "zh":
        words = chinese(whole) if chance.random() < 0.6 else str(whole)
        if whole == 2:
            words = chance.choice(("二", "两", "2"))
        return words + chance.choice(("档", "档", "挡", "级"))
    if chance.random() < 0.8:
        return "level " + (english(whole) if chance.random() < 0.5 else str(whole))
    return english(whole) + (" notch" if whole == 1 else " notches")


def ordinal(value: float, language: str, chance: Chance) -> str:
    whole = int(value)
    if language == "zh":
        words = chinese(whole) if chance.random() < 0.85 else str(whole)
        return f"第{words}" + chance.choice(("个", "个", "个", ""))
    if whole < len(_NTH) and chance.random() < 0.9:
        return _NTH[whole]
    return f"{whole}" + {1: "st", 2: "nd", 3: "rd"}.get(whole, "th")


def duration(language: str, chance: Chance) -> str:
    """A length of time from seconds to hours."""
    return _zh_duration(chance) if language == "zh" else _en_duration(chance)


def _zh_count(value: int, chance: Chance) -> str:
    if chance.random() < 0.4:
        return str(value)
    return "两" if value == 2 else chinese(value)


def _zh_duration(chance: Chance) -> str:
    roll = chance.random()
    minutes = chance.choice((1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 10, 12, 15, 15, 18, 20, 20, 25, 30,
                             30, 35, 40, 45, 50, 55, 90))  # fmt: skip
    if roll < 0.55:
        return _zh_count(minutes, chance) + "分钟"
    if roll < 0.6:
        return chance.choice(("一分半钟", "三分半钟", "两分半钟", "六分钟", "四分钟", "七分半钟"))
    if roll < 0.68:
        return (
            _zh_count(chance.choice((5, 10, 15, 20, 30, 40, 45, 60, 90)), chance)
            + "秒"
            + ("钟" if chance.random() < 0.4 else "")
        )
    if roll < 0.8:
        return chance.choice(("半小时", "半小时", "半个小时", "半个钟头", "一刻钟", "三刻钟"))
    hours = chance.randint(1, 8)
    unit = chance.choice(("小时", "个小时", "个钟头"))
    if roll < 0.93:
        return _zh_count(hours, chance) + unit
    if roll < 0.97:
        return _zh_count(hours, chance) + chance.choice(("个半小时", "个半钟头"))
    return f"{_zh_count(hours, chance)}小时{_zh_count(chance.choice((10, 15, 20, 40)), chance)}分钟"


def _en_duration(chance: Chance) -> str:
    roll = chance.random()
    minutes = chance.choice((2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 10, 12, 15, 15, 18, 20, 20, 25, 30, 30,
                             35, 40, 45, 50, 55, 90))  # fmt: skip
    words = english(minutes) if chance.random() < 0.6 else str(minutes)
    if roll < 0.55:
        return words + chance.choice((" minutes", " minutes", " minutes", " mins"))
    if roll < 0.6:
        return chance.choice(("a minute", "one minute", "a minute and a half"))
    if roll < 0.7:
        seconds = chance.choice((5, 10, 15, 20, 30, 40, 45, 60, 90))
        return (english(seconds) if chance.random() < 0.5 else str(seconds)) + " seconds"
    if roll < 0.82:
        return chance.choice(("half an hour", "half an hour", "a quarter of an hour", "an hour"))
    hours = chance.randint(2, 8)
    if roll < 0.92:
        return (english(hours) if chance.random() < 0.6 else str(hours)) + " hours"
    if roll < 0.97:
        return chance.choice(("an hour and a half", "two and a half hours", "one and a half hours"))
    return f"{english(hours)} hours and {english(chance.choice((10, 15, 20, 40)))} minutes"


def clock(language: str, chance: Chance) -> str:
    """A time of day, mostly with its part of the day."""
    return _zh_clock(chance) if language == "zh" else _en_clock(chance)


_ZH_PARTS: dict[str, tuple[int, int]] = {
    name: (int(low), int(high))
    for name, low, high in (
        one.split("-")
        for one in _words(
            "早上-6-9 上午-8-11 早晨-5-8 清晨-5-6 凌晨-1-5 中午-12-12 下午-1-6 傍晚-5-7 晚上-6-11"
            " 夜里-10-12 今晚-7-11 今天晚上-7-11 今天下午-1-6 明天早上-6-10 明早-5-9 明天上午-8-11"
            " 明天下午-1-6 明晚-6-11 明天晚上-6-11 后天上午-8-11 后天下午-2-5 周六早上-7-10"
            " 下周一上午-8-11 星期天下午-1-6 周五晚上-6-10 明儿早上-6-9 半夜-1-3 礼拜三上午-8-11"
            " 周日早上-8-10 下周四下午-2-5 这周五下午-2-5"
        )
    )
}


def _zh_clock(chance: Chance) -> str:
    roll = chance.random()
    if roll < 0.17:
        day = chance.choice(("", "", "", "明天", "今天", "后天", "周一", "下周三"))
        gap = "" if not day or chance.random() < 0.5 else " "
        return f"{day}{gap}{chance.randint(0, 23)}:{chance.choice((0, 0, 15, 20, 30, 45, 50)):02d}"
    part, (low, high) = "", (5, 12)
    if roll < 0.85:
        part = chance.choice(tuple(_ZH_PARTS))
        low, high = _ZH_PARTS[part]
    hour = chance.randint(low, high)
    words = str(hour) if chance.random() < 0.35 else "两" if hour == 2 else chinese(hour)
    style = chance.random()
    if style < 0.5:
        return f"{part}{words}点" + ("钟" if chance.random() < 0.2 else "")
    if style < 0.72:
        return f"{part}{words}点半"
    if style < 0.8:
        return f"{part}{words}点{chance.choice(('一刻', '三刻'))}"
    if style < 0.84:
        return f"{part}{words}点差{chance.choice(('五分', '十分', '一刻'))}"
    minute = chance.choice((5, 10, 15, 20, 25, 35, 40, 45, 50, 55))
    said = ("零" if minute < 10 else "") + chinese(minute)
    if words.isdigit() and chance.random() < 0.7:
        said = f"{minute:02d}"
    return f"{part}{words}点{said}" + ("分" if chance.random() < 0.5 else "")


def _en_clock(chance: Chance) -> str:
    roll = chance.random()
    hour = chance.randint(1, 12)
    word = english(hour) if chance.random() < 0.5 else str(hour)
    minute = chance.choice((5, 10, 15, 20, 25, 30, 35, 40, 45, 50))
    half = chance.choice(("am", "pm", "a.m.", "p.m.", "AM", "PM"))
    if roll < 0.15:
        text = f"{chance.randint(0, 23)}:{minute:02d}"
    elif roll < 0.3:
        text = f"{hour}:{minute:02d} {half}"
    elif roll < 0.45:
        text = f"{word} {half}"
    elif roll < 0.55:
        text = f"{word} o'clock"
    elif roll < 0.7:
        amount = chance.choice(("half past", "quarter past", "quarter to", "ten past", "five to",
                                "twenty past", "ten to"))  # fmt: skip
        text = f"{amount} {word}"
    elif roll < 0.75:
        return chance.choice(("at noon", "at midnight", "tomorrow at noon", "at midday"))
    elif roll < 0.85:
        text = f"{word} {english(minute)}" if not word.isdigit() else f"{hour}:{minute:02d}"
    else:
        text = word
    at = chance.choice(("at ", "at ", "at ", "")) if roll >= 0.15 else "at "
    part = ""
    if roll < 0.15 or not text.lower().endswith("m"):
        part = chance.choice(("", "", " tonight", " in the morning", " this evening", " tomorrow",
                              " tomorrow morning", " in the evening", " on friday",
                              " this afternoon", " tomorrow night", " on saturday"))  # fmt: skip
    elif chance.random() < 0.4:
        part = chance.choice((" tomorrow", " on monday", " on sunday", " today"))
    if part and chance.random() < 0.3:
        return f"{part.strip()} at {text}"
    if text == word and not part:
        at = "at "
    return f"{at}{text}{part}"


def day(language: str, chance: Chance) -> str:
    """A day without a time."""
    if language == "zh":
        return chance.choice(_ZH_DAYS)
    return chance.choice(("tomorrow", "tomorrow", "today", "the day after tomorrow", "on monday",
                          "on friday", "friday", "saturday", "next tuesday", "on sunday",
                          "next monday", "this thursday", "on december 3rd",
                          "wednesday"))  # fmt: skip


def after(language: str, chance: Chance) -> str:
    length = duration(language, chance)
    if language == "zh":
        return chance.choice(("{}后", "{}后", "{}之后", "{}以后", "过{}", "再过{}", "等{}")).format(
            length
        )
    return chance.choice(("in {}", "in {}", "in {}", "after {}", "{} from now")).format(length)


def by_sun(language: str, chance: Chance) -> str:
    if language == "zh":
        return chance.choice(_ZH_SUN)
    return chance.choice(("at sunset", "at sunset", "after sunset", "at sunrise", "at dusk",
                          "at dawn", "half an hour before sunset", "ten minutes after sunset",
                          "an hour after sunrise", "when the sun goes down", "when it gets dark",
                          "at nightfall", "when the sun comes up", "once it is dark",
                          "20 minutes before sunrise"))  # fmt: skip


def daily(language: str, chance: Chance) -> str:
    if language == "zh":
        hour = chance.randint(5, 11)
        said = chinese(hour) if chance.random() < 0.6 else str(hour)
        start = chance.choice(_ZH_DAILY)
        return f"{start}{said}点" + chance.choice(("", "", "半", "一刻"))
    said = english(chance.randint(5, 11))
    return chance.choice(("every day at {}", "every morning at {}", "every evening at {}",
                          "on weekdays at {}", "every monday at {}", "at {} every day",
                          "at {} every night", "on weekends at {}", "daily at {}",
                          "at {} on weekdays")).format(said)  # fmt: skip


def _bare(language: str, chance: Chance) -> str:
    """A time of day that follows a word of its own: (an alarm for) half past six tomorrow."""
    for _ in range(9):
        words = clock(language, chance).removeprefix("at ")
        if " at " not in words:
            break
    return words


def moment(kind: str, language: str, chance: Chance) -> str:
    """A time. kind: after, clock, sun, daily, bare (a clock without "at"), or "" for any of the
    first three."""
    make: dict[str, Callable[[str, Chance], str]] = {
        "after": after, "clock": clock, "sun": by_sun, "daily": daily, "bare": _bare,
    }  # fmt: skip
    if kind not in make:
        roll = chance.random()
        kind = "after" if roll < 0.45 else "clock" if roll < 0.85 else "sun"
    return make[kind](language, chance)
