"""Durations, clock times, days and the sun as people say and type them."""

from __future__ import annotations

import datetime
import random

import pytest

from qingyu.act.spoken.times import find_durations, find_free_numbers, find_times
from qingyu.act.when import parse_when
from qingyu.act.world import Sun
from tests.act.spoken_numbers import spoken

NOW = datetime.datetime(2026, 11, 26, 19, 30)  # a Thursday
SUN = Sun(sunrise=datetime.time(7, 10), sunset=datetime.time(17, 5))

DURATIONS = [
    ("十分钟", 600), ("一个半小时", 5400), ("半小时", 1800), ("半个小时", 1800), ("两个钟头", 7200),
    ("一小时二十分钟", 4800), ("三刻钟", 2700), ("三十秒", 30), ("两分半", 150), ("2.5小时", 9000),
    ("一分三十秒", 90), ("an hour and a half", 5400), ("half an hour", 1800), ("90 seconds", 90),
    ("one and a half hours", 5400), ("1 hour and 20 minutes", 4800), ("a minute", 60),
    ("three quarters of an hour", 2700),
    ("forty five minutes", 2700), ("two hours", 7200), ("10 min", 600), ("45s", 45),
]  # fmt: skip

# The words of the time in the sentence, and the moment as act/when.py writes it.
WHEN = [
    ("十分钟后关灯", "十分钟后", "+600"),
    ("过五分钟把转灯灭了", "过五分钟", "+300"),
    ("一刻钟之后进入专注模式", "一刻钟之后", "+900"),
    ("一个半小时以后", "一个半小时以后", "+5400"),
    ("turn it off in ten minutes", "in ten minutes", "+600"),
    ("off in an hour and a half", "in an hour and a half", "+5400"),
    ("half an hour from now", "half an hour from now", "+1800"),
    ("ten minutes later close it", "ten minutes later", "+600"),
    ("下午三点一刻", "下午三点一刻", "15:15"),
    ("七点半关灯", "七点半", "07:30"),
    ("八点关灯", "八点", "20:00"),
    ("差五分八点", "差五分八点", "19:55"),
    ("夜里十二点差一刻停掉", "夜里十二点差一刻", "23:45"),
    ("晚上十点", "晚上十点", "22:00"),
    ("晚八点", "晚八点", "20:00"),
    ("今晚十一点", "今晚十一点", "23:00"),
    ("晚上12点", "晚上12点", "00:00"),
    ("凌晨两点", "凌晨两点", "02:00"),
    ("半夜三点", "半夜三点", "03:00"),
    ("明天半夜三点", "明天半夜三点", "2026-11-28 03:00"),
    ("中午十二点半开", "中午十二点半", "12:30"),
    ("下午一点", "下午一点", "13:00"),
    ("三点零五分", "三点零五分", "03:05"),
    ("19点45分", "19点45分", "19:45"),
    ("晚上21:15", "晚上21:15", "21:15"),
    ("06:45叫我", "06:45", "06:45"),
    ("七点的时候开灯", "七点的时候", "07:00"),
    ("half past seven", "half past seven", "07:30"),
    ("at half seven", "at half seven", "07:30"),
    ("in a quarter of an hour", "in a quarter of an hour", "+900"),
    ("明天中午提醒我吃药", "明天中午", "2026-11-27 12:00"),
    ("3号下午三点", "3号下午三点", "2026-12-03 15:00"),
    ("等天黑了就开灯", "等天黑", "sunset"),
    ("quarter to nine", "quarter to nine", "20:45"),
    ("at twenty five to three", "at twenty five to three", "02:35"),
    ("off at 7pm", "at 7pm", "19:00"),
    ("at 7 a.m.", "at 7 a.m.", "07:00"),
    ("at eight o'clock", "at eight o'clock", "20:00"),
    ("at six thirty", "at six thirty", "06:30"),
    ("nine oh five", "nine oh five", "21:05"),
    ("End focus mode at noon", "at noon", "12:00"),
    ("at midnight", "at midnight", "00:00"),
    ("At eleven tonight switch off", "At eleven tonight", "23:00"),
    ("at two in the morning", "at two in the morning", "02:00"),
    ("明天早上七点拉开", "明天早上七点", "2026-11-27 07:00"),
    ("明早五点五十叫早", "明早五点五十", "2026-11-27 05:50"),
    ("明天三点开会", "明天三点", "2026-11-27 15:00"),
    ("明天晚上十二点", "明天晚上十二点", "2026-11-28 00:00"),
    ("后天上午十点面试", "后天上午十点", "2026-11-28 10:00"),
    ("大后天晚上八点", "大后天晚上八点", "2026-11-29 20:00"),
    ("下周二下午三点", "下周二下午三点", "2026-12-01 15:00"),
    ("周五早上八点", "周五早上八点", "2026-11-27 08:00"),
    ("周四早上八点", "周四早上八点", "2026-12-03 08:00"),
    ("下周二十点", "下周二十点", "2026-12-01 10:00"),
    ("11月27号早上八点", "11月27号早上八点", "2026-11-27 08:00"),
    ("一月三号九点", "一月三号九点", "2027-01-03 09:00"),
    ("2026-12-01 08:30", "2026-12-01 08:30", "2026-12-01 08:30"),
    ("next friday at 3pm", "next friday at 3pm", "2026-12-04 15:00"),
    ("Friday at three p.m.", "Friday at three p.m.", "2026-11-27 15:00"),
    ("at 10:30 tomorrow morning", "at 10:30 tomorrow morning", "2026-11-27 10:30"),
    ("Tomorrow, 6 a.m. sharp: on", "Tomorrow, 6 a.m. sharp", "2026-11-27 06:00"),
    ("at two tomorrow afternoon?", "at two tomorrow afternoon", "2026-11-27 14:00"),
    ("tomorrow at ten in the morning", "tomorrow at ten in the morning", "2026-11-27 10:00"),
    ("december 3rd at 9", "december 3rd at 9", "2026-12-03 09:00"),
    ("今天下午四点", "今天下午四点", "2026-11-26 16:00"),
    ("日落后半小时", "日落后半小时", "sunset+1800"),
    ("日落半小时后", "日落半小时后", "sunset+1800"),
    ("日落前十分钟开灯", "日落前十分钟", "sunset-600"),
    ("太阳下山后开灯", "太阳下山后", "sunset"),
    ("天黑了以后开灯", "天黑了以后", "sunset"),
    ("日出时拉开窗帘", "日出时", "sunrise"),
    ("half an hour after sunset", "half an hour after sunset", "sunset+1800"),
    ("ten minutes before sunrise", "ten minutes before sunrise", "sunrise-600"),
    ("an hour after the sun goes down", "an hour after the sun goes down", "sunset+3600"),
    ("when it gets dark", "when it gets dark", "sunset"),
    ("明天日落的时候开灯", "明天日落的时候", "2026-11-27 17:05"),
]

