"""The compact notation of sentence templates (data/README.md): read once, expanded many times.

    template = read("(把|将){light}打开[吧]", macros={})
    expand(template, random.Random(1))        # ["把", Slot("light"), "打开", "吧"]

Knows alternatives, weights, optional parts, macros and slots; what fills a slot is not its
business.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from qingyu.errors import DataError
from qingyu.text import pick


@dataclass(frozen=True)
class Slot:
    """name: as written between the braces, the key by which sentence and form share it."""

    name: str


@dataclass(frozen=True)
class TimePlace:
    """Where the time of a schedule may stand."""


TIME_PLACE = TimePlace()
Piece = str | Slot | TimePlace


@dataclass(frozen=True)
class Choice:
    """options with the sums of their weights up to each."""

    sums: tuple[float, ...]
    options: tuple[Template, ...]


Template = tuple[Piece | Choice, ...]


def expand(template: Template, chance: random.Random) -> list[Piece]:
    """One way to say it: texts, slots and places of times in order."""
    out: list[Piece] = []
    _expand(template, chance, out)
    return out


def _expand(template: Template, chance: random.Random, out: list[Piece]) -> None:
    for node in template:
        if isinstance(node, Choice):
            sums = node.sums
            at = bisect(sums, chance.random() * sums[-1])
            _expand(node.options[min(at, len(sums) - 1)], chance, out)
        else:
            out.append(node)


def slots_of(template: Template) -> set[str]:
    """The names of all slots that can occur in it."""
    found: set[str] = set()
    for node in template:
        if isinstance(node, Slot):
            found.add(node.name)
        elif isinstance(node, Choice):
            for option in node.options:
                found |= slots_of(option)
    return found


def read(text: str, macros: Mapping[str, str]) -> Template:
    """A template from its notation. Raises DataError with the text for a bracket without a
    partner, an unknown macro or a macro that holds itself."""
    reader = _Reader(text, macros, depth=0)
    template = reader.sequence("")
    if reader.at < len(text):
        raise _wrong(text, text[reader.at])
    return template


class _Reader:
    def __init__(self, text: str, macros: Mapping[str, str], depth: int) -> None:
        self.text, self.macros, self.depth, self.at = text, macros, depth, 0
        if depth > 20:
            raise _wrong(text, "<>")

    def sequence(self, ends: str) -> Template:
        nodes: list[Piece | Choice] = []
        literal: list[str] = []

        def flush() -> None:
            if literal:
                nodes.append("".join(literal))
                literal.clear()

        while self.at < len(self.text) and self.text[self.at] not in ends:
            sign = self.text[self.at]
            self.at += 1
            if sign == "\\" and self.at < len(self.text):
                literal.append(self.text[self.at])
                self.at += 1
            elif sign in "([":
                flush()
                nodes.append(self.choice(")" if sign == "(" else "]"))
            elif sign == "{":
                flush()
                nodes.append(Slot(self.until("}")))
            elif sign == "<":
                flush()
                nodes.extend(self.macro(self.until(">")))
            elif sign == "^":
                flush()
                nodes.append(TIME_PLACE)
            elif sign in ")]}>":
                raise _wrong(self.text, sign)
            else:
                literal.append(sign)
        flush()
        return tuple(nodes)

    def choice(self, end: str) -> Choice:
        options: list[Template] = []
        weights: list[float] = []
        while True:
            options.append(self.sequence("|*" + end))
            weights.append(self.weight())
            if self.at >= len(self.text):
                raise _wrong(self.text, end)
            sign = self.text[self.at]
            self.at += 1
            if sign == end:
                break
        if end == "]":
            options.append(())
            weights.append(sum(weights))
        return Choice(tuple(accumulate(weights)), tuple(options))

    def weight(self) -> float:
        if not self.text.startswith("*", self.at):
            return 1.0
        start = self.at + 1
        self.at = start
        while self.at < len(self.text) and self.text[self.at] in "0123456789.":
            self.at += 1
        if start == self.at:
            raise _wrong(self.text, "*")
        return float(self.text[start : self.at])

    def until(self, end: str) -> str:
        stop = self.text.find(end, self.at)
        if stop < 0:
            raise _wrong(self.text, end)
        name = self.text[self.at : stop].strip()
        self.at = stop + 1
        return name

    def macro(self, name: str) -> Template:
        if name not in self.macros:
            raise _wrong(self.text, f"<{name}>")
        text = self.macros[name]
        inner = _Reader(text, self.macros, self.depth + 1)
        template = inner.sequence("")
        if inner.at < len(text):
            raise _wrong(text, text[inner.at])
        return template


def _wrong(text: str, sign: str) -> DataError:
    return DataError(
        pick(
            f"Sentence template {text!r}: trouble with {sign!r}",
            f"句子模板 {text!r}：{sign!r} 有问题",
        )
    )
