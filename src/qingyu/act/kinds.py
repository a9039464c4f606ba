"""What a cover, a select or a scene is by its names, where nothing else says so.

It decides what needs a yes, so words that sound like a way in, or like how a car drives, win.
"""

from __future__ import annotations

import re

from qingyu.act.world import Entity

_COVERS = (
    ("garage", ("garage", "车库")),
    ("boot", ("boot", "trunk", "tailgate", "frunk", "后备箱", "尾门", "前备箱", "尾厢")),
    ("gate", ("gate", "院门", "大门", "闸")),
    ("sunroof", ("sunroof", "moonroof", "天窗")),
    ("curtain", ("curtain", "drape", "窗帘", "帘布", "纱帘")),
    ("blind", ("blind", "百叶", "卷帘", "罗马帘")),
    ("shade", ("shade", "awning", "遮阳")),
    ("window", ("window", "窗")),
    ("door", ("door", "门")),
)
_WAY_IN = re.compile(
    r"\bunlock|\bgarage|\bgates?\b|\bopen\b.*\b(?:doors?|boot|trunk|tailgate)\b|\bdoors?\b.*\bopen\b"
    r"|开锁|解锁|车库|院门|大门|闸门|开.{0,4}门|后备箱|尾门"
)
_DRIVING = ("drive", "driving", "power", "gear", "驾驶", "行驶", "动力")
_DRIVE_MODES = {"eco", "sport", "comfort", "snow", "tow", "offroad", "race"}


def guess_kind(entity: Entity) -> str:
    """The kind a cover or select has, by its names and options."""
    words = " ".join((entity.id, *entity.names)).casefold()
    if entity.domain == "cover":
        found = (kind for kind, known in _COVERS if any(one in words for one in known))
        return next(found, "curtain")
    assert entity.domain == "select", entity.id
    options = set(entity.options["state"])
    if "off" in options:
        return "headlights"
    drives = _DRIVE_MODES & options or any(one in words for one in _DRIVING)
    return "drive_mode" if drives else "other"


def sounds_like_a_way_in(entity: Entity) -> bool:
    """Whether a scene of which nobody here knows what it does is called as if it opened a door."""
    return any(_WAY_IN.search(name.casefold().replace("_", " ")) for name in entity.names)