DAYS = [
    ("每天晚上十点半", "22:30", "daily"), ("工作日早上七点", "07:00", "weekdays"),
    ("周一到周五六点半", "06:30", "weekdays"), ("每周五下午五点", "17:00", "fri"),
    ("每周一三五早上七点", "07:00", "mon,wed,fri"),
    ("Mondays and thursdays at 7 am", "07:00", "mon,thu"),
    ("每个周末九点", "09:00", "weekends"), ("weekdays at seven", "07:00", "weekdays"),
    ("every day at 8 pm", "20:00", "daily"), ("every morning at six", "06:00", "daily"),
    ("for nine at weekends as well", "09:00", "weekends"), ("at 4:45 on Fridays", "04:45", "fri"),
    ("every monday at 8 am", "08:00", "mon"), ("wake me at 7 every weekday", "07:00", "weekdays"),
]  # fmt: skip

NOTHING = [
    "亮一点", "早一点", "晚一点关", "空调调到三点五度", "开了一早上会", "晚上好", "good night",
    "turn the volume to 10", "fan to seven", "it is dark in here", "天黑了吗", "十分满意",
    "天擦黑了，前灯给个小灯", "日落前不用", "before sunset close it",
    "set a timer for ten minutes", "the night light", "M-7 stop", "转灯亮度减半", "twenty degrees",
]  # fmt: skip


@pytest.mark.parametrize(("text", "seconds"), DURATIONS)
def test_durations(text: str, seconds: int) -> None:
    found = find_durations(f"定时{text}。")
    assert [(one.start, one.end, one.seconds) for one in found] == [(2, 2 + len(text), seconds)]


@pytest.mark.parametrize(("text", "words", "when"), WHEN)
def test_one_time_with_its_place(text: str, words: str, when: str) -> None:
    found = find_times(text, NOW, SUN)
    assert [(text[one.start : one.end], str(one.when)) for one in found] == [(words, when)]
    assert found[0].sure
    assert parse_when(when) == found[0].when


@pytest.mark.parametrize(("text", "when", "days"), DAYS)
def test_repeats(text: str, when: str, days: str) -> None:
    [found] = find_times(text, NOW)
    assert (str(found.when), found.days) == (when, days)


@pytest.mark.parametrize("text", NOTHING)
def test_no_time(text: str) -> None:
    assert find_times(text, NOW, SUN) == []


