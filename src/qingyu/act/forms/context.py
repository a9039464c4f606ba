"""The turn before, in one line, as the skill model sees it: its form without numbers, what waits.

    context_line("on <light>1", (), world, "which")             # "on <light> | which"
    context_line("", (Do((unlock,)),), world, "confirm")        # "unlock <lock> | confirm"

A turn of the fast path has no form; one is written here for what it asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from qingyu.act.answers import Pending
from qingyu.act.calls import Call
from qingyu.act.forms.words import VALUES
from qingyu.act.understood import Do, Part, Question, Understood
from qingyu.act.world import World

_NUMBERS = re.compile(r"(?<=>)[1-9]\b")
_KINDS = frozenset({"cover", "sensor", "binary_sensor", "level", "select"})
"""Domains whose marks say the kind."""
_VERBS = {
    "turn_on": "on", "turn_off": "off", "open": "open", "close": "close", "start": "start",
    "stop": "stop", "pause": "pause", "play": "play", "next": "next", "previous": "previous",
    "mute": "mute", "unmute": "unmute", "lock": "lock", "unlock": "unlock", "return": "return",
    "activate": "activate",
}  # fmt: skip
_ALONE = {
    ("robot", "stand"): "stand", ("robot", "sit"): "sit", ("robot", "lie"): "lie",
    ("robot", "patrol"): "patrol", ("robot", "stop"): "halt", ("robot", "walk"): "walk <metre>",
    ("robot", "turn"): "turn <angle>", ("robot", "go_to"): "go <place>",
    ("robot", "follow"): "follow <target>", ("robot", "dock"): "dock <robot>",
    ("dialer", "call"): "call <contact>", ("dialer", "hang_up"): "hangup",
    ("messenger", "send"): 'send <contact> "..."', ("app", "open"): "launch <app>",
    ("navigator", "navigate"): "navigate <place>", ("navigator", "stop"): "arrive",
}  # fmt: skip
_UNITS = {"temperature": "degree", "color_temperature": "kelvin", "heating": "level"} | {
    "ventilation": "level"
}
_KEYS = {"color_temperature": "warmth", "oscillating": "swing", "value": "value"}
_ASKED = {"items": "list", "alarms": "list", "timers": "list", "reminders": "list"} | {
    "events": "list",
    "place": "where",
    "current_temperature": "temperature",
    "current_humidity": "humidity",
}


def context_line(form: str, parts: Understood, world: World, pending: Pending) -> str:
    """form: of the model, "" where there was none; then `parts` are written as one."""
    said = form or " ; ".join(dict.fromkeys(_forms(parts, world)))
    return f"{_NUMBERS.sub('', said)} | {pending}".strip() if said or pending else ""


def _forms(parts: Understood, world: World) -> Iterable[str]:
    for part in parts:
        yield from _form(part, world)


def _form(part: Part, world: World) -> Iterable[str]:
    match part:
        case Do(calls, when):
            lead = "when <time> : " if when is not None else ""
            alike: dict[str, list[str]] = {}
            for call in calls:
                verb, rest = _order(call)
                if rest is None:
                    yield lead + verb
                else:
                    alike.setdefault(f"{verb}\n{rest}", []).append(mark_of(call.entity, world))
            for order, marks in alike.items():
                verb, _, rest = order.partition("\n")
                yield lead + " ".join(filter(None, (verb, *marks[:4], rest)))
        case Question(entities, key):
            asked = dict.fromkeys(mark_of(one, world) for one in entities[:4])
            yield " ".join(("ask", *asked, _ASKED.get(key, key)))


def _order(call: Call) -> tuple[str, str | None]:
    """The verb, and what comes after the devices; None where the form names no device."""
    domain = call.entity.partition(".")[0]
    if (domain, call.action) in _ALONE:
        return _ALONE[domain, call.action], None
    if call.action == "set":
        return "set", " ".join(
            f"{_KEYS.get(k, k)} {_value(k, v)}" for k, v in call.arguments.items()
        )
    if call.action == "clean":
        return "clean", "<area>"
    if call.action in _VERBS and domain not in ("timer", "alarm"):
        return _VERBS[call.action], ""
    adds = call.action in ("add", "start")
    return "add" if adds else "remove", '"..."' if adds or call.arguments else "all"


def _value(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        return f"<{_UNITS.get(key, 'percent')}>"
    return str(value) if key in ("color", "mode", "fan") and value in VALUES else "<option>"


def mark_of(id: str, world: World) -> str:
    """How a device is marked: by its domain, and its kind where that matters."""
    entity = world.entity(id)
    domain = id.partition(".")[0]
    kind = f".{entity.kind}" if entity is not None and entity.kind and domain in _KINDS else ""
    return f"<{domain}{kind}>"
