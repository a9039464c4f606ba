"""From an example to lines to train with: what the model sees, and what it should answer.

    marker = Marker(example.world)                     # qingyu.act.marks.marker
    for line in lines_of(example, marker):
        line.prompt      # 'on <light> |\\n换成红色\\n'
        line.answer      # 'set it color red'

Runs the marker, so that the model is trained on what it will see, and points the form at the
marks that were found. A turn whose mention was not found is repaired where what is meant is
clear without it, else left out.
"""

from __future__ import annotations

import datetime
import random
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from qingyu.act.forms.reader import parse_form
from qingyu.act.marks.mark import Mark, Marked
from qingyu.act.skill.sentences.changes import ORDERS
from qingyu.act.skill.sentences.generator import Example, Mention, SaidTurn
from qingyu.act.spoken.spelling import simplified
from qingyu.act.state import State, initial
from qingyu.act.vocabulary import BINARY_KINDS, SENSOR_KINDS
from qingyu.errors import InvalidRequestError

_POINTED = re.compile(r"<([a-z_]+(?:\.[a-z0-9_]+)?):([^<>]*)>")
_QUOTED = re.compile(r'"([^"]*)"')
_NUMBERED = re.compile(r"<([a-z_]+(?:\.[a-z0-9_]+)?)>[1-9]")
_DOMAINS_OF: Mapping[str, tuple[str, ...]] = {
    "light": ("light",), "switch": ("switch",), "appliance": ("switch",), "lock": ("lock",),
    "curtain": ("cover",), "blind": ("cover",), "cover": ("cover",), "ac": ("climate",),
    "window": ("cover.window", "binary_sensor.window"), "heater": ("climate", "switch"),
    "door": ("cover.door", "cover.gate", "lock", "binary_sensor.door"), "climate": ("climate",),
    "fan": ("fan",), "media": ("media_player",), "vacuum": ("vacuum",), "valve": ("valve",),
    "humidifier": ("humidifier",), "water_heater": ("water_heater",), "seat": ("seat",),
    "headlights": ("select.headlights",), "drive_mode": ("select.drive_mode",),
    "charger": ("charger",), "robot": ("robot",), "scene": ("scene",), "todo": ("todo",),
    "shopping": ("todo",), "timer": ("timer",), "alarm": ("alarm",), "reminder": ("reminder",),
    "calendar": ("calendar",), "volume": ("level.volume",), "screen": ("level.brightness",),
    **{one: (f"sensor.{one}",) for one in SENSOR_KINDS},
    **{one: (f"binary_sensor.{one}",) for one in BINARY_KINDS if one not in ("door", "window")},
}  # fmt: skip
"""Which types of marks a class word of a form may be, where it is a name."""
_CLASS = re.compile(
    rf"(?P<verb>(?:^|; |: )(?!prefer)[a-z]+ )(?P<what>{'|'.join(_DOMAINS_OF)})(?= |$)"
)
_FIRST_TYPE = {"curtain": "cover.curtain", "blind": "cover.blind", "cover": "cover.curtain"}
_CLASS_SCOPE = re.compile(
    _CLASS.pattern + r"(?: all| elsewhere)?(?: at(?: <(?:area|floor)>\d)+)?"
    r"(?: but(?: <[a-z_.0-9]+>\d)+)?(?= [a-z]|$| ;)"
)
_HALF_KNOWN = re.compile(r'absent "[^"]*<(?!ordinal|number)')
_PLACES = frozenset({"area", "floor"})
_VALUES = frozenset((
    "percent", "degree", "kelvin", "metre", "angle", "level", "ordinal", "number", "duration",
    "time", "day",
))  # fmt: skip


class Marks(Protocol):
    """What finds mentions: qingyu.act.marks.marker.Marker."""

    def mark(self, text: str, state: State, now: datetime.datetime) -> Marked: ...


@dataclass(frozen=True, kw_only=True)
class Line:
    """prompt: context, newline, marked sentence, newline. category: of the rule."""

    prompt: str
    answer: str
    category: str
    text: str


def lines_of(example: Example, marker: Marks) -> Iterator[Line]:
    """A line for each turn, up to the first that cannot be used."""
    state = initial(example.world)
    now = example.world.now or datetime.datetime(2026, 11, 26, 19, 30)
    context = ""
    for turn in example.turns:
        marked = marker.mark(turn.text, state, now)
        answer = answer_of(turn, marked)
        if answer is None:
            return
        yield Line(
            prompt=f"{context}\n{marked.text}\n",
            answer=answer,
            category=example.category,
            text=turn.text,
        )
        context = context_of(_as_heard_fast(answer, turn.text), turn.pending)


