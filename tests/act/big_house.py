"""A household of more than sixty devices with the names that most households have."""

from __future__ import annotations

from functools import cache
from typing import Any

from qingyu.act.world import World
from qingyu.act.world_file import make_world

ROOMS = {
    "parlor": ("客厅", "living room"), "master": ("主卧", "master bedroom"),
    "second": ("次卧", "second bedroom"), "kids": ("儿童房", "kids' room"),
    "study": ("书房", "study"), "kitchen": ("厨房", "kitchen"), "bath": ("卫生间", "bathroom"),
    "balcony": ("阳台", "balcony"), "gran": ("奶奶房间", "Grandma's room"),
}  # fmt: skip
_EVERYWHERE: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("light", "主灯", "main light", {"state": "off", "attributes": {"brightness": 50}}),
    ("light", "灯带", "light strip", {"state": "off", "attributes": {"color": "red"}}),
    ("cover", "窗帘", "curtains", {"state": "open", "attributes": {"kind": "curtain"}}),
    ("climate", "空调", "AC", {"state": "off", "attributes": {"temperature": 24,
                                                              "last_mode": "cool"},
                               "options": {"mode": ["off", "cool", "heat"]}}),
    ("sensor", "温度计", "thermometer", {"state": 21,
                                         "attributes": {"kind": "temperature", "unit": "°C"}}),
    ("binary_sensor", "窗磁", "window contact", {"state": "off", "attributes": {"kind": "window"}}),
)  # fmt: skip
_ONCE: tuple[dict[str, Any], ...] = (
    {"id": "light.lamp", "names": ["落地灯", "floor lamp", "长颈鹿", "Giraffe"], "area": "parlor",
     "state": "off"},
    {"id": "light.bedside", "names": ["床头灯", "bedside lamp"], "area": "master", "state": "off"},
    {"id": "light.bedside2", "names": ["床头灯", "bedside lamp"], "area": "second", "state": "off"},
    {"id": "media_player.tv", "names": ["电视", "TV"], "area": "parlor", "state": "off",
     "attributes": {"volume": 20, "source": "Netflix"}, "options": {"source": ["Netflix", "HDMI"]}},
    {"id": "vacuum.doudou", "names": ["豆豆", "Doudou", "扫地机器人"], "area": "parlor",
     "state": "docked", "attributes": {"area": ""}},
    {"id": "lock.door", "names": ["入户门", "front door"], "state": "locked"},
    {"id": "fan.study", "names": ["循环扇", "circulation fan"], "area": "study", "state": "off",
     "attributes": {"speed": 33}},
    {"id": "scene.movie", "names": ["观影模式", "movie mode"],
     "attributes": {"sets": {"light.lamp": {"state": "on"}}}},
    {"id": "todo.buy", "names": ["购物清单", "shopping list"], "attributes": {"items": ["牛奶"]}},
)  # fmt: skip


@cache
def big_house() -> World:
    entities: list[dict[str, Any]] = []
    for room, (zh, en) in ROOMS.items():
        for at, (domain, zh_thing, en_thing, rest) in enumerate(_EVERYWHERE):
            names = [f"{zh}{zh_thing}", f"{en} {en_thing}"]
            entities.append({"id": f"{domain}.{room}_{at}", "names": names, "area": room, **rest})
    return make_world(
        {
            "name": "big",
            "floors": [{"id": "upper", "names": ["楼上", "upstairs"]}],
            "areas": [{"id": id, "names": list(names)} for id, names in ROOMS.items()],
            "entities": [*entities, *_ONCE],
            "contacts": [{"names": ["张伟", "Wei Zhang"]}, {"names": ["李慧", "小慧"]}],
        }
    )
