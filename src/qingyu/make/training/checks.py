"""Checks that configurations share. They raise InvalidRequestError naming key, value and range."""

from __future__ import annotations

from collections.abc import Sequence

from qingyu.errors import InvalidRequestError
from qingyu.text import pick


def unfit(key: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(message, param=key)


def one_of(key: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        names = ", ".join(known)
        raise unfit(
            key,
            pick(f'{key} is "{value}"; it can be {names}', f"{key} 为“{value}”；可取 {names}"),
        )


def at_least(key: str, value: float, least: float) -> None:
    if not value >= least:
        raise unfit(
            key, pick(f"{key} is {value}; at least {least}", f"{key} 为 {value}；至少 {least}")
        )


def between(key: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise unfit(
            key,
            pick(
                f"{key} is {value}; it must be {low} to {high}",
                f"{key} 为 {value}；应在 {low} 到 {high} 之间",
            ),
        )
