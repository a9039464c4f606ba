"""One thing to do, and whether the device it names can do such a thing at all.

    call = Call("set", "light.desk", {"brightness": 130})
    refusal(world, state, call)        # Verdict(outcome="out_of_range", low=1, high=100, ...)

This is about what exists and what is possible; whether it may be done now is the guard's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from qingyu.act.state import State
from qingyu.act.terms import Action, Parameter
from qingyu.act.values import Misfit, misfit
from qingyu.act.world import Entity, Record, Scalar, World, plain
from qingyu.errors import ActionError
from qingyu.text import pick

Outcome = Literal["fine", "already", "unsupported", "out_of_range", "absent", "not_now", "risky"]
RECORDS = {
    "todo": "items",
    "timer": "timers",
    "alarm": "alarms",
    "reminder": "reminders",
    "calendar": "events",
    "messenger": "sent",
}
"""The list that a service keeps."""
TAKING_AWAY = frozenset({"remove", "complete", "cancel"})
_CHOSEN_THINGS = {"area", "contact", "options.app", "options.place", "options.target"}
"""Choosing one that is not on the list means a thing that is not there, not a lacking ability."""


@dataclass(frozen=True)
class Call:
    """action: of the vocabulary. entity: id. arguments: {parameter: value}."""

    action: str
    entity: str
    arguments: Mapping[str, Scalar] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {"action": self.action, "entity": self.entity, "arguments": dict(self.arguments)}

    @classmethod
    def from_json(cls, saved: object) -> Call:
        """Raises ActionError where a saved call is damaged."""
        try:
            assert isinstance(saved, Mapping)
            action, entity, arguments = saved["action"], saved["entity"], saved["arguments"]
            assert isinstance(action, str)
            assert isinstance(entity, str)
            assert all(isinstance(one, str | int | float | bool) for one in arguments.values())
            return cls(action, entity, dict(arguments))
        except (AssertionError, AttributeError, KeyError, TypeError, ValueError):
            raise ActionError(
                pick(f"a saved call is damaged: {saved!r}", f"保存的动作已损坏：{saved!r}")
            ) from None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the guard says about a call, with the facts a reply is made from.

    key: the parameter or attribute it is about, "" for the call as a whole; value: what was asked.
    reason: of unsupported: "action" (no such thing to do), "attribute" (the device lacks `key`),
    "option" (not among `options`), "argument" (missing or of the wrong type); of absent: "entity",
    "option", "record" (nothing like it on the list); of not_now: "moving", "halted" (a
    robot was told to stop meanwhile); of already: "listed" where a list has it. low, high, step,
    unit: of out_of_range. speed: of "moving", in km/h. because: ids of the devices a scene
    would do it to, in the household's order.
    """

    outcome: Outcome
    call: Call
    reason: str = ""
    key: str = ""
    value: Scalar | None = None
    low: float | None = None
    high: float | None = None
    step: float | None = None
    unit: str = ""
    options: tuple[str, ...] = ()
    speed: float | None = None
    because: tuple[str, ...] = ()


def refusal(world: World, state: State, call: Call) -> Verdict | None:
    """Why a call cannot be done at all: absent, unsupported or out_of_range; None if it can."""
    entity = world.entity(call.entity)
    # A device that is taken away is gone from the state a moment before it is from the world.
    if entity is None or call.entity not in state.entities:
        return Verdict(outcome="absent", call=call, reason="entity", value=call.entity)
    actions = entity.vocabulary.actions
    action = actions.get(call.action)
    if action is None:
        return Verdict(outcome="unsupported", call=call, reason="action", options=tuple(actions))
    found = _lacking(entity, action, call) or _missing(action, call)
    if found is not None:
        return found
    for key, value in call.arguments.items():
        found = _argument_refusal(world, entity, call, key, action.parameters[key], value)
        if found is not None:
            return found
    if call.action in TAKING_AWAY and not matching(entity, state, call):
        return Verdict(outcome="absent", call=call, reason="record", key=RECORDS[entity.domain])
    return None


def _lacking(entity: Entity, action: Action, call: Call) -> Verdict | None:
    """Something the device does not have, or the action does not know."""
    for key in action.needs:
        if not entity.supports(key):
            return Verdict(outcome="unsupported", call=call, reason="attribute", key=key)
    for key, value in call.arguments.items():
        parameter = action.parameters.get(key)
        if parameter is None:
            return Verdict(outcome="unsupported", call=call, reason="argument", key=key)
        if parameter.sets and not entity.supports(parameter.sets):
            return Verdict(
                outcome="unsupported", call=call, reason="attribute", key=key, value=value
            )
    return None


def _missing(action: Action, call: Call) -> Verdict | None:
    for key, parameter in action.parameters.items():
        if parameter.required and key not in call.arguments:
            return Verdict(outcome="unsupported", call=call, reason="argument", key=key)
    if action.one_of and not call.arguments:
        return Verdict(outcome="unsupported", call=call, reason="argument")
    return None


def _argument_refusal(
    world: World, entity: Entity, call: Call, key: str, parameter: Parameter, value: Scalar
) -> Verdict | None:
    attribute = parameter.value
    if attribute.zero_is_off and value == 0 and not isinstance(value, bool):
        return None
    found = misfit(world, entity, parameter.sets, attribute, value)
    if found is None and attribute.kind == "text" and parameter.required and value == "":
        found = Misfit(reason="type")
    if found is None:
        return None
    if found.reason == "option" and isinstance(value, str):
        thing = attribute.chosen_by in _CHOSEN_THINGS
        return Verdict(
            outcome="absent" if thing else "unsupported",
            call=call,
            reason="option",
            key=key,
            value=value,
            options=found.options,
        )
    if found.reason in ("range", "step"):
        return Verdict(
            outcome="out_of_range",
            call=call,
            reason=found.reason,
            key=key,
            value=value,
            low=found.low,
            high=found.high,
            step=found.step,
            unit=found.unit,
        )
    return Verdict(outcome="unsupported", call=call, reason="argument", key=key, value=value)


def matching(entity: Entity, state: State, call: Call) -> list[int]:
    """Which entries of a service's list have all that the call says; all for an empty call."""
    records = state.get(entity.id, RECORDS[entity.domain]) or ()
    assert isinstance(records, tuple)
    return [place for place, one in enumerate(records) if _has(one, call.arguments)]


def _has(one: str | Record, wanted: Mapping[str, Scalar]) -> bool:
    record = {"item": one} if isinstance(one, str) else one
    return all(_equal(record.get(key), value) for key, value in wanted.items())


def _equal(one: Scalar | None, other: Scalar) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return plain(one) == plain(other)
    return one == other
