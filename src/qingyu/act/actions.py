"""What happens when a call is carried out: the simulator of every kind of device.

    after = apply(world, before, Call("set", "light.desk", {"brightness": 40}))

It does what it is told. Whether it should be told, asks the guard: `qingyu.act.guard`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from qingyu.act.calls import RECORDS, TAKING_AWAY, Call, matching, refusal
from qingyu.act.state import State, changeable
from qingyu.act.values import tidy
from qingyu.act.world import Entity, Record, Scalar, Value, World
from qingyu.errors import ActionError
from qingyu.text import pick

New = dict[str, Value]
_MOST_SENT = 100
"""Messages that are kept; the journal has the list before and after each."""


@dataclass(frozen=True)
class Job:
    """A call with its device: how that is now, and what it is told."""

    entity: Entity
    now: Mapping[str, Value]
    call: Call

    @property
    def action(self) -> str:
        return self.call.action

    @property
    def arguments(self) -> Mapping[str, Scalar]:
        return self.call.arguments

    def number(self, key: str) -> float:
        value = self.now.get(key, 0)
        assert isinstance(value, int | float), (self.entity.id, key, value)
        return value

    def end(self, key: str, *, high: bool) -> float:
        """An end of the device's range."""
        attribute = self.entity.attribute(key)
        assert attribute is not None
        value = self.entity.range_of(key, attribute)[high]
        assert value is not None
        return tidy(value)


def apply(world: World, state: State, call: Call) -> State:
    """The state after a call.

    Raises ActionError where it cannot be: no such device, action, attribute, entry or value.
    """
    found = refusal(world, state, call)
    if found is not None:
        what = f"{call.entity}.{call.action}({dict(call.arguments)})"
        detail = " ".join(one for one in (found.outcome, found.reason, found.key) if one)
        raise ActionError(pick(f"{what} cannot be done: {detail}", f"{what} 无法执行：{detail}"))
    entity = world.entity(call.entity)
    assert entity is not None
    if entity.domain == "scene":
        return _activate(world, state, entity)
    new = _DOING[entity.domain](Job(entity, state.of(entity.id), call))
    return state.updated(
        entity.id, {key: value for key, value in new.items() if changeable(entity, key)}
    )


def _activate(world: World, state: State, scene: Entity) -> State:
    """Everything a scene lists, as if it were set there: an attribute alone turns a device on."""
    for id, values in scene.sets.items():
        entity = world.entity(id)
        assert entity is not None
        now = state.of(id)
        new: New = {}
        settable = entity.vocabulary.actions.get("set")
        if settable is not None and "state" not in values:
            known = {key: one for key, one in values.items() if key in settable.parameters}
            arguments = {key: one for key, one in known.items() if not isinstance(one, tuple)}
            if arguments:
                new = _DOING[entity.domain](Job(entity, now, Call("set", id, arguments)))
        if entity.domain == "climate" and "state" in values:
            new = _climate_mode(Job(entity, now, Call("set", id)), str(values["state"]))
        new |= values
        state = state.updated(
            id, {key: value for key, value in new.items() if changeable(entity, key)}
        )
    return state


def _on_off(job: Job) -> New:
    """Lights, switches, fans, humidifiers, water heaters: setting turns on, zero turns off."""
    if job.action != "set":
        return {"state": "on" if job.action == "turn_on" else "off"}
    attributes = job.entity.vocabulary.attributes
    zero = {
        key for key, value in job.arguments.items() if attributes[key].zero_is_off and not value
    }
    values: New = {key: value for key, value in job.arguments.items() if key not in zero}
    return {"state": "off" if zero else "on"} | values


def _cover(job: Job) -> New:
    low, high = job.end("position", high=False), job.end("position", high=True)
    position = job.arguments.get("position")
    if position is None:
        position = high if job.action == "open" else low
    closed = job.action == "close" or not position
    return {"state": "closed" if closed else "open", "position": position}


def _valve(job: Job) -> New:
    return {"state": "open" if job.action == "open" else "closed"}


def _climate(job: Job) -> New:
    mode = job.arguments.get("mode")
    new: New = {key: value for key, value in job.arguments.items() if key != "mode"}
    if job.action == "turn_off":
        mode = "off"
    elif mode is None and job.now["state"] == "off":
        mode = _last_mode(job)
    return new if mode is None else new | _climate_mode(job, str(mode))


def _climate_mode(job: Job, mode: str) -> New:
    """The mode it goes into, and the one that "on" comes back to."""
    last = job.now["state"] if mode == "off" else mode
    return {"state": mode} | ({} if last == "off" else {"last_mode": last})


