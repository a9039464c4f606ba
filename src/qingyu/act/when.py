"""When something shall happen: in a while, at a time, on a day, by the sun.

    when = parse_when("sunset+1800")
    when.due(now, sun)                  # the next time it is half an hour after sunset

As text: "+600" (seconds), "22:00" (the next such time), "2026-11-27 07:00", "sunset",
"sunrise-600" (seconds after or before).
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Literal

from qingyu.act.values import MOMENT, TIME, is_time
from qingyu.act.world import Sun
from qingyu.errors import InvalidRequestError
from qingyu.text import pick

_SUN = re.compile(r"(sunrise|sunset)(?:([+-])(\d{1,6}))?")
_DAY = datetime.timedelta(days=1)
_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def falls_on(days: str, day: datetime.date) -> bool:
    """Whether a day is one of "daily", "weekdays", "weekends", "fri", "mon,wed"; "once": any is."""
    name, weekend = _WEEK[day.weekday()], day.weekday() >= 5
    named = {"once", "daily", name, "weekends" if weekend else "weekdays"}
    return bool(named & set(days.split(",")))


@dataclass(frozen=True, kw_only=True)
class When:
    """seconds: after the moment it was said, or after sunrise or sunset (before, if negative)."""

    base: Literal["said", "time", "moment", "sunrise", "sunset"]
    seconds: int = 0
    time: datetime.time | None = None
    moment: datetime.datetime | None = None

    def __str__(self) -> str:
        if self.base == "time":
            assert self.time is not None
            return self.time.strftime(TIME)
        if self.base == "moment":
            assert self.moment is not None
            return self.moment.strftime(MOMENT)
        offset = f"{self.seconds:+d}" if self.seconds else ""
        return f"+{self.seconds}" if self.base == "said" else self.base + offset

    def due(self, said: datetime.datetime, sun: Sun | None) -> datetime.datetime:
        """The moment it means when said at a moment, always later than that but for a date.

        Raises InvalidRequestError where it needs the sun and no times of it are known.
        """
        if self.base == "said":
            return said + datetime.timedelta(seconds=self.seconds)
        if self.base == "moment":
            assert self.moment is not None
            return self.moment
        if self.base == "time":
            assert self.time is not None
            time = self.time
        elif sun is None:
            raise InvalidRequestError(
                pick(
                    f"{self} needs the times of the sun; add sun: {{sunrise: …, sunset: …}} to the"
                    " household's file",
                    f"{self} 需要日出日落时间；请在家庭文件中加入 sun: {{sunrise: …, sunset: …}}",
                )
            )
        else:
            time = sun.sunrise if self.base == "sunrise" else sun.sunset
        due = datetime.datetime.combine(said.date(), time)
        due += datetime.timedelta(seconds=self.seconds)
        while due <= said:
            due += _DAY
        while due - _DAY > said:
            due -= _DAY
        return due


def parse_when(text: str) -> When:
    """Raises InvalidRequestError for a text of none of the forms."""
    if re.fullmatch(r"\+\d{1,8}", text):
        return When(base="said", seconds=int(text))
    if is_time(text, TIME):
        return When(base="time", time=datetime.datetime.strptime(text, TIME).time())
    if is_time(text, MOMENT):
        return When(base="moment", moment=datetime.datetime.strptime(text, MOMENT))
    found = _SUN.fullmatch(text)
    if found is None:
        raise InvalidRequestError(
            pick(
                f'"{text}" is no time; write +600, 22:00, 2026-11-27 07:00, sunset or sunset+1800',
                f"“{text}”不是时间；请写 +600、22:00、2026-11-27 07:00、sunset 或 sunset+1800",
            )
        )
    event, sign, seconds = found.groups()
    base: Literal["sunrise", "sunset"] = "sunrise" if event == "sunrise" else "sunset"
    return When(base=base, seconds=int(f"{sign}{seconds}") if sign else 0)