@pytest.mark.parametrize(
    ("text", "day", "weekday"),
    [
        ("明天", "2026-11-27", ""),
        ("tomorrow", "2026-11-27", ""),
        ("the day after tomorrow", "2026-11-28", ""),
        ("周末", "2026-11-28", "weekends"),
        ("this weekend", "2026-11-28", "weekends"),
        ("下周末", "2026-12-05", "weekends"),
        ("下周二", "2026-12-01", "tue"),
        ("next friday", "2026-12-04", "fri"),
        ("the third of december", "2026-12-03", ""),
    ],
)
def test_a_day_alone_is_no_moment(text: str, day: str, weekday: str) -> None:
    [found] = find_times(text, NOW)
    assert (found.when, str(found.day), found.weekday) == (None, day, weekday)


@pytest.mark.parametrize("text", ["明天叫我七点起床", "tomorrow wake me at seven"])
def test_day_and_time_apart_are_one_moment_in_two_places(text: str) -> None:
    [found] = find_times(text, NOW)
    assert str(found.when) == "2026-11-27 07:00"
    assert len(found.spans) == 2


def test_a_bare_hour_has_two_readings_and_at_ten_is_unsure() -> None:
    [found] = find_times("the quarter past seven bell can go", NOW)
    assert found.readings == (datetime.time(7, 15), datetime.time(19, 15))
    [found] = find_times("Backlight at ten", NOW)
    assert not found.sure
    assert [one.value for one in find_free_numbers("Backlight at ten", NOW)] == [10]


def test_numbers_of_times_are_not_free() -> None:
    text = "明天早上七点把空调开到二十六度，十分钟后关灯"
    assert [one.value for one in find_free_numbers(text, NOW)] == [26]


def test_sun_without_its_times_stays_relative() -> None:
    [found] = find_times("明天日落的时候开灯", NOW)
    assert (str(found.when), str(found.day)) == ("sunset", "2026-11-27")


PIECES = [
    *"零一二两三十百千万半点分刻秒天度差过后前下周号月第楼成个负",
    *(
        "小时",
        "分之",
        "百分之",
        "日落",
        "明天",
        "晚上",
        "凌晨",
        "每天",
        "13月45号",
        "25点",
        "99999999999天后",
    ),
    *("12", "99", "0", "24", "60", ":30", "2026-13-40", "%", "-", ".", ",", "．５", "İ", "ﬁ", "th"),
    *("at", "to", "past", "half", "a", "quarter", "and", "twenty", "hundred", "million", "point"),
    *("o'clock", "pm", "tomorrow", "friday", "next", "in", "hours", "sunset", "after", "before"),
    *("oh", "five", "second", "minutes", "钟"),
]


def test_no_mixture_of_words_is_too_much() -> None:
    draw = random.Random(1)
    for _ in range(3000):
        text = "".join(draw.choice(PIECES) + draw.choice(["", " "]) for _ in range(8))
        for one in find_times(text, NOW, SUN):
            assert all(0 <= start < end <= len(text) for start, end in one.spans), text
            assert one.when is None or parse_when(str(one.when)) == one.when, text


@pytest.mark.parametrize("text", ["1" * 5000, "一" * 5000 + "点", "one " * 2000, "twenty " * 2000])
def test_long_input_is_no_error(text: str) -> None:
    assert find_durations(text) == []
    assert len(find_times(text, NOW)) < 2


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_the_generator_says_is_understood(language: str) -> None:
    module, draw = spoken(), random.Random(7)
    for _ in range(400):
        said = module.say(language, "time", draw)
        hour, minute = said.written.split(" ")[0].lstrip("早上午下晚").split(":")
        text = said.spoken if language == "zh" else f"at {said.spoken}"
        if not text.startswith("一点"):  # 一点 alone is "a little"
            [found] = find_times(text, NOW)
            want = (int(hour) % 12, int(minute))
            assert {(one.hour % 12, one.minute) for one in found.readings} == {want}, text
            assert (found.start, found.end) == (0, len(text)), text
        said = module.say(language, "duration", draw)
        size = {"秒": 1, "s": 1, "分": 60, "m": 60, "小": 3600, "h": 3600}
        number = "".join(one for one in said.written if one in "0123456789.")
        unit = said.written.removeprefix(number).strip()
        unit = unit.replace("seconds", "s")[:1]
        for text in (said.spoken, said.written):
            seconds = [one.seconds for one in find_durations(text)]
            assert seconds == [float(number) * size[unit]], text
        said = module.say(language, "date", draw)
        [found] = find_times(said.spoken, NOW)
        assert found.day is not None, said
        month = module.MONTHS[found.day.month - 1]
        day = found.day.day
        ways = [f"{found.day.month}月{day}日", f"{month} {day}"]
        assert said.written in ways, said