def _as_heard_fast(form: str, text: str) -> str:
    """Now and then (by the text) the form as qingyu.act.forms.context writes one for a turn that
    the fast path understood: a class is the devices it meant, a quote is left out."""
    chance = random.Random(zlib.crc32(text.encode()))
    if '"' in form:
        return _QUOTED.sub('"..."', form) if chance.random() < 0.5 else form
    if chance.random() < 0.65:
        return form

    def devices(match: re.Match[str]) -> str:
        what = match["what"]
        mark = f"<{_FIRST_TYPE.get(what) or _DOMAINS_OF[what][0]}>"
        return match["verb"] + " ".join([mark] * chance.choice((1, 1, 2, 3, 4)))

    return _CLASS_SCOPE.sub(devices, form)


def context_of(form: str, pending: str = "") -> str:
    """The turn before as the next one sees it: marks without numbers, and what is pending."""
    unnumbered = _NUMBERED.sub(r"<\1>", form)
    return f"{unnumbered} | {pending}".rstrip()


def answer_of(turn: SaidTurn, marked: Marked) -> str | None:
    """The form with the marks that were found; None where one was not and nothing helps."""
    form = turn.form
    found: list[str] = []
    used: set[int] = set()
    for one in turn.mentions:
        at = _mark_of(one, marked.marks)
        if at is None:
            return _repaired(turn, one, marked)
        used.add(at)
        found.append(f"<{marked.marks[at].type}>{at + 1}")
    if len(_POINTED.findall(form)) != len(found):
        return None
    marks = iter(found)
    form = _POINTED.sub(lambda _: next(marks), form)
    named = _with_named_classes(form, frozenset(used), marked)
    answer = None if named is None else _with_quotes(named, turn.text, marked)
    # Half of what is "absent" has the name of something that is there: nobody could know.
    if answer is None or _HALF_KNOWN.search(answer):
        return None
    try:
        return str(parse_form(answer))
    except InvalidRequestError:  # a number that was taken for a time, and the like
        return None


def _mark_of(mention: Mention, marks: Sequence[Mark]) -> int | None:
    """Which mark stands for a mention: over most of its characters, and for the same thing."""
    best, most = None, 0
    for at, mark in enumerate(marks):
        common = min(mark.end, mention.end) - max(mark.start, mention.start)
        if common > most:
            best, most = at, common
    if best is None or most * 2 <= mention.end - mention.start:
        return None
    mark = marks[best]
    if most * 2 <= mark.end - mark.start:
        return None
    apart = not set(mention.ids) & set(mark.ids)
    if apart and mention.ids and mark.ids and mention.type != "contact":
        return None
    if (mention.type in _VALUES) != (mark.type in _VALUES):
        return None
    if (mention.type in _PLACES) and mark.type not in (*_PLACES, "place"):
        return None
    return best


def _repaired(turn: SaidTurn, lost: Mention, marked: Marked) -> str | None:
    """A device that was not recognised is one that the household has not."""
    verb = turn.form.split(" ", 1)[0]
    touched = any(one.start < lost.end and lost.start < one.end for one in marked.marks)
    device = lost.type in ("light", "switch", "fan", "climate", "lock") or "." in lost.type
    if touched or not device or verb not in ORDERS or len(turn.mentions) > 2:
        return None
    if " ; " in turn.form or '"' in turn.form or " but " in turn.form:
        return None
    return _with_quotes(f'absent "{lost.words}"', turn.text, marked)


def _with_named_classes(form: str, used: frozenset[int], marked: Marked) -> str | None:
    """A class word that is a device's name here (空调) points at the device: "off ac" of a
    sentence in which 空调 is <climate>1 is "off <climate>1". None where it is said of all."""
    parts = form.split('"')
    for at, mark in enumerate(marked.marks):
        if at in used:
            continue
        found = [
            (place, match)
            for place, part in enumerate(parts[::2])
            for match in _CLASS.finditer(part)
            if mark.type.startswith(_DOMAINS_OF[match["what"]])
        ]
        if not found:
            continue
        if len(found) > 1 or " all" in form:
            return None
        place, match = found[0]
        part = parts[2 * place]
        named = f"<{mark.type}>{at + 1}"
        parts[2 * place] = part[: match.start("what")] + named + part[match.end("what") :]
    return '"'.join(parts)


def _with_quotes(form: str, text: str, marked: Marked) -> str | None:
    """Quotes as they stand in the marked sentence; None where one does not stand there whole."""
    out, last = [], 0
    for match in _QUOTED.finditer(form):
        piece = _fragment(match[1], text, marked)
        if piece is None:
            return None
        out += [form[last : match.start()], f'"{piece}"']
        last = match.end()
    return "".join([*out, form[last:]])


def _fragment(words: str, text: str, marked: Marked) -> str | None:
    start = text.rfind(words)
    if start < 0 or not words:
        return None
    end, out = start + len(words), ""
    for at, mark in enumerate(marked.marks):
        if mark.end <= start or mark.start >= end:
            continue
        if mark.start < start or mark.end > end:
            return None
        out += _plain(text[start : mark.start]) + f"<{mark.type}>{at + 1}"
        start = mark.end
    out = " ".join((out + _plain(text[start:end])).split())
    return out if out and out in marked.text and '"' not in out else None


def _plain(text: str) -> str:
    return simplified(text).lower()
