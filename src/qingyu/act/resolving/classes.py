"""Which devices of a household a class word means: light, heater, door, shopping, co2 ...

    members(world, "heater")           # what heats and does not cool
    members(world, "door", "open")     # doors, gates, garage doors, and locks

The words are those of `form_words.CLASSES`. Where they stand is none of its business.
"""

from __future__ import annotations

from qingyu.act.vocabulary import BINARY_KINDS, DOMAINS, SENSOR_KINDS, SWITCHED
from qingyu.act.world import Entity, World

_DOMAINS = {"media": ("media_player",), "appliance": ("switch", "fan", "humidifier")}
_KINDS = {
    "curtain": ("curtain",),
    "blind": ("blind", "shade"),
    "window": ("window",),
    "door": ("door", "gate", "garage"),
    "headlights": ("headlights",),
    "drive_mode": ("drive_mode",),
}
_SHOPPING = ("shop", "buy", "grocer", "购物", "采购", "买", "超市")


def members(world: World, name: str, verb: str = "") -> tuple[Entity, ...]:
    """The devices of a class in the household's order. verb: what is to be done with them, for
    "door" is also a lock where it is opened or asked about."""
    return tuple(one for one in world.entities if is_a(one, name, verb)) or _otherwise(world, name)


def is_a(entity: Entity, name: str, verb: str = "") -> bool:
    """Whether a device belongs to a class."""
    domain, kind = entity.domain, entity.kind
    match name:
        case "everything":
            return domain in SWITCHED or (verb == "list" and domain != "sensor")
        case "ac":
            return domain == "climate" and "cool" in _modes(entity)
        case "heater":
            return domain == "climate" and "cool" not in _modes(entity)
        case "heating":
            return domain == "climate" and "heat" in _modes(entity)
        case "cover":
            return domain == "cover"
        case "door" if domain == "lock":
            return verb in ("open", "ask", "lock", "unlock")
        case "door" | "window" if domain == "binary_sensor":
            return verb == "ask" and kind == name
        case "volume":
            return domain == "media_player" or (domain == "level" and kind == "volume")
        case "screen":
            return domain == "level" and kind == "brightness"
        case "sensor":
            return domain in ("sensor", "binary_sensor")
        case "shopping":
            words = " ".join(entity.names).casefold()
            return domain == "todo" and any(one in words for one in _SHOPPING)
    if name in _KINDS:
        return domain in ("cover", "select") and kind in _KINDS[name]
    if name in _DOMAINS:
        return domain in _DOMAINS[name]
    if name in DOMAINS:
        return domain == name
    if name in SENSOR_KINDS or name in BINARY_KINDS:
        return domain in ("sensor", "binary_sensor") and kind == name
    return False


def _modes(entity: Entity) -> tuple[str, ...]:
    return entity.options.get("mode", ("cool", "heat"))


def _otherwise(world: World, name: str) -> tuple[Entity, ...]:
    """The one list of a home is also its shopping list; a door may be only a lock."""
    if name == "door":
        return world.select(domain="lock")
    lists = world.select(domain="todo") if name == "shopping" else ()
    return lists if len(lists) == 1 else ()
