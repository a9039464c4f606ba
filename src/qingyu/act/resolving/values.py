"""What is set on a device by "key value" pairs and by "more" and "less", as calls.

    setting(situation, light, (("brightness", "half"), ("color", "red")))
    # [Call("set", "light.desk", {"brightness": 50, "color": "red"})]

None where the device knows nothing like it; whether it has the attribute and how far that goes
is the guard's to say. Steps and words are those of docs/forms.md: 20 % of brightness, volume,
position and speed, 1 °C of a room and 5 °C of water, 500 K, 10 % of humidity, one level of a seat.
"""

from __future__ import annotations

import re

from qingyu.act.calls import Call
from qingyu.act.forms.terms import Pointer, Scope, Value, Who
from qingyu.act.resolving.parameters import BARE, PARAMETERS, SPEEDS, raised
from qingyu.act.resolving.situation import Situation
from qingyu.act.resolving.verbs import switch
from qingyu.act.terms import Attribute
from qingyu.act.values import is_number, tidy
from qingyu.act.vocabulary import COLORS, MODES
from qingyu.act.world import Entity, Scalar

Pairs = tuple[tuple[str, Value], ...]
_SHARES = {"low": 20, "medium": 50, "high": 80}
WHITES = {"low": 6000, "medium": 4000, "high": 2700, "white": 5000}
"""Kelvin; high is warm."""
_FANS = ("low", "medium", "high")
_SELECTOR_OF = {"light": "headlights", "drive_mode": "headlights", "headlights": "drive_mode"}
_GOAL = re.compile(r"(?:[到至成为]|\b(?:to|at|say)(?: about| around| only)?)[ ,]*$")
"""What stands before a number that is where a value is to go, not how far."""


def setting(situation: Situation, entity: Entity, pairs: Pairs) -> list[Call] | None:
    """The calls that set all pairs on a device; None where it has nothing like one of them."""
    arguments: dict[str, Scalar] = {}
    calls: list[Call] = []
    for key, value in pairs:
        if value in ("on", "off") and key == "value":
            switched = switch(entity, on=value == "on")
            if switched is None:
                return None
            calls.append(switched)
            continue
        found = _argument(situation, entity, key, value)
        if found is None:
            return None
        arguments[found[0]] = found[1]
    if arguments:
        calls.append(Call("set", entity.id, arguments))
    return calls


def parameter(situation: Situation, entity: Entity, key: str, value: Value | None) -> str | None:
    """The parameter of "set" that is meant; None where the domain has no such thing."""
    if "set" not in entity.vocabulary.actions:
        return None
    known = PARAMETERS.get(entity.domain, {})
    if key != "value":
        return known.get(key)
    if entity.domain in ("level", "select"):
        return "value"
    if isinstance(value, Pointer):
        return _by_mark(situation, entity, value)
    if value in COLORS:
        return "color" if entity.domain == "light" else None
    if entity.domain == "climate" and value in (*MODES, *_FANS):
        if value == "auto" and "auto" not in entity.options.get("mode", MODES):
            return "fan"
        return "mode" if value in MODES else "fan"
    return _bare(entity)


def _bare(entity: Entity) -> str | None:
    bare = BARE.get(entity.domain)
    if entity.domain == "seat" and not entity.supports("heating"):
        return "ventilation"
    return bare


def _by_mark(situation: Situation, entity: Entity, pointer: Pointer) -> str | None:
    mark = situation.value(pointer)
    if mark is None:
        return None
    if isinstance(mark.value, int | float):
        plain = mark.type in ("number", "kelvin")
        if entity.domain == "light" and (mark.type == "kelvin" or (plain and mark.value >= 1000)):
            return "color_temperature"
        if entity.domain == "climate" and mark.type == "level":
            return "fan"
        return _bare(entity)
    for parameter, key in (("source", "source"), ("mode", "mode"), ("fan", "fan")):
        if entity.option_called(mark.words, entity.options.get(key, ())) is not None:
            return parameter
    return {"media_player": "source", "climate": "mode", "humidifier": "mode"}.get(entity.domain)


def _attribute(entity: Entity, name: str) -> tuple[Attribute, str]:
    """What a parameter may be, and the key it sets."""
    found = entity.vocabulary.actions["set"].parameters[name]
    return found.value, found.sets or name


def _argument(
    situation: Situation, entity: Entity, key: str, value: Value
) -> tuple[str, Scalar] | None:
    name = parameter(situation, entity, key, value)
    if name == "color" and value == "white" and not entity.supports("color"):
        # Lights without colours have a white of their own.
        name = "color_temperature" if entity.supports("color_temperature") else name
    if name is None:
        return None
    attribute, key = _attribute(entity, name)
    mark = situation.value(value) if isinstance(value, Pointer) else None
    if isinstance(value, Pointer) and mark is None:
        return None
    if attribute.numeric:
        said = mark.value if mark is not None else str(value)
        number = _number(situation, entity, key, said, mark.type if mark is not None else "")
        return None if number is None else (name, number)
    if attribute.kind == "bool":
        return name, value not in ("off", "min")
    option = _option(situation, entity, attribute, value)
    return None if option is None else (name, option)


