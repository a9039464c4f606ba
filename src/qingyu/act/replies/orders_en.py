"""An order in English, as it is asked about and as it was done.

OrdersEn(world).phrase([Call("turn_on", "light.desk")])               # "turn on the desk lamp"
OrdersEn(world).phrase([Call("turn_on", "light.desk")], past=True)    # "turned on the desk lamp"
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from qingyu.act.calls import Call
from qingyu.act.replies.wording import Naming, amount, number
from qingyu.act.values import MOMENT
from qingyu.act.world import Entity, Record, Value, World

MODES = {"fan_only": "fan only"}
DAYS = {
    "daily": "every day", "weekdays": "on weekdays", "weekends": "at weekends",
    "mon": "on Mondays", "tue": "on Tuesdays", "wed": "on Wednesdays", "thu": "on Thursdays",
    "fri": "on Fridays", "sat": "on Saturdays", "sun": "on Sundays",
}  # fmt: skip
_PAST = {
    "turn": "turned", "open": "opened", "close": "closed", "lock": "locked", "unlock": "unlocked",
    "activate": "activated", "stop": "stopped", "mute": "muted", "unmute": "unmuted",
    "play": "played", "skip": "skipped", "go": "went", "start": "started", "pause": "paused",
    "send": "sent", "set": "set", "put": "put", "take": "took", "add": "added",
    "cancel": "cancelled",
    "call": "called", "hang": "hung", "have": "had", "resume": "resumed", "switch": "switched",
    "make": "made",
}  # fmt: skip
_PLAIN = {
    "turn_on": "turn on {}", "turn_off": "turn off {}", "open": "open {}", "close": "close {}",
    "lock": "lock {}", "unlock": "unlock {}", "activate": "activate {}", "stop": "stop {}",
    "mute": "mute {}", "unmute": "unmute {}", "next": "skip to the next track on {}",
    "previous": "go back a track on {}", "play": "start playing on {}", "pause": "pause {}",
    "start": "start {}", "return": "send {} back to the dock",
}  # fmt: skip
_OWN = {
    ("vacuum", "start"): "start {} cleaning", ("charger", "start"): "start charging",
    ("charger", "stop"): "stop charging", ("dialer", "hang_up"): "hang up",
    ("navigator", "stop"): "stop the navigation", ("robot", "stand"): "have {} stand",
    ("robot", "sit"): "have {} sit", ("robot", "lie"): "have {} lie down",
    ("robot", "patrol"): "have {} patrol", ("robot", "dock"): "send {} to the dock",
    ("robot", "stop"): "stop {}",
}  # fmt: skip


def the(name: str) -> str:
    """A name with its article; names of their own have none."""
    words = name.split()
    own = "'s " in name or name.startswith(("my ", "the ", "plug "))
    # "Iron Mule" and "Pudding", but the "Roman blind".
    own = own or not (name[:1].islower() or (len(words) > 1 and words[-1][:1].islower()))
    return name if own else f"the {name}"


class OrdersEn(Naming):
    def __init__(self, world: World) -> None:
        super().__init__(world, "en")

    def listed(self, words: Sequence[str], joint: str = "and") -> str:
        if len(words) < 2:
            return "".join(words)
        return ", ".join(words[:-1]) + f" {joint} " + words[-1]

    def phrase(self, calls: Sequence[Call], *, past: bool = False) -> str:
        """Calls that say the same of one or several devices, as one order, or as done."""
        order = self._order(calls)
        verb, _, rest = order.partition(" ")
        return f"{_PAST.get(verb, verb)} {rest}".strip() if past else order

    def _order(self, calls: Sequence[Call]) -> str:
        call = calls[0]
        entity = self.entity(call.entity)
        scene = entity.domain == "scene"
        names = self.listed(
            [one if scene else the(one) for one in self.names(one.entity for one in calls)]
        )
        own = _OWN.get((entity.domain, call.action))
        if own is not None:
            return own.format(names)
        if call.action == "set":
            return self._set(entity, call, names)
        if call.arguments or entity.domain in ("todo", "timer", "alarm", "reminder", "calendar"):
            return self._service(entity, call, names)
        return _PLAIN.get(call.action, f"{call.action} {{}}").format(names)

    def robot_did(self, call: Call) -> str:
        """What a robot did, with itself as the subject; "" for what is told as an order."""
        if call.entity.partition(".")[0] != "robot":
            return ""
        own, rest = self._order([call]), the(self.name(call.entity))
        did = {"stand": "is standing", "sit": "is sitting", "lie": "is lying down"}
        did |= {"patrol": "is patrolling", "stop": "has stopped"}
        if call.action in did:
            return f"{rest} {did[call.action]}"
        if call.action in ("walk", "turn", "follow"):
            past = {"walk": "walked", "turn": "turned", "follow": "is following"}[call.action]
            return f"{rest} {past} {own.partition(f' {call.action} ')[2]}"
        return ""

    def _set(self, entity: Entity, call: Call, names: str) -> str:
        values = dict(call.arguments)
        off = entity.domain in ("light", "fan") and 0 in values.values()
        if off or values == {"mode": "off"}:
            return f"turn off {names}"
        if set(values) == {"value"}:
            return f"set {names} to {self.value(entity, 'state', values['value'])}"
        if values.keys() == {"mode"}:
            return f"set {names} to {self.value(entity, 'mode', values['mode'])}"
        if entity.domain == "charger" and "limit" in values:
            return f"set the charging limit to {self.value(entity, 'limit', values['limit'])}"
        if values.keys() == {"oscillating"}:
            return f"turn {'on' if values['oscillating'] else 'off'} the oscillation of {names}"
        pairs = [
            f"the {self.attribute(entity, key)} of {names} to {self.value(entity, key, one)}"
            if not at
            else f"the {self.attribute(entity, key)} to {self.value(entity, key, one)}"
            for at, (key, one) in enumerate(values.items())
        ]
        return f"set {self.listed(pairs)}"

    def attribute(self, entity: Entity, key: str) -> str:
        attributes = entity.vocabulary.attributes
        if key in attributes:
            return attributes[key].english
        return "mode" if key == "mode" else "state"

    def value(self, entity: Entity, key: str, value: Value) -> str:
        """A value of "state" or an attribute as people say it."""
        attribute = entity.attribute("state" if key in ("mode", "value") else key)
        if isinstance(value, bool):
            return "on" if value else "off"
        if entity.domain == "climate" and isinstance(value, str):
            return MODES.get(value, value)
        if key == "contact":
            return self.contact(str(value))
        if key == "area" or (key == "place" and entity.domain == "robot"):
            return self.place(str(value))
        if key == "target" and value == "speaker":
            return "you"
        if isinstance(value, str):
            return self.option(entity, value)
        unit = attribute.unit if attribute is not None else ""
        return amount(value, unit, " ")

    def _service(self, entity: Entity, call: Call, names: str) -> str:
        a = call.arguments
        match entity.domain, call.action:
            case "vacuum", _:
                return f"send {names} to clean {the(self.place(str(a['area'])))}"
            case "todo", "add":
                return f"add “{a['item']}” to {names}"
            case "todo", _:
                return f"take “{a['item']}” off {names}"
            case "timer", "start":
                label = f" ({a['label']})" if a.get("label") else ""
                return f"start a timer of {self.duration(a['seconds'])}{label}"
            case "alarm", "add":
                often = DAYS.get(str(a.get("days", "once")), "")
                return f"set {names} for {a['time']} {often}".strip()
            case ("reminder", "add") | ("calendar", "add"):
                what = a.get("text", a.get("title", ""))
                return f"put “{what}” into {names}: {self.moment_text(str(a['at']))}"
            case (("timer" | "alarm" | "reminder" | "calendar"), _):
                which = self.entry(dict(a)) if a else ""
                return f"cancel {names}: {which}" if which else f"cancel everything on {names}"
            case "dialer", _:
                return f"call {the(self.contact(str(a['contact'])))}"
            case "messenger", _:
                return f"send {self.contact(str(a['contact']))} a message: “{a['text']}”"
            case "app", _:
                return f"open {self.option(entity, str(a['app']))}"
            case "navigator", _:
                return f"start the navigation to {the(self.option(entity, str(a['place'])))}"
            case "robot", _:
                return self._robot(entity, call, names)
        return f"{call.action} {names}"

    def _robot(self, entity: Entity, call: Call, names: str) -> str:
        a = call.arguments
        match call.action:
            case "walk":
                metres = a["distance"]
                assert isinstance(metres, int | float)
                way = "forward" if metres >= 0 else "back"
                unit = "metre" if abs(metres) == 1 else "metres"
                return f"have {names} walk {number(abs(metres))} {unit} {way}"
            case "turn":
                angle = a["angle"]
                assert isinstance(angle, int | float)
                way = "right" if angle >= 0 else "left"
                return f"have {names} turn {number(abs(angle))}° {way}"
            case "go_to":
                return f"send {names} to {the(self.value(entity, 'place', a['place']))}"
        return f"have {names} follow {the(self.value(entity, 'target', a['target']))}"

    def entry(self, entry: str | Record) -> str:
        """An entry of a list, or what is known of one."""
        if isinstance(entry, str):
            return entry
        parts = []
        if "seconds" in entry:
            parts.append(self.duration(entry["seconds"]))
        if "time" in entry:
            parts.append(str(entry["time"]))
        if "at" in entry:
            parts.append(self.moment_text(str(entry["at"])))
        if entry.get("days", "once") != "once":
            parts.append(DAYS.get(str(entry["days"]), str(entry["days"])))
        if "contact" in entry:
            parts.append(f"to {self.contact(str(entry['contact']))}")
        words = entry.get("text") or entry.get("title") or entry.get("label") or entry.get("item")
        if words:
            parts.append(f"“{words}”")
        return " ".join(parts)

    def moment_text(self, at: str) -> str:
        moment = datetime.strptime(at, MOMENT)
        return f"{moment.day} {moment:%B %H:%M}"

    def duration(self, seconds: Value) -> str:
        assert isinstance(seconds, int | float)
        whole = int(seconds)
        counts = ((whole // 3600, "hour"), (whole % 3600 // 60, "minute"), (whole % 60, "second"))
        parts = [f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in counts if count]
        return " ".join(parts) or "0 seconds"
