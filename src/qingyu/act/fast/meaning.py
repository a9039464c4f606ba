"""From what a template found to calls: each function here is an intent of `sentences/`.

    meaning = Meaning(world, state, speaker)
    meaning.of("Set", {"name": "light.desk", "value": 40})    # Calls((Call("set", ...),))

None where the devices are not clear or cannot be meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qingyu.act.calls import Call
from qingyu.act.fast.targets import Said, targets
from qingyu.act.resolving.parameters import BARE, SPEEDS, raised
from qingyu.act.resolving.verbs import done, switch
from qingyu.act.state import State
from qingyu.act.understood import Question
from qingyu.act.values import is_number, tidy
from qingyu.act.world import Entity, Scalar, World, plain


@dataclass(frozen=True)
class Calls:
    """What to do, in order; the guard has not seen it yet."""

    calls: tuple[Call, ...]


Answer = Calls | Question

_VERBS = {
    "Open": "open", "Close": "close", "Lock": "lock", "Unlock": "unlock", "Activate": "activate",
    "Pause": "pause", "Play": "play", "StopPlaying": "stop", "Next": "next",
    "Previous": "previous", "Mute": "mute", "Unmute": "unmute", "Dock": "dock", "Stand": "stand",
    "Sit": "sit", "Lie": "lie", "Patrol": "patrol", "Halt": "halt", "HangUp": "stop",
    "StopNavigation": "stop", "CancelTimer": "stop", "Charge": "start", "StopCharge": "stop",
}  # fmt: skip
"""Intents without arguments, besides On and Off, as verbs of `verbs`."""
_ONLY = {
    "Pause": "media_player", "Play": "media_player", "StopPlaying": "media_player",
    "Next": "media_player", "Previous": "media_player", "Mute": "media_player",
    "Unmute": "media_player", "Clean": "vacuum", "Dock": "robot", "Stand": "robot",
    "Sit": "robot", "Lie": "robot", "Patrol": "robot", "Halt": "robot", "Walk": "robot",
    "Turn": "robot", "GoTo": "robot", "Follow": "robot", "HangUp": "dialer", "Call": "dialer",
    "Send": "messenger", "OpenApp": "app", "Navigate": "navigator", "StopNavigation": "navigator",
    "Timer": "timer", "CancelTimer": "timer", "Charge": "charger", "StopCharge": "charger",
    "ChargeLimit": "charger",
}  # fmt: skip
"""What is meant where no device is named: the one of this domain, here or at all."""
_SET_INTENTS = ("Set", "Level", "Color", "Mode", "Option", "Adjust", "ChargeLimit")


class Meaning:
    """How a household, its present state, the speaker's area and what was spoken of (focus: ids)
    give words a meaning."""

    def __init__(self, world: World, state: State, speaker: str, focus: Sequence[str] = ()) -> None:
        self.world, self.state, self.speaker, self.focus = world, state, speaker, focus

    def of(self, intent: str, said: Said) -> Answer | None:
        if intent == "Ask":
            return self._question(said)
        if not {"name", "class"} & set(said):
            only = self._loudspeaker() if said.get("key") == "volume" else None
            only = only or self._only(_ONLY.get(intent, ""))
            devices: tuple[Entity, ...] | None = None if only is None else (only,)
        else:
            # The area a vacuum is sent to is not where it stands.
            here = {key: one for key, one in said.items() if key != "area" or intent != "Clean"}
            devices = targets(self.world, self.speaker, here)
        if intent == "Adjust" and devices and "class" in said:
            # "All lights brighter" lights none that is off.
            devices = tuple(one for one in devices if self.state.get(one.id) != "off")
        if devices is None:
            return None
        calls = [self._call(intent, one, said) for one in devices]
        if len(calls) > 1 and intent in _SET_INTENTS:
            calls = [one for one in calls if one is not None and self._supported(one)]
        done = [one for one in calls if one is not None]
        return Calls(tuple(done)) if done and len(done) == len(calls) else None

    def _only(self, domain: str) -> Entity | None:
        some = self.world.select(domain=domain) if domain else ()
        spoken_of = [one for one in some if one.id in self.focus]
        if len(spoken_of) == 1:
            return spoken_of[0]
        here = [one for one in some if self.speaker and one.area == self.speaker]
        if len(here) == 1:
            return here[0]
        return some[0] if len(some) == 1 else None

    def _loudspeaker(self) -> Entity | None:
        """What "volume" alone is about: a player, or the one level of a phone."""
        levels = self.world.select(domain="level", kind="volume")
        if not levels:
            return self._only("media_player")
        players = self.world.select(domain="media_player")
        return levels[0] if len(levels) == 1 and not players else None

    def _supported(self, call: Call) -> bool:
        entity = self.world.entity(call.entity)
        assert entity is not None
        return all(
            key == "value" or entity.supports("state" if key == "mode" else key)
            for key in call.arguments
        )

    def _call(self, intent: str, entity: Entity, said: Said) -> Call | None:
        running = self.state.get(entity.id, "timers") if intent == "CancelTimer" else ()
        if isinstance(running, tuple) and len(running) > 1:  # which of them is not said
            return None
        if intent in _VERBS:
            return done(_VERBS[intent], entity)
        match intent:
            case "On" | "Off":
                # Which of its settings is "on" is not said.
                return None if entity.domain == "select" else switch(entity, on=intent == "On")
            case "Set" | "ChargeLimit":
                return self._set(entity, said)
            case "Adjust":
                return self._adjust(entity, said)
            case "Level":
                level = str(said["level"])
                if entity.domain == "fan":
                    speed = SPEEDS.get(level)
                    return Call("set", entity.id, {"speed": speed}) if speed else None
                if level == "auto":  # the mode or the fan: not said
                    return None
                return Call("set", entity.id, {"fan": level})
            case "Color" if entity.domain == "light":
                return Call("set", entity.id, {"color": str(said["color"])})
            case "Mode" if entity.domain == "climate":
                return Call("set", entity.id, {"mode": str(said["mode"])})
            case "Option":
                return self._option(entity, str(said["option"]))
            case "Clean" if entity.domain == "vacuum":
                area = said.get("area")
                return Call("clean", entity.id, {"area": str(area)}) if area else Call(
                    "start", entity.id
                )  # fmt: skip
            case "AddItem" | "RemoveItem":
                return self._item(intent, entity, str(said["item"]))
        return self._service(intent, entity, said)

    def _service(self, intent: str, entity: Entity, said: Said) -> Call | None:
        """Phone, car and robot: one device of the domain that can do it."""
        if entity.domain != _ONLY.get(intent):
            return None
        match intent:
            case "Timer":
                return Call("start", entity.id, {"seconds": _scalar(said["duration"])})
            case "Call":
                return Call("call", entity.id, {"contact": str(said["contact"])})
            case "Send":
                arguments = {"contact": str(said["contact"]), "text": str(said["text"])}
                return Call("send", entity.id, arguments)
            case "OpenApp":
                return self._chosen("open", entity, "app", str(said["app"]), "app")
            case "Navigate":
                return self._chosen("navigate", entity, "place", str(said["place"]), "place")
            case "GoTo":
                return self._chosen("go_to", entity, "place", str(said["place"]), "place")
            case "Follow":
                whom = str(said.get("target", "speaker"))
                return self._chosen("follow", entity, "target", whom, "target")
            case "Walk" | "Turn":
                key = "distance" if intent == "Walk" else "angle"
                amount = said["distance" if intent == "Walk" else "number"]
                sign = said["direction"]
                assert isinstance(amount, int | float)
                assert isinstance(sign, int)
                return Call(intent.casefold(), entity.id, {key: tidy(amount * sign)})
        return None

    def _chosen(
        self, action: str, entity: Entity, key: str, said: str, options: str
    ) -> Call | None:
        known = entity.options.get(options, ())
        option = entity.option_called(said, known)
        if option is None and options == "place" and entity.domain == "robot":
            areas = self.world.areas_named(said)
            option = areas[0].id if len(areas) == 1 else None
        return None if option is None else Call(action, entity.id, {key: option})

    def _option(self, entity: Entity, said: str) -> Call | None:
        for key in ("source", "mode", "state"):
            option = entity.option_called(said, entity.options.get(key, ()))
            if option is not None and entity.domain != "climate":
                return Call("set", entity.id, {"value" if key == "state" else key: option})
        return None

    def _item(self, intent: str, entity: Entity, said: str) -> Call | None:
        item = said.strip()
        if not item or any(one in f" {item} " for one in ("和", "跟", "、", " and ", "再", ",")):
            return None
        if intent == "AddItem":
            return Call("add", entity.id, {"item": item})
        items = self.state.get(entity.id, "items")
        assert isinstance(items, tuple)
        same = [str(one) for one in items if plain(str(one)) == plain(item)]
        return Call("remove", entity.id, {"item": same[0]}) if len(same) == 1 else None

    def _key(self, entity: Entity, said: Said) -> tuple[str, str] | None:
        """The parameter a number goes to, and the key it sets."""
        key = str(said.get("key", ""))
        if entity.domain == "level":
            fits = key in ("", entity.kind) and said.get("unit") != "degree"
            return ("value", "state") if fits else None
        key = key or BARE.get(entity.domain, "")
        if said.get("unit") == "degree" and key != "temperature":
            return None
        action = entity.vocabulary.actions.get("set")
        return (key, key) if action and key in action.parameters else None

    def _set(self, entity: Entity, said: Said) -> Call | None:
        found = self._key(entity, said)
        if found is None:
            return None
        parameter, key = found
        value = said["value"]
        if value in ("max", "min"):
            if key in ("temperature", "color_temperature"):
                return None
            attribute = entity.attribute(key)
            assert attribute is not None
            value = entity.range_of(key, attribute)[value == "max"]
        assert isinstance(value, int | float)
        half = said.get("half", 0)
        assert isinstance(half, int | float)
        return Call("set", entity.id, {parameter: tidy(value + half)})

    def _adjust(self, entity: Entity, said: Said) -> Call | None:
        found = self._key(entity, said)
        if found is None or not entity.supports(found[1]):
            return None
        parameter, key = found
        now, direction = self.state.get(entity.id, key), said["direction"]
        if not is_number(now):
            return None
        assert isinstance(now, int | float)
        assert isinstance(direction, int)
        amount = said.get("number")
        if amount is None:
            return Call("set", entity.id, {parameter: raised(entity, key, now, direction)})
        assert isinstance(amount, int | float)
        return Call("set", entity.id, {parameter: tidy(now + direction * amount)})

    def _question(self, said: Said) -> Question | None:
        key = str(said["key"])
        if key == "room_temperature":
            area = str(said["area"])
            some = self.world.select(domain="sensor", kind="temperature", area=area)
            key = "state" if some else "current_temperature"
            some = some or tuple(
                one for one in self.world.select(area=area) if one.supports(key)
            )  # fmt: skip
            return Question((some[0].id,), key) if len(some) == 1 else None
        devices = targets(self.world, self.speaker, said)
        if devices is None or not all(one.supports(key) for one in devices):
            return None
        if key == "temperature":  # what is set, or what it is now: not said
            return None
        return Question(tuple(one.id for one in devices), key)


def _scalar(value: object) -> Scalar:
    assert isinstance(value, str | int | float)
    return value
