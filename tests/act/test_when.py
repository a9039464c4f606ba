"""Moments: read, written, and when they come."""

from __future__ import annotations

import datetime

import pytest

from qingyu.act.when import parse_when
from qingyu.act.world import Sun
from qingyu.errors import InvalidRequestError

SUN = Sun(sunrise=datetime.time(7, 10), sunset=datetime.time(17, 5))


@pytest.mark.parametrize(
    ("text", "said", "due"),
    [
        ("+600", "2026-11-26 19:30", "2026-11-26 19:40"),
        ("22:00", "2026-11-26 19:30", "2026-11-26 22:00"),
        ("07:00", "2026-11-26 19:30", "2026-11-27 07:00"),
        ("19:30", "2026-11-26 19:30", "2026-11-27 19:30"),
        ("2026-11-27 07:00", "2026-11-26 19:30", "2026-11-27 07:00"),
        ("sunset", "2026-11-26 12:00", "2026-11-26 17:05"),
        ("sunset", "2026-11-26 19:30", "2026-11-27 17:05"),
        ("sunset+1800", "2026-11-26 17:20", "2026-11-26 17:35"),
        ("sunrise-600", "2026-11-26 07:05", "2026-11-27 07:00"),
        ("sunset+36000", "2026-11-26 01:00", "2026-11-26 03:05"),
    ],
)
def test_when_it_comes(text: str, said: str, due: str) -> None:
    when = parse_when(text)
    assert str(when) == text
    assert when.due(datetime.datetime.fromisoformat(said), SUN) == (
        datetime.datetime.fromisoformat(due)
    )


@pytest.mark.parametrize(
    "text", ["", "600", "+", "7:00", "24:00", "2026-02-30 07:00", "noon", "sunset+", "sunset+1h"]
)
def test_no_moment(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="is no time"):
        parse_when(text)


def test_the_sun_must_be_known() -> None:
    with pytest.raises(InvalidRequestError, match="sunset needs the times of the sun"):
        parse_when("sunset").due(datetime.datetime(2026, 11, 26), None)
