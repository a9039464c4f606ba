"""Whether a call may be carried out: deterministic, and the last word before any device.

    verdict = check(world, state, call)
    if verdict.outcome == "fine":
        state = apply(world, state, call)

Nothing is executed that did not come out "fine"; what came out "risky" is checked again with
`confirmed=True` after a yes, for the house may have changed meanwhile. A verdict carries facts,
not sentences: `qingyu.act.calls.Verdict`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from qingyu.act.actions import apply
from qingyu.act.calls import RECORDS, Call, Verdict, matching, refusal
from qingyu.act.kinds import sounds_like_a_way_in
from qingyu.act.state import Changes, State, changes
from qingyu.act.vocabulary import CLOSED_WHILE_MOVING, RISKY_COVERS, VIDEO
from qingyu.act.world import Entity, Value, World, plain


def check(world: World, state: State, call: Call, *, confirmed: bool = False) -> Verdict:
    """The verdict on a call in the present state. confirmed: the person said yes to this one."""
    found = refusal(world, state, call)
    if found is not None:
        return found
    entity = world.entity(call.entity)
    assert entity is not None
    after = apply(world, state, call)
    if call.action == "add" and _listed(entity, state, after):
        return Verdict(outcome="already", call=call, reason="listed", key=RECORDS[entity.domain])
    changed = changes(state, after)
    # A scene that is kept elsewhere lists nothing here: what it does is not to be known.
    if not changed and not (entity.domain == "scene" and not entity.sets):
        return Verdict(outcome="already", call=call)
    speed = moving(world, state)
    if speed:
        forbidden = _each(world, state, changed, _forbidden)
        if forbidden:
            return Verdict(
                outcome="not_now",
                call=call,
                reason="moving",
                speed=speed,
                because=_others(forbidden, call),
            )
    risky = _each(world, state, changed, _risky)
    if entity.domain == "scene" and not entity.sets and sounds_like_a_way_in(entity):
        risky = (call.entity,)
    if entity.vocabulary.actions[call.action].risky == "always" and call.entity not in risky:
        risky = (call.entity, *risky)
    verdict = Verdict(outcome="fine", call=call)
    if risky and not confirmed:
        return dataclasses.replace(verdict, outcome="risky", because=_others(risky, call))
    return verdict


def _listed(entity: Entity, before: State, after: State) -> bool:
    """Whether a list had what was just added."""
    entries = after.get(entity.id, RECORDS[entity.domain])
    assert isinstance(entries, tuple)
    new = entries[-1]
    record = {"item": new} if isinstance(new, str) else new
    return bool(matching(entity, before, Call("add", entity.id, record)))


def moving(world: World, state: State) -> float:
    """How fast the car goes, also backwards, in the unit of its sensor of kind "speed"; 0 for what
    has none."""
    speeds = [state.get(one.id) for one in world.select(domain="sensor", kind="speed")]
    return max((abs(one) for one in speeds if isinstance(one, int | float)), default=0)


def _others(ids: tuple[str, ...], call: Call) -> tuple[str, ...]:
    return tuple(one for one in ids if one != call.entity)


def _each(
    world: World,
    state: State,
    changed: Changes,
    decide: Callable[[Entity, Mapping[str, Value], Mapping[str, Value]], bool],
) -> tuple[str, ...]:
    """The ids of the devices for whose change (as it is, what becomes new) the answer is yes."""
    found = []
    for id, new in changed.items():
        entity = world.entity(id)
        assert entity is not None
        if decide(entity, state.of(id), new):
            found.append(id)
    return tuple(found)


def _opens(now: Mapping[str, Value], new: Mapping[str, Value]) -> bool:
    before, after = now.get("position"), new.get("position")
    wider = isinstance(before, int | float) and isinstance(after, int | float) and after > before
    return wider or new.get("state") == "open"


def _forbidden(entity: Entity, now: Mapping[str, Value], new: Mapping[str, Value]) -> bool:
    """What must not happen while the car moves; windows and sunroof may open."""
    match entity.domain:
        case "cover":
            return entity.kind in CLOSED_WHILE_MOVING and _opens(now, new)
        case "charger":
            return new.get("state") == "charging"
        case "media_player":
            source = str(new.get("source", now.get("source", "")))
            return _shows(entity, source) and ("source" in new or new.get("state") == "playing")
    return False


def _shows(entity: Entity, source: str) -> bool:
    """Whether a source has pictures, by what it and people call it."""
    names = " ".join(map(plain, (source, *entity.option_names.get(source, ()))))
    return any(word in names for word in VIDEO)


def _risky(entity: Entity, now: Mapping[str, Value], new: Mapping[str, Value]) -> bool:
    """What lets somebody in, calls somebody, moves the robot, or changes how a car drives."""
    match entity.domain:
        case "cover":
            return entity.kind in RISKY_COVERS and _opens(now, new)
        case "lock":
            return new.get("state") == "unlocked"
        case "select":
            return entity.kind == "drive_mode"
        case "dialer":
            return new.get("state") == "calling"
        case "robot":
            moves = new.get("state") in ("walking", "following", "patrolling", "docked")
            return moves or bool({"moved", "heading", "place"} & set(new))
    return False
