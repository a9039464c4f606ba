"""What a verb means on a device: a call of its domain, for the templates and the forms alike.

done("open", lock)           # Call("unlock", "lock.front")
switch(vacuum, on=False)     # Call("return", "vacuum.dobby")
"""

from __future__ import annotations

from qingyu.act.calls import Call
from qingyu.act.world import Entity

ACTIONS: dict[str, dict[str, str]] = {
    "open": {"cover": "open", "valve": "open", "lock": "unlock", "scene": "activate"},
    "close": {"cover": "close", "valve": "close", "lock": "lock"},
    "start": {"vacuum": "start", "charger": "start", "media_player": "play", "cover": "open",
              "valve": "open", "scene": "activate", "robot": "stand"},
    "stop": {"vacuum": "pause", "charger": "stop", "media_player": "stop", "robot": "stop",
             "navigator": "stop", "dialer": "hang_up", "timer": "cancel", "valve": "close"},
    "pause": {"vacuum": "pause", "media_player": "pause", "robot": "stop"},
    "play": {"media_player": "play"},
    "next": {"media_player": "next"},
    "previous": {"media_player": "previous"},
    "mute": {"media_player": "mute", "level": "mute"},
    "unmute": {"media_player": "unmute"},
    "lock": {"lock": "lock", "cover": "close"},
    "unlock": {"lock": "unlock", "cover": "open"},
    "dock": {"vacuum": "return", "robot": "dock"},
    "return": {"vacuum": "return", "robot": "dock"},
    "activate": {"scene": "activate"},
    "halt": {"robot": "stop"},
    **{one: {"robot": one} for one in ("stand", "sit", "lie", "patrol")},
}  # fmt: skip
"""{verb: {domain: action}}; what is not here is on or off, if it is either."""
_ON_OFF = {
    "cover": ("open", "close"), "valve": ("open", "close"), "vacuum": ("start", "return"),
    "charger": ("start", "stop"), "lock": ("unlock", "lock"),
}  # fmt: skip


def done(verb: str, entity: Entity) -> Call | None:
    """None where the verb means nothing there."""
    action = ACTIONS.get(verb, {}).get(entity.domain)
    return None if action is None else Call(action, entity.id)


def switch(entity: Entity, *, on: bool) -> Call | None:
    """On or off, in the words of its domain."""
    actions = entity.vocabulary.actions
    if "turn_on" in actions:
        return Call("turn_on" if on else "turn_off", entity.id)
    if entity.domain in _ON_OFF:
        return Call(_ON_OFF[entity.domain][0 if on else 1], entity.id)
    if entity.domain == "scene" and on:
        return Call("activate", entity.id)
    if entity.domain == "select":
        wanted = ("on", "low", "auto") if on else ("off",)
        options = entity.options.get("state", ())
        others = [one for one in options if on and one != "off"]
        option = next((one for one in (*wanted, *others) if one in options), None)
        return Call("set", entity.id, {"value": option}) if option else None
    return None