def _option(situation: Situation, entity: Entity, attribute: Attribute, value: Value) -> str | None:
    """The option that words mean; the words themselves where there is none, for the guard."""
    options = situation.world.options_of(entity, attribute)
    mark = situation.value(value) if isinstance(value, Pointer) else None
    if mark is not None and isinstance(mark.value, int | float):
        place = int(mark.value) - 1
        ladder = [one for one in (*_FANS, *options) if one in options]
        ladder = list(dict.fromkeys(ladder))
        return ladder[place] if 0 <= place < len(ladder) else mark.words
    words = situation.words(value)
    said = words if mark is not None else {"max": "high", "min": "low", "half": "medium"}.get(
        words, words
    )  # fmt: skip
    return entity.option_called(said, options) or said


def _number(
    situation: Situation, entity: Entity, key: str, said: object, unit: str
) -> float | int | None:
    attribute = entity.attribute(key)
    assert attribute is not None, (entity.id, key)
    low, high = (0 if one is None else one for one in entity.range_of(key, attribute))
    if isinstance(said, int | float):
        if entity.domain == "fan" and unit in ("level", "ordinal") and 1 <= said <= 3:
            return tuple(SPEEDS.values())[int(said) - 1]
        return tidy(said)
    if key == "color_temperature":
        said = {"max": low, "min": high, "half": (low + high) / 2}.get(str(said), said)
        said = WHITES.get(str(said), said)
        return tidy(min(max(said, low), high)) if isinstance(said, int | float) else None
    now = situation.state.get(entity.id, key)
    if said in ("double", "halve"):
        if not isinstance(now, int | float):
            return tidy(high if said == "double" else low)
        return tidy(min(high, now * 2) if said == "double" else max(low, round(now / 2)))
    if key in ("heating", "ventilation"):
        words = {"on": min(2, high), "off": 0, "low": 1, "medium": 2, "high": high, "half": 2}
        words |= {"max": high, "min": 1}
    elif attribute.kind == "percent":
        shares = SPEEDS if entity.domain == "fan" else _SHARES
        words = {**shares, "max": high, "min": low, "half": 50, "on": high, "off": low}
    else:
        words = {"max": high, "high": high, "min": low, "low": low, "half": (low + high) / 2}
        words["medium"] = words["half"]
    value = words.get(str(said))
    return None if value is None else tidy(value)


def adjusting(
    situation: Situation, entity: Entity, key: str, *, more: bool, by: Pointer | None
) -> Call | None:
    """A value raised or lowered, exactly by a number, else by a step within the range; a number
    behind "to" or 到 is the value itself."""
    name = parameter(situation, entity, key, None)
    if name is None:
        return None
    attribute, key = _attribute(entity, name)
    if not attribute.numeric:
        return _stepped(situation, entity, name, key, more=more)
    now = situation.state.get(entity.id, key)
    if not is_number(now):  # the guard says that it has none
        low, _ = entity.range_of(key, attribute)
        return Call("set", entity.id, {name: tidy(low or 0)})
    assert isinstance(now, int | float)
    mark = situation.mark(by) if by is not None else None
    amount = mark.value if mark is not None else None
    direction = 1 if more != (key == "color_temperature") else -1
    if isinstance(amount, int | float):
        goal = _is_goal(situation, by)
        wanted = amount if goal else now + direction * abs(amount)
        return Call("set", entity.id, {name: tidy(wanted)})
    return Call("set", entity.id, {name: raised(entity, key, now, direction)})


def _is_goal(situation: Situation, by: Pointer | None) -> bool:
    before = situation.marked.text.partition(str(by))[0] if by is not None else ""
    return bool(_GOAL.search(before))


def _stepped(
    situation: Situation, entity: Entity, name: str, key: str, *, more: bool
) -> Call | None:
    """The next or last option, as of a fan's speed in words."""
    options = entity.options.get(key, _FANS)
    ladder = [one for one in _FANS if one in options]
    if name != "fan" or not ladder:
        return None
    now = situation.state.get(entity.id, key)
    if now in ladder:
        place = ladder.index(str(now)) + (1 if more else -1)
        return Call("set", entity.id, {name: ladder[max(0, min(len(ladder) - 1, place))]})
    return Call("set", entity.id, {name: ladder[-1 if more else 0]})


def selector(situation: Situation, who: Who, verb: str, value: Pointer | str) -> Entity | None:
    """Of "set light mode <mode>1", full beam: the selector of a car that has such an option, where
    neither the lights nor whatever else the form says can have it."""
    mark = situation.mark(value) if isinstance(value, Pointer) else None
    if mark is None or mark.type != "mode" or who.it or who.scope != Scope() or situation.forced:
        return None
    words = mark.words

    def has(entity: Entity) -> bool:
        return any(entity.option_called(words, one) for one in entity.options.values())

    selectors = situation.world.select(domain="select")
    wanted = _SELECTOR_OF.get(who.what) if isinstance(who.what, str) else None
    owners = [one for one in selectors if one.kind == wanted and has(one)]
    found = situation.targets(who, verb)
    if len(owners) != 1 or found.open or any(map(has, found.entities)):
        return None
    return owners[0]