def _last_mode(job: Job) -> str:
    last = str(job.now.get("last_mode", "off"))
    if last != "off":
        return last
    modes = job.entity.options.get("mode", ("auto",))
    return next((one for one in modes if one != "off"), "off")


def _lock(job: Job) -> New:
    return {"state": "locked" if job.action == "lock" else "unlocked"}


def _media_player(job: Job) -> New:
    state = job.now["state"]
    match job.action:
        case "turn_on":
            return {"state": "idle" if state == "off" else state}
        case "turn_off":
            return {"state": "off"}
        case "play":
            return {"state": "playing"}
        case "pause":
            return {"state": "paused" if state == "playing" else state}
        case "stop":
            return {"state": "off" if state == "off" else "idle"}
        case "next" | "previous":
            step = 1 if job.action == "next" else -1
            return {"track": max(1, tidy(job.number("track") + step))}
        case "mute" | "unmute":
            return {"muted": job.action == "mute"}
    return dict(job.arguments)


def _vacuum(job: Job) -> New:
    state = job.now["state"]
    match job.action:
        case "start":
            return {"state": "cleaning", "area": ""}
        case "clean":
            return {"state": "cleaning", "area": job.arguments["area"]}
        case "pause":
            return {"state": state if state == "docked" else "paused"}
    return {"state": "docked" if state == "docked" else "returning", "area": ""}


def _list(job: Job) -> New:
    """Lists of texts or records: what is new goes to the end."""
    key = RECORDS[job.entity.domain]
    entries = job.now.get(key, ())
    assert isinstance(entries, tuple)
    if job.action in TAKING_AWAY:
        gone = set(matching(job.entity, State({job.entity.id: job.now}), job.call))
        return {key: tuple(one for place, one in enumerate(entries) if place not in gone)}
    new: str | Record = dict(job.arguments)
    match job.entity.domain:
        case "todo":
            new = str(job.arguments["item"])
        case "timer":
            new = {"label": "", **job.arguments}
        case "alarm":
            new = {"days": "once", **job.arguments}
    if job.entity.domain == "messenger":
        entries = entries[1 - _MOST_SENT :]
    return {key: (*entries, new)}


def _dialer(job: Job) -> New:
    if job.action == "call":
        return {"state": "calling", "contact": job.arguments["contact"]}
    return {"state": "idle", "contact": ""}


def _app(job: Job) -> New:
    return {"open": job.arguments["app"]}


def _navigator(job: Job) -> New:
    if job.action == "navigate":
        return {"state": "navigating", "destination": job.arguments["place"]}
    return {"state": "idle", "destination": ""}


def _level(job: Job) -> New:
    return {
        "state": job.end("state", high=False) if job.action == "mute" else job.arguments["value"]
    }


def _select(job: Job) -> New:
    return {"state": job.arguments["value"]}


def _seat(job: Job) -> New:
    return dict(job.arguments)


def _charger(job: Job) -> New:
    if job.action == "set":
        return dict(job.arguments)
    return {"state": "charging" if job.action == "start" else "stopped"}


def _robot(job: Job) -> New:
    """Walking, turning and going are over at once: the simulator has no time in between."""
    still: New = {"state": "standing", "target": ""}
    match job.action:
        case "sit":
            return still | {"state": "sitting"}
        case "lie":
            return still | {"state": "lying"}
        case "walk":
            distance = job.arguments["distance"]
            assert isinstance(distance, int | float)
            return still | {"moved": tidy(job.number("moved") + distance)}
        case "turn":
            angle = job.arguments["angle"]
            assert isinstance(angle, int | float)
            return still | {"heading": tidy((job.number("heading") + angle) % 360)}
        case "go_to":
            return still | {"place": job.arguments["place"]}
        case "follow":
            return {"state": "following", "target": job.arguments["target"]}
        case "patrol":
            return still | {"state": "patrolling"}
        case "dock":
            return still | {"state": "docked"}
        case "stop":
            moves = job.now["state"] in ("walking", "following", "patrolling")
            return still if moves else {}
    return still


_DOING: Mapping[str, Callable[[Job], New]] = {
    "light": _on_off,
    "switch": _on_off,
    "fan": _on_off,
    "humidifier": _on_off,
    "water_heater": _on_off,
    "cover": _cover,
    "valve": _valve,
    "climate": _climate,
    "lock": _lock,
    "media_player": _media_player,
    "vacuum": _vacuum,
    "todo": _list,
    "timer": _list,
    "alarm": _list,
    "reminder": _list,
    "calendar": _list,
    "messenger": _list,
    "dialer": _dialer,
    "app": _app,
    "navigator": _navigator,
    "level": _level,
    "select": _select,
    "seat": _seat,
    "charger": _charger,
    "robot": _robot,
}
